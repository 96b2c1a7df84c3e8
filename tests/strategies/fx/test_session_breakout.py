"""Session breakout: the first close outside of the night's range, by the clock of the city whose day it is."""

import datetime as dt
import math
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

import truewind
from recorded import assert_lanes_agree, assert_the_future_moves_nothing, played
from scripted import columns
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Want
from truewind.engine.engine import Engine
from truewind.errors import ConfigError
from truewind.market.importing import import_files
from truewind.storage.lake import Lake
from truewind.strategies.fx.session_breakout import Reason, SessionBreakout

NAN = math.nan
FLAT = Position(0, 0.0, NAN, NAN, 0)
HOUR = 3_600_000_000
LONDON, NEW_YORK = ZoneInfo("Europe/London"), ZoneInfo("America/New_York")
PIPS = Instrument(
    symbol="EURUSD", venue="oanda", kind=Kind.FX, base="EUR", quote="USD", tick_size=Decimal("0.00001"),
    lot_size=Decimal(1000), calendar="fx",
)  # fmt: skip


def row(**changes):
    """A Tuesday's night ranged from 1.10 to 1.11; the bar of 09:00 to 10:00 closes at 1.112."""
    fields = {
        "ts": 0, "ts_event": HOUR, "close": 1.112, "range_high": 1.11, "range_low": 1.10, "range_since": 60.0,
        "range_breakout": 1.0, "weekday": 1.0,
    }  # fmt: skip
    return SimpleNamespace(**fields | changes)


def decide(bar, position=FLAT, **params):
    strategy = SessionBreakout(**params)
    return strategy.decide(bar, position, strategy.values)


def test_a_break_to_above_is_bought_with_the_stop_on_the_other_side():
    """At 10:00; out at 17:00, so seven hours later."""
    signal = decide(row())
    assert (signal.side, signal.reason, signal.horizon_us) == (Want.LONG, Reason.ABOVE, 7 * HOUR)
    assert signal.stop == pytest.approx(1.10, abs=1e-12)
    assert decide(row(), stop=0.5).stop == pytest.approx(1.105, abs=1e-12)


def test_a_break_to_below_is_sold():
    """Unless shorts are off."""
    below = row(range_breakout=-1.0, close=1.095)
    signal = decide(below)
    assert (signal.side, signal.reason) == (Want.SHORT, Reason.BELOW)
    assert signal.stop == pytest.approx(1.11, abs=1e-12)
    assert decide(below, short=False) == HOLD


@pytest.mark.parametrize(
    ("changes", "params", "trades"),
    [
        ({"range_breakout": 0.0}, {}, False),
        ({"range_breakout": NAN, "range_high": NAN, "range_low": NAN, "range_since": NAN}, {}, False),
        ({"range_low": 1.11}, {"least": 0.0}, False),  # a dead night
        ({"range_low": 1.1089}, {}, False),  # 0.0011 of 1.112 is less than a thousandth
        ({"range_low": 1.1088}, {}, True),
        ({"range_since": 180.0}, {}, True),  # over at 12:00, the last moment
        ({"range_since": 181.0}, {}, False),
        ({"range_since": 180.0, "weekday": 4.0}, {"friday": 239}, False),
        ({"range_since": 0.0, "weekday": 4.0}, {"friday": 60}, True),
        ({"weekday": 4.0}, {"friday": 0}, False),
        ({"weekday": NAN}, {}, False),
        ({"range_since": NAN}, {}, False),
        ({"range_low": 0.0001, "range_high": 1.0}, {"stop": 1.5}, False),  # no stop below nothing
    ],
)
def test_what_is_traded_and_what_is_refused(changes, params, trades):
    """Each rule by itself."""
    assert decide(row(**changes), **params).side == (Want.LONG if trades else Want.HOLD)


def test_what_is_held_is_left_to_its_stop_and_its_hour():
    """A break to the other side does not turn it."""
    assert decide(row(), Position(-1, -1.0, 1.09, 1.11, 0)) == HOLD


@pytest.mark.parametrize("params", [{"clock": 4}, {"minutes": 0}, {"stop": 0.0}, {"out": 240}, {"friday": 600}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds, or out before the last entry."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        SessionBreakout(**params)


def test_a_dead_market_and_a_short_history_give_no_trade():
    """A flat week; a single bar."""
    dead = columns([(1.1, 1.1, 1.1, 1.1)] * 168, step=HOUR)
    assert not played(Engine, SessionBreakout, dead, "1h", HOUR, PIPS).fills.size
    assert not played(Engine, SessionBreakout, {k: v[:1] for k, v in dead.items()}, "1h", HOUR, PIPS).fills.size


@pytest.fixture(scope="module")
def lake(shared, tmp_path_factory):
    """EURUSD of Oanda, hours of 2007 to 2018."""
    lake = Lake(tmp_path_factory.mktemp("fx") / "data")
    import_files(lake, [shared / "lean/forex/oanda/hour/eurusd.zip"])
    lake.put_instrument(PIPS)
    return lake


@pytest.fixture(scope="module")
def years(lake):
    """Its bars of 2012 and 2013 as columns."""
    (key,) = (info.key for info in lake.series(kind="bars"))
    table = lake.read(key, start_us=us(2012), end_us=us(2014))
    ts = table["ts"].to_physical().to_numpy()
    prices = ("open", "high", "low", "close")
    return {"ts": ts, **{name: table[name].to_numpy() for name in prices}, "volume": np.ones(len(ts))}


def us(year):
    return int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000


def test_both_lanes_do_the_same_on_recorded_hours(years):
    """Two years."""
    engine = assert_lanes_agree(SessionBreakout, years, "1h", HOUR, PIPS)
    assert len(engine.fills) > 600


def test_it_does_not_look_ahead(years):
    """Another future, the same past."""
    assert_the_future_moves_nothing(SessionBreakout, years, 6000, "1h", HOUR, PIPS)


@pytest.mark.parametrize(("clock", "city", "out"), [(2, LONDON, 17), (3, NEW_YORK, 16)])
def test_trades_keep_the_hours_of_the_city_all_year(years, clock, city, out):
    """Entries from 09:00 to 12:00 local, as the published time zones have it, one a day; all out by 17:00
    (16:00) local, if the market is open then, also in the weeks in which only one of the cities has summer time."""
    make = lambda: SessionBreakout(clock=clock, friday=120, out=60 * (out - 8))  # noqa: E731
    fills = played(Engine, make, years, "1h", HOUR, PIPS).fills
    opened, known, late = {}, set(years["ts"].tolist()), 0
    for fill in fills:
        at = dt.datetime.fromtimestamp(int(years["ts"][fill["row"]]) / 1e6, dt.UTC).astimezone(city)
        if abs(fill["position"]) == fill["lots"]:  # opened with the bar
            assert 9 <= at.hour <= (10 if at.weekday() == 4 else 12)
            assert at.weekday() < 5
            assert at.date() not in opened
            opened[at.date()] = end = int(at.replace(hour=out).timestamp()) * 1_000_000
            continue
        if not {end - HOUR, end} <= known:  # the eve of a holiday: the market closed before
            late += 1
        else:
            assert int(fill["ts"]) < end + 1_000_000
    assert len(opened) > 200
    assert late < 5


def test_nights_that_are_held_over_cost_the_swap(lake, tmp_path):
    """Held until 08:00 next day, so over 17:00 in New York: a swap for each night, three on Wednesdays, of the quantity
    held; with the rates of the config and dates of the published time zones."""
    config = {
        "name": "over night",
        "data": {"venue": "oanda", "symbols": ["EURUSD"], "timeframe": "1h", "start": "2016-03-01",
                 "end": "2016-05-01"},
        "strategy": {"path": "truewind.strategies.fx.session_breakout:SessionBreakout", "params": {"out": 1439}},
        "account": {"cash": 100_000, "currency": "USD", "leverage": 20},
        "sizing": {"method": "risk", "value": 0.005},
        "costs": {"maker_fee": 0, "taker_fee": 0, "half_spread_bps": 0.6, "impact": 0, "volume_share": None},
        "financing": {"swap": {"EURUSD": {"long": -0.00006, "short": 0.00002}}},
        "risk": {"max_position": 10, "max_exposure": 1, "max_gross": 10},
    }  # fmt: skip
    result = truewind.run(config, lake=lake, runs=tmp_path)
    swaps = result.fills.filter(pl.col("kind") == "swap")
    assert len(swaps) > 10
    booked = dict(zip(swaps["ts"].dt.date(), swaps["realised"], strict=True))
    expected = {}
    for trade in result.trades.iter_rows(named=True):
        day = trade["opened"].astimezone(NEW_YORK)
        night = day.replace(hour=17, minute=0)
        if trade["opened"] < night and (trade["closed"] is None or trade["closed"] > night):
            rate = -0.00006 if trade["side"] > 0 else 0.00002
            charged = 3 if night.weekday() == 2 else 1
            expected[night.astimezone(dt.UTC).date()] = trade["quantity"] * rate * charged
    assert booked.keys() == expected.keys()
    for day, amount in expected.items():
        assert booked[day] == pytest.approx(amount, abs=0.011)
