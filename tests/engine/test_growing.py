"""A timeline that grows gives what the whole timeline gives, however its rows are cut: to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from scripted import MINUTE, UNLIMITED, columns, free, perpetual
from truewind.domain.due import DueKind, due_rows
from truewind.domain.fill import FillKind
from truewind.domain.order import OrderType, Side
from truewind.engine.compiled import build
from truewind.engine.growing import GrowingBars, GrowingTape
from truewind.engine.merge import SYMBOL, TS, TS_EVENT, merge, merge_trades
from truewind.errors import DataError
from truewind.execution.simulated.latency import ROUND_TRIP, Latency, OrderLatency
from truewind.strategies.base import Strategy

SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Wanderer(Strategy):
    """Orders of all kinds, drawn from a seed; what it sees decides nothing, what it is told is kept."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.draw = np.random.default_rng(seed)
        self.told: list[object] = []

    def act(self, symbol: str, price: float) -> None:
        self.told.append((self.desk.now_us, symbol, price, self.desk.account().equity, self.position(symbol).quantity))
        for order in self.desk.working(symbol):
            if self.draw.random() < 0.3:
                self.desk.cancel(order.id)
        side = Side.BUY if self.draw.random() < 0.5 else Side.SELL
        kind = self.draw.choice([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP])
        if self.draw.random() < 0.5:
            away = 1.0 + self.draw.normal() * 0.01
            self.desk.submit(symbol, side, 0.01 + self.draw.random(), OrderType(kind), price * away)

    def on_bar(self, bar):
        self.act(bar.symbol, bar.close)

    def on_trade(self, trade):
        self.act(trade.symbol, trade.price)

    def on_fill(self, fill):
        self.told.append(fill)


def market(seed: int, rows: int) -> dict[str, dict[str, np.ndarray]]:
    """Bars of two symbols, the second of which begins later and has holes."""
    draw, found = np.random.default_rng(seed), {}
    for number, symbol in enumerate(SYMBOLS):
        close = 100.0 * np.exp(np.cumsum(draw.normal(size=rows) * 0.01))
        opened = np.roll(close, 1)
        opened[0] = 100.0
        spread = np.abs(draw.normal(size=(2, rows))) * 0.3
        high, low = np.maximum(opened, close) + spread[0], np.minimum(opened, close) - spread[1]
        table = columns(list(zip(opened, high, low, close, strict=True)))
        kept = np.ones(rows, bool) if number == 0 else draw.random(rows) < 0.8
        kept[:2] = True
        found[symbol] = {name: column[kept] for name, column in table.items()}
    return found


def run(timeline, seed, delay_ms=0.0, lane="event", dues=None):
    money = {"cash": 1e6, "currency": "USDT", "costs": free().record(20.0), "limits": UNLIMITED.record(20.0)}
    latency = Latency(OrderLatency(entry_ms=8.0, reply_ms=delay_ms).record(42), np.zeros(0, ROUND_TRIP))
    traded = [perpetual(symbol) for symbol in timeline.symbols]
    engine = build(lane, timeline, traded, Wanderer(seed), latency=latency, dues=dues, **money)
    engine.run()
    return engine


def cut(whole, cuts, kind, marks=None):
    """The rows of a whole timeline as a growing one, cut at `cuts`; marks: NaN where there are none."""
    rows = {"ts": whole.times[TS], "ts_event": whole.times[TS_EVENT], "symbol": whole.times[SYMBOL]}
    rows |= {"ts_recv": whole.received}
    if kind is GrowingTape:
        rows |= {"price": whole.prices[0]}
    else:
        rows |= dict(zip(("open", "high", "low", "close"), whole.prices, strict=True))
    rows |= whole.columns
    if marks is not None:
        rows |= dict(zip(("mark_open", "mark_high", "mark_low", "mark_close"), marks, strict=True))
    edges = sorted({1, *(c for c in cuts if c < len(whole)), len(whole)})
    parts = [
        {name: column[first:last].copy() for name, column in rows.items()}
        for first, last in zip([0, *edges], edges, strict=False)
    ]
    return kind(whole.symbols, parts[0], iter(parts[1:]))


def assert_equal(one, other):
    assert np.array_equal(one.events, other.events)
    assert np.array_equal(one.fills, other.fills)
    assert one.equity.tobytes() == other.equity.tobytes()
    assert one.strategy.told == other.strategy.told


@examples(25)
@given(st.integers(0, 2**32), st.sets(st.integers(1, 80)), st.sampled_from([0.0, 90_000.0]))
def test_bars_that_come_in_pieces(seed, cuts, reply_ms):
    """Bars of two symbols, with orders that travel and replies that are heard late."""
    made = market(seed, 40)
    whole = merge(made, dict.fromkeys(made, MINUTE))
    delays = np.abs(np.random.default_rng(seed).normal(size=len(whole))) * 2e6
    whole.receive(np.maximum.accumulate(whole.times[TS_EVENT] + delays.astype(np.int64)))
    expected = run(whole, seed, reply_ms)
    assert len(expected.fills) > 0
    assert_equal(run(cut(whole, cuts, GrowingBars), seed, reply_ms), expected)


@examples(15)
@given(st.integers(0, 2**32), st.sets(st.integers(1, 80)))
def test_marks_and_funding_that_come_with_the_rows(seed, cuts):
    """Mark bars with holes; what falls due is told with the rows before which it does, or one piece earlier."""
    draw, made = np.random.default_rng(seed), market(seed, 40)
    whole = merge(made, dict.fromkeys(made, MINUTE))
    gone = draw.random(len(whole)) < 0.2
    off = 1.0 + draw.normal(size=len(whole)) * 0.003
    marks = [np.where(gone, np.nan, column * off) for column in whole.prices]
    whole.marks = [np.where(gone, price, mark) for price, mark in zip(whole.prices, marks, strict=True)]
    dues = {}
    for symbol in SYMBOLS:
        times = np.arange(3, 40, 7) * MINUTE
        rates = np.rint(draw.normal(size=len(times)) * 1e5).astype(np.int64)
        dues[symbol] = due_rows(DueKind.FUNDING, times, rates, price=draw.integers(0, 2, len(times)) * 1000)
    expected = run(whole, seed, dues=dues)
    growing = cut(whole, cuts, GrowingBars, marks)
    assert (expected.fills["kind"] == FillKind.FUNDING).any()

    def rows(source, told):
        for part in source:
            for symbol in SYMBOLS:
                while told[symbol] and told[symbol][0]["ts"] <= part["ts_event"][-1] + draw.integers(0, 2) * MINUTE:
                    growing.fall_due(symbol, told[symbol].pop(0))
            yield part

    told = {symbol: [row.reshape(1) for row in table] for symbol, table in dues.items()}
    growing._source = rows(growing._source, told)
    assert_equal(run(growing, seed), expected)


@examples(15)
@given(st.integers(0, 2**32), st.sets(st.integers(1, 80)))
def test_trades_that_come_in_pieces(seed, cuts):
    """Trades, among which cancels fly as well."""
    draw, made = np.random.default_rng(seed), {}
    for symbol in SYMBOLS:
        ts = np.cumsum(draw.integers(0, 20_000, 40)).astype(np.int64)
        price = np.round(100.0 * np.exp(np.cumsum(draw.normal(size=40) * 0.002)), 1)
        side = np.where(draw.random(40) < 0.5, 1, -1)
        made[symbol] = {"ts": ts, "price": price, "quantity": draw.random(40) + 0.1, "side": side, "id": np.arange(40)}
    whole = merge_trades(made)
    assert_equal(run(cut(whole, cuts, GrowingTape), seed), run(whole, seed))


def test_rows_that_go_back_are_refused():
    """The feed orders rows; the engine is never shown one that happened before what it has seen."""
    whole = merge({"BTCUSDT": columns([(1.0, 1.0, 1.0, 1.0)] * 3)}, {"BTCUSDT": MINUTE})
    part = {"ts": whole.times[TS], "ts_event": whole.times[TS_EVENT], "symbol": whole.times[SYMBOL]}
    part |= {"ts_recv": whole.received, **dict(zip(("open", "high", "low", "close"), whole.prices, strict=True))}
    part |= whole.columns
    growing = GrowingBars(["BTCUSDT"], part, iter([{name: column[:1] for name, column in part.items()}]))
    with pytest.raises(
        DataError, match="BTCUSDT: the live feed hands on a row of 1970-01-01 00:01:00 after later ones"
    ):
        list(growing.arriving())
