"""Heat maps: fields of values, as tables of coloured figures where they can be read, as pictures where they cannot."""

import math

import numpy as np
from markupsafe import Markup, escape

from truewind.analytics.document import HeatMap
from truewind.analytics.drawings import RIGHT, WIDTH, finite, letters, svg
from truewind.analytics.markup import cell_text, colour
from truewind.numerics.performance import Floats

MAX_CELLS = 20_000  # of a heat map: above that neighbours are left out
MOST_COLUMNS, MOST_ROWS = 16, 120  # of a heat map that is a table
_NARROW = 6  # columns of one that need not fill the page


def heat_map(block: HeatMap) -> Markup | None:
    """A field of few columns as a table of coloured figures, a larger one as a picture. None without a value."""
    values = np.asarray(block.values, np.float64)
    if not len(finite(values)):
        return None
    if values.shape[1] <= MOST_COLUMNS and values.shape[0] <= MOST_ROWS:
        return _cells(block, values)
    return _field(block, values)


def _cells(block: HeatMap, values: Floats) -> Markup:
    """Percent are written without their sign, which stands in the corner."""
    depth = Depths(values, block.centre)
    percent = block.kind == "fraction"

    def said(value: float) -> str:
        if not math.isfinite(value):
            return "–"
        if not percent:
            return cell_text(block.kind, value)
        return f"{round(value * 100, 1) + 0.0:,.1f}".replace("-", "\N{MINUS SIGN}")

    corner = " ".join(part for part in (block.row_label, "%" if percent else "") if part)
    heads = [f'<th scope="col">{escape(name)}</th>' for name in block.columns]
    heads += [] if block.totals is None else [f'<th scope="col" class="total">{escape(block.total_label)}</th>']
    lines = []
    for number, name in enumerate(block.rows):
        cells = []
        for place, value in enumerate(values[number].tolist()):
            if not math.isfinite(value):
                cells.append("<td></td>")
                continue
            look, strength = depth(value)
            marked = " marked" if block.marked == (number, place) else ""
            cells.append(f'<td class="{look}{marked}" style="--depth:{strength:.2f}">{said(value)}</td>')
        if block.totals is not None:
            total = float(block.totals[number])
            cells.append(f'<td class="total {colour("sign", total)}">{said(total)}</td>')
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    narrow = " narrow" if values.shape[1] <= _NARROW else ""
    across = f"<caption>{escape(block.column_label)}</caption>" if block.column_label else ""
    return Markup(
        f'<div class="scroll"><table class="months{narrow}">{across}<thead><tr><th scope="col">{escape(corner)}</th>'
        f"{''.join(heads)}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _field(block: HeatMap, values: Floats) -> Markup:
    """The names of rows and columns are thinned where they would collide."""
    step = max(1, math.ceil(math.sqrt(values.size / MAX_CELLS)))
    rows, columns = range(0, values.shape[0], step), range(0, values.shape[1], step)
    left = min(150, 24 + 7 * max(len(name) for name in block.rows))
    cell = (WIDTH - left - RIGHT) / len(columns)
    high = min(max(cell, 8.0), max(5.0, 420 / len(rows)))
    top, bottom = 22 if block.row_label else 6, 46 if block.column_label else 28
    height = top + high * len(rows) + bottom
    depth = Depths(values, block.centre)
    parts = []
    for line, row in enumerate(rows):
        for place, column in enumerate(columns):
            if not math.isfinite(values[row, column]):
                continue
            look, strength = depth(float(values[row, column]))
            said = f"{block.rows[row]}, {block.columns[column]}: {cell_text(block.kind, float(values[row, column]))}"
            parts.append(
                f'<rect class="{look}" style="fill-opacity:{strength:.2f}" x="{left + place * cell:.1f}" '
                f'y="{top + line * high:.1f}" width="{cell + 0.2:.1f}" height="{high + 0.2:.1f}">'
                f"<title>{escape(said)}</title></rect>"
            )
    if block.marked is not None and step == 1:
        row, column = block.marked
        parts.append(
            f'<rect class="frame" x="{left + column * cell:.1f}" y="{top + row * high:.1f}" width="{cell:.1f}" '
            f'height="{high:.1f}"/>'
        )
    longest = max(len(name) for name in block.columns)
    every = max(1, math.ceil((longest * 9 + 12) / cell))
    base = top + high * len(rows) + 17
    parts += [
        letters(left + (place + 0.5) * cell, base, block.columns[columns[place]])
        for place in range(0, len(columns), every)
    ]
    for line in range(0, len(rows), max(1, math.ceil(18 / high))):
        name = block.rows[rows[line]]
        parts.append(
            letters(left - 6, top + (line + 0.5) * high + 4, name if len(name) < 20 else name[:19] + "…", "end")
        )
    if block.row_label:
        parts.append(letters(4, 13, block.row_label, "start"))
    if block.column_label:
        parts.append(letters(left + (WIDTH - left) / 2, height - 6, block.column_label))
    return svg(height, parts, block.title)


class Depths:
    """The colour of a value: its class, and how strong. Full strength is at the 98th percentile, so that one outlier
    does not fade the rest.
    """

    def __init__(self, values: Floats, centre: float | None) -> None:
        known = finite(values)
        self.centre = centre
        if centre is None:
            self.low = float(known.min()) if len(known) else 0.0
            self.scale = (float(known.max()) - self.low if len(known) else 0.0) or 1.0
        else:
            self.scale = (float(np.quantile(np.abs(known - centre), 0.98)) if len(known) else 0.0) or 1.0

    def __call__(self, value: float) -> tuple[str, float]:
        if self.centre is None:
            return "up", 0.08 + 0.87 * min(1.0, (value - self.low) / self.scale)
        away = value - self.centre
        return "down" if away < 0 else "up", 0.04 + 0.76 * min(1.0, abs(away) / self.scale)
