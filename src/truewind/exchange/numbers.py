"""Ticks and lots as the venue writes them: spot with eight decimals, futures with those of tick and lot."""

from decimal import Decimal
from fractions import Fraction

import numpy as np

from truewind.domain.instrument import Instrument

SPOT_DECIMALS = 8


class Numbers:
    """Texts of one instrument's prices and quantities, exact."""

    def __init__(self, about: Instrument, *, spot: bool) -> None:
        self.price_decimals = SPOT_DECIMALS if spot else _decimals(about.tick_size)
        self.quantity_decimals = SPOT_DECIMALS if spot else _decimals(about.lot_size)
        self.notional_decimals = SPOT_DECIMALS if spot else _decimals(about.tick_size) + _decimals(about.lot_size)
        self._tick = int(Fraction(about.tick_size) * 10**self.price_decimals)
        self._lot = int(Fraction(about.lot_size) * 10**self.quantity_decimals)
        self._unit = Fraction(about.tick_size) * Fraction(about.lot_size) * 10**self.notional_decimals
        self.tick_size, self.lot_size = float(about.tick_size), float(about.lot_size)

    def price(self, ticks: int) -> str:
        return fixed(ticks * self._tick, self.price_decimals)

    def quantity(self, lots: int) -> str:
        return fixed(lots * self._lot, self.quantity_decimals)

    def notional(self, worth: int) -> str:
        """worth: a sum of ticks × lots."""
        return fixed(int(worth * self._unit), self.notional_decimals)

    def ticks(self, price: float) -> int:
        return round(price / self.tick_size)

    def lots(self, quantity: float) -> int:
        return round(quantity / self.lot_size)

    def all_ticks(self, prices: np.ndarray) -> np.ndarray:
        """Prices in ticks, the nearest where one lies between two: what the source has is traded, odd or not."""
        return np.rint(prices / self.tick_size).astype(np.int64)

    def all_lots(self, quantities: np.ndarray) -> np.ndarray:
        return np.rint(quantities / self.lot_size).astype(np.int64)


def fixed(value: int, decimals: int) -> str:
    """`value` / 10^decimals with all its decimals: fixed(-5, 2) == "-0.05"."""
    if decimals == 0:
        return str(value)
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 10**decimals)
    return f"{sign}{whole}.{rest:0{decimals}d}"


def _decimals(step: Decimal) -> int:
    """Decimal places of a step: 3 of 0.001, 1 of 0.10."""
    denominator = Fraction(step).denominator
    places = 0
    while 10**places % denominator:
        places += 1
    return places
