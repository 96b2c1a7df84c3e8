"""An account as it is opened: cash, nothing held, and no price near which anything would happen."""

import numpy as np

from truewind.domain.account import ACCOUNT
from truewind.domain.instrument import Instrument
from truewind.domain.position import CROSS, POSITION
from truewind.errors import ConfigError
from truewind.numerics.exact import SAFE_INT64


def check_bookable(instrument: Instrument) -> None:
    """Raises ConfigError for an instrument whose profit the ledger cannot book."""
    if instrument.currency != instrument.quote and not instrument.inverse:
        raise ConfigError(
            f"{instrument.id} is priced in {instrument.quote} but settled in {instrument.currency}: its profit is no "
            "multiple of its price, and the ledger cannot book it",
            remedy="Trade linear or inverse instruments",
        )


def units_of(cash: float, currency: str, scale: int) -> int:
    """Cash in ledger units. Raises ConfigError for none, and for more than they can count."""
    units = round(cash * scale)
    if not 0 < units < SAFE_INT64:
        raise ConfigError(
            f"Cash of {cash:g} {currency} does not fit the ledger, which counts {scale} units to one",
            remedy=f"Start with less than {SAFE_INT64 / scale:g} {currency}, and more than nothing",
        )
    return units


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
