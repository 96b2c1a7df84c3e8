"""Implementation shortfall: what lies between deciding on an order and having it done, of every order.

A paper portfolio does each order whole, at once and at the price it was decided at, and pays nothing; the real one pays
what it paid. The difference is Perold's shortfall (The Implementation Shortfall: Paper versus Reality, Journal of
Portfolio Management 14, 1988), split as Kissell (The Expanded Implementation Shortfall, Journal of Trading 1, 2006):

    paper − real =   filled × (arrival − decision)    delay: the market moved before the order was at the venue
                   + filled × (fill − arrival)        trading: spread, impact, and what waiting in the book brought
                   + fees
                   + not filled × (end − decision)    opportunity: the market left without us

in money, with the sign of the side; costs are positive. What waits for its price (a stop, a target) was decided at that
price: it has no delay, and what was never reached cost nothing.
"""

import polars as pl

from truewind.analytics.report import Report

PARTS = ("delay", "trading", "fees", "opportunity")
READS = ("decision_price", "arrival_price", "end_price", "left", "point_value", "inverse")


def of_orders(report: Report) -> pl.DataFrame | None:
    """One row an order that left the house: order_id, symbol, kind, strategy (null where there is one), created,
    wanted (quantity), worth (of that at the decision price), PARTS, slippage (the part of `trading` by spread and
    impact as the venue was simulated), total, all in the account's currency.

    None if the run's folder does not have the prices at which orders were decided (`backtest.decided`).
    """
    orders, fills = report.orders, report.fills
    if orders is None or not set(READS) <= set(orders.columns):
        return None
    orders = orders.filter(pl.col("decision_price").is_not_null())
    if "strategy" not in orders.columns:
        orders = orders.with_columns(strategy=pl.lit(None, pl.String))
    done = fills.filter(pl.col("kind").is_in(["trade", "fee"]) & (pl.col("order_id") > 0))
    terms = orders.select("order_id", "inverse", "decision_price", "arrival_price")

    def worth(price: str) -> pl.Expr:
        return pl.when("inverse").then(-1.0 / pl.col(price)).otherwise(price)

    moved = pl.col("quantity") * (pl.col("kind") == "trade")
    arrival = worth("arrival_price").fill_null(worth("decision_price"))
    sums = (
        done.join(terms, on="order_id")
        .group_by("order_id")
        .agg(
            moved.sum().alias("done"),
            (moved * (arrival - worth("decision_price"))).sum().alias("delay"),
            (moved * (worth("price") - arrival)).sum().alias("trading"),
            pl.col("fee").sum().alias("fees"),
            pl.col("slippage").sum(),
        )
    )
    signed = pl.col("side").cast(pl.Float64) * pl.col("point_value")
    missed = pl.when(pl.col("left") > 0.0).then(pl.col("left") * (worth("end_price") - worth("decision_price")))
    wanted = pl.col("done") + pl.col("left")
    return (
        orders.join(sums, on="order_id", how="left", maintain_order="left")
        .with_columns(pl.col("done", "delay", "trading", "fees", "slippage").fill_null(0.0))
        .with_columns(
            kind=_kind(),
            wanted=wanted,
            worth=wanted * worth("decision_price").abs() * pl.col("point_value"),
            delay=signed * pl.col("delay"),
            trading=signed * pl.col("trading"),
            opportunity=(signed * missed).fill_null(0.0),
        )
        .filter(pl.col("wanted") > 0.0)
        .select(
            *("order_id", "symbol", "kind", "strategy", "created", "wanted", "worth"),
            *PARTS,
            "slippage",
            pl.sum_horizontal(PARTS).alias("total"),
        )
    )


def _kind() -> pl.Expr:
    """What an order was for, by its type and whether it could only reduce."""
    leaves = pl.col("reduce_only")
    return (
        pl.when(pl.col("type").is_in(["stop", "stop_limit", "trailing_stop"]))
        .then(pl.when(leaves).then(pl.lit("stop")).otherwise(pl.lit("stop entry")))
        .when(pl.col("type").str.starts_with("take_profit") | (leaves & (pl.col("parent") != 0)))
        .then(pl.lit("target"))
        .when(pl.col("type") == "limit")
        .then(pl.when(leaves).then(pl.lit("limit exit")).otherwise(pl.lit("limit entry")))
        .otherwise(pl.when(leaves).then(pl.lit("market exit")).otherwise(pl.lit("market entry")))
    )


def by(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The shortfall of orders summed by a column: name, orders, worth, PARTS, slippage, total, bps (of worth),
    costliest first.
    """
    sums = table.group_by(name, maintain_order=True).agg(
        pl.len().alias("orders"), pl.col("worth", *PARTS, "slippage", "total").sum()
    )
    bps = pl.when(pl.col("worth") > 0.0).then(10_000.0 * pl.col("total") / pl.col("worth"))
    return sums.with_columns(bps=bps).sort("total", name, descending=[True, False])
