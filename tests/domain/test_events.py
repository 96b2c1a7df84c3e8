"""Events: one order for all that happens at the same time."""

import itertools
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.events import EngineEvent, Liquidation, Mark, Timer, sort_key
from truewind.domain.fill import Fill
from truewind.domain.market import Bar, Funding, Quote, Trade

MINUTE = 60_000_000


def bar(ts_event: int, minutes: int) -> Bar:
    return Bar("X", ts_event - minutes * MINUTE, ts_event, ts_event, 1.0, 1.0, 1.0, 1.0, 1.0)


def make(kind: str, ts: int, sequence: int = 0) -> EngineEvent:
    """One event of each kind at `ts`, by the name under which the order of equal times is documented."""
    made: dict[str, EngineEvent] = {
        "funding": Funding("X", ts, ts, 0.0001, sequence=sequence),
        "mark": Mark("X", ts, ts, 1.0, sequence),
        "liquidation": Liquidation("X", ts, ts, 1.0, -1.0, sequence),
        "fill": Fill(1, "X", ts, 1, 1.0, 1.0, 0.0, False, 1.0, 0),
        "bar 1h": bar(ts, 60),
        "bar 1m": bar(ts, 1),
        "trade": Trade("X", ts, ts, 1.0, 1.0, 1, sequence),
        "quote": Quote("X", ts, ts, 1.0, 1.0, 1.0, 1.0, sequence),
        "timer": Timer("wake", ts, ts, sequence),
    }
    return made[kind]


# The design's order at equal times; the prints and quotes share one rank.
DOCUMENTED = ["funding", "mark", "liquidation", "fill", "bar 1h", "bar 1m", "trade", "timer"]
KINDS = [*DOCUMENTED, "quote"]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(DOCUMENTED, 2)))
def test_equal_times_have_the_documented_order(first: str, second: str) -> None:
    """Funding, mark, liquidation, fills, longer bars, shorter bars and prints, timers: each before the next."""
    assert sort_key(make(first, MINUTE)) < sort_key(make(second, MINUTE))


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 3)), max_size=30), st.randoms())
def test_the_order_is_total_and_time_comes_first(rows: list[tuple[str, int, int]], random: Any) -> None:
    """However events arrive, sorting yields one timeline: by time, and by the same keys."""
    events = [make(kind, ts * MINUTE, sequence) for kind, ts, sequence in rows]
    timeline = [sort_key(event) for event in sorted(events, key=sort_key)]
    random.shuffle(events)
    assert [sort_key(event) for event in sorted(events, key=sort_key)] == timeline
    assert [key[0] for key in timeline] == sorted(ts * MINUTE for _, ts, _ in rows)


def test_the_source_numbers_decide_last() -> None:
    """Two prints of one microsecond keep the venue's own order."""
    assert sort_key(make("trade", 5, 7)) < sort_key(make("trade", 5, 8))


def test_every_kind_of_event_has_a_place() -> None:
    """No member of the union is without a rank."""
    assert {type(make(kind, 1)) for kind in KINDS} == set(get_args(EngineEvent))
    assert all(sort_key(make(kind, 1)) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_what_happened_is_never_edited(kind: str) -> None:
    """Events are values: assigning to a field fails."""
    with pytest.raises(AttributeError):
        make(kind, 1).ts_event = 2
