"""Tables on paper: columns as wide as they need, rows over as many pages as they need, the heading on each of them."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from truewind.analytics import figures
from truewind.analytics.document import Column, Table
from truewind.analytics.pdf import page
from truewind.analytics.pdf.flow import Flow, paragraph
from truewind.analytics.pdf.page import GAIN, INK, INNER, LEFT, LOSS, QUIET, SMALL, TITLE, Style

MAX_ROWS, MAX_FOLDED = 150, 60  # of one table on paper; the CSV file has all of them
_SIZES = ((8.0, 10.0), (7.5, 9.0), (7.0, 8.0), (6.5, 7.0), (6.0, 5.5))  # of text, and between columns
_LEADING = 1.3
_MAX_LINES = 50  # of a row in one piece; a longer one is continued
_PROSE = INNER * 0.3  # wider text than that is prose
_SHORT = 42.0  # a heading that is not broken
_NARROWEST = 34.0  # a column of text is not made narrower to save a panel


class _Panel(NamedTuple):
    """Columns that fit side by side, by number, with their widths."""

    columns: list[int]
    widths: list[float]
    size: float
    gap: float


def sign(value: Any) -> int:
    """-1, 0 or 1; 0 for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating) or math.isnan(value):
        return 0
    return int(np.sign(value))


def place(flow: Flow, table: Table) -> None:
    """Draw the table where the flow is."""
    rows = table.rows[: MAX_FOLDED if table.folded else MAX_ROWS]
    cells = [[_cell(column, value) for column, value in zip(table.columns, row, strict=True)] for row in rows]
    panels = _panels(table.columns, cells) if table.columns else []
    if table.title:
        for line in page.wrapped(table.title, INNER, TITLE):
            top = flow.take(TITLE.leading, with_next=_least_high(table, panels[0], len(rows)) if panels else 0.0)
            flow.page.text(LEFT, top + TITLE.size, line, TITLE)
        flow.y += 2
    for number, panel in enumerate(panels):
        if number:
            flow.y += 8
        _draw(flow, table, cells, panel)
    hidden = len(table.rows) - len(rows)
    notes = ["None."] if not table.rows else []
    if hidden:
        notes.append(f"The first {len(rows):,} of {len(table.rows):,} rows; all are in {table.name}.csv.")
    notes += [table.note] if table.note else []
    for note in notes:
        flow.y += 3
        paragraph(flow, note, SMALL)


def _cell(column: Column, value: Any) -> str:
    return page.typeset(figures.written(column.kind, value))


def _panels(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[_Panel]:
    """The columns side by side at the largest size that fits; failing that with text wrapped; failing that in panels,
    each of which repeats the first column.
    """
    numbers = list(range(len(columns)))
    for size, gap in _SIZES:
        natural = [_natural(columns, cells, number, Style(size)) for number in numbers]
        free = INNER - gap * (len(numbers) - 1)
        if sum(natural) <= free:
            return [_Panel(numbers, natural, size, gap)]
        if size < _SIZES[0][0] and any(wide > _PROSE for wide in natural):  # sentences are rather wrapped than small
            least = [_least(columns, cells, number, natural[number], Style(size)) for number in numbers]
            if sum(least) <= free - _PROSE / 2:
                return [_Panel(numbers, _shared(least, natural, gap), size, gap)]
    least = [_least(columns, cells, number, natural[number], Style(size)) for number in numbers]
    panels, chosen = [], numbers[:1]
    for number in numbers[1:]:
        if sum(least[n] for n in [*chosen, number]) + gap * len(chosen) > INNER and len(chosen) > 1:
            panels.append(chosen)
            chosen = numbers[:1]
        chosen = [*chosen, number]
    panels.append(chosen)
    widths = [_shared([least[n] for n in part], [natural[n] for n in part], gap) for part in panels]
    return [_Panel(part, wide, size, gap) for part, wide in zip(panels, widths, strict=True)]


def _natural(columns: Sequence[Column], cells: Sequence[Sequence[str]], number: int, style: Style) -> float:
    """So wide that no cell is broken, and the heading only once, between two words, and not at all if it is short."""
    words, bold = page.typeset(columns[number].label).split(" "), style._replace(bold=True)
    whole = page.width(" ".join(words), bold)
    heading = (
        whole
        if whole <= _SHORT
        else min(
            max(page.width(" ".join(words[:cut]), bold), page.width(" ".join(words[cut:]), bold))
            for cut in range(1, len(words) + 1)
        )
    )
    return max([heading, *(page.width(row[number], style._replace(bold=True)) for row in cells)])


def _least(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], number: int, natural: float, style: Style
) -> float:
    """As narrow as it may be: numbers are never broken, text is, between words where that will do."""
    if columns[number].kind != "text":
        return min(natural, INNER * 0.5)
    longest = max((page.width(word, style) for row in cells for word in row[number].split(" ")), default=0.0)
    return min(natural, max(_NARROWEST, min(longest, INNER * 0.25)))


def _shared(least: Sequence[float], natural: Sequence[float], gap: float) -> list[float]:
    """What room is left, to the columns in proportion to what they lack."""
    room = max(0.0, INNER - gap * (len(least) - 1) - sum(least))
    lacking = [whole - part for whole, part in zip(natural, least, strict=True)]
    share = min(1.0, room / sum(lacking)) if sum(lacking) > 0 else 0.0
    widths = [part + share * lack for part, lack in zip(least, lacking, strict=True)]
    over = sum(widths) + gap * (len(widths) - 1) - INNER
    return [wide * (1 - over / sum(widths)) for wide in widths] if over > 1e-6 else widths


def _labels(table: Table, panel: _Panel) -> list[list[str]]:
    """The headings, wrapped."""
    bold = Style(panel.size, bold=True)
    return [
        page.wrapped(table.columns[number].label, wide, bold)
        for number, wide in zip(panel.columns, panel.widths, strict=True)
    ]


def _least_high(table: Table, panel: _Panel, rows: int) -> float:
    """The heading and the first rows, which a title does not leave alone."""
    leading = panel.size * _LEADING
    return max(map(len, _labels(table, panel))) * leading + 5 + min(rows, 3) * (leading + 3.2)


def _draw(flow: Flow, table: Table, cells: Sequence[Sequence[str]], panel: _Panel) -> None:
    style = Style(panel.size)
    left = [LEFT]
    for wide in panel.widths[:-1]:
        left.append(left[-1] + wide + panel.gap)
    right = [table.columns[number].kind != "text" for number in panel.columns]
    labels = _labels(table, panel)
    end = left[-1] + panel.widths[-1]
    leading = style.size * _LEADING

    def heading() -> None:
        deep = max(map(len, labels))
        top = flow.take(deep * leading + 5, with_next=leading * 3)
        for x, wide, lines, number in zip(left, panel.widths, labels, right, strict=True):
            for place, line in enumerate(lines):
                y = top + (deep - len(lines) + place) * leading + style.size
                at = x + wide if number else x
                flow.page.text(at, y, line, style._replace(bold=True, colour=QUIET), "right" if number else "left")
        flow.page.rule(LEFT, flow.y - 1, end, flow.y - 1, INK, 0.7)

    heading()
    begun = len(flow.pages)
    for row_number, row in enumerate(cells):
        strong = row_number in table.bold
        wrapped = [
            page.wrapped(row[number], wide, style._replace(bold=strong)) if page.width(row[number], style) > wide - 0.01
            or strong else [row[number]]
            for number, wide in zip(panel.columns, panel.widths, strict=True)
        ]  # fmt: skip
        for start in range(0, max(map(len, wrapped)), _MAX_LINES):
            part = [lines[start : start + _MAX_LINES] for lines in wrapped]
            high = max(map(len, part)) * leading + 3.2
            if high > flow.room:
                flow.turn()
            if len(flow.pages) > begun:
                heading()
                begun = len(flow.pages)
            top = flow.take(high)
            if strong and not start:
                flow.page.rule(LEFT, top, end, top, page.LINE, 0.6)
            for place, number in enumerate(panel.columns):
                colour = _colour(table.columns[number].tone, table.rows[row_number][number])
                chosen = style._replace(bold=strong or (row_number, number) in table.best, colour=colour)
                for line_number, line in enumerate(part[place]):
                    y = top + 2 + style.size + line_number * leading
                    at = left[place] + (panel.widths[place] if right[place] else 0.0)
                    flow.page.text(at, y, line, chosen, "right" if right[place] else "left")
            flow.page.rule(LEFT, flow.y, end, flow.y, page.PALE, 0.5)
    flow.page.rule(LEFT, flow.y, end, flow.y, page.LINE, 0.6)


def _colour(tone: str, value: Any) -> str:
    if tone == "sign":
        return {1: GAIN, -1: LOSS, 0: INK}[sign(value)]
    return {"good": GAIN, "bad": LOSS, "warning": LOSS, "quiet": QUIET}.get(tone, INK)
