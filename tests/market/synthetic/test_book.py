"""The synthetic order book: our own book builder takes it without a gap, and it fits quotes and trades."""

import numpy as np
import polars as pl
import pytest

from truewind.domain.book import BookKind
from truewind.domain.timeframe import HOUR_US
from truewind.errors import EmptyRangeError
from truewind.market.book.assemble import assemble
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.numerics.book import Book
from truewind.storage.lake import Lake

CONFIG = SyntheticConfig(symbols=("SOLUSDT",), days=1, seed=7)
START = CONFIG.start_us


@pytest.fixture(scope="module")
def hours():
    """Two hours as a table, and as events."""
    market = SyntheticMarket(CONFIG)
    table = market.book("SOLUSDT", START, START + 2 * HOUR_US)
    return table, assemble(table, market.instruments()[0])


def test_the_book_builder_takes_it_without_a_gap_and_it_never_crosses(hours):
    """No update is missing or unused over the edge of an hour, and there is always a bid below an ask."""
    _, book = hours
    assert (book.gaps, book.unused, book.rounded) == ([], 0, 0)
    check = Book()
    check.apply(book.events)
    assert check.crossed.tolist() == [0, -1]
    assert check.best_ask == check.best_bid + 1
    assert len(check.depth(1)[0]) == len(check.depth(-1)[0]) == 40


def test_an_hour_alone_is_the_hour_within_more(hours):
    """Made without the hour before it, the second hour has the same rows, and its snapshot the same book."""
    table, _ = hours
    market = SyntheticMarket(CONFIG)
    alone = market.book("SOLUSDT", START + HOUR_US, START + 2 * HOUR_US)
    edge = pl.from_epoch(pl.lit(START + HOUR_US), "us").cast(pl.Datetime("us", "UTC"))
    assert alone.equals(table.filter(pl.col("ts") >= edge))
    about = market.instruments()[0]
    whole, last = Book(), Book()
    whole.apply(assemble(table, about).events)
    last.apply(assemble(alone, about).events)
    for side in (1, -1):
        assert [column.tolist() for column in whole.depth(side)] == [column.tolist() for column in last.depth(side)]


def test_trades_are_those_of_the_market_and_happen_at_the_best_prices(hours):
    """Buyers pay the displayed ask, sellers get the bid; price and quantity are those of `trades`."""
    table, book = hours
    market = SyntheticMarket(CONFIG)
    trades = market.trades("SOLUSDT", START, START + 2 * HOUR_US)
    kept = table.filter(pl.col("kind") == BookKind.TRADE)
    assert kept.select("ts", "price", "quantity", "side", "id").equals(trades)
    state, row, met = Book(), 0, 0
    at = np.flatnonzero(book.events["kind"] == BookKind.TRADE)[::97]
    for k in at.tolist():
        state.apply(book.events[row:k])
        row = k
        event = book.events[k]
        met += int(event["ticks"]) == (state.best_ask if event["side"] > 0 else state.best_bid)
    assert met == len(at)


def test_what_takers_take_is_missing_from_the_best_price():
    """While a quote stands, the lots at the best price are those without trades, less what was traded; never none."""
    from truewind.market.synthetic.book import MESSAGES, hour_rows, taken_before

    bids = np.full(720, 1000)
    calm, hit = np.zeros((2, MESSAGES), np.int64), taken_before(np.array([50_000]), np.array([-1]), np.array([30]))
    shown = []
    for taken in (calm, hit):
        rows = np.zeros((1 << 18, 5), np.int64)
        count = hour_rows(1, 0, 200.0, 1000, bids, taken, rows)
        best = {int(moment): int(lots) for moment, _, side, ticks, lots in rows[:count] if side == 1 and ticks == 1000}
        shown.append(best)
    assert shown[1][1] == max(1, shown[0].get(1, shown[0][0]) - 30)
    assert shown[1][50] >= shown[0].get(50, 0)  # a new step, nothing is missing any more


def test_depth_is_plausible(hours):
    """The best price shows more than those behind it; quantities are of many sizes; another seed is another book."""
    _, book = hours
    check = Book()
    touch, behind = [], []
    for part in np.array_split(book.events, 200):
        check.apply(part)
        lots = check.depth(1)[1]
        touch.append(lots[0])
        behind.append(lots[1:6].mean())
    assert np.median(touch) > 2 * np.median(behind)
    assert len(set(touch)) > 50
    other = SyntheticMarket(CONFIG.model_copy(update={"seed": 8})).book("SOLUSDT", START, START + HOUR_US)
    assert other["quantity"][:80].to_list() != hours[0]["quantity"][:80].to_list()


def test_it_goes_into_the_lake(tmp_path):
    """Writing it twice is writing it once; there is none outside of the history."""
    lake, market = Lake(tmp_path / "lake"), SyntheticMarket(CONFIG)
    keys = [market.write_book(lake, "SOLUSDT", START, START + HOUR_US) for _ in range(2)]
    assert keys[0] == keys[1]
    table = market.book("SOLUSDT", START, START + HOUR_US)
    stored = lake.read(keys[0])
    assert stored.select(sorted(stored.columns)).equals(table.select(sorted(table.columns)))
    with pytest.raises(EmptyRangeError):
        market.book("SOLUSDT", START - 10 * HOUR_US, START - 9 * HOUR_US)
