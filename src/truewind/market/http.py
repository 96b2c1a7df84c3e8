"""HTTP: a reply's status, headers and whole body, or an UnreachableError.

The one place where aiohttp's errors become ours. Redirects are not followed: an exchange's API makes none, so one is a
proxy, a login page of a hotel, or worse.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from truewind._version import __version__
from truewind.errors import UnreachableError

CONNECTIONS = 32
_CONNECT_S = 10.0
_SILENT_S = 20.0
_TOTAL_S = 120.0
_GZIP = 31  # zlib's number for a gzip frame, its length and checksum compared
_REDIRECTS = range(300, 400)


class Reply(msgspec.Struct, frozen=True):
    """headers: names as any case finds them."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Whatever fetches a URL. Raises UnreachableError where there is no whole reply."""

    async def get(self, url: str, parameters: Mapping[str, str]) -> Reply: ...


class Http:
    """A pool of connections, used as `async with Http() as http:`.

    silent_s: a connection that says nothing for so long is dead, whatever TCP believes; total_s: for a whole reply.
    """

    def __init__(
        self, connections: int = CONNECTIONS, *, silent_s: float = _SILENT_S, total_s: float | None = _TOTAL_S
    ) -> None:
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=total_s, sock_connect=_CONNECT_S, sock_read=silent_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=self._timeout,
            headers={"User-Agent": f"truewind/{__version__}", "Accept-Encoding": "gzip"},
            auto_decompress=False,  # aiohttp takes a gzip stream that ends too early for a whole one
            trust_env=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, url: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Reply:
        """See `send`."""
        return await self.send("GET", url, parameters, headers)

    async def send(
        self, method: str, url: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One reply. Raises UnreachableError: no connection, silence, a cut or damaged body, a redirect."""
        async with self.opened(method, url, parameters, headers) as response:
            body = await response.read()
            status, told = response.status, response.headers
        host = urlsplit(url).netloc
        if status in _REDIRECTS:
            elsewhere = urlsplit(told.get("Location", "")).netloc or "nowhere"
            raise UnreachableError(
                f"{host} sends us on to {elsewhere}, which is not the venue",
                remedy="Look for a proxy or a login page between here and the venue",
                host=host,
                redirected=elsewhere,
            )
        try:
            return Reply(status, told, zlib.decompress(body, _GZIP) if _is_gzip(told) and body else body)
        except zlib.error as error:
            raise _unreachable(host, f"the reply is damaged, {_words(error)}") from None

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        url: str,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A reply whose body is yet to be read, redirects and all. Raises UnreachableError, also in the midst of it."""
        if self._session is None:
            raise RuntimeError("use `async with` around it")
        host = urlsplit(url).netloc
        try:
            async with self._session.request(
                method, url, params=parameters, headers=headers, allow_redirects=False
            ) as response:
                yield response
        except TimeoutError:
            raise _unreachable(host, "it did not answer in time") from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, ValueError) as error:
            # ValueError: aiohttp's words for a broken chunk or compressed body in some versions
            raise _unreachable(host, _words(error)) from None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long we are told to wait, None where we are not: a date, which the standard allows too, no venue sends."""
    told = headers.get("Retry-After", "")
    return float(told) if told.isascii() and told.isdigit() else None


def _is_gzip(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")


def _words(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or error.os_error})"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _unreachable(host: str, why: str) -> UnreachableError:
    return UnreachableError(f"{host}: {why}", remedy="Check the connection, then start again: it goes on", host=host)
