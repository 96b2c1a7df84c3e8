"""OKX's streams: `books` (a snapshot, then what changes every 100 ms) and `trades`.

Every message of a book carries a check sum of its best 25 levels as they are afterwards. Where it differs a message was
lost: the chain is broken there, and the book unknown until the next snapshot. Messages are numbered by `seqId`, those
of before 2023 by their time.
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
"""

import zlib
from heapq import nlargest, nsmallest
from typing import Any, Literal

import msgspec
from msgspec import field

from truewind.errors import FormatError
from truewind.market.recordings.lines import Line
from truewind.market.recordings.messages import NONE, Levels, Messages
from truewind.market.recordings.rows import LEVEL, SNAPSHOT, TRADE

_SUMMED = 25  # levels of each side
_Levels = list[tuple[str, str, str, str]]  # price, quantity, nothing any more, orders


class _Book(msgspec.Struct, gc=False):
    ts: str
    bids: _Levels
    asks: _Levels
    checksum: int | None = None
    number: int = field(default=NONE, name="seqId")
    previous: int = field(default=NONE, name="prevSeqId")


class _Trade(msgspec.Struct, gc=False):
    """side: the one that took."""

    symbol: str = field(name="instId")
    number: str = field(name="tradeId")
    price: str = field(name="px")
    quantity: str = field(name="sz")
    side: Literal["buy", "sell"]
    ts: str


class _Channel(msgspec.Struct, gc=False):
    channel: str = ""
    symbol: str = field(default="", name="instId")


class _Frame(msgspec.Struct, gc=False):
    arg: _Channel = msgspec.field(default_factory=_Channel)
    event: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


class _Sides:
    """One instrument's book as text, as the check sum needs it."""

    def __init__(self) -> None:
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.last = NONE

    def agrees(self, book: _Book) -> bool:
        """Apply a message, and compare."""
        for side, levels in ((self.bids, book.bids), (self.asks, book.asks)):
            for price, quantity, *_ in levels:
                if float(quantity):
                    side[price] = quantity
                else:
                    side.pop(price, None)
        if book.checksum is None:
            return True
        bids, asks = nlargest(_SUMMED, self.bids, key=float), nsmallest(_SUMMED, self.asks, key=float)
        words = []
        for level in range(max(len(bids), len(asks))):
            for prices, side in ((bids, self.bids), (asks, self.asks)):
                if level < len(prices):
                    words += [prices[level], side[prices[level]]]
        return zlib.crc32(":".join(words).encode()) == book.checksum & 0xFFFFFFFF


class Decoder:
    """See `messages.Decoder`."""

    format = "okx_streams"
    venue = "okx"

    def __init__(self) -> None:
        self.messages = Messages()
        self.others: dict[str, int] = {}
        self._books: dict[str, _Sides] = {}
        self._frame: Any = msgspec.json.Decoder(_Frame).decode
        self._book: Any = msgspec.json.Decoder(list[_Book]).decode
        self._trades: Any = msgspec.json.Decoder(list[_Trade]).decode

    def add(self, line: Line, source: str) -> None:
        try:
            frame: _Frame = self._frame(line.payload)
            if frame.event or frame.arg.channel not in ("books", "trades"):
                what = frame.event or frame.arg.channel or "other"
                self.others[what] = self.others.get(what, 0) + 1
            elif frame.arg.channel == "books":
                for book in self._book(frame.data):
                    self._add_book(book, frame, line, source)
            else:
                for trade in self._trades(frame.data):
                    self._add_trade(trade, line, source)
        except (msgspec.DecodeError, ValueError) as error:
            raise FormatError(
                f"{source}, line {line.number}: {error}", remedy="Fetch the file again, or cut the line out"
            ) from None

    def _add_trade(self, trade: _Trade, line: Line, source: str) -> None:
        level: Levels = [(trade.price, trade.quantity)]
        bought, sold = (level, []) if trade.side == "buy" else ([], level)
        ids = (NONE, int(trade.number), NONE)
        self.messages.add(line, source, trade.symbol, TRADE, int(trade.ts), ids, bought, sold)

    def _add_book(self, book: _Book, frame: _Frame, line: Line, source: str) -> None:
        symbol, event = frame.arg.symbol, int(book.ts)
        whole = frame.action == "snapshot"
        sides = self._books.setdefault(symbol, _Sides())
        if whole:
            sides = self._books[symbol] = _Sides()
        number = book.number if book.number >= 0 else event
        # An update that goes on from itself follows nothing: so the chain learns that it is broken.
        before = (book.previous if book.number >= 0 else sides.last) if sides.agrees(book) else number
        sides.last = number
        ids = (NONE, number, NONE) if whole else (number, number, before)
        bids, asks = ([(price, quantity) for price, quantity, *_ in side] for side in (book.bids, book.asks))
        self.messages.add(line, source, symbol, SNAPSHOT if whole else LEVEL, event, ids, bids, asks)
