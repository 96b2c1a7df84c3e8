"""The compiled lane: the loop of `engine.engine` in machine code, for strategies given as a pure `decide`.

A small module is written for each `decide` (it stands in the cache folder, to be read and stepped through): its loop
walks the rows, calls `happen` where the event lane would, gives `decide` the same row, position and parameters, and
acts on its signals by the same `follow`. Only what Python costs is gone, so both lanes give equal orders, fills and
equity, to the last bit.

What machine code does not know (text such as `row.symbol`, objects, `print` …) the compiler refuses with its reason;
such a strategy runs in the event lane. Arithmetic alone differs, where Python would raise: a division by zero raises
here too, but the root of a negative number is NaN and an overflow infinity.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.market import Bar
from truewind.domain.position import Position
from truewind.domain.signal import Signal
from truewind.engine.acting import fault
from truewind.engine.engine import Engine, Progress
from truewind.engine.late import LateEngine, is_late
from truewind.engine.merge import CLOSE, SYMBOL, Timeline
from truewind.engine.portfolio import PortfolioEngine, Team
from truewind.engine.wire import WiredEngine
from truewind.errors import ConfigError, StrategyError, suggest
from truewind.execution.simulated.latency import AT_ONCE
from truewind.execution.simulated.lifecycle import FLUSH
from truewind.numerics.jit import KernelError, generated, refusals
from truewind.strategies import decide as deciding
from truewind.strategies.base import SignalStrategy, Strategy

WORTH_COMPILING = 100_000  # rows; fewer take the event lane less time than compiling does
_STRIDE = 1 << 18  # rows between two signs of progress
# Where the loop finds a bar's fields. `symbol` is text, which machine code does not take.
_TIMELINE = {"ts": "times[0][i]", "ts_event": "now", "ts_recv": "received[i]"} | {
    name: f"prices[{i}][i]" for i, name in enumerate(("open", "high", "low", "close"))
}
_OPTIONAL = [name for name in Bar.__struct_fields__ if name not in (*_TIMELINE, "symbol")]
# What is shown to `decide` of each position between two events.
HELD = np.dtype(
    [(name, np.int64 if kind is int else np.float64) for name, kind in Position.__annotations__.items()],
    align=True,
)


class Inputs(NamedTuple):
    """What a loop is called with besides the state: columns in the order of its source, and parameters by type."""

    columns: tuple[np.ndarray, ...]
    integers: np.ndarray
    floats: np.ndarray


def obstacle(strategy: Strategy) -> str:
    """Why `strategy` can run in the event lane only; "" if nothing is known that is in the way."""
    kind, base = type(strategy), SignalStrategy
    if not isinstance(strategy, SignalStrategy):
        return "it works with callbacks"
    if any(getattr(kind, name) is not getattr(base, name) for name in ("on_bar", "on_fill", "on_timer")):
        return "it overrides a callback of SignalStrategy"
    for owner in kind.__mro__:
        if "decide" in vars(owner):
            if not isinstance(vars(owner)["decide"], staticmethod):
                return "its decide is no static method"
            break
    for name, value in strategy.values._asdict().items():
        if not isinstance(value, int | float | str | None) and not _is_row(value):
            return f"its parameter {name} is neither a number, a tuple of floats nor text"
    return ""


def _is_row(value: object) -> bool:
    """Whether a parameter is a tuple of floats, of which machine code makes one that a loop can index."""
    return isinstance(value, tuple) and len(value) > 0 and all(isinstance(each, float) for each in value)


def compilable(strategy: Strategy) -> SignalStrategy:
    """`strategy`, for the compiled lane. Raises StrategyError with what is known to be in the way."""
    reason = obstacle(strategy)
    if not isinstance(strategy, SignalStrategy) or reason:
        raise _refusal(strategy, reason)
    return strategy


class Program:
    """The loop for a strategy and a set of columns, as machine code: made now, or taken from memory or the disk.

    Raises StrategyError with the reason if there can be none.
    """

    def __init__(self, strategy: Strategy, columns: tuple[str, ...], symbols: int) -> None:
        strategy = compilable(strategy)
        if strategy.wakes_on is not None and strategy.wakes_on not in columns:
            raise ConfigError(
                f"{type(strategy).__name__}.wakes_on names no field '{strategy.wakes_on}'",
                remedy=suggest(strategy.wakes_on, columns),
            )
        # Columns with a blank in their names are what sizing and risk rules read, and no fields of a row.
        self.strategy, self.columns = strategy, tuple(filter(str.isidentifier, columns))
        text = source(strategy, self.columns, symbols == 1)
        try:
            self.loop, self.trial = _compiled(strategy.decide, text, len(self.columns))
        except KernelError as error:
            raise _refusal(strategy, _reason(str(error))) from None

    def inputs(self, columns: Mapping[str, np.ndarray], values: Iterable[Any]) -> Inputs:
        """A timeline's `columns` and the parameters' `values` as the loop takes them."""
        numbers = [each for value in values for each in (value if isinstance(value, tuple) else (value,))]
        numbers = [value for value in numbers if not isinstance(value, str | None)]
        return Inputs(
            tuple(np.ascontiguousarray(columns[name], np.float64) for name in self.columns),
            np.array([value for value in numbers if not isinstance(value, float)], np.int64),
            np.array([value for value in numbers if isinstance(value, float)], np.float64),
        )


@cache
def _compiled(decide: Callable[..., Any], text: str, columns: int) -> tuple[Callable[..., Any], ...]:
    """`loop` and `trial` of the module `text`. Raises KernelError."""
    name = re.sub(r"\W+", "_", f"{decide.__module__}_{decide.__qualname__}")
    nothing, integers, held = np.zeros(0), np.zeros(0, np.int64), np.zeros(0, HELD)
    with refusals():
        module = generated(f"lane_{name}", text, {"decide": deciding.compiled(decide)})
        module.loop(0, 0, 0, (nothing,) * columns, integers, nothing, held, integers)
    return module.loop, module.trial


def source(strategy: SignalStrategy, columns: tuple[str, ...], alone: bool) -> str:
    """Python source of the loop for `strategy` over a timeline with these `columns`; alone: of one symbol only.

        loop(state, first, last, columns, integers, floats, held, at) -> row, done

    It walks rows `first` … `last` and returns at `last`, or at the row on which it needs help, with `follow`'s answer;
    called again for that row it goes on. held: HELD rows for its own use. at[0]: the row of the last decision.

        trial(state, rows, columns, integers, floats, held, at, counts, legs) -> done

    The same from the first to the last row, adding fills up and dropping records: see `engine.trials`.
    """
    fields = dict(_TIMELINE)
    for name in _OPTIONAL:
        fields[name] = f"column_{columns.index(name)}[i]" if name in columns else "nan"
    fields |= {name: f"column_{i}[i]" for i, name in enumerate(columns)}
    shown = strategy.bar_fields()
    if shown is not None:  # the others do not exist here either
        fields = {name: at for name, at in fields.items() if name in shown or name not in Bar.__struct_fields__}
    given = []
    integers = floats = 0
    for value in strategy.values:
        if isinstance(value, str | None):
            given.append(repr(value))
        elif isinstance(value, tuple):
            given.append("(" + "".join(f"floats[{floats + i}], " for i in range(len(value))) + ")")
            floats += len(value)
        elif isinstance(value, float):
            given.append(f"floats[{floats}]")
            floats += 1
        else:
            given.append(f"bool(integers[{integers}])" if isinstance(value, bool) else f"integers[{integers}]")
            integers += 1
    awake = "True"
    if strategy.wakes_on is not None:
        wanted = f"column_{columns.index(strategy.wakes_on)}[i]"
        awake = f"{wanted} != 0.0 and {wanted} == {wanted}"
    return _SOURCE.format(
        name=f"{strategy.decide.__module__}.{strategy.decide.__qualname__}",
        digest=deciding.digest(strategy.decide),
        row_fields=" ".join(fields),
        parameter_fields=" ".join(strategy.values._fields),
        columns="".join(f"\n    column_{i} = columns[{i}]" for i in range(len(columns))),
        parameters=", ".join(given),
        awake=awake,
        row=", ".join(fields.values()),
        # Of one symbol everything stays in registers between two events; of several it is looked up on each row.
        symbol_once="symbol = 0\n    " + _VIEW.replace("\n", "\n    ") if alone else "",
        symbol_each="" if alone else "symbol = times[2][i]",
        view=_VIEW.replace("\n", "\n            "),
        look_each="" if alone else _VIEW.replace("\n", "\n        "),
        view_after=_VIEW.replace("\n", "\n                ") if alone else "",
        signal="\n                ".join(f'signal["{field}"] = said[{i}]' for i, field in enumerate(Signal._fields)),
    )


_VIEW = """\
mine, before = held[symbol], following[symbol]
position = Position(mine["side"], mine["quantity"], mine["entry"], mine["stop"], mine["opened_us"], mine["risk"])
side, expiry = before["last"], before["expiry"]
bounds = bounds_of(positions[symbol])"""
_SOURCE = '''\
"""The compiled lane of {name}: made by truewind.engine.compiled, not to be edited.

Made of sources with the hash {digest}.
"""

from collections import namedtuple
from math import nan

from truewind.domain.position import Position
from truewind.engine.acting import DONE, nearer, position_of
from truewind.engine.linked import flatten, follow, happen, settle
from truewind.engine.trials import tally
from truewind.execution.simulated.latency import AT_ONCE
from truewind.execution.simulated.lifecycle import FLUSH
from truewind.execution.simulated.quiet import bounds_of, stirs
from truewind.numerics.jit import kernel
from truewind.numerics.memory import row
from truewind.portfolio.state import (
    account_of, breakers_of, following_of, marks_of, positions_of, prefetch_row, prices_of, received_of, signal_of,
    times_of,
)

Row = namedtuple("Row", "{row_fields}")
Params = namedtuple("Params", "{parameter_fields}")


@kernel(inline=True)
def look(state, symbol, held):
    mine = held[symbol]
    now = position_of(state, symbol, 0)
    mine["side"], mine["quantity"], mine["entry"], mine["stop"], mine["opened_us"], mine["risk"] = now


@kernel
def loop(state, first, last, columns, integers, floats, held, at):
    if first >= last:
        return last, 0
    times, prices, marks, positions = times_of(state), prices_of(state), marks_of(state), positions_of(state)
    received, money = received_of(state), account_of(state)
    marked, breakers = money["marked"], breakers_of(state)
    if breakers["alarm"] != 0 and money["settled"] > first and flatten(state, first) == FLUSH:
        return first, FLUSH  # there was no room for it when it tripped, on this row
    signal, following = signal_of(state), following_of(state){columns}
    params = Params({parameters})
    for symbol in range(len(positions)):
        look(state, symbol, held)
    {symbol_once}
    for k in range(first, last):
        i = row(k)
        now = times[1][i]
        {symbol_each}
        {look_each}
        if stirs(i, *bounds, times, prices, marks, marked) and money["settled"] <= k:
            if happen(state, k) == FLUSH:
                return k, FLUSH
            if breakers["alarm"] != 0 and flatten(state, k) == FLUSH:
                return k, FLUSH
            look(state, symbol, held)
            {view}
        if {awake}:
            at[0] = k
            said = decide(Row({row}), position, params)
            if said[0] != side or now >= expiry or nearer(said[3], said[0], position[0], position[3]):
                prefetch_row(state, k)
                {signal}
                done = follow(state, k, symbol)
                if done < 0:
                    return k, done
                if done == DONE:
                    look(state, symbol, held)
                {view_after}
    return last, 0


@kernel
def trial(state, rows, columns, integers, floats, held, at, counts, legs):
    money = account_of(state)
    k = 0
    while k < rows:
        k, done = loop(state, k, rows, columns, integers, floats, held, at)
        if done < 0 and (done != FLUSH or money["events"] + money["fills"] + money["verdicts"] == 0):
            return done
        tally(state, counts, legs)
    settle(state, rows)
    return 0
'''


class CompiledEngine(Engine):
    """An `Engine` whose loop is machine code; takes and leaves the same. Raises StrategyError if `decide` has none."""

    def __init__(self, timeline: Timeline, instruments: Any, strategy: Strategy, **settings: Any) -> None:
        super().__init__(timeline, instruments, strategy, **settings)
        if timeline.callback != "on_bar":
            raise _refusal(strategy, "it runs on trades, and decide takes bars")
        if timeline.wanted is not None:
            raise _refusal(strategy, "it decides on longer bars than it is matched on (data.inner_timeframe)")
        program = Program(strategy, tuple(timeline.columns), len(timeline.symbols))
        self._loop = program.loop
        self._inputs = program.inputs(timeline.columns, program.strategy.values)
        self._held = np.zeros(len(self.instruments), HELD)
        self._at = np.full(1, -1, np.int64)

    def _walk(self, progress: Progress) -> None:
        row, total = 0, len(self.timeline)
        while row < total:
            last = min(row + _STRIDE, total)
            while row < last:
                row = self._stretch(row, last)
            progress(row, total)

    def _stretch(self, first: int, last: int) -> int:
        """Run from row `first` on, to `last` or until the loop needs help; the row where it stands."""
        at = (first, FLUSH)

        def run() -> None:
            nonlocal at
            try:
                at = self._loop(self._handle, first, last, *self._inputs, self._held, self._at)
            finally:
                self._row = int(self._at[0])

        self._guard(run)
        row, done = at
        self._wake = row
        self._positions.clear()
        if done == FLUSH:
            self._make_room()
        elif done < 0:
            symbol = self.symbols[int(self.timeline.times[SYMBOL][row])]
            signal = Signal(*self.state.signal[0].item())
            raise fault(done, symbol, self.now_us, float(self.timeline.prices[CLOSE][row]), signal)
        return row


def build(lane: str, timeline: Timeline, instruments: Any, strategy: Strategy, **settings: Any) -> Engine:
    """The engine of a lane: "event", "compiled", or "auto", the compiled one if there can be one and it is worth it.

    Raises StrategyError if the compiled lane is asked for and the strategy cannot run there.
    """
    late = is_late(timeline, settings.get("latency", AT_ONCE))
    if late and (lane == "compiled" or isinstance(strategy, Team)):
        raise _refusal(strategy, "replies take time, or rows come out of order (latency.reply_ms, feed)")
    if late:
        return LateEngine(timeline, instruments, strategy, **settings)
    if isinstance(strategy, Team):
        return PortfolioEngine(timeline, instruments, strategy, **settings)
    if lane == "compiled" or (lane == "auto" and len(timeline) >= WORTH_COMPILING and not obstacle(strategy)):
        try:
            return CompiledEngine(timeline, instruments, strategy, **settings)
        except StrategyError:
            if lane == "compiled":
                raise
    kind = WiredEngine if timeline.callback == "on_trade" else Engine
    return kind(timeline, instruments, strategy, **settings)


def _refusal(strategy: Strategy, reason: str) -> StrategyError:
    name = type(strategy).__name__
    return StrategyError(
        f"{name} cannot run in the compiled lane: {reason}",
        remedy="Run it in the event lane (lane: event), where any Python runs, or mend its decide",
        strategy=name,
    )


def _reason(message: str) -> str:
    """The compiler's reason and the line that it is about, out of its long message."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", message)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Failed in nopython", "During:", "File ", "- ", ">>>", "^"))]
    places = [match for match in re.finditer(r'File "([^"]+)", line (\d+)', text) if "generated" not in match[1]]
    where = f" ({places[0][1].rpartition('/')[2]}, line {places[0][2]})" if places else ""
    return (said[0] if said else "the compiler refuses its decide").rstrip(":. ") + where
