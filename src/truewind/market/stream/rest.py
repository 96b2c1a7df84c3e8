"""REST beside streams: a few requests over one session, some with a key. What streams miss goes by `history.queue`."""

import asyncio
from types import TracebackType
from typing import Any

import aiohttp
import msgspec

from truewind.errors import LimitedError, NetworkError, RejectedError, UnreachableError
from truewind.venues.binance.messages import Problem

_SHOWN = 200


class Rest:
    """Requests to `base`. Used as `async with`; `get` and `call` raise NetworkErrors."""

    def __init__(self, base: str, *, timeout_s: float = 10.0) -> None:
        self.base, self._timeout = base, aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._free_at = 0.0  # after a limit was hit nothing is asked before this, by the loop's clock

    async def __aenter__(self) -> "Rest":
        self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, parameters: dict[str, str]) -> bytes:
        return await self.call("GET", path, parameters)

    async def call(
        self, method: str, path: str, parameters: dict[str, str], headers: dict[str, str] | None = None
    ) -> bytes:
        """The body of a reply with status 200. Headers may hold a key, so errors tell none of them."""
        loop = asyncio.get_running_loop()
        if self._free_at > loop.time():
            await asyncio.sleep(self._free_at - loop.time())
        if self._session is None:
            raise UnreachableError(f"The session with {self.base} is closed", remedy="Open it again")
        try:
            async with self._session.request(
                method, self.base + path, params=parameters, headers=headers, allow_redirects=False
            ) as reply:
                body = await reply.read()
                if reply.status == 200:
                    return body
                error = _error(self.base + path, reply.status, body, reply.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError, OSError) as trouble:
            raise UnreachableError(
                f"No reply from {self.base}{path}: {trouble or type(trouble).__name__}", remedy="It is tried again"
            ) from None
        if isinstance(error, LimitedError):
            self._free_at = loop.time() + error.facts["retry_after_s"]
        raise error


def _error(url: str, status: int, body: bytes, after: str | None) -> NetworkError:
    words = body[:_SHOWN].decode("utf-8", "replace").strip()
    facts: dict[str, Any] = {"url": url, "status": status}
    if status in (429, 418):
        seconds = float(after) if after and after.isdigit() else 60.0
        return LimitedError(
            f"{url} answered {status}: the venue's limit is reached",
            remedy=f"Nothing is asked for {seconds:g} s",
            retry_after_s=seconds,
            **facts,
        )
    try:
        problem = msgspec.json.decode(body, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = Problem()
    if problem.code:
        return RejectedError(
            f"{url} answered {problem.code}: {problem.msg}",
            remedy="See what the venue says",
            code=problem.code,
            **facts,
        )
    return UnreachableError(f"{url} answered {status}: {words}", remedy="A proxy or the venue is in trouble", **facts)
