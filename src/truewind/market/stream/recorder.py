"""The recorder: streams onto disk within a fraction of a second, from there into the lake.

    streams ─► segment (journal, flushed 5 times a second) ─► closed at rotation ─► folded into the lake, in a thread

A lake that is slow, or cannot be reached, lets segments wait on disk; nothing is dropped. After a kill the next start
reads the last segment, folds it, and goes on where it ends: trades and bars that were missed are asked for by their
numbers, and of every other series the time that nobody heard is told in the gap ledger.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from truewind import log
from truewind.domain.clock import WallClock
from truewind.domain.market import Bar, Quote, Trade
from truewind.domain.ports import Clock
from truewind.domain.timeframe import timeframe_name
from truewind.errors import ConfigError, DataError, FormatError, LockedError, StorageError, TruewindError
from truewind.market.stream.binance import BinanceStreams, Refused, Status, series_of
from truewind.market.stream.events import Depth, Forced, Lost, MarkPrice, OpenInterest, StreamEvent
from truewind.market.stream.fold import fold
from truewind.market.stream.lines import State
from truewind.market.stream.pool import Settings
from truewind.market.stream.spill import Segment, covered_next, next_segment, read_segment, segments
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.venues.binance import messages
from truewind.venues.binance.hosts import Hosts

_KINDS: dict[type, str] = {
    Trade: "trades",
    Quote: "quotes",
    Depth: "book",
    MarkPrice: "marks",
    Forced: "liquidations",
    OpenInterest: "open_interest",
    Bar: "bars",
}
_MARK_S = 0.2  # how often what was heard is handed to the operating system
_SYNC_S = 1.0  # how often the device is waited for
_AGAIN_S = 5.0  # until a lake that refused is tried again
_MOST_WAITING = 20_000  # rows: more are handed over at once


class Progress(msgspec.Struct, frozen=True):
    """How a recording does. rows: heard by series; stored: new in the lake; segments: waiting to be folded."""

    status: Status
    rows: dict[str, int]
    stored: int
    segments: int
    lost: int


class Recorder:
    """Records streams of one of Binance's markets.

    streams: by their names, as `BinanceStreams` takes them. folder: for segments, of this recorder alone.
    rotate_s: how often what was heard goes to the lake.
    """

    def __init__(
        self,
        lake: Lake,
        hosts: Hosts,
        market: str,
        streams: Sequence[str],
        folder: Path,
        *,
        clock: Clock | None = None,
        rotate_s: float = 60.0,
        settings: Settings | None = None,
        poll_s: float = 10.0,
    ) -> None:
        self.lake, self.folder, self.rotate_s = lake, folder, rotate_s
        self.venue = messages.VENUES[market]
        self.rows: dict[SeriesKey, int] = {}
        self.stored = self.lost = 0
        self._states: dict[SeriesKey, State] = {}  # of series that are not recorded this time, too
        self._covered: dict[SeriesKey, int] = {}
        self._keys: dict[tuple[str, str, str], SeriesKey] = {}
        self._closed: list[Path] = []
        self._segment: Segment | None = None
        self._folding: asyncio.Task[None] | None = None
        self._fold_at = 0.0
        self._lock = -1
        for name in streams:
            if series_of(market, name).kind == "quotes" and not name.endswith("@bookTicker"):
                raise ConfigError(f"The lake has no kind of series for {name}", remedy="Leave it out")
        self.streams = BinanceStreams(
            *(hosts, market, streams),
            clock=clock or WallClock(),
            in_order=False,
            emit=self._take,
            refuse=self._refuse,
            settings=settings,
            poll_s=poll_s,
        )

    @property
    def progress(self) -> Progress:
        rows = {str(key): count for key, count in sorted(self.rows.items())}
        return Progress(self.streams.status, rows, self.stored, len(self._closed), self.lost)

    async def run(self, stop: asyncio.Event, watch: Callable[[Progress], None] | None = None) -> Progress:
        """Record until `stop` is set; watch: told how it goes, once a second.

        A lake that refuses is tried again; segments wait meanwhile. Raises LockedError if another recorder has the
        folder, StorageError if the disk refuses, or the lake at the end, RejectedError if the venue refuses the
        streams. Whatever it raises, what was heard is on disk.
        """
        self._begin()
        try:
            async with self.streams:
                await self._record(stop, watch)
        finally:
            await self._end()
        return self.progress

    # ── while it runs ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _record(self, stop: asyncio.Event, watch: Callable[[Progress], None] | None) -> None:
        loop = asyncio.get_running_loop()
        failed = asyncio.ensure_future(anext(self.streams.timeline))
        stopped = asyncio.ensure_future(stop.wait())
        rotated = synced = loop.time()
        try:
            while not stopped.done():
                await asyncio.wait((stopped, failed), timeout=_MARK_S, return_when=asyncio.FIRST_COMPLETED)
                if failed.done():
                    failed.result()
                self._mark()
                now = loop.time()
                if now - synced >= _SYNC_S:
                    synced = now
                    await asyncio.to_thread(self._current.sync)
                    if watch is not None:
                        watch(self.progress)
                if now - rotated >= self.rotate_s:
                    rotated = now
                    self._rotate()
                self._fold()
        finally:
            stopped.cancel()
            failed.cancel()
            with suppress(asyncio.CancelledError, TruewindError, StopAsyncIteration):
                await failed

    def _take(self, event: StreamEvent) -> None:
        if type(event) is Lost:
            self.lost += 1
            self._current.lost(event)
            return
        kind = _KINDS.get(type(event))
        if kind is None:
            return
        timeframe = "" if type(event) is not Bar else timeframe_name(event.ts_event - event.ts)
        name = (kind, event.symbol, timeframe)
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = SeriesKey(kind, self.venue, event.symbol, timeframe)
        self._current.put(key, event)
        self.rows[key] = self.rows.get(key, 0) + 1
        if self._current.waiting > _MOST_WAITING:
            self._mark()

    def _refuse(self, what: Refused) -> None:
        self._current.refused(what)

    def _mark(self) -> None:
        lines = self.streams.lines
        losing = {key: line.lost_from for key, line in lines.items() if line.lost_from and isinstance(key, SeriesKey)}
        self._current.mark(self.streams.watermark_us, losing)

    # ── segments ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _current(self) -> Segment:
        if self._segment is None:
            raise StorageError("The recorder is not running", remedy="Await `run`")
        return self._segment

    def _begin(self) -> None:
        """Take the folder, learn from the last segment how to go on, and open the next one."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            remedy = "Let it end, or give this one a folder of its own (--spill)"
            raise LockedError(f"Another recorder writes to {self.folder}", remedy=remedy) from None
        except OSError as error:
            raise StorageError(f"Cannot use {self.folder}: {error.strerror}", remedy="Check permissions") from None
        self._closed = segments(self.folder)
        watermark = 0
        for path in reversed(self._closed):
            try:
                heard = read_segment(path)
            except FormatError:
                continue  # not even its first bytes were written
            if heard.states:
                self._states, watermark = dict(heard.states), heard.watermark_us
                self._covered = covered_next(heard.covered, heard.states)
                break
        self.streams.resume(self._states, watermark)
        # Lines take up what they are given when they are opened: a kill before that must find it in the segment, too.
        self._states = self._all_states() | self._states
        self._open()

    def _open(self) -> None:
        self._segment = Segment(next_segment(self.folder, self._closed), self._states, self._covered)

    def _all_states(self) -> dict[SeriesKey, State]:
        lines = {key: line.state() for key, line in self.streams.lines.items() if isinstance(key, SeriesKey)}
        return self._states | lines

    def _rotate(self) -> None:
        """Close the segment, and open the next with the state of every series as it is now."""
        old = self._current
        if not old.rows:
            return
        self._mark()
        old.close()
        self._closed.append(old.path)
        self._states = self._all_states()
        self._covered = covered_next(self._covered_now(old), self._states)
        self._open()

    def _covered_now(self, segment: Segment) -> dict[SeriesKey, int]:
        return {key: segment.covered.get(key, 0) for key in self._states}

    def _fold(self) -> None:
        """See to it that closed segments are being folded; what the lake has refused is tried again a while later."""
        if self._folding is not None and self._folding.done():
            task, self._folding = self._folding, None
            task.result()
        loop = asyncio.get_running_loop()
        if self._folding is None and self._closed and loop.time() >= self._fold_at:
            self._folding = loop.create_task(self._try_to_fold())

    async def _try_to_fold(self) -> None:
        try:
            await self._fold_closed()
        except StorageError as error:
            log.get("data").warning("the lake refuses", segments=len(self._closed), error=str(error))
            self._fold_at = asyncio.get_running_loop().time() + _AGAIN_S

    async def _fold_closed(self) -> None:
        """Fold all closed segments. Raises StorageError; then those that are left are still there."""
        while self._closed:
            path = self._closed[0]
            try:
                self.stored += await asyncio.to_thread(fold, self.lake, path)
            except FormatError:
                path.unlink()  # a crash came before its first bytes
            except DataError as error:
                log.get("data").error("segment set aside", path=str(path), error=str(error))
                path.rename(path.with_suffix(".refused"))
            del self._closed[0]

    async def _end(self) -> None:
        """Put everything into the lake; one segment stays, which says how to go on."""
        try:
            if self._segment is not None:
                self._rotate()
                self._segment.close()
                self._closed = [path for path in self._closed if path != self._segment.path]
            if self._folding is not None:
                await self._folding
            await self._fold_closed()  # what the lake refuses now waits for the next start
        finally:
            self._segment = None
            os.close(self._lock)


def stream_names(symbol: str, what: Sequence[str], market: str) -> list[str]:
    """Names of the streams that record `what` of a symbol: "trades", "bars:1m", "book", "quotes", "marks",
    "liquidations", "open_interest". Raises ConfigError for what the market has not."""
    names = []
    for item in what:
        kind, _, timeframe = item.partition(":")
        stream: Any = {
            "trades": "aggTrade",
            "bars": f"kline_{timeframe or '1m'}",
            "book": "depth@100ms" if market == "spot" else "depth@0ms",
            "quotes": "bookTicker",
            "marks": "markPrice@1s",
            "liquidations": "forceOrder",
            "open_interest": "openInterest",
        }.get(kind)
        if stream is None or (timeframe and kind != "bars"):
            raise ConfigError(
                f"'{item}' cannot be recorded",
                remedy="Choose of bars:1m (any timeframe), trades, book, quotes, marks, liquidations, open_interest",
            )
        name = messages.stream_name(symbol, stream)
        series_of(market, name)  # refuses what the market does not have
        names.append(name)
    return names
