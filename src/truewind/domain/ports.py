"""Ports: what one room asks of another without knowing who answers."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from truewind.domain.account import Account
from truewind.domain.order import Order, OrderType, Side, Terms
from truewind.domain.position import Position
from truewind.domain.signal import Signal

# Who is told how far something has come: what is being done, how much of it, of how much (0: nobody knows).
Progress = Callable[[str, int, int], None]


class Clock(Protocol):
    """Who is asked for the time: the system's clock live, a simulated one in backtests."""

    def now_us(self) -> int: ...


class Journal(Protocol):
    """Where decisions and facts are written before anyone acts on them. Append-only."""

    def record(self, kind: str, /, **facts: Any) -> None: ...

    def rows(self, kind: str, array: np.ndarray) -> None: ...


class Desk(Protocol):
    """What a strategy may do and see; the engine answers, in every mode."""

    @property
    def symbols(self) -> Sequence[str]: ...

    @property
    def now_us(self) -> int: ...

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
        """Send an order; its id, or 0 if the risk gate denied it. quantity in base units is rounded down to lots.

        price: the limit, or the trigger of an order that has no limit. protect: the price of the stop that will
        protect what it opens, by which the risk gate judges what can be lost; 0 if there will be none.
        """

    def amend(
        self, order_id: int, *, quantity: float = 0.0, price: float = 0.0, trigger: float = 0.0, trail: float = 0.0
    ) -> bool:
        """Change a working order, 0 keeps what it has; False if it works no more or the risk gate denied it.

        trail: a trailing stop's distance, in percent if it was sent so; it holds at once, from the best price so far.
        """

    def follow(self, symbol: str, signal: Signal) -> int:
        """Bring the position of `symbol` to what `signal` wants (`SignalStrategy` tells how); its horizon's end, µs."""

    def cancel(self, order_id: int) -> bool:
        """Withdraw a working order; False if it does not work any more."""

    def working(self, symbol: str) -> list[Order]:
        """The symbol's orders that are on their way, held or resting, oldest first."""

    def position(self, symbol: str, side: int = 0) -> Position:
        """What is held of `symbol`; in hedge mode its long side (+1) or short side (-1), 0: the one that is held."""

    def account(self) -> Account: ...
