"""Two hidden states are found where there are two, as hmmlearn finds them."""

import math

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM

from truewind.numerics import markov
from truewind.numerics.markov import two_states


def switching(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns whose deviation is 1 % or 3 %, and which it was."""
    rng = np.random.RandomState(seed)
    state = np.zeros(n, int)
    for i in range(1, n):
        state[i] = state[i - 1] if rng.rand() < (0.98 if state[i - 1] == 0 else 0.95) else 1 - state[i - 1]
    return np.where(state == 0, 0.001 + 0.01 * rng.randn(n), -0.002 + 0.03 * rng.randn(n)), state


def test_the_model_is_hmmlearns():
    """The same start, without hmmlearn's prior on variances: equal means, deviations, transitions and probabilities."""
    returns, state = switching(1500, 3)
    found = two_states(returns)
    spread, centre = returns.std(), returns.mean()
    scaled = ((returns - centre) / spread).reshape(-1, 1)
    other = GaussianHMM(2, covariance_type="diag", n_iter=500, tol=1e-6, init_params="", covars_prior=0.0, min_covar=0)
    other.startprob_ = np.full(2, 0.5)
    other.transmat_ = np.array([[0.95, 0.05], [0.05, 0.95]])
    other.means_ = np.zeros((2, 1))
    other.covars_ = np.array([[0.25], [4.0]])
    other.fit(scaled)
    assert found.means == pytest.approx(other.means_.ravel() * spread + centre, rel=1e-4)
    assert found.deviations == pytest.approx(np.sqrt(other.covars_.ravel()) * spread, rel=1e-4)
    assert found.stays == pytest.approx(np.diag(other.transmat_), rel=1e-4)
    assert found.wild == pytest.approx(other.predict_proba(scaled)[:, 1], abs=1e-3)
    assert found.likelihood == pytest.approx(other.score(scaled) - 1500 * math.log(spread), abs=1e-3)
    assert ((found.wild > 0.5) == state).mean() > 0.93


def test_the_truth_is_found_again():
    """Ten times as many days: parameters within a few percent of those that made them."""
    found = two_states(switching(15_000, 8)[0])
    assert found.deviations == pytest.approx((0.01, 0.03), rel=0.05)
    assert found.stays == pytest.approx((0.98, 0.95), abs=0.01)
    assert found.means == pytest.approx((0.001, -0.002), abs=0.001)


def test_the_calmer_state_comes_first_and_scale_does_not_matter():
    returns = switching(400, 1)[0]
    one, other = two_states(returns), two_states(returns * 1e-4)
    assert one.deviations[0] < one.deviations[1]
    assert other.deviations == pytest.approx(np.array(one.deviations) * 1e-4)
    assert other.wild == pytest.approx(one.wild)


@pytest.mark.parametrize(
    "returns", [[], [0.01] * 99, [0.0] * 500, [0.01] * 500, [0.01, math.nan] * 200, [0.01, math.inf] * 200]
)
def test_no_states_where_there_are_none_to_see(returns):
    assert two_states(np.array(returns)) is None


@pytest.mark.parametrize("returns", [[0.0] * 300 + [0.5], [0.01, -0.01] * 100, [0.0] * 150 + [0.1, -0.1] * 75])
def test_odd_markets_have_finite_states(returns):
    """A single jump, a market that alternates, one that stands still at first: numbers, never NaN."""
    found = two_states(np.array(returns))
    assert np.isfinite([*found.means, *found.deviations, *found.stays, found.likelihood]).all()
    assert ((found.wild >= 0.0) & (found.wild <= 1.0 + 1e-12)).all()


def test_plain_python_gives_the_same_bits():
    x = switching(120, 2)[0] * 50.0
    start = np.array([[0.0, 0.25, 0.95, 0.5], [0.0, 4.0, 0.95, 0.5]])
    results = []
    for fit in (markov._fit, markov._fit.py_func):
        model, wild = start.copy(), np.zeros(120)
        fit(x, model, wild, np.zeros((120, 2)), np.zeros(120))
        results.append((model, wild))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-9)
    assert results[0][1] == pytest.approx(results[1][1], abs=1e-9)
