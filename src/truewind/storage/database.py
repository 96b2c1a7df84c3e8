"""The database: rows that outlive runs. A file beside the work (SQLite), or a PostgreSQL server by URL.

`open_database` hands out one that has the tables of this truewind: an empty one is given them, an older one is migrated
(of a file a copy is kept first), a newer one is refused. Many processes may do so, and write, at once. No connection
outlives the transaction that it was made for: a run of hours holds nothing open. Passwords of URLs stand in no error.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truewind.errors import ConfigError, CorruptError, LockedError, MissingFileError, StorageError, TruewindError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.exc import SQLAlchemyError

DEFAULT = "truewind.db"
OFF = "off"  # in place of a path or URL: nothing is recorded
VARIABLE = "TRUEWIND_DATABASE"
VERSIONS = ("0001", "0002")  # all there have been, the newest last
BUSY_S = 30.0  # how long one waits for another writer
_VERSION_TABLE = "truewind_version"
_MIGRATION_LOCK = 0x7472_7565_7769_6E64  # "truewind", for PostgreSQL's advisory locks


class Database:
    """An open database. place: how errors call it: the path of the file, or the URL without its password."""

    def __init__(self, engine: "Engine", place: str) -> None:
        self.engine, self.place = engine, place

    @contextmanager
    def reading(self) -> Iterator["Connection"]:
        """A transaction that sees one state of the database. Raises StorageError."""
        with translated(self.place), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator["Connection"]:
        """A transaction that happens as a whole or not at all. Raises StorageError, LockedError."""
        with (
            translated(self.place),
            self.engine.connect() as connection,
            connection.execution_options(writes=True).begin(),
        ):
            yield connection


def chosen(database: str | Path | None) -> str | Path | None:
    """The path or URL that is meant: `database`, else what TRUEWIND_DATABASE says, else truewind.db in the working
    folder; None if it is "off".
    """
    wanted = database if database is not None else os.environ.get(VARIABLE) or DEFAULT
    return None if wanted == OFF else wanted


def open_database(database: str | Path | None = None, *, must_exist: bool = False) -> Database | None:
    """The database that `chosen` names, with the tables of this truewind; None if that is "off".

    must_exist: a file is not made. Raises MissingFileError then; ConfigError for a URL that cannot be used;
    StorageError if the disk or the server refuses, or if a newer truewind wrote it; CorruptError, LockedError.
    """
    wanted = chosen(database)
    if wanted is None:
        return None
    url, file = _url(wanted)
    place = str(file) if file is not None else url.render_as_string(hide_password=True)
    if file is not None and not file.exists():
        if must_exist:
            raise MissingFileError(
                f"No database {file}", remedy=f"A backtest makes it; another one is named by {VARIABLE}", path=file
            )
        _make_folder(file.parent)
    with translated(place):
        engine = _engine(url)
        with engine.connect() as connection, connection.begin():
            found = _version(connection, place)
        if found != VERSIONS[-1]:
            _upgrade(engine, place, file)
    return Database(engine, place)


@contextmanager
def translated(place: str) -> Iterator[None]:
    """The one place where the library's errors become ours. Nothing is chained: a cause may show a password."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _translation(error, place) from None


def _translation(error: "SQLAlchemyError | sqlite3.Error", place: str) -> TruewindError:
    cause = getattr(error, "orig", None) or error
    said = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
    words = said.casefold()
    if any(sign in words for sign in ("not a database", "malformed", "corrupt", "disk image")):
        return CorruptError(
            f"The database {place} is damaged: {said}",
            remedy=f"Put a copy of it back, or set it aside and begin a new one; {VARIABLE} names another",
            path=place,
        )
    if "locked" in words or "deadlock" in words or "lock timeout" in words:
        return LockedError(
            f"The database {place} is locked by another process", remedy="Try again when that has ended", path=place
        )
    return StorageError(
        f"The database {place} refuses: {said}",
        remedy=f"Check that it can be reached and written, or name another by {VARIABLE}",
        path=place,
    )


def _url(wanted: str | Path) -> "tuple[URL, Path | None]":
    """The URL, and the file where it is one. Raises ConfigError."""
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    if isinstance(wanted, Path) or "://" not in wanted:
        file = Path(wanted).expanduser()
        return URL.create("sqlite", database=str(file.absolute())), file
    try:
        url = make_url(wanted)
    except (ArgumentError, ValueError):  # their messages may hold the password
        raise ConfigError(
            f"{VARIABLE} is no URL that can be read", remedy="Write postgresql://user:password@host/name"
        ) from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite" and url.database and url.database != ":memory:":
        file = Path(url.database)
        return URL.create("sqlite", database=str(file.absolute())), file
    if kind not in ("postgresql", "postgres"):
        raise ConfigError(
            f"Trials cannot be kept at {url.render_as_string(hide_password=True)}",
            remedy="Name a file, or postgresql://user:password@host/name",
        )
    if find_spec("psycopg") is None:
        raise ConfigError("PostgreSQL needs psycopg", remedy="pip install 'truewind[postgres]'")
    return url.set(drivername="postgresql+psycopg"), None


@cache
def _engine(url: "URL") -> "Engine":
    """The engine of a database, one in a process: it keeps the SQL that it has compiled, and no connection. The URL of
    a file says its whole path, for the library would look for it in the folder where the first engine was made.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    more: dict[str, Any] = {"poolclass": NullPool, "hide_parameters": True}
    if url.get_backend_name() != "sqlite":
        return create_engine(url, connect_args={"connect_timeout": 10}, **more)
    # The driver shall begin no transaction by itself: one that reads first and then writes could not wait for its turn.
    engine = create_engine(url, connect_args={"timeout": BUSY_S, "isolation_level": None}, **more)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON").close()
        connection.execute("PRAGMA synchronous = NORMAL").close()  # with WAL a kill loses nothing

    @event.listens_for(engine, "begin")
    def _begin(connection: "Connection") -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _version(connection: "Connection", place: str) -> str | None:
    """Which of VERSIONS the database has, None if it is empty. Raises StorageError for any other."""
    from sqlalchemy import inspect

    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE not in tables:
        if tables and connection.dialect.name == "sqlite":
            raise StorageError(
                f"{place} is a database of something else", remedy=f"Name another by {VARIABLE}", path=place
            )
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {_VERSION_TABLE}").scalar()
    if found is not None and found not in VERSIONS:
        raise StorageError(
            f"The database {place} has version {found}, and this truewind knows up to {VERSIONS[-1]}",
            remedy=f"Use the truewind that wrote it, or name another by {VARIABLE}",
            path=place,
        )
    return found


def _upgrade(engine: "Engine", place: str, file: Path | None) -> None:
    """Bring the database to the newest version, whoever else is about to."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import text

    if file is not None:
        _write_ahead(file)
    with engine.connect() as connection, connection.execution_options(writes=True).begin():
        if file is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        found = _version(connection, place)
        if found == VERSIONS[-1]:  # another process was faster
            return
        if found is not None and file is not None:
            _copy(file, file.with_name(f"{file.name}.{found}.bak"))
        config = Config()
        config.set_main_option("script_location", "truewind.storage:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes |= {"connection": connection, "version_table": _VERSION_TABLE}
        command.upgrade(config, "head")


def _write_ahead(file: Path) -> None:
    """Let readers and a writer work at once (WAL). The change of mode does not wait for its turn by itself."""
    until = time.monotonic() + BUSY_S
    with closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").close()
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)


def _copy(file: Path, target: Path) -> None:
    """A copy of the database, whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        part.replace(target)
    except OSError as error:
        raise _refused(target, error) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(folder, error) from None


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot make {path}: {error.strerror}", remedy=f"Name another database by {VARIABLE}", path=path
    )
