"""Instruments: what can be traded, in which steps, and what a step is worth. All arithmetic here is exact.

Engine and ledger count prices in ticks, quantities in lots and money in units of the currency's precision,
all int64; this file is where decimals become integers and back.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction

import msgspec
import numpy as np

from truewind.errors import InstrumentError

# Decimal places in which the ledger counts a currency; what is not listed (coins, stablecoins) has 8.
CURRENCY_PRECISION = {"USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "AUD": 2, "CAD": 2, "NZD": 2, "JPY": 0}
DEFAULT_PRECISION = 8


_DIGITS = 60  # decimal digits that keep products of three 64-bit integers exact


def currency_precision(currency: str) -> int:
    """Decimal places of one ledger unit of `currency`."""
    return CURRENCY_PRECISION.get(currency, DEFAULT_PRECISION)


class Kind(StrEnum):
    SPOT = "spot"
    PERPETUAL = "perpetual"
    FUTURE = "future"
    EQUITY = "equity"
    FX = "fx"
    INDEX = "index"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable thing at one venue.

    tick_size, lot_size: smallest step of price (quote units) and quantity (base units or contracts).
    multiplier: base units in one contract (1 for spot and linear perpetuals of the usual kind).
    min_quantity, max_quantity: limits of one order (0: none); min_notional: least worth of an order in quote.
    settle: the currency that profit, loss and margin are in; the quote currency except for inverse contracts.
    expiry_us: last moment of a dated future, else None.
    inferred: the steps were guessed from the data, not given by the venue; reports say so.
    """

    symbol: str
    venue: str
    kind: Kind
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    settle: str = ""
    multiplier: Decimal = Decimal(1)
    min_quantity: Decimal = Decimal(0)
    max_quantity: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    expiry_us: int | None = None
    calendar: str = "crypto"
    inferred: bool = False

    def __post_init__(self) -> None:
        for name in ("tick_size", "lot_size", "multiplier"):
            if not getattr(self, name).is_finite() or getattr(self, name) <= 0:
                raise InstrumentError(
                    f"{self.id}: {name} must be positive, is {getattr(self, name)}", remedy="Mend the instrument"
                )

    @property
    def id(self) -> str:
        """Symbol and venue, unique in the house: "BTCUSDT.binance"."""
        return f"{self.symbol}.{self.venue}"

    @property
    def currency(self) -> str:
        """The currency in which profit and loss are booked."""
        return self.settle or self.quote

    @property
    def can_short(self) -> bool:
        return self.kind is not Kind.SPOT

    def ticks(self, price: Decimal | str | float, rounding: str = ROUND_HALF_EVEN) -> int:
        """Price in ticks, exactly; a float is read by its shortest decimal form. Raises InstrumentError."""
        return _steps(self, "price", price, self.tick_size, rounding)

    def lots(self, quantity: Decimal | str | float, rounding: str = ROUND_FLOOR) -> int:
        """Quantity in lots; by default rounded down, so that an order is never larger than was asked for."""
        return _steps(self, "quantity", quantity, self.lot_size, rounding)

    def price(self, ticks: int) -> Decimal:
        return self.tick_size * int(ticks)

    def quantity(self, lots: int) -> Decimal:
        return self.lot_size * int(lots)

    def notional(self, ticks: int, lots: int) -> Decimal:
        """Worth of `lots` at `ticks`, in the quote currency, unrounded."""
        with localcontext(prec=_DIGITS):
            return self.price(ticks) * self.quantity(lots) * self.multiplier

    def unit_value(self) -> Fraction:
        """Ledger units (of `currency`) per tick and lot: exact, often not whole."""
        scale = 10 ** currency_precision(self.currency)
        return Fraction(self.tick_size * self.lot_size * self.multiplier) * Fraction(scale)

    def min_lots(self) -> int:
        return max(1, self.lots(self.min_quantity, ROUND_CEILING))

    def max_lots(self) -> int:
        return self.lots(self.max_quantity) if self.max_quantity else np.iinfo(np.int64).max


def _steps(instrument: Instrument, what: str, value: Decimal | str | float, step: Decimal, rounding: str) -> int:
    try:
        with localcontext(prec=_DIGITS):
            exact = value if isinstance(value, Decimal) else Decimal(str(value))
            return int((exact / step).to_integral_value(rounding))
    except (ArithmeticError, ValueError, TypeError):
        raise InstrumentError(
            f"{instrument.id}: {what} {value!r} is not a finite number", remedy="Give a number", value=value
        ) from None


# What kernels know of an instrument. price = ticks · tick_num / tick_den (one rounding: the nearest float);
# ledger units = ticks · lots · unit_num / unit_den. worth: ledger units of one lot per unit of price.
INSTRUMENT = np.dtype(
    [
        ("tick_num", np.int64),
        ("tick_den", np.int64),
        ("lot_num", np.int64),
        ("lot_den", np.int64),
        ("unit_num", np.int64),
        ("unit_den", np.int64),
        ("min_lots", np.int64),
        ("max_lots", np.int64),
        ("min_notional", np.int64),
        ("can_short", np.int64),
        ("worth", np.float64),
    ],
    align=True,
)


def instrument_row(instrument: Instrument) -> "np.ndarray":
    """`instrument` as one INSTRUMENT record, for kernels. Raises InstrumentError if a step does not fit int64."""
    tick, lot = Fraction(instrument.tick_size), Fraction(instrument.lot_size)
    unit = instrument.unit_value()
    scale = 10 ** currency_precision(instrument.currency)
    row = np.zeros(1, INSTRUMENT)
    values = {
        "tick_num": tick.numerator,
        "tick_den": tick.denominator,
        "lot_num": lot.numerator,
        "lot_den": lot.denominator,
        "unit_num": unit.numerator,
        "unit_den": unit.denominator,
        "min_lots": instrument.min_lots(),
        "max_lots": instrument.max_lots(),
        "min_notional": int((instrument.min_notional * scale).to_integral_value(ROUND_CEILING)),
        "can_short": int(instrument.can_short),
    }
    for name, value in values.items():
        if abs(value) > np.iinfo(np.int64).max:
            raise InstrumentError(f"{instrument.id}: {name} = {value} does not fit 64 bits")
        row[0][name] = value
    row[0]["worth"] = float(unit / tick)
    return row
