"""Requests to a Binance market: as many as its limits allow, and never one more.

Limits are sums of weights within windows that begin at whole minutes (or five) of the venue's clock. A window counts as
begun only when the venue's clock has surely passed its edge, and what was on its way around an edge counts in both
windows. The venue's clock is known from the Date of every reply: each narrows by how much it can differ from ours. What
others behind our address use shows in the used-weight header.

A 429 (too many) or 418 (banned) stops everything until the time that the venue says. Silence, cut bodies, 5xx and
pages that a proxy made are tried again, later and later, at random moments (full jitter: wait a random part of a span
that doubles), so that many clients do not come back together.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar

import msgspec

from truewind.domain.clock import WallClock, iso, parse_ts_us
from truewind.domain.timeframe import SECOND_US
from truewind.errors import ConfigError, LimitedError, ProtocolError, RejectedError, UnreachableError
from truewind.market.http import CONNECTIONS, Reply, Transport, retry_after_s
from truewind.venues.binance import payloads
from truewind.venues.binance.endpoints import LIMITS, Allowance, Budget, Endpoint, endpoint

_T = TypeVar("_T")
_USED = "X-MBX-USED-WEIGHT-1M"
_RAW = "raw"
_ATTEMPTS = 8
_FIRST_S, _LONGEST_S = 0.5, 30.0
_PATIENCE_S = 300.0  # a ban is waited for only so long
_FUZZY = 4  # attempts where replies come and are no answer
_BUSY_CODES = frozenset(
    {-1000, -1001, -1006, -1007, -1008, -1016}
)  # the venue's own trouble: unknown, timeout, overload
_LIMIT_CODES = frozenset({-1003, -1015})
_STUBBORN = 10  # minutes that one request is told to wait before we give up

_now_us = WallClock().now_us


class Queue:
    """One market ("spot", "usdm") at one address. Requests wait their turn in the order in which they were made.

    share: how much of the venue's limits may be used; the rest is for what else runs behind the same address.
    patience_s: the longest ban that is waited for.
    """

    def __init__(
        self,
        transport: Transport,
        address: str,
        market: str,
        *,
        share: float = 0.98,
        connections: int = CONNECTIONS,
        patience_s: float = _PATIENCE_S,
        attempts: int = _ATTEMPTS,
        now_us: Callable[[], int] = _now_us,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.address, self.market = address, market
        self._transport, self._now_us, self._draw = transport, now_us, draw
        self._patience_s, self._attempts = patience_s, attempts
        self._clock = _VenueClock()
        limits = LIMITS[market]
        allowances = {Budget.WEIGHT: limits.weight, **limits.budgets}
        self._windows = {budget: _Window(allowance) for budget, allowance in allowances.items()}
        self._raw = None if limits.raw is None else _Window(limits.raw)
        self._connections, self._paused_until_us = connections, 0
        self.use(share)
        self.open()

    def open(self) -> None:
        """Begin anew with nobody waiting, in whatever event loop: what was used of the limits is still known."""
        self._turns = {budget: asyncio.Lock() for budget in self._windows}
        # Who waits for one budget holds no connection that requests on another could use.
        self._free = {budget: asyncio.Semaphore(self._connections) for budget in self._windows}
        self._landing = asyncio.Event()

    def use(self, share: float) -> None:
        """Use that much of the venue's limits from now on. Raises ConfigError for what is no share."""
        if not 0 < share <= 1:
            raise ConfigError(f"{share} is no share of a limit", remedy="Give more than 0 and at most 1, as in 0.5")
        for window in (*self._windows.values(), *([self._raw] if self._raw else [])):
            window.limit = max(1, int(window.allowance.limit * share))

    async def get(self, path: str, parameters: Mapping[str, object], decode: Callable[[bytes], _T]) -> _T:
        """The decoded reply to GET `path`.

        Raises RejectedError with the venue's code and words, LimitedError if it refuses for longer than we wait,
        UnreachableError if it cannot be reached, ProtocolError if its replies stay unreadable.
        """
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        failed = 0
        while True:
            try:
                return decode(await self._once(path, given))
            except (UnreachableError, ProtocolError) as error:
                failed += 1
                most = _FUZZY if isinstance(error, ProtocolError) else self._attempts
                if failed >= most or "redirected" in error.facts:
                    raise
                await asyncio.sleep(self._draw() * min(_LONGEST_S, _FIRST_S * 2.0**failed))

    async def server_time_us(self) -> int:
        """What the venue's clock shows: at most as late as it is by now, whatever speed it runs at."""
        path = "/api/v3/time" if self.market == "spot" else "/fapi/v1/time"
        return await self.get(path, {}, payloads.server_time_us)

    async def _once(self, path: str, given: Mapping[str, str]) -> bytes:
        """One request in its turn; a limit that is met is waited for, and the request made again."""
        line, refused = self._line(path), 0
        while True:
            async with self._free[line.budget]:
                ticket = await self._turn(line, given)
                try:
                    reply = await self._transport.get(self.address + path, given)
                    now_us = self._now_us()
                    self._clock.learn(reply.headers.get("Date"), ticket.sent_us, now_us)
                    ticket.told = reply.headers.get(_USED) if ticket.tells else None
                finally:
                    ticket.landed(self._now_us() + self._clock.high_us)
                    self._landing.set()
            if reply.status == 200:
                return _body(reply, self.address)
            refused += 1
            self._refused(reply, patient=refused < _STUBBORN)  # returns where we shall wait and ask again

    def _line(self, path: str) -> Endpoint:
        line = endpoint(self.market, "GET", path)
        if line is None:
            raise ValueError(f"{path} is no endpoint of {self.market}")
        return line

    async def _turn(self, line: Endpoint, given: Mapping[str, str]) -> "_Ticket":
        weight = line.weight(given)
        windows = [(self._windows[line.budget], weight if line.budget is Budget.WEIGHT else 1)]
        windows += [(self._raw, 1)] if self._raw is not None else []
        async with self._turns[line.budget]:
            while True:
                now_us = self._now_us()
                if self._paused_until_us - now_us > self._patience_s * SECOND_US:
                    raise self._too_long("still")
                waits = [window.wait_us(now_us + self._clock.low_us, amount) for window, amount in windows]
                waits.append(self._paused_until_us - now_us)
                longest = max(wait for wait in waits if wait is not None)
                if longest > 0:
                    await asyncio.sleep(longest / SECOND_US)
                elif None in waits:
                    self._landing.clear()
                    await self._landing.wait()
                else:
                    break
            taken = [(window, amount, window.take(amount)) for window, amount in windows]
            return _Ticket(taken, now_us, tells=line.budget is Budget.WEIGHT)

    def _refused(self, reply: Reply, *, patient: bool) -> None:
        """Turn a refusal into an error, or into a pause after which the same request may be made again."""
        told = payloads.failure(reply.body)
        if reply.status in (418, 429) or (told is not None and told.code in _LIMIT_CODES):
            self._pause(reply, patient=patient)
            return
        if reply.status >= 500 or (told is not None and told.code in _BUSY_CODES):
            words = told.msg if told else "no reason given"
            raise UnreachableError(
                f"{self.address} has trouble of its own: HTTP {reply.status}, {words[:200]}",
                remedy="Try again later: the work goes on where it stopped",
                status=reply.status,
            )
        if told is not None:
            raise RejectedError(
                f"{self.address} refused: {told.msg[:200]} ({told.code})",
                remedy="Check the symbol and the times that were asked for",
                code=told.code,
                words=told.msg,
            )
        remedy = {
            403: "Its firewall refuses this address: wait, or use another connection",
            451: "It does not serve the country of this address: use its archive or another venue",
        }
        raise RejectedError(
            f"{self.address} refused: HTTP {reply.status}",
            remedy=remedy.get(reply.status, "Check the address of the venue"),
            status=reply.status,
        )

    def _pause(self, reply: Reply, *, patient: bool) -> None:
        """Everything waits as long as the venue says, or to the end of the minute where it says nothing."""
        now_us = self._now_us()
        told_s = retry_after_s(reply.headers)
        wait_s = 60 - (now_us // SECOND_US) % 60 if told_s is None else int(told_s)
        until_us = now_us + (wait_s + 1) * SECOND_US
        self._paused_until_us = max(self._paused_until_us, until_us)
        if wait_s > self._patience_s or not patient:
            raise self._too_long(f"HTTP {reply.status}")

    def _too_long(self, why: str) -> LimitedError:
        return LimitedError(
            f"{self.address} lets this address wait until {iso(self._paused_until_us)} ({why})",
            remedy="Start again then: the work goes on where it stopped. Ask for less at once, or find who else asks",
            until_us=self._paused_until_us,
        )


class _VenueClock:
    """By how much the venue's clock is ahead of ours: at least `low_us`, at most `high_us`."""

    def __init__(self) -> None:
        self.low_us, self.high_us = -SECOND_US, SECOND_US
        self._known = False

    def learn(self, date: str | None, sent_us: int, received_us: int) -> None:
        """A reply that was made between these times was dated so, to the second."""
        try:
            moment = parsedate_to_datetime(date or "")
        except ValueError:
            return
        date_us = parse_ts_us(moment.replace(tzinfo=UTC))
        low, high = date_us - received_us, date_us + SECOND_US - sent_us
        if self._known:
            low, high = max(low, self.low_us), min(high, self.high_us)
        if low > high:  # one of the clocks was set
            low, high = date_us - received_us, date_us + SECOND_US - sent_us
        self.low_us, self.high_us, self._known = low, high, True


class _Window:
    """What is used of one allowance in the venue's current window.

    used: what we have sent. told: the most that the venue said was used, by others too. flying: of requests without a
    reply yet. late: of those that the venue may count in the next window though they were sent in this one.
    """

    def __init__(self, allowance: Allowance) -> None:
        self.allowance, self.limit = allowance, allowance.limit
        self.length_us = allowance.seconds * SECOND_US
        self.index = -1
        self.used = self.told = self.flying = self.late = 0

    def wait_us(self, venue_us: int, amount: int) -> int | None:
        """How long until `amount` may be used, None: until a reply comes. venue_us: the venue's time, at the least.

        The venue may or may not have counted what is on its way when it told. Where that matters we let it land.
        """
        index = venue_us // self.length_us
        if index > self.index:
            self.index, self.used, self.told, self.late = index, self.flying + self.late, 0, 0
        if max(self.used, self.told + self.flying) + amount <= self.limit or not self.used:
            return 0  # a single request beyond the limit is for the venue to refuse
        if max(self.used, self.told) + amount <= self.limit:
            return None
        return (self.index + 1) * self.length_us - venue_us

    def take(self, amount: int) -> int:
        self.used += amount
        self.flying += amount
        return self.index

    def landed(self, amount: int, index: int, latest_us: int, told: int | None) -> None:
        """A request has its reply, by `latest_us` of the venue's clock; `told`: what the venue has counted."""
        self.flying -= amount
        if latest_us // self.length_us > self.index:
            self.late += amount
        if told is not None and index == self.index:
            self.told = max(self.told, told)
        if not self.flying:
            self.used = max(self.used, self.told)


class _Ticket(msgspec.Struct):
    """A request on its way: windows, amounts, their index. tells: its reply tells what is used of the first window."""

    taken: list[tuple[_Window, int, int]]
    sent_us: int
    tells: bool
    told: str | None = None

    def landed(self, latest_us: int) -> None:
        used = int(self.told) if self.told and self.told.isascii() and self.told.isdigit() else None
        for window, amount, index in self.taken:
            window.landed(amount, index, latest_us, used)
            used = None


def _body(reply: Reply, address: str) -> bytes:
    """The body of a reply that says it is one."""
    if reply.body.lstrip()[:1] == b"<":
        raise UnreachableError(
            f"{address} answered with a web page", remedy="Look for a proxy or a login page in between"
        )
    if not reply.body.strip():
        raise ProtocolError(f"{address} answered with nothing", remedy="Try again later")
    return reply.body


async def in_order(work: Iterable[Callable[[], Awaitable[_T]]], ahead: int) -> AsyncIterator[_T]:
    """Results in the order of `work`, with up to `ahead` begun before the first of them is taken."""
    tasks: list[asyncio.Task[_T]] = []
    waiting = iter(work)
    try:
        while True:
            while len(tasks) < ahead and (begin := next(waiting, None)) is not None:
                tasks.append(asyncio.ensure_future(begin()))
            if not tasks:
                return
            yield await tasks.pop(0)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
