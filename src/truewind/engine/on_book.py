"""A plain `Strategy` on an order book: prices and base units on its side, ticks and lots on the desk's.

    BookLane ─ wakes ─► OnBook ─ on_book, on_trade, on_fill, on_timer ─► Strategy ─ buy, cancel … ─► Counter ─► Desk

It costs a few microseconds a wake. What must be as fast as the book is written as a `BookStrategy`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.account import Account
from truewind.domain.fill import Fill, read_fill
from truewind.domain.instrument import Instrument, instrument_row
from truewind.domain.market import Trade
from truewind.domain.order import Order, OrderType, Side, Status, Terms, TimeInForce
from truewind.domain.ports import Journal
from truewind.domain.position import Position
from truewind.domain.signal import Signal
from truewind.engine.asked import LIMITED, NO_TERMS, no_symbol, refused, steps_of
from truewind.engine.book_face import Desk
from truewind.engine.timers import timed
from truewind.errors import ConfigError, StrategyError
from truewind.strategies.base import SignalStrategy, Strategy
from truewind.strategies.book import BookReport, BookStrategy, BookTrade

_CALLS = ("on_book", "on_trade", "on_fill", "on_timer")


class Level(NamedTuple):
    """What is displayed at one price."""

    price: float
    quantity: float


class Book:
    """The order book as it is known now: a live view. Prices are NaN and quantities 0 where a side is empty."""

    def __init__(self, desk: Desk, instrument: Instrument) -> None:
        self._desk, self._steps = desk, steps_of(instrument_row(instrument)[0])
        self.symbol = instrument.name

    @property
    def ts(self) -> int:
        """The time here, µs UTC."""
        return self._desk.now_us

    @property
    def best_bid(self) -> float:
        return self._steps.price(self._desk.best_bid)

    @property
    def best_ask(self) -> float:
        return self._steps.price(self._desk.best_ask)

    @property
    def bid_quantity(self) -> float:
        return self._quantity(1, self._desk.best_bid)

    @property
    def ask_quantity(self) -> float:
        return self._quantity(-1, self._desk.best_ask)

    @property
    def mid(self) -> float:
        """Between the best bid and the best ask; NaN if one is missing."""
        return (self.best_bid + self.best_ask) / 2

    @property
    def spread(self) -> float:
        return self.best_ask - self.best_bid

    def depth(self, levels: int) -> tuple[list[Level], list[Level]]:
        """(bids, asks), the best first, up to `levels` of each."""
        return self._side(1, self._desk.best_bid, levels), self._side(-1, self._desk.best_ask, levels)

    def _side(self, side: int, ticks: int, levels: int) -> list[Level]:
        found: list[Level] = []
        while ticks and len(found) < levels:
            found.append(Level(self._steps.price(ticks), self._quantity(side, ticks)))
            ticks = self._desk.next_level(side, ticks)
        return found

    def _quantity(self, side: int, ticks: int) -> float:
        return self._steps.quantity(self._desk.displayed(side, ticks)) if ticks else 0.0


class Counter:
    """Implements `ports.Desk` over the desk of a book. What it says of orders and the position is what is known here;
    the account is the venue's."""

    def __init__(self, desk: Desk, instrument: Instrument, scale: int) -> None:
        self._desk, self._instrument, self._scale = desk, instrument, scale
        self.steps = steps_of(instrument_row(instrument)[0])
        self.entry, self.opened = float("nan"), 0

    @property
    def symbols(self) -> Sequence[str]:
        return [self._instrument.name]

    @property
    def now_us(self) -> int:
        return self._desk.now_us

    def submit(
        self,
        symbol: str,
        side: Side,
        quantity: float,
        type: OrderType = OrderType.MARKET,
        price: float = 0.0,
        *,
        reduce_only: bool = False,
        parent: int = 0,
        tag: int = 0,
        protect: float = 0.0,
        terms: Terms | None = None,
    ) -> int:
        """See `ports.Desk.submit`. Raises StrategyError for what cannot be an order here."""
        self._known(symbol)
        said = terms or NO_TERMS
        if not 0.0 <= quantity < 1e15 or not 0.0 <= price < 1e15:
            raise self._refuse(f"quantity {quantity} at {price} is no order's")
        if said.close_position or said.self_trade or said.tif == TimeInForce.DAY:
            raise self._refuse("on a book orders have no close_position, self_trade or DAY")
        lots, way = self.steps.lots(quantity), int(side)
        limit = self.steps.ticks(price, -way) if type in LIMITED else 0
        trigger = self.steps.ticks(said.trigger or price, way)
        ties: dict[str, Any] = {"reduce_only": reduce_only, "parent": parent, "group": said.group, "tag": tag}
        if type == OrderType.MARKET:
            return self._desk.market(way, lots, **ties)
        if type == OrderType.LIMIT:
            return self._desk.limit(
                way, limit, lots, said.tif, post_only=said.post_only, shown=self.steps.lots(said.shown),
                expires_us=said.expires_us, **ties,
            )  # fmt: skip
        if type == OrderType.TRAILING_STOP:
            return self._desk.trailing_stop(
                way, lots, trail=self.steps.ticks(said.trail, 1), trail_percent=said.trail_percent,
                activation=self.steps.ticks(said.activation, way), trigger_by=said.trigger_by, **ties,
            )  # fmt: skip
        send = self._desk.stop if type in (OrderType.STOP, OrderType.STOP_LIMIT) else self._desk.take_profit
        return send(way, trigger, lots, limit, trigger_by=said.trigger_by, **ties)

    def amend(
        self, order_id: int, *, quantity: float = 0.0, price: float = 0.0, trigger: float = 0.0, trail: float = 0.0
    ) -> bool:
        """See `ports.Desk.amend`; whether it was sent."""
        order = next((one for one in self._desk.working() if one.id == order_id), None)
        if order is None:
            return False
        return self._desk.amend(
            order_id, self.steps.ticks(price, -order.side), self.steps.lots(quantity),
            trigger=self.steps.ticks(trigger, order.side), trail=self.steps.ticks(trail, 1),
        )  # fmt: skip

    def follow(self, symbol: str, signal: Signal) -> int:
        """Signals are of bars: refused."""
        raise self._refuse("signals are decided on bars; on a book strategies work orders")

    def cancel(self, order_id: int) -> bool:
        """See `ports.Desk.cancel`; whether it was sent."""
        return self._desk.cancel(order_id)

    def working(self, symbol: str) -> list[Order]:
        """See `ports.Desk.working`."""
        self._known(symbol)
        return [self._order(row) for row in self._desk.rows()]

    def position(self, symbol: str, side: int = 0) -> Position:
        """See `ports.Desk.position`, by the fills that were heard of."""
        self._known(symbol)
        lots = self._desk.held(side) if side else self._desk.position
        if lots == 0:
            return Position(0, 0.0, float("nan"), float("nan"), 0)
        return Position(1 if lots > 0 else -1, self.steps.quantity(lots), self.entry, self._stop(), self.opened)

    def account(self) -> Account:
        """See `ports.Desk.account`."""
        money = self._desk.money()
        amounts = {name: money[name] / self._scale for name in ("cash", "equity", "realised", "fees", "funding")}
        return Account(currency=self._instrument.currency, carry=0.0, **amounts)

    def heard(self, report: BookReport) -> None:
        """A fill was heard of: keep the average price of what is held. The desk's position has it already."""
        after = self._desk.position
        before = after - report.side * report.lots
        price, sign = self.steps.price(report.ticks), 1 if after > 0 else -1
        if after == 0:
            self.entry, self.opened = float("nan"), 0
        elif before * sign <= 0:
            self.entry, self.opened = price, report.ts
        elif abs(after) > abs(before):
            self.entry = (self.entry * abs(before) + price * report.lots) / abs(after)

    def _order(self, row: np.void) -> Order:
        wakes_at = int(row["trigger"])
        ticks = int(row["ticks"]) or wakes_at
        return Order(
            id=int(row["id"]),
            symbol=self._instrument.name,
            side=int(row["side"]),
            type=int(row["type"]),
            status=int(row["known"]),
            lots=int(row["lots"]),
            filled=int(row["known_filled"]),
            price_ticks=ticks,
            quantity=self.steps.quantity(int(row["lots"])),
            price=self.steps.price(ticks),
            trigger=self.steps.price(wakes_at),
            reduce_only=bool(row["reduce_only"]),
            parent=int(row["parent"]),
            tag=int(row["tag"]),
        )

    def _stop(self) -> float:
        """The price of a working protective stop, NaN if there is none."""
        stops = (row for row in self._desk.rows() if row["type"] == OrderType.STOP and row["reduce_only"])
        return next((self.steps.price(int(row["trigger"])) for row in stops if row["known"] != Status.HELD), np.nan)

    def _known(self, symbol: str) -> None:
        if symbol != self._instrument.name:
            raise no_symbol(symbol, self.symbols)

    def _refuse(self, what: str) -> StrategyError:
        return refused(self._instrument.name, self.now_us, what)


class OnBook(BookStrategy):
    """`strategy` as the order-book lane takes it. Raises ConfigError for one that no book calls."""

    def __init__(self, strategy: Strategy, instrument: Instrument, scale: int) -> None:
        kind, name = type(strategy), type(strategy).__name__
        called = [call for call in _CALLS if getattr(kind, call) is not getattr(Strategy, call)]
        if isinstance(strategy, SignalStrategy) or not called:
            raise ConfigError(
                f"{name} is no BookStrategy, and has none of {', '.join(_CALLS)}, which a run on an order book calls",
                remedy="Run it on bars, or give it one of these",
            )
        if strategy.features():
            raise ConfigError(f"{name} reads features, which are computed on bars", remedy="Read self.book instead")
        self.strategy: Strategy = strategy
        self._instrument, self._scale = instrument, scale
        self.timer_us = strategy.timer_us if timed(name, strategy, strategy.on_timer) else 0
        self.journal: Journal | None = None
        self._called = frozenset({"on_fill", *called})

    def called(self) -> frozenset[str]:
        return self._called

    def first_timer_us(self, start_us: int) -> int:
        return -(-start_us // self.timer_us) * self.timer_us

    def on_start(self) -> None:
        desk: Any = self.desk
        self._counter = self.strategy.desk = Counter(desk, self._instrument, self._scale)
        self.strategy.book = self._book = Book(desk, self._instrument)
        self.strategy.on_start()

    def on_book(self) -> None:
        self.strategy.on_book(self._book)

    def on_trade(self, trade: BookTrade) -> None:
        steps = self._counter.steps
        told = Trade(
            self._instrument.name, trade.ts_event, self._counter.now_us, steps.price(trade.ticks),
            steps.quantity(trade.lots), trade.side,
        )  # fmt: skip
        self.strategy.on_trade(told)

    def on_fill(self, report: BookReport) -> None:
        self._counter.heard(report)
        self.strategy.on_fill(self._fill(report))

    def on_timer(self) -> None:
        if self.journal is not None:
            self.journal.record("timer", ts=self.desk.now_us, name=type(self.strategy).__name__)
        self.strategy.on_timer()

    def on_stop(self) -> None:
        self.strategy.on_stop()

    def _fill(self, report: BookReport) -> Fill:
        """The fill that a report tells of, with its fee as it was booked."""
        desk: Any = self.desk
        return read_fill(desk.fill_of(report), self._instrument.name, self._counter.steps, self._scale)
