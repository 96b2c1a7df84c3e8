"""Orders and a bar's volume, worked out by hand: 1 BTC is 1 000 lots, a tick is 0.1."""

import numpy as np
import pytest

from scripted import MINUTE, Done, columns, done, fates, flat, free, perpetual, play
from truewind.domain.order import Event, OrderType, Reason, Side, Status, TimeInForce

FILLED, EXPIRED, CANCELLED = Status.FILLED, Status.EXPIRED, Status.CANCELLED
CALM = flat(100)


def on(bars, volumes, acts, *, share=1.0, **how):
    """A run on these bars, of each of which so much was traded, in BTC."""
    table = columns(bars) | {"volume": np.array(volumes, float)}
    costs = free(volume_share=share, **how.pop("costs", {}))
    return play({"BTCUSDT": table}, acts, costs=costs, **how)


def parts(engine):
    return [(fill.row, fill.side * fill.lots) for fill in done(engine)]


def test_a_market_order_takes_the_bars_volume_and_goes_on_in_the_next():
    """5 BTC wanted, of bars of 2, 2 and 9: 2 + 2 + 1, each at its bar's open; the order fills with the last."""
    bars = [CALM, (100, 101, 99, 101), (102, 103, 101, 103), (104, 104, 104, 104), CALM]
    engine = on(bars, [9, 2, 2, 9, 9], {0: lambda s: s.buy(5)})
    assert done(engine) == [
        Done(1, "trade", 1, 100.0, 2000),
        Done(2, "trade", 1, 102.0, 2000),
        Done(3, "trade", 1, 104.0, 1000),
    ]
    steps = [(event["event"], event["lots"]) for event in engine.events]
    assert steps == [
        (Event.SUBMIT, 5000), (Event.ACCEPT, 5000),
        (Event.PARTIAL_FILL, 2000), (Event.PARTIAL_FILL, 2000), (Event.FILL, 1000),
    ]  # fmt: skip


def test_a_share_of_the_volume_is_rounded_down_to_lots():
    """A quarter of 1.0055 BTC is 251.375 lots: 251. A tenth of 3 is 300, though 0.1 · 3 is more than 0.3 as a float."""
    engine = on([CALM] * 3, [9, 1.0055, 9], {0: lambda s: s.buy(1)}, share=0.25)
    assert parts(engine)[0] == (1, 251)
    engine = on([CALM] * 3, [9, 3, 9], {0: lambda s: s.buy(1)}, share=0.1)
    assert parts(engine)[0] == (1, 300)


def test_orders_of_one_bar_share_its_volume_in_the_order_in_which_they_came():
    """3 and 3 wanted of 4: the first is filled, the second gets 1, and 2 of the next bar."""
    engine = on([CALM] * 4, [9, 4, 9, 9], {0: lambda s: (s.buy(3), s.buy(3))})
    assert [(int(f["order"]), int(f["row"]), int(f["lots"])) for f in engine.fills] == [
        (1, 1, 3000), (2, 1, 1000), (2, 2, 2000),
    ]  # fmt: skip


def test_a_bar_without_volume_fills_nothing_and_one_whose_volume_is_unknown_fills_all():
    """The order waits over two empty bars; NaN is no statement about size."""
    engine = on([CALM] * 5, [9, 0, 0, np.nan, 9], {0: lambda s: s.buy(5)})
    assert parts(engine) == [(3, 5000)]
    assert fates(engine)[1] == (FILLED, Reason.NONE)


def test_size_can_be_left_out_of_account():
    """volume_share: None, as on venues whose volume says nothing."""
    assert parts(on([CALM] * 3, [1, 1, 1], {0: lambda s: s.buy(5)}, share=None)) == [(1, 5000)]


def test_a_resting_limit_is_filled_part_by_part_as_maker():
    """Limit 99 for 5 BTC: 2 of the bar that trades to 98, none of the next, 3 of the last."""
    bars = [CALM, (100, 100, 98, 99.5), (99.5, 100, 99.2, 100), (100, 100, 98, 99), CALM]
    engine = on(bars, [9, 2, 9, 9, 9], {0: lambda s: s.buy(5, limit=99)})
    assert done(engine) == [
        Done(1, "trade", 1, 99.0, 2000, maker=True),
        Done(3, "trade", 1, 99.0, 3000, maker=True),
    ]


def test_what_is_filled_is_told_while_the_rest_works():
    """Cumulative, with the lots as they were ordered; then all that is left is withdrawn."""
    seen = []

    def look(s):
        seen.extend((order.lots, order.filled, order.status) for order in s.working())

    acts = {0: lambda s: s.buy(5), 1: look, 2: lambda s: (look(s), s.cancel_all())}
    engine = on([CALM] * 5, [9, 2, 1, 9, 9], acts)
    assert seen == [(5000, 2000, Status.PARTIALLY_FILLED), (5000, 3000, Status.PARTIALLY_FILLED)]
    assert parts(engine) == [(1, 2000), (2, 1000)]
    assert fates(engine)[1] == (CANCELLED, Reason.BY_STRATEGY)
    assert engine.events[-1]["lots"] == 2000


@pytest.mark.parametrize("kind", ["market", "limit"])
@pytest.mark.parametrize(
    ("tif", "lots", "fate"),
    [
        (TimeInForce.IOC, [2000], (EXPIRED, Reason.TIME_IN_FORCE)),
        (TimeInForce.FOK, [], (EXPIRED, Reason.NOT_FILLED_AT_ONCE)),
    ],
)
def test_what_must_fill_at_once_takes_what_there_is_or_nothing(kind, tif, lots, fate):
    """3 wanted of 2: immediate-or-cancel gets 2 and ends, fill-or-kill gets none."""
    how = {"limit": 105.0} if kind == "limit" else {}
    engine = on([CALM] * 4, [9, 2, 9, 9], {0: lambda s: s.buy(3, tif=tif, **how)})
    assert [fill.lots for fill in done(engine)] == lots
    assert fates(engine)[1] == fate


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
def test_what_must_fill_at_once_ends_on_an_empty_bar(tif):
    """Nobody to trade with."""
    engine = on([CALM] * 3, [9, 0, 9], {0: lambda s: s.buy(3, limit=105, tif=tif)})
    assert done(engine) == []
    assert fates(engine)[1][0] == EXPIRED


def test_a_stop_that_is_triggered_goes_on_at_market():
    """Stop 95 for 3 BTC in a bar of 2: 2 at 95, the last at the next open of 98, wherever its trigger was."""
    bars = [CALM, CALM, (100, 100, 94, 96), (98, 99, 97, 98), CALM]
    acts = {0: lambda s: s.buy(3), 1: lambda s: s.sell(3, stop=95, reduce_only=True)}
    engine = on(bars, [9, 9, 2, 9, 9], acts)
    assert done(engine)[1:] == [Done(2, "trade", -1, 95.0, 2000), Done(3, "trade", -1, 98.0, 1000)]


def test_a_stop_that_is_triggered_in_an_empty_bar_stays_triggered():
    """The mark falls through it while nothing trades; the next bar's open fills it, far above its trigger."""
    bars = [CALM, CALM, CALM, (101, 102, 100, 101), CALM]
    acts = {0: lambda s: s.buy(3), 1: lambda s: s.sell(3, stop=95, reduce_only=True, trigger_by=1)}
    engine = on(bars, [9, 9, 0, 9, 9], acts, marks=[CALM, CALM, (100, 100, 94, 100), CALM, CALM])
    assert done(engine)[1:] == [Done(3, "trade", -1, 101.0, 3000)]
    sold = [Event(int(event["event"])) for event in engine.events if event["order"] == 2]
    assert sold == [Event.SUBMIT, Event.ACCEPT, Event.TRIGGER, Event.FILL]


def test_a_stop_limit_rests_with_what_it_could_not_get():
    """Triggered at 105 with a limit of 106: 2 at once, 1 as maker when the price trades below 106 again."""
    bars = [CALM, (100, 107, 99, 107), (108, 109, 107, 108), (108, 108, 105, 107), CALM]
    engine = on(bars, [9, 2, 9, 9, 9], {0: lambda s: s.buy(3, stop=105, limit=106)})
    assert done(engine) == [Done(1, "trade", 1, 105.0, 2000), Done(3, "trade", 1, 106.0, 1000, maker=True)]


# -- brackets and groups -------------------------------------------------------


def test_a_brackets_exits_grow_with_what_has_filled():
    """2 of 5 bought: stop and target stand for 2; after 3 more for 5; the stop then sells all."""
    seen = []

    def look(s):
        seen.append([order.lots for order in s.working() if order.parent])

    bars = [CALM, CALM, CALM, (100, 100, 94, 95), CALM]
    acts = {0: lambda s: s.buy(5, stop_loss=95, take_profit=110), 1: look, 2: look}
    engine = on(bars, [9, 2, 9, 9, 9], acts)
    assert seen == [[2000, 2000], [5000, 5000]]
    assert parts(engine) == [(1, 2000), (2, 3000), (3, -5000)]
    grown = [int(event["lots"]) for event in engine.events if event["event"] == Event.AMEND]
    assert grown == [5000, 5000]


def test_an_exit_that_is_executed_withdraws_the_rest_of_the_entry():
    """A limit of 99 for 5 gets 2; the stop sells them at 95, and the other 3 are not bought any more at 99."""
    bars = [CALM, (100, 100, 98, 99.5), (99.5, 99.5, 94, 96), (100, 100, 90, 95), CALM]
    engine = on(bars, [9, 2, 9, 9, 9], {0: lambda s: s.buy(5, limit=99, stop_loss=95)})
    assert parts(engine) == [(1, 2000), (2, -2000)]
    assert fates(engine)[1] == (CANCELLED, Reason.EXITED)


def test_a_position_closed_by_other_means_withdraws_the_rest_of_the_entry_too():
    """Its stop has nothing left to reduce and ends: what would still be bought had no stop."""
    bars = [CALM, (100, 100, 98, 99.5), flat(99.5), (100, 100, 90, 95), CALM]
    acts = {0: lambda s: s.buy(5, limit=99, stop_loss=80), 1: lambda s: s.close()}
    engine = on(bars, [9, 2, 9, 9, 9], acts)
    assert parts(engine) == [(1, 2000), (2, -2000)]
    assert fates(engine)[1] == (CANCELLED, Reason.EXITED)
    assert fates(engine)[2] == (EXPIRED, Reason.NOTHING_TO_REDUCE)


def test_the_exit_of_a_turned_position_waits_until_it_has_turned():
    """3 short, 5 bought in parts of 2: the stop for 2 wakes with the second part only, for the 1 that is long then.

    The third part makes it 2 long; the stop sells them.
    """
    bars = [CALM, CALM, CALM, CALM, CALM, (100, 100, 90, 95), CALM]

    def turn(s):
        parent = s.buy(5)
        s.desk.submit("BTCUSDT", Side.SELL, 2.0, OrderType.STOP, 95.0, reduce_only=True, parent=parent)

    engine = on(bars, [9, 9, 2, 2, 2, 9, 9], {0: lambda s: s.sell(3), 1: turn})
    assert parts(engine) == [(1, -3000), (2, 2000), (3, 2000), (4, 1000), (5, -2000)]


def test_one_part_cancels_the_others():
    """Of two orders of a group the first to get anything withdraws the other, and goes on itself."""
    bars = [CALM, (100, 100, 98, 99), (99, 100, 98, 99), CALM]
    acts = {0: lambda s: (s.buy(3, limit=99, group=1), s.buy(3, stop=105, group=1))}
    engine = on(bars, [9, 2, 9, 9], acts)
    assert parts(engine) == [(1, 2000), (2, 1000)]
    assert fates(engine)[2] == (CANCELLED, Reason.SIBLING_FILLED)


def test_reducing_ends_with_what_there_is_to_reduce():
    """3 held, 5 to be sold, 2 a bar: 2, then 1, and the other 2 expire."""
    acts = {0: lambda s: s.buy(3), 1: lambda s: s.sell(5, reduce_only=True)}
    engine = on([CALM] * 5, [9, 9, 2, 2, 9], acts)
    assert parts(engine) == [(1, 3000), (2, -2000), (3, -1000)]
    assert fates(engine)[2] == (EXPIRED, Reason.NOTHING_TO_REDUCE)
    assert engine.events[-1]["lots"] == 2000


# -- amending, and money -------------------------------------------------------


def test_a_partly_filled_order_can_be_amended_but_not_below_what_has_filled():
    """2 of 5 have filled: 2 is refused, 3 leaves 1 to be bought."""
    answers = []
    acts = {
        0: lambda s: s.buy(5, limit=99),
        1: lambda s: answers.extend([s.amend(1, quantity=2.0), s.amend(1, quantity=3.0, price=98.5)]),
    }
    bars = [CALM, (100, 100, 98, 99.5), (99.5, 100, 98, 99), CALM]
    engine = on(bars, [9, 2, 9, 9], acts)
    assert answers == [False, True]
    assert [(fill.price, fill.lots) for fill in done(engine)] == [(99.0, 2000), (98.5, 1000)]
    assert fates(engine)[1] == (FILLED, Reason.NONE)


def test_what_the_money_does_not_reach_for_any_more_expires():
    """2 of 5 BTC sold at 100 with 450: at the open of 300 equity is 50, and 5 BTC would need 1500 / 20 = 75."""
    bars = [CALM, CALM, flat(300), flat(300)]
    engine = on(bars, [9, 2, 9, 9], {0: lambda s: s.sell(5)}, cash=450.0)
    assert parts(engine) == [(1, -2000)]
    assert fates(engine)[1] == (EXPIRED, Reason.INSUFFICIENT_BALANCE)


def test_volume_of_a_symbol_is_its_own():
    """Two symbols whose bars close at one time do not take each other's volume."""
    bars = {name: columns([CALM] * 3) | {"volume": np.array([9.0, 2.0, 9.0])} for name in ("AAA", "BBB")}
    acts = {1: lambda s: (s.buy(3, symbol="AAA"), s.buy(3, symbol="BBB"))}
    both = [perpetual("AAA"), perpetual("BBB")]
    engine = play(bars, acts, instruments=both, costs=free(volume_share=1.0))
    assert [(int(f["symbol"]), int(f["ts"]), int(f["lots"])) for f in engine.fills] == [
        (0, MINUTE, 2000), (1, MINUTE, 2000), (0, 2 * MINUTE, 1000), (1, 2 * MINUTE, 1000),
    ]  # fmt: skip
