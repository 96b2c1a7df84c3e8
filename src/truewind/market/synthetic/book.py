"""An order book around the synthetic market's quotes and trades: depth snapshots and updates every 100 ms.

What is displayed at a price is a pure function of seed, price and time, so an hour is made without the one before it
and a snapshot equals what its updates lead to. The best prices are the market's quotes (one tick apart); each price has
lots of its own that change every few seconds, log-normal around a mean that falls behind the best price and rises again
further away; what takers take is missing at the best price until the quote changes. Larger trades than displayed have
met hidden orders. Who looks at the book learns nothing of prices to come.
"""

import math
from typing import Any

import numpy as np

from truewind.domain.book import BookKind
from truewind.domain.timeframe import HOUR_US
from truewind.market.synthetic.flow import STEP_US
from truewind.numerics.draws import bits, normal
from truewind.numerics.jit import kernel

DEPTH = 40  # prices displayed on each side
EVERY_US = 100_000
MESSAGES = HOUR_US // EVERY_US  # in an hour
FEED_US = 5_000  # from event to receipt
_STEP = STEP_US // EVERY_US  # messages while a quote stands
_SPREAD = 0.8  # standard deviation of the logarithm of a price's lots
_TOUCH = 20.0  # mean lots at the best price, in mean trades
_LEVEL, _SNAPSHOT = int(BookKind.LEVEL), int(BookKind.SNAPSHOT)


@kernel
def shape(distance: int) -> float:
    """Mean lots `distance` prices behind the best one, as a share of the lots there."""
    return 1.0 if distance == 0 else 0.2 + 0.015 * distance


@kernel
def shown(seed: int, side: int, ticks: int, distance: int, moment: int, mean: float, taken: int) -> int:
    """Lots displayed at a price in the `moment`-th message of the history; never none."""
    length = 20 + bits(seed, ticks, side + 2, 7) % 100  # a price's lots change every 2 to 12 s
    epoch = (moment + bits(seed, ticks, side + 2, 8) % length) // length
    draw = normal(seed + side + 2, ticks, epoch)
    lots = 1 + int(mean * shape(distance) * math.exp(_SPREAD * draw - 0.5 * _SPREAD * _SPREAD))
    return max(1, lots - taken) if distance == 0 else lots


@kernel
def put(rows: Any, n: int, moment: int, kind: int, side: int, ticks: int, lots: int) -> int:
    """Append a row if there is room for it; how many there would be."""
    if n < len(rows):
        rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3], rows[n, 4] = moment, kind, side, ticks, lots
    return n + 1


@kernel
def hour_rows(seed: int, first: int, mean: float, before: int, bids: Any, taken: Any, rows: Any) -> int:
    """The book of one hour: a snapshot, and MESSAGES updates, of which the first one says all that it says.

    Returns how many rows there are; those that fit are written. first: number of the hour's first message in the
    history. before: best bid of the hour before. bids: best bid in ticks of each step; the best ask is one above.
    taken: (2, MESSAGES) lots that sellers and buyers took since the step began, before each message. rows: (n, 5)
    moment, kind, side, ticks, lots.
    """
    n = 0
    old = np.zeros((2, DEPTH), np.int64)
    now = np.zeros((2, DEPTH), np.int64)
    for w in range(MESSAGES):
        bid = bids[w // _STEP]
        count = n
        for s in range(2):
            side = 1 - 2 * s
            for d in range(DEPTH):
                ticks = bid - d if s == 0 else bid + 1 + d
                now[s, d] = shown(seed, side, ticks, d, first + w, mean, taken[s, w])
                was = 0
                at = d + side * (before - bid)
                if w > 0 and 0 <= at < DEPTH:
                    was = old[s, at]
                if w == 0:
                    n = put(rows, n, first, _SNAPSHOT, side, ticks, now[s, d])
                if now[s, d] != was:
                    n = put(rows, n, first + w, _LEVEL, side, ticks, now[s, d])
            for d in range(DEPTH):
                gone = d + side * (bid - before)
                if not 0 <= gone < DEPTH:
                    n = put(rows, n, first + w, _LEVEL, side, before - d if s == 0 else before + 1 + d, 0)
        if n == count:
            n = put(rows, n, first + w, _LEVEL, 0, 0, 0)
        old[:, :] = now
        before = bid
    return n


def taken_before(offset_us: np.ndarray, side: np.ndarray, lots: np.ndarray) -> np.ndarray:
    """(2, MESSAGES): lots sold at the bid and bought at the ask since the step began, before each message.

    offset_us: of the trades, from the hour's begin.
    """
    taken = np.zeros((2, MESSAGES), np.int64)
    message = offset_us // EVERY_US + 1  # the first message after the trade
    inside = (message < MESSAGES) & (message % _STEP != 0)
    for s, taker in ((0, -1), (1, 1)):
        own = inside & (side == taker)
        np.add.at(taken[s], message[own], lots[own])
    return np.cumsum(taken.reshape(2, -1, _STEP), axis=2).reshape(2, MESSAGES)


def book_hour(seed: int, hour: int, mean_trade: float, before: int, bids: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """All rows of the hour, as `hour_rows` makes them. hour: number in the history; mean_trade: lots."""
    rows = np.zeros((1 << 18, 5), np.int64)
    while True:
        count = hour_rows(seed, hour * MESSAGES, _TOUCH * mean_trade, before, bids, taken, rows)
        if count <= len(rows):
            return rows[:count]
        rows = np.zeros((count, 5), np.int64)
