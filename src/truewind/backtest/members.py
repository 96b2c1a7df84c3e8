"""A run over a universe: which symbols take part from when on, and which of them end.

A symbol's rows begin with its first choice, so that nobody sees tomorrow's listings; they go on after it has left the
universe, because what is held must be worth something. `member` says bar by bar whether it is chosen. A symbol that is
delisted is settled at its last bar.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from truewind.domain.timeframe import timeframe_us
from truewind.errors import EmptyRangeError
from truewind.market.selection import Selection, UniverseSettings, select
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey


class Members(NamedTuple):
    """symbols: all that are ever chosen and have bars, sorted. without: those that are chosen and have none."""

    symbols: tuple[str, ...]
    without: tuple[str, ...]
    selection: Selection

    @property
    def read(self) -> list[SeriesKey]:
        """The series that the choice was made of."""
        return self.selection.read

    def warnings(self) -> list[str]:
        """What a reader must know of the universe."""
        periods = self.selection.periods
        found = [f"universe: {len(self.symbols)} symbols were chosen at {len(periods)} times, by what was known then"]
        if self.without:
            some = ", ".join(self.without[:10]) + (" …" if len(self.without) > 10 else "")
            found.append(
                f"universe: {len(self.without)} of the chosen have no bars in the lake and are left out, which "
                f"flatters a run if they were delisted: {some}"
            )
        return found

    def first_us(self, symbol: str) -> int:
        """When a symbol is first chosen."""
        return self.selection.spans(symbol)[0][0]

    def chosen(self, symbol: str, known_us: np.ndarray) -> np.ndarray:
        """1.0 for each time (int64 µs) at which the symbol is a member, else 0.0."""
        inside = np.zeros(len(known_us))
        over = self.selection.periods[-1].end_us  # the last bars of a run are known when it is over
        for begin, end in self.selection.spans(symbol):
            inside[(known_us >= begin) & ((known_us < end) | (end == over))] = 1.0
        return inside

    def ends(self, symbol: str, last_us: int, until_us: int) -> int | None:
        """When holders of a symbol are settled: its last row's end if it was delisted by the end of the run."""
        life = self.selection.listed.life(symbol, self.selection.spans(symbol)[-1][0])
        gone = life is not None and life.delisted_us is not None and life.delisted_us <= until_us
        return last_us if gone else None


def members_of(
    lake: Lake,
    venue: str,
    timeframe: str,
    settings: UniverseSettings,
    span: tuple[int | None, int | None],
    among: Sequence[str],
) -> Members:
    """The members of a run over [start, end), where None is the first or last bar of the venue.

    Raises EmptyRangeError, UnknownSeriesError.
    """
    found = lake.series(kind="bars", venue=venue, timeframe=timeframe)
    if not found:
        raise EmptyRangeError(f"{venue} has no bars of {timeframe} in the lake", remedy="See `truewind data list`")
    start, end = span
    # The first bar of all is known, and its symbol listed, when it is over.
    begin = min(info.start_us for info in found) + timeframe_us(timeframe) if start is None else start
    until = max(info.end_us for info in found) + timeframe_us(timeframe) if end is None else end
    have = {info.key.symbol for info in found}
    selection = select(lake, venue, settings, begin, until, among)
    symbols = tuple(symbol for symbol in selection.symbols if symbol in have)
    without = tuple(symbol for symbol in selection.symbols if symbol not in have)
    if not symbols:
        raise EmptyRangeError(
            f"None of the {len(selection.symbols)} chosen of {venue} has bars of {timeframe} in the lake",
            remedy="Download them",
        )
    return Members(symbols, without, selection)
