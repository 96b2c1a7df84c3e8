"""The shipped configs of momentum, mean reversion and the BTC trend bot on the recorded markets they are for."""

from pathlib import Path

import polars as pl
import pytest

import truewind
from truewind.market.importing import import_files
from truewind.storage.lake import Lake

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "strategies"
TABLES = ("fills", "orders", "equity")
# What to run, and an earlier end of it, at a moment when it is in the midst of things.
RUNS = {
    "momentum": ["data.symbols=[BTCUSDT,DOGEUSDT]", "data.start=2025-01-01", "data.end=2025-07-01"],
    "mean-reversion": ["data.symbols=[BTCUSDT,DOGEUSDT]", "data.end=2024-05-01"],
    "btc-trend": ["data.start=2024-09-01", "data.end=2025-03-01"],
}
EARLIER = {"momentum": "2025-04-03", "mean-reversion": "2024-04-07", "btc-trend": "2024-11-21"}


@pytest.fixture(scope="module")
def recorded(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Perpetuals in 4-hour bars with what funding there is, and two spot pairs in hours."""
    lake = Lake(tmp_path_factory.mktemp("recorded") / "data")
    perpetuals = [shared / "gravestone" / f"usdm_{what}.zip" for what in ("klines_4h", "funding")]
    import_files(lake, perpetuals, venue="binance_usdm")
    import_files(lake, [shared / "genetrader" / f"{coin}_USDT-1h.feather" for coin in ("BTC", "DOGE")])
    return lake


@pytest.fixture(scope="module")
def tables(recorded, tmp_path_factory):
    """`tables(name, lane, *overrides)`: the tables that a run leaves, and how many bars it had."""
    folder = tmp_path_factory.mktemp("runs")

    def made(name, lane, *overrides):
        wanted = [*RUNS[name], f"lane={lane}", *overrides]
        result = truewind.run(CONFIGS / f"{name}.yaml", overrides=wanted, lake=recorded, runs=folder)
        return {table: pl.read_parquet(result.run_dir / f"{table}.parquet") for table in TABLES}

    return made


@pytest.mark.parametrize("name", RUNS)
def test_both_lanes_do_the_same_on_recorded_data(name, tables):
    """Fills, orders and equity to the last bit."""
    slow, fast = tables(name, "event"), tables(name, "compiled")
    assert len(slow["fills"]) > 2
    for table in TABLES:
        assert slow[table].equals(fast[table])


@pytest.mark.parametrize("name", RUNS)
def test_what_comes_later_changes_nothing_before(name, tables):
    """A run that ends earlier has the same fills and orders until then."""
    whole, shorter = tables(name, "event"), tables(name, "event", f"data.end={EARLIER[name]}")
    last = shorter["equity"]["ts"].max()
    assert last < whole["equity"]["ts"].max()
    before = whole["fills"].filter(pl.col("ts") <= last)
    assert len(before) > 0
    assert shorter["fills"].equals(before)
    columns = ["ts", "equity"]
    assert shorter["equity"].select(columns).equals(whole["equity"].select(columns).head(len(shorter["equity"])))
