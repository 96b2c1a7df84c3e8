"""LocalExchange: three sites on neighbouring ports, the market's clock, and a clean end.

    async with LocalExchange(ExchangeConfig(synthetic=...)) as exchange:
        exchange.hosts        addresses for a client
        exchange.network      the same as a setting: "http://127.0.0.1:9100"

`running` does the same in a thread of its own, for tests and programs that do not await.
"""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from aiohttp import web

from truewind.errors import ConfigError, StorageError
from truewind.exchange import rest_spot, rest_usdm
from truewind.exchange.archive_site import ArchiveSite
from truewind.exchange.clock import ExchangeClock
from truewind.exchange.config import ExchangeConfig
from truewind.exchange.faults import Faults
from truewind.exchange.gate import Authorise, Call, Gate, Handler
from truewind.exchange.limits import RequestLimits
from truewind.exchange.market import Market
from truewind.exchange.replies import bad_key, no_key
from truewind.exchange.sources import open_sources
from truewind.exchange.streams import StreamHub
from truewind.exchange.trading import Trading
from truewind.venues.binance.endpoints import LIMITS, SPOT, USDM
from truewind.venues.binance.hosts import Hosts, local_hosts

_TRIES = 50
_WS_PATHS = {SPOT: ("",), USDM: ("", "/public", "/market", "/private")}


class LocalExchange:
    """A Binance of one's own. `authorise` and handlers of signed endpoints are put in by whoever keeps accounts.

    authorise: called with every request whose endpoint needs a key; returns the account or raises RefusedError.
    """

    def __init__(self, config: ExchangeConfig | None = None) -> None:
        self.config = config or ExchangeConfig()
        self.authorise: Authorise = _nobody
        opened = open_sources(self.config)
        self.clock = ExchangeClock(opened.start_us, self.config.speed, skew_us=self.config.faults.skew_ms * 1000)
        self._began_us = self.clock.wall_us()
        self.markets = {
            name: Market(name, sources, self.clock.now_us(), seed=self.config.seed)
            for name, sources in opened.markets.items()
        }
        self.faults = {name: Faults(self.config.faults, name) for name in (SPOT, USDM, "archive")}
        self.gates = {
            name: Gate(
                self,
                name,
                self.faults[name],
                limits=RequestLimits(LIMITS[name], enforced=self.config.limits, first_ban_s=self.config.first_ban_s),
            )
            for name in (SPOT, USDM)
        }
        rest_spot.add_to(self.gates[SPOT], self.markets[SPOT])
        rest_usdm.add_to(self.gates[USDM], self.markets[USDM])
        self.hubs = {name: StreamHub(self, self.markets[name], self.faults[name]) for name in (SPOT, USDM)}
        self.archive = ArchiveSite(self, self.faults["archive"])
        self.web_socket_api: Any = None
        self.trading = Trading(self)
        self.port = self.config.port
        self._runners: list[web.AppRunner] = []
        self._player: asyncio.Task[None] | None = None

    # ── for those who use it ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def hosts(self) -> Hosts:
        """Where it is reached, for clients of ours."""
        return local_hosts(self.port, self.config.host)

    @property
    def network(self) -> str:
        """The setting `network` of a client of this exchange."""
        return f"http://{self.config.host}:{self.port}"

    def handle(self, market: str, method: str, path: str, handler: Handler) -> None:
        """Answer a REST endpoint of a market by `handler`."""
        self.gates[market].add(method, path, handler)

    def figures(self) -> dict[str, Any]:
        """What it has done so far: requests, refusals, open connections, messages, faults by name."""
        counts: Counter[str] = Counter()
        for faults in self.faults.values():
            counts.update(faults.counts)
        return {
            "now_us": self.clock.now_us(),
            "requests": sum(gate.requests for gate in self.gates.values()) + self.archive.requests,
            "refused": sum(gate.errors for gate in self.gates.values()),
            "connections": sum(len(hub.connections) for hub in self.hubs.values()),
            "messages": sum(hub.sent for hub in self.hubs.values()),
            "faults": dict(counts),
        }

    def since_s(self) -> float:
        """Our seconds since the exchange began."""
        return (self.clock.wall_us() - self._began_us) / 1e6

    def advance(self) -> None:
        """Let the markets come up to the clock, and serve the streams."""
        now_us = self.clock.now_us()
        for market in self.markets.values():
            market.advance(now_us)
        self.trading.keep()
        for hub in self.hubs.values():
            hub.flush()

    def move_to(self, now_us: int) -> None:
        """Jump ahead to a time, all that happens until then included."""
        self.clock.move_to(now_us)
        self.advance()

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the three sites. Raises StorageError if a port is taken."""
        self.port, sockets = _bind(self.config.host, self.config.port)
        for app, listening in zip((*self._markets_apps(), self.archive.app()), sockets, strict=True):
            runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
            await runner.setup()
            await web.SockSite(runner, listening).start()
            self._runners.append(runner)
        self.clock.open()
        self._began_us = self.clock.wall_us()
        if not self.config.idle:
            self._player = asyncio.create_task(self._play())

    async def stop(self) -> None:
        """Close all connections and the sites. Raises what had gone wrong while the exchange played."""
        problem = await self._end_player()
        for hub in self.hubs.values():
            hub.close_all()
        self.trading.socket_api.close_all()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        self.trading.close()
        if problem is not None:
            raise problem

    async def _end_player(self) -> BaseException | None:
        """What the player had died of, if it had."""
        player, self._player = self._player, None
        if player is None:
            return None
        player.cancel()
        (ended,) = await asyncio.gather(player, return_exceptions=True)
        return ended if isinstance(ended, Exception) else None

    async def wait(self) -> None:
        """Until the exchange ends; raises what went wrong while it played."""
        await (self._player or asyncio.Event().wait())

    def _markets_apps(self) -> Iterator[web.Application]:
        for name in (SPOT, USDM):
            app = web.Application(client_max_size=1 << 20)
            for prefix in _WS_PATHS[name]:
                for path in ("/ws", "/ws/{streams:.*}", "/stream"):
                    app.router.add_get(prefix + path, self.hubs[name].serve)
            if name == SPOT:
                app.router.add_get("/ws-api/v3", self._web_socket_api)
            app.router.add_route("*", "/{path:.*}", self.gates[name].serve)
            yield app

    async def _web_socket_api(self, request: web.Request) -> web.StreamResponse:
        if self.web_socket_api is None:
            return web.Response(status=404)
        response: web.StreamResponse = await self.web_socket_api(request)
        return response

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        tick, was_down = self.config.tick_ms / 1000, False
        while True:
            began = loop.time()
            down = any(faults.restarting(self.since_s()) for faults in self.faults.values())
            if down and not was_down:
                for hub in self.hubs.values():
                    hub.close_all(abort=True)
                self.trading.socket_api.close_all()
            was_down = down
            self.advance()
            for hub in self.hubs.values():
                hub.keep(self.since_s())
            await asyncio.sleep(max(0.0, tick - (loop.time() - began)))


def _nobody(call: Call) -> Any:
    """No accounts are kept here: a key suffices where no signature is needed."""
    if not call.key:
        raise bad_key()
    if call.endpoint.security.needs_signature:
        raise no_key()
    return None


def _bind(host: str, port: int) -> tuple[int, list[socket.socket]]:
    """Three listening sockets on neighbouring ports: those from `port`, or free ones for 0."""
    for _ in range(_TRIES if port == 0 else 1):
        sockets: list[socket.socket] = []
        first = port
        try:
            for i in range(3):
                listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                sockets.append(listening)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind((host, first + i if first else 0))
                first = first or listening.getsockname()[1]
                listening.listen(512)
            return first, sockets
        except (OSError, OverflowError) as error:
            for listening in sockets:
                listening.close()
            problem = error
    if port:
        raise StorageError(
            f"Cannot listen on {host}, ports {port} to {port + 2}: {problem}",
            remedy="End what uses them, or choose others with --port",
            port=port,
        )
    raise ConfigError("No three free ports in a row were found", remedy="Name some with --port")


@contextmanager
def running(config: ExchangeConfig | None = None) -> Iterator[LocalExchange]:
    """A local exchange in a thread of its own, closed at the end."""
    exchange = LocalExchange(config)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    problems: list[BaseException] = []

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(exchange.start())
        except BaseException as error:
            problems.append(error)
        ready.set()
        if not problems:
            loop.run_forever()
            loop.run_until_complete(exchange.stop())
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=work, name="local exchange", daemon=True)
    thread.start()
    ready.wait()
    try:
        if problems:
            raise problems[0]
        yield exchange
    finally:
        if not problems:
            loop.call_soon_threadsafe(loop.stop)
        thread.join()
