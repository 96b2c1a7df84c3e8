"""The order-book lane's kernels and their readable Python faces give the same bytes, whatever a strategy sends."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = '''
import hashlib
import sys

import numpy as np

from booked import ONE, made_up, settings_with
from contracts import inverse
from truewind.domain.due import DueKind, due_rows
from truewind.domain.order import TimeInForce, TriggerSource
from truewind.engine.book_lane import BookLane
from truewind.execution.simulated.book_state import MARK
from truewind.portfolio.margin import MarginSettings
from truewind.strategies.book import BookStrategy


class Everything(BookStrategy):
    """All that can be sent, and withdrawn, as the time and what is seen decide."""

    timer_us = 700

    def on_timer(self):
        desk = self.desk
        bid, ask, number = desk.best_bid, desk.best_ask, desk.now_us // 700 % 17
        if not bid or not ask:
            return
        side = 1 if desk.displayed(1, bid) >= desk.displayed(-1, ask) else -1
        near, working = (bid if side > 0 else ask), desk.working()
        source = TriggerSource(number % 3)
        if number < 3:
            desk.limit(side, near - side, 2 + number, stop_loss=near - 7 * side, take_profit=near + 4 * side)
        elif number < 5:
            desk.limit(side, near, 3, TimeInForce(number - 2), expires_us=desk.now_us + 3000)
        elif number == 5:
            desk.market(-side, 3, take_profit=near - 3 * side)
        elif number == 6:
            desk.trailing_stop(-side, 2, trail=2, trigger_by=source)
        elif number == 7:
            desk.trailing_stop(side, 2, trail_percent=0.3, activation=near - 2 * side)
        elif number == 8:
            desk.limit(side, near - 2 * side, 2, group=5)
            desk.stop(side, near + 3 * side, 2, group=5, trigger_by=source)
        elif number == 9:
            desk.take_profit(-side, near + 3 * side, 3, near + 2 * side, trigger_by=source, reduce_only=True)
        elif number == 10 and working:
            desk.limit(side, near - side, 1, parent=working[0].id)
        elif number == 11:
            desk.market(-side, 5, reduce_only=True)
        elif number in (12, 14) and working:
            desk.amend(working[-1].id, near - side, 1 + number % 5, trigger=near + 5, trail=3)
        elif number == 13 and working:
            desk.cancel(working[0].id)

    def on_trade(self, trade):
        if trade.lots > 6 and len(self.desk.working()) < 9:
            self.desk.limit(trade.side, trade.ticks, 1, post_only=True)

    def on_report(self, report):
        if report.kind == 9:
            self.desk.cancel(report.order)


events = made_up(11, 2500)
span = int(events["ts_event"][-1])
times = np.arange(1, 40) * (span // 40)
steps = np.random.default_rng(5).integers(-8, 9, len(times))
marks = np.array([(ts, 1000.0 + step) for ts, step in zip(times, steps)], MARK)
funding = due_rows(DueKind.FUNDING, times[::7], [30_000] * len(times[::7]), price=[1000] * len(times[::7]))
kinds = []
for mode, instrument, cash, queue in (
    ("one_way", ONE, 400.0, "power"), ("hedge", ONE, 900.0, "log"), ("isolated", ONE, 900.0, "conservative"),
    ("hedge", inverse(tick="1"), 0.5, "power"),
):
    terms = MarginSettings(
        position_mode="hedge" if mode == "hedge" else "one_way", mode="isolated" if mode == "isolated" else "cross"
    ).terms([instrument], {}, 100.0)
    options = settings_with(
        queue={"model": queue}, latency={"model": "lognormal", "entry_ms": 0.7, "load_ms": 0.1}, sample_ms=2.0
    )
    lane = BookLane(
        events, instrument, cash=cash, settings=options, margin=terms, marks=marks, indices=marks[::3].copy(),
        funding=funding,
    )
    result = lane.run(Everything())
    kinds += result.fills["kind"].tolist()
    data = b"".join(np.ascontiguousarray(rows).tobytes() for rows in (result.fills, result.reports, result.samples))
    print(mode, instrument.symbol, len(result.fills), len(result.reports), hashlib.sha256(data).hexdigest())
print(sorted(set(kinds)))
'''


def test_the_book_lane_is_the_same_as_plain_python():
    """One-way, hedged, isolated and coin-margined: equal fills, reports and samples, liquidations among them."""
    tests = Path(__file__).parent.parent
    told = []
    for mode in ("compiled", "python"):
        environment = {**os.environ, "TRUEWIND_KERNELS": mode}
        environment["PYTHONPATH"] = os.pathsep.join([str(tests), environment.get("PYTHONPATH", "")])
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.splitlines())
    assert told[0] == told[1]
    assert all(int(line.split()[2]) > 20 for line in told[0][:-1])
    assert told[0][-1] == "[0, 1, 2]"
