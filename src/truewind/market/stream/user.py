"""An account's own events: USD-M by a listen key that is kept alive, spot by a signed subscription.

    async with UserStream(hosts, "usdm", Credentials(key, signer)) as events:
        async for event in events:
            ...

What happened while no connection was there comes never again by this way: after every connection, the first included,
a `Connected` says that the account must be asked for by REST.
"""

import asyncio
import random
from collections import deque
from types import TracebackType
from typing import Any

import msgspec

from truewind import log
from truewind.domain.clock import WallClock
from truewind.domain.ports import Clock
from truewind.errors import NetworkError, ProtocolError, RejectedError, TruewindError, UnreachableError
from truewind.market.stream.client import Connection
from truewind.market.stream.rest import Rest
from truewind.venues.binance.hosts import Hosts
from truewind.venues.binance.messages import Reply, reply
from truewind.venues.binance.signing import Secret, Signer, socket_payload
from truewind.venues.binance.user_messages import ListenKeyExpired, Other, Terminated, UserMessage, user_message

_KEEP_S = 30 * 60.0  # a listen key lives for an hour from the last time that it was asked to
_LISTEN_KEY = "/fapi/v1/listenKey"
_GONE = -1125  # This listenKey does not exist.
_PATIENCE_S = 10.0
_SHORT_S = 5.0  # a connection that ends sooner has not been one


class Credentials(msgspec.Struct, frozen=True):
    """An API key and what signs with its secret (`signing.signing_key`); neither is shown by repr."""

    key: Secret
    signer: Signer


class Connected(msgspec.Struct, frozen=True, gc=False):
    """Events come from now on; what was before must be asked for."""

    ts_recv: int


class UserEvent(msgspec.Struct, frozen=True):
    """What the venue told, and when it was read here, µs."""

    ts_recv: int
    message: UserMessage | Other


class UserStream:
    """Iteration gives `Connected` and `UserEvent`s, and ends by the venue's refusal of the key (RejectedError).

    Everything else is tried again for ever. keep_s: how often a listen key is kept alive.
    """

    def __init__(
        self,
        hosts: Hosts,
        market: str,
        credentials: Credentials,
        *,
        clock: Clock | None = None,
        heartbeat_s: float = 10.0,
        keep_s: float = _KEEP_S,
        backoff_s: tuple[float, float] = (0.25, 30.0),
    ) -> None:
        self.market, self.hosts = market, hosts
        self.reconnects = 0
        self._credentials, self._clock = credentials, clock or WallClock()
        self._heartbeat_s, self._keep_s, self._backoff_s = heartbeat_s, keep_s, backoff_s
        self._rest = Rest(hosts.spot_rest if market == "spot" else hosts.usdm_rest)
        self._events: deque[Connected | UserEvent] = deque()
        self._wake = asyncio.Event()
        self._over = asyncio.Event()  # this connection is of no more use
        self._reply: asyncio.Future[Reply] | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: TruewindError | None = None

    async def __aenter__(self) -> "UserStream":
        await self._rest.__aenter__()
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._rest.__aexit__(kind, error, at)

    def __aiter__(self) -> "UserStream":
        return self

    async def __anext__(self) -> Connected | UserEvent:
        while not self._events:
            if self._error is not None:
                raise self._error
            self._wake.clear()
            await self._wake.wait()
        return self._events.popleft()

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        failures, connected = 0, False
        while True:
            try:
                self._over.clear()
                serve = self._serve_spot if self.market == "spot" else self._serve_usdm
                born = asyncio.get_running_loop().time()
                await serve()
                self.reconnects += 1
                connected = True
                if asyncio.get_running_loop().time() - born >= _SHORT_S:
                    failures = 0
                else:  # a venue in trouble lets in and throws out
                    failures += 1
                    await asyncio.sleep(self._wait(failures))
            except RejectedError as error:
                if not connected or failures > 3:  # at first it is the key; later it may be the venue's bad day
                    self._end(error)
                    return
                failures += 1
                await self._pause(failures, error)
            except NetworkError as error:
                failures += 1
                await self._pause(failures, error)
            except Exception as error:
                self._end(error if isinstance(error, TruewindError) else TruewindError(f"{error!r}"))
                raise

    async def _pause(self, failures: int, error: NetworkError) -> None:
        log.get("system").warning("user stream trouble", market=self.market, error=str(error))
        await asyncio.sleep(self._wait(failures))

    def _wait(self, failures: int) -> float:
        first, longest = self._backoff_s
        return min(longest, first * 2.0 ** min(failures - 1, 20)) * random.uniform(0.5, 1.0)

    def _end(self, error: TruewindError) -> None:
        self._error = error
        self._wake.set()

    def _put(self, event: Connected | UserEvent) -> None:
        self._events.append(event)
        self._wake.set()

    async def _serve_usdm(self) -> None:
        """One listen key and its connection, until one of them ends."""
        headers = {"X-MBX-APIKEY": self._credentials.key.reveal().decode()}
        body = await self._rest.call("POST", _LISTEN_KEY, {}, headers)
        try:
            listen_key = str(msgspec.json.decode(body, type=dict[str, Any])["listenKey"])
        except (msgspec.DecodeError, KeyError):
            raise ProtocolError("The reply has no listen key", remedy="It is tried again") from None
        connection = Connection(
            f"{self.hosts.usdm_ws}/private/ws?listenKey={listen_key}", self._text, heartbeat_s=self._heartbeat_s
        )
        try:
            await connection.open()
        except NetworkError as error:
            raise UnreachableError(
                error.message.replace(listen_key, "***"), remedy=error.remedy
            ) from None  # who has the listen key can read the account
        try:
            self._put(Connected(self._clock.now_us()))
            while not await self._is_over(connection, self._keep_s):
                try:
                    await self._rest.call("PUT", _LISTEN_KEY, {}, headers)
                except RejectedError as error:
                    if error.facts.get("code") == _GONE:
                        return
                    raise
        finally:
            await connection.close()

    async def _serve_spot(self) -> None:
        """One connection to the WebSocket API with a subscription, until it ends."""
        connection = Connection(self.hosts.spot_ws_api, self._text, heartbeat_s=self._heartbeat_s)
        await connection.open()
        try:
            time = msgspec.json.decode(await self._rest.get("/api/v3/time", {}), type=dict[str, int])
            params: dict[str, Any] = {
                "apiKey": self._credentials.key.reveal().decode(),
                "timestamp": time["serverTime"],
            }
            params["signature"] = self._credentials.signer.sign(socket_payload(params))
            self._reply = asyncio.get_running_loop().create_future()
            request = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
            connection.send(msgspec.json.encode(request))
            try:
                answer = await asyncio.wait_for(self._reply, _PATIENCE_S)
            except TimeoutError:
                raise UnreachableError(
                    "No answer to the subscription of user data", remedy="It is tried again"
                ) from None
            if answer.error is not None:
                raise RejectedError(
                    f"The venue refuses user data: {answer.error.msg}",
                    remedy="Check the API key, its rights and its addresses",
                    code=answer.error.code,
                )
            self._put(Connected(self._clock.now_us()))
            while not await self._is_over(connection, self._keep_s):
                pass
        finally:
            self._reply = None
            await connection.close()

    async def _is_over(self, connection: Connection, timeout_s: float) -> bool:
        """Wait; whether the connection ended, or the venue said that nothing more comes by it."""
        tasks = [asyncio.ensure_future(event.wait()) for event in (connection.ended, self._over)]
        try:
            done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        return bool(done)

    def _text(self, frame: bytes) -> None:
        waiting = self._reply
        try:
            if waiting is not None and not waiting.done() and (answer := reply(frame)).id == 1:
                waiting.set_result(answer)
                return
            message = user_message(frame)
        except (ProtocolError, msgspec.DecodeError) as error:
            log.get("data").error("user data refused", market=self.market, error=str(error))
            self._put(Connected(self._clock.now_us()))  # something was missed: the account must be asked for
            return
        if isinstance(message, ListenKeyExpired | Terminated):
            self._over.set()
            return
        self._put(UserEvent(self._clock.now_us(), message))
