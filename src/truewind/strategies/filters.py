"""Filters: parts that say whether an entry may be followed now. Exits never ask them.

Each has a function `passes` of numbers. Where a value is missing (NaN), nothing is entered.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.numerics.civil import THURSDAY
from truewind.strategies.part import Choice, Part, Reading


class Session(Part):
    """Between two hours of the day in UTC, by the moment of the decision, which is the bar's close."""

    model_config = ConfigDict(serialize_by_alias=True)  # `from` is a word of Python's

    from_: float = Field(default=7.0, alias="from", ge=0.0, lt=24.0, description="first hour, included")
    to: float = Field(default=20.0, gt=0.0, le=24.0, description="last hour, excluded; before `from`: the next day's")
    weekends: bool = Field(default=True, description="whether Saturdays and Sundays (UTC) count")

    @staticmethod
    def passes(now: int, from_: float, to: float, weekends: bool) -> bool:
        if not weekends and (now // DAY_US + THURSDAY) % 7 >= 5:
            return False
        hour = now % DAY_US / HOUR_US
        return from_ <= hour < to if from_ < to else (hour >= from_ or hour < to)


class Market(Part):
    """While a market of foreign exchange is at work, by its own clock, summer time included (feature `sessions`)."""

    of: Literal["asia", "europe", "us", "asia_europe", "europe_us"] = Field(
        description="which market, or overlap of two"
    )

    def reads(self) -> Mapping[str, str]:
        return {"open": f"sessions.{self.of}"}

    @staticmethod
    def passes(open: float) -> bool:
        return open == 1.0


class Volatility(Part):
    """In a regime of volatility: where realised volatility ranks among its own past (feature `volatility_regime`)."""

    length: int = Field(default=20, ge=2, le=10_000, description="of realised volatility, bars")
    history: int = Field(default=250, ge=10, le=100_000, description="its past that it is ranked among, bars")
    low: float = Field(default=0.25, ge=0.0, le=1.0, description="below this rank volatility is low")
    high: float = Field(default=0.75, ge=0.0, le=1.0, description="above this rank volatility is high")
    calm: bool = Field(default=False, description="whether low volatility passes")
    normal: bool = Field(default=True, description="whether volatility in between passes")
    wild: bool = Field(default=False, description="whether high volatility passes")

    @model_validator(mode="after")
    def _something_passes(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be less than high ({self.high:g})")
        if not (self.calm or self.normal or self.wild):
            raise ValueError("let at least one of calm, normal and wild pass")
        return self

    def reads(self) -> Mapping[str, str]:
        return {"regime": f"volatility_regime({self.length}, {self.history}, {self.low:g}, {self.high:g})"}

    @staticmethod
    def passes(regime: float, calm: bool, normal: bool, wild: bool) -> bool:
        return (regime == -1.0 and calm) or (regime == 0.0 and normal) or (regime == 1.0 and wild)


class Spread(Part):
    """While the spread is small. Bars have no quotes: Corwin and Schultz estimate it from their highs and lows."""

    of: Reading = Field(default="corwin_schultz(21)", description="spread as a fraction of the price, a reading")
    below: float = Field(default=10.0, gt=0.0, le=10_000.0, description="largest spread, basis points")

    def reads(self) -> Mapping[str, str]:
        return {"of": self.of}

    @staticmethod
    def passes(of: float, below: float) -> bool:
        return of * 1e4 <= below


class Funding(Part):
    """While holding the side costs little funding: longs pay a positive rate, shorts a negative one."""

    of: Reading = Field(default="funding.rate", description="last settled funding rate, fraction a period, a reading")
    most: float = Field(default=0.0005, ge=-0.05, le=0.05, description="most that the side may pay, fraction a period")

    def reads(self) -> Mapping[str, str]:
        return {"of": self.of}

    @staticmethod
    def passes(side: int, of: float, most: float) -> bool:
        return side * of <= most


class Within(Part):
    """While any reading lies between two bounds."""

    of: Reading = Field(description="what is compared, a reading")
    low: float | None = Field(default=None, description="lower bound, included; null: none")
    high: float | None = Field(default=None, description="upper bound, included; null: none")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low ({self.low:g}) must not be more than high ({self.high:g})")
        return self

    def reads(self) -> Mapping[str, str]:
        return {"of": self.of}

    @staticmethod
    def passes(of: float, low: float, high: float) -> bool:
        # `low` and `high` are NaN where there is none.
        return of == of and not of < low and not of > high


class Filter(Choice):
    """One filter."""

    noun: ClassVar[str] = "filter"
    session: Session | None = None
    market: Market | None = None
    volatility: Volatility | None = None
    spread: Spread | None = None
    funding: Funding | None = None
    within: Within | None = None
