"""Intake: which orders go out, which are held, and which are refused with their reason."""

import math

import pytest

from scripted import MINUTE, columns, done, fates, flat, perpetual, play
from truewind.domain.order import LIFE_CYCLE, Event, OrderType, Reason, Side, Status, Terms
from truewind.errors import StrategyError

FLAT = [flat(100)] * 6


def submit(**how):
    asked = {"symbol": "BTCUSDT", "side": Side.BUY, "quantity": 1.0} | how
    return lambda s: s.ids.append(s.desk.submit(**asked))


def test_ids_count_up_and_a_denied_order_has_none():
    """1, then 0 for what was denied, then 3: denied orders keep their number in the records."""
    engine = play(FLAT, {0: lambda s: (s.buy(1), s.buy(0), s.sell(1))})
    assert engine.strategy.ids == [1, 0, 3]
    assert fates(engine)[2] == (Status.DENIED, Reason.BELOW_MIN_QUANTITY)


def test_at_the_start_nothing_is_known_of_a_price():
    """A market order before the first bar is denied; a limit order is not, and may fill in the first bar."""
    engine = play([(100, 101, 94, 100), *FLAT], {-1: lambda s: (s.buy(1), s.buy(1, limit=95))})
    assert engine.strategy.ids == [0, 2]
    assert fates(engine)[1] == (Status.DENIED, Reason.NO_PRICE)
    assert [(fill.row, fill.price) for fill in done(engine)] == [(0, 95.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantity": math.nan}, {"quantity": -1.0}, {"quantity": math.inf}, {"quantity": 1e30},
        {"type": OrderType.LIMIT, "price": math.nan}, {"type": OrderType.LIMIT, "price": -1.0},
        {"type": OrderType.STOP}, {"type": OrderType.STOP, "price": math.inf},
        {"side": 0}, {"side": 2}, {"type": 7}, {"symbol": "BTCUSD"},
        {"parent": 1, "reduce_only": True}, {"parent": 1},
        {"terms": Terms(close_position=True), "type": OrderType.STOP, "price": 90.0},
        {"terms": Terms(close_position=True), "quantity": 0.0},
        {"terms": Terms(shown=0.5), "type": OrderType.LIMIT, "price": 90.0},
    ],
)  # fmt: skip
def test_what_is_no_order_stops_the_run(wrong):
    """NaN, a negative quantity, a side of 2, a child at market …: StrategyError with symbol or time, nothing traded."""
    engine = None
    with pytest.raises(StrategyError, match=r"BTCUSDT|1970-01-01 00:02"):
        engine = play(FLAT, {0: lambda s: s.buy(1, limit=50), 1: submit(**wrong)})
    assert engine is None


def test_an_unknown_symbol_gets_a_suggestion():
    """The closest one that the run has."""
    with pytest.raises(StrategyError, match="BTCUSDT"):
        play(FLAT, {1: lambda s: s.buy(1, symbol="BTCUSD")})


def test_a_price_below_the_first_tick_is_denied():
    """A sale stop at 0.04 on a grid of 0.1 would lie at nothing."""
    engine = play(FLAT, {0: lambda s: (s.buy(1), s.sell(1, stop=0.04, reduce_only=True))})
    assert fates(engine)[2] == (Status.DENIED, Reason.BAD_PRICE)


def child(parent, symbol="BTCUSDT"):
    return submit(
        symbol=symbol, side=Side.SELL, type=OrderType.STOP, price=95.0, reduce_only=True, parent=parent
    )  # fmt: skip


def test_a_child_of_what_works_no_more_is_denied_not_held_for_ever():
    """The parent has filled, never was, or is a child itself: PARENT_ENDED, and the strategy sees a 0."""
    acts = {0: lambda s: s.buy(1, stop_loss=90), 2: lambda s: (child(1)(s), child(77)(s))}
    engine = play(FLAT, acts)
    assert engine.strategy.ids[1:] == [0, 0]
    assert fates(engine)[3] == fates(engine)[4] == (Status.DENIED, Reason.PARENT_ENDED)
    engine = play(FLAT, {0: lambda s: (s.buy(1, limit=50, stop_loss=40), child(2)(s))})
    assert fates(engine)[3] == (Status.DENIED, Reason.PARENT_ENDED)


def test_a_child_belongs_to_its_parents_symbol():
    """A stop in another market cannot work at the price at which this one fills."""
    engine = play(
        {"AAA": columns(FLAT), "BBB": columns(FLAT)},
        {1: lambda s: (s.buy(1, symbol="AAA", limit=90), child(1, "BBB")(s))},
        instruments=[perpetual("AAA"), perpetual("BBB")],
    )
    assert fates(engine)[2] == (Status.DENIED, Reason.PARENT_ENDED)


def test_held_children_are_seen_among_the_working_orders():
    """With what a strategy wants to know of them: quantity and price as it gave them, and whose they are."""
    seen = []
    play(
        FLAT,
        {0: lambda s: (s.buy(1.5, limit=90, stop_loss=85.3, tag=7), seen.extend(s.working()))},
    )
    entry, stop = seen
    assert (entry.quantity, entry.price, entry.parent, entry.status) == (1.5, 90.0, 0, Status.SUBMITTED)
    assert (stop.quantity, stop.price, stop.parent, stop.status) == (1.5, 85.3, 1, Status.HELD)
    assert stop.reduce_only
    assert (entry.tag, stop.tag) == (7, 7)
    assert entry.lots == 1500


def test_quantities_are_rounded_down_to_lots_but_not_by_a_float():
    """1.0019 is 1 001 lots; 0.3 and 0.1 + 0.2 are both 300."""
    engine = play(FLAT, {0: lambda s: (s.buy(1.0019), s.buy(0.3), s.buy(0.1 + 0.2))})
    assert [fill.lots for fill in done(engine)] == [1001, 300, 300]


def test_more_orders_than_the_table_began_with():
    """200 resting orders: all are kept, fill in the order of their price, and none is lost."""

    def many(s):
        for i in range(200):
            s.buy(0.001, limit=80 + i / 10)

    engine = play([flat(100), (100, 100, 50, 60), flat(60)], {0: many})
    assert [fill.price for fill in done(engine)] == [round(99.9 - i / 10, 1) for i in range(200)]
    assert {status for status, _ in fates(engine).values()} == {Status.FILLED}


def test_orders_never_leave_their_life_cycle():
    """Every event of a busy run is a step that the table allows, from NEW to an end."""

    def busy(s):
        if s.row % 5 == 4:
            s.cancel_all()
        s.buy(1, limit=99, stop_loss=97, take_profit=101)
        s.sell(1, stop=98)
        s.buy(2, reduce_only=True)

    bars = [(100 + i % 3, 103 + i % 4, 96 - i % 3, 99 + i % 5) for i in range(30)]
    engine = play(bars, dict.fromkeys(range(28), busy))
    status = {}
    for event in engine.events:
        order, step = int(event["order"]), Event(int(event["event"]))
        before = status.get(order, Status.NEW)
        assert step in LIFE_CYCLE[before], (order, before, step)
        status[order] = LIFE_CYCLE[before][step]
        assert status[order] == event["status"]
    assert all(not LIFE_CYCLE[last] for last in status.values())
    assert len(status) == 28 * 5
    assert {Status.FILLED, Status.CANCELLED, Status.EXPIRED} <= set(status.values())


def test_times_of_an_orders_life_never_go_back():
    """Sent, accepted, filled: each at its time, none before the one before."""
    engine = play([flat(100)] * 3, {0: lambda s: s.buy(1, limit=120)})
    assert engine.events["ts"].tolist() == [MINUTE, MINUTE, MINUTE]
    assert engine.events["event"].tolist() == [Event.SUBMIT, Event.ACCEPT, Event.FILL]
