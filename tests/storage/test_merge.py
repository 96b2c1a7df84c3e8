"""Appended rows end up where a plain dict would put them."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.storage.merge import merge
from truewind.storage.schema import KINDS

UTC_US = pl.Datetime("us", "UTC")
TRADES, BARS = KINDS["trades"], KINDS["bars"]


def trades(rows, with_id):
    """(ts, id, price) rows as a trades table in stored form."""
    types = {"ts": pl.Int64, "price": pl.Float64, "quantity": pl.Float64, "side": pl.Int8, "id": pl.Int64}
    table = pl.DataFrame([(ts, price, 1.0, 1, id_) for ts, id_, price in rows], schema=types, orient="row")
    table = table.with_columns(pl.col("ts").cast(UTC_US))
    return table if with_id else table.drop("id")


ROWS = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 3)), st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=12
)


@examples(60)
@given(ROWS, ROWS)
def test_rows_with_ids_are_merged_like_dicts(stored, new):
    """By (ts, id): new keys are added, equal rows are duplicates, others replace; the result is sorted."""
    tables = [trades([(*key, price) for key, price in sorted(rows.items())], True) for rows in (stored, new)]
    merged = merge(TRADES, *tables)
    expected = stored | new
    assert [*zip(merged.table["ts"].to_physical(), merged.table["id"], strict=True)] == sorted(expected)
    assert merged.table["price"].to_list() == [expected[key] for key in sorted(expected)]
    assert merged.added == len(new.keys() - stored.keys())
    assert merged.duplicates == len(new.items() & stored.items())
    assert merged.added + merged.duplicates + merged.replaced == len(new)


TIMED = st.lists(st.tuples(st.integers(0, 4), st.sampled_from([1.0, 2.0])), min_size=1, max_size=12)


@examples(60)
@given(TIMED, TIMED)
def test_rows_without_ids_are_told_apart_by_their_place_within_one_time(stored, new):
    """The n-th row of a time stands for the n-th stored row of that time; equal trades are not lost."""

    def numbered(rows):
        seen, found = {}, {}
        for ts, price in sorted(rows, key=lambda row: row[0]):
            seen[ts] = seen.get(ts, -1) + 1
            found[ts, seen[ts]] = price
        return found

    old, fresh = numbered(stored), numbered(new)
    tables = [trades([(ts, 0, price) for (ts, _), price in rows.items()], False) for rows in (old, fresh)]
    merged = merge(TRADES, *tables)
    expected = old | fresh
    assert merged.table["ts"].to_physical().to_list() == [ts for ts, _ in sorted(expected)]
    assert merged.table["price"].to_list() == [expected[key] for key in sorted(expected)]
    assert merged.duplicates == len(fresh.items() & old.items())
    again = merge(TRADES, merged.table, tables[1])
    assert (again.added, again.replaced) == (0, 0)


def test_a_null_says_nothing(bars):
    """A source without quote volume does not wipe the one that is stored, and is no change."""
    rich = bars([0, 1], quote_volume=[5.0, 6.0])
    poor = bars([0, 1, 2], close=[11.0, 99.0, 11.0])
    merged = merge(BARS, rich, poor)
    assert merged.table["quote_volume"].to_list() == [5.0, 6.0, None]
    assert merged.table["close"].to_list() == [11.0, 99.0, 11.0]
    assert (merged.added, merged.duplicates, merged.replaced) == (1, 1, 1)


def test_when_a_bar_was_received_outlives_its_download(bars):
    """A bar recorded live, then downloaded: the time of its arrival stays, in either order of the two."""
    recv = pl.Series("ts_recv", [60_000_123], dtype=pl.Int64).cast(UTC_US)
    live, downloaded = bars([0]).with_columns(recv), bars([0], quote_volume=[5.0])
    one, other = merge(BARS, live, downloaded).table, merge(BARS, downloaded, live).table
    assert one.equals(other)
    assert one["ts_recv"].to_physical().to_list() == [60_000_123]


def test_a_column_can_be_filled_in_later(bars):
    """Rows that bring a value where there was none replace, and the others get null; order of columns stays."""
    merged = merge(BARS, bars([0, 1]), bars([1, 2], trades=[4.0, 5.0]))
    assert merged.table["trades"].to_list() == [None, 4.0, 5.0]
    assert merged.table.columns == ["ts", "open", "high", "low", "close", "volume", "trades"]
    assert (merged.added, merged.duplicates, merged.replaced) == (1, 0, 1)


def test_minus_zero_is_zero(bars):
    """0.0 and -0.0 are one number, so appending one to the other is no change."""
    assert merge(BARS, bars([0], close=[0.0]), bars([0], close=[-0.0])).duplicates == 1
