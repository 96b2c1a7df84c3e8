"""Several strategies on one account: each has a seat of its own at the one desk, and positions net at the venue.

Each strategy's orders go to the venue separately and carry their owner. What a strategy is shown as its position is its
share of the account (see `portfolio.shares`): it need not know of the others. Equity and margin are the account's;
limits hold for the account, and for each strategy within its allocation. It runs in the event lane.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from truewind.domain.account import Account
from truewind.domain.fill import Fill
from truewind.domain.order import Order
from truewind.domain.position import Position
from truewind.domain.signal import Signal
from truewind.engine.acting import position_of
from truewind.engine.asked import no_symbol
from truewind.engine.engine import Engine
from truewind.engine.merge import CLOSE, SYMBOL, Timeline
from truewind.engine.state import ACCOUNT_FIELD
from truewind.engine.timers import Timed, timed
from truewind.engine.wire import WiredEngine
from truewind.errors import ConfigError, StrategyError, TruewindError
from truewind.execution.simulated.valuation import settle
from truewind.portfolio.worth import coordinate, exposure
from truewind.strategies.base import Strategy

_OWNER = ACCOUNT_FIELD["owner"]


class Member(NamedTuple):
    """A strategy of several. symbols: those that it sees and trades. allocation: what of equity it may use (0 … 1): it
    sizes by that part, and the limits hold for it as if that were all there is.
    """

    name: str
    strategy: Strategy
    symbols: tuple[str, ...]
    allocation: float = 1.0


class Result(NamedTuple):
    """What a strategy has come to, in the account's currency; net = realised + unrealised − fees + funding + carry."""

    name: str
    orders: int
    fills: int
    realised: float
    unrealised: float
    fees: float
    slippage: float
    funding: float
    carry: float
    net: float


class Seat:
    """What one of several strategies may do and see: `ports.Desk` for its share of the account."""

    def __init__(self, engine: Engine, owner: int, member: Member) -> None:
        self._engine, self._owner, self.member = engine, owner, member
        state = engine.state
        self._sizing = member.strategy.sizing.record(state.scale / member.allocation, state.bars_a_year)
        member.strategy.desk = self

    def speak(self) -> Engine:
        """From now on this strategy is the one that is speaking."""
        state = self._engine.state
        state.counters[_OWNER] = self._owner
        state.account["allocation"] = self.member.allocation
        state.sizing[:] = self._sizing
        return self._engine

    @property
    def symbols(self) -> Sequence[str]:
        return self.member.symbols

    @property
    def now_us(self) -> int:
        return self._engine.now_us

    def submit(self, symbol: str, *what: Any, **how: Any) -> int:
        """See `ports.Desk.submit`."""
        return self.speak().submit(self._known(symbol), *what, **how)

    def follow(self, symbol: str, signal: Signal) -> int:
        """See `ports.Desk.follow`."""
        return self.speak().follow(self._known(symbol), signal)

    def amend(self, order_id: int, **changes: float) -> bool:
        """See `ports.Desk.amend`; False for an order of another strategy."""
        return self._owns(order_id) and self.speak().amend(order_id, **changes)

    def cancel(self, order_id: int) -> bool:
        """See `ports.Desk.cancel`; False for an order of another strategy."""
        return self._owns(order_id) and self.speak().cancel(order_id)

    def working(self, symbol: str) -> list[Order]:
        """See `ports.Desk.working`: this strategy's."""
        return [order for order in self._engine.working(self._known(symbol)) if self._owns(order.id)]

    def position(self, symbol: str, side: int = 0) -> Position:
        """See `ports.Desk.position`: this strategy's share."""
        engine = self.speak()
        return Position(*position_of(engine.state.handle, engine.index_of(self._known(symbol)), side))

    def account(self) -> Account:
        """The account, which all share."""
        return self._engine.account()

    def raised(self, error: Exception) -> StrategyError:
        """The error for what the strategy raised."""
        return self._engine.raised(error, self.member.name)

    def _known(self, symbol: str) -> str:
        if symbol not in self.member.symbols:
            raise no_symbol(symbol, self.member.symbols, f"Strategy {self.member.name}")
        return symbol

    def _owns(self, order_id: int) -> bool:
        orders = self._engine.state.orders[: self._engine.state.account[0]["orders"]]
        return bool((orders["owner"][orders["id"] == order_id] == self._owner).any())


class Team(Strategy):
    """The members as one strategy, as the engine sees it: called in their order, each at its seat."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = list(members)
        self.seats: list[Seat] = []

    def on_start(self) -> None:
        for seat in self.seats:
            self._call(seat, seat.member.strategy.on_start)

    def on_bar(self, bar: Any) -> None:
        for seat in self.seats:
            if bar.symbol in seat.member.symbols:
                self._call(seat, seat.member.strategy.on_bar, bar)

    def on_trade(self, trade: Any) -> None:
        for seat in self.seats:
            if trade.symbol in seat.member.symbols:
                self._call(seat, seat.member.strategy.on_trade, trade)

    def on_stop(self) -> None:
        for seat in self.seats:
            self._call(seat, seat.member.strategy.on_stop)

    def ring(self, seat: Seat) -> None:
        """The timer of a member is due."""
        self._call(seat, seat.member.strategy.on_timer)

    def told(self, owner: int, fill: Fill) -> None:
        """Tell the owner of an order that it was filled; of a liquidation all that trade the symbol."""
        for number, seat in enumerate(self.seats):
            if number == owner or (owner < 0 and fill.symbol in seat.member.symbols):
                self._call(seat, seat.member.strategy.on_fill, fill)

    @staticmethod
    def _call(seat: Seat, callback: Any, *given: Any) -> None:
        seat.speak()
        try:
            callback(*given)
        except TruewindError:
            raise
        except Exception as error:
            raise seat.raised(error) from error


class PortfolioEngine(WiredEngine):
    """A `WiredEngine` for the members of a `Team`."""

    def __init__(self, timeline: Timeline, instruments: Any, team: Team, **settings: Any) -> None:
        if settings.get("rates"):
            raise ConfigError(
                f"Several strategies trade in the account's currency only, not {', '.join(settings['rates'])}",
                remedy="Run those by themselves, or change account.currency",
            )
        super().__init__(timeline, instruments, team, owners=len(team.members), **settings)
        self.team = team
        for member in team.members:
            for symbol in member.symbols:
                self.index_of(symbol)
        team.seats = [Seat(self, owner, member) for owner, member in enumerate(team.members)]
        self._tells_fills = True
        self._booked = [(-1, books(self.state.shares))]  # after the rows on which they changed

    def _step(self, row: int) -> None:
        super()._step(row)
        now = books(self.state.shares)
        if not np.array_equal(now, self._booked[-1][1]):
            self._booked.append((row, now))

    def _timed(self) -> list[Timed]:
        return [
            timer
            for seat in self.team.seats
            for timer in timed(seat.member.name, seat.member.strategy, partial(self.team.ring, seat))
        ]

    def _tell(self, fill: np.void) -> None:
        self.team.told(int(fill["owner"]), self._fill(fill))

    def gains(self, rows: np.ndarray) -> np.ndarray:
        """What each strategy has gained after each of `rows` (ascending): in the currency, one line a strategy."""
        state, timeline, legs = self.state, self.timeline, len(self.state.positions)
        then = np.searchsorted([row for row, _ in self._booked], rows, side="right") - 1
        lots, money = np.stack([found for _, found in self._booked], axis=1)
        found = np.zeros((len(self.team.members), len(rows)))
        for number, share in enumerate(state.shares):
            instrument = state.instruments[share["symbol"]]
            own = np.flatnonzero(timeline.times[SYMBOL] == share["symbol"])
            seen = np.searchsorted(own, rows, side="right") - 1
            mark = timeline.marks[CLOSE][own[np.maximum(seen, 0)]]  # before its first bar nothing is held
            size = lots[then, number] * float(instrument["worth"])
            worth = -size / mark if instrument["inverse"] else size * mark
            found[number // legs] += worth + money[then, number]
        return np.asarray(found / state.scale)

    def results(self) -> list[Result]:
        """What each member has come to; the nets add up to what the account has gained."""
        state, fills, events = self.state, self.fills, self.events
        settle(state.handle, len(self.timeline))
        legs, found = len(state.positions), []
        for owner, member in enumerate(self.team.members):
            open_ = 0.0
            shares = state.shares[owner * legs : (owner + 1) * legs]
            for share in shares[shares["lots"] != 0]:
                symbol = int(share["symbol"])
                at = coordinate(float(state.positions[symbol]["mark"]), state.instruments[symbol])
                open_ += exposure(int(share["lots"]), state.instruments[symbol]) * at - float(share["cost"])
            sums = {name: int(shares[name].sum()) for name in ("realised", "fees", "slippage", "funding", "carry")}
            net = sums["realised"] + open_ - sums["fees"] + sums["funding"] + sums["carry"]
            found.append(
                Result(
                    name=member.name,
                    orders=len(np.unique(events["order"][events["owner"] == owner])),
                    fills=int(((fills["owner"] == owner) & (fills["lots"] > 0)).sum()),
                    unrealised=open_ / state.scale,
                    net=net / state.scale,
                    **{name: amount / state.scale for name, amount in sums.items()},
                )
            )
        return found


def books(shares: np.ndarray) -> np.ndarray:
    """Of POSITION rows the lots, and what their money comes to beside what these lots are worth: 2 lines of int64."""
    return np.stack([shares["lots"], shares["realised"] - shares["fees"] + shares["funding"] - shares["cost"]])
