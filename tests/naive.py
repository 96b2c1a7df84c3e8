"""A second simulator, written from the rules and not from the code: plain Python, exact fractions, one long loop.

It knows nothing of bounds, buffers or quiet bars: every bar is walked through, every order is looked at. What it and
the engine agree on was worked out twice.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

RATE = 10**8
UNITS = 10**8  # ledger units in one USDT


class TieError(Exception):
    """Two amounts are too near to each other for floats to tell them apart: no test can be made of that."""


def rounded(x: Fraction) -> int:
    """Half away from zero."""
    whole = int(abs(x) + Fraction(1, 2))
    return whole if x >= 0 else -whole


def ceil(x: Fraction) -> int:
    return -((-x.numerator) // x.denominator)


@dataclass
class Market:
    tick: Fraction
    lot: Fraction
    can_short: bool
    step: int
    bars: list[tuple[int, int, int, int, int]]  # ts, then open, high, low, close in ticks
    funding: list[tuple[int, int, int]] = field(default_factory=list)  # ts, rate in 1e-8, mark in ticks or 0
    index: list[tuple[int, int, int, int]] = field(default_factory=list)  # open, high, low, close of each bar
    volume: list[int] = field(default_factory=list)  # lots that may be taken of each bar; all there are if empty

    def worth(self, ticks: Fraction | int, lots: int) -> Fraction:
        return Fraction(ticks) * lots * self.tick * self.lot * UNITS


@dataclass
class Costs:
    maker: int = 0
    taker: int = 0
    half_spread: int = 0
    latency: int = 0
    touch: bool = False
    maintenance: int = 0
    liquidation_fee: int = 0
    leverage: int = 20


@dataclass
class Order:
    """kind: market, limit, stop, touch (a take-profit), stop_limit. price: the limit, or the trigger of one without."""

    number: int
    symbol: int
    side: int
    kind: str
    lots: int
    price: int
    reduce: bool
    parent: int
    sent: int
    trigger: int = 0
    by_index: bool = False
    tif: str = "gtc"
    group: int = 0
    asked: int = 0
    filled: int = 0
    met: int = 0  # where it trades at once, since its parent found the market beyond it
    state: str = "sent"  # held, sent, working, then one of filled, cancelled, expired, rejected
    triggered: bool = False
    since: int = -1  # the row in which it arrived
    inside: int = -1  # the row inside which it was triggered

    def __post_init__(self) -> None:
        self.asked = self.lots
        if self.kind in ("stop", "touch"):
            self.trigger = self.price

    @property
    def waits(self) -> bool:
        return self.kind in ("stop", "touch", "stop_limit") and not self.triggered

    @property
    def rests(self) -> bool:
        return self.kind == "limit" or (self.kind == "stop_limit" and self.triggered)

    @property
    def rising(self) -> bool:
        """Whether its trigger is reached from below."""
        return (self.side > 0) != (self.kind == "touch")


@dataclass
class Held:
    lots: int = 0
    cost: int = 0
    price: Fraction | int = 0
    due: int = 0


class Naive:
    """`act(self, row)` is called at the close of each row and may call `send` and `cancel`."""

    def __init__(self, markets: list[Market], cash: int, costs: Costs, act: Any) -> None:
        self.markets, self.cash, self.costs, self.act = markets, cash, costs, act
        self.held = [Held() for _ in markets]
        self.orders: dict[int, Order] = {}
        self.fills: list[tuple[Any, ...]] = []
        self.equity_path: list[Fraction] = []
        self.now = 0

    def run(self) -> None:
        rows = [(bar[0] + m.step, -m.step, s, i) for s, m in enumerate(self.markets) for i, bar in enumerate(m.bars)]
        rows.sort(key=lambda row: row[:3])
        for self.row, (event, _, symbol, i) in enumerate(rows):
            market = self.markets[symbol]
            self.bar = market.bars[i][1:]
            self.index = market.index[i] if market.index else self.bar
            self.left = market.volume[i] if market.volume else 10**18
            self.bar_happens(symbol, market.bars[i], event)
            self.now = event
            self.act(self, self.row)
        for order in self.orders.values():
            if order.state in ("held", "sent", "working"):
                self.end(order, "expired")

    # -- what a strategy may do ---------------------------------------------------------------------------------

    def send(
        self, symbol: int, side: int, kind: str, lots: int, price: int, reduce: bool, parent: int = 0, **more: Any
    ) -> int:
        number = len(self.orders) + 1
        state = "held" if parent else "sent"
        self.orders[number] = Order(
            number, symbol, side, kind, lots, price, reduce, parent, self.now, state=state, **more
        )
        return number

    def cancel(self, number: int) -> None:
        order = self.orders[number]
        if order.state in ("held", "sent", "working"):
            self.end(order, "cancelled")

    # -- the bar ------------------------------------------------------------------------------------------------

    def bar_happens(self, symbol: int, bar: tuple[int, ...], event: int) -> None:
        opened, at_open, high, low, close = bar
        held = self.held[symbol]
        held.price = at_open
        self.pay_funding(symbol, at_open, lambda ts: ts <= opened)
        if self.where_liquidated(symbol, at_open, at_open, at_open) is not None:
            self.liquidate(symbol, at_open)
        coming = []
        for order in list(self.orders.values()):
            if order.symbol == symbol:
                if order.state == "sent" and order.sent <= opened and order.sent + self.costs.latency < event:
                    coming.append(order)
                else:
                    self.meet_open(order)
        for order in coming:
            if order.state != "sent":
                continue
            if order.sent + self.costs.latency > opened:
                self.pay_funding(symbol, at_open, lambda ts, until=order.sent + self.costs.latency: ts <= until)
            order.state, order.since = "working", self.row
            self.meet_open(order)
            for child in self.orders.values():
                if child.parent == order.number:
                    self.meet_open(child)
        self.pay_funding(symbol, at_open, lambda ts: ts < event)
        self.walk_range(symbol, at_open, high, low)
        for order in self.orders.values():
            if order.symbol == symbol and order.reduce and order.state == "working" and held.lots * order.side >= 0:
                self.end(order, "expired")
                self.end_parent(order)
        held.price = close
        self.equity_path.append(self.equity())

    def meet_open(self, order: Order) -> None:
        """The bar opens: what is reached by then, or at market, is executed at the open."""
        if order.state != "working":
            return
        at = self.bar[0]
        fresh = False
        if order.waits:
            seen = self.index[0] if order.by_index else at
            if (seen >= order.trigger) if order.rising else (seen <= order.trigger):
                order.triggered = fresh = True
                if not order.rests:
                    self.fill(order, at)
        elif not order.rests:
            self.fill(order, at)
        if order.state == "working" and order.rests:
            beyond = (order.price - at) * order.side
            if beyond > 0 or (beyond == 0 and self.costs.touch):
                self.fill(order, at, maker=order.since < self.row and not fresh)
        if order.tif != "gtc" and order.state == "working" and not order.waits:
            self.end(order, "expired")

    def walk_range(self, symbol: int, at_open: int, high: int, low: int) -> None:
        """Stops and liquidation first, the nearest to its open first; then what is in favour."""
        held, opened_inside = self.held[symbol], False

        def nearest(against: bool) -> tuple[int, int, Order] | None:
            found = []
            for order in self.orders.values():
                if order.symbol != symbol or order.state != "working":
                    continue
                if order.met and order.since == self.row and not against:
                    found.append((0, order.number, order))
                    continue
                start = at_open
                if order.waits:
                    if (order.kind == "touch") == against:
                        continue
                    start, top, bottom = self.index[:3] if order.by_index else (at_open, high, low)
                    price = order.trigger
                    reached = top >= price if order.rising else bottom <= price
                elif order.rests and not against and self.left > 0 and order.inside != self.row:
                    price = order.price
                    past = price - low if order.side > 0 else high - price
                    reached = past > 0 or (past == 0 and self.costs.touch)
                else:
                    continue
                if reached and not (not against and opened_inside and order.side * held.lots < 0):
                    found.append((abs(price - start), order.number, order))
            return min(found) if found else None

        while True:
            stop = nearest(True)
            end = self.where_liquidated(symbol, at_open, high, low)
            if end is not None and (stop is None or abs(end - at_open) <= stop[0]):
                self.liquidate(symbol, end)
                continue
            chosen = stop or nearest(False)
            if chosen is None:
                return
            before = held.lots
            self.act_inside(chosen[2])
            side = chosen[2].side
            # Opened or added: there is more on the order's side than there was.
            if max(0, held.lots * side) > max(0, before * side):
                opened_inside = True

    def act_inside(self, order: Order) -> None:
        """The price of an order was reached inside the bar."""
        if order.met:
            at, order.met = order.met, 0
            order.triggered = True
            self.fill(order, at)
        elif order.waits:
            order.triggered, order.inside = True, self.row
            at = min(max(order.trigger, self.bar[2]), self.bar[1]) if order.by_index else order.trigger
            if not order.rests or (order.price - at) * order.side >= 0:
                self.fill(order, at)
        else:
            self.fill(order, order.price, maker=True)
        if order.tif != "gtc" and order.state == "working":
            self.end(order, "expired")

    # -- executions ---------------------------------------------------------------------------------------------

    def fill(self, order: Order, at: int, *, maker: bool = False) -> None:
        symbol, side, held = order.symbol, order.side, self.held[order.symbol]
        market = self.markets[symbol]
        wanted = order.lots - order.filled
        reducible = abs(held.lots) if held.lots * side < 0 else 0
        allowed = min(wanted, reducible) if order.reduce else wanted
        if allowed == 0:
            self.end(order, "expired")
            self.end_parent(order)
            return
        lots = min(allowed, self.left)
        if lots < allowed and order.tif == "fok":
            self.end(order, "expired")
        if lots == 0 or order.state != "working":
            return
        price = at if maker else at + side * ceil(Fraction(at * self.costs.half_spread, RATE))
        if order.rests and (price - order.price) * side > 0:
            price = order.price
        price = max(price, 1)
        refused = "rejected" if order.filled == 0 else "expired"
        if lots > reducible and not (market.can_short or held.lots + side * lots >= 0):
            self.end(order, refused)
            return
        if lots > reducible and not self.affordable(symbol, held.lots + side * lots, price):
            self.end(order, refused)
            return
        fee_rate = self.costs.maker if maker else self.costs.taker
        self.book(symbol, "trade", side, price, lots, fee_rate, maker, order.number)
        self.left -= lots
        order.filled += lots
        if lots == wanted:
            order.state = "filled"
        for child in self.orders.values():
            if child.parent == order.number:
                self.wake(child, order, at)
        if order.state == "working" and order.reduce and lots == reducible:
            self.end(order, "expired")
        for other in self.orders.values():
            same = order.group and other is not order and other.group == order.group
            if same and other.state in ("held", "sent", "working"):
                self.end(other, "cancelled")
        self.end_parent(order)

    def wake(self, child: Order, parent: Order, at: int) -> None:
        """A part of the parent was filled at `at`: exits work for as much as it has, what opens once it has all."""
        grown = min(child.asked, parent.filled) if child.reduce else child.asked
        if child.state == "working" and child.reduce:
            child.lots = max(child.lots, grown)
        if child.state != "held":
            return
        if parent.state != "filled" and (not child.reduce or self.held[child.symbol].lots * child.side >= 0):
            return
        child.state, child.since, child.lots = "working", self.row, grown
        seen = min(max(at, self.index[2]), self.index[1]) if child.by_index else at
        if child.kind == "limit":
            beyond = (child.price - at) * child.side
            if beyond > 0 or (beyond == 0 and self.costs.touch):
                child.met = at
        elif (seen > child.trigger) if child.rising else (seen < child.trigger):
            child.trigger = seen  # triggered the moment it arrives, at the market of that moment
            child.met = at if child.kind == "touch" else 0

    def end_parent(self, order: Order) -> None:
        """An exit was executed, or is over: what is left of its entry is withdrawn."""
        parent = self.orders.get(order.parent)
        if parent is not None and parent.state in ("held", "sent", "working"):
            self.end(parent, "cancelled")

    def end(self, order: Order, how: str) -> None:
        order.state = how
        for child in self.orders.values():
            if child.parent == order.number and child.state == "held":
                child.state = "cancelled"

    def affordable(self, symbol: int, lots: int, price: int) -> bool:
        needed = sum(
            abs(self.markets[s].worth(price, lots) if s == symbol else self.markets[s].worth(h.price, h.lots))
            for s, h in enumerate(self.held)
        )
        return self.compare(needed, self.costs.leverage * self.equity()) <= 0

    def where_liquidated(self, symbol: int, at_open: int, high: int, low: int) -> int | None:
        """The price in ticks at which the position is taken away within this bar; None if it is not."""
        held, market = self.held[symbol], self.markets[symbol]
        if held.lots == 0 or not market.can_short:
            return None
        rate = Fraction(self.costs.maintenance, RATE)
        elsewhere = sum(
            abs(self.markets[s].worth(h.price, h.lots))
            for s, h in enumerate(self.held)
            if s != symbol and h.lots and self.markets[s].can_short
        )
        now = self.equity()

        def spare(price: Fraction | int) -> Fraction:
            moved = market.worth(price - held.price, held.lots)
            return now + moved - rate * (abs(market.worth(price, held.lots)) + elsewhere)

        if self.compare(spare(high if held.lots < 0 else low), 0) > 0:
            return None
        if self.compare(spare(at_open), 0) <= 0:
            return at_open
        # spare is linear in the price
        slope = spare(Fraction(at_open + 1)) - spare(at_open)
        exact = at_open - spare(at_open) / slope
        if 0 < abs(exact - round(exact)) < Fraction(1, 10**4):
            raise TieError
        return exact.numerator // exact.denominator if held.lots > 0 else ceil(exact)

    def liquidate(self, symbol: int, at: int) -> None:
        for order in self.orders.values():
            if order.state in ("held", "sent", "working"):
                self.end(order, "cancelled")
        lots = self.held[symbol].lots
        side = -1 if lots > 0 else 1
        price = max(1, max(1, at) + side * ceil(Fraction(max(1, at) * self.costs.half_spread, RATE)))
        wanted = rounded(
            Fraction(rounded(self.markets[symbol].worth(price, abs(lots))) * self.costs.liquidation_fee, RATE)
        )
        alone = all(h.lots == 0 for s, h in enumerate(self.held) if s != symbol)
        self.book(symbol, "liquidation", side, price, abs(lots), 0, False, 0)
        fee = min(wanted, max(0, self.cash)) if alone else wanted
        self.cash -= fee
        self.fills[-1] = (*self.fills[-1][:8], fee, self.fills[-1][9])
        if alone and self.cash < 0:
            self.fills.append((self.row, 0, symbol, "insurance", -1, price, 0, False, 0, -self.cash))
            self.cash = 0

    def pay_funding(self, symbol: int, at_open: int, due: Any) -> None:
        held, market = self.held[symbol], self.markets[symbol]
        while held.due < len(market.funding) and due(market.funding[held.due][0]):
            _, rate, mark = market.funding[held.due]
            held.due += 1
            if held.lots and rate:
                price = mark or at_open
                paid = rounded(Fraction(rounded(market.worth(price, abs(held.lots))) * rate, RATE))
                paid = paid if held.lots > 0 else -paid
                self.cash -= paid
                self.fills.append(
                    (self.row, 0, symbol, "funding", 1 if held.lots > 0 else -1, price, 0, False, 0, -paid)
                )

    def book(
        self, symbol: int, kind: str, side: int, price: int, lots: int, rate: int, maker: bool, number: int
    ) -> None:  # fmt: skip
        held = self.held[symbol]
        notional = rounded(self.markets[symbol].worth(price, lots))
        closing = min(lots, abs(held.lots)) if held.lots * side < 0 else 0
        realised = 0
        added = notional
        if closing:
            released = rounded(Fraction(held.cost * closing, abs(held.lots)))
            proceeds = rounded(Fraction(notional * closing, lots))
            realised = -side * proceeds - released
            held.cost -= released
            added = notional - proceeds
        held.cost += side * added
        held.lots += side * lots
        fee = rounded(Fraction(notional * rate, RATE))
        self.cash += realised - fee
        self.fills.append((self.row, number, symbol, kind, side, price, lots, maker, fee, realised))

    def equity(self) -> Fraction:
        return self.cash + sum(
            (self.markets[s].worth(h.price, h.lots) - h.cost for s, h in enumerate(self.held) if h.lots), Fraction(0)
        )

    @staticmethod
    def compare(a: Fraction, b: Fraction | int) -> int:
        if 0 < abs(a - b) < UNITS // 10**4 or (a == b != 0):
            raise TieError
        return (a > b) - (a < b)
