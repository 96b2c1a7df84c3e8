"""Assembly: the strategy and the engine that settings ask for, in backtests, sweeps and sessions alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from truewind.backtest.data import DataSettings
from truewind.backtest.reads import named
from truewind.backtest.settings import BacktestSettings
from truewind.domain.instrument import Instrument
from truewind.domain.terms import TierTable
from truewind.engine.compiled import build
from truewind.engine.engine import Engine
from truewind.engine.merge import Timeline
from truewind.engine.portfolio import Member, Team
from truewind.errors import ConfigError
from truewind.strategies.base import Strategy
from truewind.strategies.fitted import Fitted


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
