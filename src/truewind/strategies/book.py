"""Strategies on an order book: callbacks for what is heard, and the desk on which orders are made."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from truewind.config import Settings, parse
from truewind.domain.order import TimeInForce, TriggerSource
from truewind.errors import ConfigError
from truewind.strategies.base import Strategy, locate


class BookTrade(NamedTuple):
    """A trade that was heard. side: +1 the buyer was the aggressor."""

    ts_event: int
    ticks: int
    lots: int
    side: int


class BookReport(NamedTuple):
    """What became of an order. kind: a `domain.book.Report`. ts: at the venue.

    lots, ticks: of a fill, else the order's. filled: lots of the order that are filled by now. reason: a `Reason`.
    """

    ts: int
    kind: int
    order: int
    side: int
    ticks: int
    lots: int
    filled: int
    maker: int
    reason: int
    tag: int


class BookOrder(NamedTuple):
    """A working order as far as is known. ticks: 0 at market.

    is_settled: it works at the venue and nothing of it is in flight. trigger: of a stop or take-profit order, else 0.
    """

    id: int
    side: int
    ticks: int
    lots: int
    filled: int
    tag: int
    is_settled: bool
    trigger: int


class BookDesk(Protocol):
    """What a strategy may ask and do. Prices in ticks, quantities in lots, times in µs; a missing price is 0."""

    @property
    def now_us(self) -> int: ...
    @property
    def best_bid(self) -> int: ...
    @property
    def best_ask(self) -> int: ...
    @property
    def position(self) -> int:
        """Lots held, signed, by the fills that are known; in hedge mode of both sides together."""
        ...

    def held(self, side: int) -> int:
        """The same of the long (+1) or the short side (−1), 0 if that is not held."""
        ...

    def displayed(self, side: int, ticks: int) -> int:
        """Lots displayed at a price; side: +1 bids, −1 asks."""
        ...

    def working(self) -> list[BookOrder]:
        """Copies of the orders that are not known to have ended, oldest first."""
        ...

    def limit(
        self,
        side: int,
        ticks: int,
        lots: int,
        tif: TimeInForce = TimeInForce.GTC,
        *,
        post_only: bool = False,
        reduce_only: bool = False,
        shown: int = 0,
        expires_us: int = 0,
        parent: int = 0,
        group: int = 0,
        stop_loss: int = 0,
        take_profit: int = 0,
        tag: int = 0,
    ) -> int:
        """Send a limit order. Its id, or 0: no order can be so, too many requests, risk gate.

        shown: lots that it displays at once (an iceberg, spot only), 0 for all. expires_us: UTC, for GTD.
        parent: id of the order that must fill before this one goes to work. group: a number of the strategy's own;
        orders of one group cancel each other when one of them fills. stop_loss, take_profit: ticks of protective
        orders (a stop, and a limit order as target) that go to work for what this one has filled.
        """
        ...

    def market(
        self,
        side: int,
        lots: int,
        tag: int = 0,
        *,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        stop_loss: int = 0,
        take_profit: int = 0,
    ) -> int:
        """Send a market order; as `limit`."""
        ...

    def stop(
        self,
        side: int,
        trigger: int,
        lots: int,
        ticks: int = 0,
        *,
        trigger_by: TriggerSource = TriggerSource.LAST,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        stop_loss: int = 0,
        take_profit: int = 0,
        tag: int = 0,
    ) -> int:
        """Send an order that comes to the market once the price goes against it to its trigger; ticks: its limit, or 0.

        trigger_by: whose price that is. The venue rejects the order if the price is there already.
        """
        ...

    def take_profit(
        self,
        side: int,
        trigger: int,
        lots: int,
        ticks: int = 0,
        *,
        trigger_by: TriggerSource = TriggerSource.LAST,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        tag: int = 0,
    ) -> int:
        """As `stop`, once the price goes in its favour."""
        ...

    def trailing_stop(
        self,
        side: int,
        lots: int,
        *,
        trail: int = 0,
        trail_percent: float = 0.0,
        activation: int = 0,
        trigger_by: TriggerSource = TriggerSource.LAST,
        reduce_only: bool = False,
        parent: int = 0,
        group: int = 0,
        tag: int = 0,
    ) -> int:
        """Send a stop whose trigger follows the best price `trail` ticks, or a percentage of that price, behind it.

        activation: the price from which it does so, 0 for at once.
        """
        ...

    def cancel(self, order_id: int) -> bool:
        """Ask the venue to cancel; False if no such order is known to work."""
        ...

    def amend(self, order_id: int, ticks: int = 0, lots: int = 0, *, trigger: int = 0, trail: int = 0) -> bool:
        """Ask the venue for another price, total quantity, trigger or trailing distance; 0 keeps what the order has.

        False as for `cancel`, or if the risk gate denies it. trail: in ticks, or 1e-8 of the price if it was sent so.
        """
        ...


class BookStrategy:
    """Base of strategies on an order book. Only callbacks that a subclass defines are called.

    Declare parameters as a `Params` settings class. timer_us: how often `on_timer` is called, from the first event on.

    decide: the same strategy for machine code, if it has such a face: a kernel `decide(wake, lane, memory)` that is
    called at each of `wakes` (bits of `engine.book_loop`; the timer's comes whenever timer_us is not 0), with what
    `memory` made of the parameters.
    """

    timer_us: int = 0
    decide: Callable[[int, int, Any], None] | None = None
    wakes: int = 0
    desk: BookDesk

    class Params(Settings):
        """No parameters."""

    def __init__(self, **params: Any) -> None:
        self.params: Any = parse(self.Params, params, f"parameters of {type(self).__name__}")

    def memory(self) -> np.ndarray:
        """The array that `decide` reads its parameters from, and keeps what it must remember in."""
        return np.zeros(1)

    def called(self) -> frozenset[str]:
        """The callbacks that a subclass defines."""
        names = ("on_book", "on_trade", "on_report", "on_fill", "on_timer")
        return frozenset(name for name in names if getattr(type(self), name) is not getattr(BookStrategy, name))

    def first_timer_us(self, start_us: int) -> int:
        """When the first timer is due in a run that starts at `start_us`."""
        return start_us + self.timer_us

    def on_start(self) -> None:
        """Before the first event."""

    def on_book(self) -> None:
        """A message changed the book."""

    def on_trade(self, trade: BookTrade) -> None:
        """A trade was heard."""

    def on_report(self, report: BookReport) -> None:
        """The venue reported of an order: accepted, filled, refused …"""

    def on_fill(self, report: BookReport) -> None:
        """Of the reports those of fills, after `on_report`; the desk's position has it already."""

    def on_timer(self) -> None:
        """`timer_us` have passed."""

    def on_stop(self) -> None:
        """After the last event."""


def load_book(path: str, params: Mapping[str, Any]) -> BookStrategy | Strategy:
    """The strategy for an order book at `path`, "package.module:Name" or "folder/file.py:Name". Raises ConfigError."""
    found = locate(path)
    if not (inspect.isclass(found) and issubclass(found, BookStrategy | Strategy)) or inspect.isabstract(found):
        raise ConfigError(
            f"{path} is no BookStrategy, nor a Strategy with callbacks, of which a run on an order book needs one",
            remedy="Name a subclass of truewind.strategies.book.BookStrategy or truewind.Strategy, or run on bars",
        )
    return found(**params)
