"""`truewind backtest` and `truewind report`: a run from the command line, for machines and for people."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

PROMISED = {"run_id", "run_dir", "data_snapshot", "final_equity", "net_return", "sharpe", "max_drawdown"}
PROMISED |= {"orders", "trades", "fees"}
FILES = {"config.yaml", "summary.json", "run.json", "journal.twj", "report.html"}
FILES |= {f"{name}.parquet" for name in ("equity", "orders", "fills", "trades")}


def test_a_run_leaves_its_folder_and_its_figures(run: Any, lake: Path, config: Path, home: Path) -> None:
    """The promised keys are on stdout; the folder holds the files; figures agree with the tables."""
    done = run("backtest", config, "--json")
    assert done.code == 0
    found = done.json
    assert found.keys() >= PROMISED
    folder = Path(found["run_dir"])
    assert {path.name for path in folder.iterdir()} >= FILES
    assert found["run_id"] == folder.name
    assert found["data_snapshot"] == run("data", "snapshot", "--json").json["id"]
    equity = pl.read_parquet(folder / "equity.parquet")
    fills = pl.read_parquet(folder / "fills.parquet")
    assert found["final_equity"] == pytest.approx(equity["equity"][-1])
    assert found["net_return"] == pytest.approx(equity["equity"][-1] / 10_000 - 1)
    assert found["fees"] == pytest.approx(fills["fee"].sum())
    assert found["orders"] == pl.read_parquet(folder / "orders.parquet").height
    assert found["trades"] > 0


def test_set_changes_one_setting(run: Any, lake: Path, config: Path) -> None:
    """--set may be repeated; the folder's config.yaml holds what was in force."""
    done = run("backtest", config, "--set", "account.cash=5000", "--set", "seed=7", "--json")
    kept = yaml.safe_load((Path(done.json["run_dir"]) / "config.yaml").read_text())
    assert (kept["account"]["cash"], kept["seed"]) == (5000, 7)
    assert done.json["initial_equity"] == 5000


def test_people_get_a_verdict_a_table_and_the_report(run: Any, lake: Path, config: Path) -> None:
    """Without --json: what came out and what the gate says, in words; the summary table; where the page is."""
    done = run("backtest", config)
    assert done.code == 0
    assert done.out.split()[0] in ("Made", "Lost")
    assert "the gate" in done.out[: done.out.index("Net return")]
    assert "Sharpe" in done.out
    assert Path(done.out.split()[-1]).name == "report.html"
    assert Path(done.out.split()[-1]).is_file()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("account.csah=1", "cash"),
        ("data.symbols=[BTCUSD]", "BTCUSDT"),
        ("data.timeframe=7m", "7m"),
        ("data.venue=synthetics", "synthetic"),
        ("strategy.path=truewind.strategies.crypto.breakout:Breakotu", "Breakout"),
        ("strategy.params.entri=3", "entry"),
        ("data.start=2030-01-01", "no rows from"),
        (
            "data={venue: synthetic, symbols: [BTCUSDT], timeframe: 1h, start: 2024-01-05, end: 2024-01-02}",
            "2024-01-02",
        ),
        ("account.cash=-1", "cash"),
        ("account.cash", "account.cash"),
    ],
)
def test_bad_input_exits_2_and_starts_no_run(
    run: Any, lake: Path, config: Path, home: Path, change: str, says: str
) -> None:
    """A misspelt key, symbol, timeframe, venue, strategy or parameter, an empty span: told, and nothing is written."""
    done = run("backtest", config, "--set", change, "--json")
    assert done.code == 2
    assert says in str(done.json["error"])
    assert not (home / "runs").exists()


def test_a_missing_config_and_broken_yaml_are_told(run: Any, home: Path) -> None:
    """Both exit 2 with the path; YAML with its line."""
    assert "none.yaml" in run("backtest", "none.yaml", "--json").json["error"]["message"]
    (home / "bad.yaml").write_text("name: x\ndata: [1\n")
    done = run("backtest", "bad.yaml", "--json")
    assert done.code == 2
    assert "line 3" in done.json["error"]["message"]


RAISES = """
from truewind.strategies.base import Strategy

class Raises(Strategy):
    def on_bar(self, bar):
        if bar.ts >= 1704204000000000:  # 2024-01-02 14:00
            raise KeyError("my own mistake")
"""


def test_a_strategy_that_raises_exits_3_and_keeps_the_journal(run: Any, lake: Path, config: Path, home: Path) -> None:
    """The error names the bar and the mistake; the run's folder stays, with its journal."""
    (home / "mine.py").write_text(RAISES)
    done = run("backtest", config, "--set", "strategy={path: 'mine.py:Raises'}", "--json")
    assert done.code == 3
    error = done.json["error"]
    assert error["type"] == "StrategyError"
    assert "my own mistake" in error["message"]
    assert "2024-01-02" in str(error)
    folder = Path(error["facts"]["run_dir"])
    assert (folder / "journal.twj").stat().st_size > 0
    assert json.loads((folder / "run.json").read_text())["status"] == "failed"


def test_a_report_is_made_again(run: Any, lake: Path, config: Path, home: Path) -> None:
    """By id, unique beginning, folder and `latest` the same page comes back, byte for byte."""
    first = run("backtest", config, "--json").json
    page = Path(first["report"])
    original = page.read_bytes()
    names = [first["run_id"], first["run_id"][:-2], first["run_dir"], "latest"]
    for name in names:
        page.unlink()
        done = run("report", name, "--json")
        assert done.code == 0
        assert done.json["run_id"] == first["run_id"]
        assert page.read_bytes() == original
    assert run("report", "latest").out == f"{page}\n"


def test_latest_is_the_newest_and_a_common_beginning_is_refused(run: Any, lake: Path, config: Path) -> None:
    """Of two runs `latest` is the second; what both begin with names none."""
    first, second = (run("backtest", config, "--json").json for _ in range(2))
    if first["run_id"][:15] != second["run_id"][:15]:  # two runs of one second have no order
        assert run("report", "latest", "--json").json["run_id"] == second["run_id"]
    done = run("report", first["run_id"][:4], "--json")
    assert done.code == 2
    assert first["run_id"] in done.json["error"]["message"]


def test_a_run_that_is_not_there_is_told(run: Any, lake: Path, config: Path, home: Path) -> None:
    """Without runs, with a wrong id, and with a folder that lost a table: code 2 or 4, and the name."""
    assert run("report", "latest", "--json").code == 2
    done = run("backtest", config, "--json").json
    wrong = run("report", "nonsense", "--json")
    assert wrong.code == 2
    assert "nonsense" in wrong.json["error"]["message"]
    shutil.rmtree(home / "logs")
    Path(done["run_dir"], "trades.parquet").unlink()
    lost = run("report", "latest", "--json")
    assert lost.code in (2, 4)
    assert "trades.parquet" in str(lost.json["error"])
