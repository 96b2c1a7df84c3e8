"""Trades: what round trips came to, prices with entries and exits, and every one of them."""

from typing import Any

import numpy as np
import polars as pl

from truewind.analytics.document import (
    Block,
    Candles,
    Column,
    Histogram,
    Scatter,
    Section,
    Table,
    Text,
    Tiles,
)
from truewind.analytics.figures import Kind
from truewind.analytics.report import Report
from truewind.analytics.sections.summary import tile
from truewind.numerics import performance
from truewind.numerics.performance import Floats

_TILES = (
    *("trades", "open_trades", "win_rate", "loss_rate", "average_win", "average_loss", "payoff", "profit_factor"),
    *("expectancy", "average_r", "median_r", "system_quality", "kelly_of_trades", "best_trade", "worst_trade"),
    *("winning_streak", "losing_streak", "average_holding_hours", "median_holding_hours", "average_mae", "average_mfe"),
    "turnover",
)
_COLUMNS = (
    Column(label="#", kind="count"),
    Column(label="Symbol"),
    Column(label="Side"),
    Column(label="Opened (UTC)", kind="moment"),
    Column(label="Closed (UTC)", kind="moment"),
    Column(label="Held", kind="hours"),
    Column(label="Quantity", kind="quantity"),
    Column(label="Entry", kind="price"),
    Column(label="Exit", kind="price"),
    Column(label="Net P&L", kind="money", tone="sign", meaning="After fees and funding"),
    Column(label="Return", kind="fraction"),
    Column(label="R", kind="ratio", meaning="Result over the risk at the first stop"),
    Column(label="Fees", kind="money"),
    Column(label="MAE", kind="fraction", meaning="How far prices went against it while it was open"),
    Column(label="MFE", kind="fraction", meaning="How far prices went for it while it was open"),
)
_NOTE = (
    "A trade runs from flat to flat. Net P&L is after fees and funding; one that is not closed is still open, and "
    "valued at the last price."
)
_SEEN = (
    "A point is a closed trade; both are distances from its average entry, before costs. Of bars that were entered or "
    "left at an unknown moment only prices that were certainly seen count."
)
_MOST = 2_000  # points of a scatter: the latest trades


def section(report: Report) -> Section:
    """Figures, sides, how results and holding times are spread, excursions, the candles and the table of trades."""
    trades = report.trades
    closed = trades.filter(~pl.col("open"))
    figures = Tiles(tiles=tuple(tile(report.summary, name) for name in _TILES), small=True)
    rows = tuple(_row(number, trade) for number, trade in enumerate(trades.iter_rows(named=True), 1))
    prices = Candles(title="Entries and exits", candles=dict(report.candles), trades=trades)
    table = Table(
        name="trades",
        title="Round trips, the latest first",
        columns=_COLUMNS,
        rows=rows[::-1],
        note=_NOTE if rows else "No trade was made.",
        spot=(1, 3, 4),
    )
    blocks = (figures, *_sides(closed), *_spread(closed), *_excursions(closed), prices, table)
    return Section(id="trades", title="Trades", blocks=blocks)


def _sides(closed: pl.DataFrame) -> list[Block]:
    """Long and short trades apart, and all."""
    if closed.is_empty():
        return []
    parts = {"Long": closed.filter(pl.col("side") > 0), "Short": closed.filter(pl.col("side") < 0), "All": closed}
    rows = tuple((name, *_side(part)) for name, part in parts.items() if len(part))
    columns = (
        Column(label="Side"),
        Column(label="Trades", kind="count"),
        Column(label="Net P&L", kind="money", tone="sign"),
        Column(label="Win rate", kind="fraction"),
        Column(label="Profit factor", kind="ratio"),
        Column(label="A trade", kind="money", tone="sign", meaning="Expectancy: the mean result"),
        Column(label="Average R", kind="ratio"),
        Column(label="Held", kind="hours", meaning="On average"),
    )
    return [Table(name="sides", title="Long and short", columns=columns, rows=rows, bold=(len(rows) - 1,))]


def _side(part: pl.DataFrame) -> tuple[Any, ...]:
    pnl, multiples = part["net_pnl"].to_numpy(), part["r_multiple"].drop_nulls()
    hours = (part["closed"] - part["opened"]).dt.total_microseconds().to_numpy() / 3.6e9
    return (
        *(len(part), float(pnl.sum()), performance.win_rate(pnl), performance.profit_factor(pnl)),
        *(performance.expectancy(pnl), float(multiples.to_numpy().mean()) if len(multiples) else None),
        float(hours.mean()),
    )


def _spread(closed: pl.DataFrame) -> list[Block]:
    """Histograms of results (in R where trades had stops) and of holding times."""
    multiples = _known(closed["r_multiple"])
    without = len(closed) - len(multiples)
    said = "Result over the risk at the first stop: −1 is a loss of just that."
    if without:
        said += f" {without:,} trades without a stop are not drawn."
    if len(multiples) > 1:
        results = _histogram("Results in R", multiples, "ratio", said)
    else:
        results = _histogram("Results of trades", _known(closed["return"]), "fraction", "Net, over what was entered.")
    hours = (closed["closed"] - closed["opened"]).dt.total_microseconds().to_numpy() / 3.6e9
    return [results, _histogram("How long trades were held", hours, "hours", "", around=False)]


def _histogram(title: str, values: Floats, kind: Kind, note: str, *, around: bool = True) -> Block:
    """Equal bins up to the 99 % quantile of sizes, the outermost with all beyond. around: 0 in the middle."""
    if len(values) < 2 or not np.abs(values).max() > 0:
        return Text(sentences=("Fewer than two closed trades to draw.",), title=title, tone="quiet")
    reach = float(np.quantile(np.abs(values), 0.99)) or float(np.abs(values).max())
    edges = np.linspace(-reach if around else 0.0, reach, 41 if around else 31)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    beyond = int((np.abs(values) > reach).sum())
    if beyond:
        note = f"{note} The outermost bars hold the {beyond:,} beyond the edge.".strip()
    marks = (("mean", float(values.mean())), ("median", float(np.median(values))))
    return Histogram(title=title, edges=edges, counts=counts.astype(np.float64), kind=kind, marks=marks, note=note)


def _excursions(closed: pl.DataFrame) -> list[Block]:
    """How far prices went for trades and against them, winners and losers apart."""
    seen = closed.filter(pl.col("mae").is_not_null()).tail(_MOST) if "mae" in closed.columns else closed.clear()
    if seen.is_empty():
        return []
    mae, mfe, made = (seen[name].to_numpy() for name in ("mae", "mfe", "return"))
    lost = (seen["net_pnl"].to_numpy() <= 0).astype(np.int64)
    reach = [float(np.quantile(np.abs(values), 0.98)) for values in (mae, mfe, made)]
    beyond = sum(np.abs(values) > most for values, most in zip((mae, mfe, made), reach, strict=True)) > 0
    mae, mfe, made = (np.clip(values, -most, most) for values, most in zip((mae, mfe, made), reach, strict=True))
    more = f" The latest {_MOST:,} trades." if len(closed) > _MOST else ""
    more += f" {int(beyond.sum()):,} trades lie beyond an edge and are drawn on it." if beyond.any() else ""
    shared: dict[str, Any] = {"x_kind": "fraction", "y_kind": "fraction", "groups": lost, "names": ("won", "lost")}
    return [
        Scatter(
            title="Against it and for it (MAE, MFE)",
            x=mae,
            y=mfe,
            x_label="worst price while open",
            y_label="best price while open",
            diagonal=True,
            note=_SEEN + more,
            **shared,
        ),
        Scatter(
            title="What it had to bear, and what it made",
            x=mae,
            y=made,
            x_label="worst price while open",
            y_label="net return",
            note="Where winners hardly ever went further against their entry, a stop costs little." + more,
            **shared,
        ),
    ]


def _known(column: pl.Series) -> Floats:
    values: Floats = column.drop_nulls().to_numpy().astype(np.float64)
    return values[np.isfinite(values)]


def _row(number: int, trade: dict[str, Any]) -> tuple[Any, ...]:
    closed = trade["closed"]
    held = (closed - trade["opened"]).total_seconds() / 3600 if closed else None
    return (
        *(number, trade["symbol"], "long" if trade["side"] > 0 else "short", trade["opened"], closed, held),
        *(trade["quantity"], trade["entry"], trade["exit"], trade["net_pnl"], trade["return"]),
        *(trade["r_multiple"], trade["fees"], trade.get("mae"), trade.get("mfe")),
    )
