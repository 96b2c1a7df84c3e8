"""Liquidation: as little as is needed, never below zero, and every unit accounted for."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts import UNIT, Book, linear, table
from truewind.portfolio.liquidation import adl_score, clear, lots_to_liquidate, lots_to_lower_tier
from truewind.portfolio.margin import notional_at, unrealised
from truewind.portfolio.tiers import maintenance_margin

TIERS = table(
    (50_000, "0.004", 125), (250_000, "0.005", 100), (1_000_000, "0.01", 50), (10_000_000, "0.025", 20),
    (50_000_000, "0.1", 5),
)  # fmt: skip
PRICE = 50_000.0


def margin_after(book: Book, equity: float, closed: int, loss: float) -> float:
    """Equity less maintenance margin once `closed` lots are gone, both reckoned afresh."""
    leg = book.legs[0].copy()
    whole = notional_at(leg, book.instruments[0], PRICE)
    left = abs(int(leg["lots"])) - closed
    leg["lots"] = left
    kept = notional_at(leg, book.instruments[0], PRICE)
    return equity - (whole - kept) * loss - maintenance_margin(TIERS, 0, len(TIERS), kept)


@given(
    st.sampled_from(["", "-"]),
    st.integers(1, 900_000),
    st.integers(0, 3_000_000),
    st.sampled_from([0.0, 0.001, 0.0125, 0.03]),
)
def test_the_fewest_lots_that_restore_the_margin(side: str, lots: int, usd: int, loss: float) -> None:
    """What is closed suffices unless all is; one lot less does not suffice."""
    book = Book((linear(), TIERS)).hold(0, f"{side}{lots / 1000:.3f}", str(PRICE))
    equity = float(usd * UNIT)
    closed = lots_to_liquidate(equity, 0.0, book.legs[0], PRICE, loss, book.instruments[0], book.margins[0], TIERS)
    assert 0 <= closed <= lots
    if closed < lots:
        assert margin_after(book, equity, closed, loss) >= -1.0
    if closed > 1:
        assert margin_after(book, equity, closed - 1, loss) < 1.0
    if closed == 0:
        assert margin_after(book, equity, 0, loss) >= 0.0


def test_a_small_position_goes_whole() -> None:
    """Its maintenance rate of 0.4 % is below the fee of 1.25 %: no part of it pays for its own closing.

    Binance says so of smaller users (Liquidation, article 360033525271 of 2019).
    """
    book = Book((linear(), TIERS)).hold(0, "0.5", str(PRICE))
    closed = lots_to_liquidate(
        99.0 * UNIT, 0.0, book.legs[0], PRICE, 0.0125, book.instruments[0], book.margins[0], TIERS
    )
    assert closed == 500


def test_a_large_position_loses_its_top_tier_first() -> None:
    """By hand: 10 million at 2.5 % less 16,300 need 233,700 of equity; there are 200,000, and closing costs nothing.

    Kept k with k × 2.5 % − 16,300 = 200,000: k = 8,652,000, so 1,348,000 USDT are closed: 26.96 BTC at 50,000.
    """
    book = Book((linear(), TIERS)).hold(0, "200", str(PRICE))
    terms = (book.instruments[0], book.margins[0], TIERS)
    assert lots_to_liquidate(200_000.0 * UNIT, 0.0, book.legs[0], PRICE, 0.0, *terms) == 26_960
    assert lots_to_liquidate(250_000.0 * UNIT, 50_000.0 * UNIT, book.legs[0], PRICE, 0.0, *terms) == 26_960


def test_down_to_the_next_lower_tier() -> None:
    """At 50,000: 200 BTC lie above 1 million, which 20 are worth; those just reach it, and 5 are worth 250,000."""
    for quantity, closed in (
        ("200", 180_000),
        ("20.001", 1),
        ("20", 15_000),
        ("5.001", 1),
        ("1", 1_000),
        ("-20", 15_000),
    ):
        book = Book((linear(), table((1, "0.1", 1))), (linear("ETHUSDT"), TIERS)).hold(1, quantity, str(PRICE))
        assert lots_to_lower_tier(book.legs[0], PRICE, book.instruments[1], book.margins[1], book.tiers) == closed


@given(st.integers(1, 900_000), st.floats(1_000, 90_000))
def test_no_more_than_down_to_the_next_lower_tier(lots: int, price: float) -> None:
    """What is kept is worth no more than the floor of its tier was, and one lot more would be worth more."""
    book = Book((linear(), TIERS)).hold(0, f"{lots / 1000:.3f}", str(PRICE))
    closed = lots_to_lower_tier(book.legs[0], price, book.instruments[0], book.margins[0], TIERS)
    worth = lots * price / 1000
    floor = max((cap for cap in (50_000, 250_000, 1_000_000, 10_000_000) if cap < worth), default=0)
    if floor == 0:
        assert closed == lots
        return
    assert (lots - closed) * price / 1000 <= floor * (1 + 1e-12)
    assert (lots - closed + 1) * price / 1000 > floor * (1 - 1e-12)


def test_a_tier_table_lies_anywhere_among_the_tiers() -> None:
    """The same answer for a symbol whose tiers come after another's; none for what is safe, or not there."""
    book = Book((linear(), table((1, "0.1", 1))), (linear("ETHUSDT"), TIERS)).hold(1, "200", str(PRICE))
    terms = (book.instruments[1], book.margins[1], book.tiers)
    assert lots_to_liquidate(200_000.0 * UNIT, 0.0, book.legs[0], PRICE, 0.0, *terms) == 26_960
    assert lots_to_liquidate(233_700.0 * UNIT, 0.0, book.legs[0], PRICE, 0.0, *terms) == 0
    book.legs["lots"] = 0
    assert lots_to_liquidate(-1.0, 0.0, book.legs[0], PRICE, 0.0, *terms) == 0


def test_where_closing_frees_no_more_than_it_costs_all_is_closed() -> None:
    """20 BTC at 50,000 need 1 % of a million less 1,300: 8,700. At a loss of 1 %, as at 3 %, each part closed takes as
    much of the equity as of the margin, or more.
    """
    book = Book((linear(), TIERS)).hold(0, "20", str(PRICE))
    terms = (book.instruments[0], book.margins[0], TIERS)
    for loss in (0.01, 0.03):
        assert lots_to_liquidate(8_699.0 * UNIT, 0.0, book.legs[0], PRICE, loss, *terms) == 20_000
        assert lots_to_liquidate(8_700.0 * UNIT, 0.0, book.legs[0], PRICE, loss, *terms) == 0


def test_what_is_kept_may_be_all_of_the_lower_tier() -> None:
    """2 BTC, 100,000, at 25 % up to 50,000 and 50 % above, need 37,500. One of them, at the cap, needs 12,500, and to
    close the other at a loss of 37.5 % costs 18,750: with 31,250 it may be kept, and less would be worse.
    """
    halves = table((50_000, "0.25", 2), (5_000_000, "0.5", 2))
    book = Book((linear(), halves)).hold(0, "2", str(PRICE))
    terms = (book.instruments[0], book.margins[0], halves)
    assert lots_to_liquidate(31_250.0 * UNIT, 0.0, book.legs[0], PRICE, 0.375, *terms) == 1_000


def test_the_tiers_of_another_symbol_do_not_help() -> None:
    """400 BTC, 20 million, at 5 % in any size: 3 % of them are 600,000, so with 599,900 not even nothing can be kept.

    The table before theirs asks, of 10 million and more, for less than 3 %.
    """
    book = Book((linear(), TIERS), (linear("ETHUSDT"), table((10**9, "0.05", 20)))).hold(1, "400", str(PRICE))
    terms = (book.instruments[1], book.margins[1], book.tiers)
    assert lots_to_liquidate(599_900.0 * UNIT, 0.0, book.legs[0], PRICE, 0.03, *terms) == 400_000


def test_one_lot_is_the_least_that_is_closed() -> None:
    """Ten millions need 233,700. With half a dollar less 20 of them must go: a lot of 50; so with next to nothing less.

    With 8,700, which is the margin of a million, where two tiers meet, 20 BTC are kept.
    """
    book = Book((linear(), TIERS)).hold(0, "200", str(PRICE))
    terms = (book.instruments[0], book.margins[0], TIERS)
    for equity in (233_699.5, 233_699.9999):
        assert lots_to_liquidate(equity * UNIT, 0.0, book.legs[0], PRICE, 0.0, *terms) == 1
    assert lots_to_liquidate(8_700.0 * UNIT, 0.0, book.legs[0], PRICE, 0.0, *terms) == 180_000


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**12))
def test_clearing_creates_and_loses_nothing(balance: int, fee: int) -> None:
    """Account and insurance fund together keep the balance; the account never ends below zero."""
    left, charged, fund = clear(balance, fee)
    assert left + fund == balance
    assert left >= 0
    assert 0 <= charged <= fee
    assert charged == (min(balance, fee) if balance >= 0 else 0)


def test_rank_in_the_deleveraging_queue() -> None:
    """dev.binance.vision topic 17801: profit 40.2, wallet 4.27, margin ratio 13.42 %: 9.41 × 13.42 % = 1.26."""
    pnl, wallet = 40.2 * UNIT, 4.27 * UNIT
    assert adl_score(pnl, wallet, 0.1342 * (pnl + wallet), UNIT) == pytest.approx(1.26, abs=0.005)
    assert adl_score(-pnl, wallet, UNIT, UNIT) == 0.0


def test_the_rank_by_hand() -> None:
    """2 made on a wallet of ½, which counts as 1: 2 × 0.25 / 2.5. Nothing is ranked that is worth nothing."""
    assert adl_score(2.0, 0.5, 0.25, 1.0) == pytest.approx(0.2)
    assert adl_score(0.25, 0.25, 0.1, 0.1) == pytest.approx(0.2)
    assert adl_score(1.0, -1.0, 0.1, 1.0) == adl_score(-0.5, 1.0, 0.1, 1.0) == 0.0
    assert adl_score(1.0, -2.0, 0.1, 1.0) == 0.0


@given(st.floats(0, 1e6), st.floats(1, 1e6), st.floats(0.01, 1e5), st.floats(1.01, 10))
def test_profit_brings_forward_in_the_queue(pnl: float, wallet: float, maintenance: float, more: float) -> None:
    """At an equal margin ratio the more profitable position is deleveraged first."""
    assume(pnl > 1e-3)
    ratio = maintenance / (wallet + pnl)
    richer = adl_score(pnl * more, wallet, ratio * (wallet + pnl * more), 1.0)
    assert richer > adl_score(pnl, wallet, maintenance, 1.0)


def test_what_is_closed_costs_what_it_shows() -> None:
    """Profit of a leg is linear in what is held: closing at the mark realises exactly the share that was unrealised."""
    book = Book((linear(), TIERS)).hold(0, "2", "40000", "50000").hold(0, "1", "40000", "50000")
    both = [unrealised(leg, book.instruments[0], PRICE) for leg in book.legs]
    assert both == [20_000.0 * UNIT, 10_000.0 * UNIT]
