"""Writes docs/api.md, every public name with its signature and what it does, from the docstrings: `make docs`."""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

PAGE = Path(__file__).parent / "api.md"
MODULES = {
    "truewind": "The main jobs, and what they read and leave behind.",
    "truewind.strategies": "What the file of a strategy needs ([writing a strategy](strategies-how.md)).",
    "truewind.features": "Numbers computed from bars, trades and books ([features](features.md)).",
    "truewind.market": "Where market data comes from ([history](history.md), [streams](streams.md)).",
    "truewind.exchange": "Binance's protocols on your own machine ([the local exchange](exchange.md)).",
    "truewind.errors": "Everything that is raised on purpose, with the command line's exit codes.",
}
INTRO = """# The public surface

*Written by `make docs` from the docstrings; do not edit by hand.*

What is here keeps its meaning; everything else is internal and may change. Names are imported from the module of their
section: `from truewind.strategies import SignalStrategy`. Everything is loaded on first use, so importing is instant.
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    return INTRO + "".join(_section(name, text) for name, text in MODULES.items())


def public() -> dict[str, Any]:
    """Every public object by its whole name, classes' own public members included."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for key in _names(module):
            found[f"{name}.{key}"] = value = getattr(module, key)
            if isinstance(value, type):
                found |= {f"{name}.{key}.{member}": each for member, each in _members(value)}
    return found


def _section(name: str, text: str) -> str:
    module = importlib.import_module(name)
    lines = [f"\n## {name}\n", f"{text}\n", "| name | what it is |", "|---|---|"]
    for key in _names(module):
        value = getattr(module, key)
        if inspect.ismodule(value):
            lines.append(f"| **`{key}`** | module: [below](#{value.__name__.replace('.', '')}) |")
            continue
        if not callable(value):
            lines.append(f"| **`{key}`** | {_constant(key, value)} |")
            continue
        lines.append(f"| **`{key}{_signature(value)}`** | {_sentence(value)}{_more(value)} |")
        if isinstance(value, type):
            lines += [f"| `.{member}{_signature(each)}` | {_sentence(each)} |" for member, each in _members(value)]
    return "\n".join(lines) + "\n"


def _names(module: Any) -> list[str]:
    """In the order of the alphabet; errors in that of their tree."""
    if module.__name__ == "truewind.errors":
        return [name for name in vars(module) if name in module.__all__]
    return sorted(module.__all__, key=str.casefold)


def _values(module: Any) -> list[Any]:
    return [getattr(module, name) for name in module.__all__]


def _members(cls: type) -> Iterator[tuple[str, Any]]:
    """What a class has of its own, and of bases that are not public: methods and properties."""
    if issubclass(cls, Enum | BaseException):
        return
    seen = set()
    for base in cls.__mro__:
        if not base.__module__.startswith("truewind") or (base is not cls and base in _classes()):
            continue
        for key, value in vars(base).items():
            shown = value.__func__ if isinstance(value, classmethod | staticmethod) else value
            if key.startswith("_") or key in seen or not (inspect.isfunction(shown) or isinstance(shown, property)):
                continue
            seen.add(key)
            yield key, shown


@cache
def _classes() -> frozenset[type]:
    modules = map(importlib.import_module, MODULES)
    return frozenset(value for module in modules for value in _values(module) if isinstance(value, type))


def _signature(value: Any) -> str:
    if isinstance(value, property) or (isinstance(value, type) and issubclass(value, Enum | BaseException | BaseModel)):
        return ""
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return ""
    shown, starred = [], False
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
            starred = True
        starred = starred or parameter.kind is parameter.VAR_POSITIONAL
        text = str(parameter.replace(annotation=parameter.empty))
        shown.append(re.sub(r"=<.*>$", "=…", text))
    return f"({', '.join(shown)})".replace("|", "\\|")


def _sentence(value: Any) -> str:
    """The first paragraph of the docstring, on one line."""
    text = (inspect.getdoc(value) or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def _more(value: Any) -> str:
    """What a class is told of beside its sentence: values, exit code, the public class that it has the rest from."""
    if not isinstance(value, type):
        return ""
    if issubclass(value, Enum):
        return " " + ", ".join(f"`{each.name}` {each.value}" for each in value)
    if issubclass(value, BaseException):
        return f" Exit code {value.exit_code}."
    base = next((base for base in value.__mro__[1:] if base in _classes()), None)
    return f" Beside what `{base.__name__}` has:" if base and base.__name__ != "Settings" else ""


def _constant(key: str, value: Any) -> str:
    return "the version" if key == "__version__" else f"`{value!r}`".replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
