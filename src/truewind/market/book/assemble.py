"""Rows of a book as the events of one book: snapshots and updates joined by the venue's rules, in integers.

Where updates are missing the book is unknown: it is cleared there, and stands again at the next snapshot.
"""

from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.domain.instrument import Instrument
from truewind.errors import ValidationError
from truewind.market.book.chain import Chain, Verdict
from truewind.market.book.differences import as_differences
from truewind.market.book.steps import in_lots, in_ticks
from truewind.numerics.book import Book

_NONE = -1


class Gap(msgspec.Struct, frozen=True):
    """Updates are missing: the book is unknown from `ts_event` to the next snapshot. ids: the last known, the next."""

    ts_event: int
    last_id: int
    next_id: int


class BookEvents(NamedTuple):
    """events: BOOK_EVENT rows sorted by ts_event, trades before levels at equal times, levels in the order of their
    ids; of a snapshot that comes while the book stands the levels that it changes. ids: of each row the message's final
    update id, a trade's number, 0 for BookKind.CLEAR.

    unused: depth messages that no snapshot reaches. rounded: quantities that were no whole lots (orders from before the
    lot size changed); the part of a lot is left out.
    """

    events: np.ndarray
    ids: np.ndarray
    gaps: list[Gap]
    unused: int
    rounded: int


def assemble(table: pl.DataFrame, instrument: Instrument) -> BookEvents:
    """The events of a `book` table of the lake (any order; quotes of a recording may be among them).

    Raises ValidationError for prices off the instrument's ticks, and where depth is there but no snapshot joins it.
    """
    ticks = in_ticks(instrument, table["price"].to_numpy(), table["ts"].to_physical().to_numpy())
    lots, rounded = in_lots(instrument, table["quantity"].to_numpy())
    kinds, sides = table["kind"].to_numpy(), table["side"].to_numpy()
    depth = _depth(table, np.flatnonzero((kinds == BookKind.LEVEL) | (kinds == BookKind.SNAPSHOT)))
    taken = _follow(depth)
    if not taken.message and (kinds == BookKind.LEVEL).any():
        raise ValidationError(
            f"{instrument.id}: no depth snapshot joins the {taken.unused} depth updates",
            remedy="Read it together with the file before it, which holds the snapshot",
        )
    other = np.flatnonzero((kinds == BookKind.TRADE) | (kinds == BookKind.QUOTE))
    events, ids = as_differences(*_events(table, depth, taken, other, (sides, ticks, lots)))
    return BookEvents(events, ids, taken.gaps, taken.unused, rounded)


def from_moment(events: np.ndarray, start_us: int) -> np.ndarray:
    """Events from `start_us` on, before them the book as it stood then, told as one message at that moment.

    Of events in whose midst nothing happened before, they are returned as they are. Empty if nothing happened since.
    """
    k = int(np.searchsorted(events["ts_event"], start_us))
    if k == 0 or k == len(events):
        return events[k:]
    book = Book()
    book.apply(events[:k])
    levels = [(side, *column) for side in (1, -1) for column in zip(*book.depth(side), strict=True)]
    opening = np.zeros(1 + len(levels), BOOK_EVENT)
    opening["ts_event"] = opening["ts_recv"] = start_us
    opening["kind"] = BookKind.LEVEL
    opening["kind"][0] = BookKind.CLEAR
    if levels:
        opening["side"][1:], opening["ticks"][1:], opening["lots"][1:] = np.array(levels).T
    opening["last"][-1] = 1
    # What happened before and was received after is told by the opening.
    return np.concatenate([opening, events[k:]])


class _Depth(NamedTuple):
    """Depth messages in the order in which they were received.

    rows: rows of the table; those of message k are rows[start[k]:start[k + 1]].
    """

    rows: np.ndarray
    start: np.ndarray
    is_snapshot: np.ndarray
    ts: np.ndarray
    recv: np.ndarray
    first: np.ndarray
    final: np.ndarray
    previous: np.ndarray


def _depth(table: pl.DataFrame, rows: np.ndarray) -> _Depth:
    """Depth messages of the table's `rows`. Updates are taken by their ids: none overtakes another on its stream."""
    part = table[rows].select(
        pl.col("ts", "ts_recv").to_physical(),
        "kind",
        "side",
        "id",
        *(
            (pl.col(name) if name in table.columns else pl.lit(None, pl.Int64).alias(name)).fill_null(_NONE)
            for name in ("first", "previous")
        ),
    )
    columns = {name: part[name].to_numpy() for name in part.columns}
    snapshot = columns["kind"] == BookKind.SNAPSHOT
    # A snapshot may be taken twice; an update is one, whenever it was received.
    moment = np.where(snapshot, columns["ts_recv"], 0)
    order = np.lexsort((-columns["side"], columns["id"], moment, snapshot))
    columns = {name: column[order] for name, column in columns.items()}
    snapshot, moment = snapshot[order], moment[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(columns["id"]) != 0) | (np.diff(moment) != 0) | (snapshot[1:] != snapshot[:-1])
    start = np.flatnonzero(new)
    is_snapshot, recv = snapshot[start], columns["ts_recv"][start].copy()
    updates = int((~is_snapshot).sum())
    recv[:updates] = np.maximum.accumulate(recv[:updates])
    by_recv = np.lexsort((~is_snapshot, recv))
    count = np.diff(np.append(start, len(order)))[by_recv]
    sorted_rows = np.repeat(start[by_recv] - np.cumsum(count) + count, count) + np.arange(len(order))
    of = start[by_recv]
    return _Depth(
        rows[order][sorted_rows],
        np.append(0, np.cumsum(count)),
        is_snapshot[by_recv],
        columns["ts"][of],
        recv[by_recv],
        columns["first"][of],
        columns["id"][of],
        columns["previous"][of],
    )


class _Taken(msgspec.Struct):
    """Depth messages in the order in which they make the book.

    message: −1 for the loss of the book. known: the message with whose receipt it is known. ts: event time, never going
    back.
    """

    message: list[int]
    known: list[int]
    ts: list[int]
    gaps: list[Gap]
    unused: int


def _follow(depth: _Depth) -> _Taken:
    """Join snapshots and updates by the venue's rules. Where there are only snapshots, each of them is the book."""
    chain = Chain()
    chain.is_numbered = not bool(depth.is_snapshot.all())
    taken = _Taken([], [], [], [], 0)
    waiting: list[int] = []
    ts, first, final, previous = (column.tolist() for column in (depth.ts, depth.first, depth.final, depth.previous))

    def take(message: int, known: int, at: int) -> None:
        taken.message.append(message)
        taken.known.append(known)
        taken.ts.append(max(at, taken.ts[-1]) if taken.ts else at)

    def follow(message: int, known: int) -> None:
        last = chain.last
        verdict = chain.update(_or_none(first[message]), final[message], _or_none(previous[message]))
        if verdict is Verdict.APPLY:
            take(message, known, ts[message])
        elif verdict is Verdict.GAP:
            taken.gaps.append(Gap(ts[message], last or 0, first[message]))
            take(_NONE, known, ts[message])
            waiting.append(message)
        elif verdict is Verdict.WAIT:
            waiting.append(message)

    for k, is_snapshot in enumerate(depth.is_snapshot.tolist()):
        if not is_snapshot:
            follow(k, k)
        elif chain.last is None or not chain.is_numbered:
            held, waiting = waiting, []
            behind = int(np.searchsorted([final[message] for message in held], final[k], side="right"))
            chain.snapshot(final[k])
            # The snapshot is the book after the last update that it holds; the venue tells no time of it on spot.
            near = held[behind - 1] if behind else held[0] if held else k
            take(k, k, ts[near])
            for message in held[behind:]:
                follow(message, k)
    taken.unused = len(waiting)
    return taken


def _or_none(number: int) -> int | None:
    return None if number < 0 else number


def _events(
    table: pl.DataFrame,
    depth: _Depth,
    taken: _Taken,
    other: np.ndarray,
    whole: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Taken messages and the other rows as one table of events, sorted, and their ids."""
    message = np.array(taken.message, np.int64)
    lost = message < 0
    starts, ends = depth.start[message], depth.start[message + 1]
    opens = lost | depth.is_snapshot[message]
    # A snapshot is a CLEAR row and then its levels: every message that opens a book has one row more in front.
    counts = np.where(lost, 0, ends - starts) + opens
    total = int(counts.sum())
    of = np.repeat(np.arange(len(message)), counts)
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) - opens[of]
    clears = within < 0
    row = depth.rows[np.where(clears, 0, starts[of] + within)] if total else np.zeros(0, np.int64)
    known = depth.recv[np.array(taken.known, np.int64)] if len(message) else np.zeros(0, np.int64)
    parts = (
        np.concatenate([table["ts"].to_physical().to_numpy()[other], np.array(taken.ts, np.int64)[of]]),
        np.concatenate([table["ts_recv"].to_physical().to_numpy()[other], known[of]]),
    )
    row, clears = np.concatenate([other, row]), np.concatenate([np.zeros(len(other), bool), clears])
    events = np.zeros(len(row), BOOK_EVENT)
    events["ts_event"], events["ts_recv"] = parts[0], np.maximum(*parts)
    kinds = table["kind"].to_numpy()[row]
    events["kind"] = np.where(clears, BookKind.CLEAR, np.where(kinds == BookKind.SNAPSHOT, BookKind.LEVEL, kinds))
    for name, values in zip(("side", "ticks", "lots"), whole, strict=True):
        events[name] = np.where(clears, 0, values[row])
    ids = np.where(clears, 0, table["id"].to_numpy()[row])
    # Of a message that changes nothing the row says nothing; the end of its message is that of the row before it.
    group = np.concatenate([_groups(table, other), len(other) + of])
    kept = clears | (events["side"] != 0)
    events, ids, group = events[kept], ids[kept], group[kept]
    events["last"] = np.append(group[1:] != group[:-1], True) if len(group) else 0
    # At one time a trade comes before the levels that tell of it.
    rank = np.where(events["kind"] == BookKind.TRADE, 0, 1)
    order = np.lexsort((np.arange(len(events)), rank, events["ts_event"]))
    return events[order], ids[order]


def _groups(table: pl.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Of trades and quotes (rows in the order of the table) the message that each belongs to, by position."""
    part = table[rows].select("kind", "id")
    if not part.height:
        return np.zeros(0, np.int64)
    new = (part["kind"].ne_missing(part["kind"].shift(1))) | (part["id"].ne_missing(part["id"].shift(1)))
    new |= part["kind"] == BookKind.TRADE
    return new.to_numpy().cumsum()
