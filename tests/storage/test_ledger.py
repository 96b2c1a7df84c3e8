"""The gap ledger says of every moment what is known of it, in whatever order it was told."""

import contextlib
import itertools

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import ConfigError, CorruptError, UnknownSeriesError
from truewind.storage.lake import Lake
from truewind.storage.ledger import Span, decode, encode, explained, including, silences, unasked
from truewind.storage.schema import SeriesKey

BARS = SeriesKey("bars", "binance", "BTCUSDT", "1m")
TRADES = SeriesKey("trades", "binance", "BTCUSDT")
MINUTE = 60_000_000
JAN = 1_704_067_200_000_000  # 2024-01-01

SPANS = st.lists(
    st.builds(
        lambda start, length, what, source: Span(start, start + length, what, source),
        st.integers(0, 40),
        st.integers(0, 12),
        st.sampled_from(["asked", "empty", "down", "lost"]),
        st.sampled_from(["", "rest"]),
    ),
    max_size=12,
)


def moments(spans, what, source=None):
    return {
        moment
        for span in spans
        if span.what == what and source in (None, span.source)
        for moment in range(span.start_us, span.end_us)
    }


def reason(spans, moment):
    """What the documentation says of one moment."""
    if moment in moments(spans, "down"):
        return "venue down"
    if moment in moments(spans, "empty"):
        return "no trades"
    asked = moments(spans, "asked")
    if moment in asked:
        return "missing"
    if moment in moments(spans, "lost"):
        return "lost"
    return "not downloaded" if asked else "missing"


@given(SPANS, st.randoms(use_true_random=False))
def test_spans_are_sets_of_moments(spans, chance):
    """Told at once, one by one or in another order: one ledger, ranges that neither touch nor overlap, every moment."""
    noted = including([], spans)
    shuffled, one_by_one = chance.sample(spans, len(spans)), ()
    for span in shuffled:
        one_by_one = including(one_by_one, [span])
    assert one_by_one == noted
    for what in ("asked", "empty", "down", "lost"):
        for source in ("", "rest"):
            assert moments(noted, what, source) == moments(spans, what, source)
            own = [span for span in noted if (span.what, span.source) == (what, source)]
            assert all(a.end_us < b.start_us for a, b in itertools.pairwise(own))


@given(SPANS, st.integers(-5, 50), st.integers(0, 20))
def test_unasked_is_the_rest(spans, start, length):
    """Every moment of the range is asked or unasked, and the ranges are as few as can be."""
    found = unasked(including([], spans), start, start + length)
    covered = [moment for first, last in found for moment in range(first, last)]
    assert covered == sorted(set(range(start, start + length)) - moments(spans, "asked"))
    assert all(a[1] < b[0] for a, b in itertools.pairwise(found))


@given(SPANS, st.sets(st.integers(-5, 50)), st.integers(1, 4), st.integers(0, 3))
def test_each_missing_row_has_the_reason_of_its_moment(spans, edges, step, offset):
    """Gaps are cut at steps; each step gets what is known of its moment, and no two neighbours the same reason."""
    cuts = sorted(edges)
    gaps = [(start * step + offset, end * step + offset) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
    found = list(explained(including([], spans), gaps, step))
    told = {moment: why for start, end, why in found for moment in range(start, end, step)}
    assert told == {moment: reason(spans, moment) for start, end in gaps for moment in range(start, end, step)}
    starts = {start for start, _ in gaps}
    assert all(b[0] in starts or a[2] != b[2] for a, b in itertools.pairwise(found))


@given(SPANS)
def test_series_of_events_lack_what_is_known_to_be_missing(spans):
    """Lost, down, or between asked ranges and never asked for; silence of a source that was asked is no gap."""
    asked = moments(spans, "asked")
    between = range(min(asked, default=0), max(asked, default=-1) + 1)
    expected = {}
    for moment in range(60):
        why = reason(spans, moment)
        if why in ("venue down", "lost") or (why == "not downloaded" and moment in between):
            expected[moment] = why
    found = list(silences(including([], spans)))
    assert {moment: why for start, end, why in found for moment in range(start, end)} == expected
    assert all(a[1] < b[0] or a[2] != b[2] for a, b in itertools.pairwise(found))


# ── in the lake ─────────────────────────────────────────────────────────────────────────────────────────────────────


def shown(table):
    return table.with_columns(pl.col("ts_from", "ts_to").to_physical() // MINUTE - JAN // MINUTE).rows()


def test_gaps_of_bars_by_hand(tmp_path, bars):
    """Ten minutes of which four rows came: each missing one with its reason, refused rows above all."""
    lake = Lake(tmp_path)
    lake.write(BARS, bars([JAN + minute * MINUTE for minute in (0, 1, 8, 9)]))
    assert shown(lake.gaps(BARS)) == [(2, 8, 6, "missing")]  # files were imported: nobody was ever asked
    lake.note_span(BARS, JAN, JAN + 4 * MINUTE, "asked", "rest")
    assert shown(lake.gaps(BARS)) == [(2, 4, 2, "missing"), (4, 8, 4, "not downloaded")]
    lake.note_span(BARS, JAN + 4 * MINUTE, JAN + 5 * MINUTE, "lost", "recorder")
    lake.note_span(BARS, JAN + 3 * MINUTE, JAN + 4 * MINUTE, "down")
    lake.note_span(BARS, JAN + 5 * MINUTE + 1, JAN + 6 * MINUTE + 1, "empty")
    assert shown(lake.gaps(BARS)) == [
        (2, 3, 1, "missing"),
        (3, 4, 1, "venue down"),
        (4, 5, 1, "lost"),
        (5, 6, 1, "not downloaded"),
        (6, 7, 1, "no trades"),
        (7, 8, 1, "not downloaded"),
    ]
    lake.quarantine(BARS, bars([JAN + 3 * MINUTE]).with_columns(reason=pl.lit("high below low"), source=pl.lit("x")))
    assert shown(lake.gaps(BARS))[1] == (3, 4, 1, "quarantined")


def test_a_series_without_rows_has_a_ledger(tmp_path):
    """Asked for and empty: it is not listed, but never asked for again, and its gap says why."""
    lake = Lake(tmp_path / "lake")
    assert lake.unasked(BARS, JAN, JAN + 5 * MINUTE) == [(JAN, JAN + 5 * MINUTE)]
    assert lake.spans(BARS) == []
    lake.note_span(BARS, JAN, JAN + 5 * MINUTE, "asked", "rest")
    lake.note_span(BARS, JAN, JAN + 5 * MINUTE, "empty", "rest")
    assert lake.unasked(BARS, JAN - MINUTE, JAN + 6 * MINUTE) == [
        (JAN - MINUTE, JAN),
        (JAN + 5 * MINUTE, JAN + 6 * MINUTE),
    ]
    assert shown(lake.gaps(BARS)) == [(0, 5, 5, "no trades")]
    assert lake.series() == []
    with pytest.raises(UnknownSeriesError):
        lake.read(BARS)
    lake.remove(BARS)
    assert lake.spans(BARS) == []


def test_gaps_of_trades_come_from_the_ledger(tmp_path):
    """What was lost and then asked for is no gap any more; `missing` is unknown."""
    lake = Lake(tmp_path)
    lake.note_span(TRADES, JAN, JAN + 3 * MINUTE, "asked", "rest")
    lake.note_span(TRADES, JAN + 5 * MINUTE, JAN + 9 * MINUTE, "asked", "rest")
    lake.note_span(TRADES, JAN + 2 * MINUTE, JAN + 4 * MINUTE, "lost", "recorder")
    assert shown(lake.gaps(TRADES)) == [(3, 4, None, "lost"), (4, 5, None, "not downloaded")]
    lake.note_span(TRADES, JAN + 3 * MINUTE, JAN + 5 * MINUTE, "asked", "rest")
    assert lake.spans(TRADES) == [
        Span(JAN, JAN + 9 * MINUTE, "asked", "rest"),
        Span(JAN + 2 * MINUTE, JAN + 4 * MINUTE, "lost", "recorder"),
    ]
    assert lake.gaps(TRADES).is_empty()


def test_the_ledger_is_no_part_of_a_snapshot(tmp_path, bars):
    """However the rows came, the id is of the rows."""
    lake = Lake(tmp_path)
    lake.write(BARS, bars([JAN]))
    before = lake.snapshot().id
    lake.note_span(BARS, JAN, JAN + MINUTE, "asked")
    assert lake.snapshot().id == before


def test_what_is_known_is_not_written_again(tmp_path):
    """Noting the same, or a part of it, or nothing, leaves the file alone."""
    lake = Lake(tmp_path)
    lake.note_span(BARS, JAN, JAN + 5 * MINUTE, "asked")
    (path,) = tmp_path.rglob("_spans.json")
    before = path.stat().st_ino
    for end in (JAN + 5 * MINUTE, JAN + MINUTE, JAN):
        lake.note_span(BARS, JAN, end, "asked")
    assert path.stat().st_ino == before
    lake.note_span(BARS, JAN, JAN + 6 * MINUTE, "asked")
    assert path.stat().st_ino != before


@pytest.mark.parametrize(
    ("start", "end", "what", "says"),
    [
        (JAN, JAN + 1, "ask", "Did you mean 'asked'"),
        (JAN + 1, JAN, "asked", "is no span of time"),  # a clock that went back
        (JAN // 1_000_000, JAN * 1000, "asked", "is no span of time"),  # another unit of time
    ],
)
def test_spans_that_cannot_be_are_refused(tmp_path, start, end, what, says):
    """ConfigError, and nothing is written."""
    with pytest.raises(ConfigError, match=says):
        Lake(tmp_path / "lake").note_span(BARS, start, end, what)
    assert not (tmp_path / "lake").exists()


WHOLE = encode(BARS, (Span(JAN, JAN + MINUTE, "asked", "rest"),))


def test_it_reads_back():
    assert decode(WHOLE, BARS, "here") == (Span(JAN, JAN + MINUTE, "asked", "rest"),)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "here is no gap ledger"),
        (WHOLE[:-1], "here is no gap ledger"),
        (WHOLE.replace(b'"asked"', b"7"), "here is no gap ledger"),
        (WHOLE.replace(b'"asked"', b'"empty"'), "does not match its checksum"),
        (WHOLE.replace(str(JAN).encode(), str(JAN - 1).encode()), "does not match its checksum"),
        (WHOLE.replace(b"BTC", b"ETH"), "is the ledger of binance ETHUSDT bars 1m, not of binance BTCUSDT"),
        (msgspec.json.encode({"version": 2, "ranges": []}), "here has version 2, this truewind reads 1"),
    ],
)
def test_damaged_and_foreign_ledgers_are_refused(data, says):
    """CorruptError names the file and what is wrong with it."""
    with pytest.raises(CorruptError) as caught:
        decode(data, BARS, "here")
    assert says in str(caught.value)


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(at, change):
    """Whatever single byte is damaged: CorruptError, or the very same spans."""
    data = bytearray(WHOLE)
    data[at] ^= change
    with contextlib.suppress(CorruptError):
        assert decode(bytes(data), BARS, "here") == decode(WHOLE, BARS, "here")
