"""A connection that was never made is not taken for one on which nothing is said."""

import asyncio

import pytest

from truewind.errors import UnreachableError
from truewind.market.stream.client import Connection

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@pytest.mark.parametrize("answer", [b"", ACCEPTED, ACCEPTED + b"Sec-WebSocket-Accept: wrong\r\n\r\n"])
def test_who_hangs_up_in_the_handshake_is_not_connected(answer: bytes) -> None:
    """Whether nothing was answered, half of it, or nonsense."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.transport.abort()

    async def connect() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(UnreachableError):
                await Connection(f"ws://127.0.0.1:{port}/ws", lambda text: None).open(5.0)

    asyncio.run(connect())
