"""The job against a local exchange: every kind, resumed, updated, and under faults."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US
from truewind.errors import ConfigError, LimitedError, ProtocolError, UnknownSeriesError
from truewind.market.history.binance import BinanceRest
from truewind.market.history.download import Want, download, tail
from truewind.market.history.queue import Queue
from truewind.market.history.shelf import Outcome
from truewind.market.history.sources import sources_of
from truewind.market.http import Reply
from truewind.storage.lake import Lake
from truewind.storage.schema import KINDS, SeriesKey
from truewind.venues.binance.hosts import hosts

if TYPE_CHECKING:
    from truewind.exchange import LocalExchange

    Start = Callable[..., AbstractContextManager[LocalExchange]]

BEGIN = parse_ts_us("2024-01-01")
BEFORE = BEGIN - DAY_US


@pytest.fixture(scope="module")
def market(start_exchange: "Start") -> "Iterator[LocalExchange]":
    """Three days of history, standing still at their end; limits are enforced."""
    with start_exchange(speed=0.0, idle=True) as running:
        yield running


def wants(venue: str, kinds: list[str], start_us: int, end_us: int, *timeframes: str) -> list[Want]:
    keys = [
        SeriesKey(kind, venue, "BTCUSDT", length)
        for kind in kinds
        for length in (timeframes if KINDS[kind].has_timeframe else ("",))
    ]
    return [Want(key, ((start_us, end_us),)) for key in keys]


def test_every_kind_comes_and_is_told_to_the_ledger(market: "LocalExchange", tmp_path: Path) -> None:
    """Of both markets; what was before the first row counts as asked for, so a second run asks for nothing."""
    lake, now = Lake(tmp_path), market.clock.now_us()
    for venue, kinds in {
        "binance": ["bars", "book"],
        "binance_usdm": ["bars", "mark_bars", "index_bars", "premium_index", "funding", "open_interest", "long_short"],
    }.items():
        providers = {venue: sources_of(venue, market.network, "rest")}
        wanted = wants(venue, kinds, BEFORE, now + DAY_US, "1m", "1h")
        report = download(lake, providers, wanted)
        assert report.error is None
        for outcome in report.outcomes:
            info = lake.series(kind=outcome.key.kind, venue=venue, timeframe=outcome.key.timeframe or None)[0]
            assert info.rows == outcome.stored > 0
            assert not outcome.quarantined
            if outcome.key.kind != "book":
                assert lake.unasked(outcome.key, BEFORE, now - HOUR_US) == []
                assert outcome.open_us >= DAY_US  # the future
    bars = lake.read(SeriesKey("bars", "binance_usdm", "BTCUSDT", "1m"))
    assert bars.height == (now - BEGIN) // MINUTE_US - 1  # none before the market began, none that ended just now
    assert bars["ts"].to_physical()[-1] + MINUTE_US <= now
    assert lake.instrument("binance_usdm", "BTCUSDT").tick_size > 0
    again = download(
        lake, {"binance_usdm": providers["binance_usdm"]}, wants("binance_usdm", ["bars"], BEFORE, now, "1m")
    )
    assert again.outcomes[0].read == {}


def test_trades_come_by_id_and_are_complete(market: "LocalExchange", tmp_path: Path) -> None:
    """Ids are consecutive, within the range only, and the same however the range is cut."""
    whole, cut = Lake(tmp_path / "whole"), Lake(tmp_path / "cut")
    key = SeriesKey("trades", "binance", "BTCUSDT")
    start, end = BEGIN + 5 * HOUR_US + 123_000, BEGIN + 6 * HOUR_US
    middle = start + 1_234_567
    for lake, ranges in ((whole, ((start, end),)), (cut, ((start, middle), (middle, end)))):
        providers = {"binance": sources_of("binance", market.network, "rest")}
        report = download(lake, providers, [Want(key, ranges)])
        assert report.error is None
        assert lake.unasked(key, start, end) == []
    rows = whole.read(key)
    assert rows.height > 1000
    assert (rows["id"].diff().drop_nulls() == 1).all()
    assert rows["ts"].to_physical()[0] >= start
    assert rows["ts"].to_physical()[-1] < end
    assert whole.snapshot().id == cut.snapshot().id


def test_update_goes_on_where_a_series_ends(start_exchange: "Start", tmp_path: Path) -> None:
    """The lake after an update is the lake of one download that came later."""
    key = SeriesKey("bars", "binance", "BTCUSDT", "1m")
    with start_exchange(speed=0.0, idle=True) as market:
        providers = {"binance": sources_of("binance", market.network, "rest")}
        early, late = Lake(tmp_path / "early"), Lake(tmp_path / "late")
        download(early, providers, [Want(key, ((BEGIN, market.clock.now_us()),))])
        before = early.parts(key)[-1].rows
        market.move_to(market.clock.now_us() + 2 * HOUR_US)
        now = market.clock.now_us()
        want = tail(early, key, now)
        report = download(early, providers, [want])
        assert report.outcomes[0].stored == 120
        assert sum(report.outcomes[0].read.values()) == 120
        download(late, providers, [Want(key, ((BEGIN, now),))])
    assert early.parts(key)[-1].rows == before + 120
    assert early.snapshot().id == late.snapshot().id


def test_what_is_not_there_is_told_with_the_closest_name(market: "LocalExchange", tmp_path: Path) -> None:
    """A misspelt symbol fails alone; the others come."""
    providers = {"binance": sources_of("binance", market.network, "rest")}
    keys = [SeriesKey("bars", "binance", symbol, "1h") for symbol in ("BTCUSTD", "SOLUSDT")]
    report = download(Lake(tmp_path), providers, [Want(key, ((BEGIN, BEGIN + DAY_US),)) for key in keys])
    misspelt, right = report.outcomes
    assert isinstance(misspelt.error, UnknownSeriesError)
    assert "BTCUSDT" in str(misspelt.error)
    assert misspelt.stored == 0
    assert right.error is None
    assert right.stored == 24


def test_kinds_that_no_source_gives_are_refused_with_the_reason(market: "LocalExchange", tmp_path: Path) -> None:
    """Before anything is asked."""
    providers = {"binance_usdm": sources_of("binance_usdm", market.network, "rest")}
    key = SeriesKey("liquidations", "binance_usdm", "BTCUSDT")
    with pytest.raises(ConfigError, match="data record"):
        download(Lake(tmp_path), providers, [Want(key, ((BEGIN, BEGIN + DAY_US),))])


OPEN_MS = BEGIN // 1000


def kline(minute: int, low: str = "99.25") -> list[object]:
    begin = OPEN_MS + 60_000 * minute
    return [begin, "100.5", "101", low, "100", "12.5", begin + 59_999, "1250.75", 42, "6.25", "625.5", "0"]


class Scripted:
    """A market whose klines are what the test says; all else is as usual."""

    def __init__(self, rows: list[list[object]]) -> None:
        self.rows = rows

    async def get(self, url: str, parameters: Mapping[str, str]) -> Reply:
        if url.endswith("/time"):
            return Reply(200, {}, json.dumps({"serverTime": OPEN_MS + 10 * 86_400_000}).encode())
        if url.endswith("/exchangeInfo"):
            return Reply(503, {}, b"")
        first, last = int(parameters["startTime"]), int(parameters["endTime"])
        inside = [row for row in self.rows if first <= int(str(row[0])) <= last]
        return Reply(200, {}, json.dumps(inside[: int(parameters["limit"])]).encode())


def bars_of(rows: list[list[object]], tmp_path: Path) -> tuple[Lake, SeriesKey, Outcome]:
    lake, key = Lake(tmp_path), SeriesKey("bars", "binance", "BTCUSDT", "1m")
    provider = BinanceRest("binance", hosts("mainnet"))
    provider.queue = Queue(Scripted(rows), "http://venue", "spot", draw=lambda: 0.0)
    report = download(lake, {"binance": [provider]}, [Want(key, ((BEGIN, BEGIN + HOUR_US),))])
    assert report.outcomes[0].error is None
    assert len(report.notes) == 1  # the instrument could not be asked for
    return lake, key, report.outcomes[0]


def test_senseless_rows_go_to_quarantine_with_their_source(tmp_path: Path) -> None:
    """A negative price is kept apart, and told as the reason of the gap; its neighbours come."""
    lake, key, outcome = bars_of([kline(0), kline(1, low="-5"), kline(2)], tmp_path)
    assert outcome.stored == 2
    assert outcome.quarantined == {"nonpositive_price": 1}
    refused = lake.quarantined(key)
    assert refused["low"].to_list() == [-5.0]
    assert refused["source"].to_list() == ["api.binance.com/api/v3/klines:2"]
    assert lake.gaps(key)["reason"].to_list() == ["quarantined"]


def test_bars_that_the_venue_does_not_have_mean_that_it_was_down(tmp_path: Path) -> None:
    """Binance gives a bar for every minute it was open; minutes before the first bar are no gap."""
    lake, key, outcome = bars_of([kline(minute) for minute in (10, 11, 15, 16)], tmp_path)
    assert outcome.stored == 4
    gaps = lake.gaps(key)
    assert gaps["reason"].to_list() == ["venue down"]
    assert gaps["missing"].to_list() == [3]


def test_a_reply_out_of_its_window_is_no_row(tmp_path: Path) -> None:
    """A stamp from tomorrow in every reply: the series fails, and nothing is stored or told as asked for."""
    lake, key = Lake(tmp_path), SeriesKey("bars", "binance", "BTCUSDT", "1m")

    class Tomorrow(Scripted):
        async def get(self, url: str, parameters: Mapping[str, str]) -> Reply:
            if "startTime" in parameters:
                return Reply(200, {}, json.dumps([kline(24 * 60)]).encode())
            return await super().get(url, parameters)

    provider = BinanceRest("binance", hosts("mainnet"))
    provider.queue = Queue(Tomorrow([]), "http://venue", "spot", draw=lambda: 0.0)
    report = download(lake, {"binance": [provider]}, [Want(key, ((BEGIN, BEGIN + HOUR_US),))])
    assert isinstance(report.outcomes[0].error, ProtocolError)
    assert report.outcomes[0].stored == 0
    assert lake.unasked(key, BEGIN, BEGIN + HOUR_US) == [(BEGIN, BEGIN + HOUR_US)]


def test_what_the_archive_cannot_give_comes_by_rest(start_exchange: "Start", tmp_path: Path) -> None:
    """Whole days by files, the rest by requests; together what REST alone gives."""
    by_both, by_rest = Lake(tmp_path / "both"), Lake(tmp_path / "rest")
    with start_exchange(speed=0.0, idle=True) as market:
        market.move_to(market.clock.now_us() + 5 * HOUR_US)
        want = wants("binance", ["bars"], BEGIN, market.clock.now_us() - HOUR_US, "1m")
        both = download(by_both, {"binance": sources_of("binance", market.network)}, want).outcomes[0]
        download(by_rest, {"binance": sources_of("binance", market.network, "rest")}, want)
    assert both.open_us == 0
    assert both.read["archive"] >= 1440
    assert both.read["binance REST"] > 0
    assert by_both.snapshot().id == by_rest.snapshot().id


def test_an_archive_that_is_out_of_order_is_replaced_by_rest(start_exchange: "Start", tmp_path: Path) -> None:
    """The archive answers with errors only: the series is complete all the same, and the report says so."""
    down = {"outages": [{"market": "archive", "to_s": 10_000, "status": 404}]}
    with start_exchange(speed=0.0, idle=True, faults=down) as broken:
        want = wants("binance", ["bars"], BEGIN, BEGIN + DAY_US, "1h")
        outcome = download(Lake(tmp_path), {"binance": sources_of("binance", broken.network)}, want).outcomes[0]
    assert outcome.error is None
    assert outcome.read == {"binance REST": 24}


def test_a_file_that_was_issued_anew_is_taken_anew(start_exchange: "Start", tmp_path: Path) -> None:
    """At first every file lacks its first row; once whole ones are there, an update brings the row and says so."""
    lake, key = Lake(tmp_path), SeriesKey("bars", "binance", "BTCUSDT", "1h")
    with start_exchange(speed=0.0, idle=True, faults={"reissue": 1.0, "reissue_after_s": 1e6}) as market:
        providers = {"binance": sources_of("binance", market.network, "archive")}
        download(lake, providers, [Want(key, ((BEGIN, BEGIN + DAY_US),))])
        assert lake.read(key).height == 23
        market.faults["archive"].config = market.faults["archive"].config.model_copy(update={"reissue": 0.0})
        providers = {"binance": sources_of("binance", market.network, "archive")}
        report = download(lake, providers, [tail(lake, key, BEGIN + DAY_US)], recheck=True)
    assert lake.read(key).height == 24
    assert any("issued anew" in note for note in report.outcomes[0].notes)


def test_a_ban_ends_the_job_and_keeps_what_came(tmp_path: Path) -> None:
    """The fourth page is refused for an hour: three pages are in the lake, and the next run asks for the rest only."""
    lake, key = Lake(tmp_path), SeriesKey("bars", "binance", "BTCUSDT", "1m")

    class Banning(Scripted):
        pages = 0

        async def get(self, url: str, parameters: Mapping[str, str]) -> Reply:
            if "startTime" in parameters:
                self.pages += 1
                if self.pages > 3:
                    return Reply(418, {"Retry-After": "3600"}, b'{"code":-1003,"msg":"banned"}')
            return await super().get(url, parameters)

    rows = [kline(minute) for minute in range(6000)]
    provider = BinanceRest("binance", hosts("mainnet"))
    end = BEGIN + 100 * HOUR_US
    transport = Banning(rows)
    transport.rows, provider.queue = rows, Queue(transport, "http://venue", "spot", connections=1, draw=lambda: 0.0)
    report = download(lake, {"binance": [provider]}, [Want(key, ((BEGIN, end),))])
    assert isinstance(report.outcomes[0].error, LimitedError)
    assert report.outcomes[0].stored % 1000 == 0
    assert 0 < report.outcomes[0].stored < 6000
    provider.queue = Queue(Scripted(rows), "http://venue", "spot", draw=lambda: 0.0)
    again = download(lake, {"binance": [provider]}, [Want(key, ((BEGIN, end),))]).outcomes[0]
    assert again.error is None
    assert report.outcomes[0].stored + again.stored == 6000
    assert again.duplicates == 0
