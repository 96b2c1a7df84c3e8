"""A site that serves archive files as the public one does, with faults on demand."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from truewind.venues.binance.hosts import Hosts, local_hosts


def zipped(name: str, text: str | bytes) -> bytes:
    """A zip of one member."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return target.getvalue()


class Site:
    """Files by path. put: a zip and its checksum. cut: path → bytes after which the connection breaks, once.

    busy: path → statuses answered before the file. asked: the paths of all requests.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.busy: dict[str, list[int]] = {}
        self.asked: list[str] = []

    def put(self, path: str, text: str) -> bytes:
        name = path.rpartition("/")[2]
        data = zipped(name.replace(".zip", ".csv"), text)
        self.put_bytes(path, data)
        return data

    def put_bytes(self, path: str, data: bytes) -> None:
        name = path.rpartition("/")[2]
        self.files[path] = data
        self.files[f"{path}.CHECKSUM"] = f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        self.asked.append(path)
        if statuses := self.busy.get(path):
            return web.Response(status=statuses.pop(0), headers={"Location": "/elsewhere", "Retry-After": "0"})
        data = self.files.get(path)
        if data is None:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        rest = data[start:]
        reply = web.StreamResponse(status=206 if start else 200, headers={"Content-Length": str(len(rest))})
        await reply.prepare(request)
        limit = self.cut.pop(path, None)
        await reply.write(rest[:limit])
        if limit is not None and request.transport is not None:
            request.transport.close()
        return reply

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Hosts]:
        """The site on a free port; its hosts, of which only the archive's answers."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            yield msgspec.structs.replace(local_hosts(1), archive=f"http://127.0.0.1:{port}")
        finally:
            await runner.cleanup()
