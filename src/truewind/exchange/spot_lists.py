"""Spot's order lists: one cancels the other, one triggers the other, one triggers two that cancel each other.

Source: "Order lists" of binance-spot-api-docs: of OCO's two orders one is a limit above or below the market, the other
has a trigger; of a sale the limit and targets lie above the last price, stops below it, of a purchase the other way.
"""

from typing import Any

from truewind.exchange import forms, replies
from truewind.exchange.accounts import Account
from truewind.exchange.orders import Order, OrderList
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError
from truewind.exchange.spot_orders import answer, cancelled, check_new, fill_in, start
from truewind.exchange.spot_venue import SpotVenue
from truewind.exchange.tickets import spot_ticket

_ABOVE = ("STOP_LOSS_LIMIT", "STOP_LOSS", "LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_WORKING = ("LIMIT", "LIMIT_MAKER")
_PENDING = ("LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER")


class SpotLists:
    """Handlers of one venue."""

    def __init__(self, venue: SpotVenue) -> None:
        self.venue = venue

    def oco(self, account: Account, given: Parameters) -> dict[str, Any]:
        symbol, lots = self._symbol(given), 0
        side = forms.side(given)
        pair = self._pair(account, given, symbol, side, "")
        quantity = forms.amount(given, "quantity", most_decimals=8)
        if quantity is None:
            raise replies.missing("quantity")
        lots = forms.lots_of(quantity, self.venue.figures[symbol])
        for order in pair:
            order.lots = lots
        self._check_prices(account, pair, side)
        needs = max(pair, key=self.venue.needs)
        for order in pair:
            check_new(self.venue, account, order) if order is needs else self._check_name(account, order)
        group = self._begin(account, given, "OCO", symbol, pair)
        self._send(account, group, pair)
        return self._told(account, group, pair, given)

    def oto(self, account: Account, given: Parameters) -> dict[str, Any]:
        symbol = self._symbol(given)
        working = self._leg(account, given, symbol, "working", _WORKING)
        pending = self._leg(account, given, symbol, "pending", _PENDING)
        return self._triggers(account, given, symbol, working, [pending])

    def otoco(self, account: Account, given: Parameters) -> dict[str, Any]:
        symbol = self._symbol(given)
        working = self._leg(account, given, symbol, "working", _WORKING)
        side = self._side(given, "pendingSide")
        pair = self._pair(account, given, symbol, side, "pending")
        lots = self._lots(given, symbol, "pendingQuantity")
        for order in pair:
            order.lots = lots
        return self._triggers(account, given, symbol, working, pair)

    def cancel(self, account: Account, given: Parameters) -> dict[str, Any]:
        group = self._asked(account, given, "Unknown order list sent.", -2011)
        self.venue.withdraw_list(account, group)
        return self.cancelled(account, group)

    def one(self, account: Account, given: Parameters) -> dict[str, Any]:
        return self._shown(account, self._asked(account, given, "Order list does not exist.", -2013))

    def all_lists(self, account: Account, given: Parameters) -> list[Any]:
        least, limit = given.whole("fromId"), given.limit(500, 1000)
        rows = [group for group in account.spot_orders.lists.values() if least is None or group.id >= least]
        return [self._shown(account, group) for group in (rows[:limit] if least is not None else rows[-limit:])]

    def open_lists(self, account: Account, given: Parameters) -> list[Any]:
        return [
            self._shown(account, group) for group in account.spot_orders.lists.values() if group.status != "ALL_DONE"
        ]

    def cancelled(self, account: Account, group: OrderList) -> dict[str, Any]:
        """A list as its cancellation is answered."""
        orders = [account.spot_orders.all[i] for i in group.orders]
        reports = [cancelled(order, self.venue.figures[order.symbol]) for order in orders]
        return {**self._shown(account, group), "orderReports": reports}

    # ── making ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _pair(self, account: Account, given: Parameters, symbol: str, side: int, prefix: str) -> list[Order]:
        """The two orders of an OCO, above and below the market."""
        pair = []
        for where in ("above", "below"):
            name = prefix + where.capitalize() if prefix else where
            kind = given.choice(f"{name}Type", _ABOVE)
            order = start(self.venue, symbol, side, kind, given)
            fill_in(self.venue, account, order, given, name)
            pair.append(order)
        if sum(order.type == "LIMIT_MAKER" for order in pair) == 2:
            raise RefusedError(-1167, "Both OCO orders cannot be LIMIT.")
        return pair

    def _check_prices(self, account: Account, pair: list[Order], side: int) -> None:
        above, below = ((order.ticks if order.type == "LIMIT_MAKER" else order.stop) for order in pair)
        last = self.venue.desk(account, pair[0].symbol).last or self._middle(account, pair[0].symbol)
        if not above > last > below:
            raise RefusedError(-2010, "The relationship of the prices for the orders is not correct.")

    def _middle(self, account: Account, symbol: str) -> float:
        bid, ask = self.venue.desk(account, symbol).best
        return ((bid or 0) + (ask or 0)) / 2

    def _leg(self, account: Account, given: Parameters, symbol: str, name: str, kinds: tuple[str, ...]) -> Order:
        kind = given.choice(f"{name}Type", kinds)
        order = start(self.venue, symbol, self._side(given, f"{name}Side"), kind, given)
        fill_in(self.venue, account, order, given, name)
        order.lots = self._lots(given, symbol, f"{name}Quantity")
        return order

    def _triggers(
        self, account: Account, given: Parameters, symbol: str, working: Order, pending: list[Order]
    ) -> dict[str, Any]:  # fmt: skip
        check_new(self.venue, account, working)
        for order in pending:
            self._check_name(account, order)
        group = self._begin(account, given, "OTO", symbol, [working, *pending])
        orders = account.spot_orders
        group.pending = [order.id for order in pending]
        for order in pending:
            order.status = "PENDING_NEW"
            orders.add(order)
            self.venue.keep(account, "order", order)
        self._send(account, group, [working])
        return self._told(account, group, [working, *pending], given)

    def _begin(
        self, account: Account, given: Parameters, kind: str, symbol: str, members: list[Order]
    ) -> OrderList:  # fmt: skip
        name = forms.client_id(given, "listClientOrderId")
        number = self.venue.ids.next("list")
        paired = members if kind == "OCO" else members[1:]
        for order in members:
            order.id, order.list_id = self.venue.ids.next("order"), number
            order.group = number if len(paired) == 2 and order in paired else 0
        now = self.venue.now_us() // 1000
        group = OrderList(
            id=number, kind=kind, client_id=name, symbol=symbol, time=now, orders=[order.id for order in members]
        )
        account.spot_orders.lists[number] = group
        return group

    def _send(self, account: Account, group: OrderList, members: list[Order]) -> None:
        """Let them come; if the venue refuses one, the list was never there."""
        orders = account.spot_orders
        orders.all.update({order.id: order for order in members})
        self.venue.tell_list(account, group)
        try:
            for order in members:
                self.venue.send(account, order, spot_ticket(order))
        except RefusedError:
            group.status, group.order_status = "ALL_DONE", "REJECT"
            self.venue.tell_list(account, group)
            self._undo(account, group)
            raise

    def _undo(self, account: Account, group: OrderList) -> None:
        """Take back what has come of a list that is refused; what never came is forgotten."""
        orders = account.spot_orders
        group.pending = []
        for order in [orders.all[i] for i in group.orders]:
            if order.desk or order.status == "PENDING_NEW":
                self.venue.withdraw(account, order)
            elif order.status == "NEW":
                orders.forget(order)
        group.orders = [i for i in group.orders if i in orders.all]
        if not group.orders:
            del orders.lists[group.id]

    def _check_name(self, account: Account, order: Order) -> None:
        known = account.spot_orders.by_client(order.symbol, order.client_id)
        if known is not None and known.is_open:
            raise RefusedError(-2010, "Duplicate order sent.")

    # ── telling and finding ─────────────────────────────────────────────────────────────────────────────────────────

    def _told(self, account: Account, group: OrderList, members: list[Order], given: Parameters) -> dict[str, Any]:
        reports = [answer(self.venue, account, order, given, "RESULT") for order in members]
        return {**self._shown(account, group), "orderReports": reports}

    def _shown(self, account: Account, group: OrderList) -> dict[str, Any]:
        known = account.spot_orders.all
        return {
            "orderListId": group.id,
            "contingencyType": group.kind,
            "listStatusType": group.status,
            "listOrderStatus": group.order_status,
            "listClientOrderId": group.client_id,
            "transactionTime": group.time,
            "symbol": group.symbol,
            "orders": [
                {"symbol": group.symbol, "orderId": i, "clientOrderId": known[i].client_id} for i in group.orders
            ],
        }

    def _asked(self, account: Account, given: Parameters, words: str, code: int) -> OrderList:
        number = given.whole("orderListId")
        name = given.text("listClientOrderId") or given.text("origClientOrderId")
        if number is None and name is None:
            raise replies.missing("orderListId")
        lists = account.spot_orders.lists
        found = lists.get(number) if number is not None else None
        if number is None:
            found = next((group for group in reversed(lists.values()) if group.client_id == name), None)
        if found is None:
            raise RefusedError(code, words)
        return found

    def _symbol(self, given: Parameters) -> str:
        symbol = given.need("symbol")
        self.venue.instrument(symbol)
        return symbol

    def _side(self, given: Parameters, name: str) -> int:
        return 1 if given.choice(name, ("BUY", "SELL")) == "BUY" else -1

    def _lots(self, given: Parameters, symbol: str, name: str) -> int:
        quantity = forms.amount(given, name, most_decimals=8)
        if quantity is None:
            raise replies.missing(name)
        return forms.lots_of(quantity, self.venue.figures[symbol])
