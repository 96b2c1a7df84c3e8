"""Walk-forward: settings are chosen on the past and traded on what follows, again and again.

For each window the space is tried on the training span only; the best trial is run on the test span, with features
warmed up by what lies before it, from flat to flat (what is held at the edge is closed there, and pays for it). The
returns of the test spans, one behind the other, are what somebody who had worked like this would have had.

Pardo, R. (2008), *The Evaluation and Optimization of Trading Strategies*, 2nd ed., Wiley, chapter 11: windows, and the
walk-forward efficiency, annualised return out of sample over that in sample.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import numpy as np
import orjson

from truewind.analytics import walked
from truewind.analytics.page import page
from truewind.backtest.folder import write, write_json
from truewind.backtest.recording import family_of, universe_of
from truewind.domain.clock import WallClock, iso
from truewind.domain.ports import Progress
from truewind.domain.timeframe import DAY_US, timeframe_us
from truewind.errors import ConfigError, TruewindError
from truewind.numerics import performance
from truewind.numerics.performance import NAN, YEAR_US, Floats, Ints
from truewind.numerics.significance import moments
from truewind.numerics.sketch import sketch
from truewind.numerics.splits import Window, walk_forward
from truewind.research.spans import Ran, run_span
from truewind.research.stability import best_on_plateau, best_trial
from truewind.research.trying import Tried, Trier
from truewind.storage.lake import Lake
from truewind.storage.trials import Trial

Choose = Literal["best", "plateau"]


class WalkForwardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """train_us, test_us: lengths. embargo_us: left out between them. anchored: trainings begin at the beginning.

    metric: the figure by which is chosen. choose: "best" takes the best trial, "plateau" the one that is best together
    with its neighbours.
    """

    train_us: int
    test_us: int
    embargo_us: int = 0
    anchored: bool = False
    metric: str = "sharpe"
    choose: Choose = "best"

    @classmethod
    def of(cls, train: str, test: str, embargo: str = "0", **rest: Any) -> Self:
        """From lengths as people write them, 365d. Raises ConfigError."""
        left_out = 0 if embargo == "0" else length_us(embargo)
        return cls(train_us=length_us(train), test_us=length_us(test), embargo_us=left_out, **rest)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the chosen settings came to on a span. yearly: the net return over the length of the span in years."""

    net_return: float = NAN
    yearly: float = NAN
    sharpe: float = NAN
    max_drawdown: float = NAN
    trades: int = 0
    fees: float = NAN


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One window. chosen: the settings, empty where none could be; then nothing was traded, and `note` says why.

    tried: trials on the training span; without: those that have no figure to be chosen by. inside, outside: of the
    chosen, on the training and the test span. closed: positions that were closed at the end of the test.
    """

    window: Window
    chosen: dict[str, Any]
    tried: int
    without: int
    inside: Figures
    outside: Figures
    closed: int = 0
    note: str = ""


class WalkForward(msgspec.Struct, frozen=True, kw_only=True):
    """A whole walk. ts_us, equity: of the test spans, one behind the other, starting from `initial`. days, returns: of
    these, by UTC day. overall: figures out of sample.

    efficiency: annualised return out of sample over that in sample (NaN if nothing was earned in sample).
    profitable: share of windows that made money. drift: by parameter, how far the choice moves from one window to the
    next, as a share of the range that was tried (0: never, 1: from end to end each time).
    left_us: time at the end of the data that no test covers. slow: why the event lane was used, "" if it was not.
    notes: what a reader must know. folder: where page and figures lie.
    """

    name: str
    settings: WalkForwardSettings
    keys: tuple[str, ...]
    steps: tuple[Step, ...]
    ts_us: Ints
    equity: Floats
    initial: float
    days: Ints
    returns: Floats
    days_per_year: int
    overall: Figures
    efficiency: float
    profitable: float
    drift: dict[str, float]
    left_us: int
    slow: str
    notes: tuple[str, ...]
    folder: Path | None = None

    @property
    def report(self) -> Path | None:
        return None if self.folder is None else self.folder / "report.html"

    @property
    def trials(self) -> int:
        return sum(step.tried for step in self.steps)

    def plain(self) -> dict[str, Any]:
        """The walk as JSON has it, and as `analytics.walked` draws it: times in µs, NaN as None, equity as the returns
        of UTC days.
        """
        windows = [
            {
                **{f"{name}_us": at for name, at in step.window._asdict().items()},
                "chosen": step.chosen,
                "tried": step.tried,
                "without": step.without,
                "inside": msgspec.to_builtins(step.inside),
                "outside": msgspec.to_builtins(step.outside),
                "closed": step.closed,
                "note": step.note,
            }
            for step in self.steps
        ]
        found: dict[str, Any] = plain(
            {
                "name": self.name,
                "settings": msgspec.to_builtins(self.settings),
                "keys": list(self.keys),
                "trials": self.trials,
                "initial": self.initial,
                "days": self.days.tolist(),
                "returns": self.returns.tolist(),
                "overall": msgspec.to_builtins(self.overall),
                "efficiency": self.efficiency,
                "profitable": self.profitable,
                "drift": self.drift,
                "windows": windows,
                "slow": self.slow,
                "notes": list(self.notes),
            }
        )
        return found


def plain(value: Any) -> Any:
    """Values as JSON has them: numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def length_us(text: str) -> int:
    """A span as people write it: 365d, 12w, 48h. Raises ConfigError."""
    if not re.fullmatch(r"[1-9][0-9]*[smhdw]", text):
        raise ConfigError(f"'{text}' is no length of time", remedy="Write a number and one of s, m, h, d, w: 365d, 12w")
    return timeframe_us(text)


def walkforward(
    config: str | Path | Mapping[str, Any],
    grid: Mapping[str, Any] | None = None,
    *,
    train: str = "365d",
    test: str = "90d",
    embargo: str = "0",
    anchored: bool = False,
    metric: str = "sharpe",
    choose: Choose = "best",
    overrides: Sequence[str] = (),
    sample: int | None = None,
    seed: int | None = None,
    lake: str | Path | Lake = "data",
    out: str | Path = "sweeps",
    database: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> WalkForward:
    """Walk `config` forward, with the space of `grid` or of the config's `sweep:` part or, without either, a sample of
    what its strategy's parameters may be. Trainings are sweeps under `out`: a walk that was broken off goes on.

    train, test, embargo: lengths of the spans to choose on, to trade on, and left out between them ("0": nothing); the
    rest as in `WalkForwardSettings`. database: where the walk is recorded, with its trials as parts of it (see
    `backtest.run.run`); they put a choice to the test, and do not count as tries. Page and figures are written to a
    folder under `out`, named by what they follow from.

    Raises ConfigError where there is no room for a window or nothing to vary, and as `sweep` and `run` do.
    """
    trier = Trier(
        config, grid, overrides=overrides, sample=sample, seed=seed, lake=lake, out=out, database=database,
        workers=workers, progress=progress,
    )  # fmt: skip
    settings = WalkForwardSettings.of(train, test, embargo, anchored=anchored, metric=metric, choose=choose)
    folder = Path(out) / f"walk-{_id(trier, settings)}"
    done = walk(trier, settings, progress, folder=folder)
    plain = done.plain()
    write_json(folder / "walkforward.json", {**trier.known, **plain})
    write(folder, "report.html", page(walked.document(plain)).encode())
    return msgspec.structs.replace(done, folder=folder)


def walk(
    trier: Trier,
    settings: WalkForwardSettings,
    progress: Progress | None = None,
    *,
    folder: Path | None = None,
    parent: str = "",
) -> WalkForward:
    """As `walkforward`, with what is ready to be tried, and nothing is written but the ledger: the walk is a trial that
    lies in `folder` and is part of `parent`.
    """
    tell = progress or (lambda stage, done, total: None)
    start, end = trier.span_us
    windows = walk_forward(
        start,
        end,
        train=settings.train_us,
        test=settings.test_us,
        embargo=settings.embargo_us,
        anchored=settings.anchored,
    )
    if not windows:
        needed = settings.train_us + settings.embargo_us + settings.test_us // 2
        raise ConfigError(
            f"From {iso(start)} to {iso(end)} there is no room for one window: {needed / DAY_US:.1f} days are needed, "
            f"{(end - start) / DAY_US:.1f} are there",
            remedy="Take a shorter --train or --test, or import more data",
        )
    steps, runs = [], []
    for number, window in enumerate(windows):
        tell("walking forward", number, len(windows))
        step, ran = _step(trier, settings, window)
        steps.append(step)
        runs.append(ran)
    done = _whole(trier, settings, steps, runs)
    _record(trier, done, folder, parent)
    return done


def _id(trier: Trier, settings: WalkForwardSettings) -> str:
    """What the result of a walk follows from."""
    named = [trier.known, trier.grid, trier.sample, trier.seed, msgspec.to_builtins(settings)]
    return hashlib.sha256(orjson.dumps(named)).hexdigest()[:16]


def _record(trier: Trier, done: WalkForward, folder: Path | None, parent: str) -> None:
    """Put the walk into the ledger. Its trainings are there already, as parts of it."""
    if trier.ledger is None:
        return
    found = moments(done.returns)
    trier.ledger.record(
        [
            Trial(
                id=_id(trier, done.settings),
                kind="walkforward",
                name=done.name,
                parent=parent,
                family=family_of(trier.settings),
                universe=universe_of(trier.settings.data),
                timeframe=trier.settings.data.timeframe or trier.settings.data.kind,
                start_us=done.steps[0].window.test_start,
                end_us=done.steps[-1].window.test_end,
                config=trier.known["config"],
                data_snapshot=trier.known["data_snapshot"],
                code_version=trier.known["code_version"],
                seed=trier.settings.seed,
                params=msgspec.to_builtins(done.settings),
                metrics=plain({**msgspec.to_builtins(done.overall), "efficiency": done.efficiency}),
                days=found.periods,
                sharpe=found.sharpe,
                skew=found.skew,
                kurtosis=found.kurtosis,
                sketch=sketch(done.days, done.returns),
                created_us=WallClock().now_us(),
                run_dir="" if folder is None else str(folder.resolve()),
            )
        ]
    )


def _step(trier: Trier, settings: WalkForwardSettings, window: Window) -> tuple[Step, Ran | None]:
    """Choose on the training span, and trade on the test span."""
    tried = trier.on(window.train_start, window.train_end, _id(trier, settings))
    if settings.metric not in tried.table.columns:
        raise ConfigError(
            f"A trial has no figure '{settings.metric}'", remedy="Take sharpe, net_return, max_drawdown …"
        )
    chosen = _chosen(tried, settings)
    without = int(tried.table[settings.metric].fill_nan(None).null_count())
    nothing = Step(
        window=window, chosen={}, tried=len(tried.table), without=without, inside=Figures(), outside=Figures(),
        note=_why_none(tried, settings.metric),
    )  # fmt: skip
    if chosen is None:
        return nothing, None
    row = tried.table.row(chosen, named=True)
    values = {key: row[key] for key in tried.keys}
    inside = _figures(row, window.train_end - window.train_start)
    try:
        ran = run_span(trier.settings_with(values, window.test_start, window.test_end), trier.lake)
    except TruewindError as error:
        return msgspec.structs.replace(nothing, chosen=values, inside=inside, note=error.message), None
    outside = _figures(ran.figures(), window.test_end - window.test_start)
    note = "" if ran.trades else "Nothing was traded in this window."
    step = msgspec.structs.replace(nothing, chosen=values, inside=inside, outside=outside, closed=ran.closed, note=note)
    return step, ran


def _chosen(tried: Tried, settings: WalkForwardSettings) -> int | None:
    if settings.choose == "plateau":
        return best_on_plateau(tried.table, tried.keys, settings.metric)
    return best_trial(tried.table, settings.metric)


def _why_none(tried: Tried, metric: str) -> str:
    """Why no trial could be chosen."""
    errors = tried.table["error"].drop_nulls()
    if len(errors):
        return f"Nothing could be chosen: {errors.value_counts(sort=True)['error'][0]}"
    return f"Nothing could be chosen: no trial has a {metric} on the training span (none traded)."


def _figures(row: Mapping[str, Any], length: int) -> Figures:
    """Of a trial or a run, with its return a year."""
    return Figures(
        net_return=row["net_return"],
        yearly=row["net_return"] * YEAR_US / length,
        sharpe=NAN if row["sharpe"] is None else row["sharpe"],
        max_drawdown=row["max_drawdown"],
        trades=row["trades"],
        fees=row["fees"],
    )


def _whole(
    trier: Trier, settings: WalkForwardSettings, steps: Sequence[Step], runs: Sequence[Ran | None]
) -> WalkForward:
    """Put the windows one behind the other."""
    initial = trier.settings.account.cash
    worth, ts_us, equity = initial, [], []
    for step, ran in zip(steps, runs, strict=True):
        if ran is None:  # in cash
            ts_us.append(np.array([step.window.test_end], np.int64))
            equity.append(np.array([worth]))
            continue
        ts_us.append(ran.ts_us)
        equity.append(worth * ran.equity / ran.initial)
        worth = float(equity[-1][-1])
    year = max((ran.days_per_year for ran in runs if ran is not None), default=365)
    whole_ts, whole = np.concatenate(ts_us), np.concatenate(equity)
    days, returns = performance.daily_returns(whole_ts, whole, initial, every_day=year >= performance.EVERY_DAY)
    length = sum(step.window.test_end - step.window.test_start for step in steps)
    row = {
        "net_return": worth / initial - 1.0,
        "sharpe": performance.sharpe(returns, year),
        "max_drawdown": performance.max_drawdown(whole, initial),
        "trades": sum(step.outside.trades for step in steps),
        "fees": float(np.nansum([step.outside.fees for step in steps])),
    }
    return WalkForward(
        name=trier.settings.name,
        settings=settings,
        keys=tuple(trier.grid),
        steps=tuple(steps),
        ts_us=whole_ts,
        equity=whole,
        initial=initial,
        days=days,
        returns=returns,
        days_per_year=year,
        overall=_figures(row, length),
        efficiency=efficiency(steps),
        profitable=float(np.mean([step.outside.net_return > 0.0 for step in steps])),
        drift={key: _drift([step.chosen[key] for step in steps if step.chosen], trier.grid[key]) for key in trier.grid},
        left_us=trier.span_us[1] - steps[-1].window.test_end,
        slow=trier.slow,
        notes=_notes(trier, steps),
    )


def efficiency(steps: Sequence[Step]) -> float:
    """Mean annualised return out of sample over that in sample, of windows in which something was chosen; NaN if
    nothing was earned in sample.
    """
    pairs = [(step.inside.yearly, step.outside.yearly) for step in steps if step.chosen]
    inside = float(np.mean([pair[0] for pair in pairs])) if pairs else NAN
    if not inside > 0.0:
        return NAN
    return float(np.mean([0.0 if math.isnan(pair[1]) else pair[1] for pair in pairs])) / inside


def _drift(chosen: Sequence[Any], tried: Any) -> float:
    """How far a parameter moves from window to window, as a share of the chosen values' greatest possible range."""
    if len(chosen) < 2:
        return NAN
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in chosen)
    if not numbers:
        return float(np.mean([a != b for a, b in pairwise(chosen)]))
    low, high = _ends(tried, chosen)
    return float(np.mean(np.abs(np.diff(np.array(chosen, float))))) / (high - low) if high > low else 0.0


def _ends(tried: Any, chosen: Sequence[Any]) -> tuple[float, float]:
    """Least and greatest of the values that a grid's text or list gives."""
    if isinstance(tried, str):
        found = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?", tried)[:2]]
    else:
        found = [float(value) for value in tried]
    return min(found + [float(value) for value in chosen]), max(found + [float(value) for value in chosen])


def _notes(trier: Trier, steps: Sequence[Step]) -> tuple[str, ...]:
    """What a reader must know before he trusts the walk."""
    notes = []
    if len(steps) == 1:
        notes.append("There is one window only: what it shows may be chance; take shorter windows or more data.")
    if trier.slow:
        notes.append(
            f"Trials ran in the event lane, and few of them ({steps[0].tried}), since the compiled lane cannot take "
            f"this strategy: {trier.slow}."
        )
    idle = sum(not step.outside.trades for step in steps)
    if idle:
        notes.append(f"In {idle} of {len(steps)} windows nothing was traded.")
    last = steps[-1].window
    if last.test_end - last.test_start < steps[0].window.test_end - steps[0].window.test_start:
        notes.append(f"The last test is shorter: {(last.test_end - last.test_start) / DAY_US:.1f} days.")
    left = trier.span_us[1] - last.test_end
    if left > DAY_US:
        notes.append(f"The last {left / DAY_US:.1f} days of the data are too few for a test, and are left out.")
    closed = sum(step.closed for step in steps)
    if closed:
        notes.append(
            f"{closed} positions were closed at the ends of windows, and paid taker fee and half the spread for it."
        )
    return tuple(notes)
