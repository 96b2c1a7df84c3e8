"""Stylised facts: the synthetic market has the statistics that real ones share.

The facts and their sizes: R. Cont, "Empirical properties of asset returns: stylized facts and statistical issues",
Quantitative Finance 1 (2001); thresholds lie well inside what Binance's BTC, ETH, SOL and XRP show in 2024 and 2025.
"""

import math

import numpy as np
import pytest

from truewind.market.synthetic import SyntheticConfig, SyntheticMarket, process
from truewind.numerics.jit import COMPILED

heavy = pytest.mark.skipif(not COMPILED, reason="months of minutes take too long in plain Python")
SYMBOLS = SyntheticConfig().symbols


@pytest.fixture(scope="module", params=[42, 1, 7])
def bars(request):
    """Seven months of minutes: close, volume and high/low of each default symbol."""
    market = SyntheticMarket(SyntheticConfig(seed=request.param))
    return {symbol: market.bars(symbol) for symbol in SYMBOLS}


def returns(table, minutes=1):
    return np.diff(np.log(table["close"].to_numpy()[minutes - 1 :: minutes]))


def kurtosis(x):
    x = x - x.mean()
    return (x**4).mean() / (x**2).mean() ** 2 - 3


def autocorrelation(x, lag):
    x = x - x.mean()
    return (x[lag:] * x[:-lag]).mean() / (x * x).mean()


@heavy
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_tails_are_fat_and_thin_out_with_aggregation(bars, symbol):
    """Excess kurtosis is far above the normal's 0 and falls from 1m to 5m to 1h (Cont: 5m futures 16 to 74)."""
    minute, five, hour = (kurtosis(returns(bars[symbol], k)) for k in (1, 5, 60))
    assert minute > 20
    assert five > 8
    assert hour > 1.5
    assert minute > five > hour


@heavy
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_volatility_clusters_and_is_forgotten_slowly(bars, symbol):
    """|Returns| are autocorrelated: strongly from one minute to the next, clearly after an hour, still after a day."""
    size = np.abs(returns(bars[symbol]))
    lags = [autocorrelation(size, lag) for lag in (1, 10, 60, 1440)]
    assert lags[0] > 0.2
    assert lags[1] > 0.1
    assert lags[2] > 0.05
    assert lags[3] > 0.01
    assert lags == sorted(lags, reverse=True)


@heavy
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_returns_do_not_predict_returns(bars, symbol):
    """Autocorrelations are near zero; at lag 1 coarse ticks may show the bid-ask bounce (Roll 1984), below zero."""
    minute = returns(bars[symbol])
    assert max(abs(autocorrelation(minute, lag)) for lag in range(2, 31)) < 0.03
    first = autocorrelation(minute, 1)
    assert abs(first) < 0.03 if symbol in ("BTCUSDT", "ETHUSDT") else -0.06 < first < 0.03
    assert abs(autocorrelation(returns(bars[symbol], 60), 1)) < 0.08


@heavy
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_volume_moves_with_volatility_and_takers_with_the_price(bars, symbol):
    """Volume correlates with |return| and range; the takers' share correlates with the sign of the return."""
    table, minute = bars[symbol], returns(bars[symbol])
    volume = table["volume"].to_numpy()[1:]
    assert np.corrcoef(volume, np.abs(minute))[0, 1] > 0.4
    assert np.corrcoef(volume, np.log(table["high"] / table["low"]).to_numpy()[1:])[0, 1] > 0.4
    share = (table["taker_buy_volume"] / table["volume"]).to_numpy()[1:]
    assert 0.3 < np.corrcoef(share, np.sign(minute))[0, 1] < 0.7
    assert abs(share.mean() - 0.5) < 0.02


@heavy
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_us_session_is_busy_and_nights_and_weekends_are_quiet(bars, symbol):
    """14 to 16 h UTC moves and trades more than 4 to 6 h, weekdays more than weekends."""
    table = bars[symbol][1:]
    hour, weekend = table["ts"].dt.hour().to_numpy(), table["ts"].dt.weekday().to_numpy() >= 6
    busy, quiet = (hour == 14) | (hour == 15), (hour == 4) | (hour == 5)
    for amount, least in ((np.abs(returns(bars[symbol])), 1.25), (table["volume"].to_numpy(), 1.4)):
        assert amount[busy].mean() > least * amount[quiet].mean()
        assert amount[~weekend].mean() > 1.1 * amount[weekend].mean()


@heavy
def test_symbols_are_correlated_as_set(bars):
    """The correlation of any two symbols' returns is near the setting, at five minutes and at an hour."""
    for minutes, band in ((5, 0.07), (60, 0.12)):
        found = np.corrcoef([returns(table, minutes) for table in bars.values()])
        assert np.abs(found[np.triu_indices(len(SYMBOLS), 1)] - 0.7).max() < band


@heavy
def test_correlation_follows_the_setting():
    """Set to 0.2 the correlation is near 0.2."""
    market = SyntheticMarket(SyntheticConfig(symbols=("BTCUSDT", "ETHUSDT"), days=90, correlation=0.2))
    a, b = (returns(market.bars(symbol), 5) for symbol in ("BTCUSDT", "ETHUSDT"))
    assert abs(np.corrcoef(a, b)[0, 1] - 0.2) < 0.07


@heavy
def test_volatility_is_as_set_and_no_trend_explodes():
    """Over twelve worlds BTC's volatility is 0.55 a year on average, its mean log return is zero within three errors,
    and in seven months it never gains or loses more than a factor of five."""
    variances, totals = [], []
    for seed in range(12):
        table = SyntheticMarket(SyntheticConfig(seed=seed, symbols=("BTCUSDT",))).bars("BTCUSDT")
        minute = returns(table)
        variances.append(minute.var() * 525_600)
        totals.append(minute.sum())
    assert math.sqrt(np.mean(variances)) == pytest.approx(0.55, rel=0.15)
    assert abs(np.mean(totals)) < 3 * np.std(totals, ddof=1) / math.sqrt(12)
    assert np.abs(totals).max() < math.log(5)


def test_regimes_spend_their_long_run_shares():
    """The stationary shares are unchanged by a step of the chain (the defining property), and a long run shows them."""
    share = process.stationary()
    step = np.eye(3) + (process.NEXT - np.eye(3)) / process.STAY[:, None]
    np.testing.assert_allclose(share @ step, share, rtol=1e-9)
    assert share.sum() == pytest.approx(1.0)
    stay, following = np.array([8.0, 5.0, 3.0]), np.cumsum(process.NEXT, axis=1)
    states = process.regimes(np.random.default_rng(42).random(200_000), stay, following, np.array([0.3, 0.6, 1.0]))
    step = np.eye(3) + (process.NEXT - np.eye(3)) / stay[:, None]
    np.testing.assert_allclose(np.bincount(states) / len(states), np.linalg.matrix_power(step, 500)[0], atol=0.02)


def test_a_wave_has_its_half_life_and_spread():
    """A stationary AR(1): standard deviation as asked for, autocorrelation one half at the half-life."""
    wave = np.zeros(400_000)
    process.add_wave(np.random.default_rng(42).standard_normal(400_000), 0.5 ** (1 / 20), 0.3, wave)
    assert wave.std() == pytest.approx(0.3, rel=0.02)
    assert autocorrelation(wave, 20) == pytest.approx(0.5, abs=0.02)


def test_season_has_mean_square_one_and_knows_the_weekday():
    """Over a week the season changes no variance; 2024-01-01 was a Monday, a start on Saturday lies five days on."""
    monday = process.season(SyntheticConfig(days=14))
    assert np.mean(monday[: 7 * 1440] ** 2) == pytest.approx(1.0)
    saturday = process.season(SyntheticConfig(start="2024-01-06", days=7))
    np.testing.assert_array_equal(saturday, monday[5 * 1440 : 12 * 1440])
    assert saturday[: 2 * 1440].mean() < 0.8 * monday[: 5 * 1440].mean()


def test_streams_differ_by_seed_symbol_purpose_and_block():
    """Each of the four names another stream, and the same four name the same one."""
    keys = [(1, "A", "x", 0), (2, "A", "x", 0), (1, "B", "x", 0), (1, "A", "y", 0), (1, "A", "x", 1)]
    draws = [process.stream(*key).random(4) for key in keys]
    assert len({draw.tobytes() for draw in draws}) == len(keys)
    np.testing.assert_array_equal(draws[0], process.stream(*keys[0]).random(4))
