"""The list of files of Binance's archive: who had daily bars on which days, the delisted among them.

The archive is a bucket of Amazon's S3; its list of objects (API version 1) comes in pages of 1,000 names, each after
the last name of the page before. Source: docs.aws.amazon.com, "ListObjects"; the archive's own page lists its files so.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from urllib.parse import quote
from xml.etree import ElementTree

from truewind.domain.clock import parse_ts_us
from truewind.errors import ConfigError, ProtocolError, suggest
from truewind.market.history.file_server import FileServer
from truewind.venues.binance.hosts import MAINNET, Hosts
from truewind.venues.binance.instruments import COINM, SPOT, USDM

Progress = Callable[[int, int], None]
BUCKET = "https://s3-ap-northeast-1.amazonaws.com/data.binance.vision"
_FOLDERS = {SPOT: "data/spot", USDM: "data/futures/um", COINM: "data/futures/cm"}
_DAY = re.compile(r"-1d-(\d{4}-\d{2}-\d{2})\.zip")


def no_progress(done: int, total: int) -> None:
    """Tells nobody."""


async def archive_days(
    venue: str, hosts: Hosts, progress: Progress = no_progress, *, at_once: int = 8
) -> dict[str, list[int]]:
    """By symbol the days (first moments, µs) of which the archive has daily bars, in order.

    Raises ConfigError for a venue or network without an archive, NetworkError.
    """
    if venue not in _FOLDERS:
        raise ConfigError(f"No archive lists files of '{venue}'", remedy=suggest(venue, _FOLDERS))
    address = BUCKET if hosts is MAINNET else hosts.archive
    if not address:
        raise ConfigError("This network has no archive", remedy="Use --network mainnet")
    folder = f"{_FOLDERS[venue]}/daily/klines/"
    async with FileServer(address, at_once=at_once) as server:
        folders = await _names(server, folder, "/")
        symbols = sorted(name.removeprefix(folder).removesuffix("/") for name in folders if name.endswith("/"))
        done, slots = 0, asyncio.Semaphore(at_once)

        async def days_of(symbol: str) -> list[int]:
            nonlocal done
            async with slots:
                names = await _names(server, f"{folder}{symbol}/1d/", "")
            done += 1
            progress(done, len(symbols))
            return sorted(parse_ts_us(day[1]) for name in names if (day := _DAY.search(name)) and name.endswith(".zip"))

        found = await asyncio.gather(*map(days_of, symbols))
    return {symbol: days for symbol, days in zip(symbols, found, strict=True) if days}


async def _names(server: FileServer, prefix: str, delimiter: str) -> Sequence[str]:
    """All names below a prefix, those that have the delimiter after it as the folder that it ends."""
    names: list[str] = []
    while True:
        marker = names[-1] if names else ""
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in
                         (("delimiter", delimiter), ("prefix", prefix), ("marker", marker)))  # fmt: skip
        page, more = _page(await server.get(f"?{query}") or b"", server.address)
        names += sorted(page)
        if not more:
            return names
        if not page:
            raise ProtocolError(f"{server.address}: a list that goes on has no names", remedy="Try again later")


def _page(data: bytes, address: str) -> tuple[list[str], bool]:
    """The names of one page, and whether there are more. Raises ProtocolError."""
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ProtocolError(f"{address}: its list of files cannot be read: {error}", remedy="Try again later") from None
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    if root.tag != f"{space}ListBucketResult":
        raise ProtocolError(f"{address} gave no list of files", remedy="Try again later")
    names = [found.text or "" for found in root.iterfind(f"{space}Contents/{space}Key")]
    names += [found.text or "" for found in root.iterfind(f"{space}CommonPrefixes/{space}Prefix")]
    return names, root.findtext(f"{space}IsTruncated", "false").strip() == "true"
