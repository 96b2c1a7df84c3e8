"""Strategies on recorded bars, without a lake: columns with features, either lane, and another future."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from scripted import UNLIMITED, free, perpetual
from truewind import features
from truewind.backtest.reads import fields_of, named
from truewind.domain.instrument import Instrument
from truewind.engine.compiled import CompiledEngine
from truewind.engine.engine import Engine
from truewind.engine.merge import merge
from truewind.execution.simulated.latency import ROUND_TRIP, Latency, OrderLatency
from truewind.strategies.base import SignalStrategy
from truewind.strategies.sizing import SizingSettings

_BAR = ("open", "high", "low", "close", "volume")


def feather(path: Path) -> dict[str, np.ndarray]:
    """Bars of a recorded feather file: ts in µs, prices and volume."""
    table = pl.read_ipc(path)
    ts = table["date"].cast(pl.Datetime("us", "UTC")).to_physical().to_numpy()
    return {"ts": ts, **{name: table[name].cast(pl.Float64).to_numpy() for name in _BAR}}


def with_features(bars: Mapping[str, np.ndarray], strategy: SignalStrategy, timeframe: str) -> dict[str, np.ndarray]:
    """`bars` with the fields that the strategy reads."""
    reads = named(strategy.features())
    made = features.columns(list(reads.values()), dict(bars), timeframe=timeframe)
    return dict(bars) | {field: made[column] for field, column in fields_of(reads).items()}


def played(
    lane: type[Engine],
    make: Callable[[], SignalStrategy],
    bars: Mapping[str, np.ndarray],
    timeframe: str,
    step: int,
    instrument: Instrument | None = None,
) -> Engine:
    """The strategy in a lane, with costs, on one symbol; half a percent of 100,000 at risk a trade."""
    strategy = make()
    strategy.sizing = SizingSettings()
    instrument = instrument or perpetual("BTCUSDT", tick="0.1", lot="0.001")
    table = {instrument.symbol: with_features(bars, strategy, timeframe)}
    engine = lane(
        merge(table, {instrument.symbol: step}),
        [instrument],
        strategy,
        cash=100_000.0,
        currency=instrument.currency,
        costs=free(maker_fee=0.0002, taker_fee=0.0005, half_spread_bps=0.5).record(20.0),
        limits=UNLIMITED.record(20.0),
        latency=Latency(OrderLatency().record(42), np.zeros(0, ROUND_TRIP)),
    )
    engine.run()
    return engine


def assert_lanes_agree(make: Callable[[], SignalStrategy], *market: Any) -> Engine:
    """Orders, fills, equity and account of the two lanes are the same bits; the event lane's engine."""
    slow, fast = played(Engine, make, *market), played(CompiledEngine, make, *market)
    assert fast.events.tobytes() == slow.events.tobytes()
    assert fast.fills.tobytes() == slow.fills.tobytes()
    assert fast.equity.tobytes() == slow.equity.tobytes()
    assert fast.account() == slow.account()
    return slow


def assert_the_future_moves_nothing(
    make: Callable[[], SignalStrategy], bars: Mapping[str, np.ndarray], row: int, *more: Any
) -> None:
    """Whatever comes after `row`, here prices a tenth higher and turned upside down: what was done until then stays."""
    other = {name: values.copy() for name, values in bars.items()}
    top = 2.2 * float(bars["close"][row])
    for name, from_ in (("open", "open"), ("close", "close"), ("high", "low"), ("low", "high")):
        other[name][row + 1 :] = np.maximum(top - bars[from_][row + 1 :], 0.1)
    one, two = played(Engine, make, bars, *more), played(Engine, make, other, *more)
    until = [engine.fills[engine.fills["row"] <= row] for engine in (one, two)]
    assert until[0].tobytes() == until[1].tobytes()
    assert one.equity[: row + 1].tobytes() == two.equity[: row + 1].tobytes()
    assert len(until[0]) > 0
    assert one.equity[-1] != two.equity[-1]
