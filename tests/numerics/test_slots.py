"""The ring in order of time, and what is usual at a time of day."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.civil import DAY, MINUTE
from truewind.numerics.ring import in_order
from truewind.numerics.slots import season_at, slot_memory, slots_a_day, usual_at

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(values, st.integers(1, 12))
def test_the_last_values_lie_in_order(xs: list[float], length: int) -> None:
    """From the cursor on, oldest first, after any number of values; zeros stand for those that were not yet."""
    window = np.zeros(2 * length)
    cursor = 0
    for count, x in enumerate(xs, 1):
        cursor = in_order.py_func(x, length, cursor, window)
        before = [0.0] * max(0, length - count)
        assert window[cursor : cursor + length].tolist() == before + xs[max(0, count - length) : count]


def test_a_day_has_as_many_slots_as_fit_and_one_for_the_rest() -> None:
    assert [slots_a_day(minutes) for minutes in (1, 60, 1440, 7, 721)] == [1440, 24, 1, 206, 2]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 1e6)), max_size=60), st.integers(1, 4))
def test_the_usual_value_is_the_mean_of_its_own_slot(rows: list[tuple[int, float]], days: int) -> None:
    """Slots of four hours in any order of visits: each remembers its own last values and no others'."""
    window = memoryview(np.zeros(slot_memory(days, 240)))
    seen: dict[int, list[float]] = {}
    for number, (slot, x) in enumerate(rows):
        found = usual_at.py_func(number * DAY + slot * 240 * MINUTE + 17, x, days, 240, window)
        last = seen.setdefault(slot, [])[-days:]
        if len(last) < days:
            assert np.isnan(found)
        else:
            np.testing.assert_allclose(found, np.mean(last), rtol=1e-12, atol=1e-300)
        seen[slot].append(x)


def test_the_season_is_against_the_mean_of_all_slots_as_the_day_began() -> None:
    """Two slots with 10 and 30 on the first day have a level of 20; the second day's values change only the third's."""
    window = memoryview(np.zeros(slot_memory(1, 720)))
    today, level = -1_000_000_000, np.nan
    found = []
    for number, x in enumerate((10.0, 30.0, 100.0, 50.0, 0.0, 0.0)):
        season, today, level = season_at.py_func(number * 720 * MINUTE, x, 1, 720, today, level, window)
        found.append(season)
    np.testing.assert_allclose(found, [np.nan, np.nan, 0.5, 1.5, 100.0 / 75.0, 50.0 / 75.0])
