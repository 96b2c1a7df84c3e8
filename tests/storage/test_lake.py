"""The lake gives back what was written, whatever the order of writes, and says clearly what it has not."""

import datetime
import hashlib
import io
import itertools
import os
import struct
from decimal import Decimal

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from profiles import examples
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.errors import (
    ConfigError,
    CorruptError,
    EmptyRangeError,
    MissingFileError,
    SchemaError,
    StorageError,
    UnknownSeriesError,
    ValidationError,
)
from truewind.storage import reading
from truewind.storage.lake import Lake, Written
from truewind.storage.schema import SeriesKey

KEY = SeriesKey("bars", "binance", "BTCUSDT", "1d")
JAN = 1_704_067_200_000_000  # 2024-01-01, a leap year: February begins at day 31, March at day 60
DAYS = st.dictionaries(st.integers(-5, 95), st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=30)


def day_bars(bars, closes, first=JAN):
    """{day: close} as daily bars; day 0 is `first`."""
    days = sorted(closes)
    return bars([first + day * DAY_US for day in days], close=[closes[day] for day in days])


def closes_in(table):
    days = (table["ts"].to_physical() - JAN) // DAY_US
    return dict(zip(days, table["close"], strict=True))


def month_of(day):
    moment = datetime.datetime(2024, 1, 1) + datetime.timedelta(days=day)
    return moment.year, moment.month


@pytest.mark.hypothesis
def test_any_series_of_writes_ends_like_a_dict(store, bars):
    """Append and overwrite, in any order: rows, counts, spans, ranges and gaps equal those of a plain dict of days."""

    serial = itertools.count()

    class Writes(RuleBasedStateMachine):
        @initialize()
        def start(self):
            self.lake = Lake(store.at(str(next(serial))))
            self.model = {}

        @rule(days=DAYS)
        def append(self, days):
            written = self.lake.write(KEY, day_bars(bars, days))
            equal = len(days.items() & self.model.items())
            new = len(days.keys() - self.model.keys())
            assert (written.added, written.duplicates, written.replaced) == (new, equal, len(days) - new - equal)
            self.model |= days

        @rule(days=DAYS)
        def overwrite(self, days):
            months = {month_of(day) for day in days}
            gone = {day for day in self.model if month_of(day) in months}
            written = self.lake.write(KEY, day_bars(bars, days), mode="overwrite")
            assert written == Written(len(days), 0, len(gone), len(months))
            self.model = {day: close for day, close in self.model.items() if day not in gone} | days

        @rule(start=st.integers(-10, 100), length=st.integers(1, 60))
        def read_a_range(self, start, length):
            if not self.model:
                return
            wanted = {day: close for day, close in self.model.items() if start <= day < start + length}
            bounds = {"start_us": JAN + start * DAY_US, "end_us": JAN + (start + length) * DAY_US}
            if wanted:
                assert closes_in(self.lake.read(KEY, **bounds)) == wanted
            else:
                with pytest.raises(EmptyRangeError):
                    self.lake.read(KEY, **bounds)

        @invariant()
        def holds_the_model(self):
            if not self.model:
                return
            table = self.lake.read(KEY)
            assert closes_in(table) == self.model
            assert table["ts"].is_sorted()
            (info,) = self.lake.series()
            first, last = min(self.model), max(self.model)
            assert (info.rows, info.start_us, info.end_us) == (
                len(self.model),
                JAN + first * DAY_US,
                JAN + last * DAY_US,
            )
            missing = set(range(first, last + 1)) - self.model.keys()
            assert info.missing == len(missing)
            ledger = self.lake.gaps(KEY)
            assert info.gaps == ledger.height == len({day for day in missing if day - 1 not in missing})
            assert ledger["missing"].sum() == len(missing)
            self.lake.verify(KEY)

    Writes.TestCase.settings = examples(15 if store.kind == "local" else 4, stateful_step_count=8)
    Writes.TestCase().runTest()


def test_columns_and_laziness(store, bars):
    """Only asked-for columns come, in the order asked for; `scan` can be filtered further; columns are contiguous."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, {day: float(day) for day in range(70)}))
    table = lake.read(KEY, columns=["close", "ts"])
    assert table.columns == ["close", "ts"]
    assert table.n_chunks("all") == [1, 1]
    assert lake.scan(KEY).filter(pl.col("close") > 67).select("close").collect()["close"].to_list() == [68.0, 69.0]
    assert lake.read(KEY, columns=["close"], end_us=JAN + 2 * DAY_US)["close"].to_list() == [0.0, 1.0]


def test_months_that_are_not_needed_are_not_even_opened(store, bars):
    """Reading January works though February's file is gone, and the other way it fails by name."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, {0: 1.0, 40: 2.0}))
    february = store.only("*month=2024-02/*.parquet")
    store.delete(february)
    assert lake.read(KEY, end_us=JAN + 31 * DAY_US).height == 1
    with pytest.raises(CorruptError, match="file is missing") as caught:
        lake.read(KEY, start_us=JAN + 31 * DAY_US)
    assert store.location(february) in str(caught.value)
    assert "Import 2024-02 of binance BTCUSDT bars 1d again" in str(caught.value)


def test_months_with_other_columns_come_together(store, bars):
    """A column that only some months have is null in the others; one that no month has is unknown."""
    lake = Lake(store.url)
    lake.write(KEY, bars([JAN]))
    lake.write(KEY, bars([JAN + 40 * DAY_US], quote_volume=[7.0]))
    assert lake.read(KEY)["quote_volume"].to_list() == [None, 7.0]
    assert lake.read(KEY, end_us=JAN + 1, columns=["quote_volume"])["quote_volume"].to_list() == [None]
    with pytest.raises(SchemaError, match="has no column 'trades'"):
        lake.scan(KEY, columns=["trades"])
    with pytest.raises(SchemaError, match="Did you mean 'close'"):
        lake.scan(KEY, columns=["closes"])


def test_the_layout_is_the_documented_one(store, bars):
    """Folders are hive segments, names are safe, Parquet is Snappy, and other tools can read a file."""
    lake = Lake(store.url)
    lake.write(SeriesKey("bars", "kraken", "BTC/EUR", "1h", "curated"), bars([JAN]))
    folder = "curated/bars/venue=kraken/symbol=BTC%2FEUR/timeframe=1h"
    name = store.only(f"{folder}/month=2024-01/*.parquet")
    assert pl.read_parquet(store.get(name), hive_partitioning=False).height == 1
    import pyarrow.parquet as pq

    assert pq.ParquetFile(io.BytesIO(store.get(name))).metadata.row_group(0).column(0).compression == "SNAPPY"
    assert sorted(store.contents()) == [f"{folder}/_manifest.json", name]


def test_a_key_made_to_climb_stays_inside(store, bars):
    """Nothing is written beside the lake, whatever the symbol."""
    lake = Lake(store.at("lake"))
    key = SeriesKey("bars", "..", "../../../x", "1d")
    lake.write(key, bars([JAN]))
    assert {name.partition("/")[0] for name in store.files()} == {"lake"}
    assert [info.key for info in lake.series()] == [key]
    assert lake.read(key).height == 1


def test_months_are_cut_at_utc_midnight(store, bars):
    """The last µs of January and the first of February lie in two partitions, also before 1970."""
    lake = Lake(store.url)
    february = JAN + 31 * DAY_US
    assert lake.write(KEY, bars([february - 1, february])).partitions == 2
    assert lake.write(KEY, bars([-1, 0])).partitions == 2
    names = sorted(name.split("/")[-2] for name in store.files("*.parquet"))
    assert names == ["month=1969-12", "month=1970-01", "month=2024-01", "month=2024-02"]
    assert lake.read(KEY)["ts"].to_physical().to_list() == [-1, 0, february - 1, february]


def test_writing_nothing_or_nonsense_leaves_no_trace(store, bars):
    """An empty table writes nothing; a refused one neither."""
    lake = Lake(store.at("lake"))
    assert lake.write(KEY, bars([])) == Written()
    with pytest.raises(ValidationError):
        lake.write(KEY, bars([JAN, JAN]))
    assert store.files() == []


def test_an_identical_append_writes_no_file(store, bars):
    """Importing the same file again is counted and changes nothing on disk."""
    lake = Lake(store.url)
    table = day_bars(bars, dict.fromkeys(range(40), 1.0))
    lake.write(KEY, table)
    before = store.contents()
    assert lake.write(KEY, table) == Written(duplicates=40)
    assert store.contents() == before


def test_trades_with_and_without_ids_are_not_mixed(store):
    """A series that is stored by id refuses rows without, unless all its months are overwritten."""
    key = SeriesKey("trades", "binance", "BTCUSDT")
    table = pl.DataFrame({"ts": [JAN, JAN], "price": [1.0, 1.0], "quantity": [1.0, 1.0], "id": [1, 2]}).with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")), side=pl.lit(1, pl.Int8)
    )
    lake = Lake(store.url)
    lake.write(key, table)
    with pytest.raises(SchemaError, match="stored by ts and id, the new rows have ts"):
        lake.write(key, table.drop("id"))
    assert lake.write(key, table.drop("id"), mode="overwrite").added == 2
    assert "id" not in lake.read(key).columns
    assert lake.write(key, table.drop("id")) == Written(duplicates=2)
    assert lake.gaps(key).is_empty()


# ── questions the lake cannot answer ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (SeriesKey("bars", "binanse", "BTCUSDT", "1d"), "No venue 'binanse'.*Did you mean 'binance'"),
        (SeriesKey("bars", "binance", "BTCUSD", "1d"), "No symbol 'BTCUSD'.*Did you mean 'BTCUSDT'"),
        (SeriesKey("trades", "binance", "BTCUSDT"), "No kind 'trades'.*Known: bars"),
        (SeriesKey("bars", "binance", "BTCUSDT", "4h"), "No timeframe '4h' of binance BTCUSDT bars in.*Known: 1d"),
        (SeriesKey("bars", "kraken", "ETHEUR", "1d"), "No symbol 'ETHEUR' of kraken in the lake.*Known: XXBTZUSD"),
        (SeriesKey("bars", "binance", "BTCUSDT", "1d", "curated"), "No layer 'curated'.*Known: raw"),
    ],
)
def test_an_unknown_series_is_explained(store, bars, key, says):
    """The error names the part of the key that is unknown and the closest that is there."""
    lake = Lake(store.url)
    lake.write(KEY, bars([JAN]))
    lake.write(SeriesKey("bars", "kraken", "XXBTZUSD", "1d"), bars([JAN]))
    for ask in (lake.read, lake.scan, lake.gaps, lake.verify, lambda key: lake.snapshot([key])):
        with pytest.raises(UnknownSeriesError, match=says):
            ask(key)


def test_a_series_that_appears_while_the_error_is_made(store, bars, monkeypatch):
    """Another process may write the series between the look and the explanation: the error says to try again."""
    lake = Lake(store.url)
    lake.write(KEY, bars([JAN]))
    real, calls = Lake._load_many, []

    def late(self, keys):
        calls.append(keys)
        return iter([None]) if len(calls) == 1 else real(self, keys)

    monkeypatch.setattr(Lake, "_load_many", late)
    with pytest.raises(UnknownSeriesError, match="try again"):
        lake.read(KEY)


def test_a_missing_or_empty_lake_is_told(store):
    """No folder: MissingFileError; a folder without series: UnknownSeriesError; both name it."""
    absent = Lake(store.at("absent"))
    for ask in (lambda: absent.read(KEY), absent.series, absent.snapshot, absent.vacuum):
        with pytest.raises(MissingFileError, match=r"No lake at .*absent"):
            ask()
    with pytest.raises(MissingFileError):
        absent.instrument("binance", "BTCUSDT")
    store.put("notes.txt", b"no series")
    empty = Lake(store.url)
    assert empty.series() == []
    for ask in (lambda: empty.read(KEY), empty.snapshot):
        with pytest.raises(UnknownSeriesError, match="is empty"):
            ask()
    assert repr(empty) == f"Lake('{store.url}')"


def test_ranges_without_rows_say_what_there_is(store, bars):
    """End before start is a ConfigError; nothing in range names the span, also for a hole between two rows."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, {0: 1.0, 20: 2.0}))
    with pytest.raises(ConfigError, match="2024-01-01 00:00:00 is not after the start 2024-01-02"):
        lake.scan(KEY, start_us=JAN + DAY_US, end_us=JAN)
    with pytest.raises(ConfigError, match="2024-01-01 00:00:00 is not after the start 2024-01-01"):
        lake.read(KEY, start_us=JAN, end_us=JAN)
    for bounds in (
        {"start_us": JAN + DAY_US, "end_us": JAN + 20 * DAY_US},
        {"start_us": JAN + 21 * DAY_US},
        {"end_us": JAN},
    ):
        with pytest.raises(EmptyRangeError, match="rows from 2024-01-01 00:00:00 to 2024-01-21 00:00:00"):
            lake.read(KEY, **bounds)
    with pytest.raises(EmptyRangeError, match="from the beginning to 2024-01-01 00:00:00"):
        lake.scan(KEY, end_us=JAN)


# ── inventory ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_series_are_listed_and_filtered(store, bars):
    """`series` gives every series once, sorted, and the filters combine."""
    lake = Lake(store.url)
    keys = [
        SeriesKey("bars", "binance", "BTCUSDT", "1d"),
        SeriesKey("bars", "binance", "BTCUSDT", "1h"),
        SeriesKey("bars", "kraken", "BTCUSDT", "1d"),
        SeriesKey("mark_bars", "binance", "BTCUSDT", "1d"),
        SeriesKey("bars", "binance", "ETHUSDT", "1d", "curated"),
        SeriesKey("bars", "binance", "BTC", "1d"),
        SeriesKey("bars", "kraken", "BTC/USD", "1d"),
    ]
    for key in reversed(keys):
        lake.write(key, bars([JAN]))
    funding = SeriesKey("funding", "binance", "BTCUSDT")
    lake.write(
        funding, pl.DataFrame({"ts": [JAN], "rate": [1e-4]}).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
    )
    store.put("raw/bars/notes.txt", b"a stray file")
    store.put("raw/bars/stray/_manifest.json", b"of no series")
    assert [info.key for info in lake.series()] == sorted([*keys, funding])
    names = ("kind", "venue", "symbol", "timeframe")
    for parts in itertools.chain.from_iterable(itertools.combinations(names, n) for n in range(5)):
        for wanted in [{name: getattr(key, name) for name in parts} for key in keys]:
            matching = [key for key in (*keys, funding) if all(getattr(key, n) == v for n, v in wanted.items())]
            assert [info.key for info in lake.series(**wanted)] == sorted(matching), wanted
    assert [info.key for info in lake.series(symbol="BTCUSDT", kind="funding")] == [funding]
    assert lake.series(venue="nowhere") == []


def test_the_series_of_a_symbol_are_listed_without_a_look_at_the_others(tmp_path, bars, monkeypatch):
    """A run of many symbols asks for each one's series: were all of them looked at, time would grow by their square."""
    lake, looked = Lake(tmp_path), []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        lake.write(SeriesKey("bars", "binance", symbol, "1d"), bars([JAN]))
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(str(path)) or real(path))
    assert len(lake.series(kind="bars", venue="binance", symbol="ETHUSDT")) == 1
    assert lake.find(SeriesKey("funding", "binance", "ETHUSDT")) is None
    assert looked
    assert not [path for path in looked if "BTCUSDT" in path]


def test_what_may_be_missing_is_found_or_none(store, bars):
    """`find` is `read` for what one can do without: damage and nonsense are errors there, too."""
    lake = Lake(store.url)
    lake.write(KEY, bars([JAN, JAN + DAY_US]))
    assert lake.find(KEY, start_us=JAN + DAY_US, columns=["ts", "close"]).equals(
        lake.read(KEY, start_us=JAN + DAY_US, columns=["ts", "close"])
    )
    assert lake.find(KEY, start_us=JAN + 2 * DAY_US) is None
    assert lake.find(SeriesKey("bars", "binance", "OTHER", "1d")) is None
    with pytest.raises(ConfigError):
        lake.find(KEY, start_us=JAN, end_us=JAN)
    store.put(f"{KEY.path}/_manifest.json", b"no manifest")
    with pytest.raises(CorruptError):
        lake.find(KEY)


def test_the_gap_ledger_by_hand(store, bars):
    """Ranges [from, to) with their count, across the edge of a month too; refused rows explain a gap."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, dict.fromkeys([0, 1, 4, 29, 33], 1.0)))
    refused = bars([JAN + 10 * DAY_US]).with_columns(reason=pl.lit("high below low"), source=pl.lit("x.csv"))
    lake.quarantine(KEY, refused)
    ledger = lake.gaps(KEY)
    assert ledger.with_columns(pl.col("ts_from", "ts_to").dt.strftime("%m-%d")).rows() == [
        ("01-03", "01-05", 2, "missing"),
        ("01-06", "01-30", 24, "quarantined"),
        ("01-31", "02-03", 3, "missing"),
    ]
    assert ledger.schema["ts_from"] == pl.Datetime("us", "UTC")
    lake.write(KEY, day_bars(bars, dict.fromkeys([2, 3, 30, 31, 32], 1.0)))
    assert lake.gaps(KEY).height == 1
    lake.write(KEY, day_bars(bars, dict.fromkeys(range(5, 29), 1.0)))
    assert lake.gaps(KEY).is_empty()
    assert lake.gaps(KEY).schema == ledger.schema


def test_content_hash_of_a_series_is_the_documented_one(store, bars):
    """Computed here byte by byte with hashlib, from the documentation of the format."""
    lake = Lake(store.url)
    lake.write(KEY, bars([JAN, JAN + 31 * DAY_US], close=[11.5, 12.5]))

    def partition_hash(ts, close):
        values = {"open": 10.0, "high": 12.0, "low": 9.0, "close": close, "volume": 1.5}
        text = b"ts us 1\n\x00" + struct.pack("<q", ts)
        for name, value in values.items():
            text += f"{name} f8 1\n".encode() + b"\x00" + struct.pack("<d", value)
        return hashlib.sha256(text).hexdigest()[:32]

    lines = f"2024-01 {partition_hash(JAN, 11.5)}\n2024-02 {partition_hash(JAN + 31 * DAY_US, 12.5)}\n"
    expected = hashlib.sha256(lines.encode()).hexdigest()[:32]
    assert lake.series()[0].content_hash == expected
    line = f"raw/bars/venue=binance/symbol=BTCUSDT/timeframe=1d {expected}\n"
    assert lake.snapshot().id == hashlib.sha256(line.encode()).hexdigest()[:32]


def test_a_snapshot_depends_on_data_only(store, bars):
    """Written in one go or in pieces, here or elsewhere: one id, saved in a file; one changed value: another."""
    days = {day: float(day) for day in range(50)}
    whole, pieces = Lake(store.at("a")), Lake(store.at("b"))
    whole.write(KEY, day_bars(bars, days))
    for chosen in (range(25, 50), range(30)):
        pieces.write(KEY, day_bars(bars, {day: days[day] for day in chosen}))
    one = whole.snapshot()
    assert one.id == pieces.snapshot([KEY, KEY]).id
    assert one.series == tuple(whole.series())
    saved = store.get(f"a/meta/snapshots/{one.id}.json")
    assert msgspec.json.decode(saved, type=type(one)) == one
    assert whole.snapshot() == one
    pieces.write(KEY, day_bars(bars, {7: 99.0}))
    assert pieces.snapshot().id != one.id


def test_instruments_come_back_exactly(store):
    """Decimals survive; names may hold anything; the last one put is the one that counts."""
    lake = Lake(store.url)
    btc = Instrument(
        symbol="BTC/USDT",
        venue="binance",
        kind=Kind.SPOT,
        base="BTC",
        quote="USDT",
        tick_size=Decimal("0.01"),
        lot_size=Decimal("0.00001000"),
        min_notional=Decimal("5"),
    )
    lake.put_instrument(btc)
    assert lake.instrument("binance", "BTC/USDT") == btc
    assert str(lake.instrument("binance", "BTC/USDT").lot_size) == "0.00001000"
    name = store.only("meta/instruments/*.json")
    assert b'"tick_size": "0.01"' in store.get(name)
    changed = msgspec.structs.replace(btc, tick_size=Decimal("0.1"))
    lake.put_instrument(changed)
    assert lake.instrument("binance", "BTC/USDT") == changed
    with pytest.raises(UnknownSeriesError, match="Did you mean 'BTC/USDT'"):
        lake.instrument("binance", "BTC/USD")
    with pytest.raises(UnknownSeriesError, match="Did you mean 'binance'"):
        lake.instrument("binanse", "BTC/USDT")
    store.put(name, b'{"symbol": "BTC/USDT"')
    with pytest.raises(CorruptError, match="is no instrument"):
        lake.instrument("binance", "BTC/USDT")


# ── damage and clearing up ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_truncated_file_is_named_and_can_be_mended(store, bars):
    """Another length is noticed before reading; overwriting the month, not appending to it, mends it."""
    lake = Lake(store.url)
    table = day_bars(bars, {0: 1.0, 1: 2.0})
    lake.write(KEY, table)
    name = store.only("*.parquet")
    store.put(name, store.get(name)[:-5])
    for attempt in (lambda: lake.read(KEY), lambda: lake.write(KEY, table)):
        with pytest.raises(CorruptError, match="were written") as caught:
            attempt()
        assert caught.value.facts["path"] == store.location(name)
    if store.kind == "local":  # an object is whole or not there, so that a scan does not ask
        with pytest.raises(CorruptError, match="were written"):
            lake.scan(KEY)
    lake.write(KEY, table, mode="overwrite")
    assert lake.read(KEY).height == 2


def test_damage_of_equal_length_is_named(store, bars):
    """A file that is no Parquet any more raises CorruptError with its name, not an error of the reader."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, {0: 1.0, 40: 2.0}))
    name = store.only("*month=2024-02/*.parquet")
    store.put(name, bytes(len(store.get(name))))
    with pytest.raises(CorruptError) as caught:
        lake.read(KEY)
    assert caught.value.facts["path"] == store.location(name)
    assert caught.value.facts["month"] == "2024-02"


def test_verify_finds_a_changed_value(store, bars):
    """A file that reads well but says something else is found by its content hash."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, {0: 1.2345678, 1: 2.3456789, 2: 3.4567891}))
    assert lake.verify(KEY).rows == 3
    name = store.only("*.parquet")
    store.put(name, store.get(name).replace(struct.pack("<d", 2.3456789), struct.pack("<d", 2.5)))
    assert lake.read(KEY, columns=["close"])["close"].to_list() == [1.2345678, 2.5, 3.4567891]
    with pytest.raises(CorruptError, match="not what was written"):
        lake.verify(KEY)


def test_an_unreadable_but_sound_file_is_no_damage(store, bars, monkeypatch):
    """If the read fails and every file proves sound, the error is StorageError, not CorruptError."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, {0: 1.0}))

    def fail(*_, **__):
        raise OSError("too many open files")

    monkeypatch.setattr(pl.LazyFrame, "collect", fail)
    monkeypatch.setattr(pl, "read_parquet", lambda *_, **__: pl.DataFrame())
    with pytest.raises(StorageError, match="too many open files" if store.kind == "local" else "Cannot read") as caught:
        lake.read(KEY)
    assert not isinstance(caught.value, CorruptError)


def test_replaced_files_stay_for_readers_until_vacuum(store, bars):
    """A lazy read taken before a write still gives the old state; `vacuum` ends that and keeps what is needed."""
    lake = Lake(store.url)
    lake.write(KEY, day_bars(bars, {0: 1.0}))
    before = lake.scan(KEY)
    lake.write(KEY, day_bars(bars, {0: 2.0}))
    assert before.collect()["close"].to_list() == [1.0]
    assert lake.vacuum() == 1
    assert lake.vacuum() == 0
    assert lake.read(KEY)["close"].to_list() == [2.0]


def test_replaced_files_go_at_a_later_write_once_their_grace_is_over(tmp_path, bars, monkeypatch):
    """The grace begins with the replacement, however old the file is."""
    import os

    lake = Lake(tmp_path)
    lake.write(KEY, day_bars(bars, {0: 1.0}))
    os.utime(next(tmp_path.rglob("*.parquet")), (0, 0))
    lake.write(KEY, day_bars(bars, {0: 2.0}))
    lake.write(KEY, day_bars(bars, {0: 3.0}))
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    monkeypatch.setattr("truewind.storage.lake.GRACE_S", 0.0)
    lake.write(KEY, day_bars(bars, {0: 3.0}))
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_a_reader_whose_files_are_gone_reads_the_new_state(store, bars, monkeypatch):
    """If a write and a vacuum come between manifest and data, `read` starts again from the new manifest."""
    lake, other = Lake(store.url), Lake(store.url)
    lake.write(KEY, day_bars(bars, {0: 1.0}))
    real, calls = reading.collect, []

    def interrupted(*arguments):
        if not calls:
            calls.append(1)
            other.write(KEY, day_bars(bars, {0: 2.0}), mode="overwrite")
            other.vacuum()
        return real(*arguments)

    monkeypatch.setattr(reading, "collect", interrupted)
    assert lake.read(KEY)["close"].to_list() == [2.0]


def test_a_million_rows_come_back_unchanged(store, bars):
    """Two years of minutes, 23 months: every value, and numpy gets them without nulls."""
    n = 1_000_000
    start = 1_640_995_200_000_000  # 2022-01-01
    close = np.random.default_rng(42).normal(100, 1, n).round(2)
    ts = start + np.arange(n) * 60_000_000
    table = pl.DataFrame({"ts": ts, **dict.fromkeys(("open", "high", "low", "close", "volume"), close)})
    lake = Lake(store.url)
    key = SeriesKey("bars", "synthetic", "BTCUSDT", "1m")
    written = lake.write(key, table.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC"))))
    assert written == Written(added=n, partitions=23)
    back = lake.read(key, columns=["ts", "close"])
    assert np.array_equal(back["close"].to_numpy(), close)
    assert np.array_equal(back["ts"].to_physical().to_numpy(), ts)
    hour = lake.read(key, start_us=start + HOUR_US, end_us=start + 2 * HOUR_US)
    assert np.array_equal(hour["close"].to_numpy(), close[60:120])
