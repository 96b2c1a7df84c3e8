"""REST beside streams: a few requests over one session, some with a key. What streams miss goes by `history.queue`."""

import asyncio
from typing import Any, Self

from truewind.errors import LimitedError, NetworkError, RejectedError, UnreachableError
from truewind.market.http import Http, Reply, retry_after_s
from truewind.venues.binance import payloads

_SHOWN = 200
_BANNED_S = 60.0  # where a limit was hit and nothing is said of how long


class Rest:
    """Requests to `base`. Used as `async with`; `get` and `call` raise NetworkErrors."""

    def __init__(self, base: str, *, timeout_s: float = 10.0) -> None:
        self.base, self._http = base, Http(total_s=timeout_s)
        self._free_at = 0.0  # after a limit was hit nothing is asked before this, by the loop's clock

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.__aexit__(*error)

    async def get(self, path: str, parameters: dict[str, str]) -> bytes:
        return await self.call("GET", path, parameters)

    async def call(
        self, method: str, path: str, parameters: dict[str, str], headers: dict[str, str] | None = None
    ) -> bytes:
        """The body of a reply with status 200. Headers may hold a key, so errors tell none of them."""
        loop = asyncio.get_running_loop()
        if self._free_at > loop.time():
            await asyncio.sleep(self._free_at - loop.time())
        reply = await self._http.send(method, self.base + path, parameters, headers)
        if reply.status == 200:
            return reply.body
        error = _error(self.base + path, reply)
        if isinstance(error, LimitedError):
            self._free_at = loop.time() + error.facts["retry_after_s"]
        raise error


def _error(url: str, reply: Reply) -> NetworkError:
    facts: dict[str, Any] = {"url": url, "status": reply.status}
    if reply.status in (429, 418):
        seconds = retry_after_s(reply.headers)
        seconds = _BANNED_S if seconds is None else seconds
        return LimitedError(
            f"{url} answered {reply.status}: the venue's limit is reached",
            remedy=f"Nothing is asked for {seconds:g} s",
            retry_after_s=seconds,
            **facts,
        )
    told = payloads.failure(reply.body)
    if told is not None and told.code:
        return RejectedError(
            f"{url} answered {told.code}: {told.msg}", remedy="See what the venue says", code=told.code, **facts
        )
    words = reply.body[:_SHOWN].decode("utf-8", "replace").strip()
    return UnreachableError(
        f"{url} answered {reply.status}: {words}", remedy="A proxy or the venue is in trouble", **facts
    )
