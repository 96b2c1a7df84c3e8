"""`decide` as a kernel: a user's function, compiled as it stands.

Machine code knows tuples of numbers, but neither classes nor enumerations. So the function is compiled with the words
that it uses exchanged: `Signal` is a kernel that makes one, with the same defaults and keywords; constants such as
`HOLD` are signals of plain numbers; `Want` and other IntEnums are tuples of integers by name; functions that it calls
are compiled in the same way. The function itself is not touched.
"""

import hashlib
import inspect
import types
from collections import namedtuple
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from truewind.domain.signal import NAN, Signal, Want
from truewind.numerics.jit import COMPILED, kernel

_HOLD = int(Want.HOLD)


@kernel(inline=True)
def make_signal(
    side: int = _HOLD,
    confidence: float = 1.0,
    entry: float = NAN,
    stop: float = NAN,
    target_1: float = NAN,
    target_2: float = NAN,
    target_3: float = NAN,
    target_4: float = NAN,
    horizon_us: int = 0,
    reason: int = 0,
) -> Signal:
    """`Signal(…)` for machine code, which needs every field's type to be the same each time."""
    return Signal(
        int(side), float(confidence), float(entry), float(stop), float(target_1), float(target_2), float(target_3),
        float(target_4), int(horizon_us), int(reason),
    )  # fmt: skip


def compiled(decide: Callable[..., Any]) -> Callable[..., Any]:
    """`decide` as a kernel, to be called from kernels; as it is where kernels run as plain Python."""
    return _compiled(decide, {}) if COMPILED else kernel(decide)


def digest(decide: Callable[..., Any]) -> str:
    """Hash of what its machine code depends on: the files of the functions involved, the constants that they read."""
    hashed = hashlib.blake2b(digest_size=10)
    for function in _involved(decide, {}).values():
        file = Path(function.__code__.co_filename)
        hashed.update(file.read_bytes() if file.is_file() else function.__code__.co_code)
        read = {name: value for name, value in _names(function).items() if not callable(value)}
        hashed.update(
            repr((function.__qualname__, function.__code__.co_names, function.__code__.co_consts, read)).encode()
        )
    return hashed.hexdigest()


def _compiled(function: Any, done: dict[int, Any]) -> Any:
    if id(function) not in done:
        exchanged = {name: _exchanged(value, done) for name, value in _names(function).items()}
        cells = tuple(types.CellType(exchanged[name]) for name in function.__code__.co_freevars)
        copy = types.FunctionType(
            function.__code__, {**function.__globals__, **exchanged}, function.__name__, function.__defaults__, cells
        )
        copy.__kwdefaults__ = function.__kwdefaults__
        copy.__module__ = function.__module__
        done[id(function)] = kernel(inline=True, raises=True, kept=False)(copy)
    return done[id(function)]


def _exchanged(value: Any, done: dict[int, Any]) -> Any:
    """What stands for `value` in machine code."""
    if value is Signal:
        return make_signal
    if isinstance(value, Signal):
        return Signal._make([int(value.side), *map(float, value[1:8]), int(value.horizon_us), int(value.reason)])
    if isinstance(value, IntEnum):
        return int(value)
    if inspect.isclass(value) and issubclass(value, IntEnum):
        members: Any = namedtuple(value.__name__, value.__members__)  # type: ignore[misc]  # its names are known now only
        return members._make(map(int, value))
    if isinstance(value, types.FunctionType):
        return _compiled(value, done)
    return value


def _names(function: types.FunctionType) -> Mapping[str, Any]:
    """The module's names and enclosed variables that `function` uses, with their values."""
    code = function.__code__
    found = {name: function.__globals__[name] for name in code.co_names if name in function.__globals__}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        found[name] = cell.cell_contents
    return found


def _involved(function: Any, seen: dict[int, Any]) -> dict[int, Any]:
    """`function` and the plain functions that it calls, and so on from those."""
    if id(function) not in seen:
        seen[id(function)] = function
        for value in _names(function).values():
            face = getattr(value, "py_func", value)
            if isinstance(face, types.FunctionType):
                _involved(face, seen)
    return seen
