"""ETH cluster bot: tell which of a few states the market is in, and hold what paid in that state before.

Idea: returns depend on the kind of market, and kinds can be found without naming them first: bars that are alike in
return, volatility, trend and volume form clusters. k-means finds them in a training span, each is named by the mean
return that followed its bars there, and the bot trades those whose mean was beyond costs, for as long as that mean
looked ahead. All this is done once, offline (`truewind strategy fit`), and kept in a file with the data it was learned
from; here the nearest centre is looked up, no more. That k-means tells market regimes apart is shown by Horvath, Issa
and Muguruza, "Clustering Market Regimes Using the Wasserstein Distance", Journal of Computational Finance 28 (2024),
who compare distributions of returns; plain k-means on features, as here, is what they improve on. Neither says that
regimes can be traded.

Fails when states mean something else later than in training, which is the rule and not the exception: a mean over a few
weeks of one market is mostly noise, and the best of six noises looks like an edge. After a training span in which the
price rose, most states are long. Judge it only on what came after.
"""

from collections import namedtuple
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from truewind.config import Settings
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Signal, Want
from truewind.strategies.base import SignalStrategy
from truewind.strategies.fitted import nearest, read_states

OWN_MODEL = Path(__file__).with_suffix(".json")
FEATURES = {
    "moved_day": "log_returns(24)",
    "moved_week": "log_returns(168)",
    "volatility": "realised(72)",
    "trend": "trend_strength(72)",
    "activity": "ema(24, relative_volume(20, 60))",
}
_values = namedtuple("_values", "stop short hold_us weights centres sides")  # what `decide` takes for its parameters


class EthCluster(SignalStrategy):
    """Hold the side of the state that the market is in, for its horizon at least; `reason` is the state's number."""

    fields = ("close",)

    class Params(Settings):
        model: str = Field(default="", description="file of the fitted states; empty: the one that comes along")
        stop: float = Field(default=4.0, gt=0.0, le=50.0, description="distance of the stop, ATRs of 24 bars")
        short: bool = Field(default=False, description="whether to sell states short that the price fell in")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        file = Path(self.params.model) if self.params.model else OWN_MODEL
        model = read_states(file, FEATURES)
        self.fitted = model.fitted(file.name)
        sides = tuple(float(state.side) for state in model.states)
        self.values = _values(
            stop=self.params.stop, short=self.params.short, hold_us=model.hold_us, weights=model.weights(),
            centres=model.centres(), sides=sides,
        )  # fmt: skip

    def features(self) -> Mapping[str, str]:
        return FEATURES | {"range": "atr(24)"}

    def reason(self, tag: int) -> str:
        return f"state {tag - 1}" if 0 < tag <= len(self.values.sides) else ""

    @staticmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        point = (row.moved_day, row.moved_week, row.volatility, row.trend, row.activity)
        state = nearest(point, params.weights, params.centres)
        if state < 0 or not row.range > 0.0:  # still warming up, or a dead market
            return HOLD
        wanted, held = int(params.sides[state]), position.side
        if wanted == Want.SHORT and not params.short:
            wanted = 0
        early = row.ts_event - position.opened_us < params.hold_us
        if held != 0 and (wanted == held or (wanted == 0 and early)):
            return Signal(held, reason=state + 1)  # its stop stays where it is
        if wanted == 0:
            return Signal(Want.FLAT, reason=state + 1)
        stop = row.close - wanted * params.stop * row.range
        return Signal(wanted, stop=stop, reason=state + 1) if stop > 0.0 else HOLD
