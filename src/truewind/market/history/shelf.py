"""Where chunks of one series wait until a month is whole; then they are judged, kept, and told to the gap ledger."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import msgspec
import polars as pl

from truewind.domain.clock import iso, parse_ts_us
from truewind.domain.timeframe import SECOND_US
from truewind.errors import TruewindError
from truewind.market.files.table import ROW
from truewind.market.history.provider import Chunk
from truewind.market.validate import Finding, validate
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

_MOST_ROWS = 500_000  # are held before they are written, be the month whole or not: what a kill costs at most
_CHECKSUMS = "checksums.json"


class Outcome(msgspec.Struct, kw_only=True):
    """What became of one series.

    read: rows that came, by source; their sum = stored + duplicates + replaced + the sum of quarantined. until_us: all
    that was wanted before it was asked for and answered. open_us: how much was wanted and has no answer: it is too
    young, out of reach, or failed.
    """

    key: SeriesKey
    read: dict[str, int] = {}
    stored: int = 0
    duplicates: int = 0
    replaced: int = 0
    quarantined: dict[str, int] = {}
    warnings: dict[str, int] = {}
    until_us: int | None = None
    open_us: int = 0
    error: TruewindError | None = None
    notes: list[str] = []

    def note(self, source: str, read: int, refused: dict[str, int], findings: list[Finding]) -> None:
        """Count what one judgement gave."""
        self.read = dict(Counter(self.read) + Counter({source: read}))
        self.quarantined = dict(Counter(self.quarantined) + Counter(refused))
        found = {finding.check: finding.count for finding in findings}
        self.warnings = dict(Counter(self.warnings) + Counter(found))

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON; times as UTC text."""
        plain = {name: getattr(self, name) for name in self.__struct_fields__}
        return plain | {
            "series": str(self.key),
            "key": msgspec.to_builtins(self.key),
            "until_us": None,
            "until": None if self.until_us is None else iso(self.until_us),
            "open_hours": self.open_us / (3600 * SECOND_US),
            "error": None if self.error is None else self.error.as_dict(),
        }


class Shelf:
    """The chunks that one source gives of one series."""

    def __init__(self, lake: Lake, key: SeriesKey, source: str, outcome: Outcome) -> None:
        self._lake, self._key, self._source, self._outcome = lake, key, source, outcome
        self._chunks: list[Chunk] = []
        self._rows = 0

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk; months that it completes go into the lake."""
        if self._chunks:
            edge = _next_month_us(self._chunks[-1].start_us)
            if chunk.end_us > edge and chunk.start_us < edge:
                before, chunk = _cut(chunk, edge)
                self._put(before)
            if chunk.start_us >= edge or self._rows >= _MOST_ROWS:
                await self.empty()
        self._put(chunk)

    async def empty(self) -> None:
        """Put all chunks into the lake, and tell the ledger for which times they are the answer."""
        chunks, self._chunks, self._rows = self._chunks, [], 0
        if chunks:
            await asyncio.to_thread(self._store, chunks)

    def _put(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._rows += chunk.rows.height

    def _store(self, chunks: list[Chunk]) -> None:
        filled = [chunk for chunk in chunks if not chunk.rows.is_empty()]
        if filled:
            self._judge(filled)
        for start_us, end_us in _joined(chunks):
            self._lake.note_span(self._key, start_us, end_us, "asked", self._source)
        checksums = {path: value for chunk in chunks for path, value in chunk.checksums.items()}
        if checksums:
            known = stored_checksums(self._lake, self._key) | checksums
            self._lake.put_note(self._key, _CHECKSUMS, msgspec.json.encode(known))

    def _judge(self, chunks: list[Chunk]) -> None:
        tables = [chunk.rows if ROW in chunk.rows.columns else chunk.rows.with_row_index(ROW, 1) for chunk in chunks]
        ends, total = [], 0
        for table in tables:
            total += table.height
            ends.append(total)
        numbers = pl.concat([table[ROW] for table in tables])
        rows = pl.concat([table.drop(ROW) for table in tables], how="diagonal_relaxed").with_row_index(ROW)
        verdict = validate(self._key, rows)
        if not verdict.refused.is_empty():
            at = verdict.refused[ROW].to_list()
            labels = [f"{chunks[_which(ends, i)].source}:{numbers[i]}" for i in at]
            refused = verdict.refused.with_columns(pl.Series("source", labels)).drop(ROW, "close_time", strict=False)
            self._lake.quarantine(self._key, refused)
        written = self._lake.write(self._key, verdict.rows)
        self._outcome.stored += written.added
        self._outcome.duplicates += verdict.duplicates + written.duplicates
        self._outcome.replaced += written.replaced
        self._outcome.note(self._source, rows.height, verdict.reasons, verdict.findings)


def stored_checksums(lake: Lake, key: SeriesKey) -> dict[str, str]:
    """Of the files that a series was taken from, by path."""
    kept = lake.note(key, _CHECKSUMS)
    return msgspec.json.decode(kept, type=dict[str, str]) if kept else {}


def _which(ends: list[int], row: int) -> int:
    """The chunk in which a row of all chunks lies."""
    return next(number for number, end in enumerate(ends) if row < end)


def _cut(chunk: Chunk, edge_us: int) -> tuple[Chunk, Chunk]:
    """A chunk as two, before and from a time; rows without a readable time stay in the first."""
    later = (pl.col("ts").to_physical() >= edge_us).fill_null(False)
    number = chunk.rows if ROW in chunk.rows.columns else chunk.rows.with_row_index(ROW, 1)
    first = Chunk(chunk.start_us, edge_us, number.filter(~later), chunk.source, chunk.checksums)
    return first, Chunk(edge_us, chunk.end_us, number.filter(later), chunk.source, chunk.checksums)


def _joined(chunks: list[Chunk]) -> list[tuple[int, int]]:
    """The spans of chunks in order of time, those that touch made one."""
    spans: list[tuple[int, int]] = []
    for chunk in chunks:
        if spans and chunk.start_us <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], chunk.end_us))
        else:
            spans.append((chunk.start_us, chunk.end_us))
    return spans


def _next_month_us(ts_us: int) -> int:
    """The begin of the month after the one in which a time lies."""
    moment = datetime.fromtimestamp(ts_us // SECOND_US, UTC)
    return parse_ts_us(datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC))
