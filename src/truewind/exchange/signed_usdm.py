"""USD-M's signed endpoints of orders: /fapi/v1/order, batchOrders, openOrders, allOrders, userTrades, algoOrder …

Source: "Trade" and "Account" of USD-M futures. Accounts: `signed_usdm_account`.
"""

import json
from collections.abc import Callable
from typing import Any

from truewind.exchange import forms, replies
from truewind.exchange.accounts import Account
from truewind.exchange.gate import Call
from truewind.exchange.orders import Order, Orders
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError
from truewind.exchange.usdm_orders import answer, own_trade, read_algo, read_order, shown, shown_algo
from truewind.exchange.usdm_venue import UsdmVenue
from truewind.exchange.venue import no_order, unknown_order

_ALL_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}
_MOST_IN_BATCH = 5
_WEEK_MS = 7 * 86_400_000


class UsdmOrders:
    """Handlers of one venue."""

    def __init__(self, venue: UsdmVenue) -> None:
        self.venue = venue

    def table(self) -> dict[tuple[str, str], Callable[[Call], Any]]:
        return {
            ("POST", "/fapi/v1/order"): lambda call: self._place(call.account, call.parameters),
            ("POST", "/fapi/v1/order/test"): self.test,
            ("PUT", "/fapi/v1/order"): lambda call: self._amend(call.account, call.parameters),
            ("GET", "/fapi/v1/order"): self.order,
            ("DELETE", "/fapi/v1/order"): lambda call: self._cancel(call.account, call.parameters),
            ("POST", "/fapi/v1/batchOrders"): lambda call: self._batch(call, self._place),
            ("PUT", "/fapi/v1/batchOrders"): lambda call: self._batch(call, self._amend),
            ("DELETE", "/fapi/v1/batchOrders"): self.cancel_several,
            ("DELETE", "/fapi/v1/allOpenOrders"): self.cancel_all,
            ("POST", "/fapi/v1/countdownCancelAll"): self.count_down,
            ("GET", "/fapi/v1/openOrder"): self.open_order,
            ("GET", "/fapi/v1/openOrders"): self.open_orders,
            ("GET", "/fapi/v1/allOrders"): self.all_orders,
            ("GET", "/fapi/v1/userTrades"): self.trades,
            ("GET", "/fapi/v1/forceOrders"): self.force_orders,
            ("POST", "/fapi/v1/algoOrder"): self.place_algo,
            ("GET", "/fapi/v1/algoOrder"): self.algo,
            ("DELETE", "/fapi/v1/algoOrder"): self.cancel_algo,
            ("DELETE", "/fapi/v1/algoOpenOrders"): self.cancel_algos,
            ("GET", "/fapi/v1/openAlgoOrders"): self.open_algos,
            ("GET", "/fapi/v1/allAlgoOrders"): self.all_algos,
        }

    # ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, account: Account, parameters: Parameters) -> dict[str, Any]:
        order = read_order(self.venue, account, parameters)
        answer(order, self.venue.figures[order.symbol], parameters)  # refuses what cannot be answered before it acts
        self.venue.place(account, order)
        return answer(order, self.venue.figures[order.symbol], parameters)

    def test(self, call: Call) -> dict[str, Any]:
        order = read_order(self.venue, call.account, call.parameters)
        return answer(order, self.venue.figures[order.symbol], call.parameters)

    def _amend(self, account: Account, parameters: Parameters) -> dict[str, Any]:
        order = self._find(account, parameters)
        figures = self.venue.figures[order.symbol]
        side = forms.side(parameters)
        price, quantity = forms.amount(parameters, "price"), forms.amount(parameters, "quantity")
        if price is None or quantity is None:
            raise replies.missing("price" if price is None else "quantity")
        ticks, lots = forms.ticks_of(price, figures), forms.lots_of(quantity, figures)
        if not order.is_open or side != order.side or order.type != "LIMIT":
            raise unknown_order()
        if ticks == order.ticks and lots == order.lots:
            raise RefusedError(-5027, "No need to modify the order.")
        self.venue.amend(account, order, ticks, lots)
        return answer(order, figures, parameters)

    def _cancel(self, account: Account, parameters: Parameters) -> dict[str, Any]:
        order = self._find(account, parameters, unknown_order)
        self.venue.withdraw(account, order)
        row = shown(order, self.venue.figures[order.symbol])
        del row["time"], row["avgPrice"]
        return row

    def _batch(self, call: Call, act: Callable[[Account, Parameters], Any]) -> list[Any]:
        """Each order by itself: one that is refused stops none of the others."""
        rows = _listed(call.parameters, "batchOrders", dict)
        if len(rows) > _MOST_IN_BATCH:
            raise RefusedError(-4082, "Invalid number of batch place orders.")
        return [_one(lambda row=row: act(call.account, Parameters(_texts(row)))) for row in rows]  # type: ignore[misc]  # bound now

    def cancel_several(self, call: Call) -> list[Any]:
        given = call.parameters
        symbol = self._symbol(given)
        if "orderIdList" in given:
            keys = [{"orderId": str(number)} for number in _listed(given, "orderIdList", int)]
        else:
            keys = [{"origClientOrderId": name} for name in _listed(given, "origClientOrderIdList", str)]
        if not 1 <= len(keys) <= 10:
            raise replies.invalid("orderIdList")
        return [
            _one(lambda key=key: self._cancel(call.account, Parameters({"symbol": symbol, **key})))  # type: ignore[misc]  # bound now
            for key in keys
        ]

    def cancel_all(self, call: Call) -> dict[str, Any]:
        symbol = self._symbol(call.parameters)
        for order in call.account.usdm_orders.of(symbol):
            if order.is_open:
                self.venue.withdraw(call.account, order)
        return _ALL_DONE

    def count_down(self, call: Call) -> dict[str, Any]:
        """Cancel all orders of a symbol, unless this is asked again in time."""
        symbol, wait_ms = self._symbol(call.parameters), call.parameters.whole("countdownTime")
        if wait_ms is None:
            raise replies.missing("countdownTime")
        self.venue.count_down(call.account, symbol, wait_ms * 1000)
        return {"symbol": symbol, "countdownTime": str(wait_ms)}

    def order(self, call: Call) -> dict[str, Any]:
        order = self._find(call.account, call.parameters)
        return shown(order, self.venue.figures[order.symbol])

    def open_order(self, call: Call) -> dict[str, Any]:
        order = self._find(call.account, call.parameters)
        if not order.is_open:
            raise no_order()
        return shown(order, self.venue.figures[order.symbol])

    def open_orders(self, call: Call) -> list[Any]:
        symbol = self._symbol(call.parameters, needed=False)
        return [shown(order, self.venue.figures[order.symbol]) for order in call.account.usdm_orders.of(symbol)]

    def all_orders(self, call: Call) -> list[Any]:
        symbol = self._symbol(call.parameters)
        rows = chosen(call.account.usdm_orders, symbol, call.parameters, "orderId", 500)
        return [shown(order, self.venue.figures[symbol]) for order in rows]

    def trades(self, call: Call) -> list[Any]:
        given = call.parameters
        symbol = self._symbol(given)
        first, last, least = given.whole("startTime"), given.whole("endTime"), given.whole("fromId")
        of, limit = given.whole("orderId"), given.limit(500, 1000)
        if first is not None and last is not None and last - first > _WEEK_MS:
            raise RefusedError(-4165, "Maximum time interval is 7 days.")
        rows = [
            trade
            for trade in call.account.usdm_orders.trades
            if trade.symbol == symbol
            and (of is None or trade.order == of)
            and (least is None or trade.id >= least)
            and (first or 0) <= trade.time <= (last if last is not None else trade.time)
        ]
        kept = rows[:limit] if least is not None or first is not None else rows[-limit:]
        return [own_trade(trade, self.venue.figures[symbol]) for trade in kept]

    def force_orders(self, call: Call) -> list[Any]:
        symbol = self._symbol(call.parameters, needed=False)
        limit = call.parameters.limit(50, 100)
        found = [
            shown(order, self.venue.figures[order.symbol])
            for order in call.account.usdm_orders.all.values()
            if order.client_id.startswith("autoclose-") and symbol in (None, order.symbol)
        ]
        return found[-limit:]

    # ── the Algo Service ────────────────────────────────────────────────────────────────────────────────────────────

    def place_algo(self, call: Call) -> dict[str, Any]:
        algo = read_algo(self.venue, call.account, call.parameters)
        self.venue.place_algo(call.account, algo)
        return shown_algo(algo, self.venue.figures[algo.symbol])

    def algo(self, call: Call) -> dict[str, Any]:
        algo = self._find_algo(call)
        return shown_algo(algo, self.venue.figures[algo.symbol])

    def cancel_algo(self, call: Call) -> dict[str, Any]:
        algo = self._find_algo(call, unknown_order)
        self.venue.withdraw_algo(call.account, algo)
        return {"algoId": algo.id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}

    def cancel_algos(self, call: Call) -> dict[str, Any]:
        for algo in call.account.algos.of(self._symbol(call.parameters)):
            if algo.status == "NEW":
                self.venue.withdraw_algo(call.account, algo)
        return _ALL_DONE

    def open_algos(self, call: Call) -> list[Any]:
        symbol = self._symbol(call.parameters, needed=False)
        wanted = call.parameters.whole("algoId")
        return [
            shown_algo(algo, self.venue.figures[algo.symbol])
            for algo in call.account.algos.of(symbol)
            if wanted in (None, algo.id)
        ]

    def all_algos(self, call: Call) -> list[Any]:
        symbol = self._symbol(call.parameters)
        rows = chosen(call.account.algos, symbol, call.parameters, "algoId", 500)
        return [shown_algo(algo, self.venue.figures[symbol]) for algo in rows]

    # ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _symbol(self, parameters: Parameters, *, needed: bool = True) -> Any:
        symbol = parameters.need("symbol") if needed else parameters.text("symbol")
        if symbol is not None:
            self.venue.instrument(symbol)
        return symbol

    def _find(
        self, account: Account, parameters: Parameters, lacking: Callable[[], RefusedError] = no_order
    ) -> Order:  # fmt: skip
        symbol = self._symbol(parameters)
        number, name = parameters.whole("orderId"), parameters.text("origClientOrderId")
        if number is None and name is None:
            raise replies.missing("orderId")
        orders = account.usdm_orders
        order = orders.all.get(number) if number is not None else orders.by_client(symbol, name or "")
        if order is None or order.symbol != symbol:
            raise lacking()
        return order

    def _find_algo(self, call: Call, lacking: Callable[[], RefusedError] = no_order) -> Order:
        number, name = call.parameters.whole("algoId"), call.parameters.text("clientAlgoId")
        if number is None and name is None:
            raise replies.missing("algoId")
        algos = call.account.algos
        found = algos.all.get(number) if number is not None else _named(algos, name or "")
        if found is None:
            raise lacking()
        return found


def _named(algos: Orders, name: str) -> Order | None:
    """The latest conditional order of a client's name: the request names no symbol."""
    return next((algo for algo in reversed(algos.all.values()) if algo.client_id == name), None)


def chosen(orders: Orders, symbol: str, parameters: Parameters, id_name: str, default: int) -> list[Order]:
    """All orders of a symbol from an id, or of a time on; else the latest."""
    least, first, last = parameters.whole(id_name), parameters.whole("startTime"), parameters.whole("endTime")
    limit = parameters.limit(default, 1000)
    rows = [
        order
        for order in orders.all.values()
        if order.symbol == symbol
        and (least is None or order.id >= least)
        and (first or 0) <= order.created <= (last if last is not None else order.created)
    ]
    return rows[:limit] if least is not None or first is not None else rows[-limit:]


def _listed(parameters: Parameters, name: str, kind: type) -> list[Any]:
    """A JSON list. Raises RefusedError (−1130)."""
    try:
        rows = json.loads(parameters.need(name))
    except ValueError:
        raise replies.invalid(name) from None
    if not isinstance(rows, list) or not all(isinstance(row, kind) for row in rows):
        raise replies.invalid(name)
    return rows


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in row.items()}


def _one(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except RefusedError as refused:
        return refused.error.as_dict()
