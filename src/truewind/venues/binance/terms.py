"""Binance's fees and margin tiers by date, as far as they could be found published: `fees.json`, `tiers.json`.

Each table names its source and from when it holds; where only a span is known, from its first moment. The venue's
current tiers come from `GET /fapi/v1/leverageBracket`, which needs an account.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from truewind.domain.clock import parse_ts_us
from truewind.domain.terms import FeeRates, Tier, TierTable
from truewind.errors import ConfigError, suggest

_PERCENT = Decimal(100)


def fee_tables(venue: str, level: int = 0) -> list[FeeRates]:
    """Dated maker and taker rates of a VIP level (0: regular). Raises ConfigError for a venue or level not listed."""
    found = []
    for table in _of(_read("fees.json"), venue)["tables"]:
        levels = table["levels"]
        if not 0 <= level < len(levels):
            since = datetime.fromtimestamp(parse_ts_us(table["since"]) / 1e6, UTC).date()
            raise ConfigError(
                f"{venue} has no VIP level {level} in its fees of {since}",
                remedy=f"Levels go from 0 to {len(levels) - 1}",
            )
        maker, taker = (Decimal(rate) / _PERCENT for rate in levels[level])
        found.append(FeeRates(parse_ts_us(table["since"]), maker, taker))
    return found


def bnb_discount(venue: str) -> Decimal:
    """Fraction taken off fees that are paid in BNB."""
    return Decimal(_of(_read("fees.json"), venue)["bnb_discount"])


def tier_tables(venue: str, symbol: str) -> list[TierTable]:
    """Dated margin tiers of a symbol. Raises ConfigError with the closest name if there are none."""
    symbols = _of(_read("tiers.json"), venue)
    if symbol not in symbols:
        raise ConfigError(
            f"No margin tiers of {symbol} at {venue}",
            remedy=f"{suggest(symbol, symbols)} Or set a flat maintenance rate",
        )
    return [
        TierTable(
            parse_ts_us(table["since"]),
            [Tier(Decimal(cap), Decimal(rate), leverage) for cap, rate, leverage in table["lines"]],
        )
        for table in symbols[symbol]
    ]


def known_tiers(venue: str, symbol: str) -> list[TierTable]:
    """`tier_tables`, empty for a venue or symbol without any."""
    known = _read("tiers.json")
    return tier_tables(venue, symbol) if venue != "about" and symbol in known.get(venue, {}) else []


def settlement_window_us(at_us: int) -> int:
    """Over how long before a settlement at this time Binance averages the index price.

    The last hour; since 2024-11-11 08:00 UTC the last 30 minutes (announced on 2024-11-04), as for delistings.
    """
    return 1_800_000_000 if at_us >= parse_ts_us("2024-11-11T08:00:00") else 3_600_000_000


def _of(tables: Mapping[str, Any], venue: str) -> Any:
    if venue not in tables or venue == "about":
        raise ConfigError(f"'{venue}' is none of Binance's markets", remedy=suggest(venue, tables.keys() - {"about"}))
    return tables[venue]


@cache
def _read(name: str) -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return data
