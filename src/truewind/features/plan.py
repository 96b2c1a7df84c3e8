"""The plan of a stream: every feature and every feature that is read, once, each after what it reads.

Columns are numbered. Those of the rows have clock 0; the bars of each longer timeframe have a clock of their own, made
by a `fold` of the rows, and what was last known of their features is laid back on the rows by a `spread`.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from truewind.domain.timeframe import origin_us, timeframe_us
from truewind.features.base import Feature, Output, ancestors
from truewind.features.spec import slower_by
from truewind.numerics.fold import FIRST, LAST, MAX, MIN, SUM, fold_loop, spread_loop
from truewind.numerics.loop import Loop

Floats = npt.NDArray[np.float64]

# How the values of a column become that of a longer bar: the last one, if the name says nothing else.
RULES = {
    "open": FIRST,
    "high": MAX,
    "low": MIN,
    **dict.fromkeys(("volume", "quote_volume", "trades", "taker_buy_volume"), SUM),
    **dict.fromkeys(("liquidated_long", "liquidated_short"), SUM),
}


class Node(NamedTuple):
    """A loop with its place in a plan.

    state: scalars with their first values; memory: floats. reads, writes: numbers of columns; −clock among the reads is
    the number of that clock's rows. clock: whose rows it walks; makes: the clock whose rows it makes, or 0.
    """

    name: str
    loop: Callable[[], Loop]
    parameters: Floats
    state: Mapping[str, float]
    memory: int
    reads: list[int]
    writes: list[int]
    clock: int = 0
    makes: int = 0
    blank: float = 0.0  # what the memory holds at first


class Plan:
    """nodes in the order in which they run; inputs: columns of the rows; outputs: number of each wanted column.

    clocks: the clock of each column, by number; the inputs come first.
    Raises FeatureError if a longer timeframe is none of the rows'.
    """

    def __init__(self, features: Iterable[Feature], timeframe: str) -> None:
        features = tuple(features)
        everything = [one for feature in features for one in (*ancestors(feature), feature)]
        longer: dict[str, list[Feature]] = {}
        for feature in everything:
            if feature.across:
                feature.loop()  # it says that a stream cannot have it
            if feature.timeframe:
                slower_by(feature, timeframe)
                group = longer.setdefault(feature.timeframe, [])
                if feature not in group:
                    group.append(feature)
        self.inputs = tuple(
            dict.fromkeys([name for feature in everything for name in _plain(feature)] + ["ts"] * bool(longer))
        )
        self.nodes: list[Node] = []
        self.clocks: list[int] = [0] * len(self.inputs)
        self._found: dict[tuple[str, str, int], int] = {("", name, 0): i for i, name in enumerate(self.inputs)}
        for clock, (length, group) in enumerate(longer.items(), 1):
            self._fold(group, timeframe, length, clock)
        self.outputs: dict[str, int] = {}
        for feature in features:
            numbers = self._add(feature, 0)
            self.outputs.update(zip(feature.columns, numbers, strict=True))

    def _column(self, owner: str, name: str, clock: int) -> int:
        """The number of a new column."""
        self.clocks.append(clock)
        return self._found.setdefault((owner, name, clock), len(self.clocks) - 1)

    def _add(self, feature: Feature, clock: int) -> list[int]:
        """The columns of `feature` on `clock`, computed there if they are not there yet."""
        names = [(repr(feature), output, clock) for output in feature.outputs or ("",)]
        if names[0] not in self._found:
            reads = [
                self._add(source.feature, clock)[_place(source)]
                if isinstance(source, Output)
                else self._found["", source, clock]
                for source in feature.sources
            ]
            width = len(reads) if feature.gathered else 0
            shape = [width, feature.needed] if feature.gathered else []
            writes = [self._column(*name) for name in names]
            self.nodes.append(
                Node(
                    repr(feature),
                    feature.loop,
                    np.array([*shape, *feature.values], float),
                    feature.state,
                    feature.memory,
                    reads,
                    writes,
                    clock,
                )
            )
        return [self._found[name] for name in names]

    def _fold(self, group: list[Feature], row: str, length: str, clock: int) -> None:
        """The nodes for all features on bars of `length`: the bars, the features, and their columns on the rows."""
        columns = [
            name
            for name in dict.fromkeys(name for one in group for part in (*ancestors(one), one) for name in _plain(part))
            if name != "ts"
        ]
        rules = [RULES.get(name.partition("[")[0], LAST) for name in columns]
        bar = timeframe_us(length)
        shape = [len(columns), timeframe_us(row), bar, origin_us(bar), *rules]
        rows = [self._found["", name, 0] for name in ("ts", *columns)]
        bars = [self._column("", name, clock) for name in ("ts", *columns)]
        at = self._column("", "", clock)
        state = {"begun": float("nan"), "made": 0, "whole": 0}
        memory = len(columns)
        self.nodes.append(
            Node(f"bars of {length}: {', '.join(columns)}", fold_loop, np.array(shape, float), state, memory,
                 rows, [*bars, at], 0, clock)
        )  # fmt: skip
        slow = {(repr(one), output): self._add(_at_rest(one), clock)[i]
                for one in group for i, output in enumerate(one.outputs or ("",))}  # fmt: skip
        known = [self._column(owner, output, 0) for owner, output in slow]
        self.nodes.append(
            Node(f"known of {length}", spread_loop, np.array([len(known)], float), {}, len(known),
                 [-clock, at, *slow.values()], known, blank=float("nan"))
        )  # fmt: skip


def _plain(feature: Feature) -> list[str]:
    """The columns that `feature` itself reads which are no feature's."""
    return [source for source in feature.sources if isinstance(source, str)]


def _place(source: Output) -> int:
    """Which of its feature's outputs a source is; the only one has no name."""
    return source.feature.outputs.index(source.name) if source.name else 0


def _at_rest(feature: Feature) -> Feature:
    """A feature without its timeframe, as the bars of that timeframe see it."""
    one = copy(feature)
    one.timeframe = ""
    return one
