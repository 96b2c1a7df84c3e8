"""Rates of exchange of a run: what other currencies are worth in the account's, from bars of the lake."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from truewind.config import Settings
from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument, currency_precision
from truewind.domain.terms import COLLATERAL, RATE
from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError, EmptyRangeError
from truewind.portfolio.collateral import Collateral, no_collateral
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import SeriesInfo

_BEFORE_US = 14 * DAY_US  # how old a rate may be when a run begins: markets close over holidays


class RateSettings(Settings):
    """The bars whose closes are a currency's rate: of the pair, either way round."""

    venue: str = Field(description="where the pair is traded")
    symbol: str = Field(description="the pair, either way round")
    timeframe: str = Field(description="length of the bars whose closes are the rate")


class AssetSettings(Settings):
    """Another currency that the account holds, as margin for what it trades in its own (Binance's multi-assets mode).

    A debt in the account's own currency is paid at once by selling the others in proportion, at their haircuts.
    """

    amount: float = Field(gt=0.0, description="how much of it the account holds")
    haircut: float = Field(default=0.05, ge=0.0, lt=1.0, description="part of its worth that does not count as margin")


class Rates(NamedTuple):
    """rows: RATE rows by symbol, of those that need one. keys: the series that they are from."""

    rows: dict[str, np.ndarray]
    keys: list[SeriesKey]


def rates_of_exchange(
    lake: Lake,
    instruments: Sequence[Instrument],
    currency: str,
    chosen: Mapping[str, RateSettings],
    first: int,
    last: int,
) -> Rates:
    """Rates for the instruments that are not settled in the account's `currency`, over [first, last].

    A rate is known when its bar has closed. chosen: which series, by currency; of others the pair is looked for in the
    lake, at the instrument's venue first, in the shortest timeframe. Raises ConfigError if there is none.
    """
    found = Rates({}, [])
    for instrument in instruments:
        if instrument.currency == currency or instrument.inverse:
            continue
        wanted = chosen.get(instrument.currency)
        rows, key = _rates(lake, instrument.id, instrument.venue, (instrument.currency, currency), wanted, first, last)
        found.rows[instrument.name] = rows
        found.keys.append(key)
    return found


def collateral_of(
    lake: Lake,
    held: Mapping[str, AssetSettings],
    venue: str,
    currency: str,
    chosen: Mapping[str, RateSettings],
    first: int,
    last: int,
) -> tuple[Collateral, list[SeriesKey]]:
    """The account's other currencies with their rates, as `rates_of_exchange` finds them, and the series of these."""
    if not held:
        return no_collateral(), []
    assets = np.zeros(1 + len(held), COLLATERAL)
    assets["index"] = 1.0
    assets["unit"] = [10.0 ** currency_precision(name) for name in (currency, *held)]
    parts, keys = [], []
    for i, (name, asset) in enumerate(held.items(), start=1):
        rows, key = _rates(lake, f"Collateral in {name}", venue, (name, currency), chosen.get(name), first, last)
        if not len(rows) or rows["ts"][0] > first:
            raise ConfigError(
                f"No rate of {name} is known when the run begins, at {iso(first)}",
                remedy="Import earlier bars of the rate, or start later",
            )
        rows["symbol"] = -1 - i
        assets[i]["balance"] = round(asset.amount * assets[i]["unit"])
        assets[i]["bid_buffer"] = assets[i]["exchange_bid_buffer"] = asset.haircut
        parts.append(rows)
        keys.append(key)
    rates = np.concatenate(parts)
    return Collateral(assets, rates[np.argsort(rates["ts"], kind="stable")]), keys


def _rates(
    lake: Lake, what: str, venue: str, pair: tuple[str, str], chosen: RateSettings | None, first: int, last: int
) -> tuple[np.ndarray, SeriesKey]:
    """RATE rows of a currency in another from the last one known at `first` on, and the series that they are from."""
    key = _series(lake, what, venue, pair, chosen)
    try:
        table = lake.read(key, start_us=first - _BEFORE_US, end_us=last + 1, columns=["ts", "close"])
    except EmptyRangeError:
        raise ConfigError(
            f"{key} says nothing of what {pair[0]} is worth in this run",
            remedy="Import its bars of the time, or choose another series under account.rates",
        ) from None
    rows = np.zeros(table.height, RATE)
    rows["ts"] = table["ts"].to_physical().to_numpy() + key.step_us
    close = table["close"].to_numpy()
    rows["rate"] = close if _is_quoted_in(key.symbol, pair[1]) else 1.0 / close
    known = int(np.searchsorted(rows["ts"], first, side="right"))
    return rows[max(0, known - 1) :], key


def _is_quoted_in(symbol: str, currency: str) -> bool:
    return symbol.replace("_", "").replace("/", "").replace("-", "").endswith(currency)


def _series(lake: Lake, what: str, venue: str, pair: tuple[str, str], chosen: RateSettings | None) -> SeriesKey:
    if chosen is not None:
        return SeriesKey("bars", chosen.venue, chosen.symbol, chosen.timeframe)
    own, currency = pair
    pairs = (own + currency, currency + own)
    listed: Iterable[SeriesInfo] = lake.series(kind="bars")
    known = [info.key for info in listed if info.key.symbol in pairs]
    if not known:
        raise ConfigError(
            f"{what} is settled in {own}, the account is in {currency}, and the lake has no "
            f"bars of {pairs[0]} or {pairs[1]}",
            remedy=f"Import them, or name the series under account.rates.{own}",
        )
    return min(known, key=lambda key: (key.venue != venue, key.step_us, key.symbol))
