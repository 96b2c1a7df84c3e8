"""Fees by date and currency."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted import flat, perpetual, play, spot
from truewind.analytics.trades import round_trips
from truewind.backtest import tables
from truewind.backtest.settings import load_config
from truewind.domain.fill import FillKind
from truewind.domain.terms import FeeRates
from truewind.errors import ConfigError
from truewind.portfolio.fees import divisible, fee_rows, with_fees
from truewind.portfolio.margin import MarginSettings, refresh_terms

UNIT = 100_000_000
BTCUSDT = spot("BTCUSDT", tick="0.01", lot="0.00001")


def in_force(rates: np.ndarray, ts: int) -> tuple[int, int, int]:
    """Maker and taker rate at a time, and when they change next."""
    margin = with_fees(MarginSettings().terms([BTCUSDT], {}, 1.0), [BTCUSDT], {BTCUSDT.id: rates}, received=False)
    following = refresh_terms(margin.margins, margin.tiers, margin.fees, ts)
    return int(margin.margins[0]["maker"]), int(margin.margins[0]["taker"]), following


def test_rates_by_date() -> None:
    """Before its first date the first rate holds; from its own moment each later one."""
    rates = fee_rows(
        [FeeRates(100, Decimal("0.0002"), Decimal("0.0005")), FeeRates(50, Decimal("0.0002"), Decimal("0.0004"))]
    )
    assert [in_force(rates, ts)[1] for ts in (0, 50, 99, 100, 10**9)] == [40_000, 40_000, 40_000, 50_000, 50_000]
    assert in_force(rates, 99)[2] == 100
    assert in_force(rates, 100)[0] == 20_000


def test_a_discount_is_taken_off_fees_not_off_rebates() -> None:
    """10 % off 0.05 % is 0.045 %; a maker's rebate stays whole."""
    fees = fee_rows([FeeRates(0, Decimal("-0.0001"), Decimal("0.0005"))], Decimal("0.1"))
    assert in_force(fees, 0)[:2] == (-10_000, 45_000)


def bought_and_sold(rate: str, quantity: float, *, lot: str = "0.00001", price: float = 50_000.0, again: bool = False):
    """A run that buys `quantity` at `price` and closes at the same price, with fees in what is received."""
    about = divisible(spot("BTCUSDT", tick="0.01", lot=lot))
    rates = {about.id: fee_rows([FeeRates(0, Decimal(rate), Decimal(rate))])}
    margin = with_fees(MarginSettings().terms([about], {}, 1.0), [about], rates, received=True)
    acts = {0: lambda s: s.buy(quantity), 2: lambda s: s.close()}
    if again:
        acts |= {4: lambda s: s.buy(quantity), 6: lambda s: s.close()}
    return play(
        {"BTCUSDT": [flat(price)] * 9}, acts, instruments=[about],
        cash=1e6, margin=margin, leverage=1.0,
    )  # fmt: skip


def test_a_purchase_pays_in_what_it_receives() -> None:
    """By hand: 0.5 BTC for 25,000 USDT at 0.1 %: the fee is 0.0005 BTC, worth 25, so that 0.4995 arrive. Sold, they
    bring 24,975 less 24.975: in all 49.975 are gone."""
    engine = bought_and_sold("0.001", 0.5)
    assert engine.fills["kind"].tolist() == [FillKind.TRADE, FillKind.FEE, FillKind.TRADE]
    assert engine.fills["lots"].tolist() == [50_000_000, 50_000, 49_950_000]
    assert engine.fills["fee"].tolist() == [0, 25 * UNIT, 2_497_500_000]
    assert engine.equity[-1] == pytest.approx(1e6 - 49.975, abs=1e-9)
    assert engine.state.positions["lots"].tolist() == [0]


def test_what_is_less_than_a_lot_stays_and_counts_as_nothing() -> None:
    """0.00123 BTC less 0.1 % are 0.00122877: 0.00122 can be sold, and 0.00000877 stay without an order for them."""
    engine = bought_and_sold("0.001", 0.00123)
    assert engine.fills["lots"].tolist() == [123_000, 123, 122_000]
    assert engine.state.positions["lots"].tolist() == [877]


@given(st.integers(1, 10_000_000), st.integers(1, 100), st.integers(1, 200_000))
def test_no_money_is_made_or_lost_beyond_the_fees(lots: int, bps: int, price: int) -> None:
    """At one price the account ends with what it had less its fees, and what is left is less than a lot."""
    quantity = lots / 1e5
    engine = bought_and_sold(f"{bps / 1e4:.4f}", quantity, price=float(price))
    fills, money = engine.fills, engine.state.account[0]
    assert money["cash"] == money["initial"] - fills["fee"].sum()
    assert (fills["lots"][fills["kind"] == FillKind.TRADE] % 1000 == 0).all()
    assert 0 <= engine.state.positions["lots"][0] < 1000


def test_the_venues_rates_are_those_of_the_day() -> None:
    """Binance USD-M takers paid 0.04 % on 2022-01-01 (recorded fills), and less 10 % with BNB; 0.05 % are later."""
    config = {
        "name": "fees", "data": {"venue": "binance_usdm", "symbols": "BTCUSDT", "timeframe": "1h"},
        "strategy": {"path": "a:B"}, "costs": {"fees": "venue"},
    }  # fmt: skip
    about = perpetual("BTCUSDT", venue="binance_usdm")
    for wanted, rates in (("settled", (40_000, 50_000)), ("bnb", (36_000, 45_000))):
        margin = load_config(config, [f"costs.fee_currency={wanted}"]).margin_terms([about])
        found = []
        for day in (1_640_995_200_000_000, 1_704_067_200_000_000):  # 2022-01-01, 2024-01-01
            refresh_terms(margin.margins, margin.tiers, margin.fees, day)
            found.append(int(margin.margins[0]["taker"]))
        assert tuple(found) == rates


def test_a_venue_without_published_fees_is_refused() -> None:
    """There is nothing to go by."""
    config = {
        "name": "fees", "data": {"venue": "kraken", "symbols": "BTCUSDT", "timeframe": "1h"},
        "strategy": {"path": "a:B"}, "costs": {"fees": "venue"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="kraken"):
        load_config(config).margin_terms([perpetual("BTCUSDT", venue="kraken")])
    with pytest.raises(ConfigError, match="needs fees: venue"):
        load_config(config, ["costs.fees=fixed", "costs.fee_currency=bnb"])


def test_a_trade_ends_although_less_than_a_lot_is_left() -> None:
    """Two purchases of 0.00123 and two sales of all that can be sold: two trades, not one that never ends."""
    engine = bought_and_sold("0.001", 0.00123, again=True)
    units = tables.Units(engine.instruments, engine.state.instruments, engine.state.scale)
    trades = round_trips(
        tables.fills_table(engine.fills, units), tables.orders_table(engine.events, units), {"BTCUSDT": 50_000.0},
        steps={"BTCUSDT": 0.00001},
    )  # fmt: skip
    assert trades["open"].to_list() == [False, False]
    assert trades["fees"].to_list() == pytest.approx([0.0615 + 0.061, 0.0615 + 0.061], abs=1e-3)
