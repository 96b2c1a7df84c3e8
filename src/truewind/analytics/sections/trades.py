"""Trades: prices with entries and exits, and every round trip."""

from typing import Any

from truewind.analytics.document import Candles, Column, Section, Table
from truewind.analytics.report import Report

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
)
_NOTE = (
    "A trade runs from flat to flat. Net P&L is after fees and funding; one that is not closed is still open, and "
    "valued at the last price."
)


def section(report: Report) -> Section:
    """The candles with the trades on them, and the table of trades, the latest first."""
    rows = tuple(_row(number, trade) for number, trade in enumerate(report.trades.iter_rows(named=True), 1))
    prices = Candles(title="Entries and exits", candles=dict(report.candles), trades=report.trades)
    table = Table(
        name="trades",
        title="Round trips, the latest first",
        columns=_COLUMNS,
        rows=rows[::-1],
        note=_NOTE if rows else "No trade was made.",
        spot=(1, 3, 4),
    )
    return Section(id="trades", title="Trades", blocks=(prices, table))


def _row(number: int, trade: dict[str, Any]) -> tuple[Any, ...]:
    closed = trade["closed"]
    held = (closed - trade["opened"]).total_seconds() / 3600 if closed else None
    return (
        *(number, trade["symbol"], "long" if trade["side"] > 0 else "short", trade["opened"], closed, held),
        *(trade["quantity"], trade["entry"], trade["exit"], trade["net_pnl"], trade["return"]),
        *(trade["r_multiple"], trade["fees"]),
    )
