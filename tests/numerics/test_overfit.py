"""Overfitting: against a reckoning by hand of every split, and by what must hold of noise and of skill."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from profiles import examples
from truewind.numerics.overfit import cscv, superior


def noise(seed: int, days: int, trials: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(5, (days, trials)) * 0.01


def by_hand(table: np.ndarray, blocks: int) -> tuple[list[float], list[float], list[float]]:
    """Logits, Sharpe ratios in and out of sample of all splits, each from the rows that it is made of."""
    edges = np.linspace(0, len(table), blocks + 1).round().astype(int)
    parts = [table[a:b] for a, b in pairwise(edges)]
    logits, inside, outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        seen = np.concatenate([parts[k] for k in chosen])
        unseen = np.concatenate([parts[k] for k in range(blocks) if k not in chosen])
        before, after = (part.mean(axis=0) / part.std(axis=0, ddof=1) for part in (seen, unseen))
        best = before.argmax()
        rank = rankdata(after)[best] / (table.shape[1] + 1)
        logits.append(math.log(rank / (1 - rank)))
        inside.append(before[best])
        outside.append(after[best])
    return logits, inside, outside


@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 6, 8]), st.integers(2, 9), st.integers(40, 75))
@examples(40)
def test_every_split_is_that_of_a_hand(seed, blocks, trials, days):
    table = noise(seed, days, trials)
    found, (logits, inside, outside) = cscv(table, blocks), by_hand(table, blocks)
    assert len(found.logits) == math.comb(blocks, blocks // 2)
    assert sorted(found.logits) == pytest.approx(sorted(logits), abs=1e-12)
    assert sorted(found.inside) == pytest.approx(sorted(inside), abs=1e-9)
    assert sorted(found.outside) == pytest.approx(sorted(outside), abs=1e-9)
    assert found.probability == np.mean(np.array(logits) <= 0)
    assert found.loss == np.mean(np.array(outside) < 0)
    assert found.slope == pytest.approx(np.polyfit(inside, outside, 1)[0], rel=1e-6)


def test_sixteen_blocks_make_12870_splits():
    assert len(cscv(noise(1, 160, 3)).logits) == 12_870


def test_skill_is_no_overfitting_and_noise_is():
    table = noise(2, 1000, 100)
    drift = cscv(table)
    assert drift.slope < 0.0
    assert drift.dominates != "first"
    table[:, 7] += 0.003  # a Sharpe ratio of five a year
    skilled = cscv(table)
    assert skilled.probability < 0.01
    assert skilled.loss < 0.01
    assert skilled.dominates == "first"


def test_noise_is_overfit_half_of_the_time_on_average():
    found = [cscv(noise(seed, 320, 20), 8).probability for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.09)  # three standard errors of these sixty


def test_copies_share_their_rank():
    table = np.repeat(noise(3, 100, 1), 5, axis=1)
    found = cscv(table, 4)
    assert found.logits.tolist() == [0.0] * 6  # all equal: the median exactly, which counts as overfit
    assert found.probability == 1.0
    assert found.dominates == "none"


def test_idle_halves_count_as_nothing_earned():
    table = noise(4, 80, 3)
    table[:, 0] = 0.0
    found = cscv(table, 4)
    assert found.trials == 3
    assert np.isfinite(found.outside).all()
    table[:, 1:] -= 0.1  # both others lose in every half: the idle one is chosen always, and best outside too
    assert cscv(table, 4).outside.tolist() == [0.0] * 6


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (noise(5, 100, 1), "1 trial to choose from"),
        (np.empty((100, 0)), "no trial to choose from"),
        (noise(5, 7, 3), "7 periods do not make 4 blocks"),
        (np.zeros((100, 3)), "no trial's returns vary"),
        (np.full((100, 3), np.nan), "no trial to choose from"),
    ],
)
def test_what_is_not_defined_says_why(table, reason):
    found = cscv(table, 4)
    assert math.isnan(found.probability)
    assert found.reason.startswith(reason)


def test_ruined_trials_take_no_part():
    table = noise(6, 200, 5)
    sound = cscv(table[:, 1:], 4)
    table[-1, 0] = np.nan
    found = cscv(table, 4)
    assert (found.trials, found.left_out) == (4, 1)
    assert found.probability == sound.probability
    tested, others = superior(table, draws=200), superior(table[:, 1:], draws=200)
    assert tested.left_out == 1
    assert (tested.best, tested.consistent) == (others.best + 1, others.consistent)


@pytest.mark.parametrize("blocks", [0, 3, -2])
def test_an_odd_number_of_blocks_is_refused(blocks):
    with pytest.raises(ValueError, match="even number"):
        cscv(noise(7, 100, 3), blocks)


def test_best_of_noise_is_significant_as_often_as_said():
    """400 markets of 20 trials without skill: at 10 %, Hansen's and White's tests alarm in 10 % ± 4.5 %."""
    found = [superior(noise(seed, 250, 20), block=1, draws=300) for seed in range(400)]
    for chances in ([each.consistent for each in found], [each.upper for each in found], [e.reality for e in found]):
        assert 0.055 < np.mean(np.array(chances) <= 0.1) < 0.145
    assert all(each.lower <= each.consistent <= each.upper for each in found)


def test_skill_is_found_among_poor_trials():
    table = noise(8, 750, 50)
    table[:, 10:] -= 0.004 * np.arange(1, 41)
    table[:, 3] += 0.0025
    found = superior(table)
    assert found.best == 3
    assert found.consistent < 0.01
    assert found.consistent <= found.upper


@pytest.mark.parametrize(
    ("table", "reason"), [(noise(9, 2, 3), "fewer than three periods"), (np.zeros((50, 3)), "no trial's returns vary")]
)
def test_nothing_to_test_says_why(table, reason):
    found = superior(table)
    assert found.reason == reason
    assert math.isnan(found.consistent)


def test_another_trial_than_the_best_needs_more_luck():
    table = noise(10, 500, 20)
    table[:, 4] += 0.002
    table[:, 9] += 0.001
    best, other = superior(table), superior(table, of=9)
    assert superior(table, of=4) == best
    assert (best.best, other.best) == (4, 4)
    assert other.statistic < best.statistic
    assert other.consistent > best.consistent
    table[:, 9] = 0.0
    assert superior(table, of=9).reason.startswith("its returns do not vary")
