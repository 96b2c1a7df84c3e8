"""Day orders, close-position orders, icebergs, orders that trigger others, self-trade prevention; each by hand.

1 BTC is 1 000 lots, a tick is 0.1.
"""

import pytest

from scripted import MINUTE, Done, bracketed, columns, done, fates, flat, free, play, spot
from truewind.domain.filters import Filters
from truewind.domain.order import Event, OrderType, Reason, SelfTrade, Side, Status, Terms, TimeInForce
from truewind.domain.timeframe import DAY_US
from truewind.execution.simulated.latency import OrderLatency

FILLED, EXPIRED, CANCELLED, DENIED = Status.FILLED, Status.EXPIRED, Status.CANCELLED, Status.DENIED
CALM = flat(100)


def submit(s, **how):
    asked = {"symbol": "BTCUSDT", "side": Side.BUY, "quantity": 1.0, "type": OrderType.LIMIT} | how
    return s.desk.submit(**asked)


# -- day orders -------------------------------------------------------


def test_a_day_order_ends_with_the_day():
    """Sent at 23:58, good until midnight UTC: the bar that opens then does not fill it, though it falls to 90."""
    table = columns([CALM, CALM, CALM, (100, 100, 90, 99), CALM], start=DAY_US - 3 * MINUTE)
    engine = play({"BTCUSDT": table}, {0: lambda s: s.buy(1, limit=95, tif=TimeInForce.DAY)})
    assert done(engine) == []
    assert fates(engine)[1] == (EXPIRED, Reason.TIME_IN_FORCE)
    assert engine.events[-1]["ts"] == DAY_US


def test_a_day_order_of_the_day_before_is_filled_in_its_last_bar():
    """The bar from 23:59 to midnight is still its own."""
    table = columns([CALM, CALM, (100, 100, 90, 99), CALM], start=DAY_US - 3 * MINUTE)
    engine = play({"BTCUSDT": table}, {0: lambda s: s.buy(1, limit=95, tif=TimeInForce.DAY)})
    assert done(engine) == [Done(2, "trade", 1, 95.0, 1000, maker=True)]


# -- close position -------------------------------------------------------


def test_a_close_position_order_takes_what_is_held_when_it_triggers():
    """Sent for nothing in particular while 1 is held; 3 are when the stop at 95 triggers: 3 are sold."""
    bars = [CALM, CALM, CALM, (100, 100, 94, 96), CALM]
    acts = {0: lambda s: s.buy(1), 1: lambda s: (s.sell(0, stop=95, close_position=True), s.buy(2))}
    engine = play(bars, acts)
    assert done(engine)[2] == Done(3, "trade", -1, 95.0, 3000)
    assert fates(engine)[2] == (FILLED, Reason.NONE)


def test_a_close_position_order_ends_when_nothing_is_held_any_more():
    """The position was closed otherwise: as a reduce-only order, it does not outlive it."""
    bars = [CALM, CALM, CALM, (100, 100, 94, 96), CALM]
    acts = {0: lambda s: s.buy(1), 1: lambda s: (s.sell(0, touch=105, close_position=True), s.close())}
    engine = play(bars, acts)
    assert len(done(engine)) == 2
    assert fates(engine)[2] == (EXPIRED, Reason.NOTHING_TO_REDUCE)


def test_a_close_position_order_takes_what_volume_there_is_and_then_the_rest():
    """3 held, 2 traded in the bar that triggers it: 2 at 95, 1 at the next open."""
    table = columns([CALM, CALM, (100, 100, 94, 96), flat(97), CALM])
    table["volume"] = [9.0, 9.0, 2.0, 9.0, 9.0]
    acts = {0: lambda s: s.buy(3), 1: lambda s: s.sell(0, stop=95, close_position=True)}
    engine = play({"BTCUSDT": table}, acts, costs=free(volume_share=1.0))
    assert done(engine)[1:] == [Done(2, "trade", -1, 95.0, 2000), Done(3, "trade", -1, 97.0, 1000)]


def test_a_bracket_may_close_the_position():
    """A child of its entry: it wakes with the fill and sells that and the 1 that was held before."""
    bars = [CALM, CALM, CALM, (100, 100, 94, 96), CALM]

    def enter(s):
        parent = s.buy(2)
        submit(s, side=Side.SELL, quantity=0.0, type=OrderType.STOP, price=95.0, parent=parent,
               terms=Terms(close_position=True))  # fmt: skip

    engine = play(bars, {0: lambda s: s.buy(1), 1: enter})
    assert done(engine)[2] == Done(3, "trade", -1, 95.0, 3000)


# -- trailing by ATR -------------------------------------------------------


def test_an_amended_trailing_stop_stands_at_its_new_distance_at_once():
    """Best 110, 5 behind is 105; when the range shrinks the strategy asks for 2: 108, hit by a low of 107."""
    bars = [CALM, CALM, (100, 110, 100, 110), (110, 110, 107, 108), CALM]
    acts = {
        0: lambda s: s.buy(1),
        1: lambda s: s.sell(1, trail=5, reduce_only=True),
        2: lambda s: s.amend(2, trail=2.0),
    }
    assert done(play(bars, acts))[1] == Done(3, "trade", -1, 108.0, 1000)


def test_a_distance_in_percent_is_amended_in_percent():
    """10 % behind 110 is 99; 5 % is 104.5."""
    bars = [CALM, CALM, (100, 110, 100, 110), (110, 110, 104, 105), CALM]
    acts = {
        0: lambda s: s.buy(1),
        1: lambda s: s.sell(1, trail_percent=10, reduce_only=True),
        2: lambda s: s.amend(2, trail=5.0),
    }
    assert done(play(bars, acts))[1] == Done(3, "trade", -1, 104.5, 1000)


# -- icebergs -------------------------------------------------------


def iceberg(bars, limit_fill, volumes=None, instrument=None, acts=None):
    table = columns(bars)
    if volumes:
        table["volume"] = volumes
    acts = acts or {0: lambda s: s.buy(5, limit=99, shown=2.0)}
    costs = free(limit_fill=limit_fill, volume_share=1.0 if volumes else None)
    return play({"BTCUSDT": table}, acts, instruments=[instrument or spot()], costs=costs)


def test_a_price_that_is_only_touched_takes_what_an_iceberg_shows():
    """What is refilled stands at the end of the queue: 2, 2 and 1 in three bars that touch 99."""
    touch = (100, 100, 99, 100)
    engine = iceberg([CALM, touch, touch, touch, CALM], "touch")
    assert [(fill.row, fill.lots) for fill in done(engine)] == [(1, 2000), (2, 2000), (3, 1000)]
    assert all(fill.maker for fill in done(engine))


def test_an_iceberg_that_sells_is_the_mirror():
    """Two bars that touch 101 take 2 each, one that goes to 102 the last; each as maker."""
    touch = (100, 101, 100, 100)
    acts = {0: lambda s: s.buy(5), 1: lambda s: s.sell(5, limit=101, shown=2.0)}
    engine = iceberg([CALM, CALM, touch, touch, (100, 102, 100, 100), CALM], "touch", acts=acts)
    assert [(fill.row, fill.lots, fill.price) for fill in done(engine)[1:]] == [
        (2, 2000, 101.0), (3, 2000, 101.0), (4, 1000, 101.0)
    ]  # fmt: skip
    engine = iceberg([CALM, CALM, (100, 102, 100, 100), CALM], "touch", acts=acts)
    assert [(fill.row, fill.lots) for fill in done(engine)[1:]] == [(2, 5000)]


def test_a_price_that_opens_at_its_limit_takes_what_it_shows_once():
    """The same bar falls back to 99 later: still the same bar."""
    engine = iceberg([CALM, (99, 100, 99, 100), CALM], "touch")
    assert [(fill.row, fill.lots) for fill in done(engine)] == [(1, 2000)]


@pytest.mark.parametrize("limit_fill", ["touch", "through"])
def test_a_price_that_is_traded_through_takes_all_of_an_iceberg(limit_fill):
    """Below 99 nothing was left to buy at 99, refilled or not."""
    engine = iceberg([CALM, (100, 100, 98.9, 100), CALM], limit_fill)
    assert [(fill.row, fill.lots) for fill in done(engine)] == [(1, 5000)]


def test_the_venue_limits_the_parts_and_the_number_of_icebergs():
    """5 BTC in parts of 0.4 are 13 parts, of which it takes 10; and it takes one iceberg at a time."""
    rules = spot(filters=Filters(iceberg_parts=10, max_icebergs=1))
    acts = {0: lambda s: (s.buy(5, limit=90, shown=0.4), s.buy(5, limit=90, shown=0.5), s.buy(1, limit=90, shown=0.5))}
    engine = iceberg([CALM] * 3, "touch", None, rules, acts)
    assert fates(engine)[1] == (DENIED, Reason.ICEBERG_PARTS)
    assert fates(engine)[3] == (DENIED, Reason.TOO_MANY_ICEBERGS)


# -- one triggers another -------------------------------------------------------


def test_an_order_may_trigger_one_that_opens():
    """Bought 1 at 99; only then a sale of 2 at 103 begins to work, and turns the position."""
    bars = [CALM, (100, 104, 99.5, 100), (100, 100, 98, 99), (100, 104, 100, 103), CALM]

    def pair(s):
        parent = s.buy(1, limit=99)
        submit(s, side=Side.SELL, quantity=2.0, price=103.0, parent=parent)

    engine = play(bars, {0: pair})
    assert [(fill.row, fill.price, fill.side * fill.lots) for fill in done(engine)] == [
        (2, 99.0, 1000), (3, 103.0, -2000),
    ]  # fmt: skip
    assert engine.state.positions[0]["lots"] == -1000


def test_what_opens_waits_until_all_of_its_parent_has_filled():
    """2 of 3 bought: the exit works for 2, the order that opens does not; with the third both do."""
    table = columns([CALM, CALM, CALM, CALM])
    table["volume"] = [9.0, 2.0, 9.0, 9.0]
    seen = []

    def look(s):
        seen.append([(order.lots, order.status == Status.HELD) for order in s.working() if order.parent])

    def pair(s):
        parent = s.buy(3, stop_loss=90)
        submit(s, side=Side.SELL, quantity=7.0, price=110.0, parent=parent)

    play({"BTCUSDT": table}, {0: pair, 1: look, 2: look}, costs=free(volume_share=1.0))
    assert seen == [[(2000, False), (7000, True)], [(3000, False), (7000, False)]]


def test_what_would_open_is_cancelled_with_its_parent():
    """The parent is withdrawn before it fills."""

    def pair(s):
        parent = s.buy(1, limit=90)
        submit(s, side=Side.SELL, quantity=2.0, price=103.0, parent=parent)

    engine = play([CALM] * 4, {0: pair, 1: lambda s: s.cancel(1)})
    assert fates(engine)[2] == (CANCELLED, Reason.PARENT_ENDED)


# -- self-trade prevention -------------------------------------------------------


def crossing(mode, **how):
    """1 rests for sale at 101; a purchase at market, sent later, is executed at the open of 101."""
    bars = [CALM, CALM, flat(101), flat(101)]
    acts = {0: lambda s: s.sell(1, limit=101), 1: lambda s: s.buy(1, self_trade=mode)}
    return play(bars, acts, **how)


@pytest.mark.parametrize(
    ("mode", "taker", "maker", "lots"),
    [
        (SelfTrade.NONE, (FILLED, Reason.NONE), (EXPIRED, Reason.END_OF_DATA), [1000]),
        (SelfTrade.EXPIRE_TAKER, (EXPIRED, Reason.SELF_TRADE), (EXPIRED, Reason.END_OF_DATA), []),
        (SelfTrade.EXPIRE_MAKER, (FILLED, Reason.NONE), (EXPIRED, Reason.SELF_TRADE), [1000]),
        (SelfTrade.EXPIRE_BOTH, (EXPIRED, Reason.SELF_TRADE), (EXPIRED, Reason.SELF_TRADE), []),
    ],
)
def test_an_order_that_takes_where_one_of_ours_rests(mode, taker, maker, lots):
    """The mode of the one that takes decides who ends; without one it trades with the market."""
    engine = crossing(mode)
    assert fates(engine)[2] == taker
    assert fates(engine)[1] == maker
    assert [fill.lots for fill in done(engine)] == lots


def test_slippage_may_carry_an_order_into_one_of_ours():
    """100 and 100 bps of spread is 101, where 1 rests for sale: they meet."""
    bars = [CALM, CALM, CALM, CALM]
    acts = {0: lambda s: s.sell(1, limit=101), 1: lambda s: s.buy(1, self_trade=SelfTrade.EXPIRE_TAKER)}
    assert fates(play(bars, acts, costs=free(half_spread_bps=100)))[2] == (EXPIRED, Reason.SELF_TRADE)
    assert fates(play(bars, acts, costs=free(half_spread_bps=90)))[2] == (FILLED, Reason.NONE)


def test_orders_of_one_side_and_those_that_wait_do_not_meet():
    """A purchase that rests and a stop that has not triggered are nobody's counterparty."""
    acts = {
        0: lambda s: (s.buy(1, limit=100), s.sell(1, stop=90)),
        1: lambda s: s.buy(1, self_trade=SelfTrade.EXPIRE_BOTH),
    }
    engine = play([CALM] * 4, acts)
    assert fates(engine)[3] == (FILLED, Reason.NONE)
    assert Event.FILL not in engine.events["event"][engine.events["order"] == 2]


# -- targets beyond the market, and funding before an arrival ------------------------------------------------


def test_a_target_that_the_market_is_beyond_is_executed_at_once():
    """Bought by a stop at 105, with a target of 103: the market is at 105, so 105 is what it is sold for, as taker."""
    bars = [CALM, (100, 106, 99, 105), CALM]
    engine = play(bars, {0: lambda s: s.buy(1, stop=105, take_profit=103)})
    assert done(engine) == [Done(1, "trade", 1, 105.0, 1000), Done(1, "trade", -1, 105.0, 1000)]


@pytest.mark.parametrize(("limit_fill", "row"), [("touch", 1), ("through", 2)])
def test_a_target_at_the_very_price_of_the_entry_needs_what_any_limit_needs(limit_fill, row):
    """Bought at 105, to be sold at 105: at once if a touch is enough, else at the next open of 106."""
    bars = [CALM, (100, 106, 99, 105), flat(106), flat(106)]
    engine = play(bars, {0: lambda s: s.buy(1, stop=105, take_profit=105)}, costs=free(limit_fill=limit_fill))
    assert done(engine)[1][:4] == (row, "trade", -1, 105.0 if row == 1 else 106.0)


def test_a_take_profit_that_the_market_is_beyond_is_triggered_at_once():
    """The same with a child that waits for 103 to sell at market."""

    def enter(s):
        parent = s.buy(1, stop=105)
        submit(s, side=Side.SELL, type=OrderType.TAKE_PROFIT, price=103.0, reduce_only=True, parent=parent)

    engine = play([CALM, (100, 106, 99, 105), CALM], {0: enter})
    assert done(engine)[1] == Done(1, "trade", -1, 105.0, 1000)


def test_a_stop_comes_before_a_target_that_is_met_at_once():
    """Both are beyond the market of 105: the stop at 106 is the worse, and it is first."""
    act = lambda s: bracketed(s, s.buy(1, stop=105), -1, stop=106, target=103)  # noqa: E731  # the gate denies such a stop
    engine = play([CALM, (100, 107, 99, 105), CALM], {0: act})
    assert [(fill.side, fill.price) for fill in done(engine)] == [(1, 105.0), (-1, 105.0)]
    assert fates(engine)[2] == (FILLED, Reason.NONE)


def test_funding_that_fell_due_before_an_order_arrived_is_not_its_own():
    """A bar of a minute, funding after 20 s and after 40 s: an order that arrives after 30 s pays the second only."""
    dues = [(MINUTE + 20_000_000, 0.01, 100.0), (MINUTE + 40_000_000, 0.01, 100.0)]
    engine = play([CALM] * 3, {0: lambda s: s.buy(1)}, latency=OrderLatency(entry_ms=30_000), funding={"BTCUSDT": dues})
    assert [(fill.kind, int(row["ts"])) for fill, row in zip(done(engine), engine.fills, strict=True)] == [
        ("trade", MINUTE + 30_000_000), ("funding", MINUTE + 40_000_000),
    ]  # fmt: skip
