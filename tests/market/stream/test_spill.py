"""Segments: what was put comes back, wherever the file ends; folding is done once, however often."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from profiles import examples
from truewind.domain.market import Bar, Quote, Trade
from truewind.errors import FormatError, StorageError
from truewind.market.stream.binance import Refused
from truewind.market.stream.events import Depth, Forced, Lost, MarkPrice, OpenInterest
from truewind.market.stream.fold import fold
from truewind.market.stream.lines import State
from truewind.market.stream.recorder import Recorder
from truewind.market.stream.spill import Segment, next_segment, read_segment
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.venues.binance.hosts import MAINNET

T0 = 1_700_000_040_000_000


def key(kind: str, timeframe: str = "") -> SeriesKey:
    return SeriesKey(kind, "binance_usdm", "BTCUSDT", timeframe)


TRADES, BARS, QUOTES, BOOK = key("trades"), key("bars", "1m"), key("quotes"), key("book")
STATES = {TRADES: State(T0 - 1, 0, 6, ((3, 4),)), QUOTES: State(T0 - 5), BARS: State(), BOOK: State()}


def trade(number: int) -> Trade:
    return Trade("BTCUSDT", T0 + number, T0 + number + 9, 100.0 + number, 1.0, 1, number)


def written(path: Path) -> None:
    """Trades 7, 8, 10 and 4, of every kind one, something lost and something refused."""
    segment = Segment(path, STATES, {TRADES: T0 - 100})
    for number in (7, 8, 10):
        segment.put(TRADES, trade(number))
    segment.mark(T0 + 10, {})
    segment.put(TRADES, trade(4))
    segment.put(QUOTES, Quote("BTCUSDT", T0, T0 + 1, 100.0, 1.0, 101.0, 2.0, 5))
    segment.put(BARS, Bar("BTCUSDT", T0, T0 + 60_000_000, T0 + 1, 1.0, 3.0, 0.5, 2.0, 9.0, 10.0, 4.0, 5.0))
    segment.put(BOOK, Depth("BTCUSDT", T0, T0 + 1, 9, [(100.0, 1.0)], [], 8, 7))
    segment.put(BOOK, Depth("BTCUSDT", T0 + 1, T0 + 2, 10, [], [], 10, 9))
    segment.put(key("marks"), MarkPrice("BTCUSDT", T0, T0 + 1, 100.0))
    segment.put(key("liquidations"), Forced("BTCUSDT", T0, T0 + 1, -1, 100.0, 2.0, 99.0))
    segment.put(key("open_interest"), OpenInterest("BTCUSDT", T0, T0 + 1, 77.0))
    segment.lost(Lost(QUOTES, T0 - 4, T0, T0, "the connection was lost"))
    segment.refused(Refused(QUOTES, T0, "bid -1", "{}"))
    segment.mark(T0 + 20, {BOOK: T0 + 2})
    segment.close()


def test_what_was_put_comes_back_and_says_how_to_go_on(tmp_path: Path) -> None:
    path = next_segment(tmp_path, [])
    written(path)
    heard = read_segment(path)
    assert heard.tables[TRADES]["id"].to_list() == [7, 8, 10, 4]
    assert heard.tables[TRADES].row(0)[2:] == (107.0, 1.0, 1, 7)
    assert heard.states[TRADES] == State(T0 + 10, 0, 10, ((3, 3), (9, 9)))  # 4 has come, 3 and 9 have not
    assert heard.states[QUOTES] == State(T0)
    assert heard.states[BARS].high == T0 // 60_000_000
    assert heard.states[BOOK] == State(T0 + 1, T0 + 2)
    assert heard.watermark_us == T0 + 20
    assert heard.tables[key("marks")].select("funding_rate", "next_funding_ts").null_count().row(0)[1] == 1
    assert heard.tables[BOOK]["side"].to_list() == [1, 0]
    assert (len(heard.lost), len(heard.refused), heard.damaged) == (1, 1, "")


def test_folding_twice_is_folding_once(tmp_path: Path) -> None:
    """A crash after the rows were written, before the segment was removed."""
    lake, path = Lake(tmp_path / "lake"), next_segment(tmp_path, [])
    ids = []
    for _ in range(2):
        written(path)
        fold(lake, path)
        assert not path.exists()
        ids.append(lake.snapshot().id)
        assert lake.read(TRADES)["id"].to_list() == [4, 7, 8, 10]
        assert lake.quarantined(QUOTES)["raw"].to_list() == ["{}"]
        assert [(s.what, s.start_us, s.end_us) for s in lake.spans(QUOTES)] == [
            ("lost", T0 - 4, T0),
            ("asked", T0, T0 + 1),
        ]
    assert ids[0] == ids[1]


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1), st.booleans())
def test_a_segment_that_is_cut_short_or_damaged_gives_what_stands_before(
    tmp_path: Path, where: float, cut: bool
) -> None:
    path = tmp_path / "00000001.spill"
    path.unlink(missing_ok=True)
    written(path)
    data = bytearray(path.read_bytes())
    at = int(where * (len(data) - 1))
    if cut:
        del data[at:]
    else:
        data[at] ^= 0x55
    path.write_bytes(data)
    try:
        heard = read_segment(path)
    except FormatError:
        assert at < 8  # not even the head of the file
        return
    for found, whole in ((heard.tables.get(TRADES), [7, 8, 10, 4]), (heard.tables.get(QUOTES), [5])):
        assert found is None or found["id"].to_list() == whole[: found.height]


def test_a_lake_that_refuses_is_tried_again_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, folder = Lake(tmp_path / "lake"), tmp_path / "spill"
    folder.mkdir()
    written(next_segment(folder, []))
    write, refusals = Lake.write, [3]

    def refusing(self: Lake, *arguments: object, **named: object) -> object:
        if refusals[0]:
            refusals[0] -= 1
            raise StorageError("no space", remedy="make some")
        return write(self, *arguments, **named)

    monkeypatch.setattr(Lake, "write", refusing)
    monkeypatch.setattr("truewind.market.stream.recorder._AGAIN_S", 0.01)

    async def scene() -> None:
        recorder = Recorder(lake, MAINNET, "usdm", ["btcusdt@openInterest"], folder, poll_s=1000.0)
        monkeypatch.setattr(recorder.streams, "_poll", lambda stream: asyncio.sleep(1000))
        stop = asyncio.Event()
        running = asyncio.create_task(recorder.run(stop))
        async with asyncio.timeout(20):
            while recorder.stored < 4:
                await asyncio.sleep(0.01)
        stop.set()
        await running

    asyncio.run(scene())
    assert lake.read(TRADES)["id"].to_list() == [4, 7, 8, 10]
