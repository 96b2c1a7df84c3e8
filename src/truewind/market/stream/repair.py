"""What streams have missed, by REST: trades by their ids, bars by their times, a book by a new snapshot."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from truewind.domain.market import Bar, Trade
from truewind.domain.ports import Clock
from truewind.errors import NetworkError, ProtocolError
from truewind.market.stream.events import Depth, OpenInterest
from truewind.market.stream.lines import BarLine, BookLine, NumberedLine
from truewind.venues.binance import payloads

Ask = Callable[[str, dict[str, str]], Awaitable[bytes]]  # path, parameters → the body; raises NetworkErrors
_PAGE = 1000  # trades and bars in one reply: the venue's most
_PATHS = {"spot": "/api/v3", "usdm": "/fapi/v1"}
_GRACE_S = 0.2  # what was merely overtaken comes by itself


class History(Protocol):
    """What the venue is asked for."""

    async def trades(self, symbol: str, first_id: int) -> list[Trade]:
        """At most 1000 trades from `first_id` on, in order."""

    async def bars(self, symbol: str, timeframe: str, start_us: int, end_us: int) -> list[Bar]:
        """At most 1000 bars that open in start_us … end_us − 1 and are over."""

    async def depth(self, symbol: str) -> Depth:
        """The book as it is."""

    async def open_interest(self, symbol: str) -> OpenInterest: ...


class BinanceHistory:
    """`History` of one of Binance's markets. Raises NetworkErrors: ProtocolError for an answer unlike the documents."""

    def __init__(self, market: str, ask: Ask, clock: Clock) -> None:
        self.market, self._ask, self._clock = market, ask, clock
        self._path = _PATHS[market]

    async def trades(self, symbol: str, first_id: int) -> list[Trade]:
        rows = payloads.agg_trade_rows(await self._get("aggTrades", symbol, fromId=str(first_id), limit=str(_PAGE)))
        recv = self._clock.now_us()
        return [
            Trade(symbol, row.time * 1000, recv, row.price, row.quantity, -1 if row.sold else 1, row.id)
            for row in rows
            if row.price > 0.0 and row.quantity > 0.0
        ]

    async def bars(self, symbol: str, timeframe: str, start_us: int, end_us: int) -> list[Bar]:
        times = {"startTime": str(start_us // 1000), "endTime": str(end_us // 1000 - 1)}
        rows = payloads.kline_rows(await self._get("klines", symbol, interval=timeframe, limit=str(_PAGE), **times))
        recv = self._clock.now_us()
        bars = (
            Bar(
                *(symbol, row.open_time * 1000, (row.close_time + 1) * 1000, recv),
                *(row.open, row.high, row.low, row.close, row.volume),
                *(row.quote_volume, row.trades, row.taker_buy_volume),
            )
            for row in rows
        )
        return [bar for bar in bars if start_us <= bar.ts < end_us and _is_sound(bar)]

    async def depth(self, symbol: str) -> Depth:
        book = payloads.order_book(await self._get("depth", symbol, limit="1000"))
        recv = self._clock.now_us()
        ts = recv if book.time is None else book.time * 1000
        bids, asks = ([(level.price, level.quantity) for level in side] for side in (book.bids, book.asks))
        return Depth(symbol, ts, recv, book.final, bids, asks, is_snapshot=True)

    async def open_interest(self, symbol: str) -> OpenInterest:
        now = payloads.interest_now(await self._get("openInterest", symbol))
        if not now.open_interest >= 0.0:
            raise ProtocolError(f"An open interest of {now.open_interest} in {symbol} cannot be", remedy="Ask again")
        return OpenInterest(symbol, now.time * 1000, self._clock.now_us(), now.open_interest)

    async def _get(self, what: str, symbol: str, **parameters: str) -> bytes:
        return await self._ask(f"{self._path}/{what}", {"symbol": symbol, **parameters})


class Repairs:
    """Mends lines, one task a line at most. Recorders never give up; strategies wait `patience_s` and go on.

    trouble: told of what failed and is tried again.
    """

    def __init__(
        self,
        history: History,
        clock: Clock,
        trouble: Callable[[NetworkError], None],
        *,
        patience_s: float,
        poll_book_s: float = 0.5,
    ) -> None:
        self.history, self.clock, self.patience_s = history, clock, patience_s
        self._trouble, self._poll_book_s = trouble, poll_book_s
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._again: set[int] = set()

    # ── what lines ask ──────────────────────────────────────────────────────────────────────────────────────────────

    def numbers(self, line: NumberedLine) -> None:
        self._begin(line, self._fill(line))

    def latest(self, line: NumberedLine) -> None:
        self._again.add(id(line))
        self._begin(line, self._fill(line))

    def snapshot(self, line: BookLine) -> None:
        self._begin(line, self._book(line))

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def _begin(self, line: NumberedLine | BookLine, work: Coroutine[Any, Any, None]) -> None:
        """Start a line's task, if it has none: a task sees what it is asked while it runs."""
        if id(line) in self._tasks:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[id(line)] = task
        task.add_done_callback(lambda _: self._tasks.pop(id(line), None))

    # ── how it is done ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _fill(self, line: NumberedLine) -> None:
        """Until the line has no holes, and knows all that the venue has."""
        await asyncio.sleep(_GRACE_S if id(line) not in self._again else 0.0)
        began, failures, empty = self._now(), 0, 0
        while line.holes or id(line) in self._again:
            to_the_end = not line.holes
            first, last = (line.holes.least, 1 << 62) if to_the_end else line.holes.intervals[0]
            try:
                found = await self._page(line, first, last)
            except NetworkError as error:
                self._trouble(error)
                failures += 1
                if self.patience_s and self._now() - began > self.patience_s:
                    self._again.discard(id(line))
                    line.give_up(first, last, self.clock.now_us(), "the venue did not give it again")
                    began, failures = self._now(), 0
                else:
                    await asyncio.sleep(_wait(failures))
                continue
            failures = 0
            numbers = [line.number(event) for event in found]
            for event in found:
                line.take(event, repaired=True)
            if to_the_end:
                if len(found) < _PAGE:
                    self._again.discard(id(line))
            elif numbers:
                line.give_up(first, min(last, numbers[0] - 1), self.clock.now_us(), "")
                if len(found) < _PAGE and numbers[-1] < last:
                    line.give_up(numbers[-1] + 1, last, self.clock.now_us(), "")
                empty = 0
            else:
                empty += 1  # what a stream tells may reach the venue's history a moment later
                if empty > 3:
                    line.give_up(first, last, self.clock.now_us(), "")
                    empty = 0
                else:
                    await asyncio.sleep(_wait(empty))

    async def _page(self, line: NumberedLine, first: int, last: int) -> list[Trade] | list[Bar]:
        if isinstance(line, BarLine):
            end = min(last + 1, first + _PAGE)
            key = line.key
            bars = await self.history.bars(key.symbol, key.timeframe, line.opens_at(first), line.opens_at(end))
            is_open_end = last + 1 > end and len(bars) < _PAGE
            return bars[:-1] if is_open_end else bars  # the last one may not be over
        found = await self.history.trades(line.key.symbol, first)
        return [trade for trade in found if first <= trade.sequence]

    async def _book(self, line: BookLine) -> None:
        """Until the updates follow each other again, or a snapshot joins those that wait."""
        failures = 0
        while line.needs_snapshot or line.has_early:
            if line.has_early:
                await asyncio.sleep(_GRACE_S)
                if line.has_early:
                    line.give_up()
                continue
            if failures == 0 and not line.has_waiting:
                await self._first_update(line)
            try:
                if line.snapshot(await self.history.depth(line.key.symbol)):
                    failures = 0
                    continue
            except NetworkError as error:
                self._trouble(error)
                failures += 1
                await asyncio.sleep(_wait(failures))
                continue
            await asyncio.sleep(self._poll_book_s)

    async def _first_update(self, line: BookLine) -> None:
        """Wait a little for the stream: updates that begin behind the snapshot cannot be joined to it."""
        for _ in range(10):
            if line.has_waiting:
                return
            await asyncio.sleep(self._poll_book_s / 10)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _wait(failures: int) -> float:
    """Seconds until the next request."""
    return min(20.0, 0.2 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)


def _is_sound(bar: Bar) -> bool:
    return 0.0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high < float("inf")
