"""Rates of exchange of a run: what other currencies are worth in the account's, from bars of the lake."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from truewind.config import Settings
from truewind.domain.instrument import Instrument
from truewind.domain.terms import RATE
from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError, EmptyRangeError
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import SeriesInfo

_BEFORE_US = 14 * DAY_US  # how old a rate may be when a run begins: markets close over holidays


class RateSettings(Settings):
    """The bars whose closes are a currency's rate: of the pair, either way round."""

    venue: str
    symbol: str
    timeframe: str


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
        key = _series(lake, instrument, currency, chosen.get(instrument.currency))
        try:
            table = lake.read(key, start_us=first - _BEFORE_US, end_us=last + 1, columns=["ts", "close"])
        except EmptyRangeError:
            raise ConfigError(
                f"{key} says nothing of what {instrument.currency} is worth in this run",
                remedy="Import its bars of the time, or choose another series under account.rates",
            ) from None
        rows = np.zeros(table.height, RATE)
        rows["ts"] = table["ts"].to_physical().to_numpy() + key.step_us
        close = table["close"].to_numpy()
        rows["rate"] = close if _is_quoted_in(key.symbol, currency) else 1.0 / close
        known = int(np.searchsorted(rows["ts"], first, side="right"))
        found.rows[instrument.symbol] = rows[max(0, known - 1) :]  # one is known when the run begins
        found.keys.append(key)
    return found


def _is_quoted_in(symbol: str, currency: str) -> bool:
    return symbol.replace("_", "").replace("/", "").replace("-", "").endswith(currency)


def _series(lake: Lake, instrument: Instrument, currency: str, chosen: RateSettings | None) -> SeriesKey:
    if chosen is not None:
        return SeriesKey("bars", chosen.venue, chosen.symbol, chosen.timeframe)
    pairs = (instrument.currency + currency, currency + instrument.currency)
    listed: Iterable[SeriesInfo] = lake.series(kind="bars")
    known = [info.key for info in listed if info.key.symbol in pairs]
    if not known:
        raise ConfigError(
            f"{instrument.id} is settled in {instrument.currency}, the account is in {currency}, and the lake has no "
            f"bars of {pairs[0]} or {pairs[1]}",
            remedy=f"Import them, or name the series under account.rates.{instrument.currency}",
        )
    return min(known, key=lambda key: (key.venue != instrument.venue, key.step_us, key.symbol))
