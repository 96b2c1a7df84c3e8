"""Validation: small named checks, each a page that can be read alone, counted in reports and switched off by name.

A refusing check sends its rows to quarantine with its name as the reason; a warning check counts, and changes nothing.
Checks that guard what the lake can hold at all (times, missing and infinite values, double times) are always on.

Rows are never repaired. Two acts are not refusals: rows out of order are sorted (and counted as `unsorted`), and
of rows that are equal in every column one is kept (the others are counted as duplicates). Of rows with one time and
different values the last in the file is kept, since it is what the source said last, and the others are refused.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import SECOND_US, origin_us
from truewind.errors import ConfigError, suggest
from truewind.market.files.table import ROW
from truewind.storage.schema import EARLIEST_US, KINDS, LATEST_US, SeriesKey, row_key

BARS = ("bars", "mark_bars", "index_bars")
GRIDS = (*BARS, "premium_index")
ALL = tuple(KINDS)
PRICES = ("open", "high", "low", "close")
MAX_FUNDING_RATE = 0.10  # venues cap a settlement at 4 % or less; beyond this it is another unit or another column
OUTLIER_SCALES = 25.0
STANDSTILL = 20
MOSTLY = 0.9


class Finding(msgspec.Struct, frozen=True):
    """What one check found: how many rows (or gaps), the first and last time, and a figure worth knowing."""

    check: str
    count: int
    first_us: int | None = None
    last_us: int | None = None
    detail: str = ""


class Check(msgspec.Struct, frozen=True):
    """A named rule. bad: given the series, an expression that is True where a row breaks the rule.

    kinds: the kinds of series it is for. always: the lake depends on it. columns: optional columns that it needs.
    passes: a cheap look at all rows that is True only where none breaks the rule, for rules that cost much.
    """

    name: str
    about: str
    kinds: tuple[str, ...]
    refuses: bool
    always: bool
    columns: tuple[str, ...]
    bad: Callable[[SeriesKey], pl.Expr]
    passes: Callable[[pl.DataFrame], bool] | None = None


class Verdict(msgspec.Struct, frozen=True):
    """rows: sorted, unique, in the lake's columns. refused: the rest with `reason`. duplicates: equal rows left out."""

    rows: pl.DataFrame
    refused: pl.DataFrame
    duplicates: int
    findings: list[Finding]

    @property
    def reasons(self) -> dict[str, int]:
        """Refused rows by reason."""
        counts = self.refused["reason"].value_counts(sort=True)
        return dict(zip(counts["reason"], counts["count"], strict=True))


CHECKS: dict[str, Check] = {}
Rule = Callable[[SeriesKey], pl.Expr]


def _check(
    kinds: tuple[str, ...],
    *,
    refuses: bool,
    always: bool = False,
    columns: tuple[str, ...] = (),
    passes: Callable[[pl.DataFrame], bool] | None = None,
) -> Callable[[Rule], Rule]:
    def register(bad: Rule) -> Rule:
        about = (bad.__doc__ or "").strip().splitlines()[0]
        CHECKS[bad.__name__] = Check(bad.__name__, about, kinds, refuses, always, columns, bad, passes)
        return bad

    return register


# Refusing checks, in the order in which a row is told its reason.


@_check(ALL, refuses=True, always=True)
def unreadable_time(_: SeriesKey) -> pl.Expr:
    """The time is missing, is no time, or lies outside 1900 … 2200."""
    ts = pl.col("ts").to_physical()
    return (ts.is_null() | (ts < EARLIEST_US) | (ts >= LATEST_US)).fill_null(True)


@_check(ALL, refuses=True, always=True)
def missing_value(key: SeriesKey) -> pl.Expr:
    """A needed value is missing, NaN, or no number."""
    needed = [pl.col(name).is_null() for name, _ in KINDS[key.kind].required if name != "ts"]
    return pl.any_horizontal(needed or [pl.lit(False)])


@_check(("trades",), refuses=True, always=True, columns=("id",))
def missing_id(_: SeriesKey) -> pl.Expr:
    """A trade without id in a file whose trades have ids."""
    return pl.col("id").is_null()


@_check(ALL, refuses=True, always=True)
def infinite_value(_: SeriesKey) -> pl.Expr:
    """A value is infinite."""
    return pl.any_horizontal(pl.selectors.by_dtype(pl.Float64).is_infinite())


@_check(BARS, refuses=True)
def nonpositive_price(_: SeriesKey) -> pl.Expr:
    """A price is zero or negative."""
    return pl.min_horizontal(*PRICES) <= 0


@_check(("trades", "liquidations"), refuses=True)
def nonpositive_trade(_: SeriesKey) -> pl.Expr:
    """A trade's price or quantity is zero or negative."""
    return (pl.col("price") <= 0) | (pl.col("quantity") <= 0)


@_check(("marks",), refuses=True)
def nonpositive_mark(_: SeriesKey) -> pl.Expr:
    """A mark or index price is zero or negative."""
    return pl.min_horizontal("^(mark_price|index_price)$") <= 0


@_check(("open_interest", "long_short", "depth_bands"), refuses=True)
def negative_amount(_: SeriesKey) -> pl.Expr:
    """An amount or a ratio is negative."""
    return pl.any_horizontal(pl.col("^(open_interest.*|top_.*|accounts|taker_volume|depth|notional)$") < 0)


def _ids_increase(rows: pl.DataFrame) -> bool:
    return bool((rows["id"].diff() > 0).all()) and not rows["id"].has_nulls()


@_check(("trades",), refuses=True, columns=("id",), passes=_ids_increase)
def repeated_id(_: SeriesKey) -> pl.Expr:
    """The id of an earlier trade in the file, at another time."""
    return ~pl.col("id").is_first_distinct() & pl.struct("ts", "id").is_first_distinct()


@_check(BARS, refuses=True)
def negative_volume(_: SeriesKey) -> pl.Expr:
    """A volume or count is negative."""
    return pl.any_horizontal(pl.col("^(volume|quote_volume|trades|taker_buy_volume)$") < 0)


@_check(GRIDS, refuses=True)
def high_low(_: SeriesKey) -> pl.Expr:
    """The high is not the highest or the low not the lowest of the four prices."""
    return (pl.col("high") < pl.max_horizontal(*PRICES)) | (pl.col("low") > pl.min_horizontal(*PRICES))


@_check(GRIDS, refuses=True)
def off_grid(key: SeriesKey) -> pl.Expr:
    """The time is no whole multiple of the timeframe (weeks start on Monday)."""
    return (pl.col("ts").to_physical() - origin_us(key.step_us)) % key.step_us != 0


@_check(("funding",), refuses=True)
def funding_bounds(_: SeriesKey) -> pl.Expr:
    """The funding rate is beyond ±10 % for one settlement."""
    return pl.col("rate").abs() > MAX_FUNDING_RATE


@_check(("quotes",), refuses=True)
def crossed_quote(_: SeriesKey) -> pl.Expr:
    """A price is zero or negative, a quantity is negative, or the bid is not below the ask."""
    low = pl.min_horizontal("bid_quantity", "ask_quantity") < 0
    return low | (pl.min_horizontal("bid", "ask") <= 0) | (pl.col("bid") >= pl.col("ask"))


@_check(("dividends", "splits"), refuses=True)
def nonpositive_action(key: SeriesKey) -> pl.Expr:
    """A dividend, or the ratio of a split, is zero or negative."""
    return pl.col(KINDS[key.kind].required[1][0]) <= 0


@_check(BARS, refuses=True, columns=("close_time",))
def unfinished_bar(key: SeriesKey) -> pl.Expr:
    """The last bar's own close time says that it was recorded before it was over."""
    # Sources write the last moment of the bar: a milli- or microsecond, some a second, before the next one opens.
    slack = min(SECOND_US, key.step_us // 20)
    early = pl.col("close_time").to_physical() < pl.col("ts").to_physical() + key.step_us - slack
    return (pl.col("ts") == pl.col("ts").max()) & early


# Warning checks, on the rows that are kept.


@_check(GRIDS, refuses=False)
def gap(key: SeriesKey) -> pl.Expr:
    """The bar before is not one timeframe earlier; counted once a gap."""
    return pl.col("ts").to_physical().diff() > key.step_us


@_check(("trades",), refuses=False, columns=("id",))
def id_gap(_: SeriesKey) -> pl.Expr:
    """Ids are left out, at a source that otherwise counts its trades one by one."""
    step = pl.col("id").diff()
    return (step > 1) & ((step == 1).mean() > MOSTLY)


@_check(("bars",), refuses=False)
def zero_volume(_: SeriesKey) -> pl.Expr:
    """Nothing was traded in the bar."""
    return pl.col("volume") == 0


@_check(("bars",), refuses=False, columns=("quote_volume",))
def vwap_outside(_: SeriesKey) -> pl.Expr:
    """Quote volume by volume, the mean price of the bar, lies above its high or below its low."""
    # Both volumes are rounded to their last digit, which shows where little was traded.
    mean = pl.col("quote_volume") / pl.col("volume")
    slack = 1e-4 * pl.col("close")
    outside = (mean > pl.col("high") + slack) | (mean < pl.col("low") - slack)
    return (pl.col("volume") > 0) & outside


@_check(("bars",), refuses=False, columns=("taker_buy_volume",))
def taker_volume(_: SeriesKey) -> pl.Expr:
    """Takers bought more than was traded."""
    return pl.col("taker_buy_volume") > pl.col("volume") * (1 + 1e-9)


@_check(("open_interest", "long_short", "marks", "depth_bands"), refuses=False)
def late_sample(_: SeriesKey) -> pl.Expr:
    """A sample is left out before it: the step is nearly twice the median step, or more."""
    step = pl.col("ts").to_physical().diff()
    return step > 1.9 * step.filter(step > 0).median()


@_check(("depth_bands", "open_interest"), refuses=False)
def frozen(key: SeriesKey) -> pl.Expr:
    """The value has stood still for twenty samples or more: the source repeats itself."""
    # Binance's bands of asks did for weeks in September 2026 (issue 496 of binance/binance-public-data).
    value, of = ("depth", ["percent"]) if key.kind == "depth_bands" else ("open_interest", [])
    band = pl.col(*of) if of else pl.lit(0)
    run = pl.col(value).rle_id().over(band)
    return pl.len().over(band, run) >= STANDSTILL


@_check(("depth_bands",), refuses=False)
def shrinking_depth(_: SeriesKey) -> pl.Expr:
    """A wider band of one moment and side holds less than a narrower one, though it contains it."""
    # Sorted by percent: below the middle the bands narrow, above it they widen.
    same = (pl.col("ts") == pl.col("ts").shift(1)) & (pl.col("percent").sign() == pl.col("percent").shift(1).sign())
    return same & (pl.col("depth").diff() * pl.col("percent").sign() < 0)


@_check(("mark_bars", "index_bars"), refuses=False, columns=("volume",))
def missing_volume(_: SeriesKey) -> pl.Expr:
    """The source has a volume column with nothing in it; the volume is left out."""
    return pl.col("volume").is_null()


@_check(BARS, refuses=False)
def outlier(_: SeriesKey) -> pl.Expr:
    """The close jumps by more than 25 robust scales and comes back in the next bar."""
    step = pl.col("close").log().diff()
    following = step.shift(-1)
    # 1.4826 · median |r| is the standard deviation of a normal r; still minutes (r = 0) would make it vanish.
    scale = 1.4826 * step.abs().filter(step != 0).median()
    return (step.abs() > OUTLIER_SCALES * scale) & ((step + following).abs() < step.abs() / 2)


UNSORTED = "unsorted"
CONFLICT = "conflicting_duplicate"


def validate(key: SeriesKey, rows: pl.DataFrame, *, skip: Collection[str] = ()) -> Verdict:
    """Judge `rows` (as `parse` gives them, in file order) as the series `key`, without the checks named in `skip`.

    Raises ConfigError if a name in `skip` is unknown or the check must stay on.
    """
    check_skips(skip)
    kind = KINDS[key.kind]
    keys = list(row_key(kind, rows.columns))
    active = [check for check in CHECKS.values() if _applies(check, key, rows) and check.name not in skip]
    good, refused = _refuse(key, rows, [check for check in active if check.refuses])
    findings = _unsorted(good)
    ordered = not findings and all(good[name].is_sorted() for name in keys[1:])  # the usual case
    good, conflicting, duplicates = _unique(
        good if ordered else good.sort([*keys, ROW]), keys, whole=tuple(keys) == kind.key
    )
    refused = pl.concat([refused, conflicting]).sort(ROW)
    findings += find(key, good, [check for check in active if not check.refuses])
    stored = good.select(name for name in kind.columns if name in good.columns)
    return Verdict(rows=stored, refused=refused, duplicates=duplicates, findings=findings)


def find(key: SeriesKey, rows: pl.DataFrame, checks: Sequence[Check] | None = None) -> list[Finding]:
    """What `checks` (default: all that apply) find in sorted `rows`; those that find nothing are left out."""
    if checks is None:
        checks = [check for check in CHECKS.values() if _applies(check, key, rows)]
    if rows.is_empty() or not checks:
        return []
    marks = rows.select(check.bad(key).fill_null(False).alias(check.name) for check in checks)
    found = []
    for check in checks:
        mark = marks[check.name]
        count = int(mark.sum())
        if count:
            times = rows["ts"].filter(mark)
            detail = _DETAILS[check.name](key, rows, mark) if check.name in _DETAILS else ""
            found.append(Finding(check.name, count, _us(times.min()), _us(times.max()), detail))
    return found


def is_unfinished(
    key: SeriesKey, last: Mapping[str, Any], *, written_us: int | None = None, shorter: pl.DataFrame | None = None
) -> bool:
    """Whether the bar `last` (a row as a mapping) can be shown not to be over, though it has no close time.

    It is not if the file was last written (`written_us`) after the bar opened and before it ended, or if `shorter` bars
    from inside it saw a higher high, a lower low or more volume than it did.
    """
    begin = parse_ts_us(last["ts"])
    if written_us is not None and begin <= written_us < begin + key.step_us:
        return True
    if shorter is None or shorter.is_empty():
        return False
    seen, high, low = (shorter[name] for name in ("volume", "high", "low"))
    slack = 1e-9 * last["volume"]  # sums of floats
    return bool(seen.sum() > last["volume"] + slack or high.max() > last["high"] or low.min() < last["low"])


def check_skips(skip: Collection[str]) -> None:
    """Raises ConfigError for a name in `skip` that is no check, or one that the lake depends on."""
    optional = {name for name, check in CHECKS.items() if not check.always}
    for name in skip:
        if name not in optional:
            what = "cannot be switched off" if name in CHECKS else "is no check"
            raise ConfigError(f"'{name}' {what}", remedy=suggest(name, optional), check=name)


def _applies(check: Check, key: SeriesKey, rows: pl.DataFrame) -> bool:
    return key.kind in check.kinds and all(name in rows.columns for name in check.columns)


def _refuse(key: SeriesKey, rows: pl.DataFrame, checks: Sequence[Check]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows that break none of `checks`; and the others, each with the name of the first check that it breaks."""
    told = pl.lit(None, pl.String).alias("reason")
    checks = [check for check in checks if check.passes is None or not check.passes(rows)]
    marks = rows.select(check.bad(key).fill_null(False).alias(check.name) for check in checks)
    broken = [mark for mark in marks if mark.any()]
    if not broken:
        return rows, rows.clear().with_columns(told)
    reason = pl.coalesce(*(pl.when(mark).then(pl.lit(mark.name)) for mark in broken)).alias("reason")
    rows = rows.with_columns(reason)
    return rows.filter(pl.col("reason").is_null()).drop("reason"), rows.filter(pl.col("reason").is_not_null())


def _unsorted(rows: pl.DataFrame) -> list[Finding]:
    if rows["ts"].is_sorted():
        return []
    late = rows.filter(pl.col("ts") < pl.col("ts").cum_max())["ts"]
    return [Finding(UNSORTED, len(late), _us(late.min()), _us(late.max()), "sorted")]


def _unique(rows: pl.DataFrame, keys: list[str], *, whole: bool) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Sorted rows with one for each key, the refused others, and how many were equal in every column.

    Where the source has no whole key (`whole` is False: trades without ids), equal rows may be different trades and
    all of them stay.
    """
    same = rows.select(pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in keys)).to_series()
    if not whole or not same.any():
        return rows, rows.clear().with_columns(pl.lit(None, pl.String).alias("reason")), 0
    values = [name for name in rows.columns if name != ROW]
    distinct = rows.unique(values, keep="last", maintain_order=True)
    last = pl.col(ROW) == pl.col(ROW).max().over(keys)
    conflicting = distinct.filter(~last).with_columns(pl.lit(CONFLICT).alias("reason"))
    return distinct.filter(last), conflicting, rows.height - distinct.height


def _gap_detail(key: SeriesKey, rows: pl.DataFrame, mark: pl.Series) -> str:
    steps = rows["ts"].diff().filter(mark)
    missing = steps.to_physical() // key.step_us - 1
    return f"{missing.sum()} bars missing, longest step {max(steps.to_list())}"


def _id_detail(_: SeriesKey, rows: pl.DataFrame, mark: pl.Series) -> str:
    return f"{(rows['id'].diff().filter(mark) - 1).sum()} ids missing"


def _run_detail(_: SeriesKey, rows: pl.DataFrame, mark: pl.Series) -> str:
    runs = mark.rle().struct.unnest().filter(pl.col("value"))["len"]
    return f"longest run {max(runs.to_list())} bars, {100 * int(mark.sum()) / rows.height:.1f} % of all"


_DETAILS: dict[str, Callable[[SeriesKey, pl.DataFrame, pl.Series], str]] = {
    "gap": _gap_detail,
    "id_gap": _id_detail,
    "zero_volume": _run_detail,
}


def _us(ts: object) -> int | None:
    return parse_ts_us(ts) if isinstance(ts, datetime) else None
