"""The database: made, migrated, refused; and what is said of one that cannot be used."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

import database_0001
from databases import new_database
from truewind.errors import ConfigError, CorruptError, LockedError, MissingFileError, StorageError
from truewind.storage import database as module
from truewind.storage.database import VERSIONS, chosen, open_database
from truewind.storage.trials import open_ledger


def version_of(url: str) -> str:
    opened = open_database(url)
    assert opened is not None
    with opened.reading() as connection:
        return str(connection.exec_driver_sql("SELECT version_num FROM truewind_version").scalar())


def read_all(file: Path) -> None:
    ledger = open_ledger(file)
    assert ledger is not None
    ledger.list()


def execute(database: str, statement: str) -> None:
    """Behind the program's back."""
    if "://" in database:
        import psycopg

        with psycopg.connect(database) as server:
            server.execute(statement.encode())
        return
    with closing(sqlite3.connect(database)) as file:
        file.execute(statement)


def test_what_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument before the environment, that before the default; "off" is none."""
    monkeypatch.delenv("TRUEWIND_DATABASE", raising=False)
    assert chosen(None) == "truewind.db"
    monkeypatch.setenv("TRUEWIND_DATABASE", "elsewhere.db")
    assert chosen(None) == "elsewhere.db"
    assert chosen("mine.db") == "mine.db"
    assert chosen("off") is None
    monkeypatch.setenv("TRUEWIND_DATABASE", "off")
    assert open_database() is None
    assert open_ledger() is None


def test_the_newest_migration_is_the_newest_version() -> None:
    """The versions that the program knows are the migrations that there are, in their order."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "truewind.storage:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in scripts)[::-1] == VERSIONS


def test_migrations_lead_to_the_tables_that_are_used(database: str) -> None:
    """Alembic finds nothing to change between the tables as migrated and as `storage.tables` declares them."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from truewind.storage.tables import metadata

    opened = open_database(database)
    assert opened is not None
    with opened.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "truewind_version"})
        assert compare_metadata(context, metadata) == []
    assert version_of(database) == VERSIONS[-1]


def test_an_older_database_is_migrated_and_keeps_its_rows(database: str) -> None:
    """Every field; what is new follows from what was there. Of a file a copy of before is kept."""
    database_0001.make(database)
    ledger = open_ledger(database)
    assert ledger is not None
    first, second = ledger.get("first"), ledger.get("second")
    assert (first.name, first.universe, first.params) == ("a test", ("binance_usdm:BTCUSDT",), {"fast": 5})
    assert (first.sharpe, first.days, first.created_us, first.last_us) == (0.05, 100, 5, 5)
    assert first.sketch.tobytes() == b"\x01" * 512
    assert (second.deleted_us, second.last_us) == (1795205344000000, 6)
    related = ledger.related("ideas.py:Momentum", ["binance_usdm:BTCUSDT"], 0, 1)
    assert (related.ids, related.deleted) == (["first", "second"], 1)
    assert version_of(database) == VERSIONS[-1]
    if "://" not in database:
        with closing(sqlite3.connect(f"{database}.0001.bak")) as copy:
            assert copy.execute("SELECT version_num FROM truewind_version").fetchall() == [("0001",)]
            assert copy.execute("SELECT id FROM trials").fetchall() == [("first",), ("second",)]


def test_a_migration_that_fails_leaves_the_database_as_it_was(database: str) -> None:
    """Its steps happen together or not at all."""
    database_0001.make(database)
    in_the_way = "CREATE INDEX ix_trials_last ON trials (name)"
    execute(database, in_the_way)
    with pytest.raises(StorageError, match="ix_trials_last"):
        open_database(database)
    execute(database, "DROP INDEX ix_trials_last")
    assert open_ledger(database) is not None  # the new column was not there: it can be added
    assert version_of(database) == VERSIONS[-1]


def test_an_open_database_costs_nothing_to_open(tmp_path: Path) -> None:
    """Neither alembic nor 50 ms, once it is there."""
    open_database(tmp_path / "a.db")
    program = (
        "import sys, time, sqlalchemy.dialects.sqlite; from truewind.storage.database import open_database\n"
        f"begun = time.perf_counter(); open_database({str(tmp_path / 'a.db')!r})\n"
        "print(time.perf_counter() - begun, 'alembic' in sys.modules)"
    )
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True) for _ in range(3)]
    seconds, loaded = zip(*(run.stdout.split() for run in runs), strict=True)
    assert set(loaded) == {"False"}
    assert min(map(float, seconds)) < 0.05


def test_a_newer_database_is_refused(database: str) -> None:
    """It may hold what this truewind would overwrite."""
    opened = open_database(database)
    assert opened is not None
    with opened.writing() as connection:
        connection.exec_driver_sql("UPDATE truewind_version SET version_num = '9999'")
    with pytest.raises(StorageError, match=r"has version 9999, and this truewind knows up to \d{4}.*newer|wrote it"):
        open_database(database)


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mail.db")) as connection:
        connection.execute("CREATE TABLE mails (text)")
    before = (tmp_path / "mail.db").read_bytes()
    with pytest.raises(StorageError, match=r"mail\.db is a database of something else"):
        open_database(tmp_path / "mail.db")
    assert (tmp_path / "mail.db").read_bytes() == before


@pytest.mark.parametrize("where", [0, 5000])
def test_a_damaged_file_is_named(tmp_path: Path, where: int) -> None:
    """Whether it is no database at all, or one with a page that is none."""
    file = tmp_path / "trials.db"
    open_database(file)
    damaged = bytearray(file.read_bytes())
    damaged[where : where + 4096] = b"\x5a" * 4096
    file.write_bytes(damaged)
    with pytest.raises(CorruptError, match=r"trials\.db is damaged"):
        read_all(file)


def test_a_text_file_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are my notes, and there are a lot of them\n" * 100)
    with pytest.raises(CorruptError, match=r"notes\.txt is damaged: file is not a database"):
        open_database(tmp_path / "notes.txt")


def test_another_writer_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "trials.db"
    monkeypatch.setattr(module, "BUSY_S", 0.2)  # before the file is first opened: its engine keeps it
    open_database(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opened = open_database(file)  # reading goes on
        assert opened is not None
        begun = time.monotonic()
        with pytest.raises(LockedError, match="is locked by another process"), opened.writing():
            pass
        assert time.monotonic() - begun > 0.15


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Cannot make"):
        open_database(tmp_path / "file" / "trials.db")
    with pytest.raises(StorageError, match=f"The database {tmp_path} refuses"):
        open_database(tmp_path)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"No database .*nothing\.db"):
        open_database(tmp_path / "nothing.db", must_exist=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:s3cret@127.0.0.1:1/trials",
        "postgres://owner:s3cret@127.0.0.1:1/trials?connect_timeout=1",
        "mysql://owner:s3cret@host/trials",
        "postgresql://owner:s3cret@[broken/trials",
        "postgresql://owner:s3cret@host:port/trials",
        "sqlite://owner:s3cret@/",
    ],
)
def test_a_password_stands_in_no_error(url: str) -> None:
    """Neither in what is said, nor in its facts, nor in an error that it came of."""
    with pytest.raises((ConfigError, StorageError)) as caught:
        open_database(url)
    error = caught.value
    assert "s3cret" not in f"{error}{error.as_dict()}"
    assert error.__suppress_context__ or error.__context__ is None


def test_a_rolled_back_transaction_leaves_nothing(database: str) -> None:
    opened = open_database(database)
    assert opened is not None
    with suppress(ZeroDivisionError), opened.writing() as connection:
        connection.exec_driver_sql("INSERT INTO universes VALUES ('u', '[]')")
        raise ZeroDivisionError
    with opened.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM universes").scalar() == 0


def test_a_server_that_lacks_the_database_is_told(postgres: str) -> None:
    url = new_database(postgres, "known").replace("known", "unknown")
    with pytest.raises(StorageError, match='database "unknown" does not exist'):
        open_database(url)


def test_one_name_in_two_folders_is_two_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is looked for in the folder that one works in now."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert open_database("trials.db") is not None
        assert (tmp_path / name / "trials.db").is_file()
