"""The civil calendar: what a time in whole microseconds since 1970 (UTC) is on the clock and in the almanac.

Whole numbers only, so that no rounding moves a bar into another day. Times farther than `FARTHEST` from 1970 are no
times: callers turn them away before they make a whole number of one.
"""

from truewind.numerics.jit import kernel

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FARTHEST = 1e17  # 3,168 years
THURSDAY = 3  # 1970-01-01, Monday being 0
NO_SESSION = -1_000_000_000  # a day before all days


@kernel(inline=True)
def weekday_of(day: int) -> int:
    """Monday 0 … Sunday 6, of a day counted from 1970-01-01."""
    return (day + THURSDAY) % 7


@kernel
def march_day(day: int) -> tuple[int, int]:
    """(year, days since the 1st of March) of a day counted from 1970-01-01; January and February end the year before.

    With years that begin in March the leap day is the last, and lengths follow from the 4-, 100- and 400-year cycles
    (Richards, Explanatory Supplement to the Astronomical Almanac, 2013, chapter 15).
    """
    day += 719_468  # days from 0000-03-01 to 1970-01-01
    era = day // 146_097  # days of 400 years
    day -= era * 146_097
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    return 400 * era + year, day - (365 * year + year // 4 - year // 100)


@kernel(inline=True)
def civil(day: int) -> tuple[int, int, int]:
    """(year, month, day of the month) of a day counted from 1970-01-01, in the Gregorian calendar."""
    year, since_march = march_day(day)
    month = (5 * since_march + 2) // 153  # March 0; five months have 153 days
    day_of_month = since_march - (153 * month + 2) // 5 + 1
    if month < 10:
        return year, month + 3, day_of_month
    return year + 1, month - 9, day_of_month


@kernel(inline=True)
def first_of_year(year: int) -> int:
    """The 1st of January, counted from 1970-01-01."""
    year -= 1
    return 365 * year + year // 4 - year // 100 + year // 400 - 719_162


@kernel
def _sunday_from(day: int) -> int:
    """The first Sunday on or after a day counted from 1970-01-01."""
    return day + (3 - day) % 7


@kernel
def london_offset(ts: int, march: int) -> int:
    """What London's clock is ahead of UTC, in µs: an hour from the last Sunday of March, 01:00 UTC, to that of October.

    The rule of the European Union since 1996, applied to all years. `march` is the last 1st of March up to `ts`,
    counted from 1970-01-01.
    """
    starts = _sunday_from(march + 24) * DAY + HOUR  # from the 25th of March on
    ends = _sunday_from(march + 238) * DAY + HOUR  # from the 25th of October on
    return HOUR if starts <= ts < ends else 0


@kernel
def new_york_offset(ts: int, year: int, march: int) -> int:
    """What New York's clock is ahead of UTC, in µs: −5 hours, −4 from the second Sunday of March to the first of
    November, changing at 02:00 on the clock.

    Before 2007 from the first Sunday of April to the last of October, the rule since 1987, applied to all years before.
    `march` is the last 1st of March up to `ts`, counted from 1970-01-01, and `year` its year.
    """
    starts = _sunday_from(march + (7 if year >= 2007 else 31))
    ends = _sunday_from(march + (245 if year >= 2007 else 238))
    return -4 * HOUR if starts * DAY + 7 * HOUR <= ts < ends * DAY + 6 * HOUR else -5 * HOUR


@kernel(inline=True)
def next_session(ts: int, start: int, session: int, whole: int) -> tuple[int, int, int]:
    """One step of the days that begin `start` minutes after midnight UTC: (1 in a day's first row, session, whole).

    session: the day's number, NO_SESSION before the first row. whole: 1 if the day has been seen from its beginning,
    because its first row opens with it or rows of an earlier day came before.
    """
    ts -= start * MINUTE
    day = ts // DAY
    if day == session:
        return 0, session, whole
    if session == NO_SESSION and ts != day * DAY:
        return 1, day, 0
    return 1, day, 1


@kernel(inline=True)
def next_opening(ts: float, opens: float, session: float, whole: int) -> tuple[int, float, int]:
    """One step of the sessions of an exchange, told by when each opens: (1 in its first row, session, whole).

    opens: the opening of the session that `ts` lies in or waits for. session: that of the last session that has begun,
    NaN before the first row. whole as in `next_session`.
    """
    if ts < opens:  # not yet; but from here on the next session is seen from its beginning
        return 0, session if session == session else 0.0, whole
    if opens == session:
        return 0, session, whole
    return 1, opens, 1 if session == session or ts == opens else 0
