"""A server of files that never change: whole files over HTTP, taken up where a connection broke."""

import asyncio
import random
from collections.abc import Mapping
from typing import Self

from truewind.errors import LimitedError, ProtocolError, RejectedError, UnreachableError
from truewind.market.http import Http, retry_after_s

ATTEMPTS = 6
_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_SILENT_S = 30.0
_PIECE = 1 << 18
_LARGEST = 1 << 32


class FileServer:
    """Files below one address, `at_once` of them at a time. Use it as `async with`.

    first_wait_s: how long to wait after the first failure; then twice as long each time, with jitter.
    """

    def __init__(self, address: str, *, at_once: int = 8, first_wait_s: float = _WAIT_S) -> None:
        self.address = address.rstrip("/")
        self._first_wait_s = first_wait_s
        self._http = Http(at_once, silent_s=_SILENT_S, total_s=None)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.__aexit__(*error)

    async def get(self, path: str) -> bytes | None:
        """A file's bytes, None where the server has no such file.

        Raises UnreachableError or LimitedError when the attempts are used up, RejectedError for another refusal,
        ProtocolError for a redirection or a file beyond 4 GiB.
        """
        got = bytearray()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return bytes(got) if await self._add(path, got) else None
            except UnreachableError as error:
                failure: UnreachableError | LimitedError = UnreachableError(
                    f"{self.address}/{path} did not come whole in {attempt} attempts: {error.message}",
                    remedy="Check the network and try again: what was taken before stays",
                    path=path,
                )
                wait = 0.0
            except LimitedError as error:
                failure, wait = error, float(error.facts["retry_after_s"])
            if attempt == ATTEMPTS:
                raise failure from None
            backoff = self._first_wait_s * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0)
            await asyncio.sleep(min(max(wait, backoff), _LONGEST_WAIT_S))
        raise AssertionError("unreachable")

    async def _add(self, path: str, got: bytearray) -> bool:
        """Put the rest of a file behind `got`; False if there is no such file."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={len(got)}-"} if got else {})
        async with self._http.opened("GET", f"{self.address}/{path}", headers=headers) as reply:
            self._judge(path, reply.status, reply.headers)
            if reply.status == 404:
                return False
            if reply.status == 200:
                got.clear()  # from the beginning, whatever was asked for
            async for piece in reply.content.iter_chunked(_PIECE):
                got += piece
                if len(got) > _LARGEST:
                    raise ProtocolError(f"{self.address}/{path} does not end", remedy="Ask the other source", path=path)
        return True

    def _judge(self, path: str, status: int, headers: Mapping[str, str]) -> None:
        if status in (200, 206, 404):
            return
        where = f"{self.address}/{path}"
        if 300 <= status < 400:
            raise ProtocolError(
                f"{where} was redirected to {headers.get('Location', 'nowhere')}",
                remedy="Something between here and the archive answers in its place: check proxy and DNS",
                path=path,
            )
        if status in (418, 429) or status >= 500:
            raise LimitedError(
                f"{where} answered {status}",
                remedy="Try again later",
                path=path,
                retry_after_s=retry_after_s(headers) or 0.0,
            )
        raise RejectedError(f"{where} answered {status}", remedy="Check the address", path=path)
