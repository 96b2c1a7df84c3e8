"""What Binance's WebSockets say, typed: market streams of spot and USD-M futures, and answers to requests on a socket.

A message is decoded by the name of its stream, which tells its type and market; fields that are not named here pass,
as a newer protocol may have them. Prices and quantities are numbers here: the text of each is read once, by the
decoder. Sources: binance-spot-api-docs `web-socket-streams.md`; "Websocket Market Streams" of USD-M futures on
developers.binance.com. User data: `user_messages`.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import field

from truewind.domain.timeframe import timeframe_name, timeframe_us
from truewind.errors import ConfigError, ProtocolError

MARKETS = {"binance": "spot", "binance_usdm": "usdm"}  # by the venue of a lake key
VENUES = {market: venue for venue, market in MARKETS.items()}

Id = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Stamp = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]  # ms or µs: `micros` tells
Levels = list[tuple[float, float]]  # price, quantity


class _Filled(msgspec.Struct, gc=False):
    event: Stamp = field(name="E")
    symbol: str = field(name="s")
    price: float = field(name="p")
    quantity: float = field(name="q")
    time: Stamp = field(name="T")
    sold: bool = field(name="m")


class AggTrade(_Filled, gc=False):
    """Fills of one taking order at one price. sold: the buyer was the maker, so the taker sold."""

    id: Id = field(name="a")


class Trade(_Filled, gc=False):
    """One fill."""

    id: Id = field(name="t")


class Candle(msgspec.Struct, gc=False):
    """The body of a kline. end: the last millisecond (or microsecond) that is part of it."""

    start: Stamp = field(name="t")
    end: Stamp = field(name="T")
    symbol: str = field(name="s")
    timeframe: str = field(name="i")
    open: float = field(name="o")
    high: float = field(name="h")
    low: float = field(name="l")
    close: float = field(name="c")
    volume: float = field(name="v")
    trades: Id = field(name="n")
    closed: bool = field(name="x")
    quote_volume: float = field(name="q")
    taker_buy_volume: float = field(name="V")


class Kline(msgspec.Struct, gc=False):
    event: Stamp = field(name="E")
    symbol: str = field(name="s")
    candle: Candle = field(name="k")


class DepthUpdate(msgspec.Struct, gc=False):
    """Levels that changed, by their new totals. previous: the final id of the message before, −1 on spot, which has no
    `pu`. time: when it was matched, 0 on spot."""

    event: Stamp = field(name="E")
    symbol: str = field(name="s")
    first: Id = field(name="U")
    final: Id = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    previous: int = field(default=-1, name="pu")
    time: Stamp = field(default=0, name="T")


class PartialDepth(msgspec.Struct, gc=False):
    """The best levels of a spot book: neither symbol nor time are told."""

    final: Id = field(name="lastUpdateId")
    bids: Levels
    asks: Levels


class BookTicker(msgspec.Struct, gc=False):
    """The best prices. time: when it was matched, 0 on spot, which tells none."""

    id: Id = field(name="u")
    symbol: str = field(name="s")
    bid: float = field(name="b")
    bid_quantity: float = field(name="B")
    ask: float = field(name="a")
    ask_quantity: float = field(name="A")
    time: Stamp = field(default=0, name="T")


class MarkPrice(msgspec.Struct, gc=False):
    """rate is a number as text, and "" with next_funding 0 where no funding is due (delivery contracts)."""

    event: Stamp = field(name="E")
    symbol: str = field(name="s")
    mark: float = field(name="p")
    index: float = field(name="i")
    rate: str = field(name="r")
    next_funding: Stamp = field(name="T")


class Liquidated(msgspec.Struct, gc=False):
    """The body of a forceOrder. side: of the order that closes the position."""

    symbol: str = field(name="s")
    side: str = field(name="S")
    price: float = field(name="p")
    average: float = field(name="ap")
    quantity: float = field(name="q")
    time: Stamp = field(name="T")


class ForceOrder(msgspec.Struct, gc=False):
    event: Stamp = field(name="E")
    order: Liquidated = field(name="o")


class DayTicker(msgspec.Struct, gc=False):
    """The last 24 hours."""

    event: Stamp = field(name="E")
    symbol: str = field(name="s")
    last: float = field(name="c")
    open: float = field(name="o")
    high: float = field(name="h")
    low: float = field(name="l")
    volume: float = field(name="v")
    quote_volume: float = field(name="q")
    trades: Id = field(name="n")


class Problem(msgspec.Struct, gc=False):
    code: int = 0
    msg: str = ""


class Reply(msgspec.Struct, gc=False):
    """An answer to SUBSCRIBE and its like: `error` where it was refused, `result` null or a list where not."""

    id: int | str | None = None
    result: Any = None
    error: Problem | None = None
    code: int = 0  # of spot's older form, which has no `error`
    msg: str = ""


class Shutdown(msgspec.Struct, gc=False, tag_field="e", tag="serverShutdown"):
    """The server will close the connection within minutes."""


class Stream(msgspec.Struct, frozen=True):
    """What a stream's name says. symbol: in capitals, "" for all symbols. channel: aggTrade, kline, depth … without its
    speed; timeframe of klines; levels of partial depth, else 0."""

    market: str
    name: str
    symbol: str
    channel: str
    timeframe: str = ""
    levels: int = 0

    @property
    def route(self) -> str:
        """The path before `/stream`. Futures have one for what comes with every order, one for the rest."""
        if self.market == "spot":
            return ""
        return "/public" if self.channel in _PUBLIC else "/market"


_PUBLIC = ("depth", "bookTicker", "trade")
_DEPTH = re.compile(r"depth(5|10|20)?(@(0|100|250|500|1000)ms)?")
_KLINE = re.compile(r"kline_(\w+)")
_MARK = re.compile(r"markPrice(@arr)?(@1s)?")
_PLAIN = {
    "spot": ("aggTrade", "trade", "bookTicker", "ticker"),
    "usdm": ("aggTrade", "trade", "bookTicker", "forceOrder", "ticker"),
}
_TYPES: dict[str, Any] = {
    "aggTrade": AggTrade,
    "trade": Trade,
    "kline": Kline,
    "depth": DepthUpdate,
    "bookTicker": BookTicker,
    "markPrice": MarkPrice,
    "forceOrder": ForceOrder,
    "ticker": DayTicker,
}


def parse_stream(market: str, name: str) -> Stream:
    """The stream `name` ("btcusdt@kline_1m", "!forceOrder@arr") of a market. Raises ConfigError if there is none."""
    symbol, at, rest = name.partition("@")
    if name.startswith("!"):
        symbol, rest = "", name[1:].removesuffix("@arr") if not name.startswith("!markPrice") else name[1:]
    found = _channel(market, rest) if at or name.startswith("!") else None
    if found is None or symbol != symbol.lower():
        raise ConfigError(
            f"Binance has no stream '{name}' of {market}",
            remedy="Write as in btcusdt@aggTrade, btcusdt@kline_1m, btcusdt@depth@100ms, btcusdt@bookTicker",
        )
    channel, timeframe, levels = found
    return Stream(market, name, symbol.upper(), channel, timeframe, levels)


def _channel(market: str, text: str) -> tuple[str, str, int] | None:
    if text in _PLAIN[market]:
        return text, "", 0
    if market == "usdm" and _MARK.fullmatch(text):
        return "markPrice", "", 0
    if depth := _DEPTH.fullmatch(text):
        return "depth", "", int(depth[1] or 0)
    if kline := _KLINE.fullmatch(text):
        try:
            return "kline", timeframe_name(timeframe_us(kline[1])), 0
        except ConfigError:
            return None  # 1M: a calendar month has no fixed length
    return None


def stream_name(symbol: str, what: str) -> str:
    """stream_name("BTCUSDT", "kline_1m") == "btcusdt@kline_1m"."""
    return f"{symbol.lower()}@{what}"


def message_decoder(stream: Stream, *, combined: bool = True) -> Callable[[bytes], Any]:
    """What decodes frames of a stream into its messages: one, or a list where the stream is of all symbols at once.

    combined: frames are wrapped as `/stream` does it. The decoder raises ProtocolError.
    """
    about = _TYPES[stream.channel]
    if stream.levels and stream.market == "spot":
        about = PartialDepth
    if stream.name.endswith("@arr") or "@arr@" in stream.name:
        about = ForceOrder if stream.channel == "forceOrder" else list[about]  # type: ignore[valid-type]  # chosen as it runs
    if combined:
        about = msgspec.defstruct("Frame", [("data", about)], gc=False)
    decode = msgspec.json.Decoder(about, strict=False).decode

    def message(frame: bytes) -> Any:
        try:
            found = decode(frame)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(
                f"{stream.name}: the message is not what Binance documents: {error}",
                remedy="It was set aside; if all are so, the protocol has changed: look for a newer truewind",
                stream=stream.name,
                reason=str(error).partition(":")[0].partition(" (")[0],
            ) from None
        return found.data if combined else found

    return message


def stream_of(frame: bytes) -> bytes:
    """The name of the stream in a frame of `/stream`, b"" if it is no such frame."""
    if frame.startswith(b'{"stream":"'):
        end = frame.find(b'"', 11)
        return frame[11:end] if end > 0 else b""
    try:
        return _named(frame).stream.encode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b""


class _Named(msgspec.Struct, gc=False):
    stream: str = ""


_named = msgspec.json.Decoder(_Named).decode
reply = msgspec.json.Decoder(Reply).decode
shutdown = msgspec.json.Decoder(Shutdown).decode


def micros(stamp: int, what: str) -> int:
    """A stamp of the venue in µs: 13 digits are milliseconds, 16 microseconds, and nothing else is a time.

    Raises ProtocolError, with `what` it is the time of.
    """
    if 10**12 <= stamp < 10**13:
        return stamp * 1000
    if 10**15 <= stamp < 10**16:
        return stamp
    raise ProtocolError(
        f"{what}: {stamp} is a time neither in milliseconds nor in microseconds",
        remedy="The message was set aside",
        reason="a time in no known unit",
    )
