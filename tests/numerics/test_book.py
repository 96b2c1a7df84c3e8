"""The order book equals a dictionary of levels, whatever the window, and nothing is lost far from the best."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.errors import ValidationError
from truewind.numerics.book import FULL, NO_KEY, Book, apply_events, best_far, next_key, set_level

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


def cramped(window):
    """A book whose table for far levels has 8 cells: it is filled, freed and grown all the time."""
    book = Book(window)
    book.far = np.zeros((4, 8), np.int64)
    return book


def market(seed, count=300):
    """Levels that come, change and go: most near a middle that drifts, some far away, and now and then all the best."""
    random, middle, shown = Random(seed), 500, {1: {}, -1: {}}
    for _ in range(count):
        middle = max(50, middle + random.randint(-4, 4))
        side = random.choice([1, -1])
        held = sorted(shown[side], reverse=side > 0)
        if held and random.random() < 0.55:
            ticks, lots = random.choice([held[0], held[0], random.choice(held)]), random.choice([0, 0, 1, 2])
        else:
            away = random.randint(0, 5) if random.random() < 0.8 else random.randint(0, 400)
            ticks, lots = max(1, middle - side * away), random.randint(0, 3)
        shown[side].pop(ticks, None)
        if lots:
            shown[side][ticks] = lots
        yield side, ticks, lots, {s: dict(levels) for s, levels in shown.items()}


@pytest.mark.parametrize("window", [4, 16, 128])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_change_leaves_the_book_and_its_counts_right(seed, window):
    """After each change: what was displayed before is told, all keys from the best on are those of the dictionary.

    The counts of levels and cells are those of the arrays. A table is full only when the far levels and the new one,
    with those of a window that moves, would take more than three quarters of its cells; then nothing has been done.
    """
    book, before = cramped(window), {1: {}, -1: {}}
    for side, ticks, lots, shown in market(seed):
        s, key = (0, ticks) if side > 0 else (1, -ticks)
        warned = book.is_nearly_full
        while (told := set_level(*book.arrays, s, key, lots)) == FULL:
            moving = int(book.sides[s]["near"]) if lots and key > book.sides[s]["best"] else 0
            assert 4 * (moving + int(book.sides[s]["far"]) + 1) > 3 * book.far.shape[1]
            assert warned
            assert book.depth(side)[0].tolist() == sorted(before[side], reverse=side > 0)
            assert (book.best_bid, book.best_ask) == (max(before[1], default=None), min(before[-1], default=None))
            cells = book.far.shape[1]
            book.grow()
            assert book.far.shape == (4, 2 * cells)
        assert told == before[side].get(ticks, 0)
        before = shown
        assert dict(zip(*(column.tolist() for column in book.depth(side)), strict=True)) == shown[side]
        keys = sorted((side * at for at in shown[side]), reverse=True)
        at, walked = int(book.sides[s]["best"]), []
        while at != NO_KEY:
            walked.append(at)
            at = next_key(*book.arrays, s, at)
        assert walked == keys
        for start in (key, key - 7, key + window, key + 1000):
            assert next_key(*book.arrays, s, start) == max((k for k in keys if k < start), default=NO_KEY)
        far_keys = book.far[2 * s, book.far[2 * s + 1] > 0].tolist()
        assert best_far(book.far, s, key) == max((k for k in far_keys if k < key), default=NO_KEY)
        assert book.sides[s]["near"] == np.count_nonzero(book.levels[s])
        assert book.sides[s]["far"] == len(far_keys)
        assert book.sides[s]["used"] == np.count_nonzero(book.far[2 * s])
        assert 4 * book.sides[s]["used"] <= 3 * book.far.shape[1]
        assert (book.lots(side, ticks), book.lots(-side, ticks)) == (lots, shown[-side].get(ticks, 0))


def test_levels_that_are_gone_make_room_for_others():
    """A thousand far levels that come one after the other, each for a moment, need no larger table."""
    book = cramped(4)
    book.set(-1, 10, 1)
    for ticks in range(100, 1100):
        book.set(-1, ticks, 1)
        assert book.lots(-1, ticks) == 1
        book.set(-1, ticks, 0)
    assert book.far.shape == (4, 8)
    assert (book.best_ask, len(book.depth(-1)[0])) == (10, 1)


def test_a_table_that_may_become_full_says_so():
    """Of 4096 cells three quarters may be taken, 8 of them kept free: 3064, so 3063 far ones and the best."""
    book = Book(16)
    book.set(1, 1_000_000, 1)
    for i in range(3063):
        book.set(1, 900_000 - i, 1)
    assert not book.is_nearly_full
    book.set(1, 800_000, 1)
    assert book.is_nearly_full


def test_hundreds_of_levels_far_away_are_kept():
    """More far levels than the table starts with make it grow, and come back when the best levels go."""
    book = cramped(16)
    levels = [(1, 1_000_000 - 20 * i, i + 1) for i in range(300)]
    book.apply(rows(levels))
    assert len(book.depth(1)[0]) == 300
    assert book.lots(1, 1_000_000 - 20 * 298) == 299
    book.apply(rows([(side, ticks, 0) for side, ticks, _ in levels[:299]]))
    assert (book.best_bid, book.lots(1, book.best_bid)) == (1_000_000 - 20 * 299, 300)


def test_rows_before_the_first_are_not_applied_again():
    """Of four rows the last two: what the others would display is not there."""
    book = Book(16)
    events = rows([(1, 100, 1), (-1, 99, 1), (1, 101, 2), (-1, 103, 3)])
    assert apply_events(events, 2, 4, *book.arrays, book.crossed) == 4
    assert [side.tolist() for side in (*book.depth(1), *book.depth(-1))] == [[101], [2], [103], [3]]
    assert book.crossed.tolist() == [0, -1]


def test_crossed_messages_are_counted_when_they_are_complete():
    """Inside a message a bid may pass an ask that the next row removes; left so at its end it is an error.

    A bid at the ask is as wrong as one above it. The first such row is told, and how many there are.
    """
    book = Book()
    assert book.crossed.tolist() == [0, -1]
    events = rows([(1, 100, 1), (-1, 102, 1), (1, 103, 1), (-1, 102, 0), (-1, 104, 1), (1, 104, 2), (1, 105, 1)])
    events["last"] = [1, 1, 0, 0, 1, 1, 1]
    book.apply(events[:5])
    assert not book.is_crossed
    book = Book()
    book.apply(events)
    assert book.crossed.tolist() == [2, 5]
    assert book.is_crossed


def test_clear_forgets_everything():
    """After a CLEAR row there is no level on either side, near or far."""
    book = Book(16)
    events = rows([(1, 100, 1), (1, 5, 1), (-1, 102, 1), (-1, 9000, 1), (0, 0, 0)])
    events["kind"][-1] = BookKind.CLEAR
    book.apply(events)
    assert (book.best_bid, book.best_ask, len(book.depth(1)[0]), len(book.depth(-1)[0])) == (None, None, 0, 0)
    assert not any(book.sides[count].any() for count in ("near", "far", "used"))


def test_a_book_counts_in_whole_numbers():
    """Two sides; keys and lots of each in the table beside them: 64 bits, as no float holds all of them."""
    assert [(array.shape, array.dtype) for array in Book(16).arrays[1:]] == [((2, 16), np.int64), ((4, 4096), np.int64)]
    assert len(Book().sides) == 2
    book = Book(16)
    book.set(1, 1, 2**60)  # one tick is a price
    book.set(-1, 3, 1)
    assert [(column.dtype, column.tolist()) for column in (*book.depth(1), *book.depth(-1))] == [
        (np.int64, [1]), (np.int64, [2**60]), (np.int64, [3]), (np.int64, [1]),
    ]  # fmt: skip


@pytest.mark.parametrize(("ticks", "lots"), [(0, 1), (-5, 1), (100, -1)])
def test_impossible_levels_are_refused(ticks, lots):
    """No price below one tick, no negative quantity."""
    with pytest.raises(ValidationError, match=f"No book has {lots} lots at {ticks} ticks.*Quarantine the update"):
        Book().set(1, ticks, lots)


@pytest.mark.parametrize("window", [0, 2, 3, 6, 12, 1000])
def test_windows_that_cannot_be_are_refused(window):
    """A power of two, from 4 on."""
    with pytest.raises(ValueError, match=f"power of two, is {window}"):
        Book(window)
