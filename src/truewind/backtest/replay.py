"""Replay: series of the lake as one timeline, with the features that the strategy reads, and what falls due."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import polars as pl

from truewind import features
from truewind.backtest.account import AccountSettings
from truewind.backtest.data import DataSettings
from truewind.backtest.dues import FinancingSettings, falling_due
from truewind.backtest.members import Members, members_of
from truewind.backtest.rates import Rates, collateral_of, rates_of_exchange
from truewind.backtest.reads import Columns, Inputs, with_fields
from truewind.domain.calendar import calendar
from truewind.domain.clock import iso
from truewind.domain.due import DueKind
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, timeframe_us
from truewind.engine.merge import Timeline, merge, merge_trades
from truewind.engine.nested import nest
from truewind.errors import ConfigError, EmptyRangeError
from truewind.market.universe import Specifications
from truewind.portfolio.collateral import Collateral, no_collateral
from truewind.portfolio.settlement import settling_days
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import Snapshot

_PRICE_COLUMNS = ("open", "high", "low", "close")
_BAR_COLUMNS = ("ts", *_PRICE_COLUMNS, "volume")
_OPTIONAL_COLUMNS = ("quote_volume", "trades", "taker_buy_volume", "ts_recv")


NOTHING = FinancingSettings()
_SATURDAY_NOON_US = 2 * DAY_US + DAY_US // 2  # 1970-01-03: the first day of that year was a Thursday


class Replay(NamedTuple):
    """What a backtest runs on. dues: DUE rows by symbol. rates: RATE rows by symbol. warnings:
    what a reader must know of the data.
    """

    timeline: Timeline
    instruments: list[Instrument]
    dues: dict[str, np.ndarray]
    snapshot: Snapshot
    warnings: list[str]
    rates: dict[str, np.ndarray]
    collateral: Collateral

    def settling(self) -> np.ndarray:
        """SETTLING rows of the days in this timeline. Raises ConfigError for what is not settled some days later."""
        for instrument in self.instruments:
            if instrument.kind is not Kind.EQUITY:
                raise ConfigError(
                    f"{instrument.id} is no share: what it brings is there at once",
                    remedy="Leave account.settled_only out",
                )
        market = calendar(self.instruments[0].calendar)
        opened, row = self.timeline.times[0], 0
        ends: list[int] = []
        while row < len(opened):  # a day without a row was a holiday
            ends.append(market.day_end_us(int(opened[row])))
            row = int(np.searchsorted(opened, ends[-1]))
        return settling_days(np.array(ends), market.zone)


def replay(
    lake: Lake,
    data: DataSettings,
    reads: Mapping[str, str],
    financing: FinancingSettings = NOTHING,
    account: AccountSettings | None = None,
    *,
    members: Members | None = None,
    pieces: Sequence[int] = (),
) -> Replay:
    """Read everything that `data` asks for. reads: field name → feature spec; financing: what falls due; account: in
    whose currency instruments are to be valued; members: those of a run over a universe, if they are known already;
    pieces: see `Inputs.compute`.

    Raises UnknownSeriesError, EmptyRangeError or ConfigError, and FeatureError for a spec that does not exist.
    """
    if len({data.key(symbol) for symbol in data.symbols}) < len(data.symbols):
        raise ConfigError(f"data.symbols names one twice: {', '.join(data.symbols)}", remedy="Name each symbol once")
    if data.kind != "bars" and reads:
        raise ConfigError("A run on trades has no bars to compute features on", remedy="Use kind: bars, or no features")
    reading = _Reading(lake, data, members or chosen_members(lake, data))
    rows = reading.rows(reads, pieces)
    instruments = reading.instruments(rows)
    dues = reading.dues(rows, instruments, financing)
    rates, backing = reading.valued(rows, instruments, account)
    timeline = reading.timeline(rows, instruments)
    return Replay(timeline, instruments, dues, lake.snapshot(reading.keys), reading.warnings, rates.rows, backing)


def chosen_members(lake: Lake, data: DataSettings) -> Members | None:
    """The members of a run over a universe, None for a run that names its symbols."""
    if data.universe is None:
        return None
    return members_of(lake, data.venue, data.timeframe, data.universe, data.span_us(), data.symbols)


class _Reading:
    """One reading of the lake: which series it has taken so far (`keys`), and what must be known of them (`warnings`).

    length: of the bars that are decided on, µs; 0 for trades.
    """

    def __init__(self, lake: Lake, data: DataSettings, members: Members | None) -> None:
        self.lake, self.data, self.members = lake, data, members
        self.start, self.end = data.span_us()
        self.length = timeframe_us(data.timeframe) if data.kind == "bars" else 0
        self.series = {symbol: data.key(symbol) for symbol in (data.symbols if members is None else members.symbols)}
        self.keys: list[SeriesKey] = []
        self.warnings: list[str] = []

    def rows(self, reads: Mapping[str, str], pieces: Sequence[int]) -> dict[str, Columns]:
        """The bars of every symbol with the fields `reads`, or its trades."""
        if not self.length:
            return {symbol: _trades(self.lake, key, self.start, self.end) for symbol, key in self.series.items()}
        rows = self._bars_with(reads, pieces)
        if self.members is not None:
            if not rows:
                raise EmptyRangeError(
                    "None of the chosen symbols has bars in this run", remedy="See `truewind data list`"
                )
            for symbol, columns in rows.items():
                columns["member"] = self.members.chosen(symbol, columns["ts"] + self.length)
        return rows

    def instruments(self, rows: Mapping[str, Columns]) -> list[Instrument]:
        """What is traded, as it was when the run began."""
        about = {venue: Specifications(self.lake, venue) for venue in self.data.venues}
        found = []
        for symbol, columns in rows.items():
            key = self.series[symbol]
            instrument = about[key.venue].at(key.symbol, int(columns["ts"][0]))
            if symbol != key.symbol:
                instrument = msgspec.structs.replace(instrument, called=symbol)
            found.append(instrument)
            self.keys.append(key)
            if instrument.inferred:
                self.warnings.append(
                    f"{symbol}: tick {instrument.tick_size.normalize():f} and lot {instrument.lot_size.normalize():f} "
                    "were inferred from the data; the venue's minimum notional is not known"
                )
            if self.length:
                self.warnings += _gaps(columns["ts"], self.length, symbol, instrument.calendar)
        return found

    def dues(
        self, rows: Mapping[str, Columns], instruments: Sequence[Instrument], financing: FinancingSettings
    ) -> dict[str, np.ndarray]:
        """DUE rows by symbol. A chosen symbol whose bars end for good is delisted then."""
        dues: dict[str, np.ndarray] = {}
        for instrument, (symbol, columns) in zip(instruments, rows.items(), strict=True):
            ending = instrument
            if self.members is not None and instrument.expiry_us is None:
                known, until = int(columns["ts"][-1]) + self.length, self.members.selection.periods[-1].end_us
                ending = msgspec.structs.replace(instrument, expiry_us=self.members.ends(symbol, known, until))
            found = falling_due(self.lake, ending, columns, self.length, financing)
            self.keys += found.keys
            self.warnings += found.warnings
            if len(found.rows):
                dues[symbol] = found.rows
        if self.members is not None:
            self.keys += self.members.read
            self.warnings += self.members.warnings()
        self.warnings += _ended(rows, self.length, dues)
        return dues

    def valued(
        self, rows: Mapping[str, Columns], instruments: Sequence[Instrument], account: AccountSettings | None
    ) -> tuple[Rates, Collateral]:
        """What other currencies are worth in that of the account; nothing without one."""
        if account is None:
            return Rates({}, []), no_collateral()
        first = min(int(columns["ts"][0]) for columns in rows.values())
        last = max(int(columns["ts"][-1]) for columns in rows.values()) + self.length
        currency, chosen = account.currency, account.rates
        rates = rates_of_exchange(self.lake, instruments, currency, chosen, first, last)
        backing, more = collateral_of(self.lake, account.collateral, self.data.venue, currency, chosen, first, last)
        self.keys += rates.keys + more
        return rates, backing

    def timeline(self, rows: dict[str, Columns], instruments: Sequence[Instrument]) -> Timeline:
        """All symbols on one timeline, with their mark and index prices, and the shorter bars inside of theirs."""
        data, walked, step = self.data, rows, self.length
        if not self.length:
            return merge_trades(rows)
        if data.inner_timeframe:
            walked, step = self._inner(rows, instruments), timeframe_us(data.inner_timeframe)
        timeline = merge(
            walked, dict.fromkeys(walked, step), self._beside("mark", walked), self._beside("index", walked)
        )
        if data.inner_timeframe:
            timeline, lost = nest(timeline, rows, self.length)
            if lost:
                self.warnings.append(
                    f"{lost} bars of {data.timeframe} were not decided on: no {data.inner_timeframe} bars lead to them"
                )
        return timeline

    def _inner(self, rows: Mapping[str, Columns], instruments: Sequence[Instrument]) -> dict[str, Columns]:
        """The bars on which orders are matched, where these are shorter than those that are decided on."""
        timeframe, walked = self.data.inner_timeframe, {}
        for symbol, instrument in zip(rows, instruments, strict=True):
            key, begin = self.data.key(symbol, timeframe=timeframe), self._begin(symbol)
            self.keys.append(key)
            walked[symbol] = _begun(key, _bars(self.lake, key, begin, self.end), begin)
            name = f"{symbol} {timeframe}"
            self.warnings += _gaps(walked[symbol]["ts"], timeframe_us(timeframe), name, instrument.calendar)
        return walked

    def _begin(self, symbol: str) -> int | None:
        """When the rows of a symbol begin; None: with the first there is."""
        return self.start if self.members is None else self.members.first_us(symbol)

    def _bars_with(self, reads: Mapping[str, str], pieces: Sequence[int]) -> dict[str, Columns]:
        """The bars of every symbol with the fields `reads`."""
        length, specs, series = self.length, list(reads.values()), self.series
        needed = features.history(specs, self.data.timeframe)  # what counts from its beginning gets all there is
        wide: dict[str, Columns] = {}
        for symbol, key in series.items():
            begin = self._begin(symbol)
            try:
                earlier = None if begin is None or needed is None else begin - needed * length
                found = _bars(self.lake, key, earlier, self.end)
                _begun(key, found, begin)
            except EmptyRangeError:
                if self.members is None:
                    raise
                self.warnings.append(f"{symbol}: chosen at {iso(begin or 0)}, but its bars end before that")
                continue
            wide[symbol] = found
        if reads and wide:
            origin = None if self.start is None or needed is None else self.start - needed * length
            among = {}
            if self.members:
                among = {symbol: self.members.chosen(symbol, wide[symbol]["ts"] + length) > 0.0 for symbol in wide}
            inputs = Inputs(
                self.lake, {symbol: series[symbol] for symbol in wide}, wide,
                start_us=origin, find=self.data.key, among=among, exchange=self.data.exchange,
            )  # fmt: skip
            for symbol, columns in inputs.compute(specs, pieces=pieces).items():
                wide[symbol] |= with_fields(columns, reads)
            self.keys += inputs.read
            self.warnings += inputs.warnings(self.start)
        return {symbol: _begun(series[symbol], columns, self._begin(symbol)) for symbol, columns in wide.items()}

    def _beside(self, which: Literal["mark", "index"], rows: Mapping[str, Columns]) -> dict[str, Columns]:
        """Mark or index prices by symbol on the times of its `rows`, NaN where there is no bar.

        A symbol whose series the lake does not have, or not of this period, is left out.
        """
        found: dict[str, Columns] = {}
        if (self.data.mark if which == "mark" else self.data.index) != "auto":
            return found
        for symbol, bars in rows.items():
            ts = bars["ts"]
            key = self.data.key(symbol, f"{which}_bars", self.data.inner_timeframe or self.data.timeframe)
            columns = ["ts", *_PRICE_COLUMNS]
            table = self.lake.find(key, start_us=int(ts[0]), end_us=int(ts[-1]) + 1, columns=columns)
            if table is None:
                continue
            self.keys.append(key)
            at = _numpy(table["ts"])
            place = np.minimum(np.searchsorted(at, ts), len(at) - 1)
            known = at[place] == ts
            found[symbol] = {name: np.where(known, _numpy(table[name])[place], np.nan) for name in _PRICE_COLUMNS}
            if missing := int((~known).sum()):
                first = iso(int(ts[int(np.argmin(known))]))
                self.warnings.append(
                    f"{symbol}: {missing} of {len(ts)} bars have no {which} price, the first at {first}; "
                    "their traded prices stand in"
                )
        return found


def _bars(lake: Lake, key: SeriesKey, start: int | None, end: int | None) -> dict[str, np.ndarray]:
    known = next((info.columns for info in lake.series(kind=key.kind, venue=key.venue, symbol=key.symbol,
                                                       timeframe=key.timeframe)), ())  # fmt: skip
    columns = [*_BAR_COLUMNS, *(name for name in _OPTIONAL_COLUMNS if name in known)]
    table = lake.read(key, start_us=start, end_us=end, columns=columns)
    return {name: _numpy(table[name]) for name in columns}


def _begun(key: SeriesKey, arrays: dict[str, np.ndarray], start: int | None) -> dict[str, np.ndarray]:
    """The rows from `start` on. Raises EmptyRangeError if there are none."""
    first = 0 if start is None else int(np.searchsorted(arrays["ts"], start))
    if first == len(arrays["ts"]):
        raise EmptyRangeError(
            f"{key.symbol} {key.timeframe} has no bar from {iso(start or 0)} on", remedy="See `truewind data list`"
        )
    return {name: values[first:] for name, values in arrays.items()} if first else arrays


def _trades(lake: Lake, key: SeriesKey, start: int | None, end: int | None) -> dict[str, np.ndarray]:
    table = lake.read(key, start_us=start, end_us=end)
    columns = {"ts": _numpy(table["ts"])}
    for name in ("price", "quantity", "side", "id", "ts_recv"):
        if name in table.columns:
            columns[name] = _numpy(table[name])
    return columns


def _numpy(column: pl.Series) -> np.ndarray:
    if column.dtype == pl.Float64:
        return column.to_numpy() if column.null_count() == 0 else column.fill_null(float("nan")).to_numpy()
    return column.to_physical().fill_null(0).to_numpy()


def _ended(rows: Mapping[str, Mapping[str, np.ndarray]], length: int, dues: Mapping[str, np.ndarray]) -> list[str]:
    """A warning for each symbol whose data end long before the others' although nothing says that it ended."""
    ends = {symbol: int(columns["ts"][-1]) + length for symbol, columns in rows.items()}
    last = max(ends.values())
    return [
        f"{symbol}: its data end at {iso(end)}, {(last - end) / DAY_US:.0f} days before the others'; what is held then "
        "stays at the last price. If it was delisted, give the instrument an expiry"
        for symbol, end in ends.items()
        if last - end > max(7 * DAY_US, length)
        and not (symbol in dues and (dues[symbol]["kind"] == DueKind.SETTLEMENT).any())
    ]


def _gaps(ts: np.ndarray, length: int, symbol: str, market: str) -> list[str]:
    steps = np.diff(ts)
    if calendar(market).weekdays:  # a weekend, and a holiday beside it, is no gap
        saturdays = (ts - _SATURDAY_NOON_US) // (7 * DAY_US)
        steps = np.where((np.diff(saturdays) == 1) & (steps <= 4 * DAY_US), length, steps)
    missing = int((steps // length - 1).sum())
    if not missing:
        return []
    longest = int(steps.argmax())
    return [
        f"{symbol}: {missing} bars are missing in {int((steps > length).sum())} gaps, the longest after "
        f"{iso(int(ts[longest]))}"
    ]
