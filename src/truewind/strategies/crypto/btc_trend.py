"""BTC trend bot: a new high or low of weeks in a market that trends, left by a stop that follows the price.

Idea: a few long trends make all the money there is in following them, so let nothing but the trend's own end take one
out: the stop hangs some ranges below the highest high, as a chandelier from the ceiling, and only ever comes nearer.
Sources: the channel of 20 days is Donchian's, as in the first system of the "Turtles" (Faith, Way of the Turtle, 2007);
the average directional index, which says whether there is a trend at all, is that of Wilder, New Concepts in Technical
Trading Systems (1978), with the usual 25 as its border; the exit is LeBeau's, told in Elder, Come Into My Trading Room
(2002): 22 days, three ranges. Channel, index and range are those of whole days, whatever bars it runs on: shorter
bars only see a breakout, or the stop, before the day is over.

Fails in markets that go sideways with wide swings: it enters late, near the edge, and is taken out in the middle. Most
trades lose, and one that pays for them may not come for a year. It never adds to a position, and takes no profit
before the stop does.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from pydantic import Field

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy


class Why(IntEnum):
    """What the `reason` of a signal says."""

    NEW_HIGH = 1
    NEW_LOW = 2
    CHANDELIER = 3


class BtcTrend(SignalStrategy):
    """Enter beyond the highs (lows) of `entry` days where the ADX is high; leave at the chandelier stop."""

    fields = ("close",)

    class Params(Settings):
        entry: int = Field(default=20, ge=2, le=365, description="channel to leave, days")
        adx: int = Field(default=14, ge=2, le=365, description="average directional index, days")
        strength: float = Field(default=25.0, ge=0.0, le=100.0, description="lowest index of an entry, 0 to 100")
        exit: int = Field(default=22, ge=2, le=365, description="highest high and range of the stop, days")
        stop: float = Field(default=3.0, gt=0.0, le=20.0, description="distance of the stop from there, ranges")
        short: bool = Field(default=True, description="whether to sell short below the lows")

    def features(self) -> Mapping[str, str]:
        params = self.params
        return {
            "upper": f"highest({params.entry})@1d",
            "lower": f"lowest({params.entry})@1d",
            "strength": f"adx({params.adx})@1d",
            "ceiling": f"highest({params.exit})@1d",
            "floor": f"lowest({params.exit})@1d",
            "range": f"atr({params.exit})@1d",
        }

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        price, distance = row.close, params.stop * row.range
        if not (row.upper == row.upper and row.ceiling == row.ceiling and distance > 0.0):  # warming up, or dead
            return HOLD
        below, above = max(row.ceiling, price) - distance, min(row.floor, price) + distance
        if position.side == Want.LONG:  # a stop that is given anew only ever moves up
            return hanging(Want.LONG, below, below < price)
        if position.side == Want.SHORT:
            return hanging(Want.SHORT, above, above > price)
        if not row.strength >= params.strength:
            return HOLD
        if price > row.upper and 0.0 < below < price:
            return Signal(Want.LONG, stop=below, reason=Why.NEW_HIGH)
        if params.short and price < row.lower and above > price:
            return Signal(Want.SHORT, stop=above, reason=Why.NEW_LOW)
        return HOLD


def hanging(side: int, stop: float, holds: bool) -> Signal:
    """Stay on `side` with its stop moved, or leave if the price has passed it."""
    if not holds:
        return Signal(Want.FLAT, reason=Why.CHANDELIER)
    return Signal(side, stop=stop, reason=Why.CHANDELIER) if stop > 0.0 else Signal(side)
