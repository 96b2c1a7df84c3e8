"""What happens in a market of the local exchange: told to listeners in the order of time.

Prices in ticks, quantities in lots, times in µs. At equal times: beats, marks, trades, then the book.
"""

import msgspec


class Traded(msgspec.Struct, frozen=True, gc=False):
    """side: +1 the buyer was the taker."""

    symbol: str
    ts_us: int
    id: int
    ticks: int
    lots: int
    side: int


class Depth(msgspec.Struct, frozen=True):
    """An update of the book: totals now displayed at (ticks, lots), 0 lots where nothing is left.

    first, final, previous: the venue's update ids, of this message and the last one of the message before. restarts:
    the chain of ids is broken here and `bids`, `asks` are the whole book. best: bid and ask after it, where that is
    known without the whole book.
    """

    symbol: str
    ts_us: int
    first: int
    final: int
    previous: int
    bids: list[tuple[int, int]]
    asks: list[tuple[int, int]]
    restarts: bool = False
    best: tuple[tuple[int, int], tuple[int, int]] | None = None


class Quoted(msgspec.Struct, frozen=True, gc=False):
    """The best prices and what is displayed there, as a source of quotes tells them: (ticks, lots)."""

    symbol: str
    ts_us: int
    id: int
    bid: tuple[int, int]
    ask: tuple[int, int]


class Marked(msgspec.Struct, frozen=True, gc=False):
    """The mark price, each second. rate: what the next funding is thought to be."""

    symbol: str
    ts_us: int
    mark: float
    index: float
    rate: float
    next_funding_us: int


class Funded(msgspec.Struct, frozen=True, gc=False):
    """A settlement of funding."""

    symbol: str
    ts_us: int
    rate: float
    mark: float


class Liquidated(msgspec.Struct, frozen=True, gc=False):
    """Somebody's position was closed by the venue. side: of the order that closed it."""

    symbol: str
    ts_us: int
    ticks: int
    lots: int
    side: int


class Beat(msgspec.Struct, frozen=True, gc=False):
    """A quarter of a second has passed: before anything else that happens at its time."""

    symbol: str
    ts_us: int


BEAT_US = 250_000
Event = Traded | Depth | Quoted | Marked | Funded | Liquidated | Beat
RANK = {Beat: 0, Funded: 1, Marked: 2, Liquidated: 3, Traded: 4, Depth: 5, Quoted: 6}
