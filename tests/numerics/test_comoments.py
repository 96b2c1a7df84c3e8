"""Rolling covariances keep their digits where sums of products lose them."""

import numpy as np
import pytest

from truewind.numerics.comoments import rolling_comoments


def run(x: np.ndarray, y: np.ndarray, length: int) -> np.ndarray:
    """(squares, products) of every row, by the step's Python face."""
    window = memoryview(np.zeros(4 * length))
    state = (0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    rows = []
    for pair in zip(x.tolist(), y.tolist(), strict=True):
        squares, products, *rest = rolling_comoments.py_func(*pair, length, *state, window)
        state = tuple(rest)
        rows.append((squares, products))
    return np.array(rows)


@pytest.mark.parametrize("length", [2, 3, 7, 50])
@pytest.mark.parametrize("level", [0.0, 1e6, 1e9])
def test_equal_to_two_passes_however_far_from_zero(length: int, level: float) -> None:
    """numpy's covariance of each window; at a level of 10⁹ the data themselves have 7 digits left."""
    draw = np.random.default_rng(1)
    x, y = level + draw.normal(size=300), level + draw.normal(size=300).cumsum()
    found = run(x, y, length)
    assert np.isnan(found[: length - 1]).all()
    for row in range(length - 1, 300):
        inside = slice(row - length + 1, row + 1)
        wanted = np.cov(x[inside] - level, y[inside] - level, ddof=0) * length
        size = np.sqrt(wanted[0, 0] * wanted[1, 1])
        assert found[row, 0] == pytest.approx(wanted[0, 0], rel=1e-11)
        assert found[row, 1] == pytest.approx(wanted[0, 1], rel=1e-11, abs=1e-11 * size)


def test_equal_values_have_no_squares_at_all() -> None:
    x = np.full(40, 1e8 + 1 / 3)
    found = run(x, np.arange(40.0), 7)
    assert (found[6:] == 0.0).all()


def test_a_large_pair_leaves_nothing_behind() -> None:
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=100), draw.normal(size=100)
    x[20] = y[20] = 1e90
    clean = run(x[21:], y[21:], 10)[-1]
    np.testing.assert_allclose(run(x, y, 10)[-1], clean, rtol=1e-12)
