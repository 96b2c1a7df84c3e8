"""The tables of a run on an order book, in the form that all runs share."""

import numpy as np
import polars as pl

from truewind.backtest.tables import UTC_US, Units
from truewind.domain.book import BookKind, Report
from truewind.domain.order import OrderType, Reason, Status
from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from truewind.engine.book_lane import BookResult

MAX_CANDLES = 1_500
_STEPS_US = (SECOND_US, 5 * SECOND_US, 15 * SECOND_US, MINUTE_US, 5 * MINUTE_US, 15 * MINUTE_US, HOUR_US, DAY_US)
# What a report leaves an order in; those of refused cancels and amendments change nothing.
_AFTER = {
    Report.SUBMITTED: Status.SUBMITTED,
    Report.ACCEPTED: Status.ACCEPTED,
    Report.REJECTED: Status.REJECTED,
    Report.PARTIALLY_FILLED: Status.PARTIALLY_FILLED,
    Report.FILLED: Status.FILLED,
    Report.CANCELLED: Status.CANCELLED,
    Report.EXPIRED: Status.EXPIRED,
    Report.TRIGGERED: Status.TRIGGERED,
    Report.HELD: Status.HELD,
}
_ENDED = (Report.REJECTED, Report.FILLED, Report.CANCELLED, Report.EXPIRED)


def orders_table(result: BookResult, units: Units) -> pl.DataFrame:
    """One row an order: how it was sent, and how it ended; columns as `tables.orders_table`."""
    reports = result.reports
    ended = pl.col("kind").is_in([int(kind) for kind in _ENDED])
    known = pl.col("kind").is_in([int(kind) for kind in _AFTER])
    reports = reports[reports["order"] > 0]  # of a liquidation no order is told
    first = np.zeros(len(reports), np.int64)
    table = pl.DataFrame(
        {
            "order_id": reports["order"],
            "ts": pl.Series(reports["ts"]).cast(UTC_US),
            "kind": reports["kind"],
            "type": reports["type"],
            "side": reports["side"].astype(np.int8),
            "quantity": units.quantity(first, reports["lots"]),
            "price": np.where(reports["ticks"] > 0, units.price(first, reports["ticks"]), np.nan),
            "trigger": np.where(reports["trigger"] > 0, units.price(first, reports["trigger"]), np.nan),
            "reduce_only": reports["reduce_only"] > 0,
            "filled": units.quantity(first, reports["filled"]),
            "reason": reports["reason"],
            "parent": reports["parent"],
            "tag": reports["tag"],
        }
    )
    return (
        table.group_by("order_id", maintain_order=True)
        .agg(
            pl.col("type", "side", "quantity", "price", "trigger", "reduce_only", "parent", "tag").first(),
            pl.col("ts").first().alias("created"),
            pl.col("ts").filter(ended).last().alias("ended"),
            pl.col("kind").filter(known).last().alias("status"),
            pl.col("filled").max(),
            pl.col("reason").filter(ended & (pl.col("reason") != 0)).last().fill_null(0),
            (pl.col("kind") == int(Report.AMENDED)).any().alias("amended"),
        )
        .with_columns(
            pl.lit(units.symbols[0]).alias("symbol"),
            pl.col("type").replace_strict({int(t): t.name.lower() for t in OrderType}, return_dtype=pl.String),
            pl.col("status").replace_strict(
                {int(kind): status.name.lower() for kind, status in _AFTER.items()}, return_dtype=pl.String
            ),
            pl.col("reason").replace_strict({int(r): r.name.lower() for r in Reason}, return_dtype=pl.String),
            pl.col("price").fill_nan(None).fill_null(pl.col("trigger").fill_nan(None)),
            pl.col("trigger").fill_nan(None),
        )
        .select(
            *("order_id", "symbol", "created", "ended", "type", "side", "quantity", "price", "trigger"),
            *("status", "filled", "reason", "parent", "reduce_only", "tag", "amended"),
        )
    )


def equity_table(result: BookResult, units: Units, initial: float) -> pl.DataFrame:
    """Equity, cash (wallet), gross and net notional held at each sample, and at the end."""
    samples, fills = result.samples, result.fills
    cash = np.concatenate([[initial], units.money(fills["cash"])])
    before = np.searchsorted(fills["ts"], samples["ts"], side="right")
    quantity = units.quantity(np.zeros(len(samples), np.int64), np.abs(samples["lots"]))
    mid = 1.0 / samples["mid"] if result.instrument.inverse else samples["mid"]
    gross = quantity * np.nan_to_num(mid) * float(result.instrument.multiplier)
    return pl.DataFrame(
        {
            "ts": pl.Series(samples["ts"]).cast(UTC_US),
            "equity": samples["equity"] / result.scale,
            "cash": cash[before],
            "gross": gross,
            "net": np.sign(samples["lots"]) * gross,
        }
    )


def benchmark_table(result: BookResult, initial: float) -> pl.DataFrame:
    """The same money held from the first known middle price on, no costs; of an inverse contract the coin."""
    table = pl.DataFrame({"ts": pl.Series(result.samples["ts"]).cast(UTC_US), "mid": result.samples["mid"]})
    middle = pl.col("mid").fill_nan(None).forward_fill()
    held = pl.lit(1.0) if result.instrument.inverse else (middle / middle.drop_nulls().first()).fill_null(1.0)
    return table.select("ts", (initial * held).alias("equity"))


def candles_table(events: np.ndarray, result: BookResult, units: Units) -> pl.DataFrame:
    """Candles to draw: of trades, or where there are none of the middle price at each sample."""
    trades = events[events["kind"] == BookKind.TRADE]
    first = np.zeros(len(trades), np.int64)
    ts, price = trades["ts_event"], units.price(first, trades["ticks"].astype(np.int64))
    volume = units.quantity(first, trades["lots"])
    if not len(trades):
        known = np.isfinite(result.samples["mid"])
        ts, price = result.samples["ts"][known], result.samples["mid"][known]
        volume = np.zeros(len(ts))
    span = int(ts[-1] - ts[0]) if len(ts) else 0
    step = next((step for step in _STEPS_US if span / step <= MAX_CANDLES), _STEPS_US[-1])
    rows = pl.DataFrame({"ts": ts // step * step, "price": price, "volume": volume})
    return (
        rows.group_by("ts", maintain_order=True)
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("volume").sum(),
        )
        .select(pl.lit(units.symbols[0]).alias("symbol"), pl.col("ts").cast(UTC_US), pl.exclude("ts"))
    )
