"""A perpetual of hourly bars, and a config on it: what walk-forward and validation are tried on."""

import numpy as np
import polars as pl

from scripted import perpetual
from truewind.domain.timeframe import HOUR_US
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

START = 1_704_067_200_000_000
HOURS = 1_200
DAYS = 24 * HOUR_US


def market(folder, last=HOURS, seed=3):
    """A perpetual of hourly bars; those after `last` are another market's."""
    random, other = np.random.default_rng(seed), np.random.default_rng(99)
    steps = np.concatenate((random.normal(0, 6e-3, HOURS)[:last], other.normal(0, 6e-3, HOURS - last)))
    close = np.round(1000.0 * np.exp(np.cumsum(steps)), 1)
    opened = np.concatenate(([1000.0], close[:-1]))
    lake = Lake(folder)
    table = {
        "ts": pl.Series(START + np.arange(HOURS) * HOUR_US).cast(pl.Datetime("us", "UTC")),
        "open": opened,
        "high": np.maximum(opened, close) + 0.3,
        "low": np.minimum(opened, close) - 0.3,
        "close": close,
        "volume": np.ones(HOURS),
    }
    lake.write(SeriesKey("bars", "test", "BTCUSDT", "1h"), pl.DataFrame(table))
    lake.put_instrument(perpetual("BTCUSDT"))
    return lake


def config(**more):
    return {
        "name": "cross",
        "data": {"venue": "test", "symbols": ["BTCUSDT"], "timeframe": "1h"},
        "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"slow": 30}},
        "sizing": {"method": "fraction", "value": 0.5},
        "costs": {"taker_fee": 0.0005, "half_spread_bps": 2.0},
        "lane": "event",
        **more,
    }
