"""Kernels inside the minute agree with their Python faces, and meet their ends."""

import math

import numpy as np
import pytest

from truewind.market.synthetic import flow, process

rng = np.random.default_rng(42)


def inside(minutes):
    """States of quiet, lively and starved minutes, with draws."""
    states = np.column_stack(
        [
            np.log(100.0) + 0.001 * rng.standard_normal(minutes),
            0.002 * rng.standard_normal(minutes),
            np.where(rng.random(minutes) < 0.2, 0.02, 0.0),
            rng.uniform(0.0001, 0.003, minutes),
            rng.choice([0.0, 30.0, 5_000.0], minutes),
            rng.uniform(1.0, 40.0, minutes),
            rng.uniform(-0.7, 0.7, minutes),
        ]
    )
    draws = rng.standard_normal((minutes, 11)), rng.standard_exponential((minutes, 12)), rng.random((minutes, 13))
    return states, draws


def flows(function, states, draws):
    found = np.zeros((len(states), flow.STEPS, 5), np.int64)
    for t, state in enumerate(states):
        function(state, 0.01, *(draw[t] for draw in draws), found[t])
    return found


def test_compiled_kernels_agree_with_their_python_faces():
    """Flows, bars, trades, regimes and waves are bit-equal compiled and in plain Python."""
    states, draws = inside(50)
    compiled = flows(flow.minute_flow, states, draws)
    np.testing.assert_array_equal(compiled, flows(flow.minute_flow.py_func, states, draws))

    bars = [np.zeros((50, 8), np.int64) for _ in range(2)]
    flow.minute_bars(states, 0.01, *draws, bars[0])
    flow.minute_bars.py_func(states, 0.01, *draws, bars[1])
    np.testing.assert_array_equal(*bars)

    uniform = rng.random((int(bars[0][:, flow.TRADES].max()), 3))
    for steps in compiled:
        prints = [np.zeros((len(uniform), 4), np.int64) for _ in range(2)]
        assert flow.minute_trades(0, steps, uniform, 0, prints[0]) == flow.minute_trades.py_func(
            0, steps, uniform, 0, prints[1]
        )
        np.testing.assert_array_equal(*prints)

    chain = rng.random(2_000), np.array([8.0, 5.0, 3.0]), np.cumsum(process.NEXT, axis=1), np.array([0.3, 0.6, 1.0])
    np.testing.assert_array_equal(process.regimes(*chain), process.regimes.py_func(*chain))
    waves, shocks = np.zeros((2, 2_000)), rng.standard_normal(2_000)
    process.add_wave(shocks, 0.9, 0.3, waves[0])
    process.add_wave.py_func(shocks, 0.9, 0.3, waves[1])
    np.testing.assert_array_equal(*waves)


def test_the_path_begins_and_ends_where_the_process_says():
    """The first quote holds the starting level, the last the level after move and jump; quotes always trade."""
    states, draws = inside(200)
    found = flows(flow.minute_flow, states, draws)
    for steps, state in zip(found, states, strict=True):
        start, end = math.exp(state[flow.LEVEL]), math.exp(state[flow.LEVEL] + state[flow.MOVE] + state[flow.JUMP])
        assert steps[0, flow.BID] == math.floor(start / 0.01)
        assert steps[-1, flow.BID] == pytest.approx(end / 0.01, abs=1.0)
        assert (steps[:, flow.BUY] + steps[:, flow.SELL] >= 2).all()
        assert ((steps[:, flow.BUYS] > 0) == (steps[:, flow.BUY] > 0)).all()
        assert ((steps[:, flow.SELLS] > 0) == (steps[:, flow.SELL] > 0)).all()


def test_volume_comes_out_near_what_was_wished_for():
    """Lots differ from the wish by less than the two lots of each step that every minute trades at least."""
    states, draws = inside(200)
    found = flows(flow.minute_flow, states, draws)
    traded = found[:, :, flow.BUY].sum(axis=1) + found[:, :, flow.SELL].sum(axis=1)
    assert (np.abs(traded - states[:, flow.LOTS]) <= 2 * flow.STEPS).all()


def test_trades_of_a_minute_come_in_time_order_within_it():
    """Times never go back, stay within the minute, and spread over it."""
    states, draws = inside(20)
    for steps in flows(flow.minute_flow, states, draws):
        count = int(steps[:, flow.BUYS].sum() + steps[:, flow.SELLS].sum())
        prints = np.zeros((count, 4), np.int64)
        assert flow.minute_trades(1_000, steps, rng.random((count, 3)), 0, prints) == count
        ts = prints[:, 0]
        assert (np.diff(ts) >= 0).all()
        assert ts[0] >= 1_000
        assert ts[-1] < 1_000 + 60_000_000
        assert (prints[:, 2] >= 1).all()
