"""However an answer is cut into chunks, and however often a part of it is given again, the lake is the same."""

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.domain.clock import parse_ts_us
from truewind.domain.timeframe import HOUR_US
from truewind.market.history.provider import Chunk
from truewind.market.history.shelf import Outcome, Shelf, stored_checksums
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

KEY = SeriesKey("bars", "binance", "BTCUSDT", "1h")
BEGIN = parse_ts_us("2024-01-30")
HOURS = 96  # over the end of a month


def bars(low: list[float]) -> pl.DataFrame:
    """A bar for each hour with the given lows, of which some are impossible."""
    rows = len(low)
    return pl.DataFrame(
        {
            "ts": pl.Series([BEGIN + i * HOUR_US for i in range(rows)], dtype=pl.Int64).cast(TS),
            "open": [100.0 + i for i in range(rows)],
            "high": [200.0 + i for i in range(rows)],
            "low": low,
            "close": [150.0 + i for i in range(rows)],
            "volume": [1.0] * rows,
        }
    )


def put(lake: Lake, rows: pl.DataFrame, spans: list[tuple[int, int]]) -> Outcome:
    """Give `rows` in chunks that cover `spans` of hours."""
    outcome = Outcome(key=KEY)

    async def give() -> None:
        shelf = Shelf(lake, KEY, "test", outcome)
        for first, last in spans:
            start, end = BEGIN + first * HOUR_US, BEGIN + last * HOUR_US
            inside = pl.col("ts").to_physical().is_between(start, end, closed="left")
            await shelf.add(Chunk(start, end, rows.filter(inside), f"page {first}", {f"file {first}": "abc"}))
        await shelf.empty()

    asyncio.run(give())
    return outcome


impossible = st.dictionaries(st.integers(0, HOURS - 1), st.sampled_from([-1.0, 500.0]), max_size=20)
cuts = st.lists(st.integers(1, HOURS - 1), max_size=12, unique=True).map(sorted)


@given(impossible, cuts, st.integers(0, HOURS))
@examples(10)
def test_cuts_and_repetitions_change_nothing(bad: dict[int, float], at: list[int], again: int) -> None:
    """Whole, in pieces, and in pieces whose first hours had come before: rows, quarantine and ledger are equal."""
    rows = bars([bad.get(i, 90.0) for i in range(HOURS)])
    edges = [0, *at, HOURS]
    pieces = list(pairwise(edges))
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Lake(Path(folder) / "whole"), Lake(Path(folder) / "cut")
        one = put(whole, rows, [(0, HOURS)])
        if again:
            put(cut, rows, [(0, again)])
        put(cut, rows, pieces)
        assert one.stored == HOURS - len(bad)
        assert sum(one.quarantined.values()) == len(bad)
        for lake in (whole, cut):
            assert lake.unasked(KEY, BEGIN, BEGIN + HOURS * HOUR_US) == []
            if bad:
                assert set(lake.quarantined(KEY)["ts"].to_physical()) == {BEGIN + i * HOUR_US for i in bad}
        assert whole.snapshot().id == cut.snapshot().id


def test_months_are_written_as_they_are_whole(tmp_path: Path) -> None:
    """While the next month still comes; an empty chunk is an answer too, and checksums of files are kept."""
    lake, outcome = Lake(tmp_path), Outcome(key=KEY)
    rows = bars([90.0] * HOURS)

    async def give() -> None:
        shelf = Shelf(lake, KEY, "test", outcome)
        await shelf.add(Chunk(BEGIN, BEGIN + 40 * HOUR_US, rows[:40], "a", {"a.zip": "1"}))
        assert outcome.stored == 0
        await shelf.add(Chunk(BEGIN + 40 * HOUR_US, BEGIN + 60 * HOUR_US, rows[40:60], "b", {"b.zip": "2"}))
        assert outcome.stored == 48  # January
        await shelf.add(Chunk(BEGIN + 60 * HOUR_US, BEGIN + 1000 * HOUR_US, rows.clear(), "c"))
        await shelf.empty()

    asyncio.run(give())
    assert outcome.stored == 60
    assert [part.month for part in lake.parts(KEY)] == ["2024-01", "2024-02"]
    assert lake.unasked(KEY, BEGIN, BEGIN + 1000 * HOUR_US) == []
    assert stored_checksums(lake, KEY) == {"a.zip": "1", "b.zip": "2"}
