"""Cross-checks confirm what is known of recorded data, and find what was changed in one series of two."""

import zipfile

import polars as pl
import pytest

from market.samples import MINUTE_US, START_US, make_bars
from truewind.market.cross import Comparison, cross_checks
from truewind.market.importing import import_files
from truewind.market.resample import resample
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

ONE, FIVE = (SeriesKey("bars", "binance", "BTCUSDT", timeframe) for timeframe in ("1m", "5m"))
TRADES = SeriesKey("trades", "binance", "BTCUSDT")
TS = pl.Datetime("us", "UTC")


def comparisons(lake: Lake, key: SeriesKey) -> dict[tuple[str, str], Comparison]:
    return {(found.check, found.other): found for found in cross_checks(lake, key)}


def altered(table: pl.DataFrame, row: int, **values: float) -> pl.DataFrame:
    here = pl.int_range(pl.len()) == row
    return table.with_columns(pl.when(here).then(pl.lit(v)).otherwise(name).alias(name) for name, v in values.items())


def test_longer_bars_are_what_shorter_ones_make(lake: Lake) -> None:
    bars = make_bars(600)
    lake.write(ONE, bars.filter(pl.int_range(pl.len()) != 33))
    lake.write(FIVE, resample(bars, "1m", "5m"))
    (found,) = cross_checks(lake, FIVE)
    assert (found.check, found.compared, found.differing) == ("longer_bars", 119, 0)  # one bucket lacks a bar
    assert cross_checks(lake, ONE) == []
    lake.write(FIVE, altered(resample(bars, "1m", "5m"), 40, high=2000.0))
    (found,) = cross_checks(lake, FIVE)
    assert (found.differing, found.first_us, found.last_us) == (
        1,
        START_US + 200 * MINUTE_US,
        START_US + 200 * MINUTE_US,
    )
    assert found.worst == f"high 2000 stored, {bars['high'][200:205].max():g} made, at 2024-01-01 03:20:00"
    assert "differs from binance BTCUSDT bars 1m in 1 of 119 rows" in str(found)


def test_bars_are_what_the_trades_make(lake: Lake) -> None:
    trades = pl.DataFrame(
        {
            "ts": [START_US + second * 1_000_000 for second in (0, 30, 61, 62, 119, 250, 251, 300)],
            "price": [9.0, 9.5, 10.0, 12.0, 11.0, 8.0, 8.5, 8.0],
            "quantity": [0.1, 0.2, 0.1, 0.2, 0.3, 1.0, 1.0, 1.0],
            "side": [1, -1] * 4,
            "id": range(8),
        }
    ).with_columns(pl.col("ts").cast(TS), pl.col("side").cast(pl.Int8))
    minutes = pl.DataFrame(
        {
            "ts": [START_US + minute * MINUTE_US for minute in range(6)],
            "open": [9.0, 10.0, 11.0, 11.0, 8.0, 8.0],
            "high": [9.5, 12.0, 11.0, 11.0, 8.5, 8.0],
            "low": [9.0, 10.0, 11.0, 11.0, 8.0, 8.0],
            "close": [9.5, 11.0, 11.0, 11.0, 8.5, 8.0],
            "volume": [0.3, 0.6, 0.0, 0.0, 2.0, 7.0],
        }
    ).with_columns(pl.col("ts").cast(TS))
    lake.write(TRADES, trades)
    lake.write(ONE, minutes)
    (found,) = cross_checks(lake, ONE)
    assert (found.check, found.compared, found.differing) == ("trade_bars", 2, 0)  # the first and last are seen in part
    lake.write(ONE, altered(minutes, 1, volume=0.7))
    (found,) = cross_checks(lake, ONE)
    assert (found.differing, found.worst) == (1, "volume 0.7 stored, 0.6 made, at 2024-01-01 00:01:00")
    lake.write(ONE, minutes.filter(pl.int_range(pl.len()) != 4), mode="overwrite")  # trades, but no bar
    (found,) = cross_checks(lake, ONE)
    assert (found.differing, found.first_us) == (1, START_US + 4 * MINUTE_US)
    lake.write(ONE, altered(minutes, 3, volume=5.0), mode="overwrite")  # a bar, but no trades
    (found,) = cross_checks(lake, ONE)
    assert (found.differing, found.first_us) == (1, START_US + 3 * MINUTE_US)


def test_mark_and_index_and_venues_stay_near_each_other(lake: Lake) -> None:
    bars = make_bars(100)
    for kind, venue in (("bars", "binance"), ("bars", "binance_usdm"), ("index_bars", "binance_usdm")):
        table = bars if kind == "bars" else bars.select("ts", "open", "high", "low", "close")
        lake.write(SeriesKey(kind, venue, "BTCUSDT", "1m"), table)
    mark = SeriesKey("mark_bars", "binance_usdm", "BTCUSDT", "5m")
    prices = resample(bars, "1m", "5m").select(
        "ts", *(pl.col(name) * 1.01 for name in ("open", "high", "low", "close"))
    )
    lake.write(mark, prices)
    found = comparisons(lake, mark)
    near = found["mark_index", "binance_usdm BTCUSDT index_bars 1m"]
    assert (near.compared, near.differing) == (20, 0)
    assert near.worst.startswith("at most 1.000% apart")
    assert found["mark_index", "binance_usdm BTCUSDT bars 1m"].compared == 20
    lake.write(mark, altered(prices, 7, open=2000.0, high=2000.0))
    assert comparisons(lake, mark)["mark_index", "binance_usdm BTCUSDT index_bars 1m"].differing == 1
    spot = comparisons(lake, ONE)
    assert spot["venues", "binance_usdm BTCUSDT bars 1m"].differing == 0
    usdm = SeriesKey("bars", "binance_usdm", "BTCUSDT", "1m")
    assert ("venues", str(ONE)) not in comparisons(lake, usdm)  # a pair is compared once


def test_features_and_lone_series_have_nothing_to_be_compared_with(lake: Lake) -> None:
    lake.write(ONE, make_bars(10))
    assert cross_checks(lake, ONE) == []
    features = SeriesKey("momentum", "binance", "BTCUSDT", "1m", "features")
    assert cross_checks(lake, features) == []


@pytest.fixture(scope="module")
def recorded(shared, tmp_path_factory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("recorded") / "lake")
    swarm, trades = shared / "market-swarm", shared / "freqtrade"
    names = ("BTC", "ETH", "SOL")
    import_files(lake, [*swarm.glob("*1m-futures*"), *swarm.glob("*5m-futures*"), *swarm.glob("*8h-mark*")])
    import_files(lake, [trades / f"XRP_ETH-{what}" for what in ("1m.feather", "5m.feather", "trades.parquet")])
    import_files(
        lake, [shared / "genetrader" / f"{name}_USDT-{tf}.feather" for name in names[:1] for tf in ("1h", "1d")]
    )
    with zipfile.ZipFile(shared / "gravestone" / "usdm_klines_1d.zip") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/BTCUSDT.csv"))
        path = archive.extract(name, tmp_path_factory.mktemp("gravestone"))
    import_files(lake, [path], venue="binance_usdm", timeframe="1d")
    return lake


def test_recorded_minutes_make_the_recorded_five_minutes(recorded: Lake) -> None:
    """README, note 19: 1m to 5m resample exactly for BTC, ETH, SOL."""
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        key = SeriesKey("bars", "binance_usdm", symbol, "5m")
        found = comparisons(recorded, key)["longer_bars", f"binance_usdm {symbol} bars 1m"]
        assert found.compared > 8_600
        assert found.differing == 0


def test_recorded_trades_make_the_recorded_minutes(recorded: Lake) -> None:
    """README, note 13: the 1m bars are exactly the aggregation of the trades; 2,469 bars, of which two are edges."""
    found = comparisons(recorded, SeriesKey("bars", "binance", "XRPETH", "1m"))
    assert found["trade_bars", "binance XRPETH trades"].compared == 2_467
    assert found["trade_bars", "binance XRPETH trades"].differing == 0


def test_recorded_spot_and_perpetual_closes(recorded: Lake) -> None:
    """README, note 19: they agree within 0.12 % on all 240 shared days."""
    found = comparisons(recorded, SeriesKey("bars", "binance", "BTCUSDT", "1d"))
    near = found["venues", "binance_usdm BTCUSDT bars 1d"]
    assert (near.compared, near.differing) == (240, 0)
    assert near.worst.startswith("at most 0.118% apart")


def test_recorded_mark_prices_and_last_prices(recorded: Lake) -> None:
    """README, note 19: mark price and futures 1m open agree within 0.03 %."""
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        found = comparisons(recorded, SeriesKey("mark_bars", "binance_usdm", symbol, "8h"))
        near = next(value for (check, other), value in found.items() if check == "mark_index" and "bars 5m" in other)
        assert near.compared > 80
        assert float(near.worst.split()[2].rstrip("%")) <= 0.03
