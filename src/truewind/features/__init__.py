"""Features: numbers computed from bars, the same in training, backtest and live.

compute(bars, ["ema(20)", "atr(14)"])       a table from a table
stream(["ema(20)", "atr(14)"]).update(bar)  a row from a bar
columns(["ema(20)"], {"close": prices})     arrays from arrays
bars_from_trades(trades, every="1s")        bars to compute them from
book_levels(events, instrument)             states of an order book to compute them from
fit_scaler(table, end="2024-07-01")         what scales them for a model, fitted on training rows
"""

from truewind.features import (
    across,
    bands,
    book,
    derivatives,
    direction,
    intraday,
    liquidity,
    momentum,
    price,
    profile,
    regime,
    regression,
    session,
    signals,
    stochastic,
    structure,
    sweeps,
    trades,
    trend,
    volatility,
    volume,
)
from truewind.features.bars import TradeBars, bars_from_trades
from truewind.features.base import Feature, derived, parameter, register, scalars
from truewind.features.depth import BookSampler, book_levels
from truewind.features.exchange import exchange_sessions, with_sessions
from truewind.features.expression import Expression
from truewind.features.pipeline import FeaturePipeline
from truewind.features.regime import fit_markov_volatility
from truewind.features.scaling import Scaler, Scaling, fit_scaler, load_scaler
from truewind.features.spec import history, parse_spec, parse_specs, warmup
from truewind.features.streaming import Stream, columns, describe, stream
from truewind.features.table import compute

FAMILIES = (  # importing them is what registers their features
    trend,
    direction,
    regression,
    signals,
    momentum,
    stochastic,
    volatility,
    bands,
    regime,
    price,
    across,
    derivatives,
    session,
    intraday,
    structure,
    sweeps,
    trades,
    liquidity,
    volume,
    profile,
    book,
)

__all__ = [
    "BookSampler",
    "Expression",
    "Feature",
    "FeaturePipeline",
    "Scaler",
    "Scaling",
    "Stream",
    "TradeBars",
    "bars_from_trades",
    "book_levels",
    "columns",
    "compute",
    "derived",
    "describe",
    "exchange_sessions",
    "fit_markov_volatility",
    "fit_scaler",
    "history",
    "load_scaler",
    "parameter",
    "parse_spec",
    "parse_specs",
    "register",
    "scalars",
    "stream",
    "warmup",
    "with_sessions",
]
