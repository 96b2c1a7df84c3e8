"""Parsing: a raw table and its layout become typed columns under our names. Judging the rows is `validate`'s work."""

import polars as pl

from truewind.errors import FormatError
from truewind.market.files.table import ROW, RawTable
from truewind.market.files.values import TS, read_flags, read_numbers, read_times
from truewind.market.sniff import Layout
from truewind.storage.schema import KINDS

_MOST = 0.5  # a column in which most rows cannot be read is a wrong column, not bad rows
_SIDES = {"buy": 1, "b": 1, "bid": 1, "1": 1, "sell": -1, "s": -1, "ask": -1, "-1": -1}


def parse(raw: RawTable, layout: Layout) -> pl.DataFrame:
    """The rows of `raw` in file order: ROW, the columns of the layout's kind, `close_time` and `symbol` if it has them.

    What cannot be read, and NaN, is null. Raises FormatError if a needed column is missing or mostly unreadable.
    """
    schema = KINDS[layout.kind]
    columns = [raw.frame[ROW]]
    for name, theirs in layout.columns.items():
        source = raw.frame[theirs]
        if name in ("ts", "close_time"):
            column = read_times(source, raw.label)
        elif name == "symbol":
            column = source.cast(pl.String)
        elif name == "id":
            column = _ids(source)
        elif name == "side":
            text = source.cast(pl.String).str.strip_chars().str.to_lowercase()
            column = text.replace_strict(_SIDES, default=None, return_dtype=pl.Int8)
        elif name == "buyer_maker":
            # The buyer's order rested in the book, so the seller was the taker.
            column = read_flags(source).replace_strict({True: -1, False: 1}, default=None, return_dtype=pl.Int8)
            name = "side"
        else:
            column = read_numbers(source).fill_nan(None)
        if not any(name == done.name for done in columns):
            columns.append(column.alias(name))
    frame = pl.DataFrame(columns)
    if "id" in frame.columns and frame["id"].null_count() == frame.height:
        frame = frame.drop("id")  # ids that are no numbers: rows are told apart by time and order
    if layout.kind == "quotes" and not {"bid_quantity", "ask_quantity"} & set(layout.columns):
        # Feeds of currencies tell prices only: nothing is known to be displayed at them.
        frame = frame.with_columns(pl.lit(0.0).alias("bid_quantity"), pl.lit(0.0).alias("ask_quantity"))
    for name, _ in schema.required:
        _check_readable(raw, layout, frame, name)
    order = [ROW, *(name for name in (*schema.columns, "close_time", "symbol") if name in frame.columns)]
    return frame.select(order)


def _ids(column: pl.Series) -> pl.Series:
    return (
        column.cast(pl.Int64, strict=False)
        if column.dtype != pl.String
        else column.str.strip_chars().cast(pl.Int64, strict=False)
    )


def _check_readable(raw: RawTable, layout: Layout, frame: pl.DataFrame, name: str) -> None:
    if name not in frame.columns:
        remedy = f"Say which column it is: columns={{'{name}': …}}"
        if name == "volume":
            remedy += "; prices without volume can be imported with kind=index_bars"
        raise FormatError(f"{raw.label}: {layout.kind} need '{name}', which the file has not", remedy=remedy)
    if frame[name].null_count() > _MOST * frame.height:
        theirs = layout.columns.get(name) or layout.columns["buyer_maker"]
        shown = raw.frame[theirs].filter(frame[name].is_null())[0]
        what = "time" if frame[name].dtype == TS else name
        raise FormatError(
            f"{raw.label}: column '{theirs}' cannot be read as {what}: {shown!r}",
            remedy="Give the right columns; write numbers with a decimal point, times as 2024-01-31 or since 1970",
        )
