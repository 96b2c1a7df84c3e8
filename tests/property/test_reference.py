"""The engine and a naive simulator of the same rules agree: fills, fates of orders, money and equity, exactly."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

import naive
from profiles import examples
from scripted import UNLIMITED, build, perpetual, spot
from truewind.domain.fill import FillKind
from truewind.domain.order import OrderType, Side, Status, Terms, TimeInForce, TriggerSource
from truewind.execution.simulated.costs import CostSettings
from truewind.execution.simulated.latency import OrderLatency
from truewind.portfolio.margin import MarginSettings
from truewind.strategies.base import Strategy

STEP = 60_000_000
KINDS = {
    "market": OrderType.MARKET, "limit": OrderType.LIMIT, "stop": OrderType.STOP, "touch": OrderType.TAKE_PROFIT,
    "stop_limit": OrderType.STOP_LIMIT,
}  # fmt: skip
ENDS = {Status.FILLED: "filled", Status.CANCELLED: "cancelled", Status.EXPIRED: "expired", Status.REJECTED: "rejected"}
FILL_KINDS = {FillKind.TRADE: "trade", FillKind.FUNDING: "funding", FillKind.LIQUIDATION: "liquidation", 3: "insurance"}


def make_candles(random, count):
    bars = []
    price = random.randint(90, 110)
    for _ in range(count):
        opened = price if random.random() < 0.6 else max(60, price + random.randint(-8, 8))
        close = max(60, opened + random.randint(-9, 9))
        high = max(opened, close) + random.choice([0, 1, 2, 5, 10])
        low = min(opened, close) - random.choice([0, 1, 2, 5, 10])
        bars.append((opened, high, low, close))
        price = close
    return bars


def make_order(random, symbols, near):
    kind = random.choice(["market", "market", "limit", "stop", "touch", "stop_limit"])
    reduce = random.random() < 0.2
    bracket = not reduce and random.random() < 0.5
    return {
        "symbol": random.randrange(symbols),
        "side": random.choice([-1, 1]),
        "kind": kind,
        "lots": random.randint(1, 5),
        "price": 0 if kind == "market" else near + random.randint(-12, 12),
        "reduce": reduce,
        "trigger": near + random.randint(-12, 12) if kind == "stop_limit" else 0,
        "by_index": kind in ("stop", "touch", "stop_limit") and random.random() < 0.4,
        "tif": random.choice(["gtc", "gtc", "gtc", "ioc", "fok"]),
        "group": random.choice([0, 0, 0, 1, 2]),
        "stop_loss": near + random.randint(-15, 15) if bracket else None,
        "take_profit": near + random.randint(-15, 15) if bracket and random.random() < 0.6 else None,
        "then": random.choice(["limit", "stop", "touch"]) if bracket and random.random() < 0.2 else None,
    }


def make_world(random, bars, acts):
    """Markets, costs, cash and a script: what is sent or withdrawn at the close of which row."""
    # 0.001 · 0.00003 USDT is no whole number of units: money must be rounded.
    tick, lot = random.choice([("1", "1"), ("0.001", "0.00003")])
    markets = []
    for s in range(random.choice([1, 2])):
        step = STEP * (random.choice([1, 1, 2]) if s else 1)
        times = [STEP * random.choice([0, 0, 1]) * s]
        while len(times) < bars:
            times.append(times[-1] + step * random.choice([1, 1, 1, 1, 2]))
        made = [(ts, *prices) for ts, prices in zip(times, make_candles(random, bars), strict=True)]
        dues = sorted(random.sample(range(2 * bars), random.randint(0, 3)))
        funding = [
            (due * STEP // 2, random.choice([-75_000, 10_000, 333_333]), random.choice([0, 101])) for due in dues
        ]
        can_short = random.random() < 0.8
        index = make_candles(random, bars) if random.random() < 0.5 else []
        volume = [random.choice([0, 1, 2, 4, 9, 99]) for _ in made] if random.random() < 0.5 else []
        fundings = funding if can_short else []
        markets.append(naive.Market(Fraction(tick), Fraction(lot), can_short, step, made, fundings, index, volume))
    costs = naive.Costs(
        maker=random.choice([0, 20_000, -10_000]),
        taker=random.choice([0, 50_000]),
        half_spread=random.choice([0, 10_000, 2_000_000]),
        latency=random.choice([0, 8_000, 8_000, STEP - 1, STEP, 5 * STEP // 2]),
        touch=random.random() < 0.5,
        maintenance=random.choice([537_011, 2_100_007]),
        liquidation_fee=random.choice([0, 1_250_000]),
    )
    lots = 10_000 if random.random() < 0.5 else random.randint(2, 15)  # what the money would buy, unleveraged
    cash = int(100 * lots * markets[0].tick * markets[0].lot * naive.UNITS) // 10 + 1
    first = first_rows(markets)
    script = {}
    for _ in range(acts):
        row = random.randrange(max(first), max(first) + bars)
        near = random.choice(markets[0].bars)[4]
        act = random.randint(1, 9) if random.random() < 0.15 else make_order(random, len(markets), near)
        script.setdefault(row, []).append(act)
    return markets, costs, cash, script


class FromScript(Strategy):
    """Sends what the script says as long as a hundredth of the money is left."""

    def __init__(self, script, markets, cash):
        super().__init__()
        self.script, self.markets, self.floor = script, markets, cash / naive.UNITS / 100
        self.row, self.sent = -1, 0

    def on_bar(self, bar):
        self.row += 1
        for act in self.script.get(self.row, []):
            if isinstance(act, int):
                if act <= self.sent:
                    self.cancel(act)
            elif self.account.equity > self.floor:
                self._send(act)

    def _send(self, act):
        market, symbol = self.markets[act["symbol"]], self.desk.symbols[act["symbol"]]
        quantity = float(act["lots"] * market.lot)
        side = Side(act["side"])

        def submit(side, kind, lots, price, **more):
            number = self.desk.submit(
                symbol, side, lots, KINDS[kind], float(price * market.tick), **more
            )  # fmt: skip
            self.sent += 1
            assert number == self.sent
            return number

        terms = Terms(
            trigger=float(act["trigger"] * market.tick),
            tif=TimeInForce[act["tif"].upper()],
            group=act["group"],
            trigger_by=TriggerSource.INDEX if act["by_index"] else TriggerSource.LAST,
        )
        parent = submit(side, act["kind"], quantity, act["price"], reduce_only=act["reduce"], terms=terms)
        for kind, price, reduce in children(act):
            watched = Terms(trigger_by=terms.trigger_by if kind != "limit" else TriggerSource.LAST)
            submit(Side(-side), kind, quantity, price, reduce_only=reduce, parent=parent, terms=watched)


def children(act):
    """Kind, price and whether it reduces, of what waits for an order of the script."""
    if act["stop_loss"] is not None:
        yield "stop", act["stop_loss"], True
    if act["take_profit"] is not None:
        yield "touch" if act["lots"] % 2 else "limit", act["take_profit"], True
    if act["then"] is not None:
        yield act["then"], act["stop_loss"], False


def naive_act(script, cash):
    def act(simulator, row):
        for step in script.get(row, []):
            if isinstance(step, int):
                if step <= len(simulator.orders):
                    simulator.cancel(step)
            elif simulator.equity() > Fraction(cash, 100):
                terms = {name: step[name] for name in ("trigger", "by_index", "tif", "group")}
                parent = simulator.send(
                    step["symbol"], step["side"], step["kind"], step["lots"], step["price"], step["reduce"], **terms
                )
                for kind, price, reduce in children(step):
                    watches = step["by_index"] and kind != "limit"
                    simulator.send(
                        step["symbol"], -step["side"], kind, step["lots"], price, reduce, parent, by_index=watches
                    )

    return act


def first_rows(markets):
    """The row at which each symbol has its first close: before it no market order can be judged."""
    rows = sorted((bar[0] + m.step, -m.step, s) for s, m in enumerate(markets) for bar in m.bars)
    return [next(i for i, row in enumerate(rows) if row[2] == s) for s in range(len(markets))]


@examples(300)
@given(st.integers(0, 2**32), st.integers(3, 12) | st.just(150), st.integers(1, 14))
def test_engine_and_naive_simulator_agree(seed, bars, acts):
    """Same fills (bar, order, price, lots, side, fee, profit), same end of each order, same cash, same equity path."""
    markets, costs, cash, script = make_world(Random(seed), bars, acts)
    reference = naive.Naive(markets, cash, costs, naive_act(script, cash))
    try:
        reference.run()
    except naive.TieError:
        assume(False)
    names = ["AAA", "BBB"][: len(markets)]
    engine = build(
        {name: as_columns(m) for name, m in zip(names, markets, strict=True)},
        FromScript(script, markets, cash),
        instruments=[
            (perpetual if m.can_short else spot)(name, tick=plain(m.tick), lot=plain(m.lot))
            for name, m in zip(names, markets, strict=True)
        ],
        steps={name: m.step for name, m in zip(names, markets, strict=True)},
        cash=cash / naive.UNITS,
        costs=CostSettings(
            maker_fee=costs.maker / 1e8,
            taker_fee=costs.taker / 1e8,
            half_spread_bps=costs.half_spread / 1e4,
            limit_fill="touch" if costs.touch else "through",
            impact=0.0,
            volume_share=1.0,
        ),
        margin=MarginSettings(
            maintenance_rate=costs.maintenance / 1e8, liquidation_fee=costs.liquidation_fee / 1e8, partial=False
        ),
        latency=OrderLatency(entry_ms=costs.latency / 1000),
        leverage=costs.leverage,
        limits=UNLIMITED,
        indices=index_columns(names, markets),
        funding={
            name: [(ts, rate / 1e8, float(mark * m.tick)) for ts, rate, mark in m.funding]
            for name, m in zip(names, markets, strict=True)
        },
    )
    for cap in ("max_position", "max_exposure", "max_gross"):
        engine.state.limits[cap] = 1e12
    engine.run()
    for kind in {fill[3] for fill in reference.fills}:
        event(kind)
    for state in {order.state for order in reference.orders.values()}:
        event(state)
    assert [as_naive(fill) for fill in engine.fills] == reference.fills
    assert last_status(engine) == {n: order.state for n, order in reference.orders.items()}
    assert int(engine.state.account[0]["cash"]) == reference.cash
    expected = np.array([float(value / naive.UNITS) for value in reference.equity_path])
    assert engine.equity == pytest.approx(expected, rel=1e-9, abs=1e-9 * cash / naive.UNITS)


def as_naive(fill):
    return (
        int(fill["row"]), int(fill["order"]), int(fill["symbol"]), FILL_KINDS[int(fill["kind"])], int(fill["side"]),
        int(fill["price"]), int(fill["lots"]), bool(fill["maker"]), int(fill["fee"]), int(fill["realised"]),
    )  # fmt: skip


def last_status(engine):
    status = {int(e["order"]): Status(int(e["status"])) for e in engine.events}
    return {number: ENDS.get(found, found.name) for number, found in status.items()}


def as_columns(market):
    table = np.array([bar[1:] for bar in market.bars], float)
    exact = [[float(int(v) * market.tick) for v in column] for column in table.T]
    named = dict(zip(("open", "high", "low", "close"), map(np.array, exact), strict=True))
    volume = [float(lots * market.lot) for lots in market.volume] or [np.nan] * len(table)
    return {"ts": np.array([bar[0] for bar in market.bars], np.int64), **named, "volume": np.array(volume)}


def index_columns(names, markets):
    """The index prices of the markets that have some, on the rows of their bars."""
    found = {}
    for name, m in zip(names, markets, strict=True):
        if m.index:
            bars = [(bar[0], *prices) for bar, prices in zip(m.bars, m.index, strict=True)]
            found[name] = as_columns(replace(m, bars=bars, volume=[]))
    return found or None


def plain(step):
    return f"{float(step):.8f}"
