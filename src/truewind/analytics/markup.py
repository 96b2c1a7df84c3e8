"""Markup: the words, figures and tables of a report as HTML. Drawings are in `analytics.drawings`."""

import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from truewind.analytics.document import Column, Table, Text, Tile, Tiles, Tone
from truewind.analytics.figures import Kind, written

MAX_ROWS, MAX_FOLDED = 500, 200  # of a table on a page, and of one that is shown when asked for
HIGH = 14  # rows above which a table scrolls by itself
_SORTED_BY = 5  # rows above which sorting them is worth a click
_BRIEF = 20  # letters of a cell that are not worth a second line
_WORDY = 40  # letters of a cell that is a sentence
_LEFT = ("text", "moment")  # kinds that are set from the left


def cell_text(kind: Kind, value: Any) -> str:
    """A value as it is set: a true minus sign, and no line break before a unit."""
    text = written(kind, value)
    return text if kind in _LEFT else text.replace("-", "\N{MINUS SIGN}").replace(" ", "\N{NO-BREAK SPACE}")


def colour(tone: Tone, value: Any) -> str:
    """The class of a value's colour, "" for none."""
    if tone == "sign":
        number = isinstance(value, int | float) and math.isfinite(value)
        return "gain" if number and value > 0 else "loss" if number and value < 0 else ""
    return {"good": "gain", "bad": "loss", "warning": "warn", "quiet": "quiet"}.get(tone, "")


def prose(sentence: str) -> Markup:
    """A sentence: percent signs stay on their line, negative numbers have a minus, what is in backticks is code."""
    said = str(escape(sentence.replace(" %", "\N{NO-BREAK SPACE}%")))
    said = re.sub(r"(?<![\w.=-])-(?=\d)", "\N{MINUS SIGN}", said)
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", said))


def text(block: Text) -> Markup:
    """Paragraphs, a list, or lines as they are."""
    if block.code:
        lines = escape("\n".join(block.sentences))
        return Markup(f"<details><summary>{escape(block.title)}</summary><pre>{lines}</pre></details>")
    said = [prose(sentence) for sentence in block.sentences]
    if not said:
        return Markup("")
    tone = {"warning": "callout", "quiet": "note", "good": "gain", "bad": "loss"}.get(block.tone, "plain")
    inner = "".join(f"<li>{one}</li>" if block.bullets else f"<p>{one}</p>" for one in said)
    # What is between the tags has been escaped.
    tag = "ul" if block.bullets else "div"
    title = f"<h3>{escape(block.title)}</h3>" if block.title else ""
    return Markup(f'{title}<{tag} class="words {tone}">{inner}</{tag}>')


def tiles(block: Tiles) -> Markup:
    """Figures side by side, or as a list of names and values."""
    if not block.tiles:
        return Markup("")
    if block.small:
        return Markup(f'<dl class="details">{"".join(_detail(tile) for tile in block.tiles)}</dl>')
    # Four in a row, three where that leaves fewer holes.
    three = " three" if len(block.tiles) in (3, 5, 6, 9) else ""
    return Markup(f'<div class="tiles{three}">{"".join(_tile(tile) for tile in block.tiles)}</div>')


def _detail(tile: Tile) -> str:
    long = " long" if tile.kind == "text" and len(str(tile.value)) > 24 else ""
    return (
        f'<div title="{escape(tile.meaning)}"><dt>{escape(tile.label)}</dt>'
        f'<dd class="{colour(tile.tone, tile.value)}{long}">{escape(cell_text(tile.kind, tile.value))}</dd></div>'
    )


def _tile(tile: Tile) -> str:
    return (
        f'<div class="tile" title="{escape(tile.meaning)}"><span class="label">{escape(tile.label)}</span>'
        f'<span class="value {colour(tile.tone, tile.value)}">{escape(cell_text(tile.kind, tile.value))}</span>'
        f'<span class="meaning">{escape(tile.meaning)}</span></div>'
    )


def table(block: Table) -> Markup:
    """A table; long ones are cut, and say so. One without rows is its note."""
    title = f"<h3>{escape(block.title)}</h3>" if block.title else ""
    shown = block.rows[: MAX_FOLDED if block.folded else MAX_ROWS]
    note = block.note
    if len(shown) < len(block.rows):
        note = f"{len(shown):,} of {len(block.rows):,} rows; all are in {block.name}.csv. {note}".strip()
    said = f'<p class="note">{prose(note)}</p>' if note else ""
    if not block.rows:
        return Markup(f'<div class="part">{title}{said or "<p class=note>None.</p>"}</div>')
    drawn = _rows(block, shown)
    if block.folded:
        label = escape(block.title or block.name.replace("_", " "))
        count = f'<span class="quiet">{len(block.rows):,} {"row" if len(block.rows) == 1 else "rows"}</span>'
        return Markup(f"<details><summary>{label} {count}</summary>{drawn}{said}</details>")
    return Markup(f'<div class="part">{title}{drawn}{said}</div>')


def _rows(block: Table, shown: Sequence[tuple[Any, ...]]) -> str:
    sortable = len(shown) > _SORTED_BY and not block.bold
    heads = "".join(_head(column, sortable) for column in block.columns)
    numbers = [column.kind not in _LEFT for column in block.columns]
    lines = []
    for number, row in enumerate(shown):
        cells = []
        for place, (column, value) in enumerate(zip(block.columns, row, strict=True)):
            look = colour(column.tone, value) if numbers[place] or column.tone != "sign" else ""
            brief = "brief" if column.kind == "moment" or len(str(value)) <= _BRIEF else ""
            look = look if numbers[place] else " ".join(part for part in ("text", brief, look) if part)
            look = f"{look} best".strip() if (number, place) in block.best else look
            marked = f' class="{look}"' if look else ""
            key = f' data-v="{_key(value)}"' if sortable and column.kind != "text" else ""
            said = cell_text(column.kind, value)
            words = column.kind == "text" and len(said) > _BRIEF  # a sentence, where a short one may be an id
            cells.append(f"<td{marked}{key}>{prose(said) if words else escape(said)}</td>")
        spot = "" if block.spot is None else f' data-spot="{escape(_spot(row, block.spot))}"'
        total = ' class="sum"' if number in block.bold else ""
        lines.append(f"<tr{total}{spot}>{''.join(cells)}</tr>")
    high = " high" if len(shown) > HIGH else ""
    kind = " sortable" if sortable else ""
    if not any(numbers) and any(len(str(value)) > _WORDY for row in shown for value in row):
        kind += " wordy"  # sentences are read below each other on a phone, not sideways
    return (
        f'<div class="scroll{high}"><table class="list{kind}" id="table-{escape(block.name)}">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _head(column: Column, sortable: bool) -> str:
    label = escape(column.label)
    asks = f' title="{escape(column.meaning)}"' if column.meaning else ""
    side = ' class="text"' if column.kind in _LEFT else ""
    return f'<th scope="col"{side}{asks}>{f"<button type=button>{label}</button>" if sortable else label}</th>'


def _key(value: Any) -> str:
    """What a cell is sorted by; empty where it has no value."""
    if isinstance(value, dt.datetime):
        return str(int(value.timestamp()))
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _spot(row: tuple[Any, ...], spot: tuple[int, int, int]) -> str:
    """Symbol, beginning and end (s UTC; 0: not ended), by tabs, which no symbol contains."""
    symbol, opened, closed = (row[place] for place in spot)
    return f"{symbol}\t{_seconds(opened)}\t{_seconds(closed)}"


def _seconds(moment: Any) -> int:
    if moment is None:
        return 0
    return int(moment.timestamp()) if isinstance(moment, dt.datetime) else int(moment) // 1_000_000
