"""The job that brings history into the lake: many series at once, judged, kept month by month, and resumable.

For each series the sources are asked in their order, the fastest first, each for what the gap ledger does not yet know
as asked for: so the archive gives its months, REST the tail, and a job that was killed goes on where it was. Rows are
put into the lake before the ledger is told, so a kill between the two costs a repetition and changes nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

import msgspec
import polars as pl

from truewind import log
from truewind.domain.clock import WallClock, iso, parse_ts_us
from truewind.domain.timeframe import HOUR_US, MINUTE_US, SECOND_US
from truewind.errors import ConfigError, DataError, LockedError, NetworkError, TruewindError, UnknownSeriesError
from truewind.market.history.provider import DataProvider, first_with
from truewind.market.history.shelf import Outcome, Shelf, stored_checksums
from truewind.market.universe import keep_specifications
from truewind.storage.lake import Lake
from truewind.storage.ledger import LOST, MISSING, UNASKED
from truewind.storage.schema import SeriesKey

AT_ONCE = 8  # series
_USUAL_STEP_US = {
    "trades": SECOND_US // 4,
    "quotes": SECOND_US // 4,
    "depth_bands": 3 * SECOND_US,
    "funding": 8 * HOUR_US,
}

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much
Range = tuple[int, int]


class Want(msgspec.Struct, frozen=True):
    """A series, and the ranges [from, to) of it that are to be complete."""

    key: SeriesKey
    ranges: tuple[Range, ...]


class DownloadReport(msgspec.Struct, frozen=True):
    """outcomes: of every series, in the order in which they were wanted. notes: on instruments."""

    outcomes: list[Outcome]
    notes: list[str]

    @property
    def error(self) -> TruewindError | None:
        """The first error, None if every series went well."""
        return next((outcome.error for outcome in self.outcomes if outcome.error), None)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"series": [outcome.as_dict() for outcome in self.outcomes], "notes": self.notes}


def download(
    lake: Lake,
    providers: Mapping[str, Sequence[DataProvider]],
    wants: Iterable[Want],
    *,
    at_once: int = AT_ONCE,
    recheck: bool = False,
    progress: Progress | None = None,
) -> DownloadReport:
    """Run the job to its end. providers: by venue, the fastest first. recheck: take files anew that were issued anew.

    What goes wrong with one series stands in its outcome, and the others go on. Raises ConfigError for a series that no
    source gives, StorageError if the lake cannot be written.
    """
    job = Job(lake, providers, list(wants), at_once=at_once, recheck=recheck, progress=progress)
    return asyncio.run(job.run())


def tail(lake: Lake, key: SeriesKey, end_us: int) -> Want:
    """What a series of the lake lacks up to `end_us`: all after its end, and the gaps that a source may fill."""
    last = lake.parts(key)[-1].end_us
    asked = [span.end_us for span in lake.spans(key) if span.what == "asked" and span.end_us <= end_us]
    start = max(last + key.step_us, *asked, 0)
    gaps = lake.gaps(key).filter(pl.col("reason").is_in([LOST, UNASKED])).select("ts_from", "ts_to")
    holes = [(parse_ts_us(begin), parse_ts_us(end)) for begin, end in gaps.iter_rows()]
    return Want(key, tuple((begin, end) for begin, end in [*holes, (start, end_us)] if begin < end))


class Job:
    """One call of `download`."""

    def __init__(
        self,
        lake: Lake,
        providers: Mapping[str, Sequence[DataProvider]],
        wants: Sequence[Want],
        *,
        at_once: int,
        recheck: bool,
        progress: Progress | None,
    ) -> None:
        for want in wants:
            first_with(providers.get(want.key.venue, ()), want.key)
        self.lake, self.providers, self.wants, self.recheck = lake, providers, wants, recheck
        self.notes: list[str] = []
        self._unlisted: dict[tuple[str, str], UnknownSeriesError] = {}
        self._slots = asyncio.Semaphore(at_once)
        self._progress = progress
        self._done: dict[SeriesKey, float] = {}
        self._total = sum(_rows_expected(want.key, want.ranges) for want in wants)

    async def run(self) -> DownloadReport:
        """Open the sources, and bring in all series."""
        async with AsyncExitStack() as stack:
            for group in self.providers.values():
                for provider in group:
                    await stack.enter_async_context(provider)
            for venue, group in self.providers.items():
                await self._instruments(venue, group)
            tasks = [asyncio.create_task(self._series(want)) for want in self.wants]
            try:
                outcomes = await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return DownloadReport(outcomes, self.notes)

    async def _instruments(self, venue: str, group: Sequence[DataProvider]) -> None:
        """Keep what the venue says of the symbols; one that it does not list today may still have an archive."""
        symbols = sorted({want.key.symbol for want in self.wants if want.key.venue == venue})
        for provider in group:
            while symbols:
                try:
                    listed = await provider.instruments(symbols)
                    for instrument in listed:
                        self.lake.put_instrument(instrument)
                    keep_specifications(self.lake, venue, listed, WallClock().now_us(), provider.name)
                    break
                except UnknownSeriesError as error:
                    stranger = str(error.facts["symbol"])
                    self._unlisted[venue, stranger] = error
                    symbols = [symbol for symbol in symbols if symbol != stranger]
                except NetworkError as error:
                    self.notes.append(f"{venue}: instruments stay as they were: {error.message}")
                    break

    # ── one series ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _series(self, want: Want) -> Outcome:
        key, outcome = want.key, Outcome(key=want.key)
        unlisted, error = self._unlisted.get((key.venue, key.symbol)), None
        async with self._slots:
            for provider in self.providers[key.venue]:
                if provider.offer(key) is None:
                    continue
                try:
                    await self._from(provider, want, outcome)
                except (NetworkError, DataError, ConfigError, LockedError) as failed:
                    error = unlisted or failed
                    outcome.notes.append(f"{provider.name}: {failed.message}")
                    log.get("data").info("no answer", series=str(key), source=provider.name, error=failed.message)
                outcome.notes += [f"{provider.name}: {note}" for note in provider.told(key)]
            await asyncio.to_thread(self._conclude, want, outcome)
        if outcome.open_us:  # an error that another source made good is none
            outcome.error = error
        log.get("data").info("downloaded", series=str(key), stored=outcome.stored, read=sum(outcome.read.values()))
        self._show(key, _rows_expected(key, want.ranges))
        return outcome

    async def _from(self, provider: DataProvider, want: Want, outcome: Outcome) -> None:
        """Ask one source for what is still open, and keep what it gives, also what came before an error."""
        key = want.key
        ranges = [part for wanted in want.ranges for part in self.lake.unasked(key, *wanted)]
        if self.recheck:
            again = await provider.reissued(key, stored_checksums(self.lake, key))
            outcome.notes += [f"issued anew: {iso(begin)} to {iso(end)}" for begin, end in again]
            ranges += again
        done = _rows_expected(key, want.ranges) - _rows_expected(key, ranges)
        for start_us, end_us in ranges:
            shelf = Shelf(self.lake, key, provider.name, outcome)
            chunks = provider.fetch(key, start_us, end_us)
            try:
                async for chunk in chunks:
                    await shelf.add(chunk)
                    done += _rows_expected(key, [(chunk.start_us, chunk.end_us)])
                    self._show(key, done)
            finally:
                close = getattr(chunks, "aclose", None)  # of a generator: ends the requests that it has under way
                if close is not None:
                    await close()
                await shelf.empty()

    def _conclude(self, want: Want, outcome: Outcome) -> None:
        """Say what is still open, and why rows lack where a source that gives every bar gave none."""
        key = want.key
        still = [part for wanted in want.ranges for part in self.lake.unasked(key, *wanted)]
        outcome.open_us = sum(end - begin for begin, end in still)
        asked = [span for span in self.lake.spans(key) if span.what == "asked"]
        until_us = min((begin for begin, _ in still), default=max((end for _, end in want.ranges), default=0))
        outcome.until_us = until_us if any(span.start_us < until_us <= span.end_us for span in asked) else None
        holes = {
            provider.name: offer.holes
            for provider in self.providers[key.venue]
            if (offer := provider.offer(key)) is not None and offer.holes
        }
        spans = [span for span in asked if span.source in holes]
        if not spans or not key.step_us or not self._has_rows(key):
            return
        gaps = self.lake.gaps(key).filter(pl.col("reason") == MISSING).select("ts_from", "ts_to")
        for begin, end in [(parse_ts_us(begin), parse_ts_us(end)) for begin, end in gaps.iter_rows()]:
            for span in spans:
                low, high = max(begin, span.start_us), min(end, span.end_us)
                if low < high:
                    self.lake.note_span(key, low, high, holes[span.source], span.source)

    def _has_rows(self, key: SeriesKey) -> bool:
        try:
            return bool(self.lake.parts(key))
        except DataError:
            return False

    def _show(self, key: SeriesKey, expected: float) -> None:
        """So much of a series is done: of `expected` rows, as far as one can know."""
        self._done[key] = expected
        if self._progress is not None:
            what = f"downloading {len(self.wants)} series, about so many rows"
            self._progress(what, round(sum(self._done.values())), max(1, round(self._total)))


def _rows_expected(key: SeriesKey, ranges: Collection[Range]) -> float:
    """About how many rows such a series has in there: the measure of progress."""
    step = key.step_us or _USUAL_STEP_US.get(key.kind, 5 * MINUTE_US)
    return sum(end - begin for begin, end in ranges) / step
