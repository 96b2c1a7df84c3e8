"""Buffers of the kernels' records: what is given away is not touched again, and there is always room for a bar."""

import numpy as np
import pytest

from lanes import account, world
from truewind.engine.state import State


@pytest.fixture
def state():
    timeline, instruments, dues = world(2, 1, count=20)
    given = account()
    return State(
        instruments, timeline, given["cash"], given["currency"], given["costs"], given["limits"], dues, buffer_rows=16
    )


def write(state, numbers):
    """Write fills with these order numbers as kernels do: behind those in use."""
    for number in numbers:
        used = int(state.account[0]["fills"])
        state.fills[used]["order"] = number
        state.account["fills"] += 1


def test_what_is_drained_stays_as_it_was_while_the_buffer_is_used_on(state):
    parts = []
    for first in range(0, 60, 5):
        write(state, range(first, first + 5))
        parts.append(state.drain()[1])
        assert state.account[0]["fills"] == 0
        assert len(state.fills) >= 8  # half of what there was at first
    assert np.concatenate(parts)["order"].tolist() == list(range(60))


def test_what_is_drained_is_not_copied(state):
    buffer = state.fills
    write(state, range(3))
    assert np.shares_memory(state.drain()[1], buffer)
    assert np.shares_memory(state.fills, buffer)


def test_room_is_made_for_a_full_table_of_orders_and_stays(state):
    """Eight steps of each order on one bar, as `matching.happen` asks for before it begins."""
    state.make_room()
    for _ in range(50):
        assert min(len(state.fills), len(state.events), len(state.verdicts)) > 8 * len(state.orders)
        write(state, range(100))
        state.drain()
