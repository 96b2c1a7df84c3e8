"""Files become series: the right one, every row accounted for, twice the same as once."""

import gzip
import io
import json
import os
import zipfile
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market.samples import KLINE_HEADER, MINUTE_US, START_US, as_klines, make_bars, zipped
from profiles import examples
from truewind.domain.instrument import Instrument, Kind
from truewind.errors import ConfigError, MissingFileError, StorageError, UnknownSeriesError
from truewind.market.importing import import_files
from truewind.market.report import ImportReport
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

BTC_1M = SeriesKey("bars", "binance", "BTCUSDT", "1m")
OHLCV = ["ts", "open", "high", "low", "close", "volume"]


def put(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def refusal(report: ImportReport) -> str:
    (found,) = report.refused
    assert report.files == []
    assert found.remedy
    return found.reason


def assert_adds_up(report: ImportReport) -> None:
    for file in report.files:
        assert file.read == file.stored + file.duplicates + file.replaced + sum(file.quarantined.values())


# ── Binance's public archive ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("unit", ["ms", "us"])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("packing", ["csv", "csv.gz", "zip"])
def test_archive_klines_in_every_shape_are_the_same_bars(tmp_path, lake, unit, header, packing):
    text = as_klines(make_bars(), unit=unit, header=header)
    pack = {
        "csv": str.encode,
        "csv.gz": lambda t: gzip.compress(t.encode()),
        "zip": lambda t: zipped(**{"BTCUSDT-1m-2024-01.csv": t}),
    }
    path = put(tmp_path, f"data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.{packing}", pack[packing](text))
    report = import_files(lake, [path])
    assert report.refused == []
    assert report.files[0].format == "binance_klines"
    assert report.files[0].assumed == []
    assert_frame_equal(lake.read(BTC_1M), make_bars())


def test_an_archive_that_turns_from_ms_to_us_half_way_is_read_right(tmp_path, lake):
    bars = make_bars()
    text = as_klines(bars.head(50)) + as_klines(bars.tail(50), unit="us")
    import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-01.csv", text)])
    assert_frame_equal(lake.read(BTC_1M), bars)


@pytest.mark.parametrize(
    ("folder", "key"),
    [
        ("futures/um/monthly/klines", SeriesKey("bars", "binance_usdm", "BTCUSDT", "1m")),
        ("futures/um/monthly/markPriceKlines", SeriesKey("mark_bars", "binance_usdm", "BTCUSDT", "1m")),
        ("futures/um/daily/indexPriceKlines", SeriesKey("index_bars", "binance_usdm", "BTCUSDT", "1m")),
        ("data/spot/daily/klines", BTC_1M),
    ],
)
def test_the_folders_of_the_archive_say_market_and_kind(tmp_path, lake, folder, key):
    path = put(
        tmp_path,
        f"{folder}/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip",
        zipped(**{"BTCUSDT-1m-2024-01.csv": as_klines(make_bars())}),
    )
    report = import_files(lake, [path])
    assert [file.key for file in report.files] == [key]
    assert lake.read(key).height == 100


@pytest.mark.parametrize(("header", "venue"), [(False, "binance"), (True, "binance_usdm")])
def test_without_the_folders_the_venue_is_assumed_and_the_report_says_so(tmp_path, lake, header, venue):
    """The archive writes headers into futures files only."""
    path = put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(make_bars(), header=header))
    (file,) = import_files(lake, [path]).files
    assert file.key.venue == venue
    assert venue in file.assumed[0]
    (file,) = import_files(lake, [path], venue="elsewhere").files
    assert (file.key.venue, file.assumed) == ("elsewhere", [])


def test_premium_index_klines_are_refused(tmp_path, lake):
    path = put(
        tmp_path, "futures/um/monthly/premiumIndexKlines/BTCUSDT/1m/BTCUSDT-1m-2024-01.csv", as_klines(make_bars())
    )
    assert "premium_index" in refusal(import_files(lake, [path]))


def test_a_recorded_archive_file_is_read(shared, lake):
    """nautilus ADABTC: ten minutes; the first row as it stands in the file."""
    (file,) = import_files(lake, [shared / "nautilus" / "ADABTC-1m-2021-11-27.csv"]).files
    assert (file.format, file.stored, str(file.key)) == ("binance_klines", 10, "binance ADABTC bars 1m")
    row = lake.read(file.key).row(0, named=True)
    assert (row["open"], row["volume"], row["quote_volume"], row["trades"]) == (0.00002853, 36304.2, 1.03547608, 79.0)
    assert lake.instrument("binance", "ADABTC").tick_size == Decimal("0.00000001")


@pytest.mark.parametrize(
    ("name", "line", "side"),
    [
        ("BTCUSDT-trades-2024-01.csv", "{i},42000.5,0.125,5250.0625,{t},True,True", -1),
        ("BTCUSDT-trades-2024-01.csv", "{i},42000.5,0.125,5250.0625,{t},false", 1),
        ("BTCUSDT-aggTrades-2024-01.csv", "{i},42000.5,0.125,1,2,{t},False,True", 1),
        ("BTCUSDT-aggTrades-2024-01.csv", "{i},42000.5,0.125,1,2,{t},true", -1),
    ],
)
def test_archive_trades_are_read_with_the_side_of_the_taker(tmp_path, lake, name, line, side):
    """The buyer was the maker: a seller took."""
    text = "\n".join(line.format(i=i, t=START_US // 1000 + i) for i in range(20))
    report = import_files(lake, [put(tmp_path, name, text)])
    table = lake.read(SeriesKey("trades", "binance", "BTCUSDT"))
    assert table.row(0)[1:] == (42000.5, 0.125, side, 0)
    assert table.height == report.totals["stored"] == 20
    instrument = lake.instrument("binance", "BTCUSDT")
    assert (instrument.tick_size, instrument.lot_size) == (Decimal("0.1"), Decimal("0.001"))


def test_archive_funding_is_read(tmp_path, lake):
    text = "calc_time,funding_interval_hours,last_funding_rate\n1704067200007,8,0.00037409\n1704096000000,8,-0.0001\n"
    import_files(lake, [put(tmp_path, "BTCUSDT-fundingRate-2024-01.csv", text)])
    table = lake.read(SeriesKey("funding", "binance_usdm", "BTCUSDT"))
    assert table["rate"].to_list() == [0.00037409, -0.0001]
    assert table["ts"].to_physical().to_list() == [1704067200007000, 1704096000000000]


# ── recorded data and their documented defects ──────────────────────────────────────────────────────────────────────


def test_freqtrade_files_become_the_documented_series(shared, lake):
    report = import_files(lake, [shared / "freqtrade"])
    rows = {(f.key.kind, f.key.symbol, f.key.timeframe): f.read for f in report.files}
    assert rows[("bars", "UNITTESTBTC", "1m")] == 13_681
    assert rows[("bars", "XRPETH", "1m")] == 2_469
    assert rows[("trades", "XRPETH", "")] == 12_477
    assert rows[("mark_bars", "XRPUSDT", "1h")] == 100
    assert rows[("funding", "XRPUSDT", "")] == 91
    warned = {(f.key.kind, f.key.symbol, f.key.timeframe): {w.check: w.count for w in f.warnings} for f in report.files}
    assert warned[("bars", "UNITTESTBTC", "1m")]["gap"] == 538
    assert warned[("bars", "XRPETH", "1m")] == {"gap": 676}
    assert warned[("bars", "XRPETH", "5m")]["gap"] == 6
    assert warned[("mark_bars", "XRPUSDT", "1h")] == {"missing_volume": 100}
    assert warned[("funding", "XRPUSDT", "")] == {}
    assert {f.key.venue for f in report.files} == {"binance", "binance_usdm"}
    assert_adds_up(report)
    json.dumps(report.as_dict())


def test_freqtrade_funding_keeps_the_rate_and_the_late_stamps(shared, lake):
    """The rate is in `open`; stamps are some milliseconds late (README, notes 5 and 12)."""
    import_files(lake, [shared / "freqtrade" / "futures__XRP_USDT_USDT-8h-funding_rate.feather"])
    table = lake.read(SeriesKey("funding", "binance_usdm", "XRPUSDT"))
    assert table.columns == ["ts", "rate"]
    assert table["rate"][0] == 0.0001
    late = table["ts"].to_physical() % (8 * 60 * MINUTE_US)
    assert table["ts"].to_physical()[0] == 1_637_193_600_017_000  # 2021-11-18 00:00:00.017
    assert (late.min(), late.max()) == (0, 19_000)


def test_a_recorded_hour_that_was_fetched_too_early_is_quarantined(shared, lake):
    """freqtrade's XRP futures: the last hour has 1.15 M of the 10.8 M that its twelve 5m bars have."""
    report = import_files(lake, [shared / "freqtrade"])
    hour = SeriesKey("bars", "binance_usdm", "XRPUSDT", "1h")
    assert report.quarantined == {"unfinished_bar": 1}
    refused = lake.quarantined(hour)
    assert refused["source"].to_list() == ["futures__XRP_USDT_USDT-1h-futures.feather:100"]
    assert str(refused["ts"][0]) == "2021-11-21 04:00:00+00:00"
    assert lake.read(hour).height == 99


def test_thin_recorded_markets_show_their_still_and_missing_minutes(shared, lake):
    report = import_files(lake, [shared / "iaqf"])
    found = {(f.key.venue, f.key.symbol): {w.check: w.count for w in f.warnings} for f in report.files}
    assert found[("binanceus", "BTCUSDC")]["zero_volume"] == 12_971
    assert found[("binanceus", "BTCUSDT")]["zero_volume"] == 658
    assert found[("kraken", "BTCUSDC")]["gap"] == 26_746
    assert {f.key.timeframe for f in report.files} == {"1m"}
    assert {f.key.venue: f.format for f in report.files} == {"binanceus": "columns", "kraken": "kraken_ohlcvt"}
    assert report.totals["stored"] == report.totals["read"] == 30_240 * 2 + 56_717


def test_recorded_spot_and_futures_feathers_are_whole_and_their_ticks_are_the_venue_s(shared, lake):
    """genetrader and market-swarm, BTC: no gap, no refusal; BTCUSDT ticks by 0.01 on spot and 0.1 on USD-M."""
    paths = [*(shared / "genetrader").glob("BTC_*"), *(shared / "market-swarm").glob("BTC_*")]
    report = import_files(lake, paths)
    assert (report.refused, report.quarantined, report.notes) == ([], {}, [])
    assert report.totals["files"] == len(paths) == 9
    assert "gap" not in report.warnings
    spot, perpetual = lake.instrument("binance", "BTCUSDT"), lake.instrument("binance_usdm", "BTCUSDT")
    assert (spot.tick_size, spot.kind, spot.base, spot.quote) == (Decimal("0.01"), Kind.SPOT, "BTC", "USDT")
    assert (perpetual.tick_size, perpetual.lot_size) == (Decimal("0.1"), Decimal("0.001"))
    assert perpetual.kind is Kind.PERPETUAL
    assert spot.inferred
    assert perpetual.inferred


def test_a_bundle_of_one_csv_a_symbol_is_imported_by_member(shared, tmp_path, lake):
    """gravestone: 1h, then 4h and 1d, whose last bars were fetched before they were over (README, note 7)."""
    symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    for timeframe in ("4h", "1h", "1d"):
        with zipfile.ZipFile(shared / "gravestone" / f"usdm_klines_{timeframe}.zip") as archive:
            members = {f"{timeframe}/{s}.csv": archive.read(f"{timeframe}/{s}.csv") for s in symbols}
        put(tmp_path, f"d/usdm_klines_{timeframe}.zip", zipped(**members))
    report = import_files(lake, [tmp_path / "d"], venue="binance_usdm")
    assert report.refused == []
    assert [(f.key.symbol, f.key.timeframe) for f in report.files] == [
        (s, t) for t in ("1h", "4h", "1d") for s in symbols
    ]
    assert {(f.key.symbol, f.key.timeframe): f.quarantined for f in report.files if f.quarantined} == {
        (s, t): {"unfinished_bar": 1} for s in symbols for t in ("4h", "1d")
    }
    refused = lake.quarantined(SeriesKey("bars", "binance_usdm", "BTCUSDT", "4h"))
    assert str(refused["ts"][0]) == "2026-03-19 16:00:00+00:00"  # the last row of the file
    assert "gap" not in report.warnings
    assert_adds_up(report)


def test_open_interest_is_refused_file_by_file(shared, lake):
    report = import_files(lake, [shared / "gravestone" / "usdm_open_interest_1d.zip"], venue="binance_usdm")
    assert len(report.refused) == 388
    assert all("open interest" in refused.reason for refused in report.refused)


def test_recorded_trade_streams_tell_microseconds_from_nothing_else(shared, lake):
    """binance-data-processor: TransactionTime in µs, the side from the maker flag (README, note 14)."""
    clean = "positive_trade_stream_spot_trxusdt_04-03-2025.csv.gz"
    report = import_files(lake, [shared / "binance-data-processor" / clean], venue="binance")
    table = lake.read(SeriesKey("trades", "binance", "TRXUSDT"))
    assert report.totals["stored"] == 10_000
    assert table.row(0)[1:] == (0.2312, 2619.4, -1, 348656870)
    assert table["ts"].to_physical()[0] == 1741046401271497


def test_recorded_trades_that_were_damaged_on_purpose_are_caught(shared, lake):
    """One id was changed into the one before it (README, note 15): that row is refused and its id is missed."""
    name = "negative_trade_stream_spot_trxusdt_04-03-2025.csv.gz"
    report = import_files(lake, [shared / "binance-data-processor" / name], venue="binance")
    assert report.refused == []
    assert report.quarantined == {"repeated_id": 1}
    assert lake.quarantined(SeriesKey("trades", "binance", "TRXUSDT"))["source"].to_list() == [f"{name}:3"]
    assert [(w.check, w.count, w.detail) for w in report.files[0].warnings] == [("id_gap", 1, "1 ids missing")]
    assert_adds_up(report)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("freqtrade/kraken__BCHEUR_trades.csv", "3 columns without a header"),
        ("gocryptotrader/binance_BTCUSDT_1d_2019.csv", "6 columns without a header"),
        ("pypi-cvxportfolio/returns.csv", "not recognised"),
        ("pypi-backtesting/BTCUSD.csv", "timeframe cannot be told: most rows are 2.6784e+06 s apart"),
        ("nautilus/fxcm__gbpusd-m1-bid-2012.csv.gz", "need 'volume'"),
    ],
)
def test_recorded_files_that_are_something_else_are_refused(shared, lake, path, reason):
    """None of these may end up as bars or trades of anything."""
    report = import_files(lake, [shared / path], venue="somewhere", symbol="BTCUSD" if "BTCUSD." in path else None)
    assert reason in refusal(report)


def test_a_file_in_unknown_column_order_is_imported_once_it_is_said(shared, lake):
    """gocryptotrader: time, volume, open, high, low, close, with the close as high: wrong on 176 falling days."""
    path = shared / "gocryptotrader" / "binance_BTCUSDT_1d_2019.csv"
    ours = ["ts", "volume", "open", "high", "low", "close"]
    report = import_files(lake, [path], columns={name: f"column_{i}" for i, name in enumerate(ours, 1)})
    table = lake.read(SeriesKey("bars", "binance", "BTCUSDT", "1d"))
    assert table.row(0)[1:] == (3701.23, 3797.14, 3642.0, 3797.14, 23741.687033)
    lines = [[float(field) for field in line.split(",")] for line in path.read_text().split()]
    falling = sum(high < open_ for _, _, open_, high, _, _ in lines)
    assert report.quarantined == {"high_low": falling} == {"high_low": 176}
    assert report.totals["stored"] == 365 - falling


def test_prices_without_volume_are_imported_as_index_bars(shared, lake):
    path = shared / "nautilus" / "fxcm__gbpusd-m1-bid-2012.csv.gz"
    report = import_files(lake, [path], kind="index_bars", venue="fxcm", symbol="GBPUSD")
    assert report.totals["stored"] == 30_117
    assert report.warnings["gap"] == 111


def test_slashed_dates_are_read_where_the_file_settles_their_order(shared, tmp_path, lake):
    """pypi-arch sp500: 1/4/1999 is followed by 1/13/1999 (README: M/D/YYYY)."""
    lines = gzip.decompress((shared / "pypi-arch" / "sp500.csv.gz").read_bytes()).splitlines()
    path = put(tmp_path, "sp500.csv", b"\n".join(lines[:253]))
    import_files(lake, [path], venue="us", symbol="SPX")
    table = lake.read(SeriesKey("bars", "us", "SPX", "1d"))
    assert table.height == 252
    assert [str(table["ts"][i])[:10] for i in (0, -1)] == ["1999-01-04", "1999-12-31"]
    assert table["close"][0] == 1228.099976


def test_a_column_of_symbols_makes_a_series_of_each(shared, tmp_path, lake):
    """bokeh's stocks, 2013 only: 41 days of five shares, whose names do not tell a quote currency."""
    lines = gzip.decompress((shared / "pypi-bokeh-sampledata" / "stocks.csv.gz").read_bytes()).decode().splitlines()
    part = [lines[0], *(line for line in lines if ",2013-" in line)]
    report = import_files(lake, [put(tmp_path, "stocks.csv", "\n".join(part))], venue="us")
    assert {f.key.symbol: f.key.timeframe for f in report.files} == dict.fromkeys(
        ["AAPL", "FB", "GOOG", "IBM", "MSFT"], "1d"
    )
    assert report.totals["read"] == report.totals["stored"] == len(part) - 1 > 200
    assert report.instruments == []
    assert any("AAPL.us: no known quote currency" in note for note in report.notes)


def test_importing_recorded_folders_again_changes_nothing(shared, lake):
    paths = [shared / "freqtrade", shared / "iaqf"]
    import_files(lake, paths)
    before = lake.snapshot()
    again = import_files(lake, paths)
    assert lake.snapshot() == before
    assert again.totals["stored"] == again.totals["replaced"] == 0
    assert again.totals["duplicates"] + again.totals["quarantined"] == again.totals["read"]
    assert again.instruments == again.notes == []
    assert lake.quarantined(SeriesKey("bars", "binance_usdm", "XRPUSDT", "1h")).height == 1


# ── one table, many ways of writing it ──────────────────────────────────────────────────────────────────────────────

NAMES = {
    "ts": ["open_time", "timestamp", "date", "Time", "Open Time", "ts", "datetime"],
    "open": ["open", "Open", "OPEN"],
    "high": ["high", "High"],
    "low": ["low", "Low"],
    "close": ["close", "Close"],
    "volume": ["volume", "Volume", "vol"],
}


@given(st.data())
@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bars_survive_any_format_column_order_naming_and_stamp(tmp_path_factory, data):
    """The same bars come out of CSV, gz, zip, feather and Parquet, columns in any order and under any known name."""
    folder = tmp_path_factory.mktemp("round")
    bars = make_bars(40, seed=data.draw(st.integers(0, 1000))).select(OHLCV)
    stamp = data.draw(st.sampled_from(["s", "ms", "us", "iso", "datetime"]))
    time = pl.col("ts").to_physical()
    written = bars.with_columns(
        {
            "s": time // 1_000_000,
            "ms": time // 1_000,
            "us": time,
            "iso": pl.col("ts").dt.strftime("%Y-%m-%d %H:%M:%S"),
            "datetime": pl.col("ts").cast(pl.Datetime("ns", "UTC")),
        }[stamp].alias("ts")
    )
    names = {ours: data.draw(st.sampled_from(theirs)) for ours, theirs in NAMES.items()}
    written = written.rename(names).select(data.draw(st.permutations(list(names.values()))))
    form = data.draw(st.sampled_from(["csv", "semicolon", "gz", "zip", "feather", "parquet"]))
    buffer = io.BytesIO()
    if form in ("feather", "parquet"):
        (written.write_ipc if form == "feather" else written.write_parquet)(buffer)
        content = buffer.getvalue()
    else:
        if stamp == "datetime":
            written = written.with_columns(pl.col(names["ts"]).dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
        written.write_csv(buffer, separator=";" if form == "semicolon" else ",")
        content = buffer.getvalue()
        content = {"gz": gzip.compress(content), "zip": zipped(**{"x.csv": content})}.get(form, content)
    lake = Lake(folder / "lake")
    report = import_files(lake, [put(folder, "kraken_BTCUSDT_1m.dat", content)])
    assert report.refused == []
    assert_frame_equal(lake.read(SeriesKey("bars", "kraken", "BTCUSDT", "1m")), bars)


# ── what is wrong with a file is said, and the others go on ─────────────────────────────────────────────────────────


def test_one_bad_file_does_not_stop_the_others(tmp_path, lake):
    good = as_klines(make_bars())
    put(tmp_path, "d/BTCUSDT-1m-2024-01.csv", good)
    put(tmp_path, "d/empty.csv", "")
    put(tmp_path, "d/cut.zip", zipped(x=good)[:200])
    put(tmp_path, "d/page.csv", "<html><body>404, not found</body></html>")
    put(tmp_path, "d/fake.parquet", good)
    report = import_files(lake, [tmp_path / "d"])
    assert report.totals["stored"] == 100
    reasons = {refused.file: refused.reason for refused in report.refused}
    assert "empty.csv is empty" in reasons["empty.csv"]
    assert "truncated zip" in reasons["cut.zip"]
    assert "page.csv has no rows" in reasons["page.csv"]
    assert "nothing says which symbol" in reasons["fake.parquet"]  # the text inside is read, whatever its ending
    assert len(reasons) == 4
    assert all(refused.remedy for refused in report.refused)
    assert [r["file"] for r in report.as_dict()["refused"]] == [r.file for r in report.refused]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "nothing says which venue"),
        ({"venue": "x"}, "nothing says which symbol"),
        ({"venue": "x", "symbol": "BTCUSDT", "timeframe": "5m"}, "option says 5m, but most rows are 60 s apart"),
        ({"venue": "x", "symbol": "BTCUSDT", "columns": {"open": "Open"}}, "has no column 'Open'"),
        ({"venue": "x", "symbol": "BTCUSDT", "columns": {"opne": "open"}}, "'opne' is no column of ours"),
        ({"venue": "x", "symbol": "BTCUSDT", "kind": "trades"}, "not recognised as trades"),
        ({"venue": "x", "symbol": "BTCUSDT", "kind": "quotes"}, "not recognised as quotes"),
        ({"venue": "x", "symbol": "BTCUSDT", "columns": {"price": "open"}}, "not recognised"),
    ],
)
def test_what_is_missing_or_contradictory_is_said_with_the_remedy(tmp_path, lake, options, says):
    buffer = io.BytesIO()
    make_bars().select(OHLCV).write_csv(buffer)
    assert says in refusal(import_files(lake, [put(tmp_path, "prices.csv", buffer.getvalue())], **options))


def test_a_name_that_contradicts_the_data_is_an_error(tmp_path, lake):
    path = put(tmp_path, "BTCUSDT-1h-2024-01.csv", as_klines(make_bars()))
    assert "the name says 1h, but most rows are 60 s apart" in refusal(import_files(lake, [path]))
    text = "timestamp,symbol,funding_rate\n1704067200000,ETHUSDT,0.0001\n"
    path = put(tmp_path, "BTCUSDT.csv", text)
    assert "the name says BTCUSDT, the symbol column ETHUSDT" in refusal(import_files(lake, [path], venue="x"))


def test_a_single_bar_needs_its_timeframe_said(tmp_path, lake):
    text = as_klines(make_bars(1))
    path = put(tmp_path, "BTCUSDT.csv", text)
    assert "one row only" in refusal(import_files(lake, [path]))
    assert import_files(lake, [path], timeframe="1m").totals["stored"] == 1


def test_one_symbol_is_not_poured_into_many(tmp_path, lake):
    for symbol in ("BTCUSDT", "ETHUSDT"):
        put(tmp_path, f"d/{symbol}-1m-2024-01.csv", as_klines(make_bars()))
    report = import_files(lake, [tmp_path / "d"], symbol="BTCUSDT")
    assert [f.key.symbol for f in report.files] == ["BTCUSDT"]
    assert "named for ETHUSDT" in report.refused[0].reason
    bundle = put(
        tmp_path, "b.zip", zipped(**{"BTCUSDT.csv": as_klines(make_bars()), "ETHUSDT.csv": as_klines(make_bars())})
    )
    assert len(import_files(lake, [bundle], symbol="BTCUSDT").refused) == 1


def test_a_single_file_may_be_renamed(tmp_path, lake):
    path = put(tmp_path, "XBTUSDT-1m-2024-01.csv", as_klines(make_bars()))
    assert import_files(lake, [path], symbol="BTCUSDT").files[0].key == BTC_1M


def test_a_binance_option_puts_contracts_into_the_futures_venue(tmp_path, lake):
    """`--venue binance` over a freqtrade folder must not mix perpetuals into spot."""
    bars = make_bars().select(pl.col("ts").alias("date"), *OHLCV[1:])
    for name in ("BTC_USDT-1m.feather", "BTC_USDT_USDT-1m-futures.feather"):
        bars.write_ipc(tmp_path / name)
    report = import_files(lake, [tmp_path], venue="binance")
    assert {f.key.venue for f in report.files} == {"binance", "binance_usdm"}
    path = put(tmp_path, "futures/um/daily/klines/ETHUSDT/1m/ETHUSDT-1m-2024-01-01.csv", as_klines(make_bars()))
    assert import_files(lake, [path], venue="binance").files[0].key.venue == "binance_usdm"


def test_bad_rows_are_quarantined_with_file_row_and_reason(tmp_path, lake):
    lines = as_klines(make_bars()).splitlines()
    lines[10] = lines[10].replace(lines[10].split(",")[4], "nan")
    lines[20] = ",".join([lines[20].split(",")[0], "x", *lines[20].split(",")[2:]])
    lines[30] = ",".join([lines[30].split(",")[0], "-1", *lines[30].split(",")[2:]])
    lines.append(lines[40])
    lines[50], lines[51] = lines[51], lines[50]
    lines.append("1704067")  # cut off
    report = import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-01.csv", "\n".join(lines))])
    (file,) = report.files
    assert file.quarantined == {"missing_value": 2, "nonpositive_price": 1, "unreadable_time": 1}
    assert (file.read, file.stored, file.duplicates) == (102, 97, 1)
    refused = lake.quarantined(BTC_1M).sort("source")
    assert refused["source"].to_list() == [f"BTCUSDT-1m-2024-01.csv:{row}" for row in (102, 11, 21, 31)]
    assert refused["reason"].to_list() == ["unreadable_time", "missing_value", "missing_value", "nonpositive_price"]
    assert {w.check for w in file.warnings} == {"unsorted", "gap"}
    assert report.as_dict()["files"][0]["warnings"][0]["first"] == "2024-01-01 00:40:00"


def test_a_file_most_of_whose_rows_are_bad_is_refused_whole(tmp_path, lake):
    shifted = make_bars(start_us=START_US + 1_000_000)
    path = put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(shifted))
    assert "100 of 100 rows were refused as binance BTCUSDT bars 1m: off_grid 100" in refusal(
        import_files(lake, [path])
    )
    with pytest.raises(MissingFileError):
        lake.series()
    path = put(tmp_path, "kraken_BTCUSDT_1m.csv", "time,open,high,low,close,volume\n2024-01-01,a,b,c,d,e\n")
    assert "column 'open' cannot be read as open: 'a'" in refusal(import_files(lake, [path]))


def test_trades_without_a_side_are_refused(tmp_path, lake):
    path = put(tmp_path, "kraken_BTCUSD.csv", "time,price,amount\n1704067200,1,2\n")
    assert "trades need 'side'" in refusal(import_files(lake, [path]))


def test_trade_ids_that_are_no_numbers_are_left_out(shared, lake):
    """Tardis files of BitMEX have UUIDs."""
    import_files(lake, [shared / "nautilus" / "tardis__bitmex_trades_XBTUSD.csv"])
    table = lake.read(SeriesKey("trades", "bitmex", "XBTUSD"))
    assert table.columns == ["ts", "price", "quantity", "side", "ts_recv"]
    assert table.height == 10


def test_trades_of_two_sources_that_cannot_be_told_apart_are_refused(tmp_path, lake):
    text = "time,price,amount,side,id\n1704067200,1,2,buy,7\n"
    import_files(lake, [put(tmp_path, "kraken_BTCUSD_a.csv", text)])
    path = put(tmp_path, "kraken_BTCUSD_b.csv", text.replace(",id", "").replace(",7", ""))
    assert "the new rows have ts" in refusal(import_files(lake, [path]))


def test_a_symbol_column_without_symbols_is_refused(tmp_path, lake):
    path = put(tmp_path, "kraken_x.csv", "timestamp,symbol,funding_rate\n1704067200000,,0.0001\n")
    assert "symbol column is empty" in refusal(import_files(lake, [path]))


def test_a_disk_that_refuses_is_an_error_and_not_a_bad_file(tmp_path):
    put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(make_bars()))
    put(tmp_path, "in_the_way", "a file where the lake should be")
    with pytest.raises(StorageError):
        import_files(Lake(tmp_path / "in_the_way"), [tmp_path / "BTCUSDT-1m-2024-01.csv"])


def test_wrong_options_are_errors_before_any_file_is_read(tmp_path, lake):
    with pytest.raises(MissingFileError):
        import_files(lake, [tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match="Unknown timeframe"):
        import_files(lake, [tmp_path], timeframe="1x")
    with pytest.raises(ConfigError, match="no check"):
        import_files(lake, [tmp_path], skip=["hihg_low"])


def test_a_check_that_is_switched_off_refuses_nothing(tmp_path, lake):
    crossed = make_bars().with_columns(high=pl.when(pl.int_range(pl.len()) == 5).then(1.0).otherwise("high"))
    path = put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(crossed))
    assert import_files(lake, [path]).quarantined == {"high_low": 1}
    assert import_files(lake, [path], skip=["high_low"]).totals["stored"] == 1


# ── time: unfinished bars and corrections ───────────────────────────────────────────────────────────────────────────


def test_the_last_bar_of_a_file_written_before_it_ended_is_refused(tmp_path, lake):
    path = put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(make_bars()))
    fetched = START_US + 99 * MINUTE_US + 30_000_000
    os.utime(path, ns=(fetched * 1000, fetched * 1000))
    assert import_files(lake, [path]).quarantined == {"unfinished_bar": 1}
    assert lake.read(BTC_1M).height == 99
    assert import_files(lake, [path], skip=["unfinished_bar"]).totals["stored"] == 1


def test_a_corrected_bar_takes_the_place_of_the_stored_one_and_is_counted(tmp_path, lake):
    bars = make_bars()
    import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(bars))])
    newer = bars.with_columns(volume=pl.when(pl.int_range(pl.len()) == 7).then(9.5).otherwise("volume"))
    report = import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(newer))])
    assert (report.totals["replaced"], report.totals["duplicates"]) == (1, 99)
    assert_frame_equal(lake.read(BTC_1M), newer)


# ── instruments ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_inferred_instrument_is_refined_by_finer_data_and_it_is_noted(tmp_path, lake):
    whole = make_bars().with_columns(pl.col("open", "close").round(0), high=pl.lit(1100.0), low=pl.lit(900.0))
    report = import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(whole))])
    assert report.instruments == ["BTCUSDT.binance: tick 1, lot 0.001, inferred from the data"]
    later = make_bars(start_us=START_US + 100 * MINUTE_US)
    report = import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-02.csv", as_klines(later))])
    assert lake.instrument("binance", "BTCUSDT").tick_size == Decimal("0.01")
    assert "which was refined" in report.notes[0]
    report = import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(whole))])
    assert report.notes == []
    assert lake.instrument("binance", "BTCUSDT").tick_size == Decimal("0.01")


def test_an_instrument_that_the_venue_gave_stays(tmp_path, lake):
    given = Instrument(
        symbol="BTCUSDT",
        venue="binance",
        kind=Kind.SPOT,
        base="BTC",
        quote="USDT",
        tick_size=Decimal(1),
        lot_size=Decimal("0.001"),
    )
    lake.put_instrument(given)
    report = import_files(lake, [put(tmp_path, "BTCUSDT-1m-2024-01.csv", as_klines(make_bars()))])
    assert lake.instrument("binance", "BTCUSDT") == given
    assert "which stays" in report.notes[0]


def test_mark_prices_make_no_instrument(tmp_path, lake):
    path = put(tmp_path, "futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-01.csv", as_klines(make_bars()))
    assert import_files(lake, [path]).instruments == []
    with pytest.raises(UnknownSeriesError):
        lake.instrument("binance_usdm", "BTCUSDT")


def test_progress_is_told_file_by_file(tmp_path, lake):
    for day in ("01", "02"):
        put(tmp_path, f"d/BTCUSDT-1m-2024-01-{day}.csv", as_klines(make_bars()))
    seen = []
    import_files(lake, [tmp_path / "d"], progress=lambda *step: seen.append(step))
    assert seen == [("BTCUSDT-1m-2024-01-01.csv", 0, 2), ("BTCUSDT-1m-2024-01-02.csv", 1, 2), ("", 2, 2)]


def test_the_published_header_of_futures_klines_is_the_one_tested_here():
    """Binance's futures files since 2022 begin with these twelve names."""
    assert KLINE_HEADER.count(",") == 11
