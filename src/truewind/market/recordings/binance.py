"""Binance's stream and depth payloads, decoded into columns: one entry a message, one a price level."""

from typing import Any

import msgspec
import numpy as np
import polars as pl

from truewind.errors import FormatError
from truewind.market.recordings.lines import Line
from truewind.market.recordings.rows import LEVEL, QUOTE, SCHEMA, SNAPSHOT, TRADE

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
    """Columns of messages in the order in which they were received; `rows` makes one table of them."""

    def __init__(self) -> None:
        self._head: dict[str, list[int]] = {
            name: [] for name in ("recv_us", "event_us", "kind", "first", "id", "previous", "start")
        }
        self._symbol: list[str] = []
        self._source: list[str] = []
        self._side: list[int] = []
        self._price: list[str] = []
        self._quantity: list[str] = []

    def add(
        self,
        line: Line,
        source: str,
        symbol: str,
        kind: int,
        event: int,
        ids: tuple[int, int, int],
        bids: _Levels,
        asks: _Levels,
    ) -> None:
        """Append a message. event: the venue's time, ms or µs; ids: first, final, previous; −1 for none."""
        head = (line.recv_us, _us(event), kind, *ids, len(self._price))
        for column, value in zip(self._head.values(), head, strict=True):
            column.append(value)
        self._symbol.append(symbol)
        self._source.append(f"{source}:{line.number}")
        for side, levels in ((1, bids), (-1, asks)):
            for price, quantity in levels:
                self._side.append(side)
                self._price.append(price)
                self._quantity.append(quantity)
        if not bids and not asks:  # it changes nothing, but the next update follows it
            self._side.append(0)
            self._price.append("0")
            self._quantity.append("0")

    def rows(self) -> pl.DataFrame:
        """One row a level or trade, as `recordings.rows` describes them."""
        start = np.array([*self._head["start"], len(self._price)], np.int64)
        message = np.repeat(np.arange(len(self._source)), np.diff(start))
        head = pl.DataFrame(
            {name: column for name, column in self._head.items() if name != "start"}
            | {"symbol": self._symbol, "source": self._source},
            schema_overrides={"kind": pl.Int8},
        )[message]
        return head.with_columns(
            pl.when(pl.col(name) >= 0).then(pl.col(name)).alias(name)
            for name in ("event_us", "first", "id", "previous")
        ).with_columns(
            pl.Series("side", self._side, pl.Int8),
            pl.Series("price", self._price, pl.String).cast(pl.Float64, strict=False),
            pl.Series("quantity", self._quantity, pl.String).cast(pl.Float64, strict=False),
        ).select(*SCHEMA)  # fmt: skip


class Decoder:
    """Sorts payloads into `messages`; those that are none of depth, trades and quotes are counted in `others`."""

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
            self.messages.add(line, source, data.s, TRADE, data.T, (_NONE, number, _NONE), bought, sold)
        elif isinstance(data.b, str) and isinstance(data.a, str) and data.B and data.A:
            ids = (_NONE, data.u, _NONE)
            self.messages.add(line, source, data.s, QUOTE, data.T, ids, [(data.b, data.B)], [(data.a, data.A)])
        else:
            self._pass(data.e or "other")

    def _answer(self, frame: _Frame, line: Line, source: str) -> None:
        if frame.last_id == _NONE:
            self._pass("other")
            return
        event = frame.T if frame.T > 0 else frame.E
        symbol = frame.symbol or line.symbol
        self.messages.add(line, source, symbol, SNAPSHOT, event, (_NONE, frame.last_id, _NONE), frame.bids, frame.asks)

    def _pass(self, what: str) -> None:
        self.others[what] = self.others.get(what, 0) + 1


def _us(stamp: int) -> int:
    """A venue's stamp in µs: 13 digits are milliseconds, 16 microseconds (spot since 2025, if asked for)."""
    if stamp <= 0:
        return _NONE
    return stamp * 1000 if stamp < 10**14 else stamp
