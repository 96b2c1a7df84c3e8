"""Breakers, whatever the market and the strategy: they trip where arithmetic says, and what has tripped stays shut."""

import math

import numpy as np
from hypothesis import assume, event, given
from hypothesis import strategies as st

from profiles import examples
from scripted import MINUTE, QUICK, UNLIMITED, columns, free, perpetual, spot
from truewind.config import Settings
from truewind.domain.due import DueKind, due_rows
from truewind.domain.order import Event, Reason
from truewind.domain.signal import FLAT, HOLD, NAN, Signal, Want
from truewind.engine.compiled import CompiledEngine
from truewind.engine.engine import Engine
from truewind.engine.merge import TS_EVENT, merge
from truewind.execution.simulated.latency import ROUND_TRIP, Latency
from truewind.portfolio.margin import MarginSettings
from truewind.strategies.base import SignalStrategy
from truewind.strategies.sizing import SizingSettings

STEP = 20 * MINUTE  # so that a run crosses some midnights
DAY = 1440 * MINUTE
ROWS = 300
CASH = 10_000.0


class Restless(SignalStrategy):
    """Turns, leaves, and enters at market and at limits, by the digits of the bar."""

    class Params(Settings):
        salt: int
        idle: int
        stop: float

    @staticmethod
    def decide(row, position, params):
        draw = int(row.close * 10.0 + params.salt) * 7919 % 1000
        if draw < params.idle:
            return HOLD
        if draw < params.idle + 30:
            return FLAT
        side = Want.LONG if draw % 2 == 0 else Want.SHORT
        entry = row.close * (1.0 - 0.002 * side) if draw % 3 == 0 else NAN
        at = row.close if entry != entry else entry
        stop = at * (1.0 - params.stop * side) if draw % 5 == 0 else NAN
        return Signal(side, entry=entry, stop=stop)


def candles(random, wild):
    """A walk of bars with gaps, in ticks of 0.1."""
    close = np.round(1000.0 * np.exp(np.cumsum(random.normal(0.0, wild, ROWS))), 1)
    gap = random.normal(0.0, wild, ROWS) * (random.random(ROWS) < 0.2)
    opened = np.round(np.concatenate(([1000.0], close[:-1])) * np.exp(gap), 1)
    reach = np.abs(random.normal(0.0, wild / 2, (2, ROWS)))
    high = np.round(np.maximum(opened, close) * (1.0 + reach[0]), 1)
    low = np.round(np.minimum(opened, close) * (1.0 - reach[1]), 1)
    return list(zip(opened, np.maximum(high, opened), np.minimum(low, opened), close, strict=True))


def both(seed, symbols, wild, params, size, limits, own=perpetual):
    """The same run in either lane."""
    random = np.random.default_rng(seed)
    names = ("AAAUSDT", "BBBUSDT", "CCCUSDT")[:symbols]
    bars = {
        name: columns(candles(random, wild), start=number * 7 * MINUTE, step=STEP) for number, name in enumerate(names)
    }
    marks = None
    if seed % 3 == 0:  # a mark price of its own, a little beside what is traded
        marks = {
            name: {key: np.round(column * 1.001, 1) if key in ("open", "high", "low", "close") else column
                   for key, column in table.items()} for name, table in bars.items()
        }  # fmt: skip
    dues = {name: due_rows(DueKind.FUNDING, np.arange(1, 12) * 8 * 60 * MINUTE, 30_000) for name in names}
    instruments = [own(name) for name in names]
    margin = MarginSettings(mode="isolated" if seed % 5 == 0 else "cross").terms(instruments, {}, 10.0)
    engines = []
    for kind in (Engine, CompiledEngine):
        strategy = Restless(**params)
        strategy.sizing = SizingSettings(method="fraction", value=size)
        engine = kind(
            merge(bars, dict.fromkeys(bars, STEP), marks), instruments, strategy, cash=CASH, currency="USDT",
            costs=free(taker_fee=0.0005, half_spread_bps=1.0).record(10.0), limits=limits.record(10.0), margin=margin,
            dues=dues if own is perpetual else {}, latency=Latency(QUICK.record(42), np.zeros(0, ROUND_TRIP)),
        )  # fmt: skip
        engine.run()
        engines.append(engine)
    slow, fast = engines
    for name in ("events", "fills", "equity", "verdicts", "latches"):
        assert getattr(fast, name).tobytes() == getattr(slow, name).tobytes(), name
    return slow


def first_fall(engine, drawdown, daily):
    """By the equity after each row: the first on which it has fallen too far, and from what; row −1 if none has."""
    known, equity = engine.timeline.times[TS_EVENT], engine.equity
    peak = start = last = CASH
    day = None
    for row, worth in enumerate(equity):
        if (known[row] - 1) // DAY != day:
            day, start = (known[row] - 1) // DAY, last
        peak, last = max(peak, worth), worth
        found = []
        if drawdown and worth < peak * (1.0 - drawdown):
            found.append(Reason.DRAWDOWN)
        if daily and worth < start * (1.0 - daily):
            found.append(Reason.DAILY_LOSS)
        if found:
            return row, found
    return -1, []


def lost_in_a_row(engine, row):
    """How many round trips in a row had lost by `row`, from the fills alone."""
    streak, sums, start = 0, {}, {}
    for fill in engine.fills[engine.fills["row"] <= row]:
        leg, side = int(fill["leg"]), int(fill["side"])
        before = int(fill["position"]) - side * int(fill["lots"])
        sums[leg] = sums.get(leg, 0) + int(fill["realised"]) - int(fill["fee"])
        after = int(fill["position"])
        if before != 0 and (after == 0 or before * after < 0):
            streak = streak + 1 if sums[leg] < start.get(leg, 0) else 0
            start[leg] = sums[leg]
    return streak


PARAMS = st.fixed_dictionaries(
    {"salt": st.integers(0, 10_000), "idle": st.sampled_from([300, 700, 900]), "stop": st.sampled_from([0.004, 0.05])}
)


@examples(80)
@given(
    st.integers(0, 2**32),
    st.integers(1, 3),
    st.sampled_from([2e-3, 8e-3, 2e-2]),
    PARAMS,
    st.sampled_from([0.3, 0.9, 3.0]),
    st.sampled_from([0.0, 0.05, 0.2]),
    st.sampled_from([None, 0.01, 0.05]),
    st.sampled_from([None, 2, 5]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_what_has_tripped_stays_shut(
    seed, symbols, wild, params, size, drawdown, daily, streak, on_drawdown, on_daily, on_streak
):  # fmt: skip
    """A breaker trips on the first row on which equity, or the round trips, have come to its limit. From that row on
    nothing that opens or adds is sent, and where it flattens nothing is held two bars later. Both lanes do the same.
    """
    acts = {True: "flatten", False: "halt"}
    limits = UNLIMITED.model_copy(
        update={
            "max_drawdown": drawdown,
            "max_daily_loss": daily,
            "max_losing_streak": streak,
            "on_drawdown": acts[on_drawdown],
            "on_daily_loss": acts[on_daily],
            "on_losing_streak": acts[on_streak],
        }
    )  # fmt: skip
    engine = both(seed, symbols, wild, params, size, limits)
    falls = [latch for latch in engine.latches if latch["rule"] != Reason.LOSING_STREAK]
    row, rules = first_fall(engine, drawdown, daily)
    assert (int(falls[0]["row"]), int(falls[0]["rule"])) in {(row, int(rule)) for rule in rules} if falls else row == -1
    for latch in engine.latches[engine.latches["rule"] == Reason.LOSING_STREAK]:
        assert lost_in_a_row(engine, latch["row"]) >= streak == latch["limit"]
    if not len(engine.latches):
        assert streak is None or lost_in_a_row(engine, len(engine.timeline)) < streak
        return
    tripped = int(engine.latches["row"].min())
    assert (engine.verdicts["opening"][(engine.verdicts["row"] >= tripped)] == 0).all()
    for latch in engine.latches[engine.latches["flattens"] == 1]:
        event(f"{Reason(latch['rule']).name} flattens")
        after = engine.fills[engine.fills["row"] > latch["row"] + 2 * symbols]
        assert (after["lots"][after["kind"] == 0] == 0).all()
        if latch["row"] + 2 * symbols < len(engine.timeline):
            assert (engine.state.positions["lots"] == 0).all()
        orders = engine.events[engine.events["event"] == Event.SUBMIT]
        sent = orders[orders["reason"] == Reason.FLATTENED]
        held = {int(fill["leg"]): int(fill["position"]) for fill in engine.fills if fill["row"] <= latch["row"]}
        closed = {int(order["symbol"]): -int(order["side"] * order["lots"]) for order in sent}
        assert closed == {leg: lots for leg, lots in held.items() if lots != 0}
        assert (sent["row"] == latch["row"]).all()
        break  # those after it find nothing to close


@examples(20)
@given(st.integers(0, 2**32), st.integers(1, 2), PARAMS)
def test_money_without_margin_is_watched_as_closely(seed, symbols, params):
    """On spot nothing can be liquidated, and no row is looked at for that: those that matter to a breaker are."""
    limits = UNLIMITED.model_copy(update={"max_drawdown": 0.03, "on_drawdown": "flatten"})
    engine = both(seed, symbols, 8e-3, params, 0.9, limits, own=spot)
    row, _ = first_fall(engine, 0.03, None)
    assume(row >= 0)
    assert [int(latch["row"]) for latch in engine.latches] == [row]
    assert (engine.state.positions["lots"] == 0).all() or row + 2 * symbols >= len(engine.timeline)
    assert math.isclose(
        engine.latches[0]["value"], 1.0 - engine.equity[row] / max(CASH, engine.equity[: row + 1].max())
    )
