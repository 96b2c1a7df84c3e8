"""Funding, mark price and liquidation in the order-book lane.

When the margin is used up is judged as everywhere (`portfolio.margin`). What the venue takes away it sells into the
displayed book, like any order that takes; what the book cannot take, the insurance fund takes over at the price at
which nothing is left (Binance, "Futures Liquidation Protocols", FAQ 360033525271).
"""

from truewind.domain.book import Report
from truewind.domain.fill import FillKind
from truewind.domain.order import Event, Reason
from truewind.domain.position import CROSS
from truewind.execution.simulated.book_arrivals import fire
from truewind.execution.simulated.book_matching import equity_now, mark_now
from truewind.execution.simulated.book_orders import finish, tell_of_none
from truewind.execution.simulated.book_resting import lift, take_level
from truewind.execution.simulated.book_state import book_at, lane_at, money_at, orders_at, references_at, waiting_at
from truewind.execution.simulated.book_triggers import INDEX, MARK
from truewind.execution.simulated.liquidating import danger_ahead, set_mark
from truewind.numerics.book import NO_KEY, next_key
from truewind.numerics.exact import mul_div, to_ticks
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE, book_fill, book_funding, book_payment, charge
from truewind.portfolio.liquidation import clear, lots_to_liquidate, lots_to_lower_tier
from truewind.portfolio.margin import (
    cross_equity,
    cross_maintenance,
    cross_wallet,
    leg_maintenance,
    refresh_terms,
    unrealised,
)
from truewind.portfolio.state import dues_of, fees_of, margins_of, tiers_of
from truewind.portfolio.worth import coordinate, exposure

_CANCEL, _CANCELLED = int(Event.CANCEL), int(Report.CANCELLED)
_BY_LIQUIDATION, _LIQUIDATED = int(Reason.LIQUIDATION), int(Report.LIQUIDATED)
_LIQUIDATION, _INSURANCE = FillKind.LIQUIDATION, FillKind.INSURANCE


@kernel
def next_due(handle: int) -> int:
    """When the next mark price, index price or funding comes; the largest int64 if there is none left."""
    lane = lane_at(handle)[0]
    marks, indices = references_at(handle)
    funding = dues_of(handle)
    due = (1 << 63) - 1
    if lane["mark"] < len(marks):
        due = marks[lane["mark"]]["ts"]
    if lane["funding"] < len(funding):
        due = min(due, funding[lane["funding"]]["ts"])
    if lane["index"] < len(indices):
        due = min(due, indices[lane["index"]]["ts"])
    return int(due)


@kernel
def settle_due(handle: int, ts: int) -> None:
    """Pay the funding that is due at `ts`; take mark and index price of that moment, which may reach triggers."""
    lane = lane_at(handle)[0]
    marks, indices = references_at(handle)
    funding = dues_of(handle)
    instruments, positions, _, _, _ = money_at(handle)
    position, instrument = positions[0], instruments[0]
    while lane["funding"] < len(funding) and funding[lane["funding"]]["ts"] <= ts:
        row = funding[lane["funding"]]
        lane["funding"] += 1
        ticks = row["price"]
        if ticks == 0:
            equity_now(handle)
            mark = position["mark"] if lane["mark"] > 0 else position["close"]
            ticks = to_ticks(mark, instrument["tick_num"], instrument["tick_den"], 0) if mark == mark else 0
        for leg in range(lane["legs"]):
            if positions[leg]["lots"] != 0 and ticks > 0:
                book_funding(handle, ts, lane["event"], leg, ticks, row["amount"])
    while lane["mark"] < len(marks) and marks[lane["mark"]]["ts"] <= ts:
        set_mark(0, marks[lane["mark"]]["price"], positions, 1)
        lane["mark"] += 1
        fire(handle, MARK, ts)
    while lane["index"] < len(indices) and indices[lane["index"]]["ts"] <= ts:
        lane["index_price"] = indices[lane["index"]]["price"]
        lane["index"] += 1
        fire(handle, INDEX, ts)


@kernel
def watch_margin(handle: int, ts: int) -> None:
    """Liquidate, tier by tier, while the margin is used up at the mark price; where there is none, at the middle."""
    instruments, positions, account, _, _ = money_at(handle)
    if ts >= account[0]["terms_at"]:
        account[0]["terms_at"] = refresh_terms(margins_of(handle), tiers_of(handle), fees_of(handle), ts)
    if not instruments[0]["can_short"]:
        return
    mark = mark_now(handle)
    if mark != mark:
        return
    leg, _ = danger_ahead(handle, 0, mark, mark, mark)
    while leg >= 0:
        before = positions[leg]["lots"]
        liquidate(handle, leg, ts)
        if positions[leg]["lots"] == before:
            return  # the money does not fit 64 bits; the account is flagged
        leg, _ = danger_ahead(handle, 0, mark, mark, mark)


@kernel
def withdraw_all(handle: int, ts: int) -> None:
    """End all our orders that rest at the venue or wait there."""
    lane = lane_at(handle)[0]
    _, resting, _ = orders_at(handle)
    waiting = waiting_at(handle)
    while lane["resting"] + lane["waiting"] > 0:
        i = resting[0] if lane["resting"] > 0 else waiting[0]
        lift(handle, i)
        finish(handle, i, _CANCEL, _CANCELLED, ts, _BY_LIQUIDATION)


@kernel
def bankruptcy_ticks(handle: int, leg: int) -> int:
    """Ticks at which closing the leg leaves nothing of its wallet."""
    instruments, positions, account, _, _ = money_at(handle)
    position, instrument = positions[leg], instruments[0]
    mark = position["mark"]
    equity = position["wallet"] + unrealised(position, instrument, mark)
    if position["wallet"] == CROSS:
        equity = cross_equity(cross_wallet(account[0]["cash"], positions), positions, instruments)
    at = coordinate(mark, instrument) - equity / exposure(position["lots"], instrument)
    price = coordinate(at, instrument) if at > 0.0 else mark
    return max(1, to_ticks(price, instrument["tick_num"], instrument["tick_den"], 0))


@kernel
def take(handle: int, leg: int, ticks: int, lots: int, reference: int, ts: int) -> bool:
    """Book one execution of the liquidation, and tell us of it."""
    lane = lane_at(handle)[0]
    positions = money_at(handle)[1]
    side = -1 if positions[leg]["lots"] > 0 else 1
    event = lane["event"]
    if not book_fill(handle, ts, event, 0, leg, _LIQUIDATION, side, 0, ticks, lots, reference, 0, 0):
        return False
    tell_of_none(handle, 0, side, _LIQUIDATED, ts, ticks, lots, _BY_LIQUIDATION, leg)
    return True


@kernel
def liquidate(handle: int, leg: int, ts: int) -> None:
    """Take the leg down a tier, or further if the margin needs it; our orders are withdrawn first."""
    instruments, positions, account, fills, _ = money_at(handle)
    margins, tiers = margins_of(handle), tiers_of(handle)
    sides, levels, far = book_at(handle)
    position, instrument, terms, money = positions[leg], instruments[0], margins[0], account[0]
    withdraw_all(handle, ts)
    isolated = position["wallet"] != CROSS
    lots = int(abs(position["lots"]))
    mark = position["mark"]
    if terms["partial"]:
        others = 0.0
        equity = position["wallet"] + unrealised(position, instrument, mark)
        if not isolated:
            own = leg_maintenance(position, instruments, margins, tiers)
            others = cross_maintenance(positions, instruments, margins, tiers) - own
            equity = cross_equity(cross_wallet(money["cash"], positions), positions, instruments)
        loss = terms["liquidation_fee"] / RATE_SCALE
        least = lots_to_liquidate(equity, others, position, mark, loss, instrument, terms, tiers)
        lots = max(1, least, lots_to_lower_tier(position, mark, instrument, terms, tiers))
    wallet, first, realised = int(position["wallet"]), money["fills"], money["realised"]
    other = 0 if position["lots"] > 0 else 1
    key = sides[other]["best"]
    last = bankruptcy_ticks(handle, leg)
    reference = abs(key) if key != NO_KEY else last
    left = lots
    while left > 0 and key != NO_KEY:
        amount = take_level(handle, other, key, left)
        if amount > 0:
            if not take(handle, leg, abs(key), amount, reference, ts):
                return
            left -= amount
        key = next_key(sides, levels, far, other, key)
    if left > 0 and not take(handle, leg, last, left, last, ts):
        return
    notional = 0
    for k in range(first, money["fills"]):
        notional += fills[k]["notional"]
    fee = mul_div(notional, terms["liquidation_fee"], RATE_SCALE)
    balance = wallet + int(money["realised"] - realised) if isolated else cross_wallet(money["cash"], positions)
    for other_leg in range(len(positions)):
        if not isolated and positions[other_leg]["lots"] != 0:
            charge(handle, leg, fee)  # the account lives on; what else it holds backs it
            return
    remains, charged, change = clear(balance, fee)
    charge(handle, leg, charged)
    if isolated:
        position["wallet"] = remains if position["lots"] != 0 else 0
    if change < 0:
        book_payment(handle, ts, lane_at(handle)[0]["event"], leg, _INSURANCE, last, 0, -change)
