"""Latency of orders to the venue, of its replies and of its market data: constant, lognormal, or as it was recorded."""

import math
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from truewind.config import Settings
from truewind.errors import ValidationError
from truewind.numerics.draws import normal
from truewind.numerics.jit import kernel


class LatencyModel(IntEnum):
    CONSTANT = 0
    LOGNORMAL = 1
    RECORDED = 2


# One way. median_us: of the constant and the lognormal model. sigma: standard deviation of the logarithm. load_us: what
# a thousand events a second add.
LATENCY = np.dtype(
    [
        ("model", np.int64),
        ("median_us", np.int64),
        ("sigma", np.float64),
        ("load_us", np.float64),
        ("seed", np.int64),
    ],
    align=True,
)
# A measured round trip: sent at ts, `entry_us` to the venue, `reply_us` back.
ROUND_TRIP = np.dtype([("ts", np.int64), ("entry_us", np.int64), ("reply_us", np.int64)], align=True)

ENTRY, REPLY, FEED = 0, 1, 2  # rows of the LATENCY table
BUSY_US = 100_000  # over which events are counted
_LOGNORMAL, _RECORDED = int(LatencyModel.LOGNORMAL), int(LatencyModel.RECORDED)


class LatencySettings(Settings):
    """How long an order takes to the venue and its reply back (DESIGN §6: 8 ms and 5 ms near the venue).

    model: "constant", "lognormal" (entry_ms and reply_ms are medians, sigma the spread of the logarithm; a draw depends
    on seed, order and purpose alone) or "recorded" (interpolated between measured round trips, of `file` in a
    configuration; beyond their ends the nearest counts). load_ms: what both ways take longer for every thousand events
    a second at the venue, counted over the last 100 ms.
    """

    model: Literal["constant", "lognormal", "recorded"] = "lognormal"
    entry_ms: float = Field(default=8.0, ge=0.0, le=86_400_000.0)
    reply_ms: float = Field(default=5.0, ge=0.0, le=86_400_000.0)
    sigma: float = Field(default=0.3, ge=0.0, le=3.0)
    load_ms: float = Field(default=0.0, ge=0.0, le=1000.0)
    file: str | None = None

    @model_validator(mode="after")
    def _file_is_read(self) -> "LatencySettings":
        if self.file is not None and self.model != "recorded":
            raise ValueError("a file of round trips is read by model: recorded only")
        return self

    def record(self, seed: int) -> np.ndarray:
        """These settings as LATENCY rows: entry, reply."""
        rows = np.zeros(2, LATENCY)
        code = int(LatencyModel[self.model.upper()])
        for way, median in ((ENTRY, self.entry_ms), (REPLY, self.reply_ms)):
            rows[way] = (code, round(median * 1000), self.sigma, self.load_ms * 1000.0, seed)
        return rows


class FeedSettings(Settings):
    """How long market data take to us.

    model: "recorded" (as the data say), "constant" or "lognormal" (delay_ms is the median, sigma the spread of the
    logarithm; a draw for each message, by seed and its number). load_ms: as in the latency of orders. in_order: no
    message overtakes another, as on one connection; without it they arrive as they come, and an old level may
    overwrite a newer one in the book that the strategy knows.
    """

    model: Literal["recorded", "constant", "lognormal"] = "recorded"
    delay_ms: float = Field(default=5.0, ge=0.0, le=86_400_000.0)
    sigma: float = Field(default=0.3, ge=0.0, le=3.0)
    load_ms: float = Field(default=0.0, ge=0.0, le=1000.0)
    in_order: bool = True

    def apply(self, events: np.ndarray, seed: int) -> np.ndarray:
        """BOOK_EVENT rows as they are heard: a copy with other times of receipt, or the rows themselves."""
        if self.model == "recorded" and self.load_ms == 0.0:
            return events
        heard = events.copy()
        row = np.zeros(1, LATENCY)
        code = int(LatencyModel[self.model.upper()])
        row[0] = (code, round(self.delay_ms * 1000), self.sigma, self.load_ms * 1000.0, seed)
        hear_all(heard, row, int(self.in_order))
        return heard


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
def delay(latency: Any, trips: Any, way: int, ts: int, order: int, purpose: int, rate: float) -> int:
    """µs that a message of `order` sent at `ts` takes. way: ENTRY or REPLY; purpose: which of its messages it is.

    rate: thousands of events a second at the venue.
    """
    setting = latency[way]
    extra = int(setting["load_us"] * rate)
    if setting["model"] == _LOGNORMAL:
        draw = normal(setting["seed"] + way, order, purpose)
        return extra + int(setting["median_us"] * math.exp(setting["sigma"] * draw))
    if setting["model"] == _RECORDED:
        return extra + recorded(trips, way, ts)
    return extra + int(setting["median_us"])


@kernel
def events_until(events: Any, ts: int) -> int:
    """How many events happened up to and including `ts`."""
    low, high = 0, len(events)
    while low < high:
        middle = (low + high) // 2
        if events[middle]["ts_event"] <= ts:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def busy(events: Any, ts: int) -> float:
    """Thousands of events a second in the BUSY_US up to `ts`."""
    return (events_until(events, ts) - events_until(events, ts - BUSY_US)) * (1000.0 / BUSY_US)


@kernel
def hear_all(events: Any, latency: Any, in_order: int) -> None:
    """Write when each event is heard: all rows of a message at once."""
    setting = latency[0]
    message, late, behind, last = 0, 0, 0, events[0]["ts_event"]
    fresh = True
    for k in range(len(events)):
        event = events[k]
        ts = event["ts_event"]
        while events[behind]["ts_event"] <= ts - BUSY_US:
            behind += 1
        if fresh:
            late = event["ts_recv"] - ts
            if setting["model"] != _RECORDED:
                late = setting["median_us"]
            if setting["model"] == _LOGNORMAL:
                late = int(late * math.exp(setting["sigma"] * normal(setting["seed"] + FEED, message, 0)))
            late += int(setting["load_us"] * (k + 1 - behind) * (1000.0 / BUSY_US))
            message += 1
        heard = ts + late
        if in_order:
            heard = max(heard, last)
        event["ts_recv"] = last = heard
        fresh = bool(event["last"])


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
