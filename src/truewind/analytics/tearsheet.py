"""Tearsheet: a run on one HTML page that needs no network and is byte-identical for equal inputs.

Results come first, then how they came about, then what would be needed to repeat the run. Script and styles are
part of the page; a content policy in its head forbids it to fetch anything.
"""

import datetime as dt
import functools
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import numpy as np
import orjson
import polars as pl
from markupsafe import Markup

from truewind.analytics import figures, plots
from truewind.analytics.report import Report, load
from truewind.analytics.summary import EVERY_DAY, PAYMENTS
from truewind.numerics import performance

MAX_POINTS = 4_000  # of a curve
MAX_CANDLES = 5_000  # of a symbol
MAX_CANDLES_IN_ALL = 30_000  # keeps the page below 3 MB however many symbols there are
MAX_MARKED = 1_000  # trades marked on a symbol's candles
MAX_ROWS = 500  # of the trade table
MAX_WITHHELD = 100  # orders that were denied or reduced

_TILES = ("net_return", "benchmark_return", "sharpe", "max_drawdown")
_DETAILS = (
    *("cagr", "volatility", "sortino", "calmar", "max_drawdown_days", "exposure"),
    *("trades", "win_rate", "profit_factor", "expectancy", "average_r", "average_holding_hours"),
    *("average_win", "average_loss", "best_trade", "worst_trade", "turnover", "final_equity"),
)


def render(report: Report) -> str:
    """The page as HTML. Equal reports give equal bytes; nothing in it depends on clock or chance."""
    initial = float(report.summary["initial_equity"])
    ts = report.equity["ts"].dt.epoch("us").to_numpy()
    equity = _floats(report.equity["equity"])
    _, returns = performance.daily_returns(ts, equity, initial, every_day=report.summary["days_per_year"] >= EVERY_DAY)
    warnings = [*report.warnings, *_undefined(report.summary)]
    curves = _curves(ts, equity, report.benchmark, initial)
    candles = _candles(report.candles)
    months = plots.monthly_returns(ts, equity, initial)
    page = _environment().get_template("tearsheet.html")
    return page.render(
        name=report.name,
        symbols=_symbols(report),
        summary=report.summary,
        why={item["metric"]: item["reason"] for item in report.summary["not_defined"]},
        verdict=verdict(report.summary),
        figures=figures.FIGURES,
        tiles=_TILES,
        details=_DETAILS,
        currency=report.info.get("currency", ""),
        months=months,
        month_scale=max((abs(m) for year in months for m in year.months if m is not None), default=0.0) or 1.0,
        histogram=_histogram_drawing(plots.histogram(returns)),
        days=len(returns),
        can_log=bool(len(equity)) and bool(np.all(equity > 0)),
        candle_symbols=list(candles),
        undrawn=[symbol for symbol in report.candles if symbol not in candles],
        max_marked=MAX_MARKED,
        crowded=_crowded(report.trades, candles),
        rows=_trade_rows(report.trades),
        hidden_rows=max(0, len(report.trades) - MAX_ROWS),
        risk=_risk(report.summary.get("risk"), report.withheld),
        costs=_costs(report.summary, report.fills),
        config_yaml=report.config_yaml,
        info=report.info,
        assumptions=report.assumptions,
        warnings=warnings,
        data=_json(
            {
                "curves": curves,
                "candles": candles,
                "markers": _markers(report.trades, candles),
                "gains": _gains(report.gains),
            }
        ),
        style=_asset("page.css"),
        script=_asset("tearsheet.js"),
        charts=_asset("lightweight-charts.js"),
    )


def from_run(run_dir: Path) -> str:
    """The page of a finished run, from its folder. Raises MissingFileError or CorruptError, naming the file."""
    return render(load(run_dir))


def verdict(summary: Mapping[str, Any]) -> str:
    """The run in a few plain sentences."""
    result, held = summary["net_return"], summary["benchmark_return"]
    if result is None:
        return "The result is not defined: see the warnings."
    if not summary["fills"]:
        return f"Never traded in {_days(summary['days'])}" + (
            f", while holding {_made(held)}." if held is not None else "."
        )
    sentences = [
        f"{_made(result).capitalize()} in {_days(summary['days'])}"
        + (f", while holding {_made(held)}." if held is not None else ".")
    ]
    received = sum(summary.get(name, 0.0) for name in PAYMENTS.values() if name != "dividends")
    costs = (summary["fees"] + summary["slippage"] - received) / summary["initial_equity"]
    sentences.append(
        f"Costs ate {_percent(costs)} of the starting money." if costs > 0 else "Costs were not above zero."
    )
    if summary["max_drawdown"]:
        sentences.append(
            f"The deepest fall was {_percent(summary['max_drawdown'])} and "
            + ("took" if summary["max_drawdown_recovered"] else "had not recovered after")
            + f" {_days(summary['max_drawdown_days'])}"
            + (" from peak to recovery." if summary["max_drawdown_recovered"] else ".")
        )
    return " ".join(sentences)


def _made(fraction: float) -> str:
    if round(fraction, 4) == 0:
        return "made nothing"
    return f"{'made' if fraction > 0 else 'lost'} {_percent(abs(fraction))}"


def _percent(fraction: float) -> str:
    return f"{fraction * 100:,.{1 if abs(fraction) >= 0.0095 else 2}f} %"


def _days(days: float) -> str:
    if days < 1 / 12:
        return f"{days * 1440:,.0f} minutes"
    if days < 2:
        return f"{days * 24:,.0f} hours"
    return f"{days:,.0f} days"


def _undefined(summary: Mapping[str, Any]) -> list[str]:
    """One line a reason, naming the figures that share it."""
    by_reason: dict[str, list[str]] = {}
    for item in summary["not_defined"]:
        by_reason.setdefault(item["reason"], []).append(figures.FIGURES[item["metric"]].label)
    return [f"{', '.join(names)}: not defined, because {reason}" for reason, names in by_reason.items()]


def _symbols(report: Report) -> list[str]:
    return list(report.candles) or report.fills["symbol"].unique().sort().to_list()


def _curves(
    ts: performance.Ints, equity: performance.Floats, benchmark: pl.DataFrame | None, initial: float
) -> dict[str, Any]:
    """Equity, drawdown and benchmark at common times, thinned."""
    below = performance.drawdowns(equity, initial)
    columns = [equity, below]
    if benchmark is not None and not benchmark.is_empty():
        rows = np.searchsorted(benchmark["ts"].dt.epoch("us").to_numpy(), ts, side="right") - 1
        known = _floats(benchmark["equity"])[np.maximum(rows, 0)]
        columns.append(np.where(rows >= 0, known, math.nan))
    kept = plots.keep_extremes(columns, MAX_POINTS)
    seconds = ts[kept] // 1_000_000
    kept = kept[np.append(np.diff(seconds) > 0, True)]  # the chart counts in seconds: of one second the last row
    return {
        "time": (ts[kept] // 1_000_000).tolist(),
        "equity": _rounded(equity[kept]),
        "drawdown": _rounded(-100 * below[kept]),
        "benchmark": _rounded(columns[2][kept]) if len(columns) > 2 else None,
    }


def _gains(gains: pl.DataFrame | None) -> dict[str, Any] | None:
    """What each strategy has gained at common times, thinned; by name."""
    if gains is None:
        return None
    found = {str(key[0]): table for key, table in gains.group_by("strategy", maintain_order=True)}
    columns = [_floats(table["gain"]) for table in found.values()]
    ts = next(iter(found.values()))["ts"].dt.epoch("us").to_numpy()
    kept = plots.keep_extremes(columns, max(1, MAX_POINTS // len(columns)))
    kept = kept[np.append(np.diff(ts[kept] // 1_000_000) > 0, True)]
    by_name = {name: _rounded(column[kept]) for name, column in zip(found, columns, strict=True)}
    return {"time": (ts[kept] // 1_000_000).tolist(), "strategies": by_name}


def _candles(candles: Mapping[str, pl.DataFrame]) -> dict[str, dict[str, Any]]:
    """Columns by symbol; of very many symbols the first ones, so that each can be told from the next."""
    drawn = [symbol for symbol, table in candles.items() if not table.is_empty()][: MAX_CANDLES_IN_ALL // 500]
    limit = min(MAX_CANDLES, MAX_CANDLES_IN_ALL // max(1, len(drawn)))
    result = {}
    for symbol in drawn:
        table = plots.thin_candles(candles[symbol], limit)
        prices = {name: _rounded(_floats(table[name]), 10) for name in ("open", "high", "low", "close")}
        decimals = len(figures.price(float(_floats(table["close"])[-1])).partition(".")[2])
        result[symbol] = {"time": table["ts"].dt.epoch("s").to_list(), **prices, "decimals": decimals}
    return result


def _markers(trades: pl.DataFrame, candles: Mapping[str, Mapping[str, Any]]) -> dict[str, list[list[Any]]]:
    """Per symbol [candle of entry, candle of exit or None, side, won] of the latest trades; candles by number.

    A fill stamped at the end of a bar happened inside it, so it is shown on the candle that ends there.
    """
    result = {}
    for symbol, columns in candles.items():
        mine = trades.filter(pl.col("symbol") == symbol).tail(MAX_MARKED)
        opens = np.array(columns["time"], np.int64) * 1_000_000

        def candle(moments: pl.Series, opens: performance.Ints = opens) -> list[int | None]:
            return [
                None if moment is None else max(0, int(np.searchsorted(opens, moment)) - 1)
                for moment in moments.dt.epoch("us").to_list()
            ]

        result[symbol] = [
            [entry, exit_, side, int(net > 0)]
            for entry, exit_, side, net in zip(
                candle(mine["opened"]), candle(mine["closed"]), mine["side"], mine["net_pnl"], strict=True
            )
        ]
    return result


def _crowded(trades: pl.DataFrame, candles: Mapping[str, Any]) -> list[str]:
    """Symbols with more trades than are marked."""
    counts = dict(trades.group_by("symbol").len().iter_rows())
    return [symbol for symbol in candles if counts.get(symbol, 0) > MAX_MARKED]


def _trade_rows(trades: pl.DataFrame) -> list[dict[str, Any]]:
    """The latest trades, newest first, as text with the values to sort by."""
    rows = []
    for number, trade in reversed(list(enumerate(trades.tail(MAX_ROWS).iter_rows(named=True), 1))):
        until = trade["closed"]
        held = (until - trade["opened"]).total_seconds() if until else None
        rows.append(
            {
                **trade,
                "number": number + max(0, len(trades) - MAX_ROWS),
                "opened_s": int(trade["opened"].timestamp()),
                "closed_s": int(until.timestamp()) if until else 0,
                "held": held,
                "held_text": _span(held) if held is not None else "open",
            }
        )
    return rows


def _risk(told: Mapping[str, Any] | None, withheld: pl.DataFrame | None) -> dict[str, Any] | None:
    """What the risk gate let pass, reduced and denied, in a sentence, by rule and one by one (the latest)."""
    if told is None or withheld is None or not (told["approved"] + told["reduced"] + told["denied"]):
        return None
    total = told["approved"] + told["reduced"] + told["denied"]
    sentence = f"All {total:,} orders that were to open or add passed."
    if withheld.height:
        result = float(withheld["result"].fill_null(0.0).sum())
        did = "saved" if result < 0 else "cost"
        sentence = (
            f"Of {total:,} orders that were to open or add {told['approved']:,} passed, {told['reduced']:,} were made "
            f"smaller and {told['denied']:,} denied. What was withheld would have "
            f"{'lost' if result < 0 else 'made'} {figures.money(abs(result))}: by this reckoning the rules {did} it."
        )
    followed = withheld.filter(pl.col("result").is_not_null())
    rows = followed.tail(MAX_WITHHELD).reverse().to_dicts()
    return {"sentence": sentence, "rules": told["rules"], "rows": rows, "hidden": followed.height - len(rows)}


def _span(seconds: float) -> str:
    """A length of time in its two largest units: "3 d 4 h", "25 min"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    hours = round(minutes / 60)
    return f"{hours // 24} d" + (f" {hours % 24} h" if hours % 24 else "")


def _costs(summary: Mapping[str, Any], fills: pl.DataFrame) -> list[dict[str, Any]]:
    """From the result before costs to the net result, each step in money, against the start and the trading."""
    executed = fills.filter((pl.col("quantity") > 0) & (pl.col("kind") != "split"))
    received = {name: summary.get(name, 0.0) for name in PAYMENTS.values()}
    maker, taker = (float(executed.filter(pl.col("maker") == rested)["fee"].sum()) for rested in (True, False))
    final = math.nan if summary["final_equity"] is None else summary["final_equity"]
    net = final - summary["initial_equity"]
    steps = [
        ("Result before costs", net + summary["slippage"] + summary["fees"] - sum(received.values()), "sum"),
        ("Slippage", -summary["slippage"], ""),
        ("Taker fees", -taker, ""),
        ("Maker fees", -maker, ""),
        *((figures.FIGURES[name].label, money, "") for name, money in received.items() if money or name == "funding"),
        ("Net result", net, "sum"),
    ]
    trades = summary["trades"] + summary["open_trades"]

    def over(money: float, divisor: float) -> float | None:
        return money / divisor if divisor > 0 and math.isfinite(money) else None

    return [
        {
            "name": name,
            "money": over(money, 1),
            "of_start": over(money, summary["initial_equity"]),
            "per_trade": over(money, trades),
            "bps": over(10_000 * money, float(executed["notional"].sum())),
            "kind": kind,
        }
        for name, money, kind in steps
    ]


class _Drawing(msgspec.Struct, frozen=True):
    """A histogram in the coordinates of its picture."""

    width: int
    height: int
    base: float
    bars: list[dict[str, Any]]
    curve: str
    ticks: list[tuple[float, str]]
    source: plots.Histogram


def _histogram_drawing(source: plots.Histogram | None) -> _Drawing | None:
    if source is None:
        return None
    width, height, base, top = 720, 250, 222.0, 10.0
    reach = source.edges[-1]
    peak = max(max(source.counts), max(source.curve, default=0.0))

    def x(value: float) -> float:
        return round((value + reach) / (2 * reach) * width, 2)

    def y(count: float) -> float:
        return round(base - count / peak * (base - top), 2)

    bars = [
        {"x": x(low) + 1, "y": y(count), "width": x(high) - x(low) - 2, "low": low, "high": high, "count": count}
        for low, high, count in zip(source.edges[:-1], source.edges[1:], source.counts, strict=True)
    ]
    curve = " ".join(f"{x(at)},{y(count)}" for at, count in zip(source.curve_at, source.curve, strict=True))
    step = _round_step(reach / 3.5)
    whole = int(reach / step)
    decimals = max(0, -math.floor(math.log10(step * 100)))
    ticks = [(x(i * step), f"{i * step * 100:.{decimals}f} %") for i in range(-whole, whole + 1)]
    return _Drawing(width, height, base, bars, curve, ticks, source)


def _round_step(step: float) -> float:
    """The nearest of 1, 2, 5 × 10ⁿ above `step`."""
    magnitude = 10.0 ** math.floor(math.log10(step))
    return min(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= step)


def _floats(column: pl.Series) -> performance.Floats:
    return column.cast(pl.Float64).fill_null(math.nan).to_numpy()


def _rounded(values: performance.Floats, digits: int = 7) -> list[float | None]:
    """Significant digits that a picture can show; None for NaN."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()]


def _json(data: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    return Markup(orjson.dumps(data).decode().replace("<", "\\u003c"))


def _asset(name: str) -> Markup:
    return Markup((files("truewind.analytics") / "templates" / name).read_text(encoding="utf-8"))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("truewind.analytics"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = lambda moment: moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M")
    environment.filters["figure"] = lambda value, name: _typeset(figures.show(name, value))
    environment.filters["month"] = lambda value: _typeset(f"{round(value * 100, 1) + 0.0:,.1f}")
    for kind in ("fraction", "money", "ratio"):
        environment.filters[kind] = functools.partial(lambda kind, value: _typeset(figures.written(kind, value)), kind)
    environment.filters["price"] = lambda value: _typeset(figures.price(value))
    environment.filters["quantity"] = lambda value: _typeset(figures.quantity(value))
    return environment


def _typeset(text: str) -> str:
    """A true minus sign, and no line break before a unit."""
    return text.replace("-", "−").replace(" ", "\N{NO-BREAK SPACE}")
