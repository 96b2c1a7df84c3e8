"""Files of Binance's public archive (data.binance.vision): where each lies, which time it covers, and its rows.

Sources: the README and the update log of github.com/binance/binance-public-data; its issues 334 (quotes end in 2024),
437 (depth is sampled every 30 s) and 491 (labels of `metrics`); the files themselves. What they teach:

- Stamps are milliseconds, at spot microseconds since 2025; some files name their columns in a first line, some do not.
- Text times of `metrics` and `bookDepth` are UTC. Rows of `metrics` and `bookTicker` may be out of order.
- A row of `metrics` is labelled with the end of its five minutes; of USD-M contracts since 2026-06-25, and of COIN-M
  contracts always, with their start. The lake keeps the end: before it nobody could know.
- `liquidationSnapshot` exists for COIN-M contracts only, and prints each order twice.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl

from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import DAY_US, MINUTE_US
from truewind.errors import FormatError
from truewind.market.files.table import ROW
from truewind.market.files.values import read_times
from truewind.storage.schema import KINDS, SeriesKey

FOLDERS = {"binance": "spot", "binance_usdm": "futures/um", "binance_coinm": "futures/cm"}
_LARGEST = 1 << 32  # bytes; a zip that claims to hold more is a bomb
_LINE = 4096
_LOCAL_HEADER = 30
_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # packed by deflate, nothing else is said
_START_LABELS_US = parse_ts_us("2026-06-25")
_FIVE_MINUTES = 5 * MINUTE_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"-((?:19|20)\d\d-(?:0[1-9]|1[0-2])(-(?:0[1-9]|[12]\d|3[01]))?)\.zip$", re.ASCII)
_I8, _F8, _TEXT, _FLAG = pl.Int64(), pl.Float64(), pl.String(), pl.Boolean()


class Layout(msgspec.Struct, frozen=True):
    """One kind of file. fields: its columns, in order. takes: our column → the file's, and the type it is read as.

    periods: what one file covers, the better choice first. late_us: by how much later than its day a file's rows end.
    """

    folder: str
    fields: tuple[str, ...]
    takes: Mapping[str, tuple[str, pl.DataType]]
    periods: tuple[str, ...] = ("daily",)
    late_us: int = 0


_KLINES = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count"),
    *("taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
_PRICES: dict[str, tuple[str, pl.DataType]] = {
    "ts": ("open_time", _I8),
    **{name: (name, _F8) for name in ("open", "high", "low", "close")},
    "close_time": ("close_time", _I8),
}
_MONTHLY = ("monthly", "daily")
_METRICS = (
    *("create_time", "symbol", "sum_open_interest", "sum_open_interest_value", "count_toptrader_long_short_ratio"),
    *("sum_toptrader_long_short_ratio", "count_long_short_ratio", "sum_taker_long_short_vol_ratio"),
)
_LABELLED: dict[str, tuple[str, pl.DataType]] = {"ts": ("create_time", _TEXT), "symbol": ("symbol", _TEXT)}

LAYOUTS = {
    "bars": Layout(
        "klines",
        _KLINES,
        _PRICES
        | {
            "volume": ("volume", _F8),
            "quote_volume": ("quote_volume", _F8),
            "trades": ("count", _F8),
            "taker_buy_volume": ("taker_buy_volume", _F8),
        },
        _MONTHLY,
    ),
    "mark_bars": Layout("markPriceKlines", _KLINES, _PRICES, _MONTHLY),
    "index_bars": Layout("indexPriceKlines", _KLINES, _PRICES, _MONTHLY),
    "premium_index": Layout("premiumIndexKlines", _KLINES, _PRICES, _MONTHLY),
    "trades": Layout(
        "aggTrades",
        ("agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker"),
        {
            "ts": ("transact_time", _I8),
            "price": ("price", _F8),
            "quantity": ("quantity", _F8),
            "side": ("is_buyer_maker", _FLAG),
            "id": ("agg_trade_id", _I8),
        },
    ),
    "quotes": Layout(
        "bookTicker",
        (
            *("update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty"),
            *("transaction_time", "event_time"),
        ),
        {
            "ts": ("transaction_time", _I8),
            "bid": ("best_bid_price", _F8),
            "bid_quantity": ("best_bid_qty", _F8),
            "ask": ("best_ask_price", _F8),
            "ask_quantity": ("best_ask_qty", _F8),
            "id": ("update_id", _I8),
        },
    ),
    "funding": Layout(
        "fundingRate",
        ("calc_time", "funding_interval_hours", "last_funding_rate"),
        {"ts": ("calc_time", _I8), "rate": ("last_funding_rate", _F8)},
        ("monthly",),
    ),
    "open_interest": Layout(
        "metrics",
        _METRICS,
        _LABELLED
        | {
            "open_interest": ("sum_open_interest", _F8),
            "open_interest_value": ("sum_open_interest_value", _F8),
        },
        late_us=_FIVE_MINUTES,
    ),
    "long_short": Layout(
        "metrics",
        _METRICS,
        _LABELLED
        | {
            "top_accounts": ("count_toptrader_long_short_ratio", _F8),
            "top_positions": ("sum_toptrader_long_short_ratio", _F8),
            "accounts": ("count_long_short_ratio", _F8),
            "taker_volume": ("sum_taker_long_short_vol_ratio", _F8),
        },
        late_us=_FIVE_MINUTES,
    ),
    "depth_bands": Layout(
        "bookDepth",
        ("timestamp", "percentage", "depth", "notional"),
        {
            "ts": ("timestamp", _TEXT),
            "percent": ("percentage", _F8),
            "depth": ("depth", _F8),
            "notional": ("notional", _F8),
        },
    ),
    "liquidations": Layout(
        "liquidationSnapshot",
        (
            *("time", "side", "order_type", "time_in_force", "original_quantity", "price", "average_price"),
            *("order_status", "last_fill_quantity", "accumulated_fill_quantity"),
        ),
        {
            "ts": ("time", _I8),
            "side": ("side", _TEXT),
            "price": ("price", _F8),
            "quantity": ("original_quantity", _F8),
            "average_price": ("average_price", _F8),
        },
    ),
}


class ArchiveFile(msgspec.Struct, frozen=True):
    """One zip: of a series, for a month or a day. start_us, end_us: the times that its rows can have."""

    key: SeriesKey
    period: str
    start_us: int
    end_us: int

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.key.kind]

    @property
    def path(self) -> str:
        """Below the archive's address."""
        key, folder = self.key, self.layout.folder
        inside = f"{key.symbol}/{key.timeframe}" if key.timeframe else key.symbol
        return f"data/{FOLDERS[key.venue]}/{self.period}/{folder}/{inside}/{self.name}"

    @property
    def name(self) -> str:
        day = (_EPOCH + timedelta(microseconds=self.start_us - self.layout.late_us)).date().isoformat()
        what = self.key.timeframe or self.layout.folder
        return f"{self.key.symbol}-{what}-{day if self.period == 'daily' else day[:7]}.zip"


def days(key: SeriesKey, start_us: int, end_us: int) -> list[ArchiveFile]:
    """The daily files that may have rows in [start_us, end_us), in time order."""
    late = LAYOUTS[key.kind].late_us
    first = (start_us - late) // DAY_US * DAY_US
    return [ArchiveFile(key, "daily", day + late, day + DAY_US + late) for day in range(first, end_us - late, DAY_US)]


def months(key: SeriesKey, start_us: int, end_us: int) -> list[ArchiveFile]:
    """The monthly files that may have rows in [start_us, end_us), in time order."""
    files = []
    begin = (_EPOCH + timedelta(microseconds=start_us)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while (first := parse_ts_us(begin)) < end_us:
        begin = (begin + timedelta(days=32)).replace(day=1)
        files.append(ArchiveFile(key, "monthly", first, parse_ts_us(begin)))
    return files


def file_at(key: SeriesKey, path: str) -> ArchiveFile | None:
    """The file of a series that lies at `path`, None if it has none there."""
    found = _DATE.search(path)
    if found is None or key.venue not in FOLDERS or key.kind not in LAYOUTS:
        return None
    date = parse_ts_us(found[1] if found[2] else f"{found[1]}-01") + LAYOUTS[key.kind].late_us
    (file,) = (days if found[2] else months)(key, date, date + 1)
    return file if file.path == path else None


def read_file(file: ArchiveFile, data: bytes) -> pl.DataFrame:
    """The rows of a zip in its own order: ROW, our columns, of bars `close_time`. What cannot be read is null.

    Raises FormatError if it is no sound zip with one table, or a table with other columns or of another symbol.
    """
    text = _text(data, file.name)
    line = _first_line(text, file.name)
    header = _header(line)
    fields = _fields(file, header, line)
    types = dict(file.layout.takes.values())
    try:
        table = pl.read_csv(
            text,
            has_header=False,
            skip_lines=int(header is not None),
            schema={name: types.get(name, _TEXT) for name in fields},
            columns=[at for at, name in enumerate(fields) if name in types],
            quote_char=None,  # a stray quote would swallow rows
            ignore_errors=True,  # a value that is none becomes null, and validation refuses the row
            truncate_ragged_lines=True,
            missing_columns="insert",
            extra_columns="ignore",
            row_index_name=ROW,
            row_index_offset=1,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        said = str(error).splitlines()[0]
        raise FormatError(f"{file.name} cannot be read: {said}", remedy="Fetch it again", path=file.path) from None
    if table.is_empty():
        raise FormatError(f"{file.name} has no rows", remedy="Ask the other source", path=file.path)
    return _typed(file, table.rename({theirs: ours for ours, (theirs, _) in file.layout.takes.items()}))


def _header(line: bytes) -> tuple[str, ...] | None:
    """The names in a file's first line, None if it is a row: names begin with a letter, numbers and dates do not."""
    line = line.removeprefix(b"\xef\xbb\xbf")
    if not line[:1].isalpha():
        return None
    return tuple(name.strip().strip('"') for name in line.decode("utf-8", "replace").split(","))


def _fields(file: ArchiveFile, header: tuple[str, ...] | None, line: bytes) -> tuple[str, ...]:
    """The names of the file's columns in order; without a header, those of its layout (spot has some more)."""
    fields = file.layout.fields
    missing = {theirs for theirs, _ in file.layout.takes.values()}.difference(header or fields)
    count = line.count(b",") + 1
    if not missing and (header is not None or count >= len(fields)):
        return header or (*fields, *(f"more_{at}" for at in range(count - len(fields))))
    found = f"lacks the columns {', '.join(sorted(missing))}" if missing else f"has {count} columns, not {len(fields)}"
    raise FormatError(
        f"{file.name} {found}: it begins with {line[:120]!r}",
        remedy="The archive's layout has changed: use the other source",
        path=file.path,
    )


def _typed(file: ArchiveFile, table: pl.DataFrame) -> pl.DataFrame:
    """Times, sides and labels as the lake has them, NaN as no value."""
    table = table.with_columns(pl.selectors.float().fill_nan(None))
    for name in ("ts", "close_time"):
        if name in table.columns:
            table = table.with_columns(read_times(table[name], file.name))
    if "symbol" in table.columns:
        strange = table.filter(pl.col("symbol").ne_missing(file.key.symbol))["symbol"]
        if len(strange):
            raise FormatError(
                f"{file.name} has {len(strange)} rows of {strange[0]!r}", remedy="Ask the other source", path=file.path
            )
        table = table.drop("symbol")
    if "side" in table.columns:
        # The buyer's order rested in the book, so the seller was the taker. Liquidations name the order's own side.
        sells = pl.col("side") if table.schema["side"] == _FLAG else _sells(pl.col("side"))
        side = pl.when(sells).then(pl.lit(-1, pl.Int8)).when(~sells).then(pl.lit(1, pl.Int8))
        table = table.with_columns(side.alias("side"))
    if file.layout.late_us and (file.key.venue == "binance_coinm" or file.start_us >= _START_LABELS_US):
        table = table.with_columns(pl.col("ts") + pl.duration(microseconds=file.layout.late_us))
    if file.key.kind == "liquidations":
        values = [name for name in table.columns if name != ROW]
        table = table.unique(values, keep="first", maintain_order=True)
    if file.key.venue == "binance_coinm":
        table = table.drop("quote_volume", strict=False)  # there that column counts base coins
    order = [ROW, *(name for name in (*KINDS[file.key.kind].columns, "close_time") if name in table.columns)]
    return table.select(order)


def _sells(side: pl.Expr) -> pl.Expr:
    return side.replace_strict({"SELL": True, "BUY": False}, default=None, return_dtype=pl.Boolean)


def _text(data: bytes, name: str) -> bytes:
    """The one member of a zip as gzip, which holds the same packed bytes and check sum: who reads it unpacks it, and
    compares. One that is not packed is given as it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) != 1:
            raise zipfile.BadZipFile(f"it holds {len(infos)} files, not one")
        info = infos[0]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise zipfile.BadZipFile("it is encrypted or packed in another way")
        if info.file_size > _LARGEST:
            raise zipfile.BadZipFile(f"it claims to hold {info.file_size} bytes")
        raw = _packed(data, info)
        if info.compress_type == zipfile.ZIP_DEFLATED:
            return b"".join((_GZIP, raw, struct.pack("<II", info.CRC, info.file_size)))
        if zlib.crc32(raw) != info.CRC:
            raise zipfile.BadZipFile("its check sum differs")
        return bytes(raw)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        raise FormatError(f"{name} is a damaged or truncated zip: {error}", remedy="Fetch it again") from None


def _packed(data: bytes, info: zipfile.ZipInfo) -> memoryview:
    """The bytes of a member, as its local header says where they are."""
    at = info.header_offset
    if data[at : at + 4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("its member is not where it should be")
    begin = at + _LOCAL_HEADER + sum(int.from_bytes(data[at + i : at + i + 2], "little") for i in (26, 28))
    raw = memoryview(data)[begin : begin + info.compress_size]
    if len(raw) != info.compress_size:
        raise zipfile.BadZipFile("it ends early")
    return raw


def _first_line(text: bytes, name: str) -> bytes:
    """The first line of a text, packed or not."""
    if text.startswith(_GZIP):
        try:
            text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(memoryview(text)[len(_GZIP) :], _LINE)
        except zlib.error as error:
            raise FormatError(f"{name} is a damaged or truncated zip: {error}", remedy="Fetch it again") from None
    return text[: text.find(b"\n") + 1 or _LINE].rstrip()
