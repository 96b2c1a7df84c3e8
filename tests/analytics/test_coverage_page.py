"""The calendar says what the coverage says, and needs nothing from elsewhere."""

import re

import polars as pl

from market.samples import START_US, make_bars
from truewind.analytics.coverage_page import page
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.market.coverage import coverage
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

CHECK = {
    "series": "binance <B> bars 1h",
    "damage": None,
    "compared": [
        {"compared": 9, "differing": 1, "says": "longer_bars: differs"},
        {"compared": 9, "differing": 0, "says": "venues: agrees"},
        {"compared": 0, "differing": 0, "says": "source: nothing"},
    ],
}


def drawn(tmp_path, *holes: tuple[int, int]) -> str:
    lake = Lake(tmp_path / "lake")
    bars, hour = make_bars(24 * 100, step_us=HOUR_US), pl.int_range(pl.len())
    for symbol in ("BTCUSDT", "<B>"):
        key = SeriesKey("bars", "binance", symbol, "1h")
        for first, last in holes if symbol == "BTCUSDT" else ():
            bars = bars.filter(~hour.is_between(first, last))
        lake.write(key, bars)
        lake.note_span(key, START_US, START_US + 100 * DAY_US, "asked", "rest")
        bars = make_bars(24 * 100, step_us=HOUR_US)
    keys = [info.key for info in lake.series()]
    return page("my lake", [coverage(lake, key) for key in keys], [CHECK])


def test_gaps_are_drawn_listed_and_counted(tmp_path) -> None:
    text = drawn(tmp_path, (48, 95))
    assert "1 of 2 series are complete. binance BTCUSDT bars 1h lacks most: 2.00% of its time." in text
    assert '<rect class="missing"' in text
    assert "2024-01-03 to 2024-01-04: missing (100.00% of the time)" in text
    row = re.search(r"<tr><th class=\"text\">binance BTCUSDT bars 1h</th>(.*?)</tr>", text)
    assert row is not None
    assert re.findall(r">([^<]+)</td>", row[1]) == ["2024-01-03 00:00:00", "2024-01-05 00:00:00", "2.0 days", "missing"]
    assert "longer_bars: differs" in text
    assert "1 comparisons of series that tell of the same market found no difference" in text
    assert "98.00 %" in text


def test_a_complete_lake_says_so_and_names_are_escaped(tmp_path) -> None:
    text = drawn(tmp_path)
    assert "All 2 series are complete." in text
    assert "&lt;B&gt;" in text
    assert "<B>" not in text
    assert "Nothing." in text


def test_equal_coverage_gives_equal_bytes_and_no_request(tmp_path) -> None:
    text = drawn(tmp_path / "a", (48, 95), (500, 501))
    assert text == drawn(tmp_path / "b", (48, 95), (500, 501))
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|<script|url\(", text)
