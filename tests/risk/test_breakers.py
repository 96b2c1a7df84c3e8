"""Limits on the flow of orders, each by itself: what it denies, and what it lets pass."""

import numpy as np
import pytest

from scripted import MINUTE, UNLIMITED, columns, fates, flat, perpetual, play
from truewind.domain.order import Reason, Status
from truewind.execution.simulated.latency import RowFeed

FLAT = [flat(100)] * 8
CASH = 1_000.0


def house(**limits):
    return UNLIMITED.model_copy(update=limits)


def rulings(engine):
    """(row, Reason, lots that open) of each order that was to open."""
    found = engine.verdicts[["row", "reason", "opening"]].tolist()
    return [(row, Reason(reason), opening) for row, reason, opening in found]


def test_cooldown_runs_from_the_entry_and_lets_what_adds_and_what_closes_pass() -> None:
    """Ten minutes' cooldown, bars of five: the second entry is denied, the third, ten minutes later, is not."""
    acts = {
        0: lambda s: s.buy(1),
        1: lambda s: s.buy(1),  # adds
        2: lambda s: s.close(),
        3: lambda s: s.buy(1),  # 15 minutes after the first, before ten have passed since nothing: lets it pass
        4: lambda s: s.sell(2),  # turns, five minutes after: only what closes
        5: lambda s: s.sell(1),
    }
    engine = play(FLAT, acts, cash=CASH, limits=house(cooldown_minutes=10.0), step=5 * MINUTE)
    assert rulings(engine) == [
        (0, Reason.NONE, 1000), (1, Reason.NONE, 1000), (3, Reason.NONE, 1000), (4, Reason.COOLDOWN, 0),
        (5, Reason.NONE, 1000),
    ]  # fmt: skip
    assert [int(fill["position"]) for fill in engine.fills] == [1000, 2000, 0, 1000, 0, -1000]


def test_orders_of_one_moment_are_one_entry() -> None:
    """A grid's: both are let through, one that comes a minute later is not."""
    acts = {0: lambda s: (s.buy(1, limit=99), s.buy(1, limit=98)), 1: lambda s: s.buy(1, limit=97)}
    engine = play(FLAT, acts, cash=CASH, limits=house(cooldown_minutes=60.0))
    assert [reason for _, reason, _ in rulings(engine)] == [Reason.NONE, Reason.NONE, Reason.COOLDOWN]


@pytest.mark.parametrize(
    ("limits", "reason", "passes", "denied"),
    [
        ({"max_price_distance": 0.1}, Reason.PRICE_FAR_OFF, {"limit": 90}, {"limit": 89.9}),
        ({"max_price_distance": 0.1}, Reason.PRICE_FAR_OFF, {"limit": 110}, {"limit": 110.1}),
        ({"max_order": 0.5}, Reason.ORDER_TOO_LARGE, {"quantity": 5}, {"quantity": 5.001}),
        ({"max_order_notional": 300.0}, Reason.ORDER_TOO_LARGE, {"quantity": 3}, {"quantity": 3.001}),
    ],
)
def test_fat_fingers(limits, reason, passes, denied) -> None:
    """Equity is 1,000, the price 100: the limits are met exactly by what passes."""
    for how, expected in ((passes, Reason.NONE), (denied, reason)):
        asked = {"quantity": 1.0} | how
        engine = play(FLAT, {0: lambda s, asked=asked: s.buy(**asked)}, cash=CASH, limits=house(**limits))
        assert [found for _, found, _ in rulings(engine)] == [expected]


def test_orders_a_minute_are_those_of_the_clock() -> None:
    """Two a minute; what reduces is not counted."""
    acts = {0: lambda s: [s.buy(1) for _ in range(3)], 1: lambda s: [s.close(), s.buy(1)]}
    engine = play(FLAT, acts, cash=CASH, limits=house(max_orders_per_minute=2))
    assert [reason for _, reason, _ in rulings(engine)] == [Reason.NONE, Reason.NONE, Reason.ORDER_RATE, Reason.NONE]


def test_the_same_again_is_a_duplicate() -> None:
    """Side, limit and stop are the same within two minutes; another stop, or later, is something else."""
    acts = {
        0: lambda s: s.buy(1, limit=99, stop_loss=90),
        1: lambda s: (s.buy(1, limit=99, stop_loss=90), s.buy(1, limit=99, stop_loss=91)),
        4: lambda s: s.buy(1, limit=99, stop_loss=91),
    }
    engine = play(FLAT, acts, cash=CASH, limits=house(duplicate_minutes=2.0))
    assert [reason for _, reason, _ in rulings(engine)] == [
        Reason.NONE, Reason.DUPLICATE, Reason.NONE, Reason.NONE,
    ]  # fmt: skip


def test_what_the_market_was_last_seen_like() -> None:
    """A spread, a measured volatility and a bar's range above their limits deny; an unknown one (NaN) does not."""
    wild = [flat(100), (100, 103, 99, 100), flat(100), flat(100)]
    for limits, reason, extra in (
        ({"max_spread": 0.001}, Reason.WIDE_SPREAD, {"spread": [0.0005, 0.002, np.nan, 0.001]}),
        ({"max_volatility": 0.01}, Reason.VOLATILITY_HALT, {"risk volatility": [0.005, 0.02, np.nan, 0.01]}),
        ({"max_bar_move": 0.04}, Reason.VOLATILITY_HALT, {}),
    ):
        bars = {"BTCUSDT": columns(wild) | {name: np.array(values) for name, values in extra.items()}}
        engine = play(bars, dict.fromkeys(range(4), lambda s: s.buy(1)), cash=CASH, limits=house(**limits))
        assert [found for _, found, _ in rulings(engine)] == [Reason.NONE, reason, Reason.NONE, Reason.NONE], limits


def test_a_symbol_that_has_fallen_silent_is_stale() -> None:
    """ETH ends after two bars; a minute old is fresh enough, two are not."""
    bars = {"BTCUSDT": [flat(100)] * 6, "ETHUSDT": [flat(50)] * 2}
    acts = {row: lambda s: s.buy(1, symbol="ETHUSDT") for row in (3, 4, 5)}  # known at 2, 3 and 4 minutes
    instruments = [perpetual(), perpetual("ETHUSDT")]
    engine = play(bars, acts, instruments=instruments, cash=CASH, limits=house(max_data_age_s=60.0))
    assert [reason for _, reason, _ in rulings(engine)] == [Reason.NONE, Reason.NONE, Reason.STALE_DATA]


def test_rows_that_come_late_deny() -> None:
    late = {"model": "constant", "delay_ms": 900.0}
    for most, expected in ((899.0, Reason.LATENCY), (900.0, Reason.NONE)):
        acts = {0: lambda s: s.buy(1)}
        engine = play(FLAT, acts, cash=CASH, limits=house(max_latency_ms=most), feed=RowFeed(**late))
        assert [reason for _, reason, _ in rulings(engine)] == [expected]


def test_an_order_that_works_cannot_grow_once_a_breaker_has_tripped() -> None:
    """Half of equity is lost; a resting bid may be made smaller, not larger."""
    fall = [flat(100), flat(100), flat(50), flat(50), flat(50)]
    changes: list[bool] = []
    acts = {
        0: lambda s: (s.buy(9), s.buy(1, limit=10)),
        2: lambda s: changes.append(s.amend(s.ids[1], quantity=2)),
        3: lambda s: changes.append(s.amend(s.ids[1], quantity=0.5)),
    }
    engine = play(fall, acts, cash=CASH, limits=house(max_drawdown=0.2))
    assert changes == [False, True]
    assert [int(latch["row"]) for latch in engine.latches] == [2]
    assert fates(engine)[2][0] is Status.EXPIRED
