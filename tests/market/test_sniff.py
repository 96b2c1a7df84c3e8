"""A layout is recognised by what is in it, and nothing is recognised that is something else."""

from itertools import permutations
from pathlib import Path

import pytest

from market.samples import make_bars
from truewind.errors import FormatError, SchemaError
from truewind.market.files.container import Encoding, Member
from truewind.market.files.names import Hints
from truewind.market.files.table import RawTable, read_table
from truewind.market.sniff import sniff

BARS = make_bars(200).select("ts", "open", "high", "low", "close", "volume")


def raw(text: str) -> RawTable:
    return read_table(Member(Path("x.csv"), "", text.encode(), Encoding.TEXT, 0))


def headerless(columns: tuple[str, ...]) -> RawTable:
    table = BARS.with_columns(BARS["ts"].dt.epoch("s")).select("ts", *columns)
    return raw(table.write_csv(include_header=False))


@pytest.mark.parametrize("order", list(permutations(["open", "high", "low", "close", "volume"])))
def test_without_a_header_only_the_published_column_order_is_taken(order):
    """Of all 120 orders of open, high, low, close, volume just the one that the layout promises is recognised."""
    if order == ("open", "high", "low", "close", "volume"):
        layout = sniff(headerless(order), Hints())
        assert (layout.format, layout.kind) == ("ohlcv", "bars")
    else:
        with pytest.raises(FormatError, match="without a header"):
            sniff(headerless(order), Hints())


def test_seven_columns_are_kraken_bars_or_binance_trades_by_their_content():
    bars = raw("".join(f"{1704067200 + 60 * i},10,12,9,11,5,3\n" for i in range(5)))
    trades = raw("".join(f"{i},10,1,10,{1704067200000 + i},True,True\n" for i in range(5)))
    assert sniff(bars, Hints()).format == "kraken_ohlcvt"
    assert sniff(trades, Hints()).format == "binance_trades"


def test_a_mark_price_file_is_told_by_its_name_and_by_the_user():
    table = raw("time,open,high,low,close\n1704067200,1,1,1,1\n")
    assert sniff(table, Hints()).kind == "bars"
    assert sniff(table, Hints(kind="mark_bars")).kind == "mark_bars"
    assert sniff(table, Hints(kind="mark_bars"), kind="index_bars").kind == "index_bars"


def test_a_name_that_speaks_of_funding_does_not_turn_bars_into_funding():
    assert sniff(raw("time,open,high,low,close\n1704067200,1,1,1,1\n"), Hints(kind="funding")).kind == "bars"


def test_given_columns_come_first_and_the_others_are_recognised():
    table = raw("Zeit,Open,High,Low,Close,Volume BTC,Volume USDT\n1704067200,1,1,1,1,2,3\n")
    layout = sniff(table, Hints(), columns={"ts": "Zeit", "volume": "Volume BTC"})
    assert layout.columns == {
        "ts": "Zeit",
        "open": "Open",
        "high": "High",
        "low": "Low",
        "close": "Close",
        "volume": "Volume BTC",
    }


@pytest.mark.parametrize(
    ("columns", "error", "says"),
    [
        ({"opne": "Open"}, SchemaError, "Did you mean 'open'"),
        ({"open": "Opne"}, SchemaError, "Did you mean 'Open'"),
        ({"open": "Open", "price": "Close"}, FormatError, "not recognised"),
    ],
)
def test_columns_that_do_not_fit_are_refused_with_the_closest_name(columns, error, says):
    with pytest.raises(error) as caught:
        sniff(raw("time,Open,High,Low,Close\n1704067200,1,1,1,1\n"), Hints(), columns=columns)
    assert says in str(caught.value)
