"""A backtest from config to folder: the same bytes again, nothing of the future, and mistakes told before it starts."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import yaml

from scripted import flat
from truewind.backtest.folder import find_run
from truewind.backtest.run import run
from truewind.backtest.settings import load_config
from truewind.errors import ConfigError, DataError, MissingFileError, StorageError, StrategyError
from truewind.storage.journal import read_journal

STRATEGY = """
from truewind.config import Settings
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.strategies.base import Strategy

def sides(row, position, params):
    if row.fast != row.fast:
        return HOLD
    side = Want.LONG if row.fast >= row.slow else Want.SHORT
    return Signal(side, stop=row.close - side * params.width, target_1=row.close + side * 2 * params.width)

sides.features = {"fast": "ema(3)", "slow": "ema(8)"}

class Fails(Strategy):
    class Params(Settings):
        bar: int

    count = 0

    def on_bar(self, bar):
        self.count += 1
        if self.count == 2:
            self.buy(1, symbol=bar.symbol)
        if self.count == self.params.bar:
            raise LookupError("no idea")
"""


def walk(seed, rows=240):
    random = np.random.default_rng(seed)
    close = 1000 + np.cumsum(random.integers(-9, 10, rows))
    opened = np.concatenate([[1000], close[:-1]])
    high = np.maximum(opened, close) + random.integers(0, 5, rows)
    low = np.minimum(opened, close) - random.integers(0, 5, rows)
    return [tuple(float(x) / 10 for x in bar) for bar in zip(opened, high, low, close, strict=True)]


@pytest.fixture
def config(tmp_path, store):
    """Two perpetuals with funding, a decide function of one's own."""
    for seed, symbol in enumerate(("AAAUSDT", "BBBUSDT")):
        store(symbol, walk(seed), funding=[(minute, 0.0001, None) for minute in range(0, 240, 60)])
    (tmp_path / "mine.py").write_text(STRATEGY)
    return {
        "name": "a test",
        "data": {"venue": "test", "symbols": ["AAAUSDT", "BBBUSDT"], "timeframe": "1m"},
        "strategy": {"path": f"{tmp_path / 'mine.py'}:sides", "params": {"width": 2.0}},
        "account": {"cash": 10_000, "leverage": 5},
        "sizing": {"method": "risk", "value": 0.01},
        "risk": {"max_exposure": 1.0, "max_drawdown": 0.0},
    }


@pytest.fixture
def go(tmp_path):
    """go(config, *overrides): a run in folders of the test's own."""
    return lambda config, *overrides: run(config, overrides=overrides, lake=tmp_path / "data", runs=tmp_path / "runs")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_equal_runs_leave_equal_bytes(config, go):
    """Every file but run.json; the run's own id is unique, the result's is the same."""
    first, second = go(config), go(config)
    assert first.run_id != second.run_id
    assert first.result_id == second.result_id
    a, b = contents(first.run_dir), contents(second.run_dir)
    assert a.keys() == b.keys() >= {"config.yaml", "journal.twj", "summary.json", "report.html", "fills.parquet"}
    assert [name for name in a if a[name] != b[name]] == ["run.json"]
    assert first.fills.height > 50


SHELL = """
import sys
from truewind.backtest.run import run
print(run(sys.argv[1], lake=sys.argv[2], runs=sys.argv[3]).run_dir)
"""


def test_the_seed_of_hashes_changes_nothing(config, tmp_path):
    """Two processes with different PYTHONHASHSEED leave equal bytes."""
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    folders = []
    for seed in ("1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", SHELL, path, tmp_path / "data", tmp_path / "runs"], check=True, text=True,
            env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True,
        )  # fmt: skip
        folders.append(tmp_path / "runs" / os.path.basename(done.stdout.strip()))
    a, b = map(contents, folders)
    assert [name for name in a if a[name] != b[name]] == ["run.json"]


def test_what_comes_after_changes_nothing_before(config, go, tmp_path, store):
    """Other bars from 02:00 on: orders and fills before then are the same rows."""
    before = go(config)
    for seed, symbol in enumerate(("AAAUSDT", "BBBUSDT")):
        store(symbol, walk(seed)[:120] + walk(seed + 50)[120:])
    after = go(config)
    assert after.data_snapshot != before.data_snapshot
    assert after.result_id != before.result_id
    moment = pl.datetime(2024, 1, 1, 2, time_zone="UTC")
    for name, past in (
        ("fills", pl.col("ts") < moment),
        ("orders", pl.col("created") <= moment),
        ("equity", pl.col("ts") <= moment),
    ):
        first, second = (result.table(name).filter(past) for result in (before, after))
        if name == "orders":  # how an order ends may lie in the future
            first, second = (table.drop("ended", "status", "filled", "reason") for table in (first, second))
        assert first.equals(second)
        assert first.height > 10
    assert not before.fills.equals(after.fills)


def test_the_figures_add_up(config, go):
    """Equity ends where cash, fees, profits, funding and what is still open say; the journal has the same fills."""
    result = go(config)
    fills, equity, orders = result.fills, result.equity, result.orders
    cash = 10_000 + fills["realised"].sum() - fills["fee"].sum()
    assert equity["cash"][-1] == pytest.approx(cash)
    last = {"AAAUSDT": walk(0)[-1][3], "BBBUSDT": walk(1)[-1][3]}
    open_profit = 0.0
    for symbol, close in last.items():
        own = fills.filter((pl.col("symbol") == symbol) & (pl.col("kind") != "funding"))
        paid = (own["side"] * own["notional"]).sum() + own["realised"].sum()
        open_profit += own["position"][-1] * close - paid
    assert equity["equity"][-1] == pytest.approx(cash + open_profit)
    assert result.summary["final_equity"] == pytest.approx(equity["equity"][-1])
    assert result.summary["fees"] == pytest.approx(fills["fee"].sum())
    assert result.summary["orders"] == orders.height
    journal = list(read_journal(result.run_dir / "journal.twj"))
    assert sum(len(frame.rows) for frame in journal if frame.kind == "fill") == fills.height
    assert journal[0].kind == "start"
    assert journal[-1].facts["final_equity"] == pytest.approx(equity["equity"][-1])
    assert equity["ts"].is_sorted()
    assert equity["ts"].n_unique() == equity.height == 240


def test_a_result_is_identified_by_data_config_and_code(config, go, tmp_path):
    """Another seed or another line in one's own file: another result_id; the same again: the same."""
    first = go(config)
    assert go(config, "seed=7").result_id != first.result_id
    source = tmp_path / "mine.py"
    source.write_text(source.read_text().replace("2 * params.width", "3 * params.width"))
    assert go(config).result_id != first.result_id


def test_config_in_the_folder_runs_again(config, go):
    """What is kept is whole: running it leaves the same result."""
    first = go(config, "latency.entry_ms=20")
    again = go(str(first.run_dir / "config.yaml"))
    assert again.result_id == first.result_id
    assert contents(again.run_dir)["config.yaml"] == contents(first.run_dir)["config.yaml"]


def test_a_strategy_that_raises_leaves_its_journal_and_says_which_bar(config, go, tmp_path):
    """StrategyError; run.json says failed and why; the journal holds all up to that bar, and the error."""
    broken = config | {"strategy": {"path": f"{tmp_path / 'mine.py'}:Fails", "params": {"bar": 9}}}
    with pytest.raises(StrategyError, match="LookupError on AAAUSDT bar 8, known at 2024-01-01 00:05:00") as error:
        go(broken)
    folder = error.value.facts["run_dir"]
    about = json.loads((folder / "run.json").read_text())
    assert about["status"] == "failed"
    assert "no idea" in about["error"]
    frames = list(read_journal(folder / "journal.twj"))
    assert [frame.kind for frame in frames if frame.rows is not None] == ["verdict", "order", "fill"]
    assert frames[-1].kind == "error"
    assert "no idea" in frames[-1].facts["message"]
    assert not (folder / "summary.json").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["account.csh=5"], "cash"),
        (["acount.cash=5"], "account"),
        (["costs.taker=5"], "taker_fee"),
        (["risk.max_drawdwon=0.5"], "max_drawdown"),
        (["sizing.method=kely"], "sizing.method"),
        (["data.timeframe=7m"], "7m"),
        (["data.symbols=[AAUSDT]"], "AAAUSDT"),
        (["data.start=2024-01-02", "data.end=2024-01-01"], "2024-01-01"),
        (["account.currency=EUR"], "EUR"),
        (["account.cash=1e12"], "Cash"),
        (["account.leverage=20", "margin.maintenance_rate=0.05"], "maintenance_rate"),
        (["data.venue=nowhere"], "nowhere"),
    ],
)
def test_bad_config_starts_nothing(changes, says, config, go, tmp_path):
    """ConfigError or DataError with the closest key or what is wrong; no folder of a run is made."""
    with pytest.raises((ConfigError, DataError)) as error:
        go(config, *changes)
    assert says in str(error.value)
    assert not (tmp_path / "runs").exists()


def test_missing_parameters_of_a_function_show_at_the_first_bar(config, go):
    """A decide function declares none: what it reads and nobody gave is an error that names bar and parameter."""
    with pytest.raises(StrategyError, match="width"):
        go(config | {"strategy": {"path": config["strategy"]["path"]}})


def test_a_missing_file_and_a_full_disk_are_told(config, go, tmp_path):
    """MissingFileError with the path; StorageError where the folder cannot be made."""
    with pytest.raises(MissingFileError, match=r"none\.yaml"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="runs"):
        go(config)


def test_refused_orders_are_told_to_the_reader(config, go):
    """A risk cap that reduces orders, and a halt: warnings in run.json with number and first time."""
    result = go(config, "risk.max_position=0.1")
    warnings = json.loads((result.run_dir / "run.json").read_text())["warnings"]
    assert any("reduced (position cap)" in warning for warning in warnings)


def test_a_flat_market_is_a_run_too(go, store, tmp_path):
    """Nothing moves, nothing is traded: figures are zero or absent, never an exception, and the page is written."""
    store("AAAUSDT", [flat(100)] * 50, kind="spot")
    path = "truewind.strategies.crypto.breakout:Breakout"
    result = go(
        {"name": "flat", "data": {"venue": "test", "symbols": "AAAUSDT", "timeframe": "1m"}, "strategy": {"path": path}}
    )
    assert result.summary["final_equity"] == 10_000
    assert result.summary["trades"] == 0
    assert result.report.stat().st_size > 1000
    assert all(not math.isinf(value) for value in result.summary.values() if isinstance(value, float))


def test_one_bar_is_enough(go, store):
    """The shortest run: nothing can be traded on it."""
    store("AAAUSDT", [flat(100)], kind="spot")
    path = "truewind.strategies.crypto.ema_cross:EmaCross"
    data = {"venue": "test", "symbols": "AAAUSDT", "timeframe": "1m"}
    result = go({"name": "one", "data": data, "strategy": {"path": path}})
    assert result.summary["orders"] == 0


def test_runs_are_found_by_name(config, go, tmp_path):
    """By folder, id, unique beginning and latest; what is unknown or could be many is told."""
    result = go(config)
    runs = tmp_path / "runs"
    for name in (str(result.run_dir), result.run_id, result.run_id[:-1], "latest"):
        assert find_run(runs, name) == result.run_dir
    with pytest.raises(MissingFileError, match="nothing"):
        find_run(runs, "nothing")
    go(config)
    with pytest.raises(MissingFileError, match="could be any of"):
        find_run(runs, "2")
    with pytest.raises(MissingFileError):
        find_run(tmp_path / "empty", "latest")


def test_every_config_that_is_shipped_is_valid():
    """configs/*.yaml parse with today's settings, and their strategies exist."""
    from pathlib import Path

    from truewind.strategies.base import load

    files = list((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
    assert len(files) >= 2
    for path in files:
        settings = load_config(path)
        chosen = [(one, one.sizing) for one in settings.strategies] or [(settings.chosen, settings.sizing)]
        for one, sizing in chosen:
            strategy = load(one.path, one.params)
            assert not (sizing.method == "risk" and type(strategy).__name__ == "EmaCross"), "never trades"


def test_several_strategies_share_one_account(config, go, tmp_path):
    """Two strategies: the report names both, orders and fills say whose they are, and the nets add up to the result."""
    one = config.pop("strategy")
    config["strategies"] = [{"name": "first", **one, "allocation": 0.5}, {"name": "second", **one, "allocation": 0.25}]
    result = go(config)
    parts = result.summary["strategies"]
    assert [part["name"] for part in parts] == ["first", "second"]
    gained = result.summary["final_equity"] - result.summary["initial_equity"]
    assert sum(part["net"] for part in parts) == pytest.approx(gained, abs=1e-6)
    orders = pl.read_parquet(result.run_dir / "orders.parquet")
    assert set(orders["strategy"]) == {"first", "second"}
    page = (result.run_dir / "report.html").read_text()
    assert '<section id="strategies">' in page
    assert "What each has gained" in page
    gains = pl.read_parquet(result.run_dir / "gains.parquet")
    equity = pl.read_parquet(result.run_dir / "equity.parquet")
    both = gains.group_by("ts", maintain_order=True).agg(pl.col("gain").sum())
    assert both["ts"].equals(equity["ts"])
    assert both["gain"].to_numpy() == pytest.approx(
        equity["equity"].to_numpy() - result.summary["initial_equity"], abs=1e-6
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lane": "compiled"}, "event lane"),
        ({"strategies": [{"name": "a", "path": "x:Y"}, {"name": "a", "path": "x:Y"}]}, "same name"),
        ({"strategies": [{"name": "a", "path": "x:Y", "symbols": ["NONE"]}]}, "NONE"),
        ({"strategies": []}, "name a strategy"),
    ],
)
def test_strategies_that_cannot_share_an_account_are_refused(change, says, config, go):
    """Before anything is written, with what is wrong."""
    one = config.pop("strategy")
    config["strategies"] = [{"name": "first", **one}]
    with pytest.raises(ConfigError, match=says):
        go(config | change)
