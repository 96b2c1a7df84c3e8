"""Market maker: a bid and an ask around a fair price, both lower when it holds some and higher when it owes some.

Idea: whoever quotes on both sides earns the spread from those who cannot wait, and carries what they leave him with.
Avellaneda and Stoikov, "High-frequency trading in a limit order book", Quantitative Finance 8, 2008, quote around the
price at which holding more would not matter; Guéant, Lehalle and Fernandez-Tapia, "Dealing with the inventory risk",
Mathematics and Financial Economics 7, 2013, give the quotes for a long run: with q orders' worth held the bid is
half + (2q + 1)/2 · c · σ below fair, the ask half − (2q − 1)/2 · c · σ above. `half_spread` and `skew` are the half and
the c that their formula makes of risk aversion and of how often a quote is hit; σ is measured. Fair is the middle
weighed by what is displayed on the other side.

Fails when those who trade with it know more: its bid fills just before the price falls. Nor does it earn anything where
the maker fee is more than what a spread leaves: on a market of one tick's spread it must quote far from the touch, and
is hit mostly when the market runs through it.
"""

import math
from typing import Any

import numpy as np
from pydantic import Field

from truewind.config import Settings
from truewind.numerics.jit import kernel
from truewind.strategies.quoting import NO_QUOTES, Quoter, Quotes, Top, memory_of

# Places in the memory: the parameters, then what was measured.
_LOTS, _MOST, _HALF, _SKEW, _PATIENCE, _SECONDS = range(6)
_FIRST, _LAST, _FAIR, _VARIANCE = range(6, 10)


@kernel
def quotes(top: Top, memory: Any) -> Quotes:
    """The quotes for what is seen; none while the book is not whole, or the volatility not known."""
    if top.bid == 0 or top.ask <= top.bid or top.bid_lots + top.ask_lots == 0:
        return NO_QUOTES
    fair = (top.bid * top.ask_lots + top.ask * top.bid_lots) / (top.bid_lots + top.ask_lots)
    measure(memory, top.now_us / 1e6, fair)
    if memory[_LAST] - memory[_FIRST] < memory[_SECONDS]:
        return NO_QUOTES
    lots, most = int(memory[_LOTS]), int(memory[_MOST])
    held, half = top.position / memory[_LOTS], memory[_HALF] * fair
    tilt = memory[_SKEW] * math.sqrt(memory[_VARIANCE])
    bid = min(math.floor(fair - half - tilt * (held + 0.5)), top.ask - 1)
    ask = max(math.ceil(fair + half - tilt * (held - 0.5)), top.bid + 1)
    buys, sells = max(0, min(lots, most - top.position)), max(0, min(lots, most + top.position))
    if bid < 1:
        buys = 0
    return Quotes(int(bid), buys, int(ask), sells, int(memory[_PATIENCE] * half))


@kernel
def measure(memory: Any, now: float, fair: float) -> None:
    """Follow the variance of the fair price, ticks² a second, with exponentially fading weights."""
    if memory[_FIRST] == 0.0:
        memory[_FIRST] = now
    elif now > memory[_LAST]:
        elapsed, change = now - memory[_LAST], fair - memory[_FAIR]
        weight = 1.0 - math.exp(-elapsed / memory[_SECONDS])
        memory[_VARIANCE] += weight * (change * change / elapsed - memory[_VARIANCE])
    memory[_LAST], memory[_FAIR] = now, fair


class MarketMaker(Quoter):
    """One quote on each side, asked for ten times a second."""

    quote = staticmethod(quotes)

    class Params(Settings):
        lots: int = Field(default=10, ge=1, le=10**9, description="size of a quote, lots")
        most: int = Field(default=50, ge=1, le=10**9, description="the most that it holds or owes, lots")
        half_spread: float = Field(default=3.0, ge=0.0, le=1000.0, description="distance of a quote from fair, bps")
        skew: float = Field(
            default=1.0, ge=0.0, le=1000.0, description="shift of both quotes for one quote held, in σ√s"
        )
        patience: float = Field(default=0.1, ge=0.0, le=1.0, description="drift that a quote may stay, of half_spread")
        seconds: float = Field(default=30.0, gt=0.0, le=86_400.0, description="memory of the volatility σ, s")

    def memory(self) -> np.ndarray:
        said = self.params
        return memory_of(
            said.lots, said.most, said.half_spread * 1e-4, said.skew, said.patience, said.seconds, *[0] * 4
        )
