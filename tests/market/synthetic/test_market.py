"""The tables of the synthetic market: consistent, reproducible, and the same however they are asked for."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from profiles import examples
from truewind.config import parse
from truewind.domain.instrument import Kind
from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US
from truewind.errors import ConfigError, EmptyRangeError, UnknownSeriesError, ValidationError
from truewind.features import bars_from_trades
from truewind.market.synthetic import SyntheticConfig, SyntheticMarket
from truewind.numerics.jit import COMPILED
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey, validate

START = 1_704_067_200_000_000  # 2024-01-01 00:00 UTC
names = st.sampled_from(["BTCUSDT", "XRPUSDT", "DOGEUSDT"]) | st.from_regex(r"\A[A-Z0-9]{1,8}USDT\Z")
seeds = st.integers(0, 2**63)
few = examples(15 if COMPILED else 3)
heavy = pytest.mark.skipif(not COMPILED, reason="months of minutes take too long in plain Python")


def small(**changed: object) -> SyntheticMarket:
    return SyntheticMarket(SyntheticConfig(**{"symbols": ("BTCUSDT", "ETHUSDT"), "days": 2, **changed}))


def steps(values: pl.Series, size: Decimal) -> np.ndarray:
    """Values as whole steps; fails unless each is the float nearest to a multiple of `size`."""
    whole = np.rint(values.to_numpy() / float(size))
    np.testing.assert_array_equal([float(size * int(k)) for k in whole], values)
    return whole.astype(np.int64)


@given(names, seeds)
@few
def test_bars_are_complete_consistent_and_on_the_grid(symbol, seed):
    """Every minute is there, low ≤ open, close ≤ high, prices are ticks, volumes lots, no part exceeds its whole."""
    market = small(symbols=(symbol,), seed=seed)
    bars, about = market.bars(symbol), market.instruments()[0]
    assert bars["ts"].to_physical().to_list() == list(range(START, START + 2 * DAY_US, MINUTE_US))
    o, h, l, c = (steps(bars[name], about.tick_size) for name in ("open", "high", "low", "close"))
    volume, bought = steps(bars["volume"], about.lot_size), steps(bars["taker_buy_volume"], about.lot_size)
    assert (l >= 1).all()
    assert (l <= np.minimum(o, c)).all()
    assert (h >= np.maximum(o, c)).all()
    assert (np.abs(o[1:] - c[:-1]) <= 1).all()
    assert (bars["trades"] >= 1).all()
    assert (bars["trades"] <= volume).all()
    assert ((bought >= 0) & (bought <= volume)).all()
    mean_price = bars["quote_volume"] / bars["volume"]
    assert (mean_price >= bars["low"] * (1 - 1e-12)).all()
    assert (mean_price <= bars["high"] * (1 + 1e-12)).all()


@given(names, seeds, st.integers(0, 2 * 1440 - 1), st.integers(1, 120))
@few
def test_trades_add_up_to_the_bars_in_every_column(symbol, seed, minute, count):
    """First, extreme, last price, lots, taker lots, notional and number of a minute's trades are those of its bar."""
    market = small(symbols=(symbol,), seed=seed)
    about = market.instruments()[0]
    begin, end = START + minute * MINUTE_US, START + min(minute + count, 2 * 1440) * MINUTE_US
    trades = market.trades(symbol, begin, end)
    validate(SeriesKey("trades", "synthetic", symbol), trades)
    bars = market.bars(symbol).filter(pl.col("ts").to_physical().is_between(begin, end, closed="left"))
    made = bars_from_trades(trades, every="1m", until_us=end)
    exact = ["ts", "open", "high", "low", "close", "trades"]
    assert_frame_equal(made.select(exact), bars.select(exact), check_exact=True)
    assert_frame_equal(made, bars, rel_tol=1e-12)
    lots = pl.Series(steps(trades["quantity"], about.lot_size))
    sums = trades.select(pl.col("ts").dt.truncate("1m"), "side", lots.alias("lots")).group_by("ts").agg(
        pl.col("lots").sum(), pl.col("lots").filter(pl.col("side") == 1).sum().alias("bought")
    ).sort("ts")  # fmt: skip
    np.testing.assert_array_equal(sums["lots"], steps(bars["volume"], about.lot_size))
    np.testing.assert_array_equal(sums["bought"], steps(bars["taker_buy_volume"], about.lot_size))


@given(st.integers(0, 3 * HOUR_US), st.integers(1, 3 * HOUR_US))
@few
def test_trades_are_the_same_whatever_range_is_asked_for(offset, length):
    """A range is a slice of a larger one, ids included, and ids count on without a hole."""
    market = small(symbols=("DOGEUSDT",))
    whole = market.trades("DOGEUSDT", START + 20 * HOUR_US, START + 26 * HOUR_US)
    assert (whole["id"].diff().drop_nulls() == 1).all()
    begin, end = START + 20 * HOUR_US + offset, START + 20 * HOUR_US + offset + length
    inside = whole.filter(pl.col("ts").to_physical().is_between(begin, end, closed="left"))
    assert_frame_equal(market.trades("DOGEUSDT", begin, end), inside, check_exact=True)


@given(seeds, st.integers(1, 2), st.integers(1, 2))
@few
def test_a_longer_history_begins_with_the_shorter(seed, days, more):
    """Bars, funding and trades of the first days are bit-equal when more days follow."""
    short, long = small(seed=seed, days=days), small(seed=seed, days=days + more)
    bars, funding = short.bars("ETHUSDT"), short.funding("ETHUSDT")
    assert_frame_equal(long.bars("ETHUSDT").head(bars.height), bars, check_exact=True)
    assert_frame_equal(long.funding("ETHUSDT").head(funding.height), funding, check_exact=True)
    last_hour = START + days * DAY_US - HOUR_US, START + days * DAY_US
    assert_frame_equal(long.trades("ETHUSDT", *last_hour), short.trades("ETHUSDT", *last_hour), check_exact=True)


def test_symbols_and_the_order_of_asking_change_nothing():
    """ETHUSDT is the same alone, among others, after its trades were made, and after another symbol was asked for."""
    alone = small(symbols=("ETHUSDT",)).bars("ETHUSDT")
    market = small(symbols=("SOLUSDT", "BTCUSDT", "ETHUSDT"))
    market.trades("ETHUSDT", START, START + HOUR_US)
    market.bars("BTCUSDT")
    market.funding("ETHUSDT")
    assert_frame_equal(market.bars("ETHUSDT"), alone, check_exact=True)


def test_another_seed_is_another_world():
    """With another seed hardly any price, volume or funding rate is the same."""
    one, other = small(seed=1), small(seed=2)
    a, b = one.bars("BTCUSDT"), other.bars("BTCUSDT")
    assert (a["close"] == b["close"]).mean() < 0.01
    assert (a["volume"] == b["volume"]).mean() < 0.01
    assert not one.funding("BTCUSDT").equals(other.funding("BTCUSDT"))


def test_symbols_do_not_move_as_one_copy():
    """Different symbols have different shocks: no two return series coincide."""
    market = small()
    a, b = (market.bars(symbol)["close"].log().diff().drop_nulls() for symbol in ("BTCUSDT", "ETHUSDT"))
    assert (a == b).mean() < 0.05


@pytest.mark.parametrize(("timeframe", "minutes"), [("5m", 5), ("1h", 60), ("1d", 1440)])
def test_longer_bars_are_made_of_the_minutes(timeframe, minutes):
    """Open is the first, high the highest, close the last, volume the sum, by numpy's reckoning."""
    market = small()
    m = {name: column.to_numpy().reshape(-1, minutes) for name, column in market.bars("BTCUSDT").to_dict().items()}
    bars = market.bars("BTCUSDT", timeframe)
    np.testing.assert_array_equal(bars["ts"].to_numpy(), m["ts"][:, 0])
    np.testing.assert_array_equal(bars["open"], m["open"][:, 0])
    np.testing.assert_array_equal(bars["high"], m["high"].max(axis=1))
    np.testing.assert_array_equal(bars["low"], m["low"].min(axis=1))
    np.testing.assert_array_equal(bars["close"], m["close"][:, -1])
    for name in ("volume", "quote_volume", "trades", "taker_buy_volume"):
        np.testing.assert_allclose(bars[name], m[name].sum(axis=1), rtol=1e-12)


@heavy
def test_funding_comes_every_eight_hours_and_follows_momentum():
    """Settlements lie 0 to 17 ms after 00, 08 and 16 h, are mostly 0.01 %, more after a rise, less after a fall."""
    market = small(days=210)
    funding, level = market.funding("BTCUSDT"), market.bars("BTCUSDT")["close"]
    ts = funding["ts"].to_physical()
    assert ((ts // (8 * HOUR_US)).diff().drop_nulls() == 1).all()
    assert (ts[0] // (8 * HOUR_US), funding.height) == (START // (8 * HOUR_US) + 1, 3 * 210 - 1)
    assert set(ts % (8 * HOUR_US)) == {ms * 1000 for ms in range(18)}
    assert funding["rate"].median() == 0.0001
    at = ((ts - START) // MINUTE_US).to_numpy()
    np.testing.assert_allclose(funding["mark_price"], level.to_numpy()[at - 1], rtol=0.001)
    at, rate = at[2:], funding["rate"].to_numpy()[2:]
    day = level.to_numpy()[at - 1] / level.to_numpy()[np.maximum(at - 1441, 0)] - 1
    assert rate[day > 0.03].mean() > 0.0001 > rate[day < -0.03].mean()


@heavy
def test_funding_is_capped_in_a_wild_market():
    """Where days of ±100 % occur the rate stops at 0.75 %, Binance's cap."""
    rates = small(days=60, volatility=5.0).funding("ETHUSDT")["rate"]
    assert rates.abs().max() == 0.0075


def test_spot_has_bars_but_no_funding():
    market = small(kind=Kind.SPOT)
    assert market.instruments()[0].kind is Kind.SPOT
    assert_frame_equal(market.bars("BTCUSDT"), small().bars("BTCUSDT"))
    with pytest.raises(UnknownSeriesError, match="spot"):
        market.funding("BTCUSDT")


def test_what_is_not_there_is_refused_with_a_remedy():
    """Unknown symbol, odd timeframe and times outside the history are errors that say what to do."""
    market = small()
    with pytest.raises(UnknownSeriesError, match="Did you mean 'BTCUSDT'"):
        market.bars("BTCUSD")
    for timeframe in ("30s", "7m", "1w"):
        with pytest.raises(ConfigError, match="divide a day"):
            market.bars("BTCUSDT", timeframe)
    for start, end in ((START - DAY_US, START), (START + 2 * DAY_US, START + 3 * DAY_US), (START + 5, START + 5)):
        with pytest.raises(EmptyRangeError, match="Ask within"):
            market.trades("BTCUSDT", start, end)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"symbols": ["BTC-USD"]}, "ending in USDT"),
        ({"symbols": ["BTCUSDT", "BTCUSDT"]}, "named twice"),
        ({"symbols": []}, "at least one"),
        ({"timeframe": "7m"}, "divide a day"),
        ({"timeframe": "1s"}, "divide a day"),
        ({"kind": "future"}, "kind"),
        ({"sede": 1}, "Did you mean 'seed'"),
        ({"tail_index": 2}, "greater than 2"),
    ],
)
def test_settings_that_make_no_market_are_refused(changed, message):
    with pytest.raises(ConfigError, match=message):
        parse(SyntheticConfig, changed)


def test_a_timeframe_has_one_name():
    assert SyntheticConfig(timeframe="60m").timeframe == "1h"


def test_writing_stores_bars_funding_and_instruments(tmp_path):
    """The lake gives back what the market makes; writing again leaves the same content, more days are appended."""
    turn = {"start": "2024-01-29", "timeframe": "1h"}  # into February
    lake, market, seen = Lake(tmp_path), small(days=5, **turn), []
    keys = market.write(lake, lambda *step: seen.append(step))
    assert seen == [("Synthetic market", done, 2) for done in range(3)]
    assert sorted(keys) == [info.key for info in lake.series(venue="synthetic")]
    bars = SeriesKey("bars", "synthetic", "BTCUSDT", "1h")
    assert_frame_equal(lake.read(bars), market.bars("BTCUSDT", "1h"))
    assert_frame_equal(lake.read(SeriesKey("funding", "synthetic", "ETHUSDT")), market.funding("ETHUSDT"))
    assert [lake.instrument("synthetic", about.symbol) for about in market.instruments()] == market.instruments()

    snapshot = lake.snapshot(keys).id
    market.write(lake)
    small(days=4, **turn).write(lake)  # a part of what is there
    assert lake.snapshot(keys).id == snapshot
    small(days=6, **turn).write(lake)
    assert lake.read(bars).height == 6 * 24


def test_two_worlds_do_not_mix_in_one_series(tmp_path):
    """Another seed replaces a history that it covers, and is refused where the old one would stick out."""
    lake, bars = Lake(tmp_path), SeriesKey("bars", "synthetic", "BTCUSDT", "1h")
    small(days=3, timeframe="1h").write(lake)
    other = small(days=3, timeframe="1h", seed=7)
    other.write(lake)
    assert_frame_equal(lake.read(bars), other.bars("BTCUSDT", "1h"))
    with pytest.raises(ValidationError, match="another lake folder"):
        small(days=2, timeframe="1h").write(lake)
    assert_frame_equal(lake.read(bars), other.bars("BTCUSDT", "1h"))
