"""The course of the day: its opening range, and what volume and volatility usually are at this time of day.

`ts` is when the bar opened, in microseconds since 1970 UTC. Days and their slots are those of UTC, but for
`session_range`, which follows a city's clock.
"""

from math import inf, log1p, nan

from truewind.features.base import Feature, derived, parameter, register, scalars
from truewind.numerics.civil import (
    DAY,
    FARTHEST,
    HOUR,
    MINUTE,
    NO_SESSION,
    london_offset,
    march_day,
    new_york_offset,
    next_opening,
    next_session,
)
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory
from truewind.numerics.slots import season_at, slot_memory


@kernel(inline=True)
def range_so_far(
    passed: float, minutes: int, high: float, low: float, close: float, top: float, bottom: float
) -> tuple[float, float, float, float, float, float]:
    """A bar that opened `passed` µs after its session: (the four outputs, top, bottom of the opening)."""
    if passed < minutes * MINUTE:
        top = high if high > top else top
        bottom = low if low < bottom else bottom
        return nan, nan, nan, nan, top, bottom
    if top == -inf:
        return nan, nan, nan, nan, top, bottom
    size = top - bottom
    position = (close - bottom) / size if size > LEAST else nan
    breakout = 1.0 if close > top else -1.0 if close < bottom else 0.0
    return top, bottom, position, breakout, top, bottom


@kernel(inline=True)
def opening_range(
    ts: float,
    high: float,
    low: float,
    close: float,
    minutes: int,
    start: int,
    session: int,
    whole: int,
    top: float,
    bottom: float,
) -> tuple[float, float, float, float, int, int, float, float]:
    """Bounds of the day's first minutes, once they are over."""
    if not abs(ts) < FARTHEST:
        return nan, nan, nan, nan, session, whole, top, bottom
    begins, session, whole = next_session(int(ts), start, session, whole)
    if begins:
        top, bottom = -inf, inf
    if not whole:
        return nan, nan, nan, nan, session, whole, top, bottom
    passed = float(int(ts) - start * MINUTE - session * DAY)
    upper, lower, position, breakout, top, bottom = range_so_far(passed, minutes, high, low, close, top, bottom)
    return upper, lower, position, breakout, session, whole, top, bottom


@register
class OpeningRange(Feature):
    """Opening range: bounds of the session's first `minutes`, and where the close stands to them.

    high, low: of the bars that opened in the first `minutes` of a session, a day of 24 hours that begins `start`
    minutes after midnight UTC. position: (close − low) / (high − low), outside 0 to 1 beyond the range, NaN if it has
    no height. breakout: 1 with the close above, −1 below, 0 within (Crabel, Day Trading with Short Term Price Patterns
    and Opening Range Breakout, 1990). NaN in the opening itself, in a session without bars in it, and until a session
    has been seen from its beginning.
    """

    name, family, units = "opening_range", "time", "of the price, fraction, -1 to 1"
    inputs = ("ts", "high", "low", "close")
    outputs = ("high", "low", "position", "breakout")
    scale, shift = (1, 1, 0, 0), (1, 1, 0, 0)
    awaits = "the end of an opening"
    minutes: int = parameter(60, 1, 1440)
    start: int = parameter(0, 0, 1439)
    state = scalars(session=NO_SESSION, whole=0, top=-inf, bottom=inf)
    step = staticmethod(opening_range)
    warmup = derived(lambda self: 1)
    settles = None


@kernel(inline=True)
def session_range(
    ts: float, high: float, low: float, close: float, clock: int, start: int, minutes: int,
    hour: int, offset: int, session: int, whole: int, top: float, bottom: float, broken: int,
) -> tuple[float, float, float, float, int, int, int, int, float, float, int]:  # fmt: skip
    """Bounds of the bars in a part of the local day; the clock's `offset` to UTC is worked out once an hour."""
    if not abs(ts) < FARTHEST:
        return nan, nan, nan, nan, hour, offset, session, whole, top, bottom, broken
    if int(ts) // HOUR != hour:
        hour = int(ts) // HOUR
        now = hour * HOUR
        year, since_march = march_day(now // DAY)
        march = now // DAY - since_march
        offset = 9 * HOUR if clock == 1 else 0
        if clock == 2:
            offset = london_offset(now, march)
        elif clock == 3:
            offset = new_york_offset(now, year, march)
    local = int(ts) + offset
    begins, session, whole = next_session(local, start, session, whole)
    if begins:
        top, bottom, broken = -inf, inf, 0
    passed = local - start * MINUTE - session * DAY
    if passed < minutes * MINUTE:
        top = high if high > top else top
        bottom = low if low < bottom else bottom
    if not whole or passed < minutes * MINUTE or top == -inf:
        return nan, nan, nan, nan, hour, offset, session, whole, top, bottom, broken
    breakout = 0.0
    if not broken:
        breakout = 1.0 if close > top else -1.0 if close < bottom else 0.0
        broken = 1 if breakout != 0.0 else 0
    since = (passed - minutes * MINUTE) / MINUTE
    return top, bottom, since, breakout, hour, offset, session, whole, top, bottom, broken


@register
class SessionRange(Feature):
    """Range of a part of the day by a city's clock, and the first close outside of it: the Asian range before London.

    clock: 0 UTC, 1 Tokyo, 2 London, 3 New York, with summer time as in `sessions`. high, low: of the bars that opened
    in the `minutes` from `start` minutes after local midnight on; they stand until the next day's begin. since: minutes
    from the range's end to the bar's opening. breakout: 1 in the row whose close is the first above the range, −1 in
    that whose close is the first below it, else 0: one a day. NaN while the range forms, on a day without bars in it,
    and until a day has been seen from its beginning.
    """

    name, family, units = "session_range", "time", "of the price, minutes, -1 to 1"
    inputs = ("ts", "high", "low", "close")
    outputs = ("high", "low", "since", "breakout")
    scale, shift = (1, 1, 0, 0), (1, 1, 0, 0)
    awaits = "the end of a range"
    clock: int = parameter(2, 0, 3)
    start: int = parameter(0, 0, 1439)
    minutes: int = parameter(480, 1, 1440)
    state = scalars(hour=NO_SESSION, offset=0, session=NO_SESSION, whole=0, top=-inf, bottom=inf, broken=0)
    step = staticmethod(session_range)
    warmup = derived(lambda self: 1)
    settles = None


@kernel(inline=True)
def exchange_opening_range(
    ts: float,
    session_open: float,
    high: float,
    low: float,
    close: float,
    minutes: int,
    session: float,
    whole: int,
    top: float,
    bottom: float,
) -> tuple[float, float, float, float, float, int, float, float]:
    """Bounds of the first minutes of an exchange's session, once they are over."""
    begins, session, whole = next_opening(ts, session_open, session, whole)
    if begins:
        top, bottom = -inf, inf
    if ts < session_open or not whole:
        return nan, nan, nan, nan, session, whole, top, bottom
    passed = ts - session_open
    upper, lower, position, breakout, top, bottom = range_so_far(passed, minutes, high, low, close, top, bottom)
    return upper, lower, position, breakout, session, whole, top, bottom


@register
class ExchangeOpeningRange(Feature):
    """Opening range of an exchange's session: bounds of its first `minutes`, and where the close stands to them.

    As `opening_range`, for sessions with hours and holidays: they begin at `session_open`, which
    `truewind.features.with_sessions` joins to the bars. Bars outside of sessions have no value.
    """

    name, family, units = "exchange_opening_range", "time", "of the price, fraction, -1 to 1"
    inputs = ("ts", "session_open", "high", "low", "close")
    outputs = ("high", "low", "position", "breakout")
    scale, shift = (1, 1, 0, 0), (1, 1, 0, 0)
    awaits = "the end of an opening"
    minutes: int = parameter(30, 1, 1440)
    state = scalars(session=nan, whole=0, top=-inf, bottom=inf)
    step = staticmethod(exchange_opening_range)
    warmup = derived(lambda self: 1)


@kernel(inline=True)
def volume_seasonality(
    ts: float, volume: float, days: int, minutes: int, today: int, level: float, window: Memory
) -> tuple[float, int, float]:
    """Usual volume at this time of day over that of the whole day."""
    if not abs(ts) < FARTHEST:
        return nan, today, level
    return season_at(int(ts), volume, days, minutes, today, level, window)


@register
class VolumeSeasonality(Feature):
    """Volume that is usual at this time of day, over what is usual in all the day.

    Mean volume of the last `days` bars in the same slot of the day, the present one not among them, over the mean of
    all slots' means at the day's beginning: 2 where the market is twice as busy as on average. `minutes` is the length
    of the bars and so of the slots. NaN until the slot has `days` bars, and a day more for the first of them.
    """

    name, family, units = "volume_seasonality", "time", "ratio"
    inputs = ("ts", "volume")
    awaits = "as many bars at the same time of day"
    days: int = parameter(20, 1, 250)
    minutes: int = parameter(60, 1, 1440)
    state = scalars(today=NO_SESSION, level=nan)
    step = staticmethod(volume_seasonality)
    warmup = derived(lambda self: self.days)
    settles = None
    memory = derived(lambda self: slot_memory(self.days, self.minutes))


@kernel(inline=True)
def volatility_seasonality(
    ts: float, close: float, days: int, minutes: int, previous: float, today: int, level: float, window: Memory
) -> tuple[float, float, int, float]:
    """Usual size of a move at this time of day over that of the whole day; `previous` is the last close."""
    if not abs(ts) < FARTHEST:
        return nan, previous, today, level
    growth = (close - previous) / previous if previous > LEAST else nan
    if not growth > -1.0:
        return nan, close, today, level
    season, today, level = season_at(int(ts), abs(log1p(growth)), days, minutes, today, level, window)
    return season, close, today, level


@register
class VolatilitySeasonality(Feature):
    """Volatility that is usual at this time of day, over what is usual in all the day.

    Mean absolute logarithmic return of the last `days` bars in the same slot of the day, the present one not among
    them, over the mean of all slots' means at the day's beginning; returns divided by it are free of the daily pattern
    (Andersen and Bollerslev, Intraday Periodicity and Volatility Persistence in Financial Markets, 1997). `minutes` is
    the length of the bars and so of the slots. NaN until the slot has `days` bars, and a day more for the first of
    them. A row after a price that is not positive is left out.
    """

    name, family, units = "volatility_seasonality", "time", "ratio"
    inputs = ("ts", "close")
    scale = 0
    awaits = "as many bars at the same time of day"
    days: int = parameter(20, 1, 250)
    minutes: int = parameter(60, 1, 1440)
    state = scalars(previous=nan, today=NO_SESSION, level=nan)
    step = staticmethod(volatility_seasonality)
    warmup = derived(lambda self: self.days + 1)
    settles = None
    memory = derived(lambda self: slot_memory(self.days, self.minutes))
