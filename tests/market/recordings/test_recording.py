"""Recordings of Binance's streams, read whole: the book equals what the venue itself said it was."""

import gzip
import json
from decimal import Decimal

import numpy as np
import pytest

from truewind.domain.book import BookKind
from truewind.domain.instrument import Instrument, Kind
from truewind.errors import EmptyRangeError, FormatError, ValidationError
from truewind.market.recordings.recording import read_recording
from truewind.numerics.book import Book


def instrument(symbol, venue, tick, lot):
    kind = Kind.SPOT if venue == "binance" else Kind.PERPETUAL
    return Instrument(
        symbol=symbol, venue=venue, kind=kind, base="BTC", quote="USDT", tick_size=Decimal(tick), lot_size=Decimal(lot)
    )


USDM = instrument("BTCUSDT", "binance_usdm", "0.1", "0.001")
SPOT = instrument("BTCUSDT", "binance", "0.01", "0.00001")
COINM = instrument("BTCUSD_PERP", "binance_coinm", "0.1", "1")
SUSHI = instrument("SUSHIUSDT", "binance_usdm", "0.001", "1")
NKN = instrument("NKNUSDT", "binance", "0.00001", "1")  # some orders are older than its tick of 0.0001


def tops(recording):
    """How many top-of-book quotes carry the id of a depth message, and how many of them differ from our book."""
    events, ids = recording.events, recording.ids
    quotes = {}
    quoted = events["kind"] == BookKind.QUOTE
    for event, number in zip(events[quoted], ids[quoted], strict=True):
        quotes.setdefault(int(number), {})[int(event["side"])] = (int(event["ticks"]), int(event["lots"]))
    kept = np.isin(events["kind"], (BookKind.LEVEL, BookKind.CLEAR))
    events, ids = events[kept], ids[kept]
    book, start, equal, different = Book(), 0, 0, 0
    for end in np.flatnonzero(events["last"]) + 1:
        book.apply(events[start:end])
        start = end
        told = quotes.get(int(ids[end - 1]))
        if told is not None and len(told) == 2:
            ours = {side: (at, book.lots(side, at)) for side, at in ((1, book.best_bid), (-1, book.best_ask))}
            equal, different = equal + (ours == told), different + (ours != told)
    return equal, different, book


@pytest.mark.parametrize(
    ("files", "which", "least"),
    [
        (["usdm__btcusdt_20240808.gz"], USDM, 600),
        (["spot__btcusdt_20240808.gz", "spot__btcusdt_20240809.gz"], SPOT, 1000),
        (["cm__btcusd_perp_20240808.gz"], COINM, 1000),
    ],
)
def test_the_book_is_the_venues_at_every_quote_with_its_id(shared, files, which, least):
    """Best prices and quantities equal bookTicker wherever the ids tell that both speak of one state; never crossed."""
    recording = read_recording([shared / "hftbacktest" / name for name in files], which, base_latency_us=1000)
    equal, different, book = tops(recording)
    assert different == 0
    assert equal >= least
    assert book.crossed.tolist() == [0, -1]
    assert recording.gaps == []
    assert (recording.rejected.height, recording.unused) == (0, 0)


@pytest.mark.parametrize(("name", "which"), [("BINANCE", NKN), ("BINANCE_FUTURES", SUSHI)])
def test_cryptofeeds_replies_bridge_its_streams(shared, name, which):
    """Snapshots lie in a file of their own; the clock was off by a few milliseconds."""
    paths = [shared / "cryptofeed" / f"{name}.{part}.txt.gz" for part in ("ws.1.0", "http.0.0")]
    recording = read_recording(paths, which, base_latency_us=500)
    _, different, book = tops(recording)
    assert different == 0
    assert book.crossed[0] == 0
    assert book.best_bid < book.best_ask
    assert abs(recording.clock_us) < 50_000
    assert recording.gaps == []
    assert recording.others


def test_a_clock_behind_the_venues_is_refused_or_corrected(shared):
    """Receipt 1.2 s before the event is an error that says so; corrected, the quickest message took what was asked."""
    path = shared / "hftbacktest" / "usdm__btcusdt_20240808.gz"
    with pytest.raises(ValidationError, match=r"received 127\d\.\d* ms before it happened"):
        read_recording([path], USDM)
    recording = read_recording([path], USDM, base_latency_us=2500)
    assert (recording.events["ts_recv"] - recording.events["ts_event"]).min() == 2500
    assert recording.clock_us == 2500 - recording.latency_us


def test_a_file_without_its_snapshot_is_refused(shared):
    """The file after midnight needs the one before."""
    with pytest.raises(ValidationError, match="file before it"):
        read_recording([shared / "hftbacktest" / "spot__btcusdt_20240809.gz"], SPOT, base_latency_us=0)


START_MS = 1723161600000


def depth(first, final, bids=(), asks=(), *, at):
    """A line of hftbacktest's collector, received `at` ms after the start and a millisecond after it happened."""
    happened = START_MS + at - 1
    data = {"e": "depthUpdate", "E": happened, "s": "BTCUSDT", "U": first, "u": final, "b": bids, "a": asks}
    return at, {"stream": "btcusdt@depth", "data": data}


def snapshot(last, bids, asks, *, at):
    return at, {"lastUpdateId": last, "bids": bids, "asks": asks}


def recorded(tmp_path, *lines, which=SPOT, **options):
    path = tmp_path / "recording.gz"
    text = "".join(f"{(START_MS + at) * 1_000_000} {json.dumps(frame)}\n" for at, frame in lines)
    path.write_bytes(gzip.compress(text.encode()))
    return read_recording([path], which, **options)


def book_of(recording):
    book = Book()
    book.apply(recording.events)
    return {side: dict(zip(*(column.tolist() for column in book.depth(side)), strict=True)) for side in (1, -1)}


def test_updates_received_before_the_snapshot_are_applied_after_it(tmp_path):
    """Ids 1-5 are in the snapshot of 5, 6-8 bridge it though they came first; both are known with the snapshot."""
    recording = recorded(
        tmp_path,
        depth(1, 5, [["100.00", "9"]], at=110),
        depth(6, 8, [["100.00", "2"]], [["101.00", "0"], ["102.00", "4"]], at=120),
        snapshot(5, [["100.00", "1"]], [["101.00", "1"]], at=130),
        depth(9, 9, [["99.00", "3"]], at=140),
    )
    assert book_of(recording) == {1: {10000: 200_000, 9900: 300_000}, -1: {10200: 400_000}}
    first = recording.events["ts_recv"] - 1723161600_000_000
    assert first.tolist() == [130_000] * 6 + [140_000]
    assert recording.events["kind"][0] == BookKind.CLEAR


def test_a_gap_clears_the_book_until_the_next_snapshot(tmp_path):
    """Update 7 is missing: what follows is not applied to a wrong book, and the gap is told."""
    recording = recorded(
        tmp_path,
        snapshot(5, [["100.00", "1"]], [["101.00", "1"]], at=110),
        depth(6, 6, [["99.00", "1"]], at=120),
        depth(8, 8, [["98.00", "1"]], at=130),
        depth(9, 9, [["97.00", "1"]], at=140),
        snapshot(8, [["100.50", "2"]], [["101.50", "2"]], at=150),
        depth(10, 10, [["96.00", "1"]], at=160),
    )
    assert [(gap.last_id, gap.next_id) for gap in recording.gaps] == [(6, 8)]
    assert book_of(recording) == {1: {10050: 200_000, 9700: 100_000, 9600: 100_000}, -1: {10150: 200_000}}
    cleared = recording.events[recording.events["kind"] == BookKind.CLEAR]
    assert len(cleared) == 3  # the first snapshot, the gap, the second snapshot


def test_impossible_levels_are_rejected_with_their_reason(tmp_path):
    """A negative price and a negative quantity are left out and told; the rest of the message counts."""
    recording = recorded(
        tmp_path,
        snapshot(5, [["100.00", "1"], ["-1.00", "1"]], [["101.00", "1"]], at=110),
        depth(6, 6, [["99.00", "-2"], ["98.00", "1"]], at=120),
    )
    assert recording.rejected["reason"].to_list() == ["price is not positive", "quantity is negative"]
    assert book_of(recording)[1] == {10000: 100_000, 9800: 100_000}


def test_wrong_ticks_other_symbols_and_other_files_are_refused(tmp_path):
    """A price off the grid, a recording of something else, a line that is no recording's."""
    lines = (snapshot(5, [["100.005", "1"]], [["101.00", "1"]], at=110), depth(6, 6, at=120))
    with pytest.raises(ValidationError, match=r"100\.005 is no multiple of 0\.01"):
        recorded(tmp_path, *lines)
    other = tmp_path / "other.txt"
    other.write_text('1723161600000000000 {"stream":"x","data":{"e":"trade","s":"ETHUSDT"}}\n')
    with pytest.raises(EmptyRangeError, match="ETHUSDT"):
        read_recording([other], SPOT)
    other.write_text("1723161600000000000 {broken\n")
    with pytest.raises(FormatError, match="line 1"):
        read_recording([other], SPOT)
    other.write_text("price,quantity\n")
    with pytest.raises(FormatError, match="line 1"):
        read_recording([other], SPOT)
