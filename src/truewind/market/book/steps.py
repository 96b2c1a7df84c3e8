"""Prices and quantities of a source as whole ticks and lots: the one place where a book's floats become integers."""

import numpy as np

from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument
from truewind.errors import ValidationError

_NEAR = 1e-6  # of a step: floats of decimals are nearer to a whole number of steps than that
_MOST_TICKS = np.iinfo(np.int32).max  # of a price: BOOK_EVENT keeps so many


def in_ticks(instrument: Instrument, prices: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Prices in ticks. times: when each was, µs, for the error.

    Raises ValidationError for a price that is no multiple of the tick: the instrument is not the one that it was then.
    """
    ticks, odd = _steps(prices, float(instrument.tick_size))
    if odd is not None:
        raise _refused(instrument, prices, times, odd, "no multiple")
    if ticks.max(initial=0) > _MOST_TICKS:
        raise _refused(instrument, prices, times, ticks > _MOST_TICKS, "more than 2³¹ times the tick")
    return ticks


def in_lots(instrument: Instrument, quantities: np.ndarray) -> tuple[np.ndarray, int]:
    """Quantities in lots, and how many were no whole ones: orders from before the lot size changed, rounded down."""
    lots, odd = _steps(quantities, float(instrument.lot_size))
    return lots, 0 if odd is None else int(odd.sum())


def _steps(values: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Numbers as whole steps, rounded down, and which were not whole, None if all were.

    Floats tell 10¹⁵ steps apart, so that beyond 10⁹ of them what is whole is so by more than a millionth of a step.
    """
    exact = values / step
    whole = np.rint(exact)
    off = np.abs(exact - whole)
    if off.max(initial=0.0) <= _NEAR:
        return whole.astype(np.int64), None
    odd = ~(off <= _NEAR * np.maximum(1.0, np.abs(exact) * 1e-9))
    return np.where(odd, np.floor(exact), whole).astype(np.int64), odd if odd.any() else None


def _refused(
    instrument: Instrument, prices: np.ndarray, times: np.ndarray, bad: np.ndarray, what: str
) -> ValidationError:
    row = int(bad.argmax())
    return ValidationError(
        f"{instrument.id}: price {prices[row]} is {what} of {instrument.tick_size}, at {iso(int(times[row]))} "
        f"({bad.sum()} such rows)",
        remedy="Give the instrument the tick size that it had at the time",
        ts=int(times[row]),
    )
