"""What a stored series is called, which columns it has, and the check that a table is such a series.

`ts` is when it happened at the venue (a bar's open, for bars), UTC microseconds; `ts_recv` when it was known here.
Columns that a source does not have are left out or null; NaN in an optional column is stored as null, in a required
one it is refused.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote

import msgspec
import polars as pl

from truewind.domain.clock import iso
from truewind.domain.timeframe import timeframe_name, timeframe_us
from truewind.errors import ConfigError, SchemaError, ValidationError, suggest

TS = pl.Datetime("us", "UTC")
LAYERS = ("raw", "curated", "features")
EARLIEST_US = -2_208_988_800_000_000  # 1900-01-01
LATEST_US = 7_258_118_400_000_000  # 2200-01-01
_SET = re.compile(r"[A-Za-z]\w{0,99}", re.ASCII)
_PLACE = re.compile("([^/]+)/([^/]+)/venue=([^/]+)/symbol=([^/]+)(?:/timeframe=([^/]+))?")
_LONGEST_SEGMENT = 200  # bytes; file systems end at 255


class Kind(msgspec.Struct, frozen=True):
    """The columns of one kind of series, in stored order.

    key: what names a row. Where the last key column is absent from a table (trades of a source without ids),
    rows of one `ts` are told apart by their order. has_timeframe: rows are bars of one length. sides: what `side` may
    be. free: any further columns of numbers, NaN and null both meaning that there is no value.
    """

    required: tuple[tuple[str, pl.DataType], ...]
    optional: tuple[tuple[str, pl.DataType], ...] = ()
    key: tuple[str, ...] = ("ts",)
    has_timeframe: bool = False
    sides: tuple[int, ...] = (1, -1)
    free: bool = False

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return dict(self.required + self.optional)

    def holding(self, columns: Iterable[str]) -> "Kind":
        """This kind of a table with `columns`: where columns are free, those are its optional ones."""
        if not self.free:
            return self
        fixed = {name for name, _ in self.required}
        names = dict.fromkeys(name for name in columns if name not in fixed)
        return msgspec.structs.replace(self, optional=tuple((name, _F8) for name in names))


_F8, _I8, _I1 = pl.Float64(), pl.Int64(), pl.Int8()
_PRICES = (("ts", TS), ("open", _F8), ("high", _F8), ("low", _F8), ("close", _F8))
_MARK = Kind(required=_PRICES, optional=(("volume", _F8), ("ts_recv", TS)), has_timeframe=True)

KINDS = MappingProxyType(
    {
        "bars": Kind(
            required=(*_PRICES, ("volume", _F8)),
            optional=(("quote_volume", _F8), ("trades", _F8), ("taker_buy_volume", _F8), ("ts_recv", TS)),
            has_timeframe=True,
        ),
        "mark_bars": _MARK,
        "index_bars": _MARK,
        # By how much the perpetual is dearer than its index, as a share of it: of either sign, and often zero.
        "premium_index": Kind(required=_PRICES, has_timeframe=True),
        # side: +1 the buyer was the taker, -1 the seller. id: the venue's own number.
        "trades": Kind(
            required=(("ts", TS), ("price", _F8), ("quantity", _F8), ("side", _I1)),
            optional=(("id", _I8), ("ts_recv", TS)),
            key=("ts", "id"),
        ),
        "quotes": Kind(
            required=(("ts", TS), ("bid", _F8), ("bid_quantity", _F8), ("ask", _F8), ("ask_quantity", _F8)),
            optional=(("id", _I8), ("ts_recv", TS)),
            key=("ts", "id"),
        ),
        "funding": Kind(
            required=(("ts", TS), ("rate", _F8)),
            optional=(("mark_price", _F8), ("ts_recv", TS)),
        ),
        # The mark price as the venue tells it every second or three, with the rate that the next funding would have.
        "marks": Kind(
            required=(("ts", TS), ("mark_price", _F8)),
            optional=(("index_price", _F8), ("funding_rate", _F8), ("next_funding_ts", TS), ("ts_recv", TS)),
        ),
        # open_interest in base units (of inverse contracts: contracts), its value in the quote currency.
        "open_interest": Kind(
            required=(("ts", TS), ("open_interest", _F8)),
            optional=(("open_interest_value", _F8), ("ts_recv", TS)),
        ),
        # Longs to shorts: of the accounts and the positions of the largest traders, of all accounts; and what takers
        # bought to what they sold.
        "long_short": Kind(
            required=(("ts", TS),),
            optional=(("top_accounts", _F8), ("top_positions", _F8), ("accounts", _F8), ("taker_volume", _F8)),
        ),
        # side: of the order that closes the position, so -1 where a long was liquidated. A censored sample: the venue
        # tells of at most one a symbol and second.
        "liquidations": Kind(
            required=(("ts", TS), ("side", _I1), ("price", _F8), ("quantity", _F8)),
            optional=(("average_price", _F8), ("id", _I8), ("ts_recv", TS)),
            key=("ts", "id"),
        ),
        # How much lies within some percent of the middle, below it where percent is negative.
        "depth_bands": Kind(
            required=(("ts", TS), ("percent", _F8), ("depth", _F8), ("notional", _F8)),
            key=("ts", "percent"),
        ),
        # Corporate actions; ts: the ex date. dividend: cash a share. split: shares after it for one before.
        "dividends": Kind(required=(("ts", TS), ("dividend", _F8))),
        "splits": Kind(required=(("ts", TS), ("split", _F8))),
        # What happened to an order book, as the venue told it: a row is one level of an update, of a snapshot, or a
        # trade (kind: `domain.book.BookKind`); side 0 in a message that changes nothing. quantity: the total then
        # displayed at the price, or what was traded. first, id, previous: the message's first and final update id and
        # the final one of the message before, as far as the venue numbers them; a trade's id is its number.
        "book": Kind(
            required=(
                *(("ts", TS), ("ts_recv", TS), ("kind", _I1), ("side", _I1)),
                *(("price", _F8), ("quantity", _F8), ("id", _I8)),
            ),
            optional=(("first", _I8), ("previous", _I8)),
            key=("ts", "kind", "id", "side", "price"),
            sides=(1, 0, -1),
        ),
    }
)


# Computed of bars: a row is a bar's, known at ts_known. Its kind is the name of the set of features.
FEATURES = Kind(required=(("ts", TS), ("ts_known", TS)), has_timeframe=True, free=True)


class SeriesKey(msgspec.Struct, frozen=True, order=True):
    """The name of one series: SeriesKey("bars", "binance", "BTCUSDT", "1h").

    symbol is in the venue's form, any text. timeframe is given for kinds of bars and empty for all others.
    Raises ConfigError for a name that cannot be.
    """

    kind: str
    venue: str
    symbol: str
    timeframe: str = ""
    layer: str = "raw"

    def __post_init__(self) -> None:
        if self.layer not in LAYERS:
            raise ConfigError(f"Unknown layer '{self.layer}'", remedy=suggest(self.layer, LAYERS))
        if self.layer == "features":
            if not _SET.fullmatch(self.kind):
                raise ConfigError(
                    f"The set of features {self.kind!r} has no name that a folder can have",
                    remedy="Use up to 100 letters, digits and underscores, a letter first",
                )
        elif self.kind not in KINDS:
            raise ConfigError(f"Unknown kind of series '{self.kind}'", remedy=suggest(self.kind, KINDS))
        for what in ("venue", "symbol"):
            text = getattr(self, what)
            if not text.strip() or not text.isprintable() or len(segment(what, text)) > _LONGEST_SEGMENT:
                raise ConfigError(
                    f"The {what} {text[:40]!r} is empty, too long or not printable", remedy=f"Give the {what}'s name"
                )
        if not self.about.has_timeframe:
            if self.timeframe:
                raise ConfigError(
                    f"{self.kind} have no timeframe, '{self.timeframe}' was given", remedy="Leave it empty"
                )
            return
        if not self.timeframe:
            raise ConfigError(f"{self.kind} of {self.symbol} need a timeframe", remedy="Write one, as in 1h")
        shortest = timeframe_name(timeframe_us(self.timeframe))
        if self.timeframe != shortest:  # else one series would have two names
            raise ConfigError(f"'{self.timeframe}' is the timeframe '{shortest}'", remedy=f"Write {shortest}")

    def __str__(self) -> str:
        text = f"{self.venue} {self.symbol} {self.kind}"
        text = f"{text} {self.timeframe}" if self.timeframe else text
        return text if self.layer == "raw" else f"{self.layer} {text}"

    @property
    def about(self) -> Kind:
        """What its rows are."""
        return FEATURES if self.layer == "features" else KINDS[self.kind]

    @property
    def path(self) -> str:
        """Where the series lies in the lake. Values are percent-encoded, so no symbol can lead elsewhere."""
        parts = [self.layer, self.kind, segment("venue", self.venue), segment("symbol", self.symbol)]
        if self.timeframe:
            parts.append(segment("timeframe", self.timeframe))
        return "/".join(parts)

    @property
    def step_us(self) -> int:
        """Time between rows that a complete series has, 0 where rows come when they come."""
        return timeframe_us(self.timeframe) if self.timeframe else 0


@lru_cache(1 << 16)  # a list of all series asks for each several times
def segment(name: str, value: str) -> str:
    """One hive path segment, `name=value`."""
    return f"{name}={quote(value, safe='')}"


def place(kind: str | None, venue: str | None, symbol: str | None) -> str:
    """Where in a layer all series lie of which this is known, as deep as that leads: "/bars/venue=binance"; "" is all
    of it. A list of one symbol's series shall not take longer the more others there are."""
    found = ""
    for known in (kind, venue and segment("venue", venue), symbol and segment("symbol", symbol)):
        if not known:
            break
        found += f"/{known}"
    return found


def segment_value(text: str) -> str | None:
    """The value of a hive path segment; None if `text` is not one."""
    _, equals, value = text.partition("=")
    return unquote(value) if equals else None


def key_of(path: str) -> SeriesKey | None:
    """The key of the series that lies at `path`; None if that is no place of a series."""
    found = _PLACE.fullmatch(path)
    if found is None:
        return None
    layer, kind, venue, symbol, timeframe = (unquote(text or "") for text in found.groups())
    try:
        key = SeriesKey(kind, venue, symbol, timeframe, layer)
    except ConfigError:
        return None
    return key if key.path == path else None


def readable(ts_us: int | None) -> str:
    """A time for an error message, whatever it is."""
    return iso(ts_us) if ts_us is not None and EARLIEST_US <= ts_us < LATEST_US else f"{ts_us} µs"


def row_key(kind: Kind, columns: Collection[str]) -> tuple[str, ...]:
    """The key columns that a table with `columns` has; `ts` alone is not unique if the last one is absent."""
    return tuple(name for name in kind.key if name in columns)


def validate(key: SeriesKey, table: pl.DataFrame) -> pl.DataFrame:
    """`table` in stored form: columns in order, optional ones without any value left out.

    Raises SchemaError for a missing or unknown column or a wrong type, and ValidationError for a required value that
    is null or NaN, for an infinite one, for unsorted rows, duplicate keys, a side other than ±1 and times outside
    1900 … 2200; each names the column, the first such row and its time.
    """
    kind = key.about.holding(table.columns)
    _check_columns(key, kind, table)
    required = [name for name, _ in kind.required]
    given = [name for name, _ in kind.optional if name in table.columns]
    table = table.select(
        *required, *(pl.col(name).fill_nan(None) if kind.columns[name] == _F8 else name for name in given)
    )
    if not kind.free:
        empty = [name for name in given if table[name].null_count() == table.height]
        table = table.drop(name for name in empty if name not in kind.key)
    keys = row_key(kind, table.columns)
    for bad, column, what, remedy in _rules(kind, keys, table):
        if bad.any():
            row = bad.arg_max() or 0
            when = readable(table["ts"].to_physical()[row])
            raise ValidationError(
                f"{key}: {what} in row {row} at {when} ({bad.sum()} such rows)",
                remedy=remedy,
                series=str(key),
                column=column,
                row=row,
                ts=when,
            )
    return table


def _check_columns(key: SeriesKey, kind: Kind, table: pl.DataFrame) -> None:
    known = kind.columns
    for name in table.columns:
        if name not in known:
            raise SchemaError(f"{key}: unknown column '{name}'", remedy=suggest(name, known), column=name)
    for name, _ in kind.required:
        if name not in table.columns:
            raise SchemaError(
                f"{key}: column '{name}' is missing",
                remedy=f"{key.kind} need {', '.join(column for column, _ in kind.required)}",
                column=name,
            )
    for name, found in table.schema.items():
        if found != known[name]:
            hint = "UTC times in microseconds" if known[name] == TS else f"cast it to {known[name]}"
            raise SchemaError(
                f"{key}: column '{name}' is {found}, not {known[name]}", remedy=f"Give {hint}", column=name
            )


def _rules(kind: Kind, keys: tuple[str, ...], table: pl.DataFrame) -> Iterator[tuple[pl.Series, str, str, str]]:
    """Per rule, in the order in which they are told: the rows that break it, the column, what is wrong, the remedy."""
    required = {name for name, _ in kind.required}
    for name, dtype in table.schema.items():
        column = table[name]
        if name in required or name in keys:
            yield column.is_null(), name, f"'{name}' is null", "Leave the row out and quarantine it"
        if dtype == _F8:
            yield ~column.is_finite(), name, f"'{name}' is no finite number", "Leave the row out and quarantine it"
    if "side" in table.columns:
        named = " nor ".join(map(str, kind.sides))
        yield ~table["side"].is_in(kind.sides), "side", f"'side' is neither {named}", "Write 1 for buys, -1 for sells"
    ts = table["ts"].to_physical()
    outside = (ts < EARLIEST_US) | (ts >= LATEST_US)
    yield outside, "ts", "'ts' is not between 1900 and 2200", "Check the unit of time: it must be microseconds"
    before = ts.shift(1)
    back, same = ts < before, ts == before
    for name in keys[1:]:
        earlier = table[name].shift(1)
        back |= same & (table[name] < earlier)
        same &= table[name] == earlier
    named = " and ".join(f"'{name}'" for name in keys)
    yield back.fill_null(False), "ts", f"{named} go back", f"Sort the table by {', '.join(keys)}"
    if len(keys) == len(kind.key):
        yield same.fill_null(False), "ts", f"{named} come twice", "Keep one of the rows and quarantine the others"
