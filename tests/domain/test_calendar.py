"""Calendars: the year belongs to the market."""

import pytest

from truewind.domain.calendar import CALENDARS, calendar
from truewind.domain.clock import parse_ts_us
from truewind.errors import ConfigError


def test_each_market_has_its_year() -> None:
    """Crypto trades 365 days; the New York exchanges hold 252 sessions by the field's convention; FX 52 × 5 days."""
    years = {name: calendar(name).days_per_year for name in CALENDARS}
    assert years == {"crypto": 365, "us_equities": 252, "fx": 52 * 5}


def test_an_unknown_calendar_suggests_the_right_one() -> None:
    """A misspelt name is an error that names the closest."""
    with pytest.raises(ConfigError, match="Did you mean 'crypto'"):
        calendar("cripto")


@pytest.mark.parametrize(
    ("name", "sent", "ends"),
    [
        ("crypto", "2024-03-05T13:00", "2024-03-06T00:00"),
        ("crypto", "2024-03-06T00:00", "2024-03-07T00:00"),  # the day that begins
        ("crypto", "2024-03-09T23:59", "2024-03-10T00:00"),  # a Saturday
        ("us_equities", "2024-03-05T15:00", "2024-03-05T21:00"),  # 16:00 in New York's winter
        ("us_equities", "2024-03-08T21:00", "2024-03-11T20:00"),  # over a weekend into summer time
        ("us_equities", "2024-03-09T12:00", "2024-03-11T20:00"),
        ("fx", "2024-07-01T20:59", "2024-07-01T21:00"),  # 17:00 in New York's summer
        ("fx", "2024-07-05T21:00", "2024-07-08T21:00"),
    ],
)
def test_when_a_markets_day_ends(name, sent, ends):
    """The first end after the moment, in the market's own time."""
    assert calendar(name).day_end_us(parse_ts_us(sent)) == parse_ts_us(ends)
