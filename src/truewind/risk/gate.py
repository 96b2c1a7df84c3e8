"""The risk gate: each new order is approved, reduced or denied, with the reason. Reducing orders always pass.

The rules are ordered; the first that leaves nothing of the order gives the reason. Only the part of an order
that opens or adds is limited: working orders of the same side count as if they were filled.
"""

from typing import Any

import numpy as np
from pydantic import Field

from truewind.config import Settings
from truewind.domain.order import Reason
from truewind.domain.risk import LIMITS
from truewind.numerics.jit import kernel

_NO_EQUITY = int(Reason.NO_EQUITY)
_DRAWDOWN = int(Reason.DRAWDOWN)
_POSITION_CAP = int(Reason.POSITION_CAP)
_EXPOSURE_CAP = int(Reason.EXPOSURE_CAP)
_GROSS_CAP = int(Reason.GROSS_CAP)
_NONE = int(Reason.NONE)


class RiskSettings(Settings):
    """Limits on what may be held, as fractions of equity.

    max_position: notional in one symbol. max_exposure: initial margin in use (notional ÷ leverage), all symbols.
    max_gross: notional, all symbols. max_drawdown: fall of equity from its peak, after any bar, that stops opening
    orders for the rest of the run (0: never).
    """

    max_position: float = Field(default=1.0, gt=0.0, le=1000.0)
    max_exposure: float = Field(default=0.10, gt=0.0, le=1.0)
    max_gross: float = Field(default=2.0, gt=0.0, le=1000.0)
    max_drawdown: float = Field(default=0.20, ge=0.0, lt=1.0)

    def record(self, leverage: float) -> np.ndarray:
        """These limits as one LIMITS record."""
        row = np.zeros(1, LIMITS)
        row[0] = (self.max_position, self.max_exposure, self.max_gross, self.max_drawdown, leverage)
        return row


@kernel
def judge(
    limit: Any, equity: float, halted: int, opening: int, committed: float, gross: float, lot_worth: float
) -> tuple[int, int]:
    """How many of `opening` lots may be opened, and the reason if fewer.

    halted: the drawdown limit was reached. committed: notional in this symbol that is held or on its way on the order's
    side, after its reducing part. gross: the most that all other symbols may come to. lot_worth: notional of one lot.
    Money in ledger units.
    """
    if opening <= 0:
        return opening, _NONE
    if not equity > 0.0:
        return 0, _NO_EQUITY
    if halted:
        return 0, _DRAWDOWN
    allowed = opening
    reason = _NONE
    room = limit["max_position"] * equity - committed
    if room < allowed * lot_worth:
        allowed, reason = _lots_in(room, lot_worth), _POSITION_CAP
    room = limit["max_exposure"] * limit["leverage"] * equity - committed - gross
    if room < allowed * lot_worth:
        allowed, reason = _lots_in(room, lot_worth), _EXPOSURE_CAP
    room = limit["max_gross"] * equity - committed - gross
    if room < allowed * lot_worth:
        allowed, reason = _lots_in(room, lot_worth), _GROSS_CAP
    return allowed, reason


@kernel
def _lots_in(room: float, lot_worth: float) -> int:
    """Whole lots that fit into `room`; the millionth of a lot forgives the float division."""
    if not room > 0.0:
        return 0
    return int(room / lot_worth + 1e-6)
