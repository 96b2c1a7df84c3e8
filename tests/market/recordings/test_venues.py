"""Recordings of other venues: the books that they make are those of the raw messages, put together by hand."""

import gzip
import json
import zipfile
import zlib
from itertools import zip_longest

import numpy as np
import pytest

from contracts import linear
from truewind.domain.book import BookKind
from truewind.market.book.assemble import assemble
from truewind.market.importing import import_files
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


OKX, COINBASE = "OKX.ws.1.0.txt.gz", "COINBASE.ws.28.0.txt.gz"


def frames(path, wanted):
    """Payloads of a cryptofeed recording that `wanted` takes, with their lines."""
    text = gzip.decompress(path.read_bytes()).decode().splitlines()
    for number, line in enumerate(text, start=1):
        head, _, payload = line.partition(": ")
        if payload.startswith("{") and " <" not in head:
            frame = json.loads(payload)
            if wanted(frame):
                yield number, frame


def okx_sum(levels):
    """OKX's check sum of a book: its best 25 levels of both sides in turn, as price:quantity."""
    words = []
    for bid, ask in zip_longest(sorted(levels["bids"], key=float)[:-26:-1], sorted(levels["asks"], key=float)[:25]):
        for side, price in (("bids", bid), ("asks", ask)):
            words += [price, levels[side][price]] if price is not None else []
    unsigned = zlib.crc32(":".join(words).encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


@pytest.mark.parametrize(
    ("symbol", "instrument"),
    [
        ("BTC-USDT", None),  # its name tells base and quote: inferred
        ("UNI-USD-SWAP", linear("UNI-USD-SWAP", tick="0.001", lot="1")),
        ("BTC-USD-220527", linear("BTC-USD-220527", tick="0.1", lot="1")),
    ],
)
def test_okx_makes_the_book_that_its_check_sums_tell(shared, lake, symbol, instrument):
    """The last message's check sum is that of the book that we rebuilt; nothing is lost, nothing crosses."""
    path = shared / "cryptofeed" / OKX
    import_files(lake, [path], base_latency_ms=1.0)
    told, rows = {"bids": {}, "asks": {}}, 0
    for _, frame in frames(path, lambda f: f.get("arg", {}).get("instId") == symbol and "data" in f):
        if frame["arg"]["channel"] == "trades":
            rows += len(frame["data"])
        for book in frame["data"] if frame["arg"]["channel"] == "books" else []:
            for side, before in told.items():
                rows += len(book[side])
                levels = before | {price: quantity for price, quantity, *_ in book[side]}
                told[side] = {price: quantity for price, quantity in levels.items() if quantity != "0"}
            assert okx_sum(told) == book["checksum"]
    assert lake.read(SeriesKey("book", "okx", symbol)).height == rows
    events, levels, book = book_of(lake, "okx", symbol, instrument)
    assert levels[1] == {float(price): float(quantity) for price, quantity in told["bids"].items()}
    assert levels[-1] == {float(price): float(quantity) for price, quantity in told["asks"].items()}
    assert events.gaps == []
    assert book.crossed[0] == 0


def test_a_missing_update_of_okx_is_seen_by_its_check_sum(shared, lake, tmp_path):
    path = shared / "cryptofeed" / OKX
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    updates = [n for n, f in frames(path, lambda f: f.get("action") == "update" and f["arg"]["instId"] == "BTC-USDT")]
    del lines[updates[5] - 1]
    (tmp_path / "cut.txt").write_text("\n".join(lines))
    (report,) = [
        one
        for one in import_files(lake, [tmp_path / "cut.txt"], base_latency_ms=1.0).files
        if one.key.symbol == "BTC-USDT"
    ]
    assert [finding.check for finding in report.warnings] == ["missing_updates", "unused_updates"]


def test_coinbase_makes_the_book_of_its_messages(shared, lake):
    """level2 without numbers, several changes within a µs; a match names the order that rested."""
    path = shared / "cryptofeed" / COINBASE
    report = import_files(lake, [path], base_latency_ms=1.0)
    assert len(report.files) == 10
    assert all(one.read == one.stored for one in report.files)
    told, bought, sold = {"buy": {}, "sell": {}}, 0.0, 0.0
    for _, frame in frames(path, lambda f: f.get("product_id") == "DASH-BTC"):
        if frame["type"] == "snapshot":
            told = {side: dict(frame[name]) for side, name in (("buy", "bids"), ("sell", "asks"))}
        for side, price, quantity in frame.get("changes", []):
            told[side][price] = quantity
        if frame["type"] == "match":
            bought += float(frame["size"]) if frame["side"] == "sell" else 0.0
            sold += float(frame["size"]) if frame["side"] == "buy" else 0.0
    events, levels, book = book_of(lake, "coinbase", "DASH-BTC")
    for side, name in ((1, "buy"), (-1, "sell")):
        assert levels[side] == {float(price): float(q) for price, q in told[name].items() if float(q)}
    assert book.crossed[0] == 0
    trades = events.events[events.events["kind"] == BookKind.TRADE]
    lot = float(lake.instrument("coinbase", "DASH-BTC").lot_size)
    assert (trades["lots"][trades["side"] > 0] * lot).sum() == pytest.approx(bought)
    assert (trades["lots"][trades["side"] < 0] * lot).sum() == pytest.approx(sold)


def test_recordings_without_market_data_say_so(shared, lake):
    names = ("BINANCE.0", "BINANCE_FUTURES.0", "BYBIT.0", "COINBASE.0", "OKX.0")
    report = import_files(lake, [shared / "cryptofeed" / f"{name}.txt.gz" for name in names])
    assert report.files == []
    assert [one.reason for one in report.refused] == [
        f"{one.file} is a recording without depth, trades and quotes (answers to other questions)"
        for one in report.refused
    ]
    assert len(report.refused) == 5
