"""What a venue refuses, hedge mode and coin-margined contracts on an order book, by hand.

START: 10 at 99, 20 at 98; asks alike: the middle is 100. An order sent at n ms arrives at n + 1 ms.
"""

from decimal import Decimal

import msgspec
import numpy as np
import pytest

from booked import END, FREE, ONE, Script, fills, level, reasons, run, settings_with, timeline, trade
from contracts import inverse
from truewind.domain.due import DueKind, due_rows
from truewind.domain.fill import FillKind
from truewind.domain.filters import Filters
from truewind.domain.instrument import Kind
from truewind.domain.terms import Tier, TierTable
from truewind.engine.book_lane import BookLane
from truewind.execution.simulated.book_state import MARK
from truewind.portfolio.margin import MarginSettings

HEDGE = {"margin": MarginSettings(position_mode="hedge").terms([ONE], {}, 100.0)}


def ruled(**rules):
    return msgspec.structs.replace(ONE, filters=Filters(**rules))


def ended(result):
    return [pair for pair in reasons(result) if pair[1] != "END_OF_DATA"]


BAND = ruled(bid_up=Decimal("1.05"), bid_down=Decimal("0.95"), ask_up=Decimal("1.05"), ask_down=Decimal("0.95"))


@pytest.mark.parametrize(
    ("side", "ticks", "reason"),
    [(1, 95, None), (1, 94, "BELOW_PRICE_BAND"), (-1, 105, None), (-1, 106, "ABOVE_PRICE_BAND")],
)
def test_price_bands_are_around_the_middle_where_there_is_no_mark(side, ticks, reason):
    """5 % around 100: from 95 to 105."""
    result, _ = run({1: lambda desk, _: desk.limit(side, ticks, 1)}, instrument=BAND)
    assert ended(result) == ([("REJECTED", reason)] if reason else [])


def test_price_bands_are_around_the_mark():
    """At a mark of 110 a bid may be no lower than 104.5: one at 101 is refused, and so is a stop to sell at 98."""
    script = {5: lambda desk, _: desk.limit(1, 101, 1), 6: lambda desk, _: desk.stop(-1, 98, 1)}
    result, _ = run(script, instrument=BAND, given={"marks": np.array([(2000, 110.0)], MARK)})
    assert ended(result) == 2 * [("REJECTED", "BELOW_PRICE_BAND")]


def test_an_amendment_that_is_refused_leaves_the_order_as_it_is():
    """Binance: "the order will stay as it is". A target at 104 for 2 of the entry's 6, asked to be 1 at 106 (beyond
    the band): it grows to 5 with the entry, and sells them at 104."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 6, take_profit=104),
        6: lambda desk, me: desk.amend(me.ids[1] + 1, 106, 1),
    }
    rows = trade(5000, -1, 100, 2), trade(8000, -1, 100, 3), trade(9000, 1, 104, 9)
    result, _ = run(script, *rows, instrument=BAND)
    assert fills(result) == [(5000, 2, 100, 1), (8000, 3, 100, 1), (9000, -5, 104, 1)]
    assert ended(result)[0] == ("AMEND_REJECTED", "ABOVE_PRICE_BAND")


@pytest.mark.parametrize(
    ("side", "percent", "taken"),
    [
        *((-1, 0.99, False), (-1, 1, True), (-1, 4, True), (-1, 4.01, False)),
        *((1, 4.99, False), (1, 5, True), (1, 9, True), (1, 9.01, False)),
    ],
)
def test_the_distance_of_a_trailing_stop_is_bounded(side, percent, taken):
    """TRAILING_DELTA: of a sale, whose trigger lies below the market, 1 to 4 %; of a purchase 5 to 9 %."""
    venue = ruled(trailing_below=(100, 400), trailing_above=(500, 900))
    result, _ = run({1: lambda desk, _: desk.trailing_stop(side, 1, trail_percent=percent)}, instrument=venue)
    assert ended(result) == ([] if taken else [("REJECTED", "TRAILING_DISTANCE")])


def test_of_a_trailing_stop_the_first_rule_that_it_breaks_is_named_and_ticks_are_no_percentage():
    """One conditional order is taken: one that trails by 3 ticks; the next, 2 % away as it may be, is one too many."""
    script = {
        1: lambda desk, _: desk.trailing_stop(-1, 1, trail=3),
        2: lambda desk, _: desk.trailing_stop(-1, 1, trail_percent=2.0),
    }
    result, _ = run(script, instrument=ruled(trailing_below=(100, 400), max_conditional=1))
    assert ended(result) == [("REJECTED", "TOO_MANY_CONDITIONAL")]


def test_the_venue_takes_so_many_orders_and_no_more():
    """Three in all, one of them conditional; what has ended counts no more."""
    script = {
        1: lambda desk, _: desk.limit(1, 95, 1),
        2: lambda desk, _: desk.stop(1, 110, 1),
        3: lambda desk, _: desk.stop(1, 110, 1),
        4: lambda desk, _: desk.limit(1, 95, 1),
        5: lambda desk, _: desk.limit(1, 95, 1),
        7: lambda desk, me: desk.cancel(me.ids[1]),
        9: lambda desk, _: desk.limit(1, 95, 1),
    }
    result, strategy = run(script, instrument=ruled(max_orders=3, max_conditional=1))
    assert ended(result) == [
        ("REJECTED", "TOO_MANY_CONDITIONAL"),
        ("REJECTED", "TOO_MANY_ORDERS"),
        ("CANCELLED", "BY_STRATEGY"),
    ]
    assert [order.id for order in strategy.desk.working()] == [strategy.ids[n] for n in (2, 4, 9)]


def test_market_orders_have_quantities_of_their_own():
    """At most 5 at market; a limit order may have 6."""
    script = {1: lambda desk, _: desk.market(1, 6), 2: lambda desk, _: desk.limit(1, 95, 6)}
    result, _ = run(script, instrument=ruled(market_max_quantity=Decimal(5)))
    assert ended(result) == [("REJECTED", "MARKET_QUANTITY")]


def test_where_nobody_trades_a_market_order_keeps_to_its_quantities_too():
    """An empty book: 6 are more than the 5 of a market order; 5 are taken, and find nobody."""
    venue = ruled(market_max_quantity=Decimal(5))
    for lots, end in ((6, ("REJECTED", "MARKET_QUANTITY")), (5, ("EXPIRED", "NO_LIQUIDITY"))):
        strategy = Script({1: lambda desk, _, n=lots: desk.market(1, n)})
        rows = (level(0, 1, 99, 9), level(1, 1, 99, 0), END)
        assert ended(BookLane(timeline(*rows), venue, cash=1e6, settings=settings_with()).run(strategy)) == [end]


def test_what_reduces_may_be_worth_little():
    """At least 150 USDT, but for what takes off (Binance −4164): of 2 bought each is sold alone, then no more."""
    venue = msgspec.structs.replace(ONE, min_notional=Decimal(150))
    script = {
        1: lambda desk, _: desk.market(1, 2),
        4: lambda desk, _: desk.market(1, 1),  # adds
        5: lambda desk, _: desk.market(-1, 1),
        8: lambda desk, _: desk.market(-1, 1),
        11: lambda desk, _: desk.market(-1, 1),  # opens
        12: lambda desk, _: desk.limit(-1, 99, 1),
    }
    result, _ = run(script, instrument=venue)
    assert fills(result) == [(2000, 2, 101, 0), (6000, -1, 99, 0), (9000, -1, 99, 0)]
    assert ended(result) == 3 * [("REJECTED", "BELOW_MIN_NOTIONAL")]


def test_what_only_reduces_may_be_worth_little_whatever_it_says():
    """2 long: a reduce-only sale of 5 at 20 is worth 100, and takes off the 2."""
    venue = msgspec.structs.replace(ONE, min_notional=Decimal(150))
    script = {1: lambda desk, _: desk.market(1, 2), 4: lambda desk, _: desk.limit(-1, 20, 5, reduce_only=True)}
    assert fills(run(script, instrument=venue)[0])[1:] == [(5000, -2, 99, 0)]


SPOT = msgspec.structs.replace(ONE, kind=Kind.SPOT)


def test_what_is_held_and_on_order_to_be_bought_is_bounded():
    """At most 5 (spot's MAX_POSITION): 2 held and 2 on order leave 1; what is for sale does not matter."""
    venue = msgspec.structs.replace(SPOT, filters=Filters(max_position=Decimal(5)))
    script = {
        1: lambda desk, _: desk.market(1, 2),
        3: lambda desk, _: desk.limit(1, 95, 2),
        4: lambda desk, _: desk.limit(-1, 110, 2),
        6: lambda desk, _: desk.limit(1, 95, 2),
        7: lambda desk, _: desk.limit(1, 95, 1),
    }
    result, strategy = run(script, instrument=venue, leverage=1.0)
    assert ended(result) == [("REJECTED", "POSITION_LIMIT")]
    assert [order.id for order in strategy.desk.working()] == [strategy.ids[n] for n in (3, 4, 7)]


def test_icebergs_are_counted_and_have_so_many_parts():
    """Two at a time, of three parts at most; what shows all of itself, and what waits, is none."""
    venue = msgspec.structs.replace(SPOT, filters=Filters(max_icebergs=2, iceberg_parts=3))
    script = {
        1: lambda desk, _: desk.limit(1, 95, 7, shown=2),  # four parts
        2: lambda desk, _: desk.limit(1, 95, 6, shown=2),
        3: lambda desk, _: desk.limit(1, 95, 6, shown=3),
        4: lambda desk, _: desk.limit(1, 95, 6, shown=3),  # the third
        5: lambda desk, _: desk.limit(1, 95, 1),
        6: lambda desk, _: desk.stop(1, 110, 1),
    }
    result, strategy = run(script, instrument=venue, leverage=1.0)
    assert ended(result) == [("REJECTED", "ICEBERG_PARTS"), ("REJECTED", "TOO_MANY_ICEBERGS")]
    assert [order.id for order in strategy.desk.working()] == [strategy.ids[n] for n in (2, 3, 5, 6)]


def test_hedge_mode_holds_both_sides():
    """Bought 4 at 101 and sold 3 at 99: both stand. What only reduces finds its own side."""
    script = {
        1: lambda desk, _: desk.market(1, 4),
        2: lambda desk, _: desk.market(-1, 3),
        5: lambda desk, me: me.seen.append((desk.held(1), desk.held(-1), desk.position)),
        6: lambda desk, _: desk.market(-1, 9, reduce_only=True),
        7: lambda desk, _: desk.limit(1, 99, 3, reduce_only=True),
    }
    result, strategy = run(script, trade(9000, -1, 99, 12), given=HEDGE)
    assert fills(result) == [(2000, 4, 101, 0), (3000, -3, 99, 0), (7000, -4, 99, 0), (9000, 2, 99, 1)]
    assert result.fills["leg"].tolist() == [0, 1, 0, 1]
    assert result.fills["position"].tolist() == [4, -3, 0, -1]
    assert (4, -3, 1) in strategy.seen
    # Long: 4 × (99 − 101); short: 2 × (99 − 99); fees 0.1 % of 404, 297 and 396.
    assert result.cash == pytest.approx(1_000_000 - 8 - 1.097)


def test_funding_is_paid_by_the_one_side_and_received_by_the_other():
    """0.01 % of 4 × 100 paid, of 3 × 100 received."""
    script = {1: lambda desk, _: desk.market(1, 4), 2: lambda desk, _: desk.market(-1, 3)}
    given = {**HEDGE, "funding": due_rows(DueKind.FUNDING, (6000,), (10_000,), price=(100,))}
    result, _ = run(script, given=given)
    paid = result.fills[result.fills["kind"] == FillKind.FUNDING]
    assert paid["realised"].tolist() == [-4_000_000, 3_000_000]


def test_in_hedge_mode_the_side_that_loses_is_liquidated():
    """100 USDT hold 10 long at 101 and 1 short at 99. At a mark of 91.5 equity is 100 − 1.109 − 95 + 7.5 = 11.391, and
    the maintenance margin 0.5 % of 1,006.5. At 90.8 it is 11.391 − 9 · 0.7 = 5.091 against 4.994, at 90.7 4.191 against
    4.9885: the long side is sold, 9 at 99, where our sale has taken one, and 1 at 98."""
    script = {1: lambda desk, _: desk.market(1, 10), 2: lambda desk, _: desk.market(-1, 1)}
    for mark, kinds in ((90.8, 2 * [FillKind.TRADE]), (90.7, 2 * [FillKind.TRADE] + 2 * [FillKind.LIQUIDATION])):
        given = {**HEDGE, "marks": np.array([(6000, mark)], MARK)}
        result, _ = run(script, cash=100.0, given=given)
        assert result.fills["kind"].tolist() == kinds
    assert result.fills["leg"].tolist() == [0, 1, 0, 0]
    assert fills(result)[2:] == [(6000, -9, 99, 0), (6000, -1, 98, 0)]
    assert result.position == -1


COIN = inverse(multiplier="100", tick="1")


def coin_run(script, *rows, cash=10.0, **given):
    start = (level(0, 1, 9_900, 10), level(0, -1, 10_100, 10))
    strategy = Script(script)
    lane = BookLane(
        timeline(*start, *rows, END), COIN, cash=cash, settings=settings_with(leverage=100.0, risk=FREE), **given
    )
    return lane.run(strategy), strategy


def test_a_coin_margined_contract_gains_coins():
    """3 contracts of 100 USD bought at 10,100 and sold at 12,000: 300 · (1/10,100 − 1/12,000) = 0.00470297 BTC, less
    0.1 % of 300 ÷ 10,100."""
    rows = (trade(5000, 1, 12_000, 5),)
    script = {1: lambda desk, _: desk.market(1, 3), 3: lambda desk, _: desk.limit(-1, 12_000, 3)}
    result, _ = coin_run(script, *rows)
    assert fills(result) == [(2000, 3, 10_100, 0), (5000, -3, 12_000, 1)]
    assert result.cash == pytest.approx(10 + 300 / 10_100 - 300 / 12_000 - 0.3 / 10_100, abs=2e-8)


def test_equity_of_a_coin_margined_contract_at_the_middle():
    """Held at (9,900 + 10,100) ÷ 2: 300 · (1/10,100 − 1/10,000) coins."""
    result, _ = coin_run({1: lambda desk, _: desk.market(1, 3)})
    assert result.equity == pytest.approx(10 + 300 / 10_100 - 300 / 10_000 - 0.3 / 10_100, abs=2e-8)


def test_funding_of_a_coin_margined_contract_is_paid_in_coins():
    """0.1 % of 300 USD at a mark of 10,000: 0.00003 BTC."""
    result, _ = coin_run(
        {1: lambda desk, _: desk.market(1, 3)},
        funding=due_rows(DueKind.FUNDING, (6000,), (100_000,), price=(10_000,)),
    )
    paid = result.fills[result.fills["kind"] == FillKind.FUNDING]
    assert paid["realised"].tolist() == [-3_000]


def test_a_coin_margined_short_is_liquidated_where_the_coins_run_out():
    """10 contracts sold at 9,900 (1,000 USD: 0.101010 BTC) on 0.01 BTC: equity at u = 1/P is 0.01 − 0.000101 + 1,000 ·
    (u − 1/9,900), maintenance 0.5 % of 1,000 u: used up at 995 u = 0.0911112, P = 10,920.7."""
    script = {1: lambda desk, _: desk.market(-1, 10)}
    for mark, count in ((10_919.0, 1), (10_922.0, 2)):
        result, _ = coin_run(script, cash=0.01, marks=np.array([(6000, mark)], MARK))
        assert len(result.fills) == count
    assert result.fills["kind"].tolist() == [FillKind.TRADE, FillKind.LIQUIDATION]
    assert fills(result)[1] == (6000, 10, 10_100, 0)


def test_the_tier_of_a_position_bounds_its_leverage():
    """Up to 1,000 USDT at 20 ×, beyond at 10 ×, and 20 × are set: 9 at 101 may be held, 10 may not."""
    tiers = TierTable(0, [Tier(Decimal(1_000), Decimal("0.01"), 20), Tier(Decimal(10_000), Decimal("0.02"), 10)])
    terms = MarginSettings().terms([ONE], {ONE.id: [tiers]}, 20.0)
    for lots, refused in ((9, []), (10, [("REJECTED", "LEVERAGE_LIMIT")])):
        script = {1: lambda desk, _, n=lots: desk.limit(1, 101, n)}
        result, _ = run(script, leverage=20.0, given={"margin": terms})
        assert ended(result) == refused


def test_tiers_change_at_their_date():
    """From 5 ms on the maintenance rate is 5 % instead of 0.5 %: 100 USDT no longer hold 10 at a mark of 95."""
    tables = [
        TierTable(since, [Tier(Decimal(10_000), Decimal(rate), 125)]) for since, rate in ((0, "0.005"), (5000, "0.05"))
    ]
    terms = MarginSettings(tiers="venue").terms([ONE], {ONE.id: tables}, 100.0)
    for moment, kinds in ((4000, [FillKind.TRADE]), (6000, [FillKind.TRADE, FillKind.LIQUIDATION])):
        given = {"margin": terms, "marks": np.array([(moment, 95.0), (moment + 1, 100.0)], MARK)}
        result, _ = run({1: lambda desk, _: desk.market(1, 10)}, cash=100.0, given=given)
        assert result.fills["kind"].tolist() == kinds
