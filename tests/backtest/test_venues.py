"""Several venues in one run: each instrument with its venue's terms, all in one account, named so that none is meant by
another's name."""

import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import truewind
from scripted import UNLIMITED
from truewind.backtest.data import DataSettings
from truewind.backtest.replay import replay
from truewind.config import dump, parse
from truewind.errors import ConfigError
from truewind.market.importing import import_files
from truewind.strategies.base import Strategy

SPOT, PERP = "coins:BTCUSDT", "BTCUSDT"


class Carry(Strategy):
    """Buys spot and sells the same quantity of the perpetual at the first bar, and holds both."""

    done = False

    def on_start(self) -> None:
        self.heard: set[str] = set()

    def on_bar(self, bar: Any) -> None:
        self.heard.add(bar.symbol)
        if len(self.heard) == 2 and not self.done:
            spot, perp = sorted(self.heard, key=lambda symbol: ":" not in symbol)
            self.done = bool(self.buy(1, symbol=spot)) and bool(self.sell(1, symbol=perp))


def config(**more: Any) -> dict[str, Any]:
    return {
        "name": "carry",
        "data": {"venue": "test", "symbols": [SPOT, PERP], "timeframe": "1m"},
        "strategy": {"path": f"{__name__}:Carry"},
        "account": {"cash": 1000.0, "leverage": 10},
        "costs": {"maker_fee": 0.0, "taker_fee": 0.001, "half_spread_bps": 0.0, "impact": 0.0},
        "latency": {"entry_ms": 0.0, "reply_ms": 0.0},
        "risk": dump(UNLIMITED),
        **more,
    }


def test_spot_against_perpetual_is_flat_to_the_price(lake, store, tmp_path):
    """Bought and sold at 100, whatever the price does after: two fees of 0.1, and two fundings of 0.1 % received.

    Funding is paid on the mark of its record: 0.001 × 150 and 0.001 × 60. Cash 1,000 − 0.2 + 0.15 + 0.06.
    """
    prices = [100.0, 100.0, 150.0, 150.0, 60.0, 60.0]
    candles = [(price,) * 4 for price in prices]
    store("BTCUSDT", candles, kind="spot", venue="coins")
    store("BTCUSDT", candles, venue="test", funding=[(4, 0.001, 150.0), (5, 0.001, 60.0)])
    result = truewind.run(config(), lake=lake, runs=tmp_path)
    fills = pl.read_parquet(result.run_dir / "fills.parquet").filter(pl.col("kind") == "trade")
    assert sorted(zip(fills["symbol"], fills["side"], fills["price"], fills["fee"], strict=True)) == [
        (PERP, -1, 100.0, 0.1), (SPOT, 1, 100.0, 0.1),
    ]  # fmt: skip
    assert result.summary["funding"] == pytest.approx(0.21, abs=1e-9)
    assert result.summary["final_equity"] == pytest.approx(1000.0 - 0.2 + 0.21, abs=1e-8)
    equity = pl.read_parquet(result.run_dir / "equity.parquet")["equity"].to_list()
    assert equity[2] == pytest.approx(999.8, abs=1e-8)  # at 150, before the first funding: nothing but the fees
    assert {info.key.venue for info in lake.snapshot().series} == {"coins", "test"}
    page = (result.run_dir / "report.html").read_text(encoding="utf-8")
    assert SPOT in page


def test_fees_are_each_venues_own(lake, store, tmp_path):
    """Of Binance without a discount: 0.1 % of 100 for spot, 0.05 % of 100 for the perpetual."""
    candles = [(100.0,) * 4] * 4
    store("BTCUSDT", candles, kind="spot", venue="binance")
    store("BTCUSDT", candles, venue="binance_usdm")
    given = config(costs={"fees": "venue", "half_spread_bps": 0.0, "impact": 0.0})
    given["data"] = {"venue": "binance_usdm", "symbols": ["binance:BTCUSDT", "BTCUSDT"], "timeframe": "1m"}
    result = truewind.run(given, lake=lake, runs=tmp_path)
    fills = pl.read_parquet(result.run_dir / "fills.parquet")
    assert dict(zip(fills["symbol"], fills["fee"], strict=True)) == {
        "binance:BTCUSDT": pytest.approx(0.1), "BTCUSDT": pytest.approx(0.05),
    }  # fmt: skip


def test_names_are_what_the_run_calls_them(lake, store):
    store("BTCUSDT", [(100.0,) * 4] * 3, kind="spot", venue="coins")
    store("BTCUSDT", [(101.0,) * 4] * 3, venue="test")
    data = parse(DataSettings, {"venue": "test", "timeframe": "1m", "symbols": [SPOT, PERP]})
    found = replay(lake, data, {"spot": f"value(close[{SPOT}])"})
    assert found.timeline.symbols == [SPOT, PERP]
    assert set(found.timeline.columns["spot"]) == {100.0}
    assert [(one.venue, one.symbol, one.name) for one in found.instruments] == [
        ("coins", "BTCUSDT", SPOT), ("test", "BTCUSDT", PERP),
    ]  # fmt: skip
    assert all(isinstance(one.tick_size, Decimal) for one in found.instruments)
    with pytest.raises(ConfigError, match="names one twice"):
        replay(lake, data.model_copy(update={"symbols": ("test:BTCUSDT", "BTCUSDT")}), {})
    with pytest.raises(ConfigError, match="of one venue"):
        parse(DataSettings, {"venue": "test", "timeframe": "1m", "symbols": [SPOT], "universe": {}})
    slashed = parse(DataSettings, {"venue": "okx", "timeframe": "1m", "symbols": ["BTC/USDT:USDT"]})
    assert slashed.key("BTC/USDT:USDT").venue == "okx"


def test_recorded_spot_and_perpetual_move_together(shared, lake, tmp_path):
    """BTC by four hours, spot and perpetual in 2024: the pair swings by less than a tenth of its spot leg."""
    with zipfile.ZipFile(shared / "gravestone" / "usdm_klines_4h.zip") as packed:
        file = Path(packed.extract(next(n for n in packed.namelist() if n.endswith("/BTCUSDT.csv")), tmp_path))
    import_files(lake, [shared / "genetrader" / "BTC_USDT-4h.feather"], venue="binance")
    import_files(lake, [file], venue="binance_usdm", symbol="BTCUSDT", timeframe="4h")
    given = config(costs={"fees": "venue"}, account={"cash": 100_000.0, "leverage": 5})
    data = {"venue": "binance_usdm", "symbols": ["binance:BTCUSDT", "BTCUSDT"], "timeframe": "4h"}
    given["data"] = data | {"start": "2024-03-01", "end": "2024-09-01"}
    result = truewind.run(given, lake=lake, runs=tmp_path / "runs")
    equity = pl.read_parquet(result.run_dir / "equity.parquet")["equity"].to_numpy()
    candles = pl.read_parquet(result.run_dir / "candles.parquet")
    spot = candles.filter(pl.col("symbol") == "binance:BTCUSDT")["close"].to_numpy()
    assert len(spot) > 1000
    assert 0.0 < np.ptp(equity[20:]) < 0.1 * np.ptp(spot)
    assert result.summary["fills"] == 2
