"""The suite that every feature must pass, built in or a user's own.

    result = check_feature("my.module:MyFeature(20)")
    assert result.ok, result

It asks what DESIGN promises of a feature and reports the first row where the answer differs:

chunks      batch = stream = any cutting of the rows, bit for bit
saved       a state saved and loaded at any row goes on as if nothing had happened
python      the Python face gives the same bits as the machine code
causal      a change of the next bar, or of all later ones, moves nothing up to now
warm-up     the first full row is the declared one; of a feature that awaits something, no value comes before it
settles     a fresh start is within 1e-9 of a long history after the declared rows
missing     a row with a missing input is NaN and otherwise as if it were not there, unless it may be missing
extremes    no rows, one row, flat, zero, negative, huge, tiny or no prices: no exception, no infinity
scale, shift    the declared laws, within 1e-9
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from truewind.features.base import Feature, Law, ancestors
from truewind.features.plan import Floats
from truewind.features.spec import parse_spec
from truewind.features.streaming import Stream
from truewind.features.table import columns_of

_PRICE = re.compile(r"open|high|low|close|mark|index|price|(bid|ask)(_\d+)?")
Columns = dict[str, Floats]


class Finding(NamedTuple):
    """Where a check failed first. `row` counts from 0; expected and found are the values there."""

    check: str
    column: str
    row: int
    expected: float
    found: float
    about: str

    def __str__(self) -> str:
        return (
            f"{self.check}: {self.column} differs first at row {self.row} ({self.about}): "
            f"expected {self.expected!r}, found {self.found!r}"
        )


class CheckResult(NamedTuple):
    """What the suite found. `findings` has the first of each failed check."""

    spec: str
    checks: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        if self.ok:
            return f"{self.spec}: passes {', '.join(self.checks)}"
        return "\n".join(
            [f"{self.spec}: fails {len(self.findings)} of {len(self.checks)} checks", *map(str, self.findings)]
        )


def check_feature(spec: str | Feature, bars: pl.DataFrame | Mapping[str, Any] | None = None) -> CheckResult:
    """Put the feature of `spec` through all checks, on `bars` (a table or arrays) or on a made-up market.

    `bars` should have more rows than the warm-up. Raises FeatureError as `Stream` does; failures are returned.
    """
    feature = parse_spec(spec)
    if bars is None:
        rows = sample_bars(max(400, 3 * feature.warmup + 100, 2 * (feature.settles or 0) + 100), feature.reads)
    else:
        rows = {name: np.array(values, float) for name, values in columns_of(bars, feature.reads).items()}
    checks = tuple(
        name for name in CHECKS if getattr(feature, name, 0) is not None
    )  # a law that is None is not claimed
    findings = []
    for name in checks:
        finding = next(CHECKS[name](feature, rows), None)
        if finding is not None:
            findings.append(finding._replace(check=name))
    return CheckResult(repr(feature), checks, tuple(findings))


def sample_bars(rows: int, names: Collection[str] = (), seed: int = 42, *, flat: bool = True) -> Columns:
    """A made-up market: a random walk with a flat, untraded stretch (unless `flat` is False). `names` are the columns
    wanted, all if none are given; what the market does not have is noise."""
    draw = np.random.default_rng(seed)
    moves = draw.normal(0.0, 0.01, rows)
    moves[rows // 2 : rows // 2 + rows // 10 * flat] = 0.0
    close = 100.0 * np.exp(np.cumsum(moves))
    opened = np.concatenate([[100.0], close[:-1]])[:rows]
    wick = np.where(moves == 0.0, 0.0, draw.exponential(0.004, rows))
    volume = np.where(moves == 0.0, 0.0, draw.exponential(10.0, rows))
    market = {
        "open": opened,
        "high": np.maximum(opened, close) * (1.0 + wick),
        "low": np.minimum(opened, close) * (1.0 - wick),
        "close": close,
        "volume": volume,
        **_sample_times(rows),
        **_sample_contract(close, volume, np.random.default_rng(seed + 1)),
        **_sample_trades(close, volume, np.random.default_rng(seed + 2)),
        **_sample_book(close, np.random.default_rng(seed + 3)),
    }
    return {name: market.get(name, draw.normal(1.0, 0.1, rows)) for name in names or market}


def _sample_times(rows: int) -> Columns:
    """Bars of four hours on a market that never closes, beside an exchange that is open from 12:00 to 21:00 UTC."""
    ts = 1_704_067_200e6 + 14_400e6 * np.arange(rows)  # from 2024-01-01 on
    close = np.ceil((ts + 1.0 - 75_600e6) / 86_400e6) * 86_400e6 + 75_600e6
    return {
        "ts": ts,
        "session_open": close - 32_400e6,
        "session_close": close,
        "previous_close": close - 86_400e6,
    }


def _sample_contract(close: Floats, volume: Floats, draw: np.random.Generator) -> Columns:
    """What is known of a perpetual contract beside its bars: funding every second bar, liquidations now and then."""
    rows = len(close)
    settled = np.arange(rows) // 2
    rates = draw.normal(1e-4, 1e-4, rows)
    return {
        "mark": close * (1.0 + draw.normal(0.0, 1e-4, rows)),
        "index": close,
        "funding_rate": rates[settled],
        "funding_ts": 1_704_067_200e6 + 28_800e6 * settled,
        "next_funding_ts": 1_704_067_200e6 + 28_800e6 * (settled + 1),
        "open_interest": 1_000.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01, rows))),
        "long_short_ratio": np.exp(draw.normal(0.2, 0.1, rows)),
        "liquidated_long": np.where(draw.random(rows) < 0.2, 0.1 * volume, 0.0),
        "liquidated_short": np.where(draw.random(rows) < 0.2, 0.1 * volume, 0.0),
    }


def _sample_trades(close: Floats, volume: Floats, draw: np.random.Generator) -> Columns:
    """What bars tell of their trades, and trades as rows of their own."""
    rows = len(close)
    return {
        "quote_volume": volume * close,
        "trades": np.ceil(5.0 * volume),
        "taker_buy_volume": volume * draw.random(rows),
        "price": close,
        "quantity": draw.exponential(1.0, rows),
        "side": draw.integers(0, 2, rows) * 2.0 - 1.0,
    }


def _sample_book(close: Floats, draw: np.random.Generator) -> Columns:
    """Ten levels of a book around the close, in ticks of 0.01."""
    rows = len(close)
    bid = np.floor(100.0 * close) / 100.0
    book: Columns = {}
    below, above = np.zeros(rows), draw.integers(1, 3, rows) / 100.0
    for level in range(1, 11):
        end = "" if level == 1 else f"_{level}"
        book[f"bid{end}"], book[f"ask{end}"] = bid - below, bid + above
        book[f"bid_quantity{end}"], book[f"ask_quantity{end}"] = draw.exponential(5.0, (2, rows))
        below = below + draw.integers(1, 4, rows) / 100.0
        above = above + draw.integers(1, 4, rows) / 100.0
    return book


def first_difference(expected: Mapping[str, Floats], found: Mapping[str, Floats], about: str) -> Finding | None:
    """The first row in which two sets of columns differ in a bit (any NaN equals any NaN), or None."""
    earliest: Finding | None = None
    for column, wanted in expected.items():
        got = found[column]
        same = (wanted.view(np.int64) == got.view(np.int64)) | (np.isnan(wanted) & np.isnan(got))
        rows = np.flatnonzero(~same)
        if rows.size and (earliest is None or rows[0] < earliest.row):
            row = int(rows[0])
            earliest = Finding("", column, row, float(wanted[row]), float(got[row]), about)
    return earliest


def _whole(feature: Feature, rows: Columns, *, compiled: bool = True) -> Columns:
    return Stream([feature], compiled=compiled).extend(rows)


def _cut(rows: Mapping[str, Floats], start: int, end: int | None = None) -> Columns:
    return {name: values[start:end] for name, values in rows.items()}


def _joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _length(rows: Columns) -> int:
    return len(next(iter(rows.values())))


def _some_rows(rows: Columns, feature: Feature, count: int) -> list[int]:
    """Rows at which to cut: the ends, around the end of the warm-up, and some drawn at random."""
    length = _length(rows)
    drawn = np.random.default_rng(7).integers(0, length, count).tolist()
    wanted = {0, 1, feature.warmup - 1, feature.warmup, feature.warmup + 1, length - 2, *drawn}
    return sorted(row for row in wanted if 0 <= row < length)


def _chunks(feature: Feature, rows: Columns) -> Iterator[Finding]:
    whole = _whole(feature, rows)
    stream = Stream([feature])
    names = list(rows)
    streamed = [stream.update(dict(zip(names, values, strict=True))) for values in zip(*rows.values(), strict=True)]
    by_bar = {name: np.array(values) for name, values in zip(stream.columns, zip(*streamed, strict=True), strict=True)}
    yield from _same(feature, whole, by_bar, "bar by bar against the whole")
    edges = [0, *_some_rows(rows, feature, 12), _length(rows)]
    chunked = Stream([feature])
    parts = [chunked.extend(_cut(rows, start, end)) for start, end in pairwise(edges)]
    yield from _same(feature, whole, _joined(parts), f"in chunks cut at {edges} against the whole")


def _saved(feature: Feature, rows: Columns) -> Iterator[Finding]:
    whole = _whole(feature, rows)
    for row in _some_rows(rows, feature, 6):
        before, after = Stream([feature]), Stream([feature])
        first = before.extend(_cut(rows, 0, row))
        after.load(before.save())
        second = after.extend(_cut(rows, row))
        yield from _same(feature, whole, _joined([first, second]), f"saved and loaded at row {row}")


def _python(feature: Feature, rows: Columns) -> Iterator[Finding]:
    yield from _found(
        first_difference(
            _whole(feature, rows), _whole(feature, rows, compiled=False), "Python face against machine code"
        )
    )


def _causal(feature: Feature, rows: Columns) -> Iterator[Finding]:
    whole = _whole(feature, rows)
    for row in _some_rows(rows, feature, 12):
        for name, end in (("the next bar", row + 2), ("all later bars", None)):
            changed = {column: values.copy() for column, values in rows.items()}
            for values in changed.values():
                values[row + 1 : end] = values[row + 1 : end] * 1.25 + 1.0
            past, seen = _cut(whole, 0, row + 1), _cut(_whole(feature, changed), 0, row + 1)
            yield from _same(feature, past, seen, f"{name} after row {row} changed")


def _warm_up(feature: Feature, rows: Columns) -> Iterator[Finding]:
    present = np.logical_and.reduce([np.isfinite(values) for values in rows.values()])
    whole = _whole(feature, {name: values[present] for name, values in rows.items()})
    if feature.awaits:
        for column, values in whole.items():
            some = np.flatnonzero(np.isfinite(values))
            if some.size and some[0] < feature.warmup:
                first = int(some[0])
                yield Finding("", column, first, feature.warmup, first, "the first row with a value, after the warm-up")
        return
    full = np.flatnonzero(np.logical_and.reduce([np.isfinite(values) for values in whole.values()]))
    first = int(full[0]) if full.size else -1
    if first != feature.warmup:
        column = next(iter(whole))
        yield Finding(
            "", column, first, feature.warmup, first, "the first row with all values against the declared warm-up"
        )


def _settled(feature: Feature, rows: Columns) -> Iterator[Finding]:
    # On a market of its own: where nothing moves, shares of what has moved hang on remnants for ever.
    wait, length = feature.settles or 0, _length(rows)
    rows = sample_bars(length, feature.reads, flat=False)
    whole = _whole(feature, rows)
    for start in sorted({1, length // 7, length // 3, length // 2}):
        late = _whole(feature, _cut(rows, start))
        after = start + wait
        if after >= length:
            continue
        for column, values in whole.items():
            known = values[np.isfinite(values)]
            slack = 1e-9 * float(np.max(np.abs(known), initial=0.0))
            expected, found = {column: values[after:]}, {column: late[column][wait:]}
            for finding in _far(expected, found, slack, f"a start at row {start}, {wait} rows later"):
                yield finding._replace(row=finding.row + after)


def _missing(feature: Feature, rows: Columns) -> Iterator[Finding]:
    length = _length(rows)
    for blank in (np.nan, np.inf, -np.inf, 1e101):
        draw = np.random.default_rng(11)
        for name in feature.reads[feature.needed :]:  # may be missing, however that is said
            holes = draw.random(length) < 0.15
            holed = [rows | {name: np.where(holes, hole, rows[name])} for hole in (np.nan, blank)]
            about = f"15 % of {name} is {blank}, against NaN there"
            yield from _found(first_difference(_whole(feature, holed[0]), _whole(feature, holed[1]), about))
        for name in feature.reads[: feature.needed]:
            holes = draw.random(length) < 0.15
            holes[: length // 20] = True
            blanked = {column: values.copy() for column, values in rows.items()}
            blanked[name][holes] = blank
            shorter = _whole(feature, {column: values[~holes] for column, values in rows.items()})
            expected = {column: np.full(length, np.nan) for column in shorter}
            for column, values in shorter.items():
                expected[column][~holes] = values
            about = f"15 % of {name} is {blank}, against the same rows left out"
            yield from _same(feature, expected, _whole(feature, blanked), about)


def _extremes(feature: Feature, rows: Columns) -> Iterator[Finding]:
    length = _length(rows)
    signs = np.where(np.arange(length) % 2, 1.0, -1.0)
    cases: dict[str, Callable[[Floats], Floats]] = {
        "no rows": lambda values: values[:0],
        "one row": lambda values: values[:1],
        "a flat market": lambda values: np.full(length, 7.0),
        "zeros": lambda values: np.zeros(length),
        "nothing but NaN": lambda values: np.full(length, np.nan),
        "negative values": lambda values: -values,
        "signs that alternate": lambda values: signs * values,
        "huge and tiny values": lambda values: np.where(signs > 0, 9e99, 1e-300) * np.sign(values),
        "zero and not": lambda values: np.where(signs > 0, 0.0, values),
    }
    for about, change in cases.items():
        changed = {name: change(values) for name, values in rows.items()}
        whole = _whole(feature, changed)
        for column, values in whole.items():
            for row in np.flatnonzero(np.isinf(values))[:1]:
                yield Finding("", column, int(row), np.nan, float(values[row]), about)
        yield from _found(first_difference(whole, _whole(feature, changed, compiled=False), f"{about}, Python face"))


def _prices(feature: Feature) -> tuple[str, ...]:
    return feature.reads if len(feature.reads) == 1 else tuple(name for name in feature.reads if _PRICE.fullmatch(name))


def _scale(feature: Feature, rows: Columns) -> Iterator[Finding]:
    factor = 8.0
    scaled = {name: values * factor if name in _prices(feature) else values for name, values in rows.items()}
    whole = _whole(feature, rows)
    expected = {name: whole[name] * factor**power for name, power in _law(feature, feature.scale)}
    yield from _far(expected, _whole(feature, scaled), 0.0, f"prices times {factor:g}")


def _shift(feature: Feature, rows: Columns) -> Iterator[Finding]:
    change = 1000.0
    moved = {name: values + change if name in _prices(feature) else values for name, values in rows.items()}
    whole = _whole(feature, rows)
    expected = {name: whole[name] + change * times for name, times in _law(feature, feature.shift)}
    yield from _far(expected, _whole(feature, moved), 1e-9 * change, f"prices plus {change:g}")


def _law(feature: Feature, law: Law) -> list[tuple[str, int]]:
    """The columns for which a law is declared, each with its figure."""
    figures = law if isinstance(law, tuple) else (law,) * len(feature.columns)
    return [(name, figure) for name, figure in zip(feature.columns, figures, strict=True) if figure is not None]


def _same(feature: Feature, expected: Columns, found: Columns, about: str) -> Iterator[Finding]:
    """The first value that is another: in a bit, or by more than 1e-9 of the largest where no more is promised."""
    if all(one.exact for one in (*ancestors(feature), feature)):
        yield from _found(first_difference(expected, found, about))
        return
    for column, values in expected.items():
        slack = 1e-9 * float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0))
        yield from _far({column: values}, {column: found[column]}, slack, about)


def _far(expected: Columns, found: Columns, slack: float, about: str) -> Iterator[Finding]:
    """The first value that misses its expectation by more than 1e-9 of it plus `slack`."""
    for column, wanted in expected.items():
        got = found[column]
        near = np.isclose(got, wanted, rtol=1e-9, atol=slack, equal_nan=True)
        for row in np.flatnonzero(~near)[:1]:
            yield Finding("", column, int(row), float(wanted[row]), float(got[row]), about)


def _found(finding: Finding | None) -> Iterator[Finding]:
    if finding is not None:
        yield finding


CHECKS: dict[str, Callable[[Feature, Columns], Iterator[Finding]]] = {
    "chunks": _chunks,
    "saved": _saved,
    "python": _python,
    "causal": _causal,
    "warm-up": _warm_up,
    "settles": _settled,
    "missing": _missing,
    "extremes": _extremes,
    "scale": _scale,
    "shift": _shift,
}
