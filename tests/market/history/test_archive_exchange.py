"""Two sources of one market, the archive and REST, tell the same; files that are issued anew are taken anew."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from truewind.cli.app import app
from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.market.history.against import against
from truewind.market.history.archive_files import months
from truewind.market.history.download import DownloadReport, Want, download, tail
from truewind.market.history.sources import sources_of
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

if TYPE_CHECKING:
    from truewind.exchange import LocalExchange

    Start = Callable[..., AbstractContextManager[LocalExchange]]

BEGIN = parse_ts_us("2024-01-01")
USDM = "binance_usdm"


@pytest.fixture(scope="module")
def market(start_exchange: "Start") -> "Iterator[LocalExchange]":
    """All of January and some days of February, standing still at noon of the last."""
    synthetic = {"symbols": ("BTCUSDT",), "start": "2024-01-01", "days": 34}
    with start_exchange(synthetic=synthetic, start="2024-02-03T12:00", speed=0.0, idle=True) as running:
        yield running


def fetch(
    market: "LocalExchange", folder: Path, source: str, *wants: tuple[SeriesKey, int, int]
) -> tuple[Lake, DownloadReport]:
    lake = Lake(folder / source)
    providers = {venue: sources_of(venue, market.network, source) for venue in ("binance", USDM)}
    report = download(lake, providers, [Want(key, ((start, end),)) for key, start, end in wants])
    assert report.error is None or source == "archive"
    return lake, report


@pytest.mark.parametrize(
    ("kind", "venue", "timeframe", "start", "days"),
    [
        ("bars", "binance", "1h", 0, 33),
        ("bars", USDM, "1m", 30, 3),
        ("mark_bars", USDM, "1h", 0, 33),
        ("index_bars", USDM, "1h", 0, 33),
        ("premium_index", USDM, "1h", 0, 33),
        ("funding", USDM, "", 0, 31),
        ("open_interest", USDM, "", 30, 3),
        ("long_short", USDM, "", 30, 3),
    ],
)
def test_both_sources_tell_the_same(
    market: "LocalExchange", tmp_path: Path, kind: str, venue: str, timeframe: str, start: int, days: int
) -> None:
    key = SeriesKey(kind, venue, "BTCUSDT", timeframe)
    want = (key, BEGIN + start * DAY_US + HOUR_US, BEGIN + (start + days) * DAY_US)
    filed, report = fetch(market, tmp_path, "archive", want)
    asked, _ = fetch(market, tmp_path, "rest", want)
    assert list(report.outcomes[0].read) == ["archive"]
    assert report.outcomes[0].open_us == 0
    # What takers bought the exchange makes up for the archive and adds up for REST, where the lake does not say it.
    there = filed.read(key).drop("taker_volume", strict=False)
    assert_frame_equal(there, asked.read(key).select(there.columns), rel_tol=1e-15, abs_tol=0)
    assert there.height > 80


def test_trades_of_both_sources(market: "LocalExchange", tmp_path: Path) -> None:
    key = SeriesKey("trades", USDM, "BTCUSDT")
    want = (key, BEGIN + 31 * DAY_US, BEGIN + 31 * DAY_US + HOUR_US)
    filed, _ = fetch(market, tmp_path, "archive", want)
    asked, _ = fetch(market, tmp_path, "rest", want)
    assert_frame_equal(filed.read(key), asked.read(key))


def test_the_archive_gives_the_months_and_rest_the_tail(market: "LocalExchange", tmp_path: Path) -> None:
    key = SeriesKey("bars", USDM, "BTCUSDT", "1h")
    want = (key, BEGIN, BEGIN + 33 * DAY_US + 12 * HOUR_US)
    both, report = fetch(market, tmp_path, "auto", want)
    assert list(report.outcomes[0].read.values()) == [33 * 24, 11]  # the hour that has just ended may still change
    alone, _ = fetch(market, tmp_path, "rest", want)
    assert_frame_equal(both.read(key), alone.read(key))


def test_depth_bands_come_by_the_archive_only(market: "LocalExchange", tmp_path: Path) -> None:
    key = SeriesKey("depth_bands", USDM, "BTCUSDT")
    lake, report = fetch(market, tmp_path, "archive", (key, BEGIN + 32 * DAY_US, BEGIN + 33 * DAY_US))
    assert not report.outcomes[0].quarantined
    assert lake.read(key)["percent"].unique().sort().to_list() == [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]


def test_a_file_that_is_issued_anew_is_taken_anew_and_told(market: "LocalExchange", tmp_path: Path) -> None:
    key = SeriesKey("bars", "binance", "BTCUSDT", "4h")
    (file,) = months(key, BEGIN, BEGIN + 1)
    market.archive.cut(file.path)
    lake, _ = fetch(market, tmp_path, "archive", (key, BEGIN, BEGIN + 31 * DAY_US))
    assert lake.read(key).height == 31 * 6 - 1
    providers = {"binance": sources_of("binance", market.network, "archive")}
    want = [tail(lake, key, BEGIN + 31 * DAY_US)]
    unchanged = download(lake, providers, want, recheck=True)
    assert unchanged.outcomes[0].read == {}
    market.archive.reissue(file.path)
    again = download(lake, providers, want, recheck=True).outcomes[0]
    assert again.stored == 1
    assert "issued anew: 2024-01-01 00:00:00 to 2024-02-01 00:00:00" in again.notes
    assert lake.read(key).height == 31 * 6


def test_a_stored_series_is_held_against_its_sources(market: "LocalExchange", tmp_path: Path) -> None:
    key = SeriesKey("bars", USDM, "BTCUSDT", "1h")
    lake, _ = fetch(market, tmp_path, "rest", (key, BEGIN + 20 * DAY_US, BEGIN + 33 * DAY_US))
    for source in ("archive", "rest"):
        (provider,) = sources_of(USDM, market.network, source)
        (found,) = against(lake, provider, [key], 7 * DAY_US)
        assert (found.compared, found.differing) == (7 * 24, 0)
    rows = lake.read(key)
    at = rows["ts"].to_physical() - BEGIN
    wrong = rows.filter(at == 30 * DAY_US).with_columns(pl.col("volume") + 0.001)
    lake.write(key, wrong)
    lake.write(key, rows.filter((at < 26 * DAY_US) | (at >= 31 * DAY_US)), mode="overwrite")
    (provider,) = sources_of(USDM, market.network, "archive")
    (found,) = against(lake, provider, [key], 8 * DAY_US)
    assert (found.compared, found.differing) == (8 * 24, 5 * 24)  # five days of January are gone
    lake.write(key, rows)
    lake.write(key, wrong)
    (found,) = against(lake, provider, [key], 8 * DAY_US)
    assert (found.compared, found.differing, found.first_us) == (8 * 24, 1, BEGIN + 30 * DAY_US)
    assert "differs from archive in 1 of 192 rows" in str(found)
    other = SeriesKey("liquidations", USDM, "BTCUSDT")
    assert against(lake, provider, [other], DAY_US) == []  # it has none


def test_check_asks_the_source_again(market: "LocalExchange", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(market, tmp_path, "rest", (SeriesKey("bars", USDM, "BTCUSDT", "4h"), BEGIN, BEGIN + 33 * DAY_US))
    monkeypatch.setenv("TRUEWIND_LAKE", str(tmp_path / "rest"))
    monkeypatch.setenv("TRUEWIND_NETWORK", market.network)
    done = CliRunner().invoke(app, ["data", "check", "--against", "archive", "--days", "2", "--json"])
    (series,) = json.loads(done.stdout)["series"]
    assert done.exit_code == 0
    assert series["compared"][0]["says"] == (
        "source: agrees with archive on all 12 rows compared; since 2024-02-01 00:00:00"
    )
