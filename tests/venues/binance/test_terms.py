"""Binance's dated fees and margin tiers: the tables are sound, and say what is known elsewhere."""

from decimal import Decimal
from itertools import pairwise

import pytest

from truewind.domain.clock import parse_ts_us
from truewind.errors import ConfigError
from truewind.portfolio.fees import fee_rows
from truewind.portfolio.tiers import tier_rows
from truewind.venues.binance.terms import bnb_discount, fee_tables, settlement_window_us, tier_tables

UNIT = 100_000_000


@pytest.mark.parametrize(
    ("venue", "symbol", "since", "amounts"),
    [
        # Binance FAQ b3c689c1f50a44cabb3a84e663b81d93: 1,300 in the third tier, 16,300 in the fourth.
        ("binance_usdm", "BTCUSDT", "2021-03-18T09:00:00", ["0", "50", "1300", "16300"]),
        # GET /fapi/v1/leverageBracket as copied in 2024: the field `cum` of all twelve tiers.
        (
            "binance_usdm", "BTCUSDT", "2024-06-28",
            ["0", "50", "950", "11450", "131450", "481450", "2981450", "14481450", "26481450", "41481450", "121481450",
             "421481450"],
        ),
        (
            "binance_usdm", "ETHUSDT", "2024-06-28",
            ["0", "50", "950", "11450", "131450", "381450", "2006450", "9506450", "17506450", "27506450", "80506450",
             "280506450"],
        ),
        # Binance FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46: 0.56, 1.81 and 11.81 BTC.
        ("binance_coinm", "BTCUSD_PERP", "2020-06-11T07:38:00", ["0", "0.01", "0.11", "0.56", "1.81", "6.81", "11.81"]),
    ],
)  # fmt: skip
def test_maintenance_amounts_follow_from_the_lines(venue: str, symbol: str, since: str, amounts: list[str]) -> None:
    """The amounts that we reckon from caps and rates are the venue's own."""
    rows = tier_rows(tier_tables(venue, symbol), UNIT, symbol)
    own = rows[rows["since"] == parse_ts_us(since)]["cum"][: len(amounts)]
    assert own.tolist() == [int(Decimal(amount) * UNIT) for amount in amounts]


def fee_rate(fees, ts, maker):
    """The rate of the last table that begins by then, else of the first."""
    return fees[max(0, int((fees["since"] <= ts).sum()) - 1)]["maker" if maker else "taker"]


def test_fees_of_a_regular_user() -> None:
    """Recorded fills of February 2022 paid 0.04 % as taker on USD-M; DESIGN's default of today is 0.02 and 0.05 %."""
    fees = fee_rows(fee_tables("binance_usdm"))
    assert fee_rate(fees, parse_ts_us("2022-02-26T22:05:30"), False) == 40_000
    assert fee_rate(fees, parse_ts_us("2025-01-01"), False) == 50_000
    assert fee_rate(fees, parse_ts_us("2025-01-01"), True) == 20_000


def test_spot_fees_and_discount() -> None:
    """Announcement 40669f3da342426c87b083b659673316: in BNB a regular user pays 0.0750 %, VIP 8 0.0150 / 0.0300 %."""
    regular, top = (fee_rows(fee_tables("binance", level)[-1:], bnb_discount("binance")) for level in (0, 8))
    assert (fee_rate(regular, 0, True), fee_rate(regular, 0, False)) == (75_000, 75_000)
    assert (fee_rate(top, 0, True), fee_rate(top, 0, False)) == (15_000, 30_000)


def test_higher_levels_never_pay_more() -> None:
    """Within a table each level's rates are at most those of the level below it."""
    for venue, levels in (("binance", 9), ("binance_usdm", 10)):
        ladder = [fee_tables(venue, level) for level in range(levels)]
        for low, high in pairwise(ladder):
            assert all(b.maker <= a.maker and b.taker <= a.taker for a, b in zip(low, high, strict=True))


def test_the_settlement_window_was_halved() -> None:
    """An hour until 11 November 2024, 08:00 UTC, half an hour since (announced on 4 November)."""
    change = parse_ts_us("2024-11-11T08:00:00")
    assert [settlement_window_us(ts) // 60_000_000 for ts in (change - 1, change)] == [60, 30]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fee_tables("binance_usd"), "Did you mean 'binance_usdm'"),
        (lambda: fee_tables("about"), "none of Binance's markets"),
        (lambda: fee_tables("binance_coinm", 1), "no VIP level 1"),
        (lambda: tier_tables("binance_usdm", "BTCUSD"), "Did you mean 'BTCUSDT'"),
        (lambda: bnb_discount("kraken"), "none of Binance's markets"),
    ],
)
def test_what_is_not_listed_is_named(call: object, message: str) -> None:
    """An unknown market, symbol or level is refused with what there is."""
    with pytest.raises(ConfigError, match=message):
        call()
