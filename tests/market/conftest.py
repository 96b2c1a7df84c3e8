"""What tests of market data share."""

from pathlib import Path

import pytest

from truewind.storage.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that the first write makes."""
    return Lake(tmp_path / "lake")
