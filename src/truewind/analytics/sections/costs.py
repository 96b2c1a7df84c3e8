"""Costs: from the result before them to the net result."""

import math

import polars as pl

from truewind.analytics.document import Column, Section, Table
from truewind.analytics.figures import FIGURES
from truewind.analytics.report import Report
from truewind.analytics.summary import PAYMENTS

_NOTE = (
    "Basis points are of all that was bought and sold. Slippage is what fills cost against the price before it: half "
    "the spread, and the impact of large orders."
)
_NO_GROSS = " There was no gain before costs to take a share of."


def section(report: Report) -> Section:
    """A row a step, in money, against the start and the trading."""
    summary = report.summary
    executed = report.fills.filter((pl.col("quantity") > 0) & (pl.col("kind") != "split"))
    received = {name: summary.get(name, 0.0) for name in PAYMENTS.values()}
    maker, taker = (float(executed.filter(pl.col("maker") == rested)["fee"].sum()) for rested in (True, False))
    final = math.nan if summary["final_equity"] is None else summary["final_equity"]
    net = final - summary["initial_equity"]
    steps = [
        ("Result before costs", net + summary["slippage"] + summary["fees"] - sum(received.values())),
        ("Slippage", -summary["slippage"]),
        ("Taker fees", -taker),
        ("Maker fees", -maker),
        *((FIGURES[name].label, money) for name, money in received.items() if money or name == "funding"),
        ("Net result", net),
    ]
    trades = summary["trades"] + summary["open_trades"]
    notional = float(executed.filter(pl.col("kind") != "fee")["notional"].sum())
    gross = steps[0][1]

    def over(money: float, divisor: float) -> float | None:
        return money / divisor if divisor > 0 and math.isfinite(money) else None

    rows = tuple(
        (
            *(name, over(money, 1), over(money, gross), over(money, summary["initial_equity"]), over(money, trades)),
            over(1e4 * money, notional),
        )
        for name, money in steps
    )
    columns = (
        Column(label="Step"),
        Column(label=report.info.get("currency") or "Money", kind="money"),
        Column(label="Of gross", kind="fraction", meaning="Share of the result before costs"),
        Column(label="Of the start", kind="fraction"),
        Column(label="A trade", kind="money"),
        Column(label="Basis points", kind="bps", meaning="Hundredths of a percent of the traded notional"),
    )
    note = _NOTE if gross > 0 else _NOTE + _NO_GROSS
    table = Table(name="costs", columns=columns, rows=rows, note=note, bold=(0, len(rows) - 1))
    return Section(id="costs", title="Costs", blocks=(table,))
