"""Resting orders whose price is touched and no more: filled with a probability, by draws that anybody can repeat."""

import pytest

from scripted import done, flat, free, play
from truewind.execution.simulated.costs import CostSettings

TOUCH = (100, 100, 99, 100)  # a bar whose low is the limit of 99
BARS = [flat(100), *[TOUCH] * 30, flat(100)]


def filled(probability, seed=42, bars=BARS, count=200):
    """The row in which each of `count` orders of a lot was filled, by its id."""
    costs = free(limit_fill="touch", fill_probability=probability)
    engine = play(bars, {0: lambda s: [s.buy(0.001, limit=99) for _ in range(count)]}, costs=costs, seed=seed)
    assert all(fill.maker and fill.price == 99.0 for fill in done(engine))
    return {int(fill["order"]): int(fill["row"]) for fill in engine.fills}


def test_about_as_many_fill_in_a_bar_as_was_said():
    """Of 200 orders 30 % in the first bar: 60, give or take 4 standard deviations of 6.5; all within 30 bars."""
    rows = list(filled(0.3).values())
    assert 34 <= rows.count(1) <= 86
    assert len(rows) > 195
    assert max(rows) > 5


def test_the_same_seed_draws_the_same_and_another_draws_others():
    """To the row."""
    assert filled(0.3) == filled(0.3)
    assert filled(0.3) != filled(0.3, seed=43)


def test_an_orders_luck_does_not_depend_on_the_others():
    """The first ten fill where they did, whether or not 190 others wait behind them."""
    few, many = filled(0.3, count=10), filled(0.3)
    assert few == {order: row for order, row in many.items() if order <= 10}


def test_a_price_that_is_traded_through_fills_for_certain():
    """A low of 98.9 leaves nobody at 99."""
    assert set(filled(0.01, bars=[flat(100), (100, 100, 98.9, 100), flat(100)]).values()) == {1}


def test_it_belongs_to_touches():
    """With limit_fill: through there is nothing to draw."""
    with pytest.raises(ValueError, match="limit_fill: touch"):
        CostSettings(fill_probability=0.5)
