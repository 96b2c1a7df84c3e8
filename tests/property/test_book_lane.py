"""The order-book lane under random strategies and markets: what must hold for every order, fill and queue."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booked import ONE, made_up, settings_with
from profiles import examples
from truewind.domain.book import BookKind, Report
from truewind.domain.fill import FillKind
from truewind.domain.order import LIFE_CYCLE, Event, Status, TimeInForce
from truewind.engine.book_lane import BookLane
from truewind.execution.simulated.book_state import RESTS
from truewind.strategies.book import BookStrategy

ENTRY_US = 700
STEPS = {
    Report.SUBMITTED: Event.SUBMIT,
    Report.ACCEPTED: Event.ACCEPT,
    Report.REJECTED: Event.REJECT,
    Report.PARTIALLY_FILLED: Event.PARTIAL_FILL,
    Report.FILLED: Event.FILL,
    Report.CANCELLED: Event.CANCEL,
    Report.EXPIRED: Event.EXPIRE,
    Report.TRIGGERED: Event.TRIGGER,
    Report.HELD: Event.HOLD,
}
acts = st.tuples(
    st.sampled_from(
        ["limit", "market", "stop", "take", "trail", "bracket", "pair", "child", "amend", "cancel", "nothing"]
    ),
    st.sampled_from([1, -1]),
    st.integers(-4, 4),
    st.integers(1, 12),
    st.sampled_from(list(TimeInForce)),
    st.booleans(),
)


class Random(BookStrategy):
    """Does one act of the script at each timer, and looks at its queues."""

    timer_us = 900

    def __init__(self, script):
        super().__init__()
        self.script, self.calls = script, 0

    def on_timer(self):
        desk = self.desk
        for order in desk._state.arrays["book_orders"]:
            if order["place"] == RESTS:
                shown = desk._state.books[0].lots(int(order["side"]), int(order["ticks"]))
                assert 0.0 <= order["ahead"] <= shown
        what, side, away, lots, tif, flag = self.script[self.calls % len(self.script)]
        self.calls += 1
        bid, ask = desk.best_bid, desk.best_ask
        if not bid or not ask:
            return
        ticks = (bid if side > 0 else ask) + away
        working = desk.working()
        if what == "limit":
            until = desk.now_us + 5000
            desk.limit(side, ticks, lots, tif, post_only=flag and tif is TimeInForce.GTC, expires_us=until)
        elif what == "market":
            desk.market(side, lots, reduce_only=flag)
        elif what == "stop":
            desk.stop(side, ticks + 3 * side, lots, ticks if flag else 0, reduce_only=flag)
        elif what == "take":
            desk.take_profit(side, ticks - 2 * side, lots, reduce_only=flag)
        elif what == "trail":
            desk.trailing_stop(side, lots, trail=2 + lots % 3, activation=ticks if flag else 0)
        elif what == "bracket":
            desk.limit(side, ticks, lots, stop_loss=ticks - 6 * side, take_profit=ticks + 4 * side)
        elif what == "pair":
            desk.limit(side, ticks, lots, group=7)
            desk.stop(side, ticks + 4 * side, lots, group=7)
        elif working and what == "child":
            desk.limit(side, ticks, lots, reduce_only=flag, parent=working[away % len(working)].id)
        elif working and what == "amend":
            desk.amend(working[away % len(working)].id, ticks, lots, trail=lots if flag else 0)
        elif working and what == "cancel":
            desk.cancel(working[away % len(working)].id)


@pytest.mark.parametrize("self_trade", ["expire_taker", "expire_maker", "expire_both"])
@examples(30)
@given(
    seed=st.integers(0, 10**6),
    script=st.lists(acts, min_size=3, max_size=40),
    queue=st.sampled_from(["conservative", "power", "log"]),
    cash=st.sampled_from([500.0, 1e6]),
)
def test_what_holds_for_every_order(seed, script, queue, cash, self_trade):
    events = made_up(seed, 800)
    options = settings_with(
        queue={"model": queue},
        latency={"model": "constant", "entry_ms": ENTRY_US / 1000, "reply_ms": 0.3},
        self_trade=self_trade,
        sample_ms=1.0,
    )
    result = BookLane(events, ONE, cash=cash, settings=options).run(Random(script))
    sent = lives(result.reports)
    tied(result.reports, sent)
    filled(result.fills, sent)
    displayed(events, result.fills)
    assert result.cash >= 0.0 or (result.fills["kind"] != FillKind.LIQUIDATION).all()


def lives(reports):
    """Every order goes only where the table of its life lets it; when each was sent, and what it may do."""
    status, sent = {}, {}
    for report in reports:
        kind, order = Report(int(report["kind"])), int(report["order"])
        if kind in (Report.SUBMITTED, Report.HELD) and order not in sent:
            status[order], sent[order] = Status.NEW, report
        if kind in STEPS:
            assert STEPS[kind] in LIFE_CYCLE[status[order]], (kind, status[order])
            status[order] = LIFE_CYCLE[status[order]][STEPS[kind]]
        assert report["ts_recv"] >= report["ts"]
        assert report["filled"] >= 0
    assert all(not LIFE_CYCLE[one] for one in status.values() if one is not Status.SUBMITTED)
    return sent


def tied(reports, sent):
    """A child that reduces works for no more than its parent has filled by then, one that opens once all of it has."""
    filled_lots, complete = {}, set()
    for report in reports:
        kind, order = Report(int(report["kind"])), int(report["order"])
        if order not in sent:
            continue
        parent = int(sent[order]["parent"])
        if parent and kind is Report.SUBMITTED:
            done = filled_lots.get(parent, 0)
            assert done > 0
            if sent[order]["reduce_only"]:
                assert report["lots"] <= done
            else:
                assert parent in complete
        if kind in (Report.FILLED, Report.PARTIALLY_FILLED):
            filled_lots[order] = int(report["filled"])
        if kind is Report.FILLED:
            complete.add(order)


def filled(fills, sent):
    """Nothing fills before it could arrive, nor beyond its limit; what only reduces neither opens nor turns."""
    before = 0
    for fill in fills:
        if fill["order"]:
            order = sent[int(fill["order"])]
            assert fill["ts"] >= order["ts"] + ENTRY_US
            if order["reduce_only"]:
                assert abs(fill["position"]) < abs(before)
                assert fill["position"] * before >= 0
        before = int(fill["position"])


def displayed(events, fills):
    """What takes, takes from what is displayed at its price at that moment, and never the same lots twice."""
    book, row, taken = {}, 0, {}
    for fill in fills:
        while row < len(events) and events["ts_event"][row] <= fill["ts"]:
            event = events[row]
            if event["kind"] == BookKind.LEVEL:
                level = int(event["side"]), int(event["ticks"])
                book[level] = int(event["lots"])
                taken[level] = min(taken.get(level, 0), book[level])
            row += 1
        if fill["maker"] or fill["kind"] != FillKind.TRADE:
            continue
        level = -int(fill["side"]), int(fill["price"])
        taken[level] = taken.get(level, 0) + int(fill["lots"])
        assert taken[level] <= book.get(level, 0)


@examples(20)
@given(seed=st.integers(0, 10**6), script=st.lists(acts, min_size=3, max_size=20))
def test_nothing_known_too_early(seed, script):
    """Change what happens after a moment: what was decided and filled until then stays as it was."""
    events = made_up(seed, 600)
    changed = events.copy()
    half = len(events) // 2
    changed["lots"][half:] = np.where(changed["lots"][half:] > 0, changed["lots"][half:] % 7 + 1, 0)
    options = settings_with(latency={"model": "constant", "entry_ms": 0.7, "reply_ms": 0.3})
    moment = int(events["ts_event"][half])
    past = []
    for one in (events, changed):
        result = BookLane(one, ONE, cash=1e6, settings=options).run(Random(script))
        past.append((result.fills[result.fills["ts"] < moment], result.reports[result.reports["ts"] < moment]))
    np.testing.assert_array_equal(past[0][0], past[1][0])
    np.testing.assert_array_equal(past[0][1], past[1][1])
