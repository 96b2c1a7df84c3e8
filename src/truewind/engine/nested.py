"""Nested bars: the venue goes through fine bars, the strategy decides on coarse ones.

A run on hours knows four prices of each, and must assume the worst of their order. With minutes as rows of the timeline
stops, targets and liquidations happen in the order in which the minutes bring them; nothing else changes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from truewind.engine.merge import PRICES, SYMBOL, TS_EVENT, Columns, Timeline


class Nested(Timeline):
    """A timeline of fine bars, some rows of which stand for the close of a coarse one: there the strategy is called.

    wanted: these rows. columns and `coarse`: of the coarse bars, on their rows, elsewhere NaN (of times: 0).
    """

    def __init__(self, inner: Timeline, columns: Columns, coarse: Columns, wanted: np.ndarray) -> None:
        super().__init__(inner.symbols, inner.times, inner.prices, columns, inner.marks, inner.indices)
        self.wanted = wanted
        self.coarse = coarse
        self.volumes, self.counts = inner.volumes, inner.counts

    @property
    def length_us(self) -> int:
        first = self.wanted[0] if self.wanted is not None else 0
        return int(self.coarse["ts_event"][first] - self.coarse["ts"][first])

    def table(self) -> dict[str, np.ndarray]:
        return {**super().table(), **self.coarse}


def nest(inner: Timeline, bars: Mapping[str, Columns], length_us: int) -> tuple[Nested, int]:
    """`inner` with the coarse `bars` of each of its symbols, and how many of these found no row of their own.

    A bar stands on the last fine row of its symbol that is known by its close. Of several that come to stand on one
    row, because the fine bars between them are missing, only the last is decided on; one that closes before the first
    fine bar has none.
    """
    rows = len(inner)
    names = {name for columns in bars.values() for name in columns if name not in ("ts", *PRICES)}
    columns: dict[str, Any] = {name: np.full(rows, np.nan) for name in sorted(names)}
    coarse: dict[str, Any] = {"ts": np.zeros(rows, np.int64), "ts_event": np.zeros(rows, np.int64)}
    coarse |= {name: np.full(rows, np.nan) for name in PRICES}
    wanted = []
    lost = 0
    for index, symbol in enumerate(inner.symbols):
        own = np.flatnonzero(inner.times[SYMBOL] == index)
        bar = bars[symbol]
        closes = bar["ts"] + length_us
        place = np.searchsorted(inner.times[TS_EVENT][own], closes, side="right") - 1
        keep = (place >= 0) & np.append(place[1:] != place[:-1], True)
        lost += int((~keep).sum())
        at = own[place[keep]]
        coarse["ts"][at], coarse["ts_event"][at] = bar["ts"][keep], closes[keep]
        for name in PRICES:
            coarse[name][at] = bar[name][keep]
        for name, column in columns.items():
            if name in bar:
                column[at] = bar[name][keep]
        wanted.append(at)
    return Nested(inner, columns, coarse, np.sort(np.concatenate(wanted))), lost
