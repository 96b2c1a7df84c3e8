"""The order-book lane where the market is not as one wishes: too thin, crossed, or unknown."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from booked import END, ONE, Script, level, made_up, settings_with, timeline
from profiles import examples
from truewind.domain.book import BOOK_EVENT, BookKind, Report
from truewind.domain.order import Reason
from truewind.engine.book_lane import BookLane
from truewind.numerics.book import Book
from truewind.strategies.book import BookStrategy

sizes = st.lists(st.integers(1, 50), min_size=1, max_size=12)


@given(asks=sizes, bids=sizes, beyond=st.integers(0, 100), side=st.sampled_from([1, -1]))
def test_an_order_larger_than_the_book_takes_all_of_it_once(asks, bids, beyond, side):
    """Level by level from the best on; what is beyond expires, and a second order finds nothing."""
    levels = [level(0, -1, 101 + i, lots) for i, lots in enumerate(asks)]
    levels += [level(0, 1, 99 - i, lots) for i, lots in enumerate(bids)]
    there = asks if side > 0 else bids
    script = {
        1: lambda desk, _: desk.market(side, sum(there) + beyond),
        5: lambda desk, _: desk.market(side, 1),
    }
    result = BookLane(timeline(*levels, END), ONE, cash=1e9, settings=settings_with()).run(Script(script))
    assert result.fills["lots"].tolist() == there
    prices = [101 + i for i in range(len(asks))] if side > 0 else [99 - i for i in range(len(bids))]
    assert result.fills["price"].tolist() == prices
    ended = result.reports[result.reports["kind"] == Report.EXPIRED]
    assert set(ended["reason"].tolist()) == {Reason.NO_LIQUIDITY}
    assert ended["lots"].tolist() == ([beyond] if beyond else []) + [1]


def damaged(seed, count):
    """`made_up`, with bids at times set above the asks for a while, and moments at which nothing is known any more."""
    rng = np.random.default_rng(seed)
    events = made_up(seed, count)
    parts, last = [], 0
    for k in np.sort(rng.choice(np.arange(50, count - 50), 12, replace=False)).tolist():
        parts.append(events[last:k])
        fault = np.zeros(1, BOOK_EVENT)
        fault["ts_event"], fault["ts_recv"] = events["ts_event"][k - 1], events["ts_recv"][k - 1]
        fault["last"] = 1
        if rng.random() < 0.5:
            fault["kind"] = BookKind.CLEAR
        else:
            fault["side"], fault["lots"], fault["ticks"] = 1, 5, events["ticks"][k] + rng.integers(3, 9)
        parts.append(fault)
        last = k
    return np.concatenate([*parts, events[last:]])


class Busy(BookStrategy):
    """Rests on both sides and takes now and then, wherever the market is."""

    timer_us = 800

    def __init__(self):
        super().__init__()
        self.calls = 0

    def on_timer(self):
        self.calls += 1
        for order in self.desk.working()[:-6]:
            self.desk.cancel(order.id)
        middle = 1000 + self.calls % 23 - 11
        self.desk.limit(1, middle - 2, 3)
        self.desk.limit(-1, middle + 2, 3)
        if self.calls % 3 == 0:
            self.desk.market(1 if self.calls % 2 else -1, 2)


@examples(25)
@given(seed=st.integers(0, 10**6))
def test_nothing_rests_into_a_crossed_book_and_nothing_takes_from_an_unknown_one(seed):
    """A resting order fills against a trade, or against what is displayed while bids are below asks; a taker's price is
    displayed at that moment. The run counts the messages that leave the book crossed."""
    events = damaged(seed, 700)
    result = BookLane(events, ONE, cash=1e9, settings=settings_with(self_trade="expire_maker")).run(Busy())
    book = Book()
    book.apply(events)
    assert result.crossed == book.crossed[0]
    trades = set(events["ts_event"][events["kind"] == BookKind.TRADE].tolist())
    for fill in result.fills:
        ts = int(fill["ts"])
        seen = Book()
        seen.apply(events[events["ts_event"] <= ts])
        if fill["maker"] and ts not in trades:
            moments = events[events["ts_event"] == ts]
            assert len(moments), "a resting order filled where nothing happened"
            assert not seen.is_crossed or len(moments) > 1
        if not fill["maker"]:
            assert seen.lots(-int(fill["side"]), int(fill["price"])) >= fill["lots"]


@examples(15)
@given(seed=st.integers(0, 10**6), at=st.integers(100, 500))
def test_after_a_gap_nothing_is_there_until_the_book_stands_again(seed, at):
    """Updates are missing from row `at` on: until the end market orders find nobody, resting ones only trades."""
    events = made_up(seed, 600)
    gap = np.zeros(1, BOOK_EVENT)
    gap["ts_event"], gap["ts_recv"], gap["kind"], gap["last"] = (
        events["ts_event"][at], max(events["ts_recv"][at - 1], events["ts_event"][at]), BookKind.CLEAR, 1,
    )  # fmt: skip
    after = events[at:][events["kind"][at:] == BookKind.TRADE]
    told = np.concatenate([events[:at], gap, after])
    result = BookLane(told, ONE, cash=1e9, settings=settings_with(self_trade="expire_maker")).run(Busy())
    late = result.fills[result.fills["ts"] > gap["ts_event"][0]]
    assert (late["maker"] == 1).all()
    assert set(late["ts"].tolist()) <= set(after["ts_event"].tolist())
