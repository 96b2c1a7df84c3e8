"""docs/configuration.md says every key that truewind reads, as the models are now."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from truewind.backtest.settings import BacktestSettings
from truewind.cli.settings import AppSettings, known_names
from truewind.config import parse
from truewind.errors import ConfigError

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "configuration.md"


def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_configuration", REPOSITORY / "docs" / "make_configuration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def models() -> Iterator[type[BaseModel]]:
    """Every model of the page, those inside others too."""
    make = maker()
    waiting = [AppSettings, *(model for _, _, group in make._FILES for _, model in group)]
    seen: set[type[BaseModel]] = set()
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        yield model
        waiting += [inner for field in model.model_fields.values() for inner in make._groups(field.annotation)]


def test_the_page_is_what_make_docs_writes() -> None:
    assert maker().page() == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("model", list(models()), ids=lambda model: model.__name__)
def test_every_key_says_what_it_is(model: type[BaseModel]) -> None:
    """A description, so that the page and the error of a bad value have one; no sentence, so that bounds can follow."""
    for name, field in model.model_fields.items():
        assert field.description, name
        assert not field.description.endswith("."), name


def test_every_variable_of_the_environment_is_listed() -> None:
    """The page and .env.example name the variables that are read, and no others."""
    page = PAGE.read_text(encoding="utf-8").partition("## The environment")[2]
    assert re.findall(r"^\| `(TRUEWIND_\w+)`", page, re.MULTILINE) == known_names()
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"TRUEWIND_[A-Z_]+", example)) == set(known_names())


def test_a_value_out_of_range_is_refused_with_what_the_key_means() -> None:
    """The bounds of a number that may be null are among it."""
    given = {"name": "x", "data": {"venue": "binance", "symbols": ["BTCUSDT"], "timeframe": "1h"}}
    bad = given | {"strategy": {"path": "breakout"}, "risk": {"max_daily_loss": 2}}
    with pytest.raises(ConfigError, match=r"since the UTC day began; above 0, below 1\): input should be less than 1"):
        parse(BacktestSettings, bad)
