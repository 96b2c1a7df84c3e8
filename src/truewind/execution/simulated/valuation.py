"""Valuation: what the account is worth at the latest marks, row by row."""

from typing import Any

from truewind.numerics.jit import kernel
from truewind.portfolio.latches import begin_day, day_floor, trip_daily_loss, trip_drawdown
from truewind.portfolio.state import (
    account_of,
    breakers_of,
    equity_of,
    instruments_of,
    marks_of,
    positions_of,
    prices_of,
    received_of,
    times_of,
)
from truewind.portfolio.worth import coordinate, exposure


@kernel(inline=True)
def time_at(state: int, k: int) -> int:
    """When the strategy is shown bar `k`, or what its clock says; before the first bar (−1), when that opens."""
    clock = account_of(state)["clock"]
    if clock > 0:
        return int(clock)
    return int(received_of(state)[k] if k >= 0 else times_of(state)[0][0])


@kernel(inline=True)
def symbol_at(state: int, k: int) -> int:
    """Index of the symbol of row `k`. Of a single symbol that column is not read: nothing else has brought it near."""
    return 0 if len(instruments_of(state)) == 1 else times_of(state)[2][k]


@kernel(inline=True)
def exposure_of(symbol: int, positions: Any, instruments: Any) -> float:
    """Ledger units that all that is held of `symbol` gains per unit of its mark's coordinate."""
    lots = 0
    for leg in range(symbol, len(positions), len(instruments)):
        lots += positions[leg]["lots"]
    return exposure(lots, instruments[symbol])


@kernel(inline=True)
def mark_at(state: int, symbol: int, price: float) -> None:
    """Write the mark price of `symbol` into all its legs."""
    positions = positions_of(state)
    for leg in range(symbol, len(positions), len(instruments_of(state))):
        positions[leg]["mark"] = price


@kernel(inline=True)
def equity_now(state: int) -> float:
    """Equity in ledger units at the last known marks, summed afresh."""
    instruments = instruments_of(state)
    positions = positions_of(state)
    owned = account_of(state)["cash"] + account_of(state)["collateral"]
    worth = 0.0
    for leg in range(len(positions)):
        position = positions[leg]
        if position["lots"] != 0:
            symbol = position["symbol"]
            owned -= position["cost"]
            worth += exposure(position["lots"], instruments[symbol]) * coordinate(
                positions[symbol]["mark"], instruments[symbol]
            )
    return float(owned + worth)


@kernel(inline=True)
def settle(state: int, upto: int) -> None:
    """Value the account at the closing mark of every row before `upto` that is not valued yet."""
    if account_of(state)["settled"] < upto:
        settle_days(state, upto)


@kernel
def settle_days(state: int, upto: int) -> None:
    """`settle` where some row is not valued yet: where a limit asks for it, one UTC day after the other."""
    money, known, breakers = account_of(state), times_of(state)[1], breakers_of(state)
    first = money["settled"]
    while breakers["day_ends"] < known[upto - 1]:
        last = first
        while known[last] <= breakers["day_ends"]:
            last += 1
        if last > first:
            settle_rows(state, first, last)
        begin_day(state, known[last])
        first = last
    settle_rows(state, first, upto)
    money["settled"] = upto


@kernel(inline=True)
def settle_rows(state: int, first: int, upto: int) -> None:
    """`settle` for rows of one day, where a day's loss is limited."""
    if len(positions_of(state)) == 1:
        settle_alone(state, first, upto)
    else:
        settle_many(state, first, upto)


@kernel
def settle_alone(state: int, first: int, upto: int) -> None:
    """`settle` for one position, whose equity does not depend on the rows before: by sums that need not wait."""
    money, only, instrument = account_of(state), positions_of(state)[0], instruments_of(state)[0]
    closes, equity = marks_of(state)[3][first:upto], equity_of(state)[first:upto]  # from 0 on, so that it vectorises
    only["mark"], only["close"] = closes[-1], prices_of(state)[3][upto - 1]
    lots = only["lots"]
    if lots == 0:
        worth = float(money["cash"] + money["collateral"])
        for i in range(len(equity)):
            equity[i] = worth
        return
    held, owned = exposure(lots, instrument), float(money["cash"] + money["collateral"] - only["cost"])
    if instrument["inverse"]:
        for i in range(len(equity)):
            equity[i] = owned + held / closes[i]
    else:
        for i in range(len(equity)):
            equity[i] = owned + held * closes[i]
    money["equity"] = equity[-1]
    peak, keep, day = money["peak"], money["keep"], day_floor(state)
    floor = max(keep * peak, day)
    beyond = False
    for i in range(len(equity)):
        beyond |= (equity[i] > peak) | (equity[i] < floor)
    if beyond:  # a new peak, or perhaps a fall too deep: one by one
        for i in range(len(equity)):
            if equity[i] > peak:
                money["peak"] = peak = equity[i]
            elif equity[i] < keep * peak:
                trip_drawdown(state, times_of(state)[1][first + i], first + i, equity[i])
            if equity[i] < day:
                trip_daily_loss(state, times_of(state)[1][first + i], first + i, equity[i])


@kernel
def settle_many(state: int, first: int, upto: int) -> None:
    """`settle` for several positions: equity moves by what the row's symbol has moved."""
    times, prices, marks = times_of(state), prices_of(state), marks_of(state)
    instruments, positions = instruments_of(state), positions_of(state)
    equity, money = equity_of(state), account_of(state)
    worth, peak, keep, day = money["equity"], money["peak"], money["keep"], day_floor(state)
    for k in range(first, upto):
        symbol = times[2][k]
        position, instrument = positions[symbol], instruments[symbol]
        held = exposure_of(symbol, positions, instruments)
        if held != 0.0:
            worth += held * (coordinate(marks[3][k], instrument) - coordinate(position["mark"], instrument))
            if worth > peak:
                money["peak"] = peak = worth
            elif worth < keep * peak:
                trip_drawdown(state, times[1][k], k, worth)
            if worth < day:
                trip_daily_loss(state, times[1][k], k, worth)
        position["mark"], position["close"] = marks[3][k], prices[3][k]
        equity[k] = worth
    money["equity"] = worth
