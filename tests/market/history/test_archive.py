"""The archive as a source, over HTTP against a site that serves generated zips and misbehaves."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import polars as pl
import pytest

from market.history import contract
from market.history.archive_site import Site, zipped
from market.samples import START_US, make_bars
from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.errors import NetworkError, ProtocolError, RejectedError, UnreachableError
from truewind.market.history.archive import ArchiveProvider
from truewind.market.history.archive_files import days, months
from truewind.market.history.file_server import ATTEMPTS, FileServer
from truewind.market.history.provider import Chunk
from truewind.market.history.sources import sources_of
from truewind.storage.schema import SeriesKey

KEY = SeriesKey("bars", "binance", "BTCUSDT", "1h")
NOW_US = parse_ts_us("2024-04-05T12:00")


def klines(bars: pl.DataFrame, step_us: int = HOUR_US) -> str:
    """Rows as the archive writes them, in milliseconds, without header."""
    lines = []
    for row in bars.with_columns(pl.col("ts").to_physical()).iter_rows(named=True):
        begin = row["ts"] // 1000
        lines.append(
            f"{begin},{row['open']},{row['high']},{row['low']},{row['close']},{row['volume']},"
            f"{begin + step_us // 1000 - 1},{row['quote_volume']},{row['trades']:.0f},{row['taker_buy_volume']},0,0\n"
        )
    return "".join(lines)


def fill(site: Site, bars: pl.DataFrame, *, monthly: bool = True, daily: bool = True) -> None:
    """Files of all whole months and days of `bars`."""
    start, end = int(bars["ts"].to_physical()[0]), int(bars["ts"].to_physical()[-1]) + HOUR_US
    for wanted, files in ((monthly, months(KEY, start, end)), (daily, days(KEY, start, end))):
        for file in files if wanted else ():
            rows = bars.filter(pl.col("ts").to_physical().is_between(file.start_us, file.end_us, closed="left"))
            if file.end_us <= end and not rows.is_empty():
                site.put(file.path, klines(rows))


def run(
    site: Site, start_us: int, end_us: int, *, key: SeriesKey = KEY, now_us: int = NOW_US
) -> tuple[list[Chunk], ArchiveProvider]:
    async def work() -> tuple[list[Chunk], ArchiveProvider]:
        async with site.open() as hosts, ArchiveProvider(key.venue, hosts, now_us=lambda: now_us) as provider:
            return await contract.fetched(provider, key, start_us, end_us), provider

    return asyncio.run(work())


def rows_of(chunks: list[Chunk]) -> pl.DataFrame:
    return pl.concat([chunk.rows for chunk in chunks]).drop("__row__", "close_time", strict=False)


BARS = make_bars(24 * 95, step_us=HOUR_US)  # 2024-01-01 to 2024-04-04


def test_months_by_one_file_each_and_the_rest_by_days() -> None:
    site = Site()
    fill(site, BARS)
    chunks, provider = run(site, START_US, NOW_US)
    assert rows_of(chunks).equals(BARS.head(24 * 95))
    assert [chunk.source.rpartition("/")[2] for chunk in chunks] == [
        *(f"BTCUSDT-1h-2024-0{month}.zip" for month in (1, 2, 3)),
        *(f"BTCUSDT-1h-2024-04-0{day}.zip" for day in (1, 2, 3, 4)),
    ]
    assert all(before.end_us == after.start_us for before, after in itertools.pairwise(chunks))
    assert chunks[-1].end_us == parse_ts_us("2024-04-05")  # today is not over: another source's
    assert not provider.notices
    path, checksum = next(iter(chunks[0].checksums.items()))
    assert site.files[f"{path}.CHECKSUM"].decode().startswith(checksum)


def test_a_part_of_a_month_is_cut_and_a_few_days_come_by_days() -> None:
    site = Site()
    fill(site, BARS)
    start, end = START_US + 10 * DAY_US + 1, START_US + 33 * DAY_US
    chunks, _ = run(site, start, end)
    assert (chunks[0].start_us, chunks[-1].end_us) == (start, end)
    assert rows_of(chunks).equals(BARS.filter(pl.col("ts").to_physical().is_between(start, end, closed="left")))
    zips = sorted(name.rpartition("-1h-")[2] for name in site.asked if name.endswith(".zip"))
    assert zips == ["2024-01.zip", "2024-02-01.zip", "2024-02-02.zip"]
    assert sum("2024-02-0" in name for name in site.asked if name.endswith(".zip")) == 2


def test_a_month_without_a_file_comes_by_days() -> None:
    site = Site()
    fill(site, BARS)
    del site.files[months(KEY, START_US, START_US + 1)[0].path]
    del site.files[months(KEY, START_US, START_US + 1)[0].path + ".CHECKSUM"]
    chunks, provider = run(site, START_US, START_US + 40 * DAY_US)
    assert rows_of(chunks).equals(BARS.head(24 * 40))
    assert not provider.notices


def test_what_is_not_there_is_told_apart() -> None:
    site = Site()
    fill(site, BARS.slice(24 * 35, 24 * 60 - 24), monthly=False)  # listed on 02-05; the last day is not yet published
    for lost in ("2024-03-01", "2024-03-02"):
        path = f"data/spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-{lost}.zip"
        del site.files[path], site.files[f"{path}.CHECKSUM"]
    start, end = START_US + 33 * DAY_US, START_US + 95 * DAY_US
    chunks, provider = run(site, start, end, now_us=START_US + 95 * DAY_US)
    assert [(one.what, one.first[-14:-4], one.count) for one in provider.notices] == [
        ("before its first file", "2024-02-03", 2),
        ("not in the archive", "2024-03-01", 2),
        ("not published yet", "2024-04-04", 1),
    ]
    assert rows_of(chunks).height == 24 * 57


def test_a_symbol_that_is_not_there_at_all() -> None:
    chunks, provider = run(Site(), START_US, START_US + 60 * DAY_US)
    assert not chunks
    assert [(one.what, one.count) for one in provider.notices] == [("not in the archive", 60)]


def test_holes_of_bars_are_left_to_another_source() -> None:
    site = Site()
    fill(site, BARS.filter(~pl.int_range(pl.len()).is_between(100, 109)), daily=False)
    chunks, _ = run(site, START_US, START_US + 31 * DAY_US)
    spans = [((one.start_us - START_US) // HOUR_US, (one.end_us - START_US) // HOUR_US) for one in chunks]
    assert spans == [(0, 100), (110, 744)]


def test_a_file_whose_checksum_differs_is_not_taken() -> None:
    site = Site()
    fill(site, BARS)
    path = months(KEY, START_US, START_US + 1)[0].path
    site.files[path] = zipped("x.csv", klines(BARS.head(3)))
    chunks, provider = run(site, START_US, START_US + 60 * DAY_US)
    assert [(one.what, one.first) for one in provider.notices] == [("checksum differs", "BTCUSDT-1h-2024-01.zip")]
    assert rows_of(chunks)["ts"].to_physical()[0] == START_US  # its days are sound
    assert rows_of(chunks).height == 24 * 60


def test_a_damaged_zip_with_the_right_checksum_is_told() -> None:
    site = Site()
    fill(site, BARS)
    path = months(KEY, START_US, START_US + 1)[0].path
    site.put_bytes(path, site.files[path][:500])
    chunks, provider = run(site, START_US, START_US + 60 * DAY_US)
    assert [(one.what, one.first) for one in provider.notices] == [("damaged", "BTCUSDT-1h-2024-01.zip")]
    assert chunks[0].start_us == START_US + 31 * DAY_US


def test_rows_of_another_time_are_left_out_and_told() -> None:
    site = Site()
    file = months(KEY, START_US, START_US + 1)[0]
    site.put(file.path, klines(BARS.head(24 * 31 + 2)))
    chunks, provider = run(site, START_US, file.end_us)
    assert rows_of(chunks).height == 24 * 31
    assert [(one.what, one.detail) for one in provider.notices] == [("rows outside its time", "2 rows were left out")]


def test_metrics_files_cover_from_five_past_midnight_to_the_next() -> None:
    key = SeriesKey("open_interest", "binance_usdm", "BTCUSDT")
    site = Site()
    head = (
        "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
        "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
    )
    times = pl.datetime_range(pl.datetime(2024, 1, 1, 0, 5), pl.datetime(2024, 1, 3), "5m", eager=True)
    lines = [f"{time:%Y-%m-%d %H:%M:%S},BTCUSDT,{n},1,1,1,1,1\n" for n, time in enumerate(times)]
    for at, file in enumerate(days(key, START_US + HOUR_US, START_US + 2 * DAY_US)):
        site.put(file.path, head + "".join(lines[288 * at : 288 * (at + 1)]))
    chunks, provider = run(site, START_US, START_US + 2 * DAY_US + 1, key=key)
    table = rows_of(chunks)
    assert table["open_interest"].to_list() == list(range(576))
    assert table["ts"].to_physical()[-1] == START_US + 2 * DAY_US
    assert [(one.what, one.first[-14:-4]) for one in provider.notices] == [("before its first file", "2023-12-31")]


@pytest.mark.parametrize(("age", "chunks"), [(5, 2), (50, 1)])
def test_holes_of_statistics_are_left_to_rest_as_long_as_it_has_them(age: int, chunks: int) -> None:
    key = SeriesKey("open_interest", "binance_usdm", "BTCUSDT")
    site = Site()
    names = (
        "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
        "sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
    )
    times = pl.datetime_range(pl.datetime(2024, 1, 1, 0, 5), pl.datetime(2024, 1, 2), "5m", eager=True)
    lines = [f"{time:%Y-%m-%d %H:%M:%S},BTCUSDT,1,1,1,1,1,1\n" for at, time in enumerate(times) if at != 100]
    (file,) = days(key, START_US + HOUR_US, START_US + 2 * HOUR_US)
    site.put(file.path, names + "".join(lines))
    found, _ = run(site, file.start_us, file.end_us, key=key, now_us=file.end_us + age * DAY_US)
    assert len(found) == chunks
    assert sum(chunk.end_us - chunk.start_us for chunk in found) == DAY_US - (chunks - 1) * 300_000_000


def test_a_connection_that_breaks_goes_on_where_it_was() -> None:
    site = Site()
    data = site.put("a.zip", klines(BARS))
    site.cut = {"a.zip": 5000}
    site.busy = {"a.zip": [503, 429]}

    async def work() -> bytes | None:
        async with site.open() as hosts, FileServer(hosts.archive, first_wait_s=0.01) as server:
            assert await server.get("b.zip") is None
            return await server.get("a.zip")

    assert asyncio.run(work()) == data
    assert site.asked.count("a.zip") == 4


@pytest.mark.parametrize(
    ("status", "error"), [(302, ProtocolError), (403, RejectedError), (503, NetworkError), (418, NetworkError)]
)
def test_answers_that_are_none(status: int, error: type[NetworkError]) -> None:
    site = Site()
    site.put("a.zip", "x")
    site.busy = {"a.zip": [status] * ATTEMPTS}
    asyncio.run(expect(site, error, lambda server: server.get("a.zip")))


def test_nobody_there() -> None:
    async def work() -> None:
        async with FileServer("http://127.0.0.1:9", first_wait_s=0.001) as server:
            with pytest.raises(UnreachableError, match="6 attempts"):
                await server.get("a.zip")

    asyncio.run(work())


def test_a_page_in_place_of_a_checksum_is_no_checksum() -> None:
    site = Site()
    fill(site, BARS)
    site.files[months(KEY, START_US, START_US + 1)[0].path + ".CHECKSUM"] = b"<html>log in here</html>"
    with pytest.raises(ProtocolError, match="proxy"):
        run(site, START_US, START_US + 31 * DAY_US)


async def expect(site: Site, error: type[NetworkError], work: Callable[[FileServer], Awaitable[object]]) -> None:
    async with site.open() as hosts, FileServer(hosts.archive, first_wait_s=0.001) as server:
        with pytest.raises(error):
            await work(server)


def test_networks_without_an_archive_give_nothing() -> None:
    async def work() -> list[Chunk]:
        (provider,) = sources_of("binance", "testnet", "archive")
        async with provider:
            return [chunk async for chunk in provider.fetch(KEY, START_US, NOW_US)]

    assert asyncio.run(work()) == []
