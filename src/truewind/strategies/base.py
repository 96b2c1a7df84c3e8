"""What every strategy is: an object with callbacks, or a pure `decide(row, position, params)`.

Both run unchanged in backtest, paper and live: they see bars and fills, and act through the desk that the
engine gives them. Nothing here knows which mode it is in.
"""

import importlib
import importlib.machinery
import importlib.util
import inspect
import keyword
import sys
from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

from truewind.config import Settings, parse
from truewind.domain.account import Account
from truewind.domain.fill import Fill
from truewind.domain.market import Trade
from truewind.domain.order import Order, OrderType, Side, Terms
from truewind.domain.ports import Desk
from truewind.domain.position import Position
from truewind.domain.signal import Signal, Want, nearer
from truewind.errors import ConfigError, StrategyError, suggest
from truewind.strategies import catalogue
from truewind.strategies.fitted import Fitted
from truewind.strategies.sizing import SizingSettings

Decide = Callable[[Any, Position, Any], Signal]


class Strategy:
    """Base of strategies that work with callbacks.

    Declare parameters as a `Params` settings class and the features to read in `features()`; each feature is then
    a field of the bar. Orders take quantities in base units (rounded down to lots) and return the order's id, or 0
    if the risk gate denied them. Bars are known at their close; the earliest fill is on the next bar.

    book: in runs on an order book the live view of it (`engine.on_book.Book`), in all callbacks; else None.

    timer_us: how often `on_timer` is called: at its whole multiples since 1970 UTC, 3_600_000_000 on the hour.

    wakes_on: name of a field of the bar; `on_bar` is then called only where it is neither 0 nor NaN, and the bars in
    between pass in compiled code.

    fields: names of the fields of a bar (or trade) that are read, beside its features; the others are not made, which
    is what most of a run's time goes into, and asking for them raises AttributeError. Left out: all are there.

    reasons: what its tags and the reasons of its signals stand for, as reports name them; left out: the IntEnum called
    `Why` or `Reason` of the file that it stands in.
    """

    book: Any = None
    timer_us: int = 0
    wakes_on: str | None = None
    fields: Sequence[str] | None = None
    files: Sequence[Path] = ()  # what it reads besides, whose content is part of a run's identity
    fitted: Fitted | None = None  # what was learned from data and decides with it, part of a run's identity
    reasons: type[IntEnum] | None = None

    class Params(Settings):
        """No parameters."""

    def __init__(self, **params: Any) -> None:
        self.params: Any = parse(self.Params, params, f"parameters of {type(self).__name__}")
        self.sizing = SizingSettings()
        self.desk: Desk

    def features(self) -> Mapping[str, str] | Sequence[str]:
        """Features to compute on every bar: specs, or field name → spec. {"fast": "ema(10)"} gives `bar.fast`."""
        return ()

    def bar_fields(self) -> Sequence[str] | None:
        """The fields that every bar (or trade) must have beside its features; None: all."""
        return self.fields

    def reason(self, tag: int) -> str:
        """What a tag, or the reason of a signal, stands for in words; "" if the strategy does not say."""
        reasons = self.reasons or _reasons_of(type(self).__module__)
        known = {int(each): each.name.lower().replace("_", " ") for each in reasons} if reasons else {}
        return known.get(tag, "")

    def on_start(self) -> None:
        """Before the first bar."""

    def on_bar(self, bar: Any) -> None:
        """A bar has closed."""

    def on_trade(self, trade: Trade) -> None:
        """A trade was printed (in runs on trades)."""

    def on_book(self, book: Any) -> None:
        """A message changed the order book (in runs on a book); see `engine.on_book.Book`."""

    def on_fill(self, fill: Fill) -> None:
        """An order of ours was filled; comes before the `on_bar` of the bar in which it happened."""

    def on_timer(self) -> None:
        """`timer_us` have passed: after all that was received by then, before what comes later."""

    def on_stop(self) -> None:
        """After the last bar."""

    def buy(self, quantity: float, **how: Any) -> int:
        """Buy `quantity`; see `order`."""
        return self.order(Side.BUY, quantity, **how)

    def sell(self, quantity: float, **how: Any) -> int:
        """Sell `quantity`; see `order`."""
        return self.order(Side.SELL, quantity, **how)

    def order(
        self,
        side: Side,
        quantity: float,
        *,
        symbol: str | None = None,
        limit: float | None = None,
        stop: float | None = None,
        touch: float | None = None,
        stop_loss: float | None = None,
        take_profit: float | None = None,
        reduce_only: bool = False,
        tag: int = 0,
        **terms: Any,
    ) -> int:
        """Send an order: at market, at a `limit`, or with a trigger; its id, or 0 if the risk gate denied it.

        stop: trigger at which it becomes a market order (with `limit`: a limit order) when the price goes against it;
        touch: the same when the price goes in its favour (take-profit). symbol: may be left out if the run has only
        one. stop_loss, take_profit: prices of protective orders that are sent when this one fills. tag: the
        strategy's own number, kept with order and fills. terms: as in `domain.order.Terms` (trail, trail_percent,
        activation, tif, expires_us, post_only, group).
        """
        desk = self.desk
        if symbol is None:
            symbol = self._only_symbol()
        if stop is None and touch is None and not terms:
            kind, price = (OrderType.MARKET, 0.0) if limit is None else (OrderType.LIMIT, limit)
            order_id = desk.submit(
                symbol, side, quantity, kind, price, reduce_only=reduce_only, tag=tag, protect=stop_loss or 0.0
            )
        else:
            trails = "trail" in terms or "trail_percent" in terms
            if sum((trails, stop is not None, touch is not None)) > 1 or (trails and limit is not None):
                raise StrategyError(
                    f"{symbol}: an order has one of stop, touch and trail, and a trail has no limit",
                    remedy="Send several orders, each with one of them",
                    symbol=symbol,
                )
            kind = _kind(limit, stop, touch, trails)
            trigger = stop if stop is not None else touch
            price = limit if limit is not None else trigger or 0.0
            order_id = desk.submit(
                symbol, side, quantity, kind, price, reduce_only=reduce_only, tag=tag, protect=stop_loss or 0.0,
                terms=Terms(trigger=trigger or 0.0, **terms),
            )  # fmt: skip
        if order_id and (stop_loss is not None or take_profit is not None):
            exits = [(OrderType.STOP, stop_loss), (OrderType.LIMIT, take_profit)]
            self._protect(symbol, side, quantity, order_id, exits, tag)
        return order_id

    def amend(self, order_id: int, **changes: float) -> bool:
        """Change quantity, price, trigger or trail of a working order; False if it works no more or was denied."""
        return self.desk.amend(order_id, **changes)

    def close(self, symbol: str | None = None, *, tag: int = 0) -> int:
        """Close the position at market; 0 if there is none."""
        symbol = symbol or self._only_symbol()
        quantity = self.desk.position(symbol).quantity
        if quantity == 0.0:
            return 0
        side = Side.SELL if quantity > 0.0 else Side.BUY
        return self.desk.submit(symbol, side, abs(quantity), reduce_only=True, tag=tag)

    def cancel(self, order_id: int) -> bool:
        """Withdraw an order; False if it does not work any more."""
        return self.desk.cancel(order_id)

    def cancel_all(self, symbol: str | None = None) -> None:
        """Withdraw all working orders of `symbol`."""
        for order in self.desk.working(symbol or self._only_symbol()):
            self.desk.cancel(order.id)

    def working(self, symbol: str | None = None) -> list[Order]:
        """Orders that are on their way, held or resting."""
        return self.desk.working(symbol or self._only_symbol())

    def position(self, symbol: str | None = None) -> Position:
        """The position as of now."""
        return self.desk.position(symbol or self._only_symbol())

    @property
    def account(self) -> Account:
        """The account as of now."""
        return self.desk.account()

    def _only_symbol(self) -> str:
        symbols = self.desk.symbols
        if len(symbols) > 1:
            raise StrategyError(f"Name a symbol: the run has {', '.join(symbols)}", remedy="Pass symbol=bar.symbol")
        return symbols[0]

    def _protect(
        self,
        symbol: str,
        side: Side,
        quantity: float,
        parent: int,
        exits: Sequence[tuple[OrderType, float | None]],
        tag: int,
    ) -> None:
        for kind, price in exits:
            if price is not None:
                away = Side(-side)
                self.desk.submit(symbol, away, quantity, kind, price, reduce_only=True, parent=parent, tag=tag)


def _kind(limit: float | None, stop: float | None, touch: float | None, trails: bool) -> OrderType:
    """The type of an order by what it was given."""
    if trails:
        return OrderType.TRAILING_STOP
    if stop is not None:
        return OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    if touch is not None:
        return OrderType.TAKE_PROFIT if limit is None else OrderType.TAKE_PROFIT_LIMIT
    return OrderType.MARKET if limit is None else OrderType.LIMIT


class SignalStrategy(Strategy, ABC):
    """A strategy given as a pure `decide(row, position, params) -> Signal`; this class turns signals into orders.

    A signal says which position is wanted. It acts when it changes: a side that is repeated bar after bar enters
    once, and is not entered again after its stop, target or horizon until the signal has been something else in
    between. An entry that has not filled by its horizon is withdrawn. While a position is held, a signal for its side
    whose stop is nearer to the market than the working one moves that stop there: a stop that is given anew on each
    bar trails, and never gives way.

    To act: all working orders of the symbol are withdrawn, whatever is held on the other side is turned (with a limit
    entry: closed first), and the exits go out as children of the entry: one stop for all, even parts to the targets,
    and to the farthest the rest. Where the wanted side is held already, the exits protect what is held.
    """

    @staticmethod
    @abstractmethod
    def decide(row: Any, position: Position, params: Any) -> Signal:
        """The wanted position, from a closed bar with its features, the position held, and the parameters' values."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        fields = {name: getattr(self.params, name) for name in type(self.params).model_fields}
        # A plain tuple of numbers: what compiled code takes too.
        self.values: Any = _tuple_of(tuple(fields))(**fields)
        # Per symbol: the side of the last signal, and when its horizon ends.
        self._followed: dict[str, tuple[int, int]] = {}

    def bar_fields(self) -> Sequence[str] | None:
        return None if self.fields is None else (*self.fields, "symbol", "ts_event")

    def on_bar(self, bar: Any) -> None:
        position = self.desk.position(bar.symbol)
        signal = self.decide(bar, position, self.values)
        side, expiry = self._followed.get(bar.symbol, _NOTHING)
        # Most bars say nothing new; asking the desk costs more than these comparisons.
        wanted, stop, held = signal[0], signal[3], position[0]
        moves = stop == stop and wanted == held and nearer(stop, wanted, held, position[3])
        if moves or wanted != side or bar.ts_event >= expiry:
            self._followed[bar.symbol] = wanted, self.desk.follow(bar.symbol, signal)


_NOTHING = (int(Want.HOLD), 1 << 63)


@cache
def _tuple_of(names: tuple[str, ...]) -> Any:
    return namedtuple("Params", names)


def load(path: str, params: Mapping[str, Any]) -> Strategy:
    """The strategy at `path` (see `locate`), built with `params`.

    Name is a Strategy class, or a function `decide(row, position, params)`; the function's own attribute `features`
    (names or name → spec) is what it reads, and `fields` as in Strategy. Raises ConfigError if there is no such thing.
    """
    found = locate(path)
    if inspect.isclass(found) and issubclass(found, Strategy):
        if inspect.isabstract(found):
            raise ConfigError(f"{path} has no decide of its own", remedy="Name a class that has one")
        return found(**params)
    if inspect.isfunction(found):
        return _from_function(found, params)
    raise no_strategy(path)


def no_strategy(path: str) -> ConfigError:
    """The error for what stands at `path`, and can decide nothing."""
    return ConfigError(
        f"{path} is neither a strategy class nor a decide function",
        remedy="Name a subclass of truewind.Strategy, or a function of (row, position, params)",
    )


def locate(path: str) -> Any:
    """What stands at `path`: "package.module:Name", "folder/file.py:Name", the short name of a built-in strategy, or a
    file that has one strategy. Raises ConfigError if nothing does.
    """
    if path.isidentifier():
        path = catalogue.path_of(path)
    module_name, colon, name = path.rpartition(":")
    if not colon:
        if path.endswith(".py"):
            return catalogue.strategy_in(_import(path))
        raise ConfigError(
            f"'{path}' names no strategy",
            remedy=f"Write package.module:Name, file.py:Name, or one of {', '.join(catalogue.names())}",
        )
    module = _import(module_name)
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, value in vars(module).items() if inspect.isclass(value) or inspect.isfunction(value)]
        raise ConfigError(f"{module_name} has no '{name}'", remedy=suggest(name, known))
    return found


def _reasons_of(module_name: str) -> type[IntEnum] | None:
    """The IntEnum `Why` or `Reason` that a strategy's file defines."""
    module = sys.modules.get(module_name)
    for name in ("Why", "Reason"):
        found = getattr(module, name, None)
        if inspect.isclass(found) and issubclass(found, IntEnum) and found.__module__ == module_name:
            return found
    return None


def _from_function(decide: Decide, params: Mapping[str, Any]) -> Strategy:
    for name in params:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or hasattr(Settings, name):
            raise ConfigError(f"strategy.params: '{name}' cannot be the name of a parameter", remedy="Choose another")
    reads, shown = getattr(decide, "features", ()), getattr(decide, "fields", None)
    fields = {"__annotations__": {key: type(value) for key, value in params.items()}, **params}
    settings = type("Params", (Settings,), {**fields, "__module__": decide.__module__})
    members = {
        "decide": staticmethod(decide), "Params": settings, "features": lambda self: reads,
        "fields": shown, "__module__": decide.__module__,
    }  # fmt: skip
    made: SignalStrategy = type(decide.__name__, (SignalStrategy,), members)()
    return made


def _import(module_name: str) -> Any:
    """The module of that name, or the one in that file. Raises ConfigError if it cannot be found or does not run."""
    try:
        if not module_name.endswith(".py"):
            return importlib.import_module(module_name)
        file = Path(module_name).resolve()
        name = f"truewind_user_{file.stem}"  # of its own, so that a file called random.py shadows nothing
        loader = importlib.machinery.SourceFileLoader(name, str(file))
        module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=str(file)))
        module.__file__ = str(file)
        sys.modules[name] = module
        loader.exec_module(module)
        return module
    except FileNotFoundError:
        raise ConfigError(f"No strategy file {module_name}", remedy="Check the path", path=module_name) from None
    except Exception as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(
            f"The strategy's module {module_name} cannot be imported: {type(error).__name__}{line}: {error}",
            remedy="Check strategy.path, or mend the module",
        ) from error
