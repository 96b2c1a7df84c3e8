"""The engine: the loop that every mode runs. Bars go in; the strategy's orders, their fates and the money come out.

Read `run` first. For each bar: if something may happen on it at the venue, let it happen (`_step`) and tell the
strategy of its fills; then hand the bar to the strategy. The compiled `process` says which bar is the next on
which anything can happen, so that in between Python does nothing but call `on_bar`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from truewind.domain.clock import iso
from truewind.domain.fill import FillKind
from truewind.domain.instrument import Instrument
from truewind.domain.order import Event, Reason
from truewind.domain.ports import Journal
from truewind.domain.risk import Command
from truewind.engine.desk import Desk
from truewind.engine.flatten import flatten
from truewind.engine.merge import CHUNK, SYMBOL, Timeline
from truewind.engine.raised import raised
from truewind.engine.state import ACCOUNT_FIELD, State
from truewind.engine.timers import Timed, Timers, timed
from truewind.errors import ConfigError, StrategyError, TruewindError, suggest
from truewind.execution.simulated.latency import AT_ONCE, Latency
from truewind.execution.simulated.lifecycle import FLUSH
from truewind.execution.simulated.matching import process
from truewind.execution.simulated.quiet import scan
from truewind.execution.simulated.valuation import settle
from truewind.portfolio.collateral import Collateral
from truewind.portfolio.latches import ALL_SYMBOLS, latch, release, throw
from truewind.portfolio.ledger import prove
from truewind.portfolio.margin import Margin
from truewind.strategies.base import Strategy

_FILLS, _ORDERS, _OVERFLOW = (ACCOUNT_FIELD[name] for name in ("fills", "orders", "overflow"))
_CLOCK, _TIMER = ACCOUNT_FIELD["clock"], ACCOUNT_FIELD["timer"]
_ALARM = 0  # where BREAKERS has it
_SWITCHES = (Reason.KILL_SWITCH, Reason.SYMBOL_KILLED)  # what a person throws
Progress = Callable[[int, int], None]


class Engine(Desk):
    """One run of one strategy over one timeline on the simulated venue, and the desk that the strategy works at.

    cash in `currency`; costs, limits: COSTS and LIMITS records; margin: see `MarginSettings.terms`, left out: its
    defaults at the costs' leverage; dues: DUE rows by symbol; rates: RATE rows by symbol of those
    that are not settled in `currency`; collateral: what other currencies the account has;
    settling: SETTLING rows, if money from sales may only be spent once it has come in; latency: of orders and
    replies.
    """

    def __init__(
        self,
        timeline: Timeline,
        instruments: Sequence[Instrument],
        strategy: Strategy,
        *,
        cash: float,
        currency: str,
        costs: np.ndarray,
        limits: np.ndarray,
        margin: Margin | None = None,
        dues: Mapping[str, np.ndarray] | None = None,
        rates: Mapping[str, np.ndarray] | None = None,
        collateral: Collateral | None = None,
        settling: np.ndarray | None = None,
        journal: Journal | None = None,
        owners: int = 1,
        latency: Latency = AT_ONCE,
    ) -> None:
        timeline.row_type(strategy.bar_fields())  # refuses a field that does not exist before anything is done
        world = instruments, timeline, cash, currency, costs, limits, dues or {}, margin, rates, collateral, settling
        state = State(*world, owners=owners, latency=latency)
        super().__init__(state, timeline, instruments, currency, journal)
        self.strategy = strategy
        self._alarms = state.breakers.view(np.int64).data
        self._timers = Timers((), 0)
        self._tells_fills = type(strategy).on_fill is not Strategy.on_fill
        self._commands: list[Command] = []
        strategy.desk = self

    def run(self, progress: Progress | None = None) -> None:
        """Run to the end of the timeline. Raises StrategyError naming the bar if the strategy raises."""
        strategy, known = self.strategy, len(self.timeline)
        try:
            self._obey_before(0)
            self._guard(strategy.on_start)
            if timers := self._timed():
                self._timers = Timers(timers, int(self.timeline.received.min()))
            self.state.sizing[:] = strategy.sizing.record(self.state.scale, self.state.bars_a_year)
            self._wake = scan(self._handle, 0, min(known, CHUNK))
            self._expect()
            self._walk(progress or (lambda done, total: None))
            self._catch_up(len(self.timeline) - 1)
            self._guard(strategy.on_stop)
            self._finish()
        finally:
            self._flush()
        self._prove()

    def _walk(self, progress: Progress) -> None:
        """Hand every bar that is wanted to the strategy, each after what happened on it at the venue."""
        callback, fields = getattr(self.strategy, self.timeline.callback), self.strategy.bar_fields()
        replay = self._replay_timed if self._timers else self._replay
        for first in self.timeline.arriving():
            if first:
                self._flush()  # what was done on the rows before is written down before these are read
                self.state.lengthen(self.timeline)
            for rows, bars in self.timeline.chunks(self._wanted(first), fields):
                self._guard(replay, rows, bars, callback)
                progress(rows[-1] + 1, len(self.timeline))
        self._obey_before(len(self.timeline))
        if self._timers:
            self._guard(self._pass_time, int(self.timeline.received.max()))

    def _obey_before(self, row: int) -> None:
        """Obey the commands that came before row `row` was heard."""
        while self._commands and self._commands[0].row < row:
            self.obey(self._commands.pop(0))

    def _expect(self) -> None:
        """Stop at the first row that comes after the next command."""
        if self._commands:
            self._wake = min(self._wake, self._commands[0].row + 1)

    def command(self, commands: Sequence[Command]) -> None:
        """Be ready to obey; commands: what had tripped before, or came to a session that is run again. Before `run`."""
        self._commands = list(commands)
        flatten(self._handle, -1, 0)  # nothing asks for it yet; but when somebody does, it must be compiled
        settle(self._handle, 0)

    def obey(self, command: Command) -> None:
        """Let a breaker trip, or release it, after the row `command.row`, which has happened.

        What the run does not trade is left alone. Of what had tripped before the first row no record is made.
        """
        if command.symbol and command.symbol not in self._index:
            return
        symbol = self._index[command.symbol] if command.symbol else ALL_SYMBOLS
        self._catch_up(command.row)
        settle(self._handle, command.row + 1)
        at = command.rule, command.ts, command.row, symbol
        if command.released:
            release(self.state, *at)
        elif command.row < 0 or command.rule not in _SWITCHES:
            latch(self.state, command.rule, symbol)
        else:
            throw(self.state, *at)
        if self._alarms[_ALARM]:
            self._flatten(command.row, command.ts)
        self._wake = min(self._wake, command.row + 1)
        self._flush()

    def _replay(self, rows: Sequence[int], bars: Any, on_bar: Callable[[Any], None]) -> None:
        for row, bar in zip(rows, bars, strict=False):  # equally long; the check would cost as much as the loop
            if row >= self._wake:
                self._catch_up(row)
            self._row = row
            on_bar(bar)

    def _replay_timed(self, rows: Sequence[int], bars: Any, on_bar: Callable[[Any], None]) -> None:
        """As `_replay`, with the timers that are due before each row is received."""
        received = self.timeline.received
        for row, bar in zip(rows, bars, strict=False):
            if received[row] > self._timers.due_us:
                self._obey_before(row)
                self._pass_time(int(received[row]) - 1)
            self._replay((row,), (bar,), on_bar)

    def _pass_time(self, until: int) -> None:
        """Call the strategy for every timer that is due by `until`; what it sends then carries the timer's time."""
        while self._timers.due_us <= until:
            timer, call = self._timers.next()
            self._hear(timer.ts_event)
            clock = self.state.counters[_CLOCK]
            self.state.counters[_CLOCK] = self.state.counters[_TIMER] = timer.ts_event
            if self.journal is not None:
                self.journal.record("timer", ts=timer.ts_event, name=timer.name)
            call()
            self.state.counters[_CLOCK] = clock

    def _hear(self, now: int) -> None:
        """Let everything happen of which the strategy knows at `now`."""
        row = int(np.searchsorted(self.timeline.received, now, side="right")) - 1
        self._catch_up(row)
        self._row = max(self._row, row)

    def _timed(self) -> list[Timed]:
        """The timers that strategies ask for."""
        return timed(type(self.strategy).__name__, self.strategy, self.strategy.on_timer)

    def _catch_up(self, row: int) -> None:
        """Let everything happen at the venue up to and including bar `row`."""
        while self._wake <= row:
            self._obey_before(self._wake)
            self._step(self._wake)
            self._expect()

    def _wanted(self, first: int) -> np.ndarray | None:
        """The rows from `first` on that the strategy asked for, of those on which it may decide; None for all."""
        name = self.strategy.wakes_on
        if name is None:
            return np.arange(first, len(self.timeline)) if first else self.timeline.wanted
        if name not in self.timeline.columns:
            remedy = suggest(name, self.timeline.columns)
            raise ConfigError(f"{type(self.strategy).__name__}.wakes_on names no field '{name}'", remedy=remedy)
        values = self.timeline.columns[name][first:]
        return first + np.flatnonzero((values != 0.0) & ~np.isnan(values))

    def _step(self, row: int) -> None:
        """Let bar `row` happen at the venue, and tell the strategy of its fills."""
        state = self.state
        while True:
            wake = process(self._handle, row)
            if wake != FLUSH:
                break
            self._make_room()
        self._wake = wake
        if self._alarms[_ALARM]:
            self._flatten(row)
        if state.counters[_OVERFLOW]:
            self._flush()
            self._prove()
        self._positions.clear()  # an order that begins to work changes what is said of a position, too
        filled = state.counters[_FILLS]
        if filled != self._seen_fills:
            first, self._seen_fills = self._seen_fills, filled
            if self._tells_fills:
                self._row = row  # by this bar's close at the latest a fill in it is known; orders go out then
                for fill in state.fills[first:filled].copy():
                    if fill["lots"] > 0 and fill["kind"] != FillKind.SPLIT:
                        self._tell(fill)

    def _flatten(self, row: int, decided_us: int = 0) -> None:
        """Withdraw and close at market what a breaker that has tripped by row `row` flattens."""
        counters = self.state.counters
        clock, counters[_CLOCK] = counters[_CLOCK], decided_us
        while flatten(self._handle, row, decided_us) == FLUSH:
            self._make_room()
        counters[_CLOCK] = clock
        self._wake = row + 1
        self._positions.clear()

    def _tell(self, fill: np.void) -> None:
        self.strategy.on_fill(self._fill(fill))

    def _finish(self) -> None:
        """Value the last bars and end what still works."""
        state = self.state
        settle(self._handle, len(self.timeline))
        for order in state.orders[: state.counters[_ORDERS]]["id"].tolist():
            self._cancel(order, Reason.END_OF_DATA, Event.EXPIRE)

    def _guard(self, call: Callable[..., None], *arguments: Any) -> None:
        """Run the strategy's code; what it raises becomes a StrategyError that names the bar."""
        try:
            call(*arguments)
        except TruewindError:
            raise
        except Exception as error:
            raise self.raised(error, type(self.strategy).__name__) from error

    def raised(self, error: Exception, name: str) -> StrategyError:
        """The error for what strategy `name` raised, with the bar on which it did."""
        row = self._row
        if row < 0:
            return raised(name, error, "on start", row=row)
        symbol, remedy = self.symbols[int(self.timeline.times[SYMBOL][row])], ""
        missing = error.name if isinstance(error, AttributeError) else None
        if self.strategy.fields is not None and missing in self.timeline.kind.__struct_fields__:
            remedy = f"Add '{missing}' to {name}.fields, which names the only fields that its bars have"
        at = f"on {symbol} bar {row}, known at {iso(self.now_us)}"
        return raised(name, error, at, remedy, row=row, symbol=symbol)

    def _prove(self) -> None:
        state = self.state
        fills = [fills for _, fills, _ in self._parts]
        prove(fills, state.positions, state.account, state.instruments, self.symbols)
