"""Orders at the exchange fill as they do in a backtest on the same market, however it comes in."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.domain.book import BOOK_EVENT, BookKind, Report
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import OrderType, TimeInForce, TriggerSource
from truewind.engine.book_lane import BookLane, BookSettings
from truewind.exchange.matching import Desk, Happening, Ticket, snapshot
from truewind.execution.simulated.latency import LatencySettings
from truewind.portfolio.margin import MarginSettings
from truewind.risk.gate import RiskSettings
from truewind.strategies.book import BookStrategy

PERPETUAL = Instrument(
    symbol="BTCUSDT",
    venue="binance_usdm",
    kind=Kind.PERPETUAL,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)
RATES = 20_000, 50_000
T0 = 1_700_000_000_000_000
CASH = 1_000_000 * 10**8


def market(seed: int, count: int = 400) -> np.ndarray:
    """A book that wanders, and trades at its best prices: one message every 10 ms."""
    draw = np.random.default_rng(seed)
    bid = 500_000
    rows = [snapshot((np.arange(bid, bid - 10, -1), draw.integers(1, 50, 10)),
                     (np.arange(bid + 1, bid + 11), draw.integers(1, 50, 10)), T0)]  # fmt: skip
    for i in range(1, count):
        ts = T0 + i * 10_000
        row = np.zeros(1, BOOK_EVENT)
        side = int(draw.choice([1, -1]))
        if draw.random() < 0.3:
            row[0] = (ts, ts, draw.integers(1, 60), bid + (1 if side > 0 else 0), BookKind.TRADE, side, 1)
        elif draw.random() < 0.2:
            step = int(draw.choice([1, -1]))
            row = np.zeros(2, BOOK_EVENT)
            gone, come = (bid + 1, bid + 1) if step > 0 else (bid, bid)
            row[0] = (ts, ts, 0, gone, BookKind.LEVEL, -step, 0)
            row[1] = (ts, ts, draw.integers(1, 50), come, BookKind.LEVEL, step, 1)
            bid += step
        else:
            ticks = bid - int(draw.integers(0, 8)) if side > 0 else bid + 1 + int(draw.integers(0, 8))
            row[0] = (ts, ts, draw.integers(1, 50), ticks, BookKind.LEVEL, side, 1)
        rows.append(row)
    return np.concatenate(rows)


def orders(seed: int, count: int = 25) -> list[tuple[int, Ticket | int]]:
    """(time, an order to send or the number of one to cancel)."""
    draw = np.random.default_rng(seed + 1)
    plan: list[tuple[int, Ticket | int]] = []
    for i in range(count):
        ts = T0 + (i + 1) * 150_000 + 5_000
        side = int(draw.choice([1, -1]))
        lots, ticks = int(draw.integers(1, 40)), 500_000 + int(draw.integers(-6, 7))
        if draw.random() < 0.2 and i > 2:
            plan.append((ts, int(draw.integers(1, i))))
        elif draw.random() < 0.3:
            plan.append((ts, Ticket(side, OrderType.MARKET, lots, tif=TimeInForce.IOC)))
        elif draw.random() < 0.2:
            plan.append((ts, Ticket(side, OrderType.STOP, lots, trigger=500_000 + 4 * side)))
        else:
            plan.append((ts, Ticket(side, OrderType.LIMIT, lots, ticks)))
    return plan


class Scripted(BookStrategy):
    """Sends what a plan says, when it says."""

    timer_us = 5_000

    def __init__(self, plan: list[tuple[int, Ticket | int]]) -> None:
        super().__init__()
        self.plan = list(plan)

    def on_timer(self) -> None:
        while self.plan and self.plan[0][0] <= self.desk.now_us:
            _, what = self.plan.pop(0)
            if isinstance(what, int):
                self.desk.cancel(what)
            elif what.type is OrderType.MARKET:
                self.desk.market(what.side, what.lots)
            elif what.type is OrderType.STOP:
                self.desk.stop(what.side, what.trigger, what.lots)
            else:
                self.desk.limit(what.side, what.ticks, what.lots)


def in_backtest(events: np.ndarray, plan: list[tuple[int, Ticket | int]]) -> list[tuple[int, ...]]:
    open_house = RiskSettings(max_position=1000.0, max_exposure=1.0, max_gross=1000.0, max_drawdown=0.0)
    lane = BookLane(
        events,
        PERPETUAL,
        cash=CASH / 10**8,
        settings=BookSettings(
            latency=LatencySettings(model="constant", entry_ms=0.0, reply_ms=0.0),
            self_trade="expire_maker",
            risk=open_house,
            leverage=20.0,
        ),
        margin=MarginSettings(tiers="flat").terms([PERPETUAL], {}, 20.0),
    )
    fills = lane.run(Scripted(plan)).fills
    return [tuple(int(row[n]) for n in ("ts", "order", "side", "price", "lots", "maker", "fee")) for row in fills]


def at_exchange(events: np.ndarray, plan: list[tuple[int, Ticket | int]], chunks: int) -> list[tuple[int, ...]]:
    """The same market in pieces, orders between them."""
    margin = MarginSettings(tiers="flat").terms([PERPETUAL], {}, 20.0)
    desk = Desk(PERPETUAL, margin, RATES, T0, futures=True)
    desk.account["cash"] = CASH
    found = desk.mark(50_000.0, 50_000.0, T0)
    done = 0
    for ts, what in plan:
        stop = int(np.searchsorted(events["ts_event"], ts, side="right"))
        for start in range(done, stop, chunks):
            found += desk.feed(events[start : min(stop, start + chunks)])
        done = stop
        found += desk.cancel(what, ts) if isinstance(what, int) else desk.place(what, ts)[1]
    found += desk.feed(events[done:])
    fills = [h for h in found if h.kind in (Report.FILLED, Report.PARTIALLY_FILLED)]
    return [(h.ts, h.order, h.side, h.ticks, h.lots, int(h.maker), h.fee) for h in fills]


@examples(15)
@given(st.integers(0, 10_000), st.sampled_from([1, 3, 50, 5000]))
def test_the_exchange_fills_as_a_backtest_does(seed: int, chunks: int) -> None:
    events, plan = market(seed), orders(seed)
    assert at_exchange(events, plan, chunks) == in_backtest(events, plan)


@pytest.fixture
def desk() -> Desk:
    """A book of 100 lots at each of five prices on both sides of 50,000.0 / 50,000.1."""
    made = Desk(PERPETUAL, MarginSettings(tiers="flat").terms([PERPETUAL], {}, 20.0), RATES, T0, futures=True)
    hundred = np.full(5, 100)
    assert not list(made.feed(snapshot((500_000 - np.arange(5), hundred), (500_001 + np.arange(5), hundred), T0)))
    made.account["cash"] = CASH
    made.mark(50_000.0, 50_000.0, T0)
    return made


def kinds(happenings: list[Happening]) -> list[Report | None]:
    return [h.kind for h in happenings]


def test_a_stop_that_closes_the_position_takes_what_is_held_when_it_triggers(desk: Desk) -> None:
    desk.place(Ticket(1, OrderType.MARKET, 30), T0 + 1)
    number, happenings = desk.place(
        Ticket(-1, OrderType.STOP, 1, trigger=499_000, source=TriggerSource.MARK, closes=True,
               reduces_when_triggered=True), T0 + 2)  # fmt: skip
    assert kinds(happenings) == [Report.ACCEPTED]
    desk.place(Ticket(1, OrderType.MARKET, 20), T0 + 3)
    happenings = desk.mark(49_900.0, 49_900.0, T0 + 4)
    assert kinds(happenings) == [Report.TRIGGERED, Report.FILLED]
    assert [h.lots for h in happenings if h.order == number][-1] == 50
    assert desk.positions[0]["lots"] == 0


def test_what_only_reduces_when_triggered_waits_without_a_position(desk: Desk) -> None:
    ticket = Ticket(-1, OrderType.STOP, 10, trigger=499_000, source=TriggerSource.MARK, reduces_when_triggered=True)
    _, happenings = desk.place(ticket, T0 + 1)
    assert kinds(happenings) == [Report.ACCEPTED]
    opened, _ = desk.place(Ticket(1, OrderType.MARKET, 10), T0 + 2)
    closed = kinds(desk.place(Ticket(-1, OrderType.MARKET, 10, reduce_only=True), T0 + 3)[1])
    assert opened
    assert closed == [Report.ACCEPTED, Report.FILLED]
    assert kinds(desk.mark(49_900.0, 49_900.0, T0 + 4)) == [Report.TRIGGERED, Report.REJECTED]


def test_funding_is_paid_on_the_mark(desk: Desk) -> None:
    """0.01 % of 30 lots of 0.001 BTC at 50,000: 0.15 USDT."""
    desk.place(Ticket(1, OrderType.MARKET, 30), T0 + 1)
    (payment,) = desk.fund(50_000.0, 10_000, T0 + 2)
    assert payment.kind is None
    assert payment.realised == -15_000_000


def test_a_position_without_margin_is_taken_away(desk: Desk) -> None:
    desk.account["cash"] = 200 * 10**8
    desk.place(Ticket(1, OrderType.MARKET, 50), T0 + 1)  # 2,500 USDT
    happenings = desk.mark(45_000.0, 45_000.0, T0 + 2)
    assert Report.LIQUIDATED in kinds(happenings)
    assert desk.positions[0]["lots"] == 0


def test_orders_of_a_good_till_date_end_then(desk: Desk) -> None:
    desk.place(Ticket(1, OrderType.LIMIT, 10, 499_000, tif=TimeInForce.GTD, expires=T0 + 5_000), T0 + 1)
    assert not desk.has_due(T0 + 4_999)
    assert desk.has_due(T0 + 5_000)
    assert kinds(list(desk.until(T0 + 5_000))) == [Report.EXPIRED]


def test_many_orders_find_room(desk: Desk) -> None:
    numbers = [desk.place(Ticket(1, OrderType.LIMIT, 1, 490_000 + i), T0 + 1 + i)[0] for i in range(400)]
    assert all(numbers)
    trade = np.zeros(1, BOOK_EVENT)
    trade[0] = (T0 + 1000, T0 + 1000, 10_000, 489_000, BookKind.TRADE, -1, 1)
    assert kinds(list(desk.feed(trade))).count(Report.FILLED) == 400
    assert desk.positions[0]["lots"] == 400
