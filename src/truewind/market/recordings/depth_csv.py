"""Tables of depth and trades: CSV files of recorders and archives, one row a level or a trade.

binance_data_processor   depth snapshots, difference depth and trades, with the stream's own names
binance_depth            data.binance.vision's snapshots and updates (T_DEPTH)
tardis_incremental_l2    tardis.dev's incremental_book_L2: no ids, so nothing tells a gap
tardis_book_snapshot     tardis.dev's book_snapshot_5 and _25: the best levels of each side, again at every change
"""

import io
from collections.abc import Callable

import msgspec
import polars as pl

from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member
from truewind.market.files.names import read_names
from truewind.market.recordings.rows import LEVEL, SCHEMA, SNAPSHOT, TRADE

_PROBE = 1 << 16
_MILLISECONDS_END = 10**14  # 13 digits are milliseconds, 16 microseconds (Binance spot since 2025)


class Layout(msgspec.Struct, frozen=True):
    """A known table. columns: names that tell it. rows: its text columns as `recordings.rows`.

    has_depth: else it holds trades alone. venue: where all such tables are from, "" if they differ.
    """

    name: str
    columns: frozenset[str]
    rows: Callable[[pl.DataFrame, Member], pl.DataFrame]
    has_depth: bool = True
    venue: str = ""


def layout(member: Member) -> Layout | None:
    """The layout of a table by the names of its columns, None if it is not known."""
    if member.encoding is not Encoding.TEXT:
        return None
    text = member.data[:_PROBE].decode("utf-8-sig", errors="replace")
    head = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    names = frozenset(name.strip() for name in head.split(","))
    return next((known for known in _LAYOUTS if known.columns <= names), None)


def read(member: Member, found: Layout) -> pl.DataFrame:
    """The table's rows; what is no number is null there, and refused later. Raises FormatError if it is no table."""
    # polars miscounts rows of files with comments before the header, so those are taken out first.
    text = b"\n".join(line for line in member.data.splitlines() if line and not line.startswith(b"#"))
    try:
        table = pl.read_csv(io.BytesIO(text), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise FormatError(
            f"{member.label} cannot be read as a table: {first}", remedy="Fetch it again", path=member.path
        ) from None
    table = table.with_columns(pl.format("{}:{}", pl.lit(member.label), pl.int_range(1, pl.len() + 1)).alias("source"))
    return found.rows(table, member).select(pl.col(name).cast(dtype, strict=False) for name, dtype in SCHEMA.items())


def market(member: Member) -> str:
    """Which of Binance's markets the recorder names in the file, "" if it does not."""
    names = ("usd_m_futures", "binance_usdm"), ("coin_m_futures", "binance_coinm"), ("_spot_", "binance")
    return next((venue for part, venue in names if any(part in name for name in member.names)), "")


def _us(name: str) -> pl.Expr:
    """A stamp in milliseconds or microseconds, by its length; nothing where it is not positive."""
    stamp = pl.col(name).cast(pl.Int64, strict=False)
    return pl.when(stamp < _MILLISECONDS_END).then(stamp * 1000).otherwise(stamp)


def _int(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False)


def _nothing(*names: str) -> list[pl.Expr]:
    return [pl.lit(None, SCHEMA[name]).alias(name) for name in names]


def _ask_flag() -> pl.Expr:
    """+1 for bids, −1 for asks, null for a flag that is neither."""
    return pl.col("IsAsk").replace_strict({"0": 1, "1": -1}, default=None, return_dtype=pl.Int8).alias("side")


def _snapshots(table: pl.DataFrame, member: Member) -> pl.DataFrame:
    return table.with_columns(
        pl.lit(read_names(member.names, member.folders).symbol).alias("symbol"),
        _us("TimestampOfReceive").alias("recv_us"),
        pl.lit(SNAPSHOT).alias("kind"),
        _int("LastUpdateId").alias("id"),
        _ask_flag(),
        pl.col("Price").alias("price"),
        pl.col("Quantity").alias("quantity"),
        *_nothing("event_us", "first", "previous"),
    )


def _differences(table: pl.DataFrame, _: Member) -> pl.DataFrame:
    futures = "TransactionTime" in table.columns
    return table.with_columns(
        pl.col("Symbol").alias("symbol"),
        _us("TimestampOfReceive").alias("recv_us"),
        _us("TransactionTime" if futures else "EventTime").alias("event_us"),
        pl.lit(LEVEL).alias("kind"),
        _int("FirstUpdateId").alias("first"),
        _int("FinalUpdateId").alias("id"),
        (_int("FinalUpdateIdInLastStream") if futures else pl.lit(None, pl.Int64)).alias("previous"),
        _ask_flag(),
        pl.col("Price").alias("price"),
        pl.col("Quantity").alias("quantity"),
    )


def _trades(table: pl.DataFrame, _: Member) -> pl.DataFrame:
    return table.with_columns(
        pl.col("Symbol").alias("symbol"),
        _us("TimestampOfReceive").alias("recv_us"),
        _us("TransactionTime").alias("event_us"),
        pl.lit(TRADE).alias("kind"),
        _int("TradeId").alias("id"),
        pl.col("IsBuyerMarketMaker")
        .replace_strict({"0": 1, "1": -1}, default=None, return_dtype=pl.Int8)
        .alias("side"),
        pl.col("Price").alias("price"),
        pl.col("Quantity").alias("quantity"),
        *_nothing("first", "previous"),
    )


def _archive(table: pl.DataFrame, _: Member) -> pl.DataFrame:
    previous = _int("pu")
    return table.with_columns(
        _us("timestamp").alias("recv_us"),
        _us("timestamp").alias("event_us"),
        pl.col("update_type").replace_strict({"snap": SNAPSHOT, "set": LEVEL}, default=None).alias("kind"),
        _int("first_update_id").alias("first"),
        _int("last_update_id").alias("id"),
        pl.when(previous >= 0).then(previous).alias("previous"),
        pl.col("side").replace_strict({"b": 1, "a": -1}, default=None, return_dtype=pl.Int8),
        pl.col("qty").alias("quantity"),
    )


def _tardis(table: pl.DataFrame, _: Member) -> pl.DataFrame:
    recv = _us("local_timestamp")
    return table.with_columns(
        recv.alias("recv_us"),
        _us("timestamp").alias("event_us"),
        pl.col("is_snapshot").replace_strict({"true": SNAPSHOT, "false": LEVEL}, default=None).alias("kind"),
        recv.alias("id"),  # one message is what was received at once
        pl.col("side").replace_strict({"bid": 1, "ask": -1}, default=None, return_dtype=pl.Int8),
        pl.col("amount").alias("quantity"),
        *_nothing("first", "previous"),
    )


def _tardis_snapshots(table: pl.DataFrame, _: Member) -> pl.DataFrame:
    recv = _us("local_timestamp")
    about: tuple[str | pl.Expr, ...] = (
        "source",
        "symbol",
        recv.alias("recv_us"),
        _us("timestamp").alias("event_us"),
        pl.lit(SNAPSHOT).alias("kind"),
        recv.alias("id"),
        *_nothing("first", "previous"),
    )
    levels = [
        table.select(
            *about,
            pl.lit(side, pl.Int8).alias("side"),
            pl.col(name).alias("price"),
            pl.col(name.replace("price", "amount")).alias("quantity"),
        )
        for prefix, side in (("bids[", 1), ("asks[", -1))
        for name in table.columns
        if name.startswith(prefix) and name.endswith("].price")
    ]
    # A side with fewer levels than columns leaves the others empty.
    return pl.concat(levels).filter(pl.col("price").fill_null("") != "").sort("recv_us", maintain_order=True)


_CAPTURE = ("TimestampOfReceive", "Price", "Quantity")
_LAYOUTS = (
    Layout("binance_data_processor", frozenset((*_CAPTURE, "LastUpdateId", "IsAsk")), _snapshots),
    Layout("binance_data_processor", frozenset((*_CAPTURE, "FinalUpdateId", "IsAsk")), _differences),
    Layout("binance_data_processor", frozenset((*_CAPTURE, "TradeId", "IsBuyerMarketMaker")), _trades, False),
    Layout(
        "binance_depth",
        frozenset(("first_update_id", "last_update_id", "update_type", "pu")),
        _archive,
        True,
        "binance_usdm",
    ),
    Layout("tardis_book_snapshot", frozenset(("local_timestamp", "asks[0].price", "bids[0].price")), _tardis_snapshots),
    Layout("tardis_incremental_l2", frozenset(("local_timestamp", "is_snapshot", "side", "amount")), _tardis),
)
