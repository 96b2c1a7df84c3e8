"""The journal: what a run was told, decided and did, in order, in one file that is only ever appended to.

File: the 6 bytes "TWJRNL" and a version (u16), then frames. Frame: the 4 bytes "TWJ!", kind (u16), payload length
(u32), CRC-32 of kind, length and payload (u32), payload; integers are little-endian. Kind 0 defines a kind before its
first use: JSON {"kind": number, "name": text, "dtype": null or [[field, format], …]}. A kind without dtype holds one
JSON object a frame, a kind with one holds rows of that packed layout. Nothing in a frame depends on wall time or
process: equal calls give equal bytes.

A process that dies in the middle of a write leaves a last frame that is cut short; readers stop before it and say where
(`truncated_at`), and the next writer cuts it off. Any other damage is an error.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import msgspec
import numpy as np

from truewind.errors import CorruptError, FormatError, LockedError, MissingFileError, StorageError

if TYPE_CHECKING:
    import polars as pl

HEADER = struct.pack("<6sH", b"TWJRNL", 1)
MAGIC = b"TWJ!"
_DEFINE = 0
_BODY = struct.Struct("<HI")  # kind, payload length: what the checksum covers besides the payload
_FRAME = struct.Struct("<4sHII")
_BLOCK_BYTES = 16 << 20  # longer row blocks are split, so that a torn tail loses little
_BUFFER_BYTES = 1 << 20


class Frame(NamedTuple):
    """One record. `offset`: where it begins in the file. Either `facts` (JSON) or `rows` (structured, 1-D) is given."""

    offset: int
    kind: str
    facts: dict[str, Any] | None
    rows: np.ndarray | None


class _Definition(msgspec.Struct):
    kind: int
    name: str
    dtype: list[tuple[str, str]] | None


def _plain(value: Any) -> Any:
    """What msgspec does not know: numpy numbers as numbers, the rest (paths, types) as text."""
    return value.item() if isinstance(value, np.generic) else str(value)


_encode = msgspec.json.Encoder(enc_hook=_plain).encode
_definition = msgspec.json.Decoder(_Definition).decode


class JournalWriter:
    """Appends to the journal at `path`, which is made if need be; one writer at a time.

    A frame is safe from a kill of the process after `flush()`, from a loss of power after `flush(sync=True)`.
    Raises MissingFileError if the folder does not exist, LockedError, StorageError, and CorruptError if what is there
    already is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._kinds: dict[tuple[str, str | None], int] = {}
        self._layouts: dict[tuple[str, np.dtype[Any]], tuple[int, np.dtype[Any]]] = {}
        self._buffer = bytearray()
        self._size = 0  # bytes in the file, all of them whole frames
        try:
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            raise MissingFileError(f"No folder {self.path.parent} for the journal", remedy="Make it first") from None
        except OSError as error:
            raise _refused(self.path, error) from error
        try:
            self._open()
        except BaseException:
            os.close(self._handle)
            raise

    def record(self, kind: str, /, **facts: Any) -> None:
        """Append one JSON record. Decimals become text, NaN becomes null; order of facts is kept."""
        number = self._kinds.get((kind, None))
        if number is None:
            number = self._define(kind, None)
        self._append(number, _encode(facts))

    def rows(self, kind: str, array: np.ndarray) -> None:
        """Append rows of a structured array (1-D, plain fields). The array is copied and may be used again."""
        layout = self._layouts.get((kind, array.dtype))
        if layout is None or array.ndim != 1:
            layout = self._layout(kind, array)
        number, dtype = layout
        data = np.ascontiguousarray(array, dtype).view(np.uint8).data
        step = max(1, _BLOCK_BYTES // dtype.itemsize) * dtype.itemsize
        for start in range(0, len(data), step):
            self._append(number, data[start : start + step])

    def flush(self, sync: bool = False) -> None:
        """Hand everything to the operating system; with `sync` wait until it is on the device. Raises StorageError.

        What could not be written is kept and tried again by the next flush.
        """
        rest, offset = memoryview(self._buffer), self._size
        try:
            while rest:
                count = os.pwrite(self._handle, rest, offset)
                rest, offset = rest[count:], offset + count
            if sync:
                os.fsync(self._handle)
        except OSError as error:
            if rest:  # the next attempt writes the whole buffer again, from the same offset
                offset = self._size
                with suppress(OSError):
                    os.ftruncate(self._handle, offset)
            raise _refused(self.path, error) from error
        finally:
            rest.release()
            if offset > self._size:
                self._size = offset
                self._buffer.clear()

    def sync(self) -> None:
        """Wait until what was flushed is on the device; may run beside the writing thread. Raises StorageError."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise _refused(self.path, error) from error

    def close(self) -> None:
        """Flush to the device and let go of the file; closing twice does nothing."""
        if self._handle < 0:
            return
        try:
            self.flush(sync=True)
        finally:
            os.close(self._handle)
            self._handle = -1
            self._kinds, self._layouts = {}, {}  # so that whoever still records is told, at no cost to those before

    def __enter__(self) -> "JournalWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _open(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(f"Another process writes {self.path}", remedy="Let it end first") from None
        journal = Journal(self.path)
        for _ in journal:
            pass
        self._kinds = {(name, str(dtype) if dtype else None): n for n, (name, dtype) in journal.kinds.items()}
        self._size = os.fstat(self._handle).st_size if journal.truncated_at is None else journal.truncated_at
        os.ftruncate(self._handle, self._size)
        if self._size == 0:
            self._buffer += HEADER

    def _layout(self, kind: str, array: np.ndarray) -> tuple[int, np.dtype[Any]]:
        """The kind's number and the layout of its rows: little-endian, without padding, whose bytes are undefined."""
        dtype = array.dtype
        if not dtype.names or array.ndim != 1 or any(dtype[name].kind not in "iufb" for name in dtype.names):
            raise StorageError(
                f"Rows of '{kind}' are {array.ndim}-D of {dtype}",
                remedy="Journal 1-D structured arrays of plain numbers",
            )
        fields = [(name, dtype[name].newbyteorder("<").str) for name in dtype.names]
        number = self._kinds.get((kind, str(fields)))
        if number is None:
            number = self._define(kind, fields)
        self._layouts[kind, dtype] = number, np.dtype(fields)
        return self._layouts[kind, dtype]

    def _define(self, kind: str, fields: list[tuple[str, str]] | None) -> int:
        if any(name == kind and (layout is None) != (fields is None) for name, layout in self._kinds):
            raise StorageError(f"'{kind}' cannot be both records and rows", remedy="Give one of them another name")
        if self._handle < 0:
            raise StorageError(f"The journal {self.path} is closed", remedy="Record before closing it")
        number = len(self._kinds) + 1
        self._kinds[kind, str(fields) if fields else None] = number  # even if the flush fails: it stays in the buffer
        self._append(_DEFINE, _encode(_Definition(number, kind, fields)))
        return number

    def _append(self, kind: int, payload: bytes | memoryview) -> None:
        length = len(payload)
        self._buffer += _FRAME.pack(MAGIC, kind, length, crc32(payload, crc32(_BODY.pack(kind, length))))
        self._buffer += payload
        if len(self._buffer) > _BUFFER_BYTES:
            self.flush()


class Journal:
    """The frames of a journal, in order, by iteration. Raises MissingFileError, FormatError and CorruptError.

    After iteration `truncated_at` is the offset of a frame that was cut short at the end of the file, or None.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.truncated_at: int | None = None
        self.kinds: dict[int, tuple[str, list[tuple[str, str]] | None]] = {}

    def __iter__(self) -> Iterator[Frame]:
        self.truncated_at, self.kinds = None, {}
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            raise MissingFileError(f"No journal {self.path}", remedy="Check the path", path=self.path) from None
        except OSError as error:
            raise _refused(self.path, error) from error
        if data[: len(HEADER)] != HEADER[: len(data)]:
            raise FormatError(f"{self.path} is no journal of this version", remedy="Check the path", path=self.path)
        at = len(HEADER)
        if len(data) < at:
            self.truncated_at = 0 if data else None
            return
        view = memoryview(data)
        while at < len(data):
            found = _frame(view, at)
            if found is None:
                if _is_torn(data, at):
                    self.truncated_at = at
                    return
                raise self._corrupt(at, "the checksum does not match")
            kind, payload = found
            if kind == _DEFINE:
                self._define(at, payload)
            elif kind not in self.kinds:
                raise self._corrupt(at, f"kind {kind} is not defined")
            else:
                name, dtype = self.kinds[kind]
                if dtype is None:
                    yield Frame(at, name, msgspec.json.decode(payload), None)
                else:
                    yield Frame(at, name, None, np.frombuffer(payload, dtype=dtype))
            at += _FRAME.size + len(payload)

    def _define(self, at: int, payload: memoryview) -> None:
        try:
            definition = _definition(payload)
        except msgspec.MsgspecError as error:
            raise self._corrupt(at, f"not a definition: {error}") from None
        self.kinds[definition.kind] = (definition.name, definition.dtype)

    def _corrupt(self, at: int, what: str) -> CorruptError:
        return CorruptError(
            f"{self.path} is damaged at byte {at}: {what}",
            remedy="What stands before is sound; restore the file from a copy, or run again",
            path=self.path,
            offset=at,
        )


def read_journal(path: str | Path) -> Journal:
    """The journal at `path`, to be iterated."""
    return Journal(path)


def journal_tables(path: str | Path) -> "dict[str, pl.DataFrame]":
    """All records of a journal, one table a kind, in order; times stay int64 µs. A torn tail is left out."""
    import polars as pl

    facts: dict[str, list[dict[str, Any]]] = {}
    blocks: dict[str, dict[str, list[np.ndarray]]] = {}
    for frame in Journal(path):
        if frame.rows is None:
            facts.setdefault(frame.kind, []).append(frame.facts or {})
        else:
            blocks.setdefault(frame.kind, {}).setdefault(str(frame.rows.dtype), []).append(frame.rows)
    tables: dict[str, pl.DataFrame] = {}
    for kind, records in facts.items():
        tables[kind] = pl.DataFrame(records, infer_schema_length=None, strict=False)
    for kind, layouts in blocks.items():
        parts = [np.concatenate(rows) for rows in layouts.values()]
        frames = [pl.DataFrame({name: rows[name] for name in rows.dtype.names or ()}) for rows in parts]
        tables[kind] = pl.concat(frames, how="diagonal_relaxed")
    return tables


def _frame(view: memoryview, at: int) -> tuple[int, memoryview] | None:
    """Kind and payload of the frame at `at`; None if there is no whole and sound frame."""
    start = at + _FRAME.size
    if start > len(view):
        return None
    magic, kind, length, checksum = _FRAME.unpack_from(view, at)
    payload = view[start : start + length]
    if magic != MAGIC or len(payload) < length or crc32(payload, crc32(_BODY.pack(kind, length))) != checksum:
        return None
    return kind, payload


def _is_torn(data: bytes, at: int) -> bool:
    """Whether the bytes from `at` are what a crash leaves: the beginning of one frame, perhaps followed by zeros."""
    end = len(data.rstrip(b"\0"))
    if end <= at:
        return True
    if not MAGIC.startswith(data[at : min(end, at + len(MAGIC))]):
        return False
    if end >= at + _FRAME.size:
        length = _FRAME.unpack_from(data, at)[2]
        if end >= at + _FRAME.size + length:
            return False  # the frame is all there, and wrong
    following = data.find(MAGIC, at + 1)  # a length that was damaged may point behind sound frames
    while following >= 0:
        if _frame(memoryview(data), following):
            return False
        following = data.find(MAGIC, following + 1)
    return True


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot write or read {path}: {error.strerror or error}", remedy="Check free space and permissions", path=path
    )
