"""Regime: whether volatility is low, normal or high, by its own past or by a fitted hidden Markov model."""

from collections.abc import Mapping
from math import exp, nan
from typing import Any

from truewind.errors import FeatureError
from truewind.features.base import MAX_LENGTH, Feature, derived, fades, parameter, reaches, register, scalars
from truewind.features.volatility import realised
from truewind.numerics.change import log_change
from truewind.numerics.jit import kernel
from truewind.numerics.rank import rolling_rank
from truewind.numerics.ring import Memory, part


@kernel(inline=True)
def volatility_regime(
    x: float,
    length: int,
    history: int,
    low: float,
    high: float,
    previous: float,
    cursor: int,
    full: int,
    head: float,
    place: int,
    known: int,
    window: Memory,
) -> tuple[float, float, int, int, float, int, int]:
    """Where realised volatility ranks in its own history."""
    size, previous, cursor, full, head = realised(x, length, previous, cursor, full, head, window)
    value = nan
    if size == size:
        rank, place, known = rolling_rank(size, history, place, known, part(window, length))
        if known:
            value = 1.0 if rank > high else (-1.0 if rank < low else 0.0)
    return value, previous, cursor, full, head, place, known


@register
class VolatilityRegime(Feature):
    """Volatility regime: whether realised volatility is low (−1), normal (0) or high (1) against its own past.

    The rank of `realised(length)` among its last `history` values, this one included: the share below it, equals
    counting half; −1 below the quantile `low`, 1 above the quantile `high`. A market that has always been as quiet as
    it is now is normal. Each row counts `history` values.
    """

    name, family, units = "volatility_regime", "volatility", "−1, 0 or 1"
    scale = 0
    length: int = parameter(20, 1, MAX_LENGTH)
    history: int = parameter(250, 2, MAX_LENGTH)
    low: float = parameter(0.25, 0.0, 1.0)
    high: float = parameter(0.75, 0.0, 1.0)
    state = scalars(previous=nan, cursor=0, full=0, head=0.0, place=0, known=0)
    steady, finite = reaches(full=1, known=1), True
    step = staticmethod(volatility_regime)
    warmup = derived(lambda self: self.length + self.history - 1)
    memory = derived(lambda self: self.length + self.history)


@kernel(inline=True)
def markov_volatility(
    x: float,
    quiet_mean: float,
    quiet_deviation: float,
    quiet_stay: float,
    wild_mean: float,
    wild_deviation: float,
    wild_stay: float,
    previous: float,
    wild: float,
) -> tuple[float, float, float]:
    """The forward filter: what was believed, moved on by a row, times how likely each state makes the return."""
    change = log_change(x, previous)
    if change != change:
        return nan, x, wild
    if wild != wild:  # nothing seen yet: the share of rows that the model spends there
        wild = (1.0 - quiet_stay) / ((1.0 - quiet_stay) + (1.0 - wild_stay))
    else:
        wild = wild * wild_stay + (1.0 - wild) * (1.0 - quiet_stay)
    quiet_score, wild_score = (change - quiet_mean) / quiet_deviation, (change - wild_mean) / wild_deviation
    lead = 0.5 * (quiet_score * quiet_score - wild_score * wild_score)
    # The likelier density is reckoned as 1 over its deviation, the other as what is left of it: neither can overflow.
    for_wild = wild / wild_deviation * (1.0 if lead >= 0.0 else exp(lead))
    for_quiet = (1.0 - wild) / quiet_deviation * (1.0 if lead < 0.0 else exp(-lead))
    wild = for_wild / (for_wild + for_quiet)
    return wild, x, wild


@register
class MarkovVolatility(Feature):
    """Probability that the market is in the wilder of two states of a hidden Markov model, given the rows so far.

    Logarithmic returns are normal with the mean and deviation of the present state, which stays with the given
    probability a row. The value is P(wild | r_1 … r_t), the forward filter (Hamilton, A new approach to the economic
    analysis of nonstationary time series and the business cycle, Econometrica 57, 1989), begun by the states' long-run
    shares: it looks at no later row. The numbers of the model come from `fit_markov_volatility` on training rows. A row
    whose price is not positive is left out. Fresh starts agree as fast as the model forgets, by about
    quiet_stay + wild_stay − 1 a row or faster.
    """

    name, family, units = "markov_volatility", "volatility", "probability"
    scale = 0
    quiet_mean: float = parameter(0.0, -1.0, 1.0)
    quiet_deviation: float = parameter(0.005, 1e-9, 10.0)
    quiet_stay: float = parameter(0.98, 0.001, 0.999999)
    wild_mean: float = parameter(0.0, -1.0, 1.0)
    wild_deviation: float = parameter(0.02, 1e-9, 10.0)
    wild_stay: float = parameter(0.95, 0.001, 0.999999)
    state = scalars(previous=nan, wild=nan)
    finite = True
    step = staticmethod(markov_volatility)
    warmup = derived(lambda self: 1)
    settles = derived(lambda self: self.warmup + fades(1.0 - abs(self.quiet_stay + self.wild_stay - 1.0)))


def fit_markov_volatility(columns: Mapping[str, Any], *, source: str = "close") -> MarkovVolatility:
    """`MarkovVolatility` with the numbers of the likeliest model of the rows given, and of no others.

    `columns` is a table or a mapping of arrays that has `source`; give the training rows only. Numbers are rounded to
    six digits, so that the feature's name is readable. Where most rows do not move at all, the quiet state may be just
    that standstill; take longer bars then. Needs the extra `statistics` (hmmlearn).
    Raises FeatureError: hmmlearn or the column is missing, there are fewer than 100 returns, or they are all 0.
    """
    import numpy as np

    from truewind.features.table import columns_of

    try:
        from hmmlearn.hmm import GaussianHMM
    except ImportError:
        raise FeatureError(
            "Fitting a hidden Markov model needs hmmlearn", remedy="pip install 'truewind[statistics]'"
        ) from None
    found = columns_of(columns, [source])
    if source not in found:
        raise FeatureError(f"There is no column '{source}' to fit", remedy="Name another one", column=source)
    prices = np.asarray(found[source], float)
    prices = prices[np.isfinite(prices) & (prices > 0.0)]
    returns = np.diff(np.log(prices))
    if len(returns) < 100 or not returns.any():
        raise FeatureError(
            f"{len(returns)} returns of '{source}'{', all 0,' if len(returns) >= 100 else ''} do not show two states",
            remedy="Give at least 100 rows in which the price moves",
            column=source,
        )
    scale = returns.std()  # hmmlearn's floor for variances is meant for numbers about 1
    # It would begin with clusters of low and high returns; one of small and large ones is nearer to what is sought.
    model = GaussianHMM(2, covariance_type="diag", n_iter=200, tol=1e-4, init_params="")
    model.startprob_ = np.full(2, 0.5)
    model.transmat_ = np.array([[0.95, 0.05], [0.05, 0.95]])
    model.means_ = np.zeros((2, 1))
    model.covars_ = np.array([[0.25], [4.0]])
    model.fit((returns / scale).reshape(-1, 1))
    deviations = np.sqrt(model.covars_.reshape(-1)) * scale
    means = model.means_.reshape(-1) * scale
    stays = np.diag(model.transmat_)
    numbers = [
        float(f"{number:.6g}")
        for state in np.argsort(deviations)
        for number in (means[state], deviations[state], min(max(stays[state], 0.001), 0.999999))
    ]
    return MarkovVolatility(*numbers, source=source)
