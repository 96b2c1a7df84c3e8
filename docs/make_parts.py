"""Writes the tables of docs/strategy-parts.md from the parts' own docstrings and settings: `make docs`."""

import inspect
import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from truewind.config import bounds_of
from truewind.strategies.entries import Entry
from truewind.strategies.exits import Exit
from truewind.strategies.filters import Filter
from truewind.strategies.part import Choice
from truewind.strategies.sizing import SizingSettings

PAGE = Path(__file__).parent / "strategy-parts.md"
BEGIN, END = "<!-- made by make docs: begin -->\n", "<!-- made by make docs: end -->\n"


def page() -> str:
    """The page as it stands, with its tables made anew."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + tables() + END + after


def tables() -> str:
    sections = (("Entries", Entry), ("Exits", Exit), ("Filters", Filter))
    return "\n".join(f"## {title}\n\n{_table(choice)}" for title, choice in sections) + f"\n## Sizing\n\n{_sizing()}"


def _table(choice: type[Choice]) -> str:
    lines = ["| part | setting | default | what it is |", "|---|---|---|---|"]
    for name, field in choice.model_fields.items():
        part = next(kind for kind in field.annotation.__args__ if kind is not type(None))
        lines.append(f"| **`{name}`** | | | {_text(part)} |")
        lines += [_row(field.alias or setting, field) for setting, field in part.model_fields.items()]
    return "\n".join(lines) + "\n"


def _sizing() -> str:
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, field in SizingSettings.model_fields.items():
        about = field.description or "see below"
        lines.append(f"| `{name}` | {_default(field)} | {_cell(about)}{_bounds(field)} |")
    _, _, methods = (inspect.getdoc(SizingSettings) or "").partition("\n\n")
    listed = [" ".join(line.split()) for line in methods.removeprefix('method: "').split('\n"')]
    return "\n".join(lines) + "\n\n" + "".join(f"- **`{line.replace(chr(34), '`**', 1)}\n" for line in listed)


def _row(name: str, field: FieldInfo) -> str:
    return f"| | `{name}` | {_default(field)} | {_cell(field.description or '')}{_bounds(field)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.default
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else f"{list(value) if isinstance(value, tuple) else value}"


def _bounds(field: FieldInfo) -> str:
    bounds = str(bounds_of(field))
    return f"; {bounds}" if bounds else ""


def _text(part: type) -> str:
    return _cell(" ".join((inspect.getdoc(part) or "").split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
