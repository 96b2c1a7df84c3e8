"""`truewind metrics`."""

from pathlib import Path
from typing import Any

from truewind.features.metrics import METRICS
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey


def test_metrics_are_listed(run: Any) -> None:
    found = run("metrics", "list", "--json").json["metrics"]
    assert [one["id"] for one in found] == [metric.id for metric in METRICS]
    assert found[8]["formula"] == "quote_volume / volume"
    short = run("metrics", "list", "--window", "1s")
    assert "spread_mean" in short.out
    assert "realised_volatility" not in short.out
    assert run("metrics", "list", "--window", "2s").code == 2


def test_definitions_are_exported(run: Any, lake: Path) -> None:
    assert run("metrics", "export", "--json").json == {"lake": "data", "definitions": len(METRICS)}
    assert str(len(METRICS)) in run("metrics", "export").out
    assert Lake(lake).records("metric_definitions").height == len(METRICS)


def test_metrics_are_computed_for_symbols(run: Any, lake: Path) -> None:
    """Of two symbols' hourly bars and funding; what the data do not allow is said."""
    done = run("metrics", "compute", "BTCUSDT", "ETHUSDT", "--window", "4h", "--json").json["runs"]
    assert [one["rows"] for one in done] == [240, 240]
    assert done[0]["key"] == "features synthetic BTCUSDT window_metrics 4h"
    assert "spread_mean" in done[0]["skipped"]
    assert Lake(lake).records("metric_runs").height == 2
    table = run("metrics", "compute", "BTCUSDT", "--window", "1d", "--metric", "close", "--start", "2024-01-11")
    assert "30" in table.out
    stored = Lake(lake).read(SeriesKey("window_metrics", "synthetic", "BTCUSDT", "1d", "features"))
    assert stored.columns == ["ts", "ts_known", "close"]
    said = run("metrics", "compute", "ETHUSDT", "--window", "1h").out
    assert "ETHUSDT: no mid_close, spread_mean, relative_spread_mean, imbalance_mean: there are no quotes" in said


def test_an_unknown_symbol_and_a_doubtful_venue_are_refused(run: Any, lake: Path) -> None:
    failed = run("metrics", "compute", "BTCUSD")
    assert failed.code == 2
    assert "Did you mean 'BTCUSDT'" in failed.err
    store = Lake(lake)
    store.write(
        SeriesKey("bars", "other", "BTCUSDT", "1h"), store.read(SeriesKey("bars", "synthetic", "BTCUSDT", "1h"))
    )
    assert "other and synthetic" in run("metrics", "compute", "BTCUSDT").err
    assert run("metrics", "compute", "BTCUSDT", "--venue", "other", "--window", "1h").code == 0
