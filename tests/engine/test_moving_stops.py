"""Stops that move: a signal for what is held brings the stop nearer, never farther, in both lanes alike."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes import account, assert_same, both, candles
from profiles import examples
from scripted import columns, done, flat, free, perpetual, play
from truewind.domain.order import Event, OrderType, Status
from truewind.domain.signal import Signal, Want
from truewind.engine.merge import merge
from truewind.errors import StrategyError
from truewind.execution.simulated.latency import OrderLatency
from truewind.numerics.jit import COMPILED
from truewind.strategies.base import SignalStrategy
from truewind.strategies.sizing import SizingSettings

SENT = (Event.HOLD, Event.SUBMIT, Event.AMEND)
ONE = SizingSettings(method="fixed", value=1.0)


class Says(SignalStrategy):
    """The signal of each row, in turn; then the last again and again."""

    def __init__(self, *signals: Signal) -> None:
        super().__init__()
        self.signals, self.sizing, self.seen = list(signals), ONE, []

    def decide(self, row, position, params):
        self.seen.append(position)
        return self.signals.pop(0) if len(self.signals) > 1 else self.signals[0]


def stops(engine):
    """(row, trigger in ticks) of each stop order as it was sent and amended."""
    told = [row for row in engine.events if row["type"] == OrderType.STOP and row["trigger"] > 0]
    return [
        (int(row["row"]), int(row["trigger"]))
        for row in told
        if row["event"] in (Event.HOLD, Event.SUBMIT, Event.AMEND)
    ]


def longs(*levels, **more):
    return [Signal(Want.LONG, stop=level, **more) for level in levels]


def test_a_nearer_stop_is_taken_and_a_farther_one_is_not():
    """Given 95, then 97, 96, 98 and none: it works at 95, 97 and 98, and the fall to 97.5 sells at 98."""
    bars = [flat(100.0)] * 8 + [(100.0, 100.0, 97.5, 97.5)]
    strategy = Says(*longs(95.0, 95.0, 97.0, 96.0, 98.0, math.nan))
    engine = play(bars, strategy)
    assert [ticks for _, ticks in stops(engine)][-3:] == [950, 970, 980]
    assert [fill.price for fill in done(engine)] == [100.0, 98.0]
    assert [position.stop for position in strategy.seen[3:8]] == [97.0, 97.0, 98.0, 98.0, 98.0]


def test_a_short_mirrors_it():
    bars = [flat(100.0)] * 7 + [(100.0, 102.5, 100.0, 102.5)]
    engine = play(bars, Says(*(Signal(Want.SHORT, stop=level) for level in (105.0, 105.0, 103.0, 104.0, 102.0))))
    assert [ticks for _, ticks in stops(engine)][-3:] == [1050, 1030, 1020]
    assert [fill.price for fill in done(engine)] == [100.0, 102.0]


def test_prices_between_ticks_go_away_from_the_market():
    """95.07 on ticks of 0.1 is 95.0 for a long; 95.04 then is no nearer, and moves nothing."""
    engine = play([flat(100.0)] * 7, Says(*longs(95.07, 95.07, 95.04, 95.09, 95.11)))
    assert sorted({ticks for _, ticks in stops(engine)}) == [950, 951]


def test_what_was_entered_without_a_stop_gets_one():
    bars = [flat(100.0)] * 6 + [(100.0, 100.0, 96.0, 96.0)]
    engine = play(bars, Says(Signal(Want.LONG), Signal(Want.LONG), *longs(97.0)))
    assert [ticks for _, ticks in stops(engine)] == [970]
    assert [(fill.price, fill.side) for fill in done(engine)] == [(100.0, 1), (97.0, -1)]


def test_after_a_target_the_moved_stop_sells_the_rest():
    """Half is sold at 110; the stop that then moves to 105 sells the other half, and not more."""
    bars = [flat(100.0)] * 3 + [(100.0, 111.0, 100.0, 110.0), flat(110.0), flat(110.0), (110.0, 110.0, 104.0, 104.0)]
    first = Signal(Want.LONG, stop=95.0, target_1=110.0, target_2=130.0)
    engine = play(bars, Says(first, first, first, first, *longs(105.0)))
    assert [(fill.price, fill.lots) for fill in done(engine)] == [(100.0, 1_000), (110.0, 500), (105.0, 500)]
    assert engine.account().equity == pytest.approx(1_000_000.0 + 0.5 * 10.0 + 0.5 * 5.0)


def test_while_the_entry_grows_the_exit_grows_with_it():
    """An entry that fills in parts of 400 lots: the stop that was moved in between takes all of them."""
    table = columns([flat(100.0)] * 7 + [(100.0, 100.0, 96.0, 96.0)] + [flat(96.0)] * 4)
    table["volume"][:] = [10.0, 10.0, 0.4, 0.4, 0.4, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]
    how = {"costs": free(volume_share=1.0), "latency": OrderLatency(entry_ms=0.0)}
    engine = play({"BTCUSDT": table}, Says(*longs(95.0, 95.0, 95.0, 97.0)), **how)
    bought = sum(fill.lots for fill in done(engine) if fill.side > 0)
    sold = [(fill.price, fill.lots) for fill in done(engine) if fill.side < 0]
    assert bought == 1_000
    assert sold == [(97.0, 1_000)]


def test_a_stop_beyond_the_market_is_the_strategys_error():
    with pytest.raises(StrategyError, match="stop 101"):
        play([flat(100.0)] * 6, Says(*longs(95.0, 95.0, 101.0)))


def test_the_first_risk_stays_what_it_was():
    """R is reckoned from the stop of the entry, wherever the working one has gone."""
    strategy = Says(*longs(95.0, 95.0, 97.0, 99.0))
    play([flat(100.0)] * 7, strategy)
    assert {position.risk for position in strategy.seen[3:]} == {5.0}


class Trails(SignalStrategy):
    """Enters by the parity of the minute, and trails by one distance, which may be beyond the close."""

    fields = ("close", "high", "low", "ts")

    class Params(SignalStrategy.Params):
        distance: float = 0.004
        targets: int = 2

    @staticmethod
    def decide(row, position, params):
        side = position.side if position.side != 0 else (1 if (row.ts // 60_000_000) % 7 < 3 else -1)
        best = row.high if side > 0 else row.low
        stop = best * (1.0 - side * params.distance)
        if (row.close - stop) * side <= 0.0:
            return Signal(Want.FLAT)
        if params.targets == 0:
            return Signal(side, stop=stop)
        return Signal(
            side, stop=stop, target_1=row.close * (1.0 + side * 0.003), target_2=row.close * (1.0 + side * 0.01)
        )


@pytest.mark.skipif(not COMPILED, reason="there is one lane where kernels are plain Python")
@examples(15)
@given(st.integers(0, 10_000), st.floats(0.0005, 0.02), st.sampled_from([0, 2]), st.booleans(), st.integers(1, 2))
def test_no_stop_ever_loosens_and_both_lanes_agree(seed, distance, targets, rough, symbols):
    """Random markets, rough ones with parts and late orders among them."""
    random = np.random.default_rng(seed)
    bars = {name: columns(candles(random, 300, 4e-3)) for name in ("AAAUSDT", "BBBUSDT")[:symbols]}
    market = merge(bars, dict.fromkeys(bars, 60_000_000)), [perpetual(name) for name in bars], {}
    sizing = SizingSettings(method="fraction", value=0.4)
    slow, fast = both(lambda: Trails(distance=distance, targets=targets), market, sizing, **account(rough=rough))
    assert_same(slow, fast)
    nearest: dict[int, int] = {}
    for row in slow.events:
        # Sent by its parent's fill it may be beyond the market of a gap already, and then trades at that.
        moves = row["event"] in (Event.HOLD, Event.AMEND) and row["status"] in (Status.HELD, Status.ACCEPTED)
        if row["type"] == OrderType.STOP and moves:
            order, level = int(row["order"]), int(row["trigger"]) * -int(row["side"])  # a long's stop sells, and rises
            assert level >= nearest.get(order, level)
            nearest[order] = level
    assert len(nearest) > 3
