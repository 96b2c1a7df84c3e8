"""About: what a strategy says of itself: idea, source, when it fails, parameters, what it reads and where it runs."""

import inspect
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from truewind.backtest.reads import named
from truewind.engine.compiled import obstacle
from truewind.strategies import catalogue
from truewind.strategies.base import SignalStrategy, Strategy, load, locate, no_strategy
from truewind.strategies.book import BookStrategy
from truewind.strategies.parameters import Parameter, parameters_of
from truewind.strategies.quoting import Quoter


class About(NamedTuple):
    """path: as a config names it. idea: the first line; text: the paragraphs after it; fails: the last of them.

    kind: "decide", "callbacks" or "book". features: field → spec, with the parameters given. lanes: in which it runs.
    why: what keeps it out of the compiled lane, "" if nothing is known.
    """

    path: str
    idea: str
    text: tuple[str, ...]
    fails: str
    kind: str
    parameters: tuple[Parameter, ...]
    features: dict[str, str]
    lanes: tuple[str, ...]
    why: str


def about(path: str, params: Mapping[str, Any] | None = None) -> About:
    """What the strategy at `path` (see `strategies.base.locate`) says of itself. Raises ConfigError."""
    found = locate(path)
    book = inspect.isclass(found) and issubclass(found, BookStrategy)
    if not (book or inspect.isfunction(found) or (inspect.isclass(found) and issubclass(found, Strategy))):
        raise no_strategy(path)
    idea, *text = _paragraphs(found)
    fails = text.pop() if text and text[-1].startswith("Fails") else ""
    strategy: Any = found(**(params or {})) if book else load(path, params or {})
    if book:
        why = (
            ""
            if strategy.decide is not None or isinstance(strategy, Quoter)
            else "it has no decide, the face for machine code"
        )
        kind, reads = "book", {}
    else:
        why = obstacle(strategy)
        kind, reads = "decide" if isinstance(strategy, SignalStrategy) else "callbacks", named(strategy.features())
    lanes = ("event",) if why else ("event", "compiled")
    parameters = tuple(parameters_of(type(strategy).Params))
    return About(path, idea, tuple(text), fails, kind, parameters, reads, lanes, why)


def about_parts(parts: str, strategy: Strategy) -> About:
    """What there is to say of a strategy that was put together in YAML. parts: their names."""
    why = obstacle(strategy)
    lanes = ("event",) if why else ("event", "compiled")
    reads = named(strategy.features())
    return About(parts, "A strategy put together in YAML.", (), "", "decide", (), reads, lanes, why)


def built_in() -> dict[str, About]:
    """All built-in strategies by short name, at their defaults."""
    return {name: about(catalogue.path_of(name)) for name in catalogue.names()}


def _paragraphs(found: Any) -> list[str]:
    """The paragraphs of the docstring of the strategy's module or, where it has none, of its class or function."""
    module = sys.modules.get(found.__module__)
    text = inspect.cleandoc((module.__doc__ if module else None) or found.__doc__ or "")
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()] or ["(it has no docstring)"]
