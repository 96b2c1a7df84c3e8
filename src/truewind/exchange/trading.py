"""The signed side of the local exchange: accounts put upon its markets.

It listens to the markets and lets every desk see what happens, answers the signed endpoints, and tells user data
streams. A request sees all that has happened until its time; what it changes is remembered before it is answered.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.domain.instrument import Instrument
from truewind.exchange.accounts import Account, Register
from truewind.exchange.events import Depth, Event, Funded, Marked, Traded
from truewind.exchange.gate import Call
from truewind.exchange.listen_keys import ListenKeys
from truewind.exchange.matching import snapshot
from truewind.exchange.orders import Orders
from truewind.exchange.replies import RefusedError
from truewind.exchange.signed_spot import SpotOrders
from truewind.exchange.signed_usdm import UsdmOrders
from truewind.exchange.signed_usdm_account import UsdmAccounts
from truewind.exchange.socket_api import SocketApi
from truewind.exchange.spot_venue import SpotVenue
from truewind.exchange.tickets import spot_ticket, usdm_ticket
from truewind.exchange.usdm_venue import UsdmVenue
from truewind.exchange.vault import Vault
from truewind.exchange.venue import Venue
from truewind.venues.binance.endpoints import LIMITS, SPOT, USDM

if TYPE_CHECKING:
    from truewind.exchange.server import LocalExchange

_Market = tuple[dict[str, Instrument], Callable[[str], np.ndarray], Callable[[], int]]
_MOST_WAITING = 2048  # events before desks see them
_LEVEL, _CLEAR, _TRADE = int(BookKind.LEVEL), int(BookKind.CLEAR), int(BookKind.TRADE)


class Trading:
    """All accounts of an exchange."""

    def __init__(self, exchange: "LocalExchange") -> None:
        self.exchange = exchange
        config = exchange.config
        self.register = Register(list(config.accounts), config.speed)
        self.vault = Vault(config.vault) if config.vault is not None else None
        self.socket_api = SocketApi(self)
        self.listen_keys = ListenKeys(lambda name, message: exchange.hubs[USDM].publish(name, message))
        self.spot = SpotVenue(
            self.register.accounts, *self._market(SPOT), lambda a, e: self.socket_api.tell(a, e), self.vault
        )
        self.usdm = UsdmVenue(
            self.register.accounts,
            *self._market(USDM),
            lambda account, event: self.listen_keys.tell(account, event),
            self.vault,
        )
        self.venues: dict[str, Venue] = {SPOT: self.spot, USDM: self.usdm}
        self._rows: dict[tuple[str, str], list[np.ndarray]] = {}
        self._watched: set[tuple[str, str]] = set()
        for name, market in exchange.markets.items():
            market.listen(partial(self._happens, name))
        self._put_up(SPOT, SpotOrders(self.spot).table())
        for table in (UsdmOrders(self.usdm), UsdmAccounts(self.usdm), self.listen_keys):
            self._put_up(USDM, table.table())
        for method in ("POST", "PUT", "DELETE"):
            exchange.handle(SPOT, method, "/api/v3/userDataStream", _gone)
        exchange.authorise = self.authorise
        exchange.hubs[USDM].private = self.listen_keys.knows
        exchange.web_socket_api = self.socket_api.serve
        if self.vault is not None:
            self._restore(self.vault)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────

    def authorise(self, call: Call) -> Account:
        """Whose request it is. Raises RefusedError if it is nobody's, not signed, or one too many."""
        account = self.register.of_key(call.key)
        self.flush()
        if call.endpoint.security.needs_signature:
            self.register.check(account, call.query, call.body, call.parameters.values, call.told_us)
            for name in ("signature", "timestamp", "recvWindow"):
                call.parameters.read.add(name)
        call.account = account
        self.count_orders(call)
        return account

    def count_orders(self, call: Call) -> None:
        """Raises RefusedError (−1015)."""
        if call.endpoint.orders:
            account: Account = call.account
            call.replies |= account.count_orders(
                call.market,
                LIMITS[call.market],
                call.endpoint.orders,
                self.exchange.clock.wall_us(),
                enforced=self.exchange.config.limits,
            )

    def _put_up(self, market: str, table: Mapping[tuple[str, str], Callable[[Call], Any]]) -> None:
        for (method, path), handler in table.items():
            self.exchange.handle(market, method, path, partial(self._handle, handler))

    def _handle(self, handler: Callable[[Call], Any], call: Call) -> Any:
        try:
            return handler(call)
        finally:
            if self.vault is not None:
                self.vault.flush()

    # ── the market ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _market(self, name: str) -> _Market:
        market = self.exchange.markets[name]
        instruments = {symbol: tape.about for symbol, tape in market.tapes.items()}
        return instruments, lambda symbol: self._seed(name, symbol), lambda: market.now_us

    def _seed(self, name: str, symbol: str) -> np.ndarray:
        """The book now, for a desk that is opened; from here on the symbol's events are listened to."""
        market = self.exchange.markets[name]
        self.flush()
        if (name, symbol) not in self._watched:
            self._watched.add((name, symbol))
            market.watch(symbol)
            if name == USDM and (marked := market.mark(symbol)) is not None:
                self.usdm.on_mark(symbol, marked.mark, marked.index, market.now_us)
        book = market.book(symbol)
        sides = [np.array(levels, np.int64).reshape(-1, 2).T for levels in (book.bids, book.asks)]
        return snapshot(sides[0], sides[1], market.now_us)

    def _happens(self, name: str, event: Event) -> None:
        if (name, event.symbol) not in self._watched:
            return
        if isinstance(event, Traded | Depth):
            rows = self._rows.setdefault((name, event.symbol), [])
            rows.append(_rows(event))
            if len(rows) >= _MOST_WAITING:
                self.flush()
        elif isinstance(event, Marked):
            self.flush()
            self.usdm.on_mark(event.symbol, event.mark, event.index, event.ts_us)
        elif isinstance(event, Funded):
            self.flush()
            self.usdm.on_funding(event.symbol, event.mark, event.rate, event.ts_us)

    def flush(self) -> None:
        """Let all desks see what has happened until now."""
        if self._rows:
            waiting, self._rows = self._rows, {}
            for (name, symbol), rows in waiting.items():
                self.venues[name].on_events(symbol, np.concatenate(rows))

    def keep(self) -> None:
        """Called as time passes: what is due happens, keys expire, changes are remembered."""
        self.flush()
        for name, venue in self.venues.items():
            venue.pass_time(self.exchange.markets[name].now_us)
        self.listen_keys.expire(self.exchange.clock.told_us() // 1000)
        if self.vault is not None:
            self.vault.flush()

    def close(self) -> None:
        if self.vault is not None:
            self.vault.close()

    # ── remembering ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _restore(self, vault: Vault) -> None:
        """Accounts as they were left; open orders come back to the market, at the end of their queues."""
        for account in self.register.accounts:
            account.wallet = next(iter(vault.restore(account, SPOT, "wallet")), account.wallet)
            account.futures = next(iter(vault.restore(account, USDM, "futures")), account.futures)
            account.held = {held.symbol: held for held in vault.restore(account, USDM, "position")}
            account.income = vault.restore(account, USDM, "income")
            for group in vault.restore(account, SPOT, "list"):
                account.spot_orders.lists[group.id] = group
                self.spot.ids.seen("list", group.id)
            for income in account.income:
                self.usdm.ids.seen("transfer", income.id)
            kinds = (
                (self.spot, account.spot_orders, "order"),
                (self.usdm, account.usdm_orders, "order"),
                (self.usdm, account.algos, "algo"),
            )
            for venue, orders, kind in kinds:
                self._restore_orders(vault, account, venue, orders, kind)

    def _restore_orders(self, vault: Vault, account: Account, venue: Venue, orders: Orders, kind: str) -> None:
        for trade in vault.restore(account, venue.market, "trade") if kind == "order" else []:
            orders.trades.append(trade)
            venue.ids.seen("trade", trade.id)
        found = vault.restore(account, venue.market, kind)
        for order in found:
            order.desk = 0
            venue.ids.seen(kind, order.id)
            orders.add(order)
        for symbol in list(account.held):
            if venue is self.usdm and symbol in venue.instruments:
                venue.desk(account, symbol)
        for order in found:
            if order.is_open and order.status != "PENDING_NEW" and order.symbol in venue.instruments:
                ticket = spot_ticket(order) if venue is self.spot else usdm_ticket(order)
                venue.bring_back(account, order, ticket, orders)


def _gone(call: Call) -> Any:
    """Spot's listen keys have been no more since February 2026."""
    raise RefusedError(-1020, "This operation is not supported.", 410)


def _rows(event: Traded | Depth) -> np.ndarray:
    """An event of the exchange as BOOK_EVENT rows."""
    if isinstance(event, Traded):
        rows = np.zeros(1, BOOK_EVENT)
        rows[0] = (event.ts_us, event.ts_us, event.lots, event.ticks, _TRADE, event.side, 1)
        return rows
    levels = [(*level, 1) for level in event.bids] + [(*level, -1) for level in event.asks]
    rows = np.zeros(len(levels) + event.restarts, BOOK_EVENT)
    rows["ts_event"] = rows["ts_recv"] = event.ts_us
    if event.restarts:
        rows[0]["kind"], rows[0]["ticks"] = _CLEAR, 1
    if levels:
        table = np.array(levels, np.int64)
        part = rows[int(event.restarts) :]
        part["ticks"], part["lots"], part["side"], part["kind"] = *table.T, _LEVEL
    if len(rows):
        rows[-1]["last"] = 1
    return rows
