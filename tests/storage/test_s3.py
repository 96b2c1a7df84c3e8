"""The lake on S3: a real server of the protocol, and writers that die, overtake each other or lose the line."""

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta

import polars as pl
import pytest

from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError, LockedError, MissingFileError, StorageError
from truewind.storage import s3 as module
from truewind.storage.blobs import open_blobs
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

KEY = SeriesKey("bars", "binance", "BTCUSDT", "1d")
JAN = 1_704_067_200_000_000  # 2024-01-01
DAYS = 70


def version(bars, number):
    """Three months of bars whose closes are `number`."""
    return bars([JAN + day * DAY_US for day in range(DAYS)], close=[float(number)] * DAYS)


def seen(lake):
    """The one version that all rows of a read have."""
    table = lake.read(KEY)
    assert table.height == DAYS
    (number,) = table["close"].unique()
    return number


@pytest.fixture
def quick(monkeypatch):
    """Leases, waits and retries of a second or two."""
    monkeypatch.setattr(module, "LEASE_S", 0.8)
    monkeypatch.setattr(module, "RENEW_S", 0.1)
    monkeypatch.setattr(module, "WAIT_S", 2.5)
    monkeypatch.setattr(module, "RETRIES", {"max_retries": 1, "retry_timeout": timedelta(seconds=1)})


# ── one state, whoever dies ─────────────────────────────────────────────────────────────────────────────────────────

# Writes version after version of three months and says so; every put waits a little, so that a kill falls between two.
WRITER = f"""
import sys, time
import polars as pl
from truewind.storage import s3
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

real = s3.S3Blobs._put
def slow(*arguments):
    time.sleep(0.004)
    return real(*arguments)
s3.S3Blobs._put = slow
lake, number = Lake(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
while True:
    number += 1
    table = pl.DataFrame({{"ts": [{JAN} + day * {DAY_US} for day in range({DAYS})]}}).with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")),
        *(pl.lit(float(number)).alias(name) for name in ("open", "high", "low", "close", "volume")),
    )
    lake.write(SeriesKey("bars", "binance", "BTCUSDT", "1d"), table)
"""


def test_kill_at_any_moment_leaves_a_whole_state(s3, bars, quick, monkeypatch):
    """After kill −9 one whole version is there, verified; the lock of the dead is waited out; old files go."""
    lake = Lake(s3.url)
    lake.write(KEY, version(bars, 0))
    for attempt in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, s3.url, str(1000 * (attempt + 1))], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.15 + 0.047 * attempt)
            process.send_signal(signal.SIGKILL)
        now = seen(lake)
        assert now == 0.0 or now > 1000 * (attempt + 1)
        assert lake.verify(KEY).rows == DAYS
        lake.write(KEY, version(bars, 0))  # waits for the lease of the dead, if it held one
        assert seen(lake) == 0.0
    lake.vacuum()
    assert len(s3.files("*.parquet")) == 3
    assert lake.verify(KEY).rows == DAYS


def test_two_writers_lose_nothing(s3, bars):
    """Two processes' worth of lakes append different days to one series; all get in."""
    errors = []

    def append(offset):
        try:
            lake = Lake(s3.url)
            for day in range(offset, 12, 2):
                lake.write(KEY, bars([JAN + day * DAY_US], close=[float(day)]))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=append, args=(offset,)) for offset in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Lake(s3.url).read(KEY)["close"].to_list() == [float(day) for day in range(12)]


def test_a_writer_who_was_overtaken_changes_nothing(s3, bars, quick, monkeypatch):
    """He slept longer than his lease under the lock, another wrote meanwhile: LockedError, the other's rows stay."""
    slow, fast = Lake(s3.url), Lake(s3.url)
    slow.write(KEY, version(bars, 0))
    monkeypatch.setattr(module.S3Blobs, "_keep", lambda *_: None)  # the sleeper renews nothing
    real, interrupted = module.S3Blobs._put, []

    def overtaken(self, name, data, mode):
        if self is slow._blobs and name.endswith("_manifest.json") and not interrupted:
            interrupted.append(1)
            fast.write(KEY, version(bars, 2))  # takes the lock over once it stood still
        return real(self, name, data, mode)

    monkeypatch.setattr(module.S3Blobs, "_put", overtaken)
    with pytest.raises(LockedError, match="Another writer has changed"):
        slow.write(KEY, version(bars, 1))
    assert interrupted
    assert seen(fast) == 2.0
    slow.write(KEY, version(bars, 3))
    assert seen(fast) == 3.0


def test_a_late_writer_cannot_name_files_that_were_tidied_away(s3, bars, quick, monkeypatch):
    """The one who overtook him wrote nothing but removed his files as strays: his manifest is refused all the same."""
    slow, fast = Lake(s3.url), Lake(s3.url)
    slow.write(KEY, version(bars, 0))
    monkeypatch.setattr(module.S3Blobs, "_keep", lambda *_: None)
    real, interrupted = module.S3Blobs._put, []

    def overtaken(self, name, data, mode):
        if self is slow._blobs and name.endswith("_manifest.json") and not interrupted:
            interrupted.append(fast.vacuum())
        return real(self, name, data, mode)

    monkeypatch.setattr(module.S3Blobs, "_put", overtaken)
    with pytest.raises(LockedError):
        slow.write(KEY, version(bars, 1))
    assert interrupted == [3]
    assert seen(fast) == 0.0
    fast.verify(KEY)


def test_a_lock_that_is_renewed_is_not_taken_over(s3, quick):
    """The second writer gives up; a lock let go is free at once."""
    blobs, other = open_blobs(s3.url), open_blobs(s3.url)
    with blobs.lock("a"), pytest.raises(LockedError, match="Another writer holds s3://lakes"), other.lock("a"):
        pass
    start = time.monotonic()
    with other.lock("a"), blobs.lock("b"):
        pass
    assert time.monotonic() - start < module.LEASE_S
    assert s3.files() == []


def test_a_holder_who_sees_that_the_lock_is_gone_stops(s3, quick):
    """Someone took the lock over: the next write under it puts nothing, and the new holder's lock is left alone."""
    blobs = open_blobs(s3.url)
    with blobs.lock("a"):
        s3.put("a/_lock", b"another holder")
        deadline = time.monotonic() + 10
        while not blobs._leases["a"].lost:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(LockedError):
            blobs.write("a/b", b"late")
    assert s3.files() == ["a/_lock"]
    assert s3.get("a/_lock") == b"another holder"


def test_an_answer_that_got_lost_is_no_conflict(s3, monkeypatch):
    """A conditional put that arrived, whose answer did not, and which was then sent again: what is there is ours."""
    import obstore
    from obstore.exceptions import PreconditionError

    blobs, real = open_blobs(s3.url), obstore.put

    def put(store, name, data, *, mode):
        real(store, name, data, mode=mode)
        raise PreconditionError("412")

    with blobs.lock("a"):
        assert blobs.read("a/b") is None
        monkeypatch.setattr(obstore, "put", put)
        blobs.write("a/b", b"one")
        blobs.write("a/b", b"two")
        monkeypatch.undo()
        blobs.write("a/b", b"three")
    assert blobs.read("a/b") == b"three"


def test_two_puts_at_the_same_moment(s3, bars, monkeypatch):
    """AWS may answer 409 to one of them: whoever gets it was not the one, and tries again or is told to."""
    import obstore
    from obstore.exceptions import GenericError

    lake, real, conflicts = Lake(s3.url), obstore.put, ["_lock", "_manifest.json"]

    def put(store, name, data, *, mode):
        if conflicts and name.endswith(conflicts[0]):
            conflicts.pop(0)
            raise GenericError("status code: 409 Conflict: <Error><Code>ConditionalRequestConflict</Code></Error>")
        return real(store, name, data, mode=mode)

    monkeypatch.setattr(obstore, "put", put)
    with pytest.raises(LockedError, match="Another writer has changed"):
        lake.write(KEY, version(bars, 1))
    assert conflicts == []
    lake.write(KEY, version(bars, 1))
    assert seen(lake) == 1.0


# ── networks ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Line:
    """A line to the server that can be cut after some connections' worth of requests: a tiny proxy."""

    def __init__(self, port):
        line = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection(("127.0.0.1", port)) as there:
                    threading.Thread(target=line.pump, args=(there, self.request, False), daemon=True).start()
                    line.pump(self.request, there, True)

        self.left = -1  # requests that still pass, below 0: all
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pump(self, source, target, counts):
        try:
            while data := source.recv(1 << 16):
                if counts and data[:4] in (b"GET ", b"PUT ", b"HEAD", b"DELE", b"POST"):
                    if self.left == 0:
                        break
                    self.left -= self.left > 0
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def line(s3_server, monkeypatch):
    line = Line(int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2]))
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
    yield line
    line.close()


@pytest.fixture
def direct_blobs(s3):
    """Made before the line, and so without it."""
    return open_blobs(s3.url)


def test_a_line_cut_at_any_request_leaves_a_whole_state(direct_blobs, s3, bars, quick, line, monkeypatch):
    """Whichever request is the last to pass: StorageError, the old version or the new one, and no secret told."""
    monkeypatch.setattr(module, "RETRIES", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})
    writer, direct = Lake(s3.url), Lake(s3.url)
    direct._blobs = direct_blobs
    writer.write(KEY, version(bars, 0))
    last = 0.0
    for passing in (0, 2, 4, 8, 11, 15):
        line.left = passing
        with pytest.raises(StorageError, match="Cannot") as caught:
            writer.write(KEY, version(bars, passing + 1))
        line.left = -1
        assert "secret" not in str(caught.value.as_dict())
        now = seen(direct)
        assert now in (last, passing + 1.0)
        direct.verify(KEY)
        last = now
    writer.write(KEY, version(bars, 99))
    assert seen(direct) == 99.0


def test_nobody_at_the_other_end(quick, monkeypatch, s3_server):
    """A server that does not answer is a StorageError that names it, for every way in."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    lake = Lake("s3://lakes/nobody")
    for ask in (lambda: lake.read(KEY), lake.series, lambda: lake.note_span(KEY, JAN, JAN + 1, "asked")):
        with pytest.raises(StorageError, match=r"no usable answer from 127\.0\.0\.1") as caught:
            ask()
        assert "secret" not in str(caught.value.as_dict())
        assert caught.value.__cause__ is None  # nor what the library said, which may quote a request


def test_a_bucket_that_is_not_there(s3_server, bars):
    """Reading tells that there is no lake, writing that there is no bucket."""
    lake = Lake("s3://no-such-bucket/lake")
    with pytest.raises(MissingFileError, match="No lake at s3://no-such-bucket/lake"):
        lake.read(KEY)
    with pytest.raises(StorageError, match="NoSuchBucket"):
        lake.write(KEY, bars([JAN]))


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:a-secret@bucket/lake",
        "s3://bucket/lake?token=a-secret",
        "s3://Bu_cket/x",
        "s3:///x",
        "s3://[/a-secret",
    ],
)
def test_urls_that_are_none(url):
    """ConfigError, which never repeats what may be a key."""
    with pytest.raises(ConfigError) as caught:
        open_blobs(url)
    assert "a-secret" not in str(caught.value.as_dict())


def test_profiles_are_refused_with_the_way_out(monkeypatch):
    """What would silently be ignored is told."""
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(ConfigError, match="export-credentials"):
        open_blobs("s3://bucket/lake")


def test_without_the_package(monkeypatch):
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(ConfigError, match=r"truewind\[s3\]"):
        open_blobs("s3://bucket/lake")


# ── what it costs, and what it is equal to ──────────────────────────────────────────────────────────────────────────


def test_reads_list_nothing(s3, bars, monkeypatch):
    """A read is one request for the manifest, and what polars asks of the files; a write lists once."""
    import obstore

    lake = Lake(s3.url)
    calls = []
    for name in ("get", "put", "list", "list_with_delimiter", "head", "delete"):
        real = getattr(obstore, name)
        monkeypatch.setattr(obstore, name, lambda *a, _n=name, _r=real, **k: (calls.append(_n), _r(*a, **k))[1])
    lake.write(KEY, version(bars, 0))
    # lock; manifest; strays; three months and the manifest; look at the lock, let it go
    assert calls == ["put", "get", "list", *["put"] * 4, "get", "delete"]
    calls.clear()
    lake.read(KEY)
    lake.scan(KEY, start_us=JAN, end_us=JAN + DAY_US).collect()
    assert calls == ["get", "get"]


def test_the_snapshot_is_the_local_one(s3, tmp_path, bars):
    """Same data, same id, wherever it lies."""
    ids = []
    for url in (s3.url, tmp_path / "lake"):
        lake = Lake(url)
        lake.write(KEY, version(bars, 7))
        lake.note_span(KEY, JAN, JAN + DAY_US, "asked")
        lake.quarantine(KEY, version(bars, 8)[:1].with_columns(reason=pl.lit("x"), source=pl.lit("y")))
        assert lake.quarantined(KEY).height == 1
        ids.append(lake.snapshot().id)
    assert ids[0] == ids[1]


def test_nothing_secret_is_shown(s3):
    """Neither by the lake nor by its store."""
    lake = Lake(s3.url)
    for text in (repr(lake), repr(lake._blobs), str(vars(lake._blobs))):
        assert "a-very-secret-key" not in text
        assert "AKIATEST" not in text
