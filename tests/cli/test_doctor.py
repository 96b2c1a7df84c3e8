"""`truewind doctor` and `truewind features list`."""

from pathlib import Path
from typing import Any

import pytest


def test_a_healthy_house(run: Any, lake: Path) -> None:
    """Everything needed is found: exit code 0, and the lake is counted."""
    done = run("doctor", "--json")
    assert done.code == 0, done.out
    found = {check["name"]: check for check in done.json["checks"]}
    assert done.json["ok"] is True
    assert found["kernels"]["ok"] in (True, None)
    assert found["lake"]["value"].startswith("data: 4 series, ")
    assert found.keys() >= {"Python", "libraries", "kernel cache", "runs", "logs", "disk", "extra dev"}


def test_what_is_wrong_is_told(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake that is a file and a misspelt variable: exit code 1, each named, nothing raised."""
    (home / "data").write_text("in the way")
    monkeypatch.setenv("TRUEWIND_LAEK", "x")
    done = run("doctor", "--json")
    assert done.code == 6
    wrong = {check["name"]: check["value"] for check in done.json["checks"] if check["ok"] is False}
    assert set(wrong) == {"lake", "environment"}
    assert "TRUEWIND_LAKE" in wrong["environment"]


def test_people_see_a_table(run: Any) -> None:
    """Without --json the same is a table; a lake that does not exist yet is no fault."""
    done = run("doctor")
    assert done.code == 0, done.out
    assert "does not exist yet" in done.out


def test_features_are_listed(run: Any) -> None:
    """The features of the first issue are there, each with its spec, and a spec computes."""
    found = {one["name"]: one for one in run("features", "list", "--json").json["features"]}
    assert found.keys() >= {"sma", "ema", "atr", "rsi", "highest", "lowest", "returns"}
    assert found["atr"]["inputs"] == ["high", "low", "close"]
    assert all(one["summary"] for one in found.values())
    assert "ema(" in run("features", "list").out
