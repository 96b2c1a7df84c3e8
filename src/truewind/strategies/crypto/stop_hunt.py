"""Stop hunt: when the stops beyond a swing have been run and price closes back inside, trade away from the sweep.

Idea: stop-loss orders gather just beyond prices that everybody sees, and are executed at market when these trade, which
carries price further; once they are used up, nothing holds it there. Osler (Stop-loss orders and price cascades in
currency markets, Journal of International Money and Finance 24, 2005) shows the gathering and the cascades. The trade
against a run that fails is the Turtle Soup of Connors and Raschke (Street Smarts, 1995), with its numbers: an extreme
of 20 bars that is at least four bars old is passed and reclaimed. Stops lie beyond the wick. Targets are the open
swings on the other side, where the next stops wait.

Fails in trends and in news, where the sweep is the beginning of a break and every reclaim is run over: cascades are as
well documented as reversals. And on short bars, where a stop beyond the wick is so near that fees and spread take a
large part of what is risked: `least_stop` keeps it from trading those, not from being unprofitable.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from pydantic import Field

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy


class Reason(IntEnum):
    """Whose stops were run, as in the `tag` of orders and trades."""

    SWING_LOW = 1
    SWING_HIGH = 2
    EQUAL_LOWS = 3
    EQUAL_HIGHS = 4


class StopHunt(SignalStrategy):
    """Buy a swing low that was swept and reclaimed, sell a swing high, once a sweep; up to three targets."""

    fields = ("ts", "ts_event", "close")

    class Params(Settings):
        """What counts as a sweep, when it is traded, and where the trade ends."""

        left: int = Field(default=20, ge=1, le=1000, description="bars before a swing that it stands out from")
        right: int = Field(default=4, ge=1, le=1000, description="bars after a swing that confirm it")
        within: int = Field(default=3, ge=1, le=100, description="bars from the sweep to the close back inside")
        pool: int = Field(default=1, ge=1, le=32, description="swings that one sweep has to take; 2: equal highs, lows")
        atr: int = Field(default=14, ge=2, le=500, description="length of the average true range, bars")
        buffer: float = Field(default=0.25, ge=0.0, le=10.0, description="stop beyond the wick, in average true ranges")
        least_stop: float = Field(default=0.002, ge=0.0, le=0.2, description="nearest stop traded, fraction of price")
        reward: float = Field(default=2.0, gt=0.0, le=100.0, description="least reward to the nearest target, in risks")
        hold: int = Field(default=48, ge=1, le=100_000, description="bars after which the trade is closed")
        london: bool = Field(default=True, description="trade while London works, 08:00-17:00 there, Monday to Friday")
        new_york: bool = Field(default=True, description="trade while New York works, 08:00-17:00 there")
        off_hours: bool = Field(default=False, description="trade while both are closed")
        regime: int = Field(
            default=0, ge=-1, le=1, description="highest volatility regime traded: -1 low, 0 normal, 1 high"
        )

    def features(self) -> Mapping[str, str]:
        read = self.params
        swings = f"{read.left}, {read.right}"
        return {
            "sweep": f"sweep({swings}, {read.within})",
            "open": f"open_swings({swings})",
            # Means over the rows that a sweep may last: times their number, how many swings it took.
            "highs_taken": f"sma({read.within}, open_swings({swings}).highs_taken)",
            "lows_taken": f"sma({read.within}, open_swings({swings}).lows_taken)",
            "range": f"atr({read.atr})",
            "hours": "sessions",
            "regime": "volatility_regime",
        }

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        if position.side != 0 or abs(row.sweep_event) != 1.0 or not row.range > 0.0:
            return HOLD
        if not (row.regime <= params.regime and in_hours(row, params)):
            return HOLD
        side = 1 if row.sweep_event > 0.0 else -1
        taken = params.within * (row.lows_taken if side > 0 else row.highs_taken)
        if not taken > params.pool - 0.5:
            return HOLD
        stop = row.sweep_extreme - side * params.buffer * row.range
        risk = (row.close - stop) * side
        if not (stop > 0.0 and risk >= params.least_stop * row.close):
            return HOLD
        near = row.open_high_1 if side > 0 else row.open_low_1
        if not (near - row.close) * side >= params.reward * risk:  # or nothing is known to wait there
            return HOLD
        return Signal(
            side,
            stop=stop,
            target_1=near,
            target_2=row.open_high_2 if side > 0 else row.open_low_2,
            target_3=row.open_high_3 if side > 0 else row.open_low_3,
            horizon_us=params.hold * (row.ts_event - row.ts),
            reason=reason_of(side, taken > 1.5),
        )


def in_hours(row: Any, params: Any) -> bool:
    """Whether the bar lies in hours that are traded; no bar does whose time is missing."""
    if row.hours_europe == 1.0 or row.hours_us == 1.0:
        return bool((params.london and row.hours_europe == 1.0) or (params.new_york and row.hours_us == 1.0))
    return bool(params.off_hours and row.hours_europe == 0.0 and row.hours_us == 0.0)


def reason_of(side: int, equal: bool) -> int:
    """The `Reason` for having entered."""
    if side == Want.LONG:
        return Reason.EQUAL_LOWS if equal else Reason.SWING_LOW
    return Reason.EQUAL_HIGHS if equal else Reason.SWING_HIGH
