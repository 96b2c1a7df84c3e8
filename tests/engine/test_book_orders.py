"""Orders on a book that wait, reduce, hide or meet each other, by hand. START: 10 at 99, 20 at 98; asks alike."""

from decimal import Decimal

import pytest

from booked import fills, level, reasons, run, trade
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import TimeInForce

SPOT = Instrument(
    symbol="ONE", venue="synthetic", kind=Kind.SPOT, base="ONE", quote="USDT", tick_size=Decimal(1),
    lot_size=Decimal(1),
)  # fmt: skip


def names(strategy):
    return [name for name, *_ in strategy.heard]


def ended(result):
    return [pair for pair in reasons(result) if pair[1] != "END_OF_DATA"]


def test_a_stop_comes_to_the_market_after_the_trade_that_reaches_it():
    """Bought 4; a stop to sell at 98 sleeps through a trade at 99 and wakes at 98: it takes what is bid then."""
    script = {1: lambda desk, _: desk.market(1, 4), 4: lambda desk, _: desk.stop(-1, 98, 4)}
    result, strategy = run(script, trade(8000, -1, 99, 1), trade(9000, -1, 98, 1), trade(9500, -1, 97, 1))
    assert fills(result) == [(2000, 4, 101, 0), (9000, -4, 99, 0)]
    assert names(strategy)[2:] == ["ACCEPTED", "TRIGGERED", "FILLED"]


def test_a_stop_limit_rests_at_its_limit_once_triggered():
    """A stop to buy at 103, limit 100: triggered it rests at 100, where a sale reaches it."""
    script = {1: lambda desk, _: desk.stop(1, 103, 2, 100)}
    result, strategy = run(script, trade(3000, 1, 103, 1), trade(5000, -1, 100, 9))
    assert fills(result) == [(5000, 2, 100, 1)]
    assert names(strategy) == ["ACCEPTED", "TRIGGERED", "FILLED"]


def test_a_take_profit_waits_for_the_other_direction():
    """Of a long position: it sells once a trade comes to 105, not at 95."""
    script = {1: lambda desk, _: desk.market(1, 4), 4: lambda desk, _: desk.take_profit(-1, 105, 4, reduce_only=True)}
    result, _ = run(script, trade(8000, -1, 95, 1), trade(9000, 1, 105, 1))
    assert fills(result)[1:] == [(9000, -4, 99, 0)]


def test_a_trigger_that_is_reached_already_is_refused():
    """The last trade was at 97: a stop to sell at 98 would wake at once (Binance −2021)."""
    result, _ = run({3: lambda desk, _: desk.stop(-1, 98, 4)}, trade(1000, -1, 97, 1))
    assert ended(result) == [("REJECTED", "WOULD_TRIGGER")]


def test_a_waiting_order_can_be_cancelled_and_amended():
    """Cancelled it never wakes; amended to 2 it sells 2."""
    market = trade(9000, -1, 98, 1)
    script = {1: lambda desk, _: desk.stop(-1, 98, 4), 4: lambda desk, me: desk.cancel(me.ids[1])}
    result, strategy = run(script, market)
    assert (fills(result), names(strategy)) == ([], ["ACCEPTED", "CANCELLED"])
    script[4] = lambda desk, me: desk.amend(me.ids[1], 1, 2)
    result, strategy = run(script, market)
    assert fills(result) == [(9000, -2, 99, 0)]
    assert names(strategy) == ["ACCEPTED", "AMENDED", "TRIGGERED", "FILLED"]


def test_a_cancel_in_the_same_moment_as_the_trigger_is_too_late_or_not():
    """Arriving with the trade it finds the order triggered and not yet matched: it ends, nothing is sold."""
    script = {1: lambda desk, _: desk.stop(-1, 98, 4), 8: lambda desk, me: desk.cancel(me.ids[1])}
    result, strategy = run(script, trade(9000, -1, 98, 1))
    assert fills(result) == []
    assert names(strategy) == ["ACCEPTED", "TRIGGERED", "CANCELLED"]


def test_what_only_reduces_never_opens():
    """Of 4 held an order for 10 sells 4 and ends; without a position it is refused (Binance −2022)."""
    script = {1: lambda desk, _: desk.market(1, 4), 4: lambda desk, _: desk.market(-1, 10, reduce_only=True)}
    result, _ = run(script)
    assert fills(result)[1:] == [(5000, -4, 99, 0)]
    assert ended(result) == [("EXPIRED", "NOTHING_TO_REDUCE")]
    result, _ = run({1: lambda desk, _: desk.limit(-1, 99, 10, reduce_only=True)})
    assert (fills(result), ended(result)) == ([], [("REJECTED", "REDUCE_ONLY")])


def test_a_resting_order_that_reduces_ends_when_there_is_nothing_left():
    """4 held, an ask of 6 at 100 fills 4 of a purchase of 9, then ends."""
    script = {
        1: lambda desk, _: desk.market(1, 4),
        4: lambda desk, _: desk.limit(-1, 100, 6, reduce_only=True),
    }
    result, _ = run(script, trade(9000, 1, 100, 9), trade(9500, 1, 100, 9))
    assert fills(result)[1:] == [(9000, -4, 100, 1)]
    assert ended(result) == [("EXPIRED", "NOTHING_TO_REDUCE")]


@pytest.mark.parametrize(("limit", "end"), [(99, "NOTHING_TO_REDUCE"), (100, "NOT_FILLED_AT_ONCE")])
@pytest.mark.parametrize("shown", [4, 10])
def test_fill_or_kill_that_only_reduces_is_all_of_what_there_is_to_reduce(limit, end, shown):
    """Of 4 held and 6 asked for it sells 4 or none, and never depends on how many more are bid for."""
    script = {
        1: lambda desk, _: desk.market(1, 4),
        4: lambda desk, _: desk.limit(-1, limit, 6, TimeInForce.FOK, reduce_only=True),
    }
    result, _ = run(script, level(3000, 1, 99, shown))
    assert fills(result)[1:] == ([(5000, -4, 99, 0)] if limit == 99 else [])
    assert ended(result) == [("EXPIRED", end)]


@pytest.mark.parametrize(
    ("mode", "bought", "ends"),
    [
        ("expire_taker", [], [("EXPIRED", "SELF_TRADE")]),
        ("expire_maker", [(4000, 5, 101, 0)], [("EXPIRED", "SELF_TRADE")]),
        ("expire_both", [], [("EXPIRED", "SELF_TRADE"), ("EXPIRED", "SELF_TRADE")]),
    ],
)
def test_self_trade_prevention(mode, bought, ends):
    """Our ask of 2 rests at 100, a bid of 5 at 101 would meet it: the bid ends, or the ask, or both."""
    script = {1: lambda desk, _: desk.limit(-1, 100, 2), 3: lambda desk, _: desk.limit(1, 101, 5)}
    result, _ = run(script, self_trade=mode)
    assert fills(result) == bought
    assert ended(result) == ends


def test_before_it_meets_our_own_order_a_taker_takes_what_is_better():
    """Our ask rests at 102: a market order takes the 10 at 101, then ends, or ours does and it goes on to 102."""
    script = {1: lambda desk, _: desk.limit(-1, 102, 2), 3: lambda desk, _: desk.market(1, 12)}
    result, _ = run(script)
    assert fills(result) == [(4000, 10, 101, 0)]
    result, _ = run(script, self_trade="expire_maker")
    assert fills(result) == [(4000, 10, 101, 0), (4000, 2, 102, 0)]


def test_the_next_slice_of_an_iceberg_joins_the_end_of_the_queue():
    """6 at 99, 2 shown, behind 10. A sale of 12 fills the first 2; the next 2 stand behind the 8 displayed by then."""
    script = {1: lambda desk, _: desk.limit(1, 99, 6, shown=2)}
    rows = (trade(3000, -1, 99, 12), level(3001, 1, 99, 8), trade(4000, -1, 99, 8), trade(5000, -1, 99, 9))
    result, _ = run(script, *rows, instrument=SPOT, leverage=1.0)
    # After the first fill 10 are still displayed (the update comes later): 8 of them remain after 3001.
    assert fills(result) == [(3000, 2, 99, 1), (5000, 2, 99, 1)]


def test_a_trade_through_an_iceberg_takes_its_hidden_lots_too():
    """A sale of 5 at 98 must have met all of ours at 99 first."""
    script = {1: lambda desk, _: desk.limit(1, 99, 6, shown=2)}
    result, _ = run(script, trade(3000, -1, 98, 5), instrument=SPOT, leverage=1.0)
    assert fills(result) == [(3000, 5, 99, 1)]


def test_futures_know_no_icebergs():
    """The venue has them on spot only."""
    result, _ = run({1: lambda desk, _: desk.limit(1, 99, 6, shown=2)})
    assert ended(result) == [("REJECTED", "ICEBERG_PARTS")]


def test_a_request_about_an_order_that_is_gone_is_refused_without_lots_or_price():
    """Filled at 5,500, known at 6,500; the cancel, sent at 6,000, and the amendment with it find nothing."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 4),
        6: lambda desk, me: (desk.amend(me.ids[1], 99, 3), desk.cancel(me.ids[1])),
    }
    result, strategy = run(script, trade(5500, -1, 100, 9))
    assert strategy.heard[2:] == [("AMEND_REJECTED", 7000, 8000, 0, 0), ("CANCEL_REJECTED", 7000, 8000, 0, 0)]
    assert result.reports["order"].tolist() == 5 * [strategy.ids[1]]
    last = result.reports[-2:]
    assert ended(result) == [("AMEND_REJECTED", "UNKNOWN_ORDER"), ("CANCEL_REJECTED", "UNKNOWN_ORDER")]
    for name, value in (("order", strategy.ids[1]), ("maker", 0), ("filled", 0), ("side", 0), ("type", 0), ("tag", 0)):
        assert last[name].tolist() == [value, value]


def test_an_order_good_till_a_date_ends_then():
    """Until 5,000 µs: the sale at 4,999 fills 1 of 4, that at 5,001 comes too late."""
    script = {1: lambda desk, _: desk.limit(1, 100, 4, TimeInForce.GTD, expires_us=5000)}
    result, strategy = run(script, trade(4999, -1, 100, 1), trade(5001, -1, 100, 9))
    assert fills(result) == [(4999, 1, 100, 1)]
    assert names(strategy) == ["ACCEPTED", "PARTIALLY_FILLED", "EXPIRED"]
    assert strategy.heard[-1] == ("EXPIRED", 5000, 6000, 100, 3)
    for until in (1500, 2000):  # it arrives at 2,000 µs
        late, _ = run({1: lambda desk, _, at=until: desk.limit(1, 101, 4, TimeInForce.GTD, expires_us=at)})
        assert (fills(late), ended(late)) == ([], [("REJECTED", "TIME_IN_FORCE")])


def test_a_triggered_order_that_the_account_cannot_carry_is_refused():
    """Nobody sells on spot what he has not."""
    result, strategy = run({1: lambda desk, _: desk.stop(-1, 98, 4)}, trade(5000, -1, 98, 1), instrument=SPOT)
    assert names(strategy) == ["ACCEPTED", "TRIGGERED", "REJECTED"]
    assert ended(result) == [("REJECTED", "NO_SHORT")]


def test_an_order_can_be_moved_to_the_first_tick_and_shrunk_to_one_lot():
    """A bid of 4 at 97: moved to 1 a sale at 2 leaves it, one at 1 fills the single lot that was asked for."""
    script = {1: lambda desk, _: desk.limit(1, 97, 4), 3: lambda desk, me: desk.amend(me.ids[1], 1, 1)}
    result, _ = run(script, trade(6000, -1, 2, 9), trade(7000, -1, 1, 9))
    assert fills(result) == [(7000, 1, 1, 1)]


def test_a_stop_limit_at_the_first_tick_can_be_moved():
    """Sell at 98, limit 1, moved to a limit of 100: it rests there once it is triggered."""
    script = {1: lambda desk, _: desk.stop(-1, 98, 4, 1), 3: lambda desk, me: desk.amend(me.ids[1], 100)}
    result, _ = run(script, trade(6000, -1, 98, 1), trade(7000, 1, 100, 9))
    assert fills(result) == [(7000, -4, 100, 1)]


def test_an_amendment_that_changes_nothing_keeps_the_place_in_the_queue():
    """Behind 10 at 99; 8 more come behind us; asked for the same price and lots again: 11 sold at 99 give us one."""
    script = {1: lambda desk, _: desk.limit(1, 99, 4), 4: lambda desk, me: desk.amend(me.ids[1], 99, 4)}
    result, _ = run(script, level(3000, 1, 99, 18), trade(6000, -1, 99, 11))
    assert fills(result) == [(6000, 1, 99, 1)]


@pytest.mark.parametrize(
    "script",
    [
        {4: lambda desk, _: desk.market(1, 300)},
        {1: lambda desk, _: desk.stop(1, 103, 300)},
        {1: lambda desk, _: desk.limit(1, 90, 300), 4: lambda desk, me: desk.amend(me.ids[1], 500)},
        {1: lambda desk, _: desk.limit(1, 100, 1), 2: lambda desk, me: desk.market(1, 300, parent=me.ids[1])},
    ],
    ids=["market", "stop", "amended", "woken"],
)
def test_what_takes_walks_as_many_levels_as_it_needs_however_it_came_to_the_market(script):
    """300 bought of 10 at 101, 20 at 102 and one at each price from 103 on, displayed since 3,500 µs: of 272 levels."""
    levels = [level(3500, -1, ticks, 1) for ticks in range(103, 500)]
    result, _ = run(script, *levels, trade(5000, -1, 100, 1), trade(5000, 1, 103, 1))
    taken = [(lots, ticks) for ts, lots, ticks, maker in fills(result) if not maker]
    assert taken == [(10, 101), (20, 102), *((1, ticks) for ticks in range(103, 373))]
