"""Timeframes: names and lengths are two spellings of one thing."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.timeframe import timeframe_name, timeframe_us
from truewind.errors import ConfigError

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@given(st.integers(1, 10_000), st.sampled_from(sorted(UNITS)))
def test_a_name_means_its_length(number: int, unit: str) -> None:
    """ "15m" lasts as long as Python's timedelta(minutes=15), and its shortest name has the same length."""
    length = timedelta(**{UNITS[unit]: number}) // timedelta(microseconds=1)
    assert timeframe_us(f"{number}{unit}") == length
    assert timeframe_us(timeframe_name(length)) == length


@pytest.mark.parametrize(
    ("name", "shortest"),
    [("60s", "1m"), ("90s", "90s"), ("60m", "1h"), ("24h", "1d"), ("7d", "1w"), ("36h", "36h"), ("4h", "4h")],
)
def test_the_largest_whole_unit_names_a_length(name: str, shortest: str) -> None:
    """60m is called 1h, 90s stays 90s."""
    assert timeframe_name(timeframe_us(name)) == shortest


@pytest.mark.parametrize("name", ["", "m", "0m", "1M", "-5m", "1.5h", "5 m", "1h ", "٣m", "h1", "1mo", "1m\n"])
def test_what_is_no_timeframe_is_refused(name: str) -> None:
    """Months, zeros, fractions, foreign digits and spaces are errors that show how to write it."""
    with pytest.raises(ConfigError, match=r"Unknown timeframe[\s\S]*1h"):
        timeframe_us(name)


@pytest.mark.parametrize("length_us", [0, -60_000_000, 1, 500_000, 1_500_000])
def test_a_length_without_whole_seconds_has_no_name(length_us: int) -> None:
    """Half seconds, zero and negative lengths are refused."""
    with pytest.raises(ConfigError, match="no whole number of seconds"):
        timeframe_name(length_us)
