"""Replay: series of the lake as one timeline, with the features that the strategy reads, and what falls due."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import polars as pl

from truewind import features
from truewind.backtest.data import DataSettings
from truewind.backtest.dues import FinancingSettings, falling_due
from truewind.backtest.members import Members, members_of
from truewind.backtest.rates import AssetSettings, Rates, RateSettings, collateral_of, rates_of_exchange
from truewind.backtest.reads import Inputs, with_fields
from truewind.domain.calendar import calendar
from truewind.domain.clock import iso
from truewind.domain.due import DueKind
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, timeframe_us
from truewind.engine.merge import Timeline, merge, merge_trades
from truewind.engine.nested import nest
from truewind.errors import ConfigError, EmptyRangeError, UnknownSeriesError
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
    currency: str = "",
    chosen: Mapping[str, RateSettings] | None = None,
    held: Mapping[str, AssetSettings] | None = None,
    members: Members | None = None,
    pieces: Sequence[int] = (),
) -> Replay:
    """Read everything that `data` asks for. reads: field name → feature spec; financing: what falls due;
    currency: the account's, if instruments are to be valued in it; chosen: the series of its rates of exchange;
    held: its other currencies; members: those of a run over a universe, if they are known already; pieces: see
    `Inputs.compute`.

    Raises UnknownSeriesError, EmptyRangeError or ConfigError, and FeatureError for a spec that does not exist.
    """
    series = {symbol: data.key(symbol) for symbol in data.symbols}
    if len(set(series.values())) < len(data.symbols):
        raise ConfigError(f"data.symbols names one twice: {', '.join(data.symbols)}", remedy="Name each symbol once")
    length = timeframe_us(data.timeframe) if data.kind == "bars" else 0
    if length == 0 and reads:
        raise ConfigError("A run on trades has no bars to compute features on", remedy="Use kind: bars, or no features")
    start, end = data.span_us()
    members = members or chosen_members(lake, data)
    series = {symbol: data.key(symbol) for symbol in (data.symbols if members is None else members.symbols)}
    about = {venue: Specifications(lake, venue) for venue in data.venues}
    instruments: list[Instrument] = []
    dues: dict[str, np.ndarray] = {}
    keys: list[SeriesKey] = []
    warnings: list[str] = []
    if length:
        rows = _bars_with(lake, data, series, members, reads, keys, warnings, pieces)
    else:
        rows = {symbol: _trades(lake, key, start, end) for symbol, key in series.items()}
    for symbol in rows:
        key = series[symbol]
        instrument = about[key.venue].at(key.symbol, int(rows[symbol]["ts"][0]))  # as it was when the run began
        if symbol != key.symbol:
            instrument = msgspec.structs.replace(instrument, called=symbol)
        instruments.append(instrument)
        keys.append(key)
        if instrument.inferred:
            warnings.append(
                f"{symbol}: tick {instrument.tick_size.normalize():f} and lot {instrument.lot_size.normalize():f} were "
                "inferred from the data; the venue's minimum notional is not known"
            )
        warnings += _gaps(rows[symbol]["ts"], length, symbol, instrument.calendar) if length else []
        ending = instrument
        if members is not None:
            known = rows[symbol]["ts"] + length
            rows[symbol]["member"] = members.chosen(symbol, known)
            if instrument.expiry_us is None:
                until = members.selection.periods[-1].end_us
                ending = msgspec.structs.replace(instrument, expiry_us=members.ends(symbol, int(known[-1]), until))
        found = falling_due(lake, ending, rows[symbol], length, financing)
        keys += found.keys
        warnings += found.warnings
        if len(found.rows):
            dues[symbol] = found.rows
    if members is not None:
        keys += members.read
        warnings += members.warnings()
        if not rows:
            raise EmptyRangeError("None of the chosen symbols has bars in this run", remedy="See `truewind data list`")
    warnings += _ended(rows, length, dues)
    spans = [(int(columns["ts"][0]), int(columns["ts"][-1]) + length) for columns in rows.values()]
    first, last = min(spans)[0], max(span[1] for span in spans)
    rates, backing = Rates({}, []), no_collateral()
    if currency:
        rates = rates_of_exchange(lake, instruments, currency, chosen or {}, first, last)
        backing, more = collateral_of(lake, held or {}, data.venue, currency, chosen or {}, first, last)
        keys += rates.keys + more
    if not length:
        tape = merge_trades(rows)
        return Replay(tape, instruments, dues, lake.snapshot(_once(keys)), warnings, rates.rows, backing)
    walked, step = rows, length
    if data.inner_timeframe:
        step = timeframe_us(data.inner_timeframe)
        walked = {}
        for symbol in rows:
            keys.append(data.key(symbol, timeframe=data.inner_timeframe))
            begin = start if members is None else members.first_us(symbol)
            walked[symbol] = _begun(keys[-1], _bars(lake, keys[-1], begin, end), begin)
            market = instruments[len(walked) - 1].calendar
            warnings += _gaps(walked[symbol]["ts"], step, f"{symbol} {data.inner_timeframe}", market)
    marks = _beside(lake, data, "mark", walked, keys, warnings)
    indices = _beside(lake, data, "index", walked, keys, warnings)
    timeline = merge(walked, dict.fromkeys(walked, step), marks, indices)
    if data.inner_timeframe:
        timeline, lost = nest(timeline, rows, length)
        if lost:
            warnings.append(
                f"{lost} bars of {data.timeframe} were not decided on: no {data.inner_timeframe} bars lead to them"
            )
    return Replay(timeline, instruments, dues, lake.snapshot(_once(keys)), warnings, rates.rows, backing)


def _bars_with(
    lake: Lake,
    data: DataSettings,
    series: Mapping[str, SeriesKey],
    members: Members | None,
    reads: Mapping[str, str],
    keys: list[SeriesKey],
    warnings: list[str],
    pieces: Sequence[int],
) -> dict[str, dict[str, np.ndarray]]:
    """The bars of every symbol with the fields `reads`; adds the series read for these, and warnings."""
    start, end = data.span_us()
    length, specs = timeframe_us(data.timeframe), list(reads.values())
    needed = features.history(specs, data.timeframe)  # what counts from its beginning gets all there is
    first = {symbol: start if members is None else members.first_us(symbol) for symbol in series}
    wide: dict[str, dict[str, np.ndarray]] = {}
    for symbol, key in series.items():
        begin = first[symbol]
        try:
            found = _bars(lake, key, None if begin is None or needed is None else begin - needed * length, end)
            _begun(key, found, begin)
        except EmptyRangeError:
            if members is None:
                raise
            warnings.append(f"{symbol}: chosen at {iso(begin or 0)}, but its bars end before that")
            continue
        wide[symbol] = found
    if reads and wide:
        origin = None if start is None or needed is None else start - needed * length
        among = (
            {symbol: members.chosen(symbol, wide[symbol]["ts"] + length) > 0.0 for symbol in wide} if members else {}
        )
        inputs = Inputs(
            lake, {symbol: series[symbol] for symbol in wide}, wide,
            start_us=origin, find=data.key, among=among, exchange=data.exchange,
        )  # fmt: skip
        for symbol, columns in inputs.compute(specs, pieces=pieces).items():
            wide[symbol] |= with_fields(columns, reads)
        keys += inputs.read
        warnings += inputs.warnings(start)
    return {symbol: _begun(series[symbol], columns, first[symbol]) for symbol, columns in wide.items()}


def chosen_members(lake: Lake, data: DataSettings) -> Members | None:
    """The members of a run over a universe, None for a run that names its symbols."""
    if data.universe is None:
        return None
    return members_of(lake, data.venue, data.timeframe, data.universe, data.span_us(), data.symbols)


def _once(keys: Sequence[SeriesKey]) -> list[SeriesKey]:
    """Each series once: a rate of exchange may be traded itself."""
    return list(dict.fromkeys(keys))


def _beside(
    lake: Lake,
    data: DataSettings,
    which: Literal["mark", "index"],
    rows: Mapping[str, Mapping[str, np.ndarray]],
    keys: list[SeriesKey],
    warnings: list[str],
) -> dict[str, dict[str, np.ndarray]]:
    """Mark or index prices by symbol on the times of its `rows`, NaN where there is no bar; adds keys and warnings.

    A symbol whose series the lake does not have, or not of this period, is left out.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    if (data.mark if which == "mark" else data.index) != "auto":
        return found
    for symbol, bars in rows.items():
        ts = bars["ts"]
        key = data.key(symbol, f"{which}_bars", data.inner_timeframe or data.timeframe)
        try:
            table = lake.read(key, start_us=int(ts[0]), end_us=int(ts[-1]) + 1, columns=["ts", *_PRICE_COLUMNS])
        except (UnknownSeriesError, EmptyRangeError):
            continue
        keys.append(key)
        at = _numpy(table["ts"])
        place = np.minimum(np.searchsorted(at, ts), len(at) - 1)
        known = at[place] == ts
        found[symbol] = {name: np.where(known, _numpy(table[name])[place], np.nan) for name in _PRICE_COLUMNS}
        if missing := int((~known).sum()):
            first = iso(int(ts[int(np.argmin(known))]))
            warnings.append(
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
