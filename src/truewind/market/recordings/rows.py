"""Rows of recordings in one form, whatever file they come from, and the check that each of them can be true.

A *message* is what the venue sent at once: all rows of one kind and id. Columns: source (file and line, as text),
symbol ("" where the payload does not say), recv_us, event_us (null where the venue tells none), kind, first, id,
previous (update ids; null where there are none; a trade's number is its id), side (+1 bid or buying aggressor, −1, 0 in
a message that changes nothing), price, quantity.
"""

from typing import NamedTuple

import polars as pl

from truewind.domain.book import BookKind
from truewind.domain.clock import iso
from truewind.domain.timeframe import SECOND_US
from truewind.errors import ValidationError
from truewind.storage.schema import EARLIEST_US, LATEST_US, TS

LEVEL, TRADE = int(BookKind.LEVEL), int(BookKind.TRADE)
QUOTE, SNAPSHOT = int(BookKind.QUOTE), int(BookKind.SNAPSHOT)
SCHEMA = {
    "source": pl.String,
    "symbol": pl.String,
    "recv_us": pl.Int64,
    "event_us": pl.Int64,
    "kind": pl.Int8,
    "first": pl.Int64,
    "id": pl.Int64,
    "previous": pl.Int64,
    "side": pl.Int8,
    "price": pl.Float64,
    "quantity": pl.Float64,
}
_LONGEST_US = 600 * SECOND_US  # no message is on its way for longer: such a stamp is damaged
_FEW = 0.01  # share of messages: fewer that come before they happened are damaged, more mean that the clock is wrong
_MESSAGE = ("kind", "id")
_TOLD = ("event_us", "recv_us", "first", "previous")


class Judged(NamedTuple):
    """rows: the sound ones, with a time for each. refused: the others, with `reason`. duplicates: rows that came twice.

    clock_us: what was added to the recorder's clock. latency_us: the least time between event and receipt before that.
    """

    rows: pl.DataFrame
    refused: pl.DataFrame
    duplicates: int
    clock_us: int
    latency_us: int


def judge(rows: pl.DataFrame, name: str, base_latency_us: int | None) -> Judged:
    """Tell sound rows of one symbol from those that cannot be, row by row.

    base_latency_us: how long the quickest message took; the recorder's clock is then moved by a constant to make it so.
    Raises ValidationError where the clock is wrong and none is given, or where no row tells when it happened.
    """
    total = rows.height
    rows = rows.unique(["event_us", *_MESSAGE, "side", "price", "quantity", "first", "recv_us"], maintain_order=True)
    duplicates = total - rows.height
    sound, refused = _split(rows, _impossible())
    sound, torn = _split(sound, _torn())
    clock, least = _clock(sound, name, base_latency_us)
    sound = sound.with_columns(pl.col("recv_us") + clock)
    sound, early = _split(sound, _mistimed())
    sound, again = _split(sound, _twice())
    sound = sound.with_columns(pl.coalesce("event_us", "recv_us").alias("event_us"))
    return Judged(sound, pl.concat([refused, torn, early, again]), duplicates, clock, least)


def table_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Sound rows as the lake keeps them (kind `book`), sorted; quotes are left out."""
    return (
        rows.filter(pl.col("kind") != QUOTE)
        .select(
            pl.col("event_us").cast(TS).alias("ts"),
            pl.col("recv_us").cast(TS).alias("ts_recv"),
            *("kind", "side", "price", "quantity", "id", "first", "previous"),
        )
        .sort("ts", "kind", "id", "side", "price")
    )


def _split(rows: pl.DataFrame, reason: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows for which `reason` is null, and the others with it."""
    marked = rows.with_columns(reason.alias("reason"))
    return marked.filter(pl.col("reason").is_null()).drop("reason"), marked.filter(pl.col("reason").is_not_null())


def _first_of(*rules: tuple[pl.Expr, str]) -> pl.Expr:
    return pl.coalesce(*(pl.when(broken).then(pl.lit(reason)) for broken, reason in rules))


def _impossible() -> pl.Expr:
    """What no venue says of a level or a trade."""
    price, quantity, side, event = pl.col("price"), pl.col("quantity"), pl.col("side"), pl.col("event_us")
    empty = side == 0  # a message that changes nothing
    outside = (event < EARLIEST_US) | (event >= LATEST_US) | (event == 0)
    return _first_of(
        (pl.col("recv_us").is_null() | pl.col("id").is_null(), "receipt or id is missing"),
        (outside, "event time is none"),
        (event.is_null() & (pl.col("kind") != SNAPSHOT) & (pl.col("kind") != QUOTE), "event time is none"),
        (side.is_null() | ~side.is_in([1, 0, -1]), "side is neither bid nor ask"),
        (pl.col("first") > pl.col("id"), "update ids run backwards"),
        (~empty & ~(price.is_finite() & (price > 0.0)).fill_null(False), "price is not positive"),
        (~(quantity.is_finite() & (quantity >= 0.0)).fill_null(False), "quantity is negative"),
        ((pl.col("kind") == TRADE) & (quantity == 0.0), "quantity is zero"),
    )


def _torn() -> pl.Expr:
    """Rows that disagree with most of their message on its times or ids."""
    depth = pl.col("kind").is_in([LEVEL, SNAPSHOT])
    torn = pl.lit(False)
    for name in _TOLD:
        # The most common value is looked for only where a message has several: nowhere in sound data.
        several = pl.col(name).min().over(_MESSAGE) != pl.col(name).max().over(_MESSAGE)
        count = pl.len().over(*_MESSAGE, name)
        torn |= several.fill_null(False) & (count < count.max().over(_MESSAGE))
    return pl.when(depth & torn).then(pl.lit("times or ids differ from the rest of the message"))


def _clock(rows: pl.DataFrame, name: str, base_latency_us: int | None) -> tuple[int, int]:
    """What to add to times of receipt, and the least latency before that."""
    told = rows.filter(pl.col("event_us").is_not_null())
    if not told.height:
        if rows.height and (rows["kind"] == SNAPSHOT).all():
            return 0, 0  # snapshots of a venue that tells no time: known when received
        raise ValidationError(
            f"{name}: no message tells when it happened", remedy="Record trades or depth updates as well"
        )
    late = told["recv_us"] - told["event_us"]
    least = int(late.min())  # type: ignore[arg-type]  # of integers
    if base_latency_us is not None:
        return base_latency_us - least, least
    if least < 0 and (late < 0).mean() > _FEW:  # type: ignore[operator]  # a share
        row = told.row(int(late.arg_min() or 0), named=True)
        raise ValidationError(
            f"{name}: received {-least / 1000:g} ms before it happened, at {iso(row['event_us'])} "
            f"({row['source']}): the recorder's clock is behind the venue's",
            remedy="Give base_latency_us, the least time that a message can have taken (import: --base-latency-ms), to "
            "correct it by a constant",
            ts=row["event_us"],
        )
    return 0, least


def _mistimed() -> pl.Expr:
    late = pl.col("recv_us") - pl.col("event_us")
    return _first_of((late < 0, "received before it happened"), (late > _LONGEST_US, "received long after it happened"))


def _twice() -> pl.Expr:
    """A trade's number, or a level of one message, that comes a second time with other values."""
    number = pl.int_range(pl.len())
    trade = (pl.col("kind") == TRADE) & (number.over(*_MESSAGE) > 0)
    level = number.over("event_us", *_MESSAGE, "side", "price") > 0
    return _first_of((trade, "trade id comes twice"), (level, "level comes twice in one message"))
