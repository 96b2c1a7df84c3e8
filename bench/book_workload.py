"""The order-book work that every engine is given. numpy only: peers' environments import it too.

Levels around a random walk that never crosses, and a trade at the touch after every fifth of them; times are whole
microseconds, known here a millisecond later. The market maker looks every 100 ms and wants one bid and one ask of a
whole unit two ticks from the middle: what rests elsewhere is cancelled, what is missing is sent (post-only), while it
holds less than ten units.
"""

import numpy as np

TICK, LOT = 0.1, 0.001
LEVELS_A_TRADE = 5
EVERY_US, LATENCY_US, FEED_US = 100_000, 1_000, 1_000
UNIT, MOST, AWAY = 1_000, 10_000, 2  # lots, lots, ticks
MAKER, TAKER = -0.00005, 0.0007
START_US = 1_672_531_200_000_000


def market(levels: int) -> dict[str, np.ndarray]:
    """Columns is_trade, ts_us, side, ticks, lots of `levels` level updates and a fifth as many trades, in order."""
    rng = np.random.default_rng(42)
    step = rng.choice(np.array([-1, 0, 1]), size=levels, p=[0.05, 0.90, 0.05])
    middle = 300_000 + np.cumsum(step)
    away = np.minimum(rng.geometric(0.2, levels), 20)
    # The level that the middle runs into goes away; all others are set somewhere around it.
    side = np.where(step != 0, -step, rng.integers(0, 2, levels) * 2 - 1)
    ticks = np.where(step != 0, middle, middle - side * away)
    lots = np.where(step != 0, 0, np.round(rng.lognormal(0.0, 1.0, levels) * 1000).astype(np.int64) + 1)
    ts = START_US + np.cumsum(rng.exponential(5_000.0, levels).astype(np.int64) + 2)
    at = np.arange(LEVELS_A_TRADE - 1, levels, LEVELS_A_TRADE)
    taker = rng.integers(0, 2, len(at)) * 2 - 1
    traded = np.round(rng.lognormal(-2.0, 1.0, len(at)) * 1000).astype(np.int64) + 1
    order = np.argsort(np.concatenate([ts, ts[at] + 1]), kind="stable")
    return {
        "is_trade": np.repeat([False, True], [levels, len(at)])[order],
        "ts_us": np.concatenate([ts, ts[at] + 1])[order],
        "side": np.concatenate([side, taker])[order],
        "ticks": np.concatenate([ticks, middle[at] + taker])[order],
        "lots": np.concatenate([lots, traded])[order],
    }
