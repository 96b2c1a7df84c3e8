"""Features as they are run: many of them compiled into one call, over a chunk of rows or over one bar.

A `Stream` holds the state of all its features in one float64 array. `extend` takes the next rows as columns, `update`
the next bar; both run the same loops from the same state, so it does not matter how the rows are cut.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np
import numpy.typing as npt

from truewind.errors import FeatureError, suggest
from truewind.features.base import REGISTRY, Feature
from truewind.features.spec import parse_specs
from truewind.numerics.jit import COMPILED

Floats = npt.NDArray[np.float64]


class _Saved(msgspec.Struct, forbid_unknown_fields=True):
    """A stream's state on paper. layout: what each feature keeps, so that no state enters a feature that changed."""

    layout: list[tuple[str, list[str], int]]
    state: bytes


class _Part(NamedTuple):
    """One feature's share of a stream: views of the stream's arrays, and which of its columns it reads and writes."""

    feature: Feature
    parameters: Floats
    scalars: Floats
    memory: Floats
    reads: list[int]
    writes: list[int]


class Stream:
    """The features of `specs`, resumable at any row.

    columns: names of the outputs, in order. inputs: columns read. warmup: rows until all features have a value.
    compiled=False runs the Python face of the kernels, which a debugger can step through, with the same results.
    Raises FeatureError for an unknown feature or a wrong parameter.
    """

    def __init__(self, specs: Iterable[str | Feature], *, compiled: bool = COMPILED) -> None:
        self._plan = self._plan_compiled if compiled and COMPILED else self._plan_python
        self.features = parse_specs(specs)
        self.columns: tuple[str, ...] = tuple(column for feature in self.features for column in feature.columns)
        self.inputs: tuple[str, ...] = tuple(dict.fromkeys(name for feature in self.features for name in feature.reads))
        self.warmup: int = max((feature.warmup for feature in self.features), default=0)
        self._parts = self._allot()
        self.reset()
        # One bar goes in and out through bytes: `struct` reaches them several times faster than an array's buffer.
        self._in = bytearray(8 * len(self.inputs))
        self._out = bytearray(8 * len(self.columns))
        inputs, outputs = np.frombuffer(self._in), np.frombuffer(self._out)
        self._run_one = self._plan(list(inputs[:, None]), list(outputs[:, None]), 1)
        self._row = _row_type(self.columns)._make
        self._pack = struct.Struct(f"={len(self.inputs)}d").pack_into
        self._unpack = struct.Struct(f"={len(self.columns)}d").unpack_from
        self._getters: dict[type, Callable[[Any], tuple[Any, ...]]] = {}

    def update(self, bar: Any) -> Any:
        """The features' values at `bar`, the next row: a named tuple with a field a column (`.` in names becomes `_`).

        `bar` is any object or mapping with the fields of `inputs`, such as a `Bar`; a None counts as missing.
        Raises FeatureError if it lacks a field or holds something that is no number; the state is then untouched.
        """
        get = self._getters.get(type(bar)) or self._getter(bar)
        try:
            self._pack(self._in, 0, *get(bar))
        except (struct.error, TypeError, AttributeError, KeyError):
            self._pack(self._in, 0, *(_number(bar, name) for name in self.inputs))
        self._run_one()
        return self._row(self._unpack(self._out))

    def extend(self, arrays: Mapping[str, Any]) -> dict[str, Floats]:
        """The features' values over the next rows: a float64 array a column, as long as the arrays given.

        `arrays` holds one-dimensional numbers of equal length for every name in `inputs`; more are ignored.
        Raises FeatureError naming the column that is missing, of another length or not numeric.
        """
        inputs = [self._input(arrays, name) for name in self.inputs]
        rows = len(inputs[0]) if inputs else 0
        for name, values in zip(self.inputs, inputs, strict=True):
            if len(values) != rows:
                raise FeatureError(f"'{name}' has {len(values)} rows, '{self.inputs[0]}' has {rows}", column=name)
        outputs = [np.empty(rows) for _ in self.columns]
        if rows:
            self._plan(inputs, outputs, rows)()
        return dict(zip(self.columns, outputs, strict=True))

    def reset(self) -> None:
        """Forget all rows."""
        for part in self._parts:
            part.scalars[:] = list(part.feature.state.values())
            part.memory[:] = 0.0

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
        return _resumed, (self.features, self.save())

    def _layout(self) -> list[tuple[str, list[str], int]]:
        return [(repr(feature), list(feature.state), feature.memory) for feature in self.features]

    def _allot(self) -> list[_Part]:
        sizes = [(len(feature.state), feature.memory) for feature in self.features]
        self._state = np.zeros(sum(scalars + memory for scalars, memory in sizes))
        parts = []
        start = column = 0
        for feature, (scalars, memory) in zip(self.features, sizes, strict=True):
            split, end = start + scalars, start + scalars + memory
            reads = [self.inputs.index(name) for name in feature.reads]
            writes = list(range(column, column + len(feature.columns)))
            parts.append(
                _Part(
                    feature,
                    np.array(feature.values, float),
                    self._state[start:split],
                    self._state[split:end],
                    reads,
                    writes,
                )
            )
            start, column = end, column + len(writes)
        return parts

    def _plan_compiled(self, inputs: Sequence[Floats], outputs: Sequence[Floats], rows: int) -> Callable[[], None]:
        """A call that runs all features over these columns, which must stay where they are."""
        from truewind.numerics.loop import TASK_WORDS, drive  # `drive` exists only where kernels are compiled

        tasks = np.empty((len(self._parts), TASK_WORDS), np.int64)
        kept = []
        for task, part in zip(tasks, self._parts, strict=True):
            columns = [
                np.array([arrays[i].ctypes.data for i in used], np.int64)
                for arrays, used in ((inputs, part.reads), (outputs, part.writes))
            ]
            kept.append(columns)
            task[0] = part.feature.loop().address
            task[1:] = [
                array.ctypes.data for array in (columns[0], part.parameters, part.scalars, part.memory, columns[1])
            ]
        address, count = tasks.ctypes.data, len(tasks)

        def run(_alive: Any = (tasks, kept, inputs, outputs)) -> None:
            drive(address, count, rows)

        return run

    def _plan_python(self, inputs: Sequence[Floats], outputs: Sequence[Floats], rows: int) -> Callable[[], None]:
        calls = [
            partial(
                part.feature.loop().python,
                rows,
                [inputs[i].data for i in part.reads],
                *(array.data for array in (part.parameters, part.scalars, part.memory)),
                [outputs[i].data for i in part.writes],
            )
            for part in self._parts
        ]

        def run() -> None:
            for call in calls:
                call()

        return run

    def _input(self, arrays: Mapping[str, Any], name: str) -> Floats:
        if name not in arrays:
            reader = next(feature for feature in self.features if name in feature.reads)
            raise FeatureError(
                f"{reader} reads '{name}', which is not there", remedy=suggest(name, arrays), column=name
            )
        try:
            values = np.ascontiguousarray(arrays[name], np.float64)
        except (TypeError, ValueError):
            raise FeatureError(f"The column '{name}' does not hold numbers", column=name) from None
        if values.ndim != 1:
            raise FeatureError(f"The column '{name}' has {values.ndim} dimensions, not one", column=name)
        return values

    def _getter(self, bar: Any) -> Callable[[Any], tuple[Any, ...]]:
        """How to read the inputs from bars of this type, remembered for the next one."""
        get: Any = itemgetter if isinstance(bar, Mapping) else attrgetter
        if len(self.inputs) > 1:
            getter = get(*self.inputs)
        else:  # asked for one name, a getter gives the value itself and no tuple
            one = [get(name) for name in self.inputs]
            getter = lambda bar: tuple(read(bar) for read in one)  # noqa: E731
        self._getters[type(bar)] = getter
        return cast("Callable[[Any], tuple[Any, ...]]", getter)


def columns(specs: Iterable[str | Feature], arrays: Mapping[str, Any]) -> dict[str, Floats]:
    """The features of `specs` over whole columns, from their first row: arrays in, arrays out, no tables involved.

    NaN in the warm-up rows and where an input is missing. Raises FeatureError as `Stream` and `Stream.extend`.
    """
    return Stream(specs).extend(arrays)


def stream(specs: Iterable[str | Feature]) -> Stream:
    """The features of `specs` bar by bar: `stream(["ema(20)"]).update(bar).ema_20`."""
    return Stream(specs)


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
            "inputs": list(kind.inputs),
            "outputs": list(kind().columns),
            "units": kind.units,
            "warmup": kind().warmup,
            "summary": (kind.__doc__ or "").strip().partition("\n")[0],
        }
        for kind in sorted(REGISTRY.values(), key=lambda kind: (kind.family, kind.name))
    ]


def _resumed(specs: Sequence[Feature], saved: bytes) -> Stream:
    copy = Stream(specs)
    copy.load(saved)
    return copy


def _row_type(names: Sequence[str]) -> Any:
    from collections import namedtuple

    return namedtuple("Row", [name.replace(".", "_").replace("-", "m") for name in names], rename=True)


def _number(bar: Any, name: str) -> float:
    """The field `name` of `bar`, None as NaN. Raises FeatureError if it is not there or no number."""
    try:
        value = bar[name] if isinstance(bar, Mapping) else getattr(bar, name)
    except (KeyError, AttributeError):
        raise FeatureError(f"The bar has no '{name}'", remedy="Give every field of `inputs`", field=name) from None
    try:
        return float("nan") if value is None else float(value)
    except (TypeError, ValueError):
        raise FeatureError(f"The bar's {name} is {value!r}, which is no number", field=name) from None
