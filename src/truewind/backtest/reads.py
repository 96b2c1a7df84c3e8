"""What a strategy reads beside a bar's own fields: features, and columns of other series and of other symbols.

    features() → `named` → specs by field → `Inputs.compute` → columns on the bars of every symbol

A bar is joined by what was known at its close (`market.columns`), a cross-section is made of the symbols that have a
bar of the same time, and all of it is computed by the pipeline that builds features for research.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from truewind import features
from truewind.domain.clock import iso
from truewind.domain.market import Bar
from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError, EmptyRangeError, UnknownSeriesError
from truewind.features.base import REGISTRY, ancestors
from truewind.features.exchange import SESSION_COLUMNS, session_columns
from truewind.market.columns import BESIDE, bar_columns, columns_beside, series_beside
from truewind.storage.lake import Lake
from truewind.storage.schema import KINDS, SeriesKey

Columns = dict[str, np.ndarray]
_COLUMN = re.compile(r"([A-Za-z_]\w*)(?:\[[^\[\]]+\])?")
_PLAIN = {*BESIDE, *SESSION_COLUMNS, *KINDS["bars"].columns} - {"ts"}


def named(reads: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """A strategy's features as field name → spec; a bare spec gets its column's name ("ema(20)" → ema_20), in which the
    point of a number is a `_`.

    Each output of a feature that has several is a field of its own: name_output. A column takes the place of a spec:
    "funding_rate" is value(funding_rate), "close[BTCUSDT]" the close of another symbol.
    """
    if isinstance(reads, Mapping):
        return {field: _spec(text) for field, text in reads.items()}
    return {_field(text): _spec(text) for text in reads}


def fields_of(reads: Mapping[str, str]) -> dict[str, str]:
    """Of named features: the field of each output, and its column. Raises ConfigError for the name of a bar's field."""
    found: dict[str, str] = {}
    for name, spec in reads.items():
        feature = features.parse_spec(spec)
        for output, column in zip(feature.outputs or ("",), feature.columns, strict=True):
            field = f"{name}_{output}" if output else name
            if field in found or field in Bar.__struct_fields__:
                why = "another feature is" if field in found else "a bar has that field"
                raise ConfigError(
                    f"A feature may not be called '{field}': {why}",
                    remedy="Choose another name",
                    spec=spec,
                )
            found[field] = column
    return found


def other_symbols(specs: Iterable[str]) -> tuple[str, ...]:
    """The symbols that specs name: "beta(60)" and "returns(1)[BTCUSDT]" read BTCUSDT."""
    return tuple(dict.fromkeys(name[:-1].partition("[")[2] for name in _sources(specs) if name.endswith("]")))


def _sources(specs: Iterable[str]) -> dict[str, None]:
    """The columns that specs read, of whatever symbol."""
    parts = [part for one in map(features.parse_spec, specs) for part in (*ancestors(one), one)]
    return dict.fromkeys(source for part in parts for source in part.sources if isinstance(source, str))


def _spec(text: str) -> str:
    found = _COLUMN.fullmatch(text.strip())
    return f"value({text.strip()})" if found and found[1] in _PLAIN and found[1] not in REGISTRY else text


def _field(text: str) -> str:
    spec = _spec(text)
    return text.strip() if spec != text else features.parse_spec(spec).column.replace(".", "_")


class Inputs:
    """The columns that features read, on the bars of every symbol of a run; each series is read once.

    bars: by symbol, the series of its bars; rows: their columns, from `start_us` on (None: all there are). Other
    symbols that a spec names are found by `find`; they take no part in cross-sections. among: by symbol, the rows
    (bool) in which it does; left out: all. exchange: whose hours features read that ask for them. May be used by
    several threads.

    read: the series that were read so far, but for the symbols' own bars.
    """

    def __init__(
        self,
        lake: Lake,
        bars: Mapping[str, SeriesKey],
        rows: Mapping[str, Mapping[str, np.ndarray]],
        *,
        start_us: int | None,
        find: Callable[[str], SeriesKey],
        among: Mapping[str, np.ndarray] | None = None,
        exchange: str = "",
    ) -> None:
        self.read: list[SeriesKey] = []
        self._lake, self._bars, self._start, self._find = lake, dict(bars), start_us, find
        self._own, self._exchange = tuple(bars), exchange
        self._tables: dict[str, Columns] = {symbol: dict(rows[symbol]) for symbol in bars}
        self._among = dict(among or {})
        self._timeframe = next(iter(bars.values())).timeframe
        self._series: dict[str, dict[str, SeriesKey]] = {}
        self._lacking: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def compute(self, specs: Sequence[str], since: int | None = None, pieces: Sequence[int] = ()) -> dict[str, Columns]:
        """The features `specs` by symbol and column, on its rows from `since` (µs) on; left out: on all.

        pieces: rising times (µs); what opens before each is computed before what follows is shown to any feature, so
        that a value which changes by it looked ahead.
        Raises FeatureError, UnknownSeriesError for what the lake has of none of the symbols.
        """
        self.reading(specs)
        others = self._others(specs)
        pipeline = features.FeaturePipeline(specs, [*self._own, *others], timeframe=self._timeframe)
        tables, among = {}, {}
        for symbol in pipeline.symbols:
            table = self._tables[symbol]
            first = 0 if since is None else int(np.searchsorted(table["ts"], since))
            tables[symbol] = {name: table[name][first:] for name in pipeline.inputs if name in table}
            if symbol in others:
                among[symbol] = np.zeros(len(tables[symbol]["ts"]), bool)
            elif symbol in self._among:
                among[symbol] = self._among[symbol][first:]
        if not len(pieces):
            found = pipeline.extend(tables, among=among)
            return {symbol: found[symbol] for symbol in self._own}
        ends = {symbol: np.searchsorted(table["ts"], [*pieces, 1 << 62]) for symbol, table in tables.items()}
        done = dict.fromkeys(tables, 0)
        parts: dict[str, list[Columns]] = {symbol: [] for symbol in self._own}
        for number in range(len(pieces) + 1):
            rows = {symbol: slice(done[symbol], int(ends[symbol][number])) for symbol in tables}
            given = {
                symbol: {name: column[rows[symbol]] for name, column in table.items()}
                for symbol, table in tables.items()
            }
            made = pipeline.extend(given, among={symbol: which[rows[symbol]] for symbol, which in among.items()})
            for symbol, before in parts.items():
                before.append(made[symbol])
            done = {symbol: row.stop for symbol, row in rows.items()}
        return {
            symbol: {name: np.concatenate([part[name] for part in before]) for name in pipeline.columns}
            for symbol, before in parts.items()
        }

    def reading(self, specs: Iterable[str]) -> list[SeriesKey]:
        """Read what `specs` want; all series that were read so far. Raises UnknownSeriesError as `compute`."""
        with self._lock:
            names = [*dict.fromkeys(name.partition("[")[0] for name in _sources(specs))]
            others = self._others(specs)
            if others:
                self._fetch_bars(others, names)
            self._fetch(names, others)
            return list(self.read)

    def _others(self, specs: Iterable[str]) -> list[str]:
        return [symbol for symbol in other_symbols(specs) if symbol not in self._own]

    def warnings(self, since: int | None) -> list[str]:
        """What a reader must know of the columns that were read, on the rows from `since` on."""
        found = [
            f"{symbol}: no {kind} in the lake; {self._names(symbol, kind)} is not known there"
            for symbol, kind in sorted(self._lacking)
            if symbol in self._own
        ]
        for symbol in self._own:
            table = self._tables[symbol]
            first = 0 if since is None else int(np.searchsorted(table["ts"], since))
            closes = table["ts"][first:] + self._bars[symbol].step_us
            there = [(key, name) for name, key in self._series.get(symbol, {}).items() if name in table]
            for key, group in groupby(sorted(there), lambda one: one[0]):
                names = [name for _, name in group if not name.startswith("liquidated")]
                unknown = np.isnan([table[name][first:] for name in names]).any(axis=0) if names else np.zeros(0, bool)
                if unknown.any():
                    at = iso(int(closes[int(np.argmax(unknown))]))
                    found.append(
                        f"{symbol}: {', '.join(names)} not known on {int(unknown.sum())} of {len(closes)} bars, the "
                        f"first at {at}"
                    )
                ends = max(part.end_us for part in self._lake.parts(key)) + key.step_us
                if len(closes) and (days := (int(closes[-1]) - ends) / DAY_US) > 1:
                    found.append(f"{symbol}: {key} ends {days:.1f} days before the run and stands still from then on")
        return found

    def _names(self, symbol: str, kind: str) -> str:
        return ", ".join(name for name in self._tables[symbol] if BESIDE.get(name) == kind)

    def _fetch_bars(self, others: Sequence[str], inputs: Sequence[str]) -> None:
        """Read the bars of symbols that are not the run's, up to its last one."""
        end = max(int(self._tables[symbol]["ts"][-1]) for symbol in self._own) + 1
        own = [name for name in inputs if name in KINDS["bars"].columns and name != "ts"]
        for symbol in others:
            key = self._bars.setdefault(symbol, self._find(symbol))
            table = self._tables.setdefault(symbol, {})
            missing = [name for name in own if name not in table]
            if missing or not table:
                table |= bar_columns(self._lake, key, missing, start_us=self._start, end_us=end)
                self._note([key])

    def _fetch(self, inputs: Sequence[str], others: Sequence[str]) -> None:
        """Read what `inputs` want of other series, as far as it is not there yet."""
        hours = [name for name in inputs if name in SESSION_COLUMNS]
        for symbol in (*self._own, *others):
            table, key = self._tables[symbol], self._bars[symbol]
            if absent := [name for name in hours if name not in table]:
                table |= session_columns(self._exchange, table["ts"], absent)
            wanted = [name for name in inputs if name in BESIDE and name not in table]
            if not wanted:
                continue
            there = self._series.setdefault(symbol, series_beside(self._lake, key))
            for kind, group in groupby(sorted(wanted, key=lambda name: BESIDE[name]), lambda name: BESIDE[name]):
                names = list(group)
                try:
                    if names[0] not in there:
                        raise UnknownSeriesError(f"{symbol} has no {kind}", remedy="Import it", symbol=symbol)
                    table |= columns_beside(self._lake, key, table["ts"] + key.step_us, names)
                    self._note(there[name] for name in names)
                except (UnknownSeriesError, EmptyRangeError):
                    table |= {name: np.full(len(table["ts"]), np.nan) for name in names}
                    for name in names:
                        there.pop(name, None)
                    self._lacking.add((symbol, kind))
        for kind in {BESIDE[name] for name in inputs if name in BESIDE}:
            if all((symbol, kind) in self._lacking for symbol in (*self._own, *others)):
                some = ", ".join(self._own[:5]) + (" …" if len(self._own) > 5 else "")
                read = ", ".join(name for name in inputs if BESIDE.get(name) == kind)
                raise UnknownSeriesError(
                    f"{read}: read, but the lake has no {kind} of {some} up to the end of the run",
                    remedy="Import it (truewind data import), or read less",
                    kind=kind,
                )

    def _note(self, keys: Iterable[SeriesKey]) -> None:
        self.read += [key for key in dict.fromkeys(keys) if key not in self.read]


def with_fields(found: Mapping[str, Any], reads: Mapping[str, str]) -> Columns:
    """Computed columns by the names of the fields `reads`."""
    return {field: found[column] for field, column in fields_of(reads).items()}
