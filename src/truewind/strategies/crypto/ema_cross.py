"""EMA cross: hold the side on which the fast average lies.

Idea: trends last longer than chance would have them; two exponential averages say, late but steadily, which way one
runs. Source: the moving-average rules of Brock, Lakonishok and LeBaron, "Simple Technical Trading Rules and the
Stochastic Properties of Stock Returns", Journal of Finance 47 (1992).

Fails in sideways markets, where it buys high and sells low, and pays costs on every cross.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy

_LONG, _SHORT = Signal(Want.LONG), Signal(Want.SHORT)


class EmaCross(SignalStrategy):
    """Long while ema(fast) ≥ ema(slow), else short, or flat where shorting is off."""

    fields = ()

    class Params(Settings):
        """Of the two averages."""

        fast: int = Field(default=10, ge=2, le=500, description="length of the fast average, bars")
        slow: int = Field(default=30, ge=3, le=2000, description="length of the slow average, bars")
        short: bool = Field(default=True, description="whether to go short below, not just flat")

        @model_validator(mode="after")
        def _fast_is_faster(self) -> "EmaCross.Params":
            if self.fast >= self.slow:
                raise ValueError(f"fast ({self.fast}) must be less than slow ({self.slow})")
            return self

    def features(self) -> Mapping[str, str]:
        return {"fast": f"ema({self.params.fast})", "slow": f"ema({self.params.slow})"}

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        if row.slow != row.slow:  # NaN while the average warms up
            return HOLD
        if row.fast >= row.slow:
            return _LONG
        return _SHORT if params.short else FLAT
