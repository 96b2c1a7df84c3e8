"""The life of an order: one table, and everything follows from it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.order import ILLEGAL, LIFE_CYCLE, TERMINAL, TRANSITIONS, Event, Status

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "orders.md"


def documented() -> dict[tuple[Status, Event], Status]:
    """The table of the documentation page."""
    rows = re.findall(r"^\| ([A-Z_]+) \| ([A-Z_]+) \| ([A-Z_]+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {(Status[status], Event[event]): Status[following] for status, event, following in rows}


def reachable() -> set[Status]:
    found, fresh = {Status.NEW}, [Status.NEW]
    while fresh:
        for following in LIFE_CYCLE[fresh.pop()].values():
            if following not in found:
                found.add(following)
                fresh.append(following)
    return found


def test_every_status_can_be_reached() -> None:
    """From NEW, some sequence of events leads to each status."""
    assert reachable() == set(Status)


def test_every_event_happens_somewhere() -> None:
    """No event is without a row: each is legal in at least one status."""
    assert {event for events in LIFE_CYCLE.values() for event in events} == set(Event)


def test_ends_are_ends() -> None:
    """The five ways to end have no exits, and nothing else is an end."""
    assert {Status.DENIED, Status.REJECTED, Status.FILLED, Status.CANCELLED, Status.EXPIRED} == TERMINAL
    assert all(not LIFE_CYCLE[status] for status in TERMINAL)


def test_every_living_order_can_end() -> None:
    """From each status some end can be reached: no order lives for ever."""
    ended = set(TERMINAL)
    for _ in Status:
        ended |= {status for status, events in LIFE_CYCLE.items() if ended & set(events.values())}
    assert ended == set(Status)


def test_the_table_is_the_documented_one() -> None:
    """docs/orders.md lists exactly the transitions of the code."""
    legal = {(status, event): next_ for status, events in LIFE_CYCLE.items() for event, next_ in events.items()}
    assert documented() == legal
    assert set(LIFE_CYCLE) == set(Status)


@given(st.lists(st.sampled_from(list(Event)), max_size=12))
def test_kernels_read_the_documented_table(events: list[Event]) -> None:
    """Any sequence of events leads through the kernels' array as through the documented table, legal or not."""
    rules = documented()
    status = Status.NEW
    for event in events:
        following = int(TRANSITIONS[status, event])
        assert following == rules.get((status, event), ILLEGAL)
        if following != ILLEGAL:
            status = Status(following)


def test_the_table_cannot_be_edited() -> None:
    """A kernel or a strategy that writes into the table fails at once."""
    with pytest.raises(ValueError, match="read-only"):
        TRANSITIONS[0, 0] = 1
