"""Luck: the numbers that papers print, and p-values of another library on the same series.

The papers' numbers stand beside their source. Those of `arch` 8.0 come from `arch.bootstrap.SPA(zeros, -series,
block_size=…, reps=100_000, seed=1)` on the series of `hashed`; it does not studentise its statistic, so that its upper
p-value is White's, and it was given the series over its own long-run deviations for Hansen's.
"""

import math

import numpy as np
import pytest

from truewind.numerics import significance as luck
from truewind.numerics.overfit import superior


def test_deflated_sharpe_of_the_paper():
    """Bailey and López de Prado (2014), "A numerical example": 100 trials of variance 1/2, a Sharpe ratio of 2.5 over
    1,250 days of 250 a year, skew −3, kurtosis 10. It clears 0.95 for 46 trials; normal returns do for 88.
    """
    sharpe, variance = 2.5 / math.sqrt(250), 0.5 / 250
    assert luck.expected_maximum(variance, 100) == pytest.approx(0.1132, abs=5e-5)
    assert luck.deflated_sharpe(sharpe, variance, 100, 1250, -3.0, 10.0) == pytest.approx(0.9004, abs=5e-5)
    assert luck.deflated_sharpe(sharpe, variance, 46, 1250, -3.0, 10.0) == pytest.approx(0.9505, abs=5e-5)
    assert luck.deflated_sharpe(sharpe, variance, 88, 1250) == pytest.approx(0.9505, abs=5e-5)


def test_probabilistic_sharpe_of_the_paper():
    """Bailey and López de Prado (2012), section 4: 24 months, SR 0.458, skew −2.448, kurtosis 10.164."""
    assert luck.probabilistic_sharpe(0.458, 0.0, 24) == pytest.approx(0.982, abs=5e-4)
    assert luck.probabilistic_sharpe(0.458, 0.0, 24, -2.448, 10.164) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "years"),
    [(250, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_minimum_track_record_of_the_paper(periods, skew, kurtosis, years):
    """Bailey and López de Prado (2012), section 5: an annual Sharpe ratio of 2 against 1, at 95 %."""
    root = math.sqrt(periods)
    found = luck.minimum_track_record(2 / root, 1 / root, skew, kurtosis, 0.95) / periods
    assert found == pytest.approx(years, abs=5e-3)


def hashed() -> np.ndarray:
    """Eight series of 500 returns from whole numbers alone; two are raised, two are poor."""
    t, k = np.arange(500)[:, None], np.arange(8)[None, :]
    mixed = ((t * 2654435761 + k * 40503 + 12345) * 2246822519) % 2**32
    mixed = ((mixed ^ (mixed >> 13)) * 3266489917) % 2**32
    returns = (mixed / 2**32 - 0.5) * 0.03 * (1 + np.arange(8) / 4)
    return returns + np.array([0.0006, 0.0008, -0.002, -0.004, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("block", "statistic", "lower", "consistent", "upper", "reality"),
    [(1, 1.3749746184899432, 0.33768, 0.41634, 0.51116, 0.39966),
     (10, 1.5751644452003672, 0.22876, 0.29160, 0.36341, 0.38472)],
)  # fmt: skip
def test_superior_predictive_ability_of_arch(block, statistic, lower, consistent, upper, reality):
    found = superior(hashed(), block=block, draws=20_000, seed=7)
    assert found.statistic == pytest.approx(statistic, rel=1e-5)
    # Both sides draw: four standard errors of the difference.
    error = 4 * math.sqrt(0.25 / 20_000 + 0.25 / 100_000)
    assert (found.lower, found.consistent, found.upper, found.reality) == pytest.approx(
        (lower, consistent, upper, reality), abs=error
    )
