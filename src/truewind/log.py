"""Logs: one JSON line a record, one file a category; warnings also on stderr, for people. Secrets never pass.

    log.setup("logs")                                  once, by the program (the command line does it)
    log.get("data").warning("rows quarantined", symbol="BTCUSDT", rows=3)

Categories: data (import, lake, quality), model (fits, predictions), signal (decisions, orders, fills), system
(start, stop, errors), security (keys, signatures, access). Without `setup` nothing is written to files: records go to
Python's own logging as `truewind.<category>`, where a host program may pick them up.
"""

import fcntl
import gzip
import json
import logging
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from functools import cache
from logging.handlers import RotatingFileHandler
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from truewind.errors import ConfigError, suggest

if TYPE_CHECKING:
    import structlog

CATEGORIES = ("data", "model", "signal", "system", "security")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MASK = "**********"
MAX_BYTES = 10_000_000  # a file is rotated before it grows beyond this
ARCHIVES = 20  # rotated files kept a category; text gzips to about a tenth
_DEEPEST = 12  # nesting beyond this is cut off: a record is no place for a tree

_ROOT = "truewind"
_SECRET_WORD = r"secret|token|passw|passphrase|api.?key|signature|private.?key|authorization|credential"
_SECRET_NAME = re.compile(_SECRET_WORD, re.IGNORECASE)
# `apiKey=abc`, `"secret": "abc"`, `Authorization: Bearer abc` inside a text such as a URL, a repr or a traceback.
_SECRET_TEXT = re.compile(
    rf"""((?:{_SECRET_WORD})[\w-]*["']?\s*[=:]\s*(?:(?:Bearer|Basic)\s+)?)"""
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|["']?[^\s"'&,;)}\]]+)""",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^@\s/]+@")


def setup(folder: str | Path = "logs", level: str = "INFO") -> None:
    """Write each category to `folder`/<category>.jsonl and warnings to stderr. May be called again: the last wins.

    Files appear with their first record. A folder that cannot be written stops no run: it is said once on stderr.
    level: least level kept in the files, one of LEVELS. Raises ConfigError.
    """
    level = level.upper()
    if level not in LEVELS:
        raise ConfigError(f"Unknown log level '{level}'", remedy=suggest(level, LEVELS), level=level)
    folder = Path(folder)
    root = logging.getLogger(_ROOT)
    _replace_handlers(root, _Stderr())
    root.setLevel(level)
    root.propagate = False
    for category in CATEGORIES:
        _replace_handlers(logging.getLogger(f"{_ROOT}.{category}"), _CategoryFile(folder / f"{category}.jsonl"))


@cache
def get(category: str) -> "structlog.stdlib.BoundLogger":
    """The logger of one category: `.info("what happened", key=value, …)`. Raises ConfigError if there is no such."""
    if category not in CATEGORIES:
        raise ConfigError(f"Unknown log category '{category}'", remedy=suggest(category, CATEGORIES))
    import structlog

    processors: list[Any] = [
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_record,
        _as_log_record,
    ]
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(f"{_ROOT}.{category}"),
        processors,
        wrapper_class=structlog.stdlib.BoundLogger,
        category=category,
    )
    return logger


def path(category: str) -> Path | None:
    """The file that records of `category` go to; None before `setup`."""
    files = [h for h in logging.getLogger(f"{_ROOT}.{category}").handlers if isinstance(h, _CategoryFile)]
    return Path(files[0].baseFilename) if files else None


def redacted(value: Any, _depth: int = 0) -> Any:
    """`value` as plain JSON values with every secret masked.

    Masked are values under a name such as api_key, secret, token, password or signature, at any depth of mappings,
    sequences, dataclasses, msgspec and pydantic models; anything with `get_secret_value`; and, in texts, what follows
    such a name and `=` or `:`. Numbers that JSON cannot hold (NaN, inf) become text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _without_secrets(value)
    if hasattr(value, "get_secret_value"):
        return MASK
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, Integral):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, bytes | bytearray):
        return _without_secrets(bytes(value).decode("utf-8", "backslashreplace"))
    if _depth >= _DEEPEST:
        return "…"
    named = _named_values(value)
    if named is not None:
        return {
            _without_secrets(str(name)): MASK if _SECRET_NAME.search(str(name)) else redacted(item, _depth + 1)
            for name, item in named.items()
        }
    if isinstance(value, list | tuple | Set):
        return [redacted(item, _depth + 1) for item in value]
    try:
        return _without_secrets(str(value))
    except Exception as error:  # a foreign __str__ may do anything, and a log line must not stop a run
        return f"<{type(value).__name__}: {type(error).__name__} in str()>"


def _named_values(value: Any) -> Mapping[Any, Any] | None:
    """The fields of a mapping or record-like object, None for anything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    names: Any = None
    if is_dataclass(value):
        names = [field.name for field in dataclass_fields(value)]
    elif hasattr(type(value), "model_fields"):  # pydantic
        names = type(value).model_fields
    else:  # msgspec.Struct, NamedTuple
        names = getattr(value, "__struct_fields__", None) or getattr(value, "_fields", None)
    return None if names is None else {name: getattr(value, name, None) for name in names}


def _without_secrets(text: str) -> str:
    return _URL_PASSWORD.sub(rf"\1{MASK}@", _SECRET_TEXT.sub(rf"\1{MASK}", text))


def _redact_record(_logger: Any, _method: str, record: Any) -> Any:
    return redacted(record)


_FRAME = ("timestamp", "level", "category", "event", "exception", "traceback")


def _as_log_record(_logger: Any, _method: str, record: Any) -> tuple[tuple[str], dict[str, Any]]:
    """What Python's logging gets: a line for people as the message, all fields beside it for the file."""
    frame = {name: record[name] for name in _FRAME if name in record}
    details = {name: value for name, value in record.items() if name not in frame}
    line = " ".join(f"{name}={value}" for name, value in details.items())
    return (f"{record['event']}  {line}".rstrip(),), {"extra": {"fields": frame | details}}


def _replace_handlers(logger: logging.Logger, handler: logging.Handler) -> None:
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)


class _Stderr(logging.Handler):
    """Warnings and worse, for people. Looks stderr up at each record, because tests and notebooks replace it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        print(f"{record.levelname.lower()} {record.name.removeprefix('truewind.')}: {record.msg}", file=sys.stderr)


class _CategoryFile(RotatingFileHandler):
    """One category's file, rotated by size to `<name>.jsonl.1.gz` (newest) … Several processes may share it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=ARCHIVES, encoding="utf-8", delay=True)
        self.namer = lambda name: f"{name}.gz"
        self.rotator = _gzip
        self._complained = False

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(getattr(record, "fields", {"event": record.getMessage()}))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            with _locked(Path(self.baseFilename).parent):
                self._follow()
                super().emit(record)
        except OSError:
            self.handleError(record)

    def _follow(self) -> None:
        """Open the file anew if another process has rotated it: our stream would end in the archived one."""
        if self.stream is None:
            return
        try:
            same = os.path.samestat(os.stat(self.baseFilename), os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            same = False
        if not same:
            self.stream.close()
            self.stream = self._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """A full disk or a read-only folder costs log lines, never the run; say so once."""
        if not self._complained:
            self._complained = True
            print(f"warning system: {self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr)


@contextmanager
def _locked(folder: Path) -> Iterator[TextIO]:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file closes, also if the process dies
        yield file


def _gzip(source: str, target: str) -> None:
    """Compress under a temporary name, then rename: a kill half-way leaves the log as it was."""
    unfinished = f"{target}.tmp"
    with open(source, "rb") as plain, gzip.open(unfinished, "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.replace(unfinished, target)
    os.remove(source)
