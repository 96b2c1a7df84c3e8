"""Payments, splits and the end of contracts inside a run, reckoned by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import MINUTE, UNLIMITED, Done, done, fates, final_cash, flat, free, perpetual, play
from truewind.analytics.trades import round_trips
from truewind.backtest import tables
from truewind.domain.due import SWAP_SCALE, DueKind, due_rows, in_order
from truewind.domain.instrument import Kind
from truewind.domain.order import Reason, Status
from truewind.portfolio.ledger import postings
from truewind.portfolio.margin import MarginSettings

SHARE = perpetual("AAPL", tick="0.01", lot="1", kind=Kind.EQUITY, quote="USD", calendar="us_equities")
EURUSD = perpetual("EURUSD", tick="0.00001", lot="1000", kind=Kind.FX, quote="USD", calendar="fx")


def shares(bars, acts, *dues, **how):
    """A run on AAPL in dollars, which the ledger counts in cents."""
    return play({"AAPL": bars}, acts, instruments=[SHARE], currency="USD", dues={"AAPL": in_order(*dues)}, **how)


def paid(engine, kind):
    """(row, ledger units) of all payments of a kind."""
    money = engine.fills["realised"].tolist()
    return [(fill.row, amount) for fill, amount in zip(done(engine), money, strict=True) if fill.kind == kind]


def test_a_dividend_goes_to_who_held_the_evening_before():
    """0.24 on 100 shares is 24.00 for the long and of the short; who buys at the ex date's open has none of it."""
    dividend = due_rows(DueKind.DIVIDEND, 2 * MINUTE, 24, 1)
    for side, cents in ((1, 2400), (-1, -2400)):
        engine = shares([flat(50)] * 4, {0: lambda s, side=side: s.order(side, 100)}, dividend)
        assert paid(engine, "dividend") == [(2, cents)]
        assert final_cash(engine) == 1_000_000 + cents / 100
        assert engine.account().carry == cents / 100
    late = shares([flat(50)] * 4, {1: lambda s: s.buy(100)}, dividend)
    assert [fill.kind for fill in done(late)] == ["trade"]


def test_a_dividend_has_more_decimals_than_money():
    """0.0805 a share (805 units of a hundredth of a cent) on 33 shares is 2.6565: 266 cents."""
    engine = shares([flat(50)] * 4, {0: lambda s: s.buy(33)}, due_rows(DueKind.DIVIDEND, 2 * MINUTE, 805, 100))
    assert paid(engine, "dividend") == [(2, 266)]


def test_a_split_changes_the_holding_and_not_the_equity():
    """7 for 1, as Apple's in 2014: 10 at 700 are 70 at 100; nothing is made or lost, and the trade says 100 to 110."""
    bars = [flat(700), flat(700), flat(100), flat(110)]
    engine = shares(bars, {0: lambda s: s.buy(10), 2: lambda s: s.close()}, due_rows(DueKind.SPLIT, 2 * MINUTE, 7, 1))
    assert done(engine) == [
        Done(1, "trade", 1, 700.0, 10),
        Done(2, "split", 1, 100.0, 60),
        Done(3, "trade", -1, 110.0, 70),
    ]
    assert engine.equity.tolist() == [1_000_000, 1_000_000, 1_000_000, 1_000_700]
    (trade,) = trips(engine, 110.0).iter_rows(named=True)
    assert (trade["entry"], trade["exit"], trade["net_pnl"], trade["fills"]) == (100.0, 110.0, 700.0, 2)


def test_a_fraction_is_paid_out():
    """3 for 2 of 5 shares bought at 60: 7, and half a share at 40 is 20.00. It cost 300 / 15 = 20: nothing is made."""
    bars = [flat(60), flat(60), flat(40), flat(40)]
    for side in (1, -1):
        engine = shares(bars, {0: lambda s, side=side: s.order(side, 5)}, due_rows(DueKind.SPLIT, 2 * MINUTE, 3, 2))
        assert engine.state.positions[0]["lots"] == 7 * side
        assert engine.state.positions[0]["cost"] == 28_000 * side
        assert paid(engine, "split") == [(2, 0)]
        assert engine.equity.tolist() == [1_000_000] * 4
        (trade,) = trips(engine, 40.0).iter_rows(named=True)
        assert trade["net_pnl"] == pytest.approx(0.0, abs=1e-9)


def test_orders_are_split_with_the_holding():
    """FINRA 5330: a stop at 630 for 10 becomes one at 90 for 70; a market order on its way buys seven times as many."""
    bars = [flat(700), flat(700), (100, 100, 89, 95), flat(95)]
    acts = {0: lambda s: s.buy(10, stop_loss=630), 1: lambda s: s.buy(1)}
    engine = shares(bars, acts, due_rows(DueKind.SPLIT, 2 * MINUTE, 7, 1))
    assert done(engine)[1:] == [
        Done(2, "split", 1, 100.0, 60),
        Done(2, "trade", 1, 100.0, 7),
        Done(2, "trade", -1, 90.0, 70),
    ]


def test_a_reverse_split_withdraws_orders():
    """1 for 10: 25 at 2 are 2 at 20, and half a new share is 10.00; the stop is cancelled, and nothing protects."""
    bars = [flat(2), flat(2), flat(20), flat(10)]
    engine = shares(bars, {0: lambda s: s.buy(25, stop_loss=1.5)}, due_rows(DueKind.SPLIT, 2 * MINUTE, 1, 10))
    assert engine.state.positions[0]["lots"] == 2
    assert fates(engine)[2] == (Status.CANCELLED, Reason.CORPORATE_ACTION)
    assert final_cash(engine) == 1_000_000  # the half share brought what it cost


def test_a_split_reaches_orders_where_nothing_is_held():
    """A purchase limited to 630 waits through quiet bars; after the split it stands at 90 and fills there."""
    bars = [flat(700), flat(700), flat(100), flat(100), (100, 100, 85, 95)]
    engine = shares(bars, {0: lambda s: s.buy(1, limit=630)}, due_rows(DueKind.SPLIT, 2 * MINUTE, 7, 1))
    assert done(engine) == [Done(4, "trade", 1, 90.0, 7, True)]


def test_shorts_pay_for_what_they_borrow():
    """102 % of 30.10 is 30.702, 31 in whole dollars; on 100 shares at 5 % for 3 days 3100 · 0.05 · 3 / 360 = 1.29."""
    fee = due_rows(DueKind.BORROW, 2 * MINUTE, 5_000_000, 3, 3010)
    engine = shares([flat(30.10)] * 4, {0: lambda s: s.sell(100)}, fee)
    assert paid(engine, "borrow") == [(2, -129)]
    assert shares([flat(30.10)] * 4, {0: lambda s: s.buy(100)}, fee).account().carry == 0


def test_a_swap_is_paid_by_the_side_that_is_held():
    """−0.65 points of 0.00001 long, +0.2 short, over three nights: 100,000 pay 1.95 or receive 0.60 dollars."""
    night = due_rows(DueKind.SWAP, 2 * MINUTE, -195 * SWAP_SCALE // 100, 60 * SWAP_SCALE // 100)
    for side, cents in ((1, -195), (-1, 60)):
        how = {"instruments": [EURUSD], "currency": "USD", "dues": {"EURUSD": night}}
        engine = play({"EURUSD": [flat(1.1)] * 4}, {0: lambda s, side=side: s.order(side, 100_000)}, **how)
        assert paid(engine, "swap") == [(2, cents)]


def end(at, price, fee=0):
    """Dues of a dated future, traded to its last moment."""
    return {"BTCUSDT": due_rows(DueKind.SETTLEMENT, at, fee, 0, price)}


FUTURE = {"instruments": [perpetual(kind=Kind.FUTURE)]}


def test_a_contract_ends_with_its_settlement_price():
    """Bought 2 at 100, settled at 98.5 with 0.04 %: 3 lost, 0.0788 paid; the stop expires, later orders are refused."""
    acts = {0: lambda s: s.buy(2, stop_loss=50), 2: lambda s: s.buy(1)}
    engine = play([flat(100)] * 5, acts, dues=end(3 * MINUTE, 985, 40_000), **FUTURE)
    assert done(engine) == [Done(1, "trade", 1, 100.0, 2000), Done(2, "settlement", -1, 98.5, 2000)]
    assert final_cash(engine) == pytest.approx(1_000_000 - 3 - 0.0788)
    assert fates(engine)[2] == (Status.EXPIRED, Reason.CLOSED)
    assert fates(engine)[3] == (Status.DENIED, Reason.CLOSED)
    assert engine.equity[2] == engine.equity[4] == final_cash(engine)


def test_what_still_works_expires_even_where_nothing_is_held():
    """A limit far from the market, through quiet bars."""
    engine = play([flat(100)] * 5, {0: lambda s: s.buy(1, limit=50)}, dues=end(3 * MINUTE, 1000), **FUTURE)
    assert fates(engine)[1] == (Status.EXPIRED, Reason.CLOSED)
    assert done(engine) == []


def test_a_contract_may_end_inside_a_bar():
    """What fills at the bar's open is settled; the bar's own range comes after the end."""
    bars = [flat(100), flat(100), (40, 120, 30, 110)]
    acts = {0: lambda s: s.sell(1, limit=110), 1: lambda s: s.buy(1)}
    engine = play(bars, acts, dues=end(2 * MINUTE + 1, 1000), **FUTURE)
    assert done(engine) == [Done(2, "trade", 1, 40.0, 1000), Done(2, "settlement", -1, 100.0, 1000)]


def test_a_delisted_perpetual_may_only_be_reduced_in_its_last_half_hour():
    """Bars of ten minutes, the end at 01:00: from 00:30 on purchases are refused, sales that reduce are not."""
    acts = {0: lambda s: s.buy(2), 1: lambda s: s.buy(1), 2: lambda s: s.buy(1), 3: lambda s: s.sell(1)}
    engine = play([flat(100)] * 6, acts, step=10 * MINUTE, dues=end(60 * MINUTE, 990))
    fills = [(fill.kind, fill.lots * fill.side) for fill in done(engine)]
    assert fills == [("trade", 2000), ("trade", 1000), ("trade", -1000), ("settlement", -2000)]
    assert fates(engine)[3] == (Status.DENIED, Reason.CLOSE_ONLY)


def test_both_sides_of_a_hedge_are_settled():
    """Long 2 and short 1 at 100, settled at 90: 20 lost, 10 made."""
    hedge = MarginSettings(liquidation_fee=0.0, partial=False, position_mode="hedge")
    acts = {0: lambda s: (s.buy(2), s.sell(1))}
    engine = play([flat(100)] * 4, acts, dues=end(3 * MINUTE, 900), margin=hedge, **FUTURE)
    assert final_cash(engine) == 1_000_000 - 10
    assert (engine.state.positions["lots"] == 0).all()


def test_funding_is_paid_before_the_end():
    """Both at the same moment: 0.1 % of 100."""
    funding = {"BTCUSDT": [(3 * MINUTE, 0.001, 100.0)]}
    engine = play([flat(100)] * 4, {0: lambda s: s.buy(1)}, dues=end(3 * MINUTE, 1000), funding=funding, **FUTURE)
    assert [fill.kind for fill in done(engine)] == ["trade", "funding", "settlement"]
    assert final_cash(engine) == 1_000_000 - 0.1


def trips(engine, last):
    units = tables.Units(engine.instruments, engine.state.instruments, engine.state.scale)
    fills = tables.fills_table(engine.fills, units)
    return round_trips(fills, tables.orders_table(engine.events, units), {engine.symbols[0]: last})


DUES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 11), st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8
)


@given(DUES, st.lists(st.tuples(st.integers(0, 10), st.sampled_from([-1, 1]), st.integers(1, 30)), max_size=8))
def test_whatever_falls_due_the_books_balance(dues, trades):
    """Each row of the ledger sums to zero, the parts add up to the wallet, and the trades to the change of equity."""
    acts = {}
    for row, side, lots in trades:
        acts.setdefault(row, []).append((side, lots))
    rows = [due_rows(kind, at * MINUTE, amount, other, 1000 * (at % 2)) for kind, at, amount, other in dues]
    does = {row: lambda s, todo=todo: [s.order(*one) for one in todo] for row, todo in acts.items()}
    bars = [flat(10 + i % 3) for i in range(12)]
    costs = free(taker_fee=0.001)
    engine = shares(bars, does, *rows, costs=costs, cash=1e6, limits=UNLIMITED)  # which proves its books at the end
    sums = postings(engine.fills, engine.state.instruments).group_by("fill").agg(pl.col("amount").sum())
    assert (sums["amount"] == 0).all()
    money = engine.state.account[0]
    parts = money["realised"] - money["fees"] + money["funding"] + money["carry"]
    assert money["cash"] == money["initial"] + parts
    made = trips(engine, bars[-1][3])["net_pnl"].sum()
    assert made == pytest.approx(engine.equity[-1] - 1e6, abs=1e-6)
    assert np.isfinite(engine.equity).all()
