"""Strategies out of parts: an entry, its exits and its filters, chosen and set in YAML.

    strategy:
      parts:
        entry: {crossover: {fast: ema(20), slow: ema(50)}}
        exits: [{atr_stop: {multiple: 2}}, {ladder: {at: [1, 2, 3]}}, {chandelier: {}}, {time_stop: {bars: 48}}]
        filters: [{session: {from: 7, to: 20}}]

From the choice a `decide` is written (`source` shows it) that calls the parts' functions on numbers: every setting is
a parameter, so that machine code is made once for a choice of parts, whatever their settings. What it does:

- Flat, it enters where the entry says a side and all filters let it pass, with the nearest of the stops, and with the
  targets. Where one of the stops is not known yet, or the market is beyond it, it does not enter.
- In a position it gives the stops that move, anew on each bar; the engine takes them where they are nearer than the
  one that works. Where the close is beyond one of them already, it leaves. Entries are listened to only if `opposite`
  is among the exits.
"""

import inspect
import linecache
from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from types import FunctionType
from typing import Any, Literal, NamedTuple, get_args

from pydantic import ConfigDict, Field, model_validator

from truewind.config import Settings
from truewind.domain.signal import HOLD, NAN, Signal, Want
from truewind.strategies.base import SignalStrategy
from truewind.strategies.entries import Entry
from truewind.strategies.exits import Exit, Ladder
from truewind.strategies.filters import Filter
from truewind.strategies.part import NUMBERS, Choice, Part, split


class Reason(IntEnum):
    """`Signal.reason` of strategies out of parts."""

    NONE = 0
    ENTRY = 1
    STAYS = 2
    BEYOND_STOP = 3  # the close was beyond a stop that moves
    OPPOSITE = 4


class PartsSettings(Settings):
    """A strategy out of parts."""

    entry: Entry = Field(description="when a position is opened")
    exits: tuple[Exit, ...] = Field(description="when it is closed")
    filters: tuple[Filter, ...] = Field(default=(), description="when none is opened")
    direction: Literal["both", "long", "short"] = Field(
        default="both", description="the sides that may be entered; the other one may still end a position"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "PartsSettings":
        for group in (self.exits, self.filters):
            names = [choice.name for choice in group]
            twice = next((name for name in names if names.count(name) > 1), "")
            if twice:
                raise ValueError(f"{twice} is given twice")
        if not self.exits:
            raise ValueError("exits: give at least one, or a position is held for ever")
        stops = any(hasattr(choice.part, "first") for choice in self.exits)
        for choice in self.exits:
            in_r = choice.name == "break_even" or (isinstance(choice.part, Ladder) and choice.part.unit == "R")
            if in_r and not stops:
                raise ValueError(f"{choice.name} counts in R, the distance to the stop, and no exit gives a first stop")
        return self

    def choices(self) -> Iterator[Choice]:
        """All parts, in the order in which they are asked."""
        yield self.entry
        yield from self.filters
        yield from self.exits


class _Written(NamedTuple):
    """A `decide` and what goes with it. values: its parameters; reads: its features; fields: of the bar."""

    decide: FunctionType
    values: dict[str, Any]
    reads: dict[str, str]
    fields: tuple[str, ...]


def assemble(parts: PartsSettings) -> SignalStrategy:
    """The strategy made of these parts. Equal choices of parts share one `decide`, whatever their settings."""
    written = _write(parts)
    annotations = {name: type(value) for name, value in written.values.items()}
    annotations |= {name: tuple[float, ...] for name, value in written.values.items() if isinstance(value, tuple)}
    params = type("Params", (_AnyNumber,), {"__annotations__": annotations, **written.values, "__module__": __name__})
    members = {
        "__doc__": written.decide.__doc__, "__module__": __name__, "decide": staticmethod(written.decide),
        "Params": params, "features": lambda self: written.reads, "fields": written.fields,
    }  # fmt: skip
    made: SignalStrategy = type("Parts", (SignalStrategy,), members)()
    return made


class _AnyNumber(Settings):
    """Parameters that their parts have checked already; NaN is a bound that is not there."""

    model_config = ConfigDict(allow_inf_nan=True)


def source(parts: PartsSettings) -> str:
    """The Python source of the composed `decide`."""
    return "".join(linecache.getlines(_write(parts).decide.__code__.co_filename))


def _write(parts: PartsSettings) -> _Written:
    """Write the `decide`, and collect what it needs."""
    writer = _Writer()
    text = "\n".join(_lines(parts, writer)) + "\n"
    return _Written(_function(text, tuple(writer.functions.items())), writer.values, writer.reads, writer.fields)


def _lines(parts: PartsSettings, writer: "_Writer") -> Iterator[str]:
    """The source, line by line; what it mentions is left with the writer."""
    exits = {choice.name: choice.part for choice in parts.exits}
    asked = {choice.name: choice.part for choice in parts.filters}
    while_ = f" while {' and '.join(asked)}" if asked else ""
    moved = [writer.call(name, part, "moved", side="held") for name, part in exits.items() if hasattr(part, "moved")]
    passes = [writer.call(name, part, "passes", side="said") for name, part in asked.items()]
    passes += [] if parts.direction == "both" else ["said > 0" if parts.direction == "long" else "said < 0"]
    yield "def decide(row, position, params):"
    yield f'    """Enter by {parts.entry.name}{while_}; leave by {", ".join(exits)}."""'
    yield f"    {writer.unpacked('close')}"
    yield "    held = position.side"
    yield f"    said = {writer.call(parts.entry.name, parts.entry.part, 'side')}"
    yield "    passes = said != 0"
    for condition in passes:
        yield f"    passes = passes and {condition}"
    stays = "held != 0"
    if "opposite" in exits:
        yield "    if said == -held and held != 0 and not passes:"
        yield "        return Signal(Want.FLAT, reason=Reason.OPPOSITE)"
        stays = "held != 0 and said != -held"
    yield f"    if {stays}:"
    if moved:
        yield "        stop = NAN"
        for call in moved:
            yield f"        stop = nearest(held, stop, {call})"
        yield "        if (close - stop) * held <= 0.0:"
        yield "            return Signal(Want.FLAT, reason=Reason.BEYOND_STOP)"
    yield f"        return Signal(held{', stop=stop' if moved else ''}, reason=Reason.STAYS)"
    yield "    if not passes:"
    yield "        return HOLD"
    yield from _entering(parts.entry, exits, writer)


def _entering(entry: Entry, exits: Mapping[str, Part], writer: "_Writer") -> Iterator[str]:
    """The lines that make the signal of an entry."""
    first = [writer.call(name, part, "first", side="said") for name, part in exits.items() if hasattr(part, "first")]
    given = []
    if hasattr(entry.part, "confidence"):
        given.append("confidence=" + writer.call(entry.name, entry.part, "confidence", side="said"))
    if first:
        yield f"    stop = {first[0]}"
        for call in first[1:]:
            yield f"    stop = strictest(said, stop, {call})"
        yield "    if not ((close - stop) * said > 0.0 and stop > 0.0):"
        yield "        return HOLD"
        given.append("stop=stop")
    if "ladder" in exits:
        at = writer.parameter("ladder", "at", exits["ladder"])
        for i in range(len(writer.values["ladder_at"])):
            words = {"side": "said", "stop": "stop" if first else "NAN", "distance": f"{at}[{i}]"}
            given.append(f"target_{i + 1}=" + writer.call("ladder", exits["ladder"], "target", **words))
    if "time_stop" in exits:
        bars = writer.parameter("time_stop", "bars", exits["time_stop"])
        given.append(f"horizon_us={bars} * ({writer.bar('ts_event')} - {writer.bar('ts')})")
    yield "    return Signal("
    for each in ["said", *given, "reason=Reason.ENTRY"]:
        yield f"        {each},"
    yield "    )"


def nearest(side: int, one: float, other: float) -> float:
    """Of two stops that which is nearer to the market; what is no price does not count."""
    if not other > 0.0:
        return one
    return one if (one - other) * side > 0.0 else other


def strictest(side: int, one: float, other: float) -> float:
    """As `nearest`, but NaN if one of them is not known."""
    if one != one or other != other:
        return NAN
    return one if (one - other) * side > 0.0 else other


class _Writer:
    """Writes calls of parts' functions, and keeps what they mention."""

    def __init__(self) -> None:
        self.functions: dict[str, FunctionType] = {}
        self.values: dict[str, Any] = {}
        self.reads: dict[str, str] = {}
        self.fields: tuple[str, ...] = ()

    def call(self, name: str, part: Part, function: str, **words: str) -> str:
        """The call of a part's function: its arguments are settings, readings, the given words, and the bar's."""
        found = getattr(type(part), function)
        self.functions[f"{name}_{function}"] = found
        readings = part.reads()
        arguments = []
        for word in inspect.signature(found).parameters:
            if word in type(part).model_fields:
                arguments.append(
                    self.reading(name, word, readings) if word in readings else self.parameter(name, word, part)
                )
            elif word in readings:
                arguments.append(self.reading(name, word, readings))
            elif word in words:
                arguments.append(words[word])
            else:
                arguments.append(_POSITION.get(word) or self.bar(_BAR.get(word, word)))
        return f"{name}_{function}({', '.join(arguments)})"

    def parameter(self, name: str, setting: str, part: Part) -> str:
        """A part's setting as a parameter: what is not given is NaN, a word its place among the words allowed."""
        value = getattr(part, setting)
        if isinstance(value, str):
            value = get_args(type(part).model_fields[setting].annotation).index(value)
        field = f"{name}_{setting.rstrip('_')}"
        self.values[field] = NAN if value is None else value
        return f"params.{field}"

    def reading(self, name: str, word: str, readings: Mapping[str, str]) -> str:
        """A reading as a field of the row."""
        if readings[word] in NUMBERS:
            return self.bar(readings[word])
        spec, output = split(readings[word])
        field = next((known for known, read in self.reads.items() if read == spec), f"{name}_{word}")
        self.reads[field] = spec
        return f"row.{field}_{output}" if output else f"row.{field}"

    def bar(self, field: str) -> str:
        """A field of the bar."""
        if field not in self.fields:
            self.fields += (field,)
        return "close" if field == "close" else f"row.{field}"

    def unpacked(self, field: str) -> str:
        self.bar(field)
        return f"{field} = row.{field}"


_POSITION = {"entry": "position.entry", "risk": "position.risk"}
_BAR = {"now": "ts_event"}


@cache
def _function(text: str, functions: tuple[tuple[str, FunctionType], ...]) -> FunctionType:
    """The function `decide` of `text`. Python's own tools find its source by the name of its file."""
    words = {"Signal": Signal, "Want": Want, "HOLD": HOLD, "NAN": NAN, "Reason": Reason, "nearest": nearest}
    space: dict[str, Any] = {**words, "strictest": strictest, **dict(functions), "__name__": __name__}
    file = f"<strategy out of {' + '.join(name for name, _ in functions)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), space)
    decide: FunctionType = space["decide"]
    return decide
