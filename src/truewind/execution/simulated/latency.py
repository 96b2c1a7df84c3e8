"""Latency of orders to the venue and of its replies: constant, lognormal, or as it was recorded."""

import math
from enum import IntEnum
from typing import Any

import numpy as np
from pydantic import Field

from truewind.config import Settings
from truewind.errors import ValidationError
from truewind.numerics.draws import normal
from truewind.numerics.jit import kernel


class LatencyModel(IntEnum):
    CONSTANT = 0
    LOGNORMAL = 1
    RECORDED = 2


# One way. median_us: of the constant and the lognormal model. sigma: standard deviation of the logarithm.
LATENCY = np.dtype(
    [("model", np.int64), ("median_us", np.int64), ("sigma", np.float64), ("seed", np.int64)], align=True
)
# A measured round trip: sent at ts, `entry_us` to the venue, `reply_us` back.
ROUND_TRIP = np.dtype([("ts", np.int64), ("entry_us", np.int64), ("reply_us", np.int64)], align=True)

ENTRY, REPLY = 0, 1  # rows of the LATENCY table
_LOGNORMAL, _RECORDED = int(LatencyModel.LOGNORMAL), int(LatencyModel.RECORDED)


class LatencySettings(Settings):
    """How long an order takes to the venue and its reply back (DESIGN §6: 8 ms and 5 ms near the venue).

    model: "constant", "lognormal" (entry_ms and reply_ms are medians, sigma the spread of the logarithm; a draw depends
    on seed, order and purpose alone) or "recorded" (interpolated between measured round trips, which are given to the
    lane; beyond their ends the nearest counts).
    """

    model: str = Field(default="lognormal", pattern="^(constant|lognormal|recorded)$")
    entry_ms: float = Field(default=8.0, ge=0.0, le=86_400_000.0)
    reply_ms: float = Field(default=5.0, ge=0.0, le=86_400_000.0)
    sigma: float = Field(default=0.3, ge=0.0, le=3.0)
    seed: int = 42

    def record(self) -> np.ndarray:
        """These settings as LATENCY rows: entry, reply."""
        rows = np.zeros(2, LATENCY)
        code = int(LatencyModel[self.model.upper()])
        rows[ENTRY] = (code, round(self.entry_ms * 1000), self.sigma, self.seed)
        rows[REPLY] = (code, round(self.reply_ms * 1000), self.sigma, self.seed)
        return rows


def check_round_trips(trips: np.ndarray) -> np.ndarray:
    """ROUND_TRIP rows, sorted and not negative. Raises ValidationError."""
    if trips.dtype != ROUND_TRIP or not len(trips):
        raise ValidationError("No measured round trips are given", remedy="Give ROUND_TRIP rows, or another model")
    if (np.diff(trips["ts"]) <= 0).any():
        raise ValidationError("Measured round trips are not sorted by ts, or come twice", remedy="Sort them")
    if (trips["entry_us"] < 0).any() or (trips["reply_us"] < 0).any():
        raise ValidationError("A measured latency is negative", remedy="Correct the clocks that it was measured by")
    return trips


@kernel
def delay(latency: Any, trips: Any, way: int, ts: int, order: int, purpose: int) -> int:
    """µs that a message of `order` sent at `ts` takes. way: ENTRY or REPLY; purpose: which of its messages it is."""
    setting = latency[way]
    if setting["model"] == _LOGNORMAL:
        draw = normal(setting["seed"] + way, order, purpose)
        return int(setting["median_us"] * math.exp(setting["sigma"] * draw))
    if setting["model"] == _RECORDED:
        return recorded(trips, way, ts)
    return int(setting["median_us"])


@kernel
def recorded(trips: Any, way: int, ts: int) -> int:
    """Latency at `ts`, linear between the measured ones around it."""
    low, high = 0, len(trips)
    while low < high:
        middle = (low + high) // 2
        if trips[middle]["ts"] <= ts:
            low = middle + 1
        else:
            high = middle
    a, b = trips[max(low - 1, 0)], trips[min(low, len(trips) - 1)]
    first = a["entry_us"] if way == ENTRY else a["reply_us"]
    second = b["entry_us"] if way == ENTRY else b["reply_us"]
    span = b["ts"] - a["ts"]
    if span <= 0:
        return int(first)
    return int(first + (second - first) * (ts - a["ts"]) // span)
