"""Margin: properties that hold whatever is held. Published numbers are in tests/answers."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts import UNIT, Book, inverse, linear, table
from truewind.domain.filters import Filters
from truewind.domain.instrument import INSTRUMENT, Instrument, Kind
from truewind.domain.terms import FEE, Tier, TierTable
from truewind.errors import ConfigError
from truewind.portfolio.margin import (
    LEG,
    MarginSettings,
    bankruptcy_price,
    cross_equity,
    cross_maintenance,
    cross_wallet,
    isolated_liquidation_price,
    liquidation_prices,
    margin_ratio,
    notional_at,
    open_cost,
    refresh_terms,
    unrealised,
)
from truewind.portfolio.worth import average_entry

TIERS = table(
    (50_000, "0.004", 125), (250_000, "0.005", 100), (1_000_000, "0.01", 50), (10_000_000, "0.025", 20),
    (50_000_000, "0.05", 10),
)  # fmt: skip
COIN = table(("5", "0.004", 125), ("20", "0.01", 50), ("100", "0.05", 10))
prices = st.integers(10_000, 90_000).map(str)
sizes = st.integers(1, 5_000).map(lambda lots: f"{lots / 1000:.3f}")
sides = st.sampled_from(["", "-"])
wallets = st.integers(1, 200_000).map(lambda usd: usd * UNIT)


def ratio(wallet: int, book: Book) -> float:
    equity = cross_equity(wallet, book.legs, book.instruments)
    return margin_ratio(cross_maintenance(book.legs, *book.terms()), equity)


@st.composite
def accounts(draw: st.DrawFn) -> tuple[int, Book]:
    """One to three symbols, each with a leg or, in hedge mode, one on both sides; all cross, safe at their marks."""
    book = Book(*((linear(), TIERS) for _ in range(draw(st.integers(1, 3)))))
    for symbol in range(len(book.listed)):
        mark = draw(prices)
        for side in draw(st.sampled_from([("",), ("-",), ("", "-")])):
            book.hold(symbol, side + draw(sizes), draw(prices), mark)
    wallet = draw(wallets)
    assume(ratio(wallet, book) < 1.0)
    return wallet, book


@given(accounts())
def test_at_the_liquidation_price_the_margin_ratio_is_one(account: tuple[int, Book]) -> None:
    """At either price the ratio is 1, a little inside less, a little outside more; without a price it is never 1."""
    wallet, book = account
    low, high = liquidation_prices(wallet, 0, book.legs, *book.terms())
    mark, own = book.legs["mark"][0], book.legs["symbol"] == 0
    for price, outside in ((low, -1e-6), (high, 1e-6)):
        if math.isnan(price):
            book.legs["mark"][own] = 1e-3 if outside < 0 else 1e9
            assert ratio(wallet, book) < 1.0
            continue
        assert (price < mark) if outside < 0 else (price > mark)
        book.legs["mark"][own] = price
        assert ratio(wallet, book) == pytest.approx(1.0, abs=1e-6)
        book.legs["mark"][own] = price * (1 + outside)
        assert ratio(wallet, book) > 1.0
        book.legs["mark"][own] = price * (1 - outside)
        assert ratio(wallet, book) < 1.0


@given(sides, sizes, prices, wallets)
def test_an_isolated_leg_is_a_cross_account_of_its_own(side: str, size: str, entry: str, wallet: int) -> None:
    """One leg with the same money behind it has the same liquidation price, isolated or cross."""
    alone = Book((linear(), TIERS)).hold(0, side + size, entry, entry, wallet=wallet)
    cross = Book((linear(), TIERS)).hold(0, side + size, entry, entry)
    isolated = isolated_liquidation_price(alone.legs[0], *alone.terms())
    shared = liquidation_prices(wallet, 0, cross.legs, *cross.terms())[0 if side == "" else 1]
    assert isolated == shared or (math.isnan(isolated) and math.isnan(shared))


@given(sides, sizes, prices, wallets, sizes, prices)
def test_isolated_legs_do_not_touch_the_cross_account(
    side: str, size: str, entry: str, wallet: int, other: str, at: str
) -> None:
    """Adding an isolated leg changes neither equity nor maintenance nor liquidation price of the cross legs."""
    book = Book((linear(), TIERS), (linear("ETHUSDT"), TIERS)).hold(0, side + size, entry, entry)
    before = liquidation_prices(wallet, 0, book.legs, *book.terms())
    equity = cross_equity(wallet, book.legs, book.instruments)
    book.hold(1, other, at, "1", wallet=UNIT)
    assert cross_equity(wallet, book.legs, book.instruments) == equity
    np.testing.assert_array_equal(before, liquidation_prices(wallet, 0, book.legs, *book.terms()))


@given(sizes, prices, st.integers(1, 100_000))
def test_long_and_short_go_bankrupt_at_equal_distance(size: str, entry: str, usd: int) -> None:
    """Without fees a long and a short of one size and wallet lose everything the same way from their entry."""
    book = Book((linear(), TIERS)).hold(0, size, entry).hold(0, "-" + size, entry)
    down, up = (bankruptcy_price(usd * UNIT, leg, book.instruments[0], 0.0) for leg in book.legs)
    distance = usd / float(size)
    assert up - float(entry) == pytest.approx(distance, rel=1e-9)
    if distance < float(entry):
        assert float(entry) - down == pytest.approx(distance, rel=1e-9)
    else:
        assert math.isnan(down) or down < 1e-6 * float(entry)


@given(sides, sizes, prices, wallets, st.integers(0, 100))
def test_bankruptcy_lies_beyond_liquidation(side: str, size: str, entry: str, wallet: int, fee: int) -> None:
    """A position is liquidated before it is worthless, and paying a fee brings bankruptcy nearer."""
    book = Book((linear(), TIERS)).hold(0, side + size, entry, entry, wallet=wallet)
    leg = book.legs[0]
    liquidated = isolated_liquidation_price(leg, *book.terms())
    bankrupt, charged = (bankruptcy_price(wallet, leg, book.instruments[0], f) for f in (0.0, fee / 100_000))
    assume(not math.isnan(liquidated) and not math.isnan(bankrupt) and liquidated > 0.0)
    sign = 1 if side == "" else -1
    assert (liquidated - bankrupt) * sign > 0.0
    assert (charged - bankrupt) * sign >= 0.0


@given(sides, st.integers(1, 100_000), prices, st.integers(1, 200 * UNIT))
def test_an_inverse_contract_is_a_linear_one_in_the_reciprocal_price(
    side: str, contracts: int, entry: str, wallet: int
) -> None:
    """Long coins against dollars is short dollars against coins: same profit, margin and limits at 1 / price."""
    book = Book((inverse(), COIN)).hold(0, int(side + str(contracts)), entry, entry)
    mirrored = np.zeros(1, INSTRUMENT)
    mirrored["worth"], mirrored["can_short"] = book.instruments["worth"], 1
    legs = book.legs.copy()
    legs["lots"], legs["mark"] = -legs["lots"], 1.0 / legs["mark"]
    terms = (mirrored, book.margins, book.tiers)
    assert unrealised(book.legs[0], book.instruments[0], 2 * float(entry)) == pytest.approx(
        unrealised(legs[0], mirrored[0], 0.5 / float(entry)), rel=1e-12
    )
    assert cross_maintenance(book.legs, *book.terms()) == pytest.approx(cross_maintenance(legs, *terms), rel=1e-12)
    low, high = liquidation_prices(wallet, 0, book.legs, *book.terms())
    mirror_low, mirror_high = liquidation_prices(wallet, 0, legs, *terms)
    assert low == pytest.approx(1.0 / mirror_high, rel=1e-12, nan_ok=True)
    assert high == pytest.approx(1.0 / mirror_low, rel=1e-12, nan_ok=True)


@given(sides, st.integers(1, 10**6), prices)
def test_the_average_entry_is_what_was_entered_at(side: str, contracts: int, entry: str) -> None:
    """Of a position opened at one price the entry comes back, linear or inverse."""
    for instrument, quantity in ((linear(), f"{contracts / 1000:.3f}"), (inverse(), str(contracts))):
        book = Book((instrument, TIERS)).hold(0, side + quantity, entry)
        found = average_entry(book.legs[0]["lots"], book.legs[0]["cost"], book.instruments[0])
        size = Fraction(quantity) if not instrument.inverse else Fraction(quantity) * 100 / Fraction(entry)
        assert found == pytest.approx(float(entry), rel=float(1 / (size * UNIT)) + 1e-12)


def test_what_no_price_can_save_has_no_price() -> None:
    """A wallet so far below zero that even the best price does not cover it has no liquidation price: it is past it."""
    book = Book((linear(), TIERS), (linear("ETHUSDT"), TIERS))
    book.hold(0, "-1", "50000", "50000").hold(1, "10", "50000", "20000")
    assert all(math.isnan(price) for price in liquidation_prices(100 * UNIT, 0, book.legs, *book.terms()))


def test_nothing_held_has_no_price() -> None:
    """Flat legs need no margin and are never liquidated."""
    book = Book((linear(), TIERS)).hold(0, "0", "1", "50000")
    assert cross_maintenance(book.legs, *book.terms()) == 0.0
    assert (
        unrealised(book.legs[0], book.instruments[0], 1.0) == notional_at(book.legs[0], book.instruments[0], 1.0) == 0
    )
    assert math.isnan(isolated_liquidation_price(book.legs[0], *book.terms()))
    assert all(math.isnan(price) for price in liquidation_prices(UNIT, 0, book.legs, *book.terms()))
    assert math.isnan(bankruptcy_price(1.0, book.legs[0], book.instruments[0], 0.0))
    assert math.isnan(average_entry(0, 0, book.instruments[0]))
    assert margin_ratio(0.0, 0.0) == 0.0
    assert margin_ratio(1.0, 0.0) == math.inf


def test_what_is_owned_outright_needs_no_margin() -> None:
    """A coin bought with 100 USDT that one has is never taken away, whatever it falls to."""
    book = Book((spot_of(), TIERS)).hold(0, "1", "50000", "50000")
    assert cross_maintenance(book.legs, *book.terms()) == 0.0
    assert all(math.isnan(price) for price in liquidation_prices(100 * UNIT, 0, book.legs, *book.terms()))


def test_isolated_wallets_are_taken_from_the_shared_one() -> None:
    """Of 100 units 30 and 1 stand behind legs of their own; a wallet of nothing, and one that is shared, take none."""
    legs = np.zeros(4, LEG)
    legs["wallet"] = (30, -1, 0, 1)
    assert cross_wallet(100, legs) == 69


def test_legs_that_hold_nothing_stand_in_nobodys_way() -> None:
    """A flat leg, or an isolated one, before the leg that is asked for changes nothing of its price."""
    alone = Book((linear(), TIERS)).hold(0, "2", "50000", "50000")
    beside = Book((linear(), TIERS), (linear("ETHUSDT"), TIERS))
    beside.hold(0, "0", "50000", "50000").hold(1, "5", "3000", "2900", wallet=UNIT).hold(0, "2", "50000", "50000")
    wallet = 10_000 * UNIT
    expected = liquidation_prices(wallet, 0, alone.legs, *alone.terms())
    np.testing.assert_array_equal(liquidation_prices(wallet, 0, beside.legs, *beside.terms()), expected)
    assert expected[0] == pytest.approx((100_000 - 10_000 - 50) / (2 - 2 * 0.005))  # 89,950 / 1.99: second tier


def test_a_table_of_one_tier() -> None:
    """2 BTC at 50,000 with 10,000 and 0.5 % at any size: 90,000 / 1.99; short, 110,000 / 2.01. Paid in full: never."""
    flat = table((10**9, "0.005", 20))
    for quantity, expected in (("2", 90_000 / 1.99), ("-2", 110_000 / 2.01)):
        book = Book((linear(), flat)).hold(0, quantity, "50000", "50000", wallet=10_000 * UNIT)
        assert isolated_liquidation_price(book.legs[0], *book.terms()) == pytest.approx(expected, rel=1e-12)
    book = Book((linear(), flat)).hold(0, "2", "50000", "50000", wallet=100_000 * UNIT)
    assert math.isnan(isolated_liquidation_price(book.legs[0], *book.terms()))


def test_a_hedge_that_only_the_highest_tier_uses_up() -> None:
    """Long 1, short 0.95 at 50,000 with 1,000: above, 5 % of 1.95x less 2 · 266,300 outgrow the 0.05x that are gained.

    1,000 + 0.05 (x − 50,000) = 0.0975x − 532,600 at x = 531,100 / 0.0475; below, 1,500 / (0.05 − 0.0078).
    """
    book = Book((linear(), TIERS)).hold(0, "1", "50000", "50000").hold(0, "-0.95", "50000", "50000")
    found = liquidation_prices(1_000 * UNIT, 0, book.legs, *book.terms())
    assert found == pytest.approx((1_500 / 0.0422, 531_100 / 0.0475), rel=1e-9)


def test_a_hedge_that_no_price_moves() -> None:
    """Long from 50,000, short as much from 40,000: 10,000 are lost at any price, and 5,000 never save it."""
    book = Book((linear(), table((10**9, "0", 20)))).hold(0, "1", "50000", "50000").hold(0, "-1", "40000", "50000")
    assert all(math.isnan(price) for price in liquidation_prices(5_000 * UNIT, 0, book.legs, *book.terms()))


def test_the_smallest_position() -> None:
    """1e-8 BTC gains one unit a dollar: bought for 50,000 units with 10,000, it lasts to 40,000 / 0.995."""
    book = Book((linear(lot="0.00000001"), table((10**9, "0.005", 20))))
    book.hold(0, "0.00000001", "50000", "50000", wallet=10_000)
    assert isolated_liquidation_price(book.legs[0], *book.terms()) == pytest.approx(40_000 / 0.995, rel=1e-12)


def test_small_figures() -> None:
    """Half a unit is an equity like any other; an order that is not born losing costs its margin and nothing more."""
    assert margin_ratio(1.0, 0.5) == 2.0
    assert open_cost(100.0, 10.0, 0.0) == open_cost(100.0, 10.0, -5.0) == 10.0
    assert open_cost(100.0, 10.0, 0.5) == 10.5
    book = Book((linear(), TIERS)).hold(0, "1", "50000")
    assert math.isnan(bankruptcy_price(50_000.0 * UNIT, book.legs[0], book.instruments[0], 0.0))  # paid in full


def two_tables() -> list[TierTable]:
    return [
        TierTable(100, [Tier(Decimal(50_000), Decimal("0.004"), 125), Tier(Decimal(250_000), Decimal("0.005"), 100)]),
        TierTable(200, [Tier(Decimal(300_000), Decimal("0.01"), 50)]),
    ]


def test_tiers_change_with_time() -> None:
    """Each symbol points to its table of the day, and the next change of any symbol is announced."""
    later = [
        TierTable(150, [Tier(Decimal(10), Decimal("0.1"), 5)]),
        TierTable(300, [Tier(Decimal(10), Decimal("0.2"), 2)]),
    ]
    listed = [linear(), linear("ETHUSDT")]
    tables = {listed[0].id: two_tables(), listed[1].id: later}
    margins, tiers, *_ = MarginSettings(tiers="venue").terms(listed, tables, 20.0)
    seen = []
    for now in (0, 199, 200, 300):
        following = refresh_terms(margins, tiers, np.zeros(0, FEE), now)
        rates = [int(tiers[first]["rate"]) for first in margins["first_tier"]]
        seen.append((following, rates))
    million = 1_000_000
    assert seen[:3] == [
        (200, [4 * million // 10, 10 * million]),
        (200, [4 * million // 10, 10 * million]),
        (300, [million, 10 * million]),
    ]
    assert seen[3] == (np.iinfo(np.int64).max, [million, 20 * million])
    assert margins["leverage"].tolist() == [20.0, 20.0]


def spot_of(symbol: str = "BTCUSDT") -> Instrument:
    return Instrument(
        symbol=symbol, venue="binance", kind=Kind.SPOT, base=symbol[:3], quote="USDT", tick_size=Decimal("0.01"),
        lot_size=Decimal("0.001"),
    )  # fmt: skip


def test_the_terms_of_a_run_row_by_row() -> None:
    """A contract with two dated tables, a coin that is owned outright, and a contract with a liquidation fee of its own
    but without tables: where their tiers lie, and what was set for them.
    """
    listed = [linear(), spot_of(), linear("ETHUSDT")]
    listed[2] = replace(listed[2], filters=Filters(liquidation_fee=Decimal("0.02")))
    tables = {listed[0].id: two_tables(), listed[1].id: two_tables()}
    settings = MarginSettings(
        mode="isolated", position_mode="hedge", maintenance_rate=0.03, liquidation_fee=0.01, partial=False
    )
    margins, tiers, hedge, fees = settings.terms(listed, tables, 7.0)
    assert hedge
    assert len(fees) == 0
    # first and last row, those in force, leverage, isolated, fee, partial, and no fees of their own
    assert margins.tolist() == [
        (0, 3, 0, 2, 7.0, 1, 1_000_000, 0, 0, 0, 0, 0, 0),
        (3, 4, 3, 4, 7.0, 0, 1_000_000, 0, 0, 0, 0, 0, 0),
        (4, 5, 4, 5, 7.0, 1, 2_000_000, 0, 0, 0, 0, 0, 0),
    ]
    flat = (0, 0, np.iinfo(np.int64).max, 3_000_000, 0, 1_000_000)  # since, floor, cap, rate, cum, leverage
    assert tiers.tolist() == [
        (100, 0, 50_000 * UNIT, 400_000, 0, 125),
        (100, 50_000 * UNIT, 250_000 * UNIT, 500_000, 50 * UNIT, 100),
        (200, 0, 300_000 * UNIT, 1_000_000, 0, 50),
        flat,
        flat,
    ]
    cross = MarginSettings(tiers="flat").terms(listed[:1], tables, 7.0)
    assert cross.margins.tolist() == [(0, 1, 0, 1, 7.0, 0, 1_250_000, 1, 0, 0, 0, 0, 0)]
    assert not cross.hedge
    assert len(MarginSettings().terms([], {}, 1.0).tiers) == 0
    with pytest.raises(ConfigError, match=r"No margin tiers of BTCUSDT\.binance_usdm") as refused:
        MarginSettings(tiers="venue").terms([linear()], {}, 5.0)
    assert refused.value.remedy == "Set margin.tiers to flat, with a maintenance_rate"


def test_tiers_in_the_currency_of_the_contract() -> None:
    """A dollar is 100 cents, a tether 1e8 units: a cap of 50,000 is 5 million. Bad tables say whose they are."""
    dollars = replace(linear(), quote="USD", settle="USD")
    table = TierTable(0, [Tier(Decimal(50_000), Decimal("0.004"), 125)])
    assert MarginSettings().terms([dollars], {dollars.id: [table]}, 1.0).tiers["cap"].tolist() == [5_000_000]
    with pytest.raises(ConfigError, match=r"^BTCUSDT\.binance_usdm: two tables begin at the same time"):
        MarginSettings().terms([linear()], {linear().id: [table, table]}, 1.0)


def test_fees_change_with_time() -> None:
    """Each symbol pays the rates that have begun last, before the first date those of the first; one pays none."""
    fees = np.array([(0, 10, 20), (100, 11, 21), (200, 12, 22), (50, 30, 40), (150, 31, 41)], FEE)
    margins, tiers, *_ = MarginSettings().terms([linear(), linear("ETHUSDT"), linear("XRPUSDT")], {}, 1.0)
    margins["first_fee"], margins["last_fee"] = (0, 3, 5), (3, 5, 5)
    never = np.iinfo(np.int64).max
    for now, following, first, second in (
        (0, 100, (10, 20), (30, 40)), (99, 100, (10, 20), (30, 40)), (100, 150, (11, 21), (30, 40)),
        (150, 200, (11, 21), (31, 41)), (250, never, (12, 22), (31, 41)),
    ):  # fmt: skip
        assert refresh_terms(margins, tiers, fees, now) == following
        assert margins[["maker", "taker"]].tolist() == [first, second, (0, 0)]


def test_a_flat_rate_needs_no_table() -> None:
    """Flat margin is the rate at any size; spot needs no tiers; a contract without its venue's table is refused."""
    margins, tiers, *_ = MarginSettings(maintenance_rate=0.02).terms([linear(), inverse()], {}, 5.0)
    assert tiers["rate"].tolist() == [2_000_000, 2_000_000]
    assert margins["first_tier"].tolist() == [0, 1]
    assert len(MarginSettings(tiers="venue").terms([spot_of()], {}, 1.0).tiers) == 1
    with pytest.raises(ConfigError, match=r"No margin tiers of BTCUSDT\.binance_usdm"):
        MarginSettings(tiers="venue").terms([linear()], {}, 5.0)


def test_assumptions_say_what_is_set() -> None:
    """The report's sentences follow the settings, word for word."""
    assert MarginSettings().assumptions() == [
        "Margin is cross, positions are one-way; maintenance margin is the venue's tiers of the day, which hold for "
        "open positions too, or a flat 0.50% of notional where none are known.",
        "Liquidation begins when maintenance margin reaches the margin balance at mark prices, takes the position "
        "down to its next lower tier, or all of it, and costs the instrument's liquidation fee, or 1.25% of what is "
        "taken.",
        "An account never ends below zero: the insurance fund, which is taken to be unlimited, pays the rest. Nobody "
        "is auto-deleveraged.",
    ]
    venue = MarginSettings(tiers="venue", mode="isolated", position_mode="hedge", partial=False).assumptions()
    assert venue[0] == (
        "Margin is isolated, positions are hedge; maintenance margin is the venue's tiers of the day, which hold for "
        "open positions too."
    )
    assert ", takes the whole position, and costs" in venue[1]
    flat = MarginSettings(tiers="flat", maintenance_rate=0.02).assumptions()
    assert flat[0] == "Margin is cross, positions are one-way; maintenance margin is a flat 2.00% of notional."
