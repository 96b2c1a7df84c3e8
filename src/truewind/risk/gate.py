"""The risk gate: each new order is approved, reduced or denied, with the reason. Reducing orders always pass.

Here stand its limits and its ordered rules; `risk.judging` is what they do. Only the part of an order that opens or
adds is limited: working orders of the same side count as if they were filled.
"""

from statistics import NormalDist
from typing import Annotated, Any, NamedTuple, get_args

import numpy as np
from pydantic import Field

from truewind.domain.order import Reason
from truewind.domain.risk import LIMITS
from truewind.risk.breakers import BreakerSettings, most

VOLATILITY = "risk volatility"  # a column of the timeline, by a name that no strategy's field has
_DAY_VAR = 0.99  # the usual confidence of a day's value at risk (Basel Committee, 1996 amendment)
Cap = Annotated[float, Field(gt=0.0, le=1000.0)] | None
Part = Annotated[float, Field(gt=0.0, le=1.0)] | None


class RiskSettings(BreakerSettings):
    """What may be held and sent; `RULES` says what each limit is. null switches a rule off.

    Symbols whose measured correlation reaches `correlation` count as one cluster. With a volatility_target, the root
    mean square of a bar's log return, leverage is the account's × target ÷ measured, from 1 to max_leverage. What else
    there is: `BreakerSettings`.
    """

    min_confidence: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(
        default=0.8, description="least confidence of a signal"
    )
    stop_required: bool = Field(default=False, description="whether a stop must protect what is opened")
    min_stop_distance: Part = Field(default=None, description="least distance of the stop, as a fraction of the price")
    max_stop_distance: Part = Field(
        default=None, description="greatest distance of the stop, as a fraction of the price"
    )
    risk_per_trade: Part = Field(default=0.005, description="what is lost at the stop, as a fraction of equity")
    max_position: Cap = Field(default=1.0, description="notional in one symbol, × equity")
    max_volume_share: Part = Field(default=None, description="of an order, in the last bar's volume")
    max_depth_share: Part = Field(default=None, description="of an order, in the ten best levels that it would take")
    min_liquidation_distance: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        default=None, description="of the liquidation price, as a fraction of the price"
    )
    volatility_target: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        default=None,
        description="volatility of a bar at which the account's leverage holds; more of it lowers leverage",
    )
    volatility_bars: int = Field(default=96, ge=2, le=100_000, description="that volatility is measured over")
    max_leverage: float = Field(
        default=20.0, ge=1.0, le=125.0, description="most leverage that volatility_target gives"
    )
    max_exposure: Part = Field(default=0.10, description="initial margin in use, as a fraction of equity")
    max_gross: Cap = Field(default=2.0, description="notional of all symbols, whatever their sides, × equity")
    max_net: Cap = Field(default=None, description="notional of all symbols, long less short, × equity")
    max_concentration: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        default=None,
        description="notional in one symbol, as a fraction of gross notional (of equity while that is more)",
    )
    max_margin_use: Part = Field(default=None, description="maintenance margin, as a fraction of equity")
    max_correlated: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=5, description="positions in symbols that move together"
    )
    max_cluster: Cap = Field(default=None, description="notional of symbols that move together, × equity")
    correlation: float = Field(default=0.7, gt=0.0, le=1.0, description="from which two symbols move together")
    correlation_bars: int = Field(
        default=96, ge=8, le=10_000, description="common bars that correlation is measured over"
    )
    max_var: Part = Field(default=None, description="value at risk of a day, as a fraction of equity")
    max_shortfall: Part = Field(default=None, description="expected shortfall of a day, as a fraction of equity")
    var_confidence: float = Field(default=_DAY_VAR, gt=0.5, lt=1.0, description="of max_var and max_shortfall")

    @classmethod
    def unlimited(cls) -> "RiskSettings":
        """Every rule switched off."""
        off: dict[str, Any] = dict.fromkeys(_OPTIONAL)
        return cls(**off, max_drawdown=0.0)

    def reads(self) -> dict[str, str]:
        """The feature that the rules measure a market by, as the column VOLATILITY; nothing if none of them does."""
        measured = self.volatility_target is not None or self.max_volatility is not None
        return {VOLATILITY: f"realised({self.volatility_bars})"} if measured else {}

    def record(self, leverage: float) -> np.ndarray:
        """These limits as one LIMITS record; leverage: the account's."""
        row = np.zeros(1, LIMITS)
        z = NormalDist().inv_cdf(self.var_confidence)
        known = {
            "stop_required": float(self.stop_required),
            "min_stop": _least(self.min_stop_distance),
            "max_stop": most(self.max_stop_distance),
            "min_confidence": _least(self.min_confidence),
            "min_liquidation": _least(self.min_liquidation_distance),
            "leverage": leverage,
            "max_leverage": self.max_leverage,
            "volatility": self.volatility_target or 0.0,
            "correlation": self.correlation,
            "correlation_bars": float(self.correlation_bars),
            "var_z": z,
            "shortfall_z": NormalDist().pdf(z) / (1.0 - self.var_confidence),
            "max_drawdown": self.max_drawdown,
            **self.flow(),
        }
        for name in LIMITS.names or ():
            row[name] = known[name] if name in known else most(getattr(self, name))
        return row


def _least(value: float | None) -> float:
    return -np.inf if value is None else float(value)


_OPTIONAL = {name for name, field in RiskSettings.model_fields.items() if type(None) in get_args(field.annotation)}


class Rule(NamedTuple):
    """One line of the risk manager. reason: what its verdicts say. part: what it looks at. text: what it demands."""

    reason: Reason
    part: str
    setting: str
    text: str


# In the order in which they are asked. What may be opened is the least of what they allow, whatever the order; the
# reason is that of the first rule that allows the least.
RULES = (
    Rule(Reason.KILL_SWITCH, "breaker", "on_kill", "nobody has thrown the kill switch of the account"),
    Rule(Reason.SYMBOL_KILLED, "breaker", "on_kill", "nobody has thrown the kill switch of the symbol"),
    Rule(Reason.DRAWDOWN, "breaker", "max_drawdown", "equity has not fallen farther from its peak"),
    Rule(Reason.DAILY_LOSS, "breaker", "max_daily_loss", "equity has not fallen farther since the UTC day began"),
    Rule(Reason.LOSING_STREAK, "breaker", "max_losing_streak", "fewer round trips than this were lost in a row"),
    Rule(Reason.ORDER_RATE, "flow", "max_orders_per_minute", "orders that open or add, in one minute of the clock"),
    Rule(Reason.PRICE_FAR_OFF, "flow", "max_price_distance", "a limit is at most so far from the last price"),
    Rule(Reason.ORDER_TOO_LARGE, "flow", "max_order", "notional of an order, of equity (max_order_notional: absolute)"),
    Rule(Reason.STALE_DATA, "flow", "max_data_age_s", "age of the symbol's last bar, seconds"),
    Rule(Reason.WIDE_SPREAD, "flow", "max_spread", "spread, of the price, where it is known"),
    Rule(Reason.LATENCY, "flow", "max_latency_ms", "from when that bar happened to when it was received, ms"),
    Rule(
        Reason.VOLATILITY_HALT,
        "flow",
        "max_volatility",
        "standard deviation of a bar's log return (max_bar_move: high ÷ low − 1 of the last bar)",
    ),
    Rule(Reason.COOLDOWN, "flow", "cooldown_minutes", "minutes between two entries of one symbol"),
    Rule(Reason.DUPLICATE, "flow", "duplicate_minutes", "minutes before the same side, price and stop are sent again"),
    Rule(Reason.NO_EQUITY, "account", "", "equity is a number above zero"),
    Rule(Reason.LOW_CONFIDENCE, "position", "min_confidence", "the signal has at least this confidence"),
    Rule(Reason.STOP_MISSING, "position", "stop_required", "a stop protects what is opened"),
    Rule(Reason.STOP_SIDE, "position", "", "the stop of a purchase lies below its price, that of a sale above"),
    Rule(Reason.STOP_TOO_NEAR, "position", "min_stop_distance", "the stop is at least so far away, of the price"),
    Rule(Reason.STOP_TOO_FAR, "position", "max_stop_distance", "the stop is at most so far away, of the price"),
    Rule(
        Reason.RISK_PER_TRADE,
        "position",
        "risk_per_trade",
        "what the position loses at its stop, with taker fees and half spreads, of equity",
    ),
    Rule(Reason.POSITION_CAP, "position", "max_position", "notional in one symbol, of equity"),
    Rule(Reason.VOLUME_CAP, "position", "max_volume_share", "an order, of the last bar's volume"),
    Rule(Reason.DEPTH_CAP, "position", "max_depth_share", "an order, of the ten best levels that it would take"),
    Rule(
        Reason.LIQUIDATION_NEAR,
        "position",
        "min_liquidation_distance",
        "the price must move at least so far to liquidate the position, of the price",
    ),
    Rule(Reason.NO_VOLATILITY, "position", "volatility_target", "the volatility that leverage goes by is known"),
    Rule(Reason.EXPOSURE_CAP, "portfolio", "max_exposure", "initial margin in use, of equity"),
    Rule(Reason.GROSS_CAP, "portfolio", "max_gross", "notional of all symbols, whatever their sides, of equity"),
    Rule(Reason.NET_CAP, "portfolio", "max_net", "notional of all symbols, long less short, of equity"),
    Rule(
        Reason.CONCENTRATION,
        "portfolio",
        "max_concentration",
        "notional in one symbol, of gross notional (of equity while that is more)",
    ),
    Rule(Reason.MARGIN_USE, "portfolio", "max_margin_use", "maintenance margin, of equity"),
    Rule(Reason.CORRELATED, "portfolio", "max_correlated", "positions in symbols correlated with this one, and it"),
    Rule(Reason.CLUSTER_CAP, "portfolio", "max_cluster", "notional of these symbols, of equity"),
    Rule(Reason.VALUE_AT_RISK, "portfolio", "max_var", "value at risk of a day, of equity"),
    Rule(Reason.SHORTFALL, "portfolio", "max_shortfall", "expected shortfall of a day, of equity"),
)
