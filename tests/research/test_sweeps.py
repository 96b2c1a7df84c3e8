"""Sweeps: every trial is a backtest, nothing is done twice, and what fails says why."""

import numpy as np
import polars as pl
import pytest

import truewind
from scripted import perpetual
from truewind.errors import ConfigError, StrategyError
from truewind.numerics.performance import daily_returns
from truewind.research import sweep, sweeps
from truewind.research.kept import Kept
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

START = 1_704_067_200_000_000
MINUTE = 60_000_000


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Two perpetuals, 3,000 minutes."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        random = np.random.default_rng(seed)
        close = np.round(1000.0 * np.exp(np.cumsum(random.normal(0.0, 2e-3, 3_000))), 1)
        opened = np.concatenate(([1000.0], close[:-1]))
        table = {
            "ts": pl.Series(START + np.arange(3_000) * MINUTE).cast(pl.Datetime("us", "UTC")),
            "open": opened,
            "high": np.maximum(opened, close) + 0.3,
            "low": np.minimum(opened, close) - 0.3,
            "close": close,
            "volume": np.ones(3_000),
        }
        lake.write(SeriesKey("bars", "test", symbol, "1m"), pl.DataFrame(table))
        lake.put_instrument(perpetual(symbol))
    return lake


def config(**more):
    return {
        "name": "pairs",
        "data": {"venue": "test", "symbols": ["BTCUSDT", "ETHUSDT"], "timeframe": "1m", "start": "2024-01-01T05:00"},
        "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"slow": 40}},
        "sizing": {"method": "fraction", "value": 0.5},
        "lane": "event",
        **more,
    }


GRID = {"strategy.params.fast": [5, 9, 50], "sizing.value": [0.5, 1.5]}


def test_every_trial_has_the_figures_of_a_backtest_with_its_settings(lake, tmp_path):
    """To the last bit where they are counted; parameters of the strategy and other settings alike."""
    table = sweep(config(), GRID, lake=lake, out=tmp_path, workers=2).table
    assert table.select(list(GRID)).rows() == [(5, 0.5), (5, 1.5), (9, 0.5), (9, 1.5), (50, 0.5), (50, 1.5)]
    for trial in table.head(4).to_dicts():
        overrides = [f"{key}={trial[key]}" for key in GRID]
        alone = truewind.run(config(), overrides=overrides, lake=lake, runs=tmp_path / "runs").summary
        exact = ("final_equity", "trades", "fills", "orders")
        assert {name: trial[name] for name in exact} == {name: alone[name] for name in exact}
        near = (
            *("net_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "fees", "funding"),
            *("win_rate", "profit_factor", "expectancy", "exposure", "turnover", "slippage"),
        )
        assert [trial[name] for name in near] == pytest.approx([alone[name] for name in near], rel=1e-9)
        assert trial["trades"] > 10


def test_features_that_there_is_no_room_for_are_computed_when_asked_for(lake, tmp_path, monkeypatch):
    """One by one, to the same bits as all together; of one symbol and of two that have other warm-ups."""
    for number, symbols in enumerate((["BTCUSDT"], ["BTCUSDT", "ETHUSDT"])):
        given = config(data={**config()["data"], "symbols": symbols})
        together = sweep(given, GRID, lake=lake, out=tmp_path / f"together{number}", workers=2).table
        with monkeypatch.context() as patched:
            patched.setattr(sweeps, "_COLUMN_BYTES", 0)
            alone = sweep(given, GRID, lake=lake, out=tmp_path / f"alone{number}", workers=2).table
        assert alone.equals(together, null_equal=True)
        assert together["trades"].sum() > 10


def test_daily_returns_of_trials_are_kept(lake, tmp_path):
    """Those of the backtest's equity, in the table's order, whichever chunk they lie in; failed ones have none."""
    sweep(config(), {**GRID, "strategy.params.fast": [9]}, lake=lake, out=tmp_path)
    done = sweep(config(), GRID, lake=lake, out=tmp_path)
    assert (done.returns.dtype, done.returns.shape) == (np.float32, (6, 3))
    assert done.days.tolist() == [19723, 19724, 19725]  # 1, 2 and 3 January 2024
    assert np.isnan(done.returns[4:]).all()
    for row in (0, 3):
        overrides = [f"{key}={done.table[key][row]}" for key in GRID]
        alone = truewind.run(config(), overrides=overrides, lake=lake, runs=tmp_path / "runs")
        ts = alone.equity["ts"].dt.epoch("us").to_numpy()
        _, returns = daily_returns(ts, alone.equity["equity"].to_numpy(), 10_000.0, every_day=True)
        assert done.returns[row] == pytest.approx(returns, rel=1e-6)


def test_a_trial_whose_settings_are_refused_says_why(lake, tmp_path):
    """And the others are done."""
    done = sweep(config(), GRID, lake=lake, out=tmp_path)
    assert done.table["error"].is_not_null().to_list() == [False] * 4 + [True] * 2
    assert "fast (50) must be less than slow (40)" in done.table["error"][4]
    assert done.table["final_equity"].is_not_null().to_list() == [True] * 4 + [False] * 2


def test_finished_trials_are_not_run_again(lake, tmp_path, monkeypatch):
    """A sweep that was broken off goes on, and a wider one adds what is new; the table is that of one made at once."""
    whole = sweep(config(), GRID, lake=lake, out=tmp_path / "whole").table
    added = []
    add = Kept.add
    monkeypatch.setattr(Kept, "add", lambda self, values, *rest: (added.append(values), add(self, values, *rest)))
    sweep(config(), {**GRID, "strategy.params.fast": [9]}, lake=lake, out=tmp_path / "parts")
    assert len(added) == 2
    found = sweep(config(), GRID, lake=lake, out=tmp_path / "parts").table
    assert len(added) == 6
    assert found.equals(whole, null_equal=True)


def test_what_cannot_be_varied_or_compiled_is_refused(lake, tmp_path):
    """Before anything is run."""
    with pytest.raises(ConfigError, match=r"cannot vary data\.timeframe"):
        sweep(config(), {"data.timeframe": ["1m", "5m"]}, lake=lake, out=tmp_path)
    with pytest.raises(ConfigError, match="varies nothing"):
        sweep(config(), lake=lake, out=tmp_path)
    callbacks = config(strategy={"path": "truewind.strategies.base:Strategy"})
    with pytest.raises(StrategyError, match="callbacks"):
        sweep(callbacks, {"sizing.value": [0.1, 0.2]}, lake=lake, out=tmp_path)


def test_the_grid_may_stand_in_the_config(lake, tmp_path):
    """Under `sweep:`, with a sample; workers do not change a figure."""
    given = config(sweep={"grid": {"strategy.params.fast": "2:30"}, "sample": 5})
    one = sweep(given, lake=lake, out=tmp_path / "1", workers=1).table
    two = sweep(given, lake=lake, out=tmp_path / "2", workers=2).table
    assert len(one) == 5
    assert one.equals(two, null_equal=True)


def test_a_feature_with_a_broken_number_has_the_same_fields_as_in_a_backtest(lake, tmp_path):
    """Bands at 1.5 deviations: the point is not that of an output."""
    wanted = {"path": "truewind.strategies.crypto.mean_reversion:MeanReversion", "params": {"trend": 50}}
    grid = {"strategy.params.deviations": [1.5, 2.0]}
    table = sweep(config(strategy=wanted), grid, lake=lake, out=tmp_path, workers=1).table
    assert table["error"].null_count() == 2
    overrides = ["strategy.params.deviations=1.5"]
    alone = truewind.run(config(strategy=wanted), overrides=overrides, lake=lake, runs=tmp_path / "runs").summary
    assert table["trades"][0] > 5
    assert table["final_equity"][0] == alone["final_equity"]


def test_parameters_are_varied_within_their_declared_bounds(lake, tmp_path):
    """fast is from 2 to 500, so it is spread by ratios: 2, 2 × 250^(1/3) …; a flag has both its values."""
    grid = {"strategy.params.fast": "auto:4", "strategy.params.short": "auto"}
    table = sweep(config(strategy={"path": "ema_cross", "params": {"slow": 600}}), grid, lake=lake, out=tmp_path).table
    assert table["strategy.params.fast"].unique().sort().to_list() == [2, 13, 79, 500]
    assert table["strategy.params.short"].to_list() == [False, True] * 4
    assert table["error"].is_null().all()


def test_all_parameters_are_varied_at_once(lake, tmp_path):
    """But for what the grid says itself; a fraction may be any within its bounds, 0 excluded."""
    breakout = config(strategy={"path": "breakout"})
    done = sweep(breakout, {"strategy.params.atr": [14]}, lake=lake, out=tmp_path, sample=12, all_params=True)
    assert set(done.keys) == {f"strategy.params.{name}" for name in ("entry", "exit", "atr", "stop", "short")}
    assert len(done.table) == 12
    assert set(done.table["strategy.params.atr"]) == {14}
    assert done.table["strategy.params.stop"].is_between(0.0, 20.0, closed="right").all()
    assert done.table["strategy.params.stop"].n_unique() == 12


def test_what_has_no_bounds_is_not_spread(lake, tmp_path):
    """A name that the strategy does not declare, a setting beside its parameters, fractions without a sample."""
    with pytest.raises(ConfigError, match=r"Did you mean 'strategy\.params\.fast'"):
        sweep(config(), {"strategy.params.fats": "auto"}, lake=lake, out=tmp_path)
    with pytest.raises(ConfigError, match=r"sizing\.value is no parameter"):
        sweep(config(), {"sizing.value": "auto:3"}, lake=lake, out=tmp_path)
    with pytest.raises(ConfigError, match="--sample"):
        sweep(config(strategy={"path": "breakout"}), {"strategy.params.stop": "auto"}, lake=lake, out=tmp_path)


def test_parts_and_sizing_vary_as_in_backtests(lake, tmp_path):
    """Settings of parts by their place in the config, and a size that is measured, as each backtest alone has it."""
    given = {"entry": {"crossover": {"fast": "ema(5)", "slow": "ema(20)"}}, "exits": ["atr_stop", {"trailing": {}}]}
    grid = {"strategy.parts.exits.1.trailing.percent": [0.3, 1.0], "sizing.length": [10, 30]}
    made = config(strategy={"parts": given}, sizing={"method": "units", "value": 0.001})
    for trial in sweep(made, grid, lake=lake, out=tmp_path, workers=2).table.to_dicts():
        overrides = [f"{key}={trial[key]}" for key in grid] + ["strategy.parts.exits.0={atr_stop: {}}"]
        alone = truewind.run(made, overrides=overrides, lake=lake, runs=tmp_path / "runs").summary
        exact = ("final_equity", "trades", "fills", "orders")
        assert {name: trial[name] for name in exact} == {name: alone[name] for name in exact}
        assert trial["trades"] > 10
