"""Timeframes: the length of a bar, written as the field writes it ("1m", "4h", "1d"), counted in microseconds."""

import re

from truewind.errors import ConfigError

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US
MONDAY_US = 4 * DAY_US  # 1970-01-05: weekly bars open on Mondays, and 1970-01-01 was a Thursday
_UNITS = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": WEEK_US}


def timeframe_us(timeframe: str) -> int:
    """Length of `timeframe` in microseconds: timeframe_us("5m") == 300_000_000.

    Calendar months have no fixed length and are refused. Raises ConfigError.
    """
    found = re.fullmatch(r"([1-9][0-9]*)([smhdw])", timeframe)
    if not found:
        raise ConfigError(
            f"Unknown timeframe '{timeframe}'",
            remedy="Write a number and one of s, m, h, d, w: 1m, 5m, 15m, 1h, 4h, 1d",
            timeframe=timeframe,
        )
    return int(found[1]) * _UNITS[found[2]]


def origin_us(step_us: int) -> int:
    """A time at which a bar of `step_us` opens: 1970-01-01, or for whole weeks the Monday after it."""
    return MONDAY_US if step_us % WEEK_US == 0 else 0


def timeframe_name(length_us: int) -> str:
    """The shortest name of a length in microseconds: timeframe_name(3_600_000_000) == "1h"."""
    for unit in "wdhms":
        if length_us > 0 and length_us % _UNITS[unit] == 0:
            return f"{length_us // _UNITS[unit]}{unit}"
    raise ConfigError(
        f"{length_us} µs is no whole number of seconds", remedy="Give at least one second", length_us=length_us
    )
