"""Terms of trade at a venue: fees and margin tiers, with the date from which they hold."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple


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
