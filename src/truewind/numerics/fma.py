"""Fused multiply-add: a·b + c with one rounding, as IEEE 754-2008 defines it.

Recursions use it because one instruction shortens the chain that each row must wait for, and rounds once less.
"""

import ctypes
import sys
from typing import Any

from truewind.numerics.jit import COMPILED

_libm = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
_libm.fma.argtypes = (ctypes.c_double, ctypes.c_double, ctypes.c_double)
_libm.fma.restype = ctypes.c_double


def fma(a: float, b: float, c: float) -> float:
    """a·b + c, rounded once. In kernels it is one instruction; from Python it is the C library's."""
    return float(_libm.fma(a, b, c))


if COMPILED:
    from numba import types
    from numba.extending import intrinsic, overload

    @intrinsic
    def _fma(context: Any, a: Any, b: Any, c: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.fma(*arguments)

        return types.float64(types.float64, types.float64, types.float64), build

    @overload(fma)
    def _fma_in_kernels(a: Any, b: Any, c: Any) -> Any:
        def fused(a: Any, b: Any, c: Any) -> Any:
            return _fma(a, b, c)  # type: ignore[call-arg]  # numba adds the context

        return fused
