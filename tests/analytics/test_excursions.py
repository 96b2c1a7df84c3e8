"""Excursions: how far prices went for and against a trade, by hand, and never beyond what was held."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.analytics.excursions import COLUMNS, Bars, with_excursions

HOUR = 3_600_000_000
START = 1_704_067_200_000_000
LOW, HIGH = [95.0, 90.0, 97.0, 80.0], [105.0, 108.0, 112.0, 130.0]
BARS = Bars(
    np.array([1, 3, 5, 7]),
    START + np.arange(1, 5) * HOUR,
    np.array([100.0, 101.0, 102.0, 103.0]),
    np.array(HIGH),
    np.array(LOW),
    np.array([101.0, 102.0, 103.0, 100.0]),
)


def trade(first, last, opened, closed, *, side=1, entry=100.0, exit_=100.0, quantity=2.0, symbol="A"):
    """opened, closed: hours from the start; closed None: still open."""
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return pl.DataFrame(
        {
            "symbol": [symbol],
            "side": [side],
            "opened": [moment + dt.timedelta(hours=opened)],
            "closed": [None if closed is None else moment + dt.timedelta(hours=closed)],
            "entry": [entry],
            "exit": [exit_],
            "quantity": [quantity],
            "open": [closed is None],
            "first_bar": [first],
            "last_bar": [last],
        },
        schema_overrides={"opened": pl.Datetime("us", "UTC"), "closed": pl.Datetime("us", "UTC")},
    )


def of(table, **more):
    return with_excursions(table, {"A": BARS}, **more).select(COLUMNS).row(0)


def test_whole_bars_count_from_the_opening_to_the_end():
    """Bought at the opening of the first bar, sold at the opening of the third: lows of 95 and 90, high of 108."""
    assert of(trade(1, 5, 0.0, 2.0)) == pytest.approx((0.10, 0.08, 20.0, 16.0))


def test_of_bars_entered_or_left_at_an_unknown_moment_only_what_was_seen_counts():
    """Stamped at the end of the first bar and of the last: the close of the one (101), the whole of the second (90 to
    108), the opening of the third (102); not 95, nor 112.
    """
    assert of(trade(1, 5, 1.0, 3.0)) == pytest.approx((0.10, 0.08, 20.0, 16.0))
    assert of(trade(1, 3, 1.0, 2.0, exit_=101.5)) == pytest.approx((0.0, 0.015, 0.0, 3.0))


def test_in_and_out_in_one_bar():
    """Nothing is seen but the prices traded."""
    assert of(trade(3, 3, 2.0, 2.0, exit_=97.0)) == pytest.approx((0.03, 0.0, 6.0, 0.0))


def test_a_short_and_what_is_still_open():
    """Sold at the opening of the third bar and held: 130 against it, 80 for it. What ended before was not its."""
    assert of(trade(5, 5, 2.0, None, side=-1)) == pytest.approx((0.30, 0.20, 60.0, 40.0))


def test_contracts():
    """A multiplier of 50; an inverse contract's money is a coin's, by the reciprocals of prices."""
    table = trade(1, 5, 0.0, 2.0)
    assert of(table, multipliers={"A": 50.0})[2:] == pytest.approx((1000.0, 800.0))
    found = of(table, multipliers={"A": 50.0}, inverse={"A"})
    assert found[:2] == pytest.approx((0.10, 0.08))
    assert found[2:] == pytest.approx((2 * 50 * (1 / 90 - 1 / 100), 2 * 50 * (1 / 100 - 1 / 108)))


def test_not_defined_without_bars_and_across_a_split():
    """Null, not zero; a split at the moment of the entry, or after the exit, does not matter."""
    assert of(trade(1, 5, 0.0, 2.0, symbol="B")) == (None,) * 4
    assert of(trade(1, 5, 0.0, 2.0), splits={"A": [START + HOUR]}) == (None,) * 4
    assert of(trade(1, 5, 0.0, 2.0), splits={"A": [START, START + 3 * HOUR]})[0] == pytest.approx(0.1)
    assert with_excursions(trade(1, 5, 0.0, 2.0).clear(), {"A": BARS}).columns[-4:] == list(COLUMNS)


@given(st.integers(0, 3), st.integers(0, 3), st.booleans(), st.booleans(), st.sampled_from([1, -1]))
def test_never_beyond_the_prices_of_its_bars(first, length, at_open, to_open, side):
    """And never less than entry and exit tell."""
    last = min(3, first + length)
    if first == last and not at_open and to_open:
        return  # out before it was in
    entry, exit_ = 101.0, 100.5
    opened, closed = first + (0 if at_open else 1), last + (0 if to_open else 1)
    table = trade(2 * first + 1, 2 * last + 1, opened, closed, side=side, entry=entry, exit_=exit_)
    mae, mfe, *_ = of(table)
    lowest, highest = min(LOW[first : last + 1]), max(HIGH[first : last + 1])
    down, up = (entry - lowest) / entry, (highest - entry) / entry
    assert -1e-12 <= mae <= (down if side > 0 else up) + 1e-12
    assert -1e-12 <= mfe <= (up if side > 0 else down) + 1e-12
    assert (mae if side > 0 else mfe) >= (entry - exit_) / entry - 1e-12
