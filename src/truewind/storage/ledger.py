"""The gap ledger: what is known of the times for which a series has no rows, one small file beside its manifest.

A span says one thing of a half-open range of time [start, end):

    asked   the source was asked for all of it and has answered; what is not there, it does not have
    empty   the source says that nothing happened
    down    the venue was down
    lost    a recorder was listening and lost it

Spans only add up: of one `what` and source, those that touch become one, so that the order in which they are noted does
not matter. Whoever lost a part of what he listened to notes `lost` for that part and `asked` for none of it. A moment
that has several spans is explained by the first in REASONS that fits. The ledger is no part of content hashes and
snapshot ids: it says how data came, not what they are.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import polars as pl

from truewind.errors import ConfigError, CorruptError, suggest
from truewind.storage.manifest import missing_steps
from truewind.storage.schema import EARLIEST_US, LATEST_US, TS, SeriesKey, readable

NAME = "_spans.json"
VERSION = 1
WHATS = ("asked", "empty", "down", "lost")

QUARANTINED, DOWN, EMPTY, LOST, MISSING, UNASKED = (
    *("quarantined", "venue down", "no trades"),
    *("lost", "missing", "not downloaded"),
)
_NO_GAP = frozenset({EMPTY, MISSING})  # where rows come when they come, silence of a source that was asked is none


class Span(msgspec.Struct, frozen=True, order=True):
    """One range [start_us, end_us) of a series, what is known of it, and who said so."""

    start_us: int
    end_us: int
    what: str
    source: str = ""


class _Ledger(msgspec.Struct, frozen=True):
    key: SeriesKey
    spans: tuple[Span, ...]
    checksum: str
    version: int = VERSION


def checked(span: Span) -> Span:
    """`span`. Raises ConfigError for a `what` that is none, an end before the start, and times outside 1900 … 2200."""
    if span.what not in WHATS:
        raise ConfigError(f"A span cannot be '{span.what}'", remedy=suggest(span.what, WHATS))
    if span.end_us < span.start_us or span.start_us < EARLIEST_US or span.end_us > LATEST_US:
        raise ConfigError(
            f"From {readable(span.start_us)} to {readable(span.end_us)} is no span of time",
            remedy="Give UTC microseconds, the start first",
        )
    return span


def including(spans: Iterable[Span], new: Iterable[Span]) -> tuple[Span, ...]:
    """All spans in order of time, those of one `what` and source that overlap or touch made one."""
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for span in (*spans, *new):
        if span.end_us > span.start_us:
            groups.setdefault((span.what, span.source), []).append((span.start_us, span.end_us))
    return tuple(sorted(Span(*both, *group) for group, ranges in groups.items() for both in _union(ranges)))


def unasked(spans: Iterable[Span], start_us: int, end_us: int) -> list[tuple[int, int]]:
    """The ranges within [start_us, end_us) that no `asked` span covers, whoever was asked."""
    found, at = [], start_us
    for start, end in _union([(span.start_us, span.end_us) for span in spans if span.what == "asked"]):
        if start >= end_us:
            break
        if start > at:
            found.append((at, start))
        at = max(at, end)
    if at < end_us:
        found.append((at, end_us))
    return found


def gaps(
    key: SeriesKey, ranges: Iterable[tuple[int, int]], spans: Sequence[Span], refused: Callable[[], pl.DataFrame]
) -> pl.DataFrame:
    """The table of `Lake.gaps`. ranges: where a series with a timeframe has no rows. refused: gives its quarantine."""
    step = key.step_us
    found = list(explained(spans, ranges, step)) if step else list(silences(spans))
    rows = refused() if found else pl.DataFrame()
    times = np.array([], np.int64)
    if rows.schema.get("ts") == TS:
        times = rows["ts"].drop_nulls().sort().to_physical().to_numpy()
    inside = [np.searchsorted(times, end) - np.searchsorted(times, start) for start, end, _ in found]
    return pl.DataFrame(
        {
            "ts_from": [start for start, _, _ in found],
            "ts_to": [end for _, end, _ in found],
            "missing": [missing_steps((start, end), step) if step else None for start, end, _ in found],
            "reason": [QUARANTINED if count else gap[2] for count, gap in zip(inside, found, strict=True)],
        },
        schema={"ts_from": pl.Int64, "ts_to": pl.Int64, "missing": pl.Int64, "reason": pl.String},
    ).with_columns(pl.col("ts_from", "ts_to").cast(TS))


def explained(spans: Sequence[Span], gaps: Iterable[tuple[int, int]], step_us: int) -> Iterator[tuple[int, int, str]]:
    """`gaps` cut where their reason changes: (from, to, reason). Cuts lie on the steps that the gap begins with.

    Where nobody was ever asked (files were imported) what nothing is known of is "missing", else "not downloaded".
    """
    edges, reasons = _timeline(spans)
    for first, last in gaps:
        begin, reason = first, reasons[bisect_right(edges, first)]
        inside = range(bisect_right(edges, first), bisect_right(edges, last - 1))
        cuts = {first - (first - edges[i]) // step_us * step_us: reasons[i + 1] for i in inside}
        for cut, following in cuts.items():
            if following != reason and cut < last:
                yield begin, cut, reason
                begin, reason = cut, following
        yield begin, last, reason


def silences(spans: Sequence[Span]) -> Iterator[tuple[int, int, str]]:
    """Gaps of a series without timeframe: what is known to be lost, when the venue was down, and what lies between
    asked ranges and was never asked for."""
    edges, reasons = _timeline(spans)
    asked = [span for span in spans if span.what == "asked"]
    begin = min((span.start_us for span in asked), default=0)
    end = max((span.end_us for span in asked), default=0)
    found: list[tuple[int, int, str]] = []
    for (first, last), reason in zip(pairwise(edges), reasons[1:], strict=False):
        if reason in _NO_GAP or (reason == UNASKED and not begin <= first < end):
            continue
        if found and found[-1][1:] == (first, reason):
            found[-1] = (found[-1][0], last, reason)
        else:
            found.append((first, last, reason))
    yield from found


def encode(key: SeriesKey, spans: tuple[Span, ...]) -> bytes:
    return msgspec.json.encode(_Ledger(key, spans, _checksum(key, spans)))


def decode(data: bytes, key: SeriesKey, location: str) -> tuple[Span, ...]:
    """The spans of `key` in `data`. Raises CorruptError if they are damaged, or of another series or version."""
    remedy = "Remove the file: what is stored stays, but it is then asked for again"
    try:
        version = msgspec.json.decode(data, type=_Version).version
        ledger = _DECODER.decode(data) if version == VERSION else None
    except (msgspec.MsgspecError, UnicodeDecodeError, ConfigError) as error:
        raise CorruptError(f"{location} is no gap ledger: {error}", remedy=remedy, path=location) from None
    if ledger is None:
        raise CorruptError(
            f"{location} has version {version}, this truewind reads {VERSION}",
            remedy="Use the truewind that wrote it",
            path=location,
        )
    if ledger.key != key:
        raise CorruptError(f"{location} is the ledger of {ledger.key}, not of {key}", remedy=remedy, path=location)
    if ledger.checksum != _checksum(key, ledger.spans):
        raise CorruptError(f"{location} does not match its checksum", remedy=remedy, path=location)
    return ledger.spans


def _timeline(spans: Sequence[Span]) -> tuple[list[int], list[str]]:
    """Edges e0 < e1 < … and one reason more: before e0, from e0 to e1, …, from the last one on."""
    changes: dict[int, list[tuple[str, int]]] = {}
    for span in spans:
        changes.setdefault(span.start_us, []).append((span.what, 1))
        changes.setdefault(span.end_us, []).append((span.what, -1))
    unknown = UNASKED if any(span.what == "asked" for span in spans) else MISSING
    count = dict.fromkeys(WHATS, 0)
    edges, reasons = sorted(changes), [unknown]
    for edge in edges:
        for what, change in changes[edge]:
            count[what] += change
        reasons.append(next((reason for what, reason in REASONS if count[what]), unknown))
    return edges, reasons


def _union(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _checksum(key: SeriesKey, spans: tuple[Span, ...]) -> str:
    return hashlib.sha256(msgspec.json.encode((key, spans))).hexdigest()[:32]


class _Version(msgspec.Struct):
    version: int


# In order of precedence. What was lost and then asked for is explained by the answer; a venue that was down explains
# more than its empty answer.
REASONS = (("down", DOWN), ("empty", EMPTY), ("asked", MISSING), ("lost", LOST))
_DECODER = msgspec.json.Decoder(_Ledger)
