"""Funding, mark price and liquidation on an order book, reckoned by hand. Maintenance margin: 0.5 %; fee: 1.25 %."""

import numpy as np
import pytest

from booked import END, ONE, Script, fills, level, reasons, run, settings_with, timeline, trade
from truewind.domain.book import Report
from truewind.domain.due import DueKind, due_rows
from truewind.domain.fill import FillKind
from truewind.domain.order import Reason
from truewind.engine.book_lane import BookLane
from truewind.execution.simulated.book_state import MARK
from truewind.portfolio.margin import MarginSettings

BUY = {1: lambda desk, _: desk.market(1, 10)}  # 10 at 101, fee 1.01


def funding(*rows):
    times, rates, marks = zip(*rows, strict=True)
    return {"funding": due_rows(DueKind.FUNDING, times, rates, price=marks)}


def marks(*rows):
    return {"marks": np.array(list(rows), MARK)}


def test_funding_is_paid_on_the_mark_at_its_time():
    """0.01 % of 10 × 100 is 0.1; before the purchase nothing is due; without a mark of its own the middle, 100."""
    for mark in (100, 0):
        result, _ = run(BUY, given=funding((1500, 10_000, mark), (5000, 10_000, mark)))
        paid = result.fills[result.fills["kind"] == FillKind.FUNDING]
        assert [(int(row["ts"]), int(row["realised"])) for row in paid] == [(5000, -10_000_000)]
        assert result.cash == pytest.approx(1_000_000 - 1.01 - 0.1)


def test_funding_comes_before_what_happens_at_the_same_time():
    """The order arrives at 2,000: at that moment nothing is held yet."""
    result, _ = run(BUY, given=funding((2000, 10_000, 100)))
    assert fills(result) == [(2000, 10, 101, 0)]


def test_the_mark_price_decides_and_the_book_pays():
    """100 USDT hold 10 at 101. At a mark of 91.5 equity is 3.99, less than 4.575: sold at the displayed 99 the loss is
    20, and the fee 12.375."""
    given = marks((3000, 92.0), (4000, 91.5), (5000, 80.0))
    result, strategy = run(BUY, cash=100.0, given=given)
    assert fills(result) == [(2000, 10, 101, 0), (4000, -10, 99, 0)]
    assert result.fills["kind"].tolist() == [FillKind.TRADE, FillKind.LIQUIDATION]
    assert result.cash == pytest.approx(100 - 1.01 - 20 - 12.375)
    assert strategy.heard[-1] == ("LIQUIDATED", 4000, 5000, 99, 10)
    assert strategy.desk.position == 0


def test_before_a_liquidation_our_orders_are_withdrawn():
    """The ask at 105 and the waiting stop end with the reason."""
    script = {**BUY, 3: lambda desk, _: desk.limit(-1, 105, 2), 4: lambda desk, _: desk.stop(-1, 95, 2)}
    result, _ = run(script, cash=100.0, given=marks((8000, 91.5)))
    ended = result.reports[result.reports["kind"] == Report.CANCELLED]
    assert ended["reason"].tolist() == [Reason.LIQUIDATION] * 2


def test_without_marks_margin_goes_by_the_middle_and_the_fund_pays_what_is_lacking():
    """Bids fall to 91, asks to 92: at 91.5 all is sold at 91, a loss of 100; the insurance fund makes good 1.01."""
    rows = (
        level(6000, 1, 99, 0, last=0), level(6000, 1, 98, 0, last=0), level(6000, 1, 91, 20, last=0),
        level(6000, -1, 101, 0, last=0), level(6000, -1, 102, 0, last=0), level(6000, -1, 92, 20),
    )  # fmt: skip
    result, _ = run(BUY, *rows, cash=100.0, sample_ms=1.0)
    assert fills(result)[1:] == [(6000, -10, 91, 0), (6000, 0, 91, 0)]
    insured = result.fills[result.fills["kind"] == FillKind.INSURANCE]
    assert insured["realised"].tolist() == [101_000_000]
    assert result.cash == 0.0


def test_what_the_book_cannot_take_goes_at_the_bankruptcy_price():
    """3 are bid at 99. Nothing is left at 91.5 − 3.99 ÷ 10 = 91.101, so 7 go at 91: 76 are lost; fee 1.25 % of 934."""
    rows = (level(2500, 1, 99, 3, last=0), level(2500, 1, 98, 0))
    result, _ = run(BUY, *rows, cash=100.0, given=marks((4000, 91.5)))
    assert fills(result)[1:] == [(4000, -3, 99, 0), (4000, -7, 91, 0)]
    assert result.cash == pytest.approx(100 - 1.01 - 76 - 11.675)


def test_isolated_margin_is_all_that_can_be_lost():
    """At leverage 10 the position has a wallet of 101: at a mark of 91 it is used up, though the account has 10,000."""
    terms = MarginSettings(mode="isolated").terms([ONE], {}, 10.0)
    result, _ = run(
        BUY, trade(9000, -1, 99, 1), cash=10_000.0, leverage=10.0, given={"margin": terms} | marks((4000, 91.0))
    )
    assert result.fills["kind"].tolist() == [FillKind.TRADE, FillKind.LIQUIDATION]
    assert result.cash == pytest.approx(10_000 - 1.01 - 20 - 12.375)


@pytest.mark.parametrize(
    ("rows", "act", "price"),
    [
        ([level(0, 1, 99, 10)], lambda desk, lots: desk.market(-1, lots), 99),  # bids alone
        ([level(0, -1, 101, 10)], lambda desk, lots: desk.market(1, lots), 101),  # asks alone
        ([trade(0, 1, 100, 1)], lambda desk, lots: desk.limit(-1, 50, lots), 100),  # nothing but what was traded last
        ([level(0, 1, 99, 9), level(0, -1, 103, 9)], lambda desk, lots: desk.limit(-1, 50, lots), 101),  # the middle
        ([level(0, 1, 99, 9), level(0, -1, 103, 9)], lambda desk, lots: desk.limit(1, 102, lots), 102),  # a worse limit
        ([level(0, 1, 99, 9), level(0, -1, 103, 9)], lambda desk, lots: desk.limit(1, 60, lots), 101),  # a better one
        ([level(0, 1, 99, 9), level(1, 1, 99, 0)], lambda desk, lots: desk.limit(-1, 50, lots), 50),  # its own alone
    ],
)
@pytest.mark.parametrize("lots", [1, 2])
def test_what_an_order_needs_goes_by_the_best_price_that_is_known(rows, act, price, lots):
    """Without leverage lots need so many times the price: one unit of money less is not enough."""
    need = float(lots * price)
    for cash, refused in ((need, []), (need - 1e-8, [("REJECTED", "INSUFFICIENT_BALANCE")])):
        strategy = Script({1: lambda desk, _: act(desk, lots)})
        settings = settings_with(leverage=1.0, taker_fee=0.0)
        result = BookLane(timeline(*rows, END), ONE, cash=cash, settings=settings).run(strategy)
        assert [pair for pair in reasons(result) if pair[0] == "REJECTED"] == refused


@pytest.mark.parametrize(("cash", "refused"), [(222.0, 0), (221.9, 1)])
def test_what_an_order_needs_goes_by_the_book_of_the_moment_also_where_there_are_marks(cash, refused):
    """Marked at 101, the middle comes to 111 before two are asked for far below: they need two times 111."""
    rows = (
        level(0, 1, 99, 9), level(0, -1, 103, 9), level(500, -1, 103, 0), level(500, -1, 113, 9), level(500, 1, 109, 9),
    )  # fmt: skip
    terms = MarginSettings().terms([ONE], {}, 1.0)
    given = {"margin": terms} | marks((0, 101.0), (600, 101.0))
    lane = BookLane(timeline(*rows, END), ONE, cash=cash, settings=settings_with(taker_fee=0.0), **given)
    result = lane.run(Script({1: lambda desk, _: desk.limit(1, 50, 2)}))
    assert reasons(result).count(("REJECTED", "INSUFFICIENT_BALANCE")) == refused


@pytest.mark.parametrize(("lots", "kind"), [(0, Report.AMENDED), (5, Report.AMEND_REJECTED)])
def test_an_amendment_needs_money_for_what_is_left(lots, kind):
    """2 of 4 bought at 100 with 400: the 2 that are held and the 2 that are left need all of it, one more too much."""
    script = {1: lambda desk, _: desk.limit(1, 100, 4), 5: lambda desk, me: desk.amend(me.ids[1], 99, lots)}
    given = {"margin": MarginSettings().terms([ONE], {}, 1.0)}
    result, _ = run(script, trade(3000, -1, 100, 2), cash=400.0, given=given, taker_fee=0.0)
    assert fills(result) == [(3000, 2, 100, 1)]
    assert kind in result.reports["kind"].tolist()


@pytest.mark.parametrize(("cash", "accepted"), [(100.0, 0), (101.0, 1), (202.0, 2), (302.0, 2), (303.0, 3)])
@pytest.mark.parametrize("side", [1, -1])
def test_what_rests_on_a_side_needs_money_too(side, cash, accepted):
    """Without leverage each of three orders for one lot, far from the market, needs the middle of 101 once more.

    What rests on the other side needs none, for both cannot add to the position.
    """
    rows = [level(0, 1, 99, 9), level(0, -1, 103, 9)]
    script = {n: lambda desk, _: desk.limit(side, 101 - 40 * side, 1) for n in (1, 2, 3)}
    if accepted:
        script[4] = lambda desk, _: desk.limit(-side, 101 + 40 * side, 1)
    terms = MarginSettings().terms([ONE], {}, 1.0)  # the venue's leverage; the risk gate's is 100
    lane = BookLane(timeline(*rows, END), ONE, cash=cash, settings=settings_with(taker_fee=0.0), margin=terms)
    kinds = lane.run(Script(script)).reports["kind"].tolist()
    assert kinds.count(Report.ACCEPTED) == accepted + (1 if accepted else 0)
    assert kinds.count(Report.REJECTED) == 3 - accepted


@pytest.mark.parametrize("lots", [10, 1])
@pytest.mark.parametrize("side", [1, -1])
def test_equity_is_the_cash_and_what_the_position_has_gained_at_the_middle(side, lots):
    """Bought at 101 or sold at 99, the middle at 100, fee 0.1 %; then bids and asks come to a middle of 104."""
    rows = (level(5000, 1, 103, 5), level(5000, -1, 101, 0), level(5000, -1, 102, 0), level(5000, -1, 105, 5))
    result, _ = run({1: lambda desk, _: desk.market(side, lots)}, *rows, sample_ms=1.0)
    equity = dict(zip(result.samples["ts"].tolist(), result.samples["equity"].tolist(), strict=True))
    spent = lots * (1 + 0.001 * (100 + side))  # half the spread of 2, and the fee
    assert equity[1000] / result.scale == 1_000_000
    assert equity[4000] / result.scale == pytest.approx(1_000_000 - spent, abs=1e-6)
    assert equity[7000] / result.scale == pytest.approx(1_000_000 - spent + 4 * lots * side, abs=1e-6)
