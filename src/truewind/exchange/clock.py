"""The exchange's time: the wall's, or that of a replay running at a speed of its own."""

from collections.abc import Callable

from truewind.domain.clock import WallClock

_WALL = WallClock()


class ExchangeClock:
    """Microseconds UTC, never going back.

    start_us: the time at which the exchange opens; None: the wall's. speed: seconds of the exchange in one of ours; 0
    stands still until `move_to`. skew_us is added to the time that clients are told, never to that of the market: a
    fault. wall: where time comes from.
    """

    def __init__(
        self,
        start_us: int | None = None,
        speed: float = 1.0,
        *,
        skew_us: int = 0,
        wall: Callable[[], int] = _WALL.now_us,
    ) -> None:
        self._wall = wall
        self._began = wall()
        self._replays = start_us is not None
        self.start_us = self._began if start_us is None else start_us
        self.speed = speed
        self.skew_us = skew_us
        self._latest = self.start_us

    def open(self) -> None:
        """Begin now: a replay does not run while its exchange gets ready."""
        if self._replays:
            self._began = self._wall()

    def now_us(self) -> int:
        """The market's time."""
        passed = (self._wall() - self._began) * self.speed
        self._latest = max(self._latest, self.start_us + int(passed))
        return self._latest

    def told_us(self) -> int:
        """The time that the exchange tells its clients."""
        return self.now_us() + self.skew_us

    def wall_us(self) -> int:
        """Our own time: limits count by it, so that a fast replay allows no more and no fewer requests."""
        return self._wall()

    def move_to(self, now_us: int) -> None:
        """Jump ahead to a time; one that has passed changes nothing."""
        missing = now_us - self.now_us()
        if missing > 0:
            self.start_us += missing
