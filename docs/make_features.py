"""Writes docs/features.md and its pictures from the features' own docstrings: `make docs`.

Every picture is a stretch of one made-up market (`truewind.features.checks.sample_bars`): the price in grey, and the
feature on it where it is a price, else below it.
"""

import inspect
import sys
from pathlib import Path

import numpy as np

from truewind.features import FeaturePipeline, Stream
from truewind.features.base import REGISTRY, Feature
from truewind.features.checks import sample_bars

HERE = Path(__file__).parent
SHOWN, WIDTH, HEIGHT, GAP = 240, 640, 110, 14
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito, 2008
FAMILIES = {
    "trend": "Where the price has been on average, and which way it goes.",
    "momentum": "How fast the price has moved, and which way.",
    "volatility": "How far the price moves.",
    "volume": "What was traded, and where.",
    "price": "Prices, returns, extremes and the shape of a bar.",
    "book": "What is displayed: on columns of the best prices, or of many levels (`book_levels` makes them).",
    "trades": "What was traded, by whom and how it moved the price: on bars with taker volumes, or on single trades.",
    "derivatives": "What is known of a perpetual contract beside its price.",
    "structure": "Swings, levels and pools of stops, each known when it could be known.",
    "time": "What the clock and the calendar say.",
    "across": "Symbols compared with each other.",
}
INTRO = """# Features

*Written by `make docs` from the docstrings; do not edit by hand.*

{count} features. Each is one step from row to row; batch, stream and live run that step, so a value cannot differ
between them. `truewind features list` shows them in the terminal.

**Specs** are text: `sma(20)`, `macd(12, 26, 9)`, `rsi` (defaults). What a feature reads may be another column or
another feature: `sma(7, volume)`, `ema(9, rsi(14))`, `ema(5, macd(12, 26, 9).signal)`. `rsi(14)@1h` is the RSI of
hourly bars on the rows of a shorter timeframe, as it was known then; `returns(1)[BTCUSDT]` that of another symbol.
Several outputs are columns named `macd_12_26_9.signal` and the like.

**Missing data.** Windows and lags count rows, not time: a gap is crossed as if the bars at its ends were neighbours. A
row in which an input is missing (null, NaN, infinite or beyond ±1e100) gives NaN and is otherwise as if it were not
there. No output is ever infinite; what would divide by nothing is NaN.

**Warm-up** is how many rows give no value at first. **Settles** says after how many rows a fresh start is within 1e-9
of a long history; *never* means that the value counts from its beginning or hangs on its path, so it needs all history
or a saved state. Where libraries differ, definitions and seeds are TA-Lib's.

**Your own**: a class like these in your own file, named by its import path, `my_features:Mine(20)`; or a polars
expression (`truewind.features.Expression`). `truewind features check my_features:Mine(20)` puts it to the suite that
all of these pass.

"""


def main() -> None:
    pictures = HERE / "features"
    pictures.mkdir(exist_ok=True)
    for old in pictures.glob("*.svg"):
        old.unlink()
    for kind in REGISTRY.values():
        (pictures / f"{kind.name}.svg").write_text(picture(kind()), encoding="utf-8")
    (HERE / "features.md").write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page."""
    parts = [INTRO.format(count=len(REGISTRY))]
    by_family = {
        family: sorted(kind.name for kind in REGISTRY.values() if kind.family == family) for family in FAMILIES
    }
    for family, names in by_family.items():
        links = ", ".join(f"[{name}](#{name})" for name in names)
        parts.append(f"- **[{family}](#{family}-features)**: {links}\n")
    for family, names in by_family.items():
        parts.append(f"\n## {family.capitalize()} features\n\n{FAMILIES[family]}\n")
        parts += [entry(REGISTRY[name]()) for name in names]
    return "".join(parts)


def entry(feature: Feature) -> str:
    """One feature's heading, picture, docstring and facts."""
    settles = "never" if feature.settles is None else f"{feature.settles:,} rows"
    facts = [
        ("spec", f"`{feature!r}`"),
        ("reads", ", ".join(f"`{name}`" for name in feature.reads)),
        ("gives", ", ".join(f"`{column}`" for column in feature.columns)),
        ("units", feature.units),
        ("warm-up, settles", f"{feature.warmup:,} rows, {settles}"),
    ]
    for name, declared in feature.parameters.items():
        kind = "whole number" if declared.kind is int else "number"
        facts.append(
            (f"`{name}`", f"{kind} from {declared.low:g} to {declared.high:g}, {declared.default:g} if left out")
        )
    table = "\n".join(f"| {name} | {value} |" for name, value in facts)
    text = inspect.cleandoc(type(feature).__doc__ or "")
    shown = f"![{feature.name}](features/{feature.name}.svg)"
    return f"\n### {feature.name}\n\n{shown}\n\n{text}\n\n| | |\n|---|---|\n{table}\n"


def picture(feature: Feature) -> str:
    """An SVG of the last rows of the market and of the feature: what is a price on the price, the rest below."""
    close, columns = values(feature)
    laws = feature.shift if isinstance(feature.shift, tuple) else (feature.shift,) * len(columns)
    prices = {name: column for (name, column), law in zip(columns.items(), laws, strict=True) if law == 1}
    others = {name: column for name, column in columns.items() if name not in prices}
    colours = dict(zip(columns, COLOURS * 3, strict=False))
    panels = [panel({"": close, **prices}, 0, {"": "#999999", **colours})]
    if others:
        spans = [np.ptp(column[np.isfinite(column)]) for column in others.values() if np.isfinite(column).any()]
        apart = max(spans, default=0.0) > 12.0 * min(spans, default=0.0)  # one scale would make lines of some
        panels.append(panel(others, HEIGHT + GAP, colours, apart=apart))
    height = len(panels) * HEIGHT + (len(panels) - 1) * GAP
    size = f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="10"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, *(part for parts in panels for part in parts), "</svg>", ""])


def panel(lines: dict[str, np.ndarray], top: int, colours: dict[str, str], *, apart: bool = False) -> list[str]:
    """Lines on one scale, or each on its own, with their names and the scale's ends."""
    parts = []
    known = [column[np.isfinite(column)] for column in lines.values()]
    every = np.concatenate(known)
    for (name, column), own in zip(lines.items(), known, strict=True):
        used = own if apart else every
        low, high = (float(used.min()), float(used.max())) if used.size else (0.0, 1.0)
        parts.append(line(column, low, high, top, colours[name], 1.5 if name else 1.0))
    left = 6
    for name in filter(None, lines):
        label = name.partition(".")[2] or name
        parts.append(f'<text x="{left}" y="{top + 11}" fill="{colours[name]}">{label}</text>')
        left += 12 + 6 * len(label)
    if every.size and not apart:
        ends = ((top + 11, float(every.max())), (top + HEIGHT - 3, float(every.min())))
        parts += [
            f'<text x="{WIDTH - 2}" y="{y}" fill="#888888" text-anchor="end">{value:.4g}</text>' for y, value in ends
        ]
    return parts


def values(feature: Feature) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The close and the feature's columns over the last rows of the market."""
    rows = SHOWN + max(feature.warmup, 1_000 if feature.settles is None else min(feature.settles, 5_000))
    if feature.across or "[" in "".join(feature.reads):
        symbols = ("ETHUSDT", "BTCUSDT", "SOLUSDT", "XRPUSDT")
        market = {symbol: {**sample_bars(rows, seed=i, flat=False)} for i, symbol in enumerate(symbols)}
        found = FeaturePipeline([feature], symbols).extend(market)["ETHUSDT"]
        close = market["ETHUSDT"]["close"]
    else:
        market_of_one = sample_bars(rows, ("close", *feature.reads), seed=5, flat=False)
        close, found = market_of_one["close"], Stream([feature]).extend(market_of_one)
    return close[-SHOWN:], {name: column[-SHOWN:] for name, column in found.items()}


def line(column: np.ndarray, low: float, high: float, top: float, colour: str, width: float) -> str:
    """A line through the values, broken where there is none; a value between two missing ones is a dot."""
    step, span = WIDTH / (SHOWN - 1), (high - low) or 1.0
    path, drawn = [], False
    for row, value in enumerate(column):
        if not np.isfinite(value):
            drawn = False
            continue
        x, y = row * step, top + 16 + (HEIGHT - 22) * (1 - (value - low) / span)
        path.append(f"{'L' if drawn else 'M'}{x:.1f} {y:.1f}" + ("" if drawn else "h.1"))
        drawn = True
    return f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linecap="round"/>'


if __name__ == "__main__":
    sys.exit(main())
