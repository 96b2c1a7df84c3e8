"""The order book equals a dictionary of levels, whatever the window, and nothing is lost far from the best."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.errors import ValidationError
from truewind.numerics.book import Book

LEVELS = st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(1, 400), st.integers(0, 3)), min_size=1, max_size=120)


def rows(levels, last=1):
    events = np.zeros(len(levels), BOOK_EVENT)
    for event, (side, ticks, lots) in zip(events, levels, strict=True):
        event["side"], event["ticks"], event["lots"], event["last"] = side, ticks, lots, last
    return events


def expected(levels):
    sides = {1: {}, -1: {}}
    for side, ticks, lots in levels:
        sides[side].pop(ticks, None)
        if lots:
            sides[side][ticks] = lots
    return sides


@given(LEVELS, st.sampled_from([4, 16, 1024]))
def test_book_is_the_dictionary_of_its_levels(levels, window):
    """Depth, best prices and single levels are those of plain dictionaries, with windows that prices keep leaving."""
    book, sides = Book(window), expected(levels)
    book.apply(rows(levels))
    for side in (1, -1):
        ticks, lots = book.depth(side)
        assert dict(zip(ticks.tolist(), lots.tolist(), strict=True)) == sides[side]
        assert ticks.tolist() == sorted(sides[side], reverse=side > 0)
        for at in range(1, 401, 7):
            assert book.lots(side, at) == sides[side].get(at, 0)
    assert book.best_bid == max(sides[1], default=None)
    assert book.best_ask == min(sides[-1], default=None)


@given(LEVELS, st.data())
def test_any_chunking_gives_the_same_book(levels, data):
    """Applying events in two parts, or one by one through `set`, is the same as applying them at once."""
    cut = data.draw(st.integers(0, len(levels)))
    whole, parts, single = Book(16), Book(16), Book(16)
    whole.apply(rows(levels))
    parts.apply(rows(levels[:cut]))
    parts.apply(rows(levels[cut:]))
    for level in levels:
        single.set(*level)
    for side in (1, -1):
        for other in (parts, single):
            np.testing.assert_array_equal(whole.depth(side)[0], other.depth(side)[0])
            np.testing.assert_array_equal(whole.depth(side)[1], other.depth(side)[1])


def test_ten_thousand_levels_far_away_are_kept():
    """More far levels than the table starts with make it grow, and come back when the best levels go."""
    book = Book(16)
    levels = [(1, 1_000_000 - 20 * i, i + 1) for i in range(10_000)]
    book.apply(rows(levels))
    assert len(book.depth(1)[0]) == 10_000
    book.apply(rows([(side, ticks, 0) for side, ticks, _ in levels[:9_999]]))
    assert (book.best_bid, book.lots(1, book.best_bid)) == (1_000_000 - 20 * 9_999, 10_000)


def test_crossed_messages_are_counted_when_they_are_complete():
    """Inside a message a bid may pass an ask that the next row removes; left so at its end it is an error."""
    book = Book()
    events = rows([(1, 100, 1), (-1, 102, 1), (1, 103, 1), (-1, 102, 0), (-1, 104, 1), (1, 104, 2)])
    events["last"] = [1, 1, 0, 0, 1, 1]
    book.apply(events)
    assert book.crossed.tolist() == [1, 5]
    assert book.is_crossed


def test_clear_forgets_everything():
    """After a CLEAR row there is no level on either side, near or far."""
    book = Book(16)
    events = rows([(1, 100, 1), (1, 5, 1), (-1, 102, 1), (-1, 9000, 1), (0, 0, 0)])
    events["kind"][-1] = BookKind.CLEAR
    book.apply(events)
    assert (book.best_bid, book.best_ask, len(book.depth(1)[0]), len(book.depth(-1)[0])) == (None, None, 0, 0)


@pytest.mark.parametrize(("ticks", "lots"), [(0, 1), (-5, 1), (100, -1)])
def test_impossible_levels_are_refused(ticks, lots):
    """No price below one tick, no negative quantity."""
    with pytest.raises(ValidationError, match="No book has"):
        Book().set(1, ticks, lots)
