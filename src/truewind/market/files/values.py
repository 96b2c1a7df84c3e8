"""Values: text and numbers of a file as times and float64. What cannot be read becomes null, never a guess.

Integer stamps tell their unit by size: seconds, milli-, micro- and nanoseconds since 1970 do not overlap between
1973 and 2286, so each row is read by itself and a file that changes its unit half-way is read right.
"""

import re

import polars as pl

from truewind.errors import FormatError

TS = pl.Datetime("us", "UTC")
_SAMPLE = 10_000
_SLASHED = r"^(\d{1,2})/(\d{1,2})/(\d{4})(.*)$"
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_COMPACT = re.compile(r"(19|20)\d{6}( \d{2}:\d{2}(:\d{2})?)?")


def read_times(column: pl.Series, label: str) -> pl.Series:
    """`column` as Datetime("us", "UTC"); a time without zone is UTC; what cannot be read is null.

    Raises FormatError for day/month order that the file itself does not settle.
    """
    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone is None:
            column = column.dt.replace_time_zone("UTC")
        return column.cast(TS)
    if column.dtype == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(TS)
    if column.dtype.is_numeric():
        return _from_numbers(column)
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        return pl.Series(column.name, [None] * len(column), TS)
    return _from_text(column.cast(pl.String).str.strip_chars(), label)


def read_numbers(column: pl.Series) -> pl.Series:
    """`column` as Float64, each value the double nearest to its decimal text; what cannot be read is null."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        return column.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.Series(column.name, [None] * len(column), pl.Float64)


def read_flags(column: pl.Series) -> pl.Series:
    """`column` as Boolean from true/false or 1/0 in any case; what cannot be read is null."""
    if column.dtype == pl.Boolean:
        return column
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    return text.replace_strict(
        {"true": True, "1": True, "false": False, "0": False}, default=None, return_dtype=pl.Boolean
    )


def _from_numbers(column: pl.Series) -> pl.Series:
    value = pl.col("v")
    if column.dtype.is_float():
        # Whole microseconds of a float of seconds: 1672531436.1234 is exact to less than one.
        micros = (
            pl.when(value < 1e11)
            .then((value * 1e6).round())
            .when(value < 1e14)
            .then((value * 1e3).round())
            .when(value < 1e17)
            .then(value.round())
            .otherwise((value / 1e3).floor())
        )
        usable = value.is_finite() & value.is_between(1e8, 1e20, closed="left")
    else:
        # Capped before multiplying, so that a wrong branch cannot overflow.
        micros = (
            pl.when(value < 10**11)
            .then(value.clip(0, 10**11) * 1_000_000)
            .when(value < 10**14)
            .then(value.clip(0, 10**14) * 1_000)
            .when(value < 10**17)
            .then(value)
            .otherwise(value // 1_000)
        )
        usable = value >= 10**8
    frame = column.cast(pl.Float64 if column.dtype.is_float() else pl.Int64, strict=False).alias("v").to_frame()
    read = frame.select(pl.when(usable).then(micros).cast(pl.Int64)).to_series()
    return read.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(TS).alias(column.name)


def _from_text(text: pl.Series, label: str) -> pl.Series:
    sample = next((value for value in text.head(_SAMPLE) if value), "")
    if _COMPACT.fullmatch(sample):
        return _from_formats(text, ("%Y%m%d", "%Y%m%d %H:%M", "%Y%m%d %H:%M:%S"))
    if re.match(_SLASHED, sample):
        return _from_slashed(text, label)
    if _NUMBER.fullmatch(sample):
        whole = text.cast(pl.Int64, strict=False)
        times = _from_numbers(whole)
        if whole.null_count():
            times = times.zip_with(whole.is_not_null(), _from_numbers(text.cast(pl.Float64, strict=False)))
        return times
    plain = text.str.replace(r"( ?UTC|Z|\+00:?00)$", "").str.replace("T", " ", literal=True)
    return _from_formats(plain, ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f%z"))


def _from_formats(text: pl.Series, formats: tuple[str, ...]) -> pl.Series:
    """Each row by the first format that fits it: writers drop a fraction or a time of day that is zero."""
    times = pl.Series(text.name, [None] * len(text), TS)
    for form in formats:
        if times.null_count() == text.null_count():
            break
        zone = None if form.endswith("%z") else "UTC"
        more = text.str.to_datetime(form, time_unit="us", time_zone=zone, strict=False)
        times = times.zip_with(times.is_not_null(), more.cast(TS))
    return times


def _from_slashed(text: pl.Series, label: str) -> pl.Series:
    parts = text.str.extract_groups(_SLASHED).struct.unnest()
    first, second = (parts[name].cast(pl.Int64, strict=False).max() for name in parts.columns[:2])
    if not isinstance(first, int) or not isinstance(second, int) or (first > 12) == (second > 12):
        shown = next(value for value in text if value)
        raise FormatError(
            f"{label}: dates such as {shown} may be day/month or month/day, and no row settles it",
            remedy="Write dates as 2024-01-31",
        )
    date = "%d/%m/%Y" if first > 12 else "%m/%d/%Y"
    return _from_formats(text, (date, f"{date} %H:%M", f"{date} %H:%M:%S"))
