"""Bars from trades: one pass over the trades, resumable at any of them.

A bar is the trades of a piece of time, or as many as make up a number of trades, a volume, a worth, or an imbalance
between buyers and sellers (López de Prado, Advances in Financial Machine Learning, 2018, ch. 2). The kernels go on from
the unfinished bar in `state` and leave the next one there, so any cutting of the trades gives the same bits: a bar's
sums start at its first trade and take its trades in their order.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from truewind.numerics.jit import kernel

COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume")

# The unfinished bar; `trades` is 0 where there is none. ts: of time bars when it opened, of others its first trade.
# known: the time of the last trade, before which no other may come.
# filled: what counts towards its end. Of imbalance bars: length, tilt: the expected number of trades and the expected
# signed amount of one; limit: the imbalance that ends the bar; bars: how many have been made.
BAR = np.dtype(
    [
        *(("ts", np.int64), ("known", np.int64)),
        *((name, np.float64) for name in COLUMNS),
        *((name, np.float64) for name in ("filled", "length", "tilt", "limit")),
        ("bars", np.int64),
    ]
)

# What ends a bar.
TICKS, VOLUME, DOLLAR, TICK_IMBALANCE, VOLUME_IMBALANCE, DOLLAR_IMBALANCE = range(6)
LENGTH_BOUND = 10.0  # E[T] of imbalance bars stays within this factor of its first value

_ROWS_A_THREAD = 1 << 20  # below that a thread costs more than it brings


class Trades(NamedTuple):
    """Columns of trades, equally long: int64 µs, float64, float64, and whole numbers of which positive means a buyer
    who took."""

    ts: np.ndarray
    price: np.ndarray
    quantity: np.ndarray
    side: np.ndarray


class Bars(NamedTuple):
    """ts: when a bar opened. known: the time of its last trade. values: a row for each of COLUMNS."""

    ts: np.ndarray
    known: np.ndarray
    values: np.ndarray


@kernel(inline=True)
def put(state: Any, ts: Any, known: Any, values: Any, at: int) -> None:
    """Write the unfinished bar to place `at`, and begin none."""
    ts[at], known[at] = state["ts"], state["known"]
    values[0, at], values[1, at] = state["open"], state["high"]
    values[2, at], values[3, at] = state["low"], state["close"]
    values[4, at], values[5, at] = state["volume"], state["quote_volume"]
    values[6, at], values[7, at] = state["trades"], state["taker_buy_volume"]
    state["trades"] = 0.0


@kernel(inline=True)
def expect(state: Any, size: float, decay: float) -> None:
    """What the imbalance bar that ends says of the next one: E[T], the signed amount of a trade, and their product."""
    mean = state["filled"] / state["trades"]
    if state["bars"] == 0:
        state["length"], state["tilt"] = state["trades"], mean
    else:
        length = state["length"] + decay * (state["trades"] - state["length"])
        state["length"] = min(max(length, size / LENGTH_BOUND), size * LENGTH_BOUND)
        state["tilt"] += decay * (mean - state["tilt"])
    state["limit"] = state["length"] * abs(state["tilt"])


@kernel
def time_bars(
    ts: Any, price: Any, quantity: Any, side: Any, first: int, last: int, length: int, origin: int, states: Any,
    out_ts: Any, out_known: Any, out: Any, at: int, end: int,
) -> int:  # fmt: skip
    """Trades [first, last) as bars of `length` µs on the grid through `origin`, written from `at` on.

    Returns the place after the last bar, or −1 if a trade cannot be: time goes back, a price is not positive, a number
    not finite, a quantity negative. `end`: the place that must not be written; it is reached only if time goes back.
    """
    state = states[0]
    if first < last and ts[first] < state["known"]:
        return -1
    # The bar in the making stays in registers; `state` is read and written once.
    opens, known, trades = state["ts"], state["known"], state["trades"]
    opened, high, low, close = state["open"], state["high"], state["low"], state["close"]
    volume, quote, bought = state["volume"], state["quote_volume"], state["taker_buy_volume"]
    k = first
    while k < last:
        now = ts[k]
        if trades == 0.0 or now >= opens + length:
            beyond = opens + length
            if trades > 0.0:
                if at >= end:
                    return -1
                out_ts[at], out_known[at] = opens, known
                out[0, at], out[1, at], out[2, at], out[3, at] = opened, high, low, close
                out[4, at], out[5, at], out[6, at], out[7, at] = volume, quote, trades, bought
                at += 1
            # Where bars follow each other without a gap, no division is needed to find the next one.
            adjoining = trades > 0.0 and now < beyond + length
            opens = beyond if adjoining else (now - origin) // length * length + origin
            opened = high = low = price[k]
            volume = quote = bought = trades = 0.0
            known = now
        closes, start, least = opens + length, k, quantity[k]
        while k < last:
            now = ts[k]
            if now >= closes or now < known:
                break
            known = now
            close, amount = price[k], quantity[k]
            high = close if close > high else high
            low = close if close < low else low
            least = amount if amount < least else least
            volume += amount
            quote += close * amount
            bought += amount if side[k] > 0 else 0.0
            k += 1
        trades += k - start
        if k == start or not (low > 0.0 and least >= 0.0 and quote < np.inf and volume < np.inf):
            return -1
    state["ts"], state["known"], state["trades"] = opens, known, trades
    state["open"], state["high"], state["low"], state["close"] = opened, high, low, close
    state["volume"], state["quote_volume"], state["taker_buy_volume"] = volume, quote, bought
    return at


@kernel
def event_bars(
    ts: Any, price: Any, quantity: Any, side: Any, rule: int, size: float, decay: float, states: Any,
    out_ts: Any, out_known: Any, out: Any,
) -> int:  # fmt: skip
    """All trades as bars that end by `rule`; returns how many there are, or −1 as `time_bars` does.

    size: the amount that ends a bar; of imbalance bars the expected number of trades in the first one, and decay the
    weight of the newest bar in what is expected of the next.
    """
    state = states[0]
    at = 0
    before = state["known"]
    by_imbalance = rule >= TICK_IMBALANCE
    unit = rule - TICK_IMBALANCE if by_imbalance else rule
    for k in range(len(ts)):
        now, traded, amount = ts[k], price[k], quantity[k]
        if now < before or not (0.0 < traded < np.inf and 0.0 <= amount < np.inf):
            return -1
        before = now
        if state["trades"] == 0.0:
            state["ts"], state["open"], state["high"], state["low"] = now, traded, traded, traded
            state["volume"] = state["quote_volume"] = state["taker_buy_volume"] = state["filled"] = 0.0
        bought = side[k] > 0
        state["known"], state["close"] = now, traded
        state["high"] = max(state["high"], traded)
        state["low"] = min(state["low"], traded)
        state["volume"] += amount
        state["quote_volume"] += traded * amount
        state["taker_buy_volume"] += amount if bought else 0.0
        state["trades"] += 1.0
        part = 1.0 if unit == TICKS else (amount if unit == VOLUME else traded * amount)
        if by_imbalance:
            state["filled"] += part if bought else -part
            if state["bars"] == 0:
                ended = state["trades"] >= size
            else:
                ended = abs(state["filled"]) >= state["limit"]
            if ended:
                expect(state, size, decay)
        else:
            state["filled"] += part
            ended = state["filled"] >= size
        if ended:
            put(state, out_ts, out_known, out, at)
            at += 1
            state["bars"] += 1
    return at


@kernel
def close_up(ts: Any, known: Any, values: Any, start: int, count: int, to: int) -> None:
    """Move `count` bars from place `start` down to place `to`."""
    for i in range(count):
        ts[to + i], known[to + i] = ts[start + i], known[start + i]
    for column in range(len(values)):
        for i in range(count):
            values[column, to + i] = values[column, start + i]


def no_bar() -> np.ndarray:
    """The state before the first trade."""
    state = np.zeros(1, BAR)
    state["known"] = np.iinfo(np.int64).min
    return state


def make_time_bars(
    trades: Trades, length: int, origin: int, state: np.ndarray, *, until: int | None = None, threads: int = 1
) -> Bars | None:
    """The bars of `length` µs that these trades end; None if a trade cannot be (`state` is then of no use).

    state: one BAR, `no_bar` at first, the unfinished bar before and after. until: no trade before it is still to come,
    so that the last bar is over too if it ends by then. Threads work on pieces cut at the edges of bars, each into its
    own part of the output: the bits do not depend on their number.
    """
    ts = trades.ts
    edges = _edges(ts, length, origin, min(threads, max(1, len(ts) // _ROWS_A_THREAD)))
    pieces = list(pairwise(edges))
    if any(ts[edge] < ts[edge - 1] for edge in edges[1:-1]):
        return None
    # One more for a bar that was begun before and one for the last; and a span of less than a bar may touch two.
    spans = [max(0, int(ts[end - 1]) - int(ts[first])) if end > first else 0 for first, end in pieces]
    room = [2 + min(end - first, 2 + span // length) for (first, end), span in zip(pieces, spans, strict=True)]
    starts = np.concatenate([[0], np.cumsum(room)]).astype(int).tolist()
    bars = Bars(np.empty(starts[-1], np.int64), np.empty(starts[-1], np.int64), np.empty((len(COLUMNS), starts[-1])))
    states = [state, *(no_bar() for _ in pieces[1:])]

    def make(i: int) -> int:
        return time_bars(*trades, *pieces[i], length, origin, states[i], *bars, starts[i], starts[i + 1])

    if len(pieces) > 1:
        with ThreadPoolExecutor(len(pieces)) as pool:
            ends = list(pool.map(make, range(len(pieces))))
    else:
        ends = [make(0)]
    if any(end < 0 for end in ends):
        return None
    count = 0
    for i, end in enumerate(ends):
        one = states[i][0]
        closes = int(one["ts"]) + length
        is_last = i + 1 == len(ends)  # every other piece ends where a bar ends
        if not is_last or (one["trades"] > 0.0 and until is not None and closes <= until):
            put.py_func(one, *bars, end)  # type: ignore[attr-defined]  # every kernel has it
            one["known"] = closes
            end += 1
        if starts[i] > count:
            close_up(*bars, starts[i], end - starts[i], count)
        count += end - starts[i]
    if len(states) > 1:
        state[:] = states[-1]
    return Bars(bars.ts[:count], bars.known[:count], bars.values[:, :count])


def make_event_bars(trades: Trades, rule: int, size: float, span: float, state: np.ndarray) -> Bars | None:
    """The bars that these trades end by `rule`; None if a trade cannot be (`state` is then of no use).

    state: one BAR, `no_bar` at first, the unfinished bar before and after. size: see `event_bars`. span: bars that
    imbalance bars look back on, the weight of the newest being 2 / (span + 1).
    """
    room = len(trades.ts)
    bars = Bars(np.empty(room, np.int64), np.empty(room, np.int64), np.empty((len(COLUMNS), room)))
    count = event_bars(*trades, rule, size, 2.0 / (span + 1.0), state, *bars)
    return None if count < 0 else Bars(bars.ts[:count], bars.known[:count], bars.values[:, :count])


def _edges(ts: np.ndarray, length: int, origin: int, pieces: int) -> list[int]:
    """Where to cut the trades into about equal pieces at the edges of bars: from 0 to their number, rising."""
    edges = [0]
    for i in range(1, pieces):
        moment = int(ts[len(ts) * i // pieces])
        edge = int(np.searchsorted(ts, (moment - origin) // length * length + origin))
        if edges[-1] < edge < len(ts):
            edges.append(edge)
    return [*edges, len(ts)]
