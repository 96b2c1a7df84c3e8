"""Equal risk contributions: the paper's example, closed forms, and another solver."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from truewind.errors import DataError
from truewind.portfolio.parity import equal_risk_weights


def test_the_example_of_the_paper():
    """Maillard, Roncalli, Teïletche (2010): volatilities of 10 to 40 %, two blocks: 38.4, 19.2, 24.3 and 18.2 %."""
    volatility = np.array([0.1, 0.2, 0.3, 0.4])
    correlation = np.array([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]])
    weights = equal_risk_weights(correlation * np.outer(volatility, volatility))
    assert np.round(100 * weights, 1).tolist() == [38.4, 19.2, 24.3, 18.2]


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.floats(-0.99, 0.99))
def test_two_assets_go_by_their_volatility_alone(one, other, correlation):
    """The paper's closed form: w₁ = σ₂ / (σ₁ + σ₂), whatever the correlation."""
    covariance = np.array([[one**2, correlation * one * other], [correlation * one * other, other**2]])
    assert equal_risk_weights(covariance)[0] == pytest.approx(other / (one + other), rel=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_parts_of_the_risk_are_what_was_asked(seed, count):
    """Of random covariances and random parts."""
    random = np.random.default_rng(seed)
    returns = random.normal(0.0, random.uniform(0.005, 0.05, count), (4 * count + 4, count))
    covariance = np.atleast_2d(np.cov(returns.T))
    parts = random.uniform(0.1, 1.0, count)
    weights = equal_risk_weights(covariance, parts)
    risks = weights * (covariance @ weights)
    assert weights.sum() == pytest.approx(1.0)
    assert (weights > 0.0).all()
    assert risks / risks.sum() == pytest.approx(parts / parts.sum(), rel=1e-6)


def test_another_solver_finds_the_same():
    """scipy's BFGS on the same objective in the logarithms of the weights."""
    random = np.random.default_rng(42)
    covariance = np.cov(random.normal(0.0, [0.01, 0.02, 0.03, 0.05, 0.02], (60, 5)).T)
    scaled = covariance / np.diag(covariance).mean()
    found = np.exp(minimize(lambda y: 0.5 * np.exp(y) @ scaled @ np.exp(y) - y.mean(), np.zeros(5), tol=1e-10).x)
    assert equal_risk_weights(covariance) == pytest.approx(found / found.sum(), abs=1e-5)


@pytest.mark.parametrize(
    ("covariance", "said"),
    [
        (np.diag([1.0, 0.0]), "Assets 1 do not move"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "No covariance"),
        (np.ones((2, 3)), "No covariance"),
        (np.array([[1.0, 0.5], [0.1, 1.0]]), "No covariance"),
        (np.zeros((0, 0)), "No covariance"),
    ],
)
def test_what_is_no_covariance_is_refused(covariance, said):
    with pytest.raises(DataError, match=said):
        equal_risk_weights(covariance)


def test_parts_must_be_one_for_each():
    with pytest.raises(DataError, match="one number > 0"):
        equal_risk_weights(np.eye(2), np.array([1.0, 0.0]))
