"""The ledger: fills and funding become positions and cash, in exact integers, double entry.

Kernels change positions and account and write one FILL row each; `postings` spells every row out as debits and
credits that sum to zero. The cost basis of a partly closed position is released in proportion (average cost);
the one rounding of that division goes to the realised profit, and what remains keeps the rest, so that nothing
is lost however often a position is cut.
"""

from typing import Any

import numpy as np
import polars as pl

from truewind.domain.fill import FillKind
from truewind.errors import LedgerError
from truewind.numerics.exact import SAFE_INT64, fits, mul_div
from truewind.numerics.jit import kernel
from truewind.portfolio.state import account_of, fills_of, instruments_of, positions_of

RATE_SCALE = 100_000_000  # rates are integers of 1e-8: 0.05 % is 50_000


@kernel
def notional_of(ticks: int, lots: int, instrument: Any) -> int:
    """Worth of `lots` ≥ 0 at `ticks` in ledger units, rounded once; -1 if it does not fit 64 bits."""
    if not fits(ticks, lots, instrument["unit_num"]):
        return -1
    return mul_div(ticks * lots, instrument["unit_num"], instrument["unit_den"])


@kernel
def worth_per_lot(instrument: Any) -> float:
    """Ledger units that one lot is worth per unit of price."""
    return float(instrument["worth"])


@kernel
def book_fill(
    state: int,
    ts: int,
    row: int,
    order: int,
    symbol: int,
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

    `reference` is the price in ticks before slippage; `fee_rate` in 1e-8 of the notional, negative for a rebate.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    position, money, instrument = positions[symbol], account, instruments[symbol]
    notional = notional_of(price, lots, instrument)
    slippage = notional_of(abs(price - reference), lots, instrument)
    cash = float(money["cash"])
    if notional < 0 or slippage < 0 or abs(cash) + abs(float(position["cost"])) + 2.0 * notional > SAFE_INT64:
        money["overflow"] = 1
        return False
    held = int(position["lots"])
    closing = min(lots, abs(held)) if held * side < 0 else 0
    released = 0
    realised = 0
    if closing > 0:
        released = mul_div(position["cost"], closing, abs(held))
        proceeds = notional if closing == lots else mul_div(notional, closing, lots)
        # A long is sold for `proceeds`; a short (cost < 0) is bought back for them.
        realised = -side * proceeds - released
        opened = side * (notional - proceeds)
    else:
        opened = side * notional
    fee = mul_div(notional, fee_rate, RATE_SCALE)
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
    write_fill(
        state,
        position,
        money,
        ts,
        row,
        order,
        symbol,
        kind,
        side,
        maker,
        price,
        lots,
        notional,
        released,
        realised,
        fee,
        slippage,
        tag,
    )
    return True


@kernel
def book_funding(state: int, ts: int, row: int, symbol: int, price: int, rate: int) -> bool:
    """Pay or receive funding: the holder of `lots` pays lots × mark × rate (rate in 1e-8; shorts receive it)."""
    instruments = instruments_of(state)
    positions = positions_of(state)
    position, money = positions[symbol], account_of(state)
    notional = notional_of(price, abs(position["lots"]), instruments[symbol])
    if notional < 0:
        money["overflow"] = 1
        return False
    payment = -mul_div(notional, rate, RATE_SCALE)
    if position["lots"] < 0:
        payment = -payment
    position["funding"] += payment
    money["cash"] += payment
    money["funding"] += payment
    side = 1 if position["lots"] > 0 else -1
    write_fill(state, position, money, ts, row, 0, symbol, 1, side, 0, price, 0, notional, 0, payment, 0, 0, 0)
    return True


@kernel
def write_fill(
    state: int,
    position: Any,
    money: Any,
    ts: int,
    row: int,
    order: int,
    symbol: int,
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
    fill["symbol"] = symbol
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
    money["fills"] += 1


def postings(fills: np.ndarray) -> pl.DataFrame:
    """FILL rows as double entry: fill (its index), account, symbol, amount (ledger units, debit positive).

    The amounts of each fill sum to zero. Accounts: `position` (cost of what is held), `cash` (as if every fill were
    paid in full: the wallet is `cash` + `position`), `realised`, `fees`, `funding`.
    """
    index = np.arange(len(fills))
    paid = fills["side"] * fills["notional"]
    funding = np.where(fills["kind"] == FillKind.FUNDING, fills["realised"], 0)
    paid = np.where(fills["kind"] == FillKind.FUNDING, 0, paid)
    columns = {
        "position": fills["cost"] - _previous_cost(fills),
        "cash": funding - paid - fills["fee"],
        "realised": funding - fills["realised"],
        "funding": -funding,
        "fees": fills["fee"],
    }
    parts = [
        pl.DataFrame({"fill": index, "symbol": fills["symbol"], "amount": amounts})
        .filter(pl.col("amount") != 0)
        .with_columns(account=pl.lit(name))
        for name, amounts in columns.items()
    ]
    return pl.concat(parts).sort("fill", maintain_order=True).select("fill", "account", "symbol", "amount")


def prove(fills: np.ndarray, positions: np.ndarray, account: np.ndarray) -> None:
    """Check that the books balance: every posting sums to zero, and balances equal the kernels' running state.

    Raises LedgerError: that is a bug or an overflow, never bad input.
    """
    if account[0]["overflow"]:
        raise LedgerError(
            "An amount does not fit 64 bits in the account's smallest unit",
            remedy="Trade smaller quantities or a coarser currency precision",
        )
    cash = int(account[0]["initial"]) + int(fills["realised"].sum()) - int(fills["fee"].sum())
    if cash != int(account[0]["cash"]):
        raise LedgerError(f"Cash is {account[0]['cash']} units but the fills add up to {cash}")
    for symbol in range(len(positions)):
        own = fills[fills["symbol"] == symbol]
        held = int((own["side"] * own["lots"]).sum())
        if held != int(positions[symbol]["lots"]):
            raise LedgerError(f"Position {symbol} is {positions[symbol]['lots']} lots but its fills add up to {held}")
        trades = own[own["kind"] != FillKind.FUNDING]
        paid = int((trades["side"] * trades["notional"]).sum()) + int(trades["realised"].sum())
        if paid != int(positions[symbol]["cost"]):
            raise LedgerError(f"Position {symbol} cost {positions[symbol]['cost']} units but its fills say {paid}")


def _previous_cost(fills: np.ndarray) -> np.ndarray:
    """Cost basis of the fill's symbol before each fill."""
    before = np.zeros(len(fills), np.int64)
    for symbol in np.unique(fills["symbol"]):
        own = np.flatnonzero(fills["symbol"] == symbol)
        before[own[1:]] = fills["cost"][own[:-1]]
    return before
