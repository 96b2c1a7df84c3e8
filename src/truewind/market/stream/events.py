"""What a stream hands on: the engine's own events, and those that only streams have.

Closed bars are `Bar`, bars that still form are `Forming`: they cannot be mistaken for each other. Times are µs UTC;
`ts_recv` is when the message was read here, or when a repair brought what was missing.
"""

import msgspec

from truewind.domain.market import NAN, Bar, Quote, Trade
from truewind.storage.schema import SeriesKey


class Forming(msgspec.Struct, frozen=True, gc=False):
    """A bar as far as it has come; its `ts_event` is when the venue told it."""

    bar: Bar
    timeframe: str

    @property
    def symbol(self) -> str:
        return self.bar.symbol

    @property
    def ts_event(self) -> int:
        return self.bar.ts_event

    @property
    def ts_recv(self) -> int:
        return self.bar.ts_recv


class Depth(msgspec.Struct, frozen=True, gc=False):
    """Levels of a book, (price, quantity) by side. is_snapshot: the book is these levels and no others.

    sequence: the final update id; first, previous: the first one, and the final one of the update before; −1: untold.
    """

    symbol: str
    ts_event: int
    ts_recv: int
    sequence: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    first: int = -1
    previous: int = -1
    is_snapshot: bool = False


class Partial(msgspec.Struct, frozen=True, gc=False):
    """The best levels of a book, best first; no part of a chain of updates."""

    symbol: str
    ts_event: int
    ts_recv: int
    sequence: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class MarkPrice(msgspec.Struct, frozen=True, gc=False):
    """The mark price, with the rate that the next funding would have: NaN where none is due, and 0 as its time."""

    symbol: str
    ts_event: int
    ts_recv: int
    mark_price: float
    index_price: float = NAN
    funding_rate: float = NAN
    next_funding_ts: int = 0


class OpenInterest(msgspec.Struct, frozen=True, gc=False):
    """In base units."""

    symbol: str
    ts_event: int
    ts_recv: int
    open_interest: float


class Forced(msgspec.Struct, frozen=True, gc=False):
    """The venue closes a position. side: of the closing order, −1 where a long is liquidated."""

    symbol: str
    ts_event: int
    ts_recv: int
    side: int
    price: float
    quantity: float
    average_price: float = NAN


class DayTicker(msgspec.Struct, frozen=True, gc=False):
    """The last 24 hours."""

    symbol: str
    ts_event: int
    ts_recv: int
    last: float
    open: float
    high: float
    low: float
    volume: float
    quote_volume: float
    trades: float


class Lost(msgspec.Struct, frozen=True, gc=False):
    """Of a series everything from `start_us` to before `end_us` may be missing, and no request can bring it back."""

    key: SeriesKey
    start_us: int
    end_us: int
    ts_recv: int
    why: str = ""

    @property
    def symbol(self) -> str:
        return self.key.symbol


StreamEvent = Bar | Forming | Trade | Quote | Depth | Partial | MarkPrice | OpenInterest | Forced | DayTicker | Lost
