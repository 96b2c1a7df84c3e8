"""The audit of a session: its journal is run again as a backtest, and must give the same decisions and fills.

What the session heard goes from the journal into a lake of its own, in the session's folder, and from there the
ordinary way of a backtest. A session that was killed is held to as much as its journal tells.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from truewind.backtest.bar_run import BarJob
from truewind.backtest.run import run_job
from truewind.backtest.settings import load_config
from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument
from truewind.domain.order import Reason
from truewind.domain.result import Result
from truewind.domain.risk import Command
from truewind.errors import DataError
from truewind.live.feed import BAR_COLUMNS, MARK_COLUMNS
from truewind.storage.journal import Journal
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

_COMPARED = {"verdict": "verdicts", "order": "order events", "fill": "fills", "latch": "breakers"}


class Compared(msgspec.Struct, frozen=True):
    """One kind of record: how many the session has and the backtest, and the first that differs (None: none does)."""

    what: str
    session: int
    backtest: int
    differs: int | None


class Audit(msgspec.Struct, frozen=True):
    """rows: bars or trades that were heard. whole: the session ended by itself; else it was killed."""

    rows: int
    whole: bool
    compared: list[Compared]
    backtest: Result

    @property
    def equal(self) -> bool:
        return all(one.differs is None for one in self.compared)


class _Record(msgspec.Struct):
    """What a session's journal holds, by kind, in order."""

    session: dict[str, Any]
    rows: dict[str, np.ndarray]
    commands: list[Command]
    whole: bool


def audit(run_dir: Path) -> Audit:
    """Run a session's journal again and compare. Raises DataError if the journal is of no session, CorruptError."""
    told = _read(run_dir / "journal.twj")
    lake = _lake(run_dir, told)
    settings = load_config(run_dir / "config.yaml")
    start = iso(told.session["start"])
    settings = load_config(settings.model_dump(mode="json"), [f"data.start='{start}'"])
    job = BarJob(settings, lake)
    job.engine.command(told.commands)
    again = run_job(job, settings, run_dir / "audit", lambda stage, done, total: None, ledger=None)
    found = _read(again.run_dir / "journal.twj")
    compared = [_compare(kind, told, found) for kind in _COMPARED]
    rows = sum(len(told.rows[kind]) for kind in ("bar", "trade") if kind in told.rows)
    return Audit(rows=rows, whole=told.whole, compared=compared, backtest=again)


def _read(path: Path) -> _Record:
    parts: dict[str, list[np.ndarray]] = {}
    facts: dict[str, dict[str, Any]] = {}
    commands: list[Command] = []
    for frame in Journal(path):
        if frame.rows is not None:
            parts.setdefault(frame.kind, []).append(frame.rows)
        elif frame.facts is not None and frame.kind == "command":
            said = {name: frame.facts[name] for name in Command._fields}
            commands.append(Command(**said | {"rule": Reason[said["rule"]]}))
        elif frame.facts is not None:
            facts[frame.kind] = frame.facts
    return _Record(
        session=facts.get("session", {}),
        rows={kind: np.concatenate(rows) for kind, rows in parts.items()},
        commands=commands,
        whole="stop" in facts,
    )


def _compare(kind: str, told: _Record, found: _Record) -> Compared:
    """Records of one kind, byte by byte; of a session that was killed those that it came to write."""
    mine, theirs = told.rows.get(kind), found.rows.get(kind)
    ours = [] if mine is None else [row.tobytes() for row in mine]
    others = [] if theirs is None else [row.tobytes() for row in theirs]
    differs = next((i for i, (one, other) in enumerate(zip(ours, others, strict=False)) if one != other), None)
    if differs is None and (len(ours) > len(others) or (told.whole and len(ours) != len(others))):
        differs = min(len(ours), len(others))
    return Compared(_COMPARED[kind], len(ours), len(others), differs)


def _lake(run_dir: Path, told: _Record) -> Lake:
    """What the session heard, and what had warmed up its features, as a lake."""
    kind = "bar" if "bar" in told.rows else "trade"
    if not told.session or kind not in told.rows:
        raise DataError(
            f"{run_dir} is the folder of no session, or of one that heard nothing",
            remedy="Audit what `truewind paper` has left",
            path=run_dir,
        )
    shutil.rmtree(run_dir / "lake", ignore_errors=True)
    lake = Lake(run_dir / "lake")
    data = load_config(run_dir / "config.yaml").data
    for instrument in msgspec.convert(told.session["instruments"], list[Instrument], strict=False):
        lake.put_instrument(instrument)
    for index, symbol in enumerate(told.session["symbols"]):
        key = SeriesKey("bars" if kind == "bar" else "trades", data.venue, symbol, data.timeframe)
        table = _bars if kind == "bar" else _trades
        heard = {name: rows[rows["symbol"] == index] for name, rows in told.rows.items() if name in ("warm", kind)}
        lake.write(key, pl.concat([table(rows) for rows in heard.values() if len(rows)], how="diagonal"))
        if "mark_open" in _names(told.rows[kind]):
            marks = _marks(heard[kind])
            lake.write(SeriesKey("mark_bars", data.venue, symbol, data.timeframe), marks)
        if "funding" in told.rows:
            paid = told.rows["funding"][told.rows["funding"]["symbol"] == index]
            lake.write(
                SeriesKey("funding", data.venue, symbol),
                _table({name: paid[name] for name in ("ts", "rate", "mark_price")}),
            )
    return lake


def _bars(rows: np.ndarray) -> pl.DataFrame:
    names = ("ts", *BAR_COLUMNS, *(["ts_recv"] if "ts_recv" in _names(rows) else []))
    return _table({name: rows[name] for name in names})


def _marks(rows: np.ndarray) -> pl.DataFrame:
    """Mark bars, of those that were told of."""
    names = {"ts": "ts", **{name.removeprefix("mark_"): name for name in MARK_COLUMNS}}
    told = rows[~np.isnan(rows["mark_open"])]
    return _table({name: told[source] for name, source in names.items()})


def _trades(rows: np.ndarray) -> pl.DataFrame:
    named = {"price": "price", "quantity": "quantity", "side": "side", "id": "sequence", "ts_recv": "ts_recv"}
    columns = {"ts": rows["ts_event"], **{name: rows[source] for name, source in named.items()}}
    return _table(columns).with_columns(pl.col("side").cast(pl.Int8))


def _table(columns: Mapping[str, np.ndarray]) -> pl.DataFrame:
    table = pl.DataFrame({name: np.ascontiguousarray(column) for name, column in columns.items()})
    return table.with_columns(pl.col("^ts(_recv)?$").cast(TS))


def _names(rows: np.ndarray) -> tuple[str, ...]:
    return rows.dtype.names or ()
