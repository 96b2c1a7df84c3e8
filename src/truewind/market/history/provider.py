"""The port of every source of history: what it gives, what it cannot give and why, and the rows themselves.

A source is one small class. It knows nothing of the lake, of validation or of resuming: the job in `download` cuts the
work, judges rows and keeps them. A source answers with chunks, each of which says for which time it is the whole
answer, so that the job knows afterwards what was asked for and what was not.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Literal, Self

import msgspec
import polars as pl

from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import timeframe_us
from truewind.errors import ConfigError, suggest
from truewind.storage.schema import SeriesKey


class Offer(msgspec.Struct, frozen=True):
    """One kind of series that a source gives.

    timeframes: those of bars, none for kinds without. reach: how far back, in words. holes: what a missing row means
    where the source was asked and answered: it gives a bar for every step, so the venue was "down"; it gives none where
    nothing was traded, so the time was "empty"; "" where nothing can be told. lacks: what of it the source cannot give.
    """

    kind: str
    timeframes: tuple[str, ...] = ()
    reach: str = "since listing"
    holes: Literal["", "down", "empty"] = ""
    lacks: str = ""


class Chunk(msgspec.Struct, frozen=True):
    """All that a source has of [start_us, end_us), and will not change any more: no bar that is not over.

    rows: columns of the lake's kind in any order (optional ones may be left out), rows as the source gave them; bars
    may carry `close_time`, and any table a `__row__` with the row's number in its file. Empty: the source has nothing
    there.
    source: where it is from, as a person would look it up. Never a key or a signature.
    checksums: of the files that the rows are from, by path, so that one that is issued anew can be noticed later.
    """

    start_us: int
    end_us: int
    rows: pl.DataFrame
    source: str
    checksums: Mapping[str, str] = {}


class DataProvider(ABC):
    """A source of history of one venue. Used as `async with provider:`, which opens its connections.

    name: as in `data sources`. offers: what it gives. refuses: kind → why it cannot give it.
    """

    name: str
    venue: str
    offers: Sequence[Offer]
    refuses: Mapping[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what `__aenter__` opened: nothing, by default."""
        return

    def use(self, share: float) -> None:
        """Use only that much of what the source allows (0 to 1): the rest is for others behind the same address.

        Nothing by default: for sources without limits, or whose library keeps to them.
        """
        del share

    @abstractmethod
    def fetch(self, key: SeriesKey, start_us: int, end_us: int) -> AsyncIterator[Chunk]:
        """Chunks of a series in time order, each after the one before; all within [start_us, end_us).

        What no chunk covers the source could not give (not published yet, out of its reach, not over yet) and another
        source may be asked for. Raises NetworkErrors.
        """

    async def instruments(self, symbols: Collection[str]) -> list[Instrument]:
        """What the source knows of these symbols. Raises UnknownSeriesError with the closest name; none by default."""
        del symbols
        return []

    async def reissued(self, key: SeriesKey, checksums: Mapping[str, str]) -> list[tuple[int, int]]:
        """The spans of files that have other checksums today than they had when they were taken; none by default."""
        del key, checksums
        return []

    def told(self, key: SeriesKey) -> list[str]:
        """What a user should know of the fetches of a series so far; nothing by default."""
        del key
        return []

    def offer(self, key: SeriesKey) -> Offer | None:
        """What the source has of such a series; None if nothing."""
        for offer in self.offers:
            if offer.kind == key.kind and (not key.timeframe or key.timeframe in offer.timeframes):
                return offer
        return None

    def why_not(self, key: SeriesKey) -> str:
        """Why there is no offer for a series."""
        if key.kind in self.refuses:
            return self.refuses[key.kind]
        known = [timeframe for offer in self.offers if offer.kind == key.kind for timeframe in offer.timeframes]
        if known:
            return f"no {key.kind} of {key.timeframe}, only of {', '.join(sorted(known, key=timeframe_us))}"
        return f"it has no {key.kind}"


def first_with(providers: Sequence[DataProvider], key: SeriesKey) -> DataProvider:
    """The first source that offers a series. Raises ConfigError that says why none does."""
    for provider in providers:
        if provider.offer(key) is not None:
            return provider
    reasons = "; ".join(f"{provider.name}: {provider.why_not(key)}" for provider in providers)
    kinds = {offer.kind for provider in providers for offer in provider.offers}
    raise ConfigError(f"No source gives {key} ({reasons})", remedy=suggest(key.kind, kinds), series=str(key))
