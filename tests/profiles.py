"""Hypothesis profiles: `ci` is short and the same every time, `night` is long and goes elsewhere each time.

`HYPOTHESIS_PROFILE=night` or pytest's `--hypothesis-profile=night` chooses (`make night`). A test says with
`@examples(25)` what it takes by day; at night it takes as many more as any other.
"""

import os
from typing import Any

from hypothesis import settings

DAY = settings().max_examples
NIGHT = 20  # times as many examples

# The first call of a kernel may compile it, which no deadline knows of.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("night", deadline=None, derandomize=False, max_examples=DAY * NIGHT, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def examples(by_day: int, **others: Any) -> settings:
    """Settings of a test with its own number of examples, which a longer profile multiplies."""
    return settings(max_examples=by_day * max(settings().max_examples // DAY, 1), **others)
