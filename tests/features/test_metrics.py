"""Metrics: a registry that explains itself, and windows that are what polars makes of the rows."""

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from truewind.errors import FeatureError
from truewind.features.checks import sample_bars
from truewind.features.metrics import METRICS, WINDOWS, WindowMetrics, available, definitions, definitions_table
from truewind.features.streaming import columns

TIME = pl.Datetime("us", "UTC")
MINUTE = 60_000_000
START = 1_704_067_200_000_000


def rows(names: Any, count: int = 700, seed: int = 1) -> pl.DataFrame:
    """Minutes with a gap of two hours, and holes."""
    table = sample_bars(count, names, seed)
    draw = np.random.default_rng(seed)
    ts = START + MINUTE * (np.arange(count) + 120 * (np.arange(count) > 300))
    holed = {name: np.where(draw.random(count) < 0.1, np.nan, values) for name, values in table.items()}
    return pl.DataFrame({"ts": pl.Series(ts).cast(TIME), **holed})


def test_every_definition_is_a_feature_or_a_column() -> None:
    """One row an id and version, of which each says all that there is to say."""
    table = definitions_table()
    assert table.height == len(METRICS) == table.select("id", "version").unique().height
    for name in ("id", "formula", "rows", "fold", "units", "description"):
        assert (table[name] != "").all(), name
    for metric in METRICS:
        assert set(metric.windows) <= set(WINDOWS)
        assert metric.inputs
        feature = metric.feature
        assert metric.column == metric.id if feature is None else metric.column in feature.columns
        assert (metric.fold == "only") == (metric.rows == "bars")


@pytest.mark.parametrize(
    "metric", [metric for metric in METRICS if metric.rows == "bars"], ids=lambda metric: metric.id
)
def test_a_metric_of_bars_is_the_feature_of_its_name(metric: Any) -> None:
    """The same numbers as `features.columns` gives: nothing is computed in a second way."""
    table = rows(metric.inputs)
    made = WindowMetrics([metric], "1m").extend(table)
    assert made["ts"].to_list() == table["ts"].to_list()
    given = {name: table[name].to_numpy() for name in metric.inputs} | {"ts": table["ts"].to_physical().to_numpy()}
    wanted = columns([metric.spec], given)[metric.column] if metric.spec else given[metric.id]
    np.testing.assert_array_equal(made[metric.id].to_numpy(), wanted)


def test_metrics_by_hand() -> None:
    """Two minutes: 3 trades worth 61 for 6 units, 4 of them bought; then one of 11 for 2, sold."""
    names = ("close", "high", "low", "volume", "quote_volume", "trades", "taker_buy_volume")
    values = [(9.0, 12.0, 9.0, 6.0, 61.0, 3.0, 4.0), (11.0, 11.0, 11.0, 2.0, 22.0, 1.0, 0.0)]
    ts = pl.Series("ts", [START, START + MINUTE]).cast(TIME)
    table = pl.DataFrame(values, schema=list(names), orient="row").with_columns(ts)
    ids = ("vwap", "mean_trade_size", "signed_volume", "taker_imbalance", "trade_intensity", "return", "amihud")
    made = WindowMetrics(definitions(ids), "1m").extend(table)
    first, second = made.drop("ts").rows()
    assert first[:4] == pytest.approx((61 / 6, 2.0, 2.0, 1 / 3))
    assert np.isnan(first[4:]).all()
    assert second == pytest.approx((11.0, 2.0, -2.0, -1.0, 1 / 60, 2 / 9, 2 / 9 / 22))


@pytest.mark.parametrize("window", ["1m", "5m", "1h", "1d"])
def test_seconds_and_minutes_are_folded_as_polars_does(window: str) -> None:
    """Means, last values and roots of squares of what is there, gaps and holes among them."""
    table = rows(("bid", "bid_quantity", "ask", "ask_quantity", "close"))
    folded = [metric for metric in METRICS if metric.fold != "only"]
    made = WindowMetrics(folded, window).extend(table).fill_nan(None)
    bid, ask, bids, asks = (pl.col(name).fill_nan(None) for name in ("bid", "ask", "bid_quantity", "ask_quantity"))
    close = pl.col("close").fill_nan(None)
    change = (close / close.forward_fill().shift(1)).log()
    change = pl.when(close.is_not_null()).then(change)
    wanted = (
        table.with_columns(
            ((bid + ask) / 2).alias("mid"),
            (ask - bid).alias("spread"),
            ((bids - asks) / (bids + asks)).alias("imbalance"),
            change.alias("change"),
        )
        .group_by_dynamic("ts", every=window)
        .agg(
            pl.when(pl.col("change").count() > 0)
            .then(pl.col("change").pow(2).sum().sqrt())
            .alias("realised_volatility"),
            pl.col("mid").drop_nulls().last().alias("mid_close"),
            pl.col("spread").mean().alias("spread_mean"),
            (pl.col("spread") / pl.col("mid")).mean().alias("relative_spread_mean"),
            pl.col("imbalance").mean().alias("imbalance_mean"),
        )
    )
    assert_frame_equal(made, wanted, rel_tol=1e-12, check_column_order=False)


def test_pieces_cut_at_windows_give_the_whole() -> None:
    table = rows(("close", "volume", "quote_volume", "trades", "taker_buy_volume"))
    for rows_of, window in (("bars", "1m"), ("minutes", "5m")):
        lacking = available([metric for metric in METRICS if metric.rows == rows_of], table.columns)
        chosen = [metric for metric in METRICS if metric.rows == rows_of and metric.id not in lacking]
        whole, apart = WindowMetrics(chosen, window), WindowMetrics(chosen, window)
        parts = [apart.extend(table[start:end]) for start, end in pairwise([0, 5, 5, 300, 600, 700])]
        assert_frame_equal(pl.concat(parts), whole.extend(table), check_exact=True)


def test_what_lacks_an_input_is_told() -> None:
    assert available(definitions(["basis", "close"]), {"close", "mark"}) == {"basis": ["index"]}


def test_unknown_metrics_and_windows_are_refused() -> None:
    assert len(definitions(window="1s")) == len(METRICS) - 1
    with pytest.raises(FeatureError, match=r"Unknown metric 'volum'.*Did you mean 'volume'"):
        definitions(["volum"])
    with pytest.raises(FeatureError, match="no metrics over windows of '7m'"):
        definitions(window="7m")
    with pytest.raises(FeatureError, match="realised_volatility has no meaning in windows of 1s"):
        definitions(["realised_volatility"], "1s")
