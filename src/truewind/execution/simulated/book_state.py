"""What the simulated venue of the order-book lane remembers, as arrays that kernels reach by one handle.

There are two books: the venue's own, in the order of ts_event, on which orders are matched, and the one that the
strategy has been told of, in the order of ts_recv.
"""

import weakref
from enum import IntEnum
from typing import Any

import numpy as np

from truewind.domain.account import ACCOUNT
from truewind.domain.book import BOOK_EVENT
from truewind.domain.clock import NEVER
from truewind.domain.fill import FILL
from truewind.domain.instrument import INSTRUMENT
from truewind.domain.position import POSITION
from truewind.domain.risk import LATCH, VERDICT
from truewind.execution.simulated.latency import LATENCY, ROUND_TRIP
from truewind.numerics import memory
from truewind.numerics.book import BOOK_SIDE, NO_KEY, Book
from truewind.numerics.jit import COMPILED, kernel
from truewind.portfolio import state
from truewind.portfolio.latches import begin_breakers
from truewind.portfolio.margin import Margin, refresh_terms
from truewind.portfolio.opening import flat_positions, open_account

MARKS = 4096  # cells of the map that says near which prices something of ours lies
NO_TRIGGER = 1 << 62  # above all prices
ALL_FILLED, NOT_ALL = 1, 2  # how the order that another one waits for has ended: `led`
NOWHERE, WAITS, RESTS, HOLDS = 0, 1, 2, 3  # where an order of ours is at the venue: `place`


class Request(IntEnum):
    """What comes to the venue. The last four it sends to itself."""

    NEW = 0
    CANCEL = 1
    AMEND = 2
    COME = 3  # an order whose trigger was reached
    EXPIRY = 4  # the time of an order is up
    FOLLOW = 5  # orders that are tied to others are looked after: something was filled or has ended
    WAKE = 6  # the order that this one waited for has filled


# An order, from when it was sent until the strategy knows its end. It lies in row `id` modulo the table's length.
# status, filled, lots, ticks: the truth at the venue (a domain Status). known, known_filled: what the strategy has been
# told. ahead: displayed lots before it in the queue; traded: lots traded at its price since the level's last update.
# pending: cancels and amendments in flight; requests, replies: how many there were. key: mirrored price. ticks: 0
# without a limit. trigger: 0 for none; rising: +1 if it is reached from below. place: where at the venue. shown: lots
# that an iceberg displays at once (0: all); slice: those that are left of them. expires: of GTD orders. leg: row of the
# position that it is for. parent, group, source, trail, trail_rate, activation, best, asked: as in
# `domain.order.ORDER`. fed: lots that the parent has filled; led: 0 while it works, then ALL_FILLED or NOT_ALL. doom:
# the Reason for which it is about to be withdrawn since something else was filled (0: none); it fills no more.
BOOK_ORDER = np.dtype(
    [
        ("id", np.int64),
        ("side", np.int64),
        ("type", np.int64),
        ("tif", np.int64),
        ("post_only", np.int64),
        ("reduce_only", np.int64),
        ("ticks", np.int64),
        ("key", np.int64),
        ("trigger", np.int64),
        ("rising", np.int64),
        ("place", np.int64),
        ("shown", np.int64),
        ("slice", np.int64),
        ("expires", np.int64),
        ("leg", np.int64),
        ("parent", np.int64),
        ("group", np.int64),
        ("source", np.int64),
        ("trail", np.int64),
        ("trail_rate", np.int64),
        ("activation", np.int64),
        ("best", np.int64),
        ("asked", np.int64),
        ("fed", np.int64),
        ("led", np.int64),
        ("doom", np.int64),
        ("lots", np.int64),
        ("filled", np.int64),
        ("status", np.int64),
        ("known", np.int64),
        ("known_filled", np.int64),
        ("ahead", np.float64),
        ("traded", np.int64),
        ("pending", np.int64),
        ("requests", np.int64),
        ("replies", np.int64),
        ("tag", np.int64),
    ],
    align=True,
)
# trigger, trail: what an amendment changes them to, 0 to keep them.
REQUEST = np.dtype(
    [
        *(("ts", np.int64), ("kind", np.int64), ("order", np.int64), ("ticks", np.int64), ("lots", np.int64)),
        *(("trigger", np.int64), ("trail", np.int64)),
    ],
    align=True,
)
# ts: at the venue. ts_recv: when the strategy knows. lots, ticks: of a fill, else the order's. filled: after it.
REPORT = np.dtype(
    [
        *(("ts", np.int64), ("ts_recv", np.int64), ("order", np.int64), ("parent", np.int64), ("tag", np.int64)),
        *(("lots", np.int64), ("filled", np.int64), ("ticks", np.int32), ("trigger", np.int32)),
        *(("reason", np.int16), ("kind", np.int8), ("side", np.int8), ("type", np.int8), ("tif", np.int8)),
        *(("reduce_only", np.int8), ("maker", np.int8)),
        ("leg", np.int64),
    ],
    align=True,
)
# Displayed lots that an order of ours has taken; they are gone for our other orders until the level itself is.
TAKEN = np.dtype([("side", np.int64), ("key", np.int64), ("lots", np.int64)], align=True)
# A mark or index price from `ts` on, in quote units.
MARK = np.dtype([("ts", np.int64), ("price", np.float64)], align=True)
SAMPLE = np.dtype([("ts", np.int64), ("lots", np.int64), ("equity", np.float64), ("mid", np.float64)], align=True)

# Where the run is. event: next row at the venue. heard: next row of the feed. own_bid, own_ask: best keys of resting
# orders. requests, replies: rows [first, last) are waiting. position: lots as the strategy knows. woken_by: row of the
# event or reply. short: as position, of the short side in hedge mode. sent: requests since the last wake. same_order:
# ts_recv never goes back from row to row. waiting: orders that wait for their trigger; trigger_above, trigger_below:
# the nearest of these. last: ticks of the last trade, 0 before the first. mark, index, funding: next row of the mark
# prices, index prices, funding table. index_price: the last one, NaN before the first. drafted: id of the order that is
# being drafted. tied: orders that depend on what else fills: in a group, with a parent, or reduce-only. follows: a
# FOLLOW is on its way. stood_in: triggers by mark or index that wait for the traded price, for the run has none.
LANE = np.dtype(
    [
        *(("now", np.int64), ("end", np.int64), ("event", np.int64), ("heard", np.int64)),
        *(("first_request", np.int64), ("last_request", np.int64), ("first_reply", np.int64), ("last_reply", np.int64)),
        *(("reply_ts", np.int64), ("next_id", np.int64), ("resting", np.int64), ("working", np.int64)),
        *(("taken", np.int64), ("samples", np.int64), ("position", np.int64), ("short", np.int64)),
        *(("timer_at", np.int64), ("timer_us", np.int64), ("sample_at", np.int64), ("sample_us", np.int64)),
        *(("own_bid", np.int64), ("own_ask", np.int64), ("wakes", np.int64), ("woken_by", np.int64)),
        *(("burst", np.int64), ("sent", np.int64), ("denied", np.int64), ("same_order", np.int64)),
        *(("crossed", np.int64), ("legs", np.int64)),
        *(("waiting", np.int64), ("trigger_above", np.int64), ("trigger_below", np.int64), ("last", np.int64)),
        *(("mark", np.int64), ("index", np.int64), ("funding", np.int64), ("index_price", np.float64)),
        *(("drafted", np.int64), ("tied", np.int64), ("follows", np.int64), ("stood_in", np.int64)),
    ],
    align=True,
)
# The venue's rules. whole: an order that is reached fills whole. self_trade: a
# domain SelfTrade.
VENUE = np.dtype(
    [
        ("queue", np.int64),
        ("exponent", np.float64),
        ("whole", np.int64),
        ("self_trade", np.int64),
    ],
    align=True,
)

# The table of a handle begins with that of `portfolio.state`, so the ledger's kernels work on it; what they do not need
# here is empty. Ours follow.
ARRAYS = (
    *state.ARRAYS,
    *("market", "feed", "lane", "venue", "latency", "trips"),
    *("book_orders", "requests", "replies", "reports", "samples"),
    *("resting", "working", "marks", "taken", "waiting", "mark_prices", "index_prices"),
    *("sides", "levels", "far", "known_sides", "known_levels", "known_far"),
)
_AT = {name: 2 * i for i, name in enumerate(ARRAYS)}
WORDS = 2 * len(ARRAYS)
# States by handle where kernels run as plain Python and there are no addresses.
OPEN: dict[int, dict[str, np.ndarray]] = {}

_I8 = np.int64
_EVENTS, _FEED, _LANE, _VENUE = _AT["market"], _AT["feed"], _AT["lane"], _AT["venue"]
_LATENCY, _TRIPS, _INSTRUMENTS = _AT["latency"], _AT["trips"], _AT["instruments"]
_POSITIONS, _ACCOUNT, _FILLS = _AT["positions"], _AT["account"], _AT["fills"]
_ORDERS, _REQUESTS, _REPLIES = _AT["book_orders"], _AT["requests"], _AT["replies"]
_REPORTS, _SAMPLES, _RESTING, _WORKING = _AT["reports"], _AT["samples"], _AT["resting"], _AT["working"]
_MARKS, _TAKEN, _WAITING = _AT["marks"], _AT["taken"], _AT["waiting"]
_PRICES, _INDEX = _AT["mark_prices"], _AT["index_prices"]
_SIDES, _LEVELS, _FAR = _AT["sides"], _AT["levels"], _AT["far"]
_KSIDES, _KLEVELS, _KFAR = _AT["known_sides"], _AT["known_levels"], _AT["known_far"]

if COMPILED:
    words_at, array_at, table_at = memory.words_at, memory.array_at, memory.table_at

    @kernel(inline=True)
    def lane_at(handle: int) -> Any:
        """The LANE record, as an array of one: a kernel cannot return a record."""
        return array_at(words_at(handle, WORDS)[_LANE], 1, LANE)

    @kernel(inline=True)
    def timeline_at(handle: int) -> Any:
        """(BOOK_EVENT rows, feed)."""
        w = words_at(handle, WORDS)
        return array_at(w[_EVENTS], w[_EVENTS + 1], BOOK_EVENT), array_at(w[_FEED], w[_FEED + 1], _I8)

    @kernel(inline=True)
    def orders_at(handle: int) -> Any:
        """(orders, resting, working)."""
        w = words_at(handle, WORDS)
        return (
            array_at(w[_ORDERS], w[_ORDERS + 1], BOOK_ORDER),
            array_at(w[_RESTING], w[_RESTING + 1], _I8),
            array_at(w[_WORKING], w[_WORKING + 1], _I8),
        )

    @kernel(inline=True)
    def mail_at(handle: int) -> Any:
        """(requests, replies, reports)."""
        w = words_at(handle, WORDS)
        return (
            array_at(w[_REQUESTS], w[_REQUESTS + 1], REQUEST),
            array_at(w[_REPLIES], w[_REPLIES + 1], REPORT),
            array_at(w[_REPORTS], w[_REPORTS + 1], REPORT),
        )

    @kernel(inline=True)
    def rules_at(handle: int) -> Any:
        """(venue, latency, trips)."""
        w = words_at(handle, WORDS)
        return (
            array_at(w[_VENUE], 1, VENUE),
            array_at(w[_LATENCY], 2, LATENCY),
            array_at(w[_TRIPS], w[_TRIPS + 1], ROUND_TRIP),
        )

    @kernel(inline=True)
    def money_at(handle: int) -> Any:
        """(instruments, positions, account, fills, samples)."""
        w = words_at(handle, WORDS)
        return (
            array_at(w[_INSTRUMENTS], 1, INSTRUMENT),
            array_at(w[_POSITIONS], w[_POSITIONS + 1], POSITION),
            array_at(w[_ACCOUNT], 1, ACCOUNT),
            array_at(w[_FILLS], w[_FILLS + 1], FILL),
            array_at(w[_SAMPLES], w[_SAMPLES + 1], SAMPLE),
        )

    @kernel(inline=True)
    def book_at(handle: int) -> Any:
        """(sides, levels, far) of the venue's book."""
        w = words_at(handle, WORDS)
        return (
            array_at(w[_SIDES], 2, BOOK_SIDE),
            table_at(w[_LEVELS], 2, w[_LEVELS + 1], _I8),
            table_at(w[_FAR], 4, w[_FAR + 1], _I8),
        )

    @kernel(inline=True)
    def known_book_at(handle: int) -> Any:
        """(sides, levels, far) of the book that the strategy knows."""
        w = words_at(handle, WORDS)
        return (
            array_at(w[_KSIDES], 2, BOOK_SIDE),
            table_at(w[_KLEVELS], 2, w[_KLEVELS + 1], _I8),
            table_at(w[_KFAR], 4, w[_KFAR + 1], _I8),
        )

    @kernel(inline=True)
    def own_at(handle: int) -> Any:
        """(marks, taken)."""
        w = words_at(handle, WORDS)
        return table_at(w[_MARKS], 2, MARKS, _I8), array_at(w[_TAKEN], w[_TAKEN + 1], TAKEN)

    @kernel(inline=True)
    def waiting_at(handle: int) -> Any:
        """Rows of the orders that wait for their trigger; the first lane["waiting"] are in use."""
        w = words_at(handle, WORDS)
        return array_at(w[_WAITING], w[_WAITING + 1], _I8)

    @kernel(inline=True)
    def references_at(handle: int) -> Any:
        """(MARK rows of the mark price, by which the venue reckons margin, and of the index price)."""
        w = words_at(handle, WORDS)
        return array_at(w[_PRICES], w[_PRICES + 1], MARK), array_at(w[_INDEX], w[_INDEX + 1], MARK)

else:

    def lane_at(handle: int) -> Any:
        """The LANE record, as an array of one."""
        return OPEN[handle]["lane"]

    def _pick(handle: int, *names: str) -> Any:
        return tuple(OPEN[handle][name] for name in names)

    def timeline_at(handle: int) -> Any:
        """(BOOK_EVENT rows, feed)."""
        return _pick(handle, "market", "feed")

    def orders_at(handle: int) -> Any:
        """(orders, resting, working)."""
        return _pick(handle, "book_orders", "resting", "working")

    def mail_at(handle: int) -> Any:
        """(requests, replies, reports)."""
        return _pick(handle, "requests", "replies", "reports")

    def rules_at(handle: int) -> Any:
        """(venue, latency, trips)."""
        return _pick(handle, "venue", "latency", "trips")

    def money_at(handle: int) -> Any:
        """(instruments, positions, account, fills, samples)."""
        return _pick(handle, "instruments", "positions", "account", "fills", "samples")

    def book_at(handle: int) -> Any:
        """(sides, levels, far) of the venue's book."""
        return _pick(handle, "sides", "levels", "far")

    def known_book_at(handle: int) -> Any:
        """(sides, levels, far) of the book that the strategy knows."""
        return _pick(handle, "known_sides", "known_levels", "known_far")

    def own_at(handle: int) -> Any:
        """(marks, taken)."""
        return _pick(handle, "marks", "taken")

    def waiting_at(handle: int) -> Any:
        """Rows of the orders that wait for their trigger."""
        return OPEN[handle]["waiting"]

    def references_at(handle: int) -> Any:
        """(MARK rows of the mark price, of the index price)."""
        return _pick(handle, "mark_prices", "index_prices")


class Tape:
    """Events (BOOK_EVENT rows sorted by ts_event, at least one), and the order in which they are heard.

    order: rows by ts_recv, None if that is how they lie. end: when the last of them is known.
    """

    def __init__(self, events: np.ndarray) -> None:
        known = events["ts_recv"]
        same = bool((known[1:] >= known[:-1]).all())
        self.events = np.ascontiguousarray(events)
        self.order = None if same else np.argsort(known, kind="stable")
        self.end = int(known[-1] if same else known.max())


class BookState:
    """The arrays of one run. They may be replaced by longer ones only through `grow`, which tells the kernels."""

    def __init__(
        self,
        tape: "Tape",
        instrument: np.ndarray,
        filters: np.ndarray,
        margin: Margin,
        funding: np.ndarray,
        marks: np.ndarray,
        indices: np.ndarray,
        cash_units: int,
        scale: int,
        venue: np.ndarray,
        rates: tuple[int, int],
        limits: np.ndarray,
        latency: np.ndarray,
        trips: np.ndarray,
        *,
        wakes: int,
        timer_us: int,
        sample_us: int,
        burst: int,
    ) -> None:
        events = tape.events
        self.books = Book(), Book()
        start, end = int(events["ts_event"][0]), tape.end
        lane = _lane(start, end, timer_us, sample_us)
        lane[0]["wakes"], lane[0]["burst"], lane[0]["same_order"] = wakes, burst, tape.order is None
        account = open_account(cash_units, float(limits[0]["max_drawdown"]))
        breakers, pairs = begin_breakers(limits, 1, scale)
        lane[0]["legs"] = 2 if margin.hedge else 1
        margins, tiers, fees = margin.margins.copy(), margin.tiers, margin.fees
        if not len(fees):
            margins["maker"], margins["taker"] = rates
        account["terms_at"] = refresh_terms(margins, tiers, fees, start)
        orders = max(256, _power_of_two(4 * burst))
        samples = (end - start) // sample_us + 2 if sample_us else 1
        self.arrays: dict[str, np.ndarray] = {
            **{name: np.zeros(1) for name in state.ARRAYS},
            "limits": limits,
            "breakers": breakers,
            "pairs": pairs,
            "latches": np.zeros(64, LATCH),
            "verdicts": np.zeros(1 << 12, VERDICT),
            "market": events,
            "feed": np.zeros(1, np.int64) if tape.order is None else tape.order,
            "lane": lane,
            "venue": venue,
            "latency": latency,
            "trips": trips,
            "instruments": instrument,
            "rules": filters,
            "positions": flat_positions(margins["isolated"], hedge=margin.hedge),
            "account": account,
            # Long, so that most runs are never emptied in the midst; the system gives memory only to what is used.
            "fills": np.zeros(1 << 17, FILL),
            "book_orders": np.zeros(orders, BOOK_ORDER),
            "requests": np.zeros(16 * burst, REQUEST),
            "replies": np.zeros(4_096, REPORT),
            "reports": np.zeros(1 << 20, REPORT),
            "samples": np.zeros(samples, SAMPLE),
            **{name: np.zeros(orders, np.int64) for name in ("resting", "working", "waiting")},
            "marks": np.zeros((2, MARKS), np.int64),
            "taken": np.zeros(256, TAKEN),
            "mark_prices": marks,
            "index_prices": indices,
            "dues": funding,
            "margins": margins,
            "tiers": tiers,
            "fees": fees,
        }
        self._words = np.zeros(WORDS, np.int64)
        self.publish()
        weakref.finalize(self, OPEN.pop, self.handle, None)
        weakref.finalize(self, state.OPEN.pop, self.handle, None)

    @property
    def handle(self) -> int:
        """What kernels find this state by; valid as long as the state lives."""
        return int(self._words.ctypes.data)

    @property
    def lane(self) -> Any:
        return self.arrays["lane"][0]

    def publish(self) -> None:
        """Tell the kernels where the arrays lie now."""
        for prefix, book in zip(("", "known_"), self.books, strict=True):
            for name, array in zip(("sides", "levels", "far"), book.arrays, strict=True):
                self.arrays[prefix + name] = array
        for i, name in enumerate(ARRAYS):
            array = self.arrays[name]
            self._words[2 * i : 2 * i + 2] = array.ctypes.data, array.shape[-1]
        if not COMPILED:
            OPEN[self.handle] = self.arrays
            state.OPEN[self.handle] = tuple(self.arrays[name] for name in state.ARRAYS)

    def lengthen(self, name: str, least: int) -> None:
        """Make the array at least `least` rows long; `publish` afterwards."""
        old = self.arrays[name]
        if len(old) < least:
            new = np.zeros(_power_of_two(least), old.dtype)
            new[: len(old)] = old
            self.arrays[name] = new


def _lane(start: int, end: int, timer_us: int, sample_us: int) -> np.ndarray:
    """The LANE record before the first event: nothing is sent, nothing waits."""
    lane = np.zeros(1, LANE)
    lane["now"], lane["end"] = start, end
    lane["timer_us"], lane["timer_at"] = timer_us, start + timer_us if timer_us else NEVER
    lane["sample_us"], lane["sample_at"] = sample_us, start + sample_us if sample_us else NEVER
    lane["own_bid"] = lane["own_ask"] = NO_KEY
    lane["trigger_above"] = NO_TRIGGER
    lane["index_price"] = np.nan
    return lane


def _power_of_two(least: int) -> int:
    return 1 << max(0, least - 1).bit_length()
