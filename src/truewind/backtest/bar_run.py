"""A backtest on bars or trades: `data.kind: bars` or `trades` in a configuration."""

from pathlib import Path
from typing import Any

from truewind.backtest.assembly import assumptions, engine_for, features_of, fitted_parts, the_strategy
from truewind.backtest.folder import write_json
from truewind.backtest.replay import chosen_members, replay
from truewind.backtest.results import write_results
from truewind.backtest.settings import BacktestSettings
from truewind.backtest.sources import sources
from truewind.domain.ports import Progress
from truewind.engine.compiled import CompiledEngine
from truewind.engine.merge import TS, TS_EVENT
from truewind.errors import ConfigError
from truewind.market.terms import tiers_of
from truewind.storage.journal import JournalWriter
from truewind.storage.lake import Lake
from truewind.strategies.fitted import in_training


class BarJob:
    """A backtest on bars or trades."""

    def __init__(self, settings: BacktestSettings, lake: Lake) -> None:
        members = chosen_members(lake, settings.data)
        if members is not None:
            data = settings.data.model_copy(update={"symbols": members.symbols})
            settings = settings.model_copy(update={"data": data})
        self.strategy = strategy = the_strategy(settings)
        reads = features_of(strategy) | settings.risk.reads()
        source = replay(lake, settings.data, reads, settings.financing, settings.account, members=members)
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
