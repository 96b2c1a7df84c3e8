"""A backtest from config to report: `run` is what the CLI and `truewind.run` call.

    config → data (lake) → engine → tables → summary → report, all in runs/<run_id>/

Every file but `run.json` is a pure function of data, config and code: two equal runs leave equal bytes. `trials.json`,
and by it the report's judgement of luck, follow from the ledger as well, which grows with every idea that is tried.
"""

import hashlib
import platform
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import orjson

from truewind import log
from truewind.analytics import tearsheet
from truewind.backtest.assembly import fitted_parts
from truewind.backtest.bar_run import BarJob
from truewind.backtest.book_run import BookJob
from truewind.backtest.folder import code_version, make_folder, new_run_id, utc, wall, write, write_json
from truewind.backtest.recording import record, trial_of
from truewind.backtest.settings import BacktestSettings, load_config
from truewind.backtest.standin import supply
from truewind.config import dump, to_yaml
from truewind.domain.clock import WallClock
from truewind.domain.ports import Progress
from truewind.domain.result import Result
from truewind.engine.portfolio import Team
from truewind.errors import StorageError, TruewindError
from truewind.storage.journal import JournalWriter
from truewind.storage.lake import Lake
from truewind.storage.snapshot import Snapshot
from truewind.storage.trials import Trial, TrialLedger, open_ledger


def run(
    config: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    lake: str | Path | Lake = "data",
    runs: str | Path = "runs",
    database: str | Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run a backtest and write its folder `runs/<run_id>/`. `progress(stage, done, total)` is called as it goes.

    The run is recorded in the ledger of trials in `database`: a path or URL; left out: TRUEWIND_DATABASE, else
    truewind.db; "off": nowhere, and the report cannot say how much luck is in it.
    The synthetic market is made in the lake where a run on it asks for what is not there yet.
    Raises ConfigError or DataError before anything is written; StrategyError (the folder with the journal stays, its
    path is in the error's facts) if the strategy raises; StorageError if the disk or the database refuses.
    """
    settings = load_config(config, overrides)
    tell = progress or (lambda stage, done, total: None)
    ledger = open_ledger(database)
    tell("reading data", 0, 0)
    source = lake if isinstance(lake, Lake) else Lake(lake)
    supply(settings.data, source, tell)
    job = BookJob(settings, source) if settings.data.on_book else BarJob(settings, source)
    return run_job(job, settings, runs, tell, ledger=ledger)


def run_job(
    job: "Job",
    settings: BacktestSettings,
    runs: str | Path,
    tell: Progress,
    *,
    ledger: TrialLedger | None,
    kind: str = "backtest",
    parent: str = "",
) -> Result:
    """Run what is ready to run, and write its folder. Raises as `run` does once it has begun.

    ledger: where the run is recorded as a trial of that kind, part of `parent`; None: nowhere.
    """
    started = WallClock().now_us()
    known = identity(settings, job.snapshot, job.strategy)
    run_id = new_run_id(started)
    run_dir = make_folder(Path(runs), run_id)
    about = _about(settings, job, known, run_id, started)
    write(run_dir, "config.yaml", to_yaml(settings).encode())
    write_json(run_dir / "run.json", about | {"status": "running"})
    try:
        with JournalWriter(run_dir / "journal.twj") as journal:
            journal.record("start", **about["info"], config=dump(settings), warnings=job.warnings)
            try:
                end = job.run(journal, tell)
            except TruewindError as error:
                journal.record("error", **error.as_dict())
                raise
            journal.record("stop", **end)
        tell("writing the report", 0, 0)
        summary, refusals = job.write(run_dir)
        about["warnings"] += refusals
        if ledger is not None:
            trial = trial_of(job.settings, known, summary, run_dir, kind=kind, created_us=started, parent=parent)
            about["warnings"] += _recorded(ledger, trial, run_dir)
        write_json(run_dir / "run.json", about | {"status": "finished", **wall(started)})
        write(run_dir, "report.html", tearsheet.from_run(run_dir).encode())
    except BaseException as error:
        log.get("system").error("run failed", run_id=run_id, traceback=traceback.format_exc())
        if isinstance(error, TruewindError):
            error.facts["run_dir"] = run_dir
        with suppress(StorageError):  # a full disk must not hide what went wrong
            write_json(run_dir / "run.json", about | {"status": "failed", "error": str(error), **wall(started)})
        raise
    return Result(
        run_id=run_id,
        result_id=known["result_id"],
        run_dir=run_dir,
        data_snapshot=job.snapshot.id,
        summary=summary,
    )


def _recorded(ledger: TrialLedger, trial: Trial, run_dir: Path) -> list[str]:
    """Record a run that is over; what its reader must know if the database refuses by then."""
    try:
        record(ledger, trial, run_dir)
    except StorageError as error:  # hours of work are not thrown away for it, and the reader is told
        log.get("system").warning("the run is not in the ledger of trials", error=error.as_dict())
        return [f"this run is not in the ledger of trials: {error.message}"]
    return []


class Job(Protocol):
    """A run that is ready to begin: its data are read, or its feed is connected, and its settings fit them.

    settings: as the run goes by them, with the symbols of a universe named.
    """

    settings: BacktestSettings
    snapshot: Snapshot
    warnings: list[str]
    assumptions: list[str]
    lane: str  # in which it runs: event or compiled

    @property
    def strategy(self) -> object: ...

    def run(self, journal: JournalWriter, tell: Progress) -> dict[str, Any]:
        """Run it; what the journal ends with."""
        ...

    def write(self, run_dir: Path) -> tuple[dict[str, Any], list[str]]:
        """Write the tables and the summary; the summary, and what the reader must know of refused orders."""
        ...


def identity(settings: BacktestSettings, snapshot: Snapshot, strategy: object) -> dict[str, str]:
    """What a result depends on, and the hash of it all."""
    chosen = {key: value for key, value in dump(settings).items() if key != "lane"}  # the result is the same in each
    for one in (chosen["strategy"], *chosen["strategies"]):  # of a file the content counts, not where it lies
        if one is not None and "path" in one:
            file, colon, name = one["path"].partition(":")
            one["path"] = (Path(file).name if file.endswith(".py") else file) + colon + name
    parts = {
        "data_snapshot": snapshot.id,
        "config": hashlib.sha256(orjson.dumps(chosen, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16],
        "code_version": code_version(),
        "strategy_code": _strategy_digest(strategy),
    }
    if fitted := fitted_parts(strategy):
        parts["fitted"] = ", ".join(part.hash for part in fitted)
    return parts | {"result_id": hashlib.sha256("\n".join(parts.values()).encode()).hexdigest()[:16]}


def _strategy_digest(strategy: object) -> str:
    """Hash of the file that the strategy comes from, and of those that it reads; of several, of all theirs."""
    if isinstance(strategy, Team):
        digests = "\n".join(_strategy_digest(member.strategy) for member in strategy.members)
        return hashlib.sha256(digests.encode()).hexdigest()[:16]
    file = getattr(sys.modules.get(type(strategy).__module__), "__file__", None)
    if not file:
        return "interactive"
    hashed = hashlib.sha256(Path(file).read_bytes())
    for read in getattr(strategy, "files", ()):
        hashed.update(read.read_bytes())
    return hashed.hexdigest()[:16]


def _named(settings: BacktestSettings) -> str:
    return ", ".join(f"{m.name}: {m.shown}" for m in settings.strategies) or settings.chosen.shown


def _about(settings: BacktestSettings, job: Job, known: dict[str, str], run_id: str, started: int) -> dict[str, Any]:
    info = {
        "currency": settings.account.currency,
        "result_id": known["result_id"],
        "data_snapshot": known["data_snapshot"],
        "code_version": known["code_version"],
        "strategy": f"{_named(settings)} ({known['strategy_code']})",
        "seed": str(settings.seed),
        "python": platform.python_version(),
    }
    if fitted := fitted_parts(job.strategy):
        info["fitted"] = "; ".join(f"{part.name} {part.hash} ({part.source})" for part in fitted)
    return {
        "run_id": run_id,
        "name": settings.name,
        "lane": job.lane,
        "started": utc(started),
        "info": info,
        "assumptions": job.assumptions,
        "warnings": job.warnings,
    }
