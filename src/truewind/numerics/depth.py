"""The first levels of an order book, written down after each message or at every tick of a clock."""

from typing import Any

import numpy as np

from truewind.domain.book import BookKind
from truewind.numerics.book import FULL, NO_KEY, clear, lots_at, next_key, set_level
from truewind.numerics.borrow import borrow
from truewind.numerics.jit import kernel

_LEVEL, _CLEAR = int(BookKind.LEVEL), int(BookKind.CLEAR)

# int64 (2,): the next moment to write down, and the latest receipt so far; NEVER_YET before the first event.
NEXT, KNOWN = 0, 1
NEVER_YET = np.iinfo(np.int64).min


@kernel(inline=True)
def write_side(sides: Any, levels: Any, far: Any, s: int, units: Any, out: Any, at: int) -> None:
    """The best levels of side `s` into column `at` of `out` (see `sample`), NaN where there are none."""
    key = sides[s]["best"]
    sign = 1 - 2 * s
    for level in range(len(out) // 4):
        price = quantity = np.nan
        if key != NO_KEY:
            # Whole numbers and one division: the float nearest to the decimal price.
            price = sign * key * units[0] / units[1]
            quantity = lots_at(sides, levels, far, s, key) * units[2] / units[3]
            key = next_key(sides, levels, far, s, key)
        out[4 * level + 2 * s, at], out[4 * level + 2 * s + 1, at] = price, quantity


@kernel
def sample(
    events: Any, first: int, last: int, sides: Any, levels: Any, far: Any, every: int, clock: Any, units: Any,
    ts: Any, known: Any, out: Any, at: int,
) -> tuple[int, int]:  # fmt: skip
    """Apply rows [first, last) of BOOK_EVENT and write the book down from column `at` on: (row reached, columns made).

    every: µs between moments, the book being as it was after all that happened up to each; 0 writes it after each
    message of depth. units: the tick size as a fraction of two whole numbers, then the lot size. out: rows bid, bid
    quantity, ask, ask quantity of each level. Stops short of `last` where out is full, or the far table.
    """
    events, sides, levels, far = borrow(events), borrow(sides), borrow(levels), borrow(far)
    ts, known, out = borrow(ts), borrow(known), borrow(out)
    room = len(ts)
    for k in range(first, last):
        event = events[k]
        now, kind = event["ts_event"], event["kind"]
        if every > 0:
            if clock[NEXT] == NEVER_YET:
                clock[NEXT] = -(-now // every) * every
            while clock[NEXT] < now:
                if at == room:
                    return k, at
                ts[at], known[at] = clock[NEXT], max(clock[NEXT], clock[KNOWN])
                for s in range(2):
                    write_side(sides, levels, far, s, units, out, at)
                at += 1
                clock[NEXT] += every
        elif at == room:
            return k, at
        if kind == _LEVEL:
            side = int(event["side"])
            if set_level(sides, levels, far, int(side < 0), side * int(event["ticks"]), event["lots"]) == FULL:
                return k, at
        elif kind == _CLEAR:
            clear(sides, levels, far)
        clock[KNOWN] = max(clock[KNOWN], event["ts_recv"])
        if every == 0 and event["last"] and kind in (_LEVEL, _CLEAR):
            ts[at], known[at] = now, clock[KNOWN]
            for s in range(2):
                write_side(sides, levels, far, s, units, out, at)
            at += 1
    return last, at
