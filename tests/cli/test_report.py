"""`truewind report`: the forms of a run's report, and runs side by side."""

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pypdf
import pytest


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_lake: Path) -> Path:
    """A folder of three runs: two of the same days, and one that failed."""
    import os

    from cli.conftest import DEMO
    from truewind.backtest.run import run

    home = tmp_path_factory.mktemp("finished")
    lake = shutil.copytree(small_lake, home / "data")
    before = Path.cwd()
    os.chdir(home)
    try:
        for name, overrides in (("one", []), ("two", ["strategy.params.entry=36"])):
            done = run(DEMO | {"name": name}, overrides=overrides, lake=lake, runs=home / "runs")
            done.run_dir.rename(home / "runs" / f"20240101T000000-{name}")
    finally:
        os.chdir(before)
    failed = home / "runs" / "20230101T000000-failed"
    failed.mkdir()
    about = {"run_id": failed.name, "status": "failed", "name": "x", "info": {}, "assumptions": [], "warnings": []}
    (failed / "run.json").write_text(json.dumps(about))
    return home / "runs"


@pytest.fixture
def runs(finished: Path, home: Path) -> Path:
    """A copy of them where commands look for runs."""
    return Path(shutil.copytree(finished, home / "runs"))


def test_every_form_is_written_beside_the_run(run: Any, runs: Path) -> None:
    """--all: page, PDF, JSON and a CSV a table, each of which can be read."""
    done = run("report", "make", "20240101T000000-one", "--all", "--json").json
    folder = runs / "20240101T000000-one"
    assert done["files"].keys() == {"html", "pdf", "json", "csv"}
    assert Path(done["report"]).name == "report.html"
    printed = " ".join(" ".join(sheet.extract_text() for sheet in pypdf.PdfReader(folder / "report.pdf").pages).split())
    told = json.loads((folder / "report.json").read_text())
    assert (told["schema"], told["name"]) == (1, "one")
    assert all(section["title"] in printed for section in told["sections"])
    with (folder / "csv" / "trades.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    summary = json.loads((folder / "summary.json").read_text())
    assert len(rows) == summary["trades"] + summary["open_trades"] > 0


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ([], ["report.html"]),
        (["--pdf"], ["report.pdf"]),
        (["--csv", "--json-file"], ["report.json", "csv"]),
    ],
)
def test_only_what_is_asked_for_is_written(run: Any, runs: Path, options: list[str], made: list[str]) -> None:
    """Without an option the page; a line a form on stdout; `make` may be left out, options may come first."""
    (runs / "20240101T000000-one" / "report.html").unlink()
    done = run("report", *options, "20240101T000000-one")
    assert done.code == 0
    assert [Path(line).name for line in done.out.splitlines()] == made
    assert (runs / "20240101T000000-one" / "report.html").exists() == ("report.html" in made)


def test_two_runs_are_put_side_by_side(run: Any, runs: Path) -> None:
    """The page lies beside the runs and names both; what differs is their parameter."""
    done = run("report", "compare", "20240101T000000-one", "20240101T000000-two", "--json", "--html", "--csv").json
    assert done["runs"] == ["20240101T000000-one", "20240101T000000-two"]
    assert done["verdict"]
    page = runs / "compare-20240101T000000-one-20240101T000000-two.html"
    assert Path(done["report"]).resolve() == page.resolve()
    assert "one" in page.read_text()
    with (Path(done["files"]["csv"]) / "settings.csv").open(newline="") as file:
        assert ["strategy.params.entry", "24", "36"] in list(csv.reader(file))
    assert run("report", "make", "20240101T000000-one").code == 0  # what compare wrote is not taken for a run


def test_a_comparison_goes_where_it_is_told(run: Any, runs: Path, home: Path) -> None:
    done = run("report", "compare", "20240101T000000-one", "20240101T000000-two", "--pdf", "--out", "mine/both")
    assert done.out.strip() == str(Path("mine") / "both.pdf")
    assert (home / "mine" / "both.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["compare", "20240101T000000-one"], "1 run"),
        (["compare", "20240101T000000-one", "20240101T000000-one"], "named twice"),
        (["compare", "20240101T000000-one", "nonsense"], "nonsense"),
        (["compare", "20240101T000000-one", "20230101"], "20230101T000000-failed"),
        (["make", "20230101T000000-failed", "--pdf"], "20230101T000000-failed"),
        (["compare"], "runs"),
    ],
)
def test_what_cannot_be_reported_is_told(run: Any, runs: Path, words: list[str], says: str) -> None:
    """One run, the same twice, one that is not there, one that failed: exit code 2, and which it is."""
    done = run("report", *words, "--json")
    assert done.code == 2
    assert says in done.json["error"]["message"]
    assert not list(runs.glob("compare-*"))


def test_a_pdf_without_matplotlib_names_the_extra(run: Any, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("truewind.analytics.pdf.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run("report", "20240101T000000-one", "--pdf", "--json")
    assert done.code == 2
    assert "truewind[pdf]" in done.json["error"]["remedy"]


def test_many_long_names_still_make_a_file_name() -> None:
    from truewind.cli.report import compared_name

    names = [f"20240101T000000-{number:06d}" for number in range(12)]
    assert compared_name(names[:2]) == "compare-20240101T000000-000000-20240101T000000-000001"
    assert len(compared_name(names)) < 130
    assert compared_name(names) != compared_name([*names[:-1], "another"])


def test_the_page_is_opened_if_asked_for(run: Any, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    assert run("report", "20240101T000000-one", "--open").code == 0
    assert [Path(path).name for path in opened] == ["report.html"]
