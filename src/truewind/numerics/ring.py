"""The ring: what was seen `length` values ago."""

from math import nan
from typing import Protocol

from truewind.numerics.jit import kernel


class Memory(Protocol):
    """Floats that a step may read and write: a bare pointer in machine code, a memoryview in Python."""

    def __getitem__(self, slot: int, /) -> float: ...

    def __setitem__(self, slot: int, value: float, /) -> None: ...


@kernel(inline=True)
def lag(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """One step of the delay: (the value `length` values ago or NaN, cursor, full). `window` is `length` floats."""
    past = window[cursor] if full else nan
    window[cursor] = x
    cursor += 1
    if cursor == length:
        return past, 0, 1
    return past, cursor, full
