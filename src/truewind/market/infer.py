"""Inference: an instrument from its name and its prices, for data that come without the venue's own rules.

What is inferred is marked so (`Instrument.inferred`). Later data with finer prices refine what was inferred, never what
a venue gave; either is noted in the import report.
"""

from decimal import Decimal

import numpy as np
import polars as pl

from truewind.domain.instrument import Instrument, Kind
from truewind.errors import InstrumentError
from truewind.market.files.names import split_symbol

MAX_LOT_DECIMALS = 8
MAX_PRICE_DIGITS = 10  # more are no prices of an order book, and ticks have to leave room in 64 bits
NOISE = 1e-12
_PRICED = (("price",), ("bid", "ask"), ("open", "high", "low", "close"))
_SIZED = (("quantity",), ("bid_quantity", "ask_quantity"), ("volume",))
PERPETUAL_VENUES = ("binance_usdm",)


def decimals(values: pl.Series, most: int) -> int:
    """Decimal places of the finest of `values`, at most `most`.

    Files made by arithmetic hold 0.0009683000000000001 where the venue said 0.0009683: what differs by less than a part
    in 10¹² is taken for the shorter number.
    """
    rest = values.drop_nulls().to_numpy()
    for places in range(most):
        scale = 10.0**places
        rest = rest[np.abs(np.round(rest * scale) / scale - rest) > NOISE * np.abs(rest)]
        if not rest.size:
            return places
    return most


def price_decimals(rows: pl.DataFrame) -> int:
    """Decimal places of the finest price in bars, trades or quotes."""
    columns = next(names for names in _PRICED if names[0] in rows.columns)
    highest = max(float(rows[name].max() or 0) for name in columns)  # type: ignore[arg-type]  # prices are floats
    whole = len(str(int(highest))) if highest >= 1 else -_leading_zeros(highest)
    most = max(0, MAX_PRICE_DIGITS - whole)
    return max(decimals(rows[name], most) for name in columns)


def quantity_decimals(rows: pl.DataFrame) -> int:
    """Decimal places of the finest volume or quantity, at most 8."""
    columns = next(names for names in _SIZED if names[0] in rows.columns)
    return max(decimals(rows[name], MAX_LOT_DECIMALS) for name in columns)


def infer_instrument(venue: str, symbol: str, tick_decimals: int, lot_decimals: int) -> Instrument:
    """The instrument that `symbol` at `venue` seems to be. Raises InstrumentError if its name does not tell."""
    pair = split_symbol(symbol)
    if pair is None:
        raise InstrumentError(
            f"{symbol}.{venue}: no known quote currency ends the symbol, so no instrument was inferred",
            remedy=f"Say what it is: truewind data instrument {symbol} --venue {venue} --kind equity",
        )
    if venue == "binance_coinm" or "_" in symbol:
        raise InstrumentError(
            f"{symbol}.{venue}: contract size and expiry are not in the data, so no instrument was inferred",
            remedy=f"Say what it is: truewind data instrument {symbol} --venue {venue} --kind future --expiry …",
        )
    return Instrument(
        symbol=symbol,
        venue=venue,
        kind=Kind.PERPETUAL if venue in PERPETUAL_VENUES else Kind.SPOT,
        base=pair[0],
        quote=pair[1],
        tick_size=Decimal(1).scaleb(-tick_decimals),
        lot_size=Decimal(1).scaleb(-lot_decimals),
        inferred=True,
    )


def _leading_zeros(value: float) -> int:
    """Zeros between the point and the first digit of a number below 1."""
    return max(0, -Decimal(repr(value)).adjusted() - 1) if value > 0 else 0
