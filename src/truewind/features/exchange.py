"""Sessions of exchanges that close: which one a bar lies in, joined to the bars as columns."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from truewind.domain.timeframe import SECOND_US
from truewind.errors import ConfigError, FeatureError, suggest
from truewind.numerics.floats import floats

TIME = pl.Datetime("us", "UTC")
SESSION_COLUMNS = ("session_open", "session_close", "previous_close")
_MARGIN = dt.timedelta(days=14)  # no exchange rests for longer


def exchange_sessions(exchange: str, start: dt.date, end: dt.date) -> pl.DataFrame:
    """Opens and closes of an exchange's sessions from `start` to `end`, holidays and short days as published: a table
    of `session_open` and `session_close`, UTC.

    `exchange` is a market's code (ISO 10383), as XNYS for New York. Raises ConfigError if it is unknown, the dates lie
    outside its calendar or the package exchange_calendars is not installed.
    """
    try:
        import exchange_calendars
    except ImportError:
        raise ConfigError(
            "Sessions of exchanges come from the package exchange_calendars, which is not installed",
            remedy="pip install 'truewind[equities]', or give a table of session_open and session_close",
        ) from None
    known = exchange_calendars.get_calendar_names()
    if exchange not in known:
        raise ConfigError(f"Unknown exchange '{exchange}'", remedy=suggest(exchange, known))
    try:
        schedule = exchange_calendars.get_calendar(exchange, start=start.isoformat(), end=end.isoformat()).schedule
    except ValueError as error:
        raise ConfigError(f"{exchange} from {start} to {end}: {error}", remedy="Choose other dates") from None
    return pl.DataFrame(
        {
            name: pl.Series(schedule[name.removeprefix("session_")].to_numpy("datetime64[us]")).dt.replace_time_zone(
                "UTC"
            )
            for name in ("session_open", "session_close")
        }
    )


def session_columns(exchange: str, ts: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Those of the columns below that are asked for, of bars that open at `ts` (int64 µs): float64 µs, NaN for none.

    Raises ConfigError as `exchange_sessions`, and if no exchange is named.
    """
    if not exchange:
        raise ConfigError(
            f"{', '.join(names)}: read, but no exchange is named", remedy="Name it: data.exchange: XNYS", names=names
        )
    days = [dt.datetime.fromtimestamp(at / SECOND_US, dt.UTC).date() for at in (int(ts[0]), int(ts[-1]))]
    sessions = exchange_sessions(exchange, days[0] - _MARGIN, days[1] + _MARGIN)
    table = with_sessions(pl.DataFrame({"ts": pl.Series(ts).cast(TIME)}), sessions)
    return {name: floats(table[name].to_physical()) for name in names}


def with_sessions(bars: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """`bars` with the columns that `session_clock` reads: `session_open`, `session_close` and `previous_close`, UTC.

    They are of the session in which the bar's `ts` lies, or else of the next one; at its close a session is over.
    `sessions` has `session_open` and `session_close`, in order. Null where it has none: bars after the last close, and
    `previous_close` up to the first. Calendars are known in advance, so no bar learns anything of its future.
    Raises FeatureError if sessions overlap, end before they begin or are not in order.
    """
    table = sessions.select(
        pl.col("session_open").cast(TIME),
        pl.col("session_close").cast(TIME),
        previous_close=pl.col("session_close").cast(TIME).shift(1),
    )
    wrong = table.with_row_index().filter(
        (pl.col("session_close") <= pl.col("session_open")) | (pl.col("session_open") < pl.col("previous_close"))
    )
    if wrong.height:
        row = wrong.row(0, named=True)
        raise FeatureError(
            f"Session {row['index']} ({row['session_open']} to {row['session_close']}) does not follow the one before",
            remedy="Give sessions in order, each from its open to its close",
        )
    # The first session to close after `ts` is the one that the bar lies in or waits for.
    ends = table.with_columns(ts=pl.col("session_close") - pl.duration(microseconds=1))
    return bars.with_columns(pl.col("ts").cast(TIME)).join_asof(ends, on="ts", strategy="forward")
