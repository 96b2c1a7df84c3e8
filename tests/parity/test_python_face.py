"""Compiled kernels and their readable Python faces give the same bytes: fills, events of orders, and equity."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from truewind.domain.order import Event

_EVENTS = (
    Event.DENY,
    Event.SUBMIT,
    Event.HOLD,
    Event.ACCEPT,
    Event.PARTIAL_FILL,
    Event.FILL,
    Event.CANCEL,
    Event.EXPIRE,
)

SCRIPT = '''
import sys

import numpy as np
from scripted import MINUTE, columns, perpetual, play, spot

from truewind.domain.due import SWAP_SCALE, DueKind, due_rows, in_order
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.execution.simulated.costs import CostSettings
from truewind.risk.gate import RiskSettings
from truewind.strategies.base import SignalStrategy, Strategy
from truewind.strategies.sizing import SizingSettings
from truewind.execution.simulated.latency import OrderLatency


def walk(seed, rows, wild):
    random = np.random.default_rng(seed)
    close = 1000 + np.cumsum(random.integers(-9, 10, rows) * wild)
    close = np.maximum(close, 200)
    opened = np.concatenate([[1000], close[:-1]]) + random.integers(-2, 3, rows)
    high = np.maximum(opened, close) + random.integers(0, 6, rows)
    low = np.minimum(opened, close) - random.integers(0, 6, rows)
    return columns([tuple(float(x) / 10 for x in bar) for bar in zip(opened, high, low, close)])


class Orders(Strategy):
    """Everything that can be sent, and withdrawn, as its own past decides; reckless enough to be liquidated."""

    def on_bar(self, bar):
        at, number = bar.close, int(round(bar.close * 10)) % 23
        how = {"symbol": bar.symbol}
        if number < 3:
            self.buy(3 + number, stop_loss=at - 3, take_profit=at + 4, **how)
        elif number < 5:
            self.sell(4, stop_loss=at + 3, take_profit=at - 2, **how)
        elif number == 6:
            self.buy(2, limit=at - 1.27, stop_loss=at - 5, **how)
        elif number == 7:
            self.sell(2, stop=at - 1.03, take_profit=at - 4, **how)
        elif number == 8:
            self.cancel_all(bar.symbol)
        elif number == 9:
            self.close(bar.symbol)
        elif number == 10:
            self.sell(30, **how)

    def on_fill(self, fill):
        if fill.tag == 0 and fill.position > 8:
            self.sell(1, symbol=fill.symbol, limit=fill.price + 2, reduce_only=True, tag=1)


class Reckless(Strategy):
    """All in, again and again, beside a spot holding whose losses count too."""

    def on_bar(self, bar):
        if bar.symbol != "AAA" and not self.position(bar.symbol).quantity:
            share = 14 if bar.symbol == "BBB" else 2
            quantity = share * max(self.account.equity, 0) / bar.close
            self.order(-1 if bar.symbol == "BBB" else 1, quantity, symbol=bar.symbol)


class Signals(SignalStrategy):
    @staticmethod
    def decide(row, position, params):
        number = int(round(row.close * 10)) % 13
        if number < 2:
            return Signal(Want.LONG, stop=row.close - 2, target_1=row.close + 1, target_2=row.close + 3)
        if number < 4:
            return Signal(Want.SHORT, stop=row.close + 2.5, entry=row.close + 0.5, horizon_us=9 * MINUTE, reason=3)
        return FLAT if number == 4 else HOLD


def others(at):
    tables = [
        due_rows(DueKind.SWAP, at * MINUTE, -3 * SWAP_SCALE, SWAP_SCALE),
        due_rows(DueKind.BORROW, (at + np.arange(0, 90, 9)) * MINUTE, 5_000_000, 2, 1_000),
        due_rows(DueKind.DIVIDEND, (at + np.arange(0, 90, 9)) * MINUTE, 123_456_789, 10),
        due_rows(DueKind.SPLIT, (at + np.arange(10, 90, 20)) * MINUTE, 3, 2),
        due_rows(DueKind.SPLIT, (at + np.arange(20, 90, 20)) * MINUTE, 2, 3),
    ]
    return in_order(*tables)


everything = {"AAA": others(5), "BBB": others(40), "OWN": due_rows(DueKind.SETTLEMENT, 280 * MINUTE, 50_000)}


def fills_and_all(strategy, share=None, costs={}, latency=OrderLatency(), **how):
    bars = {"AAA": walk(1, 400, 1), "BBB": walk(2, 250, 2), "OWN": walk(3, 300, 1)}
    engine = play(
        bars, strategy, instruments=[perpetual("AAA"), perpetual("BBB", tick="0.05", lot="0.03"), spot("OWN")],
        costs=CostSettings(half_spread_bps=3, volume_share=share, **costs),
        funding={name: [(i * 16 * MINUTE + 7, 0.0003, 0.0 if i % 2 else 99.0) for i in range(1, 24)]
                 for name in ("AAA", "BBB")},
        latency=latency, **how,
    )
    return engine.fills, engine.events, engine.equity


signals = Signals()
signals.sizing = SizingSettings(method="risk", value=0.02)
wide = RiskSettings.unlimited().model_copy(update={"max_position": 30.0, "max_gross": 50.0})
tight = RiskSettings(max_position=1.5, max_exposure=0.3, max_gross=2, max_drawdown=0.5, cooldown_minutes=None)
names = ("fills", "events", "equity")
drawn = {"limit_fill": "touch", "fill_probability": 0.5, "impact_law": "volume_share"}
runs = {
    "orders": fills_and_all(Orders(), cash=6000.0, limits=wide),
    "dues": fills_and_all(Orders(), cash=6000.0, limits=wide, dues=everything),
    "held": fills_and_all(Reckless(), cash=1e6, limits=wide, dues=everything),
    "parts": fills_and_all(Orders(), 1.0, drawn, OrderLatency(model="lognormal", sigma=2.0), cash=6000.0, limits=wide),
    "ruin": fills_and_all(Reckless(), cash=1e6, limits=wide),
    "signals": fills_and_all(signals, cash=3000.0, limits=tight, leverage=5),
}
np.savez(sys.argv[1], **{f"{run} {name}": array for run, arrays in runs.items() for name, array in zip(names, arrays)})
'''


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The same runs by compiled code and by Python, each in a process of its own."""
    folder = tmp_path_factory.mktemp("faces")
    (folder / "script.py").write_text(SCRIPT)
    support = Path(__file__).resolve().parents[1]
    found = {}
    for mode in ("compiled", "python"):
        path = os.pathsep.join([str(support), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"TRUEWIND_KERNELS": mode, "PYTHONPATH": path}
        command = [sys.executable, str(folder / "script.py"), str(folder / f"{mode}.npz")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found[mode] = np.load(folder / f"{mode}.npz")
    return found


@pytest.mark.parametrize("run", ["orders", "parts", "signals", "ruin"])
@pytest.mark.parametrize("what", ["fills", "events", "equity"])
def test_compiled_and_python_agree_bit_for_bit(faces, run, what):
    """Two perpetuals and a spot market with funding, brackets, limits, stops, caps and liquidations."""
    compiled, python = (faces[mode][f"{run} {what}"] for mode in ("compiled", "python"))
    assert len(compiled) > 5
    assert compiled.dtype == python.dtype
    assert compiled.tobytes() == python.tobytes()


def test_the_run_goes_everywhere(faces):
    """What is compared has trades, funding, liquidations, makers, takers, and every event of these orders' lives."""
    fills, events = faces["compiled"]["orders fills"], faces["compiled"]["orders events"]
    runs = [faces["compiled"][f"{name} fills"]["kind"].tolist() for name in ("orders", "ruin", "dues", "held")]
    assert set().union(*runs) == set(range(9))
    assert set(fills["maker"]) == {0, 1}
    assert Event.PARTIAL_FILL in faces["compiled"]["parts events"]["event"]
    signals = faces["compiled"]["signals events"]
    assert set(events["event"]) | set(signals["event"]) >= set(_EVENTS)
