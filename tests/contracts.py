"""Instruments and legs of the published examples."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from truewind.domain.instrument import Instrument, Kind, instrument_row
from truewind.domain.terms import MARGIN, Tier, TierTable
from truewind.portfolio.margin import CROSS, LEG
from truewind.portfolio.tiers import tier_rows

UNIT = 100_000_000  # ledger units of one USDT or BTC


def linear(symbol: str = "BTCUSDT", tick: str = "0.01", lot: str = "0.001") -> Instrument:
    base = symbol.removesuffix("USDT")
    return Instrument(
        symbol=symbol, venue="binance_usdm", kind=Kind.PERPETUAL, base=base, quote="USDT", tick_size=Decimal(tick),
        lot_size=Decimal(lot),
    )  # fmt: skip


def inverse(multiplier: str = "100", tick: str = "0.1") -> Instrument:
    return Instrument(
        symbol="BTCUSD_PERP", venue="binance_coinm", kind=Kind.PERPETUAL, base="BTC", quote="USD", settle="BTC",
        tick_size=Decimal(tick), lot_size=Decimal(1), multiplier=Decimal(multiplier),
    )  # fmt: skip


def table(*lines: tuple[str | int, str, int], since_us: int = 0) -> np.ndarray:
    """TIER rows of (cap, rate, leverage) lines."""
    return tier_rows([TierTable(since_us, [Tier(Decimal(cap), Decimal(rate), lev) for cap, rate, lev in lines])], UNIT)


class Book:
    """Legs of several symbols, each with its own tier table."""

    def __init__(self, *symbols: tuple[Instrument, np.ndarray]) -> None:
        self.listed = [instrument for instrument, _ in symbols]
        self.instruments = np.concatenate([instrument_row(instrument) for instrument, _ in symbols])
        self.tiers = np.concatenate([rows for _, rows in symbols])
        self.margins = np.zeros(len(symbols), MARGIN)
        ends = np.cumsum([len(rows) for _, rows in symbols])
        self.margins["last_tier"] = self.margins["last_row"] = ends
        self.margins["first_tier"] = self.margins["first_row"] = ends - [len(rows) for _, rows in symbols]
        self.legs = np.zeros(0, LEG)

    def hold(self, symbol: int, quantity: str | int, entry: str, mark: str = "0", wallet: int = CROSS) -> "Book":
        """Add a leg; quantity signed, entry and mark as published."""
        instrument = self.listed[symbol]
        contracts = Decimal(quantity) * instrument.multiplier
        cost = -contracts / Decimal(entry) if instrument.inverse else contracts * Decimal(entry)
        leg = np.zeros(1, LEG)
        leg[0] = (
            symbol, int(Decimal(quantity) / instrument.lot_size), round(cost * UNIT), wallet, float(mark) or np.nan
        )  # fmt: skip
        self.legs = np.concatenate([self.legs, leg])
        return self

    def terms(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.instruments, self.margins, self.tiers


def units(amount: str | Decimal) -> int:
    return int(Decimal(amount) * UNIT)


def rounded(values: Sequence[float], digits: int = 2) -> list[float]:
    return [round(value, digits) for value in values]
