"""The order-book lane: queue, partial fills, arrival, liquidity taken once, and money, by hand and by property."""

import json
import os
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booked import END, FREE, ONE, START, Script, fills, level, made_up, reasons, run, settings_with, timeline, trade
from profiles import examples
from truewind.domain.book import BookKind, Report
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import Reason, TimeInForce
from truewind.domain.risk import Ruling
from truewind.engine import book_desk as desk_of
from truewind.engine.book_lane import BookLane
from truewind.engine.book_loop import ON_TIMER
from truewind.errors import StrategyError, ValidationError
from truewind.numerics.jit import kernel
from truewind.strategies.book import BookStrategy


def test_a_bid_waits_behind_what_is_displayed_and_fills_by_what_was_traded_beyond():
    """10 stand before us at 99. A sale of 8 leaves 2; the update to 2 tells of that sale; 5 more reach us by 3."""
    result, strategy = run(
        {1: lambda desk, _: desk.limit(1, 99, 4)},
        trade(3000, -1, 99, 8),
        level(3001, 1, 99, 2),
        trade(4000, -1, 99, 5),
        trade(5000, -1, 99, 9),
    )
    assert fills(result) == [(4000, 3, 99, 1), (5000, 1, 99, 1)]
    assert [name for name, *_ in strategy.heard] == ["ACCEPTED", "PARTIALLY_FILLED", "FILLED"]


def test_cancellations_shrink_the_queue_only_as_the_model_says():
    """Of 10 ahead 6 vanish unexplained while nobody stands behind: all models leave 4, and a sale of 5 gives us 1."""
    for model in ("conservative", "power", "log"):
        result, _ = run(
            {1: lambda desk, _: desk.limit(1, 99, 4)},
            level(3000, 1, 99, 4),
            trade(4000, -1, 99, 5),
            queue={"model": model},
        )
        assert fills(result) == [(4000, 1, 99, 1)]


def test_power_model_puts_part_of_the_cancellations_behind():
    """10 ahead, 10 behind, 10 cancelled, exponent 1: 5 remain ahead, so a sale of 7 gives us 2; conservatively none."""
    events = (level(3000, 1, 99, 20), level(4000, 1, 99, 10), trade(5000, -1, 99, 7))
    order = {1: lambda desk, _: desk.limit(1, 99, 4)}
    assert fills(run(order, *events, queue={"model": "power", "exponent": 1.0})[0]) == [(5000, 2, 99, 1)]
    assert fills(run(order, *events)[0]) == []


def test_a_trade_through_our_price_fills_no_more_than_was_traded():
    """A sale of 3 at 98 must have met our bid at 99 first: 3 of 4, at our price."""
    result, _ = run({1: lambda desk, _: desk.limit(1, 99, 4)}, trade(3000, -1, 98, 3))
    assert fills(result) == [(3000, 3, 99, 1)]


def test_orders_of_ours_share_one_trade_by_price_and_age():
    """A sale of 5 at 98: the better bid has its 2 first, the older at 98 waits behind 20, so 2 are all."""
    script = {
        1: lambda desk, _: desk.limit(1, 98, 3),
        2: lambda desk, _: desk.limit(1, 100, 2),
    }
    result, strategy = run(script, trade(5000, -1, 98, 5))
    assert fills(result) == [(5000, 2, 100, 1)]
    assert result.fills["order"].tolist() == [strategy.ids[2]]


def test_an_ask_displayed_at_our_bid_fills_us_up_to_what_it_shows():
    """The market falls: 3 lots are offered at our 99. We buy those once, at our price, however often they are shown."""
    result, _ = run(
        {1: lambda desk, _: desk.limit(1, 99, 5)},
        level(3000, 1, 99, 0, last=0),
        level(3000, -1, 99, 3),
        level(4000, -1, 102, 19),
        level(5000, -1, 99, 4),
    )
    assert fills(result) == [(3000, 3, 99, 1), (5000, 1, 99, 1)]


def test_inside_a_message_a_crossing_means_nothing():
    """Rows of one message are one moment: only its end counts."""
    result, _ = run(
        {1: lambda desk, _: desk.limit(1, 99, 5)},
        level(3000, -1, 99, 3, last=0),
        level(3000, -1, 99, 0),
    )
    assert fills(result) == []


def test_a_market_order_walks_the_book_and_pays_each_level():
    """15 bought: 10 at 101, 5 at 102; fee 0.1 % of 1010 + 510; sold later at nothing, worth 15 at the middle 100."""
    result, _ = run({1: lambda desk, _: desk.market(1, 15)})
    assert fills(result) == [(2000, 10, 101, 0), (2000, 5, 102, 0)]
    assert result.cash == pytest.approx(1_000_000 - 1.52)
    assert result.equity == pytest.approx(1_000_000 - 1.52 + 15 * 100 - 1520)
    assert result.fills["slippage"].sum() == 5 * 10**8  # five lots one tick beyond the best


def test_what_we_took_is_gone_for_our_next_order():
    """10 at 101 are taken once: the second order goes on at 102, also after the level was told again."""
    script = {1: lambda desk, _: desk.market(1, 10), 5: lambda desk, _: desk.market(1, 3)}
    result, _ = run(script, level(4000, -1, 101, 11))
    assert fills(result) == [(2000, 10, 101, 0), (6000, 1, 101, 0), (6000, 2, 102, 0)]


def test_a_level_that_was_gone_is_fresh_liquidity():
    """After 101 vanished and came back, what we took there before does not count any more."""
    script = {1: lambda desk, _: desk.market(1, 10), 5: lambda desk, _: desk.market(1, 3)}
    result, _ = run(script, level(3500, -1, 101, 0), level(4000, -1, 101, 10))
    assert fills(result)[1:] == [(6000, 3, 101, 0)]


def test_an_order_larger_than_the_book_expires_with_what_it_got():
    """30 lots are displayed; the rest of 50 ends with the reason."""
    result, _ = run({1: lambda desk, _: desk.market(1, 50)})
    assert result.position == 30
    assert reasons(result) == [("EXPIRED", "NO_LIQUIDITY")]


def test_nothing_fills_before_it_has_arrived():
    """Sent at 1,000 µs it arrives at 2,000: the sale at 1,999 misses it, the queue of 2,000 counts."""
    result, strategy = run(
        {1: lambda desk, _: desk.limit(1, 100, 4)},
        trade(1999, -1, 100, 50),
        trade(2001, -1, 100, 1),
    )
    assert fills(result) == [(2001, 1, 100, 1)]
    assert strategy.heard[0][:3] == ("ACCEPTED", 2000, 3000)
    assert strategy.heard[1][:3] == ("PARTIALLY_FILLED", 2001, 3001)
    assert strategy.seen == [(3000, 0), (3001, 1)]


def test_the_strategy_sees_the_book_by_the_feed_and_not_before():
    """The bid of 3,000 is heard at 3,500: at 3,400 the old one is all there is."""
    seen = []

    class Look(BookStrategy):
        timer_us = 100

        def on_timer(self):
            seen.append((self.desk.now_us, self.desk.best_bid))

    BookLane(timeline(*START, level(3000, 1, 100, 1), END), ONE, cash=1.0).run(Look())
    by_time = dict(seen)
    assert (by_time[400], by_time[500], by_time[3400], by_time[3500]) == (0, 99, 99, 100)


@pytest.mark.parametrize(
    ("tif", "post_only", "expected_fills", "expected_reasons"),
    [
        (TimeInForce.GTC, False, [10], []),
        (TimeInForce.IOC, False, [10], [("EXPIRED", "TIME_IN_FORCE")]),
        (TimeInForce.FOK, False, [], [("EXPIRED", "NOT_FILLED_AT_ONCE")]),
        (TimeInForce.GTC, True, [], [("REJECTED", "WOULD_TAKE")]),
    ],
)
def test_what_a_crossing_limit_order_may_take(tif, post_only, expected_fills, expected_reasons):
    """12 wanted at 101 where 10 are: rest, expire, nothing, or rejected."""
    result, strategy = run({1: lambda desk, _: desk.limit(1, 101, 12, tif, post_only=post_only)})
    assert result.fills["lots"].tolist() == expected_fills
    ended = [pair for pair in reasons(result) if pair[1] != "END_OF_DATA"]
    assert ended == expected_reasons
    assert len(strategy.desk.working()) == (0 if expected_reasons else 1)


def test_fill_or_kill_counts_what_is_there_over_levels():
    """30 within 102 are enough for 25, at two prices."""
    result, _ = run({1: lambda desk, _: desk.limit(1, 102, 25, TimeInForce.FOK)})
    assert fills(result) == [(2000, 10, 101, 0), (2000, 15, 102, 0)]


def test_fill_or_kill_that_may_only_reduce_asks_for_what_it_may_reduce():
    """Two are held and ten displayed: of a sale of four the two that close are there, and are sold; none more."""
    script = {
        1: lambda desk, _: desk.limit(1, 101, 2),
        3: lambda desk, _: desk.limit(-1, 99, 4, TimeInForce.FOK, reduce_only=True),
    }
    result, _ = run(script)
    assert [(lots, ticks) for _, lots, ticks, _ in fills(result)] == [(2, 101), (-2, 99)]
    assert reasons(result)[-1] == ("EXPIRED", "NOTHING_TO_REDUCE")


def test_a_cancel_races_the_fill():
    """Cancelled at 3,000, arriving at 4,000: the sale at 3,999 still fills, the cancel finds no order."""
    script = {
        1: lambda desk, _: desk.limit(1, 100, 4),
        3: lambda desk, me: desk.cancel(me.ids[1]),
    }
    result, strategy = run(script, trade(3999, -1, 100, 9))
    assert fills(result) == [(3999, 4, 100, 1)]
    assert [name for name, *_ in strategy.heard] == ["ACCEPTED", "FILLED", "CANCEL_REJECTED"]
    assert reasons(result) == [("CANCEL_REJECTED", "UNKNOWN_ORDER")]
    early, strategy = run(script, trade(4001, -1, 100, 9))
    assert fills(early) == []
    assert [name for name, *_ in strategy.heard] == ["ACCEPTED", "CANCELLED"]


def test_a_cancel_that_overtakes_its_order_finds_none():
    """With measured latencies of 5 ms then 1 ms the cancel is first; the order then works on."""
    from truewind.execution.simulated.latency import ROUND_TRIP

    trips = np.array([(1000, 5000, 100), (2000, 1000, 100)], ROUND_TRIP)
    strategy = Script({1: lambda desk, _: desk.limit(1, 100, 4), 2: lambda desk, me: desk.cancel(me.ids[1])})
    lane = BookLane(
        timeline(*START, END), ONE, cash=1e6, settings=settings_with(latency={"model": "recorded"}), round_trips=trips
    )
    lane.run(strategy)
    assert [name for name, *_ in strategy.heard] == ["CANCEL_REJECTED", "ACCEPTED"]
    assert len(strategy.desk.working()) == 1


def test_an_amendment_keeps_its_place_only_for_less_quantity():
    """10 ahead, 6 of them traded. Less keeps the 4; more goes behind the 14 that stand there then."""
    events = (trade(3000, -1, 99, 6), level(3001, 1, 99, 14), trade(9000, -1, 99, 5))
    for lots, got in ((2, [1]), (6, [])):
        script = {1: lambda desk, _: desk.limit(1, 99, 4), 5: lambda desk, me, n=lots: desk.amend(me.ids[1], 99, n)}
        result, strategy = run(script, *events)
        assert result.fills["lots"].tolist() == got
        assert "AMENDED" in [name for name, *_ in strategy.heard]


def test_an_amended_price_takes_what_it_crosses_and_less_than_filled_cancels():
    """To 101 it becomes a taker of 4; to no more than its 4 filled lots it ends."""
    result, _ = run({1: lambda desk, _: desk.limit(1, 99, 4), 5: lambda desk, me: desk.amend(me.ids[1], 101, 4)})
    assert fills(result) == [(6000, 4, 101, 0)]
    script = {1: lambda desk, _: desk.limit(1, 101, 12), 5: lambda desk, me: desk.amend(me.ids[1], 101, 10)}
    _, strategy = run(script)
    assert [name for name, *_ in strategy.heard][-1] == "CANCELLED"


def test_a_post_only_order_that_is_moved_to_where_it_would_take_is_cancelled():
    """Binance USD-M, Modify Order: a GTX order whose new price would have it executed at once is cancelled. One tick
    below the best ask of 101 it rests."""
    for ticks, told in ((100, ("EXPIRED", "END_OF_DATA")), (101, ("CANCELLED", "WOULD_TAKE"))):
        script = {
            1: lambda desk, _: desk.limit(1, 99, 4, post_only=True),
            5: lambda desk, me, at=ticks: desk.amend(me.ids[1], at, 4),
        }
        result, _ = run(script)
        assert fills(result) == []
        assert reasons(result) == [told]


def test_we_never_trade_with_ourselves():
    """Our ask rests at 100; a bid of ours at 101 would meet it before the others': it expires."""
    script = {1: lambda desk, _: desk.limit(-1, 100, 2), 3: lambda desk, _: desk.limit(1, 101, 5)}
    result, _ = run(script)
    assert fills(result) == []
    assert ("EXPIRED", "SELF_TRADE") in reasons(result)


def test_spot_cannot_be_sold_before_it_is_owned():
    """No coins, no sale; of three bought and one offered, two more can be sold and not three."""
    spot = Instrument(
        symbol="ONE", venue="synthetic", kind=Kind.SPOT, base="ONE", quote="USDT", tick_size=Decimal(1),
        lot_size=Decimal(1),
    )  # fmt: skip
    script = {
        1: lambda desk, _: desk.market(-1, 1),
        2: lambda desk, _: desk.market(1, 3),
        6: lambda desk, _: desk.limit(-1, 120, 1),
        9: lambda desk, _: desk.market(-1, 3),
        12: lambda desk, _: desk.market(-1, 2),
    }
    result, _ = run(script, instrument=spot, cash=1000.0, leverage=1.0)
    assert reasons(result)[:2] == [("REJECTED", "NO_SHORT")] * 2
    assert result.position == 1


def test_the_risk_gate_cuts_orders_and_counts_those_it_denies():
    """Position cap 1 × equity of 1,000 at about 100: 10 of 25 lots are sent, then nothing more."""
    risk = {"max_position": 1.0, "max_exposure": 1.0, "max_gross": 10.0, "max_drawdown": 0.2}
    script = {1: lambda desk, _: desk.limit(1, 99, 25), 2: lambda desk, _: desk.limit(1, 99, 25)}
    result, strategy = run(script, cash=1000.0, risk=risk)
    assert [order.lots for order in strategy.desk.working()] == [10]
    assert (strategy.ids[2], result.denied) == (0, 1)
    told = [(Ruling(row["ruling"]), row["order"] > 0, row["asked"], row["allowed"]) for row in result.verdicts]
    assert told == [(Ruling.REDUCED, True, 25, 10), (Ruling.DENIED, False, 25, 0)]
    assert {Reason(reason) for reason in result.verdicts["reason"].tolist()} == {Reason.POSITION_CAP}


def test_an_order_takes_no_more_than_its_share_of_what_is_displayed():
    """30 are offered (10 at 101, 20 at 102) and 30 bid for: half of either. What reduces takes what it wants."""
    risk = FREE | {"max_depth_share": 0.5}
    script = {1: lambda desk, _: desk.market(1, 25), 6: lambda desk, _: desk.market(-1, 15)}
    result, _ = run(script, cash=1e6, risk=risk)
    assert result.reports["lots"][result.reports["kind"] == Report.SUBMITTED].tolist() == [15, 15]
    assert [Reason(reason) for reason in result.verdicts["reason"].tolist()] == [Reason.DEPTH_CAP]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (trade(5, 1, 0, 1), "price below one tick"),
        (level(5, 1, 100, -1), "negative quantity"),
        (level(5, 0, 100, 1), "neither 1 nor −1"),
        (level(-5, 1, 100, 1), "before the one before"),
        (level(5, 1, 100, 1, feed=-1), "received before it happened"),
        ((5, 5, 1, 100, 9, 1, 1), "no known kind"),
    ],
)
def test_events_that_no_book_can_have_are_refused(row, message):
    """Each with its row and time."""
    with pytest.raises(ValidationError, match=message):
        BookLane(timeline(*START, row), ONE, cash=1000.0)


def test_a_strategy_that_raises_is_told_with_its_time():
    """The error names the strategy and when."""

    def fail(desk, me):
        raise ZeroDivisionError("oops")

    with pytest.raises(StrategyError, match=r"Script raised ZeroDivisionError at 1970-01-01.*oops"):
        run({1: fail})


# -- the same strategy compiled and not, and properties on made-up markets -----------------------------------------


@kernel
def make_market(wake, lane, memory):
    """Quote two lots a tick outside the best prices, within ±6 lots; take 3 at market every 40th time."""
    bid, ask = desk_of.best_bid(lane) - 1, desk_of.best_ask(lane) + 1
    if bid < 1 or ask < 2:
        return
    memory[0] += 1
    has_bid = has_ask = False
    for j in range(desk_of.working(lane)):
        order = desk_of.order_at(lane, j)
        wanted = bid if order.side > 0 else ask
        if order.ticks == wanted:
            has_bid, has_ask = has_bid or order.side > 0, has_ask or order.side < 0
        elif order.is_settled:
            desk_of.cancel(lane, order.id)
    held = desk_of.position(lane)
    if not has_bid and held < 6:
        desk_of.limit(lane, 1, bid, 2, 0, 0, 1)
    if not has_ask and held > -6:
        desk_of.limit(lane, -1, ask, 2, 0, 0, 2)
    if memory[0] % 40 == 0:
        desk_of.market(lane, 1 if held <= 0 else -1, 3, 0, 3)


class MarketMaker(BookStrategy):
    """`make_market`, as an object."""

    timer_us = 700

    def __init__(self):
        self.calls = 0

    def on_timer(self):
        desk = self.desk
        bid, ask = desk.best_bid - 1, desk.best_ask + 1
        if bid < 1 or ask < 2:
            return
        self.calls += 1
        has = {1: False, -1: False}
        for order in desk.working():
            if order.ticks == (bid if order.side > 0 else ask):
                has[order.side] = True
            elif order.is_settled:
                desk.cancel(order.id)
        held = desk.position
        if not has[1] and held < 6:
            desk.limit(1, bid, 2, tag=1)
        if not has[-1] and held > -6:
            desk.limit(-1, ask, 2, tag=2)
        if self.calls % 40 == 0:
            desk.market(1 if held <= 0 else -1, 3, tag=3)


@pytest.mark.parametrize("model", ["constant", "lognormal"])
def test_compiled_and_python_strategies_do_the_same_to_the_last_unit(model):
    """One strategy, twice: equal reports, fills and samples, whatever the latency draws."""
    events = made_up(1, 8000)
    options = settings_with(latency={"model": model, "entry_ms": 1, "reply_ms": 1}, queue={"model": "power"})
    lane = BookLane(events, ONE, cash=1e6, settings=options)
    compiled = lane.run_compiled(make_market, np.zeros(1, np.int64), wakes=ON_TIMER, timer_us=700)
    plain = lane.run(MarketMaker())
    assert len(plain.fills) > 100
    for name in ("fills", "reports", "samples"):
        np.testing.assert_array_equal(getattr(compiled, name), getattr(plain, name))


@examples(25)
@given(st.integers(0, 10**6), st.sampled_from(["conservative", "power", "log"]))
def test_properties_hold_on_any_market(seed, queue):
    """Takers never get more than was displayed, nothing fills before arrival, and the money adds up to nothing lost."""
    events = made_up(seed, 1500)
    options = settings_with(queue={"model": queue, "exponent": 2.0}, latency={"model": "lognormal", "entry_ms": 0.5})
    result = BookLane(events, ONE, cash=1e6, settings=options).run(MarketMaker())
    arrived = {}
    for report in result.reports:
        if report["kind"] == Report.ACCEPTED:
            arrived[int(report["order"])] = int(report["ts"])
        if report["kind"] in (Report.FILLED, Report.PARTIALLY_FILLED):
            assert report["ts"] >= arrived[int(report["order"])]
    largest = events["lots"][events["kind"] == BookKind.LEVEL].max()
    takers = result.fills[result.fills["maker"] == 0]
    assert (takers["lots"] <= largest).all()
    paid = (result.fills["side"] * result.fills["notional"]).sum()
    cost = int(result.fills["cost"][-1]) if len(result.fills) else 0
    assert round(result.cash * 10**8) == 10**14 - paid + cost - result.fills["fee"].sum()
    makers = result.fills[result.fills["maker"] == 1]
    traded = events["lots"][events["kind"] == BookKind.TRADE].sum()
    shown = events["lots"][events["kind"] == BookKind.LEVEL].sum()
    assert makers["lots"].sum() <= traded + shown


def test_the_kernels_do_the_same_as_plain_python(tmp_path):
    """The whole lane once with compiled kernels and once without: the same fills and reports, byte for byte."""
    script = tmp_path / "lane.py"
    script.write_text(
        "import sys, json, hashlib\n"
        f"sys.path[:0] = [{os.path.dirname(__file__)!r}, {os.path.dirname(os.path.dirname(__file__))!r}]\n"
        "from test_book_lane import *\n"
        "lane = BookLane(made_up(3, 1200), ONE, cash=1e6, settings=settings_with(queue={'model': 'log'}))\n"
        "result = lane.run(MarketMaker())\n"
        "print(json.dumps([len(result.fills), hashlib.sha256(result.fills.tobytes() + result.reports.tobytes() + "
        "result.samples.tobytes()).hexdigest()]))\n"
    )
    found = []
    for kernels in ("compiled", "python"):
        environment = {**os.environ, "TRUEWIND_KERNELS": kernels}
        done = subprocess.run(
            [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[0] == found[1]
    assert found[0][0] > 10
