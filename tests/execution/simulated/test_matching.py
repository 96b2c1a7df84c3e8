"""The venue's rules on bars, each worked out by hand: one BTC is 1 000 lots, prices are on a grid of 0.1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import MINUTE, Done, bracketed, columns, done, fates, final_cash, flat, free, perpetual, play, spot
from truewind.domain.order import Reason, Status
from truewind.domain.position import Position
from truewind.execution.simulated.latency import OrderLatency
from truewind.portfolio.margin import MarginSettings

FILLED, EXPIRED, CANCELLED, REJECTED = Status.FILLED, Status.EXPIRED, Status.CANCELLED, Status.REJECTED
TAKER = free(taker_fee=0.001, maker_fee=0.0005)


# -- market orders ---------------------------------------------------------------------------------------------------


def test_a_market_order_fills_at_the_open_of_the_next_bar():
    """Sent at the close of bar 0 (100), it gets bar 1's open (103), not what was seen."""
    engine = play([flat(100), (103, 110, 90, 108), flat(108)], {0: lambda s: s.buy(1)})
    assert done(engine) == [Done(1, "trade", 1, 103.0, 1000)]
    assert engine.fills[0]["ts"] == MINUTE


@pytest.mark.parametrize(("side", "price"), [("buy", 100.1), ("sell", 99.9)])
def test_half_the_spread_is_paid_and_rounded_up_to_a_tick(side, price):
    """5 bps of 100 is 0.05: a buyer pays 100.1, a seller gets 99.9, and 0.1 a BTC is the slippage."""
    engine = play([flat(100)] * 3, {0: lambda s: getattr(s, side)(1)}, costs=free(half_spread_bps=5))
    assert [fill.price for fill in done(engine)] == [price]
    assert engine.fills[0]["slippage"] == 10**7


def test_an_open_between_two_ticks_is_rounded_against_the_order():
    """100.04 on a grid of 0.1: 100.1 bought, 100.0 sold."""
    bars = [flat(100.04)] * 4
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1)})
    assert [fill.price for fill in done(engine)] == [100.1, 100.0]


def test_the_last_bar_answers_no_order():
    """An order sent at the end has no bar left: it expires."""
    engine = play([flat(100)] * 2, {1: lambda s: s.buy(1)})
    assert done(engine) == []
    assert fates(engine) == {1: (EXPIRED, Reason.END_OF_DATA)}


@pytest.mark.parametrize(
    ("entry_ms", "row"), [(0, 1), (8, 1), (59_999.999, 1), (60_000, 2), (60_001, 2), (119_999.999, 2), (120_000, 3)]
)
def test_latency_longer_than_a_bar_delays_by_whole_bars(entry_ms, row):
    """The order must arrive before a bar closes to be matched in it, at that bar's open."""
    bars = [flat(100), flat(101), flat(102), flat(103), flat(104)]
    engine = play(bars, {0: lambda s: s.buy(1)}, latency=OrderLatency(entry_ms=entry_ms))
    assert done(engine) == [Done(row, "trade", 1, 100.0 + row, 1000)]
    assert engine.fills[0]["ts"] == max(row * MINUTE, MINUTE + round(entry_ms * 1000))


def test_a_missing_bar_delays_the_fill():
    """After an hour without bars the order gets the first price that there is."""
    bars = columns([flat(100), flat(150), flat(150)])
    bars["ts"] = np.array([0, 60 * MINUTE, 61 * MINUTE])
    engine = play({"BTCUSDT": bars}, {0: lambda s: s.buy(1)})
    assert done(engine) == [Done(1, "trade", 1, 150.0, 1000)]
    assert engine.fills[0]["ts"] == 60 * MINUTE


def test_a_bar_that_was_open_already_is_too_late():
    """An hourly symbol is not traded at the open of the hour by what the minutes of that hour showed."""
    minutes = columns([flat(100)] * 180)
    hours = columns([flat(50), flat(60), flat(70)], step=60 * MINUTE)
    rows = {90: lambda s: s.buy(1, symbol="SLOW")}
    engine = play(
        {"FAST": minutes, "SLOW": hours},
        rows,
        instruments=[perpetual("FAST"), perpetual("SLOW")],
        steps={"FAST": MINUTE, "SLOW": 60 * MINUTE},
    )
    (fill,) = done(engine, "SLOW")
    assert fill.price == 70.0
    assert engine.fills[0]["ts"] == 120 * MINUTE


@pytest.mark.parametrize(("side", "price", "paid"), [("buy", 110.1, 110.2), ("sell", 90.0, 89.9)])
def test_the_worst_of_the_bar_can_be_asked_for(side, price, paid):
    """market_fill: worst buys at the high of 110.04, so at 110.1, and sells at the low of 90.06, so at 90.0.

    Half the spread of 5 bps, up to 0.1, comes on top; what has a limit is not concerned: it takes the open of 103.
    """
    bars = [flat(100), (103, 110.04, 90.06, 108), flat(108)]
    worst = free(market_fill="worst")
    engine = play(bars, {0: lambda s: getattr(s, side)(1)}, costs=worst)
    assert [fill.price for fill in done(engine)] == [price]
    engine = play(bars, {0: lambda s: getattr(s, side)(1)}, costs=free(market_fill="worst", half_spread_bps=5))
    assert [fill.price for fill in done(engine)] == [paid]
    limit = 105 if side == "buy" else 95
    engine = play(bars, {0: lambda s: getattr(s, side)(1, limit=limit)}, costs=worst)
    assert [fill.price for fill in done(engine)] == [103.0]


# -- limit orders ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "how", "fills"),
    [(95.1, "through", 0), (95.0, "through", 0), (94.9, "through", 1), (95.1, "touch", 0), (95.0, "touch", 1)],
)
def test_a_resting_limit_fills_at_its_price_when_traded_through(low, how, fills):
    """Reaching it is not enough, unless costs.limit_fill says "touch"; it fills as maker, without slippage."""
    engine = play(
        [flat(100), (100, 101, low, 100), flat(100)],
        {0: lambda s: s.buy(1, limit=95)},
        costs=free(limit_fill=how, half_spread_bps=50),
    )
    assert done(engine) == [Done(1, "trade", 1, 95.0, 1000, True)][:fills]
    assert engine.fills["ts"].tolist() == [2 * MINUTE][:fills]  # when in the bar it was is not known: by its end


@pytest.mark.parametrize(
    ("high", "how", "fills"),
    [(104.9, "through", 0), (105.0, "through", 0), (105.1, "through", 1), (104.9, "touch", 0), (105.0, "touch", 1)],
)
def test_a_sale_limit_is_the_mirror(high, how, fills):
    """High 105.1 trades through a sale at 105, 105.0 touches it."""
    bars = [flat(100), (100, high, 99, 100), flat(100)]
    engine = play(bars, {0: lambda s: s.sell(1, limit=105)}, costs=free(limit_fill=how))
    assert done(engine) == [Done(1, "trade", -1, 105.0, 1000, True)][:fills]


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(("how", "fills"), [("through", 0), ("touch", 1)])
def test_an_open_at_the_limit_touches_it(side, how, fills):
    """It rests since bar 1; bar 2 opens at its price and goes no further: filled there if touching is enough."""
    away = 101 if side == "buy" else 99
    bars = [flat(away), flat(away), (100, max(100, away), min(100, away), 100), flat(away)]
    engine = play(bars, {0: lambda s: getattr(s, side)(1, limit=100)}, costs=free(limit_fill=how))
    assert done(engine) == [Done(2, "trade", 1 if side == "buy" else -1, 100.0, 1000, True)][:fills]
    assert (engine.fills["ts"].tolist(), engine.fills["maker"].tolist()) == ([2 * MINUTE][:fills], [1][:fills])


def test_a_limit_that_is_marketable_on_arrival_takes_the_open():
    """Buy limit 105 meets an open of 100: filled there as taker with half the spread."""
    engine = play([flat(100)] * 3, {0: lambda s: s.buy(1, limit=105)}, costs=free(half_spread_bps=100, taker_fee=0.001))
    assert done(engine) == [Done(1, "trade", 1, 101.0, 1000)]
    assert engine.fills[0]["fee"] == 101 * 10**5


def test_slippage_never_takes_a_limit_beyond_its_price():
    """Limit 100.3, open 100, half spread 1: it pays 100.3, no more."""
    engine = play([flat(100)] * 3, {0: lambda s: s.buy(1, limit=100.3)}, costs=free(half_spread_bps=100))
    assert done(engine) == [Done(1, "trade", 1, 100.3, 1000)]


def test_a_target_that_the_market_is_beyond_is_sold_there_but_not_below_its_limit():
    """Half a spread of 2 %: bought at 107.1 at an open of 105. The target of 104 would get 102.9; it takes no less."""
    engine = play(
        [flat(100), flat(105), flat(105)], {0: lambda s: bracketed(s, s.buy(1), -1, stop=50, target=104)},
        costs=free(half_spread_bps=200),
    )  # fmt: skip
    assert done(engine) == [Done(1, "trade", 1, 107.1, 1000), Done(1, "trade", -1, 104.0, 1000)]


def test_of_two_limits_a_tick_apart_the_nearer_one_is_first():
    """95.1 before 95.0, though that is older."""
    engine = play(
        [flat(100), (100, 100, 94, 100), flat(100)], {0: lambda s: (s.buy(1, limit=95), s.buy(2, limit=95.1))}
    )
    assert [(fill.price, fill.lots) for fill in done(engine)] == [(95.1, 2000), (95.0, 1000)]


@pytest.mark.parametrize("bar", [flat(0.1), (1.0, 1.0, 0.1, 1.0)])
def test_a_stop_may_wait_at_the_very_first_tick(bar):
    """Bought at 1, sold at 0.1: at the open, or where the bar comes to it."""
    engine = play([flat(1), flat(1), bar, flat(1)], {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, stop=0.1)})
    assert done(engine)[1] == Done(2, "trade", -1, 0.1, 1000)


def test_a_resting_limit_that_is_gapped_through_fills_at_the_open():
    """It rests at 95 in bar 1; bar 2 opens at 90: bought at 90, still as maker."""
    engine = play([flat(100), flat(100), (90, 92, 89, 91), flat(91)], {0: lambda s: s.buy(1, limit=95)}, costs=TAKER)
    assert done(engine) == [Done(2, "trade", 1, 90.0, 1000, True)]
    assert engine.fills[0]["fee"] == 90 * 5 * 10**4


def test_a_limit_between_two_ticks_never_gives_more_than_was_asked():
    """Buying at 95.07 is buying at 95.0, selling at 104.93 is selling at 105.0."""
    engine = play(
        [flat(100), (100, 110, 90, 100), flat(100)],
        {0: lambda s: (s.buy(1, limit=95.07), s.sell(1, limit=104.93))},
    )
    assert sorted(fill.price for fill in done(engine)) == [95.0]
    assert engine.events["price"].tolist()[:2] == [950, 1050]


# -- stop orders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("high", "fills"), [(104.9, 0), (105.0, 1), (105.1, 1)])
def test_a_stop_triggers_when_reached(high, fills):
    """Touching the trigger is enough; it fills there as taker, with half the spread."""
    engine = play(
        [flat(100), (100, high, 99, 100), flat(100)],
        {0: lambda s: s.buy(1, stop=105)},
        costs=free(half_spread_bps=100),
    )
    assert done(engine) == [Done(1, "trade", 1, 106.1, 1000)][:fills]


def test_a_stop_that_is_gapped_over_fills_at_the_open():
    """Stop 105, open 108: it costs 108."""
    engine = play([flat(100), flat(100), (108, 109, 104, 104), flat(104)], {0: lambda s: s.buy(1, stop=105)})
    assert done(engine) == [Done(2, "trade", 1, 108.0, 1000)]


def test_a_stop_between_two_ticks_triggers_later():
    """A sale stop at 95.07 waits for 95.0."""
    bars = [flat(100), flat(100), (100, 100, 95.05, 100), (100, 100, 95.0, 100), flat(100)]
    engine = play(bars, {0: lambda s: s.buy(1, stop_loss=95.07)})
    assert [(fill.row, fill.price) for fill in done(engine)] == [(1, 100.0), (3, 95.0)]


def test_stops_nearest_to_the_open_trigger_first():
    """Buy stops at 103 and 102, sale stops at 99 and 97, open 100: 99, 102, 103 and 97 by their distance."""
    engine = play(
        [flat(100), (100, 104, 96, 100), flat(100)],
        {0: lambda s: (s.buy(1, stop=103), s.sell(1, stop=97), s.sell(1, stop=99), s.buy(1, stop=102))},
    )
    assert [fill.price for fill in done(engine)] == [99.0, 102.0, 103.0, 97.0]


@pytest.mark.parametrize("tick", ["0.1", "0.001"])
def test_of_two_stops_at_one_distance_the_older_is_first(tick):
    """The grid of prices does not matter: 0.107 and 0.101 are as far from 0.104 as 107 and 101 from 104."""
    unit = float(tick)
    opened, low, high = (round(n * unit, 6) for n in (104, 101, 107))
    bars = [flat(opened), (opened, high, low, opened), flat(opened)]
    for first, second in (("buy", "sell"), ("sell", "buy")):
        stops = {"buy": high, "sell": low}
        engine = play(
            bars,
            {0: lambda s, a=first, b=second, at=stops: (getattr(s, a)(1, stop=at[a]), getattr(s, b)(1, stop=at[b]))},
            instruments=[perpetual(tick=tick)],
        )
        assert [fill.side for fill in done(engine)] == ([1, -1] if first == "buy" else [-1, 1])


# -- stops and targets of one position -------------------------------------------------------------------------------


def test_a_fill_at_the_open_may_be_stopped_in_that_bar():
    """Bought at 100, low 94: out at 95 in the same bar."""
    engine = play([flat(100), (100, 103, 94, 102), flat(102)], {0: lambda s: s.buy(1, stop_loss=95)})
    assert done(engine) == [Done(1, "trade", 1, 100.0, 1000), Done(1, "trade", -1, 95.0, 1000)]
    assert final_cash(engine) == 1_000_000 - 5


def test_a_fill_at_the_open_may_reach_its_target_in_that_bar():
    """Bought at 100, high 106, low 99: out at 105, as maker."""
    engine = play([flat(100), (100, 106, 99, 102), flat(102)], {0: lambda s: s.buy(1, stop_loss=95, take_profit=105)})
    assert done(engine) == [Done(1, "trade", 1, 100.0, 1000), Done(1, "trade", -1, 105.0, 1000, True)]
    assert fates(engine)[2] == (EXPIRED, Reason.NOTHING_TO_REDUCE)


@pytest.mark.parametrize("side", [1, -1])
def test_when_stop_and_target_lie_in_one_bar_the_stop_is_assumed(side):
    """Even where the target is nearer to the open."""
    enter = (lambda s: s.buy(1, stop_loss=90, take_profit=101)) if side > 0 else (
        lambda s: s.sell(1, stop_loss=110, take_profit=99)
    )  # fmt: skip
    engine = play([flat(100), (100, 111, 89, 100), flat(100)], {0: enter})
    assert done(engine) == [Done(1, "trade", side, 100.0, 1000), Done(1, "trade", -side, 100.0 - 10 * side, 1000)]


def test_after_a_fill_inside_the_bar_no_target_fills_in_it():
    """Bought at 95 inside bar 1, whose high of 110 may have come before: the target 105 waits for bar 2."""
    bars = [flat(100), (100, 110, 94, 96), (96, 106, 96, 100), flat(100)]
    engine = play(bars, {0: lambda s: s.buy(1, limit=95, take_profit=105)})
    assert done(engine) == [Done(1, "trade", 1, 95.0, 1000, True), Done(2, "trade", -1, 105.0, 1000, True)]


def test_after_a_fill_inside_the_bar_its_stop_may_still_be_hit():
    """Bought by a stop at 105, and the low of 94 counts as later: out at 95."""
    engine = play([flat(100), (100, 106, 94, 100), flat(100)], {0: lambda s: s.buy(1, stop=105, stop_loss=95)})
    assert [(fill.row, fill.price) for fill in done(engine)] == [(1, 105.0), (1, 95.0)]


def test_a_resting_sale_does_not_take_profit_from_a_position_opened_inside_the_bar():
    """Not only brackets: any limit on the other side waits."""
    bars = [flat(100), (100, 110, 94, 96), flat(96)]
    engine = play(bars, {0: lambda s: (s.buy(1, limit=95), s.sell(1, limit=105))})
    assert done(engine) == [Done(1, "trade", 1, 95.0, 1000, True)]


def test_a_grid_of_entries_fills_level_by_level():
    """Low 94 takes 98 and 95 in the order in which the price falls."""
    engine = play([flat(100), (100, 100, 94, 96), flat(96)], {0: lambda s: (s.buy(1, limit=95), s.buy(1, limit=98))})
    assert [fill.price for fill in done(engine)] == [98.0, 95.0]


@pytest.mark.parametrize(
    ("act", "prices"),
    [
        (lambda s: bracketed(s, s.buy(1, limit=95), -1, stop=98), [95.0, 95.0]),
        (lambda s: bracketed(s, s.sell(1, limit=105), 1, stop=102), [105.0, 105.0]),
        (lambda s: bracketed(s, s.buy(1, stop=105), -1, stop=107), [105.0, 105.0]),
        (lambda s: bracketed(s, s.buy(1), -1, stop=103), [100.0, 100.0]),
    ],
)
def test_a_stop_beyond_its_parents_fill_gains_nothing(act, prices):
    """Its trigger was passed when it began to work: it executes where the parent did, not at a better price."""
    engine = play([flat(100), (100, 108, 92, 100), flat(100)], {0: act})
    assert [fill.price for fill in done(engine)] == prices
    assert final_cash(engine) == 1_000_000


def test_a_gap_over_the_stop_fills_at_the_open():
    """Stop 95, open 80: sold at 80."""
    engine = play([flat(100), flat(100), (80, 99, 79, 90), flat(90)], {0: lambda s: s.buy(1, stop_loss=95)})
    assert done(engine)[1] == Done(2, "trade", -1, 80.0, 1000)


# -- the lives of orders ---------------------------------------------------------------------------------------------


def test_children_wait_for_their_parent():
    """Bars through stop and target do nothing while the entry rests; withdrawn, it takes them along."""
    bars = [flat(100), (100, 130, 96, 100), (100, 130, 96, 100), flat(100)]
    engine = play(
        bars,
        {0: lambda s: bracketed(s, s.buy(1, limit=95), -1, stop=99, target=120), 2: lambda s: s.cancel(s.ids[0])},
    )
    assert done(engine) == []
    ended = (CANCELLED, Reason.PARENT_ENDED)
    assert fates(engine) == {1: (CANCELLED, Reason.BY_STRATEGY), 2: ended, 3: ended}


def test_children_of_a_rejected_parent_are_cancelled():
    """Spot has no shorts: the sale is refused by the venue, and its exits go with it."""
    engine = play([flat(100)] * 4, {0: lambda s: s.sell(1, stop_loss=110)}, instruments=[spot()])
    assert fates(engine) == {1: (REJECTED, Reason.NO_SHORT), 2: (CANCELLED, Reason.PARENT_ENDED)}


def test_a_reduce_only_order_never_opens():
    """With nothing held it ends; nothing is traded."""
    engine = play([flat(100)] * 4, {0: lambda s: s.sell(1, reduce_only=True)})
    assert done(engine) == []
    assert fates(engine) == {1: (EXPIRED, Reason.NOTHING_TO_REDUCE)}


def test_a_reduce_only_order_never_flips():
    """3 held, 5 to be reduced: 3 are sold, 2 expire."""
    engine = play([flat(100)] * 5, {0: lambda s: s.buy(3), 2: lambda s: s.sell(5, reduce_only=True)})
    assert [fill.lots for fill in done(engine)] == [3000, 3000]
    assert fates(engine)[2] == (EXPIRED, Reason.NOTHING_TO_REDUCE)
    assert engine.events[-1]["lots"] == 2000


def test_a_reduce_only_order_on_the_wrong_side_ends():
    """Buying to reduce a long reduces nothing."""
    engine = play([flat(100)] * 5, {0: lambda s: s.buy(1), 2: lambda s: s.buy(1, reduce_only=True)})
    assert len(done(engine)) == 1
    assert fates(engine)[2] == (EXPIRED, Reason.NOTHING_TO_REDUCE)


def test_exits_end_with_the_position():
    """Closed at market, the stop and the target expire in that bar."""
    engine = play([flat(100)] * 6, {0: lambda s: s.buy(1, stop_loss=90, take_profit=120), 2: lambda s: s.close()})
    assert [fill.row for fill in done(engine)] == [1, 3]
    assert fates(engine)[2] == fates(engine)[3] == (EXPIRED, Reason.NOTHING_TO_REDUCE)
    assert {int(e["row"]) for e in engine.events if e["status"] == EXPIRED} == {3}


def test_exits_shrink_to_what_the_risk_of_their_parent_filled():
    """A target larger than the position sells the position."""
    engine = play(
        [flat(100), flat(100), (100, 121, 100, 120), flat(120)],
        {0: lambda s: (s.buy(1, take_profit=120), s.desk.submit("BTCUSDT", -1, 0.4))},
    )
    assert [fill.lots for fill in done(engine)] == [1000, 400, 600]


def test_a_cancel_comes_before_the_next_bar():
    """An order that the next bar would fill is gone; a second cancel finds nothing."""
    found = []
    engine = play(
        [flat(100), flat(100), (100, 100, 90, 90), flat(90)],
        {0: lambda s: s.buy(1, limit=95), 1: lambda s: found.extend([s.cancel(s.ids[0]), s.cancel(s.ids[0])])},
    )
    assert found == [True, False]
    assert done(engine) == []


def test_an_unaffordable_order_is_rejected():
    """10 BTC at 100 need 100 at leverage 10; there are 99."""
    bars = [flat(100)] * 4
    for cash, fills in ((100, 1), (99, 0)):
        engine = play(bars, {0: lambda s: s.buy(10)}, cash=cash, leverage=10, gate_leverage=1000)
        assert len(done(engine)) == fills
    assert fates(engine) == {1: (REJECTED, Reason.INSUFFICIENT_BALANCE)}


def test_margin_is_reckoned_at_the_open_where_the_order_executes():
    """Long 10 bought at 100 with 100 USDT; the bar opens at 95: equity 50 carries 5 BTC at 95, not 10 and one more."""
    bars = [flat(100), flat(100), flat(95), flat(95)]
    engine = play(bars, {0: lambda s: s.buy(10), 1: lambda s: s.buy(1)}, cash=105, leverage=10, gate_leverage=1000)
    assert len(done(engine)) == 1
    assert fates(engine)[2] == (REJECTED, Reason.INSUFFICIENT_BALANCE)


def test_spot_is_never_sold_short_not_even_in_part():
    """1 owned, 2 for sale: the venue refuses the order whole."""
    engine = play([flat(100)] * 5, {0: lambda s: s.buy(1), 2: lambda s: s.sell(2)}, instruments=[spot()])
    assert len(done(engine)) == 1
    assert fates(engine)[2] == (REJECTED, Reason.NO_SHORT)


# -- funding ---------------------------------------------------------------------------------------------------------


def test_the_holder_at_the_funding_time_pays_on_the_mark():
    """Bought in bar 1; due at the open of bar 3, 0.01 % of 1 × 200 (mark): 0.02."""
    engine = play([flat(100)] * 5, {0: lambda s: s.buy(1)}, funding={"BTCUSDT": [(3 * MINUTE, 0.0001, 200.0)]})
    assert done(engine)[1] == Done(3, "funding", 1, 200.0, 0)
    assert engine.fills[1]["ts"] == 3 * MINUTE
    assert final_cash(engine) == 1_000_000 - 0.02


def test_without_a_mark_the_open_stands_in():
    """0.01 % of 1 × 110."""
    engine = play(
        [flat(100), flat(100), flat(110), flat(110)], {0: lambda s: s.sell(1)},
        funding={"BTCUSDT": [(2 * MINUTE, 0.0001, 0.0)]},
    )  # fmt: skip
    assert final_cash(engine) == 1_000_000 + 0.011


def test_who_opens_at_the_funding_time_does_not_pay_and_who_closes_does():
    """Funding precedes fills at equal times."""
    dues = {"BTCUSDT": [(MINUTE, 0.01, 0.0), (3 * MINUTE, 0.01, 0.0)]}
    engine = play([flat(100)] * 5, {0: lambda s: s.buy(1), 2: lambda s: s.close()}, funding=dues)
    assert [(fill.row, fill.kind) for fill in done(engine)] == [(1, "trade"), (3, "funding"), (3, "trade")]


def test_inside_a_bar_funding_falls_on_what_is_held_after_the_open():
    """Due half way through bar 1: who bought at its open pays; who was stopped inside it paid as well."""
    dues = {"BTCUSDT": [(MINUTE + MINUTE // 2, 0.01, 0.0)]}
    engine = play([flat(100), (100, 100, 90, 95), flat(95)], {0: lambda s: s.buy(1, stop_loss=95)}, funding=dues)
    assert [fill.kind for fill in done(engine)] == ["trade", "funding", "trade"]


def test_funding_in_a_gap_between_bars_is_paid_at_the_next_bar():
    """Two settlements in an hour without bars: both are paid."""
    bars = columns([flat(100)] * 4)
    bars["ts"] = np.array([0, MINUTE, 61 * MINUTE, 62 * MINUTE])
    dues = {"BTCUSDT": [(10 * MINUTE, 0.01, 0.0), (20 * MINUTE, 0.01, 0.0)]}
    engine = play({"BTCUSDT": bars}, {0: lambda s: s.buy(1)}, funding=dues)
    assert [fill.kind for fill in done(engine)] == ["trade", "funding", "funding"]
    assert final_cash(engine) == 1_000_000 - 2


def test_who_holds_nothing_neither_pays_nor_receives():
    """Settlements before the entry are passed over, not saved up."""
    dues = {"BTCUSDT": [(i * MINUTE, 0.01, 0.0) for i in range(6)]}
    engine = play([flat(100)] * 6, {3: lambda s: s.buy(1)}, funding=dues)
    assert [(fill.row, fill.kind) for fill in done(engine)] == [(4, "trade"), (5, "funding")]


# -- liquidation -----------------------------------------------------------------------------------------------------


def liquidated(bars, act, **how):
    settings = {"cash": 100.0, "leverage": 20.0, "gate_leverage": 1e6} | how
    return play(bars, {0: act}, **settings)


def test_a_long_is_liquidated_where_equity_meets_the_maintenance_margin():
    """10 BTC at 100 with 100 USDT: 100 + 10(x − 100) = 0.05x at x = 900/9.95 = 90.452…, so at 90.4."""
    engine = liquidated([flat(100), (100, 100, 90.5, 95), (95, 95, 90.4, 92), flat(92)], lambda s: s.buy(10))
    assert done(engine) == [Done(1, "trade", 1, 100.0, 10_000), Done(2, "liquidation", -1, 90.4, 10_000)]
    assert final_cash(engine) == pytest.approx(100 - 96)


def test_a_short_is_liquidated_above():
    """100 − 10(x − 100) = 0.05x at x = 1100/10.05 = 109.452…, so at 109.5."""
    engine = liquidated([flat(100), (100, 109.4, 100, 100), (100, 109.5, 100, 100), flat(100)], lambda s: s.sell(10))
    assert done(engine)[1] == Done(2, "liquidation", 1, 109.5, 10_000)


def test_a_gap_beyond_the_margin_is_liquidated_at_the_open_with_its_fee():
    """Open 91, sold there: 100 − 90 of margin are left, and of the fee, 1.25 % of 910, no more than these 10."""
    bars = [flat(100), flat(100), (91, 91, 90, 91), flat(91)]
    engine = liquidated(bars, lambda s: s.buy(10), margin=MarginSettings(partial=False, maintenance_rate=0.015))
    assert done(engine)[1:] == [Done(2, "liquidation", -1, 91.0, 10_000)]
    assert final_cash(engine) == 0.0
    assert engine.fills["fee"].tolist() == [0, 10 * 10**8]


def test_a_loss_beyond_the_margin_is_the_insurance_funds():
    """Open 80: sold there, 200 lost of 100. The fund pays the rest, and there is nothing to take the fee from."""
    engine = liquidated([flat(100), flat(100), flat(80), flat(80)], lambda s: s.buy(10))
    assert done(engine)[1:] == [Done(2, "liquidation", -1, 80.0, 10_000), Done(2, "insurance", -1, 80.0, 0)]
    assert engine.fills["realised"].tolist() == [0, -200 * 10**8, 100 * 10**8]
    assert final_cash(engine) == 0.0


def test_a_stop_nearer_to_the_open_saves_what_is_left():
    """Stop 92 goes before the liquidation at 90.4; a stop at 90 comes too late."""
    bars = [flat(100), (100, 100, 85, 90), flat(90)]
    assert done(liquidated(bars, lambda s: s.buy(10, stop_loss=92)))[1] == Done(1, "trade", -1, 92.0, 10_000)
    assert done(liquidated(bars, lambda s: s.buy(10, stop_loss=90)))[1].kind == "liquidation"


def test_spot_is_not_liquidated():
    """Owned outright at leverage 1, it may fall to almost nothing."""
    engine = liquidated([flat(100), flat(100), flat(1), flat(1)], lambda s: s.buy(1), instruments=[spot()])
    assert [fill.kind for fill in done(engine)] == ["trade"]
    assert engine.equity[-1] == 1.0


def test_losses_elsewhere_take_a_position_whose_own_price_stands_still():
    """AAA falls from 100 to 1; BBB, short and unmoved, is taken on its own next bar although no price could save it."""
    bars = {"AAA": [flat(100)] * 3 + [flat(1)] * 2, "BBB": [flat(100)] * 5}
    engine = play(
        bars, {1: lambda s: (s.buy(90, symbol="AAA"), s.sell(5, symbol="BBB"))}, cash=1000.0, gate_leverage=1e6,
        instruments=[perpetual("AAA"), perpetual("BBB")],
    )  # fmt: skip
    taken = [(6, "liquidation"), (7, "liquidation"), (7, "insurance")]
    assert [(fill.row, fill.kind) for fill in done(engine)][2:] == taken


def test_losses_of_spot_endanger_a_perpetual_beside_it():
    """COIN, owned, falls by half: the short of 10 PERP has 50 of equity left and 5.025 of maintenance at 100.5 …

    equity(x) = 50 − 10(x − 100), maintenance 0.05x: reached at x = 1050/10.05 = 104.477…, so at 104.5.
    """
    bars = {
        "COIN": [flat(100), flat(100), flat(50), flat(50), flat(50)],
        "PERP": [flat(100), flat(100), flat(100), (100, 104.5, 100, 100), flat(100)],
    }
    engine = play(
        bars, {1: lambda s: (s.buy(1, symbol="COIN"), s.sell(10, symbol="PERP"))}, cash=100.0, gate_leverage=1e6,
        instruments=[spot("COIN"), perpetual("PERP")],
    )  # fmt: skip
    assert done(engine, "PERP")[1] == Done(7, "liquidation", 1, 104.5, 10_000)


def test_liquidation_ends_the_exits():
    """All orders are withdrawn before the position is taken away."""
    engine = liquidated([flat(100), (100, 100, 80, 90), flat(90)], lambda s: s.buy(10, stop_loss=70, take_profit=130))
    assert fates(engine)[2] == fates(engine)[3] == (CANCELLED, Reason.LIQUIDATION)


@pytest.mark.parametrize(
    ("cash", "fate"), [(200.0, (FILLED, Reason.NONE)), (199.9, (REJECTED, Reason.INSUFFICIENT_BALANCE))]
)
def test_what_is_held_of_another_symbol_has_taken_its_part_of_the_money(cash, fate):
    """Without leverage 1 AAA at 100 holds 100 of the account: 1 BBB at 100 needs 200 in all."""
    acts = {1: lambda s: s.buy(1, symbol="AAA"), 3: lambda s: s.buy(1, symbol="BBB")}
    both = [perpetual("AAA"), perpetual("BBB")]
    bars = {"AAA": [flat(100)] * 4, "BBB": [flat(100)] * 4}
    engine = play(bars, acts, cash=cash, leverage=1.0, gate_leverage=1e6, instruments=both)
    assert fates(engine) == {1: (FILLED, Reason.NONE), 2: fate}


# -- what must hold whatever happens ---------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
def test_two_symbols_that_share_nothing_but_the_account_do_not_depend_on_their_order(seed):
    """With money enough, each symbol's fills are the same whichever is named first."""
    random = np.random.default_rng(seed)
    close = {name: 100 + np.cumsum(random.integers(-3, 4, 12)) for name in ("AAA", "BBB")}
    bars = {name: [(c, c + 2.0, c - 2.0, float(c)) for c in path] for name, path in close.items()}
    plan = [(int(row), name, int(random.integers(1, 4)), int(random.integers(-4, 5))) for name in bars for row in
            random.integers(1, 10, 3)]  # fmt: skip

    def result(names):
        acts = {}
        for minute, name, lots, off in plan:
            price = float(bars[name][minute][3] + off)
            row = 2 * minute + 1
            before = acts.get(row, lambda s: None)

            def act(s, before=before, name=name, lots=lots, price=price):
                before(s)
                s.buy(lots, symbol=name, limit=price, stop_loss=price - 2, take_profit=price + 2)

            acts[row] = act
        engine = play({n: bars[n] for n in names}, acts, instruments=[perpetual(n) for n in names])
        found = {n: [fill._replace(row=fill.row // 2) for fill in done(engine, n)] for n in bars}
        return found, engine.equity[-1]

    assert result(["AAA", "BBB"]) == result(["BBB", "AAA"])


def test_nothing_held_says_so():
    """The position of a strategy that never traded."""
    seen = []
    play([flat(100)] * 2, {1: lambda s: seen.append(s.position())})
    assert isinstance(seen[0], Position)
    assert seen[0][:2] == (0, 0.0)
