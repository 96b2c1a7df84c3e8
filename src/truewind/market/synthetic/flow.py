"""Inside a minute: twelve quotes of five seconds each, and how much was bought at the ask and sold at the bid.

A bar is the sum of these flows, and single trades are the same flows split up; so trades add up to the bar exactly, in
every column. The first quote of a minute is the last of the minute before: bars open within one tick of the last close.
"""

import math

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.jit import kernel

STEPS = 12
STEP_US = 60_000_000 // STEPS
BID, BUY, SELL, BUYS, SELLS = range(
    5
)  # columns of a flow: bid in ticks, lots bought and sold, number of trades of each
OPEN, HIGH, LOW, CLOSE, VOLUME, NOTIONAL, TRADES, BOUGHT = range(
    8
)  # columns of a bar, in ticks and lots (notional: tick·lots)
# Columns of a minute's state: log of the mid price at the start; log return without the jump; jump; volatility of the
# minute; volume wished for, in lots; mean lots of a trade; by how much takers lean to buying (0: neutral).
LEVEL, MOVE, JUMP, SIGMA, LOTS, SIZE, LEAN = range(7)
Floats = NDArray[np.float64]
Steps = NDArray[np.int64]


@kernel
def minute_flow(state: Floats, tick: float, normal: Floats, weight: Floats, uniform: Floats, flow: Steps) -> None:
    """Fill `flow` (STEPS × 5) for one minute of `state`.

    The mid price goes from level to level + move + jump by a Brownian bridge of volatility `sigma`, with the jump at
    one place. Volume comes out near `lots`, at least two a step. Draws: STEPS − 1 normal, STEPS exponential `weight`,
    STEPS + 1 uniform in [0, 1).
    """
    level, move, jump, sigma = state[LEVEL], state[MOVE], state[JUMP], state[SIGMA]
    size, lean = state[SIZE], state[LEAN]
    moves = STEPS - 1
    scale = sigma / math.sqrt(moves)
    bridge_end = 0.0
    for k in range(moves):
        bridge_end += normal[k]
    weights = 0.0
    for k in range(STEPS):
        weights += 0.3 + weight[k]
    spare = max(state[LOTS] - 2.0 * STEPS, 0.0)
    place = 1 + int(uniform[STEPS] * moves)
    walk = 0.0
    before = level
    for k in range(STEPS):
        if k > 0:
            walk += normal[k - 1]
        now = level + move * k / moves + scale * (walk - bridge_end * k / moves)
        if k >= place:
            now += jump
        step_lots = 2 + int(spare * (0.3 + weight[k]) / weights)
        pull = (now - before) / (scale + abs(now - before))  # takers push the price: their side is mostly the move's
        bought = 0.5 + lean + 0.5 * pull + 0.4 * (uniform[k] - 0.5)
        buy = int(step_lots * min(max(bought, 0.0), 1.0) + 0.5)
        sell = step_lots - buy
        flow[k, BID] = max(1, int(math.exp(now) / tick))
        flow[k, BUY] = buy
        flow[k, SELL] = sell
        flow[k, BUYS] = min(buy, 1 + int(buy / size))
        flow[k, SELLS] = min(sell, 1 + int(sell / size))
        before = now


@kernel
def minute_bars(states: Floats, tick: float, normal: Floats, weight: Floats, uniform: Floats, bars: Steps) -> None:
    """Fill `bars` (n × 8) from `states` (n × 7), with the draws of `minute_flow` in n rows."""
    flow = np.zeros((STEPS, 5), np.int64)
    for t in range(len(states)):
        minute_flow(states[t], tick, normal[t], weight[t], uniform[t], flow)
        high, low = 0, 2**62
        volume, notional, trades, bought = 0, 0, 0, 0
        for k in range(STEPS):
            bid, buy, sell = flow[k, BID], flow[k, BUY], flow[k, SELL]
            high = max(high, bid + 1 if buy > 0 else bid)
            low = min(low, bid if sell > 0 else bid + 1)
            volume += buy + sell
            notional += (bid + 1) * buy + bid * sell
            trades += flow[k, BUYS] + flow[k, SELLS]
            bought += buy
        first, last = 0, STEPS - 1
        bars[t, OPEN] = flow[first, BID] + (1 if flow[first, BUY] >= flow[first, SELL] else 0)
        bars[t, HIGH] = high
        bars[t, LOW] = low
        bars[t, CLOSE] = flow[last, BID] + (1 if flow[last, BUY] >= flow[last, SELL] else 0)
        bars[t, VOLUME] = volume
        bars[t, NOTIONAL] = notional
        bars[t, TRADES] = trades
        bars[t, BOUGHT] = bought


@kernel
def minute_trades(open_us: int, flow: Steps, uniform: Floats, row: int, trades: Steps) -> int:
    """Split one minute's flow into trades, from `row` of `trades` (ts_us, ticks, lots, side); returns the next row.

    Within a step the sides are shuffled, but the larger side prints the first trade of the minute and the last, as in
    the bar. uniform: one row of three draws in [0, 1) for each trade.
    """
    for k in range(STEPS):
        bid = flow[k, BID]
        buy, sell, buys, sells = flow[k, BUY], flow[k, SELL], flow[k, BUYS], flow[k, SELLS]
        larger = 1 if buy >= sell else -1
        moment = 0.0
        while buys + sells > 0:
            left = buys + sells
            # The order statistics of `left` uniform times, drawn one after the other.
            moment += (1.0 - moment) * (1.0 - (1.0 - uniform[row, 0]) ** (1.0 / left))
            if k == 0 and left == flow[k, BUYS] + flow[k, SELLS]:
                side = larger
            elif k == STEPS - 1:
                # The trade that closes the minute is kept back for the larger side.
                free = left - 1
                free_buys = buys - 1 if larger > 0 else buys
                side = larger if free == 0 else (1 if uniform[row, 1] * free < free_buys else -1)
            else:
                side = 1 if uniform[row, 1] * left < buys else -1
            count, rest = (buys, buy) if side > 0 else (sells, sell)
            if count == 1:
                lots = rest
            else:
                # Weibull sizes (shape ½, mean 1): many small trades and a few large ones.
                heavy = math.log(1.0 - uniform[row, 2]) ** 2 / 2.0
                lots = min(rest - (count - 1), 1 + int((rest / count - 1.0) * heavy))
            trades[row, 0] = open_us + k * STEP_US + min(int(moment * STEP_US), STEP_US - 1)
            trades[row, 1] = bid + 1 if side > 0 else bid
            trades[row, 2] = lots
            trades[row, 3] = side
            if side > 0:
                buys -= 1
                buy -= lots
            else:
                sells -= 1
                sell -= lots
            row += 1
    return row
