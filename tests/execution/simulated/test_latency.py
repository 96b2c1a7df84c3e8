"""Latency models: constant, lognormal with its median and spread, interpolated between measured round trips."""

import numpy as np
import pytest

from truewind.domain.book import BOOK_EVENT
from truewind.errors import ValidationError
from truewind.execution.simulated.latency import (
    ENTRY,
    REPLY,
    ROUND_TRIP,
    FeedSettings,
    LatencySettings,
    busy,
    check_round_trips,
    delay,
)

TRIPS = np.array([(1000, 100, 10), (2000, 300, 20), (4000, 100, 40)], ROUND_TRIP)


def test_constant_latency_is_what_was_set():
    """8 ms in and 5 ms back are 8,000 and 5,000 µs, for every order."""
    record = LatencySettings(model="constant", entry_ms=8, reply_ms=5).record(42)
    assert {delay(record, TRIPS, ENTRY, 0, order, 0, 0.0) for order in range(5)} == {8000}
    assert delay(record, TRIPS, REPLY, 0, 1, 0, 0.0) == 5000


def test_lognormal_latency_has_its_median_and_spread():
    """Half of the draws lie below the median, and their logarithms have the standard deviation sigma."""
    record = LatencySettings(model="lognormal", entry_ms=8, sigma=0.3).record(42)
    draws = np.array([delay(record, TRIPS, ENTRY, 0, order, 0, 0.0) for order in range(5000)])
    assert np.median(draws) == pytest.approx(8000, rel=0.02)
    assert np.log(draws).std() == pytest.approx(0.3, rel=0.05)
    assert delay(record, TRIPS, ENTRY, 99, 7, 0, 0.0) == draws[7]


@pytest.mark.parametrize(
    ("ts", "entry", "reply"),
    [(0, 100, 10), (1000, 100, 10), (1500, 200, 15), (2000, 300, 20), (3000, 200, 30), (9000, 100, 40)],
)
def test_recorded_latency_is_interpolated(ts, entry, reply):
    """Linear between measured round trips; before the first and after the last, the nearest."""
    record = LatencySettings(model="recorded").record(42)
    assert delay(record, TRIPS, ENTRY, ts, 1, 0, 0.0) == entry
    assert delay(record, TRIPS, REPLY, ts, 1, 0, 0.0) == reply


@pytest.mark.parametrize(
    ("trips", "message"),
    [
        (TRIPS[::-1], "row 1, of 1970-01-01 00:00:00.002000, does not come after the one before"),
        (TRIPS[:0], "No measured round trips"),
        (np.array([(1, 5, 3), (2, 5, 0), (3, -5, 3)], ROUND_TRIP), "row 2, of .*, took less than no time"),
        (np.array([(1, 5, -3)], ROUND_TRIP), "row 0, of .*, took less than no time"),
    ],
)
def test_unusable_round_trips_are_refused(trips, message):
    """Unsorted, absent or negative measurements raise, with the first such row and its time."""
    with pytest.raises(ValidationError, match=message):
        check_round_trips(trips)


def test_latency_grows_with_the_rate_of_events():
    """At 2 ms for each thousand a second, 3,000 a second add 6 ms; the rate is that of the last 100 ms."""
    record = LatencySettings(model="constant", entry_ms=8, reply_ms=5, load_ms=2).record(42)
    assert delay(record, TRIPS, ENTRY, 0, 1, 0, 3.0) == 14_000
    events = np.zeros(400, BOOK_EVENT)
    events["ts_event"] = np.repeat([1_000, 150_000], [100, 300])
    assert busy(events, 1_000) == 1.0
    assert busy(events, 150_000) == 3.0
    assert busy(events, 100_999) == 1.0
    assert busy(events, 101_000) == 0.0


def messages(count, rows=2):
    """`count` messages of `rows` rows, a millisecond apart."""
    events = np.zeros(count * rows, BOOK_EVENT)
    events["ts_event"] = np.repeat(np.arange(count) * 1000, rows)
    events["ts_recv"] = events["ts_event"] + 7
    events["last"] = np.tile([0] * (rows - 1) + [1], count)
    return events


def test_feed_delays_come_from_config_and_seed():
    """As recorded nothing changes; a constant is added; draws have their median and hold for a message."""
    events = messages(4000)
    assert FeedSettings().apply(events, 1) is events
    heard = FeedSettings(model="constant", delay_ms=3).apply(events, 1)
    assert set((heard["ts_recv"] - heard["ts_event"]).tolist()) == {3000}
    drawn = FeedSettings(model="lognormal", delay_ms=5, sigma=0.5, in_order=False)
    late = [drawn.apply(events, seed)["ts_recv"] - events["ts_event"] for seed in (1, 1, 2)]
    assert (late[0] == late[1]).all()
    assert (late[0] != late[2]).any()
    assert np.median(late[0]) == pytest.approx(5000, rel=0.05)
    assert (late[0][::2] == late[0][1::2]).all()
    assert events["ts_recv"][0] == 7  # a copy


def test_messages_overtake_each_other_only_if_they_may():
    """With a spread of many messages some arrive out of order; on one connection none does."""
    events = messages(1000)
    for in_order in (False, True):
        feed = FeedSettings(model="lognormal", delay_ms=5, sigma=1.0, in_order=in_order)
        backwards = (np.diff(feed.apply(events, 3)["ts_recv"]) < 0).any()
        assert backwards is np.bool_(not in_order)


def test_the_feed_slows_down_when_much_happens():
    """10 ms for each thousand a second: the tenth of ten events at one moment waits 1 ms, ten in 100 ms being 0.1."""
    events = np.zeros(10, BOOK_EVENT)
    events["last"] = 1
    heard = FeedSettings(model="constant", delay_ms=0, load_ms=10).apply(events, 1)
    assert heard["ts_recv"].tolist() == [100 * k for k in range(1, 11)]
