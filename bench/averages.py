"""The workload's averages and cross for the compiled lane: they start at the first close and count from bar SLOW on."""

from collections.abc import Mapping
from math import nan
from typing import Any

from pydantic import Field

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Signal, Want
from truewind.features.base import Feature, derived, parameter, scalars
from truewind.numerics.fma import fma
from truewind.numerics.jit import kernel
from truewind.strategies.base import SignalStrategy

_LONG, _SHORT = Signal(Want.LONG), Signal(Want.SHORT)


@kernel(inline=True)
def average_step(close: float, length: int, since: int, seen: int, value: float) -> tuple[float, int, float]:
    weight = 2.0 / (length + 1.0)
    if seen >= since:
        value = fma(1.0 - weight, value, weight * close)
        return value, seen, value
    value = fma(1.0 - weight, value, weight * close) if seen else close
    seen += 1
    return (value if seen >= since else nan), seen, value


class Average(Feature):
    """y ← a·x + (1 − a)·y from the first value on; given out from row `since` on."""

    length: int = parameter(10, 1, 10_000)
    since: int = parameter(30, 1, 10_000)
    state = scalars(seen=0, value=0.0)
    step = staticmethod(average_step)
    warmup = derived(lambda self: self.since - 1)


class Cross(SignalStrategy):
    """Always in the market: long while the fast average is not below the slow one, else short."""

    class Params(Settings):
        fast: int = Field(default=10, ge=1)
        slow: int = Field(default=30, ge=1)

    def features(self) -> Mapping[str, str]:
        fast, slow = self.params.fast, self.params.slow
        return {"fast": f"averages:Average({fast}, 1)", "slow": f"averages:Average({slow}, {slow})"}

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        if row.slow != row.slow:
            return HOLD
        return _LONG if row.fast >= row.slow else _SHORT


class Bracketed(Cross):
    """The same, each entry with a stop 2 % and a target 3 % away, which stay where they are."""

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        if row.slow != row.slow:
            return HOLD
        if position.side == (1 if row.fast >= row.slow else -1):  # a signal with a nearer stop would move it
            return _LONG if position.side > 0 else _SHORT
        if row.fast >= row.slow:
            return Signal(Want.LONG, stop=row.close * 0.98, target_1=row.close * 1.03)
        return Signal(Want.SHORT, stop=row.close * 1.02, target_1=row.close * 0.97)
