"""Draws are pure, spread like the distribution they name, and do not hang together."""

import numpy as np
import pytest

from truewind.numerics.draws import mix, normal, uniform


def test_mix_is_murmurs_finalizer():
    """Values of fmix32 from MurmurHash3's reference implementation."""
    assert [mix(1), mix(0), mix(0xFFFFFFFF)] == [0x514E28B7, 0, 0x81F16F39]


def test_uniform_numbers_fill_the_interval_evenly():
    """The means of x, x² and of neighbours' products over 20,000 draws are those of independent uniform numbers."""
    x = np.array([uniform(42, i, 3, 0) for i in range(20_000)])
    assert 0.0 < x.min() < x.max() < 1.0
    assert x.mean() == pytest.approx(1 / 2, abs=0.01)
    assert (x**2).mean() == pytest.approx(1 / 3, abs=0.01)
    assert (x[1:] * x[:-1]).mean() == pytest.approx(1 / 4, abs=0.01)


def test_normal_numbers_have_unit_variance():
    """Mean, variance and kurtosis over 20,000 draws."""
    x = np.array([normal(7, i, 0) for i in range(20_000)])
    assert x.mean() == pytest.approx(0.0, abs=0.03)
    assert x.var() == pytest.approx(1.0, abs=0.04)
    assert (x**4).mean() == pytest.approx(3.0, abs=0.3)


def test_a_draw_depends_on_its_own_counters_alone():
    """Asked twice or in another order it is the same; seed, order and purpose each change it."""
    assert normal(1, 2, 3) == normal(1, 2, 3)
    assert len({normal(1, 2, 3), normal(2, 2, 3), normal(1, 3, 3), normal(1, 2, 4), normal(1, 2 + 2**32, 3)}) == 5
