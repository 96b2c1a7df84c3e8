"""Switches: what a person does to the breakers of a running session, heard from the account's latch file."""

import threading
from collections.abc import Callable, Iterable

from truewind import log
from truewind.errors import TruewindError
from truewind.storage.latches import Latch, LatchBook

_LOOK_S = 0.2


class Switches:
    """The latch file as a session knows it. known: what is latched. Raises CorruptError for a damaged file."""

    def __init__(self, book: LatchBook) -> None:
        self._book = book
        self._stamp = book.stamp()
        self._known = {latch.key: latch for latch in book.read().latches}
        self._lock = threading.Lock()
        self._told: list[tuple[Latch, bool]] = []
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def known(self) -> list[Latch]:
        return list(self._known.values())

    def watch(self, call: Callable[[], None]) -> None:
        """From now on look for changes, in a thread, and `call` when there are any."""
        self._thread = threading.Thread(target=self._watch, args=(call,), name="switches", daemon=True)
        self._thread.start()

    def told(self) -> list[tuple[Latch, bool]]:
        """What a person has done since this was last asked: a latch, and whether it was released."""
        with self._lock:
            found, self._told = self._told, []
            return found

    def keep(self, tripped: Iterable[Latch]) -> None:
        """The session's own breakers have tripped: latch them in the file."""
        with self._lock:
            fresh = [latch for latch in tripped if latch.key not in self._known]
            if fresh:
                self._known |= {latch.key: latch for latch in fresh}
                self._book.trip(*fresh)

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, call: Callable[[], None]) -> None:
        while not self._ended.wait(_LOOK_S):
            try:
                if self._look():
                    call()
            except TruewindError as error:  # the session goes on with what it knows; the next one will not start
                log.get("system").error("the latch file cannot be read", error=error.as_dict())

    def _look(self) -> bool:
        """Read the file if it has changed; whether a person has done something."""
        stamp = self._book.stamp()
        if stamp == self._stamp:
            return False
        with self._lock:
            self._stamp = stamp
            found = self._book.read()
            now = {latch.key: latch for latch in found.latches}
            said = {entry.latch.key: entry.latch for entry in found.history if entry.what == "released"}
            self._told += [(latch, False) for key, latch in now.items() if key not in self._known]
            self._told += [(said.get(key, latch), True) for key, latch in self._known.items() if key not in now]
            self._known = now
            return bool(self._told)
