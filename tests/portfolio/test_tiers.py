"""Margin tiers: continuous, dated, and the sum of what each slice of a position is charged."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.terms import Tier, TierTable
from truewind.errors import ConfigError
from truewind.portfolio.tiers import (
    flat_tier,
    leverage_allowed,
    maintenance_margin,
    notional_allowed,
    tier_of,
    tier_rows,
    tiers_in_force,
)

SCALE = 100_000_000


@st.composite
def tables(draw: st.DrawFn, since_us: int = 0) -> TierTable:
    """Rising caps and rates, falling leverage, as venues have them."""
    count = draw(st.integers(1, 8))
    widths = draw(st.lists(st.integers(1, 10_000_000), min_size=count, max_size=count))
    rates = sorted(draw(st.lists(st.integers(1, 5_000), min_size=count, max_size=count)))
    leverages = sorted(draw(st.lists(st.integers(1, 125), min_size=count, max_size=count)), reverse=True)
    caps = np.cumsum(widths)
    lines = zip(caps.tolist(), rates, leverages, strict=True)
    return TierTable(since_us, [Tier(Decimal(cap), Decimal(rate) / 10_000, most) for cap, rate, most in lines])


def taxed(table: TierTable, notional: Fraction) -> Fraction:
    """The maintenance margin the long way: every slice of the position at the rate of its own tier."""
    owed, floor = Fraction(0), Fraction(0)
    for i, tier in enumerate(table.tiers):
        top = notional if i == len(table.tiers) - 1 else min(notional, Fraction(tier.cap))
        owed += max(Fraction(0), top - floor) * Fraction(tier.rate)
        floor = Fraction(tier.cap)
    return owed


@given(tables(), st.integers(0, 100_000_000))
def test_each_slice_is_charged_at_its_own_rate(table: TierTable, notional: int) -> None:
    """notional × rate − cum is the sum over the slices of the position, for any table and size."""
    rows = tier_rows([table], SCALE)
    expected = taxed(table, Fraction(notional)) * SCALE
    assert maintenance_margin(rows, 0, len(rows), float(notional * SCALE)) == pytest.approx(float(expected), abs=2)


@given(tables())
def test_margin_is_continuous_where_tiers_meet(table: TierTable) -> None:
    """One ledger unit beyond a cap costs no more than the rate of one unit, besides the rounding of cum."""
    rows = tier_rows([table], SCALE)
    for row in rows[:-1]:
        at = float(row["cap"])
        before, after = (maintenance_margin(rows, 0, len(rows), size) for size in (at, at + 1.0))
        assert abs(after - before) <= 2.0


@given(tables(), st.integers(1, 100_000_000 * SCALE))
def test_what_may_be_opened_with_a_leverage_is_what_allows_it(table: TierTable, notional: int) -> None:
    """A position may be opened with exactly the leverages up to the one that its tier allows."""
    rows = tier_rows([table], SCALE)
    allowed = leverage_allowed(rows, 0, len(rows), float(notional))
    for leverage in range(1, 127):
        assert (notional <= notional_allowed(rows, 0, len(rows), leverage)) == (leverage <= allowed)


@given(st.lists(st.integers(1, 10**15), min_size=1, max_size=5, unique=True), st.data())
def test_the_last_table_that_has_begun_is_in_force(dates: list[int], data: st.DataObject) -> None:
    """At any time the table with the latest date not after it holds; before the first date the first one."""
    tables_drawn = [data.draw(tables(since)) for since in dates]
    other = flat_tier(0.01, 10)
    rows = np.concatenate([other, tier_rows(tables_drawn, SCALE), other])
    now = data.draw(st.integers(0, 2 * 10**15))
    first, last = tiers_in_force(rows, 1, len(rows) - 1, now)
    expected = max((since for since in dates if since <= now), default=min(dates))
    assert set(rows["since"][first:last]) == {expected}
    assert last - first == len(tables_drawn[dates.index(expected)].tiers)


def test_a_cap_belongs_to_the_tier_below_it() -> None:
    """Tables say "50,000 < position ≤ 250,000": the cap itself is in the lower tier."""
    rows = tier_rows(
        [TierTable(0, [Tier(Decimal(50), Decimal("0.004"), 125), Tier(Decimal(250), Decimal("0.005"), 100)])], 1
    )
    assert [tier_of(rows, 0, 2, size) for size in (0.0, 50.0, 50.5, 250.0, 1e9)] == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "lines",
    [
        [Tier(Decimal(10), Decimal("0.01"), 20), Tier(Decimal(10), Decimal("0.02"), 10)],
        [Tier(Decimal(10), Decimal("0.02"), 20), Tier(Decimal(20), Decimal("0.01"), 10)],
        [Tier(Decimal(10), Decimal("0.01"), 10), Tier(Decimal(20), Decimal("0.02"), 20)],
        [Tier(Decimal(10), Decimal("0.01"), 0)],
        [Tier(Decimal(10), Decimal("1.01"), 1)],
    ],
)
def test_a_disordered_table_is_refused(lines: list[Tier]) -> None:
    """Caps and rates must rise and leverage must not, or a larger position would be charged less."""
    with pytest.raises(ConfigError) as refused:
        tier_rows([TierTable(0, lines)], SCALE, "XUSDT")
    assert f"XUSDT: the tier up to {lines[-1].cap} does not continue the one before it" in str(refused.value)
    assert refused.value.remedy == "List tiers by rising cap and rate and falling leverage"


def test_two_tables_of_one_date_are_refused() -> None:
    """Which of them would hold is unknown."""
    table = TierTable(5, [Tier(Decimal(10), Decimal("0.01"), 20)])
    with pytest.raises(ConfigError, match=r"^XUSDT: two tables begin at the same time") as refused:
        tier_rows([table, table], SCALE, "XUSDT")
    assert refused.value.remedy == "Keep one of them"
    with pytest.raises(ConfigError, match=r"^tiers: two tables"):
        tier_rows([table, table], SCALE)


def test_tables_are_ordered_by_their_dates() -> None:
    """And a flat one has no end; a rate that cannot be is refused."""
    first, second = (TierTable(day, [Tier(Decimal(10), Decimal("0.01"), day)]) for day in (5, 9))
    assert tier_rows([second, first], SCALE)["since"].tolist() == [5, 9]
    assert flat_tier(0.05, 3).tolist() == [(0, 0, np.iinfo(np.int64).max, 5_000_000, 0, 3)]
    with pytest.raises(ConfigError, match=r"^tiers: "):
        flat_tier(1.5, 3)


def test_rates_and_leverages_may_stay_as_they_are() -> None:
    """From tier to tier; a rate may be 1, a leverage 1. A cap beyond 64 bits is the most that these hold."""
    lines = [Tier(Decimal(10), Decimal(1), 1), Tier(Decimal(10**18), Decimal(1), 1)]
    rows = tier_rows([TierTable(0, lines)], SCALE)
    most = np.iinfo(np.int64).max
    assert rows.tolist() == [(0, 0, 10 * SCALE, SCALE, 0, 1), (0, 10 * SCALE, most, SCALE, 0, 1)]


def test_what_may_be_opened_at_a_cap_and_beyond_the_last() -> None:
    """20 up to 50, 10 up to 250: 250 with 10, a hair more with nothing; nothing with 21."""
    rows = tier_rows([TierTable(0, [Tier(Decimal(50), Decimal(0), 20), Tier(Decimal(250), Decimal(0), 10)])], 1)
    assert [leverage_allowed(rows, 0, 2, size) for size in (50.0, 50.5, 250.0, 250.5)] == [20, 10, 10, 0]
    assert [notional_allowed(rows, 0, 2, leverage) for leverage in (10, 10.5, 20, 21)] == [250, 50, 50, 0]
    assert notional_allowed(np.concatenate([flat_tier(0.0, 30), rows]), 1, 3, 21) == 0
