"""Timers: due at whole multiples of their period, after all that was received by then, and before what comes later."""

import numpy as np
import pytest

from scripted import MINUTE, QUICK, UNLIMITED, columns, done, flat, free, perpetual, play
from truewind.engine.compiled import build, obstacle
from truewind.engine.merge import TS_EVENT, merge, merge_trades
from truewind.engine.portfolio import Member, PortfolioEngine, Team
from truewind.errors import ConfigError
from truewind.execution.simulated.latency import ROUND_TRIP, Latency, OrderLatency, RowFeed
from truewind.portfolio.margin import MarginSettings
from truewind.storage.journal import JournalWriter, journal_tables
from truewind.strategies.base import Strategy
from truewind.strategies.crypto.ema_cross import EmaCross

SECOND = 1_000_000


class Clockwork(Strategy):
    """Writes down when it is called and what it last saw; does `acts[n]` on its n-th timer."""

    def __init__(self, period, acts=None, log=None, name=""):
        super().__init__()
        self.timer_us, self.acts, self.name = period, acts or {}, name
        self.log = [] if log is None else log
        self.last, self.count = None, 0

    def on_bar(self, bar):
        self.last = bar.ts_event
        self.log.append((self.name + "bar", self.desk.now_us))

    def on_trade(self, trade):
        self.last = trade.ts_event
        self.log.append((self.name + "trade", self.desk.now_us))

    def on_timer(self):
        self.log.append((self.name + "timer", self.desk.now_us))
        if self.count in self.acts:
            self.acts[self.count](self)
        self.count += 1


def test_a_timer_comes_at_its_multiples_after_the_bar_of_that_time():
    """Bars close at 2:00, 3:00 … 5:00; every 90 seconds: 3:00 (after the bar), 4:30."""
    strategy = Clockwork(90 * SECOND)
    play({"BTCUSDT": columns([flat(100)] * 4, start=MINUTE)}, strategy)
    assert strategy.log == [
        ("bar", 2 * MINUTE), ("bar", 3 * MINUTE), ("timer", 3 * MINUTE), ("bar", 4 * MINUTE),
        ("timer", 270 * SECOND), ("bar", 5 * MINUTE),
    ]  # fmt: skip


def test_orders_of_a_timer_carry_its_time_and_meet_the_next_open():
    """Sent at 1:30, inside the bar from 1:00 to 2:00: the first open after it is that of 2:00, at 102."""
    bars = [(p, p + 0.5, p - 0.5, p) for p in (100.0, 101.0, 102.0, 103.0)]
    engine = play(bars, Clockwork(90 * SECOND, {0: lambda s: s.buy(1)}))
    assert [(fill.row, fill.price) for fill in done(engine)] == [(2, 102.0)]
    assert set(engine.events["ts"][engine.events["order"] == 1][:1]) == {90 * SECOND}
    on_the_minute = play(bars, Clockwork(MINUTE, {0: lambda s: s.buy(1)}))
    assert [(fill.row, fill.price) for fill in done(on_the_minute)] == [(1, 101.0)]


def test_what_comes_later_does_not_move_what_a_timer_did():
    """Prices after the timer are others: what was sent, and when, is the same."""
    sent = []
    for later in (1.0, 1.3):
        draw = np.random.default_rng(1)
        closes = 100 + draw.normal(0, 1, 40).cumsum()
        closes[20:] *= later
        bars = [(float(p), float(p) + 1, float(p) - 1, float(p)) for p in closes]

        def act(s):
            s.buy(round(abs(s.position().quantity) + s.account.equity / 1e6, 3))

        engine = play(bars, Clockwork(7 * 30 * SECOND, dict.fromkeys(range(20), act)))
        early = engine.events[engine.events["ts"] <= 20 * MINUTE]
        sent.append(early[["ts", "order", "lots"]].tolist())
    assert len(sent[0]) > 4
    assert sent[0] == sent[1]


def test_a_quiet_market_keeps_time():
    """Nothing is traded from 1 s to 10 s: the timers between are called one after the other, at their times."""
    strategy = Clockwork(3 * SECOND)
    run_trades([(1, 100.0), (10, 101.0)], strategy)
    assert strategy.log == [("trade", 1 * SECOND), *(("timer", n * SECOND) for n in (3, 6, 9)), ("trade", 10 * SECOND)]


def run_trades(rows, strategy, feed=None, reply_ms=0.0):
    ts, price = (np.array(rows, np.float64).T * [[SECOND], [1.0]]).copy()
    ones = np.ones(len(ts))
    table = {"ts": ts.astype(np.int64), "price": price, "quantity": ones, "side": ones.astype(np.int64)}
    tape = merge_trades({"BTCUSDT": table})
    if feed is not None:
        tape.receive(feed.received(tape.times[TS_EVENT], 42))
    latency = QUICK if not reply_ms else OrderLatency(model="constant", entry_ms=0.0, reply_ms=reply_ms)
    listed = [perpetual()]
    engine = build(
        "event", tape, listed, strategy, cash=1e6, currency="USDT", costs=free().record(20.0),
        limits=UNLIMITED.record(20.0), margin=MarginSettings().terms(listed, {}, 20.0),
        latency=Latency(latency.record(42), np.zeros(0, ROUND_TRIP)),
    )  # fmt: skip
    engine.run()
    return engine


def test_who_hears_late_knows_by_the_timer_what_was_told_by_then():
    """Rows take 500 ms. Bought on the trade of 1 s (heard 1.5), filled by that of 2 s, told 1 s later: known at 4 s."""
    knows = []

    class Late(Clockwork):
        def on_trade(self, trade):
            super().on_trade(trade)
            if len(self.log) == 1:
                self.buy(1)

        def on_timer(self):
            super().on_timer()
            knows.append((self.desk.now_us / SECOND, self.last / SECOND, self.position().quantity))

    feed = RowFeed(model="constant", delay_ms=500.0)
    run_trades([(1, 100.0), (2, 101.0), (3.4, 102.0), (8, 103.0)], Late(2 * SECOND), feed, reply_ms=1000.0)
    assert knows == [(2.0, 1.0, 0.0), (4.0, 3.4, 1.0), (6.0, 3.4, 1.0), (8.0, 3.4, 1.0)]


def test_each_of_several_strategies_has_its_own_timer(tmp_path):
    """Every minute and every two, in the order of the strategies at one time; the journal says whose it was."""
    log = []
    made = {"BTCUSDT": columns([flat(100)] * 4)}
    one = Clockwork(2 * MINUTE, {0: lambda s: s.buy(2)}, log, "a ")
    two = Clockwork(MINUTE, {1: lambda s: s.sell(1)}, log, "b ")
    listed = [perpetual()]
    team = Team([Member("a", one, ("BTCUSDT",)), Member("b", two, ("BTCUSDT",))])
    with JournalWriter(tmp_path / "journal.twj") as journal:
        engine = PortfolioEngine(
            merge(made, {"BTCUSDT": MINUTE}), listed, team, cash=10_000.0, currency="USDT", costs=free().record(20.0),
            limits=UNLIMITED.record(20.0), margin=MarginSettings().terms(listed, {}, 20.0), journal=journal,
        )  # fmt: skip
        engine.run()
    minutes = [(what, at // MINUTE) for what, at in log if "timer" in what]
    assert minutes == [("b timer", 1), ("a timer", 2), ("b timer", 2), ("b timer", 3), ("a timer", 4), ("b timer", 4)]
    assert [(int(fill["owner"]), int(fill["side"]), int(fill["lots"])) for fill in engine.fills] == [
        (0, 1, 2000), (1, -1, 1000),
    ]  # fmt: skip
    told = journal_tables(tmp_path / "journal.twj")["timer"]
    assert told["name"].to_list() == ["b", "a", "b", "b", "a", "b"]
    assert told["ts"].to_list() == [n * MINUTE for n in (1, 2, 2, 3, 4, 4)]


def test_a_timer_needs_a_period_and_the_event_lane():
    with pytest.raises(ConfigError, match="timer_us is 0"):
        play([flat(100)] * 2, Clockwork(0))

    class Timed(EmaCross):
        def on_timer(self):
            pass

    assert obstacle(Timed()) == "it overrides a callback of SignalStrategy"
