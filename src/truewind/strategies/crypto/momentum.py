"""Time-series momentum: hold the side to which the price has moved over the last weeks.

Idea: what has risen goes on rising for a while, because news spreads slowly and because people follow each other.
Each symbol is judged by its own past only, and its stop lies some daily volatilities away, so that a position sized by
risk is the smaller, the wilder its symbol. Source: Moskowitz, Ooi and Pedersen, "Time Series Momentum", Journal of
Financial Economics 104 (2012), from where the sign of the past return and the volatility (exponential, centre of mass
of 60 days) are taken; that weeks, not months, are the measure of coins is found by Liu and Tsyvinski, "Risks and
Returns of Cryptocurrency", Review of Financial Studies 34 (2021). The paper has no stop; sizing by risk needs one.

Fails where the price goes to and fro about where it was `look_back` days ago: each change of sign costs. It gives back
what a sharp turn takes before the sign changes, and after its stop it stays out until then, whatever it misses.
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

    ROSE = 1
    FELL = 2


class Momentum(SignalStrategy):
    """Long after a rise, short (or flat) after a fall, judged once a day; a stop some volatilities from the entry."""

    fields = ("close",)

    class Params(Settings):
        look_back: int = Field(default=28, ge=2, le=365, description="return whose sign decides, days")
        volatility: int = Field(default=60, ge=2, le=365, description="centre of mass of the volatility, days")
        stop: float = Field(default=3.0, gt=0.0, le=20.0, description="distance of the stop, daily volatilities")
        short: bool = Field(default=True, description="whether to sell short after a fall")

    def features(self) -> Mapping[str, str]:
        mass = self.params.volatility
        return {
            "moved": f"returns({self.params.look_back})@1d",
            "daily": f"ewma_volatility({mass / (mass + 1.0):.6f})@1d",
        }

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        if not (row.moved == row.moved and row.daily > 0.0):  # still warming up, or a dead market
            return HOLD
        if row.moved > 0.0:
            if position.side == Want.LONG:
                return Signal(Want.LONG, reason=Why.ROSE)  # its stop stays where it is
            stop = row.close * (1.0 - params.stop * row.daily)
            return Signal(Want.LONG, stop=stop, reason=Why.ROSE) if stop > 0.0 else HOLD
        if row.moved == 0.0:
            return HOLD
        if not params.short:
            return Signal(Want.FLAT, reason=Why.FELL)
        if position.side == Want.SHORT:
            return Signal(Want.SHORT, reason=Why.FELL)
        return Signal(Want.SHORT, stop=row.close * (1.0 + params.stop * row.daily), reason=Why.FELL)
