"""Recording: the points of a sweep as trials of the ledger, a chunk at a time."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from truewind.backtest.recording import facts_of, metrics_of, params_of
from truewind.backtest.settings import BacktestSettings
from truewind.domain.clock import WallClock
from truewind.numerics.sketch import DIRECTIONS, sketches
from truewind.storage.trials import NAN, Trial, TrialLedger

_VARIED = "varied"


class Recorder:
    """Records one sweep. known: its identity; settings: of any of its trials; span: first and last row, µs UTC.

    days: of the trials' daily returns (see `Sweep.days`); year: trading days. kind, parent: as what its points count,
    and of what the sweep is part.
    """

    def __init__(
        self,
        ledger: TrialLedger,
        settings: BacktestSettings,
        known: Mapping[str, str],
        *,
        span: tuple[int, int],
        days: np.ndarray,
        year: int,
        folder: Path,
        kind: str,
        parent: str,
    ) -> None:
        self._ledger, self._id, self._days, self._year = ledger, known["result_id"], days, year
        self._parent = parent
        self._common: dict[str, Any] = {
            "kind": kind,
            **facts_of(settings, known, span),
            "created_us": WallClock().now_us(),
            "run_dir": str(folder.resolve()),
        }

    def begin(self, settings: BacktestSettings, keys: Sequence[str], trials: int) -> None:
        """Record the sweep itself. settings: those that hold for all trials; keys: what is varied."""
        params = params_of(settings) | dict.fromkeys(keys, _VARIED)
        row = Trial(id=self._id, parent=self._parent, params=params, metrics={"trials": trials}, **self._common)
        self._ledger.record([row])

    def knows(self, trials: int) -> bool:
        """Whether so many points of the sweep are recorded as what they count now; it may have been begun on another
        database, or as part of something else.
        """
        return self._ledger.count(parent=self._id, kind=self._common["kind"]) >= trials

    def add(self, table: pl.DataFrame) -> None:
        """Record points as they are kept on disk: `trial` (settings as JSON), `error`, figures, `returns`. Those
        without figures were never tried. Raises StorageError.
        """
        table = table.filter(pl.col("error").is_null())
        if table.is_empty():
            return
        drawn = np.zeros((len(table), DIRECTIONS), np.float32)
        if len(self._days):
            drawn = sketches(self._days, table["returns"].to_numpy().reshape(len(table), -1))
        self._ledger.record(
            [
                self._trial(row["trial"], row, sketch)
                for row, sketch in zip(table.drop("error", "returns").iter_rows(named=True), drawn, strict=True)
            ]
        )

    def _trial(self, name: str, row: dict[str, Any], sketch: np.ndarray) -> Trial:
        """A point. Equal settings are one point, in whatever sweep of this identity."""
        figures = {figure: value for figure, value in row.items() if figure != "trial"}
        yearly = figures["sharpe"] if len(self._days) else NAN
        return Trial(
            id=hashlib.sha256(f"{self._id}\n{name}".encode()).hexdigest()[:16],
            parent=self._id,
            params=orjson.loads(name),
            metrics=metrics_of(figures),
            days=len(self._days),
            sharpe=yearly / math.sqrt(self._year),
            skew=figures["skew"],
            kurtosis=figures["kurtosis"],
            sketch=sketch,
            **self._common,
        )
