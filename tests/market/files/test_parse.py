"""Parsed columns are ours by name, type and meaning."""

import zipfile
from pathlib import Path

import polars as pl
import pytest

from truewind.errors import FormatError
from truewind.market.files.container import Encoding, Member, members
from truewind.market.files.names import Hints
from truewind.market.files.parse import parse
from truewind.market.files.table import ROW, read_table
from truewind.market.sniff import sniff


def parsed(text: str) -> pl.DataFrame:
    raw = read_table(Member(Path("x.csv"), "", text.encode(), Encoding.TEXT, 0))
    return parse(raw, sniff(raw, Hints()))


def test_bars_keep_what_the_lake_and_the_checks_use_and_nothing_else():
    frame = parsed(
        "time,low,high,close,open,volume,comment,close_time,symbol\n1704067200,1,4,3,2,5,hi,1704067259,BTC\n"
    )
    assert frame.columns == [ROW, "ts", "open", "high", "low", "close", "volume", "close_time", "symbol"]
    assert frame.row(0)[2:7] == (2.0, 4.0, 1.0, 3.0, 5.0)


@pytest.mark.parametrize("word", ["nan", "NaN", "", "null", "n/a", "1,5"])
def test_what_is_no_number_is_null(word):
    frame = parsed(f"time;open;high;low;close;volume\n1704067200;1;1;1;1;1\n1704067260;{word};1;1;1;1\n")
    assert frame["open"].to_list() == [1.0, None]


@pytest.mark.parametrize(
    ("column", "values"), [("side", ["buy", "SELL"]), ("side", ["1", "-1"]), ("is_buyer_maker", ["false", "True"])]
)
def test_the_side_is_that_of_the_taker(column, values):
    frame = parsed(f"time,price,amount,{column}\n" + "".join(f"1704067200,1,1,{value}\n" for value in values))
    assert frame["side"].to_list() == [1, -1]
    assert frame["side"].dtype == pl.Int8


def test_an_explicit_side_goes_before_the_maker_flag():
    frame = parsed("time,price,amount,side,is_buyer_maker\n1704067200,1,1,buy,true\n")
    assert frame["side"].to_list() == [1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,open,high,low,close,volume\nsoon,1,1,1,1,1\n", "column 'time' cannot be read as time: 'soon'"),
        (
            "time,open,high,low,close,volume\n1704067200,1,1,1,1,lots\n",
            "column 'volume' cannot be read as volume: 'lots'",
        ),
        ("time,open,high,low,close\n1704067200,1,1,1,1\n", "need 'volume'"),
        (
            "time,price,amount,is_buyer_maker\n1704067200,1,1,perhaps\n",
            "column 'is_buyer_maker' cannot be read as side",
        ),
    ],
)
def test_a_column_that_cannot_be_read_is_named_with_its_first_value(text, says):
    with pytest.raises(FormatError, match=says):
        parsed(text)


def test_recorded_volumes_that_turn_decimal_late_are_all_read(shared):
    """gravestone 1h: 117,082 rows of 27 symbols without one unreadable value (README, note 9)."""
    rows = 0
    for member in members(shared / "gravestone" / "usdm_klines_1h.zip"):
        raw = read_table(member)
        frame = parse(raw, sniff(raw, Hints()))
        assert frame.null_count().sum_horizontal().item() == 0
        rows += frame.height
    assert rows == 117_082
    with zipfile.ZipFile(shared / "gravestone" / "usdm_klines_1h.zip") as archive:
        assert len(archive.namelist()) == 27
