"""Hidden Markov model of two states: calm and wild days, found in the returns themselves."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.jit import kernel
from truewind.numerics.performance import Floats

_ROUNDS = 500
_GAIN = 1e-6  # of the log-likelihood, below which the search ends
_FLOOR = (
    1e-8  # of the variance of all, below which no state's variance falls: else one would close in on a single value
)


class States(NamedTuple):
    """Two states, the calmer first. wild: of each return the probability of the second state, given *all* returns.

    stays: the probability that a state goes on for another step. likelihood: natural logarithm, of the returns.
    """

    means: tuple[float, float]
    deviations: tuple[float, float]
    stays: tuple[float, float]
    wild: Floats
    likelihood: float


def two_states(returns: Floats) -> States | None:
    """The likeliest model in which each return is normal with the mean and deviation of a hidden state.

    Fitted by expectation and maximisation (Baum, L. E. et al. (1970), Annals of Mathematical Statistics 41), begun with
    a state of half and one of twice the deviation, each staying with 0.95. None for fewer than 100 returns, and for
    returns that are not finite or do not vary: they show no states.
    """
    values = np.ascontiguousarray(returns, np.float64)
    if len(values) < 100 or not np.isfinite(values).all():
        return None
    centre, spread = float(values.mean()), float(values.std())
    if not spread > 1e-14:
        return None
    model = np.array([[0.0, 0.25, 0.95, 0.5], [0.0, 4.0, 0.95, 0.5]])  # mean, variance, stay, share at the start
    wild = np.zeros(len(values))
    likelihood = _fit((values - centre) / spread, model, wild, np.zeros((len(values), 2)), np.zeros(len(values)))
    deviations = np.sqrt(model[:, 1]) * spread
    means = model[:, 0] * spread + centre
    order = [0, 1] if deviations[0] <= deviations[1] else [1, 0]
    return States(
        (float(means[order[0]]), float(means[order[1]])),
        (float(deviations[order[0]]), float(deviations[order[1]])),
        (float(model[order[0], 2]), float(model[order[1], 2])),
        wild if order[0] == 0 else 1.0 - wild,
        float(likelihood) - len(values) * math.log(spread),
    )


@kernel
def _fit(
    x: NDArray[np.float64],
    model: NDArray[np.float64],
    wild: NDArray[np.float64],
    forward: NDArray[np.float64],
    scales: NDArray[np.float64],
) -> float:
    """Improve `model` until it stops getting likelier; fills `wild`, returns the log-likelihood."""
    likelihood = -math.inf
    for _ in range(_ROUNDS):
        found = _forward(x, model, forward, scales)
        _improve(x, model, wild, forward, scales)
        gain = found - likelihood
        likelihood = found
        if gain < _GAIN:
            break
    return likelihood


@kernel(inline=True)
def _density(x: float, mean: float, variance: float) -> float:
    return math.exp(-0.5 * (x - mean) * (x - mean) / variance) / math.sqrt(2.0 * math.pi * variance)


@kernel
def _forward(
    x: NDArray[np.float64], model: NDArray[np.float64], forward: NDArray[np.float64], scales: NDArray[np.float64]
) -> float:
    """Shares of the states given the returns so far, and how likely each return was."""
    total = 0.0
    calm, rough = model[0, 3], model[1, 3]
    for t in range(len(x)):
        if t:
            calm, rough = (
                calm * model[0, 2] + rough * (1.0 - model[1, 2]),
                calm * (1.0 - model[0, 2]) + rough * model[1, 2],
            )
        calm *= _density(x[t], model[0, 0], model[0, 1])
        rough *= _density(x[t], model[1, 0], model[1, 1])
        scale = max(calm + rough, 1e-300)  # a return so far out that no state explains it at all
        calm /= scale
        rough /= scale
        forward[t, 0], forward[t, 1], scales[t] = calm, rough, scale
        total += math.log(scale)
    return total


@kernel
def _improve(
    x: NDArray[np.float64],
    model: NDArray[np.float64],
    wild: NDArray[np.float64],
    forward: NDArray[np.float64],
    scales: NDArray[np.float64],
) -> None:
    """Go back from the end for the shares given all returns; set `model` to what these make likeliest."""
    n = len(x)
    stay = np.zeros(2)
    weight, sums = np.zeros(2), np.zeros(2)
    from_calm, from_rough = 1.0, 1.0
    for k in range(n):
        t = n - 1 - k
        if k:
            calm = _density(x[t + 1], model[0, 0], model[0, 1]) * from_calm / scales[t + 1]
            rough = _density(x[t + 1], model[1, 0], model[1, 1]) * from_rough / scales[t + 1]
            stay[0] += forward[t, 0] * model[0, 2] * calm
            stay[1] += forward[t, 1] * model[1, 2] * rough
            from_calm = model[0, 2] * calm + (1.0 - model[0, 2]) * rough
            from_rough = (1.0 - model[1, 2]) * calm + model[1, 2] * rough
        one, other = forward[t, 0] * from_calm, forward[t, 1] * from_rough
        wild[t] = other / max(one + other, 1e-300)
        weight[0] += 1.0 - wild[t]
        weight[1] += wild[t]
        sums[0] += (1.0 - wild[t]) * x[t]
        sums[1] += wild[t] * x[t]
    squares = np.zeros(2)
    for state in range(2):
        model[state, 0] = sums[state] / max(weight[state], 1e-300)
    for t in range(n):
        squares[0] += (1.0 - wild[t]) * (x[t] - model[0, 0]) ** 2
        squares[1] += wild[t] * (x[t] - model[1, 0]) ** 2
    last = wild[n - 1]
    for state in range(2):
        share = last if state else 1.0 - last
        model[state, 1] = max(squares[state] / max(weight[state], 1e-300), _FLOOR)
        model[state, 2] = min(max(stay[state] / max(weight[state] - share, 1e-300), 1e-6), 1.0 - 1e-6)
        model[state, 3] = wild[0] if state else 1.0 - wild[0]
