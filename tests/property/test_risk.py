"""No sequence of orders passes a limit when it is sent; no trade loses more at its stop than it may, with its costs.

What is held and on its way is reckoned here in plain Python, from what the desk tells.
"""

import math

import numpy as np
from hypothesis import event, given
from hypothesis import strategies as st

from profiles import examples
from scripted import MINUTE, UNLIMITED, Scripted, build, columns, flat, free, perpetual, play
from truewind.domain.order import OrderType, Reason, Side, Status
from truewind.domain.timeframe import DAY_US
from truewind.risk.together import together

SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
BARS, CASH, LEVERAGE = 24, 10_000.0, 5.0
CAPS = {"max_position": 0.8, "max_exposure": 0.25, "max_gross": 1.2, "max_net": 0.9, "max_concentration": 0.7}


def walks(seed):
    """Prices near 100 that wander by some percent a bar."""
    random = np.random.default_rng(seed)
    found = {}
    for name in SYMBOLS:
        close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, BARS))), 1)
        opened = np.concatenate(([100.0], close[:-1]))
        top, bottom = np.maximum(opened, close) + 0.5, np.minimum(opened, close) - 0.5
        found[name] = columns(list(zip(opened, top, bottom, close, strict=True)))
        found[name]["volume"] = random.uniform(1.0, 60.0, BARS)  # orders fill in parts
    return found


acts = st.lists(
    st.tuples(
        st.integers(0, BARS * len(SYMBOLS) - 1),
        st.sampled_from(["order", "order", "order", "amend", "cancel", "close"]),
        st.sampled_from(SYMBOLS),
        st.sampled_from([Side.BUY, Side.SELL]),
        st.floats(0.1, 300.0),
        st.sampled_from(["market", "limit", "stop"]),
        st.floats(-0.05, 0.05),
        st.sampled_from([None, 0.02, 0.1]),
    ),
    max_size=40,
)


class Trader(Scripted):
    """Does what it is told at each row, and after each order that was let through looks at what it could come to."""

    def __init__(self, wanted):
        super().__init__({})
        self.wanted, self.last, self.checked, self.rows = wanted, {}, 0, -1

    def on_bar(self, bar):
        self.rows += 1
        self.last[bar.symbol] = bar.close
        for row, what, symbol, side, quantity, kind, away, stop in self.wanted:
            if row == self.rows and symbol in self.last:
                self.do(what, symbol, side, quantity, kind, away, stop)

    def do(self, what, symbol, side, quantity, kind, away, stop):
        price = round(self.last[symbol] * (1 + away), 1)
        working = [order for order in self.working(symbol) if not order.reduce_only]
        if what == "order":
            how = {} if stop is None else {"stop_loss": round(price * (1 - side * stop), 1)}
            how |= {} if kind == "market" else {kind: price}
            order = self.order(side, quantity, symbol=symbol, **how)
            self.check(symbol, side, price if how.keys() & {"limit", "stop"} else 0.0, kind == "stop", order)
        elif what == "amend" and working:
            order = working[0]
            before = order.quantity
            if self.amend(order.id, quantity=quantity, price=price) and quantity > before:
                self.check(symbol, Side(order.side), price if order.type == OrderType.LIMIT else 0.0, False, order.id)
        elif what == "cancel" and working:
            self.cancel(working[0].id)
        elif what == "close":
            self.close(symbol)

    def check(self, symbol, side, price, rising, order):
        """An order was let through: if it opens anything, all limits hold with all that works filled."""
        if not order:
            return
        ahead = side * self.position(symbol).quantity + sum(
            rest(working) for working in self.working(symbol) if working.side == side and not working.reduce_only
        )
        if ahead <= 1e-9:
            return
        self.checked += 1
        worth = {name: abs(self.farthest(name)) * close for name, close in self.last.items()}
        close = self.last[symbol]
        judged = price or close
        if price and (side < 0) != rising:
            judged = max(price, close)  # no sale brings less than the market, and no purchase by a trigger costs less
        worth[symbol] = ahead * judged
        net = sum(side * self.coming(name, side) * close for name, close in self.last.items() if name != symbol)
        equity, gross, lot = self.account.equity, sum(worth.values()), judged * 0.001
        assert worth[symbol] <= CAPS["max_position"] * equity + lot
        assert gross / LEVERAGE <= CAPS["max_exposure"] * equity + lot
        assert gross <= CAPS["max_gross"] * equity + lot
        assert worth[symbol] + net <= CAPS["max_net"] * equity + lot
        assert worth[symbol] <= CAPS["max_concentration"] * max(equity, gross) + lot

    def farthest(self, name):
        held, orders = self.position(name).quantity, [o for o in self.working(name) if not o.reduce_only]
        up = held + sum(rest(o) for o in orders if o.side > 0)
        down = held - sum(rest(o) for o in orders if o.side < 0)
        return up if abs(up) >= abs(down) else down

    def coming(self, name, side):
        """The signed position once all that is on its way on `side` has filled (of what only reduces: at market)."""
        held, orders = side * self.position(name).quantity, [o for o in self.working(name) if o.side == side]
        held += sum(rest(o) for o in orders if not o.reduce_only)
        leaving = sum(rest(o) for o in orders if o.reduce_only and o.type == OrderType.MARKET)
        return side * (held + min(leaving, max(0.0, -held)))


def rest(order):
    return order.quantity - order.filled * 0.001


@examples(60)
@given(st.integers(0, 30), acts)
def test_no_sequence_of_orders_passes_a_limit(seed, wanted):
    """Several symbols, sides, brackets, parts of fills, amendments: all limits hold when something is sent."""
    trader = Trader(wanted)
    play(
        walks(seed), trader, instruments=[perpetual(name) for name in SYMBOLS], cash=CASH, leverage=LEVERAGE,
        costs=free(volume_share=0.5, taker_fee=0.0005), limits=UNLIMITED.model_copy(update=CAPS),
    )  # fmt: skip
    event(f"orders that opened: {min(trader.checked, 5)}{'+' if trader.checked > 5 else ''}")


def test_the_random_orders_are_let_through_reduced_and_denied():
    """So that the property above is about something."""
    random, reasons, rulings = np.random.default_rng(7), set(), set()
    for seed in range(6):
        wanted = [
            (int(random.integers(0, 72)), "order", SYMBOLS[random.integers(3)], Side(int(random.choice([1, -1]))),
             float(random.uniform(1, 150)), "market", 0.0, None)
            for _ in range(30)
        ]  # fmt: skip
        trader = Trader(wanted)
        engine = play(
            walks(seed), trader, instruments=[perpetual(name) for name in SYMBOLS], cash=CASH, leverage=LEVERAGE,
            costs=free(volume_share=0.5), limits=UNLIMITED.model_copy(update=CAPS),
        )  # fmt: skip
        assert trader.checked > 3
        reasons |= {Reason(reason) for reason in engine.verdicts["reason"].tolist()}
        rulings |= set(engine.verdicts["ruling"].tolist())
    assert rulings == {0, 1, 2}
    assert {Reason.POSITION_CAP, Reason.EXPOSURE_CAP, Reason.NET_CAP, Reason.CONCENTRATION} & reasons


# -- at the stop -----------------------------------------------------------------------------------------------------


@examples(80)
@given(
    side=st.sampled_from([Side.BUY, Side.SELL]),
    distances=st.lists(st.floats(0.004, 0.3), min_size=1, max_size=3),
    quantities=st.lists(st.floats(0.05, 400.0), min_size=3, max_size=3),
    risk=st.floats(0.001, 0.05),
    fee=st.floats(0.0, 0.002),
    spread=st.floats(0.0, 30.0),
    price=st.integers(50, 2_000),
    kind=st.sampled_from(["market", "limit"]),
)
def test_no_trade_loses_more_at_its_stop_than_it_may(side, distances, quantities, risk, fee, spread, price, kind):
    """Up to three entries, each with a stop, then the market goes through all of them: fees and spreads included."""
    price = float(price)

    def enter(place):
        stop = round(price * (1 - side * distances[place]), 1)
        how = {} if kind == "market" else {"limit": price}
        return lambda s: s.order(side, quantities[place], stop_loss=stop, **how)

    beyond = price * (1 - side * 0.4)
    crash = (price, max(price, beyond), min(price, beyond), beyond)
    bars = [flat(price)] * 6 + [crash, flat(beyond), flat(beyond)]
    engine = play(
        bars, {place: enter(place) for place in range(len(distances))}, cash=CASH, leverage=20.0,
        costs=free(taker_fee=fee, maker_fee=fee, half_spread_bps=spread),
        limits=UNLIMITED.model_copy(update={"risk_per_trade": risk}),
    )  # fmt: skip
    assert engine.state.positions[0]["lots"] == 0
    lost = CASH - engine.account().cash
    assert lost <= risk * CASH * (1 + 1e-9) + 1e-3
    event(f"of what may be lost was lost: {math.floor(10 * lost / (risk * CASH)) / 10}")


def test_what_may_be_lost_is_used():
    """Stops 2 % away, nothing costs anything: 0.5 % of 10 000 is lost by 25 at 100."""
    engine = play(
        [flat(100)] * 3 + [(100, 100, 90, 90), flat(90)], {0: lambda s: s.buy(100, stop_loss=98)}, cash=CASH,
        limits=UNLIMITED.model_copy(update={"risk_per_trade": 0.005}),
    )  # fmt: skip
    assert engine.fills["lots"].tolist() == [25_000, 25_000]
    assert engine.account().cash == CASH - 50.0


def test_a_stop_at_break_even_makes_room_for_more():
    """25 are held with their stop 2 away; with it at the entry nothing of them is at risk, and 25 more may come."""

    def move(s):
        stop = next(order for order in s.working() if order.reduce_only)
        s.amend(stop.id, trigger=100.0)

    def more(s):
        s.buy(100, stop_loss=108)

    bars = [flat(100)] * 3 + [flat(110)] * 6
    engine = play(
        bars, {0: lambda s: s.buy(100, stop_loss=98), 1: more, 4: move, 6: more}, cash=CASH,
        limits=UNLIMITED.model_copy(update={"risk_per_trade": 0.005}),
    )  # fmt: skip
    denied, allowed = engine.verdicts[1], engine.verdicts[2]
    assert (denied["allowed"], Reason(denied["reason"])) == (0, Reason.STOP_SIDE)
    assert Reason(allowed["reason"]) == Reason.RISK_PER_TRADE
    assert allowed["allowed"] == int(0.005 * 10_250.0 / 2.0 * 1000)


# -- measured correlation --------------------------------------------------------------------------------------------

STEP = 15 * MINUTE
MANY = tuple(f"{letter}{letter}{letter}USDT" for letter in "ABCDEFG")


def together_at(closes, symbols=MANY):
    """An engine over closes by symbol, a bar each quarter of an hour; run."""
    bars = {name: columns([flat(price) for price in closes[name]], step=STEP) for name in symbols}
    limits = UNLIMITED.model_copy(update={"max_correlated": 5})
    return build(bars, {}, instruments=[perpetual(name) for name in symbols], step=STEP, limits=limits)


@given(st.integers(0, 1000), st.integers(100, 280))
@examples(20)
def test_correlation_is_that_of_the_last_bars_of_the_day_before(seed, bars):
    """Against numpy, on the 96 returns that were known at midnight; the covariance is of a day of 96 bars."""
    random = np.random.default_rng(seed)
    steps = random.normal(0.0, 0.01, (len(MANY), bars)) @ np.tri(bars).T
    steps[1] = 0.6 * steps[0] + 0.4 * steps[1]
    closes = {name: np.round(1000.0 * np.exp(walk), 1) for name, walk in zip(MANY, steps, strict=True)}
    engine = together_at(closes)
    last = len(engine.timeline) - 1
    midnight = int(engine.timeline.times[1][last]) // DAY_US * DAY_US
    known = midnight // STEP  # closes known by then
    found, covariance = together(engine.state.handle, last, 0, 1)
    if known < 49:
        assert math.isnan(found)
        return
    first, second = (np.diff(np.log(closes[name][:known]))[-96:] for name in MANY[:2])
    assert math.isclose(found, np.corrcoef(first, second)[0, 1], rel_tol=1e-9)
    assert math.isclose(covariance, np.cov(first, second)[0, 1] * 96, rel_tol=1e-9)


def seven(closes):
    """How many of seven orders of one lot each, sent two days later, are let through, and why not the others."""
    sent = {}

    def enter(s):
        for name in MANY:
            sent[name] = s.buy(0.01, symbol=name)

    engine = together_at(closes)
    engine.strategy.acts = {len(MANY) * 200: enter}
    engine.run()
    reasons = {Reason(reason) for reason in engine.verdicts["reason"].tolist()} - {Reason.NONE}
    return sum(map(bool, sent.values())), reasons


def test_five_positions_that_move_together_and_no_sixth():
    """Seven symbols on one walk; against it counts as with it."""
    walk = np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.01, 240)))
    closes = {name: np.round(1000.0 * walk ** (-1 if i % 2 else 1), 1) for i, name in enumerate(MANY)}
    assert seven(closes) == (5, {Reason.CORRELATED})


def test_positions_that_do_not_move_together_are_not_counted():
    random = np.random.default_rng(2)
    closes = {name: np.round(1000.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, 240))), 1) for name in MANY}
    assert seven(closes) == (7, set())


def test_what_cannot_be_measured_counts_as_correlated():
    """Prices that stand still."""
    assert seven({name: np.full(240, 100.0) for name in MANY}) == (5, {Reason.CORRELATED})


def test_value_at_risk_of_what_is_held_and_asked_for():
    """With numpy's covariance of the 96 returns before midnight: one lot more would pass the limit."""
    random = np.random.default_rng(4)
    steps = random.normal(0.0, 0.005, (len(MANY), 240)) @ np.triu(np.ones((240, 240)))
    steps[1] = 0.5 * steps[0] + 0.5 * steps[1]
    closes = {name: np.round(1000.0 * np.exp(walk), 1) for name, walk in zip(MANY, steps, strict=True)}
    bars = {name: columns([flat(price) for price in closes[name]], step=STEP) for name in MANY}
    first = len(MANY) * 200 + len(MANY) - 1  # the last row of the 201st quarter of an hour

    def acts(s):
        s.buy(100.0, symbol=MANY[0])
        s.sell(40.0, symbol=MANY[2])
        s.buy(1e6, symbol=MANY[1])

    limits = UNLIMITED.model_copy(update={"max_var": 0.02})
    instruments = [perpetual(name) for name in MANY]
    engine = play(bars, {first: acts}, instruments=instruments, step=STEP, limits=limits)
    asked, allowed = engine.verdicts["asked"], engine.verdicts["allowed"]
    assert (asked[:2] == allowed[:2]).all()
    assert Reason(engine.verdicts["reason"][2]) == Reason.VALUE_AT_RISK
    midnight = 192  # closes that were known at the end of the second day
    returns = [np.diff(np.log(closes[name][:midnight]))[-96:] for name in MANY[:3]]
    covariance = np.cov(returns) * 96

    def at_risk(lots):
        prices = np.array([closes[name][200] for name in MANY[:3]])
        worth = np.array([100.0, lots / 1000, -40.0]) * prices
        return 2.3263478740408408 * math.sqrt(worth @ covariance @ worth)  # the 99 % quantile

    assert at_risk(allowed[2]) <= 0.02 * 1e6 < at_risk(allowed[2] + 1)


def test_a_denied_order_was_never_sent():
    """It ends as denied, with the rule's reason; nothing of it is filled."""
    engine = play(
        [flat(100)] * 4, {0: lambda s: s.buy(1, stop_loss=99.9)}, limits=UNLIMITED.model_copy(
            update={"min_stop_distance": 0.01}
        ),
    )  # fmt: skip
    assert [Status(status) for status in engine.events["status"].tolist()] == [Status.DENIED]
    assert Reason(engine.events["reason"][0]) == Reason.STOP_TOO_NEAR
    assert len(engine.fills) == 0
