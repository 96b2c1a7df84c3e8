"""Shocks do what they say, by hand; the run as it was is the backtest itself."""

import numpy as np
import polars as pl
import pytest

import truewind
from scripted import perpetual
from truewind.backtest.bar_run import BarJob
from truewind.backtest.changed import Changed, gapped
from truewind.backtest.settings import load_config
from truewind.domain.clock import iso
from truewind.domain.due import DueKind
from truewind.domain.timeframe import HOUR_US
from truewind.engine.merge import CLOSE, TS_EVENT
from truewind.errors import ConfigError
from truewind.research.stress import FIGURES, _against, _dearer, _later, _worst_moment, stress
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.trials import open_ledger

START = 1_704_067_200_000_000
HOURS = 600


def times(hours) -> pl.Series:
    return pl.Series(START + np.asarray(hours) * HOUR_US).cast(pl.Datetime("us", "UTC"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A perpetual of 600 hours, with funding of 0.01 % or −0.02 % every eight."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    close = np.round(1000.0 * np.exp(np.cumsum(np.random.RandomState(3).normal(0, 6e-3, HOURS))), 1)
    opened = np.concatenate(([1000.0], close[:-1]))
    table = {
        "ts": times(range(HOURS)), "open": opened, "high": np.maximum(opened, close) + 0.3,
        "low": np.minimum(opened, close) - 0.3, "close": close, "volume": np.full(HOURS, 1e6),
    }  # fmt: skip
    lake.write(SeriesKey("bars", "test", "BTCUSDT", "1h"), pl.DataFrame(table))
    due = np.arange(8, HOURS, 8)
    rates = np.where(np.arange(len(due)) % 3 == 0, -0.0002, 0.0001)
    lake.write(SeriesKey("funding", "test", "BTCUSDT"), pl.DataFrame({"ts": times(due), "rate": rates}))
    lake.put_instrument(perpetual("BTCUSDT"))
    return lake


def config(**more):
    return {
        "name": "cross",
        "data": {"venue": "test", "symbols": ["BTCUSDT"], "timeframe": "1h"},
        "strategy": {"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"fast": 5, "slow": 20}},
        "sizing": {"method": "fraction", "value": 0.5},
        "costs": {"taker_fee": 0.0005, "half_spread_bps": 2.0, "impact": 0.0},
        "risk": {"max_exposure": None, "max_drawdown": 0.0, "min_confidence": None},
        "lane": "event",
        **more,
    }


@pytest.fixture(scope="module")
def stressed(lake):
    return stress(config(), lake=lake)


def test_the_run_as_it_was_is_the_backtest(stressed, lake, tmp_path):
    """Every figure, to the last bit, and the same identity."""
    done = truewind.run(config(), lake=lake, runs=tmp_path)
    assert stressed.runs[0].figures == {name: done.summary[name] for name in FIGURES}
    assert stressed.result_id == done.result_id
    assert stressed.runs[0].figures["trades"] > 10


def test_costs_are_those_of_a_run_with_such_costs(stressed, lake, tmp_path):
    """Twice the fee and the spread, given as settings, come to the same; the more they cost the less is left."""
    dear = config(costs={"taker_fee": 0.001, "maker_fee": 0.0004, "half_spread_bps": 4.0, "impact": 0.0})
    done = truewind.run(dear, lake=lake, runs=tmp_path)
    assert stressed.under("costs × 2").figures == {name: done.summary[name] for name in FIGURES}
    returns = [stressed.under(name).figures["net_return"] for name in ("as it was", "costs × 2", "costs × 3")]
    assert returns == sorted(returns, reverse=True)
    fees = [stressed.under(name).figures["fees"] for name in ("as it was", "costs × 2", "costs × 3")]
    assert fees[1:] == pytest.approx([2 * fees[0], 3 * fees[0]], rel=0.05)


def test_a_rebate_shrinks():
    settings = load_config(config(costs={"maker_fee": -0.0001}))
    assert _dearer(settings, 2.0).costs.maker_fee == -0.00005


def test_fees_of_the_venue_grow_too():
    """Binance's latest published taker rate of a regular user, 0.05 %, times three."""
    settings = load_config(config(data={"venue": "binance_usdm", "symbols": ["BTCUSDT"], "timeframe": "1h"},
                                  costs={"fees": "venue"}))  # fmt: skip
    found = _dearer(settings, 3.0).costs
    assert (found.fees, found.taker_fee, found.maker_fee) == ("fixed", pytest.approx(0.0015), pytest.approx(0.0006))


def test_funding_twice_as_large_is_paid_twice(stressed):
    """The decisions hardly move; what was paid doubles, and against the position nothing is received."""
    plain, double, against = (
        stressed.under(name).figures for name in ("as it was", "funding × 2", "funding against it")
    )
    assert double["funding"] == pytest.approx(2 * plain["funding"], rel=0.02)
    assert against["funding"] < -abs(plain["funding"])
    assert against["trades"] == plain["trades"]


def test_funding_against_the_position_is_paid_by_whoever_held(lake):
    """By hand: at every settlement the position just before it, and the sign of its rate."""
    job = BarJob(load_config(config()), lake)
    job.engine.run()
    amounts, dues, fills = _against(job.engine), job.engine.state.dues, job.engine.fills
    seen = set()
    for amount, due in zip(amounts, dues, strict=True):
        assert due["kind"] == DueKind.FUNDING
        held = 0
        for fill in fills:
            if fill["ts"] < due["ts"]:
                held = int(fill["position"])
        assert abs(amount) == abs(due["amount"])
        assert held == 0 or np.sign(amount) == np.sign(held)
        seen.add(int(np.sign(held)))
    assert {-1, 1} & seen


def test_a_gap_falls_on_what_was_held(stressed, lake):
    """At the next bar's end equity lacks a tenth of the price of every unit that was held at the moment."""
    settings = load_config(config())
    plain = BarJob(settings, lake).engine
    plain.run()
    moment, sides = _worst_moment(plain)
    side = sides["BTC"]
    jumped = BarJob(settings, Changed(lake, gapped({("test", "BTCUSDT"): 1.0 - 0.1 * side}, moment))).engine
    jumped.run()
    after = int(np.searchsorted(plain.timeline.times[TS_EVENT], moment, side="right"))
    assert jumped.equity[:after].tolist() == plain.equity[:after].tolist()
    held = plain.fills[plain.fills["row"] < after]["position"][-1] * float(plain.instruments[0].lot_size)
    lost = plain.equity[after] - jumped.equity[after]
    assert np.sign(held) == side
    assert lost == pytest.approx(0.1 * abs(held) * plain.timeline.prices[CLOSE][after], rel=0.02)
    assert lost / plain.equity[after] > 0.01
    assert iso(moment) in stressed.under("gap of 10%").note
    assert f"BTC {'long' if side > 0 else 'short'}" in stressed.under("gap of 10%").note


def test_prices_after_a_gap_are_moved_and_those_before_are_not(lake):
    """The bar that is open at the moment keeps its open; its high, low and close, and all after, are nine tenths."""
    key, cut = SeriesKey("bars", "test", "BTCUSDT", "1h"), START + 100 * HOUR_US + HOUR_US // 2
    before, after = lake.read(key), Changed(lake, gapped({("test", "BTCUSDT"): 0.9}, cut)).read(key)
    assert after[:100].equals(before[:100])
    assert after["open"][100] == before["open"][100]
    assert after["close"][100] == pytest.approx(0.9 * before["close"][100])
    assert after["high"][100] == before["open"][100]
    for name in ("open", "high", "low", "close"):
        assert after[name][101:].to_list() == pytest.approx([0.9 * price for price in before[name][101:]])
    other = Changed(lake, gapped({("test", "ETHUSDT"): 0.9}, cut)).read(key)
    assert other.equals(before)


def test_one_bar_later_means_one_bar_later(lake):
    """The first fill lies an hour after the plain run's, which took 8 ms after the decision."""
    fills = []
    for settings in (load_config(config()), _later(load_config(config()))):
        job = BarJob(settings, lake)
        job.engine.run()
        fills.append(job.engine.fills[job.engine.fills["lots"] > 0][0])
    assert fills[1]["ts"] - fills[0]["ts"] == HOUR_US - 8_000
    assert fills[1]["row"] - fills[0]["row"] == 1
    assert fills[1]["side"] == fills[0]["side"]


def test_what_cannot_be_has_its_reason(lake, tmp_path):
    """Bars longer than an order may take; no funding; nothing held; a strategy that a shock breaks the settings of."""
    weekly = Lake(tmp_path)
    table = {"ts": times(np.arange(15) * 168 + 96), **{name: np.full(15, 100.0) for name in ("open", "high", "low")},
             "close": np.full(15, 100.0), "volume": np.ones(15)}  # fmt: skip
    weekly.write(SeriesKey("bars", "test", "BTCUSDT", "1w"), pl.DataFrame(table))
    weekly.put_instrument(perpetual("BTCUSDT"))
    found = stress(config(data={"venue": "test", "symbols": ["BTCUSDT"], "timeframe": "1w"}), lake=weekly)
    assert "longer than an order may take" in found.under("one bar later").note
    assert "no funding" in found.under("funding × 2").note
    assert "nothing was held that" in found.under("gap of 10%").note
    assert found.under("gap of 10%").as_dict()["net_return"] is None
    assert found.under("costs × 2").figures["trades"] == 0


def test_a_config_that_does_not_run_is_refused_as_a_backtest_is(lake):
    with pytest.raises(ConfigError, match="fast"):
        stress(
            config(strategy={"path": "truewind.strategies.crypto.ema_cross:EmaCross", "params": {"fast": -1}}),
            lake=lake,
        )


def test_shocks_are_parts_of_the_run_in_the_ledger(lake, tmp_path):
    """Twice the same command: no row doubles; the run itself counts as a trial, its shocks do not."""
    database = tmp_path / "trials.db"
    for _ in range(2):
        done = stress(config(), lake=lake, database=database)
    ledger = open_ledger(database)
    whole = ledger.get(done.result_id)
    parts = ledger.list(parent=done.result_id)
    assert whole.kind == "backtest"
    assert {part.kind for part in parts} == {"validation"}
    assert {part.params["shock"] for part in parts} == {run.name for run in done.runs[1:]}
    assert len(ledger.related(whole.family, whole.universe, whole.start_us, whole.end_us).ids) == 1
