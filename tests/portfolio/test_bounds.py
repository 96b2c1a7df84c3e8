"""Bounds: inside them nothing can be liquidated, whichever way the marks combine."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts import UNIT, Book, inverse, linear, table
from truewind.portfolio.bounds import cross_share, isolated_slack, safe_prices
from truewind.portfolio.margin import (
    cross_equity,
    cross_maintenance,
    isolated_liquidation_price,
    leg_maintenance,
    unrealised,
)

USDT = table((50_000, "0.004", 125), (250_000, "0.005", 100), (1_000_000, "0.01", 50), (50_000_000, "0.1", 5))
COIN = table(("5", "0.004", 125), ("20", "0.01", 50), ("100", "0.05", 10), ("1000", "0.5", 1))
prices = st.integers(10_000, 90_000).map(str)
sides = st.sampled_from(["", "-"])


def slack(wallet: int, book: Book) -> float:
    return cross_equity(wallet, book.legs, book.instruments) - cross_maintenance(book.legs, *book.terms())


def within(low: float, high: float, place: float, mark: float) -> float:
    """A price strictly inside the bounds; where they are open, up to a hundred times away."""
    low, high = max(low, mark / 100), min(high, mark * 100)
    return low + (high - low) * place


@given(
    st.lists(st.tuples(sides, st.integers(1, 5_000), prices, prices), min_size=1, max_size=4),
    st.booleans(),
    st.integers(1, 10**6),
    st.data(),
)
def test_no_combination_of_marks_inside_the_bounds_liquidates(
    held: list[tuple[str, int, str, str]], coins: bool, money: int, data: st.DataObject
) -> None:
    """Up to four legs, linear or inverse: wherever inside their bounds all marks go, equity covers the margin."""
    listed = inverse() if coins else linear()
    book = Book(*((listed, COIN if coins else USDT) for _ in held))
    for symbol, (side, size, entry, mark) in enumerate(held):
        book.hold(symbol, side + (str(size) if coins else f"{size / 1000:.3f}"), entry, mark)
    wallet = money * UNIT // (1000 if coins else 1)
    assume(slack(wallet, book) > 0)
    share = cross_share(wallet, book.legs, *book.terms())
    bounds = [safe_prices(share, leg, *book.terms()) for leg in book.legs]
    for i, (low, high) in enumerate(bounds):
        place = data.draw(st.floats(1e-9, 1 - 1e-9) | st.sampled_from([1e-9, 1 - 1e-9]))
        book.legs["mark"][i] = within(low, high, place, float(book.legs["mark"][i]))
    assert slack(wallet, book) >= -1e-6 * abs(cross_equity(wallet, book.legs, book.instruments)) - 1.0


@given(sides, st.integers(1, 5_000), prices, prices, st.integers(1, 10**5))
def test_an_isolated_leg_is_bounded_short_of_its_liquidation(
    side: str, size: int, entry: str, mark: str, money: int
) -> None:
    """The bound lies between the mark and the liquidation price; on the winning side there is none."""
    book = Book((linear(), USDT)).hold(0, f"{side}{size / 1000:.3f}", entry, mark, wallet=money * UNIT)
    leg = book.legs[0]
    free = isolated_slack(leg, *book.terms())
    own = leg["wallet"] + unrealised(leg, book.instruments[0], float(mark)) - leg_maintenance(leg, *book.terms())
    assert free == pytest.approx(own, abs=1.0)
    assume(free > 1.0)
    low, high = safe_prices(free, leg, *book.terms())
    liquidated = isolated_liquidation_price(leg, *book.terms())
    if side == "":
        assert math.isinf(high)
        assert low < float(mark)
        assert math.isnan(liquidated) or liquidated <= low
    else:
        assert low == 0.0
        assert float(mark) < high <= liquidated


def test_nothing_to_lose_looks_at_every_bar() -> None:
    """In danger already the bounds close on the mark; a flat leg has none."""
    book = Book((linear(), USDT)).hold(0, "1", "50000", "50000").hold(0, "0", "1", "50000")
    assert safe_prices(0.0, book.legs[0], *book.terms()) == (50_000.0, 50_000.0)
    assert safe_prices(0.0, book.legs[1], *book.terms()) == (0.0, math.inf)
