"""Merging: the bars of many symbols in the one order in which a trader learns of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import MINUTE, columns, flat
from truewind.domain.events import sort_key
from truewind.domain.market import Bar, Trade
from truewind.engine import merge as merging
from truewind.engine.merge import merge, merge_trades
from truewind.errors import ConfigError, DataError


def all_bars(timeline, wanted=None):
    return [(row, bar) for rows, bars in timeline.chunks(wanted) for row, bar in zip(rows, bars, strict=True)]


def table(times, price=1.0):
    made = columns([flat(price + i) for i in range(len(times))])
    return made | {"ts": np.array(times, np.int64)}


TIMES = st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True).map(sorted)


@given(st.lists(st.tuples(TIMES, st.sampled_from([1, 5, 15])), min_size=1, max_size=4))
def test_bars_come_in_the_order_of_events(series):
    """By the time at which a bar is known, the longer first, then the symbol named first; none is lost or doubled."""
    names = [f"S{i}" for i in range(len(series))]
    bars = {name: table([t * MINUTE for t in times]) for name, (times, _) in zip(names, series, strict=True)}
    lengths = {name: length * MINUTE for name, (_, length) in zip(names, series, strict=True)}
    found = [bar for _, bar in all_bars(merge(bars, lengths))]
    expected = [
        Bar(name, int(ts), int(ts) + lengths[name], int(ts) + lengths[name], price, price, price, price, 1.0)
        for name in names
        for ts, price in zip(bars[name]["ts"], bars[name]["close"].tolist(), strict=True)
    ]
    expected.sort(key=sort_key)
    assert [(b.symbol, b.ts, b.ts_event, b.close) for b in found] == [
        (b.symbol, b.ts, b.ts_event, b.close) for b in expected
    ]


def test_an_hour_is_known_before_the_minute_that_ends_with_it():
    """A strategy woken by the minute bar has the hour bar already."""
    bars = {"MIN": table([59 * MINUTE]), "HOUR": table([0])}
    assert [bar.symbol for _, bar in all_bars(merge(bars, {"MIN": MINUTE, "HOUR": 60 * MINUTE}))] == ["HOUR", "MIN"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 100])
def test_bars_are_the_same_however_they_are_handed_out(chunk, monkeypatch):
    """Rows count up from 0 whatever the size of a piece; bars wanted are those rows of all."""
    timeline = merge({"AAA": table(range(0, 10 * MINUTE, MINUTE)), "BBB": table(range(0, 7 * MINUTE, MINUTE))},
                     {"AAA": MINUTE, "BBB": MINUTE})  # fmt: skip
    whole = all_bars(timeline)
    monkeypatch.setattr(merging, "CHUNK", chunk)
    assert repr(all_bars(timeline)) == repr(whole)
    assert [row for row, _ in whole] == list(range(17))
    wanted = np.array([0, 3, 4, 16])
    assert repr(all_bars(timeline, wanted)) == repr([whole[row] for row in wanted])
    assert all_bars(timeline, np.zeros(0, np.int64)) == []


def test_features_become_fields_and_what_a_symbol_lacks_is_nan():
    """Volume and a feature that only one symbol has; taker volume that nobody has keeps its default."""
    bars = {"AAA": table([0]) | {"fast": np.array([7.0]), "trades": np.array([3.0])}, "BBB": table([MINUTE])}
    first, second = (bar for _, bar in all_bars(merge(bars, {"AAA": MINUTE, "BBB": MINUTE})))
    assert (first.fast, first.trades, first.volume) == (7.0, 3.0, 1.0)
    assert np.isnan([second.fast, second.trades, first.quote_volume, first.taker_buy_volume]).all()
    assert isinstance(first, Bar)


def test_bars_cannot_be_changed():
    """Each is a fresh immutable value."""
    (_, bar), *_ = all_bars(merge({"AAA": table([0, MINUTE])}, {"AAA": MINUTE}))
    with pytest.raises(AttributeError):
        bar.close = 5.0


@pytest.mark.parametrize(
    ("times", "says"), [([], "no bars"), ([0, 0], "row 1"), ([0, 2, 1, 3], "row 2"), ([5, 4], "row 1")]
)
def test_bars_without_order_are_refused(times, says):
    """No bars, the same time twice, a step back: DataError with the symbol and the row."""
    with pytest.raises(DataError, match=says) as error:
        merge({"AAA": table(times)}, {"AAA": MINUTE})
    assert "AAA" in str(error.value)


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_prices_that_are_none_are_refused(column, value):
    """NaN, infinity, zero and less cannot be traded at: DataError with the symbol, the row and its time."""
    bars = table([0, MINUTE, 2 * MINUTE])
    bars[column] = bars[column].copy()
    bars[column][1] = value
    with pytest.raises(DataError, match=f"AAA.*{column} {value:g}.*row 1 at 1970-01-01 00:01:00"):
        merge({"AAA": bars}, {"AAA": MINUTE})


@pytest.mark.parametrize("bar", [(10, 9, 8, 8.5), (7, 9, 8, 8.5), (8.5, 9, 8, 9.5), (8.5, 9, 8, 7), (9, 8, 9, 8)])
def test_bars_whose_open_or_close_lie_outside_their_range_are_refused(bar):
    """Matching asks only the range whether anything can happen: open and close must lie in it."""
    with pytest.raises(DataError, match="not the prices of a bar"):
        merge({"AAA": columns([flat(8), bar])}, {"AAA": MINUTE})


def test_only_the_fields_that_are_asked_for_are_made():
    """Features stay; what was not asked for does not exist, whatever the number of symbols."""
    bars = {"AAA": table([0]) | {"fast": np.array([7.0])}, "BBB": table([MINUTE], 2.0)}
    timeline = merge(bars, {"AAA": MINUTE, "BBB": MINUTE})
    for names in [(), ("close",), ("symbol", "close"), ("volume", "ts_recv"), ["ts", "taker_buy_volume"]]:
        whole = all_bars(timeline)
        found = [bar for rows, bars in timeline.chunks(None, names) for bar in bars]
        assert [type(bar).__struct_fields__ for bar in found] == [(*(n for n in ORDER if n in names), "fast")] * 2
        for bar, (_, full) in zip(found, whole, strict=True):
            assert all(repr(getattr(bar, n)) == repr(getattr(full, n)) for n in (*names, "fast"))
            assert not hasattr(bar, "high")


ORDER = Bar.__struct_fields__


def test_a_field_that_a_bar_has_not_is_refused():
    """With the name that was meant."""
    timeline = merge({"AAA": table([0])}, {"AAA": MINUTE})
    with pytest.raises(ConfigError, match=r"'clse'.*[\s\S]*close"):
        next(timeline.chunks(None, ("clse",)))


def test_trades_are_made_of_the_fields_that_are_asked_for():
    """A tape's number of the source is a trade's sequence."""
    trades = {"ts": np.array([1, 2]), "price": np.array([5.0, 6.0]), "quantity": np.ones(2), "side": np.array([1, -1])}
    tape = merge_trades({"AAA": trades | {"id": np.array([8, 9])}})
    (_, first), (_, second) = all_bars(tape)
    assert first == Trade("AAA", 1, 1, 5.0, 1.0, 1, 8)
    assert second == Trade("AAA", 2, 2, 6.0, 1.0, -1, 9)
    found = [trade for _, part in tape.chunks(None, ("sequence", "price")) for trade in part]
    assert [(trade.price, trade.sequence) for trade in found] == [(5.0, 8), (6.0, 9)]
    assert not hasattr(found[0], "side")


def test_whole_columns_of_a_single_symbol_are_not_copied():
    """What is read-only, in pieces or of another type is; the bars are the same."""
    given = table([0, MINUTE, 2 * MINUTE])
    (plain, again), lengths = (merge({"AAA": given}, {"AAA": MINUTE}) for _ in "12"), {"AAA": MINUTE}
    assert all(
        np.shares_memory(plain.prices[i], given[name]) for i, name in enumerate(("open", "high", "low", "close"))
    )
    assert np.shares_memory(plain.times[0], given["ts"])
    frozen = {name: column.copy() for name, column in given.items()}
    for column in frozen.values():
        column.flags.writeable = False
    pieces = {name: np.repeat(column, 2)[::2] for name, column in given.items()}
    whole = {name: column.astype(np.int64) for name, column in given.items()}
    for other in (frozen, pieces, whole):
        timeline = merge({"AAA": other}, lengths)
        columns = (*timeline.times, *timeline.prices, *timeline.columns.values())
        assert all(column.flags.c_contiguous and column.flags.writeable for column in columns)
        assert repr(all_bars(timeline)) == repr(all_bars(again))


@given(st.lists(st.tuples(st.integers(0, 3), *[st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, np.inf, np.nan])] * 4)))
def test_exactly_what_is_no_bar_is_refused(rows):
    """Against the rule spelled out: times rise, and 0 < low <= open, close <= high < infinity."""
    ts = np.cumsum([row[0] for row in rows], dtype=np.int64)
    prices = dict(
        zip(("open", "high", "low", "close"), np.array([row[1:] for row in rows]).reshape(-1, 4).T, strict=True)
    )
    good = bool(rows) and all(row[0] > 0 for row in rows[1:])
    good = good and all(0.0 < low <= o <= high and low <= c <= high < np.inf for _, o, high, low, c in rows)
    try:
        merge({"AAA": {"ts": ts, **prices}}, {"AAA": MINUTE})
    except DataError:
        assert not good
    else:
        assert good
