"""Entries: the kernels that Python calls on every order and every eventful bar, reached by the state's handle."""

from typing import Any

import numpy as np

from truewind.domain.account import ACCOUNT
from truewind.domain.fill import FILL
from truewind.domain.instrument import INSTRUMENT
from truewind.domain.order import ORDER, ORDER_EVENT
from truewind.domain.position import POSITION
from truewind.engine.intake import submit
from truewind.execution.simulated.costs import COSTS
from truewind.execution.simulated.matching import FUNDING, process, settle
from truewind.numerics import memory
from truewind.numerics.jit import COMPILED, kernel
from truewind.risk.gate import LIMITS

# What a handle's table says of each array: its address and its length, in this order.
ARRAYS = (
    *("times", "prices", "funding", "instruments", "positions", "account"),
    *("orders", "fills", "events", "equity", "costs", "limits"),
)
WORDS = 2 * len(ARRAYS)
# Handles by number where kernels run as plain Python and there are no addresses.
OPEN: dict[int, tuple[np.ndarray, ...]] = {}

_INT64, _FLOAT64 = np.int64, np.float64

if COMPILED:
    words_at, array_at, table_at = memory.words_at, memory.array_at, memory.table_at

    @kernel
    def arrays(handle: int) -> Any:
        """The arrays of a state, in the order of ARRAYS."""
        w = words_at(handle, WORDS)
        return (
            table_at(w[0], 3, w[1], _INT64),
            table_at(w[2], 4, w[3], _FLOAT64),
            array_at(w[4], w[5], FUNDING),
            array_at(w[6], w[7], INSTRUMENT),
            array_at(w[8], w[9], POSITION),
            array_at(w[10], w[11], ACCOUNT),
            array_at(w[12], w[13], ORDER),
            array_at(w[14], w[15], FILL),
            array_at(w[16], w[17], ORDER_EVENT),
            array_at(w[18], w[19], _FLOAT64),
            array_at(w[20], w[21], COSTS),
            array_at(w[22], w[23], LIMITS),
        )

else:

    def arrays(handle: int) -> Any:
        """The arrays of a state, in the order of ARRAYS."""
        return OPEN[handle]


@kernel
def process_at(handle: int, row: int) -> int:
    """`matching.process` on the state at `handle`."""
    (times, prices, funding, instruments, positions, account, orders, fills, events, equity, costs, _) = arrays(handle)
    return process(
        row, times, prices, funding, instruments, positions, account, orders, fills, events, equity, costs
    )  # fmt: skip


@kernel
def settle_at(handle: int, upto: int) -> None:
    """`matching.settle` on the state at `handle`."""
    (times, prices, _, instruments, positions, account, _, _, _, equity, _, _) = arrays(handle)
    settle(upto, times, prices, instruments, positions, account, equity)


@kernel
def submit_at(
    handle: int, row: int, symbol: int, side: int, kind: int, lots: int, price: int, reduce_only: int, parent: int,
    tag: int,
) -> int:  # fmt: skip
    """`intake.submit` on the state at `handle`, at the time when bar `row` is known."""
    (times, prices, _, instruments, positions, account, orders, _, events, equity, costs, limits) = arrays(handle)
    now = times[1, row] if row >= 0 else times[0, 0]
    return submit(
        row, symbol, side, kind, lots, price, reduce_only, parent, tag, now, times, prices, instruments, positions,
        account, orders, events, equity, costs, limits,
    )  # fmt: skip
