"""An account's order as the matching takes it: the venue's types and flags in our own terms."""

from truewind.domain.order import OrderType, TimeInForce, TriggerSource
from truewind.exchange.forms import SELF_TRADE
from truewind.exchange.matching import Ticket
from truewind.exchange.orders import Order

_BASIS_POINT = 10_000  # in 1e-8
_SPOT = {
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
}
_USDM = {
    "LIMIT": OrderType.LIMIT,
    "MARKET": OrderType.MARKET,
    "STOP": OrderType.STOP_LIMIT,
    "STOP_MARKET": OrderType.STOP,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT_LIMIT,
    "TAKE_PROFIT_MARKET": OrderType.TAKE_PROFIT,
    "TRAILING_STOP_MARKET": OrderType.TRAILING_STOP,
}
_TIF = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "GTX": TimeInForce.GTC}


def spot_ticket(order: Order) -> Ticket:
    """Orders of one list cancel each other as soon as one of them fills."""
    kind = OrderType.TRAILING_STOP if order.trail else _SPOT[order.type]
    return Ticket(
        side=order.side,
        type=kind,
        lots=order.lots,
        ticks=order.ticks,
        trigger=0 if order.trail else order.stop,
        tif=TimeInForce.IOC if order.type == "MARKET" else _TIF[order.tif],
        post_only=order.type == "LIMIT_MAKER",
        trail=order.trail * _BASIS_POINT,
        activation=order.stop if order.trail else 0,
        shown=order.shown,
        group=order.group,
        self_trade=SELF_TRADE[order.self_trade],
        filled=order.filled,
    )


def usdm_ticket(order: Order) -> Ticket:
    """Of an order on the book or, with a trigger, of the Algo Service. In hedge mode one side's position is closed by
    what only reduces."""
    kind = _USDM[order.type]
    conditional = kind >= OrderType.STOP
    closes = order.position_side != "BOTH" and (order.side > 0) == (order.position_side == "SHORT")
    reduces = order.reduce_only or order.close_position or closes
    tif = TimeInForce.GTD if order.tif == "GTD" else _TIF[order.tif]
    return Ticket(
        side=order.side,
        type=kind,
        lots=order.lots,
        ticks=order.ticks,
        trigger=0 if order.trail else order.stop,
        tif=TimeInForce.IOC if kind is OrderType.MARKET else tif,
        post_only=order.tif == "GTX",
        reduce_only=reduces and not conditional,
        source=TriggerSource.MARK if order.working_type == "MARK_PRICE" else TriggerSource.LAST,
        trail=order.trail * _BASIS_POINT,
        activation=order.activation,
        expires=order.good_till * 1000,
        leg=int(order.position_side == "SHORT"),
        closes=order.close_position,
        reduces_when_triggered=reduces and conditional,
        self_trade=SELF_TRADE[order.self_trade],
        filled=order.filled,
    )
