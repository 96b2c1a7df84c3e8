"""Readers always see one state, and a killed or refused writer leaves the one before or the one after."""

import errno
import os
import random
import subprocess
import sys
import threading

import numpy as np
import polars as pl
import pytest

from truewind.domain.timeframe import DAY_US
from truewind.errors import LockedError, StorageError
from truewind.storage.lake import Lake, Written
from truewind.storage.schema import SeriesKey

KEY = SeriesKey("bars", "binance", "BTCUSDT", "1d")
JAN = 1_704_067_200_000_000  # 2024-01-01
DAYS = 120

# A process that has imported everything and then, for each line of input, starts a child that writes `count` versions
# from `first` on (all closes of a version are its number, over four months). The child is killed after `wait` seconds,
# or dies by itself before its `step`-th write, sync or rename; the answer is its exit status.
WRITER = f"""
import os, signal, sys, time
import polars as pl
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

def write(first, count, mode):
    key = SeriesKey("bars", "binance", "BTCUSDT", "1d")
    lake = Lake(sys.argv[1])
    for version in range(first, first + count):
        table = pl.DataFrame({{"ts": [{JAN} + day * {DAY_US} for day in range({DAYS})]}}).with_columns(
            pl.col("ts").cast(pl.Datetime("us", "UTC")),
            *(pl.lit(float(version)).alias(name) for name in ("open", "high", "low", "close", "volume")),
        )
        lake.write(key, table, mode=mode)

def die_at(step):
    left = [step]
    def counted(real):
        def call(*arguments):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return real(*arguments)
        return call
    for name in ("write", "fsync", "replace"):
        setattr(os, name, counted(getattr(os, name)))

for line in sys.stdin:
    first, count, mode, wait, step = line.split()
    child = os.fork()
    if child == 0:
        die_at(int(step))
        write(int(first), int(count), mode)
        os._exit(0)
    if float(wait):
        time.sleep(float(wait))
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
NEVER = 10**9


class Writer:
    """Another process that writes versions; see WRITER."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, first, count, mode="append", wait=0.0, step=NEVER):
        self.process.stdin.write(f"{first} {count} {mode} {wait} {step}\n")
        self.process.stdin.flush()

    def end(self):
        return int(self.process.stdout.readline())

    def write(self, *arguments, **more):
        self.start(*arguments, **more)
        return self.end()


@pytest.fixture
def writer(tmp_path):
    writer = Writer(tmp_path)
    with writer.process:
        yield writer
        writer.process.stdin.close()


def version(bars, number):
    return bars([JAN + day * DAY_US for day in range(DAYS)], close=[float(number)] * DAYS)


def seen(table):
    """The one version that all rows of a read have."""
    assert table.height == DAYS
    (number,) = table["close"].unique()
    return number


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_readers_during_writes_see_one_version(tmp_path, bars, writer, mode):
    """Two threads read while another process replaces every row again and again; no read mixes two versions."""
    lake = Lake(tmp_path)
    lake.write(KEY, version(bars, 0))
    versions, errors, done = [[], []], [], threading.Event()

    def read(found):
        try:
            while not done.is_set():
                found.append(seen(lake.read(KEY)))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read, args=(found,)) for found in versions]
    for thread in threads:
        thread.start()
    status = writer.write(1, 30, mode)
    done.set()
    for thread in threads:
        thread.join()
    assert status == 0
    assert errors == []
    for found in versions:
        assert found == sorted(found)
        assert len(set(found)) > 1
    assert seen(lake.read(KEY)) == 30.0


def test_kill_at_any_moment_leaves_a_readable_lake(tmp_path, bars, writer):
    """After kill −9 the lake holds one whole version, verified; the next write and a vacuum leave no strays."""
    lake = Lake(tmp_path)
    lake.write(KEY, version(bars, 0))
    chance = random.Random(42)
    last, moved, longest = 0.0, 0, 0.15
    for attempt in range(1, 101):
        if attempt > 20 and moved > 3:
            break
        assert writer.write(attempt * 1000, 1000, wait=chance.uniform(0.001, longest)) == -9
        now = seen(lake.read(KEY))
        assert now == last or now >= attempt * 1000
        assert lake.verify(KEY).rows == DAYS
        moved += now != last
        longest *= 1.0 if now != last else 1.1  # where the machine is busy a write takes longer
        last = now
    assert moved > 3
    lake.write(KEY, version(bars, 1))
    assert list(tmp_path.rglob(".tmp-*")) == []
    lake.vacuum()
    assert len(list(tmp_path.rglob("*.parquet"))) == 4
    assert seen(lake.read(KEY)) == 1.0


def test_death_before_any_single_step_of_a_write(tmp_path, bars, writer):
    """A process that dies before its n-th write, sync or rename leaves the old version or the new one, for every n."""
    lake = Lake(tmp_path)
    lake.write(KEY, version(bars, 0))
    last = 0.0
    for step in range(1000):
        status = writer.write(step + 1, 1, step=step)
        now = seen(lake.read(KEY))
        lake.verify(KEY)
        if status == 0:
            break
        assert status == 9
        assert now in (last, step + 1.0)
        last = now
    assert step >= 20  # five files, each written, synced, renamed and its folder synced
    assert now == step + 1.0


def test_a_full_disk_at_any_point_changes_nothing(tmp_path, bars, monkeypatch):
    """Whichever write, sync or rename fails: StorageError, the old version stands, and no file is left over."""
    lake = Lake(tmp_path)
    lake.write(KEY, version(bars, 0))
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    real = {name: getattr(os, name) for name in ("write", "fsync", "replace")}
    failures = 0
    for step in range(1000):
        left = [step]

        def failing(name, left=left):
            def call(*arguments):
                left[0] -= 1
                if left[0] < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real[name](*arguments)

            return call

        for name in real:
            monkeypatch.setattr(os, name, failing(name))
        try:
            lake.write(KEY, version(bars, 1))
            break
        except StorageError as error:
            message = str(error)
            failures += 1
        finally:
            monkeypatch.undo()
        assert "No space left on device" in message
        if seen(lake.read(KEY)) == 1.0:  # only the sync of the folder after the last rename failed
            lake.write(KEY, version(bars, 0))
            lake.vacuum()
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == files
        assert seen(lake.read(KEY)) == 0.0
    assert failures >= 20  # five files, each written, synced, renamed and its folder synced
    assert seen(lake.read(KEY)) == 1.0


def test_two_writers_lose_nothing(tmp_path, bars):
    """Threads that append different days to one series all get theirs in."""
    lake = Lake(tmp_path)

    def append(offset):
        for day in range(offset, 40, 4):
            lake.write(KEY, bars([JAN + day * DAY_US], close=[float(day)]))

    threads = [threading.Thread(target=append, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lake.read(KEY)["close"].to_list() == [float(day) for day in range(40)]
    assert lake.gaps(KEY).is_empty()


def test_a_series_being_written_elsewhere_is_locked(tmp_path, bars, monkeypatch):
    """A write that has to wait too long raises LockedError; other series are free, and so are readers."""
    monkeypatch.setattr("truewind.storage.blobs.LOCK_WAIT_S", 0.02)
    lake = Lake(tmp_path)
    lake.write(KEY, version(bars, 0))
    other = SeriesKey("bars", "binance", "ETHUSDT", "1d")
    with lake._blobs.lock(KEY.path):
        with pytest.raises(LockedError):
            lake.write(KEY, version(bars, 1))
        assert lake.write(other, version(bars, 1)) == Written(added=DAYS, partitions=4)
        assert seen(lake.read(KEY)) == 0.0


def test_an_interrupted_write_gives_its_space_back(tmp_path, bars, monkeypatch):
    """Ctrl-C in the middle leaves the files of before and passes on."""
    lake = Lake(tmp_path)
    lake.write(KEY, version(bars, 0))
    files = sorted(tmp_path.rglob("*"))
    calls = []
    real = np.flatnonzero

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(np, "flatnonzero", interrupt)
    with pytest.raises(KeyboardInterrupt):
        lake.write(KEY, version(bars, 1))
    assert sorted(tmp_path.rglob("*")) == files
    assert isinstance(lake.read(KEY), pl.DataFrame)


def test_files_from_the_future_and_a_clock_set_back(tmp_path, bars):
    """Files that seem to be written tomorrow are young; what is stored does not depend on any clock."""
    lake = Lake(tmp_path)
    for number in range(3):
        lake.write(KEY, version(bars, number))
        for path in tmp_path.rglob("*.parquet"):
            os.utime(path, (4e9, 4e9))
    assert len(list(tmp_path.rglob("*.parquet"))) == 12
    assert seen(lake.read(KEY)) == 2.0
    for path in tmp_path.rglob("*.parquet"):
        os.utime(path, (0, 0))
    lake.write(KEY, version(bars, 3))
    lake.write(KEY, version(bars, 3))
    assert seen(lake.read(KEY)) == 3.0
    lake.verify(KEY)
