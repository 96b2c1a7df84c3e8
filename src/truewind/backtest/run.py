"""A backtest from config to report: `run` is what the CLI and `truewind.run` call.

    config → data (lake) → engine → tables → summary → report, all in runs/<run_id>/

Every file but `run.json` is a pure function of data, config and code: two equal runs leave equal bytes. `trials.json`,
and by it the report's judgement of luck, follow from the ledger as well, which grows with every idea that is tried.
"""

import hashlib
import platform
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import orjson
import polars as pl
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from truewind import log
from truewind.analytics import tearsheet
from truewind.analytics.excursions import with_excursions
from truewind.analytics.summary import summarise
from truewind.analytics.trades import round_trips
from truewind.analytics.withheld import by_rule, outcomes
from truewind.backtest import tables
from truewind.backtest.book_run import BookJob
from truewind.backtest.decided import entries_table, reason_names, with_prices
from truewind.backtest.dues import FinancingSettings
from truewind.backtest.folder import code_version, make_folder, new_run_id, utc, wall, write, write_json, write_table
from truewind.backtest.rates import AssetSettings, RateSettings
from truewind.backtest.reads import fields_of, named
from truewind.backtest.recording import record, trial_of
from truewind.backtest.replay import DataSettings, chosen_members, replay
from truewind.backtest.round_trips import read_round_trips
from truewind.backtest.shadow import market, minds
from truewind.backtest.sources import sources
from truewind.backtest.standin import supply
from truewind.config import Settings, dump, override, parse, read_yaml, to_yaml
from truewind.domain.calendar import calendar
from truewind.domain.clock import WallClock
from truewind.domain.instrument import Instrument
from truewind.domain.result import Result
from truewind.domain.terms import FeeRates, TierTable
from truewind.engine.book_lane import BookVenueSettings
from truewind.engine.compiled import CompiledEngine, build
from truewind.engine.engine import Engine
from truewind.engine.merge import CLOSE, SYMBOL, TS, TS_EVENT, Timeline
from truewind.engine.portfolio import Member, PortfolioEngine, Team
from truewind.errors import ConfigError, StorageError, TruewindError
from truewind.execution.simulated.costs import CostSettings
from truewind.execution.simulated.latency import Latency, OrderLatency, RowFeed
from truewind.market.terms import tiers_of
from truewind.portfolio.fees import divisible, fee_rows, with_fees
from truewind.portfolio.margin import Margin, MarginSettings
from truewind.risk.gate import RiskSettings
from truewind.storage.journal import JournalWriter
from truewind.storage.lake import Lake
from truewind.storage.snapshot import Snapshot
from truewind.storage.trials import Trial, TrialLedger, open_ledger
from truewind.strategies.base import Strategy, load
from truewind.strategies.fitted import Fitted, in_training
from truewind.strategies.parts import PartsSettings, assemble
from truewind.strategies.sizing import SizingSettings
from truewind.venues.binance.terms import bnb_discount, fee_tables, known_tiers

Progress = Callable[[str, int, int], None]
_OF_OTHERS = ("sweep", "gate")  # of a config: read by `truewind sweep` and `truewind validate`


class StrategySettings(Settings):
    """path: "package.module:Name" or "file.py:Name", a Strategy class or a decide function. params: its parameters.

    parts: instead of both, a strategy put together here; see `strategies.parts`.
    """

    path: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    parts: PartsSettings | None = None

    @model_validator(mode="after")
    def _path_or_parts(self) -> "StrategySettings":
        if bool(self.path) == (self.parts is not None) or (self.parts is not None and self.params):
            raise ValueError("give a path (and params), or parts, which have their settings in themselves")
        return self

    @model_serializer(mode="wrap")
    def _as_given(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        unused = ("path", "params") if self.parts is not None else ("parts",)
        return {name: value for name, value in dump(self).items() if name not in unused}

    @property
    def shown(self) -> str:
        """What it is, for people."""
        if self.parts is None:
            return self.path
        return f"parts: {', '.join(choice.name for choice in self.parts.choices())}"

    def load(self) -> Strategy:
        """The strategy. Raises ConfigError."""
        return load(self.path, self.params) if self.parts is None else assemble(self.parts)


class MemberSettings(StrategySettings):
    """One strategy of several on the same account.

    name: as in the report. symbols: those of data.symbols that it sees and trades; left out: all. sizing: its own.
    allocation: what part of the account's equity it may use: it sizes by it, and the risk limits hold for it as well.
    """

    name: str
    symbols: tuple[str, ...] = ()
    sizing: SizingSettings = SizingSettings()
    allocation: float = Field(default=1.0, gt=0.0, le=1.0)


class AccountSettings(Settings):
    """cash: what the account starts with, in `currency`. leverage: initial margin is notional ÷ leverage.

    rates: for instruments settled in other currencies, the bars that say what these are worth, by currency; left out:
    the pair, as the lake has it. collateral: other currencies that it has, which count as margin.
    settled_only: shares are paid for with settled money only, as in a US cash account (T+3, T+2, T+1 by date).
    name: by which live and paper sessions keep what breakers of this account have tripped.
    """

    cash: float = Field(default=10_000.0, gt=0.0, le=1e12)
    currency: str = "USDT"
    leverage: float = Field(default=10.0, ge=1.0, le=20.0)
    rates: dict[str, RateSettings] = Field(default_factory=dict)
    collateral: dict[str, AssetSettings] = Field(default_factory=dict)
    settled_only: bool = False
    name: str = Field(default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")


class BacktestSettings(Settings):
    """A backtest, whole: its result follows from these settings, the data snapshot and the code.

    strategy, or strategies: one, or several that share the account (in the event lane). sizing is that of `strategy`.
    book: how orders fill in a run on an order book (data.kind: book); costs then says the fees, and nothing else.
    latency, feed: how long orders, replies and rows take in runs on bars and trades; on a book its own parts say it.

    lane: "event" calls the strategy as Python, "compiled" runs its decide as machine code, "auto" does so where that is
    possible and the bars are many enough to repay compiling it. The result is the same.
    """

    name: str
    data: DataSettings
    strategy: StrategySettings | None = None
    strategies: tuple[MemberSettings, ...] = ()
    account: AccountSettings = AccountSettings()
    sizing: SizingSettings = SizingSettings()
    costs: CostSettings = CostSettings()
    latency: OrderLatency = OrderLatency()
    feed: RowFeed = RowFeed()
    margin: MarginSettings = MarginSettings()
    financing: FinancingSettings = FinancingSettings()
    risk: RiskSettings = RiskSettings()
    book: BookVenueSettings = BookVenueSettings()
    lane: Literal["auto", "event", "compiled"] = "auto"
    seed: int = 42

    @model_validator(mode="after")
    def _one_or_several(self) -> "BacktestSettings":
        if (self.strategy is None) != bool(self.strategies):
            raise ValueError("name a strategy, or several under strategies, and not both")
        names = [member.name for member in self.strategies]
        if len(set(names)) < len(names):
            raise ValueError("two strategies have the same name")
        for member in self.strategies:
            if self.data.universe is None and set(member.symbols) - set(self.data.symbols):
                unknown = ", ".join(sorted(set(member.symbols) - set(self.data.symbols)))
                raise ValueError(f"strategy {member.name} wants {unknown}, which data.symbols does not name")
        if self.account.collateral and (self.margin.mode == "isolated" or self.data.on_book or self.strategies):
            raise ValueError("collateral in other currencies backs one strategy's cross positions, on bars or trades")
        if self.strategies and (self.lane == "compiled" or self.data.on_book):
            raise ValueError("several strategies run in the event lane, on bars or trades")
        if self.data.on_book and self.strategy is not None and self.strategy.parts is not None:
            raise ValueError("a strategy out of parts decides on bars: data.kind")
        if self.data.on_book and self.costs.fee_currency == "received":
            raise ValueError("a run on an order book pays its fees in the settlement currency: costs.fee_currency")
        return self

    @property
    def chosen(self) -> StrategySettings:
        """The strategy of a run that has one. Raises ConfigError for a run of several."""
        if self.strategy is None:
            raise ConfigError("This needs a config with one strategy", remedy="Name it under strategy")
        return self.strategy

    @model_validator(mode="after")
    def _margin_lasts(self) -> "BacktestSettings":
        if self.margin.maintenance_rate * self.account.leverage >= 1.0:
            raise ValueError(
                f"at leverage {self.account.leverage:g} a position has less margin than margin.maintenance_rate "
                f"{self.margin.maintenance_rate:g} keeps it alive with"
            )
        return self

    @property
    def valued(self) -> tuple[FinancingSettings, str, dict[str, RateSettings], dict[str, AssetSettings]]:
        """What `replay` needs for what falls due, and to value the account."""
        return self.financing, self.account.currency, self.account.rates, self.account.collateral

    def margin_terms(
        self, instruments: Sequence[Instrument], tiers: Mapping[str, Sequence[TierTable]] | None = None
    ) -> Margin:
        """What margin goes by for these instruments, with the dated tiers of their venue: those given by instrument
        (see `market.terms.tiers_of`), else those that came with the package.
        """
        tables = tiers or {i.id: found for i in instruments if (found := known_tiers(i.venue, i.symbol))}
        margin = self.margin.terms(instruments, tables, self.account.leverage)
        if self.costs.fees == "fixed" and self.costs.fee_currency == "settled":
            return margin
        fees = {instrument.id: self._fees(instrument.venue) for instrument in instruments}
        return with_fees(margin, instruments, fees, received=self.costs.fee_currency == "received")

    def _fees(self, venue: str) -> np.ndarray:
        """FEE rows of a venue. Raises ConfigError if its fees are not known."""
        costs = self.costs
        rates = [FeeRates(0, Decimal(str(costs.maker_fee)), Decimal(str(costs.taker_fee)))]
        if costs.fees == "venue":
            rates = fee_tables(venue, costs.vip_level)
        return fee_rows(rates, bnb_discount(venue) if costs.fee_currency == "bnb" else Decimal(0))

    def held_as(self, instruments: Sequence[Instrument]) -> list[Instrument]:
        """The instruments as positions count them."""
        received = self.costs.fee_currency == "received"
        return [divisible(instrument) if received else instrument for instrument in instruments]

    def order_latency(self) -> Latency:
        """What orders and replies take. Raises as `read_round_trips`."""
        return Latency(self.latency.record(self.seed), read_round_trips(self.latency, "latency"))


def load_config(config: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> BacktestSettings:
    """Settings from a YAML file or a mapping, with "key=value" overrides. Parts that other commands read (`sweep:`,
    `gate:`) may stand beside them. Raises ConfigError, MissingFileError.
    """
    source = "config" if isinstance(config, Mapping) else str(config)
    data = override(read_config(config), overrides)
    return parse(BacktestSettings, {key: value for key, value in data.items() if key not in _OF_OTHERS}, source)


def read_config(config: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """What a YAML file or a mapping says. A strategy's file that is not where the path leads from the working folder,
    but is where it leads from the config's, is found there.
    """
    if isinstance(config, Mapping):
        return dict(config)
    data, folder = read_yaml(config), Path(config).parent
    several = data.get("strategies")
    for chosen in (data.get("strategy"), *(several if isinstance(several, list) else ())):
        if isinstance(chosen, dict) and isinstance(chosen.get("path"), str):
            file, colon, name = chosen["path"].partition(":")
            if file.endswith(".py") and not Path(file).is_file() and (folder / file).is_file():
                chosen["path"] = f"{folder / file}{colon}{name}"
    return data


def run(
    config: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    lake: str | Path | Lake = "data",
    runs: str | Path = "runs",
    database: str | Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run a backtest and write its folder `runs/<run_id>/`. `progress(stage, done, total)` is called as it goes.

    The run is recorded in the ledger of trials in `database`: a path or URL; left out: TRUEWIND_DATABASE, else
    truewind.db; "off": nowhere, and the report cannot say how much luck is in it.
    The synthetic market is made in the lake where a run on it asks for what is not there yet.
    Raises ConfigError or DataError before anything is written; StrategyError (the folder with the journal stays, its
    path is in the error's facts) if the strategy raises; StorageError if the disk or the database refuses.
    """
    settings = load_config(config, overrides)
    tell = progress or (lambda stage, done, total: None)
    ledger = open_ledger(database)
    tell("reading data", 0, 0)
    source = lake if isinstance(lake, Lake) else Lake(lake)
    supply(settings.data, source, tell)
    job = BookJob(settings, source) if settings.data.on_book else BarJob(settings, source)
    return run_job(job, settings, runs, tell, ledger=ledger)


def run_job(
    job: "Job",
    settings: BacktestSettings,
    runs: str | Path,
    tell: Progress,
    *,
    ledger: TrialLedger | None,
    kind: str = "backtest",
    parent: str = "",
) -> Result:
    """Run what is ready to run, and write its folder. Raises as `run` does once it has begun.

    ledger: where the run is recorded as a trial of that kind, part of `parent`; None: nowhere.
    """
    started = WallClock().now_us()
    known = identity(settings, job.snapshot, job.strategy)
    run_id = new_run_id(started)
    run_dir = make_folder(Path(runs), run_id)
    about = _about(settings, job, known, run_id, started)
    write(run_dir, "config.yaml", to_yaml(settings).encode())
    write_json(run_dir / "run.json", about | {"status": "running"})
    try:
        with JournalWriter(run_dir / "journal.twj") as journal:
            journal.record("start", **about["info"], config=dump(settings), warnings=job.warnings)
            try:
                end = job.run(journal, tell)
            except TruewindError as error:
                journal.record("error", **error.as_dict())
                raise
            journal.record("stop", **end)
        tell("writing the report", 0, 0)
        summary, refusals = job.write(run_dir)
        about["warnings"] += refusals
        if ledger is not None:
            trial = trial_of(job.settings, known, summary, run_dir, kind=kind, created_us=started, parent=parent)
            about["warnings"] += _recorded(ledger, trial, run_dir)
        write_json(run_dir / "run.json", about | {"status": "finished", **wall(started)})
        write(run_dir, "report.html", tearsheet.from_run(run_dir).encode())
    except BaseException as error:
        log.get("system").error("run failed", run_id=run_id, traceback=traceback.format_exc())
        if isinstance(error, TruewindError):
            error.facts["run_dir"] = run_dir
        with suppress(StorageError):  # a full disk must not hide what went wrong
            write_json(run_dir / "run.json", about | {"status": "failed", "error": str(error), **wall(started)})
        raise
    return Result(
        run_id=run_id,
        result_id=known["result_id"],
        run_dir=run_dir,
        data_snapshot=job.snapshot.id,
        summary=summary,
    )


def _recorded(ledger: TrialLedger, trial: Trial, run_dir: Path) -> list[str]:
    """Record a run that is over; what its reader must know if the database refuses by then."""
    try:
        record(ledger, trial, run_dir)
    except StorageError as error:  # hours of work are not thrown away for it, and the reader is told
        log.get("system").warning("the run is not in the ledger of trials", error=error.as_dict())
        return [f"this run is not in the ledger of trials: {error.message}"]
    return []


class Job(Protocol):
    """A run that is ready to begin: its data are read, or its feed is connected, and its settings fit them.

    settings: as the run goes by them, with the symbols of a universe named.
    """

    settings: BacktestSettings
    snapshot: Snapshot
    warnings: list[str]
    assumptions: list[str]
    lane: str  # in which it runs: event or compiled

    @property
    def strategy(self) -> object: ...

    def run(self, journal: JournalWriter, tell: Progress) -> dict[str, Any]:
        """Run it; what the journal ends with."""
        ...

    def write(self, run_dir: Path) -> tuple[dict[str, Any], list[str]]:
        """Write the tables and the summary; the summary, and what the reader must know of refused orders."""
        ...


def the_strategy(settings: BacktestSettings) -> Strategy:
    """The strategy that the settings name, or the team of them."""
    if not settings.strategies:
        strategy = settings.chosen.load()
        strategy.sizing = settings.sizing
        _check_fitted(strategy, settings.data)
        return strategy
    members = []
    for wanted in settings.strategies:
        strategy = wanted.load()
        strategy.sizing = wanted.sizing
        _check_fitted(strategy, settings.data)
        members.append(Member(wanted.name, strategy, wanted.symbols or settings.data.symbols, wanted.allocation))
    return Team(members)


def _check_fitted(strategy: Strategy, data: DataSettings) -> None:
    """Raises ConfigError if a part was fitted on bars of another length."""
    if strategy.fitted is not None and strategy.fitted.timeframe != data.timeframe:
        raise ConfigError(
            f"{strategy.fitted.name} was fitted on bars of {strategy.fitted.timeframe}, not of {data.timeframe}",
            remedy="Run on those, or fit it on these",
        )


def fitted_parts(strategy: object) -> list[Fitted]:
    """What of a strategy, or of a team's, was learned from data."""
    if isinstance(strategy, Team):
        return [part for member in strategy.members for part in fitted_parts(member.strategy)]
    part = getattr(strategy, "fitted", None)
    return [] if part is None else [part]


def features_of(strategy: Strategy) -> dict[str, str]:
    """All features that are read, by field, what sizing measures by among them.

    Raises ConfigError if two strategies call different ones by one name.
    """
    if not isinstance(strategy, Team):
        return named(strategy.features()) | strategy.sizing.reads()
    found: dict[str, str] = {}
    for member in strategy.members:
        reads = named(member.strategy.features()) | member.strategy.sizing.reads()
        for name, spec in reads.items():
            if found.setdefault(name, spec) != spec:
                raise ConfigError(
                    f"Strategy {member.name} calls {spec} '{name}', and another calls {found[name]} so",
                    remedy="Let features() of one of them choose another name",
                )
    return found


def engine_for(
    settings: BacktestSettings,
    timeline: Timeline,
    instruments: Sequence[Instrument],
    strategy: Strategy,
    *,
    tiers: Mapping[str, Sequence[TierTable]] | None = None,
    **more: Any,
) -> Engine:
    """The engine that these settings ask for. tiers: see `margin_terms`; more: what falls due, rates … as `Engine`
    takes them.
    """
    held = settings.held_as(instruments)
    return build(
        settings.lane,
        timeline,
        held,
        strategy,
        cash=settings.account.cash,
        currency=settings.account.currency,
        costs=settings.costs.record(settings.account.leverage, settings.seed),
        limits=settings.risk.record(settings.account.leverage),
        margin=settings.margin_terms(held, tiers),
        latency=settings.order_latency(),
        **more,
    )


def assumptions(settings: BacktestSettings, instruments: Sequence[Instrument]) -> list[str]:
    """What the settings take for granted, in words, for the report."""
    margined = any(instrument.can_short for instrument in settings.held_as(instruments))
    return [
        *settings.costs.assumptions(),
        *settings.latency.assumptions(),
        *settings.feed.assumptions(),
        *(settings.margin.assumptions() if margined else []),
    ]


class BarJob:
    """A backtest on bars or trades."""

    def __init__(self, settings: BacktestSettings, lake: Lake) -> None:
        members = chosen_members(lake, settings.data)
        if members is not None:
            data = settings.data.model_copy(update={"symbols": members.symbols})
            settings = settings.model_copy(update={"data": data})
        self.strategy = strategy = the_strategy(settings)
        reads = features_of(strategy) | settings.risk.reads()
        source = replay(lake, settings.data, reads, *settings.valued, members=members)
        self.settings, self.snapshot, self.warnings = settings, source.snapshot, source.warnings
        self._lake = lake
        self.assumptions = assumptions(settings, source.instruments)
        timeline = source.timeline
        first, last = int(timeline.times[TS][0]), int(timeline.times[TS_EVENT].max())
        told = [in_training(part, first, last) for part in fitted_parts(strategy)]
        self.warnings += [warning for warning in told if warning]
        timeline.receive(settings.feed.received(timeline.times[TS_EVENT], settings.seed, timeline.told))
        if timeline.order is not None and reads:
            raise ConfigError(
                "Features are computed on bars in their order, and would know of bars that have not been received yet",
                remedy="Let the feed be in order (feed.in_order, feed.late_share), or read no features",
            )
        self.engine = engine_for(
            settings,
            timeline,
            source.instruments,
            strategy,
            tiers=tiers_of(lake, source.instruments),
            dues=source.dues,
            rates=source.rates,
            collateral=source.collateral,
            settling=source.settling() if settings.account.settled_only else None,
        )
        self.lane = "compiled" if isinstance(self.engine, CompiledEngine) else "event"

    def run(self, journal: JournalWriter, tell: Progress) -> dict[str, Any]:
        engine = self.engine
        engine.journal = journal
        tell("running", 0, len(engine.timeline))
        engine.run(lambda done, total: tell("running", done, total))
        return {"fills": len(engine.fills), "final_equity": float(engine.equity[-1])}

    def write(self, run_dir: Path) -> tuple[dict[str, Any], list[str]]:
        write_json(run_dir / "data.json", sources(self._lake, self.snapshot))
        return write_results(run_dir, self.engine, self.settings)


def write_results(run_dir: Path, engine: Engine, settings: BacktestSettings) -> tuple[dict[str, Any], list[str]]:
    """Write the tables and the summary; the summary, and what the reader must know of refused orders."""
    units = tables.Units(engine.instruments, engine.state.instruments, engine.state.scale)
    fill_rows = engine.fills
    fills, orders = tables.fills_table(fill_rows, units), tables.orders_table(engine.events, units)
    equity = tables.equity_table(engine, fill_rows, units)
    timeline = engine.timeline
    last = {
        symbol: float(timeline.marks[CLOSE][timeline.times[SYMBOL] == index][-1])
        * float(tables.rates_at(engine, index, timeline.times[TS][-1:])[0])
        for index, symbol in enumerate(timeline.symbols)
    }
    multipliers = {i.name: float(i.multiplier) for i in engine.instruments if i.multiplier != 1}
    inverse = {i.name for i in engine.instruments if i.inverse}
    steps = {i.name: float(i.order_step) for i in engine.instruments if i.order_step}
    paid = tables.in_account_money(fills, engine).with_columns(bar=fill_rows["row"].astype(np.int64))
    trades = round_trips(
        paid.filter(pl.col("kind") != "exchange"),
        orders,
        last,
        multipliers,
        inverse,
        steps,
    )
    trades = with_excursions(trades, tables.bars_of(engine), multipliers, inverse, tables.split_times(fills))
    orders = with_prices(orders, engine, units)
    start = float(engine.state.account[0]["start"]) / engine.state.scale
    benchmark = tables.benchmark_table(engine, start)
    year = max(calendar(instrument.calendar).days_per_year for instrument in engine.instruments)
    summary = summarise(
        equity,
        trades,
        fills,
        orders,
        initial=start,
        days_per_year=year,
        benchmark=benchmark,
        leverage=settings.account.leverage if any(i.can_short for i in engine.instruments) else None,
    )
    written = {
        "equity": equity, "trades": trades, "fills": fills, "orders": orders, "benchmark": benchmark,
        "candles": tables.candles_table(timeline),
        "entries": entries_table(trades, engine, list(fields_of(features_of(engine.strategy)))),
    }  # fmt: skip
    verdicts = tables.verdicts_table(engine.verdicts, units)
    cost = settings.costs.taker_fee + settings.costs.half_spread_bps / 10_000
    written["withheld"] = outcomes(verdicts, partial(market, engine), cost=cost, minds=minds(engine))
    summary["risk"] = by_rule(verdicts, written["withheld"])
    summary["latches"] = tables.latch_facts(engine)
    team = (
        [member.strategy for member in engine.team.members]
        if isinstance(engine, PortfolioEngine)
        else [engine.strategy]
    )
    summary["reasons"] = reason_names({"orders": orders, "fills": fills}, team)
    written["verdicts"] = verdicts
    if isinstance(engine, PortfolioEngine):
        names = [member.name for member in engine.team.members]
        written |= {"fills": tables.with_strategy(fills, names), "orders": tables.with_strategy(orders, names)}
        written |= {"strategies": pl.DataFrame(engine.results()), "gains": tables.gains_table(engine)}
        summary["strategies"] = [result._asdict() for result in engine.results()]
    for name, table in written.items():
        write_table(run_dir / f"{name}.parquet", table)
    write_json(run_dir / "summary.json", summary)
    return summary, [*tables.latch_notes(engine), *tables.refusals(orders, engine.instruments)]


def identity(settings: BacktestSettings, snapshot: Snapshot, strategy: object) -> dict[str, str]:
    """What a result depends on, and the hash of it all."""
    chosen = {key: value for key, value in dump(settings).items() if key != "lane"}  # the result is the same in each
    for one in (chosen["strategy"], *chosen["strategies"]):  # of a file the content counts, not where it lies
        if one is not None and "path" in one:
            file, colon, name = one["path"].partition(":")
            one["path"] = (Path(file).name if file.endswith(".py") else file) + colon + name
    parts = {
        "data_snapshot": snapshot.id,
        "config": hashlib.sha256(orjson.dumps(chosen, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16],
        "code_version": code_version(),
        "strategy_code": _strategy_digest(strategy),
    }
    if fitted := fitted_parts(strategy):
        parts["fitted"] = ", ".join(part.hash for part in fitted)
    return parts | {"result_id": hashlib.sha256("\n".join(parts.values()).encode()).hexdigest()[:16]}


def _strategy_digest(strategy: object) -> str:
    """Hash of the file that the strategy comes from, and of those that it reads; of several, of all theirs."""
    if isinstance(strategy, Team):
        digests = "\n".join(_strategy_digest(member.strategy) for member in strategy.members)
        return hashlib.sha256(digests.encode()).hexdigest()[:16]
    file = getattr(sys.modules.get(type(strategy).__module__), "__file__", None)
    if not file:
        return "interactive"
    hashed = hashlib.sha256(Path(file).read_bytes())
    for read in getattr(strategy, "files", ()):
        hashed.update(read.read_bytes())
    return hashed.hexdigest()[:16]


def _named(settings: BacktestSettings) -> str:
    return ", ".join(f"{m.name}: {m.shown}" for m in settings.strategies) or settings.chosen.shown


def _about(settings: BacktestSettings, job: Job, known: dict[str, str], run_id: str, started: int) -> dict[str, Any]:
    info = {
        "currency": settings.account.currency,
        "result_id": known["result_id"],
        "data_snapshot": known["data_snapshot"],
        "code_version": known["code_version"],
        "strategy": f"{_named(settings)} ({known['strategy_code']})",
        "seed": str(settings.seed),
        "python": platform.python_version(),
    }
    if fitted := fitted_parts(job.strategy):
        info["fitted"] = "; ".join(f"{part.name} {part.hash} ({part.source})" for part in fitted)
    return {
        "run_id": run_id,
        "name": settings.name,
        "lane": job.lane,
        "started": utc(started),
        "info": info,
        "assumptions": job.assumptions,
        "warnings": job.warnings,
    }
