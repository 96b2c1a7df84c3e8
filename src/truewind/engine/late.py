"""What a strategy hears late: replies that take their way back, rows that arrive out of order. In the event lane.

The venue lives in the order of event times, the strategy in the order in which it is told: each row when it is
received, each fill a reply's latency after it happened, and not before the row in which it did. Until then its position
and its working orders look to it as they did before. The risk gate, sizing and the account's equity go by what the
venue knows.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.order import ORDER
from truewind.domain.risk import Command
from truewind.engine.engine import Progress
from truewind.engine.merge import TS_EVENT, Timeline
from truewind.engine.state import ACCOUNT_FIELD
from truewind.engine.wire import WiredEngine
from truewind.execution.simulated.latency import REPLY, Latency, LatencyModel, delay, rate_at
from truewind.strategies.base import Strategy

_CLOCK = ACCOUNT_FIELD["clock"]
_FAR = 1 << 62


def is_late(timeline: Timeline, latency: Latency) -> bool:
    """Whether a strategy hears late: replies take time, or rows come out of order."""
    measured = latency.rows["model"][REPLY] == LatencyModel.RECORDED
    takes = latency.trips["reply_us"].any() if measured else latency.rows["median_us"][REPLY] > 0
    return bool(takes or timeline.order is not None)


class Report(NamedTuple):
    """What happened in one row, on its way to the strategy: it is heard at `ts`.

    held: POSITION rows as they then were. touched: ids of the orders that it happened to.
    """

    ts: int
    fills: list[np.void]
    held: np.ndarray
    touched: list[int]


class LateEngine(WiredEngine):
    """A `WiredEngine` whose strategy hears late."""

    def __init__(self, timeline: Timeline, instruments: Any, strategy: Strategy, **settings: Any) -> None:
        super().__init__(timeline, instruments, strategy, **settings)
        self.state.separate()
        self._listens, self._tells_fills = self._tells_fills, True
        self._reports: deque[Report] = deque()
        self._fresh: list[np.void] = []
        self._done = -1  # the last row that has happened at the venue
        self._heard_at = 0
        self._replies: Counter[int] = Counter()
        self._unheard: dict[int, np.ndarray] = {}  # orders as they were before what is not yet heard of
        self._money = self._books()

    def _wanted(self, first: int) -> np.ndarray | None:
        wanted, order = super()._wanted(first), self.timeline.order
        if order is None or wanted is None:
            return order if wanted is None else wanted
        return np.asarray(order[np.isin(order, wanted)])

    def _replay(self, rows: Sequence[int], bars: Any, on_bar: Callable[[Any], None]) -> None:
        received = self.timeline.received
        for row, bar in zip(rows, bars, strict=False):
            now = int(received[row])
            self._listen(now)
            self._catch_up(row)
            self._row = row
            self._listen(now)
            self.state.counters[_CLOCK] = now
            on_bar(bar)

    def _catch_up(self, row: int) -> None:
        # What was sent after a row that came late meets what follows the last row that has happened.
        self._wake = max(self._wake, self._done + 1)
        shown = self._row
        super()._catch_up(row)
        self._row, self._done = shown, max(self._done, row)

    def _hear(self, now: int) -> None:
        # What is known is what reports have told: the venue is as far as the last row that was shown.
        self._listen(now)

    def _walk(self, progress: Progress) -> None:
        super()._walk(progress)
        self._catch_up(len(self.timeline) - 1)
        self._guard(self._listen, _FAR)  # what is still on its way is told after the last row

    def _step(self, row: int) -> None:
        before = super(WiredEngine, self)._orders().copy()
        super()._step(row)
        self._done = max(self._done, row)
        touched = self._changed(before)
        money = self._books()
        if not (self._fresh or touched or money != self._money):
            return
        self._money = money
        happened = int(self.timeline.times[TS_EVENT][row])
        heard = [self._reaches(int(fill["order"]), int(fill["ts"]), row) for fill in self._fresh]
        heard = heard or [self._reaches(number, happened, row) for number in touched]
        self._heard_at = max(self._heard_at, happened, *heard)  # no report overtakes another
        self._reports.append(Report(self._heard_at, self._fresh, self.state.shares.copy(), touched))
        self._fresh = []

    def obey(self, command: Command) -> None:
        before = super(WiredEngine, self)._orders().copy()
        super().obey(command)
        touched = self._changed(before)
        if touched:  # it hears of what was withdrawn
            self._heard_at = max(self._heard_at, command.ts)
            self._reports.append(Report(self._heard_at, [], self.state.shares.copy(), touched))

    def _tell(self, fill: np.void) -> None:
        self._fresh.append(fill)

    def _reaches(self, order: int, ts: int, row: int) -> int:
        """When the strategy hears of what happened to `order` at `ts`, in `row`."""
        self._replies[order] += 1
        rate = rate_at(self._handle, ts, row)
        return ts + delay(self.state.latency, self.state.trips, REPLY, ts, order, self._replies[order], rate)

    def _changed(self, before: np.ndarray) -> list[int]:
        """Ids of the orders that are not what they were before; they are remembered as they were."""
        after = {int(order["id"]): order for order in super()._orders()}
        found = []
        for order in before:
            number = int(order["id"])
            now = after.get(number)
            if now is None or now["filled"] != order["filled"] or now["status"] != order["status"]:
                found.append(number)
                self._unheard.setdefault(number, order.copy())
        return found

    def _books(self) -> bytes:
        shares = self.state.shares
        return bytes(shares["lots"].tobytes() + shares["cost"].tobytes())

    def _listen(self, now: int) -> None:
        """Tell the strategy of everything whose report has come by `now`."""
        while self._reports and self._reports[0].ts <= now:
            report = self._reports.popleft()
            self.state.counters[_CLOCK] = max(report.ts, self.state.counters[_CLOCK])
            self.state.heard[:] = report.held
            self._positions.clear()
            later = {number for other in self._reports for number in other.touched}
            for number in report.touched:
                if number not in later:
                    self._unheard.pop(number, None)
            if self._listens:
                for fill in report.fills:
                    self.strategy.on_fill(self._fill(fill))

    def _orders(self) -> np.ndarray:
        """The ORDER rows that work, as far as the strategy has heard."""
        known = super()._orders()
        if not self._unheard:
            return known
        rows = {int(order["id"]): order for order in known} | self._unheard
        return np.array([rows[number] for number in sorted(rows)], ORDER)
