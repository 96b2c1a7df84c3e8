"""Parameters: what a class declares is what is read back, and what bounds span stays within them."""

from enum import IntEnum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from truewind.config import Bounds, Settings, parse
from truewind.errors import ConfigError
from truewind.strategies import catalogue
from truewind.strategies.base import load, locate
from truewind.strategies.crypto.breakout import Breakout
from truewind.strategies.parameters import Parameter, parameters_of


class Mood(IntEnum):
    CALM = 0
    KEEN = 1


class Params(Settings):
    length: int = Field(default=10, ge=2, le=500, description="length, bars")
    decay: float = Field(default=0.1, gt=0.0, lt=1.0)
    floor: float | None = Field(default=None, ge=0.0)
    short: bool = True
    side: Literal["long", "both"] = "both"
    mood: Mood = Mood.CALM
    weights: tuple[Annotated[float, Field(ge=0.0, le=2.0)], ...] = (1.0, 0.5)
    needed: int


def test_what_is_declared_is_read_back() -> None:
    """Types, defaults, bounds with their openness, choices and descriptions, in the order of the class."""
    found = {p.name: p for p in parameters_of(Params)}
    assert list(found) == ["length", "decay", "floor", "short", "side", "mood", "weights", "needed"]
    assert found["length"] == Parameter("length", "int", 10, Bounds(2.0, 500.0), (), "length, bars")
    assert found["decay"].bounds == Bounds(0.0, 1.0, above=True, below=True)
    assert (found["floor"].type, found["floor"].bounds.finite) == ("float", False)
    assert (found["short"].type, found["short"].choices) == ("bool", (False, True))
    assert found["side"].choices == ("long", "both")
    assert found["mood"].choices == (Mood.CALM, Mood.KEEN)
    assert (found["weights"].type, found["weights"].bounds) == ("floats", Bounds(0.0, 2.0))
    assert found["weights"].edges() == [(0.0, 0.0), (2.0, 2.0)]
    assert found["needed"].default is None


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (Bounds(2, 500), "2 … 500"),
        (Bounds(0, 20, above=True), "above 0, up to 20"),
        (Bounds(0, 1, True, True), "above 0, below 1"),
        (Bounds(low=1), "at least 1"),
        (Bounds(), ""),
    ],
)
def test_bounds_read_as_people_write_them(bounds: Bounds, text: str) -> None:
    """The words of `strategy show` and of errors."""
    assert str(bounds) == text


@pytest.mark.parametrize(
    ("kind", "bounds", "count", "values"),
    [
        ("int", Bounds(2, 10), 5, [2, 4, 6, 8, 10]),
        ("int", Bounds(1, 3), 8, [1, 2, 3]),
        ("int", Bounds(1, 1000), 4, [1, 10, 100, 1000]),
        ("int", Bounds(0, 3, True, True), 9, [1, 2]),
        ("float", Bounds(0, 2, above=True), 4, [0.5, 1.0, 1.5, 2.0]),
        ("float", Bounds(0, 1, True, True), 3, [0.25, 0.5, 0.75]),
        ("float", Bounds(0.001, 1.0), 4, [0.001, 0.01, 0.1, 1.0]),
        ("float", Bounds(0.0, 10.0), 1, [5.0]),
        ("float", Bounds(low=0.0), 8, []),
    ],
)
def test_values_are_spread_over_the_bounds(kind: str, bounds: Bounds, count: int, values: list[float]) -> None:
    """Evenly, by ratios beyond two orders of magnitude, leaving out a bound that is not allowed itself."""
    assert Parameter("x", kind, None, bounds, (), "").spread(count) == pytest.approx(values)


numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(numbers, st.floats(1e-3, 1e6), st.booleans(), st.booleans(), st.integers(1, 40))
def test_what_is_spread_is_allowed(low: float, width: float, above: bool, below: bool, count: int) -> None:
    """Every value and edge of any bounds passes the validation of a field that was declared with them."""
    high = low + width
    limits = {"gt" if above else "ge": low, "lt" if below else "le": high}
    model = type("P", (Settings,), {"__annotations__": {"x": float}, "x": Field(**limits), "__module__": __name__})
    (parameter,) = parameters_of(model)
    for value in (*parameter.spread(count), *parameter.edges()):
        try:
            model(x=value)
        except ValidationError as error:
            raise AssertionError(f"{value} of {low} … {high}") from error


def test_an_error_says_what_the_parameter_is() -> None:
    """Its description and bounds stand beside what is wrong with it."""
    with pytest.raises(ConfigError, match=r"'length' \(length, bars; 2 … 500\): input should be"):
        parse(Params, {"length": 1, "needed": 1})


# -- names of built-in strategies --------------------------------------------------------------------------------------


def test_a_built_in_strategy_has_a_short_name() -> None:
    """It is the same class as by its path."""
    assert locate("breakout") is Breakout
    assert type(load("breakout", {"entry": 20})) is Breakout


def test_a_wrong_name_is_told_with_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"no built-in strategy 'brakeout'\. Did you mean 'breakout'"):
        locate("brakeout")


def test_a_file_with_one_strategy_needs_no_class_name(tmp_path) -> None:
    """And one with two does."""
    text = "from truewind.strategies.base import Strategy\nclass One(Strategy):\n    pass\n"
    (tmp_path / "one.py").write_text(text)
    assert locate(str(tmp_path / "one.py")).__name__ == "One"
    (tmp_path / "two.py").write_text(text + "class Two(Strategy):\n    pass\n")
    with pytest.raises(ConfigError, match=r"2 strategies \(One, Two\)"):
        locate(str(tmp_path / "two.py"))


@pytest.mark.parametrize("name", catalogue.names())
def test_built_in_strategies_are_documented(name: str) -> None:
    """Idea, source and failure; every parameter with default, bounds and what it is."""
    from truewind.backtest.about import about

    found = about(catalogue.path_of(name))
    assert found.text, "a paragraph on the idea with its source"
    assert found.fails, "a last paragraph that begins with Fails"
    for parameter in found.parameters:
        known = parameter.choices or parameter.bounds.finite or parameter.type == "str"
        assert known, f"{parameter.name} has no bounds"
        assert parameter.description, f"{parameter.name} has no description"
        assert parameter.default is not None, f"{parameter.name} has no default"
