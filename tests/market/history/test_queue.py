"""The request queue against a venue that counts strictly, in virtual time."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.history.virtual import StrictVenue, VirtualLoop, run
from profiles import examples
from truewind.errors import LimitedError, ProtocolError, RejectedError, UnreachableError
from truewind.market.history.queue import Queue
from truewind.market.http import Reply
from truewind.venues.binance.endpoints import LIMITS, Budget, endpoint

ADDRESS = "http://venue"
TIME = b'{"serverTime": 1700000000000}'


def same(data: bytes) -> bytes:
    return data


def busy(venue: StrictVenue, path: str, parameters: dict[str, str], seconds: float, **settings: object) -> Queue:
    """Ask without end for some virtual time."""
    queue = Queue(venue, ADDRESS, venue.market, now_us=venue.loop.now_us, **settings)

    async def one() -> None:
        while venue.loop.time() < seconds:
            await queue.get(path, parameters, same)

    async def all_at_once() -> None:
        await asyncio.gather(*(one() for _ in range(32)))

    run(all_at_once(), venue.loop)
    return queue


@pytest.mark.parametrize(
    ("market", "path", "parameters"),
    [
        ("spot", "/api/v3/aggTrades", {}),
        ("usdm", "/fapi/v1/klines", {"limit": "499"}),
        ("usdm", "/fapi/v1/aggTrades", {}),
        ("usdm", "/futures/data/openInterestHist", {}),
        ("usdm", "/fapi/v1/fundingRate", {}),
    ],
)
def test_the_budget_is_used_and_never_exceeded(market: str, path: str, parameters: dict[str, str]) -> None:
    """At least 95 % of the venue's own limit in every whole window, and not one refusal."""
    loop = VirtualLoop()
    venue = StrictVenue(loop, market, ahead_s=17.7)
    line = endpoint(market, "GET", path)
    assert line is not None
    limits = LIMITS[market]
    allowance = limits.weight if line.budget is Budget.WEIGHT else limits.budgets[line.budget]
    busy(venue, path, parameters, 3.5 * allowance.seconds)
    assert venue.refused == 0
    whole = [used for (budget, _), used in sorted(venue.used.items()) if budget == line.budget.value][1:-1]
    assert len(whole) >= 2
    assert min(whole) >= 0.95 * allowance.limit


@given(
    ahead=st.floats(-500, 500),
    delay=st.floats(0.0, 2.0),
    seed=st.integers(0, 99),
    others=st.integers(0, 1200),
)
@examples(15)
def test_whatever_the_clock_and_the_delay_nothing_is_refused(
    ahead: float, delay: float, seed: int, others: int
) -> None:
    """Also where somebody else uses half of what the address may."""
    loop = VirtualLoop()
    venue = StrictVenue(loop, "usdm", ahead_s=ahead, delay_s=delay, others=others, seed=seed)
    busy(venue, "/fapi/v1/aggTrades", {}, 150.0)
    assert venue.refused == 0


class Script:
    """A transport that answers what it was told to, one reply or error after the other, the last for ever."""

    def __init__(self, loop: VirtualLoop, *answers: Reply | Exception) -> None:
        self.loop, self.answers, self.asked = loop, list(answers), 0

    async def get(self, url: str, parameters: Mapping[str, str]) -> Reply:
        self.asked += 1
        await asyncio.sleep(0.01)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


GOOD = Reply(200, {}, TIME)


def outcome(
    *answers: Reply | Exception, decode: Callable[[bytes], object] = same, **settings: object
) -> tuple[object, Script]:
    """What one request ends with, and the transport that it used."""
    loop = VirtualLoop()
    script = Script(loop, *answers)
    queue = Queue(script, ADDRESS, "spot", now_us=loop.now_us, draw=lambda: 1.0, **settings)
    try:
        return run(queue.get("/api/v3/time", {}, decode), loop), script
    except Exception as error:
        return error, script


def test_a_limit_is_waited_for_as_long_as_the_venue_says() -> None:
    """429 with Retry-After, then an answer: asked twice, at least that long apart."""
    value, script = outcome(Reply(429, {"Retry-After": "17"}, b'{"code":-1003,"msg":"Too many requests"}'), GOOD)
    assert value == TIME
    assert script.asked == 2
    assert 17 <= script.loop.time() < 20


def test_a_long_ban_is_an_error_that_says_until_when() -> None:
    """418 for an hour: nobody waits, and nobody asks again."""
    value, script = outcome(Reply(418, {"Retry-After": "3600"}, b'{"code":-1003,"msg":"banned"}'))
    assert isinstance(value, LimitedError)
    assert value.facts["until_us"] > script.loop.now_us() + 3000 * 1_000_000
    assert script.asked == 1


def test_requests_behind_a_ban_do_not_wait_for_its_end() -> None:
    """The second request is refused at once, without being sent."""
    loop = VirtualLoop()
    script = Script(loop, Reply(418, {"Retry-After": "3600"}, b""))
    queue = Queue(script, ADDRESS, "spot", now_us=loop.now_us)

    async def two() -> None:
        for _ in range(2):
            with pytest.raises(LimitedError):
                await queue.get("/api/v3/time", {}, same)

    run(two(), loop)
    assert script.asked == 1


@pytest.mark.parametrize(
    "trouble",
    [
        UnreachableError("cut", host="x"),
        Reply(503, {}, b"<html>Service Unavailable</html>"),
        Reply(502, {}, b""),
        Reply(200, {}, b"<!DOCTYPE html><title>Welcome to our hotel</title>"),
        Reply(200, {}, b""),
        Reply(400, {}, b'{"code":-1001,"msg":"Internal error"}'),
    ],
    ids=["cut", "503", "502", "page", "nothing", "-1001"],
)
def test_what_may_be_better_next_time_is_asked_again(trouble: Reply | Exception) -> None:
    """One bad reply, then a good one."""
    value, script = outcome(trouble, GOOD)
    assert value == TIME
    assert script.asked == 2


def test_trouble_that_stays_is_told_after_growing_pauses() -> None:
    """8 attempts; pauses of at most 1, 2, 4 … 30 s."""
    value, script = outcome(UnreachableError("no route", host="x"))
    assert isinstance(value, UnreachableError)
    assert script.asked == 8
    assert script.loop.time() == pytest.approx(1 + 2 + 4 + 8 + 16 + 30 + 30, abs=0.2)


def test_errors_of_the_request_itself_are_not_repeated() -> None:
    """The venue's code and words reach the caller; so do refusals without any."""
    value, script = outcome(Reply(400, {}, b'{"code":-1121,"msg":"Invalid symbol."}'))
    assert isinstance(value, RejectedError)
    assert value.facts["code"] == -1121
    assert "Invalid symbol." in str(value)
    assert script.asked == 1
    value, _ = outcome(Reply(451, {}, b"unavailable for legal reasons"))
    assert isinstance(value, RejectedError)
    assert "country" in str(value)


def test_a_redirect_is_not_followed_and_not_repeated() -> None:
    """Whoever sends us elsewhere is not the venue."""
    value, script = outcome(UnreachableError("sent on to portal.example", redirected="portal.example"))
    assert isinstance(value, UnreachableError)
    assert script.asked == 1


def test_replies_that_stay_unreadable_are_a_protocol_error() -> None:
    """Asked four times, since a proxy may have cut some."""

    def refuse(_: bytes) -> object:
        raise ProtocolError("not what the documents say")

    value, script = outcome(GOOD, decode=refuse)
    assert isinstance(value, ProtocolError)
    assert script.asked == 4


def test_who_waits_for_one_budget_does_not_hold_up_another() -> None:
    """A hundred statistics beyond their five minutes' allowance; a kline comes all the same, at once."""
    loop = VirtualLoop()
    venue = StrictVenue(loop, "usdm")
    queue = Queue(venue, ADDRESS, "usdm", now_us=loop.now_us)

    async def both() -> float:
        statistics = [asyncio.ensure_future(queue.get("/futures/data/openInterestHist", {}, same)) for _ in range(1080)]
        await asyncio.sleep(20)
        assert sum(task.done() for task in statistics) == 980
        began = loop.time()
        await queue.get("/fapi/v1/klines", {}, same)
        took = loop.time() - began
        await asyncio.gather(*statistics)
        return took

    assert run(both(), loop) < 1
    assert venue.refused == 0
