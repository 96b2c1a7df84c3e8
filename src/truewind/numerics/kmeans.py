"""k-means: points into clusters, each point to the nearest centre, each centre the mean of its points.

Lloyd's iteration (Least Squares Quantization in PCM, IEEE Transactions on Information Theory 28, 1982) from centres
chosen by k-means++ (Arthur, Vassilvitskii, k-means++: The Advantages of Careful Seeding, SODA 2007); of several
restarts the one with the least sum of squares. What is drawn is a function of seed and restart, so a fit can be
repeated to the bit.
"""

from typing import NamedTuple

import numpy as np

from truewind.numerics.draws import uniform


class Clusters(NamedTuple):
    """centres: (clusters, dimensions). labels: the cluster of each point. squares: Σ of squared distances to them."""

    centres: np.ndarray
    labels: np.ndarray
    squares: float


def kmeans(points: np.ndarray, clusters: int, *, seed: int, restarts: int = 10, iterations: int = 300) -> Clusters:
    """The best of some restarts. points: (rows, dimensions), finite. Raises ValueError if fewer differ than there are
    clusters.
    """
    if len(np.unique(points, axis=0)) < clusters:
        raise ValueError(f"{clusters} clusters need as many different points")
    found = [_iterated(points, _seeded(points, clusters, seed, restart), iterations) for restart in range(restarts)]
    return min(found, key=lambda each: each.squares)


def _seeded(points: np.ndarray, clusters: int, seed: int, restart: int) -> np.ndarray:
    """Centres among the points: each next one drawn in proportion to the squared distance from those there are."""
    chosen = [int(uniform(seed, restart, 0, 0) * len(points))]
    nearest = _distances(points, points[chosen])[:, 0]
    while len(chosen) < clusters:
        reached = np.cumsum(nearest)
        at = uniform(seed, restart, len(chosen), 0) * reached[-1]
        chosen.append(int(np.searchsorted(reached, at, side="right")))  # never one that stands on a centre
        nearest = np.minimum(nearest, _distances(points, points[chosen[-1:]])[:, 0])
    return points[chosen]


def _iterated(points: np.ndarray, centres: np.ndarray, iterations: int) -> Clusters:
    labels = np.full(len(points), -1)
    for _ in range(iterations):
        before, distances = labels, _distances(points, centres)
        labels = distances.argmin(axis=1)
        if np.array_equal(labels, before):
            break
        centres = centres.copy()
        for cluster in range(len(centres)):
            mine = labels == cluster
            # A centre that lost all its points goes to the point that is farthest from its own.
            centres[cluster] = points[mine].mean(axis=0) if mine.any() else points[distances.min(axis=1).argmax()]
    return Clusters(centres, labels, float(_distances(points, centres)[np.arange(len(points)), labels].sum()))


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances, (points, centres)."""
    return np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
