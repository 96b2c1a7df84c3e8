"""Runs on trades: a trade is a bar of no length."""

import numpy as np
import pytest

from scripted import QUICK, UNLIMITED, done, fates, final_cash, free, perpetual
from truewind.domain.order import Event, Reason, Status
from truewind.engine.compiled import build
from truewind.engine.merge import TS_EVENT, merge_trades
from truewind.errors import DataError
from truewind.execution.simulated.latency import ROUND_TRIP, Latency, OrderLatency, RowFeed
from truewind.strategies.base import Strategy

SECOND = 1_000_000
NONE = np.zeros(0, ROUND_TRIP)


class OnTrades(Strategy):
    """Does `acts[n]` on the n-th trade."""

    def __init__(self, acts):
        super().__init__()
        self.acts, self.seen = acts, []

    def on_trade(self, trade):
        act = self.acts.get(len(self.seen))
        self.seen.append(trade)
        if act:
            act(self)


def tape(rows):
    """Columns from (second, price, quantity, side)."""
    table = np.array(rows, np.float64)
    ts = (table[:, 0] * SECOND).astype(np.int64)
    return {"ts": ts, "price": table[:, 1], "quantity": table[:, 2], "side": table[:, 3].astype(np.int64)}


def play(rows, acts, latency=QUICK, trips=NONE, feed=None, **how):
    by_symbol = rows if isinstance(rows, dict) else {"BTCUSDT": rows}
    whole = merge_trades({symbol: tape(each) for symbol, each in by_symbol.items()})
    if feed is not None:
        whole.receive(feed.received(whole.times[TS_EVENT], 42))
    engine = build(
        "event",
        whole,
        [perpetual(symbol) for symbol in by_symbol],
        OnTrades(acts),
        cash=1_000_000.0,
        currency="USDT",
        costs=free(**how).record(20.0),
        limits=UNLIMITED.record(20.0),
        latency=Latency(latency.record(42), trips),
    )
    engine.run()
    return engine


def test_a_strategy_sees_every_trade_as_it_was_printed():
    """Price, quantity and aggressor arrive unchanged and in order."""
    engine = play([(0, 100.0, 2.0, 1), (1, 100.1, 0.5, -1)], {})
    assert [(t.ts_event, t.price, t.quantity, t.side) for t in engine.strategy.seen] == [
        (0, 100.0, 2.0, 1),
        (SECOND, 100.1, 0.5, -1),
    ]


def test_a_market_order_fills_at_the_next_trade_after_it_arrived():
    """Sent at second 0 with a latency of 1.5 s: the trade of second 1 comes too early, that of second 2 fills."""
    rows = [(0, 100, 1, 1), (1, 101, 1, 1), (2, 102, 1, 1)]
    engine = play(rows, {0: lambda s: s.buy(1)}, OrderLatency(entry_ms=1500))
    assert [(fill.row, fill.price) for fill in done(engine)] == [(2, 102.0)]


def test_latency_is_interpolated_between_measured_round_trips():
    """1 s for what is sent at 0, 3 s at 2: what is sent at 1 arrives at 3; the trade of that moment comes too early."""
    trips = np.array([(0, SECOND, 0), (2 * SECOND, 3 * SECOND, 0)], ROUND_TRIP)
    rows = [(0, 100, 1, 1), (1, 101, 1, 1), (2, 102, 1, 1), (3, 103, 1, 1), (3.5, 104, 1, 1)]
    engine = play(rows, {1: lambda s: s.buy(1)}, OrderLatency(model="recorded"), trips)
    assert [(fill.row, fill.price) for fill in done(engine)] == [(4, 104.0)]


def test_latency_grows_with_the_trades_of_the_last_tenth_of_a_second():
    """Of 51 trades 1 ms apart, and one long before, 51 are of it: 510 a second, which add 5.1 ms to the 8."""
    rows = [(0, 100, 1, 1), *((1 + i / 1000, 100, 1, 1) for i in range(51)), (2, 100, 1, 1)]
    engine = play(rows, {51: lambda s: s.buy(1)}, OrderLatency(load_ms=10))
    assert [event["ts"] for event in engine.events if event["event"] == Event.ACCEPT] == [1_050_000 + 8_000 + 5_100]


def test_a_late_feed_shows_trades_late_and_orders_start_from_there():
    """Two seconds late, the trade of second 0 is answered at 2: those of 1 and 2 are over, that of 3 fills."""
    rows = [(0, 100, 1, 1), (1, 101, 1, 1), (2, 102, 1, 1), (3, 103, 1, 1)]
    heard = []
    acts = {0: lambda s: heard.append(s.desk.now_us) or s.buy(1)}
    engine = play(rows, acts, feed=RowFeed(model="constant", delay_ms=2000))
    assert heard == [2 * SECOND]
    assert [trade.ts_recv - trade.ts_event for trade in engine.strategy.seen] == 4 * [2 * SECOND]
    assert [(fill.row, fill.price) for fill in done(engine)] == [(3, 103.0)]


def test_trades_at_the_very_time_of_the_order_do_not_fill_it():
    """Three prints of one moment: what is ordered on the first cannot meet the others."""
    rows = [(0, 100, 1, 1), (0, 90, 1, 1), (0, 80, 1, 1), (1, 101, 1, 1)]
    engine = play(rows, {0: lambda s: s.buy(1)})
    assert [(fill.row, fill.price) for fill in done(engine)] == [(3, 101.0)]


def test_a_resting_limit_needs_a_trade_through_it():
    """At 99 a print of 99 is not enough; one of 98.9 fills, at 98.9: all there is of that moment is that price."""
    rows = [(0, 100, 1, 1), (1, 99, 1, -1), (2, 98.9, 1, -1), (3, 100, 1, 1)]
    engine = play(rows, {0: lambda s: s.buy(1, limit=99)})
    assert [(fill.row, fill.maker) for fill in done(engine)] == [(2, True)]


def test_a_stop_fills_at_the_trade_that_reaches_it():
    """Long at 101, stop at 99, next prints 99.5 and 97: out at 97."""
    rows = [(0, 100, 1, 1), (1, 101, 1, 1), (2, 99.5, 1, -1), (3, 97, 1, -1), (4, 97, 1, -1)]
    engine = play(rows, {0: lambda s: s.buy(1, stop_loss=99)})
    assert [(fill.row, fill.price) for fill in done(engine)] == [(1, 101.0), (3, 97.0)]
    assert final_cash(engine) == 1_000_000.0 - 4.0


def test_two_symbols_interleave_by_time():
    """Each order waits for a trade of its own symbol."""
    rows = {"BTCUSDT": [(0, 100, 1, 1), (3, 103, 1, 1)], "ETHUSDT": [(1, 10, 1, 1), (2, 11, 1, 1)]}
    engine = play(rows, {1: lambda s: s.buy(1, symbol="BTCUSDT")})
    assert [trade.symbol for trade in engine.strategy.seen] == ["BTCUSDT", "ETHUSDT", "ETHUSDT", "BTCUSDT"]
    assert [(fill.row, fill.price) for fill in done(engine)] == [(3, 103.0)]
    assert fates(engine) == {1: (Status.FILLED, Reason.NONE)}


@pytest.mark.parametrize(
    "rows",
    [[(0, 100, 1, 1), (1, -1, 1, 1)], [(1, 100, 1, 1), (0, 100, 1, 1)], [(0, 100, 1, 1), (1, float("nan"), 1, 1)]],
)
def test_what_is_no_trade_is_refused(rows):
    """The error names the symbol and the row."""
    with pytest.raises(DataError, match="BTCUSDT: the trade in row 1"):
        play(rows, {})


# -- cancels and amendments that travel --------------------------------------------------------------------------------

LATE = OrderLatency(entry_ms=1500)


def keep(acts):
    """`acts`, in which `ids` is a list that they share."""
    ids = []
    return {n: (lambda s, act=act: act(s, ids)) for n, act in acts.items()}


def test_a_fill_that_comes_before_the_cancel_wins():
    """A bid of 99 rests; the cancel of second 2 arrives at 3.5, the print of 98 at second 3 fills: too late."""
    rows = [(0, 100, 1, 1), (2, 100, 1, 1), (3, 98, 1, -1), (4, 98, 1, -1)]
    acts = keep({0: lambda s, ids: ids.append(s.buy(1, limit=99)), 1: lambda s, ids: ids.append(s.cancel(ids[0]))})
    engine = play(rows, acts, LATE)
    assert [(fill.row, fill.maker) for fill in done(engine)] == [(2, True)]
    assert fates(engine) == {1: (Status.FILLED, Reason.NONE)}
    assert engine.refused == [(3_500_000, 1, "cancel", Reason.UNKNOWN_ORDER)]


def test_a_cancel_that_arrives_in_time_ends_the_order_at_its_arrival():
    """The same, with the print at 3.6: the order was cancelled at 3.5. One of that very moment still fills."""
    for second, fate in [(3.6, Status.CANCELLED), (3.5, Status.FILLED)]:
        rows = [(0, 100, 1, 1), (2, 100, 1, 1), (second, 98, 1, -1), (4, 98, 1, -1)]
        acts = keep({0: lambda s, ids: ids.append(s.buy(1, limit=99)), 1: lambda s, ids: s.cancel(ids[0])})
        engine = play(rows, acts, LATE)
        assert fates(engine)[1][0] == fate
        ended = [int(event["ts"]) for event in engine.events if event["event"] == Event.CANCEL]
        assert ended == ([3_500_000] if fate == Status.CANCELLED else [])


def test_an_amendment_takes_its_time():
    """From 99 to 97, known to the venue at 3.5: 98 printed at 3 fills at the old price, at 3.6 it does not."""
    for second, expected in [(3, [(2, 98.0)]), (3.6, [(4, 96.0)])]:
        rows = [(0, 100, 1, 1), (2, 100, 1, 1), (second, 98, 1, -1), (4, 98, 1, -1), (5, 96, 1, -1)]
        acts = keep({0: lambda s, ids: ids.append(s.buy(1, limit=99)), 1: lambda s, ids: s.amend(ids[0], price=97)})
        engine = play(rows, acts, LATE)
        assert [(fill.row, fill.price) for fill in done(engine)] == expected
        assert len(engine.refused) == (second == 3)


def test_a_cancel_that_overtakes_its_order_finds_none():
    """The order is sent while a trip takes 3 s, the cancel when one takes 0.1: the venue does not know it yet."""
    trips = np.array([(0, 3 * SECOND, 0), (SECOND, SECOND // 10, 0)], ROUND_TRIP)
    rows = [(0, 100, 1, 1), (1, 100, 1, 1), (2, 100, 1, 1), (4, 100, 1, 1)]
    acts = keep({0: lambda s, ids: ids.append(s.buy(1)), 1: lambda s, ids: s.cancel(ids[0])})
    engine = play(rows, acts, OrderLatency(model="recorded"), trips)
    assert engine.refused == [(1_100_000, 1, "cancel", Reason.UNKNOWN_ORDER)]
    assert [fill.row for fill in done(engine)] == [3]


def test_an_order_and_its_cancel_of_one_moment_never_meet_a_trade():
    """They come together; and what is known to have ended cannot be cancelled at all."""
    rows = [(0, 100, 1, 1), (2, 90, 1, -1), (3, 90, 1, -1)]
    said = []
    acts = {0: lambda s: said.append(s.cancel(s.buy(1))), 2: lambda s: said.append(s.cancel(1))}
    engine = play(rows, acts, LATE)
    assert said == [True, False]
    assert fates(engine) == {1: (Status.CANCELLED, Reason.BY_STRATEGY)}
