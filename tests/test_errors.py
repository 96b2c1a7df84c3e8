"""Errors: a tree that speaks the field's words and carries the facts."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind import errors
from truewind.errors import SchemaError, TruewindError, suggest


def family() -> list[type[TruewindError]]:
    found: list[type[TruewindError]] = []
    fresh: list[type[TruewindError]] = [TruewindError]
    while fresh:
        children = fresh.pop().__subclasses__()
        found += children
        fresh += children
    return [member for member in found if member.__module__ == errors.__name__]


def test_the_tree_in_the_head_is_the_tree() -> None:
    """Every error stands in the module's drawing, with the exit code that it or its parent really has."""
    drawn = {}
    code = ""
    for line in str(errors.__doc__).splitlines():
        found = re.match(r"[\s│]*[├└]── (\w+Error)\s*(\d?)", line)
        if found:
            code = found[2] or code
            drawn[found[1]] = int(code)
    assert drawn == {member.__name__: member.exit_code for member in family()}


def test_an_error_says_what_and_what_to_do() -> None:
    """Its text is the message and the remedy; `as_dict` gives both apart, with every fact as text."""
    error = SchemaError("column 'open' is missing", remedy="Map it", path=Path("a.csv"), row=3)
    assert str(error) == "column 'open' is missing. Map it"
    assert error.as_dict() == {
        "type": "SchemaError",
        "message": "column 'open' is missing",
        "remedy": "Map it",
        "facts": {"path": "a.csv", "row": "3"},
    }
    assert str(TruewindError("gone")) == "gone"


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ("opne", "Did you mean 'open'?"),
        ("Close", "Did you mean 'close'?"),
        ("zzz", "Known: close, high, low, open"),
    ],
)
def test_the_closest_name_is_suggested(wrong: str, advice: str) -> None:
    """A slip names the right word; a stranger gets the list."""
    assert suggest(wrong, ["open", "high", "low", "close"]) == advice


@given(st.text(max_size=8), st.lists(st.text(min_size=1, max_size=8), max_size=30))
def test_a_suggestion_names_only_what_is_known(wrong: str, known: list[str]) -> None:
    """Whatever was typed, advice comes from the known names alone, and never fails."""
    advice = suggest(wrong, known)
    if not known:
        assert advice == "None are known"
    elif advice.startswith("Did you mean"):
        assert advice.removeprefix("Did you mean '").removesuffix("'?") in known
    else:
        assert advice.startswith("Known: ")
