"""SyntheticMarket: the process as tables, and into the lake."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
from numpy.typing import NDArray

from truewind.domain.book import BookKind
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US, timeframe_us
from truewind.errors import ConfigError, EmptyRangeError, MissingFileError, UnknownSeriesError, ValidationError, suggest
from truewind.market.resample import resample
from truewind.market.synthetic.book import EVERY_US, FEED_US, book_hour, taken_before
from truewind.market.synthetic.config import MINUTES_PER_DAY, VENUE, SyntheticConfig, instrument
from truewind.market.synthetic.flow import (
    BID,
    BOUGHT,
    CLOSE,
    HIGH,
    LEVEL,
    LOW,
    NOTIONAL,
    OPEN,
    SIZE,
    STEPS,
    TRADES,
    VOLUME,
    minute_bars,
    minute_flow,
    minute_trades,
)
from truewind.market.synthetic.process import Market, market_minutes, stream, symbol_minutes
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

FUNDING_US = 8 * HOUR_US
TRADE = int(BookKind.TRADE)
FUNDING_CAP = 0.0075
INTEREST = 0.0001  # a settlement: 0.03 % a day, as Binance has it
Floats = NDArray[np.float64]
Ticks = NDArray[np.int64]


class SyntheticMarket:
    """A made-up venue with a history: the same settings give the same tables, to the bit.

    The last symbol asked for is kept in memory (some 50 MB for 210 days), others are made anew.
    """

    def __init__(self, config: SyntheticConfig | None = None) -> None:
        self.config = config or SyntheticConfig()
        self._market: Market | None = None
        self._latest: tuple[str, Floats, Ticks] | None = None

    def instruments(self) -> list[Instrument]:
        """What is traded, a perpetual or a spot pair for each symbol."""
        return [self._instrument(symbol) for symbol in self.config.symbols]

    def bars(self, symbol: str, timeframe: str = "1m") -> pl.DataFrame:
        """Bars with all columns (ts, open … taker_buy_volume) over the whole history, every minute present.

        Larger timeframes are the exact resample of the minutes. Raises UnknownSeriesError, ConfigError.
        """
        length = timeframe_us(timeframe)
        if length % MINUTE_US or DAY_US % length:
            raise ConfigError(
                f"The synthetic market has no {timeframe} bars",
                remedy="Ask for whole minutes that divide a day: 1m, 5m, 1h, 1d",
            )
        _, ticks = self._minutes(symbol)
        about = self._instrument(symbol)
        minutes = pl.DataFrame(
            {
                "ts": _as_time(self.config.start_us + np.arange(len(ticks)) * MINUTE_US),
                "open": _exact(ticks[:, OPEN], about.tick_size),
                "high": _exact(ticks[:, HIGH], about.tick_size),
                "low": _exact(ticks[:, LOW], about.tick_size),
                "close": _exact(ticks[:, CLOSE], about.tick_size),
                "volume": _exact(ticks[:, VOLUME], about.lot_size),
                "quote_volume": _exact(ticks[:, NOTIONAL], about.tick_size * about.lot_size),
                "trades": ticks[:, TRADES].astype(np.float64),
                "taker_buy_volume": _exact(ticks[:, BOUGHT], about.lot_size),
            }
        )
        return minutes if length == MINUTE_US else resample(minutes, "1m", timeframe)

    def trades(self, symbol: str, start_us: int, end_us: int) -> pl.DataFrame:
        """Trades with start_us ≤ ts < end_us: ts, price, quantity, side (+1 the taker bought), id (1, 2, …).

        The trades of a minute add up to its bar in every column. A liquid symbol has about 800,000 a day: ask for
        hours, not for months. Raises UnknownSeriesError, and EmptyRangeError where the history has no such time.
        """
        begin, end = max(start_us, self.config.start_us), min(end_us, self.config.end_us)
        if begin >= end:
            raise EmptyRangeError(
                f"{symbol}: the synthetic history has no trades from {start_us} to {end_us} µs",
                remedy=f"Ask within {self.config.start_us} to {self.config.end_us}, start before end",
                symbol=symbol,
            )
        minutes, ticks = self._minutes(symbol)
        about = self._instrument(symbol)
        first, last = (begin - self.config.start_us) // HOUR_US, (end - 1 - self.config.start_us) // HOUR_US
        rows = np.concatenate([self._hour(symbol, minutes, ticks, hour) for hour in range(first, last + 1)])
        wanted = slice(*np.searchsorted(rows[:, 0], (begin, end)))
        earlier = int(ticks[: first * 60, TRADES].sum())
        return pl.DataFrame(
            {
                "ts": _as_time(rows[wanted, 0]),
                "price": _exact(rows[wanted, 1], about.tick_size),
                "quantity": _exact(rows[wanted, 2], about.lot_size),
                "side": rows[wanted, 3].astype(np.int8),
                "id": np.arange(1, len(rows) + 1)[wanted] + earlier,
            }
        )

    def book(self, symbol: str, start_us: int, end_us: int) -> pl.DataFrame:
        """What happened to the order book, as the lake keeps it (kind `book`): of every hour that the span
        touches a depth snapshot, an update every 100 ms, and the trades of `trades`.

        An hour of a liquid symbol has some 200,000 rows. Raises UnknownSeriesError, and EmptyRangeError where the
        history has no such time.
        """
        trades = self.trades(symbol, *self._whole_hours(start_us, end_us))
        minutes, _ = self._minutes(symbol)
        about = self._instrument(symbol)
        at = trades["ts"].to_physical().to_numpy() - self.config.start_us
        lots = np.round(trades["quantity"].to_numpy() / float(about.lot_size)).astype(np.int64)
        side = trades["side"].to_numpy()
        parts = []
        for hour in range(int(at[0] // HOUR_US), int(at[-1] // HOUR_US) + 1):
            inside = slice(*np.searchsorted(at, (hour * HOUR_US, (hour + 1) * HOUR_US)))
            taken = taken_before(at[inside] - hour * HOUR_US, side[inside], lots[inside])
            size = float(minutes[hour * 60 : hour * 60 + 60, SIZE].mean())
            seed = int(stream(self.config.seed, symbol, "book").integers(0, 1 << 31))
            before = int(self._bids(symbol, max(0, hour - 1))[-1])
            parts.append(book_hour(seed, hour, size, before, self._bids(symbol, hour), taken))
        rows = np.concatenate(parts)
        empty = rows[:, 2] == 0
        ts = self.config.start_us + rows[:, 0] * EVERY_US
        depth = pl.DataFrame(
            {
                "ts": _as_time(ts),
                "ts_recv": _as_time(ts + FEED_US),
                "kind": rows[:, 1].astype(np.int8),
                "side": rows[:, 2].astype(np.int8),
                "price": np.where(empty, 0.0, _exact(rows[:, 3], about.tick_size)),
                "quantity": _exact(rows[:, 4], about.lot_size),
                "id": rows[:, 0] + 1,
                "first": rows[:, 0] + 1,
                "previous": rows[:, 0],
            }
        )
        prints = trades.select(
            "ts",
            pl.from_epoch(pl.col("ts").to_physical() + FEED_US, "us").cast(TS).alias("ts_recv"),
            pl.lit(TRADE, pl.Int8).alias("kind"),
            "side",
            "price",
            "quantity",
            "id",
            *(pl.lit(None, pl.Int64).alias(name) for name in ("first", "previous")),
        )
        return pl.concat([depth, prints]).sort("ts", "kind", "id", "side", "price")

    def write_book(self, lake: Lake, symbol: str, start_us: int, end_us: int) -> SeriesKey:
        """Store the instrument and the order book of those hours; returns the key. Raises as `book`."""
        lake.put_instrument(self._instrument(symbol))
        key = SeriesKey("book", VENUE, symbol)
        lake.write(key, self.book(symbol, start_us, end_us))
        return key

    def funding(self, symbol: str) -> pl.DataFrame:
        """Funding settlements every eight hours: ts (a few ms late, as at real venues), rate, mark_price.

        rate = premium + clamp(interest − premium, ±0.05 %), capped at ±0.75 %: Binance's published formula with
        interest 0.01 %. The premium is 1 % of the last day's return, since crowds pay for chasing, plus noise.
        Raises UnknownSeriesError, for spot too.
        """
        if self.config.kind is not Kind.PERPETUAL:
            raise UnknownSeriesError(
                f"{symbol} is spot and pays no funding", remedy="Set kind: perpetual", symbol=symbol
            )
        minutes, ticks = self._minutes(symbol)
        level, every = minutes[:, LEVEL], FUNDING_US // MINUTE_US
        at = np.arange(every, len(ticks), every)  # before the minute that begins at the settlement
        seed = self.config.seed
        day_before = np.maximum(at - MINUTES_PER_DAY, 0)
        noise = stream(seed, symbol, "premium").standard_normal(len(at))
        premium = INTEREST + 0.01 * (level[at] - level[day_before]) + 0.0002 * noise
        rate = np.clip(premium + np.clip(INTEREST - premium, -0.0005, 0.0005), -FUNDING_CAP, FUNDING_CAP)
        late = stream(seed, symbol, "funding delay").integers(0, 18, len(at)) * 1_000
        basis = 1.0 + 0.0001 * stream(seed, symbol, "mark").standard_normal(len(at))
        return pl.DataFrame(
            {
                "ts": _as_time(self.config.start_us + at * MINUTE_US + late),
                "rate": np.round(rate, 8),
                "mark_price": np.round(np.exp(level[at]) * basis, 8),
            }
        )

    def write(self, lake: Lake, progress: Callable[[str, int, int], object] | None = None) -> list[SeriesKey]:
        """Store instruments, bars of the configured timeframe and funding of all symbols; returns the keys.

        A history that covers what is stored takes its place; one that is a part of what is stored changes nothing.
        Raises ValidationError if the stored history is another one and reaches beyond this one: worlds do not mix.
        """
        keys = []
        for done, about in enumerate(self.instruments()):
            if progress:
                progress("Synthetic market", done, len(self.config.symbols))
            lake.put_instrument(about)
            bars = SeriesKey("bars", VENUE, about.symbol, self.config.timeframe)
            keys.append(self._store(lake, bars, self.bars(about.symbol, self.config.timeframe)))
            if self.config.kind is Kind.PERPETUAL:
                keys.append(self._store(lake, SeriesKey("funding", VENUE, about.symbol), self.funding(about.symbol)))
        if progress:
            progress("Synthetic market", len(self.config.symbols), len(self.config.symbols))
        return keys

    def _store(self, lake: Lake, key: SeriesKey, table: pl.DataFrame) -> SeriesKey:
        start, end = self.config.start_us, self.config.end_us
        try:
            stored = lake.read(key)
        except (UnknownSeriesError, MissingFileError):
            stored = table.clear()
        here = stored.filter(pl.col("ts").to_physical().is_between(start, end, closed="left"))
        if here.height == stored.height:
            lake.write(key, table, mode="overwrite")
        elif not here.equals(table):
            raise ValidationError(
                f"The lake holds another synthetic history of {key} that reaches beyond this one",
                remedy="Use the settings that it was written with, or another lake folder",
                series=str(key),
            )
        return key

    def _minutes(self, symbol: str) -> tuple[Floats, Ticks]:
        if self._latest is not None and self._latest[0] == symbol:
            return self._latest[1], self._latest[2]
        if symbol not in self.config.symbols:
            raise UnknownSeriesError(
                f"The synthetic market has no symbol '{symbol}'",
                remedy=suggest(symbol, self.config.symbols),
                symbol=symbol,
            )
        if self._market is None:
            self._market = market_minutes(self.config)
        minutes = symbol_minutes(self.config, self._market, symbol)
        ticks = np.empty((self.config.minutes, 8), np.int64)
        tick = float(self._instrument(symbol).tick_size)
        for day in range(self.config.days):
            part = slice(day * MINUTES_PER_DAY, (day + 1) * MINUTES_PER_DAY)
            minute_bars(minutes[part], tick, *self._inside(symbol, day), ticks[part])
        self._latest = (symbol, minutes, ticks)
        return minutes, ticks

    def _hour(self, symbol: str, minutes: Floats, ticks: Ticks, hour: int) -> Ticks:
        """All trades of one hour of the history (ts_us, ticks, lots, side): the block by which trades are drawn."""
        inside = self._inside(symbol, hour // 24)
        tick = float(self._instrument(symbol).tick_size)
        count = int(ticks[hour * 60 : hour * 60 + 60, TRADES].sum())
        draws = stream(self.config.seed, symbol, "trades", hour).random((count, 3))
        trades = np.empty((count, 4), np.int64)
        flow = np.empty((STEPS, 5), np.int64)
        row, open_us = 0, self.config.start_us + hour * HOUR_US
        for minute in range(60):
            normal, weight, uniform = (draw[hour % 24 * 60 + minute] for draw in inside)
            minute_flow(minutes[hour * 60 + minute], tick, normal, weight, uniform, flow)
            row = minute_trades(open_us + minute * MINUTE_US, flow, draws, row, trades)
        return trades

    def _whole_hours(self, start_us: int, end_us: int) -> tuple[int, int]:
        """The hours of the history that the span touches, as a span."""
        begin = self.config.start_us
        return begin + (start_us - begin) // HOUR_US * HOUR_US, begin - (begin - end_us) // HOUR_US * HOUR_US

    def _bids(self, symbol: str, hour: int) -> Ticks:
        """The best bid in ticks of each step of the hour."""
        minutes, _ = self._minutes(symbol)
        inside = self._inside(symbol, hour // 24)
        tick = float(self._instrument(symbol).tick_size)
        flow = np.empty((STEPS, 5), np.int64)
        bids = np.empty(60 * STEPS, np.int64)
        for minute in range(60):
            normal, weight, uniform = (draw[hour % 24 * 60 + minute] for draw in inside)
            minute_flow(minutes[hour * 60 + minute], tick, normal, weight, uniform, flow)
            bids[minute * STEPS : (minute + 1) * STEPS] = flow[:, BID]
        return bids

    def _inside(self, symbol: str, day: int) -> tuple[Floats, Floats, Floats]:
        """The draws inside the minutes of one day, as `flow.minute_flow` wants them: normal, weight, uniform."""
        generator = stream(self.config.seed, symbol, "flow", day)
        return (
            generator.standard_normal((MINUTES_PER_DAY, STEPS - 1)),
            generator.standard_exponential((MINUTES_PER_DAY, STEPS)),
            generator.random((MINUTES_PER_DAY, STEPS + 1)),
        )

    def _instrument(self, symbol: str) -> Instrument:
        return instrument(symbol, Kind(self.config.kind))


def _exact(steps: NDArray[np.int64], size: Decimal) -> Floats:
    """`steps` × `size`, rounded once: the float nearest to the decimal."""
    step = Fraction(size)
    return steps * step.numerator / step.denominator


def _as_time(ts_us: Ticks) -> pl.Series:
    return pl.Series(ts_us).cast(pl.Datetime("us", "UTC"))
