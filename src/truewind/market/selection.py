"""Selections: which of the listed a run trades, chosen anew at fixed times by what was known then.

"The top 30 by 30-day quote volume, monthly, USDT perpetuals" is

    universe: {top: 30, days: 30, every: month, quote: USDT, kind: perpetual}
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from truewind.config import Settings
from truewind.domain.clock import iso, parse_ts_us
from truewind.domain.instrument import Kind
from truewind.domain.timeframe import DAY_US, SECOND_US
from truewind.errors import EmptyRangeError, UnknownSeriesError
from truewind.market.universe import Specifications, Universe, universe_of
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey


class UniverseSettings(Settings):
    """Which symbols a run trades, and when it chooses.

    Between two choices whoever is delisted leaves, and nobody joins.
    """

    top: int | None = Field(
        default=None, ge=1, description="how many of the most traded ones; left out: all that are listed"
    )
    days: int = Field(default=30, ge=1, description="before each choice, over which quote volume is summed")
    every: Literal["day", "week", "month"] = Field(
        default="month", description="a choice is made at the start of each, and of the run"
    )
    kind: Kind | None = Field(default=None, description="only instruments of this kind")
    quote: str = Field(default="", description="only instruments priced in this")
    exclude: tuple[str, ...] = Field(default=(), description="never these")
    min_days: int = Field(default=0, ge=0, description="listed for at least so long, days")


class Period(NamedTuple):
    """The members of [start_us, end_us), the most traded first where they are ranked, else sorted."""

    start_us: int
    end_us: int
    symbols: tuple[str, ...]


class Selection(NamedTuple):
    """periods: one after the other, without holes. read: series that the choice was made of."""

    venue: str
    periods: list[Period]
    read: list[SeriesKey]
    listed: Universe

    @property
    def symbols(self) -> list[str]:
        """All that were members at any time, sorted."""
        return sorted({symbol for period in self.periods for symbol in period.symbols})

    def spans(self, symbol: str) -> list[tuple[int, int]]:
        """When a symbol was a member, as ranges [from, to) that do not touch."""
        found: list[tuple[int, int]] = []
        for period in self.periods:
            if symbol not in period.symbols:
                continue
            life = self.listed.life(symbol, period.start_us)
            end = period.end_us if life is None or life.delisted_us is None else min(period.end_us, life.delisted_us)
            if found and found[-1][1] == period.start_us:
                found[-1] = (found[-1][0], end)
            else:
                found.append((period.start_us, end))
        return found


def select(
    lake: Lake, venue: str, settings: UniverseSettings, start_us: int, end_us: int, among: Sequence[str] = ()
) -> Selection:
    """Choose for every period of [start_us, end_us), each by rows before it. among: only of these, if any.

    Raises UnknownSeriesError if nothing is known of the venue, EmptyRangeError if nobody ever is a member.
    """
    listed, about = universe_of(lake, venue), Specifications(lake, venue)
    window = settings.days * DAY_US
    traded = _Traded(lake, venue, start_us - window, end_us)
    periods = []
    times = [*choices(settings.every, start_us, end_us), end_us]
    for begin, end in pairwise(times):
        chosen = [name for name in listed.at(begin) if _fits(about, listed, name, settings, begin, among)]
        if settings.top is not None:
            volumes = {name: traded.between(name, begin - window, begin) for name in chosen}
            busy = [name for name in chosen if volumes[name] > 0.0]
            chosen = sorted(busy, key=lambda name: (-volumes[name], name))[: settings.top]
        periods.append(Period(begin, end, tuple(chosen)))
    selection = Selection(venue, periods, traded.read, listed)
    if not selection.symbols:
        raise EmptyRangeError(
            f"Nothing at {venue} was in this universe between {iso(start_us)} and {iso(end_us)}",
            remedy="See `truewind data universe`, or ask for less",
        )
    return selection


def choices(every: str, start_us: int, end_us: int) -> list[int]:
    """The times of choice in [start_us, end_us): the start, and each beginning of a day, week or month after it."""
    day = datetime.fromtimestamp(start_us // SECOND_US, UTC).replace(hour=0, minute=0, second=0)
    if every == "month":
        day = day.replace(day=1)
    elif every == "week":
        day -= timedelta(days=day.weekday())
    found = [start_us]
    while True:
        if every == "month":
            day = (day + timedelta(days=32)).replace(day=1)
        else:
            day += timedelta(days=7 if every == "week" else 1)
        at = parse_ts_us(day)
        if at >= end_us:
            return found
        if at > start_us:
            found.append(at)


def _fits(
    about: Specifications,
    listed: Universe,
    name: str,
    settings: UniverseSettings,
    at_us: int,
    among: Sequence[str],
) -> bool:
    if name in settings.exclude or (among and name not in among):
        return False
    life = listed.life(name, at_us)
    if life is None or at_us - life.listed_us < settings.min_days * DAY_US:
        return False
    if settings.kind is None and not settings.quote:
        return True
    try:
        found = about.at(name, at_us)
    except UnknownSeriesError:
        return False
    return settings.kind in (None, found.kind) and settings.quote in ("", found.quote)


class _Traded:
    """Quote volumes of symbols by bar: each series is read once, and of it only what was over at a time is summed."""

    def __init__(self, lake: Lake, venue: str, start_us: int, end_us: int) -> None:
        self._lake, self._span = lake, (start_us, end_us)
        found = [info.key for info in lake.series(kind="bars", venue=venue) if info.key.step_us <= DAY_US]
        # Daily bars are the cheapest to sum, else the longest of those that are shorter.
        self._keys = {key.symbol: key for key in sorted(found, key=lambda key: key.step_us)}
        self._bars: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.read: list[SeriesKey] = []

    def between(self, symbol: str, start_us: int, end_us: int) -> float:
        """What was traded in bars that lie within [start, end]; volume × close where it is not told; 0 without bars."""
        opens, amounts = self._of(symbol)
        if not len(opens):
            return 0.0
        first, last = np.searchsorted(opens, [start_us, end_us - self._keys[symbol].step_us + 1])
        return float(amounts[first:last].sum())

    def _of(self, symbol: str) -> tuple[np.ndarray, np.ndarray]:
        if symbol not in self._bars:
            self._bars[symbol] = np.zeros(0, np.int64), np.zeros(0)
            key = self._keys.get(symbol)
            with suppress(EmptyRangeError):
                if key is not None:
                    rows = self._lake.read(key, start_us=self._span[0], end_us=self._span[1])
                    told = pl.col("quote_volume") if "quote_volume" in rows.columns else pl.lit(None, pl.Float64)
                    amounts = rows.select(pl.coalesce(told, pl.col("volume") * pl.col("close"))).to_series()
                    self._bars[symbol] = rows["ts"].to_physical().to_numpy(), amounts.to_numpy()
                    self.read.append(key)
        return self._bars[symbol]
