"""Conversion: instruments that are settled in another currency than the account's.

Everything is booked in the account's currency at the rate known when the row began on which it happened, and held at
the latest rate: what lots are worth is price × rate, so that whoever holds a share in euros in an account of dollars
gains and loses by both. A coin or a share is paid for in full and so exposed in full, as a position that was bought
with exchanged money; the same is taken of contracts on margin, whose venue exchanges profit and loss only.
"""

import math

from truewind.domain.clock import NEVER
from truewind.numerics.jit import kernel
from truewind.portfolio.collateral import collateral_value
from truewind.portfolio.state import account_of, assets_of, instruments_of, positions_of, rates_of


@kernel
def apply_rates(state: int, ts: int) -> None:
    """Value every symbol at its rate known at `ts`."""
    money, rates, instruments = account_of(state), rates_of(state), instruments_of(state)
    assets = assets_of(state)
    row = money["next_rate"]
    while row < len(rates) and rates[row]["ts"] <= ts:
        symbol = rates[row]["symbol"]
        if symbol < 0:
            assets[-1 - symbol]["index"] = rates[row]["rate"]
        else:
            instrument = instruments[symbol]
            instrument["rate"] = rates[row]["rate"]
            instrument["worth"] = instrument["own_worth"] * instrument["rate"]
        row += 1
    money["next_rate"] = row
    money["rates_at"] = rates[row]["ts"] if row < len(rates) else NEVER
    money["bounded"] = -1
    value_collateral(state)


@kernel
def value_collateral(state: int) -> None:
    """What the account's other currencies count for, at their latest rates and with their haircuts."""
    assets, worth = assets_of(state), 0.0
    for i in range(1, len(assets)):
        worth += collateral_value(assets[i], assets[i]["balance"])
    if len(assets) > 0:
        account_of(state)["collateral"] = math.floor(worth * assets[0]["unit"])


@kernel(inline=True)
def backing(state: int) -> int:
    """Ledger units that stand behind cross positions: cash, and what other currencies count for."""
    return int(account_of(state)["cash"] + account_of(state)["collateral"])


@kernel
def note_entry(state: int, leg: int, before: int, opened: int) -> None:
    """Average the rate at which `leg` was entered: `before` its cost so far, `opened` what was added at today's."""
    position = positions_of(state)[leg]
    rate = instruments_of(state)[position["symbol"]]["rate"]
    own = abs(before) / position["entry_rate"] + abs(opened) / rate
    position["entry_rate"] = (abs(before) + abs(opened)) / own if own > 0.0 else rate


@kernel
def converted(state: int, symbol: int, amount: int) -> int:
    """`amount` of a symbol's own currency in the account's, to the nearest ledger unit."""
    rate = instruments_of(state)[symbol]["rate"]
    return amount if rate == 1.0 else math.floor(amount * rate + 0.5)
