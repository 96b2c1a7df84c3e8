"""Time: where a bar stands in the day, the week and the year, and whose working hours it falls in.

`ts` is when the bar opened, in microseconds since 1970 UTC, and the features say what holds then. Nothing here looks at
prices; a row whose time is missing, or more than 3,168 years from 1970, gives NaN.
"""

from math import cos, nan, pi, sin

from truewind.features.base import Feature, register, scalars
from truewind.numerics.civil import (
    DAY,
    FARTHEST,
    HOUR,
    MINUTE,
    NO_SESSION,
    civil,
    first_of_year,
    london_offset,
    march_day,
    new_york_offset,
    weekday_of,
)
from truewind.numerics.jit import kernel


class Clock(Feature):
    """What the time alone says."""

    family = "time"
    inputs = ("ts",)
    finite = True


@kernel(inline=True)
def hour(ts: float) -> float:
    """Hour of the day, UTC."""
    if not abs(ts) < FARTHEST:
        return nan
    return float(int(ts) % DAY // HOUR)


@register
class Hour(Clock):
    """Hour of the day in UTC, 0 to 23."""

    name, units = "hour", "0 to 23"
    step = staticmethod(hour)


@kernel(inline=True)
def weekday(ts: float) -> float:
    """Day of the week, UTC."""
    if not abs(ts) < FARTHEST:
        return nan
    return float(weekday_of(int(ts) // DAY))


@register
class Weekday(Clock):
    """Day of the week in UTC, Monday 0 to Sunday 6 (ISO 8601 less 1)."""

    name, units = "weekday", "0 to 6"
    step = staticmethod(weekday)


@kernel(inline=True)
def weekend(ts: float) -> float:
    """1 on a Saturday or Sunday, UTC."""
    if not abs(ts) < FARTHEST:
        return nan
    return 1.0 if weekday_of(int(ts) // DAY) >= 5 else 0.0


@register
class Weekend(Clock):
    """1 on Saturdays and Sundays in UTC, else 0."""

    name, units = "weekend", "0 or 1"
    step = staticmethod(weekend)


@kernel(inline=True)
def almanac(ts: int, today: int, month: int, day: int) -> tuple[int, int, int]:
    """(day since 1970, month, day of the month) of a time, worked out once a day, `today` being the last one."""
    if ts // DAY != today:
        today = ts // DAY
        _, month, day = civil(today)
    return today, month, day


class Dated(Clock):
    """What the date alone says: `almanac` keeps it for the day."""

    state = scalars(today=NO_SESSION, month=0, day=0)


@kernel(inline=True)
def day_of_month(ts: float, today: int, month: int, day: int) -> tuple[float, int, int, int]:
    """Day of the month, UTC."""
    if not abs(ts) < FARTHEST:
        return nan, today, month, day
    today, month, day = almanac(int(ts), today, month, day)
    return float(day), today, month, day


@register
class Day(Dated):
    """Day of the month in UTC, 1 to 31."""

    name, units = "day", "1 to 31"
    step = staticmethod(day_of_month)


@kernel(inline=True)
def month_of_year(ts: float, today: int, month: int, day: int) -> tuple[float, int, int, int]:
    """Month of the year, UTC."""
    if not abs(ts) < FARTHEST:
        return nan, today, month, day
    today, month, day = almanac(int(ts), today, month, day)
    return float(month), today, month, day


@register
class Month(Dated):
    """Month of the year in UTC, 1 to 12."""

    name, units = "month", "1 to 12"
    step = staticmethod(month_of_year)


@kernel(inline=True)
def quarter_of_year(ts: float, today: int, month: int, day: int) -> tuple[float, int, int, int]:
    """Quarter of the year, UTC."""
    if not abs(ts) < FARTHEST:
        return nan, today, month, day
    today, month, day = almanac(int(ts), today, month, day)
    return float((month + 2) // 3), today, month, day


@register
class Quarter(Dated):
    """Quarter of the year in UTC, 1 to 4."""

    name, units = "quarter", "1 to 4"
    step = staticmethod(quarter_of_year)


@kernel(inline=True)
def time_of_day(ts: float) -> tuple[float, float]:
    """Sine and cosine of the way through the day."""
    if not abs(ts) < FARTHEST:
        return nan, nan
    angle = 2.0 * pi * (int(ts) % DAY) / DAY
    return sin(angle), cos(angle)


@register
class TimeOfDay(Clock):
    """Way through the UTC day as sine and cosine, so that 23:59 and 00:00 are neighbours.

    sin and cos of 2π · (time since midnight) / 24 h.
    """

    name, units = "time_of_day", "-1 to 1"
    outputs = ("sin", "cos")
    step = staticmethod(time_of_day)


@kernel(inline=True)
def time_of_week(ts: float) -> tuple[float, float]:
    """Sine and cosine of the way through the week."""
    if not abs(ts) < FARTHEST:
        return nan, nan
    angle = 2.0 * pi * ((int(ts) + 3 * DAY) % (7 * DAY)) / (7 * DAY)  # 1970-01-01 was the fourth day of its week
    return sin(angle), cos(angle)


@register
class TimeOfWeek(Clock):
    """Way through the week as sine and cosine, from Monday 00:00 UTC on.

    sin and cos of 2π · (time since Monday 00:00) / 7 days.
    """

    name, units = "time_of_week", "-1 to 1"
    outputs = ("sin", "cos")
    step = staticmethod(time_of_week)


@kernel(inline=True)
def time_of_month(ts: float, first: int, length: int) -> tuple[float, float, int, int]:
    """Sine and cosine of the way through the month, which began on day `first` and has `length` days."""
    if not abs(ts) < FARTHEST:
        return nan, nan, first, length
    today = int(ts) // DAY
    if not first <= today < first + length:
        _, _, passed = civil(today)
        first = today - passed + 1
        _, _, beyond = civil(first + 31)  # the 1st of the next month or a few days later, as this one is long or short
        length = 32 - beyond
    angle = 2.0 * pi * (int(ts) - first * DAY) / (length * DAY)
    return sin(angle), cos(angle), first, length


@register
class TimeOfMonth(Clock):
    """Way through the month as sine and cosine, from the first, 00:00 UTC, on.

    sin and cos of 2π · (time since the first, 00:00) / (length of this month).
    """

    name, units = "time_of_month", "-1 to 1"
    outputs = ("sin", "cos")
    state = scalars(first=0, length=0)
    step = staticmethod(time_of_month)


@kernel(inline=True)
def time_of_year(ts: float, first: int, length: int) -> tuple[float, float, int, int]:
    """Sine and cosine of the way through the year, which began on day `first` and has `length` days."""
    if not abs(ts) < FARTHEST:
        return nan, nan, first, length
    today = int(ts) // DAY
    if not first <= today < first + length:
        year, _, _ = civil(today)
        first = first_of_year(year)
        length = first_of_year(year + 1) - first
    angle = 2.0 * pi * (int(ts) - first * DAY) / (length * DAY)
    return sin(angle), cos(angle), first, length


@register
class TimeOfYear(Clock):
    """Way through the year as sine and cosine, from the first of January, 00:00 UTC, on.

    sin and cos of 2π · (time since January 1st, 00:00) / (length of this year, 365 or 366 days).
    """

    name, units = "time_of_year", "-1 to 1"
    outputs = ("sin", "cos")
    state = scalars(first=0, length=0)
    step = staticmethod(time_of_year)


@kernel
def at_work(local: int, opens: int, closes: int) -> float:
    """1 if a local time, in µs, is on a weekday from hour `opens` to before hour `closes`."""
    today = local // DAY
    clock = local - today * DAY
    return 1.0 if weekday_of(today) < 5 and opens * HOUR <= clock < closes * HOUR else 0.0


@kernel(inline=True)
def sessions(
    ts: float, last: int, asia: float, europe: float, us: float
) -> tuple[float, float, float, float, float, int, float, float, float]:
    """Whether Tokyo, London, New York, and two of them at once are at work; worked out once an hour, `last` being the
    last one, for all of them begin, end and change their clocks with a full hour of UTC."""
    if not abs(ts) < FARTHEST:
        return nan, nan, nan, nan, nan, last, asia, europe, us
    if int(ts) // HOUR != last:
        last = int(ts) // HOUR
        now = last * HOUR
        year, since_march = march_day(now // DAY)
        march = now // DAY - since_march
        asia = at_work(now + 9 * HOUR, 9, 18)
        europe = at_work(now + london_offset(now, march), 8, 17)
        us = at_work(now + new_york_offset(now, year, march), 8, 17)
    return asia, europe, us, asia * europe, europe * us, last, asia, europe, us


@register
class Sessions(Clock):
    """Asian, European and US sessions: 1 while each is open, and while two overlap, else 0.

    The hours of foreign exchange, Monday to Friday by local clocks: asia 09:00–18:00 in Tokyo, europe 08:00–17:00 in
    London, us 08:00–17:00 in New York; asia_europe and europe_us are their overlaps. Local, since people, exchanges and
    economic releases follow their clocks: when these change, so do the market's hours in UTC. Summer time by rule
    (London as the European Union since 1996; New York since 2007, and as 1987–2006 before); holidays are not known.
    """

    name, units = "sessions", "0 or 1"
    outputs = ("asia", "europe", "us", "asia_europe", "europe_us")
    state = scalars(last=NO_SESSION, asia=0.0, europe=0.0, us=0.0)
    step = staticmethod(sessions)


@kernel(inline=True)
def day_clock(ts: float) -> tuple[float, float]:
    """Minutes since and to midnight."""
    if not abs(ts) < FARTHEST:
        return nan, nan
    passed = int(ts) % DAY
    return passed / MINUTE, (DAY - passed) / MINUTE


@register
class DayClock(Clock):
    """Time since the open and to the close of a market that never closes: its day is that of UTC.

    Minutes since 00:00 and minutes to the next 00:00, from the bar's opening. One day's close is the next one's open.
    """

    name, units = "day_clock", "minutes"
    outputs = ("since_open", "to_close")
    step = staticmethod(day_clock)


@kernel(inline=True)
def session_clock(
    ts: float, session_open: float, session_close: float, previous_close: float
) -> tuple[float, float, float, float]:
    """Whether the exchange is open, and minutes since its open, to its close and since the close before."""
    is_open = 1.0 if session_open <= ts < session_close else 0.0
    return is_open, (ts - session_open) / MINUTE, (session_close - ts) / MINUTE, (ts - previous_close) / MINUTE


@register
class SessionClock(Feature):
    """Time since the open and to the close of an exchange that has hours and holidays.

    The columns `session_open`, `session_close` (of the session that the bar lies in, else of the next one) and
    `previous_close`, in µs, are joined by `truewind.features.with_sessions`. open: 1 from the open to before
    the close. since_open: minutes since the open; before it negative, and so the time to the open. to_close: minutes to
    the close. since_close: minutes since the close of the session before. From the bar's opening, all of them.
    """

    name, family, units = "session_clock", "time", "minutes"
    inputs = ("ts", "session_open", "session_close", "previous_close")
    outputs = ("open", "since_open", "to_close", "since_close")
    step = staticmethod(session_clock)
