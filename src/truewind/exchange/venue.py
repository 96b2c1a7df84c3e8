"""The venue of one market: every account's orders on the exchange's market, and what becomes of them.

What is the same on spot and USD-M stands here: orders come to a `Desk` of the account and symbol, what happens there
becomes the order's state, and is told. Money and messages are the markets' own (`spot_venue`, `usdm_venue`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from truewind.domain.book import Report
from truewind.domain.instrument import Instrument
from truewind.domain.order import Reason
from truewind.exchange import replies
from truewind.exchange.accounts import Account
from truewind.exchange.matching import Desk, Happening, Ticket
from truewind.exchange.orders import Figures, Order, Orders, Trade
from truewind.exchange.replies import RefusedError
from truewind.venues.binance.errors import refusal

_FILLED = (Report.FILLED, Report.PARTIALLY_FILLED)
_ENDED = {Report.CANCELLED: "CANCELED", Report.EXPIRED: "EXPIRED"}
_BY_VENUE = (Reason.SIBLING_FILLED, Reason.NOTHING_TO_REDUCE, Reason.EXITED)


class Keeper(Protocol):
    """What must survive the exchange is handed to one of these as it changes (`vault`)."""

    def keep(self, market: str, account: Account, kind: str, value: Any) -> None: ...


class Ids:
    """Ids that were never given before."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def next(self, what: str) -> int:
        self._last[what] = self._last.get(what, 0) + 1
        return self._last[what]

    def seen(self, what: str, number: int) -> None:
        self._last[what] = max(self._last.get(what, 0), number)


class Venue:
    """Base of both markets' venues.

    instruments: by symbol. seed: a symbol's book now, as BOOK_EVENT rows that begin with CLEAR. now_us: the market's
    time. tell: takes (account, event) for the account's user data stream.
    """

    market = ""

    def __init__(
        self,
        accounts: Iterable[Account],
        instruments: Mapping[str, Instrument],
        seed: Callable[[str], np.ndarray],
        now_us: Callable[[], int],
        tell: Callable[[Account, dict[str, Any]], None],
        keeper: Keeper | None = None,
    ) -> None:
        self.accounts = list(accounts)
        self.instruments = instruments
        self.figures = {symbol: Figures(i, spot=self.market == "spot") for symbol, i in instruments.items()}
        self.ids = Ids()
        self.now_us = now_us
        self.tell = tell
        self._seed = seed
        self._keeper = keeper
        self.desks: dict[str, dict[int, Desk]] = {}

    # ── what the markets do in their own way ────────────────────────────────────────────────────────────────────────

    def orders(self, account: Account) -> Orders:
        raise NotImplementedError

    def open_desk(self, account: Account, symbol: str) -> Desk:
        """A desk without orders, with what the account holds of the symbol."""
        raise NotImplementedError

    def ready(self, account: Account, symbol: str, desk: Desk) -> None:
        """Called before anything may happen at a desk."""

    def waits(self, order: Order) -> bool:
        """Whether an order that is taken waits for a trigger first."""
        return False

    def ready_to_order(self, account: Account, symbol: str, desk: Desk) -> None:
        """Called before an order comes to a desk, or asks for more."""

    def changed(self, account: Account, order: Order, what: str, reason: Reason, trade: Trade | None = None) -> None:
        """An order has changed; what: the venue's execution type."""
        raise NotImplementedError

    def executed(self, account: Account, order: Order, happening: Happening) -> Trade:
        """Move the money of a fill."""
        raise NotImplementedError

    def triggered(self, account: Account, order: Order, happening: Happening) -> None:
        """An order's trigger was reached."""

    def beside(self, account: Account, symbol: str, happening: Happening) -> None:
        """Something happened to the account that is of no order: liquidation, funding."""

    # ── the market happens ──────────────────────────────────────────────────────────────────────────────────────────

    def on_events(self, symbol: str, events: np.ndarray) -> None:
        """BOOK_EVENT rows of a symbol, in the order in which they happened."""
        for number, desk in list(self.desks.get(symbol, {}).items()):
            account = self.accounts[number]
            self.ready(account, symbol, desk)
            for happening in desk.feed(events):
                self.happened(account, symbol, happening)

    def pass_time(self, ts: int) -> None:
        """Orders whose time is up end, whether the market moves or not."""
        for symbol, desks in self.desks.items():
            for number, desk in list(desks.items()):
                if desk.has_due(ts):
                    self.ready(self.accounts[number], symbol, desk)
                    for happening in desk.until(ts):
                        self.happened(self.accounts[number], symbol, happening)

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def desk(self, account: Account, symbol: str) -> Desk:
        desks = self.desks.setdefault(symbol, {})
        if account.number not in desks:
            book = self._seed(symbol)  # first of all, for it brings the mark price too
            desk = self.open_desk(account, symbol)
            for _ in desk.feed(book):
                pass
            desks[account.number] = desk
        desk = desks[account.number]
        self.ready(account, symbol, desk)
        return desk

    def instrument(self, symbol: str) -> Instrument:
        """Raises RefusedError (−1121)."""
        found = self.instruments.get(symbol)
        if found is None:
            raise replies.bad_symbol()
        return found

    def send(self, account: Account, order: Order, ticket: Ticket) -> None:
        """Let an order come to the market. Raises RefusedError, and nothing has happened, if it is not taken."""
        desk, orders = self.desk(account, order.symbol), self.orders(account)
        self.ready_to_order(account, order.symbol, desk)
        order.desk, happenings = desk.place(ticket, self.now_us())
        refused = next((h for h in happenings if h.order == order.desk and h.kind is Report.REJECTED), None)
        if order.desk and refused is None:
            orders.add(order)
        elif not order.desk:
            raise RefusedError(-1015, "Too many new orders; the book of this account is full.")
        for happening in happenings:
            if happening is not refused:
                self.happened(account, order.symbol, happening)
        if refused is not None:
            raise self.refused(Reason(refused.reason), order.symbol)

    def bring_back(self, account: Account, order: Order, ticket: Ticket, orders: Orders) -> None:
        """Let an order of an exchange that has ended come again. What the market does not take any more expires."""
        desk = self.desk(account, order.symbol)
        order.desk, happenings = desk.place(ticket, self.now_us())
        orders.file(order)
        for happening in happenings:
            if happening.order != order.desk or happening.kind is not Report.ACCEPTED:
                self.happened(account, order.symbol, happening)

    def refused(self, reason: Reason, symbol: str) -> RefusedError:
        """The venue's words for a Reason."""
        found = refusal(reason, self.instruments[symbol])
        if found is None:
            return RefusedError(-2010, "Order was rejected.")
        return RefusedError(*found)

    def withdraw(self, account: Account, order: Order) -> None:
        """Cancel an order that is open. Raises RefusedError (−2011) if there is none any more."""
        if not order.is_open:
            raise unknown_order()
        if order.desk:
            desk = self.desk(account, order.symbol)
            for happening in desk.cancel(order.desk, self.now_us()):
                self.happened(account, order.symbol, happening)
        else:
            self.end(account, order, "CANCELED", Reason.BY_STRATEGY)

    def amend(self, account: Account, order: Order, ticks: int, lots: int) -> None:
        """Give an order another price or quantity, 0 for as it is. Raises RefusedError."""
        desk, refused = self.desk(account, order.symbol), None
        self.ready_to_order(account, order.symbol, desk)
        for happening in desk.amend(order.desk, ticks, lots, self.now_us()):
            if happening.kind is Report.AMEND_REJECTED and happening.order == order.desk:
                refused = happening
            else:
                self.happened(account, order.symbol, happening)
        if refused is not None:
            raise self.refused(Reason(refused.reason), order.symbol)

    def happened(self, account: Account, symbol: str, happening: Happening) -> None:
        """Make what happened at a desk the order's state, move its money, and tell of it."""
        order = self.orders(account).at_desk(symbol, happening.order) if happening.order else None
        kind, reason = happening.kind, Reason(happening.reason)
        if order is None:
            if happening.order == 0 or happening.kind is None:
                self.beside(account, symbol, happening)
            return
        order.updated = happening.ts // 1000
        if kind is Report.ACCEPTED:
            order.working = 0 if self.waits(order) else order.updated
            self.changed(account, order, "NEW", reason)
        elif kind in _FILLED:
            order.filled = happening.filled
            order.quote += happening.ticks * happening.lots
            order.status = "FILLED" if kind is Report.FILLED else "PARTIALLY_FILLED"
            trade = self.executed(account, order, happening)
            self.orders(account).trades.append(trade)
            self.keep(account, "trade", trade)
            self.changed(account, order, "TRADE", reason, trade)
            if kind is Report.FILLED:
                self._gone(account, order)
        elif kind is Report.TRIGGERED:
            self.triggered(account, order, happening)
        elif kind is Report.AMENDED:
            order.ticks, order.lots = happening.ticks, happening.lots
            self.changed(account, order, "AMENDMENT", reason)
        elif kind in _ENDED:
            by_venue = reason in _BY_VENUE or kind is Report.EXPIRED
            self.end(account, order, "EXPIRED" if by_venue else _ENDED[kind], reason)
        elif kind is Report.REJECTED:  # it was taken, and refused when it was triggered
            self.end(account, order, "EXPIRED", reason)

    def end(self, account: Account, order: Order, status: str, reason: Reason) -> None:
        """An order ends with something left."""
        order.status = "EXPIRED_IN_MATCH" if reason is Reason.SELF_TRADE else status
        what = "TRADE_PREVENTION" if reason is Reason.SELF_TRADE and self.market == "spot" else status
        order.updated = self.now_us() // 1000
        self.changed(account, order, what, reason)
        self._gone(account, order)

    def _gone(self, account: Account, order: Order) -> None:
        orders = self.orders(account)
        orders.leave_desk(order)
        orders.file(order)

    def keep(self, account: Account, kind: str, value: Any) -> None:
        """Remember a change beyond the life of this exchange, if it is to remember."""
        if self._keeper is not None:
            self._keeper.keep(self.market, account, kind, value)


def unknown_order() -> RefusedError:
    return RefusedError(-2011, "Unknown order sent.")


def no_order() -> RefusedError:
    return RefusedError(-2013, "Order does not exist.")
