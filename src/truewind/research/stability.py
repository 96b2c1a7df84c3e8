"""Stability: how a figure changes with the parameters around the best trial: a plateau can be trusted, a spike cannot.

Which trials are neighbours is told by ranks, not by values, so that 1, 10, 100 lie as far apart as 1, 2, 3. Of a whole
grid the neighbours of a trial are those that are at most one step away in every parameter; of a sample they are the
nearest 2 × parameters.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import msgspec
import numpy as np
import polars as pl

from truewind.analytics.document import HeatMap
from truewind.numerics.floats import floats
from truewind.numerics.performance import NAN, Floats, Ints

FALLING = ("max_drawdown", "fees")  # figures that are the better the less they are
KEPT = 0.5  # of the best's figure, that a neighbour has to have
PLATEAU, SPIKE = 0.75, 0.5  # shares of neighbours that keep it
_BINS = 8  # of a side of a surface
_SURFACES = 3
_ROWS = 256  # of distances at a time
_SAME, _OTHER_KIND = 1e-12, 2.0  # how far apart equal places lie at most, and values that have no order at least


class Stability(msgspec.Struct, frozen=True, kw_only=True):
    """How the figure does around `centre`. value: there. neighbours: how many; kept: the share that keeps half of it
    (NaN where there is nothing to keep); gained: the share that made money (NaN without neighbours). shape: plateau,
    slope, spike, or "not defined". sentence: the same in words.
    """

    metric: str
    centre: dict[str, Any]
    value: float
    neighbours: int
    kept: float
    gained: float
    shape: str
    sentence: str


def values_of(table: pl.DataFrame, metric: str) -> Floats:
    """The figure of every trial, larger is better, NaN where it is not defined."""
    found = floats(table[metric]).copy()
    return -found if metric in FALLING else found


def best_trial(table: pl.DataFrame, metric: str) -> int | None:
    """The number of the first of the best trials; None if no trial has the figure."""
    values = values_of(table, metric)
    return None if np.isnan(values).all() else int(np.nanargmax(values))


def best_on_plateau(table: pl.DataFrame, keys: Sequence[str], metric: str) -> int | None:
    """The trial with the greatest mean over itself and its neighbours; those without a figure count as the worst of
    all trials, since next to them one had better not be. None if no trial has the figure.
    """
    values = values_of(table, metric)
    if np.isnan(values).all():
        return None
    filled = np.where(np.isnan(values), np.nanmin(values), values)
    places = _places(table, keys)
    means = [np.append(filled[near], filled[i]).mean() for i, near in enumerate(_neighbours(places, places))]
    means = [NAN if math.isnan(own) else mean for own, mean in zip(values, means, strict=True)]
    return int(np.nanargmax(means))


def stability(
    table: pl.DataFrame,
    keys: Sequence[str],
    metric: str,
    *,
    centre: Mapping[str, Any] | None = None,
    value: float = NAN,
) -> Stability:
    """How much of the best trial's figure its neighbours keep; of another point's, if `centre` (key → value) and the
    figure `value` that it has (larger is better) are given.
    """
    values = values_of(table, metric)
    best = best_trial(table, metric)
    if centre is None:
        if best is None:
            return _undefined(metric, {}, NAN, 0, f"no trial has a {_words(metric)}")
        centre, value = {key: table[key][best] for key in keys}, float(values[best])
    places = _places(table, keys, centre)
    near = _neighbours(places[-1:], places[:-1])[0]
    shown = -value if metric in FALLING else value
    if not len(near):
        return _undefined(metric, dict(centre), shown, 0, "there is one trial only")
    gained = float(np.mean(values_of(table, "net_return")[near] > 0.0)) if "net_return" in table.columns else NAN
    if math.isnan(value) or (not value > 0.0 and metric not in FALLING):
        why = "it has none at these settings" if math.isnan(value) else f"{shown:.2f} is nothing to keep"
        return _undefined(metric, dict(centre), shown, len(near), f"of a {_words(metric)} {why}", gained)
    least = value / KEPT if metric in FALLING else value * KEPT
    kept = float(np.mean(values[near] >= least))  # NaN does not keep it
    shape = "plateau" if kept >= PLATEAU else "spike" if kept < SPIKE else "slope"
    said = {
        "plateau": "a plateau: the result does not hang on exact settings",
        "slope": "a slope: small changes of the settings cost a good part of it",
        "spike": "a spike: next to these settings the result is gone, which is what chance looks like",
    }
    sentence = (
        f"{round(kept * len(near))} of the {len(near)} neighbouring settings "
        f"{'have at most twice' if metric in FALLING else 'keep at least half of'} the {_words(metric)} of "
        f"{shown:.2f}. This is {said[shape]}."
    )
    return Stability(
        metric=metric, centre=dict(centre), value=shown, neighbours=len(near), kept=kept, gained=gained, shape=shape,
        sentence=sentence,
    )  # fmt: skip


def surfaces(
    table: pl.DataFrame, keys: Sequence[str], metric: str, centre: Mapping[str, Any] | None = None
) -> tuple[HeatMap, ...]:
    """The figure over pairs of the (at most three) parameters that explain most of it, each cell the mean of the trials
    in it, whatever their other parameters. The cell of `centre` (of the best trial, if left out) is marked.
    """
    values = np.abs(values_of(table, metric)) if metric in FALLING else values_of(table, metric)
    best = best_trial(table, metric)
    if best is None:
        return ()
    at = dict(centre) if centre is not None else {key: table[key][best] for key in keys}
    binned = {key: _binned(table[key], at.get(key)) for key in keys}
    wide = [key for key in keys if len(binned[key][1]) > 1]
    chosen = sorted(sorted(wide, key=lambda key: -_explained(binned[key][0], values))[:_SURFACES], key=keys.index)
    found = []
    for row_key, column_key in combinations(chosen, 2):
        (rows, row_labels, row_at), (columns, column_labels, column_at) = binned[row_key], binned[column_key]
        field = np.full((len(row_labels), len(column_labels)), NAN)
        for r in range(len(row_labels)):
            for c in range(len(column_labels)):
                inside = values[(rows == r) & (columns == c) & ~np.isnan(values)]
                field[r, c] = inside.mean() if len(inside) else NAN
        row, column = (key.rpartition(".")[2] for key in (row_key, column_key))
        found.append(
            HeatMap(
                title=f"{_words(metric).capitalize()} by {row} and {column}",
                rows=row_labels,
                columns=column_labels,
                values=field,
                kind="fraction" if metric in ("net_return", "max_drawdown") else "ratio",
                row_label=row,
                column_label=column,
                marked=None if row_at is None or column_at is None else (row_at, column_at),
                note="Each cell is the mean of the trials in it. The one that was chosen is marked."
                if len(keys) > 2
                else "",
            )
        )
    return tuple(found)


def _words(metric: str) -> str:
    return {"sharpe": "Sharpe ratio", "net_return": "net return"}.get(metric, metric.replace("_", " "))


def _undefined(
    metric: str, centre: dict[str, Any], value: float, neighbours: int, why: str, gained: float = NAN
) -> Stability:
    return Stability(
        metric=metric,
        centre=centre,
        value=value,
        neighbours=neighbours,
        kept=NAN,
        gained=gained,
        shape="not defined",
        sentence=f"Stability is not defined: {why}.",
    )


def _places(table: pl.DataFrame, keys: Sequence[str], point: Mapping[str, Any] | None = None) -> Floats:
    """Trials × parameters: ranks of the values, from 0 to 1; values without an order lie
    further apart than the ends of a scale. With `point`, which may lie between the values, as the last row.
    """
    found = np.zeros((len(table) + (point is not None), len(keys)))
    for k, key in enumerate(keys):
        column = table[key]
        if column.dtype.is_numeric():
            known = column.unique().drop_nulls().sort().to_numpy().astype(np.float64)
            values = column.cast(pl.Float64).to_numpy()
            if point is not None:
                values = np.append(values, float(point[key]))
            found[:, k] = (
                np.interp(values, known, np.linspace(0.0, 1.0, len(known))) if len(known) > 1 else values * 0.0
            )
        else:
            texts = [str(value) for value in column] + ([str(point[key])] if point is not None else [])
            order = {text: number for number, text in enumerate(dict.fromkeys(texts))}
            found[:, k] = [_OTHER_KIND * order[text] for text in texts]
    return found


def _neighbours(points: Floats, among: Floats) -> list[Ints]:
    """Of each point the numbers of its neighbours `among` the places; what lies at the point itself is none."""
    sizes = [len(np.unique(among[:, k])) for k in range(among.shape[1])]
    whole = math.prod(sizes) == len(np.unique(among, axis=0))
    steps = np.array([1.0 / max(1, size - 1) for size in sizes])
    found = []
    for first in range(0, len(points), _ROWS):
        apart = np.abs(points[first : first + _ROWS, None, :] - among[None, :, :])
        away = np.any(apart > _SAME, axis=2)
        if whole:
            near = away & np.all((apart <= steps + _SAME) | (apart >= _OTHER_KIND), axis=2)
            found += [np.flatnonzero(near[i]) for i in range(len(near))]
            continue
        distance = np.where(away, np.sqrt(np.sum(np.minimum(apart, 1.0) ** 2, axis=2)), np.inf)
        nearest = np.argsort(distance, axis=1, kind="stable")[:, : 2 * among.shape[1]]
        found += [nearest[i][np.isfinite(distance[i][nearest[i]])] for i in range(len(nearest))]
    return found


def _binned(column: pl.Series, at: Any) -> tuple[Ints, tuple[str, ...], int | None]:
    """Of each trial the number of its bin, the bins' labels, and the bin of `at`."""
    if not column.dtype.is_numeric() or column.n_unique() <= _BINS:
        known = column.unique(maintain_order=True)
        values = known.sort().to_list()  # switches: off before on
        number = {value: i for i, value in enumerate(values)}
        labels = tuple(_label(value) for value in values)
        return np.array([number[value] for value in column]), labels, number.get(at)
    numbers = column.cast(pl.Float64).to_numpy()
    edges = np.unique(np.quantile(numbers, np.linspace(0.0, 1.0, _BINS + 1)))
    bins = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    shown = edges.round() if column.dtype.is_integer() else edges
    labels = tuple(f"{_label(low)}–{_label(high)}" for low, high in pairwise(shown.tolist()))
    inside = at is not None and edges[0] <= float(at) <= edges[-1]
    place = int(np.clip(np.searchsorted(edges, float(at), side="right") - 1, 0, len(labels) - 1)) if inside else None
    return bins, labels, place


def _explained(bins: Ints, values: Floats) -> float:
    """Share of the figure's variance that lies between the bins."""
    known = ~np.isnan(values)
    bins, values = bins[known], values[known]
    total = float(np.var(values)) if len(values) else 0.0
    if not total > 0.0:
        return 0.0
    counts = np.bincount(bins)
    sums = np.bincount(bins, weights=values)
    means = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
    return float(np.sum(counts * (means - values.mean()) ** 2) / len(values) / total)


def _label(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100.0 else f"{value:.3g}"
