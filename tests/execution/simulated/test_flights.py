"""How long orders take to the venue: drawn for each, so that one may overtake another."""

import numpy as np

from scripted import columns, flat, free, play
from truewind.domain.order import Event

CALM = flat(100)


def flights(count=1000, seed=42, **how):
    """Of each order of a lot sent at the first close: µs from there to the venue."""
    costs = free(latency_ms=8.0, latency_sigma=0.3, **how)
    engine = play([CALM] * 4, {0: lambda s: [s.buy(0.001) for _ in range(count)]}, costs=costs, seed=seed)
    accepted = engine.events[engine.events["event"] == Event.ACCEPT]
    assert (np.diff(accepted["ts"]) >= 0).all()  # they come in the order of their arrival
    return {int(event["order"]): int(event["ts"]) - 60_000_000 for event in accepted}


def test_flights_are_lognormal():
    """Of 1 000: a median of 8 ms and a deviation of the logarithm of 0.3, each within four standard errors."""
    logs = np.log(np.array(list(flights().values())) / 8_000)
    assert abs(logs.mean()) < 4 * 0.3 / np.sqrt(1000)
    assert abs(logs.std() - 0.3) < 4 * 0.3 / np.sqrt(2000)


def test_flights_are_drawn_by_seed_and_order_alone():
    """The same again, others with another seed, and the first ten whether or not more are sent."""
    first = flights(100)
    assert first == flights(100)
    assert first != flights(100, seed=1)
    assert flights(10) == {order: late for order, late in first.items() if order <= 10}


def test_the_order_that_arrives_first_takes_the_volume():
    """A bar of one lot, and ten orders of a lot: it goes to the one that came first, whichever was sent first."""
    late = flights(10)
    first = min(late, key=late.get)
    assert first != 1
    bars = {"BTCUSDT": columns([CALM] * 4) | {"volume": np.array([9.0, 0.001, 9.0, 9.0])}}
    costs = free(latency_ms=8.0, latency_sigma=0.3, volume_share=1.0)
    engine = play(bars, {0: lambda s: [s.buy(0.001) for _ in range(10)]}, costs=costs)
    assert [int(fill["order"]) for fill in engine.fills if fill["row"] == 1] == [first]
