"""What an exchange remembers beyond its own life: accounts, orders, trades and positions, in one journal.

Every change is written before its request is answered, so a kill of the process loses nothing that was acknowledged
(a loss of power may lose the last moment). The latest record of a thing is what it is; when the journal is opened it is
written anew, without what has been superseded.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from truewind.errors import CorruptError
from truewind.exchange.accounts import Account, Futures, Held, Income, Wallet
from truewind.exchange.orders import Order, OrderList, Trade
from truewind.storage.journal import Journal, JournalWriter

_KINDS: dict[str, type[Any]] = {
    "order": Order,
    "algo": Order,
    "list": OrderList,
    "trade": Trade,
    "income": Income,
    "wallet": Wallet,
    "futures": Futures,
    "position": Held,
}
_NAMED_BY = {"order": "id", "algo": "id", "list": "id", "trade": "id", "income": "id", "position": "symbol"}


class Vault:
    """The journal of one exchange at `path`; a keeper of venues (`venue.Keeper`)."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self.found = self._read()
        self._rewrite()
        self._journal = JournalWriter(self._path)
        self._dirty: dict[tuple[str, str, str, Any], dict[str, Any]] = {}

    def keep(self, market: str, account: Account, kind: str, value: Any) -> None:
        """Remember a change at the next `flush`."""
        row = msgspec.to_builtins(value)
        key = (market, account.key, kind, row.get(_NAMED_BY.get(kind, "")))
        self._dirty[key] = row

    def flush(self) -> None:
        """Write what has changed, so that it survives this process."""
        if self._dirty:
            for (market, key, kind, _), row in self._dirty.items():
                self._journal.record(kind, market=market, account=key, value=row)
            self._dirty.clear()
            self._journal.flush()

    def close(self) -> None:
        self.flush()
        self._journal.close()

    def restore(self, account: Account, market: str, kind: str) -> list[Any]:
        """All that is known of a kind, in the order in which it was first told. Raises CorruptError."""
        rows = [row for (of, key, what, _), row in self.found.items() if (of, key, what) == (market, account.key, kind)]
        try:
            return [msgspec.convert(row, _KINDS[kind], str_keys=True) for row in rows]
        except msgspec.ValidationError as error:
            raise CorruptError(
                f"{self._path} holds a {kind} that cannot be read: {error}",
                remedy="It was written by another version: begin with a new file",
                path=self._path,
            ) from None

    def _read(self) -> dict[tuple[str, str, str, Any], dict[str, Any]]:
        found: dict[tuple[str, str, str, Any], dict[str, Any]] = {}
        if self._path.exists():
            for frame in Journal(self._path):
                if frame.facts is not None and frame.kind in _KINDS:
                    facts = frame.facts
                    name = facts["value"].get(_NAMED_BY.get(frame.kind, ""))
                    found[facts["market"], facts["account"], frame.kind, name] = facts["value"]
        return found

    def _rewrite(self) -> None:
        """Without what was superseded; the old journal stays until the new one is whole."""
        beside = self._path.with_suffix(self._path.suffix + ".new")
        beside.unlink(missing_ok=True)
        with JournalWriter(beside) as journal:
            for (market, key, kind, _), row in self.found.items():
                journal.record(kind, market=market, account=key, value=row)
        os.replace(beside, self._path)
