"""Binance's stream and depth payloads, decoded into columns: one entry a message, one a price level."""

from typing import Any

import msgspec

from truewind.domain.book import BookKind
from truewind.errors import FormatError
from truewind.market.recordings.lines import Line

SNAPSHOT = len(BookKind)  # a message kind beside those of the rows
_NONE = -1
_Levels = list[tuple[str, str]]


class _Data(msgspec.Struct, gc=False):
    """The payloads of depthUpdate, bookTicker, trade and aggTrade at once, under the venue's own letters."""

    e: str = ""
    s: str = ""
    E: int = _NONE
    T: int = _NONE
    U: int = _NONE
    u: int = _NONE
    pu: int = _NONE
    b: _Levels | str | int = ""
    a: _Levels | str | int = ""
    B: str = ""
    A: str = ""
    t: int = _NONE
    p: str = ""
    q: str = ""
    m: bool = False


class _Frame(msgspec.Struct, gc=False):
    """A combined-stream frame or a reply of the depth endpoint."""

    data: _Data | None = None
    last_id: int = msgspec.field(default=_NONE, name="lastUpdateId")
    E: int = _NONE
    T: int = _NONE
    bids: _Levels = msgspec.field(default_factory=list)
    asks: _Levels = msgspec.field(default_factory=list)
    symbol: str = ""


class Messages:
    """Columns of the messages of one symbol, in the order in which they were received.

    Of each message: recv_us, event_us (−1 where the venue tells none), kind (a BookKind or SNAPSHOT), first, final,
    previous (update ids, −1 for none; a trade's or quote's id is `final`), start: its first row. Rows: side, price,
    quantity (as the venue wrote them).
    """

    def __init__(self) -> None:
        self.recv_us: list[int] = []
        self.event_us: list[int] = []
        self.kind: list[int] = []
        self.first: list[int] = []
        self.final: list[int] = []
        self.previous: list[int] = []
        self.start: list[int] = []
        self.source: list[str] = []
        self.side: list[int] = []
        self.price: list[str] = []
        self.quantity: list[str] = []

    def add(
        self, line: Line, source: str, kind: int, event: int, ids: tuple[int, int, int], bids: _Levels, asks: _Levels
    ) -> None:
        """Append a message. event: the venue's time, ms or µs; ids: first, final, previous."""
        self.recv_us.append(line.recv_us)
        self.event_us.append(_us(event))
        self.kind.append(kind)
        self.first.append(ids[0])
        self.final.append(ids[1])
        self.previous.append(ids[2])
        self.start.append(len(self.price))
        self.source.append(f"{source}:{line.number}")
        for side, levels in ((1, bids), (-1, asks)):
            for price, quantity in levels:
                self.side.append(side)
                self.price.append(price)
                self.quantity.append(quantity)


class Decoder:
    """Sorts payloads of `symbol` into `messages`; others are counted in `others` by what they are."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.messages = Messages()
        self.others: dict[str, int] = {}
        self._decode: Any = msgspec.json.Decoder(_Frame).decode

    def add(self, line: Line, source: str) -> None:
        """Take one line. Raises FormatError if it is no JSON, or no payload of Binance."""
        try:
            frame: _Frame = self._decode(line.payload)
        except msgspec.DecodeError as error:
            raise FormatError(
                f"{source}, line {line.number}: {error}", remedy="Fetch the file again, or cut the line out"
            ) from None
        data = frame.data
        if data is None:
            self._answer(frame, line, source)
        elif data.s != self.symbol:
            self._pass(data.s or "other")
        elif isinstance(data.b, list) and isinstance(data.a, list):
            # The match time where there is one: `E` is when the message was put together.
            event = data.T if data.T > 0 else data.E
            self.messages.add(line, source, BookKind.LEVEL, event, (data.U, data.u, data.pu), data.b, data.a)
        elif data.e in ("trade", "aggTrade"):
            number = data.a if isinstance(data.a, int) else data.t
            trade = [(data.p, data.q)]
            bought, sold = ([], trade) if data.m else (trade, [])
            self.messages.add(line, source, BookKind.TRADE, data.T, (_NONE, number, _NONE), bought, sold)
        elif isinstance(data.b, str) and isinstance(data.a, str) and data.B and data.A:
            ids = (_NONE, data.u, _NONE)
            self.messages.add(line, source, BookKind.QUOTE, data.T, ids, [(data.b, data.B)], [(data.a, data.A)])
        else:
            self._pass(data.e or "other")

    def _answer(self, frame: _Frame, line: Line, source: str) -> None:
        symbol = frame.symbol or line.symbol or self.symbol
        if frame.last_id == _NONE or symbol != self.symbol:
            self._pass(symbol if frame.last_id != _NONE else "other")
            return
        event = frame.T if frame.T > 0 else frame.E
        self.messages.add(line, source, SNAPSHOT, event, (_NONE, frame.last_id, _NONE), frame.bids, frame.asks)

    def _pass(self, what: str) -> None:
        self.others[what] = self.others.get(what, 0) + 1


def _us(stamp: int) -> int:
    """A venue's stamp in µs: 13 digits are milliseconds, 16 microseconds (spot since 2025, if asked for)."""
    if stamp <= 0:
        return _NONE
    return stamp * 1000 if stamp < 10**14 else stamp
