"""The error tree. Every error says what is wrong, where, when, and what to do about it.

    TruewindError                       exit code
    ├── ConfigError                     2   a setting is unknown, missing or out of bounds
    ├── DataError                       2   the input is not usable as it is
    │   ├── MissingFileError                the path does not exist
    │   ├── FormatError                     the file is not what it claims to be, or not recognised
    │   ├── SchemaError                     a column is missing, unknown or of the wrong type
    │   ├── UnknownSeriesError              no such venue, symbol or timeframe in the lake
    │   ├── EmptyRangeError                 nothing lies between start and end
    │   └── ValidationError                 rows break a rule that makes the whole unusable
    ├── FeatureError                    2   unknown feature, bad parameter
    ├── InstrumentError                 2   a price or quantity that the instrument cannot have
    ├── StrategyError                   3   the user's strategy raised, or asked for the impossible
    ├── StorageError                    4   the disk or store refused; nothing is half written
    │   ├── CorruptError                    stored bytes do not match their checksum
    │   └── LockedError                     another process is writing the same thing
    ├── LedgerError                     5   money does not add up or does not fit: a bug, never input
    └── NetworkError                    7   a venue or a server elsewhere: nothing here is wrong, or half written
        ├── UnreachableError                no connection, no reply in time, or one that a proxy made
        ├── LimitedError                    too many requests: when one may ask again is in its facts
        ├── RejectedError                   the venue answered with an error of its own: code and words in its facts
        └── ProtocolError                   the reply is not what the venue's documents say

6 is kept for a check of the user's that failed: nothing is raised.

It lies beneath `config` and `log`, because they raise too.
"""

from collections.abc import Iterable
from typing import Any


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
    exit_code = 2


class DataError(TruewindError):
    exit_code = 2


class MissingFileError(DataError):
    pass


class FormatError(DataError):
    pass


class SchemaError(DataError):
    pass


class UnknownSeriesError(DataError):
    pass


class EmptyRangeError(DataError):
    pass


class ValidationError(DataError):
    pass


class FeatureError(TruewindError):
    exit_code = 2


class InstrumentError(TruewindError):
    exit_code = 2


class StrategyError(TruewindError):
    exit_code = 3


class StorageError(TruewindError):
    exit_code = 4


class CorruptError(StorageError):
    pass


class LockedError(StorageError):
    pass


class LedgerError(TruewindError):
    exit_code = 5


class NetworkError(TruewindError):
    exit_code = 7


class UnreachableError(NetworkError):
    pass


class LimitedError(NetworkError):
    pass


class RejectedError(NetworkError):
    pass


class ProtocolError(NetworkError):
    pass


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
