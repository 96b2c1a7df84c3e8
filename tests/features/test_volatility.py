"""Volatility features that TA-Lib lacks: the published formulas over each window in numpy, and fitted regimes."""

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from truewind.errors import FeatureError
from truewind.features import columns, fit_markov_volatility, parse_spec

Bars = dict[str, np.ndarray]


def market(rows: int = 400, seed: int = 5) -> Bars:
    """Bars with gaps between them."""
    draw = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(draw.normal(0.0, 0.02, rows)))
    opened = np.concatenate([[50.0], close[:-1]]) * np.exp(draw.normal(0.0, 0.005, rows))
    spread = draw.exponential(0.01, (2, rows))
    return {
        "open": opened,
        "high": np.maximum(opened, close) * (1.0 + spread[0]),
        "low": np.minimum(opened, close) * (1.0 - spread[1]),
        "close": close,
    }


def one(spec: str, bars: Bars) -> np.ndarray:
    (values,) = columns([spec], bars).values()
    return values


def over(values: np.ndarray, length: int, reduce: Callable[..., np.ndarray]) -> np.ndarray:
    """`reduce` of every window of `length` values, NaN before the first."""
    windows = np.lib.stride_tricks.sliding_window_view(values, length)
    return np.concatenate([np.full(length - 1, np.nan), reduce(windows, axis=1)])


def returns(bars: Bars) -> np.ndarray:
    return np.diff(np.log(bars["close"]), prepend=np.nan)


def garman_klass(bars: Bars) -> np.ndarray:
    reach, move = np.log(bars["high"] / bars["low"]), np.log(bars["close"] / bars["open"])
    return reach**2 / 2 - (2 * math.log(2) - 1) * move**2


def rogers_satchell(bars: Bars) -> np.ndarray:
    o, h, l, c = (np.log(bars[name]) for name in ("open", "high", "low", "close"))
    return (h - o) * (h - c) + (l - o) * (l - c)


def yang_zhang(bars: Bars, n: int) -> np.ndarray:
    def sample_variance(rows: np.ndarray, axis: int) -> np.ndarray:
        return np.var(rows, axis=axis, ddof=1)

    gaps = np.log(bars["open"][1:] / bars["close"][:-1])
    moves = np.log(bars["close"] / bars["open"])[1:]
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    variance = over(gaps, n, sample_variance) + k * over(moves, n, sample_variance)
    return np.concatenate([[np.nan], np.sqrt(variance + (1 - k) * over(rogers_satchell(bars)[1:], n, np.mean))])


ESTIMATORS: dict[str, Callable[[Bars, int], np.ndarray]] = {
    "realised": lambda bars, n: np.sqrt(over(returns(bars) ** 2, n, np.mean)),
    "parkinson": lambda bars, n: np.sqrt(over(np.log(bars["high"] / bars["low"]) ** 2, n, np.mean) / (4 * math.log(2))),
    "garman_klass": lambda bars, n: np.sqrt(over(garman_klass(bars), n, np.mean)),
    "rogers_satchell": lambda bars, n: np.sqrt(over(rogers_satchell(bars), n, np.mean)),
    "yang_zhang": yang_zhang,
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("length", [2, 14, 60])
def test_estimators_are_their_published_formulas(name: str, length: int) -> None:
    np.testing.assert_allclose(one(f"{name}({length})", market()), ESTIMATORS[name](market(), length), rtol=1e-9)


def test_estimators_find_the_volatility_of_a_simulated_market() -> None:
    """Bars of 1,000 steps of a walk with σ = 0.01 a bar: each estimator is near it, the range ones a little below."""
    draw = np.random.default_rng(0)
    path = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01 / math.sqrt(1_000), (2_000, 1_000)).ravel())).reshape(
        2_000, -1
    )
    opened = np.concatenate([[100.0], path[:-1, -1]])
    bars = {
        "open": opened,
        "high": np.maximum(path.max(axis=1), opened),
        "low": np.minimum(path.min(axis=1), opened),
        "close": path[:, -1],
    }
    for name in ESTIMATORS:
        assert one(f"{name}(1900)", bars)[-1] == pytest.approx(0.01, rel=0.05), name


def test_a_bar_without_logarithm_is_left_out() -> None:
    """By hand: returns ln 2 and ln 2 around a price of 0, which has no return and after which there is none either."""
    close = np.array([1.0, 2.0, 0.0, 4.0, 8.0])
    expected = [np.nan, np.nan, np.nan, np.nan, math.log(2.0)]
    np.testing.assert_allclose(one("realised(2)", {"close": close}), expected)


def test_impossible_bars_have_no_volatility() -> None:
    """A close far above the high makes the Garman–Klass mean negative."""
    bars = {"open": np.ones(3), "high": np.full(3, 1.1), "low": np.full(3, 0.9), "close": np.full(3, 5.0)}
    assert np.isnan(one("garman_klass(2)", bars)).all()


def test_the_exponential_mean_of_squares_is_the_adjusted_one() -> None:
    """polars' exponentially weighted mean with normalised weights, which is RiskMetrics' finite sum."""
    squares = pl.Series(returns(market())[1:] ** 2)
    expected = np.sqrt(squares.ewm_mean(alpha=1 - 0.94, adjust=True).to_numpy())
    np.testing.assert_allclose(one("ewma_volatility(0.94)", market())[1:], expected, rtol=1e-9)


def test_volatility_of_volatility_is_the_deviation_of_the_realised_one() -> None:
    realised = one("realised(10)", market())
    np.testing.assert_allclose(
        one("volatility_of_volatility(10, 30)", market()), over(realised, 30, np.std), rtol=1e-9, atol=1e-15
    )


def test_the_range_is_high_less_low() -> None:
    bars = market()
    np.testing.assert_array_equal(one("range", bars), bars["high"] - bars["low"])


def test_bands_of_a_flat_market_have_no_width() -> None:
    """Where sums of squares leave a deviation of 1e-8 or so, and a percent_b of anything."""
    close = np.concatenate([np.full(5, 0.3), np.full(40, 0.1)])
    found = columns(["bollinger(20, 2)", "band_width(20, 2)", "percent_b(20, 2)"], {"close": close})
    for line in ("lower", "middle", "upper"):
        assert (found[f"bollinger_20_2.{line}"][24:] == 0.1).all()
    assert (found["band_width_20_2"][24:] == 0.0).all()
    assert np.isnan(found["percent_b_20_2"][24:]).all()


def test_places_between_the_bands_by_hand() -> None:
    """Of 1 and 3 the mean is 2 and the deviation 1; 3 lies ¾ of the way from 0 to 4, which are 2 means apart."""
    bars = {"close": np.array([1.0, 3.0])}
    lines = columns(["bollinger(2, 2)"], bars)
    assert [values[1] for values in lines.values()] == [0.0, 2.0, 4.0]
    assert one("percent_b(2, 2)", bars)[1] == 0.75
    assert one("band_width(2, 2)", bars)[1] == 2.0


@pytest.mark.parametrize(("length", "deviations"), [(2, 2.0), (20, 2.0), (100, 1.5)])
def test_places_between_the_bands_are_those_of_two_passes(length: int, deviations: float) -> None:
    """numpy's mean and deviation of each window."""
    close = market()["close"]
    mean, deviation = over(close, length, np.mean), over(close, length, np.std)
    np.testing.assert_allclose(
        one(f"percent_b({length}, {deviations})", market()),
        0.5 + (close - mean) / (2 * deviations * deviation),
        rtol=1e-9,
        atol=1e-11,
    )
    np.testing.assert_allclose(
        one(f"band_width({length}, {deviations})", market()), 2 * deviations * deviation / mean, rtol=1e-9
    )


def test_the_regime_is_the_rank_of_realised_volatility_in_its_history() -> None:
    """Counted by numpy: the share below, equals counting half."""
    size = one("realised(5)", market())[5:]
    windows = np.lib.stride_tricks.sliding_window_view(size, 50)
    now = windows[:, -1:]
    rank = ((windows < now).sum(axis=1) + 0.5 * (windows == now).sum(axis=1)) / 50
    expected = np.where(rank > 0.8, 1.0, np.where(rank < 0.3, -1.0, 0.0))
    found = one("volatility_regime(5, 50, 0.3, 0.8)", market())
    assert np.isnan(found[:54]).all()
    np.testing.assert_array_equal(found[54:], expected)
    assert set(expected) == {-1.0, 0.0, 1.0}
    assert (one("volatility_regime(5, 50)", {"close": np.full(100, 3.0)})[54:] == 0.0).all()


def switching(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Closes of a market that is wild (σ = 0.02) or quiet (0.005), and which it is."""
    draw = np.random.default_rng(seed)
    wild = np.zeros(rows, bool)
    for row in range(1, rows):
        wild[row] = draw.random() < (0.95 if wild[row - 1] else 0.02)
    return 100.0 * np.exp(np.cumsum(draw.normal(0.0, np.where(wild, 0.02, 0.005)))), wild


MODEL = (0.0005, 0.005, 0.98, -0.001, 0.02, 0.95)


def test_the_filter_is_bayes_rule() -> None:
    """Predict by the transitions, weigh by the normal densities, divide by the sum: row by row, in plain numbers."""
    close, _ = switching(300, 1)
    means, deviations = np.array([MODEL[0], MODEL[3]]), np.array([MODEL[1], MODEL[4]])
    moves = np.array([[MODEL[2], 1 - MODEL[2]], [1 - MODEL[5], MODEL[5]]])
    belief = np.array([1 - MODEL[5], 1 - MODEL[2]])
    belief /= belief.sum()
    expected = [math.nan]
    for row, change in enumerate(np.diff(np.log(close))):
        belief = belief @ moves if row else belief
        belief = belief * np.exp(-(((change - means) / deviations) ** 2) / 2) / deviations
        belief /= belief.sum()
        expected.append(belief[1])
    spec = f"markov_volatility({', '.join(map(str, MODEL))})"
    np.testing.assert_allclose(one(spec, {"close": close}), expected, rtol=1e-9)


def test_the_filter_bears_returns_that_neither_state_explains() -> None:
    """A jump of e¹⁰ has no density left in double precision in either state; it is surely the wilder one."""
    close = np.array([1.0, 1.0, math.exp(10.0), math.exp(10.0)])
    found = one(f"markov_volatility({', '.join(map(str, MODEL))})", {"close": close})
    assert found[2] == 1.0
    assert 0.0 < found[3] < 1.0


def test_a_fitted_model_finds_the_states_of_a_simulated_market() -> None:
    """On rows it was not fitted on it tells nine in ten of the states, and its numbers are near those simulated."""
    pytest.importorskip("hmmlearn")
    close, _ = switching(5_000, 2)
    model = fit_markov_volatility({"close": close})
    assert model.quiet_deviation == pytest.approx(0.005, rel=0.1)
    assert model.wild_deviation == pytest.approx(0.02, rel=0.1)
    assert model.quiet_stay == pytest.approx(0.98, abs=0.02)
    assert model.wild_stay == pytest.approx(0.95, abs=0.03)
    assert parse_spec(repr(model)) == model
    later, wild = switching(3_000, 3)
    found = one(repr(model), {"close": later})
    assert ((found[1:] > 0.5) == wild[1:]).mean() > 0.9


def test_fitting_uses_the_rows_given_and_no_others() -> None:
    """What comes after the training rows cannot move a number; tables, holes and other columns are taken as well."""
    pytest.importorskip("hmmlearn")
    close, _ = switching(1_000, 4)
    table = pl.DataFrame({"mid": pl.Series([None, *close.tolist()])})
    assert fit_markov_volatility(table, source="mid").values == fit_markov_volatility({"close": close}).values
    assert fit_markov_volatility(table, source="mid").reads == ("mid",)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"open": np.ones(200)}, "no column 'close'"),
        ({"close": np.ones(50)}, "49 returns of 'close' do not show two states"),
        ({"close": np.ones(200)}, "199 returns of 'close', all 0, do not show"),
    ],
)
def test_what_cannot_be_fitted_is_said(table: Bars, said: str) -> None:
    pytest.importorskip("hmmlearn")
    with pytest.raises(FeatureError, match=said):
        fit_markov_volatility(table)


def test_without_hmmlearn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("hmmlearn"):
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(FeatureError, match=r"truewind\[statistics\]"):
        fit_markov_volatility({"close": np.ones(200)})
