"""Funding times: recorded settlements on their hours, whatever their jitter and interval."""

import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.portfolio.funding import (
    BACKWARDS,
    CONTRADICTED,
    HOUR_US,
    JITTER_US,
    OFF_HOUR,
    OK,
    REPEATED,
    due_times,
)

START = 482_136 * HOUR_US  # 2025-01-01, a whole hour
# How a venue sets intervals: each for a while.
schedules = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4, 8]), st.integers(2, 6)), min_size=1, max_size=5
).map(lambda runs: np.cumsum([0, *(hours for hours, times in runs for _ in range(times))]))  # fmt: skip


def recorded(hours: np.ndarray, jitter: list[int]) -> np.ndarray:
    return START + hours * HOUR_US + np.resize(np.array(jitter, np.int64), len(hours))


@given(schedules, st.lists(st.integers(-JITTER_US, JITTER_US), min_size=1, max_size=9))
def test_any_schedule_comes_back_from_under_its_jitter(hours: np.ndarray, jitter: list[int]) -> None:
    """Whole hours that change interval now and then are found again, each interval as it was and nothing missing."""
    times = due_times(recorded(hours, jitter), np.linspace(-0.01, 0.01, len(hours)))
    np.testing.assert_array_equal(times.due_us, START + hours * HOUR_US)
    assert not times.problem.any()
    np.testing.assert_array_equal(times.interval_us[1:], np.diff(hours) * HOUR_US)
    assert not times.missing.any()


@given(st.sampled_from([1, 2, 4, 8]), st.integers(4, 30), st.integers(1, 3), st.data())
def test_a_hole_is_found_and_counted(interval: int, count: int, lost: int, data: st.DataObject) -> None:
    """In a steady schedule a hole of one to three settlements is no new interval: it is named with its size."""
    at = data.draw(st.integers(2, count - 2))
    kept = np.delete(np.arange(count + lost) * interval, np.arange(at, at + lost))
    times = due_times(recorded(kept, [7_000]), np.zeros(len(kept)))
    assert times.missing[at] == lost
    assert times.missing.sum() == lost
    assert times.interval_us[at] == -1
    assert set(times.interval_us[1:]) <= {interval * HOUR_US, -1}


@given(schedules, st.data())
def test_a_row_that_is_wrong_is_named_and_harms_no_other(hours: np.ndarray, data: st.DataObject) -> None:
    """A repeated, contradicting, misplaced or early row gets its reason; all other rows stay as they were."""
    clean = due_times(recorded(hours, [3_000]), np.arange(len(hours), dtype=float))
    at = data.draw(st.integers(1, len(hours) - 1))
    problem = data.draw(st.sampled_from([REPEATED, CONTRADICTED, OFF_HOUR, BACKWARDS]))
    offset = {REPEATED: 0, CONTRADICTED: 0, OFF_HOUR: JITTER_US + 1_000_000, BACKWARDS: -48 * HOUR_US}[problem]
    ts = np.insert(recorded(hours, [3_000]), at + 1, recorded(hours, [3_000])[at] + offset)
    rates = np.insert(np.arange(len(hours), dtype=float), at + 1, float(at) if problem == REPEATED else -9.0)
    times = due_times(ts, rates)
    assert times.problem[at + 1] == problem
    for name in ("due_us", "problem"):
        np.testing.assert_array_equal(np.delete(getattr(times, name), at + 1), getattr(clean, name))


def test_a_day_without_settlement_is_no_interval() -> None:
    """Nobody settles less often than daily: a longer gap is missing data even if it comes twice."""
    times = due_times(START + np.array([0, 8, 16, 80, 144]) * HOUR_US, np.zeros(5))
    assert times.interval_us.tolist()[3:] == [-1, -1]
    assert times.missing.tolist()[3:] == [7, 7]


def test_no_rows() -> None:
    """An empty table has no due times."""
    assert all(len(column) == 0 for column in due_times(np.zeros(0, np.int64), np.zeros(0)))


@pytest.fixture(scope="module")
def gravestone(shared: Path) -> dict[str, pl.DataFrame]:
    """Recorded Binance USD-M funding, a table a symbol."""
    tables = {}
    with zipfile.ZipFile(shared / "gravestone" / "usdm_funding.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".csv"):
                table = pl.read_csv(io.BytesIO(archive.read(name)))
                if len(table):
                    tables[name] = table
    return tables


def test_recorded_settlements_all_find_their_hour(gravestone: dict[str, pl.DataFrame]) -> None:
    """Times are 0 to 17 ms late, intervals 1, 2, 3, 4 or 8 hours (the recording's README); 18 symbols change theirs.

    Counted independently: in 18 of the 389 files the distances between rows, rounded to hours, are not all the same.
    None has a hole: each longer distance is followed by none that is shorter.
    """
    intervals: Counter[int] = Counter()
    changed = holes = 0
    for table in gravestone.values():
        ts = table["timestamp"].to_numpy() * 1000
        times = due_times(ts, table["funding_rate"].to_numpy())
        assert set(times.problem) <= {OK}
        assert ((ts - times.due_us >= 0) & (ts - times.due_us <= 17_000)).all()
        found = {int(interval) // HOUR_US for interval in times.interval_us[1:] if interval > 0}
        intervals.update(found)
        changed += len(found) > 1
        holes += int(times.missing.sum())
    assert set(intervals) == {1, 2, 3, 4, 8}
    assert changed == 18
    assert holes == 0
