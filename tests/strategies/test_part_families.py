"""What entries, exits and filters promise, whichever they are: each new part is found by itself and held to it."""

import math
import re
from collections import namedtuple
from functools import cache
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from truewind.config import parse
from truewind.domain.position import Position
from truewind.domain.signal import Signal, Want
from truewind.strategies.base import SignalStrategy
from truewind.strategies.entries import Entry
from truewind.strategies.exits import Exit
from truewind.strategies.filters import Filter
from truewind.strategies.part import Choice
from truewind.strategies.parts import PartsSettings, assemble, source

FAMILIES: tuple[type[Choice], ...] = (Entry, Exit, Filter)
# Settings of parts that cannot do without.
NEEDED: dict[str, dict[str, Any]] = {
    "probability": {"of": "volume"},
    "market": {"of": "europe"},
    "within": {"of": "volume", "low": 0.0},
}
ENTRY = {"threshold": {"of": "trades", "low": -1.0, "high": 1.0, "trade": "momentum"}}
HOUR_US = 3_600_000_000
numbers = st.sampled_from([-1.0, 0.0, 1.0]) | st.floats(0.0, 1.0) | st.floats(-1e6, 1e6) | st.just(math.nan)
hours = st.integers(1, 300)


def part(name: str) -> dict[str, Any]:
    """A part with its defaults, and what it needs."""
    return {name: NEEDED.get(name, {})}


@cache
def made(family: type[Choice], name: str) -> tuple[SignalStrategy, tuple[str, ...]]:
    """A strategy of that part and plain ones beside it; the fields of the row that it reads."""
    stops = [part("fixed_stop"), *([] if name == "fixed_stop" or family is not Exit else [part(name)])]
    chosen = {
        "entry": part(name) if family is Entry else ENTRY,
        "exits": stops,
        "filters": [part(name)] if family is Filter else [],
    }
    parts = parse(PartsSettings, chosen)
    fields = dict.fromkeys(re.findall(r"row\.(\w+)", source(parts)))
    return assemble(parts), tuple(fields)


def said(family: type[Choice], name: str, position: Position, data: Any, **known: float) -> Signal:
    """What the strategy says of a row whose numbers are drawn, but for those known."""
    strategy, fields = made(family, name)
    row = {field: known[field] if field in known else data.draw(numbers, label=field) for field in fields}
    signal: Signal = strategy.decide(namedtuple("Row", fields)(**row), position, strategy.values)
    return signal


def held(side: int, entry: float = 100.0) -> Position:
    return Position(side, float(side), entry, math.nan, 0, 2.0)


def times(data: Any) -> dict[str, Any]:
    """A bar of one hour, at some time of some day."""
    end = data.draw(hours) * HOUR_US
    return {"ts": end - HOUR_US, "ts_event": end}


FLAT = Position(0, 0.0, math.nan, math.nan, 0)


def own_fields(family: type[Choice], name: str) -> set[str]:
    """The fields that the part itself reads: its features, not the bar's."""
    return {field for field in made(family, name)[1] if field.startswith(name)}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_part_explains_itself_and_its_settings(family: type[Choice]) -> None:
    """A sentence for the part, and one with units for every setting: the page of parts is made of them."""
    for name in family.model_fields:
        chosen = parse(family, part(name)).part
        assert type(chosen).__doc__, name
        assert all(field.description for field in type(chosen).model_fields.values()), name


@pytest.mark.parametrize("side", [Want.LONG, Want.SHORT])
@pytest.mark.parametrize(("family", "name"), [(family, name) for family in FAMILIES for name in family.model_fields])
def test_each_part_lets_something_be_entered(family: type[Choice], name: str, side: int) -> None:
    """With its defaults there is a row on which it is entered long, and one on which short."""
    strategy, fields = made(family, name)
    near, moved = st.floats(10.0, 20.0), st.sampled_from([-1.0, 0.0, 1.0]) | st.floats(-10.0, 10.0)
    plain = {"open": near, "close": near, "trades": st.just(2.0 * side), "ts": st.just(0)}
    plain["ts_event"] = hours.map(HOUR_US.__mul__)
    plain["threshold_of"] = st.floats(0.0, 100.0)
    rows = st.fixed_dictionaries({field: plain.get(field, near | moved) for field in fields})

    def enters(row: dict[str, Any]) -> bool:
        said: Signal = strategy.decide(namedtuple("Row", fields)(**row), FLAT, strategy.values)
        return said.side == side

    assert find(rows, enters, settings=settings(max_examples=20_000, derandomize=True, database=None))


@pytest.mark.parametrize("name", Entry.model_fields)
@given(data=st.data())
def test_an_entry_is_a_side_with_a_stop_behind_it_or_nothing(name: str, data: Any) -> None:
    """Whatever the numbers: a side whose stop lies on the side where it loses, and a probability; or HOLD."""
    close = data.draw(st.floats(1.0, 1e6))
    signal = said(Entry, name, FLAT, data, close=close, **times(data))
    assert signal.side in (Want.LONG, Want.SHORT, Want.HOLD)
    if signal.side != Want.HOLD:
        assert (close - signal.stop) * signal.side > 0.0
        assert 0.0 <= signal.confidence <= 1.0


@pytest.mark.parametrize("name", Entry.model_fields)
@given(data=st.data())
def test_what_an_entry_does_not_know_is_no_side(name: str, data: Any) -> None:
    """With all that it reads missing it says nothing."""
    fields = made(Entry, name)[1]
    unknown = dict.fromkeys(fields, math.nan) | {"close": data.draw(st.floats(1.0, 1e6))} | times(data)
    assert said(Entry, name, FLAT, data, **unknown).side == Want.HOLD


@pytest.mark.parametrize("name", Filter.model_fields)
@given(data=st.data())
def test_a_filter_that_does_not_know_lets_nothing_be_entered(name: str, data: Any) -> None:
    """With any of its readings missing nothing is entered. A session reads the clock, which is always known."""
    close, trades = data.draw(st.floats(1.0, 1e6)), data.draw(st.sampled_from([-2.0, 2.0]))
    fields = sorted({"volume"} & set(made(Filter, name)[1]) | own_fields(Filter, name))
    known = {"close": close, "trades": trades, **times(data)}
    if fields:
        known[data.draw(st.sampled_from(fields))] = math.nan
        assert said(Filter, name, FLAT, data, **known).side == Want.HOLD
    else:
        assert name == "session"


@pytest.mark.parametrize("name", Filter.model_fields)
@given(data=st.data())
def test_a_filter_lets_pass_or_not_and_never_changes_what_is_entered(name: str, data: Any) -> None:
    """What is entered is what would be without it; a position is left as it would be without it."""
    close, trades = data.draw(st.floats(1.0, 1e6)), data.draw(st.sampled_from([-2.0, 2.0]))
    known = {"close": close, "trades": trades, **times(data)}
    alone = said(Exit, "fixed_stop", FLAT, data, **known)
    found = said(Filter, name, FLAT, data, **known)
    assert found.side == Want.HOLD or (found.side, found.stop) == (alone.side, alone.stop)
    side = data.draw(st.sampled_from([-1, 1]))
    assert said(Filter, name, held(side), data, **known).side == side


@pytest.mark.parametrize("name", Exit.model_fields)
@given(data=st.data())
def test_an_exit_enters_with_a_stop_behind_and_targets_ahead(name: str, data: Any) -> None:
    """Stops lie where the side loses, targets where it gains, whatever the numbers; else nothing is entered."""
    close, trades = data.draw(st.floats(1.0, 1e6)), data.draw(st.sampled_from([-2.0, 2.0]))
    signal = said(Exit, name, FLAT, data, close=close, trades=trades, **times(data))
    assert signal.side in (Want.HOLD, 1 if trades > 0 else -1)
    if signal.side != Want.HOLD:
        assert (close - signal.stop) * signal.side > 0.0
        assert all((target - close) * signal.side > 0.0 for target in signal[4:8] if not math.isnan(target))
        assert signal.horizon_us >= 0


@pytest.mark.parametrize("name", Exit.model_fields)
@given(data=st.data())
def test_an_exit_stays_with_a_stop_behind_or_leaves(name: str, data: Any) -> None:
    """In a position: its side with a stop behind the close or none, flat, or (where it may turn) the other side."""
    close, trades = data.draw(st.floats(1.0, 1e6)), data.draw(st.sampled_from([-2.0, 0.0, 2.0]))
    side = data.draw(st.sampled_from([-1, 1]))
    signal = said(
        Exit, name, held(side, data.draw(st.floats(1.0, 1e6))), data, close=close, trades=trades, **times(data)
    )
    turns = name == "opposite" and trades * side < 0.0
    assert signal.side in ((-side, Want.FLAT, Want.HOLD) if turns else (side, Want.FLAT))
    if signal.side == side:
        assert math.isnan(signal.stop) or (close - signal.stop) * side > 0.0
