"""What names say, checked on the names that tools and venues give."""

import pytest

from truewind.market.files.names import Hints, read_names, split_symbol, venue_symbol


@pytest.mark.parametrize(
    ("names", "hints"),
    [
        ("BTC_USDT-1h.feather", Hints("", "BTCUSDT", "1h", "bars", "freqtrade")),
        ("BTC_USDT_USDT-1m-futures.feather", Hints("", "BTCUSDT", "1m", "bars", "freqtrade", "binance_usdm")),
        ("XRP_USDT_USDT-8h-mark.feather", Hints("", "XRPUSDT", "8h", "mark_bars", "freqtrade", "binance_usdm")),
        ("XRP_USDT_USDT-1h-index.feather", Hints("", "XRPUSDT", "1h", "index_bars", "freqtrade", "binance_usdm")),
        (
            "futures__XRP_USDT_USDT-8h-funding_rate.feather",
            Hints("", "XRPUSDT", "8h", "funding", "freqtrade", "binance_usdm"),
        ),
        ("BTC_USD_BTC-1h-futures.feather", Hints("", "BTCUSD_PERP", "1h", "bars", "freqtrade", "binance_coinm")),
        ("XRP_ETH-trades.parquet", Hints("", "XRPETH", "", "trades", "freqtrade")),
        ("BTCUSDT-1h-2024-01.csv BTCUSDT-1h-2024-01.zip", Hints("", "BTCUSDT", "1h", "", "binance")),
        ("BTCUSD_PERP-1h-2024-01.zip", Hints("binance_coinm", "BTCUSD_PERP", "1h", "", "binance", "binance_coinm")),
        ("BTCUSDT_240329-1h-2024-01.zip", Hints("binance_usdm", "BTCUSDT_240329", "1h", "", "binance", "binance_usdm")),
        ("BTCUSDT-aggTrades-2024-01.zip", Hints("", "BTCUSDT", "", "trades", "binance")),
        ("BTCUSDT-fundingRate-2024-01.zip", Hints("", "BTCUSDT", "", "funding", "binance", "binance_usdm")),
        ("binanceus_BTCUSDT_1m_20230301_20230321.csv.gz", Hints("binanceus", "BTCUSDT", "1m")),
        ("kraken_BTCUSDC_1m_2023Q1.csv.gz", Hints("kraken", "BTCUSDC", "1m")),
        ("kraken_BTCUSDC_1m.dat", Hints("kraken", "BTCUSDC", "1m")),
        ("BTCUSDT.csv 1h usdm_klines_1h.zip", Hints("", "BTCUSDT", "1h")),
        ("positive_trade_stream_spot_trxusdt_04-03-2025.csv.gz", Hints("", "TRXUSDT")),
        ("BTCUSDT-1mo-2024-01.zip", Hints("", "BTCUSDT", "", "", "binance")),
        ("sp500.csv.gz", Hints()),
    ],
)
def test_names_of_tools_and_venues_are_read(names, hints):
    assert read_names(tuple(names.split())) == hints


@pytest.mark.parametrize(
    ("path", "venue", "kind"),
    [
        ("data/futures/um/monthly/klines/BTCUSDT/1h", "binance_usdm", "bars"),
        ("data/futures/um/daily/markPriceKlines/BTCUSDT/1h", "binance_usdm", "mark_bars"),
        ("data/futures/cm/monthly/indexPriceKlines/BTCUSD/1h", "binance_coinm", "index_bars"),
        ("futures/um/monthly/premiumIndexKlines/BTCUSDT/1h", "binance_usdm", "premium_index"),
        ("data/spot/monthly/klines/BTCUSDT/1h", "binance", "bars"),
        ("home/me/spot/klines", "", "bars"),
        ("home/me/kraken", "", ""),
    ],
)
def test_only_the_archive_s_own_tree_speaks_for_a_file_in_it(path, venue, kind):
    hints = read_names(("BTCUSDT-1h-2024-01.zip",), tuple(reversed(path.split("/"))))
    assert (hints.venue, hints.kind, hints.symbol) == (venue, kind, "BTCUSDT")


@pytest.mark.parametrize(
    ("symbol", "pair"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("BTCFDUSD", ("BTC", "FDUSD")),
        ("BTCTUSD", ("BTC", "TUSD")),
        ("1000SHIBUSDT", ("1000SHIB", "USDT")),
        ("XRPETH", ("XRP", "ETH")),
        ("ETHBTC", ("ETH", "BTC")),
        ("BTCUSD_PERP", ("BTC", "USD")),
        ("BTCEUR", ("BTC", "EUR")),
        ("USDT", None),
        ("GOOG", None),
    ],
)
def test_symbols_are_split_by_the_longest_known_quote(symbol, pair):
    assert split_symbol(symbol) == pair


@pytest.mark.parametrize("text", ["btc/usdt", "BTC/USDT:USDT", " BTCUSDT "])
def test_symbols_come_out_in_venue_form(text):
    assert venue_symbol(text) == "BTCUSDT"
