"""Charts on paper. Colours part for every kind of colour vision; signs, dashes and shapes say the same in grey."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import numpy as np

from truewind.analytics import plots
from truewind.analytics.document import (
    Bars,
    Block,
    HeatMap,
    Histogram,
    Lines,
    Scatter,
    Series,
)
from truewind.analytics.pdf import fields, heatmap, page
from truewind.analytics.pdf.flow import Flow
from truewind.analytics.pdf.page import GAIN, HELD, INK, INNER, LEFT, LINE, LOSS, QUIET, SMALL, TITLE, Page, Style

Chart = Lines | Bars | Histogram | HeatMap | Scatter

MAX_POINTS = 1_500  # of a curve: more than a printer shows on this width
MAX_MARKS = 4_000  # of a scatter
_KEY = Style(7.5, colour=QUIET)
_GAP = 22.0  # between two charts side by side
_OTHERS = ("#0b62b8", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00", "#1c2024")
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)))


def is_small(block: Block | None) -> TypeGuard[Histogram | Scatter | Bars]:
    """Whether half the width of a page is enough for it."""
    return isinstance(block, Histogram | Scatter) or (isinstance(block, Bars) and len(block.labels) <= 8)


def height(blocks: Sequence[Chart]) -> float:
    """What charts side by side need, their notes apart."""
    wide = _wide(blocks)
    return max(_head_height(block, wide) for block in blocks) + max(_field_height(block, wide) for block in blocks)


def _wide(blocks: Sequence[Chart]) -> float:
    """The width of each: half the page side by side; alone all of it, but for a few bars, which would be walls."""
    if len(blocks) > 1:
        return (INNER - _GAP) / 2
    few = isinstance(blocks[0], Bars) and len(blocks[0].labels) <= 4
    return INNER * 0.6 if few else INNER


def place(flow: Flow, blocks: Sequence[Chart]) -> None:
    """Draw one chart, or two side by side, where the flow is."""
    wide = _wide(blocks)
    heads = [_head_height(block, wide) for block in blocks]
    fields = [_field_height(block, wide) for block in blocks]
    head, field = max(heads), max(fields)
    notes = [page.wrapped(block.note, wide, SMALL) if block.note else [] for block in blocks]
    below = max(map(len, notes)) * SMALL.leading
    top = flow.take(head + field + below + 4)
    for number, block in enumerate(blocks):
        x = LEFT + number * (wide + _GAP)
        _head(flow.page, block, x, top, wide)
        if _is_empty(block):
            flow.page.box(x, top + head, wide, field - 4, None, LINE)
            flow.page.text(x + wide / 2, top + head + field / 2, "No value to draw", _KEY, "centre")
        else:
            _DRAW[type(block)](flow.page, block, x, top + head, wide, field)
        for line_number, line in enumerate(notes[number]):
            y = top + head + field + 3 + SMALL.size + line_number * SMALL.leading
            flow.page.text(x, y, line, SMALL)


def _is_empty(block: Chart) -> bool:
    if isinstance(block, Lines):
        return not any(np.isfinite(series.values).any() for series in block.series)
    if isinstance(block, Scatter):
        return not (np.isfinite(block.x) & np.isfinite(block.y)).any()
    if isinstance(block, Histogram):
        return not (np.isfinite(block.counts).any() and block.edges[-1] > block.edges[0])
    return not np.isfinite(block.values).any()


def _field_height(block: Chart, wide: float) -> float:
    if isinstance(block, HeatMap):
        return 22.0 + len(block.rows) * heatmap.row_height(block) + (12 if block.column_label else 0)
    if isinstance(block, Scatter):
        return 190.0 + fields.BELOW
    if isinstance(block, Bars) and _lying(block, wide):
        return min(16.0 * len(block.labels), 560.0) + 20
    return (96.0 if isinstance(block, Lines) and block.under else 150.0) + fields.BELOW


# ---- title and key ---------------------------------------------------------------------------------------------------

_Key = tuple[str, Callable[[Page, float, float], None]]  # a name, and what draws its sample


def _head_height(block: Chart, wide: float) -> float:
    rows = len(_key_rows(_keys(block), wide))
    return len(page.wrapped(block.title, wide, TITLE)) * TITLE.leading + rows * 12.0 + 4


def _head(sheet: Page, block: Chart, x: float, top: float, wide: float) -> None:
    for line in page.wrapped(block.title, wide, TITLE):
        sheet.text(x, top + TITLE.size, line, TITLE)
        top += TITLE.leading
    for row in _key_rows(_keys(block), wide):
        at = x
        for name, sample in row:
            sample(sheet, at, top + 6)
            shown = page.shortened(name, wide - 22, _KEY)
            sheet.text(at + 20, top + 8.6, shown, _KEY)
            at += 34 + page.width(shown, _KEY)
        top += 12.0


def _key_rows(keys: Sequence[_Key], wide: float) -> list[list[_Key]]:
    rows: list[list[_Key]] = []
    used = wide
    for key in keys:
        needed = 34 + min(page.width(page.typeset(key[0]), _KEY), wide - 22)
        if used + needed - 14 > wide or not rows:
            rows.append([])
            used = 0.0
        rows[-1].append(key)
        used += needed
    return rows


def _keys(block: Chart) -> list[_Key]:
    if isinstance(block, Lines):
        looks = _looks(block.series)
        named = [
            (series.name, _line_sample(*look))
            for series, look in zip(block.series, looks, strict=True)
            if series.name and not (len(looks) == 1 and not block.bands)
        ]
        shades = [(band.name, _box_sample(_shade(n))) for n, band in enumerate(block.bands)]
        return [*named, *shades]
    if isinstance(block, Histogram) and block.curve is not None and block.curve_name:
        return [(block.curve_name, _line_sample(INK, "-", 1.0))]
    if isinstance(block, Scatter):
        return [(name, _mark_sample(*_mark(n))) for n, name in enumerate(block.names)]
    return []


def _line_sample(colour: str, dash: Any, weight: float) -> Callable[[Page, float, float], None]:
    spaced = None if dash == "-" else [part * weight for part in dash[1]]
    return lambda sheet, x, y: sheet.rule(x, y, x + 15, y, colour, max(weight, 1.0), spaced)


def _box_sample(colour: str) -> Callable[[Page, float, float], None]:
    return lambda sheet, x, y: sheet.box(x, y - 3.5, 15, 7, colour)


def _mark_sample(colour: str, marker: str) -> Callable[[Page, float, float], None]:
    def draw(sheet: Page, x: float, y: float) -> None:
        axes = sheet.axes(x + 4, y - 4, 8, 8)
        axes.set_axis_off()
        axes.plot([0.5], [0.5], marker=marker, color=colour, markersize=4, linestyle="none", clip_on=False)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)

    return draw


def _looks(series: Sequence[Series]) -> list[tuple[str, Any, float]]:
    """Colour, dash and weight of each line."""
    others = itertools.count()
    found: list[tuple[str, Any, float]] = []
    for one in series:
        if one.role == "other":
            number = next(others)
            found.append((_OTHERS[number % len(_OTHERS)], _DASHES[number // len(_OTHERS) % len(_DASHES)], 0.9))
        else:
            own = {"own": (GAIN, "-", 1.1), "held": (HELD, _DASHES[1], 0.9), "limit": (LOSS, _DASHES[2], 0.9)}
            found.append(own[one.role])
    return found


def _shade(number: int) -> str:
    return ("#dce8f4", "#c2d8ee", "#a5c6e6", "#86b2dc")[min(number, 3)]


def _mark(number: int) -> tuple[str, str]:
    return ((GAIN, "o"), (LOSS, "^"), (INK, "s"), ("#009e73", "D"), ("#cc79a7", "v"))[number % 5]


# ---- kinds of chart --------------------------------------------------------------------------------------------------


def _lines(sheet: Page, block: Lines, x: float, top: float, wide: float, high: float) -> None:
    field = high - fields.BELOW
    axes = sheet.axes(x, top, wide, field)
    columns = [one.values for one in block.series]
    columns += [edge for band in block.bands for edge in (band.low, band.high)]
    kept = plots.keep_extremes(columns, max(MAX_POINTS, 2 * len(columns) + 2))
    at: Any = np.arange(len(columns[0]), dtype=np.float64)[kept]
    if block.ts_us is not None:
        at = fields.days(block.ts_us[kept])
    elif block.x is not None:
        at = block.x[kept]
    for number, band in enumerate(block.bands):
        axes.fill_between(at, band.low[kept], band.high[kept], color=_shade(number), linewidth=0)
    for series, (colour, dash, weight) in zip(block.series, _looks(block.series), strict=True):
        values = series.values[kept]
        alone = np.isfinite(values).sum() == 1
        if block.under and series.role in ("own", "other") and len(block.series) == 1:
            axes.fill_between(at, 0.0, values, color=_shade(1), linewidth=0)
        axes.plot(
            at, values, color=colour, linestyle=dash, linewidth=weight, marker="o" if alone else None, markersize=3
        )
    low, high_value = axes.get_ylim()
    if block.under:
        finite = np.concatenate([c[np.isfinite(c)] for c in columns])
        if finite.min() >= 0:
            axes.set_ylim(max(high_value, 1e-9), 0.0)
        else:
            axes.set_ylim(low, 0.0)
    elif low < 0 < high_value:
        axes.axhline(0.0, color=QUIET, linewidth=0.6)
    fields.left_axis(axes, block.kind, x=x, wide=wide, top=top, high=field)
    if block.ts_us is not None:
        fields.time_axis(axes, block.ts_us)
    else:
        fields.number_axis(axes, "ratio", block.x_label)


def _lying(block: Bars, wide: float) -> bool:
    """Whether the labels are too long to stand below their bars."""
    longest = max((page.width(page.typeset(label), fields.TICK) for label in block.labels), default=0.0)
    return (longest + 5) * len(block.labels) > wide - 50


def _bars(sheet: Page, block: Bars, x: float, top: float, wide: float, high: float) -> None:
    lying = _lying(block, wide)
    field = high - (20 if lying else fields.BELOW)
    axes = sheet.axes(x, top, wide, field)
    at = np.arange(len(block.values), dtype=np.float64)
    colours = [GAIN if value >= 0 else LOSS for value in block.values]
    error = None
    if block.low is not None and block.high is not None:
        error = np.vstack([block.values - block.low, block.high - block.values])
        error = np.where(np.isfinite(error), np.maximum(error, 0.0), 0.0)
    look: dict[str, Any] = {"ecolor": INK, "capsize": 2.0, "error_kw": {"elinewidth": 0.7, "capthick": 0.7}}
    hatches = ["" if value >= 0 else "////" for value in block.values]  # a loss is told from a gain without colour
    values = np.where(np.isfinite(block.values), block.values, 0.0)
    if lying:
        drawn = axes.barh(at, values, 0.68, color=colours, xerr=error, **look)
        axes.invert_yaxis()
        labels = [page.shortened(label, wide * 0.4, fields.TICK) for label in block.labels]
        axes.set_yticks(at, labels)
        axes.set_ylim(len(at) - 0.5, -0.5)
        fields.moved(axes, labels, x=x, wide=wide, top=top, high=field)
        axes.axvline(0.0, color=QUIET, linewidth=0.6)
        fields.number_axis(axes, block.kind, "")
        axes.grid(axis="x", color=LINE, linewidth=0.4, alpha=0.8)
        axes.set_axisbelow(True)
    else:
        drawn = axes.bar(at, values, 0.68, color=colours, yerr=error, **look)
        axes.axhline(0.0, color=QUIET, linewidth=0.6)
        axes.set_xlim(-0.6, len(at) - 0.4)
        axes.set_xticks(at, [page.typeset(label) for label in block.labels])
        axes.tick_params(axis="x", length=0)
        fields.left_axis(axes, block.kind, x=x, wide=wide, top=top, high=field)
    for bar, hatch in zip(drawn, hatches, strict=True):
        bar.set(hatch=hatch, edgecolor="white", linewidth=0.0)


def _histogram(sheet: Page, block: Histogram, x: float, top: float, wide: float, high: float) -> None:
    field = high - fields.BELOW - 6
    axes = sheet.axes(x, top + 6, wide, field)
    colours = [GAIN if low + up >= 0 else LOSS for low, up in itertools.pairwise(block.edges.tolist())]
    middle = (block.edges[:-1] + block.edges[1:]) / 2
    gaps = np.diff(block.edges)
    axes.bar(middle, block.counts, gaps * 0.92, color=colours, alpha=0.75)
    if block.curve is not None and block.curve_at is not None:
        axes.plot(block.curve_at, block.curve, color=INK, linewidth=1.0)
    axes.set_xlim(float(block.edges[0]), float(block.edges[-1]))
    ceiling = axes.get_ylim()[1]
    axes.set_ylim(0, ceiling)
    fields.left_axis(axes, "count", x=x, wide=wide, top=top + 6, high=field)
    fields.number_axis(axes, block.kind, "")
    inside = [(name, at) for name, at in block.marks if block.edges[0] <= at <= block.edges[-1]]
    taken: list[tuple[float, float, int]] = []
    for name, at in sorted(inside, key=lambda mark: mark[1]):
        axes.axvline(at, color=INK, linewidth=0.8, linestyle=_DASHES[1])
        frame = axes.get_position()
        share = (at - block.edges[0]) / (block.edges[-1] - block.edges[0])
        point = frame.x0 * page.WIDTH + share * frame.width * page.WIDTH
        shown = page.shortened(name, wide * 0.6, SMALL._replace(size=6.5))
        long = page.width(shown, SMALL._replace(size=6.5))
        start = min(max(point - long / 2, x), x + wide - long)
        level = next(n for n in range(99) if all(n != m or start > e + 4 or start + long < b - 4 for b, e, m in taken))
        taken.append((start, start + long, level))
        sheet.text(start, top + 3 + level * 8.0, shown, SMALL._replace(size=6.5, colour=INK))


def _scatter(sheet: Page, block: Scatter, x: float, top: float, wide: float, high: float) -> None:
    field = high - fields.BELOW - 10
    axes = sheet.axes(x, top + 10, wide, field)
    step = max(1, math.ceil(len(block.x) / MAX_MARKS))
    groups = np.zeros(len(block.x), np.int64) if block.groups is None else block.groups
    for group in np.unique(groups).tolist():
        mine = np.flatnonzero(groups == group)[::step]
        colour, marker = _mark(group)
        look: dict[str, Any] = {"color": colour, "marker": marker, "markeredgewidth": 0.0}
        axes.plot(block.x[mine], block.y[mine], linestyle="none", alpha=0.55, markersize=2.4, **look)
    if block.diagonal:
        low = max(axes.get_xlim()[0], axes.get_ylim()[0])
        end = min(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([low, end], [low, end], color=QUIET, linewidth=0.8, linestyle=_DASHES[1])
    fields.left_axis(axes, block.y_kind, x=x, wide=wide, top=top + 10, high=field)
    sheet.text(x, top + 6, page.shortened(block.y_label, wide, _KEY), _KEY)
    fields.number_axis(axes, block.x_kind, block.x_label)


_DRAW: dict[type, Callable[..., None]] = {
    Lines: _lines,
    Bars: _bars,
    Histogram: _histogram,
    HeatMap: heatmap.draw,
    Scatter: _scatter,
}
