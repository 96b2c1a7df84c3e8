"""What goes wrong goes wrong by seed, as often as it was asked for, and looks as it does at the venue."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.exchange import ExchangeConfig, LocalExchange
from truewind.exchange.clock import ExchangeClock
from truewind.exchange.faults import FaultConfig, Faults, MessageFault, RequestFault
from truewind.exchange.limits import RequestLimits
from truewind.exchange.replies import RefusedError
from truewind.venues.binance.endpoints import LIMITS, endpoint

MARKET = {"symbols": ("BTCUSDT",), "start": "2024-01-01", "days": 2}
SECOND_US, MINUTE_US = 1_000_000, 60_000_000
Body = Callable[[LocalExchange, aiohttp.ClientSession], Awaitable[Any]]


def with_faults(body: Body, faults: dict[str, Any], **settings: Any) -> Any:
    config = ExchangeConfig.model_validate(
        {"synthetic": MARKET, "speed": 0.0, "limits": False, "faults": faults, **settings}
    )

    async def run() -> Any:
        async with LocalExchange(config) as exchange, aiohttp.ClientSession() as session:
            return await body(exchange, session)

    return asyncio.run(run())


async def outcome(session: aiohttp.ClientSession, url: str) -> str:
    """What came of a request, as a client sees it."""
    try:
        async with session.get(url) as reply:
            text = await reply.text()
            if reply.content_type == "text/html":
                return f"html {reply.status}"
            if reply.status != 200:
                return f"{reply.status} {reply.headers.get('Retry-After', '')}".strip()
    except aiohttp.ClientError as error:
        return type(error).__name__
    try:
        json.loads(text)
    except ValueError:
        return "no JSON" if text else "empty"
    return "fine"


def outcomes(seed: int, count: int = 60) -> list[str]:
    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> list[str]:
        url = f"{exchange.hosts.spot_rest}/api/v3/exchangeInfo"
        return [await outcome(session, url) for _ in range(count)]

    names = ("drop", "error", "limited", "banned", "html", "garbled", "empty")
    found: list[str] = with_faults(body, {"seed": seed, **dict.fromkeys(names, 0.12)})
    return found


def test_requests_fail_by_seed() -> None:
    """One seed, one sequence; all kinds of failure over real connections."""
    first = outcomes(3)
    assert outcomes(3, 20) == first[:20]
    assert outcomes(4, 20) != first[:20]
    seen = set(first)
    assert {"fine", "ServerDisconnectedError", "429 1", "418 1", "no JSON", "empty"} <= seen
    assert {"html 502", "html 200"} & seen
    assert {"500", "502", "503", "504"} & seen


@given(st.integers(0, 2**32), st.sampled_from(["drop", "slow", "error", "html"]))
def test_shares_are_kept(seed: int, name: str) -> None:
    """Of 2,000 requests a tenth, within five standard deviations; none where the path is not concerned."""
    faults = Faults(FaultConfig.model_validate({"seed": seed, name: 0.1, "only": "/api"}), "spot")
    hit = sum(faults.of_request("/api/v3/time")[0] is RequestFault(name) for _ in range(2000))
    assert abs(hit - 200) < 5 * (2000 * 0.1 * 0.9) ** 0.5
    assert faults.counts == {name: hit}
    assert all(faults.of_request("/other")[0] is RequestFault.NONE for _ in range(50))


def test_an_answer_lost_may_have_been_work_done() -> None:
    """A dropped request was done in about half of the cases: clients must not think that it was not."""
    faults = Faults(FaultConfig(drop=1.0), "spot")
    before = sum(faults.drops_before(number) for number in range(1000))
    assert 400 < before < 600


async def _stream(exchange: LocalExchange, session: aiohttp.ClientSession, seconds: int = 60) -> list[str]:
    """The trades of a while as a client hears them, as text."""
    heard = []
    async with session.ws_connect(f"{exchange.hosts.usdm_ws}/ws/btcusdt@aggTrade") as socket:
        exchange.move_to(exchange.clock.now_us() + seconds * SECOND_US)
        while True:
            try:
                message = await asyncio.wait_for(socket.receive(), 0.4)
            except TimeoutError:
                return heard
            if message.type is not aiohttp.WSMsgType.TEXT:
                return [*heard, message.type.name]
            heard.append(message.data)


def _ids(heard: list[str]) -> list[int]:
    return [json.loads(text)["a"] for text in heard]


def test_messages_are_lost_repeated_swapped_and_spoiled() -> None:
    """Against the same market without faults."""
    fine = with_faults(_stream, {})
    ids = _ids(fine)
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    lost = _ids(with_faults(_stream, {"lose": 0.2}))
    assert lost == sorted(lost)
    assert 0.6 < len(lost) / len(ids) < 0.95
    twice = Counter(_ids(with_faults(_stream, {"repeat": 0.2})))
    assert set(twice) == set(ids)
    assert 0.05 < sum(count == 2 for count in twice.values()) / len(ids) < 0.4
    swapped = _ids(with_faults(_stream, {"swap": 0.2}))
    assert sorted(swapped)[: len(ids) - 1] == ids[: len(swapped)][: len(ids) - 1]
    assert any(after < before for before, after in pairwise(swapped))
    spoiled = with_faults(_stream, {"spoil": 0.2})
    assert len(spoiled) == len(fine)
    assert 0 < sum(text not in fine for text in spoiled) < len(fine)
    held = _ids(with_faults(_stream, {"hold": 0.1, "hold_ms": 20}))
    assert held == ids


def test_sockets_stall_and_hang_up() -> None:
    """Half-open: silence and no close. Hung up: closed without a goodbye."""
    fine = with_faults(_stream, {})
    assert with_faults(_stream, {"stall": 1.0, "stall_after": 7}) == fine[:7]
    hung = with_faults(_stream, {"hang_up": 1.0, "hang_up_after": 7})
    assert hung[:-1] == fine[:7]
    assert hung[-1] in ("CLOSED", "ERROR")


def test_outages_and_restarts() -> None:
    """One endpoint down while others answer; all connections closed by a restart, and open again after it."""

    async def partial(exchange: LocalExchange, session: aiohttp.ClientSession) -> list[str]:
        rest = exchange.hosts.usdm_rest
        return [await outcome(session, f"{rest}/fapi/v1/{name}") for name in ("time", "exchangeInfo")]

    down = {"outages": [{"market": "usdm", "path": "/fapi/v1/exchangeInfo", "from_s": 0, "to_s": 60}]}
    assert with_faults(partial, down) == ["fine", "503"]

    async def restart(exchange: LocalExchange, session: aiohttp.ClientSession) -> list[str]:
        url, found = f"{exchange.hosts.spot_rest}/api/v3/ping", ["fine"]
        socket = await session.ws_connect(f"{exchange.hosts.spot_ws}/ws/btcusdt@trade")
        while found.count("fine") < 2 and exchange.since_s() < 20:
            what = await outcome(session, url)
            if what != found[-1]:
                found.append(what)
            await asyncio.sleep(0.01)
        return [*found, (await asyncio.wait_for(socket.receive(), 5)).type.name]

    found = with_faults(restart, {"restart_s": 1.0, "restart_for_s": 0.2})
    assert found[-2] == "fine"  # away, and back
    assert len(found) >= 4
    assert found[-1] in ("CLOSED", "ERROR")


def test_the_told_time_is_skewed() -> None:
    """The market's time is not."""

    async def body(exchange: LocalExchange, session: aiohttp.ClientSession) -> int:
        async with session.get(f"{exchange.hosts.usdm_rest}/fapi/v1/time") as reply:
            return int((await reply.json())["serverTime"]) - exchange.markets["usdm"].now_us // 1000

    assert with_faults(body, {"skew_ms": -700}) == -700


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_weight_is_counted_refused_and_banned() -> None:
    """6000 a minute at spot: then 429 with the seconds left, then, for who goes on, 418; a new minute forgives."""
    limits = RequestLimits(LIMITS["spot"])
    line = endpoint("spot", "GET", "/api/v3/klines")
    assert line is not None
    now = 1_704_067_200 * SECOND_US + 10 * SECOND_US
    for number in range(1, 3001):
        assert limits.take("a", line, 2, now)["X-MBX-USED-WEIGHT-1M"] == str(2 * number)
    with pytest.raises(RefusedError) as refused:
        limits.take("a", line, 2, now)
    assert (refused.value.status, refused.value.error.code) == (429, -1003)
    assert refused.value.headers["Retry-After"] == "50"
    limits.take("b", line, 2, now)  # another address
    for _ in range(10):
        with pytest.raises(RefusedError) as refused:
            limits.take("a", line, 2, now)
    assert refused.value.status == 418
    assert refused.value.headers["Retry-After"] == "120"
    with pytest.raises(RefusedError):
        limits.take("a", line, 2, now + 60 * SECOND_US)
    assert limits.take("a", line, 2, now + 121 * SECOND_US)["X-MBX-USED-WEIGHT-1M"] == "2"


def test_statistics_have_an_allowance_of_their_own() -> None:
    """/futures/data: a thousand requests in five minutes, no weight."""
    limits = RequestLimits(LIMITS["usdm"])
    line = endpoint("usdm", "GET", "/futures/data/openInterestHist")
    assert line is not None
    for _ in range(1000):
        assert limits.take("a", line, 1, 0)["X-MBX-USED-WEIGHT-1M"] == "0"
    with pytest.raises(RefusedError) as refused:
        limits.take("a", line, 1, 0)
    assert refused.value.headers["Retry-After"] == "300"


@pytest.mark.parametrize(
    ("market", "path", "parameters", "weight"),
    [
        ("spot", "/api/v3/depth", {}, 5),
        ("spot", "/api/v3/depth", {"limit": "5000"}, 250),
        ("spot", "/api/v3/ticker/24hr", {}, 80),
        ("spot", "/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}, 2),
        ("spot", "/api/v3/ticker/24hr", {"symbols": json.dumps(["A"] * 21)}, 40),
        ("spot", "/api/v3/ticker/price", {}, 4),
        ("usdm", "/fapi/v1/klines", {"limit": "99"}, 1),
        ("usdm", "/fapi/v1/klines", {"limit": "100"}, 2),
        ("usdm", "/fapi/v1/klines", {}, 5),
        ("usdm", "/fapi/v1/klines", {"limit": "1500"}, 10),
        ("usdm", "/fapi/v1/depth", {"limit": "50"}, 2),
        ("usdm", "/fapi/v1/depth", {}, 10),
        ("usdm", "/fapi/v1/premiumIndex", {}, 10),
    ],
)
def test_weights_are_those_documented(market: str, path: str, parameters: dict[str, str], weight: int) -> None:
    """From the venue's pages of each endpoint."""
    line = endpoint(market, "GET", path)
    assert line is not None
    assert line.weight(parameters) == weight


def test_the_clock_runs_at_its_speed() -> None:
    """Ten seconds a second from its start; it jumps ahead and never goes back."""
    wall = [0]
    clock = ExchangeClock(1000, 10.0, skew_us=5, wall=lambda: wall[0])
    assert clock.now_us() == 1000
    wall[0] = 7
    assert (clock.now_us(), clock.told_us()) == (1070, 1075)
    clock.move_to(5000)
    clock.move_to(2000)
    assert clock.now_us() == 5000
    wall[0] = 8
    assert clock.now_us() == 5010
    wall[0] = 0
    assert clock.now_us() == 5010


def test_message_faults_are_a_function_of_their_number() -> None:
    """Whatever was asked before."""
    config = FaultConfig(lose=0.3, repeat=0.3)
    one, other = Faults(config, "spot"), Faults(config, "spot")
    told = [one.of_message(2, number) for number in range(100)]
    assert [other.of_message(2, number) for number in reversed(range(100))] == told[::-1]
    assert {MessageFault.LOSE, MessageFault.REPEAT, MessageFault.NONE} == set(told)


def test_the_faults_of_the_page_are_faults() -> None:
    """The example in docs/exchange.md can be used as it stands; a misspelt name is told with the right one."""
    from pathlib import Path

    import yaml

    from truewind.config import parse
    from truewind.errors import ConfigError

    page = (Path(__file__).resolve().parents[2] / "docs" / "exchange.md").read_text()
    example = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    assert parse(FaultConfig, example).outages[0].path == "/fapi/v1/klines"
    with pytest.raises(ConfigError, match="garbled"):
        parse(FaultConfig, {"garbeld": 0.1})


def test_a_replay_waits_until_its_exchange_opens() -> None:
    """What getting ready takes is not lost of the market; the wall's time is the wall's."""
    wall = [0]
    replay, live = ExchangeClock(1000, 300.0, wall=lambda: wall[0]), ExchangeClock(wall=lambda: wall[0])
    wall[0] = 50
    for clock in (replay, live):
        clock.open()
    assert (replay.now_us(), live.now_us()) == (1000, 50)
