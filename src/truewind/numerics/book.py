"""The order book: displayed lots at every price, in arrays indexed by price.

Each side is a window of ticks; prices far from the best lie in a small hash table beside it, and come into the window
when the market gets there, so nothing is ever forgotten. Asks are mirrored: the *key* of a price is `ticks` for
bids and `−ticks` for asks, so on both sides the best is the greatest key, and one set of kernels serves both.
"""

from typing import Any

import numpy as np

from truewind.domain.book import BookKind
from truewind.errors import ValidationError
from truewind.numerics.borrow import borrow
from truewind.numerics.jit import kernel

BID, ASK = 0, 1  # rows of the arrays
NO_KEY = -(1 << 62)  # best of an empty side; so low that sums of two keys with it stay negative
FULL = -1  # the far table has no room: nothing was done; `Book.grow` and try again

# One side. best: key of the best level, or NO_KEY. base: key of the window's first cell. near, far: levels in the
# window and in the far table. used: cells of the far table that are taken, also by levels that are gone.
BOOK_SIDE = np.dtype(
    [("best", np.int64), ("base", np.int64), ("near", np.int64), ("far", np.int64), ("used", np.int64)], align=True
)

_WINDOW, _FAR = 1 << 14, 1 << 12
_LEVEL, _CLEAR = int(BookKind.LEVEL), int(BookKind.CLEAR)


@kernel
def far_cell(far: Any, s: int, key: int) -> int:
    """Where `key` lies in the far table of side `s`, or the empty cell where it would. far: (4, cells):
    keys and lots of the bids, keys and lots of the asks."""
    mask = far.shape[1] - 1
    cell = ((key * 2654435761) >> 16) & mask
    while far[2 * s, cell] != 0 and far[2 * s, cell] != key:
        cell = (cell + 1) & mask
    return int(cell)


@kernel
def put_far(sides: Any, far: Any, s: int, key: int, lots: int) -> int:
    """Set a level in the far table (there is room); what was there before."""
    cell = far_cell(far, s, key)
    before = int(far[2 * s + 1, cell])
    if far[2 * s, cell] == 0:
        if lots == 0:
            return 0
        far[2 * s, cell] = key
        sides[s]["used"] += 1
    far[2 * s + 1, cell] = lots
    sides[s]["far"] += int(lots > 0) - int(before > 0)
    return before


@kernel
def has_room(sides: Any, far: Any, s: int, more: int) -> bool:
    """Whether the far table can take `more` levels; cells of levels that are gone are freed if that helps."""
    cells, side = far.shape[1], sides[s]
    if 4 * (side["used"] + more) <= 3 * cells:
        return True
    if 4 * (side["far"] + more) > 3 * cells:
        return False
    kept = far[2 * s : 2 * s + 2].copy()
    far[2 * s : 2 * s + 2, :] = 0
    side["used"] = side["far"] = 0
    for cell in range(cells):
        if kept[1, cell] > 0:
            put_far(sides, far, s, kept[0, cell], kept[1, cell])
    return True


@kernel
def move_window(sides: Any, levels: Any, far: Any, s: int, key: int) -> bool:
    """Move side `s`'s window so that `key` lies in it with room on both sides; False if the far table is too small."""
    side, cells = sides[s], levels.shape[1]
    if not has_room(sides, far, s, side["near"] + 1):
        return False
    old = levels[s].copy()
    before, base = side["base"], key - 3 * cells // 4
    levels[s, :] = 0
    side["near"], side["base"] = 0, base
    for i in range(cells):
        if old[i] > 0:
            moved = before + i - base
            if 0 <= moved < cells:
                levels[s, moved] = old[i]
                side["near"] += 1
            else:
                put_far(sides, far, s, before + i, old[i])
    for cell in range(far.shape[1]):
        if far[2 * s + 1, cell] > 0:
            moved = far[2 * s, cell] - base
            if 0 <= moved < cells:
                levels[s, moved] = far[2 * s + 1, cell]
                far[2 * s + 1, cell] = 0
                side["near"] += 1
                side["far"] -= 1
    return True


@kernel
def best_far(far: Any, s: int, below: int) -> int:
    """The greatest far key below `below`, or NO_KEY."""
    best = NO_KEY
    for cell in range(far.shape[1]):
        if far[2 * s + 1, cell] > 0 and best < far[2 * s, cell] < below:
            best = far[2 * s, cell]
    return int(best)


@kernel
def next_key(sides: Any, levels: Any, far: Any, s: int, key: int) -> int:
    """The best key worse than `key`, or NO_KEY."""
    side = sides[s]
    if side["near"] > 0:
        for i in range(min(key - side["base"], levels.shape[1]) - 1, -1, -1):
            if levels[s, i] > 0:
                return int(side["base"] + i)
    return best_far(far, s, key) if side["far"] > 0 else NO_KEY


@kernel
def lots_at(sides: Any, levels: Any, far: Any, s: int, key: int) -> int:
    """Displayed lots at `key`."""
    i = key - sides[s]["base"]
    if 0 <= i < levels.shape[1]:
        return int(levels[s, i])
    return int(far[2 * s + 1, far_cell(far, s, key)])


@kernel
def set_outside(sides: Any, levels: Any, far: Any, s: int, key: int, lots: int) -> int:
    """`set_level` for a price outside the window, which moves if this is the new best."""
    side = sides[s]
    if lots > 0 and key > side["best"]:
        if not move_window(sides, levels, far, s, key):
            return FULL
        levels[s, key - side["base"]] = lots
        side["near"] += 1
        side["best"] = key
        return 0
    if not has_room(sides, far, s, 1):
        return FULL
    return put_far(sides, far, s, key, lots)


@kernel
def lose_window(sides: Any, levels: Any, far: Any, s: int) -> bool:
    """The window of side `s` has become empty: move it to the best far level. False if it cannot."""
    found = best_far(far, s, -NO_KEY) if sides[s]["far"] > 0 else NO_KEY
    if found != NO_KEY and not move_window(sides, levels, far, s, found):
        return False
    sides[s]["best"] = found
    return True


@kernel(inline=True)
def set_level(sides: Any, levels: Any, far: Any, s: int, key: int, lots: int) -> int:
    """Display `lots` ≥ 0 at `key` of side `s`. Returns what was displayed before, or FULL."""
    side = sides[s]
    i = key - side["base"]
    if i < 0 or i >= levels.shape[1]:
        return set_outside(sides, levels, far, s, key, lots)
    before = levels[s, i]
    levels[s, i] = lots
    if lots > 0:
        if before == 0:
            side["near"] += 1
            if key > side["best"]:
                side["best"] = key
    elif before > 0:
        side["near"] -= 1
        if key == side["best"]:
            if side["near"] > 0:
                while levels[s, i] == 0:
                    i -= 1
                side["best"] = side["base"] + i
            elif not lose_window(sides, levels, far, s):
                levels[s, i] = before
                side["near"] = 1
                return FULL
    return int(before)


@kernel
def clear(sides: Any, levels: Any, far: Any) -> None:
    """Forget everything."""
    levels[:, :] = 0
    far[:, :] = 0
    for s in range(2):
        sides[s]["best"] = NO_KEY
        sides[s]["near"] = sides[s]["far"] = sides[s]["used"] = 0


@kernel(inline=True)
def is_crossed(sides: Any) -> bool:
    """Whether the best bid is not below the best ask."""
    return bool(sides[0]["best"] + sides[1]["best"] >= 0)


@kernel
def apply_events(events: Any, first: int, last: int, sides: Any, levels: Any, far: Any, crossed: Any) -> int:
    """Apply rows [first, last) of BOOK_EVENT. Returns the row reached, short of `last` only if the far table is full.

    crossed: int64 (2,): complete messages that left the book crossed are counted in [0], the first such row (or −1)
    stands in [1].
    """
    events, sides, levels, far = borrow(events), borrow(sides), borrow(levels), borrow(far)
    for k in range(first, last):
        event = events[k]
        if event["kind"] == _LEVEL:
            side = int(event["side"])
            if set_level(sides, levels, far, int(side < 0), side * int(event["ticks"]), event["lots"]) == FULL:
                return k
        elif event["kind"] == _CLEAR:
            clear(sides, levels, far)
        if event["last"] and is_crossed(sides):
            if crossed[0] == 0:
                crossed[1] = k
            crossed[0] += 1
    return last


class Book:
    """One instrument's book, in integer ticks and lots.

    window: ticks of each side that are kept in an array (a power of two); it bounds the speed, never the depth.
    Kernels work on `arrays`: (sides, levels, far).
    """

    def __init__(self, window: int = _WINDOW) -> None:
        if window < 4 or window & (window - 1):
            raise ValueError(f"window must be a power of two, is {window}")
        self.sides = np.zeros(2, BOOK_SIDE)
        self.levels = np.zeros((2, window), np.int64)
        self.far = np.zeros((4, _FAR), np.int64)
        self.crossed = np.array([0, -1])  # messages that left the book crossed; the first such row of `apply`
        self.sides["best"] = NO_KEY

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.sides, self.levels, self.far

    @property
    def best_bid(self) -> int | None:
        """Ticks of the best bid; None if there is none."""
        key = int(self.sides[BID]["best"])
        return None if key == NO_KEY else key

    @property
    def best_ask(self) -> int | None:
        """Ticks of the best ask; None if there is none."""
        key = int(self.sides[ASK]["best"])
        return None if key == NO_KEY else -key

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is not below the best ask: an error of the data, unless a message is incomplete."""
        return bool(is_crossed(self.sides))

    @property
    def is_nearly_full(self) -> bool:
        """Whether a far level, or a move of the window, may find no room."""
        most = int((self.sides["near"] + self.sides["used"]).max())
        return 4 * (most + 8) > 3 * self.far.shape[1]

    def lots(self, side: int, ticks: int) -> int:
        """Displayed lots at a price; side: +1 bid, −1 ask."""
        return int(lots_at(*self.arrays, BID if side > 0 else ASK, ticks if side > 0 else -ticks))

    def depth(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """All levels of a side from the best on: (ticks, lots)."""
        s = BID if side > 0 else ASK
        near = np.flatnonzero(self.levels[s])
        far = np.flatnonzero(self.far[2 * s + 1])
        keys = np.concatenate([near + self.sides[s]["base"], self.far[2 * s, far]])
        lots = np.concatenate([self.levels[s, near], self.far[2 * s + 1, far]])
        order = np.argsort(-keys)
        return keys[order] * (1 if side > 0 else -1), lots[order]

    def set(self, side: int, ticks: int, lots: int) -> None:
        """Display `lots` at a price. Raises ValidationError for a price or quantity that no book has."""
        if ticks < 1 or lots < 0:
            raise ValidationError(
                f"No book has {lots} lots at {ticks} ticks",
                remedy="Quarantine the update: prices are positive, quantities not negative",
            )
        s, key = (BID, ticks) if side > 0 else (ASK, -ticks)
        while set_level(*self.arrays, s, key, lots) == FULL:
            self.grow()

    def apply(self, events: np.ndarray) -> None:
        """Apply BOOK_EVENT rows that are known to be sound."""
        row = 0
        while (row := apply_events(events, row, len(events), *self.arrays, self.crossed)) < len(events):
            self.grow()

    def clear(self) -> None:
        """Forget all levels."""
        clear(*self.arrays)

    def grow(self) -> None:
        """Double the room for levels far from the best."""
        old = self.far
        self.far = np.zeros((4, 2 * old.shape[1]), np.int64)
        self.sides["used"] = self.sides["far"] = 0
        for s in (BID, ASK):
            for cell in np.flatnonzero(old[2 * s + 1]):
                put_far(self.sides, self.far, s, int(old[2 * s, cell]), int(old[2 * s + 1, cell]))
