"""Scaling: scikit-learn's numbers, nothing learned of the future, a row to the bit as a table."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from truewind.config import parse
from truewind.errors import ConfigError, FeatureError
from truewind.features import Stream, compute
from truewind.features.checks import sample_bars
from truewind.features.scaling import MERGEABLE, Scaler, Scaling, fit_scaler, load_scaler

METHODS = ("none", "standard", "minmax", "robust", "log", "quantile")
TIME = pl.Datetime("us", "UTC")
DAY = 86_400_000_000
NAN, INF = float("nan"), float("inf")


def table(**columns: Any) -> pl.DataFrame:
    """Columns with days from 1970 on as times."""
    rows = len(next(iter(columns.values())))
    return pl.DataFrame({"ts": pl.Series(DAY * np.arange(rows)).cast(TIME), **columns})


def fitted(values: Any, method: Any, **options: Any) -> Scaler:
    return fit_scaler(table(x=np.asarray(values, float)), Scaling(default=method), **{"end": None, **options})


def scaled(scaler: Scaler, values: Any) -> np.ndarray:
    return scaler.transform(table(x=np.asarray(values, float)))["x"].to_numpy()


def some_values(rows: int = 3_000, seed: int = 1) -> np.ndarray:
    """Skewed, with ties, and a few that are missing."""
    draw = np.random.default_rng(seed)
    values = np.where(draw.random(rows) < 0.1, 2.0, draw.lognormal(0.0, 2.0, rows) - 1.0)
    values[draw.random(rows) < 0.05] = NAN
    return values


LIBRARY = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(),
    "quantile": QuantileTransformer(n_quantiles=1_000, subsample=None),
}


@pytest.mark.parametrize("method", LIBRARY)
@pytest.mark.parametrize("kind", ["skewed", "few", "ties", "constant", "far", "zeros"])
def test_it_is_scikit_learn(method: str, kind: str) -> None:
    """Training rows and new ones, below, above and between them; NaN too; and back."""
    train = {
        "skewed": some_values(),
        "few": np.array([3.0, -1.0, 8.0, 8.0, 2.5]),
        "ties": np.repeat([0.0, 0.0, 1.0, 5.0, 5.0, 7.0], 500),
        "constant": np.full(50, 0.1),
        "far": 1e6 + np.random.default_rng(2).normal(0.0, 1.0, 2_000),
        "zeros": np.where(np.arange(900) % 10, 0.0, np.arange(900.0)),
    }[kind]
    library = LIBRARY[method]
    if method == "quantile":
        library.set_params(n_quantiles=min(1_000, int(np.isfinite(train).sum())))
    library.fit(train[:, None])
    new = np.concatenate([train, np.nanmin(train) + np.ptp(train[~np.isnan(train)]) * np.linspace(-1, 2, 301), [NAN]])
    scaler = fitted(train, method)
    found, wanted = scaled(scaler, new), library.transform(new[:, None])[:, 0]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    back = scaler.inverse(table(x=wanted))["x"].to_numpy()
    np.testing.assert_allclose(back, library.inverse_transform(wanted[:, None])[:, 0], rtol=1e-9, atol=1e-9)


def test_log_is_the_standard_of_signed_logarithms() -> None:
    values = some_values()
    logs = np.sign(values) * np.log1p(np.abs(values))
    wanted = StandardScaler().fit_transform(logs[:, None])[:, 0]
    np.testing.assert_allclose(scaled(fitted(values, "log"), values), wanted, rtol=1e-9, atol=1e-12)


def test_by_hand() -> None:
    """1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5, median 2.5, quartiles 1.75 and 3.75."""
    values = [1.0, 2.0, 3.0, 6.0]
    assert scaled(fitted(values, "standard"), [3.0, 3.0 + 3.5**0.5]).tolist() == [0.0, pytest.approx(1.0)]
    assert scaled(fitted(values, "minmax"), [1.0, 3.5, 6.0, 11.0]).tolist() == [0.0, 0.5, 1.0, 2.0]
    assert scaled(fitted(values, "robust"), [2.5, 4.5]).tolist() == [0.0, 1.0]
    assert scaled(fitted(values, "quantile"), [0.0, 1.0, 2.0, 4.5, 6.0, 7.0]).tolist() == pytest.approx(
        [0.0, 0.0, 1 / 3, 2.5 / 3, 1.0, 1.0]
    )
    assert scaled(fitted(values, "none"), [5.0]).tolist() == [5.0]


def test_each_column_has_its_method() -> None:
    rows = table(a=[1.0, 3.0], b=[1.0, 3.0], c=[1.0, 3.0])
    scaler = fit_scaler(rows, Scaling(default="minmax", columns={"b": "standard", "c": "none"}), end=None)
    assert scaler.transform(rows).drop("ts").rows() == [(0.0, -1.0, 1.0), (1.0, 1.0, 3.0)]


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_column_becomes_nothing(method: str) -> None:
    """0, also for 0.1, whose mean of many is another number; with `none` itself; quantiles clip what differs."""
    scaler = fitted(np.full(1_001, 0.1), method)
    found = scaled(scaler, [0.1, 1.1])
    assert found[0] == (0.1 if method == "none" else 0.0)
    assert np.isfinite(found[1])
    np.testing.assert_allclose(scaler.inverse(table(x=found[:1]))["x"].to_numpy(), [0.1], rtol=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_missing_stays_missing(method: str) -> None:
    """Null is null, NaN is NaN, and so is what no feature gives; the fit does not see them."""
    values = pl.Series([1.0, None, NAN, 2.0, INF, -INF, 1e101, 4.0])
    scaler = fit_scaler(table(x=values), Scaling(default=method), end=None)
    assert scaler.fits == fitted([1.0, 2.0, 4.0], method).fits
    found = scaler.transform(table(x=values))["x"]
    assert found.is_null().to_list() == values.is_null().to_list()
    assert np.isfinite(found.fill_null(NAN).to_numpy()).tolist() == [1, 0, 0, 1, 0, 0, 0, 1]
    assert scaler.inverse(table(x=values))["x"].is_null().to_list() == values.is_null().to_list()


numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
columns = st.lists(numbers | st.just(NAN), min_size=2, max_size=60).filter(lambda xs: not all(np.isnan(xs)))
methods = st.sampled_from(METHODS)


@given(columns, st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30), methods)
def test_later_rows_are_not_seen(train: list[float], later: list[float], method: str) -> None:
    """Whatever comes after the training span, or before it, the scaler is the same to the bit."""
    end = len(train) * DAY
    alone = fitted(train, method)
    assert fitted([*train, *later], method, end=end).save() == alone.save()
    moved = fitted([*later, *train], method, start=len(later) * DAY)
    assert moved.fits == alone.fits


def test_a_row_counts_once_it_is_known() -> None:
    """Daily rows known a day later: the row of the second day is known at the end of it, not before."""
    rows = table(x=[1.0, 2.0, 9.0]).with_columns(ts_known=pl.col("ts") + pl.duration(days=1))
    assert fit_scaler(rows, end=2 * DAY).fits[0].count == 2
    assert fit_scaler(rows, end=2 * DAY - 1).fits[0].count == 1
    assert fit_scaler(rows, end="1970-01-03").end_us == DAY


@given(columns, methods)
def test_there_and_back(values: list[float], method: str) -> None:
    """Within rounding of the fitted range; quantiles too, for values that were fitted."""
    scaler = fitted(values, method)
    back = scaler.inverse(scaler.transform(table(x=np.array(values))))["x"].to_numpy()
    reach = np.nanmax(np.abs(values))
    np.testing.assert_allclose(back, values, rtol=1e-9, atol=1e-11 * reach)


@given(columns, columns, st.sampled_from(MERGEABLE))
def test_merged_is_fitted_on_both(old: list[float], new: list[float], method: str) -> None:
    """Either way round; extremes exactly, moments within rounding."""
    rows = table(x=np.array([*old, *new]))
    how, cut = Scaling(default=method), len(old) * DAY
    first, second = fit_scaler(rows, how, end=cut), fit_scaler(rows, how, start=cut, end=None)
    whole = fit_scaler(rows, how, end=None)
    for merged in (first.merged(second), second.merged(first)):
        one, all_ = merged.fits[0], whole.fits[0]
        assert (one.count, one.low, one.high) == (all_.count, all_.low, all_.high)
        reach = max(abs(all_.low), abs(all_.high))
        np.testing.assert_allclose(one.mean, all_.mean, rtol=1e-12, atol=1e-12 * reach)
        np.testing.assert_allclose(one.squares, all_.squares, rtol=1e-9, atol=1e-12 * reach * reach)
        assert (merged.start_us, merged.end_us) == (whole.start_us, whole.end_us)


@pytest.mark.parametrize("method", ["robust", "quantile"])
def test_quantiles_are_not_merged(method: str) -> None:
    rows = table(x=np.arange(10.0))
    how = Scaling(default=method)
    one, two = fit_scaler(rows, how, end=5 * DAY), fit_scaler(rows, how, start=5 * DAY, end=None)
    with pytest.raises(FeatureError, match=r"cannot be brought up to date exactly.*Fit it anew on all rows"):
        one.merged(two)


def test_what_does_not_belong_together_is_not_merged() -> None:
    rows = table(x=np.arange(10.0))
    one = fit_scaler(rows, end=6 * DAY)
    with pytest.raises(FeatureError, match="know rows from 1970-01-06 00:00:00 to 1970-01-06 00:00:00"):
        one.merged(fit_scaler(rows, start=5 * DAY, end=None))
    with pytest.raises(FeatureError, match="different feature sets"):
        one.merged(fit_scaler(rows.rename({"x": "y"}), start=6 * DAY, end=None))
    with pytest.raises(FeatureError, match="by standard in one and by minmax"):
        one.merged(fit_scaler(rows, Scaling(default="minmax"), start=6 * DAY, end=None))


def wide() -> tuple[pl.DataFrame, Scaler]:
    """Sixty columns of all methods, fitted on the first half."""
    rows = table(**{f"c{i}": some_values(400, i) for i in range(60)})
    how = {f"c{i}": METHODS[i % 6] for i in range(60)}
    return rows, fit_scaler(rows, Scaling(columns=how), end=200 * DAY)


def test_a_row_is_to_the_bit_the_tables() -> None:
    """There and back, seen and unseen, with missing values."""
    rows, scaler = wide()
    there = scaler.transform(rows)
    back = scaler.inverse(there)
    for i, values in enumerate(rows.drop("ts").to_numpy()):
        made = scaler.row(values)
        np.testing.assert_array_equal(made, there.drop("ts").to_numpy()[i])
        np.testing.assert_array_equal(scaler.inverse_row(made), back.drop("ts").to_numpy()[i])


def test_a_saved_scaler_is_the_same_to_the_bit() -> None:
    rows, scaler = wide()
    again = load_scaler(scaler.save(), columns=scaler.columns, version="")
    assert again.fits == scaler.fits
    assert again.save() == scaler.save()
    assert_frame_equal(again.transform(rows), scaler.transform(rows), check_exact=True)


def changed(saved: bytes, change: Any) -> bytes:
    value = json.loads(saved)
    change(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.update(format=2), "format 2"),
        (lambda v: v.update(more=1), "unknown field `more`"),
        (lambda v: v.pop("version"), "missing required field `version`"),
        (lambda v: v["columns"][0].update(count="3"), "damaged"),
        (lambda v: v["columns"][0].update(method="cube"), "damaged"),
        (lambda v: v["columns"][0].update(count=0), "damaged at 'x'"),
        (lambda v: v["columns"][0].update(mean=None), "damaged"),
        (lambda v: v["columns"][0].update(low=5.0), "damaged at 'x'"),
        (lambda v: v["columns"][0].update(squares=-1.0), "damaged at 'x'"),
        (lambda v: v["columns"][0].update(marks=[1.0]), "damaged at 'x'"),
        (lambda v: v["columns"].append(v["columns"][0]), "damaged"),
    ],
)
def test_a_damaged_scaler_is_refused(change: Any, said: str) -> None:
    saved = fitted([1.0, 2.0], "standard").save()
    with pytest.raises(FeatureError, match=said):
        load_scaler(changed(saved, change))
    with pytest.raises(FeatureError, match="damaged"):
        load_scaler(saved[:-5])


def test_a_scaler_of_another_feature_set_is_refused() -> None:
    saved = fit_scaler(table(a=[1.0], b=[2.0]), end=None, version="abc").save()
    with pytest.raises(FeatureError, match="of the feature set abc, not of xyz"):
        load_scaler(saved, version="xyz")
    with pytest.raises(FeatureError, match="b, c are in one only"):
        load_scaler(saved, columns=["a", "c"])
    with pytest.raises(FeatureError, match="in another order"):
        load_scaler(saved, columns=["b", "a"])


def test_rows_outside_of_the_training_range_are_counted() -> None:
    """x was 0 … 4, y always 1; by hand: −2 lies half a range below, 5 and 6 above, the furthest by 2 / 4 too."""
    scaler = fit_scaler(table(x=[0.0, 4.0, 1.0], y=[1.0, 1.0, 1.0], z=[0.0, 1.0, 2.0]), end=None)
    watch = scaler.watch()
    seen = [watch.see(np.array(row)) for row in ([0.0, 1.0, 1.0], [-2.0, 1.5, NAN], [5.0, NAN, 2.0], [6.0, 1.0, 0.0])]
    assert seen == [0, 2, 1, 1]
    assert watch.rows == 4
    y, x = watch.unseen()
    assert x == ("x", 0.0, 4.0, 1, 2, -2.0, 6.0, 0.5)
    assert y[:7] == ("y", 1.0, 1.0, 0, 1, 1.0, 1.5)
    assert np.isnan(y.by)  # there is no range to measure it by
    assert scaler.watch().unseen() == []


def test_a_stream_is_scaled_as_its_table() -> None:
    """From bars to scaled rows, in training and live."""
    specs = ["rsi(14)", "macd(12, 26, 9)", "atr(14)", "obv"]
    market = sample_bars(600, ("open", "high", "low", "close", "volume"))
    bars = pl.DataFrame({"ts": pl.Series(3_600_000_000 * np.arange(600)).cast(TIME), **market})
    features = compute(bars, specs)
    scaler = fit_scaler(features, Scaling(columns={"obv": "log"}), end=bars["ts"][300])
    assert scaler.columns == Stream(specs).columns
    live, wanted = Stream(specs), scaler.transform(features).drop("ts", "ts_known").to_numpy()
    for bar, row in zip(bars.iter_rows(named=True), wanted, strict=True):
        np.testing.assert_array_equal(scaler.row(live.vector(bar)), row)


def test_what_cannot_be_scaled_is_refused() -> None:
    rows = table(rsi_14=[1.0, 2.0])
    with pytest.raises(FeatureError, match="Did you mean 'rsi_14'"):
        fit_scaler(rows, Scaling(columns={"rsi_41": "log"}), end=None)
    with pytest.raises(FeatureError, match="'rsi_14' has no value in the training rows"):
        fit_scaler(table(rsi_14=[NAN, NAN, 1.0]), end=2 * DAY)
    with pytest.raises(FeatureError, match="No row lies in the training span"):
        fit_scaler(rows, end="1969-01-01")
    with pytest.raises(FeatureError, match="has no 'ts'"):
        fit_scaler(rows.drop("ts"), end=None)
    with pytest.raises(FeatureError, match="'name' is String, not of numbers"):
        fit_scaler(rows.with_columns(name=pl.lit("x")), end=None)
    scaler = fit_scaler(rows, end=None)
    with pytest.raises(FeatureError, match="no 'rsi_14' to scale"):
        scaler.transform(rows.rename({"rsi_14": "rsi_41"}))
    for wrong in (np.zeros(2), np.zeros((1, 1)), np.zeros(0)):
        for use in (scaler.row, scaler.inverse_row, scaler.watch().see):
            with pytest.raises(FeatureError, match="the scaler 1 columns"):
                use(wrong)


def test_settings_are_read_strictly() -> None:
    assert parse(Scaling, {"default": "robust", "columns": {"a": "log"}}).columns == {"a": "log"}
    with pytest.raises(ConfigError, match="default"):
        parse(Scaling, {"default": "cube"})
    with pytest.raises(ConfigError, match="columns"):
        parse(Scaling, {"columns": {"a": "cube"}})
