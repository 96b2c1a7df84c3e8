"""Writes docs/configuration.md from the settings: every key with type, default, range and meaning (`make docs`)."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from truewind.analytics.gate import GateSettings
from truewind.backtest.settings import BacktestSettings
from truewind.cli.settings import ENVIRONMENT_ONLY, PREFIX, AppSettings
from truewind.config import bounds_of
from truewind.exchange.config import ExchangeConfig
from truewind.research.build import Recipe
from truewind.research.states import StatesRecipe
from truewind.research.sweeps import SweepSettings
from truewind.strategies.parts import PartsSettings

PAGE = Path(__file__).parent / "configuration.md"
_INTRO = """# Configuration

Every key of every file that truewind reads, and every variable of its environment. Made by `make docs` from the models
that read them.

An unknown key is an error that names the nearest known one; a value out of range is refused with what the key means.
Any key of a backtest can be changed for one run: `--set account.cash=5000`, `--set strategies.0.allocation=0.5`.
`truewind config show CONFIG` prints all keys with what is in force. Times are UTC; a timeframe or length is written
`1m`, `4h`, `90d`. Fractions are fractions: 0.05 is 5 %.
"""
_FILES: tuple[tuple[str, str, tuple[tuple[str, type[BaseModel]], ...]], ...] = (
    (
        "A backtest",
        "The file of `truewind backtest`, `sweep`, `walkforward`, `validate`, `stress`, `lookahead` and `paper`.\n"
        "`sweep` is read by the commands that try settings, `gate` by `truewind validate`.",
        (("", BacktestSettings), ("sweep", SweepSettings), ("gate", GateSettings)),
    ),
    ("States of a market", "The file of `truewind strategy fit`.", (("", StatesRecipe),)),
    ("A set of features", "The file of `truewind features build`.", (("", Recipe),)),
    (
        "The local exchange",
        "What `truewind exchange --set` changes. `--synthetic` and `--faults` name files with the keys of these parts.",
        (("", ExchangeConfig),),
    ),
)
_ELSEWHERE = {PartsSettings: "[a choice of parts](strategy-parts.md)"}
_TYPES = {str: "text", int: "integer", float: "number", bool: "true or false", Any: "any value"}


def page() -> str:
    """The page as the models are now."""
    sections, told = [_INTRO], dict[type[BaseModel], str]()
    for title, about, models in _FILES:
        sections.append(f"## {title}\n\n{about}\n")
        sections += _sections(dict(models), told)
    return "\n".join([*sections, _environment()])


def _sections(models: Mapping[str, type[BaseModel]], told: dict[type[BaseModel], str]) -> Iterator[str]:
    """The tables of models by their keys, then those of the models in them; told: where each stands already."""
    inner: dict[str, type[BaseModel]] = {}
    for key, model in models.items():
        heading = f"### `{key}`\n\n" if key else ""
        rows = []
        for name, field in model.model_fields.items():
            full = f"{key}.{name}" if key else name
            group = next(_groups(field.annotation), None)
            rows.append(_row(name, field, told.get(group) if group else None))
            if group and group not in told:
                told[group], inner[full] = full, group
        yield f"{heading}{_docstring(model)}\n\n| key | type | default | meaning |\n|---|---|---|---|\n{''.join(rows)}"
    if inner:
        yield from _sections(inner, told)


def _row(name: str, field: FieldInfo, told: str | None) -> str:
    bounds = str(bounds_of(field))
    meaning = _cell(field.description or "") + (f"; {bounds}" if bounds else "")
    meaning += f"; keys as in `{told}` above" if told else ""
    return f"| `{name}` | {_cell(_type(field.annotation))} | {_default(field)} | {meaning} |\n"


def _type(annotation: Any) -> str:
    """A type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is NoneType:
        return "null"
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_type, arguments)))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin in (dict, Mapping):
        return f"by name: {_type(arguments[1])}"
    if annotation in _ELSEWHERE:
        return _ELSEWHERE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys"
    return _TYPES.get(annotation, "text")


def _groups(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation that are told on this page."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in _ELSEWHERE:
        yield annotation
    for argument in get_args(annotation):
        yield from _groups(argument)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.default
    if value is PydanticUndefined or isinstance(value, BaseModel) or value in ("", ()):
        return ""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return "" if isinstance(value[0], BaseModel) else ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _environment() -> str:
    rows = [
        f"| `{PREFIX}{name.upper()}` | {field.default} | {_cell(field.description or '')} |"
        for name, field in AppSettings.model_fields.items()
    ]
    only = [f"| `{name}` | {_cell(meaning)} |" for name, meaning in ENVIRONMENT_ONLY.items()]
    return "\n".join(
        [
            "## The environment\n",
            "From the environment, then a file `.env`, then the default; `truewind config show` prints what holds.\n",
            "| variable | default | meaning |\n|---|---|---|",
            *rows,
            "\nFrom the environment only, secrets among them:\n",
            "| variable | meaning |\n|---|---|",
            *only,
            "",
        ]
    )


def _docstring(model: type[BaseModel]) -> str:
    """What a model says of itself, paragraph by paragraph."""
    return (inspect.getdoc(model) or "").replace("|", "\\|")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
