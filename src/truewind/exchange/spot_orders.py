"""Spot's orders as they are sent and answered.

Sources: "New order", "Order lists" and `enums.md` of binance-spot-api-docs.
"""

from decimal import Decimal
from typing import Any

from truewind.domain.order import Reason
from truewind.exchange import forms, replies
from truewind.exchange.accounts import Account
from truewind.exchange.orders import Figures, Order, Trade, money
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError
from truewind.exchange.spot_venue import SpotVenue
from truewind.exchange.tickets import spot_ticket

TYPES = ("LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "LIMIT_MAKER")
_TIFS = ("GTC", "IOC", "FOK")
_MOST_TRAIL = 10_000  # basis points: all there is
_RESPONSES = ("ACK", "RESULT", "FULL")
_LIMITS = ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
_TIMED = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")


def read_order(venue: SpotVenue, account: Account, parameters: Parameters) -> Order:
    """The order of a request, checked as far as it can be without a market. Raises RefusedError."""
    symbol = parameters.need("symbol")
    venue.instrument(symbol)
    side = forms.side(parameters)
    kind = parameters.need("type")
    if kind not in TYPES:
        raise RefusedError(-1116, "Invalid orderType.")
    order = start(venue, symbol, side, kind, parameters)
    fill_in(venue, account, order, parameters)
    return order


def start(venue: SpotVenue, symbol: str, side: int, kind: str, parameters: Parameters) -> Order:
    """What all orders of a request share."""
    now = venue.now_us() // 1000
    return Order(
        id=0,
        client_id="",
        symbol=symbol,
        side=side,
        type=kind,
        lots=0,
        created=now,
        updated=now,
        self_trade=forms.self_trade(parameters),
        strategy_id=parameters.whole("strategyId"),
        strategy_type=parameters.whole("strategyType"),
    )


def fill_in(
    venue: SpotVenue, account: Account, order: Order, parameters: Parameters, prefix: str = ""
) -> None:  # fmt: skip
    """Read prices, quantity and conditions. prefix: of the names, for orders of a list ("above", "below" …)."""

    def named(name: str) -> str:
        return prefix + name[0].upper() + name[1:] if prefix else name

    figures, kind = venue.figures[order.symbol], order.type
    order.client_id = forms.client_id(parameters, named("clientOrderId") if prefix else "newClientOrderId")
    price = forms.amount(parameters, named("price"), most_decimals=8)
    stop = forms.amount(parameters, named("stopPrice"), most_decimals=8)
    trail = parameters.whole(named("trailingDelta"), least=1)
    iceberg = forms.amount(parameters, named("icebergQty"), most_decimals=8)
    tif = parameters.text(named("timeInForce"))
    _require(kind in _LIMITS, price, named("price"))
    if kind in _TIMED:
        if tif is None:
            raise replies.missing(named("timeInForce"))
        if tif not in _TIFS:
            raise RefusedError(-1115, "Invalid timeInForce.")
    elif tif is not None:
        raise _not_required(named("timeInForce"))
    conditional = kind.startswith(("STOP", "TAKE"))
    if conditional and stop is None and trail is None:
        raise replies.missing(named("stopPrice"))
    if not conditional and (stop is not None or trail is not None):
        raise _not_required(named("stopPrice") if stop is not None else named("trailingDelta"))
    if trail and kind != "STOP_LOSS":  # the matching's trailing stops come to the market without a limit
        raise RefusedError(-1020, "This operation is not supported.")
    if trail and trail > _MOST_TRAIL:
        raise forms.broken(Reason.TRAILING_DISTANCE, figures)
    order.tif = tif or "GTC"
    order.ticks = 0 if price is None else forms.ticks_of(price, figures)
    order.stop = 0 if stop is None else forms.ticks_of(stop, figures)
    order.trail = trail or 0
    if (price is not None and order.ticks == 0) or (stop is not None and order.stop == 0):
        raise forms.broken(Reason.BAD_PRICE, figures)
    if iceberg is not None:
        if kind not in _LIMITS or order.tif != "GTC":
            raise _not_required(named("icebergQty"))
        order.shown = forms.lots_of(iceberg, figures)
    _read_quantity(venue, account, order, parameters, listed=bool(prefix))


def _require(wanted: bool, value: Decimal | None, name: str) -> None:
    if wanted and value is None:
        raise replies.missing(name)
    if not wanted and value is not None:
        raise _not_required(name)


def _not_required(name: str) -> RefusedError:
    return RefusedError(-1106, f"Parameter '{name}' sent when not required.")


def _read_quantity(venue: SpotVenue, account: Account, order: Order, parameters: Parameters, *, listed: bool) -> None:
    if listed:
        return  # one quantity for several orders: read by the list
    figures = venue.figures[order.symbol]
    quantity = forms.amount(parameters, "quantity", most_decimals=8)
    spend = forms.amount(parameters, "quoteOrderQty", most_decimals=8)
    if order.type == "MARKET" and (quantity is None) == (spend is None):
        if spend is not None:
            raise replies.bad_combination()
        raise replies.missing("quantity")
    if spend is not None and order.type != "MARKET":
        raise _not_required("quoteOrderQty")
    if spend is not None:
        order.spend = f"{spend:.8f}"
        order.lots = venue.desk(account, order.symbol).lots_for(order.side, figures.ticks_lots(spend))
        if order.lots == 0:
            raise forms.broken(Reason.BELOW_MIN_NOTIONAL, figures)
    elif quantity is None:
        raise replies.missing("quantity")
    else:
        order.lots = forms.lots_of(quantity, figures)


def check_new(venue: SpotVenue, account: Account, order: Order) -> None:
    """Whether an order may come, but for what the matching decides. Raises RefusedError."""
    known = account.spot_orders.by_client(order.symbol, order.client_id)
    if known is not None and known.is_open:
        raise RefusedError(-2010, "Duplicate order sent.")
    venue.check_funds(account, order)


def place(venue: SpotVenue, account: Account, order: Order) -> None:
    """Number the order and let it come. Raises RefusedError."""
    check_new(venue, account, order)
    order.id = venue.ids.next("order")
    venue.send(account, order, spot_ticket(order))


def answer(
    venue: SpotVenue, account: Account, order: Order, parameters: Parameters, default: str = ""
) -> dict[str, Any]:  # fmt: skip
    """The reply to a new order, as long as was asked for."""
    default = default or ("FULL" if order.type in ("LIMIT", "MARKET") else "ACK")
    wanted = parameters.text("newOrderRespType") or default
    if wanted not in _RESPONSES:
        raise replies.invalid("newOrderRespType")
    figures = venue.figures[order.symbol]
    row: dict[str, Any] = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.updated,
    }
    if wanted == "ACK":
        return row
    row |= _state(order, figures) | {"workingTime": order.working or -1} | _conditions(order, figures)
    if wanted == "FULL":
        row["fills"] = [_fill(trade, figures) for trade in trades_of(account, order)]
    return row


def trades_of(account: Account, order: Order) -> list[Trade]:
    """Latest trades are at the end: those of an order that has just come are the last ones."""
    found = []
    for trade in reversed(account.spot_orders.trades):
        if trade.order == order.id:
            found.append(trade)
        elif trade.time < order.created:
            break
    return found[::-1]


def shown(order: Order, figures: Figures) -> dict[str, Any]:
    """An order as GET /order shows it."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        **_state(order, figures),
        "stopPrice": figures.price(order.stop),
        "icebergQty": figures.quantity(order.shown),
        "time": order.created,
        "updateTime": order.updated,
        "isWorking": order.working > 0,
        "workingTime": order.working or -1,
        **_conditions(order, figures, quiet=True),
    }


def cancelled(order: Order, figures: Figures) -> dict[str, Any]:
    """An order as DELETE /order answers it."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.cancel_id or order.client_id,
        "transactTime": order.updated,
        **_state(order, figures),
        **_conditions(order, figures),
    }


def _state(order: Order, figures: Figures) -> dict[str, Any]:
    return {
        "price": figures.price(order.ticks),
        "origQty": figures.quantity(order.lots),
        "executedQty": figures.quantity(order.filled),
        "origQuoteOrderQty": order.spend or money(0),
        "cummulativeQuoteQty": figures.quote(order.quote),
        "status": order.status,
        "timeInForce": order.tif,
        "type": order.type,
        "side": "BUY" if order.side > 0 else "SELL",
    }


def _conditions(order: Order, figures: Figures, *, quiet: bool = False) -> dict[str, Any]:
    """Fields that are there only where they say something. quiet: without those that stand elsewhere already."""
    row: dict[str, Any] = {}
    if order.stop and not quiet:
        row["stopPrice"] = figures.price(order.stop)
    if order.shown and not quiet:
        row["icebergQty"] = figures.quantity(order.shown)
    if order.trail:
        row["trailingDelta"] = order.trail
    if order.strategy_id is not None:
        row["strategyId"] = order.strategy_id
    if order.strategy_type is not None:
        row["strategyType"] = order.strategy_type
    row["selfTradePreventionMode"] = order.self_trade
    return row


def _fill(trade: Trade, figures: Figures) -> dict[str, Any]:
    return {
        "price": figures.price(trade.ticks),
        "qty": figures.quantity(trade.lots),
        "commission": money(trade.commission),
        "commissionAsset": trade.asset,
        "tradeId": trade.id,
    }


def own_trade(trade: Trade, figures: Figures) -> dict[str, Any]:
    """A trade as GET /myTrades shows it."""
    return {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": trade.order,
        "orderListId": trade.list_id,
        "price": figures.price(trade.ticks),
        "qty": figures.quantity(trade.lots),
        "quoteQty": figures.quote(trade.ticks * trade.lots),
        "commission": money(trade.commission),
        "commissionAsset": trade.asset,
        "time": trade.time,
        "isBuyer": trade.side > 0,
        "isMaker": trade.maker,
        "isBestMatch": True,
    }
