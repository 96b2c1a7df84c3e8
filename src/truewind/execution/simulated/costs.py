"""What trading costs: fees, slippage, margin. Settings for people, one COSTS record for kernels."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from truewind.config import Settings
from truewind.domain.account import COSTS
from truewind.portfolio.ledger import RATE_SCALE

_PAID_IN = {
    "received": "Spot purchases pay their fee in what they buy; what is left below a lot stays.",
    "bnb": "Fees are paid in BNB at the venue's discount; the BNB are bought for it, at their price and for nothing.",
}


class CostSettings(Settings):
    """Costs of the simulated venue. Defaults: Binance USD-M perpetuals without discounts.

    BNB for fees are bought at their price. `impact` is Y of the laws in `execution.simulated.impact`. A touch that
    fills is optimistic: you were first in the queue. What volume_share leaves of an order goes on working; size is not
    looked at on trades, and where a bar's volume is not known.
    """

    maker_fee: float = Field(default=0.0002, ge=-0.01, le=0.05, description="fraction of notional; negative: a rebate")
    taker_fee: float = Field(default=0.0005, ge=0.0, le=0.05, description="fraction of notional; 0.0005 is 0.05 %")
    fees: Literal["fixed", "venue"] = Field(
        default="fixed", description="fixed: the two rates above; venue: its published rates of a vip_level, by date"
    )
    vip_level: int = Field(default=0, ge=0, le=9, description="level of the venue's fees")
    fee_currency: Literal["settled", "received", "bnb"] = Field(
        default="settled",
        description="settled: what profit is in; received: what is bought, as Binance spot does; bnb: at its discount",
    )
    half_spread_bps: float = Field(
        default=1.0,
        ge=0.0,
        le=500.0,
        description="what a market or stop order pays beyond the bar's price, basis points",
    )
    impact: float = Field(
        default=1.0, ge=0.0, le=100.0, description="factor Y of the law by which an order moves the price; 0: none"
    )
    impact_law: Literal["square_root", "volume_share"] = Field(
        default="square_root", description="how impact grows with size, see docs/costs-and-margin.md"
    )
    market_fill: Literal["open", "worst"] = Field(default="open", description="price of the bar that market orders get")
    limit_fill: Literal["through", "touch"] = Field(
        default="through",
        description="whether a resting limit fills once the price trades beyond it, or already at it (optimistic)",
    )
    fill_probability: float = Field(
        default=1.0, gt=0.0, le=1.0, description="of a touch, in every bar that does no more than touch"
    )
    volume_share: float | None = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="part of a bar's volume that our orders may take, all together; null: size is not looked at",
    )

    @model_validator(mode="after")
    def _draws_of_touches(self) -> "CostSettings":
        if self.fill_probability < 1.0 and self.limit_fill != "touch":
            raise ValueError("fill_probability is that of a touch: it needs limit_fill: touch")
        if self.fee_currency == "bnb" and self.fees == "fixed":
            raise ValueError("the discount of fees in BNB is the venue's: it needs fees: venue")
        return self

    def record(self, leverage: float, seed: int = 42) -> np.ndarray:
        """These costs as one COSTS record; seed: of what is drawn."""
        row = np.zeros(1, COSTS)
        row[0] = (
            round(self.maker_fee * RATE_SCALE),
            round(self.taker_fee * RATE_SCALE),
            round(self.half_spread_bps * 1e-4 * RATE_SCALE),
            int(self.limit_fill == "touch"),
            self.impact,
            int(self.market_fill == "worst"),
            leverage,
            np.inf if self.volume_share is None else self.volume_share,
            self.fill_probability,
            seed,
            int(self.impact_law == "volume_share"),
        )
        return row

    def paid(self) -> list[str]:
        """How fees are paid, in words, where it is not the fixed rates in the settlement currency."""
        paid = []
        if self.fees == "venue":
            paid = [f"Fees are those that the venue has published for VIP level {self.vip_level}, by date."]
        return paid + ([_PAID_IN[self.fee_currency]] if self.fee_currency != "settled" else [])

    def assumptions(self) -> list[str]:
        """What these settings take for granted, in words, for the report."""
        through = "trades through it" if self.limit_fill == "through" else "touches it"
        if self.fill_probability < 1.0:
            through += f" (with a probability of {self.fill_probability:g} if it goes no further)"
        law = "square-root impact" if self.impact_law == "square_root" else "impact by the square of its volume share"
        price = "open" if self.market_fill == "open" else "worst price"
        maker, taker = f" ({self.maker_fee:.4%})", f"; taker fee {self.taker_fee:.4%}"
        if self.fees == "venue":
            maker = taker = ""
        size = "Orders are filled whole, whatever the bar's volume."
        if self.volume_share is not None:
            size = (
                f"All orders together take no more than {self.volume_share:.0%} of a bar's volume; their rest works on."
            )
        return [
            "An order is matched from the first bar that opens at or after the decision and closes after its arrival; "
            f"a market order gets that bar's {price} and pays half the spread, "
            f"{self.half_spread_bps:g} bps, and {law} with a factor of {self.impact:g}.",
            f"A resting limit order fills at its own price, as maker{maker}, when the price {through}; "
            "if the bar opens beyond it, at the open.",
            f"A stop becomes a market order at its trigger, or at the open if the bar opens beyond it{taker}.",
            *self.paid(),
            "If a stop and a target lie in one bar, the stop comes first. After a fill inside a bar only the bar's "
            "adverse side counts for the new position.",
            size,
        ]
