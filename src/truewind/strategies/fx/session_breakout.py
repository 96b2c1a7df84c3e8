"""Session breakout: trade the first close outside of the range that a quiet session left, and be out by the day's end.

Idea: currencies hardly move while only Tokyo works, and most of a day's trading comes when London opens (Ito and
Hashimoto, Intraday seasonality in activities of the foreign exchange markets, Journal of the Japanese and International
Economies 20, 2006): what then leaves the range of the night has a reason. For what trades at an exchange the range is
the first hour after its open. The opening range breakout is Crabel's (Day Trading with Short Term Price Patterns and
Opening Range Breakout, 1990), tested on futures by Holmberg, Lönnbark and Lundström (Assessing the profitability of
intraday opening range breakout strategies, Finance Research Letters 10, 2013). All hours are on a city's clock, so that
summer time, which begins on other days in London than in New York, shifts nothing. No position is opened late in the
session or late on a Friday.

Fails on days on which the first break is false, which are most: the range is broken on nearly all days, and most of
them go nowhere. It pays the spread every day, in currencies for moves of a few tenths of a percent, and what was an
edge in the futures pits of the 1980s need not be one now.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from pydantic import Field, model_validator

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Signal, Want
from truewind.domain.timeframe import MINUTE_US
from truewind.strategies.base import SignalStrategy

_FRIDAY = 4.0


class Reason(IntEnum):
    """Which side of the range was broken, as in the `tag` of orders and trades."""

    ABOVE = 1
    BELOW = 2


class SessionBreakout(SignalStrategy):
    """One trade a day: with the first close outside of the range, the stop inside it, out when the session ends."""

    fields = ("ts", "ts_event", "close")

    class Params(Settings):
        """The range, the hours and the stop."""

        clock: int = Field(default=2, ge=0, le=3, description="whose clock: 0 UTC, 1 Tokyo, 2 London, 3 New York")
        start: int = Field(default=0, ge=0, le=1439, description="begin of the range, minutes after local midnight")
        minutes: int = Field(default=480, ge=1, le=1439, description="length of the range, minutes")
        entries: int = Field(default=240, ge=1, le=1439, description="how long after it is traded, minutes")
        friday: int = Field(default=240, ge=0, le=1439, description="how long on Fridays, minutes; 0: not at all")
        out: int = Field(default=540, ge=2, le=1440, description="when the trade is closed, minutes after the range")
        stop: float = Field(default=1.0, gt=0.0, le=2.0, description="stop's distance from the edge, in ranges")
        least: float = Field(default=0.001, ge=0.0, le=0.2, description="smallest range traded, fraction of price")
        short: bool = Field(default=True, description="trade breaks to below, too")

        @model_validator(mode="after")
        def _day_is_long_enough(self) -> "SessionBreakout.Params":
            if self.out <= max(self.entries, self.friday):
                raise ValueError(f"out ({self.out}) must be later than entries ({self.entries}) and friday")
            return self

    def features(self) -> Mapping[str, str]:
        read = self.params
        return {"range": f"session_range({read.clock}, {read.start}, {read.minutes})", "weekday": "weekday"}

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        if position.side != 0 or abs(row.range_breakout) != 1.0:
            return HOLD
        height = row.range_high - row.range_low
        if not (height > 0.0 and height >= params.least * row.close):
            return HOLD
        now = row.range_since + (row.ts_event - row.ts) / MINUTE_US  # when the bar is over
        latest = params.friday if row.weekday == _FRIDAY else params.entries
        if not (now <= latest and row.weekday >= 0.0):
            return HOLD
        left = params.out - now
        if row.range_breakout > 0.0:
            stop = row.range_high - params.stop * height
            if stop <= 0.0 or stop >= row.close:
                return HOLD
            return Signal(Want.LONG, stop=stop, horizon_us=int(left * MINUTE_US), reason=Reason.ABOVE)
        if not params.short:
            return HOLD
        stop = row.range_low + params.stop * height
        return Signal(Want.SHORT, stop=stop, horizon_us=int(left * MINUTE_US), reason=Reason.BELOW)
