"""Features that are bounded by what they mean stay within it on any market, and lines stay in their order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from truewind.features import columns, parse_spec

BOUNDS = {
    "rsi(3)": (0, 100),
    "stochastic(4, 2, 3)": (0, 100),
    "stoch_rsi(3, 4, 2)": (0, 100),
    "williams_r(5)": (-100, 0),
    "ultimate(2, 3, 5)": (0, 100),
    "tsi(3, 2)": (-100, 100),
    "adx(3)": (0, 100),
    "dmi(3)": (0, 100),
    "aroon(4)": (-100, 100),
    "trend_strength(5)": (-1, 1),
    "crossover(2, 4)": (-1, 1),
    "volatility_regime(2, 8)": (-1, 1),
    "markov_volatility": (0, 1),
    "band_width(5, 2)": (0, np.inf),
    "true_range": (0, np.inf),
    "range": (0, np.inf),
    **{
        f"{name}(4)": (0, np.inf) for name in ("realised", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang")
    },
    "volatility_of_volatility(2, 4)": (0, np.inf),
    "ewma_volatility(0.9)": (0, np.inf),
}
ROUNDING = 1e-9

prices = st.one_of(st.sampled_from([1.0, 1.1, 2.0]), st.floats(1e-6, 1e6))
markets = st.lists(st.tuples(prices, prices, prices, prices), min_size=1, max_size=60)


def bars(market: list[tuple[float, ...]]) -> dict[str, np.ndarray]:
    """Bars whose open and close lie between low and high."""
    four = np.array(market).T
    return {"open": four[0], "high": four.max(axis=0), "low": four.min(axis=0), "close": four[1]}


@given(markets)
def test_bounded_features_stay_within_their_bounds(market: list[tuple[float, ...]]) -> None:
    found = columns(BOUNDS, bars(market))
    for spec, (low, high) in BOUNDS.items():
        for column in parse_spec(spec).columns:
            known = found[column][~np.isnan(found[column])]
            assert (known >= low - ROUNDING).all(), column
            assert (known <= high + ROUNDING).all(), column
    fit = columns(["linreg(4)"], bars(market))["linreg_4.r2"]
    assert ((fit >= 0.0) & (fit <= 1.0) | np.isnan(fit)).all()


@given(markets)
def test_lines_stay_in_their_order(market: list[tuple[float, ...]]) -> None:
    """Lower, middle, upper; a channel of extremes holds every price of its bars."""
    rows = bars(market)
    for spec in ("bollinger(5, 2)", "keltner(3, 4, 2)", "donchian(4)"):
        lower, middle, upper = columns([spec], rows).values()
        there = ~np.isnan(middle)
        assert (lower[there] <= middle[there]).all(), spec
        assert (middle[there] <= upper[there]).all(), spec
    lowest, _, highest = columns(["donchian(4)"], rows).values()
    there = ~np.isnan(lowest)
    assert (lowest[there] <= rows["low"][there]).all()
    assert (highest[there] >= rows["high"][there]).all()


@given(markets)
def test_averages_stay_within_what_they_average(market: list[tuple[float, ...]]) -> None:
    """The means with weights that are not negative; those that take a lag out overshoot by design."""
    rows = bars(market)
    lowest, _, highest = columns(["donchian(5, close, close)"], rows).values()
    for spec in ("sma(5)", "wma(5)"):
        (values,) = columns([spec], rows).values()
        there = ~np.isnan(values)
        slack = ROUNDING * np.abs(highest[there])
        assert (values[there] >= lowest[there] - slack).all(), spec
        assert (values[there] <= highest[there] + slack).all(), spec
    (values,) = columns(["kama(3)"], rows).values()
    there = ~np.isnan(values)
    assert (values[there] >= rows["close"].min() * (1 - ROUNDING)).all()
    assert (values[there] <= rows["close"].max() * (1 + ROUNDING)).all()
