"""Parameters of a request, read as the venue reads them: each mistake has the venue's own code and words."""

import json
import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from truewind.exchange import replies

_WHOLE = re.compile(r"-?[0-9]{1,20}")
_DIGITS = r"^[0-9]{1,20}$"


class Parameters:
    """What was sent, by name, and what of it was read.

    A name sent twice counts as the venue counts it: the last one.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)
        self.read: set[str] = set()

    @classmethod
    def of(cls, *encoded: bytes) -> "Parameters":
        """Of query string and body, as they came."""
        values: dict[str, str] = {}
        for part in encoded:
            values.update(parse_qsl(part.decode("utf-8", "replace"), keep_blank_values=True))
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str | None:
        """The value; None if it was not sent. Raises RefusedError (-1105) if it was sent empty."""
        self.read.add(name)
        value = self.values.get(name)
        if value == "":
            raise replies.empty(name)
        return value

    def need(self, name: str) -> str:
        """Raises RefusedError (-1102) if it was not sent, or empty."""
        self.read.add(name)
        value = self.values.get(name)
        if not value:
            raise replies.missing(name)
        return value

    def whole(self, name: str, *, least: int | None = 0) -> int | None:
        """A whole number; raises RefusedError (-1100) for other characters, (-1130) below `least`."""
        value = self.text(name)
        if value is None:
            return None
        if not _WHOLE.fullmatch(value):
            raise replies.illegal(name, _DIGITS)
        number = int(value)
        if least is not None and number < least:
            raise replies.invalid(name)
        return number

    def limit(self, default: int, most: int, *, strict: bool = False) -> int:
        """`limit`: at least one; more than `most` is taken as `most`, as spot does; strict: refused, as USD-M does."""
        number = self.whole("limit", least=1)
        if strict and number is not None and number > most:
            raise replies.invalid("limit")
        return default if number is None else min(number, most)

    def choice(self, name: str, choices: Collection[str]) -> str:
        value = self.need(name)
        if value not in choices:
            raise replies.invalid(name)
        return value

    def symbols(self) -> list[str] | None:
        """`symbols`, a JSON list of names; None if it was not sent. Raises RefusedError (-1100, -1101)."""
        value = self.text("symbols")
        if value is None:
            return None
        try:
            names = json.loads(value)
        except ValueError:
            raise replies.illegal("symbols", r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$') from None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
            raise replies.illegal("symbols", r'^\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\]$')
        if len(set(names)) != len(names):
            raise replies.RefusedError(-1151, "Symbol is present multiple times in the list.")
        return names

    def finish(self) -> None:
        """Raises RefusedError (-1104) if more was sent than was read."""
        if len(self.values) > len(self.read & self.values.keys()):
            raise replies.too_many_parameters(len(self.read & self.values.keys()), len(self.values))
