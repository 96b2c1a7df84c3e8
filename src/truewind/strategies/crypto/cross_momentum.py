"""Cross-sectional momentum: hold what has risen most of all that trade, and sell short what has risen least.

Idea: winners go on winning for a while, among shares over months (Jegadeesh and Titman, "Returns to Buying Winners and
Selling Losers", Journal of Finance 48, 1993) and among coins over weeks: Liu, Tsyvinski and Wu, "Common Risk Factors in
Cryptocurrency", Journal of Finance 77, 2022, find it for returns of one to four weeks, and build their factor on
three. So that no one is ranked by hindsight, the symbols are those of a point-in-time universe (`data.universe`).

Fails at turns: in a rebound the losers that it is short of rise most (Daniel and Moskowitz, "Momentum Crashes", 2016),
and a coin can do so by several hundred percent in a week. Much of what the papers find is in the smallest coins, where
costs and funding take it; and who is short of what everybody is short of pays the funding.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from truewind.strategies.weights import WeightStrategy, inverse, is_member

_STILL = 1e-12  # a deviation that is a rounding error, and has no inverse to weigh by


class CrossMomentum(WeightStrategy):
    """Long the best share of the universe by past return, short the worst, or long only."""

    class Params(WeightStrategy.Params):
        lookback: int = Field(default=21, ge=2, le=1000, description="bars of the past return")
        skip: int = Field(default=0, ge=0, le=250, description="latest bars that the past return leaves out")
        share: float = Field(default=0.2, gt=0.0, le=0.5, description="of the ranked, how many are held on each side")
        short: bool = Field(default=True, description="sell the worst short; else long only, with all of gross")
        weighting: Literal["equal", "inverse_volatility"] = Field(
            default="equal", description="how weights are spread within a side"
        )
        volatility: int = Field(default=21, ge=2, le=1000, description="bars of the volatility that weights go by")

        @model_validator(mode="after")
        def _something_is_left(self) -> "CrossMomentum.Params":
            if self.skip >= self.lookback:
                raise ValueError(f"skip ({self.skip}) leaves nothing of lookback ({self.lookback})")
            return self

    def features(self) -> Mapping[str, str]:
        params = self.params
        found = {"past": f"returns({params.lookback})", "deviation": f"realised({params.volatility})"}
        return found | ({"latest": f"returns({params.skip})"} if params.skip else {})

    def weights(self, section: Mapping[str, Any]) -> Mapping[str, float] | None:
        params = self.params
        moving = {symbol: bar for symbol, bar in section.items() if is_member(bar) and bar.deviation > _STILL}
        scores = {symbol: self._score(bar) for symbol, bar in moving.items()}
        ranked = sorted((score, symbol) for symbol, score in scores.items() if score == score)
        count = int(len(ranked) * params.share)
        if count == 0:  # too few to rank: still warming up, or an empty market
            return None
        sides = {1.0: ranked[-count:], -1.0: ranked[:count]} if params.short else {1.0: ranked[-count:]}
        found: dict[str, float] = {}
        for sign, chosen in sides.items():
            is_equal = params.weighting == "equal"
            shares = inverse({symbol: 1.0 if is_equal else section[symbol].deviation for _, symbol in chosen})
            found |= {symbol: sign * share * params.gross / len(sides) for symbol, share in shares.items()}
        return found

    def _score(self, bar: Any) -> float:
        """Return from `lookback` bars ago to `skip` bars ago; NaN while either is warming up."""
        latest = bar.latest if self.params.skip else 0.0
        return float((1.0 + bar.past) / (1.0 + latest) - 1.0)
