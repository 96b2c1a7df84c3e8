"""Features of a bars table as a table that says when each row was known."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from truewind.domain.timeframe import SECOND_US, timeframe_name, timeframe_us
from truewind.errors import FeatureError
from truewind.features.base import Feature
from truewind.features.streaming import Stream

TIME = pl.Datetime("us", "UTC")


def compute(
    bars: pl.DataFrame | Mapping[str, Any], specs: Iterable[str | Feature], *, timeframe: str | None = None
) -> pl.DataFrame:
    """The features of `specs` for every bar: `ts`, `ts_known` and a Float64 column an output.

    `bars` is a table or a mapping of arrays with `ts` (open times, strictly rising; in arrays int64 µs or datetime64)
    and the inputs; null and NaN both count as missing and give NaN. A bar is known when it is over, at `ts` +
    `timeframe`, which is the most common step of `ts` if not given; with fewer than two bars none can be inferred and
    `ts_known` is null. Rows that are as long as they are (bars by volume, states of a book) bring their own `ts_known`
    and may share a `ts`; a feature is known when the last of the rows that it has seen is.
    Raises FeatureError for a bad spec, a missing column, or times that do not rise.
    """
    own = timeframe is None and "ts_known" in (bars.columns if isinstance(bars, pl.DataFrame) else bars)
    times = _times(bars, least=0 if own else 1)
    step = timeframe_us(timeframe) if timeframe else 0 if own else _usual_step(times)
    stream = Stream(specs, timeframe=timeframe_name(step) if step % SECOND_US == 0 and step else "")
    arrays = columns_of(bars, stream.inputs) | ({"ts": times} if "ts" in stream.inputs else {})
    for name, values in arrays.items():
        if len(values) != len(times):
            raise FeatureError(
                f"'{name}' has {len(values)} rows, 'ts' has {len(times)}",
                remedy="Give columns of the same rows",
                column=name,
            )
    computed = stream.extend(arrays)
    ts = pl.Series("ts", times).cast(TIME)
    if own:
        known = pl.Series("ts_known", np.maximum.accumulate(_micros(bars, "ts_known"))).cast(TIME)
    elif step:
        known = pl.Series("ts_known", times + step).cast(TIME)
    else:
        known = pl.Series("ts_known", [None] * len(times), TIME)
    return pl.DataFrame([ts, known, *(pl.Series(name, values) for name, values in computed.items())])


def columns_of(bars: pl.DataFrame | Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of the columns `names` that `bars` has, as arrays: float64 with NaN for null, times in µs since 1970."""
    if isinstance(bars, pl.DataFrame):
        return {name: _numbers(bars[name]) for name in names if name in bars.columns}
    return {name: bars[name] for name in names if name in bars}


def _times(bars: pl.DataFrame | Mapping[str, Any], *, least: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Times in µs. Raises FeatureError if there are none or they do not rise by `least` each row."""
    if "ts" not in (bars.columns if isinstance(bars, pl.DataFrame) else bars):
        raise FeatureError("The bars have no 'ts'", remedy="Add their open times, or use truewind.features.columns")
    times = _micros(bars, "ts")
    falls = np.flatnonzero(np.diff(times) < least)
    if falls.size:
        row = int(falls[0]) + 1
        raise FeatureError(
            f"ts does not rise at row {row} ({np.datetime64(int(times[row]), 'us')}Z)",
            remedy="Give one symbol, sorted, each bar once",
            row=row,
        )
    return times


def _micros(bars: pl.DataFrame | Mapping[str, Any], name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A column of times in µs."""
    if isinstance(bars, pl.DataFrame):
        return bars[name].cast(TIME).to_physical().to_numpy()
    times = np.asarray(bars[name])
    return (times.astype("datetime64[us]") if times.dtype.kind == "M" else times).astype(np.int64)


def _numbers(series: pl.Series) -> Any:
    """A column as float64 with NaN for null; other than numbers and times is left for the stream to refuse."""
    if isinstance(series.dtype, pl.Datetime):
        series = series.cast(pl.Datetime("us", series.dtype.time_zone)).to_physical()
    if not (series.dtype.is_numeric() or series.dtype == pl.Null):
        return series.to_numpy()
    return series.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _usual_step(times: np.ndarray[Any, np.dtype[np.int64]]) -> int:
    """The most common distance between neighbours, the smaller of equals; 0 if there are none."""
    steps, counts = np.unique(np.diff(times), return_counts=True)
    return int(steps[np.argmax(counts)]) if steps.size else 0
