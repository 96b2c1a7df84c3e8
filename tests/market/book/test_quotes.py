"""Quotes as a book of one level: whatever was quoted last is all that the book shows."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import perpetual
from truewind.backtest.book_replay import replay_book
from truewind.backtest.data import DataSettings
from truewind.domain.book import BookKind
from truewind.errors import ValidationError
from truewind.market.book.quotes import quote_events
from truewind.market.importing import import_files
from truewind.numerics.book import Book
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

TIME = pl.Datetime("us", "UTC")
ABOUT = perpetual("BTCUSDT", tick="0.5", lot="0.1")


def table(rows: list[tuple[int, int, int, int, int]]) -> pl.DataFrame:
    """Quotes of (µs, bid ticks, bid lots, ask ticks, ask lots)."""
    ts, bid, bids, ask, asks = (list(column) for column in zip(*rows, strict=True))
    return pl.DataFrame(
        {
            "ts": pl.Series(ts).cast(TIME),
            "bid": [ticks * 0.5 for ticks in bid],
            "bid_quantity": [lots * 0.1 for lots in bids],
            "ask": [ticks * 0.5 for ticks in ask],
            "ask_quantity": [lots * 0.1 for lots in asks],
        }
    )


def shown(book: Book, side: int) -> list[tuple[int, int]]:
    return [(int(ticks), int(lots)) for ticks, lots in zip(*book.depth(side), strict=True)]


QUOTES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 40), st.integers(0, 5), st.integers(1, 10), st.integers(0, 5)),
    min_size=1, max_size=40,
)  # fmt: skip


@given(QUOTES)
def test_the_book_is_the_last_quote(drawn: list[tuple[int, int, int, int, int]]) -> None:
    """After every message; a side of which nothing is offered is empty."""
    now, rows = 1, []
    for wait, bid, bids, spread, asks in drawn:
        now += wait + 1
        rows.append((now, bid, bids, bid + spread, asks))
    events, book = quote_events(table(rows), None, ABOUT), Book()
    for ts, bid, bids, ask, asks in rows:
        book.apply(events[events["ts_event"] == ts])
        assert shown(book, 1) == ([(bid, bids)] if bids else [])
        assert shown(book, -1) == ([(ask, asks)] if asks else [])
    ends = np.flatnonzero(events["last"])
    assert len(np.unique(events["ts_event"][ends])) == len(ends)


def test_trades_come_before_the_quote_of_their_moment() -> None:
    """The quote tells what was left after them. Nothing is said of a quote that changes nothing."""
    trades = pl.DataFrame({
        "ts": pl.Series([20, 20]).cast(TIME), "price": [50.0, 50.5], "quantity": [0.2, 0.1],
        "side": pl.Series([1, -1], dtype=pl.Int8),
    })  # fmt: skip
    events = quote_events(table([(10, 99, 2, 100, 3), (15, 99, 2, 100, 3), (20, 99, 2, 100, 1)]), trades, ABOUT)
    assert events["ts_event"].tolist() == [10, 10, 20, 20, 20]
    assert events["kind"].tolist() == [BookKind.LEVEL] * 2 + [BookKind.TRADE] * 2 + [BookKind.LEVEL]
    assert events["lots"].tolist() == [2, 3, 2, 1, 1]


def test_a_price_off_the_ticks_is_refused() -> None:
    """The instrument's tick is not that of the data."""
    with pytest.raises(ValidationError, match=r"is no multiple of 0\.5"):
        quote_events(table([(10, 99, 2, 100, 3)]).with_columns(bid=pl.lit(49.7)), None, ABOUT)


def test_recorded_quotes_are_what_a_run_goes_over(tmp_path, shared) -> None:
    """451 quotes and 2,001 trades of Binance: at the end of every time the touch is the last quote of that time."""
    lake = Lake(tmp_path / "lake")
    files = [shared / "nautilus" / f"binance__btcusdt-{kind}.parquet" for kind in ("quotes", "trades")]
    import_files(lake, files, venue="binance", symbol="BTCUSDT")
    source = replay_book(lake, DataSettings(venue="binance", symbols="BTCUSDT", kind="quotes"))
    quotes, book = lake.read(SeriesKey("quotes", "binance", "BTCUSDT")), Book()
    assert quotes.height == 451
    events, begun = source.events, 0
    levels = events[events["kind"] == BookKind.LEVEL]
    times = quotes["ts"].to_physical().to_numpy()
    quotes = quotes.unique("ts", keep="last", maintain_order=True)
    ends = quotes["ts"].to_physical().to_numpy()
    for ts, bid, ask in zip(ends, quotes["bid"], quotes["ask"], strict=True):
        end = int(np.searchsorted(levels["ts_event"], ts, side="right"))
        book.apply(levels[begun:end])
        begun = end
        assert (book.best_bid, book.best_ask) == (round(bid * 100), round(ask * 100))
    inside = (events["kind"] == BookKind.TRADE).sum()
    trades = lake.read(SeriesKey("trades", "binance", "BTCUSDT"))["ts"].to_physical()
    assert inside == int((trades >= times[0]).sum())


def test_quotes_that_cannot_be_are_quarantined(tmp_path) -> None:
    """Crossed, negative, and on one side with nothing: the last is a quote."""
    path = tmp_path / "quotes.csv"
    path.write_text(
        "timestamp,bid_price,bid_amount,ask_price,ask_amount\n2024-01-01T00:00:01,100,1,101,2\n"
        "2024-01-01T00:00:02,101,1,101,2\n2024-01-01T00:00:03,100,-1,101,2\n2024-01-01T00:00:04,100,0,101,2\n"
        "2024-01-01T00:00:05,100,3,101,2\n"
    )
    lake = Lake(tmp_path / "lake")
    report = import_files(lake, [path], venue="test", symbol="BTCUSDT")
    assert report.quarantined == {"crossed_quote": 2}
    assert lake.read(SeriesKey("quotes", "test", "BTCUSDT"))["bid_quantity"].to_list() == [1.0, 0.0, 3.0]
