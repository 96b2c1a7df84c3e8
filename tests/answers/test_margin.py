"""Margin: the numbers that venues have published, to the digit in which they are printed.

Sources, by the name used below:
FAQ-LP    Binance, How to Calculate Liquidation Price of USDⓈ-M Futures Contracts (b3c689c1f50a44cabb3a84e663b81d93)
FAQ-CLP   Binance, How to Calculate Liquidation Price of COIN-M Futures Contracts (ceccfcfb4e3a45e3b48b0b1bb1a8ae46)
FAQ-COIN  Binance, Leverage and Margin in Coin-Margined Futures Contracts (be2c7d9d95b04a7e8044ed02dd7dfe5c)
FAQ-AVOID Binance, How to avoid liquidation (25edcd7fe0e544839d0847b8cbb2e400)
FAQ-COST  Binance, Cost Required to Open a Position (87fa7ee33b574f7084d42bd2ce2e463b)
ANN-TIERS Binance, Updates to Leverage and Margin Tiers (2021-03-18), 86cf9aa472574b8cb2e05bb751c2a9a6
DOC-RISK  Binance API documentation, GET /fapi/v2/positionRisk, the reply in hedge mode
FORUM-CM  dev.binance.vision, topic 6292: what Binance's own COIN-M calculator shows
BYBIT-BP  Bybit, How to calculate Liquidation Price (Inverse Contract), help.bybit.com 360039261334
"""

import math

import pytest

from contracts import UNIT, Book, inverse, linear, rounded, table, units
from truewind.portfolio.margin import (
    bankruptcy_price,
    cross_equity,
    cross_maintenance,
    isolated_liquidation_price,
    liquidation_prices,
    margin_ratio,
    open_cost,
    unrealised,
)
from truewind.portfolio.tiers import leverage_allowed, maintenance_margin, notional_allowed

# ANN-TIERS, whole.
BTCUSDT = table(
    (50_000, "0.004", 125), (250_000, "0.005", 100), (1_000_000, "0.01", 50), (10_000_000, "0.025", 20),
    (20_000_000, "0.05", 10), (50_000_000, "0.1", 5), (100_000_000, "0.125", 4), (200_000_000, "0.15", 3),
    (300_000_000, "0.25", 2), (500_000_000, "0.5", 1),
)  # fmt: skip
# FAQ-LP names two facts of ETHUSDT: at its position 10 % and a maintenance amount of 135,365. The table is the one in
# force in early 2021 (as public calculators of that time list it), and gives both.
ETHUSDT = table(
    (10_000, "0.005", 100), (100_000, "0.0065", 75), (500_000, "0.01", 50), (1_000_000, "0.02", 25),
    (2_000_000, "0.05", 10), (5_000_000, "0.1", 5), (10_000_000, "0.125", 4), (20_000_000, "0.15", 3),
    (50_000_000, "0.25", 2),
)  # fmt: skip
# FAQ-COIN of 2020 (its level 5 amounts to 1.81 BTC) and of 2021; rates as in FAQ-CLP.
BTCUSD_2020 = table(
    (10, "0.004", 125), (20, "0.005", 100), (30, "0.01", 50), (50, "0.025", 20), (100, "0.05", 10), (200, "0.1", 5),
    (400, "0.125", 4), (1000, "0.15", 3), (1500, "0.25", 2),
)  # fmt: skip
BTCUSD_2021 = table(
    (5, "0.004", 125), (10, "0.005", 100), (20, "0.01", 50), (50, "0.025", 20), (100, "0.05", 10), (200, "0.1", 5),
    (400, "0.125", 4), (1000, "0.15", 3), (1500, "0.25", 2),
)  # fmt: skip


def test_maintenance_amounts_of_btcusdt() -> None:
    """FAQ-LP: 264,000 USDT are charged 1 %, with 1,300 USDT off; 500,000 USDT have the same amount of 1,300."""
    assert BTCUSDT["cum"][:4].tolist() == [0, 50 * UNIT, 1_300 * UNIT, 16_300 * UNIT]
    assert maintenance_margin(BTCUSDT, 0, len(BTCUSDT), 264_000.0 * UNIT) == (264_000 * 0.01 - 1_300) * UNIT
    assert maintenance_margin(BTCUSDT, 0, len(BTCUSDT), 500_000.0 * UNIT) == (500_000 * 0.01 - 1_300) * UNIT


def test_maintenance_amounts_of_btcusd() -> None:
    """FAQ-CLP: level 5 of BTCUSD has 50 × (5 % − 2.5 %) + 0.56 = 1.81 BTC, 300 BTC are charged 12.5 % less 11.81."""
    assert BTCUSD_2020["cum"][3:7].tolist() == [units("0.56"), units("1.81"), units("6.81"), units("11.81")]
    assert maintenance_margin(BTCUSD_2020, 0, len(BTCUSD_2020), 300.0 * UNIT) == pytest.approx(
        (300 * 0.125 - 11.81) * UNIT, abs=1
    )


def test_leverage_falls_with_size() -> None:
    """ANN-TIERS: 125× up to 50,000 USDT, 20× up to ten million; a position of 20× may be ten million large."""
    last = len(BTCUSDT)
    assert leverage_allowed(BTCUSDT, 0, last, 50_000.0 * UNIT) == 125
    assert leverage_allowed(BTCUSDT, 0, last, 50_000.0 * UNIT + 1) == 100
    assert leverage_allowed(BTCUSDT, 0, last, 600_000_000.0 * UNIT) == 0
    assert notional_allowed(BTCUSDT, 0, last, 20.0) == 10_000_000 * UNIT
    assert notional_allowed(BTCUSDT, 0, last, 126.0) == 0


def two_contracts() -> tuple[int, Book]:
    """The account of FAQ-LP: one wallet, long BTCUSDT and long ETHUSDT, one-way mode, cross margin."""
    book = Book((linear("BTCUSDT"), BTCUSDT), (linear("ETHUSDT"), ETHUSDT))
    book.hold(0, "109.488", "32481.980", "31967.27").hold(1, "3683.979", "1456.84", "1335.18")
    return units("1535443.01"), book


def test_cross_margin_of_two_contracts() -> None:
    """FAQ-LP: TMM and UPNL of BTCUSDT are 71,200.81144 and −56,354.57; the prices are 26,316.89 and 1,153.26."""
    wallet, book = two_contracts()
    btc = book.legs[0]
    assert unrealised(btc, book.instruments[0], btc["mark"]) / UNIT == pytest.approx(-56_354.57, abs=0.005)
    assert cross_maintenance(book.legs[:1], *book.terms()) / UNIT == pytest.approx(71_200.81144, abs=1e-5)
    assert rounded(liquidation_prices(wallet, 0, book.legs, *book.terms())[:1]) == [26_316.89]
    assert rounded(liquidation_prices(wallet, 1, book.legs, *book.terms())[:1]) == [1_153.26]


def test_no_price_above_harms_a_long() -> None:
    """The other side of the same account: nothing above liquidates what is long."""
    wallet, book = two_contracts()
    assert math.isnan(liquidation_prices(wallet, 0, book.legs, *book.terms())[1])


def test_margin_ratio_at_the_published_price() -> None:
    """FAQ 360033525271: at the liquidation price the ratio of maintenance margin to margin balance is 1."""
    wallet, book = two_contracts()
    book.legs["mark"][0] = liquidation_prices(wallet, 0, book.legs, *book.terms())[0]
    ratio = margin_ratio(cross_maintenance(book.legs, *book.terms()), cross_equity(wallet, book.legs, book.instruments))
    assert ratio == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("quantity", "entry", "wallet", "expected"),
    [
        ("109.488", "32481.980", "1535443.01", 18_778.73),
        ("0.02", "50000", "500", 25_100.40),
        ("0.042", "47619", "500", 35_857.67),
    ],
)
def test_one_contract_alone(quantity: str, entry: str, wallet: str, expected: float) -> None:
    """FAQ-LP with TMM = UPNL = 0 (isolated mode), and FAQ-AVOID: 1,000 USDT at 50,000, then 1,000 more at 45,000.

    The last printed price needs the entry of 2,000 USDT ÷ 0.042 BTC cut to whole dollars, as Binance showed it.
    """
    book = Book((linear(), BTCUSDT)).hold(0, quantity, entry, wallet=units(wallet))
    assert round(isolated_liquidation_price(book.legs[0], *book.terms()), 2) == expected


def test_isolated_ether() -> None:
    """FAQ-LP in isolated mode for ETHUSDT: 1,114.78."""
    book = Book((linear("ETHUSDT"), ETHUSDT)).hold(0, "3683.979", "1456.84", wallet=units("1535443.01"))
    assert round(isolated_liquidation_price(book.legs[0], *book.terms()), 2) == 1_114.78


def test_hedge_mode_isolated() -> None:
    """DOC-RISK: long 20 at 6,563.665 is liquidated at 5,930.78, short 10 at 7,189.95, each from its own wallet.

    The reply gives the margin with the unrealised profit, and no entry price for the short: it follows from its profit
    of −1,156.46711780 at the mark of 6,679.50671178.
    """
    long_wallet = units("15517.54150468") - units("2316.83423560")
    short_wallet = units("5413.95799991") - units("-1156.46711780")
    book = Book((linear(), BTCUSDT))
    book.hold(0, "20", "6563.665", "6679.50671178", long_wallet)
    book.hold(0, "-10", "6563.86", "6679.50671178", short_wallet)
    profits = [unrealised(leg, book.instruments[0], leg["mark"]) / UNIT for leg in book.legs]
    assert profits == pytest.approx([2316.83423560, -1156.46711780], abs=1e-8)
    assert rounded([isolated_liquidation_price(leg, *book.terms()) for leg in book.legs]) == [5_930.78, 7_189.95]


def test_hedge_mode_cross_shares_one_price() -> None:
    """FAQ-LP's formula with both sides of one symbol; no source prints numbers for it, so these are reckoned by hand.

    Long 3 at 10,000 and short 1 at 9,000, wallet 5,000. At the price both sides lie in the 0.4 % tier, cum 0:
    (5,000 − 3·10,000 + 1·9,000) / (3·0.004 + 1·0.004 − 3 + 1) = −16,000 / −1.984 = 8,064.516…
    """
    book = Book((linear(), BTCUSDT)).hold(0, 3, "10000", "9500").hold(0, -1, "9000", "9500")
    low, high = liquidation_prices(units("5000"), 0, book.legs, *book.terms())
    assert low == pytest.approx(16_000 / 1.984, rel=1e-12)
    assert math.isnan(high) or high > 1e6


def test_coin_margined_liquidation_price() -> None:
    """FORUM-CM: 101 BTC behind 100,000 long contracts of 100 USD at 45,000: Binance's calculator shows 33,599.40.

    The topic's author got 33,578.859744834 with the maintenance amount of the table that had just been replaced. The
    calculator rounds somewhere on its way: ours is 2 cents higher, the author's all twelve digits.
    """
    for tiers, expected, near in ((BTCUSD_2021, 33_599.40, 0.02), (BTCUSD_2020, 33_578.859744834, 1e-5)):
        book = Book((inverse(), tiers)).hold(0, 100_000, "45000", "45000")
        assert liquidation_prices(units("101"), 0, book.legs, *book.terms())[0] == pytest.approx(expected, abs=near)


def test_inverse_bankruptcy_price() -> None:
    """BYBIT-BP: 0.5 BTC behind 10,000 long contracts of 1 USD at 8,000, taker fee 0.075 %: 5,718.57."""
    book = Book((inverse("1"), BTCUSD_2021)).hold(0, 10_000, "8000")
    assert round(bankruptcy_price(0.5 * UNIT, book.legs[0], book.instruments[0], 0.00075), 2) == 5_718.57


def test_cost_to_open() -> None:
    """FAQ-COST: 1 BTC at 9,253.30 with 20×, mark 9,259.84: a long costs 462.66, a short 6.54 more (469.20)."""
    notional, loss = 9_253.30 * UNIT, (9_259.84 - 9_253.30) * UNIT
    assert open_cost(notional, 20.0, -loss) / UNIT == pytest.approx(462.66, abs=0.006)
    assert open_cost(notional, 20.0, loss) / UNIT == pytest.approx(462.66 + 6.54, abs=0.006)


def test_coin_margined_cost_to_open() -> None:
    """FAQ-COIN: the initial margin of 10 contracts of 100 USD at 9,800 with 20× is 0.0051 BTC."""
    notional = inverse().notional(98_000, 10) * UNIT
    assert round(open_cost(float(notional), 20.0, 0.0) / UNIT, 4) == 0.0051
