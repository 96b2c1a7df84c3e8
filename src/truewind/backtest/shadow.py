"""Shadow: a finished run as `analytics.withheld` needs it, to follow what the risk gate did not let happen."""

from typing import Any

import numpy as np

from truewind.analytics.withheld import Market, Mind
from truewind.backtest import tables
from truewind.domain.position import Position
from truewind.domain.signal import Signal
from truewind.engine.engine import Engine
from truewind.engine.merge import SYMBOL, TS, TS_EVENT
from truewind.engine.portfolio import Member, Team
from truewind.strategies.base import SignalStrategy

_BLOCK = 256  # bars made at a time


def market(engine: Engine, symbol: str) -> Market:
    """The bars of a symbol, and what a move of it is worth in the account's currency."""
    index = engine.index_of(symbol)
    timeline, instrument = engine.timeline, engine.instruments[index]
    rows = np.flatnonzero(timeline.times[SYMBOL] == index)
    opened, high, low, close = (column[rows] for column in timeline.prices)
    rate = float(tables.rates_at(engine, index, timeline.times[TS][rows[-1:]])[0])
    worth = float(instrument.multiplier) * rate
    return Market(rows, timeline.times[TS_EVENT][rows], opened, high, low, close, worth, instrument.inverse)


def minds(engine: Engine) -> dict[tuple[str, int], Mind]:
    """What strategies given as `decide` say to a position that they were not let have, by symbol and owner."""
    strategy, symbols = engine.strategy, tuple(engine.symbols)
    members = [Member("", strategy, symbols)] if not isinstance(strategy, Team) else strategy.members
    return {
        (symbol, owner): _mind(engine, symbol, member.strategy)
        for owner, member in enumerate(members)
        for symbol in member.symbols
        if isinstance(member.strategy, SignalStrategy)
    }


def _mind(engine: Engine, symbol: str, strategy: SignalStrategy) -> Mind:
    timeline, index = engine.timeline, engine.index_of(symbol)
    blocks: dict[int, list[Any]] = {}
    rows: list[np.ndarray] = []  # of the symbol, found when first asked for

    def mind(i: int, position: Position) -> Signal | None:
        if not rows:
            rows.append(np.flatnonzero(timeline.times[SYMBOL] == index))
        block, place = divmod(i, _BLOCK)
        if block not in blocks:
            blocks.clear()  # bars are asked for in their order
            wanted = rows[0][block * _BLOCK : (block + 1) * _BLOCK]
            blocks[block] = [bar for _, bars in timeline.chunks(wanted, strategy.bar_fields()) for bar in bars]
        if timeline.wanted is not None and rows[0][i] not in timeline.wanted:  # it decides on longer bars
            return None
        return strategy.decide(blocks[block][place], position, strategy.values)

    return mind
