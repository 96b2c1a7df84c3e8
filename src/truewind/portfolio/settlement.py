"""Cash settlement of shares: what was traded today is paid some sessions later.

Bought shares count at once; money from sales may be spent on other shares at once (good-faith rules apart) but be
withdrawn, or stand behind a cash account's free-riding test, only once settled.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from truewind.domain.clock import NEVER
from truewind.domain.terms import SETTLING
from truewind.errors import DataError
from truewind.numerics.jit import kernel
from truewind.portfolio.state import settling_of

# Sessions from trade to settlement for US shares, by the first trade date (SEC rule 15c6-1 and its amendments of 2017
# and 2024, releases 34-80295 and 34-96930).
US_EQUITIES = ((date(1995, 6, 7), 3), (date(2017, 9, 5), 2), (date(2024, 5, 28), 1))


def settlement_lag(traded: date, rules: Sequence[tuple[date, int]] = US_EQUITIES) -> int:
    """Sessions until a trade of this day settles. Raises DataError before the first rule."""
    lags = [lag for since, lag in rules if since <= traded]
    if not lags:
        raise DataError(f"No settlement rule for trades of {traded}", remedy=f"The first is of {rules[0][0]}")
    return lags[-1]


def settling_days(ends: np.ndarray, zone: str) -> np.ndarray:
    """SETTLING rows of the trading days that end at `ends` (µs UTC, ascending), of which the last few settle never.

    A day's sales settle at the end of the day of trading that the rule of its date says. Raises DataError as above.
    """
    rows = np.zeros(len(ends), SETTLING)
    rows["until"], rows["settles"] = ends, NEVER
    for i, end in enumerate(ends.tolist()):
        traded = datetime.fromtimestamp(end / 1e6 - 1.0, ZoneInfo(zone)).date()
        paid = i + settlement_lag(traded)
        if paid < len(ends):
            rows["settles"][i] = ends[paid - 1]  # the money is there when the settlement day begins
    return rows


@kernel
def day_of(rows: Any, ts: int) -> int:
    """The trading day that `ts` is in; the last one after its end."""
    low, high = 0, len(rows) - 1
    while low < high:
        middle = (low + high) // 2
        if rows[middle]["until"] > ts:
            high = middle
        else:
            low = middle + 1
    return low


@kernel(inline=True)
def note_sale(state: int, ts: int, amount: int) -> None:
    """Shares were sold for `amount` ledger units, which are still to come."""
    rows = settling_of(state)
    if len(rows) > 0:
        rows[day_of(rows, ts)]["amount"] += amount


@kernel(inline=True)
def unsettled(state: int, ts: int) -> int:
    """Ledger units from sales that have not come in yet."""
    rows, total = settling_of(state), 0
    if len(rows) == 0:
        return 0
    day = day_of(rows, ts)
    while day >= 0 and rows[day]["settles"] > ts:
        total += rows[day]["amount"]
        day -= 1
    return int(total)
