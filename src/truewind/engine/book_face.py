"""The desk of a Python strategy in the order-book lane: `engine.book_desk` as an object."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable

import numpy as np

from truewind.domain.order import OrderType, TimeInForce, TriggerSource
from truewind.engine import book_desk
from truewind.execution.simulated.book_matching import equity_now
from truewind.execution.simulated.book_state import BookState
from truewind.portfolio.ledger import RATE_SCALE
from truewind.strategies.book import BookOrder, BookReport

_STOP, _STOP_LIMIT = OrderType.STOP, OrderType.STOP_LIMIT
_TAKE_PROFIT, _TAKE_PROFIT_LIMIT = OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT


class Desk:
    """Implements `strategies.book.BookDesk`."""

    def __init__(self, state: BookState, booked: Callable[[], Iterable[np.void]] = tuple) -> None:
        """booked: the FILL rows that were booked since it was last called."""
        self._state = state  # keeps alive what the handle points to
        self._handle = state.handle
        self._booked = booked
        self._fills: defaultdict[int, deque[np.void]] = defaultdict(deque)

    @property
    def now_us(self) -> int:
        return book_desk.now_us(self._handle)

    @property
    def best_bid(self) -> int:
        return book_desk.best_bid(self._handle)

    @property
    def best_ask(self) -> int:
        return book_desk.best_ask(self._handle)

    @property
    def position(self) -> int:
        return book_desk.position(self._handle)

    def held(self, side: int) -> int:
        return book_desk.side_held(self._handle, side)

    def displayed(self, side: int, ticks: int) -> int:
        return book_desk.displayed(self._handle, side, ticks)

    def next_level(self, side: int, ticks: int) -> int:
        """Ticks of the next displayed price that is worse than `ticks`, 0 if there is none; side: +1 bids, −1 asks."""
        return book_desk.next_level(self._handle, side, ticks)

    def rows(self) -> list[np.void]:
        """The BOOK_ORDER rows of `working`: live, not copies."""
        arrays = self._state.arrays
        known = arrays["working"][: book_desk.working(self._handle)]
        return [arrays["book_orders"][i] for i in known]

    def money(self) -> dict[str, float]:
        """The venue's account now, in ledger units: cash, equity, realised, fees, funding."""
        account = self._state.arrays["account"][0]
        sums = {name: float(account[name]) for name in ("cash", "realised", "fees", "funding")}
        return sums | {"equity": float(equity_now(self._handle))}

    def fill_of(self, report: BookReport) -> np.void:
        """The FILL row that a report of a fill tells of; each is to be asked for once, in their order."""
        for fill in self._booked():
            if fill["lots"] > 0:
                self._fills[int(fill["order"])].append(fill)
        return self._fills[report.order].popleft()

    def working(self) -> list[BookOrder]:
        return [book_desk.order_at(self._handle, j) for j in range(book_desk.working(self._handle))]

    def limit(
        self,
        side: int,
        ticks: int,
        lots: int,
        tif: TimeInForce = TimeInForce.GTC,
        *,
        post_only: bool = False,
        reduce_only: bool = False,
        shown: int = 0,
        expires_us: int = 0,
        parent: int = 0,
        group: int = 0,
        stop_loss: int = 0,
        take_profit: int = 0,
        tag: int = 0,
    ) -> int:
        book_desk.draft(self._handle, side, int(OrderType.LIMIT), ticks, 0, lots, tag)
        flags = book_desk.POST_ONLY * post_only + book_desk.REDUCE_ONLY * reduce_only
        book_desk.terms(self._handle, int(tif), flags, shown, expires_us)
        return self._send(parent, group, stop_loss, take_profit)

    def market(
        self,
        side: int,
        lots: int,
        tag: int = 0,
        *,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        stop_loss: int = 0,
        take_profit: int = 0,
    ) -> int:
        book_desk.draft(self._handle, side, int(OrderType.MARKET), 0, 0, lots, tag)
        book_desk.terms(self._handle, int(TimeInForce.IOC), book_desk.REDUCE_ONLY * reduce_only, 0, 0)
        return self._send(parent, group, stop_loss, take_profit)

    def stop(
        self,
        side: int,
        trigger: int,
        lots: int,
        ticks: int = 0,
        *,
        trigger_by: TriggerSource = TriggerSource.LAST,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        stop_loss: int = 0,
        take_profit: int = 0,
        tag: int = 0,
    ) -> int:
        kind = _STOP if ticks == 0 else _STOP_LIMIT
        book_desk.draft(self._handle, side, int(kind), ticks, trigger, lots, tag)
        self._conditional(trigger_by, reduce_only)
        return self._send(parent, group, stop_loss, take_profit)

    def take_profit(
        self,
        side: int,
        trigger: int,
        lots: int,
        ticks: int = 0,
        *,
        trigger_by: TriggerSource = TriggerSource.LAST,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        tag: int = 0,
    ) -> int:
        kind = _TAKE_PROFIT if ticks == 0 else _TAKE_PROFIT_LIMIT
        book_desk.draft(self._handle, side, int(kind), ticks, trigger, lots, tag)
        self._conditional(trigger_by, reduce_only)
        return self._send(parent, group, 0, 0)

    def trailing_stop(
        self,
        side: int,
        lots: int,
        *,
        trail: int = 0,
        trail_percent: float = 0.0,
        activation: int = 0,
        trigger_by: TriggerSource = TriggerSource.LAST,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        tag: int = 0,
    ) -> int:
        book_desk.draft(self._handle, side, int(OrderType.TRAILING_STOP), 0, 0, lots, tag)
        book_desk.trail(self._handle, trail, round(trail_percent * RATE_SCALE / 100), activation)
        self._conditional(trigger_by, reduce_only)
        return self._send(parent, group, 0, 0)

    def cancel(self, order_id: int) -> bool:
        return book_desk.cancel(self._handle, order_id)

    def amend(self, order_id: int, ticks: int = 0, lots: int = 0, *, trigger: int = 0, trail: int = 0) -> bool:
        return book_desk.amend(self._handle, order_id, ticks, lots, trigger, trail)

    def _conditional(self, trigger_by: TriggerSource, reduce_only: bool) -> None:
        book_desk.by(self._handle, int(trigger_by))
        book_desk.terms(self._handle, 0, book_desk.REDUCE_ONLY * reduce_only, 0, 0)

    def _send(self, parent: int, group: int, stop_loss: int, take_profit: int) -> int:
        book_desk.tie(self._handle, parent, group)
        order_id = book_desk.send(self._handle)
        if order_id and (stop_loss or take_profit):
            book_desk.protect(self._handle, order_id, stop_loss, take_profit)
        return order_id
