"""Latches: where the account is valued and round trips close, breakers trip here, once, and stay so.

What a tripped breaker stops is told in `risk.breakers`. Here lies what is watched: the fall of equity from its peak and
since the UTC day began, and round trips lost in a row. Midnight belongs to the day that it ends, as in
`numerics.performance`.
"""

import math
from typing import Any

import numpy as np

from truewind.domain.clock import NEVER
from truewind.domain.order import Reason
from truewind.domain.risk import BREAKERS, FLATTEN_ALL, FLATTEN_SYMBOLS, PAIR
from truewind.domain.timeframe import DAY_US
from truewind.numerics.jit import kernel
from truewind.portfolio.state import (
    account_of,
    breakers_of,
    latches_of,
    limits_of,
    positions_of,
)

ALL_SYMBOLS = -1
_DRAWDOWN, _DAILY_LOSS, _LOSING_STREAK = int(Reason.DRAWDOWN), int(Reason.DAILY_LOSS), int(Reason.LOSING_STREAK)
_LONG_AGO = -(1 << 62)


def begin_breakers(limits: np.ndarray, symbols: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """BREAKERS and PAIR rows of an account on which nothing has happened yet. scale: ledger units in one unit."""
    breakers, pairs = np.zeros(1, BREAKERS), np.zeros(symbols, PAIR)
    breakers["scale"] = scale
    breakers["minute"] = _LONG_AGO
    breakers["day_start"] = 1.0
    breakers["day_ends"] = 0 if limits[0]["max_daily_loss"] < math.inf else NEVER
    pairs["entered"] = pairs["asked_at"] = _LONG_AGO
    return breakers, pairs


@kernel
def note_latch(
    state: int, rule: int, ts: int, row: int, symbol: int, value: float, limit: float, released: int, flattens: int
) -> None:  # fmt: skip
    """Write down that a breaker has tripped, or was released."""
    breakers, latches = breakers_of(state), latches_of(state)
    latch = latches[breakers["latches"]]
    breakers["latches"] += 1
    latch["ts"], latch["row"], latch["symbol"], latch["rule"] = ts, row, symbol, rule
    latch["value"], latch["limit"], latch["released"], latch["flattens"] = value, limit, released, flattens


@kernel
def trip(state: int, rule: int, ts: int, row: int, value: float, limit: float, flattens: float) -> None:
    """A breaker of the account has tripped: write it down, and ask for all to be closed if it `flattens`."""
    note_latch(state, rule, ts, row, ALL_SYMBOLS, value, limit, 0, 1 if flattens != 0.0 else 0)
    if flattens != 0.0:
        breakers_of(state)["alarm"] = FLATTEN_ALL


@kernel
def trip_drawdown(state: int, ts: int, row: int, equity: float) -> None:
    """Equity has fallen too deep from its peak."""
    money, limit = account_of(state), limits_of(state)
    if money["halted"] == 0:
        money["halted"] = 1
        fall = 1.0 - equity / money["peak"]
        trip(state, _DRAWDOWN, ts, row, fall, 1.0 - money["keep"], limit["on_drawdown"])


@kernel
def trip_daily_loss(state: int, ts: int, row: int, equity: float) -> None:
    """The day has lost too much."""
    breakers, limit = breakers_of(state), limits_of(state)
    if breakers["daily_loss"] == 0:
        breakers["daily_loss"] = 1
        fall = 1.0 - equity / breakers["day_start"]
        trip(state, _DAILY_LOSS, ts, row, fall, limit["max_daily_loss"], limit["on_daily_loss"])


@kernel
def close_trip(state: int, leg: int, ts: int, row: int) -> None:
    """A round trip of `leg` has closed: count it if it has lost, costs and payments included, else begin anew."""
    position, breakers, limit = positions_of(state)[leg], breakers_of(state), limits_of(state)
    gained = position["realised"] - position["fees"] + position["funding"] + position["carry"]
    lost = gained < position["gained"]
    position["gained"] = gained
    breakers["streak"] = breakers["streak"] + 1 if lost else 0
    if breakers["streak"] >= limit["max_losing_streak"] and breakers["losing_streak"] == 0:
        breakers["losing_streak"] = 1
        count = float(breakers["streak"])
        trip(state, _LOSING_STREAK, ts, row, count, limit["max_losing_streak"], limit["on_losing_streak"])


@kernel
def begin_day(state: int, now: int) -> None:
    """A UTC day has begun by `now`, with the equity that there is."""
    breakers, money = breakers_of(state), account_of(state)
    breakers["day_ends"] = ((now - 1) // DAY_US + 1) * DAY_US
    breakers["day_start"] = money["equity"]
    money["bounded"] = -1  # the day's floor is another one


@kernel(inline=True)
def day_floor(state: int) -> float:
    """Equity below which the day has lost too much; minus infinity where no limit asks."""
    return float((1.0 - limits_of(state)["max_daily_loss"]) * breakers_of(state)["day_start"])


@kernel(inline=True)
def watch(state: int, ts: int, row: int) -> None:
    """Hold the account's equity, as of `ts`, against its peak and the day's start."""
    money = account_of(state)
    worth = money["equity"]
    money["peak"] = max(money["peak"], worth)
    if worth < money["keep"] * money["peak"]:
        trip_drawdown(state, ts, row, worth)
    if worth < day_floor(state):
        trip_daily_loss(state, ts, row, worth)


@kernel(inline=True)
def safe_move(state: int, equity: float) -> float:
    """Ledger units that `equity` may move, down or up, before a breaker that flattens could trip; else infinite.

    Half of what it is above their floor, for a new peak lifts that of the drawdown.
    """
    money, breakers, limit = account_of(state), breakers_of(state), limits_of(state)
    floor = -math.inf
    if limit["on_drawdown"] != 0.0 and money["halted"] == 0:
        floor = money["keep"] * money["peak"]
    if limit["on_daily_loss"] != 0.0 and breakers["daily_loss"] == 0:
        floor = max(floor, day_floor(state))
    return float(0.5 * (equity - floor))


# What a person does, between two rows of a session, to an `engine.state.State`: no machine code, which would have to be
# made first.


def throw(state: Any, rule: Reason, ts: int, row: int, symbol: int) -> None:
    """A person has thrown the kill switch of `symbol`, or of ALL_SYMBOLS."""
    flattens = int(state.limits[0]["on_kill"] != 0.0)
    latch(state, rule, symbol)
    _note(state, (ts, 0.0, 0.0, row, symbol, rule, 0, flattens))
    if flattens and symbol == ALL_SYMBOLS:
        state.breakers["alarm"] = FLATTEN_ALL
    elif flattens:
        state.pairs["alarm"][symbol] = 1
        state.breakers["alarm"] = np.maximum(state.breakers["alarm"], FLATTEN_SYMBOLS)


def release(state: Any, rule: Reason, ts: int, row: int, symbol: int) -> None:
    """A person has released a breaker: what it watches counts from now on."""
    money, breakers = state.account[0], state.breakers[0]
    latch(state, rule, symbol, 0)
    if rule == Reason.DRAWDOWN:
        money["peak"] = money["equity"]
    elif rule == Reason.DAILY_LOSS and breakers["day_ends"] < NEVER:
        breakers["day_start"] = money["equity"]
    elif rule == Reason.LOSING_STREAK:
        breakers["streak"] = 0
    money["bounded"] = -1
    _note(state, (ts, 0.0, 0.0, row, symbol, rule, 1, 0))


def _note(state: Any, latch: tuple[float, ...]) -> None:
    state.latches[state.breakers[0]["latches"]] = latch
    state.breakers["latches"] += 1


def latch(state: Any, rule: Reason, symbol: int, tripped: int = 1) -> None:
    """Let a breaker be tripped, or not: nothing is written down, and nothing flattened."""
    if rule == Reason.DRAWDOWN:
        state.account["halted"] = tripped
    elif rule == Reason.SYMBOL_KILLED:
        state.pairs["killed"][symbol] = tripped
    else:
        state.breakers[_FLAGS[rule]] = tripped


_FLAGS = {
    Reason.DAILY_LOSS: "daily_loss",
    Reason.LOSING_STREAK: "losing_streak",
    Reason.KILL_SWITCH: "killed",
}
