"""`truewind strategy`: what there is, and what it says of itself."""

from pathlib import Path
from typing import Any

import pytest

from truewind.strategies import catalogue


def test_all_built_in_strategies_are_listed(run: Any) -> None:
    """By name, with lanes and the idea; as JSON with parameters and bounds."""
    shown = run("strategy", "list")
    assert shown.code == 0
    assert all(name in shown.out for name in catalogue.names())
    found = {one["name"]: one for one in run("strategy", "list", "--json").json["strategies"]}
    assert list(found) == list(catalogue.names())
    assert found["breakout"]["lanes"] == ["event", "compiled"]
    entry = found["breakout"]["parameters"][0]
    assert (entry["name"], entry["default"], entry["low"], entry["high"]) == ("entry", 55, 2, 2000)


def test_a_strategy_is_shown_whole(run: Any) -> None:
    """Idea, source, when it fails, each parameter with its bounds, features and lanes."""
    shown = run("strategy", "show", "breakout").out
    for text in ("Donchian", "Fails when", "above 0, up to 20", "average true ranges", "atr(14)", "event, compiled"):
        assert text in shown


def test_a_config_shows_its_strategy_as_it_is_set(run: Any, config: Any) -> None:
    """With the parameters given, and the features that these make."""
    shown = run("strategy", "show", config, "--json").json
    assert shown["given"]["entry"] == 24
    assert shown["features"]["entry_high"] == "highest(24, close)"


def test_a_strategy_for_the_event_lane_says_why(run: Any, home: Any) -> None:
    (home / "mine.py").write_text('"""Mine."""\nfrom truewind import Strategy\nclass Mine(Strategy):\n    pass\n')
    assert "event (it works with callbacks)" in run("strategy", "show", "mine.py").out


@pytest.mark.parametrize(
    ("name", "says"), [("brakeout", "Did you mean 'breakout'"), ("a.b", "one of"), ("x.py", "x.py")]
)
def test_what_is_no_strategy_is_told(run: Any, name: str, says: str) -> None:
    shown = run("strategy", "show", name)
    assert shown.code == 2
    assert says in shown.err


def test_a_check_is_a_table_and_an_exit_code(run: Any, lake: Any, config: Any, home: Any) -> None:
    """0 where all checks pass; 6 where one fails, with what was found, as JSON too."""
    found = run("strategy", "check", config, "--json").json
    assert found["ok"]
    assert [one["verdict"] for one in found["checks"]] == ["passed"] * 5
    text = '"""Peeks."""\nfrom truewind import Strategy\nclass Peeks(Strategy):\n    def on_bar(self, bar):\n'
    text += "        if self.desk.timeline.prices[3][-1] > 0 and not self.desk.position(bar.symbol).side:\n"
    text += "            self.buy(500 / self.desk.timeline.prices[3][-1], symbol=bar.symbol)\n"
    (home / "peeks.py").write_text(text)
    failed = run("strategy", "check", config, "--set", "strategy={path: peeks.py}")
    assert failed.code == 6, failed
    assert "causality" in failed.out
    assert "what was before it moved" in failed.out


FIT = """
data: {venue: synthetic, symbols: [ETHUSDT], timeframe: 1h, start: 2024-01-01, end: 2024-02-05}
states: 3
"""


def test_states_are_fitted_shown_and_traded(run: Any, home: Any, lake: Any, config: Any) -> None:
    """The table, the file that a strategy takes, and the same as JSON; a run over the same bars says in-sample."""
    (home / "fit.yaml").write_text(FIT)
    shown = run("strategy", "fit", "fit.yaml")
    assert shown.code == 0
    assert "synthetic ETHUSDT 1h, 2024-01-01 to 2024-02-05" in shown.out
    assert (home / "fit.json").is_file()
    found = run("strategy", "fit", "fit.yaml", "--out", "mine.json", "--json").json
    assert (found["file"], len(found["states"])) == ("mine.json", 3)
    assert (home / "mine.json").read_bytes() == (home / "fit.json").read_bytes()
    settings = ["data.symbols=[ETHUSDT]", "strategy.path=eth_cluster", "strategy.params={model: mine.json}"]
    words = [word for assignment in settings for word in ("--set", assignment)]
    traded = run("backtest", config, *words, "--json").json
    assert "in-sample" in (home / traded["run_dir"] / "run.json").read_text()


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [("end: 2024-02-05", 2, "give both"), ("ETHUSDT", 2, "NOPEUSDT"), ("states: 3", 2, "unknown key 'state'")],
)
def test_what_cannot_be_fitted_is_told(run: Any, home: Any, lake: Any, change: str, code: int, says: str) -> None:
    """No end, a symbol that is not there, a misspelt key."""
    instead = {"end: 2024-02-05": "", "ETHUSDT": "NOPEUSDT", "states: 3": "state: 3"}
    (home / "fit.yaml").write_text(FIT.replace(change, instead[change]))
    shown = run("strategy", "fit", "fit.yaml")
    assert shown.code == code
    assert says in shown.err
    assert not (home / "fit.json").exists()


def test_a_config_of_parts_is_shown_too(run: Any) -> None:
    """With what the parts are and read."""
    file = Path(__file__).resolve().parents[2] / "configs" / "strategies" / "parts-crossover.yaml"
    shown = run("strategy", "show", file, "--json").json
    assert shown["path"].startswith("parts: crossover")
    assert shown["features"]
    assert shown["lanes"] == ["event", "compiled"]
