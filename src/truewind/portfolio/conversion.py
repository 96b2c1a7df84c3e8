"""Conversion: instruments that are settled in another currency than the account's.

Everything is booked in the account's currency at the rate known when the row began on which it happened, and held at
the latest rate: what lots are worth is price × rate, so that whoever holds a share in euros in an account of dollars
gains and loses by both. A coin or a share is paid for in full and so exposed in full, as a position that was bought
with exchanged money; the same is taken of contracts on margin, whose venue exchanges profit and loss only.
"""

import math

from truewind.domain.clock import NEVER
from truewind.numerics.jit import kernel
from truewind.portfolio.state import account_of, instruments_of, positions_of, rates_of


@kernel
def apply_rates(state: int, ts: int) -> None:
    """Value every symbol at its rate known at `ts`."""
    money, rates, instruments = account_of(state), rates_of(state), instruments_of(state)
    row = money["next_rate"]
    while row < len(rates) and rates[row]["ts"] <= ts:
        instrument = instruments[rates[row]["symbol"]]
        instrument["rate"] = rates[row]["rate"]
        instrument["worth"] = instrument["own_worth"] * instrument["rate"]
        row += 1
    money["next_rate"] = row
    money["rates_at"] = rates[row]["ts"] if row < len(rates) else NEVER
    money["bounded"] = -1


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
