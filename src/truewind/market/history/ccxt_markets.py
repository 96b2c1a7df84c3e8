"""Markets of ccxt: an exchange's own symbol ↔ ccxt's, and instruments with their steps and limits.

Quantities of linear contracts are in base units here, whatever the contract's size: a perpetual is then measured like
spot. Contracts of inverse ones stay contracts, as on Binance.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from truewind.domain.instrument import Instrument, Kind
from truewind.errors import ConfigError, InstrumentError, UnknownSeriesError, suggest

_KINDS = {"spot": Kind.SPOT, "swap": Kind.PERPETUAL, "future": Kind.FUTURE}
_TICK_SIZE, _DECIMAL_PLACES = 4, 2  # ccxt's precision modes


def split_venue(venue: str) -> tuple[str, str]:
    """ccxt's exchange and the type of market that a venue name asks for: "bybit_swap" → ("bybit", "swap").

    Without a type, spot is meant wherever a symbol is several things (Bybit's BTCUSDT).
    """
    name, _, kind = venue.rpartition("_")
    return (name, kind) if name and kind in _KINDS else (venue, "")


def market_of(markets: Mapping[str, Any], venue: str, symbol: str) -> Mapping[str, Any]:
    """The market that the venue calls `symbol`. Raises UnknownSeriesError, ConfigError for ccxt's own spelling."""
    _, kind = split_venue(venue)
    mine = [market for market in markets.values() if market["type"] in _KINDS and kind in ("", market["type"])]
    same = [market for market in mine if market["id"] == symbol]
    if len(same) > 1:
        same = [market for market in same if market["type"] == "spot"] or same[:1]
    if same:
        chosen: Mapping[str, Any] = same[0]
        return chosen
    if symbol in markets:
        raise ConfigError(
            f"'{symbol}' is ccxt's spelling",
            remedy=f"Write {markets[symbol]['id']}, as the exchange does",
            symbol=symbol,
        )
    raise UnknownSeriesError(
        f"{venue} has no market '{symbol}'", remedy=suggest(symbol, {m["id"] for m in mine}), symbol=symbol
    )


def contract_size(market: Mapping[str, Any]) -> float:
    """Base units in one unit of the exchange's quantities; 1 for inverse contracts, which are counted."""
    return float(market.get("contractSize") or 1.0) if market.get("linear") else 1.0


def instrument_of(market: Mapping[str, Any], venue: str, precision_mode: int) -> Instrument:
    """A market as an instrument. Raises InstrumentError where the exchange does not tell its steps."""
    steps = market["precision"]
    tick, lot = (_step(steps.get(name), precision_mode) for name in ("price", "amount"))
    if tick is None or lot is None:
        raise InstrumentError(
            f"{market['id']}.{venue}: the exchange tells no step of price or quantity",
            remedy=f"Say it: truewind data instrument {market['id']} --venue {venue} --tick … --lot …",
        )
    size = _number(market.get("contractSize")) or Decimal(1)
    linear = bool(market.get("linear"))
    scale = size if linear else Decimal(1)
    amount, cost = market["limits"].get("amount") or {}, market["limits"].get("cost") or {}
    kind = _KINDS[market["type"]]
    return Instrument(
        symbol=market["id"],
        venue=venue,
        kind=kind,
        base=market["base"],
        quote=market["quote"],
        settle=market["settle"] or "",
        tick_size=tick,
        lot_size=lot * scale,
        multiplier=Decimal(1) if linear or kind is Kind.SPOT else size,
        min_quantity=_number(amount.get("min")) * scale,
        max_quantity=_number(amount.get("max")) * scale,
        min_notional=_number(cost.get("min")),
        expiry_us=int(market["expiry"]) * 1000 if kind is Kind.FUTURE and market.get("expiry") else None,
    )


def _step(value: Any, precision_mode: int) -> Decimal | None:
    """A step of ccxt: given as itself, or as a number of decimal places; None if it is not told."""
    if value is None or precision_mode not in (_TICK_SIZE, _DECIMAL_PLACES):
        return None
    step = _number(value) if precision_mode == _TICK_SIZE else Decimal(1).scaleb(-int(value))
    return step if step > 0 else None


def _number(value: Any) -> Decimal:
    """Exact by the shortest decimal form, 0 where there is none."""
    number = Decimal(str(value)) if value is not None else Decimal(0)
    return number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()
