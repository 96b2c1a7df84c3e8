"""The commands on a lake that lies on S3: nothing but its URL is different."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import s3


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with s3.serving() as client:
        yield client


def test_from_import_to_backtest(server: Any, run: Any, config: Path, lake: Path, monkeypatch: Any) -> None:
    """The small lake copied there by hand: listed, checked and named as here; features and a backtest run on it."""
    here = run("data", "snapshot", "--json").json
    listed = run("data", "list", "--json").json["series"]
    ran = run("backtest", config, "--json").json["final_equity"]
    for path in lake.rglob("*"):
        if path.is_file() and path.name != "_lock":
            server.upload_file(str(path), "lakes", f"team/lake/{path.relative_to(lake)}")
    monkeypatch.setenv("TRUEWIND_LAKE", "s3://lakes/team/lake")
    assert run("data", "list", "--json").json["series"] == listed
    assert run("data", "snapshot", "--json").json["id"] == here["id"]
    assert run("data", "check", "BTCUSDT").code == 0
    there = run("backtest", config, "--json").json
    assert (there["data_snapshot"], there["final_equity"]) == (here["id"], ran)


def test_an_import_goes_there_and_nothing_stays_here(server: Any, run: Any, home: Path, monkeypatch: Any) -> None:
    """A CSV file, twice; the working folder gets no lake."""
    monkeypatch.setenv("TRUEWIND_LAKE", "s3://lakes/imported")
    rows = "".join(f"2024-01-{day:02} 00:00:00,10,12,9,11,1\n" for day in range(1, 32))
    (home / "x.csv").write_text("ts,open,high,low,close,volume\n" + rows)
    import_ = ("data", "import", "x.csv", "--venue", "kraken", "--symbol", "X/EUR", "--timeframe", "1d", "--json")
    assert run(*import_).json["totals"]["stored"] == 31
    assert run(*import_).json["totals"]["duplicates"] == 31
    recipe = {
        "name": "few",
        "data": {"venue": "kraken", "symbols": ["X/EUR"], "timeframe": "1d"},
        "features": ["rsi(5)"],
    }
    (home / "few.yaml").write_text(yaml.safe_dump(recipe))
    assert run("features", "build", "few.yaml", "--json").code == 0
    listed = run("data", "list", "--json").json["series"]
    assert [(one["layer"], one["rows"]) for one in listed] == [("raw", 31), ("features", 31)]
    assert not any(path.name.startswith(("s3", "data")) for path in home.iterdir())


def test_a_wrong_key_is_told_without_telling_the_key(server: Any, run: Any, monkeypatch: Any) -> None:
    """Nobody listens there: exit code 4, and the output holds neither key nor secret."""
    monkeypatch.setenv("TRUEWIND_LAKE", "s3://lakes/team")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = run("data", "list")
    assert done.code == 4
    assert "no usable answer from 127.0.0.1" in done.err
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert os.environ[name] not in done.out + done.err
