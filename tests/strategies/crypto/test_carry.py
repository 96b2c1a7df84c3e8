"""Funding carry: two legs of one size, or none. Spot and perpetual at 100, an account of 10,000: a leg is 50 units."""

import io
import math
import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from scripted import columns, flat, free, perpetual, play, spot
from truewind.domain.fill import FillKind
from truewind.errors import ConfigError
from truewind.risk.gate import RiskSettings
from truewind.strategies.crypto.carry import Carry

MINUTE, HOUR = 60_000_000, 3_600_000_000
PAIR = {"spot": "SPOT", "perpetual": "PERP", "horizon": 10.0, "costs": 0.003, "weight": 0.5}
GOOD, BAD = 2e-4, -1e-4  # of eight hours: 0.6 % in ten days


class Watched(Carry):
    """Keeps after each bar what both legs have, and whether something is on its way."""

    def __init__(self, **params):
        super().__init__(**params)
        self.seen = []

    def on_bar(self, bar):
        super().on_bar(bar)
        legs = self.position("SPOT").quantity, -self.position("PERP").quantity
        self.seen.append((*legs, bool(self.working("SPOT") or self.working("PERP"))))


def market(spots, perps, rates, *, step=MINUTE, volumes=(1e9, 1e9), start=0):
    """Bars of both; rates: the average of funding that is known with each bar, paid every eight hours."""
    tables = {}
    for name, candles, volume in zip(("SPOT", "PERP"), (spots, perps), volumes, strict=True):
        tables[name] = columns(candles, step=step, start=start) | {"volume": np.full(len(candles), volume)}
    count = len(perps)
    said = {"rate": np.broadcast_to(rates, count).astype(float), "last": np.zeros(count), "following": 8.0 * HOUR}
    tables["PERP"] |= {name: np.broadcast_to(values, count).copy() for name, values in said.items()}
    return tables


def run(bars, params=PAIR, *, step=MINUTE, lots=("0.001", "0.1"), **how):
    strategy = Watched(**params)
    traded = [spot("SPOT", lot=lots[0]), perpetual("PERP", lot=lots[1])]
    how = {"cash": 10_000.0, "costs": free(volume_share=1.0)} | how
    return play(bars, strategy, instruments=traded, step=step, **how), strategy


def test_both_legs_go_out_together_and_funding_is_what_is_left():
    """50 long and 50 short from the second bar on; the price rises by half, and of 5,000 short 0.1 % is paid: 5."""
    prices = [flat(100)] * 3 + [flat(150)] * 3
    engine, strategy = run(market(prices, prices, GOOD), funding={"PERP": [(4 * MINUTE, 0.001, 100.0)]})
    assert [(int(f["side"]), int(f["lots"])) for f in engine.fills[:2]] == [(1, 50_000), (-1, 500)]
    assert strategy.seen[-1] == (50.0, 50.0, False)


@pytest.mark.parametrize("rate", [9e-5, 0.0, -GOOD, math.nan])
def test_it_waits_where_funding_does_not_pay(rate):
    """Thirty times 0.009 % are 0.27 % and costs 0.3 %; and where nothing is known of it."""
    engine, _ = run(market([flat(100)] * 5, [flat(100)] * 5, rate))
    assert len(engine.events) == 0


def test_it_leaves_when_nothing_is_promised_any_more_and_stays_while_something_is():
    """Below what an entry asks for it stays; below nothing both legs are closed in one moment."""
    rates = [GOOD, GOOD, 1e-6, 1e-6, BAD, BAD, BAD]
    _, strategy = run(market([flat(100)] * 7, [flat(100)] * 7, rates))
    legs = [(long, short) for long, short, _ in strategy.seen[1::2]]
    assert legs == [(0.0, 0.0)] + [(50.0, 50.0)] * 4 + [(0.0, 0.0)] * 2


def test_a_leg_that_is_refused_takes_the_other_one_back():
    """The gate lets half of equity be held in all: the perpetual, but then no spot."""
    engine, strategy = run(market([flat(100)] * 4, [flat(100)] * 4, GOOD), limits=RiskSettings(max_gross=0.5))
    assert {(long, short) for long, short, _ in strategy.seen} == {(0.0, 0.0)}
    assert len(engine.fills) == 0


def test_the_second_leg_is_as_large_as_the_first_could_be():
    """In lots of 0.3 and a leg of 50 the perpetual is 49.8, and so is the spot."""
    _, strategy = run(market([flat(100)] * 4, [flat(100)] * 4, GOOD), lots=("0.001", "0.3"))
    assert strategy.seen[-1][:2] == pytest.approx((49.8, 49.8))


def test_a_leg_that_is_liquidated_takes_the_other_one_with_it():
    """The perpetual alone trebles: the short leg is gone within the bar, and the spot is sold after it."""
    rise = [flat(100)] * 3 + [flat(300)] * 6
    engine, strategy = run(market([flat(100)] * 9, rise, GOOD), leverage=20.0, limits=RiskSettings(max_drawdown=0.1))
    assert FillKind.LIQUIDATION in engine.fills["kind"]
    assert strategy.seen[5][:2] == (50.0, 50.0)
    assert strategy.seen[-1] == (0.0, 0.0, False)


def walk(seed, count, wild):
    random = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, wild, count))), 1)
    basis = np.round(close * (1.0 + random.normal(0.0, 0.003, count)), 1)
    tables = market(
        [flat(p) for p in close], [flat(p) for p in basis], np.repeat(random.choice([GOOD, BAD], 40), 5)[:count]
    )
    for table in tables.values():
        table["volume"] = random.choice([0.0, 3.0, 30.0, 1e6], count)
    return tables


@examples(40)
@given(st.integers(0, 10**6), st.sampled_from([0.0005, 0.01, 0.05]), st.sampled_from([0.7, 1.4, 5.0]))
def test_whenever_nothing_is_on_its_way_the_legs_are_equal_within_a_lot(seed, wild, gross):
    """With thin markets, refusals and liquidations; and never more spot than money."""
    engine, strategy = run(walk(seed, 200, wild), limits=RiskSettings(max_gross=gross, max_exposure=1.0))
    for long, short, moving in strategy.seen[1::2]:
        assert long >= 0.0
        assert short >= 0.0
        assert moving or abs(long - short) <= 0.1 + 1e-6
    assert len(engine.fills) > 0


def test_on_recorded_prices_of_both_legs_what_swings_is_the_basis(shared):
    """Spot and perpetual of BTC by four hours, March to September 2024, both real; only the funding is made up: 0.01 %
    every eight hours, which is paid to the short leg whatever the price does."""
    with zipfile.ZipFile(shared / "gravestone" / "usdm_klines_4h.zip") as archive:
        name = next(name for name in archive.namelist() if name.endswith("/BTCUSDT.csv"))
        perps = pl.read_csv(io.BytesIO(archive.read(name)), infer_schema_length=None)
    names = ("open", "high", "low", "close", "volume")
    perps = perps.select(
        pl.col("timestamp").cast(pl.Int64).alias("ts") * 1000, *(pl.col(n).cast(pl.Float64) for n in names)
    )
    spots = pl.read_ipc(shared / "genetrader" / "BTC_USDT-4h.feather")
    spots = spots.select(pl.col("date").dt.epoch("us").alias("ts"), *(pl.col(n).cast(pl.Float64) for n in names))
    both = spots.join(perps, on="ts", suffix="_perp").sort("ts")
    tables = {
        symbol: {"ts": both["ts"].to_numpy(), **{n: both[n + tail].to_numpy().copy() for n in names}}
        for symbol, tail in (("SPOT", ""), ("PERP", "_perp"))
    }
    count = both.height
    tables["PERP"] |= {"rate": np.full(count, 1.1e-4), "last": np.zeros(count), "following": np.full(count, 8.0 * HOUR)}
    hours = [int(ts) for ts in both["ts"] if ts % (8 * HOUR) == 0]
    engine, strategy = run(
        tables, lots=("0.00001", "0.001"), step=4 * HOUR, cash=1_000_000.0,
        funding={"PERP": [(ts, 0.0001, 0.0) for ts in hours]},
    )  # fmt: skip
    assert count > 1000
    long, short, _ = strategy.seen[-1]
    assert abs(long - short) <= 0.001 + 1e-9
    assert long > 5.0
    close = both["close"].to_numpy()
    basis = (both["close_perp"] / both["close"]).to_numpy() - 1.0
    paid = float(engine.state.account[0]["funding"]) / engine.state.scale
    gained = engine.equity[-1] - 1_000_000.0
    assert paid == pytest.approx(long * 0.0001 * np.mean(close) * len(hours), rel=0.05)
    assert abs(gained - paid) < 2.0 * long * close.max() * np.abs(basis).max()
    whole = engine.equity[1::2]  # when both legs' bars of one time are there
    assert np.ptp(whole) < paid + 0.05 * long * np.ptp(close)


@pytest.mark.parametrize("params", [{"weight": 0.0}, {"horizon": -1.0}, {"lookback": 0}, {"costs": 0.5}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        Carry(**params)
