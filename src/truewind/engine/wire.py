"""The wire between strategy and venue, in the event lane: cancels and amendments that travel.

On trades a request arrives an entry latency after it was sent, as an order does, and a fill that comes before it wins.
On bars it takes effect before the next one: they do not show what happened in the milliseconds of its flight.
"""

import heapq
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.order import Event, Reason, Status
from truewind.engine.engine import Engine
from truewind.engine.merge import TS_EVENT, Timeline
from truewind.engine.state import ACCOUNT_FIELD
from truewind.execution.simulated.latency import flight
from truewind.strategies.base import Strategy

_CLOCK = ACCOUNT_FIELD["clock"]
_REQUESTS = 16  # the purpose of a draw: those below are of orders themselves
_FAR = 1 << 62


class Request(NamedTuple):
    """A cancel, or (with changes, as `engine.intake.amend` takes them) an amendment, on its way to the venue."""

    arrives: int
    number: int
    order: int
    changes: tuple[int, int, int, int] | None


class Refused(NamedTuple):
    """A request that the venue, or for an order that grows the risk gate, refused when it came. ts: µs UTC."""

    ts: int
    order: int
    kind: str
    reason: Reason


class WiredEngine(Engine):
    """An `Engine` on whose wire requests fly, in runs on trades. refused: those that came too late."""

    def __init__(self, timeline: Timeline, instruments: Any, strategy: Strategy, **settings: Any) -> None:
        super().__init__(timeline, instruments, strategy, **settings)
        self.refused: list[Refused] = []
        self._flies = timeline.callback == "on_trade"
        self._requests: list[Request] = []
        self._sent: Counter[int] = Counter()
        self._due = _FAR  # the first row that comes after a request has arrived

    def cancel(self, order_id: int) -> bool:
        """See `ports.Desk.cancel`; on trades whether it was sent."""
        return self._request(order_id, None) if self._flies else super().cancel(order_id)

    def _change(self, order_id: int, changes: tuple[int, int, int, int]) -> bool:
        return self._request(order_id, changes) if self._flies else super()._change(order_id, changes)

    def _request(self, order_id: int, changes: tuple[int, int, int, int] | None) -> bool:
        """Send a request; False if the strategy knows that no such order works."""
        if not (self._orders()["id"] == order_id).any():
            return False
        self._sent[order_id] += 1
        now, purpose = self.now_us, _REQUESTS + self._sent[order_id]
        arrives = now + flight(self._handle, order_id, purpose, now, self._row)
        heapq.heappush(self._requests, Request(arrives, sum(self._sent.values()), order_id, changes))
        self._plan()
        return True

    def _plan(self) -> None:
        """Stop at the first row that happens after the next request has come."""
        self._due = _FAR
        if self._requests:
            known = self.timeline.times[TS_EVENT]
            self._due = int(np.searchsorted(known, self._requests[0].arrives, side="right"))
        self._wake = min(self._wake, self._due)

    def _step(self, row: int) -> None:
        if row >= self._due:
            at, clock = self._row, self.state.counters[_CLOCK]
            self._row = row - 1
            happens = self.timeline.times[TS_EVENT][row]
            while self._requests and self._requests[0].arrives < happens:
                self._arrive(heapq.heappop(self._requests))
            self._row, self.state.counters[_CLOCK] = at, clock
        super()._step(row)
        self._plan()

    def _arrive(self, request: Request) -> None:
        """Let a request do at the venue what it asks for, if its order is there."""
        self.state.counters[_CLOCK] = request.arrives
        kind, reason = "cancel" if request.changes is None else "amend", Reason.UNKNOWN_ORDER
        orders = super()._orders()
        found = orders[orders["id"] == request.order]
        if len(found) and (found["status"][0] != Status.SUBMITTED or found["ts_arrive"][0] <= request.arrives):
            if request.changes is None:
                self._cancel(request.order, Reason.BY_STRATEGY, Event.CANCEL)
                return
            if super()._change(request.order, request.changes):
                return
            reason = Reason.NONE  # no more than has filled, or denied by the risk gate
        self.refused.append(Refused(request.arrives, request.order, kind, reason))
        if self.journal is not None:
            self.journal.record("refused", ts=request.arrives, order=request.order, request=kind, reason=reason.name)
