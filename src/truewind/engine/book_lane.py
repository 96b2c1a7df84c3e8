"""The order-book lane: one strategy on one instrument's levels and trades.

A strategy is a Python object (`strategies.book.BookStrategy`) or a compiled callback `decide(wake, lane, state)`, which
uses the functions of `engine.book_desk`. Both run on the same kernels (`engine.book_loop`), so the same decisions
give the same fills, to the last unit.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal

import msgspec
import numpy as np
from pydantic import Field

from truewind.config import Settings
from truewind.domain.book import BOOK_EVENT, BookKind, Report
from truewind.domain.clock import iso
from truewind.domain.due import DUE
from truewind.domain.fill import FILL
from truewind.domain.instrument import Instrument, currency_precision, filters_row, instrument_row
from truewind.domain.order import Reason, SelfTrade, Status
from truewind.domain.ports import Journal
from truewind.domain.risk import VERDICT
from truewind.engine import book_desk
from truewind.engine.book_face import Desk
from truewind.engine.book_loop import END, ON_BOOK, ON_REPORT, ON_TIMER, ON_TRADE, advance, tidy
from truewind.engine.raised import raised
from truewind.errors import TruewindError, ValidationError
from truewind.execution.simulated.book_matching import equity_now
from truewind.execution.simulated.book_orders import note
from truewind.execution.simulated.book_resting import lift
from truewind.execution.simulated.book_state import MARK, REPORT, VENUE, BookState, Tape
from truewind.execution.simulated.latency import ROUND_TRIP, FeedSettings, LatencySettings, check_round_trips
from truewind.execution.simulated.queue import QueueSettings
from truewind.numerics.jit import generated
from truewind.portfolio.ledger import RATE_SCALE, prove
from truewind.portfolio.margin import Margin, MarginSettings
from truewind.portfolio.opening import check_bookable, units_of
from truewind.risk.gate import RiskSettings
from truewind.strategies.book import BookStrategy

Decide = Callable[[int, int, Any], None]
_WAKES = {"on_book": ON_BOOK, "on_trade": ON_TRADE, "on_report": ON_REPORT, "on_fill": ON_REPORT}
_FILLS = (Report.PARTIALLY_FILLED, Report.FILLED, Report.LIQUIDATED)
_LOOP = """
from truewind.engine.book_face import Desk
from truewind.engine.book_loop import advance
from truewind.numerics.jit import kernel


@kernel
def run(lane, state):
    while True:
        wake = advance(lane)
        if wake <= 0:
            return wake
        decide(wake, lane, state)
"""


@cache
def _loop(decide: Decide) -> Callable[[int, Any], int]:
    """The loop around a compiled strategy, made when it first runs."""
    run: Callable[[int, Any], int] = generated("book_lane", _LOOP, {"decide": decide}).run
    return run


class BookVenueSettings(Settings):
    """How the simulated venue of the order-book lane fills and answers.

    Without whole_fills, which is hftbacktest's no-partial-fill exchange, a resting order that is reached fills by what
    was traded or displayed.
    """

    whole_fills: bool = Field(
        default=False, description="a resting order that is reached fills whole, however little was traded (optimistic)"
    )
    self_trade: Literal["expire_taker", "expire_maker", "expire_both"] = Field(
        default="expire_taker", description="which of two orders of ours that would meet is ended"
    )
    queue: QueueSettings = Field(default=QueueSettings(), description="how an order's place in its queue is estimated")
    latency: LatencySettings = Field(default=LatencySettings(), description="how long orders and replies take")
    feed: FeedSettings = Field(default=FeedSettings(), description="how long market data take to us")
    burst: int = Field(default=64, ge=1, le=4096, description="requests that a strategy may send at one wake")
    sample_ms: float = Field(
        default=1000.0, ge=1.0, le=86_400_000.0, description="how often equity is written down, ms"
    )


class BookSettings(BookVenueSettings):
    """All that the lane goes by. Defaults: a Binance USD-M perpetual, near the venue (DESIGN §6).

    maker_fee, taker_fee: fraction of notional, where the margin terms bring no dated fees; a negative maker fee is a
    rebate. leverage: how often equity may be
    held, counting working orders as filled (1 on spot). risk: the house's own limits, which every order and amendment
    passes. seed: of all draws.
    """

    maker_fee: float = Field(default=0.0002, ge=-0.01, le=0.05)
    taker_fee: float = Field(default=0.0005, ge=0.0, le=0.05)
    leverage: float = Field(default=10.0, gt=0.0, le=125.0)
    risk: RiskSettings = RiskSettings()
    seed: int = 42

    def record(self) -> np.ndarray:
        """These rules as one VENUE record."""
        row = np.zeros(1, VENUE)
        row[0] = (
            int(self.queue.code),
            self.queue.exponent,
            int(self.whole_fills),
            int(SelfTrade[self.self_trade.upper()]),
        )
        return row

    @property
    def rates(self) -> tuple[int, int]:
        """Fees of maker and taker in 1e-8 of the notional."""
        return round(self.maker_fee * RATE_SCALE), round(self.taker_fee * RATE_SCALE)


class BookResult(msgspec.Struct, frozen=True):
    """What happened. fills, reports, samples: FILL, REPORT and SAMPLE rows (equity in ledger units, `scale` to one).
    verdicts: VERDICT rows of the orders that the risk gate has reduced or denied.

    crossed: messages of the data that left the book crossed. denied: orders that were not sent. stood_in: orders whose
    trigger was to wait for a mark or index price and waited for the traded one.
    """

    instrument: Instrument
    fills: np.ndarray
    reports: np.ndarray
    verdicts: np.ndarray
    samples: np.ndarray
    scale: int
    cash: float
    equity: float
    position: int
    crossed: int
    denied: int
    stood_in: int

    @property
    def orders(self) -> int:
        """How many orders were sent."""
        return int(np.count_nonzero(self.reports["kind"] == Report.SUBMITTED))


class BookLane:
    """One run over `events` (BOOK_EVENT rows, sorted by ts_event) with `cash` in the instrument's currency.

    margin: terms of this instrument alone; a flat maintenance rate if left out. funding: its DUE rows. marks,
    indices: MARK rows of mark and index price, by ts. Without marks margin goes by the middle of the book, as often as
    equity is written down; a trigger by a price that the run does not have waits for the traded one. round_trips:
    ROUND_TRIP rows, for latency.model "recorded". Raises ValidationError for events that no book can have, ConfigError
    for cash that the ledger cannot hold and for instruments that are not settled in their quote.
    """

    def __init__(
        self,
        events: np.ndarray,
        instrument: Instrument,
        *,
        cash: float,
        settings: BookSettings | None = None,
        margin: Margin | None = None,
        funding: np.ndarray | None = None,
        marks: np.ndarray | None = None,
        indices: np.ndarray | None = None,
        round_trips: np.ndarray | None = None,
    ) -> None:
        self.settings = settings or BookSettings()
        self.instrument = instrument
        check_events(events, instrument)
        check_bookable(instrument)
        self.scale = 10 ** currency_precision(instrument.currency)
        self._cash = units_of(cash, instrument.currency, self.scale)
        trips = np.zeros(1, ROUND_TRIP)
        if self.settings.latency.model == "recorded":
            trips = check_round_trips(np.zeros(0, ROUND_TRIP) if round_trips is None else round_trips)
        self._trips = trips
        self._margin = margin or MarginSettings().terms([instrument], {}, self.settings.leverage)
        self._funding = np.zeros(0, DUE) if funding is None else funding
        self._marks = np.zeros(0, MARK) if marks is None else marks
        self._indices = np.zeros(0, MARK) if indices is None else indices
        self._tape = Tape(self.settings.feed.apply(events, self.settings.seed))

    def run(self, strategy: BookStrategy, journal: Journal | None = None) -> BookResult:
        """Run a Python strategy. Raises StrategyError, with the time, if it raises.

        journal: is handed reports and fills; of a run that breaks off, those until then.
        """
        kind, called = type(strategy), strategy.called()
        wakes = 0
        for name, bit in (
            ("on_book", ON_BOOK),
            ("on_trade", ON_TRADE),
            ("on_report", ON_REPORT),
            ("on_fill", ON_REPORT),
        ):
            wakes |= bit if name in called else 0
        timer_us = strategy.timer_us if "on_timer" in called else 0
        state = self._state(wakes, timer_us)
        if timer_us:
            state.lane["timer_at"] = strategy.first_timer_us(int(state.lane["now"]))
        store = _Store(state, journal)
        handle = state.handle
        desk = strategy.desk = Desk(state, store.news)
        try:
            strategy.on_start()
            while (wake := advance(handle)) != END:
                if wake < 0:
                    store.make_room()
                elif wake == ON_TIMER:
                    strategy.on_timer()
                elif wake == ON_BOOK:
                    strategy.on_book()
                elif wake == ON_TRADE:
                    strategy.on_trade(book_desk.trade(handle))
                else:
                    report = book_desk.report(handle)
                    strategy.on_report(report)
                    if report.kind in _FILLS:
                        strategy.on_fill(report)
            store.make_room()
            strategy.on_stop()
        except TruewindError:
            store.drain()
            raise
        except Exception as error:
            store.drain()
            raise raised(kind.__name__, error, f"at {iso(desk.now_us)}", ts=desk.now_us) from error
        return self._finish(state, store)

    def run_compiled(
        self,
        decide: Decide,
        memory: np.ndarray,
        *,
        wakes: int = ON_TIMER,
        timer_us: int = 0,
        journal: Journal | None = None,
    ) -> BookResult:
        """Run a compiled strategy: `decide(wake, lane, memory)`, a kernel that is called at each of `wakes`.

        memory: the strategy's own array, which it may change. wakes: bits ON_BOOK, ON_TRADE, ON_REPORT of
        `engine.book_loop`; ON_TIMER comes whenever timer_us is not 0.
        """
        run = _loop(decide)
        state = self._state(wakes & ~ON_TIMER, timer_us)
        store = _Store(state, journal)
        while run(state.handle, memory) != END:
            store.make_room()
        return self._finish(state, store)

    def _state(self, wakes: int, timer_us: int) -> BookState:
        settings = self.settings
        return BookState(
            self._tape,
            instrument_row(self.instrument),
            filters_row(self.instrument),
            self._margin,
            self._funding,
            self._marks,
            self._indices,
            self._cash,
            self.scale,
            settings.record(),
            settings.rates,
            settings.risk.record(settings.leverage),
            settings.latency.record(settings.seed),
            self._trips,
            wakes=wakes,
            timer_us=timer_us,
            sample_us=round(settings.sample_ms * 1000),
            burst=settings.burst,
        )

    def _finish(self, state: BookState, store: "_Store") -> BookResult:
        """End what still works, and prove the books."""
        store.make_room()
        lane, orders = state.lane, state.arrays["book_orders"]
        resting, waiting = state.arrays["resting"][: lane["resting"]], state.arrays["waiting"][: lane["waiting"]]
        known = state.arrays["working"][: lane["working"]]
        held = known[orders["status"][known] == Status.HELD]
        for row in (*resting.tolist(), *waiting.tolist(), *held.tolist()):
            lift(state.handle, row)
            order = orders[row]
            left = int(order["lots"] - order["filled"])
            end = int(lane["end"])
            note(
                state.handle, row, int(Report.EXPIRED), end, end, int(order["ticks"]), left, 0, int(Reason.END_OF_DATA)
            )
        store.drain()
        fills, reports = _joined(store.fills, FILL), _joined(store.reports, REPORT)
        account, positions = state.arrays["account"], state.arrays["positions"]
        prove([fills], positions, account, instrument_row(self.instrument), [self.instrument.name])
        samples = state.arrays["samples"][: lane["samples"]].copy()
        return BookResult(
            instrument=self.instrument,
            fills=fills,
            reports=reports,
            verdicts=_joined(store.verdicts, VERDICT),
            samples=samples,
            scale=self.scale,
            cash=float(account[0]["cash"]) / self.scale,
            equity=float(equity_now(state.handle)) / self.scale,
            position=int(positions["lots"].sum()),
            crossed=int(lane["crossed"]),
            denied=int(lane["denied"]),
            stood_in=int(lane["stood_in"]),
        )


class _Store:
    """Takes what the kernels' buffers hold out of them, and makes them longer where they are too short."""

    def __init__(self, state: BookState, journal: Journal | None) -> None:
        self.state, self.journal = state, journal
        self.fills: list[np.ndarray] = []
        self.reports: list[np.ndarray] = []
        self.verdicts: list[np.ndarray] = []
        self._told = (0, 0)  # part and row of the first fill that `news` has not told

    def drain(self) -> None:
        """Keep what the buffers hold, and give the kernels new ones: cheaper than copying."""
        arrays, money = self.state.arrays, self.state.arrays["account"][0]
        buffers = ("verdicts", "verdicts", self.verdicts), ("reports", "events", self.reports)
        for name, used, kept in (("fills", "fills", self.fills), *buffers):
            rows = arrays[name][: money[used]]
            if not len(rows):
                continue
            kept.append(rows)
            if self.journal is not None:
                self.journal.rows(name.removesuffix("s"), rows)
            # Not zeros_like, which writes the zeros: these pages the system clears as they are used.
            arrays[name] = np.zeros(len(arrays[name]), arrays[name].dtype)
            money[used] = 0
        self.state.publish()

    def news(self) -> Iterator[np.void]:
        """The fills that were booked since this was last asked."""
        arrays = self.state.arrays
        parts = [*self.fills, arrays["fills"][: arrays["account"][0]["fills"]]]
        part, row = self._told
        for number in range(part, len(parts)):
            yield from parts[number][row:]
            row = 0
        last = len(parts) - 1
        self._told = (last, len(parts[last]))

    def make_room(self) -> None:
        """Empty the buffers; afterwards there is room for any one event or order."""
        state, lane = self.state, self.state.lane
        self.drain()
        tidy(state.handle)
        sides = state.books[0].sides
        ours = 2 * int(lane["resting"] + lane["tied"]) + int(lane["waiting"])
        acts = ours + int((sides["near"] + sides["far"]).sum()) + 128
        state.lengthen("fills", 2 * acts)
        state.lengthen("reports", 2 * (acts + int(lane["burst"])))
        state.lengthen("verdicts", int(lane["burst"]))
        state.lengthen("replies", int(lane["last_reply"]) + 2 * acts)
        kept = int(lane["burst"] + lane["waiting"] + lane["tied"])
        state.lengthen("requests", int(lane["last_request"]) + 2 * (kept + 2))
        state.lengthen("taken", int(lane["taken"]) + 2 * acts)
        for book in state.books:
            if book.is_nearly_full:
                book.grow()
        state.publish()


def _joined(parts: list[np.ndarray], layout: np.dtype) -> np.ndarray:
    """The parts as one array; a single one as it is."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, layout), *parts])


def check_events(events: np.ndarray, instrument: Instrument) -> None:
    """Refuse events that no book can have. Raises ValidationError naming the first such row."""
    if events.dtype != BOOK_EVENT:
        raise ValidationError(f"{instrument.id}: events are {events.dtype}", remedy="Give BOOK_EVENT rows")
    if not len(events):
        raise ValidationError(f"{instrument.id}: there are no events", remedy="Read a recording that holds some")
    kind, ts = events["kind"], events["ts_event"]
    priced = kind != BookKind.CLEAR
    rules = (
        ((kind < 0) | (kind > BookKind.QUOTE), "is of no known kind"),
        (np.concatenate([[False], ts[1:] < ts[:-1]]), "happened before the one before it"),
        (events["ts_recv"] < ts, "was received before it happened"),
        (priced & (events["ticks"] < 1), "has a price below one tick"),
        (events["lots"] < 0, "has a negative quantity"),
        (priced & (np.abs(events["side"]) != 1), "has a side that is neither 1 nor −1"),
    )
    for bad, what in rules:
        if bad.any():
            row = int(bad.argmax())
            raise ValidationError(
                f"{instrument.id}: event {row} at {iso(int(ts[row]))} {what} ({bad.sum()} such rows)",
                remedy="Quarantine such rows where the data are read",
                row=row,
            )
