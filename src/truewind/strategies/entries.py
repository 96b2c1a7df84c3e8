"""Entries: parts that say when to be long, when short, and when nothing of the kind.

Each has a function `side` of numbers that answers 1, −1 or 0. What compares with a missing value (NaN) is 0.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from truewind.strategies.part import Choice, Part, Reading


class Crossover(Part):
    """On the bar in which `fast` crosses `slow`: long upwards, short downwards."""

    fast: Reading = Field(default="ema(20)", description="what crosses, a reading")
    slow: Reading = Field(default="ema(50)", description="what is crossed, a reading")

    def reads(self) -> Mapping[str, str]:
        changes = {"fast_change": f"momentum(1, {self.fast})", "slow_change": f"momentum(1, {self.slow})"}
        return {"fast": self.fast, "slow": self.slow} | changes

    @staticmethod
    def side(fast: float, slow: float, fast_change: float, slow_change: float) -> int:
        # The change of two neighbours is exact (Sterbenz), so this is to the bit what the bar before had.
        fast_before, slow_before = fast - fast_change, slow - slow_change
        if fast > slow and fast_before <= slow_before:
            return 1
        return -1 if fast < slow and fast_before >= slow_before else 0


class Breakout(Part):
    """Long where the bar closes at the highest close of `length` bars, this one included, short at the lowest."""

    length: int = Field(default=55, ge=2, le=5000, description="length of the channel, bars")

    def reads(self) -> Mapping[str, str]:
        return {"top": f"highest({self.length}, close)", "bottom": f"lowest({self.length}, close)"}

    @staticmethod
    def side(close: float, top: float, bottom: float) -> int:
        if not top > bottom:  # nothing has moved: everything is a high
            return 0
        if close >= top:
            return 1
        return -1 if close <= bottom else 0


class Threshold(Part):
    """While a reading lies beyond one of two bounds: against it (reversal), or with it (momentum)."""

    of: Reading = Field(default="rsi(14)", description="what is compared, a reading")
    low: float | None = Field(default=30.0, description="lower bound, in the reading's units; null: none")
    high: float | None = Field(default=70.0, description="upper bound, in the reading's units; null: none")
    trade: Literal["reversal", "momentum"] = Field(
        default="reversal", description="reversal: long below low, short above high; momentum: the other way round"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be less than high ({self.high:g})")
        return self

    def reads(self) -> Mapping[str, str]:
        return {"of": self.of}

    @staticmethod
    def side(of: float, low: float, high: float, trade: int) -> int:
        beyond = 1 if of > high else (-1 if of < low else 0)
        return -beyond if trade == REVERSAL else beyond


class Pattern(Part):
    """Where a feature that knows a pattern says 1 (long) or −1 (short): a sweep, a divergence, a break of structure."""

    of: Reading = Field(default="sweep(3, 3, 1).event", description="a reading that is 1, −1 or 0")

    def reads(self) -> Mapping[str, str]:
        return {"of": self.of}

    @staticmethod
    def side(of: float) -> int:
        return 1 if of > 0.0 else (-1 if of < 0.0 else 0)


class PinBar(Part):
    """A candle of little but one long wick: long where the market was thrown back from below, short from above."""

    wick: float = Field(default=0.6, ge=0.34, lt=1.0, description="least length of the wick, fraction of the range")

    def reads(self) -> Mapping[str, str]:
        return {"lower": "candle.lower", "upper": "candle.upper"}

    @staticmethod
    def side(lower: float, upper: float, wick: float) -> int:
        if lower >= wick and lower > upper:
            return 1
        return -1 if upper >= wick and upper > lower else 0


class Engulfing(Part):
    """A body that covers the whole body of the bar before, which went the other way (Nison, 1991)."""

    body: float = Field(default=0.5, ge=0.0, lt=1.0, description="least length of the body, fraction of the range")

    def reads(self) -> Mapping[str, str]:
        return {
            "shape": "candle.body",
            "open_change": "momentum(1, open)",
            "close_change": "momentum(1, close)",
        }

    @staticmethod
    def side(open: float, close: float, shape: float, open_change: float, close_change: float, body: float) -> int:
        open_before, close_before = open - open_change, close - close_change
        if shape >= body and close_before < open_before and open <= close_before and close >= open_before:
            return 1
        covers = close_before > open_before and open >= close_before and close <= open_before
        return -1 if -shape >= body and covers else 0


class Probability(Part):
    """Where a model's probability of a rise is high enough: long; where it is low enough: short.

    The signal's confidence is that probability, or what it leaves to a fall: Kelly sizing goes by it.
    """

    of: Reading = Field(description="probability of a rise, 0 to 1, a reading: a feature of your own by import path")
    long_above: float = Field(default=0.8, ge=0.5, lt=1.0, description="least probability of a rise for a long")
    short_above: float | None = Field(
        default=0.8, ge=0.5, lt=1.0, description="least probability of a fall for a short; null: no shorts"
    )

    def reads(self) -> Mapping[str, str]:
        return {"of": self.of}

    @staticmethod
    def side(of: float, long_above: float, short_above: float) -> int:
        if 1.0 >= of > long_above:
            return 1
        return -1 if of >= 0.0 and 1.0 - of > short_above else 0

    @staticmethod
    def confidence(side: int, of: float) -> float:
        return of if side > 0 else 1.0 - of


REVERSAL = 0  # the place of "reversal" among the kinds of trade


class Entry(Choice):
    """One entry."""

    noun: ClassVar[str] = "entry"
    crossover: Crossover | None = None
    breakout: Breakout | None = None
    threshold: Threshold | None = None
    pattern: Pattern | None = None
    pin_bar: PinBar | None = None
    engulfing: Engulfing | None = None
    probability: Probability | None = None
