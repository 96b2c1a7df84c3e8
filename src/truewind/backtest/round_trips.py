"""Measured round trips of orders, read from a table."""

from pathlib import Path

import numpy as np
import polars as pl

from truewind.errors import ConfigError, FormatError, MissingFileError
from truewind.execution.simulated.latency import ROUND_TRIP, LatencySettings, check_round_trips


def read_round_trips(latency: LatencySettings, section: str) -> np.ndarray:
    """ROUND_TRIP rows of the settings' file (CSV or Parquet with ts, entry_us, reply_us); none where it is not read.

    section: of the configuration, for errors. Raises ConfigError, MissingFileError, FormatError, ValidationError.
    """
    if latency.model != "recorded":
        return np.zeros(0, ROUND_TRIP)
    if latency.file is None:
        raise ConfigError("Recorded latency needs a file", remedy=f"Set {section}.file, a CSV or Parquet table")
    path = Path(latency.file)
    try:
        table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        columns = table.select(*(pl.col(name).cast(pl.Int64) for name in ROUND_TRIP.names or ()))
    except FileNotFoundError:
        raise MissingFileError(f"No file {path} of round trips", remedy=f"Check {section}.file", path=path) from None
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise FormatError(
            f"{path} is no table of round trips: {first}",
            remedy="Its columns are ts (µs UTC), entry_us and reply_us, whole numbers",
            path=path,
        ) from None
    trips = np.zeros(table.height, ROUND_TRIP)
    for name in ROUND_TRIP.names or ():
        trips[name] = columns[name].to_numpy()
    return check_round_trips(trips)
