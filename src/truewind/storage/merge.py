"""Append: stored rows and new rows become one table without double keys."""

from typing import NamedTuple

import polars as pl

from truewind.storage.schema import Kind, row_key

_NUMBER = "__number"


class Merged(NamedTuple):
    """The merged rows, and how many of the new ones were added, already there, or there with other values."""

    table: pl.DataFrame
    added: int
    duplicates: int
    replaced: int


def merge(kind: Kind, stored: pl.DataFrame, new: pl.DataFrame) -> Merged:
    """`stored` with `new` put in by key; both are in stored form and have the same key columns.

    A new row whose key is stored replaces that row if any value differs; a null says nothing and keeps what is stored.
    Without the last key column, the n-th row of a `ts` stands for the n-th stored row of that `ts`.
    """
    names = [name for name in kind.columns if name in stored.columns or name in new.columns]
    if new["ts"][0] > stored["ts"][-1]:
        return Merged(pl.concat([stored, new], how="diagonal").select(names), new.height, 0, 0)
    keys = list(row_key(kind, new.columns))
    unique = len(keys) == len(kind.key)
    old, new = _complete(kind, names, stored), _complete(kind, names, new)
    if not unique:
        number = pl.int_range(pl.len()).over("ts").alias(_NUMBER)
        keys.append(_NUMBER)
        old, new = old.with_columns(number), new.with_columns(number)

    before = old.join(new.select(keys), on=keys, how="semi").sort(keys)
    after = new.join(old.select(keys), on=keys, how="semi").sort(keys)
    after = after.with_columns(pl.coalesce(pl.col(name), before[name]).alias(name) for name in names)
    differs = pl.Series([False]).new_from_index(0, after.height)
    for name in names:
        differs |= after[name].ne_missing(before[name])
    replaced = int(differs.sum())

    added = new.join(old.select(keys), on=keys, how="anti")
    kept = old.join(new.select(keys), on=keys, how="anti")
    table = pl.concat([kept, after, added]).sort(keys).select(names)
    return Merged(table, added.height, after.height - replaced, replaced)


def _complete(kind: Kind, names: list[str], table: pl.DataFrame) -> pl.DataFrame:
    """`table` with all columns `names`, null where it has none."""
    types = kind.columns
    return table.select(pl.col(n) if n in table.columns else pl.lit(None, types[n]).alias(n) for n in names)
