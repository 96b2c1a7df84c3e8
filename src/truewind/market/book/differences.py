"""Snapshots that come while the book stands, as what they change.

A venue that tells the whole book again has not cleared it: orders that rest keep their queues, what was taken stays
taken, and only levels that differ are news.
"""

import numpy as np

from truewind.domain.book import BookKind
from truewind.numerics.book import Book

_LEVEL, _CLEAR = int(BookKind.LEVEL), int(BookKind.CLEAR)


def as_differences(events: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`events` (BOOK_EVENT rows in order, as `assemble` makes them) and their ids, with every snapshot of a book that
    stands replaced by its levels that differ; a snapshot that changes nothing leaves one row that says so."""
    opens = np.flatnonzero((events["kind"] == _CLEAR) & (events["last"] == 0))
    if len(opens) < 2:
        return events, ids
    book = Book()
    parts, numbers = [], []
    done = 0
    ends = np.flatnonzero(events["last"])
    for k in opens.tolist():
        end = int(ends[np.searchsorted(ends, k)]) + 1
        book.apply(events[done:k])
        parts.append(events[done:k])
        numbers.append(ids[done:k])
        told = events[k + 1 : end]
        news = _changes(book, told)
        book.apply(events[k:end])
        parts.append(news if len(news) else events[k:end])
        numbers.append(np.full(len(parts[-1]), ids[end - 1]))
        done = end
    parts.append(events[done:])
    numbers.append(ids[done:])
    return np.concatenate(parts), np.concatenate(numbers)


def _changes(book: Book, told: np.ndarray) -> np.ndarray:
    """The rows that make `book` what the levels of one snapshot say; none if it does not stand, or nothing differs."""
    before = {(side, int(ticks)): int(lots) for side in (1, -1) for ticks, lots in zip(*book.depth(side), strict=True)}
    if not before or not len(told):
        return told[:0]
    now = {(int(row["side"]), int(row["ticks"])): int(row["lots"]) for row in told}
    differ = {level: lots for level, lots in now.items() if before.get(level) != lots}
    differ |= {level: 0 for level in before if level not in now}
    if not differ:
        level, lots = next(iter(now.items()))
        differ = {level: lots}
    rows = np.zeros(len(differ), told.dtype)
    rows["ts_event"], rows["ts_recv"], rows["kind"] = told["ts_event"][0], told["ts_recv"][0], _LEVEL
    for i, ((side, ticks), lots) in enumerate(differ.items()):
        rows[i]["side"], rows[i]["ticks"], rows[i]["lots"] = side, ticks, lots
    rows["last"][-1] = 1
    return rows
