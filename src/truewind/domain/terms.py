"""Terms of trade at a venue: fees and margin tiers, with the date from which they hold."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np


class FeeRates(NamedTuple):
    """Fractions of the notional, from `since_us` on; a negative one is a rebate."""

    since_us: int
    maker: Decimal
    taker: Decimal


class Tier(NamedTuple):
    """One line of a margin table: positions of up to `cap`, in the settlement currency."""

    cap: Decimal
    rate: Decimal
    leverage: int


class TierTable(NamedTuple):
    """A symbol's margin tiers from `since_us` on, by rising cap."""

    since_us: int
    tiers: Sequence[Tier]


# What one account pays from `since` (µs) on; rates in 1e-8 of the notional, negative for a rebate.
FEE = np.dtype([("since", np.int64), ("maker", np.int64), ("taker", np.int64)], align=True)

# A currency's worth in the account's, from `ts` on, for the symbol that is settled in it; −1 − i for COLLATERAL row i.
RATE = np.dtype([("ts", np.int64), ("symbol", np.int64), ("rate", np.float64)], align=True)

# One currency of the account. index: dollars per whole unit; unit: ledger units of one whole unit. Buffers are
# fractions. threshold: the debt in ledger units (≥ 0) from which it is exchanged.
COLLATERAL = np.dtype(
    [
        ("balance", np.int64),
        ("threshold", np.int64),
        ("unit", np.float64),
        ("index", np.float64),
        ("bid_buffer", np.float64),
        ("ask_buffer", np.float64),
        ("exchange_bid_buffer", np.float64),
        ("exchange_ask_buffer", np.float64),
    ],
    align=True,
)

# A day of trading: sales until its end (`until`, µs, excluded) are paid for at `settles`; amount: what they brought.
SETTLING = np.dtype([("until", np.int64), ("settles", np.int64), ("amount", np.int64)], align=True)

# One tier in force from `since` (µs), for notionals in (floor, cap], in ledger units; rate in 1e-8; leverage: the most
# that is allowed. The tiers of one symbol lie together, ordered by since, then floor.
TIER = np.dtype(
    [
        ("since", np.int64),
        ("floor", np.int64),
        ("cap", np.int64),
        ("rate", np.int64),
        ("cum", np.int64),
        ("leverage", np.int64),
    ],
    align=True,
)

# A symbol's margin terms. All its tiers are rows [first_row, last_row) of the TIER table; those in force are
# [first_tier, last_tier) of them (`refresh_tiers`). leverage: as set for the symbol. isolated: its legs have wallets.
# liquidation_fee: in 1e-8 of what is liquidated. partial: liquidated tier by tier. maker, taker: the rates in force of
# rows [first_fee, last_fee) of the FEE table. received: purchases pay their fee in what they receive.
MARGIN = np.dtype(
    [
        ("first_row", np.int64),
        ("last_row", np.int64),
        ("first_tier", np.int64),
        ("last_tier", np.int64),
        ("leverage", np.float64),
        ("isolated", np.int64),
        ("liquidation_fee", np.int64),
        ("partial", np.int64),
        ("first_fee", np.int64),
        ("last_fee", np.int64),
        ("maker", np.int64),
        ("taker", np.int64),
        ("received", np.int64),
    ],
    align=True,
)
