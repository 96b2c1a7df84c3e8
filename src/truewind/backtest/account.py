"""The account of a run, as a config says it."""

from pydantic import Field

from truewind.backtest.rates import AssetSettings, RateSettings
from truewind.config import Settings


class AccountSettings(Settings):
    """What there is to trade with."""

    cash: float = Field(default=10_000.0, gt=0.0, le=1e12, description="what the account starts with, in its currency")
    currency: str = Field(default="USDT", description="what the account is kept in")
    leverage: float = Field(default=10.0, ge=1.0, le=20.0, description="initial margin is notional ÷ leverage")
    rates: dict[str, RateSettings] = Field(
        default_factory=dict,
        description="bars that say what other currencies are worth; left out: the pair, as the lake has it",
    )
    collateral: dict[str, AssetSettings] = Field(
        default_factory=dict, description="other currencies that it has, which count as margin"
    )
    settled_only: bool = Field(
        default=False,
        description="shares are paid for with settled money only, as in a US cash account (T+3, T+2, T+1 by date)",
    )
    name: str = Field(
        default="main",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="by which live and paper sessions keep what breakers of this account have tripped",
    )
