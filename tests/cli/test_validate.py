"""`truewind walkforward` and `truewind validate`: what they ask for, and how they end."""

from typing import Any

import pytest

from truewind.analytics.gate import Evidence, judge
from truewind.research import validate
from truewind.research.validate import Validation

GOOD = Evidence(
    tried=1, luck=0.001, superior=0.001, tested=10, deflated=0.99, overfit=0.1, overfit_loss=0.0, efficiency=0.9,
    profitable=1.0, windows=8, days=900, needed_days=200.0, trades=300, drawdown=0.05, stressed_return=0.2,
    stability=1.0, leaks=0,
)  # fmt: skip


@pytest.fixture
def judged(monkeypatch: Any, home: Any) -> Any:
    """What the next validation comes to; its arguments are kept."""
    asked: dict[str, Any] = {}

    def come_to(evidence: Evidence) -> dict[str, Any]:
        def instead(target: str, grid: Any, **how: Any) -> Validation:
            asked.update(how, target=target, grid=grid)
            return Validation(run_dir=home / "runs" / "one", found={"seed": 42}, judgement=judge(evidence))

        monkeypatch.setattr(validate, "validate", instead)
        return asked

    return come_to


def test_what_passes_the_gate_ends_with_0(run: Any, judged: Any, config: Any) -> None:
    """And JSON holds verdict, rules and findings."""
    asked = judged(GOOD)
    done = run("validate", config, "--set", "strategy.params.entry=5:9", "--set", "account.cash=1", "--quick", "--json")
    assert done.code == 0, done
    assert done.json["passed"] is True
    assert {rule["name"] for rule in done.json["rules"]} >= {"luck", "overfit", "walk_forward", "look_ahead"}
    assert asked["grid"] == {"strategy.params.entry": "5:9"}
    assert asked["overrides"] == ["account.cash=1"]
    assert asked["quick"] is True


@pytest.mark.parametrize("evidence", [Evidence(trades=1), Evidence(trades=300)])
def test_what_does_not_pass_ends_with_6(run: Any, judged: Any, config: Any, evidence: Evidence) -> None:
    """Whether a rule failed, or one that must hold was not tested."""
    judged(evidence)
    done = run("validate", config)
    assert done.code == 6
    assert "number of trades" in done.out
    assert "report" in done.out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("walkforward", "{}", "--train", "a year"), "no length of time"),
        (("walkforward", "{}", "--choose", "worst"), "not one of 'best', 'plateau'"),
        (("walkforward", "{}", "--train", "9000d", "--test", "10d"), "no room for one window"),
        (("validate", "{}", "--train", "10d"), "belong together"),
        (("validate", "no-such-run"), "No run 'no-such-run'"),
    ],
)
def test_what_cannot_be_asked_is_told(run: Any, config: Any, command: tuple[str, ...], says: str) -> None:
    """Bad use ends with 2, and says what to do."""
    done = run(*(part.replace("{}", str(config)) for part in command))
    assert done.code == 2, done
    assert says in done.err
