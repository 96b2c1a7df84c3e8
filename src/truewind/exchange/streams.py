"""WebSocket streams of one market: connections, subscriptions, limits, and what goes wrong on the way.

Sources: "WebSocket Streams" of both markets ("General WSS information", "Live Subscribing/Unsubscribing to streams").
Every stream is made once, however many listen; what a connection is due is written in one piece.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from truewind.exchange import firehose, frames, subscribing
from truewind.exchange.candles import Unit
from truewind.exchange.connection import Connection
from truewind.exchange.events import Event
from truewind.exchange.faults import Faults
from truewind.exchange.feeds import Feed, make_feed
from truewind.exchange.market import Market
from truewind.venues.binance.endpoints import LIMITS

if TYPE_CHECKING:
    from truewind.exchange.server import LocalExchange

_LARGEST = 1 << 16  # bytes of a message that clients may send


class StreamHub:
    """All stream connections of a market. `private`: whether a name is a listen key, set by whoever keeps accounts."""

    def __init__(self, exchange: "LocalExchange", market: Market, faults: Faults) -> None:
        self.exchange = exchange
        self.market = market
        self.faults = faults
        self.limits = LIMITS[market.name]
        self.private: Callable[[str], bool] = lambda name: False
        self.connections: set[Connection] = set()
        self.sent = 0
        self._feeds: dict[tuple[str, Unit], tuple[Feed, set[Connection]]] = {}
        self._takers: dict[tuple[type, str], list[tuple[str, Unit]]] = {}
        self._poured: dict[tuple[tuple[str, ...], Unit, bool], list[bytes]] = {}
        market.listen(self._take)

    # ── what is told ────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, name: str, message: str) -> None:
        """Tell the listeners of a private stream."""
        for unit in ("ms", "us"):
            found = self._feeds.get((name, unit))
            if found:
                self._tell(name, found[1], message)

    def _take(self, event: Event) -> None:
        for key in self._takers.get((type(event), event.symbol), ()):
            feed, listeners = self._feeds[key]
            for message in feed.takes[type(event)](event):
                self._tell(feed.name, listeners, message)

    def _tell(self, name: str, listeners: set[Connection], message: str) -> None:
        plain = whole = b""
        for connection in listeners:
            if connection.combined:
                whole = whole or frames.frame(f'{{"stream":"{name}","data":{message}}}'.encode())
                connection.out.append(whole)
            else:
                plain = plain or frames.frame(message.encode())
                connection.out.append(plain)
        self.sent += len(listeners)

    def flush(self) -> None:
        """Write what connections are due."""
        now_s = self.exchange.since_s()
        for connection in list(self.connections):
            if not connection.write(now_s):
                self._forget(connection)

    # ── subscriptions ───────────────────────────────────────────────────────────────────────────────────────────────

    def subscribe(self, connection: Connection, name: str) -> bool:
        """False if there is no such stream."""
        key = (name, connection.unit)
        if key not in self._feeds:
            feed = Feed(name, [], {}) if self.private(name) else make_feed(name, self.market, connection.unit)
            if feed is None:
                return False
            self._open(key, feed)
        self._feeds[key][1].add(connection)
        connection.streams[name] = None
        return True

    def unsubscribe(self, connection: Connection, name: str) -> None:
        key = (name, connection.unit)
        connection.streams.pop(name, None)
        found = self._feeds.get(key)
        if found:
            found[1].discard(connection)
            if not found[1]:
                self._close(key, found[0])

    def _open(self, key: tuple[str, Unit], feed: Feed) -> None:
        self._feeds[key] = (feed, set())
        for symbol in feed.symbols:
            self.market.watch(symbol, feed.takes)
            for kind in feed.takes:
                self._takers.setdefault((kind, symbol), []).append(key)

    def _close(self, key: tuple[str, Unit], feed: Feed) -> None:
        del self._feeds[key]
        for symbol in feed.symbols:
            self.market.unwatch(symbol, feed.takes)
            for kind in feed.takes:
                self._takers[kind, symbol].remove(key)

    # ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def serve(self, request: web.Request) -> web.StreamResponse:
        exchange = self.exchange
        status = self.faults.outage(request.path, exchange.since_s())
        if status is not None:
            if status == 0 and request.transport is not None:
                request.transport.abort()
            return web.Response(status=status or 503)
        limits = exchange.gates[self.market.name].limits
        if not limits.connect(request.remote or "", exchange.clock.wall_us()):
            return web.Response(status=429, text="Too many connection attempts")
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_LARGEST)
        try:
            await socket.prepare(request)
        except ConnectionResetError:  # the client, or a restart, was quicker
            return socket
        if request.transport is None:
            return socket
        connection = Connection(request.transport, self.faults, _unit(request), exchange.since_s())
        connection.combined = request.path.endswith("/stream")
        self.connections.add(connection)
        try:
            self._begin(connection, request)
            pouring = self._pour(connection)
            await self._listen(connection, socket)
            if pouring is not None:
                await pouring
        finally:
            self._forget(connection)
        return socket

    def _begin(self, connection: Connection, request: web.Request) -> None:
        """Subscribe to the streams in the address, if they are not too many."""
        wanted = request.query.get("streams") or request.match_info.get("streams", "")
        wanted = "/".join(filter(None, (wanted, request.query.get("listenKey"))))
        names = [name for name in wanted.split("/") if name]
        if len(names) > self.limits.streams:
            connection.close(1008, "Too many streams")
            return
        self.exchange.advance()
        for name in names:
            self.subscribe(connection, name)

    def _pour(self, connection: Connection) -> asyncio.Task[None] | None:
        """Start the firehose for the streams in the address, if it is set."""
        count = self.exchange.config.firehose
        if not count or not connection.streams:
            return None
        key = (tuple(connection.streams), connection.unit, connection.combined)
        for name in key[0]:
            self.unsubscribe(connection, name)
        if key not in self._poured:
            self._poured[key] = firehose.prepared(self.market, key[0], key[1], combined=key[2], count=count)
        self.sent += count
        return asyncio.create_task(firehose.pour(connection, self._poured[key]))

    async def _listen(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if not connection.allows(self.exchange.clock.wall_us(), self.limits.messages):
                connection.close(1008, "Too many requests")
            if connection.stalled or connection.closing:
                continue
            if message.type is WSMsgType.PING:
                connection.control(frames.frame(message.data, frames.PONG))
            elif message.type is WSMsgType.PONG:
                connection.ponged_s = self.exchange.since_s()
            elif message.type is WSMsgType.TEXT:
                self.exchange.advance()
                answer = subscribing.answer(self, connection, message.data)
                connection.control(frames.frame(answer))
            elif message.type is WSMsgType.ERROR:
                return

    def _forget(self, connection: Connection) -> None:
        for name in list(connection.streams):
            self.unsubscribe(connection, name)
        self.connections.discard(connection)

    def keep(self, now_s: float) -> None:
        """Send pings, end connections that do not answer or are old, let out what was held back."""
        for connection in list(self.connections):
            if now_s - connection.began_s >= self.exchange.config.session_s:
                connection.close(1001, "Session is too old")
            elif now_s - max(connection.ponged_s, connection.began_s) > self.limits.ping_s + self.limits.pong_s:
                connection.close(1008, "Pong timeout")
            elif now_s - connection.pinged_s >= self.limits.ping_s:
                connection.pinged_s = now_s
                told = str(self.exchange.clock.told_us() // 1000)
                connection.control(frames.frame(told.encode(), frames.PING))

    def close_all(self, *, abort: bool = False) -> None:
        for connection in list(self.connections):
            if abort:
                connection.abort()
            else:
                connection.close(1001, "Going away")


def _unit(request: web.Request) -> Unit:
    return "us" if request.query.get("timeUnit", "").lower() == "microsecond" else "ms"
