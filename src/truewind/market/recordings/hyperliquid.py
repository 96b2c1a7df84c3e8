"""Hyperliquid's streams: `l2Book`, which tells the best levels of the whole book anew each time, and `trades`.

https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
"""

from typing import Any

import msgspec

from truewind.errors import FormatError
from truewind.market.recordings.lines import Line
from truewind.market.recordings.messages import NONE, Levels, Messages
from truewind.market.recordings.rows import SNAPSHOT, TRADE


class _Level(msgspec.Struct, gc=False):
    px: str
    sz: str


class _Book(msgspec.Struct, gc=False):
    coin: str
    levels: tuple[list[_Level], list[_Level]]
    time: int


class _Trade(msgspec.Struct, gc=False):
    """side: B if the buyer took, A if the seller did."""

    coin: str
    px: str
    sz: str
    side: str
    time: int
    tid: int


class _Frame(msgspec.Struct, gc=False):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Decoder:
    """See `messages.Decoder`. A book that was told before, with the same time, is counted in `others`."""

    format = "hyperliquid_streams"
    venue = "hyperliquid"

    def __init__(self) -> None:
        self.messages = Messages()
        self.others: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._frame: Any = msgspec.json.Decoder(_Frame).decode
        self._book: Any = msgspec.json.Decoder(_Book).decode
        self._trades: Any = msgspec.json.Decoder(list[_Trade]).decode

    def add(self, line: Line, source: str) -> None:
        try:
            frame: _Frame = self._frame(line.payload)
            if frame.channel == "l2Book":
                self._add_book(self._book(frame.data), line, source)
            elif frame.channel == "trades":
                for trade in self._trades(frame.data):
                    self._add_trade(trade, line, source)
            else:
                self._pass(frame.channel or "other")
        except msgspec.DecodeError as error:
            raise FormatError(
                f"{source}, line {line.number}: {error}", remedy="Fetch the file again, or cut the line out"
            ) from None

    def _add_book(self, book: _Book, line: Line, source: str) -> None:
        if self._told.get(book.coin) == book.time:
            self._pass("l2Book told twice")
            return
        self._told[book.coin] = book.time
        bids, asks = ([(level.px, level.sz) for level in levels] for levels in book.levels)
        self.messages.add(line, source, book.coin, SNAPSHOT, book.time, (NONE, book.time, NONE), bids, asks)

    def _add_trade(self, trade: _Trade, line: Line, source: str) -> None:
        level: Levels = [(trade.px, trade.sz)]
        bought, sold = (level, []) if trade.side == "B" else ([], level)
        self.messages.add(line, source, trade.coin, TRADE, trade.time, (NONE, trade.tid, NONE), bought, sold)

    def _pass(self, what: str) -> None:
        self.others[what] = self.others.get(what, 0) + 1
