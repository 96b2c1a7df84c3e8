"""What can be set about the synthetic market, and the symbols that it lists."""

import hashlib
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

import msgspec
from pydantic import Field, field_validator

from truewind.config import Settings
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, MINUTE_US, timeframe_name, timeframe_us

VENUE = "synthetic"
MINUTES_PER_DAY = 1440


class SyntheticConfig(Settings):
    """Settings of the synthetic market; equal settings give equal data, to the bit.

    The known symbols (BTC, ETH, SOL, XRP, BNB, DOGE) have plausible levels; any other name gets price level, steps and
    liquidity drawn from the name itself. No symbol's data depend on the others. Volatilities keep their ratio to that
    of BTCUSDT (ETH 1.2, SOL 1.7, XRP 1.35 …); returns share one common factor. Nothing but the drift, common to all
    symbols, can be predicted; who could see it would earn a Sharpe ratio of about drift / volatility.
    """

    seed: int = Field(default=42, ge=0, description="another seed is another world")
    symbols: tuple[str, ...] = Field(
        default=("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"), description="names ending in USDT"
    )
    start: date = Field(default=date(2024, 1, 1), description="first day, UTC")
    days: int = Field(
        default=210, ge=1, le=36_500, description="whole days from the midnight of start; more days only append"
    )
    timeframe: str = Field(default="1m", description="of the bars; whole minutes that divide a day")
    kind: Literal[Kind.PERPETUAL, Kind.SPOT] = Field(
        default=Kind.PERPETUAL, description="perpetual (with funding) or spot"
    )
    volatility: float = Field(
        default=0.55, gt=0, le=5, description="annual, of BTCUSDT; other symbols keep their ratio to it"
    )
    volatility_spread: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="standard deviation of log-volatility within a regime: how strongly it clusters",
    )
    tail_index: float = Field(
        default=6.0, gt=2, le=100, description="degrees of freedom of a minute's Student-t shock; smaller: fatter tails"
    )
    correlation: float = Field(default=0.7, ge=0, lt=1, description="of the returns of any two symbols")
    jumps_per_day: float = Field(
        default=0.5, gt=0, le=100, description="mean number, for the market and for each symbol"
    )
    jump_share: float = Field(
        default=0.06, ge=0, lt=1, description="part of the variance of returns that comes from jumps"
    )
    drift: float = Field(
        default=0.4, ge=0, le=5, description="annual standard deviation of a slowly changing drift, half-life five days"
    )

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        if not symbols:
            raise ValueError("name at least one symbol, as in BTCUSDT")
        for symbol in symbols:
            if not re.fullmatch(r"[A-Z0-9]{1,16}USDT", symbol):
                raise ValueError(f"'{symbol}' is no synthetic symbol: write capitals and digits ending in USDT")
            if symbols.count(symbol) > 1:
                raise ValueError(f"'{symbol}' is named twice")
        return symbols

    @field_validator("timeframe")
    @classmethod
    def _timeframe(cls, timeframe: str) -> str:
        length = timeframe_us(timeframe)
        if length % MINUTE_US or DAY_US % length:
            raise ValueError(f"'{timeframe}' must be whole minutes that divide a day: 1m, 5m, 15m, 1h, 4h, 1d")
        return timeframe_name(length)

    @property
    def minutes(self) -> int:
        """Length of the history."""
        return self.days * MINUTES_PER_DAY

    @property
    def start_us(self) -> int:
        """Begin of the history."""
        midnight = datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC)
        return int(midnight.timestamp()) * 1_000_000

    @property
    def end_us(self) -> int:
        """End of the history, exclusive."""
        return self.start_us + self.days * DAY_US


class Listing(msgspec.Struct, frozen=True):
    """A symbol's level: price at the start, steps, volatility relative to BTC, and liquidity.

    turnover: mean quote volume a day; trade: mean worth of one trade, both in USDT.
    """

    price: float
    tick_size: str
    lot_size: str
    volatility: float
    turnover: float
    trade: float
    min_notional: str = "5"


# Price levels of January 2024 and steps as USD-M perpetuals have them; turnover of a mid-sized venue.
LISTED = {
    "BTCUSDT": Listing(42_000.0, "0.1", "0.001", 1.0, 6e9, 7_000.0, "100"),
    "ETHUSDT": Listing(2_300.0, "0.01", "0.001", 1.2, 4e9, 5_000.0, "20"),
    "SOLUSDT": Listing(100.0, "0.01", "0.01", 1.7, 1.5e9, 2_500.0),
    "XRPUSDT": Listing(0.62, "0.0001", "0.1", 1.35, 8e8, 2_000.0),
    "BNBUSDT": Listing(310.0, "0.01", "0.01", 1.05, 6e8, 2_000.0),
    "DOGEUSDT": Listing(0.09, "0.00001", "1", 1.5, 7e8, 1_500.0),
}


def listing(symbol: str) -> Listing:
    """The level of `symbol`; for a name not in the table it is drawn from the name alone."""
    if symbol in LISTED:
        return LISTED[symbol]
    digest = hashlib.blake2b(symbol.encode(), digest_size=16).digest()
    level, wildness, size, trade = (int.from_bytes(digest[i : i + 4], "little") / 2**32 for i in (0, 4, 8, 12))
    price = float(f"{10 ** (4 * level - 2):.3g}")  # 0.01 … 100 USDT
    exponent = int(f"{price:e}".partition("e")[2])
    tick = Decimal(1).scaleb(exponent - 4)  # five significant digits
    lot = Decimal(1).scaleb(-exponent - 1)  # worth 0.1 … 1 USDT
    return Listing(
        price, f"{tick:f}", f"{lot:f}", 1.3 + 0.9 * wildness, 10 ** (7.6 + 1.2 * size), 600.0 + 1_200.0 * trade
    )


def instrument(symbol: str, kind: Kind) -> Instrument:
    level = listing(symbol)
    return Instrument(
        symbol=symbol,
        venue=VENUE,
        kind=kind,
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        tick_size=Decimal(level.tick_size),
        lot_size=Decimal(level.lot_size),
        min_quantity=Decimal(level.lot_size),
        min_notional=Decimal(level.min_notional),
    )
