"""Fitting states of a market: what the ETH cluster bot decides by, learned once from a training span.

    recipe (YAML) + bars → features → standardised → k-means → each state named by what followed it → one JSON file

Only bars inside the span are used: features of earlier ones may warm up before it, but returns that look ahead end in
it. Mean and deviation, centres and sides are all of the span, so that nothing of a later run has been seen.
"""

from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from truewind.backtest.data import DataSettings
from truewind.backtest.folder import code_version
from truewind.backtest.replay import replay
from truewind.config import Settings, parse, read_yaml
from truewind.domain.clock import iso
from truewind.domain.ports import Progress
from truewind.domain.timeframe import timeframe_us
from truewind.engine.merge import CLOSE, TS
from truewind.errors import ConfigError, EmptyRangeError
from truewind.numerics.kmeans import kmeans
from truewind.storage.blobs import open_blobs
from truewind.storage.lake import Lake
from truewind.strategies.crypto.eth_cluster import FEATURES
from truewind.strategies.fitted import MarketState, MarketStates

_LEAST_ROWS = 20  # bars a state, on average, below which a mean says nothing at all
_LEAST_SHARE = 0.05  # of the bars, below which a state is one event, and is not traded


class StatesRecipe(Settings):
    """What to fit."""

    data: DataSettings = Field(description="one symbol's bars, with start and end: the training span")
    states: int = Field(default=6, ge=2, le=32, description="how many states")
    horizon: int = Field(default=24, ge=1, le=10_000, description="bars that the return after a bar looks ahead")
    hurdle: float = Field(default=0.002, ge=0.0, le=1.0, description="mean return that is traded, as a fraction")
    seed: int = Field(default=42, description="chooses the first centres")

    @model_validator(mode="after")
    def _one_series_with_a_span(self) -> "StatesRecipe":
        data = self.data
        if len(data.symbols) != 1 or data.universe is not None or data.kind != "bars" or data.inner_timeframe:
            raise ValueError("states are fitted on the bars of one symbol")
        if data.start is None or data.end is None:
            raise ValueError("data.start and data.end say what may be learned from: give both")
        return self


def fit_states(recipe: str | Path, *, lake: Lake, out: Path, progress: Progress | None = None) -> MarketStates:
    """Fit what the recipe says, and write it to `out`, whole or not at all.

    Raises ConfigError; DataError if the lake lacks the bars or they are too few; StorageError if it cannot be written.
    """
    tell = progress or (lambda stage, done, total: None)
    wanted = parse(StatesRecipe, read_yaml(recipe), str(recipe))
    tell("reading data", 0, 0)
    found = replay(lake, wanted.data, FEATURES)
    tell("fitting", 0, 0)
    columns = found.timeline.columns
    states = states_of(
        wanted,
        found.timeline.times[TS],
        found.timeline.prices[CLOSE],
        np.stack([columns[field] for field in FEATURES], axis=1),
        found.snapshot.id,
    )
    open_blobs(out.parent).write(out.name, states.to_json())
    return states


def states_of(
    recipe: StatesRecipe, ts: np.ndarray, close: np.ndarray, points: np.ndarray, snapshot: str
) -> MarketStates:
    """The states in a training span. ts, close: of its bars, in order; points: (bars, features), NaN where unknown."""
    data, horizon = recipe.data, recipe.horizon
    forward = np.full(len(close), np.nan)
    forward[:-horizon] = close[horizon:] / close[:-horizon] - 1.0
    used = np.isfinite(points).all(axis=1) & np.isfinite(forward)
    points, forward = points[used], forward[used]
    if len(points) < _LEAST_ROWS * recipe.states:
        raise EmptyRangeError(
            f"{data.symbols[0]} has {len(points)} bars with all features and a return over {horizon} bars from "
            f"{data.start} to {data.end}: too few for {recipe.states} states",
            remedy="Take a longer span, or fewer states",
        )
    mean, deviation = points.mean(axis=0), points.std(axis=0)
    constant = [field for field, spread in zip(FEATURES, deviation, strict=True) if not spread > 0.0]
    if constant:
        raise ConfigError(f"{', '.join(constant)} never changes in this span", remedy="Take a span with trading in it")
    found = kmeans((points - mean) / deviation, recipe.states, seed=recipe.seed)
    least = _LEAST_SHARE * len(points)
    states = [_state(found.centres[i], forward[found.labels == i], recipe.hurdle, least) for i in range(recipe.states)]
    _, end = data.span_us()
    return MarketStates(
        features=FEATURES,
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        states=tuple(sorted(states, key=lambda state: -state.forward)),
        horizon=horizon,
        hurdle=recipe.hurdle,
        venue=data.venue,
        symbol=data.symbols[0],
        timeframe=data.timeframe,
        start=iso(int(ts[0])),
        end=iso(min(end or 0, int(ts[-1]) + timeframe_us(data.timeframe))),
        rows=len(points),
        data_snapshot=snapshot,
        seed=recipe.seed,
        code_version=code_version(),
    )


def _state(centre: np.ndarray, forward: np.ndarray, hurdle: float, least: float) -> MarketState:
    """A state, named by the mean return that followed its bars: long or short if that is beyond the hurdle, and if they
    are at least so many.
    """
    mean = float(forward.mean())
    side = 0 if len(forward) < least or abs(mean) <= hurdle else 1 if mean > 0.0 else -1
    return MarketState(side=side, forward=mean, rows=len(forward), centre=tuple(centre.tolist()))
