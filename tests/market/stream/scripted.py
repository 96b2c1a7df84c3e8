"""A venue that says what a test tells it to, in Binance's words: streams with subscriptions, and REST for repairs.

It stands beside the local exchange to do what no exchange would: send one message twice, leave one out, hang up between
two messages, all at moments that a test chooses.
"""

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from truewind.venues.binance.hosts import Hosts

T0 = 1_700_000_040_000  # ms, a whole minute


def trade(number: int, *, symbol: str = "BTCUSDT", at: int | None = None) -> dict[str, Any]:
    """An aggregate trade; its values follow from its number."""
    ms = T0 + 10 * number if at is None else at
    return {
        "e": "aggTrade",
        "E": ms + 1,
        "s": symbol,
        "a": number,
        "p": f"{100 + number % 7}.50",
        "q": f"0.{number + 1}",
        "f": number,
        "l": number,
        "T": ms,
        "m": number % 3 == 0,
    }


def kline(number: int, closed: bool, *, symbol: str = "BTCUSDT") -> dict[str, Any]:
    """The bar of minute `number`."""
    start = T0 + 60_000 * number
    k = {
        "t": start,
        "T": start + 59_999,
        "s": symbol,
        "i": "1m",
        "f": 1,
        "L": 2,
        "o": "100.0",
        "c": f"{101 + number}",
        "h": f"{110 + number}",
        "l": "90.0",
        "v": "5.0",
        "n": 7,
        "x": closed,
        "q": "500.0",
        "V": "2.0",
        "Q": "200.0",
        "B": "0",
    }
    return {"e": "kline", "E": start + (60_000 if closed else 30_000), "s": symbol, "k": k}


class Venue:
    """trades, bars, book: what REST answers from. `say` sends to whoever has asked for the stream."""

    def __init__(self) -> None:
        self.trades: list[dict[str, Any]] = []
        self.bars: list[dict[str, Any]] = []
        self.book: dict[str, Any] = {"lastUpdateId": 0, "bids": [], "asks": []}
        self.interest = {"openInterest": "10.5", "symbol": "BTCUSDT", "time": T0}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.subscriptions: list[tuple[str, list[str]]] = []
        self.opened = 0
        self.refuse_upgrades = 0  # so many upgrades are answered with a page
        self.fail_rest = 0  # so many requests are answered with a page
        self.deaf = False  # pings stay without a pong
        self._sockets: dict[web.WebSocketResponse, set[str]] = {}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> "Venue":
        app = web.Application()
        for route in ("", "/market", "/public"):
            app.router.add_get(f"{route}/stream", self._stream)
        app.router.add_get("/{api:(api/v3|fapi/v1)}/{what}", self._rest)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        http, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
        self.hosts = Hosts(http, ws, f"{ws}/ws-api/v3", http, ws, "")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()
        await self._runner.cleanup()

    async def say(self, stream: str, data: Any) -> None:
        await self.raw(stream, json.dumps({"stream": stream, "data": data}, separators=(",", ":")))

    async def raw(self, stream: str, text: str) -> None:
        for socket, names in list(self._sockets.items()):
            if stream in names and not socket.closed:
                try:
                    await socket.send_str(text)
                except ConnectionError:
                    continue

    async def trade(self, number: int, *, heard: bool = True) -> None:
        """A trade happens; whether the streams tell of it."""
        self.trades.append(trade(number))
        if heard:
            await self.say("btcusdt@aggTrade", trade(number))

    async def hang_up(self) -> None:
        for socket in list(self._sockets):
            self._sockets.pop(socket, None)
            await socket.close(code=1001)

    async def listeners(self, stream: str, count: int = 1) -> None:
        """Wait until so many connections have the stream."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: sum(stream in names for names in self._sockets.values()) == count)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.opened += 1
        if self.refuse_upgrades > 0:
            self.refuse_upgrades -= 1
            return web.Response(status=502, text="<html><body>Bad gateway</body></html>", content_type="text/html")
        socket = web.WebSocketResponse(autoping=not self.deaf)
        await socket.prepare(request)
        self._sockets[socket] = set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    asked = json.loads(message.data)
                    self.subscriptions.append((request.path, asked["params"]))
                    if "nosuch@aggTrade" in asked["params"]:
                        problem = {"error": {"code": 2, "msg": "Invalid request: unknown stream"}, "id": asked["id"]}
                        await socket.send_json(problem)
                        continue
                    await socket.send_json({"result": None, "id": asked["id"]})
                    async with self._changed:
                        if socket in self._sockets:
                            self._sockets[socket] |= set(asked["params"])
                        self._changed.notify_all()
        finally:
            self._sockets.pop(socket, None)
            async with self._changed:
                self._changed.notify_all()
        return socket

    async def _rest(self, request: web.Request) -> web.Response:
        what, asked = request.match_info["what"], dict(request.query)
        if what == "time":
            return web.json_response({"serverTime": T0})
        self.requests.append((what, asked))
        if self.fail_rest > 0:
            self.fail_rest -= 1
            return web.Response(status=503, text="<html>Service unavailable</html>", content_type="text/html")
        limit = int(asked.get("limit", 500))
        if what == "aggTrades":
            found = [t for t in sorted(self.trades, key=lambda t: t["a"]) if t["a"] >= int(asked["fromId"])][:limit]
            return web.json_response([{k: t[k] for k in ("a", "p", "q", "f", "l", "T", "m")} for t in found])
        if what == "klines":
            start, end = int(asked["startTime"]), int(asked["endTime"])
            rows = [
                [k["t"], *(k[n] for n in "ohlcv"), k["T"], k["q"], k["n"], k["V"], k["Q"], "0"]
                for k in (bar["k"] for bar in sorted(self.bars, key=lambda bar: bar["k"]["t"]))
                if start <= k["t"] <= end
            ]
            return web.json_response(rows[:limit])
        if what == "depth":
            return web.json_response(self.book)
        return web.json_response(self.interest)
