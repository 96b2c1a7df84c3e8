"""Spot's signed endpoints: /api/v3/order, cancelReplace, amend, openOrders, allOrders, myTrades, account, order lists …

Source: "Trading endpoints" and "Account Endpoints" of binance-spot-api-docs. Each handler takes the account and the
parameters, so that the WebSocket API answers by the same ones.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from truewind.exchange import forms, replies
from truewind.exchange.accounts import Account
from truewind.exchange.gate import Call
from truewind.exchange.orders import Order, money
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError
from truewind.exchange.signed_usdm import chosen
from truewind.exchange.spot_lists import SpotLists
from truewind.exchange.spot_orders import answer, cancelled, check_new, own_trade, place, read_order, shown
from truewind.exchange.spot_venue import SpotVenue
from truewind.exchange.venue import no_order, unknown_order
from truewind.portfolio.ledger import RATE_SCALE
from truewind.venues.binance.endpoints import LIMITS, SPOT

_DAY_MS = 86_400_000
Handler = Callable[[Account, Parameters], Any]


class SpotOrders:
    """Handlers of one venue."""

    def __init__(self, venue: SpotVenue) -> None:
        self.venue = venue
        self.lists = SpotLists(venue)

    def table(self) -> dict[tuple[str, str], Callable[[Call], Any]]:
        plain: dict[tuple[str, str], Handler] = {
            ("POST", "/order"): self.place,
            ("POST", "/order/test"): self.test,
            ("GET", "/order"): self.order,
            ("DELETE", "/order"): self.cancel,
            ("DELETE", "/openOrders"): self.cancel_all,
            ("GET", "/openOrders"): self.open_orders,
            ("POST", "/order/cancelReplace"): self.replace,
            ("PUT", "/order/amend/keepPriority"): self.amend,
            ("GET", "/allOrders"): self.all_orders,
            ("GET", "/myTrades"): self.trades,
            ("GET", "/account"): self.account,
            ("GET", "/account/commission"): self.commission,
            ("POST", "/orderList/oco"): self.lists.oco,
            ("POST", "/orderList/oto"): self.lists.oto,
            ("POST", "/orderList/otoco"): self.lists.otoco,
            ("DELETE", "/orderList"): self.lists.cancel,
            ("GET", "/orderList"): self.lists.one,
            ("GET", "/allOrderList"): self.lists.all_lists,
            ("GET", "/openOrderList"): self.lists.open_lists,
        }
        found: dict[tuple[str, str], Callable[[Call], Any]] = {
            (method, f"/api/v3{path}"): lambda call, act=act: act(call.account, call.parameters)  # type: ignore[misc]  # bound now
            for (method, path), act in plain.items()
        }
        found["GET", "/api/v3/rateLimit/order"] = lambda call: call.account.order_limits(
            SPOT, LIMITS[SPOT], call.told_us
        )
        return found

    # ── new orders ──────────────────────────────────────────────────────────────────────────────────────────────────

    def place(self, account: Account, given: Parameters) -> dict[str, Any]:
        order = read_order(self.venue, account, given)
        answer(self.venue, account, order, given)  # refuses what cannot be answered before it acts
        place(self.venue, account, order)
        return answer(self.venue, account, order, given)

    def test(self, account: Account, given: Parameters) -> dict[str, Any]:
        order = read_order(self.venue, account, given)
        check_new(self.venue, account, order)
        if not forms.flag(given, "computeCommissionRates"):
            return {}
        maker, taker = self._rates(account)
        return {
            "standardCommissionForOrder": {"maker": maker, "taker": taker},
            "specialCommissionForOrder": {"maker": money(0), "taker": money(0)},
            "taxCommissionForOrder": {"maker": money(0), "taker": money(0)},
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": True,
                "discountAsset": "BNB",
                "discount": "0.25000000",
            },
        }

    def replace(self, account: Account, given: Parameters) -> dict[str, Any]:
        """Cancel an order and send another. Where a part fails, the reply tells of both (−2021, −2022)."""
        mode = given.choice("cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        order = read_order(self.venue, account, given)
        old_name, number = given.text("cancelOrigClientOrderId"), given.whole("cancelOrderId")
        if old_name is None and number is None:
            raise replies.missing("cancelOrderId")
        cancel_result, cancel_reply = "SUCCESS", None
        try:
            old = self._find(account, order.symbol, number, old_name, unknown_order)
            cancel_reply = self._withdraw(account, old, given.text("cancelNewClientOrderId"))
        except RefusedError as refused:
            cancel_result, cancel_reply = "FAILURE", refused.error.as_dict()
        new_result, new_reply = "NOT_ATTEMPTED", None
        if cancel_result == "SUCCESS" or mode == "ALLOW_FAILURE":
            try:
                place(self.venue, account, order)
                new_result, new_reply = "SUCCESS", answer(self.venue, account, order, given)
            except RefusedError as refused:
                new_result, new_reply = "FAILURE", refused.error.as_dict()
        row = {
            "cancelResult": cancel_result,
            "newOrderResult": new_result,
            "cancelResponse": cancel_reply,
            "newOrderResponse": new_reply,
        }
        if cancel_result == new_result == "SUCCESS":
            return row
        partly = "SUCCESS" in (cancel_result, new_result)
        if partly:
            raise RefusedError(-2021, "Order cancel-replace partially failed.", 409, data=row)
        raise RefusedError(-2022, "Order cancel-replace failed.", data=row)

    def amend(self, account: Account, given: Parameters) -> dict[str, Any]:
        """Less quantity, in the same place of the queue."""
        order = self._asked(account, given, unknown_order)
        figures = self.venue.figures[order.symbol]
        quantity = forms.amount(given, "newQty", most_decimals=8)
        if quantity is None:
            raise replies.missing("newQty")
        lots = forms.lots_of(quantity, figures)
        if not order.is_open or not order.desk:
            raise unknown_order()
        if lots >= order.lots or lots <= order.filled:
            raise RefusedError(-2038, "The requested amend must reduce the order's quantity.")
        name, old = given.text("newClientOrderId"), order.client_id
        self.venue.amend(account, order, 0, lots)
        if name is not None and name != old:
            order.client_id = name
            account.spot_orders.add(order)
            self.venue.keep(account, "order", order)
        row = shown(order, figures)
        amended = {
            "symbol": order.symbol,
            "orderId": order.id,
            "orderListId": order.list_id,
            "origClientOrderId": old,
            "clientOrderId": order.client_id,
            "price": row["price"],
            "qty": row["origQty"],
            "executedQty": row["executedQty"],
            "preventedQty": figures.quantity(0),
            "quoteOrderQty": row["origQuoteOrderQty"],
            "cumulativeQuoteQty": row["cummulativeQuoteQty"],
            "status": order.status,
            "timeInForce": order.tif,
            "type": order.type,
            "side": row["side"],
            "workingTime": row["workingTime"],
            "selfTradePreventionMode": order.self_trade,
        }
        return {
            "transactTime": order.updated,
            "executionId": self.venue.ids.next("execution"),
            "amendedOrder": amended,
        }

    # ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def cancel(self, account: Account, given: Parameters) -> dict[str, Any]:
        order = self._asked(account, given, unknown_order)
        if given.text("cancelRestrictions") is not None:
            wanted = given.choice("cancelRestrictions", ("ONLY_NEW", "ONLY_PARTIALLY_FILLED"))
            if order.is_open and order.status != wanted.removeprefix("ONLY_"):
                raise RefusedError(-2011, "Order was not canceled due to cancel restrictions.")
        return self._withdraw(account, order, given.text("newClientOrderId"))

    def _withdraw(self, account: Account, order: Order, name: str | None) -> dict[str, Any]:
        if not order.is_open:
            raise unknown_order()
        order.cancel_id = name or forms.made_up_id()
        if order.list_id >= 0:
            group = account.spot_orders.lists[order.list_id]
            self.venue.withdraw_list(account, group)
            return self.lists.cancelled(account, group)
        self.venue.withdraw(account, order)
        return cancelled(order, self.venue.figures[order.symbol])

    def cancel_all(self, account: Account, given: Parameters) -> list[Any]:
        symbol = given.need("symbol")
        self.venue.instrument(symbol)
        found = account.spot_orders.of(symbol)  # what is not open any more went with the list that it was in
        rows = [self._withdraw(account, order, None) for order in found if order.is_open]
        if not rows:
            raise unknown_order()
        return rows

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def order(self, account: Account, given: Parameters) -> dict[str, Any]:
        order = self._asked(account, given, no_order)
        return shown(order, self.venue.figures[order.symbol])

    def open_orders(self, account: Account, given: Parameters) -> list[Any]:
        symbol = given.text("symbol")
        if symbol is not None:
            self.venue.instrument(symbol)
        return [shown(order, self.venue.figures[order.symbol]) for order in account.spot_orders.of(symbol)]

    def all_orders(self, account: Account, given: Parameters) -> list[Any]:
        symbol = given.need("symbol")
        self.venue.instrument(symbol)
        _within_a_day(given)
        rows = chosen(account.spot_orders, symbol, given, "orderId", 500)
        return [shown(order, self.venue.figures[symbol]) for order in rows]

    def trades(self, account: Account, given: Parameters) -> list[Any]:
        symbol = given.need("symbol")
        self.venue.instrument(symbol)
        _within_a_day(given)
        first, last, least = given.whole("startTime"), given.whole("endTime"), given.whole("fromId")
        of, limit = given.whole("orderId"), given.limit(500, 1000)
        rows = [
            trade
            for trade in account.spot_orders.trades
            if trade.symbol == symbol
            and (of is None or trade.order == of)
            and (least is None or trade.id >= least)
            and (first or 0) <= trade.time <= (last if last is not None else trade.time)
        ]
        kept = rows[:limit] if least is not None or first is not None else rows[-limit:]
        return [own_trade(trade, self.venue.figures[symbol]) for trade in kept]

    def account(self, account: Account, given: Parameters) -> dict[str, Any]:
        wallet, quiet = account.wallet, forms.flag(given, "omitZeroBalances")
        maker, taker = self._rates(account)
        assets = sorted(
            {name for i in self.venue.instruments.values() for name in (i.base, i.quote)} | set(wallet.assets())
        )
        rows = [(name, wallet.free.get(name, 0), wallet.locked.get(name, 0)) for name in assets]
        return {
            "makerCommission": int(Decimal(maker) * 10_000),
            "takerCommission": int(Decimal(taker) * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": maker, "taker": taker, "buyer": money(0), "seller": money(0)},
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": account.updated_ms,
            "accountType": "SPOT",
            "balances": [
                {"asset": name, "free": money(free), "locked": money(locked)}
                for name, free, locked in rows
                if free or locked or not quiet
            ],
            "permissions": ["SPOT"],
            "uid": account.number + 1,
        }

    def commission(self, account: Account, given: Parameters) -> dict[str, Any]:
        symbol = given.need("symbol")
        self.venue.instrument(symbol)
        maker, taker = self._rates(account)
        nothing = {"maker": money(0), "taker": money(0), "buyer": money(0), "seller": money(0)}
        return {
            "symbol": symbol,
            "standardCommission": {"maker": maker, "taker": taker, "buyer": money(0), "seller": money(0)},
            "specialCommission": nothing,
            "taxCommission": nothing,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": True,
                "discountAsset": "BNB",
                "discount": "0.75000000",
            },
        }

    def _rates(self, account: Account) -> tuple[str, str]:
        maker, taker = self.venue.rates(account)
        return f"{Decimal(maker) / RATE_SCALE:.8f}", f"{Decimal(taker) / RATE_SCALE:.8f}"

    # ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _asked(self, account: Account, given: Parameters, lacking: Callable[[], RefusedError]) -> Order:
        symbol = given.need("symbol")
        self.venue.instrument(symbol)
        number, name = given.whole("orderId"), given.text("origClientOrderId")
        if number is None and name is None:
            raise replies.missing("orderId")
        return self._find(account, symbol, number, name, lacking)

    def _find(
        self, account: Account, symbol: str, number: int | None, name: str | None, lacking: Callable[[], RefusedError]
    ) -> Order:  # fmt: skip
        orders = account.spot_orders
        order = orders.all.get(number) if number is not None else orders.by_client(symbol, name or "")
        if order is None or order.symbol != symbol:
            raise lacking()
        return order


def _within_a_day(given: Parameters) -> None:
    """Raises RefusedError (−1127)."""
    first, last = given.whole("startTime"), given.whole("endTime")
    if first is not None and last is not None and last - first > _DAY_MS:
        raise replies.too_long(24)
