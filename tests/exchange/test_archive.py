"""The archive's site: files that our own reader takes, equal to what REST gives, with checksums and a listing."""

import hashlib
import io
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import polars as pl
import pytest

from truewind.exchange import LocalExchange
from truewind.market.history.archive_files import ArchiveFile, days, read_file
from truewind.storage.schema import SeriesKey

DAY_US = 86_400_000_000
START_US = 1_704_067_200_000_000  # 2024-01-01


@pytest.fixture(scope="module")
def site(start_exchange: Callable[..., AbstractContextManager[LocalExchange]]) -> Iterator[LocalExchange]:
    with start_exchange(limits=False, speed=0.0) as exchange:
        yield exchange


def fetch(exchange: LocalExchange, path: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(f"{exchange.hosts.archive}/{path}", headers=headers)) as reply:
        data: bytes = reply.read()
    return data


def file_of(kind: str, venue: str, timeframe: str = "") -> ArchiveFile:
    return days(SeriesKey(kind, venue, "BTCUSDT", timeframe), START_US, START_US + DAY_US)[-1]


@pytest.mark.parametrize("venue", ["binance", "binance_usdm"])
def test_bars_and_trades_are_those_of_rest(site: LocalExchange, venue: str) -> None:
    """A day's file, checked against its checksum and read by our own reader, holds the day."""
    market = site.markets["spot" if venue == "binance" else "usdm"]
    tape = market.tapes["BTCUSDT"]
    for file in (file_of("bars", venue, "1m"), file_of("trades", venue)):
        data = fetch(site, file.path)
        told = fetch(site, f"{file.path}.CHECKSUM").decode()
        assert told == f"{hashlib.sha256(data).hexdigest()}  {file.name}\n"
        rows = read_file(file, data).with_columns(pl.col("ts").to_physical())
        if file.key.kind == "bars":
            wanted = tape.bars.filter(pl.col("ts") < START_US + DAY_US)
            for name in ("ts", "open", "high", "low", "close", "volume", "trades", "taker_buy_volume"):
                assert rows[name].to_list() == pytest.approx(wanted[name].to_list(), rel=1e-12)
        else:
            trades = tape.trades(START_US, START_US + DAY_US)
            assert rows["id"].to_list() == trades["id"].tolist()
            assert rows["ts"].to_list() == (trades["ts"] // 1000 * 1000).tolist()
            assert rows["side"].to_list() == trades["side"].tolist()


@pytest.mark.parametrize(
    ("kind", "timeframe", "rows"),
    [
        ("mark_bars", "1m", 1440),
        ("index_bars", "1h", 24),
        ("premium_index", "1h", 24),
        ("open_interest", "", 288),
        ("long_short", "", 288),
        ("depth_bands", "", 28_800),
    ],
)
def test_kinds_of_futures(site: LocalExchange, kind: str, timeframe: str, rows: int) -> None:
    """Every kind that the real site has of USD-M by day can be read."""
    file = file_of(kind, "binance_usdm", timeframe)
    table = read_file(file, fetch(site, file.path))
    assert table.height == rows
    assert table.null_count().sum_horizontal()[0] == 0


def test_headers_and_units(start_exchange: Callable[..., AbstractContextManager[LocalExchange]]) -> None:
    """Spot: no header, microseconds since 2025. Futures: a header, milliseconds."""
    market = {"symbols": ("BTCUSDT",), "start": "2024-12-31", "days": 3}
    with start_exchange(synthetic=market, start="2025-01-02") as exchange:
        for day, digits in (("2024-12-31", 13), ("2025-01-01", 16)):
            spot = _text(fetch(exchange, f"data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-{day}.zip"))
            assert re.match(rf"\d{{{digits}}},", spot)
            usdm = _text(fetch(exchange, f"data/futures/um/daily/klines/BTCUSDT/1h/BTCUSDT-1h-{day}.zip"))
            assert usdm.startswith("open_time,open,high,low,close,volume,close_time,quote_volume,count,")
            assert re.match(r"\d{13},", usdm.splitlines()[1])


def _text(data: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(archive.namelist()[0]).decode()


def test_what_is_not_over_is_not_there(site: LocalExchange) -> None:
    """Not today's file, not the month's, not a stranger's."""
    for name in ("daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-03", "monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01"):
        assert _status(site, f"data/spot/{name}.zip") == 404
    assert _status(site, "data/spot/daily/klines/NOSUCH/1m/NOSUCH-1m-2024-01-01.zip") == 404


def _status(exchange: LocalExchange, path: str) -> int:
    try:
        fetch(exchange, path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    return 200


def test_a_file_can_be_reissued_and_taken_up(site: LocalExchange) -> None:
    """Cut, then whole: content and checksum change. A range brings the rest of a file."""
    path = "data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01-02.zip"
    whole = fetch(site, path)
    site.archive.cut(path)
    assert len(_text(fetch(site, path)).splitlines()) == len(_text(whole).splitlines()) - 1
    site.archive.reissue(path)
    assert fetch(site, path) == whole
    assert fetch(site, path, Range="bytes=100-") == whole[100:]


def test_listing_of_the_bucket(site: LocalExchange) -> None:
    """Folders by delimiter, files with their sizes."""
    top = fetch(site, "?prefix=data/&delimiter=/").decode()
    assert re.findall(r"<CommonPrefixes><Prefix>(.*?)</Prefix>", top) == ["data/futures/", "data/spot/"]
    inside = "data/spot/daily/klines/BTCUSDT/1h/"
    listed: dict[str, Any] = dict(
        re.findall(r"<Key>(.*?)</Key>.*?<Size>(\d+)</Size>", fetch(site, f"?prefix={inside}&delimiter=/").decode())
    )
    names = [f"{inside}BTCUSDT-1h-2024-01-0{day}.zip{end}" for day in (1, 2) for end in ("", ".CHECKSUM")]
    assert list(listed) == names
    assert int(listed[names[0]]) == len(fetch(site, names[0]))
