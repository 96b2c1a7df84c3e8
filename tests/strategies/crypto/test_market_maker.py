"""The market maker's quotes by hand, and what it may hold on books where everything happens."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booked import ONE, made_up, settings_with
from profiles import examples
from truewind.engine.book_lane import BookLane
from truewind.engine.quoting import decide_of
from truewind.errors import ConfigError
from truewind.strategies.crypto.market_maker import MarketMaker, measure, quotes
from truewind.strategies.quoting import NO_QUOTES, Quotes, Top

SAID = {"lots": 10, "most": 50, "half_spread": 100.0, "skew": 1.0, "patience": 0.5, "seconds": 5.0}


def asked(top, *, variance=0.0, since=0.0, **params):
    """The quotes at second 1000 where the volatility has been measured for ten seconds, up to now."""
    memory = MarketMaker(**SAID | params).memory()
    memory[6:] = 990.0 + since, 1000.0, 101.0, variance
    return quotes(top, memory)


def top(position=0, bid=(100, 1), ask=(102, 1), seconds=1000):
    return Top(seconds * 1_000_000, *bid, *ask, position)


@pytest.mark.parametrize(
    ("seen", "variance", "wanted"),
    [
        (top(), 0.0, (99, 10, 103, 10)),  # 101 ∓ 1.01
        (top(bid=(100, 3), ask=(102, 1)), 0.0, (100, 10, 103, 10)),  # fair is 101.5, half 1.015
        (top(20), 4.0, (94, 10, 101, 10)),  # q = 2: 101 − 1.01 − 2 · 2.5; 101 + 1.01 − 2 · 1.5, but above the bid
        (top(-10), 4.0, (100, 10, 106, 10)),  # q = −1: 101 − 1.01 + 2 · 0.5; 101 + 1.01 + 2 · 1.5
        (top(50), 0.0, (99, 0, 103, 10)),
        (top(45), 0.0, (99, 5, 103, 10)),
        (top(-50), 0.0, (99, 10, 103, 0)),
    ],
)
def test_quotes_by_hand(seen, variance, wanted):
    """A hundred basis points of 101 are 1.01 ticks; σ is the root of the variance."""
    assert asked(seen, variance=variance)[:4] == wanted


@pytest.mark.parametrize("seen", [top(bid=(0, 0)), top(ask=(0, 0)), top(ask=(100, 1)), top(bid=(100, 0), ask=(102, 0))])
def test_it_quotes_nothing_on_a_book_that_is_not_whole(seen):
    """A side is missing, the book is crossed, or nothing is displayed."""
    assert asked(seen) == NO_QUOTES


def test_it_quotes_nothing_before_it_knows_the_volatility():
    """After three of five seconds."""
    assert asked(top(), since=7.0) == NO_QUOTES
    assert asked(top(), since=5.0) != NO_QUOTES


def test_a_quote_may_stay_where_it_is_while_little_changes():
    """Half of 101 ticks' one percent, rounded down, and of a thousand ticks five."""
    assert asked(top()).patience == 0
    assert asked(top(bid=(999, 1), ask=(1001, 1))) == Quotes(990, 10, 1010, 10, 5)


def test_bids_are_never_below_one_tick():
    """A half spread of all that the price is."""
    assert asked(top(bid=(1, 1), ask=(2, 1)), half_spread=1000.0)[:2] == (1, 10)
    assert asked(top(5, bid=(1, 1), ask=(2, 1)), variance=1e6).bid_lots == 0


def test_the_variance_is_that_of_an_average_that_fades():
    """Reckoned beside it: each change squared, a second, weighed by exp(−age ÷ seconds)."""
    random = np.random.default_rng(4)
    memory = MarketMaker(**SAID).memory()
    now, fair, variance = 100.0, 1000.0, 0.0
    measure(memory, now, fair)
    for elapsed, change in zip(random.uniform(0.05, 3.0, 50), random.normal(0.0, 2.0, 50), strict=True):
        now, fair = now + elapsed, fair + change
        fade = math.exp(-elapsed / 5.0)
        variance = fade * variance + (1.0 - fade) * change**2 / elapsed
        measure(memory, now, fair)
    assert memory[9] == pytest.approx(variance)


def on_a_book(seed, params, lane):
    book = made_up(seed, 1500)
    settings = settings_with(latency={"model": "lognormal", "entry_ms": 3.0, "reply_ms": 2.0}, maker_fee=0.0)
    venue = BookLane(book, ONE, cash=1e6, settings=settings)
    strategy = MarketMaker(**params)
    strategy.timer_us = 1000
    if lane == "event":
        return venue.run(strategy)
    return venue.run_compiled(decide_of(quotes), strategy.memory(), timer_us=1000)


@examples(25)
@given(
    st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 9), st.floats(0, 40), st.floats(0, 0.1), st.floats(0, 1)
)  # fmt: skip
def test_it_never_holds_more_than_it_may_and_quotes_the_same_in_both_lanes(seed, lots, most, half, skew, patience):
    """With latency, queues, and fills between a cancel and its reply."""
    params = {"lots": lots, "most": most, "half_spread": half, "skew": skew, "patience": patience, "seconds": 0.01}
    one, two = (on_a_book(seed, params, lane) for lane in ("event", "compiled"))
    held = np.cumsum(one.fills["side"].astype(np.int64) * one.fills["lots"])
    assert not len(held) or np.abs(held).max() <= most
    assert all(one.fills["maker"] == 1)
    for name in ("fills", "reports", "samples"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_something_is_filled_on_such_books():
    """Else the property above would say nothing."""
    params = {"lots": 2, "most": 6, "half_spread": 5.0, "skew": 0.01, "seconds": 0.01}
    assert sum(len(on_a_book(seed, params, "compiled").fills) for seed in range(5)) > 20


@pytest.mark.parametrize(
    "params", [{"lots": 0}, {"most": 0}, {"half_spread": -1.0}, {"seconds": 0.0}, {"patience": 2.0}]
)
def test_impossible_parameters_are_refused(params):
    """Out of bounds."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        MarketMaker(**params)
