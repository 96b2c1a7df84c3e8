"""Settings: what a config says of a backtest, typed and checked; each part stands beside what it sets."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from truewind.backtest.account import AccountSettings
from truewind.backtest.data import DataSettings
from truewind.backtest.dues import FinancingSettings
from truewind.backtest.round_trips import read_round_trips
from truewind.config import Settings, override, parse, read_yaml
from truewind.domain.instrument import Instrument
from truewind.domain.terms import FeeRates, TierTable
from truewind.engine.book_lane import BookVenueSettings
from truewind.errors import ConfigError
from truewind.execution.simulated.costs import CostSettings
from truewind.execution.simulated.latency import Latency, OrderLatency, RowFeed
from truewind.portfolio.fees import divisible, fee_rows, with_fees
from truewind.portfolio.margin import Margin, MarginSettings
from truewind.risk.gate import RiskSettings
from truewind.strategies.base import Strategy, load
from truewind.strategies.parts import PartsSettings, assemble
from truewind.strategies.sizing import SizingSettings
from truewind.venues.binance.terms import bnb_discount, fee_tables, known_tiers

_OF_OTHERS = ("sweep", "gate")  # of a config: read by `truewind sweep` and `truewind validate`


class StrategySettings(Settings):
    """What decides: a Strategy class or a decide function with its parameters, or parts put together here."""

    path: str = Field(default="", description="a built-in strategy's name, package.module:Name or file.py:Name")
    params: dict[str, Any] = Field(
        default_factory=dict, description="the strategy's parameters (truewind strategy show)"
    )
    parts: PartsSettings | None = Field(default=None, description="instead of both: a strategy put together here")

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
    """One strategy of several on the same account."""

    name: str = Field(description="as in the report")
    symbols: tuple[str, ...] = Field(
        default=(), description="those of data.symbols that it sees and trades; left out: all"
    )
    sizing: SizingSettings = Field(default=SizingSettings(), description="how large its positions are")
    allocation: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="part of the account's equity that it sizes by, and that the risk limits hold for",
    )


class BacktestSettings(Settings):
    """A backtest, whole: its result follows from these settings, the data snapshot and the code.

    On a book, costs says the fees and nothing else; how long orders and rows take stands in parts of `book`.
    """

    name: str = Field(description="of the run, in its report and in the ledger of trials")
    data: DataSettings = Field(description="what the run goes over")
    strategy: StrategySettings | None = Field(default=None, description="what decides")
    strategies: tuple[MemberSettings, ...] = Field(
        default=(), description="instead of it: several that share the account, in the event lane"
    )
    account: AccountSettings = Field(default=AccountSettings(), description="what there is to trade with")
    sizing: SizingSettings = Field(default=SizingSettings(), description="how large positions of strategy are")
    costs: CostSettings = Field(default=CostSettings(), description="fees, spread and impact; on a book the fees only")
    latency: OrderLatency = Field(
        default=OrderLatency(), description="how long orders and replies take, on bars and trades"
    )
    feed: RowFeed = Field(default=RowFeed(), description="how long rows take to us, on bars and trades")
    margin: MarginSettings = Field(
        default=MarginSettings(), description="how margin is held and positions are liquidated"
    )
    financing: FinancingSettings = Field(
        default=FinancingSettings(), description="what it costs to hold what is borrowed"
    )
    risk: RiskSettings = Field(default=RiskSettings(), description="what every order must pass")
    book: BookVenueSettings = Field(
        default=BookVenueSettings(), description="how orders fill in a run on an order book (data.kind)"
    )
    lane: Literal["auto", "event", "compiled"] = Field(
        default="auto", description="in Python (event), as machine code (compiled), or what takes less time (auto)"
    )
    seed: int = Field(default=42, description="of all draws")

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
