"""Metrics in the lake: numbers as polars makes them of the rows, their inputs by name, every run on record."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from truewind.domain.timeframe import HOUR_US
from truewind.errors import EmptyRangeError, FeatureError, StorageError, UnknownSeriesError, ValidationError
from truewind.features import book_levels
from truewind.features import metrics as registry
from truewind.market.book.assemble import assemble
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.research import metrics as module
from truewind.research.metrics import MetricRun, compute_metrics, export_definitions, last_run
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

START = 1_704_067_200_000_000  # 2024-01-01
SECOND, MINUTE = 1_000_000, 60_000_000


def stored(lake: Lake, run: MetricRun) -> pl.DataFrame:
    return lake.read(run.key)


def time(us: object) -> pl.Series:
    return pl.Series("ts", us).cast(TS)


@pytest.fixture(scope="session")
def recorded(shared: Path) -> pl.DataFrame:
    """freqtrade's trades of XRP/ETH: 12,477 in five days."""
    return (
        pl.read_parquet(shared / "freqtrade" / "XRP_ETH-trades.parquet")
        .select(
            (pl.col("timestamp") * 1000).cast(TS).alias("ts"),
            "price",
            pl.col("amount").alias("quantity"),
            pl.when(pl.col("side") == "buy").then(1).otherwise(-1).cast(pl.Int8).alias("side"),
        )
        .sort("ts", maintain_order=True)
    )


@pytest.mark.parametrize("window", ["1s", "5m", "1h"])
def test_metrics_of_recorded_trades_are_what_polars_makes_of_them(
    tmp_path, recorded: pl.DataFrame, window: str
) -> None:
    """Without the windows in which the recording begins and ends."""
    lake = Lake(tmp_path)
    lake.write(SeriesKey("trades", "binance", "XRPETH"), recorded)
    run = compute_metrics(lake, "binance", "XRPETH", window)
    made = stored(lake, run)
    bought = pl.col("quantity").filter(pl.col("side") > 0).sum()
    wanted = (
        recorded.group_by_dynamic("ts", every=window)
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("quantity").sum().alias("volume"),
            (pl.col("price") * pl.col("quantity")).sum().alias("quote_volume"),
            pl.len().cast(pl.Float64).alias("trades"),
            bought.alias("taker_buy_volume"),
            ((pl.col("price") * pl.col("quantity")).sum() / pl.col("quantity").sum()).alias("vwap"),
            pl.col("quantity").mean().alias("mean_trade_size"),
            (pl.col("quantity") * pl.col("side")).sum().alias("signed_volume"),
        )[1:-1]
        .with_columns(
            (pl.col("close") / pl.col("close").shift(1) - 1).alias("return"),
            (pl.col("signed_volume") / pl.col("volume")).alias("taker_imbalance"),
            ((pl.col("high") / pl.col("low")).log() / (2 * np.sqrt(np.log(2)))).alias("range_volatility"),
            (pl.col("trades") / ((pl.col("ts") - pl.col("ts").shift(1)).dt.total_microseconds() / 1e6)).alias(
                "trade_intensity"
            ),
            pl.lit(None).alias("none"),
        )
        .with_columns((pl.col("return").abs() / pl.col("quote_volume")).alias("amihud"))
        .drop("none")
    )
    assert_frame_equal(made.select(wanted.columns), wanted, rel_tol=1e-9, abs_tol=1e-9)
    length = {"1s": SECOND, "5m": 5 * MINUTE, "1h": 60 * MINUTE}[window]
    assert (made["ts_known"] - made["ts"]).dt.total_microseconds().unique().to_list() == [length]
    assert (run.rows, run.inputs) == (made.height, ("binance XRPETH trades",))
    assert set(run.skipped) == {
        *("mid_close", "spread_mean", "relative_spread_mean", "imbalance_mean"),
        *("funding_rate", "basis", "open_interest_change"),
    }
    assert run.skipped["basis"] == "there is no mark, index"
    if window != "1s":
        minutes = recorded.group_by_dynamic("ts", every="1m").agg(pl.col("price").last())
        minutes = minutes.filter(pl.col("ts") >= made["ts"][0])
        volatility = (
            minutes.with_columns((pl.col("price") / pl.col("price").shift(1)).log().alias("change"))
            .group_by_dynamic("ts", every=window)
            .agg((pl.col("change") ** 2).sum().sqrt())
        )
        found = made.join(volatility, on="ts", how="left")
        np.testing.assert_allclose(found["realised_volatility"].fill_null(0.0), found["change"], rtol=1e-9, atol=1e-12)


def test_quotes_are_looked_at_as_each_second_ends(tmp_path) -> None:
    """By hand, windows of 5 s. A quote at 1.5 s (spread 1), at 3 s (spread 3: it is there as the third second ends), at
    7 s (spread 2), then silence; after a minute of it nothing is known. One at 95 s is there as the window from 90 s
    ends; the window of the first quote had begun without it."""
    lake = Lake(tmp_path)
    at = np.array([1.5, 3.0, 7.0, 95.0])
    quotes = pl.DataFrame(
        {
            "ts": time(START + (at * SECOND).astype(int)),
            "bid": [10.0, 9.0, 10.0, 10.0],
            "bid_quantity": [3.0, 3.0, 1.0, 1.0],
            "ask": [11.0, 12.0, 12.0, 13.0],
            "ask_quantity": [1.0, 1.0, 3.0, 3.0],
        }
    )
    lake.write(SeriesKey("quotes", "here", "X"), quotes)
    run = compute_metrics(lake, "here", "X", "5s", ["spread_mean", "mid_close", "imbalance_mean"])
    made = stored(lake, run)
    assert ((made["ts"].to_physical() - START) // SECOND).to_list() == [*range(5, 70, 5), 90]
    # seconds end at 6 (spread 3, imbalance 0.5), then at 7, 8, 9 and 10 (spread 2, imbalance −0.5)
    assert made["spread_mean"].to_list() == [(3.0 + 4 * 2.0) / 5] + [2.0] * 12 + [3.0]
    assert made["imbalance_mean"].to_list() == pytest.approx([(0.5 - 4 * 0.5) / 5] + [-0.5] * 13)
    assert made["mid_close"].to_list() == [11.0] * 13 + [11.5]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars of a minute with funding over six weeks, and an hour of trades and of an order book."""
    folder = tmp_path_factory.mktemp("lake")
    config = SyntheticConfig(symbols=("BTCUSDT",), start=date(2024, 1, 1), days=40, timeframe="1m")
    market = SyntheticMarket(config)
    market.write(Lake(folder))
    market.write_book(Lake(folder), "BTCUSDT", START, START + HOUR_US)
    return folder


def test_a_synthetic_market_of_bars_funding_and_books(synthetic: Path) -> None:
    """Two months, of minutes; funding as it was known; best prices where there is a book."""
    lake = Lake(synthetic)
    run = compute_metrics(lake, "synthetic", "BTCUSDT", "15m")
    made = stored(lake, run)
    assert made.height == run.rows == 40 * 96
    minutes = lake.read(SeriesKey("bars", "synthetic", "BTCUSDT", "1m"))
    wanted = minutes.group_by_dynamic("ts", every="15m").agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
    assert_frame_equal(made.select(wanted.columns), wanted, rel_tol=1e-12)
    change = np.log(minutes["close"] / minutes["close"].shift(1)).fill_null(0.0)
    squares = change.to_numpy().reshape(-1, 15) ** 2
    np.testing.assert_allclose(made["realised_volatility"], np.sqrt(squares.sum(axis=1)), rtol=1e-9)
    funding = lake.read(SeriesKey("funding", "synthetic", "BTCUSDT"))
    known = made.join_asof(funding.select("ts", "rate"), left_on="ts_known", right_on="ts")
    assert made["funding_rate"].to_list() == known["rate"].to_list()
    book = assemble(lake.read(SeriesKey("book", "synthetic", "BTCUSDT")), lake.instrument("synthetic", "BTCUSDT"))
    levels = book_levels(book.events, lake.instrument("synthetic", "BTCUSDT"), levels=1, every_ms=1_000)
    spreads = (
        levels.drop_nulls()
        .group_by_dynamic("ts", every="15m", closed="right")
        .agg(
            ((pl.col("ask") + pl.col("bid")) / 2).last().alias("mid_close"),
            (pl.col("ask") - pl.col("bid")).mean().alias("spread_mean"),
        )
    )
    found = made.filter(pl.col("spread_mean").is_not_null()).select("ts", "mid_close", "spread_mean")
    assert_frame_equal(
        found, spreads[1:4], rel_tol=1e-12
    )  # the first moment ends the window before, and the last quarter of the hour is not over
    assert (made["mid_close"] - made["close"]).abs().max() < 0.001 * made["close"].max()


def test_what_bars_do_not_tell_is_told_by_trades(tmp_path, recorded: pl.DataFrame) -> None:
    """Four days of bars without counts and sides, two days of trades: prices of four, signed volume of two."""
    lake = Lake(tmp_path)
    bars = (
        recorded.group_by_dynamic("ts", every="1h")
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("quantity").sum().alias("volume"),
        )
        .head(96)
    )
    lake.write(SeriesKey("bars", "binance", "XRPETH", "1h"), bars)
    trades = recorded.filter(pl.col("ts") < recorded["ts"][0] + pl.duration(days=2))
    lake.write(SeriesKey("trades", "binance", "XRPETH"), trades)
    run = compute_metrics(lake, "binance", "XRPETH", "1h", ["close", "signed_volume"])
    made = stored(lake, run)
    assert run.inputs == ("binance XRPETH bars 1h", "binance XRPETH trades")
    assert made["close"].to_list() == bars["close"].to_list()
    net = trades.group_by_dynamic("ts", every="1h").agg((pl.col("quantity") * pl.col("side")).sum().alias("net"))[1:-1]
    found = made.drop_nulls("signed_volume")
    assert found["ts"].to_list() == net["ts"].to_list()
    np.testing.assert_allclose(found["signed_volume"], net["net"], rtol=1e-9, atol=1e-9)


def test_trades_that_were_recorded_with_a_book_are_trades(synthetic: Path) -> None:
    """The hour's trades as the synthetic venue lists them, by polars; the book has them among its messages."""
    lake = Lake(synthetic)
    run = compute_metrics(lake, "synthetic", "BTCUSDT", "1s")
    made = stored(lake, run)
    assert run.inputs == ("synthetic BTCUSDT book", "synthetic BTCUSDT funding")
    config = SyntheticConfig(symbols=("BTCUSDT",), start=date(2024, 1, 1), days=40, timeframe="1m")
    trades = SyntheticMarket(config).trades("BTCUSDT", START, START + HOUR_US)
    wanted = trades.group_by_dynamic("ts", every="1s").agg(
        pl.col("quantity").sum().alias("volume"), (pl.col("quantity") * pl.col("side")).sum().alias("signed_volume")
    )
    wanted = wanted.filter((pl.col("ts") >= made["ts"][0]) & (pl.col("ts") <= made["ts"][-1]))
    assert wanted.height > 3_000
    found = made.drop_nulls("volume").select(wanted.columns)
    assert_frame_equal(found, wanted, rel_tol=1e-9, abs_tol=1e-9)


def test_the_input_snapshot_is_that_of_the_series_read(synthetic: Path) -> None:
    lake = Lake(synthetic)
    run = compute_metrics(lake, "synthetic", "BTCUSDT", "1h", ["volume", "funding_rate"])
    keys = [SeriesKey("bars", "synthetic", "BTCUSDT", "1m"), SeriesKey("funding", "synthetic", "BTCUSDT")]
    assert run.input_snapshot_id == lake.snapshot(keys).id
    assert last_run(lake, "synthetic", "BTCUSDT", "1h") == run
    assert last_run(lake, "synthetic", "BTCUSDT", "4h") is None
    row = lake.records("metric_runs").filter(pl.col("run_id") == run.run_id).row(0, named=True)
    assert row["definitions"] == ["volume", "funding_rate"]
    assert row["versions"] == [1, 1]
    assert row["inputs"] == [str(key) for key in keys]
    assert (row["status"], row["error"], row["rows"], row["input_snapshot_id"]) == (
        *("done", None, 960),
        run.input_snapshot_id,
    )
    assert (row["start"], row["end"]) == tuple(stored(lake, run)["ts"][i] for i in (0, -1))


def test_a_set_is_one_runs(synthetic: Path) -> None:
    """Computing again gives the same content; other metrics or another span take its place."""
    lake = Lake(synthetic)
    first = compute_metrics(lake, "synthetic", "BTCUSDT", "4h")
    before = lake.snapshot([first.key]).id
    assert lake.snapshot([compute_metrics(lake, "synthetic", "BTCUSDT", "4h").key]).id == before
    other = compute_metrics(
        lake, "synthetic", "BTCUSDT", "4h", ["close"], start="2024-01-02T01:00", end="2024-01-03T03:00"
    )
    made = stored(lake, other)
    assert made.columns == ["ts", "ts_known", "close"]
    assert (other.rows, str(made["ts"][0])[:16], str(made["ts"][-1])[:16]) == (
        5,
        "2024-01-02 04:00",
        "2024-01-02 20:00",
    )


def test_a_run_that_fails_is_on_record_and_leaves_nothing(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(synthetic)
    compute_metrics(lake, "synthetic", "BTCUSDT", "5m", ["close"])
    writes = []

    def write(self: Lake, key: SeriesKey, table: pl.DataFrame) -> None:
        if writes:
            raise StorageError("The disk is full")
        writes.append(key)

    monkeypatch.setattr(Lake, "write", write)
    with pytest.raises(StorageError, match="disk is full"):
        compute_metrics(lake, "synthetic", "BTCUSDT", "5m", ["close"])
    monkeypatch.undo()
    assert last_run(lake, "synthetic", "BTCUSDT", "5m") is None
    assert lake.series(kind="window_metrics", timeframe="5m") == []
    row = lake.records("metric_runs").row(-1, named=True)
    failed = lake.records("metric_runs").filter(pl.col("status") == "failed").row(-1, named=True)
    assert (failed["error"], failed["rows"], failed["window"]) == ("The disk is full", 0, "5m")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}-[0-9a-f]{8}", row["run_id"])


def test_data_that_change_meanwhile_are_noticed(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(synthetic)
    run = module._Work.run

    def disturbed(self: object, tell: object) -> object:
        found = run(self, tell)
        funding = {"ts": time([START + 41 * 24 * HOUR_US]), "rate": [0.0]}
        lake.write(SeriesKey("funding", "synthetic", "BTCUSDT"), pl.DataFrame(funding))
        return found

    monkeypatch.setattr(module._Work, "run", disturbed)
    with pytest.raises(StorageError, match="data changed while"):
        compute_metrics(lake, "synthetic", "BTCUSDT", "1d", ["funding_rate"])


def test_definitions_are_exported_once_a_version(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version stands beside the old one; a version that says something else is refused."""
    lake = Lake(tmp_path)
    first = export_definitions(lake)
    assert_frame_equal(lake.records("metric_definitions"), first)
    assert_frame_equal(export_definitions(lake), first, check_row_order=False)
    volume = registry.definitions(["volume"])[0]
    changed = type(volume)("volume", "Σ |quantity|", "base units", "What was traded.")
    monkeypatch.setattr(module, "definitions_table", lambda: registry.definitions_table([changed]))
    with pytest.raises(ValidationError, match="version 1 was exported with another formula, 'Σ quantity'"):
        export_definitions(lake)
    newer = type(volume)("volume", "Σ |quantity|", "base units", "What was traded.", version=2)
    monkeypatch.setattr(module, "definitions_table", lambda: registry.definitions_table([newer]))
    table = export_definitions(lake)
    assert table.height == first.height + 1
    assert table.filter(pl.col("id") == "volume")["version"].to_list() == [1, 2]


def test_what_cannot_be_computed_is_refused(synthetic: Path, tmp_path) -> None:
    lake = Lake(synthetic)
    with pytest.raises(UnknownSeriesError, match="has not what metrics are made of"):
        compute_metrics(lake, "synthetic", "ETHUSDT", "1h")
    with pytest.raises(UnknownSeriesError, match="basis: there is no mark, index"):
        compute_metrics(lake, "synthetic", "BTCUSDT", "1h", ["basis"])
    with pytest.raises(FeatureError, match="Unknown metric"):
        compute_metrics(lake, "synthetic", "BTCUSDT", "1h", ["volum"])
    with pytest.raises(EmptyRangeError, match="no window of 1h is covered"):
        compute_metrics(lake, "synthetic", "BTCUSDT", "1h", start="2024-01-02T01:30", end="2024-01-02T02:30")
