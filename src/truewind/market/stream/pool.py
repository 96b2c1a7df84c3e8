"""Connections enough for all streams, each kept alive, within the venue's limits.

A lane is a place for one connection with some of the streams. It connects, subscribes, and connects again when the
connection is lost; before the venue would end it, or when it has gone quiet, a second one takes over before the first
is closed. What both deliver in between is told apart by those who read it.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from truewind.errors import NetworkError, ProtocolError, RejectedError, UnreachableError
from truewind.market.stream.client import Connection
from truewind.venues.binance import messages
from truewind.venues.binance.endpoints import LIMITS, Limits

_SHORT_S = 5.0  # a connection that ends sooner has not been one
_BATCH = 100  # streams in one SUBSCRIBE


class Pace:
    """At most `count` passes in any `window_s` seconds."""

    def __init__(self, count: int, window_s: float) -> None:
        self.count, self.window_s = count, window_s
        self._passed: deque[float] = deque()

    async def take(self) -> None:
        """Wait until one more may pass."""
        clock = asyncio.get_running_loop().time
        while len(self._passed) >= self.count:
            wait = self._passed[0] + self.window_s - clock()
            if wait > 0:
                await asyncio.sleep(wait)
            elif self._passed:
                self._passed.popleft()
        self._passed.append(clock())


class Settings(msgspec.Struct, frozen=True):
    """How lanes behave. heartbeat_s: see `Connection`. stale_s: without a message for so long the feed is taken for
    dead. age_s: a connection older than this is replaced (0: ten minutes before the venue's limit). overlap_s: for how
    long old and new run together. backoff_s: the first and the longest wait between attempts, before jitter."""

    heartbeat_s: float = 10.0
    stale_s: float = 120.0
    age_s: float = 0.0
    overlap_s: float = 2.0
    backoff_s: tuple[float, float] = (0.25, 30.0)
    timeout_s: float = 10.0


class Reader(Protocol):
    """Who gets what lanes read and learn."""

    def text(self, frame: bytes) -> None:
        """A message of a stream."""

    def opened(self, names: Sequence[str], *, again: bool) -> None:
        """The streams are live; again: they were before, and there is a hole in between."""

    def broken(self, names: Sequence[str], why: str) -> None:
        """From now on nothing of the streams is heard."""

    def trouble(self, error: NetworkError) -> None:
        """Something failed and is tried again."""

    def failed(self, error: NetworkError) -> None:
        """Something failed for good."""


class Lane:
    """One place for a connection; `run` never returns. streams: names of one route."""

    def __init__(
        self, url: str, names: Sequence[str], reader: Reader, limits: Limits, attempts: Pace, settings: Settings
    ) -> None:
        self.url, self.names, self.reader, self.limits = url, list(names), reader, limits
        self.settings = settings
        self.reconnects = self.handovers = self.messages = self.bytes = 0
        self.connection: Connection | None = None
        self._attempts = attempts
        self._replies: dict[int, asyncio.Future[messages.Reply]] = {}
        self._number = 0
        self._opened = False
        self._leave = asyncio.Event()  # the venue says that it will hang up
        # A stream that speaks only when something rare happens tells nothing by its silence.
        self._is_steady = any(not name.endswith(("@forceOrder", "!forceOrder@arr")) for name in names)

    async def run(self) -> None:
        """Keep the streams coming until cancelled."""
        failures = 0
        try:
            while True:
                try:
                    connection = await self._connect()
                except RejectedError as error:
                    self.reader.failed(error)
                    return
                except NetworkError as error:
                    self.reader.trouble(error)
                    await asyncio.sleep(self._wait(failures, error))
                    failures += 1
                    continue
                self.reconnects += self._opened
                self.reader.opened(self.names, again=self._opened)
                self._opened = True
                born = asyncio.get_running_loop().time()
                why = await self._keep(connection)
                self.reader.broken(self.names, why)
                if asyncio.get_running_loop().time() - born < _SHORT_S:  # a venue in trouble lets in and throws out
                    await asyncio.sleep(self._wait(failures))
                    failures += 1
                else:
                    failures = 0
        finally:
            if self.connection is not None:
                await self.connection.close()

    def _wait(self, failures: int, error: NetworkError | None = None) -> float:
        """Seconds until the next attempt: doubling, with jitter so that not all clients come at once."""
        asked = error.facts.get("retry_after_s") if error is not None else None
        if asked is not None:
            return float(asked)
        first, longest = self.settings.backoff_s
        return min(longest, first * 2.0 ** min(failures, 30)) * random.uniform(0.5, 1.0)

    async def _connect(self) -> Connection:
        """A connection on which all streams are live."""
        await self._attempts.take()
        connection = Connection(self.url, self._text, heartbeat_s=self.settings.heartbeat_s)
        await connection.open(self.settings.timeout_s)
        try:
            # One less than allowed, so that a ping or pong always fits.
            pace = Pace(max(1, self.limits.messages - 1), 1.0)
            for start in range(0, len(self.names), _BATCH):
                await pace.take()
                await self._subscribe(connection, self.names[start : start + _BATCH])
        except BaseException:
            await connection.close()
            raise
        self.connection = connection
        return connection

    async def _subscribe(self, connection: Connection, names: list[str]) -> None:
        self._number += 1
        number = self._number
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        ended = asyncio.ensure_future(connection.ended.wait())
        try:
            connection.send(msgspec.json.encode({"method": "SUBSCRIBE", "params": names, "id": number}))
            await asyncio.wait((reply, ended), timeout=self.settings.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not reply.done():
                what = "hung up" if ended.done() else f"did not answer within {self.settings.timeout_s:g} s"
                raise UnreachableError(f"{self.url} {what} when asked for streams", remedy="It is tried again")
        finally:
            ended.cancel()
            del self._replies[number]
        answer = reply.result()
        problem = answer.error or (messages.Problem(answer.code, answer.msg) if answer.code else None)
        if problem is not None:
            raise RejectedError(
                f"{self.url} refuses {', '.join(names[:3])}{' …' if len(names) > 3 else ''}: {problem.msg}",
                remedy="Check the names of the symbols",
                code=problem.code,
            )

    async def _keep(self, connection: Connection) -> str:
        """Stay with the connection and its successors until one is lost; why."""
        loop, settings = asyncio.get_running_loop(), self.settings
        age = settings.age_s or self.limits.session_s - 600.0
        born, due = loop.time(), age * random.uniform(0.97, 1.0)
        while not connection.ended.is_set():
            quiet = loop.time() - connection.heard
            is_stale = self._is_steady and quiet >= settings.stale_s
            if is_stale or self._leave.is_set() or loop.time() - born >= due:
                try:
                    successor = await self._connect()
                except NetworkError as error:
                    self.reader.trouble(error)
                    due += 60.0
                    await asyncio.sleep(min(1.0, settings.stale_s))
                    continue
                self._leave.clear()
                self.handovers += 1
                if is_stale:
                    self.reader.broken(self.names, f"silent for {quiet:.0f} s")
                    self.reader.opened(self.names, again=True)
                else:
                    await asyncio.sleep(settings.overlap_s)
                await connection.close()
                connection = successor
                born, due = loop.time(), age * random.uniform(0.97, 1.0)
                continue
            waits = [due - (loop.time() - born)]
            if self._is_steady:
                waits.append(settings.stale_s - quiet)
            await self._first(connection, max(0.01, min(waits)))
        return "the connection was lost"

    async def _first(self, connection: Connection, timeout_s: float) -> None:
        """Until the connection ends, the venue says that it will, or time is over."""
        tasks = [asyncio.ensure_future(event.wait()) for event in (connection.ended, self._leave)]
        try:
            await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _text(self, frame: bytes) -> None:
        self.messages += 1
        self.bytes += len(frame)
        if frame.startswith(b'{"stream"'):
            self.reader.text(frame)
        else:
            self._control(frame)

    def _control(self, frame: bytes) -> None:
        """Answers to our requests, and notices; all else is the reader's to judge."""
        try:
            if b'"serverShutdown"' in frame:
                messages.shutdown(frame)
                self._leave.set()
                return
            reply = messages.reply(frame)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.reader.text(frame)
            return
        waiting = self._replies.get(reply.id) if isinstance(reply.id, int) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)
        elif reply.error is not None:
            self.reader.trouble(ProtocolError(f"{self.url}: {reply.error.msg}", remedy="See what the venue says"))
        elif reply.id is None:
            self.reader.text(frame)


class Pool:
    """The lanes of one market, as few as its limits allow."""

    def __init__(
        self, base: str, market: str, streams: Iterable[messages.Stream], reader: Reader, settings: Settings
    ) -> None:
        limits = LIMITS[market]
        attempts = Pace(limits.connections.limit, limits.connections.seconds)
        query = "?timeUnit=MICROSECOND" if market == "spot" else ""
        routes: dict[str, list[str]] = {}
        for stream in streams:
            routes.setdefault(stream.route, []).append(stream.name)
        self.lanes = [
            Lane(f"{base}{route}/stream{query}", names[i : i + limits.streams], reader, limits, attempts, settings)
            for route, names in routes.items()
            for i in range(0, len(names), limits.streams)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, done: Callable[[asyncio.Task[None]], None]) -> None:
        """Run all lanes; `done` is called with a task that ended."""
        for lane in self.lanes:
            task = asyncio.get_running_loop().create_task(lane.run())
            task.add_done_callback(done)
            self._tasks.append(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def pause(self) -> None:
        for lane in self.lanes:
            if lane.connection is not None:
                lane.connection.pause()

    def resume(self) -> None:
        for lane in self.lanes:
            if lane.connection is not None:
                lane.connection.resume()
