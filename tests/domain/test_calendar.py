"""Calendars: the year belongs to the market."""

import pytest

from truewind.domain.calendar import CALENDARS, calendar
from truewind.errors import ConfigError


def test_each_market_has_its_year() -> None:
    """Crypto trades 365 days; the New York exchanges hold 252 sessions by the field's convention; FX 52 × 5 days."""
    years = {name: calendar(name).days_per_year for name in CALENDARS}
    assert years == {"crypto": 365, "us_equities": 252, "fx": 52 * 5}


def test_an_unknown_calendar_suggests_the_right_one() -> None:
    """A misspelt name is an error that names the closest."""
    with pytest.raises(ConfigError, match="Did you mean 'crypto'"):
        calendar("cripto")
