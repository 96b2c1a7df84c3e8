"""Arrays by address: how a kernel gets at many arrays through one integer.

Handing an array to compiled code costs Python about 0.1 µs, a structured one more, each time. A *handle* is the
address of a table of int64 that says where arrays lie and how long they are; handing it over costs what an
integer costs. Whoever makes the table must keep it and the arrays alive, and rewrite it when an array moves.
"""

from typing import Any

from truewind.numerics.jit import COMPILED, kernel

if COMPILED:
    import numba
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    _numba: Any = numba
    carray = _numba.carray

    def _pointer_to(context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), build

    # An integer as a pointer; numba itself passes the context.
    _pointer: Any = intrinsic(_pointer_to)

    @kernel
    def words_at(handle: int, count: int) -> Any:
        """The table at `handle`: `count` int64."""
        return carray(_pointer(handle), (count,), types.int64)

    @kernel
    def array_at(address: int, length: int, dtype: Any) -> Any:
        """The 1-D array of `length` items of `dtype` (a constant) at `address`."""
        return carray(_pointer(address), (length,), dtype)

    @kernel
    def table_at(address: int, rows: int, length: int, dtype: Any) -> Any:
        """The 2-D C-ordered array at `address`."""
        return carray(_pointer(address), (rows, length), dtype)
