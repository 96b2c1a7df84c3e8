"""Months in several files while they grow: readers and snapshots do not notice, and each row is written a few times."""

import itertools
import threading

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.errors import ConfigError, EmptyRangeError, SchemaError, UnknownSeriesError
from truewind.storage import writing
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

TRADES = SeriesKey("trades", "binance", "BTCUSDT")
JAN = 1_704_067_200_000_000  # 2024-01-01
DAY = 86_400_000_000
UTC_US = pl.Datetime("us", "UTC")


def trades(ids, received=False):
    """Trades ten to a µs step, one step a minute, so that cuts often fall between two of one time."""
    types = {"ts": pl.Int64, "price": pl.Float64, "quantity": pl.Float64, "side": pl.Int8, "id": pl.Int64}
    rows = [(JAN + id_ // 10 * 60_000_000, 100.0 + id_ % 7, 1.0, 1, id_) for id_ in ids]
    table = pl.DataFrame(rows, schema=types, orient="row").with_columns(pl.col("ts").cast(UTC_US))
    return table.with_columns(ts_recv=pl.col("ts") + pl.duration(microseconds=7)) if received else table


@pytest.fixture
def short(monkeypatch):
    """Files of more than four rows may stay apart."""
    monkeypatch.setattr(writing, "APART_ROWS", 4)


@examples(25)
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 30), st.booleans()), min_size=1, max_size=12))
def test_however_rows_are_cut_into_writes(tmp_path_factory, writes):
    """Appended, filled in, repeated, with a column more or less: the rows and the id of one single write."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "APART_ROWS", 4)
        cut, rows = Lake(tmp_path_factory.mktemp("cut")), {}
        for first, count, received in writes:
            table = trades(range(first, first + count), received)
            cut.write(TRADES, table)
            for row in table.iter_rows(named=True):
                rows[row["id"]] = {**rows.get(row["id"], {}), **row}
            parts = cut.parts(TRADES)
            assert cut.read(TRADES)["id"].to_list() == sorted(rows)
            assert all(a.end_us < b.start_us for a, b in itertools.pairwise(parts))
            lengths = [part.rows for part in parts]
            assert all(a >= max(4, 2 * b) for a, b in itertools.pairwise(lengths))
            cut.verify(TRADES)
        whole = Lake(tmp_path_factory.mktemp("whole"))
        whole.write(TRADES, pl.DataFrame([rows[id_] for id_ in sorted(rows)], schema=trades([0], True).schema))
        assert cut.read(TRADES).equals(whole.read(TRADES))
        assert cut.snapshot().id == whole.snapshot().id
        assert len(cut.parts(TRADES)) == 1


def test_a_snapshot_joins_and_the_list_says_what_it_does_not_know(store, short):
    """Before, the content hash of the series is unknown; afterwards it is that of one write."""
    lake = Lake(store.url)
    for first, last in ((0, 40), (40, 55), (55, 60)):
        lake.write(TRADES, trades(range(first, last)))
    assert [part.rows for part in lake.parts(TRADES)] == [40, 20]  # the last two share a time
    (info,) = lake.series()
    assert (info.rows, info.content_hash) == (60, None)
    one = lake.snapshot()
    assert one.series[0].content_hash == lake.series()[0].content_hash is not None
    assert lake.snapshot() == one
    lake.vacuum()
    assert len(store.files("*.parquet")) == 1


def test_rows_that_come_while_files_are_joined_stay(tmp_path, short, monkeypatch):
    """Appended meanwhile: they lie behind the joined file; filled in meanwhile: the joined file is not used."""
    lake, real = Lake(tmp_path), writing.joined
    for first, last in ((0, 40), (40, 60)):
        lake.write(TRADES, trades(range(first, last)))

    def during(ids):
        def joined(*arguments):
            work = real(*arguments)
            lake.write(TRADES, trades(ids))
            return work

        return joined

    monkeypatch.setattr(writing, "joined", during(range(60, 70)))
    assert lake.snapshot().series[0].rows == 60
    assert [part.rows for part in lake.parts(TRADES)] == [60, 10]
    monkeypatch.setattr(writing, "joined", during(range(5, 45)))
    lake.write(TRADES, trades(range(100, 104)))
    lake.snapshot()
    assert lake.read(TRADES)["id"].to_list() == [*range(70), *range(100, 104)]
    lake.verify(TRADES)


def test_an_append_rewrites_little(tmp_path, short):
    """150 small appends: files stay few, and each row is written some eight times, not seventy-five."""
    lake, written = Lake(tmp_path), 0
    known = set()
    for first in range(0, 1500, 10):
        lake.write(TRADES, trades(range(first, first + 10)))
        parts = lake.parts(TRADES)
        written += sum(part.rows for part in parts if part.file not in known)
        known |= {part.file for part in parts}
        assert len(parts) <= 10
    assert written <= 1500 * 9


def test_readers_see_one_state_while_files_are_joined(tmp_path, short):
    """Every read is a prefix of the ids, and prefixes never shrink."""
    lake, done, lengths, errors = Lake(tmp_path), threading.Event(), [], []
    lake.write(TRADES, trades(range(10)))

    def read():
        try:
            while not done.is_set():
                ids = lake.read(TRADES)["id"].to_list()
                assert ids == list(range(len(ids)))
                lengths.append(len(ids))
        except BaseException as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for first in range(10, 400, 10):
        lake.write(TRADES, trades(range(first, first + 10)))
    done.set()
    reader.join()
    assert errors == []
    assert lengths == sorted(lengths)


def test_an_older_truewind_refuses_what_it_would_lose(tmp_path, short):
    """A manifest with several files of a month says version 2, any other the 1 that every release reads."""
    lake = Lake(tmp_path)
    lake.write(TRADES, trades(range(40)))
    manifest = tmp_path / TRADES.path / "_manifest.json"
    assert b'"version":1' in manifest.read_bytes()
    lake.write(TRADES, trades(range(40, 50)))
    assert b'"version":2' in manifest.read_bytes()
    lake.snapshot()
    assert b'"version":1' in manifest.read_bytes()


# ── many series at once ─────────────────────────────────────────────────────────────────────────────────────────────


def keys(*symbols):
    return [SeriesKey("bars", "binance", symbol, "1d") for symbol in symbols]


def test_many_symbols_come_as_one_table(store, bars):
    """In the order asked for, cut to the range, with null where a symbol lacks a column; absent ones are left out."""
    lake, (btc, eth, old) = Lake(store.url), keys("BTC/USDT", "ETHUSDT", "OLDUSDT")
    lake.write(btc, bars([JAN, JAN + DAY, JAN + 40 * DAY], close=[1.0, 2.0, 3.0]))
    lake.write(eth, bars([JAN + DAY, JAN + 2 * DAY], close=[5.0, 6.0], trades=[7.0, 8.0]))
    lake.write(old, bars([JAN - 300 * DAY]))
    range_ = {"start_us": JAN + DAY, "end_us": JAN + 41 * DAY}
    table = lake.scan_many([eth, btc, old], **range_, columns=["close", "trades"]).collect()
    assert table.rows() == [
        ("ETHUSDT", 5.0, 7.0),
        ("ETHUSDT", 6.0, 8.0),
        ("BTC/USDT", 2.0, None),
        ("BTC/USDT", 3.0, None),
    ]
    everything = lake.scan_many([btc, eth]).collect()
    assert everything.columns == ["symbol", *lake.read(eth).columns]
    assert everything.filter(symbol="ETHUSDT").drop("symbol").equals(lake.read(eth))


def test_what_many_symbols_cannot_be_asked(tmp_path, bars):
    """Nothing, several timeframes, unknown names, ranges without any row: each its own error."""
    lake, (btc, eth) = Lake(tmp_path), keys("BTCUSDT", "ETHUSDT")
    hourly = SeriesKey("bars", "binance", "BTCUSDT", "1h")
    for key in (btc, hourly):
        lake.write(key, bars([JAN]))
    with pytest.raises(ConfigError, match="No series"):
        lake.scan_many([])
    with pytest.raises(ConfigError, match="by more than the symbol"):
        lake.scan_many([btc, hourly])
    with pytest.raises(UnknownSeriesError, match="ETHUSDT"):
        lake.scan_many([btc, eth])
    with pytest.raises(SchemaError, match="trades"):
        lake.scan_many([btc], columns=["trades"])
    with pytest.raises(EmptyRangeError):
        lake.scan_many([btc], start_us=JAN + DAY)


def test_a_day_is_cut_out_of_a_month(tmp_path, bars):
    """The files have groups of rows that a reader can pass over."""
    import pyarrow.parquet as pq

    lake = Lake(tmp_path)
    key = SeriesKey("bars", "binance", "BTCUSDT", "1m")
    lake.write(key, bars([JAN + minute * 60_000_000 for minute in range(44_640)]))
    file = pq.ParquetFile(next(tmp_path.rglob("*.parquet")))
    assert file.num_row_groups >= 4
    assert file.metadata.row_group(0).column(0).statistics.has_min_max
