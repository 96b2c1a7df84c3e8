"""Instruments: what can be traded, in which steps, and what a step is worth. All arithmetic here is exact.

Engine and ledger count prices in ticks, quantities in lots and money in units of the currency's precision,
all int64; this file is where decimals become integers and back.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction

import msgspec
import numpy as np

from truewind.domain.filters import FILTERS, Filters
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
    multiplier: base units in one contract (1 for spot and linear perpetuals of the usual kind); of an inverse contract,
    quote units (Binance's BTCUSD: 100).
    min_quantity, max_quantity: limits of one order (0: none); min_notional: least worth of an order in quote.
    settle: the currency that profit, loss and margin are in; the quote currency except for inverse contracts.
    expiry_us: last moment of a dated future, else None. filters: the venue's further rules for an order.
    inferred: the steps were guessed from the data, not given by the venue; reports say so. order_step: what an order's
    quantity is a multiple of, where a position may be finer (0: the lot). called: what a run over several venues calls
    it (empty: its symbol).
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
    filters: Filters = Filters()
    order_step: Decimal = Decimal(0)
    called: str = ""

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
    def name(self) -> str:
        """What a run calls it: its symbol, or with its venue before it: "binance:BTCUSDT"."""
        return self.called or self.symbol

    @property
    def currency(self) -> str:
        """The currency in which profit and loss are booked."""
        return self.settle or self.quote

    @property
    def can_short(self) -> bool:
        return self.kind is not Kind.SPOT

    @property
    def inverse(self) -> bool:
        """Whether it is margined in the coin that it prices: profit is then linear in 1 / price, not in price."""
        return self.settle == self.base != self.quote and self.kind in (Kind.PERPETUAL, Kind.FUTURE)

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
        """Worth of `lots` at `ticks` in `currency`, unrounded (an inverse contract's to 60 digits)."""
        with localcontext(prec=_DIGITS):
            contracts = self.quantity(lots) * self.multiplier
            return contracts / self.price(ticks) if self.inverse else contracts * self.price(ticks)

    def unit_value(self) -> Fraction:
        """Ledger units (of `currency`) per tick and lot, of an inverse contract per lot and 1 / tick: exact."""
        scale = Fraction(10 ** currency_precision(self.currency))
        tick, contracts = Fraction(self.tick_size), Fraction(self.lot_size) * Fraction(self.multiplier)
        return contracts * scale / tick if self.inverse else contracts * scale * tick

    def min_lots(self) -> int:
        return max(self.step_lots(), self.lots(self.min_quantity, ROUND_CEILING))

    def step_lots(self) -> int:
        """Lots that an order has a multiple of."""
        return max(1, self.lots(self.order_step))

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
# multiplier: base units in one unit of quantity (a contract). step: lots that an order has a multiple of.
# rate: what one unit of its currency is worth in the account's; worth = own_worth × rate, min_notional is in its own.
# Of an inverse contract: ledger units = lots · unit_num / (ticks · unit_den), and worth is per unit of 1 / price.
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
        ("multiplier", np.float64),
        ("inverse", np.int64),
        ("step", np.int64),
        ("rate", np.float64),
        ("own_worth", np.float64),
    ],
    align=True,
)


def instrument_row(instrument: Instrument, currency: str = "") -> "np.ndarray":
    """`instrument` as one INSTRUMENT record, for kernels. currency: the account's, whose precision the ledger has.

    Raises InstrumentError if a step does not fit int64.
    """
    tick, lot = Fraction(instrument.tick_size), Fraction(instrument.lot_size)
    scale = 10 ** currency_precision(currency or instrument.currency)
    unit = instrument.unit_value() * Fraction(scale, 10 ** currency_precision(instrument.currency))
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
        "inverse": int(instrument.inverse),
        "step": instrument.step_lots(),
    }
    for name, value in values.items():
        if abs(value) > np.iinfo(np.int64).max:
            raise InstrumentError(
                f"{instrument.id}: {name} = {value} does not fit 64 bits",
                remedy="Mend the instrument: its steps are too fine, or its bounds too wide",
                value=value,
            )
        row[0][name] = value
    row[0]["worth"] = float(unit * tick if instrument.inverse else unit / tick)
    row[0]["own_worth"], row[0]["rate"] = row[0]["worth"], 1.0
    row[0]["multiplier"] = float(instrument.multiplier)
    return row


def filters_row(instrument: Instrument, currency: str = "") -> "np.ndarray":
    """The venue's rules for `instrument` as one FILTERS record; limits are rounded to the strict side."""
    rules, most = instrument.filters, int(np.iinfo(np.int64).max)
    scale = 10 ** currency_precision(currency or instrument.currency)
    row = np.zeros(1, FILTERS)
    record = row[0]
    record["min_price"] = max(1, instrument.ticks(rules.min_price, ROUND_CEILING))
    record["max_price"] = instrument.ticks(rules.max_price, ROUND_FLOOR) if rules.max_price else most
    record["min_lots"], record["max_lots"] = instrument.min_lots(), instrument.max_lots()
    record["market_step"] = max(1, instrument.lots(rules.market_lot_size, ROUND_CEILING))
    record["market_min_lots"] = instrument.lots(rules.market_min_quantity, ROUND_CEILING)
    record["market_max_lots"] = instrument.lots(rules.market_max_quantity) if rules.market_max_quantity else most
    record["min_notional"] = int((instrument.min_notional * scale).to_integral_value(ROUND_CEILING))
    record["max_notional"] = min(most, int(rules.max_notional * scale)) if rules.max_notional else most
    for name in ("market_min_notional", "market_max_notional"):
        record[name] = getattr(rules, name)
    for name in ("max_orders", "max_conditional", "max_icebergs", "iceberg_parts"):
        record[name] = getattr(rules, name) or most
    record["max_position"] = instrument.lots(rules.max_position) if rules.max_position else most
    for name in ("trailing_above", "trailing_below"):
        least, greatest = getattr(rules, name)
        record[f"min_{name}"], record[f"max_{name}"] = least, greatest or most
    for name in ("bid_down", "ask_down"):
        record[name] = float(getattr(rules, name))
    for name in ("bid_up", "ask_up"):
        record[name] = float(getattr(rules, name)) or np.inf
    return row
