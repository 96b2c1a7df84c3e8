"""Runs over a universe: whoever is delisted is there until the end, whoever is listed tomorrow is not there yet."""

from typing import Any

import polars as pl
import pytest

from scripted import flat
from truewind.backtest.data import DataSettings
from truewind.backtest.replay import replay
from truewind.backtest.run import run
from truewind.config import parse
from truewind.domain.clock import parse_ts_us
from truewind.domain.due import DueKind
from truewind.domain.timeframe import DAY_US
from truewind.engine.merge import SYMBOL, TS_EVENT
from truewind.errors import ConfigError, EmptyRangeError
from truewind.storage.schema import SeriesKey
from truewind.strategies.base import Strategy

JAN = parse_ts_us("2024-01-01")
SEEN: list[Any] = []


class Holder(Strategy):
    """Buys a unit of whatever is a member and holds it; remembers what it was shown."""

    def on_start(self) -> None:
        SEEN.clear()
        self.bought: set[str] = set()

    def on_bar(self, bar: Any) -> None:
        SEEN.append((bar.symbol, bar.ts_event, bar.member))
        if bar.member and bar.symbol not in self.bought:
            self.bought.add(bar.symbol)
            self.order(1, 1, symbol=bar.symbol)


def settings(**how: Any) -> DataSettings:
    return parse(DataSettings, {"venue": "test", "timeframe": "1d", "universe": {}} | how)


def days(first: int, count: int) -> list[int]:
    """Minutes at which daily candles begin."""
    return [24 * 60 * day for day in range(first, first + count)]


@pytest.fixture
def market(store):
    """AAA has 60 days from January on, BBB the first 20 of them, CCC the last 20."""
    for symbol, first, count, price in (("AAA", 0, 60, 100), ("BBB", 0, 20, 50), ("CCC", 40, 20, 200)):
        candles = [flat(price + i) for i in range(count)]
        store(symbol, candles, minutes=days(first, count), timeframe="1d", kind="perpetual")


def test_rows_begin_with_the_choice_and_end_with_the_symbol(lake, market):
    """Chosen on 2 January and 1 February: CCC is listed on 10 February, and is never chosen by the end of the month."""
    source = replay(lake, settings(), {})
    line = source.timeline
    known = {symbol: line.times[TS_EVENT][line.times[SYMBOL] == i] for i, symbol in enumerate(line.symbols)}
    assert sorted(known) == ["AAA", "BBB"]
    assert known["AAA"][0] == known["BBB"][0] == JAN + 2 * DAY_US
    assert known["BBB"][-1] == JAN + 20 * DAY_US
    assert (source.timeline.columns["member"] == 1.0).all()
    daily = replay(lake, settings(universe={"every": "day"}), {}).timeline
    ccc = daily.times[SYMBOL] == daily.symbols.index("CCC")
    assert daily.times[TS_EVENT][ccc][0] == JAN + 42 * DAY_US


def test_a_delisted_symbol_is_settled_at_its_last_price(lake, market):
    source = replay(lake, settings(universe={"every": "day"}), {})
    (due,) = [due for due in source.dues["BBB"] if due["kind"] == DueKind.SETTLEMENT]
    assert due["ts"] == JAN + 20 * DAY_US
    assert "AAA" not in source.dues or DueKind.SETTLEMENT not in source.dues["AAA"]["kind"]
    assert not any("stays at the last price" in warning for warning in source.warnings)


def test_who_leaves_the_universe_has_rows_but_is_no_member(lake, store):
    """The most traded by ten days: AAA in January, BBB from February on."""
    for symbol, volumes in (("AAA", [9.0] * 20 + [1.0] * 60), ("BBB", [2.0] * 80)):
        candles = [(100, 100, 100, 100)] * 80
        store(symbol, candles, minutes=days(0, 80), timeframe="1d")
        key = SeriesKey("bars", "test", symbol, "1d")
        lake.write(key, lake.read(key).with_columns(pl.Series("volume", volumes)))
    source = replay(lake, settings(universe={"top": 1, "days": 10}), {})
    line = source.timeline
    members = {
        symbol: line.columns["member"][line.times[SYMBOL] == i].tolist() for i, symbol in enumerate(line.symbols)
    }
    assert members["AAA"] == [1.0] * 29 + [0.0] * 50  # bars known from 3 to 31 January, then those of later
    assert members["BBB"] == [1.0] * 49  # the bar of 1 February is known on the 2nd


def test_a_run_over_a_universe(lake, market, tmp_path):
    """The strategy sees BBB until its end, is paid out at its last price, and meets CCC a day after its first bar."""
    config = {
        "name": "everyone",
        "data": {"venue": "test", "timeframe": "1d", "universe": {"every": "day"}},
        "strategy": {"path": f"{__file__}:Holder"},
        "account": {"cash": 10_000, "leverage": 1},
        "costs": {"maker_fee": 0, "taker_fee": 0, "half_spread_bps": 0},
        "risk": {"max_position": 1, "max_exposure": 1, "max_gross": 1, "max_drawdown": 0.99},
    }
    result = run(config, lake=lake, runs=tmp_path / "runs")
    fills = pl.read_parquet(result.run_dir / "fills.parquet")
    assert fills["symbol"].to_list() == ["AAA", "BBB", "BBB", "CCC"]
    end = fills.row(2, named=True)
    assert (end["kind"], end["price"]) == ("settlement", 69.0)
    again = run(config, lake=lake, runs=tmp_path / "runs")
    assert again.result_id == result.result_id


def test_what_a_universe_cannot_be(lake, market):
    with pytest.raises(ConfigError, match="symbols, or a universe"):
        parse(DataSettings, {"venue": "test", "timeframe": "1d"})
    with pytest.raises(ConfigError, match="of bars"):
        parse(DataSettings, {"venue": "test", "kind": "trades", "universe": {}})
    with pytest.raises(EmptyRangeError, match="no bars of 1h"):
        replay(lake, settings(timeframe="1h"), {})
    with pytest.raises(EmptyRangeError, match="universe"):
        replay(lake, settings(universe={"quote": "EUR"}), {})
