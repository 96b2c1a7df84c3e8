"""A client that signs by itself, for tests of the signed endpoints."""

from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from truewind.exchange import LocalExchange
from truewind.exchange.accounts import LOCAL_KEY, LOCAL_SECRET
from truewind.venues.binance.signing import HmacKey, Secret, Signer, signed


class Client:
    """Asks the exchange as one account; `code` of a refusal is its venue code."""

    def __init__(self, exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        self.exchange = exchange
        self.session = session
        self.key = LOCAL_KEY
        self.signer: Signer = HmacKey(Secret(LOCAL_SECRET))
        self.headers: dict[str, str] = {}

    async def ask(self, method: str, path: str, *, in_body: bool = False, **params: Any) -> tuple[int, Any]:
        """(status, JSON)."""
        params.setdefault("timestamp", self.exchange.clock.told_us() // 1000)
        plain = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in params.items())
        return await self.send(method, path, signed(plain.encode(), self.signer), in_body=in_body)

    async def send(self, method: str, path: str, payload: bytes, *, in_body: bool = False) -> tuple[int, Any]:
        """The very bytes of `payload`, as query or body."""
        hosts = self.exchange.hosts
        host = hosts.spot_rest if path.startswith("/api") else hosts.usdm_rest
        url = host + path if in_body else f"{host}{path}?{payload.decode()}"
        headers = {"X-MBX-APIKEY": self.key, "Content-Type": "application/x-www-form-urlencoded"}
        body = payload if in_body else None
        async with self.session.request(method, URL(url, encoded=True), data=body, headers=headers) as reply:
            self.headers = dict(reply.headers)
            return reply.status, await reply.json(content_type=None)

    def pass_s(self, seconds: float) -> None:
        """Let the market happen for so long."""
        self.exchange.move_to(self.exchange.clock.now_us() + round(seconds * 1e6))

    def hear(self, market: str) -> list[dict[str, Any]]:
        """The list that user data events of a market are added to from now on."""
        heard: list[dict[str, Any]] = []
        venue = self.exchange.trading.venues[market]
        venue.tell = lambda account, event: heard.append(event)
        return heard

    async def best(self, symbol: str = "BTCUSDT", market: str = "spot") -> tuple[float, float]:
        """Best bid and ask."""
        path = "/api/v3/ticker/bookTicker" if market == "spot" else "/fapi/v1/ticker/bookTicker"
        status, row = await self.send("GET", path, f"symbol={symbol}".encode())
        assert status == 200, row
        return float(row["bidPrice"]), float(row["askPrice"])

    async def do(self, method: str, path: str, **params: Any) -> Any:
        """The answer to what must be granted."""
        status, answer = await self.ask(method, path, **params)
        assert status == 200, answer
        return answer

    async def code(self, method: str, path: str, **params: Any) -> int:
        """The code of what must be refused."""
        status, answer = await self.ask(method, path, **params)
        assert status >= 400, answer
        return int(answer["code"])
