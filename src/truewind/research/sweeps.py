"""Sweep: one backtest, tried with many settings, in the compiled lane and on all cores.

    config + space → data (once) → features (once for each of their own parameters) → trials → table → picture

Every trial gives the figures that a backtest with its settings gives. The folder `sweeps/<id>/` is named by what the
results follow from (data, settings that are not varied, code); finished trials are appended there in chunks, so that a
sweep that was broken off, or is made wider, goes on from what is there.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl
from pydantic import Field

from truewind import features
from truewind.backtest.reads import Inputs
from truewind.backtest.replay import Replay, replay
from truewind.backtest.run import identity
from truewind.backtest.settings import BacktestSettings, read_config
from truewind.backtest.standin import supply
from truewind.config import Settings, override, parse
from truewind.domain.calendar import calendar
from truewind.domain.clock import iso
from truewind.domain.ports import Progress
from truewind.domain.timeframe import timeframe_us
from truewind.engine.compiled import Program
from truewind.engine.merge import PRICES, SYMBOL, TS, TS_EVENT
from truewind.engine.trials import Bench, Days, days_of
from truewind.errors import ConfigError, TruewindError, suggest
from truewind.market.terms import tiers_of
from truewind.research import picture
from truewind.research.kept import Found, Kept
from truewind.research.plan import PARAMS, Plan
from truewind.research.recording import Recorder
from truewind.research.space import Space, is_auto, spanned
from truewind.storage.blobs import open_blobs
from truewind.storage.lake import Lake
from truewind.storage.snapshot import Snapshot
from truewind.storage.trials import open_ledger
from truewind.strategies.base import SignalStrategy, locate
from truewind.strategies.parameters import parameters_of

_COLUMN_BYTES = 160 << 20  # of feature columns kept at a time


class SweepSettings(Settings):
    """The `sweep:` part of a config."""

    grid: dict[str, Any] = Field(
        default_factory=dict,
        description="key → values: 5:15, 0.5:3:0.25, [1, 2, 5], 0.5..4 (any number; needs sample) or auto:8",
    )
    sample: int = Field(default=0, ge=0, le=10_000_000, description="how many of them to try, chosen at random; 0: all")
    seed: int = Field(default=42, description="chooses the sample")


class Sweep(NamedTuple):
    """A finished sweep. table: a row a trial: the varied settings by their keys, `engine.trials.Figures`, and `error`,
    which says why a trial has no figures. folder: where it is kept. days: int64 (days) since 1970-01-01, UTC, of the
    trials' daily returns; none where the run is too short, or its rows too rare, to speak of days."""

    table: pl.DataFrame
    space: Space
    folder: Path
    report: Path
    seconds: float
    bars: int
    days: np.ndarray

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that were varied."""
        return self.space.keys

    @property
    def returns(self) -> np.ndarray:
        """float32 (trials, days): the daily returns of each row of `table`, NaN where the trial has no figures.

        Read from the folder when asked for, four bytes a number: 10,000 trials of two years are 29 MB.
        """
        return Kept(self.folder, self.space).returns(len(self.days))

    def best(self, figure: str = "sharpe", count: int = 10) -> pl.DataFrame:
        """The `count` best trials by a figure: those with most of it, or with least of what costs or harms."""
        falls = figure in ("max_drawdown", "volatility", "fees", "slippage", "turnover", "kurtosis", "liquidations")
        known = self.table.filter(pl.col(figure).is_not_null() & pl.col(figure).is_not_nan())
        return known.sort(figure, descending=not falls, maintain_order=True).head(count)


def sweep(
    config: str | Path | Mapping[str, Any],
    grid: Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[str] = (),
    sample: int | None = None,
    seed: int | None = None,
    lake: str | Path | Lake = "data",
    out: str | Path = "sweeps",
    workers: int | None = None,
    progress: Progress | None = None,
    all_params: bool = False,
    database: str | Path | None = None,
    kind: str = "sweep",
    parent: str = "",
) -> Sweep:
    """Try `config` with every combination of `grid` (added to its own `sweep: grid:`), or with a sample of them.

    all_params: every parameter that has bounds is varied within them, if `grid` does not say how.
    database: where every trial is recorded (see `backtest.run.run`), as of a `kind` other than "sweep" where the sweep
    is part of something, `parent`, that puts a choice to the test.

    Raises ConfigError, DataError, StorageError, and StrategyError for a strategy that cannot be compiled. A trial whose
    settings are refused, or whose signals cannot be acted on, has its reason in the table's `error` instead of figures.
    """
    started = time.perf_counter()
    tell = progress or (lambda stage, done, total: None)
    data = read_config(config)
    source = "config" if isinstance(config, Mapping) else str(config)
    asked = parse(SweepSettings, data.pop("sweep", None) or {}, f"{source}: sweep")
    data = override(data, overrides)
    space = Space(
        within_bounds({**asked.grid, **(grid or {})}, data, all_params),
        sample=asked.sample if sample is None else sample,
        seed=asked.seed if seed is None else seed,
    )
    for key in space.keys:
        if key.split(".")[0] not in ("strategy", "sizing", "costs", "risk", "account") or key == "strategy.path":
            raise ConfigError(
                f"A sweep cannot vary {key}", remedy="Vary strategy.params or parts, sizing, costs, risk, account"
            )
    plan = Plan(data, source, space)
    ledger = open_ledger(database)
    tell("reading data", 0, 0)
    source_lake = lake if isinstance(lake, Lake) else Lake(lake)
    supply(plan.settings.data, source_lake, tell)
    market = _Market(source_lake, plan.settings, plan.history)
    known = identity(plan.settings_without_varied(), market.snapshot_with(plan.specs), plan.strategy)
    folder = Path(out) / known["result_id"]
    kept = Kept(folder, space)
    if ledger is not None:
        recorder = Recorder(
            ledger, plan.settings, known, span=market.span_us, days=market.returned, year=market.year, folder=folder,
            kind=kind, parent=parent,
        )  # fmt: skip
        recorder.begin(plan.settings_without_varied(), space.keys, len(space))
        kept.record_by(recorder)
    waiting = [trial for trial in range(len(space)) if space[trial] not in kept]
    tell("compiling", 0, 0)
    done = len(space) - len(waiting)
    with kept:
        for trial, found, error in _run(plan, market, waiting, workers or os.cpu_count() or 1):
            kept.add(space[trial], found, error)
            done += 1
            tell("sweeping", done, len(space))
    table = kept.table(space)
    seconds = time.perf_counter() - started
    about = {
        **known,
        "name": plan.settings.name,
        "trials": len(space),
        "failed": table["error"].count(),
        "bars": market.rows,
        "days": market.returned.tolist(),
    }
    open_blobs(folder).write("sweep.json", orjson.dumps(about, option=orjson.OPT_INDENT_2) + b"\n")
    open_blobs(folder).write("sweep.html", picture.page(plan.settings.name, table, space.keys, about).encode())
    return Sweep(table, space, folder, folder / "sweep.html", seconds, market.rows, market.returned)


def within_bounds(grid: Mapping[str, Any], data: Mapping[str, Any], all_params: bool) -> dict[str, Any]:
    """`grid` with values in place of "auto", and with every parameter that has bounds if `all_params`.

    Raises ConfigError for a parameter that the strategy does not declare, or declares without bounds.
    """
    found = dict(grid)
    if not all_params and not any(is_auto(given) for given in grid.values()):
        return found
    strategy = data.get("strategy")
    path = strategy.get("path") if isinstance(strategy, Mapping) else None
    declared = getattr(locate(str(path)), "Params", None) if path else None
    known = {PARAMS + one.name: one for one in (parameters_of(declared) if declared is not None else ())}
    if all_params:
        found = {key: "auto" for key, one in known.items() if one.spread(2)} | found
    for key, given in found.items():
        if is_auto(given):
            if key not in known:
                raise ConfigError(f"{key} is no parameter that the strategy declares", remedy=suggest(key, known))
            found[key] = spanned(key, given, known[key])
    return found


class _Market:
    """The data that all trials share: one timeline, and feature columns that are computed when first asked for."""

    def __init__(self, lake: Lake, settings: BacktestSettings, history: int | None) -> None:
        data = settings.data
        if data.inner_timeframe:
            raise ConfigError(
                "A sweep runs on bars of one length", remedy="Leave data.inner_timeframe out, or run single backtests"
            )
        if data.universe is not None:
            raise ConfigError(
                "A sweep runs on symbols that are named", remedy="Name data.symbols, or run single backtests"
            )
        self.source: Replay = replay(lake, data, {}, settings.financing, settings.account)
        self.tiers = tiers_of(lake, self.source.instruments)
        self.timeline = self.source.timeline
        self.days: Days = days_of(self.timeline)
        self.year = max(calendar(instrument.calendar).days_per_year for instrument in self.source.instruments)
        self.returned = self.days.of_returns(self.year)
        event = self.timeline.times[TS_EVENT]
        self.span_us = int(event.min()), int(event.max())
        self.rows = len(self.timeline)
        self._timeframe, self._length = data.timeframe, timeframe_us(data.timeframe)
        self._start = data.span_us()[0]
        wide = self.timeline
        if self._start is not None and history != 0:
            start = None if history is None else iso(self._start - history * self._length)
            earlier = data.model_copy(update={"start": start})
            wide = replay(lake, earlier, {}).timeline
        self._symbols = [np.flatnonzero(wide.times[SYMBOL] == i) for i in range(len(wide.symbols))]
        self._wide, self._lake = wide, lake
        self._inputs = self._columns_read(lake, settings)
        self._inside = np.ones(len(wide), bool) if self._start is None else wide.times[TS] >= self._start
        self._columns: OrderedDict[tuple[str, int], dict[str, np.ndarray]] = OrderedDict()
        self._lock = threading.Lock()

    def columns(self, reads: Mapping[str, str]) -> dict[str, np.ndarray]:
        """The timeline's columns and the features `reads` by field, each computed as a backtest alone would."""
        origin = self._origin(list(reads.values()))
        found = dict(self.timeline.columns)
        for field, spec in reads.items():
            for name, values in self._feature(spec, origin).items():
                found[f"{field}_{name}" if name else field] = values
        return found

    def snapshot_with(self, specs: Sequence[str]) -> Snapshot:
        """The snapshot of all that is read, also for the features `specs`. Raises as `Inputs.reading`."""
        beside = self._inputs.reading(specs)
        found = self.source.snapshot
        return self._lake.snapshot([*(info.key for info in found.series), *beside]) if beside else found

    def _columns_read(self, lake: Lake, settings: BacktestSettings) -> Inputs:
        """What features read, on the bars of every symbol and those before that warm them up."""
        data, rows = settings.data, {}
        for symbol, own in zip(self._wide.symbols, self._symbols, strict=True):
            part: Any = slice(None) if len(self._symbols) == 1 else own
            table = dict(zip(PRICES, (prices[part] for prices in self._wide.prices), strict=True))
            table |= {name: values[part] for name, values in self._wide.columns.items()}
            rows[symbol] = {"ts": self._wide.times[TS][part], **table}
        bars = {symbol: data.key(symbol) for symbol in self._wide.symbols}
        first = None if self._start is None else int(self._wide.times[TS].min())
        return Inputs(lake, bars, rows, start_us=first, find=data.key, exchange=data.exchange)

    def compute(self, read: Sequence[Sequence[str]], workers: int) -> None:
        """Compute what trials read, `read` being what some read together, if there is room to keep all of it: features
        that share a pass over the rows take a fraction of what each alone does.
        """
        groups: dict[int, dict[str, None]] = {}
        for specs in read:
            groups.setdefault(self._origin(specs), {}).update(dict.fromkeys(specs))
        columns = [[name for spec in specs for name in features.parse_spec(spec).columns] for specs in groups.values()]
        shared = any(len(set(names)) < len(names) for names in columns)  # which no pipeline takes
        if shared or 8 * self.rows * sum(map(len, columns)) > _COLUMN_BYTES:
            return
        parts = [(list(specs)[i::workers], origin) for origin, specs in groups.items() for i in range(workers)]
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda part: self._computed(*part), [part for part in parts if part[0]]))

    def _origin(self, specs: Sequence[str]) -> int:
        """The time from which on a backtest that reads `specs` has bars, 0 for all."""
        if self._start is None:
            return 0
        needed = features.history(specs, self._timeframe)
        return 0 if needed is None else self._start - needed * self._length

    def _feature(self, spec: str, origin: int) -> dict[str, np.ndarray]:
        """The outputs of one feature on the timeline's rows, by the name of the output ("" if it has one only)."""
        with self._lock:
            if (spec, origin) in self._columns:
                self._columns.move_to_end((spec, origin))
                return self._columns[spec, origin]
        return self._computed([spec], origin)[spec]

    def _computed(self, specs: Sequence[str], origin: int) -> dict[str, dict[str, np.ndarray]]:
        """The outputs of features on the timeline's rows, by spec, now also kept."""
        computed = self._inputs.compute(specs, origin if self._start is not None else None)
        found = {}
        for spec in specs:
            feature = features.parse_spec(spec)
            named_outputs = zip(feature.outputs or ("",), feature.columns, strict=True)
            found[spec] = {
                output: self._laid([columns[column] for columns in computed.values()])
                for output, column in named_outputs
            }
        with self._lock:
            for spec, made in found.items():
                self._columns[spec, origin] = made
            while len(self._columns) > 8 and sum(_bytes(made) for made in self._columns.values()) > _COLUMN_BYTES:
                self._columns.popitem(last=False)
        return found

    def _laid(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """A column of each symbol, its last rows, on the timeline's rows."""
        if len(parts) == 1 and len(parts[0]) == self.rows:
            return parts[0]
        wide = np.full(len(self._wide), np.nan)
        for rows, values in zip(self._symbols, parts, strict=True):
            wide[rows[len(rows) - len(values) :]] = values
        return wide if self._inside.all() else wide[self._inside]


def _run(plan: Plan, market: _Market, waiting: Sequence[int], workers: int) -> Iterator[tuple[int, Found, str]]:
    """(trial, figures with daily returns, error) as they finish, each thread with a bench of its own."""
    local = threading.local()
    programs: dict[Any, Program] = {}
    building = threading.Lock()

    def program_of(strategy: SignalStrategy, columns: tuple[str, ...]) -> Program:
        shape = (strategy.decide, columns, tuple(_shape(v) for v in strategy.values))
        with building:
            if shape not in programs:
                programs[shape] = Program(strategy, columns, len(market.timeline.symbols))
            return programs[shape]

    def bench_of(values: Sequence[Any]) -> Bench:
        others = plan.others(values)
        if getattr(local, "others", None) != others:
            settings = plan.settings_of(values) if others else plan.settings
            account, leverage = settings.account, settings.account.leverage
            instruments = settings.held_as(market.source.instruments)
            timeline = copy(market.timeline)
            timeline.receive(settings.feed.received(timeline.times[TS_EVENT], settings.seed, timeline.told))
            local.bench = Bench(
                timeline,
                instruments,
                market.days,
                cash=account.cash,
                currency=account.currency,
                costs=settings.costs.record(leverage, settings.seed),
                limits=settings.risk.record(leverage),
                margin=settings.margin_terms(instruments, market.tiers),
                sizing=settings.sizing,
                dues=market.source.dues,
                rates=market.source.rates,
                collateral=market.source.collateral,
                settling=market.source.settling() if account.settled_only else None,
                latency=settings.order_latency(),
            )
            local.others = others
        bench: Bench = local.bench
        return bench

    def one(trial: int) -> tuple[int, Found, str]:
        values = plan.space[trial]
        try:
            strategy = plan.strategy_of(values)
            bench = bench_of(values)
            columns = market.columns(plan.reads(values, strategy))
        except ConfigError as error:
            return trial, None, str(error)
        program = program_of(strategy, tuple(columns))
        try:
            return trial, bench.run(program, program.inputs(columns, strategy.values), columns), ""
        except TruewindError as error:
            return trial, None, str(error)

    def many(trials: Sequence[int]) -> list[tuple[int, Found, str]]:
        return [one(trial) for trial in trials]

    if waiting:
        market.compute(plan.read, workers)
    each = max(1, min(64, len(waiting) // (4 * workers)))
    parts = (waiting[i : i + each] for i in range(0, len(waiting), each))
    with ThreadPoolExecutor(workers) as pool:
        running: set[Future[list[tuple[int, Found, str]]]] = set()
        try:
            for part in parts:
                running.add(pool.submit(many, part))
                if len(running) > 2 * workers:
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield from future.result()
            for future in list(running):
                yield from future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _bytes(made: Mapping[str, np.ndarray]) -> int:
    return sum(values.nbytes for values in made.values())


def _shape(value: Any) -> Any:
    """What of a parameter's value the machine code depends on."""
    if isinstance(value, tuple):
        return len(value)
    return value if isinstance(value, str | None) else type(value)
