"""Trading: what round trips have in common. Pure functions over their results, in the order in which they ended.

A result of exactly 0 is no win, and no loss. Undefined is NaN. Win rate, profit factor and expectancy, of which other
rooms have need too, are in `numerics.performance`.
"""

import math
from typing import NamedTuple

import numpy as np

from truewind.numerics.performance import NAN, Floats


class Streaks(NamedTuple):
    """The longest runs of winners and of losers, and the one at the end: positive of winners, negative of losers."""

    wins: int
    losses: int
    current: int


def loss_rate(pnl: Floats) -> float:
    """Share of trades that lost money. NaN without trades."""
    return float(np.mean(pnl < 0)) if len(pnl) and not np.isnan(pnl).any() else NAN


def payoff(pnl: Floats) -> float:
    """Mean win over mean loss (its size). NaN without a win or without a loss."""
    won, lost = pnl[pnl > 0], pnl[pnl < 0]
    return float(np.mean(won) / -np.mean(lost)) if len(won) and len(lost) else NAN


def kelly_fraction(pnl: Floats) -> float:
    """W − (1 − W) / payoff, the part of the money to stake on each of such bets (Kelly, J. L. (1956), "A New
    Interpretation of Information Rate", Bell System Technical Journal 35). W: winners among those that won or lost.
    Negative where nothing should be staked. NaN without a win or without a loss.
    """
    ratio = payoff(pnl)
    if math.isnan(ratio):
        return NAN
    share = float(np.mean(pnl[pnl != 0] > 0))
    return share - (1.0 - share) / ratio


def system_quality(multiples: Floats) -> float:
    """SQN: √n × mean / deviation (ddof 1) of R multiples (Tharp, V. K. (2008), Definitive Guide to Position Sizing).

    It is the t value of their mean. NaN for fewer than two, and where they do not vary.
    """
    if len(multiples) < 2:
        return NAN
    deviation = float(np.std(multiples, ddof=1))
    if not deviation > 1e-12 * float(np.max(np.abs(multiples))):
        return NAN
    return math.sqrt(len(multiples)) * float(np.mean(multiples)) / deviation


def streaks(pnl: Floats) -> Streaks:
    """Runs of wins and losses in a row; a result of 0 ends either."""
    signs = np.sign(pnl)
    if not len(signs):
        return Streaks(0, 0, 0)
    starts = np.append(0, np.flatnonzero(np.diff(signs)) + 1)
    lengths, of = np.diff(np.append(starts, len(signs))), signs[starts]
    wins, losses = lengths[of > 0], lengths[of < 0]
    return Streaks(
        int(wins.max()) if len(wins) else 0, int(losses.max()) if len(losses) else 0, int(lengths[-1] * of[-1])
    )
