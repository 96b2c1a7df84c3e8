"""The coverage of series whose holes are known, day by day, and against a count of rows."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from market.samples import START_US, make_bars
from profiles import examples
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.market.coverage import COMPLETE, coverage
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

KEY = SeriesKey("bars", "binance", "BTCUSDT", "1h")
TRADES = SeriesKey("trades", "binance", "BTCUSDT")
HOUR = pl.int_range(pl.len())


def days(lake: Lake, key: SeriesKey) -> list[tuple[int, int, str, bool]]:
    """Stretches in days since START_US: first, behind the last, state, whether the whole of it."""
    found = coverage(lake, key).stretches
    return [((s.start_us - START_US) // DAY_US, (s.end_us - START_US) // DAY_US, s.state, s.whole) for s in found]


def hours(count: int) -> pl.DataFrame:
    return make_bars(count, step_us=HOUR_US)


def test_a_series_without_holes(lake: Lake) -> None:
    lake.write(KEY, hours(24 * 10 - 5))  # the last day is not over, and lacks nothing
    assert days(lake, KEY) == [(0, 10, COMPLETE, False)]
    assert coverage(lake, KEY).complete == 1.0


def test_each_reason_has_its_days(lake: Lake) -> None:
    bars = hours(24 * 10)
    lake.write(KEY, bars.filter(~HOUR.is_between(48, 71) & ~HOUR.is_between(100, 101) & ~HOUR.is_between(150, 170)))
    lake.note_span(KEY, START_US, START_US + 10 * DAY_US, "asked", "rest")
    lake.note_span(KEY, START_US + 2 * DAY_US, START_US + 3 * DAY_US, "down", "rest")
    refused = bars[100:102].with_columns(reason=pl.lit("high_low"), source=pl.lit("a file"))
    lake.quarantine(KEY, refused)
    assert days(lake, KEY) == [
        (0, 2, COMPLETE, False),
        (2, 3, "venue down", True),
        (3, 4, COMPLETE, False),
        (4, 5, "quarantined", False),
        (5, 6, COMPLETE, False),
        (6, 8, "missing", False),
        (8, 10, COMPLETE, False),
    ]
    found = coverage(lake, KEY)
    assert abs(found.complete - (1 - (2 + 21) / 240)) < 1e-12  # the venue was down: known, not lacking
    assert [(end - start) // HOUR_US for start, end, _ in found.gaps] == [24, 2, 21]


def test_what_was_asked_for_before_the_first_row_is_known_to_be_empty(lake: Lake) -> None:
    lake.write(KEY, hours(24 * 5)[24 * 2 :])
    lake.note_span(KEY, START_US, START_US + 7 * DAY_US, "asked", "rest")
    assert days(lake, KEY) == [(0, 2, "no trades", True), (2, 5, COMPLETE, False), (5, 7, "missing", True)]


def test_days_without_trades(lake: Lake) -> None:
    times = [START_US + day * DAY_US + 5 for day in (0, 1, 3, 6)]
    rows = pl.DataFrame({"ts": times, "price": 1.0, "quantity": 1.0, "side": 1, "id": range(4)})
    lake.write(TRADES, rows.with_columns(pl.col("ts").cast(TS), pl.col("side").cast(pl.Int8)))
    assert [state for _, _, state, _ in days(lake, TRADES)] == [COMPLETE, "missing", COMPLETE, "missing", COMPLETE]
    lake.note_span(TRADES, START_US, START_US + 5 * DAY_US, "asked", "rest")
    lake.note_span(TRADES, START_US + 6 * DAY_US, START_US + 7 * DAY_US, "asked", "rest")
    assert days(lake, TRADES) == [
        (0, 2, COMPLETE, False),
        (2, 3, "no trades", True),
        (3, 4, COMPLETE, False),
        (4, 5, "no trades", True),
        (5, 6, "not downloaded", True),
        (6, 7, COMPLETE, False),
    ]


@examples(30)
@given(gone=st.sets(st.integers(1, 24 * 9 - 2), max_size=80))
def test_the_share_is_that_of_a_count_of_rows(tmp_path_factory, gone: set[int]) -> None:
    lake = Lake(tmp_path_factory.mktemp("counted") / "lake")
    lake.write(KEY, hours(24 * 9).filter(~HOUR.is_in(sorted(gone))))
    found = coverage(lake, KEY)
    assert abs(found.complete - (1 - len(gone) / (24 * 9))) < 1e-9
    for first, last, state, whole in days(lake, KEY):
        for day in range(first, last):
            lacking = len(gone.intersection(range(24 * day, 24 * day + 24)))
            assert (state == COMPLETE) == (lacking == 0)
            assert whole == (lacking == 24)
