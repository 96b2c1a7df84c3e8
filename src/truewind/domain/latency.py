"""Latency as kernels read it: how long messages to and from a venue take, and what was measured of them."""

import numpy as np

# One way. model: a LatencyModel. median_us: of the constant and the lognormal model. sigma: standard deviation of the
# logarithm. load_us: what a thousand events a second add.
LATENCY = np.dtype(
    [
        ("model", np.int64),
        ("median_us", np.int64),
        ("sigma", np.float64),
        ("load_us", np.float64),
        ("seed", np.int64),
    ],
    align=True,
)
# A measured round trip: sent at ts, `entry_us` to the venue, `reply_us` back.
ROUND_TRIP = np.dtype([("ts", np.int64), ("entry_us", np.int64), ("reply_us", np.int64)], align=True)

ENTRY, REPLY, FEED = 0, 1, 2  # rows of the LATENCY table: to the venue, its answer, its market data
