"""Manifests tell what there is and what is missing."""

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import CorruptError
from truewind.storage.manifest import Manifest, Partition, decode, encode, gaps_within, missing_steps
from truewind.storage.schema import SeriesKey

MINUTE = 60_000_000
KEY = SeriesKey("bars", "binance", "BTCUSDT", "1m")


def partition(month, start, end, gaps=()):
    return Partition(month, 2, start, end, 10, "ab" * 16, ("ts", "close"), gaps)


@pytest.mark.parametrize(
    ("minutes", "gaps", "missing"),
    [
        ([0, 1, 2], [], []),
        ([5], [], []),
        ([0, 2], [(1, 2)], [1]),
        ([0, 1, 5, 6, 10], [(2, 5), (7, 10)], [3, 3]),
        ([-3, 0], [(-2, 0)], [2]),
        ([0, 2.5], [(1, 2.5)], [2]),  # off the grid: the steps at 1 and 2 are missing
        ([0, 1.5], [(1, 1.5)], [1]),
        ([0, 0.5, 1.5], [], []),
    ],
)
def test_gaps_by_hand(minutes, gaps, missing):
    """A gap runs from the first missing step to the next row, and counts the steps between."""
    ts = pl.Series([int(minute * MINUTE) for minute in minutes], dtype=pl.Int64)
    found = gaps_within(ts, MINUTE)
    assert [(start / MINUTE, end / MINUTE) for start, end in found] == gaps
    assert [missing_steps(gap, MINUTE) for gap in found] == missing


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 60))
def test_gaps_do_not_depend_on_where_partitions_are_cut(present, cut):
    """Cut anywhere, the ledger is that of the whole, and present and missing steps fill the span."""
    times = np.array(sorted(present)) * MINUTE
    parts = [part for part in (times[times < cut * MINUTE], times[times >= cut * MINUTE]) if len(part)]
    manifest = Manifest(
        KEY,
        tuple(
            partition(str(i), int(part[0]), int(part[-1]), gaps_within(pl.Series(part), MINUTE))
            for i, part in enumerate(parts)
        ),
    )
    gaps = list(manifest.gaps())
    assert gaps == list(gaps_within(pl.Series(times), MINUTE))
    missing = {step for start, end in gaps for step in range(start // MINUTE, end // MINUTE)}
    assert missing == set(range(min(present), max(present) + 1)) - present


def test_kinds_without_timeframe_have_no_gaps():
    """Trades come when they come."""
    manifest = Manifest(
        SeriesKey("trades", "binance", "BTCUSDT"), (partition("1", 0, 1), partition("2", 10 * MINUTE, 11 * MINUTE))
    )
    assert list(manifest.gaps()) == []


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (None, None, "123"),
        (20, 30, "2"),
        (19, 20, "1"),
        (20, None, "23"),
        (None, 20, "1"),
        (40, None, ""),
        (21, 29, "2"),
    ],
)
def test_only_partitions_that_may_hold_rows_are_chosen(start, end, months):
    """Start is inclusive, end is exclusive, spans are inclusive."""
    manifest = Manifest(KEY, (partition("1", 10, 19), partition("2", 20, 29), partition("3", 30, 39)))
    assert "".join(part.month for part in manifest.between(start, end)) == months


def test_a_manifest_reads_back_as_it_was_written():
    """Encoding loses nothing."""
    manifest = Manifest(KEY, (partition("2024-01", 10, 19, ((1, 2), (3, 4))),))
    assert decode(encode(manifest), KEY, "here") == manifest


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "here is no manifest"),
        (encode(Manifest(KEY, (partition("1", 0, 1),)))[:-9], "here is no manifest"),
        (encode(Manifest(KEY)), "here is no manifest"),
        (encode(Manifest(KEY, (partition("1", 0, 1),))).replace(b"bars", b"b\xe2rs"), "here is no manifest"),
        (encode(Manifest(KEY, (partition("1", 0, 1),))).replace(b'"bars"', b'"cars"'), "Unknown kind"),
        (msgspec.json.encode(Manifest(KEY, (partition("1", 0, 1),), version=3)), "version 3"),
        (b'{"version":4,"parts":{}}', "here has version 4, this truewind reads up to 2"),
        (encode(Manifest(KEY, (partition("1", 0, 1),))).replace(b"BTC", b"ETH"), "of binance ETHUSDT bars 1m, not of"),
    ],
)
def test_damaged_or_foreign_manifests_are_refused(data, says):
    """CorruptError names the file and what is wrong with it."""
    with pytest.raises(CorruptError) as caught:
        decode(data, KEY, "here")
    assert says in str(caught.value)
