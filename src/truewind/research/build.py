"""Building features: a recipe, the lake's bars, and what comes out as a set of features in the lake.

    recipe (YAML) + bars → FeaturePipeline, month by month → features/{name}/venue=…/symbol=…/timeframe=…

Every symbol is read, computed and written a month at a time, so memory does not grow with history. The state after the
last row is kept beside the set: the next build goes on from it. It begins anew if the recipe, the code of a feature or
the bars behind that state have changed.
"""

import datetime as dt
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
from pydantic import Field, field_validator

from truewind.config import Settings, parse, read_yaml
from truewind.domain.clock import parse_ts_us
from truewind.domain.ports import Progress
from truewind.errors import CorruptError, EmptyRangeError
from truewind.features import FeaturePipeline
from truewind.features.exchange import SESSION_COLUMNS, session_columns
from truewind.market.columns import Columns, bar_columns
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

_STATE = "state"


class BuildData(Settings):
    """Which bars to compute features of."""

    venue: str = Field(description="where the symbols are traded")
    symbols: tuple[str, ...] = Field(min_length=1, description="in the venue's form")
    timeframe: str = Field(description="length of the bars: 1m, 1h, 1d")
    start: str | None = Field(default=None, description="first moment, UTC; left out: all")
    end: str | None = Field(default=None, description="last moment, itself excluded, UTC; left out: all")
    exchange: str = Field(
        default="", description="code of a market with opening hours (ISO 10383), as XNYS, for features that read them"
    )

    @field_validator("start", "end", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else value

    @field_validator("symbols", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Recipe(Settings):
    """A set of features."""

    name: str = Field(description="of the set, in the lake")
    data: BuildData = Field(description="which bars to compute features of")
    features: tuple[str, ...] = Field(min_length=1, description="specs, as ema(20) (truewind features list)")

    def pipeline(self, symbols: Sequence[str] | None = None) -> FeaturePipeline:
        """The object that computes them, in research and live alike."""
        return FeaturePipeline(self.features, symbols or self.data.symbols, timeframe=self.data.timeframe)

    def key(self, symbol: str) -> SeriesKey:
        """Where the features of a symbol lie."""
        return SeriesKey(self.name, self.data.venue, symbol, self.data.timeframe, "features")


class Built(NamedTuple):
    """What a build did. rows: computed now; resumed: symbols that went on from a saved state."""

    keys: tuple[SeriesKey, ...]
    columns: tuple[str, ...]
    version: str
    rows: int
    resumed: int
    seconds: float


class _State(msgspec.Struct):
    """What a build needs to go on: what it was made of, up to which bar, and the pipeline's state after it."""

    version: str
    symbols: list[str]
    start: int | None
    through: int
    source: dict[str, str]
    tail: str
    state: bytes


def read_recipe(config: str | Path | Mapping[str, Any]) -> Recipe:
    """A recipe from YAML or from plain values. Raises ConfigError."""
    data = config if isinstance(config, Mapping) else read_yaml(config)
    return parse(Recipe, data, "recipe" if isinstance(config, Mapping) else str(config))


def build(
    config: str | Path | Mapping[str, Any] | Recipe,
    *,
    lake: str | Path | Lake = "data",
    anew: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Built:
    """Compute a recipe over the lake's bars and append what is new; `anew` begins from the first bar.

    Symbols that need nothing of each other are computed side by side on `workers` threads.
    Raises ConfigError, FeatureError, UnknownSeriesError, EmptyRangeError; symbols that were written stay complete.
    """
    began = time.perf_counter()
    recipe = config if isinstance(config, Recipe) else read_recipe(config)
    store = lake if isinstance(lake, Lake) else Lake(lake)
    tell = progress or (lambda stage, done, total: None)
    whole = recipe.pipeline()
    groups = [[symbol] for symbol in recipe.data.symbols] if whole.apart else [list(recipe.data.symbols)]
    builders = [_Builder(recipe, store, group, anew) for group in groups]
    total = sum(len(builder.windows) for builder in builders)
    with ThreadPoolExecutor(max(1, min(workers, len(groups)))) as pool:
        walks = [pool.submit(builder.run, max(1, workers // len(groups))) for builder in builders]
        try:
            while wait(walks, timeout=0.1, return_when=FIRST_EXCEPTION).not_done:
                tell("building features", sum(builder.done for builder in builders), total)
                for walk in walks:
                    if walk.done():
                        walk.result()
        finally:
            for builder in builders:
                builder.stop = True
    for walk in walks:
        walk.result()
    return Built(
        tuple(recipe.key(symbol) for symbol in recipe.data.symbols),
        whole.columns,
        whole.version,
        sum(builder.rows for builder in builders),
        sum(len(builder.symbols) for builder in builders if builder.resumed),
        time.perf_counter() - began,
    )


class _Builder:
    """The build of symbols that need each other: a month after the other."""

    def __init__(self, recipe: Recipe, lake: Lake, symbols: list[str], anew: bool) -> None:
        self.recipe, self.lake, self.symbols = recipe, lake, symbols
        self.pipeline = recipe.pipeline(symbols)
        self.rows, self.done, self.stop = 0, 0, False
        data = recipe.data
        self.start = None if data.start is None else parse_ts_us(data.start)
        end = None if data.end is None else parse_ts_us(data.end)
        self._bars = {symbol: SeriesKey("bars", data.venue, symbol, data.timeframe) for symbol in symbols}
        months: dict[str, str] = {}
        first, last = [], []
        for symbol, key in self._bars.items():
            parts = lake.parts(key)
            first.append(parts[0].start_us)
            last.append(parts[-1].end_us)
            for part in parts:
                months[part.month] = f"{months.get(part.month, '')} {symbol} {part.content_hash}".strip()
        self._months = dict(sorted(months.items()))
        self._end = max(last) + 1 if end is None else min(end, max(last) + 1)
        begin = min(first) if self.start is None else max(self.start, min(first))
        if begin >= self._end:
            raise EmptyRangeError(f"{', '.join(symbols)}: no bars from {data.start} to {data.end}", remedy="Widen them")
        saved = None if anew else self._saved()
        self.resumed = saved is not None
        if saved is not None:
            self.pipeline.load(saved.state)
            begin = saved.through + 1
        self.windows = list(_windows(self._months, begin, self._end))

    def run(self, workers: int) -> None:
        """Compute and write every window; the state is kept when all is written."""
        if not self.resumed:
            for symbol in self.symbols:
                self.lake.remove(self.recipe.key(symbol))
        tables: dict[str, Columns] = {}
        for start, end in self.windows:
            if self.stop:
                return
            tables = self._read(start, end)
            found = self.pipeline.extend(tables, workers=workers)
            for symbol, columns in found.items():
                self._write(symbol, tables[symbol]["ts"], columns)
            self.rows += sum(len(table["ts"]) for table in tables.values())
            self.done += 1
        if any(len(table["ts"]) for table in tables.values()):
            self._save(max(int(table["ts"][-1]) for table in tables.values() if len(table["ts"])))

    def _read(self, start: int, end: int) -> dict[str, Columns]:
        tables = {}
        hours = [name for name in self.pipeline.inputs if name in SESSION_COLUMNS]
        names = [name for name in self.pipeline.inputs if name not in hours]
        for symbol, key in self._bars.items():
            try:
                tables[symbol] = bar_columns(self.lake, key, names, start_us=start, end_us=end)
            except EmptyRangeError:
                continue  # not listed yet, or no more, in this window
            if hours:
                tables[symbol].update(session_columns(self.recipe.data.exchange, tables[symbol]["ts"], hours))
        return tables

    def _write(self, symbol: str, ts: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
        key = self.recipe.key(symbol)
        times = pl.Series("ts", ts).cast(TS)
        known = pl.Series("ts_known", ts + key.step_us).cast(TS)
        self.lake.write(
            key, pl.DataFrame([times, known, *(pl.Series(name, column) for name, column in columns.items())])
        )

    @property
    def _noted(self) -> SeriesKey:
        """The series beside which the state of all of them is kept."""
        return self.recipe.key(self.symbols[0])

    def _saved(self) -> _State | None:
        """The state to go on from; None if there is none or what it was made of has changed."""
        data = self.lake.note(self._noted, _STATE)
        if data is None:
            return None
        try:
            saved = msgspec.msgpack.decode(data, type=_State)
        except msgspec.MsgspecError:
            raise CorruptError(
                f"The state of {self._noted} is damaged", remedy="Build it anew (truewind features build --anew)"
            ) from None
        same = saved.version == self.pipeline.version and saved.symbols == self.symbols and saved.start == self.start
        if not same or self._made_of(saved.through) != (saved.source, saved.tail):
            return None
        return saved

    def _save(self, through: int) -> None:
        source, tail = self._made_of(through)
        state = _State(self.pipeline.version, self.symbols, self.start, through, source, tail, self.pipeline.save())
        self.lake.put_note(self._noted, _STATE, msgspec.msgpack.encode(state))

    def _made_of(self, through: int) -> tuple[dict[str, str], str]:
        """What the features up to `through` were computed of: the bars of all months before by their hashes, and those
        of its month, which may have grown since, by the values up to it."""
        month = str(np.datetime64(through, "us").astype("M8[M]"))
        whole = {name: hashes for name, hashes in self._months.items() if name < month}
        digest = hashlib.sha256()
        start = int(np.datetime64(month, "us").astype(np.int64))
        for symbol, table in self._read(max(start, self.start or start), through + 1).items():
            for name, column in table.items():
                digest.update(f"{symbol} {name} {len(column)}\n".encode() + np.ascontiguousarray(column).tobytes())
        return whole, digest.hexdigest()[:32]


def _windows(months: Mapping[str, str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """[start, end) cut at the months that have bars."""
    for month in months:
        first = np.datetime64(month, "M")
        begins, ends = (int(edge.astype("M8[us]").astype(np.int64)) for edge in (first, first + 1))
        if max(begins, start) < min(ends, end):
            yield max(begins, start), min(ends, end)
