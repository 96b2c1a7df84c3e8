"""`truewind data download`, `update` and `sources`, against a local exchange."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
import typer

from truewind.cli.lists import Lists
from truewind.domain.timeframe import HOUR_US, SECOND_US

if TYPE_CHECKING:
    from truewind.exchange import LocalExchange


@pytest.fixture(scope="module")
def market(start_exchange: "Callable[..., AbstractContextManager[LocalExchange]]") -> "Iterator[LocalExchange]":
    with start_exchange(speed=0.0, idle=True) as running:
        running.move_to(running.clock.now_us() + 10 * SECOND_US)  # the last bars are over
        yield running


@pytest.fixture
def download(run: Any, market: "LocalExchange", monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("TRUEWIND_NETWORK", market.network)

    def call(*words: str, pairs: tuple[str, ...] = ("BTCUSDT",)) -> Any:
        return run("data", "download", "--pair", *pairs, "--start", "2024-01-01", *words)

    return call


def test_months_of_bars_by_one_command(download: Callable[..., Any], run: Any) -> None:
    """Words after one option are all its values; what is there is listed, and not fetched again."""
    wanted = ("--timeframes", "5m", "1h", "--end", "2024-01-03", "--json")
    report = download(*wanted, pairs=("BTCUSDT", "SOLUSDT")).json
    assert [series["series"] for series in report["series"]] == [
        "binance BTCUSDT bars 5m", "binance BTCUSDT bars 1h", "binance SOLUSDT bars 5m", "binance SOLUSDT bars 1h",
    ]  # fmt: skip
    assert [series["stored"] for series in report["series"]] == [576, 48, 576, 48]
    assert all(series["error"] is None for series in report["series"])
    listed = run("data", "list", "--json").json["series"]
    assert {series["rows"] for series in listed} == {576, 48}
    again = download(*wanted, pairs=("BTCUSDT", "SOLUSDT")).json
    assert [series["read"] for series in again["series"]] == [{}] * 4
    assert run("data", "instrument", "BTCUSDT", "--venue", "binance", "--json").json["symbol"] == "BTCUSDT"


def test_update_goes_on_and_says_what_it_leaves(
    download: Callable[..., Any], run: Any, market: "LocalExchange", home: Path
) -> None:
    """The market moved on by two hours: two more bars of one hour; a series without a source stays as it is."""
    download("--timeframes", "1h", "--json")
    lines = ["ts,open,high,low,close,volume", "2024-01-01 00:00:00,1,1,1,1,1", "2024-01-01 01:00:00,1,1,1,1,1"]
    (home / "x.csv").write_text("\n".join(lines))
    run("data", "import", home / "x.csv", "--venue", "my_own", "--symbol", "X", "--timeframe", "1h", "--json")
    market.move_to(market.clock.now_us() + 2 * HOUR_US)
    report = run("data", "update", "--json").json
    assert [(series["series"], series["stored"]) for series in report["series"]] == [("binance BTCUSDT bars 1h", 2)]
    assert any("my_own" in line for line in report["left"])
    shown = run("data", "update", "binance/BTCUSDT").out
    assert "binance BTCUSDT bars 1h" in shown


def test_mistakes_are_told_before_or_with_the_rest(download: Callable[..., Any]) -> None:
    """An unknown kind, an impossible one, a misspelt symbol."""
    assert "Did you mean 'bars'" in download("--kinds", "bras").err
    assert "spot pays no funding" in download("--kinds", "funding").err
    assert "--start before --end" in download("--end", "2023-01-01").err
    done = download("--timeframes", "1h", "--source", "rest", pairs=("BTCUSDT", "BTCUSTD"))
    assert done.code == 2
    assert "failed: binance lists no BTCUSTD today. Did you mean 'BTCUSDT'?" in done.out
    assert "binance BTCUSDT bars 1h" in done.out


def test_sources_say_what_can_be_had_and_what_not(run: Any) -> None:
    """Every kind of both markets, by which way, and the reason where there is none."""
    rows = {row["kind"]: row for row in run("data", "sources", "binance_usdm", "--json").json["sources"]}
    assert rows["open_interest"]["rest"] == "30 days, every 5m"
    assert rows["open_interest"]["archive"]
    assert rows["liquidations"]["rest"] is None
    assert rows["liquidations"]["live"] is True
    assert "data record" in rows["liquidations"]["lacks"]["rest"]
    assert "long_short" in run("data", "sources").out


def test_lists_of_words_end_at_the_next_option() -> None:
    """Also where an option comes twice, or with `=`."""
    app = typer.Typer()
    seen: dict[str, Any] = {}

    @app.command(cls=Lists)
    def command(a: list[str], b: Annotated[list[str] | None, typer.Option()] = None, plain: str = "") -> None:
        """Keep what came."""

    @app.command(cls=Lists)
    def second(
        a: Annotated[list[str], typer.Option()], b: Annotated[list[str] | None, typer.Option()] = None, plain: str = ""
    ) -> None:
        """Keep what came."""
        seen.update(a=a, b=b, plain=plain)

    words = ["second", "--a", "1", "2", "--plain", "x", "--a=3", "--b", "4", "5", "--a", "6"]
    typer.main.get_command(app)(words, standalone_mode=False)
    assert seen == {"a": ["1", "2", "3", "6"], "b": ["4", "5"], "plain": "x"}
