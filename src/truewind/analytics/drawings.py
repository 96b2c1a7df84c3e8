"""Drawings: blocks of a report as inline SVG, which needs no script and takes its colours from the style sheet.

Each fits half a page's width and still reads on a phone, where the letters are set larger. What a mark stands for is
told by its title. Lines over long times are drawn by the page's script instead: see `analytics.timelines`.
"""

import datetime as dt
import itertools
import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from truewind.analytics import plots
from truewind.analytics.document import Bars, Histogram, Lines, Scatter
from truewind.analytics.figures import Kind
from truewind.analytics.markup import cell_text
from truewind.numerics.performance import Floats

WIDTH, _HEIGHT = 560, 280
_LEFT, RIGHT, _TOP, _BOTTOM = 66, 14, 12, 34
MAX_TITLED = 600  # points of a scatter that tell their values; more are drawn without
MAX_POINTS = 5_000  # of a scatter
MAX_LINE = 700  # points of a line: more than a screen has columns for it
MAX_BARS = 60
_UNITS = {
    "fraction": "\N{NO-BREAK SPACE}%",
    "times": "×",
    "hours": "\N{NO-BREAK SPACE}h",
    "days": "\N{NO-BREAK SPACE}d",
}
_HOVERS = 56  # places on a drawing of lines that tell their values
_ROW = 26  # height of a bar that lies


class Scale:
    """From values to places: linear, `low` at `start` and `high` at `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if not high > low:  # one value: in the middle of a span around it
            room = abs(low) * 0.05 or 1.0
            low, high = low - room, high + room
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int) -> list[float]:
        """Round values within it."""
        step = round_step((self.high - self.low) / about)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def round_step(step: float) -> float:
    """The nearest of 1, 2, 5 × 10ⁿ that is not below `step`."""
    magnitude = 10.0 ** math.floor(math.log10(step))
    return min(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= step * (1 - 1e-9))


def axis_texts(kind: Kind, values: Sequence[float]) -> list[str]:
    """Labels of an axis: as many decimals as tell neighbours apart, large amounts in thousands and millions."""
    factor = 100.0 if kind == "fraction" else 1.0
    scaled = [value * factor for value in values]
    step = min((abs(b - a) for a, b in itertools.pairwise(scaled)), default=1.0) or 1.0
    unit, divisor = "", 1.0
    largest = max((abs(value) for value in scaled), default=0.0)
    for name, size in (("bn", 1e9), ("m", 1e6), ("k", 1e3)):
        if largest >= 10 * size and step >= size / 100:
            unit, divisor = name, size
            break
    decimals = max(0, min(8, -math.floor(math.log10(step / divisor) + 1e-9)))
    unit += _UNITS.get(kind, "")
    return [f"{value / divisor + 0.0:,.{decimals}f}{unit}".replace("-", "\N{MINUS SIGN}") for value in scaled]


def finite(*arrays: Floats | None) -> Floats:
    """All values of all of them that are numbers."""
    values: Floats = np.concatenate(
        [np.asarray(a, np.float64).ravel() for a in arrays if a is not None] or [np.empty(0)]
    )
    known: Floats = values[np.isfinite(values)]
    return known


def svg(height: float, parts: Sequence[str], label: str) -> Markup:
    """A picture of the common width out of its parts."""
    # The parts are made of numbers and of text that has been escaped.
    head = f'<svg class="drawing" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")


def letters(x: float, y: float, said: str, anchor: str = "middle", more: str = "") -> str:
    """Text in a picture."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(said)}</text>'


def _y_axis(y: Scale, kind: Kind, about: int = 5) -> list[str]:
    ticks = y.ticks(about)
    parts = []
    for value, said in zip(ticks, axis_texts(kind, ticks), strict=True):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(letters(_LEFT - 6, y(value) + 4, said, "end"))
    return parts


def _x_axis(x: Scale, kind: Kind, height: float, about: int = 5) -> list[str]:
    ticks = x.ticks(about)
    base = height - _BOTTOM
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>']
    for value, said in zip(ticks, axis_texts(kind, ticks), strict=True):
        parts.append(f'<line class="axis" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{base}" y2="{base + 4}"/>')
        parts.append(letters(x(value), base + 19, said))
    return parts


def bars(block: Bars) -> Markup | None:
    """Bars that stand where their labels are short, and lie where they are words. None without a value."""
    values = np.asarray(block.values, np.float64)
    if not len(finite(values)):
        return None
    if max(len(label) for label in block.labels) <= 5:
        return _standing(block, values)
    return _lying(block, values)


def _standing(block: Bars, values: Floats) -> Markup:
    known = finite(values, block.low, block.high)
    y = Scale(min(0.0, float(known.min())), max(0.0, float(known.max())), _HEIGHT - _BOTTOM, _TOP)
    slot = (WIDTH - _LEFT - RIGHT) / len(values)
    width = min(slot * 0.76, 64.0)
    every = max(1, math.ceil(44 / slot)) if len(values) > 12 else 1
    parts = _y_axis(y, block.kind)
    for number, (label, value) in enumerate(zip(block.labels, values.tolist(), strict=True)):
        left = _LEFT + number * slot
        if number % every == 0:
            parts.append(letters(left + slot / 2, _HEIGHT - _BOTTOM + 19, label))
        if not math.isfinite(value):
            continue
        top, height = min(y(value), y(0.0)), abs(y(value) - y(0.0))
        look = "down" if value < 0 else "up"
        title = f"<title>{escape(label)}: {cell_text(block.kind, value)}</title>"
        parts.append(
            f'<rect class="{look}" x="{left + (slot - width) / 2:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{max(height, 0.8):.1f}">{title}</rect>'
        )
        parts += _error(block, number, y, left + slot / 2)
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - RIGHT}" y1="{y(0.0):.1f}" y2="{y(0.0):.1f}"/>')
    return svg(_HEIGHT, parts, block.title)


def _error(block: Bars, number: int, y: Scale, x: float) -> list[str]:
    if block.low is None or block.high is None:
        return []
    low, high = float(block.low[number]), float(block.high[number])
    if not (math.isfinite(low) and math.isfinite(high)):
        return []
    return [f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}"/>']


def _lying(block: Bars, values: Floats) -> Markup:
    shown = min(len(values), MAX_BARS)
    known = finite(values[:shown], block.low, block.high)
    if not len(known):
        known = np.zeros(1)
    names, figures = 190, 96
    x = Scale(min(0.0, float(known.min())), max(0.0, float(known.max())), names + 4, WIDTH - figures)
    parts = []
    for number, (label, value) in enumerate(zip(block.labels[:shown], values[:shown].tolist(), strict=True)):
        middle = (number + 0.5) * _ROW + 2
        short = label if len(label) <= 22 else label[:21] + "…"
        parts.append(f"<g><title>{escape(label)}: {cell_text(block.kind, value)}</title>")
        parts.append(letters(names - 6, middle + 4, short, "end", ' class="name"'))
        if math.isfinite(value):
            left, width = min(x(value), x(0.0)), abs(x(value) - x(0.0))
            look = "down" if value < 0 else "up"
            parts.append(
                f'<rect class="{look}" x="{left:.1f}" y="{middle - 8:.1f}" width="{max(width, 0.8):.1f}" height="16"/>'
            )
        if block.low is not None and block.high is not None:
            low, high = float(block.low[number]), float(block.high[number])
            if math.isfinite(low) and math.isfinite(high):
                parts.append(
                    f'<line class="whisker" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
                )
        parts.append(letters(WIDTH - 4, middle + 4, cell_text(block.kind, value), "end"))
        parts.append("</g>")
    height = shown * _ROW + 4
    parts.append(f'<line class="axis" x1="{x(0.0):.1f}" x2="{x(0.0):.1f}" y1="0" y2="{height}"/>')
    return svg(height, parts, block.title)


def histogram(block: Histogram) -> Markup | None:
    """Counts as bars, blue from zero up and orange below, beside the curve that they are compared with."""
    counts, edges = np.asarray(block.counts, np.float64), np.asarray(block.edges, np.float64)
    if not len(counts) or not counts.sum() > 0:
        return None
    low, high = float(edges[0]), float(edges[-1])
    marks = [(name, value) for name, value in block.marks if math.isfinite(value)]
    for _, value in marks:  # what is pointed out must be on the picture
        low, high = min(low, value), max(high, value)
    room = (high - low) * 0.02 if marks else 0.0
    x = Scale(low - room, high + room, _LEFT, WIDTH - RIGHT)
    top = _TOP + 20 * len(marks)
    peak = max(float(counts.max()), float(np.max(block.curve)) if block.curve is not None and len(block.curve) else 0.0)
    y = Scale(0.0, peak, _HEIGHT - _BOTTOM, top)
    parts = _y_axis(y, "count", 4)
    for count, left, right in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if not count:
            continue
        gap = min(1.0, (x(right) - x(left)) * 0.15)
        look = "down" if right <= 1e-12 else "up"
        said = f"{cell_text(block.kind, left)} to {cell_text(block.kind, right)}: {count:,.0f}"
        parts.append(
            f'<rect class="{look}" x="{x(left) + gap / 2:.1f}" y="{y(count):.1f}" '
            f'width="{x(right) - x(left) - gap:.1f}" height="{y(0.0) - y(count):.1f}">'
            f"<title>{escape(said)}</title></rect>"
        )
    if block.curve is not None and block.curve_at is not None and len(block.curve):
        points = " ".join(f"{x(at):.1f},{y(v):.1f}" for at, v in zip(block.curve_at, block.curve, strict=True))
        parts.append(f'<polyline class="normal" points="{points}"/>')
    parts += _x_axis(x, block.kind, _HEIGHT)
    for number, (name, value) in enumerate(marks):
        at, line = x(value), _TOP + 20 * number + 8
        anchor = "end" if at > WIDTH * 0.55 else "start"
        said = f"{name}: {cell_text(block.kind, value)}"
        parts.append(f'<line class="mark-line" x1="{at:.1f}" x2="{at:.1f}" y1="{line - 8}" y2="{_HEIGHT - _BOTTOM}"/>')
        parts.append(letters(at + (-6 if anchor == "end" else 6), line + 4, said, anchor, ' class="name"'))
    return svg(_HEIGHT, parts, block.title)


def scatter(block: Scatter) -> Markup | None:
    """Points; groups by colour and shape. None without a point."""
    xs, ys = np.asarray(block.x, np.float64), np.asarray(block.y, np.float64)
    kept = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys))
    if not len(kept):
        return None
    if len(kept) > MAX_POINTS:
        kept = kept[np.linspace(0, len(kept) - 1, MAX_POINTS).astype(np.int64)]
    groups = np.zeros(len(xs), np.int64) if block.groups is None else np.asarray(block.groups, np.int64)
    height = 340
    x = Scale(*_padded(xs[kept]), _LEFT, WIDTH - RIGHT)
    y = Scale(*_padded(ys[kept]), height - _BOTTOM - 16, _TOP + 18)
    parts = _y_axis(y, block.y_kind)
    if block.diagonal:
        low, high = max(x.low, y.low), min(x.high, y.high)
        if high > low:
            parts.append(
                f'<line class="diagonal" x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(high):.1f}" y2="{y(high):.1f}"/>'
            )
    if len(kept) <= MAX_TITLED:
        for i in kept.tolist():
            said = (
                f"{block.x_label} {cell_text(block.x_kind, float(xs[i]))}, "
                f"{block.y_label} {cell_text(block.y_kind, float(ys[i]))}"
            )
            parts.append(
                f'<circle class="dot g{groups[i] % 8}" cx="{x(xs[i]):.1f}" cy="{y(ys[i]):.1f}" r="3.2">'
                f"<title>{escape(said)}</title></circle>"
            )
    else:
        for group in np.unique(groups[kept]).tolist():
            mine = kept[groups[kept] == group]
            path = "".join(f"M{x(xs[i]):.0f} {y(ys[i]):.0f}h0" for i in mine.tolist())
            parts.append(f'<path class="dots g{group % 8}" d="{path}"/>')
    axis = _x_axis(x, block.x_kind, height - 16)
    parts += [*axis, letters((_LEFT + WIDTH - RIGHT) / 2, height - 4, block.x_label)]
    parts.append(letters(4, _TOP, block.y_label, "start"))
    return svg(height, parts, block.title)


def _padded(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = (high - low) * 0.03
    return low - room, high + room


def lines(block: Lines) -> Markup | None:
    """Curves over numbers, or with bands: where the look of a whole counts, not one moment among thousands."""
    along = np.asarray(block.ts_us if block.ts_us is not None else block.x, np.float64)
    columns = [np.asarray(one.values, np.float64) for one in block.series]
    columns += [np.asarray(side, np.float64) for band in block.bands for side in (band.low, band.high)]
    known = finite(*columns)
    if len(along) < 2 or not len(known):
        return None
    kept = plots.keep_extremes(columns, MAX_LINE) if len(along) > MAX_LINE else np.arange(len(along))
    low, high = float(known.min()), float(known.max())
    room = (high - low) * 0.04
    extra = 16 if block.x_label else 0
    height = _HEIGHT + extra
    y = Scale(low - room, high + room, _HEIGHT - _BOTTOM, _TOP)
    x = Scale(float(along[0]), float(along[-1]), _LEFT, WIDTH - RIGHT)
    places = [x(value) for value in along[kept].tolist()]
    parts = _y_axis(y, block.kind)
    for number, band in enumerate(block.bands):
        upper = [(at, y(v)) for at, v in zip(places, np.asarray(band.high)[kept].tolist(), strict=True) if v == v]
        lower = [(at, y(v)) for at, v in zip(places, np.asarray(band.low)[kept].tolist(), strict=True) if v == v]
        points = " ".join(f"{at:.1f},{v:.1f}" for at, v in upper + lower[::-1])
        strength = 0.12 + 0.16 * (number + 1) / len(block.bands)
        parts.append(
            f'<polygon class="band" style="fill-opacity:{strength:.2f}" points="{points}">'
            f"<title>{escape(band.name)}</title></polygon>"
        )
    other = 0
    for one, values in zip(block.series, columns, strict=False):
        look: str = one.role
        if one.role == "other":
            look, other = f"g{other % 8}", other + 1
        parts.append(f'<path class="curve {look}" d="{_path(places, [y(v) for v in values[kept].tolist()])}"/>')
    parts += _time_axis(x, _HEIGHT) if block.ts_us is not None else _x_axis(x, _number_kind(along), _HEIGHT)
    if block.x_label:
        parts.append(letters((_LEFT + WIDTH - RIGHT) / 2, height - 4, block.x_label))
    parts += _hovers(block, along, columns, x)
    return svg(height, parts, block.title)


def _path(places: Sequence[float], heights: Sequence[float]) -> str:
    """Lines through what is known, and no line over a gap."""
    parts, drawing = [], False
    for at, v in zip(places, heights, strict=True):
        if v == v:
            parts.append(f"{'L' if drawing else 'M'}{at:.1f} {v:.1f}")
        drawing = v == v
    return "".join(parts)


def _number_kind(values: Floats) -> Kind:
    return "count" if np.all(values == np.round(values)) else "ratio"


def _time_axis(x: Scale, height: float) -> list[str]:
    """Years, months or days where they begin, about six of them."""
    base = height - _BOTTOM
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>']
    for at, said in _dates(x.low, x.high):
        parts.append(f'<line class="axis" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{base}" y2="{base + 4}"/>')
        parts.append(letters(min(max(x(at), _LEFT + 14), WIDTH - 24), base + 19, said))
    return parts


def _dates(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    start, end = (epoch + dt.timedelta(microseconds=at) for at in (low, high))
    days = (end - start).days + 1
    if days > 70:
        months = max(1, math.ceil(days / 30.44 / most))
        every = next((step for step in (1, 2, 3, 6, 12, 24, 60, 120) if step >= months), 240)
        first = start.year * 12 + start.month
        found = [
            dt.datetime(number // 12, number % 12 + 1, 1, tzinfo=dt.UTC)
            for number in range(first, end.year * 12 + end.month)
            if number % every == 0
        ]
        named = [(f"{at:%Y}" if at.month == 1 else f"{at:%b %Y}" if every >= 12 else f"{at:%b}", at) for at in found]
    elif days > 2:
        every = math.ceil(days / most)
        first_day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        named = [
            (f"{at.day} {at:%b}", at)
            for i in range(0, days + 1, every)
            if start <= (at := first_day + dt.timedelta(days=i)) <= end
        ]
    else:
        named = [(f"{at:%H:%M}", at) for i in range(most) if (at := start + (end - start) * i / (most - 1))]
    return [((at - epoch) / dt.timedelta(microseconds=1), name) for name, at in named]


def _hovers(block: Lines, along: Floats, columns: Sequence[Floats], x: Scale) -> list[str]:
    """Invisible columns that tell, held over, what the curves are there."""
    rows = np.unique(np.linspace(0, len(along) - 1, min(_HOVERS, len(along))).astype(np.int64)).tolist()
    width = (x.end - x.start) / len(rows)
    parts = []
    for row in rows:
        if block.ts_us is not None:
            where = cell_text("moment", int(along[row]))
        else:
            where = f"{block.x_label} {along[row]:,.6g}".strip()
        said = [where]
        said += [
            f"{one.name}: {cell_text(block.kind, float(v[row]))}" for one, v in zip(block.series, columns, strict=False)
        ]
        for number, band in enumerate(block.bands):
            lower, upper = (float(columns[len(block.series) + 2 * number + side][row]) for side in (0, 1))
            said.append(f"{band.name}: {cell_text(block.kind, lower)} to {cell_text(block.kind, upper)}")
        title = escape("\n".join(said))
        parts.append(
            f'<rect class="hover" x="{x(float(along[row])) - width / 2:.1f}" y="{_TOP}" width="{width:.1f}" '
            f'height="{_HEIGHT - _TOP - _BOTTOM}"><title>{title}</title></rect>'
        )
    return parts
