"""A trial's figures that are added up in one pass, beside the same of whole columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lanes import account, world
from profiles import examples
from truewind.engine.state import State
from truewind.engine.trials import walk
from truewind.numerics import performance

ROWS = 120
WORTHS = st.lists(st.floats(-5e11, 5e12, allow_nan=False), min_size=ROWS, max_size=ROWS)


def state_of(rows):
    timeline, instruments, dues = world(2, 1, count=rows)
    given = account()
    return State(
        instruments, timeline, given["cash"], given["currency"], given["costs"], given["limits"], dues, buffer_rows=16
    )


@examples(100)
@given(WORTHS, st.sets(st.integers(0, ROWS - 1), min_size=1))
def test_the_deepest_fall_is_the_largest_drawdown_of_all_moments(worths, moments):
    """To the last bit, whatever equity does, also where it owes money; the mean to a billionth."""
    state = state_of(ROWS)
    state.equity[:] = worths
    at = np.array(sorted(moments), np.int64)
    fall, mean = walk(state.handle, at)
    assert fall == performance.max_drawdown(state.equity[at], float(state.account[0]["start"]))
    np.testing.assert_allclose(mean, np.mean(state.equity[at]), rtol=1e-9, atol=1e-3)
