"""Trading: figures of round trips by hand, and where there are none. Values of other packages: tests/answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.trading import Streaks, kelly_fraction, loss_rate, payoff, streaks, system_quality

PNL = st.lists(st.integers(-3, 3), max_size=40).map(lambda values: np.array(values, np.float64))


def test_by_hand():
    """+20, +10, −10, 0, −5, −5, −5, +5: three won, four lost, one neither."""
    pnl = np.array([20.0, 10, -10, 0, -5, -5, -5, 5])
    assert loss_rate(pnl) == 0.5
    assert payoff(pnl) == pytest.approx((35 / 3) / (25 / 4))
    assert kelly_fraction(pnl) == pytest.approx(3 / 7 - (4 / 7) / payoff(pnl))
    assert streaks(pnl) == Streaks(2, 3, 1)
    assert streaks(pnl[:-1]) == Streaks(2, 3, -3)


def test_system_quality_by_hand():
    """R of 2, −1, −1, 3, −1, 1: mean 0.5, deviation √(15.5 / 5)."""
    assert system_quality(np.array([2.0, -1, -1, 3, -1, 1])) == pytest.approx(math.sqrt(6) * 0.5 / math.sqrt(15.5 / 5))
    assert system_quality(np.array([1.0, 3.0])) == pytest.approx(math.sqrt(2) * 2 / math.sqrt(2))


@given(PNL)
def test_streaks_as_counted_one_by_one(pnl):
    best = {1: 0, -1: 0}
    run, last = 0, 0
    for sign in np.sign(pnl).astype(int).tolist():
        run = run + 1 if sign == last else 1
        last = sign
        if sign:
            best[sign] = max(best[sign], run)
    assert streaks(pnl) == Streaks(best[1], best[-1], run * last)


def test_not_defined():
    """Without trades, without a loss, without variation."""
    none = np.zeros(0)
    assert all(math.isnan(one(none)) for one in (loss_rate, payoff, kelly_fraction, system_quality))
    assert streaks(none) == Streaks(0, 0, 0)
    assert all(math.isnan(one(np.array([1.0, 2.0]))) for one in (payoff, kelly_fraction))
    assert math.isnan(system_quality(np.array([0.1, 0.1, 0.1])))
    assert math.isnan(system_quality(np.array([1.0])))
    assert math.isnan(system_quality(np.array([1e6, np.nextafter(1e6, 2e6)])))  # a rounding error apart
    assert not math.isnan(system_quality(np.array([1e-6, 2e-6])))
