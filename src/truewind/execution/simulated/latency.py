"""Latency of orders to the venue, of its replies and of its market data: constant, lognormal, or as it was recorded.

Runs on bars and trades and runs on order books go by the same settings and the same kernels.
"""

import math
from enum import IntEnum
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from truewind.config import Settings
from truewind.domain.clock import iso
from truewind.domain.latency import ENTRY, FEED, LATENCY, REPLY, ROUND_TRIP
from truewind.errors import ValidationError
from truewind.numerics.draws import normal, uniform
from truewind.numerics.jit import kernel
from truewind.portfolio.state import counts_of, latency_of, times_of, trips_of

__all__ = ["ENTRY", "FEED", "LATENCY", "REPLY", "ROUND_TRIP"]  # where they are looked for


class LatencyModel(IntEnum):
    CONSTANT = 0
    LOGNORMAL = 1
    RECORDED = 2


BUSY_US = 100_000  # over which events are counted
_HELD_UP = 3  # the purpose of a draw, beside those of lognormal times and of fills
_HEARD = np.dtype([("ts_event", np.int64), ("ts_recv", np.int64), ("last", np.int64)])
_LOGNORMAL, _RECORDED = int(LatencyModel.LOGNORMAL), int(LatencyModel.RECORDED)


class LatencySettings(Settings):
    """How long an order takes to the venue and its reply back (defaults: near the venue).

    A lognormal draw depends on seed, order and purpose alone. Between recorded round trips it is interpolated; beyond
    their ends the nearest counts. Load is counted over the last 100 ms.
    """

    model: Literal["constant", "lognormal", "recorded"] = Field(
        default="lognormal",
        description="constant; lognormal: the times are medians; recorded: between measured round trips",
    )
    entry_ms: float = Field(default=8.0, ge=0.0, le=86_400_000.0, description="from us to the venue, ms")
    reply_ms: float = Field(default=5.0, ge=0.0, le=86_400_000.0, description="from the venue back to us, ms")
    sigma: float = Field(default=0.3, ge=0.0, le=3.0, description="spread of the logarithm of lognormal times")
    load_ms: float = Field(
        default=0.0, ge=0.0, le=1000.0, description="longer for every thousand events a second at the venue, ms"
    )
    file: str | None = Field(default=None, description="measured round trips, for model: recorded")

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


class OrderLatency(LatencySettings):
    """How long orders and replies take in runs on bars and trades: replies are heard at once unless told otherwise.

    There load_ms counts the trades of the last 100 ms; on bars those of the bar last seen.
    """

    model: Literal["constant", "lognormal", "recorded"] = Field(
        default="constant",
        description="constant; lognormal: the times are medians; recorded: between measured round trips",
    )
    reply_ms: float = Field(default=0.0, ge=0.0, le=86_400_000.0, description="from the venue back to us, ms")

    def assumptions(self) -> list[str]:
        """What these settings take for granted, in words, for the report."""
        times = {
            "recorded": "takes as long as it was measured",
            "constant": f"takes {self.entry_ms:g} ms to the venue, the reply {self.reply_ms:g} ms back",
            "lognormal": f"takes {self.entry_ms:g} ms to the venue, the reply {self.reply_ms:g} ms back, in the median "
            f"of lognormal times with σ = {self.sigma:g}",
        }[self.model]
        load = f", plus {self.load_ms:g} ms for each thousand trades a second" if self.load_ms else ""
        return [f"An order {times}{load}."]


class Latency(NamedTuple):
    """What kernels go by: LATENCY rows (entry, reply), and the ROUND_TRIP rows of measured latencies."""

    rows: np.ndarray
    trips: np.ndarray


AT_ONCE = Latency(np.zeros(2, LATENCY), np.zeros(0, ROUND_TRIP))  # no order takes any time


class FeedSettings(Settings):
    """How long market data take to us.

    A lognormal draw for each message goes by seed and its number. Without in_order messages arrive as they come, and an
    old level may overwrite a newer one in the book that the strategy knows.
    """

    model: Literal["recorded", "constant", "lognormal"] = Field(
        default="recorded", description="recorded: as the data say; constant; lognormal: the delay is the median"
    )
    delay_ms: float = Field(default=5.0, ge=0.0, le=86_400_000.0, description="from the venue to us, ms")
    sigma: float = Field(default=0.3, ge=0.0, le=3.0, description="spread of the logarithm of lognormal times")
    load_ms: float = Field(
        default=0.0, ge=0.0, le=1000.0, description="longer for every thousand events a second at the venue, ms"
    )
    in_order: bool = Field(default=True, description="no message overtakes another, as on one connection")

    def apply(self, events: np.ndarray, seed: int) -> np.ndarray:
        """Rows with ts_event, ts_recv and last as they are heard: a copy with other times of receipt, or themselves."""
        if self.model == "recorded" and self.load_ms == 0.0:
            return events
        heard = events.copy()
        row = np.zeros(1, LATENCY)
        code = int(LatencyModel[self.model.upper()])
        row[0] = (code, round(self.delay_ms * 1000), self.sigma, self.load_ms * 1000.0, seed)
        hear_all(heard, row, int(self.in_order))
        return heard


class RowFeed(FeedSettings):
    """How long rows take to us in runs on bars and trades, where each is a message of its own.

    `recorded` is when a recorder received them, and at once where none did.
    """

    late_share: float = Field(
        default=0.0, ge=0.0, le=1.0, description="of the rows come late; the others overtake them"
    )
    late_ms: float = Field(default=1000.0, gt=0.0, le=86_400_000.0, description="by how much at most, ms")

    def received(self, known: np.ndarray, seed: int, told: np.ndarray | None = None) -> np.ndarray:
        """When rows known at `known` (int64 µs, rising) are shown to the strategy; `known` itself if at once.

        told: when they were received as they were recorded, 0 where that is not known.
        """
        at_once = known
        if told is not None and self.model == "recorded":
            known = np.maximum(known, told)  # a recorder whose clock is behind has heard nothing before it happened
            if self.in_order:
                known = np.maximum.accumulate(known)
        if self.model == "recorded" and self.load_ms == 0.0 and self.late_share == 0.0:
            return known
        heard = np.zeros(len(known), _HEARD)
        heard["ts_event"], heard["ts_recv"], heard["last"] = at_once, known, 1
        received = self.apply(heard, seed)["ts_recv"].copy()
        if self.late_share > 0.0:
            hold_up(received, self.late_share, self.late_ms * 1000.0, seed)
        return received

    def assumptions(self) -> list[str]:
        """What these settings take for granted, in words, for the report."""
        late = []
        if self.late_share > 0.0:
            late = [f"{self.late_share:.1%} of the rows come up to {self.late_ms:g} ms later, after others."]
        if self.model == "recorded" and self.load_ms == 0.0:
            return late
        delay = 0.0 if self.model == "recorded" else self.delay_ms
        spread = f" in the median of a lognormal time with σ = {self.sigma:g}" if self.model == "lognormal" else ""
        load = f", plus {self.load_ms:g} ms for each thousand rows a second" if self.load_ms else ""
        return [f"The strategy is shown each row {delay:g} ms late{spread}{load}.", *late]


def check_round_trips(trips: np.ndarray) -> np.ndarray:
    """ROUND_TRIP rows, sorted and not negative. Raises ValidationError."""
    if trips.dtype != ROUND_TRIP or not len(trips):
        raise ValidationError("No measured round trips are given", remedy="Give ROUND_TRIP rows, or another model")
    falls = np.diff(trips["ts"], prepend=trips["ts"][0] - 1) <= 0
    negative = (trips["entry_us"] < 0) | (trips["reply_us"] < 0)
    for bad, what, remedy in (
        (falls, "does not come after the one before", "Sort them by ts and leave double rows out"),
        (negative, "took less than no time", "Correct the clocks that it was measured by"),
    ):
        if bad.any():
            row = int(bad.argmax())
            raise ValidationError(
                f"The measured round trip in row {row}, of {iso(int(trips['ts'][row]))}, {what}", remedy=remedy, row=row
            )
    return trips


@kernel(inline=True)
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


@kernel(inline=True)
def flight(state: int, order_id: int, purpose: int, now: int, k: int) -> int:
    """µs that a message of an order sent at `now`, after row `k`, takes to the venue. purpose: see `delay`."""
    latency = latency_of(state)
    rate = 0.0
    if latency[ENTRY]["load_us"] > 0.0:
        rate = rate_at(state, now, k)
    return delay(latency, trips_of(state), ENTRY, now, order_id, purpose, rate)


@kernel
def rate_at(state: int, now: int, k: int) -> float:
    """Thousands of trades a second, as row `k` tells: on bars those in it, on trades those in the BUSY_US up to `now`.

    A bar whose trades were not counted (NaN), and the time before the first row, have none.
    """
    times, counts = times_of(state), counts_of(state)
    if k < 0:
        return 0.0
    if times[1][k] > times[0][k]:
        known = len(counts) > 0 and counts[k] == counts[k]
        return counts[k] * 1000.0 / (times[1][k] - times[0][k]) if known else 0.0
    first = k
    while first >= 0 and times[1][first] > now - BUSY_US:
        first -= 1
    return float((k - first) * (1000.0 / BUSY_US))


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
def hold_up(received: Any, share: float, most: float, seed: int) -> None:
    """Let a share of the rows come later, by a uniform draw up to `most` µs."""
    for k in range(len(received)):
        if uniform(seed + FEED, k, 0, _HELD_UP) < share:
            received[k] += int(most * uniform(seed + FEED, k, 1, _HELD_UP))


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
