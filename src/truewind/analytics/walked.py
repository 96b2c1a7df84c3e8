"""Walked: a walk-forward as blocks of a report, from the plain values in which `research.walkforward` writes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from truewind.analytics.document import (
    Bars,
    Block,
    Column,
    Document,
    Lines,
    Section,
    Series,
    Table,
    Text,
    Tile,
    Tiles,
)
from truewind.analytics.figures import percent
from truewind.domain.clock import iso
from truewind.domain.timeframe import DAY_US


def settings_text(values: Mapping[str, Any]) -> str:
    """A trial's settings in a line: "fast 5, slow 20"."""
    if not values:
        return "none"
    return ", ".join(f"{key.rpartition('.')[2]} {_short(value)}" for key, value in values.items())


def verdict(walk: Mapping[str, Any]) -> tuple[str, ...]:
    """What came out, in words."""
    overall, windows = walk["overall"], walk["windows"]
    earned = "made" if (overall["net_return"] or 0.0) > 0.0 else "lost"
    sharpe = overall["sharpe"]
    found = [
        f"Chosen on the past and traded on what followed, {_count(len(windows), 'window')} in all, it {earned} "
        f"{percent(abs(overall['net_return'] or 0.0))} out of sample"
        + (f" (Sharpe ratio {sharpe:.2f})." if sharpe is not None else " (its Sharpe ratio is not defined)."),
        f"{round(walk['profitable'] * len(windows))} of {_count(len(windows), 'window')} made money.",
    ]
    if walk["efficiency"] is None:
        found.append("Walk-forward efficiency is not defined: what was chosen had earned nothing in sample.")
    else:
        kept = walk["efficiency"]
        found.append(
            f"Of a return a year that the choice promised in sample, {percent(kept)} came out of sample"
            + (": the choice is fitted to the past." if kept < 0.5 else ".")
        )
    return tuple(found)


def document(walk: Mapping[str, Any]) -> Document:
    """The page of a walk by itself."""
    windows, lengths = walk["windows"], walk["settings"]
    kind = "anchored" if lengths["anchored"] else "rolling"
    train, test = (lengths[name] / DAY_US for name in ("train_us", "test_us"))
    return Document(
        name=walk["name"],
        overline="Walk-forward",
        subtitle=f"{iso(windows[0]['train_start_us'])[:10]} to {iso(windows[-1]['test_end_us'])[:10]} · {kind}, "
        f"{train:g} days to learn, {test:g} to trade · {walk['trials']:,} trials",
        verdict=verdict(walk),
        passed=None,
        warnings=len(walk["notes"]),
        sections=(Section(id="walkforward", title="Out of sample", blocks=blocks(walk)[1:]),),
    )


def blocks(walk: Mapping[str, Any]) -> tuple[Block, ...]:
    """Words, figures, equity, windows and the drift of the choice."""
    overall, windows = walk["overall"], walk["windows"]
    days = np.array(walk["days"], np.int64)
    growth = np.cumprod(1.0 + np.array([0.0 if value is None else value for value in walk["returns"]]))
    found: list[Block] = [
        Text(sentences=verdict(walk)),
        Tiles(
            tiles=(
                Tile(label="Return out of sample", value=overall["net_return"], kind="fraction", tone="sign",
                     meaning="Of the test spans, one behind the other, after costs"),
                Tile(label="Sharpe out of sample", value=overall["sharpe"], kind="ratio", tone="sign",
                     meaning="Of the daily returns of the test spans, annualised"),
                Tile(label="Max drawdown", value=overall["max_drawdown"], kind="fraction",
                     meaning="Of the test spans' equity"),
                Tile(label="Efficiency", value=walk["efficiency"], kind="fraction",
                     meaning="Annualised return out of sample over that in sample of what was chosen"),
                Tile(label="Windows in profit", value=walk["profitable"], kind="fraction",
                     meaning="Share of test spans that made money"),
                Tile(label="Trades", value=overall["trades"], kind="count", meaning="Round trips in the test spans"),
            )
        ),
    ]  # fmt: skip
    if len(days):
        found.append(
            Lines(
                title="Equity out of sample",
                series=(Series(name="out of sample", values=walk["initial"] * growth),),
                kind="money",
                ts_us=(days + 1) * DAY_US,
                choose_log=True,
                note="The test spans, one behind the other. Before each, settings are chosen anew on the past only.",
            )
        )
    found.append(_window_table(windows))
    found.append(
        Bars(
            title="Return of each test span",
            labels=tuple(iso(window["test_start_us"])[:10] for window in windows),
            values=np.array([number(window["outside"]["net_return"]) for window in windows]),
            kind="fraction",
        )
    )
    if len(windows) > 1 and walk["drift"]:
        found.append(_drift_table(walk))
    if walk["notes"]:
        found.append(Text(sentences=tuple(walk["notes"]), tone="quiet", bullets=True))
    return tuple(found)


def _window_table(windows: Sequence[Mapping[str, Any]]) -> Table:
    noted = any(window["note"] for window in windows)
    rows = tuple(
        (
            f"{iso(window['test_start_us'])[:10]} to {iso(window['test_end_us'])[:10]}",
            window["inside"]["yearly"],
            window["inside"]["sharpe"],
            window["outside"]["yearly"],
            window["outside"]["net_return"],
            window["outside"]["sharpe"],
            window["outside"]["max_drawdown"],
            window["outside"]["trades"],
            f"{settings_text(window['chosen'])} (of {window['tried']:,})",
            *((window["note"],) if noted else ()),
        )
        for window in windows
    )
    return Table(
        name="walkforward",
        title="Windows",
        columns=(
            Column(label="Test span"),
            Column(label="A year, in", kind="fraction", tone="sign", meaning="Return a year on the training span"),
            Column(label="Sharpe, in", kind="ratio", tone="sign"),
            Column(label="A year, out", kind="fraction", tone="sign", meaning="Return a year on the test span"),
            Column(label="Return", kind="fraction", tone="sign", meaning="On the test span"),
            Column(label="Sharpe, out", kind="ratio", tone="sign"),
            Column(label="Drawdown", kind="fraction"),
            Column(label="Trades", kind="count"),
            Column(label="Chosen", meaning="By the training span that lies before, of so many trials"),
            *((Column(label="Note"),) if noted else ()),
        ),
        rows=rows,
    )


def _drift_table(walk: Mapping[str, Any]) -> Table:
    rows = []
    for key, drift in walk["drift"].items():
        chosen = [_short(window["chosen"][key]) for window in walk["windows"] if key in window["chosen"]]
        rows.append((key.rpartition(".")[2], " → ".join(chosen), drift))
    return Table(
        name="walkforward_drift",
        title="What was chosen, window by window",
        columns=(
            Column(label="Setting"),
            Column(label="Chosen"),
            Column(
                label="Moves",
                kind="fraction",
                meaning="Mean step from one window to the next, as a share of the range that was tried; of settings "
                "that are no numbers the share of windows in which they change",
            ),
        ),
        rows=tuple(rows),
        note="A setting that jumps from end to end has no effect that lasts, or none at all.",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def number(value: Any) -> float:
    """A number out of JSON, where NaN is null."""
    return np.nan if value is None else float(value)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
