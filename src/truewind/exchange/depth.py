"""A book made up around the trades, where none was recorded: a pure function of seed, price and time.

The last trade before a message sets the best prices: a purchase was at the ask, a sale at the bid, one tick apart. What
is displayed at a price changes every few seconds, each price at its own pace, and does not depend on where the
market is. So a snapshot needs no history, and equals what the updates lead to. A message every 100 ms with ten update
ids of its own.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

EVERY_US = 100_000
DEPTH = 100  # prices displayed on each side
IDS = 10  # update ids of a message
_TOUCH = 6.0  # mean lots at a price, in mean trades
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Well spread bits of each value (the finalizer of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    return values ^ (values >> np.uint64(31))


def displayed(seed: int, side: int, ticks: Ints, moment: Ints, mean: float) -> Ints:
    """Lots at prices in messages of number `moment`; at least one. Arrays of one shape."""
    own = _mixed(ticks.astype(np.uint64) * _GOLDEN + np.uint64(seed * 2 + (side > 0)))
    length = (np.uint64(20) + own % np.uint64(100)).astype(np.int64)  # changes every 2 to 12 s
    epoch = (moment + (own >> np.uint64(8)).astype(np.int64) % length) // length
    bits = _mixed(own + epoch.astype(np.uint64) * _GOLDEN)
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return 1 + (-np.log(uniform) * _TOUCH * mean).astype(np.int64)


class MadeBook:
    """The book of one symbol. mean: lots of a usual trade."""

    def __init__(self, seed: int, mean: float) -> None:
        self.seed = seed & ((1 << 62) - 1)
        self.mean = mean

    def side(self, side: int, near: int, moment: int, depth: int = DEPTH) -> tuple[Ints, Ints]:
        """Prices and lots of a side's first `depth` levels, best first. near: the best bid, or a tick below the ask."""
        ticks = _window(side, np.array([near]))[0][:depth]
        ticks = ticks[ticks > 0]
        return ticks, displayed(self.seed, side, ticks, np.full(len(ticks), moment), self.mean)

    def best(self, near: tuple[Ints, Ints], first: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """The best bid and ask with their lots in messages first …; near: as of `side`, for both."""
        moment = np.arange(first, first + len(near[0]))
        sides = []
        for side, ticks in ((1, near[0]), (-1, near[1] + 1)):
            lots = displayed(self.seed, side, ticks, moment, self.mean)
            sides.append(list(zip(ticks.tolist(), lots.tolist(), strict=True)))
        return list(zip(*sides, strict=True))

    def changes(self, side: int, near: Ints, first: int) -> tuple[Ints, Ints, Ints]:
        """What messages first … say of a side: the message's place, ticks, lots (0: gone), in order of place.

        near: as of `side`, before the first message, then in each of them.
        """
        ticks = _window(side, near)
        moment = np.arange(first - 1, first - 1 + len(near))[:, None] + np.zeros_like(ticks)
        lots = displayed(self.seed, side, ticks, moment, self.mean)
        now, before = ticks[1:], ticks[:-1]
        kept = _inside(side, now, near[:-1])
        was = np.where(kept, displayed(self.seed, side, now, moment[:-1], self.mean), 0)
        place, column = np.nonzero((lots[1:] != was) & (now > 0))
        gone_place, gone_column = np.nonzero(~_inside(side, before, near[1:]) & (before > 0))
        places = np.concatenate([gone_place, place])
        order = np.argsort(places, kind="stable")
        all_ticks = np.concatenate([before[gone_place, gone_column], now[place, column]])
        all_lots = np.concatenate([np.zeros(len(gone_place), np.int64), lots[1:][place, column]])
        return places[order], all_ticks[order], all_lots[order]


def _window(side: int, near: Ints) -> Ints:
    """Prices displayed, (messages, DEPTH), best first."""
    steps = np.arange(DEPTH)
    return near[:, None] - steps if side > 0 else near[:, None] + 1 + steps


def _inside(side: int, ticks: Ints, near: Ints) -> NDArray[np.bool_]:
    """Whether prices are displayed."""
    distance = near[:, None] - ticks if side > 0 else ticks - near[:, None] - 1
    return (distance >= 0) & (distance < DEPTH)
