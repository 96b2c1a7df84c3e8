"""What was known when an order was decided on: the prices that implementation shortfall is measured from, the features
that were read, and what the strategy calls its reasons.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from truewind.backtest.tables import UTC_US, Units, rates_at
from truewind.domain.book import Report
from truewind.domain.order import Event, OrderType, Status
from truewind.engine.book_lane import BookResult
from truewind.engine.engine import Engine
from truewind.engine.merge import CLOSE, OPEN, SYMBOL, TS, TS_EVENT, Timeline
from truewind.numerics.book import Book

_ARRIVES = [int(event) for event in (Event.ACCEPT, Event.PARTIAL_FILL, Event.FILL, Event.REJECT)]
_FILLED = [int(event) for event in (Event.PARTIAL_FILL, Event.FILL)]
_COLUMNS = ("decision_price", "arrival_price", "end_price", "left", "point_value")
_WAITS = [int(kind) for kind in OrderType if kind not in (OrderType.MARKET, OrderType.LIMIT)]


def with_prices(orders: pl.DataFrame, engine: Engine, units: Units) -> pl.DataFrame:
    """`orders` with columns that `analytics.shortfall` reads, in the currency of each symbol's price.

    decision_price: the last close that was known when it was sent; of an order that waits for a trigger, or that takes
    the profit of a position, the price that it waits for: that was decided in advance. arrival_price: the open of the
    bar that it reached the venue in, the decision price where that is the same or it waits; null if it never did.
    end_price: the close when it ended. left: quantity that did not fill, 0 of what waited and was never reached.
    point_value: what a price of one more is worth to one unit, in the account's currency; inverse: whether instead of
    the price it is one less its reciprocal. All null for an order that the risk gate denied.
    """
    if orders.is_empty():
        return _joined(orders, np.zeros(0, np.int64), np.zeros(0, bool), {name: np.zeros(0) for name in _COLUMNS})
    events = engine.events
    table = pl.DataFrame({name: events[name] for name in ("order", "row", "event", "status", "type", "symbol", "lots")})
    told = table.with_columns(
        ticks=np.where(events["trigger"] > 0, events["trigger"], events["price"]), place=np.arange(len(events))
    )
    known = told.group_by("order", maintain_order=True).agg(
        pl.col("row", "type", "symbol").first(),
        pl.col("row").filter(pl.col("event").is_in(_ARRIVES)).first().alias("arrived"),
        pl.col("row").last().alias("ended"),
        pl.col("lots").last().alias("unfilled"),
        pl.col("event").last().alias("final"),
        pl.col("status").last(),
        (pl.col("event") == int(Event.TRIGGER)).any().alias("reached"),
        pl.col("ticks").filter(pl.col("ticks") > 0).last().fill_null(0),
    )
    symbol = known["symbol"].to_numpy()
    rows = {name: known[name].fill_null(-1).to_numpy() for name in ("row", "arrived", "ended")}
    decided, seen = _last(engine.timeline, symbol, rows["row"], CLOSE)
    arrived, at = _last(engine.timeline, symbol, rows["arrived"], OPEN)
    arrived = np.where(rows["arrived"] < 0, np.nan, np.where(at > seen, arrived, decided))
    child = orders["reduce_only"].to_numpy() & (orders["parent"].to_numpy() != 0)
    kinds = known["type"].to_numpy()
    waits = np.isin(kinds, _WAITS) | (child & (kinds == int(OrderType.LIMIT)))
    waited = units.price(symbol, known["ticks"].to_numpy())
    unfilled = units.quantity(symbol, known["unfilled"].to_numpy())
    done = np.isin(known["final"].to_numpy(), _FILLED) | (waits & ~known["reached"].to_numpy())
    denied = known["status"].to_numpy() == int(Status.DENIED)
    value = np.ones(len(known))
    for index, instrument in enumerate(engine.instruments):
        own = symbol == index
        opened = engine.timeline.times[TS][np.maximum(rows["row"][own], 0)]
        value[own] = float(instrument.multiplier) * rates_at(engine, index, opened)
    inverse = np.array([instrument.inverse for instrument in engine.instruments])[symbol]
    columns = {
        "decision_price": np.where(waits, waited, decided),
        "arrival_price": np.where(waits, waited, arrived),
        "end_price": _last(engine.timeline, symbol, rows["ended"], CLOSE)[0],
        "left": np.where(done, 0.0, unfilled),
        "point_value": value,
    }
    shown = {name: np.where(denied, np.nan, column) for name, column in columns.items()}
    return _joined(orders, known["order"].to_numpy(), inverse, shown)


def _joined(
    orders: pl.DataFrame, ids: np.ndarray, inverse: np.ndarray, columns: Mapping[str, np.ndarray]
) -> pl.DataFrame:
    """`orders` with the columns of the orders `ids`; NaN becomes null."""
    found = pl.DataFrame({"order_id": ids, "inverse": inverse, **columns}).with_columns(pl.col(*columns).fill_nan(None))
    found = found.select(pl.col("order_id").cast(orders.schema["order_id"]), *columns, "inverse")
    return orders.join(found, on="order_id", how="left", maintain_order="left")


def with_book_prices(orders: pl.DataFrame, events: np.ndarray, result: BookResult, units: Units) -> pl.DataFrame:
    """`with_prices` for a run on an order book: the prices are the middle of the displayed book, when the order was
    sent, when the venue accepted it, and when it ended.
    """
    told = orders.join(_book_reports(result), on="order_id", how="left", maintain_order="left")
    moments = {name: told[name].cast(pl.Int64).to_numpy() for name in ("sent", "accepted", "gone")}
    every = np.concatenate(list(moments.values()))
    middle = (
        dict(zip(moments, np.split(_middles(events, every, units), len(moments)), strict=True)) if len(every) else {}
    )
    instrument = result.instrument
    triggered = (told["type"].is_in(["market", "limit"])).not_().to_numpy()
    child = (told["reduce_only"] & (told["parent"] != 0) & (told["type"] == "limit")).to_numpy()
    waits = triggered | child
    own = told["trigger"].fill_null(told["price"]).fill_null(np.nan).to_numpy()
    ended = told["status"].is_in(["cancelled", "expired", "rejected"]).to_numpy()
    left = np.where(
        ended & ~waits, units.quantity(np.zeros(len(told), np.int64), told["rest"].fill_null(0).to_numpy()), 0.0
    )
    columns = {
        "decision_price": np.where(waits, own, middle.get("sent", np.zeros(0))),
        "arrival_price": np.where(waits, own, middle.get("accepted", np.zeros(0))),
        "end_price": middle.get("gone", np.zeros(0)),
        "left": left,
        "point_value": np.full(len(told), float(instrument.multiplier)),
    }
    return _joined(orders, orders["order_id"].to_numpy(), np.full(len(told), instrument.inverse), columns)


def _book_reports(result: BookResult) -> pl.DataFrame:
    """order_id; when it was sent, accepted (0: never) and gone, µs; rest: lots that had not filled at the end."""
    reports = result.reports[result.reports["order"] > 0]
    table = pl.DataFrame({name: reports[name] for name in ("order", "ts", "kind", "lots", "filled")})
    reached = [int(kind) for kind in (Report.ACCEPTED, Report.PARTIALLY_FILLED, Report.FILLED)]
    return table.group_by(order_id="order").agg(
        pl.col("ts").first().alias("sent"),
        pl.col("ts").filter(pl.col("kind").is_in(reached)).first().fill_null(0).alias("accepted"),
        pl.col("ts").last().alias("gone"),
        (pl.col("lots").last() - pl.col("filled").max()).clip(lower_bound=0).alias("rest"),
    )


def _middles(events: np.ndarray, moments: np.ndarray, units: Units) -> np.ndarray:
    """The middle of the displayed book at moments (µs), NaN where a side was empty or the moment is none (0)."""
    asked, place = np.unique(moments, return_inverse=True)
    ends = np.searchsorted(events["ts_event"], asked, side="right")
    book, found, done = Book(), np.full(len(asked), np.nan), 0
    for number, end in enumerate(ends.tolist()):
        if end > done:
            book.apply(events[done:end])
            done = end
        bid, ask = book.best_bid, book.best_ask
        if bid is not None and ask is not None and asked[number] > 0:
            found[number] = (bid + ask) / 2.0
    return np.asarray(units.price(np.zeros(len(asked), np.int64), found)[place])


def _last(timeline: Timeline, symbols: np.ndarray, rows: np.ndarray, which: int) -> tuple[np.ndarray, np.ndarray]:
    """A price of each symbol's last row up to `rows`, and that row; NaN and −1 where there is none."""
    price, found = np.full(len(rows), np.nan), np.full(len(rows), -1, np.int64)
    for index in np.unique(symbols).tolist():
        own = np.flatnonzero(symbols == index)
        mine = np.flatnonzero(timeline.times[SYMBOL] == index)
        place = np.searchsorted(mine, rows[own], side="right") - 1
        there = place >= 0
        found[own[there]] = mine[place[there]]
        price[own[there]] = timeline.prices[which][mine[place[there]]]
    return price, found


def entries_table(trades: pl.DataFrame, engine: Engine, fields: Sequence[str]) -> pl.DataFrame:
    """order_id, symbol, decided and the features `fields` on the bar that the entry of each trade was decided on."""
    events = engine.events
    wanted = np.unique(trades["entry_order"].drop_nulls().to_numpy()).astype(np.int64)
    known, first = np.unique(events["order"], return_index=True)
    at = first[np.isin(known, wanted)]
    symbol, rows = events["symbol"][at].astype(np.int64), events["row"][at].astype(np.int64)
    decided = getattr(engine.timeline, "wanted", None)
    found = np.full(len(rows), -1, np.int64)
    for index in np.unique(symbol).tolist():
        own = np.flatnonzero(symbol == index)
        mine = np.flatnonzero(engine.timeline.times[SYMBOL] == index)
        if decided is not None:  # of nested bars only some rows have features
            mine = mine[np.isin(mine, decided)]
        place = np.searchsorted(mine, rows[own], side="right") - 1
        found[own[place >= 0]] = mine[place[place >= 0]]
    there = np.maximum(found, 0)
    columns: dict[str, Any] = {
        name: np.where(found >= 0, engine.timeline.columns[name][there], np.nan)
        for name in fields
        if name in engine.timeline.columns
    }
    return pl.DataFrame(
        {
            "order_id": events["order"][at],
            "symbol": [engine.symbols[index] for index in symbol.tolist()],
            "decided": pl.Series(engine.timeline.times[TS_EVENT][there]).cast(UTC_US),
            **columns,
        },
        schema_overrides={"symbol": pl.String},
    )


def reason_names(tables: Mapping[str, pl.DataFrame], strategies: Sequence[object]) -> dict[str, dict[str, str]]:
    """By strategy (its number) what it calls the tags that its orders and fills carry; those it names only."""
    found = {}
    for owner, strategy in enumerate(strategies):
        say = getattr(strategy, "reason", None)
        if not callable(say):
            continue
        tags = {tag for table in tables.values() for tag in table["tag"].unique().to_list() if tag}
        found[str(owner)] = {str(tag): name for tag in sorted(tags) if (name := say(int(tag)))}
    return {owner: names for owner, names in found.items() if names}
