"""Dues of a run: what falls due for the holders of its symbols, from the series of the lake."""

import numpy as np

from truewind.domain.clock import iso
from truewind.domain.due import DueKind, due_rows
from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import DAY_US, SECOND_US
from truewind.portfolio.ledger import RATE_SCALE
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

# Venues stamp funding a few milliseconds after the hour at which it is due (0 to 17 ms seen). It is charged on what was
# held at the hour, so stamps up to this much late count as punctual.
FUNDING_JITTER_US = 5 * SECOND_US


def funding_dues(lake: Lake, key: SeriesKey, instrument: Instrument, first: int, last: int) -> np.ndarray:
    """DUE rows of the funding in (first, last): at the first bar's open nothing is held yet."""
    table = lake.read(key, start_us=first, end_us=last)
    ts = table["ts"].dt.epoch("us").to_numpy()
    late = ts % (60 * SECOND_US)
    due = np.where(late <= FUNDING_JITTER_US, ts - late, ts)
    mark = np.full(len(ts), np.nan)
    if "mark_price" in table.columns:
        mark = table["mark_price"].fill_null(float("nan")).to_numpy().copy()
    unknown = np.isnan(mark)
    if unknown.any():
        mark[unknown] = _marks_at(lake, key, due[unknown])
    marks = np.rint(np.nan_to_num(mark) / float(instrument.tick_size))
    return due_rows(DueKind.FUNDING, due, np.rint(table["rate"].to_numpy() * RATE_SCALE), price=marks)


def _marks_at(lake: Lake, key: SeriesKey, ts: np.ndarray) -> np.ndarray:
    """The symbol's mark price at the times `ts`: the open of a mark bar that begins then, NaN where there is none."""
    found = np.full(len(ts), np.nan)
    for info in lake.series(kind="mark_bars", venue=key.venue, symbol=key.symbol):
        table = lake.read(info.key, columns=["ts", "open"])
        opens = table["ts"].dt.epoch("us").to_numpy()
        at = np.minimum(np.searchsorted(opens, ts), len(opens) - 1)
        known = opens[at] == ts
        found[known] = table["open"].to_numpy()[at[known]]
    return found


def uncharged(ts: np.ndarray, first: int, last: int, symbol: str) -> list[str]:
    """A warning if the funding rates leave more than a day at either end of the bars, or in between, without any."""
    known = np.concatenate([[first], ts, [last]])
    if (longest := int(np.diff(known).max())) <= DAY_US:
        return []
    since = int(known[np.diff(known).argmax()])
    return [f"{symbol}: no funding rates in the lake for {longest / DAY_US:.1f} days from {iso(since)}; none charged"]
