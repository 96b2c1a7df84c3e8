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
import zipfile
import zlib
from collections.abc import Iterator, Mapping
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
_BLOCK = 1 << 24  # bytes of text that are parsed at a time: large enough for two threads, small enough for the cache
_LARGEST = 1 << 35  # bytes; a zip that claims to hold more is a bomb
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
    parts, at = [], 0
    takes: dict[str, str] | None = None
    for block in _blocks(data, file.name):
        skip = 0
        if takes is None:
            header = _header(block)
            skip = int(header is not None)
            fields = _fields(file, header, block)
            takes = {file.layout.takes[ours][0]: ours for ours in file.layout.takes}
        part = _read_block(file, block, fields, skip)
        parts.append(part.with_columns(pl.col(ROW) + at))
        at += part.height
    if not at:
        raise FormatError(f"{file.name} has no rows", remedy="Ask the other source", path=file.path)
    table = pl.concat(parts).rename(takes or {})
    return _typed(file, table)


def _read_block(file: ArchiveFile, block: bytes, fields: tuple[str, ...], skip: int) -> pl.DataFrame:
    types = dict(file.layout.takes.values())
    chosen = [at for at, name in enumerate(fields) if name in types]
    try:
        return pl.read_csv(
            block,
            has_header=False,
            skip_lines=skip,
            schema={name: types.get(name, _TEXT) for name in fields},
            columns=chosen,
            quote_char=None,  # a stray quote would swallow rows
            ignore_errors=True,  # a value that is none becomes null, and validation refuses the row
            truncate_ragged_lines=True,
            missing_columns="insert",
            extra_columns="ignore",
            row_index_name=ROW,
            row_index_offset=1,
        )
    except pl.exceptions.PolarsError as error:
        first_line = str(error).splitlines()[0]
        raise FormatError(
            f"{file.name} cannot be read: {first_line}", remedy="Ask the other source", path=file.path
        ) from None


def _header(block: bytes) -> tuple[str, ...] | None:
    """The names in the first line, None if it is a row: names begin with a letter, numbers and dates do not."""
    line = block[: block.find(b"\n") + 1 or len(block)].removeprefix(b"\xef\xbb\xbf")
    if not line[:1].isalpha():
        return None
    return tuple(name.strip().strip('"') for name in line.decode("utf-8", "replace").split(","))


def _fields(file: ArchiveFile, header: tuple[str, ...] | None, block: bytes) -> tuple[str, ...]:
    """The names of the file's columns in order; without a header, those of its layout (spot has some more)."""
    needed = {theirs for theirs, _ in file.layout.takes.values()}
    if header is not None:
        if missing := needed.difference(header):
            raise FormatError(
                f"{file.name} lacks the columns {', '.join(sorted(missing))}: it has {', '.join(header[:12])}",
                remedy="The archive's layout has changed: use the other source",
                path=file.path,
            )
        return header
    count = block[: block.find(b"\n") + 1 or len(block)].count(b",") + 1
    fields = file.layout.fields
    if count < len(fields):
        raise FormatError(
            f"{file.name} has {count} columns, not the {len(fields)} of {file.layout.folder}",
            remedy="The archive's layout has changed: use the other source",
            path=file.path,
        )
    return (*fields, *(f"more_{at}" for at in range(count - len(fields))))


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


def _blocks(data: bytes, name: str) -> Iterator[bytes]:
    """The one member of a zip, whole lines at a time, its check sum verified. Raises FormatError."""
    try:
        raw, info = _member(data)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS) if info.compress_type == zipfile.ZIP_DEFLATED else None
        rest, crc, size = b"", 0, 0
        while raw:
            text = inflate.decompress(raw, _BLOCK) if inflate else bytes(raw[:_BLOCK])
            raw = inflate.unconsumed_tail if inflate else raw[_BLOCK:]
            crc, size = zlib.crc32(text, crc), size + len(text)
            if size > info.file_size or len(rest) > _BLOCK:
                raise zipfile.BadZipFile("it holds more than it says, or no lines")
            cut = text.rfind(b"\n") + 1
            if cut:
                yield rest + text[:cut]
                rest = b""
            rest += text[cut:]
        tail = inflate.flush() if inflate else b""
        if (zlib.crc32(tail, crc), size + len(tail)) != (info.CRC, info.file_size):
            raise zipfile.BadZipFile("its check sum differs")
        if rest + tail:
            yield rest + tail
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise FormatError(f"{name} is a damaged or truncated zip: {error}", remedy="Fetch it again") from None


def _member(data: bytes) -> tuple[memoryview | bytes, zipfile.ZipInfo]:
    """The compressed bytes of the only member."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) != 1:
        raise zipfile.BadZipFile(f"it holds {len(infos)} files, not one")
    info = infos[0]
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
        raise zipfile.BadZipFile("it is encrypted or packed in another way")
    if info.file_size > _LARGEST:
        raise zipfile.BadZipFile(f"it claims to hold {info.file_size} bytes")
    at = info.header_offset
    if data[at : at + 4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("its member is not where it should be")
    begin = (
        at + 30 + int.from_bytes(data[at + 26 : at + 28], "little") + int.from_bytes(data[at + 28 : at + 30], "little")
    )
    raw = memoryview(data)[begin : begin + info.compress_size]
    if len(raw) != info.compress_size:
        raise zipfile.BadZipFile("it ends early")
    return raw, info
