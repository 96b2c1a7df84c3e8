"""Streams of the local exchange: what they say fits together, and their rules are the venue's."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from truewind.exchange import ExchangeConfig, LocalExchange
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

MARKET = {"symbols": ("BTCUSDT", "SOLUSDT"), "start": "2024-01-01", "days": 3}
MINUTE_US = 60_000_000
Body = Callable[[LocalExchange, aiohttp.ClientSession], Awaitable[None]]


def played(body: Body, **settings: Any) -> LocalExchange:
    """Run `body` against an exchange whose time only moves when it is moved."""
    config = ExchangeConfig.model_validate({"synthetic": MARKET, "speed": 0.0, "limits": False, **settings})
    exchange = LocalExchange(config)

    async def run() -> None:
        async with exchange, aiohttp.ClientSession() as session:
            await body(exchange, session)

    asyncio.run(run())
    return exchange


async def ask(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as reply:
        return await reply.json()


async def heard(socket: aiohttp.ClientWebSocketResponse, quiet_s: float = 0.3) -> list[Any]:
    """All that comes until nothing has come for a while."""
    found = []
    while True:
        try:
            message = await asyncio.wait_for(socket.receive(), quiet_s)
        except TimeoutError:
            return found
        if message.type is aiohttp.WSMsgType.TEXT:
            found.append(json.loads(message.data))
        elif message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
            return found


@pytest.fixture(scope="module")
def bars_alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake with minutes of both markets, and nothing else."""
    folder = tmp_path_factory.mktemp("bars")
    market = SyntheticMarket(SyntheticConfig.model_validate(MARKET))
    for venue in ("binance", "binance_usdm"):
        for about in market.instruments():
            Lake(folder).put_instrument(msgspec.structs.replace(about, venue=venue))
            Lake(folder).write(SeriesKey("bars", venue, about.symbol, "1m"), market.bars(about.symbol))
    return str(folder)


@pytest.mark.parametrize(("market", "prefix"), [("spot", "/api/v3"), ("usdm", "/fapi/v1")])
@pytest.mark.parametrize("source", ["synthetic", "bars"])
def test_what_was_streamed_is_what_rest_gives(market: str, prefix: str, source: str, bars_alone: str) -> None:
    """Trades by id, bars by time, and bars as the sum of the trades; the book as the snapshot and its updates."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        rest, ws = getattr(exchange.hosts, f"{market}_rest"), getattr(exchange.hosts, f"{market}_ws")
        names = "btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@depth@100ms/btcusdt@bookTicker"
        begin = exchange.clock.now_us()
        async with session.ws_connect(f"{ws}/stream?streams={names}") as socket:
            before = await ask(session, f"{rest}{prefix}/depth?symbol=BTCUSDT&limit=1000")
            exchange.move_to(begin + 5 * MINUTE_US + 1000)
            by_stream: dict[str, list[Any]] = defaultdict(list)
            for message in await heard(socket):
                by_stream[message["stream"]].append(message["data"])
        trades = by_stream["btcusdt@aggTrade"]
        url = f"{rest}{prefix}/aggTrades?symbol=BTCUSDT&limit=1000&fromId={trades[0]['a']}"
        _check_trades(trades, await ask(session, url))
        closed = [message["k"] for message in by_stream["btcusdt@kline_1m"] if message["k"]["x"]]
        url = f"{rest}{prefix}/klines?symbol=BTCUSDT&interval=1m&limit=5&startTime={begin // 1000}"
        _check_bars(closed, await ask(session, url), trades)
        after = await ask(session, f"{rest}{prefix}/depth?symbol=BTCUSDT&limit=1000")
        _check_book(before, by_stream["btcusdt@depth@100ms"], after, chained=market == "usdm")
        best = by_stream["btcusdt@bookTicker"][-1]
        assert [best["b"], best["B"]] == after["bids"][0]
        assert [best["a"], best["A"]] == after["asks"][0]

    played(body, **({"synthetic": None, "lake": bars_alone, "start": "2024-01-03"} if source == "bars" else {}))


def test_marks_that_are_streamed_make_the_bars_of_rest() -> None:
    """Open, extremes and close of the minute's sixty mark prices."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        begin = exchange.clock.now_us()
        exchange.move_to(begin + MINUTE_US - 500_000)
        async with session.ws_connect(f"{exchange.hosts.usdm_ws}/ws/btcusdt@markPrice@1s") as socket:
            exchange.move_to(begin + 4 * MINUTE_US - 500_000)
            marks = [message["p"] for message in await heard(socket)]
        url = f"{exchange.hosts.usdm_rest}/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1m&limit=3"
        bars = await ask(session, f"{url}&startTime={(begin + MINUTE_US) // 1000}")
        for number, bar in enumerate(bars):
            inside = marks[60 * number : 60 * number + 60]
            assert bar[1:5] == [inside[0], max(inside, key=float), min(inside, key=float), inside[-1]]

    played(body)


def _check_trades(streamed: list[Any], rest: list[Any]) -> None:
    told = [{name: trade[name] for name in ("a", "p", "q", "T", "m")} for trade in streamed]
    assert len(told) > 100
    assert told[:1000] == [{name: trade[name] for name in ("a", "p", "q", "T", "m")} for trade in rest][: len(told)]


def _check_bars(closed: list[Any], bars: list[Any], trades: list[Any]) -> None:
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    assert [[bar[name] for name in names] for bar in closed] == bars
    for bar in closed:
        inside = [trade for trade in trades if bar["t"] <= trade["T"] <= bar["T"]]
        prices = [float(trade["p"]) for trade in inside]
        assert [float(bar[name]) for name in "ohlc"] == [prices[0], max(prices), min(prices), prices[-1]]
        assert float(bar["v"]) == pytest.approx(sum(float(trade["q"]) for trade in inside), rel=1e-12)
        assert float(bar["V"]) == pytest.approx(sum(float(t["q"]) for t in inside if not t["m"]), rel=1e-12)
        assert (bar["n"], bar["f"], bar["L"]) == (len(inside), inside[0]["a"], inside[-1]["a"])


def _check_book(before: Any, updates: list[Any], after: Any, *, chained: bool) -> None:
    """The venue's rules: drop what the snapshot has, no gap in the ids, absolute quantities."""
    sides = {"b": dict(before["bids"]), "a": dict(before["asks"])}
    last = before["lastUpdateId"]
    for update in updates:
        if update["u"] <= last:
            continue
        assert update["U"] == last + 1
        assert not chained or update["pu"] == last
        for name, side in sides.items():
            for price, quantity in update[name]:
                side.pop(price, None)
                if float(quantity):
                    side[price] = quantity
        last = update["u"]
        assert max(map(float, sides["b"])) < min(map(float, sides["a"]))
    assert last == after["lastUpdateId"]
    assert sides["b"] == dict(after["bids"])
    assert sides["a"] == dict(after["asks"])


def test_subscribing_has_the_venues_words() -> None:
    """Examples of "Live Subscribing/Unsubscribing to streams"."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{exchange.hosts.usdm_ws}/ws") as socket:
            for text, answer in (
                (
                    '{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@depth"],"id":1}',
                    {"result": None, "id": 1},
                ),
                ('{"method":"LIST_SUBSCRIPTIONS","id":3}', {"result": ["btcusdt@aggTrade", "btcusdt@depth"], "id": 3}),
                ('{"method":"UNSUBSCRIBE","params":["btcusdt@depth"],"id":312}', {"result": None, "id": 312}),
                ('{"method":"SET_PROPERTY","params":["combined",true],"id":5}', {"result": None, "id": 5}),
                ('{"method":"GET_PROPERTY","params":["combined"],"id":2}', {"result": True, "id": 2}),
            ):
                await socket.send_str(text)
                assert await socket.receive_json() == answer
            for text, code in (
                ('{"method":"SET_PROPERTY","params":["colour",true],"id":1}', 0),
                ('{"method":"SET_PROPERTY","params":["combined",3],"id":1}', 1),
                ('{"method":"JUMP","id":1}', 2),
                ("{", 3),
            ):
                await socket.send_str(text)
                assert (await socket.receive_json())["error"]["code"] == code
            exchange.move_to(exchange.clock.now_us() + MINUTE_US)
            assert {message["stream"] for message in await heard(socket)} == {"btcusdt@aggTrade"}

    played(body)


def test_limits_of_connections() -> None:
    """Too many streams, or too many messages a second, end a connection with a policy violation."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        names = "/".join(f"btcusdt@kline_{i}m{j}" for i in range(21) for j in range(10))
        async with session.ws_connect(f"{exchange.hosts.usdm_ws}/stream?streams={names}") as socket:
            await heard(socket)
            assert socket.close_code == 1008
        async with session.ws_connect(f"{exchange.hosts.spot_ws}/ws/btcusdt@trade") as socket:
            for id_ in range(12):
                await socket.send_str(f'{{"method":"LIST_SUBSCRIPTIONS","id":{id_}}}')
            answers = await heard(socket)
            assert 5 <= len(answers) <= 10  # five a second, and a second may begin in between
            assert socket.close_code == 1008

    played(body)


def test_old_sessions_end() -> None:
    """After 24 hours, here less, the venue closes; the client can come back."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{exchange.hosts.spot_ws}/ws/btcusdt@trade") as socket:
            message = await asyncio.wait_for(socket.receive(), 5)
            assert message.type is aiohttp.WSMsgType.CLOSE
        async with session.ws_connect(f"{exchange.hosts.spot_ws}/ws/btcusdt@trade") as socket:
            assert not socket.closed

    played(body, session_s=0.2)


@pytest.mark.parametrize(
    ("market", "name", "fields"),
    [
        ("spot", "btcusdt@trade", "e E s t p q T m M"),
        ("spot", "btcusdt@miniTicker", "e E s c o h l v q"),
        ("spot", "btcusdt@ticker", "e E s p P w x c Q b B a A o h l v q O C F L n"),
        ("spot", "btcusdt@depth5", "lastUpdateId bids asks"),
        ("spot", "btcusdt@bookTicker", "u s b B a A"),
        ("usdm", "btcusdt@markPrice@1s", "e E s p i P r T st"),
        ("usdm", "btcusdt@depth20@100ms", "e E T s U u pu b a ps st"),
        ("usdm", "btcusdt@bookTicker", "e u s b B a A T E ps st"),
        ("usdm", "btcusdt@ticker", "e E s p P w c Q o h l v q O C F L n st"),
    ],
)
def test_fields_of_messages(market: str, name: str, fields: str) -> None:
    """As the venue documents them, or as they were recorded (futures)."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{getattr(exchange.hosts, f'{market}_ws')}/ws/{name}") as socket:
            exchange.move_to(exchange.clock.now_us() + 4_000_000)
            messages = await heard(socket, 0.15)
        assert messages
        assert all(set(message) == set(fields.split()) for message in messages)

    played(body)


def test_microseconds_on_request() -> None:
    """Spot tells µs to connections that ask for them."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        url = f"{exchange.hosts.spot_ws}/ws/btcusdt@trade?timeUnit=MICROSECOND"
        async with session.ws_connect(url) as socket:
            exchange.move_to(exchange.clock.now_us() + 5_000_000)
            messages = await heard(socket, 0.15)
        assert all(len(str(message["T"])) == 16 for message in messages)

    played(body)


def test_the_firehose_tells_the_same_at_once() -> None:
    """As many messages as were asked for, those of the market in their order, then a goodbye."""
    names = "btcusdt@aggTrade/btcusdt@bookTicker"
    slow: list[Any] = []

    async def as_it_happens(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{exchange.hosts.usdm_ws}/stream?streams={names}") as socket:
            exchange.move_to(exchange.clock.now_us() + MINUTE_US)
            slow.extend(await heard(socket))

    async def at_once(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{exchange.hosts.usdm_ws}/stream?streams={names}") as socket:
            assert await heard(socket) == slow[:100]
            assert socket.close_code == 1000

    played(as_it_happens)
    played(at_once, firehose=100)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ("agg_trade_stream", "btcusdt@aggTrade"),
        ("book_ticker_stream", "btcusdt@bookTicker"),
        ("depth_update_stream", "btcusdt@depth@100ms"),
        ("kline_stream_open", "btcusdt@kline_1m"),
        ("mark_price_stream", "btcusdt@markPrice@1s"),
        ("ticker_stream", "btcusdt@ticker"),
        ("trade_stream", "btcusdt@trade"),
        ("liquidation_stream", "!forceOrder@arr"),
    ],
)
def test_messages_are_those_recorded(shared: Path, payload: str, name: str) -> None:
    """Every key of a recorded message, and its type; newer ones may come along."""
    items = json.loads((shared.parent / "payloads" / "nautilus_binance_futures_ws_market.json").read_text())["items"]
    wanted = next(item["payload"] for item in items if item["name"] == payload)

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{exchange.hosts.usdm_ws}/ws/{name}") as socket:
            exchange.move_to(exchange.clock.now_us() + (60 * MINUTE_US if "force" in name else 4_000_000))
            message = (await heard(socket, 0.15))[0]
        for inner in ("k", "o"):
            if isinstance(wanted.get(inner), dict):
                assert _types(wanted[inner]).items() <= _types(message[inner]).items()
        assert _types(wanted).items() <= _types(message).items()

    played(body)


def _types(message: dict[str, Any]) -> dict[str, str]:
    return {key: type(value).__name__ for key, value in message.items()}
