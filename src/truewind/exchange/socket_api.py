"""Spot's WebSocket API: requests and user data over one connection.

Source: `web-socket-api.md` and `user-data-stream.md` of binance-spot-api-docs. A method is answered by the REST
endpoint that does the same, under the same weight. A session is logged on by an Ed25519 key only; user data come by
`userDataStream.subscribe` after that, or by `userDataStream.subscribe.signature` with any key.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from aiohttp import WSMsgType, web

from truewind.exchange import replies
from truewind.exchange.accounts import Account
from truewind.exchange.gate import Call
from truewind.exchange.parameters import Parameters
from truewind.exchange.replies import RefusedError
from truewind.venues.binance.endpoints import LIMITS, SPOT, endpoint
from truewind.venues.binance.signing import HmacKey

if TYPE_CHECKING:
    from truewind.exchange.trading import Trading

_METHODS = {
    "ping": ("GET", "/ping"),
    "time": ("GET", "/time"),
    "exchangeInfo": ("GET", "/exchangeInfo"),
    "depth": ("GET", "/depth"),
    "trades.recent": ("GET", "/trades"),
    "trades.historical": ("GET", "/historicalTrades"),
    "trades.aggregate": ("GET", "/aggTrades"),
    "klines": ("GET", "/klines"),
    "uiKlines": ("GET", "/uiKlines"),
    "avgPrice": ("GET", "/avgPrice"),
    "ticker.24hr": ("GET", "/ticker/24hr"),
    "ticker.price": ("GET", "/ticker/price"),
    "ticker.book": ("GET", "/ticker/bookTicker"),
    "order.place": ("POST", "/order"),
    "order.test": ("POST", "/order/test"),
    "order.status": ("GET", "/order"),
    "order.cancel": ("DELETE", "/order"),
    "order.cancelReplace": ("POST", "/order/cancelReplace"),
    "order.amend.keepPriority": ("PUT", "/order/amend/keepPriority"),
    "openOrders.status": ("GET", "/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/openOrders"),
    "orderList.place.oco": ("POST", "/orderList/oco"),
    "orderList.place.oto": ("POST", "/orderList/oto"),
    "orderList.place.otoco": ("POST", "/orderList/otoco"),
    "orderList.status": ("GET", "/orderList"),
    "orderList.cancel": ("DELETE", "/orderList"),
    "openOrderLists.status": ("GET", "/openOrderList"),
    "account.status": ("GET", "/account"),
    "account.commission": ("GET", "/account/commission"),
    "account.rateLimits.orders": ("GET", "/rateLimit/order"),
    "allOrders": ("GET", "/allOrders"),
    "allOrderLists": ("GET", "/allOrderList"),
    "myTrades": ("GET", "/myTrades"),
}
_MOST_WAITING = 10_000  # messages to a client that does not read


class _Session:
    """One connection."""

    def __init__(self, address: str, now_ms: int) -> None:
        self.address = address
        self.connected_ms = now_ms
        self.account: Account | None = None
        self.authorised_ms = 0
        self.subscriptions: dict[int, Account] = {}
        self.next_subscription = 0
        self.out: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self.too_slow = False
        self.transport: asyncio.Transport | None = None

    def put(self, message: bytes) -> None:
        try:
            self.out.put_nowait(message)
        except asyncio.QueueFull:
            self.too_slow = True


class SocketApi:
    """All connections to spot's WebSocket API."""

    def __init__(self, trading: "Trading") -> None:
        self.trading = trading
        self.exchange = trading.exchange
        self._sessions: set[_Session] = set()
        self._own = {
            "session.logon": self._log_on,
            "session.status": self._status,
            "session.logout": self._log_out,
            "session.subscriptions": self._subscriptions,
            "userDataStream.subscribe": self._subscribe,
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    def tell(self, account: Account, event: dict[str, Any]) -> None:
        """Hand an event of an account to its subscribers."""
        for session in self._sessions:
            for number, of in session.subscriptions.items():
                if of is account:
                    session.put(orjson.dumps({"subscriptionId": number, "event": event}))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        exchange = self.exchange
        faults = exchange.faults[SPOT]
        status = faults.outage(request.path, exchange.since_s())
        if status is not None:
            if status == 0 and request.transport is not None:
                request.transport.abort()
            return web.Response(status=status or 503)
        socket = web.WebSocketResponse(compress=False, max_msg_size=1 << 16)
        await socket.prepare(request)
        session = _Session(request.remote or "", exchange.clock.told_us() // 1000)
        session.transport = request.transport
        self._sessions.add(session)
        writer = asyncio.create_task(self._write(session, socket))
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    session.put(orjson.dumps(self.answer(session, message.data)))
        finally:
            self._sessions.discard(session)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    def close_all(self) -> None:
        """Break all connections off, as a venue does that restarts."""
        for session in list(self._sessions):
            if session.transport is not None:
                session.transport.abort()

    async def _write(self, session: _Session, socket: web.WebSocketResponse) -> None:
        while not session.too_slow:
            await socket.send_str((await session.out.get()).decode())
        await socket.close(code=1008, message=b"Too slow")

    def answer(self, session: _Session, text: str | bytes) -> dict[str, Any]:
        """The reply to one request."""
        number: Any = None
        try:
            try:
                request = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise RefusedError(-1135, "JSON Request is invalid.") from None
            if not isinstance(request, dict) or not isinstance(request.get("method"), str):
                raise RefusedError(-1135, "JSON Request is invalid.")
            number, params = request.get("id"), request.get("params") or {}
            if not isinstance(params, dict):
                raise RefusedError(-1135, "JSON Request is invalid.")
            self.exchange.advance()
            own = self._own.get(request["method"])
            result = own(session, params) if own else self._by_rest(session, request["method"], params)
            return {"id": number, "status": 200, "result": result, "rateLimits": self._limits(session)}
        except RefusedError as refused:
            error = refused.error.as_dict() | ({"data": refused.data} if refused.data is not None else {})
            return {"id": number, "status": refused.status, "error": error, "rateLimits": self._limits(session)}

    def _by_rest(self, session: _Session, method: str, params: dict[str, Any]) -> Any:
        """What the REST endpoint answers that does the same."""
        verb, path = _METHODS.get(method, ("", ""))
        line, gate = endpoint(SPOT, verb, f"/api/v3{path}"), self.exchange.gates[SPOT]
        handler = gate.handlers.get((verb, f"/api/v3{path}"))
        if line is None or handler is None:
            raise RefusedError(-1000, f"Unknown method '{method}'.")
        values = {name: _text(value) for name, value in params.items() if name not in ("apiKey", "signature")}
        gate.limits.take(session.address, line, line.weight(values), self.exchange.clock.wall_us())
        call = Call(
            market=SPOT,
            endpoint=line,
            parameters=Parameters(values),
            query=b"",
            body=b"",
            headers={},
            address=session.address,
            now_us=self.exchange.markets[SPOT].now_us,
            told_us=self.exchange.clock.told_us(),
        )
        if line.security.needs_signature:
            call.account = self._account(session, params)
            self.trading.count_orders(call)
        answer = handler(call)
        return orjson.loads(answer.body) if isinstance(answer, replies.Reply) else answer

    def _account(self, session: _Session, params: dict[str, Any]) -> Account:
        """Of the session, or of the request's own signature. Raises RefusedError."""
        if "apiKey" not in params and session.account is not None:
            return session.account
        return self.trading.register.check_socket(params, self.exchange.clock.told_us())

    def _limits(self, session: _Session) -> list[dict[str, Any]]:
        used = self.exchange.gates[SPOT].limits.used(session.address, self.exchange.clock.wall_us())
        limit = LIMITS[SPOT].weight.limit
        return [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limit, "count": used}
        ]

    # ── sessions and user data ──────────────────────────────────────────────────────────────────────────────────────

    def _log_on(self, session: _Session, params: dict[str, Any]) -> dict[str, Any]:
        account = self.trading.register.check_socket(params, self.exchange.clock.told_us())
        if isinstance(account.signer, HmacKey) or not account.is_ed25519:
            raise RefusedError(-4056, "HMAC_SHA256 API key is not supported.")
        session.account, session.authorised_ms = account, self.exchange.clock.told_us() // 1000
        return self._status(session, params)

    def _status(self, session: _Session, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiKey": session.account.key if session.account else None,
            "authorizedSince": session.authorised_ms if session.account else None,
            "connectedSince": session.connected_ms,
            "returnRateLimits": True,
            "serverTime": self.exchange.clock.told_us() // 1000,
            "userDataStream": bool(session.subscriptions),
        }

    def _log_out(self, session: _Session, params: dict[str, Any]) -> dict[str, Any]:
        session.account = None
        session.subscriptions.clear()
        return self._status(session, params)

    def _subscribe(self, session: _Session, params: dict[str, Any]) -> dict[str, Any]:
        if session.account is None:
            raise RefusedError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return self._listen(session, session.account)

    def _subscribe_signed(self, session: _Session, params: dict[str, Any]) -> dict[str, Any]:
        return self._listen(session, self.trading.register.check_socket(params, self.exchange.clock.told_us()))

    def _listen(self, session: _Session, account: Account) -> dict[str, Any]:
        if account in session.subscriptions.values():
            raise RefusedError(-2035, "Subscription already active.")
        number = session.next_subscription
        session.next_subscription += 1
        session.subscriptions[number] = account
        return {"subscriptionId": number}

    def _unsubscribe(self, session: _Session, params: dict[str, Any]) -> dict[str, Any]:
        number = params.get("subscriptionId")
        if number is None:
            session.subscriptions.clear()
        elif session.subscriptions.pop(number, None) is None:
            raise RefusedError(-2036, "Subscription not active.")
        return {}

    def _subscriptions(self, session: _Session, params: dict[str, Any]) -> list[dict[str, int]]:
        return [{"subscriptionId": number} for number in session.subscriptions]


def _text(value: Any) -> str:
    """A JSON value as the REST endpoints read it."""
    if isinstance(value, (list, dict)):
        return msgspec.json.encode(value).decode()
    return str(value).lower() if isinstance(value, bool) else str(value)
