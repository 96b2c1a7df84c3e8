"""The desk: what a strategy may ask on bars and trades, and the records of what came of it.

Orders, amendments and signals become ticks and lots here and go to the kernels; `engine.engine` is the loop that lets
them happen.
"""

import struct
from collections.abc import Sequence

import numpy as np

from truewind.domain.account import Account
from truewind.domain.fill import FILL, Fill, read_fill
from truewind.domain.instrument import Instrument
from truewind.domain.order import ORDER_EVENT, Event, Order, OrderType, Reason, Side, Terms
from truewind.domain.ports import Journal
from truewind.domain.position import Position
from truewind.domain.risk import LATCH, VERDICT
from truewind.domain.signal import Signal
from truewind.engine.acting import IDLE, MOST_ORDERS, fault, follow, position_of
from truewind.engine.asked import FORGIVEN, NO_TERMS, fields_of, no_symbol, refused, steps_of
from truewind.engine.intake import amend, draft, send, submit
from truewind.engine.merge import CLOSE, Timeline
from truewind.engine.state import ACCOUNT_FIELD, State
from truewind.errors import StrategyError
from truewind.execution.simulated.lifecycle import FLUSH, cancel
from truewind.execution.simulated.valuation import settle, time_at
from truewind.portfolio.ledger import RATE_SCALE

_ORDERS = ACCOUNT_FIELD["orders"]
_PACK_SIGNAL = struct.Struct("=q7d2q").pack_into


class Desk:
    """Implements `ports.Desk` over the simulated venue's `state`. journal: is handed every record.

    What has come of it so far: `events`, `fills`, `verdicts` (structured arrays), `latches` (LATCH rows: breakers that
    have tripped), `equity` (float64, currency, one value a row).
    """

    def __init__(
        self,
        state: State,
        timeline: Timeline,
        instruments: Sequence[Instrument],
        currency: str,
        journal: Journal | None,
    ) -> None:
        self.state, self.timeline = state, timeline
        self.instruments, self.currency, self.journal = list(instruments), currency, journal
        self.symbols = [instrument.name for instrument in instruments]
        self.latches = np.zeros(0, LATCH)
        self._handle = state.handle
        self._signal = state.signal.view(np.uint8).data
        self._index = {symbol: i for i, symbol in enumerate(self.symbols)}
        self._steps = [steps_of(row) for row in state.instruments]
        self._row = -1  # the last one that was handed to the strategy
        self._wake = 0  # the next one on which something may happen at the venue
        self._positions: dict[tuple[int, int], Position] = {}
        self._seen_fills = 0  # of those in the buffer, how many the strategy knows
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    # -- what a strategy asks -----------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """When the last bar was handed to the strategy, µs UTC; before the first bar, its open."""
        return int(time_at(self._handle, self._row))

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
        """See `ports.Desk.submit`. Raises StrategyError for what cannot be an order: a price that is no number …"""
        index = self._index.get(symbol, -1)
        if index < 0:
            index = self.index_of(symbol)
        way, kind = _SIDES.get(side, 0), _TYPES.get(type, -1)
        if way == 0 or kind < 0:
            raise self._refuse(symbol, f"side {side!r} and type {type!r} are no order's")
        if parent and kind == _MARKET:
            raise self._refuse(symbol, "an order with a parent may not be at market: it would wait for nothing")
        _, _, lot_num, lot_den = self._steps[index]
        lots = quantity * lot_den / lot_num * FORGIVEN + 1e-6
        if not 0.0 <= lots < 9e18:
            raise self._refuse(symbol, f"quantity {quantity} is not a number ≥ 0")
        ticks = 0
        if kind in (_LIMIT, _STOP):
            # A limit is rounded away from the market, a trigger too: never better for us than was asked.
            ticks = self._ticks(index, price, -way if kind == _LIMIT else way)
        row, reduces = self._row, 1 if reduce_only else 0
        guard = self._ticks(index, protect, -way) if protect else 0
        if terms is None and kind <= _STOP:
            handle, whole = self._handle, int(lots)
            while (order := submit(handle, row, index, way, kind, whole, ticks, reduces, parent, tag, guard)) == FLUSH:
                self._make_room()
        else:
            instrument, steps = self.instruments[index], self._steps[index]
            said = fields_of(terms or NO_TERMS, type, way, price, instrument, steps, self.now_us)
            if terms is not None and terms.close_position and lots >= 1:
                raise self._refuse(symbol, "a close-position order takes what is held: give it the quantity 0")
            said |= {"reduce_only": reduces | said["closes"], "parent": parent, "tag": tag, "protect": guard}
            while (free := draft(self._handle, index, way, kind, int(lots))) == FLUSH:
                self._make_room()
            for name, value in said.items():
                self.state.orders[name][free] = value
            order = send(self._handle, free, row)
        if order and not parent:
            self._wake = row + 1
        return order

    def follow(self, symbol: str, signal: Signal) -> int:
        """See `ports.Desk.follow`. Raises StrategyError for a signal that cannot be acted on."""
        index, state = self.index_of(symbol), self.state
        _PACK_SIGNAL(self._signal, 0, *signal)
        while True:
            done = follow(self._handle, self._row, index)
            if done != FLUSH:
                break
            self._make_room()
        if done != IDLE:
            if done < 0:
                raise fault(done, symbol, self.now_us, float(self.timeline.prices[CLOSE][self._row]), signal)
            self._positions.clear()
            if state.positions[index]["wake"]:
                self._wake = self._row + 1
        return int(state.following[index]["expiry"])

    def cancel(self, order_id: int) -> bool:
        """See `ports.Desk.cancel`."""
        return self._cancel(order_id, Reason.BY_STRATEGY, Event.CANCEL)

    def amend(
        self, order_id: int, *, quantity: float = 0.0, price: float = 0.0, trigger: float = 0.0, trail: float = 0.0
    ) -> bool:
        """See `ports.Desk.amend`."""
        found = next((order for order in self._orders() if order["id"] == order_id), None)
        if found is None:
            return False
        index, side = int(found["symbol"]), int(found["side"])
        lots = self._steps[index].lots(quantity)
        limit = self._ticks(index, price, -side) if price else 0
        wake = self._ticks(index, trigger, side) if trigger else 0
        distance = self._ticks(index, trail, 1) if trail else 0
        if found["trail_rate"]:
            distance = round(trail * RATE_SCALE / 100)
        return self._change(order_id, (lots, limit, wake, distance))

    def _change(self, order_id: int, changes: tuple[int, int, int, int]) -> bool:
        """Let a working order be changed: its lots, limit, trigger and trail, 0 for what stays."""
        while (done := amend(self._handle, order_id, self._row, *changes)) == FLUSH:
            self._flush()
        if done:
            self._wake = self._row + 1
            self._positions.clear()
        return bool(done)

    def _ticks(self, index: int, price: float, worse: int) -> int:
        """`price` in ticks, between two the one that is worse for `worse`. Raises StrategyError if it is no price."""
        if not 0.0 < price < 1e15:
            raise self._refuse(self.symbols[index], f"price {price} is not a number > 0")
        return self._steps[index].ticks(price, worse)

    def working(self, symbol: str) -> list[Order]:
        """See `ports.Desk.working`."""
        index, orders = self.index_of(symbol), self._orders()
        if not len(orders):
            return []
        steps = self._steps[index]
        return [
            Order(
                id=int(order["id"]),
                symbol=symbol,
                side=int(order["side"]),
                type=int(order["type"]),
                status=int(order["status"]),
                lots=int(order["lots"]),
                filled=int(order["filled"]),
                price_ticks=int(order["price"] or order["trigger"]),
                quantity=steps.quantity(int(order["lots"])),
                price=steps.price(int(order["price"] or order["trigger"])),
                trigger=steps.price(int(order["trigger"])),
                reduce_only=bool(order["reduce_only"]),
                parent=int(order["parent"]),
                tag=int(order["tag"]),
            )
            for order in orders
            if order["symbol"] == index
        ]

    def _orders(self) -> np.ndarray:
        """The ORDER rows that work, as far as the strategy knows."""
        return self.state.orders[: self.state.counters[_ORDERS]]

    def position(self, symbol: str, side: int = 0) -> Position:
        """See `ports.Desk.position`. The same object until a fill or an order changes it."""
        key = (self.index_of(symbol), side)
        found = self._positions.get(key)
        if found is None:
            found = self._positions[key] = Position(*position_of(self._handle, *key))
        return found

    def account_equity(self) -> float:
        """Equity at the last bar, in the account's currency."""
        settle(self._handle, self._row + 1)
        return float(self.state.account[0]["equity"] / self.state.scale)

    def account(self) -> Account:
        """See `ports.Desk.account`."""
        equity = self.account_equity()
        money, scale = self.state.account[0], self.state.scale
        amounts = {name: float(money[name]) / scale for name in ("cash", "realised", "fees", "funding", "carry")}
        return Account(currency=self.currency, equity=equity, **amounts)

    def index_of(self, symbol: str) -> int:
        """Index of `symbol`. Raises StrategyError with the closest name."""
        try:
            return self._index[symbol]
        except KeyError:
            raise no_symbol(symbol, self._index) from None

    # -- what came of it ----------------------------------------------------------------------------------------

    @property
    def events(self) -> np.ndarray:
        """All ORDER_EVENT rows so far."""
        return np.concatenate([np.zeros(0, ORDER_EVENT), *(events for events, _, _ in self._parts)])

    @property
    def fills(self) -> np.ndarray:
        """All FILL rows so far."""
        return np.concatenate([np.zeros(0, FILL), *(fills for _, fills, _ in self._parts)])

    @property
    def verdicts(self) -> np.ndarray:
        """All VERDICT rows so far: what the risk gate said of orders that were to open."""
        return np.concatenate([np.zeros(0, VERDICT), *(verdicts for _, _, verdicts in self._parts)])

    @property
    def equity(self) -> np.ndarray:
        """Equity after each row of the timeline, in the account's currency (a bar's row counts at its ts_event)."""
        return np.asarray(self.state.equity / self.state.scale)

    # -- inner matters ------------------------------------------------------------------------------------------

    def _cancel(self, order_id: int, reason: Reason, event: Event) -> bool:
        while True:
            done = cancel(self._handle, order_id, self._row, int(reason), int(event))
            if done != FLUSH:
                break
            self._make_room()
        if done:
            self._positions.clear()
        return bool(done)

    def _make_room(self) -> None:
        """Make sure that what is about to happen has room in the kernels' buffers."""
        self._flush()
        if self.state.counters[_ORDERS] + MOST_ORDERS > len(self.state.orders):
            self.state.grow_orders()
        self.state.make_room()

    def _flush(self) -> None:
        """Empty the kernels' buffers into the journal and our own record."""
        events, fills, verdicts = self.state.drain()
        self._seen_fills = 0
        if len(latches := self.state.take_latches()):
            self.latches = np.concatenate([self.latches, latches])
            if self.journal is not None:
                self.journal.rows("latch", latches)
        if len(events) or len(fills) or len(verdicts):  # a signal to be out of nothing is a verdict and no more
            self._parts.append((events, fills, verdicts))
            if self.journal is not None:
                self.journal.rows("verdict", verdicts)
                self.journal.rows("order", events)
                self.journal.rows("fill", fills)

    def _refuse(self, symbol: str, what: str) -> StrategyError:
        return refused(symbol, self.now_us, what)

    def _fill(self, fill: np.void) -> Fill:
        index = int(fill["symbol"])
        return read_fill(fill, self.symbols[index], self._steps[index], self.state.scale)


# Members as plain integers: by a table they come in a third of the time that `int` takes.
_SIDES, _TYPES = {side: int(side) for side in Side}, {kind: int(kind) for kind in OrderType}
_MARKET, _LIMIT, _STOP = int(OrderType.MARKET), int(OrderType.LIMIT), int(OrderType.STOP)
