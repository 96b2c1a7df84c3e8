"""Spaces: ranges as text become the trials that they promise, all of them or a sample."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.config import Bounds
from truewind.errors import ConfigError
from truewind.research.space import Space, is_auto, is_range, spanned
from truewind.strategies.parameters import Parameter


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("5:8", [5, 6, 7, 8]),
        ("20:65:15", [20, 35, 50, 65]),
        ("0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("-1:1", [-1, 0, 1]),
        ([3, 1, 3], [3, 1]),
        ([1, 2.5], [1.0, 2.5]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_a_range_has_these_values(given, values):
    """Both ends belong to it, decimals are exact, a list keeps its order without repetitions."""
    (found,) = zip(*Space({"x": given}), strict=True)
    assert list(found) == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    "given", ["8:5", "5:8:0", "a:b", "nan:3", "1:2:3:4", "0..0", "3..1", "-1..2 log", 315, 2.5, [], "five", "1:1e9"]
)
def test_what_is_no_range_is_refused(given):
    """Among them 315, which is what YAML makes of an unquoted 5:15."""
    with pytest.raises(ConfigError, match="x"):
        Space({"x": given}, sample=5)


def test_any_number_in_between_needs_a_sample():
    """There is no end of them."""
    with pytest.raises(ConfigError, match="--sample"):
        Space({"x": "0.5..4"})


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_a_grid_is_the_product_of_its_axes(lengths):
    """In the order of nested loops, the last key fastest."""
    axes = {f"k{i}": list(range(length)) for i, length in enumerate(lengths)}
    assert list(Space(axes)) == list(itertools.product(*axes.values()))


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_a_sample_of_a_grid_has_no_trial_twice(sample, seed):
    """And is the same whenever it is drawn with that seed."""
    axes = {"a": list(range(6)), "b": list(range(5))}
    trials = list(Space(axes, sample=sample, seed=seed))
    assert len(set(trials)) == len(trials) == min(sample, 30)
    assert trials == list(Space(axes, sample=sample, seed=seed))


@given(st.integers(0, 2**32))
def test_draws_lie_between_their_ends_and_do_not_depend_on_each_other(seed):
    """Trial 7 is the same in a sample of 10 and of 20; in a logarithmic axis every decade gets its share."""
    grid = {"a": "0.5..4", "b": "1e-4..1e-1 log", "c": ["x", "y"]}
    few, many = Space(grid, sample=10, seed=seed), Space(grid, sample=200, seed=seed)
    assert list(few) == [many[i] for i in range(10)]
    assert all(0.5 <= a <= 4 and 1e-4 <= b <= 1e-1 and c in "xy" for a, b, c in many)
    assert sum(b < 1e-3 for _, b, _ in many) > 30


def test_only_several_values_make_a_range():
    """`--set account.cash=5000` changes a setting, `--set …=5:15` varies one."""
    assert [
        is_range(text) for text in ("5:15", "0.5:3:0.25", "[1, 2]", "0.5..4", "5000", "0.5", "BTCUSDT", "true")
    ] == [
        *[True] * 4,
        *[False] * 4,
    ]


@pytest.mark.parametrize(
    ("given", "kind", "bounds", "values"),
    [
        ("auto:3", "int", Bounds(1, 9), [1, 5, 9]),
        ("auto", "int", Bounds(3, 6), [3, 4, 5, 6]),
        (" auto : 2 ", "float", Bounds(0.5, 2.5), [0.5, 2.5]),
        ("auto", "float", Bounds(0.5, 2.5), "0.5..2.5"),
        ("auto", "float", Bounds(0.001, 1.0), "0.001..1.0 log"),
    ],
)
def test_auto_is_what_the_bounds_span(given, kind, bounds, values):
    """So many values, or all there are; of fractions any, by orders of magnitude where the bounds are far apart."""
    assert is_auto(given)
    assert is_range(given)
    assert spanned("k", given, Parameter("k", kind, None, bounds, (), "")) == values


def test_auto_needs_bounds():
    """And says which parameter has none."""
    with pytest.raises(ConfigError, match=r"strategy\.params\.x has no bounds"):
        spanned("strategy.params.x", "auto:8", Parameter("x", "int", 3, Bounds(low=1), (), ""))
    assert not is_auto("automatic")
    assert not is_auto(["auto"])
