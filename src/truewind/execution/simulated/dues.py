"""Dues: funding, swaps, borrow fees and dividends are paid, splits change what is held, and contracts end, in time.

The formulas are in `portfolio`; here they meet a row of the timeline. What falls due while a bar is open is on what was
held at its open: a bar does not say when inside it an order was executed.
"""

from typing import Any

from truewind.domain.clock import NEVER
from truewind.domain.due import SWAP_SCALE, DueKind
from truewind.domain.fill import FillKind
from truewind.domain.order import TRANSITIONS, Event, Reason
from truewind.execution.simulated.lifecycle import change_order, end_order
from truewind.numerics.exact import to_ticks
from truewind.numerics.jit import kernel
from truewind.portfolio.conversion import converted
from truewind.portfolio.corporate import cash_in_lieu, dividend, split
from truewind.portfolio.financing import borrow_collateral, borrow_fee, swap
from truewind.portfolio.ledger import book_fill, book_funding, book_payment, book_split
from truewind.portfolio.shares import share_payment, share_settlement, share_split
from truewind.portfolio.state import (
    account_of,
    dues_of,
    fills_of,
    instruments_of,
    margins_of,
    marks_of,
    orders_of,
    positions_of,
)
from truewind.portfolio.worth import worth_of

_FUNDING, _SWAP, _BORROW = DueKind.FUNDING, DueKind.SWAP, DueKind.BORROW
_DIVIDEND, _SPLIT, _SETTLEMENT = DueKind.DIVIDEND, DueKind.SPLIT, DueKind.SETTLEMENT
_PAID_SWAP, _PAID_BORROW, _PAID_DIVIDEND = FillKind.SWAP, FillKind.BORROW, FillKind.DIVIDEND
_SETTLED = FillKind.SETTLEMENT
_AMEND, _CANCEL, _EXPIRE = int(Event.AMEND), int(Event.CANCEL), int(Event.EXPIRE)
_NONE, _CLOSED, _CORPORATE_ACTION = int(Reason.NONE), int(Reason.CLOSED), int(Reason.CORPORATE_ACTION)


@kernel(inline=True)
def pay_dues(state: int, until: int, row: int, symbol: int) -> None:
    """Let all that falls due for `symbol` at or before `until` happen, in time order."""
    head = positions_of(state)[symbol]
    while head["next_due"] < head["last_due"] and dues_of(state)[head["next_due"]]["ts"] <= until:
        pay_next(state, row, symbol)


@kernel
def pay_next(state: int, row: int, symbol: int) -> None:
    """Let the next of a symbol's dues happen."""
    dues, positions, instruments = dues_of(state), positions_of(state), instruments_of(state)
    head, instrument = positions[symbol], instruments[symbol]
    due = dues[head["next_due"]]
    head["next_due"] += 1
    price = int(due["price"])
    if price == 0:
        price = max(1, to_ticks(marks_of(state)[0][row], instrument["tick_num"], instrument["tick_den"], 1))
    if due["kind"] == _SPLIT:
        split_orders(state, symbol, due, row)
    elif due["kind"] == _SETTLEMENT:
        end_orders(state, symbol, due["ts"], row)
    for leg in range(symbol, len(positions), len(instruments)):
        if account_of(state)["overflow"] == 0:
            meet_due(state, leg, due, price, row)
    if due["kind"] >= _SPLIT:
        head["changes_at"] = next_change(dues, head["next_due"], head["last_due"])


@kernel
def meet_due(state: int, leg: int, due: Any, price: int, row: int) -> None:
    """What `due` means for those who hold `leg`."""
    position = positions_of(state)[leg]
    instrument, lots = instruments_of(state)[position["symbol"]], int(position["lots"])
    ts, kind, amount, other = due["ts"], due["kind"], due["amount"], due["other"]
    if kind == _SPLIT:
        kept, _, fraction, released = split(lots, position["cost"], amount, other)
        paid = converted(state, position["symbol"], cash_in_lieu(fraction, other, price, instrument))
        if lots != 0:
            book_split(state, ts, row, leg, price, kept, released, paid)
        share_split(state, leg, amount, other, paid)
        return
    if kind == _SETTLEMENT:
        fee = 0
        rate = amount if amount >= 0 else margins_of(state)[position["symbol"]]["taker"]
        if lots != 0:
            side = -1 if lots > 0 else 1
            if not book_fill(state, ts, row, 0, leg, _SETTLED, side, 0, price, abs(lots), price, rate, 0):
                return
            fee = fills_of(state)[account_of(state)["fills"] - 1]["fee"]
        share_settlement(state, leg, ts, price, fee)
        return
    if lots == 0:
        return
    if kind == _FUNDING:
        if amount != 0 and book_funding(state, ts, row, leg, price, amount):
            share_payment(state, leg, fills_of(state)[account_of(state)["fills"] - 1]["realised"], False)
        return
    notional = worth_of(price, abs(lots), instrument)
    if notional < 0:
        account_of(state)["overflow"] = 1
        return
    paid_as, payment = _PAID_DIVIDEND, 0
    if kind == _DIVIDEND:
        payment = converted(state, position["symbol"], dividend(lots, amount, other, instrument))
    elif kind == _SWAP:
        own = swap(lots, amount if lots > 0 else other, SWAP_SCALE, 1, instrument)
        paid_as, payment = _PAID_SWAP, converted(state, position["symbol"], own)
    elif lots < 0:
        at = price * instrument["tick_num"] / instrument["tick_den"]
        collateral = round(borrow_collateral(at, abs(lots) * instrument["worth"]))
        paid_as, payment = _PAID_BORROW, -borrow_fee(collateral, amount, other)
    if payment != 0:
        book_payment(state, ts, row, leg, paid_as, price, notional, payment)
        share_payment(state, leg, payment, True)


@kernel
def next_change(dues: Any, first: int, last: int) -> int:
    """When the next split or the end of rows [first, last) comes; NEVER if there is none."""
    for i in range(first, last):
        if dues[i]["kind"] >= _SPLIT:
            return int(dues[i]["ts"])
    return NEVER


@kernel
def end_orders(state: int, symbol: int, ts: int, row: int) -> None:
    """The symbol is traded no more: all its orders expire."""
    orders = orders_of(state)
    for j in range(account_of(state)["orders"]):
        if orders[j]["symbol"] == symbol and TRANSITIONS[orders[j]["status"], _EXPIRE] >= 0:
            end_order(state, j, ts, row, _EXPIRE, _CLOSED)


@kernel
def split_orders(state: int, symbol: int, due: Any, row: int) -> None:
    """`due["amount"]` new shares for `due["other"]`: orders grow with the holding, and their prices fall with it.

    FINRA rule 5330: an open order is adjusted by the ratio; in a reverse split it is cancelled. Between two ticks the
    price is the worse one for us.
    """
    orders = orders_of(state)
    new, old = int(due["amount"]), int(due["other"])
    for j in range(account_of(state)["orders"]):
        order = orders[j]
        if order["symbol"] != symbol or TRANSITIONS[order["status"], _AMEND] < 0:
            continue
        if new < old:
            end_order(state, j, due["ts"], row, _CANCEL, _CORPORATE_ACTION)
            continue
        order["lots"] = order["lots"] * new // old
        order["filled"] = order["filled"] * new // old
        order["asked"] = order["asked"] * new // old
        order["shown"] = order["shown"] * new // old
        order["price"] = scaled(order["price"], old, new, -order["side"])
        order["trigger"] = scaled(order["trigger"], old, new, order["rising"])
        order["activation"] = scaled(order["activation"], old, new, order["rising"])
        order["best"] = scaled(order["best"], old, new, order["rising"])
        if order["trail_rate"] == 0:
            order["trail"] = scaled(order["trail"], old, new, 1)
        change_order(state, j, due["ts"], row, _AMEND, _CORPORATE_ACTION, order["lots"])


@kernel
def scaled(ticks: int, old: int, new: int, worse: int) -> int:
    """`ticks` × old ÷ new; between two the upper one if `worse` > 0, and never less than 1 unless it was 0."""
    if ticks == 0:
        return 0
    up = new - 1 if worse > 0 else 0
    return int(max(1, (ticks * old + up) // new))
