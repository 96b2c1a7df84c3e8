"""As many messages as a client can take: the market's own, made beforehand, written in large pieces.

For measuring clients: a connection gets what its streams would have told, in order and with no pause, and is closed
with code 1000 after it.
"""

import asyncio
from collections.abc import Iterable, Iterator

from truewind.domain.timeframe import MINUTE_US
from truewind.exchange import frames
from truewind.exchange.candles import Unit
from truewind.exchange.connection import Connection
from truewind.exchange.events import Event
from truewind.exchange.feeds import Feed, make_feed
from truewind.exchange.market import Market

_PIECE = 1 << 18  # bytes of a write
_AHEAD = 1 << 21  # bytes that may wait in the socket's buffer


def prepared(market: Market, names: Iterable[str], unit: Unit, *, combined: bool, count: int) -> list[bytes]:
    """The first `count` frames that streams tell from now on, in pieces of whole frames; fewer if the market ends."""
    ahead = market.at(market.now_us)
    feeds = [feed for name in names if (feed := make_feed(name, ahead, unit))]
    due: list[bytes] = []
    told = 0

    def take(event: Event) -> None:
        nonlocal told
        for feed in feeds:
            answer = feed.takes.get(type(event))
            if answer is None or event.symbol not in feed.symbols:
                continue
            for message in answer(event):
                due.append(frames.frame(_text(feed, message, combined).encode()))
                told += 1

    ahead.listen(take)
    for feed in feeds:
        for symbol in feed.symbols:
            ahead.watch(symbol, feed.takes)
    while told < count and ahead.now_us < ahead.end_us:
        ahead.advance(ahead.now_us + MINUTE_US)
    return list(_pieces(due[:count]))


def _pieces(due: list[bytes]) -> Iterator[bytes]:
    """Frames joined to pieces of about _PIECE bytes."""
    begin = size = 0
    for at, frame in enumerate(due):
        size += len(frame)
        if size >= _PIECE:
            yield b"".join(due[begin : at + 1])
            begin, size = at + 1, 0
    if begin < len(due):
        yield b"".join(due[begin:])


async def pour(connection: Connection, pieces: list[bytes]) -> None:
    """Write all of it as fast as the client reads, then say goodbye."""
    for piece in pieces:
        while connection.transport.get_write_buffer_size() > _AHEAD:
            await asyncio.sleep(0.0005)
        if connection.transport.is_closing():
            return
        connection.transport.write(piece)
    connection.close(1000, "")


def _text(feed: Feed, message: str, combined: bool) -> str:
    return f'{{"stream":"{feed.name}","data":{message}}}' if combined else message
