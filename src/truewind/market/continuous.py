"""Continuous series: dated futures joined into one, with the jump at each roll taken out if wished.

Prices adjusted backwards ("ratio", "difference") keep the returns (or the changes) that a holder had who rolled at
those moments; their levels are those of no market, and shift with every later roll. Orders, fees and filters need the
contract's own prices: take "none", where the jump stays, or the contract itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple

import polars as pl

from truewind.domain.clock import iso
from truewind.domain.timeframe import DAY_US
from truewind.errors import EmptyRangeError, ValidationError

PRICES = ("open", "high", "low", "close")


class Contract(NamedTuple):
    """A dated future and its bars (`ts` the open, ascending)."""

    symbol: str
    expiry_us: int
    bars: pl.DataFrame


def continuous(
    contracts: Sequence[Contract],
    *,
    roll: Literal["expiry", "volume"] = "expiry",
    days: float = 3.0,
    adjust: Literal["none", "ratio", "difference"] = "ratio",
) -> pl.DataFrame:
    """One table of bars, with `contract` (the symbol each bar is from) beside its columns.

    roll "expiry": on the first bar that opens `days` before expiry or later. "volume": on the first bar after a UTC day
    in which the next contract traded more, at the latest `days` before expiry; nothing is used before it is known. The
    jump is measured on the last bar that both contracts have before the roll. Raises ValidationError if contracts
    repeat or do not overlap, EmptyRangeError if there are none.
    """
    if not contracts:
        raise EmptyRangeError("No contracts to join", remedy="Name at least one")
    ordered = sorted(contracts, key=lambda contract: contract.expiry_us)
    joined = _named(ordered[0])
    for contract, following in pairwise(ordered):
        start = _roll_time(contract, following, roll, days)
        held = joined.filter(pl.col("ts") < start)
        taken = _named(following).filter(pl.col("ts") >= start)
        joined = pl.concat([_shifted(held, *_jump(contract, following, start), adjust), taken])
    return joined


def _named(contract: Contract) -> pl.DataFrame:
    return contract.bars.with_columns(contract=pl.lit(contract.symbol))


def _roll_time(contract: Contract, following: Contract, roll: str, days: float) -> datetime:
    """Open of the first bar of `following` that counts."""
    latest = pl.Series([contract.expiry_us - round(days * DAY_US)]).cast(pl.Datetime("us", "UTC"))[0]
    if roll == "volume":
        both = contract.bars.select("ts", "volume").join(following.bars.select("ts", next="volume"), on="ts")
        daily = both.group_by_dynamic("ts", every="1d").agg(pl.col("volume", "next").sum())
        busier = daily.filter(pl.col("next") > pl.col("volume"))["ts"]
        if len(busier):
            latest = min(latest, busier[0] + timedelta(days=1))
    after = following.bars["ts"].filter(following.bars["ts"] >= latest)
    if contract.expiry_us == following.expiry_us or not len(after):
        raise ValidationError(
            f"{following.symbol} has no bars from the roll out of {contract.symbol} "
            f"({round(days, 3):g} days before {iso(contract.expiry_us)})",
            remedy="Import the following contract further, or leave it out",
        )
    start: datetime = after[0]
    return start


def _jump(contract: Contract, following: Contract, start: datetime) -> tuple[float, float]:
    """Closes of both contracts on the last bar before the roll that both have."""
    both = contract.bars.select("ts", "close").join(following.bars.select("ts", next="close"), on="ts")
    both = both.filter(pl.col("ts") < start).tail(1)
    if not len(both):
        raise ValidationError(
            f"{contract.symbol} and {following.symbol} have no bar in common before {start}",
            remedy="Import both over the days before the roll",
        )
    return both["close"][0], both["next"][0]


def _shifted(bars: pl.DataFrame, old: float, new: float, adjust: str) -> pl.DataFrame:
    if adjust == "ratio":
        return bars.with_columns(pl.col(PRICES) * (new / old))
    if adjust == "difference":
        return bars.with_columns(pl.col(PRICES) + (new - old))
    return bars
