"""The content hash depends on what a table says, and on nothing else."""

import hashlib
import io
import struct

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from truewind.storage.content import content_hash, hash_of_hashes

UTC_US = pl.Datetime("us", "UTC")


def test_known_answer():
    """Equals the documented byte string put together by hand."""
    table = pl.DataFrame(
        {"ts": [1, -2, 3], "price": [1.5, None, -0.0], "side": [1, -1, 1], "id": [7, 8, None]},
        schema={"ts": pl.Int64, "price": pl.Float64, "side": pl.Int8, "id": pl.Int64},
    ).with_columns(pl.col("ts").cast(UTC_US))
    text = b"ts us 3\n\x00" + struct.pack("<3q", 1, -2, 3)
    text += b"price f8 3\n\x01" + bytes([0b101]) + struct.pack("<3d", 1.5, 0.0, 0.0)
    text += b"side i1 3\n\x00" + struct.pack("<3b", 1, -1, 1)
    text += b"id i8 3\n\x01" + bytes([0b011]) + struct.pack("<3q", 7, 8, 0)
    assert content_hash(table) == hashlib.sha256(text).hexdigest()[:32]


def test_hash_of_hashes_known_answer():
    """Equals SHA-256 over one line a pair."""
    expected = hashlib.sha256(b"2024-01 aa\n2024-02 bb\n").hexdigest()[:32]
    assert hash_of_hashes([("2024-01", "aa"), ("2024-02", "bb")]) == expected


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1, max_size=40), st.integers(0, 40))
def test_chunks_slices_and_a_trip_through_parquet_change_nothing(values, cut):
    """Memory layout, compression and row groups are not content."""
    table = pl.DataFrame({"price": values}, schema={"price": pl.Float64})
    chunked = pl.concat([table.head(cut), table.slice(cut)], rechunk=False)
    padded = pl.concat([table, table]).slice(len(values))
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd", row_group_size=7)
    buffer.seek(0)
    expected = content_hash(table)
    assert [content_hash(other) for other in (chunked, padded, pl.read_parquet(buffer))] == [expected] * 3


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=8), st.data())
def test_any_changed_value_changes_the_hash(values, data):
    """One other value, null in place of 0 included, and the hash differs; so it does for another name."""
    at = data.draw(st.integers(0, len(values) - 1))
    other = list(values)
    other[at] = data.draw(st.one_of(st.none(), st.integers(-3, 3)).filter(lambda value: value != values[at]))
    one, two = (pl.DataFrame({"id": column}, schema={"id": pl.Int64}) for column in (values, other))
    assert content_hash(one) != content_hash(two)
    assert content_hash(one) != content_hash(one.rename({"id": "ids"}))
