"""Real connections that misbehave: a small server says what no venue should, and never a wrong answer comes of it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from truewind.errors import UnreachableError
from truewind.market.history.queue import Queue
from truewind.market.http import Http, Reply
from truewind.venues.binance import payloads

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TIME = b'{"serverTime": 1700000000000}'


def served(handler: Handler, ask: Callable[[str, Http], Awaitable[object]], **settings: float) -> object:
    """What `ask` makes of a server with that handler; errors are returned."""

    async def whole() -> object:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        try:
            async with Http(**settings) as http:
                return await ask(f"http://127.0.0.1:{port}", http)
        except UnreachableError as error:
            return error
        finally:
            await runner.cleanup()

    return asyncio.run(whole())


async def once(address: str, http: Http) -> Reply:
    return await http.get(address + "/api/v3/time", {"symbol": "BTC USDT&x"})


def test_parameters_and_compressed_bodies_arrive_whole() -> None:
    """The plain case: gzip both ways, characters escaped."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.query["symbol"] == "BTC USDT&x"
        body = gzip.compress(TIME)
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "X-MBX-USED-WEIGHT-1M": "3"})

    reply = served(handler, once)
    assert isinstance(reply, Reply)
    assert reply.body == TIME
    assert reply.headers["x-mbx-used-weight-1m"] == "3"


def test_a_redirect_is_refused_with_its_target() -> None:
    """Whatever it redirects to, and nothing is asked there."""

    async def handler(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("http://login.hotel.example/?key=secret")

    error = served(handler, once)
    assert isinstance(error, UnreachableError)
    assert error.facts["redirected"] == "login.hotel.example"
    assert "secret" not in str(error.as_dict())


@pytest.mark.parametrize("damage", ["cut", "spoiled", "short"])
def test_a_truncated_body_is_no_reply(damage: str) -> None:
    """gzip that ends early, gzip with wrong bytes, fewer bytes than announced."""

    async def handler(request: web.Request) -> web.StreamResponse:
        body = gzip.compress(TIME * 1000)
        body = {"cut": body[:-20], "spoiled": body[:15] + b"\x00\xff\x00" + body[18:], "short": body}[damage]
        response = web.StreamResponse(headers={"Content-Encoding": "gzip"})
        response.content_length = len(body) + (100 if damage == "short" else 0)
        await response.prepare(request)
        await response.write(body)
        if damage == "short" and request.transport is not None:
            request.transport.close()
        return response

    assert isinstance(served(handler, once), UnreachableError)


def test_a_half_open_connection_is_given_up() -> None:
    """Headers came, then silence; and silence from the start."""

    async def begun(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    for handler in (begun, silent):
        error = served(handler, once, silent_s=0.1)
        assert isinstance(error, UnreachableError)
        assert "in time" in str(error)


def test_nobody_there_is_told_with_the_host() -> None:
    """A port on which nobody listens."""

    async def ask(address: str, http: Http) -> object:
        return await http.get("http://127.0.0.1:9/api/v3/time", {})

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response()

    error = served(handler, ask)
    assert isinstance(error, UnreachableError)
    assert error.facts["host"] == "127.0.0.1:9"


def test_the_queue_outlives_all_of_them() -> None:
    """A cut body, an error page, a hang-up, a limit, then the answer: one request, one answer."""
    number = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal number
        number += 1
        if number == 1:
            return web.Response(body=gzip.compress(TIME)[:-9], headers={"Content-Encoding": "gzip"})
        if number == 2:
            return web.Response(text="<html>502</html>", status=502)
        if number == 3 and request.transport is not None:
            request.transport.abort()
        if number == 4:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.Response(body=TIME)

    async def ask(address: str, http: Http) -> object:
        queue = Queue(http, address, "spot", draw=lambda: 0.01)
        return await queue.get("/api/v3/time", {}, payloads.server_time_us)

    assert served(handler, ask) == 1_700_000_000_000_000
    assert number == 5
