"""Binance's exchangeInfo, as recorded in 2021, 2022 and 2025."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from truewind.domain.instrument import Instrument, Kind, filters_row, instrument_row
from truewind.errors import FormatError
from truewind.venues.binance.instruments import COINM, SPOT, USDM, instrument, instruments

D = Decimal


def recorded(path: Path) -> Any:
    """The exchangeInfo in a cryptofeed recording."""
    with gzip.open(path, "rt") as lines:
        return next(json.loads(line[line.index("{") :]) for line in lines if '"symbols"' in line)


@pytest.fixture(scope="module")
def spot_2021(shared: Path) -> dict[str, Instrument]:
    return {item.symbol: item for item in instruments(recorded(shared / "cryptofeed" / "BINANCE.0.txt.gz"), SPOT)}


@pytest.fixture(scope="module")
def usdm_2021(shared: Path) -> dict[str, Instrument]:
    info = recorded(shared / "cryptofeed" / "BINANCE_FUTURES.0.txt.gz")
    return {item.symbol: item for item in instruments(info, USDM)}


@pytest.fixture(scope="module")
def replies(shared: Path) -> Any:
    with gzip.open(shared / "gocryptotrader" / "binance_rest_public_get.json.gz", "rt") as file:
        return json.load(file)


def test_spot_of_2021(spot_2021: dict[str, Instrument]) -> None:
    """All 1,695 symbols are read; BTCUSDT's filters are those of the reply, under their old names."""
    assert len(spot_2021) == 1_695
    btc = spot_2021["BTCUSDT"]
    assert (btc.kind, btc.tick_size, btc.lot_size) == (Kind.SPOT, D("0.01"), D("0.00001"))
    assert (btc.min_quantity, btc.max_quantity, btc.min_notional) == (D("0.00001"), D(9000), D(10))
    rules = btc.filters
    assert (rules.bid_up, rules.bid_down, rules.ask_up, rules.ask_down) == (D(5), D("0.2"), D(5), D("0.2"))
    assert (rules.band_minutes, rules.market_max_quantity, rules.market_lot_size) == (5, D("100.05381873"), D(0))
    assert (rules.max_orders, rules.max_conditional, rules.iceberg_parts) == (200, 5, 10)
    assert (rules.max_notional, rules.market_min_notional) == (D(0), True)
    assert sum(item.filters.max_position > 0 for item in spot_2021.values()) == 40


def test_futures_of_2021(usdm_2021: dict[str, Instrument]) -> None:
    """All 122 symbols are read; the perpetual and the quarterly of Bitcoin have the reply's filters and expiry."""
    assert len(usdm_2021) == 122
    btc, quarterly = usdm_2021["BTCUSDT"], usdm_2021["BTCUSDT_210924"]
    assert (btc.kind, quarterly.kind) == (Kind.PERPETUAL, Kind.FUTURE)
    assert (btc.expiry_us, quarterly.expiry_us) == (None, 1_632_470_400_000_000)
    rules = btc.filters
    assert (rules.bid_up, rules.bid_down, rules.ask_up, rules.ask_down) == (D("1.15"), D(0), D(0), D("0.85"))
    assert (rules.min_price, rules.max_price, btc.min_notional) == (D("556.72"), D(1_000_000), D(5))
    assert (rules.max_orders, rules.max_conditional) == (200, 10)
    assert (rules.liquidation_fee, rules.market_take_bound, rules.trigger_protect) == (D("0.012"), D("0.3"), D("0.05"))
    assert quarterly.filters.market_max_quantity == 30
    assert {item.settle for item in usdm_2021.values()} == {"USDT", "BUSD"}
    assert not any(item.inverse for item in usdm_2021.values())


def test_spot_of_today(replies: Any) -> None:
    """PERCENT_PRICE_BY_SIDE, NOTIONAL and TRAILING_DELTA: the names that replaced or joined the old ones."""
    listed = list(instruments(replies["/api/v3/exchangeInfo"][0]["data"], SPOT))
    eth = next(item for item in listed if item.symbol == "ETHBTC")
    rules = eth.filters
    assert (eth.min_notional, rules.max_notional) == (D("0.0001"), D(9_000_000))
    assert (rules.market_min_notional, rules.market_max_notional) == (True, False)
    assert (rules.trailing_above, rules.trailing_below) == ((10, 2000), (10, 2000))
    assert len(listed) == 25


def test_futures_of_2025(replies: Any) -> None:
    """In August 2025 BTCUSDT had a tick of 0.10, a least notional of 100, and a band of 5 %."""
    listed = list(instruments(replies["/fapi/v1/exchangeInfo"][0]["data"], USDM))
    btc = next(item for item in listed if item.symbol == "BTCUSDT")
    assert (btc.tick_size, btc.min_notional, btc.filters.bid_up) == (D("0.1"), D(100), D("1.05"))
    assert (btc.filters.market_max_quantity, btc.filters.liquidation_fee) == (D(120), D("0.0125"))


def test_coin_margined() -> None:
    """An entry as `GET /dapi/v1/exchangeInfo` documents it: a contract is 100 dollars, margined in the coin."""
    entry = {
        "symbol": "BTCUSD_200925", "pair": "BTCUSD", "contractType": "CURRENT_QUARTER", "deliveryDate": 1601020800000,
        "contractSize": 100, "quoteAsset": "USD", "baseAsset": "BTC", "marginAsset": "BTC",
        "filters": [
            {"filterType": "PRICE_FILTER", "maxPrice": "100000", "minPrice": "0.1", "tickSize": "0.1"},
            {"filterType": "LOT_SIZE", "stepSize": "1", "maxQty": "100000", "minQty": "1"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "1", "maxQty": "100000", "minQty": "1"},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500"},
        ],
    }  # fmt: skip
    quarterly = instrument(entry, COINM)
    assert (quarterly.kind, quarterly.inverse, quarterly.currency) == (Kind.FUTURE, True, "BTC")
    assert (quarterly.multiplier, quarterly.min_notional) == (D(100), D(0))
    assert quarterly.notional(quarterly.ticks("50000"), 5) == D("0.01")


def test_every_recorded_instrument_serves_kernels(
    spot_2021: dict[str, Instrument], usdm_2021: dict[str, Instrument]
) -> None:
    """Each becomes records without loss: its steps are whole fractions, and it comes back from JSON as it was."""
    for item in (*spot_2021.values(), *usdm_2021.values()):
        row = instrument_row(item)[0]
        assert D(int(row["tick_num"])) / D(int(row["tick_den"])) == item.tick_size
        rule = filters_row(item)[0]
        assert 1 <= rule["min_price"] <= rule["max_price"]
        assert item.price(int(rule["min_price"])) >= item.filters.min_price
    btc = usdm_2021["BTCUSDT"]
    assert msgspec.json.decode(msgspec.json.encode(btc), type=Instrument) == btc


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({}, "No symbols"),
        ({"symbols": [{"symbol": "XUSDT", "filters": []}]}, "XUSDT of binance"),
        ({"symbols": [{"symbol": "XUSDT", "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "a lot", "minPrice": "0", "maxPrice": "0"},
            {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "0", "maxQty": "0"},
        ], "baseAsset": "X", "quoteAsset": "USDT"}]}, "XUSDT of binance"),
    ],
)  # fmt: skip
def test_what_is_no_exchange_info_is_refused(reply: dict[str, Any], message: str) -> None:
    """A reply without symbols, a symbol without its filters, a step that is no number: named, not guessed."""
    with pytest.raises(FormatError, match=message):
        list(instruments(reply, SPOT))
