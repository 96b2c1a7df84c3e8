"""Every point of a sweep is a trial of the ledger, and counts beside the backtests of its family."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

import truewind
from scripted import perpetual
from truewind.research.sweeps import sweep
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.trials import open_ledger

CONFIG = {
    "name": "crosses",
    "data": {"venue": "test", "symbols": ["BTCUSDT"], "timeframe": "1d"},
    "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"slow": 12}},
    "sizing": {"method": "fraction", "value": 0.5},
}
GRID = {"strategy.params.fast": [3, 5, 12], "sizing.value": [0.5, 0.4]}  # a fast one as slow as the slow is refused


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Two hundred days of one symbol."""
    random = np.random.default_rng(5)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0.001, 0.03, 200))), 1)
    opened = np.concatenate([[100.0], close[:-1]])
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    table = pl.DataFrame(
        {
            "ts": pl.Series([begin + timedelta(days=i) for i in range(200)]).cast(pl.Datetime("us", "UTC")),
            "open": opened, "high": np.maximum(opened, close) + 1, "low": np.minimum(opened, close) - 1, "close": close,
            "volume": np.ones(200),
        }
    )  # fmt: skip
    made = Lake(tmp_path_factory.mktemp("days") / "data")
    made.write(SeriesKey("bars", "test", "BTCUSDT", "1d"), table)
    made.put_instrument(perpetual("BTCUSDT", venue="test"))
    return made


@pytest.fixture
def go(lake, tmp_path):
    """go(grid): a sweep into the test's own folder and database."""

    def start(grid=GRID, database="trials.db", **more):
        return sweep(CONFIG, grid, lake=lake, out=tmp_path / "sweeps", database=tmp_path / database, workers=1, **more)

    return start


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(tmp_path / "trials.db")


def test_a_point_is_what_a_backtest_with_its_settings_is(go, ledger, lake, tmp_path):
    """Moments and sketch are those of the run alone; points that were refused were never tried."""
    done = go()
    (own,) = ledger.list(parent="")
    points = ledger.list(parent=own.id)
    assert own.id == done.folder.name
    assert (own.kind, own.metrics["trials"], own.params["sizing.value"]) == ("sweep", 6, "varied")
    assert len(points) == 4 == 6 - done.table["error"].count()
    for point in points:
        overrides = [f"{key}={value}" for key, value in point.params.items()]
        alone = truewind.run(CONFIG, overrides=overrides, lake=lake, runs=tmp_path / "runs", database=tmp_path / "b.db")
        same = open_ledger(tmp_path / "b.db").get(alone.result_id)
        for name in ("family", "universe", "timeframe", "start_us", "end_us", "seed", "code_version", "days"):
            assert getattr(point, name) == getattr(same, name), name
        assert [point.sharpe, point.skew, point.kurtosis] == pytest.approx([same.sharpe, same.skew, same.kurtosis])
        np.testing.assert_allclose(point.sketch, same.sketch, atol=1e-5)
        assert point.metrics["net_return"] == pytest.approx(same.metrics["net_return"])
        assert point.run_dir == str(done.folder.resolve())


def test_points_and_backtests_are_judged_together(go, lake, tmp_path, ledger):
    """A run after a sweep knows how much was tried; the sweep's own row is none of it."""
    go()
    result = truewind.run(
        CONFIG, overrides=["strategy.params.fast=4"], lake=lake, runs=tmp_path, database=tmp_path / "trials.db"
    )
    assert len(ledger.related("truewind.strategies.crypto.ema_cross:EmaCross", ["test:BTCUSDT"], 0, 2**60).ids) == 5
    assert b'"tried": 5' in (result.run_dir / "trials.json").read_bytes()


def test_a_wider_sweep_adds_points_and_an_equal_one_none(go, ledger):
    go()
    go()
    assert len(ledger.list()) == 1 + 4
    go({**GRID, "strategy.params.fast": [3, 5, 7]})
    assert len(ledger.list()) == 1 + 6


def test_a_sweep_on_another_database_is_told_all_that_is_kept(go, tmp_path):
    """Nothing is run again, and nothing is left out; what was deleted stays deleted."""
    go()
    go(database="other.db")
    other = open_ledger(tmp_path / "other.db")
    points = [trial.id for trial in other.list() if trial.parent]
    assert len(points) == 4
    other.delete(points[0])
    go(database="other.db")
    assert len(other.list()) == 4


def test_points_of_a_test_do_not_count_but_those_that_did_still_do(go, ledger):
    """A walk-forward tries the same points on the same span: before it they count for nothing, after it as before."""
    related = "truewind.strategies.crypto.ema_cross:EmaCross", ["test:BTCUSDT"], 0, 2**60
    go(kind="walkforward", parent="w")
    assert ledger.related(*related).ids == []
    assert len(ledger.list(parent="w")) == 1
    go({"strategy.params.fast": [3, 5], "sizing.value": [0.5, 0.4, 0.3]})
    counted = len(ledger.related(*related).ids)
    go(kind="walkforward", parent="w")
    assert len(ledger.related(*related).ids) == counted == 6
