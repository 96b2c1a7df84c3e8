"""Replies of Kraken's REST API as files: /0/public/OHLC and /0/public/Trades.

Source: docs.kraken.com, "Get OHLC Data" and "Get Recent Trades". The last bar of an OHLC reply is not over; it carries
its own opening as `close_time`, so that validation refuses it as unfinished.
"""

from itertools import pairwise
from typing import Any

import msgspec
import polars as pl

from truewind.domain.timeframe import timeframe_name
from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member
from truewind.market.files.table import ROW
from truewind.market.files.values import TS
from truewind.market.formats.part import Part
from truewind.storage.schema import SeriesKey

_VENUE = "kraken"
_BAR, _TRADE = 8, (6, 7)  # fields of a row; trades have an id since 2022


class _Reply(msgspec.Struct):
    error: list[str]
    result: dict[str, Any]


def read(member: Member) -> list[Part] | None:
    """The series in a reply, None for any other file. Raises FormatError for a reply of another shape."""
    if member.encoding is not Encoding.TEXT or not member.data.lstrip().startswith(b"{"):
        return None
    try:
        reply = msgspec.json.decode(member.data, type=_Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if reply.error:
        raise FormatError(f"{member.label} is an error of Kraken: {', '.join(reply.error)}", remedy="Fetch it again")
    tables = {name: rows for name, rows in reply.result.items() if isinstance(rows, list) and rows}
    if not tables:
        raise FormatError(f"{member.label} is a reply without rows", remedy="Leave it out")
    return [_part(name, rows, member) for name, rows in tables.items()]


def _part(symbol: str, rows: list[Any], member: Member) -> Part:
    widths = {len(row) if isinstance(row, list) else 0 for row in rows}
    try:
        if widths == {_BAR}:
            return _bars(symbol, rows)
        if widths <= set(_TRADE):
            return _trades(symbol, rows)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise FormatError(
            f"{member.label}: a row of {symbol} cannot be read: {error}", remedy="Fetch it again"
        ) from None
    raise FormatError(f"{member.label} is neither bars nor trades of Kraken", remedy="Leave it out", path=member.path)


def _bars(symbol: str, rows: list[Any]) -> Part:
    seconds = [int(row[0]) for row in rows]
    steps = sorted(later - sooner for sooner, later in pairwise(seconds))
    step = steps[len(steps) // 2] if steps else 60
    ends = [*(second + step for second in seconds[:-1]), seconds[-1]]
    prices = {name: [float(row[i]) for row in rows] for i, name in enumerate(("open", "high", "low", "close"), 1)}
    vwap, volume = [float(row[5]) for row in rows], [float(row[6]) for row in rows]
    table = pl.DataFrame(
        {
            ROW: range(1, len(rows) + 1),
            "ts": seconds,
            **prices,
            "volume": volume,
            "quote_volume": [mean * size for mean, size in zip(vwap, volume, strict=True)],
            "trades": [float(row[7]) for row in rows],
            "close_time": ends,
        }
    ).with_columns((pl.col("ts", "close_time") * 1_000_000).cast(TS))
    return Part(SeriesKey("bars", _VENUE, symbol, timeframe_name(step * 1_000_000)), table, "kraken_rest")


def _trades(symbol: str, rows: list[Any]) -> Part:
    columns: dict[str, Any] = {
        ROW: range(1, len(rows) + 1),
        "ts": [round(float(row[2]) * 1e6) for row in rows],
        "price": [float(row[0]) for row in rows],
        "quantity": [float(row[1]) for row in rows],
        "side": [{"b": 1, "s": -1}.get(row[3]) for row in rows],
    }
    if len(rows[0]) == _TRADE[1]:
        columns["id"] = [int(row[6]) for row in rows]
    table = pl.DataFrame(columns, schema_overrides={"side": pl.Int8}).with_columns(pl.col("ts").cast(TS))
    return Part(SeriesKey("trades", _VENUE, symbol), table, "kraken_rest")
