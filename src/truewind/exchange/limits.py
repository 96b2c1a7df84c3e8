"""How much a client may ask: weight and requests an IP address, orders an account; 429, and 418 for who goes on.

Source: "Limits" of the spot API ("IP Limits": 429, then 418 with a ban that grows from 2 minutes to 3 days; Retry-After
in seconds) and of USD-M futures. Windows begin at whole minutes of the clock. Bans here grow from `first_ban_s`, twice
as long each time.
"""

import msgspec

from truewind.exchange.replies import RefusedError
from truewind.venues.binance.endpoints import Allowance, Budget, Endpoint, Limits

_SECOND_US = 1_000_000
_LONGEST_BAN_S = 3 * 86_400
_STUBBORN = 10  # requests after a 429, within its window, that bring a ban


class _Window(msgspec.Struct):
    """What was used in the current window."""

    begin: int = -1
    used: int = 0

    def take(self, allowance: Allowance, now_us: int, amount: int) -> int:
        begin = now_us // (allowance.seconds * _SECOND_US)
        if begin != self.begin:
            self.begin, self.used = begin, 0
        self.used += amount
        return self.used


class _Client(msgspec.Struct):
    """One IP address."""

    windows: dict[str, _Window] = {}
    banned_until_us: int = 0
    bans: int = 0
    refused: int = 0
    refused_window: int = -1

    def window(self, name: str) -> _Window:
        return self.windows.setdefault(name, _Window())


class RequestLimits:
    """Counts the requests of every IP address of one market. enforced: else they are only counted."""

    def __init__(self, limits: Limits, *, enforced: bool = True, first_ban_s: int = 120) -> None:
        self.limits = limits
        self.enforced = enforced
        self.first_ban_s = first_ban_s
        self._clients: dict[str, _Client] = {}

    def take(self, address: str, endpoint: Endpoint, weight: int, now_us: int) -> dict[str, str]:
        """Count a request; returns the headers that tell what was used. Raises RefusedError (429 or 418)."""
        client = self._clients.setdefault(address, _Client())
        if self.enforced and now_us < client.banned_until_us:
            raise self._ban(client, now_us)
        allowance, used = self._count(client, endpoint, weight, now_us)
        headers = self._headers(client)
        if self.enforced and used > allowance.limit:
            raise self._too_many(client, allowance, now_us, headers)
        return headers

    def connect(self, address: str, now_us: int) -> bool:
        """Count an attempt to open a WebSocket; whether it is within what is allowed."""
        allowance = self.limits.connections
        client = self._clients.setdefault(address, _Client())
        return client.window("connect").take(allowance, now_us, 1) <= allowance.limit or not self.enforced

    def used(self, address: str, now_us: int) -> int:
        """Weight used in the current window."""
        client = self._clients.setdefault(address, _Client())
        return client.window(Budget.WEIGHT).take(self.limits.weight, now_us, 0)

    def _count(self, client: _Client, endpoint: Endpoint, weight: int, now_us: int) -> tuple[Allowance, int]:
        """What is used of the allowance that matters most for this request."""
        if self.limits.raw is not None:
            used = client.window("raw").take(self.limits.raw, now_us, 1)
            if used > self.limits.raw.limit:
                return self.limits.raw, used
        own = self.limits.budgets.get(endpoint.budget)
        if own is not None:
            client.window(Budget.WEIGHT).take(self.limits.weight, now_us, 0)
            return own, client.window(endpoint.budget).take(own, now_us, 1)
        return self.limits.weight, client.window(Budget.WEIGHT).take(self.limits.weight, now_us, weight)

    def _headers(self, client: _Client) -> dict[str, str]:
        used = str(client.window(Budget.WEIGHT).used)
        return {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}

    def _too_many(self, client: _Client, allowance: Allowance, now_us: int, headers: dict[str, str]) -> RefusedError:
        window = allowance.seconds * _SECOND_US
        if client.refused_window != now_us // window:
            client.refused_window, client.refused = now_us // window, 0
        client.refused += 1
        if client.refused > _STUBBORN:
            client.bans += 1
            client.refused = 0
            ban_s = min(self.first_ban_s << (client.bans - 1), _LONGEST_BAN_S)
            client.banned_until_us = now_us + ban_s * _SECOND_US
            return self._ban(client, now_us)
        wait_s = -(-(window - now_us % window) // _SECOND_US)
        message = (
            f"Too much request weight used; current limit is {allowance.limit} request weight per "
            f"{allowance.seconds} SECOND. Please use WebSocket Streams for live updates to avoid polling the API."
        )
        return RefusedError(-1003, message, 429, {**headers, "Retry-After": str(wait_s)})

    def _ban(self, client: _Client, now_us: int) -> RefusedError:
        wait_s = -(-(client.banned_until_us - now_us) // _SECOND_US)
        message = (
            f"Way too much request weight used; IP banned until {client.banned_until_us // 1000}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return RefusedError(-1003, message, 418, {"Retry-After": str(wait_s)})
