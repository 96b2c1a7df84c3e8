"""A venue with an order book, written from the rules (docs/order-books.md) and not from the code: plain dictionaries.

It knows nothing of keys, marks or buffers: every order is looked at whenever something happens. Queues are
conservative: what is cancelled stood behind us. What it and the order-book lane agree on was worked out twice.
"""

from dataclasses import dataclass, field
from typing import Any

BUY, SELL = 1, -1


@dataclass
class Order:
    """ticks: the limit, 0 of a market order; trigger: of a stop, 0 of others."""

    number: int
    side: int
    ticks: int
    lots: int
    trigger: int = 0
    tif: str = "gtc"
    post_only: bool = False
    reduce_only: bool = False
    filled: int = 0
    ahead: int = 0
    state: str = "sent"  # waits, triggered, rests; then filled, or (how, why)

    def reaches(self, ticks: int) -> bool:
        """Whether it may trade at a price."""
        return self.ticks == 0 or (self.ticks - ticks) * self.side >= 0


@dataclass
class NaiveVenue:
    """self_trade: expire_taker, expire_maker or expire_both. whole: a resting order that is reached fills whole."""

    self_trade: str
    whole: bool
    shown: dict[int, dict[int, int]] = field(default_factory=lambda: {BUY: {}, SELL: {}})
    taken: dict[tuple[int, int], int] = field(default_factory=dict)  # by (side, price): what is gone for us
    orders: dict[int, Order] = field(default_factory=dict)
    resting: list[Order] = field(default_factory=list)  # in the order of their queues
    fills: list[tuple[int, int, int, int, bool]] = field(default_factory=list)  # time, order, lots, price, as maker
    position: int = 0
    last: int = 0
    now: int = 0
    todo: list[tuple[Any, ...]] = field(default_factory=list)  # at this moment, one after the other

    # -- what happens ---------------------------------------------------------------------------------------------

    def arrive(self, ts: int, requests: list[tuple[Any, ...]]) -> None:
        self.now, self.todo = ts, list(requests)
        self.work_off()

    def level(self, ts: int, side: int, ticks: int, lots: int) -> None:
        """So many lots are displayed from now on."""
        self.now = ts
        self.shown[side].pop(ticks, None)
        if lots:
            self.shown[side][ticks] = lots
        for order in self.resting:
            if (order.side, order.ticks) == (side, ticks):
                order.ahead = min(order.ahead, lots)
        if (side, ticks) in self.taken:
            self.taken[side, ticks] = min(self.taken[side, ticks], lots)
        self.meet()
        self.work_off()

    def trade(self, ts: int, side: int, ticks: int, lots: int) -> None:
        """Somebody bought (or sold) at a price: what rests on the other side there, or is better, has its share."""
        self.now, self.last = ts, ticks
        left = lots
        for order in self.by_price(-side):
            beyond = (ticks - order.ticks) * side
            if beyond < 0:
                continue
            reach = left if beyond > 0 else left - order.ahead
            if beyond == 0:
                order.ahead = max(0, order.ahead - left)
            if reach <= 0:
                continue
            wanted = self.wanted(order)
            if wanted == 0:
                self.end(order, "EXPIRED", "NOTHING_TO_REDUCE")
                continue
            got = wanted if self.whole else min(wanted, reach)
            left -= 0 if self.whole else got
            self.fill(order, got, order.ticks, maker=True)
        self.meet()
        self.wake()
        self.work_off()

    def meet(self) -> None:
        """What rests and is reached by what the other side displays takes of it, at its own price."""
        for mine in (BUY, SELL):
            for order in self.by_price(mine):
                if order.state != "rests" or not self.prices(-mine) or not order.reaches(self.prices(-mine)[0]):
                    continue
                wanted = self.wanted(order)
                if wanted == 0:
                    self.end(order, "EXPIRED", "NOTHING_TO_REDUCE")
                    continue
                lots = wanted if self.whole else sum(n for _, n in self.take(-mine, wanted, order.reaches))
                if lots:
                    self.fill(order, lots, order.ticks, maker=True)

    def wake(self) -> None:
        for order in self.orders.values():
            if order.state == "waits" and self.last and (self.last - order.trigger) * order.side >= 0:
                order.state = "triggered"
                self.todo.append(("come", order.number))

    # -- requests -------------------------------------------------------------------------------------------------

    def work_off(self) -> None:
        while self.todo:
            what, number, *how = self.todo.pop(0)
            order = self.orders.get(number)
            if what == "new":
                self.orders[number] = order = Order(number, **how[0])
                self.enter(order)
            elif what == "come" and order.state == "triggered":
                self.admit(order)
            elif what == "tidy":
                for other in self.orders.values():
                    if other.state == "rests" and other.reduce_only and self.wanted(other) == 0:
                        self.end(other, "EXPIRED", "NOTHING_TO_REDUCE")
            elif what in ("cancel", "amend") and order is not None and order.state in ("rests", "waits", "triggered"):
                if what == "cancel":
                    self.end(order, "CANCELLED", "BY_STRATEGY")
                else:
                    self.amend(order, **how[0])

    def enter(self, order: Order) -> None:
        if not order.trigger:
            self.admit(order)
        elif self.last and (self.last - order.trigger) * order.side >= 0:
            self.end(order, "REJECTED", "WOULD_TRIGGER")
        else:
            order.state = "waits"

    def refusal(self, order: Order) -> str | None:
        opposite = self.prices(-order.side)
        if order.post_only and opposite and order.reaches(opposite[0]):
            return "WOULD_TAKE"
        if order.reduce_only and self.wanted(order) == 0:
            return "REDUCE_ONLY"
        return None

    def admit(self, order: Order) -> None:
        reason = self.refusal(order)
        if reason:
            self.end(order, "REJECTED", reason)
        else:
            self.match(order)

    def amend(self, order: Order, ticks: int, lots: int, trigger: int) -> None:
        lots = lots or order.lots
        if lots <= order.filled:
            self.end(order, "CANCELLED", "BY_STRATEGY")
            return
        if order.state == "waits":
            order.lots, order.trigger = lots, trigger or order.trigger
            order.ticks = (ticks or order.ticks) if order.ticks else 0
            self.wake()
            return
        ticks = ticks or order.ticks
        if ticks == order.ticks and lots <= order.lots:
            order.lots = lots
            return
        before = order.ticks, order.lots
        order.ticks, order.lots = ticks, lots
        reason = self.refusal(order)
        if reason == "WOULD_TAKE":
            self.end(order, "CANCELLED", reason)
            return
        if reason:
            order.ticks, order.lots = before
            return
        if order in self.resting:
            self.resting.remove(order)
        self.match(order)

    # -- matching -------------------------------------------------------------------------------------------------

    def match(self, order: Order) -> None:
        """Take what may be taken; before a price at which an order of ours rests, one of the two ends, or both."""
        other = -order.side
        wanted = self.wanted(order)
        if order.tif == "fok":
            mine = self.own_best(other) if self.self_trade != "expire_maker" else None
            there = sum(
                self.free(other, at) for at in self.prices(other) if order.reaches(at) and before(order.side, at, mine)
            )
            if there < wanted:
                self.end(order, "EXPIRED", "NOT_FILLED_AT_ONCE")
                return
        while True:
            mine = self.own_best(other)
            for at, lots in self.take(
                other, wanted, lambda at, m=mine: order.reaches(at) and before(order.side, at, m)
            ):
                self.fill(order, lots, at, maker=False)
                wanted -= lots
            if wanted == 0 or mine is None or not order.reaches(mine):
                break
            if self.self_trade != "expire_taker":
                for own in [o for o in self.resting if o.side == other and o.ticks == mine]:
                    self.end(own, "EXPIRED", "SELF_TRADE")
            if self.self_trade != "expire_maker":
                self.end(order, "EXPIRED", "SELF_TRADE")
                return
        if order.filled == order.lots:
            return
        if order.reduce_only and self.wanted(order) == 0:
            self.end(order, "EXPIRED", "NOTHING_TO_REDUCE")
        elif order.ticks == 0:
            self.end(order, "EXPIRED", "NO_LIQUIDITY")
        elif order.tif != "gtc":
            self.end(order, "EXPIRED", "TIME_IN_FORCE")
        else:
            order.state, order.ahead = "rests", self.shown[order.side].get(order.ticks, 0)
            self.resting.append(order)

    def take(self, side: int, wanted: int, may: Any) -> list[tuple[int, int]]:
        """Price and lots, from the best on, of what is displayed and not taken yet: it is from now on."""
        found = []
        for at in self.prices(side):
            lots = min(wanted, self.free(side, at))
            if lots > 0 and may(at):
                self.taken[side, at] = self.taken.get((side, at), 0) + lots
                wanted -= lots
                found.append((at, lots))
        return found

    def fill(self, order: Order, lots: int, price: int, *, maker: bool) -> None:
        self.fills.append((self.now, order.number, order.side * lots, price, maker))
        self.position += order.side * lots
        order.filled += lots
        if order.filled == order.lots:
            self.end(order, "FILLED", "NONE")
        if ("tidy", 0) not in self.todo:
            self.todo.append(("tidy", 0))

    def end(self, order: Order, how: str, why: str) -> None:
        order.state = (how, why)
        if order in self.resting:
            self.resting.remove(order)

    # -- what there is --------------------------------------------------------------------------------------------

    def prices(self, side: int) -> list[int]:
        return sorted(self.shown[side], reverse=side == BUY)

    def free(self, side: int, at: int) -> int:
        return self.shown[side][at] - self.taken.get((side, at), 0)

    def by_price(self, side: int) -> list[Order]:
        """Our orders of a side, the best price first, at one price the older first."""
        return sorted((order for order in self.resting if order.side == side), key=lambda order: -side * order.ticks)

    def own_best(self, side: int) -> int | None:
        mine = self.by_price(side)
        return mine[0].ticks if mine else None

    def wanted(self, order: Order) -> int:
        left = order.lots - order.filled
        return min(left, max(0, -order.side * self.position)) if order.reduce_only else left


def before(side: int, at: int, mine: int | None) -> bool:
    """Whether one who buys (or sells) comes to price `at` before the price of an order of ours."""
    return mine is None or (mine - at) * side > 0
