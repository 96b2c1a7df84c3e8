"""Bybit's streams, of today (v5: `orderbook.N`, `publicTrade`) and of 2021 (v2: `orderBookL2_25`, `trade`).

v5 numbers a symbol's updates without holes, so a missing one is seen; v2 tells only a number that rises.
https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
"""

from typing import Any, Literal

import msgspec

from truewind.errors import FormatError
from truewind.market.recordings.lines import Line
from truewind.market.recordings.messages import NONE, Levels, Messages
from truewind.market.recordings.rows import LEVEL, SNAPSHOT, TRADE

_Side = Literal["Buy", "Sell"]


class _Book(msgspec.Struct, gc=False):
    """v5."""

    s: str
    b: Levels
    a: Levels
    u: int


class _Trade(msgspec.Struct, gc=False):
    """v5. S: the side that took."""

    T: int
    s: str
    S: _Side
    v: str
    p: str
    i: str


class _OldLevel(msgspec.Struct, gc=False):
    price: str
    symbol: str
    side: _Side
    size: float = 0.0


class _OldChanges(msgspec.Struct, gc=False):
    """v2: a snapshot's order_book, or what a delta changes."""

    order_book: list[_OldLevel] = []
    delete: list[_OldLevel] = []
    update: list[_OldLevel] = []
    insert: list[_OldLevel] = []


class _OldTrade(msgspec.Struct, gc=False):
    """v2. side: the one that took."""

    symbol: str
    price: str | float
    size: float
    trade_time_ms: int
    side: _Side
    trade_id: str


class _Frame(msgspec.Struct, gc=False):
    """ts: when it was sent, cts: when it happened (v5). cross_seq, timestamp_e6: number and µs (v2)."""

    topic: str = ""
    type: str = ""
    ts: int = NONE
    cts: int = NONE
    cross_seq: int = NONE
    timestamp_e6: int = NONE
    data: msgspec.Raw = msgspec.Raw(b"null")


class Decoder:
    """See `messages.Decoder`. Lines that do not say when they were received are known when the venue sent them."""

    format = "bybit_streams"
    venue = "bybit"

    def __init__(self) -> None:
        self.messages = Messages()
        self.others: dict[str, int] = {}
        self._last: dict[str, int] = {}
        types = (_Frame, _Book, list[_Trade], _OldChanges, list[_OldLevel], list[_OldTrade])
        # v2 tells its numbers as text.
        self._decode: dict[Any, Any] = {kind: msgspec.json.Decoder(kind, strict=False).decode for kind in types}

    def add(self, line: Line, source: str) -> None:
        try:
            frame: _Frame = self._decode[_Frame](line.payload)
            topic = frame.topic.partition(".")[0]
            if line.recv_us == NONE and frame.ts > 0:
                line = msgspec.structs.replace(line, recv_us=frame.ts * 1000)
            if topic == "orderbook":
                self._add_book(frame, line, source)
            elif topic == "publicTrade":
                for trade in self._decode[list[_Trade]](frame.data):
                    self._add_trade(trade.s, trade.T, trade.i, trade.S, (trade.p, trade.v), line, source)
            elif topic.startswith("orderBookL2"):
                self._add_old_book(frame, line, source)
            elif topic == "trade":
                for old in self._decode[list[_OldTrade]](frame.data):
                    level = str(old.price), str(old.size)
                    self._add_trade(old.symbol, old.trade_time_ms, old.trade_id, old.side, level, line, source)
            else:
                what = topic or "other"
                self.others[what] = self.others.get(what, 0) + 1
        except msgspec.DecodeError as error:
            raise FormatError(
                f"{source}, line {line.number}: {error}", remedy="Fetch the file again, or cut the line out"
            ) from None

    def _add_book(self, frame: _Frame, line: Line, source: str) -> None:
        book: _Book = self._decode[_Book](frame.data)
        if book.u < self._last.get(book.s, NONE):
            raise FormatError(
                f"{source}, line {line.number}: {book.s} counts from {book.u} again: the venue's service was restarted",
                remedy="Import what comes before this line and what follows as two recordings",
                line=line.number,
            )
        self._last[book.s] = book.u
        event = frame.cts if frame.cts > 0 else frame.ts
        whole = frame.type == "snapshot"
        first = NONE if whole else book.u
        kind = SNAPSHOT if whole else LEVEL
        self.messages.add(line, source, book.s, kind, event, (first, book.u, NONE), book.b, book.a)

    def _add_old_book(self, frame: _Frame, line: Line, source: str) -> None:
        whole = frame.type == "snapshot"
        if bytes(frame.data).startswith(b"["):  # of inverse contracts
            changes = _OldChanges(order_book=self._decode[list[_OldLevel]](frame.data))
        else:
            changes = self._decode[_OldChanges](frame.data)
        told = [*changes.order_book, *changes.delete, *changes.update, *changes.insert]
        bids, asks = ([(x.price, str(x.size)) for x in told if x.side == side] for side in ("Buy", "Sell"))
        symbol = frame.topic.rpartition(".")[2]
        ids = NONE, frame.cross_seq, NONE
        self.messages.add(line, source, symbol, SNAPSHOT if whole else LEVEL, frame.timestamp_e6, ids, bids, asks)

    def _add_trade(
        self, symbol: str, time: int, number: str, side: str, level: tuple[str, str], line: Line, source: str
    ) -> None:
        bought, sold = ([level], []) if side == "Buy" else ([], [level])
        self.messages.add(line, source, symbol, TRADE, time, (NONE, _number(number), NONE), bought, sold)


def _number(trade_id: str) -> int:
    """A trade's id as a number: what it is, or the first 63 bits of a UUID."""
    return int(trade_id) if trade_id.isdigit() else int(trade_id.replace("-", "")[:16], 16) >> 1
