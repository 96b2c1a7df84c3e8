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
    number: int
    symbol: int
    side: int
    kind: str
    lots: int
    price: int
    reduce: bool
    parent: int
    sent: int
    state: str = "sent"  # held, sent, working, then one of filled, cancelled, expired, rejected
    since: int = -1


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
        rows = [(bar[0] + m.step, -m.step, s, bar) for s, m in enumerate(self.markets) for bar in m.bars]
        rows.sort(key=lambda row: row[:3])
        for self.row, (event, _, symbol, bar) in enumerate(rows):
            self.bar_happens(symbol, bar, event)
            self.now = event
            self.act(self, self.row)
        for order in self.orders.values():
            if order.state in ("held", "sent", "working"):
                self.end(order, "expired")

    # -- what a strategy may do ---------------------------------------------------------------------------------

    def send(self, symbol: int, side: int, kind: str, lots: int, price: int, reduce: bool, parent: int = 0) -> int:
        number = len(self.orders) + 1
        state = "held" if parent else "sent"
        self.orders[number] = Order(number, symbol, side, kind, lots, price, reduce, parent, self.now, state)
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
        for order in list(self.orders.values()):
            if order.symbol != symbol:
                continue
            if order.state == "sent" and order.sent <= opened and order.sent + self.costs.latency < event:
                order.state, order.since = "working", self.row
            if order.state == "working":
                beyond = (at_open - order.price) * order.side
                if order.kind == "market" or (order.kind == "stop" and beyond >= 0):
                    self.fill(order, at_open)
                elif order.kind == "limit" and (beyond < 0 or (beyond == 0 and self.costs.touch)):
                    self.fill(order, at_open, maker=order.since < self.row)
        self.pay_funding(symbol, at_open, lambda ts: ts < event)
        self.walk_range(symbol, at_open, high, low)
        for order in self.orders.values():
            if order.symbol == symbol and order.reduce and order.state == "working" and held.lots * order.side >= 0:
                self.end(order, "expired")
        held.price = close
        self.equity_path.append(self.equity())

    def walk_range(self, symbol: int, at_open: int, high: int, low: int) -> None:
        held, opened_inside = self.held[symbol], False

        def first(kind: str) -> Order | None:
            found = []
            for order in self.orders.values():
                if order.symbol == symbol and order.state == "working" and order.kind == kind:
                    upwards = (order.side > 0) == (kind == "stop")
                    past = high - order.price if upwards else order.price - low
                    if past > 0 or (past == 0 and (kind == "stop" or self.costs.touch)):
                        found.append((abs(order.price - at_open), order.number, order))
            if kind == "limit" and opened_inside:
                found = [item for item in found if item[2].side * held.lots >= 0]
            return min(found)[2] if found else None

        while True:
            stop = first("stop")
            end = self.where_liquidated(symbol, at_open, high, low)
            if end is not None and (stop is None or abs(end - at_open) <= abs(stop.price - at_open)):
                self.liquidate(symbol, end)
                continue
            order = stop or first("limit")
            if order is None:
                return
            before = held.lots
            self.fill(order, order.price, maker=order.kind == "limit")
            after = held.lots
            # Opened or added: there is more on the order's side than there was.
            if max(0, after * order.side) > max(0, before * order.side):
                opened_inside = True

    # -- executions ---------------------------------------------------------------------------------------------

    def fill(self, order: Order, at: int, *, maker: bool = False) -> None:
        symbol, side, held = order.symbol, order.side, self.held[order.symbol]
        market = self.markets[symbol]
        reducible = abs(held.lots) if held.lots * side < 0 else 0
        lots = min(order.lots, reducible) if order.reduce else order.lots
        if lots == 0:
            self.end(order, "expired")
            return
        price = at if maker else at + side * ceil(Fraction(at * self.costs.half_spread, RATE))
        if order.kind == "limit" and (price - order.price) * side > 0:
            price = order.price
        price = max(price, 1)
        if lots > reducible and not (market.can_short or held.lots + side * lots >= 0):
            self.end(order, "rejected")
            return
        if lots > reducible and not self.affordable(symbol, held.lots + side * lots, price):
            self.end(order, "rejected")
            return
        fee_rate = self.costs.maker if maker else self.costs.taker
        self.book(symbol, "trade", side, price, lots, fee_rate, maker, order.number)
        order.state = "filled" if lots == order.lots else "expired"
        for child in self.orders.values():
            if child.parent == order.number and child.state == "held":
                child.state, child.since, child.lots = "working", self.row, min(child.lots, lots)
                if child.kind == "stop" and (at - child.price) * child.side > 0:
                    child.price = at  # triggered the moment it arrives, at the market of that moment

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
