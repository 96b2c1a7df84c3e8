"""What the risk rules are told of an order in the order-book lane, and what is written down of what they said."""

import math
from typing import Any

from truewind.domain.risk import Ruling
from truewind.execution.simulated.book_state import lane_at, money_at
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.state import limits_of, margins_of, tiers_of, verdicts_of
from truewind.risk.judging import Own
from truewind.risk.position import notional_carried, notional_safe

_REDUCED, _DENIED = int(Ruling.REDUCED), int(Ruling.DENIED)


@kernel
def own_of(handle: int, committed: float, equity: float, depth: float) -> Own:
    """What the risk rules are told of the symbol. There are no bars here: what goes by their volume lets all pass."""
    limit, terms = limits_of(handle), margins_of(handle)[0]
    safe, carried = math.inf, math.inf
    if money_at(handle)[0][0]["can_short"]:
        if limit["max_margin_use"] < math.inf:
            carried = notional_carried(limit["max_margin_use"] * equity, terms, tiers_of(handle))
        if limit["min_liquidation"] > -math.inf:
            inverse = money_at(handle)[0][0]["inverse"] != 0
            safe = notional_safe(
                equity, limit["min_liquidation"], inverse, terms["leverage"], terms, tiers_of(handle)
            )  # fmt: skip
    return Own(committed, 0.0, limit["leverage"], math.inf, depth, safe, carried)


@kernel
def note_verdict(
    handle: int, order_id: int, order: Any, asked: int, granted: int, ticks: int, reason: int
) -> None:  # fmt: skip
    """Write down that the gate has reduced or denied an order; what passes whole has its reports.

    order_id: 0 if it was never sent.
    """
    money, verdicts, instrument = money_at(handle)[2][0], verdicts_of(handle), money_at(handle)[0][0]
    if money["verdicts"] >= len(verdicts):  # a strategy that asks again and again at one wake: `denied` counts them
        return
    verdict = verdicts[money["verdicts"]]
    money["verdicts"] += 1
    verdict["ts"] = lane_at(handle)[0]["now"]
    verdict["order"], verdict["asked"], verdict["allowed"] = order_id, asked, granted
    verdict["opening"] = granted
    verdict["horizon_us"] = verdict["signal"] = verdict["owner"] = verdict["symbol"] = 0
    verdict["tag"], verdict["row"], verdict["side"] = order["tag"], -1, order["side"]
    verdict["price"] = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
    verdict["stop"] = verdict["target_1"] = verdict["target_2"] = math.nan
    verdict["target_3"] = verdict["target_4"] = math.nan
    verdict["entry"] = verdict["price"] if order["ticks"] > 0 else math.nan
    verdict["confidence"] = 1.0
    verdict["reason"], verdict["ruling"] = reason, _DENIED if granted == 0 else _REDUCED
