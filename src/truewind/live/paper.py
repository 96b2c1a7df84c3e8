"""A paper session: the engine that backtests run, fed by live streams; orders fill on the simulated venue.

    streams ─► Feed (order, features) ─► GrowingBars / GrowingTape ─► Engine ─► tables, report
                                  └────────► journal: every row before the engine sees it, every order and fill after

What the journal holds is enough to run the session again as a backtest: `live.audit` does so and compares.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from truewind.backtest.assembly import assumptions, engine_for, features_of, the_strategy
from truewind.backtest.reads import fields_of
from truewind.backtest.results import write_results
from truewind.backtest.run import run_job
from truewind.backtest.settings import BacktestSettings
from truewind.domain.clock import VenueClock, iso
from truewind.domain.due import DueKind, due_rows
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.market import Bar, Funding, Trade
from truewind.domain.order import Reason
from truewind.domain.ports import Progress
from truewind.domain.result import Result
from truewind.domain.risk import Command
from truewind.domain.timeframe import timeframe_us
from truewind.engine.growing import GrowingBars, GrowingTape, Rows
from truewind.errors import ConfigError, EmptyRangeError, MissingFileError, NetworkError, UnknownSeriesError
from truewind.features import history, parse_spec
from truewind.features.base import ancestors
from truewind.features.streaming import Stream
from truewind.live.feed import BAR_COLUMNS, MARK_COLUMNS, TRADE_COLUMNS, Feed
from truewind.live.marks import Marks
from truewind.live.switches import Switches
from truewind.market.stream.events import MarkPrice
from truewind.portfolio.ledger import RATE_SCALE
from truewind.storage.journal import JournalWriter
from truewind.storage.lake import Lake
from truewind.storage.latches import Latch, LatchBook, described
from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import Snapshot
from truewind.storage.trials import TrialLedger

Events = AbstractAsyncContextManager[AsyncIterator[Any]]
Bring = Callable[[Sequence[SeriesKey], int, int], list[str]]  # series, from, to → what could not be had, in words
PATIENCE_US = 2_000_000
LONG_HISTORY = 1000  # bars
_FUNDING = np.dtype([("symbol", np.int64), ("ts", np.int64), ("rate", np.float64), ("mark_price", np.float64)])
_ROW = ("ts", "ts_event", "ts_recv", "symbol")


def session_settings(settings: BacktestSettings) -> BacktestSettings:
    """`settings` as a session has them: from now on, in the event lane.

    Raises ConfigError for what needs data that no stream brings.
    """
    data, account = settings.data, settings.account
    refused = {
        f"data.kind: {data.kind}": data.kind not in ("bars", "trades"),
        "data.inner_timeframe": bool(data.inner_timeframe),
        f"symbols of {' and '.join(data.venues)}": data.venues != (data.venue,),
        "account.collateral": bool(account.collateral),
        "account.rates": bool(account.rates),
        "account.settled_only": account.settled_only,
        "feed": settings.feed.model != "recorded" or settings.feed.late_share > 0.0 or settings.feed.load_ms > 0.0,
    }
    for what, is_refused in refused.items():
        if is_refused:
            raise ConfigError(
                f"A paper session cannot have {what}",
                remedy="It hears bars or trades as they come, on one account in one currency: leave it out",
            )
    mark = "last" if data.kind == "trades" else data.mark
    data = data.model_copy(update={"start": None, "end": None, "mark": mark, "index": "last"})
    return settings.model_copy(update={"data": data, "lane": "event"})


class Line(threading.Thread):
    """The thread in which streams are read into a feed. error: what ended it before it was told to end."""

    def __init__(self, events: Callable[[], Events], feed: Feed, wanted: tuple[type[Any], ...]) -> None:
        super().__init__(name="streams", daemon=True)
        self.error: Exception | None = None
        self._events, self._feed, self._wanted = events, feed, wanted
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):  # it was told to end
                asyncio.run(self._main())
        except Exception as error:
            self.error = error
        finally:
            self._feed.close()

    def end(self) -> None:
        """Close the streams, and wait until they are."""
        if self._loop is not None and self._task is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(10.0)

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with self._events() as events:
            async for event in events:
                if isinstance(event, self._wanted):
                    self._feed.put(event)


class PaperJob:
    """A session that hears its feed; see `backtest.run.Job`.

    events: opens the streams. lake: where bars are that warm features up; bring: gets those into it that are missing.
    length_us: of market time, None: until it is told to end (`stop`). Building it waits until every symbol has been
    heard of. book: the latch file of the account: what has tripped stays so, and what a person does to it meanwhile is
    obeyed at once. Raises CorruptError if it is damaged.
    """

    lane = "event"
    snapshot = Snapshot("live", ())

    def __init__(
        self,
        settings: BacktestSettings,
        instruments: Sequence[Instrument],
        lake: Lake,
        events: Callable[[], Events],
        clock: VenueClock,
        *,
        length_us: int | None = None,
        patience_us: int = PATIENCE_US,
        bring: Bring | None = None,
        book: LatchBook | None = None,
    ) -> None:
        self.settings, self.clock = settings, clock
        self._switches = Switches(book) if book is not None else None
        self.strategy = the_strategy(settings)
        self.instruments = list(instruments)
        data, reads = settings.data, features_of(self.strategy) | settings.risk.reads()
        self._on_bars = data.kind == "bars"
        if reads and not self._on_bars:
            raise ConfigError("A session on trades has no bars to compute features on", remedy="Use kind: bars")
        _heard(reads)
        streams = {symbol: Stream(list(reads.values()), timeframe=data.timeframe) for symbol in data.symbols}
        self.feed = Feed(
            data.symbols,
            clock,
            patience_us,
            length_us=length_us,
            streams=streams if reads else None,
            fields=fields_of(reads),
            marks=Marks(data.symbols, timeframe_us(data.timeframe)) if listens_to_marks(settings) else None,
        )
        self.warnings: list[str] = []
        self.assumptions = [*assumptions(settings, instruments), *_left_out(settings, instruments)]
        self._journal: JournalWriter | None = None
        self._kept = 0  # latches of the engine that are in the file
        self._warmth: dict[str, dict[str, np.ndarray]] = {}
        self._line = Line(events, self.feed, (Bar if self._on_bars else Trade, MarkPrice))
        self._line.start()
        try:
            first = self.feed.first()
            missing = [symbol for symbol in data.symbols if symbol not in {event.symbol for event in first}]
            if missing:
                raise self._line.error or NetworkError(
                    f"The feed ended before anything of {', '.join(missing)} came", remedy="See data.symbols and --for"
                )
            self.start_us = first[0].ts
            if reads:
                self._warm_up(lake, list(reads.values()), streams, bring)
            self._first = self.feed.table(first)
            growing = GrowingBars if self._on_bars else GrowingTape
            self._timeline = growing(data.symbols, self._first, self._rows())
            self.engine = engine_for(settings, self._timeline, instruments, self.strategy)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the session: what was heard is still acted on."""
        self.feed.close()
        self._line.end()

    def run(self, journal: JournalWriter, tell: Progress) -> dict[str, Any]:
        self._journal = self.engine.journal = journal
        journal.record("session", start=self.start_us, instruments=self.instruments, symbols=self.settings.data.symbols)
        for symbol, columns in self._warmth.items():
            index = np.full(len(columns["ts"]), self.settings.data.symbols.index(symbol))
            journal.rows("warm", _packed({**columns, "symbol": index}))
        self._note(self._first)
        if self._switches is not None:
            self.engine.command(self._latched())
            self._switches.watch(self.feed.call)
        try:
            self.engine.run(lambda done, total: tell("rows heard", done, 0))
        finally:
            self.stop()
            self._keep_latches()
            if self._switches is not None:
                self._switches.end()
        heard = {"rows": self.feed.count, "late": self.feed.orderer.dropped + self.feed.orderer.lifted}
        if self._line.error is not None:
            self.warnings.append(f"The feed ended by itself: {self._line.error}")
        if heard["late"]:
            self.warnings.append(f"{heard['late']} rows came after later ones had been acted on")
        return heard | {"fills": len(self.engine.fills), "final_equity": float(self.engine.equity[-1])}

    def write(self, run_dir: Path) -> tuple[dict[str, Any], list[str]]:
        return write_results(run_dir, self.engine, self.settings)

    def _rows(self) -> Iterator[Rows]:
        """The feed's rows, each written down before the engine sees it."""
        rows = self.feed.rows()
        while True:
            self._flush()  # what the engine did on those before, while we wait
            self._keep_latches()
            self._obey()
            following = next(rows, None)
            if following is None:
                return
            if not following:  # somebody has called
                continue
            for due in self.feed.funded():
                self._fund(due)
            self._note(following)
            yield following

    def _latched(self) -> list[Command]:
        """What had tripped before the session began, for the engine; written down for the audit."""
        found = [] if self._switches is None else self._switches.known
        self.warnings += [f"Nothing is opened until a person releases it: {described(one)}" for one in found]
        return [self._command(-1, self.start_us, one, False) for one in found]

    def _obey(self) -> None:
        """Let the engine do what a person has told the breakers, after the rows that it has seen."""
        for one, released in [] if self._switches is None else self._switches.told():
            now = max(self.clock.now_us(), int(self._timeline.received[-1]))
            self.engine.obey(self._command(len(self._timeline) - 1, now, one, released))
            self._flush()

    def _command(self, row: int, ts: int, one: Latch, released: bool) -> Command:
        command = Command(row, ts, Reason[one.rule.upper()], one.symbol, released)
        if self._journal is not None:
            told = command._asdict() | {"rule": command.rule.name, "who": one.who, "why": one.why}
            self._journal.record("command", **told)
        return command

    def _keep_latches(self) -> None:
        """Write what has tripped into the latch file, from where only a person takes it."""
        fresh, self._kept = self.engine.latches[self._kept :], len(self.engine.latches)
        if self._switches is not None:
            self._switches.keep([self._latch(row) for row in fresh if not row["released"]])

    def _latch(self, row: np.void) -> Latch:
        symbol = self.settings.data.symbols[row["symbol"]] if row["symbol"] >= 0 else ""
        return Latch(
            Reason(int(row["rule"])).name.lower(), symbol, int(row["ts"]), float(row["value"]), float(row["limit"]),
            who="session", why=self.settings.name,
        )  # fmt: skip

    def _fund(self, due: Funding) -> None:
        """Funding has fallen due: write it down, and let the engine pay it with the rows to come."""
        symbol = self.settings.data.symbols.index(due.symbol)
        if self._journal is not None:
            told = np.zeros(1, _FUNDING)
            told[0] = symbol, due.ts_event, due.rate, due.mark_price
            self._journal.rows("funding", told)
        tick = float(self.instruments[symbol].tick_size)
        price, rate = round(due.mark_price / tick), round(due.rate * RATE_SCALE)
        self._timeline.fall_due(due.symbol, due_rows(DueKind.FUNDING, due.ts_event, rate, price=price))

    def _note(self, rows: Mapping[str, np.ndarray]) -> None:
        if self._journal is not None:
            kind = "bar" if self._on_bars else "trade"
            own = (*_ROW, *(BAR_COLUMNS if self._on_bars else TRADE_COLUMNS), *MARK_COLUMNS)
            self._journal.rows(kind, _packed({name: rows[name] for name in own if name in rows}))
            self._flush()

    def _flush(self) -> None:
        if self._journal is not None:
            self._journal.flush()

    def _warm_up(self, lake: Lake, specs: Sequence[str], streams: Mapping[str, Stream], bring: Bring | None) -> None:
        """Run the features over the lake's bars before the session, as a backtest that starts here does."""
        data, length = self.settings.data, timeframe_us(self.settings.data.timeframe)
        needed = history(specs, data.timeframe)
        if bring is not None:  # of features that need all there is, some is better than none
            keys = [SeriesKey("bars", data.venue, symbol, data.timeframe) for symbol in streams]
            self.warnings += bring(keys, self.start_us - (needed or LONG_HISTORY) * length, self.start_us)
        for symbol, stream in streams.items():
            key = SeriesKey("bars", data.venue, symbol, data.timeframe)
            begin = None if needed is None else self.start_us - needed * length
            try:
                table = lake.read(key, start_us=begin, end_us=self.start_us)
            except (UnknownSeriesError, EmptyRangeError, MissingFileError):
                self.warnings.append(f"{symbol}: no bars before {iso(self.start_us)}: features begin without history")
                continue
            columns = {"ts": table["ts"].to_physical().to_numpy()}
            for name in BAR_COLUMNS:
                known = name in table.columns
                columns[name] = table[name].fill_null(np.nan).to_numpy() if known else np.full(len(table), np.nan)
            if int(columns["ts"][-1]) + length < self.start_us:
                last = iso(int(columns["ts"][-1]))
                self.warnings.append(f"{symbol}: bars are missing between {last} and {iso(self.start_us)}")
            stream.extend(columns)
            self._warmth[symbol] = columns


def _heard(reads: Mapping[str, str]) -> None:
    """Raises ConfigError for features that read what no bar of their own symbol has."""
    for field, spec in reads.items():
        feature = parse_spec(spec)
        parts = (*ancestors(feature), feature)
        sources = {source for part in parts for source in part.sources if isinstance(source, str)}
        unheard = sorted(sources - {"ts", *BAR_COLUMNS}) or [one.name for one in parts if one.across]
        if unheard:
            raise ConfigError(
                f"Feature '{field}', {spec}, reads {', '.join(unheard)}, which a session's bars do not have",
                remedy="A session computes features of each symbol's own bars: run a backtest, or read less",
            )


def listens_to_marks(settings: BacktestSettings) -> bool:
    """Whether a session hears mark prices, which tell funding, too: on bars, but where data.mark does without."""
    return settings.data.kind == "bars" and settings.data.mark == "auto"


def _left_out(settings: BacktestSettings, instruments: Sequence[Instrument]) -> list[str]:
    """What a session does not know of, in words."""
    if listens_to_marks(settings) or all(instrument.kind is not Kind.PERPETUAL for instrument in instruments):
        return []
    return ["Funding is not paid, and margin goes by traded prices: this session does not listen to mark prices."]


def _packed(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Columns as rows of a structured array."""
    rows = np.zeros(len(columns["ts"]), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    return rows


def run_session(job: PaperJob, runs: str | Path, tell: Progress, ledger: TrialLedger | None = None) -> Result:
    """Run a session to its end, write its folder, and record it in `ledger` if there is one."""
    return run_job(job, job.settings, runs, tell, ledger=ledger, kind="paper")
