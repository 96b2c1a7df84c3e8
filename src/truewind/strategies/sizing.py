"""Sizing: how much to trade, from equity, price and stop."""

import math
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from truewind.config import Settings
from truewind.domain.account import SIZING
from truewind.numerics.jit import kernel

_METHODS = ("fixed", "fraction", "risk")
FIXED, FRACTION = _METHODS.index("fixed"), _METHODS.index("fraction")


class SizingSettings(Settings):
    """How large a new position is.

    method: "fixed": `value` base units; "fraction": `value` × equity as notional; "risk": what would lose
    `value` × equity at the stop (needs a signal with a stop).
    """

    method: Literal["fixed", "fraction", "risk"] = "risk"
    value: float = Field(default=0.005, gt=0.0)

    @model_validator(mode="after")
    def _sane(self) -> "SizingSettings":
        if self.method == "risk" and self.value > 0.2:
            raise ValueError(f"risking {self.value:.0%} of equity on one trade is refused; use at most 0.2")
        return self

    def quantity(self, equity: float, price: float, stop: float) -> float:
        """See `size`."""
        return float(size(_METHODS.index(self.method), self.value, equity, price, stop))

    def record(self, scale: float) -> np.ndarray:
        """These settings as one SIZING record."""
        row = np.zeros(1, SIZING)
        row[0] = (_METHODS.index(self.method), self.value, scale)
        return row


@kernel
def size(method: int, value: float, equity: float, price: float, stop: float) -> float:
    """Base units to hold (fixed: contracts, where the instrument has them).

    0 if equity or price is not positive, or if a risk size has no distance to a stop.
    """
    if not (equity > 0.0 and price > 0.0):
        return 0.0
    if method == FIXED:
        return value
    if method == FRACTION:
        return value * equity / price
    distance = abs(price - stop)
    return value * equity / distance if math.isfinite(distance) and distance > 0.0 else 0.0
