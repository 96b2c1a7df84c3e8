"""Two lanes side by side for tests: markets, accounts, a run in each, and what must be the same."""

import numpy as np

from scripted import UNLIMITED, columns, free, perpetual
from truewind import features
from truewind.backtest.reads import named
from truewind.domain.due import SWAP_SCALE, DueKind, due_rows, in_order
from truewind.domain.instrument import Kind
from truewind.domain.terms import COLLATERAL, RATE
from truewind.engine.compiled import CompiledEngine
from truewind.engine.engine import Engine
from truewind.engine.merge import merge
from truewind.execution.simulated.latency import ROUND_TRIP, Latency, OrderLatency
from truewind.portfolio.collateral import Collateral

MINUTE = 60_000_000


def candles(random, count, wild):
    """A walk in ticks of 0.1 with gaps, spikes and quiet stretches."""
    close = np.round(1000.0 * np.exp(np.cumsum(random.normal(0.0, wild, count))), 1)
    gap = random.normal(0.0, wild, count) * (random.random(count) < 0.2)
    opened = np.round(np.concatenate(([1000.0], close[:-1])) * np.exp(gap), 1)
    high = np.round(np.maximum(opened, close) * (1.0 + np.abs(random.normal(0.0, wild / 2, count))), 1)
    low = np.round(np.minimum(opened, close) * (1.0 - np.abs(random.normal(0.0, wild / 2, count))), 1)
    top, bottom = np.maximum(high, np.maximum(opened, close)), np.minimum(low, np.minimum(opened, close))
    return list(zip(opened, top, bottom, close, strict=True))


def world(seed, symbols, count=400, wild=5e-3, reads=()):
    """(timeline, instruments, dues) of some symbols, not all with the same bars."""
    random = np.random.default_rng(seed)
    names = ["AAAUSDT", "BBBUSDT", "CCCUSDT"][:symbols]
    bars, dues = {}, {}
    for i, name in enumerate(names):
        table = columns(candles(random, count, wild), start=i * 7 * MINUTE, step=MINUTE)
        for field, spec in named(reads).items():
            table[field] = next(iter(features.columns([spec], table).values()))
        bars[name] = table
        times = random.choice(count, 4, replace=False) * MINUTE
        tables = [due_rows(DueKind.FUNDING, times, random.integers(-400_000, 400_000, 4))]
        if seed % 2:  # everything else that may fall due; half of the symbols end before their bars do
            times = random.choice(count, 5, replace=False) * MINUTE + random.integers(0, 2, 5) * MINUTE // 2
            tables += [
                due_rows(DueKind.SWAP, times[0], -3 * SWAP_SCALE, SWAP_SCALE // 3),
                due_rows(DueKind.BORROW, times[1], 5_000_000, 2, 10_000),
                due_rows(DueKind.DIVIDEND, times[2], 123_456_789, 100),
                due_rows(DueKind.SPLIT, times[3], *((3, 2) if seed % 4 == 1 else (2, 3))),
                due_rows(DueKind.SETTLEMENT, times[4] if i % 2 else times.max() + 1, 50_000, 0, 9_876),
            ]
        dues[name] = in_order(*tables)
    kind = Kind.FUTURE if seed % 4 == 3 else Kind.PERPETUAL  # which are held to their last moment, and which are not
    return merge(bars, dict.fromkeys(bars, MINUTE)), [perpetual(name, kind=kind) for name in names], dues


def changing(market, seed):
    """Rates of exchange for the first symbol, which change at odd moments."""
    timeline, instruments, _ = market
    random, times = np.random.default_rng(seed), timeline.times[0]
    rows = np.zeros(30, RATE)
    rows["ts"][1:] = np.sort(random.integers(times[0], times[-1], 29))
    rows["rate"] = np.round(random.uniform(0.8, 1.25, 30), 4)
    return {instruments[0].symbol: rows}


def backed(market, seed):
    """Two units of a coin beside the cash, worth about 1,000 each, with a haircut of a tenth."""
    assets = np.zeros(2, COLLATERAL)
    assets["unit"], assets["index"] = 1e8, 1.0
    assets["balance"][1], assets["bid_buffer"][1], assets["exchange_bid_buffer"][1] = 2 * 10**8, 0.1, 0.1
    (rates,) = changing(market, seed + 1).values()
    rates["symbol"], rates["rate"] = -2, 1_000.0 * rates["rate"]
    return Collateral(assets, rates)


def account(cash=10_000.0, leverage=20.0, rough=False, **limits):
    """Costs and limits under which orders are denied, reduced, rejected and liquidated."""
    costs = free(maker_fee=0.0002, taker_fee=0.0005, half_spread_bps=1.0)
    latency = OrderLatency()
    if rough:  # parts, overtaking, luck
        drawn = {"limit_fill": "touch", "fill_probability": 0.5}
        costs = costs.model_copy(update={"volume_share": 1.0, **drawn})
        latency = OrderLatency(model="lognormal", entry_ms=30_000.0, sigma=1.0)
    loose = {"max_position": 30.0, "max_exposure": 1.0, "max_gross": 40.0} | limits
    return {
        "cash": cash,
        "currency": "USDT",
        "costs": costs.record(leverage),
        "limits": UNLIMITED.model_copy(update=loose).record(leverage),
        "latency": Latency(latency.record(42), np.zeros(0, ROUND_TRIP)),
    }


def both(make, market, sizing, **given):
    """The strategy in either lane."""
    timeline, instruments, dues = market
    engines = []
    for kind in (Engine, CompiledEngine):
        strategy = make()
        strategy.sizing = sizing
        engine = kind(timeline, instruments, strategy, dues=dues, **given)
        engine.run()
        engines.append(engine)
    return engines


def assert_same(slow, fast):
    assert fast.events.tobytes() == slow.events.tobytes()
    assert fast.fills.tobytes() == slow.fills.tobytes()
    assert fast.equity.tobytes() == slow.equity.tobytes()
    assert fast.account() == slow.account()
