"""Order books into the lake: what is sound is kept, what is damaged is told row by row, files join in any order."""

import gzip

import polars as pl
import pytest

from truewind.market.book.assemble import assemble, from_moment
from truewind.market.check import check_series
from truewind.market.importing import import_files
from truewind.market.recordings.recording import read_recording
from truewind.numerics.book import Book
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def refusals(lake, key):
    """Line and reason of every quarantined row, by line."""
    rows = lake.quarantined(key).sort(pl.col("source").str.extract(r":(\d+)$").cast(pl.Int64))
    return [(int(source.rpartition(":")[2]), reason) for source, reason in rows.select("source", "reason").iter_rows()]


@pytest.mark.parametrize(
    ("name", "key", "rows", "expected"),
    [
        (  # the author's changes, by comparison with the positive twin
            "difference_depth_stream_coin_m_futures_trxusd_perp_04-03-2025",
            SeriesKey("book", "binance_coinm", "TRXUSD_PERP"),
            10_000,
            [
                (1, "wrong_symbol"),
                (2, "event time is none"),
                (3, "side is neither bid nor ask"),
                (9, "update ids run backwards"),
                (10_000, "received long after it happened"),
            ],
        ),
        (
            "difference_depth_stream_spot_trxusdt_04-03-2025",
            SeriesKey("book", "binance", "TRXUSDT"),
            10_000,
            [(1, "event time is none"), (8, "received before it happened")],
        ),
        (
            "depth_snapshot_spot_btcusdt_14-04-2025",
            SeriesKey("book", "binance", "BTCUSDT"),
            9_999,
            [(1, "times or ids differ from the rest of the message")],
        ),
    ],
)
def test_damaged_rows_are_quarantined_one_by_one(shared, lake, name, key, rows, expected):
    """Each row that the author changed so that it cannot be, with its line and reason; all others are kept."""
    path = shared / "binance-data-processor" / f"negative_{name}.csv.gz"
    report = import_files(lake, [path])
    assert report.refused == []
    assert refusals(lake, key) == expected
    (file,) = report.files
    assert (file.key, file.read, file.stored) == (key, rows, rows - len(expected))
    assert lake.read(key).height == rows - len(expected)


def test_a_trade_id_that_comes_twice_is_quarantined(shared, lake):
    """Line 3 repeats the id of line 2; the last line was received a day late. Stamps are microseconds."""
    name = "negative_trade_stream_spot_trxusdt_04-03-2025.csv.gz"
    import_files(lake, [shared / "binance-data-processor" / name], kind="book")
    key = SeriesKey("book", "binance", "TRXUSDT")
    assert refusals(lake, key) == [(3, "trade id comes twice"), (10_000, "received long after it happened")]
    assert str(lake.read(key)["ts"][0]) == "2025-03-04 00:00:01.271497+00:00"


def test_sound_files_are_kept_whole(shared, lake):
    """No row of the positive twins is refused but the last, whose receipt their author moved to the end of the day."""
    names = ("depth_snapshot_spot_btcusdt_14-04-2025", "difference_depth_stream_spot_trxusdt_04-03-2025")
    for name in names:
        import_files(lake, [shared / "binance-data-processor" / f"positive_{name}.csv.gz"])
    assert lake.read(SeriesKey("book", "binance", "BTCUSDT")).height == 20_000
    assert lake.read(SeriesKey("book", "binance", "TRXUSDT")).height == 10_000


def test_two_days_imported_one_by_one_make_the_book_of_both(shared, lake):
    """The second file has no snapshot: in the lake it goes on where the first ended. Twice is once."""
    paths = [shared / "hftbacktest" / f"spot__btcusdt_2024080{day}.gz" for day in (9, 8)]
    for path in paths:
        import_files(lake, [path], base_latency_ms=1)
    key = SeriesKey("book", "binance", "BTCUSDT")
    instrument, table = lake.instrument("binance", "BTCUSDT"), lake.read(key)
    again = import_files(lake, [paths[1]], base_latency_ms=1)
    assert (again.files[0].stored, again.files[0].replaced) == (0, 0)
    book = assemble(table, instrument)
    assert (book.gaps, book.unused) == ([], 0)
    whole = read_recording(paths, instrument, base_latency_us=1000)
    ours, theirs = Book(), Book()
    ours.apply(book.events)
    theirs.apply(whole.events)
    for side in (1, -1):
        assert [column.tolist() for column in ours.depth(side)] == [column.tolist() for column in theirs.depth(side)]
    assert ours.crossed.tolist() == [0, -1]


def test_a_book_may_begin_at_any_moment(shared, lake):
    """Cut in the middle, the book of the rest ends as the whole one does."""
    import_files(lake, [shared / "hftbacktest" / "spot__ethusdt_20240808.gz"], base_latency_ms=1)
    key = SeriesKey("book", "binance", "ETHUSDT")
    events = assemble(lake.read(key), lake.instrument("binance", "ETHUSDT")).events
    start = int(events["ts_event"][len(events) // 2])
    rest = from_moment(events, start)
    whole, cut = Book(), Book()
    whole.apply(events)
    cut.apply(rest)
    assert rest["ts_event"][0] == start
    assert cut.depth(1)[1].tolist() == whole.depth(1)[1].tolist()
    assert cut.depth(-1)[0].tolist() == whole.depth(-1)[0].tolist()
    assert len(from_moment(events, int(events["ts_event"][-1]) + 1)) == 0


def test_updates_that_no_snapshot_reaches_are_told(shared, lake):
    """They are kept: the snapshot may come with another file."""
    path = shared / "binance-data-processor" / "positive_difference_depth_stream_spot_trxusdt_04-03-2025.csv.gz"
    report = import_files(lake, [path])
    assert [finding.check for finding in report.files[0].warnings] == ["book_unknown"]


def test_tables_without_ids_are_books_too(shared, lake):
    """tardis numbers nothing: a snapshot is the book, and updates follow it."""
    path = shared / "nautilus" / "tardis__deribit_incremental_book_L2_BTC-PERPETUAL.csv"
    report = import_files(lake, [path])
    assert report.files[0].key == SeriesKey("book", "deribit", "BTC-PERPETUAL")
    assert report.files[0].stored == 15
    archive = [shared / "nautilus" / f"binance__btcusdt-depth-{what}.csv" for what in ("snap", "update")]
    report = import_files(lake, archive)
    assert [file.key for file in report.files] == [SeriesKey("book", "binance_usdm", "BTCUSDT")]
    findings = ["missing_updates", "unused_updates"]
    assert [finding.check for finding in report.files[0].warnings] == findings
    assert [finding.check for finding in check_series(lake, report.files[0].key).findings] == findings


def test_a_clock_behind_the_venues_needs_a_word(shared, lake, tmp_path):
    """Refused with the remedy; a recording without a symbol or with broken lines is refused as well."""
    report = import_files(lake, [shared / "hftbacktest" / "spot__ethusdt_20240808.gz"])
    assert "behind the venue's" in report.refused[0].reason
    assert "base-latency-ms" in report.refused[0].remedy
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b'1723161600000000000 {"lastUpdateId":1,"bids":[["1.0","1"]],"asks":[]}\n'))
    assert "nothing says which symbol" in import_files(lake, [path]).refused[0].reason
