"""Whatever happens on the way, what has a history arrives whole: drawn faults against an undisturbed run."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from market.stream.scripted import T0, Venue, kline, trade
from profiles import examples
from truewind.domain.market import Bar, Trade
from truewind.errors import RejectedError, UnreachableError
from truewind.market.stream import repair
from truewind.market.stream.binance import BinanceStreams
from truewind.market.stream.client import Connection
from truewind.market.stream.events import Depth, Lost, MarkPrice, StreamEvent
from truewind.market.stream.pool import Pace, Settings

QUICK = Settings(backoff_s=(0.001, 0.01), overlap_s=0.02, timeout_s=2.0)
TRADE, KLINE, DEPTH, MARK = "btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@depth@0ms", "btcusdt@markPrice@1s"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_GRACE_S", 0.01)


async def heard(streams: BinanceStreams, count: int) -> list[StreamEvent]:
    async with asyncio.timeout(10):
        return [await anext(streams.timeline) for _ in range(count)]


FATES = st.lists(
    st.sampled_from(["say", "say", "say", "drop", "twice", "swap", "hang up", "again", "fail"]), min_size=3, max_size=25
)


@examples(25)
@given(FATES, st.booleans())
@example(["drop", "say", "hang up", "drop", "swap", "fail", "drop"], True)
def test_trades_and_bars_are_those_of_an_undisturbed_run(fates: list[str], in_order: bool) -> None:
    async def scene() -> list[StreamEvent]:
        async with (
            Venue() as venue,
            BinanceStreams(venue.hosts, "usdm", [TRADE, KLINE], settings=QUICK, in_order=in_order) as streams,
        ):
            await venue.listeners(TRADE)
            await venue.trade(0)
            venue.bars.append(kline(0, True))
            await venue.say(KLINE, kline(0, True))
            held: list[int] = []
            for number, fate in enumerate([*fates, "say"], start=1):
                venue.trades.append(trade(number))
                venue.bars.append(kline(number, True))
                if fate == "hang up":
                    await venue.hang_up()
                    await venue.listeners(TRADE)
                if fate == "fail":
                    venue.fail_rest = 2
                told = {"drop": [], "twice": [number] * 2, "swap": [], "again": [number, max(0, number - 2)]}
                for n in [*told.get(fate, [number]), *held]:
                    await venue.say(TRADE, trade(n))
                    await venue.say(KLINE, kline(n, True))
                held = [number] if fate == "swap" else []
            return await heard(streams, 2 * (len(fates) + 2))

    events = asyncio.run(scene())
    last = len(fates) + 1
    trades = [event for event in events if isinstance(event, Trade)]
    bars = [event for event in events if isinstance(event, Bar)]
    ids, opens = [event.sequence for event in trades], [event.ts // 60_000_000 - T0 // 60_000 for event in bars]
    assert (sorted(ids), sorted(opens)) == (list(range(last + 1)), list(range(last + 1)))
    if in_order:
        assert (ids, opens) == (sorted(ids), sorted(opens))
    for event in trades:
        said = trade(event.sequence)
        assert (event.price, event.quantity) == (float(said["p"]), float(said["q"]))
        assert (event.ts_event, event.side) == (said["T"] * 1000, -1 if said["m"] else 1)
    receipts = [event.ts_recv for event in events]
    assert receipts == sorted(receipts) or not in_order


def update(first: int, final: int, previous: int, bid: int) -> dict[str, object]:
    ms = T0 + 10 * final
    return {
        "e": "depthUpdate",
        "E": ms,
        "T": ms,
        "s": "BTCUSDT",
        "U": first,
        "u": final,
        "pu": previous,
        "b": [[f"{bid}.0", "1.0"]],
        "a": [],
    }


def test_a_book_that_missed_an_update_asks_for_a_snapshot_and_says_what_was_lost() -> None:
    async def scene() -> list[StreamEvent]:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", [DEPTH], settings=QUICK) as streams:
            venue.book = {"lastUpdateId": 105, "T": T0 + 1050, "bids": [["99.0", "5.0"]], "asks": [["101.0", "4.0"]]}
            await venue.listeners(DEPTH)
            await venue.say(DEPTH, update(101, 104, 100, 98))  # in the snapshot already
            await venue.say(DEPTH, update(104, 107, 104, 97))  # joins it
            await venue.say(DEPTH, update(108, 109, 107, 96))
            events = await heard(streams, 3)
            venue.book = venue.book | {"lastUpdateId": 131}
            await venue.say(DEPTH, update(121, 130, 120, 95))  # 110 … 120 are missing
            await venue.say(DEPTH, update(131, 135, 130, 94))
            return events + await heard(streams, 3)

    first, joined, next_, second, lost, after = asyncio.run(scene())
    assert isinstance(first, Depth) and first.is_snapshot and first.sequence == 105  # noqa: PT018
    assert isinstance(joined, Depth) and (joined.first, joined.sequence, joined.bids) == (104, 107, [(97.0, 1.0)])  # noqa: PT018
    assert isinstance(next_, Depth) and next_.sequence == 109  # noqa: PT018
    assert isinstance(second, Depth) and second.is_snapshot and second.sequence == 131  # noqa: PT018
    assert isinstance(after, Depth) and after.sequence == 135  # noqa: PT018
    assert isinstance(lost, Lost)
    assert (lost.start_us, lost.end_us) == ((T0 + 1090) * 1000 + 1, (T0 + 1300) * 1000)


def test_an_overtaken_update_is_waited_for() -> None:
    async def scene() -> list[StreamEvent]:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", [DEPTH], settings=QUICK) as streams:
            venue.book = {"lastUpdateId": 100, "T": T0 + 1000, "bids": [], "asks": []}
            await venue.listeners(DEPTH)
            for first, previous in ((101, 100), (121, 120), (111, 110), (131, 130)):
                await venue.say(DEPTH, update(first, first + 9, previous, 98))
            return await heard(streams, 5)

    events = asyncio.run(scene())
    assert [event.sequence for event in events if isinstance(event, Depth)] == [100, 110, 120, 130, 140]


def mark(second: int) -> dict[str, object]:
    ms = T0 + 1000 * second
    return {
        "e": "markPriceUpdate",
        "E": ms,
        "s": "BTCUSDT",
        "p": "100.5",
        "i": "100.4",
        "P": "100.1",
        "r": "0.0001",
        "T": T0 + 3_600_000,
    }


def test_a_mark_that_is_missing_is_told_though_nothing_else_shows_it() -> None:
    async def scene() -> list[StreamEvent]:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", [MARK], settings=QUICK) as streams:
            await venue.listeners(MARK)
            for second in (0, 1, 4):
                await venue.say(MARK, mark(second))
            return await heard(streams, 4)

    events = asyncio.run(scene())
    assert [event.ts_event // 1_000_000 - T0 // 1000 for event in events if isinstance(event, MarkPrice)] == [0, 1, 4]
    lost = next(event for event in events if isinstance(event, Lost))
    assert (lost.start_us, lost.end_us) == ((T0 + 1000) * 1000 + 1, (T0 + 4000) * 1000)


def test_before_its_time_is_over_a_connection_is_replaced_and_nothing_is_missed() -> None:
    """The venue closes connections after 24 hours; here they are replaced every tenth of a second."""

    async def scene() -> tuple[list[StreamEvent], BinanceStreams, Venue]:
        short = Settings(age_s=0.1, overlap_s=0.05, timeout_s=2.0)
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", [TRADE], settings=short) as streams:
            await venue.listeners(TRADE)
            for number in range(200):
                await venue.trade(number)
                await asyncio.sleep(0.004)
            return await heard(streams, 200), streams, venue

    events, streams, venue = asyncio.run(scene())
    assert [event.sequence for event in events if isinstance(event, Trade)] == list(range(200))
    assert streams.status.handovers >= 3
    assert streams.status.duplicates > 0  # while both were open, both told
    assert (streams.status.reconnects, streams.status.lost, venue.requests) == (0, 0, [])


def test_a_half_open_connection_is_given_up() -> None:
    """The socket stays open, and nobody is there: neither frames nor answers to pings."""

    async def scene() -> int:
        impatient = Settings(heartbeat_s=0.1, backoff_s=(0.001, 0.01), timeout_s=2.0)
        async with Venue() as venue:
            venue.deaf = True
            async with BinanceStreams(venue.hosts, "usdm", [TRADE], settings=impatient) as streams:
                async with asyncio.timeout(10):
                    while streams.status.reconnects < 2:
                        await asyncio.sleep(0.01)
                return streams.status.reconnects

    assert asyncio.run(scene()) >= 2


def test_a_feed_that_has_gone_quiet_is_replaced() -> None:
    async def scene() -> tuple[int, int]:
        settings_ = Settings(stale_s=0.1, overlap_s=0.02, timeout_s=2.0)
        async with (
            Venue() as venue,
            BinanceStreams(venue.hosts, "usdm", [TRADE], settings=settings_) as busy,
            BinanceStreams(venue.hosts, "usdm", ["btcusdt@forceOrder"], settings=settings_) as rare,
        ):
            async with asyncio.timeout(10):
                while busy.status.handovers < 2:
                    await asyncio.sleep(0.01)
            return busy.status.handovers, rare.status.handovers

    busy, rare = asyncio.run(scene())
    assert busy >= 2
    assert rare == 0  # where messages are rare, silence is no sign


def test_pages_of_proxies_are_no_end() -> None:
    async def scene() -> list[StreamEvent]:
        async with Venue() as venue:
            venue.refuse_upgrades, venue.fail_rest = 3, 3
            async with BinanceStreams(venue.hosts, "usdm", [TRADE], settings=QUICK) as streams:
                await venue.listeners(TRADE)
                for number in range(4):
                    await venue.trade(number, heard=number != 2)
                return await heard(streams, 4)

    assert [event.sequence for event in asyncio.run(scene()) if isinstance(event, Trade)] == [0, 1, 2, 3]


def test_a_page_instead_of_a_socket_is_told_as_such() -> None:
    async def scene() -> None:
        async with Venue() as venue:
            venue.refuse_upgrades = 1
            with pytest.raises(UnreachableError, match="502 with a page"):
                await Connection(f"{venue.hosts.usdm_ws}/stream", lambda _: None).open()
            with pytest.raises(UnreachableError, match="No connection"):
                await Connection("ws://127.0.0.1:9/stream", lambda _: None).open()

    asyncio.run(scene())


def test_a_stream_that_the_venue_refuses_ends_the_reading() -> None:
    async def scene() -> None:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", ["nosuch@aggTrade"]) as streams:
            with pytest.raises(RejectedError, match="unknown stream"):
                await heard(streams, 1)

    asyncio.run(scene())


def test_what_cannot_be_repaired_in_time_is_given_up_and_told() -> None:
    async def scene() -> list[StreamEvent]:
        async with (
            Venue() as venue,
            BinanceStreams(venue.hosts, "usdm", [TRADE], settings=QUICK, patience_s=0.1) as streams,
        ):
            venue.fail_rest = 1_000_000
            await venue.listeners(TRADE)
            for number in range(4):
                await venue.trade(number, heard=number != 2)
            return await heard(streams, 4)

    first, second, lost, last = asyncio.run(scene())
    assert [event.sequence for event in (first, second, last) if isinstance(event, Trade)] == [0, 1, 3]
    assert isinstance(lost, Lost)
    assert (lost.start_us, lost.end_us) == ((T0 + 10) * 1000 + 1, (T0 + 30) * 1000)


def test_streams_are_spread_over_connections_within_the_venue_s_limits() -> None:
    """450 streams of futures are three connections of at most 200, asked for in pieces, by what they carry."""
    names = [f"sym{number}usdt@aggTrade" for number in range(450)] + ["btcusdt@bookTicker"]

    async def scene() -> Sequence[tuple[str, list[str]]]:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", names):
            async with asyncio.timeout(10):
                while sum(len(asked) for _, asked in venue.subscriptions) < 451:
                    await asyncio.sleep(0.01)
            assert venue.opened == 4
            return venue.subscriptions

    asked = asyncio.run(scene())
    assert sorted(name for _, part in asked for name in part) == sorted(names)
    assert [part for path, part in asked if path == "/public/stream"] == [["btcusdt@bookTicker"]]
    assert max(len(part) for _, part in asked) <= 200


def test_pace_lets_no_more_through_than_allowed() -> None:
    async def scene() -> list[float]:
        pace, clock = Pace(4, 0.1), asyncio.get_running_loop().time
        times = []
        for _ in range(12):
            await pace.take()
            times.append(clock())
        return times

    times = asyncio.run(scene())
    assert all(later - earlier >= 0.099 for earlier, later in zip(times, times[4:], strict=False))
    assert times[-1] - times[0] < 1.0
