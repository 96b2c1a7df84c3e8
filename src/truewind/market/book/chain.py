"""Binance's rules for a local order book: which update follows which, and where the snapshot joins the stream.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
"""

from enum import Enum


class Verdict(Enum):
    """What to do with an update."""

    APPLY = "apply"
    OLD = "old"  # what it says is in the snapshot already
    WAIT = "wait"  # no snapshot yet: keep it
    GAP = "gap"  # updates before it are missing: the book is wrong from here on until the next snapshot


class Chain:
    """The chain of update ids of one symbol. `last` is the id up to which the book is known, None before a snapshot.

    is_numbered: updates say which ids they hold. Where they do not, nothing tells a gap: every update is taken for the
    next one, and every snapshot for the book.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self.is_numbered = True
        self._bridged = False

    def snapshot(self, last_id: int) -> None:
        """A snapshot was taken as the book; it holds all updates up to `last_id`."""
        self.last, self._bridged = last_id, False

    def update(self, first: int | None, final: int, previous: int | None) -> Verdict:
        """Judge an update that holds ids `first` … `final`. first: None where they are not numbered; previous: futures'
        `pu`, None on spot.

        Spot numbers a symbol's updates without holes, so the next one begins at `last` + 1 (before the first one it may
        also overlap the snapshot). Ids of futures are shared by all symbols and have holes; there each update names the
        one before it.
        """
        self.is_numbered = first is not None
        if self.last is None:
            return Verdict.WAIT
        if first is None:
            self.last = final
            return Verdict.APPLY
        if final <= self.last:
            return Verdict.OLD
        if self._bridged:
            follows = first == self.last + 1 if previous is None else previous == self.last
        else:
            follows = joins(self.last, first, previous)
        if not follows:
            self.last = None
            return Verdict.GAP
        self.last, self._bridged = final, True
        return Verdict.APPLY


def joins(last: int, first: int, previous: int | None) -> bool:
    """Whether an update can be the first one after a snapshot that holds all up to `last`: nothing lies between."""
    return first <= last + 1 if previous is None else previous <= last
