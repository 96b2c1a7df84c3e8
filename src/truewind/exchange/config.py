"""What can be set about the local exchange."""

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from truewind.config import Settings
from truewind.domain.clock import parse_ts_us
from truewind.exchange.accounts import AccountConfig
from truewind.exchange.faults import FaultConfig
from truewind.market.synthetic import SyntheticConfig


class ExchangeConfig(Settings):
    """Settings of a local exchange; equal settings and seeds give an equal market.

    Without lake and synthetic it trades the synthetic market of the defaults. One that sets no start opens now, with
    `synthetic.days` of history behind it.
    """

    port: int = Field(
        default=0, ge=0, le=65_000, description="of spot; USD-M and the archive have the next two; 0: three free ones"
    )
    host: str = Field(default="127.0.0.1", description="address that it listens on")
    lake: Path | str | None = Field(
        default=None, description="folder or URL whose venues binance and binance_usdm are replayed"
    )
    synthetic: SyntheticConfig | None = Field(default=None, description="instead of it: a synthetic market, on both")
    start: str | None = Field(
        default=None,
        description="when it opens, UTC; absent: of a lake the last day (of recorded books their begin), else now",
    )
    speed: float = Field(
        default=1.0,
        ge=0,
        le=1e6,
        description="seconds of the exchange in one of ours; 0 stands still until it is moved",
    )
    seed: int = Field(default=42, ge=0, description="of what is made up where the data say nothing, and of faults")
    limits: bool = Field(default=True, description="refuse who asks too much (429, 418), else only count")
    first_ban_s: int = Field(default=120, ge=1, description="length of the first ban, seconds")
    tick_ms: int = Field(default=10, ge=1, le=1000, description="how often streams are served, ms of our time")
    session_s: float = Field(default=86_400.0, gt=0, description="after how many of our seconds streams are closed")
    firehose: int = Field(
        default=0,
        ge=0,
        le=5_000_000,
        description="messages that a connection gets at once, as fast as it reads; 0: as they happen",
    )
    idle: bool = Field(default=False, description="stand still until a request, for tests")
    faults: FaultConfig = Field(default=FaultConfig(), description="what goes wrong, and how often")
    accounts: tuple[AccountConfig, ...] = Field(default=(AccountConfig(),), description="who may trade")
    vault: Path | None = Field(
        default=None, description="file in which accounts, orders and trades outlive the exchange"
    )

    @field_validator("start")
    @classmethod
    def _start(cls, start: str | None) -> str | None:
        if start is not None:
            parse_ts_us(start)
        return start

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.lake is not None and self.synthetic is not None:
            raise ValueError("set lake or synthetic, not both")
        return self

    @property
    def start_us(self) -> int | None:
        """When the market begins; None: now, or where the lake's data begin."""
        return None if self.start is None else parse_ts_us(self.start)
