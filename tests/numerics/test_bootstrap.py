"""Resampled paths follow their theory: means and variances, block lengths, coverage; block lengths agree with arch."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.numerics import bootstrap, performance
from truewind.numerics.bootstrap import bands, block_length, draw_counts, indices, paths, shuffles

SCHEMES = ("stationary", "circular", "moving")


def autoregressive(phi: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.RandomState(seed).standard_normal(n)  # a stream that numpy has frozen
    x = np.zeros(n)
    for i in range(n):
        x[i] = (phi * x[i - 1] if i else 0.0) + noise[i]
    return x


@pytest.mark.parametrize(
    ("phi", "n", "seed", "stationary", "circular"),
    [
        (0.5, 500, 1, 7.428708917936125, 8.503748902144432),
        (0.9, 1000, 2, 48.984675207124106, 56.07345537644404),
        (-0.3, 750, 3, 5.917744249368479, 6.774126126040173),
        (0.2, 2000, 4, 6.358413407648508, 7.278566387777312),
        (0.95, 40, 6, 6.848868664378461, 7.8399975054912385),
    ],
)
def test_block_lengths_are_those_of_arch(phi, n, seed, stationary, circular):
    """`arch.bootstrap.optimal_block_length` 8.0 on the same autoregressive series."""
    found = block_length(autoregressive(phi, n, seed))
    assert found == pytest.approx((stationary, circular), rel=1e-12)


def test_white_noise_needs_no_blocks():
    """arch 8.0 gives 0.9889 and 1.1320 for this series; a block is never shorter than a day."""
    assert block_length(autoregressive(0.0, 1000, 5)) == pytest.approx((1.0, 1.1320183160920456))


@pytest.mark.parametrize(
    "returns", [[], [0.01] * 7, [0.01] * 100, [0.0] * 100, [0.01, math.nan] * 50, [0.01, -0.01] * 50]
)
def test_a_block_length_exists_for_every_series(returns):
    """Too few, constant, broken and alternating series have a length of at least one day, and at most a third."""
    found = block_length(np.array(returns))
    assert all(1.0 <= length <= max(1.0, math.ceil(len(returns) / 3)) for length in found)


def test_lengths_of_stationary_blocks_are_geometric():
    """P(length = k) = (1 − p)^(k−1) p with p = 1/10 within four deviations for every k up to 30; mean 10."""
    n, drawn = 1_000_003, indices(1_000_003, 1, block=10.0, seed=5, steps=400_000)[0]
    ends = np.flatnonzero(np.diff(drawn) % n != 1)  # the chance that a new block goes on by accident is 1e-6
    lengths = np.diff(ends)
    assert lengths.mean() == pytest.approx(10.0, abs=4 * math.sqrt(90.0 / len(lengths)))
    for k in range(1, 31):
        share = 0.9 ** (k - 1) * 0.1
        assert (lengths == k).mean() == pytest.approx(share, abs=4 * math.sqrt(share / len(lengths)))


def test_blocks_of_equal_length_are_equally_long_and_moving_ones_stay_inside():
    circular, moving = (indices(100, 50, block=7.0, seed=1, scheme=scheme) for scheme in ("circular", "moving"))
    for drawn in (circular, moving):
        for start in range(0, 98, 7):
            assert (np.diff(drawn[:, start : start + 7]) % 100 == 1).all()
    assert (np.diff(moving[:, :7]) == 1).all()
    assert moving[:, ::7].max() <= 93
    assert circular[:, ::7].max() > 93


@pytest.mark.parametrize("scheme", ["stationary", "circular"])
def test_every_day_is_as_likely(scheme):
    """A series that goes round has no edges: 2,000 paths of 50 days draw each 2,000 ± 5 % times."""
    counts = draw_counts(50, 2000, block=5.0, seed=3, scheme=scheme)
    assert counts.sum(axis=1).tolist() == [50.0] * 2000
    # Blocks hang together: the count of a day varies by about block length × n / days drawn.
    assert counts.sum(axis=0) == pytest.approx(np.full(50, 2000.0), rel=0.12)


@given(
    st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=30),
    st.floats(1.0, 12.0),
    st.integers(0, 2**31),
    st.sampled_from(SCHEMES),
)
@examples(60)
def test_statistics_of_paths_are_those_of_their_days(returns, block, seed, scheme):
    """Each path's figures, recomputed by numpy from the days that `indices` says it is made of."""
    returns = np.array(returns)
    found = paths(returns, 5, block=block, seed=seed, scheme=scheme, steps=40, points=4)
    drawn = indices(len(returns), 5, block=block, seed=seed, scheme=scheme, steps=40)
    for path in range(5):
        own = returns[drawn[path]]
        worth = np.cumprod(1.0 + own)
        assert found.growth[path] == pytest.approx(worth[-1] - 1.0, rel=1e-9, abs=1e-12)
        assert found.depth[path] == pytest.approx(performance.max_drawdown(worth, 1.0), rel=1e-9, abs=1e-12)
        assert found.lowest[path] == pytest.approx(min(1.0, worth.min()))
        assert found.curves[path] == pytest.approx(worth[found.steps - 1])
        if np.std(own) > 1e-9:
            assert found.sharpe[path] == pytest.approx(performance.sharpe(own, 1), rel=1e-6)
    assert found.steps.tolist() == [10, 20, 30, 40]


def test_the_mean_of_paths_varies_as_the_theory_says():
    """Days drawn one by one: the variance of a path's mean is the series' variance / n. With blocks it is by Politis
    and Romano's formula (3): γ(0) + 2 Σ (1 − k/n)-like weights × autocovariance that goes round.
    """
    x = autoregressive(0.6, 400, 8) / 100.0
    n, apart = len(x), x - x.mean()
    around = np.array([apart @ np.roll(apart, -k) for k in range(n)]) / n
    for block in (1.0, 8.0):
        means = draw_counts(n, 20_000, block=block, seed=11) @ x / n
        k, stay = np.arange(1, n), 1.0 - 1.0 / block
        weights = (1.0 - k / n) * stay**k + k / n * stay ** (n - k)
        expected = (around[0] + weights @ around[1:]) / n
        assert block > 1.0 or expected == pytest.approx(x.var() / n)
        assert means.mean() == pytest.approx(x.mean(), abs=4 * math.sqrt(expected / 20_000))
        assert means.var() == pytest.approx(expected, rel=0.04)


def test_the_interval_of_a_mean_covers_the_truth():
    """Independent normal days, 300 samples of 100: the 90 % interval of the mean holds the true mean in 90 % ± 5.3 %
    of them (three deviations; a percentile interval of 100 days covers a little less than it says).
    """
    rng, held = np.random.RandomState(17), 0
    for sample in range(300):
        days = rng.standard_normal(100) * 0.01
        low, high = np.quantile(draw_counts(100, 500, block=1.0, seed=sample) @ days / 100, (0.05, 0.95))
        held += low < 0.0 < high
    assert 0.84 < held / 300 < 0.94


def test_blocks_keep_what_hangs_together():
    """Days that trend give paths that vary more with blocks than day by day, by about (1 + φ) / (1 − φ) = 3."""
    x = autoregressive(0.5, 2000, 12) / 1000.0
    alone, together = (np.var(paths(x, 4000, block=b, seed=1).growth) for b in (1.0, 40.0))
    assert 2.2 < together / alone < 3.8


def test_more_points_than_steps_are_all_steps():
    found = paths(np.array([0.1, -0.1, 0.2]), 2, block=1.0, seed=1, points=100)
    assert found.steps.tolist() == [1, 2, 3]
    assert found.curves[:, -1] == pytest.approx(found.growth + 1.0)


def test_a_path_is_the_same_however_many_there_are():
    x = autoregressive(0.0, 60, 1) / 50.0
    few, many = (paths(x, count, block=4.0, seed=9, points=5) for count in (3, 50))
    assert np.array_equal(few.growth, many.growth[:3])
    assert np.array_equal(few.curves, many.curves[:3])
    assert not np.array_equal(few.growth, paths(x, 3, block=4.0, seed=10).growth)


def test_plain_python_gives_the_same_bits():
    x = autoregressive(0.3, 40, 2) / 50.0
    at, compiled, plain = np.array([20, 40]), [np.zeros(4) for _ in range(4)], [np.zeros(4) for _ in range(4)]
    curves = np.zeros((4, 2)), np.zeros((4, 2))
    bootstrap._walk(x, 0, 5.0, 3, 40, at, *compiled, curves[0])
    bootstrap._walk.py_func(x, 0, 5.0, 3, 40, at, *plain, curves[1])
    assert [a.tobytes() for a in (*compiled, curves[0])] == [a.tobytes() for a in (*plain, curves[1])]


def test_ruin_is_the_end_of_a_path():
    """Once all is lost nothing is earned any more, and the drawdown is whole."""
    found = paths(np.array([0.5, -1.0]), 200, block=1.0, seed=1, steps=20)
    assert (found.growth[found.lowest <= 0.0] == -1.0).all()
    assert (found.depth[found.lowest <= 0.0] == 1.0).all()
    assert (found.lowest <= 0.0).mean() > 0.99


@pytest.mark.parametrize("returns", [[], [math.nan, 0.1], [math.inf, 0.1]])
def test_what_is_not_defined_is_nan(returns):
    for found in (paths(np.array(returns), 4, block=1.0, seed=1, points=3), shuffles(np.array(returns), 4, seed=1)):
        assert np.isnan(found.growth).all()
        assert np.isnan(found.sharpe).all()
    assert np.isnan(paths(np.array(returns), 4, block=1.0, seed=1, points=3).curves).all()


def test_constant_returns_have_no_sharpe_ratio():
    found = paths(np.full(10, 0.01), 5, block=2.0, seed=1)
    assert np.isnan(found.sharpe).all()
    assert found.growth == pytest.approx(1.01**10 - 1.0)
    assert (found.depth == 0.0).all()


def test_a_shuffle_changes_the_way_and_not_the_end():
    """Three trades have six orders, each with its drawdown; all six come about as often."""
    trades = np.array([0.5, -0.2, -0.5])
    found = shuffles(trades, 6000, seed=4, points=3)
    assert found.growth == pytest.approx(1.5 * 0.8 * 0.5 - 1.0)
    assert np.unique(np.round(found.curves[:, :2], 9), axis=0, return_counts=True)[1] == pytest.approx(
        np.full(6, 1000), rel=0.15
    )
    # losses side by side, or parted by the gain: 1 − 0.8 × 0.5, or the deeper of the two and of what is left after it
    assert sorted(set(np.round(found.depth, 9))) == pytest.approx([0.5, 0.6])


def test_bands_are_quantiles_at_each_point():
    curves = np.arange(1.0, 102.0).reshape(-1, 1) * np.array([1.0, 2.0])
    assert bands(curves, (0.05, 0.5)).tolist() == [[6.0, 12.0], [51.0, 102.0]]
    assert np.isnan(bands(np.zeros((0, 2)), (0.5,))).all()
