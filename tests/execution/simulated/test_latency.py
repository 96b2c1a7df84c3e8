"""Latency models: constant, lognormal with its median and spread, interpolated between measured round trips."""

import numpy as np
import pytest

from truewind.errors import ValidationError
from truewind.execution.simulated.latency import (
    ENTRY,
    REPLY,
    ROUND_TRIP,
    LatencySettings,
    check_round_trips,
    delay,
)

TRIPS = np.array([(1000, 100, 10), (2000, 300, 20), (4000, 100, 40)], ROUND_TRIP)


def test_constant_latency_is_what_was_set():
    """8 ms in and 5 ms back are 8,000 and 5,000 µs, for every order."""
    record = LatencySettings(model="constant", entry_ms=8, reply_ms=5).record()
    assert {delay(record, TRIPS, ENTRY, 0, order, 0) for order in range(5)} == {8000}
    assert delay(record, TRIPS, REPLY, 0, 1, 0) == 5000


def test_lognormal_latency_has_its_median_and_spread():
    """Half of the draws lie below the median, and their logarithms have the standard deviation sigma."""
    record = LatencySettings(model="lognormal", entry_ms=8, sigma=0.3).record()
    draws = np.array([delay(record, TRIPS, ENTRY, 0, order, 0) for order in range(5000)])
    assert np.median(draws) == pytest.approx(8000, rel=0.02)
    assert np.log(draws).std() == pytest.approx(0.3, rel=0.05)
    assert delay(record, TRIPS, ENTRY, 99, 7, 0) == draws[7]


@pytest.mark.parametrize(
    ("ts", "entry", "reply"),
    [(0, 100, 10), (1000, 100, 10), (1500, 200, 15), (2000, 300, 20), (3000, 200, 30), (9000, 100, 40)],
)
def test_recorded_latency_is_interpolated(ts, entry, reply):
    """Linear between measured round trips; before the first and after the last, the nearest."""
    record = LatencySettings(model="recorded").record()
    assert delay(record, TRIPS, ENTRY, ts, 1, 0) == entry
    assert delay(record, TRIPS, REPLY, ts, 1, 0) == reply


@pytest.mark.parametrize("trips", [TRIPS[::-1], TRIPS[:0], np.array([(1, -5, 3)], ROUND_TRIP)])
def test_unusable_round_trips_are_refused(trips):
    """Unsorted, absent or negative measurements raise."""
    with pytest.raises(ValidationError):
        check_round_trips(trips)
