"""Noise markets, small: the gate's rule of luck alarms as seldom as it says, and finds what is planted.

The whole of it, with real strategies through the sweep, is bench/noise_markets.py. Here the strategies are shades of
moving sides on the bench's own markets, so that it takes seconds; seeds are fixed, and rates must lie within what a
binomial distribution allows.
"""

import importlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from truewind.analytics import luck

BENCH = Path(__file__).resolve().parents[1] / "bench"
MARKETS = 40


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(BENCH))
    try:
        yield importlib.import_module("noise_markets")
    finally:
        sys.path.remove(str(BENCH))


def shades(closes: np.ndarray) -> np.ndarray:
    """Daily returns of forty strategies: the side of the move over 5 … 83 days, held for a day."""
    moves = np.diff(closes)
    rows = []
    for look_back in range(5, 84, 2):
        side = np.sign(closes[look_back:-1] - closes[: -look_back - 1])
        rows.append((side * moves[look_back:])[-1095:])
    return np.array(rows)


def judged(bench, planted: bool, strength: float) -> list[tuple[float, float]]:
    """By market, the chance of luck of its best strategy: by Hansen's test, and by sketches."""
    found = []
    for number in range(MARKETS):
        path = bench.prices(bench.Market("momentum", number, planted), strength)
        returns = shades(path[bench.HOURS - 1 :: bench.HOURS])
        best = int((returns.mean(axis=1) / returns.std(axis=1)).argmax())
        told = luck.among(np.arange(18_000, 18_000 + returns.shape[1]), returns, best, bench.YEAR)
        found.append((told.superior, told.luck))
    return found


def test_luck_passes_as_seldom_as_is_said(bench):
    found = np.array(judged(bench, False, 0.0))
    # 5 % is asked: of 40 markets, more than 6 alarms would have a chance of one in a hundred.
    assert (found <= 0.05).sum(axis=0).max() <= stats.binom.ppf(0.99, MARKETS, 0.05)
    # The chances are chances, not merely cautious: a half of them lie below a half, give or take.
    assert (found <= 0.5).mean(axis=0).min() > 0.25


def test_what_is_planted_passes(bench):
    # A drift of a seventh of the daily volatility is a Sharpe ratio of about 2.7: z = 4.7 over three years.
    found = np.array(judged(bench, True, 1 / 7))
    assert (found <= 0.05).sum(axis=0).min() >= stats.binom.ppf(0.01, MARKETS, 0.9)


def test_an_interval_is_clopper_and_pearsons(bench):
    for hits, count in ((0, 20), (3, 200), (170, 200), (200, 200)):
        low, high = bench.interval(hits, count)
        wanted = stats.binomtest(hits, count).proportion_ci(0.95, "exact")
        assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_the_power_of_the_best_test_there_is(bench):
    """A thousand independent strategies at 5 %: z must be above 3.88, and is 3.46 on average."""
    bound = stats.norm.isf(1 - 0.95 ** (1 / 1000))
    assert bench.neyman_pearson(1000, 2.0, 3) == pytest.approx(stats.norm.sf(bound - 2 * math.sqrt(3)))
    assert bench.neyman_pearson(1000, 2.0, 3) == pytest.approx(0.34, abs=0.005)
