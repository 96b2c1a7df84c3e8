"""Strategies out of random parts: both lanes make the same orders, fills and equity, bit for bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

from lanes import MINUTE, account, assert_same, both, candles
from profiles import examples
from scripted import columns, perpetual
from truewind import features
from truewind.backtest.reads import fields_of
from truewind.config import parse
from truewind.domain.fill import FillKind
from truewind.engine.merge import merge
from truewind.strategies.entries import Entry
from truewind.strategies.exits import Exit
from truewind.strategies.filters import Filter
from truewind.strategies.parts import PartsSettings, assemble
from truewind.strategies.sizing import SizingSettings

ROWS = 400

ENTRIES = {
    "crossover": {"fast": "ema(3)", "slow": "ema(8)"},
    "breakout": {"length": 10},
    "threshold": {"of": "rsi(5)", "low": 35, "high": 65},
    "pattern": {"of": "sweep(2, 2, 1).event"},
    "pin_bar": {"wick": 0.5},
    "engulfing": {"body": 0.2},
    "probability": {"of": "percent_b(10, 2)", "long_above": 0.8, "short_above": 0.9},
}
EXITS = {
    "fixed_stop": {"percent": 1.0},
    "atr_stop": {"length": 5, "multiple": 1.5},
    "trailing": {"percent": 1.0},
    "atr_trailing": {"length": 5, "multiple": 2.0},
    "chandelier": {"length": 8, "multiple": 2.0},
    "break_even": {"after": 0.7, "offset": 0.1},
    "ladder": {"at": [0.5, 1.0, 2.0]},
    "time_stop": {"bars": 9},
    "opposite": {},
}
FILTERS = {
    "session": {"from": 1, "to": 4},
    "market": {"of": "asia"},
    "volatility": {"length": 5, "history": 20, "calm": True},
    "spread": {"of": "corwin_schultz(5)", "below": 40},
    "funding": {"of": "returns(1)", "most": 0.001},
    "within": {"of": "close", "low": 900},
}


def test_no_part_is_left_out():
    assert set(ENTRIES) == set(Entry.model_fields)
    assert set(EXITS) == set(Exit.model_fields)
    assert set(FILTERS) == set(Filter.model_fields)


def market(seed, strategy, symbols):
    """(timeline, instruments, dues) of a wild walk, with what the strategy reads."""
    random = np.random.default_rng(seed)
    bars = {}
    for i, name in enumerate(["AAAUSDT", "BBBUSDT"][:symbols]):
        table = columns(candles(random, ROWS, 5e-3), start=i * 3 * MINUTE, step=MINUTE)
        computed = features.columns(list(strategy.features().values()), table)
        bars[name] = table | {field: computed[column] for field, column in fields_of(strategy.features()).items()}
    return merge(bars, dict.fromkeys(bars, MINUTE)), [perpetual(name) for name in bars], {}


def run(seed, parts, symbols=1, **limits):
    """Both lanes; the event one."""
    chosen = parse(PartsSettings, parts)
    sizing = SizingSettings(method="fraction", value=0.5)
    world = market(seed, assemble(chosen), symbols)
    slow, fast = both(lambda: assemble(chosen), world, sizing, **account(**limits))
    assert_same(slow, fast)
    assert fast.verdicts.tobytes() == slow.verdicts.tobytes()
    return slow


@pytest.mark.parametrize("entry", list(ENTRIES))
def test_every_entry_and_exit_trades_alike(entry):
    exits = [{name: given} for name, given in EXITS.items()]
    engine = run(3, {"entry": {entry: ENTRIES[entry]}, "exits": exits}, symbols=2)
    assert (engine.fills["kind"] == FillKind.TRADE).sum() > 4


@pytest.mark.parametrize("names", [["session", "spread", "funding"], ["market", "volatility", "within"]])
def test_filters_filter_alike(names):
    parts = {"entry": {"threshold": ENTRIES["threshold"]}, "exits": [{"trailing": EXITS["trailing"]}]}
    engine = run(5, parts | {"filters": [{name: FILTERS[name]} for name in names]})
    trades = engine.fills["kind"] == FillKind.TRADE
    assert 0 < trades.sum() < 94  # the fills without filters


@examples(6, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 10_000),
    st.sampled_from(list(ENTRIES)),
    st.lists(st.sampled_from(list(EXITS)), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(["session", "volatility", "funding"]), max_size=1),
    st.sampled_from(["both", "long", "short"]),
    st.booleans(),
)
def test_random_parts_run_alike(seed, entry, exits, filters, direction, rough):
    parts = {
        "entry": {entry: ENTRIES[entry]},
        "exits": [{name: EXITS[name]} for name in ["fixed_stop", *exits] if exits.count(name) < 2],
        "filters": [{name: FILTERS[name]} for name in filters],
        "direction": direction,
    }
    parts["exits"] = list({next(iter(each)): each for each in parts["exits"]}.values())
    engine = run(seed, parts, symbols=1 + seed % 2, rough=rough)
    event("trades" if len(engine.fills) else "does not trade")
