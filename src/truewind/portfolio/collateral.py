"""Several currencies as collateral of one account (Binance Multi-Assets Mode, FAQ 29b45c485d664028b9ca1cdf90b24f6f).

Each balance counts at its dollar index with a haircut: a positive one at index × (1 − bid buffer), a debt at
index × (1 + ask buffer). The FAQ's collateral value ratio is 1 − bid buffer; `GET /fapi/v1/assetIndex` gives both.
A debt beyond the currency's threshold is exchanged away: the other balances are sold in proportion to their worth, at
the narrower auto-exchange buffers. Multi-assets mode knows cross margin only.
"""

from typing import Any, NamedTuple

import numpy as np

from truewind.domain.terms import COLLATERAL, RATE
from truewind.numerics.jit import kernel


class Collateral(NamedTuple):
    """The account's currencies as COLLATERAL rows, its own first, and the RATE rows of the others by time."""

    assets: np.ndarray
    rates: np.ndarray


def no_collateral() -> Collateral:
    """Of an account in one currency."""
    return Collateral(np.zeros(0, COLLATERAL), np.zeros(0, RATE))


@kernel
def collateral_value(asset: Any, amount: float) -> float:
    """Dollars that `amount` ledger units of `asset` count for as margin; negative for a debt."""
    dollars = amount / asset["unit"] * asset["index"]
    if dollars >= 0.0:
        return float(dollars * (1.0 - asset["bid_buffer"]))
    return float(dollars * (1.0 + asset["ask_buffer"]))


@kernel
def auto_exchange(assets: Any, force: bool) -> bool:
    """Pay off debts by selling the other balances, in place; whether anything was exchanged.

    A debt is paid once it reaches its threshold, or at once with `force` (liquidation; or no position is open and the
    loan is worth as much as what backs it). What is sold is rounded up, what is bought pays the debt exactly; if the
    balances do not suffice they are sold whole and the rest of the debt remains.
    """
    changed = False
    for i in range(len(assets)):
        debt = -assets[i]["balance"]
        if debt <= 0 or (debt < assets[i]["threshold"] and not force):
            continue
        owed = debt / assets[i]["unit"] * assets[i]["index"] * (1.0 + assets[i]["exchange_ask_buffer"])
        backing = 0.0
        for j in range(len(assets)):
            if assets[j]["balance"] > 0:
                backing += exchange_value(assets[j])
        if backing <= 0.0:
            continue
        share = min(1.0, owed / backing)
        for j in range(len(assets)):
            balance = assets[j]["balance"]
            if balance > 0:
                assets[j]["balance"] = balance - min(balance, int(np.ceil(balance * share)))
        if share < 1.0:
            assets[i]["balance"] = 0
        else:
            assets[i]["balance"] = -int(np.ceil(debt * (1.0 - backing / owed)))
        changed = True
    return changed


@kernel
def exchange_value(asset: Any) -> float:
    """Dollars that the positive balance of `asset` brings when it is exchanged."""
    return float(asset["balance"] / asset["unit"] * asset["index"] * (1.0 - asset["exchange_bid_buffer"]))
