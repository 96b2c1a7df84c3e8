"""Binance's stream and depth payloads, decoded into columns: one entry a message, one a price level."""

from typing import Any

import msgspec

from truewind.errors import FormatError
from truewind.market.recordings.lines import Line
from truewind.market.recordings.messages import NONE, Levels, Messages
from truewind.market.recordings.rows import LEVEL, QUOTE, SNAPSHOT, TRADE


class _Data(msgspec.Struct, gc=False):
    """The payloads of depthUpdate, bookTicker, trade and aggTrade at once, under the venue's own letters."""

    e: str = ""
    s: str = ""
    E: int = NONE
    T: int = NONE
    U: int = NONE
    u: int = NONE
    pu: int = NONE
    b: Levels | str | int = ""
    a: Levels | str | int = ""
    B: str = ""
    A: str = ""
    t: int = NONE
    p: str = ""
    q: str = ""
    m: bool = False


class _Frame(msgspec.Struct, gc=False):
    """A combined-stream frame or a reply of the depth endpoint."""

    data: _Data | None = None
    last_id: int = msgspec.field(default=NONE, name="lastUpdateId")
    E: int = NONE
    T: int = NONE
    bids: Levels = msgspec.field(default_factory=list)
    asks: Levels = msgspec.field(default_factory=list)
    symbol: str = ""


class Decoder:
    """Sorts payloads into `messages`; those that are none of depth, trades and quotes are counted in `others`."""

    format = "binance_streams"
    venue = ""  # update ids and symbols tell which of Binance's markets it is

    def __init__(self) -> None:
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
        elif isinstance(data.b, list) and isinstance(data.a, list):
            # The match time where there is one: `E` is when the message was put together.
            event = data.T if data.T > 0 else data.E
            self.messages.add(line, source, data.s, LEVEL, event, (data.U, data.u, data.pu), data.b, data.a)
        elif data.e in ("trade", "aggTrade"):
            number = data.a if isinstance(data.a, int) else data.t
            trade = [(data.p, data.q)]
            bought, sold = ([], trade) if data.m else (trade, [])
            self.messages.add(line, source, data.s, TRADE, data.T, (NONE, number, NONE), bought, sold)
        elif isinstance(data.b, str) and isinstance(data.a, str) and data.B and data.A:
            ids = (NONE, data.u, NONE)
            self.messages.add(line, source, data.s, QUOTE, data.T, ids, [(data.b, data.B)], [(data.a, data.A)])
        else:
            self._pass(data.e or "other")

    def _answer(self, frame: _Frame, line: Line, source: str) -> None:
        if frame.last_id == NONE:
            self._pass("other")
            return
        event = frame.T if frame.T > 0 else frame.E
        symbol = frame.symbol or line.symbol
        self.messages.add(line, source, symbol, SNAPSHOT, event, (NONE, frame.last_id, NONE), frame.bids, frame.asks)

    def _pass(self, what: str) -> None:
        self.others[what] = self.others.get(what, 0) + 1
