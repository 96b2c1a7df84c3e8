"""Heat maps on paper: a box a cell, with its value where there is room for it."""

import math

import matplotlib as mpl
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from truewind.analytics import figures
from truewind.analytics.document import HeatMap
from truewind.analytics.pdf import page
from truewind.analytics.pdf.fields import TICK
from truewind.analytics.pdf.page import INK, QUIET, Page, Style

_PARTING = LinearSegmentedColormap.from_list("parting", ["#b8520a", "#f0b27a", "#f7f7f5", "#8fbce6", "#0b62b8"])
_RISING = LinearSegmentedColormap.from_list("rising", ["#f4f7fa", "#9dc3e6", "#2f7bc0", "#0a3a6b"])


def row_height(block: HeatMap) -> float:
    return min(18.0, 420.0 / max(1, len(block.rows)))


def draw(sheet: Page, block: HeatMap, x: float, top: float, wide: float, high: float) -> None:
    small = Style(6.5, colour=QUIET)
    rows, columns = len(block.rows), len(block.columns)
    totals = getattr(block, "totals", None)
    names = [page.shortened(name, wide * 0.25, TICK) for name in block.rows]
    left = max((page.width(name, TICK) for name in names), default=0.0) + 8
    beside = 46.0 if totals is not None else 0.0
    tall, broad = row_height(block), (wide - left - beside) / max(1, columns)
    begin = top + 14
    finite = block.values[np.isfinite(block.values)]
    if block.centre is not None:
        reach = float(np.max(np.abs(finite - block.centre))) or 1.0
        low, span, colours = block.centre - reach, 2 * reach, _PARTING
    else:
        low, span, colours = float(finite.min()), float(np.ptp(finite)) or 1.0, _RISING
    longest = max(page.width(page.typeset(name), small) for name in block.columns) + 2
    every = math.ceil(longest / broad)
    for number, name in enumerate(block.columns):
        if number % every == 0:
            sheet.text(x + left + (number + 0.5) * broad, top + 10, page.typeset(name), small, "centre")
    texts = [[_short(block.kind, value) for value in row] for row in block.values.tolist()]
    digits = Style(min(7.0, tall - 3), colour=INK)
    widest = max((page.width(text, digits) for row in texts for text in row), default=0.0)
    fits = digits.size >= 4.5 and widest <= broad - 2
    for row in range(rows):
        y = begin + row * tall
        if tall >= 7.5 or row % math.ceil(7.5 / tall) == 0:
            sheet.text(x + left - 6, y + tall / 2 + 2.6, names[row], TICK, "right")
        for column in range(columns):
            value = float(block.values[row, column])
            if not math.isfinite(value):
                continue
            shade = mpl.colors.to_hex(colours((value - low) / span))
            sheet.box(x + left + column * broad, y, broad - 0.6, tall - 0.6, shade)
            if fits:
                red, green, blue = mpl.colors.to_rgb(shade)
                ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.52 else INK
                middle = x + left + (column + 0.5) * broad
                style = digits._replace(colour=ink)
                sheet.text(middle, y + tall / 2 + digits.size * 0.36, texts[row][column], style, "centre")
        if totals is not None:
            shown = page.typeset(figures.written(block.kind, float(totals[row])))
            sheet.text(x + wide, y + tall / 2 + 2.6, shown, TICK._replace(bold=True, colour=INK), "right")
    if totals is not None:
        sheet.text(x + wide, top + 10, page.typeset(getattr(block, "total_label", "Total")), small, "right")
    if block.marked is not None:
        row, column = block.marked
        sheet.box(x + left + column * broad - 0.3, begin + row * tall - 0.3, broad, tall, None, INK)
    said = " → ".join(part for part in (block.row_label and f"rows: {block.row_label}", block.column_label) if part)
    if said:
        sheet.text(x + left, begin + rows * tall + 9, page.shortened(said, wide - left, small), small)
    if not fits:
        ends = page.typeset(f"{figures.written(block.kind, low)} to {figures.written(block.kind, low + span)}")
        sheet.text(x + wide, begin + rows * tall + 9, ends, small, "right")


def _short(kind: str, value: float) -> str:
    """A value in a cell of a heat map: a percentage needs no sign of it."""
    if not math.isfinite(value):
        return ""
    if kind == "fraction":
        return page.typeset(f"{round(value * 100, 1) + 0.0:,.1f}")
    return page.typeset(figures.written(kind, value))
