"""The checks of a strategy: planted faults are found and named, and what is sound passes."""

from pathlib import Path
from typing import Any

import pytest

from truewind.backtest.check import Checked, check
from truewind.backtest.points import FAILED, NOTE, PASSED
from truewind.backtest.settings import load_config
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.storage.lake import Lake

HEAD = """
import random
from pydantic import Field
from truewind.config import Settings
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy, Strategy
"""

SOUND = """
class Sound(SignalStrategy):
    class Params(Settings):
        fast: int = Field(default=5, ge=2, le=50, description="fast average, bars")
        slow: int = Field(default=20, ge=3, le=100, description="slow average, bars")

    def features(self):
        return {"fast": f"ema({self.params.fast})", "slow": f"ema({self.params.slow})"}

    @staticmethod
    def decide(row, position, params):
        if not (row.fast == row.fast and row.slow == row.slow):
            return HOLD
        return Signal(Want.LONG) if row.fast > row.slow else FLAT
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Sixty days of hours of one symbol."""
    made = Lake(tmp_path_factory.mktemp("lake"))
    SyntheticMarket(SyntheticConfig(symbols=("BTCUSDT",), days=60, timeframe="1h")).write(made)
    return made


@pytest.fixture
def checked(lake: Lake, tmp_path: Path) -> Any:
    """Checks the strategy in a text."""

    def run(text: str, **params: Any) -> dict[str, Any]:
        file = tmp_path / "planted.py"
        file.write_text(HEAD + text)
        config = {
            "name": "planted",
            "data": {"venue": "synthetic", "symbols": ["BTCUSDT"], "timeframe": "1h"},
            "strategy": {"path": str(file), "params": params},
            "account": {"cash": 100_000},
            "sizing": {"method": "fraction", "value": 0.5},
            "risk": {"max_position": 1.0, "max_exposure": 1.0, "max_gross": 1.0},
        }
        result: Checked = check(load_config(config), lake)
        assert result.ok == all(one.verdict != FAILED for one in result.checks)
        return {one.name: one for one in result.checks}

    return run


def test_a_sound_strategy_passes_all(checked: Any) -> None:
    """And each check says on what its word rests."""
    found = checked(SOUND)
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(found, PASSED)
    assert list(found) == ["determinism", "causality", "lane parity", "missing", "bounds"]
    assert "both lanes are the same bits" in found["lane parity"].said
    assert "16 points of 2 parameters" in found["bounds"].said


PEEKS = """
CLOSES = {}

class Peeks(SignalStrategy):
    def on_start(self):
        timeline = self.desk.timeline
        CLOSES.update(zip(timeline.times[0].tolist(), timeline.prices[3].tolist()))

    @staticmethod
    def decide(row, position, params):
        return Signal(Want.LONG) if CLOSES.get(row.ts + 3_600_000_000, 0.0) > row.close else FLAT
"""

RARELY = """
class Rarely(Strategy):
    # Once in fifty bars it looks a day ahead.
    row = -1
    def on_bar(self, bar):
        self.row += 1
        closes = self.desk.timeline.prices[3]
        if self.row % 50 == 0 and self.row + 24 < len(closes) and closes[self.row + 24] > bar.close:
            self.buy(0.1)
        elif self.row % 50 == 25:
            self.close()
"""


@pytest.mark.parametrize("text", [PEEKS, RARELY])
def test_looking_ahead_is_found(checked: Any, text: str) -> None:
    """By a global that holds the prices to come, and by the engine's own columns; the first order is named."""
    found = checked(text)
    assert found["determinism"].verdict == PASSED
    assert found["causality"].verdict == FAILED
    assert "was changed, and what was before it moved: order" in found["causality"].said
    assert "known at 2024-" in found["causality"].said


def test_knowing_when_the_data_end_is_found(checked: Any) -> None:
    """Values that were changed tell nothing here; data that are cut off do."""
    found = checked("""
class Knows(Strategy):
    row = 0
    def on_bar(self, bar):
        self.row += 1
        if self.row % 100 == 50:
            self.buy(1000.0 / bar.close / (1 + len(self.desk.timeline) % 7) + 0.01 * (len(self.desk.timeline) > 1400))
        elif self.row % 100 == 0:
            self.close()
""")
    assert found["causality"].verdict == FAILED
    assert "were cut off at" in found["causality"].said


def test_lanes_that_differ_are_found(checked: Any) -> None:
    """Whole numbers are boundless in Python and have 64 bits in machine code."""
    found = checked("""
class Overflows(SignalStrategy):
    @staticmethod
    def decide(row, position, params):
        return Signal(Want.LONG) if row.ts * 3_000_017 % 7 < 3 else FLAT
""")
    assert found["causality"].verdict == PASSED
    assert found["lane parity"].verdict == FAILED
    assert "order" in found["lane parity"].said
    assert "known at 2024-" in found["lane parity"].said


def test_what_cannot_be_compiled_is_told(checked: Any) -> None:
    """It is no fault."""
    found = checked(RARELY)["lane parity"]
    assert (found.verdict, found.said) == (PASSED, "runs in the event lane only: it works with callbacks")


def test_chance_of_its_own_is_found(checked: Any) -> None:
    """What the seed of the run does not decide is another thing in each run."""
    found = checked("""
class Rolls(Strategy):
    row = 0
    def on_bar(self, bar):
        self.row += 1
        if self.row == 100:
            self.buy(round(0.1 + random.random(), 3))
""")["determinism"]
    assert found.verdict == FAILED
    assert "a second run on the same data differs: order 1 (BTCUSDT buy" in found.said


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("row.fast > row.slow", "all features missing: it sent order 1 (BTCUSDT sell"),
        ("int(row.fast) > int(row.slow)", "all features missing: Careless raised ValueError"),
        ("row.close / (row.high - row.low) > 0.0", "a market in which nothing happens: Careless raised ZeroDivision"),
    ],
)
def test_what_missing_features_and_dead_markets_do_is_found(checked: Any, condition: str, says: str) -> None:
    """A comparison with NaN is false, and an order that rests on it is a fault; so is an exception."""
    wait = "" if "fast" in condition else "if row.fast != row.fast:\n            return HOLD"
    found = checked(f"""
class Careless(SignalStrategy):
    def features(self):
        return {{"fast": "ema(3)", "slow": "ema(9)"}}
    @staticmethod
    def decide(row, position, params):
        {wait}
        return Signal(Want.LONG) if {condition} else Signal(Want.SHORT)
""")
    if "int" in condition:  # it does not get over the warm-up
        assert found["determinism"].verdict == FAILED
    assert found["missing"].verdict == FAILED
    assert says in found["missing"].said


PARAMS = """
class Bounded(SignalStrategy):
    class Params(Settings):
        {fields}

    @staticmethod
    def decide(row, position, params):
        return Signal(Want.LONG) if {condition} else FLAT
"""


@pytest.mark.parametrize(
    ("fields", "condition", "says"),
    [
        (
            "span: int = Field(default=9, ge=1, le=50)",
            "1.0 / (params.span - 1) * row.close > 1.0",
            "at span=1 (span=1): ",
        ),
        ("length: int = Field(default=9, ge=0, le=50)", "params.length > 0 or [][1]", "at length=0 "),
        ("edge: float = 2.0\n        size: int = Field(default=3, gt=0)", "row.close > params.edge", "edge, size"),
        ("top: float = Field(default=0.5, gt=0.0, lt=1.0)", "1 / int(params.top + 1e-5) > 0", "at top=1e-06"),
    ],
)
def test_what_breaks_at_a_bound_is_found(checked: Any, fields: str, condition: str, says: str) -> None:
    """The point is named with all parameters; a number without bounds is named too."""
    found = checked(PARAMS.format(fields=fields, condition=condition))["bounds"]
    assert found.verdict == FAILED
    assert says in found.said


def test_a_bound_that_is_never_accepted_is_found(checked: Any) -> None:
    """Parameters may exclude each other, but each bound must have some companions with which it is accepted."""
    relation = """
        @model_validator(mode="after")
        def _related(self):
            if self.fast >= self.slow - {gap}:
                raise ValueError("fast must be less than slow")
            return self
"""
    text = "from pydantic import model_validator\n" + SOUND
    fine = text.replace("\n    def features", relation.format(gap=0) + "\n    def features", 1)
    assert checked(fine)["bounds"].verdict == PASSED
    found = checked(text.replace("\n    def features", relation.format(gap=5) + "\n    def features", 1))["bounds"]
    assert found.verdict == FAILED
    assert "slow=3 is refused whatever" in found.said


def test_a_strategy_that_never_trades_proves_nothing(checked: Any) -> None:
    """It passes, and the table says that there was nothing to compare."""
    found = checked("class Idle(Strategy):\n    pass\n")
    assert found["determinism"].verdict == found["causality"].verdict == NOTE


def test_without_data_a_market_is_made(tmp_path: Path) -> None:
    """Under the names that the config asks for; the empty lake stays empty."""
    config = {
        "name": "elsewhere",
        "data": {"venue": "binance", "symbols": ["BTCUSDT"], "timeframe": "4h", "start": "2019-01-01"},
        "strategy": {"path": "ema_cross"},
        "account": {"leverage": 1},
        "sizing": {"method": "fraction", "value": 0.5},
    }
    result = check(load_config(config), Lake(tmp_path / "none"))
    assert result.ok, result
    assert "a synthetic market" in result.data
    assert not (tmp_path / "none").exists()
