"""Many symbols at once: cross-sections, other symbols' columns, and the same numbers however time is cut."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import FeatureError
from truewind.features import FeaturePipeline, columns, stream
from truewind.features.checks import first_difference, sample_bars

MINUTE = 60_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def universe(rows: int, seed: int = 0, holes: float = 0.0) -> dict[str, dict[str, np.ndarray]]:
    """Three walks on one clock; of each a share of the rows is not there."""
    draw = np.random.default_rng(seed)
    tables = {}
    for i, symbol in enumerate(SYMBOLS):
        table = {**sample_bars(rows, seed=seed + i), "ts": np.arange(rows) * MINUTE}
        there = draw.random(rows) >= holes
        tables[symbol] = {name: values[there] for name, values in table.items()}
    return tables


def as_frame(tables: dict[str, dict[str, np.ndarray]], name: str) -> pd.DataFrame:
    return pd.DataFrame({symbol: pd.Series(table[name], table["ts"]) for symbol, table in tables.items()}).sort_index()


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_cross_sections_are_those_of_pandas(holes: float) -> None:
    """Ranks, means, excess and z-scores of five-row returns over the symbols that have a row at the time."""
    tables = universe(300, holes=holes)
    specs = [f"{name}(returns(5))" for name in ("rank", "cross_mean", "excess", "cross_zscore")]
    found = FeaturePipeline(specs, SYMBOLS).extend(tables)
    returns = pd.DataFrame(
        {symbol: pd.Series(table["close"], table["ts"]).pct_change(5) for symbol, table in tables.items()}
    ).sort_index()
    count = returns.count(axis=1)
    alone = count < 2
    mean = returns.mean(axis=1)
    expected = {
        "rank_returns_5": (returns.rank(axis=1) - 1).div(count - 1, axis=0),
        "cross_mean_returns_5": returns.mul(0).add(mean, axis=0),
        "excess_returns_5": returns.sub(mean, axis=0),
        "cross_zscore_returns_5": returns.sub(mean, axis=0).div(returns.std(axis=1, ddof=0), axis=0),
    }
    for name, frame in expected.items():
        frame = frame.mask(alone)
        for symbol in SYMBOLS:
            wanted = frame[symbol].reindex(tables[symbol]["ts"]).to_numpy()
            np.testing.assert_allclose(found[symbol][name], wanted, rtol=1e-9, atol=1e-12)


def test_beta_and_correlation_are_those_of_pandas() -> None:
    """Sixty returns of ETH against BTC: covariance over variance, and Pearson's correlation."""
    tables = universe(500)
    found = FeaturePipeline(["beta(60)", "returns(1)[BTCUSDT]"], SYMBOLS).extend(tables)["ETHUSDT"]
    moves = as_frame(tables, "close").pct_change()
    rolling = moves["ETHUSDT"].rolling(60)
    beta = rolling.cov(moves["BTCUSDT"]) / moves["BTCUSDT"].rolling(60).var()
    np.testing.assert_allclose(found["beta_60.beta"], beta, rtol=1e-8)
    np.testing.assert_allclose(found["beta_60.correlation"], rolling.corr(moves["BTCUSDT"]), rtol=1e-8)
    np.testing.assert_allclose(found["returns_1_BTCUSDT"], moves["BTCUSDT"], rtol=1e-9, atol=1e-15)


def test_what_moves_with_itself_has_beta_one() -> None:
    found = FeaturePipeline(["beta(20)"], SYMBOLS).extend(universe(60))["BTCUSDT"]
    np.testing.assert_allclose(found["beta_20.beta"][20:], 1.0, rtol=1e-12)
    np.testing.assert_allclose(found["beta_20.correlation"][20:], 1.0, rtol=1e-12)


def test_features_of_cross_sections() -> None:
    """The mean of three ranks is the mean of the ranks' column, and beta against the universe reads its mean price."""
    tables = universe(100)
    found = FeaturePipeline(["sma(3, rank(returns(5)))", "rank(returns(5))", "rank(rank(returns(5)))"], SYMBOLS).extend(
        tables
    )
    for symbol in SYMBOLS:
        one = found[symbol]
        expected = columns(["sma(3)"], {"close": one["rank_returns_5"]})["sma_3"]
        np.testing.assert_array_equal(one["sma_3_rank_returns_5"], expected)
        np.testing.assert_array_equal(one["rank_rank_returns_5"], one["rank_returns_5"])


SPECS = [
    "ema(5)",
    "rank(returns(3))",
    "sma(3, excess(ema(4)))",
    "beta(9)",
    "returns(2)[ETHUSDT]",
    "sma(2)@5m",
    "rank(sma(2)@5m)",
]


@given(st.integers(0, 99), st.floats(0.0, 0.6), st.lists(st.integers(0, 60), max_size=4))
def test_any_cutting_of_time_gives_the_bits_of_the_whole(seed: int, holes: float, cuts: list[int]) -> None:
    """Chunks with saved states, on two threads, and time by time as live, with symbols that come and go."""
    tables = universe(60, seed, holes)
    whole = FeaturePipeline(SPECS, SYMBOLS, timeframe="1m").extend(tables)
    parts, edges = [], sorted({0, 60, *cuts})
    pipeline = FeaturePipeline(SPECS, SYMBOLS, timeframe="1m")
    for start, end in pairwise(edges):
        piece = {}
        for symbol, table in tables.items():
            inside = (table["ts"] >= start * MINUTE) & (table["ts"] < end * MINUTE)
            piece[symbol] = {name: values[inside] for name, values in table.items()}
        parts.append(pipeline.extend(piece, workers=2))
        saved = pipeline.save()
        pipeline = FeaturePipeline(SPECS, SYMBOLS, timeframe="1m")
        pipeline.load(saved)
    live = FeaturePipeline(SPECS, SYMBOLS, timeframe="1m")
    rows: dict[str, list[list[float]]] = {symbol: [] for symbol in SYMBOLS}
    for time in range(60):
        bars = {}
        for symbol, table in tables.items():
            place = np.flatnonzero(table["ts"] == time * MINUTE)
            if len(place):
                bars[symbol] = {name: values[place[0]] for name, values in table.items()}
        for symbol, row in live.update(bars).items():
            rows[symbol].append(list(row.values()))
    for symbol in SYMBOLS:
        joined = {name: np.concatenate([part[symbol][name] for part in parts]) for name in whole[symbol]}
        assert first_difference(whole[symbol], joined, "chunks") is None
        table = np.array(rows[symbol]).reshape(len(tables[symbol]["ts"]), len(live.columns))
        by_time = {name: table[:, i].copy() for i, name in enumerate(live.columns)}
        assert first_difference(whole[symbol], by_time, "live") is None


def test_the_future_of_any_symbol_moves_nothing_before() -> None:
    """Later rows of one symbol are changed: no feature of any symbol before them moves."""
    tables = universe(60)
    before = FeaturePipeline(SPECS, SYMBOLS, timeframe="1m").extend(tables)
    for changed in SYMBOLS:
        other = {symbol: {name: values.copy() for name, values in table.items()} for symbol, table in tables.items()}
        for name in ("open", "high", "low", "close"):
            other[changed][name][40:] *= 3.0
        after = FeaturePipeline(SPECS, SYMBOLS, timeframe="1m").extend(other)
        for symbol in SYMBOLS:
            past = [{name: values[:40] for name, values in found[symbol].items()} for found in (before, after)]
            assert first_difference(*past, changed) is None
        assert not np.array_equal(after[changed]["ema_5"][40:], before[changed]["ema_5"][40:])


def test_the_version_changes_with_the_specs_and_the_timeframe() -> None:
    versions = {
        FeaturePipeline(specs, SYMBOLS, timeframe=timeframe).version
        for specs in (["ema(5)"], ["ema(6)"], ["ema(5)", "ema(6)"])
        for timeframe in ("1m", "5m")
    }
    assert len(versions) == 6
    assert FeaturePipeline(["ema(5)"], ["A"]).version == FeaturePipeline(["ema( 5 )"], ["B", "C"]).version


def test_the_schema_says_what_each_column_is() -> None:
    schema = FeaturePipeline(["macd", "sma(5, rsi(14))"], timeframe="1h").schema()
    assert [row["column"] for row in schema][-1] == "sma_5_rsi_14"
    assert schema[-1]["warmup"] == 14 + 4
    assert schema[0]["spec"] == "macd(12, 26, 9)"
    assert all("missing input" in row["missing"] for row in schema)


def test_what_cannot_be_is_refused_in_words() -> None:
    tables = universe(5)
    with pytest.raises(FeatureError, match=r"'close\[BTCUSDT\]' is read, but BTCUSDT is not among the symbols"):
        FeaturePipeline(["beta(5)"], ["ETHUSDT"])
    with pytest.raises(FeatureError, match="compares symbols with each other"):
        stream(["rank(returns(5))"])
    with pytest.raises(FeatureError, match=r"'ETHUSD' is no symbol of this pipeline.*ETHUSDT"):
        FeaturePipeline(["ema(5)"], SYMBOLS).extend({"ETHUSD": tables["ETHUSDT"]})
    with pytest.raises(FeatureError, match="BTCUSDT has no 'close'"):
        FeaturePipeline(["ema(5)"], SYMBOLS).extend({"BTCUSDT": {"ts": [1, 2]}})
    with pytest.raises(FeatureError, match="BTCUSDT: ts does not rise at row 1"):
        FeaturePipeline(["ema(5)"], SYMBOLS).extend({"BTCUSDT": {"ts": [2, 2], "close": [1.0, 2.0]}})
    with pytest.raises(FeatureError, match="of another pipeline"):
        FeaturePipeline(["ema(5)"], SYMBOLS).load(FeaturePipeline(["ema(6)"], SYMBOLS).save())
    with pytest.raises(FeatureError, match="damaged"):
        FeaturePipeline(["ema(5)"], SYMBOLS).load(b"nothing")
