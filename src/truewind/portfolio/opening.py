"""An account as it is opened: cash, nothing held, and no price near which anything would happen."""

import numpy as np

from truewind.domain.account import ACCOUNT
from truewind.domain.position import CROSS, POSITION


def open_account(units: int, max_drawdown: float) -> np.ndarray:
    """One ACCOUNT record. units: of cash, in the ledger's; max_drawdown: at which it halts, 0 for never."""
    account = np.zeros(1, ACCOUNT)
    for name in ("cash", "initial", "equity", "peak"):
        account[name] = units
    account["keep"] = 1.0 - max_drawdown if max_drawdown > 0.0 else -np.inf
    return account


def flat_positions(isolated: np.ndarray, *, hedge: bool) -> np.ndarray:
    """A POSITION record for each symbol, in hedge mode for the short legs as well. isolated: margin, by symbol."""
    legs = 2 if hedge else 1
    positions = np.zeros(legs * len(isolated), POSITION)
    positions["symbol"] = np.tile(np.arange(len(isolated)), legs)
    positions["wallet"] = np.where(np.tile(isolated, legs) != 0, 0, CROSS)
    for low, high in (("low_at", "high_at"), ("mark_low_at", "mark_high_at"), ("safe_low", "safe_high")):
        positions[low], positions[high] = -np.inf, np.inf
    positions["close"] = positions["mark"] = np.nan
    positions["entry_rate"] = 1.0
    return positions
