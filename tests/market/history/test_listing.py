"""The archive's list of files, from the local exchange and from a server that pages as S3 does."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from market.history.json_server import serving
from truewind.domain.clock import iso, parse_ts_us
from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError, ProtocolError
from truewind.market.history.listing import archive_days
from truewind.market.history.refresh import refresh_archive
from truewind.market.universe import universe_of
from truewind.venues.binance.hosts import TESTNET, Hosts

JAN = parse_ts_us("2024-01-01")


def bucket(names: list[str], most: int) -> Any:
    """GET of a bucket in the documented shape: names after the marker, `most` a page."""

    def answer(query: Mapping[str, str]) -> Any:
        prefix, delimiter = query["prefix"], query["delimiter"]
        found = set()
        for name in names:
            if name.startswith(prefix):
                rest = name.removeprefix(prefix)
                cut = delimiter and delimiter in rest
                found.add(prefix + rest.partition(delimiter)[0] + delimiter if cut else name)
        page = [name for name in sorted(found) if name > query["marker"]]
        lines = [
            f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"
            if name.endswith("/")
            else f"<Contents><Key>{name}</Key><Size>9</Size></Contents>"
            for name in page[:most]
        ]
        more = "true" if len(page) > most else "false"
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        text = f"<ListBucketResult {space}><IsTruncated>{more}</IsTruncated>{''.join(lines)}</ListBucketResult>"
        return web.Response(text=f'<?xml version="1.0" encoding="UTF-8"?>{text}', content_type="application/xml")

    return answer


def asked(answer: Any, work: Any) -> Any:
    async def go() -> Any:
        async with serving({"/": answer}) as (address, _):
            return await work(Hosts("", "", "", "", "", address))

    return asyncio.run(go())


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_pages_are_followed_to_their_end(most):
    """Two symbols of seven and three days, with checksums beside them, whatever fits a page."""
    folder = "data/futures/um/daily/klines"
    names = []
    for symbol, days in (("BTCUSDT", 7), ("1000SHIBUSDT", 3)):
        for day in range(1, days + 1):
            file = f"{folder}/{symbol}/1d/{symbol}-1d-2024-01-{day:02}.zip"
            names += [file, f"{file}.CHECKSUM", file.replace("1d", "1h")]
    found = asked(bucket(names, most), lambda hosts: archive_days("binance_usdm", hosts))
    assert {symbol: len(days) for symbol, days in found.items()} == {"1000SHIBUSDT": 3, "BTCUSDT": 7}
    assert found["BTCUSDT"][0] == JAN


def test_the_delisted_are_known_by_their_files(lake):
    """LUNAUSDT ends on 12 January, the archive goes on to the end of the month."""
    folder = "data/futures/um/daily/klines"
    names = [
        f"{folder}/{symbol}/1d/{symbol}-1d-2024-01-{day:02}.zip"
        for symbol, days in (("LUNAUSDT", 12), ("BTCUSDT", 31))
        for day in range(1, days + 1)
    ]
    asked(bucket(names, 100), lambda hosts: refresh_archive(lake, "binance_usdm", hosts))
    found = universe_of(lake, "binance_usdm")
    life = found.life("LUNAUSDT", JAN + 5 * DAY_US)
    assert life is not None
    assert (iso(life.listed_us), iso(life.delisted_us or 0)) == ("2024-01-02 00:00:00", "2024-01-20 00:00:00")
    assert found.at(JAN + 30 * DAY_US) == ["BTCUSDT"]


ENDLESS = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"


@pytest.mark.parametrize("text", ["", "<html>hello</html>", ENDLESS, "<List"])
def test_what_is_no_list(text):
    with pytest.raises(ProtocolError):
        asked(lambda _: web.Response(text=text), lambda hosts: archive_days("binance", hosts))


def test_where_there_is_no_archive():
    with pytest.raises(ConfigError, match="no archive"):
        asyncio.run(archive_days("binance", TESTNET))
    with pytest.raises(ConfigError, match="No archive"):
        asyncio.run(archive_days("kraken", TESTNET))


def test_the_local_exchange_lists_its_archive(lake, exchange):
    """Three days of two symbols, of which those that are over have files."""
    events = asyncio.run(refresh_archive(lake, "binance_usdm", exchange.hosts))
    assert {event.symbol for event in events} == {"BTCUSDT", "SOLUSDT"}
    assert universe_of(lake, "binance_usdm").listed("BTCUSDT", exchange.clock.now_us())
