"""Timers: when strategies are called because time has passed, whatever the market does.

A timer is due at the whole multiples of its period since 1970, so that one of an hour comes on the hour wherever the
data begin. It comes after every row that was received by then and before any later one.
"""

import heapq
from collections.abc import Callable, Iterable
from typing import NamedTuple

from truewind.domain.events import Timer
from truewind.errors import ConfigError
from truewind.strategies.base import Strategy

_NEVER = 1 << 62


class Timed(NamedTuple):
    """A callback that is due every `period_us`. name: of its strategy."""

    name: str
    period_us: int
    call: Callable[[], None]


def timed(name: str, strategy: Strategy, call: Callable[[], None]) -> list[Timed]:
    """The timer of a strategy, if it has one. Raises ConfigError for one without a period."""
    period = strategy.timer_us
    if type(strategy).on_timer is Strategy.on_timer:
        return []
    if not isinstance(period, int) or period <= 0:
        raise ConfigError(
            f"{name} has on_timer, but its timer_us is {period!r}",
            remedy="Say how often it is called, in microseconds: timer_us = 60_000_000",
        )
    return [Timed(name, period, call)]


class Timers:
    """The timers of a run. due_us: when the next is due. Those of one time come in the order of the strategies."""

    def __init__(self, timers: Iterable[Timed], first_us: int) -> None:
        self._timers = list(timers)
        self._heap = [(-(-first_us // one.period_us) * one.period_us, i) for i, one in enumerate(self._timers)]
        heapq.heapify(self._heap)
        self.due_us = self._heap[0][0] if self._heap else _NEVER

    def __bool__(self) -> bool:
        return bool(self._heap)

    def next(self) -> tuple[Timer, Callable[[], None]]:
        """The timer that is due next, and whom to call."""
        due, number = self._heap[0]
        name, period, call = self._timers[number]
        heapq.heapreplace(self._heap, (due + period, number))
        self.due_us = self._heap[0][0]
        return Timer(name, due, due), call
