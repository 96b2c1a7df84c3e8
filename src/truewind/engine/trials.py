"""Trials: one timeline run through again and again with other parameters, keeping figures instead of records.

The loop and all that happens in it are the compiled lane's. But fills and order events are only counted, and equity
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
from truewind.engine.acting import fault
from truewind.engine.compiled import HELD, Inputs, Program
from truewind.engine.late import is_late
from truewind.engine.merge import CLOSE, SYMBOL, TS_EVENT, Timeline
from truewind.engine.state import State
from truewind.errors import ConfigError, LedgerError
from truewind.execution.simulated.latency import AT_ONCE, Latency
from truewind.execution.simulated.lifecycle import FLUSH
from truewind.numerics.jit import kernel
from truewind.numerics.performance import day_index
from truewind.portfolio.collateral import Collateral
from truewind.portfolio.margin import Margin
from truewind.portfolio.state import account_of, breakers_of, equity_of, fills_of, instruments_of

# What a trial changes, of the state's arrays.
_CHANGED = (
    *("positions", "account", "following", "margins", "instruments", "assets", "settling"),
    *("breakers", "pairs"),
)
_BUFFER_ROWS = 1024  # small enough to stay in the processor's cache
_LIQUIDATION, _SPLIT, _FEE = FillKind.LIQUIDATION, FillKind.SPLIT, FillKind.FEE
_CLOSED, _FILLS, _LIQUIDATIONS = 0, 1, 2
_NO_VARIATION = 1e-14  # as in numerics.performance
_EVERY_DAY = 365


class Figures(NamedTuple):
    """What a trial came to; as in a run's summary. Money in the account's currency, NaN where a figure is not defined.

    carry: dividends, borrow fees and swaps. trades: closed round trips. fills: executions. liquidations: those of them
    that the venue forced.
    """

    final_equity: float
    net_return: float
    sharpe: float
    max_drawdown: float
    trades: int
    fills: int
    liquidations: int
    orders: int
    fees: float
    funding: float
    carry: float


class Days(NamedTuple):
    """Where a timeline's moments and days end: last rows of equal times, and of UTC days, with the days' numbers."""

    moments: np.ndarray
    closes: np.ndarray
    numbers: np.ndarray


def days_of(timeline: Timeline) -> Days:
    event = timeline.times[TS_EVENT]
    days = day_index(event)
    closes = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    return Days(np.flatnonzero(np.append(event[1:] != event[:-1], True)), closes, days[closes])


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
        self._first = {name: getattr(self._state, name).copy() for name in _CHANGED}
        self._start = float(self._state.account[0]["start"]) / self._state.scale
        self._held = np.zeros(len(instruments), HELD)
        self._at = np.zeros(1, np.int64)
        self._counts = np.zeros(3, np.int64)
        self._year = max(calendar(instrument.calendar).days_per_year for instrument in instruments)

    def run(self, program: Program, inputs: Inputs, columns: Mapping[str, np.ndarray] | None = None) -> Figures:
        """The figures of one trial. columns: those that sizing and risk rules read, among others.

        Raises StrategyError for a signal that cannot be acted on, LedgerError.
        """
        state, timeline = self._state, self._timeline
        if columns is not None:
            state.measure_by(columns)
        while True:
            self._reset()
            done = program.trial(state.handle, len(timeline), *inputs, self._held, self._at, self._counts)
            if done != FLUSH:
                break
            state.grow_orders()  # and with them the buffers: they are too small for one bar
            state.make_room()
        if done < 0:
            row = int(self._at[0])
            signal = Signal(*state.signal[0].item())
            symbol = timeline.symbols[int(timeline.times[SYMBOL][row])]
            raise fault(done, symbol, int(timeline.times[TS_EVENT][row]), float(timeline.prices[CLOSE][row]), signal)
        money = state.account[0]
        if money["overflow"]:
            raise LedgerError("An amount does not fit 64 bits in the account's smallest unit")
        final, sharpe, fall = measure(state.handle, *self._days, state.scale, self._year)
        closed, fills, liquidations = self._counts.tolist()
        return Figures(
            final_equity=final,
            net_return=final / self._start - 1.0,
            sharpe=sharpe,
            max_drawdown=fall,
            trades=closed,
            fills=fills,
            liquidations=liquidations,
            orders=int(money["next_order"]),
            fees=float(money["fees"] / state.scale),
            funding=float(money["funding"] / state.scale),
            carry=float(money["carry"] / state.scale),
        )

    def _reset(self) -> None:
        for name, first in self._first.items():
            getattr(self._state, name)[:] = first
        self._counts[:] = 0


@kernel
def tally(state: int, counts: Any) -> None:
    """Count the buffered fills and empty the buffers."""
    money, fills = account_of(state), fills_of(state)
    for i in range(money["fills"]):
        fill = fills[i]
        if fill["lots"] == 0 or fill["kind"] == _SPLIT or fill["kind"] == _FEE:
            continue
        counts[_FILLS] += 1
        if fill["kind"] == _LIQUIDATION:
            counts[_LIQUIDATIONS] += 1
        after = fill["position"]
        before = after - fill["side"] * fill["lots"]
        step = instruments_of(state)[fill["symbol"]]["step"]
        if abs(before) >= step and (abs(after) < step or (after > 0) != (before > 0)):
            counts[_CLOSED] += 1
    money["fills"] = 0
    money["events"] = 0
    money["verdicts"] = 0
    breakers_of(state)["latches"] = 0


@kernel
def measure(
    state: int, moments: Any, closes: Any, numbers: Any, scale: float, days_per_year: int
) -> tuple[float, float, float]:
    """Final equity, annualised Sharpe ratio of daily returns and deepest drawdown, as in `numerics.performance`."""
    equity = equity_of(state)
    initial = float(account_of(state)["start"])
    peak, fall = initial, 0.0
    for i in range(len(moments)):
        worth = equity[moments[i]]
        if worth > peak:
            peak = worth
        elif peak - worth > fall * peak:
            fall = (peak - worth) / peak
    count = len(closes)
    if days_per_year >= _EVERY_DAY:  # a day without a row returned nothing
        count = numbers[-1] - numbers[0] + 1
    before, total = initial, 0.0
    for i in range(len(closes)):
        total += equity[closes[i]] / before - 1.0 if before > 0.0 else math.nan
        before = equity[closes[i]]
    mean = total / count
    before, spread = initial, (count - len(closes)) * mean * mean
    for i in range(len(closes)):
        apart = (equity[closes[i]] / before - 1.0 if before > 0.0 else math.nan) - mean
        spread += apart * apart
        before = equity[closes[i]]
    sharpe = math.nan
    if count > 1:
        deviation = math.sqrt(spread / (count - 1))
        if deviation > _NO_VARIATION:
            sharpe = mean / deviation * math.sqrt(days_per_year)
    return equity[-1] / scale, sharpe, fall
