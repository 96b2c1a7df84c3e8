"""One account's orders in one symbol, matched by the simulated venue as its market happens.

The kernels of the order-book lane (`execution.simulated`) are driven event by event: a backtest hands them a whole
tape, the exchange what has just happened. So a fill here is the fill that a backtest on the same market has. As there,
what we do moves nobody else: an order takes displayed lots once, trades beyond its place in the queue fill it, and
orders of two accounts do not meet.

Times in µs, prices in ticks, quantities in lots, money in ledger units.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.book import BOOK_EVENT, BookKind, Report
from truewind.domain.clock import NEVER
from truewind.domain.due import DUE
from truewind.domain.fill import FillKind
from truewind.domain.instrument import Instrument, Kind, filters_row, instrument_row
from truewind.domain.order import Event, OrderType, Reason, SelfTrade, Status, TimeInForce, TriggerSource
from truewind.engine import book_desk
from truewind.engine.book_loop import MORE_ROOM, STOPPED, learn, room_for, trade_market
from truewind.execution.simulated import book_arrivals as arrivals
from truewind.execution.simulated.book_margin import watch_margin
from truewind.execution.simulated.book_orders import find, finish, is_tied
from truewind.execution.simulated.book_state import MARK, VENUE, BookState, Request, Tape
from truewind.execution.simulated.book_triggers import INDEX
from truewind.execution.simulated.book_triggers import MARK as BY_MARK
from truewind.execution.simulated.latency import ROUND_TRIP, LatencySettings
from truewind.execution.simulated.liquidating import set_mark
from truewind.numerics.exact import to_ticks
from truewind.portfolio.ledger import book_funding
from truewind.portfolio.margin import Margin, MarginSettings
from truewind.risk.gate import RiskSettings

_CHUNK = 4096  # events that are handed to the kernels at once
_BURST = 256  # so that as many orders may work as any symbol of the venue allows
_FILLS = (Report.FILLED, Report.PARTIALLY_FILLED, Report.LIQUIDATED)
_EXECUTIONS = (FillKind.TRADE, FillKind.LIQUIDATION)


class Ticket(NamedTuple):
    """An order as the venue's matching takes it. ticks, trigger: 0 for none; trail: in 1e-8 of the price.

    leg: 1 for the short side in hedge mode. closes: when triggered it takes all that is held. reduces_when_triggered:
    it only reduces, which is not looked at before its trigger is reached. filled: lots that it had filled before.
    """

    side: int
    type: OrderType
    lots: int
    ticks: int = 0
    trigger: int = 0
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    source: TriggerSource = TriggerSource.LAST
    trail: int = 0
    activation: int = 0
    shown: int = 0
    expires: int = 0
    group: int = 0
    leg: int = 0
    closes: bool = False
    reduces_when_triggered: bool = False
    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER
    filled: int = 0


class Happening(NamedTuple):
    """One thing that happened to an order (id 0: to the position alone). kind: a Report, or None for a payment.

    lots, ticks: of a fill, else the order's. filled: of the order by now. fee, realised: ledger units, of fills and
    payments (`payment` tells which FillKind). position: lots of the leg after it.
    """

    kind: Report | None
    ts: int
    order: int
    side: int
    lots: int
    ticks: int
    filled: int
    maker: bool
    reason: int
    leg: int
    fee: int = 0
    realised: int = 0
    position: int = 0
    payment: int = -1


class Desk:
    """All that one account has at work in one symbol.

    margin: terms of this instrument alone, with its fees. futures: it has mark and index prices (given by `mark`), a
    margin, and liquidations; without, the account's money is looked after elsewhere (`wallet`), and the desk never
    lacks any.
    """

    def __init__(
        self, instrument: Instrument, margin: Margin, rates: tuple[int, int], ts: int, *, futures: bool
    ) -> None:
        self.instrument = instrument
        self._buffer = np.zeros(_CHUNK + 1, BOOK_EVENT)
        self._buffer[0] = (ts, ts, 0, 1, int(BookKind.CLEAR), 0, 1)
        known = np.zeros(int(futures), MARK)
        self._state = BookState(
            Tape(self._buffer),
            instrument_row(instrument),
            filters_row(instrument),
            margin,
            np.zeros(0, DUE),
            known,
            known.copy(),
            1,
            1,
            np.zeros(1, VENUE),
            rates,
            RiskSettings.unlimited().record(1.0),
            LatencySettings(model="constant", entry_ms=0, reply_ms=0).record(0),
            np.zeros(1, ROUND_TRIP),
            wakes=0,
            timer_us=0,
            sample_us=0,
            burst=_BURST,
        )
        self.handle = self._state.handle
        arrays = self._state.arrays
        self._lane, self.account, self.positions = arrays["lane"][0], arrays["account"][0], arrays["positions"]
        self.margins = arrays["margins"][0]
        self._lane["mark"] = self._lane["index"] = int(futures)
        self._lane["end"] = NEVER
        self._late: dict[int, Ticket] = {}  # orders that change as they are triggered, by id
        self._self_trade: dict[int, SelfTrade] = {}
        self.may_come: Callable[[int], bool] = lambda order_id: True  # whether a triggered order can be paid for
        if not futures:
            self._fund_without_end()

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return self._state.arrays

    def feed(self, events: np.ndarray) -> Iterator[Happening]:
        """Let the market happen: BOOK_EVENT rows by ts_event, none before what was fed already."""
        for start in range(0, len(events), _CHUNK):
            part = events[start : start + _CHUNK]
            self._buffer[: len(part)] = part
            self._buffer[len(part)]["ts_event"] = NEVER  # where the kernels stop
            self._lane["event"] = 0
            yield from self._run(int(part[-1]["ts_event"]))

    def until(self, ts: int) -> Iterator[Happening]:
        """Let time pass in which the market does nothing: orders may come to their end."""
        yield from self._run(ts)

    def has_due(self, ts: int) -> bool:
        """Whether something is to happen here by `ts` even if the market stands still."""
        lane = self._lane
        waits = lane["first_request"] < lane["last_request"]
        return bool(waits and self.arrays["requests"][lane["first_request"]]["ts"] <= ts)

    def place(self, ticket: Ticket, ts: int) -> tuple[int, list[Happening]]:
        """An order arrives: its id, and what that did. Id 0: there can be no such order, or too many work already."""
        handle, lane = self.handle, self._lane
        lane["now"], lane["sent"] = ts, 0
        book_desk.draft(handle, ticket.side, int(ticket.type), ticket.ticks, ticket.trigger, ticket.lots, 0)
        reduces = ticket.reduce_only or ticket.reduces_when_triggered
        flags = book_desk.POST_ONLY * ticket.post_only + book_desk.REDUCE_ONLY * reduces
        book_desk.terms(handle, int(ticket.tif), flags, ticket.shown, ticket.expires)
        book_desk.tie(handle, 0, ticket.group)
        book_desk.by(handle, int(ticket.source))
        if ticket.type is OrderType.TRAILING_STOP:
            book_desk.trail(handle, 0, ticket.trail, ticket.activation)
        order_id = int(book_desk.send(handle))
        if order_id:
            row = self.order(order_id)
            row["leg"] = ticket.leg if lane["legs"] == 2 else 0
            row["filled"] = row["known_filled"] = ticket.filled
            self._self_trade[order_id] = ticket.self_trade
            if ticket.reduces_when_triggered:
                self._late[order_id] = ticket
        happenings = list(self._run(ts))
        if order_id in self._late:  # the filters have seen that it reduces; until it triggers nobody else need know
            self._set_reduces(self.order(order_id), False)
        return order_id, happenings

    def cancel(self, order_id: int, ts: int) -> list[Happening]:
        """A cancel arrives. What is no more is told by CANCEL_REJECTED."""
        arrivals.arrive_cancel(self.handle, order_id, ts)
        return list(self._run(ts))

    def amend(self, order_id: int, ticks: int, lots: int, ts: int) -> list[Happening]:
        """An amendment arrives: price and whole quantity, 0 for as it is."""
        self._lane["now"] = ts
        self._take_by(order_id)
        arrivals.arrive_amend(self.handle, order_id, ticks, lots, 0, 0, ts)
        return list(self._run(ts))

    def know(self, mark: float, index: float) -> None:
        """The mark and index price, of which nothing follows yet. index: NaN if it is not known."""
        set_mark(0, mark, self.positions, 1)
        if index == index:
            self._lane["index_price"] = index

    def mark(self, price: float, index: float, ts: int) -> list[Happening]:
        """The mark and index price from now on: triggers by them are looked at, then the margin."""
        self.know(price, index)
        arrivals.fire(self.handle, BY_MARK, ts)
        arrivals.fire(self.handle, INDEX, ts)
        found = list(self._run(ts))
        watch_margin(self.handle, ts)
        return [*found, *self._run(ts)]

    def fund(self, price: float, rate: int, ts: int) -> list[Happening]:
        """Funding is paid at a mark price; rate in 1e-8."""
        row = self.arrays["instruments"][0]
        ticks = max(1, int(to_ticks(price, row["tick_num"], row["tick_den"], 0)))
        for leg in range(len(self.positions)):
            if self.positions[leg]["lots"]:
                book_funding(self.handle, ts, 0, leg, ticks, rate)
        return list(self._run(ts))

    def order(self, order_id: int) -> Any:
        """The BOOK_ORDER record of an order that works."""
        orders = self.arrays["book_orders"]
        return orders[order_id & (len(orders) - 1)]

    def cost_of(self, side: int, lots: int, limit: int = 0) -> tuple[int, int]:
        """What an order that takes now would trade: (lots, Σ ticks × lots), up to `lots`, to no worse than `limit`."""
        ticks, displayed = self._state.books[0].depth(-side)
        taken = {int(t["key"]): int(t["lots"]) for t in self._taken() if (t["side"] == 0) == (side < 0)}
        got = paid = 0
        for tick, there in zip(ticks.tolist(), displayed.tolist(), strict=True):
            if got == lots or (limit and (tick - limit) * side > 0):
                break
            amount = min(lots - got, max(0, there - taken.get(tick * -side, 0)))
            got, paid = got + amount, paid + amount * tick
        return got, paid

    def lots_for(self, side: int, quote: int) -> int:
        """Lots that `quote` (Σ ticks × lots) pays for, or that bring no more than it, taken from the book now."""
        ticks, displayed = self._state.books[0].depth(-side)
        taken = {int(t["key"]): int(t["lots"]) for t in self._taken() if (t["side"] == 0) == (side < 0)}
        got = 0
        for tick, there in zip(ticks.tolist(), displayed.tolist(), strict=True):
            amount = min(quote // tick, max(0, there - taken.get(tick * -side, 0)))
            got, quote = got + amount, quote - amount * tick
            if amount < there and quote < tick:
                break
        return got

    @property
    def best(self) -> tuple[int | None, int | None]:
        """Ticks of best bid and ask."""
        book = self._state.books[0]
        return book.best_bid, book.best_ask

    def price_at(self, side: int, deep: int) -> int | None:
        """Ticks of the `deep`-th best price of a side (+1 bids), None if there are not so many."""
        ticks, _ = self._state.books[0].depth(side)
        return int(ticks[deep - 1]) if len(ticks) >= deep else None

    @property
    def last(self) -> int:
        """Ticks of the last trade, 0 before the first."""
        return int(self._lane["last"])

    def _taken(self) -> np.ndarray:
        return self.arrays["taken"][: self._lane["taken"]]

    def _fund_without_end(self) -> None:
        """More than anyone may have of both sides, so that the wallet alone decides."""
        self.account["cash"] = self.account["initial"] = 1 << 60
        self.positions[0]["lots"] = 1 << 50
        self.margins["leverage"] = 1e15
        rules = self.arrays["rules"][0]
        rules["max_position"] = min(NEVER, int(rules["max_position"]) + (1 << 50))

    def _run(self, until: int) -> Iterator[Happening]:
        """All that happens up to and including `until`, as it comes."""
        handle, lane = self.handle, self._lane
        while True:
            if not room_for(handle, 0):
                self._make_room()
            requests = self.arrays["requests"]
            waiting = lane["first_request"] < lane["last_request"]
            due = int(requests[lane["first_request"]]["ts"]) if waiting else NEVER
            went = trade_market(handle, min(until, due))
            yield from self._collect()
            if went == MORE_ROOM:
                self._make_room()
            elif went == STOPPED:
                continue  # what follows from it may be the next thing
            elif lane["first_request"] == lane["last_request"]:
                return
            elif int(requests[lane["first_request"]]["ts"]) <= until:
                self._arrive(requests[lane["first_request"]].copy())
                yield from self._collect()
            else:
                return

    def _arrive(self, request: Any) -> None:
        """Something reaches the venue, or is due there."""
        kind, order_id, ts = int(request["kind"]), int(request["order"]), int(request["ts"])
        sides = self._state.books[0].sides
        deep = int((sides["near"] + sides["far"]).sum())
        if not room_for(self.handle, deep):
            self._make_room()
        self._lane["first_request"] += 1
        self._take_by(order_id)
        if kind == Request.NEW:
            arrivals.arrive_new(self.handle, order_id, ts)
        elif kind == Request.COME:
            self._reduce(order_id)
            if self.may_come(order_id):
                arrivals.arrive_triggered(self.handle, order_id, ts)
            else:
                self._turn_away(order_id, ts)
        elif kind == Request.FOLLOW:
            arrivals.look_after(self.handle, ts)
        elif kind == Request.EXPIRY:
            arrivals.arrive_expiry(self.handle, order_id, ts)

    def _turn_away(self, order_id: int, ts: int) -> None:
        """A triggered order finds no money for it."""
        i = int(find(self.handle, order_id))
        if i >= 0 and self.arrays["book_orders"][i]["status"] == Status.TRIGGERED:
            finish(self.handle, i, int(Event.EXPIRE), int(Report.EXPIRED), ts, int(Reason.INSUFFICIENT_BALANCE))

    def _take_by(self, order_id: int) -> None:
        """Of two orders of ours that would meet the taker says which one ends."""
        self.arrays["venue"][0]["self_trade"] = int(self._self_trade.get(order_id, SelfTrade.EXPIRE_MAKER))

    def _reduce(self, order_id: int) -> None:
        """An order that was triggered only reduces from now on, if it was sent so."""
        ticket, row = self._late.pop(order_id, None), self.order(order_id)
        if ticket is None or row["id"] != order_id:
            return
        self._set_reduces(row, True)
        if ticket.closes:
            row["lots"] = row["asked"] = max(1, abs(int(self.positions[row["leg"]]["lots"])))

    def _set_reduces(self, row: Any, reduces: bool) -> None:
        before = int(is_tied(row))
        row["reduce_only"] = int(reduces)
        self._lane["tied"] += int(is_tied(row)) - before

    def _collect(self) -> list[Happening]:
        """Take what the kernels wrote, and empty their buffers."""
        lane, account = self._lane, self.account
        count, booked = int(lane["last_reply"]), int(account["fills"])
        if not count and not booked:
            return []
        fills = list(self.arrays["fills"][:booked])
        found, used = [], 0
        for j in range(count):
            row = self.arrays["replies"][j]
            fill = None
            if row["kind"] in _FILLS:
                while fills[used]["kind"] not in _EXECUTIONS:
                    found.append(_payment(fills[used]))
                    used += 1
                fill, used = fills[used], used + 1
            found.append(_happening(row, fill))
            learn(self.handle, j)
            if row["kind"] in (Report.REJECTED, Report.FILLED, Report.CANCELLED, Report.EXPIRED):
                self._late.pop(int(row["order"]), None)
                self._self_trade.pop(int(row["order"]), None)
        found += [_payment(fill) for fill in fills[used:]]
        lane["first_reply"] = lane["last_reply"] = 0
        account["fills"] = account["events"] = 0
        return found

    def _make_room(self) -> None:
        """Move what waits to the front, and make buffers longer that are too short."""
        state, lane = self._state, self._lane
        first, last = int(lane["first_request"]), int(lane["last_request"])
        requests = state.arrays["requests"]
        requests[: last - first] = requests[first:last].copy()
        lane["first_request"], lane["last_request"] = 0, last - first
        sides = state.books[0].sides
        acts = 2 * int(lane["resting"] + lane["tied"]) + int(lane["waiting"]) + 128
        acts += int((sides["near"] + sides["far"]).sum())
        for name in ("fills", "reports", "replies"):
            state.lengthen(name, 2 * acts + _BURST)
        state.lengthen("requests", last - first + 2 * (_BURST + int(lane["waiting"] + lane["tied"]) + 2))
        state.lengthen("taken", int(lane["taken"]) + 2 * acts)
        if state.books[0].is_nearly_full:
            state.books[0].grow()
        state.publish()


def warm() -> None:
    """Compile what desks run, or load it, so that the first order need not wait for that."""
    step, lots = Decimal(1), np.full(3, 100)
    instrument = Instrument(
        symbol="X", venue="x", kind=Kind.PERPETUAL, base="X", quote="USDT", tick_size=step, lot_size=step
    )
    desk = Desk(instrument, MarginSettings(tiers="flat").terms([instrument], {}, 10.0), (0, 0), 1, futures=True)
    desk.account["cash"] = 1 << 40
    for _ in desk.feed(snapshot((np.array([99, 98, 97]), lots), (np.array([101, 102, 103]), lots), 2)):
        pass
    desk.mark(100.0, 100.0, 3)
    desk.place(Ticket(1, OrderType.MARKET, 5), 4)
    resting, _ = desk.place(Ticket(-1, OrderType.LIMIT, 5, 110), 5)
    desk.amend(resting, 109, 4, 6)
    desk.cancel(resting, 7)
    desk.place(Ticket(-1, OrderType.STOP, 5, trigger=50, source=TriggerSource.MARK), 8)
    desk.fund(100.0, 1, 9)
    desk.mark(50.0, 50.0, 10)


def snapshot(bids: Any, asks: Any, ts: int) -> np.ndarray:
    """A whole book as BOOK_EVENT rows; bids, asks: (ticks, lots) arrays."""
    count = len(bids[0]) + len(asks[0])
    rows = np.zeros(1 + count, BOOK_EVENT)
    rows["ts_event"] = rows["ts_recv"] = ts
    rows[0]["kind"], rows[0]["ticks"] = int(BookKind.CLEAR), 1
    rows[1:]["ticks"] = np.concatenate([bids[0], asks[0]])
    rows[1:]["lots"] = np.concatenate([bids[1], asks[1]])
    rows[1 : 1 + len(bids[0])]["side"], rows[1 + len(bids[0]) :]["side"] = 1, -1
    rows[-1]["last"] = 1
    return rows


def _happening(row: Any, fill: Any) -> Happening:
    """A reply of the kernels, with the fill that it tells of."""
    fee, realised, position = (0, 0, 0) if fill is None else _money(fill)
    return Happening(
        Report(int(row["kind"])),
        int(row["ts"]),
        int(row["order"]),
        int(row["side"]),
        int(row["lots"]),
        int(row["ticks"]),
        int(row["filled"]),
        bool(row["maker"]),
        int(row["reason"]),
        int(row["leg"]),
        fee,
        realised,
        position,
    )


def _payment(fill: Any) -> Happening:
    """Money that moved without an execution: funding, insurance."""
    leg = int(fill["leg"])
    ts, side, ticks = int(fill["ts"]), int(fill["side"]), int(fill["price"])
    return Happening(None, ts, 0, side, 0, ticks, 0, False, 0, leg, *_money(fill), payment=int(fill["kind"]))


def _money(fill: Any) -> tuple[int, int, int]:
    return int(fill["fee"]), int(fill["realised"]), int(fill["position"])
