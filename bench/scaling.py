"""How cost grows

The same work in growing amounts, each amount in a process of its own: time, and the peak of the process's memory. A
backtest here is everything up to its results: reading the lake, features, timeline, the lane with risk gate and ledger,
journal. The exponent is that of the power of the amount by which time grows, fitted to all amounts by least squares on
logarithms: 1 is proportional, more would be worse. Fixed costs (a tenth of a second to read and prepare) make it less.

![Time and memory of growing work](scaling.svg)

*Bars*: one symbol. *Symbols*: 20,000 bars each, on one account that holds all of them nearly always: each order is
judged, and each fill valued, beside everything else that is held, which costs a tenth of a microsecond a position.
*Trials*: of a sweep on 50,000 bars, on all cores. *Trades*: a tape through `on_trade`. *Orders*: the same million bars,
traded ever more often, on plain axes: they come on top of a work that is there without them.
"""

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness import BENCH, LOGS, Answer, Row, main, row, run, size_name

PICTURE = BENCH.parent / "docs" / "scaling.svg"
MILLION = 1_000_000
ON_TOP = "orders"  # counted on top of a work that is there without them: straight lines on plain axes
# Averages of these lengths send ever more orders in a million bars.
LENGTHS = (1_920, 960, 480, 240, 120, 60, 30)


class Curve(NamedTuple):
    """One work. amounts: of what the horizontal axis counts. start: the answer for an amount. unit: of its rate."""

    title: str
    counted: str
    unit: str
    amounts: tuple[int, ...]
    start: Callable[[int], Answer]


def curves(quick: bool) -> list[Curve]:
    repeats, part = (1, 1_000) if quick else (3, 1)
    bars = tuple(n // part for n in (250_000, 500_000, MILLION, 2 * MILLION, 4 * MILLION))
    symbols = (1, 2) if quick else (1, 4, 16, 64)
    trades = tuple(n // part for n in (MILLION, 2 * MILLION, 4 * MILLION, 8 * MILLION))
    each, sweep = 20_000 // min(part, 20), 50_000 // min(part, 20)
    ours = sys.executable

    def backtest(lane: str, symbols: int, bars: int, slow: int = 30) -> Answer:
        return run(ours, "ours_scaling.py", lane, symbols, bars, slow, repeats)

    def trials(count: int) -> Answer:
        side = math.isqrt(count)
        return run(ours, "ours_sweep.py", sweep, f"2:{2 + side}", f"{2 + side}:{2 + 2 * side}", repeats)

    return [
        Curve("event lane, bars", "bars", "bars", bars, lambda n: backtest("event", 1, n)),
        Curve("compiled lane, bars", "bars", "bars", bars, lambda n: backtest("compiled", 1, n)),
        Curve("event lane, symbols", "symbols", "bars", symbols, lambda n: backtest("event", n, each)),
        Curve("compiled lane, symbols", "symbols", "bars", symbols, lambda n: backtest("compiled", n, each)),
        Curve("sweep, trials", "trials", "bars", (4, 9) if quick else (100, 400, 1_600, 6_400), trials),
        Curve("tape, trades", "trades", "trades", trades, lambda n: run(ours, "ours_trades.py", n, repeats)),
        Curve(
            "compiled lane, orders",
            "orders",
            "bars",
            LENGTHS[-2:] if quick else LENGTHS,
            lambda slow: backtest("compiled", 1, MILLION // part, slow),
        ),
    ]


def rows(quick: bool) -> Iterator[Row]:
    drawn = []
    for curve in curves(quick):
        answers = [curve.start(amount) for amount in curve.amounts]
        amounts = [answer["orders"] if curve.counted == "orders" else n for n, answer in zip(curve.amounts, answers)]
        seconds = [float(np.median(answer["seconds"])) for answer in answers]
        memory = [answer["rss_mb"] for answer in answers]
        drawn.append((curve, amounts, seconds, memory))
        span = f"{size_name(amounts[0])} to {size_name(amounts[-1])}"
        note = f"exponent {exponent(amounts, seconds):.2f}"
        if curve.counted == ON_TOP:
            each, alone = straight(amounts, seconds)
            note = f"{each * 1e9:,.0f} ns each, on top of {alone * 1e3:,.0f} ms"
        note = f"{note}; {memory[0]:,.0f} to {memory[-1]:,.0f} MB"
        yield row(f"{curve.title} {span}", curve.unit, {**answers[-1], "note": note, "orders": None}, {})
    draw(drawn, LOGS / PICTURE.name if quick else PICTURE)


def exponent(amounts: list[int], seconds: list[float]) -> float:
    return float(np.polyfit(np.log(amounts), np.log(seconds), 1)[0])


def straight(amounts: list[int], seconds: list[float]) -> tuple[float, float]:
    """Seconds of each, and of all else, by least squares."""
    each, alone = np.polyfit(amounts, seconds, 1)
    return float(each), float(alone)


def draw(drawn: list[tuple[Curve, list[int], list[float], list[float]]], path: Path) -> None:
    """Above the time over the amount, dashed what is proportional to it (ON_TOP: a straight line); below the memory."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, LogLocator

    ink = "#7a7a7a"  # to be read on white and on black
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "truewind", "font.size": 8, "text.color": ink})
    plt.rcParams.update(dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), ink))
    panels = list(dict.fromkeys(curve.counted for curve, *_ in drawn))
    figure, axes = plt.subplots(2, len(panels), figsize=(2.3 * len(panels), 4.2), layout="constrained", squeeze=False)
    colours = {"event": "#0072b2", "compiled": "#d55e00", "sweep": "#009e73", "tape": "#cc79a7"}  # Okabe and Ito, 2008
    for curve, amounts, seconds, memory in drawn:
        above, below = axes[:, panels.index(curve.counted)]
        name = curve.title.partition(",")[0]
        colour = colours[name.partition(" ")[0]]
        above.plot(amounts, seconds, "o-", color=colour, markersize=3, linewidth=1.2, label=name)
        below.plot(amounts, memory, "o-", color=colour, markersize=3, linewidth=1.2)
        above.set_title(curve.counted, color=ink)
        if curve.counted == ON_TOP:
            each, alone = straight(amounts, seconds)
            above.plot(amounts, alone + each * np.array(amounts), "--", color=colour, linewidth=0.7, alpha=0.6)
            above.set_ylim(bottom=0)
            shown = amounts[:: len(amounts) - 1]
        else:
            middle = len(amounts) // 2
            proportional = [seconds[middle] * amount / amounts[middle] for amount in amounts]
            above.loglog(amounts, proportional, "--", color=colour, linewidth=0.7, alpha=0.6)
            above.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            above.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            below.set_xscale("log")
            shown = amounts[:: max(1, (len(amounts) - 1) // 2)]
        for axis in (above, below):
            axis.set_xticks(shown, [size_name(amount) for amount in shown])
    for above, below in axes.T:
        above.legend(frameon=False, fontsize=7, labelcolor=ink)
        below.set_ylim(bottom=0)
        for axis in (above, below):
            axis.spines[["top", "right"]].set_visible(False)
            axis.patch.set_alpha(0)
            axis.minorticks_off()
    axes[0][0].set_ylabel("seconds")
    axes[1][0].set_ylabel("MB at the peak")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(figure)


if __name__ == "__main__":
    main(rows, __doc__)
