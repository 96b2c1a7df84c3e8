"""Listings, rules and margin tiers as they were: refreshed from the local exchange over HTTP, read by runs."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl
import pytest

from truewind.domain.clock import parse_ts_us
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.terms import Tier
from truewind.errors import ConfigError, ProtocolError, RejectedError
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET
from truewind.market.history.refresh import Key, refresh
from truewind.market.terms import keep_tiers, read_brackets, tier_tables, tiers_of
from truewind.market.universe import universe_of
from truewind.storage.schema import TS, SeriesKey
from truewind.venues.binance.signing import Secret
from truewind.venues.binance.terms import known_tiers

VENUE = "binance_usdm"
DAY = parse_ts_us("2026-01-01")
KEY = Key(Secret(LOCAL_KEY), Secret(LOCAL_SECRET))


def bracket(cap: float, rate: float, leverage: int) -> dict[str, Any]:
    """A line as Binance's documents show it."""
    return {
        "bracket": 1, "initialLeverage": leverage, "notionalCap": cap, "notionalFloor": 0, "maintMarginRatio": rate,
        "cum": 0.0,
    }  # fmt: skip


def test_the_venues_reply_is_read_to_the_last_digit():
    """In any order, numbers as JSON has them: 0.0065 is no 0.006500000000000000135."""
    lines = [bracket(250000, 0.01, 50), bracket(10000, 0.0065, 75)]
    reply = msgspec.json.encode([{"symbol": "ETHUSDT", "notionalCoef": 1.5, "brackets": lines}])
    assert read_brackets(reply) == {
        "ETHUSDT": [Tier(Decimal(10000), Decimal("0.0065"), 75), Tier(Decimal(250000), Decimal("0.01"), 50)]
    }


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'[{"symbol": "X"}]', b'[{"symbol": "X", "brackets": [{}]}]'])
def test_anything_else_is_no_reply(body):
    with pytest.raises(ProtocolError):
        read_brackets(body)


def test_tiers_are_kept_where_they_changed(lake):
    old, new = [Tier(Decimal(5000), Decimal("0.01"), 50)], [Tier(Decimal(9000), Decimal("0.02"), 20)]
    assert keep_tiers(lake, VENUE, {"NEWUSDT": old}, DAY, "x") == ["NEWUSDT"]
    assert keep_tiers(lake, VENUE, {"NEWUSDT": old}, DAY + 1, "x") == []
    assert keep_tiers(lake, VENUE, {"NEWUSDT": new}, DAY + 2, "x") == ["NEWUSDT"]
    tables = tier_tables(lake, VENUE, "NEWUSDT")
    assert [(table.since_us, table.tiers) for table in tables] == [(DAY, old), (DAY + 2, new)]


def test_what_is_seen_goes_on_where_the_package_ends(lake):
    packaged = known_tiers(VENUE, "BTCUSDT")
    same = {"BTCUSDT": packaged[-1].tiers}
    assert keep_tiers(lake, VENUE, same, DAY, "x") == []
    other = [Tier(Decimal(300_000), Decimal("0.004"), 100)]
    keep_tiers(lake, VENUE, {"BTCUSDT": other}, DAY, "x")
    assert tier_tables(lake, VENUE, "BTCUSDT") == [*packaged, (DAY, other)]
    about = Instrument(
        symbol="BTCUSDT", venue=VENUE, kind=Kind.PERPETUAL, base="BTC", quote="USDT", tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
    )  # fmt: skip
    assert tiers_of(lake, [about])["BTCUSDT.binance_usdm"][-1].tiers == other
    assert tiers_of(lake, [msgspec.structs.replace(about, symbol="NEWUSDT")]) == {}


def test_a_market_is_refreshed(lake, exchange):
    """The local exchange lists BTCUSDT and SOLUSDT; the lake has bars of the first."""
    bar = {"ts": [DAY]} | {name: [1.0] for name in ("open", "high", "low", "close", "volume")}
    lake.write(SeriesKey("bars", VENUE, "BTCUSDT", "1d"), pl.DataFrame(bar).with_columns(pl.col("ts").cast(TS)))
    found = asyncio.run(refresh(lake, VENUE, exchange.hosts, KEY))
    assert sorted(event["symbol"] for event in found.events) == ["BTCUSDT", "SOLUSDT"]
    assert found.instruments == ["BTCUSDT"]
    assert not lake.instrument(VENUE, "BTCUSDT").inferred
    assert found.tiers is not None
    for symbol in ("BTCUSDT", "SOLUSDT"):
        assert tier_tables(lake, VENUE, symbol)
    assert universe_of(lake, VENUE).listed("SOLUSDT", found.at_us)
    again = asyncio.run(refresh(lake, VENUE, exchange.hosts, KEY))
    assert (again.events, again.instruments, again.tiers) == ([], [], [])


def test_without_a_key_there_are_no_tiers(lake, exchange):
    assert asyncio.run(refresh(lake, VENUE, exchange.hosts)).tiers is None
    assert asyncio.run(refresh(lake, "binance", exchange.hosts, KEY)).tiers is None
    assert universe_of(lake, "binance").at(2**61)


def test_a_wrong_key_is_refused_and_not_told(lake, exchange):
    wrong = Key(Secret(LOCAL_KEY), Secret("very-private"))
    with pytest.raises(RejectedError) as caught:
        asyncio.run(refresh(lake, VENUE, exchange.hosts, wrong))
    assert "very-private" not in str(caught.value.as_dict()) + repr(wrong)
    assert lake.records("listings").is_empty()
    with pytest.raises(ConfigError, match="cannot be refreshed"):
        asyncio.run(refresh(lake, "kraken", exchange.hosts))
