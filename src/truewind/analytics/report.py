"""Report: all that a run left behind, as its report reads it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson
import polars as pl

from truewind.errors import CorruptError, MissingFileError

VALIDATION_VERSION = 1  # of what `validation.json` holds: raised whenever a part of it is called otherwise


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page shows. Tables as in a run's folder; `summary` as `summarise` returns it.

    candles: by symbol, `ts` (open), `open`, `high`, `low`, `close`. benchmark: `ts`, `equity`, or None.
    gains: of several strategies `ts`, `strategy`, `gain` (since the start, in the account's currency).
    withheld: what risk rules denied or reduced, and its outcome, as `analytics.withheld.outcomes` returns it.
    validation: what was found by running again (stress, permuted markets, walk-forward …), by part.
    orders: every order, with what `analytics.shortfall` needs to know of it. entries: of the order that opened each
    trade, the features that were read when it was decided on. verdicts: what the risk gate ruled.
    info: what identifies the run (data snapshot, code version, result id, seed …), shown as given.
    warnings: what a reader must know before he trusts the figures (inferred instruments, gaps …).
    trials: what the ledger knew of all that was tried in the place of this run, when it ended (`analytics.luck`).
    data: what is known of the series that were read, as `backtest.sources` tells it.
    """

    name: str
    equity: pl.DataFrame
    trades: pl.DataFrame
    fills: pl.DataFrame
    candles: Mapping[str, pl.DataFrame]
    benchmark: pl.DataFrame | None
    summary: Mapping[str, Any]
    config_yaml: str
    info: Mapping[str, str]
    assumptions: list[str]
    warnings: list[str]
    gains: pl.DataFrame | None = None
    withheld: pl.DataFrame | None = None
    trials: Mapping[str, Any] | None = None
    validation: Mapping[str, Any] | None = None
    orders: pl.DataFrame | None = None
    entries: pl.DataFrame | None = None
    verdicts: pl.DataFrame | None = None
    data: Mapping[str, Any] | None = None


def load(run_dir: Path) -> Report:
    """What a finished run left in its folder. Raises MissingFileError or CorruptError, naming the file.

    `candles.parquet` and `benchmark.parquet` may be absent: there is then nothing to draw.
    `gains.parquet` is there where several strategies ran, `withheld.parquet` where rulings were written down,
    `trials.json` where the run was recorded in the ledger of trials, `data.json` where it read series of a lake.
    `orders.parquet`, `entries.parquet` and `verdicts.parquet` may be absent too, and what is read off them.
    `validation.json` is there where a validation of this run was made.
    Of `run.json` it reads `name`, `info`, `assumptions`, `warnings`, and no wall time.
    """
    run_dir = Path(run_dir)
    run = _read_json(run_dir / "run.json")
    validation, warnings = _optional_json(run_dir / "validation.json"), run["warnings"]
    if validation is not None and validation.get("version") != VALIDATION_VERSION:
        validation, warnings = None, [*warnings, "The validation in this folder is another truewind's: validate again"]
    candles = _optional(run_dir / "candles.parquet")
    try:
        config_yaml = (run_dir / "config.yaml").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _missing(run_dir / "config.yaml") from None
    return Report(
        name=run["name"],
        equity=_read_table(run_dir / "equity.parquet"),
        trades=_read_table(run_dir / "trades.parquet"),
        fills=_read_table(run_dir / "fills.parquet"),
        candles={}
        if candles is None
        else {str(key[0]): part for key, part in candles.group_by("symbol", maintain_order=True)},
        benchmark=_optional(run_dir / "benchmark.parquet"),
        summary=_read_json(run_dir / "summary.json"),
        config_yaml=config_yaml,
        info=run["info"],
        assumptions=run["assumptions"],
        warnings=warnings,
        trials=_optional_json(run_dir / "trials.json"),
        validation=validation,
        gains=_optional(run_dir / "gains.parquet"),
        withheld=_optional(run_dir / "withheld.parquet"),
        orders=_optional(run_dir / "orders.parquet"),
        entries=_optional(run_dir / "entries.parquet"),
        verdicts=_optional(run_dir / "verdicts.parquet"),
        data=_optional_json(run_dir / "data.json"),
    )


def _missing(path: Path) -> MissingFileError:
    return MissingFileError(
        f"No {path.name} in {path.parent}", remedy="Name a folder that `truewind backtest` finished", path=path
    )


def _read_table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except pl.exceptions.PolarsError as error:
        raise CorruptError(f"{path} cannot be read: {error}", remedy="Run the backtest again", path=path) from None


def _optional(path: Path) -> pl.DataFrame | None:
    return _read_table(path) if path.exists() else None


def _optional_json(path: Path) -> Any:
    return _read_json(path) if path.exists() else None


def _read_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise _missing(path) from None
    except orjson.JSONDecodeError as error:
        raise CorruptError(f"{path} is no valid JSON: {error}", remedy="Run the backtest again", path=path) from None
