"""An iceberg as an algorithm, on a book by hand. START: 10 bid at 99."""

import pytest

from booked import END, ONE, START, fills, level, settings_with, timeline, trade
from truewind.engine.book_lane import BookLane
from truewind.strategies.book import BookStrategy
from truewind.strategies.iceberg import Iceberg


class Hidden(BookStrategy):
    """Buys 5 at 99, 2 shown at once; withdraws at `stop_at` ms."""

    timer_us = 1000

    def __init__(self, stop_at=0):
        super().__init__()
        self.ms, self.stop_at, self.iceberg = 0, stop_at, None

    def on_timer(self):
        self.ms += 1
        if self.ms == 1:
            self.iceberg = Iceberg(self.desk, 1, 99, 5, 2)
        if self.ms == self.stop_at:
            self.iceberg.cancel()

    def on_report(self, report):
        self.iceberg.on_report(report)


def run(strategy, *rows):
    return BookLane(timeline(*START, *rows, END), ONE, cash=1e6, settings=settings_with()).run(strategy)


def test_slices_follow_each_other_a_round_trip_apart():
    """12 sold reach 2 of ours at 3 ms. The next slice arrives at 5 ms, behind the 4 displayed then: of 5 sold 1 reaches
    it, of 9 one more; the last slice is sent when that is known, and fills when the price goes through it."""
    strategy = Hidden()
    rows = (
        trade(3000, -1, 99, 12), level(3001, 1, 99, 4), trade(4900, -1, 99, 3), level(4901, 1, 99, 4),
        trade(6000, -1, 99, 5), trade(7000, -1, 99, 9), trade(20_000, -1, 98, 9),
    )  # fmt: skip
    result = run(strategy, *rows)
    assert fills(result) == [(3000, 2, 99, 1), (6000, 1, 99, 1), (7000, 1, 99, 1), (20_000, 1, 99, 1)]
    assert (strategy.iceberg.filled, strategy.iceberg.is_done) == (5, True)
    sent = result.reports[result.reports["kind"] == 0]
    assert sent["lots"].tolist() == [2, 2, 1]


def test_withdrawn_it_sends_no_more():
    """Cancelled at 10 ms after its first slice: 2 filled, 2 cancelled, the last one never sent."""
    strategy = Hidden(stop_at=10)
    result = run(strategy, trade(3000, -1, 99, 12), trade(30_000, -1, 98, 50))
    assert fills(result) == [(3000, 2, 99, 1)]
    assert (strategy.iceberg.filled, strategy.iceberg.is_done, strategy.desk.working()) == (2, True, [])


def test_nothing_to_show_is_no_iceberg():
    """Sizes are at least one."""
    with pytest.raises(ValueError, match="cannot show 0"):
        Iceberg(None, 1, 99, 5, 0)
