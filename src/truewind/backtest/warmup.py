"""Warm-up analysis: what a value becomes that has seen only the last so many bars.

A feature counts from where its history begins, and a live session begins where it was started. Here some bars of a run
are taken, the history before each is cut to shorter and shorter lengths, and what comes out is compared with the whole:
by feature the relative difference, and the length from which on it is below 1e-9, beside what the feature declares
(`Feature.settles`). Of a strategy that decides by signals it is compared what it would do, with nothing held.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from truewind import features
from truewind.backtest.assembly import features_of, the_strategy
from truewind.backtest.changed import Changed
from truewind.backtest.replay import replay
from truewind.backtest.settings import BacktestSettings
from truewind.domain.clock import iso
from truewind.domain.ports import Progress
from truewind.domain.position import Position
from truewind.domain.timeframe import timeframe_us
from truewind.engine.merge import SYMBOL, TS, Timeline
from truewind.errors import DataError
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.strategies.base import SignalStrategy, Strategy

LENGTHS = (25, 50, 100, 200, 400, 800, 1600, 3200)
SIGNALS = "signals"
EXACT = 1e-9  # relative difference below which a value has settled
_BARS = 3  # of each symbol on which values are compared
_FLAT = Position(0, 0.0, math.nan, math.nan, 0)


class Settling(NamedTuple):
    """One feature. field, spec: as the strategy calls it. declared: rows after which it says that it has settled, None
    if it counts from its beginning. differences: by length of the history the greatest relative difference, infinite
    where one of the two is missing. settled: the shortest length from which on all are below EXACT, None if none is.

    Of SIGNALS the differences are the share of them whose side or reason is another.
    """

    field: str
    spec: str
    declared: int | None
    differences: dict[int, float]
    settled: int | None

    @property
    def broken(self) -> bool:
        """Whether it has not settled where it says that it has."""
        if self.declared is None:
            return False
        return any(value > EXACT for length, value in self.differences.items() if length > self.declared)


def settling(
    settings: BacktestSettings, lake: Lake, whole: Timeline, seed: int, tell: Progress
) -> tuple[Settling, ...]:
    """How each feature settles, the strategy's own first, and its signals. whole: the timeline of the run."""
    strategy = the_strategy(settings)
    reads = features_of(strategy) | settings.risk.reads()
    step = timeframe_us(settings.data.timeframe)
    opened = np.unique(whole.times[TS] if not hasattr(whole, "coarse") else whole.coarse["ts"][whole.wanted])
    draw = np.random.default_rng(seed)
    later = opened[len(opened) // 2 :]
    chosen = sorted({int(opened[-1]), *draw.choice(later, min(_BARS - 1, len(later)), replace=False).tolist()})
    known = features.history(list(reads.values()), settings.data.timeframe)
    lengths = sorted({length for length in (*LENGTHS, *((known + 1,) if known is not None else ())) if length > 0})
    fields = {name: spec for name, spec in reads.items() if _columns_of(whole, name)}
    found: dict[str, dict[int, float]] = {name: {} for name in fields}
    signals: dict[int, float] = {}
    for number, length in enumerate(lengths):
        told = []
        for bar in chosen:
            tell("shortening the history", number, len(lengths))
            first = int(np.searchsorted(opened, bar)) - (length - 1)
            short = _short(settings, lake, reads, int(opened[first]), bar + step) if first > 0 else None
            if short is None:
                continue
            rows = _common(whole, short, bar)
            for name in fields:
                worst = max((_apart(whole, short, column, rows) for column in _columns_of(whole, name)), default=0.0)
                found[name][length] = max(found[name].get(length, 0.0), worst)
            told += _other_signals(strategy, whole, short, rows)
        if told:
            signals[length] = float(np.mean(told))
    settled = [
        Settling(name, spec, features.history([spec], settings.data.timeframe), found[name], _settled(found[name]))
        for name, spec in fields.items()
    ]
    if signals:
        settled.append(Settling(SIGNALS, "", known, signals, _settled(signals)))
    return tuple(settled)


def _columns_of(timeline: Timeline, name: str) -> list[str]:
    """The columns of a feature: its field, or those of its outputs."""
    return [name] if name in timeline.columns else [each for each in timeline.columns if each.startswith(f"{name}_")]


def _short(
    settings: BacktestSettings, lake: Lake, reads: Mapping[str, str], first_us: int, end_us: int
) -> Timeline | None:
    """The run's bars that open from `first_us` on and before `end_us`, with features that have seen nothing else."""
    timeframe = settings.data.timeframe

    def cut(key: SeriesKey, table: pl.DataFrame) -> pl.DataFrame:
        if key.kind != "bars" or key.timeframe != timeframe:
            return table
        return table.filter(pl.col("ts").cast(pl.Int64) >= first_us)

    data = settings.data.model_copy(update={"start": None, "end": iso(end_us), "inner_timeframe": ""})
    try:
        return replay(Changed(lake, cut), data, reads, settings.financing, settings.account).timeline
    except DataError:
        return None  # a symbol, or what is read beside it, begins later than that


def _common(whole: Timeline, short: Timeline, bar: int) -> list[tuple[int, int]]:
    """The rows of that bar in both timelines, of each symbol that has it in both."""
    one, two = _rows(whole, bar), _rows(short, bar)
    return [(row, two[symbol]) for symbol, row in one.items() if symbol in two]


def _rows(timeline: Timeline, bar: int) -> dict[str, int]:
    """By symbol the row of the bar that opened then; of nested bars the one that it is decided on."""
    coarse: Mapping[str, np.ndarray] | None = getattr(timeline, "coarse", None)
    opened = timeline.times[TS] if coarse is None else coarse["ts"]
    return {timeline.symbols[timeline.times[SYMBOL][row]]: int(row) for row in np.flatnonzero(opened == bar)}


def _apart(whole: Timeline, short: Timeline, column: str, rows: Sequence[tuple[int, int]]) -> float:
    """The greatest relative difference of a column over these rows of both."""
    worst = 0.0
    if column not in short.columns:
        return worst
    for row, other in rows:
        one, two = float(whole.columns[column][row]), float(short.columns[column][other])
        if one == two or (math.isnan(one) and math.isnan(two)):
            continue
        apart = abs(one - two) / max(abs(one), abs(two)) if math.isfinite(one - two) else math.inf
        worst = max(worst, apart)
    return worst


def _other_signals(strategy: Strategy, whole: Timeline, short: Timeline, rows: Sequence[tuple[int, int]]) -> list[bool]:
    """Of each symbol whether the signal on these rows is another one; none for a strategy that gives no signals."""
    if not isinstance(strategy, SignalStrategy):
        return []
    return [_signal(strategy, whole, row) != _signal(strategy, short, other) for row, other in rows]


def _signal(strategy: SignalStrategy, timeline: Timeline, row: int) -> tuple[int, int]:
    """The side that the strategy wants on a row, with nothing held, and why; its prices follow from the features."""
    (_, bars), *_ = timeline.chunks(np.array([row], np.int64), strategy.bar_fields())
    signal = strategy.decide(next(iter(bars)), _FLAT, strategy.values)
    return int(signal.side), int(signal.reason)


def _settled(differences: Mapping[int, float]) -> int | None:
    """The shortest length from which on all differences are below EXACT."""
    settled = None
    for length in sorted(differences, reverse=True):
        if differences[length] > EXACT:
            break
        settled = length
    return settled
