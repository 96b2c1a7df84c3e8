"""Margin tiers by date: those that came with the package, and those that were seen since and lie in the lake.

A run takes the ones that held: each table holds from when it was first seen (or announced) until the next one.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from truewind.domain.instrument import Instrument
from truewind.domain.terms import Tier, TierTable
from truewind.errors import CorruptError, ProtocolError
from truewind.storage.lake import Lake
from truewind.storage.schema import TS
from truewind.venues.binance.terms import known_tiers

TIERS = "tiers"
_SCHEMA: dict[str, pl.DataType] = {
    "venue": pl.String(),
    "symbol": pl.String(),
    "since": pl.Int64(),
    "lines": pl.String(),
    "source": pl.String(),
}
_Lines = list[tuple[str, str, int]]  # as in tiers.json: cap, rate, leverage


class _Bracket(msgspec.Struct):
    """A line of GET /fapi/v1/leverageBracket. Numbers come as JSON numbers; Decimal keeps their digits."""

    initialLeverage: int  # noqa: N815 the venue's name
    notionalCap: Decimal  # noqa: N815
    maintMarginRatio: Decimal  # noqa: N815


class _Brackets(msgspec.Struct):
    symbol: str
    brackets: list[_Bracket]


def read_brackets(body: bytes) -> dict[str, list[Tier]]:
    """The tiers of each symbol in a leverageBracket reply. Raises ProtocolError if it is none."""
    try:
        found = msgspec.json.decode(body, type=list[_Brackets])
    except msgspec.MsgspecError as error:
        raise ProtocolError(
            f"The venue's margin tiers cannot be read: {error}", remedy="This truewind may be too old"
        ) from None
    return {
        one.symbol: [
            Tier(line.notionalCap, line.maintMarginRatio, line.initialLeverage)
            for line in sorted(one.brackets, key=lambda line: line.notionalCap)
        ]
        for one in found
    }


def keep_tiers(lake: Lake, venue: str, tiers: Mapping[str, Sequence[Tier]], at_us: int, source: str) -> list[str]:
    """Keep the tiers that held at `at_us`, of those symbols whose last table differs; returns these symbols."""
    changed, kept = [], lake.records(TIERS)
    for symbol, lines in tiers.items():
        before = [table for table in _tables(kept, venue, symbol) if table.since_us <= at_us]
        if not before or _plain(before[-1].tiers) != _plain(lines):
            text = msgspec.json.encode(_plain(lines)).decode()
            changed.append((venue, symbol, at_us, text, source))
    if changed:
        table = pl.DataFrame(changed, schema=_SCHEMA, orient="row").with_columns(pl.col("since").cast(TS))
        lake.put_record(TIERS, f"{venue}-{at_us}", table)
    return [symbol for _, symbol, *_ in changed]


def tier_tables(lake: Lake, venue: str, symbol: str) -> list[TierTable]:
    """All dated tables of a symbol, by date; what the lake has comes before what the package has of the same date."""
    return _tables(lake.records(TIERS), venue, symbol)


def _tables(kept: pl.DataFrame, venue: str, symbol: str) -> list[TierTable]:
    tables = {table.since_us: table for table in known_tiers(venue, symbol)}
    if not kept.is_empty():
        rows = kept.filter((pl.col("venue") == venue) & (pl.col("symbol") == symbol))
        for since, text in rows.select(pl.col("since").to_physical(), "lines").iter_rows():
            tables[since] = TierTable(since, _read(text, venue, symbol))
    return [tables[since] for since in sorted(tables)]


def tiers_of(lake: Lake, instruments: Iterable[Instrument]) -> dict[str, list[TierTable]]:
    """The tables of instruments by their id; without those that have none."""
    kept = lake.records(TIERS)
    found = {about.id: _tables(kept, about.venue, about.symbol) for about in instruments}
    return {name: tables for name, tables in found.items() if tables}


def _plain(tiers: Sequence[Tier]) -> _Lines:
    return [(f"{tier.cap.normalize():f}", f"{tier.rate.normalize():f}", tier.leverage) for tier in tiers]


def _read(text: str, venue: str, symbol: str) -> list[Tier]:
    try:
        lines: Any = msgspec.json.decode(text, type=_Lines)
    except msgspec.MsgspecError as error:
        raise CorruptError(
            f"Margin tiers of {symbol} at {venue} cannot be read: {error}", remedy="Refresh them"
        ) from None
    return [Tier(Decimal(cap), Decimal(rate), leverage) for cap, rate, leverage in lines]
