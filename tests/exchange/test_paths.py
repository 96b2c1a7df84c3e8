"""Trades and books that are made up: they add up to the bars, and a snapshot is what the updates lead to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.exchange.depth import DEPTH, MadeBook
from truewind.exchange.paths import bar_trades, counted

MINUTE_US = 60_000_000


@st.composite
def bars(draw: st.DrawFn) -> tuple[int, ...]:
    """open, high, low, close, volume, bought, trades: any bar that a venue could print, and some that it could not."""
    low = draw(st.integers(1, 10_000))
    high = low + draw(st.integers(0, 300))
    open_, close = draw(st.integers(low, high)), draw(st.integers(low, high))
    volume = draw(st.integers(0, 5_000))
    return open_, high, low, close, volume, draw(st.integers(0, volume)), draw(st.integers(0, 400))


@given(bars(), st.integers(0, 1000))
def test_trades_add_up_to_their_bar(bar: tuple[int, ...], seed: int) -> None:
    """Open, high, low, close, volume and the takers' purchases come out exactly, wherever there are lots enough."""
    open_, high, low, close, volume, bought, trades = bar
    (count,) = counted(*(np.array([value]) for value in (trades, volume, bought, open_, high, low, close))).tolist()
    rows = bar_trades(seed, 1_704_067_200_000_000, MINUTE_US, (open_, high, low, close, volume, bought, count), 7)
    if volume == 0:
        assert len(rows) == 0
        return
    ticks, lots = rows["ticks"], rows["lots"]
    assert [ticks[0], ticks.max(), ticks.min(), ticks[-1]] == [open_, high, low, close]
    if volume >= count:
        assert lots.sum() == volume
        assert (lots >= 1).all()
        assert lots[rows["side"] > 0].sum() == bought
    assert rows["id"].tolist() == list(range(7, 7 + count))
    assert (np.diff(rows["ts"]) >= 0).all()
    assert rows["ts"][0] >= 1_704_067_200_000_000
    assert rows["ts"][-1] < 1_704_067_200_000_000 + MINUTE_US


@examples(40)
@given(st.integers(0, 2**40), st.lists(st.integers(-3, 3), min_size=1, max_size=60), st.integers(1, 10**9))
def test_updates_lead_from_snapshot_to_snapshot(seed: int, moves: list[int], first: int) -> None:
    """Applied one after the other they give the book of every later message, for any path of the best bid."""
    book = MadeBook(seed, 12.0)
    bids = np.concatenate([[5_000], 5_000 + np.cumsum(moves)])
    for side in (1, -1):
        held = dict(zip(*(part.tolist() for part in book.side(side, 5_000, first - 1)), strict=True))
        places, ticks, lots = book.changes(side, bids, first)
        for at in range(len(moves)):
            for price, quantity in zip(ticks[places == at].tolist(), lots[places == at].tolist(), strict=True):
                held.pop(price, None)
                if quantity:
                    held[price] = quantity
            wanted = book.side(side, int(bids[at + 1]), first + at)
            assert held == dict(zip(*(part.tolist() for part in wanted), strict=True))
            assert len(held) == DEPTH


def test_a_message_says_something_new() -> None:
    """No level is told twice in a message, and none with the lots that it has."""
    book = MadeBook(3, 5.0)
    bids = 1_000 + np.round(np.sin(np.arange(200) / 9) * 4).astype(np.int64)
    places, ticks, _ = book.changes(1, bids, 77)
    told = list(zip(places.tolist(), ticks.tolist(), strict=True))
    assert len(told) == len(set(told))
    assert 0.2 < len(told) / 199 < 60


def test_seeds_differ() -> None:
    """Another seed is another book; the same one is the same."""
    one, other = (MadeBook(seed, 9.0).side(1, 500, 3)[1].tolist() for seed in (1, 2))
    assert one != other
    assert one == MadeBook(1, 9.0).side(1, 500, 3)[1].tolist()


@pytest.mark.parametrize("decimals", [0, 2, 8])
def test_numbers_are_written_in_full(decimals: int) -> None:
    """As `format` writes exact decimals."""
    from decimal import Decimal

    from truewind.exchange.numbers import fixed

    for value in (0, 5, -5, 123_456, -123_456_789_012):
        assert fixed(value, decimals) == f"{Decimal(value).scaleb(-decimals):.{decimals}f}"
