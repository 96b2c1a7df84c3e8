"""Look-ahead analysis: planted leaks are found, named and measured, and what is sound is left in peace."""

import math
from pathlib import Path
from typing import Any

import pytest

from truewind.backtest.lookahead import DECISIONS, Lookahead, lookahead
from truewind.backtest.settings import load_config
from truewind.backtest.warmup import SIGNALS
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.storage.lake import Lake

SYMBOLS = ("BTCUSDT", "ETHUSDT")
HEAD = """
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy, Strategy


class Follows(SignalStrategy):
    reads = "ema(5)"

    def features(self):
        return {"seen": self.reads, "sound": "ema(10)"}

    @staticmethod
    def decide(row, position, params):
        if not row.seen == row.seen:
            return HOLD
        return Signal(Want.LONG) if row.seen > 0.0 and row.close > row.sound else FLAT

"""
# A cross-section is the one feature that is handed all rows at once, and so the one that can look at later ones.
FEATURE = """
import numpy as np
from truewind.features.across import Across

class Leaky(Across):
    name = "leaky"

    def compared(self, values):
        out = np.full_like(values, np.nan)
{body}
        return out
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Forty days of hours of two symbols."""
    made = Lake(tmp_path_factory.mktemp("lake"))
    SyntheticMarket(SyntheticConfig(symbols=SYMBOLS, days=40, timeframe="1h")).write(made)
    return made


@pytest.fixture
def analysed(lake: Lake, tmp_path: Path) -> Any:
    """Analyses the strategy `Planted` of a text."""

    def run(text: str, *, points: int = 8, symbols: tuple[str, ...] = SYMBOLS) -> Lookahead:
        file = tmp_path / f"planted_{abs(hash(text))}.py"
        file.write_text(HEAD + text)
        config = {
            "name": "planted",
            "data": {"venue": "synthetic", "symbols": list(symbols), "timeframe": "1h"},
            "strategy": {"path": f"{file}:Planted"},
            "account": {"cash": 100_000},
            "sizing": {"method": "fraction", "value": 0.2},
            "risk": {"max_position": 1.0, "max_exposure": 1.0, "max_gross": 1.0},
        }
        return lookahead(load_config(config), lake, points=points)

    return run


@pytest.fixture
def feature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The text of a strategy that reads a feature, which is written into a file of its own."""

    def written(name: str, body: str) -> str:
        text = FEATURE.format(body="\n".join(" " * 8 + line for line in body.strip().split("\n")))
        (tmp_path / f"leaky_{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        return f"class Planted(Follows):\n    reads = 'leaky_{name}:Leaky(close)'\n"

    return written


def test_a_sound_strategy_has_no_leak(analysed: Any) -> None:
    found = analysed("class Planted(Follows):\n    pass\n")
    assert found.ok
    assert str(found).endswith("no look-ahead found")
    assert (found.features, found.moments, found.pieces) == (("seen", "sound"), 8, 960)
    assert found.rows == 2 * 960


@pytest.mark.parametrize(
    ("name", "body", "ahead"),
    [
        ("shifted", "out[:-1] = values[1:] - values[:-1]", 1),
        ("centred", "for k in range(3, len(values) - 3):\n    out[k] = values[k - 3 : k + 4].mean(axis=0)", 3),
        (
            "unfinished",
            "for k in range(len(values)):\n    out[k] = values[min(k // 24 * 24 + 23, len(values) - 1)]",
            None,
        ),
    ],
)
def test_a_feature_that_leaks_is_named_and_measured(
    analysed: Any, feature: Any, name: str, body: str, ahead: int | None
) -> None:
    """The next bar, a centred window of seven, and the close of a day that has not ended."""
    found = analysed(feature(name, body))
    (leak,) = found.leaks
    assert not found.ok
    assert leak.what == "seen"
    assert leak.symbol in SYMBOLS
    assert not leak.to_end
    assert leak.ahead == ahead if ahead else 1 <= leak.ahead <= 23
    assert float(leak.value) != float(leak.other) or math.isnan(float(leak.other))


def test_scaling_by_all_of_the_data_reaches_to_their_end(analysed: Any, feature: Any) -> None:
    found = analysed(feature("scaled", "out[:] = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)"))
    (leak,) = found.leaks
    assert (leak.what, leak.to_end) == ("seen", True)
    assert leak.ahead is not None
    assert leak.ahead > 900
    assert "to the end of the data" in str(leak)


def test_a_leak_on_a_few_bars_is_found_by_the_pieces(analysed: Any, feature: Any) -> None:
    """One bar in a hundred shows the next one; eight moments alone would hardly meet it."""
    body = "out[:] = values\nfor k in range(50, len(values) - 1, 100):\n    out[k] = values[k + 1]"
    (leak,) = analysed(feature("seldom", body), points=2).leaks
    assert (leak.what, leak.ahead) == ("seen", 1)


def test_a_strategy_that_peeks_by_a_global_is_found(analysed: Any) -> None:
    found = analysed(
        """
CLOSES = {}

class Planted(SignalStrategy):
    def on_start(self):
        timeline = self.desk.timeline
        CLOSES.update(zip(timeline.times[0].tolist(), timeline.prices[3].tolist()))

    @staticmethod
    def decide(row, position, params):
        return Signal(Want.LONG) if CLOSES.get(row.ts + 3 * 3_600_000_000, 0.0) > row.close else FLAT
""",
        symbols=("BTCUSDT",),
    )
    (leak,) = found.leaks
    assert (leak.what, leak.ahead, leak.to_end) == (DECISIONS, 3, False)
    assert "order" in leak.value


def test_callbacks_that_know_where_the_data_end_are_found(analysed: Any) -> None:
    """No value is looked at, only how many there are: cutting the data off moves it, changing them does not."""
    found = analysed(
        """
class Planted(Strategy):
    row = 0
    def on_bar(self, bar):
        self.row += 1
        if self.row % 5 == 0:
            (self.buy if len(self.desk.timeline) % (self.row + 7) % 2 else self.sell)(0.01)
""",
        symbols=("BTCUSDT",),
    )
    (leak,) = found.leaks
    assert (leak.what, leak.ahead) == (DECISIONS, None)
    assert leak.how == "the data were cut off at"


def test_how_features_settle(analysed: Any) -> None:
    """An ema(10) weighs what it began with by (9/11)^n after n bars more: below 1e-9 after 104, and not after 100."""
    found = analysed("class Planted(Follows):\n    pass\n")
    rows = {one.field: one for one in found.warm_up}
    assert list(rows) == ["seen", "sound", SIGNALS]
    sound = rows["sound"]
    assert sound.differences[25] > sound.differences[50] > sound.differences[100] > 1e-13
    assert sound.differences[50] < (9 / 11) ** 40
    assert sound.settled is not None
    assert sound.settled <= 200
    assert not sound.broken
    assert rows["seen"].differences[100] < 1e-9
    assert rows[SIGNALS].differences[200] == 0.0


def test_what_counts_from_its_beginning_never_settles(analysed: Any) -> None:
    found = analysed("class Planted(Follows):\n    reads = 'obv'\n")
    (row,) = (one for one in found.warm_up if one.field == "seen")
    assert (row.declared, row.settled, row.broken) == (None, None, False)
