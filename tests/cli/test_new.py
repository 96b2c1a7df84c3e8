"""`truewind new strategy`: what it writes runs at once, as it stands."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

KINDS = {"decide": (), "callbacks": ("--callbacks",)}


@pytest.fixture(params=KINDS)
def begun(request: pytest.FixtureRequest, run: Any) -> str:
    """The kind of a strategy `my_idea` that was just begun in the working folder."""
    assert run("new", "strategy", "my_idea", *KINDS[request.param]).code == 0
    return str(request.param)


def test_all_of_it_runs_at_once(begun: str, run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backtest, tests, checks and the cells of the notebook, with no data but those that are made on the way."""
    done = run("backtest", "my_idea/my_idea.yaml", "--json")
    assert done.code == 0, done.out
    assert done.json["trades"] > 20
    checked = run("strategy", "check", "my_idea/my_idea.yaml", "--json").json
    assert checked["ok"], checked
    assert {one["verdict"] for one in checked["checks"]} == {"passed"}
    lane = next(one["said"] for one in checked["checks"] if one["name"] == "lane parity")
    assert ("same bits" in lane) == (begun == "decide")
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "my_idea"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert tests.returncode == 0, tests.stdout
    assert "5 passed" in tests.stdout

    display = types.ModuleType("IPython.display")
    display.HTML = display.IFrame = lambda *given, **how: given[0]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.chdir(home / "my_idea")  # where a notebook runs
    names: dict[str, Any] = {}
    for cell in json.loads(Path("my_idea.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["result"].result_id == done.json["result_id"]  # the command's run, though from another folder
    assert {path.name for path in Path().iterdir()} >= {"my_idea.py", "my_idea.ipynb"}
    assert not Path("data").exists()


def test_the_notebook_is_one(begun: str) -> None:
    """As nbformat 4.5 wants it: cells with their own ids, sources as lines, code without outputs."""
    found = json.loads(Path("my_idea/my_idea.ipynb").read_text())
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    cells = found["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        assert cell["metadata"] == {}
        assert all(line.endswith("\n") for line in cell["source"][:-1])
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | (
            {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        )
    assert [cell["cell_type"] for cell in cells[:2]] == ["markdown", "code"]
    assert "MyIdea" in cells[0]["source"][0]


def test_it_can_be_swept(run: Any, home: Path) -> None:
    """By its declared parameters, from the working folder."""
    run("new", "strategy", "my_idea")
    done = run("sweep", "my_idea/my_idea.yaml", "--set", "strategy.params.trend=[50, 100]", "--json")
    assert done.code == 0, done.out
    assert (done.json["trials"], done.json["failed"]) == (2, 0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("My-Idea", "cannot be the name of a module"),
        ("1st", "cannot be the name of a module"),
        ("a/b", "cannot be the name of a module"),
        ("class", "Python has another meaning"),
        ("random", "Python has another meaning"),
        ("breakout", "the name of a built-in strategy"),
        ("x" * 61, "too long"),
        ("there", "there is there already"),
    ],
)
def test_a_name_that_cannot_be_is_told(run: Any, home: Path, name: str, says: str) -> None:
    """Nothing is written then, and what was there stays."""
    (home / "there").mkdir()
    done = run("new", "strategy", name)
    assert done.code == 2
    assert says in done.err
    assert [path.name for path in home.iterdir() if path.name != "logs"] == ["there"]
    assert not list((home / "there").iterdir())


def test_a_misspelt_symbol_makes_no_market(run: Any, home: Path) -> None:
    """Only listed symbols of the synthetic venue are made when they are asked for."""
    run("new", "strategy", "my_idea")
    done = run("backtest", "my_idea/my_idea.yaml", "--set", "data.symbols=[BTUSDT]")
    assert done.code == 2
    assert not (home / "data").exists()
