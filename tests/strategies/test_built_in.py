"""Every built-in strategy passes `truewind strategy check`: found by itself, with the settings of its own config."""

from functools import cache
from pathlib import Path

import pytest

from truewind.backtest.check import check
from truewind.backtest.points import NOTE, PASSED
from truewind.backtest.settings import BacktestSettings, load_config
from truewind.storage.lake import Lake
from truewind.strategies import catalogue
from truewind.strategies.base import SignalStrategy, locate

REPOSITORY = Path(__file__).resolve().parents[2]
# Years of daily bars, or thousands of short ones, are more than the synthetic market is made of here.
SHORTER = {"value_long": {"lookback": 60}, "carry": {"lookback": 288}}
LISTED = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT", "DOGEUSDT"]


@cache
def shipped() -> dict[type, BacktestSettings]:
    """The configs of the repository by the strategy that they run, the first of each."""
    found: dict[type, BacktestSettings] = {}
    for file in sorted([*(REPOSITORY / "configs").glob("*.yaml"), *(REPOSITORY / "configs/strategies").glob("*.yaml")]):
        settings = load_config(file)
        if settings.strategy is not None and settings.strategy.path:
            found.setdefault(locate(settings.strategy.path), settings)
    return found


def settings_of(name: str) -> BacktestSettings:
    """The config of a built-in strategy, with named symbols in place of a universe."""
    strategy = locate(name)
    settings = shipped()[strategy]
    if settings.data.universe is not None:
        data = settings.data.model_copy(update={"universe": None, "symbols": tuple(LISTED)})
        settings = settings.model_copy(update={"data": data})
    if len(settings.data.symbols) > len(LISTED):
        data = settings.data.model_copy(update={"symbols": settings.data.symbols[: len(LISTED)]})
        settings = settings.model_copy(update={"data": data})
    params = settings.chosen.params | SHORTER.get(name, {})
    return settings.model_copy(update={"strategy": settings.chosen.model_copy(update={"params": params})})


@pytest.mark.parametrize("name", catalogue.names())
def test_a_built_in_strategy_passes_every_check(name: str, tmp_path: Path) -> None:
    """On the synthetic market. A pure decide runs in both lanes, and what is checked has traded."""
    result = check(settings_of(name), Lake(tmp_path))
    assert result.ok, result
    found = {one.name: one for one in result.checks}
    assert found["determinism"].verdict in (PASSED, NOTE)
    if issubclass(locate(name), SignalStrategy):
        assert "both lanes are the same bits" in found["lane parity"].said
