"""Space: which settings a sweep tries, written as text or lists.

strategy.params.fast: 5:15        whole numbers 5, 6 … 15 (both ends)
strategy.params.slow: 20:65:5     20, 25 … 65; steps may be fractions: 0.5:3:0.25
sizing.value: [0.25, 0.5, 1.0]    these
strategy.params.stop: 0.5..4      any number in between; only where a sample is drawn
strategy.params.decay: 1e-4..1e-1 log        … with even chances for every order of magnitude
strategy.params.fast: auto:8      eight values over the bounds that the strategy declares (by ratios where wide)
strategy.params.stop: auto        all that is within the bounds; of fractions and of many whole numbers a sample
"""

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from truewind.errors import ConfigError
from truewind.strategies.parameters import Parameter

_AUTO = re.compile(r"\s*auto\s*(?::\s*([1-9]\d*)\s*)?")
_SPAN = re.compile(r"\s*([^:\s]+)\s*:\s*([^:\s]+)\s*(?::\s*([^:\s]+)\s*)?")
_BETWEEN = re.compile(r"\s*(\S+?)\s*\.\.\s*(\S+?)\s*(log)?\s*")
_MOST_STEPS = 1_000_000
_WHOLE = 200  # so many whole numbers stand for all that lie within wide bounds


def is_range(text: str) -> bool:
    """Whether `text` gives several values: a range or a list."""
    forms = (_AUTO, _SPAN, _BETWEEN)
    return any(form.fullmatch(text) for form in forms) or text.lstrip().startswith("[")


def is_auto(given: Any) -> bool:
    """Whether the values are those that a parameter's own bounds span."""
    return isinstance(given, str) and _AUTO.fullmatch(given) is not None


def spanned(key: str, given: str, parameter: Parameter) -> Any:
    """What "auto" or "auto:8" stands for: a list of values, or a range of any numbers. Raises ConfigError for a
    parameter without bounds.
    """
    wanted = _AUTO.fullmatch(given)
    values = parameter.spread(int(wanted[1]) if wanted and wanted[1] else _WHOLE)
    if not values:
        raise ConfigError(
            f"{key} has no bounds to choose values from ({parameter.type})",
            remedy="Say which: 5:15, or [a, b]; or declare bounds: Field(ge=…, le=…)",
        )
    if parameter.type == "float" and wanted and not wanted[1]:
        low, high = parameter.edges()
        return f"{low!r}..{high!r}{' log' if parameter.by_ratio else ''}"
    return values


class Between(NamedTuple):
    """Any number from low to high; log: evenly in its logarithm."""

    low: float
    high: float
    log: bool

    def draw(self, chance: random.Random) -> float:
        if self.log:
            return math.exp(chance.uniform(math.log(self.low), math.log(self.high)))
        return chance.uniform(self.low, self.high)


class Space:
    """The trials of a sweep, numbered from 0: all combinations of the values, or a sample of `sample` of them.

    keys: settings by dotted name. A sampled space gives trial i the same values whenever it is asked, for one seed.
    Raises ConfigError for text that is no range, and for a range of any numbers without a sample.
    """

    def __init__(self, grid: Mapping[str, Any], *, sample: int = 0, seed: int = 42) -> None:
        if not grid:
            raise ConfigError(
                "The sweep varies nothing", remedy="Add --set KEY=FROM:TO or a `sweep: grid:` to the config"
            )
        self.keys = tuple(grid)
        self._axes = [_axis(key, given) for key, given in grid.items()]
        self._seed = seed
        lengths = [len(axis) for axis in self._axes if not isinstance(axis, Between)]
        self._endless = len(lengths) < len(self._axes)
        if self._endless and not sample:
            key = next(key for key, axis in zip(self.keys, self._axes, strict=True) if isinstance(axis, Between))
            raise ConfigError(f"{key} may be any number in between", remedy="Say how many to try: --sample 500")
        self._combinations = math.prod(lengths)
        whole = not self._endless and (not sample or sample >= self._combinations)
        self._chosen: Sequence[int] | None = range(self._combinations) if whole else None
        if not whole and not self._endless:
            self._chosen = sorted(random.Random(seed).sample(range(self._combinations), sample))
        self._count = len(self._chosen) if self._chosen is not None else sample

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, trial: int) -> tuple[Any, ...]:
        """The values of a trial, in the order of `keys`."""
        if self._chosen is None:
            chance = random.Random(f"{self._seed}:{trial}")
            return tuple(axis.draw(chance) if isinstance(axis, Between) else chance.choice(axis) for axis in self._axes)
        number = self._chosen[trial]
        values = []
        for axis in reversed(self._axes):
            assert not isinstance(axis, Between)
            number, at = divmod(number, len(axis))
            values.append(axis[at])
        return tuple(reversed(values))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return (self[trial] for trial in range(len(self)))


def _axis(key: str, given: Any) -> Sequence[Any] | Between:
    """The values that `given` stands for. Raises ConfigError."""
    if isinstance(given, str):
        between, span = _BETWEEN.fullmatch(given), _SPAN.fullmatch(given)
        try:
            if between is not None:
                low, high, log = float(between[1]), float(between[2]), between[3] is not None
                if not (math.isfinite(low) and low < high < math.inf and (low > 0.0 or not log)):
                    raise ConfigError(f"{key}: {given!r} does not go from a smaller number to a larger", key=key)
                return Between(low, high, log)
            if span is not None:
                return _steps(key, given, Decimal(span[1]), Decimal(span[2]), Decimal(span[3] or 1))
        except (ValueError, InvalidOperation):
            raise ConfigError(f"{key}: {given!r} is no range of numbers", remedy="Write 5:15 or 0.5:3:0.25") from None
        raise ConfigError(f"{key}: {given!r} is no range of numbers", remedy="Write 5:15, or a list: [a, b]")
    if isinstance(given, Sequence):
        values = tuple(dict.fromkeys(given))
        if any(isinstance(value, float) for value in values):  # 1 and 2.5 are values of one kind
            values = tuple(float(value) if type(value) is int else value for value in values)
        if not values:
            raise ConfigError(f"{key}: an empty list leaves nothing to try", key=key)
        return values
    raise ConfigError(
        f"{key}: {given!r} is one value, not several",
        remedy=f"Write [{given!r}], or quote a range: YAML reads 5:15 as the number 315, '5:15' as text",
        key=key,
    )


def _steps(key: str, given: str, first: Decimal, last: Decimal, step: Decimal) -> Sequence[Any]:
    """first, first + step … up to last, in decimal, so that 0.1:0.3:0.1 has three values."""
    if not (step > 0 and first <= last and (last - first) / step < _MOST_STEPS):
        raise ConfigError(f"{key}: {given!r} does not go from a smaller number to a larger in steps", key=key)
    values = [first + step * i for i in range(int((last - first) / step) + 1)]
    whole = all(value == value.to_integral_value() for value in (first, step))
    return tuple(int(value) if whole else float(value) for value in values)
