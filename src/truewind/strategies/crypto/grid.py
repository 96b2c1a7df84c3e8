"""Grid: limit orders at even steps on both sides of a price, so that every swing across a step is a small profit.

Idea: where a price goes to and fro, whoever buys a step lower and sells a step higher is paid for the swing. Line k
lies k steps from the centre; with n lines' worth bought, buys rest on the lines below -n and sells on those above it,
so that what is held follows from the price. Taranto and Khan, "Gambler's Ruin Problem and Bi-Directional Grid
Constrained Trading and Investment Strategies", Investment Management and Financial Innovations 17, 2020, find that such
grids do well for a while and are ruined almost surely in the end, which is what cap and stop are there for.

Fails in trends: at the last line it holds all that it may against the market, and the stop takes away what many swings
have earned. On a price without drift swings and stops cancel out and costs remain; it is a bet on mean reversion.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field

from truewind.config import Settings
from truewind.domain.fill import Fill
from truewind.domain.order import OrderType, Side
from truewind.strategies.base import Strategy

_STOP, _LINE = 1, 1000  # tags: of the stop, and of line 0
_CRUMB = 0.1  # part of a line's quantity that is not worth an order


class _Lines(NamedTuple):
    """A grid that stands. centre, step: in quote units. unit: base units of one line."""

    centre: float
    step: float
    unit: float


class Grid(Strategy):
    """Works a grid in each symbol of the run, and begins a new one where the price has left it."""

    fields = ("symbol", "close")

    class Params(Settings):
        step: float = Field(default=1.0, gt=0.0, le=100.0, description="distance of two lines, in `unit`")
        unit: Literal["percent", "atr"] = Field(
            default="percent", description="percent of the price, or average true ranges, when the grid begins"
        )
        atr: int = Field(default=288, ge=2, le=2000, description="bars of the average true range")
        levels: int = Field(default=5, ge=1, le=100, description="lines on each side: the most that is held, in lines")
        weight: float = Field(default=0.02, gt=0.0, le=1.0, description="notional of one line, fraction of equity")
        stop: float = Field(default=1.0, gt=0.0, le=100.0, description="steps beyond the last line where it gives up")
        pause: int = Field(default=12, ge=0, le=10_000, description="bars without a grid after it gave up")
        short: bool = Field(default=True, description="sell above the centre what is not held; else long only")

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._lines: dict[str, _Lines] = {}
        self._waits: dict[str, int] = {}  # bars until a new grid, by symbol
        self._filled: set[str] = set()  # symbols whose orders no longer fit what is held

    def features(self) -> Mapping[str, str]:
        return {"range": f"atr({self.params.atr})"} if self.params.unit == "atr" else {}

    def reason(self, tag: int) -> str:
        if tag == _STOP:
            return "stop of the grid"
        return f"line {tag - _LINE:+d}" if abs(tag - _LINE) <= self.params.levels else ""

    def on_bar(self, bar: Any) -> None:
        symbol = bar.symbol
        lines = self._lines.get(symbol)
        if lines is None:
            self._begin(symbol, bar)
        elif self._is_left(lines, bar.close):
            self._end(symbol, gives_up=self.position(symbol).side != 0)
        elif symbol in self._filled:
            self._filled.discard(symbol)
            self._lay(symbol, lines)

    def on_fill(self, fill: Fill) -> None:
        if fill.tag == _STOP and fill.symbol in self._lines:
            self._end(fill.symbol, gives_up=True)
        else:
            self._filled.add(fill.symbol)

    def _begin(self, symbol: str, bar: Any) -> None:
        """Lay a grid around this close, once nothing of the last one is left."""
        if self._waits.get(symbol, 0) > 0:
            self._waits[symbol] -= 1
            return
        if self.working(symbol):
            return
        if self.position(symbol).side:
            self.close(symbol)
            return
        params = self.params
        step = params.step * (bar.range if params.unit == "atr" else bar.close / 100.0)
        if not 0.0 < step * (params.levels + params.stop) < bar.close:  # warming up, a dead market, or lines below zero
            return
        lines = _Lines(bar.close, step, params.weight * self.account.equity / bar.close)
        if not self._send(symbol, lines, Side.BUY, -1, lines.unit):
            self._waits[symbol] = params.pause
            return
        # A line is what the first order has become: whole lots, and no more than the risk gate lets pass.
        lines = self._lines[symbol] = lines._replace(unit=self.working(symbol)[0].quantity)
        self._lay(symbol, lines)

    def _is_left(self, lines: _Lines, close: float) -> bool:
        """Whether the price is beyond the stops; of a grid that is long only, also a step above all it can sell."""
        steps, outer = (close - lines.centre) / lines.step, self.params.levels + self.params.stop
        return steps <= -outer or steps >= (outer if self.params.short else 1.0)

    def _end(self, symbol: str, *, gives_up: bool) -> None:
        """Take the grid away: withdraw its orders and close what is held; where it was given up, pause."""
        del self._lines[symbol]
        self._filled.discard(symbol)
        self.cancel_all(symbol)
        self.close(symbol)
        self._waits[symbol] = self.params.pause if gives_up else 0

    def _lay(self, symbol: str, lines: _Lines) -> None:
        """Bring the working orders to what belongs to the position; what is refused is asked for after another fill."""
        held = self.position(symbol).quantity
        wanted = self._wanted(lines, held)
        least = _CRUMB * lines.unit
        stopped = 0
        for order in self.working(symbol):
            if order.tag == _STOP:
                stopped = order.side
                continue
            left = order.quantity * (1.0 - order.filled / order.lots)
            missing = wanted.pop((Side(order.side), order.tag - _LINE), 0.0) - left
            if missing <= -left:
                self.cancel(order.id)
            elif abs(missing) > least:
                self.amend(order.id, quantity=order.quantity + missing)
        for (side, line), quantity in wanted.items():
            if quantity > least:
                self._send(symbol, lines, side, line, quantity)
        away = Side.SELL if held > 0.0 else Side.BUY
        if held and stopped != away:
            most, trigger = self.params.levels * lines.unit, self._stop(lines, Side(-away))
            self.order(away, most, symbol=symbol, stop=trigger, reduce_only=True, tag=_STOP)

    def _send(self, symbol: str, lines: _Lines, side: Side, line: int, quantity: float) -> int:
        price, closes = lines.centre + line * lines.step, side * line >= 0
        # What closes must not open: if a bar takes the stop first and then comes back, it would be held twice over.
        return self.desk.submit(
            symbol, side, quantity, OrderType.LIMIT, price, reduce_only=closes, tag=_LINE + line,
            protect=0.0 if closes else self._stop(lines, side),
        )  # fmt: skip

    def _stop(self, lines: _Lines, side: Side) -> float:
        """Where what was opened on `side` is given up."""
        return float(lines.centre - side * (self.params.levels + self.params.stop) * lines.step)

    def _wanted(self, lines: _Lines, held: float) -> dict[tuple[Side, int], float]:
        """Base units that belong on each line, by side and line.

        A buy on line k takes the position from -k - 1 lines' worth to -k, a sale from -k + 1 to -k: of either there
        remains what the position has not got to. All buys together lead to the most that may be held and no further.
        """
        unit, levels = lines.unit, self.params.levels
        lowest = -levels if self.params.short else 0
        buys = {(Side.BUY, -n): min(unit, n * unit - held) for n in range(lowest + 1, levels + 1) if n * unit > held}
        sales = {(Side.SELL, -n): min(unit, held - n * unit) for n in range(lowest, levels) if held > n * unit}
        return buys | sales
