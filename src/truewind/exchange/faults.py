"""What goes wrong, by seed: of requests, of messages on streams, of the exchange as a whole.

Every decision is a function of (seed, market, what, number), where the number counts the requests of a market or the
messages of a connection: a run that asks the same in the same order meets the same faults.
"""

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec
from pydantic import Field

from truewind.config import Settings

Share = Annotated[float, Field(ge=0, le=1)]
_HTML = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"</body>\r\n</html>\r\n"
)


class Outage(Settings):
    """A market, or what lies below a path, is down for a while."""

    market: str = Field(default="", description="spot, usdm, archive; empty: all")
    path: str = Field(default="", description="beginning of the paths concerned, streams included; empty: all")
    from_s: float = Field(default=0.0, ge=0, description="our seconds after the exchange began")
    to_s: float = Field(gt=0, description="our seconds after the exchange began")
    status: int = Field(default=503, description="what is answered; 0: the connection is closed without an answer")


class FaultConfig(Settings):
    """How often what goes wrong; shares are of requests, of stream messages, of connections."""

    seed: int = Field(default=42, ge=0, description="of all draws")
    drop: Share = Field(
        default=0.0, description="of requests: the connection is closed, every second time after the work was done"
    )
    slow: Share = Field(default=0.0, description="of requests: answered late")
    slow_ms: int = Field(default=500, ge=0, description="how late, ms")
    error: Share = Field(default=0.0, description="of requests: 500, 502, 503 or 504")
    limited: Share = Field(default=0.0, description="of requests: 429, with Retry-After 1")
    banned: Share = Field(default=0.0, description="of requests: 418")
    html: Share = Field(default=0.0, description="of requests: a proxy's page with status 502, or with 200")
    garbled: Share = Field(default=0.0, description="of requests: JSON cut short")
    empty: Share = Field(default=0.0, description="of requests: no body")
    only: str = Field(default="", description="beginning of the paths whose requests are concerned; empty: all")
    lose: Share = Field(default=0.0, description="of messages: not sent")
    repeat: Share = Field(default=0.0, description="of messages: sent twice")
    swap: Share = Field(default=0.0, description="of messages: after the next one")
    hold: Share = Field(default=0.0, description="of messages: sent late, in order")
    hold_ms: int = Field(default=200, ge=0, description="how late, ms")
    spoil: Share = Field(default=0.0, description="of messages: no valid JSON")
    stall: Share = Field(default=0.0, description="of connections: open and silent after stall_after messages")
    stall_after: int = Field(default=100, ge=0, description="messages")
    hang_up: Share = Field(
        default=0.0, description="of connections: closed after hang_up_after messages, without a goodbye"
    )
    hang_up_after: int = Field(default=100, ge=0, description="messages")
    skew_ms: int = Field(default=0, description="by how much the time that clients are told is wrong, ms")
    restart_s: float = Field(
        default=0.0, ge=0, description="all connections are closed every so many of our seconds; 0: never"
    )
    restart_for_s: float = Field(default=1.0, ge=0, description="seconds in which nobody is let in then")
    reissue: Share = Field(default=0.0, description="of the archive's files: lack their first row at first")
    reissue_after_s: float = Field(default=60.0, ge=0, description="our seconds after which they are whole")
    outages: tuple[Outage, ...] = Field(default=(), description="planned ones")

    @property
    def of_requests(self) -> dict[str, float]:
        names = ("drop", "slow", "error", "limited", "banned", "html", "garbled", "empty")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    @property
    def of_messages(self) -> dict[str, float]:
        names = ("lose", "repeat", "swap", "hold", "spoil")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


class RequestFault(StrEnum):
    NONE = ""
    DROP = "drop"
    SLOW = "slow"
    ERROR = "error"
    LIMITED = "limited"
    BANNED = "banned"
    HTML = "html"
    GARBLED = "garbled"
    EMPTY = "empty"


class MessageFault(StrEnum):
    NONE = ""
    LOSE = "lose"
    REPEAT = "repeat"
    SWAP = "swap"
    HOLD = "hold"
    SPOIL = "spoil"


class Broken(msgspec.Struct, frozen=True):
    """An answer that a proxy or a failing server gives in place of the venue's."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}


def draw(seed: int, *what: object) -> float:
    """A number in [0, 1), a function of its arguments."""
    digest = hashlib.blake2b(repr((seed, *what)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2.0**64


class Faults:
    """Decides for one market; counts what it did."""

    def __init__(self, config: FaultConfig, market: str) -> None:
        self.config = config
        self.market = market
        self.counts: dict[str, int] = {}
        self._requests = config.of_requests
        self._messages = config.of_messages
        self._number = 0
        self._connections = 0

    @property
    def touches_messages(self) -> bool:
        config = self.config
        return bool(self._messages or config.stall or config.hang_up)

    def of_request(self, path: str) -> tuple[RequestFault, int]:
        """What happens to the next request, and its number."""
        self._number += 1
        if not self._requests or not path.startswith(self.config.only):
            return RequestFault.NONE, self._number
        return RequestFault(self._pick(self._requests, "request", self._number)), self._number

    def of_message(self, connection: int, number: int) -> MessageFault:
        if not self._messages:
            return MessageFault.NONE
        return MessageFault(self._pick(self._messages, "message", connection, number))

    def of_connection(self) -> tuple[int, int, int]:
        """Number of a new connection, and after how many messages it stalls and hangs up (0: never)."""
        self._connections += 1
        config, number = self.config, self._connections
        stall = config.stall_after + 1 if self._hit(config.stall, "stall", number) else 0
        hang_up = config.hang_up_after + 1 if self._hit(config.hang_up, "hang up", number) else 0
        return number, stall, hang_up

    def broken(self, fault: RequestFault, number: int) -> Broken | None:
        """The answer that takes the place of the venue's; None if the venue's own is needed."""
        which = draw(self.config.seed, self.market, "kind", number)
        if fault is RequestFault.ERROR:
            status = (500, 502, 503, 504)[int(which * 4)]
            words = b'{"code":-1001,"msg":"Internal error; unable to process your request. Please try again."}'
            return Broken(status, words)
        if fault is RequestFault.LIMITED:
            words = b'{"code":-1003,"msg":"Too many requests; please use the websocket for live updates."}'
            return Broken(429, words, headers={"Retry-After": "1"})
        if fault is RequestFault.BANNED:
            return Broken(
                418, b'{"code":-1003,"msg":"Way too many requests; IP banned."}', headers={"Retry-After": "1"}
            )
        if fault is RequestFault.HTML:
            return Broken(502 if which < 0.5 else 200, _HTML, "text/html")
        if fault is RequestFault.EMPTY:
            return Broken(200, b"")
        return None

    def drops_before(self, number: int) -> bool:
        """Whether a dropped request is not even done, or done and its answer lost."""
        return draw(self.config.seed, self.market, "before", number) < 0.5

    def garble(self, body: bytes, number: int) -> bytes:
        """`body` cut short."""
        return body[: int(len(body) * draw(self.config.seed, self.market, "cut", number))]

    def outage(self, path: str, since_s: float) -> int | None:
        """The status to answer with while a planned outage or a restart holds; None if there is none."""
        if self.restarting(since_s):
            return 0
        for outage in self.config.outages:
            concerned = outage.market in ("", self.market) and path.startswith(outage.path)
            if concerned and outage.from_s <= since_s < outage.to_s:
                self.count("outage")
                return outage.status
        return None

    def restarting(self, since_s: float) -> bool:
        every = self.config.restart_s
        return every > 0 and since_s >= every and since_s % every < self.config.restart_for_s

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def _hit(self, share: float, *what: object) -> bool:
        return share > 0 and draw(self.config.seed, self.market, *what) < share

    def _pick(self, shares: dict[str, float], *what: object) -> str:
        """One of the names with its share, or ""."""
        at = draw(self.config.seed, self.market, *what)
        for name, share in shares.items():
            if at < share:
                self.count(name)
                return name
            at -= share
        return ""
