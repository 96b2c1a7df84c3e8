"""Runs on trades: a trade is a bar of no length."""

import numpy as np
import pytest

from scripted import UNLIMITED, done, fates, final_cash, free, perpetual
from truewind.domain.order import Reason, Status
from truewind.engine.engine import Engine
from truewind.engine.merge import merge_trades
from truewind.errors import DataError
from truewind.strategies.base import Strategy

SECOND = 1_000_000


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


def play(rows, acts, **how):
    by_symbol = rows if isinstance(rows, dict) else {"BTCUSDT": rows}
    engine = Engine(
        merge_trades({symbol: tape(each) for symbol, each in by_symbol.items()}),
        [perpetual(symbol) for symbol in by_symbol],
        OnTrades(acts),
        cash=1_000_000.0,
        currency="USDT",
        costs=free(**how).record(20.0),
        limits=UNLIMITED.record(20.0),
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
    engine = play(rows, {0: lambda s: s.buy(1)}, latency_ms=1500)
    assert [(fill.row, fill.price) for fill in done(engine)] == [(2, 102.0)]


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
