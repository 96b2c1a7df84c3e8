"""Picture: a sweep on one HTML page that needs no network; equal tables give equal bytes.

Two settings are drawn as a heat map, one or more than two as parallel coordinates: a line a trial, through its values.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup, escape

from truewind.analytics.figures import FIGURES, show
from truewind.analytics.page import render

FIGURE, LABEL = "sharpe", "Sharpe ratio"
BEST = 25
MAX_LINES = 1_500  # drawn; where there are more, the best, the worst and every n-th between
MAX_CELLS = 250  # of a side of the heat map
_WIDTH = 1080
_SHOWN = ("net_return", "sharpe", "max_drawdown", "trades", "fees", "final_equity")


def page(name: str, table: pl.DataFrame, keys: Sequence[str], about: Mapping[str, Any]) -> str:
    """The page of a sweep. table: see `sweeps.Sweep`; about: what identifies it, with `trials`, `failed` and `bars`."""
    known = table.filter(pl.col(FIGURE).is_not_null() & pl.col(FIGURE).is_not_nan())
    known = known.sort(FIGURE, descending=True, maintain_order=True)
    short = [key.rpartition(".")[2] for key in keys]
    errors = table["error"].drop_nulls()
    counted = errors.value_counts(sort=True)["error"][0] if len(errors) else ""
    side = max((known[key].n_unique() for key in keys), default=0)
    if known.is_empty():
        drawing, caption = Markup(""), "No trial has a Sharpe ratio: none traded, or none could be run."
    elif len(keys) == 2 and side <= MAX_CELLS and len(known) > side:
        drawing = _heat_map(known, keys, short)
        caption = "A cell is a trial; blue is a positive Sharpe ratio, orange a negative one; the best is framed."
    else:
        drawing = _parallel(known, keys, short)
        caption = "A line is a trial, through its settings to its Sharpe ratio; the best is drawn thick."
    return render(
        "sweep.html",
        name=name,
        about=about,
        keys=short,
        label=LABEL,
        verdict=_verdict(known, keys, short),
        reason=counted,
        drawing=drawing,
        caption=caption,
        columns=[*short, *(FIGURES[column].label for column in _SHOWN)],
        best=[
            [_cell(name, value) for name, value in row.items()] for row in known.head(BEST)[[*keys, *_SHOWN]].to_dicts()
        ],
    )


def _verdict(known: pl.DataFrame, keys: Sequence[str], short: Sequence[str]) -> str:
    if known.is_empty():
        return "No trial has a Sharpe ratio."
    best = known.row(0, named=True)
    at = ", ".join(f"{name} {_number(best[key])}" for name, key in zip(short, keys, strict=True))
    gained, median = int((known["net_return"] > 0).sum()), float(np.median(known[FIGURE].to_numpy()))
    return (
        f"{gained:,} of {len(known):,} trials made money after costs. The best Sharpe ratio is {best[FIGURE]:.2f} "
        f"({at}), the median {median:.2f}."
    )


def _heat_map(known: pl.DataFrame, keys: Sequence[str], short: Sequence[str]) -> Markup:
    xs, ys = (sorted(known[key].unique().to_list()) for key in keys)
    left, top, bottom = 70, 16, 48
    cell = (_WIDTH - left - 16) / len(xs)
    high = min(cell, max(6.0, 520 / len(ys)))
    height = top + high * len(ys) + bottom
    scale = _scale(known)
    across, down = {x: i for i, x in enumerate(xs)}, {y: i for i, y in enumerate(reversed(ys))}
    parts = []
    for x, y, value in known.select(*keys, FIGURE).iter_rows():
        at = f'x="{left + across[x] * cell:.1f}" y="{top + down[y] * high:.1f}" width="{cell:.1f}" height="{high:.1f}"'
        said = f"{short[0]} {_number(x)}, {short[1]} {_number(y)}: {value:.3f}"
        parts.append(f'<rect {at} fill="{_colour(value, scale)}"><title>{escape(said)}</title></rect>')
    x, y = known.row(0, named=True)[keys[0]], known.row(0, named=True)[keys[1]]
    parts.append(
        f'<rect class="best" x="{left + across[x] * cell:.1f}" y="{top + down[y] * high:.1f}" width="{cell:.1f}" '
        f'height="{high:.1f}"/>'
    )
    for i in _ticks(len(xs), 16):
        place = f'x="{left + (i + 0.5) * cell:.1f}" y="{height - bottom + 18:.1f}"'
        parts.append(f'<text {place} text-anchor="middle">{_number(xs[i])}</text>')
    for i in _ticks(len(ys), 16):
        place = f'x="{left - 8}" y="{top + (len(ys) - 1 - i + 0.5) * high + 4:.1f}"'
        parts.append(f'<text {place} text-anchor="end">{_number(ys[i])}</text>')
    parts.append(f'<text x="{_WIDTH / 2}" y="{height - 10:.1f}" text-anchor="middle">{escape(short[0])}</text>')
    parts.append(f'<text x="8" y="{top + 4}">{escape(short[1])}</text>')
    return _svg(height, parts, f"Heat map of the {LABEL}")


def _parallel(known: pl.DataFrame, keys: Sequence[str], short: Sequence[str]) -> Markup:
    columns, names = [*keys, FIGURE], [*short, LABEL]
    every = max(1, -(-len(known) // MAX_LINES))
    drawn = pl.concat([known[::every], known.tail(1)]).reverse()
    top, height, left = 40, 460, 60
    apart = (_WIDTH - 2 * left) / max(1, len(columns) - 1)
    places = []
    parts = []
    for number, (column, name) in enumerate(zip(columns, names, strict=True)):
        numeric = known.schema[column].is_numeric()
        values = sorted(known[column].unique().to_list(), key=lambda v: v if numeric else str(v))
        low, high = (float(values[0]), float(values[-1])) if numeric else (0.0, float(max(1, len(values) - 1)))
        at = {value: (float(value) if numeric else float(i)) for i, value in enumerate(values)}
        span = high - low or 1.0
        places.append({value: height - 30 - (spot - low) / span * (height - 30 - top) for value, spot in at.items()})
        x = left + number * apart
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - 30}"/>')
        parts.append(f'<text x="{x:.1f}" y="20" text-anchor="middle">{escape(name)}</text>')
        parts.append(f'<text x="{x:.1f}" y="{top - 6}" text-anchor="middle">{_number(values[-1])}</text>')
        parts.append(f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{_number(values[0])}</text>')
    scale = _scale(known)
    last = len(drawn) - 1
    for i, row in enumerate(drawn.select(columns).iter_rows()):
        line = " L".join(f"{left + n * apart:.1f} {places[n][value]:.1f}" for n, value in enumerate(row))
        look = 'class="best"' if i == last else f'stroke="{_colour(row[-1], scale)}"'
        parts.append(f'<path {look} d="M{line}"/>')
    return _svg(height, parts, f"Parallel coordinates of settings and {LABEL}")


def _svg(height: float, parts: Sequence[str], label: str) -> Markup:
    # The parts are made of numbers and of text that has been escaped.
    head = f'<svg class="picture" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")


def _scale(known: pl.DataFrame) -> float:
    """The Sharpe ratio of full colour: the 98th percentile of its size, so that one outlier does not fade the rest."""
    return float(known[FIGURE].abs().quantile(0.98) or 1.0) or 1.0


def _colour(value: float, scale: float) -> str:
    strength = 0.08 + 0.92 * min(1.0, abs(value) / scale)
    return f"rgb(var(--{'gain' if value >= 0 else 'loss'}-rgb) / {strength:.2f})"


def _ticks(count: int, most: int) -> range:
    return range(0, count, max(1, math.ceil(count / most)))


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(escape(str(value)))


def _cell(name: str, value: Any) -> str:
    return show(name, value) if name in FIGURES else _number(value)
