"""Calendars: how many days a market trades in a year, which is what annualised figures need.

252 or 365 is a property of the instrument's market, never a constant in a formula.
"""

import msgspec

from truewind.errors import ConfigError, suggest


class Calendar(msgspec.Struct, frozen=True):
    """A market's year.

    days_per_year: trading days a year; the factor under the root of an annualised Sharpe ratio.
    """

    name: str
    days_per_year: int


CALENDARS = {
    "crypto": Calendar("crypto", 365),  # trades every day of the year
    "us_equities": Calendar("us_equities", 252),  # NYSE sessions a year, the field's convention
    "fx": Calendar("fx", 260),  # 52 weeks of five days
}


def calendar(name: str) -> Calendar:
    """The calendar called `name`. Raises ConfigError with the closest name."""
    try:
        return CALENDARS[name]
    except KeyError:
        raise ConfigError(f"Unknown calendar '{name}'", remedy=suggest(name, CALENDARS)) from None
