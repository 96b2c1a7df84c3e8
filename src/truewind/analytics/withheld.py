"""What the risk gate withheld: orders that it denied or made smaller, and what would have become of the rest of them.

A rule that only ever costs is as wrong as one that never speaks. So each ruling is followed through the market as if it
had not been made: in at the next open (or at the limit, once the market trades through it), out at the stop, at the
targets in even parts, at the end of the horizon, or when the strategy wants to be out; of what a bar reaches the stop
comes first. A strategy given as `decide` is asked on each bar, as if it held the position. Costs are the taker's, both
ways; funding and margin are left out. An outcome is hypothetical: what the account would have done with the money
besides is not known.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from truewind.domain.position import Position
from truewind.domain.signal import Signal, Want, nearer
from truewind.numerics.floats import floats

TARGETS = ("target_1", "target_2", "target_3", "target_4")
MOST_BARS = 300_000  # that rulings are followed through, all together: a second's work
# What a strategy says on bar `i` of a symbol to a position in it; None where it is not asked.
Mind = Callable[[int, Position], Signal | None]


class Market(NamedTuple):
    """The bars of one symbol: rows of the timeline, when each was known (µs), and its prices (float64).

    worth: money of one base unit per unit of price (of inverse contracts: of 1 ÷ price, with `inverse`).
    """

    rows: np.ndarray
    known: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    worth: float
    inverse: bool


class Ruling(NamedTuple):
    """An order that was withheld. side: 1 or −1. entry: limit, NaN at market. stop: NaN without.

    targets: from the nearest outwards. until: end of the horizon, µs. leaves: number of the bar at whose open the
    strategy would have been out by its own later orders.
    """

    side: int
    entry: float
    stop: float
    targets: Sequence[float]
    until: int
    leaves: int


class Path(NamedTuple):
    """What would have become of it: numbers of bars, and prices (sold: the mean of its exits)."""

    entered: int
    bought: float
    exited: int
    sold: float
    ended: str


def follow(order: Ruling, market: Market, first: int, mind: Mind | None) -> Path:
    """Follow an order through the bars from number `first` on."""
    count, side = len(market.open), order.side
    at_market = math.isnan(order.entry)
    last = min(count, order.leaves)
    entered = first if first < last else -1
    if not at_market:
        last = min(last, first + int(np.searchsorted(market.known[first:last], order.until)))
        prices = market.low[first:last] if side > 0 else market.high[first:last]
        reached = np.flatnonzero((prices - order.entry) * side < 0.0)
        entered = first + int(reached[0]) if len(reached) else -1
    if entered < 0:
        return Path(-1, math.nan, min(last, count - 1), math.nan, "not filled")
    bought = float(market.open[entered])
    if not at_market:
        bought = min(order.entry, bought) if side > 0 else max(order.entry, bought)
    stop, risk = order.stop, abs(bought - order.stop)
    left, taken, share = 1.0, 0.0, 1.0 / max(1, len(order.targets))
    hit, ends = 0, ""
    for i in range(entered, count):
        start = bought if i == entered else float(market.open[i])
        if not ends and i >= order.leaves:
            ends = "signal"
        if ends:
            return Path(entered, bought, i, taken + left * start, ends)
        worst, best = (market.low[i], market.high[i]) if side > 0 else (market.high[i], market.low[i])
        if (worst - stop) * side <= 0.0:
            sold = start if (start - stop) * side <= 0.0 else stop
            return Path(entered, bought, i, taken + left * sold, "stop")
        while hit < len(order.targets) and (at_market or i > entered) and (best - order.targets[hit]) * side >= 0.0:
            target = order.targets[hit]
            taken += share * (start if (start - target) * side > 0.0 else target)
            left, hit = left - share, hit + 1
            if hit == len(order.targets):
                return Path(entered, bought, i, taken, "target")
        if int(market.known[i]) >= order.until:
            ends = "horizon"
        elif mind is not None:
            said = mind(i, Position(side, side * left, bought, stop, int(market.known[entered]), risk))
            if said is not None and said.side not in (side, Want.HOLD):
                ends = "signal"
            elif said is not None and nearer(said.stop, said.side, side, stop):
                stop = said.stop
    return Path(entered, bought, count - 1, taken + left * float(market.close[-1]), "end of data")


def outcomes(
    verdicts: pl.DataFrame,
    market_of: Callable[[str], Market],
    *,
    cost: float,
    minds: Mapping[tuple[str, int], Mind] | None = None,
) -> pl.DataFrame:
    """The rulings that withheld something, each with what would have become of it; the oldest first.

    verdicts: as `backtest.tables.verdicts_table` makes it. market_of: the market of a symbol, asked for only where
    something was withheld. cost: fee and half spread of one execution, as a fraction of
    its price. minds: by symbol and owner, of strategies given as `decide`; without one a later order of the strategy
    for the other side, or its signal to be out, ends it. New columns: withheld (base units), entered, exited (times),
    bought, sold (prices), ended (how), result (money, costs included), r (result over the loss at the stop, without
    costs; null without one). An order that came while the one before it would have been open, and those beyond
    MOST_BARS, are not followed: their result is null.
    """
    budget = [MOST_BARS]
    parts = []
    for (symbol, owner), group in verdicts.group_by("symbol", "owner", maintain_order=True):
        if (group["ruling"] != "approved").any():
            mind = (minds or {}).get((str(symbol), int(owner)))
            parts.append(_followed(group, market_of(str(symbol)), cost, mind, budget))
    return pl.concat(parts).sort("ts", maintain_order=True) if parts else _EMPTY


def _followed(
    verdicts: pl.DataFrame, market: Market, cost: float, mind: Mind | None, budget: list[int]
) -> pl.DataFrame:
    """The outcomes of one symbol and strategy. budget: bars left to follow, of which it takes its part."""
    columns = {name: floats(verdicts[name]) for name in _NUMBERS}
    side, signal = verdicts["side"].to_numpy().astype(np.int64), verdicts["signal"].to_numpy()
    first = np.searchsorted(market.rows, verdicts["row"].to_numpy(), side="right")
    told = verdicts["ts"].dt.epoch("us").to_numpy()
    horizon = verdicts["horizon"].dt.total_microseconds().to_numpy()
    busy = -1
    rows: list[dict[str, Any]] = []
    for i in np.flatnonzero((verdicts["ruling"] != "approved").to_numpy()).tolist():
        lacks = float(columns["asked"][i] - columns["allowed"][i])
        row: dict[str, Any] = {"at": i, "withheld": lacks}
        rows.append(row)
        if first[i] <= busy or budget[0] <= 0:
            row["ended"] = "another was open" if first[i] <= busy else "not followed"
            continue
        changed = np.flatnonzero((side[i + 1 :] != side[i]) & (signal[i + 1 :] == signal[i]))
        leaves = int(first[i + 1 + changed[0]]) if len(changed) and mind is None else len(market.rows)
        targets = [float(columns[name][i]) for name in TARGETS if columns[name][i] == columns[name][i]]
        order = Ruling(
            side=int(side[i]),
            entry=float(columns["entry"][i]),
            stop=float(columns["stop"][i]),
            targets=sorted(targets, reverse=bool(side[i] < 0)),
            until=int(told[i] + horizon[i]) if horizon[i] > 0 else 1 << 62,
            leaves=leaves,
        )
        path = follow(order, market, int(first[i]), mind)
        busy = path.exited
        budget[0] -= path.exited - int(first[i]) + 1
        row["ended"] = path.ended
        if path.entered >= 0:
            row |= _result(order, path, market, cost, lacks)
    made = pl.DataFrame(rows, schema={"at": pl.Int64, **_MADE}).with_columns(pl.col("entered", "exited").cast(_TIME))
    return verdicts[made["at"]].hstack(made.drop("at"))


def _result(order: Ruling, path: Path, market: Market, cost: float, lacks: float) -> dict[str, Any]:
    """What a path came to, as columns."""
    if market.inverse:
        gained = order.side * (1.0 / path.bought - 1.0 / path.sold)
        paid = cost * (1.0 / path.bought + 1.0 / path.sold)
    else:
        gained, paid = order.side * (path.sold - path.bought), cost * (path.bought + path.sold)
    risk = abs(path.bought - order.stop)
    return {
        "entered": int(market.known[path.entered]),
        "exited": int(market.known[path.exited]),
        "bought": path.bought,
        "sold": path.sold,
        "result": (gained - paid) * lacks * market.worth,
        "r": (path.sold - path.bought) * order.side / risk if risk > 0.0 else None,
    }


def by_rule(verdicts: pl.DataFrame, found: pl.DataFrame) -> dict[str, Any]:
    """How many orders that were to open were approved, reduced and denied, and by rule what that came to.

    rules: rule, denied, reduced, followed (those with an outcome), result (money that the withheld would have made;
    what a rule cost if it is positive, else what it saved), win_rate, average_r (None without any).
    """
    asked = verdicts.filter(pl.col("side") != 0)
    counts = dict(asked.group_by("ruling").len().iter_rows())
    rules = (
        found.group_by("reason", maintain_order=True)
        .agg(
            (pl.col("ruling") == "denied").sum().alias("denied"),
            (pl.col("ruling") == "reduced").sum().alias("reduced"),
            pl.col("result").count().alias("followed"),
            pl.col("result").sum().alias("result"),
            (pl.col("result") > 0).mean().alias("win_rate"),
            pl.col("r").mean().alias("average_r"),
        )
        .rename({"reason": "rule"})
        .sort("denied", "reduced", descending=True, maintain_order=True)
    )
    return {name: counts.get(name, 0) for name in ("approved", "reduced", "denied")} | {"rules": rules.to_dicts()}


_TIME = pl.Datetime("us", "UTC")
_NUMBERS = ("asked", "allowed", "entry", "stop", *TARGETS)
_MADE: dict[str, Any] = {
    "withheld": pl.Float64,
    "entered": pl.Int64,
    "exited": pl.Int64,
    "bought": pl.Float64,
    "sold": pl.Float64,
    "ended": pl.String,
    "result": pl.Float64,
    "r": pl.Float64,
}
_VERDICT: dict[str, Any] = {
    "ts": _TIME,
    "symbol": pl.String,
    "order_id": pl.Int64,
    "side": pl.Int8,
    "ruling": pl.String,
    "reason": pl.String,
    **dict.fromkeys(("asked", "allowed", "price", "stop", "entry", *TARGETS), pl.Float64),
    "horizon": pl.Duration("us"),
    "confidence": pl.Float64,
    "signal": pl.Boolean,
    "tag": pl.Int64,
    "owner": pl.Int64,
    "row": pl.Int64,
}
_EMPTY = pl.DataFrame(schema=_VERDICT | _MADE | {"entered": _TIME, "exited": _TIME})
