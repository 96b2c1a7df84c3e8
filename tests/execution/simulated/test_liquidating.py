"""Liquidation in a run: published accounts come to their published prices, and every unit of money is accounted for.

Sources, by the name used below:
FAQ-LP    Binance, How to Calculate Liquidation Price of USDⓈ-M Futures Contracts (b3c689c1f50a44cabb3a84e663b81d93)
FAQ-AVOID Binance, How to avoid liquidation (25edcd7fe0e544839d0847b8cbb2e400)
FORUM-CM  dev.binance.vision, topic 6292: what Binance's own COIN-M calculator shows
"""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts import inverse, linear
from scripted import MINUTE, Done, build, done, fates, final_cash, flat, free, perpetual, play
from truewind.domain.fill import FillKind
from truewind.domain.order import Reason, Status
from truewind.domain.terms import Tier, TierTable
from truewind.execution.simulated.liquidating import danger_ahead, in_danger, liquidate
from truewind.portfolio.ledger import postings
from truewind.portfolio.margin import MarginSettings

UNIT = 100_000_000


def tiers(*lines, since_us=0):
    """A TierTable of (cap, rate, leverage) lines."""
    return TierTable(since_us, [Tier(Decimal(cap), Decimal(rate), leverage) for cap, rate, leverage in lines])


# FAQ-LP: 2.5 % less 16,300 at the position in BTC, 10 % less 135,365 at that in ETH. The leverage column plays no part.
BTCUSDT = tiers((50_000, "0.004", 125), (250_000, "0.005", 125), (1_000_000, "0.01", 125), (10_000_000, "0.025", 125))
ETHUSDT = tiers(
    (10_000, "0.005", 125), (100_000, "0.0065", 125), (500_000, "0.01", 125), (1_000_000, "0.02", 125),
    (2_000_000, "0.05", 125), (5_000_000, "0.1", 125), (10_000_000, "0.125", 125),
)  # fmt: skip


def margin(instruments, *tables, leverage=20.0, **settings):
    by_id = {instrument.id: [table] for instrument, table in zip(instruments, tables, strict=True)}
    return MarginSettings(tiers="venue", **settings).terms(instruments, by_id, leverage)


def two_contracts(low):
    """The account of FAQ-LP: both opened at their entries, then marked as printed, then BTC falls to `low`."""
    btc, eth = linear("BTCUSDT"), linear("ETHUSDT")
    bars = {
        "BTCUSDT": [flat(32481.98), flat(32481.98), flat(31967.27), (31967.27, 31967.27, low, 31967.27)],
        "ETHUSDT": [flat(1456.84), flat(1456.84), flat(1335.18), flat(1335.18)],
    }
    return play(
        bars, {1: lambda s: (s.buy(109.488, symbol="BTCUSDT"), s.buy(3683.979, symbol="ETHUSDT"))},
        instruments=[btc, eth], cash=1_535_443.01, margin=margin([btc, eth], BTCUSDT, ETHUSDT, partial=False),
        gate_leverage=1e6,
    )  # fmt: skip


def test_two_contracts_in_one_wallet_are_liquidated_where_binance_says():
    """FAQ-LP: with ETH at 1,335.18, BTC at 26,316.89 uses the margin up, and not a tick above it."""
    assert [fill.kind for fill in done(two_contracts(26316.90))] == ["trade", "trade"]
    taken = done(two_contracts(26316.89))[2]
    assert (taken.kind, taken.price, taken.lots) == ("liquidation", 26316.89, 109_488)


def isolated(bars, act, cash=10_000.0, leverage=2.0, partial=False, **how):
    btc = linear("BTCUSDT")
    terms = margin([btc], BTCUSDT, leverage=leverage, mode="isolated", partial=partial)
    return play(bars, act, instruments=[btc], cash=cash, margin=terms, leverage=leverage, gate_leverage=1e6, **how)


def test_an_isolated_position_risks_its_own_wallet_only():
    """FAQ-AVOID: 0.02 BTC bought at 50,000 with 500 USDT of margin go at 25,100.40; the other 9,500 are untouched.

    The loss of 497.992 leaves 2.008 of the 500, which the fee of 1.25 % of 502.008 takes whole.
    """
    fall = [flat(50_000), flat(50_000), (50_000, 50_000, 25_100.41, 30_000), (30_000, 30_000, 20_000, 20_000), flat(1)]
    engine = isolated(fall, {0: lambda s: s.buy(0.02)})
    assert done(engine) == [Done(1, "trade", 1, 50_000.0, 20), Done(3, "liquidation", -1, 25_100.40, 20)]
    assert engine.fills["fee"].tolist() == [0, round(2.008 * UNIT)]
    assert final_cash(engine) == 9_500.0


def test_what_is_closed_of_an_isolated_position_frees_its_share_of_the_margin():
    """Half of 0.02 BTC sold again: 250 of the 500 stay with the rest, whose liquidation price is the same."""
    fall = [flat(50_000)] * 4 + [(50_000, 50_000, 25_100.41, 30_000), (30_000, 30_000, 20_000, 20_000)]
    engine = isolated(fall, {0: lambda s: s.buy(0.02), 1: lambda s: s.sell(0.01)})
    assert done(engine)[2] == Done(5, "liquidation", -1, 25_100.40, 10)
    assert final_cash(engine) == 9_750.0


def test_a_gap_through_an_isolated_wallet_is_paid_by_the_insurance_fund():
    """Opened at 20,000: 600 of 500 are lost, the fund pays 100, the rest of the account nothing."""
    engine = isolated([flat(50_000), flat(50_000), flat(20_000), flat(20_000)], {0: lambda s: s.buy(0.02)})
    assert [fill.kind for fill in done(engine)] == ["trade", "liquidation", "insurance"]
    assert engine.fills["realised"].tolist() == [0, -600 * UNIT, 100 * UNIT]
    assert final_cash(engine) == 9_500.0


def test_isolated_margin_must_be_free():
    """With 10,000 and leverage 2, 0.3 BTC at 50,000 take 7,500; another 0.2 want 5,000, and 2,500 are there."""
    engine = isolated([flat(50_000)] * 5, {0: lambda s: s.buy(0.3), 2: lambda s: s.buy(0.2)})
    assert fates(engine)[2] == (Status.REJECTED, Reason.INSUFFICIENT_BALANCE)


STEPS = tiers((1_000, "0.01", 125), (2_000, "0.02", 50), (1_000_000, "0.05", 20))


def test_liquidation_goes_down_tier_by_tier():
    """30 at 100 with 200, maintenance 5 % less 70 (10 from the second tier, 60 from the third), fee 1 %.

    200 + 30(x − 100) = 1.5x − 70 at x = 2730/28.5 = 95.789…: sold at 95.7 down to the cap of 2,000 at the mark,
    2000/95.789… = 20.879… held, so 9.121 sold; fee 8.728797. Left: 200 − 9.121·4.3 − 8.728797 = 152.050903 and
    20.879: equity 152.05 − 20.879·4.2105 = 64.139 against 2 % of 2,000 less 10 = 30: safe, until
    152.050903 + 20.879(x − 100) = 0.41758x − 10 at x = 1925.849097/20.46142 = 94.120988…: down to 1,000 at 94.0 …
    """
    coin = perpetual("AAAUSDT")
    bars = [flat(100), flat(100), (100, 100, 95.5, 95.5), (95.5, 95.5, 94.2, 95), (95, 95, 94.0, 95), flat(95)]
    engine = play(
        {"AAAUSDT": bars}, {0: lambda s: s.buy(30)}, instruments=[coin], cash=200.0, leverage=15.0, gate_leverage=1e6,
        margin=margin([coin], STEPS, leverage=15.0, liquidation_fee=0.01),
    )  # fmt: skip
    first, second = done(engine)[1:]
    assert first == Done(2, "liquidation", -1, 95.7, 9_121)
    assert engine.fills["fee"][1] == 872_879_700
    left = 1_000 / (1925.849097 / 20.46142)  # in the lowest tier
    assert second == Done(4, "liquidation", -1, 94.1, 20_879 - int(left * 1000))


def test_both_sides_of_a_symbol_are_held_in_hedge_mode():
    """Long 2 and short 1 at 100 stand side by side; what reduces takes from its own side; funding is each one's."""
    hedge = MarginSettings(position_mode="hedge", liquidation_fee=0.0)
    seen = {}

    def look(s):
        desk = s.desk
        seen["long"], seen["short"] = desk.position("BTCUSDT", 1), desk.position("BTCUSDT", -1)

    engine = play(
        [flat(100), flat(100), flat(110), flat(110), flat(110), flat(110)],
        {0: lambda s: (s.buy(2), s.sell(1)), 2: look, 3: lambda s: s.sell(5, reduce_only=True)},
        margin=hedge, funding={"BTCUSDT": [(3 * MINUTE, 0.01, 110.0)]},
    )  # fmt: skip
    assert (seen["long"].quantity, seen["long"].entry) == (2.0, 100.0)
    assert (seen["short"].quantity, seen["short"].entry) == (-1.0, 100.0)
    assert done(engine)[-1] == Done(4, "trade", -1, 110.0, 2_000)  # not 5: there were 2 to take off
    fills = engine.fills
    paid = fills["realised"][fills["kind"] == 1].tolist()
    assert paid == [-220_000_000, 110_000_000]  # 2.20 paid by the long, 1.10 received by the short
    assert engine.state.positions["lots"].tolist() == [0, -1_000]
    assert final_cash(engine) == 1_000_000 + 20 - 2.2 + 1.1
    assert engine.equity[-1] == 1_000_000 + 20 - 2.2 + 1.1 - 10


def test_a_hedged_account_goes_where_both_sides_together_use_it_up():
    """Long 2, short 1 with 50: 50 + (x − 100) = 0.015x at x = 50/0.985 = 50.76…; the side that loses is taken."""
    engine = play(
        [flat(100), flat(100), (100, 100, 50.8, 51), (51, 51, 50.7, 50.7), flat(50.7)],
        {0: lambda s: (s.buy(2), s.sell(1))},
        margin=MarginSettings(position_mode="hedge", liquidation_fee=0.0), cash=50.0, gate_leverage=1e6,
    )  # fmt: skip
    assert done(engine)[2] == Done(3, "liquidation", -1, 50.7, 2_000)
    assert engine.state.positions["lots"].tolist() == [0, -1_000]


def coin(bars, act, cash, **how):
    perp = inverse("100")
    settings = {"margin": MarginSettings(partial=False, maintenance_rate=0.005), "gate_leverage": 1e6} | how
    return play({perp.symbol: bars}, act, instruments=[perp], cash=cash, currency="BTC", **settings)


def test_an_inverse_contract_pays_in_coins():
    """1,000 contracts of 100 dollars from 10,000 to 12,500: 100,000 (1/10,000 − 1/12,500) = 2 BTC, lost if short."""
    rise = [flat(10_000), flat(10_000), flat(12_500), flat(12_500)]
    long = coin(rise, {0: lambda s: s.buy(1_000), 2: lambda s: s.close()}, 10.0)
    assert final_cash(long) == 12.0
    assert long.equity.tolist() == [10.0, 10.0, 12.0, 12.0]
    short = coin(rise, {0: lambda s: s.sell(1_000), 2: lambda s: s.close()}, 10.0)
    assert final_cash(short) == 8.0


def test_an_inverse_long_is_liquidated_where_its_coins_are_used_up():
    """10 contracts at 10,000 with 0.05 BTC: 0.05 + 1000/10000 − 1000u = 0.005·1000u at u = 0.15/1005: x = 6,700."""
    fall = [flat(10_000), flat(10_000), (10_000, 10_000, 6_700.1, 8_000), (8_000, 8_000, 6_700, 8_000), flat(8_000)]
    engine = coin(fall, {0: lambda s: s.buy(10)}, 0.05)
    assert done(engine)[1] == Done(3, "liquidation", -1, 6_700.0, 10)


def test_liquidation_looks_at_the_mark_price():
    """The last price falls through 90.452… twice; only where the mark does, too, is anything sold.

    It is sold at a price that traded: the mark of 90.45 lies below the bar's low of 91.
    """
    bars = [flat(100), flat(100), (100, 100, 50, 100), (95, 100, 91, 95), flat(95)]
    marks = [flat(100), flat(100), flat(100), (100, 100, 90, 95), flat(95)]
    engine = play(bars, {0: lambda s: s.buy(10)}, cash=100.0, gate_leverage=1e6, marks=marks)
    assert done(engine) == [Done(1, "trade", 1, 100.0, 10_000), Done(3, "liquidation", -1, 91.0, 10_000)]


def test_equity_is_reckoned_at_the_mark_price():
    """10 bought at 100: worth 1,000 more or less by the mark, whatever trades."""
    marks = [flat(100), flat(100), flat(101), flat(99.5)]
    engine = play([flat(100)] * 4, {0: lambda s: s.buy(10)}, cash=1_000.0, marks=marks)
    assert engine.equity.tolist() == [1_000.0, 1_000.0, 1_010.0, 995.0]


def test_a_changed_tier_table_holds_from_its_day():
    """10 at 100 with 100: 0.5 % is enough at 95; from minute 4 on the table says 6 %, and 100 − 50 < 57."""
    coin = perpetual("AAAUSDT")
    tables = [tiers((10**9, "0.005", 20)), tiers((10**9, "0.06", 10), since_us=4 * MINUTE)]
    terms = MarginSettings(tiers="venue", liquidation_fee=0.0).terms([coin], {coin.id: tables}, 10.0)
    engine = play(
        {"AAAUSDT": [flat(100), flat(100), flat(95), flat(95), flat(95), flat(95)]}, {0: lambda s: s.buy(10)},
        instruments=[coin], cash=100.0, margin=terms, leverage=10.0, gate_leverage=1e6,
    )  # fmt: skip
    assert [(fill.row, fill.kind) for fill in done(engine)] == [(1, "trade"), (3, "liquidation")]


def test_leverage_above_the_tier_is_refused_by_the_venue():
    """20× is allowed up to 1,000 USDT only: 10 at 100 pass, 1 more does not."""
    coin = perpetual("AAAUSDT")
    table = tiers((1_000, "0.01", 20), (10_000, "0.02", 10))
    engine = play(
        {"AAAUSDT": [flat(100)] * 6}, {0: lambda s: s.buy(10), 2: lambda s: s.buy(1)}, instruments=[coin],
        margin=margin([coin], table),
    )  # fmt: skip
    assert [fates(engine)[n] for n in (1, 2)] == [
        (Status.FILLED, Reason.NONE), (Status.REJECTED, Reason.LEVERAGE_LIMIT)
    ]  # fmt: skip


@given(
    st.integers(0, 10**6), st.sampled_from(["cross", "isolated"]), st.sampled_from(["one_way", "hedge"]), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_no_liquidated_account_owes_anything_and_the_books_always_balance(seed, mode, position_mode, partial, coins):
    """Wild prices, much leverage, random orders: the wallet never ends below zero, and every fill sums to zero."""
    random = np.random.default_rng(seed)
    paths = 100 * np.exp(np.cumsum(random.normal(0, 0.1, (2, 40)), axis=1))
    bars = {}
    for name, path in zip(("AAA", "BBB"), np.round(paths, 1) + 0.1, strict=True):
        reach = np.round(path * random.uniform(0, 0.2, len(path)), 1)
        bars[name] = [(c, c + r, max(0.1, c - r), c) for c, r in zip(path, reach, strict=True)]
    kind = {"quote": "USD", "settle": "USDT", "base": "USDT"} if coins else {}
    listed = [perpetual(name, lot="1", **kind) for name in bars]
    table = tiers((1_000, "0.01", 20), (5_000, "0.03", 20), (10**7, "0.06", 20))

    def act(s):
        for symbol in s.desk.symbols:
            lots = int(random.integers(1, 60)) * (100 if coins else 1)
            s.order(int(random.choice([-1, 1])), lots, symbol=symbol, reduce_only=bool(random.random() < 0.3))

    settings = {"mode": mode, "position_mode": position_mode, "partial": partial}
    engine = play(
        bars, dict.fromkeys(range(2, 60, 3), act), instruments=listed, cash=1_000.0, gate_leverage=1e6,
        costs=free(taker_fee=0.0005, half_spread_bps=5.0), margin=margin(listed, table, table, **settings),
    )  # fmt: skip
    fills, account = engine.fills, engine.state.account[0]
    sums = postings(fills, engine.state.instruments).group_by("fill").agg(pl.col("amount").sum())
    assert (sums["amount"] == 0).all()
    held = engine.state.positions["lots"] != 0
    if not held.any():
        assert account["cash"] >= 0
    wallets = engine.state.positions["wallet"]
    if mode == "isolated":
        assert (wallets >= 0).all()
        assert (wallets[~held] == 0).all()
        assert account["cash"] - wallets.sum() >= -account["fees"]
    else:
        assert (wallets == -1).all()


TABLE = ((1_000, 1), (2_000, 2), (10**6, 5))  # USDT, per cent


def maintenance(notional):
    """Each slice at the rate of its own tier."""
    owed, floor = Fraction(0), 0
    for cap, percent in TABLE:
        owed += max(0, min(notional, cap) - floor) * Fraction(percent, 100)
        floor = cap
    return owed


class Accounts:
    """AAA and BBB, one lot one coin, entered at 100: what is held is set by hand, and reckoned in fractions."""

    def __init__(self, held, wallets, cash, *, hedge=False, fee=Fraction(1, 100), partial=True, **how):
        coins = [perpetual("AAAUSDT", lot="1"), perpetual("BBBUSDT", lot="1")]
        table = tiers(*((cap, str(Decimal(percent) / 100), 125) for cap, percent in TABLE))
        terms = margin(
            coins, table, table, liquidation_fee=float(fee), partial=partial,
            position_mode="hedge" if hedge else "one_way",
        )  # fmt: skip
        bars = {coin.symbol: [flat(100), (100, 10_000, 0.1, 100), flat(100)] for coin in coins}
        self.state = build(bars, {}, instruments=coins, cash=float(cash), margin=terms, **how).state
        self.held, self.wallets, self.cash, self.fee = held, wallets, cash, fee
        for position, lots, wallet in zip(self.state.positions, held, wallets, strict=True):
            position["lots"], position["cost"] = lots, lots * 100 * UNIT
            position["wallet"] = -1 if wallet < 0 else wallet * UNIT
            position["mark"] = 100.0

    def spare(self, leg, mark, sold=0):
        """Equity less maintenance of the wallet of `leg`, its symbol at `mark`, where `sold` lots of it have gone."""
        legs = [leg] if self.wallets[leg] >= 0 else [i for i, wallet in enumerate(self.wallets) if wallet < 0]
        rest = self.wallets[leg] if self.wallets[leg] >= 0 else self.cash - sum(max(0, w) for w in self.wallets)
        for i in legs:
            price = mark if i % 2 == leg % 2 else 100
            left = abs(self.held[i]) - (sold if i == leg else 0)
            rest += self.held[i] * (price - 100) - maintenance(left * price)
        return rest - self.fee * sold * mark

    def reaches(self, leg, marks):
        """The first of these marks at which the wallet of `leg` has no more than its maintenance margin."""
        return next((mark for mark in marks if self.spare(leg, mark) <= 0), None)


MARKS = st.integers(500, 1_500).map(lambda ticks: Fraction(ticks, 10))
LOTS = st.integers(-60, 60)


@given(
    st.integers(1, 60), st.sampled_from([-1, 1]), LOTS, st.integers(1, 500), st.integers(-100, 300), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_what_a_liquidation_takes_and_what_it_costs(lots, side, other, moved, more, alone, partial):
    """The fewest lots that restore the margin, and at least those down to the next lower tier; the fee that is left,
    and the insurance fund for the rest; but an account that still holds something pays in full. All reckoned anew.
    """
    lots, mark = side * lots, 100 - side * Fraction(moved, 10)
    money = max(1, int(abs(lots) * Fraction(moved, 10)) + more)  # near to what has been lost
    deposit = 2 * money if alone else money
    books = Accounts([lots, other], [money if alone else -1, -1], deposit, partial=partial)
    spare = [books.spare(0, mark, sold) for sold in range(abs(lots) + 1)]
    assume(all(abs(one) > Fraction(1, 10**6) for one in spare))
    enough = next((sold for sold, one in enumerate(spare[:-1]) if one > 0), abs(lots))
    floor = max((cap for cap, _ in TABLE[:-1] if cap < abs(lots) * mark), default=0)
    taken = max(1, enough, abs(lots) - int(floor / mark)) if partial else abs(lots)
    liquidate(books.state.handle, 0, float(mark), 7, 2)  # of AAA's second bar
    account, position = books.state.account[0], books.state.positions[0]
    fill = books.state.fills[0]
    gained, fee = side * taken * (mark - 100), books.fee * taken * mark
    assert (fill["lots"], fill["side"], fill["price"]) == (taken, -side, mark * 10)
    assert (fill["ts"], fill["row"], fill["kind"], fill["realised"]) == (7, 2, FillKind.LIQUIDATION, gained * UNIT)
    assert (fill["order"], fill["slippage"], fill["leg"], fill["maker"], fill["tag"]) == (0, 0, 0, 0, 0)
    balance = money + gained
    still = not alone and (other != 0 or taken < abs(lots))
    charged = fee if still else min(fee, max(0, balance))
    paid = 0 if still else max(0, -balance)
    assert fill["fee"] == charged * UNIT
    assert account["cash"] == (deposit + gained - charged + paid) * UNIT
    assert account["fills"] == 1 + (paid > 0)
    assert books.state.positions["fees"].tolist() == [charged * UNIT, 0]
    if paid > 0:
        insured = books.state.fills[1]
        assert (insured["kind"], insured["realised"], insured["notional"]) == (FillKind.INSURANCE, paid * UNIT, 0)
        assert (insured["ts"], insured["row"], insured["leg"], insured["price"]) == (7, 2, 0, mark * 10)
    assert position["lots"] == lots - side * taken
    if alone:
        assert position["wallet"] == (max(0, balance - fee) * UNIT if position["lots"] else 0)


@given(
    st.lists(LOTS, min_size=4, max_size=4), st.lists(st.sampled_from([-1, 0, 50, 200]), min_size=4, max_size=4),
    st.integers(1, 2_000), st.integers(0, 1), MARKS, st.integers(1, 400), st.integers(1, 400),
)  # fmt: skip
def test_who_is_liquidated_first_and_where(held, wallets, money, symbol, opening, above, below):
    """The wallets reckoned anew at every tick of the bar: the leg that comes to its margin nearest to the open."""
    held = [abs(held[0]), abs(held[1]), -abs(held[2]), -abs(held[3])]
    books = Accounts(held, wallets, money + sum(max(0, wallet) for wallet in wallets), hedge=True)
    high, low = opening + Fraction(above, 10), opening - Fraction(below, 10)
    state, found = books.state.handle, {}
    for leg in (symbol, symbol + 2):
        if held[leg]:
            step = -1 if held[leg] > 0 else 1
            found[leg] = books.reaches(
                leg, [opening + Fraction(step * i, 10) for i in range(below if step < 0 else above)]
            )
    ends = [(leg, books.spare(leg, at)) for leg in found for at in (opening, high, low)]
    assume(all(abs(one) > Fraction(1, 10**3) for _, one in ends))
    for at in (opening, high, low):
        assert in_danger(state, symbol, float(at)) == any(books.spare(leg, at) < 0 for leg in found)
    assert (books.state.positions["mark"] == 100.0).all()
    first, mark = danger_ahead(state, symbol, float(opening), float(high), float(low))
    near = {leg: at for leg, at in found.items() if at is not None}
    if not near:
        assert first == -1 or books.spare(first, Fraction(mark)) < Fraction(1, 10)
        return
    assert first in near
    assert abs(near[first] - opening) == min(abs(at - opening) for at in near.values())
    assert abs(mark - near[first]) <= 0.1 + 1e-9


@pytest.mark.parametrize(("lots", "end"), [(1, Fraction(90, 1) / Fraction(99, 100)), (-1, 110 / Fraction(101, 100))])
@pytest.mark.parametrize("wallet", [-1, 10])
def test_a_single_lot_is_liquidated_too(lots, end, wallet):
    """1 at 100 with 10: 10 ± (x − 100) = 0.01 x at 90.909…, or short at 108.910…"""
    state = Accounts([lots, 0], [wallet, -1], 10).state.handle
    for beyond, first in ((-0.001, -1), (0.001, 0)):
        at = float(end) - lots * beyond
        assert in_danger(state, 0, at) == (first == 0)
        leg, mark = danger_ahead(state, 0, 100.0, max(100.0, at), min(100.0, at))
        assert leg == first
    assert mark == pytest.approx(float(end))


@pytest.mark.parametrize("wallet", [-1, 10])
@pytest.mark.parametrize("side", [-1, 1])
def test_what_is_left_must_be_more_than_the_maintenance_margin(side, wallet):
    """10 at 100, maintenance 1 % of 1,000: 10 left are not enough, a cent more is."""
    for more, first in ((0, 0), (Decimal("0.01"), -1)):
        books = Accounts([10 * side, 0], [wallet, -1], 10 + more)
        if wallet > 0:
            books.state.positions[0]["wallet"] = (wallet + more) * UNIT
        assert in_danger(books.state.handle, 0, 100.0) == (first == 0)
        assert danger_ahead(books.state.handle, 0, 100.0, 100.0, 100.0)[0] == first


def test_the_wallet_of_others_is_no_danger():
    """AAA lies in a wallet of its own, with plenty; that BBB is to be taken away does not matter to it."""
    state = Accounts([1, 60], [50, -1], 51).state.handle
    assert not in_danger(state, 0, 100.0)
    assert in_danger(state, 1, 100.0)


def test_an_account_that_no_price_can_save_is_liquidated_at_the_open():
    """Long and short 1 AAA: whatever its price, 60 BBB with 51 are beyond their margin of 270."""
    state = Accounts([1, 60, -1, 0], [-1, -1, -1, -1], 51, hedge=True).state.handle
    leg, mark = danger_ahead(state, 0, 104.0, 120.0, 90.0)
    assert leg in (0, 2)
    assert mark == 104.0


@pytest.mark.parametrize("mode", ["cross", "isolated"])
def test_orders_of_the_wallet_are_withdrawn(mode):
    """10 AAA at 100 with 100 go at 90.45…: the orders in AAA with them, those in BBB where they share the wallet."""
    coins = [perpetual("AAAUSDT"), perpetual("BBBUSDT")]
    terms = MarginSettings(mode=mode, liquidation_fee=0.0, partial=False, maintenance_rate=0.005)
    act = {1: lambda s: [s.buy(10, symbol="AAAUSDT"), *(s.buy(1, symbol=c.symbol, limit=20) for c in coins)]}
    bars = {"AAAUSDT": [flat(100), flat(100), flat(90), flat(90)], "BBBUSDT": [flat(100)] * 4}
    engine = play(bars, act, instruments=coins, cash=100.0, margin=terms, leverage=10.0, gate_leverage=1e6)
    assert [fill.kind for fill in done(engine)][:2] == ["trade", "liquidation"]
    withdrawn = (Status.CANCELLED, Reason.LIQUIDATION)
    assert fates(engine)[2] == withdrawn
    assert (fates(engine)[3] == withdrawn) == (mode == "cross")
    event = next(event for event in engine.events if event["order"] == 2 and event["reason"] == Reason.LIQUIDATION)
    assert (event["row"], event["ts"]) == (4, 2 * MINUTE)


def test_slippage_of_a_liquidation():
    """Opened at 50, 1 % of half spread: 10 go at 49.5, a loss of 505 on 100; the fund pays 405, and there is no fee."""
    terms = MarginSettings(liquidation_fee=0.01, partial=False)
    engine = play(
        [flat(100), flat(100), flat(50), flat(50)], {0: lambda s: s.buy(10)}, cash=110.0, margin=terms,
        gate_leverage=1e6, costs=free(half_spread_bps=100.0),
    )  # fmt: skip
    assert done(engine)[1:3] == [Done(2, "liquidation", -1, 49.5, 10_000), Done(2, "insurance", -1, 49.5, 0)]
    assert engine.fills["slippage"][1] == 5 * UNIT
    assert engine.fills["realised"][1:].tolist() == [-515 * UNIT, 405 * UNIT]
    assert final_cash(engine) == 0.0


@pytest.mark.parametrize(("cash", "collateral"), [(213, 0), (13, 200)])
def test_slippage_counts_when_it_is_reckoned_how_much_must_go(cash, collateral):
    """20 at 100 with 213, marked at 90: equity 13 against 10 + 2 % of 800. Sold at 89.5 (50 bps, up to a tick) each
    costs half a dollar: 12 leave 7.0 against 1 % of 720, 13 leave 6.5 against 6.3."""
    books = Accounts([20, 0], [-1, -1], cash, fee=Fraction(0), costs=free(half_spread_bps=50.0))
    books.state.account[0]["collateral"] = collateral * UNIT
    liquidate(books.state.handle, 0, 90.0, 7, 2)
    fill = books.state.fills[0]
    assert (fill["lots"], fill["price"], fill["slippage"]) == (13, 895, 13 * UNIT // 2)


def test_the_balance_that_a_fee_is_taken_from_is_that_of_all_assets():
    """10 at 100 with 5 in cash and 100 beside it: at 90 5 are left, all of the fee of 9 that there is."""
    books = Accounts([10, 0], [-1, -1], 5, partial=False)
    books.state.account[0]["collateral"] = 100 * UNIT
    liquidate(books.state.handle, 0, 90.0, 7, 2)
    assert books.state.fills["fee"][0] == 5 * UNIT
    assert books.state.account[0]["fills"] == 1
    assert books.state.account[0]["cash"] == -100 * UNIT


@pytest.mark.parametrize("side", [-1, 1])
def test_a_liquidation_of_one_lot_goes_the_other_way(side):
    """A long one is sold, a short one bought."""
    books = Accounts([side, 0], [-1, -1], 5)
    liquidate(books.state.handle, 0, 100.0, 7, 2)
    assert (books.state.fills["side"][0], books.state.positions["lots"][0]) == (-side, 0)


def test_nothing_is_sold_below_the_first_tick():
    """Bought at 100, worth 0.1 at the next open, a spread of 1 %: sold at 0.1, the fund pays the rest."""
    bars = [flat(100), flat(100), flat(0.1), flat(0.1)]
    engine = play(bars, {0: lambda s: s.buy(1)}, cash=50.0, gate_leverage=1e6, costs=free(half_spread_bps=100.0))
    assert done(engine)[1] == Done(2, "liquidation", -1, 0.1, 1_000)
    assert final_cash(engine) == 0.0


def test_what_the_open_has_used_up_is_gone_before_an_order_that_arrives_there():
    """Opened at 80 and back at 100 by its end: the close that was sent before comes too late."""
    bars = [flat(100), flat(100), (80, 100, 80, 100), flat(100)]
    engine = play(bars, {0: lambda s: s.buy(10), 1: lambda s: s.close()}, cash=100.0, gate_leverage=1e6)
    assert [(fill.row, fill.kind, fill.price) for fill in done(engine)][1] == (2, "liquidation", 80.0)
    assert fates(engine)[2] == (Status.CANCELLED, Reason.LIQUIDATION)


def test_an_account_under_water_loses_both_its_sides_at_the_open():
    """3 long, 2 short, 30: at 60 the long side leaves −90, the short side 80 less; the fund pays 10."""
    engine = play(
        [flat(100), flat(100), (60, 100, 60, 100), flat(100)], {0: lambda s: (s.buy(3), s.sell(2))},
        margin=MarginSettings(position_mode="hedge", liquidation_fee=0.0, partial=False), cash=30.0, gate_leverage=1e6,
    )  # fmt: skip
    assert [(fill.row, fill.kind, fill.side, fill.price, fill.lots) for fill in done(engine)[2:4]] == [
        (2, "liquidation", -1, 60.0, 3_000), (2, "liquidation", 1, 60.0, 2_000)
    ]  # fmt: skip
    assert done(engine)[4].kind == "insurance"
    assert engine.fills["realised"][4] == 10 * UNIT
    assert final_cash(engine) == 0.0
