"""State: the arrays that kernels work on, found through one integer.

Between kernels an array travels as seven to nine machine words with a reference count, and to machine code from
Python as an object to be taken apart; ten of them cost more than the work they are handed over for. So kernels take
`state`, the address of a table that says where each array lies (see `numerics.memory`), and ask for what they need.
`engine.state.State` makes the table and keeps the arrays alive.
"""

from typing import Any

import numpy as np

from truewind.domain.account import ACCOUNT, COSTS, LIMITS, SIZING
from truewind.domain.fill import FILL
from truewind.domain.instrument import INSTRUMENT
from truewind.domain.market import FUNDING
from truewind.domain.order import ORDER, ORDER_EVENT
from truewind.domain.position import POSITION
from truewind.domain.signal import FOLLOWING, SIGNAL
from truewind.numerics import memory
from truewind.numerics.jit import COMPILED, kernel

# The arrays in the order of the table: for each its address and its length.
ARRAYS = (
    *("times", "prices", "funding", "instruments", "positions", "account"),
    *("orders", "fills", "events", "equity", "costs", "limits", "sizing", "signal", "following", "volumes"),
)
WORDS = 2 * len(ARRAYS)
_LAYOUTS: tuple[Any, ...] = (
    *(np.int64, np.float64, FUNDING, INSTRUMENT, POSITION, ACCOUNT),
    *(ORDER, FILL, ORDER_EVENT, np.float64, COSTS, LIMITS, SIZING, SIGNAL, FOLLOWING, np.float64),
)
DTYPES = {name: np.dtype(layout) for name, layout in zip(ARRAYS, _LAYOUTS, strict=True)}
# Where kernels run as plain Python there are no addresses: the arrays by handle.
OPEN: dict[int, tuple[np.ndarray, ...]] = {}

if COMPILED:
    words_at, array_at, table_at = memory.words_at, memory.array_at, memory.table_at
    _INT64, _FLOAT64 = np.int64, np.float64

    @kernel(inline=True)
    def times_of(state: int) -> Any:
        """int64 (3, rows): open time, event time, symbol index."""
        w = words_at(state, WORDS)
        return table_at(w[0], 3, w[1], _INT64)

    @kernel(inline=True)
    def prices_of(state: int) -> Any:
        """float64 (4, rows): open, high, low, close."""
        w = words_at(state, WORDS)
        return table_at(w[2], 4, w[3], _FLOAT64)

    @kernel(inline=True)
    def funding_of(state: int) -> Any:
        """FUNDING rows of all symbols; each position knows its own."""
        w = words_at(state, WORDS)
        return array_at(w[4], w[5], FUNDING)

    @kernel(inline=True)
    def instruments_of(state: int) -> Any:
        """One INSTRUMENT a symbol."""
        w = words_at(state, WORDS)
        return array_at(w[6], w[7], INSTRUMENT)

    @kernel(inline=True)
    def positions_of(state: int) -> Any:
        """One POSITION a symbol."""
        w = words_at(state, WORDS)
        return array_at(w[8], w[9], POSITION)

    @kernel(inline=True)
    def account_of(state: int) -> Any:
        """The ACCOUNT record."""
        w = words_at(state, WORDS)
        return array_at(w[10], w[11], ACCOUNT)[0]

    @kernel(inline=True)
    def orders_of(state: int) -> Any:
        """ORDER rows; the first account["orders"] of them work."""
        w = words_at(state, WORDS)
        return array_at(w[12], w[13], ORDER)

    @kernel(inline=True)
    def fills_of(state: int) -> Any:
        """The FILL buffer; account["fills"] rows are in use."""
        w = words_at(state, WORDS)
        return array_at(w[14], w[15], FILL)

    @kernel(inline=True)
    def events_of(state: int) -> Any:
        """The ORDER_EVENT buffer; account["events"] rows are in use."""
        w = words_at(state, WORDS)
        return array_at(w[16], w[17], ORDER_EVENT)

    @kernel(inline=True)
    def equity_of(state: int) -> Any:
        """float64 (rows): equity after each row, in ledger units."""
        w = words_at(state, WORDS)
        return array_at(w[18], w[19], _FLOAT64)

    @kernel(inline=True)
    def costs_of(state: int) -> Any:
        """The COSTS record."""
        w = words_at(state, WORDS)
        return array_at(w[20], w[21], COSTS)[0]

    @kernel(inline=True)
    def limits_of(state: int) -> Any:
        """The LIMITS record."""
        w = words_at(state, WORDS)
        return array_at(w[22], w[23], LIMITS)[0]

    @kernel(inline=True)
    def sizing_of(state: int) -> Any:
        """The SIZING record."""
        w = words_at(state, WORDS)
        return array_at(w[24], w[25], SIZING)[0]

    @kernel(inline=True)
    def signal_of(state: int) -> Any:
        """The SIGNAL that is to be acted on."""
        w = words_at(state, WORDS)
        return array_at(w[26], w[27], SIGNAL)[0]

    @kernel(inline=True)
    def following_of(state: int) -> Any:
        """One FOLLOWING a symbol."""
        w = words_at(state, WORDS)
        return array_at(w[28], w[29], FOLLOWING)

    @kernel(inline=True)
    def volumes_of(state: int) -> Any:
        """float64 (rows): volume in base units; no rows where it is not known."""
        w = words_at(state, WORDS)
        return array_at(w[30], w[31], _FLOAT64)

else:

    def _finder(name: str) -> Any:
        index = ARRAYS.index(name)
        single = name in ("account", "costs", "limits", "sizing", "signal")
        return lambda state: OPEN[state][index][0] if single else OPEN[state][index]

    times_of, prices_of, funding_of, instruments_of = map(_finder, ARRAYS[:4])
    positions_of, account_of, orders_of, fills_of = map(_finder, ARRAYS[4:8])
    events_of, equity_of, costs_of, limits_of = map(_finder, ARRAYS[8:12])
    sizing_of, signal_of, following_of, volumes_of = map(_finder, ARRAYS[12:])
