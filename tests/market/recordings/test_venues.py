"""Recordings of Bybit and Hyperliquid: the books that they make are those of the raw messages, put together by hand."""

import gzip
import json
import zipfile

import numpy as np
import pytest

from contracts import linear
from truewind.domain.book import BookKind
from truewind.market.importing import import_files
from truewind.market.recordings.assemble import assemble
from truewind.numerics.book import Book
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def book_of(lake, venue, symbol, instrument=None):
    table = lake.read(SeriesKey("book", venue, symbol))
    instrument = instrument or lake.instrument(venue, symbol)
    events = assemble(table, instrument)
    book = Book()
    book.apply(events.events)
    tick, lot = float(instrument.tick_size), float(instrument.lot_size)
    levels = {
        side: {round(ticks * tick, 8): round(lots * lot, 8) for ticks, lots in zip(*book.depth(side), strict=True)}
        for side in (1, -1)
    }
    return events, levels, book


def test_bybit_of_2021_makes_the_book_of_its_messages(shared, lake):
    """orderBookL2_25: a snapshot, then levels deleted, updated and inserted; trades with numbers as text."""
    path = shared / "cryptofeed" / "BYBIT.ws.25.0.txt.gz"
    import_files(lake, [path], symbol="BCHUSDT")
    expected = {"Buy": {}, "Sell": {}}
    sold = bought = 0.0
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if '"topic":"orderBookL2_25.BCHUSDT"' in line:
            data = json.loads(line.partition(": ")[2])["data"]
            for level in data.get("delete", []):
                del expected[level["side"]][float(level["price"])]
            for level in [*data.get("order_book", []), *data.get("update", []), *data.get("insert", [])]:
                expected[level["side"]][float(level["price"])] = level["size"]
        if '"topic":"trade.BCHUSDT"' in line:
            for trade in json.loads(line.partition(": ")[2])["data"]:
                bought += trade["size"] if trade["side"] == "Buy" else 0.0
                sold += trade["size"] if trade["side"] == "Sell" else 0.0
    events, levels, book = book_of(lake, "bybit", "BCHUSDT")
    assert levels[1] == pytest.approx(expected["Buy"])
    assert levels[-1] == pytest.approx(expected["Sell"])
    assert len(levels[1]) == len(levels[-1]) == 25
    assert book.crossed[0] == 0
    trades = events.events[events.events["kind"] == BookKind.TRADE]
    lot = float(lake.instrument("bybit", "BCHUSDT").lot_size)
    assert (trades["lots"][trades["side"] > 0] * lot).sum() == pytest.approx(bought)
    assert (trades["lots"][trades["side"] < 0] * lot).sum() == pytest.approx(sold)


def v5(shared):
    with zipfile.ZipFile(shared / "nautilus" / "bybit__xrpusdt-ob500.data.zip") as archive:
        return archive.read(archive.namelist()[0]).decode().splitlines()


def test_bybit_of_today_makes_the_book_of_its_messages(shared, lake):
    """orderbook.500 without times of receipt: known when the venue sent them; quantity 0 deletes a level."""
    import_files(lake, [shared / "nautilus" / "bybit__xrpusdt-ob500.data.zip"])
    expected = {"b": {}, "a": {}}
    for line in v5(shared):
        data = json.loads(line)["data"]
        for side, levels in expected.items():
            levels |= {float(price): float(quantity) for price, quantity in data[side]}
            expected[side] = {price: quantity for price, quantity in levels.items() if quantity}
    events, levels, _ = book_of(lake, "bybit", "XRPUSDT")
    assert (levels[1], levels[-1]) == (expected["b"], expected["a"])
    first = json.loads(v5(shared)[0])
    assert events.events["ts_event"][0] == first["cts"] * 1000
    assert events.events["ts_recv"][0] == first["ts"] * 1000


def test_a_missing_update_of_bybit_is_seen(shared, lake, tmp_path):
    """Update ids of a symbol have no holes: without the 20th message the book is unknown from the 21st on."""
    path = tmp_path / "xrpusdt.data"
    told = v5(shared)
    path.write_text("\n".join([*told[:19], *told[20:]]))
    report = import_files(lake, [path])
    assert [(warning.check, warning.count) for warning in report.files[0].warnings] == [
        ("missing_updates", 1),
        ("unused_updates", len(told) - 20),
    ]
    events, levels, _ = book_of(lake, "bybit", "XRPUSDT")
    assert events.gaps[0].next_id == json.loads(told[20])["data"]["u"]
    assert levels == {1: {}, -1: {}}


def test_a_restart_of_bybits_numbers_is_refused(shared, lake, tmp_path):
    """After it nothing could tell a missing update."""
    path = tmp_path / "xrpusdt.data"
    told = v5(shared)
    path.write_text("\n".join([told[5], told[0]]))
    refused = import_files(lake, [path]).refused
    assert "line 2: XRPUSDT counts from 20254869 again" in refused[0].reason


def test_hyperliquid_tells_the_book_anew_and_only_what_changes_is_news(shared, lake):
    """The book after the recording is its last l2Book; cleared only once; what is told twice counts once."""
    path = shared / "hftbacktest" / "hyperliquid__btcusd_20250126.gz"
    import_files(lake, [path])
    frames = [json.loads(line.partition(" ")[2]) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    books = [frame["data"] for frame in frames if frame["channel"] == "l2Book"]
    sides = [{float(level["px"]): float(level["sz"]) for level in side} for side in books[-1]["levels"]]
    instrument = linear("BTC", lot="0.00001")
    events, levels, book = book_of(lake, "hyperliquid", "BTC", instrument)
    assert (levels[1], levels[-1]) == (sides[0], sides[1])
    assert (events.events["kind"] == BookKind.CLEAR).sum() == 1
    assert book.crossed[0] == 0
    moments = {data["time"] for data in books}
    depth = events.events[events.events["kind"] == BookKind.LEVEL]
    assert len(np.unique(depth["ts_event"])) == len(moments)
    trades = events.events[events.events["kind"] == BookKind.TRADE]
    told = [trade for frame in frames if frame["channel"] == "trades" for trade in frame["data"]]
    assert len(trades) == len({trade["tid"] for trade in told})
    bought = sum(float(trade["sz"]) for trade in told if trade["side"] == "B")
    assert (trades["lots"][trades["side"] > 0] * float(instrument.lot_size)).sum() == pytest.approx(bought)
