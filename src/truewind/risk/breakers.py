"""Breakers, which latch until a person releases them, and limits on the flow of orders, which each order meets anew.

Both concern only what opens, adds or turns: of an order that would turn a position the closing part passes, and what
only reduces is never asked. Breakers come first, then the limits in the order of `refuse`; the first that objects
gives the reason. When a breaker trips is found out in `portfolio.latches`, where the account is valued.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from truewind.config import Settings
from truewind.domain.order import Reason
from truewind.domain.timeframe import MINUTE_US
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.state import (
    account_of,
    breakers_of,
    instruments_of,
    limits_of,
    pairs_of,
    positions_of,
    prices_of,
    received_of,
    spreads_of,
    times_of,
    volatility_of,
)
from truewind.portfolio.worth import lot_worth

Most = Annotated[float, Field(gt=0.0)] | None
OnTrip = Literal["halt", "flatten"]
_NONE, _DRAWDOWN, _DAILY_LOSS = int(Reason.NONE), int(Reason.DRAWDOWN), int(Reason.DAILY_LOSS)
_LOSING_STREAK, _KILL_SWITCH = int(Reason.LOSING_STREAK), int(Reason.KILL_SWITCH)
_SYMBOL_KILLED, _ORDER_RATE = int(Reason.SYMBOL_KILLED), int(Reason.ORDER_RATE)
_PRICE_FAR_OFF, _ORDER_TOO_LARGE = int(Reason.PRICE_FAR_OFF), int(Reason.ORDER_TOO_LARGE)
_STALE_DATA, _WIDE_SPREAD, _LATENCY = int(Reason.STALE_DATA), int(Reason.WIDE_SPREAD), int(Reason.LATENCY)
_VOLATILITY_HALT, _COOLDOWN, _DUPLICATE = int(Reason.VOLATILITY_HALT), int(Reason.COOLDOWN), int(Reason.DUPLICATE)


class BreakerSettings(Settings):
    """Breakers and limits on the flow of orders; null switches one off (max_drawdown: 0).

    A breaker that trips lets no order through that opens or adds, until a person releases it (`truewind risk release`);
    with `flatten` it also withdraws all working orders and closes all positions at market.

    cooldown_minutes counts from when an entry was sent; what adds to a position, and orders of one moment, are one
    entry. What each limit demands: `risk.gate.RULES`.
    """

    max_drawdown: float = Field(
        default=0.20, ge=0.0, lt=1.0, description="how far equity may fall from its peak; 0 switches it off"
    )
    max_daily_loss: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        default=None, description="how far equity may fall since the UTC day began"
    )
    max_losing_streak: Annotated[int, Field(ge=1)] | None = Field(default=None, description="round trips lost in a row")
    on_drawdown: OnTrip = Field(
        default="halt", description="what that breaker does: halt, or flatten all positions as well"
    )
    on_daily_loss: OnTrip = Field(default="halt", description="what that breaker does")
    on_losing_streak: OnTrip = Field(default="halt", description="what that breaker does")
    on_kill: OnTrip = Field(default="flatten", description="what the kill switches do (truewind risk kill)")
    max_orders_per_minute: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="orders that open or add, in one minute of the clock"
    )
    max_price_distance: Most = Field(default=0.50, description="of a limit from the last price, as a fraction of it")
    max_order: Most = Field(default=None, description="notional of an order, × equity")
    max_order_notional: Most = Field(default=None, description="notional of an order, in the account's currency")
    max_data_age_s: Most = Field(default=None, description="age of the symbol's last bar, seconds")
    max_spread: Most = Field(
        default=None, description="spread, as a fraction of the price; on books, and on bars that have a field spread"
    )
    max_latency_ms: Most = Field(default=None, description="from when a bar happened to when it was received, ms")
    max_volatility: Most = Field(default=None, description="standard deviation of a bar's log return")
    max_bar_move: Most = Field(default=None, description="high ÷ low − 1 of the last bar")
    cooldown_minutes: Most = Field(
        default=60.0,
        description="between two entries of one symbol, minutes; what adds to a position is one entry with it",
    )
    duplicate_minutes: Most = Field(
        default=None, description="before the same side, price and stop are sent again, minutes"
    )

    def flow(self) -> dict[str, float]:
        """These settings as fields of LIMITS."""
        limits = {
            name: most(getattr(self, name))
            for name in (
                *("max_daily_loss", "max_losing_streak", "max_orders_per_minute", "max_price_distance", "max_order"),
                *("max_order_notional", "max_spread", "max_volatility", "max_bar_move"),
            )
        }
        acts = {
            name: float(getattr(self, name) == "flatten")
            for name in ("on_drawdown", "on_daily_loss", "on_losing_streak", "on_kill")
        }
        return (
            limits
            | acts
            | {
                "max_data_age": most(self.max_data_age_s, 1e6),
                "max_latency": most(self.max_latency_ms, 1e3),
                "cooldown": (self.cooldown_minutes or 0.0) * MINUTE_US,
                "duplicate": (self.duplicate_minutes or 0.0) * MINUTE_US,
            }
        )

    def unasked_on_book(self) -> list[str]:
        """What is set of these that order-book runs do not do."""
        limits = (
            *("max_orders_per_minute", "max_order", "max_order_notional", "max_data_age_s", "max_spread"),
            *("max_latency_ms", "max_volatility", "max_bar_move", "duplicate_minutes"),
        )
        acts = ("on_drawdown", "on_daily_loss", "on_losing_streak")
        flattens = [name for name in acts if getattr(self, name) == "flatten"]
        return flattens + [name for name in limits if getattr(self, name) is not None]


def most(value: float | None, scale: float = 1.0) -> float:
    """A limit from above as kernels take it: one that is switched off lets everything pass."""
    return math.inf if value is None else value * scale


@kernel(inline=True)
def latched(state: int, symbol: int) -> int:
    """The breaker that lets nothing of `symbol` open or add: its Reason, or NONE."""
    breakers = breakers_of(state)
    if breakers["killed"]:
        return _KILL_SWITCH
    if pairs_of(state)[symbol]["killed"]:
        return _SYMBOL_KILLED
    if account_of(state)["halted"]:
        return _DRAWDOWN
    if breakers["daily_loss"]:
        return _DAILY_LOSS
    return _LOSING_STREAK if breakers["losing_streak"] else _NONE


@kernel(inline=True)
def refuse(state: int, order: Any, k: int, now: int, at: float) -> int:
    """Why an order that opens or adds may not be sent after row `k`: a Reason, or NONE.

    at: the price at which its notional is judged.
    """
    symbol = order["symbol"]
    limit, breakers, pair = limits_of(state), breakers_of(state), pairs_of(state)[symbol]
    reason = latched(state, symbol)
    if reason != _NONE:
        return int(reason)
    if now // MINUTE_US == breakers["minute"] and breakers["sent"] >= limit["max_orders_per_minute"]:
        return _ORDER_RATE
    instrument = instruments_of(state)[symbol]
    if order["price"] > 0:
        last = positions_of(state)[symbol]["close"]
        price = to_price(order["price"], instrument["tick_num"], instrument["tick_den"])
        if abs(price - last) > limit["max_price_distance"] * last:
            return _PRICE_FAR_OFF
    notional = order["lots"] * lot_worth(at, instrument)
    equity = account_of(state)["equity"]
    too_much = equity > 0.0 and notional > limit["max_order"] * equity
    if too_much or notional > limit["max_order_notional"] * breakers["scale"]:
        return _ORDER_TOO_LARGE
    reason = refuse_market(state, symbol, k, now)
    if reason != _NONE or order["parent"] != 0:
        return int(reason)
    if enters(state, order) and now > pair["entered"] and now - pair["entered"] < limit["cooldown"]:
        return _COOLDOWN
    same = pair["side"] == order["side"] and pair["price"] == order["price"] and pair["stop"] == order["protect"]
    return _DUPLICATE if same and now - pair["asked_at"] < limit["duplicate"] else _NONE


@kernel(inline=True)
def refuse_market(state: int, symbol: int, k: int, now: int) -> int:
    """Why the market of `symbol` is not to be traded after row `k`, as it was last seen: a Reason, or NONE."""
    limit = limits_of(state)
    quiet = limit["max_spread"] == math.inf and limit["max_volatility"] == math.inf
    timely = limit["max_data_age"] == math.inf and limit["max_latency"] == math.inf
    if quiet and timely and limit["max_bar_move"] == math.inf:
        return _NONE
    return look_at_market(state, symbol, k, now)


@kernel
def look_at_market(state: int, symbol: int, k: int, now: int) -> int:
    """`refuse_market` where some limit asks."""
    limit, spreads, volatility = limits_of(state), spreads_of(state), volatility_of(state)
    times, prices = times_of(state), prices_of(state)
    row = k
    while row >= 0 and times[2][row] != symbol:
        row -= 1
    if row < 0 or now - times[1][row] > limit["max_data_age"]:
        return _STALE_DATA
    if len(spreads) > 0 and spreads[row] > limit["max_spread"]:
        return _WIDE_SPREAD
    if received_of(state)[row] - times[1][row] > limit["max_latency"]:
        return _LATENCY
    wild = len(volatility) > 0 and volatility[row] > limit["max_volatility"]
    if wild or prices[1][row] / prices[2][row] - 1.0 > limit["max_bar_move"]:
        return _VOLATILITY_HALT
    return _NONE


@kernel(inline=True)
def enters(state: int, order: Any) -> bool:
    """Whether an order enters: it opens where nothing is held, or turns what is; what adds does not."""
    return bool(positions_of(state)[order["leg"]]["lots"] * order["side"] <= 0)


@kernel(inline=True)
def note_sent(state: int, order: Any, now: int) -> None:
    """Remember an order that opens or adds, and was let through."""
    breakers, pair = breakers_of(state), pairs_of(state)[order["symbol"]]
    minute = now // MINUTE_US
    if minute != breakers["minute"]:
        breakers["minute"], breakers["sent"] = minute, 0
    breakers["sent"] += 1
    if enters(state, order):
        pair["entered"] = now
    pair["side"], pair["price"], pair["stop"] = order["side"], order["price"], order["protect"]
    pair["asked_at"] = now
