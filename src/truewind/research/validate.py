"""Validate: everything that can be asked of a backtest before it is trusted, and the gate's verdict on the answers.

    space tried on all data → the run, and what the ledger knows of it → overfitting (PBO), best of so many (SPA),
    choice on many paths (CPCV), stability, walk-forward, shocks, permuted markets, causality → evidence → gate

What was found is written to `validation.json` in the run's folder, and its report is made anew. Equal runs with equal
seeds give equal findings. What cannot be asked is said with its reason, and counts as not tested.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from truewind.analytics import luck, report, tearsheet
from truewind.analytics.daily import daily
from truewind.analytics.gate import GateSettings, Judgement
from truewind.backtest import run as backtest
from truewind.backtest.folder import find_run, write, write_json
from truewind.backtest.lookahead import lookahead
from truewind.backtest.settings import BacktestSettings, load_config, read_config
from truewind.config import override, parse
from truewind.domain.ports import Progress
from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError, TruewindError
from truewind.numerics.overfit import cscv, superior
from truewind.numerics.performance import NAN, Ints, day_index
from truewind.research.choice import cross_validate, held_until
from truewind.research.markets import permuted
from truewind.research.stability import stability, surfaces
from truewind.research.stress import TWICE, stress
from truewind.research.trying import Tried, Trier
from truewind.research.walkforward import WalkForwardSettings, plain, walk
from truewind.storage.lake import Lake

METRIC = "sharpe"
_BLOCKS = 16  # of CSCV: 12,870 splits
_WINDOWS = 8  # of the walk-forward, where nobody says how long they are: training on the first third
_LOGIT_BINS = 40
_QUICK_SAMPLE = 40
_MARKETS, _QUICK_MARKETS = 100, 20
_POINTS, _QUICK_POINTS = 20, 8  # at which the future is changed


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. found: as in `validation.json`. judgement: the gate's."""

    run_dir: Path
    found: dict[str, Any]
    judgement: Judgement

    @property
    def report(self) -> Path:
        return self.run_dir / "report.html"


def validate(
    target: str | Path | Mapping[str, Any],
    grid: Mapping[str, Any] | None = None,
    *,
    overrides: Sequence[str] = (),
    sample: int | None = None,
    seed: int | None = None,
    train: str = "",
    test: str = "",
    quick: bool = False,
    lake: str | Path | Lake = "data",
    runs: str | Path = "runs",
    out: str | Path = "sweeps",
    database: str | Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Validate a config (it is run first) or a finished run (by id, folder or "latest"; it is run again, so that
    everything follows from the same data and code).

    train, test: lengths of the walk-forward's spans, 365d; left out, a third of the data to learn from, and eight tests
    in the rest. quick: smaller samples, for a first look. Raises as `run` and `sweep` do.
    """
    if bool(train) != bool(test):
        raise ConfigError("train and test of a walk-forward belong together", remedy="Give both, or neither")
    windows = WalkForwardSettings.of(train, test) if train else None
    tell = progress or (lambda stage, done, total: None)
    config = _config(target, runs)
    gate = parse(GateSettings, config.pop("gate", None) or {}, "gate")
    if quick and sample is None and not (config.get("sweep") or {}).get("sample"):
        sample = _QUICK_SAMPLE
    trier, tried, untried = _space(config, grid, overrides, sample, seed, lake, out, database, workers, tell)
    data = trier.data if trier is not None else override(_without_space(config), overrides)
    result = backtest.run(data, lake=lake, runs=runs, database=database, progress=tell)
    source = lake if isinstance(lake, Lake) else Lake(lake)
    settings = load_config(data)
    found: dict[str, Any] = {"version": report.VALIDATION_VERSION, "seed": settings.seed, "quick": quick}
    found["gate"] = gate.model_dump(mode="json")
    found["space"] = _space_facts(trier, tried, untried)
    found |= _of_trials(result.run_dir, tried, untried, settings, tell)
    found["walkforward"] = _walked(trier, windows, untried, result.result_id, tell)
    found |= _stressed(settings, source, database, workers, quick, tell)
    found["lookahead"] = _looked_ahead(settings, source, quick, tell)
    found["evidence"] = _evidence(found)
    found = plain(found)
    tell("writing the report", 0, 0)
    write_json(result.run_dir / "validation.json", found)
    write(result.run_dir, "report.html", tearsheet.from_run(result.run_dir).encode())
    judgement = luck.judged(report.load(result.run_dir))
    return Validation(run_dir=result.run_dir, found=found, judgement=judgement)


def _config(target: str | Path | Mapping[str, Any], runs: str | Path) -> dict[str, Any]:
    """The config of a file, a mapping or a finished run."""
    if isinstance(target, Mapping):
        return dict(target)
    if str(target).endswith((".yaml", ".yml")):
        return read_config(target)
    return read_config(find_run(runs, str(target)) / "config.yaml")


def _without_space(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "sweep"}


# -- what is asked -----------------------------------------------------------------------------------------------------


def _space(
    config: Mapping[str, Any],
    grid: Mapping[str, Any] | None,
    overrides: Sequence[str],
    sample: int | None,
    seed: int | None,
    lake: str | Path | Lake,
    out: str | Path,
    database: str | Path | None,
    workers: int | None,
    tell: Progress,
) -> tuple[Trier | None, Tried | None, str]:
    """What can be tried of the config's space, its trials on all data, and why there are none, if so."""
    try:
        trier = Trier(
            config, grid, overrides=overrides, sample=sample, seed=seed, lake=lake, out=out, database=database,
            workers=workers, progress=tell,
        )  # fmt: skip
    except ConfigError as error:
        load_config(_without_space(config), overrides)  # raises what is wrong with the config itself
        return None, None, f"{error.message[0].lower()}{error.message[1:]}"
    return trier, trier.on_all(), ""


def _space_facts(trier: Trier | None, tried: Tried | None, untried: str) -> dict[str, Any]:
    if trier is None or tried is None:
        return {"trials": 0, "reason": untried}
    return {
        "grid": {key: _shown(given) for key, given in trier.grid.items()},
        "trials": len(tried.table),
        "failed": tried.table["error"].count(),
        "slow": trier.slow,
        "reason": "",
    }


def _shown(given: Any) -> str:
    """A grid's values in a line."""
    if isinstance(given, str):
        return given
    values = [str(value) for value in given]
    return ", ".join(values) if len(values) <= 8 else f"{values[0]} … {values[-1]} ({len(values)} values)"


def _of_trials(
    run_dir: Path, tried: Tried | None, untried: str, settings: BacktestSettings, tell: Progress
) -> dict[str, Any]:
    """What the trials on all data tell: overfitting, whether the run is better than the best of so many by luck, what
    choosing among them is worth, and how stable the run's settings are.
    """
    names = ("overfit", "superior", "choice", "stability")
    if tried is not None and not len(tried.days):
        untried = "the run is too short, or its rows too rare, to speak of daily returns"
    if tried is None or untried:
        return {name: {"reason": untried} for name in names}
    written = report.load(run_dir)
    own = daily(written)
    returns = np.vstack([tried.returns, _on_days(own.days, own.returns, tried.days)]).astype(np.float64)
    tell("overfitting", 0, 0)
    overfit = cscv(tried.returns.T, _BLOCKS)
    best = superior(returns.T, of=len(returns) - 1, seed=settings.seed)
    tell("choosing on many paths", 0, 0)
    until = held_until(tried.days, *_held(written))
    choice = cross_validate(tried.days, tried.returns, own.year, until=until, embargo_days=1)
    centre, sharpe = _settings_of(settings, tried.keys), written.summary.get(METRIC)
    stable = stability(tried.table, tried.keys, METRIC, centre=centre, value=NAN if sharpe is None else sharpe)
    edges, counts = _logits(overfit.logits)
    return {
        "overfit": {
            **{name: getattr(overfit, name) for name in ("probability", "slope", "loss", "dominates", "trials")},
            "left_out": overfit.left_out,
            "splits": len(overfit.logits),
            "edges": edges,
            "counts": counts,
            "reason": overfit.reason,
        },
        "superior": best._asdict(),
        "choice": {
            **{name: getattr(choice, name) for name in choice.__struct_fields__ if name not in ("sharpes", "returns")},
            "sharpes": choice.sharpes.tolist(),
            "returns": choice.returns.tolist(),
            "median": choice.median,
            "loss": choice.loss,
        },
        "stability": {
            **msgspec.to_builtins(stable),
            "surfaces": [
                {**msgspec.structs.asdict(each), "values": each.values.tolist()}
                for each in surfaces(tried.table, tried.keys, METRIC, centre)
            ],
            "reason": "" if stable.shape != "not defined" else stable.sentence.partition(": ")[2].removesuffix("."),
        },
    }


def _walked(
    trier: Trier | None, windows: WalkForwardSettings | None, untried: str, parent: str, tell: Progress
) -> dict[str, Any]:
    """The walk-forward; what comes in its place where there is no room for it."""
    if trier is None:
        return {"reason": untried}
    if windows is None:
        start, end = trier.span_us
        train = max(DAY_US, (end - start) // 3 // DAY_US * DAY_US)
        windows = WalkForwardSettings(train_us=train, test_us=max(DAY_US, (end - start - train) // _WINDOWS))
    try:
        return {"reason": "", **walk(trier, windows, tell, parent=parent).plain()}
    except ConfigError as error:
        return {"reason": error.message}


def _stressed(
    settings: BacktestSettings,
    lake: Lake,
    database: str | Path | None,
    workers: int | None,
    quick: bool,
    tell: Progress,
) -> dict[str, Any]:
    """The run under shocks, and on markets without patterns, with drift ("permuted") and without ("noise")."""
    found: dict[str, Any] = {"stress": stress(settings, lake=lake, database=database, progress=tell).as_list()}
    for name, drift in (("permuted", True), ("noise", False)):
        try:
            found[name] = permuted(
                settings, _QUICK_MARKETS if quick else _MARKETS, seed=settings.seed, drift=drift, lake=lake,
                database=database, workers=workers, progress=tell,
            ).as_dict()  # fmt: skip
        except ConfigError as error:
            found[name], found[f"{name}_reason"] = None, error.message
    return found


def _looked_ahead(settings: BacktestSettings, lake: Lake, quick: bool, tell: Progress) -> dict[str, Any]:
    """Whether a changed future moves the past, and what does."""
    points = _QUICK_POINTS if quick else _POINTS
    try:
        found = lookahead(settings, lake, points=points, seed=settings.seed, progress=tell)
    except TruewindError as error:
        return {"leaks": None, "said": f"not analysed: {error.message}"}
    asked = f"The future was changed at {found.moments} moments"
    asked += f", and features were computed in {found.pieces:,} pieces" if found.pieces else ""
    said = "; ".join(str(leak) for leak in found.leaks[:3]) if found.leaks else f"{asked}: nothing moved."
    return {"leaks": len(found.leaks), "said": " ".join([said, *found.notes])}


# -- the evidence ------------------------------------------------------------------------------------------------------


def _evidence(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the gate is told, as fields of `gate.Evidence`; reasons by the names of its rules."""
    overfit, best, walked = found["overfit"], found["superior"], found["walkforward"]
    stable, ahead = found["stability"], found["lookahead"]
    dear = next(run for run in found["stress"] if run["name"] == TWICE)
    told = {
        "superior": None if best.get("reason") else best["consistent"],
        "tested": 0 if best.get("reason") else best["trials"] + best["left_out"],
        "overfit": None if overfit.get("reason") else overfit["probability"],
        "overfit_loss": None if overfit.get("reason") else overfit["loss"],
        "efficiency": walked.get("efficiency"),
        "profitable": walked.get("profitable"),
        "windows": len(walked["windows"]) if "windows" in walked else None,
        "stressed_return": dear["net_return"],
        "stability": stable.get("gained"),
        "leaks": ahead["leaks"],
    }
    reasons = {
        "luck": best.get("reason", ""),
        "overfit": overfit.get("reason", ""),
        "walk_forward": walked.get("reason") or "what was chosen had earned nothing in sample",
        "windows": walked.get("reason", ""),
        "costs": dear["note"] if dear["net_return"] is None else "",
        "stability": stable.get("reason", ""),
        "look_ahead": ahead["said"],
    }
    return {**told, "reasons": {name: why for name, why in reasons.items() if why}}


# -- details -----------------------------------------------------------------------------------------------------------


def _on_days(own: Ints, returns: np.ndarray, days: Ints) -> np.ndarray:
    """A run's returns on the trials' days, NaN on those that it does not have."""
    found = np.full(len(days), np.nan)
    _, theirs, mine = np.intersect1d(days, own, return_indices=True)
    found[theirs] = returns[mine]
    return found


def _held(written: report.Report) -> tuple[Ints, Ints]:
    """UTC days on which the run's positions were opened, and closed; those still open end with the run."""
    trades, end = written.trades, written.equity["ts"].max()
    opened, closed = trades["opened"], trades["closed"].fill_null(end)
    return day_index(opened.dt.epoch("us").to_numpy()), day_index(closed.dt.epoch("us").to_numpy())


def _settings_of(settings: BacktestSettings, keys: Sequence[str]) -> dict[str, Any] | None:
    """What the run itself has for the settings that are varied, defaults too; None if it has not got them all."""
    values: dict[str, Any] = settings.model_dump(mode="python")
    if settings.strategy is not None and settings.strategy.parts is None:
        values["strategy"]["params"] = settings.chosen.load().params.model_dump()
    found = {key: _value_at(values, key) for key in keys}
    return None if None in found.values() else found


def _value_at(values: Any, key: str) -> Any:
    """What stands at a dotted key, None if nothing does."""
    for name in key.split("."):
        if isinstance(values, Mapping):
            values = values.get(name)
        elif isinstance(values, list | tuple) and name.isdigit() and int(name) < len(values):
            values = values[int(name)]
        else:
            return None
    return values


def _logits(logits: np.ndarray) -> tuple[list[float], list[int]]:
    """A histogram of them."""
    if not len(logits):
        return [], []
    counts, edges = np.histogram(logits, bins=_LOGIT_BINS)
    return edges.tolist(), counts.tolist()
