"""Equal to TA-Lib, seeds included, where TA-Lib defines the feature."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import talib

from truewind.features import columns

Bars = dict[str, np.ndarray]
PEERS: dict[str, Callable[[Bars, int], np.ndarray]] = {
    "sma": lambda bars, n: talib.SMA(bars["close"], n),
    "ema": lambda bars, n: talib.EMA(bars["close"], n),
    "rsi": lambda bars, n: talib.RSI(bars["close"], n),
    "atr": lambda bars, n: talib.ATR(bars["high"], bars["low"], bars["close"], n),
    "highest": lambda bars, n: talib.MAX(bars["high"], n),
    "lowest": lambda bars, n: talib.MIN(bars["low"], n),
    "roc": lambda bars, n: talib.ROC(bars["close"], n),
    "returns": lambda bars, n: talib.ROCP(bars["close"], n),
}
RECORDED = (
    "genetrader/BTC_USDT-1h.feather",
    "market-swarm/DOGE_USDT_USDT-1m-futures.feather",
    "freqtrade/XRP_ETH-1m.feather",
)


def agree(bars: Bars, name: str, length: int) -> None:
    ours = columns([f"{name}({length})"], bars)[f"{name}_{length}"]
    theirs = PEERS[name](bars, length)
    if name == "rsi":  # where nothing has moved TA-Lib writes 0 for 0/0
        theirs = np.where((theirs == 0.0) & np.isnan(ours), np.nan, theirs)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=0.0)


def walk(seed: int, rows: int) -> Bars:
    draw = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(draw.normal(0.0, 0.02, rows)))
    spread = draw.exponential(0.01, (2, rows))
    return {"close": close, "high": close * (1.0 + spread[0]), "low": close * (1.0 - spread[1])}


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("length", [2, 3, 14, 20, 99])
def test_equal_on_random_walks(name: str, length: int) -> None:
    """NaN in the same rows and values within 1e-9 relative from the first on, also when the data just suffice."""
    for seed, rows in enumerate((3_000, length + 1, length, 1)):
        agree(walk(seed, rows), name, length)


@pytest.mark.parametrize("file", RECORDED)
def test_equal_on_recorded_markets(shared: Path, file: str) -> None:
    """Bars as venues published them, flat minutes and tiny prices included."""
    table = pl.read_ipc(shared / file)
    bars = {name: table[name].to_numpy() for name in ("high", "low", "close")}
    for name in PEERS:
        for length in (5, 14, 200):
            agree(bars, name, length)


def test_rsi_of_a_market_that_never_moved_is_undefined_where_ta_lib_writes_zero() -> None:
    """The one departure: 0/0 is no value, and 0 would read as deeply oversold."""
    flat = np.full(40, 7.0)
    assert (talib.RSI(flat, 14)[14:] == 0.0).all()
    assert np.isnan(columns(["rsi(14)"], {"close": flat})["rsi_14"]).all()


def test_log_returns_are_the_logarithm_of_the_ratio() -> None:
    """Not in TA-Lib: numpy's logarithm is the reference, to the rounding of the ratio."""
    close = walk(5, 1_000)["close"]
    found = columns(["log_returns(3)"], {"close": close})["log_returns_3"]
    assert np.isnan(found[:3]).all()
    np.testing.assert_allclose(found[3:], np.log(close[3:] / close[:-3]), rtol=1e-9, atol=1e-15)
