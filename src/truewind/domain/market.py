"""What a market says: bars, trades, quotes, funding. Immutable values with both timestamps.

Times are int64 microseconds UTC: `ts_event` when it happened at the venue, `ts_recv` when it was known here.
Prices and quantities are float64, as sources publish them; `sequence` is the source's own number, 0 if none.
"""

import math

import msgspec

NAN = math.nan


class Bar(msgspec.Struct, frozen=True, gc=False):
    """Prices over one timeframe. `ts` is its open; it is known at `ts_event` = `ts` + timeframe, never before.

    volume is in base units (contracts for inverse futures); the last three are NaN where the source has none.
    """

    symbol: str
    ts: int
    ts_event: int
    ts_recv: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float = NAN
    trades: float = NAN
    taker_buy_volume: float = NAN


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One print. side: +1 the buyer was the aggressor (taker), -1 the seller."""

    symbol: str
    ts_event: int
    ts_recv: int
    price: float
    quantity: float
    side: int
    sequence: int = 0

    @property
    def ts(self) -> int:
        """`ts_event`, by the name of the stored column, which features read."""
        return self.ts_event


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Top of book."""

    symbol: str
    ts_event: int
    ts_recv: int
    bid: float
    bid_quantity: float
    ask: float
    ask_quantity: float
    sequence: int = 0

    @property
    def ts(self) -> int:
        """`ts_event`, by the name of the stored column, which features read."""
        return self.ts_event


class Funding(msgspec.Struct, frozen=True, gc=False):
    """A funding settlement of a perpetual: longs pay `rate` × mark notional to shorts if it is positive.

    mark_price is NaN where the source has none; the price of the bar then stands in.
    """

    symbol: str
    ts_event: int
    ts_recv: int
    rate: float
    mark_price: float = NAN
    sequence: int = 0
