"""Orders on a book that depend on others, trail, or look at mark and index: by hand. START: 10 at 99, 20 at 98; asks
alike. An order sent at n ms arrives at n + 1 ms."""

import numpy as np
import pytest

from booked import END, ONE, START, fills, level, reasons, run, settings_with, timeline, trade
from truewind.domain.book import Report
from truewind.domain.order import TimeInForce, TriggerSource
from truewind.engine import book_desk
from truewind.engine.book_lane import BookLane
from truewind.execution.simulated.book_state import MARK
from truewind.numerics.jit import kernel
from truewind.strategies.book import BookStrategy


def names(strategy):
    return [name for name, *_ in strategy.heard]


def ended(result):
    return [pair for pair in reasons(result) if pair[1] != "END_OF_DATA"]


def told(result, order):
    """What became of one order, in order."""
    return [Report(row["kind"]).name for row in result.reports if row["order"] == order]


def prices(*rows):
    return np.array(list(rows), MARK)


def test_of_a_group_the_first_fill_cancels_the_others():
    """A bid at 100 and a stop at 103: a sale fills 1 of the bid, the stop is withdrawn at once, the bid stays."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 2, group=7),
        2: lambda desk, _: desk.stop(1, 103, 2, group=7),
    }
    result, strategy = run(script, trade(5000, -1, 100, 1), trade(5001, 1, 103, 1), trade(6000, -1, 100, 1))
    assert fills(result) == [(5000, 1, 100, 1), (6000, 1, 100, 1)]
    assert ended(result) == [("CANCELLED", "SIBLING_FILLED")]
    assert told(result, strategy.ids[2]) == ["SUBMITTED", "ACCEPTED", "CANCELLED"]


def test_of_two_siblings_one_trade_fills_one():
    """Bids of 2 at 100 and at 100 again: a sale of 4 fills the older one; the other is doomed in that moment."""
    script = {1: lambda desk, _: desk.limit(1, 100, 2, group=1), 2: lambda desk, _: desk.limit(1, 100, 2, group=1)}
    result, _ = run(script, trade(5000, -1, 100, 4))
    assert fills(result) == [(5000, 2, 100, 1)]
    assert ended(result) == [("CANCELLED", "SIBLING_FILLED")]


def test_a_sibling_on_its_way_never_arrives():
    """The bid is filled at 2,500; its sibling, sent at 2,000, would have arrived at 3,000 and taken at 101."""
    script = {1: lambda desk, _: desk.limit(1, 100, 2, group=1), 2: lambda desk, _: desk.market(1, 2, group=1)}
    result, strategy = run(script, trade(2500, -1, 100, 4))
    assert fills(result) == [(2500, 2, 100, 1)]
    assert told(result, strategy.ids[2]) == ["SUBMITTED", "CANCELLED"]


def test_a_sibling_that_waits_for_its_parent_is_withdrawn_too():
    """It waits for the bid at 97 when the one at 100 of its group fills; the cancel, sent then, finds nothing."""
    script = {
        1: lambda desk, _: desk.limit(1, 97, 2),
        2: lambda desk, me: desk.limit(1, 90, 1, parent=me.ids[1], group=7),
        3: lambda desk, _: desk.limit(1, 100, 2, group=7),
        6: lambda desk, me: desk.cancel(me.ids[2]),
    }
    result, strategy = run(script, trade(6000, -1, 100, 2), trade(8000, -1, 90, 99))
    assert fills(result) == [(6000, 2, 100, 1), (8000, 2, 97, 1)]
    assert ended(result) == [("CANCELLED", "SIBLING_FILLED"), ("CANCEL_REJECTED", "UNKNOWN_ORDER")]
    assert told(result, strategy.ids[2]) == ["HELD", "CANCELLED", "CANCEL_REJECTED"]


def test_what_is_woken_and_doomed_in_one_moment_never_goes_to_work():
    """A sale at 100 fills a bid, whose child wakes, and triggers a stop of that child's group, which sells before."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 2),
        2: lambda desk, me: desk.limit(1, 95, 1, parent=me.ids[1], group=7),
        3: lambda desk, _: desk.stop(-1, 100, 1, group=7),
    }
    result, strategy = run(script, trade(6000, -1, 100, 2))
    assert fills(result) == [(6000, 2, 100, 1), (6000, -1, 99, 0)]
    assert told(result, strategy.ids[2]) == ["HELD", "CANCELLED"]


def bracket(**more):
    return {1: lambda desk, _: desk.market(1, 4, stop_loss=97, take_profit=104, **more)}


def test_a_bracket_takes_its_profit_and_the_stop_ends():
    """Bought 4 at 101; a purchase at 104 reaches the target of 4, behind nobody; nothing is left for the stop."""
    result, strategy = run(bracket(), trade(5000, 1, 104, 9), trade(6000, -1, 97, 9))
    assert fills(result) == [(2000, 4, 101, 0), (5000, -4, 104, 1)]
    entry = strategy.ids[1]
    stop, target = entry + 1, entry + 2
    assert told(result, stop) == ["HELD", "SUBMITTED", "ACCEPTED", "EXPIRED"]
    assert told(result, target) == ["HELD", "SUBMITTED", "ACCEPTED", "FILLED"]
    assert ended(result) == [("EXPIRED", "NOTHING_TO_REDUCE")]
    assert set(result.reports["parent"][result.reports["order"] > entry]) == {entry}


def test_a_bracket_is_stopped():
    """A sale at 97 triggers the stop, which takes the bids at 99; the target ends."""
    result, strategy = run(bracket(), trade(5000, -1, 97, 1), trade(6000, 1, 104, 9))
    assert fills(result) == [(2000, 4, 101, 0), (5000, -4, 99, 0)]
    assert told(result, strategy.ids[1] + 1)[-2:] == ["TRIGGERED", "FILLED"]
    assert ended(result) == [("EXPIRED", "NOTHING_TO_REDUCE")]


def test_exits_work_for_as_much_as_the_entry_has_filled():
    """Of a bid of 6 at 100, 2 fill and then 3 more: the target at 104 sells 2, grows to 5, and takes the rest away."""
    script = {1: lambda desk, _: desk.limit(1, 100, 6, take_profit=104)}
    rows = trade(5000, -1, 100, 2), trade(6000, -1, 100, 3), trade(7000, 1, 104, 4), trade(8000, -1, 100, 9)
    result, strategy = run(script, *rows)
    assert fills(result) == [(5000, 2, 100, 1), (6000, 3, 100, 1), (7000, -4, 104, 1)]
    assert told(result, strategy.ids[1] + 1)[:4] == ["HELD", "SUBMITTED", "ACCEPTED", "AMENDED"]
    amended = result.reports[result.reports["kind"] == Report.AMENDED]
    assert amended["lots"].tolist() == [5]
    assert ended(result) == [("CANCELLED", "EXITED")]


def test_one_lot_of_an_entry_is_enough_for_its_exits():
    """Of a bid of 6 at 100 one fills: stop and target work for 1 each."""
    script = {1: lambda desk, _: desk.limit(1, 100, 6, stop_loss=97, take_profit=104)}
    result, _ = run(script, trade(5000, -1, 100, 1))
    begun = result.reports[(result.reports["kind"] == Report.ACCEPTED) & (result.reports["parent"] != 0)]
    assert (begun["lots"].tolist(), begun["ts"].tolist()) == ([1, 1], [5000, 5000])


def test_a_stop_that_is_moved_goes_on_growing_with_its_entry():
    """Of a bid of 5 at 100, 2 fill; the stop for 2 is moved from 97 to 98; 3 more fill: at 98 all 5 are sold."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 5, stop_loss=97),
        6: lambda desk, me: desk.amend(me.ids[1] + 1, trigger=98),
    }
    result, _ = run(script, trade(5000, -1, 100, 2), trade(8000, -1, 100, 3), trade(9000, -1, 98, 1))
    assert fills(result) == [(5000, 2, 100, 1), (8000, 3, 100, 1), (9000, -5, 99, 0)]


def test_a_target_that_is_moved_goes_on_growing_with_its_entry():
    """The same of a target, from 104 to 103; one that is amended to 3 grows to 3 and no further, to 1 not at all."""
    rows = trade(5000, -1, 100, 2), trade(8000, -1, 100, 3), trade(9000, 1, 103, 9)
    for lots, sold in ((0, 5), (3, 3), (1, 1)):
        script = {
            1: lambda desk, _: desk.limit(1, 100, 5, take_profit=104),
            6: lambda desk, me, n=lots: desk.amend(me.ids[1] + 1, 103, n),
        }
        result, _ = run(script, *rows)
        assert fills(result)[2:] == [(9000, -sold, 103, 1)]


def test_a_target_that_grows_loses_its_place_in_the_queue():
    """Behind 5 at 104, with 10 more behind it by 6,000; grown from 2 to 5 it stands behind 15: 16 sold give it one."""
    script = {1: lambda desk, _: desk.limit(1, 100, 5, take_profit=104)}
    rows = level(3000, -1, 104, 5), trade(5000, -1, 100, 2), level(6000, -1, 104, 15), trade(7000, -1, 100, 3)
    result, _ = run(script, *rows, trade(8000, 1, 104, 16))
    assert fills(result)[2:] == [(8000, -1, 104, 1)]


def test_a_target_has_no_trigger_to_change():
    """It is a limit order, whatever it is asked."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 4, take_profit=104),
        3: lambda desk, me: desk.amend(me.ids[1] + 1, trigger=102),
    }
    result, _ = run(script, trade(6000, -1, 100, 4), trade(7000, 1, 104, 9))
    assert fills(result)[1:] == [(7000, -4, 104, 1)]
    assert not result.reports["trigger"].any()


def test_exits_of_an_entry_that_only_closes_have_nothing_to_do():
    """4 short, a bid of 4 with stop and target closes that: both end; a cancel that was sent then finds nothing."""
    script = {
        1: lambda desk, _: desk.market(-1, 4),
        4: lambda desk, _: desk.limit(1, 100, 4, stop_loss=90, take_profit=110),
        6: lambda desk, me: desk.cancel(me.ids[4] + 1),
    }
    result, strategy = run(script, trade(6000, -1, 100, 4))
    assert fills(result) == [(2000, -4, 99, 0), (6000, 4, 100, 1)]
    assert ended(result) == 2 * [("EXPIRED", "NOTHING_TO_REDUCE")] + [("CANCEL_REJECTED", "UNKNOWN_ORDER")]
    assert told(result, strategy.ids[4] + 2) == ["HELD", "EXPIRED"]


def test_the_stop_of_an_entry_that_turns_a_position_begins_with_the_turn():
    """2 short, a bid of 4: with 2 of them nothing is held and the stop waits on; with all it works, and sells 2."""
    script = {1: lambda desk, _: desk.market(-1, 2), 3: lambda desk, _: desk.limit(1, 100, 4, stop_loss=97)}
    rows = trade(5000, -1, 100, 2), trade(6000, -1, 100, 2), trade(7000, -1, 97, 1)
    result, strategy = run(script, *rows)
    assert fills(result)[1:] == [(5000, 2, 100, 1), (6000, 2, 100, 1), (7000, -2, 99, 0)]
    stop = strategy.ids[3] + 1
    assert told(result, stop) == ["HELD", "SUBMITTED", "ACCEPTED", "TRIGGERED", "PARTIALLY_FILLED", "EXPIRED"]
    begun = result.reports[(result.reports["order"] == stop) & (result.reports["kind"] == Report.SUBMITTED)]
    assert begun["ts"].tolist() == [6000]


def test_children_of_an_order_that_ends_without_a_fill_end_too():
    """Cancelled at 3 ms, never filled; a cancel of the stop that was sent when that was not known finds nothing."""
    script = {
        1: lambda desk, _: desk.limit(1, 97, 6, stop_loss=90, take_profit=104),
        3: lambda desk, me: desk.cancel(me.ids[1]),
        4: lambda desk, me: desk.cancel(me.ids[1] + 1),
    }
    result, _ = run(script)
    assert fills(result) == []
    assert ended(result) == [
        ("CANCELLED", "BY_STRATEGY"),
        *2 * [("CANCELLED", "PARENT_ENDED")],
        ("CANCEL_REJECTED", "UNKNOWN_ORDER"),
    ]


def many(desk, _):
    """63 bids that end as they arrive."""
    for _ in range(63):
        desk.limit(1, 1, 1, TimeInForce.IOC)


@pytest.mark.parametrize(
    ("act", "steps"),
    [
        (lambda desk, me: None, ["SUBMITTED", "ACCEPTED", "TRIGGERED", "FILLED"]),
        (lambda desk, me: desk.cancel(256), ["CANCELLED"]),
        (lambda desk, me: desk.amend(256, trigger=98), ["AMENDED", "SUBMITTED", "ACCEPTED", "TRIGGERED", "FILLED"]),
    ],
)
def test_the_order_in_the_first_row_of_the_table_is_one_like_any_other(act, steps):
    """Row 0 is that of order 256, here the stop of the entry 254; row 255 is nobody's."""
    script = {
        **dict.fromkeys((1, 4, 7, 10), many),
        13: lambda desk, _: desk.limit(1, 1, 1, TimeInForce.IOC),
        16: lambda desk, _: desk.limit(1, 100, 4, stop_loss=97),
        18: act,
    }
    result, strategy = run(script, trade(20_000, -1, 100, 4), trade(22_000, -1, 97, 1), burst=64)
    assert strategy.ids[16] == 254
    assert told(result, 256) == ["HELD", *steps]


def test_a_plain_order_in_the_first_row_of_the_table_can_end_by_itself_and_by_us():
    """Order 256 rests at 97: until 20 ms, or until it is cancelled at 19 ms."""
    for until, steps in ((20_000, ["EXPIRED"]), (90_000, ["CANCELLED"])):
        script = {
            **dict.fromkeys((1, 4, 7, 10), many),
            13: lambda desk, _: [desk.limit(1, 1, 1, TimeInForce.IOC) for _ in range(2)],
            16: lambda desk, _, at=until: desk.limit(1, 97, 4, TimeInForce.GTD, expires_us=at),
        }
        if until > 20_000:
            script[18] = lambda desk, me: desk.cancel(256)
        result, strategy = run(script, burst=64)
        assert strategy.ids[16] == 256
        assert told(result, 256) == ["SUBMITTED", "ACCEPTED", *steps]


def test_what_opens_waits_until_all_of_its_parent_has_filled():
    """A bid of 4 at 100 triggers a bid of 1 there (one triggers another), once the second sale has filled it."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 4),
        2: lambda desk, me: desk.limit(1, 100, 1, parent=me.ids[1]),
    }
    result, strategy = run(script, trade(5000, -1, 100, 2), trade(6000, -1, 100, 2), trade(7000, -1, 100, 5))
    assert fills(result) == [(5000, 2, 100, 1), (6000, 2, 100, 1), (7000, 1, 100, 1)]
    accepted = result.reports[
        (result.reports["order"] == strategy.ids[2]) & (result.reports["kind"] == Report.ACCEPTED)
    ]
    assert accepted["ts"].tolist() == [6000]


def test_a_child_that_arrives_after_its_parent_has_filled_goes_to_work_at_once():
    """The parent fills at 2,500, known at 3,500; the child is sent at 3,000, in good faith, and arrives at 4,000."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 4),
        3: lambda desk, me: desk.limit(-1, 104, 4, reduce_only=True, parent=me.ids[1]),
        5: lambda desk, me: desk.limit(-1, 104, 4, reduce_only=True, parent=me.ids[1]),
    }
    result, strategy = run(script, trade(2500, -1, 100, 4), trade(6000, 1, 104, 9))
    assert fills(result) == [(2500, 4, 100, 1), (6000, -4, 104, 1)]
    assert (strategy.ids[5], result.denied) == (0, 1)  # by then it is known that there is nothing to wait for


def test_a_held_order_can_be_cancelled_and_amended():
    """The stop of an entry that fills at 8,000 is moved from 97 to 98 before, the target withdrawn."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 4, stop_loss=97, take_profit=104),
        3: lambda desk, me: (desk.amend(me.ids[1] + 1, trigger=98), desk.cancel(me.ids[1] + 2)),
    }
    result, strategy = run(script, trade(8000, -1, 100, 4), trade(9000, -1, 98, 1))
    assert fills(result) == [(8000, 4, 100, 1), (9000, -4, 99, 0)]
    assert told(result, strategy.ids[1] + 1) == ["HELD", "AMENDED", "SUBMITTED", "ACCEPTED", "TRIGGERED", "FILLED"]
    assert told(result, strategy.ids[1] + 2) == ["HELD", "CANCELLED"]


def test_a_stop_that_the_market_is_beyond_when_it_is_woken_is_triggered_at_once():
    """The entry is filled by a sale at 96, below its stop at 97: what was bought is sold in that moment."""
    script = {1: lambda desk, _: desk.limit(1, 100, 4, stop_loss=97)}
    result, _ = run(script, trade(5000, -1, 96, 9))
    assert fills(result) == [(5000, 4, 100, 1), (5000, -4, 99, 0)]


def test_a_trailing_stop_follows_the_best_trade():
    """3 behind: the trades at 101 and 105 bring it to 102; at 103 it sleeps, at 102 it sells into the bids."""
    script = {1: lambda desk, _: desk.market(1, 4), 4: lambda desk, _: desk.trailing_stop(-1, 4, trail=3)}
    rows = trade(6000, 1, 101, 1), trade(7000, 1, 105, 1), trade(8000, -1, 103, 1), trade(9000, -1, 102, 1)
    result, strategy = run(script, *rows)
    assert fills(result)[1:] == [(9000, -4, 99, 0)]
    assert names(strategy)[2:] == ["ACCEPTED", "TRIGGERED", "FILLED"]


def test_a_trailing_stop_in_percent_begins_at_its_activation():
    """Sell 4 % below the best, once 110 was traded: 105 and 100 mean nothing; of 125 it is 120."""
    script = {2: lambda desk, _: desk.trailing_stop(-1, 4, trail_percent=4.0, activation=110)}
    rows = trade(4000, 1, 105, 1), trade(5000, -1, 100, 1), trade(6000, 1, 125, 1), trade(7000, -1, 121, 1)
    result, _ = run(script, *rows, trade(8000, -1, 120, 1))
    assert fills(result) == [(8000, -4, 99, 0)]


def test_a_trailing_purchase_follows_the_lowest_trade_and_can_be_tightened():
    """4 above the best of 95 is 99; amended to 2 it is 97, at once."""
    script = {1: lambda desk, _: desk.trailing_stop(1, 4, trail=4), 5: lambda desk, me: desk.amend(me.ids[1], trail=2)}
    rows = trade(3000, -1, 96, 1), trade(4000, -1, 95, 1), trade(5000, 1, 96, 1), trade(7000, 1, 97, 1)
    result, strategy = run(script, *rows)
    assert fills(result) == [(7000, 4, 101, 0)]
    assert names(strategy) == ["ACCEPTED", "AMENDED", "TRIGGERED", "FILLED"]


def test_a_trailing_purchase_begins_at_its_activation():
    """Buy 4 above the lowest, once 95 was traded: 97 means nothing; of 92 it is 96, of 89 it is 93."""
    script = {1: lambda desk, _: desk.trailing_stop(1, 4, trail=4, activation=95)}
    rows = trade(3000, -1, 97, 1), trade(4000, -1, 92, 1), trade(5000, 1, 95, 1), trade(6000, -1, 89, 1)
    result, _ = run(script, *rows, trade(7000, 1, 92, 1), trade(8000, 1, 93, 1))
    assert fills(result) == [(8000, 4, 101, 0)]


def test_a_trailing_stop_follows_a_trade_at_the_very_first_tick():
    """The last trade before it arrives was at 1: 4 above that is 5, whatever is traded in between."""
    script = {2: lambda desk, _: desk.trailing_stop(1, 4, trail=4)}
    rows = trade(1000, -1, 1, 1), trade(4000, 1, 3, 1), trade(5000, 1, 5, 1)
    result, _ = run(script, *rows)
    assert fills(result) == [(5000, 4, 101, 0)]


def test_a_stop_may_wait_at_the_very_first_tick():
    """A sale at 1 sleeps through a trade at 2."""
    script = {1: lambda desk, _: desk.stop(-1, 1, 4)}
    result, _ = run(script, trade(5000, -1, 2, 1), trade(6000, -1, 1, 1))
    assert fills(result) == [(6000, -4, 99, 0)]


@pytest.mark.parametrize("apart", [1, 2, 3, 4])
def test_one_trade_wakes_all_that_it_reaches_the_oldest_first(apart):
    """Stops to buy 1, 2, 3 and 4 at 103, one of them at 104: the trade at 103 leaves that one; 10 are offered."""
    script = {n: lambda desk, _, n=n: desk.stop(1, 103 + (n == apart), n) for n in (1, 2, 3, 4)}
    result, strategy = run(script, trade(6000, 1, 103, 1), trade(7000, 1, 104, 1))
    first = [n for n in (1, 2, 3, 4) if n != apart]
    assert fills(result) == [*((6000, n, 101, 0) for n in first), (7000, apart, 101, 0)]
    woken = result.reports[result.reports["kind"] == Report.TRIGGERED]
    assert woken["order"].tolist() == [strategy.ids[n] for n in (*first, apart)]


def test_who_waits_for_the_mark_keeps_nobody_from_a_trade():
    """The older stop looks at the mark, which stays at 101; the trade at 98 wakes the other."""
    script = {
        1: lambda desk, _: desk.stop(-1, 98, 1, trigger_by=TriggerSource.MARK),
        2: lambda desk, _: desk.stop(-1, 98, 2),
    }
    result, _ = run(script, trade(6000, -1, 98, 1), given={"marks": prices((500, 101.0))})
    assert fills(result) == [(6000, -2, 99, 0)]


def test_exits_of_an_entry_that_has_not_filled_leave_what_was_held_before():
    """4 held; stop and target belong to a bid at 97 that nobody meets. A purchase at 104 and a sale at 98 pass, and
    what only reduces elsewhere fills."""
    script = {
        1: lambda desk, _: desk.market(1, 4),
        2: lambda desk, _: desk.limit(1, 97, 4, stop_loss=98, take_profit=104),
        3: lambda desk, _: desk.limit(-1, 103, 1, reduce_only=True),
    }
    result, strategy = run(script, trade(6000, 1, 104, 9), trade(7000, -1, 98, 1), trade(8000, 1, 104, 9))
    assert fills(result) == [(2000, 4, 101, 0), (6000, -1, 103, 1)]
    assert told(result, strategy.ids[2] + 1) == told(result, strategy.ids[2] + 2) == ["HELD", "EXPIRED"]


def test_a_trailing_stop_may_follow_and_be_moved_at_the_very_first_tick():
    """Buy 9 above the best of 1 is 10; 1 above it is 2. Amended to other lots alone the distance stays."""
    for changes, at in (({"trail": 1}, 2), ({"lots": 3}, 10)):
        script = {
            2: lambda desk, _: desk.trailing_stop(1, 4, trail=9),
            4: lambda desk, me, how=changes: desk.amend(me.ids[2], **how),
        }
        rows = trade(1000, -1, 1, 1), trade(6000, 1, 2, 1), trade(7000, 1, 10, 1)
        result, _ = run(script, *rows)
        assert fills(result) == [(6000 if at == 2 else 7000, changes.get("lots", 4), 101, 0)]


def test_a_trailing_stop_that_nothing_was_traded_for_can_be_moved_before():
    """No trade yet: 2 ticks instead of 9 behind the first one, at 100; nothing is reached before."""
    script = {1: lambda desk, _: desk.trailing_stop(-1, 4, trail=9), 3: lambda desk, me: desk.amend(me.ids[1], trail=2)}
    result, strategy = run(script, trade(6000, 1, 100, 1), trade(7000, -1, 98, 1))
    assert fills(result) == [(7000, -4, 99, 0)]
    assert set(result.reports["trigger"][result.reports["ts"] < 6000]) == {0}
    assert names(strategy) == ["ACCEPTED", "AMENDED", "TRIGGERED", "FILLED"]


def test_a_stop_can_be_moved_to_and_from_the_very_first_tick():
    """From 2 to 1 a trade at 2 leaves it; from 1 to 2 that trade wakes it."""
    for before, after, ts in ((2, 1, 7000), (1, 2, 6000)):
        script = {
            1: lambda desk, _, at=before: desk.stop(-1, at, 4),
            3: lambda desk, me, at=after: desk.amend(me.ids[1], trigger=at),
        }
        result, _ = run(script, trade(6000, -1, 2, 1), trade(7000, -1, 1, 1))
        assert fills(result) == [(ts, -4, 99, 0)]


def test_one_mark_is_a_mark():
    """No trade stands in for it: not the one at 90."""
    script = {1: lambda desk, _: desk.stop(-1, 97, 4, trigger_by=TriggerSource.MARK)}
    result, _ = run(script, trade(3000, -1, 90, 1), given={"marks": prices((6000, 97.0))})
    assert fills(result) == [(6000, -4, 99, 0)]
    assert result.stood_in == 0


@pytest.mark.parametrize(("source", "name"), [(TriggerSource.MARK, "marks"), (TriggerSource.INDEX, "indices")])
def test_a_trigger_waits_for_the_price_that_it_is_told_to(source, name):
    """A trade at 90 does not wake it, a mark (or index) of 97.3 neither, one of 97.0 does."""
    script = {1: lambda desk, _: desk.stop(-1, 97, 4, trigger_by=source)}
    given = {name: prices((4000, 97.3), (6000, 97.0))}
    result, _ = run(script, trade(3000, -1, 90, 1), given=given)
    assert fills(result) == [(6000, -4, 99, 0)]


def test_a_trailing_stop_follows_the_mark():
    """2 behind the best mark of 104.6, which counts as 105 (worse for a stop): 103.2 leaves it, 103.0 wakes it."""
    script = {1: lambda desk, _: desk.trailing_stop(-1, 4, trail=2, trigger_by=TriggerSource.MARK)}
    given = {"marks": prices((3000, 104.6), (4000, 103.2), (5000, 103.0))}
    result, _ = run(script, trade(3500, 1, 120, 1), given=given)
    assert fills(result) == [(5000, -4, 99, 0)]


def test_where_there_is_no_mark_the_traded_price_stands_in():
    """As `stop` by the last trade."""
    script = {1: lambda desk, _: desk.stop(-1, 97, 4, trigger_by=TriggerSource.MARK)}
    result, _ = run(script, trade(3000, -1, 97, 1))
    assert fills(result) == [(3000, -4, 99, 0)]
    assert result.stood_in == 1


def test_a_liquidation_withdraws_a_bracket_too():
    """Entry 10 at 101, 2 more on order with exits: at a mark of 91.5 all of it ends."""
    script = {
        1: lambda desk, _: desk.market(1, 10, stop_loss=85, take_profit=120),
        3: lambda desk, _: desk.limit(1, 90, 2, stop_loss=80),
    }
    result, strategy = run(script, level(3000, 1, 99, 50), cash=100.0, given={"marks": prices((9000, 91.5))})
    assert result.position == 0
    assert strategy.desk.working() == []
    assert {name for _, name in ended(result)} <= {"LIQUIDATION", "PARENT_ENDED", "NOTHING_TO_REDUCE"}


@kernel
def decide(wake, lane, memory):
    """An entry with exits, a trailing stop, and a pair that looks at the mark."""
    memory[0] += 1
    if memory[0] == 1:
        entry = book_desk.limit(lane, 1, 100, 4, 0, 0, 1)
        book_desk.protect(lane, entry, 97, 104)
    elif memory[0] == 3:
        book_desk.trailing_stop(lane, -1, 3, 4, book_desk.REDUCE_ONLY, 2)
    elif memory[0] == 4:
        for trigger in (103, 104):
            book_desk.draft(lane, 1, 2, 0, trigger, 2, 3)
            book_desk.tie(lane, 0, 7)
            book_desk.by(lane, 1)
            book_desk.send(lane)
    elif memory[0] == 7:
        book_desk.amend(lane, memory[1], 0, 0, 102, 0)


class Alike(BookStrategy):
    """`decide`, as an object."""

    timer_us = 1000

    def __init__(self):
        super().__init__()
        self.calls = 0

    def on_timer(self):
        self.calls += 1
        if self.calls == 1:
            self.desk.limit(1, 100, 4, stop_loss=97, take_profit=104, tag=1)
        elif self.calls == 3:
            self.desk.trailing_stop(-1, 4, trail=3, reduce_only=True, tag=2)
        elif self.calls == 4:
            for trigger in (103, 104):
                self.desk.stop(1, trigger, 2, group=7, trigger_by=TriggerSource.MARK, tag=3)
        elif self.calls == 7:
            self.desk.amend(6, trigger=102)


def test_a_kernel_sends_the_same_orders():
    """Bought 4 at 100, trailed out at 99 after a trade at 102; of the pair the one moved to 102 wakes first."""
    rows = trade(3000, -1, 100, 9), trade(6000, 1, 102, 1), trade(7000, -1, 99, 1)
    given = {"marks": prices((5000, 101.0), (9000, 102.5))}
    lane = BookLane(timeline(*START, *rows, END), ONE, cash=1e6, settings=settings_with(), **given)
    compiled = lane.run_compiled(decide, np.array([0, 6]), timer_us=1000)
    plain = lane.run(Alike())
    assert fills(plain) == [(3000, 4, 100, 1), (7000, -4, 99, 0), (9000, 2, 101, 0)]
    assert ended(plain)[-1] == ("CANCELLED", "SIBLING_FILLED")
    np.testing.assert_array_equal(compiled.reports, plain.reports)
    np.testing.assert_array_equal(compiled.fills, plain.fills)
