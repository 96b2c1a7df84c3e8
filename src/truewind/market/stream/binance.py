"""Binance's streams as events: complete, in order, and stamped with the time of receipt.

    async with BinanceStreams(hosts("mainnet"), "usdm", ["btcusdt@aggTrade", "btcusdt@kline_1m"]) as streams:
        async for event in streams:
            ...

| stream                           | events                        | lake series   | what is missed              |
|----------------------------------|-------------------------------|---------------|-----------------------------|
| x@aggTrade                       | Trade                         | trades        | asked for by id             |
| x@kline_1m …                     | Bar when closed, else Forming | bars          | asked for by time           |
| x@depth, x@depth@100ms           | Depth, first a snapshot       | book          | lost until a new snapshot   |
| x@bookTicker                     | Quote                         | quotes        | lost                        |
| x@markPrice@1s, !markPrice@arr   | MarkPrice                     | marks         | lost                        |
| x@forceOrder, !forceOrder@arr    | Forced                        | liquidations  | lost                        |
| x@openInterest (polled by REST)  | OpenInterest                  | open_interest | lost                        |
| x@depth20 …, x@trade, x@ticker   | Partial, Trade, DayTicker     | (none)        | lost                        |
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any

import msgspec

from truewind import log
from truewind.domain.clock import WallClock
from truewind.domain.ports import Clock
from truewind.domain.timeframe import SECOND_US
from truewind.errors import NetworkError, ProtocolError, TruewindError
from truewind.market.history.queue import Queue
from truewind.market.http import Http
from truewind.market.stream import events as out
from truewind.market.stream.lines import BarLine, BookLine, Counts, Line, PlainLine, State, TradeLine
from truewind.market.stream.merge import Timeline
from truewind.market.stream.pool import Pool, Settings
from truewind.market.stream.repair import BinanceHistory, Repairs
from truewind.market.stream.translate import MAKERS, impossible
from truewind.storage.schema import SeriesKey
from truewind.venues.binance import messages
from truewind.venues.binance.hosts import Hosts
from truewind.venues.binance.messages import Stream, parse_stream

AHEAD_US = 60 * SECOND_US  # a message from so long after our clock, the venue's and all other messages is damaged
_POLLED = "openInterest"
_PATIENCE_S = 2.0  # for the venue's clock, before streams are opened without it
_SHARE = 0.5  # of the venue's limits: repairs leave room for downloads and orders from the same address
_REFUSED = 1000  # refused messages kept for `refused`; all are counted
_KINDS = {
    "aggTrade": "trades",
    "trade": "trades",
    "kline": "bars",
    "depth": "book",
    "bookTicker": "quotes",
    "markPrice": "marks",
    "forceOrder": "liquidations",
    "openInterest": "open_interest",
    "ticker": "quotes",
}


class Refused(msgspec.Struct, frozen=True):
    """A message that was set aside. raw: as it came, cut to 4 KiB."""

    key: SeriesKey
    ts_recv: int
    reason: str
    raw: str


class Status(msgspec.Struct, frozen=True):
    """How the streams do. lag_us: from the venue's time to ours, of the last message; refused: messages set aside."""

    messages: int
    bytes: int
    connections: int
    reconnects: int
    handovers: int
    duplicates: int
    holes: int
    repaired: int
    lost: int
    refused: int
    lag_us: int
    waiting: int
    conflated: int
    pauses: int


def series_of(market: str, name: str) -> SeriesKey:
    """The lake series that holds a stream; of streams of all symbols the symbol is "ALL".

    Raises ConfigError if there is no such stream.
    """
    stream = _stream(market, name)
    return _key(stream, stream.symbol or "ALL")


def _stream(market: str, name: str) -> Stream:
    symbol, _, what = name.partition("@")
    if what == _POLLED and market == "usdm" and symbol == symbol.lower():
        return Stream(market, name, symbol.upper(), _POLLED)
    return parse_stream(market, name)


def _key(stream: Stream, symbol: str) -> SeriesKey:
    return SeriesKey(_KINDS[stream.channel], messages.VENUES[stream.market], symbol, stream.timeframe)


class BinanceStreams:
    """Streams of one market, by their names. Iteration gives `StreamEvent`s and ends only by an error.

    market: "spot" or "usdm". clock: stamps receipts. buffer: events that may wait (see `merge`).
    timeline: one that several of these share, instead of one of its own. in_order: nothing
    overtakes what is missing, for at most `patience_s`; else all comes at once, missing things later, and for ever
    (recorders). emit: called with every event instead of iteration, in the loop's thread, without any buffer.
    refuse: called with messages that are set aside. poll_s: between two questions for open interest.

    Entering raises ConfigError for a stream that there is not; iteration raises RejectedError where the venue refuses
    the streams. Everything else is tried again for ever, and counted.
    """

    def __init__(
        self,
        hosts: Hosts,
        market: str,
        streams: Sequence[str],
        *,
        clock: Clock | None = None,
        buffer: int = 1000,
        timeline: Timeline | None = None,
        in_order: bool = True,
        patience_s: float = 15.0,
        emit: Callable[[out.StreamEvent], None] | None = None,
        refuse: Callable[[Refused], None] | None = None,
        settings: Settings | None = None,
        poll_s: float = 10.0,
    ) -> None:
        self.market, self.clock = market, clock or WallClock()
        self.streams = [_stream(market, name) for name in dict.fromkeys(streams)]
        self.settings = settings or Settings()
        self.refused: deque[Refused] = deque(maxlen=_REFUSED)
        self.watermark_us = 0  # the latest time that a stream has told
        self._told_us = 0  # the venue's clock, when it was last asked
        self.lines: dict[Any, Line] = {}  # by series; what the lake has no kind for, by series and name
        self._in_order, self._poll_s, self._refuse = in_order, poll_s, refuse
        self._patience_s = patience_s if in_order else 0.0
        self._base = hosts.spot_ws if market == "spot" else hosts.usdm_ws
        self._http = Http(connections=4)
        address = hosts.spot_rest if market == "spot" else hosts.usdm_rest
        self._queue = Queue(self._http, address, market, share=_SHARE, attempts=1)
        self._counts, self._refusals, self._lag_us = Counts(), 0, 0
        self._now = self.clock.now_us
        self._handlers: dict[bytes, Callable[[bytes, int], None]] = {}
        self._by_name: dict[str, list[Line]] = {}
        self._owns_timeline = timeline is None
        self.timeline = Timeline(buffer) if timeline is None else timeline
        self._emit = emit or self.timeline.put
        socket = [stream for stream in self.streams if stream.channel != _POLLED]
        self.pool = Pool(self._base, market, socket, self, self.settings)
        self.timeline.attach(self.pool.pause, self.pool.resume)
        self.repairs = Repairs(
            BinanceHistory(market, self._ask, self.clock), self.clock, self.trouble, patience_s=self._patience_s
        )
        self._resuming: dict[SeriesKey, State] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()
        for stream in self.streams:
            self._by_name[stream.name] = []
            if stream.channel != _POLLED:
                self._handlers[stream.name.encode()] = self._handler(stream)
            if stream.symbol:
                self._line(stream, stream.symbol)

    # ── use ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> "BinanceStreams":
        await self._stack.enter_async_context(self._http)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ask_time(), _PATIENCE_S)
        for key, state in self._resuming.items():
            self.lines[key].resume(state, self.watermark_us)
        self.pool.start(self._ended)
        for stream in self.streams:
            if stream.channel == _POLLED:
                self._run(self._poll(stream))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.repairs.stop()
        await self.pool.stop()
        await self._stack.aclose()
        if self._owns_timeline:
            self.timeline.end()

    def __aiter__(self) -> Timeline:
        return self.timeline

    @property
    def status(self) -> Status:
        """How it goes: connections, messages, what waits and what was left out."""
        lanes, counts, pressure = self.pool.lanes, self._counts, self.timeline.pressure
        connections = [lane.connection for lane in lanes if lane.connection is not None]
        return Status(
            messages=sum(lane.messages for lane in lanes),
            bytes=sum(lane.bytes for lane in lanes),
            connections=sum(not connection.ended.is_set() for connection in connections),
            reconnects=sum(lane.reconnects for lane in lanes),
            handovers=sum(lane.handovers for lane in lanes),
            duplicates=counts.duplicates,
            holes=counts.holes,
            repaired=counts.repaired,
            lost=counts.lost,
            refused=self._refusals,
            lag_us=self._lag_us,
            waiting=len(self.timeline),
            conflated=pressure.conflated,
            pauses=pressure.pauses,
        )

    def resume(self, states: Mapping[SeriesKey, State], watermark_us: int) -> None:
        """Go on where another process has ended, as if the connection had been lost then. To be called before entering.

        Series that are not among the streams are passed over.
        """
        self.watermark_us = max(self.watermark_us, watermark_us)
        self._resuming = {key: state for key, state in states.items() if key in self.lines}

    # ── what lanes tell ─────────────────────────────────────────────────────────────────────────────────────────────

    def text(self, frame: bytes) -> None:
        """A message from a socket."""
        recv = self._now()
        handler = self._handlers.get(frame[11 : frame.find(b'"', 11)])
        if handler is None:
            handler = self._handlers.get(messages.stream_of(frame))
        try:
            if handler is None:
                raise ProtocolError("A message of no stream that was asked for", remedy="It was set aside")
            handler(frame, recv)
        except ProtocolError as error:
            self._set_aside(frame, recv, error)

    def opened(self, names: Sequence[str], *, again: bool) -> None:
        """A connection has these streams now; `again`: it had lost them."""
        for name in names:
            for line in self._by_name[name]:
                line.opened(again)
        if again:
            self._run(self._ask_time())
        self._run(self._settle(names))

    def broken(self, names: Sequence[str], why: str) -> None:
        """A connection has lost these streams."""
        log.get("data").warning("streams lost", market=self.market, streams=len(names), why=why)
        for name in names:
            for line in self._by_name[name]:
                line.broken(self.watermark_us, why)

    def trouble(self, error: NetworkError) -> None:
        """Something went wrong that is tried again."""
        log.get("data").warning("stream trouble", market=self.market, error=str(error))

    def failed(self, error: NetworkError) -> None:
        """Something went wrong for good: readers are told `error`."""
        self.timeline.end(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task is over: by our own doing, or by a bug that must not pass in silence."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.timeline.end(error if isinstance(error, TruewindError) else TruewindError(f"{error!r}"))

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _ask(self, path: str, parameters: dict[str, str]) -> bytes:
        """The body of a reply by REST; one attempt, since whoever asks knows how long to go on."""
        return await self._queue.get(path, parameters, bytes)

    async def _ask_time(self) -> None:
        """Learn what the venue's clock shows: a replay may run ahead of ours."""
        try:
            self._told_us = await self._queue.server_time_us()
        except NetworkError as error:
            self.trouble(error)

    async def _settle(self, names: Sequence[str]) -> None:
        await asyncio.sleep(self.settings.overlap_s)
        for name in names:
            for line in self._by_name[name]:
                line.settle(self.watermark_us)

    def _set_aside(self, frame: bytes, recv: int, error: ProtocolError) -> None:
        self._refusals += 1
        name = messages.stream_of(frame).decode("utf-8", "replace")
        streams = [stream for stream in self.streams if stream.name == name] or self.streams
        key = _key(streams[0], streams[0].symbol or "ALL")
        for line in self._by_name.get(name, ()):
            line.broken(self.watermark_us, "a message could not be read")
        reason = str(error.facts.get("reason") or error.message)
        refused = Refused(key, recv, reason, frame[:4096].decode("utf-8", "replace"))
        self.refused.append(refused)
        if self._refuse is not None:
            self._refuse(refused)

    async def _poll(self, stream: Stream) -> None:
        line = self._line(stream, stream.symbol)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                event = await self.repairs.history.open_interest(stream.symbol)
                self._mark(event.ts_event, event.ts_recv, stream)
                line.take(event)
            except NetworkError as error:
                self.trouble(error)
                line.broken(self.watermark_us, "the venue did not answer")
            due = max(due + self._poll_s, loop.time())
            await asyncio.sleep(due - loop.time())

    # ── messages to events ──────────────────────────────────────────────────────────────────────────────────────────

    def _line(self, stream: Stream, symbol: str) -> Any:
        """The line of a stream's symbol, made when first needed."""
        key = _key(stream, symbol)
        name = key if stream.channel not in ("trade", "ticker") and not stream.levels else (key, stream.name)
        line = self.lines.get(name)
        if line is None:
            line = self.lines[name] = self._made(stream, key)
        if line not in self._by_name[stream.name]:
            self._by_name[stream.name].append(line)
        return line

    def _made(self, stream: Stream, key: SeriesKey) -> Line:
        emit, counts, channel = self._emit, self._counts, stream.channel
        if channel == "aggTrade":
            return TradeLine(key, emit, counts, self.repairs, in_order=self._in_order)
        if channel == "kline":
            return BarLine(key, emit, counts, self.repairs, in_order=self._in_order)
        if channel == "depth" and not stream.levels:
            return BookLine(key, emit, counts, self.repairs, in_order=self._in_order)
        if channel == "markPrice":
            # Every one or three seconds; stamps are put on to the millisecond, so half of one more is still no loss.
            period_us = 1_500_000 if stream.name.endswith("@1s") else 4_500_000
            return PlainLine(key, emit, counts, in_order=self._in_order, period_us=period_us)
        return PlainLine(key, emit, counts, in_order=self._in_order, is_sparse=channel == "forceOrder")

    def _mark(self, ts: int, recv: int, stream: Stream) -> None:
        """Note a time that the venue told. Raises ProtocolError for one in the future."""
        if ts > self.watermark_us:
            if ts > max(recv, self.watermark_us, self._told_us) + AHEAD_US:
                raise ProtocolError(
                    f"{stream.name}: a message from {(ts - recv) / SECOND_US:.0f} s in the future",
                    remedy="Check this machine's clock",
                    reason="from the future",
                )
            self.watermark_us = ts
        self._lag_us = recv - ts

    def _handler(self, stream: Stream) -> Callable[[bytes, int], None]:
        """What turns a frame of the stream into events."""
        decode = messages.message_decoder(stream)
        make = MAKERS["partial" if stream.channel == "depth" and stream.levels else stream.channel]
        mark = self._mark
        if not stream.symbol:
            return self._handler_of_all(stream, decode, make)
        line = self._line(stream, stream.symbol)
        take = line.take
        symbol = stream.symbol
        bars: BarLine | None = line if isinstance(line, BarLine) else None

        def handle(frame: bytes, recv: int) -> None:
            event = make(decode(frame), recv, stream)
            if event.symbol != symbol:
                raise impossible(stream, f"a message of {event.symbol}", "of another symbol")
            mark(event.ts_event, recv, stream)
            if bars is not None and type(event) is out.Forming:
                bars.form(event)
            else:
                take(event)

        return handle

    def _handler_of_all(
        self, stream: Stream, decode: Callable[[bytes], Any], make: Callable[[Any, int, Stream], Any]
    ) -> Callable[[bytes, int], None]:
        def handle(frame: bytes, recv: int) -> None:
            found = decode(frame)
            for message in found if isinstance(found, list) else [found]:
                event = make(message, recv, stream)
                self._mark(event.ts_event, recv, stream)
                self._line(stream, event.symbol).take(event)

        return handle
