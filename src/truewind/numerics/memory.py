"""Arrays by address: how a kernel gets at many arrays through one integer.

Handing an array to compiled code costs Python about 0.1 µs, a structured one more, each time. A *handle* is the
address of a table of int64 that says where arrays lie and how long they are; handing it over costs what an
integer costs. Whoever makes the table must keep it and the arrays alive, and rewrite it when an array moves.
"""

from typing import Any

from truewind.numerics.jit import COMPILED, kernel

if COMPILED:
    import numba
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic
    from numba.np import arrayobj

    _numba: Any = numba
    carray = _numba.carray
    _arrays: Any = arrayobj

    def _pointer_to(context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), build

    insert: Any = cgutils.get_or_insert_function

    def _prefetch_at(context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = ir.IntType(32)
            pointer = builder.inttoptr(arguments[0], cgutils.voidptr_t)
            kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
            function = insert(builder.module, kind, "llvm.prefetch.p0")
            builder.call(function, [pointer, number(0), number(3), number(1)])
            return context.get_dummy_value()

        return types.void(address), build

    _prefetch: Any = intrinsic(_prefetch_at)

    @kernel(inline=True)
    def prefetch(address: int) -> None:
        """Ask for the memory at `address`, which will be read soon: a hint, without effect on what is computed."""
        _prefetch(address)

    # An integer as a pointer; numba itself passes the context.
    _pointer: Any = intrinsic(_pointer_to)

    @kernel(inline=True)
    def row(k: int) -> Any:
        """`k` ≥ 0 as an index that numba need not test for counting from the end."""
        return types.uint64(k)

    @kernel
    def words_at(handle: int, count: int) -> Any:
        """The table at `handle`: `count` int64."""
        return carray(_pointer(handle), (count,), types.int64)

    def _array_at(context: Any, address: Any, length: Any, dtype: Any) -> Any:
        """The 1-D array of `length` items of `dtype` (a constant) at `address`.

        Put together where it is asked for: by way of `carray` each dtype would be two functions more to compile.
        """
        array = types.Array(dtype.dtype, 1, "C")

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            item = context.get_data_type(array.dtype)
            size = context.get_constant(types.intp, context.get_abi_sizeof(item))
            count = context.cast(builder, arguments[1], signature.args[1], types.intp)
            data = builder.inttoptr(arguments[0], item.as_pointer())
            made = _arrays.make_array(array)(context, builder)
            _arrays.populate_array(made, data=data, shape=[count], strides=[size], itemsize=size, meminfo=None)
            return made._getvalue()

        return array(address, length, dtype), build

    array_at: Any = intrinsic(_array_at)

    @kernel
    def table_at(address: int, rows: int, length: int, dtype: Any) -> Any:
        """The 2-D C-ordered array at `address`."""
        return carray(_pointer(address), (rows, length), dtype)

else:

    def row(k: int) -> Any:
        """`k`: Python counts from the end by itself, and never comes there."""
        return k
