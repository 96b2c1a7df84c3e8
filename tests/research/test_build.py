"""Building features into the lake: the same numbers as all at once, whatever was there before."""

import numpy as np
import polars as pl
import pytest

from truewind.domain.timeframe import HOUR_US
from truewind.errors import ConfigError, EmptyRangeError, SchemaError, UnknownSeriesError
from truewind.features import FeaturePipeline
from truewind.features.checks import sample_bars
from truewind.research.build import build
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

START = int(np.datetime64("2024-01-10", "us").astype(np.int64))
SYMBOLS = ("BTCUSDT", "ETHUSDT")
OWN = ["ema(9)", "sma(3, rsi(5))", "atr(4)@4h"]
JOINT = [*OWN, "rank(returns(6))", "beta(12)"]


def bars(symbol: str, rows: int = 1_500) -> pl.DataFrame:
    """Two months and more of hours."""
    table = sample_bars(rows, ("open", "high", "low", "close", "volume"), seed=SYMBOLS.index(symbol))
    ts = pl.Series("ts", START + HOUR_US * np.arange(rows)).cast(TS)
    return pl.DataFrame({"ts": ts, **table})


def put(lake: Lake, rows: slice = slice(None)) -> None:
    for symbol in SYMBOLS:
        lake.write(SeriesKey("bars", "here", symbol, "1h"), bars(symbol)[rows])


def recipe(features: list[str], **data: object) -> dict[str, object]:
    return {
        "name": "core",
        "data": {"venue": "here", "symbols": list(SYMBOLS), "timeframe": "1h", **data},
        "features": features,
    }


def key(symbol: str) -> SeriesKey:
    return SeriesKey("core", "here", symbol, "1h", "features")


@pytest.mark.parametrize("specs", [OWN, JOINT])
def test_the_set_holds_what_the_pipeline_gives_all_at_once(tmp_path, specs: list[str]) -> None:
    """Month by month on two threads; each row is known an hour after it began."""
    lake = Lake(tmp_path)
    put(lake)
    done = build(recipe(specs), lake=lake, workers=2)
    assert (done.rows, done.resumed) == (3_000, 0)
    tables = {
        symbol: {name: bars(symbol)[name].to_physical().to_numpy() for name in bars(symbol).columns}
        for symbol in SYMBOLS
    }
    whole = FeaturePipeline(specs, SYMBOLS, timeframe="1h").extend(tables)
    for symbol in SYMBOLS:
        stored = lake.read(key(symbol))
        assert stored.columns == ["ts", "ts_known", *done.columns]
        assert (stored["ts_known"] - stored["ts"]).dt.total_hours().unique().to_list() == [1]
        for name in done.columns:
            np.testing.assert_array_equal(stored[name].fill_null(np.nan).to_numpy(), whole[symbol][name])


@pytest.mark.parametrize("specs", [OWN, JOINT])
def test_new_bars_are_appended_from_the_saved_state(tmp_path, specs: list[str]) -> None:
    """In three parts, the cuts inside of months: the same content as in one, and only new rows are computed."""
    apart, once = Lake(tmp_path / "apart"), Lake(tmp_path / "once")
    put(once)
    build(recipe(specs), lake=once)
    computed = []
    for end in (700, 1_200, 1_500, 1_500):
        put(apart, slice(0, end))
        computed.append(build(recipe(specs), lake=apart))
    assert [done.rows for done in computed] == [1_400, 1_000, 600, 0]
    assert [done.resumed for done in computed] == [0, 2, 2, 2]
    for symbol in SYMBOLS:
        assert apart.snapshot([key(symbol)]).id == once.snapshot([key(symbol)]).id


def test_a_symbol_may_be_listed_later_and_vanish(tmp_path) -> None:
    lake = Lake(tmp_path)
    lake.write(SeriesKey("bars", "here", "BTCUSDT", "1h"), bars("BTCUSDT"))
    lake.write(SeriesKey("bars", "here", "ETHUSDT", "1h"), bars("ETHUSDT")[600:900])
    done = build(recipe(["rank(returns(2))"]), lake=lake)
    assert done.rows == 1_800
    eth = lake.read(key("ETHUSDT"))["rank_returns_2"]
    assert eth.null_count() == 2  # until it has returns of its own
    btc = lake.read(key("BTCUSDT"))["rank_returns_2"]
    assert btc.is_not_null().sum() == 298


@pytest.mark.parametrize("row", [100, 1_450])
def test_a_bar_that_was_changed_is_noticed(tmp_path, row: int) -> None:
    """A re-issued close, in a month before the last and in the last: everything is computed anew."""
    lake = Lake(tmp_path)
    put(lake)
    build(recipe(OWN), lake=lake)
    changed = bars("BTCUSDT")[row : row + 1].with_columns(close=pl.col("high"))
    lake.write(SeriesKey("bars", "here", "BTCUSDT", "1h"), changed)
    done = build(recipe(OWN), lake=lake)
    assert (done.rows, done.resumed) == (1_500, 1)
    assert build(recipe(OWN), lake=lake).rows == 0


def test_another_recipe_begins_anew_and_leaves_no_old_column(tmp_path) -> None:
    lake = Lake(tmp_path)
    put(lake)
    first = build(recipe(OWN), lake=lake)
    second = build(recipe(["rsi(9)"]), lake=lake)
    assert first.version != second.version
    assert second.rows == 3_000
    assert lake.read(key("BTCUSDT")).columns == ["ts", "ts_known", "rsi_9"]
    shorter = build(recipe(["rsi(9)"], start="2024-02-01", end="2024-02-20"), lake=lake)
    assert shorter.rows == 2 * 19 * 24
    assert lake.read(key("BTCUSDT")).height == 19 * 24


def test_anew_computes_all_again(tmp_path) -> None:
    lake = Lake(tmp_path)
    put(lake)
    build(recipe(OWN), lake=lake)
    before = lake.snapshot([key("BTCUSDT")]).id
    assert build(recipe(OWN), lake=lake, anew=True).rows == 3_000
    assert lake.snapshot([key("BTCUSDT")]).id == before


def test_funding_and_mark_prices_are_those_known_at_the_close(tmp_path) -> None:
    """By hand: funding every eight hours from 00:00, heard of a minute late; marks of four hours stand in for the
    hour's."""
    lake = Lake(tmp_path)
    lake.write(SeriesKey("bars", "here", "BTCUSDT", "1h"), bars("BTCUSDT")[:30])
    times = START + 8 * HOUR_US * np.arange(3)
    funding = {
        "ts": pl.Series(times).cast(TS),
        "rate": [0.01, 0.02, 0.03],
        "ts_recv": pl.Series(times + 60_000_000).cast(TS),
    }
    lake.write(SeriesKey("funding", "here", "BTCUSDT"), pl.DataFrame(funding))
    marks = {"ts": pl.Series(START + 4 * HOUR_US * np.arange(6)).cast(TS)}
    marks |= {name: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] for name in ("open", "high", "low", "close")}
    lake.write(SeriesKey("mark_bars", "here", "BTCUSDT", "4h"), pl.DataFrame(marks))
    asked = recipe(["sma(1, funding_rate)", "sma(1, next_funding_ts)", "sma(1, mark)"], symbols=["BTCUSDT"])
    build(asked, lake=lake)
    found = lake.read(key("BTCUSDT"))
    rates = found["sma_1_funding_rate"].to_list()
    assert rates[:9] == [0.01] * 8 + [0.02]  # the bar from 07:00 closes at 08:00, a minute too early to know
    assert rates[16] == 0.03
    due = found["sma_1_next_funding_ts"].to_list()
    assert due[:9] == [None] * 8 + [START + 16 * HOUR_US]
    assert found["sma_1_mark"].to_list()[:8] == [None] * 3 + [1.0] * 4 + [2.0]


def test_the_hours_of_an_exchange_are_joined_from_its_calendar(tmp_path) -> None:
    """NYSE, July 2024: closed on the 4th, until 13:00 in New York on the 3rd (nyse.com, holidays and trading hours)."""
    lake = Lake(tmp_path)
    ts = np.datetime64("2024-07-03T12:00", "us").astype(np.int64) + HOUR_US * np.arange(60)
    table = {name: np.ones(60) for name in ("open", "high", "low", "close", "volume")}
    lake.write(SeriesKey("bars", "here", "AAPL", "1h"), pl.DataFrame({"ts": pl.Series(ts).cast(TS), **table}))
    data = {"venue": "here", "symbols": "AAPL", "timeframe": "1h", "exchange": "XNYS"}
    build({"name": "core", "data": data, "features": ["session_clock"]}, lake=lake)
    found = lake.read(SeriesKey("core", "here", "AAPL", "1h", "features"))
    inside = found.filter(pl.col("session_clock.open") == 1.0)["ts"].dt.strftime("%d %H").to_list()
    assert inside == ["03 14", "03 15", "03 16", *(f"05 {hour}" for hour in range(14, 20))]
    with pytest.raises(ConfigError, match="no exchange is named"):
        build({"name": "core", "data": {**data, "exchange": ""}, "features": ["session_clock"]}, lake=lake)


def test_what_cannot_be_built_is_refused_in_words(tmp_path) -> None:
    lake = Lake(tmp_path)
    lake.write(SeriesKey("bars", "here", "BTCUSDT", "1h"), bars("BTCUSDT"))
    with pytest.raises(UnknownSeriesError, match="No symbol 'ETHUSDT'"):
        build(recipe(OWN), lake=lake)
    put(lake)
    with pytest.raises(SchemaError, match=r"No series has a column 'clos'.*Did you mean 'close'"):
        build(recipe(["sma(3, clos)"]), lake=lake)
    with pytest.raises(UnknownSeriesError, match="'mark' is read, but here BTCUSDT has no mark_bars"):
        build(recipe(["sma(3, mark)"]), lake=lake)
    with pytest.raises(EmptyRangeError, match="no bars from 2030-01-01"):
        build(recipe(OWN, start="2030-01-01"), lake=lake)
    with pytest.raises(ConfigError, match="has no name that a folder can have"):
        build({**recipe(OWN), "name": "../core"}, lake=lake)
    with pytest.raises(ConfigError, match="features"):
        build({**recipe(OWN), "features": []}, lake=lake)
