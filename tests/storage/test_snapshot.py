"""A snapshot id is the hash of names and content hashes."""

import hashlib

from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import SeriesInfo, snapshot_of


def info(symbol, content):
    key = SeriesKey("trades", "binance", symbol)
    return SeriesInfo(key, 1, 0, 0, 0, 0, content, 10, ("ts",))


def test_known_answer_whatever_the_order():
    """The id is SHA-256 over one "path hash" line a series, sorted by path."""
    lines = b"raw/trades/venue=binance/symbol=AAA 11\nraw/trades/venue=binance/symbol=BBB 22\n"
    expected = hashlib.sha256(lines).hexdigest()[:32]
    assert snapshot_of([info("BBB", "22"), info("AAA", "11")]).id == expected
    assert snapshot_of([info("AAA", "11"), info("BBB", "22")]).id == expected


def test_other_data_has_another_id():
    """Content, name and set of series all count; size on disk does not."""
    base = snapshot_of([info("AAA", "11")]).id
    assert snapshot_of([info("AAA", "12")]).id != base
    assert snapshot_of([info("AAB", "11")]).id != base
    assert snapshot_of([info("AAA", "11"), info("AAB", "11")]).id != base
