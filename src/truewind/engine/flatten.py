"""Flattening: a breaker that tripped withdraws what works and closes what is held, at market, in both lanes alike.

It acts on the row on which the breaker tripped, before the strategy is shown that row; on a person's command at once.
What it sends is asked by no limit, and marked by the reason FLATTENED. What it cannot sell (dust below an order's
least quantity, a contract that trades no more) stays.
"""

from typing import Any

from truewind.domain.order import Event, OrderType, Reason
from truewind.domain.risk import FLATTEN_ALL, SELLING
from truewind.engine.intake import submit
from truewind.execution.simulated.lifecycle import FLUSH, cancel
from truewind.numerics.jit import kernel
from truewind.portfolio.fees import whole_steps
from truewind.portfolio.shares import shared
from truewind.portfolio.state import (
    account_of,
    breakers_of,
    events_of,
    instruments_of,
    orders_of,
    pairs_of,
    positions_of,
    rules_of,
    shares_of,
    verdicts_of,
)

_MARKET, _CANCEL, _FLATTENED = int(OrderType.MARKET), int(Event.CANCEL), int(Reason.FLATTENED)
_MOST_PIECES = 64  # of one position that is larger than the venue lets a market order be


@kernel
def flatten(state: int, k: int, decided: int = 0) -> int:
    """Do what the alarm asks for, after row `k`. Returns 0, or FLUSH (nothing was done).

    decided: when it was decided, if that was between two rows (µs), else 0.
    """
    breakers, money, pairs = breakers_of(state), account_of(state), pairs_of(state)
    everything = breakers["alarm"] == FLATTEN_ALL
    sent = 0
    for row in range(len(shares_of(state))):
        share = shares_of(state)[row]
        if share["lots"] != 0 and (everything or pairs[share["symbol"]]["alarm"]):
            sent += pieces(state, share["symbol"], abs(share["lots"]))
    orders, events = orders_of(state), events_of(state)
    full = money["events"] + 2 * (money["orders"] + sent) + 8 > len(events)
    if full or money["orders"] + sent + 1 > len(orders) or money["verdicts"] + sent > len(verdicts_of(state)):
        return FLUSH
    owner, last = money["owner"], money["next_order"]
    breakers["alarm"] = SELLING
    j = 0
    while j < money["orders"]:
        if (everything or pairs[orders[j]["symbol"]]["alarm"]) and not orders[j]["house"]:
            cancel(state, orders[j]["id"], k, _FLATTENED, _CANCEL)
            j = 0
        else:
            j += 1
    for row in range(len(shares_of(state))):
        share = shares_of(state)[row]
        if share["lots"] != 0 and (everything or pairs[share["symbol"]]["alarm"]):
            money["owner"] = row // len(positions_of(state))
            sell(state, k, share["symbol"], row % len(positions_of(state)), share["lots"])
    for j in range(money["orders"]):
        if orders[j]["id"] > last and decided > 0:
            orders[j]["ts_decided"] = decided
    money["owner"] = owner
    breakers["alarm"] = 0
    for symbol in range(len(pairs)):
        pairs[symbol]["alarm"] = 0
    return 0


@kernel
def most_at_market(state: int, symbol: int) -> int:
    """Lots that one market order may have."""
    rule: Any = rules_of(state)[symbol]
    most = int(min(rule["market_max_lots"], instruments_of(state)[symbol]["max_lots"]))
    step = int(rule["market_step"])
    return max(1, whole_steps(state, symbol, most - most % step if step > 1 else most))


@kernel
def pieces(state: int, symbol: int, lots: int) -> int:
    """How many market orders it takes to close `lots`."""
    most = most_at_market(state, symbol)
    return int(min(_MOST_PIECES, (lots - 1) // most + 1))


@kernel
def sell(state: int, k: int, symbol: int, leg: int, held: int) -> None:
    """Close `held` lots of `leg`, which are the speaking strategy's; see `acting.close` on who may reduce only.

    What another breaker has sent before, and is not filled yet, goes on.
    """
    side = -1 if held > 0 else 1
    orders, account = orders_of(state), account_of(state)
    wanted = whole_steps(state, symbol, abs(held))
    for j in range(account["orders"]):
        order = orders[j]
        if (
            order["house"]
            and order["owner"] == account["owner"]
            and order["symbol"] == symbol
            and order["side"] == side
        ):
            wanted -= order["lots"] - order["filled"]
    if wanted <= 0:
        return
    alone = not shared(state) or len(positions_of(state)) > len(instruments_of(state))
    reduces = 1 if alone or positions_of(state)[leg]["lots"] * side <= -abs(held) else 0
    most = most_at_market(state, symbol)
    for _ in range(pieces(state, symbol, wanted)):
        submit(state, k, symbol, side, _MARKET, min(wanted, most), 0, reduces, 0, 0)
        wanted -= most
