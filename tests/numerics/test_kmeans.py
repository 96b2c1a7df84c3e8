"""k-means: against scikit-learn from the same centres, on groups that are known, and to the bit again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.kmeans import _iterated, _seeded, kmeans

sklearn = pytest.importorskip("sklearn.cluster")


def cloud(seed, rows=400, dimensions=3):
    random = np.random.default_rng(seed)
    return random.normal(size=(rows, dimensions)) * random.uniform(0.5, 3.0, dimensions)


@pytest.mark.parametrize("seed", range(8))
def test_from_the_same_centres_it_ends_where_scikit_learn_does(seed):
    """Lloyd's iteration until no point changes."""
    points = cloud(seed)
    begin = _seeded(points, 5, seed, 0)
    ours = _iterated(points, begin, 300)
    theirs = sklearn.KMeans(5, init=begin, n_init=1, max_iter=300, tol=0.0, algorithm="lloyd").fit(points)
    assert np.array_equal(ours.labels, theirs.labels_)
    assert ours.centres == pytest.approx(theirs.cluster_centers_, rel=1e-9, abs=1e-12)
    assert ours.squares == pytest.approx(theirs.inertia_, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_ten_restarts_are_as_good_as_those_of_scikit_learn(seed):
    """Within a hundredth of the sum of squares, which has many local minima."""
    points = cloud(seed, rows=300)
    theirs = sklearn.KMeans(6, n_init=10, random_state=seed).fit(points)
    assert kmeans(points, 6, seed=42).squares <= 1.01 * theirs.inertia_


def test_groups_that_lie_apart_are_found():
    """Four of them, each a hundred points wide 0.1 around its corner."""
    corners = np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]])
    points = np.repeat(corners, 100, axis=0) + np.random.default_rng(1).normal(0.0, 0.1, (400, 2))
    found = kmeans(points, 4, seed=7)
    assert sorted(np.round(found.centres).tolist()) == corners.tolist()
    assert len({tuple(found.labels[i : i + 100]) for i in range(0, 400, 100)}) == 4
    assert all(len(set(found.labels[i : i + 100])) == 1 for i in range(0, 400, 100))


@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(8, 40))
def test_each_point_is_nearest_to_its_own_centre_and_each_centre_the_mean_of_its_points(seed, clusters, rows):
    """Of whole numbers, so that many points coincide."""
    points = np.random.default_rng(seed).integers(0, 5, (rows, 2)).astype(float)
    if len(np.unique(points, axis=0)) < clusters:
        with pytest.raises(ValueError, match="different points"):
            kmeans(points, clusters, seed=1)
        return
    found = kmeans(points, clusters, seed=1)
    distances = ((points[:, None, :] - found.centres[None]) ** 2).sum(axis=2)
    assert np.array_equal(distances.argmin(axis=1), found.labels)
    for cluster in range(clusters):
        assert found.centres[cluster] == pytest.approx(points[found.labels == cluster].mean(axis=0))


def test_a_seed_says_what_comes_out():
    """The same to the bit again; another seed begins elsewhere."""
    points = cloud(3)
    first, again = kmeans(points, 5, seed=1), kmeans(points, 5, seed=1)
    assert first.centres.tobytes() == again.centres.tobytes()
    assert not np.array_equal(_seeded(points, 5, 1, 0), _seeded(points, 5, 2, 0))
    assert not np.array_equal(_seeded(points, 5, 1, 0), _seeded(points, 5, 1, 1))
