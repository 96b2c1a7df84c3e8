"""Dues of a run: what falls due for the holders of its symbols, from the series of the lake and the config."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from truewind.config import Settings
from truewind.domain.calendar import calendar
from truewind.domain.clock import iso
from truewind.domain.due import DUE, SWAP_SCALE, DueKind, due_rows, in_order
from truewind.domain.instrument import Instrument, Kind, currency_precision
from truewind.domain.timeframe import DAY_US, SECOND_US
from truewind.portfolio.expiry import settlement_price
from truewind.portfolio.financing import WEDNESDAY, nights_charged
from truewind.portfolio.funding import CONTRADICTED, REPEATED, due_times
from truewind.portfolio.ledger import RATE_SCALE
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.venues.binance.terms import settlement_window_us

# Venues stamp funding a few milliseconds after the hour at which it is due (0 to 17 ms seen). It is charged on what was
# held at the hour, so stamps up to this much late count as punctual.
FUNDING_JITTER_US = 5 * SECOND_US
_TAKERS_RATE = -1
_MOST_PARTS = 1000  # splits are ratios of small numbers: 3 for 2, 7 for 1, 1 for 10


class SwapSettings(Settings):
    """What a broker pays (negative: charges) a night for one unit of a currency pair, in its quote currency."""

    long: float = Field(default=0.0, description="for a long position, a night and unit, in the quote currency")
    short: float = Field(default=0.0, description="for a short position, a night and unit, in the quote currency")
    triple: int = Field(default=WEDNESDAY, ge=0, le=4, description="day that counts three nights; Monday is 0")


class FinancingSettings(Settings):
    """What it costs to hold what is borrowed. Defaults: nothing, and the report says so.

    A position in a currency pair that is held over the end of the day (17:00 in New York) is charged a night, on
    Wednesdays (triple: 2) three.
    """

    borrow_rate: float | dict[str, float] = Field(
        default=0.0, description="a year, of short shares' collateral, for every symbol or by symbol"
    )
    swap: dict[str, SwapSettings] = Field(
        default_factory=dict, description="of currency pairs, by symbol; charged at 17:00 in New York"
    )


class Dues(NamedTuple):
    """rows: DUE. keys: the series that they are from. warnings: what a reader must know of them."""

    rows: np.ndarray
    keys: list[SeriesKey]
    warnings: list[str]


def falling_due(
    lake: Lake,
    instrument: Instrument,
    bars: Mapping[str, np.ndarray],
    length: int,
    financing: FinancingSettings,
) -> Dues:
    """All that falls due for the holders of `instrument` while its `bars` (or trades, length 0) go by.

    bars: ts, and open and close or price.
    """
    found = Dues(np.zeros(0, DUE), [], [])
    first, last = int(bars["ts"][0]), int(bars["ts"][-1]) + length
    parts = []
    if instrument.kind is Kind.PERPETUAL:
        parts.append(_funding(lake, instrument, first, last, found))
    if instrument.kind is Kind.EQUITY:
        parts += [_dividends(lake, instrument, first, last, found), _splits(lake, instrument, bars, found)]
        rate = financing.borrow_rate
        yearly = rate.get(instrument.name, 0.0) if isinstance(rate, dict) else rate
        if yearly != 0.0:
            parts.append(_borrow(instrument, first, last, yearly))
    if instrument.name in financing.swap:
        parts.append(_swaps(instrument, first, last, financing.swap[instrument.name]))
    elif instrument.kind is Kind.FX:
        found.warnings.append(f"{instrument.name}: no financing.swap is given; nights cost nothing")
    if instrument.expiry_us is not None and first < instrument.expiry_us <= last:
        parts.append(_settlement(lake, instrument, bars, length, found))
    return found._replace(rows=in_order(*parts))


def _funding(lake: Lake, instrument: Instrument, first: int, last: int, found: Dues) -> np.ndarray:
    key, symbol = SeriesKey("funding", instrument.venue, instrument.symbol), instrument.name
    rows = funding_dues(lake, key, instrument, first, last)
    if rows is None:
        found.warnings.append(f"{symbol}: no funding rates for this period in the lake; no funding is charged")
        return np.zeros(0, DUE)
    found.keys.append(key)
    times = due_times(rows["ts"], rows["amount"])
    again = (times.problem == REPEATED) | (times.problem == CONTRADICTED)
    if again.any():
        found.warnings.append(
            f"{symbol}: {again.sum()} settlements of an hour that has one already are left out, the first at "
            f"{iso(int(rows['ts'][again][0]))}"
        )
    late = uncharged(rows["ts"], first, last, symbol)
    if not late and times.missing.any():
        at = int(rows["ts"][times.missing.argmax()])
        late = [f"{symbol}: {times.missing.sum()} funding settlements are missing, the longest hole before {iso(at)}"]
    found.warnings.extend(late)
    kept: np.ndarray = rows[~again]
    return kept


def _read(lake: Lake, kind: str, instrument: Instrument, first: int, last: int, found: Dues) -> pl.DataFrame | None:
    """The rows in (first, last) of a series that may not be there: at the first open nothing is held yet."""
    key = SeriesKey(kind, instrument.venue, instrument.symbol)
    table = lake.find(key, start_us=first + 1, end_us=last)
    if table is not None:
        found.keys.append(key)
    return table


def _dividends(lake: Lake, instrument: Instrument, first: int, last: int, found: Dues) -> np.ndarray:
    table = _read(lake, "dividends", instrument, first, last, found)
    if table is None:
        return np.zeros(0, DUE)
    unit = 10 ** currency_precision(instrument.currency)
    shares = [Fraction(Decimal(repr(cash)) * unit) for cash in table["dividend"]]
    return due_rows(
        DueKind.DIVIDEND,
        table["ts"].to_physical().to_numpy(),
        np.array([share.numerator for share in shares]),
        np.array([share.denominator for share in shares]),
    )


def _splits(lake: Lake, instrument: Instrument, bars: Mapping[str, np.ndarray], found: Dues) -> np.ndarray:
    """DUE rows of the splits that the prices show; one that they do not show has been taken out of them before."""
    ts = bars["ts"]
    table = _read(lake, "splits", instrument, int(ts[0]), int(ts[-1]) + 1, found)
    if table is None:
        return np.zeros(0, DUE)
    opens, closes = (bars[name] if name in bars else bars["price"] for name in ("open", "close"))
    rows = []
    for when, ratio in zip(table["ts"].to_physical(), table["split"], strict=True):
        at = int(np.searchsorted(ts, when))
        fell = closes[at - 1] / opens[at]
        if abs(np.log(fell / ratio)) > abs(np.log(fell)):
            found.warnings.append(
                f"{instrument.name}: the split of {iso(when)[:10]} ({ratio:g} for 1) does not show in the prices, "
                "which were adjusted for it; holdings are left as they are"
            )
            continue
        parts = Fraction(ratio).limit_denominator(_MOST_PARTS)
        rows.append(due_rows(DueKind.SPLIT, when, parts.numerator, parts.denominator))
    return in_order(*rows)


def _day_ends(instrument: Instrument, first: int, last: int) -> list[int]:
    """When the market's days end, from the one that holds `first` to `last`."""
    year, ends = calendar(instrument.calendar), [first]
    while ends[-1] <= last:
        ends.append(year.day_end_us(ends[-1]))
    return ends[1:]


def _borrow(instrument: Instrument, first: int, last: int, yearly: float) -> np.ndarray:
    ends = _day_ends(instrument, first, last)
    days = np.rint(np.diff(ends) / DAY_US).astype(np.int64)
    return due_rows(DueKind.BORROW, np.array(ends[:-1]), round(yearly * RATE_SCALE), days)


def _swaps(instrument: Instrument, first: int, last: int, swap: SwapSettings) -> np.ndarray:
    ends = np.array([end for end in _day_ends(instrument, first, last) if end < last], np.int64)
    weekdays = (ends // DAY_US + 3) % 7  # 1970-01-01 was a Thursday; a day that ends at 17:00 in New York is UTC's too
    nights = np.array([nights_charged(int(day), swap.triple) for day in weekdays], np.int64)
    long, short = (round(SWAP_SCALE * side / float(instrument.tick_size)) for side in (swap.long, swap.short))
    return due_rows(DueKind.SWAP, ends, long * nights, short * nights)


def _settlement(
    lake: Lake, instrument: Instrument, bars: Mapping[str, np.ndarray], length: int, found: Dues
) -> np.ndarray:
    """The end of the contract at the venue's settlement price: the mean index price, else the last price traded."""
    at = instrument.expiry_us or 0
    window = settlement_window_us(at)
    price = float("nan")
    known = lake.series(kind="index_bars", venue=instrument.venue, symbol=instrument.symbol)
    for info in sorted(known, key=lambda info: info.key.step_us):
        step = info.key.step_us
        table = lake.find(info.key, start_us=at - window - step, end_us=at, columns=["ts", "close"])
        if table is None:
            continue
        price = settlement_price(
            table["ts"].to_physical().to_numpy() + step, table["close"].to_numpy(), at, window
        )  # fmt: skip
        found.keys.append(info.key)
        break
    if np.isnan(price):
        row = int(np.searchsorted(bars["ts"] + length, at, side="right")) - 1
        price = float((bars["close"] if "close" in bars else bars["price"])[max(row, 0)])
        found.warnings.append(
            f"{instrument.name}: no index prices before its end at {iso(at)}; settled at the last price, {price:g}"
        )
    ticks = max(1, round(price / float(instrument.tick_size)))
    return due_rows(DueKind.SETTLEMENT, at, _TAKERS_RATE, price=ticks)


def funding_dues(lake: Lake, key: SeriesKey, instrument: Instrument, first: int, last: int) -> np.ndarray | None:
    """DUE rows of the funding in (first, last): at the first bar's open nothing is held yet; None if none is known."""
    table = lake.find(key, start_us=first, end_us=last)
    if table is None:
        return None
    ts = table["ts"].dt.epoch("us").to_numpy()
    late = ts % (60 * SECOND_US)
    due = np.where(late <= FUNDING_JITTER_US, ts - late, ts)
    mark = np.full(len(ts), np.nan)
    if "mark_price" in table.columns:
        mark = table["mark_price"].fill_null(float("nan")).to_numpy().copy()
    unknown = np.isnan(mark)
    if unknown.any():
        mark[unknown] = _marks_at(lake, key, due[unknown])
    marks = np.rint(np.nan_to_num(mark) / float(instrument.tick_size))
    return due_rows(DueKind.FUNDING, due, np.rint(table["rate"].to_numpy() * RATE_SCALE), price=marks)


def _marks_at(lake: Lake, key: SeriesKey, ts: np.ndarray) -> np.ndarray:
    """The symbol's mark price at the times `ts`: the open of a mark bar that begins then, NaN where there is none."""
    found = np.full(len(ts), np.nan)
    for info in lake.series(kind="mark_bars", venue=key.venue, symbol=key.symbol):
        table = lake.read(info.key, columns=["ts", "open"])
        opens = table["ts"].dt.epoch("us").to_numpy()
        at = np.minimum(np.searchsorted(opens, ts), len(opens) - 1)
        known = opens[at] == ts
        found[known] = table["open"].to_numpy()[at[known]]
    return found


def uncharged(ts: np.ndarray, first: int, last: int, symbol: str) -> list[str]:
    """A warning if the funding rates leave more than a day at either end of the bars, or in between, without any."""
    known = np.concatenate([[first], ts, [last]])
    if (longest := int(np.diff(known).max())) <= DAY_US:
        return []
    since = int(known[np.diff(known).argmax()])
    return [f"{symbol}: no funding rates in the lake for {longest / DAY_US:.1f} days from {iso(since)}; none charged"]
