"""Fitted parts: what a strategy was given that was learned from data, and the file that states of a market are kept in.

A file says what it was learned from (bars, span, data snapshot), how (seed, code) and carries the hash of all that, so
that a run can tell which model it decided by, and that nobody has changed it since.
"""

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from pydantic import Field, model_validator

from truewind.config import Settings, dump, parse
from truewind.domain.clock import iso, parse_ts_us
from truewind.domain.timeframe import timeframe_us
from truewind.errors import ConfigError, MissingFileError


class Fitted(NamedTuple):
    """What a run has to know of a fitted part. name: its file. hash: of its content. source: series, span and snapshot
    that it was fitted on, in words. timeframe: of its bars. start_us, end_us: the first and the end of them.
    """

    name: str
    hash: str
    source: str
    timeframe: str
    start_us: int
    end_us: int


class MarketState(Settings):
    """One state of a market. side: what is held in it. forward: mean return over the model's horizon from bars in this
    state on, in training. rows: how many bars these were. centre: where it lies, in standard deviations.
    """

    side: Literal[-1, 0, 1]
    forward: float
    rows: int = Field(ge=1)
    centre: tuple[float, ...]


class MarketStates(Settings):
    """States of a market, as clusters of standardised features.

    features: field → spec. mean, deviation: of each feature in training. horizon: bars that `forward` returns look
    ahead. hurdle: how large one must be for its state to be traded. venue … rows: what it was fitted on, end exclusive.
    """

    format: Literal["truewind market states 1"] = "truewind market states 1"
    features: dict[str, str]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    states: tuple[MarketState, ...] = Field(min_length=2)
    horizon: int = Field(ge=1)
    hurdle: float = Field(ge=0.0)
    venue: str
    symbol: str
    timeframe: str
    start: str
    end: str
    rows: int = Field(ge=1)
    data_snapshot: str
    seed: int
    code_version: str

    @model_validator(mode="after")
    def _of_one_shape(self) -> "MarketStates":
        count = len(self.features)
        if any(len(row) != count for row in (self.mean, self.deviation, *(state.centre for state in self.states))):
            raise ValueError(f"there are {count} features, and mean, deviation and each centre need as many numbers")
        if not all(deviation > 0.0 for deviation in self.deviation):
            raise ValueError("a standard deviation is not above 0")
        return self

    @property
    def hash(self) -> str:
        """Of all that it says, the order of its features included."""
        return hashlib.sha256(orjson.dumps(dump(self))).hexdigest()[:16]

    @property
    def source(self) -> str:
        """What it was fitted on, in words."""
        return (
            f"{self.venue} {self.symbol} {self.timeframe}, {self.start[:10]} to {self.end[:10]}, "
            f"snapshot {self.data_snapshot}"
        )

    @property
    def hold_us(self) -> int:
        """The horizon in µs."""
        return self.horizon * timeframe_us(self.timeframe)

    def centres(self) -> tuple[float, ...]:
        """The states' centres in the features' own units, one after the other."""
        scales = list(zip(self.mean, self.deviation, strict=True))
        return tuple(
            mean + at * deviation
            for state in self.states
            for at, (mean, deviation) in zip(state.centre, scales, strict=True)
        )

    def weights(self) -> tuple[float, ...]:
        """What a squared distance along each feature counts: 1 / deviation²."""
        return tuple(1.0 / (deviation * deviation) for deviation in self.deviation)

    def fitted(self, name: str) -> Fitted:
        """What a run has to know of it, kept in the file `name`."""
        return Fitted(name, self.hash, self.source, self.timeframe, parse_ts_us(self.start), parse_ts_us(self.end))

    def to_json(self) -> bytes:
        """The file's content."""
        return orjson.dumps(dump(self) | {"hash": self.hash}, option=orjson.OPT_INDENT_2) + b"\n"


def read_states(path: Path, features: Mapping[str, str]) -> MarketStates:
    """The states in a file. Raises MissingFileError; ConfigError if it is damaged, was edited, or is of other features
    than the strategy reads.
    """
    again = "Fit it again: truewind strategy fit"
    try:
        found: Any = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise MissingFileError(f"No fitted states {path}", remedy="Check the path, or fit them", path=path) from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"{path} holds no market states: {error}", remedy=again, path=path) from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no market states", remedy=again, path=path)
    written = found.pop("hash", None)
    states = parse(MarketStates, found, str(path))
    if states.hash != written:
        raise ConfigError(f"{path} was changed since it was fitted: its hash is another", remedy=again, path=path)
    if list(states.features.items()) != list(features.items()):
        differing = ", ".join(
            f"{field} ({states.features.get(field, 'nothing')} instead of {features.get(field, 'nothing')})"
            for field in dict.fromkeys((*states.features, *features))
            if states.features.get(field) != features.get(field)
        )
        raise ConfigError(f"{path} was fitted on other features: {differing or 'in another order'}", remedy=again)
    return states


def in_training(part: Fitted, start_us: int, end_us: int) -> str:
    """A warning if a run over this time goes over bars that the part was fitted on, else ""."""
    if start_us >= part.end_us or end_us <= part.start_us:
        return ""
    first, last = iso(max(start_us, part.start_us)), iso(min(end_us, part.end_us))
    return (
        f"From {first} to {last} this run is in-sample: {part.name} was fitted on these bars ({part.source}), so what "
        "it gained there says nothing"
    )


def nearest(point: tuple[float, ...], weights: tuple[float, ...], centres: tuple[float, ...]) -> int:
    """Number of the centre that is nearest to `point`; -1 if a feature is NaN. Compiled with what calls it."""
    count = len(weights)
    found, least = -1, math.inf
    for state in range(len(centres) // count):
        distance = 0.0
        for i in range(count):
            gap = point[i] - centres[state * count + i]
            distance += weights[i] * gap * gap
        if distance < least:
            found, least = state, distance
    return found
