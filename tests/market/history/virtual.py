"""Time that passes as fast as nothing happens, and a venue that counts as strictly as Binance's documents say."""

import asyncio
import random
import selectors
from collections.abc import Coroutine, Mapping
from email.utils import formatdate
from typing import Any, TypeVar

from truewind.market.http import Reply
from truewind.venues.binance.endpoints import LIMITS, Budget, endpoint

T = TypeVar("T")
START_US = 1_700_000_000_000_000


class VirtualLoop(asyncio.SelectorEventLoop):
    """Sleeping takes no time: where nothing can run, the clock jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self.now = 0.0
        inner = self._selector.select

        def select(timeout: float | None = None) -> Any:
            if timeout:
                self.now += max(timeout, 1e-6)
            return inner(0)

        self._selector.select = select

    def time(self) -> float:
        return self.now

    def now_us(self) -> int:
        return START_US + round(self.now * 1e6)


def run(make: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Run to the end in virtual time."""
    try:
        return loop.run_until_complete(make)
    finally:
        loop.close()


class StrictVenue:
    """A transport that answers after a random delay, counts by its own clock, and refuses what is over a limit.

    ahead_s: its clock before ours. others: weight that somebody else uses each window. used: weight by window, as
    counted; refused: how many requests were over a limit.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        market: str,
        *,
        ahead_s: float = 0.0,
        delay_s: float = 0.05,
        others: int = 0,
        seed: int = 0,
    ) -> None:
        self.loop, self.market, self.ahead_s, self.delay_s = loop, market, ahead_s, delay_s
        self.others, self.draw = others, random.Random(seed)
        self.used: dict[tuple[str, int], int] = {}
        self.refused = 0

    async def get(self, url: str, parameters: Mapping[str, str]) -> Reply:
        await asyncio.sleep(self.delay_s * self.draw.random())
        now = self.loop.now_us() / 1e6 + self.ahead_s
        path = "/" + url.split("/", 3)[3]
        line = endpoint(self.market, "GET", path)
        assert line is not None
        limits = LIMITS[self.market]
        weighed = line.budget is Budget.WEIGHT
        allowance = limits.weight if weighed else limits.budgets[line.budget]
        window = (line.budget.value, int(now // allowance.seconds))
        self.used.setdefault(window, self.others if weighed else 0)
        self.used[window] += line.weight(parameters) if weighed else 1
        headers = {"Date": formatdate(now, usegmt=True)}
        if weighed:
            headers["X-MBX-USED-WEIGHT-1M"] = str(self.used[window])
        status = 200
        if self.used[window] > allowance.limit:
            self.refused += 1
            status, headers["Retry-After"] = 429, str(int(allowance.seconds - now % allowance.seconds) + 1)
        await asyncio.sleep(self.delay_s * self.draw.random())
        return Reply(status, headers, b'{"serverTime": 1700000000000}')
