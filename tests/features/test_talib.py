"""Equal to TA-Lib, seeds included, where TA-Lib defines the feature."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
import talib

from truewind.features import columns

Bars = dict[str, np.ndarray]
Columns = np.ndarray | tuple[np.ndarray, ...]


class Peer(NamedTuple):
    """What a feature is compared with. spec: for a length of n, 2n as {m} and 3n as {k}. slack: of the largest value,
    where both take nearly equal numbers from each other; hollow: whether TA-Lib writes 0 for 0/0."""

    spec: str
    of: Callable[[Bars, int], Columns]
    slack: float = 0.0
    hollow: bool = False


PEERS = [
    Peer("sma({n})", lambda b, n: talib.SMA(b["close"], n)),
    Peer("ema({n})", lambda b, n: talib.EMA(b["close"], n)),
    Peer("wma({n})", lambda b, n: talib.WMA(b["close"], n)),
    Peer("dema({n})", lambda b, n: talib.DEMA(b["close"], n)),
    Peer("tema({n})", lambda b, n: talib.TEMA(b["close"], n)),
    Peer("kama({n})", lambda b, n: talib.KAMA(b["close"], n)),
    Peer("macd({n}, {m}, 9)", lambda b, n: talib.MACD(b["close"], n, 2 * n, 9), slack=1e-11),
    Peer("macd({m}, {n}, 1)", lambda b, n: talib.MACD(b["close"], 2 * n, n, 1), slack=1e-11),
    Peer("adx({n})", lambda b, n: talib.ADX(b["high"], b["low"], b["close"], n)),
    Peer("dmi({n})", lambda b, n: directional(b, n), hollow=True),
    Peer("aroon({n})", lambda b, n: (*talib.AROON(b["high"], b["low"], n), talib.AROONOSC(b["high"], b["low"], n))),
    Peer("sar(0.02, 0.2)", lambda b, n: talib.SAR(b["high"], b["low"], 0.02, 0.2)),
    Peer("sar(0.3, 0.1)", lambda b, n: talib.SAR(b["high"], b["low"], 0.3, 0.1)),
    Peer("linreg_slope({n})", lambda b, n: talib.LINEARREG_SLOPE(b["close"], n), slack=1e-10),
    Peer("rsi({n})", lambda b, n: talib.RSI(b["close"], n), hollow=True),
    Peer("stochastic({n}, 3, 3)", lambda b, n: stochastic(b, n, 3, 3), slack=1e-14),
    Peer("stochastic({n}, 1, {m})", lambda b, n: stochastic(b, n, 1, 2 * n), slack=1e-14),
    Peer("stoch_rsi({n}, 5, 3)", lambda b, n: stoch_rsi(b, n, 5, 3), slack=1e-12),
    Peer("williams_r({n})", lambda b, n: undefined(b, n, talib.WILLR(b["high"], b["low"], b["close"], n))),
    Peer("momentum({n})", lambda b, n: talib.MOM(b["close"], n)),
    Peer("cci({n})", lambda b, n: talib.CCI(b["high"], b["low"], b["close"], n), slack=1e-11, hollow=True),
    Peer("trix({n})", lambda b, n: talib.TRIX(b["close"], n), slack=1e-12),
    Peer("ultimate({n}, {m}, {k})", lambda b, n: talib.ULTOSC(b["high"], b["low"], b["close"], n, 2 * n, 3 * n)),
    Peer("ultimate({k}, {n}, {m})", lambda b, n: talib.ULTOSC(b["high"], b["low"], b["close"], n, 2 * n, 3 * n)),
    Peer("bollinger({n}, 2)", lambda b, n: bands(b, n, 2.0), slack=1e-11),
    Peer("keltner({n}, {m}, 1.5)", lambda b, n: around(talib.EMA(b["close"], n), 1.5 * ranges(b, 2 * n))),
    Peer("donchian({n})", lambda b, n: extremes(talib.MIN(b["low"], n), talib.MAX(b["high"], n))),
    Peer("true_range", lambda b, n: talib.TRANGE(b["high"], b["low"], b["close"])),
    Peer("atr({n})", lambda b, n: talib.ATR(b["high"], b["low"], b["close"], n)),
    Peer("highest({n})", lambda b, n: talib.MAX(b["high"], n)),
    Peer("lowest({n})", lambda b, n: talib.MIN(b["low"], n)),
    Peer("roc({n})", lambda b, n: talib.ROC(b["close"], n)),
    Peer("returns({n})", lambda b, n: talib.ROCP(b["close"], n)),
]
RECORDED = (
    "genetrader/BTC_USDT-1h.feather",
    "market-swarm/DOGE_USDT_USDT-1m-futures.feather",
    "freqtrade/XRP_ETH-1m.feather",
)


def directional(bars: Bars, n: int) -> Columns:
    plus, minus, index = (
        f(bars["high"], bars["low"], bars["close"], n) for f in (talib.PLUS_DI, talib.MINUS_DI, talib.DX)
    )
    return plus, minus, index


def bands(bars: Bars, n: int, deviations: float) -> Columns:
    upper, middle, lower = talib.BBANDS(bars["close"], n, deviations, deviations, 0)
    return lower, middle, upper


def ranges(bars: Bars, n: int) -> np.ndarray:
    return talib.ATR(bars["high"], bars["low"], bars["close"], n)


def around(middle: np.ndarray, reach: np.ndarray) -> Columns:
    return middle - reach, np.where(np.isnan(reach), np.nan, middle), middle + reach


def extremes(lowest: np.ndarray, highest: np.ndarray) -> Columns:
    return lowest, (lowest + highest) / 2, highest


def undefined(bars: Bars, n: int, values: np.ndarray) -> np.ndarray:
    """Values with NaN in place of TA-Lib's 0 where n bars have no range."""
    return np.where(talib.MAX(bars["high"], n) == talib.MIN(bars["low"], n), np.nan, values)


def stochastic(bars: Bars, n: int, smooth: int, signal: int) -> Columns:
    """Rows without a range are left out of the means, which TA-Lib feeds with zeros."""
    place = undefined(bars, n, talib.STOCHF(bars["high"], bars["low"], bars["close"], n, 1, 0)[0])
    return smoothed(place, smooth, signal)


def stoch_rsi(bars: Bars, n: int, span: int, signal: int) -> Columns:
    rsi = talib.RSI(bars["close"], n)
    top, bottom = talib.MAX(rsi, span), talib.MIN(rsi, span)
    with np.errstate(invalid="ignore", divide="ignore"):
        place = np.where(top - bottom > 1e-9, 100.0 * (rsi - bottom) / (top - bottom), np.nan)
    return smoothed(place, 1, signal)


def smoothed(place: np.ndarray, smooth: int, signal: int) -> Columns:
    there = ~np.isnan(place)
    k, d = np.full((2, len(place)), np.nan)
    k[there] = talib.SMA(place[there], smooth) if smooth > 1 else place[there]
    d[there] = talib.SMA(k[there], signal)
    return np.where(np.isnan(d), np.nan, k), d


def agree(bars: Bars, peer: Peer, length: int) -> None:
    ours = list(columns([peer.spec.format(n=length, m=2 * length, k=3 * length)], bars).values())
    theirs = peer.of(bars, length)
    for found, expected in zip(ours, theirs if isinstance(theirs, tuple) else (theirs,), strict=True):
        if peer.hollow:
            expected = np.where((expected == 0.0) & np.isnan(found), np.nan, expected)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        largest = np.nanmax(np.abs(expected), initial=0.0)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=peer.slack * largest)


def walk(seed: int, rows: int) -> Bars:
    draw = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(draw.normal(0.0, 0.02, rows)))
    spread = draw.exponential(0.01, (2, rows))
    return {"close": close, "high": close * (1.0 + spread[0]), "low": close * (1.0 - spread[1])}


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.spec)
@pytest.mark.parametrize("length", [2, 3, 14, 20, 99])
def test_equal_on_random_walks(peer: Peer, length: int) -> None:
    """NaN in the same rows and values within 1e-9 relative from the first on, also when the data just suffice."""
    for seed, rows in enumerate((3_000, 3 * length + 1, length + 1, length, 1)):
        agree(walk(seed, rows), peer, length)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.spec)
@pytest.mark.parametrize("file", RECORDED)
def test_equal_on_recorded_markets(shared: Path, file: str, peer: Peer) -> None:
    """Bars as venues published them, flat minutes and tiny prices included."""
    table = pl.read_ipc(shared / file)
    bars = {name: table[name].to_numpy() for name in ("high", "low", "close", "volume")}
    for length in (5, 14, 200):
        agree(bars, peer, length)


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
