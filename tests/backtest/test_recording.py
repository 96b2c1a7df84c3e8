"""Every run is a trial of the ledger, without anybody asking for it."""

import math
import sqlite3
import statistics
from itertools import pairwise

import numpy as np
import orjson
import pytest

from truewind.backtest.run import run
from truewind.errors import StorageError
from truewind.numerics.sketch import sketch
from truewind.storage.trials import open_ledger

DAY = 24 * 60
STRATEGY = """
from truewind.domain.signal import FLAT, Signal, Want

def trend(row, position, params):
    return Signal(Want.LONG) if row.ema == row.ema and row.close > row.ema * params.above else Signal(Want.FLAT)

def against(row, position, params):
    return trend(row, position, params)

trend.features = against.features = {"ema": "ema(5)"}
"""


def walk(days):
    random = np.random.default_rng(3)
    close = 100 + np.cumsum(random.integers(-20, 22, days)) / 10
    opened = np.concatenate([[100.0], close[:-1]])
    bars = zip(opened, np.maximum(opened, close) + 1, np.minimum(opened, close) - 1, close, strict=True)
    return [tuple(round(float(x), 1) for x in bar) for bar in bars]


@pytest.fixture
def config(tmp_path, store):
    store("AAAUSDT", walk(120), minutes=range(0, 120 * DAY, DAY), timeframe="1d")
    (tmp_path / "mine.py").write_text(STRATEGY)
    return {
        "name": "a test",
        "data": {"venue": "test", "symbols": ["AAAUSDT"], "timeframe": "1d"},
        "strategy": {"path": f"{tmp_path / 'mine.py'}:trend", "params": {"above": 1.0}},
        "sizing": {"method": "fraction", "value": 0.5},
        "seed": 7,
    }


@pytest.fixture
def go(tmp_path):
    def start(config, *overrides, database=tmp_path / "trials.db"):
        return run(config, overrides=overrides, lake=tmp_path / "data", runs=tmp_path / "runs", database=database)

    return start


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(tmp_path / "trials.db")


def test_a_run_is_a_trial(config, go, ledger):
    """Its identity, its settings and its figures; the moments are those of its daily returns, by other means."""
    result = go(config)
    (trial,) = ledger.list()
    about = orjson.loads((result.run_dir / "run.json").read_bytes())["info"]
    assert (trial.id, trial.kind, trial.name, trial.parent) == (result.result_id, "backtest", "a test", "")
    assert (trial.family, trial.universe, trial.timeframe) == ("mine.py:trend", ("test:AAAUSDT",), "1d")
    assert (trial.data_snapshot, trial.code_version) == (about["data_snapshot"], about["code_version"])
    assert (trial.seed, trial.run_dir, trial.deleted_us) == (7, str(result.run_dir.resolve()), None)
    assert trial.params == {"strategy.params.above": 1.0, "sizing.method": "fraction", "sizing.value": 0.5}
    assert trial.metrics["net_return"] == result.summary["net_return"]
    assert "start" not in trial.metrics

    equity = [10_000.0, *result.equity["equity"]]
    returns = [after / before - 1 for before, after in pairwise(equity)]
    assert trial.days == len(returns) == 120
    assert trial.sharpe == pytest.approx(statistics.fmean(returns) / statistics.stdev(returns), rel=1e-12)
    assert trial.sharpe * math.sqrt(365) == pytest.approx(result.summary["sharpe"], rel=1e-12)
    days = result.equity["ts"].dt.epoch("d").to_numpy() - 1  # a bar of a day is known at the midnight that ends it
    np.testing.assert_allclose(trial.sketch, sketch(days, np.array(returns)), atol=1e-6)


def test_what_was_tried_in_its_place_stands_in_its_folder(config, go, ledger):
    """The same run again is the same trial, another parameter another; a deleted one counts, another family's not."""

    def told(result):
        found = orjson.loads((result.run_dir / "trials.json").read_bytes())
        return found["tried"], found["deleted"]

    first = go(config)
    assert told(first) == (1, 0)
    assert told(go(config)) == (1, 0)
    assert told(go(config, "strategy.params.above=1.1")) == (2, 0)
    ledger.delete(first.result_id)
    assert told(go(config, "strategy.params.above=1.2")) == (3, 1)
    other = {"path": config["strategy"]["path"].replace(":trend", ":against"), "params": {"above": 1.0}}
    assert told(go(config | {"strategy": other})) == (1, 0)
    assert told(go(config)) == (3, 0)  # it is there again


def test_a_secret_is_not_kept(config, go, ledger, tmp_path):
    go(config, "strategy.params.api_secret=Zq9Zq9")
    assert ledger.list()[0].params["strategy.params.api_secret"] == "**********"
    assert b"Zq9Zq9" not in (tmp_path / "trials.db").read_bytes()


def test_a_short_run_has_no_moments(config, go, ledger):
    """Two days give one or two returns: figures that are not defined are none."""
    go(config, "data.end=2024-01-02")
    (trial,) = ledger.list()
    assert trial.days == 0
    assert math.isnan(trial.sharpe)
    assert not trial.sketch.any()
    assert trial.metrics["sharpe"] is None


def test_switched_off_nothing_is_written(config, go, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUEWIND_DATABASE", "off")
    for database in ("off", None):
        assert not (go(config, database=database).run_dir / "trials.json").exists()
    assert list(tmp_path.glob("*.db")) == []


def test_a_database_that_refuses_is_told_before_the_run(config, go, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Cannot make"):
        go(config, database=tmp_path / "file" / "trials.db")
    assert not (tmp_path / "runs").exists()


def test_a_database_that_is_lost_meanwhile_loses_no_run(config, go, tmp_path, monkeypatch):
    """The run is finished, and says that it is not in the ledger."""
    from truewind.backtest import recording

    def spoil(*given):
        with sqlite3.connect(tmp_path / "trials.db") as connection:
            connection.execute("DROP TABLE trials")
        connection.close()
        return {}

    monkeypatch.setattr(recording, "params_of", spoil)
    result = go(config)
    about = orjson.loads((result.run_dir / "run.json").read_bytes())
    assert about["status"] == "finished"
    assert "this run is not in the ledger of trials: The database" in about["warnings"][-1]
    assert result.report.exists()
