"""Clocks: one seam to the system's time, and a simulated one that only moves forward."""

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain import clock
from truewind.domain.clock import WallClock, iso, parse_ts_us
from truewind.errors import ConfigError

moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
zones = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def test_the_wall_clock_tells_the_systems_time() -> None:
    """Its microseconds lie between two looks at the system."""
    before = time.time_ns() // 1000
    now = WallClock().now_us()
    assert before <= now <= time.time_ns() // 1000


@given(moments)
def test_times_survive_text(moment: datetime) -> None:
    """A time written for people and read again is the same microsecond."""
    ts_us = parse_ts_us(moment)
    assert parse_ts_us(iso(ts_us)) == ts_us


@given(moments, zones)
def test_zones_are_understood(moment: datetime, zone: timezone) -> None:
    """A time with a zone is the same moment as Python's conversion to UTC; one without a zone is UTC."""
    aware = moment.replace(tzinfo=zone)
    in_utc = aware.astimezone(UTC)
    assert parse_ts_us(aware) == parse_ts_us(aware.isoformat()) == parse_ts_us(in_utc.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("text", "ts_us"),
    [
        ("1970-01-01", 0),
        ("2024-01-01", 1_704_067_200_000_000),
        ("2024-02-29T12:00:00", 1_709_208_000_000_000),
        ("2024-01-01 00:00:00.000001", 1_704_067_200_000_001),
        ("2024-01-01T01:00:00+01:00", 1_704_067_200_000_000),
        (1_704_067_200_000_000, 1_704_067_200_000_000),
    ],
)
def test_dates_by_hand(text: str | int, ts_us: int) -> None:
    """Dates, times, zones and plain microseconds, against values from `date -u +%s`."""
    assert parse_ts_us(text) == ts_us


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2023-02-29", "01/02/2024"])
def test_what_is_no_date_is_refused(text: str) -> None:
    """An impossible or ambiguous date is an error that shows how to write it."""
    with pytest.raises(ConfigError, match="2024-01-31"):
        parse_ts_us(text)


def test_only_the_clock_asks_the_system() -> None:
    """The rooms that decide never read the wall clock: time reaches them as an argument."""
    package = Path(clock.__file__).parents[1]
    rooms = ("domain", "features", "portfolio", "strategies", "risk", "execution", "engine", "analytics")
    asks = re.compile(r"time\.time|perf_counter|monotonic\(|datetime\.now|utcnow|date\.today|WallClock\(\)")
    offenders = [
        path.relative_to(package).as_posix()
        for room in rooms
        for path in (package / room).rglob("*.py")
        if asks.search(path.read_text()) and path.name != "clock.py"
    ]
    assert offenders == []
