"""Mean reversion: buy a price that has fallen far below its mean in a market that rises, and sell it at the mean.

Idea: who must trade at once pays for it, and the price comes back when he is done; in a trend, a move against it is
more often such a moment than news. Bands at two standard deviations of 20 bars say what is far: Bollinger, "Bollinger
on Bollinger Bands" (McGraw-Hill, 2001). To buy weakness only above a long average, and to leave at a short one, is
Connors and Alvarez, "Short Term Trading Strategies That Work" (TradingMarkets, 2009). That short-run reversal is real,
and what it earns is the price of liquidity: Lehmann, "Fads, Martingales, and Market Efficiency", Quarterly Journal of
Economics 105 (1990).

Fails when the fall is news: the price does not come back, and stops take many small gains at once. Its targets are
near, so that costs, which each trade pays in full, decide; the shorter the bars, the surer it loses.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from pydantic import Field

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy


class Why(IntEnum):
    """What the `reason` of a signal says."""

    FELL_FAR = 1
    ROSE_FAR = 2
    TREND_TURNED = 3


class MeanReversion(SignalStrategy):
    """Against a move beyond the band, with the trend; out at the mean, the stop, some bars later, or with the trend."""

    fields = ("ts", "close")

    class Params(Settings):
        length: int = Field(default=20, ge=2, le=1000, description="mean and standard deviation, bars")
        deviations: float = Field(default=2.0, ge=0.1, le=10.0, description="how far is far, standard deviations")
        trend: int = Field(default=200, ge=2, le=5000, description="average that tells the trend, bars")
        atr: int = Field(default=14, ge=2, le=500, description="average true range, bars")
        stop: float = Field(default=2.0, gt=0.0, le=20.0, description="distance of the stop, ATRs")
        patience: int = Field(default=20, ge=1, le=5000, description="leave after so many bars")
        short: bool = Field(default=False, description="whether to sell short in a market that falls")

    def features(self) -> Mapping[str, str]:
        params = self.params
        return {
            "bands": f"bollinger({params.length}, {params.deviations})",
            "trend": f"sma({params.trend})",
            "range": f"atr({params.atr})",
        }

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        mean, price = row.bands_middle, row.close
        if not (mean == mean and row.trend == row.trend and row.range > 0.0):  # warming up, or a dead market
            return HOLD
        if position.side != Want.FLAT:
            turned = (price - row.trend) * position.side < 0.0
            return Signal(Want.FLAT, reason=Why.TREND_TURNED) if turned else HOLD
        horizon = params.patience * (row.ts_event - row.ts)
        if price < row.bands_lower and price > row.trend:
            stop = price - params.stop * row.range
            if stop > 0.0:
                return Signal(Want.LONG, stop=stop, target_1=mean, horizon_us=horizon, reason=Why.FELL_FAR)
        if params.short and price > row.bands_upper and price < row.trend:
            stop = price + params.stop * row.range
            return Signal(Want.SHORT, stop=stop, target_1=mean, horizon_us=horizon, reason=Why.ROSE_FAR)
        return HOLD
