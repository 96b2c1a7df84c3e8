"""The tables of a run: the kernels' records in units and names that people use."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from truewind.analytics.excursions import Bars
from truewind.analytics.withheld import TARGETS
from truewind.domain.clock import iso
from truewind.domain.fill import FillKind
from truewind.domain.instrument import Instrument
from truewind.domain.order import TERMINAL, Event, OrderType, Reason, Status
from truewind.domain.risk import Ruling
from truewind.engine.engine import Engine
from truewind.engine.merge import CLOSE, SYMBOL, TS, TS_EVENT, Timeline
from truewind.engine.portfolio import PortfolioEngine
from truewind.risk.gate import RULES
from truewind.venues.binance.errors import refusal

UTC_US = pl.Datetime("us", "UTC")
MAX_CANDLES = 5_000
_FILL_KINDS = {
    FillKind.TRADE: "trade",
    FillKind.FUNDING: "funding",
    FillKind.LIQUIDATION: "liquidation",
    FillKind.INSURANCE: "insurance",
    FillKind.DIVIDEND: "dividend",
    FillKind.BORROW: "borrow",
    FillKind.SWAP: "swap",
    FillKind.SPLIT: "split",
    FillKind.SETTLEMENT: "settlement",
    FillKind.FEE: "fee",
    FillKind.EXCHANGE: "exchange",
}
_RULES = [rule.reason.name.lower() for rule in RULES]
_RULINGS = {int(ruling): ruling.name.lower() for ruling in Ruling}
_FILLED = (int(Event.FILL), int(Event.PARTIAL_FILL))


class Units:
    """Ticks, lots and ledger units of each symbol as floats."""

    def __init__(self, instruments: Sequence[Instrument], steps: np.ndarray, scale: int) -> None:
        self.symbols = np.array([instrument.name for instrument in instruments], dtype=object)
        self._steps, self.scale = steps, scale

    def price(self, symbol: np.ndarray, ticks: np.ndarray) -> np.ndarray:
        return np.asarray(ticks * self._steps["tick_num"][symbol] / self._steps["tick_den"][symbol])

    def quantity(self, symbol: np.ndarray, lots: np.ndarray) -> np.ndarray:
        return np.asarray(lots * self._steps["lot_num"][symbol] / self._steps["lot_den"][symbol])

    def money(self, units: np.ndarray) -> np.ndarray:
        return units / self.scale

    def names(self, symbol: np.ndarray) -> pl.Series:
        return pl.Series(self.symbols[symbol].tolist(), dtype=pl.String)


def fills_table(fills: np.ndarray, units: Units) -> pl.DataFrame:
    """One row a fill, liquidation, payment, split or settlement; money in the account's currency."""
    symbol = fills["symbol"]
    kind = pl.Series(fills["kind"]).replace_strict(_FILL_KINDS, return_dtype=pl.String)
    return pl.DataFrame(
        {
            "ts": pl.Series(fills["ts"]).cast(UTC_US),
            "symbol": units.names(symbol),
            "order_id": fills["order"],
            "kind": kind,
            "side": fills["side"].astype(np.int8),
            "maker": fills["maker"].astype(bool),
            "price": units.price(symbol, fills["price"]),
            "quantity": units.quantity(symbol, fills["lots"]),
            "notional": units.money(fills["notional"]),
            "fee": units.money(fills["fee"]),
            "realised": units.money(fills["realised"]),
            "slippage": units.money(fills["slippage"]),
            "position": units.quantity(symbol, fills["position"]),
            "tag": fills["tag"],
            "leg": fills["leg"] // len(units.symbols),
            "owner": fills["owner"],
        }
    )


def orders_table(events: np.ndarray, units: Units) -> pl.DataFrame:
    """One row an order: how it was sent, and how it ended (`ended` is null while it works).

    amended: whether its price or quantity was changed after that.
    """
    symbol = events["symbol"]
    table = pl.DataFrame(
        {
            "order_id": events["order"],
            "ts": pl.Series(events["ts"]).cast(UTC_US),
            "symbol": units.names(symbol),
            "event": events["event"],
            "status": events["status"],
            "reason": events["reason"],
            "type": events["type"],
            "side": events["side"].astype(np.int8),
            "quantity": units.quantity(symbol, events["lots"]),
            "price": np.where(events["price"] > 0, units.price(symbol, events["price"]), np.nan),
            "trigger": np.where(events["trigger"] > 0, units.price(symbol, events["trigger"]), np.nan),
            "parent": events["parent"],
            "reduce_only": events["reduce_only"].astype(bool),
            "tag": events["tag"],
            "owner": events["owner"],
        }
    )
    filled = pl.col("event").is_in(_FILLED)
    return (
        table.group_by("order_id", maintain_order=True)
        .agg(
            pl.col(
                "symbol", "type", "side", "quantity", "price", "trigger", "parent", "reduce_only", "tag", "owner"
            ).first(),
            pl.col("ts").first().alias("created"),
            pl.col("ts").filter(pl.col("status").is_in([int(status) for status in TERMINAL])).last().alias("ended"),
            pl.col("status").last(),
            pl.col("quantity").filter(filled).sum().alias("filled"),
            pl.col("reason").filter(pl.col("reason") != 0).last().fill_null(0),
            (pl.col("event") == int(Event.AMEND)).any().alias("amended"),
        )
        .with_columns(
            pl.col("type").replace_strict({int(t): t.name.lower() for t in OrderType}, return_dtype=pl.String),
            pl.col("status").replace_strict({int(s): s.name.lower() for s in Status}, return_dtype=pl.String),
            pl.col("reason").replace_strict({int(r): r.name.lower() for r in Reason}, return_dtype=pl.String),
            pl.col("price").fill_nan(None).fill_null(pl.col("trigger").fill_nan(None)),
            pl.col("trigger").fill_nan(None),
        )
        .select(
            *("order_id", "symbol", "created", "ended", "type", "side", "quantity", "price", "trigger"),
            *("status", "filled", "reason", "parent", "reduce_only", "tag", "owner", "amended"),
        )
    )


def verdicts_table(verdicts: np.ndarray, units: Units) -> pl.DataFrame:
    """One row a ruling of the risk gate, and one a signal to be out (side 0).

    asked, allowed: base units. price: at which it was judged. stop, entry (null: at market), targets, horizon,
    confidence: of the signal. signal: whether it came of one. row: of the timeline.
    """
    symbol = verdicts["symbol"]
    prices = {name: verdicts[name] for name in ("price", "stop", "entry", *TARGETS)}
    return pl.DataFrame(
        {
            "ts": pl.Series(verdicts["ts"]).cast(UTC_US),
            "symbol": units.names(symbol),
            "order_id": verdicts["order"],
            "side": verdicts["side"],
            "ruling": pl.Series(verdicts["ruling"]).replace_strict(_RULINGS, return_dtype=pl.String),
            "reason": pl.Series(verdicts["reason"]).replace_strict(
                {int(r): r.name.lower() for r in Reason}, return_dtype=pl.String
            ),
            "asked": units.quantity(symbol, verdicts["asked"]),
            "allowed": units.quantity(symbol, verdicts["allowed"]),
            **prices,
            "horizon": pl.Series(verdicts["horizon_us"]).cast(pl.Duration("us")),
            "confidence": verdicts["confidence"],
            "signal": verdicts["signal"] != 0,
            "tag": verdicts["tag"],
            "owner": verdicts["owner"],
            "row": verdicts["row"].astype(np.int64),
        }
    ).with_columns(pl.col(*prices).fill_nan(None))


def with_strategy(table: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """`table` with the name of the strategy that owns each row, null for what concerns all that hold."""
    known = dict(enumerate(names))
    return table.with_columns(
        pl.col("owner").replace_strict(known, default=None, return_dtype=pl.String).alias("strategy")
    )


def refusals(orders: pl.DataFrame, instruments: Sequence[Instrument]) -> list[str]:
    """What gate and venue did not let through, by reason, with the venue's own code and words where it has some."""
    listed = {instrument.name: instrument for instrument in instruments}
    refused = (
        orders.filter(pl.col("status").is_in(["denied", "rejected"]) | pl.col("reason").is_in(_RULES))
        .with_columns(
            what=pl.when(pl.col("status").is_in(["denied", "rejected"])).then("status").otherwise(pl.lit("reduced"))
        )
        .group_by("what", "reason", maintain_order=True)
        .agg(pl.len(), pl.col("created").min(), pl.col("symbol").first())
        .sort("what", "reason")
    )
    lines = []
    for row in refused.iter_rows(named=True):
        why = row["reason"].replace("_", " ")
        answer = refusal(Reason[row["reason"].upper()], listed[row["symbol"]])
        if answer is not None and row["what"] != "reduced":
            why += f"; at the venue {answer.code}: {answer.message.rstrip('.')}"
        lines.append(f"{row['len']} orders were {row['what']} ({why}), the first at {row['created']:%Y-%m-%d %H:%M}")
    return lines


def latch_facts(engine: Engine) -> list[dict[str, Any]]:
    """Each time that a breaker has tripped or was released; limited: how many signals or orders it held back then."""
    found = []
    for latch in engine.latches:
        rule, symbol = Reason(int(latch["rule"])), int(latch["symbol"])
        held = engine.verdicts[(engine.verdicts["reason"] == rule) & (engine.verdicts["ts"] >= latch["ts"])]
        found.append(
            {
                "ts": iso(int(latch["ts"])),
                "breaker": rule.name.lower(),
                "symbol": engine.symbols[symbol] if symbol >= 0 else None,
                "value": float(latch["value"]),
                "limit": float(latch["limit"]),
                "released": bool(latch["released"]),
                "flattens": bool(latch["flattens"]),
                "limited": 0 if latch["released"] else len(held),
            }
        )
    return found


def latch_notes(engine: Engine) -> list[str]:
    """The same in words."""
    notes = []
    for fact in latch_facts(engine):
        what = fact["breaker"].replace("_", " ").capitalize() + (f" {fact['symbol']}" if fact["symbol"] else "")
        if fact["released"]:
            notes.append(f"{what}: released at {fact['ts']}")
            continue
        measured = ""
        if fact["breaker"] == "losing_streak":
            measured = f" of {fact['limit']:.0f} round trips"
        elif fact["limit"]:
            measured = f" limit of {100 * fact['limit']:.3g} % ({100 * fact['value']:.3g} %)"
        ends = "what was held was closed, and " if fact["flattens"] else ""
        notes.append(f"{what}{measured} reached at {fact['ts']}: {ends}{fact['limited']} orders were denied after it")
    return notes


def equity_table(engine: Engine, fills: np.ndarray, units: Units) -> pl.DataFrame:
    """Equity, cash (wallet), gross and net notional held, one row a time at which bars became known."""
    timeline = engine.timeline
    last = _last_rows(timeline)
    cash = np.concatenate([[engine.state.account[0]["initial"]], fills["cash"]])
    gross, net = np.zeros(len(last)), np.zeros(len(last))
    for leg in np.unique(fills["leg"]).tolist():
        own = fills[fills["leg"] == leg]
        index = leg % len(engine.instruments)
        instrument = engine.instruments[index]
        lots = np.concatenate([[0], own["position"]])[np.searchsorted(own["row"], last, side="right")]
        rows = np.flatnonzero(timeline.times[SYMBOL] == index)
        seen = np.searchsorted(rows, last, side="right") - 1
        close = np.where(seen >= 0, timeline.prices[CLOSE][rows[np.maximum(seen, 0)]], np.nan)
        worth = (1.0 / close if instrument.inverse else close) * float(instrument.multiplier)
        worth = worth * rates_at(engine, index, timeline.times[TS][last])
        quantity = units.quantity(np.full(len(lots), index), np.abs(lots))
        held = np.where(quantity > 0.0, quantity * worth, 0.0)
        gross += held
        net += np.sign(lots) * held
    return pl.DataFrame(
        {
            "ts": pl.Series(timeline.times[TS_EVENT][last]).cast(UTC_US),
            "equity": engine.equity[last],
            "cash": units.money(cash[np.searchsorted(fills["row"], last, side="right")]),
            "gross": gross,
            "net": net,
        }
    )


def rates_at(engine: Engine, index: int, opened: np.ndarray) -> np.ndarray:
    """What one unit of a symbol's currency is worth in the account's on rows that open then."""
    own = engine.state.rates[engine.state.rates["symbol"] == index]
    if not len(own):
        return np.ones(len(opened))
    return np.asarray(own["rate"][np.maximum(np.searchsorted(own["ts"], opened, side="right") - 1, 0)])


def in_account_money(fills: pl.DataFrame, engine: Engine) -> pl.DataFrame:
    """`fills` with the prices of symbols in other currencies as the account paid them."""
    others = {engine.instruments[index].name for index in np.unique(engine.state.rates["symbol"]).tolist()}
    if not others:
        return fills
    units = pl.col("symbol").replace_strict(
        {i.name: float(i.multiplier) for i in engine.instruments}, return_dtype=pl.Float64
    )
    paid = pl.col("symbol").is_in(list(others)) & (pl.col("quantity") > 0) & (pl.col("kind") != "split")
    return fills.with_columns(
        pl.when(paid).then(pl.col("notional") / (pl.col("quantity") * units)).otherwise("price").alias("price")
    )


def bars_of(engine: Engine) -> dict[str, Bars]:
    """The bars of each symbol, priced in the account's currency."""
    timeline, found = engine.timeline, {}
    for index, symbol in enumerate(timeline.symbols):
        rows = np.flatnonzero(timeline.times[SYMBOL] == index)
        rate = rates_at(engine, index, timeline.times[TS][rows])
        prices = (np.ascontiguousarray(column[rows] * rate) for column in timeline.prices)
        found[symbol] = Bars(rows, timeline.times[TS_EVENT][rows], *prices)
    return found


def split_times(fills: pl.DataFrame) -> dict[str, list[int]]:
    """When shares of each symbol were split, µs."""
    splits = fills.filter(pl.col("kind") == "split").group_by("symbol").agg(pl.col("ts").dt.epoch("us"))
    return dict(splits.iter_rows())


def gains_table(engine: PortfolioEngine) -> pl.DataFrame:
    """What each strategy has gained so far: a row for each at each time of `equity_table`; they sum to its gain."""
    last = _last_rows(engine.timeline)
    ts = pl.Series("ts", engine.timeline.times[TS_EVENT][last]).cast(UTC_US)
    parts = [
        pl.DataFrame({"ts": ts, "strategy": pl.repeat(member.name, len(last), eager=True), "gain": gain})
        for member, gain in zip(engine.team.members, engine.gains(last), strict=True)
    ]
    return pl.concat(parts)


def benchmark_table(engine: Engine, cash: float) -> pl.DataFrame:
    """The same money held: split evenly over the symbols, each bought at its first open, no costs.

    Of an inverse contract it is the coin that is held, which the account counts in.
    """
    timeline = engine.timeline
    last = _last_rows(timeline)
    total = np.zeros(len(last))
    share = cash / len(timeline.symbols)
    for index, instrument in enumerate(engine.instruments):
        rows = np.flatnonzero(timeline.times[SYMBOL] == index)
        close = np.ones(len(rows)) if instrument.inverse else timeline.prices[CLOSE][rows]
        rate = rates_at(engine, index, timeline.times[TS][rows])
        close = close * rate
        seen = np.searchsorted(rows, last, side="right") - 1
        bought = 1.0 if instrument.inverse else timeline.prices[0][rows[0]] * rate[0]
        total += np.where(seen >= 0, share * close[np.maximum(seen, 0)] / bought, share)
    return pl.DataFrame({"ts": pl.Series(timeline.times[TS_EVENT][last]).cast(UTC_US), "equity": total})


def candles_table(timeline: Timeline) -> pl.DataFrame:
    """Candles to draw: at most MAX_CANDLES a symbol, neighbours joined where there are more."""
    parts = []
    for index, symbol in enumerate(timeline.symbols):
        rows = np.flatnonzero(timeline.times[SYMBOL] == index)
        each = -(-len(rows) // MAX_CANDLES)
        starts = np.arange(0, len(rows), each)
        prices: Any = [column[rows] for column in timeline.prices]
        volume = timeline.volumes
        parts.append(
            pl.DataFrame(
                {
                    "symbol": pl.repeat(symbol, len(starts), eager=True),
                    "ts": pl.Series(timeline.times[TS][rows[starts]]).cast(UTC_US),
                    "open": prices[0][starts],
                    "high": np.maximum.reduceat(prices[1], starts),
                    "low": np.minimum.reduceat(prices[2], starts),
                    "close": prices[3][np.append(starts[1:], len(rows)) - 1],
                    "volume": np.add.reduceat(volume[rows], starts) if len(volume) else np.zeros(len(starts)),
                }
            )
        )
    return pl.concat(parts)


def _last_rows(timeline: Timeline) -> np.ndarray:
    """The last row of each event time: when all that became known at that time is known."""
    event = timeline.times[TS_EVENT]
    return np.flatnonzero(np.append(event[1:] != event[:-1], True))
