"""Trials: one timeline run through again and again with other parameters, keeping figures instead of records.

The loop and all that happens in it are the compiled lane's. But fills and order events are only added up, and equity
lies in one array that the next trial overwrites: memory does not grow with the number of trials. A `Bench` belongs to
one thread; it lets go of the interpreter while it runs.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.calendar import calendar
from truewind.domain.fill import FillKind
from truewind.domain.instrument import Instrument
from truewind.domain.signal import Signal
from truewind.domain.timeframe import DAY_US
from truewind.engine.acting import fault
from truewind.engine.compiled import HELD, Inputs, Program
from truewind.engine.late import is_late
from truewind.engine.merge import CLOSE, SYMBOL, TS_EVENT, Timeline
from truewind.engine.state import State
from truewind.errors import ConfigError
from truewind.execution.simulated.latency import AT_ONCE, Latency
from truewind.execution.simulated.lifecycle import FLUSH
from truewind.numerics import performance
from truewind.numerics.jit import kernel
from truewind.numerics.measures import annualised, spread
from truewind.portfolio.collateral import Collateral
from truewind.portfolio.ledger import check_account
from truewind.portfolio.margin import Margin
from truewind.portfolio.state import account_of, breakers_of, equity_of, fills_of, instruments_of, times_of

# What a trial changes, of the state's arrays.
_CHANGED = (
    *("positions", "account", "following", "margins", "instruments", "assets", "settling"),
    *("breakers", "pairs"),
)
_BUFFER_ROWS = 256  # small enough to stay in the processor's cache
_BLOCK = 64  # rows of equity that are compared together
_TRADE, _LIQUIDATION, _SETTLEMENT = FillKind.TRADE, FillKind.LIQUIDATION, FillKind.SETTLEMENT
_EXCHANGE = FillKind.EXCHANGE

# What the fills of a trial add up to. held: how many legs hold something; since: event time from which on some do;
# inside: µs that some did. won, lost, traded: ledger units.
_TALLY = np.dtype(
    [
        *((name, np.int64) for name in ("closed", "fills", "liquidations", "wins", "held", "since", "inside")),
        *((name, np.float64) for name in ("won", "lost", "traded")),
    ]
)
# Of a leg: its lots, whether its latest round trip is over, and what that has come to (ledger units).
_LEG = np.dtype([("lots", np.int64), ("over", np.int64), ("result", np.float64)])


class Figures(NamedTuple):
    """What a trial came to; as in a run's summary. Money in the account's currency, NaN where a figure is not defined.

    carry: dividends, borrow fees and swaps. trades: closed round trips. fills: executions. liquidations: those of them
    that the venue forced. volatility, sharpe and sortino are annualised, skew and kurtosis (normal: 3) of the daily
    returns as they are.
    """

    final_equity: float
    net_return: float
    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float
    skew: float
    kurtosis: float
    trades: int
    win_rate: float
    profit_factor: float
    expectancy: float
    exposure: float
    turnover: float
    fills: int
    liquidations: int
    orders: int
    fees: float
    slippage: float
    funding: float
    carry: float


class Days(NamedTuple):
    """Where a timeline's moments and days end: last rows of equal times, and of UTC days, with the days' numbers.

    elapsed: µs from the first moment to the last.
    """

    moments: np.ndarray
    closes: np.ndarray
    numbers: np.ndarray
    elapsed: int

    def of_returns(self, days_per_year: int) -> np.ndarray:
        """int64 UTC days since 1970-01-01 that have a return, as `performance.daily_returns` has them; none where the
        rows are too few or too rare to speak of days.
        """
        every = days_per_year >= performance.EVERY_DAY
        found = np.arange(self.numbers[0], self.numbers[-1] + 1) if every else self.numbers
        return found if performance.tells_days(self.elapsed, len(found), days_per_year) else found[:0]


def days_of(timeline: Timeline) -> Days:
    event = timeline.times[TS_EVENT]
    days = performance.day_index(event)
    closes = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    moments = np.flatnonzero(np.append(event[1:] != event[:-1], True))
    return Days(moments, closes, days[closes], int(event[-1] - event[0]))


class Bench:
    """Runs trial after trial on one timeline with one account: see `engine.Engine` for what it is given."""

    def __init__(
        self,
        timeline: Timeline,
        instruments: Sequence[Instrument],
        days: Days,
        *,
        cash: float,
        currency: str,
        costs: np.ndarray,
        limits: np.ndarray,
        sizing: Any,
        dues: Mapping[str, np.ndarray],
        margin: Margin | None = None,
        rates: Mapping[str, np.ndarray] | None = None,
        collateral: Collateral | None = None,
        settling: np.ndarray | None = None,
        latency: Latency = AT_ONCE,
    ) -> None:
        if is_late(timeline, latency):
            raise ConfigError(
                "A sweep's strategies hear of everything at once and in order",
                remedy="Leave latency.reply_ms and what disorders the feed out, or run single backtests",
            )
        self._timeline, self._days = timeline, days
        world = instruments, timeline, cash, currency, costs, limits, dues, margin, rates, collateral, settling
        self._state = State(*world, latency=latency, buffer_rows=_BUFFER_ROWS)
        self._state.sizing[:] = sizing.record(self._state.scale, self._state.bars_a_year)
        self._state.account["unrecorded"] = 1
        changed = [getattr(self._state, name).view(np.uint8) for name in _CHANGED]  # as bytes: no field is looked at
        self._first = [(array, array.copy()) for array in changed]
        self._start = float(self._state.account[0]["start"]) / self._state.scale
        self._held = np.zeros(len(instruments), HELD)
        self._at = np.zeros(1, np.int64)
        self._tally = np.zeros(1, _TALLY)
        self._legs = np.zeros(len(self._state.positions), _LEG)
        self._year = max(calendar(instrument.calendar).days_per_year for instrument in instruments)
        self._returns = np.zeros(len(days.of_returns(self._year)))

    def run(
        self, program: Program, inputs: Inputs, columns: Mapping[str, np.ndarray] | None = None
    ) -> tuple[Figures, np.ndarray]:
        """The figures of one trial, and its daily returns (float32, the days are `Days.of_returns`).

        columns: those that sizing and risk rules read, among others.
        Raises StrategyError for a signal that cannot be acted on, LedgerError.
        """
        state, timeline = self._state, self._timeline
        if columns is not None:
            state.measure_by(columns)
        while True:
            self._reset()
            counters = self._held, self._at, self._tally, self._legs
            done = program.trial(state.handle, len(timeline), *inputs, *counters)
            if done != FLUSH:
                break
            state.grow_orders()  # and with them the buffers: they are too small for one bar
            state.make_room()
        if done < 0:
            row = int(self._at[0])
            signal = Signal(*state.signal[0].item())
            symbol = timeline.symbols[int(timeline.times[SYMBOL][row])]
            raise fault(done, symbol, int(timeline.times[TS_EVENT][row]), float(timeline.prices[CLOSE][row]), signal)
        check_account(state.account)
        figures = self._figures()
        return figures, self._returns.astype(np.float32)

    def _figures(self) -> Figures:
        state, elapsed, scale = self._state, self._days.elapsed, self._state.scale
        handle, days = state.handle, self._days
        close_books(handle, self._tally, self._legs)
        equity = state.equity if len(days.moments) == len(state.equity) else state.equity[days.moments]
        fall, worth = deepest_fall(equity, float(state.account[0]["start"])), float(np.mean(equity))
        day_returns(handle, days.closes, days.numbers, self._returns)
        found = spread(self._returns)
        volatility, sharpe, sortino = annualised(found, float(self._year))
        money, told = state.account[0], self._tally[0]
        final = float(state.equity[-1]) / scale
        whole_day = elapsed >= DAY_US
        growth = performance.cagr(self._start, final, elapsed) if whole_day else math.nan
        closed, won, lost = int(told["closed"]), float(told["won"]), float(told["lost"])
        traded, years = float(told["traded"]), elapsed / performance.YEAR_US
        return Figures(
            final_equity=final,
            net_return=final / self._start - 1.0,
            cagr=growth,
            volatility=volatility,
            sharpe=sharpe,
            sortino=sortino,
            calmar=performance.calmar(growth, fall),
            max_drawdown=fall,
            skew=found[3],
            kurtosis=found[4],
            trades=closed,
            win_rate=float(told["wins"]) / closed if closed else math.nan,
            profit_factor=won / lost if lost > 0.0 else math.nan,
            expectancy=(won - lost) / closed / scale if closed else math.nan,
            exposure=float(told["inside"]) / elapsed if elapsed else math.nan,
            turnover=traded / worth / years if worth > 0.0 and elapsed else math.nan,
            fills=int(told["fills"]),
            liquidations=int(told["liquidations"]),
            orders=int(money["next_order"]),
            fees=float(money["fees"] / scale),
            slippage=float(money["slippage"] / scale),
            funding=float(money["funding"] / scale),
            carry=float(money["carry"] / scale),
        )

    def _reset(self) -> None:
        for array, first in self._first:
            array[:] = first
        self._tally[:] = 0
        self._legs[:] = 0


@kernel
def tally(state: int, counts: Any, legs: Any) -> None:
    """Add up the buffered fills and empty the buffers. What a round trip came to is as in `analytics.trades`: of a fill
    that turns a position, profit belongs to what it ends, and fees are split pro rata.
    """
    money, fills, told = account_of(state), fills_of(state), counts[0]
    event, instruments = times_of(state)[1], instruments_of(state)
    for i in range(money["fills"]):
        fill = fills[i]
        kind = fill["kind"]
        if kind == _EXCHANGE:
            continue
        leg = legs[fill["leg"]]
        before, after, lots = leg["lots"], fill["position"], fill["lots"]
        if (before != 0) != (after != 0):
            hold(told, event[fill["row"]], 1 if after != 0 else -1)
        leg["lots"] = after
        step = instruments[fill["symbol"]]["step"]
        turned = (before < 0 < after) or (after < 0 < before)
        fee = float(fill["fee"])
        if turned:
            part = fee * (abs(before) / lots)
            leg["result"] += fill["realised"] - part
            settle_trade(told, leg)
            told["closed"] += 1
            leg["result"] = part - fee
        else:
            if abs(before) < step <= abs(after):
                settle_trade(told, leg)
            leg["result"] += fill["realised"] - fee
            if abs(after) < step <= abs(before):
                leg["over"] = 1
                told["closed"] += 1
        if lots > 0 and kind in (_TRADE, _LIQUIDATION, _SETTLEMENT):
            told["fills"] += 1
            told["traded"] += fill["notional"]
            if kind == _LIQUIDATION:
                told["liquidations"] += 1
    money["fills"] = 0
    money["events"] = 0
    money["verdicts"] = 0
    breakers_of(state)["latches"] = 0


@kernel(inline=True)
def hold(told: Any, now: int, change: int) -> None:
    """One leg more or less holds something from `now` on."""
    if told["held"] == 0:
        told["since"] = now
    told["held"] += change
    if told["held"] == 0:
        told["inside"] += now - told["since"]


@kernel(inline=True)
def settle_trade(told: Any, leg: Any) -> None:
    """Count what the round trip of `leg` came to, if there was one, and begin another."""
    result = leg["result"]
    if result > 0.0:
        told["wins"] += 1
        told["won"] += result
    elif result < 0.0:
        told["lost"] -= result
    leg["result"] = 0.0
    leg["over"] = 0


@kernel
def close_books(state: int, counts: Any, legs: Any) -> None:
    """Count the round trips that are over: the insurance fund may have paid for one after it had ended."""
    told, event = counts[0], times_of(state)[1]
    for i in range(len(legs)):
        leg = legs[i]
        if leg["over"] != 0:
            settle_trade(told, leg)
    if told["held"] > 0:
        told["inside"] += event[-1] - told["since"]


@kernel
def deepest_fall(equity: Any, start: float) -> float:
    """Deepest drawdown from the highest so far, as a fraction. Only rows beyond peak and low are looked at one by one:
    whether a block has some is asked of all its rows at once.
    """
    peak = low = start
    fall = 0.0
    for begin in range(0, len(equity), _BLOCK):
        part = equity[begin : begin + _BLOCK]
        beyond = False
        for i in range(len(part)):
            beyond |= (part[i] > peak) | (part[i] < low)
        if beyond:
            for i in range(len(part)):
                if part[i] > peak:
                    fall = max(fall, (peak - low) / peak)  # divided once a peak, not at every row of a fall
                    peak = low = part[i]
                else:
                    low = min(low, part[i])
    return max(fall, (peak - low) / peak)


@kernel
def day_returns(state: int, closes: Any, numbers: Any, returns: Any) -> None:
    """Fill `returns`: of each day with a row, or of all days from the first to the last; see `Days.of_returns`."""
    equity = equity_of(state)
    before, every = float(account_of(state)["start"]), len(returns) > len(closes)
    if len(returns) == 0:
        return
    returns[:] = 0.0
    for i in range(len(closes)):
        worth = equity[closes[i]]
        returns[numbers[i] - numbers[0] if every else i] = worth / before - 1.0 if before > 0.0 else math.nan
        before = worth
