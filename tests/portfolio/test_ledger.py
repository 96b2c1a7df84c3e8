"""The ledger: every amount is exact, every fill balances, and what does not fit is refused."""

from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import UNLIMITED, columns, flat, free, perpetual
from truewind.domain.fill import FILL, FillKind
from truewind.domain.instrument import INSTRUMENT, instrument_row
from truewind.engine.merge import merge
from truewind.engine.state import State
from truewind.errors import LedgerError
from truewind.portfolio.ledger import book_fill, book_funding, postings, prove
from truewind.portfolio.worth import worth_of

BTC = perpetual(tick="0.1", lot="0.001")  # 0.0001 USDT a tick and lot: 10 000 units
ODD = perpetual("ODDUSDT", tick="0.001", lot="0.00003")  # 3 units
TINY = perpetual("TINYUSDT", tick="0.001", lot="0.000003")  # 0.3 units: money must be rounded
CENTS = perpetual("CENTUSD", tick="0.01", lot="0.3", quote="USD")  # 0.3 cents


class Book:
    """One account, `cash` in units of its currency, and what kernels book in it."""

    def __init__(self, *instruments, cash=1):
        bars = {i.symbol: columns([flat(1)]) for i in instruments}
        costs, limits = free().record(1), UNLIMITED.record(1)
        currency = instruments[0].quote
        timeline = merge(bars, dict.fromkeys(bars, 60_000_000))
        self.state = State(instruments, timeline, cash, currency, costs, limits, {})

    def fill(self, side, lots, price, *, symbol=0, fee_rate=0, reference=None, kind=FillKind.TRADE, ts=0):
        reference = price if reference is None else reference
        state = self.state.handle
        return bool(book_fill(state, ts, 0, 1, symbol, kind, side, 0, price, lots, reference, fee_rate, 0))

    def fund(self, price, rate, *, symbol=0):
        return bool(book_funding(self.state.handle, 0, 0, symbol, price, rate))

    @property
    def account(self):
        return self.state.account

    @property
    def positions(self):
        return self.state.positions

    @property
    def fills(self):
        return self.state.fills[: self.account[0]["fills"]]

    @property
    def made(self):
        """What the wallet has gained since the start, in units."""
        return int(self.account[0]["cash"] - self.account[0]["initial"])

    def held(self, symbol=0):
        return int(self.positions[symbol]["lots"]), int(self.positions[symbol]["cost"])

    def prove(self):
        prove([self.fills], self.positions, self.account, self.state.instruments)


def test_a_round_trip_by_hand():
    """2 BTC at 30 000.0 sold at 31 000.0: 2 000 USDT less 0.05 % of 60 000 and of 62 000 (30 and 31 USDT)."""
    book = Book(BTC)
    assert book.fill(1, 2_000, 300_000, fee_rate=50_000)
    assert book.held() == (2_000, 60_000 * 10**8)
    assert book.made == -30 * 10**8
    assert book.fill(-1, 2_000, 310_000, fee_rate=50_000)
    assert book.held() == (0, 0)
    assert book.made == (2_000 - 61) * 10**8
    assert book.account[0]["realised"] == 2_000 * 10**8
    assert book.account[0]["fees"] == 61 * 10**8
    book.prove()


def test_a_part_is_released_at_the_average_cost():
    """1 at 100 and 2 at 130 cost 360, 120 each; one sold at 150 makes 30 and leaves 240."""
    book = Book(BTC)
    book.fill(1, 1_000, 1_000)
    book.fill(1, 2_000, 1_300)
    book.fill(-1, 1_000, 1_500)
    assert book.made == 30 * 10**8
    assert book.held() == (2_000, 240 * 10**8)
    assert book.fills[-1]["cost_released"] == 120 * 10**8


def test_a_flip_closes_what_was_held_and_opens_the_rest():
    """Long 1 at 100, sell 3 at 110: 10 made, short 2 that cost −220; opened at the time of the flip."""
    book = Book(BTC)
    book.fill(1, 1_000, 1_000, ts=5)
    book.fill(-1, 3_000, 1_100, ts=9)
    assert book.held() == (-2_000, -220 * 10**8)
    assert book.made == 10 * 10**8
    assert book.positions[0]["opened_ts"] == 9
    book.fill(1, 2_000, 1_000)
    assert book.made == 30 * 10**8
    assert book.positions[0]["opened_ts"] == 0
    book.prove()


def test_funding_goes_from_longs_to_shorts():
    """0.01 % of 1 BTC at 30 000 is 3 USDT: a long pays it, a short receives it, at a negative rate the other way."""
    for side, rate, paid in ((1, 10_000, 3), (-1, 10_000, -3), (1, -10_000, -3), (-1, -10_000, 3)):
        book = Book(BTC)
        book.fill(side, 1_000, 300_000)
        assert book.fund(300_000, rate)
        assert book.made == -paid * 10**8
        assert book.account[0]["funding"] == -paid * 10**8
        assert book.fills[-1]["lots"] == 0
        book.prove()


def test_a_rebate_adds_to_the_wallet():
    """A maker fee of −0.01 % on 100 USDT pays 0.01."""
    book = Book(BTC)
    book.fill(1, 1_000, 1_000, fee_rate=-10_000)
    assert book.made == 10**6
    assert book.account[0]["fees"] == -(10**6)


def test_money_is_rounded_once_half_away_from_zero():
    """USD has cents: 0.3 × 0.05 = 0.015 is 2 cents; 0.3 × 0.04 = 0.012 is 1."""
    row = instrument_row(CENTS)
    assert worth_of(5, 1, row[0]) == 2
    assert worth_of(4, 1, row[0]) == 1
    assert worth_of(5, 1_000_000, row[0]) == 1_500_000


def test_slippage_is_the_distance_to_the_reference():
    """Bought 2 at 100.5 where 100 was the market: 1 USDT, and it is in the price already, not in the wallet."""
    book = Book(BTC)
    book.fill(1, 2_000, 1_005, reference=1_000)
    assert book.account[0]["slippage"] == 10**8
    assert book.made == 0


TRADES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([-1, 1]), st.integers(1, 10**7), st.integers(1, 10**6)),
    min_size=1,
    max_size=40,
)


@given(TRADES, st.sampled_from([0, 50_000, -10_000]), st.lists(st.integers(-(10**6), 10**6), max_size=40))
def test_books_balance_whatever_is_traded(trades, fee_rate, rates):
    """Each fill's postings sum to zero, every account ends at the running state, and closing all returns every cost."""
    book = Book(BTC, ODD, TINY)
    last = {}
    for i, (symbol, side, lots, price) in enumerate(trades):
        assert book.fill(side, lots, price, symbol=symbol, fee_rate=fee_rate)
        last[symbol] = price
        if i < len(rates) and book.held(symbol)[0]:
            book.fund(price, rates[i], symbol=symbol)
        held, cost = book.held(symbol)
        # The average entry lies among the prices paid: the cost has the position's sign.
        assert held * cost >= 0
    for symbol, price in last.items():
        held, _ = book.held(symbol)
        if held:
            book.fill(-1 if held > 0 else 1, abs(held), price, symbol=symbol, fee_rate=fee_rate)
        assert book.held(symbol) == (0, 0)
    book.prove()
    table = postings(book.fills, book.state.instruments)
    assert (table.group_by("fill").agg(pl.col("amount").sum())["amount"] == 0).all()
    sums = dict(table.group_by("account").agg(pl.col("amount").sum()).iter_rows())
    money = book.account[0]
    assert sums.get("position", 0) == 0
    assert sums.get("realised", 0) == -money["realised"]
    assert sums.get("fees", 0) == money["fees"]
    assert sums.get("funding", 0) == -money["funding"]
    assert sums.get("cash", 0) == book.made


@given(TRADES)
def test_no_money_is_made_or_lost_by_rounding_a_cut(trades):
    """All cash flows, reckoned in fractions, differ from the wallet by half a unit a fill at most."""
    book = Book(BTC, ODD, TINY)
    exact, touched = Fraction(0), {}
    for symbol, side, lots, price in trades:
        book.fill(side, lots, price, symbol=symbol)
        touched[symbol] = price
    for symbol, price in touched.items():
        held, _ = book.held(symbol)
        if held:
            book.fill(-1 if held > 0 else 1, abs(held), price, symbol=symbol)
    units = {0: Fraction(10_000), 1: Fraction(3), 2: Fraction(3, 10)}
    for fill in book.fills:
        exact -= int(fill["side"]) * int(fill["lots"]) * int(fill["price"]) * units[int(fill["symbol"])]
    assert abs(book.made - exact) <= Fraction(len(book.fills), 2)


def test_what_does_not_fit_is_refused_and_nothing_changes():
    """A notional beyond 64 bits is not booked, and the proof says so."""
    book = Book(BTC)
    assert book.fill(1, 1_000, 300_000)
    before = book.positions.tobytes()
    assert not book.fill(1, 10**12, 10**6)
    assert book.positions.tobytes() == before
    assert len(book.fills) == 1
    with pytest.raises(LedgerError, match="64 bits"):
        book.prove()


def test_positions_and_cash_that_together_pass_64_bits_are_refused():
    """Each part fits, the sum would not: refused before it wraps."""
    book = Book(BTC)
    for _ in range(2):
        assert book.fill(1, 10**8, 10**6)  # 1e18 units each
    outcome = [book.fill(1, 10**8, 10**6) for _ in range(12)]
    assert outcome[0] is True
    assert outcome[-1] is False
    assert book.held()[1] == book.held()[0] * 10**6 * 10**4 > 0


def test_funding_that_does_not_fit_is_refused():
    """The mark may be anything; the payment is refused, the wallet stays."""
    book = Book(BTC)
    book.fill(1, 10**9, 10**3)
    cash = book.made
    assert not book.fund(10**12, 10_000)
    assert book.made == cash
    with pytest.raises(LedgerError):
        book.prove()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda book: book.account.__setitem__("cash", 1), "Cash"),
        (lambda book: book.positions[0].__setitem__("lots", 3), "lots"),
        (lambda book: book.positions[0].__setitem__("cost", 3), "cost"),
        (lambda book: book.fills[0].__setitem__("realised", 3), "Cash"),
        (lambda book: book.fills[0].__setitem__("lots", 3), "lots"),
    ],
)
def test_a_book_that_was_tampered_with_is_found_out(damage, says):
    """Cash, lots, cost or a fill changed by hand: the proof names what does not add up."""
    book = Book(BTC)
    book.fill(1, 1_000, 1_000, fee_rate=50_000)
    book.prove()
    damage(book)
    with pytest.raises(LedgerError, match=says):
        book.prove()


def test_no_fills_have_no_postings():
    """An empty table with the right columns."""
    table = postings(np.zeros(0, FILL), np.zeros(1, INSTRUMENT))
    assert table.columns == ["fill", "account", "symbol", "amount"]
    assert table.height == 0
