"""USD-M's orders as they are sent and answered, conditional ones by the Algo Service.

Source: "Trade" of USD-M futures: "New Order", "New Algo Order", "Modify Order". Since December 2025 the ordinary
endpoint refuses conditional types with −4120.
"""

from decimal import Decimal
from typing import Any

from truewind.domain.order import Reason
from truewind.exchange import forms, replies
from truewind.exchange.accounts import Account
from truewind.exchange.orders import Figures, Order, Trade, money
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError
from truewind.exchange.usdm_messages import side as side_name
from truewind.exchange.usdm_venue import UsdmVenue

CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
_TIFS = ("GTC", "IOC", "FOK", "GTX", "GTD")
_LAST_DATE_MS = 253_402_300_799_000
_LEAST_LIFE_MS = 600_000  # of a GTD order
_MATCHES = {"OPPONENT": -1, "QUEUE": 1}
_DEEP = {"": 1, "5": 5, "10": 10, "20": 20}


def read_order(venue: UsdmVenue, account: Account, parameters: Parameters) -> Order:
    """The order of a request. Raises RefusedError."""
    order = _start(venue, account, parameters, parameters.need("type"))
    if order.type in CONDITIONAL:
        raise forms.broken(Reason.WRONG_ENDPOINT, venue.figures[order.symbol])
    if order.type not in ("LIMIT", "MARKET"):
        raise RefusedError(-1116, "Invalid orderType.")
    order.client_id = _client_id(parameters, "newClientOrderId", account.usdm_orders.by_client, order.symbol)
    _read_life(venue, order, parameters)
    _read_price(venue, account, order, parameters, wanted=order.type == "LIMIT")
    quantity = forms.amount(parameters, "quantity")
    if quantity is None:
        raise replies.missing("quantity")
    order.lots = forms.lots_of(quantity, venue.figures[order.symbol])
    return order


def read_algo(venue: UsdmVenue, account: Account, parameters: Parameters) -> Order:
    """The conditional order of a request. Raises RefusedError."""
    if parameters.need("algoType") != "CONDITIONAL":
        raise replies.invalid("algoType")
    order = _start(venue, account, parameters, parameters.need("type"))
    if order.type not in CONDITIONAL:
        raise RefusedError(-1116, "Invalid orderType.")
    figures = venue.figures[order.symbol]
    order.client_id = _client_id(parameters, "clientAlgoId", account.algos.by_client, order.symbol)
    _read_life(venue, order, parameters)
    order.price_protect = forms.flag(parameters, "priceProtect")
    order.close_position = forms.flag(parameters, "closePosition")
    order.working_type = parameters.text("workingType") or "CONTRACT_PRICE"
    if order.working_type not in ("CONTRACT_PRICE", "MARK_PRICE"):
        raise replies.invalid("workingType")
    _read_price(venue, account, order, parameters, wanted=order.type in ("STOP", "TAKE_PROFIT"))
    _read_trigger(order, parameters, figures)
    quantity = forms.amount(parameters, "quantity")
    if order.close_position:
        if order.type not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
            raise RefusedError(-4136, "Target strategy invalid for orderType, closePosition=true.")
        if quantity is not None:
            raise RefusedError(-4137, "Quantity must be zero with closePosition equals true.")
        if order.reduce_only:
            raise _not_required("reduceonly")
        order.lots = venue.instruments[order.symbol].min_lots()
    elif quantity is None:
        raise replies.missing("quantity")
    else:
        order.lots = forms.lots_of(quantity, figures)
    return order


def _start(venue: UsdmVenue, account: Account, parameters: Parameters, kind: str) -> Order:
    """What both kinds of orders share: symbol, sides, flags."""
    symbol = parameters.need("symbol")
    venue.instrument(symbol)
    now = venue.now_us() // 1000
    order = Order(
        id=0,
        client_id="",
        symbol=symbol,
        side=forms.side(parameters),
        type=kind,
        lots=0,
        created=now,
        updated=now,
        reduce_only=forms.flag(parameters, "reduceOnly"),
        position_side=parameters.text("positionSide") or "BOTH",
        self_trade=forms.self_trade(parameters),
    )
    if order.position_side not in ("BOTH", "LONG", "SHORT"):
        raise replies.invalid("positionSide")
    if (order.position_side == "BOTH") == account.futures.dual:
        raise forms.broken(Reason.POSITION_SIDE, venue.figures[symbol])
    if account.futures.dual and "reduceOnly" in parameters:
        raise _not_required("reduceonly")
    return order


def _client_id(parameters: Parameters, name: str, known: Any, symbol: str) -> str:
    """Raises RefusedError (−4015, −4116) for a name that is none, or that an open order has."""
    client_id = forms.client_id(parameters, name, futures=True)
    other = known(symbol, client_id)
    if other is not None and other.is_open:
        raise RefusedError(-4116, "ClientOrderId is duplicated.")
    return client_id


def _read_life(venue: UsdmVenue, order: Order, parameters: Parameters) -> None:
    tif = parameters.text("timeInForce")
    if tif is not None and tif not in _TIFS:
        raise RefusedError(-1115, "Invalid timeInForce.")
    if order.type == "LIMIT" and tif is None:
        raise replies.missing("timeinforce")
    if order.type == "MARKET" and tif is not None:
        raise RefusedError(-1106, "Parameter 'timeinforce' sent when not required.")
    order.tif = tif or "GTC"
    until = parameters.whole("goodTillDate")
    if order.tif == "GTD":
        if until is None:
            raise replies.missing("goodtilldate")
        if not order.created + _LEAST_LIFE_MS < until < _LAST_DATE_MS:
            raise RefusedError(
                -5040,
                "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
                f"{_LAST_DATE_MS}.",
            )
        order.good_till = until


def _read_price(venue: UsdmVenue, account: Account, order: Order, parameters: Parameters, *, wanted: bool) -> None:
    figures = venue.figures[order.symbol]
    price = forms.amount(parameters, "price")
    match = parameters.text("priceMatch") or "NONE"
    if match != "NONE":
        if price is not None or not wanted:
            raise RefusedError(-5038, "Price and priceMatch cannot be set at the same time.")
        order.price_match = match
        order.ticks = _matched(venue, account, order, match)
    elif wanted and price is None:
        raise replies.missing("price")
    elif price is not None and not wanted:
        if price:
            raise _not_required("price")
    elif price is not None:
        order.ticks = _priced(price, figures)


def _priced(price: Decimal, figures: Figures) -> int:
    if price <= 0:
        raise forms.broken(Reason.BAD_PRICE, figures)
    return forms.ticks_of(price, figures)


def _matched(venue: UsdmVenue, account: Account, order: Order, match: str) -> int:
    """The price of `priceMatch`: the best, 5th … of the other side or of one's own."""
    name, _, deep = match.partition("_")
    if name not in _MATCHES or deep not in _DEEP:
        raise RefusedError(-5037, "Invalid price match")
    ticks = venue.desk(account, order.symbol).price_at(order.side * _MATCHES[name], _DEEP[deep])
    if ticks is None:
        raise RefusedError(-5041, "No depth matches this BBO order")
    return ticks


def _read_trigger(order: Order, parameters: Parameters, figures: Figures) -> None:
    trigger = forms.amount(parameters, "triggerPrice")
    rate, activation = (
        forms.amount(parameters, "callbackRate", most_decimals=2),
        forms.amount(parameters, "activatePrice"),
    )
    if order.type == "TRAILING_STOP_MARKET":
        if rate is None:
            raise replies.missing("callbackrate")
        if not Decimal("0.1") <= rate <= Decimal(10):
            raise RefusedError(-2007, "Invalid callBack rate.")
        order.trail = int(rate * 100)
        order.activation = 0 if activation is None else _priced(activation, figures)
    elif trigger is None:
        raise replies.missing("triggerprice")
    else:
        order.stop = _priced(trigger, figures)


def _not_required(name: str) -> RefusedError:
    return RefusedError(-1106, f"Parameter '{name}' sent when not required.")


def answer(order: Order, figures: Figures, parameters: Parameters) -> dict[str, Any]:
    """The reply to a new order. ACK tells nothing of what came of it at once."""
    wanted = parameters.text("newOrderRespType") or "ACK"
    if wanted not in ("ACK", "RESULT"):
        raise replies.invalid("newOrderRespType")
    row = shown(order, figures)
    del row["time"]
    if wanted == "ACK" and order.filled:
        row |= {"status": "NEW", "executedQty": figures.quantity(0), "avgPrice": "0.00"}
        row |= {"cumQuote": figures.price(0), "cumQty": figures.quantity(0)}
    return row


def shown(order: Order, figures: Figures) -> dict[str, Any]:
    """An order as GET /order shows it."""
    row: dict[str, Any] = {
        "orderId": order.id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": figures.price(order.ticks),
        "avgPrice": figures.mean_text(order) if order.filled else "0.00",
        "origQty": figures.quantity(order.lots),
        "executedQty": figures.quantity(order.filled),
        "cumQty": figures.quantity(order.filled),
        "cumQuote": figures.quote(order.quote),
        "timeInForce": order.tif,
        "type": order.type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": side_name(order),
        "positionSide": order.position_side,
        "stopPrice": figures.price(order.stop),
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "origType": order.asked or order.type,
        "priceMatch": order.price_match,
        "selfTradePreventionMode": order.self_trade,
        "goodTillDate": order.good_till,
        "time": order.created,
        "updateTime": order.updated,
    }
    return row


def shown_algo(algo: Order, figures: Figures) -> dict[str, Any]:
    """A conditional order as the Algo Service shows it."""
    row: dict[str, Any] = {
        "algoId": algo.id,
        "clientAlgoId": algo.client_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.type,
        "symbol": algo.symbol,
        "side": side_name(algo),
        "positionSide": algo.position_side,
        "timeInForce": algo.tif,
        "quantity": figures.quantity(0 if algo.close_position else algo.lots),
        "algoStatus": algo.status,
        "triggerPrice": figures.price(algo.stop),
        "price": figures.price(algo.ticks),
        "icebergQuantity": None,
        "selfTradePreventionMode": algo.self_trade,
        "workingType": algo.working_type,
        "priceMatch": algo.price_match,
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only,
        "createTime": algo.created,
        "updateTime": algo.updated,
        "triggerTime": algo.triggered,
        "goodTillDate": algo.good_till,
        "actualOrderId": str(algo.actual) if algo.actual else "",
    }
    if algo.trail:
        row["callbackRate"] = f"{Decimal(algo.trail) / 100:f}"
        row["activatePrice"] = figures.price(algo.activation)
    return row


def own_trade(trade: Trade, figures: Figures) -> dict[str, Any]:
    """A trade as GET /userTrades shows it."""
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order,
        "side": side_name(trade),
        "price": figures.price(trade.ticks),
        "qty": figures.quantity(trade.lots),
        "realizedPnl": money(trade.realised),
        "marginAsset": trade.asset,
        "quoteQty": figures.quote(trade.ticks * trade.lots),
        "commission": money(trade.commission),
        "commissionAsset": trade.asset,
        "time": trade.time,
        "positionSide": trade.position_side,
        "buyer": trade.side > 0,
        "maker": trade.maker,
    }
