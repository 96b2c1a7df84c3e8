"""Scripted trading for tests: bars of four numbers each, a strategy that does as the test says, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.due import DueKind, due_rows, in_order
from truewind.domain.fill import FillKind
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import OrderType, Reason, Side, Status
from truewind.engine.engine import Engine
from truewind.engine.merge import TS_EVENT, merge
from truewind.execution.simulated.costs import CostSettings
from truewind.execution.simulated.latency import ROUND_TRIP, Latency, OrderLatency, RowFeed
from truewind.portfolio.margin import Margin, MarginSettings
from truewind.risk.gate import RiskSettings
from truewind.strategies.base import Strategy

MINUTE = 60_000_000
Act = Callable[["Scripted"], Any]
Candle = tuple[float, float, float, float]


class Scripted(Strategy):
    """Does `acts[row]` when bar `row` of the timeline has closed (-1: at the start), and remembers what it was told."""

    def __init__(self, acts: Mapping[int, Act], on_fill: Callable[["Scripted", Any], Any] | None = None) -> None:
        super().__init__()
        self.acts, self.react = acts, on_fill
        self.row = -1
        self.bars: list[Any] = []
        self.told: list[Any] = []
        self.ids: list[int] = []

    def on_start(self) -> None:
        self._act()

    def on_bar(self, bar: Any) -> None:
        self.row += 1
        self.bars.append(bar)
        self._act()

    def on_fill(self, fill: Any) -> None:
        self.told.append(fill)
        if self.react is not None:
            self.react(self, fill)

    def order(self, side: Any, quantity: float, **how: Any) -> int:
        self.ids.append(super().order(side, quantity, **how))
        return self.ids[-1]

    def _act(self) -> None:
        if self.row in self.acts:
            self.acts[self.row](self)


class Done(NamedTuple):
    """One fill as a test compares it: quantities in lots, money in ledger units."""

    row: int
    kind: str
    side: int
    price: float
    lots: int
    maker: bool = False


def perpetual(symbol: str = "BTCUSDT", *, tick: str = "0.1", lot: str = "0.001", **more: Any) -> Instrument:
    settings: dict[str, Any] = {"venue": "test", "kind": Kind.PERPETUAL, "base": symbol[:3], "quote": "USDT"}
    return Instrument(symbol=symbol, tick_size=Decimal(tick), lot_size=Decimal(lot), **settings | more)


def spot(symbol: str = "BTCUSDT", **more: Any) -> Instrument:
    return perpetual(symbol, kind=Kind.SPOT, **more)


def columns(candles: Sequence[Candle], *, start: int = 0, step: int = MINUTE) -> dict[str, np.ndarray]:
    """Bars from (open, high, low, close), one every `step` µs from `start` on."""
    table = np.array(candles, np.float64).reshape(len(candles), 4)
    named = dict(zip(("open", "high", "low", "close"), table.T.copy(), strict=True))
    return {"ts": start + step * np.arange(len(table), dtype=np.int64), **named, "volume": np.ones(len(table))}


def flat(price: float) -> Candle:
    return (price, price, price, price)


def free(**costs: Any) -> CostSettings:
    """No costs at all, but for those given."""
    none = {
        "maker_fee": 0.0,
        "taker_fee": 0.0,
        "half_spread_bps": 0.0,
        "impact": 0.0,
        "volume_share": None,
    }
    return CostSettings(**none | costs)


QUICK = OrderLatency(entry_ms=0.0)
WHOLE = MarginSettings(liquidation_fee=0.0, partial=False)  # a liquidation costs nothing and takes all there is
UNLIMITED = RiskSettings.unlimited()


def bracketed(strategy: Any, parent: int, side: int, *, stop: float, target: float | None = None) -> int:
    """Exits of one unit for the order `parent`, wherever they lie: the risk gate, asked with it, would deny some."""
    for kind, price in ((OrderType.STOP, stop), (OrderType.LIMIT, target)):
        if price is not None:
            strategy.desk.submit("BTCUSDT", Side(side), 1, kind, price, reduce_only=True, parent=parent)
    return parent


def by_symbol(bars: Sequence[Candle] | Mapping[str, Any], step: int) -> dict[str, dict[str, np.ndarray]]:
    """Columns by symbol, from columns or candles by symbol, or from candles of BTCUSDT."""
    given = bars if isinstance(bars, Mapping) else {"BTCUSDT": bars}
    return {
        symbol: dict(table) if isinstance(table, Mapping) else columns(table, step=step)
        for symbol, table in given.items()
    }


def build(
    bars: Sequence[Candle] | Mapping[str, Any],
    strategy: Strategy | Mapping[int, Act],
    *,
    instruments: Sequence[Instrument] | None = None,
    step: int = MINUTE,
    steps: Mapping[str, int] | None = None,
    cash: float = 1_000_000.0,
    currency: str = "USDT",
    costs: CostSettings | None = None,
    margin: MarginSettings | Margin = WHOLE,
    limits: RiskSettings = UNLIMITED,
    leverage: float = 20.0,
    gate_leverage: float | None = None,
    funding: Mapping[str, Sequence[tuple[int, float, float]]] | None = None,
    dues: Mapping[str, np.ndarray] | None = None,
    rates: Mapping[str, np.ndarray] | None = None,
    collateral: Any = None,
    settling: Any = None,
    marks: Sequence[Candle] | Mapping[str, Any] | None = None,
    indices: Sequence[Candle] | Mapping[str, Any] | None = None,
    journal: Any = None,
    seed: int = 42,
    latency: OrderLatency = QUICK,
    feed: RowFeed | None = None,
) -> Engine:
    """An engine on these bars: candles of BTCUSDT, or columns (or candles) by symbol.

    funding: (ts, rate, mark price or 0) by symbol. dues: further DUE rows by symbol, rates: RATE rows.
    gate_leverage: what the risk gate goes by if not `leverage`. marks, indices: as bars, of
    the mark and the index price.
    """
    made = by_symbol(bars, step)
    beside = [None if layer is None else by_symbol(layer, step) for layer in (marks, indices)]
    timeline = merge(made, steps or dict.fromkeys(made, step), *beside)
    if feed is not None:
        timeline.receive(feed.received(timeline.times[TS_EVENT], seed))
    traded = list(instruments) if instruments is not None else [perpetual(symbol) for symbol in made]
    rows = {}
    for symbol, due in (funding or {}).items():
        tick = float(next(i for i in traded if i.symbol == symbol).tick_size)
        times, shares, prices = zip(*due, strict=True) if due else ((), (), ())
        shares, prices = [round(share * 1e8) for share in shares], [round(price / tick) for price in prices]
        rows[symbol] = due_rows(DueKind.FUNDING, times, shares, price=prices)
    return Engine(
        timeline,
        traded,
        strategy if isinstance(strategy, Strategy) else Scripted(strategy),
        cash=cash,
        currency=currency,
        costs=(costs or free()).record(leverage, seed),
        limits=limits.record(gate_leverage or leverage),
        margin=margin.terms(traded, {}, leverage) if isinstance(margin, MarginSettings) else margin,
        dues={symbol: in_order(*(table[symbol] for table in (rows, dues or {}) if symbol in table)) for symbol in made},
        rates=rates,
        collateral=collateral,
        settling=settling,
        journal=journal,
        latency=Latency(latency.record(seed), np.zeros(0, ROUND_TRIP)),
    )


def play(bars: Sequence[Candle] | Mapping[str, Any], strategy: Strategy | Mapping[int, Act], **how: Any) -> Engine:
    """`build`, then run to the end."""
    engine = build(bars, strategy, **how)
    engine.run()
    return engine


def done(engine: Engine, symbol: str | None = None) -> list[Done]:
    """The fills of a run, in the order in which they were booked."""
    kinds = {FillKind.TRADE: "trade", FillKind.FUNDING: "funding", FillKind.LIQUIDATION: "liquidation"}
    kinds |= {FillKind.INSURANCE: "insurance", FillKind.DIVIDEND: "dividend", FillKind.BORROW: "borrow"}
    kinds |= {FillKind.SWAP: "swap", FillKind.SPLIT: "split", FillKind.SETTLEMENT: "settlement"}
    found = []
    for fill in engine.fills:
        instrument = engine.instruments[int(fill["symbol"])]
        if symbol in (None, instrument.symbol):
            price = float(instrument.price(fill["price"]))
            found.append(
                Done(
                    int(fill["row"]),
                    kinds[int(fill["kind"])],
                    int(fill["side"]),
                    price,
                    int(fill["lots"]),
                    bool(fill["maker"]),
                )
            )
    return found


def fates(engine: Engine) -> dict[int, tuple[Status, Reason]]:
    """How each order stands after the last of its events, and the last reason that was given."""
    found: dict[int, tuple[Status, Reason]] = {}
    for event in engine.events:
        number, reason = int(event["order"]), Reason(int(event["reason"]))
        before = found.get(number, (Status.NEW, Reason.NONE))[1]
        found[number] = (Status(int(event["status"])), reason or before)
    return found


def final_cash(engine: Engine) -> float:
    """The wallet after the run, in the account's currency."""
    return int(engine.state.account[0]["cash"]) / engine.state.scale
