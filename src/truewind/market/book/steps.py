"""Prices and quantities of a source as whole ticks and lots: the one place where a book's floats become integers."""

import numpy as np

from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument
from truewind.errors import ValidationError

_MOST_TICKS = np.iinfo(np.int32).max  # of a price: BOOK_EVENT keeps so many


def in_ticks(instrument: Instrument, prices: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Prices in ticks. times: when each was, µs, for the error.

    Raises ValidationError for a price that is no multiple of the tick: the instrument is not the one that it was then.
    """
    ticks, odd = _steps(prices, float(instrument.tick_size))
    for bad, what in ((odd, "no multiple"), (ticks > _MOST_TICKS, "more than 2³¹ times the tick")):
        if bad.any():
            row = int(bad.argmax())
            raise ValidationError(
                f"{instrument.id}: price {prices[row]} is {what} of {instrument.tick_size}, at "
                f"{iso(int(times[row]))} ({bad.sum()} such rows)",
                remedy="Give the instrument the tick size that it had at the time",
                ts=int(times[row]),
            )
    return ticks


def in_lots(instrument: Instrument, quantities: np.ndarray) -> tuple[np.ndarray, int]:
    """Quantities in lots, and how many were no whole ones: orders from before the lot size changed, rounded down."""
    lots, odd = _steps(quantities, float(instrument.lot_size))
    return lots, int(odd.sum())


def _steps(values: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers as whole steps, rounded down, and which were not whole. Floats tell 10¹⁵ steps apart."""
    exact = values / step
    whole = np.round(exact)
    odd = ~(np.abs(exact - whole) <= 1e-6 * np.maximum(1.0, np.abs(exact) * 1e-9))
    return np.where(odd, np.floor(exact), whole).astype(np.int64), odd
