"""Trying: the space of a strategy's settings on a span of its data, in the compiled lane where it can be.

What a sweep refuses (callbacks, several strategies, a universe, matching on shorter bars) is run in the event lane
instead, trial by trial in processes, and of a smaller sample: it takes a thousand times as long.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl

from truewind.backtest.bar_run import BarJob
from truewind.backtest.run import identity
from truewind.backtest.settings import BacktestSettings, read_config
from truewind.backtest.standin import supply
from truewind.config import override, parse
from truewind.domain.calendar import calendar
from truewind.domain.ports import Progress
from truewind.domain.timeframe import DAY_US
from truewind.engine.compiled import obstacle
from truewind.engine.merge import TS, TS_EVENT
from truewind.errors import ConfigError, StrategyError, TruewindError
from truewind.numerics.performance import Ints
from truewind.numerics.significance import moments
from truewind.research.recording import Recorder
from truewind.research.space import Space
from truewind.research.spans import between, run_span
from truewind.research.sweeps import SweepSettings, sweep, within_bounds
from truewind.storage.lake import Lake
from truewind.storage.trials import open_ledger

SAMPLE = 200  # trials, where neither the config nor the caller says how many
EVENT_SAMPLE = 24  # at most, in the event lane


class Tried(NamedTuple):
    """The trials of a span. table: a row a trial: settings by their keys, figures, `error`. days, returns: int64 UTC
    days and the trials' daily returns, trials × days, NaN where a trial has none.
    """

    table: pl.DataFrame
    keys: tuple[str, ...]
    days: Ints
    returns: np.ndarray


class Trier:
    """Tries one space on one span after another.

    data: the config with its overrides, without its `sweep:` part. slow: why trials run in the event lane, "" if they
    do not. sample: how many are tried, 0 for all of the grid. span_us: first and last moment of the data. known: what
    identifies the config as it stands.
    Raises ConfigError where there is nothing to vary, and as a backtest before it begins.
    """

    def __init__(
        self,
        config: str | Path | Mapping[str, Any],
        grid: Mapping[str, Any] | None,
        *,
        overrides: Sequence[str] = (),
        sample: int | None = None,
        seed: int | None = None,
        lake: str | Path | Lake = "data",
        out: str | Path = "sweeps",
        database: str | Path | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._tell = progress or (lambda stage, done, total: None)
        data = read_config(config)
        source = "config" if isinstance(config, Mapping) else str(config)
        asked = parse(SweepSettings, data.pop("sweep", None) or {}, f"{source}: sweep")
        self.data = override(data, overrides)
        self.settings = parse(BacktestSettings, self.data, source)
        if self.settings.data.on_book:
            raise ConfigError(
                "A recording of an order book is too short to be divided", remedy="Validate on bars or trades"
            )
        self.lake = lake if isinstance(lake, Lake) else Lake(lake)
        self._out, self._workers = out, workers or os.cpu_count() or 1
        self._database, self.ledger = database, open_ledger(database)
        wanted = {**asked.grid, **(grid or {})}
        self.grid = within_bounds(wanted, self.data, not wanted)
        if not self.grid:
            raise ConfigError(
                "The strategy declares no parameter with bounds, so there is nothing to vary",
                remedy="Say what to vary: --set strategy.params.NAME=5:15, or a `sweep: grid:` in the config",
            )
        self.seed = asked.seed if seed is None else seed
        # A grid that was written down is tried whole; bounds that were declared are sampled.
        self.sample = sample if sample is not None else asked.sample or (0 if wanted else SAMPLE)
        self._tell("reading data", 0, 0)
        supply(self.settings.data, self.lake, self._tell)
        job = BarJob(self.settings, self.lake)
        times = job.engine.timeline.times
        self.span_us = int(times[TS][0]), int(times[TS_EVENT].max())
        self._instruments = job.engine.instruments
        self.known = identity(self.settings, job.snapshot, job.strategy)
        self.slow = _why_slow(self.settings)

    def on(self, start_us: int, end_us: int, parent: str) -> Tried:
        """The space, tried on [start_us, end_us), as part of the walk-forward `parent`. Raises as `sweep`."""
        return self._tried(between(self.data, start_us, end_us), "walkforward", parent)

    def on_all(self) -> Tried:
        """The space, tried on all data of the config: who has seen these has tried them. Raises as `sweep`."""
        return self._tried(self.data, "sweep", "")

    def _tried(self, data: Mapping[str, Any], kind: str, parent: str) -> Tried:
        if not self.slow:
            try:
                return self._compiled(data, kind, parent)
            except StrategyError as error:  # only the compiler knows whether it takes a decide
                self.slow = error.message
        return self._in_processes(data, kind, parent)

    def assignments(self, values: Mapping[str, Any]) -> list[str]:
        """A trial's values as overrides."""
        return [f"{key}={orjson.dumps(value).decode()}" for key, value in values.items()]

    def settings_with(self, values: Mapping[str, Any], start_us: int, end_us: int) -> BacktestSettings:
        """The settings of a trial on a span. Raises ConfigError."""
        return parse(BacktestSettings, override(between(self.data, start_us, end_us), self.assignments(values)))

    def _compiled(self, data: Mapping[str, Any], kind: str, parent: str) -> Tried:
        done = sweep(
            data, self.grid, sample=self.sample, seed=self.seed, lake=self.lake, out=self._out, workers=self._workers,
            progress=self._tell, database=self._database, kind=kind, parent=parent,
        )  # fmt: skip
        return Tried(done.table, done.keys, done.days, done.returns)

    def _in_processes(self, data: Mapping[str, Any], kind: str, parent: str) -> Tried:
        whole = Space(self.grid, sample=self.sample, seed=self.seed)
        space = whole if len(whole) <= EVENT_SAMPLE else Space(self.grid, sample=EVENT_SAMPLE, seed=self.seed)
        each = [(data, self.assignments(dict(zip(space.keys, values, strict=True))), self.lake.url) for values in space]
        rows, found = [], []
        with ProcessPoolExecutor(self._workers, multiprocessing.get_context("spawn")) as pool:
            for number, (row, days, returns) in enumerate(pool.map(_one, each), 1):
                rows.append(row)
                found.append((days, returns))
                self._tell("trying in the event lane", number, len(space))
        columns = zip(*space, strict=True)
        named = pl.DataFrame(dict(zip(space.keys, columns, strict=True)), strict=False, nan_to_null=False)
        table = pl.concat([named, pl.DataFrame(rows, schema=_FIGURES)], how="horizontal")
        days, returns = _aligned(found)
        self._record(data, table, space.keys, days, returns, kind, parent)
        return Tried(table, space.keys, days, returns)

    def _record(
        self,
        data: Mapping[str, Any],
        table: pl.DataFrame,
        keys: Sequence[str],
        days: Ints,
        returns: np.ndarray,
        kind: str,
        parent: str,
    ) -> None:
        """Put trials of the event lane into the ledger, as a sweep would."""
        if self.ledger is None or not len(days):
            return
        span = tuple(data["data"].get(name) for name in ("start", "end"))
        named = hashlib.sha256(orjson.dumps([self.known["result_id"], *span, *keys], default=str)).hexdigest()[:16]
        recorder = Recorder(
            self.ledger, self.settings, {**self.known, "result_id": named},
            span=(int(days[0]) * DAY_US, int(days[-1] + 1) * DAY_US), days=days, year=self._year(),
            folder=Path(self._out), kind=kind, parent=parent,
        )  # fmt: skip
        recorder.begin(self.settings, keys, len(table))
        trials = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode() for row in table.select(keys).to_dicts()]
        shape = [moments(row) for row in returns]
        kept = table.drop(keys).with_columns(
            pl.Series("trial", trials),
            pl.Series("skew", [one.skew for one in shape]),
            pl.Series("kurtosis", [one.kurtosis for one in shape]),
            pl.Series("returns", returns, dtype=pl.Array(pl.Float32, len(days))),
        )
        recorder.add(kept)

    def _year(self) -> int:
        return max(calendar(instrument.calendar).days_per_year for instrument in self._instruments)


_FIGURES = {
    "final_equity": pl.Float64,
    "net_return": pl.Float64,
    "sharpe": pl.Float64,
    "max_drawdown": pl.Float64,
    "trades": pl.Int64,
    "fees": pl.Float64,
    "error": pl.String,
}


def _one(what: tuple[Mapping[str, Any], list[str], str]) -> tuple[dict[str, Any], Ints, np.ndarray]:
    """One trial, in a process of its own: its figures or its error, its days and their returns."""
    data, assignments, url = what
    try:
        ran = run_span(parse(BacktestSettings, override(data, assignments)), Lake(url))
    except TruewindError as error:
        return {"error": str(error)}, np.zeros(0, np.int64), np.zeros(0)
    return ran.figures(), ran.days, ran.returns


def _aligned(found: Sequence[tuple[Ints, np.ndarray]]) -> tuple[Ints, np.ndarray]:
    """All trials on the days of the longest."""
    days = max((days for days, _ in found), key=len)
    returns = np.full((len(found), len(days)), np.nan, np.float32)
    for row, (own, values) in zip(returns, found, strict=True):
        row[np.searchsorted(days, own)] = values
    return days, returns


def _why_slow(settings: BacktestSettings) -> str:
    """Why a sweep would refuse these settings; "" if nothing is known that is in the way."""
    if settings.strategies:
        return "several strategies share the account"
    if settings.data.universe is not None:
        return "its symbols are a universe, chosen anew as time goes on"
    if settings.data.inner_timeframe:
        return f"orders are matched on bars of {settings.data.inner_timeframe}"
    if settings.data.kind != "bars":
        return f"it runs on {settings.data.kind}"
    return obstacle(settings.chosen.load())
