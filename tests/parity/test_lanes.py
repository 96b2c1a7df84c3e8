"""The two lanes are one: orders, fills, money and equity of event lane and compiled lane are the same bits."""

import math
from enum import IntEnum

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lanes import account, assert_same, backed, both, changing, world
from profiles import examples
from truewind.analytics.summary import summarise
from truewind.analytics.trades import round_trips
from truewind.backtest import tables
from truewind.config import Settings
from truewind.domain.fill import FillKind
from truewind.domain.order import Event, OrderType, Reason
from truewind.domain.signal import FLAT, HOLD, NAN, Signal, Want
from truewind.engine.compiled import CompiledEngine, Program, build
from truewind.engine.engine import Engine
from truewind.engine.merge import CLOSE, SYMBOL, TS_EVENT
from truewind.engine.state import State
from truewind.engine.trials import Bench, days_of
from truewind.errors import StrategyError
from truewind.execution.simulated.latency import RowFeed
from truewind.numerics import performance
from truewind.strategies.base import SignalStrategy, Strategy
from truewind.strategies.crypto.breakout import Breakout
from truewind.strategies.crypto.ema_cross import EmaCross
from truewind.strategies.sizing import SizingSettings

# -- built-in strategies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("symbols", [1, 2, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda: EmaCross(fast=5, slow=12),
        lambda: EmaCross(fast=3, slow=9, short=False),
        lambda: Breakout(entry=20, exit=10, atr=5, stop=1.5),
        lambda: Breakout(entry=12, exit=6, atr=3, stop=0.7, short=False),
    ],
)
@pytest.mark.parametrize("sizing", [SizingSettings(method="fraction", value=3.0), SizingSettings(value=0.02)])
def test_built_in_strategies_do_the_same_in_both_lanes(make, symbols, sizing):
    """On one symbol and on several, with funding, fees and a risk gate that reduces."""
    market = world(symbols, symbols, count=1500, reads=make().features())
    slow, fast = both(make, market, sizing, **account(max_position=2.5))
    assert_same(slow, fast)
    if sizing.method == "fraction" or isinstance(slow.strategy, Breakout):
        assert len(slow.fills) > 20


# -- any strategy ------------------------------------------------------------------------------------------------------


class Mood(IntEnum):
    """An enumeration of a user's own."""

    CALM = 0
    KEEN = 1


_KEEN_LONG = Signal(Want.LONG, 0.9, reason=7)


def distance(row, share):
    """A function of a user's own, which decide calls."""
    return row.close * share


class Scatter(SignalStrategy):
    """Anything may happen: what, is drawn from the bar's own digits."""

    class Params(Settings):
        salt: int
        idle: int
        style: str
        limits: bool
        stop: float
        stops: int
        target: float
        targets: int
        horizon: int

    @staticmethod
    def decide(row, position, params):
        draw = int(row.close * 10.0 + row.volume + params.salt) * 7919 % 1000
        mood = Mood.KEEN if draw % 2 == 1 else Mood.CALM
        if draw < params.idle:
            return HOLD
        if draw < params.idle + 60:
            return FLAT
        if draw < params.idle + 80 and position.side != Want.LONG:
            return _KEEN_LONG
        if params.style == "cautious" and position.side != 0 and position.quantity * (row.close - position.entry) < 0.0:
            return FLAT
        if position.stop == position.stop and row.ts_event - position.opened_us > 40 * 60_000_000:
            return Signal(Want.FLAT, reason=3)
        side = Want.LONG if mood == Mood.KEEN else Want.SHORT
        entry = NAN
        if params.limits and draw % 3 == 0:
            entry = row.close - side * distance(row, 0.001)
        at = row.close if entry != entry else entry
        stop = at - side * distance(row, params.stop) if draw % 5 < params.stops else NAN
        if draw % 7 < params.targets:
            near, far = at + side * distance(row, params.target), at + side * distance(row, 2.0 * params.target)
            return Signal(
                    side, entry=entry, stop=stop, target_1=far, target_2=near, target_4=near if draw % 2 else NAN,
                    horizon_us=params.horizon * (draw % 4) * 60_000_000, reason=draw,
                )  # fmt: skip
        return Signal(side=side, entry=entry, stop=stop, horizon_us=params.horizon * 60_000_000)


PARAMS = st.fixed_dictionaries(
    {
        "salt": st.integers(0, 10_000),
        "idle": st.sampled_from([0, 200, 700]),
        "style": st.sampled_from(["bold", "cautious"]),
        "limits": st.booleans(),
        "stop": st.sampled_from([0.002, 0.01, 0.08]),
        "stops": st.integers(0, 5),
        "target": st.sampled_from([0.001, 0.005, 0.03]),
        "targets": st.integers(0, 7),
        "horizon": st.sampled_from([0, 1, 9]),
    }
)
SIZINGS = st.sampled_from(
    [
        SizingSettings(method="fixed", value=3.0),
        SizingSettings(method="fraction", value=0.7),
        SizingSettings(method="fraction", value=25.0),
        SizingSettings(method="risk", value=0.1),
    ]
)


@examples(60)
@given(
    PARAMS,
    SIZINGS,
    st.integers(0, 2**32),
    st.integers(1, 3),
    st.sampled_from([1e-3, 8e-3, 3e-2]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_random_strategies_do_the_same_in_both_lanes(params, sizing, seed, symbols, wild, halts, rough, abroad, late):
    """Random brackets, targets, horizons, limit entries and turns on up to three symbols, with liquidations."""
    market = world(seed, symbols, wild=wild)
    if late:
        feed = RowFeed(model="lognormal", delay_ms=40_000, sigma=1.0)
        market[0].receive(feed.received(market[0].times[TS_EVENT], 42))
    limits = {"max_drawdown": 0.3} if halts else {}
    rates = changing(market, seed) if abroad else None
    beside = backed(market, seed) if abroad and seed % 3 == 0 else None
    money = account(cash=3_000.0, rough=rough, **limits)
    slow, fast = both(lambda: Scatter(**params), market, sizing, rates=rates, collateral=beside, **money)  # fmt: skip
    assert_same(slow, fast)
    kinds = set(slow.fills["kind"].tolist())
    event(f"liquidated: {FillKind.LIQUIDATION in kinds}, funding: {FillKind.FUNDING in kinds}")


def test_the_random_strategies_reach_the_rare_events():
    """Among them are liquidations, dues of all kinds, denials, reductions, brackets that fill, horizons that end."""
    kinds, reasons, types = set(), set(), set()
    params = {"salt": 3, "idle": 200, "style": "bold", "limits": True, "stop": 0.08, "stops": 4, "target": 0.001,
              "targets": 5, "horizon": 9}  # fmt: skip
    for seed in range(24):
        params["stop"] = 0.08 if seed < 6 else 0.003
        sizing = SizingSettings(method="fraction", value=25.0 if seed < 12 else 1.0)
        slow, _ = both(lambda: Scatter(**params), world(seed, 1 + seed % 3, wild=8e-3), sizing, **account(cash=3_000.0))
        kinds |= set(slow.fills["kind"].tolist())
        reasons |= {Reason(reason) for reason in slow.events["reason"].tolist()}
        types |= {(OrderType(kind), Event(what)) for kind, what in slow.events[["type", "event"]].tolist()}
    assert {FillKind.TRADE, FillKind.FUNDING, FillKind.LIQUIDATION} <= kinds
    assert {FillKind.DIVIDEND, FillKind.BORROW, FillKind.SWAP, FillKind.SPLIT, FillKind.SETTLEMENT} <= kinds
    assert {Reason.BY_STRATEGY, Reason.NOTHING_TO_REDUCE, Reason.EXPOSURE_CAP} <= reasons
    assert {(kind, Event.FILL) for kind in (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP)} <= types


def test_buffers_that_overflow_change_nothing(monkeypatch):
    """The compiled loop stops where a buffer is full and goes on from there, in the midst of a bar too."""
    params = {"salt": 1, "idle": 0, "style": "bold", "limits": True, "stop": 0.01, "stops": 5, "target": 0.005,
              "targets": 7, "horizon": 1}  # fmt: skip
    market, sizing = world(5, 2), SizingSettings(method="fraction", value=0.7)
    whole, _ = both(lambda: Scatter(**params), market, sizing, **account())
    monkeypatch.setattr(State.__init__, "__kwdefaults__", {"buffer_rows": 8})
    slow, fast = both(lambda: Scatter(**params), market, sizing, **account())
    assert_same(whole, slow)
    assert_same(whole, fast)


# -- what is refused, and how ------------------------------------------------------------------------------------------


def strategy_of(decide, **extra):
    return type("Made", (SignalStrategy,), {"decide": staticmethod(decide), "__module__": __name__, **extra})


def long_with_bad_stop(row, position, params):
    return Signal(Want.LONG, stop=row.close * 1.01) if row.volume > 0.0 else HOLD


def divides(row, position, params):
    return FLAT if 1.0 / (row.volume - 1.0) > 0.0 else HOLD


@pytest.mark.parametrize("decide", [long_with_bad_stop, divides])
def test_what_a_strategy_does_wrong_is_told_alike(decide):
    """A signal that cannot be acted on, and a division by zero, name the same bar in either lane."""
    said = []
    for kind in (Engine, CompiledEngine):
        timeline, instruments, dues = world(1, 2)
        engine = kind(timeline, instruments, strategy_of(decide)(), dues=dues, **account())
        with pytest.raises(StrategyError, match="AAAUSDT") as caught:
            engine.run()
        said.append(str(caught.value).replace("float division", "division"))
    assert said[0] == said[1]


def reads_the_symbol(row, position, params):
    return FLAT if row.symbol == "AAAUSDT" else HOLD


def asks_for_an_object(row, position, params):
    return FLAT if open("nothing") else HOLD


@pytest.mark.parametrize("decide", [reads_the_symbol, asks_for_an_object])
def test_what_cannot_be_compiled_is_refused_with_the_reason_and_the_way_out(decide):
    """And runs in the event lane, which lane: auto takes by itself."""
    timeline, instruments, dues = world(1, 1)
    strategy = strategy_of(decide)()
    with pytest.raises(StrategyError, match=r"compiled lane.*line \d+\).*event lane"):
        build("compiled", timeline, instruments, strategy, dues=dues, **account())
    assert type(build("auto", timeline, instruments, strategy, dues=dues, **account())) is Engine


def test_python_only_parts_confine_a_strategy_to_the_event_lane():
    """Callbacks, an overridden on_bar or on_fill, and a decide that is a method."""
    timeline, instruments, dues = world(1, 1)
    hold = lambda row, position, params: HOLD  # noqa: E731
    for strategy, reason in [
        (Strategy(), "callbacks"),
        (strategy_of(hold, on_bar=lambda self, bar: None)(), "overrides"),
        (strategy_of(hold, on_fill=lambda self, fill: None)(), "overrides"),
        (type("Own", (SignalStrategy,), {"decide": lambda self, row, position, params: HOLD})(), "static"),
    ]:
        with pytest.raises(StrategyError, match=reason):
            build("compiled", timeline, instruments, strategy, dues=dues, **account())


def test_a_strategy_reads_its_declared_fields_in_both_lanes():
    """Nothing else exists in either."""

    def decide(row, position, params):
        return Signal(Want.LONG if row.close > row.open else Want.SHORT)

    market = timeline, instruments, dues = world(5, 2)
    reader = strategy_of(decide, fields=("open", "close"))
    slow, fast = both(reader, market, SizingSettings(method="fraction", value=0.5), **account())
    assert_same(slow, fast)
    assert len(slow.fills) > 10
    blind = strategy_of(decide, fields=("close",))
    with pytest.raises(StrategyError, match=r"compiled lane.*open"):
        build("compiled", timeline, instruments, blind(), dues=dues, **account())
    with pytest.raises(StrategyError, match="no attribute 'open'"):
        build("event", timeline, instruments, blind(), dues=dues, **account()).run()


def test_a_strategy_that_sleeps_is_called_on_the_same_bars():
    """wakes_on holds in both lanes; between its bars a horizon does not end a position in either."""
    params = {"salt": 1, "idle": 0, "style": "bold", "limits": False, "stop": 0.01, "stops": 3, "target": 0.005,
              "targets": 3, "horizon": 1}  # fmt: skip
    timeline, instruments, dues = world(9, 2)
    timeline.columns["alarm"] = np.where(np.arange(len(timeline)) % 3 == 0, 1.0, np.nan)
    sleeper = type("Sleeper", (Scatter,), {"wakes_on": "alarm"})
    slow, fast = both(lambda: sleeper(**params), (timeline, instruments, dues), SizingSettings(), **account())
    assert_same(slow, fast)
    assert len(slow.fills) > 10


# -- trials ------------------------------------------------------------------------------------------------------------


@examples(25)
@given(PARAMS, SIZINGS, st.integers(0, 2**32), st.integers(1, 3))
def test_a_trial_gives_the_figures_of_a_backtest(params, sizing, seed, symbols):
    """Equity, counts and fees the same bits; daily returns and what follows from them those of numerics.performance."""
    timeline, instruments, dues = market = world(seed, symbols, count=3_000, wild=8e-3)
    slow, _ = both(lambda: Scatter(**params), market, sizing, **account())
    bench = Bench(timeline, instruments, days_of(timeline), sizing=sizing, dues=dues, **account())
    strategy = Scatter(**params)
    program = Program(strategy, tuple(timeline.columns), symbols)
    inputs = program.inputs(timeline.columns, strategy.values)
    (first, days), again = bench.run(program, inputs), bench.run(program, inputs)
    assert str((first, days)) == str(again)
    moments = days_of(timeline).moments
    ts, equity = timeline.times[1][moments], slow.equity[moments]
    money = slow.account()
    trades = slow.fills[(slow.fills["lots"] > 0) & (slow.fills["kind"] != FillKind.SPLIT)]
    assert (first.final_equity, first.fees, first.funding) == (equity[-1], money.fees, money.funding)
    assert (first.fills, first.orders) == (len(trades), len(np.unique(slow.events["order"])))
    _, returns = performance.daily_returns(ts, equity, 10_000.0, every_day=True)
    assert days == pytest.approx(returns, abs=1e-7, nan_ok=True)
    assert first.sharpe == pytest.approx(performance.sharpe(returns, 365), rel=1e-9, nan_ok=True)
    assert first.sortino == pytest.approx(performance.sortino(returns, 365), rel=1e-9, nan_ok=True)
    assert first.volatility == pytest.approx(performance.volatility(returns, 365), rel=1e-9, nan_ok=True)
    assert first.max_drawdown == pytest.approx(performance.max_drawdown(equity, 10_000.0), rel=1e-12)
    summary = summary_of(slow)
    names = ("trades", "win_rate", "profit_factor", "expectancy", "exposure", "turnover", "slippage", "cagr", "calmar")
    told = [math.nan if summary[name] is None else summary[name] for name in names]
    assert [getattr(first, name) for name in names] == pytest.approx(told, rel=1e-9, nan_ok=True)
    assert [first.skew, first.kurtosis] == pytest.approx(
        [math.nan if summary[name] is None else summary[name] for name in ("skew", "kurtosis")], rel=1e-6, nan_ok=True
    )


def summary_of(engine):
    """The summary of a backtest, from its tables."""
    units = tables.Units(engine.instruments, engine.state.instruments, engine.state.scale)
    fills, orders = tables.fills_table(engine.fills, units), tables.orders_table(engine.events, units)
    timeline = engine.timeline
    last = {
        symbol: float(timeline.prices[CLOSE][timeline.times[SYMBOL] == index][-1])
        for index, symbol in enumerate(timeline.symbols)
    }
    trades = round_trips(fills, orders, last)
    equity = tables.equity_table(engine, engine.fills, units)
    return summarise(equity, trades, fills, orders, initial=10_000.0, days_per_year=365, benchmark=None)
