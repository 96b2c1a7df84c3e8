"""Coverage: for every day of a series, whether its rows are there, and if not, why not.

A day of bars lacks what the gap ledger says that it lacks. Rows that come when they come (trades, funding …) cannot be
told to be missing one by one: a day with any is complete, one without any is what the ledger says of it.
"""

from itertools import groupby

import msgspec
import numpy as np
import polars as pl

from truewind.domain.timeframe import DAY_US
from truewind.storage import ledger
from truewind.storage.lake import Lake
from truewind.storage.ledger import Span
from truewind.storage.schema import SeriesKey

COMPLETE = "complete"
# The worst first: a day that has several is shown as the first of them.
STATES = (
    ledger.LOST,
    ledger.MISSING,
    ledger.QUARANTINED,
    ledger.UNASKED,
    ledger.DOWN,
    ledger.EMPTY,
    COMPLETE,
)
_REASONS = STATES[:-1]


class Stretch(msgspec.Struct, frozen=True):
    """Neighbouring days of one state. whole: nothing of these days is there. missing: share of their time, 0 to 1."""

    start_us: int
    end_us: int
    state: str
    whole: bool
    missing: float


class Coverage(msgspec.Struct, frozen=True):
    """The days of one series in order, from the first to the last that has rows or was asked for.

    gaps: what lacks between rows, to the microsecond: from, to, why.
    """

    key: SeriesKey
    stretches: list[Stretch]
    gaps: list[tuple[int, int, str]]

    @property
    def start_us(self) -> int:
        return self.stretches[0].start_us

    @property
    def end_us(self) -> int:
        return self.stretches[-1].end_us

    @property
    def complete(self) -> float:
        """Share of the time that is covered: by rows, or by the knowledge that there are none."""
        days = sum(one.end_us - one.start_us for one in self.stretches)
        known = (COMPLETE, ledger.EMPTY, ledger.DOWN)
        lacking = sum((one.end_us - one.start_us) * one.missing for one in self.stretches if one.state not in known)
        return 1.0 - lacking / days


def coverage(lake: Lake, key: SeriesKey) -> Coverage:
    """The coverage of a stored series. Raises UnknownSeriesError, CorruptError."""
    parts = lake.parts(key)
    spans = lake.spans(key)
    first, last = parts[0].start_us, parts[-1].end_us + max(key.step_us, 1)
    known = [span for span in spans if span.what != "down"]
    begin = min([first, *(span.start_us for span in known)]) // DAY_US
    end = -(-max([last, *(span.end_us for span in known)]) // DAY_US)
    lacking = np.zeros((len(_REASONS), end - begin))  # µs of each day
    table = lake.gaps(key).select(pl.col("ts_from", "ts_to").to_physical(), "reason")
    gaps: list[tuple[int, int, str]] = table.rows()
    for start, until, reason in gaps:
        _add(lacking[_REASONS.index(reason)], start - begin * DAY_US, until - begin * DAY_US)
    if key.step_us:
        for start, until, reason in _outside(spans, begin * DAY_US, end * DAY_US, first, last):
            _add(lacking[_REASONS.index(reason)], start - begin * DAY_US, until - begin * DAY_US)
    else:
        _silent(lake, key, spans, lacking, begin)
    return Coverage(key, _stretches(lacking, begin), gaps)


def _outside(spans: list[Span], begin: int, end: int, first: int, last: int) -> list[tuple[int, int, str]]:
    """What is known of the time before the first and after the last row, in whole days; asked for, nothing is there."""
    found = []
    for low, high in ((begin, first), (last, end)):
        for start, until, reason in ledger.explained(spans, [(low, high)], 1) if high > low else ():
            told = ledger.EMPTY if reason == ledger.MISSING and low == begin else reason
            # Neither the rest of the last day nor a start inside the first one lacks anything.
            if spans and until - start >= DAY_US:
                found.append((start, until, told))
    return found


def _silent(lake: Lake, key: SeriesKey, spans: list[Span], lacking: np.ndarray, begin: int) -> None:
    """Mark the days without rows."""
    ts = pl.col("ts").to_physical() // DAY_US
    there = lake.scan(key, columns=["ts"]).select(ts.unique()).collect().to_series().to_numpy() - begin
    empty = np.ones(lacking.shape[1], bool)
    empty[there] = False
    for day in np.flatnonzero(empty & (lacking.sum(axis=0) == 0)).tolist():
        start = (begin + day) * DAY_US
        reason = next((told for _, _, told in ledger.explained(spans, [(start, start + DAY_US)], 1)), ledger.MISSING)
        asked = bool(spans) and not ledger.unasked(spans, start, start + DAY_US)
        lacking[_REASONS.index(ledger.EMPTY if asked and reason == ledger.MISSING else reason), day] = DAY_US


def _add(days: np.ndarray, start: int, end: int) -> None:
    """Add the time from `start` to `end`, µs from the first day's begin, to the days that it touches."""
    first, last = start // DAY_US, (end - 1) // DAY_US
    if first == last:
        days[first] += end - start
        return
    days[first] += (first + 1) * DAY_US - start
    days[first + 1 : last] += DAY_US
    days[last] += end - last * DAY_US


def _stretches(lacking: np.ndarray, begin: int) -> list[Stretch]:
    total = np.minimum(lacking.sum(axis=0) / DAY_US, 1.0)
    worst = np.where(total > 0, (lacking > 0).argmax(axis=0), len(_REASONS)).tolist()
    whole = (total >= 1.0 - 1e-9).tolist()
    found, day = [], begin
    for (state, all_of_it), group in groupby(zip(worst, whole, strict=True)):
        count = len(list(group))
        share = float(total[day - begin : day - begin + count].mean())
        found.append(Stretch(day * DAY_US, (day + count) * DAY_US, STATES[state], all_of_it, share))
        day += count
    return found
