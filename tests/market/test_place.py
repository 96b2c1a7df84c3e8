"""The user's word first, then the contents, then the name; what none of them says is asked for."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.samples import START_US, make_bars
from truewind.domain.timeframe import timeframe_us
from truewind.errors import FormatError
from truewind.market.files.names import Hints
from truewind.market.files.table import ROW
from truewind.market.place import TIMEFRAMES, Options, place
from truewind.market.sniff import Layout

LAYOUT = Layout("columns", "bars", {"ts": "time"})


def placed(frame: pl.DataFrame, hints: Hints = Hints(), **options: str):  # noqa: B008
    given = {"venue": "kraken", "symbol": "BTCUSD"} | options
    return place(frame.with_row_index(ROW, offset=1), LAYOUT, hints, Options(**given), "x.csv")


@given(st.sampled_from(TIMEFRAMES), st.sets(st.integers(0, 99), max_size=30))
def test_the_most_common_step_is_the_timeframe_also_with_holes(timeframe, holes):
    """A hundred bars with up to thirty taken out still step by one timeframe more often than by any other."""
    bars = make_bars(100, step_us=timeframe_us(timeframe))
    kept = bars.filter(~pl.int_range(pl.len()).is_in(sorted(holes)))
    steps = kept["ts"].to_physical().diff().drop_nulls()
    if (steps == timeframe_us(timeframe)).sum() > len(steps) / 2:
        assert placed(kept)[0].key.timeframe == timeframe


def test_a_thin_market_does_not_contradict_its_name():
    """Every second minute and once the next one: a 1m series of which half is missing."""
    bars = make_bars(60).filter((pl.int_range(pl.len()) % 2 == 0) | (pl.int_range(pl.len()) == 7))
    assert placed(bars, Hints(timeframe="1m"))[0].key.timeframe == "1m"
    with pytest.raises(FormatError, match="the name says 15m"):
        placed(bars, Hints(timeframe="15m"))


def test_two_rows_are_too_few_to_contradict_but_must_fit():
    assert placed(make_bars(2, step_us=7_200_000_000), timeframe="1h")[0].key.timeframe == "1h"
    with pytest.raises(FormatError, match="the option says 1h"):
        placed(make_bars(2), timeframe="1h")


def test_the_option_comes_before_the_name():
    (one,) = placed(make_bars(), Hints(venue="binance", symbol="ETHUSDT"))
    assert (one.key.venue, one.key.symbol) == ("kraken", "BTCUSD")


def test_rows_of_other_symbols_are_set_apart_once():
    frame = make_bars(5).with_columns(symbol=pl.Series(["BTC/USD", "btc/usd", "ETHUSD", None, "BTCUSD"]))
    (one,) = placed(frame)
    assert (one.rows.height, one.strays.height) == (3, 2)
    assert "symbol" not in one.rows.columns
    both = place(frame.with_row_index(ROW, offset=1), LAYOUT, Hints(), Options(venue="kraken", timeframe="1m"), "x.csv")
    assert [(p.key.symbol, p.rows.height, p.strays.height) for p in both] == [("BTCUSD", 3, 1), ("ETHUSD", 1, 0)]
    assert both[0].rows["ts"].to_physical()[0] == START_US
