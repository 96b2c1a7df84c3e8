"""The error tree. Every error says what is wrong, where, when, and what to do about it.

    TruewindError                       exit code
    ├── ConfigError                     2
    ├── DataError                       2
    │   ├── MissingFileError
    │   ├── FormatError
    │   ├── SchemaError
    │   ├── UnknownSeriesError
    │   ├── EmptyRangeError
    │   └── ValidationError
    ├── FeatureError                    2
    ├── InstrumentError                 2
    ├── StrategyError                   3
    ├── StorageError                    4
    │   ├── CorruptError
    │   └── LockedError
    ├── LedgerError                     5
    └── NetworkError                    7
        ├── UnreachableError
        ├── LimitedError
        ├── RejectedError
        └── ProtocolError

6 is kept for a check of the user's that failed: nothing is raised.

It lies beneath `config` and `log`, because they raise too.
"""

from collections.abc import Iterable
from typing import Any

__all__ = [
    "ConfigError",
    "CorruptError",
    "DataError",
    "EmptyRangeError",
    "FeatureError",
    "FormatError",
    "InstrumentError",
    "LedgerError",
    "LimitedError",
    "LockedError",
    "MissingFileError",
    "NetworkError",
    "ProtocolError",
    "RejectedError",
    "SchemaError",
    "StorageError",
    "StrategyError",
    "TruewindError",
    "UnknownSeriesError",
    "UnreachableError",
    "ValidationError",
]


class TruewindError(Exception):
    """Base of all errors raised on purpose.

    `message` says what is wrong, `remedy` what to do; `facts` carry the things a program would want
    (path, symbol, ts, column …). Facts are shown to users: never put a secret there.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str | None = None, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message

    def as_dict(self) -> dict[str, Any]:
        """The error as plain values, for `--json` and the journal."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "remedy": self.remedy,
            "facts": {key: str(value) for key, value in self.facts.items()},
        }


class ConfigError(TruewindError):
    """A setting is unknown, missing or out of bounds."""

    exit_code = 2


class DataError(TruewindError):
    """The input is not usable as it is."""

    exit_code = 2


class MissingFileError(DataError):
    """The path does not exist."""


class FormatError(DataError):
    """The file is not what it claims to be, or not recognised."""


class SchemaError(DataError):
    """A column is missing, unknown or of the wrong type."""


class UnknownSeriesError(DataError):
    """No such venue, symbol or timeframe in the lake."""


class EmptyRangeError(DataError):
    """Nothing lies between start and end."""


class ValidationError(DataError):
    """Rows break a rule that makes the whole unusable."""


class FeatureError(TruewindError):
    """Unknown feature, bad parameter."""

    exit_code = 2


class InstrumentError(TruewindError):
    """A price or quantity that the instrument cannot have."""

    exit_code = 2


class StrategyError(TruewindError):
    """The user's strategy raised, or asked for the impossible."""

    exit_code = 3


class StorageError(TruewindError):
    """The disk or store refused; nothing is half written."""

    exit_code = 4


class CorruptError(StorageError):
    """Stored bytes do not match their checksum."""


class LockedError(StorageError):
    """Another process is writing the same thing."""


class LedgerError(TruewindError):
    """Money does not add up or does not fit: a bug, never input."""

    exit_code = 5


class NetworkError(TruewindError):
    """A venue or a server elsewhere: nothing here is wrong, or half written."""

    exit_code = 7


class UnreachableError(NetworkError):
    """No connection, no reply in time, or one that a proxy made."""


class LimitedError(NetworkError):
    """Too many requests: when one may ask again is in its facts."""


class RejectedError(NetworkError):
    """The venue answered with an error of its own: code and words in its facts."""


class ProtocolError(NetworkError):
    """The reply is not what the venue's documents say."""


def suggest(wrong: str, known: Iterable[str]) -> str:
    """A remedy naming the closest known spelling, or the choices if nothing is close."""
    from difflib import get_close_matches

    names = sorted(set(known))
    folded = {name.casefold(): name for name in reversed(names)}
    close = get_close_matches(wrong.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{folded[close[0]]}'?"
    shown = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"Known: {shown}" if names else "None are known"
