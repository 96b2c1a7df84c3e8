"""Sizing: how much to trade, from equity, price, stop, and what else a method goes by."""

import math
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from truewind.config import Settings
from truewind.domain.account import SIZING
from truewind.domain.order import Reason
from truewind.numerics.jit import kernel

MEASURE = "sizing measure"  # the timeline's column of what a method measures markets by; no field of a row
_METHODS = ("fixed", "fraction", "risk", "volatility", "kelly", "units", "equal", "parity")
FIXED, FRACTION, RISK, VOLATILITY, KELLY, UNITS, EQUAL, PARITY = range(len(_METHODS))
_MEASURES = {"volatility": "realised({})", "units": "atr({})", "parity": "realised({})"}
# The largest value that is taken for sane.
_MOST = {"risk": 0.2, "kelly": 1.0, "units": 0.2, "volatility": 5.0}

_NONE, _NO_EQUITY, _NO_PRICE = int(Reason.NONE), int(Reason.NO_EQUITY), int(Reason.NO_PRICE)
_NO_STOP, _NO_MEASURE, _NO_EDGE = int(Reason.SIZE_NEEDS_STOP), int(Reason.SIZE_NEEDS_MEASURE), int(Reason.NO_EDGE)


class SizingSettings(Settings):
    """How large a new position is. Where what a method needs is not there (a stop, enough bars), the order is denied.

    method: "fixed": `value` base units.
    "fraction": `value` × equity as notional.
    "equal": `value` × equity ÷ symbols of the run as notional.
    "risk": what loses `value` × equity at the stop, the taker's fee on the way in and out and half the spread counted.
    "volatility": notional that would move by `value` (0.2 is 20 %) of equity a year, at the volatility of the last
    `length` bars.
    "kelly": risks `value` (1 is all) of Kelly's fraction of equity f = p − (1 − p) / b, p being the signal's confidence
    and b what the targets bring on average over what the stop costs; never more than `cap` of equity (Kelly, A new
    interpretation of information rate, 1956; Thorp, The Kelly criterion in blackjack, sports betting and the stock
    market, 1997).
    "units": a move of one average true range of `length` bars is `value` × equity: the Turtles' unit, theirs with 0.01
    and 20 days (Faith, Way of the Turtle, 2007).
    "parity": shares `value` × equity of notional among the symbols of the run by the inverse of their volatility over
    `length` bars, which for equal correlations gives all of them the same part in the risk.
    """

    method: Literal["fixed", "fraction", "risk", "volatility", "kelly", "units", "equal", "parity"] = Field(
        default="risk", description="which rule it goes by"
    )
    value: float = Field(default=0.005, gt=0.0, description="how much; what it is a measure of depends on the method")
    length: int = Field(default=20, ge=2, le=10_000, description="of volatility, parity and units, bars")
    cap: float = Field(default=0.02, gt=0.0, le=0.2, description="most that kelly risks, fraction of equity")

    @model_validator(mode="after")
    def _sane(self) -> "SizingSettings":
        if self.method == "risk" and self.value > _MOST["risk"]:
            raise ValueError(f"risking {self.value:.0%} of equity on one trade is refused; use at most 0.2")
        if self.value > _MOST.get(self.method, math.inf):
            raise ValueError(
                f"{self.method} with a value of {self.value:g} is refused; use at most {_MOST[self.method]:g}"
            )
        return self

    def reads(self) -> dict[str, str]:
        """The feature that the method measures a market by, as the column MEASURE; nothing if it measures nothing."""
        spec = _MEASURES.get(self.method)
        return {} if spec is None else {MEASURE: spec.format(self.length)}

    def quantity(
        self,
        equity: float,
        price: float,
        stop: float = math.nan,
        *,
        target: float = math.nan,
        confidence: float = 1.0,
        measure: float = math.nan,
        share: float = 1.0,
        bars_a_year: float = 365.0,
        fee: float = 0.0,
        half_spread: float = 0.0,
    ) -> float:
        """Base units; see `size`. fee, half_spread: fractions of the price."""
        side = 1 if not stop > price else -1
        entered, stopped = price * (1.0 + side * half_spread), stop * (1.0 - side * half_spread)
        loss = cost_of(side, price, entered, stopped, fee, False)
        gain = -cost_of(side, price, entered, target, fee, False)
        how = self.record(1.0, bars_a_year)[0]
        return float(size(how, equity, price, loss, gain, confidence, measure, share)[0])

    def record(self, scale: float, bars_a_year: float) -> np.ndarray:
        """These settings as one SIZING record."""
        row = np.zeros(1, SIZING)
        row[0] = (_METHODS.index(self.method), self.value, scale, self.cap, math.sqrt(bars_a_year))
        return row


@kernel
def size(
    how: Any,
    equity: float,
    price: float,
    loss: float,
    gain: float,
    confidence: float,
    measure: float,
    share: float,
) -> tuple[float, int]:  # fmt: skip
    """Base units to hold (fixed: contracts, where the instrument has them), and why there are none, if so.

    loss: of one base unit that is stopped out, gain: of one that comes to its targets, both after costs, NaN without a
    stop or target. measure: the method's. share: of the whole, for this symbol. All in the quote currency.
    """
    method, value = how["method"], how["value"]
    if not equity > 0.0:
        return 0.0, _NO_EQUITY
    if not price > 0.0:
        return 0.0, _NO_PRICE
    if method == FIXED:
        return value, _NONE
    if method == FRACTION:
        return value * equity / price, _NONE
    if method in (EQUAL, PARITY):
        return (value * share * equity / price, _NONE) if share > 0.0 else (0.0, _NO_MEASURE)
    if method in (RISK, KELLY):
        if not (math.isfinite(loss) and loss > 0.0):
            return 0.0, _NO_STOP
        risked = value
        if method == KELLY:
            edge = confidence - (1.0 - confidence) * loss / gain if gain > 0.0 else 0.0
            if not edge > 0.0:
                return 0.0, _NO_EDGE
            risked = min(value * edge, how["cap"])
        return risked * equity / loss, _NONE
    if not (math.isfinite(measure) and measure > 0.0):
        return 0.0, _NO_MEASURE
    if method == UNITS:
        return value * equity / measure, _NONE
    return value * equity / (measure * how["root_year"] * price), _NONE


@kernel
def cost_of(side: int, price: float, entered: float, left: float, fee: float, inverse: bool) -> float:
    """What one base unit loses that is entered and left at these prices; less than 0 if it gains.

    fee: on each of both, a fraction. An inverse contract's loss, which is in coins, is told at `price`.
    """
    if inverse:
        return price * price * (side * (1.0 / left - 1.0 / entered) + fee * (1.0 / left + 1.0 / entered))
    return side * (entered - left) + fee * (entered + left)
