"""The loop around a step: the one place where rows are walked, for batch, chunk and stream alike.

A *step* is a kernel for one row: inputs, parameters and state come in as scalars, outputs and the new state go out:

    def step(x, length, count, value) -> output, count, value        # + a last argument `window` if it needs memory

`make_loop` writes the loop that calls it (source in the cache folder, to be read and stepped through). State stays in
registers while the loop runs and is loaded and saved at its ends, so a stream is the same machine code with one row.

One rule for missing data, for every step: a row in which an input is NaN, infinite or beyond ±LIMIT gives NaN
and leaves the state as it was, as if the row did not exist. An output that would be infinite is NaN.

Every loop is a C function of one signature, so `drive` runs any mixture of them in one call from Python:

    loop(rows, inputs, parameters, scalars, memory, outputs)

`inputs` and `outputs` hold one pointer a column; `scalars` is the state, `memory` the step's window; all float64. How
many rows there are stands in a cell of each task, so that one loop can make the rows of the next ones
(`features.slower`).
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple, cast

from truewind.numerics.jit import COMPILED, compile_entry, generated, kernel
from truewind.numerics.ring import scratch_in_python

# No price, volume or rate is as large; sums, squares and products of three stay finite below it.
LIMIT = 1e100
LEAST = 1e-100  # nor is one that is divided by as small; quotients of what lies between are finite


class Layout(NamedTuple):
    """What a step takes and gives, in this order. A type says how a float64 is handed to the step: int or float.

    memory: the step's last argument is its window.
    gathered: all inputs of a row come as one row of floats, the step's first argument, however many they are.
    steady: (place of a state, its value) for states that stay at that value, "1" or "p0", once they have reached it.
    When all have, rows are walked by a second loop in which these values are constants: the warm-up costs nothing any
    more (gathered steps have one loop). finite: no output is infinite for inputs within the limit, so that nobody need
    look.
    """

    inputs: int
    parameters: tuple[type, ...]
    state: tuple[type, ...]
    outputs: int
    memory: bool
    gathered: bool = False
    steady: tuple[tuple[int, str], ...] = ()
    finite: bool = False


# Rows that are gathered at a time. Columns of one size lie at addresses that compete for the same places in the cache:
# taken row by row, forty of them push each other out.
BLOCK = 64

GATHERED = ("width", "needed")  # what stands before the parameters of a gathered step: see `Feature.needed`


class Loop(NamedTuple):
    """A loop as machine code (`address`; 0 where kernels run as Python) and as its Python face."""

    address: int
    python: Callable[..., None]


@cache
def make_loop(step: Callable[..., Any], layout: Layout) -> Loop:
    """The loop around `step`, a kernel: compiled when first asked for, later taken from the disk."""
    face: Callable[..., Any] = getattr(step, "py_func", step)
    name = f"{face.__module__}.{face.__qualname__}"
    module = generated("loop_" + re.sub(r"\W+", "_", name), loop_source(name, layout), {"step": step})
    python = FunctionType(module.loop.__code__, {**vars(module), "step": face, "scratch": scratch_in_python})
    return Loop(entry_address(module.loop), python)


def loop_source(name: str, layout: Layout) -> str:
    """Python source of the loop around a step of this layout."""
    inputs = [f"x{i}" for i in range(layout.inputs)]
    parameters = [f"p{i}" for i in range(len(layout.parameters))]
    state = [f"s{i}" for i in range(len(layout.state))]
    outputs = [f"y{i}" for i in range(layout.outputs)]
    arguments = [*inputs, *parameters, *state, *(["memory"] if layout.memory else [])]
    known = " and ".join(f"abs({x}) < {LIMIT!r}" for x in inputs) or "True"
    reading = [f"        {x} = in_{x}[row]" for x in inputs]
    opening = [f"    in_{x} = inputs[{i}]" for i, x in enumerate(inputs)]
    shift = 0
    if layout.gathered:
        arguments[0], known, shift = "gathered", "known", len(GATHERED)
        opening = ["    width, needed = int(parameters[0]), int(parameters[1])"]
        opening += [f"    block = scratch(min(rows, {BLOCK}) * width)"]
        reading = [
            "        gathered, known = part(block, (row - begin) * width), True",
            "        for i in range(needed):",
            "            known = known and gathered[i] == gathered[i]",
        ]

    def body(arguments: Sequence[str]) -> list[str]:
        return [
            *reading,
            f"        if {known}:",
            f"            {', '.join([*outputs, *state])} = step({', '.join(arguments)})",
            *(
                f"            out_{y}[row] = {y}" + ("" if layout.finite else f" if abs({y}) < inf else nan")
                for y in outputs
            ),
            "        else:",
            *(f"            out_{y}[row] = nan" for y in outputs),
        ]

    walk = ["    for row in range(rows):", *body(arguments)]
    if layout.gathered:
        walk = [
            f"    for begin in range(0, rows, {BLOCK}):",
            f"        end = min(begin + {BLOCK}, rows)",
            "        for i in range(width):",
            "            column = inputs[i]",
            "            for row in range(begin, end):",
            "                x = column[row]",
            f"                block[(row - begin) * width + i] = x if abs(x) < {LIMIT!r} else nan",
            "        for row in range(begin, end):",
            *(f"    {line}" for line in body(arguments)),
        ]
    elif layout.steady:
        fixed = {state[place]: value for place, value in layout.steady}
        steady = " and ".join(f"{name} == {value}" for name, value in fixed.items())
        walk = ["    row = 0", f"    while row < rows and not ({steady}):", *body(arguments), "        row += 1"]
        walk += ["    for row in range(row, rows):", *body([fixed.get(name, name) for name in arguments])]
    return "\n".join(
        [
            f'"""The loop around {name}: made by truewind.numerics.loop, not to be edited."""',
            "",
            "from math import inf, nan",
            *(["", "from truewind.numerics.ring import part, scratch"] if layout.gathered else []),
            "",
            "",
            "def loop(rows, inputs, parameters, scalars, memory, outputs):",
            *opening,
            *(f"    out_{y} = outputs[{i}]" for i, y in enumerate(outputs)),
            *(
                f"    {p} = {kind.__name__}(parameters[{i + shift}])"
                for i, (p, kind) in _numbered(parameters, layout.parameters)
            ),
            *(f"    {s} = {kind.__name__}(scalars[{i}])" for i, (s, kind) in _numbered(state, layout.state)),
            *walk,
            *(f"    scalars[{i}] = {s}" for i, s in enumerate(state)),
            "",
        ]
    )


def _numbered(names: Sequence[str], kinds: Sequence[type]) -> enumerate[tuple[str, type]]:
    return enumerate(zip(names, kinds, strict=True))


_entries: list[Any] = []  # compiled loops live as long as the process, since others hold their addresses


def entry_address(loop: Callable[..., None]) -> int:
    """Address of `loop` as machine code, to be run by `drive`; 0 where kernels run as Python."""
    if not COMPILED:
        return 0
    from numba import types

    pointer: Any = types.CPointer
    column = pointer(types.float64)
    columns = pointer(column)
    compiled = compile_entry(loop, types.void(types.int64, columns, column, column, column, columns))
    _entries.append(compiled)
    return int(compiled.address)


# A task for `drive` is a row of int64: the addresses of the loop, of the number of its rows (a float64), and of its
# five other arguments.
TASK_WORDS = 7

if COMPILED:
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def _run_task(context: Any, task: Any) -> Any:
        """Call the loop of the task at address `task`."""

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = ir.IntType(64)
            words = builder.inttoptr(arguments[0], word.as_pointer())
            address, cell, *pointers = (builder.load(builder.gep(words, [word(i)])) for i in range(TASK_WORDS))
            rows = builder.load(builder.inttoptr(cell, ir.DoubleType().as_pointer()))
            loop = ir.FunctionType(ir.VoidType(), [word] * (TASK_WORDS - 1)).as_pointer()
            builder.call(builder.inttoptr(address, loop), [builder.fptosi(rows, word), *pointers])
            return context.get_dummy_value()

        return types.void(types.int64), build

    @kernel
    def drive(tasks: int, count: int) -> None:
        """Run `count` tasks, one after the other, which lie in this order from address `tasks` on."""
        for number in range(count):
            _run_task(tasks + number * (8 * TASK_WORDS))  # type: ignore[call-arg]  # numba adds the context

    @cache
    def driver() -> Callable[[int, int], None]:
        """`drive`, to be called with ints from Python: nobody looks at their types, which is a third of such a call."""
        compiler: Any = drive
        return cast("Callable[[int, int], None]", compiler.compile((types.int64, types.int64)))
