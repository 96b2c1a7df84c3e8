"""A backtest on an order book: `data.kind: book` in a configuration."""

from pathlib import Path
from typing import Any

import numpy as np

from truewind.analytics.summary import summarise
from truewind.analytics.trades import round_trips
from truewind.backtest import book_tables, tables
from truewind.backtest.book_replay import replay_book
from truewind.backtest.decided import reason_names, with_book_prices
from truewind.backtest.folder import write_json, write_table
from truewind.backtest.round_trips import read_round_trips
from truewind.backtest.settings import BacktestSettings
from truewind.backtest.sources import sources
from truewind.domain.calendar import calendar
from truewind.domain.instrument import currency_precision, instrument_row
from truewind.domain.ports import Progress
from truewind.engine.book_lane import BookLane, BookResult, BookSettings, Decide
from truewind.engine.on_book import OnBook
from truewind.engine.quoting import decide_of
from truewind.errors import ConfigError, StrategyError
from truewind.market.terms import tiers_of
from truewind.storage.journal import JournalWriter
from truewind.storage.lake import Lake
from truewind.strategies.book import BookStrategy, load_book
from truewind.strategies.quoting import Quoter


class BookJob:
    """A backtest on an order book (see `backtest.run.Job`)."""

    def __init__(self, settings: BacktestSettings, lake: Lake) -> None:
        self.settings = settings
        self.strategy = load_book(settings.chosen.path, settings.chosen.params)
        source = replay_book(lake, settings.data)
        self._events, self.instrument = source.events, source.instrument
        self._runs = self._as_book_strategy()
        self._decide = _machine_face(settings.lane, self._runs)
        self.lane = "event" if self._decide is None else "compiled"
        if self.instrument.currency != settings.account.currency:
            raise ConfigError(
                f"{self.instrument.id} is settled in {self.instrument.currency}, the account is in "
                f"{settings.account.currency}",
                remedy=f"Set account.currency to {self.instrument.currency}",
            )
        risk = settings.risk
        if risk.reads() or risk.max_var or risk.max_shortfall or risk.stop_required:
            raise ConfigError(
                "A run on an order book has no bars to measure volatility on, and its orders do not say their stops",
                remedy="Leave risk.volatility_target, max_volatility, max_var, max_shortfall and stop_required out",
            )
        if unasked := risk.unasked_on_book():
            raise ConfigError(
                f"A run on an order book does not ask risk.{unasked[0]}",
                remedy=f"Leave {', '.join(unasked)} out: its breakers halt, and do not flatten",
            )
        self.snapshot, self.warnings = source.snapshot, source.warnings
        self._lake = lake
        margined = self.instrument.can_short
        self._lane = BookLane(
            source.events,
            self.instrument,
            cash=settings.account.cash,
            settings=book_settings(settings),
            margin=settings.margin_terms([self.instrument], tiers_of(lake, [self.instrument])),
            funding=source.funding,
            marks=source.marks,
            indices=source.indices,
            round_trips=read_round_trips(settings.book.latency, "book.latency"),
        )
        self.assumptions = [
            *assumptions(self._lane.settings, fixed=settings.costs.fees == "fixed"),
            *settings.costs.paid(),
            *(settings.margin.assumptions() if margined else []),
            *(mark_assumptions(len(source.marks) > 0) if margined else []),
        ]
        self._result: BookResult

    def _as_book_strategy(self) -> BookStrategy:
        """The strategy as the lane takes it."""
        if isinstance(self.strategy, BookStrategy):
            return self.strategy
        return OnBook(self.strategy, self.instrument, 10 ** currency_precision(self.instrument.currency))

    def run(self, journal: JournalWriter, tell: Progress) -> dict[str, Any]:
        """Run it; what the journal ends with."""
        tell("running", 0, len(self._events))
        self._result = self.play(journal)
        return {"fills": len(self._result.fills), "final_equity": self._result.equity}

    def play(self, journal: JournalWriter | None = None) -> BookResult:
        """Run it, and nothing else."""
        strategy = self._runs
        if isinstance(strategy, OnBook):
            strategy.journal = journal
        if self._decide is None:
            return self._lane.run(strategy, journal)
        return self._lane.run_compiled(
            self._decide, strategy.memory(), wakes=strategy.wakes, timer_us=strategy.timer_us, journal=journal
        )

    @property
    def times(self) -> np.ndarray:
        """When each row of the book happened, µs."""
        times: np.ndarray = self._events["ts_event"]
        return times

    def write(self, run_dir: Path) -> tuple[dict[str, Any], list[str]]:
        """Write the tables and the summary; the summary, and what the reader must know of refused orders."""
        write_json(run_dir / "data.json", sources(self._lake, self.snapshot))
        result, cash = self._result, self.settings.account.cash
        instrument = self.instrument
        units = tables.Units([instrument], instrument_row(instrument), result.scale)
        fills, orders = tables.fills_table(result.fills, units), book_tables.orders_table(result, units)
        orders = with_book_prices(orders, self._events, result, units)
        equity = book_tables.equity_table(result, units, cash)
        last = {instrument.symbol: float(result.samples["mid"][-1]) if len(result.samples) else np.nan}
        inverse = {instrument.symbol} if instrument.inverse else set()
        trades = round_trips(fills, orders, last, {instrument.symbol: float(instrument.multiplier)}, inverse)
        benchmark = book_tables.benchmark_table(result, cash)
        year = calendar(instrument.calendar).days_per_year
        leverage = self.settings.account.leverage if instrument.can_short else None
        summary = summarise(
            equity, trades, fills, orders, initial=cash, days_per_year=year, benchmark=benchmark, leverage=leverage
        )
        written = {
            "equity": equity, "trades": trades, "fills": fills, "orders": orders, "benchmark": benchmark,
            "candles": book_tables.candles_table(self._events, result, units),
            "verdicts": tables.verdicts_table(result.verdicts, units),
        }  # fmt: skip
        summary["reasons"] = reason_names({"orders": orders, "fills": fills}, [self.strategy])
        for name, table in written.items():
            write_table(run_dir / f"{name}.parquet", table)
        write_json(run_dir / "summary.json", summary)
        refused = tables.refusals(orders, [instrument])
        held_back = written["verdicts"].group_by("ruling", "reason").len().sort("ruling", "reason")
        for ruling, reason, count in held_back.iter_rows():
            refused.append(f"{count} orders were {ruling} by the risk gate ({reason.replace('_', ' ')})")
        if result.denied > (denied := int((result.verdicts["order"] == 0).sum())):
            refused.append(f"{result.denied - denied} orders were not sent: they were none, or too many at one wake")
        if result.stood_in:
            refused.append(
                f"{result.stood_in} triggers by mark or index price waited for the traded one: the lake has none of it"
            )
        return summary, refused


def book_settings(settings: BacktestSettings) -> BookSettings:
    """What the lane goes by: the `book` part, with fees, leverage, limits and seed of the whole configuration."""
    return BookSettings.model_validate(
        {
            **{name: getattr(settings.book, name) for name in type(settings.book).model_fields},
            "maker_fee": settings.costs.maker_fee,
            "taker_fee": settings.costs.taker_fee,
            "leverage": settings.account.leverage,
            "risk": settings.risk,
            "seed": settings.seed,
        }
    )


def assumptions(settings: BookSettings, *, fixed: bool) -> list[str]:
    """What the simulated venue takes for granted, in words, for the report. fixed: fees are those of the settings."""
    maker, taker = (f" ({rate:.4%})" if fixed else "" for rate in (settings.maker_fee, settings.taker_fee))
    latency, queue, feed = settings.latency, settings.queue, settings.feed
    reached = (
        "fills whole as soon as it is reached"
        if settings.whole_fills
        else "fills by what was traded beyond those before it, or displayed at its price"
    )
    cancelled = {
        "conservative": "all cancellations are behind it",
        "power": f"cancellations fall on both sides like ahead^{queue.exponent:g} to behind^{queue.exponent:g}",
        "log": "cancellations fall on both sides like log(1 + ahead) to log(1 + behind)",
    }[queue.model]
    times = {
        "recorded": "as it was measured",
        "constant": f"{latency.entry_ms:g} ms to the venue and {latency.reply_ms:g} ms back",
        "lognormal": f"lognormal around {latency.entry_ms:g} ms to the venue and {latency.reply_ms:g} ms back",
    }[latency.model]
    seen = "when it was received" if feed.model == "recorded" else f"{feed.model}ly {feed.delay_ms:g} ms late"
    return [
        "The recorded market does not react to our orders. What one of them takes is gone for the others until the "
        "venue shows the level anew.",
        f"An order that takes walks the displayed levels, as taker{taker}; one that rests joins "
        f"behind all that is displayed, {reached}, as maker{maker}. Of its queue: {cancelled}.",
        f"An order's latency is {times}, plus {latency.load_ms:g} ms for each thousand events a second; the market is "
        f"seen {seen}{'' if feed.in_order else ', in the order in which messages happen to come'}.",
    ]


def mark_assumptions(marked: bool) -> list[str]:
    """By which price margin goes, in words."""
    price = "opens and closes of mark bars" if marked else "the middle of the book, at each sample of equity"
    return [
        f"The mark price is known by {price}; in between nobody is liquidated. What is taken away is sold into the "
        "displayed book; the rest the insurance fund takes over at the bankruptcy price."
    ]


def _machine_face(lane: str, strategy: BookStrategy) -> Decide | None:
    """The strategy's `decide` if it is to run as machine code. Raises StrategyError where it has none for the lane."""
    decide = decide_of(type(strategy).quote) if isinstance(strategy, Quoter) else type(strategy).decide
    if lane == "compiled" and decide is None:
        raise StrategyError(
            f"{type(strategy).__name__} has no decide, the face for machine code",
            remedy="Run it in the event lane (lane: event), or give it one",
        )
    return None if lane == "event" else decide
