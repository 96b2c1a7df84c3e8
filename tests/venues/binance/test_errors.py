"""What Binance answers to a refused order, in its documented words."""

from decimal import Decimal

import pytest

from truewind.domain.filters import Filters
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import Reason
from truewind.venues.binance.errors import refusal


def listed(kind: Kind, max_notional: int = 0) -> Instrument:
    return Instrument(
        symbol="BTCUSDT", venue="binance", kind=kind, base="BTC", quote="USDT", tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"), min_notional=Decimal(100), filters=Filters(max_notional=Decimal(max_notional)),
    )  # fmt: skip


# Codes and texts as printed in binance-spot-api-docs errors.md (2025-01-09) and in the error codes of USD-M futures.
@pytest.mark.parametrize(
    ("kind", "reason", "code", "message"),
    [
        (Kind.SPOT, Reason.OFF_TICK, -1013, "Filter failure: PRICE_FILTER"),
        (Kind.SPOT, Reason.BELOW_MIN_QUANTITY, -1013, "Filter failure: LOT_SIZE"),
        (Kind.SPOT, Reason.MARKET_QUANTITY, -1013, "Filter failure: MARKET_LOT_SIZE"),
        (Kind.SPOT, Reason.BELOW_MIN_NOTIONAL, -1013, "Filter failure: NOTIONAL"),
        (Kind.SPOT, Reason.ABOVE_PRICE_BAND, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (Kind.SPOT, Reason.TOO_MANY_CONDITIONAL, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS"),
        (Kind.SPOT, Reason.INSUFFICIENT_BALANCE, -2010, "Account has insufficient balance for requested action."),
        (Kind.SPOT, Reason.WOULD_TAKE, -2010, "Order would immediately match and take."),
        (Kind.PERPETUAL, Reason.OFF_STEP, -4023, "Qty not increased by step size."),
        (Kind.PERPETUAL, Reason.ABOVE_PRICE_BAND, -4016, "Price is higher than mark price multiplier cap."),
        (Kind.PERPETUAL, Reason.INSUFFICIENT_MARGIN, -2019, "Margin is insufficient."),
        (Kind.PERPETUAL, Reason.REDUCE_ONLY, -2022, "ReduceOnly Order is rejected."),
        (Kind.PERPETUAL, Reason.LEVERAGE_LIMIT, -2027, "Exceeded the maximum allowable position at current leverage."),
        (
            Kind.PERPETUAL, Reason.BELOW_MIN_NOTIONAL, -4164,
            "Order's notional must be no smaller than 100 (unless you choose reduce only).",
        ),
        (
            Kind.FUTURE, Reason.WOULD_TAKE, -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected.",
        ),
        (
            Kind.PERPETUAL, Reason.WRONG_ENDPOINT, -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        ),
    ],
)  # fmt: skip
def test_code_and_message(kind: Kind, reason: Reason, code: int, message: str) -> None:
    """Each reason has the code and the words of its market."""
    error = refusal(reason, listed(kind, 9_000_000))
    assert error is not None
    assert error.as_dict() == {"code": code, "msg": message}


def test_filters_before_notional_have_their_old_names() -> None:
    """Without a greatest notional spot still says MIN_NOTIONAL and PERCENT_PRICE, as in 2021."""
    found = [refusal(reason, listed(Kind.SPOT)) for reason in (Reason.BELOW_MIN_NOTIONAL, Reason.BELOW_PRICE_BAND)]
    assert [error.message for error in found if error] == [
        "Filter failure: MIN_NOTIONAL", "Filter failure: PERCENT_PRICE",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [Kind.SPOT, Kind.PERPETUAL])
def test_our_own_refusals_never_reached_the_venue(kind: Kind) -> None:
    """For a risk cap there is no code: the order was never sent."""
    assert refusal(Reason.POSITION_CAP, listed(kind)) is None
    assert refusal(Reason.DRAWDOWN, listed(kind)) is None
