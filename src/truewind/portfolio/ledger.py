"""The ledger: fills, payments and splits become positions and cash, in exact integers, double entry.

Kernels change positions and account and write one FILL row each; `postings` spells every row out as debits and
credits that sum to zero. The cost basis of a partly closed position is released in proportion (average cost);
the one rounding of that division goes to the realised profit, and what remains keeps the rest, so that nothing
is lost however often a position is cut.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl

from truewind.domain.fill import FillKind
from truewind.errors import LedgerError
from truewind.numerics.exact import SAFE_INT64, mul_div
from truewind.numerics.jit import kernel
from truewind.portfolio.conversion import note_entry
from truewind.portfolio.latches import close_trip
from truewind.portfolio.state import account_of, fills_of, instruments_of, margins_of, positions_of
from truewind.portfolio.worth import gains_with_price, worth_of

RATE_SCALE = 100_000_000  # rates are integers of 1e-8: 0.05 % is 50_000
_REPORT = "This is a bug: please report it, with the run's config and journal"
_FUNDING, _INSURANCE, _SPLIT, _EXCHANGE = FillKind.FUNDING, FillKind.INSURANCE, FillKind.SPLIT, FillKind.EXCHANGE


@kernel
def book_fill(
    state: int,
    ts: int,
    row: int,
    order: int,
    leg: int,
    kind: int,
    side: int,
    maker: int,
    price: int,
    lots: int,
    reference: int,
    fee_rate: int,
    tag: int,
) -> bool:
    """Book an execution of `lots` > 0 at `price` ticks; False (and nothing changed) if the money does not fit.

    leg: row of the position. `reference` is the price in ticks before slippage; `fee_rate` in 1e-8 of the notional,
    negative for a rebate.
    """
    position, money = positions_of(state)[leg], account_of(state)
    instrument = instruments_of(state)[position["symbol"]]
    notional = worth_of(price, lots, instrument)
    slippage = 0
    if price != reference:
        slippage = abs(worth_of(reference, lots, instrument) - notional)
        if not instrument["inverse"]:
            slippage = worth_of(abs(price - reference), lots, instrument)
    cash = float(money["cash"])
    if notional < 0 or slippage < 0 or abs(cash) + abs(float(position["cost"])) + 2.0 * notional > SAFE_INT64:
        money["overflow"] = 1
        return False
    held = int(position["lots"])
    gains = gains_with_price(side, instrument)
    closing = min(lots, abs(held)) if held * side < 0 else 0
    released = 0
    realised = 0
    if closing > 0:
        released = int(position["cost"])
        if closing < abs(held):
            released = mul_div(released, closing, abs(held))
        proceeds = notional if closing == lots else mul_div(notional, closing, lots)
        # A long is sold for `proceeds`; a short (cost < 0) is bought back for them.
        realised = -gains * proceeds - released
        opened = gains * (notional - proceeds)
    else:
        opened = gains * notional
    fee = mul_div(notional, fee_rate, RATE_SCALE)
    if instrument["rate"] != position["entry_rate"] and opened != 0:
        note_entry(state, leg, position["cost"] - released, opened)
    after = held + side * lots
    if after != 0 and (held == 0 or (held > 0) != (after > 0)):
        position["opened_ts"] = ts
    elif after == 0:
        position["opened_ts"] = 0
    position["lots"] = after
    position["cost"] += opened - released
    position["realised"] += realised
    position["fees"] += fee
    position["slippage"] += slippage
    money["cash"] += realised - fee
    money["realised"] += realised
    money["fees"] += fee
    money["slippage"] += slippage
    if position["wallet"] >= 0:
        if closing > 0:
            position["wallet"] -= mul_div(position["wallet"], closing, abs(held))
        leverage = margins_of(state)[position["symbol"]]["leverage"]
        position["wallet"] += math.ceil(abs(opened) / leverage)
    write_fill(
        state, position, money, ts, row, order, leg, kind, side, maker, price, lots,
        notional, released, realised, fee, slippage, tag,
    )  # fmt: skip
    if closing > 0 and (after == 0 or lots > closing):
        close_trip(state, leg, ts, row)
    return True


@kernel
def book_funding(state: int, ts: int, row: int, leg: int, price: int, rate: int) -> bool:
    """Pay or receive funding: the holder of `lots` pays lots × mark × rate (rate in 1e-8; shorts receive it)."""
    position = positions_of(state)[leg]
    notional = worth_of(price, abs(position["lots"]), instruments_of(state)[position["symbol"]])
    if notional < 0:
        account_of(state)["overflow"] = 1
        return False
    payment = -mul_div(notional, rate, RATE_SCALE)
    if position["lots"] < 0:
        payment = -payment
    book_payment(state, ts, row, leg, _FUNDING, price, notional, payment)
    return True


@kernel
def book_payment(state: int, ts: int, row: int, leg: int, kind: int, price: int, notional: int, payment: int) -> None:
    """Book money that comes in (positive) or goes out without an execution: a FillKind with lots = 0."""
    position, money = positions_of(state)[leg], account_of(state)
    money["cash"] += payment
    if kind == _FUNDING:
        position["funding"] += payment
        money["funding"] += payment
    elif kind == _INSURANCE:
        position["realised"] += payment
        money["realised"] += payment
    elif kind != _EXCHANGE:
        position["carry"] += payment
        money["carry"] += payment
    side = 1 if position["lots"] > 0 else -1
    write_fill(state, position, money, ts, row, 0, leg, kind, side, 0, price, 0, notional, 0, payment, 0, 0, 0)


@kernel
def book_split(state: int, ts: int, row: int, leg: int, price: int, lots: int, released: int, paid: int) -> None:
    """Let `leg` hold `lots` from now on. `released` of its cost leave with a fraction that is `paid` out in cash."""
    position, money = positions_of(state)[leg], account_of(state)
    change = lots - int(position["lots"])
    position["lots"] = lots
    position["cost"] -= released
    position["realised"] += paid - released
    money["cash"] += paid - released
    money["realised"] += paid - released
    if lots == 0:
        position["opened_ts"] = 0
    side = 1 if change > 0 else -1
    write_fill(
        state, position, money, ts, row, 0, leg, _SPLIT, side, 0, price, abs(change),
        abs(paid), released, paid - released, 0, 0, 0,
    )  # fmt: skip


@kernel
def charge(state: int, leg: int, fee: int) -> None:
    """Add `fee` to the execution of `leg` that was booked last."""
    position, money = positions_of(state)[leg], account_of(state)
    fill = fills_of(state)[money["fills"] - 1]
    money["cash"] -= fee
    money["fees"] += fee
    position["fees"] += fee
    fill["fee"] += fee
    fill["cash"] -= fee


@kernel(inline=True)
def write_fill(
    state: int,
    position: Any,
    money: Any,
    ts: int,
    row: int,
    order: int,
    leg: int,
    kind: int,
    side: int,
    maker: int,
    price: int,
    lots: int,
    notional: int,
    released: int,
    realised: int,
    fee: int,
    slippage: int,
    tag: int,
) -> None:
    """Append one FILL row (the caller has made sure that there is room)."""
    fills = fills_of(state)
    fill = fills[money["fills"]]
    fill["ts"] = ts
    fill["row"] = row
    fill["order"] = order
    fill["symbol"] = position["symbol"]
    fill["leg"] = leg
    fill["kind"] = kind
    fill["side"] = side
    fill["maker"] = maker
    fill["price"] = price
    fill["lots"] = lots
    fill["notional"] = notional
    fill["cost_released"] = released
    fill["realised"] = realised
    fill["fee"] = fee
    fill["slippage"] = slippage
    fill["position"] = position["lots"]
    fill["cost"] = position["cost"]
    fill["cash"] = money["cash"]
    fill["tag"] = tag
    fill["owner"] = -1 if order == 0 else 0
    money["fills"] += 1
    money["booked"] += 1


# What moves money without an execution, and the account that it is booked in.
PAYMENTS = {
    FillKind.FUNDING: "funding",
    FillKind.INSURANCE: "insurance",
    FillKind.DIVIDEND: "dividends",
    FillKind.BORROW: "borrowing",
    FillKind.SWAP: "swaps",
    FillKind.EXCHANGE: "collateral",
}


def postings(fills: np.ndarray, instruments: np.ndarray) -> pl.DataFrame:
    """FILL rows as double entry: fill (its index), account, symbol, amount (ledger units, debit positive).

    The amounts of each fill sum to zero. Accounts: `position` (cost of what is held), `cash` (as if every fill were
    paid in full: the wallet is `cash` + `position`), `realised`, `fees`, and one for each kind of payment. What a split
    pays out for a fraction is a sale. instruments: INSTRUMENT rows.
    """
    index = np.arange(len(fills))
    moved = np.isin(fills["kind"], list(PAYMENTS))
    payment = np.where(moved, fills["realised"], 0)
    columns = {
        "position": fills["cost"] - _previous_cost(fills),
        "cash": payment - _paid(fills, instruments) - fills["fee"],
        "realised": payment - fills["realised"],
        **{name: -np.where(fills["kind"] == kind, payment, 0) for kind, name in PAYMENTS.items()},
        "fees": fills["fee"],
    }
    parts = [
        pl.DataFrame({"fill": index, "symbol": fills["symbol"], "amount": amounts})
        .filter(pl.col("amount") != 0)
        .with_columns(account=pl.lit(name))
        for name, amounts in columns.items()
    ]
    return pl.concat(parts).sort("fill", maintain_order=True).select("fill", "account", "symbol", "amount")


def check_account(account: np.ndarray) -> None:
    """Raises LedgerError if a kernel has met an order or an amount with which it could not go on."""
    if account[0]["overflow"] == 2:
        raise LedgerError("An order left its life cycle", remedy=_REPORT)
    if account[0]["overflow"]:
        raise LedgerError(
            "An amount does not fit 64 bits in the account's smallest unit",
            remedy="Trade smaller quantities or a coarser currency precision",
        )


def prove(
    parts: Iterable[np.ndarray],
    positions: np.ndarray,
    account: np.ndarray,
    instruments: np.ndarray,
    symbols: Sequence[str],
) -> None:
    """Check that the books balance: what all FILL rows (in `parts`) add up to equals the kernels' running state.

    symbols: names, as in the records. Raises LedgerError: that is a bug or an overflow, never bad input.
    """
    check_account(account)
    held, paid = np.zeros((2, len(positions)), np.int64)
    cash = int(account[0]["initial"])
    for fills in parts:
        cash += add_up(fills, instruments, held, paid)
    if cash != int(account[0]["cash"]):
        raise LedgerError(f"Cash is {account[0]['cash']} units but the fills add up to {cash}", remedy=_REPORT)
    for leg, position in enumerate(positions):
        symbol, lots, cost = symbols[position["symbol"]], position["lots"], position["cost"]
        if held[leg] != lots:
            message = f"{symbol}: a position is {lots} lots but its fills add up to {held[leg]}"
            raise LedgerError(message, remedy=_REPORT, symbol=symbol, leg=leg)
        if paid[leg] != cost:
            message = f"{symbol}: a position cost {cost} units but its fills say {paid[leg]}"
            raise LedgerError(message, remedy=_REPORT, symbol=symbol, leg=leg)


@kernel
def add_up(fills: Any, instruments: Any, held: Any, paid: Any) -> int:
    """Add each fill's lots to `held` and its cost to `paid` of its leg; returns what the fills did to the wallet."""
    cash = 0
    for i in range(len(fills)):
        fill = fills[i]
        leg = fill["leg"]
        cash += fill["realised"] - fill["fee"]
        if fill["kind"] == _SPLIT:
            held[leg] += fill["side"] * fill["lots"]
            paid[leg] -= fill["cost_released"]
        elif fill["lots"] != 0:
            gains = gains_with_price(fill["side"], instruments[fill["symbol"]])
            held[leg] += fill["side"] * fill["lots"]
            paid[leg] += gains * fill["notional"] + fill["realised"]
    return int(cash)


def _paid(fills: np.ndarray, instruments: np.ndarray) -> np.ndarray:
    """What each execution adds to the cost of a position that it opens: of an inverse contract a sale costs."""
    gains = np.where(instruments["inverse"][fills["symbol"]] != 0, -fills["side"], fills["side"])
    bought = np.where(np.isin(fills["kind"], list(PAYMENTS)), 0, gains * fills["notional"])
    return np.where(fills["kind"] == FillKind.SPLIT, -fills["realised"] - fills["cost_released"], bought)


def _previous_cost(fills: np.ndarray) -> np.ndarray:
    """Cost basis of the fill's position before each fill."""
    before = np.zeros(len(fills), np.int64)
    for leg in np.unique(fills["leg"]):
        own = np.flatnonzero(fills["leg"] == leg)
        before[own[1:]] = fills["cost"][own[:-1]]
    return before
