"""The ledger: every amount is exact, every fill balances, and what does not fit is refused."""

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import inverse
from scripted import UNLIMITED, columns, flat, free, perpetual
from truewind.domain.fill import FILL, FillKind
from truewind.domain.instrument import INSTRUMENT, instrument_row
from truewind.engine.merge import merge
from truewind.engine.state import State
from truewind.errors import LedgerError
from truewind.portfolio.ledger import book_fill, book_funding, book_payment, book_split, charge, postings, prove
from truewind.portfolio.margin import MarginSettings
from truewind.portfolio.worth import worth_of

BTC = perpetual(tick="0.1", lot="0.001")  # 0.0001 USDT a tick and lot: 10 000 units
ODD = perpetual("ODDUSDT", tick="0.001", lot="0.00003")  # 3 units
TINY = perpetual("TINYUSDT", tick="0.001", lot="0.000003")  # 0.3 units: money must be rounded
CENTS = perpetual("CENTUSD", tick="0.01", lot="0.3", quote="USD")  # 0.3 cents


class Book:
    """One account, `cash` in units of its currency, and what kernels book in it."""

    def __init__(self, *instruments, cash=1, limits=UNLIMITED, leverage=1, **margin):
        bars = {i.symbol: columns([flat(1)]) for i in instruments}
        timeline = merge(bars, dict.fromkeys(bars, 60_000_000))
        terms = MarginSettings(tiers="flat", **margin).terms(instruments, {}, leverage)
        costs = free().record(leverage)
        self.state = State(instruments, timeline, cash, instruments[0].currency, costs, limits.record(1), {}, terms)

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
        names = [f"S{number}" for number in range(len(self.state.instruments))]
        prove([self.fills], self.positions, self.account, self.state.instruments, names)


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


def test_one_lot_is_enough_to_be_on_the_other_side():
    """From −1 to +1 and back: each time it is opened anew."""
    book = Book(BTC)
    for i, (side, lots) in enumerate(((-1, 1), (1, 2), (-1, 2))):
        book.fill(side, lots, 1_000, ts=i + 5)
        assert (book.held()[0], book.positions[0]["opened_ts"]) == (side, i + 5)


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
    assert (book.made, book.account[0]["overflow"]) == (cash, 1)
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


def nearest(value):
    """Half away from zero."""
    return int(math.copysign(math.floor(abs(value) + Fraction(1, 2)), value))


class Plain:
    """What the ledger promises of one leg, in fractions: average cost, one rounding for each amount.

    unit: ledger units that a lot is worth at one tick (of an inverse contract, times one tick). leverage: 0 where the
    wallet is shared.
    """

    def __init__(self, unit, coins, leverage):
        self.unit, self.coins, self.leverage = unit, coins, leverage
        self.lots = self.cost = self.realised = self.fees = self.funding = self.slippage = self.carry = 0
        self.opened_ts = self.gained = 0
        self.wallet = 0 if leverage else -1

    def worth(self, price, lots):
        return nearest(self.unit * lots / price if self.coins else self.unit * lots * price)

    def fill(self, ts, side, price, lots, reference, rate):
        """Returns (notional, cost released, profit, fee, slippage)."""
        notional, turn = self.worth(price, lots), -side if self.coins else side
        away = self.worth(reference, lots) - notional if self.coins else self.worth(abs(reference - price), lots)
        closed = min(lots, abs(self.lots)) if self.lots * side < 0 else 0
        released = nearest(Fraction(self.cost * closed, abs(self.lots))) if closed else 0
        brought = nearest(Fraction(notional * closed, lots))
        profit, fee = -turn * brought - released, nearest(Fraction(notional * rate, 10**8))
        added = turn * (notional - brought)
        if self.leverage:
            if closed:
                self.wallet -= nearest(Fraction(self.wallet * closed, abs(self.lots)))
            self.wallet += math.ceil(Fraction(abs(added), self.leverage))
        before, self.lots = self.lots, self.lots + side * lots
        if self.lots * before <= 0:  # it has left zero, come to it, or gone through it
            self.opened_ts = ts if self.lots else 0
        self.cost += added - released
        self.realised, self.fees, self.slippage = self.realised + profit, self.fees + fee, self.slippage + abs(away)
        if closed and (self.lots == 0 or lots > closed):
            self.gained = self.realised - self.fees + self.funding + self.carry
        return notional, released, profit, fee, abs(away)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["fill"] * 6 + ["fund", "pay", "split", "charge"]),
        st.sampled_from([0, 0, 0, 1, 5]),  # leg
        st.sampled_from([-1, 1]),
        st.integers(1, 5) | st.integers(1, 10**4),  # lots
        st.integers(2, 10**5),  # price
        st.integers(-1, 3),  # slippage in ticks
        st.integers(-(10**6), 10**6),  # rate, or money
        st.sampled_from([k for k in vars(FillKind).values() if isinstance(k, int) and k in (1, 3, 4, 5, 6, 10)]),
    ),
    min_size=8,
    max_size=30,
)


@given(ACTS, st.sampled_from([{}, {"mode": "isolated"}]), st.booleans())
def test_every_row_and_every_sum_is_what_the_words_say(acts, mode, coins):
    """Fills, payments, splits and fees on hedged legs of three symbols: all columns of fills, positions and account."""
    listed = [inverse("100"), inverse("10")] if coins else [BTC, ODD, TINY]
    units = [10**11, 10**10] if coins else [10_000, 3, Fraction(3, 10)]  # 100 USD in 1e-8 BTC, by ticks of 0.1
    count, leverage = len(listed), 7
    book = Book(*listed, cash=1_000, leverage=leverage, position_mode="hedge", **mode)
    legs = [Plain(Fraction(units[i % count]), coins, leverage if mode else 0) for i in range(2 * count)]
    state, cash, rows, moved = book.state.handle, int(book.account[0]["cash"]), [], []
    for i, (act, leg, side, lots, price, away, money, kind) in enumerate(acts):
        leg, ts, order, tag = leg % len(legs), 1_000 + i, i % 3, i % 5
        plain, cost = legs[leg], legs[leg].cost
        row = {"ts": ts, "row": 2 * i, "leg": leg, "symbol": leg % count, "price": price, "maker": 0, "tag": 0}
        row |= {"order": 0, "lots": 0, "kind": kind, "cost_released": 0, "fee": 0, "slippage": 0, "owner": -1}
        paid = 0
        if act == "fill":
            reference, kind = max(1, price - side * away), (0, 2, 8)[i % 3]
            assert book_fill(state, ts, 2 * i, order, leg, kind, side, i % 2, price, lots, reference, money, tag)
            notional, released, profit, fee, slipped = plain.fill(ts, side, price, lots, reference, money)
            row |= {"kind": kind, "side": side, "maker": i % 2, "lots": lots, "notional": notional, "order": order}
            row |= {"cost_released": released, "realised": profit, "fee": fee, "slippage": slipped, "tag": tag}
            row["owner"] = 0 if order else -1
            cash += profit - fee
        elif act in ("fund", "pay"):
            row["side"] = 1 if plain.lots > 0 else -1
            if act == "fund":
                held = plain.worth(price, abs(plain.lots))
                paid = nearest(Fraction(held * money, 10**8)) * (1 if plain.lots < 0 else -1)
                assert book_funding(state, ts, 2 * i, leg, price, money)
                row |= {"kind": FillKind.FUNDING, "notional": held}
            else:
                paid = money
                book_payment(state, ts, 2 * i, leg, kind, price, lots, paid)
                row["notional"] = lots
            row["realised"] = paid
            kept = {1: "funding", 3: "realised", 4: "carry", 5: "carry", 6: "carry"}.get(row["kind"])
            if kept:  # what other currencies bring belongs to no leg
                setattr(plain, kept, getattr(plain, kept) + paid)
            cash += paid
        elif act == "split":
            turn = 1 if plain.lots >= 0 else -1
            kept, released = turn * (lots % 7) * abs(plain.lots), plain.cost // 3
            book_split(state, ts, 2 * i, leg, price, kept, released, money)
            row |= {"kind": FillKind.SPLIT, "side": 1 if kept > plain.lots else -1, "lots": abs(kept - plain.lots)}
            row |= {"notional": abs(money), "cost_released": released, "realised": money - released}
            plain.lots, plain.cost, plain.realised = kept, plain.cost - released, plain.realised + money - released
            plain.opened_ts = plain.opened_ts if kept else 0
            cash += money - released
        elif rows:
            last = rows[-1]
            charge(state, last["leg"], lots)
            legs[last["leg"]].fees += lots
            last["fee"], last["cash"], cash = last["fee"] + lots, last["cash"] - lots, cash - lots
            continue
        else:
            continue
        rows.append(row | {"position": plain.lots, "cost": plain.cost, "cash": cash})
        moved.append((plain.cost - cost, paid))
    for found, row in zip(book.fills, rows, strict=True):
        assert {name: int(found[name]) for name in FILL.names} == row
    for found, plain in zip(book.positions, legs, strict=True):
        names = ("lots", "cost", "realised", "fees", "funding", "slippage", "carry", "opened_ts", "gained", "wallet")
        assert {name: int(found[name]) for name in names} == {name: getattr(plain, name) for name in names}
    for name in ("realised", "fees", "funding", "slippage", "carry"):
        assert book.account[0][name] == sum(getattr(plain, name) for plain in legs)
    assert (book.account[0]["cash"], book.account[0]["booked"]) == (cash, len(rows))
    book.prove()
    assert postings(book.fills, book.state.instruments).rows() == list(entries(rows, moved))


@pytest.mark.parametrize(
    ("before", "after", "side", "changed"),
    [(10, 30, 1, 20), (10, 11, 1, 1), (10, 4, -1, 6), (10, 1, -1, 9), (10, 0, -1, 10), (-10, -30, -1, 20)],
)
def test_a_split_by_hand(before, after, side, changed):
    """10 lots at 100.0 cost 10 units of 100; 7 of them leave with a fraction that brings 9: 2 are made."""
    book = Book(perpetual("ONEUSD", tick="0.1", lot="0.1", quote="USD"))  # a cent a tick and lot
    book.fill(1 if before > 0 else -1, 10, 1_000, ts=5)
    book_split(book.state.handle, 9, 3, 0, 500, after, 7, 9)
    assert book.held() == (after, before * 1_000 - 7)
    assert book.positions[0]["opened_ts"] == (5 if after else 0)
    row = dict(zip(FILL.names, book.fills[-1].tolist(), strict=True))
    assert row | {"ts": 9, "row": 3, "side": side, "lots": changed, "notional": 9, "price": 500} == row
    assert row | {"cost_released": 7, "realised": 2, "fee": 0, "slippage": 0, "maker": 0, "order": 0} == row
    assert (book.made, book.account[0]["realised"], book.positions[0]["realised"]) == (2, 2, 2)


def entries(rows, moved):
    """Double entry, account by account: the wallet is `cash` + `position`, and what was gained stands opposite."""
    names = {1: "funding", 3: "insurance", 4: "dividends", 5: "borrowing", 6: "swaps", 10: "collateral"}
    for i, (row, (grown, paid)) in enumerate(zip(rows, moved, strict=True)):
        made = 0 if row["kind"] in names else row["realised"]
        amounts = {"position": grown, "cash": made + paid - row["fee"] - grown, "realised": -made}
        amounts |= {name: -paid if row["kind"] == kind else 0 for kind, name in names.items()}
        for name, amount in (amounts | {"fees": row["fee"]}).items():
            if amount:
                yield i, name, row["symbol"], amount


def test_the_most_that_fits():
    """9e18 units: cash, cost and twice the notional together, whatever their signs (a unit a lot and tick)."""
    unit = perpetual("UNITUSDT", tick="0.0001", lot="0.0001")  # 1e-8 USDT
    for more, fits in ((0, True), (10_000, False)):
        assert Book(unit).fill(1, 4_499_999_999_950_000_000 + more, 1) is fits  # and 1e8 of cash
    book = Book(unit)
    assert book.fill(-1, 3 * 10**18, 1)
    assert not book.fill(-1, 3 * 10**18, 1)
    assert book.fill(-1, 10**18, 1)
    assert book.held() == (-4 * 10**18, -4 * 10**18)
    assert not book.fill(1, 10, 1, reference=10**18)
    assert book.account[0]["overflow"] == 1
    assert Book(unit).fill(1, 10, 1, reference=1)
    tiny = Book(TINY)
    assert tiny.fill(1, 1, 1)  # 0.3 units: worth nothing, and booked
    assert tiny.held() == (1, 0)


def test_the_rate_of_an_entry_is_that_of_its_leg():
    """Two units of its own currency at ½ are one of the account's: entered at ½, and no other leg with it."""
    book = Book(perpetual("UNITUSDT", tick="0.0001", lot="0.0001"), BTC)
    book.state.instruments["rate"] = 0.5
    assert book.fill(1, 2, 1)
    assert book.held() == (2, 1)
    assert book.positions["entry_rate"].tolist() == [0.5, 1.0]


def test_payments_add_up():
    """One lot: dividends of 5 and 3 and a swap of −1 are 7 of carry, written on the side that is held."""
    for side in (1, -1):
        book = Book(BTC)
        book.fill(side, 1, 1_000)
        for kind, units in ((FillKind.DIVIDEND, 5), (FillKind.DIVIDEND, 3), (FillKind.SWAP, -1)):
            book_payment(book.state.handle, 9, 1, 0, kind, 1_000, 7, units)
        assert book.positions[0]["carry"] == book.account[0]["carry"] == book.made == 7
        assert book.fills["side"].tolist() == [side] * 4


def test_a_lost_trip_is_counted_when_it_closes():
    """Bought at 10, half sold at 9: not yet. The rest, at second 7 in row 3: one loss, and the breaker trips there."""
    book = Book(BTC, limits=UNLIMITED.model_copy(update={"max_losing_streak": 1.0}))
    state = book.state.handle
    book.fill(1, 2, 100)
    book_fill(state, 6, 2, 1, 0, 0, -1, 0, 90, 1, 90, 0, 0)
    assert book.state.breakers["latches"] == 0
    book_fill(state, 7, 3, 1, 0, 0, -1, 0, 90, 1, 90, 0, 0)
    assert book.state.latches[0][["ts", "row"]].tolist() == (7, 3)


@pytest.mark.parametrize(
    ("table", "name", "value", "message"),
    [
        ("account", "cash", 1, "Cash is 1 units but the fills add up to 99950000"),
        ("positions", "lots", 3, "S0: a position is 3 lots but its fills add up to 1000"),
        ("positions", "cost", 3, "S0: a position cost 3 units but its fills say 100000000"),
    ],
)
def test_the_proof_says_what_does_not_add_up(table, name, value, message):
    """1 BTC for 1 USDT, whose fee of 0.05 % is 50,000 units: what stands there, and what the fills come to."""
    book = Book(BTC)
    book.fill(1, 1_000, 10, fee_rate=50_000)
    getattr(book.state, table)[name][0] = value
    with pytest.raises(LedgerError) as failed:
        book.prove()
    assert failed.value.message == message
    assert "report it" in failed.value.remedy


def test_the_proof_knows_of_an_order_that_left_its_life_cycle():
    """What kernels have marked by a 2 is no overflow."""
    book = Book(BTC)
    book.account["overflow"] = 2
    with pytest.raises(LedgerError, match=r"An order left its life cycle\. .*report it"):
        book.prove()


def test_the_proof_knows_what_to_do_about_an_overflow():
    """The message names the remedy."""
    book = Book(BTC)
    assert not book.fill(1, 10**12, 10**6)
    with pytest.raises(LedgerError) as failed:
        book.prove()
    assert str(failed.value).startswith("An amount does not fit 64 bits in the account's smallest unit")
    assert failed.value.remedy == "Trade smaller quantities or a coarser currency precision"
