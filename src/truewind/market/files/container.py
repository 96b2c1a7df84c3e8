"""Containers: a path opened into the files inside it, by its first bytes and not by its ending.

Zip and gzip are unpacked; Parquet, Arrow and text are handed on as they are.
"""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from truewind.errors import FormatError, MissingFileError


class Encoding(StrEnum):
    """What the bytes of one unpacked file are."""

    PARQUET = "parquet"
    ARROW = "arrow"
    TEXT = "text"


class Member(msgspec.Struct, frozen=True):
    """One file's bytes after unpacking.

    path: the file on disk. name: the file inside it, "" if it is no archive. written_us: when the file on disk was
    last written. alone: no other file is beside it in the archive.
    """

    path: Path
    name: str
    data: bytes
    encoding: Encoding
    written_us: int
    alone: bool = True

    @property
    def label(self) -> str:
        """The place as reports and quarantined rows show it: no folders, so that it is the same on every machine."""
        return f"{self.path.name}/{self.name}" if self.name else self.path.name

    @property
    def names(self) -> tuple[str, ...]:
        """The names given to the file, the most telling first: inside the archive from the innermost, then on disk."""
        inside = tuple(reversed(self.name.split("/"))) if self.name else ()
        return (*inside, self.path.name)

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders around the file on disk, the nearest first."""
        return tuple(parent.name for parent in self.path.resolve().parents)


def find_files(paths: list[Path]) -> list[Path]:
    """The files among `paths` and below them, each once. Hidden files and `.CHECKSUM` companions are left out.

    Raises MissingFileError for a path that does not exist.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            below = (p for p in sorted(path.rglob("*")) if p.is_file())
            found.update(dict.fromkeys(p for p in below if not _is_aside(p.relative_to(path))))
        elif path.exists():
            found[path] = None
        else:
            raise MissingFileError(f"No file or folder {path}", remedy="Check the path", path=path)
    return list(found)


def members(path: Path) -> Iterator[Member]:
    """What is inside `path`, one at a time. Raises FormatError if it is empty, truncated or of an unknown kind."""
    try:
        data = path.read_bytes()
        written_us = path.stat().st_mtime_ns // 1000
    except OSError as error:
        raise FormatError(
            f"{path} cannot be read: {error.strerror}", remedy="Check its permissions", path=path
        ) from None
    if data.startswith(b"PK"):
        for name, inside, alone in _unzip(path):
            yield _member(path, name, inside, written_us, alone)
    else:
        yield _member(path, "", data, written_us)


def _is_aside(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts) or relative.name.endswith(".CHECKSUM")


def _member(path: Path, name: str, data: bytes, written_us: int, alone: bool = True) -> Member:
    label = f"{path.name}/{name}" if name else path.name
    if data.startswith(b"\x1f\x8b"):
        data = _gunzip(data, label)
    if not data.strip():
        raise FormatError(f"{label} is empty", remedy="Fetch it again, or leave it out", path=path)
    return Member(path, name, data, _encoding(data, label), written_us, alone)


def _unzip(path: Path) -> Iterator[tuple[str, bytes, bool]]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            for info in infos:
                # The CRC of each member is checked as it is read.
                yield info.filename, archive.read(info), len(infos) == 1
    except (zipfile.BadZipFile, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        raise FormatError(
            f"{path.name} is a damaged or truncated zip: {error}", remedy="Fetch it again", path=path
        ) from None
    if not infos:
        raise FormatError(f"{path.name} is a zip without files", remedy="Fetch it again", path=path)


def _gunzip(data: bytes, label: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{label} is a damaged or truncated gzip: {error}", remedy="Fetch it again") from None


def _encoding(data: bytes, label: str) -> Encoding:
    if data.startswith(b"PAR1"):
        if not data.endswith(b"PAR1"):
            raise FormatError(f"{label} is a truncated Parquet file", remedy="Fetch it again")
        return Encoding.PARQUET
    if data.startswith(b"ARROW1"):
        if not data.rstrip(b"\x00").endswith(b"ARROW1"):
            raise FormatError(f"{label} is a truncated feather file", remedy="Fetch it again")
        return Encoding.ARROW
    if b"\x00" in data[:4096]:
        raise FormatError(
            f"{label} is neither text, Parquet, feather, zip nor gzip", remedy="Give a CSV, Parquet or feather file"
        )
    return Encoding.TEXT
