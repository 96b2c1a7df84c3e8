"""Impact: how far an order that takes liquidity moves the price against itself.

Square-root law: the price moves by Y · σ · √(Q / V), with σ the volatility and V the volume of a period, whichever its
length (both sides of the root scale alike), and Y of order one; Tóth et al., "Anomalous price impact and the critical
nature of liquidity in financial markets", Phys. Rev. X 1, 021006 (2011). Here the period is a bar, and σ and V are
means over the bars before the fill, so that nothing of the bar in which it happens is used.

The other law is that of `impact_law: volume_share`: the price moves by Y times the square of the order's share of a
bar's volume, whatever the volatility; the form in which zipline's VolumeShareSlippage has it, with Y = 0.1 there.
"""

import math

from truewind.numerics.jit import kernel
from truewind.portfolio.state import costs_of, instruments_of, prices_of, times_of, volumes_of

_VOLUME_SHARE = 1
WINDOW = 96  # bars looked back on: a day of 15-minute bars, four days of hours
_TO_DEVIATION = math.sqrt(math.pi / 2.0)  # the deviation of a normal variable over its mean absolute value


@kernel(inline=True)
def impact(state: int, symbol: int, row: int, lots: int) -> float:
    """The fraction of the price by which `lots` move it on bar `row`; 0 where nothing is known of the bars before."""
    if not costs_of(state)["impact"] > 0.0 or len(volumes_of(state)) == 0:
        return 0.0
    return moved_by(state, symbol, row, lots)


@kernel
def moved_by(state: int, symbol: int, row: int, lots: int) -> float:
    """`impact` where there is some."""
    y, volumes = costs_of(state)["impact"], volumes_of(state)
    times = times_of(state)
    prices = prices_of(state)
    volume = moved = 0.0
    later = math.nan
    bars = moves = 0
    k = row - 1
    while k >= 0 and bars < WINDOW:
        if times[2][k] == symbol:
            if volumes[k] == volumes[k]:
                volume += volumes[k]
            bars += 1
            if later == later:
                moved += abs(later / prices[3][k] - 1.0)
                moves += 1
            later = prices[3][k]
        k -= 1
    if moves == 0 or not volume > 0.0:
        return 0.0
    instrument = instruments_of(state)[symbol]
    quantity = lots * instrument["lot_num"] / instrument["lot_den"]
    if costs_of(state)["impact_law"] == _VOLUME_SHARE:
        return float(y * (quantity * bars / volume) ** 2)
    return float(y * _TO_DEVIATION * (moved / moves) * math.sqrt(quantity * bars / volume))
