"""What was recorded is read back in order; a torn end is told, other damage is refused."""

import errno
import json
import os
import struct
import subprocess
import sys
import zlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import CorruptError, FormatError, LockedError, MissingFileError, StorageError
from truewind.storage import journal as module
from truewind.storage.journal import JournalWriter, journal_tables, read_journal

ROW = np.dtype([("ts", np.int64), ("side", np.int8), ("price", np.float64)], align=True)  # with padding


def rows(*values):
    return np.array(list(values), ROW)


def read(path):
    """(kind, facts or rows as tuples) of every frame."""
    return [
        (f.kind, f.facts if f.rows is None else [tuple(row) for row in f.rows.tolist()]) for f in read_journal(path)
    ]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.twj"


@pytest.fixture
def sample(path):
    """A journal of records and rows, two kinds of each."""
    with JournalWriter(path) as journal:
        journal.record("start", run="r1", cash=Decimal("100.50"))
        journal.rows("fill", rows((1, 1, 10.5), (2, -1, 11.0)))
        journal.record("order", ts=3, symbol="BTCUSDT", price=None)
        journal.rows("fill", rows((4, 1, 12.0)))
        journal.record("order", ts=5, symbol="ETHUSDT", price=7.5)
    return path


SAMPLE = [
    ("start", {"run": "r1", "cash": "100.50"}),
    ("fill", [(1, 1, 10.5), (2, -1, 11.0)]),
    ("order", {"ts": 3, "symbol": "BTCUSDT", "price": None}),
    ("fill", [(4, 1, 12.0)]),
    ("order", {"ts": 5, "symbol": "ETHUSDT", "price": 7.5}),
]


def frame(kind, payload):
    """A frame put together from the documentation."""
    body = struct.pack("<HI", kind, len(payload))
    return b"TWJ!" + body + struct.pack("<I", zlib.crc32(body + payload)) + payload


def test_the_bytes_are_the_documented_ones(path):
    """Built here with struct and zlib, from the description of the format; padding of rows is not in it."""
    with JournalWriter(path) as journal:
        journal.record("note", text="hi")
        journal.rows("fill", rows((1, -1, 2.5)))
    dtype = [["ts", "<i8"], ["side", "|i1"], ["price", "<f8"]]
    compact = {"separators": (",", ":")}
    expected = b"TWJRNL" + struct.pack("<H", 1)
    expected += frame(0, json.dumps({"kind": 1, "name": "note", "dtype": None}, **compact).encode())
    expected += frame(1, b'{"text":"hi"}')
    expected += frame(0, json.dumps({"kind": 2, "name": "fill", "dtype": dtype}, **compact).encode())
    expected += frame(2, struct.pack("<qbd", 1, -1, 2.5))
    assert path.read_bytes() == expected


def test_everything_comes_back_in_order(sample):
    """Records and rows, as recorded, with a clean end."""
    journal = read_journal(sample)
    assert read(sample) == SAMPLE
    assert [f.offset for f in journal] == sorted(f.offset for f in journal)
    assert journal.truncated_at is None


FACTS = st.dictionaries(
    st.text(max_size=6),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
ROWS = st.lists(st.tuples(st.integers(-9, 9), st.sampled_from([-1, 1]), st.floats(-9, 9)), min_size=1, max_size=5)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), FACTS) | st.tuples(st.just("fill"), ROWS)), st.integers(0, 40))
def test_what_goes_in_comes_out_and_bytes_depend_on_calls_only(tmp_path_factory, calls, reopen):
    """Any records and rows come back; flushing and reopening in between changes no byte."""
    folder = tmp_path_factory.mktemp("journal")
    plain, broken = folder / "plain", folder / "broken"

    def put(journal, kind, value):
        if kind == "fill":
            journal.rows(kind, rows(*value))
        else:
            journal.record(kind, **value)

    with JournalWriter(plain) as journal:
        for call in calls:
            put(journal, *call)
    for part in (calls[:reopen], calls[reopen:]):
        with JournalWriter(broken) as journal:
            for call in part:
                put(journal, *call)
                journal.flush()
    assert read(plain) == calls
    assert plain.read_bytes() == broken.read_bytes()


def test_torn_anywhere_in_the_last_frame(sample):
    """Cut at every byte of the last frame: all frames before it are read, and where it began is told."""
    data = sample.read_bytes()
    last = [f.offset for f in read_journal(sample)][-1]
    for cut in range(last, len(data)):
        for tail in (b"", bytes(7)):  # a file system may have made the file longer before it had the bytes
            sample.write_bytes(data[:cut] + tail)
            journal = read_journal(sample)
            assert len(list(journal)) == 4
            assert journal.truncated_at == (last if cut > last or tail else None)


def test_a_torn_frame_that_speaks_of_frames_is_still_torn(path):
    """The magic bytes inside a payload are not taken for a frame that follows."""
    with JournalWriter(path) as journal:
        journal.record("a", text="x")
        journal.record("a", text="TWJ! and TWJ! again, and some more")
    path.write_bytes(path.read_bytes()[:-3])
    journal = read_journal(path)
    assert [f.facts for f in journal] == [{"text": "x"}]
    assert journal.truncated_at is not None


def test_a_writer_cuts_the_torn_tail_off_and_goes_on(sample):
    """After reopening, new frames follow the last whole one, and kinds keep their numbers."""
    data = sample.read_bytes()
    for cut in (len(data) - 1, 5):  # in the last frame, and in the header of the file
        sample.write_bytes(data[:cut])
        with JournalWriter(sample) as journal:
            journal.rows("fill", rows((9, 1, 1.0)))
            journal.record("order", ts=10)
        kept = SAMPLE[:-1] if cut > 5 else []
        assert read(sample) == [*kept, ("fill", [(9, 1, 1.0)]), ("order", {"ts": 10})]


def test_a_flipped_bit_anywhere_is_never_read_as_sound(sample):
    """Any single damaged byte before the last frame is CorruptError at its frame; none is passed over in silence."""
    data = sample.read_bytes()
    last = [f.offset for f in read_journal(sample)][-1]
    for at in range(8, len(data)):
        sample.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        journal = read_journal(sample)
        if at < last:
            with pytest.raises(CorruptError) as caught:
                list(journal)
            assert caught.value.facts["offset"] <= at
            assert str(sample) in str(caught.value)
        else:  # the length may now reach behind the end, as that of a torn frame does
            try:
                list(journal)
            except CorruptError:
                continue
            assert journal.truncated_at == last


def test_a_damaged_journal_is_not_written_on(sample):
    """Opening one for writing raises CorruptError and changes nothing."""
    data = bytearray(sample.read_bytes())
    data[40] ^= 1
    sample.write_bytes(data)
    with pytest.raises(CorruptError):
        JournalWriter(sample)
    assert sample.read_bytes() == data


@pytest.mark.parametrize(
    ("tail", "says"),
    [(frame(9, b"{}"), "kind 9 is not defined"), (frame(0, b"{}"), "not a definition"), (b"noise", "checksum")],
)
def test_sound_frames_that_make_no_sense_are_refused(sample, tail, says):
    """A kind that was never defined, a bad definition and foreign bytes are CorruptError."""
    sample.write_bytes(sample.read_bytes() + tail)
    with pytest.raises(CorruptError, match=says):
        list(read_journal(sample))


def test_missing_and_foreign_files_are_told(tmp_path, path):
    """No file, no folder, another format, a folder: each has its own error."""
    with pytest.raises(MissingFileError, match="No journal"):
        list(read_journal(path))
    with pytest.raises(MissingFileError, match="No folder"):
        JournalWriter(tmp_path / "absent" / "run.twj")
    path.write_text("ts,price\n1,2\n")
    with pytest.raises(FormatError):
        list(read_journal(path))
    with pytest.raises(FormatError):
        JournalWriter(path)
    for ask in (JournalWriter, lambda folder: list(read_journal(folder))):
        with pytest.raises(StorageError, match="Cannot"):
            ask(tmp_path)


def test_an_empty_journal_is_empty(path):
    """Nothing recorded: no frames, no tables, clean end; a file of no bytes too."""
    JournalWriter(path).close()
    assert read(path) == []
    assert journal_tables(path) == {}
    path.write_bytes(b"")
    journal = read_journal(path)
    assert list(journal) == []
    assert journal.truncated_at is None


def test_tables(path):
    """One table a kind, all blocks of it together; facts that are not in every record are null."""
    with JournalWriter(path) as journal:
        journal.rows("fill", rows((1, 1, 10.5), (2, -1, 11.0)))
        journal.record("order", ts=3, price=1)
        journal.record("order", ts=4, price=2.5, tag="x")
        journal.rows("fill", rows((4, 1, 12.0)))
        journal.rows("fill", np.array([(5, 2.0)], [("ts", np.int64), ("fee", np.float64)]))
    tables = journal_tables(path)
    assert list(tables) == ["order", "fill"]
    assert tables["order"].rows() == [(3, 1.0, None), (4, 2.5, "x")]
    assert tables["fill"].columns == ["ts", "side", "price", "fee"]
    assert tables["fill"]["ts"].to_list() == [1, 2, 4, 5]
    assert tables["fill"]["fee"].to_list() == [None, None, None, 2.0]
    assert tables["fill"].schema["side"] == pl.Int8


def test_facts_of_other_types(path):
    """numpy numbers are numbers, paths are text, NaN is null, and a fact may be called `kind` or `self`-like."""
    with JournalWriter(path) as journal:
        journal.record("x", a=np.int64(3), b=np.float64(0.5), c=Path("a/b"), d=float("nan"), kind="k", e=2**70)
    assert read(path) == [("x", {"a": 3, "b": 0.5, "c": "a/b", "d": None, "kind": "k", "e": 2**70})]


def test_an_array_may_be_used_again(path):
    """Rows are copied when they are recorded; big-endian, strided and long arrays come back by value."""
    array = rows((1, 1, 1.0), (2, 1, 2.0), (3, 1, 3.0))
    with JournalWriter(path) as journal:
        journal.rows("fill", array)
        journal.rows("fill", array[::2])
        journal.rows("fill", array[:0])
        journal.rows("big", array.astype(array.dtype.newbyteorder(">")))
        array["ts"] = 0
    assert [[row[0] for row in values] for _, values in read(path)] == [[1, 2, 3], [1, 3], [1, 2, 3]]


def test_long_blocks_are_split(path, monkeypatch):
    """Blocks longer than the limit become several frames of whole rows."""
    monkeypatch.setattr(module, "_BLOCK_BYTES", 40)
    array = np.zeros(7, ROW)
    array["ts"] = np.arange(7)
    with JournalWriter(path) as journal:
        journal.rows("fill", array)
    assert [[row[0] for row in values] for _, values in read(path)] == [[0, 1], [2, 3], [4, 5], [6]]


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((2, 2), ROW), np.zeros(2, [("a", object)]), np.zeros(2, [("a", "f8", 2)])]
)
def test_only_flat_rows_are_taken(path, array):
    """Plain arrays, tables of rows, objects and nested fields are refused."""
    with JournalWriter(path) as journal, pytest.raises(StorageError, match="plain numbers"):
        journal.rows("fill", array)


def test_a_name_is_one_thing(path):
    """A kind of records cannot become a kind of rows or the other way."""
    with JournalWriter(path) as journal:
        journal.record("a", x=1)
        journal.rows("b", rows((1, 1, 1.0)))
        with pytest.raises(StorageError, match="'a' cannot be both"):
            journal.rows("a", rows((1, 1, 1.0)))
        with pytest.raises(StorageError, match="'b' cannot be both"):
            journal.record("b", x=1)
        journal.rows("b", rows((2, 1, 1.0)))
    assert [kind for kind, _ in read(path)] == ["a", "b", "b"]


def test_what_is_flushed_can_be_read_while_writing(path):
    """`flush` makes it visible to others; before it, it need not be."""
    with JournalWriter(path) as journal:
        journal.record("a", x=1)
        journal.flush()
        assert read(path) == [("a", {"x": 1})]
        journal.record("a", x=2)
        journal.flush(sync=True)
        assert len(read(path)) == 2


def test_the_buffer_does_not_grow_without_end(path):
    """More than a megabyte is handed over without being asked."""
    with JournalWriter(path) as journal:
        for i in range(3000):
            journal.record("a", i=i, text="x" * 500)
        assert path.stat().st_size > 1_000_000
    assert [facts["i"] for _, facts in read(path)] == list(range(3000))


def test_one_writer_at_a_time(path):
    """A second writer is refused until the first has closed; a closed one refuses records."""
    first = JournalWriter(path)
    with pytest.raises(LockedError):
        JournalWriter(path)
    first.record("a", x=1)
    first.close()
    first.close()
    with JournalWriter(path) as second:
        second.record("a", x=2)
    for late in (lambda: first.record("a", x=3), lambda: first.rows("b", rows((1, 1, 1.0)))):
        with pytest.raises(StorageError, match="is closed"):
            late()
    assert read(path) == [("a", {"x": 1}), ("a", {"x": 2})]


def test_the_journal_survives_an_error_of_its_user(path):
    """Leaving the block by an exception keeps what was recorded."""

    def user(journal):
        journal.record("a", x=1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), JournalWriter(path) as journal:
        user(journal)
    assert read(path) == [("a", {"x": 1})]


def test_a_full_disk_tears_nothing(path, monkeypatch):
    """A write that fails half-way is taken back; when there is space again, nothing is missing."""
    real = os.pwrite
    with JournalWriter(path) as journal:
        journal.record("a", x=1)
        journal.flush()

        def half(handle, data, offset):
            if len(data) > 10:
                return real(handle, data[:10], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        journal.record("a", x=2)
        journal.rows("fill", rows((1, 1, 1.0)))
        monkeypatch.setattr(os, "pwrite", half)
        with pytest.raises(StorageError, match="No space left on device"):
            journal.flush()
        journal.record("b", x=3)
        monkeypatch.undo()
        assert read(path) == [("a", {"x": 1})]
    assert read(path) == [("a", {"x": 1}), ("a", {"x": 2}), ("fill", [(1, 1, 1.0)]), ("b", {"x": 3})]


def test_a_sync_that_fails_is_told_and_loses_nothing(path, monkeypatch):
    """The bytes are written once, whether or not the device confirms."""
    with JournalWriter(path) as journal:
        journal.record("a", x=1)

        def fail(_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match="Input/output error"):
            journal.flush(sync=True)
        monkeypatch.undo()
    assert read(path) == [("a", {"x": 1})]


def test_kill_keeps_what_was_flushed(path):
    """After kill −9 every flushed record is there, in order, and the journal can be written on."""
    code = """
import sys
from truewind.storage.journal import JournalWriter
journal = JournalWriter(sys.argv[1])
for i in range(10**9):
    journal.record("a", i=i)
    journal.flush()
    if i % 100 == 0:
        print(i, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(20):
            told = int(process.stdout.readline())
        process.kill()
    with JournalWriter(path) as journal:
        journal.record("end", told=told)
    *records, end = read(path)
    assert end == ("end", {"told": told})
    assert [facts["i"] for _, facts in records] == list(range(len(records)))
    assert len(records) > told


def test_importing_the_journal_does_not_load_polars():
    """Strategies journal without paying for tables."""
    code = "import sys, truewind.storage.journal; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
