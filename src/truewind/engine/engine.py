"""The engine: the loop that every mode runs. Bars go in; the strategy's orders, their fates and the money come out.

Read `run` first. For each bar: if something may happen on it at the venue, let it happen (`_step`) and tell the
strategy of its fills; then hand the bar to the strategy. The compiled `process` says which bar is the next on
which anything can happen, so that in between Python does nothing but call `on_bar`.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from truewind.domain.account import Account
from truewind.domain.clock import iso
from truewind.domain.fill import FILL, Fill, FillKind, read_fill
from truewind.domain.instrument import Instrument
from truewind.domain.order import ORDER_EVENT, Event, Order, OrderType, Reason, Side, Terms
from truewind.domain.ports import Journal
from truewind.domain.position import Position
from truewind.domain.risk import LATCH, VERDICT, Command
from truewind.domain.signal import Signal
from truewind.engine.acting import IDLE, MOST_ORDERS, fault, follow, position_of
from truewind.engine.asked import FORGIVEN, NO_TERMS, fields_of, refused, steps_of
from truewind.engine.flatten import flatten
from truewind.engine.intake import amend, draft, send, submit
from truewind.engine.merge import CHUNK, CLOSE, SYMBOL, Timeline
from truewind.engine.state import ACCOUNT_FIELD, State
from truewind.engine.timers import Timed, Timers, timed
from truewind.errors import ConfigError, LedgerError, StrategyError, TruewindError, suggest
from truewind.execution.simulated.latency import AT_ONCE, Latency
from truewind.execution.simulated.lifecycle import FLUSH, cancel
from truewind.execution.simulated.matching import process
from truewind.execution.simulated.quiet import scan
from truewind.execution.simulated.valuation import settle, time_at
from truewind.portfolio.collateral import Collateral
from truewind.portfolio.latches import ALL_SYMBOLS, latch, release, throw
from truewind.portfolio.ledger import RATE_SCALE, prove
from truewind.portfolio.margin import Margin
from truewind.strategies.base import Strategy

_FILLS, _ORDERS, _OVERFLOW = (ACCOUNT_FIELD[name] for name in ("fills", "orders", "overflow"))
_CLOCK, _TIMER = ACCOUNT_FIELD["clock"], ACCOUNT_FIELD["timer"]
_ALARM = 0  # where BREAKERS has it
_SWITCHES = (Reason.KILL_SWITCH, Reason.SYMBOL_KILLED)  # what a person throws
_PACK_SIGNAL = struct.Struct("=q7d2q").pack_into
Progress = Callable[[int, int], None]


class Engine:
    """One run of one strategy over one timeline on the simulated venue. Implements `ports.Desk`.

    cash in `currency`; costs, limits: COSTS and LIMITS records; margin: see `MarginSettings.terms`, left out: its
    defaults at the costs' leverage; dues: DUE rows by symbol; rates: RATE rows by symbol of those
    that are not settled in `currency`; collateral: what other currencies the account has;
    settling: SETTLING rows, if money from sales may only be spent once it has come in; latency: of orders and
    replies.
    After `run`: `events` and `fills` (structured arrays), `equity` (float64, currency, one value a row), `latches`
    (LATCH rows: breakers that have tripped).
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
        self.timeline = timeline
        self.instruments = list(instruments)
        self.strategy = strategy
        timeline.row_type(strategy.bar_fields())  # refuses a field that does not exist before anything is done
        self.currency = currency
        world = instruments, timeline, cash, currency, costs, limits, dues or {}, margin, rates, collateral, settling
        self.state = State(*world, owners=owners, latency=latency)
        self.symbols = [instrument.name for instrument in instruments]
        self._handle = self.state.handle
        self._signal = self.state.signal.view(np.uint8).data
        self._alarms = self.state.breakers.view(np.int64).data
        self._index = {symbol: i for i, symbol in enumerate(self.symbols)}
        self.journal = journal
        self._row = -1
        self._wake = 0
        self._timers = Timers((), 0)
        self._positions: dict[tuple[int, int], Position] = {}
        self._seen_fills = 0
        self._tells_fills = type(strategy).on_fill is not Strategy.on_fill
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.latches = np.zeros(0, LATCH)
        self._commands: list[Command] = []
        self._steps = [steps_of(row) for row in self.state.instruments]
        strategy.desk = self

    # -- the loop -----------------------------------------------------------------------------------------------

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
            at = f"bar {self._row}" if self._row >= 0 else "start"
            symbol = ""
            if self._row >= 0:
                symbol = self.symbols[int(self.timeline.times[SYMBOL][self._row])]
                at = f"{symbol} bar {self._row}, known at {iso(self.now_us)}"
            name = type(self.strategy).__name__
            remedy = "The traceback is in the system log; the journal holds everything up to this bar"
            missing = getattr(error, "name", None) if isinstance(error, AttributeError) else None
            if self.strategy.fields is not None and missing in self.timeline.kind.__struct_fields__:
                remedy = f"Add '{missing}' to {name}.fields, which names the only fields that its bars have"
            raise StrategyError(
                f"{name} raised {type(error).__name__} on {at}: {error}",
                remedy=remedy,
                strategy=name,
                row=self._row,
                symbol=symbol,
            ) from error

    # -- the desk -----------------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """When the last bar was handed to the strategy, µs UTC; before the first bar, its open."""
        return int(time_at(self._handle, self._row))

    def submit(
        self,
        symbol: str,
        side: Side,
        quantity: float,
        type: OrderType = OrderType.MARKET,
        price: float = 0.0,
        *,
        reduce_only: bool = False,
        parent: int = 0,
        tag: int = 0,
        protect: float = 0.0,
        terms: Terms | None = None,
    ) -> int:
        """See `ports.Desk.submit`. Raises StrategyError for what cannot be an order: a price that is no number …"""
        index = self._index.get(symbol, -1)
        if index < 0:
            index = self.index_of(symbol)
        way, kind = _SIDES.get(side, 0), _TYPES.get(type, -1)
        if way == 0 or kind < 0:
            raise self._refuse(symbol, f"side {side!r} and type {type!r} are no order's")
        if parent and kind == _MARKET:
            raise self._refuse(symbol, "an order with a parent may not be at market: it would wait for nothing")
        _, _, lot_num, lot_den = self._steps[index]
        lots = quantity * lot_den / lot_num * FORGIVEN + 1e-6
        if not 0.0 <= lots < 9e18:
            raise self._refuse(symbol, f"quantity {quantity} is not a number ≥ 0")
        ticks = 0
        if kind in (_LIMIT, _STOP):
            # A limit is rounded away from the market, a trigger too: never better for us than was asked.
            ticks = self._ticks(index, price, -way if kind == _LIMIT else way)
        row, reduces = self._row, 1 if reduce_only else 0
        guard = self._ticks(index, protect, -way) if protect else 0
        if terms is None and kind <= _STOP:
            handle, whole = self._handle, int(lots)
            while (order := submit(handle, row, index, way, kind, whole, ticks, reduces, parent, tag, guard)) == FLUSH:
                self._make_room()
        else:
            instrument, steps = self.instruments[index], self._steps[index]
            said = fields_of(terms or NO_TERMS, type, way, price, instrument, steps, self.now_us)
            if terms is not None and terms.close_position and lots >= 1:
                raise self._refuse(symbol, "a close-position order takes what is held: give it the quantity 0")
            said |= {"reduce_only": reduces | said["closes"], "parent": parent, "tag": tag, "protect": guard}
            while (free := draft(self._handle, index, way, kind, int(lots))) == FLUSH:
                self._make_room()
            for name, value in said.items():
                self.state.orders[name][free] = value
            order = send(self._handle, free, row)
        if order and not parent:
            self._wake = row + 1
        return order

    def follow(self, symbol: str, signal: Signal) -> int:
        """See `ports.Desk.follow`. Raises StrategyError for a signal that cannot be acted on."""
        index, state = self.index_of(symbol), self.state
        _PACK_SIGNAL(self._signal, 0, *signal)
        while True:
            done = follow(self._handle, self._row, index)
            if done != FLUSH:
                break
            self._make_room()
        if done != IDLE:
            if done < 0:
                raise fault(done, symbol, self.now_us, float(self.timeline.prices[CLOSE][self._row]), signal)
            self._positions.clear()
            if state.positions[index]["wake"]:
                self._wake = self._row + 1
        return int(state.following[index]["expiry"])

    def cancel(self, order_id: int) -> bool:
        """See `ports.Desk.cancel`."""
        return self._cancel(order_id, Reason.BY_STRATEGY, Event.CANCEL)

    def amend(
        self, order_id: int, *, quantity: float = 0.0, price: float = 0.0, trigger: float = 0.0, trail: float = 0.0
    ) -> bool:
        """See `ports.Desk.amend`."""
        found = next((order for order in self._orders() if order["id"] == order_id), None)
        if found is None:
            return False
        index, side = int(found["symbol"]), int(found["side"])
        lots = self._steps[index].lots(quantity)
        limit = self._ticks(index, price, -side) if price else 0
        wake = self._ticks(index, trigger, side) if trigger else 0
        distance = self._ticks(index, trail, 1) if trail else 0
        if found["trail_rate"]:
            distance = round(trail * RATE_SCALE / 100)
        return self._change(order_id, (lots, limit, wake, distance))

    def _change(self, order_id: int, changes: tuple[int, int, int, int]) -> bool:
        """Let a working order be changed: its lots, limit, trigger and trail, 0 for what stays."""
        while (done := amend(self._handle, order_id, self._row, *changes)) == FLUSH:
            self._flush()
        if done:
            self._wake = self._row + 1
            self._positions.clear()
        return bool(done)

    def _ticks(self, index: int, price: float, worse: int) -> int:
        """`price` in ticks, between two the one that is worse for `worse`. Raises StrategyError if it is no price."""
        if not 0.0 < price < 1e15:
            raise self._refuse(self.symbols[index], f"price {price} is not a number > 0")
        return self._steps[index].ticks(price, worse)

    def working(self, symbol: str) -> list[Order]:
        """See `ports.Desk.working`."""
        index, orders = self.index_of(symbol), self._orders()
        if not len(orders):
            return []
        steps = self._steps[index]
        return [
            Order(
                id=int(order["id"]),
                symbol=symbol,
                side=int(order["side"]),
                type=int(order["type"]),
                status=int(order["status"]),
                lots=int(order["lots"]),
                filled=int(order["filled"]),
                price_ticks=int(order["price"] or order["trigger"]),
                quantity=steps.quantity(int(order["lots"])),
                price=steps.price(int(order["price"] or order["trigger"])),
                trigger=steps.price(int(order["trigger"])),
                reduce_only=bool(order["reduce_only"]),
                parent=int(order["parent"]),
                tag=int(order["tag"]),
            )
            for order in orders
            if order["symbol"] == index
        ]

    def _orders(self) -> np.ndarray:
        """The ORDER rows that work, as far as the strategy knows."""
        return self.state.orders[: self.state.counters[_ORDERS]]

    def position(self, symbol: str, side: int = 0) -> Position:
        """See `ports.Desk.position`. The same object until a fill or an order changes it."""
        key = (self.index_of(symbol), side)
        found = self._positions.get(key)
        if found is None:
            found = self._positions[key] = Position(*position_of(self._handle, *key))
        return found

    def account_equity(self) -> float:
        """Equity at the last bar, in the account's currency."""
        settle(self._handle, self._row + 1)
        return float(self.state.account[0]["equity"] / self.state.scale)

    def account(self) -> Account:
        """See `ports.Desk.account`."""
        equity = self.account_equity()
        money, scale = self.state.account[0], self.state.scale
        amounts = {name: float(money[name]) / scale for name in ("cash", "realised", "fees", "funding", "carry")}
        return Account(currency=self.currency, equity=equity, **amounts)

    def index_of(self, symbol: str) -> int:
        """Index of `symbol`. Raises StrategyError with the closest name."""
        try:
            return self._index[symbol]
        except KeyError:
            raise StrategyError(f"The run has no symbol '{symbol}'", remedy=suggest(str(symbol), self._index)) from None

    # -- what is left after a run -------------------------------------------------------------------------------

    @property
    def events(self) -> np.ndarray:
        """All ORDER_EVENT rows so far."""
        return np.concatenate([np.zeros(0, ORDER_EVENT), *(events for events, _, _ in self._parts)])

    @property
    def fills(self) -> np.ndarray:
        """All FILL rows so far."""
        return np.concatenate([np.zeros(0, FILL), *(fills for _, fills, _ in self._parts)])

    @property
    def verdicts(self) -> np.ndarray:
        """All VERDICT rows so far: what the risk gate said of orders that were to open."""
        return np.concatenate([np.zeros(0, VERDICT), *(verdicts for _, _, verdicts in self._parts)])

    @property
    def equity(self) -> np.ndarray:
        """Equity after each row of the timeline, in the account's currency (a bar's row counts at its ts_event)."""
        return np.asarray(self.state.equity / self.state.scale)

    # -- inner matters ------------------------------------------------------------------------------------------

    def _cancel(self, order_id: int, reason: Reason, event: Event) -> bool:
        while True:
            done = cancel(self._handle, order_id, self._row, int(reason), int(event))
            if done != FLUSH:
                break
            self._make_room()
        if done:
            self._positions.clear()
        return bool(done)

    def _make_room(self) -> None:
        """Make sure that what is about to happen has room in the kernels' buffers."""
        self._flush()
        if self.state.counters[_ORDERS] + MOST_ORDERS > len(self.state.orders):
            self.state.grow_orders()
        self.state.make_room()

    def _flush(self) -> None:
        """Empty the kernels' buffers into the journal and our own record."""
        events, fills, verdicts = self.state.drain()
        self._seen_fills = 0
        if len(latches := self.state.take_latches()):
            self.latches = np.concatenate([self.latches, latches])
            if self.journal is not None:
                self.journal.rows("latch", latches)
        if len(events) or len(fills) or len(verdicts):  # a signal to be out of nothing is a verdict and no more
            self._parts.append((events, fills, verdicts))
            if self.journal is not None:
                self.journal.rows("verdict", verdicts)
                self.journal.rows("order", events)
                self.journal.rows("fill", fills)

    def _prove(self) -> None:
        state = self.state
        if state.account[0]["overflow"] == 2:
            raise LedgerError("An order left its life cycle: a bug in the matching kernels")
        prove([fills for _, fills, _ in self._parts], state.positions, state.account, state.instruments)

    def _refuse(self, symbol: str, what: str) -> StrategyError:
        return refused(symbol, self.now_us, what)

    def _fill(self, fill: np.void) -> Fill:
        index = int(fill["symbol"])
        return read_fill(fill, self.symbols[index], self._steps[index], self.state.scale)


# Members as plain integers: by a table they come in a third of the time that `int` takes.
_SIDES, _TYPES = {side: int(side) for side in Side}, {kind: int(kind) for kind in OrderType}
_MARKET, _LIMIT, _STOP = int(OrderType.MARKET), int(OrderType.LIMIT), int(OrderType.STOP)
