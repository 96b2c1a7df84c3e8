"""Stability: which trials are neighbours, and what of the best they keep."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.research.stability import best_on_plateau, best_trial, stability, surfaces


def grid(field):
    """A table of trials: rows × columns of Sharpe ratios by parameters a and b."""
    field = np.asarray(field, float)
    rows = [(a, b, field[a, b]) for a in range(field.shape[0]) for b in range(field.shape[1])]
    return pl.DataFrame(rows, schema=["p.a", "p.b", "sharpe"], orient="row")


HILL = [[0.2, 0.4, 0.4, 0.2], [0.4, 1.0, 0.9, 0.4], [0.4, 0.9, 0.8, 0.4], [0.2, 0.4, 0.4, 0.2]]
SPIKE = [[0.1, 0.1, 0.1, 0.1], [0.1, 2.0, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]]


def test_a_hill_is_told_from_a_spike():
    """Counted by hand: of the eight cells round the top of the hill three have at least a half of it, none of the
    spike's has."""
    hill, spike = (stability(grid(field), ["p.a", "p.b"], "sharpe") for field in (HILL, SPIKE))
    assert (hill.neighbours, hill.kept) == (8, 3 / 8)
    assert (spike.neighbours, spike.kept, spike.shape) == (8, 0.0, "spike")
    level = stability(grid(np.ones((3, 3))), ["p.a", "p.b"], "sharpe")
    assert (level.neighbours, level.kept, level.shape) == (3, 1.0, "plateau")  # the first of equals is in a corner
    assert "0 of the 8 neighbouring settings" in spike.sentence


def test_the_best_together_with_its_neighbours_is_not_the_spike():
    """A spike of 2 in a plain, and a hill of 1: the mean over neighbours takes the hill."""
    field = np.full((8, 8), 0.0)
    field[1:5, 1:5] = HILL
    field[7, 7] = 2.0
    table = grid(field)
    assert best_trial(table, "sharpe") == 63
    chosen = table.row(best_on_plateau(table, ["p.a", "p.b"], "sharpe"))
    assert chosen[:2] in {(2, 2), (2, 3), (3, 2), (3, 3)}


def test_what_falls_is_best_where_it_is_least():
    """A drawdown of 0.1 is better than one of 0.3; twice as deep still keeps it."""
    table = grid([[0.3, 0.1, 0.19]]).rename({"sharpe": "max_drawdown"})
    assert best_trial(table, "max_drawdown") == 1
    found = stability(table, ["p.a", "p.b"], "max_drawdown")
    assert (found.value, found.neighbours, found.kept) == (0.1, 2, 0.5)


def test_what_cannot_be_told_says_so():
    """No figure at all, a best that lost, a single trial."""
    nothing = stability(grid([[np.nan, np.nan]]), ["p.a", "p.b"], "sharpe")
    assert nothing.shape == "not defined"
    assert "no trial has a Sharpe ratio" in nothing.sentence
    assert best_trial(grid([[np.nan]]), "sharpe") is None
    assert best_on_plateau(grid([[np.nan]]), ["p.a", "p.b"], "sharpe") is None
    assert "nothing to keep" in stability(grid([[-1.0, -2.0]]), ["p.a", "p.b"], "sharpe").sentence
    assert "one trial only" in stability(grid([[1.0]]), ["p.a", "p.b"], "sharpe").sentence
    assert surfaces(grid([[np.nan, np.nan]]), ["p.a", "p.b"], "sharpe") == ()


def test_neighbours_without_a_figure_have_not_kept_it():
    """A setting next to which nothing trades stands on an edge."""
    assert stability(grid([[np.nan, 1.0, 1.0]]), ["p.a", "p.b"], "sharpe").kept == 0.5


def test_the_neighbours_of_a_point_between_trials_are_those_around_it():
    """Settings of a run that are not in the grid."""
    found = stability(grid(HILL), ["p.a", "p.b"], "sharpe", centre={"p.a": 1.5, "p.b": 1.5}, value=1.0)
    assert (found.neighbours, found.kept) == (4, 1.0)


@given(st.integers(2, 40), st.integers(0, 10_000))
def test_the_neighbours_of_a_sample_do_not_hang_on_units(count, seed):
    """Ranks tell them: a parameter times 1000, or its exponential, changes nothing."""
    random = np.random.default_rng(seed)
    a, b, sharpe = random.permutation(count) * 0.1, random.permutation(count) * 1.0, random.normal(1.0, 0.5, count)
    kept = [
        stability(pl.DataFrame({"a": one, "b": b, "sharpe": sharpe}), ["a", "b"], "sharpe").kept
        for one in (a, 1000.0 * a, np.exp(a))
    ]
    np.testing.assert_allclose(kept, kept[0])


def test_surfaces_are_means_over_what_is_not_shown():
    """Two by two with a third parameter: each cell the mean of its trials, the chosen one marked."""
    rows = [(a, b, c, 10.0 * a + b + 0.5 * c) for a in (1, 2) for b in (1, 2) for c in ("x", "y") for c in (0, 1)]
    table = pl.DataFrame(rows, schema=["s.a", "s.b", "s.c", "sharpe"], orient="row").unique(maintain_order=True)
    maps = surfaces(table, ["s.a", "s.b", "s.c"], "sharpe")
    assert [(m.row_label, m.column_label) for m in maps] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert maps[0].values.tolist() == [[11.25, 12.25], [21.25, 22.25]]
    assert maps[0].marked == (1, 1)
    assert maps[0].rows == ("1", "2")


def test_long_axes_are_put_into_bins():
    """A hundred values of a fraction make eight rows, and every trial is in one."""
    random = np.random.default_rng(1)
    a, b = random.uniform(0, 1, 100), random.integers(0, 3, 100)
    table = pl.DataFrame({"s.a": a, "s.b": b, "sharpe": a})
    (found,) = surfaces(table, ["s.a", "s.b"], "sharpe")
    assert found.values.shape == (8, 3)
    assert (np.diff(np.nanmean(found.values, axis=1)) > 0).all()


@pytest.mark.parametrize("values", [[True, False], ["x", "y"]])
def test_values_without_an_order_are_neighbours_of_each_other(values):
    """A switch has one neighbour: the other way."""
    table = pl.DataFrame({"s.way": values, "sharpe": [1.0, 0.8]})
    found = stability(table, ["s.way"], "sharpe")
    assert (found.neighbours, found.kept) == (1, 1.0)
