"""USD-M's listen keys: names of user data streams, good for an hour from when they were last asked for.

Source: "User Data Streams" of USD-M futures ("Start", "Keepalive", "Close User Data Stream").
"""

import secrets
import string
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from truewind.exchange.accounts import Account
from truewind.exchange.gate import Call
from truewind.exchange.replies import RefusedError

LIFE_MS = 60 * 60_000
_LETTERS = string.ascii_letters + string.digits


class _Key(msgspec.Struct):
    account: int
    expires: int


class ListenKeys:
    """Of all accounts. publish: hands a message to who listens to a name."""

    def __init__(self, publish: Callable[[str, str], None]) -> None:
        self._publish = publish
        self._keys: dict[str, _Key] = {}
        self._of: dict[int, str] = {}

    def table(self) -> dict[tuple[str, str], Callable[[Call], Any]]:
        path = "/fapi/v1/listenKey"
        return {("POST", path): self.start, ("PUT", path): self.keep, ("DELETE", path): self.close}

    def knows(self, name: str) -> bool:
        return name in self._keys

    def start(self, call: Call) -> dict[str, str]:
        """The account's key, a new one if it has none; good for another hour."""
        now = call.told_us // 1000
        name = self._of.get(call.account.number)
        if name is None:
            name = "".join(secrets.choice(_LETTERS) for _ in range(64))
            self._of[call.account.number] = name
        self._keys[name] = _Key(call.account.number, now + LIFE_MS)
        return {"listenKey": name}

    def keep(self, call: Call) -> dict[str, str]:
        """Raises RefusedError (−1125)."""
        if call.account.number not in self._of:
            raise RefusedError(-1125, "This listenKey does not exist.")
        return self.start(call)

    def close(self, call: Call) -> dict[str, str]:
        name = self._of.pop(call.account.number, None)
        if name is not None:
            del self._keys[name]
        return {}

    def tell(self, account: Account, event: dict[str, Any]) -> None:
        name = self._of.get(account.number)
        if name is not None:
            self._publish(name, orjson.dumps(event).decode())

    def expire(self, now_ms: int) -> None:
        """Keys that nobody kept alive are no more, and their listeners are told."""
        for name, key in list(self._keys.items()):
            if key.expires <= now_ms:
                self._publish(name, orjson.dumps({"e": "listenKeyExpired", "E": now_ms, "listenKey": name}).decode())
                del self._keys[name]
                self._of.pop(key.account, None)
