"""Feature: a named column with its formula in one step, declared in one place.

    @register
    class SMA(Feature):
        \"""Simple moving average: the mean of the last `length` values.\"""

        name, family, units = "sma", "trend", "of the source"
        inputs = ("close",)
        length: int = parameter(20, 1, MAX_LENGTH)
        state = scalars(cursor=0, full=0, head=0.0)
        warmup = derived(lambda self: self.length - 1)
        memory = derived(lambda self: self.length)
        step = staticmethod(rolling_mean)

That is all: batch, chunk, stream, saved state, column names and the shared suite follow from it. `step` is a kernel
whose arguments are the inputs, the parameters, the state and, if it keeps a window, its memory, in the order of their
declaration; it returns the outputs and the new state. A user's feature is the same class in his own file, named by its
import path: `my.module:MyFeature(20)`. Features of a window have a base that says what such a window keeps
(`features.windows`), after which this one has neither state nor warm-up nor memory to declare.

What a feature reads may be other columns, or other features: `EMA(9, RSI(14))` smooths the RSI. `RSI(14).slower("1h")`
is the RSI of hourly bars on the rows of a shorter timeframe, as it was known then; `RSI(14).of("ETHUSDT")` that of
another symbol, whose columns are called `close[ETHUSDT]`. As specs: `ema(9, rsi(14))`, `rsi(14)@1h`,
`rsi(14)[ETHUSDT]`.

**Missing data, for every feature**: windows and lags count rows, not time, so a gap is crossed as if the bars at its
ends were neighbours. A row in which an input is null, NaN, infinite or beyond ±1e100 gives NaN and leaves the state as
it was. No output is infinite; where a formula divides by nothing the value is NaN.
"""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import ceil, log, log1p
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeVar

from truewind.domain.timeframe import timeframe_us
from truewind.errors import FeatureError, suggest
from truewind.numerics.jit import KernelError
from truewind.numerics.loop import Layout, Loop, make_loop

MAX_LENGTH = 100_000  # TA-Lib's bound

F = TypeVar("F", bound="type[Feature]")
Law = int | tuple[int | None, ...] | None


class Parameter(NamedTuple):
    """A number that a feature is given. Both bounds are allowed values; an int default asks for whole numbers."""

    default: float
    low: float
    high: float

    @property
    def kind(self) -> type:
        return type(self.default)

    def checked(self, value: Any, owner: str, name: str) -> Any:
        """`value` as this parameter's type. Raises FeatureError naming the bounds."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high or self.kind(value) != value:
            what = "a whole number" if self.kind is int else "a number"
            raise FeatureError(
                f"{owner}: {name} = {value!r} is not {what} from {self.low:g} to {self.high:g}",
                remedy=f"Write, for example, {owner}({self.default:g})",
                feature=owner,
                parameter=name,
            )
        return self.kind(value)


def parameter(default: float, low: float, high: float) -> Any:
    """Declares a parameter in the body of a feature; on an instance its name holds the value."""
    return Parameter(default, low, high)


def scalars(**first: float) -> Mapping[str, float]:
    """Declares the state of a feature by its first values; an int stays a whole number inside the step."""
    return MappingProxyType(first)


def reaches(**values: int | str) -> Mapping[str, int | str]:
    """Declares `steady`: the values that states reach and keep, numbers or names of parameters."""
    return MappingProxyType(values)


def derived(formula: Callable[[Any], int]) -> Any:
    """Declares `warmup` or `memory` as a function of the parameters."""
    return property(formula)


def fades(weight: float) -> int:
    """Rows until an average that gives new rows `weight` has forgotten where it began: (1 − weight)^rows < 1e-9."""
    return ceil(log(1e-9) / log1p(-weight)) if weight < 1.0 else 1


class Feature:
    """Base of all features; an instance is a feature with its parameters, `SMA(20)`, printed as its spec.

    Class attributes that a feature declares:

    name, family: how specs and lists call it; units: of its outputs.
    inputs: columns read. A feature takes other columns or features in their place, all or none.
    gathered: the step's first argument is `row: Memory`, the floats of all inputs side by side, in place of one scalar
    an input; `inputs` may then depend on the parameters. needed: how many of the inputs must be there (others are NaN).
    outputs: () for a single column named after the spec; else names, giving columns `spec.output`.
    state: the scalars kept between rows with their first values; ints are whole numbers inside the step.
    step: the kernel. warmup: rows that yield no value at the start. memory: floats of window that the step needs.
    steady: the value at which a state stays once it has reached it, a whole number or the name of a parameter; then the
    loop runs without what the warm-up needs. finite: no output can be infinite, so that the loop need not look.
    scale, shift: laws that the shared suite holds it to. Multiplying all prices by k multiplies the outputs by
    k**scale, adding c to all prices adds c·shift; None where no such law holds, a tuple where each output has its own.
    awaits: what a value waits for beyond the warm-up, as "a confirmed swing"; when that comes the rows decide.
    """

    name: ClassVar[str] = ""
    family: ClassVar[str] = "user"
    units: ClassVar[str] = ""
    inputs: ClassVar[Any] = ("close",)
    gathered: ClassVar[bool] = False
    missing: ClassVar[str] = "a row with a missing input gives NaN and is otherwise as if it were not there"
    across: ClassVar[bool] = False  # compares symbols with each other: see `features.across`
    outputs: ClassVar[tuple[str, ...]] = ()
    state: ClassVar[Mapping[str, float]] = MappingProxyType({})
    step: ClassVar[Callable[..., Any]]
    steady: ClassVar[Mapping[str, int | str]] = reaches()
    finite: ClassVar[bool] = False
    exact: ClassVar[bool] = True  # chunks agree to the bit, else within 1e-9
    scale: ClassVar[Law] = None
    shift: ClassVar[Law] = None
    awaits: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType({})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Parameter)}
        cls.parameters = MappingProxyType({**cls.parameters, **own})
        if "name" not in vars(cls):
            cls.name = cls.__name__.lower()

    def __init__(self, *values: "float | Source", source: "Source | None" = None, **named: float) -> None:
        names = list(self.parameters)
        sources: list[Source] = [] if source is None else [source]
        if not sources:
            first = next(
                (i for i, value in enumerate(values) if isinstance(value, str | Feature | Output)), len(values)
            )
            values, sources = values[:first], list(values[first:])  # type: ignore[arg-type]  # from `first` on sources
        if len(values) > len(names):
            takes = f"{len(names)} parameters: {', '.join(names)}" if names else "no parameters"
            raise FeatureError(
                f"{self.name} takes {takes}; {len(values)} were given", remedy="Leave the others out", feature=self.name
            )
        given = dict(zip(names, values, strict=False))
        for name, value in named.items():
            if name in given:
                raise FeatureError(
                    f"{self.name}: {name} is given twice", remedy="Give it by place or by name", feature=self.name
                )
            given[name] = value
        for name in given:
            if name not in self.parameters:
                raise FeatureError(
                    f"{self.name} has no parameter '{name}'",
                    remedy=suggest(name, [*names, "source"]),
                    feature=self.name,
                )
        for name, declared in self.parameters.items():
            setattr(self, name, declared.checked(given.get(name, declared.default), self.name, name))
        inputs: tuple[str, ...] = self.inputs
        if sources and len(sources) != len(inputs):
            raise FeatureError(
                f"{self.name} reads {', '.join(inputs)}; {len(sources)} other sources were given",
                remedy=f"Give {len(inputs)} or none",
                feature=self.name,
            )
        self.sources: tuple[str | Output, ...] = tuple(self._source(one) for one in sources) or inputs
        self.timeframe, self.symbol = "", ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns read, those of other features among them."""
        return tuple(source if isinstance(source, str) else source.column for source in self.sources)

    @property
    def needed(self) -> int:
        """How many of the inputs, from the first on, must be there for a row to count."""
        return len(self.sources)

    def slower(self, timeframe: str) -> "Feature":
        """This feature on bars of a longer timeframe, made of the rows' bars; each row has the last one known then.

        Raises FeatureError if a source is on a longer timeframe itself.
        """
        timeframe_us(timeframe)
        if self.timeframe or any(feature.timeframe for feature in ancestors(self)):
            raise FeatureError(
                f"{self!r} is on a longer timeframe already",
                remedy="Begin from the feature without @",
                feature=self.name,
            )
        slow = copy.copy(self)
        slow.timeframe = timeframe
        return slow

    def of(self, symbol: str) -> "Feature":
        """This feature of another symbol: its columns carry the symbol's name, `close[ETHUSDT]`."""
        if self.symbol:
            raise FeatureError(
                f"{self!r} is of {self.symbol} already", remedy="Begin from the feature without [ ]", feature=self.name
            )
        other = copy.copy(self)
        other.symbol = symbol
        other.sources = tuple(
            (source if source.endswith("]") else f"{source}[{symbol}]")
            if isinstance(source, str)
            else Output(source.feature if source.feature.symbol else source.feature.of(symbol), source.name)
            for source in self.sources
        )
        return other

    def __getitem__(self, output: str) -> "Output":
        """One of several outputs, as a source of another feature: `EMA(9, MACD()["signal"])`."""
        if output not in self.outputs:
            raise FeatureError(
                f"{self!r} has no output '{output}'", remedy=suggest(output, self.outputs), feature=self.name
            )
        return Output(self, output)

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters' values in the order of their declaration."""
        return tuple(getattr(self, name) for name in self.parameters)

    @property
    def warmup(self) -> int:
        """Rows at the start for which there is no value yet."""
        return 0

    @property
    def settles(self) -> int | None:
        """Rows after which a fresh start is within 1e-9 of a long history, relative to the largest value; None where it
        never is, because the value counts from its beginning or hangs on its path: such a feature needs all history or
        the saved state."""
        return self.warmup

    @property
    def memory(self) -> int:
        """Floats of window that the step needs."""
        return 0

    @property
    def column(self) -> str:
        """Name of the only column, and what the columns of several outputs begin with: `sma_20`, `sma_20_volume`."""
        sources = [] if self._usual() else list(self.reads)
        if self.symbol:
            sources = [name.removesuffix(f"[{self.symbol}]").removesuffix(f"_{self.symbol}") for name in sources]
        return "_".join([self.name, *self._numbers(), *sources, *filter(None, [self.symbol, self.timeframe])])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, one of each output."""
        return tuple(f"{self.column}.{output}" for output in self.outputs) or (self.column,)

    @classmethod
    def loop(cls) -> Loop:
        """The compiled loop around `step`. Raises FeatureError if the step is not as declared or does not compile."""
        layout = _layout(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
        try:
            return make_loop(cls.step, layout)
        except KernelError as error:
            raise FeatureError(
                f"The step of {cls.name} does not compile: {error}",
                remedy="Use numbers, arrays and other kernels only",
                feature=cls.name,
            ) from None

    def __repr__(self) -> str:
        sources = [] if self._usual() else [self._shown(source) for source in self.sources]
        written = ", ".join([*self._numbers(), *sources])
        text = f"{self._reference()}({written})" if written else self._reference()
        return text + (f"[{self.symbol}]" if self.symbol else "") + (f"@{self.timeframe}" if self.timeframe else "")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and repr(other) == repr(self)

    def __hash__(self) -> int:
        return hash(repr(self))

    def _numbers(self) -> list[str]:
        """The parameters as text."""
        return [str(int(value)) if value == int(value) else repr(value) for value in self.values]

    def _usual(self) -> bool:
        """Whether it reads the inputs that it declares."""
        own = tuple(f"{name}[{self.symbol}]" for name in self.inputs) if self.symbol else self.inputs
        return self.sources == own

    def _shown(self, source: "str | Output") -> str:
        """A source as it stands in the spec: what `[symbol]` behind the spec adds is left out."""
        if isinstance(source, str):
            return source.removesuffix(f"[{self.symbol}]") if self.symbol else source
        return repr(source)

    def _source(self, source: Any) -> "str | Output":
        """A source as it was given, checked."""
        if isinstance(source, Feature):
            if source.outputs:
                raise FeatureError(
                    f"{self.name}: {source!r} has the outputs {', '.join(source.outputs)}",
                    remedy=f"Name one: {source!r}.{source.outputs[0]}",
                    feature=self.name,
                )
            return Output(source, "")
        if not isinstance(source, str | Output):
            raise FeatureError(
                f"{self.name}: source = {source!r} is neither a column nor a feature",
                remedy='Give a name, as "close", or a feature',
                feature=self.name,
            )
        return source

    @classmethod
    def _reference(cls) -> str:
        return cls.name if REGISTRY.get(cls.name) is cls else f"{cls.__module__}:{cls.__qualname__}"


class Output(NamedTuple):
    """One output of a feature as the source of another; name is empty where there is only one."""

    feature: Feature
    name: str

    @property
    def column(self) -> str:
        return f"{self.feature.column}.{self.name}" if self.name else self.feature.column

    def __repr__(self) -> str:
        return f"{self.feature!r}.{self.name}" if self.name else repr(self.feature)


Source = str | Feature | Output


def ancestors(feature: Feature) -> Iterator[Feature]:
    """The features that `feature` reads, and those that they read, each after what it reads itself."""
    for source in feature.sources:
        if isinstance(source, Output):
            yield from ancestors(source.feature)
            yield source.feature


REGISTRY: dict[str, type[Feature]] = {}


def register(feature: F) -> F:
    """Make `feature` known by its name. Raises FeatureError if the name is taken."""
    if feature.name in REGISTRY:
        raise FeatureError(f"There is a feature '{feature.name}' already", remedy="Choose another name")
    REGISTRY[feature.name] = feature
    return feature


@cache
def _layout(feature: type[Feature]) -> Layout:
    face = getattr(feature.step, "py_func", None)
    if face is None:
        raise FeatureError(
            f"The step of {feature.name} is no kernel", remedy="Put @kernel from truewind.numerics.jit on it"
        )
    inputs = ("row",) if feature.gathered else feature.inputs
    declared = [*inputs, *feature.parameters, *feature.state]
    taken = list(inspect.signature(face).parameters)
    memory = len(taken) - len(declared)
    if memory not in (0, 1):
        raise FeatureError(
            f"The step of {feature.name} takes ({', '.join(taken)}) but ({', '.join(declared)}) are declared",
            remedy="Its arguments are the inputs, the parameters, the state and, if it keeps one, the window",
            feature=feature.name,
        )
    return Layout(
        len(inputs),
        tuple(declared.kind for declared in feature.parameters.values()),
        tuple(type(value) for value in feature.state.values()),
        len(feature.outputs) or 1,
        memory == 1,
        feature.gathered,
        tuple(
            (
                list(feature.state).index(name),
                f"p{list(feature.parameters).index(to)}" if isinstance(to, str) else str(to),
            )
            for name, to in feature.steady.items()
        ),
        feature.finite,
    )
