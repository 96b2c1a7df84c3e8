"""What can be set about the local exchange."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from truewind.config import Settings
from truewind.domain.clock import parse_ts_us
from truewind.exchange.accounts import AccountConfig
from truewind.exchange.faults import FaultConfig
from truewind.market.synthetic import SyntheticConfig


class ExchangeConfig(Settings):
    """Settings of a local exchange; equal settings and seeds give an equal market.

    port: of spot; USD-M and the archive have the next two. 0: three free ones.
    lake: folder or URL whose venues `binance` (spot) and `binance_usdm` are replayed; else `synthetic` is traded,
        on both markets; without either, the synthetic market's defaults.
    start: the time at which the exchange opens. Absent: of a lake, the last day of its data (of recorded books their
        begin); of a synthetic market that sets no start, now, with `synthetic.days` of history behind it.
    speed: seconds of the exchange in one of ours; 0 stands still until it is moved.
    seed: of what is made up where the data say nothing (the order book, trades within bars) and of faults.
    limits: refuse who asks too much (429, 418), else only count. first_ban_s: length of the first ban.
    tick_ms: how often streams are served, in our time.
    session_s: after how many of our seconds streams are closed, 24 hours as at the venue.
    accounts: who may trade. vault: file in which accounts, orders and trades outlive the exchange; absent: they do not.
    firehose: instead of the market as it happens, a connection gets so many of its messages at once, as fast as it
        reads.
    idle: markets that stand still until a request or `LocalExchange.advance`: for tests that want no background work.
    """

    port: Annotated[int, Field(ge=0, le=65_000)] = 0
    host: str = "127.0.0.1"
    lake: Path | str | None = None
    synthetic: SyntheticConfig | None = None
    start: str | None = None
    speed: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 42
    limits: bool = True
    first_ban_s: Annotated[int, Field(ge=1)] = 120
    tick_ms: Annotated[int, Field(ge=1, le=1000)] = 10
    session_s: Annotated[float, Field(gt=0)] = 86_400.0
    firehose: Annotated[int, Field(ge=0, le=5_000_000)] = 0
    idle: bool = False
    faults: FaultConfig = FaultConfig()
    accounts: tuple[AccountConfig, ...] = (AccountConfig(),)
    vault: Path | None = None

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
