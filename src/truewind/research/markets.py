"""Permuted markets: the same strategy where there is no pattern to find.

Each bar's moves are kept and their order is not: whatever follows from one bar to the next is gone, while the
distribution of moves, what the symbols do together, and the whole rise or fall stay (Masters, T. (2018), Permutation
and Randomization Tests for Trading System Development). Without the rise or fall as well it is white noise, on which
nothing can be earned: a strategy that earns there has found a fault in fills, costs or in what it knows.
"""

import math
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from truewind.backtest.bar_run import BarJob
from truewind.backtest.changed import Remembered
from truewind.backtest.run import identity
from truewind.backtest.settings import BacktestSettings, load_config
from truewind.backtest.standin import supply
from truewind.domain.ports import Progress
from truewind.engine.compiled import WORTH_COMPILING, obstacle
from truewind.engine.merge import TS, TS_EVENT
from truewind.errors import ConfigError, StrategyError, TruewindError
from truewind.numerics import performance
from truewind.numerics.performance import NAN, Floats
from truewind.research.children import of_span, part_of
from truewind.research.reordered import Market, Reordering
from truewind.research.spans import Ran, run_span
from truewind.storage.lake import Lake
from truewind.storage.trials import open_ledger

COUNT = 200
SIGNIFICANT = 0.05


class Permuted(NamedTuple):
    """What a strategy came to on `count` permuted markets. drift: whether these rise or fall as much as the real one.

    own: its Sharpe ratio and return on the real market. sharpes, returns: on each of the others; a run that did not
    trade has a Sharpe ratio of 0. p: with drift, the share of markets, the real one among them, on which the Sharpe
    ratio was at least as large; without, the chance of such a mean return if nothing can be earned. NaN where it is not
    defined.
    """

    drift: bool
    block: int
    own_sharpe: float
    own_return: float
    sharpes: Floats
    returns: Floats
    p: float
    notes: tuple[str, ...]

    def said(self) -> tuple[str, ...]:
        """The result in words."""
        count = len(self.sharpes)
        if not count:
            return ("Not defined: the strategy could be run on none of the markets.", *self.notes)
        if math.isnan(self.p):
            return ("Not defined: the strategy's Sharpe ratio is none on the real market.", *self.notes)
        if not self.drift:
            mean = float(self.returns.mean())
            error = float(self.returns.std(ddof=1)) / math.sqrt(count) if count > 1 else NAN
            found = (
                f"On {count} markets of the same moves in random order, without their drift, it returned {mean:.2%} "
                f"on average (standard error {error:.2%})."
            )
            verdict = "Nothing is earned where nothing can be earned, as it must be."
            if self.p <= SIGNIFICANT:
                verdict = "It earns where nothing can be earned: look for a fault in fills, costs or in what it knows."
            return (found, verdict, *self.notes)
        better = int((self.sharpes >= self.own_sharpe).sum())
        found = (
            f"On {better} of {count} markets of the same moves in random order its Sharpe ratio was at least the "
            f"{self.own_sharpe:.2f} of the real market (p = {self.p:.1%}; median {float(np.median(self.sharpes)):.2f})."
        )
        verdict = "What it earned hangs on the order of the bars: there was a pattern that it used."
        if self.p > SIGNIFICANT and not better:
            verdict = "That is as good as it can be on so few markets: take at least 19."
        elif self.p > SIGNIFICANT:
            verdict = "It did as well where no pattern is left: drift, exposure or luck may have earned what it did."
        return (found, verdict, *self.notes)

    def as_dict(self) -> dict[str, Any]:
        """As plain values: what `validation.json` holds under `permuted` or `noise`."""
        defined = not math.isnan(self.p)
        return {
            "count": len(self.sharpes),
            "block": self.block,
            "sharpe": self.own_sharpe if defined else None,
            "net_return": self.own_return,
            "p": self.p if defined else None,
            "median_sharpe": float(np.median(self.sharpes)) if len(self.sharpes) else None,
            "mean_return": float(np.mean(self.returns)) if len(self.returns) else None,
            "said": list(self.said()),
        }


def permuted(
    config: str | Path | Mapping[str, Any] | BacktestSettings,
    count: int = COUNT,
    *,
    seed: int = 42,
    block: int = 1,
    drift: bool = True,
    overrides: Sequence[str] = (),
    lake: str | Path | Lake = "data",
    database: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Permuted:
    """Run `config` on `count` markets whose bars' moves come in another order.

    block: bars that stay together; 1 leaves no pattern at all, more keep what is shorter than that. drift: keep the
    whole rise or fall. Bars before the run, and series other than its bars (funding, other timeframes), stay as they
    are; margin goes by the traded prices. Market `i` follows from seed and i alone, whatever the number of workers.
    database: of the ledger of trials, as of a backtest; these runs are parts of it.
    Raises ConfigError for runs on trades or books, and as a backtest if the run on the real market cannot be made.
    """
    given = config if isinstance(config, BacktestSettings) else load_config(config, overrides)
    settings, notes = _plain(given)
    tell = progress or (lambda stage, done, total: None)
    source = lake if isinstance(lake, Lake) else Lake(lake)
    tell("reading data", 0, 0)
    supply(settings.data, source, tell)
    remembered = Remembered(source)
    job = BarJob(settings, remembered)
    times = job.engine.timeline.times
    grid, end = np.unique(times[TS]), int(times[TS_EVENT].max())
    settings, own = _in_the_fastest_lane(settings, remembered, count * len(job.engine.timeline))
    runs = _runs(
        settings, remembered, Reordering(settings.data.timeframe, grid, end, seed, block, drift), count, workers
    )
    ledger, known = open_ledger(database), identity(given, job.snapshot, job.strategy)
    found, trials = [], []
    for number, ran in enumerate(runs):
        tell("permuting", number + 1, count)
        if ran is None:
            continue
        found.append(_figures(ran))
        what = {"market": number, "seed": seed, "block": block, "drift": drift}
        trials.append(part_of(known["result_id"], of_span(settings, known, ran), what))
    if ledger is not None:
        ledger.record(trials)
    if len(found) < count:
        notes = (*notes, f"On {count - len(found)} markets the run failed; they are left out.")
    sharpes, returns = (np.array([each[i] for each in found], np.float64) for i in range(2))
    own_sharpe, own_return = _figures(own)
    return Permuted(
        drift, block, own_sharpe, own_return, sharpes, returns,
        _chance(drift, performance.sharpe(own.returns, own.days_per_year), sharpes, returns), notes,
    )  # fmt: skip


def _chance(drift: bool, own: float, sharpes: Floats, returns: Floats) -> float:
    if drift:
        known = len(sharpes) > 0 and not math.isnan(own)
        return (1.0 + float((sharpes >= own).sum())) / (len(sharpes) + 1.0) if known else NAN
    if len(returns) < 2:
        return NAN
    spread = float(returns.std(ddof=1))
    if not spread > 0.0:
        return 1.0 if float(returns.mean()) <= 0.0 else 0.0
    return 0.5 * math.erfc(float(returns.mean()) / spread * math.sqrt(len(returns)) / math.sqrt(2.0))


def _plain(settings: BacktestSettings) -> tuple[BacktestSettings, tuple[str, ...]]:
    """The settings for markets that have nothing but bars of one length."""
    data = settings.data
    if data.kind != "bars":
        raise ConfigError(
            f"A run on {data.kind} has no bars whose order could be changed", remedy="Permute a run on bars"
        )
    notes = []
    if data.inner_timeframe:
        notes.append(f"Orders were matched on bars of {data.timeframe}, not of {data.inner_timeframe}.")
    plain = data.model_copy(update={"inner_timeframe": "", "mark": "last", "index": "last"})
    return settings.model_copy(update={"data": plain}), tuple(notes)


def _in_the_fastest_lane(settings: BacktestSettings, lake: Lake, rows: int) -> tuple[BacktestSettings, Ran]:
    """Settings with the lane in which so many rows are soonest done, and the run on the real market in it."""
    if not settings.strategies and rows >= WORTH_COMPILING and not obstacle(settings.chosen.load()):
        compiled = settings.model_copy(update={"lane": "compiled"})
        try:
            return compiled, run_span(compiled, lake)
        except StrategyError:
            pass  # the compiler does not take it, or it raised: the event lane tells
    event = settings.model_copy(update={"lane": "event"})
    return event, run_span(event, lake)


def _figures(ran: Ran) -> tuple[float, float]:
    """Annualised Sharpe ratio, 0 where a run did nothing, and net return."""
    sharpe = performance.sharpe(ran.returns, ran.days_per_year)
    return (0.0 if math.isnan(sharpe) else sharpe), float(ran.equity[-1]) / ran.initial - 1.0


# -- runs, here or in processes ----------------------------------------------------------------------------------------

_here: dict[str, Lake] = {}  # the lake of a process, read once


def _runs(
    settings: BacktestSettings, lake: Lake, how: Reordering, count: int, workers: int | None
) -> Iterator[Ran | None]:
    """The run on each market, in order; None for one on which it failed."""
    workers = min(workers or os.cpu_count() or 1, count)
    if workers <= 1:
        yield from (_one(settings, lake, how, number) for number in range(count))
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_there, repeat(settings), repeat(str(lake.url)), repeat(how), range(count))


def _there(settings: BacktestSettings, url: str, how: Reordering, number: int) -> Ran | None:
    """One run in a process of its own."""
    if url not in _here:
        _here[url] = Remembered(Lake(url))
    return _one(settings, _here[url], how, number)


def _one(settings: BacktestSettings, lake: Lake, how: Reordering, number: int) -> Ran | None:
    try:
        return run_span(settings, Market(lake, how, number))
    except TruewindError:
        return None
