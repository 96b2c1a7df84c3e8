"""Files of other tools become the series they are: counts and gaps as their collection's README states them."""

import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from truewind.market.importing import import_files
from truewind.market.report import ImportReport
from truewind.storage.schema import SeriesKey


def put(folder: Path, name: str, text: str) -> Path:
    """A file below `folder`; of a name that ends in .zip, a zip with one member of the text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".zip":
        path.write_text(text)
        return path
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(path.stem + ".csv", text)
    path.write_bytes(buffer.getvalue())
    return path


def quarantined(report: ImportReport) -> dict[str, int]:
    for file in report.files:
        assert file.read == file.stored + file.duplicates + file.replaced + sum(file.quarantined.values())
    return report.quarantined


# What README.md of the collection says: rows, and gaps where it names their number and the longest.
LEAN = [
    ("crypto/binance", SeriesKey("bars", "binance", "BTCUSDT", "1h"), 120, 0),
    ("crypto/binance", SeriesKey("bars", "binance", "BTCBUSD", "1m"), 1440, 0),
    ("crypto/bitfinex", SeriesKey("bars", "bitfinex", "BTCUSD", "1h"), 733, 7),
    ("crypto/bybit", SeriesKey("bars", "bybit", "BTCUSDT", "1m"), 1440, 0),
    ("crypto/coinbase", SeriesKey("bars", "coinbase", "BTCUSD", "1d"), 1318, 8),
    ("crypto/coinbase", SeriesKey("bars", "coinbase", "BTCUSD", "1m"), 3887, 2),  # one in a file, one between files
    ("crypto/coinbase", SeriesKey("bars", "coinbase", "ETHUSD", "1m"), 2449, 2),
    ("cryptofuture", SeriesKey("bars", "binance_usdm", "ADAUSDT", "1d"), 9, 0),
    ("cryptofuture", SeriesKey("bars", "binance_usdm", "ADAUSDT", "1m"), 1440, 0),
    ("cryptofuture", SeriesKey("bars", "binance_coinm", "BTCUSD_PERP", "1m"), 1439, 1),
    ("cryptofuture", SeriesKey("quotes", "binance_coinm", "BTCUSD_PERP"), 1104, 0),
    ("cryptofuture", SeriesKey("funding", "binance_coinm", "BTCUSD_PERP"), 12, 0),
    ("cryptofuture", SeriesKey("funding", "binance_usdm", "ADAUSDT"), 1, 0),
    ("forex/oanda/minute", SeriesKey("bars", "oanda", "EURUSD", "1m"), 18_184, None),
    ("forex/oanda/hour", SeriesKey("bars", "oanda", "EURUSD", "1h"), 74_439, 641),
    ("forex/oanda/daily", SeriesKey("bars", "oanda", "GBPUSD", "1d"), 3738, None),
]


@pytest.mark.parametrize(("folder", "key", "rows", "gaps"), LEAN, ids=lambda value: str(value))
def test_folders_of_lean_hold_what_their_list_says(shared, lake, folder, key, rows, gaps):
    import_files(lake, [shared / "lean" / folder])
    (info,) = lake.series(kind=key.kind, venue=key.venue, symbol=key.symbol, timeframe=key.timeframe)
    assert info.rows == rows
    assert gaps is None or info.gaps == gaps


def test_quotes_of_lean_stand_at_the_end_of_their_bar(shared, lake):
    """The first line of the file: 0,17203.9,17207.5,17203.9,17207.5,1565,17204,17207.6,17204,17207.6,221."""
    path = shared / "lean/cryptofuture/binance/minute/btcusd/20221213_quote.zip"
    (file,) = import_files(lake, [path]).files
    table = lake.read(file.key)
    assert table.row(0)[1:] == (17207.5, 1565.0, 17207.6, 221.0)
    assert str(table["ts"][0]) == "2022-12-13 00:01:00+00:00"
    steps = table["ts"].diff().drop_nulls().dt.total_minutes()
    assert int((steps > 1).sum()) == 184  # README: 184 gaps, the longest step 19 minutes
    assert steps.max() == 19


def test_currencies_of_lean_have_bars_of_their_middle(shared, lake):
    """20140501: 0,1.38676,1.38686,1.38669,1.38686,0,1.38686,1.38697,1.38680,1.38697,0; halves by hand."""
    report = import_files(lake, [shared / "lean/forex/oanda/minute/eurusd/20140501_quote.zip"])
    bars = lake.read(SeriesKey("bars", "oanda", "EURUSD", "1m"))
    assert bars.row(0)[1:] == (1.38681, 1.386915, 1.386745, 1.386915, 0.0)
    assert str(bars["ts"][0]) == "2014-05-01 00:00:00+00:00"
    assert any("middle" in text for file in report.files for text in file.assumed)


def test_ticks_of_lean_are_read_in_the_zone_of_their_folder(shared, lake):
    """fxcm's stamps are five hours behind: 1787,1.38727,1.38729 is at 05:00:01.787 UTC. Locked prices are refused."""
    report = import_files(lake, [shared / "lean/forex/fxcm"])
    assert sum(file.read for file in report.files) == 51_053 + 96_406
    assert set(quarantined(report)) == {"crossed_quote"}
    table = lake.read(SeriesKey("quotes", "fxcm", "EURUSD"))
    assert str(table["ts"][0]) == "2014-05-01 05:00:01.787000+00:00"
    assert table.row(0)[1:] == (1.38727, 0.0, 1.38729, 0.0)


def test_equities_of_lean_are_in_dollars_and_utc(tmp_path, lake):
    """No equity file was recorded: written as Lean's readme has it, prices × 10,000, New York time.

    09:30 is 34,200,000 ms: 13:30 UTC in summer time, 14:30 in winter; days stay days.
    """
    line = "34200000,1002500,1003000,1002000,1002800,4600\n"
    put(tmp_path, "equity/usa/minute/spy/20131007_trade.zip", line)
    put(tmp_path, "equity/usa/minute/spy/20131206_trade.zip", line)
    put(tmp_path, "equity/usa/daily/spy.zip", "20131007 00:00,1002500,1003000,1002000,1002800,460000\n")
    report = import_files(lake, [tmp_path / "equity"])
    assert report.refused == []
    minutes = lake.read(SeriesKey("bars", "us", "SPY", "1m"))
    assert [str(ts) for ts in minutes["ts"]] == ["2013-10-07 13:30:00+00:00", "2013-12-06 14:30:00+00:00"]
    assert minutes.row(0)[1:6] == (100.25, 100.3, 100.2, 100.28, 4600.0)
    assert str(lake.read(SeriesKey("bars", "us", "SPY", "1d"))["ts"][0]) == "2013-10-07 00:00:00+00:00"


@pytest.mark.parametrize("line", ["0,1,2,3\n", "0,1,2,3,4,5,6,7,8\n"])
def test_a_file_of_lean_with_other_columns_is_refused(tmp_path, lake, line):
    put(tmp_path, "crypto/kraken/minute/btcusd/20240101_trade.zip", line)
    (refused,) = import_files(lake, [tmp_path]).refused
    assert "columns" in refused.reason


def test_snapshots_of_tardis_are_a_book(shared, lake):
    """Ten snapshots of 25 levels a side; the first row's best prices as they stand in the file."""
    report = import_files(lake, [shared / "nautilus/tardis__binance-futures_book_snapshot_25_BTCUSDT.csv"])
    (file,) = report.files
    assert (str(file.key), file.stored) == ("binance_usdm BTCUSDT book", 500)
    table = lake.read(file.key)
    first = table.filter(pl.col("ts") == table["ts"][0])
    assert first.filter(pl.col("side") == 1)["price"].max() == 11657.07
    best = first.filter(pl.col("side") == -1).sort("price").row(0, named=True)
    assert (best["price"], best["quantity"]) == (11657.08, 1.714)
    assert str(best["ts_recv"]) == "2020-09-01 00:00:03.810979+00:00"
    assert report.warnings == {}


def test_trades_of_tardis_keep_both_times(shared, lake):
    import_files(lake, [shared / "nautilus/tardis__bitmex_trades_XBTUSD.csv"])
    table = lake.read(SeriesKey("trades", "bitmex", "XBTUSD"))
    assert table.height == 10
    row = table.row(0, named=True)
    assert (row["price"], row["quantity"], row["side"]) == (8531.5, 2152.0, -1)
    assert str(row["ts_recv"]) == "2020-03-01 00:00:03.307160+00:00"


def test_other_tables_of_tardis_follow_their_schemas(tmp_path, lake):
    """Written by docs.tardis.dev's schemas: nothing of these was recorded."""
    about = "binance-futures,BTCUSDT,1598918403696000,1598918403810979"
    put(
        tmp_path,
        "binance-futures_liquidations_2020-09-01_BTCUSDT.csv",
        f"exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n{about},,sell,11600.5,0.25\n",
    )
    put(
        tmp_path,
        "binance-futures_quotes_2020-09-01_BTCUSDT.csv",
        "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount\n"
        f"{about},1.714,11657.08,11657.07,10.896\n",
    )
    ticker = "funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
    put(
        tmp_path,
        "binance-futures_derivative_ticker_2020-09-01_BTCUSDT.csv",
        f"exchange,symbol,timestamp,local_timestamp,{ticker}\n"
        f"{about},1598918400000000,0.0001,,50000.5,11657.07,11656.9,11657\n"
        f"{about},1598918400000000,0.0001,,50001,11657.07,11656.9,11657.5\n"
        "binance-futures,BTCUSDT,1598918404696000,1598918404810979,1598918400000000,,,50001,11657.07,,\n",
    )
    report = import_files(lake, [tmp_path])
    assert (report.refused, quarantined(report)) == ([], {})
    read = {kind: lake.read(SeriesKey(kind, "binance_usdm", "BTCUSDT")) for kind in ("liquidations", "quotes", "marks")}
    assert read["liquidations"].row(0, named=True)["side"] == -1
    assert read["quotes"].row(0)[1:5] == (11657.07, 10.896, 11657.08, 1.714)
    assert read["marks"]["mark_price"].to_list() == [11657.5]  # the last of its time
    assert lake.read(SeriesKey("open_interest", "binance_usdm", "BTCUSDT"))["open_interest"].to_list() == [50001.0]


def test_quotes_of_truefx_have_prices_only(shared, lake):
    report = import_files(lake, [shared / "nautilus/truefx__usdjpy-ticks.csv"])
    (file,) = report.files
    assert (str(file.key), file.read, quarantined(report)) == ("truefx USDJPY quotes", 1000, {"crossed_quote": 1})
    assert lake.read(file.key).row(0)[1:] == (86.655, 0.0, 86.728, 0.0)
    assert "quantities 0" in file.assumed[0]


def test_replies_of_kraken_are_read(shared, lake):
    """721 bars, the last of them not over, and 1,000 trades."""
    report = import_files(lake, sorted((shared / "nautilus").glob("kraken_rest_*.json.gz")))
    assert [(str(file.key), file.stored) for file in report.files] == [
        ("kraken XBTUSDT bars 1m", 720),
        ("kraken XBTUSDT trades", 1000),
    ]
    assert quarantined(report) == {"unfinished_bar": 1}
    trades = lake.read(SeriesKey("trades", "kraken", "XBTUSDT"))
    assert trades.row(0, named=True)["id"] == 10218208
    assert trades["side"][0] == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"error": ["EGeneral:Too many requests"], "result": {}}, "Too many requests"),
        ({"error": [], "result": {}}, "without rows"),
        ({"error": [], "result": {"X": [[1, 2]]}}, "neither"),
        ({"error": [], "result": {"X": [["a", "b", "c", "d", "e", "f", 1]]}}, "cannot be read"),
        ({"code": 5}, "JSON"),
    ],
)
def test_other_replies_are_refused(tmp_path, lake, reply, said):
    (refused,) = import_files(lake, [put(tmp_path, "reply.json", json.dumps(reply))]).refused
    assert said in refused.reason
