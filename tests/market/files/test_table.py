"""Raw tables: dialect, header and types are found without guessing from the first rows."""

from pathlib import Path

import polars as pl
import pytest

from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member
from truewind.market.files.table import ROW, read_table


def member(data: bytes, encoding: Encoding = Encoding.TEXT) -> Member:
    return Member(Path("x.csv"), "", data, encoding, 0)


def values(data: bytes) -> list[tuple]:
    return read_table(member(data)).frame.drop(ROW).rows()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(separator):
    text = f"time{separator}open\n1{separator}2\n"
    assert values(text.encode()) == [("1", "2")]


@pytest.mark.parametrize("prefix", [b"\xef\xbb\xbf", b"# said by the source\n#\n"])
def test_byte_order_marks_and_comments_are_passed_over(prefix):
    table = read_table(member(prefix + b"time,open\r\n1,2\r\n"))
    assert table.columns == ["time", "open"]
    assert table.frame.rows() == [(1, "1", "2")]


def test_a_first_row_with_a_number_is_no_header():
    table = read_table(member(b"20221213 00:00:00,0.0001\n20221213 08:00:00,0.0002\n"))
    assert not table.header
    assert table.columns == ["column_1", "column_2"]
    assert table.frame.height == 2


def test_decimals_that_appear_late_are_kept():
    text = "time,volume\n" + "".join(f"{i},{i}\n" for i in range(1, 2000)) + "2000,0.125\n"
    assert values(text.encode())[-1] == ("2000", "0.125")


def test_rows_are_numbered_from_one():
    assert read_table(member(b"a,b\n7,8\n9,9\n")).frame[ROW].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"time,open\n", "no rows"),
        (b"just words\nmore\n", "one column"),
        (b'[{"a": 1}]', "JSON"),
        (b"time,open\n1,2,3\n", "cannot be read as text"),
        ("time,\xf6ffnung\n1,2\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_what_is_no_table_is_refused(data, says):
    with pytest.raises(FormatError, match=says):
        read_table(member(data))


def test_bytes_that_only_begin_and_end_like_parquet_are_refused():
    with pytest.raises(FormatError, match="cannot be read as parquet"):
        read_table(member(b"PAR1" + b"junk" * 20 + b"PAR1", Encoding.PARQUET))


def test_a_table_without_rows_is_refused_in_parquet_too(tmp_path):
    pl.DataFrame({"ts": [], "open": []}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(FormatError, match="no rows"):
        read_table(member((tmp_path / "x.parquet").read_bytes(), Encoding.PARQUET))
