"""What a recorder has heard, on disk before it is in the lake: segments, each a journal that is only appended to.

A segment begins with the state of every series, and then holds rows by series, what was lost and what was refused, and
several times a second a mark that says until when all is there. A process that dies leaves a segment whose last frame
may be cut short: everything before it counts, and from it and the opening state follows how to go on.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from truewind.domain.book import BookKind
from truewind.domain.market import Bar, Quote, Trade
from truewind.domain.timeframe import origin_us
from truewind.errors import CorruptError
from truewind.market.stream.binance import Refused
from truewind.market.stream.events import Depth, Forced, Lost, MarkPrice, OpenInterest, StreamEvent
from truewind.market.stream.lines import State
from truewind.market.stream.sequence import Holes
from truewind.storage.journal import Journal, JournalWriter
from truewind.storage.schema import TS, SeriesKey

SUFFIX = ".spill"
_F8, _I8, _I1 = np.float64, np.int64, np.int8
_BAR = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume")
_COLUMNS: dict[str, list[tuple[str, Any]]] = {
    "bars": [(name, _F8) for name in _BAR],
    "trades": [("price", _F8), ("quantity", _F8), ("side", _I1), ("id", _I8)],
    "quotes": [("bid", _F8), ("bid_quantity", _F8), ("ask", _F8), ("ask_quantity", _F8), ("id", _I8)],
    "book": [
        *(("kind", _I1), ("side", _I1), ("price", _F8), ("quantity", _F8)),
        *(("id", _I8), ("first", _I8), ("previous", _I8)),
    ],
    "marks": [("mark_price", _F8), ("index_price", _F8), ("funding_rate", _F8), ("next_funding_ts", _I8)],
    "liquidations": [("side", _I1), ("price", _F8), ("quantity", _F8), ("average_price", _F8)],
    "open_interest": [("open_interest", _F8)],
}
# What rows of a kind are on disk: columns of the lake, in the order in which `rows` gives them; times as int64 µs.
LAYOUTS = {kind: np.dtype([("ts", _I8), ("ts_recv", _I8), *columns]) for kind, columns in _COLUMNS.items()}
_TIMES = ("ts", "ts_recv", "next_funding_ts")


def rows(event: StreamEvent) -> list[tuple[Any, ...]]:
    """The rows of an event in its kind's layout; none of what the lake has no kind for."""
    match event:
        case Trade():
            return [(event.ts_event, event.ts_recv, event.price, event.quantity, event.side, event.sequence)]
        case Quote():
            prices = (event.bid, event.bid_quantity, event.ask, event.ask_quantity)
            return [(event.ts_event, event.ts_recv, *prices, event.sequence)]
        case Depth():
            return _levels(event)
        case MarkPrice():
            marks = (event.mark_price, event.index_price, event.funding_rate)
            return [(event.ts_event, event.ts_recv, *marks, event.next_funding_ts)]
        case Bar():
            return [(event.ts, event.ts_recv, *(getattr(event, name) for name in _BAR))]
        case Forced():
            order = (event.side, event.price, event.quantity, event.average_price)
            return [(event.ts_event, event.ts_recv, *order)]
        case OpenInterest():
            return [(event.ts_event, event.ts_recv, event.open_interest)]
    return []


def _levels(event: Depth) -> list[tuple[Any, ...]]:
    head = (event.ts_event, event.ts_recv, BookKind.SNAPSHOT if event.is_snapshot else BookKind.LEVEL)
    tail = (event.sequence, event.first, event.previous)
    found = [
        (*head, side, price, quantity, *tail)
        for side, levels in ((1, event.bids), (-1, event.asks))
        for price, quantity in levels
    ]
    return found or [(*head, 0, 0.0, 0.0, *tail)]  # it changes nothing, but the next update follows it


class Segment:
    """A segment being written. `put` takes events, `mark` makes what was put safe from a kill of the process.

    covered: see `Heard`.
    """

    def __init__(self, path: Path, states: dict[SeriesKey, State], covered: dict[SeriesKey, int]) -> None:
        self.path = path
        self.rows = 0
        self._journal = JournalWriter(path)
        self.covered = dict(covered)
        self.waiting = 0  # rows that are not safe yet
        self._waiting: dict[SeriesKey, list[tuple[Any, ...]]] = {}
        self._names: dict[SeriesKey, str] = {}
        opening = [(key, state, covered.get(key, 0)) for key, state in sorted(states.items())]
        self._journal.record("opening", states=[_named(key) | _stated(state, at) for key, state, at in opening])
        self._journal.flush(sync=True)

    def put(self, key: SeriesKey, event: StreamEvent) -> None:
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = []
        new = rows(event)
        waiting += new
        self.waiting += len(new)

    def lost(self, event: Lost) -> None:
        self._journal.record("lost", start=event.start_us, end=event.end_us, why=event.why, **_named(event.key))

    def refused(self, what: Refused) -> None:
        self._journal.record("refused", ts_recv=what.ts_recv, reason=what.reason, raw=what.raw, **_named(what.key))

    def mark(self, watermark_us: int, losing: dict[SeriesKey, int]) -> None:
        """Hand all to the operating system, and say that until `watermark_us`, the venue's time, all is there.

        losing: of series that hear nothing now, since when. Raises StorageError.
        """
        for key, waiting in self._waiting.items():
            if waiting:
                array = np.array(waiting, LAYOUTS[key.kind])
                self._journal.rows(self._name(key), array)
                self.rows += len(waiting)
                if not self.covered.get(key):
                    self.covered[key] = int(array["ts"].min())
                waiting.clear()
        self.waiting = 0
        self._journal.record("mark", watermark=watermark_us, losing={key.path: since for key, since in losing.items()})
        self._journal.flush()

    def sync(self) -> None:
        self._journal.sync()

    def close(self) -> None:
        self._journal.close()

    def _name(self, key: SeriesKey) -> str:
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = key.path
            self._journal.record("series", path=name, **_named(key))
        return name


class Heard(NamedTuple):
    """A segment as it was read. tables: rows by series, in the order in which they were heard, `ts_recv` last told.

    states: how to go on. covered: from when on the segment tells all of a series (but for what is lost), 0: not at all.
    damaged: what a disk has done to it; what stands before is here.
    """

    tables: dict[SeriesKey, pl.DataFrame]
    lost: list[Lost]
    refused: list[Refused]
    states: dict[SeriesKey, State]
    covered: dict[SeriesKey, int]
    watermark_us: int
    damaged: str = ""


def read_segment(path: Path) -> Heard:
    """A segment, whole or cut short by a crash. Raises MissingFileError, FormatError."""
    keys: dict[str, SeriesKey] = {}
    parts: dict[SeriesKey, list[np.ndarray]] = {}
    lost: list[Lost] = []
    refused: list[Refused] = []
    states: dict[SeriesKey, State] = {}
    covered: dict[SeriesKey, int] = {}
    losing: dict[str, int] = {}
    watermark, damaged = 0, ""
    frames = iter(Journal(path))
    while True:
        try:
            frame = next(frames)
        except StopIteration:
            break
        except CorruptError as error:
            damaged = str(error)
            break
        facts = frame.facts or {}
        if frame.rows is not None:
            parts.setdefault(keys[frame.kind], []).append(frame.rows)
        elif frame.kind == "opening":
            for each in facts["states"]:
                key = _key(each)
                states[key] = msgspec.convert(each["state"], State)
                covered[key] = each["covered"]
        elif frame.kind == "series":
            keys[facts["path"]] = _key(facts)
        elif frame.kind == "lost":
            lost.append(Lost(_key(facts), facts["start"], facts["end"], 0, facts["why"]))
        elif frame.kind == "refused":
            refused.append(Refused(_key(facts), facts["ts_recv"], facts["reason"], facts["raw"]))
        elif frame.kind == "mark":
            watermark, losing = facts["watermark"], facts["losing"]
    joined = {key: np.concatenate(arrays) for key, arrays in parts.items()}
    for key in joined:
        states.setdefault(key, State())  # of a stream of all symbols: one that was new
    closing = {key: _after(key, state, joined.get(key), losing.get(key.path, 0)) for key, state in states.items()}
    tables = {key: _table(array) for key, array in joined.items()}
    return Heard(tables, lost, refused, closing, _covered(covered, closing, joined), watermark, damaged)


def _after(key: SeriesKey, state: State, array: np.ndarray | None, lost_from: int) -> State:
    """The state of a series once the rows of `array` were heard."""
    if array is None or not len(array):
        return msgspec.structs.replace(state, lost_from=lost_from or state.lost_from)
    ts = array["ts"]
    if key.kind not in ("trades", "bars"):
        return State(max(state.last_ts, int(ts.max())), lost_from)
    numbers = np.unique(array["id"] if key.kind == "trades" else (ts - origin_us(key.step_us)) // key.step_us)
    holes = Holes(state.high, list(state.holes))
    breaks = np.flatnonzero(np.diff(numbers) != 1)
    for first, last in zip(np.append(0, breaks + 1), np.append(breaks, len(numbers) - 1), strict=True):
        holes.see_all(int(numbers[first]), int(numbers[last]))
    return State(max(state.last_ts, int(ts.max()) + key.step_us), 0, holes.high, tuple(holes.intervals))


def _covered(
    before: dict[SeriesKey, int], states: dict[SeriesKey, State], heard: dict[SeriesKey, np.ndarray]
) -> dict[SeriesKey, int]:
    """From when on a segment tells all: from its first row on, where there was none before."""
    return {
        key: before.get(key, 0) or (int(heard[key]["ts"].min()) if key in heard and len(heard[key]) else 0)
        for key in states
    }


def covered_next(covered: dict[SeriesKey, int], states: dict[SeriesKey, State]) -> dict[SeriesKey, int]:
    """`covered` of the segment after one that ended with `states`: what is missing still is that one's to tell."""
    return {
        key: at if not at or states[key].holes else states[key].last_ts + (not key.timeframe)
        for key, at in covered.items()
    }


def _table(array: np.ndarray) -> pl.DataFrame:
    """Rows as the lake has them: NaN and −1 in optional columns mean none."""
    table = pl.DataFrame({name: np.ascontiguousarray(array[name]) for name in array.dtype.names or ()})
    table = table.with_columns(pl.col(name).cast(TS) for name in _TIMES if name in table.columns)
    if "next_funding_ts" in table.columns:
        table = table.with_columns(
            pl.when(pl.col("next_funding_ts").dt.epoch("us") > 0).then(pl.col("next_funding_ts"))
        )
    return table.with_columns(
        pl.when(pl.col(name) >= 0).then(pl.col(name)) for name in ("first", "previous") if name in table.columns
    )


def _named(key: SeriesKey) -> dict[str, Any]:
    return {"kind": key.kind, "venue": key.venue, "symbol": key.symbol, "timeframe": key.timeframe}


def _stated(state: State, covered: int) -> dict[str, Any]:
    return {"state": msgspec.to_builtins(state), "covered": covered}


def _key(facts: dict[str, Any]) -> SeriesKey:
    return SeriesKey(facts["kind"], facts["venue"], facts["symbol"], facts["timeframe"])


def segments(folder: Path) -> list[Path]:
    """Segments in a folder, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def next_segment(folder: Path, taken: Iterable[Path]) -> Path:
    """The path of a segment after all of `taken`."""
    last = max((int(path.stem) for path in taken), default=0)
    return folder / f"{last + 1:08d}{SUFFIX}"
