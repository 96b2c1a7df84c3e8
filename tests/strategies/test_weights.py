"""Strategies of weights: when they trade, how much, and when they let it be. A weight of 0.5 of 1,000,000 at a price of
100 is 5,000 units: lots are of one unit. The first bars close on a Monday."""

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import columns, flat, free, perpetual, play
from truewind.domain.clock import parse_ts_us
from truewind.domain.order import Event
from truewind.errors import ConfigError
from truewind.strategies.weights import WeightStrategy, inverse, is_member, period_of

DAY = 86_400_000_000
MONDAY = 4 * DAY  # 1970-01-05


class Fixed(WeightStrategy):
    """The weights of `plan`, one mapping after the other, then the last; keeps the sections that it was shown."""

    def __init__(self, *plan, **params):
        super().__init__(**params)
        self.plan, self.seen = list(plan), []

    def weights(self, section):
        self.seen.append(({bar.ts_event for bar in section.values()}, sorted(section)))
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]


def market(days=20, **prices):
    """Daily bars: of each symbol its prices day by day, or one price for all days."""
    return {
        symbol: columns(
            [flat(p) for p in (price if isinstance(price, list) else [price] * days)], start=MONDAY - DAY, step=DAY
        )
        for symbol, price in prices.items()
    }


def run(strategy, bars, **how):
    return play(bars, strategy, step=DAY, instruments=[perpetual(symbol, lot="1") for symbol in bars], **how)


def trades(engine):
    """(day, symbol, signed units) of each fill; day 0 is the first bar's."""
    opened = engine.timeline.times[0]
    days = [(int(opened[fill["row"]]) - MONDAY) // DAY + 1 for fill in engine.fills]
    units = (engine.fills["side"].astype(int) * engine.fills["lots"]).tolist()
    return list(zip(days, [engine.symbols[i] for i in engine.fills["symbol"]], units, strict=True))


def test_weights_become_positions_of_so_much_equity():
    """Who is there is known when the second day begins to be told; the orders of its bars' end fill on the third."""
    engine = run(Fixed({"AAA": 0.5, "BBB": -0.25}), market(AAA=100.0, BBB=50.0))
    assert trades(engine) == [(2, "AAA", 5000), (2, "BBB", -5000)]


def test_each_week_is_traded_once_with_what_was_known_on_monday():
    """Bars that close on Monday 00:00 are the first that a week knows; all symbols of the section are of that time."""
    strategy = Fixed({"AAA": 0.5})
    run(strategy, market(AAA=100.0, BBB=50.0))
    assert strategy.seen == [({MONDAY + week * 7 * DAY}, ["AAA", "BBB"]) for week in range(3)]


def test_what_is_no_longer_wanted_is_closed_whatever_the_minimum():
    """A change of 0.25 is below the minimum of 0.3; a weight that ends is not a change but an end."""
    engine = run(Fixed({"BBB": 0.5}, {"AAA": 0.25}, minimum=0.3), market(AAA=100.0, BBB=50.0))
    assert trades(engine) == [(2, "BBB", 10_000), (8, "BBB", -10_000)]


def test_what_is_given_up_is_ordered_before_what_is_taken():
    """The close of BBB has the older number, though AAA comes first in the alphabet."""
    engine = run(Fixed({"BBB": 0.5}, {"AAA": 0.5}), market(AAA=100.0, BBB=50.0))
    fills = {(engine.symbols[fill["symbol"]], int(fill["side"])): int(fill["order"]) for fill in engine.fills}
    assert fills == {("BBB", 1): 1, ("BBB", -1): 2, ("AAA", 1): 3}


@pytest.mark.parametrize(("minimum", "change"), [(0.025, []), (0.02, [(8, "AAA", -227)])])
def test_small_changes_are_not_worth_an_order(minimum, change):
    """A rise by a tenth makes 550,000 of 1,050,000, 0.0238 too much: 0.5 × 1,050,000 ÷ 110 is 227.3 units less."""
    engine = run(Fixed({"AAA": 0.5}, minimum=minimum), market(days=13, AAA=[100.0] * 4 + [110.0] * 9))
    assert trades(engine) == [(2, "AAA", 5000), *change]


def test_a_position_is_turned_by_one_order():
    """From half of equity long to half of it short."""
    engine = run(Fixed({"AAA": 0.5}, {"AAA": -0.5}), market(AAA=100.0))
    assert trades(engine) == [(2, "AAA", 5000), (8, "AAA", -10_000)]


def test_one_that_is_gone_delays_its_section_and_keeps_what_it_has():
    """BBB has no bar any more on the second Monday: the section is complete when Tuesday is told, without it."""
    strategy = Fixed({"AAA": 0.5, "BBB": 0.5}, {})
    engine = run(strategy, market(days=12, AAA=100.0) | market(days=7, BBB=50.0))
    assert strategy.seen[1] == ({MONDAY + 7 * DAY}, ["AAA"])
    assert trades(engine) == [(2, "AAA", 5000), (2, "BBB", 10_000), (9, "AAA", -5000)]


def test_what_the_market_could_not_fill_is_withdrawn_before_more_is_asked_for():
    """One unit a day trades: of 5,000 six have filled when the next week asks for the rest anew, in one order."""
    engine = run(Fixed({"AAA": 0.5}), market(days=12, AAA=100.0), costs=free(volume_share=1.0))
    sent = engine.events[engine.events["event"] == Event.SUBMIT]
    assert list(zip(sent["order"].tolist(), sent["lots"].tolist(), strict=True)) == [(1, 5000), (2, 4994)]


def test_nothing_to_say_keeps_what_there_is():
    """None is no weight of nothing."""
    engine = run(Fixed({"AAA": 0.5}, None), market(AAA=100.0))
    assert trades(engine) == [(2, "AAA", 5000)]


def test_without_equity_nothing_is_ordered():
    """A position of five times the equity is lost with a fall of a third; from then on there is nothing to weigh."""
    engine = run(Fixed({"AAA": 5.0}, gross=5.0), market(days=20, AAA=[100.0] * 4 + [50.0] * 16))
    assert [day for day, _, _ in trades(engine) if day > 7] == []


@pytest.mark.parametrize(
    ("one", "other", "every", "same"),
    [
        ("2024-03-04", "2024-03-10T23:59:59", "week", True),  # Monday and Sunday
        ("2024-03-10T23:59:59", "2024-03-11", "week", False),
        ("2024-02-29T23:00:00", "2024-03-01", "month", False),
        ("2023-03-01", "2024-03-01", "month", False),
        ("2024-03-01", "2024-03-31", "month", True),
        ("2024-03-01", "2024-03-01T23:59:59", "day", True),
    ],
)
def test_periods_are_those_of_the_calendar(one, other, every, same):
    """2024-03-04 was a Monday."""
    assert (period_of(parse_ts_us(one), every) == period_of(parse_ts_us(other), every)) is same


def test_outside_a_universe_everybody_is_a_member():
    """And within one those whose bar says so."""
    bars = [SimpleNamespace(), SimpleNamespace(member=1.0), SimpleNamespace(member=0.0)]
    assert [is_member(bar) for bar in bars] == [True, True, False]


def test_twice_the_risk_is_half_the_weight():
    """1 : ½ : ¼ of seven quarters."""
    assert inverse({"a": 0.01, "b": 0.02, "c": 0.04}) == pytest.approx({"a": 4 / 7, "b": 2 / 7, "c": 1 / 7})


@given(st.dictionaries(st.text(max_size=3), st.floats(), max_size=8))
def test_weights_sum_to_one_or_there_are_none(risks):
    """Whatever the risks: NaN, infinite, negative and zero ones have no weight."""
    found = inverse(risks)
    assert set(found) <= {name for name, risk in risks.items() if risk > 0.0}
    assert not found or math.isclose(sum(found.values()), 1.0)
    assert all(0.0 <= weight <= 1.0 for weight in found.values())


@pytest.mark.parametrize("params", [{"every": "year"}, {"gross": 0.0}, {"minimum": -0.1}, {"gros": 1.0}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds or misspelt."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        Fixed({}, **params)
