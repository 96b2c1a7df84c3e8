"""How long orders take to the venue: drawn for each, so that one may overtake another."""

import numpy as np

from scripted import columns, done, flat, free, play
from truewind.domain.order import Event
from truewind.execution.simulated.latency import OrderLatency, RowFeed

CALM = flat(100)
DRAWN = OrderLatency(model="lognormal", sigma=0.3)


def flights(count=1000, seed=42, **how):
    """Of each order of a lot sent at the first close: µs from there to the venue."""
    engine = play(
        [CALM] * 4, {0: lambda s: [s.buy(0.001) for _ in range(count)]}, costs=free(**how), latency=DRAWN, seed=seed
    )
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


def test_on_bars_latency_grows_with_the_trades_of_the_bar_last_seen():
    """120,000 trades in a minute are 2 thousand a second: 3 ms each on top of 8; where they are not counted none."""
    for trades, late in [(120_000.0, 14_000), (np.nan, 8_000)]:
        bars = {"BTCUSDT": columns([CALM] * 3) | {"trades": np.array([trades, 1.0, 1.0])}}
        engine = play(bars, {0: lambda s: s.buy(1)}, latency=OrderLatency(load_ms=3.0))
        assert [int(event["ts"]) - 60_000_000 for event in engine.events if event["event"] == Event.ACCEPT] == [late]


def test_a_late_feed_moves_orders_and_horizons_by_as_much():
    """Bars shown 90 s late: what the first one makes us send at 2:30 meets the bar that ends at 3:00, from its open."""
    bars = [CALM, flat(101), flat(102), flat(103)]
    engine = play(bars, {0: lambda s: s.buy(1)}, feed=RowFeed(model="constant", delay_ms=90_000))
    assert [bar.ts_recv - bar.ts_event for bar in engine.strategy.bars] == 4 * [90_000_000]
    assert [event["ts"] for event in engine.events if event["event"] == Event.SUBMIT] == [150_000_000]
    assert [(fill.row, fill.price) for fill in done(engine)] == [(2, 102.0)]


def test_the_order_that_arrives_first_takes_the_volume():
    """A bar of one lot, and ten orders of a lot: it goes to the one that came first, whichever was sent first."""
    late = flights(10)
    first = min(late, key=late.get)
    assert first != 1
    bars = {"BTCUSDT": columns([CALM] * 4) | {"volume": np.array([9.0, 0.001, 9.0, 9.0])}}
    acts = {0: lambda s: [s.buy(0.001) for _ in range(10)]}
    engine = play(bars, acts, costs=free(volume_share=1.0), latency=DRAWN)
    assert [int(fill["order"]) for fill in engine.fills if fill["row"] == 1] == [first]
