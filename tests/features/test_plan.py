"""Features of features, of longer bars and of other symbols: computed once, known when they could be, cut anywhere."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import FeatureError
from truewind.features import Feature, Stream, columns, derived, parameter, parse_spec, scalars
from truewind.features.checks import check_feature, first_difference, sample_bars
from truewind.features.trend import EMA
from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory, lag, part

MINUTE = 60_000_000
NAMES = ("open", "high", "low", "close", "volume")


def minutes(count: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Minutes from Monday 2024-01-01 09:58 on."""
    first = np.datetime64("2024-01-01T09:58", "us").astype(np.int64)
    return {**sample_bars(count, NAMES, seed), "ts": (first + MINUTE * np.arange(count)).astype(float)}


def test_a_source_may_be_another_feature() -> None:
    """The EMA of an RSI is the EMA of the RSI's column."""
    bars = minutes(200)
    inner = columns(["rsi(14)"], bars)["rsi_14"]
    expected = columns(["ema(9)"], {"close": inner})["ema_9"]
    found = columns(["ema(9, rsi(14))", "sma(3, ema(9, rsi(14)))"], bars)
    np.testing.assert_array_equal(found["ema_9_rsi_14"], expected)
    np.testing.assert_array_equal(found["sma_3_ema_9_rsi_14"], columns(["sma(3)"], {"close": expected})["sma_3"])
    assert columns([EMA(9, parse_spec("rsi(14)"))], bars).keys() == {"ema_9_rsi_14"}


def test_what_two_features_read_is_computed_once() -> None:
    stream = Stream(["ema(9, rsi(14))", "sma(3, rsi(14))", "rsi(14)"])
    assert [node.name for node in stream._nodes].count("rsi(14)") == 1
    assert stream.inputs == ("close",)
    assert stream.warmup == 14 + 8


@pytest.mark.parametrize("timeframe", ["5m", "1h", "4h", "1d"])
def test_longer_bars_are_those_that_polars_makes_and_known_when_they_end(timeframe: str) -> None:
    """Means of closes and volumes of longer bars: group_by_dynamic, then the value of the last bar that is over."""
    bars = minutes(4_000)
    table = pl.DataFrame(bars).with_columns(ts=pl.col("ts").cast(pl.Int64).cast(pl.Datetime("us")))
    longer = table.group_by_dynamic("ts", every=timeframe).agg(
        pl.col("close").last(), pl.col("high").max(), pl.col("low").min(), pl.col("volume").sum()
    )
    longer = longer.filter(pl.col("ts") >= table["ts"][0])  # the first one had begun before
    longer = longer.with_columns(
        mean=pl.col("close").rolling_mean(3),
        summed=pl.col("volume").rolling_mean(2),
        ends=pl.col("ts").dt.offset_by(timeframe),
    )
    ends = table.select(ends=pl.col("ts").dt.offset_by("1m"))
    expected = ends.join_asof(longer.select("ends", "mean", "summed"), on="ends", strategy="backward")
    found = columns([f"sma(3)@{timeframe}", f"sma(2, volume)@{timeframe}"], bars, timeframe="1m")
    for wanted, got in zip(("mean", "summed"), found.values(), strict=True):
        np.testing.assert_allclose(got, expected[wanted].fill_null(np.nan).to_numpy(), rtol=1e-12, atol=1e-9)


def test_a_bar_whose_last_minute_never_came_is_known_with_the_next_row() -> None:
    """By hand: minutes 0 1 2 (3 4 missing) 6: the bar of 0 to 4 is known at minute 6, that of 5 to 9 not yet."""
    first = np.datetime64("2024-01-01", "us").astype(np.int64)
    bars = {"ts": first + MINUTE * np.array([0, 1, 2, 6]), "close": np.array([1.0, 2.0, 3.0, 4.0])}
    found = columns(["sma(1)@5m"], bars, timeframe="1m")["sma_1_5m"]
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 3.0])


def test_weeks_begin_on_monday() -> None:
    """2024-01-01 was a Monday: the week's last day is row 6, whose close is known at its end."""
    first = np.datetime64("2024-01-01", "us").astype(np.int64)
    bars = {"ts": first + 1440 * MINUTE * np.arange(8), "close": np.arange(8.0)}
    found = columns(["sma(1)@1w"], bars, timeframe="1d")["sma_1_1w"]
    np.testing.assert_array_equal(found, [np.nan] * 6 + [6.0, 6.0])


SPECS = ["sma(2)@5m", "ema(3, rsi(2))@15m", "sma(3, sma(2)@5m)", "atr(2)@1h", "ema(4, rsi(3))", "sma(2)[ETHUSDT]"]


@given(
    st.lists(st.sampled_from([1, 1, 1, 2, 7, 61, 3_000]), min_size=1, max_size=150),
    st.lists(st.integers(0, 150), max_size=6),
    st.integers(0, 99),
)
def test_any_cutting_gives_the_bits_of_the_whole(steps: list[int], cuts: list[int], seed: int) -> None:
    """Minutes with gaps of any length: chunks with saved states, and bar by bar, in both faces of the kernels."""
    bars = sample_bars(len(steps), NAMES, seed)
    bars["ts"] = np.cumsum(steps) * float(MINUTE)
    bars["close[ETHUSDT]"] = np.where(np.arange(len(steps)) % 5 == seed % 5, np.nan, bars["low"])
    whole = Stream(SPECS, timeframe="1m").extend(bars)
    assert first_difference(whole, Stream(SPECS, timeframe="1m", compiled=False).extend(bars), "Python") is None
    edges = sorted({0, len(steps), *(cut for cut in cuts if cut < len(steps))})
    parts, stream = [], Stream(SPECS, timeframe="1m")
    for start, end in pairwise(edges):
        parts.append(stream.extend({name: values[start:end] for name, values in bars.items()}))
        saved = stream.save()
        stream = Stream(SPECS, timeframe="1m")
        stream.load(saved)
    joined = {name: np.concatenate([found[name] for found in parts]) for name in whole}
    assert first_difference(whole, joined, "chunks") is None
    live = Stream(SPECS, timeframe="1m")
    rows = np.array([live.update({name: values[i] for name, values in bars.items()}) for i in range(len(steps))])
    assert first_difference(whole, {name: rows[:, i].copy() for i, name in enumerate(whole)}, "bar by bar") is None


def test_another_symbols_columns_carry_its_name() -> None:
    bars = {"close": np.arange(6.0), "close[ETHUSDT]": np.arange(6.0) * 10.0}
    found = columns(["sma(2)", "sma(2)[ETHUSDT]", "sma(2, sma(2))[ETHUSDT]"], bars)
    assert list(found) == ["sma_2", "sma_2_ETHUSDT", "sma_2_sma_2_ETHUSDT"]
    np.testing.assert_array_equal(found["sma_2_ETHUSDT"], 10.0 * found["sma_2"])


@pytest.mark.parametrize(
    ("specs", "timeframe", "said"),
    [
        (["sma(3)@1h"], "", "needs to know the timeframe of the rows"),
        (["sma(3)@1h"], "1h", "bars of 1h cannot be made of bars of 1h"),
        (["sma(3)@1h"], "7m", "bars of 1h cannot be made of bars of 7m"),
        (["sma(3, sma(3)@1h)@4h"], "1m", "is on a longer timeframe already"),
        (["sma(3)[A][B]"], "", "is not a feature spec"),
    ],
)
def test_a_timeframe_that_cannot_be_is_refused(specs: list[str], timeframe: str, said: str) -> None:
    with pytest.raises(FeatureError, match=said.replace("[", r"\[")):
        Stream(specs, timeframe=timeframe)


def test_the_time_is_asked_for_where_longer_bars_are_made() -> None:
    with pytest.raises(FeatureError, match="reads 'ts', which is not there"):
        columns(["sma(3)@5m"], {"close": np.ones(9)}, timeframe="1m")


# ── rows of many inputs ─────────────────────────────────────────────────────────────────────────────────────────────


@kernel
def pressure(row: Memory, levels: int, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """Sum of what is displayed, less that of `length` rows ago; levels that are not there count nothing."""
    total = 0.0
    for i in range(levels):
        if row[i] == row[i]:
            total += row[i]
    past, cursor, full = lag(total, length, cursor, full, part(window, 1))
    return total - past, cursor, full


class Pressure(Feature):
    """Change of the total of some columns: as many as the parameter says, of which the first must be there."""

    gathered = True
    inputs = derived(lambda self: tuple(f"level_{i + 1}" for i in range(self.levels)))
    needed = derived(lambda self: 1)
    levels: int = parameter(3, 1, 9)
    length: int = parameter(2, 1, 9)
    state = scalars(cursor=0, full=0)
    memory = derived(lambda self: self.length + 1)
    warmup = derived(lambda self: self.length)
    step = staticmethod(pressure)


def test_a_gathered_step_sees_all_inputs_side_by_side() -> None:
    """By hand: totals 6, 15, 20 (one level missing), and nothing where the first one is missing."""
    rows = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [9.0, np.nan, 11.0], [np.nan, 1.0, 1.0], [1.0, 1.0, 1.0]])
    bars = {f"level_{i + 1}": rows[:, i].copy() for i in range(3)}
    for compiled in (True, False):
        found = Stream([Pressure(3, 2)], compiled=compiled).extend(bars)
        np.testing.assert_array_equal(next(iter(found.values())), [np.nan, np.nan, 14.0, np.nan, 3.0 - 15.0])


def test_a_gathered_feature_passes_the_shared_suite() -> None:
    """Also with levels that may be missing."""
    result = check_feature(Pressure(2, 1))
    assert result.ok, result
