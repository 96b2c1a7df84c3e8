"""Trades made of bars, where nothing finer is known: as many as the bar counts, adding up to it.

Open, high, low, close, volume, number and the takers' purchases of a bar come out exactly; its quote volume as near as
prices inside the bar allow. Where a bar has less room than that asks for (one trade with two extremes), trades are as
many as the room needs. All is a function of (seed, symbol, bar).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# side: +1 the buyer was the taker. ts in µs, whole milliseconds.
TRADE = np.dtype([("ts", np.int64), ("id", np.int64), ("ticks", np.int64), ("lots", np.int64), ("side", np.int64)])
MOST = 20_000  # trades that are made of one bar
_MS = 1000


def symbol_seed(seed: int, *names: object) -> int:
    digest = hashlib.blake2b(repr((seed, *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def counted(trades: Ints, lots: Ints, bought: Ints, open_: Ints, high: Ints, low: Ints, close: Ints) -> Ints:
    """How many trades each bar is made of: what it says, but enough for its prices and sides, and no more than lots."""
    extremes = (high > np.maximum(open_, close)).astype(np.int64) + (low < np.minimum(open_, close))
    least = np.maximum(1 + ((open_ != close) | (extremes > 0)) + extremes, 1 + ((bought > 0) & (bought < lots)))
    return np.where(lots > 0, np.minimum(np.clip(trades, least, MOST), np.maximum(lots, least)), 0)


def bar_trades(seed: int, ts: int, length_us: int, bar: tuple[int, ...], first_id: int) -> np.ndarray:
    """The trades of one bar. bar: open, high, low, close (ticks), volume, takers' purchases (lots), trades."""
    open_, high, low, close, volume, bought, count = bar
    trades = np.zeros(count, TRADE)
    if count == 0:
        return trades
    random = np.random.default_rng([seed, ts // _MS])
    moments = np.sort(random.integers(0, length_us // _MS, count))
    trades["ts"] = ts + moments * _MS
    trades["id"] = first_id + np.arange(count)
    trades["ticks"] = _prices(random, count, open_, high, low, close)
    trades["side"], trades["lots"] = _sides(random, count, volume, min(bought, volume), trades["ticks"])
    return trades


def _prices(random: np.random.Generator, count: int, open_: int, high: int, low: int, close: int) -> Ints:
    """A path from open to close that touches both extremes and stays between them."""
    if count == 1:
        return np.array([close])
    corners = {0: open_, count - 1: close}
    inner = [price for price in _order(open_, high, low, close) if price not in (open_, close)]
    for place, price in enumerate(inner, 1):
        corners[max(place, min(count - 1 - (len(inner) - place) - 1, count * place // (len(inner) + 1)))] = price
    at = np.array(sorted(corners))
    line = np.interp(np.arange(count), at, [corners[int(i)] for i in at])
    noise = random.standard_normal(count).cumsum()
    noise -= np.interp(np.arange(count), at, noise[at])
    scale = max(1.0, (high - low) / 8) / max(1.0, float(np.sqrt(count)))
    prices = np.clip(np.round(line + noise * scale), low, high).astype(np.int64)
    prices[at] = [corners[int(i)] for i in at]
    return prices


def _order(open_: int, high: int, low: int, close: int) -> tuple[int, int]:
    """A rising bar goes to its low first."""
    return (low, high) if close >= open_ else (high, low)


def _sides(random: np.random.Generator, count: int, volume: int, bought: int, ticks: Ints) -> tuple[Ints, Ints]:
    """Who took, and how much: purchases add up to `bought`, all to `volume`, each at least one lot."""
    sold = volume - bought
    buys = round(count * bought / volume) if volume else 0
    buys = min(max(buys, 1 if bought else 0), count - (1 if sold else 0), bought)
    if count - buys > sold:
        buys = min(count - sold, bought)
    rising = np.diff(ticks, prepend=ticks[0]) + 0.5 * random.standard_normal(count)
    side = np.full(count, -1, np.int64)
    side[np.argsort(-rising, kind="stable")[:buys]] = 1
    lots = np.ones(count, np.int64)
    for taker, total in ((1, bought), (-1, sold)):
        own = np.flatnonzero(side == taker)
        if own.size:
            lots[own] += _split(random, total - own.size, own.size)
    return side, lots


def _split(random: np.random.Generator, total: int, parts: int) -> Ints:
    """`total` ≥ 0 in whole parts of uneven size."""
    weights = random.standard_exponential(parts) ** 2
    edges = np.round(np.cumsum(weights) / weights.sum() * total).astype(np.int64)
    edges[-1] = total
    parts_of: Ints = np.diff(edges, prepend=0)
    return parts_of
