"""Features as they are run: many of them compiled into one call, over a chunk of rows or over one bar.

A `Stream` holds the state of all its features in one float64 array. `extend` takes the next rows as columns, `update`
the next bar; both run the same loops from the same state, so it does not matter how the rows are cut.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, cast

import msgspec
import numpy as np

from truewind.errors import FeatureError, suggest
from truewind.features.base import REGISTRY, Feature, ancestors
from truewind.features.plan import Floats, Plan
from truewind.features.spec import parse_specs, warmup
from truewind.numerics.jit import COMPILED

# What a bar raises that lacks a field or holds something else than numbers.
_NOT_TAKEN = (KeyError, AttributeError, TypeError, ValueError, struct.error)

_Columns = list[tuple[list[Floats], list[Floats]]]


class _Saved(msgspec.Struct, forbid_unknown_fields=True):
    """A stream's state on paper. layout: what each feature keeps, so that no state enters a feature that changed."""

    layout: list[tuple[str, list[str], int]]
    state: bytes


class Stream:
    """The features of `specs`, resumable at any row.

    columns: names of the outputs, in order. inputs: columns read, `ts` among them if a feature is on a longer
    timeframe. warmup: rows until all features have a value. What several features read, `rsi(14)` in two others, is
    computed once. timeframe: that of the rows, as "1m"; needed for features on a longer one.
    compiled=False runs the Python face of the kernels, which a debugger can step through, with the same results.
    Raises FeatureError for an unknown feature or a wrong parameter.
    """

    def __init__(self, specs: Iterable[str | Feature], *, timeframe: str = "", compiled: bool = COMPILED) -> None:
        self._compiled = compiled and COMPILED
        self.features = parse_specs(specs)
        self.timeframe = timeframe
        self.warmup: int = warmup(self.features, timeframe)
        plan = Plan(self.features, timeframe)
        self.inputs: tuple[str, ...] = plan.inputs
        self.columns: tuple[str, ...] = tuple(plan.outputs)
        self._nodes, self._clocks, self._shown = plan.nodes, plan.clocks, list(plan.outputs.values())
        self._allot()
        self.reset()

    def update(self, bar: Any) -> Any:
        """The features' values at `bar`, the next row: a named tuple with a field a column (`.` in names becomes `_`).

        `bar` is any object or mapping with the fields of `inputs`, such as a `Bar`; a None counts as missing.
        Raises FeatureError if it lacks a field or holds something that is no number; the state is then untouched.
        """
        if "update" not in vars(self):
            self._prepare_updates()
        return vars(self)["update"](bar)

    def vector(self, bar: Any) -> Floats:
        """Like `update`, the values as one new float64 array in the order of `columns`: what a model reads."""
        if "vector" not in vars(self):
            self._prepare_updates()
        return cast("Floats", vars(self)["vector"](bar))

    def _prepare_updates(self) -> None:
        """Replace `update` and `vector` of this stream by functions that have nothing left to look up.

        A bar goes in and out through bytes, which `struct` and cells of a memoryview reach several times faster than an
        array's buffer.
        """
        names = self.inputs
        arriving, leaving = bytearray(8 * len(names)), bytearray(8 * len(self.columns))
        inputs, outputs = np.frombuffer(arriving), np.frombuffer(leaving)
        pack = struct.Struct(f"={len(names)}d").pack_into
        unpack = struct.Struct(f"={len(self.columns)}d").unpack_from
        taken, given = memoryview(arriving).cast("d"), memoryview(leaving).cast("d")
        row: Callable[[Any], Any] = partial(tuple.__new__, _row_type(self.columns))
        run = self._prepared(list(inputs[:, None]), list(outputs[:, None]), 1)
        getters: dict[type, Callable[[Any], Any]] = {}

        def take_slowly(bar: Any) -> None:
            getters[type(bar)] = _getter(bar, names)
            pack(arriving, 0, *[number_in(bar, name) for name in names])

        def take_one(bar: Any) -> None:
            try:
                taken[0] = getters[type(bar)](bar)
            except _NOT_TAKEN:
                take_slowly(bar)
            run()

        def take_all(bar: Any) -> None:
            try:
                pack(arriving, 0, *getters[type(bar)](bar))
            except _NOT_TAKEN:
                take_slowly(bar)
            run()

        take = take_one if len(names) == 1 else take_all

        def update(bar: Any) -> Any:
            take(bar)
            return row(unpack(leaving))

        def update_one(bar: Any) -> Any:  # one number in, one out: `take_one` without the call, a sixth of the time
            try:
                taken[0] = getters[type(bar)](bar)
            except _NOT_TAKEN:
                take_slowly(bar)
            run()
            return row((given[0],))

        def vector(bar: Any) -> Floats:
            take(bar)
            return outputs.copy()

        quickest = update_one if len(names) == len(self.columns) == 1 else update
        self.update, self.vector = quickest, vector  # type: ignore[method-assign]  # of this object: a call less each bar

    def extend(self, arrays: Mapping[str, Any]) -> dict[str, Floats]:
        """The features' values over the next rows: a float64 array a column, as long as the arrays given.

        `arrays` holds one-dimensional numbers of equal length for every name in `inputs`; more are ignored.
        Raises FeatureError naming the column that is missing, of another length or not numeric.
        """
        inputs = [self._input(arrays, name) for name in self.inputs]
        rows = len(inputs[0]) if inputs else 0
        for name, values in zip(self.inputs, inputs, strict=True):
            if len(values) != rows:
                raise FeatureError(
                    f"'{name}' has {len(values)} rows, '{self.inputs[0]}' has {rows}",
                    remedy="Give columns of the same rows",
                    column=name,
                )
        # The outputs of a feature lie in one piece: smaller ones that are freed together are given back to the system,
        # and fetching them again for the next call costs more than computing them.
        outputs = [column for feature in self.features for column in np.empty((len(feature.columns), rows))]
        if rows:
            self._prepared(inputs, outputs, rows)()
        return dict(zip(self.columns, outputs, strict=True))

    def reset(self) -> None:
        """Forget all rows."""
        for node, (scalars, memory) in zip(self._nodes, self._states, strict=True):
            scalars[:] = list(node.state.values())
            memory[:] = node.blank

    def save(self) -> bytes:
        """The state after the rows seen so far, to go on from by `load`."""
        return msgspec.msgpack.encode(_Saved(self._layout(), self._state.astype("<f8").tobytes()))

    def load(self, saved: bytes) -> None:
        """Go on from a saved state. Raises FeatureError if it is damaged or of other features."""
        try:
            found = msgspec.msgpack.decode(saved, type=_Saved)
        except msgspec.MsgspecError as error:
            raise FeatureError(f"The saved feature state is damaged: {error}", remedy="Warm up from history") from None
        if found.layout != self._layout() or len(found.state) != 8 * len(self._state):
            raise FeatureError(
                f"The saved state is of {', '.join(spec for spec, _, _ in found.layout) or 'no features'}, "
                f"not of {', '.join(map(repr, self.features))} as they are now",
                remedy="Warm up from history",
            )
        self._state[:] = np.frombuffer(found.state, "<f8")

    def __reduce__(self) -> Any:
        # The plan holds addresses of this object's arrays: a copy must make its own.
        return _resumed, (self.features, self.timeframe, self.save())

    def _layout(self) -> list[tuple[str, list[str], int]]:
        return [(node.name, list(node.state), node.memory) for node in self._nodes]

    def _allot(self) -> None:
        """The state of all nodes, one after the other: their scalars, then their memory."""
        self._state = np.zeros(sum(len(node.state) + node.memory for node in self._nodes))
        self._states: list[tuple[Floats, Floats]] = []
        start = 0
        for node in self._nodes:
            split = start + len(node.state)
            end = split + node.memory
            self._states.append((self._state[start:split], self._state[split:end]))
            start = end

    def _prepared(self, inputs: Sequence[Floats], outputs: Sequence[Floats], rows: int) -> Callable[[], None]:
        """A call that runs all nodes over these columns, which must stay where they are."""
        board: list[Any] = [*inputs, *([None] * (len(self._clocks) - len(inputs)))]
        for number, column in zip(self._shown, outputs, strict=True):
            board[number] = column
        for number, clock in enumerate(self._clocks):
            if board[number] is None:  # what no caller sees; of longer bars no row ends more than two
                board[number] = np.empty(2 * rows if clock else rows)
        counts = [np.array([float(rows)])] * (1 + max(self._clocks, default=0))
        for node, (scalars, _) in zip(self._nodes, self._states, strict=True):
            if node.makes:
                counts[node.makes] = scalars[1:2]
        columns = [
            ([counts[-number] if number < 0 else board[number] for number in node.reads],
             [board[number] for number in node.writes])
            for node in self._nodes
        ]  # fmt: skip
        return (self._by_address if self._compiled else self._by_hand)(columns, counts)

    def _by_address(self, columns: _Columns, counts: list[Floats]) -> Callable[[], None]:
        from truewind.numerics.loop import TASK_WORDS, driver  # `driver` exists only where kernels are compiled

        tasks = np.empty((len(self._nodes), TASK_WORDS), np.int64)
        pointers = []
        for task, node, (scalars, memory), used in zip(tasks, self._nodes, self._states, columns, strict=True):
            reads, writes = (np.array([column.ctypes.data for column in part], np.int64) for part in used)
            pointers.append((reads, writes))
            task[0] = node.loop().address
            task[1:] = [
                array.ctypes.data for array in (counts[node.clock], reads, node.parameters, scalars, memory, writes)
            ]
        drive = driver()
        segments: list[Callable[[], None]] = []
        first = 0
        for number, task in enumerate(tasks):  # what has no machine code (an expression) stands between two drives
            if not task[0]:
                if number > first:
                    segments.append(partial(drive, tasks[first:].ctypes.data, number - first))
                segments.append(partial(self._call, number, columns[number], counts))
                first = number + 1
        if not segments or first < len(tasks):
            segments.append(partial(drive, tasks[first:].ctypes.data, len(tasks) - first))
        run: Any = segments[0] if len(segments) == 1 else partial(_one_by_one, segments)
        # Everything that is known by its address only: a method may outlive the stream that it was taken from.
        run.alive = (tasks, pointers, columns, counts, self._nodes, self._states)
        return cast("Callable[[], None]", run)

    def _by_hand(self, columns: _Columns, counts: list[Floats]) -> Callable[[], None]:
        def run() -> None:
            for number, used in enumerate(columns):
                self._call(number, used, counts)

        return run

    def _call(self, number: int, columns: tuple[list[Floats], list[Floats]], counts: list[Floats]) -> None:
        """Run the Python face of one node."""
        node, (scalars, memory), (reads, writes) = self._nodes[number], self._states[number], columns
        node.loop().python(
            int(counts[node.clock][0]),
            [column.data for column in reads],
            *(array.data for array in (node.parameters, scalars, memory)),
            [column.data for column in writes],
        )

    def _input(self, arrays: Mapping[str, Any], name: str) -> Floats:
        if name not in arrays:
            readers = (one for feature in self.features for one in (*ancestors(feature), feature))
            reader = next((one for one in readers if name in one.reads), "A feature on a longer timeframe")
            raise FeatureError(
                f"{reader} reads '{name}', which is not there", remedy=suggest(name, arrays), column=name
            )
        try:
            values = np.ascontiguousarray(arrays[name], np.float64)
        except (TypeError, ValueError):
            raise FeatureError(
                f"The column '{name}' does not hold numbers", remedy="Cast it to floats", column=name
            ) from None
        if values.ndim != 1:
            raise FeatureError(
                f"The column '{name}' has {values.ndim} dimensions, not one",
                remedy="Give one column at a time",
                column=name,
            )
        return values


def _one_by_one(segments: Sequence[Callable[[], None]]) -> None:
    for segment in segments:
        segment()


def columns(specs: Iterable[str | Feature], arrays: Mapping[str, Any], *, timeframe: str = "") -> dict[str, Floats]:
    """The features of `specs` over whole columns, from their first row: arrays in, arrays out, no tables involved.

    NaN in the warm-up rows and where an input is missing. Raises FeatureError as `Stream` and `Stream.extend`.
    """
    return Stream(specs, timeframe=timeframe).extend(arrays)


def stream(specs: Iterable[str | Feature], *, timeframe: str = "") -> Stream:
    """The features of `specs` bar by bar: `stream(["ema(20)"]).update(bar).ema_20`."""
    one = Stream(specs, timeframe=timeframe)
    one._prepare_updates()  # who takes the method now, to call it often, gets the quick one
    return one


def describe() -> list[dict[str, Any]]:
    """Every registered feature as plain values, by family and name, with the figures of its default parameters."""
    return [
        {
            "name": kind.name,
            "family": kind.family,
            "spec": repr(kind()),
            "parameters": [
                {"name": name, "default": declared.default, "low": declared.low, "high": declared.high}
                for name, declared in kind.parameters.items()
            ],
            "inputs": list(kind().inputs),
            "outputs": list(kind().columns),
            "units": kind.units,
            "warmup": kind().warmup,
            "settles": kind().settles,
            "summary": (kind.__doc__ or "").strip().partition("\n")[0],
        }
        for kind in sorted(REGISTRY.values(), key=lambda kind: (kind.family, kind.name))
    ]


def _resumed(specs: Sequence[Feature], timeframe: str, saved: bytes) -> Stream:
    copy = Stream(specs, timeframe=timeframe)
    copy.load(saved)
    return copy


def _row_type(names: Sequence[str]) -> Any:
    from collections import namedtuple

    return namedtuple("Row", [name.replace(".", "_").replace("-", "m") for name in names], rename=True)


def _getter(bar: Any, names: Sequence[str]) -> Callable[[Any], Any]:
    """How to read the fields `names` from bars of this type: as a tuple, but of one name the value itself."""
    get: Any = itemgetter if isinstance(bar, Mapping) else attrgetter
    return cast("Callable[[Any], Any]", get(*names)) if names else lambda bar: ()


def number_in(bar: Any, name: str) -> float:
    """The field `name` of `bar`, None as NaN. Raises FeatureError if it is not there or no number."""
    try:
        value = bar[name] if isinstance(bar, Mapping) else getattr(bar, name)
    except (KeyError, AttributeError):
        raise FeatureError(f"The bar has no '{name}'", remedy="Give every field of `inputs`", field=name) from None
    try:
        return float("nan") if value is None else float(value)
    except (TypeError, ValueError):
        raise FeatureError(
            f"The bar's {name} is {value!r}, which is no number",
            remedy="Give a number, or None where there is none",
            field=name,
        ) from None
