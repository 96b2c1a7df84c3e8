"""Clock and calendar: against Python's own calendar and the time-zone database."""

import datetime as dt
import math
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from truewind.errors import ConfigError, FeatureError
from truewind.features import columns, compute
from truewind.features.exchange import exchange_sessions, with_sessions

UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: dt.datetime) -> int:
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


def moments(first: int, last: int, count: int = 20_000) -> list[dt.datetime]:
    """Times drawn from years `first` to `last`, with every midnight that begins a month among them."""
    low, high = micros(dt.datetime(first, 1, 1, tzinfo=UTC)), micros(dt.datetime(last + 1, 1, 1, tzinfo=UTC))
    drawn = np.random.default_rng(3).integers(low, high, count).tolist()
    months = [dt.datetime(year, month, 1, tzinfo=UTC) for year in range(first, last + 1) for month in range(1, 13)]
    edges = [micros(month) + step for month in months for step in (-1, 0)]
    return [EPOCH + dt.timedelta(microseconds=ts) for ts in (*drawn, *edges) if ts >= low]


def found(spec: str, when: list[dt.datetime]) -> dict[str, np.ndarray]:
    return columns([spec], {"ts": np.array([micros(moment) for moment in when], float)})


CALENDAR: dict[str, Callable[[dt.datetime], float]] = {
    "hour": lambda moment: moment.hour,
    "weekday": lambda moment: moment.weekday(),
    "weekend": lambda moment: moment.weekday() >= 5,
    "day": lambda moment: moment.day,
    "month": lambda moment: moment.month,
    "quarter": lambda moment: math.ceil(moment.month / 3),
}


@pytest.mark.parametrize("name", CALENDAR)
def test_the_calendar_is_that_of_python(name: str) -> None:
    """Two centuries with their leap years and the century years 1900 and 2100 that are none."""
    when = moments(1890, 2110)
    np.testing.assert_array_equal(found(name, when)[name], [CALENDAR[name](moment) for moment in when])


PERIODS: dict[str, Callable[[dt.datetime], tuple[dt.datetime, dt.datetime]]] = {
    "time_of_day": lambda now: (midnight(now), midnight(now) + dt.timedelta(days=1)),
    "time_of_week": lambda now: (
        midnight(now) - dt.timedelta(days=now.weekday()),
        midnight(now) - dt.timedelta(days=now.weekday() - 7),
    ),
    "time_of_month": lambda now: (
        midnight(now).replace(day=1),
        (midnight(now).replace(day=1) + dt.timedelta(days=31)).replace(day=1),
    ),
    "time_of_year": lambda now: (
        midnight(now).replace(month=1, day=1),
        midnight(now).replace(year=now.year + 1, month=1, day=1),
    ),
}


def midnight(moment: dt.datetime) -> dt.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.mark.parametrize("name", PERIODS)
def test_the_way_through_a_period_is_an_angle(name: str) -> None:
    """From the period's first moment to its last, as sine and cosine, months and years by their own length."""
    when = moments(1995, 2030, 3_000)
    angles = []
    for moment in when:
        start, end = PERIODS[name](moment)
        angles.append(2.0 * math.pi * ((moment - start) / (end - start)))
    table = found(name, when)
    np.testing.assert_allclose(table[f"{name}.sin"], np.sin(angles), atol=1e-12)
    np.testing.assert_allclose(table[f"{name}.cos"], np.cos(angles), atol=1e-12)


def test_sessions_follow_local_clocks() -> None:
    """Against the time-zone database, in every half hour of 27 years in which both rules for New York held."""
    start = dt.datetime(2000, 1, 1, tzinfo=UTC)
    when = [start + dt.timedelta(minutes=30 * step) for step in range(27 * 365 * 48)]
    offices = {"asia": ("Asia/Tokyo", 9, 18), "europe": ("Europe/London", 8, 17), "us": ("America/New_York", 8, 17)}
    table = found("sessions", when)
    wanted = {}
    for name, (zone, opens, closes) in offices.items():
        local = pl.Series(when).dt.convert_time_zone(zone)
        wanted[name] = ((local.dt.weekday() <= 5) & local.dt.hour().is_between(opens, closes - 1)).to_numpy()
        np.testing.assert_array_equal(table[f"sessions.{name}"], wanted[name])
    np.testing.assert_array_equal(table["sessions.asia_europe"], wanted["asia"] & wanted["europe"])
    np.testing.assert_array_equal(table["sessions.europe_us"], wanted["europe"] & wanted["us"])


def test_the_hour_at_which_clocks_change() -> None:
    """2024: New York at 07:00 UTC on March 10th and 06:00 on November 3rd; both Sundays, so Mondays tell: 08:00 in New
    York is 13:00 UTC before and 12:00 after, and 13:00 again in winter."""
    when = [dt.datetime(2024, *day, 12, 30, tzinfo=UTC) for day in ((3, 8), (3, 11), (11, 1), (11, 4))]
    np.testing.assert_array_equal(found("sessions", when)["sessions.us"], [0.0, 1.0, 1.0, 0.0])
    assert dt.datetime(2024, 3, 11, 12, 30, tzinfo=UTC).astimezone(ZoneInfo("America/New_York")).hour == 8


def test_the_day_of_a_market_that_never_closes() -> None:
    """09:15: 555 minutes since midnight, 885 to the next; at midnight the day is all ahead."""
    when = [dt.datetime(2024, 2, 29, 9, 15, tzinfo=UTC), dt.datetime(2024, 3, 1, tzinfo=UTC)]
    table = found("day_clock", when)
    np.testing.assert_array_equal(table["day_clock.since_open"], [555.0, 0.0])
    np.testing.assert_array_equal(table["day_clock.to_close"], [885.0, 1440.0])


def test_times_that_are_none_give_nothing() -> None:
    for name in (*CALENDAR, "sessions", "day_clock", *PERIODS):
        assert all(np.isnan(values).all() for values in columns([name], {"ts": [math.nan, 1e18, -9e99]}).values())


def new_york(month: int, day: int, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2024, month, day, hour, minute, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)


def thanksgiving() -> pl.DataFrame:
    """New York around Thanksgiving 2024: Wednesday whole, Thursday closed, Friday until 13:00."""
    return pl.DataFrame(
        {
            "session_open": [new_york(11, 27, 9, 30), new_york(11, 29, 9, 30), new_york(12, 2, 9, 30)],
            "session_close": [new_york(11, 27, 16), new_york(11, 29, 13), new_york(12, 2, 16)],
        }
    ).cast(pl.Datetime("us", "UTC"))


def test_bars_know_their_session_or_the_next_one() -> None:
    """Wednesday 15:00 is 330 minutes in and 60 from the end; at 16:00 it is over, and 2490 minutes remain to Friday's
    open; half an hour before Friday's short session ends it has run for 180; after the last close nothing is known."""
    times = [new_york(11, 27, 15), new_york(11, 27, 16), new_york(11, 29, 12, 30), new_york(12, 2, 18)]
    bars = with_sessions(pl.DataFrame({"ts": times}, schema={"ts": pl.Datetime("us", "UTC")}), thanksgiving())
    assert bars.columns == ["ts", "session_open", "session_close", "previous_close"]
    table = compute(bars, ["session_clock"])
    nan = math.nan
    wanted = {
        "open": [nan, 0.0, 1.0, nan],  # the first session has none before it
        "since_open": [nan, -2490.0, 180.0, nan],
        "to_close": [nan, 2490.0 + 210.0, 30.0, nan],
        "since_close": [nan, 0.0, 2670.0, nan],
    }
    for name, values in wanted.items():
        np.testing.assert_array_equal(table[f"session_clock.{name}"], values)


def test_an_exchanges_opening_and_average_price_begin_with_its_session() -> None:
    """Half hours around Thanksgiving: bars before the open and between sessions are left out, whatever they say; Friday
    trades 1 at 10, 3 at 14 and 4 at 20: 52 / 4 after two bars, 132 / 8 after three."""
    times = [new_york(11, 27, 15, 30), new_york(11, 28, 12), new_york(11, 29, 9)]
    times += [new_york(11, 29, 9, 30), new_york(11, 29, 10), new_york(11, 29, 10, 30)]
    price = pl.Series([7.0, 90.0, 95.0, 10.0, 14.0, 20.0])
    bars = pl.DataFrame({"ts": times}, schema={"ts": pl.Datetime("us", "UTC")}).with_columns(
        *(price.alias(name) for name in ("high", "low", "close")), volume=pl.Series([2.0, 9.0, 9.0, 1.0, 3.0, 4.0])
    )
    table = compute(with_sessions(bars, thanksgiving()), ["exchange_vwap", "exchange_opening_range(60)"])
    nan = math.nan
    np.testing.assert_array_equal(table["exchange_vwap"], [nan, nan, nan, 10.0, 13.0, 16.5])
    np.testing.assert_array_equal(table["exchange_opening_range_60.high"], [nan] * 5 + [14.0])
    np.testing.assert_array_equal(table["exchange_opening_range_60.breakout"], [nan] * 5 + [1.0])


def test_sessions_out_of_order_are_refused() -> None:
    bars = pl.DataFrame({"ts": [new_york(11, 27, 15)]}, schema={"ts": pl.Datetime("us", "UTC")})
    with pytest.raises(FeatureError, match=r"Session 1 .* does not follow the one before"):
        with_sessions(bars, thanksgiving().reverse())


def test_sessions_of_an_exchange_are_those_of_the_published_calendar() -> None:
    """Thanksgiving again, now from the package; it may not be installed, and then the error says what to do."""
    try:
        import exchange_calendars  # noqa: F401
    except ImportError:
        with pytest.raises(ConfigError, match=r"pip install 'truewind\[equities\]'"):
            exchange_sessions("XNYS", dt.date(2024, 11, 27), dt.date(2024, 12, 2))
        return
    assert exchange_sessions("XNYS", dt.date(2024, 11, 27), dt.date(2024, 12, 2)).equals(thanksgiving())
    with pytest.raises(ConfigError, match="Unknown exchange 'XNYZ'"):
        exchange_sessions("XNYZ", dt.date(2024, 1, 1), dt.date(2024, 2, 1))
    with pytest.raises(ConfigError, match="XNYS from 2999-01-01"):
        exchange_sessions("XNYS", dt.date(2999, 1, 1), dt.date(2999, 2, 1))
