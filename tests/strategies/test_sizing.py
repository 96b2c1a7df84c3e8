"""Sizing: how much, by hand and by the books; and what is lost at the stop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import inverse
from lanes import account, assert_same, both
from profiles import examples
from scripted import Candle, columns, flat, free, perpetual, play
from truewind.config import parse
from truewind.domain.order import Reason
from truewind.domain.risk import Ruling
from truewind.domain.signal import FLAT, HOLD, Signal, Want
from truewind.engine.merge import merge
from truewind.errors import ConfigError
from truewind.strategies.base import SignalStrategy
from truewind.strategies.sizing import MEASURE, SizingSettings

AMOUNTS = st.floats(0.01, 1e9)
METHODS = ["fixed", "fraction", "risk", "volatility", "kelly", "units", "equal", "parity"]


@pytest.mark.parametrize(
    ("method", "value", "quantity"),
    [
        ("fixed", 0.25, 0.25),
        ("fraction", 0.5, 50.0),  # half of 10 000 at 100
        ("risk", 0.005, 10.0),  # 50 lost over a distance of 5
        ("equal", 0.9, 90.0),  # all that there is, for the only symbol
        ("parity", 0.9, 90.0),
    ],
)
def test_each_method_by_hand(method, value, quantity):
    """Equity 10 000, price 100, stop 95."""
    assert SizingSettings(method=method, value=value).quantity(10_000.0, 100.0, 95.0) == pytest.approx(quantity)


def test_risk_counts_what_the_way_out_costs():
    """In at 100 + 0.1, out at 95 − 0.095, a fee of 0.1 % of both: 5.195 + 0.195005 for each unit."""
    sizing = SizingSettings(method="risk", value=0.01)
    lost = (100.1 - 94.905) + 0.001 * (100.1 + 94.905)
    assert sizing.quantity(10_000.0, 100.0, 95.0, fee=0.001, half_spread=0.001) == pytest.approx(100.0 / lost)
    lost = (105.105 - 99.9) + 0.001 * (99.9 + 105.105)
    assert sizing.quantity(10_000.0, 100.0, 105.0, fee=0.001, half_spread=0.001) == pytest.approx(100.0 / lost)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.floats(0.0001, 0.2))
def test_a_risk_size_loses_what_it_says(equity, price, distance, value):
    """Long or short: quantity × distance is the fraction of equity."""
    sizing = SizingSettings(method="risk", value=value)
    for stop in (price - distance, price + distance):
        if stop != price:
            assert sizing.quantity(equity, price, stop) * abs(price - stop) == pytest.approx(value * equity)


@pytest.mark.parametrize(
    ("confidence", "win", "fraction"),
    [
        (0.53, 1.0, 0.06),  # Thorp, 1997: an even bet won in 53 of 100 cases: 2p − 1
        (0.5, 2.0, 0.25),  # Vince, Portfolio Management Formulas, 1990: the coin that pays two for one
        (0.5, 1.0, 0.0),  # a fair coin
        (0.3, 2.0, 0.0),  # an edge against
        (1.0, 0.5, 1.0),
    ],
)
def test_kellys_fraction_is_that_of_the_books(confidence, win, fraction):
    """Price 100, stop 99: what is risked is quantity × 1; the cap is out of the way at small fractions."""
    sizing = SizingSettings(method="kelly", value=0.5, cap=0.2)
    risked = sizing.quantity(10_000.0, 100.0, 99.0, target=100.0 + win, confidence=confidence)
    assert risked == pytest.approx(10_000.0 * min(0.5 * fraction, 0.2))


def test_a_unit_is_that_of_the_turtles():
    """The Original Turtle Trading Rules (2003): heating oil, N 0.0141, a million, 42,000 dollars a point: 16.88."""
    barrels = SizingSettings(method="units", value=0.01).quantity(1_000_000.0, 0.6, measure=0.0141)
    assert barrels / 42_000.0 == pytest.approx(16.88, abs=0.01)


def test_a_volatility_target_is_a_years():
    """1 % a day is 15.87 % a year of 252 days: for 10 % a notional of 0.63 of equity."""
    sizing = SizingSettings(method="volatility", value=0.1)
    held = sizing.quantity(10_000.0, 100.0, measure=0.01, bars_a_year=252.0)
    assert held * 100.0 * 0.01 * math.sqrt(252.0) == pytest.approx(1_000.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("equity", "price"), [(0.0, 100.0), (-5.0, 100.0), (math.nan, 100.0), (100.0, 0.0), (100.0, -1.0), (1.0, math.nan)]
)
def test_without_equity_or_price_there_is_no_size(method, equity, price):
    """Zero, negative or NaN: nothing is held, whatever the method."""
    given = {"target": 110.0, "measure": 0.01}
    assert SizingSettings(method=method, value=0.1).quantity(equity, price, 95.0, **given) == 0.0


@pytest.mark.parametrize("stop", [math.nan, 100.0, math.inf])
def test_a_risk_without_a_distance_has_no_size(stop):
    """No stop, a stop at the price, one at infinity."""
    assert SizingSettings(method="risk", value=0.01).quantity(1000.0, 100.0, stop) == 0.0
    assert SizingSettings(method="kelly", value=1.0).quantity(1000.0, 100.0, stop, target=110.0) == 0.0


@pytest.mark.parametrize("measure", [math.nan, 0.0, math.inf, -1.0])
@pytest.mark.parametrize("method", ["volatility", "units"])
def test_without_a_measure_there_is_no_size(method, measure):
    """Not known yet, and a market that does not move."""
    assert SizingSettings(method=method, value=0.1).quantity(1000.0, 100.0, measure=measure) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "kely"}, {"value": 0.0}, {"value": -1}, {"method": "risk", "value": 0.5}, {"valeu": 1},
        {"method": "kelly", "value": 1.5}, {"method": "kelly", "cap": 0.5}, {"method": "units", "value": 1},
        {"method": "volatility", "value": 100}, {"length": 1},
    ],
)  # fmt: skip
def test_impossible_sizes_are_refused(wrong):
    """An unknown method, nothing, less than nothing, half of everything on one trade, more than Kelly's."""
    with pytest.raises(ConfigError, match="|".join((*wrong, "risking 50%"))):
        parse(SizingSettings, wrong)


def test_methods_say_what_they_measure_by():
    assert SizingSettings().reads() == {}
    assert SizingSettings(method="units", value=0.01).reads() == {MEASURE: "atr(20)"}
    assert SizingSettings(method="parity", value=1.0, length=5).reads() == {MEASURE: "realised(5)"}


# -- in the engine -----------------------------------------------------------------------------------------------------


class Says(SignalStrategy):
    """One signal, on the bars on which `said` is 1."""

    fields = ("close",)

    def __init__(self, signal: Signal, sizing: SizingSettings) -> None:
        super().__init__()
        self.signal, self.sizing, self.bars = signal, sizing, 0

    def on_bar(self, bar):
        self.bars += 1
        super().on_bar(bar)

    def decide(self, row, position, params):
        return self.signal if self.bars >= 3 else HOLD


def entered(signal, sizing, bars, **how):
    """The engine after a signal given on bar 2."""
    return play(bars, Says(signal, sizing), **how)


@examples(60)
@given(
    st.sampled_from([1, -1]),
    st.floats(0.02, 0.3),
    st.floats(0.001, 0.1),
    st.floats(0.0, 0.01),
    st.floats(0.0, 50.0),
    st.booleans(),
)
def test_no_more_is_lost_at_the_stop_than_was_said(side, distance, value, fee, spread, coins):
    """A market that stands still until it goes through the stop: equity falls by `value`, costs and all, and not more.

    Of linear contracts and of those that are settled in coins.
    """
    stop = 1_000.0 * (1.0 - side * distance)
    beyond: Candle = (1_000.0, max(1_000.0, stop + 1.0), min(1_000.0, stop - 1.0), stop)
    contract, how = perpetual(), {}
    if coins:
        contract, how = inverse("1"), {"currency": "BTC", "cash": 100.0}
    bars = {contract.symbol: [flat(1_000.0)] * 5 + [beyond, flat(stop)]}
    how |= {"instruments": [contract], "costs": free(taker_fee=fee, half_spread_bps=spread)}
    engine = entered(Signal(Want(side), stop=stop), SizingSettings(method="risk", value=value), bars, **how)
    assert len(engine.fills) == 2
    start = engine.equity[0]
    lost = start - engine.equity[-1]
    assert 0.97 * value * start < lost <= value * start * (1.0 + 1e-9)  # what is left is less than a contract


UP = Signal(Want.LONG, stop=95.0, target_1=110.0)


@pytest.mark.parametrize(
    ("signal", "sizing", "reason"),
    [
        (Signal(Want.LONG), {"method": "risk", "value": 0.01}, Reason.SIZE_NEEDS_STOP),
        (Signal(Want.LONG), {"method": "kelly", "value": 0.5}, Reason.SIZE_NEEDS_STOP),
        (Signal(Want.LONG, stop=95.0), {"method": "kelly", "value": 0.5}, Reason.NO_EDGE),
        (UP._replace(confidence=0.3), {"method": "kelly", "value": 0.5}, Reason.NO_EDGE),
        (UP, {"method": "units", "value": 0.01}, Reason.SIZE_NEEDS_MEASURE),
        (UP, {"method": "volatility", "value": 0.2}, Reason.SIZE_NEEDS_MEASURE),
        (UP, {"method": "parity", "value": 1.0}, Reason.SIZE_NEEDS_MEASURE),
    ],
)
def test_what_cannot_be_sized_is_denied_with_its_reason(signal, sizing, reason):
    """The market stands still, so that nothing is measured."""
    made = SizingSettings(**sizing)
    table = columns([flat(100.0)] * 6)
    table |= {name: np.full(6, math.nan) for name in made.reads()}
    engine = entered(signal, made, {"BTCUSDT": table})
    assert not len(engine.fills)
    verdict = engine.verdicts[0]
    assert (verdict["ruling"], verdict["reason"], verdict["signal"]) == (Ruling.DENIED, reason, 1)
    assert verdict["stop"] == signal.stop or math.isnan(signal.stop)


def test_what_cannot_be_sized_still_ends_the_other_side():
    """Long, then a short without a stop, which risk cannot size: the long is sold and nothing is held."""

    class Turns(Says):
        def decide(self, row, position, params):
            return UP if self.bars < 4 else Signal(Want.SHORT)

    engine = play([flat(100.0)] * 8, Turns(HOLD, SizingSettings(method="risk", value=0.01)), costs=free())
    assert engine.fills["position"].tolist() == [2_000_000, 0]
    assert engine.verdicts["reason"].tolist()[-1] == Reason.SIZE_NEEDS_STOP


def test_kelly_goes_by_the_mean_of_the_targets():
    """Two targets at 105 and 115, stop 95: b is 2; p 0.6 gives 0.6 − 0.4 / 2 = 0.4, of which the cap lets 0.02 pass."""
    signal = UP._replace(target_1=105.0, target_2=115.0, confidence=0.6)
    for value, risked in ((0.01, 0.004), (0.1, 0.02)):
        engine = entered(signal, SizingSettings(method="kelly", value=value), [flat(100.0)] * 6)
        bought = engine.fills[0]["lots"] / 1_000.0
        assert bought * 5.0 == pytest.approx(risked * 1_000_000.0, rel=1e-4)


def test_shares_of_symbols():
    """Volatilities of 0.01 and 0.03: three quarters and a quarter; a half each where all are equal."""
    lots = {}
    for method in ("parity", "equal"):
        sizing = SizingSettings(method=method, value=0.8)
        bars = {}
        for symbol, measure in (("BTCUSDT", 0.01), ("ETHUSDT", 0.03)):
            bars[symbol] = columns([flat(100.0)] * 4) | ({MEASURE: np.full(4, measure)} if sizing.reads() else {})
        if method == "parity":
            bars["ETHUSDT"][MEASURE][2:] = math.nan  # a gap: what was known holds
        engine = entered(Signal(Want.LONG), sizing, bars)
        lots[method] = {int(fill["symbol"]): int(fill["lots"]) for fill in engine.fills}
    assert lots["parity"][0] == 6_000_000
    assert lots["equal"] == {0: 4_000_000, 1: 4_000_000}


class Waves(SignalStrategy):
    """Long and short in turn, with stop and targets."""

    fields = ("close", "ts")

    def features(self):
        return {"fast": "ema(3)", "range": "atr(5)"}

    @staticmethod
    def decide(row, position, params):
        if not row.range > 0.0:
            return HOLD
        if (row.ts // 600_000_000) % 3 == 0:
            return FLAT
        side = 1 if row.close > row.fast else -1
        return Signal(side, 0.6, stop=row.close - side * row.range, target_1=row.close + 2 * side * row.range)


@pytest.mark.parametrize("method", METHODS)
def test_both_lanes_size_alike(method):
    from lanes import candles
    from truewind import features
    from truewind.backtest.reads import fields_of

    sizing = SizingSettings(method=method, value=0.1, length=5)
    reads = Waves().features() | sizing.reads()
    bars = {}
    for i, name in enumerate(["AAAUSDT", "BBBUSDT"]):
        table = columns(candles(np.random.default_rng(i), 200, 5e-3), start=i * 60_000_000)
        computed = features.columns(list(reads.values()), table)
        bars[name] = table | {field: computed[column] for field, column in fields_of(reads).items()}
    market = merge(bars, dict.fromkeys(bars, 60_000_000)), [perpetual(name) for name in bars], {}
    slow, fast = both(Waves, market, sizing, **account())
    assert_same(slow, fast)
    assert fast.verdicts.tobytes() == slow.verdicts.tobytes()
    assert len(slow.fills) > 10
