"""A small web server that answers with JSON as venues document it, in the loop of the test that asks it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Answer = Callable[[Mapping[str, str]], Any]


@asynccontextmanager
async def serving(routes: Mapping[str, Answer]) -> AsyncIterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """The server's address, and what it was asked: path and query. routes: path → query → the reply.

    A reply that is a `web.Response` is sent as it is.
    """
    asked: list[tuple[str, dict[str, str]]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        asked.append((request.path, query))
        if request.path not in routes:
            return web.json_response({"error": f"no {request.path}"}, status=404)
        reply = routes[request.path](query)
        return reply if isinstance(reply, web.StreamResponse) else web.json_response(reply)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()
