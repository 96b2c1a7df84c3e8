"""The latch file: which breakers of an account have tripped, kept until a person releases them.

One small JSON file an account, replaced whole, with a checksum over what it says. Whoever changes it holds the folder's
lock while reading and writing, so that a session and a person at the keyboard never overwrite each other. What was
tripped and released before stays in its history.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from truewind.domain.clock import iso
from truewind.errors import ConfigError, CorruptError
from truewind.storage.blobs import LocalBlobs

_KEPT = 1000  # entries of the history
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Latch(msgspec.Struct, frozen=True):
    """A breaker that has tripped. rule: name of a Reason, in small letters. symbol: "" for all. ts: µs UTC.

    value: what it had come to, limit: what it was held to (0 where a person threw it). who, why: in words.
    """

    rule: str
    symbol: str
    ts: int
    value: float = 0.0
    limit: float = 0.0
    who: str = ""
    why: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.rule, self.symbol


class Entry(msgspec.Struct, frozen=True):
    """One line of the history. what: tripped or released."""

    what: str
    latch: Latch


class Latches(msgspec.Struct, frozen=True):
    """What the file says."""

    latches: list[Latch] = []
    history: list[Entry] = []


class _File(msgspec.Struct):
    version: int
    checksum: str
    content: msgspec.Raw


class LatchBook:
    """The latch file of `account` in `folder`. Raises ConfigError for a name that no file can have."""

    def __init__(self, folder: str | Path, account: str) -> None:
        if not _NAME.fullmatch(account):
            raise ConfigError(f"'{account}' cannot name an account", remedy="Use letters, digits, - and _")
        self._blobs = LocalBlobs(Path(folder))
        self._name = f"risk-{account}.json"
        self.path = Path(folder) / self._name

    def read(self) -> Latches:
        """What has tripped; nothing where there is no file yet. Raises CorruptError for a damaged one."""
        data = self._blobs.read(self._name)
        if data is None:
            return Latches()
        try:
            file = msgspec.json.decode(data, type=_File)
            if file.version != 1 or file.checksum != _checksum(bytes(file.content)):
                raise msgspec.ValidationError("its checksum is wrong")
            return msgspec.json.decode(file.content, type=Latches)
        except msgspec.MsgspecError as error:
            raise CorruptError(
                f"The latch file {self.path} is damaged: {error}",
                remedy="Nothing starts on it: see in the last session's journal what had tripped, remove the file, and "
                "trip again what must not be released",
                path=self.path,
            ) from None

    def trip(self, *tripped: Latch) -> None:
        """Latch these; what is latched already stays as it is."""

        def change(found: Latches) -> Latches:
            known = {latch.key for latch in found.latches}
            new = [latch for latch in tripped if latch.key not in known]
            history = [*found.history, *(Entry("tripped", latch) for latch in new)]
            return Latches([*found.latches, *new], history[-_KEPT:])

        self._change(change)

    def release(self, rule: str, symbol: str, ts: int, who: str, why: str) -> bool:
        """Release a breaker; False if it is not latched."""
        released = False

        def change(found: Latches) -> Latches:
            nonlocal released
            left = [latch for latch in found.latches if latch.key != (rule, symbol)]
            released = len(left) < len(found.latches)
            entry = Entry("released", Latch(rule, symbol, ts, who=who, why=why))
            return Latches(left, [*found.history, entry][-_KEPT:]) if released else found

        self._change(change)
        return released

    def stamp(self) -> tuple[int, int, int] | None:
        """What changes whenever the file does."""
        try:
            about = self.path.stat()
        except OSError:
            return None
        return about.st_ino, about.st_mtime_ns, about.st_size

    def _change(self, change: Callable[[Latches], Latches]) -> None:
        with self._blobs.lock("."):
            content = msgspec.json.encode(change(self.read()))
            file = _File(1, _checksum(content), msgspec.Raw(content))
            self._blobs.write(self._name, msgspec.json.format(msgspec.json.encode(file), indent=1))


def _checksum(content: bytes) -> str:
    """Of what the content says, however it is spaced."""
    return hashlib.sha256(msgspec.json.format(content, indent=-1)).hexdigest()


def described(latch: Latch) -> str:
    """A latch in words."""
    what = latch.rule.replace("_", " ") + (f" of {latch.symbol}" if latch.symbol else "")
    return f"{what}, since {iso(latch.ts)}" + (f" ({latch.why})" if latch.why else "")
