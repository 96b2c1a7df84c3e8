"""Breakout with an ATR stop: buy a new high of closes, sell short a new low, give up at a multiple of the range.

Idea: a close beyond the closes of many days says that something has changed, and that others must follow. The
channel entry is Richard Donchian's; stops in units of the average true range are those of the "Turtle" rules
(Faith, Way of the Turtle, 2007).

Fails when breakouts are false, which is most of the time: few trades pay for many.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy


class Breakout(SignalStrategy):
    """Enter on the highest (lowest) close of `entry` bars; leave on the opposite one of `exit` bars, or at the stop."""

    fields = ("close",)

    class Params(Settings):
        """Of the channel and the stop."""

        entry: int = Field(default=55, ge=2, le=2000, description="channel whose break is an entry, bars")
        exit: int = Field(default=20, ge=2, le=2000, description="channel whose opposite break is the exit, bars")
        atr: int = Field(default=14, ge=2, le=500, description="length of the average true range, bars")
        stop: float = Field(default=2.0, gt=0.0, le=20.0, description="distance of the stop, average true ranges")
        short: bool = Field(default=True, description="whether new lows are sold short")

    def features(self) -> Mapping[str, str]:
        entry, leave, length = self.params.entry, self.params.exit, self.params.atr
        return {
            "entry_high": f"highest({entry}, close)",
            "entry_low": f"lowest({entry}, close)",
            "exit_high": f"highest({leave}, close)",
            "exit_low": f"lowest({leave}, close)",
            "range": f"atr({length})",
        }

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        if not (row.entry_high == row.entry_high and row.range > 0.0):  # still warming up, or a dead market
            return HOLD
        if position.side != Want.LONG and row.close >= row.entry_high:
            stop = row.close - params.stop * row.range
            return Signal(Want.LONG, stop=stop) if stop > 0.0 else HOLD  # a range as large as the price is no measure
        if params.short and position.side != Want.SHORT and row.close <= row.entry_low:
            return Signal(Want.SHORT, stop=row.close + params.stop * row.range)
        if position.side == Want.LONG and row.close <= row.exit_low:
            return FLAT
        if position.side == Want.SHORT and row.close >= row.exit_high:
            return FLAT
        return HOLD
