"""Recordings that need a word more than `truewind data import`, brought into the lake (TRUEWIND_LAKE, or data).

python examples/prepare.py stocks PATH/sp500_dataset.csv.gz            closes of US shares, one column each
python examples/prepare.py spot PATH/BTC_USDT_USDT-5m-futures.feather  a perpetual's bars in the place of spot
"""

import os
import shutil
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import polars as pl

from truewind.domain.instrument import Instrument, Kind
from truewind.market.importing import import_files
from truewind.storage.lake import Lake


def stocks(lake: Lake, source: Path, folder: Path) -> None:
    """A wide table of adjusted closes as daily bars of venue `us`: open, high and low are the close, volume is zero."""
    closes = pl.read_csv(source, infer_schema_length=None).unpivot(index="Date", variable_name="Ticker").drop_nulls()
    bars = closes.select(
        "Ticker", "Date", *(pl.col("value").alias(n) for n in ("Open", "High", "Low", "Close")), Volume=0.0
    )
    bars.write_csv(folder / "stocks.csv")
    import_files(lake, [folder / "stocks.csv"], venue="us")
    for symbol in closes["Ticker"].unique().sort():
        step = {"tick_size": Decimal("0.001"), "lot_size": Decimal(1)}
        lake.put_instrument(
            Instrument(
                venue="us", symbol=symbol, kind=Kind.EQUITY, base=symbol, quote="USD", calendar="us_equities", **step
            )
        )


def spot(lake: Lake, source: Path, folder: Path) -> None:
    """Bars of a perpetual as those of venue `binance`: a stand-in where no spot was recorded."""
    name = source.name.replace("_USDT_USDT-", "_USDT-").replace("-futures", "")
    import_files(lake, [shutil.copy(source, folder / name)], venue="binance")


if __name__ == "__main__":
    what, path = sys.argv[1:]
    with tempfile.TemporaryDirectory() as made:
        {"stocks": stocks, "spot": spot}[what](Lake(os.environ.get("TRUEWIND_LAKE", "data")), Path(path), Path(made))
