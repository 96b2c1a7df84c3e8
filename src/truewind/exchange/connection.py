"""One client of the streams: what it is due, in order, and the faults on its way."""

import asyncio
from collections import deque
from collections.abc import Iterator

from truewind.exchange import frames
from truewind.exchange.candles import Unit
from truewind.exchange.faults import Faults, MessageFault

_TOO_SLOW = 64 << 20  # bytes waiting for a client, at which the venue gives it up
_SECOND_US = 1_000_000
_PATIENCE_S = 0.5  # for the client's part of a goodbye


class Connection:
    """Written to in batches of whole frames. out: frames that are due.

    stalled: a fault: the socket stays open and nothing comes any more, answers and pongs included.
    """

    def __init__(self, transport: asyncio.Transport, faults: Faults, unit: Unit, now_s: float) -> None:
        self.transport = transport
        self.unit = unit
        self.combined = False
        self.streams: dict[str, None] = {}
        self.out: list[bytes] = []
        self.stalled = self.closing = False
        self.began_s = self.pinged_s = self.ponged_s = now_s
        self._faults = faults
        self._number, self._stall_at, self._hang_up_at = faults.of_connection()
        self._sent = 0
        self._swapped: bytes | None = None
        self._held: deque[tuple[float, bytes]] = deque()
        self._second = -1
        self._received = 0

    def allows(self, now_us: int, most: int) -> bool:
        """Count a message that was received; whether there are no more than `most` this second."""
        second = now_us // _SECOND_US
        if second != self._second:
            self._second, self._received = second, 0
        self._received += 1
        return self._received <= most

    def control(self, frame: bytes) -> None:
        """Write an answer, a ping or a pong at once."""
        if not (self.stalled or self.closing or self.transport.is_closing()):
            self.transport.write(frame)

    def write(self, now_s: float) -> bool:
        """Write what is due; False if the client is given up, because it reads too slowly or by a fault."""
        if self.transport.is_closing():
            return False
        if not self.out and not self._held:
            return True
        due, self.out = self.out, []
        silent = self.stalled or self.closing
        if self._faults.touches_messages:
            due = list(self._faulty(due, now_s))
        if due and not silent:
            self.transport.write(b"".join(due))
        hang_up = 0 < self._hang_up_at <= self._sent
        if hang_up or self.transport.get_write_buffer_size() > _TOO_SLOW:
            self._faults.count("hang_up" if hang_up else "too slow")
            self.transport.abort()
            return False
        return True

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the socket is closed when the client has answered, or soon."""
        if self.closing or self.transport.is_closing():
            return
        self.closing = True
        if not self.stalled:
            self.transport.write(frames.closing(code, reason))
        asyncio.get_running_loop().call_later(_PATIENCE_S, self.transport.close)

    def abort(self) -> None:
        self.transport.abort()

    def _faulty(self, due: list[bytes], now_s: float) -> Iterator[bytes]:
        while self._held and self._held[0][0] <= now_s:
            yield self._held.popleft()[1]
        for frame in due:
            self._sent += 1
            if 0 < self._hang_up_at <= self._sent:
                return
            if 0 < self._stall_at <= self._sent and not self.stalled:
                self._faults.count("stall")
                self.stalled = True
                return
            for told, late_s in self._one(frame):
                if late_s or self._held:
                    ready = max(now_s + late_s, self._held[-1][0] if self._held else 0.0)
                    self._held.append((ready, told))
                else:
                    yield told

    def _one(self, frame: bytes) -> Iterator[tuple[bytes, float]]:
        """What becomes of a frame: frames, and how much later they come."""
        fault = self._faults.of_message(self._number, self._sent)
        late_s = self._faults.config.hold_ms / 1000 if fault is MessageFault.HOLD else 0.0
        if fault is MessageFault.SPOIL:
            payload = frames.payload_of(frame)
            frame = frames.frame(payload[: len(payload) // 2])
        swapped, self._swapped = self._swapped, None
        if fault is MessageFault.SWAP and swapped is None:
            self._swapped = frame
        elif fault is not MessageFault.LOSE:
            yield frame, late_s
            if fault is MessageFault.REPEAT:
                yield frame, late_s
        if swapped is not None:
            yield swapped, 0.0
