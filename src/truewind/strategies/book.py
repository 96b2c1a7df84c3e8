"""Strategies on an order book: callbacks for what is heard, and the desk on which orders are made."""

from typing import NamedTuple, Protocol

from truewind.domain.order import TimeInForce


class BookTrade(NamedTuple):
    """A trade that was heard. side: +1 the buyer was the aggressor."""

    ts_event: int
    ticks: int
    lots: int
    side: int


class BookReport(NamedTuple):
    """What became of an order. kind: an `execution.simulated.book_state.Report`. ts: at the venue.

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
    """A working order as far as is known. is_settled: it rests and nothing of it is in flight."""

    id: int
    side: int
    ticks: int
    lots: int
    filled: int
    tag: int
    is_settled: bool


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
        """Lots held, signed, by the fills that are known."""
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
        tag: int = 0,
    ) -> int:
        """Send a limit order (GTC, IOC or FOK). Its id, or 0: no order can be so, too many requests, risk gate."""
        ...

    def market(self, side: int, lots: int, tag: int = 0) -> int:
        """Send a market order; as `limit`."""
        ...

    def cancel(self, order_id: int) -> bool:
        """Ask the venue to cancel; False if no such order is known to work."""
        ...

    def amend(self, order_id: int, ticks: int, lots: int) -> bool:
        """Ask the venue for another price or total quantity; False as for `cancel`."""
        ...


class BookStrategy:
    """Base of strategies on an order book. Only callbacks that a subclass defines are called.

    timer_us: how often `on_timer` is called, from the first event on.
    """

    timer_us: int = 0
    desk: BookDesk

    def on_book(self) -> None:
        """A message changed the book."""

    def on_trade(self, trade: BookTrade) -> None:
        """A trade was heard."""

    def on_report(self, report: BookReport) -> None:
        """The venue reported of an order: accepted, filled, refused …"""

    def on_timer(self) -> None:
        """`timer_us` have passed."""
