"""The plan of a sweep: what each trial is, in settings and in its strategy."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from truewind import features
from truewind.backtest.reads import named
from truewind.backtest.settings import BacktestSettings, StrategySettings
from truewind.config import parse
from truewind.engine.compiled import compilable
from truewind.errors import ConfigError, FeatureError
from truewind.research.space import Space
from truewind.strategies.base import SignalStrategy, Strategy, load

PARAMS = "strategy.params."
_PARTS = "strategy.parts."
_NOT_GIVEN = object()


class Plan:
    """What each trial is: its settings and its strategy. read: the specs that some trial reads together, each once."""

    def __init__(self, data: Mapping[str, Any], source: str, space: Space) -> None:
        self.space = space
        self._data, self._source = data, source
        self._others = [i for i, key in enumerate(space.keys) if not key.startswith((PARAMS, _PARTS))]
        self._parts = [i for i, key in enumerate(space.keys) if key.startswith(_PARTS)]
        self._given = [(i, key.removeprefix(PARAMS)) for i, key in enumerate(space.keys) if key.startswith(PARAMS)]
        self.settings = self.settings_of(())
        self._measures = any(space.keys[i].split(".")[0] in ("sizing", "risk") for i in self._others)
        self._measured = self.settings.sizing.reads() | self.settings.risk.reads()
        first = self._first()
        self.strategy = compilable(first)
        self._base = dict(self.settings.chosen.params)
        self.read = list(dict.fromkeys(self._all_reads()))
        self.specs = list(dict.fromkeys(spec for specs in self.read for spec in specs))
        self.history: int | None = 0  # bars before the start that features need, None: all
        if self.settings.data.start is not None:
            needed = [features.history(specs, self.settings.data.timeframe) for specs in self.read]
            self.history = None if None in needed else max(rows or 0 for rows in needed)

    def settings_without_varied(self) -> BacktestSettings:
        """The settings that hold for all trials: the identity of the sweep."""
        if self._parts:
            data = dict(self._data)
            for i in self._parts:
                data = _assigned(data, self.space.keys[i].split("."), _NOT_GIVEN)
            return parse(BacktestSettings, data, self._source)
        params = {key: value for key, value in self._base.items() if key not in {name for _, name in self._given}}
        return self.settings.model_copy(update={"strategy": self.settings.chosen.model_copy(update={"params": params})})

    def settings_of(self, values: Sequence[Any]) -> BacktestSettings:
        """The settings of a trial, but for the strategy's parameters. Raises ConfigError."""
        data = dict(self._data)
        for i in self._others if values else ():
            data = _assigned(data, self.space.keys[i].split("."), values[i])
        return parse(BacktestSettings, data, self._source)

    def others(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """What of a trial's values does not concern the strategy."""
        return tuple(values[i] for i in self._others)

    def strategy_of(self, values: Sequence[Any]) -> SignalStrategy:
        """The strategy of a trial. Raises ConfigError."""
        if self._parts:
            return self._assembled(values)
        given = self._base | {name: values[i] for i, name in self._given}
        return type(self.strategy)(**given)

    def _assembled(self, values: Sequence[Any]) -> SignalStrategy:
        data = dict(self._data)
        for i in self._parts:
            data = _assigned(data, self.space.keys[i].split("."), values[i])
        return compilable(parse(StrategySettings, data["strategy"], f"{self._source}: strategy").load())

    def reads(self, values: Sequence[Any], strategy: SignalStrategy) -> dict[str, str]:
        """All features that a trial with this `strategy` reads, by field; sizing and risk rules measure by some, too.
        Raises ConfigError.
        """
        measured = self._measured
        if self._measures:
            settings = self.settings_of(values)
            measured = settings.sizing.reads() | settings.risk.reads()
        return named(strategy.features()) | measured

    def _first(self) -> Strategy:
        """Any trial's strategy: the base's own parameters may be unusable without the varied ones."""
        path, base = self.settings.chosen.path, self.settings.chosen.params
        failed: ConfigError | None = None
        for values in self.space:
            try:
                if self._parts:
                    return self._assembled(values)
                if self.settings.chosen.parts is not None:
                    return self.settings.chosen.load()
                return load(path, base | {name: values[i] for i, name in self._given})
            except ConfigError as error:
                failed = error
        raise failed or ConfigError("The sweep has no trial")

    def _all_reads(self) -> Iterator[tuple[str, ...]]:
        """What each trial reads that can be run at all."""
        for values in self.space:
            try:
                yield tuple(self.reads(values, self.strategy_of(values)).values())
            except (ConfigError, FeatureError):
                continue


def _assigned(data: Any, path: Sequence[str], value: Any) -> Any:
    """`data` with `value` at `path`, or without what stands there if it is _NOT_GIVEN; a part of the path may be the
    place in a list. What lies beside the path is shared. Raises ConfigError for a place that a list does not have."""
    name, *rest = path
    if isinstance(data, list | tuple):
        place = int(name) if name.isdigit() else len(data)
        if place >= len(data):
            raise ConfigError(f"'{name}' is no place in a list of {len(data)}", remedy="Count places from 0", key=name)
        return [_assigned(each, rest, value) if i == place else each for i, each in enumerate(data)]
    inside = dict(data) if isinstance(data, Mapping) else {}
    if value is _NOT_GIVEN and not rest:
        inside.pop(name, None)
        return inside
    return {**inside, name: _assigned(inside.get(name), rest, value) if rest else value}
