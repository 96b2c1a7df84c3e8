"""What strategies read beside a bar's own fields: other series and other symbols, as they were known at each close."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest

import truewind
from scripted import perpetual
from truewind.backtest.data import DataSettings
from truewind.backtest.reads import named, other_symbols
from truewind.backtest.replay import replay
from truewind.config import parse
from truewind.domain.signal import FLAT, Signal, Want
from truewind.errors import ConfigError, FeatureError, UnknownSeriesError
from truewind.market.importing import import_files
from truewind.research import sweep
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey
from truewind.strategies.base import Strategy

START = datetime(2024, 1, 1, tzinfo=UTC)
SEEN: list[Any] = []


def settings(**how: Any) -> DataSettings:
    return parse(DataSettings, {"venue": "test", "timeframe": "1m", "symbols": ["BTCUSDT"]} | how)


def candles(closes: list[float]) -> list[tuple[float, float, float, float]]:
    return [(price, price + 1, price - 1, price) for price in closes]


def beside(lake, kind: str, minutes: list[float], symbol: str = "BTCUSDT", **columns: list[float]) -> None:
    times = [START + timedelta(minutes=minute) for minute in minutes]
    lake.write(SeriesKey(kind, "test", symbol), pl.DataFrame({"ts": pl.Series(times).cast(TS), **columns}))


def test_a_column_may_take_the_place_of_a_spec():
    assert named({"rate": "funding_rate", "btc": "close[BTCUSDT]", "fast": "ema(3)"}) == {
        "rate": "value(funding_rate)",
        "btc": "value(close[BTCUSDT])",
        "fast": "ema(3)",
    }
    assert named(["open_interest", "basis"]) == {"open_interest": "value(open_interest)", "basis": "basis"}
    assert other_symbols(["ema(2, returns(1)[ETHUSDT])", "beta(60)", "sma(3)"]) == ("ETHUSDT", "BTCUSDT")


def test_each_bar_has_what_was_known_at_its_close(lake, store):
    """Funding at 1:00 is known to the bar that closes then; open interest received late is known late."""
    store("BTCUSDT", candles([100.0] * 5), funding=[(1, 0.0001, 100.0), (3.5, -0.0002, 100.0)])
    beside(lake, "open_interest", [0.5, 2.5], open_interest=[7.0, 9.0])
    reads = {"rate": "value(funding_rate)", "oi": "value(open_interest)"}
    found = replay(lake, settings(), reads)
    assert found.timeline.columns["rate"].tolist() == [0.0001, 0.0001, 0.0001, -0.0002, -0.0002]
    assert found.timeline.columns["oi"].tolist() == [7.0, 7.0, 9.0, 9.0, 9.0]
    kinds = {info.key.kind for info in found.snapshot.series}
    assert kinds == {"bars", "funding", "open_interest"}


def test_nothing_known_later_moves_an_earlier_bar(lake, store, tmp_path):
    """Everything from the sixth minute on is another in a second lake: the first five bars read the same in both."""
    reads = {
        "rate": "value(funding_rate)", "score": "funding_zscore(2)", "other": "returns(1)[ETHUSDT]",
        "rank": "rank(returns(1))", "beta": "beta(2, close, close[ETHUSDT])", "oi": "open_interest_change(1)",
    }  # fmt: skip
    draw = np.random.default_rng(5)
    tables = []
    for number, into in enumerate((lake, Lake(tmp_path / "other"))):
        for index, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
            early = np.random.default_rng(index).normal(100, 1, 5)
            closes = np.concatenate([early, draw.normal(100, 1, 5)])
            times = [START + timedelta(minutes=minute) for minute in range(10)]
            shape = dict.fromkeys(("open", "high", "low", "close"), closes)
            bars = {"ts": pl.Series(times).cast(TS), **shape, "volume": np.ones(10)}
            into.write(SeriesKey("bars", "test", symbol, "1m"), pl.DataFrame(bars))
            late = 0.001 * (1 + number)
            beside(into, "funding", [0.5, 2.0, 5.01, 7.0], symbol, rate=[1e-4, 2e-4, late, -late])
            beside(into, "open_interest", [0.2, 4.9, 5.2], symbol, open_interest=[10.0, 11.0, 12.0 + number])
            into.put_instrument(perpetual(symbol))
        tables.append(replay(into, settings(symbols=["BTCUSDT", "ETHUSDT"]), reads).timeline)
    early = tables[0].times[0] < int(START.timestamp() * 1e6) + 5 * 60_000_000
    assert early.sum() == 10
    moved = set()
    for field in ("rate", "score", "other", "rank", "beta_beta", "oi_absolute"):
        one, other = (table.columns[field] for table in tables)
        np.testing.assert_array_equal(one[early], other[early], err_msg=field)
        if not np.array_equal(one[~early], other[~early], equal_nan=True):
            moved.add(field)
    assert {"rate", "other", "rank"} <= moved  # the change was there to be seen


def test_symbols_compare_with_each_other_and_with_one_that_is_not_traded(lake, store):
    """Ranks are among the run's two symbols; SOLUSDT is read, and takes no part in them."""
    store("BTCUSDT", candles([100.0, 110.0, 121.0]))
    store("ETHUSDT", candles([100.0, 105.0, 126.0]))
    store("SOLUSDT", candles([10.0, 20.0, 30.0]))
    reads = {"rank": "rank(returns(1))", "sol": "value(close[SOLUSDT])"}
    found = replay(lake, settings(symbols=["BTCUSDT", "ETHUSDT"]), reads)
    line = found.timeline
    assert line.columns["rank"][2:].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert line.columns["sol"].tolist() == [10.0, 10.0, 20.0, 20.0, 30.0, 30.0]
    assert line.symbols == ["BTCUSDT", "ETHUSDT"]
    assert {info.key.symbol for info in found.snapshot.series} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    with pytest.raises(UnknownSeriesError, match="DOGEUSDT"):
        replay(lake, settings(), {"other": "returns(1)[DOGEUSDT]"})


def test_ranks_are_among_the_members_of_the_time(lake, store):
    """CCC has bars all along, and is listed last: no rank before it is chosen, and no place in that of others."""
    for symbol, step, first in (("AAA", 1.01, 0), ("BBB", 1.02, 0), ("CCC", 1.03, 40)):
        minutes = [24 * 60 * day for day in range(first, 70)]
        store(symbol, candles([100 * step**day for day in range(len(minutes))]), minutes=minutes, timeframe="1d")
    data = settings(timeframe="1d", symbols=[], universe={"every": "day"})
    line = replay(lake, data, {"rank": "rank(returns(1))"}).timeline
    ranks = {symbol: line.columns["rank"][line.times[2] == index] for index, symbol in enumerate(line.symbols)}
    assert ranks["AAA"][-1] == 0.0
    assert ranks["BBB"][-1] == 0.5
    assert ranks["CCC"][-1] == 1.0
    assert set(ranks["BBB"][1:38].tolist()) == {1.0}


def test_what_the_lake_lacks_is_said(lake, store):
    """Of all symbols: an error. Of one: not known there, and the reader is told; also where a series stands still."""
    store("BTCUSDT", candles([100.0] * 4), funding=[(2.5, 0.0001, 100.0)])
    store("ETHUSDT", candles([100.0] * 4))
    with pytest.raises(UnknownSeriesError, match="open_interest: read, but the lake has no open_interest of BTCUSDT"):
        replay(lake, settings(), {"oi": "value(open_interest)"})
    with pytest.raises(FeatureError, match="no_such_column"):
        replay(lake, settings(), {"x": "ema(3, no_such_column)"})
    with pytest.raises(ConfigError, match="no exchange is named"):
        replay(lake, settings(), {"x": "session_clock"})
    found = replay(lake, settings(symbols=["BTCUSDT", "ETHUSDT"]), {"rate": "value(funding_rate)"})
    btc = found.timeline.times[2] == 0
    assert np.array_equal(found.timeline.columns["rate"][btc], [np.nan, np.nan, 1e-4, 1e-4], equal_nan=True)
    assert np.isnan(found.timeline.columns["rate"][~btc]).all()
    said = "\n".join(found.warnings)
    assert "ETHUSDT: no funding in the lake; funding_rate is not known there" in said
    assert "BTCUSDT: funding_rate not known on 2 of 4 bars, the first at 2024-01-01 00:01:00" in said


class FundingTaker(Strategy):
    """Sells when a high funding is known."""

    def features(self) -> dict[str, str]:
        return {"rate": "funding_rate", "market": "cross_mean(returns(1))"}

    def on_start(self) -> None:
        SEEN.clear()

    def on_bar(self, bar: Any) -> None:
        SEEN.append((bar.symbol, bar.ts, bar.rate, bar.market))
        if bar.rate > 2e-4 and not self.position(bar.symbol).quantity:
            self.sell(1, symbol=bar.symbol)


def test_strategies_get_them_in_a_run_on_recorded_funding(shared, lake, tmp_path):
    """BTC and ETH perpetuals by five minutes in June 2025: each bar has the last funding of the file, and no later."""
    folder = shared / "market-swarm"
    names = [f"{coin}_USDT_USDT-{what}" for coin in ("BTC", "ETH") for what in ("5m-futures", "8h-funding_rate")]
    import_files(lake, [folder / f"{name}.feather" for name in names], venue="binance_usdm")
    config = {
        "name": "funding",
        "data": {"venue": "binance_usdm", "symbols": ["BTCUSDT", "ETHUSDT"], "timeframe": "5m", "start": "2025-06-10"},
        "strategy": {"path": f"{__name__}:FundingTaker"},
    }
    truewind.run(config, lake=lake, runs=tmp_path / "runs")
    recorded = pl.read_ipc(folder / "BTC_USDT_USDT-8h-funding_rate.feather")
    times = recorded["date"].dt.epoch("us").to_numpy()
    rates = recorded["open"].to_numpy()
    mine = [(ts, rate) for symbol, ts, rate, _ in SEEN if symbol == "BTCUSDT"]
    assert len(mine) > 3000
    for ts, rate in mine[::97]:
        assert rate == rates[np.searchsorted(times, ts + 300_000_000, side="right") - 1]
    assert len({rate for _, rate in mine}) > 30
    assert not any(np.isnan(market) for _, _, _, market in SEEN)


def decide(row: Any, position: Any, params: Any) -> Any:
    return Signal(Want.LONG) if 1e4 * row.rate > params.least and row.rank == row.rank else FLAT


decide.features = {"rate": "funding_rate", "rank": "rank(returns(3))", "sol": "close[SOLUSDT]"}


def test_sweeps_read_them_too(lake, store, tmp_path):
    """Every trial gives the figures of a backtest with its settings, and the snapshot knows what was read."""
    draw = np.random.default_rng(3)
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        closes = [float(price) for price in np.round(100 * np.exp(np.cumsum(draw.normal(0, 1e-3, 300))), 1)]
        store(symbol, candles(closes), funding=[(30 * i, float(draw.normal(0, 1e-4)), 100.0) for i in range(1, 10)])
    config = {
        "name": "rates",
        "data": {"venue": "test", "symbols": ["BTCUSDT", "ETHUSDT"], "timeframe": "1m", "start": "2024-01-01T01:00"},
        "strategy": {"path": f"{__name__}:decide", "params": {"least": 0.0}},
        "sizing": {"method": "fraction", "value": 0.2},
    }
    done = sweep(config, {"strategy.params.least": [-0.5, 0.0, 0.5]}, lake=lake, out=tmp_path, workers=1)
    for trial in done.table.to_dicts():
        for lane in ("event", "compiled"):
            alone = truewind.run(
                config, overrides=[f"strategy.params.least={trial['strategy.params.least']}", f"lane={lane}"],
                lake=lake, runs=tmp_path / "runs",
            )  # fmt: skip
            assert trial["error"] is None
            assert trial["fills"] == alone.summary["fills"] > 0
            assert trial["final_equity"] == alone.summary["final_equity"]
    about = orjson.loads((done.folder / "sweep.json").read_bytes())
    assert about["data_snapshot"] == alone.data_snapshot
