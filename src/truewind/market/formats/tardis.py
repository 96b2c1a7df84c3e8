"""Tardis.dev's downloadable CSV files but for order books, which `recordings.depth_csv` reads.

    trades             exchange,symbol,timestamp,local_timestamp,id,side,price,amount
    liquidations       the same columns: only the file's name tells them apart
    quotes             …,ask_amount,ask_price,bid_price,bid_amount
    derivative_ticker  …,funding_timestamp,funding_rate,…,open_interest,last_price,index_price,mark_price

Source: docs.tardis.dev, "Downloadable CSV files" (schemas). timestamp is the exchange's time, local_timestamp when it
was received, both in µs. A ticker has a row for every change of any of its values: `marks` and `open_interest` keep the
last of each time, interest only where it changed.
"""

import io
from collections.abc import Callable, Mapping

import polars as pl

from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member
from truewind.market.files.table import ROW
from truewind.market.files.values import TS
from truewind.market.formats.part import Part
from truewind.storage.schema import SeriesKey

# What Tardis calls the markets that have another name here.
_VENUES: Mapping[str, str] = {
    "binance-futures": "binance_usdm",
    "binance-delivery": "binance_coinm",
    "binance-us": "binanceus",
    "okex": "okx",
    "okex-swap": "okx",
    "okex-futures": "okx",
    "bybit-spot": "bybit_spot",
}
_COMMON = frozenset(("exchange", "symbol", "timestamp", "local_timestamp"))


def venue(exchange: str) -> str:
    """The venue that Tardis calls `exchange`."""
    return _VENUES.get(exchange, exchange)


def exchange_of(member: Member) -> str:
    """The venue in the first row of a table of Tardis, "" if it is none."""
    head, _, rest = member.data[: 1 << 14].decode("utf-8", errors="replace").partition("\n")
    return venue(rest.partition(",")[0].strip()) if head.startswith("exchange,symbol,timestamp,") else ""


def read(member: Member) -> list[Part] | None:
    """The series in a file, None for any other. Raises FormatError if it is damaged."""
    if member.encoding is not Encoding.TEXT:
        return None
    names = frozenset(member.data.partition(b"\n")[0].decode("utf-8", errors="replace").strip().split(","))
    reader = next((read for needed, read in _READERS.items() if (_COMMON | set(needed)) <= names), None)
    if reader is None:
        return None
    try:
        table = pl.read_csv(io.BytesIO(member.data), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise FormatError(
            f"{member.label} cannot be read as a table: {str(error).splitlines()[0]}",
            remedy="Fetch it again",
            path=member.path,
        ) from None
    table = table.with_row_index(ROW, offset=1).with_columns(
        _time("timestamp").alias("ts"), _time("local_timestamp").alias("ts_recv")
    )
    parts = []
    for (exchange, symbol), rows in table.group_by("exchange", "symbol", maintain_order=True):
        parts += reader(venue(str(exchange)), str(symbol), rows, member)
    return parts


def _time(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False).cast(TS)


def _number(name: str, ours: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False).alias(ours)


def _trades(venue: str, symbol: str, rows: pl.DataFrame, member: Member) -> list[Part]:
    kind = "liquidations" if any("liquidations" in name for name in member.names) else "trades"
    side = pl.col("side").replace_strict({"buy": 1, "sell": -1}, default=None, return_dtype=pl.Int8)
    table = rows.select(
        ROW,
        "ts",
        _number("price", "price"),
        _number("amount", "quantity"),
        side,
        pl.col("id").cast(pl.Int64, strict=False),
        "ts_recv",
    )
    if table["id"].null_count() == table.height:
        table = table.drop("id")  # ids that are no numbers: rows are told apart by time and order
    return [Part(SeriesKey(kind, venue, symbol), table, f"tardis_{kind}")]


def _quotes(venue: str, symbol: str, rows: pl.DataFrame, _: Member) -> list[Part]:
    table = rows.select(
        ROW,
        "ts",
        *(_number(f"{side}_price", side) for side in ("bid", "ask")),
        *(_number(f"{side}_amount", f"{side}_quantity") for side in ("bid", "ask")),
        "ts_recv",
    )
    return [Part(SeriesKey("quotes", venue, symbol), table, "tardis_quotes")]


def _ticker(venue: str, symbol: str, rows: pl.DataFrame, _: Member) -> list[Part]:
    last = rows.unique("ts", keep="last", maintain_order=True)
    marks = last.select(
        ROW,
        "ts",
        _number("mark_price", "mark_price"),
        _number("index_price", "index_price"),
        _number("funding_rate", "funding_rate"),
        _time("funding_timestamp").alias("next_funding_ts"),
        "ts_recv",
    ).filter(pl.col("mark_price").is_not_null())
    interest = last.select(ROW, "ts", _number("open_interest", "open_interest"), "ts_recv").filter(
        pl.col("open_interest").is_not_null()
    )
    changed = (pl.col("open_interest") != pl.col("open_interest").shift(1)).fill_null(True)
    parts = [("marks", marks), ("open_interest", interest.filter(changed))]
    return [Part(SeriesKey(kind, venue, symbol), table, "tardis_ticker") for kind, table in parts if table.height]


_READERS: Mapping[frozenset[str], Callable[[str, str, pl.DataFrame, Member], list[Part]]] = {
    frozenset(("id", "side", "price", "amount")): _trades,
    frozenset(("bid_price", "bid_amount", "ask_price", "ask_amount")): _quotes,
    frozenset(("funding_rate", "open_interest", "mark_price")): _ticker,
}
