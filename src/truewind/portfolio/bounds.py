"""Bounds: how far marks may move before the margin must be looked at again.

Each cross leg may use up an equal share of what equity exceeds the maintenance margin by, an isolated leg all of its
own. While every mark stays within its bounds no combination of them can liquidate anything: a bar inside is quiet. A
bound need not be near the liquidation price, only never beyond it: a loss moves with the exposure, and the maintenance
margin rises at most at the highest rate of the symbol's tiers.
"""

from typing import Any

import numpy as np

from truewind.domain.position import CROSS
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.margin import leg_maintenance, unrealised
from truewind.portfolio.worth import coordinate, exposure

_HAIR = 1.0 - 1e-9  # so that rounding never hides a case


@kernel(inline=True)
def cross_share(wallet: float, legs: Any, instruments: Any, margins: Any, tiers: Any) -> float:
    """Ledger units that each cross leg may lose; not positive if the account is in danger where it stands."""
    held, equity, required = 0, float(wallet), 0.0
    for leg in legs:  # `cross_equity` less `cross_maintenance`, in one pass
        if leg["wallet"] == CROSS and leg["lots"] != 0:
            held += 1
            equity += unrealised(leg, instruments[leg["symbol"]], leg["mark"])
            required += leg_maintenance(leg, instruments, margins, tiers)
    return (equity - required) / max(1, held)


@kernel(inline=True)
def isolated_slack(leg: Any, instruments: Any, margins: Any, tiers: Any) -> float:
    """Ledger units that an isolated leg may lose."""
    equity = leg["wallet"] + unrealised(leg, instruments[leg["symbol"]], leg["mark"])
    return float(equity - leg_maintenance(leg, instruments, margins, tiers))


@kernel(inline=True)
def safe_prices(slack: float, leg: Any, instruments: Any, margins: Any, tiers: Any) -> tuple[float, float]:
    """Prices strictly between which the leg surely loses no more than `slack`: (low, high), from 0 to infinity.

    (mark, mark) if there is nothing to lose: every bar must then be looked at.
    """
    symbol = leg["symbol"]
    instrument, terms = instruments[symbol], margins[symbol]
    mark = float(leg["mark"])
    if leg["lots"] == 0:
        return 0.0, np.inf
    if not slack > 0.0:
        return mark, mark
    held = exposure(leg["lots"], instrument)
    at = coordinate(mark, instrument)
    low, high = 0.0, np.inf
    if held > 0.0:
        low = max(0.0, at - slack / held * _HAIR)
    else:
        steepest = 0.0
        if instrument["can_short"]:
            steepest = tiers[terms["last_tier"] - 1]["rate"] / RATE_SCALE
        high = at - slack / (held * (1.0 + steepest)) * _HAIR
    if instrument["inverse"]:
        return 1.0 / high, (1.0 / low if low > 0.0 else np.inf)
    return low, high
