"""Series of returns by formula, which any other package can be given too."""

import math
from typing import NamedTuple

import numpy as np
import pytest


def wave(count, drift, size, first, second):
    """drift + size · sin(first · i) · cos(second · i²), i = 0, 1, …"""
    return np.array([drift + size * math.sin(first * i) * math.cos(second * i * i) for i in range(count)])


class Given(NamedTuple):
    """start: of its days, which are all days or weekdays. market: returns of a benchmark, or None."""

    returns: np.ndarray
    year: int
    start: str
    market: np.ndarray | None = None

    @property
    def days(self):
        days = np.datetime64(self.start) + np.arange(2 * len(self.returns))
        return (days if self.year == 365 else days[np.is_busday(days)])[: len(self.returns)]

    @property
    def ts_us(self):
        """When each day ends."""
        return (self.days.astype(np.int64) + 1) * 86_400_000_000

    @property
    def equity(self):
        return np.cumprod(1.0 + self.returns)


@pytest.fixture(scope="session")
def series():
    """A coin over two years, shares over two years with their market, and a strategy that loses."""
    market = wave(504, 0.0004, 0.012, 2.3, 0.17)
    return {
        "crypto": Given(wave(730, 0.0012, 0.035, 1.7, 0.31), 365, "2023-01-01"),
        "weekdays": Given(0.6 * market + wave(504, 0.0003, 0.006, 0.9, 0.53), 252, "2022-01-03", market),
        "losing": Given(wave(400, -0.0015, 0.02, 1.1, 0.23), 365, "2024-01-01"),
    }
