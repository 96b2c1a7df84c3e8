"""FeaturePipeline: features of many symbols at once, cross-sections among them, from tables or bar by bar.

    pipeline = FeaturePipeline(["ema(20)", "rank(returns(24))", "beta(60)"], ["BTCUSDT", "ETHUSDT"], timeframe="1h")
    pipeline.extend({"BTCUSDT": columns, "ETHUSDT": columns})     the next rows of every symbol, as columns
    pipeline.update({"BTCUSDT": bar, "ETHUSDT": bar})             the next time, live

Both walk the same streams, one a symbol, and compare symbols only where they have rows of the same time, so it does not
matter how time is cut. Nothing here knows where rows come from.
"""

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from math import nan
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from truewind.errors import FeatureError, suggest
from truewind.features.across import Across
from truewind.features.base import Feature, Output, ancestors
from truewind.features.plan import Floats
from truewind.features.spec import parse_specs, warmup
from truewind.features.streaming import Stream, number_in

Columns = dict[str, Floats]


class FeaturePipeline:
    """The features of `specs` for every one of `symbols`, resumable at any time.

    columns: names of the outputs, the same for every symbol. inputs: columns that each symbol's rows must have, `ts`
    among them; what is read of another symbol (`close[BTCUSDT]`) is taken from that symbol's rows of the same time.
    version: changes with the specs, their code and the timeframe. warmup: rows until all features have a value.
    Raises FeatureError for an unknown feature, a wrong parameter or a symbol that is not among `symbols`.
    """

    def __init__(self, specs: Iterable[str | Feature], symbols: Sequence[str] = ("",), *, timeframe: str = "") -> None:
        self.features = parse_specs(specs)
        self.symbols, self.timeframe = tuple(dict.fromkeys(symbols)), timeframe
        if not self.symbols:
            raise FeatureError("A pipeline needs symbols", remedy="Name one at least")
        self.columns = tuple(column for feature in self.features for column in feature.columns)
        self.warmup = warmup(self.features, timeframe)
        self._stages = [_Stage(group, self.symbols, timeframe) for group in _stages(self.features)]
        made = {column for stage in self._stages for column in stage.made}
        read = dict.fromkeys(name for stage in self._stages for name in stage.inputs if name not in made)
        self._others = {name: _apart(name, self.symbols) for name in read if name.endswith("]")}
        plain = [name for name in read if name not in self._others]
        self.inputs = tuple(dict.fromkeys(["ts", *plain, *(name for name, _ in self._others.values())]))
        self.apart = not self._others and not any(stage.across for stage in self._stages)

    @property
    def version(self) -> str:
        """Twelve characters that two pipelines share if they compute the same numbers by the same code."""
        code = [_source(type(one)) for feature in self.features for one in (*ancestors(feature), feature)]
        said = [self.timeframe, _library(), *map(repr, self.features), *code]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]

    def schema(self) -> list[dict[str, Any]]:
        """A row a column: name, spec, family, units, inputs, rows until it has a value, what missing rows do."""
        return [
            {
                "column": column,
                "spec": repr(feature),
                "family": feature.family,
                "units": feature.units,
                "inputs": ", ".join(feature.reads),
                "warmup": warmup([feature], self.timeframe),
                "missing": feature.missing,
            }
            for feature in self.features
            for column in feature.columns
        ]

    def extend(
        self,
        tables: Mapping[str, Mapping[str, Any]],
        *,
        among: Mapping[str, np.ndarray] | None = None,
        workers: int = 1,
    ) -> dict[str, Columns]:
        """The features over the next rows of every symbol: arrays in, arrays out, by symbol.

        `ts` are int64 µs, rising. A symbol that is not given has no rows. Rows of one time must come in one call.
        among: by symbol, the rows (bool) in which it takes part in cross-sections and has any; left out: all.
        Raises FeatureError naming the symbol and column that is missing, and for times that do not rise.
        """
        given = {symbol: dict(self._table(symbol, tables)) for symbol in self.symbols if symbol in tables}
        for name in tables:
            if name not in self.symbols:
                raise FeatureError(f"'{name}' is no symbol of this pipeline", remedy=suggest(name, self.symbols))
        times = {symbol: np.asarray(table["ts"], np.int64) for symbol, table in given.items()}
        for name, (read, other) in self._others.items():
            for symbol, table in given.items():
                table[name] = _on(times[symbol], times.get(other), given.get(other, {}).get(read))
        found: dict[str, Columns] = {symbol: {} for symbol in given}
        with ThreadPoolExecutor(workers) as pool:
            for stage in self._stages:

                def walk(symbol: str, stage: "_Stage" = stage) -> None:
                    made = stage.streams[symbol].extend(given[symbol])
                    found[symbol].update(made)
                    if stage.across:
                        given[symbol].update(made)

                list(pool.map(walk, given) if workers > 1 else map(walk, given))
                for feature, source in stage.across:
                    for symbol, column in _across(feature, source, times, given, among or {}).items():
                        given[symbol][feature.column] = found[symbol][feature.column] = column
        return {symbol: {name: columns[name] for name in self.columns} for symbol, columns in found.items()}

    def update(self, bars: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        """The features at the next time, of each symbol that has a bar: {symbol: {column: value}}.

        A bar is any object or mapping with the fields of `inputs`; a None counts as missing.
        """
        for name in bars:
            if name not in self.symbols:
                raise FeatureError(f"'{name}' is no symbol of this pipeline", remedy=suggest(name, self.symbols))
        given = {
            symbol: {name: number_in(bars[symbol], name) for name in self.inputs}
            for symbol in self.symbols
            if symbol in bars
        }
        for name, (read, other) in self._others.items():
            for row in given.values():
                row[name] = given[other][read] if other in given else nan
        for stage in self._stages:
            for symbol, row in given.items():
                stream = stage.streams[symbol]
                row.update(zip(stream.columns, stream.vector(row).tolist(), strict=True))
            for feature, source in stage.across:
                values = feature.compared(np.array([[row[source] for row in given.values()]]))
                for row, value in zip(given.values(), values[0].tolist(), strict=True):
                    row[feature.column] = value
        return {symbol: {name: row[name] for name in self.columns} for symbol, row in given.items()}

    def save(self) -> bytes:
        """The state after the rows seen so far, to go on from by `load`."""
        states = [{symbol: stream.save() for symbol, stream in stage.streams.items()} for stage in self._stages]
        return msgspec.msgpack.encode((self.version, states))

    def load(self, saved: bytes) -> None:
        """Go on from a saved state. Raises FeatureError if it is damaged or of another pipeline."""
        try:
            version, states = msgspec.msgpack.decode(saved, type=tuple[str, list[dict[str, bytes]]])
        except msgspec.MsgspecError as error:
            raise FeatureError(f"The saved pipeline is damaged: {error}", remedy="Start from history") from None
        if version != self.version or [set(state) for state in states] != [set(self.symbols)] * len(self._stages):
            raise FeatureError("The saved state is of another pipeline", remedy="Start from history")
        for stage, state in zip(self._stages, states, strict=True):
            for symbol, stream in stage.streams.items():
                stream.load(state[symbol])

    def _table(self, symbol: str, tables: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        table = tables[symbol]
        for name in self.inputs:
            if name not in table:
                owner = f"{symbol} has" if symbol else "The rows have"
                raise FeatureError(f"{owner} no '{name}'", remedy=suggest(name, table), column=name)
        ts = np.asarray(table["ts"], np.int64)
        if (falls := np.flatnonzero(np.diff(ts) <= 0)).size:
            raise FeatureError(
                f"{symbol or 'The rows'}: ts does not rise at row {int(falls[0]) + 1}",
                remedy="Sort by ts and leave double rows out",
            )
        return {name: table[name] for name in self.inputs}


class _Stage:
    """Streams of all symbols, and the cross-sections that are made of their columns."""

    def __init__(self, features: Sequence[Feature], symbols: Sequence[str], timeframe: str) -> None:
        own = [_grounded(feature) for feature in features if not feature.across]
        self.across = [(feature, feature.reads[0]) for feature in features if isinstance(feature, Across)]
        for feature, _ in self.across:
            source = feature.sources[0]
            if isinstance(source, Output) and not source.feature.across:
                own.append(_grounded(source.feature))
        own = list(dict.fromkeys(own))
        self.streams = {symbol: Stream(own, timeframe=timeframe) for symbol in symbols}
        stream = self.streams[symbols[0]]
        plain = [source for _, source in self.across if source not in stream.columns]
        self.inputs = tuple(dict.fromkeys([*stream.inputs, *plain]))
        self.made = (*stream.columns, *(feature.column for feature, _ in self.across))


def _stages(features: Iterable[Feature]) -> list[list[Feature]]:
    """The features and the cross-sections that they need, by how many cross-sections lie before them."""
    needed = dict.fromkeys(
        one for feature in features for one in (*ancestors(feature), feature) if one.across or one is feature
    )
    ordered = sorted(needed, key=_depth)
    return [list(group) for _, group in groupby(ordered, _depth)]


def _depth(feature: Feature) -> int:
    """How many cross-sections must be known before this feature can be computed."""
    sources = [source.feature for source in feature.sources if isinstance(source, Output)]
    return max((_depth(one) + one.across for one in sources), default=0)


def _grounded(feature: Feature) -> Feature:
    """`feature` with every cross-section that it reads as a plain column."""
    if not any(one.across for one in ancestors(feature)):
        return feature
    one = copy.copy(feature)
    one.sources = tuple(
        source
        if isinstance(source, str)
        else source.column
        if source.feature.across
        else Output(_grounded(source.feature), source.name)
        for source in feature.sources
    )
    return one


def _apart(name: str, symbols: Sequence[str]) -> tuple[str, str]:
    """ "close[BTCUSDT]" as ("close", "BTCUSDT"). Raises FeatureError for a symbol that is not there."""
    column, _, symbol = name.removesuffix("]").partition("[")
    if symbol not in symbols:
        raise FeatureError(
            f"'{name}' is read, but {symbol} is not among the symbols", remedy=suggest(symbol, symbols), symbol=symbol
        )
    return column, symbol


def _on(times: np.ndarray, other: np.ndarray | None, values: Any) -> Floats:
    """`values` of another symbol at `times`, NaN where it has no row."""
    out = np.full(len(times), np.nan)
    if other is not None and len(other):
        place = np.minimum(np.searchsorted(other, times), len(other) - 1)
        there = other[place] == times
        out[there] = np.asarray(values, float)[place[there]]
    return out


def _across(
    feature: Across,
    source: str,
    times: Mapping[str, np.ndarray],
    tables: Mapping[str, Mapping[str, Any]],
    among: Mapping[str, np.ndarray],
) -> Columns:
    """A cross-section of the column `source`, by symbol; of each symbol the rows `among` take part."""
    if not times:
        return {}
    every = np.unique(np.concatenate(list(times.values())))
    values = np.full((len(every), len(times)), np.nan)
    places = {symbol: np.searchsorted(every, ts) for symbol, ts in times.items()}
    for i, (symbol, place) in enumerate(places.items()):
        own = np.asarray(tables[symbol][source], float)
        values[place, i] = np.where(among[symbol], own, np.nan) if symbol in among else own
    out = feature.compared(values)
    return {symbol: out[place, i].copy() for i, (symbol, place) in enumerate(places.items())}


def _source(feature: type[Feature]) -> str:
    """The text of the file of a user's feature; the library's own are in its digest."""
    if feature.__module__.startswith("truewind."):
        return ""
    import inspect

    path = inspect.getsourcefile(feature)
    return Path(path).read_text(encoding="utf-8") if path else feature.__qualname__


def _library() -> str:
    """Hash of the code that computes features."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for folder in (package, package.parent / "numerics"):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
