"""Equal risk contributions: weights with which every asset brings the same part of a portfolio's risk.

For strategies that rebalance. Sizing by inverse volatility (`strategies.sizing`, method "parity") is the same where all
correlations are equal.
"""

import numpy as np

from truewind.errors import DataError

_STEPS, _CLOSE = 10_000, 1e-12


def equal_risk_weights(covariance: np.ndarray, parts: np.ndarray | None = None) -> np.ndarray:
    """Weights > 0 that sum to 1, float64 (assets), where asset i's part in the variance is parts[i]; left out: equal.

    covariance: float64 (assets, assets). What is solved is min ½ wᵀΣw − Σ bᵢ ln wᵢ, by coordinate descent (Maillard,
    Roncalli and Teïletche, The properties of equally weighted risk contribution portfolios, Journal of Portfolio
    Management 36, 2010; Griveau-Billion, Richard and Roncalli, A fast algorithm for computing high-dimensional risk
    parity portfolios, 2013). Raises DataError for what is no covariance of assets that move: a constant series has no
    part in any risk.
    """
    sigma = np.asarray(covariance, np.float64)
    count = len(sigma)
    if sigma.shape != (count, count) or not count or not np.isfinite(sigma).all() or not np.allclose(sigma, sigma.T):
        raise DataError(
            f"No covariance: {sigma.shape} numbers, not a symmetric square of finite ones",
            remedy="Leave out assets whose returns are not known over the whole window",
        )
    still = np.flatnonzero(np.diag(sigma) <= 0.0)
    if len(still):
        raise DataError(
            f"Assets {', '.join(map(str, still))} do not move: no weight gives them a part in the risk",
            remedy="Leave them out",
        )
    wanted = np.full(count, 1.0 / count) if parts is None else np.asarray(parts, np.float64)
    if wanted.shape != (count,) or not (wanted > 0.0).all() or not np.isfinite(wanted).all():
        raise DataError(
            "Parts of the risk must be one number > 0 for each asset", remedy="Leave parts out for equal ones"
        )
    wanted = wanted / wanted.sum()
    weights = np.sqrt(wanted / np.diag(sigma))
    for _ in range(_STEPS):
        for i in range(count):
            others = sigma[i] @ weights - sigma[i, i] * weights[i]
            weights[i] = (np.sqrt(others * others + 4.0 * sigma[i, i] * wanted[i]) - others) / (2.0 * sigma[i, i])
        risks = weights * (sigma @ weights)
        if np.abs(risks - wanted).max() < _CLOSE:
            return np.asarray(weights / weights.sum())
    raise DataError(
        "Equal risk contributions were not found: the covariance is not that of any portfolio",
        remedy="Reckon it from at least as many returns as assets, or shrink it",
    )
