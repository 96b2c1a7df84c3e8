"""From segments into the lake: rows judged and written, what was lost noted, what was refused kept with its reason.

Folding a segment twice does nothing more than folding it once, so a crash in the midst of it costs nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from truewind import log
from truewind.market.files.table import ROW
from truewind.market.stream.spill import Heard, covered_next, read_segment
from truewind.market.validate import validate
from truewind.storage.lake import Lake
from truewind.storage.schema import KINDS, SeriesKey, row_key

SOURCE = "streams"


def fold(lake: Lake, path: Path) -> int:
    """Put a closed segment into the lake and remove it; the rows that were new there.

    A damaged one is kept beside, under another name, once what stands before the damage is in the lake.
    Raises StorageErrors; then the segment is still there.
    """
    heard = read_segment(path)
    added = 0
    for key, table in heard.tables.items():
        added += _write(lake, key, table)
    for event in heard.lost:
        lake.note_span(event.key, event.start_us, event.end_us, "lost", event.why)
    for key, start, end in _asked(heard):
        lake.note_span(key, start, end, "asked", SOURCE)
    _quarantine(lake, heard)
    if heard.damaged:
        log.get("data").error("recording damaged", path=str(path), what=heard.damaged)
        path.rename(path.with_suffix(".damaged"))
    else:
        path.unlink()
    return added


def _write(lake: Lake, key: SeriesKey, table: pl.DataFrame) -> int:
    kind = KINDS[key.kind]
    keys = list(row_key(kind, table.columns))
    table = table.sort([*keys, "ts_recv"])
    if len(keys) == len(kind.key):
        table = table.unique(keys, keep="first", maintain_order=True)  # what was heard twice was known the first time
    verdict = validate(key, table.with_row_index(ROW).cast({ROW: pl.Int64}))
    if not verdict.refused.is_empty():
        source = pl.format("{}:{}", pl.lit(SOURCE), pl.col(ROW)).alias("source")
        lake.quarantine(key, verdict.refused.with_columns(source).drop(ROW))
    return lake.write(key, verdict.rows).added


def _quarantine(lake: Lake, heard: Heard) -> None:
    by_key: dict[SeriesKey, list[tuple[int, str, str]]] = {}
    for what in heard.refused:
        by_key.setdefault(what.key, []).append((what.ts_recv, what.reason, what.raw))
    for key, rows in by_key.items():
        table = pl.DataFrame(rows, schema=["ts_recv", "reason", "raw"], orient="row")
        lake.quarantine(
            key,
            table.with_columns(pl.col("ts_recv").cast(pl.Datetime("us", "UTC")), pl.lit(SOURCE).alias("source")),
        )


def _asked(heard: Heard) -> Iterator[tuple[SeriesKey, int, int]]:
    """The times for which the segment tells all that happened: what was listened to, less what was lost of it."""
    after = covered_next(heard.covered, heard.states)
    for key, start in heard.covered.items():
        end = after[key]
        if not start or end <= start:
            continue
        for event in sorted(heard.lost, key=lambda event: event.start_us):
            if event.key == key and event.start_us < end and event.end_us > start:
                if event.start_us > start:
                    yield key, start, event.start_us
                start = max(start, event.end_us)
        if end > start:
            yield key, start, end
