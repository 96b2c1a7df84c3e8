"""Metrics: named, versioned numbers of a symbol over windows of time, each one a feature or a column of a bar.

    definitions()                          all of them; as a table by `definitions_table`
    metrics = WindowMetrics(rows, "5m")    those of one kind of rows, computed as the rows come
    metrics.extend(table)                  a row a window

Windows lie on the UTC grid. A metric is made of the rows of its window, of one kind:

bars      the window's own bar, `ts open high low close volume quote_volume trades taker_buy_volume`, and what was known
          beside it at its close: `funding_rate mark index open_interest`
minutes   its bars of one minute
seconds   the best prices as they stood at the end of each of its seconds, `bid bid_quantity ask ask_quantity`; a second
          in which no quote is known is missing

What is computed is a feature (`truewind features list`) of those rows, with what it says of missing values. Of many
rows in a window those that have a value are summed up; a window in which none has is NaN. A definition that changes
gets a new version: a number of old stays explained.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from truewind.domain.timeframe import timeframe_us
from truewind.errors import FeatureError, suggest
from truewind.features.base import Feature
from truewind.features.plan import Floats
from truewind.features.spec import parse_spec
from truewind.features.streaming import Stream
from truewind.features.table import TIME, columns_of

WINDOWS = ("1s", "5s", "15s", "1m", "5m", "15m", "1h", "4h", "1d")
Rows = Literal["bars", "minutes", "seconds"]
Fold = Literal["only", "last", "mean", "root_sum_square"]
ROW_LENGTH = {"minutes": "1m", "seconds": "1s"}


class MetricDefinition(msgspec.Struct, frozen=True):
    """What a metric is. id: its column; formula and description for people; rows and fold: see above.

    spec: the feature that is computed, `output` one of several; without it the column of the bar that has its name.
    windows: lengths for which it has a meaning. With version it is never redefined.
    """

    id: str
    formula: str
    units: str
    description: str
    spec: str = ""
    output: str = ""
    rows: Rows = "bars"
    fold: Fold = "only"
    windows: tuple[str, ...] = WINDOWS
    version: int = 1

    @property
    def feature(self) -> Feature | None:
        return parse_spec(self.spec) if self.spec else None

    @property
    def column(self) -> str:
        """The column of the rows, or of the features computed of them, that holds its values."""
        feature = self.feature
        if feature is None:
            return self.id
        return f"{feature.column}.{self.output}" if self.output else feature.column

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns of the rows that it is made of."""
        feature = self.feature
        return (self.id,) if feature is None else tuple(name for name in feature.reads if name != "ts")


def _bar(id: str, formula: str, units: str, description: str) -> MetricDefinition:
    return MetricDefinition(id, formula, units, description)


def _mean(id: str, formula: str, units: str, description: str, spec: str) -> MetricDefinition:
    return MetricDefinition(id, formula, units, description, spec, rows="seconds", fold="mean")


METRICS: tuple[MetricDefinition, ...] = (
    _bar("open", "first price", "price", "Price of the first trade."),
    _bar("high", "max price", "price", "Highest price."),
    _bar("low", "min price", "price", "Lowest price."),
    _bar("close", "last price", "price", "Price of the last trade."),
    _bar("volume", "Σ quantity", "base units", "What was traded."),
    _bar("quote_volume", "Σ price · quantity", "quote units", "What was paid for it."),
    _bar("trades", "number of trades", "trades", "How many trades there were, as the venue counts them."),
    _bar("taker_buy_volume", "Σ quantity where the buyer took", "base units", "What takers bought."),
    MetricDefinition("vwap", "quote_volume / volume", "price", "Volume-weighted mean price.", "trade_vwap(1)"),
    MetricDefinition(
        "mean_trade_size", "volume / trades", "base units", "Mean quantity of a trade.", "mean_trade_size(1)"
    ),
    MetricDefinition(
        "signed_volume",
        "2 · taker_buy_volume − volume",
        "base units",
        "What takers bought less what they sold.",
        "signed_volume(1)",
    ),
    MetricDefinition(
        "taker_imbalance",
        "(2 · taker_buy_volume − volume) / volume",
        "fraction",
        "Signed volume as a share of all volume, −1 to 1.",
        "taker_imbalance(1)",
    ),
    MetricDefinition(
        "trade_intensity",
        "trades / (ts − ts of the window before)",
        "trades a second",
        "Trades a second; after windows without a trade the silence counts.",
        "trade_intensity(1)",
    ),
    MetricDefinition(
        "return",
        "close / close of the window before − 1",
        "fraction",
        "Simple return since the last window that has a price.",
        "returns(1)",
    ),
    MetricDefinition(
        "log_return",
        "ln(close / close of the window before)",
        "logarithm",
        "Logarithmic return since the last window that has a price.",
        "log_returns(1)",
    ),
    MetricDefinition(
        "range_volatility",
        "ln(high / low) / (2 √(ln 2))",
        "fraction, per window",
        "Parkinson's volatility, from the window's range.",
        "parkinson(1)",
    ),
    MetricDefinition(
        "realised_volatility",
        "√ Σ ln(close / close before)² over the window's minutes",
        "fraction, per window",
        "Realised volatility of one-minute returns.",
        "log_returns(1)",
        rows="minutes",
        fold="root_sum_square",
        windows=("5m", "15m", "1h", "4h", "1d"),
    ),
    MetricDefinition(
        "amihud",
        "|return| / quote_volume",
        "fraction a quote unit",
        "Amihud's illiquidity: the return that one unit of the quote currency goes with.",
        "amihud(1)",
    ),
    MetricDefinition(
        "mid_close",
        "(bid + ask) / 2 at the close",
        "price",
        "Mid price as the window ends.",
        "mid_price",
        rows="seconds",
        fold="last",
    ),
    _mean("spread_mean", "mean of ask − bid", "price", "Mean spread, of each second's end.", "spread"),
    _mean(
        "relative_spread_mean",
        "mean of (ask − bid) / mid",
        "fraction",
        "Mean spread by the mid price, of each second's end.",
        "relative_spread",
    ),
    _mean(
        "imbalance_mean",
        "mean of (bid_quantity − ask_quantity) / (bid_quantity + ask_quantity)",
        "fraction",
        "Mean imbalance of the best quantities, −1 to 1, of each second's end.",
        "book_imbalance(1)",
    ),
    MetricDefinition(
        "funding_rate",
        "last settled rate",
        "fraction",
        "Funding rate last settled at the close, positive where longs pay.",
        "funding",
        "rate",
    ),
    MetricDefinition(
        "basis",
        "(mark − index) / index",
        "fraction",
        "What the contract costs more than the asset, by the prices last known at the close.",
        "basis",
    ),
    MetricDefinition(
        "open_interest_change",
        "100 (open interest / that of the window before − 1)",
        "percent",
        "Change of the open interest.",
        "open_interest_change(1)",
        "percent",
    ),
)


def definitions(ids: Iterable[str] | None = None, window: str = "") -> tuple[MetricDefinition, ...]:
    """The definitions in force, or those of `ids`; only those that have a meaning for `window`, if one is given.

    Raises FeatureError for an unknown id or window, and for a metric that is asked for by its id in a window in which
    it has no meaning.
    """
    if window and window not in WINDOWS:
        raise FeatureError(f"There are no metrics over windows of {window!r}", remedy=f"Known: {', '.join(WINDOWS)}")
    known = {metric.id: metric for metric in METRICS}
    if ids is None:
        return tuple(metric for metric in METRICS if not window or window in metric.windows)
    found = []
    for name in dict.fromkeys(ids):
        if name not in known:
            raise FeatureError(f"Unknown metric '{name}'", remedy=suggest(name, known))
        if window and window not in known[name].windows:
            raise FeatureError(
                f"{name} has no meaning in windows of {window}", remedy=f"Take {', '.join(known[name].windows)}"
            )
        found.append(known[name])
    return tuple(found)


def definitions_table(metrics: Iterable[MetricDefinition] = METRICS) -> pl.DataFrame:
    """Definitions as a table, a row for each one and version."""
    return pl.DataFrame(
        [
            {
                "id": metric.id,
                "version": metric.version,
                "formula": metric.formula,
                "rows": metric.rows,
                "fold": metric.fold,
                "feature": f"{metric.spec}.{metric.output}" if metric.output else metric.spec,
                "inputs": list(metric.inputs),
                "windows": list(metric.windows),
                "units": metric.units,
                "description": metric.description,
            }
            for metric in metrics
        ],
        schema_overrides={"version": pl.Int64},
    )


class WindowMetrics:
    """Metrics of one kind of rows over windows, of rows that come piece by piece, cut where a window ends.

    columns: the ids of the metrics. inputs: columns that the rows must have, beside `ts`, the beginning of each row.
    """

    def __init__(self, metrics: Sequence[MetricDefinition], window: str) -> None:
        self.metrics = tuple(metrics)
        self.columns = tuple(metric.id for metric in self.metrics)
        self._length = timeframe_us(window)
        self._stream = Stream(dict.fromkeys(metric.feature for metric in self.metrics if metric.feature is not None))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for metric in self.metrics for name in metric.inputs))

    def extend(self, table: pl.DataFrame) -> pl.DataFrame:
        """`ts` of the windows that the next rows lie in, and a column a metric. Raises FeatureError as `Stream`."""
        given = columns_of(table, ["ts", *self.inputs])
        found = given | self._stream.extend(given)
        ts = given["ts"]
        starts = ts - ts % self._length
        first = np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1))
        values = {metric.id: _FOLDS[metric.fold](found[metric.column], first) for metric in self.metrics}
        return pl.DataFrame({"ts": pl.Series(starts[first]).cast(TIME), **values})


def available(metrics: Iterable[MetricDefinition], columns: Collection[str]) -> dict[str, list[str]]:
    """For each metric whose rows would need more than `columns`, by id: what they lack."""
    lacks = {metric.id: [name for name in metric.inputs if name not in columns] for metric in metrics}
    return {name: missing for name, missing in lacks.items() if missing}


def _sums(values: Floats, first: np.ndarray) -> tuple[Floats, Floats]:
    """Sum and number of the values that are there, by window; `first` are the windows' first rows."""
    there = ~np.isnan(values)
    if not len(first):
        return np.zeros(0), np.zeros(0)
    return np.add.reduceat(np.where(there, values, 0.0), first), np.add.reduceat(there.astype(float), first)


def _mean_of(values: Floats, first: np.ndarray) -> Floats:
    total, count = _sums(values, first)
    return np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)


def _root_of_squares(values: Floats, first: np.ndarray) -> Floats:
    total, count = _sums(values * values, first)
    return np.where(count > 0.0, np.sqrt(total), np.nan)


def _last_of(values: Floats, first: np.ndarray) -> Floats:
    """The last value that is there."""
    rows = np.arange(len(values))
    latest = np.maximum.accumulate(np.where(np.isnan(values), -1, rows)) if len(values) else rows
    last = latest[np.append(first[1:], len(values))[: len(first)] - 1]
    return np.where(last >= first, values[np.maximum(last, 0)], np.nan) if len(values) else np.zeros(0)


def _only(values: Floats, first: np.ndarray) -> Floats:
    """The value of a window's one row."""
    return values.take(first)


_FOLDS: dict[Fold, Callable[[Floats, np.ndarray], Floats]] = {
    "only": _only,
    "last": _last_of,
    "mean": _mean_of,
    "root_sum_square": _root_of_squares,
}
