"""Axes on paper: ticks in the kind of their values, with room made for them."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from truewind.analytics.pdf import page
from truewind.analytics.pdf.page import LINE, QUIET, Style
from truewind.domain.timeframe import DAY_US
from truewind.numerics.performance import Floats, Ints

TICK = Style(7.5, colour=QUIET)
BELOW = 24.0  # a field: ticks, and what the axis says


def days(ts_us: Ints) -> Floats:
    """Moments as matplotlib counts them."""
    return ts_us / DAY_US


def ticks(values: Sequence[float], kind: str) -> list[str]:
    """What stands at the ticks of an axis: as many decimals as tell them apart."""
    scale = 100.0 if kind == "fraction" else 1.0
    steps = [abs(b - a) * scale for a, b in itertools.pairwise(values)]
    step = min((s for s in steps if s > 0), default=abs(values[0]) * scale if len(values) else 1.0)
    unit = {"fraction": " %", "times": "×", "days": " d", "hours": " h", "bps": " bps"}.get(kind, "")
    top = max((abs(v) * scale for v in values), default=0.0)
    if top >= 1e6 and step > 0:
        power = 3 * int(math.log10(top) // 3)
        letter = {6: "M", 9: "bn", 12: "tn"}.get(power)
        if letter:
            scale, step, unit = scale / 10.0**power, step / 10.0**power, f" {letter}{unit}"
    decimals = 0
    while decimals <= 8 and any(abs(round(v * scale, decimals) - v * scale) > step / 100 for v in values):
        decimals += 1
    if decimals > 8 or top >= 1e15:
        return [page.typeset(f"{v * scale:.3g}{unit}") for v in values]
    return [page.typeset(f"{round(v * scale, decimals) + 0.0:,.{decimals}f}{unit}") for v in values]


def _shown(values: ArrayLike, low: float, high: float) -> list[float]:
    reach = abs(high - low) * 1e-6
    return [float(v) for v in np.asarray(values, np.float64) if min(low, high) - reach <= v <= max(low, high) + reach]


def left_axis(axes: Axes, kind: str, *, x: float, wide: float, top: float, high: float) -> None:
    """Ticks of the vertical axis, and the field moved to make room for them within `wide`."""
    if kind == "count":
        axes.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    shown = _shown(axes.yaxis.get_major_locator()(), *axes.get_ylim())
    labels = ticks(shown, kind)
    axes.set_yticks(shown, labels)
    moved(axes, labels, x=x, wide=wide, top=top, high=high)
    axes.grid(axis="y", color=LINE, linewidth=0.4, alpha=0.8)
    axes.set_axisbelow(True)


def moved(axes: Axes, labels: Sequence[str], *, x: float, wide: float, top: float, high: float) -> None:
    """Put the field beside its labels."""
    room = max((page.width(label, TICK) for label in labels), default=0.0) + 6
    place = (
        (x + room) / page.WIDTH,
        1 - (top + high) / page.HEIGHT,
        (wide - room - 4) / page.WIDTH,
        high / page.HEIGHT,
    )
    axes.set_position(place)


def time_axis(axes: Axes, ts_us: Ints) -> None:
    """Dates from the first moment to the last."""
    first, last = float(ts_us[0]) / DAY_US, float(ts_us[-1]) / DAY_US
    pad = 1e-3 * (last - first) if last > first else 0.5
    axes.set_xlim(first - pad, last + pad)
    locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]  # matplotlib tells no types
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # nor here
    axes.xaxis.get_offset_text().set(color=QUIET, size=7.0)


def number_axis(axes: Axes, kind: str, label: str) -> None:
    """Ticks of the horizontal axis, so many as do not touch, and what it says."""
    shown = _shown(axes.xaxis.get_major_locator()(), *axes.get_xlim())
    labels = ticks(shown, kind)
    while (
        sum(page.width(text, TICK) + 8 for text in labels) > axes.get_position().width * page.WIDTH and len(shown) > 2
    ):
        shown = shown[::2]
        labels = ticks(shown, kind)
    axes.set_xticks(shown, labels)
    if label:
        axes.set_xlabel(page.typeset(label), labelpad=1.5)
