"""Recording: a finished run as a trial of the ledger, and what the ledger then knows of its like."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from truewind import log
from truewind.analytics.luck import crowd
from truewind.backtest.data import DataSettings
from truewind.backtest.folder import write_json
from truewind.backtest.settings import BacktestSettings, StrategySettings
from truewind.config import Settings
from truewind.domain.clock import iso
from truewind.numerics import performance
from truewind.numerics.floats import floats
from truewind.numerics.significance import moments
from truewind.numerics.sketch import sketch
from truewind.storage.trials import Trial, TrialLedger
from truewind.strategies.base import locate

NAME = "trials.json"
# Of a config: what is no choice of how to trade, or has a field of its own.
_NOT_TRIED = ("name", "data", "lane", "seed", "strategy.path")


def trial_of(
    settings: BacktestSettings,
    known: Mapping[str, str],
    summary: Mapping[str, Any],
    run_dir: Path,
    *,
    kind: str,
    created_us: int,
    parent: str = "",
) -> Trial:
    """The trial that a finished run is. known: its identity; summary: its figures; the rest is read from its folder."""
    equity = pl.read_parquet(run_dir / "equity.parquet", columns=["ts", "equity"])
    ts = equity["ts"].dt.epoch("us").to_numpy()
    values = floats(equity["equity"])
    daily = performance.returns_by_calendar(ts, values, summary["initial_equity"], summary["days_per_year"])
    return Trial(
        id=known["result_id"],
        kind=kind,
        parent=parent,
        **facts_of(settings, known, (int(ts[0]), int(ts[-1]))),
        params=params_of(settings),
        metrics=metrics_of(summary),
        **judged_by(*daily),
        created_us=created_us,
        run_dir=str(run_dir.resolve()),
    )


def facts_of(settings: BacktestSettings, known: Mapping[str, str], span: tuple[int, int]) -> dict[str, Any]:
    """What every trial of these settings says of itself. known: its identity; span: its first and last row, µs UTC."""
    return {
        "name": settings.name,
        "family": family_of(settings),
        "universe": universe_of(settings.data),
        "timeframe": settings.data.timeframe or settings.data.kind,
        "start_us": span[0],
        "end_us": span[1],
        "config": known["config"],
        "data_snapshot": known["data_snapshot"],
        "code_version": known["code_version"],
        "seed": settings.seed,
    }


def judged_by(days: performance.Ints, returns: performance.Floats) -> dict[str, Any]:
    """What a trial is compared with others by: the shape of its daily returns, and a sketch of them."""
    found = moments(returns)
    shape = {"days": found.periods, "sharpe": found.sharpe, "skew": found.skew, "kurtosis": found.kurtosis}
    return shape | {"sketch": sketch(days, returns)}


def record(ledger: TrialLedger, trial: Trial, run_dir: Path) -> None:
    """Put a run into the ledger, and what that knows of its like into `trials.json`. Raises StorageError."""
    ledger.record([trial])
    write_json(run_dir / NAME, like(ledger, trial))


def like(ledger: TrialLedger, trial: Trial) -> dict[str, Any]:
    """What the ledger knows of all that was tried in the place of a trial, itself among them: `analytics.luck.Crowd`,
    and by what they are alike.
    """
    related = ledger.related(trial.family, trial.universe, trial.start_us, trial.end_us)
    return {
        "id": trial.id,
        "family": trial.family,
        "universe": trial.universe,
        "start": iso(trial.start_us),
        "end": iso(trial.end_us),
        **msgspec.to_builtins(crowd(related)),
    }


def family_of(settings: BacktestSettings) -> str:
    """Of what family a run's strategy is: its path without parameters, of several all, sorted.

    Of a strategy out of parts its entry says the family: exits, filters and sizing are ways to trade the same idea.
    """
    if settings.strategies:
        return ", ".join(sorted({_family(member) for member in settings.strategies}))
    return _family(settings.chosen)


def _family(chosen: StrategySettings) -> str:
    if chosen.parts is not None:
        return f"parts:{chosen.parts.entry.name}"
    found, file = locate(chosen.path), chosen.path.rpartition(":")[0] or chosen.path
    place = Path(file).name if file.endswith(".py") else found.__module__
    return f"{place}:{found.__qualname__}"


def universe_of(data: DataSettings) -> tuple[str, ...]:
    """The instruments that a run trades, "venue:SYMBOL", sorted."""
    keys = [data.key(symbol) for symbol in data.symbols]
    return tuple(sorted({f"{key.venue}:{key.symbol}" for key in keys}))


def params_of(settings: Settings) -> dict[str, Any]:
    """The settings that a config gives of how to trade, by dotted name, as a sweep names those that it varies."""
    given = settings.model_dump(mode="json", exclude_unset=True)
    named = _flat({name: value for name, value in given.items() if name not in _NOT_TRIED})
    shown: dict[str, Any] = log.redacted({name: value for name, value in named if name not in _NOT_TRIED})
    return {name: value for name, value in shown.items() if value is not None}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = list(enumerate(value))
    else:
        yield name, value
        return
    for key, item in items:
        yield from _flat(item, f"{name}.{key}" if name else str(key))


def metrics_of(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """The numbers among figures, None where one is not defined."""
    numbers = {name: value for name, value in figures.items() if value is None or type(value) in (int, float)}
    return {name: None if value is None or value != value else value for name, value in numbers.items()}
