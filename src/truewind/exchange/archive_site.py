"""The archive's site: zips by day and month with their checksums, and the bucket's listing.

Files are made when they are asked for, and are the same each time. A day's file is there when the day is over, a
month's when the month is; before the first row and after the last there are none.
"""

import hashlib
import io
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web

from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import DAY_US
from truewind.exchange.archive_tables import TABLES, Table, intervals_of, written
from truewind.exchange.faults import Faults, RequestFault, draw
from truewind.exchange.tape import Tape
from truewind.venues.binance.endpoints import SPOT, USDM

if TYPE_CHECKING:
    from truewind.exchange.server import LocalExchange

_FOLDERS = {SPOT: "spot", USDM: "futures/um"}
_KEPT_BYTES = 256 << 20
_MOST_KEYS = 1000
_CHECKSUM = ".CHECKSUM"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Folder(msgspec.Struct, frozen=True):
    """Where the files of one series lie."""

    path: str
    market: str
    symbol: str
    table: Table
    period: str
    interval: str

    def name(self, start_us: int) -> str:
        day = (_EPOCH + timedelta(microseconds=start_us)).date().isoformat()
        what = self.interval or self.table.folder
        return f"{self.symbol}-{what}-{day if self.period == 'daily' else day[:7]}.zip"


class ArchiveSite:
    """`reissue` changes a file: until then it lacks its first row, from then on it is whole."""

    def __init__(self, exchange: "LocalExchange", faults: Faults) -> None:
        self._exchange = exchange
        self._faults = faults
        self._folders: dict[str, Folder] | None = None
        self._files: OrderedDict[tuple[str, bool], bytes | None] = OrderedDict()
        self._bytes = 0
        self._partial: set[str] = set()
        self.requests = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._listing)
        app.router.add_get("/{path:data/.*}", self._file)
        return app

    def cut(self, path: str) -> None:
        """Give a file out without its first row, until it is re-issued."""
        self._partial.add(path)

    def reissue(self, path: str) -> None:
        """Give a file out whole again: its content and checksum change."""
        self._partial.discard(path)

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def file(self, path: str) -> bytes | None:
        """The bytes of a zip; None if there is none now."""
        folder = self._tree().get(path.rpartition("/")[0])
        span = _span_of(folder, path.rpartition("/")[2]) if folder else None
        if folder is None or span is None or span[1] > self._exchange.clock.now_us():
            return None
        key = (path, self._is_cut(path))
        if key not in self._files:
            self._files[key] = self._made(folder, path.rpartition("/")[2], span, key[1])
            self._bytes += len(self._files[key] or b"")
            while self._bytes > _KEPT_BYTES and len(self._files) > 1:
                self._bytes -= len(self._files.popitem(last=False)[1] or b"")
        return self._files[key]

    def _is_cut(self, path: str) -> bool:
        config = self._faults.config
        if path in self._partial:
            return True
        early = self._exchange.since_s() < config.reissue_after_s
        return early and draw(config.seed, "reissue", path) < config.reissue

    def _made(self, folder: Folder, name: str, span: tuple[int, int], cut: bool) -> bytes | None:
        tape = self._tape(folder)
        data, rows = written(folder.table, tape, folder.interval, *span)
        if not rows:
            return None
        if cut and rows > 1:
            lines = data.splitlines(keepends=True)
            del lines[0 if tape.spot else 1]
            data = b"".join(lines)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            member = zipfile.ZipInfo(f"{name.removesuffix('.zip')}.csv", (2020, 1, 1, 0, 0, 0))
            archive.writestr(member, data, zipfile.ZIP_DEFLATED, 6)
        return buffer.getvalue()

    def _tape(self, folder: Folder) -> Tape:
        return self._exchange.markets[folder.market].tape(folder.symbol)

    def _tree(self) -> dict[str, Folder]:
        """All folders with files, by path."""
        if self._folders is None:
            self._folders = {folder.path: folder for folder in self._all_folders()}
        return self._folders

    def _all_folders(self) -> Iterator[Folder]:
        for market, below in _FOLDERS.items():
            for symbol, tape in self._exchange.markets[market].tapes.items():
                for table in TABLES[below]:
                    for period in table.periods:
                        base = f"data/{below}/{period}/{table.folder}/{symbol}"
                        for interval in intervals_of(tape) if table.intervals else [""]:
                            path = f"{base}/{interval}" if interval else base
                            yield Folder(path, market, symbol, table, period, interval)

    # ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        fault, number = self._faults.of_request(request.path)
        refused = self._refused(request, fault, number)
        if refused is not None:
            return refused
        data = self.file(path.removesuffix(_CHECKSUM))
        if data is None:
            return web.Response(
                status=404, text="<Error><Code>NoSuchKey</Code></Error>", content_type="application/xml"
            )
        if path.endswith(_CHECKSUM):
            name = path.rpartition("/")[2].removesuffix(_CHECKSUM)
            data = f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode()
        tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "application/zip"}
        if fault in (RequestFault.GARBLED, RequestFault.DROP):
            return await _broken_off(request, data, self._faults.garble(data, number))
        begin = _range(request.headers.get("Range", ""), len(data))
        if begin is None:
            return web.Response(body=data, headers=headers)
        if begin >= len(data):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        return web.Response(body=data[begin:], status=206, headers=headers)

    def _refused(self, request: web.Request, fault: RequestFault, number: int) -> web.Response | None:
        self.requests += 1
        status = self._faults.outage(request.path, self._exchange.since_s())
        if status == 0 and request.transport is not None:
            request.transport.abort()
        if status is not None:
            return web.Response(status=status or 503)
        broken = self._faults.broken(fault, number)
        if broken is None:
            return None
        return web.Response(
            body=broken.body, status=broken.status, headers=broken.headers, content_type=broken.content_type
        )

    async def _listing(self, request: web.Request) -> web.Response:
        fault, number = self._faults.of_request(request.path)
        refused = self._refused(request, fault, number)
        if refused is not None:
            return refused
        query = request.query
        keys, folders, more = self._list(query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", ""))
        return web.Response(body=_xml(query.get("prefix", ""), keys, folders, more), content_type="application/xml")

    def _list(self, prefix: str, delimiter: str, marker: str) -> tuple[list[tuple[str, bytes]], list[str], bool]:
        """Files and folders below a prefix, in order of name, after `marker`."""
        names: set[str] = set()
        for path, folder in self._tree().items():
            inside = f"{path}/"
            if delimiter and inside.startswith(prefix) and delimiter in inside[len(prefix) :]:
                names.add(prefix + inside[len(prefix) :].partition(delimiter)[0] + delimiter)
            elif inside.startswith(prefix) or prefix.startswith(inside):
                names.update(key for key in self._keys(folder) if key.startswith(prefix))
        ordered = sorted(name for name in names if name > marker)
        files = [
            (name, data) for name in ordered[:_MOST_KEYS] if not name.endswith("/") and (data := self._bytes_of(name))
        ]
        return files, [name for name in ordered[:_MOST_KEYS] if name.endswith("/")], len(ordered) > _MOST_KEYS

    def _bytes_of(self, path: str) -> bytes | None:
        data = self.file(path.removesuffix(_CHECKSUM))
        if data is None or not path.endswith(_CHECKSUM):
            return data
        return f"{hashlib.sha256(data).hexdigest()}  {path.rpartition('/')[2].removesuffix(_CHECKSUM)}\n".encode()

    def _keys(self, folder: Folder) -> Iterator[str]:
        """Names of files that can be there by now."""
        begin, end = self._tape(folder).span
        end = min(end, self._exchange.clock.now_us())
        day = begin // DAY_US * DAY_US
        while day < end:
            name = folder.name(day)
            span = _span_of(folder, name)
            assert span is not None
            if span[1] <= self._exchange.clock.now_us():
                yield f"{folder.path}/{name}"
                yield f"{folder.path}/{name}{_CHECKSUM}"
            day = span[1]


def _span_of(folder: Folder, name: str) -> tuple[int, int] | None:
    """The times of a file, from its name; None if it is no name of this folder."""
    what = folder.interval or folder.table.folder
    text = name.removeprefix(f"{folder.symbol}-{what}-").removesuffix(".zip")
    try:
        begin = datetime.strptime(text, "%Y-%m-%d" if folder.period == "daily" else "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        return None
    end = begin + timedelta(days=1) if folder.period == "daily" else (begin + timedelta(days=32)).replace(day=1)
    start_us = parse_ts_us(begin)
    return (start_us, parse_ts_us(end)) if folder.name(start_us) == name else None


def _range(header: str, size: int) -> int | None:
    """The first byte that is asked for; None for the whole. `bytes=100-` is all that clients here use."""
    begin, dash, end = header.removeprefix("bytes=").partition("-")
    if not (header.startswith("bytes=") and dash and begin.isdigit()) or (end and int(end) < size - 1):
        return None
    return int(begin)


async def _broken_off(request: web.Request, data: bytes, part: bytes) -> web.StreamResponse:
    """Announce `data`, send `part` of it, and close the connection."""
    response = web.StreamResponse(headers={"Content-Length": str(len(data)), "Content-Type": "application/zip"})
    await response.prepare(request)
    await response.write(part)
    if request.transport is not None:
        request.transport.close()
    return response


def _xml(prefix: str, files: list[tuple[str, bytes]], folders: list[str], more: bool) -> bytes:
    """S3's ListBucketResult."""
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        f"<Name>data.binance.vision</Name><Prefix>{escape(prefix)}</Prefix><Marker></Marker>",
        f"<MaxKeys>{_MOST_KEYS}</MaxKeys><Delimiter>/</Delimiter><IsTruncated>{str(more).lower()}</IsTruncated>",
    ]
    if more:
        last = max([name for name, _ in files] + folders)
        parts.append(f"<NextMarker>{escape(last)}</NextMarker>")
    for name, data in files:
        tag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        parts.append(
            f"<Contents><Key>{escape(name)}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{tag}&quot;</ETag><Size>{len(data)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    parts += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders]
    return "".join([*parts, "</ListBucketResult>"]).encode()
