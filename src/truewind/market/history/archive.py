"""History from Binance's public archive: daily and monthly zips, each verified by its checksum file.

Whole months come by one file where there is one, else by days. What is not there, is damaged, or lacks bars in its
midst is left to another source and told in `notices`.
"""

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from itertools import groupby, pairwise
from typing import Any, Self

import msgspec
import numpy as np
import polars as pl

from truewind import log
from truewind.domain.clock import WallClock
from truewind.domain.timeframe import DAY_US
from truewind.errors import FormatError, ProtocolError
from truewind.market.history.archive_files import LAYOUTS, ArchiveFile, days, file_at, months, read_file
from truewind.market.history.file_server import FileServer
from truewind.market.history.provider import Chunk, DataProvider, Offer
from truewind.storage.schema import TS, SeriesKey
from truewind.venues.binance.hosts import Hosts

AHEAD = 4  # files of a series that are fetched before they are asked for
_ENOUGH_US = 5 * DAY_US  # of a month: for less, its days are fetched
_LATE_US = {"daily": 3 * DAY_US, "monthly": 10 * DAY_US}  # a file that is not there by then was left out
_MOST_HOLES = 32
_REST_REACH_US = 30 * DAY_US  # of open interest and ratios: older holes nobody can fill
_CHECKSUM = re.compile(rb"([0-9a-fA-F]{64})\s+\*?(\S+)\s*")
_TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
_PENDING, _BEFORE, _ABSENT = "not published yet", "before its first file", "not in the archive"
_DIFFERS, _DAMAGED, _STRAYS = "checksum differs", "damaged", "rows outside its time"

_OFFERS: dict[str, tuple[Offer, ...]] = {
    "binance": (
        Offer("bars", ("1s", *_TIMEFRAMES), lacks="the last day or two; weeks"),
        Offer("trades", reach="since listing", lacks="the last day or two; aggregate trades, not single ones"),
    ),
    "binance_usdm": (
        Offer("bars", _TIMEFRAMES, lacks="the last day or two; weeks"),
        Offer("mark_bars", _TIMEFRAMES, reach="since 2020", lacks="the last day or two; weeks"),
        Offer("index_bars", _TIMEFRAMES, reach="since 2020", lacks="the last day or two; weeks"),
        Offer("premium_index", _TIMEFRAMES, reach="since 2020", lacks="the last day or two; weeks"),
        Offer("trades", lacks="the last day or two; aggregate trades, not single ones"),
        Offer("funding", reach="since 2020", lacks="the current month; mark prices"),
        Offer("open_interest", reach="since September 2020", lacks="the last day or two; finer than five minutes"),
        Offer("long_short", reach="since September 2020", lacks="the last day or two; finer than five minutes"),
        Offer("quotes", reach="May 2023 to March 2024", lacks="all that came later"),
        Offer("depth_bands", reach="since 2023", lacks="levels: sums within ±0.2 to 5 %, every 30 s"),
    ),
    "binance_coinm": (
        Offer("bars", _TIMEFRAMES, lacks="the last day or two; volumes are in contracts"),
        Offer("mark_bars", _TIMEFRAMES, lacks="the last day or two"),
        Offer("index_bars", _TIMEFRAMES, lacks="the last day or two"),
        Offer("premium_index", _TIMEFRAMES, lacks="the last day or two"),
        Offer("trades", lacks="the last day or two; quantities are in contracts"),
        Offer("funding", lacks="the current month; mark prices"),
        Offer("open_interest", lacks="the last day or two; in contracts"),
        Offer("long_short", lacks="the last day or two"),
        Offer("quotes", reach="2023 to 2024", lacks="all that came later"),
        Offer("depth_bands", reach="since 2023", lacks="levels: sums within some percent"),
        Offer("liquidations", reach="June 2023 to October 2024", lacks="all that came later"),
    ),
}
_REFUSES = {
    "binance": {
        "quotes": "the archive has none of spot: record them",
        "book": "order books are not archived: record them",
    },
    "binance_usdm": {
        "liquidations": "the archive has them of coin-margined contracts only: record them",
        "marks": "the archive has bars of mark prices only: mark_bars",
        "book": "order books are not archived: record them (depth_bands are coarse sums)",
    },
    "binance_coinm": {"book": "order books are not archived: record them"},
}


class Notice(msgspec.Struct, frozen=True):
    """What became of files that were not taken whole: `count` of them in a row, from `first` to `last`."""

    series: str
    what: str
    first: str
    last: str
    count: int
    detail: str = ""


class Taken(msgspec.Struct, frozen=True):
    """A zip whose checksum was right."""

    file: ArchiveFile
    data: bytes
    checksum: str


class ArchiveProvider(DataProvider):
    """The archive as a source of history of one venue. notices: what it could not give, and why."""

    name = "archive"

    def __init__(self, venue: str, hosts: Hosts, *, now_us: Callable[[], int] | None = None, at_once: int = 8) -> None:
        self.venue = venue
        self.offers = _OFFERS[venue]
        self.refuses = _REFUSES[venue]
        self.notices: list[Notice] = []
        self._server = FileServer(hosts.archive, at_once=at_once) if hosts.archive else None
        self._now_us = now_us or WallClock().now_us
        self._slots = asyncio.Semaphore(2)  # files that are read at once, each by all cores

    async def __aenter__(self) -> Self:
        if self._server is not None:
            await self._server.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        if self._server is not None:
            await self._server.__aexit__(*error)

    async def fetch(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        """Chunks of whole files, cut to [start_us, end_us): see `DataProvider.fetch`.

        Bars that lack in the midst of a file are covered by no chunk: the archive may have lost what the venue has.
        """
        seen: list[tuple[ArchiveFile, str, str]] = []
        units = iter(self._units(key, start_us, min(end_us, self._now_us())) if self._server else ())
        ahead: deque[asyncio.Task[list[Taken]]] = deque()
        try:
            while True:
                while len(ahead) < AHEAD and (unit := next(units, None)) is not None:
                    ahead.append(asyncio.create_task(self._take(*unit, seen)))
                if not ahead:
                    break
                for taken in await ahead.popleft():
                    for chunk in await self._read(taken, start_us, end_us, seen):
                        yield chunk
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)
            self._tell(key, seen)

    async def checksum(self, file: ArchiveFile) -> str | None:
        """What the archive's checksum file says of a zip, None if there is none. Raises NetworkErrors."""
        if self._server is None:
            return None
        told = await self._server.get(f"{file.path}.CHECKSUM")
        if told is None:
            return None
        found = _CHECKSUM.fullmatch(told.strip())
        if found is None or found[2].decode("utf-8", "replace") != file.name:
            raise ProtocolError(
                f"{file.path}.CHECKSUM is none: {told[:60]!r}",
                remedy="Something between here and the archive answers in its place: check proxy and DNS",
                path=file.path,
            )
        return found[1].decode().lower()

    async def get(self, file: ArchiveFile) -> Taken | str:
        """A zip whose checksum is right, else why not. Raises NetworkErrors."""
        for _ in range(2):  # a file may be issued anew between its checksum and itself
            checksum = await self.checksum(file)
            data = await self._server.get(file.path) if checksum and self._server else None
            if checksum is None or data is None:
                return _ABSENT
            if hashlib.sha256(data).hexdigest() == checksum:
                return Taken(file, data, checksum)
        return _DIFFERS

    async def reissued(self, key: SeriesKey, checksums: Mapping[str, str]) -> list[tuple[int, int]]:
        """The spans of the series' files whose checksum files say something else by now. Raises NetworkErrors."""
        files = [file for path in checksums if (file := file_at(key, path)) is not None]
        told = await asyncio.gather(*map(self.checksum, files))
        return sorted(
            (file.start_us, file.end_us)
            for file, now in zip(files, told, strict=True)
            if now is not None and now != checksums[file.path]
        )

    def told(self, key: SeriesKey) -> list[str]:
        """Files that should be there and are not, or were not taken as they are."""
        return [
            f"{one.what}: {one.first}"
            + (f" to {one.last} ({one.count} files)" if one.count > 1 else "")
            + (f": {one.detail}" if one.detail else "")
            for one in self.notices
            if one.series == str(key) and one.what not in (_PENDING, _BEFORE)
        ]

    def _units(
        self, key: SeriesKey, start_us: int, end_us: int
    ) -> Iterator[tuple[ArchiveFile | None, list[ArchiveFile]]]:
        """What is fetched together: a month's file with its days as the second choice, or one day's."""
        periods, now = LAYOUTS[key.kind].periods, self._now_us()
        if "monthly" not in periods:
            yield from ((None, [file]) for file in days(key, start_us, end_us) if file.end_us <= now)
            return
        for month in months(key, start_us, end_us):
            low, high = max(start_us, month.start_us), min(end_us, month.end_us)
            whole = month.end_us <= now and (high - low >= _ENOUGH_US or "daily" not in periods)
            inside = days(key, low, high) if "daily" in periods else []
            yield month if whole else None, [file for file in inside if file.end_us <= now]

    async def _take(
        self, month: ArchiveFile | None, inside: list[ArchiveFile], seen: list[tuple[ArchiveFile, str, str]]
    ) -> list[Taken]:
        if month is not None:
            taken = await self.get(month)
            if isinstance(taken, Taken):
                return [taken]
            if taken == _DIFFERS or not inside:
                seen.append((month, taken, ""))
        found = []
        for file, taken in zip(inside, await asyncio.gather(*map(self.get, inside)), strict=True):
            if isinstance(taken, Taken):
                found.append(taken)
            else:
                seen.append((file, taken, ""))
        return found

    async def _read(
        self, taken: Taken, start_us: int, end_us: int, seen: list[tuple[ArchiveFile, str, str]]
    ) -> list[Chunk]:
        file = taken.file
        try:
            async with self._slots:
                rows = await asyncio.to_thread(partial(read_file, file, taken.data))
        except FormatError as error:
            seen.append((file, _DAMAGED, error.message))
            return []
        inside = pl.col("ts").is_between(pl.lit(file.start_us, TS), pl.lit(file.end_us, TS), closed="left")
        own = rows.filter(inside | pl.col("ts").is_null())
        if own.height < rows.height:
            seen.append((file, _STRAYS, f"{rows.height - own.height} rows were left out"))
        else:
            seen.append((file, "", ""))
        source = f"archive {file.path}"
        step = file.key.step_us or (file.layout.late_us if self._now_us() - file.end_us < _REST_REACH_US else 0)
        return [
            Chunk(start, end, part, source, {file.path: taken.checksum})
            for start, end, part in _runs(own, max(start_us, file.start_us), min(end_us, file.end_us), step)
        ]

    def _tell(self, key: SeriesKey, seen: list[tuple[ArchiveFile, str, str]]) -> None:
        """Put what happened to files into `notices` and the log, neighbours of one fate together."""
        seen = sorted(seen, key=lambda one: one[0].start_us)
        begin = next((file.start_us for file, fate, _ in seen if fate in ("", _STRAYS)), None)
        now = self._now_us()

        def fate(one: tuple[ArchiveFile, str, str]) -> tuple[str, str]:
            file, what, detail = one
            if what == _ABSENT and now - file.end_us < _LATE_US[file.period]:
                return _PENDING, detail
            return (_BEFORE if what == _ABSENT and begin is not None and file.end_us <= begin else what), detail

        for (what, detail), group in groupby(seen, key=fate):
            files = [file for file, _, _ in group]
            if what:
                notice = Notice(str(key), what, files[0].name, files[-1].name, len(files), detail)
                self.notices.append(notice)
                log.get("data").info("archive", **msgspec.to_builtins(notice))


def archive(venue: str, hosts: Hosts) -> ArchiveProvider:
    """The archive of one of Binance's markets."""
    return ArchiveProvider(venue, hosts)


def _runs(rows: pl.DataFrame, start_us: int, end_us: int, step: int) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Rows of [start_us, end_us) with the time that they cover; where they have a step, stretches without a hole."""
    inside = pl.col("ts").is_between(pl.lit(start_us, TS), pl.lit(end_us, TS), closed="left")
    rows = rows.filter(inside | pl.col("ts").is_null())
    if rows.is_empty():
        return
    times = rows["ts"].to_physical()
    if not step or times.null_count() or not times.is_sorted():
        yield start_us, end_us, rows
        return
    at = times.to_numpy()
    holes = np.flatnonzero(np.diff(at) > step) + 1
    if len(holes) > _MOST_HOLES:
        holes = holes[:0]  # not a loss here and there, but what the source is like
    edges = [0, *holes.tolist(), len(at)]
    for first, last in pairwise(edges):
        begin = start_us if first == 0 and at[0] - start_us < step else int(at[first])
        end = end_us if last == len(at) and end_us - at[-1] <= step else int(at[last - 1]) + step
        yield begin, end, rows[first:last]
