"""The book as a table is what the venue said it was, in any pieces and at every moment."""

import gzip
import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.domain.instrument import Instrument, Kind
from truewind.errors import FeatureError, ValidationError
from truewind.features import BookSampler, book_levels, compute
from truewind.features.base import REGISTRY
from truewind.features.checks import check_feature
from truewind.features.depth import TOP
from truewind.market.recordings.recording import read_recording
from truewind.numerics.book import Book


def perpetual(symbol: str, venue: str, tick: str, lot: str) -> Instrument:
    return Instrument(
        symbol=symbol, venue=venue, kind=Kind.PERPETUAL, base="BTC", quote="USDT",
        tick_size=Decimal(tick), lot_size=Decimal(lot),
    )  # fmt: skip


USDM = perpetual("BTCUSDT", "binance_usdm", "0.1", "0.001")
SPOT = perpetual("BTCUSDT", "binance", "0.01", "0.00001")
SMALL = perpetual("X", "y", "0.5", "0.1")
DEPTH = (BookKind.LEVEL, BookKind.CLEAR)


def events_of(rows: list[tuple[int, int, int, int, int, int]]) -> np.ndarray:
    """Events by hand: ts, kind, side, ticks, lots, last; received 3 µs later."""
    events = np.zeros(len(rows), BOOK_EVENT)
    for event, row in zip(events, rows, strict=True):
        for name, value in zip(("ts_event", "kind", "side", "ticks", "lots", "last"), row, strict=True):
            event[name] = value
    events["ts_recv"] = events["ts_event"] + 3
    return events


HAND = events_of(
    [
        (1_000, BookKind.CLEAR, 0, 0, 0, 0),
        (1_000, BookKind.LEVEL, 1, 20, 5, 0),
        (1_000, BookKind.LEVEL, 1, 18, 7, 0),
        (1_000, BookKind.LEVEL, -1, 21, 2, 1),
        (1_500, BookKind.TRADE, 1, 21, 1, 1),
        (2_000, BookKind.LEVEL, -1, 21, 0, 0),
        (2_000, BookKind.LEVEL, -1, 23, 4, 1),
        (5_000, BookKind.CLEAR, 0, 0, 0, 1),
    ]
)


def test_after_each_message_by_hand() -> None:
    """Ticks of 0.5, lots of 0.1: three messages of depth, the last one a loss of the book; a trade is no row."""
    table = book_levels(HAND, SMALL, levels=2)
    assert table["ts"].to_physical().to_list() == [1_000, 2_000, 5_000]
    assert table["ts_known"].to_physical().to_list() == [1_003, 2_003, 5_003]
    assert table.select(TOP).rows() == [(10.0, 0.5, 10.5, 0.2), (10.0, 0.5, 11.5, 0.4), (None,) * 4]
    assert table.select(f"{name}_1" for name in TOP).rows() == table.select(TOP).rows()
    assert table.select(f"{name}_2" for name in TOP).rows() == [(9.0, 0.7, None, None)] * 2 + [(None,) * 4]


def test_every_millisecond_by_hand() -> None:
    """A row at 1, 2, 3, 4 ms: the book after all of that moment, standing in silence; 5 ms waits for what follows."""
    table = book_levels(HAND, SMALL, levels=1, every_ms=1)
    assert table["ts"].to_physical().to_list() == [1_000, 2_000, 3_000, 4_000]
    assert table["ts_known"].to_physical().to_list() == [1_003, 2_003, 3_000, 4_000]
    assert table["ask"].to_list() == [10.5, 11.5, 11.5, 11.5]


@st.composite
def streams(draw: st.DrawFn) -> np.ndarray:
    """Messages of random levels, some close together, some apart, some that clear the book."""
    rows, ts = [], 0
    for _ in range(draw(st.integers(0, 25))):
        ts += draw(st.sampled_from([0, 1, 900, 5_000]))
        levels = draw(st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(1, 60), st.integers(0, 3)), max_size=6))
        message = [(ts, BookKind.LEVEL, side, ticks, lots, 0) for side, ticks, lots in levels]
        message = message or [(ts, draw(st.sampled_from([BookKind.CLEAR, BookKind.TRADE])), 0, 0, 0, 0)]
        rows += [*message[:-1], (*message[-1][:5], 1)]
    return events_of(rows)


def slow_levels(events: np.ndarray, depth: int) -> list[list[float | None]]:
    """After each message, by plain dictionaries."""
    sides: dict[int, dict[int, int]] = {1: {}, -1: {}}
    found = []
    for event in events:
        if event["kind"] == BookKind.CLEAR:
            sides = {1: {}, -1: {}}
        elif event["kind"] == BookKind.LEVEL:
            sides[int(event["side"])][int(event["ticks"])] = int(event["lots"])
        if event["last"] and event["kind"] in DEPTH:
            row: list[float | None] = [None] * (4 * depth)
            for offset, side in ((0, 1), (2, -1)):
                best = sorted((ticks for ticks, lots in sides[side].items() if lots), reverse=side > 0)[:depth]
                for i, ticks in enumerate(best):
                    row[4 * i + offset], row[4 * i + offset + 1] = ticks * 0.5, sides[side][ticks] / 10
            found.append(row)
    return found


@given(streams(), st.integers(1, 4), st.lists(st.integers(0, 100), max_size=4), st.sampled_from([0, 0.5, 1]))
def test_any_pieces_give_the_whole_and_the_whole_is_the_dictionary(
    events: np.ndarray, depth: int, cuts: list[int], every_ms: float
) -> None:
    """With the state saved and loaded between the pieces."""
    whole = book_levels(events, SMALL, levels=depth, every_ms=every_ms)
    sampler, parts = BookSampler(SMALL, depth, every_ms), []
    for start, end in pairwise([0, *sorted(min(cut, len(events)) for cut in cuts), len(events)]):
        parts.append(sampler.extend(events[start:end]))
        saved = sampler.save()
        sampler = BookSampler(SMALL, depth, every_ms)
        sampler.load(saved)
    assert_frame_equal(pl.concat(parts), whole, check_exact=True)
    names = [f"{name}_{level + 1}" for level in range(depth) for name in TOP]
    if not every_ms:
        assert [list(row) for row in whole.select(names).rows()] == slow_levels(events, depth)


@given(streams(), st.sampled_from([0.5, 1, 3]))
def test_a_clock_shows_the_last_message_up_to_each_tick(events: np.ndarray, every_ms: float) -> None:
    """The sample by time is the one by message, joined backwards."""
    sampled = book_levels(events, SMALL, levels=2, every_ms=every_ms)
    messages = book_levels(events, SMALL, levels=2).unique("ts", keep="last", maintain_order=True)
    joined = sampled.select("ts").join_asof(messages.drop("ts_known"), on="ts", check_sortedness=False)
    assert_frame_equal(sampled.drop("ts_known"), joined, check_exact=True)
    steps = sampled["ts"].to_physical()
    assert (steps % int(every_ms * 1_000) == 0).all()
    assert (steps.diff().drop_nulls() == int(every_ms * 1_000)).all()


def test_levels_far_from_the_best_are_found() -> None:
    """A book wider than its window, with more levels behind it than the far table holds at first."""
    rows = [(1, BookKind.LEVEL, 1, 1_000_000 - 9_000 * i, i + 1, 0) for i in range(100)]
    rows += [(1, BookKind.LEVEL, 1, 2_000_000 + 7 * i, 1, 0) for i in range(4_000)]
    rows += [(1, BookKind.LEVEL, 1, 2_000_000 + 7 * i, 0, 0) for i in range(3_999, -1, -1)]
    events = events_of([*rows, (1, BookKind.LEVEL, -1, 3_000_000, 1, 1)])
    table = book_levels(events, SMALL, levels=100)
    assert table.row(0, named=True)["bid_100"] == (1_000_000 - 9_000 * 99) * 0.5
    assert [table[f"bid_quantity_{i}"][0] for i in (1, 2, 100)] == [0.1, 0.2, 10.0]


@pytest.mark.parametrize(
    ("files", "which"),
    [(["usdm__btcusdt_20240808.gz"], USDM), (["spot__btcusdt_20240808.gz", "spot__btcusdt_20240809.gz"], SPOT)],
)
def test_recorded_books_are_the_venues_at_every_quote_with_its_id(
    shared: Path, files: list[str], which: Instrument
) -> None:
    """hftbacktest's recordings: where a best quote bears the id of a depth message, the row after that message has its
    prices and quantities, as the floats that the venue wrote; all levels at some rows are those of the book."""
    recording = read_recording([shared / "hftbacktest" / name for name in files], which, base_latency_us=1_000)
    events = recording.events
    table = book_levels(events, which, levels=10)
    is_row = np.isin(events["kind"], DEPTH) & (events["last"] == 1)
    numbered = table.with_columns(id=pl.Series(recording.ids[is_row]))
    quoted = np.flatnonzero((events["kind"] == BookKind.QUOTE) & (events["side"] == 1))
    told = {}
    for side, name in ((1, "bid"), (-1, "ask")):
        rows = np.flatnonzero((events["kind"] == BookKind.QUOTE) & (events["side"] == side))
        ticks, lots = Decimal(str(which.tick_size)), Decimal(str(which.lot_size))
        told[side] = pl.DataFrame(
            {
                "id": recording.ids[rows],
                f"{name}_told": [float(int(one) * ticks) for one in events["ticks"][rows]],
                f"{name}_quantity_told": [float(int(one) * lots) for one in events["lots"][rows]],
            }
        ).unique("id", keep="last")
    both = numbered.join(told[1], on="id").join(told[-1], on="id")
    assert both.height > 600
    assert len(quoted) > both.height
    for name in TOP:
        assert (both[name] == both[f"{name}_told"]).all(), name
    book, done = Book(), 0
    ends = np.flatnonzero(is_row)
    for row in range(0, table.height, table.height // 20):
        book.apply(events[done : ends[row] + 1])
        done = int(ends[row]) + 1
        for side, name in ((1, "bid"), (-1, "ask")):
            ticks, lots = (part[:10] for part in book.depth(side))
            found = [table[f"{name}_{i + 1}"][row] for i in range(10)]
            shown = [table[f"{name}_quantity_{i + 1}"][row] for i in range(10)]
            wanted = [float(int(one) * which.tick_size) for one in ticks]
            assert found == wanted + [None] * (10 - len(wanted))
            assert shown[: len(lots)] == [float(int(one) * which.lot_size) for one in lots]


def test_recorded_snapshots_are_the_table(shared: Path) -> None:
    """Hyperliquid tells the whole book each time: every row is its message, 20 levels of it."""
    path = shared / "hftbacktest" / "hyperliquid__btcusd_20250126.gz"
    which = perpetual("BTC", "hyperliquid", "0.1", "0.00001")
    table = book_levels(read_recording([path], which).events, which, levels=20)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    frames = [json.loads(line.partition(" ")[2]) for line in lines]
    books = {frame["data"]["time"] * 1_000: frame["data"]["levels"] for frame in frames if frame["channel"] == "l2Book"}
    assert table.height == len(books) > 10
    for row, (ts, (bids, asks)) in zip(table.iter_rows(named=True), sorted(books.items()), strict=True):
        assert row["ts"].timestamp() * 1e6 == pytest.approx(ts)
        for side, name in ((bids, "bid"), (asks, "ask")):
            for i, level in enumerate(side, 1):
                assert row[f"{name}_{i}"] == float(level["px"])
                assert row[f"{name}_quantity_{i}"] == float(level["sz"])


BOOK = [repr(kind()) for kind in REGISTRY.values() if kind.family == "book"]


@pytest.mark.parametrize("spec", BOOK)
def test_features_pass_the_shared_suite_on_a_recorded_book(recorded: pl.DataFrame, spec: str) -> None:
    """Each message of ten levels: batch = stream, saved state, causality, missing levels."""
    result = check_feature(spec, recorded[1_000:1_500])
    assert result.ok, result


@pytest.fixture(scope="module")
def recorded(shared: Path) -> pl.DataFrame:
    """The book of Binance's BTCUSDT perpetual, message by message."""
    path = shared / "hftbacktest" / "usdm__btcusdt_20240808.gz"
    return book_levels(read_recording([path], USDM, base_latency_us=1_000).events, USDM, levels=10)


def test_features_of_a_recorded_book(recorded: pl.DataFrame) -> None:
    """The table goes through `compute` and keeps its times; sizes and signs are those of a market."""
    table = recorded.filter(pl.col("bid").is_not_null())
    specs = ["spread", "book_imbalance(5)", "ofi(10)", "depth_within(5)", "micro_price", "price_to_trade(0.5)"]
    found = compute(table, specs)
    assert found["ts"].equals(table["ts"])
    assert found["ts_known"].equals(table["ts_known"])
    assert (found["spread"] > 0.0).all()
    assert found["book_imbalance_5"].abs().max() <= 1.0
    assert ((found["micro_price_10_1000"] - (table["bid"] + table["ask"]) / 2).abs() < 50.0).all()
    enough = found["price_to_trade_0.5_10.buy"].is_finite()
    assert (found["price_to_trade_0.5_10.buy"].filter(enough) >= table["ask"].filter(enough)).all()


@pytest.mark.parametrize(("levels", "every_ms"), [(0, 0), (101, 0), (5, -1), (5, 0.0001)])
def test_a_sample_that_cannot_be_is_refused(levels: int, every_ms: float) -> None:
    with pytest.raises(FeatureError, match="no sample of a book"):
        BookSampler(SMALL, levels, every_ms)


def test_bad_input_is_refused_and_changes_nothing() -> None:
    sampler = BookSampler(SMALL, 2)
    sampler.extend(HAND)
    before = sampler.save()
    with pytest.raises(ValidationError, match="time goes back in row 0"):
        sampler.extend(HAND)
    with pytest.raises(FeatureError, match="no events of an order book"):
        sampler.extend(np.zeros(3))
    assert sampler.save() == before
    with pytest.raises(FeatureError, match="of 2 levels"):
        BookSampler(SMALL, 3).load(before)
    with pytest.raises(FeatureError, match="damaged"):
        BookSampler(SMALL, 2).load(before[:-1])
    assert BookSampler(SMALL, 2).extend(HAND[:0]).height == 0
