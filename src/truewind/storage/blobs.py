"""Blobs: named bytes that change all at once or not at all. The lake knows files only through this port.

Names are relative, with `/`; folders need no making. `LocalBlobs` keeps them on a local disk: a write goes to a
hidden temporary name, is flushed to the device and renamed, so that a reader sees the old bytes or the new ones.
What a killed process leaves behind is a hidden file that no reader looks at and the next writer removes.
"""

import fcntl
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from truewind.errors import ConfigError, LockedError, StorageError

LOCK_WAIT_S = 5.0
_LOCK_POLL_S = 0.005
_TEMPORARY = ".tmp-"
LOCK = "_lock"
_serial = itertools.count()


class Entry(NamedTuple):
    """One thing in a folder."""

    name: str
    is_folder: bool


class Blobs(Protocol):
    """A store of named bytes: the local disk, or an object store by URL."""

    @property
    def whole(self) -> bool:
        """Whether a name that is there is sure to have all the bytes that were written, so that nobody need look."""
        ...

    @property
    def scan_options(self) -> dict[str, Any]:
        """What polars' scan needs besides the location."""
        ...

    def exists(self) -> bool:
        """Whether the store itself is there."""
        ...

    def read(self, name: str) -> bytes | None:
        """The bytes, or None if there is no such name."""
        ...

    def read_many(self, names: Iterable[str]) -> list[bytes | None]:
        """The bytes of many names, as fast as the store can."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put or replace, atomically and durably.

        Raises StorageError; readers then see what was there before, or the new bytes if only their durability failed.
        Raises LockedError, and puts nothing, where the lock under which the name was read has been taken over and the
        name is no longer what was read.
        """
        ...

    def remove(self, name: str) -> None:
        """Forget a name; no error if it is not there."""
        ...

    def retire(self, name: str) -> None:
        """Nobody will need a name for long: let its age begin anew; no error if it is not there."""
        ...

    def size(self, name: str) -> int | None:
        """Length in bytes, or None if there is no such name."""
        ...

    def entries(self, folder: str) -> list[Entry]:
        """What lies directly in a folder, by name, temporaries left out; empty if there is no such folder."""
        ...

    def below(self, folder: str) -> dict[str, float]:
        """All names in a folder and its folders, relative to it, and their ages in seconds; call it under its lock."""
        ...

    def folders_with(self, start: str, top: str) -> list[str]:
        """The folders below `top` with something whose name starts so, in any order; none lies in another."""
        ...

    def sweep(self, folder: str) -> None:
        """Remove temporaries that killed writers left in a folder and its folders; call it under the folder's lock."""
        ...

    def lock(self, folder: str) -> AbstractContextManager[None]:
        """Be the only writer of a folder. Raises LockedError after a short wait; a kill releases the lock."""
        ...

    def location(self, name: str) -> str:
        """The path or URL by which polars scans a name, and by which errors call it."""
        ...


def open_blobs(url: str | Path) -> Blobs:
    """The store at `url`: a local path or s3://bucket/prefix. Raises ConfigError for anything else."""
    if not isinstance(url, str) or "://" not in url:
        return LocalBlobs(Path(url).expanduser())
    scheme = url.partition("://")[0].casefold()
    if scheme != "s3":
        raise ConfigError(
            f"A lake at {scheme}:// is not supported", remedy="Give a local path, or a URL such as s3://bucket/lake"
        )
    from truewind.storage.s3 import S3Blobs

    return S3Blobs(url)


class LocalBlobs:
    """Files below one folder of a local disk."""

    whole = False

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self) -> bool:
        return self.root.is_dir()

    def read(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _refused("read", self.root / name, error) from error

    def read_many(self, names: Iterable[str]) -> list[bytes | None]:
        return [self.read(name) for name in names]

    def write(self, name: str, data: bytes) -> None:
        target = self.root / name
        temporary = target.parent / f"{_TEMPORARY}{os.getpid()}-{next(_serial)}"
        try:
            _make_folder(target.parent)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            os.replace(temporary, target)
            _sync_folder(target.parent)
        except BaseException as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _refused("write", target, error) from error
            raise

    def remove(self, name: str) -> None:
        with suppress(OSError):
            (self.root / name).unlink(missing_ok=True)

    def retire(self, name: str) -> None:
        with suppress(OSError):
            os.utime(self.root / name)

    def size(self, name: str) -> int | None:
        try:
            return (self.root / name).stat().st_size
        except OSError:
            return None

    def entries(self, folder: str) -> list[Entry]:
        return sorted(Entry(item.name, item.is_dir()) for item in self._items(folder))

    def below(self, folder: str) -> dict[str, float]:
        now = time.time()  # compared with file times only: no result depends on it
        ages = {}
        for item in self._items(folder):
            if item.is_dir():
                inside = self.below(f"{folder}/{item.name}")
                ages.update({f"{item.name}/{name}": age for name, age in inside.items()})
            else:
                with suppress(FileNotFoundError):  # removed while we look
                    ages[item.name] = now - item.stat().st_mtime
        return ages

    def folders_with(self, start: str, top: str) -> list[str]:
        items = self._items(top)
        if any(item.name.startswith(start) for item in items):
            return [top]
        return [path for item in items if item.is_dir() for path in self.folders_with(start, f"{top}/{item.name}")]

    def sweep(self, folder: str) -> None:
        for path in (self.root / folder).rglob(f"{_TEMPORARY}*"):
            with suppress(OSError):
                path.unlink()

    @contextmanager
    def lock(self, folder: str) -> Iterator[None]:
        path = self.root / folder / LOCK
        try:
            _make_folder(path.parent)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _refused("write", path, error) from error
        try:
            deadline = time.monotonic() + LOCK_WAIT_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise LockedError(
                            f"Another writer holds {path}", remedy="Wait until it is done, then try again", path=path
                        ) from None
                    time.sleep(_LOCK_POLL_S)
                except OSError as error:
                    raise _refused("lock", path, error) from error
            yield
        finally:
            os.close(handle)

    def location(self, name: str) -> str:
        return str(self.root / name)

    @property
    def scan_options(self) -> dict[str, Any]:
        return {}

    def _items(self, folder: str) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(self.root / folder) as items:
                return [item for item in items if not item.name.startswith(_TEMPORARY)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _refused("list", self.root / folder, error) from error


def _make_folder(folder: Path) -> None:
    """Make `folder` and its parents, each durable in its own parent before anything is put into it."""
    missing = list(itertools.takewhile(lambda path: not path.is_dir(), (folder, *folder.parents)))
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir()
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(what: str, path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot {what} {path}: {error.strerror or error}",
        remedy="Check free space and permissions, then try again; what was stored before is unchanged",
        path=path,
    )
