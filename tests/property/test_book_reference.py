"""The order-book lane and a naive venue of the same rules agree: every fill, and the end of every order, exactly."""

from itertools import groupby
from random import Random

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from booked import ONE, level, settings_with, timeline, trade
from naive_book import NaiveVenue
from profiles import examples
from truewind.domain.book import BookKind, Report
from truewind.domain.order import Reason, TimeInForce
from truewind.engine.book_lane import BookLane
from truewind.strategies.book import BookStrategy

ENDS = (Report.FILLED, Report.CANCELLED, Report.EXPIRED, Report.REJECTED)


def make_market(random, count):
    """Levels and trades within a few ticks of 100, never crossed, at odd microseconds between the timers."""
    shown = {1: {}, -1: {}}
    rows, ts = [], 1
    for _ in range(count):
        ts += random.randint(20, 700)
        ts += ts % 100 == 0
        side = random.choice([1, -1])
        best = (max if side > 0 else min)(shown[side], default=0)
        bound = (min if side > 0 else max)(shown[-side], default=100 + side)
        kind = random.random()
        if kind < 0.3 and best:
            away = random.choice([0, 0, 0, 1, 2])
            rows.append(trade(ts, -side, best - side * away, random.randint(1, 9)))
            continue
        if kind < 0.55 and shown[side]:
            ticks, lots = random.choice([best, random.choice(sorted(shown[side]))]), random.choice([0, 0, 1, 3])
        else:
            ticks, lots = bound - side * random.randint(1, 5), random.randint(1, 8)
        shown[side].pop(ticks, None)
        if lots:
            shown[side][ticks] = lots
        rows.append(level(ts, side, ticks, lots))
    return rows


def make_act(random):
    """One thing that a strategy may ask for; prices as distances from 100."""
    return {
        "what": random.choice(["limit"] * 5 + ["market", "stop", "cancel", "amend", "amend"]),
        "side": random.choice([1, -1]),
        "ticks": 100 + random.randint(-4, 4),
        "lots": random.randint(1, 9),
        "trigger": 100 + random.randint(-5, 5),
        "tif": random.choice(["gtc", "gtc", "gtc", "ioc", "fok"]),
        "flag": random.random(),
    }


class Asks(BookStrategy):
    """Asks for what the script says at each millisecond, and writes down what it has sent, and when."""

    timer_us = 1000

    def __init__(self, script):
        super().__init__()
        self.script, self.tick, self.sent = script, 0, []

    def on_timer(self):
        for act in self.script.get(self.tick, []):
            self._act(**act)
        self.tick += 1

    def _act(self, what, side, ticks, lots, trigger, tif, flag):
        desk, working, how = self.desk, self.desk.working(), {}
        if what == "limit":
            rule = TimeInForce[tif.upper()]
            how = {"post_only": flag < 0.2 and tif == "gtc", "reduce_only": 0.2 < flag < 0.4}
            number = desk.limit(side, ticks, lots, rule, **how)
            how |= {"side": side, "ticks": ticks, "lots": lots, "tif": tif}
        elif what == "market":
            how = {"reduce_only": flag < 0.3}
            number = desk.market(side, lots, **how)
            how |= {"side": side, "ticks": 0, "lots": lots}
        elif what == "stop":
            limit = trigger + (2 if flag < 0.2 else -1) * side if flag < 0.5 else 0
            number = desk.stop(side, trigger, lots, limit)
            how = {"side": side, "ticks": limit, "lots": lots, "trigger": trigger}
        elif not working:
            return
        else:
            number = working[trigger % len(working)].id
            if what == "cancel":
                sent = desk.cancel(number)
            else:
                how = {"ticks": ticks if flag < 0.6 else 0, "lots": lots if flag > 0.3 else 0, "trigger": 0}
                how["trigger"] = trigger if flag > 0.8 else 0
                sent = desk.amend(number, how["ticks"], how["lots"], trigger=how["trigger"])
            number = number if sent else 0
        if number:
            known = {"limit": "new", "market": "new", "stop": "new"}
            self.sent.append((desk.now_us, known.get(what, what), number, how))


def replay(rows, sent, latency_us, **rules):
    """The naive venue, after all that happened and all that was asked for."""
    venue = NaiveVenue(**rules)
    arrivals = [(ts + latency_us, list(asked)) for ts, asked in groupby(sent, key=lambda one: one[0])]
    happened = [(row[0], row) for row in rows]
    for ts, what in sorted(arrivals + happened, key=lambda one: one[0]):
        if isinstance(what, list):
            venue.arrive(ts, [request[1:] for request in what])
        else:
            _, _, lots, ticks, kind, side, _ = what
            (venue.level if kind == BookKind.LEVEL else venue.trade)(ts, side, ticks, lots)
    return venue


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("self_trade", ["expire_taker", "expire_maker", "expire_both"])
@examples(50)
@example(seed=3087, acts=14, count=11)  # fill-or-kill that may only reduce
@given(seed=st.integers(0, 2**32), acts=st.integers(1, 25), count=st.integers(10, 120))
def test_lane_and_naive_venue_agree(seed, acts, count, self_trade, whole):
    """Same fills (time, order, lots, price, maker), same end of each order and reason, same position."""
    random = Random(seed)
    rows, script = make_market(random, count), {}
    last = rows[-1][0] // 1000 + 2
    rows.append(level(1000 * (last + 5), 1, 1, 1))
    for _ in range(acts):
        script.setdefault(random.randint(0, last), []).append(make_act(random))
    strategy = Asks(script)
    latency = random.choice([0, 500, 1700])
    lane = BookLane(
        timeline(*rows),
        ONE,
        cash=1e9,
        settings=settings_with(
            latency={"model": "constant", "entry_ms": latency / 1000, "reply_ms": 0.3},
            self_trade=self_trade,
            whole_fills=whole,
        ),
    )
    result = lane.run(strategy)
    venue = replay(rows, strategy.sent, latency, self_trade=self_trade, whole=whole)
    found = [
        (int(f["ts"]), int(f["order"]), int(f["side"] * f["lots"]), int(f["price"]), bool(f["maker"]))
        for f in result.fills
    ]
    ends = {}
    for report in result.reports:
        kind, reason = Report(int(report["kind"])), Reason(int(report["reason"]))
        if kind in ENDS and reason is not Reason.END_OF_DATA:
            ends[int(report["order"])] = (kind.name, reason.name)
    for _, why in ends.values():
        event(why)
    assert found == venue.fills
    assert ends == {n: order.state for n, order in venue.orders.items() if isinstance(order.state, tuple)}
    assert result.position == venue.position
