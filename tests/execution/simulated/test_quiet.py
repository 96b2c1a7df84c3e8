"""Within which prices and until when nothing can happen to a symbol, by hand; and the first row that leaves them.

A tick is 0.1. What is too narrow costs time only, what is too wide a result: so both are looked at here.
"""

import numpy as np
import pytest

from contracts import inverse
from scripted import MINUTE, build, flat, perpetual, spot
from truewind.domain.clock import NEVER
from truewind.domain.order import OrderType, Status, TriggerSource
from truewind.execution.simulated.quiet import is_safe, scan, set_bounds
from truewind.portfolio.margin import MarginSettings
from truewind.risk.gate import RiskSettings

UNIT = 100_000_000
INF = np.inf
LIMIT, STOP, MARKET, TRAILING = OrderType.LIMIT, OrderType.STOP, OrderType.MARKET, OrderType.TRAILING_STOP
ACCEPTED = Status.ACCEPTED


def market(*names, instruments=None, cash=1_000.0, **how):
    """The state of a run in which nothing has happened yet; a lot is a coin."""
    listed = instruments or [perpetual(name, lot="1") for name in names or ("AAA",)]
    bars = {one.symbol: [flat(100)] * 3 for one in listed}
    return build(bars, {}, instruments=listed, cash=cash, **how).state


def work(state, **orders):
    """Put an order into the table: limit or trigger in prices."""
    row = state.orders[state.account[0]["orders"]]
    given = {"status": ACCEPTED, "type": LIMIT, "side": 1, "lots": 1, "leg": orders.get("symbol", 0)} | orders
    for name in ("price", "trigger"):
        given[name] = round(10 * given.get(name, 0))
    for name, value in given.items():
        row[name] = value
    state.account["orders"] += 1


def bounds(state, symbol=0):
    """Low and high of the traded price, then of the mark; when it is due; whether every row is looked at."""
    set_bounds(state.handle)
    one = state.positions[symbol]
    return (
        one["low_at"], one["high_at"], one["mark_low_at"], one["mark_high_at"], int(one["due_at"]), int(one["wake"])
    )  # fmt: skip


def hold(state, lots, leg=0, entry=100.0, wallet=-1):
    position = state.positions[leg]
    position["lots"], position["cost"], position["mark"] = lots, round(lots * entry * UNIT), entry
    position["close"], position["wallet"] = entry, wallet if wallet < 0 else wallet * UNIT
    state.account["booked"] += 1


def test_without_orders_and_positions_everything_is_quiet():
    """Nothing wakes either symbol."""
    state = market("AAA", "BBB")
    for symbol in (0, 1):
        assert bounds(state, symbol) == (-INF, INF, -INF, INF, NEVER, 0)


@pytest.mark.parametrize(
    ("order", "low", "high"),
    [
        ({"price": 95}, 95.0, INF),
        ({"price": 105, "side": -1}, -INF, 105.0),
        ({"price": 95, "status": Status.PARTIALLY_FILLED}, 95.0, INF),
        ({"price": 95, "trigger": 104, "type": OrderType.STOP_LIMIT, "status": Status.TRIGGERED}, 95.0, INF),
        ({"trigger": 105, "type": STOP, "rising": 1}, -INF, 105.0),
        ({"trigger": 95, "type": STOP, "rising": -1, "side": -1}, 95.0, INF),
        ({"trigger": 105, "type": OrderType.TAKE_PROFIT, "rising": 1, "side": -1}, -INF, 105.0),
        ({"trigger": 95, "type": STOP, "rising": -1, "source": TriggerSource.MARK, "side": -1}, 95.0, INF),
        ({"trigger": 105, "type": STOP, "rising": 1, "source": TriggerSource.MARK}, -INF, 105.0),
        ({"price": 95, "status": Status.HELD}, -INF, INF),
    ],
)
def test_an_order_bounds_the_price_on_its_side(order, low, high):
    """Its limit or its trigger; where a run has no marks the traded price stands in. Of several the nearest."""
    state = market("AAA", "BBB")
    work(state, **order)
    assert bounds(state)[:2] + bounds(state)[4:] == (low, high, NEVER, 0)
    assert bounds(state, 1) == (-INF, INF, -INF, INF, NEVER, 0)
    work(state, price=90)
    work(state, price=110, side=-1)
    assert bounds(state)[:2] == (max(low, 90.0), min(high, 110.0))
    work(state, price=99)
    work(state, price=101, side=-1)
    assert bounds(state)[:2] == (99.0, 101.0)


def test_a_trigger_by_the_mark_bounds_the_mark():
    """Where there are marks the traded price is free."""
    state = market(marks=[flat(100)] * 3)
    for trigger, rising in ((90, -1), (95, -1), (110, 1), (105, 1)):
        work(state, trigger=trigger, type=STOP, rising=rising, side=rising, source=TriggerSource.MARK)
    assert bounds(state) == (-INF, INF, 95.0, 105.0, NEVER, 0)


@pytest.mark.parametrize(
    "order",
    [
        {"status": Status.SUBMITTED, "price": 50},
        {"type": MARKET},
        {"type": TRAILING, "trigger": 50, "rising": -1, "side": -1},
        {"type": STOP, "status": Status.TRIGGERED},
        {"type": STOP, "trigger": 50, "rising": -1, "side": -1, "source": TriggerSource.INDEX},
    ],
)
def test_some_orders_look_at_every_row(order):
    """Those on their way, at market, that trail, or wait for the index. The other symbol sleeps on."""
    state = market("AAA", "BBB")
    work(state, symbol=1, **order)
    assert [bounds(state, symbol)[5] for symbol in (0, 1)] == [0, 1]


def test_what_falls_due_wakes_who_holds():
    """Funding at minute 2 concerns a position only; the end of an order's time its symbol."""
    state = market(funding={"AAA": [(2 * MINUTE, 0.01, 0.0)]})
    assert bounds(state)[4] == NEVER
    hold(state, 1)
    assert bounds(state)[4] == 2 * MINUTE
    work(state, price=95, expires=3 * MINUTE)
    assert bounds(state)[4] == 2 * MINUTE
    work(state, price=95, expires=MINUTE)
    assert bounds(state)[4] == MINUTE
    state.positions["next_due"] = state.positions["last_due"]
    state.orders["expires"] = 0
    assert bounds(state)[4] == NEVER


def test_terms_rates_and_changes_of_the_contract_wake_too():
    """Other terms only who holds on margin; other rates and a split each symbol."""
    for about, first in ((perpetual("AAA", lot="1"), 7), (spot("AAA", lot="1"), 9)):
        state = market(instruments=[about])
        state.account["terms_at"], state.account["rates_at"], state.positions["changes_at"] = 7, 9, 11
        assert bounds(state)[4] == 9
        hold(state, 1)
        assert bounds(state)[4] == first
        state.account["rates_at"] = 12
        assert bounds(state)[4] == min(first + 2, 11) if about.kind.name == "SPOT" else 7


@pytest.mark.parametrize(("lots", "low", "high"), [(10, 900 / 9.95, INF), (-10, -INF, 1_100 / 10.05)])
def test_a_position_is_safe_up_to_its_liquidation(lots, low, high):
    """10 at 100 with 100, maintenance 0.5 %: 100 ± 10(x − 100) = 0.05x. Alone it is safe as far as half a per cent of
    what is lost: the margin falls with the price of a long one, which the bound does not count on."""
    state = market(cash=100.0, margin=MarginSettings())
    hold(state, lots)
    found = bounds(state)[:2]
    if lots > 0:
        assert low < found[0] < low * 1.001
        assert found[1] == high
    else:
        assert high * 0.999 < found[1] <= high
        assert found[0] <= 0.0
    assert is_safe(state.handle, 0, 101.0, 99.0)
    assert not is_safe(state.handle, 0, 110.0, 90.0)


def test_each_of_two_positions_may_use_up_half():
    """10 and 10 at 100 with 200 have 200 − 10 to lose: each 95, which is 9.5 down; an isolated one its own wallet."""
    state = market("AAA", "BBB", cash=200.0, margin=MarginSettings())
    hold(state, 10, 0)
    hold(state, 10, 1)
    assert [bounds(state, symbol)[0] for symbol in (0, 1)] == pytest.approx([90.5, 90.5])
    hold(state, 10, 1, wallet=55)  # 5 of it is the maintenance margin; AAA has the other 145, of which 5 as well
    assert [bounds(state, symbol)[0] for symbol in (0, 1)] == pytest.approx([86.0, 95.0])


def test_what_is_lost_already_is_looked_at_on_every_row():
    """With 4 no more than the 5 of maintenance are left."""
    state = market(cash=4.0, margin=MarginSettings())
    hold(state, 10)
    assert bounds(state) == (100.0, 100.0, 100.0, 100.0, NEVER, 1)


def test_both_legs_of_a_symbol_bound_it():
    """Long 10 and short 5 with 200 have 200 − 7.5 to lose, each half: 9.625 down, and 19.25 ÷ 1.005 up."""
    state = market(cash=200.0, margin=MarginSettings(position_mode="hedge"))
    hold(state, 10, 0)
    hold(state, -5, 1)
    assert bounds(state)[:2] == pytest.approx((100 - 9.625, 100 + 19.25 / 1.005))


def flattening(**limits):
    none = RiskSettings.unlimited().model_dump(exclude_unset=True)
    return RiskSettings.model_validate(none | limits)


@pytest.mark.parametrize(("acts", "due"), [("flatten", 5 * MINUTE + 1), ("halt", NEVER)])
def test_a_new_day_has_a_floor_of_its_own_where_its_losses_flatten(acts, due):
    """The first row after the day that ends with minute 5 concerns who holds something."""
    state = market(limits=flattening(max_daily_loss=0.5, on_daily_loss=acts))
    state.breakers["day_ends"] = 5 * MINUTE
    assert bounds(state)[4] == NEVER
    hold(state, 1)
    assert bounds(state)[4] == due


@pytest.mark.parametrize(("lots", "low", "high"), [(1, 95.0, 105.0), (-2, 97.5, 102.5)])
def test_a_breaker_that_flattens_bounds_the_price_on_both_sides(lots, low, high):
    """Equity may fall from 100 to 90. Half of these 10 are let go by unseen, for a new peak lifts the floor."""
    state = market(cash=100.0, limits=flattening(max_drawdown=0.1, on_drawdown="flatten"), margin=MarginSettings())
    state.account["peak"] = state.account["equity"] = 100 * UNIT
    hold(state, lots)
    assert bounds(state)[:2] == pytest.approx((low, high))
    two = market("AAA", "BBB", cash=100.0, limits=flattening(max_drawdown=0.1, on_drawdown="flatten"))
    two.account["peak"] = two.account["equity"] = 100 * UNIT
    hold(two, lots, 0)
    hold(two, lots, 1)
    for symbol in (0, 1):
        assert bounds(two, symbol)[:2] == pytest.approx(((100 + low) / 2, (100 + high) / 2))


def test_a_breaker_bounds_a_coin_margined_contract_in_its_coins():
    """10 contracts of 100 USD at 10,000 with 1 BTC, 0.5 let go: u = 1/10,000 ± 0.5 ÷ 1,000; above that without end."""
    coin = inverse("100", tick="1")
    limits = flattening(max_drawdown=0.02, on_drawdown="flatten")
    state = build({coin.symbol: [flat(10_000)]}, {}, instruments=[coin], cash=1.0, currency="BTC", limits=limits).state
    state.account["peak"] = state.account["equity"] = UNIT
    state.positions["lots"], state.positions["cost"] = 10, -(10**7)
    state.positions["mark"] = state.positions["close"] = 10_000.0
    state.account["booked"] += 1
    low, high = bounds(state)[:2]
    assert low == pytest.approx(1 / (1 / 10_000 + 0.01 / 1_000))
    assert high == pytest.approx(1 / (1 / 10_000 - 0.01 / 1_000))


# -- the first row that leaves them ----------------------------------------------------------------------------------


def rows(*bars, names=("AAA",), marks=None):
    bars = {name: list(bars) for name in names}
    return build(bars, {}, instruments=[perpetual(name, lot="1") for name in names], marks=marks).state


def test_a_row_that_comes_to_a_bound_is_found():
    """Low 95 meets a bid at 95, high 105 a sale at 105; a tick nearer to 100 meets neither."""
    state = rows(flat(100), (100, 104.9, 95.1, 100), (100, 100, 95, 100), (100, 105, 100, 100), flat(100))
    work(state, price=95)
    work(state, price=105, side=-1)
    set_bounds(state.handle)
    assert [scan(state.handle, first, 5) for first in range(6)] == [2, 2, 2, 3, 5, 5]
    assert [scan(state.handle, 0, last) for last in (1, 2, 3)] == [1, 2, 2]


def test_a_row_that_is_known_when_something_falls_due_is_found():
    """Bars are known after 1, 2, 3 … minutes: an order that ends a µs after the second concerns the third."""
    for expires, first in ((2 * MINUTE, 1), (2 * MINUTE + 1, 2)):
        state = rows(*[flat(100)] * 4)
        work(state, price=50, expires=expires)
        set_bounds(state.handle)
        assert scan(state.handle, 0, 4) == first


def test_rows_of_a_symbol_go_by_its_own_bounds():
    """Rows are AAA, BBB, AAA, BBB …: an order in BBB wakes the second."""
    state = rows(*[flat(100)] * 2, names=("AAA", "BBB"))
    work(state, symbol=1, type=MARKET)
    set_bounds(state.handle)
    assert [scan(state.handle, first, 4) for first in range(4)] == [1, 1, 3, 3]


@pytest.mark.parametrize(("low", "high", "found"), [(95.1, 104.9, 2), (95.0, 100.0, 1), (100.0, 105.0, 1)])
def test_marks_are_looked_at_where_there_are_some(low, high, found):
    """Stops by the mark at 95 and 105."""
    state = rows(*[(100, 120, 80, 100)] * 2, marks={"AAA": [flat(100), (100, high, low, 100)]})
    for trigger, side in ((95, -1), (105, 1)):
        work(state, trigger=trigger, type=STOP, rising=side, side=side, source=TriggerSource.MARK)
    set_bounds(state.handle)
    assert scan(state.handle, 0, 2) == found
