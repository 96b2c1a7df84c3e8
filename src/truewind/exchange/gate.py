"""One request on its way: outage, limits, endpoint, authority, handler, and back, with what may go wrong in between."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from truewind.exchange.faults import Broken, Faults, RequestFault
from truewind.exchange.limits import RequestLimits
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError, Reply, refusal, reply
from truewind.venues.binance.endpoints import Endpoint, endpoint

if TYPE_CHECKING:
    from truewind.exchange.server import LocalExchange


class Call(msgspec.Struct):
    """A request as handlers see it.

    query, body: as they came, since signatures are made over them. parameters: of both. now_us: the market's time.
    told_us: the time that clients are told. key: X-MBX-APIKEY, "" without one. account: whatever `authorise` found.
    replies: headers that a handler adds to its answer.
    """

    market: str
    endpoint: Endpoint
    parameters: Parameters
    query: bytes
    body: bytes
    headers: Any
    address: str
    now_us: int
    told_us: int
    key: str = ""
    account: Any = None
    replies: dict[str, str] = {}


Handler = Callable[[Call], Any]
Authorise = Callable[[Call], Any]


class Gate:
    """All REST requests of one market."""

    def __init__(self, exchange: "LocalExchange", market: str, faults: Faults, *, limits: RequestLimits) -> None:
        self.exchange = exchange
        self.market = market
        self.faults = faults
        self.limits = limits
        self.handlers: dict[tuple[str, str], Handler] = {}
        self.requests = 0
        self.errors = 0

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Answer an endpoint of the table by `handler`. Raises KeyError for one that Binance does not have."""
        if endpoint(self.market, method, path) is None:
            raise KeyError(f"{self.market} has no {method} {path}")
        self.handlers[method, path] = handler

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        status = self.faults.outage(request.path, self.exchange.since_s())
        if status is not None:
            return _hang_up(request) if status == 0 else web.Response(status=status, text="Service Unavailable")
        fault, number = self.faults.of_request(request.path)
        broken = self.faults.broken(fault, number)
        if broken is not None:
            return _response(broken)
        if fault is RequestFault.DROP and self.faults.drops_before(number):
            return _hang_up(request)
        if fault is RequestFault.SLOW:
            await asyncio.sleep(self.faults.config.slow_ms / 1000)
        answer = self.answer(
            request.method,
            request.path,
            request.rel_url.raw_query_string.encode(),
            await request.read(),
            request.headers,
            request.remote or "",
        )
        if fault is RequestFault.DROP:
            return _hang_up(request)
        body = self.faults.garble(answer.body, number) if fault is RequestFault.GARBLED else answer.body
        return web.Response(body=body, status=answer.status, headers=answer.headers, content_type="application/json")

    def answer(self, method: str, path: str, query: bytes, body: bytes, headers: Any, address: str) -> Reply:
        """The reply to a request, whoever carried it here."""
        added: dict[str, str] = {}
        try:
            line, handler = self._find(method, path)
            call = self._call(line, query, body, headers, address)
            weight = line.weight(call.parameters.values)
            added = self.limits.take(address, line, weight, self.exchange.clock.wall_us())
            if line.security.needs_key:
                call.account = self.exchange.authorise(call)
            answer = reply(handler(call))
            added |= call.replies
        except RefusedError as refused:
            self.errors += 1
            answer = refusal(refused)
        return msgspec.structs.replace(answer, headers={**added, **answer.headers})

    def _find(self, method: str, path: str) -> tuple[Endpoint, Handler]:
        line, handler = endpoint(self.market, method, path), self.handlers.get((method, path))
        if line is None or handler is None:
            raise RefusedError(-5000, f"Path {path}, Method {method} is invalid", 404)
        return line, handler

    def _call(self, line: Endpoint, query: bytes, body: bytes, headers: Any, address: str) -> Call:
        clock = self.exchange.clock
        self.exchange.advance()
        return Call(
            market=self.market,
            endpoint=line,
            parameters=Parameters.of(query, body),
            query=query,
            body=body,
            headers=headers,
            address=address,
            now_us=self.exchange.markets[self.market].now_us,
            told_us=clock.told_us(),
            key=headers.get("X-MBX-APIKEY", ""),
        )


def _response(broken: Broken) -> web.Response:
    return web.Response(
        body=broken.body, status=broken.status, headers=broken.headers, content_type=broken.content_type
    )


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
