"""Features written as polars expressions: streamed like any other, and held to the same promises."""

import numpy as np
import polars as pl
import pytest

from truewind.errors import FeatureError
from truewind.features import Stream, columns, derived, parameter
from truewind.features.checks import check_feature, sample_bars
from truewind.features.expression import Expression


class Body(Expression):
    """Mean body of the last candles as a share of their range."""

    inputs = ("open", "high", "low", "close")
    length: int = parameter(5, 1, 50)
    scale = 0
    lookback = derived(lambda self: self.length - 1)

    def expression(self) -> pl.Expr:
        share = (pl.col("close") - pl.col("open")).abs() / (pl.col("high") - pl.col("low"))
        return share.rolling_mean(self.length)


class Range(Expression):
    """Two outputs without a window."""

    inputs, outputs = ("high", "low"), ("size", "middle")

    def expression(self) -> tuple[pl.Expr, ...]:
        return pl.col("high") - pl.col("low"), (pl.col("high") + pl.col("low")) / 2


class Peeking(Expression):
    """Reads the next row."""

    def expression(self) -> pl.Expr:
        return pl.col("close").shift(-1)


class Short(Expression):
    """Looks further back than it says."""

    lookback = derived(lambda self: 1)

    def expression(self) -> pl.Expr:
        return pl.col("close").shift(1) + pl.col("close").ewm_mean(span=20)


class Shrinking(Expression):
    """Gives fewer rows than it gets."""

    def expression(self) -> pl.Expr:
        return pl.col("close").filter(pl.col("close") > 100)


@pytest.mark.parametrize("feature", [Body(), Body(1), Body(17), Range()])
def test_honest_expressions_pass_the_shared_suite(feature: Expression) -> None:
    if isinstance(feature, Body):  # a flat market has no range to share
        bars = sample_bars(400, feature.reads, flat=False)
        result = check_feature(feature, bars)
    else:
        result = check_feature(feature)
    assert result.ok, result


def test_the_values_are_those_of_polars() -> None:
    bars = sample_bars(300, Body.inputs, flat=False)
    expected = pl.DataFrame(bars).select(Body(7).expression()).to_series().fill_null(np.nan).to_numpy()
    np.testing.assert_allclose(columns([Body(7)], bars)["body_7"], expected, rtol=1e-12)


def test_expressions_and_kernels_read_each_other() -> None:
    """EMA of an expression, an expression of an EMA, and both bar by bar."""
    bars = sample_bars(120, ("high", "low", "close"))
    specs = ["ema(5)", "sma(3)"]
    nested = [Range(), type("Of", (Shortened,), {})("close")]
    stream, whole = Stream([*specs, *nested]), Stream([*specs, *nested]).extend(bars)
    rows = np.array([stream.update({name: values[i] for name, values in bars.items()}) for i in range(120)])
    for i, (name, values) in enumerate(whole.items()):
        np.testing.assert_allclose(rows[:, i], values, rtol=1e-9, err_msg=name)


class Shortened(Expression):
    """Twice the close."""

    def expression(self) -> pl.Expr:
        return 2.0 * pl.col("close")


def test_a_leak_is_caught() -> None:
    assert "causal" in [finding.check for finding in check_feature(Peeking()).findings]


def test_a_window_that_is_too_short_is_caught() -> None:
    assert "chunks" in [finding.check for finding in check_feature(Short()).findings]


def test_rows_that_vanish_are_refused() -> None:
    with pytest.raises(FeatureError, match="rows of 3"):
        columns([Shrinking()], {"close": [99.0, 101.0, 102.0]})
