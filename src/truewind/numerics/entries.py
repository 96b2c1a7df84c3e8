"""Random entries: what the same trades would have brought at other times of the same market."""

import math

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.draws import bits, uniform
from truewind.numerics.jit import kernel
from truewind.numerics.performance import Floats, Ints


def random_entries(closes: Floats, holding: Ints, weights: Floats, count: int, *, seed: int) -> Floats:
    """(count,) sums of what the trades bring if they begin at random: Σ weight × (close at the end / at entry − 1).

    closes: (bars,) of one market, positive. holding: (trades,) bars that each is held, ≥ 1. weights: (trades,) notional
    over equity, signed by side. In each of `count` draws the trades keep number, side, size and holding time; they
    follow each other in a random order without overlapping, and each of them finds its place among the free bars
    evenly. Where they cannot but overlap, each begins at a time of its own. Trades longer than the market are cut to
    it. NaN for a market of less than two bars or with prices that are not positive.
    """
    prices = np.ascontiguousarray(closes, np.float64)
    if len(prices) < 2 or not (prices > 0.0).all():
        return np.full(count, math.nan)
    lengths = np.clip(np.asarray(holding, np.int64), 1, len(prices) - 1)
    sums = np.zeros(count)
    _enter(prices, lengths, np.ascontiguousarray(weights, np.float64), seed, sums)
    return sums


@kernel
def _enter(
    prices: NDArray[np.float64],
    holding: NDArray[np.int64],
    weights: NDArray[np.float64],
    seed: int,
    sums: NDArray[np.float64],
) -> None:
    bars, trades = len(prices) - 1, len(holding)
    free = bars
    for trade in range(trades):
        free -= holding[trade]
    order, gaps = np.arange(trades), np.zeros(trades + 1)
    for path in range(len(sums)):
        total = 0.0
        if free >= 0:
            for k in range(trades + 1):  # exponential gaps, over their sum, part an interval evenly at random
                gaps[k] = -math.log(uniform(seed, path, k, 0))
                total += gaps[k]
            for k in range(trades):
                order[k] = k
        found, begun, passed = 0.0, 0, 0.0
        for k in range(trades):
            if free >= 0:
                other = k + ((bits(seed, path, k, 2) * (trades - k)) >> 32)
                order[k], order[other] = order[other], order[k]
                trade = order[k]
                passed += gaps[k]
                entry = begun + min(int(passed / total * (free + 1)), free)
                begun += holding[trade]
            else:
                trade = k
                entry = (bits(seed, path, k, 3) * (bars - holding[k] + 1)) >> 32
            found += weights[trade] * (prices[entry + holding[trade]] / prices[entry] - 1.0)
        sums[path] = found
