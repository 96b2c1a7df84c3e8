"""A recording: one symbol's book, trades and quotes as one table of BOOK_EVENT rows, and what was wrong with it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument
from truewind.errors import EmptyRangeError, ValidationError
from truewind.market.files.container import find_files, members
from truewind.market.recordings.binance import SNAPSHOT, Decoder, Messages
from truewind.market.recordings.chain import Chain, Verdict
from truewind.market.recordings.lines import Line, lines

_CLEAR, _LEVEL = int(BookKind.CLEAR), int(BookKind.LEVEL)
_TRADE, _QUOTE = int(BookKind.TRADE), int(BookKind.QUOTE)


class Gap(msgspec.Struct, frozen=True):
    """Updates are missing: the book is unknown from `ts_event` to the next snapshot. ids: the last known, the next."""

    ts_event: int
    source: str
    last_id: int
    next_id: int


class Recording(msgspec.Struct, frozen=True):
    """Events sorted by ts_event, trades before levels at equal times; levels in the order of their update ids.

    ids: of each row: the message's final update id (levels, quotes), the trade's number, 0 for CLEAR.
    clock_us: what was added to the recorder's clock. latency_us: the least time between event and receipt that was
    seen before that. unused: depth messages that no snapshot reaches. rounded: quantities that were no whole lots
    (orders from before the lot size changed); the part of a lot is left out. rejected: rows that no book can have, with
    the reason. others: payloads that are not this symbol's, by what they are.
    """

    instrument: Instrument
    events: np.ndarray
    ids: np.ndarray
    gaps: list[Gap]
    clock_us: int
    latency_us: int
    unused: int
    rounded: int
    rejected: pl.DataFrame
    others: dict[str, int]


def read_recording(
    paths: Iterable[str | Path], instrument: Instrument, *, base_latency_us: int | None = None
) -> Recording:
    """Read recordings of Binance's raw streams (hftbacktest's collector, cryptofeed) of one instrument.

    Several files are one recording, whatever their order (a new file at midnight, replies in a file of their own).
    base_latency_us: needed where the recorder's clock was behind the venue's, so that things seem to be known before
    they happened; the clock is then moved by a constant until the quickest message took this long. A depth snapshot
    joins where the venue's rules say, also if updates that follow it were received first; those are then known when the
    snapshot is. Raises ValidationError where the clock is wrong and no base_latency_us is given, where prices are off
    the instrument's ticks, and where no snapshot ever joins; FormatError, MissingFileError for unreadable files.
    """
    decoder = Decoder(instrument.symbol)
    for line, source in _lines(paths):
        decoder.add(line, source)
    messages = decoder.messages
    if not messages.kind:
        raise EmptyRangeError(
            f"No message of {instrument.symbol} in the recording",
            remedy=f"It holds {', '.join(sorted(decoder.others)) or 'nothing'}",
        )
    recv, event, clock, latency = _clock(messages, instrument, base_latency_us)
    side, ticks, lots, sound, rejected, rounded = _rows(messages, instrument)
    taken = _follow(messages, event)
    if not taken.order and _LEVEL in messages.kind:
        raise ValidationError(
            f"{instrument.id}: no depth snapshot joins the {taken.unused} depth updates",
            remedy="Read it together with the file before it, which holds the snapshot",
        )
    events, ids = _table(messages, taken, recv, event, side, ticks, lots, sound)
    return Recording(
        instrument, events, ids, taken.gaps, clock, latency, taken.unused, rounded, rejected, decoder.others
    )  # fmt: skip


def _lines(paths: Iterable[str | Path]) -> Iterator[tuple[Line, str]]:
    """All lines by time of receipt; equal times keep the order of the files."""
    found = [
        (line, member.label)
        for path in find_files([Path(path) for path in paths])
        for member in members(path)
        for line in lines(member)
    ]
    found.sort(key=lambda pair: pair[0].recv_us)
    yield from found


def _clock(
    messages: Messages, instrument: Instrument, base_latency_us: int | None
) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Times of receipt on the venue's clock, event times, what was added, and the least latency before that."""
    recv = np.array(messages.recv_us, np.int64)
    event = np.array(messages.event_us, np.int64)
    told = event > 0
    if not told.any():
        raise ValidationError(
            f"{instrument.id}: no message tells when it happened", remedy="Record trades or depth updates as well"
        )
    late = np.where(told, recv - event, np.iinfo(np.int64).max)
    least = int(late.min())
    clock = 0
    if base_latency_us is not None:
        clock = base_latency_us - least
    elif least < 0:
        k = int(late.argmin())
        raise ValidationError(
            f"{instrument.id}: received {-least / 1000:g} ms before it happened, at {iso(int(event[k]))} "
            f"({messages.source[k]}): the recorder's clock is behind the venue's",
            remedy="Give base_latency_us, the least time that a message can have taken, to correct it by a constant",
            ts=int(event[k]),
        )
    recv += clock
    return recv, np.where(told, event, recv), clock, least


def _rows(
    messages: Messages, instrument: Instrument
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, pl.DataFrame, int]:
    """Side, ticks, lots and soundness of every row; the rows that are not sound; how many quantities were rounded."""
    side = np.array(messages.side, np.int8)
    ticks, odd_price = _steps(messages.price, float(instrument.tick_size))
    lots, odd_quantity = _steps(messages.quantity, float(instrument.lot_size))
    if odd_price.any():
        row = int(odd_price.argmax())
        raise ValidationError(
            f"{instrument.id}: price {messages.price[row]} is no multiple of {instrument.tick_size} "
            f"({odd_price.sum()} such rows)",
            remedy="Give the instrument the tick size that it had at the time",
        )
    low, far, negative = ticks < 1, ticks > np.iinfo(np.int32).max, lots < 0
    bad = np.flatnonzero(low | far | negative)
    message = np.searchsorted(np.array(messages.start), bad, side="right") - 1
    rejected = pl.DataFrame(
        {
            "reason": np.select(
                [low[bad], far[bad]], ["price is not positive", "price is beyond 2³¹ ticks"], "quantity is negative"
            ).tolist(),
            "source": [messages.source[k] for k in message],
            "price": [messages.price[k] for k in bad],
            "quantity": [messages.quantity[k] for k in bad],
        },
        schema={"reason": pl.String, "source": pl.String, "price": pl.String, "quantity": pl.String},
    )
    return side, ticks, lots, ~(low | far | negative), rejected, int(odd_quantity.sum())


def _steps(texts: list[str], step: float) -> tuple[np.ndarray, np.ndarray]:
    """Decimal texts as whole steps, rounded down, and which were not whole. Floats tell 10¹⁵ steps apart."""
    exact = pl.Series(texts, dtype=pl.String).cast(pl.Float64).to_numpy() / step
    whole = np.round(exact)
    odd = ~(np.abs(exact - whole) <= 1e-6 * np.maximum(1.0, np.abs(exact) * 1e-9))
    return np.where(odd, np.floor(exact), whole).astype(np.int64), odd


class _Taken(msgspec.Struct):
    """Depth messages in the order in which they make the book.

    order: message, −1 for the loss of the book. from_recv: the message with whose receipt it is known. ts: event time,
    never going back.
    """

    order: list[int]
    from_recv: list[int]
    ts: list[int]
    gaps: list[Gap]
    unused: int


def _follow(messages: Messages, event: np.ndarray) -> _Taken:
    """Join snapshots and updates by the venue's rules."""
    chain = Chain()
    taken = _Taken([], [], [], [], 0)
    waiting: list[int] = []

    def take(message: int, known: int, ts: int) -> None:
        taken.order.append(message)
        taken.from_recv.append(known)
        taken.ts.append(max(ts, taken.ts[-1]) if taken.ts else ts)

    def follow(message: int, known: int) -> None:
        last = chain.last
        verdict = chain.update(messages.first[message], messages.final[message], _or_none(messages.previous[message]))
        if verdict is Verdict.APPLY:
            take(message, known, int(event[message]))
        elif verdict is Verdict.GAP:
            ts = int(event[message])
            taken.gaps.append(Gap(ts, messages.source[message], last or 0, messages.first[message]))
            take(-1, known, ts)
            waiting.append(message)
        elif verdict is Verdict.WAIT:
            waiting.append(message)

    for k, kind in enumerate(messages.kind):
        if kind == _LEVEL:
            follow(k, k)
        elif kind == SNAPSHOT and chain.last is None:
            held, waiting = waiting, []
            ids = [messages.final[message] for message in held]
            behind = int(np.searchsorted(ids, messages.final[k], side="right"))
            chain.snapshot(messages.final[k])
            # The snapshot is the book after the last update that it holds; the venue tells no time of it on spot.
            near = held[behind - 1] if behind else held[0] if held else k
            take(k, k, int(event[near]))
            for message in held[behind:]:
                follow(message, k)
    taken.unused = len(waiting)
    return taken


def _or_none(number: int) -> int | None:
    return None if number < 0 else number


def _table(
    messages: Messages,
    taken: _Taken,
    recv: np.ndarray,
    event: np.ndarray,
    side: np.ndarray,
    ticks: np.ndarray,
    lots: np.ndarray,
    sound: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The messages' rows as one table, sorted, and their ids."""
    kinds = np.array(messages.kind, np.int64)
    start = np.array([*messages.start, len(messages.price)], np.int64)
    other = np.flatnonzero((kinds == _TRADE) | (kinds == _QUOTE))
    order = np.array(taken.order, np.int64)
    lost = order < 0
    message = np.concatenate([other, order])
    kind = np.where(message < 0, _CLEAR, np.minimum(kinds[message], _QUOTE))
    kind[len(other) :][~lost] = _LEVEL
    opens = np.concatenate([np.zeros(len(other), bool), lost | (kinds[order] == SNAPSHOT)])
    ts = np.concatenate([event[other], np.array(taken.ts, np.int64)])
    known = np.concatenate([recv[other], recv[np.array(taken.from_recv, np.int64)]])
    # A snapshot is a CLEAR row and then its levels: every message that opens a book has one row more in front.
    rows = np.where(message < 0, 0, start[message + 1] - start[message])
    counts = rows + opens
    total = int(counts.sum())
    of = np.repeat(np.arange(len(message)), counts)
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) - opens[of]
    source = np.where(within < 0, 0, start[message[of]] + within)
    is_clear = within < 0
    events = np.zeros(total, BOOK_EVENT)
    events["ts_event"], events["ts_recv"] = ts[of], known[of]
    events["kind"] = np.where(is_clear, _CLEAR, kind[of])
    kept = is_clear.copy()
    if len(sound):
        events["side"] = np.where(is_clear, 0, side[source])
        events["ticks"] = np.where(is_clear | ~sound[source], 0, ticks[source])
        events["lots"] = np.where(is_clear, 0, lots[source])
        kept |= sound[source]
    final = np.array(messages.final, np.int64)
    ids = np.where(is_clear, 0, final[message[of]])
    events, ids, of = events[kept], ids[kept], of[kept]
    events["last"] = np.concatenate([of[1:] != of[:-1], [True]]) if len(of) else 0
    # At one time a trade comes before the levels that tell of it.
    rank = np.where(events["kind"] == _TRADE, 0, 1)
    sorted_rows = np.lexsort((np.arange(len(events)), rank, events["ts_event"]))
    return events[sorted_rows], ids[sorted_rows]
