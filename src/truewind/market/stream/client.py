"""One WebSocket connection, from its opening to its end. The only file that knows the library beneath.

Frames are handed over in the callback in which they were read, without a queue or a task to wake between: measured, a
million frames a second, where aiohttp's reader gives 0.6 million; with the work that follows, a quarter more messages.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from picows import WSAutoPingStrategy, WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect
from picows.common import WSError, WSHandshakeError

from truewind.errors import LimitedError, NetworkError, RejectedError, UnreachableError
from truewind.market.http import retry_after_s

_TEXT, _MORE, _PING, _PONG, _CLOSE = (
    *(WSMsgType.TEXT, WSMsgType.CONTINUATION),
    *(WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE),
)
_LARGEST = 16 << 20  # bytes of a message: a snapshot of every symbol's mark price is under one MiB
_READ = 256 << 10
_REFUSED = 400  # an upgrade may be refused in words: how many of them an error repeats


class Connection(WSListener):
    """A connection to `url`; `text` is called with every message, as bytes.

    heartbeat_s: after so long without a frame the other side is pinged, and given up after as long again: a half-open
    socket ends like a closed one. `heard` is the loop's time of the last text.
    """

    def __init__(self, url: str, text: Callable[[bytes], None], *, heartbeat_s: float = 10.0) -> None:
        self.url, self.heartbeat_s = url, heartbeat_s
        self.heard = 0.0
        self.ended = asyncio.Event()
        self._text = text
        self._clock = asyncio.get_running_loop().time
        self._parts: list[bytes] = []
        self._transport: WSTransport | None = None

    async def open(self, timeout_s: float = 10.0) -> None:
        """Connect. Raises UnreachableError, LimitedError, RejectedError."""
        try:
            await asyncio.wait_for(
                ws_connect(
                    lambda: self,
                    self.url,
                    websocket_handshake_timeout=timeout_s,
                    enable_auto_ping=True,
                    auto_ping_idle_timeout=self.heartbeat_s,
                    auto_ping_reply_timeout=self.heartbeat_s,
                    auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
                    max_frame_size=_LARGEST,
                    read_buffer_init_size=_READ,
                ),
                timeout_s,
            )
        except WSHandshakeError as error:
            raise _refused(self.url, error) from None
        except (WSError, OSError, TimeoutError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise  # else the library cancelled its own wait: the other side hung up
            raise UnreachableError(
                f"No connection to {self.url}: {error or type(error).__name__}",
                remedy="Check the network, and that the venue is up",
                url=self.url,
            ) from None
        if self._transport is None or self.ended.is_set():  # to picows a handshake that was cut off is one
            raise UnreachableError(
                f"No connection to {self.url}: the other side hung up", remedy="It is tried again", url=self.url
            )
        self.heard = self._clock()

    def send(self, text: bytes) -> None:
        """Send a message; nothing happens on a connection that has ended."""
        if self._transport is not None and not self.ended.is_set():
            self._transport.send(_TEXT, text)

    def pause(self) -> None:
        """Read no more: the other side feels it when the buffers between are full."""
        if self._transport is not None and not self.ended.is_set():
            self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self.ended.is_set():
            self._transport.underlying_transport.resume_reading()

    async def close(self) -> None:
        """Say goodbye, and hang up in any case within a second."""
        if self._transport is None or self.ended.is_set():
            return
        self._transport.send_close(WSCloseCode.OK)
        try:
            await asyncio.wait_for(self.ended.wait(), 1.0)
        except TimeoutError:
            self._transport.disconnect(False)

    # ── what the library calls ──────────────────────────────────────────────────────────────────────────────────────

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is _TEXT and frame.fin:
            data = frame.get_payload_as_bytes()
        elif kind is _TEXT or kind is _MORE:
            self._parts.append(frame.get_payload_as_bytes())
            if not frame.fin:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        else:
            if kind is _CLOSE:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
                transport.disconnect()
            return
        self.heard = self._clock()
        self._text(data)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.ended.set()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _refused(url: str, error: WSHandshakeError) -> NetworkError:
    """The upgrade was answered with something else: a limit, a refusal, or a page made by a proxy."""
    response = error.response
    status = int(response.status) if response is not None else 0
    body = (error.raw_body or (response.body if response is not None else None) or b"")[:_REFUSED]
    words = body.decode("utf-8", "replace").strip()
    facts: dict[str, Any] = {"url": url, "status": status}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, 418):
        after_s = retry_after_s(response.headers) if response is not None else None
        return LimitedError(
            f"{url} answered {status}: too many connections were asked for",
            remedy="Wait some minutes" if after_s is None else f"Wait {after_s:g} s",
            retry_after_s=300.0 if after_s is None else after_s,
            **facts,
        )
    if words.startswith("{") and 400 <= status < 500:
        return RejectedError(f"{url} answered {status}: {words}", remedy="See what the venue says", **facts)
    page = "a page" if "<" in words else "no WebSocket"
    return UnreachableError(
        f"{url} answered {status or 'nonsense'} with {page}",
        remedy="A proxy or the venue is in trouble: it is tried again" if status >= 300 else "Check the address",
        **facts,
    )
