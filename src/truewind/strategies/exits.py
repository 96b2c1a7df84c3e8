"""Exits: parts that say where a position ends.

    first(side, …)     a stop for a position that is entered at the close now
    moved(side, …)     a stop for the position that is held; the nearest to the market counts, and none gives way
    target(side, …)    a price at which to take profit, one for each of several

A stop is NaN where there is none. `side` is that of the position, 1 or −1.
"""

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from truewind.strategies.part import Choice, Part

_MOST_TARGETS = 4
_NAN = math.nan


class FixedStop(Part):
    """A stop at a fixed distance from the entry."""

    percent: float = Field(default=2.0, gt=0.0, lt=100.0, description="distance, percent of the price")

    @staticmethod
    def first(side: int, close: float, percent: float) -> float:
        return close * (1.0 - side * percent / 100.0)


class AtrStop(Part):
    """A stop at a multiple of the average true range from the entry, where it stays (Wilder, 1978; Faith, 2007)."""

    length: int = Field(default=14, ge=1, le=5000, description="of the average true range, bars")
    multiple: float = Field(default=2.0, gt=0.0, le=100.0, description="distance, average true ranges")

    def reads(self) -> Mapping[str, str]:
        return {"range": f"atr({self.length})"}

    @staticmethod
    def first(side: int, close: float, range: float, multiple: float) -> float:
        return close - side * multiple * range


class Trailing(FixedStop):
    """A stop that follows the best price since the entry at a distance in percent of it."""

    percent: float = Field(default=3.0, gt=0.0, lt=100.0, description="distance, percent of the best price")

    @staticmethod
    def moved(side: int, high: float, low: float, percent: float) -> float:
        return (high if side > 0 else low) * (1.0 - side * percent / 100.0)


class AtrTrailing(AtrStop):
    """A stop that follows the best price since the entry at a multiple of the average true range."""

    multiple: float = Field(default=3.0, gt=0.0, le=100.0, description="distance, average true ranges")

    @staticmethod
    def moved(side: int, high: float, low: float, range: float, multiple: float) -> float:
        return (high if side > 0 else low) - side * multiple * range


class Chandelier(Part):
    """A stop hung from the highest high of the last bars, for shorts from the lowest low.

    Charles Le Beau's exit, told by Elder, Come Into My Trading Room, 2002: 22 bars, 3 average true ranges. Where the
    market is already beyond it nothing is entered.
    """

    length: int = Field(default=22, ge=1, le=5000, description="of the extreme and the average true range, bars")
    multiple: float = Field(default=3.0, gt=0.0, le=100.0, description="distance, average true ranges")

    def reads(self) -> Mapping[str, str]:
        length = self.length
        return {"top": f"highest({length})", "bottom": f"lowest({length})", "range": f"atr({length})"}

    @staticmethod
    def moved(side: int, top: float, bottom: float, range: float, multiple: float) -> float:
        return (top if side > 0 else bottom) - side * multiple * range

    first: ClassVar = moved


class BreakEven(Part):
    """Once the close has come `after` R in favour, the stop goes to the entry. R: from the entry to its first stop."""

    after: float = Field(default=1.0, gt=0.0, le=100.0, description="gain that moves it, R")
    offset: float = Field(default=0.0, ge=0.0, lt=100.0, description="how far beyond the entry it goes, for costs, R")

    @model_validator(mode="after")
    def _behind(self) -> Self:
        if self.offset >= self.after:
            raise ValueError(f"offset ({self.offset:g}) must be less than after ({self.after:g})")
        return self

    @staticmethod
    def moved(side: int, close: float, entry: float, risk: float, after: float, offset: float) -> float:
        return entry + side * offset * risk if (close - entry) * side >= after * risk else _NAN


class Ladder(Part):
    """Profit taken at up to four distances, an even part of the position at each, and at the last what is left."""

    at: tuple[float, ...] = Field(default=(1.0, 2.0, 3.0), description="distances from the entry, in `unit`")
    unit: Literal["R", "percent"] = Field(default="R", description="R: distances to the stop; or percent of the price")

    @model_validator(mode="after")
    def _outwards(self) -> Self:
        if not 1 <= len(self.at) <= _MOST_TARGETS:
            raise ValueError(f"at: give one to {_MOST_TARGETS} targets")
        if self.at[0] <= 0.0 or any(later <= earlier for earlier, later in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("at: distances must be more than 0, each more than the one before")
        return self

    @staticmethod
    def target(side: int, close: float, stop: float, distance: float, unit: int) -> float:
        away = distance * abs(close - stop) if unit == IN_R else close * distance / 100.0
        price = close + side * away
        return price if price > 0.0 and (price - close) * side > 0.0 else _NAN  # a short cannot earn more than all


class TimeStop(Part):
    """Leave some bars after the signal, by the clock: bars × their length."""

    bars: int = Field(default=48, ge=1, le=1_000_000, description="how long to stay, bars")


class Opposite(Part):
    """Leave when the entry says the other side, and go there where filters and direction let it pass."""


IN_R = 0  # the place of "R" among the units


class Exit(Choice):
    """One exit."""

    noun: ClassVar[str] = "exit"
    fixed_stop: FixedStop | None = None
    atr_stop: AtrStop | None = None
    trailing: Trailing | None = None
    atr_trailing: AtrTrailing | None = None
    chandelier: Chandelier | None = None
    break_even: BreakEven | None = None
    ladder: Ladder | None = None
    time_stop: TimeStop | None = None
    opposite: Opposite | None = None
