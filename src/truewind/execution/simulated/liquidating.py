"""Liquidating: when the venue takes a position away, at which price, and what that costs."""

import numpy as np

from truewind.domain.fill import FillKind
from truewind.execution.simulated.filling import slippage
from truewind.execution.simulated.valuation import equity_now
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE, book_fill, worth_per_lot
from truewind.portfolio.state import (
    costs_of,
    instruments_of,
    positions_of,
)

_LIQUIDATION = FillKind.LIQUIDATION


@kernel
def liquidation_price(state: int, symbol: int) -> float:
    """Price of `symbol` at which equity equals the maintenance margin, other prices standing still; NaN if none.

    equity(x) = equity + lots·w·(x − close); maintenance(x) = others + |lots|·w·x·rate; solved for x. Below zero for
    a short that no price can save. What is owned outright (spot) needs no margin, but its worth counts.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    costs = costs_of(state)
    position, instrument = positions[symbol], instruments[symbol]
    if position["lots"] == 0 or not instrument["can_short"]:
        return np.nan
    rate = costs["maintenance"] / RATE_SCALE
    others = 0.0
    for other in range(len(positions)):
        held = positions[other]
        if other != symbol and held["lots"] != 0 and instruments[other]["can_short"]:
            others += abs(held["lots"]) * worth_per_lot(instruments[other]) * held["close"] * rate
    exposure = position["lots"] * worth_per_lot(instrument)
    slack = equity_now(state) - others
    at = (exposure * position["close"] - slack) / (exposure - abs(exposure) * rate)
    return at if at > 0.0 or exposure < 0.0 else np.nan


@kernel
def in_danger(state: int, symbol: int, worst: float) -> bool:
    """Whether equity might not exceed the maintenance margin if `symbol` stood at `worst`, others where they are.

    The hair's breadth makes sure that rounding never hides a case from `liquidation_price`, which decides.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    costs = costs_of(state)
    rate = costs["maintenance"] / RATE_SCALE
    required = 0.0
    for other in range(len(positions)):
        if positions[other]["lots"] != 0 and instruments[other]["can_short"]:
            at = worst if other == symbol else positions[other]["close"]
            required += abs(positions[other]["lots"]) * worth_per_lot(instruments[other]) * at * rate
    position = positions[symbol]
    moved = position["lots"] * worth_per_lot(instruments[symbol]) * (worst - position["close"])
    equity = equity_now(state)
    return bool(equity + moved - required <= 1e-9 * (abs(equity) + abs(moved)))


@kernel
def liquidate(state: int, symbol: int, reference: int, ts: int, row: int) -> None:
    """Take the whole position away at `reference` ticks, with slippage and the liquidation fee."""
    positions = positions_of(state)
    costs = costs_of(state)
    position = positions[symbol]
    side = -1 if position["lots"] > 0 else 1
    price = max(1, reference + side * slippage(state, symbol, row, reference, abs(position["lots"])))
    book_fill(
        state,
        ts,
        row,
        0,
        symbol,
        _LIQUIDATION,
        side,
        0,
        price,
        abs(position["lots"]),
        reference,
        costs["liquidation_fee"],
        0,
    )
