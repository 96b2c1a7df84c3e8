"""Executive summary: the run in words, and the figures that a reader asks for first."""

import math
from collections.abc import Mapping
from typing import Any

from truewind.analytics import figures, luck
from truewind.analytics.document import Section, Tile, Tiles, Tone
from truewind.analytics.report import Report
from truewind.analytics.summary import PAYMENTS

_TILES = ("net_return", "benchmark_return", "sharpe", "max_drawdown")
_DETAILS = (
    *("cagr", "volatility", "sortino", "calmar", "max_drawdown_days", "exposure"),
    *("trades", "win_rate", "profit_factor", "expectancy", "average_r", "average_holding_hours"),
    *("average_win", "average_loss", "best_trade", "worst_trade", "turnover", "final_equity"),
)


def section(report: Report) -> Section:
    """The figures of the run, the foremost large."""
    large = tuple(tile(report.summary, name, "sign" if name == "net_return" else "plain") for name in _TILES)
    large += _luck(report)
    small = tuple(tile(report.summary, name) for name in _DETAILS)
    return Section(id="figures", title="Summary", blocks=(Tiles(tiles=large), Tiles(tiles=small, small=True)))


def _luck(report: Report) -> tuple[Tile, Tile]:
    """How likely it is that the result is more than luck, and what it was chosen from."""
    found = luck.assess(report)
    defined = math.isfinite(found.deflated)
    meaning = "Chance that its true Sharpe ratio is above what the best of all tries shows by luck (deflated Sharpe)"
    better = Tile(
        label="Better than luck",
        value=luck.percent(found.deflated) if defined else None,
        kind="text",
        meaning=meaning if defined else f"Not defined: {found.reason}",
    )
    beside = found.crowd
    if beside is None:
        return better, Tile(label="Variants tried", value=None, kind="count", meaning="Not known: no ledger of trials")
    told = f"On these markets and dates; about {beside.different:,} different ones, {beside.deleted:,} deleted"
    return better, Tile(label="Variants tried", value=beside.tried, kind="count", meaning=told)


def tile(summary: Mapping[str, Any], name: str, tone: Tone = "plain") -> Tile:
    """A figure of the summary, with its meaning, or with why it is not defined."""
    figure = figures.FIGURES[name]
    why = {item["metric"]: item["reason"] for item in summary["not_defined"]}
    meaning = f"Not defined: {why[name]}" if name in why else figure.meaning
    return Tile(label=figure.label, value=summary.get(name), kind=figure.kind, meaning=meaning, tone=tone)


def subtitle(report: Report) -> str:
    """Symbols, dates and length, in a line."""
    symbols = list(report.candles) or report.fills["symbol"].unique().sort().to_list()
    named = ", ".join(symbols) or "no symbol"
    if len(symbols) > 6:
        named = f"{', '.join(symbols[:6])} and {len(symbols) - 6} more"
    summary = report.summary
    return f"{named} · {summary['start'][:10]} to {summary['end'][:10]} · {summary['bars']:,} bars"


def result(summary: Mapping[str, Any]) -> str:
    """What came out, in a few plain sentences."""
    made, held = summary["net_return"], summary["benchmark_return"]
    if made is None:
        return "The result is not defined: see the warnings."
    beside = f", while holding {_made(held)}." if held is not None else "."
    if not summary["fills"]:
        return f"Never traded in {figures.span(summary['days'])}{beside}"
    sentences = [f"{_made(made).capitalize()} in {figures.span(summary['days'])}{beside}"]
    received = sum(summary.get(name, 0.0) for name in PAYMENTS.values() if name != "dividends")
    costs = (summary["fees"] + summary["slippage"] - received) / summary["initial_equity"]
    sentences.append(
        f"Costs ate {figures.percent(costs)} of the starting money." if costs > 0 else "Costs were not above zero."
    )
    if summary["max_drawdown"]:
        sentences.append(
            f"The deepest fall was {figures.percent(summary['max_drawdown'])} and "
            + ("took" if summary["max_drawdown_recovered"] else "had not recovered after")
            + f" {figures.span(summary['max_drawdown_days'])}"
            + (" from peak to recovery." if summary["max_drawdown_recovered"] else ".")
        )
    return " ".join(sentences)


def _made(fraction: float) -> str:
    if round(fraction, 4) == 0:
        return "made nothing"
    return f"{'made' if fraction > 0 else 'lost'} {figures.percent(abs(fraction))}"
