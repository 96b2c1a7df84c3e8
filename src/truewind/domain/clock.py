"""The one place that asks the system what time it is. Everything else gets time as an argument."""

import time
from datetime import UTC, datetime

from truewind.domain.timeframe import SECOND_US
from truewind.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NEVER = (1 << 63) - 1  # as a time in µs: later than any


class WallClock:
    """Live and paper: the system's time, UTC, int64 microseconds."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


class VenueClock:
    """A venue's time, as far as it can be told from here: at `wall_us` of the system's clock it was `venue_us`.

    speed: its seconds in one of ours: 1, but for a local exchange that replays faster.
    """

    def __init__(self, venue_us: int, wall_us: int, speed: float = 1.0) -> None:
        self.speed = speed
        self._venue_us, self._wall_us = venue_us, wall_us

    def now_us(self) -> int:
        return self._venue_us + int((time.time_ns() // 1000 - self._wall_us) * self.speed)


def iso(ts_us: int) -> str:
    """UTC time as people read it: "2024-01-01 00:00:00", with microseconds only where there are any."""
    seconds, micros = divmod(ts_us, SECOND_US)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{micros:06d}" if micros else text


def parse_ts_us(text: str | int | datetime) -> int:
    """A date, a time or µs since 1970 as int64 µs UTC; a time without zone is UTC. Raises ConfigError."""
    if isinstance(text, int):
        return text
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"'{text}' is not a date or time", remedy="Write 2024-01-31 or 2024-01-31T12:00:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds
