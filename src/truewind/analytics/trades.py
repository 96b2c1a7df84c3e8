"""Trades: fills folded into round trips, each from flat to flat in one symbol.

A fill that turns a position (long to short at once) ends one trade and starts the next: its quantity, notional, fee
and slippage are split pro rata, its realised profit belongs to the trade that it ends. Funding, dividends, borrow fees
and swaps belong to the trade that is open when they are paid. A split is no execution: the shares that it brings are
bought for nothing, so that entry and exit become averages over the shares after it. So nothing is counted twice and
nothing is lost: the net results of all trades, open ones included, add up to final equity less initial equity.
"""

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl

from truewind.errors import LedgerError, SchemaError

TIME = pl.Datetime("us", "UTC")

# What `round_trips` returns; `tag` columns have the type that the fills' tag has.
COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "side": pl.Int8,
    "opened": TIME,
    "closed": TIME,
    "quantity": pl.Float64,
    "entry": pl.Float64,
    "exit": pl.Float64,
    "gross_pnl": pl.Float64,
    "fees": pl.Float64,
    "funding": pl.Float64,
    "carry": pl.Float64,
    "slippage": pl.Float64,
    "net_pnl": pl.Float64,
    "return": pl.Float64,
    "r_multiple": pl.Float64,
    "risk": pl.Float64,
    "fills": pl.Int64,
    "entry_tag": pl.Int64,
    "exit_tag": pl.Int64,
    "entry_order": pl.Int64,
    "exit_order": pl.Int64,
    "exit_kind": pl.String,
    "open": pl.Boolean,
}
_FILLS = (
    *("ts", "symbol", "order_id", "kind", "side", "price", "quantity", "notional"),
    *("fee", "realised", "slippage", "position", "tag"),
)
_ORDERS = ("order_id", "symbol", "created", "type", "side", "price", "status", "parent")
_CARRY = ("dividend", "borrow", "swap")
_PAYMENTS = ("funding", *_CARRY)
_IS_SPLIT = pl.col("kind") == "split"
_BARS = ("first_bar", "last_bar")
# An order that the gate or the venue refused never protected anything.
_REFUSED = ("denied", "rejected")


def round_trips(
    fills: pl.DataFrame,
    orders: pl.DataFrame,
    last_prices: Mapping[str, float],
    multipliers: Mapping[str, float] | None = None,
    inverse: Collection[str] = (),
    steps: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """The round trips in a run's `fills`, oldest first; columns as in `COLUMNS`.

    fills, orders: tables of a run, fills of one symbol in the order in which they happened.
    last_prices: the price at which each symbol still held is valued. multipliers: base units in a contract, where
    that is not 1. inverse: symbols whose contracts are worth multiplier ÷ price instead of multiplier × price. steps:
    the least that can be ordered of symbols of which less may be left over; that counts as flat.
    In hedge mode the long and the short side of a symbol make trades of their own (column `leg` of the fills).

    quantity: the largest held. entry, exit: average prices, the exit of an open trade with its rest at the last price.
    gross_pnl: by the prices traded, so after slippage; net_pnl = gross_pnl − fees + funding + carry, which is
    dividends, borrow fees and swaps. slippage: already in gross_pnl. return: net_pnl / notional of all entries. fills:
    executions, payments and splits not counted. r_multiple: net_pnl / (distance from entry to the first protective stop
    × quantity): the first stop order against the position that was sent with an entry (its child) or while the trade
    was open; null without one, or if it never stood on the losing side of the entry. risk: that divisor, in money.
    closed: null while open. first_bar, last_bar: only if the fills have `bar`, and not of `COLUMNS`: those of its ends.
    entry_tag, exit_tag: tags of the first entry and of the last reduction, null if there was none; entry_order,
    exit_order: the ids of their orders; exit_kind: the kind of that last fill.

    Raises LedgerError if positions do not follow from fills, a fill's notional is not price × quantity × multiplier,
    funding or the like was paid on nothing, or a held symbol has no last price.
    """
    _require(fills, _FILLS, "fills")
    _require(orders, _ORDERS, "orders")
    multipliers = multipliers or {}
    if "leg" not in fills.columns:
        fills = fills.with_columns(leg=pl.lit(0))
    legs = _legs(fills, multipliers, inverse, steps or {})
    if legs.is_empty():
        return _none(fills)
    trades = _summed(legs)
    is_open = pl.col("held").abs() >= _steps_of(steps or {})
    unit = pl.col("symbol").replace_strict(dict(multipliers), default=1.0, return_dtype=pl.Float64)
    turned = pl.col("symbol").is_in(list(inverse))
    gains = pl.when(turned).then(-1.0).otherwise(1.0)  # an inverse contract's worth in coins falls as its price rises
    trades = trades.join(_valuation(trades.filter(is_open), last_prices), on="trade", how="left", maintain_order="left")
    trades = trades.with_columns(pl.when(turned).then(1.0 / pl.col("last")).otherwise("last").alias("last"))
    trades = trades.with_columns(
        is_open.alias("open"),
        pl.when(~is_open).then("closed").alias("closed"),
        (pl.col("entry_value") / pl.col("entered")).alias("entry"),
        # Whatever was not sold is valued at the last price: what the exit would have been.
        ((pl.col("exit_value") + (pl.col("last") * pl.col("held").abs()).fill_null(0)) / pl.col("entered")).alias(
            "exit"
        ),
        # Paid for what is still held: all that was bought, less the cost of what was sold (its worth − its profit).
        (
            pl.col("realised")
            + (gains * (pl.col("last") * pl.col("held") * unit - pl.col("bought")) - pl.col("realised")).fill_null(0)
        ).alias("gross_pnl"),
    ).with_columns((pl.col("gross_pnl") - pl.col("fees") + pl.col("funding") + pl.col("carry")).alias("net_pnl"))
    trades = trades.join(_first_stops(orders, legs, trades), on="trade", how="left", maintain_order="left")
    stop = pl.when(turned).then(1.0 / pl.col("stop")).otherwise("stop")
    risk = gains * (pl.col("entry") - stop) * pl.col("side") * pl.col("quantity") * unit
    return (
        trades.with_columns(
            (pl.col("net_pnl") / pl.col("entry_notional")).alias("return"),
            pl.when(risk > 0).then(pl.col("net_pnl") / risk).alias("r_multiple"),
            pl.when(risk > 0).then(risk).alias("risk"),
            *(pl.when(turned).then(1.0 / pl.col(name)).otherwise(name).alias(name) for name in ("entry", "exit")),
        )
        .sort("opened", "symbol", "trade")
        .select(*COLUMNS, *(_BARS if "bar" in fills.columns else ()))
    )


def _none(fills: pl.DataFrame) -> pl.DataFrame:
    """The table of no trade."""
    tags = dict.fromkeys(("entry_tag", "exit_tag"), fills.schema["tag"])
    bars = dict.fromkeys(_BARS, pl.Int64) if "bar" in fills.columns else {}
    return pl.DataFrame(schema={**COLUMNS, **tags, **bars})


def _summed(legs: pl.DataFrame) -> pl.DataFrame:
    """A row a trade: what its legs come to."""
    entry, exit_ = pl.col("growth") > 0, pl.col("growth") < 0
    bars = (pl.col("bar").first().alias(_BARS[0]), pl.col("bar").last().alias(_BARS[1]))
    return legs.group_by("trade", maintain_order=True).agg(
        pl.col("symbol").first(),
        pl.col("after").first().sign().cast(pl.Int8).alias("side"),
        pl.col("ts").first().alias("opened"),
        pl.col("ts").last().alias("closed"),
        pl.col("after").abs().max().alias("quantity"),
        pl.col("after").last().alias("held"),
        pl.col("growth").filter(entry).sum().alias("entered"),
        (pl.col("worth") * pl.col("growth")).filter(entry).sum().alias("entry_value"),
        (pl.col("worth") * -pl.col("growth")).filter(exit_).sum().alias("exit_value"),
        pl.col("notional").filter(entry).sum().alias("entry_notional"),
        (pl.when(_IS_SPLIT).then(-pl.col("before").sign()).otherwise("side") * pl.col("notional"))
        .filter(~pl.col("kind").is_in(_PAYMENTS))
        .sum()
        .alias("bought"),
        pl.col("realised").filter(~pl.col("kind").is_in(_PAYMENTS)).sum().alias("realised"),
        pl.col("realised").filter(pl.col("kind") == "funding").sum().alias("funding"),
        pl.col("realised").filter(pl.col("kind").is_in(_CARRY)).sum().alias("carry"),
        pl.col("fee").sum().alias("fees"),
        pl.col("slippage").sum(),
        ((pl.col("quantity") > 0) & ~pl.col("kind").is_in(["split", "fee"])).sum().cast(pl.Int64).alias("fills"),
        pl.col("tag").filter(entry).first().alias("entry_tag"),
        pl.col("tag").filter(exit_).last().alias("exit_tag"),
        pl.col("order_id").filter(entry).first().alias("entry_order"),
        pl.col("order_id").filter(exit_).last().alias("exit_order"),
        pl.col("kind").filter(exit_).last().alias("exit_kind"),
        *(bars if "bar" in legs.columns else ()),
    )


def _require(table: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise SchemaError(
            f"The {name} table lacks {', '.join(missing)}", remedy=f"Give the {name} of a run", columns=missing
        )


def _steps_of(steps: Mapping[str, float]) -> pl.Expr:
    """By symbol the least quantity that is not flat; of those that are not named any quantity."""
    least = float(np.nextafter(0.0, 1.0))
    return pl.col("symbol").replace_strict(dict(steps), default=least, return_dtype=pl.Float64).alias("step")


def _legs(
    fills: pl.DataFrame, multipliers: Mapping[str, float], inverse: Collection[str], steps: Mapping[str, float]
) -> pl.DataFrame:
    """One row for each part of a fill that lies in one trade, with the trade's number, sorted by symbol and trade.

    `after`: position when the leg is done; `growth`: by how much the leg enlarged it (negative: reduced); `worth`: what
    profit is linear in: the price, of inverse contracts its reciprocal. What the insurance fund pays comes after its
    trade has ended, and belongs to it.
    """
    fills = fills.with_row_index("row").sort("symbol", "leg", "row")
    before = pl.col("position").shift(1, fill_value=0.0).over("symbol", "leg", order_by="row")
    worth = pl.when(pl.col("symbol").is_in(list(inverse))).then(1.0 / pl.col("price")).otherwise("price")
    fills = fills.with_columns(pl.when(_IS_SPLIT).then(0.0).otherwise(worth).alias("worth"))
    fills = fills.with_columns(before.alias("before"))
    _check(fills, multipliers)

    flips = (fills["before"] * fills["position"] < 0).to_numpy()
    index = np.repeat(np.arange(len(fills)), 1 + flips)
    legs = fills[index]
    flipped = flips[index]
    closes = flipped & np.append(index[1:] == index[:-1], False) if len(index) else flipped
    opens = flipped & ~closes
    closing_share = np.abs(legs["before"].to_numpy()) / np.where(flipped, legs["quantity"].to_numpy(), 1.0)

    def split(name: str) -> pl.Series:
        # The opening part is what the closing part leaves, so that the two add up to the fill.
        whole = legs[name].to_numpy()
        part = whole * closing_share
        return pl.Series(name, np.where(closes, part, np.where(opens, whole - part, whole)))

    step = legs.select(_steps_of(steps)).to_series().to_numpy()
    before_leg = np.where(opens, 0.0, legs["before"].to_numpy())
    after_leg = np.where(closes, 0.0, legs["position"].to_numpy())
    return legs.with_columns(
        split("notional"),
        split("fee"),
        split("slippage"),
        pl.Series("realised", np.where(opens, 0.0, legs["realised"].to_numpy())),
        pl.Series("after", after_leg),
        pl.Series("growth", np.abs(after_leg) - np.abs(before_leg)),
        pl.Series("trade", np.cumsum((np.abs(before_leg) < step) & (np.abs(after_leg) >= step))),
    ).filter((pl.Series(before_leg) != 0) | (pl.Series(after_leg) != 0) | (pl.col("kind") == "insurance"))


def _check(fills: pl.DataFrame, multipliers: Mapping[str, float]) -> None:
    """Raises LedgerError for fills that contradict themselves: reports must not be built on them."""
    slack = 1e-9 * pl.max_horizontal(pl.col("before").abs(), pl.col("position").abs(), "quantity")
    paid = pl.col("kind").is_in(_PAYMENTS)
    moved = pl.when(paid).then(0.0).otherwise(pl.col("side") * pl.col("quantity"))
    adds_up = (pl.col("before") + moved - pl.col("position")).abs() <= slack
    for row in fills.filter(adds_up.not_() | adds_up.is_null()).head(1).iter_rows(named=True):
        raise LedgerError(
            f"{row['symbol']} at {row['ts']}: position went from {row['before']} to {row['position']} "
            f"by a fill of {row['side'] * row['quantity']}",
            remedy="This is a bug in whoever wrote the fills: report it with the run's journal",
            symbol=row["symbol"],
            ts=row["ts"],
        )
    idle = paid & (pl.col("before") == 0) & (pl.col("realised") != 0)
    for row in fills.filter(idle).head(1).iter_rows(named=True):
        raise LedgerError(
            f"{row['symbol']} at {row['ts']}: {row['kind']} of {row['realised']} without a position",
            remedy="This is a bug in whoever wrote the fills: report it with the run's journal",
            symbol=row["symbol"],
            ts=row["ts"],
        )
    worth = (
        fills.filter((pl.col("quantity") > 0) & ~_IS_SPLIT)
        .group_by("symbol")
        .agg(pl.col("notional").sum(), (pl.col("worth") * pl.col("quantity")).sum().alias("value"))
    )
    for symbol, notional, value in worth.iter_rows():
        # Loose, because a ledger in whole yen or cents rounds small fills visibly; a wrong multiplier is off by more.
        if abs(notional - value * multipliers.get(symbol, 1.0)) > 0.05 * abs(notional):
            raise LedgerError(
                f"{symbol}: fills worth {notional:g} do not match price × quantity = {value:g} times the multiplier "
                f"{multipliers.get(symbol, 1.0):g}",
                remedy="Pass the instrument's multiplier",
                symbol=symbol,
            )


def _valuation(held: pl.DataFrame, last_prices: Mapping[str, float]) -> pl.DataFrame:
    """trade, last: the price at which each open trade is valued."""
    for symbol in held["symbol"]:
        if not np.isfinite(last_prices.get(symbol, np.nan)):
            raise LedgerError(
                f"{symbol} is still held but has no last price", remedy="Pass its last close", symbol=symbol
            )
    prices = pl.Series("last", [float(last_prices[symbol]) for symbol in held["symbol"]], dtype=pl.Float64)
    return pl.DataFrame([held["trade"], prices])


def _first_stops(orders: pl.DataFrame, legs: pl.DataFrame, trades: pl.DataFrame) -> pl.DataFrame:
    """trade, stop: the trigger of the first protective stop of each trade that had one."""
    stops = orders.filter((pl.col("type") == "stop") & pl.col("status").is_in(_REFUSED).not_()).select(
        "order_id",
        "symbol",
        "created",
        pl.col("side").cast(pl.Int8),
        stop="price",
        parent=pl.col("parent").fill_null(0),
    )
    entries = legs.filter(pl.col("growth") > 0).select("trade", parent="order_id").unique()
    children = stops.filter(pl.col("parent") != 0).join(entries, on="parent")
    spans = trades.select("trade", "symbol", "opened", "closed", against=-pl.col("side")).sort("opened", "trade")
    others = (
        stops.filter(pl.col("parent") == 0)
        .sort("created")
        .join_asof(
            spans,
            left_on="created",
            right_on="opened",
            by_left=["symbol", "side"],
            by_right=["symbol", "against"],
            check_sortedness=False,
        )
        .filter(pl.col("trade").is_not_null() & (pl.col("closed").is_null() | (pl.col("created") <= pl.col("closed"))))
    )
    columns = ["trade", "created", "order_id", "side", "stop"]
    found = pl.concat([children.select(columns), others.select(columns)], how="vertical_relaxed")
    against = trades.select("trade", against=-pl.col("side"))
    return (
        found.join(against, on="trade")
        .filter(pl.col("side") == pl.col("against"))
        .sort("trade", "created", "order_id")
        .group_by("trade", maintain_order=True)
        .agg(pl.col("stop").first())
    )
