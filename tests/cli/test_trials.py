"""`truewind trials`: what backtests and sweeps have left in the ledger, and how much luck is in the best."""

import math
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def tried(run: Any, lake: Path, config: Path) -> list[str]:
    """Two backtests and a sweep of four points; the ids of the backtests."""
    ids = []
    for entry in (24, 30):
        done = run("backtest", config, "--set", f"strategy.params.entry={entry}", "--json")
        ids.append(done.json["result_id"])
    entries = "strategy.params.entry=[20,24,28,32]"
    assert run("sweep", config, "--set", entries, "--set", "strategy.params.exit=12", "--json").code == 0
    return ids


def test_without_a_ledger_one_is_told_how_it_comes_about(run: Any, home: Path) -> None:
    """Reading makes no file."""
    for words in (["list"], ["best"], ["show", "latest"], ["delete", "latest"], ["compare", "a", "b"]):
        done = run("trials", *words)
        assert done.code == 2
        assert "No database truewind.db" in done.err
        assert "A backtest makes it" in done.err
    assert not list(home.glob("truewind.db*"))


def test_switched_off_it_says_so(run: Any, lake: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUEWIND_DATABASE", "off")
    assert run("backtest", config, "--json").code == 0
    done = run("trials", "list")
    assert done.code == 2
    assert "TRUEWIND_DATABASE is off" in done.err


def test_what_was_tried_is_listed(run: Any, tried: list[str]) -> None:
    """The last run first; a sweep is one line, its points are shown when asked for; filters narrow it down."""
    listed = run("trials", "list", "--json").json["trials"]
    assert [one["kind"] for one in listed] == ["sweep", "backtest", "backtest"]
    assert [one["id"] for one in listed[1:]] == tried[::-1]
    assert listed[0]["metrics"]["trials"] == 4
    assert len(run("trials", "list", "--parent", listed[0]["id"][:8], "--json").json["trials"]) == 4
    for fits in (["--kind", "sweep"], ["--limit", "1"]):
        assert len(run("trials", "list", *fits, "--json").json["trials"]) == 1
    for fits in (["--family", "BREAKOUT"], ["--symbol", "ethusdt"], ["--name", "test"], ["--since", "2024-01-01"]):
        assert len(run("trials", "list", *fits, "--json").json["trials"]) == 3, fits
    for no in (["--family", "grid"], ["--symbol", "XRPUSDT"], ["--since", "2999-01-01"], ["--kind", "paper"]):
        assert run("trials", "list", *no).out == "no trials that fit\n"
    shown = run("trials", "list").out
    assert "breakout:Breakout" in shown
    assert "BTCUSDT, ETHUSDT" in shown


def test_one_is_shown_whole(run: Any, tried: list[str]) -> None:
    done = run("trials", "show", tried[0][:9], "--json").json
    assert (done["id"], done["params"]["strategy.params.entry"], done["universe"]) == (
        *(tried[0], 24),
        ["synthetic:BTCUSDT", "synthetic:ETHUSDT"],
    )
    # Six were tried: two backtests and four points, two of which are the same thing again.
    assert done["luck"]["tried"] == 6
    assert done["luck"]["different"] >= 1
    shown = run("trials", "show", tried[0]).out
    assert "strategy.params.entry" in shown
    assert "Of 6 variants tried" in shown


def test_the_best_has_beside_it_how_much_was_tried(run: Any, tried: list[str]) -> None:
    """By the greatest, or of what one wants little by the least; points of sweeps among them."""
    done = run("trials", "best", "--limit", "9", "--json").json
    sharpes = [one["metrics"]["sharpe"] for one in done["trials"]]
    assert len(sharpes) == done["among"] == 6
    assert sharpes == sorted(sharpes, reverse=True)
    assert all(one["luck"]["tried"] == 6 for one in done["trials"])
    falls = [
        one["metrics"]["max_drawdown"] for one in run("trials", "best", "--by", "max_drawdown", "--json").json["trials"]
    ]
    assert falls == sorted(falls)
    shown = run("trials", "best").out
    assert "deflated" in shown
    assert "chosen among 6 trials" in shown
    wrong = run("trials", "best", "--by", "sharp")
    assert wrong.code == 2
    assert "Did you mean 'sharpe'?" in wrong.err


def test_trials_are_compared_by_what_differs(run: Any, tried: list[str]) -> None:
    shown = run("trials", "compare", *tried).out
    assert "strategy.params.entry" in shown
    assert "strategy.params.exit" not in shown
    assert "Sharpe" in shown
    assert "strategy.params.exit" in run("trials", "compare", *tried, "--all").out
    sweep = run("trials", "list", "--kind", "sweep", "--json").json["trials"][0]["id"]
    point = run("trials", "list", "--parent", sweep, "--json").json["trials"][0]["id"]
    both = run("trials", "compare", point, tried[0], "--json").json["trials"]
    assert both[0]["params"]["strategy.params.exit"] == both[1]["params"]["strategy.params.exit"] == 12
    assert run("trials", "compare", tried[0]).code == 2


def test_what_is_deleted_still_counts(run: Any, tried: list[str]) -> None:
    """It is listed no more; a sweep takes its points with it; the next run knows of them all."""
    sweep = run("trials", "list", "--kind", "sweep", "--json").json["trials"][0]["id"]
    assert len(run("trials", "delete", sweep, "--json").json["deleted"]) == 5
    assert run("trials", "delete", tried[0]).out == "1 deleted; in what is tried, they count still\n"
    assert run("trials", "delete", tried[0]).out == "deleted already\n"
    assert [one["id"] for one in run("trials", "list", "--json").json["trials"]] == [tried[1]]
    assert len(run("trials", "list", "--deleted", "--json").json["trials"]) == 3
    luck = run("trials", "show", "latest", "--json").json["luck"]
    assert (luck["tried"], luck["deleted"]) == (6, 5)


def test_mistakes_are_told(run: Any, tried: list[str]) -> None:
    assert "There are no trials of kind 'sweeps'" in run("trials", "list", "--kind", "sweeps").err
    assert "No trial 'nothing'" in run("trials", "show", "nothing").err
    assert run("trials", "show", "").code == 2
    assert run("trials", "list", "--since", "yesterday").code == 2


def test_a_short_run_says_why_its_luck_is_not_defined(run: Any, lake: Path, config: Path) -> None:
    assert run("backtest", config, "--set", "data.end=2024-01-02", "--json").code == 0
    luck = run("trials", "show", "latest", "--json").json["luck"]
    assert luck["deflated"] is None
    assert "daily returns" in luck["not_defined"]
    assert not math.isnan(luck["tried"])
