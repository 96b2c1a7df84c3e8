"""The trial ledger: every evaluated trial, so that a result can be held against all that was tried to get it.

A trial is one way of trading, tried on one span of data: a backtest, a point of a sweep, a fold of a walk-forward, a
fitted model's evaluation. Its id follows from data, settings and code, so that the same trial run again is the same
row. Deleting leaves a tombstone, which still counts: what was tried stays tried.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from truewind.domain.clock import WallClock
from truewind.errors import DataError
from truewind.storage.database import Database, open_database

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row, Select

SKETCH = 128  # `numerics.sketch.DIRECTIONS`, which would bring the compiler with it
KINDS = ("backtest", "sweep", "walkforward", "validation", "paper", "model")
COUNTED = ("backtest", "sweep", "model")
LATEST = "latest"
NAN = math.nan
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_NO_SKETCH = np.zeros(SKETCH, np.float32)
_SHOWN_IDS = 16


class Trial(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One trial, and what later statistics need of it.

    id: the result's. kind: one of KINDS. parent: id of the sweep, walk-forward … that it is part of. family: the
    strategy's path without its parameters. universe: "venue:SYMBOL", sorted. start_us, end_us: of the rows, µs UTC.
    config, data_snapshot, code_version: as in the run's identity. params: what was varied, or the strategy's
    parameters. metrics: figures by name, None where one is not defined.

    days: daily returns that the next three come from; sharpe: of a day, not annualised; kurtosis: 3 for a normal
    distribution; all NaN where not defined. sketch: see `numerics.sketch`; zeros where there is none.
    run_dir: where it lies, "" if nothing was kept. created_us: when it was first tried; last_us: when it was last run,
    0 for the same. deleted_us: when it was deleted, None if it was not.
    """

    id: str
    kind: str
    name: str
    parent: str = ""
    family: str
    universe: tuple[str, ...]
    timeframe: str
    start_us: int
    end_us: int
    config: str
    data_snapshot: str
    code_version: str
    seed: int
    params: dict[str, Any]
    metrics: dict[str, float | None]
    days: int = 0
    sharpe: float = NAN
    skew: float = NAN
    kurtosis: float = NAN
    sketch: NDArray[np.float32] = msgspec.field(default_factory=_NO_SKETCH.copy)
    created_us: int
    run_dir: str = ""
    last_us: int = 0
    deleted_us: int | None = None


class Related(NamedTuple):
    """Trials that one is to be judged with, itself among them, by id. sharpes: of a day; days: returns that they come
    from; sketches: (trials × 128). deleted: how many of them are tombstones.
    """

    ids: list[str]
    sharpes: Floats
    days: Ints
    sketches: NDArray[np.float32]
    deleted: int


class TrialLedger:
    """The trials of a database. Each method is one transaction; many processes may record at once.

    Every method raises StorageError (CorruptError, LockedError) if the database refuses.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def record(self, trials: Sequence[Trial]) -> None:
        """Add these. Of an id that is known the row is written anew, and is no tombstone any more; the time at which it
        was first tried stays.
        """
        from sqlalchemy import and_, case, or_

        from truewind.storage import tables

        if not trials:
            return
        rows = [_row(trial) for trial in sorted(trials, key=lambda trial: trial.id)]  # in one order: no deadlocks
        members = {_universe_id(trial.universe): _members(trial.universe) for trial in trials}
        kept = [column.name for column in tables.trials.c if column.name not in ("id", "created_us")]
        with self.database.writing() as connection:
            insert = _insert(connection.dialect.name)
            universes = [{"id": key, "members": members[key]} for key in sorted(members)]
            connection.execute(insert(tables.universes).on_conflict_do_nothing(), universes)
            adding = insert(tables.trials)
            # What counted once goes on counting, even if it is tried again as part of a test.
            counted = or_(*(tables.trials.c.kind == kind for kind in COUNTED))
            counts = counted & and_(*(adding.excluded.kind != kind for kind in COUNTED))
            changed = {name: adding.excluded[name] for name in kept}
            changed |= {name: case((counts, tables.trials.c[name]), else_=changed[name]) for name in ("kind", "parent")}
            connection.execute(adding.on_conflict_do_update(index_elements=["id"], set_=changed), rows)

    def get(self, name: str) -> Trial:
        """A trial by id, unique beginning of an id, or "latest". Raises DataError for none, and for several."""
        from sqlalchemy import or_

        from truewind.storage.tables import trials

        query = _selected().order_by(trials.c.last_us.desc(), trials.c.id)
        if name == LATEST:
            query = query.where(trials.c.deleted_us.is_(None), trials.c.parent == "")
        else:
            query = query.where(or_(trials.c.id == name, trials.c.id.startswith(name, autoescape=True)))
        found = self._read(query.limit(_SHOWN_IDS))
        exact = [trial for trial in found if trial.id == name]
        found = exact or (found[:1] if name == LATEST else found)
        if len(found) == 1:
            return found[0]
        if found:
            known = ", ".join(trial.id for trial in found[:5])
            raise DataError(f"'{name}' could be any of {known}", remedy="Write more of it")
        raise DataError(
            f"No trial '{name}' in {self.database.place}", remedy="See `truewind trials list`, or say latest"
        )

    def delete(self, name: str) -> Sequence[str]:
        """Make a tombstone of a trial, and of all that are part of it; the ids of those that were none before.

        Raises DataError as `get`.
        """
        from sqlalchemy import or_, select, update

        from truewind.storage.tables import trials

        one = self.get(name)
        gone = or_(trials.c.id == one.id, trials.c.parent == one.id) & trials.c.deleted_us.is_(None)
        with self.database.writing() as connection:
            ids = list(connection.execute(select(trials.c.id).where(gone).order_by(trials.c.id)).scalars())
            connection.execute(update(trials).where(gone).values(deleted_us=WallClock().now_us()))
        return ids

    def related(self, family: str, universe: Iterable[str], start_us: int, end_us: int) -> Related:
        """Trials of a strategy family that share an instrument and a moment of [start_us, end_us] with one, those that
        were deleted too.

        Folds of a walk-forward, stress runs, permuted markets and sessions on paper are not among them: they put a
        choice to the test and offer no other.
        """
        from sqlalchemy import select

        from truewind.storage.tables import trials, universes

        wanted = set(universe)
        # A sweep's own row stands for its points, which are all there.
        mine = [
            trials.c.family == family,
            trials.c.kind.in_(COUNTED),
            (trials.c.kind != "sweep") | (trials.c.parent != ""),
        ]
        columns = trials.c["id", "sharpe", "days", "sketch", "deleted_us"]
        with self.database.reading() as connection:
            used = select(universes).where(universes.c.id.in_(select(trials.c.universe).where(*mine)))
            sharing = [row.id for row in connection.execute(used) if wanted.intersection(_decoded(row.members))]
            overlap = [trials.c.start_us <= end_us, trials.c.end_us >= start_us, trials.c.universe.in_(sharing)]
            rows = connection.execute(select(*columns).where(*mine, *overlap).order_by(trials.c.id)).all()
        sketches = np.frombuffer(b"".join(row.sketch for row in rows), "<f4").reshape(len(rows), SKETCH)
        return Related(
            [row.id for row in rows],
            np.array([NAN if row.sharpe is None else row.sharpe for row in rows], np.float64),
            np.array([row.days for row in rows], np.int64),
            sketches.astype(np.float32),
            sum(row.deleted_us is not None for row in rows),
        )

    def count(self, *, parent: str | None = None, kind: str | None = None) -> int:
        """How many trials there are, of a kind, as parts of one; tombstones too."""
        from sqlalchemy import func, select

        from truewind.storage.tables import trials

        mine = select(func.count()).select_from(trials)
        mine = mine if parent is None else mine.where(trials.c.parent == parent)
        mine = mine if kind is None else mine.where(trials.c.kind == kind)
        with self.database.reading() as connection:
            return int(connection.execute(mine).scalar_one())

    def list(
        self,
        *,
        family: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        symbol: str | None = None,
        parent: str | None = None,
        since_us: int | None = None,
        limit: int | None = None,
        with_deleted: bool = False,
    ) -> Sequence[Trial]:
        """Trials, the newest first. family, name: what they have in them, in whatever case. symbol: "BTCUSDT", or with
        its venue. parent: of what they are part, "" for those that stand alone. since_us: run then or later.
        """
        from truewind.storage.tables import trials, universes

        wanted: list[ColumnElement[bool]] = []
        wanted += [] if family is None else [trials.c.family.icontains(family, autoescape=True)]
        wanted += [] if name is None else [trials.c.name.icontains(name, autoescape=True)]
        wanted += [] if kind is None else [trials.c.kind == kind]
        wanted += [] if parent is None else [trials.c.parent == parent]
        wanted += [] if since_us is None else [trials.c.last_us >= since_us]
        wanted += [] if with_deleted else [trials.c.deleted_us.is_(None)]
        # Members are JSON: a symbol with its quotes is one of them, whole.
        wanted += [] if symbol is None else [universes.c.members.icontains(f'{_ending(symbol)}"', autoescape=True)]
        return self._read(_selected().where(*wanted).order_by(trials.c.last_us.desc(), trials.c.id).limit(limit))

    def _read(self, query: "Select[Any]") -> Sequence[Trial]:
        with self.database.reading() as connection:
            return [_trial(row) for row in connection.execute(query)]


def open_ledger(database: str | Path | None = None, *, must_exist: bool = False) -> TrialLedger | None:
    """The ledger in the database that is meant: see `storage.database.chosen`; None if that is "off".

    Raises as `storage.database.open_database`.
    """
    opened = open_database(database, must_exist=must_exist)
    return None if opened is None else TrialLedger(opened)


def _selected() -> "Select[Any]":
    from sqlalchemy import select

    from truewind.storage.tables import trials, universes

    return select(trials, universes.c.members).join(universes, trials.c.universe == universes.c.id)


def _insert(dialect: str) -> Any:
    """INSERT … ON CONFLICT, which each has in a module of its own, slow to import."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def _row(trial: Trial) -> dict[str, Any]:
    row = msgspec.structs.asdict(trial)
    for name in ("sharpe", "skew", "kurtosis"):
        row[name] = None if math.isnan(row[name]) else float(row[name])
    return row | {
        "last_us": trial.last_us or trial.created_us,
        "universe": _universe_id(trial.universe),
        "params": _encoded(trial.params),
        "metrics": _encoded(trial.metrics),
        "sketch": np.ascontiguousarray(trial.sketch, "<f4").tobytes(),
    }


def _trial(row: "Row[Any]") -> Trial:
    found = dict(row._mapping)
    for name in ("sharpe", "skew", "kurtosis"):
        found[name] = NAN if found[name] is None else found[name]
    return Trial(
        **found
        | {
            "universe": tuple(_decoded(found.pop("members"))),
            "params": _decoded(found["params"]),
            "metrics": _decoded(found["metrics"]),
            "sketch": np.frombuffer(found["sketch"], "<f4").astype(np.float32),
        }
    )


def _members(universe: Sequence[str]) -> str:
    return _encoded(sorted(universe))


def _universe_id(universe: Sequence[str]) -> str:
    return hashlib.sha256(_members(universe).encode()).hexdigest()[:16]


def _ending(symbol: str) -> str:
    """How a member of a universe ends that is this symbol: after its opening quote, or after its venue."""
    return f'"{symbol}' if ":" in symbol else f":{symbol}"


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def _decoded(text: str) -> Any:
    return msgspec.json.decode(text)
