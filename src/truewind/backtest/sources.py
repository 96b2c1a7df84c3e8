"""Sources: what is known of the data that a run read, for its report: rows, gaps and why, refused rows."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from truewind.domain.clock import iso
from truewind.storage.lake import Lake
from truewind.storage.snapshot import SeriesInfo, Snapshot

_AT_ONCE = 16  # a lake on S3 answers each question in a round trip


def sources(lake: Lake, snapshot: Snapshot) -> dict[str, Any]:
    """What `data.json` holds: every series of the snapshot, over all its rows, not only those that the run reached.

    missing: rows that a series with a timeframe lacks between its first and its last; why: of these by reason, as the
    gap ledger knows it. A market that closes has gaps by nature: see its calendar. quarantined: refused rows by reason.
    Raises CorruptError.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {"series": list(pool.map(lambda info: _source(lake, info), snapshot.series))}


def _source(lake: Lake, info: SeriesInfo) -> Mapping[str, Any]:
    key = info.key
    refused = lake.quarantined(key)["reason"].value_counts(sort=True)
    why: dict[str, int] = {}
    if info.gaps:
        for reason, missing in lake.gaps(key).select("reason", "missing").iter_rows():
            why[reason] = why.get(reason, 0) + (missing or 0)
    return {
        "kind": key.kind,
        "venue": key.venue,
        "symbol": key.symbol,
        "timeframe": key.timeframe,
        "rows": info.rows,
        "start": iso(info.start_us),
        "end": iso(info.end_us),
        "gaps": info.gaps,
        "missing": info.missing,
        "why": dict(sorted(why.items())),
        "quarantined": dict(zip(refused["reason"].to_list(), refused["count"].to_list(), strict=True)),
        "content_hash": info.content_hash,
    }
