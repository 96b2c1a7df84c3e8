"""Metrics of a symbol over windows: from what the lake has to a set of features, its inputs and its run on record.

    features/window_metrics/venue=…/symbol=…/timeframe={window}    a row a window; note `run`: the run that made it
    meta/metric_definitions/                                       what each metric is, a row a definition and version
    meta/metric_runs/                                              every run, a row each, the failed ones too

Bars are the stored ones, of the window's length or shorter, and what those do not tell is told by bars made of trades.
Best prices are those of quotes, or else of order books. A window is computed only if its rows cover it: the first and
the last of a series of trades or quotes begin and end within one, so they are left out. A set is what one run made of
one state of the data: computing again replaces it.
"""

import secrets
import time
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from truewind.domain.book import BookKind
from truewind.domain.clock import WallClock, iso, parse_ts_us
from truewind.domain.ports import Progress
from truewind.domain.timeframe import DAY_US, MINUTE_US, SECOND_US, timeframe_us
from truewind.errors import EmptyRangeError, StorageError, UnknownSeriesError, ValidationError
from truewind.features.bars import TradeBars
from truewind.features.book import TOP
from truewind.features.depth import BookSampler
from truewind.features.metrics import (
    ROW_LENGTH,
    MetricDefinition,
    Rows,
    WindowMetrics,
    available,
    definitions,
    definitions_table,
)
from truewind.market.book.assemble import assemble
from truewind.market.columns import columns_beside, series_beside
from truewind.market.resample import resample
from truewind.storage.lake import Lake
from truewind.storage.schema import KINDS, TS, SeriesKey
from truewind.storage.snapshot import SeriesInfo

SET = "window_metrics"
DEFINITIONS, RUNS = "metric_definitions", "metric_runs"
STALE_US = MINUTE_US  # a quote is known for so long: streams tell every change, so longer silence is a broken one
_BARS = tuple(name for name, _ in (*KINDS["bars"].required, *KINDS["bars"].optional))
_RUN_TYPES: dict[str, pl.DataType] = {
    **dict.fromkeys(("started", "start", "end"), TS),
    **dict.fromkeys(("input_snapshot_id", "error"), pl.String()),
    **dict.fromkeys(("definitions", "inputs"), pl.List(pl.String)),
    "versions": pl.List(pl.Int64),
}


class MetricRun(msgspec.Struct, frozen=True):
    """What a run did. skipped: metrics that were not computed, with the reason. start_us, end_us: of its windows."""

    run_id: str
    venue: str
    symbol: str
    window: str
    definitions: dict[str, int]
    skipped: dict[str, str]
    inputs: tuple[str, ...]
    input_snapshot_id: str
    rows: int
    start_us: int
    end_us: int
    seconds: float

    @property
    def key(self) -> SeriesKey:
        return _set(self.venue, self.symbol, self.window)


def export_definitions(lake: Lake) -> pl.DataFrame:
    """Write the definitions in force into the lake; those of older versions stay. Returns all.

    Raises ValidationError if one was exported with the same version and says something else now.
    """
    now = definitions_table()
    before = lake.records(DEFINITIONS)
    if not before.is_empty():
        both = now.join(before, on=["id", "version"], how="inner", suffix="_before")
        for name in set(now.columns) - {"id", "version"}:
            for row in both.filter(pl.col(name) != pl.col(f"{name}_before")).iter_rows(named=True):
                raise ValidationError(
                    f"Metric {row['id']}: version {row['version']} was exported with another {name}, "
                    f"{row[f'{name}_before']!r}",
                    remedy="Give the new definition a new version",
                )
        now = pl.concat([before.join(now, on=["id", "version"], how="anti"), now]).sort("id", "version")
    lake.put_record(DEFINITIONS, "definitions", now)
    return now


def compute_metrics(
    lake: Lake,
    venue: str,
    symbol: str,
    window: str,
    metrics: Iterable[str] | None = None,
    *,
    start: str | int | None = None,
    end: str | int | None = None,
    progress: Progress | None = None,
) -> MetricRun:
    """Compute metrics of a symbol and put them into the lake, in place of those of the same window.

    metrics: ids; None for all that the symbol's data allow. Windows from `start` on that are over by `end`.
    Raises FeatureError for an unknown metric, UnknownSeriesError if there is nothing to compute one from that was asked
    for, EmptyRangeError. A run that fails is on record too, and leaves no set behind.
    """
    began, started = time.perf_counter(), WallClock().now_us()
    wanted = definitions(metrics, window)
    work = _Work(lake, venue, symbol, window, wanted, start, end)
    if not work.parts or (metrics is not None and work.skipped):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in work.skipped.items())
        raise UnknownSeriesError(
            f"{venue} {symbol} has not what metrics are made of ({reasons})", remedy="Import bars, trades or quotes"
        )
    export_definitions(lake)
    run_id = f"{iso(started)[:19].replace(' ', 'T').replace(':', '')}-{secrets.token_hex(4)}"
    chosen = {metric.id: metric.version for part in work.parts for metric in part.metrics.metrics}
    inputs = tuple(map(str, work.inputs))
    snapshot, rows, span, error = "", 0, [0, 0], "interrupted"
    try:
        snapshot = lake.snapshot(work.inputs).id
        rows, *span = work.run(progress or (lambda stage, done, total: None))
        if lake.snapshot(work.inputs).id != snapshot:
            raise StorageError("The data changed while metrics were computed of them", remedy="Compute them again")
        error = ""
    except Exception as raised:
        error = str(raised)
        raise
    finally:
        seconds = time.perf_counter() - began
        run = MetricRun(
            run_id, venue, symbol, window, chosen, work.skipped, inputs, snapshot, rows, span[0], span[1], seconds
        )
        if error and work.writing:
            lake.remove(run.key)
        elif not error:
            lake.put_note(run.key, "run", msgspec.json.format(msgspec.json.encode(run), indent=1))
        _record(lake, run, started, error)
    return run


def last_run(lake: Lake, venue: str, symbol: str, window: str) -> MetricRun | None:
    """The run that made the set that is in the lake, its `input_snapshot_id` with it; None if there is no set."""
    key = _set(venue, symbol, window)
    there = any(info.key == key for info in lake.series(kind=SET, venue=venue, symbol=symbol))
    note = lake.note(key, "run") if there else None
    return None if note is None else msgspec.json.decode(note, type=MetricRun)


class _Part(NamedTuple):
    """Metrics of one kind of rows, and where those come from: from `begin` to `end`, whole windows."""

    metrics: WindowMetrics
    source: "_BarRows | _QuoteRows | _BookRows"
    beside: dict[str, SeriesKey]


class _Work:
    """A run: what it is made of, and the walk through the months."""

    def __init__(
        self,
        lake: Lake,
        venue: str,
        symbol: str,
        window: str,
        metrics: tuple[MetricDefinition, ...],
        start: str | int | None,
        end: str | int | None,
    ) -> None:
        self.lake, self.key, self.length = lake, _set(venue, symbol, window), timeframe_us(window)
        self.span = (
            None if start is None else parse_ts_us(start),
            None if end is None else parse_ts_us(end),
        )
        self.bars = SeriesKey("bars", venue, symbol, window)
        self.writing = False
        self.parts: list[_Part] = []
        self.skipped: dict[str, str] = {}
        for rows in dict.fromkeys(metric.rows for metric in metrics):
            self._add(rows, [metric for metric in metrics if metric.rows == rows])
        if self.parts and all(part.source.end <= part.source.begin for part in self.parts):
            raise EmptyRangeError(f"{venue} {symbol}: no window of {window} is covered", remedy="Widen start and end")

    @property
    def inputs(self) -> list[SeriesKey]:
        return list(dict.fromkeys(key for part in self.parts for key in (part.source.key, *part.beside.values())))

    def run(self, tell: Progress) -> tuple[int, int, int]:
        """Compute and write; rows, first and last ts."""
        spans = [(part.source.begin, part.source.end) for part in self.parts if part.source.begin < part.source.end]
        months = list(_months(min(begin for begin, _ in spans), max(end for _, end in spans)))
        rows, first, last = 0, 0, 0
        for done, (start, end) in enumerate(months):
            tell(f"metrics of {self.key.symbol}", done, len(months))
            table = self._month(start, end)
            if table.is_empty():
                continue
            if not rows:
                self.writing = True
                self.lake.remove(self.key)
                first = table["ts"].to_physical()[0]
            self.lake.write(self.key, table)
            rows, last = rows + table.height, table["ts"].to_physical()[-1]
        if not rows:
            raise EmptyRangeError(f"{self.key}: no window has a row", remedy="Widen start and end")
        return rows, first, last

    def _add(self, rows: Rows, metrics: list[MetricDefinition]) -> None:
        """Parts for one kind of rows: each metric is made of the first series that has its inputs, if there is one."""
        beside = series_beside(self.lake, self.bars) if rows == "bars" else {}
        known: set[str] = set()
        for source, columns in self._sources(rows):
            known.update(columns, beside)
            lacks = available(metrics, {*columns, *beside})
            chosen = WindowMetrics([metric for metric in metrics if metric.id not in lacks], self.bars.timeframe)
            metrics = [metric for metric in metrics if metric.id in lacks]
            if chosen.metrics:
                used = {name: key for name, key in beside.items() if name in chosen.inputs}
                self.parts.append(_Part(chosen, source, used))
        what = "quotes or books" if rows == "seconds" else "bars or trades"
        for name, missing in available(metrics, known).items():
            reason = f"there is no {', '.join(missing)}" if known else f"there are no {what} to make {rows} of"
            self.skipped[name] = reason

    def _sources(self, rows: Rows) -> Iterator[tuple["_BarRows | _QuoteRows | _BookRows", Iterable[str]]]:
        """Where rows of a kind can come from, and their columns; the best first.

        Stored bars come before trades, those that cover more windows before others, long before short; trades of their
        own before those that were recorded with a book.
        """
        venue, symbol = self.key.venue, self.key.symbol
        if rows == "seconds":
            for kind, make in (("quotes", _QuoteRows), ("book", _BookRows)):
                for info in self.lake.series(kind=kind, venue=venue, symbol=symbol):
                    yield make(self.lake, info.key, *self._covered(info)), TOP
            return
        timeframe = ROW_LENGTH.get(rows, self.bars.timeframe)
        stored = [
            (_BarRows(self.lake, info.key, *self._covered(info), timeframe), info.columns)
            for info in self.lake.series(kind="bars", venue=venue, symbol=symbol)
            if timeframe_us(timeframe) % info.key.step_us == 0
        ]
        yield from sorted(stored, key=lambda one: (one[0].begin - one[0].end, -one[0].key.step_us))
        for kind in ("trades", "book"):
            for info in self.lake.series(kind=kind, venue=venue, symbol=symbol):
                if kind == "trades" or _has_trades(self.lake, info.key):
                    yield _BarRows(self.lake, info.key, *self._covered(info), timeframe), _BARS

    def _covered(self, info: SeriesInfo) -> tuple[int, int]:
        """The whole windows that a series covers, within the span that was asked for."""
        start, end = self.span
        begin = info.start_us if start is None else max(start, info.start_us)
        over = info.end_us + info.key.step_us
        over = over if end is None else min(end, over)
        return -(-begin // self.length) * self.length, over // self.length * self.length

    def _month(self, start: int, end: int) -> pl.DataFrame:
        """All metrics of the windows of a month."""
        whole: pl.DataFrame | None = None
        for part in self.parts:
            begins, ends = max(start, part.source.begin), min(end, part.source.end)
            if begins >= ends:
                continue
            table = part.metrics.extend(self._with_beside(part, part.source.rows(begins, ends)))
            whole = table if whole is None else whole.join(table, on="ts", how="full", coalesce=True)
        if whole is None:
            return pl.DataFrame()
        known = (pl.col("ts").to_physical() + self.length).cast(TS).alias("ts_known")
        names = [metric for part in self.parts for metric in part.metrics.columns if metric in whole.columns]
        return whole.sort("ts").select("ts", known, *names)

    def _with_beside(self, part: _Part, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with the columns that were known beside them at their closes."""
        closes = rows["ts"].to_physical().to_numpy() + self.length
        for name in part.beside if len(closes) else ():
            try:
                found = columns_beside(self.lake, self.bars, closes, [name])[name]
            except EmptyRangeError:  # it begins later
                found = np.full(len(closes), np.nan)
            rows = rows.with_columns(pl.Series(name, found))
        return rows if len(closes) else rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in part.beside)


class _BarRows:
    """Bars of a timeframe, stored, or made of shorter ones or of trades, a book's among them."""

    def __init__(self, lake: Lake, key: SeriesKey, begin: int, end: int, timeframe: str) -> None:
        self.lake, self.key, self.begin, self.end, self.timeframe = lake, key, begin, end, timeframe

    def rows(self, start: int, end: int) -> pl.DataFrame:
        if self.key.kind != "bars":
            return self._made(start, end)
        ts = pl.col("ts").to_physical()
        return self._stored.filter((ts >= start) & (ts < end))

    @cached_property
    def _stored(self) -> pl.DataFrame:
        try:
            table = self.lake.read(self.key, start_us=self.begin, end_us=self.end)
        except EmptyRangeError:
            return pl.DataFrame(schema=KINDS["bars"].columns)
        return table if self.key.timeframe == self.timeframe else resample(table, self.key.timeframe, self.timeframe)

    def _made(self, start: int, end: int) -> pl.DataFrame:
        """Of trades, a day after the other."""
        builder, made = TradeBars(every=self.timeframe), []
        columns = ["ts", "price", "quantity", "side", *(["kind"] if self.key.kind == "book" else [])]
        for day, until in _days(start, end):
            try:
                rows = self.lake.read(self.key, start_us=day, end_us=until, columns=columns)
            except EmptyRangeError:
                continue
            trades = rows.filter(pl.col("kind") == BookKind.TRADE) if self.key.kind == "book" else rows
            made.append(builder.extend(trades, until_us=until))
        return pl.concat(made) if made else pl.DataFrame(schema=KINDS["bars"].columns)


class _QuoteRows:
    """The best prices at each second's end, from quotes."""

    def __init__(self, lake: Lake, key: SeriesKey, begin: int, end: int) -> None:
        self.lake, self.key, self.begin, self.end = lake, key, begin, end

    def rows(self, start: int, end: int) -> pl.DataFrame:
        found = []
        for day, until in _days(start, end):
            moments = np.arange(day, until, SECOND_US) + SECOND_US
            try:
                quotes = self.lake.read(self.key, start_us=day - STALE_US, end_us=until + 1, columns=("ts", *TOP))
            except EmptyRangeError:
                continue
            ts = quotes["ts"].to_physical().to_numpy()
            last = np.searchsorted(ts, moments, side="right") - 1
            known = (last >= 0) & (moments - ts[np.maximum(last, 0)] < STALE_US)
            columns = {"ts": pl.Series(moments[known] - SECOND_US).cast(TS)}
            found.append(pl.DataFrame(columns | {name: quotes[name].gather(last[known]) for name in TOP}))
        return pl.concat(found) if found else _no_seconds()


class _BookRows:
    """The best prices at each second's end, from an order book's messages."""

    def __init__(self, lake: Lake, key: SeriesKey, begin: int, end: int) -> None:
        self.lake, self.key, self.begin, self.end = lake, key, begin, end

    def rows(self, start: int, end: int) -> pl.DataFrame:
        ts = pl.col("ts").to_physical()
        return self._seconds.filter((ts >= start) & (ts < end))

    @cached_property
    def _seconds(self) -> pl.DataFrame:
        """All of them at once, from the beginning of the series: a book is known since its last snapshot."""
        instrument = self.lake.instrument(self.key.venue, self.key.symbol)
        try:  # a little more than needed, for a moment is sure only once something has happened after it
            table = self.lake.read(self.key, end_us=self.end + STALE_US)
        except EmptyRangeError:
            return _no_seconds()
        sampled = BookSampler(instrument, 1, every_ms=1_000).extend(assemble(table, instrument).events)
        started = (pl.col("ts").to_physical() - SECOND_US).cast(TS)
        return sampled.select(started.alias("ts"), *TOP).drop_nulls()


def _has_trades(lake: Lake, book: SeriesKey) -> bool:
    return not lake.scan(book, columns=["kind"]).filter(pl.col("kind") == BookKind.TRADE).head(1).collect().is_empty()


def _no_seconds() -> pl.DataFrame:
    return pl.DataFrame(schema={"ts": TS, **dict.fromkeys(TOP, pl.Float64)})


def _set(venue: str, symbol: str, window: str) -> SeriesKey:
    return SeriesKey(SET, venue, symbol, window, "features")


def _days(start: int, end: int) -> Iterator[tuple[int, int]]:
    """[start, end) cut at midnights."""
    for day in range(start // DAY_US * DAY_US, end, DAY_US):
        yield max(day, start), min(day + DAY_US, end)


def _months(start: int, end: int) -> Iterator[tuple[int, int]]:
    """[start, end) cut at the first of each month."""
    first, last = np.array([start, end - 1]).astype("M8[us]").astype("M8[M]")
    for month in np.arange(first, last + 1):
        begins, ends = (int(edge.astype("M8[us]").astype(np.int64)) for edge in (month, month + 1))
        yield max(begins, start), min(ends, end)


def _record(lake: Lake, run: MetricRun, started: int, error: str) -> None:
    row = {
        "run_id": run.run_id,
        "started": started,
        "venue": run.venue,
        "symbol": run.symbol,
        "window": run.window,
        "definitions": list(run.definitions),
        "versions": list(run.definitions.values()),
        "inputs": list(run.inputs),
        "input_snapshot_id": run.input_snapshot_id or None,
        "start": run.start_us if run.rows else None,
        "end": run.end_us if run.rows else None,
        "rows": run.rows,
        "seconds": run.seconds,
        "status": "failed" if error else "done",
        "error": error or None,
    }
    times = [name for name, dtype in _RUN_TYPES.items() if dtype == TS]
    table = pl.DataFrame([row], schema_overrides=_RUN_TYPES | dict.fromkeys(times, pl.Int64()))
    lake.put_record(RUNS, run.run_id, table.with_columns(pl.col(times).cast(TS)))
