"""The end of a contract: settlement price of dated futures, and of perpetuals that are delisted.

Binance settles both at the mean of the index price over the last minutes, one reading a second ("Delivery & Settlement
of Quarterly Futures", FAQ a3401595e1734084959c61491bc0dbe3; "Delisting of Futures Contracts",
dd60dfbf654d4055aa6b217ea6d5ddba). The taker fee is charged. In the last half hour before delisting positions may only
be reduced, and in the last hour the insurance fund takes nothing over.
"""

from typing import Any

import numpy as np

from truewind.domain.timeframe import SECOND_US
from truewind.numerics.jit import kernel

CLOSE_ONLY_US = 1_800 * SECOND_US


@kernel
def settlement_price(times: Any, index: Any, at: int, window: int) -> float:
    """Mean index price over the seconds (at − window, at], each at the last price known by then; NaN if there is none.

    times: int64 µs, ascending; index: float64 prices. Coarser data (minute closes) hold until the next value. Seconds
    before the first value are left out.
    """
    seconds = window // SECOND_US
    total = 0.0
    counted = 0
    row = -1
    for second in range(1, seconds + 1):
        now = at - window + second * SECOND_US
        while row + 1 < len(times) and times[row + 1] <= now:
            row += 1
        if row >= 0 and index[row] == index[row]:
            total += index[row]
            counted += 1
    return total / counted if counted > 0 else np.nan
