"""Calendars: how many days a market trades in a year, which is what annualised figures need.

252 or 365 is a property of the instrument's market, never a constant in a formula.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.errors import ConfigError, suggest

_DAYS_A_YEAR = 365.25


class Calendar(msgspec.Struct, frozen=True):
    """A market's year and day.

    days_per_year: trading days a year; the factor under the root of an annualised Sharpe ratio. hours: of trading in a
    day. closes: the hour at which a day ends in the time of `zone`. weekdays: it is closed on Saturdays and Sundays.
    Holidays are not known.
    """

    name: str
    days_per_year: int
    hours: float = 24.0
    zone: str = "UTC"
    closes: int = 0
    weekdays: bool = False

    def bars_a_year(self, length_us: int) -> float:
        """How many bars of a length the market has in a year; of trades, which have no length, its days."""
        if length_us <= 0:
            return float(self.days_per_year)
        if length_us > DAY_US:
            return _DAYS_A_YEAR * DAY_US / length_us
        return self.days_per_year * max(1.0, self.hours * HOUR_US / length_us)

    def day_end_us(self, ts_us: int) -> int:
        """When the market's day that holds `ts_us`, or else the next one, ends: the first end after it, µs UTC."""
        zone = ZoneInfo(self.zone)
        now = datetime.fromtimestamp(ts_us // 1_000_000, UTC).astimezone(zone)
        end = datetime(now.year, now.month, now.day, self.closes, tzinfo=zone)
        while end.timestamp() * 1_000_000 <= ts_us or (self.weekdays and end.weekday() >= 5):
            end = datetime.combine((end + timedelta(days=1)).date(), end.time(), zone)
        return int(end.timestamp()) * 1_000_000


CALENDARS = {
    "crypto": Calendar("crypto", 365),  # trades every day of the year
    # NYSE sessions a year, the field's convention
    "us_equities": Calendar("us_equities", 252, 6.5, "America/New_York", 16, weekdays=True),
    "fx": Calendar("fx", 260, 24.0, "America/New_York", 17, weekdays=True),  # 52 weeks of five days
}


def calendar(name: str) -> Calendar:
    """The calendar called `name`. Raises ConfigError with the closest name."""
    try:
        return CALENDARS[name]
    except KeyError:
        raise ConfigError(f"Unknown calendar '{name}'", remedy=suggest(name, CALENDARS)) from None
