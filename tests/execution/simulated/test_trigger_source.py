"""Whose price a conditional order waits for: traded, mark or index, by hand. 1 BTC is 1 000 lots, a tick 0.1.

The order is executed at what trades: at the open where the trigger was reached by then, else at the trigger, or as near
to it as anything traded in that bar.
"""

import pytest

from scripted import Done, done, flat, play
from truewind.domain.order import OrderType, Side, Terms, TriggerSource

CALM = flat(100)
MARK, INDEX = TriggerSource.MARK, TriggerSource.INDEX


def beside(source, bars, watched, acts, **how):
    """A run whose mark (or index) price goes its own way, as `watched` tells."""
    return play(bars, acts, **{"marks" if source is MARK else "indices": watched}, **how)


def protect(source, **how):
    return {0: lambda s: s.buy(1), 1: lambda s: s.sell(1, reduce_only=True, trigger_by=source, **how)}


BOTH = pytest.mark.parametrize("source", [MARK, INDEX])


@BOTH
def test_a_stop_by_another_price_does_not_look_at_what_trades(source):
    """Trades fall to 90, but the price that it waits for stays at 96: nothing is sold at 95."""
    bars = [CALM, CALM, (100, 100, 90, 99), CALM]
    engine = beside(source, bars, [CALM, CALM, (100, 100, 96, 99), CALM], protect(source, stop=95))
    assert done(engine) == [Done(1, "trade", 1, 100.0, 1000)]


@BOTH
@pytest.mark.parametrize(
    ("traded", "price"),
    [
        ((99, 101, 93, 96), 95.0),  # 95 traded: that is where it was sold
        ((99, 101, 97, 98), 97.0),  # nothing traded below 97
        ((94, 94.5, 93, 94), 94.5),  # nothing traded above 94.5
    ],
)
def test_a_stop_is_executed_as_near_to_its_trigger_as_was_traded(source, traded, price):
    """The watched price goes from 99 down to 94, through the trigger at 95; quiet bars lie before."""
    bars = [CALM, CALM, CALM, CALM, CALM, traded, flat(96)]
    watched = [CALM] * 5 + [(99, 99, 94, 98), flat(96)]
    engine = beside(source, bars, watched, protect(source, stop=95))
    assert done(engine)[1] == Done(5, "trade", -1, price, 1000)


@BOTH
def test_a_price_that_opens_beyond_the_trigger_sells_at_the_open(source):
    """It opens at 94 while trades open at 99: 99 is what a market order gets there."""
    engine = beside(
        source, [CALM, CALM, (99, 99, 98, 98), CALM], [CALM, CALM, flat(94), CALM], protect(source, stop=95)
    )
    assert done(engine)[1] == Done(2, "trade", -1, 99.0, 1000)


@BOTH
def test_a_take_profit_by_another_price(source):
    """Touched at 110 by the watched price, while trades reach 108 only: 108."""
    bars = [CALM, CALM, (100, 108, 99, 107), flat(107)]
    engine = beside(source, bars, [CALM, CALM, (100, 111, 100, 108), flat(107)], protect(source, touch=110))
    assert done(engine)[1] == Done(2, "trade", -1, 108.0, 1000)


@BOTH
def test_a_stop_limit_by_another_price_fills_at_once_only_within_its_limit(source):
    """Triggered at 95 while trades are at 97 and above: a limit of 96 is met at 97, one of 98 is not and rests.

    The bar after trades through 98: filled there, as maker.
    """
    bars = [CALM, CALM, (99, 101, 97, 97.5), (97.5, 99, 97, 98), CALM]
    watched = [CALM, CALM, (99, 99, 94, 96), CALM, CALM]
    engine = beside(source, bars, watched, protect(source, stop=95, limit=96))
    assert done(engine)[1] == Done(2, "trade", -1, 97.0, 1000)
    engine = beside(source, bars, watched, protect(source, stop=95, limit=98))
    assert done(engine)[1] == Done(3, "trade", -1, 98.0, 1000, maker=True)


@BOTH
def test_a_trailing_stop_follows_the_price_it_watches(source):
    """The watched high of 110 puts the trigger at 105, reached while nothing trades above 103."""
    bars = [CALM, CALM, (100, 120, 100, 104), (103, 103, 101, 102), flat(102)]
    watched = [CALM, CALM, (100, 110, 100, 109), (108, 108, 104, 105), flat(102)]
    engine = beside(source, bars, watched, protect(source, trail=5))
    assert done(engine)[1] == Done(3, "trade", -1, 103.0, 1000)


@BOTH
def test_a_brackets_stop_by_another_price_wakes_at_that_price(source):
    """Bought at 97 inside a bar in which the watched price was never above 94: the stop at 95 is triggered at once.

    It is sold at the watched 94, or as near to it as was traded: 96.
    """
    bars = [CALM, (100, 100, 96, 99), flat(99)]

    def enter(s):
        parent = s.buy(1, limit=97)
        terms = {"type": OrderType.STOP, "price": 95.0, "reduce_only": True, "parent": parent}
        s.desk.submit("BTCUSDT", Side.SELL, 1.0, **terms, terms=Terms(trigger_by=source))

    engine = beside(source, bars, [CALM, (94, 94, 93, 94), flat(99)], {0: enter})
    assert done(engine) == [Done(1, "trade", 1, 97.0, 1000, maker=True), Done(1, "trade", -1, 96.0, 1000)]


@BOTH
def test_the_nearer_trigger_comes_first_each_counted_from_its_own_open(source):
    """Two stops, 3 below the traded open and 2 below the watched one: the latter is executed first."""
    bars = [CALM, CALM, (100, 100, 95, 96), flat(96)]
    watched = [CALM, CALM, (104, 104, 100, 101), flat(96)]

    def both(s):
        s.sell(1, stop=97, reduce_only=True)
        s.sell(1, stop=102, reduce_only=True, trigger_by=source)

    engine = beside(source, bars, watched, {0: lambda s: s.buy(2), 1: both})
    assert [(fill.price, fill.lots) for fill in done(engine)] == [(100.0, 2000), (100.0, 1000), (97.0, 1000)]


@BOTH
def test_without_such_prices_what_trades_stands_in(source):
    """As a plain stop: 95."""
    engine = play([CALM, CALM, (100, 100, 90, 99), CALM], protect(source, stop=95))
    assert done(engine)[1] == Done(2, "trade", -1, 95.0, 1000)
