"""Cash settlement of shares: what was traded today is paid some sessions later.

Bought shares count at once; money from sales may be spent on other shares at once (good-faith rules apart) but be
withdrawn, or stand behind a cash account's free-riding test, only once settled.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from truewind.errors import DataError

# Sessions from trade to settlement for US shares, by the first trade date (SEC rule 15c6-1 and its amendments of 2017
# and 2024, releases 34-80295 and 34-96930).
US_EQUITIES = ((date(1995, 6, 7), 3), (date(2017, 9, 5), 2), (date(2024, 5, 28), 1))


def settlement_lag(traded: date, rules: Sequence[tuple[date, int]] = US_EQUITIES) -> int:
    """Sessions until a trade of this day settles. Raises DataError before the first rule."""
    lags = [lag for since, lag in rules if since <= traded]
    if not lags:
        raise DataError(f"No settlement rule for trades of {traded}", remedy=f"The first is of {rules[0][0]}")
    return lags[-1]


def settlement_day(traded: date, sessions: np.ndarray, lag: int) -> date:
    """The `lag`-th session after `traded`. sessions: datetime64[D], ascending. Raises DataError if they end before."""
    after = int(np.searchsorted(sessions, np.datetime64(traded, "D"), side="right")) + lag - 1
    if lag == 0:
        return traded
    if after >= len(sessions):
        raise DataError(
            f"The trade of {traded} settles {lag} sessions later, but the calendar ends on {sessions[-1]}",
            remedy="Extend the calendar",
        )
    day: date = sessions[after].astype(object)
    return day


def settled_cash(balance: int, amounts: np.ndarray, due: np.ndarray, today: date) -> int:
    """Ledger units of `balance` that are settled: without what is still to come in.

    amounts: cash flows already in the balance, positive for sales; due: datetime64[D], when each settles. Purchases
    not yet paid are owed, so they never add to what is settled.
    """
    pending = amounts[(due > np.datetime64(today, "D")) & (amounts > 0)]
    return balance - int(pending.sum())
