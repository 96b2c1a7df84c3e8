"""What a strategy hears late: replies that take their way, rows out of order. The venue's own order never changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import QUICK, UNLIMITED, Scripted, done, flat, free, perpetual
from scripted import build as on_bars
from truewind.domain.order import Event, Reason
from truewind.engine.compiled import build
from truewind.engine.late import LateEngine
from truewind.engine.merge import TS_EVENT, merge_trades
from truewind.errors import StrategyError
from truewind.execution.simulated.latency import ROUND_TRIP, Latency, OrderLatency, RowFeed
from truewind.strategies.base import Strategy

SECOND = 1_000_000
NONE = np.zeros(0, ROUND_TRIP)


class Diary(Strategy):
    """Does `acts[n]` on the n-th trade that it is shown, and writes down what it knows, and when."""

    def __init__(self, acts):
        super().__init__()
        self.acts, self.seen, self.fills, self.known = acts, [], [], []

    def on_trade(self, trade):
        act = self.acts.get(len(self.seen))
        self.seen.append(trade)
        if act:
            act(self)
        held = [order.filled for order in self.working()]
        self.known.append((self.desk.now_us / SECOND, self.position().quantity, held))

    def on_fill(self, fill):
        self.fills.append((self.desk.now_us / SECOND, fill.ts_event / SECOND, fill.price))


def play(rows, does, latency=QUICK, trips=NONE, feed=None, lane="event", limits=UNLIMITED):
    """A run on (second, price) trades, of a strategy or of a Diary with these acts."""
    strategy = does if isinstance(does, Strategy) else Diary(does)
    ts, price = (np.array(rows, np.float64).T * [[SECOND], [1.0]]).copy()
    ones = np.ones(len(ts))
    table = {"ts": ts.astype(np.int64), "price": price, "quantity": ones, "side": ones.astype(np.int64)}
    tape = merge_trades({"BTCUSDT": table})
    if feed is not None:
        tape.receive(feed.received(tape.times[TS_EVENT], 42))
    money = {"cash": 1e6, "currency": "USDT", "costs": free().record(20.0), "limits": limits.record(20.0)}
    engine = build(lane, tape, [perpetual()], strategy, latency=Latency(latency.record(42), trips), **money)
    engine.run()
    return engine


RISING = [(second, 100 + second) for second in range(6)]


def test_a_fill_is_heard_of_when_its_reply_has_come():
    """Filled at second 1, heard of at 2.5: until then the position is flat, and the order looks as if it worked."""
    engine = play(RISING, {0: lambda s: s.buy(1)}, OrderLatency(entry_ms=0, reply_ms=1500))
    assert engine.strategy.fills == [(2.5, 1.0, 101.0)]
    assert engine.strategy.known == [
        (0.0, 0.0, [0]), (1.0, 0.0, [0]), (2.0, 0.0, [0]), (3.0, 1.0, []), (4.0, 1.0, []), (5.0, 1.0, []),
    ]  # fmt: skip


def test_what_flattens_acts_by_what_the_venue_knows():
    """At 90 too much is lost at second 3; the way out is sent then, though the strategy hears of all that later."""
    fall = [(0, 100), (1, 100), (2, 100), (3, 90), (4, 89), (5, 88), (6, 88)]
    limits = UNLIMITED.model_copy(update={"max_drawdown": 0.01, "on_drawdown": "flatten"})
    latency = OrderLatency(entry_ms=0, reply_ms=1500)
    engine = play(fall, {0: lambda s: s.buy(2_000), 4: lambda s: s.buy(1)}, latency, limits=limits)
    assert [(int(latch["row"]), int(latch["ts"])) for latch in engine.latches] == [(3, 3 * SECOND)]
    assert engine.strategy.fills == [(2.5, 1.0, 100.0), (5.5, 4.0, 89.0)]
    assert [quantity for _, quantity, _ in engine.strategy.known] == [0.0, 0.0, 0.0, 2_000.0, 2_000.0, 2_000.0, 0.0]


def test_an_order_sent_on_a_report_starts_when_the_report_is_heard():
    """Heard at 2.5 and answered at once, with a way of half a second: there at 3, so that the trade of 4 fills."""
    again = type("Again", (Diary,), {"on_fill": lambda self, fill: self.buy(1) if fill.price == 101.0 else None})
    engine = play(RISING, again({0: lambda s: s.buy(1)}), OrderLatency(entry_ms=500, reply_ms=1500))
    assert [fill.price for fill in done(engine)] == [101.0, 104.0]
    assert [event["ts"] / SECOND for event in engine.events if event["event"] == Event.SUBMIT] == [0.0, 2.5]


def test_replies_are_measured_too():
    """At second 1 a reply takes 3 s: heard at 4, with the trade of 4, before it."""
    trips = np.array([(0, 0, 3 * SECOND)], ROUND_TRIP)
    engine = play(RISING, {0: lambda s: s.buy(1)}, OrderLatency(model="recorded"), trips)
    assert engine.strategy.fills == [(4.0, 1.0, 101.0)]


def test_what_is_still_on_its_way_at_the_end_is_told():
    engine = play(RISING, {0: lambda s: s.buy(1)}, OrderLatency(entry_ms=0, reply_ms=60_000))
    assert engine.strategy.fills == [(61.0, 1.0, 101.0)]


def test_a_bar_is_decided_on_before_its_late_fill_is_known():
    """On bars: the entry fills at the open of minute 1, heard of 90 s later, in minute 2."""
    looks = {row: lambda s: s.told.append(s.position().quantity) for row in (1, 2)}
    engine = on_bars([flat(100)] * 4, Scripted({0: lambda s: s.buy(1), **looks}))
    late = build(
        "event", engine.timeline, engine.instruments, Scripted({0: lambda s: s.buy(1), **looks}),
        latency=Latency(OrderLatency(entry_ms=0, reply_ms=90_000).record(42), NONE),
        cash=1e6, currency="USDT", costs=free().record(20.0), limits=UNLIMITED.record(20.0),
    )  # fmt: skip
    late.run()
    assert [getattr(told, "quantity", told) for told in late.strategy.told] == [0.0, 1.0, 1.0]
    assert late.strategy.told[1].ts_event == 60_000_000


def test_only_the_event_lane_hears_late():
    with pytest.raises(StrategyError, match="replies take time"):
        play(RISING, {}, OrderLatency(reply_ms=5), lane="compiled")


class Blind(Diary):
    """Sends all of its orders before the first row, and only keeps a diary afterwards."""

    def on_start(self):
        for side, how in [(self.buy, {"limit": 99}), (self.buy, {"stop": 101}), (self.sell, {"stop": 97})]:
            side(1, **how)


@given(st.integers(0, 2**32), st.floats(0.05, 0.9), st.sampled_from([10.0, 3000.0]), st.booleans())
def test_rows_out_of_order_change_nothing_for_who_does_not_look_at_them(seed, share, late_ms, replies):
    """Equal orders give equal fills and equity, to the last bit, however disordered the rows come; no order fills
    before it has arrived, and every row is shown once, when it is received, in that order."""
    random = np.random.default_rng(seed)
    seconds = np.cumsum(random.integers(1, 9, 60)) / 4
    rows = list(zip(seconds, 100 + np.round(np.cumsum(random.normal(0, 1, 60)), 1), strict=True))
    latency = OrderLatency(entry_ms=700, reply_ms=900 if replies else 0)
    feed = RowFeed(late_share=share, late_ms=late_ms)
    calm, wild = play(rows, Blind({}), latency), play(rows, Blind({}), latency, feed=feed)
    # What still works at the end expires when the last row has been received.
    lived, also = (run.events[run.events["reason"] != Reason.END_OF_DATA] for run in (calm, wild))
    assert also.tobytes() == lived.tobytes()
    assert wild.fills.tobytes() == calm.fills.tobytes()
    assert wild.equity.tobytes() == calm.equity.tobytes()
    sent = int(calm.timeline.times[TS_EVENT][0])
    assert all(int(fill["ts"]) > sent + 700_000 for fill in calm.fills)
    late = wild.timeline.received
    order = np.argsort(late, kind="stable")
    assert [trade.ts_event for trade in wild.strategy.seen] == calm.timeline.times[TS_EVENT][order].tolist()
    assert [now for now, _, _ in wild.strategy.known] == (late[order] / SECOND).tolist()
    assert isinstance(wild, LateEngine) == (wild.timeline.order is not None or replies)
