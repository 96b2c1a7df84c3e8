"""Mark prices become bars and tell of funding, by what was last told before it fell due."""

import math

from truewind.domain.market import Funding
from truewind.live.marks import UNKNOWN, Marks
from truewind.market.stream.events import MarkPrice


def told(ts: int, mark: float, rate: float = 0.01, due: int = 100) -> MarkPrice:
    return MarkPrice("A", ts, ts + 1, mark, mark, rate, due)


def test_marks_fold_into_the_bars_in_which_they_were_told() -> None:
    marks = Marks(["A"], 60)
    for ts, price in [(59, 9.0), (60, 5.0), (70, 7.0), (80, 4.0), (119, 6.0), (120, 1.0)]:
        marks.hear(told(ts, price, due=1000))
    assert marks.take("A", 60) == (5.0, 7.0, 4.0, 6.0)
    assert marks.take("A", 0) == UNKNOWN  # forgotten with the bar after it
    assert marks.take("A", 120) == (1.0,) * 4


def test_funding_has_fallen_due_once_its_time_has_passed() -> None:
    """The rate and the mark are those told last before; what the first message says of a past time is not known."""
    marks = Marks(["A"], 60)
    assert marks.hear(told(98, 5.0, 0.01)) is None
    assert marks.hear(told(99, 6.0, 0.02)) is None
    assert marks.hear(told(100, 7.0, 0.03, due=100)) == Funding("A", 100, 101, 0.02, 6.0)
    assert marks.hear(told(101, 7.0, 0.5, due=200)) is None  # the venue was slow to tell of the next one
    assert marks.hear(told(101, 8.0, 0.5, due=200)) is None
    assert marks.hear(told(90, 8.0, 0.01)) is None  # late, and told again


def test_contracts_without_funding_have_none() -> None:
    marks = Marks(["A"], 60)
    marks.hear(told(99, 6.0, math.nan, due=0))
    assert marks.hear(told(300, 6.0, math.nan, due=0)) is None
