"""Clusters: how many different things were tried, when a thousand trials are a thousand shades of a few ideas.

The number of trials that enters a deflated Sharpe ratio is that of independent ones (López de Prado, M. and Lewis, M.
(2019), "Detection of False Investment Strategies Using Unsupervised Learning Methods", Quantitative Finance 19(9)):
trials are clustered by the correlation of their returns, and each cluster counts once. The paper searches the best
k-means partition by silhouettes, which takes the whole matrix of correlations many times over. Here trials go by
*leaders* (Hartigan, Clustering Algorithms, 1975, ch. 3): each joins the leader that it correlates with most, or, if
with none by `JOINED`, leads a cluster of its own. It goes once through the trials, needs no number of clusters, and
always gives the same.

Clusters answer "how many ideas". How demanding they are together is another number, since shades of one idea differ by
luck too: `equivalent_trials`, by which a family-wise error is exact.
"""

import math

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.draws import normal
from truewind.numerics.jit import kernel
from truewind.numerics.performance import Floats, Ints
from truewind.numerics.significance import normal_cdf

JOINED = math.sqrt(0.5)  # two series that correlate so share half of their variance
_TOGETHER = 1024  # trials at a time …
_LEADERS = 16_384  # … against so many leaders: memory
_DRAWS = 4000
_SEED = 42
_LEVEL = 0.95

Rows = NDArray[np.float32]


def clusters(sketches: Rows, joined: float = JOINED) -> Ints:
    """The cluster of each trial, numbered from 0 by first appearance. sketches: (n, directions), see `sketch`.

    Trials whose sketch is zero (nothing that varies) are in none: −1. Where clusters touch, the order of trials decides
    which is whose: give them in an order that does not depend on chance.
    """
    rows = _normalised(sketches)
    told = np.flatnonzero(rows.any(axis=1))
    labels = np.full(len(rows), -1, np.int64)
    leaders = np.empty((min(len(told), _TOGETHER), rows.shape[1]), np.float32)
    count = 0
    for start in range(0, len(told), _TOGETHER):
        chosen = told[start : start + _TOGETHER]
        part = rows[chosen]
        near, own = _nearest(part, leaders[:count])
        led = np.empty(len(part), np.int64)
        new = _join(part @ part.T, near, own, led, joined, count)
        labels[chosen] = own
        if count + new > len(leaders):
            leaders = np.concatenate((leaders, np.empty_like(leaders), np.empty((new, rows.shape[1]), np.float32)))
        leaders[count : count + new] = part[led[:new]]
        count += new
    return labels


def equivalent_trials(sketches: Rows, draws: int = _DRAWS) -> float:
    """How many independent trials would have so lucky a best one as these, correlated as they are, at the 5 % level.

    With `significance.family_wise` it gives the exact family-wise error there: the best of normal numbers with the
    trials' correlations is drawn many times (the dot products of sketches with normal directions have just those), and
    its 95 % point is that of the best of N independent ones, Φ(z)^N = 0.95. The idea is that of Westfall, P. H. and
    Young, S. S. (1993), Resampling-Based Multiple Testing. Exact to about a tenth.
    Between 1 and the number of trials that vary; 0 if none does.
    """
    rows = _normalised(sketches)
    rows = rows[rows.any(axis=1)]
    if len(rows) < 2:
        return float(len(rows))
    directions = np.empty((rows.shape[1], draws))
    _draw(directions)
    turned = directions.astype(np.float32)
    best = np.full(draws, -np.inf, np.float32)
    for start in range(0, len(rows), 4 * _TOGETHER):
        np.maximum(best, (rows[start : start + 4 * _TOGETHER] @ turned).max(axis=0), out=best)
    inside = normal_cdf(float(np.quantile(best.astype(np.float64), _LEVEL)))
    return min(max(math.log(_LEVEL) / math.log(inside), 1.0), float(len(rows))) if inside < 1.0 else float(len(rows))


def _normalised(sketches: Rows) -> Rows:
    rows = np.asarray(sketches, np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    made: Rows = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return made


def _nearest(part: Rows, leaders: Rows) -> tuple[Floats, Ints]:
    """Of each trial the greatest correlation with a leader (−2 without one), and that leader's number."""
    near, own = np.full(len(part), -2.0), np.full(len(part), -1, np.int64)
    for start in range(0, len(leaders), _LEADERS):
        found = part @ leaders[start : start + _LEADERS].T
        at = found.argmax(axis=1)
        value = found[np.arange(len(part)), at]
        closer = value > near
        near[closer], own[closer] = value[closer], at[closer] + start
    return near, own


@kernel
def _join(among: Rows, near: Floats, own: Ints, led: Ints, joined: float, count: int) -> int:
    """Let each trial join the nearest leader, those among them included. Returns how many new leaders there are."""
    new = 0
    for i in range(len(near)):
        best, label = near[i], own[i]
        for j in range(new):
            if among[i, led[j]] > best:
                best, label = among[i, led[j]], count + j
        if best < joined:
            label = count + new
            led[new] = i
            new += 1
        own[i] = label
    return new


@kernel
def _draw(directions: Floats) -> None:
    for i in range(directions.shape[1]):
        for j in range(directions.shape[0]):
            directions[j, i] = normal(_SEED, i, j)
