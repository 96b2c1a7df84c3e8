"""Blobs change all at once or not at all, and one writer at a time."""

import errno
import os
import subprocess
import sys
import threading

import pytest

from truewind.errors import ConfigError, LockedError, StorageError
from truewind.storage import blobs as module
from truewind.storage.blobs import open_blobs


def leftovers(folder):
    return [path.name for path in folder.rglob(".tmp-*")]


def test_a_name_that_needs_a_file_to_be_a_folder_is_not_there(tmp_path):
    """And nothing temporary is left of what was written."""
    blobs = open_blobs(tmp_path / "lake")
    assert not blobs.exists()
    blobs.write("a/b", b"one")
    assert (blobs.read("a/b/c"), blobs.entries("a/b")) == (None, [])
    assert leftovers(tmp_path) == []


def test_retiring_begins_a_new_age(tmp_path):
    """Age counts from then on; retiring nothing is no error."""
    blobs = open_blobs(tmp_path)
    blobs.write("a/b", b"x")
    os.utime(tmp_path / "a/b", (0, 0))
    assert blobs.below("a")["b"] > 1e9
    blobs.retire("a/b")
    blobs.retire("nothing")
    assert blobs.below("a")["b"] < 60


@pytest.mark.parametrize("url", ["gs://key:secret@x", "az://x", "file:///tmp/x"])
def test_other_stores_are_refused(url):
    """By the name of their protocol, and without repeating what may hold a key."""
    with pytest.raises(ConfigError, match=url.partition("//")[0]) as caught:
        open_blobs(url)
    assert "secret" not in str(caught.value.as_dict())


@pytest.mark.parametrize("broken", ["write", "fsync", "replace", "open"])
def test_a_full_disk_leaves_what_was_there_and_no_temporary(tmp_path, monkeypatch, broken):
    """Whichever call fails, StorageError tells why and the old bytes stand."""
    blobs = open_blobs(tmp_path)
    blobs.write("a", b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        blobs.write("a", b"new")
    monkeypatch.undo()
    assert caught.value.exit_code == 4
    assert blobs.read("a") == b"old"
    assert leftovers(tmp_path) == []


def test_an_interrupt_passes_on_and_leaves_no_temporary(tmp_path, monkeypatch):
    """Ctrl-C in the middle of a write is no error of the store."""
    blobs = open_blobs(tmp_path)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        blobs.write("a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_short_writes_are_continued(tmp_path, monkeypatch):
    """A system that takes a few bytes at a time still gets them all."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:3]))
    blobs = open_blobs(tmp_path)
    blobs.write("a", b"0123456789")
    assert blobs.read("a") == b"0123456789"


def test_a_file_in_place_of_a_folder_is_told(tmp_path):
    """Writing, locking and reading below a plain file end in StorageError or in nothing, never in an OSError."""
    (tmp_path / "lake").write_text("not a folder")
    blobs = open_blobs(tmp_path / "lake")
    with pytest.raises(StorageError, match="Cannot write"):
        blobs.write("a/b", b"x")
    with pytest.raises(StorageError, match="Cannot write"), blobs.lock("a"):
        pass
    assert blobs.read("a/b") is None
    (tmp_path / "store").mkdir()
    with pytest.raises(StorageError, match="Cannot read"):
        open_blobs(tmp_path).read("store")


def test_system_refusals_are_told_in_our_words(tmp_path, monkeypatch):
    """A folder that may not be listed and a file system without locks raise StorageError."""
    blobs = open_blobs(tmp_path)

    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match="Cannot list"):
        blobs.entries("")
    monkeypatch.setattr(module.fcntl, "flock", refuse)
    with pytest.raises(StorageError, match="Cannot lock"), blobs.lock("a"):
        pass


def test_sweeping_removes_only_temporaries(tmp_path):
    """What a killed writer left goes, the rest stays, and neither is ever listed."""
    blobs = open_blobs(tmp_path)
    blobs.write("a/b", b"x")
    (tmp_path / "a" / ".tmp-1-1").write_bytes(b"half")
    assert [entry.name for entry in blobs.entries("a")] == ["b"]
    blobs.sweep("a")
    assert leftovers(tmp_path) == []
    assert blobs.read("a/b") == b"x"


def test_the_second_writer_waits_and_then_gives_up(tmp_path, monkeypatch):
    """A lock held by another thread raises LockedError after the wait, and is free once released."""
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0.05)
    blobs = open_blobs(tmp_path)
    with blobs.lock("a"), pytest.raises(LockedError, match="Another writer holds"), blobs.lock("a"):
        pass
    with blobs.lock("a"), blobs.lock("b"):
        pass


def test_the_lock_keeps_threads_apart(tmp_path):
    """Increments under the lock are never lost."""
    blobs = open_blobs(tmp_path)
    blobs.write("n", b"0")

    def count():
        for _ in range(20):
            with blobs.lock(""):
                blobs.write("n", str(int(blobs.read("n") or 0) + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blobs.read("n") == b"60"


def test_a_killed_process_lets_go_of_its_lock(tmp_path, monkeypatch):
    """While another process holds the lock it is refused; after its kill it is free."""
    code = """
import sys, time
from truewind.storage.blobs import open_blobs
with open_blobs(sys.argv[1]).lock("a"):
    print("held", flush=True)
    time.sleep(60)
"""
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0.05)
    blobs = open_blobs(tmp_path)
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LockedError), blobs.lock("a"):
            pass
        process.kill()
        process.wait()
    with blobs.lock("a"):
        pass
