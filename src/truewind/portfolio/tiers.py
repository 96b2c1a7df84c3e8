"""Margin tiers: what part of a position's worth must be covered, by its size and by date.

Maintenance margin = notional × rate − cum, with the rate of the tier that the notional lies in. `cum` makes it
continuous: it is the sum over the tiers below of floor × (rate − rate of the tier before), so that each slice of a
position is charged at the rate of its own tier, as in a tax table. Source: Binance, "Leverage and Margin of USDⓈ-M
Futures" (FAQ 360033162192) and the same for COIN-M (be2c7d9d95b04a7e8044ed02dd7dfe5c).

Margin is compared, never booked, and marks are no ticks: it is reckoned in float ledger units, whose relative error
of 1e-15 is below a unit for positions up to 4e15 units.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from truewind.domain.terms import TIER, Tier, TierTable
from truewind.errors import ConfigError
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE


def tier_rows(tables: Sequence[TierTable], scale: int, what: str = "tiers") -> np.ndarray:
    """Dated tables of one symbol as TIER records; `scale` ledger units make one of its settlement currency.

    Raises ConfigError, naming `what`, if caps do not rise, rates fall or exceed 1, leverages rise, or dates repeat.
    """
    rows = []
    for table in sorted(tables, key=lambda table: table.since_us):
        floor = rate = cum = Fraction(0)
        leverage: float = np.inf
        for tier in table.tiers:
            if not (tier.cap > floor and rate <= tier.rate <= 1 and 1 <= tier.leverage <= leverage):
                raise ConfigError(
                    f"{what}: the tier up to {tier.cap} does not continue the one before it",
                    remedy="List tiers by rising cap and rate and falling leverage",
                )
            cum += floor * (Fraction(tier.rate) - rate)
            rate, leverage = Fraction(tier.rate), tier.leverage
            rows.append(
                (
                    table.since_us,
                    round(floor * scale),
                    min(round(tier.cap * scale), int(np.iinfo(np.int64).max)),
                    round(rate * RATE_SCALE),
                    round(cum * scale),
                    tier.leverage,
                )
            )
            floor = Fraction(tier.cap)
    dates = [table.since_us for table in tables]
    if len(set(dates)) != len(dates):
        raise ConfigError(f"{what}: two tables begin at the same time", remedy="Keep one of them")
    return np.array(rows, TIER)


def flat_tier(rate: float, leverage: int) -> np.ndarray:
    """One tier without end: the same rate for every size."""
    unlimited = Decimal(int(np.iinfo(np.int64).max))
    return tier_rows([TierTable(0, [Tier(unlimited, Decimal(str(rate)), leverage)])], 1)


@kernel
def tiers_in_force(tiers: Any, first: int, last: int, ts: int) -> tuple[int, int]:
    """Rows [from, to) of the table that is in force at `ts` among one symbol's rows [first, last).

    Before the first date the first table holds: a table's date is when it was announced or first seen.
    """
    start = first
    while start < last:
        end = start + 1
        while end < last and tiers[end]["since"] == tiers[start]["since"]:
            end += 1
        if end == last or tiers[end]["since"] > ts:
            return start, end
        start = end
    return first, last


@kernel(inline=True)
def tier_of(tiers: Any, first: int, last: int, notional: float) -> int:
    """Row of the tier that `notional` ≥ 0 lies in; the last one if it exceeds all caps."""
    row = first
    while row + 1 < last and notional > tiers[row]["cap"]:
        row += 1
    return row


@kernel(inline=True)
def maintenance_margin(tiers: Any, first: int, last: int, notional: float) -> float:
    """Least equity in ledger units that a position of `notional` ledger units must have."""
    tier = tiers[tier_of(tiers, first, last, notional)]
    return float(notional * (tier["rate"] / RATE_SCALE) - tier["cum"])


@kernel
def initial_margin(notional: float, leverage: float) -> float:
    """Equity needed to open a position: notional ÷ leverage (Binance FAQ 87fa7ee33b574f7084d42bd2ce2e463b)."""
    return notional / leverage


@kernel
def leverage_allowed(tiers: Any, first: int, last: int, notional: float) -> int:
    """The most leverage that a position of `notional` may be opened with; 0 beyond the last tier."""
    row = tier_of(tiers, first, last, notional)
    return 0 if notional > tiers[row]["cap"] else int(tiers[row]["leverage"])


@kernel(inline=True)
def notional_allowed(tiers: Any, first: int, last: int, leverage: float) -> int:
    """The largest position that may be opened with `leverage`; 0 if no tier allows so much."""
    allowed = 0
    for row in range(first, last):
        if tiers[row]["leverage"] >= leverage:
            allowed = int(tiers[row]["cap"])
    return allowed
