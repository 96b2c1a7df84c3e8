"""The folder that a run leaves behind: its name, its files, written whole or not at all, and what it was made by."""

import hashlib
import io
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from truewind._version import __version__
from truewind.domain.clock import WallClock
from truewind.errors import MissingFileError, StorageError
from truewind.storage.blobs import open_blobs

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def code_version() -> str:
    """The version and a hash of all sources: what ran, whether or not it was committed.

    Once in a process: what it has loaded does not change with the files.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in _PACKAGE.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


def wall(started: int) -> dict[str, Any]:
    now = WallClock().now_us()
    return {"ended": utc(now), "seconds": round((now - started) / 1e6, 3)}


def utc(ts_us: int) -> str:
    return datetime.fromtimestamp(ts_us / 1e6, UTC).isoformat(timespec="milliseconds")


def new_run_id(started_us: int) -> str:
    """Unique, and in the order of time: 20240131T120000-3f9a1c."""
    return datetime.fromtimestamp(started_us / 1e6, UTC).strftime("%Y%m%dT%H%M%S-") + os.urandom(3).hex()


def make_folder(runs: Path, run_id: str) -> Path:
    try:
        folder = runs / run_id
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageError(
            f"Cannot make {runs / run_id}: {error.strerror}", remedy="Choose another runs folder"
        ) from error
    return folder


def write(run_dir: Path, name: str, data: bytes) -> None:
    """Put a file into the run's folder, whole or not at all."""
    open_blobs(run_dir).write(name, data)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    write(path.parent, path.name, orjson.dumps(dict(data), option=orjson.OPT_INDENT_2, default=str) + b"\n")


def write_table(path: Path, table: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="snappy")
    write(path.parent, path.name, buffer.getvalue())


def find_run(runs: str | Path, name: str) -> Path:
    """The folder of a run by path, id, unique beginning of an id, or "latest". Raises MissingFileError."""
    runs = Path(runs)
    if (Path(name) / "run.json").is_file():
        return Path(name)
    known = sorted(path.parent for path in runs.glob("*/run.json"))
    found = known[-1:] if name == "latest" else [folder for folder in known if folder.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise MissingFileError(
            f"'{name}' could be any of {', '.join(f.name for f in found[:5])}", remedy="Write more of it"
        )
    raise MissingFileError(f"No run '{name}' in {runs}", remedy="See the folders there, or say latest", runs=runs)
