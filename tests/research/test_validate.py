"""Validate: everything is asked, answers are written into the run's folder, and what cannot be asked is said."""

import shutil

import orjson
import pytest

from hourly import config, market
from truewind.analytics import luck, report
from truewind.backtest.settings import load_config
from truewind.errors import ConfigError
from truewind.research.validate import validate

PARTS = (
    "space",
    "stress",
    "permuted",
    "noise",
    "overfit",
    "superior",
    "choice",
    "stability",
    "walkforward",
    "lookahead",
    "evidence",
)


@pytest.fixture(scope="module")
def validated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validate")
    lake = market(folder / "lake")
    grid = {"strategy.params.fast": [3, 5, 8, 12], "strategy.params.slow": [20, 30]}
    given = {
        "lake": lake,
        "runs": folder / "runs",
        "out": folder / "sweeps",
        "workers": 1,
        "train": "20d",
        "test": "7d",
        "quick": True,
    }
    return given, grid, validate(config(), grid, **given)


def test_every_part_is_there_and_the_gate_has_judged_by_them(validated):
    """The file holds what the judgement follows from."""
    _, _, done = validated
    found = orjson.loads((done.run_dir / "validation.json").read_bytes())
    assert found == orjson.loads(orjson.dumps(done.found))
    assert all(part in found for part in PARTS)
    assert found["space"]["trials"] == 8
    assert found["superior"]["trials"] + found["superior"]["left_out"] == 9  # the run itself is among them
    assert found["lookahead"]["leaks"] == 0
    assert found["overfit"]["splits"] == 12_870
    assert len(found["choice"]["sharpes"]) > 0
    again = luck.judged(report.load(done.run_dir))
    assert again == done.judgement
    states = {rule.name: rule.state for rule in again.rules}
    assert states["look_ahead"] == "passed"
    assert states["overfit"] != "not tested"
    assert states["costs"] != "not tested"
    assert [run["name"] for run in found["stress"]][:2] == ["as it was", "costs × 2"]
    assert found["permuted"]["count"] == found["noise"]["count"] == 20
    assert again.passed is False  # fifty days of noise


def test_the_report_shows_it(validated):
    """Its section comes with the walk, the paths and the surface of the parameters."""
    _, _, done = validated
    page = done.report.read_text()
    for title in ("What was asked", "Equity out of sample", "paths, chosen anew", "Sharpe ratio by fast and slow"):
        assert title in page


def test_the_same_again_finds_the_same(validated):
    """From nothing, and of a run by its id; sweeps that are there are not run again."""
    given, grid, done = validated
    again = validate(done.run_dir.name, grid, **given)
    shutil.rmtree(given["out"])
    fresh = validate(config(), grid, **given)
    for other in (again, fresh):
        assert other.found == done.found


def test_a_strategy_without_a_space_is_judged_by_the_rest(validated, tmp_path):
    """Nothing to vary: overfitting is not tested, with the reason; causality is."""
    given, _, _ = validated
    (tmp_path / "holder.py").write_text(
        "from truewind.strategies.base import Strategy\n"
        "class Holder(Strategy):\n"
        "    '''Buys once.'''\n"
        "    def on_start(self):\n"
        "        self.done = False\n"
        "    def on_bar(self, bar):\n"
        "        if not self.done:\n"
        "            self.buy(1)\n"
        "            self.done = True\n"
    )
    done = validate(config(strategy={"path": f"{tmp_path}/holder.py:Holder"}, sizing={}), **given)
    assert "no parameter with bounds" in done.found["overfit"]["reason"]
    assert done.found["space"]["trials"] == 0
    rules = {rule.name: rule for rule in done.judgement.rules}
    assert rules["overfit"].state == "not tested"
    assert "no parameter with bounds" in rules["overfit"].sentence
    assert rules["look_ahead"].state == "passed"
    assert "Not tested" in done.report.read_text()


def test_a_config_that_is_wrong_is_told(validated):
    """As a backtest tells it, and not as a reason why nothing was tested."""
    given, grid, _ = validated
    with pytest.raises(ConfigError, match="symbols"):
        validate(config(data={"venue": "test", "timeframe": "1h"}), grid, **given)


def test_gate_and_space_may_stand_in_the_config(validated):
    """`sweep:` and `gate:` are read, and a threshold that is asked for is the one that judges."""
    given, grid, _ = validated
    asked = config(sweep={"grid": grid, "sample": 3}, gate={"drawdown": 0.9, "trades": 7})
    done = validate(asked, **given)
    assert load_config(asked) == load_config(config())  # a backtest of it takes no notice
    assert done.found["space"]["trials"] == 3
    rules = {rule.name: rule for rule in done.judgement.rules}
    assert (rules["trades"].threshold, rules["drawdown"].threshold) == (7, 0.9)
