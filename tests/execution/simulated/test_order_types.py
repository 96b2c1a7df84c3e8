"""Order types beyond market, limit and stop, each case worked out by hand: 1 BTC is 1 000 lots, a tick is 0.1."""

import pytest

from scripted import MINUTE, Done, done, fates, flat, free, play
from truewind.domain.order import Reason, Status, TimeInForce
from truewind.errors import StrategyError
from truewind.risk.gate import RiskSettings

FILLED, EXPIRED, CANCELLED, REJECTED = Status.FILLED, Status.EXPIRED, Status.CANCELLED, Status.REJECTED


# -- stop-limit ------------------------------------------------------------------------------------------------------


def test_a_stop_limit_buys_at_its_trigger_if_its_limit_allows_it():
    """Trigger 105, limit 106, price comes from 100: bought at 105."""
    engine = play([flat(100), (100, 107, 99, 104), flat(104)], {0: lambda s: s.buy(1, stop=105, limit=106)})
    assert done(engine) == [Done(1, "trade", 1, 105.0, 1000)]


def test_a_stop_limit_gapped_beyond_its_limit_waits_there():
    """The open of 108 triggers it, its limit of 106 does not fill until the price trades below."""
    bars = [flat(100), (108, 109, 105, 107), (107, 107, 105, 106), flat(106)]
    engine = play(bars, {0: lambda s: s.buy(1, stop=105, limit=106)})
    assert [(fill.row, fill.price, fill.maker) for fill in done(engine)] == [(1, 106.0, True)]


def test_a_stop_limit_below_its_trigger_does_not_fill_in_the_bar_that_triggers_it():
    """Trigger 105, limit 103: whether the low of 101 came before or after the high of 106 is not known."""
    bars = [flat(104), (104, 106, 101, 105), (105, 105, 102, 104), flat(104)]
    engine = play(bars, {0: lambda s: s.buy(1, stop=105, limit=103)})
    assert done(engine) == [Done(2, "trade", 1, 103.0, 1000, maker=True)]
    assert fates(engine) == {1: (FILLED, Reason.NONE)}


def test_slippage_takes_a_stop_limit_no_further_than_its_limit():
    """100 bps of 105 is 1.05, but the limit of 105.5 caps it."""
    bars = [flat(100), (100, 107, 99, 104), flat(104)]
    engine = play(bars, {0: lambda s: s.buy(1, stop=105, limit=105.5)}, costs=free(half_spread_bps=100))
    assert [fill.price for fill in done(engine)] == [105.5]


# -- take-profit -----------------------------------------------------------------------------------------------------


def test_a_take_profit_sells_when_the_price_has_risen():
    """Bought at 100, touched at 110: out at 110, as taker."""
    bars = [flat(100), flat(100), (100, 112, 99, 111), flat(111)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, touch=110, reduce_only=True)})
    assert done(engine) == [Done(1, "trade", 1, 100.0, 1000), Done(2, "trade", -1, 110.0, 1000)]


def test_a_stop_beats_a_take_profit_in_one_bar():
    """Both 95 and 110 lie in the bar: the worse is assumed, and nothing is left to take profit on."""
    bars = [flat(100), flat(100), (100, 112, 94, 111), flat(111)]

    def protect(s):
        s.sell(1, touch=110, reduce_only=True)
        s.sell(1, stop=95, reduce_only=True)

    engine = play(bars, {0: lambda s: s.buy(1), 1: protect})
    assert [fill.price for fill in done(engine)] == [100.0, 95.0]
    assert fates(engine)[2] == (EXPIRED, Reason.NOTHING_TO_REDUCE)


def test_a_take_profit_limit_gets_at_least_its_limit():
    """The open of 113 gaps over the trigger of 110: sold at 113, the limit of 109 only caps slippage."""
    bars = [flat(100), flat(100), (113, 114, 112, 113), flat(113)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, touch=110, limit=109, reduce_only=True)})
    assert [fill.price for fill in done(engine)] == [100.0, 113.0]


# -- trailing stop ---------------------------------------------------------------------------------------------------


def test_a_trailing_stop_follows_the_high_and_sells_at_its_distance_below():
    """Highs 100, 104, 108; 5 below the best is 103, reached by the next bar's low of 102."""
    bars = [flat(100), flat(100), (100, 104, 100, 104), (104, 108, 104, 108), (107, 107.5, 102, 102.5), flat(102)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, trail=5, reduce_only=True)})
    assert done(engine)[1] == Done(4, "trade", -1, 103.0, 1000)


def test_a_trailing_stop_never_moves_back():
    """After a best of 110 the trigger stays at 105 while prices fall to 105.5, and sells at 105."""
    bars = [flat(100), flat(100), (100, 110, 100, 110), (109, 109, 105.5, 106), (106, 106, 104, 104), flat(104)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, trail=5, reduce_only=True)})
    assert done(engine)[1] == Done(4, "trade", -1, 105.0, 1000)


def test_a_trailing_stop_acts_in_a_bar_that_closes_beyond_where_its_high_put_it():
    """High 110 puts the trigger at 105; the close of 104 came after the high, so it was hit at 105."""
    bars = [flat(100), flat(100), (100, 110, 99, 104), flat(104)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, trail=5, reduce_only=True)})
    assert done(engine)[1] == Done(2, "trade", -1, 105.0, 1000)


@pytest.mark.parametrize(("close", "fills"), [(105.1, 0), (105.0, 1), (104.9, 1)])
def test_a_close_at_a_trailing_stops_trigger_is_enough(close, fills):
    """The high of 110 puts it at 105; a close a tick above leaves it waiting."""
    bars = [flat(100), flat(100), (108, 110, 104, close), flat(110), flat(110)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, trail=5, reduce_only=True)})
    assert done(engine)[1:] == [Done(2, "trade", -1, 105.0, 1000)][:fills]


def test_a_trailing_stop_in_percent_measures_from_the_best_price():
    """A short's stop 10 % above the low of 80 is 88."""
    bars = [flat(100), flat(100), (100, 100, 80, 80), (81, 90, 81, 89), flat(89)]
    engine = play(bars, {0: lambda s: s.sell(1), 1: lambda s: s.buy(1, trail_percent=10, reduce_only=True)})
    assert done(engine)[1] == Done(3, "trade", 1, 88.0, 1000)


def test_a_trailing_stop_sleeps_until_its_activation_price():
    """It begins at 106: the fall to 97 before does nothing, after a high of 107 it sells 5 below."""
    bars = [flat(100), flat(100), (100, 101, 97, 100), (100, 107, 100, 106), (106, 106, 101, 102), flat(102)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, trail=5, activation=106, reduce_only=True)})
    assert done(engine)[1] == Done(4, "trade", -1, 102.0, 1000)


def test_a_gap_through_a_trailing_stop_fills_at_the_open():
    """Best 110, trigger 105, next open 101."""
    bars = [flat(100), flat(100), (100, 110, 100, 110), (101, 102, 100, 101), flat(101)]
    engine = play(bars, {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, trail=5, reduce_only=True)})
    assert done(engine)[1] == Done(3, "trade", -1, 101.0, 1000)


# -- time in force, post-only ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
def test_what_does_not_fill_on_arrival_expires(tif):
    """A limit of 99 under an open of 100 is gone, although the bar trades at 98."""
    engine = play([flat(100), (100, 100, 98, 99), flat(99)], {0: lambda s: s.buy(1, limit=99, tif=tif)})
    assert done(engine) == []
    assert fates(engine) == {1: (EXPIRED, Reason.TIME_IN_FORCE)}


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
def test_an_immediate_stop_limit_ends_in_the_moment_that_triggers_it(tif):
    """Trigger 105, limit 104: inside bar 1 it is triggered where it may not buy, and does not stay."""
    engine = play([flat(100), (100, 107, 99, 106), flat(100)], {0: lambda s: s.buy(1, stop=105, limit=104, tif=tif)})
    assert done(engine) == []
    assert fates(engine) == {1: (EXPIRED, Reason.TIME_IN_FORCE)}


def test_an_immediate_order_that_the_open_satisfies_fills():
    """A limit of 101 over an open of 100: bought at 100."""
    engine = play([flat(100), flat(100)], {0: lambda s: s.buy(1, limit=101, tif=TimeInForce.IOC)})
    assert done(engine) == [Done(1, "trade", 1, 100.0, 1000)]


def test_an_order_good_till_a_date_ends_there_although_nothing_else_happens():
    """It expires at the open of bar 3 and does not see bar 3's low."""
    bars = [flat(100), flat(100), flat(100), (100, 100, 90, 100), flat(100)]
    until = 3 * MINUTE
    engine = play(bars, {0: lambda s: s.buy(1, limit=95, tif=TimeInForce.GTD, expires_us=until)})
    assert done(engine) == []
    assert fates(engine) == {1: (EXPIRED, Reason.TIME_IN_FORCE)}
    assert engine.events[-1]["ts"] == until


def test_a_post_only_order_that_would_take_is_rejected():
    """A limit of 101 over an open of 100 would have been filled at once."""
    engine = play([flat(100), flat(100)], {0: lambda s: s.buy(1, limit=101, post_only=True)})
    assert done(engine) == []
    assert fates(engine) == {1: (REJECTED, Reason.WOULD_TAKE)}


@pytest.mark.parametrize(("side", "opened", "taken"), [(1, 98.9, 0), (1, 99, 1), (-1, 101.1, 0), (-1, 101, 1)])
def test_post_only_goes_by_the_open_that_it_arrives_at(side, opened, taken):
    """A bid of 99 may come to an open of 99, an ask of 101 to one of 101; whatever the bar does later fills it."""
    bars = [flat(100), (opened, 102, 98, 100), flat(100)]
    engine = play(bars, {0: lambda s: s.order(side, 1, limit=100 - side, post_only=True)})
    assert [(fill.price, fill.maker) for fill in done(engine)] == [(100.0 - side, True)] * taken
    assert fates(engine)[1] == ((Status.FILLED, Reason.NONE) if taken else (REJECTED, Reason.WOULD_TAKE))


def test_a_post_only_order_below_the_market_rests_and_is_maker():
    """At 99 under an open of 100 it waits, and the fall to 98 fills it."""
    engine = play([flat(100), (100, 100, 98, 99), flat(99)], {0: lambda s: s.buy(1, limit=99, post_only=True)})
    assert done(engine) == [Done(1, "trade", 1, 99.0, 1000, maker=True)]


# -- groups, amendments ----------------------------------------------------------------------------------------------


def test_one_cancels_the_other():
    """A breakout on either side: 105 is reached first, so 95 is withdrawn and never seen again."""

    def both(s):
        s.buy(1, stop=105, group=7)
        s.sell(1, stop=95, group=7)

    bars = [flat(100), (100, 106, 100, 106), (106, 106, 90, 91), flat(91)]
    engine = play(bars, {0: both})
    assert done(engine) == [Done(1, "trade", 1, 105.0, 1000)]
    assert fates(engine)[2] == (CANCELLED, Reason.SIBLING_FILLED)


def test_an_amended_limit_fills_at_its_new_price():
    """Moved from 90 to 97 after bar 1."""
    bars = [flat(100), flat(100), (100, 100, 96, 99), flat(99)]
    acts = {0: lambda s: s.buy(1, limit=90), 1: lambda s: s.amend(s.ids[0], price=97)}
    assert done(play(bars, acts)) == [Done(2, "trade", 1, 97.0, 1000, maker=True)]


def test_an_amendment_passes_the_risk_gate():
    """Ten times the size would pass the cap of one equity: the order stays as it was."""
    answers = []
    acts = {
        0: lambda s: s.buy(5, limit=99),
        1: lambda s: answers.append(s.amend(s.ids[0], quantity=50_000)),
    }
    limits = RiskSettings(max_position=1.0, max_exposure=1.0, max_gross=10.0, max_drawdown=0.0, cooldown_minutes=None)
    engine = play([flat(100), flat(100), (100, 100, 98, 99), flat(99)], acts, limits=limits)
    assert answers == [False]
    assert done(engine) == [Done(2, "trade", 1, 99.0, 5000, maker=True)]


def test_an_ended_order_cannot_be_amended():
    """The purchase was filled on bar 1."""
    answers = []
    acts = {0: lambda s: s.buy(1), 2: lambda s: answers.append(s.amend(s.ids[0], quantity=2))}
    play([flat(100)] * 4, acts)
    assert answers == [False]


@pytest.mark.parametrize(
    "how",
    [
        {"stop": 105, "trail": 5},
        {"trail": 5, "trail_percent": 1},
        {"post_only": True},
        {"limit": 99, "tif": TimeInForce.GTD},
        {"limit": 99, "expires_us": MINUTE},
        {"limit": 99, "post_only": True, "tif": TimeInForce.IOC},
        {"trail_percent": 100.0},
        {"stop": 105, "touch": 95},
    ],
)
def test_terms_that_contradict_each_other_are_refused(how):
    """The error names the symbol; nothing is sent."""
    with pytest.raises(StrategyError, match="BTCUSDT"):
        play([flat(100)] * 3, {0: lambda s: s.buy(1, **how)})
