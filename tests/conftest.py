"""What every test may ask for."""

import os
from pathlib import Path

import hypothesis
import pytest

# The first call of a kernel may compile it, which no deadline knows of.
hypothesis.settings.register_profile("truewind", deadline=None)
hypothesis.settings.load_profile("truewind")

SHARED = Path(os.environ.get("TRUEWIND_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of recorded market data; the test is skipped where it is absent, but in CI that is a failure."""
    if not (SHARED / "market-data").is_dir():
        message = f"no recorded market data at {SHARED} (set TRUEWIND_SHARED)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED / "market-data"
