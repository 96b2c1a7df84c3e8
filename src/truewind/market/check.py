"""Checking what is stored: the checks of `validate` over a whole series, its coverage, its gaps, what was refused, and
other series that tell of the same market."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from truewind.domain.clock import iso, parse_ts_us
from truewind.domain.timeframe import HOUR_US, origin_us
from truewind.errors import DataError
from truewind.market.cross import Comparison, cross_checks
from truewind.market.recordings.importing import find_in_book
from truewind.market.report import finding_dict
from truewind.market.validate import Finding, find, is_unfinished
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey


class Month(msgspec.Struct, frozen=True):
    """Rows of one month, and how many a complete month between the series' first and last row has (0: no timeframe)."""

    month: str
    rows: int
    expected: int

    @property
    def coverage(self) -> float:
        """Share of the expected rows that are there, 1 where nothing is expected."""
        return self.rows / self.expected if self.expected else 1.0


class CheckReport(msgspec.Struct, frozen=True):
    """What is known of one stored series. gaps: as `Lake.gaps`. quarantined: refused rows by reason.

    compared: series that tell of the same market, and whether they agree.
    """

    key: SeriesKey
    rows: int
    first_us: int
    last_us: int
    findings: list[Finding]
    months: list[Month]
    gaps: pl.DataFrame
    quarantined: dict[str, int]
    compared: list[Comparison] = []

    @property
    def missing(self) -> int:
        """Rows that lack between the first and the last."""
        return int(self.gaps["missing"].sum())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; times as UTC text."""
        return {
            "series": str(self.key),
            "key": msgspec.to_builtins(self.key),
            "rows": self.rows,
            "first": iso(self.first_us),
            "last": iso(self.last_us),
            "missing": self.missing,
            "findings": [finding_dict(finding) for finding in self.findings],
            "months": [{"month": m.month, "rows": m.rows, "expected": m.expected} for m in self.months],
            "gaps": [
                {**gap, "ts_from": iso(_us(gap["ts_from"])), "ts_to": iso(_us(gap["ts_to"]))}
                for gap in self.gaps.iter_rows(named=True)
            ],
            "quarantined": self.quarantined,
            "compared": [comparison.as_dict() for comparison in self.compared],
        }


def check_series(lake: Lake, key: SeriesKey, keys: Iterable[SeriesKey] | None = None) -> CheckReport:
    """Check a stored series. Raises UnknownSeriesError, and CorruptError if a file is damaged.

    keys: all that the lake holds, where the caller knows them already.
    """
    rows = lake.read(key)
    findings = find(key, rows)
    if key.kind == "book":
        findings += find_in_book(lake, key, rows)
    if key.kind == "bars":
        findings += _against_shorter(lake, key, rows.row(-1, named=True))
    refused = lake.quarantined(key)["reason"].value_counts(sort=True)
    return CheckReport(
        key=key,
        rows=rows.height,
        first_us=_us(rows["ts"][0]),
        last_us=_us(rows["ts"][-1]),
        findings=findings + _funding_intervals(key, rows),
        months=_months(key, rows),
        gaps=lake.gaps(key),
        quarantined=dict(zip(refused["reason"], refused["count"], strict=True)),
        compared=cross_checks(lake, key, keys),
    )


def _against_shorter(lake: Lake, key: SeriesKey, last: Mapping[str, Any]) -> list[Finding]:
    """The last bar was not over: stored bars of a shorter timeframe saw more than it did."""
    begin = _us(last["ts"])
    for info in lake.series(kind=key.kind, venue=key.venue, symbol=key.symbol):
        if info.key.layer != key.layer or info.key.step_us >= key.step_us:
            continue
        try:
            shorter = lake.read(info.key, start_us=begin, end_us=begin + key.step_us)
        except DataError:
            continue  # it has nothing inside the last bar
        if is_unfinished(key, last, shorter=shorter):
            detail = f"the {info.key.timeframe} bars inside it saw more than it did"
            return [Finding("unfinished_bar", 1, begin, begin, detail)]
    return []


def _funding_intervals(key: SeriesKey, rows: pl.DataFrame) -> list[Finding]:
    """Hours between settlements, where they changed: they are data, not a constant."""
    if key.kind != "funding" or rows.height < 2:
        return []
    # Settlements are stamped some milliseconds late.
    hours = ((rows["ts"].to_physical().diff().drop_nulls() / HOUR_US).round()).cast(pl.Int64)
    counts = hours.value_counts(sort=True)
    if counts.height == 1:
        return []
    detail = ", ".join(f"{h} h × {n}" for h, n in counts.iter_rows())
    first = _us(rows["ts"][int((hours != hours[0]).arg_max() or 0) + 1])
    return [Finding("funding_interval", counts.height - 1, first, _us(rows["ts"][-1]), detail)]


def _months(key: SeriesKey, rows: pl.DataFrame) -> list[Month]:
    """Every month from the first row to the last, those without rows too."""
    starts = rows["ts"].dt.truncate("1mo")
    calendar = pl.datetime_range(starts[0], starts[-1], "1mo", eager=True, time_unit="us").alias("ts")
    counts = calendar.to_frame().join(starts.value_counts(), on="ts", how="left", maintain_order="left")
    first, last, step = _us(rows["ts"][0]), _us(rows["ts"][-1]), key.step_us
    months = []
    for start, end, rows_there in zip(
        calendar.to_physical(), calendar.dt.offset_by("1mo").to_physical(), counts["count"].fill_null(0), strict=True
    ):
        expected = _opens_before(min(end, last + 1), step) - _opens_before(max(start, first), step) if step else 0
        months.append(Month(iso(start)[:7], rows_there, expected))
    return months


def _opens_before(ts_us: int, step_us: int) -> int:
    """How many bars of `step_us` open between the grid's origin and `ts_us`, exclusive."""
    return -((origin_us(step_us) - ts_us) // step_us)


def _us(ts: datetime) -> int:
    return parse_ts_us(ts)
