"""The ring: what was seen `length` values ago."""

from math import nan
from typing import Any, Protocol

from truewind.numerics.jit import COMPILED, kernel


class Memory(Protocol):
    """Floats that a step may read and write: a bare pointer in machine code, a memoryview in Python."""

    def __getitem__(self, slot: int, /) -> float: ...

    def __setitem__(self, slot: int, value: float, /) -> None: ...


def part(window: Any, start: int) -> Any:
    """The slots of `window` from `start` on, so that one memory holds several windows."""
    return window[start:]


def scratch_in_python(count: int) -> Any:
    """`count` floats for as long as the caller needs them."""
    return memoryview(bytearray(8 * count)).cast("d")


scratch: Any = scratch_in_python

if COMPILED:
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic, overload

    @intrinsic
    def _further(context: Any, window: Any, start: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.gep(*arguments[:1], [context.cast(builder, arguments[1], signature.args[1], types.intp)])

        return window(window, start), build

    @overload(part)
    def _part_in_kernels(window: Any, start: Any) -> Any:
        def further(window: Any, start: Any) -> Any:
            return _further(window, start)  # type: ignore[call-arg]  # numba adds the context

        def rest(window: Any, start: Any) -> Any:
            return window[start:]

        # A step's Python face hands a memoryview to the kernels that it calls.
        return further if isinstance(window, types.CPointer) else rest

    @intrinsic
    def scratch(context: Any, count: Any) -> Any:  # on the stack of the function that calls it

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.alloca(ir.DoubleType(), size=arguments[0])

        pointer: Any = types.CPointer
        return pointer(types.float64)(types.int64), build


@kernel(inline=True)
def lag(x: float, length: int, cursor: int, full: int, window: Memory) -> tuple[float, int, int]:
    """One step of the delay: (the value `length` values ago or NaN, cursor, full). `window` is `length` floats."""
    past = window[cursor] if full else nan
    window[cursor] = x
    cursor += 1
    if cursor == length:
        return past, 0, 1
    return past, cursor, full


@kernel(inline=True)
def in_order(x: float, length: int, cursor: int, window: Memory) -> int:
    """Keep `x` so that the last `length` values lie in order of time from slot `cursor` on: cursor.

    Each value is written twice, `length` slots apart, so that no reader must turn a corner. `window` is 2 · length
    floats.
    """
    window[cursor] = x
    window[cursor + length] = x
    cursor += 1
    return 0 if cursor == length else cursor
