"""A small TWS: it shakes hands and answers as the API's protocol has it, for the messages that history needs.

Messages are fields ended by a zero byte, behind their length in four bytes, big-endian.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

VERSION = 178
Fields = list[str]
Reply = Callable[[Fields], Sequence[Sequence[object]]]


def bars(request: str, rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Message 17: (date, open, high, low, close, volume, average, count) of each bar."""
    return [[17, request, "start", "end", len(rows), *(value for row in rows for value in row)]]


def ticks(message: int, request: str, rows: Sequence[Sequence[object]]) -> list[list[object]]:
    """Messages 97 (bid and ask) and 98 (trades), with the mark that they are all."""
    return [[message, request, len(rows), *(value for row in rows for value in row), 1]]


def error(request: str, code: int, words: str) -> list[list[object]]:
    """Message 4."""
    return [[4, 2, request, code, words, ""]]


def details(request: str, symbol: str, kind: str, currency: str, min_tick: str) -> list[list[object]]:
    """Messages 10 and 52: a contract, as far as the client reads it, and that there is no other one."""
    contract = [symbol, kind, "", 0, "", "IDEALPRO", currency, f"{symbol}.{currency}", "", "", 12, min_tick]
    about = ["", "", "", 1, 0, "name", "", "", "", "", "", "", "", "", "", 0, 0]
    return [[10, request, *contract, *about, 0, "", "", "", "", "", "1", "1", "1"], [52, 1, request]]


def request_of(fields: Fields) -> str:
    """The number of a request: where it stands depends on the message."""
    return fields[2] if fields[0] == "9" else fields[1]


@asynccontextmanager
async def tws(answer: Reply) -> AsyncIterator[tuple[str, list[Fields]]]:
    """The address of a TWS, and what it was asked. answer: of a request's fields, the messages to reply with."""
    asked: list[Fields] = []
    writers: list[asyncio.StreamWriter] = []

    def send(writer: asyncio.StreamWriter, *fields: object) -> None:
        text = "".join(f"{field}\0" for field in fields).encode()
        writer.write(struct.pack(">I", len(text)) + text)

    async def receive(reader: asyncio.StreamReader) -> bytes:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        return await reader.readexactly(length)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            assert await reader.readexactly(4) == b"API\0"
            assert (await receive(reader)).startswith(b"v157..")
            send(writer, VERSION, "20240308 14:30:00 UTC")
            while True:
                fields = (await receive(reader)).decode().split("\0")[:-1]
                if fields[0] == "71":
                    send(writer, 15, 1, "DU1")
                    send(writer, 9, 1, 1)
                elif fields[0] == "61":
                    send(writer, 62, 1)
                else:
                    asked.append(fields)
                    for message in answer(fields):
                        send(writer, *message)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{port}", asked
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


def window(fields: Fields) -> dict[str, Any]:
    """What a request for bars (20) wants, by the order of its fields."""
    return {
        "symbol": fields[3], "kind": fields[4], "end": fields[15], "size": fields[16], "length": fields[17],
        "session": fields[18], "what": fields[19],
    }  # fmt: skip
