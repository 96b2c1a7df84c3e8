"""A server of market streams for the bench: frames made beforehand, pushed as fast as the other side reads them, or at
a rate. It speaks as much of Binance's protocol as clients need to begin. usage: feed_server.py MESSAGES [RATE]

Prints its port. /stream… wraps frames as combined streams, every other path sends them bare. With a rate each message
says, as its time in µs, when it was sent.
"""

import asyncio
import json
import sys
import time

from picows import WSListener, WSMsgType, ws_create_server

CHUNK = 1 << 16
TICK_S = 0.001


def frame(payload: bytes) -> bytes:
    """A server's text frame."""
    n = len(payload)
    return (bytes([0x81, n]) if n < 126 else bytes([0x81, 126]) + n.to_bytes(2, "big")) + payload


def message(number: int, at: int, combined: bool) -> bytes:
    """Aggregate trade `number` of BTCUSDT."""
    text = b'{"e":"aggTrade","E":%d,"a":%d,"s":"BTCUSDT","p":"%d.10","q":"0.%03d","f":%d,"l":%d,"T":%d,"m":%s}' % (
        at,
        number,
        60_000 + number % 100,
        1 + number % 998,
        number,
        number,
        at,
        b"true" if number % 3 else b"false",
    )
    return frame(b'{"stream":"btcusdt@aggTrade","data":' + text + b"}" if combined else text)


class Feed(WSListener):
    """One client: told `count` messages once it has asked for a stream."""

    def __init__(self, path: bytes, count: int, rate: float) -> None:
        self.count, self.rate = count, rate
        self.combined, self.at_once = path.startswith((b"/stream", b"/market/stream")), b"streams=" in path
        self.free = asyncio.Event()
        self.free.set()
        self.begun = False

    def on_ws_connected(self, transport) -> None:
        self.transport = transport
        if self.at_once:
            self.begin()

    def on_ws_frame(self, transport, frame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            asked = json.loads(frame.get_payload_as_bytes())
            transport.send(WSMsgType.TEXT, json.dumps({"result": None, "id": asked["id"]}).encode())
            if asked["method"] == "SUBSCRIBE":
                self.begin()
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport) -> None:
        if self.begun:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.free.clear()

    def resume_writing(self) -> None:
        self.free.set()

    def begin(self) -> None:
        if not self.begun:
            self.begun = True
            self.task = asyncio.get_running_loop().create_task(self.push() if not self.rate else self.drip())

    async def push(self) -> None:
        now, chunks, chunk = time.time_ns() // 1_000_000, [], bytearray()
        for number in range(self.count):
            chunk += message(number, now, self.combined)
            if len(chunk) > CHUNK:
                chunks.append(bytes(chunk))
                chunk.clear()
        await asyncio.sleep(0.2)
        for piece in [*chunks, bytes(chunk)]:
            await self.free.wait()
            self.transport.underlying_transport.write(piece)
            await asyncio.sleep(0)

    async def drip(self) -> None:
        begin, sent = time.perf_counter(), 0
        while sent < self.count:
            await asyncio.sleep(TICK_S)
            await self.free.wait()
            due = min(self.count, int((time.perf_counter() - begin) * self.rate))
            now = time.time_ns() // 1000
            piece = b"".join(message(number, now, self.combined) for number in range(sent, due))
            self.transport.underlying_transport.write(piece)
            sent = due


async def main(count: int, rate: float) -> None:
    server = await ws_create_server(lambda request: Feed(request.path, count, rate), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
