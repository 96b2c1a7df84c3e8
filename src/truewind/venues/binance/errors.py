"""What Binance answers when it refuses an order: code and message.

Sources: binance-spot-api-docs `errors.md` (filter failures are -1013, refusals of the matching engine -2010), and the
error codes of USD-M and COIN-M futures on developers.binance.com.
"""

from typing import NamedTuple

from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import Reason


class VenueError(NamedTuple):
    """The reply's `code` and `msg`."""

    code: int
    message: str

    def as_dict(self) -> dict[str, int | str]:
        return {"code": self.code, "msg": self.message}


def _filter(name: str) -> VenueError:
    return VenueError(-1013, f"Filter failure: {name}")


_SPOT = {
    Reason.UNKNOWN_ORDER: VenueError(-2011, "Unknown order sent."),
    Reason.BELOW_MIN_PRICE: _filter("PRICE_FILTER"),
    Reason.ABOVE_MAX_PRICE: _filter("PRICE_FILTER"),
    Reason.BAD_PRICE: _filter("PRICE_FILTER"),
    Reason.OFF_TICK: _filter("PRICE_FILTER"),
    Reason.BELOW_MIN_QUANTITY: _filter("LOT_SIZE"),
    Reason.ABOVE_MAX_QUANTITY: _filter("LOT_SIZE"),
    Reason.OFF_STEP: _filter("LOT_SIZE"),
    Reason.MARKET_QUANTITY: _filter("MARKET_LOT_SIZE"),
    Reason.BELOW_MIN_NOTIONAL: _filter("NOTIONAL"),
    Reason.ABOVE_MAX_NOTIONAL: _filter("NOTIONAL"),
    Reason.ABOVE_PRICE_BAND: _filter("PERCENT_PRICE_BY_SIDE"),
    Reason.BELOW_PRICE_BAND: _filter("PERCENT_PRICE_BY_SIDE"),
    Reason.TOO_MANY_ORDERS: _filter("MAX_NUM_ORDERS"),
    Reason.TOO_MANY_CONDITIONAL: _filter("MAX_NUM_ALGO_ORDERS"),
    Reason.TOO_MANY_ICEBERGS: _filter("MAX_NUM_ICEBERG_ORDERS"),
    Reason.ICEBERG_PARTS: _filter("ICEBERG_PARTS"),
    Reason.TRAILING_DISTANCE: _filter("TRAILING_DELTA"),
    Reason.POSITION_LIMIT: _filter("MAX_POSITION"),
    Reason.INSUFFICIENT_BALANCE: VenueError(-2010, "Account has insufficient balance for requested action."),
    Reason.NO_SHORT: VenueError(-2010, "Account has insufficient balance for requested action."),
    Reason.WOULD_TAKE: VenueError(-2010, "Order would immediately match and take."),
    Reason.WOULD_TRIGGER: VenueError(-2010, "Order would trigger immediately."),
    Reason.CLOSED: VenueError(-1013, "Market is closed."),
}

# Symbols without a greatest notional still have the filters that these names had before NOTIONAL came.
_SPOT_BEFORE = {
    Reason.BELOW_MIN_NOTIONAL: _filter("MIN_NOTIONAL"),
    Reason.ABOVE_PRICE_BAND: _filter("PERCENT_PRICE"),
    Reason.BELOW_PRICE_BAND: _filter("PERCENT_PRICE"),
}

_FUTURES = {
    Reason.UNKNOWN_ORDER: VenueError(-2011, "Unknown order sent."),
    Reason.BAD_PRICE: VenueError(-4001, "Price less than 0."),
    Reason.BELOW_MIN_PRICE: VenueError(-4013, "Price less than min price."),
    Reason.ABOVE_MAX_PRICE: VenueError(-4002, "Price greater than max price."),
    Reason.OFF_TICK: VenueError(-4014, "Price not increased by tick size."),
    Reason.BELOW_MIN_QUANTITY: VenueError(-4004, "Quantity less than min quantity."),
    Reason.ABOVE_MAX_QUANTITY: VenueError(-4005, "Quantity greater than max quantity."),
    Reason.MARKET_QUANTITY: VenueError(-4005, "Quantity greater than max quantity."),
    Reason.OFF_STEP: VenueError(-4023, "Qty not increased by step size."),
    Reason.ABOVE_PRICE_BAND: VenueError(-4016, "Price is higher than mark price multiplier cap."),
    Reason.BELOW_PRICE_BAND: VenueError(-4024, "Price is lower than mark price multiplier floor."),
    Reason.TOO_MANY_ORDERS: VenueError(-2025, "Reach max open order limit."),
    Reason.TOO_MANY_CONDITIONAL: VenueError(-4045, "Reach max stop order limit."),
    Reason.INSUFFICIENT_BALANCE: VenueError(-2019, "Margin is insufficient."),
    Reason.INSUFFICIENT_MARGIN: VenueError(-2019, "Margin is insufficient."),
    Reason.LEVERAGE_LIMIT: VenueError(-2027, "Exceeded the maximum allowable position at current leverage."),
    Reason.NOTHING_TO_REDUCE: VenueError(-2022, "ReduceOnly Order is rejected."),
    Reason.REDUCE_ONLY: VenueError(-2022, "ReduceOnly Order is rejected."),
    Reason.WOULD_TRIGGER: VenueError(-2021, "Order would immediately trigger."),
    Reason.WOULD_TAKE: VenueError(
        -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."
    ),
    Reason.NOT_FILLED_AT_ONCE: VenueError(
        -5021, "Due to the order could not be filled immediately, the FOK order has been rejected."
    ),
    Reason.NO_LIQUIDITY: VenueError(
        -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit"
    ),
    Reason.CLOSE_ONLY: VenueError(-4140, "Invalid symbol status for opening position"),
    Reason.CLOSED: VenueError(-4141, "Symbol is closed"),
    Reason.POSITION_SIDE: VenueError(-4061, "Order's position side does not match user's setting."),
    Reason.WRONG_ENDPOINT: VenueError(
        -4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
    ),
}


def refusal(reason: Reason, instrument: Instrument) -> VenueError | None:
    """Binance's reply to an order that `execution.simulated.filters` or the matcher refused for `reason`.

    None for reasons of our own (risk caps, a parent that ended): the venue never saw that order.
    """
    if instrument.kind is Kind.SPOT:
        if instrument.filters.max_notional == 0 and reason in _SPOT_BEFORE:
            return _SPOT_BEFORE[reason]
        return _SPOT.get(reason)
    if reason is Reason.BELOW_MIN_NOTIONAL:
        least = instrument.min_notional
        return VenueError(-4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only).")
    return _FUTURES.get(reason)
