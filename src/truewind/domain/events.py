"""Events: everything that can enter the engine, and the one order in which equal times are handled.

Sort key (ts, rank, -timeframe, sequence): at one time, funding first, then mark prices, liquidations, fills,
market data (longer timeframe first, so that a 1h bar is known to a strategy woken by the 1m bar), timers;
last the source's own number. Backtest and live use this key, so that both see one timeline.
"""

from enum import IntEnum

import msgspec

from truewind.domain.fill import Fill
from truewind.domain.market import Bar, Funding, Quote, Trade


class Rank(IntEnum):
    FUNDING = 0
    MARK = 1
    LIQUIDATION = 2
    FILL = 3
    MARKET = 4
    TIMER = 5


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The venue's mark price, on which margin and liquidation are reckoned."""

    symbol: str
    ts_event: int
    ts_recv: int
    price: float
    sequence: int = 0


class Liquidation(msgspec.Struct, frozen=True, gc=False):
    """The venue took a position away. quantity is signed like the position that was closed."""

    symbol: str
    ts_event: int
    ts_recv: int
    price: float
    quantity: float
    sequence: int = 0


class Timer(msgspec.Struct, frozen=True, gc=False):
    """A wake-up that a strategy asked for."""

    name: str
    ts_event: int
    ts_recv: int
    sequence: int = 0


EngineEvent = Funding | Mark | Liquidation | Fill | Bar | Trade | Quote | Timer

_RANK: dict[type, Rank] = {
    Funding: Rank.FUNDING,
    Mark: Rank.MARK,
    Liquidation: Rank.LIQUIDATION,
    Fill: Rank.FILL,
    Bar: Rank.MARKET,
    Trade: Rank.MARKET,
    Quote: Rank.MARKET,
    Timer: Rank.TIMER,
}


def sort_key(event: EngineEvent) -> tuple[int, int, int, int]:
    """Position of `event` on the engine's timeline; equal keys keep the order in which they came."""
    length = event.ts_event - event.ts if isinstance(event, Bar) else 0
    return (event.ts_event, _RANK[type(event)], -length, getattr(event, "sequence", 0))
