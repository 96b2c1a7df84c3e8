"""Nested bars: decisions on coarse ones, matching on fine ones."""

import numpy as np
import pytest

from scripted import MINUTE, UNLIMITED, Done, Scripted, columns, done, flat, free, perpetual
from truewind.backtest.data import DataSettings
from truewind.backtest.replay import replay
from truewind.config import parse
from truewind.domain.clock import parse_ts_us
from truewind.domain.signal import HOLD
from truewind.engine.compiled import build
from truewind.engine.engine import Engine
from truewind.engine.merge import merge
from truewind.engine.nested import nest
from truewind.errors import ConfigError, StrategyError
from truewind.strategies.base import SignalStrategy

CALM = flat(100)
THREE = 3 * MINUTE


def coarse_of(fine, ts):
    """Bars of three minutes from candles of one, by hand: first open, highest high, lowest low, last close."""
    parts = [fine[i : i + 3] for i in range(0, len(fine), 3)]
    candles = [(p[0][0], max(b[1] for b in p), min(b[2] for b in p), p[-1][3]) for p in parts]
    return columns(candles, start=ts, step=THREE)


def engine_on(timeline, strategy, symbols=("BTCUSDT",), make=Engine, **how):
    settings = {"cash": 1e6, "currency": "USDT", "costs": free().record(20.0), "limits": UNLIMITED.record(20.0)} | how
    return make(timeline, [perpetual(symbol) for symbol in symbols], strategy, **settings)


def nested(fine):
    timeline, lost = nest(
        merge({"BTCUSDT": columns(fine)}, {"BTCUSDT": MINUTE}), {"BTCUSDT": coarse_of(fine, 0)}, THREE
    )
    assert lost == 0
    return timeline


FIRST_UP = [CALM] * 6 + [(100, 111, 100, 108), (108, 108, 94, 96), flat(96), CALM, CALM, CALM]


def enter(s):
    s.buy(1, stop_loss=95, take_profit=110)


def test_the_order_of_prices_inside_a_coarse_bar_is_that_of_the_fine_ones():
    """110 comes a minute before 95: the target. On the coarse bar alone the worse is assumed: the stop."""
    strategy = Scripted({0: enter})
    engine = engine_on(nested(FIRST_UP), strategy)
    engine.run()
    assert done(engine) == [Done(3, "trade", 1, 100.0, 1000), Done(6, "trade", -1, 110.0, 1000, maker=True)]
    alone = engine_on(merge({"BTCUSDT": coarse_of(FIRST_UP, 0)}, {"BTCUSDT": THREE}), Scripted({0: enter}))
    alone.run()
    assert [fill.price for fill in done(alone)] == [100.0, 95.0]


def test_the_strategy_sees_coarse_bars_at_their_close():
    """Four of them, with their own prices and times; fills of the minutes before are told first."""
    strategy = Scripted({0: enter})
    engine = engine_on(nested(FIRST_UP), strategy)
    engine.run()
    assert [(bar.ts, bar.ts_event) for bar in strategy.bars] == [(i * THREE, (i + 1) * THREE) for i in range(4)]
    assert [(bar.open, bar.high, bar.low, bar.close) for bar in strategy.bars][2] == (100.0, 111.0, 94.0, 96.0)
    assert len(engine.equity) == 12
    assert [fill.ts_event for fill in strategy.told] == [3 * MINUTE, 7 * MINUTE]


def test_it_is_the_run_on_fine_bars_of_a_strategy_that_acts_on_coarse_closes_only():
    """The same orders, fills and equity, to the last bit, on random minutes."""
    random = np.random.default_rng(3)
    close = 100 + np.cumsum(random.integers(-20, 21, 90)) / 10
    fine = [(c, c + 2, c - 2, c) for c in close.round(1).tolist()]

    def act(s):
        s.cancel_all()
        s.buy(1, limit=s.bars[-1].close - 1.5, stop_loss=s.bars[-1].close - 3, take_profit=s.bars[-1].close + 1)

    slow = engine_on(
        merge({"BTCUSDT": columns(fine)}, {"BTCUSDT": MINUTE}), Scripted(dict.fromkeys(range(2, 90, 3), act))
    )
    fast = engine_on(nested(fine), Scripted(dict.fromkeys(range(30), act)))
    for engine in (slow, fast):
        engine.run()
    assert fast.fills.tobytes() == slow.fills.tobytes()
    assert fast.events.tobytes() == slow.events.tobytes()
    assert fast.equity.tobytes() == slow.equity.tobytes()
    assert len(fast.fills) > 10


def test_coarse_bars_that_no_fine_bar_leads_to_are_counted():
    """Minutes 3 to 8 are missing: the second and third bar stand on the row of the first, and only the last is seen."""
    table = {name: np.delete(column, range(3, 9)) for name, column in columns(FIRST_UP).items()}
    timeline, lost = nest(merge({"BTCUSDT": table}, {"BTCUSDT": MINUTE}), {"BTCUSDT": coarse_of(FIRST_UP, 0)}, THREE)
    assert lost == 2
    strategy = Scripted({})
    engine_on(timeline, strategy).run()
    assert [bar.ts_event for bar in strategy.bars] == [3 * THREE, 4 * THREE]


def test_two_symbols_each_on_rows_of_their_own():
    """Both close at the same times; each is decided on once a coarse bar."""
    bars = {"AAA": columns(FIRST_UP), "BBB": columns([flat(50)] * 12)}
    inner = merge(bars, dict.fromkeys(bars, MINUTE))
    timeline, lost = nest(inner, {"AAA": coarse_of(FIRST_UP, 0), "BBB": coarse_of([flat(50)] * 12, 0)}, THREE)
    strategy = Scripted({})
    engine_on(timeline, strategy, ("AAA", "BBB")).run()
    assert [(bar.symbol, bar.ts_event // THREE) for bar in strategy.bars] == [
        (symbol, i) for i in range(1, 5) for symbol in ("AAA", "BBB")
    ]
    assert lost == 0


def test_the_compiled_lane_says_that_it_cannot_and_auto_takes_the_other():
    """Its loop decides on every row."""
    strategy = type("Idle", (SignalStrategy,), {"decide": staticmethod(lambda row, position, params: HOLD)})()
    settings = {"cash": 1e6, "currency": "USDT", "costs": free().record(20.0), "limits": UNLIMITED.record(20.0)}
    with pytest.raises(StrategyError, match="inner_timeframe"):
        build("compiled", nested(FIRST_UP), [perpetual()], strategy, **settings)
    assert type(build("auto", nested(FIRST_UP), [perpetual()], strategy, **settings)) is Engine


# -- from the lake ------------------------------------------------------------------------------------------


def test_from_the_lake(lake, store):
    """Features are those of the coarse bars; volume, gaps and the snapshot know of the fine ones."""
    store("BTCUSDT", FIRST_UP)
    store("BTCUSDT", [(100, 111, 94, 96 + i) for i in range(4)], minutes=range(0, 12, 3), timeframe="3m")
    asked = parse(DataSettings, {"venue": "test", "symbols": "BTCUSDT", "timeframe": "3m", "inner_timeframe": "1m"})
    found = replay(lake, asked, {"mean": "sma(2)"})
    assert found.timeline.wanted.tolist() == [2, 5, 8, 11]
    rows = [row for _, part in found.timeline.chunks(found.timeline.wanted) for row in part]
    assert [row.close for row in rows] == [96, 97, 98, 99]
    assert [row.mean for row in rows][1:] == [96.5, 97.5, 98.5]
    assert rows[0].ts_event == parse_ts_us("2024-01-01T00:03")
    assert len(found.timeline.volumes) == 12
    assert found.snapshot.id == lake.snapshot().id


@pytest.mark.parametrize(
    "wrong", [{"timeframe": "5m"}, {"timeframe": "3m", "inner_timeframe": "3m"}, {"kind": "trades"}]
)
def test_timeframes_that_do_not_fit_are_refused(wrong):
    """3m does not divide 5m; equal ones are no nest; trades have none."""
    asked = {"venue": "test", "symbols": "BTCUSDT", "timeframe": "9m", "inner_timeframe": "3m"} | wrong
    if "kind" in wrong:
        del asked["timeframe"]
    with pytest.raises(ConfigError, match="inner_timeframe"):
        parse(DataSettings, asked)
