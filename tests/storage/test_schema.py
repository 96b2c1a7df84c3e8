"""Names of series never escape the lake, and only tables that are what they say are let in."""

from pathlib import PurePosixPath

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from truewind.errors import ConfigError, SchemaError, ValidationError
from truewind.storage.schema import KINDS, SeriesKey, segment_value, validate

BARS = SeriesKey("bars", "binance", "BTCUSDT", "1h")
TRADES = SeriesKey("trades", "binance", "BTCUSDT")
HOUR = 3_600_000_000
DAY_2024 = 1_704_067_200_000_000  # 2024-01-01 00:00 UTC


def trades(times, ids=None, **columns):
    n = len(times)
    values = {"ts": times, "price": [1.0] * n, "quantity": [2.0] * n, "side": [1] * n} | columns
    types = {"ts": pl.Int64, "price": pl.Float64, "quantity": pl.Float64, "side": pl.Int8}
    if ids is not None:
        values["id"], types["id"] = ids, pl.Int64
    return pl.DataFrame(values, schema=types).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from("./\\%=~*?: "), min_size=1, max_size=16)


@given(NAMES, NAMES)
def test_any_symbol_and_venue_stay_inside_the_lake_and_can_be_read_back_from_the_path(venue, symbol):
    """A path has exactly its five segments, none of them `..`, and gives the names back."""
    assume(venue.strip() and symbol.strip())
    path = PurePosixPath(SeriesKey("bars", venue, symbol, "1h").path)
    assert len(path.parts) == 5
    assert ".." not in path.parts
    assert [segment_value(part) for part in path.parts[2:]] == [venue, symbol, "1h"]


@pytest.mark.parametrize(
    "symbol", ["BTC/USDT", "../x", "..", "/etc/passwd", "a\\b", "%2E%2E", "venue=x", "~", ".hidden"]
)
def test_names_made_to_climb_out_are_one_harmless_segment(symbol):
    """Separators and dots in a symbol do not make folders."""
    parts = SeriesKey("trades", "kraken", symbol).path.split("/")
    assert parts[:3] == ["raw", "trades", "venue=kraken"]
    assert len(parts) == 4
    assert parts[3].startswith("symbol=")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("bar", "binance", "BTCUSDT", "1h"), "Did you mean 'bars'?"),
        (("bars", "binance", "BTCUSDT"), "need a timeframe"),
        (("bars", "binance", "BTCUSDT", "1x"), "Unknown timeframe '1x'"),
        (("bars", "binance", "BTCUSDT", "60m"), "Write 1h"),
        (("trades", "binance", "BTCUSDT", "1h"), "trades have no timeframe"),
        (("bars", "", "BTCUSDT", "1h"), "venue '' is empty"),
        (("bars", "binance", " ", "1h"), "symbol ' ' is empty"),
        (("bars", "binance", "BTC\x00", "1h"), "not printable"),
        (("bars", "binance", "B" * 300, "1h"), "too long"),
        (("bars", "binance", "BTCUSDT", "1h", "row"), "Did you mean 'raw'?"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_right_one(arguments, says):
    """Each impossible key raises ConfigError that says what to write."""
    with pytest.raises(ConfigError) as caught:
        SeriesKey(*arguments)
    assert says in str(caught.value)


def test_keys_read_as_people_say_them():
    """`str` names venue, symbol, kind and timeframe, and the layer only if it is not the usual one."""
    assert str(BARS) == "binance BTCUSDT bars 1h"
    assert (
        str(SeriesKey("funding", "binance_usdm", "ETHUSDT", layer="curated")) == "curated binance_usdm ETHUSDT funding"
    )
    assert (BARS.step_us, TRADES.step_us) == (HOUR, 0)


BAR = ("ts", "open", "high", "low", "close", "volume")


def test_the_kinds_are_those_the_house_relies_on():
    """Names of kinds and columns are an interface: they are read by every other room."""
    assert {name: list(kind.columns) for name, kind in KINDS.items()} == {
        "bars": [*BAR, "quote_volume", "trades", "taker_buy_volume", "ts_recv"],
        "mark_bars": [*BAR, "ts_recv"],
        "index_bars": [*BAR, "ts_recv"],
        "premium_index": ["ts", "open", "high", "low", "close"],
        "trades": ["ts", "price", "quantity", "side", "id", "ts_recv"],
        "quotes": ["ts", "bid", "bid_quantity", "ask", "ask_quantity", "id", "ts_recv"],
        "funding": ["ts", "rate", "mark_price", "ts_recv"],
        "marks": ["ts", "mark_price", "index_price", "funding_rate", "next_funding_ts", "ts_recv"],
        "open_interest": ["ts", "open_interest", "open_interest_value", "ts_recv"],
        "long_short": ["ts", "top_accounts", "top_positions", "accounts", "taker_volume"],
        "liquidations": ["ts", "side", "price", "quantity", "average_price", "id", "ts_recv"],
        "depth_bands": ["ts", "percent", "depth", "notional"],
        "dividends": ["ts", "dividend"],
        "splits": ["ts", "split"],
        "book": ["ts", "ts_recv", "kind", "side", "price", "quantity", "id", "first", "previous"],
    }


def test_stored_form_has_ordered_columns_and_no_empty_ones(bars):
    """Columns come in the kind's order; optional ones without a value are left out, NaN in them is null."""
    nan = float("nan")
    table = bars([0, HOUR], quote_volume=[1.0, nan], trades=[None, nan])
    stored = validate(BARS, table.select(reversed(table.columns)))
    assert stored.columns == ["ts", "open", "high", "low", "close", "volume", "quote_volume"]
    assert stored["quote_volume"].to_list() == [1.0, None]


@pytest.mark.parametrize(
    ("change", "column", "says"),
    [
        (lambda t: t.drop("close"), "close", "'close' is missing. bars need ts, open"),
        (lambda t: t.rename({"volume": "volumes"}), "volumes", "Did you mean 'volume'?"),
        (lambda t: t.with_columns(pl.col("close").cast(pl.Float32)), "close", "is Float32, not Float64"),
        (lambda t: t.with_columns(pl.col("ts").cast(pl.Datetime("ms", "UTC"))), "ts", "UTC times in microseconds"),
        (lambda t: t.with_columns(pl.col("ts").dt.replace_time_zone(None)), "ts", "UTC times in microseconds"),
    ],
)
def test_wrong_columns_are_refused_by_name(bars, change, column, says):
    """A missing, unknown or wrongly typed column raises SchemaError with the column's name and the remedy."""
    with pytest.raises(SchemaError) as caught:
        validate(BARS, change(bars([0, HOUR])))
    assert caught.value.facts["column"] == column
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("times", "columns", "row", "says"),
    [
        ([0, HOUR, 2 * HOUR], {"close": [1.0, None, 1.0]}, 1, "'close' is null in row 1 at 1970-01-01 01:00:00"),
        ([0, HOUR, 2 * HOUR], {"open": [1.0, 1.0, float("nan")]}, 2, "'open' is no finite number in row 2"),
        ([0, HOUR], {"volume": [float("inf"), 1.0]}, 0, "'volume' is no finite number in row 0"),
        ([0, HOUR], {"quote_volume": [1.0, float("-inf")]}, 1, "'quote_volume' is no finite number in row 1"),
        ([0, 2 * HOUR, HOUR], {}, 2, "go back in row 2 at 1970-01-01 01:00:00 (1 such rows). Sort the table by ts"),
        ([0, HOUR, HOUR, HOUR], {}, 2, "'ts' come twice in row 2 at 1970-01-01 01:00:00 (2 such rows)"),
        ([0, None], {}, 1, "'ts' is null in row 1 at None µs"),
        ([0, 1000 * DAY_2024], {}, 1, "must be microseconds"),
        ([-10 * DAY_2024, 0], {}, 0, "not between 1900 and 2200"),
    ],
)
def test_rows_that_break_a_rule_are_named(bars, times, columns, row, says):
    """ValidationError names the first bad row, counting from 0, and its time."""
    with pytest.raises(ValidationError) as caught:
        validate(BARS, bars(times, **columns))
    assert caught.value.facts["row"] == row
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (trades([5, 5], ids=[7, 7]), "'ts' and 'id' come twice in row 1"),
        (trades([5, 5], ids=[7, 6]), "'ts' and 'id' go back in row 1"),
        (trades([5, 6], ids=[7, None]), "'id' is null in row 1"),
        (trades([5, 6], ids=[None, None]), "'id' is null in row 0"),
        (trades([5, 4]), "'ts' go back in row 1"),
        (trades([5, 6], side=[1, 0]), "'side' is neither 1 nor -1 in row 1"),
    ],
)
def test_trades_are_told_apart_by_time_and_id(table, says):
    """Equal times are fine if ids rise; ids, where there are any, must be there in every row."""
    with pytest.raises(ValidationError) as caught:
        validate(TRADES, table)
    assert says in str(caught.value)


def test_trades_of_one_time_are_fine():
    """Several trades may share a time, with rising ids or without ids."""
    assert validate(TRADES, trades([5, 5, 6], ids=[1, 2, 1])).height == 3
    assert validate(TRADES, trades([5, 5, 5])).height == 3


def test_an_empty_table_is_valid(bars):
    """No rows break no rule."""
    assert validate(BARS, bars([])).height == 0
