"""What the user data stream of USD-M futures tells.

Source: "User Data Streams" of USD-M futures: ORDER_TRADE_UPDATE, TRADE_LITE, ACCOUNT_UPDATE, ACCOUNT_CONFIG_UPDATE,
MARGIN_CALL, ALGO_UPDATE. Times in ms.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from truewind.exchange.orders import Figures, Order, Trade, money
from truewind.exchange.usdm_margin import Balance, Leg


def side(order: Order | Trade) -> str:
    return "BUY" if order.side > 0 else "SELL"


def order_update(
    order: Order, what: str, trade: Trade | None, figures: Figures, on_order: tuple[float, float], now: int
) -> dict[str, Any]:
    """what: the execution type. on_order: notional of all open purchases and sales of the symbol, in units."""
    return {
        "e": "ORDER_TRADE_UPDATE",
        "T": order.updated,
        "E": now,
        "o": {
            "s": order.symbol,
            "c": order.client_id,
            "S": side(order),
            "o": order.type,
            "f": order.tif,
            "q": figures.quantity(order.lots),
            "p": figures.price(order.ticks),
            "ap": figures.mean_text(order),
            "sp": figures.price(order.stop),
            "x": "EXPIRED" if what == "EXPIRED_IN_MATCH" else what,
            "X": order.status,
            "i": order.id,
            "l": figures.quantity(trade.lots if trade else 0),
            "z": figures.quantity(order.filled),
            "L": figures.price(trade.ticks if trade else 0),
            "N": trade.asset if trade else figures.instrument.currency,
            "n": money(trade.commission) if trade else "0",
            "T": order.updated,
            "t": trade.id if trade else 0,
            "b": money(int(on_order[0])),
            "a": money(int(on_order[1])),
            "m": trade.maker if trade else False,
            "R": order.reduce_only,
            "wt": order.working_type,
            "ot": order.asked or order.type,
            "ps": order.position_side,
            "cp": order.close_position,
            "rp": money(trade.realised) if trade else "0",
            "pP": order.price_protect,
            "si": 0,
            "ss": 0,
            "V": order.self_trade,
            "pm": order.price_match,
            "gtd": order.good_till,
        },
    }


def trade_lite(order: Order, trade: Trade, figures: Figures, now: int) -> dict[str, Any]:
    return {
        "e": "TRADE_LITE",
        "E": now,
        "T": trade.time,
        "s": order.symbol,
        "q": figures.quantity(order.lots),
        "p": figures.price(order.ticks),
        "m": trade.maker,
        "c": order.client_id,
        "S": side(order),
        "L": figures.price(trade.ticks),
        "l": figures.quantity(trade.lots),
        "t": trade.id,
        "i": order.id,
    }


def account_update(
    why: str,
    balances: Iterable[Balance],
    legs: Iterable[Leg],
    figures: Mapping[str, Figures],
    now: int,
    changes: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """changes: of balances but for profit and commission, by asset."""
    return {
        "e": "ACCOUNT_UPDATE",
        "E": now,
        "T": now,
        "a": {
            "m": why,
            "B": [
                {
                    "a": balance.asset,
                    "wb": money(balance.wallet),
                    "cw": money(balance.cross_wallet),
                    "bc": money((changes or {}).get(balance.asset, 0)),
                }
                for balance in balances
            ],
            "P": [
                {
                    "s": leg.symbol,
                    "pa": figures[leg.symbol].quantity(leg.lots),
                    "ep": price(leg.entry),
                    "bep": price(leg.even),
                    "cr": money(leg.realised),
                    "up": money(int(leg.unrealised)),
                    "mt": "isolated" if leg.isolated else "cross",
                    "iw": money(max(0, leg.wallet)),
                    "ps": leg.side,
                }
                for leg in legs
            ],
        },
    }


def price(value: float) -> str:
    """A price that need not be a tick."""
    return f"{value:.8f}".rstrip("0").rstrip(".") if value else "0.0"


def config_update(now: int, **change: Any) -> dict[str, Any]:
    """change: `ac` (leverage of a symbol) or `ai` (multi-assets mode)."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now, "T": now, **change}


def margin_call(balance: Balance, legs: Iterable[Leg], figures: Mapping[str, Figures], now: int) -> dict[str, Any]:
    return {
        "e": "MARGIN_CALL",
        "E": now,
        "cw": money(balance.cross_wallet),
        "p": [
            {
                "s": leg.symbol,
                "ps": leg.side,
                "pa": figures[leg.symbol].quantity(leg.lots),
                "mt": "ISOLATED" if leg.isolated else "CROSSED",
                "iw": money(max(0, leg.wallet)),
                "mp": price(leg.mark),
                "up": money(int(leg.unrealised)),
                "mm": money(int(leg.maintenance)),
            }
            for leg in legs
        ],
    }


def algo_update(algo: Order, order: Order | None, figures: Figures, now: int, reason: str) -> dict[str, Any]:
    """order: the one that it has become. reason: why the matching refused that."""
    row: dict[str, Any] = {
        "caid": algo.client_id,
        "aid": algo.id,
        "at": "CONDITIONAL",
        "o": algo.type,
        "s": algo.symbol,
        "S": side(algo),
        "ps": algo.position_side,
        "f": algo.tif,
        "q": figures.quantity(algo.lots),
        "X": algo.status,
        "ai": str(order.id) if order else "",
    }
    if algo.status != "TRIGGERING":
        row["ap"] = figures.mean_text(order) if order else figures.price(0)
        row["aq"] = figures.quantity(order.filled if order else 0)
        row["act"] = order.type if order else "0"
    return {
        "e": "ALGO_UPDATE",
        "T": algo.updated,
        "E": now,
        "o": row
        | {
            "tp": figures.price(algo.stop),
            "p": figures.price(algo.ticks),
            "V": algo.self_trade,
            "wt": algo.working_type,
            "pm": algo.price_match,
            "cp": algo.close_position,
            "pP": algo.price_protect,
            "R": algo.reduce_only,
            "tt": algo.triggered,
            "gtd": algo.good_till,
            "rm": reason,
        },
    }
