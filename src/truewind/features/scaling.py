"""Scaling features for a model: fitted on training rows, kept with what was fitted, the same for tables and live rows.

    scaler = fit_scaler(table, Scaling(columns={"volume": "log"}), end="2024-07-01", version=pipeline.version)
    scaler.transform(table)                    a table, its columns scaled
    scaler.row(stream.vector(bar))             a row, to the same bit
    scaler.watch().see(stream.vector(bar))     how many of its values no training row has come near

Settings stand in YAML as a part `scaling:`, a method for all columns and others for some:

    scaling:
      default: standard
      columns: {volume: log, hour_sin: none}

none        x
standard    (x − mean) / standard deviation, that of the population
minmax      (x − least) / (most − least): 0 to 1 on the training rows
robust      (x − median) / (third − first quartile)
log         standard of sign(x) ln(1 + |x|), for what has a long tail; it leaves small values as they are
quantile    share of training values below x: 0 at the least, 1 at the most, linear between up to 1,000 quantiles; equal
            values stand in the middle of their share, at an end on it. Outside of the training range it is 0 or 1

A spread of nothing, of a constant column, counts as 1: the constant becomes 0 (with `none` itself), and what differs
from it later keeps its units. Null and NaN stay what they are; a value beyond ±1e100 counts as missing and gives NaN.
No result is infinite.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import polars as pl
from pydantic import Field

from truewind.config import Settings
from truewind.domain.clock import iso, parse_ts_us
from truewind.errors import FeatureError, suggest
from truewind.numerics import scaling as kernels
from truewind.numerics.loop import LEAST, LIMIT
from truewind.numerics.scaling import Floats

Method = Literal["none", "standard", "minmax", "robust", "log", "quantile"]
FORMAT = 1
MARKS = 1_000  # quantiles kept of a column, as many as scikit-learn keeps
MERGEABLE = ("none", "standard", "minmax", "log")
_TIMES = ("ts", "ts_known")
_KINDS = {"log": kernels.LOG, "quantile": kernels.QUANTILE}


class Scaling(Settings):
    """How each column is scaled: `default`, or what `columns` says of its name."""

    default: Method = "standard"
    columns: Mapping[str, Method] = Field(default_factory=dict)


class ColumnFit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was fitted to a column: values in it, the least and the most; then their mean and Σ(x − mean)², of the
    logarithms where those are scaled; then quartiles or quantiles, where the method has them."""

    column: str
    method: Method
    count: int
    low: float
    high: float
    mean: float
    squares: float
    marks: list[float]

    @property
    def centre(self) -> float:
        """What becomes 0."""
        if self.method in ("none", "quantile"):
            return 0.0
        if self.method == "minmax":
            return self.low
        return self.marks[1] if self.method == "robust" else self.mean

    @property
    def spread(self) -> float:
        """What is as long as 1."""
        if self.method in ("none", "quantile"):
            return 1.0
        if self.method == "minmax":
            spread = self.high - self.low
        elif self.method == "robust":
            spread = self.marks[2] - self.marks[0]
        else:
            spread = math.sqrt(self.squares / self.count)
        return spread if spread > LEAST else 1.0

    @property
    def sound(self) -> bool:
        """Whether it can be what `fit_scaler` writes."""
        numbers = [self.low, self.high, self.mean, self.squares, *self.marks]
        wanted = {"robust": 3, "quantile": min(self.count, MARKS)}.get(self.method, 0)
        return (
            self.count > 0
            and all(abs(number) < math.inf for number in numbers)
            and self.low <= self.high
            and self.squares >= 0.0
            and len(self.marks) == wanted
            and self.marks == sorted(self.marks)
        )


class Unseen(NamedTuple):
    """A column that left the range of its training rows. below, above: in how many rows; least, most: the furthest it
    was outside, else the ends of the range. by: the larger of both distances, in lengths of the range; NaN if that is
    nothing."""

    column: str
    low: float
    high: float
    below: int
    above: int
    least: float
    most: float
    by: float


class _Saved(msgspec.Struct, forbid_unknown_fields=True):
    """A scaler on paper."""

    format: int
    version: str
    start_us: int
    end_us: int
    columns: list[ColumnFit]


class Scaler:
    """What was fitted, ready to scale. columns: names in order; version: of the feature set that they belong to.

    start_us, end_us: `ts` of the first and the last row that it was fitted on. Made by `fit_scaler` or `load_scaler`.
    """

    def __init__(self, fits: Sequence[ColumnFit], *, version: str, start_us: int, end_us: int) -> None:
        self.fits = tuple(fits)
        self.columns = tuple(fit.column for fit in self.fits)
        self.version, self.start_us, self.end_us = version, start_us, end_us
        self._numbers = {name: i for i, name in enumerate(self.columns)}
        self._fits = np.zeros((7, len(self.fits)))
        marks: list[float] = []
        for i, fit in enumerate(self.fits):
            kept = fit.marks if fit.method == "quantile" else []
            kind = _KINDS.get(fit.method, kernels.AFFINE)
            ends = (len(marks), len(marks) + len(kept) - 1)
            self._fits[:, i] = (kind, fit.centre, fit.spread, *ends, fit.low, fit.high)
            marks += kept
        self._marks = np.array(marks)
        self._others = np.flatnonzero(self._fits[kernels.KIND] != kernels.AFFINE)

    def transform(self, table: pl.DataFrame) -> pl.DataFrame:
        """`table` with its columns scaled; other columns stay. Raises FeatureError if one of ours is not there."""
        return self._applied(kernels.scale_column, table)

    def inverse(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table that `transform` made `table` of, within rounding; a share of quantiles tells only its interval."""
        return self._applied(kernels.unscale_column, table)

    def row(self, values: Floats) -> Floats:
        """A row scaled: a float64 array in the order of `columns`, as `Stream.vector` gives it, and a new one back."""
        given = self._row(values)
        out = np.empty(len(given))
        kernels.scale_row(given, out, self._fits, self._others, self._marks)
        return out

    def inverse_row(self, values: Floats) -> Floats:
        """The row that `row` made `values` of, as `inverse` does."""
        given = self._row(values)
        out = np.empty(len(given))
        kernels.unscale_row(given, out, self._fits, self._others, self._marks)
        return out

    def watch(self) -> "RangeWatch":
        """Begin to look for live rows that the training rows do not speak for."""
        return RangeWatch(self.columns, self._fits, self._row)

    def merged(self, other: "Scaler") -> "Scaler":
        """What a fit on the rows of both had given, within rounding: this one brought up to date by newer rows.

        Moments are joined as Chan, Golub and LeVeque do (Algorithms for computing the sample variance, 1983). Raises
        FeatureError where columns or methods differ, where the two share rows, and for quantiles, which no two sets of
        quantiles tell of their union: robust and quantile scaling are fitted anew on all rows.
        """
        if (self.columns, self.version) != (other.columns, other.version):
            raise FeatureError("The scalers are of different feature sets", remedy="Fit both on the same columns")
        if self.start_us <= other.end_us and other.start_us <= self.end_us:
            raise FeatureError(
                f"Both scalers know rows from {iso(max(self.start_us, other.start_us))} to "
                f"{iso(min(self.end_us, other.end_us))}",
                remedy="Fit the second on newer rows only",
            )
        fits = [_joined(one, two) for one, two in zip(self.fits, other.fits, strict=True)]
        start, end = min(self.start_us, other.start_us), max(self.end_us, other.end_us)
        return Scaler(fits, version=self.version, start_us=start, end_us=end)

    def save(self) -> bytes:
        """All of it as JSON, to be read by `load_scaler`: numbers to the bit."""
        saved = _Saved(FORMAT, self.version, self.start_us, self.end_us, list(self.fits))
        return msgspec.json.format(msgspec.json.encode(saved), indent=1)

    def _applied(self, kernel: Any, table: pl.DataFrame) -> pl.DataFrame:
        _require(self.columns, table.columns)
        return table.with_columns(self._column(kernel, table[name]) for name in self.columns)

    def _column(self, kernel: Any, given: pl.Series) -> pl.Series:
        values, out = _floats(given), np.empty(len(given))
        kernel(values, out, self._fits, self._numbers[given.name], self._marks)
        series = pl.Series(given.name, out)
        return series.set(given.is_null(), None) if given.null_count() else series

    def _row(self, values: Floats) -> Floats:
        given = np.ascontiguousarray(values, np.float64)
        if given.shape != self._fits.shape[1:]:
            raise FeatureError(
                f"The row has the shape {given.shape}, the scaler {len(self.columns)} columns",
                remedy="Give a value of each of `columns`",
            )
        return given


class RangeWatch:
    """Counts live values outside of what was fitted; values that are missing count for nothing."""

    def __init__(self, columns: tuple[str, ...], fits: Floats, checked: Any) -> None:
        self.rows = 0
        self._columns, self._fits, self._checked = columns, fits, checked
        self._seen = np.zeros((4, len(columns)))
        self._seen[kernels.LEAST], self._seen[kernels.MOST] = fits[kernels.LOW], fits[kernels.HIGH]

    def see(self, values: Floats) -> int:
        """How many values of the next row lie outside of their fitted range."""
        self.rows += 1
        return int(kernels.watch_row(self._checked(values), self._fits, self._seen))

    def unseen(self) -> list[Unseen]:
        """The columns that were outside so far, the furthest first."""
        found = []
        for i in np.flatnonzero(self._seen[kernels.BELOW] + self._seen[kernels.ABOVE]):
            low, high = float(self._fits[kernels.LOW, i]), float(self._fits[kernels.HIGH, i])
            below, above, least, most = self._seen[:, i].tolist()
            by = max(low - least, most - high) / (high - low) if high - low > LEAST else math.nan
            found.append(Unseen(self._columns[i], low, high, int(below), int(above), least, most, by))
        return sorted(found, key=lambda one: (not math.isnan(one.by), -one.by))


def fit_scaler(
    table: pl.DataFrame,
    scaling: Scaling | None = None,
    *,
    start: str | int | datetime | None = None,
    end: str | int | datetime | None,
    version: str = "",
) -> Scaler:
    """Fit all columns of `table` but its times on the rows from `start`, inclusive, that were known by `end`.

    A row is known at its `ts_known`, or, in a table without that, at once, and then `end` is exclusive. `end` has no
    default, for one that is forgotten lets the test rows into the training: say None to fit on all. Other rows
    have no part in it. Raises FeatureError for a column without any value there, or one that is not of numbers.
    """
    chosen = scaling or Scaling()
    names = [name for name in table.columns if name not in _TIMES]
    for name in chosen.columns:
        if name not in names:
            raise FeatureError(
                f"The scaling names a column '{name}' that is not there", remedy=suggest(name, names), column=name
            )
    rows, first, last = _training(table, start, end)
    fits = [_fitted(rows[name], chosen.columns.get(name, chosen.default)) for name in names]
    return Scaler(fits, version=version, start_us=first, end_us=last)


def load_scaler(saved: bytes, *, columns: Sequence[str] | None = None, version: str | None = None) -> Scaler:
    """A saved scaler. Raises FeatureError if it is damaged, or of other columns or another version than those given."""
    try:
        found = msgspec.json.decode(saved, type=_Saved)
    except msgspec.MsgspecError as error:
        raise FeatureError(f"The saved scaler is damaged: {error}", remedy="Fit it again") from None
    names = [fit.column for fit in found.columns]
    if found.format != FORMAT:
        raise FeatureError(f"The saved scaler has the format {found.format}, not {FORMAT}", remedy="Fit it again")
    unsound = next((fit.column for fit in found.columns if not fit.sound), None)
    if unsound is not None or len(set(names)) != len(names):
        raise FeatureError(f"The saved scaler is damaged at '{unsound or names}'", remedy="Fit it again")
    if columns is not None and list(columns) != names:
        odd = sorted(set(columns) ^ set(names))
        what = f"{', '.join(odd[:5])} {'is' if len(odd) == 1 else 'are'} in one only" if odd else "in another order"
        raise FeatureError(f"The scaler is of other columns: {what}", remedy="Fit it on these features")
    if version is not None and version != found.version:
        raise FeatureError(
            f"The scaler is of the feature set {found.version or 'without a version'}, not of {version}",
            remedy="Fit it again: the features or their code have changed",
        )
    return Scaler(found.columns, version=found.version, start_us=found.start_us, end_us=found.end_us)


def _training(table: pl.DataFrame, start: Any, end: Any) -> tuple[pl.DataFrame, int, int]:
    """The training rows, and `ts` of the first and the last."""
    if "ts" not in table.columns:
        raise FeatureError("The table has no 'ts' to tell its training rows", remedy="Keep it beside the features")
    rows = table
    if start is not None:
        rows = rows.filter(pl.col("ts").to_physical() >= parse_ts_us(start))
    if end is not None:
        last = parse_ts_us(end)
        known = "ts_known" in rows.columns
        rows = rows.filter(pl.col("ts_known").to_physical() <= last if known else pl.col("ts").to_physical() < last)
    if rows.is_empty():
        raise FeatureError(f"No row lies in the training span from {start} to {end}", remedy="Widen it")
    times = rows["ts"].to_physical().to_numpy()
    return rows, int(times.min()), int(times.max())


def _fitted(column: pl.Series, method: Method) -> ColumnFit:
    values = _floats(column)
    values = values[np.abs(values) < LIMIT]
    if not len(values):
        raise FeatureError(
            f"'{column.name}' has no value in the training rows",
            remedy="Train on more rows, or leave the feature out",
            column=column.name,
        )
    low, high = float(values.min()), float(values.max())
    marks: list[float] = []
    if method == "robust":
        marks = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    elif method == "quantile":
        marks = np.quantile(values, np.linspace(0.0, 1.0, min(len(values), MARKS))).tolist()
    if marks:  # interpolation may round below its neighbour
        marks = np.clip(np.maximum.accumulate(marks), low, high).tolist()
    shown = _logarithms(values) if method == "log" else values
    mean = float(shown[0]) if low == high else float(shown.mean())  # the mean of equal values may miss them by a digit
    squares = float(np.square(shown - mean).sum())
    return ColumnFit(column.name, method, len(values), low, high, mean, squares, marks)


def _logarithms(values: Floats) -> Floats:
    """sign(x) ln(1 + |x|), to the bit as they will be scaled."""
    fits, out = np.zeros((7, 1)), np.empty(len(values))
    fits[kernels.KIND], fits[kernels.SPREAD] = kernels.LOG, 1.0
    kernels.scale_column(values, out, fits, 0, np.zeros(0))
    return out


def _joined(one: ColumnFit, two: ColumnFit) -> ColumnFit:
    if one.method != two.method:
        raise FeatureError(
            f"'{one.column}' is scaled by {one.method} in one and by {two.method} in the other",
            remedy="Fit both by one method",
            column=one.column,
        )
    if one.method not in MERGEABLE:
        raise FeatureError(
            f"'{one.column}' is scaled by {one.method}, which cannot be brought up to date exactly",
            remedy="Fit it anew on all rows",
            column=one.column,
        )
    count = one.count + two.count
    apart = two.mean - one.mean
    return ColumnFit(
        one.column,
        one.method,
        count,
        min(one.low, two.low),
        max(one.high, two.high),
        one.mean + apart * (two.count / count),
        one.squares + two.squares + apart * apart * (one.count * (two.count / count)),
        [],
    )


def _require(columns: Sequence[str], there: Sequence[str]) -> None:
    for name in columns:
        if name not in there:
            raise FeatureError(f"The table has no '{name}' to scale", remedy=suggest(name, there), column=name)


def _floats(column: pl.Series) -> Floats:
    """A column of numbers as float64, null as NaN. Raises FeatureError if it is none."""
    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise FeatureError(f"'{column.name}' is {column.dtype}, not of numbers", remedy="Leave it out or cast it")
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.ascontiguousarray(values)
