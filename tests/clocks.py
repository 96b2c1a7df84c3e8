"""A clock for tests."""


class StandingClock:
    """Stands where it is put: `domain.clock.WallClock` for a test that says what time it is."""

    def __init__(self, now_us: int = 0) -> None:
        self.now = now_us

    def now_us(self) -> int:
        return self.now
