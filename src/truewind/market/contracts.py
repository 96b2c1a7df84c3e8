"""Contracts: instruments as a person describes them, and dated futures of the lake joined into one series."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec
import polars as pl

from truewind.domain.calendar import calendar
from truewind.domain.clock import iso, parse_ts_us
from truewind.domain.instrument import Instrument, Kind
from truewind.errors import ConfigError, MissingFileError, UnknownSeriesError, suggest
from truewind.market.continuous import Contract, continuous
from truewind.market.files.names import split_symbol
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

# What an instrument of a kind is taken for where nobody says otherwise: US shares in cents, currencies in a tenth of a
# pip and micro lots of a thousand units.
_USUAL: Mapping[Kind, dict[str, Any]] = {
    Kind.EQUITY: {"quote": "USD", "tick_size": Decimal("0.01"), "lot_size": Decimal(1), "calendar": "us_equities"},
    Kind.FX: {"tick_size": Decimal("0.00001"), "lot_size": Decimal(1000), "calendar": "fx"},
}
_NUMBERS = ("tick_size", "lot_size", "multiplier", "min_quantity", "min_notional")


def describe(lake: Lake, venue: str, symbol: str, said: Mapping[str, Any]) -> Instrument:
    """Keep the instrument in the lake as `said` (fields of Instrument; numbers and expiry as text), and return it.

    What is not said stays as it was; of a new instrument it is what is usual for its kind. Raises ConfigError for what
    is missing or cannot be, InstrumentError.
    """
    given = dict(said)
    for name in _NUMBERS:
        if name in given:
            given[name] = _number(name, given[name])
    if "kind" in given:
        if given["kind"] not in list(Kind):
            raise ConfigError(f"No kind of instrument '{given['kind']}'", remedy=suggest(given["kind"], list(Kind)))
        given["kind"] = Kind(given["kind"])
    if "expiry" in given:
        given["expiry_us"] = parse_ts_us(given.pop("expiry"))
    calendar(given.get("calendar", "crypto"))
    try:
        known = lake.instrument(venue, symbol)
    except (UnknownSeriesError, MissingFileError):
        known = None
    usual = _USUAL.get(given["kind"], {}) if "kind" in given else {}
    if known is not None and known.inferred and "kind" in given:
        usual = {"tick_size": known.tick_size, "lot_size": known.lot_size} | usual
    if known is not None and not (known.inferred and "kind" in given):
        made = msgspec.structs.replace(known, **given, inferred=False)
    else:
        pair = split_symbol(symbol) or ("", "")
        named = {"base": pair[0] or symbol} | ({"quote": pair[1]} if pair[1] else {})
        fields = named | usual | given
        missing = [name for name in ("kind", "quote", "tick_size", "lot_size") if name not in fields]
        if missing:
            raise ConfigError(
                f"{symbol}.{venue} is not known, and nothing says its {', '.join(missing)}",
                remedy="Give " + " ".join(f"--{name.removesuffix('_size')}" for name in missing),
            )
        made = Instrument(venue=venue, symbol=symbol, **fields)
    lake.put_instrument(made)
    return made


def _number(name: str, text: object) -> Decimal:
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        raise ConfigError(f"{name} '{text}' is no number", remedy="Write it with a decimal point: 0.01") from None
    return value


def join(
    lake: Lake,
    venue: str,
    symbols: Sequence[str],
    timeframe: str,
    into: str,
    *,
    roll: Literal["expiry", "volume"] = "expiry",
    days: float = 3.0,
    adjust: Literal["none", "ratio", "difference"] = "ratio",
) -> list[tuple[str, str]]:
    """Write the continuous series of dated futures as bars of the symbol `into`; (contract, first bar) in order.

    The new symbol has the steps of the last contract and no expiry. With adjusted prices it is an index, for features
    and research: its levels are those of no market. Raises UnknownSeriesError, ConfigError for a contract without
    expiry, and as `continuous` does.
    """
    contracts = []
    for symbol in symbols:
        about = lake.instrument(venue, symbol)
        if about.expiry_us is None:
            raise ConfigError(
                f"{about.id} has no expiry",
                remedy=f"Say when it ends: truewind data instrument {symbol} --venue {venue} --expiry 2024-03-29",
            )
        contracts.append(Contract(symbol, about.expiry_us, lake.read(SeriesKey("bars", venue, symbol, timeframe))))
    table = continuous(contracts, roll=roll, days=days, adjust=adjust)
    first = table.group_by("contract", maintain_order=True).agg(pl.col("ts").first())
    lake.write(SeriesKey("bars", venue, into, timeframe), table.drop("contract"))
    last = lake.instrument(venue, max(contracts, key=lambda contract: contract.expiry_us).symbol)
    kind = Kind.FUTURE if adjust == "none" else Kind.INDEX
    lake.put_instrument(msgspec.structs.replace(last, symbol=into, kind=kind, expiry_us=None, inferred=True))
    return [(contract, iso(parse_ts_us(ts))) for contract, ts in first.iter_rows()]
