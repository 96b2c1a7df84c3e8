"""Value, long only: the cheapest of a list, by what was known at the time."""

import math
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import columns, flat, perpetual, play
from truewind.domain.clock import parse_ts_us
from truewind.errors import ConfigError, MissingFileError
from truewind.strategies.equities.value_long import ValueLong, read_fundamentals

DAY = 86_400_000_000


def bar(past, at="2010-06-01"):
    return SimpleNamespace(past=past, ts_event=parse_ts_us(at))


PASTS = {"A": 0.5, "B": -0.3, "C": 0.1, "D": -0.1}


@pytest.mark.parametrize(
    ("params", "weights"),
    [
        ({"share": 0.25}, {"B": 1.0}),
        ({"share": 0.5}, {"B": 0.5, "D": 0.5}),
        ({"share": 1.0, "gross": 0.8}, dict.fromkeys("ABCD", 0.2)),
        ({"share": 0.2}, None),  # less than one of four
    ],
)
def test_the_losers_are_the_cheap_ones(params, weights):
    """B lost most of the four, then D."""
    assert ValueLong(**params).weights({symbol: bar(past) for symbol, past in PASTS.items()}) == weights


def test_who_has_no_five_years_yet_is_not_ranked():
    """NaN is no return."""
    section = {symbol: bar(past) for symbol, past in PASTS.items()} | {"E": bar(math.nan)}
    assert ValueLong(share=0.25).weights(section) == {"B": 1.0}
    assert ValueLong().weights({"E": bar(math.nan)}) is None


@pytest.fixture
def books(tmp_path):
    path = tmp_path / "book.csv"
    path.write_text("symbol,known,value\nA,2010-03-01,0.4\nB,2010-03-01,0.9\nA,2010-08-15,1.5\nB,2011-03-01,\n")
    return str(path)


@pytest.mark.parametrize(
    ("at", "held"),
    [("2010-02-28", None), ("2010-06-01", "B"), ("2010-08-14", "B"), ("2010-08-15", "A"), ("2011-04-01", "A")],
)
def test_fundamentals_count_from_when_they_were_known(books, at, held):
    """The value that is the higher one is held, and a value that ends leaves its symbol unranked."""
    strategy = ValueLong(fundamentals=books, share=0.5 if at < "2011" else 1.0)
    assert strategy.features() == {}
    weights = strategy.weights({symbol: bar(0.0, at) for symbol in "ABC"})
    assert weights == (None if held is None else {held: 1.0})


@pytest.mark.parametrize(
    ("text", "what"),
    [("symbol,value\nA,1\n", "no column known"), ("symbol,known,value\nA,2010-01-01,1\nA,soon,2\n", "line 3"),
     ("symbol,known,value\nA,2010-01-01,much\n", "line 2"), ("symbol,known,value\nA,2010-01-01\n", "line 2")],
)  # fmt: skip
def test_damaged_fundamentals_are_refused_with_their_line(tmp_path, text, what):
    """A missing column, a time or a value that is none, a line that is too short."""
    path = tmp_path / "book.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=what):
        read_fundamentals(path)


def test_fundamentals_that_are_not_there_are_missing(tmp_path):
    """By their path."""
    with pytest.raises(MissingFileError, match=r"none\.csv"):
        ValueLong(fundamentals=str(tmp_path / "none.csv"))


@given(
    st.dictionaries(st.text("ABCDEF", min_size=1, max_size=2), st.one_of(st.floats(-0.99, 50), st.just(math.nan))),
    st.floats(0.05, 1.0),
    st.floats(0.1, 2.0),
)
def test_weights_are_equal_long_and_sum_to_gross(pasts, share, gross):
    """Whoever is held lost at least as much as whoever is not."""
    weights = ValueLong(share=share, gross=gross).weights({symbol: bar(past) for symbol, past in pasts.items()})
    known = {symbol: past for symbol, past in pasts.items() if past == past}
    assert (weights is None) == (int(len(known) * share) == 0)
    if weights:
        assert math.isclose(sum(weights.values()), gross)
        assert min(weights.values()) > 0.0
        others = [past for symbol, past in known.items() if symbol not in weights]
        assert not others or max(known[symbol] for symbol in weights) <= min(others)


def test_on_recorded_shares_it_holds_the_loser_of_a_year(shared):
    """Four shares, 1990 to 1994: of each month's first known day the one with the least return of 252 days, reckoned by
    polars from the table, is what is held two days later. Cut off in the middle, what went before is the same."""
    names = ["GE", "KO", "PFE", "XOM"]
    table = pl.read_csv(shared / "pypi-skfolio" / "sp500_dataset.csv.gz", infer_schema_length=None).head(1200)
    past = table.select(pl.col(name) / pl.col(name).shift(252) - 1.0 for name in names)
    days = table["Date"].str.to_datetime(time_unit="us", time_zone="UTC")
    opened = days.dt.epoch("us").to_numpy()

    def run(rows):
        bars = {}
        for name in names:
            bars[name] = columns([flat(price) for price in table[name].head(rows)]) | {"ts": opened[:rows]}
            bars[name]["past"] = past[name].head(rows).fill_null(math.nan).to_numpy()
        traded = [perpetual(name, tick="0.001", lot="1") for name in names]
        return play(bars, ValueLong(lookback=252, share=0.25), instruments=traded, step=DAY, cash=100_000.0)

    whole, half = run(1200), run(700)
    assert np.array_equal(half.fills, whole.fills[: len(half.fills)])
    assert 5 < len(half.fills) < len(whole.fills)
    lots = np.zeros((1200, len(names)), np.int64)
    np.add.at(lots, (np.searchsorted(opened, whole.fills["ts"], side="right") - 1, whole.fills["symbol"]),
              whole.fills["side"].astype(np.int64) * whole.fills["lots"])  # fmt: skip
    held = lots.cumsum(axis=0)
    months = days.dt.offset_by("1d").dt.month()  # a day is known when it is over
    firsts = [row for row in range(253, 1190) if months[row] != months[row - 1]]
    wanted = [min(range(len(names)), key=past.row(row).__getitem__) for row in firsts]
    assert len(firsts) > 40
    assert [np.flatnonzero(held[row + 2]).tolist() for row in firsts] == [[symbol] for symbol in wanted]
