"""Order books by hand: one tick is 1 USDT and one lot 1 unit, so that every figure can be reckoned in the head."""

from decimal import Decimal

import numpy as np

from truewind.domain.book import BOOK_EVENT, BookKind, Report
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import Reason
from truewind.engine.book_lane import BookLane, BookSettings
from truewind.strategies.book import BookStrategy

ONE = Instrument(
    symbol="ONE", venue="synthetic", kind=Kind.PERPETUAL, base="ONE", quote="USDT", tick_size=Decimal(1),
    lot_size=Decimal(1),
)  # fmt: skip
FREE = {"max_position": 1000.0, "max_exposure": 1.0, "max_gross": 1000.0, "max_drawdown": 0.0}


def settings_with(**changes):
    latency = {"model": "constant", "entry_ms": 1.0, "reply_ms": 1.0}
    options = {"maker_fee": 0.0, "taker_fee": 0.001, "leverage": 100.0, "risk": FREE, "latency": latency, **changes}
    return BookSettings.model_validate(options)


def level(ts, side, ticks, lots, *, last=1, feed=500):
    return (ts, ts + feed, lots, ticks, BookKind.LEVEL, side, last)


def trade(ts, side, ticks, lots, *, feed=500):
    return (ts, ts + feed, lots, ticks, BookKind.TRADE, side, 1)


def timeline(*rows):
    return np.array(list(rows), BOOK_EVENT)


START = (level(0, 1, 99, 10), level(0, 1, 98, 20), level(0, -1, 101, 10), level(0, -1, 102, 20))
END = level(1_000_000, 1, 1, 1)


class Script(BookStrategy):
    """Does `script[n]` at the n-th millisecond, and keeps what it hears."""

    timer_us = 1000

    def __init__(self, script):
        self.script, self.tick, self.ids, self.heard, self.seen = script, 0, {}, [], []

    def on_timer(self):
        self.tick += 1
        act = self.script.get(self.tick)
        if act is not None:
            self.ids[self.tick] = act(self.desk, self)

    def on_report(self, report):
        self.heard.append((Report(report.kind).name, report.ts, self.desk.now_us, report.ticks, report.lots))
        self.seen.append((self.desk.now_us, self.desk.position))


def run(script, *rows, cash=1_000_000.0, instrument=ONE, given=None, **changes):
    """Run `script` on the book of START and what `rows` make of it; given: further arguments of the lane."""
    strategy = Script(script)
    lane = BookLane(
        timeline(*START, *rows, END), instrument, cash=cash, settings=settings_with(**changes), **(given or {})
    )
    result = lane.run(strategy)
    nothing_filled = ~np.isin(result.reports["kind"], (Report.FILLED, Report.PARTIALLY_FILLED, Report.LIQUIDATED))
    assert not result.reports["maker"][nothing_filled].any()
    return result, strategy


def fills(result):
    return [(int(f["ts"]), int(f["side"] * f["lots"]), int(f["price"]), int(f["maker"])) for f in result.fills]


def reasons(result):
    return [(Report(r["kind"]).name, Reason(r["reason"]).name) for r in result.reports if r["reason"]]


def made_up(seed, count):
    """A random walk of the middle with levels around it and trades at the touch; never crossed."""
    rng = np.random.default_rng(seed)
    step = rng.choice([-1, 0, 1], size=count, p=[0.1, 0.8, 0.1])
    middle = 1000 + np.cumsum(step)
    side = np.where(step != 0, -step, rng.integers(0, 2, count) * 2 - 1)
    away = np.where(step != 0, 0, rng.integers(1, 6, count))
    events = np.zeros(count, BOOK_EVENT)
    events["ts_event"] = np.cumsum(rng.integers(1, 400, count))
    events["ts_recv"] = np.maximum.accumulate(events["ts_event"] + rng.integers(50, 900, count))
    is_trade = (rng.random(count) < 0.25) & (step == 0)
    events["kind"] = np.where(is_trade, BookKind.TRADE, BookKind.LEVEL)
    events["side"] = side
    events["ticks"] = np.where(is_trade, middle + side, middle - side * away)
    events["lots"] = np.where(step != 0, 0, rng.integers(1, 9, count))
    events["last"] = 1
    return events
