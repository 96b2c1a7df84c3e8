"""What every part of a strategy is: typed settings, the features that they read, and pure functions of numbers.

A function takes what it needs by name: a setting of its part, one of its readings, or a word that the composed
`decide` knows (`side`, `close` …, see `parts`). It is plain arithmetic, so that both lanes run it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, SerializerFunctionWrapHandler, model_serializer, model_validator

from truewind.config import Settings
from truewind.domain.market import Bar
from truewind.errors import FeatureError

NUMBERS = tuple(name for name, kind in Bar.__annotations__.items() if kind is float)
_OUTPUT = re.compile(r"(?P<spec>[^:]*\w|.*\))\.(?P<output>[A-Za-z_]\w*)")


def split(reading: str) -> tuple[str, str]:
    """Feature spec and output of a reading; the output is "" where none is named."""
    found = _OUTPUT.fullmatch(reading)
    return (found["spec"], found["output"]) if found else (reading, "")


def _checked(reading: str) -> str:
    """`reading`, if it can be read. Raises ValueError that says why it cannot."""
    if reading in NUMBERS:
        return reading
    from truewind.features import parse_spec  # brings in every feature, which most strategies do without

    spec, output = split(reading)
    try:
        outputs = parse_spec(spec).outputs
    except FeatureError as error:
        raise ValueError(str(error)) from None
    if outputs and output not in outputs:
        raise ValueError(f"{spec} has several outputs: write {' or '.join(f'{spec}.{name}' for name in outputs)}")
    if output and not outputs:
        raise ValueError(f"{spec} has one output only: write {spec}")
    return reading


# A number of the bar (`close`, `volume` …), a feature (`ema(20)`), or an output of one (`macd(12, 26, 9).signal`).
Reading = Annotated[str, AfterValidator(_checked)]


class Part(Settings):
    """Base of parts."""

    def reads(self) -> Mapping[str, str]:
        """Readings, by the names that the part's functions know them by."""
        return {}


class Choice(Settings):
    """One part out of several kinds: exactly one field is given. A bare name is a part with its defaults."""

    noun: ClassVar[str] = "part"

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {given: {}}
        return (
            {key: {} if value is None else value for key, value in given.items()} if isinstance(given, dict) else given
        )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"give exactly one {self.noun} of {', '.join(type(self).model_fields)}")
        return self

    @model_serializer(mode="wrap")
    def _only_the_chosen(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None}

    @property
    def name(self) -> str:
        """The name of the part that was chosen."""
        return next(iter(self.model_fields_set))

    @property
    def part(self) -> Any:
        return getattr(self, self.name)
