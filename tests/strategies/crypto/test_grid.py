"""A grid around 100 with steps of 1, two lines on each side and a stop one step beyond: what rests, what is held, what
it earns. A line is a tenth of 1,000,000 at 100: 1,000 units."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from scripted import columns, done, final_cash, flat, free, perpetual, play, spot
from truewind.domain.order import Status
from truewind.errors import ConfigError
from truewind.risk.gate import RiskSettings
from truewind.strategies.crypto.grid import Grid

SMALL = {"step": 1.0, "levels": 2, "weight": 0.1, "stop": 1.0, "pause": 2}


class Watched(Grid):
    """Keeps after each bar what is held, what rests, and the line's quantity."""

    def __init__(self, **params):
        super().__init__(**params)
        self.seen = []

    def on_bar(self, bar):
        super().on_bar(bar)
        resting = [(o.side, o.price, o.quantity - o.quantity * o.filled / o.lots) for o in self.working("BTCUSDT")]
        lines = self._lines.get("BTCUSDT")
        self.seen.append((self.position("BTCUSDT").quantity, sorted(resting), lines and lines.unit))


def run(candles, *, lot="1", traded=perpetual, params=SMALL, volume=1e9, **how):
    strategy = Watched(**params)
    table = candles if isinstance(candles, dict) else columns(candles) | {"volume": np.full(len(candles), volume)}
    how.setdefault("costs", free(volume_share=1.0))
    return play({"BTCUSDT": table}, strategy, instruments=[traded(lot=lot)], **how), strategy


def test_a_swing_earns_a_step():
    """Bought at 99, sold at 100: one step of 1 on 1,000 units, and the lines stand as they stood."""
    engine, strategy = run([flat(100), (100, 100, 98.9, 99), (99, 100.1, 99, 100), flat(100)])
    fresh = [(-1, 101.0, 1000.0), (-1, 102.0, 1000.0), (1, 98.0, 1000.0), (1, 99.0, 1000.0)]
    bought = [(-1, 97.0, 2000.0), (-1, 100.0, 1000.0), *fresh[:3]]
    assert strategy.seen == [(0.0, fresh, 1000.0), (1000.0, bought, 1000.0), (0.0, fresh, 1000.0), (0.0, fresh, 1000.0)]
    assert [(fill.side, fill.price, fill.lots) for fill in done(engine)] == [(1, 99.0, 1000), (-1, 100.0, 1000)]
    assert final_cash(engine) == 1_001_000.0


def test_the_other_way_round_too():
    """Sold at 101, bought back at 100; the stop of what is short lies above."""
    engine, strategy = run([flat(100), (100, 101.1, 100, 101), (101, 101, 99.9, 100), flat(100)])
    assert (strategy.seen[1][0], strategy.seen[1][1][-1]) == (-1000.0, (1, 103.0, 2000.0))
    assert final_cash(engine) == 1_001_000.0


def test_part_of_a_line_is_sold_a_step_higher_and_then_bought_again():
    """400 units a bar trade: 400 bought at 99, and sold at 100 while the other 600 are still waited for."""
    _, strategy = run([flat(100), (100, 100, 98.9, 99.5), (99.5, 100.1, 99.5, 99.8), flat(99.9)], volume=400.0)
    resting = [[(price, left) for side, price, left in seen[1] if abs(price - 99.5) < 1] for seen in strategy.seen]
    assert [seen[0] for seen in strategy.seen] == [0.0, 400.0, 0.0, 0.0]
    assert resting == [[(99.0, 1000.0)], [(100.0, 400.0), (99.0, 600.0)], [(99.0, 1000.0)], [(99.0, 1000.0)]]


def test_beyond_its_lines_it_gives_up_and_begins_anew():
    """Two lines bought at 99 and 98, sold by the stop at 97: 2 + 1 steps lost. Two bars without, then a grid at 96."""
    fall = [flat(100), (100, 100, 97.9, 98), (98, 98, 96, 96), flat(96), flat(96), flat(96), flat(96)]
    engine, strategy = run(fall)
    assert final_cash(engine) == 1_000_000.0 - 3000.0
    assert [bool(resting) for _, resting, _ in strategy.seen] == [True, True, False, False, True, True, True]
    prices = sorted(price for _, price, _ in strategy.seen[-1][1])
    assert prices == pytest.approx([96 - 1.92, 96 - 0.96, 96 + 0.96, 96 + 1.92], abs=0.1)


def test_a_fall_through_all_lines_in_one_bar_is_closed_at_the_next_open():
    """There was no stop yet when the bar began: bought at 99 and 98, sold at the open of 95."""
    engine, _ = run([flat(100), (100, 100, 95, 95), flat(95), flat(95)])
    assert [(fill.side, fill.price) for fill in done(engine)] == [(1, 99.0), (1, 98.0), (-1, 95.0)]


def test_long_only_sells_nothing_that_it_does_not_hold_and_follows_a_rise():
    """Spot: buys below; a step above the centre it holds nothing, and begins again there."""
    params = {**SMALL, "short": False}
    rise = [flat(100), flat(100.5), flat(101), flat(101), flat(101)]
    _, strategy = run(rise, traded=spot, params=params)
    assert [[price for _, price, _ in resting] for _, resting, _ in strategy.seen[:2]] == [[98.0, 99.0]] * 2
    assert [price for _, price, _ in strategy.seen[-1][1]] == pytest.approx([101 - 2.02, 101 - 1.01], abs=0.1)
    assert min(held for held, _, _ in strategy.seen) == 0.0


def test_what_the_gate_takes_away_is_no_part_of_a_line():
    """A position of 5 % may be had, a line is 10 %: the first order is cut, and its size is the line's from then on."""
    engine, strategy = run([flat(100), flat(100), (100, 100, 97.9, 98)], limits=RiskSettings(max_position=0.05))
    assert strategy.seen[0][2] == 505.0  # 50,000 ÷ 99
    assert 505.0 <= strategy.seen[-1][0] <= 50_000 / 98
    denied = engine.verdicts[engine.verdicts["ruling"] == 2]
    assert 0 < len(denied) <= 4  # asked for once, and once more after the fill


def test_where_nothing_may_be_had_it_asks_once_a_pause():
    """No grid without its first line: five bars, a pause of two between."""
    engine, strategy = run([flat(100)] * 7, limits=RiskSettings(max_position=1e-6))
    assert [unit for *_, unit in strategy.seen] == [None] * 7
    assert len(engine.verdicts) == 3


@pytest.mark.parametrize("spread", [math.nan, 0.0, 200.0])
def test_without_a_measure_of_steps_there_is_no_grid(spread):
    """Warming up, a market that does not move, or steps that would lead below zero."""
    table = columns([flat(100)] * 5) | {"volume": np.full(5, 1e9), "range": np.full(5, spread)}
    engine, _ = run(table, params={**SMALL, "unit": "atr"})
    assert len(engine.events) == 0


def test_steps_may_be_ranges():
    """Half a range of 4 is two."""
    table = columns([flat(100)] * 3) | {"volume": np.full(3, 1e9), "range": np.full(3, 4.0)}
    _, strategy = run(table, params={**SMALL, "unit": "atr", "step": 0.5})
    assert [price for _, price, _ in strategy.seen[0][1]] == [102.0, 104.0, 96.0, 98.0]


def walk(seed, count, wild):
    random = np.random.default_rng(seed)
    close = np.round(1000.0 * np.exp(np.cumsum(random.normal(0.0, wild, count))), 1)
    opened = np.concatenate(([1000.0], close[:-1]))
    spread = np.abs(random.normal(0.0, wild, (2, count)))
    high = np.round(np.maximum(opened, close) * (1.0 + spread[0]), 1)
    low = np.round(np.minimum(opened, close) * (1.0 - spread[1]), 1)
    names = ("open", "high", "low", "close")
    table = dict(zip(names, (opened, high, low, close), strict=True))
    return columns(np.ones((count, 4))) | table | {"volume": random.integers(0, 60, count).astype(float)}


@examples(60)
@given(st.integers(0, 10**6), st.sampled_from([0.001, 0.005, 0.02]), st.integers(1, 6), st.booleans(), st.booleans())
def test_it_never_holds_more_than_its_lines_whatever_fills(seed, wild, levels, short, tight):
    """Nor would it if all that rests on one side were to fill at once; with partial fills, gaps and refusals."""
    params = {"step": 0.5, "levels": levels, "weight": 0.05, "pause": 3, "short": short}
    limits = RiskSettings(max_position=0.07, max_exposure=1.0, max_drawdown=0.02) if tight else RiskSettings()
    engine, strategy = run(walk(seed, 300, wild), lot="0.1", params=params, limits=limits, cash=10_000.0)
    most = 0.0
    for held, resting, unit in strategy.seen:
        most = levels * unit if unit else most
        buys, sells = (sum(left for side, _, left in resting if side == way) for way in (1, -1))
        assert abs(held) <= most + 1e-9
        if held >= 0.0:  # the stop, which only reduces, rests on the other side
            assert held + buys <= most + 1e-9
        if held <= 0.0:
            assert sells - held <= (most if short else 0.0) + 1e-9
    assert not {int(status) for status in engine.events["status"]} - {int(status) for status in Status}


def test_on_recorded_bars_every_fill_lies_on_a_line_and_time_only_adds(shared):
    """A week of five-minute bars of BTCUSDT; what comes later changes nothing before."""
    rows = pl.read_ipc(shared / "genetrader" / "BTC_USDT-5m.feather").slice(0, 4032)
    table = {name: rows[name].to_numpy().astype(float) for name in ("open", "high", "low", "close", "volume")}
    table["ts"] = rows["date"].dt.epoch("us").to_numpy()
    how = {"traded": lambda lot: perpetual(lot=lot, tick="0.01"), "lot": "0.00001", "step": 300_000_000}
    params = {"step": 0.5, "levels": 4, "weight": 0.05}
    whole, strategy = run(table, params=params, **how)
    half, _ = run({name: column[:2016] for name, column in table.items()}, params=params, **how)
    known = half.fills[half.fills["kind"] == 0]
    assert len(known) > 50
    assert np.array_equal(known, whole.fills[: len(known)])
    units = [unit for *_, unit in strategy.seen if unit]
    assert max(abs(held) for held, *_ in strategy.seen) <= 4 * max(units) + 1e-9
    assert max(abs(held) for held, *_ in strategy.seen) >= 3 * min(units)


@pytest.mark.parametrize("params", [{"step": 0.0}, {"levels": 0}, {"weight": 2.0}, {"unit": "ticks"}, {"stop": -1.0}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds, or unknown."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        Grid(**params)
