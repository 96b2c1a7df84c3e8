"""What risk rules measure by reaches them in backtests and sweeps, in both lanes, and no strategy sees it."""

import numpy as np
import pytest

from truewind.backtest.bar_run import BarJob
from truewind.backtest.settings import load_config
from truewind.domain.order import Reason
from truewind.engine.compiled import CompiledEngine
from truewind.research.sweeps import sweep

COUNT = 400


@pytest.fixture
def candles():
    """A calm market that turns wild in the middle."""
    random = np.random.default_rng(5)
    steps = random.normal(0.0, np.where(np.arange(COUNT) < COUNT // 2, 0.001, 0.01))
    close = np.round(1000.0 * np.exp(np.cumsum(steps)), 1)
    opened = np.concatenate(([1000.0], close[:-1]))
    return list(zip(opened, np.maximum(opened, close), np.minimum(opened, close), close, strict=True))


def config(lane="event", **risk):
    return {
        "name": "measured",
        "data": {"venue": "test", "symbols": ["BTCUSDT"], "timeframe": "1m"},
        "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"fast": 3, "slow": 8}},
        "sizing": {"method": "fraction", "value": 50.0},
        "costs": {"volume_share": None, "impact": 0.0},
        "risk": {"cooldown_minutes": None, "max_position": 100.0, "max_gross": 100.0, "max_drawdown": 0.0, **risk},
        "lane": lane,
    }


def played(lake, lane, **risk):
    engine = BarJob(load_config(config(lane, **risk)), lake).engine
    engine.run()
    return engine


def test_leverage_goes_by_the_volatility_that_was_measured(lake, store, candles):
    """An entry takes 10 % of equity × clamp(10 · target ÷ measured, 1, 20), with the root mean square of 20 returns."""
    store("BTCUSDT", candles)
    engine = played(lake, "event", volatility_target=0.002, volatility_bars=20)
    returns = np.diff(np.log([bar[3] for bar in candles]))
    reduced = engine.verdicts[engine.verdicts["reason"] == Reason.EXPOSURE_CAP]
    assert len(reduced) > 10
    leverages = set()
    for verdict in reduced:
        row = int(verdict["row"])
        measured = np.sqrt(np.mean(returns[row - 20 : row] ** 2))
        leverage = min(max(10.0 * 0.002 / measured, 1.0), 20.0)
        leverages.add(leverage)
        opened = int(0.1 * leverage * engine.equity[row] / verdict["price"] * 1000 + 1e-6)
        assert verdict["opening"] == pytest.approx(opened, abs=1)
    assert max(leverages) > 10.0 > 5.0 > min(leverages)
    denied = engine.verdicts[engine.verdicts["reason"] == Reason.NO_VOLATILITY]
    assert (denied["row"] < 20).all()
    assert "risk volatility" not in engine.timeline.row_type().__struct_fields__


def test_both_lanes_and_a_sweep_measure_the_same(lake, store, candles, tmp_path):
    """Equal verdicts and fills; a trial of a sweep ends with the same money."""
    store("BTCUSDT", candles)
    risk = {"volatility_target": 0.002, "volatility_bars": 20}
    slow, fast = played(lake, "event", **risk), played(lake, "compiled", **risk)
    assert isinstance(fast, CompiledEngine)
    assert fast.verdicts.tobytes() == slow.verdicts.tobytes()
    assert fast.fills.tobytes() == slow.fills.tobytes()
    found = sweep(
        config(**risk), {"risk.volatility_target": [0.001, 0.002]}, lake=lake, out=tmp_path / "sweeps", workers=1
    )
    table = found.table.sort("risk.volatility_target")
    assert table["final_equity"][1] == pytest.approx(slow.equity[-1], rel=1e-12)
    assert table["final_equity"][0] != table["final_equity"][1]
