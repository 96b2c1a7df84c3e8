"""What every store of blobs promises, on the local disk and on a server that speaks S3."""

from typing import Any

import pytest

from truewind.errors import LockedError
from truewind.storage import blobs as local
from truewind.storage import s3
from truewind.storage.blobs import Blobs, open_blobs


@pytest.fixture
def blobs(store: Any) -> Blobs:
    return open_blobs(store.url)


def test_bytes_come_back_and_can_be_replaced_and_removed(blobs: Blobs) -> None:
    """write, read, size, entries and remove agree; what is absent is None or empty."""
    assert (blobs.read("a/b"), blobs.size("a/b"), blobs.entries("a"), blobs.below("a")) == (None, None, [], {})
    blobs.write("a/b", b"one")
    blobs.write("a/b", b"three")
    blobs.write("a/c/d", b"")
    assert (blobs.exists(), blobs.read("a/b"), blobs.size("a/b")) == (True, b"three", 5)
    assert [(entry.name, entry.is_folder) for entry in blobs.entries("a")] == [("b", False), ("c", True)]
    assert blobs.entries("a/b") == []
    assert set(blobs.below("a")) == {"b", "c/d"}
    assert blobs.read_many(["a/c/d", "a/none", "a/b"]) == [b"", None, b"three"]
    blobs.remove("a/b")
    blobs.remove("a/b")
    assert (blobs.read("a/b"), blobs.size("a/b")) == (None, None)


def test_folders_are_found_by_how_a_name_in_them_starts(blobs: Blobs) -> None:
    for name in ("x/one/_m.json", "x/two/deep/_m.json", "x/two/other.json", "y/_m.json"):
        blobs.write(name, b"x")
    assert sorted(blobs.folders_with("_m", "x")) == ["x/one", "x/two/deep"]
    assert blobs.folders_with("_m", "nothing") == []


def test_what_nobody_needs_begins_a_new_age(blobs: Blobs) -> None:
    """And stays what it was; to retire nothing is no error."""
    blobs.write("a/b", b"x")
    blobs.retire("a/b")
    blobs.retire("a/nothing")
    blobs.remove("a/nothing")
    with blobs.lock("a"):
        assert 0.0 <= blobs.below("a")["b"] < 60.0
    assert blobs.read("a/b") == b"x"


def test_one_writer_at_a_time(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one is refused after a short wait, and let in when the first is done."""
    monkeypatch.setattr(local, "LOCK_WAIT_S", 0.2)
    monkeypatch.setattr(s3, "WAIT_S", 0.2)
    first, second = open_blobs(store.url), open_blobs(store.url)
    with first.lock("a"), pytest.raises(LockedError, match="Another writer holds"), second.lock("a"):
        pass
    with second.lock("a"):
        second.write("a/b", b"x")
    assert first.read("a/b") == b"x"
