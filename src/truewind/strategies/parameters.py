"""Parameters: what a strategy's `Params` says of itself, and the values that its bounds span."""

import math
from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from truewind.config import Bounds, bounds_of

_LOG_FROM = 100.0  # bounds that lie further apart than this are spanned by ratios


class Parameter(NamedTuple):
    """One parameter. type: int, float, bool, floats (a tuple of them), choice, or the name of another type.

    default: None if it has to be given. choices: all that it may be, where these are few. bounds: of a number, or of
    each number of a tuple. description: with its units, "" if the class does not say.
    """

    name: str
    type: str
    default: Any
    bounds: Bounds
    choices: tuple[Any, ...]
    description: str

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        return ", ".join(map(str, self.choices)) if self.choices else str(self.bounds)

    def spread(self, count: int) -> list[Any]:
        """At most `count` values from bound to bound, at equal distances, or by equal ratios where the bounds are more
        than two orders of magnitude apart. Choices are all given. Empty if its bounds are not known.
        """
        if self.choices:
            return list(self.choices)
        if self.type not in ("int", "float") or not self.bounds.finite:
            return []
        if self.type == "int" and (self.bounds.above or self.bounds.below):
            low, high = self.edges()
            return self._replace(bounds=Bounds(low, high)).spread(count)
        _, _, above, below = self.bounds
        if count < 2:
            found = [self._at(0.5)]
        else:
            parts = count - 1 + above + below
            found = [self._at((i + above) / parts) for i in range(count)]
        if self.type == "int":
            return list(dict.fromkeys(round(value) for value in found))
        return list(dict.fromkeys(found))

    def edges(self) -> list[Any]:
        """The least and the greatest that it may be; of choices all."""
        if self.choices:
            return list(self.choices)
        if self.type == "floats" and self.bounds.finite and isinstance(self.default, tuple):
            inner = self._replace(type="float").edges()
            return [(value,) * len(self.default) for value in inner]
        if self.type not in ("int", "float"):
            return []
        low, high, above, below = self.bounds
        step: float = 1 if self.type == "int" else (high - low) * 1e-6 if self.bounds.finite else 1e-6
        ends = [low + step * above, high - step * below]
        return [round(end) if self.type == "int" else end for end in ends if math.isfinite(end)]

    @property
    def by_ratio(self) -> bool:
        """Whether its bounds are more than two orders of magnitude apart."""
        return self.bounds.low > 0.0 and self.bounds.high > _LOG_FROM * self.bounds.low

    def _at(self, share: float) -> float:
        """The value that lies `share` of the way from the lower bound to the upper, to four digits."""
        low, high = self.bounds.low, self.bounds.high
        if share in (0.0, 1.0):
            return high if share else low
        if self.by_ratio:
            value = math.exp((1.0 - share) * math.log(low) + share * math.log(high))
        else:
            value = low + (high - low) * share
        rounded = float(f"{value:.4g}")
        return rounded if self.type == "float" and low < rounded < high else value


def parameters_of(model: type[BaseModel]) -> list[Parameter]:
    """The parameters that a `Params` class declares, in its order."""
    return [_parameter(name, field) for name, field in model.model_fields.items()]


def _parameter(name: str, field: FieldInfo) -> Parameter:
    kind: Any = field.annotation
    bounds, choices = bounds_of(field), tuple(_choices(kind))
    arguments = [each for each in get_args(kind) if each is not type(None) and each is not Ellipsis]
    if get_origin(kind) is tuple and arguments:
        type_, inner = "floats", arguments[0]
        if get_origin(inner) is Annotated:
            bounds = bounds_of(FieldInfo.from_annotation(inner))
    elif choices:
        type_ = "bool" if kind is bool else "choice"
    else:
        plain = arguments[0] if len(arguments) == 1 and not isinstance(kind, type) else kind
        type_ = getattr(plain, "__name__", str(plain))
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    return Parameter(name, type_, default, bounds, choices, field.description or "")


def _choices(kind: Any) -> Iterable[Any]:
    if kind is bool:
        return (False, True)
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(kind)
    return ()
