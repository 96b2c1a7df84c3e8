"""Asked: an order as a strategy asks for it, in the engine's terms, or why it cannot be one.

Prices become ticks, quantities lots, and what else is said of an order fields of ORDER.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.calendar import calendar
from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import OrderType, Terms, TimeInForce
from truewind.errors import StrategyError, suggest
from truewind.numerics.exact import to_ticks
from truewind.portfolio.ledger import RATE_SCALE

NO_TERMS = Terms()
LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
FORGIVEN = 1.0 + 4e-16  # a quantity of whole lots is still whole after its two roundings as a float, however large


class Steps(NamedTuple):
    """The steps of an instrument, as Python integers: by them prices become ticks, and quantities lots."""

    tick_num: int
    tick_den: int
    lot_num: int
    lot_den: int

    def price(self, ticks: int) -> float:
        """NaN for 0, which stands for no price."""
        return ticks * self.tick_num / self.tick_den if ticks else float("nan")

    def quantity(self, lots: int) -> float:
        return lots * self.lot_num / self.lot_den

    def ticks(self, price: float, worse: int) -> int:
        """Between two ticks the higher for `worse` 1, the lower for −1; 0 for no price."""
        return int(to_ticks(float(price), self.tick_num, self.tick_den, worse)) if price else 0

    def lots(self, quantity: float) -> int:
        """Rounded down."""
        return int(quantity * self.lot_den / self.lot_num * FORGIVEN + 1e-6)


def steps_of(row: np.void) -> Steps:
    """The steps in an INSTRUMENT record."""
    return Steps(*(int(row[name]) for name in Steps._fields))


def no_symbol(symbol: object, known: Iterable[str], who: str = "The run") -> StrategyError:
    """The error for a symbol that `who` does not trade, with the closest that it does."""
    return StrategyError(f"{who} has no symbol '{symbol}'", remedy=suggest(str(symbol), known), symbol=symbol)


def refused(symbol: str, now_us: int, what: str) -> StrategyError:
    """The error for what cannot be an order."""
    return StrategyError(
        f"{symbol} at {iso(now_us)}: {what}",
        remedy="Check what the strategy asks for, and its arithmetic for NaN",
        symbol=symbol,
        ts=now_us,
    )


def fields_of(
    terms: Terms, type: OrderType, side: int, price: float, instrument: Instrument, steps: Steps, now_us: int
) -> dict[str, Any]:
    """What `terms` say of an order, as fields of ORDER. Raises StrategyError for what they cannot say together."""
    if wrong := _contradiction(terms, type, instrument):
        raise refused(instrument.name, now_us, wrong)

    def ticks(at: float, worse: int) -> int:
        if not 0.0 < at < 1e15:
            raise refused(instrument.name, now_us, f"price {at} is not a number > 0")
        return steps.ticks(at, worse)

    trigger = terms.trigger or (price if type in (OrderType.STOP, OrderType.TAKE_PROFIT) else 0.0)
    waits = type >= OrderType.STOP and type != OrderType.TRAILING_STOP
    expires = terms.expires_us
    if terms.tif == TimeInForce.DAY:
        expires = calendar(instrument.calendar).day_end_us(now_us)
    return {
        "price": ticks(price, -side) if type in LIMITED else 0,
        "trigger": ticks(trigger, side) if waits else 0,
        "trail": ticks(terms.trail, 1) if terms.trail else round(terms.trail_percent * RATE_SCALE / 100),
        "trail_rate": int(terms.trail_percent > 0.0),
        "activation": ticks(terms.activation, side) if terms.activation else 0,
        "tif": int(terms.tif),
        "expires": expires,
        "post_only": int(terms.post_only),
        "group": terms.group,
        "source": int(terms.trigger_by),
        "closes": int(terms.close_position),
        "shown": steps.lots(terms.shown),
        "self_trade": int(terms.self_trade),
    }


def _contradiction(terms: Terms, type: OrderType, instrument: Instrument) -> str:
    """Why an order of this type cannot have these terms; "" if it can."""
    trailing = type == OrderType.TRAILING_STOP
    if trailing != bool(terms.trail or terms.trail_percent) or (terms.trail and terms.trail_percent):
        return "a trailing stop, and nothing else, has a trail or a trail_percent"
    if trailing and not 0.0 <= terms.trail_percent < 100.0:
        return f"trail_percent {terms.trail_percent} is not between 0 and 100"
    if terms.post_only and (type != OrderType.LIMIT or terms.tif in (TimeInForce.IOC, TimeInForce.FOK)):
        return "only a limit order that may wait can be post-only"
    if (terms.tif == TimeInForce.GTD) != (terms.expires_us > 0):
        return "a GTD order, and no other, has expires_us"
    if terms.close_position and type not in (OrderType.STOP, OrderType.TAKE_PROFIT):
        return "only a stop or a take-profit without limit can close a position"
    if terms.shown and (type != OrderType.LIMIT or instrument.kind is not Kind.SPOT):
        return "only a limit order on spot can be an iceberg"
    if terms.shown and terms.tif not in (TimeInForce.GTC, TimeInForce.GTD, TimeInForce.DAY):
        return "an iceberg must be allowed to wait"
    return ""
