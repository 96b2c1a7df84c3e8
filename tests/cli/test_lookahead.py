"""`truewind lookahead`: what it prints, and what it ends with."""

from pathlib import Path
from typing import Any

PEEKS = """
from truewind.domain.signal import FLAT, Signal, Want
from truewind.strategies.base import SignalStrategy

CLOSES = {}

class Peeks(SignalStrategy):
    def on_start(self):
        timeline = self.desk.timeline
        CLOSES.update(zip(timeline.times[0].tolist(), timeline.prices[3].tolist()))

    @staticmethod
    def decide(row, position, params):
        return Signal(Want.LONG) if CLOSES.get(row.ts + 3_600_000_000, 0.0) > row.close else FLAT
"""


def test_a_built_in_strategy_passes(run: Any, config: Path, lake: Path) -> None:
    """With the table of how its features settle; as JSON each with what it declares."""
    shown = run("lookahead", config, "--points", "4")
    assert shown.code == 0
    assert "no look-ahead found" in shown.out
    assert "settled from" in shown.out
    found = run("lookahead", config, "--points", "4", "--json").json
    assert (found["ok"], found["moments"], found["leaks"]) == (True, 4, [])
    assert {"entry_high", "signals"} <= {one["field"] for one in found["warm_up"]}
    assert not any(one["broken"] for one in found["warm_up"])


def test_one_that_peeks_ends_with_six(run: Any, config: Path, lake: Path, home: Path) -> None:
    (home / "peeks.py").write_text(PEEKS)
    changes = ("--points", "6", "--set", 'strategy={"path": "peeks.py:Peeks"}', "--set", "sizing.method=fraction")
    shown = run("lookahead", config, *changes, "--set", "data.symbols=[BTCUSDT]")
    assert shown.code == 6, shown
    assert "1 bar" in shown.out
    assert "1 leak:" in shown.out
    found = run("lookahead", config, *changes, "--set", "data.symbols=[BTCUSDT]", "--json")
    assert found.code == 6
    (leak,) = found.json["leaks"]
    assert (leak["what"], leak["symbol"], leak["ahead"]) == ("decisions", "BTCUSDT", 1)
