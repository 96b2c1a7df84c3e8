"""Valuation: what the account is worth at the latest marks, row by row."""

from typing import Any

from truewind.numerics.jit import kernel
from truewind.portfolio.state import account_of, equity_of, instruments_of, marks_of, positions_of, prices_of, times_of
from truewind.portfolio.worth import coordinate, exposure


@kernel
def time_at(state: int, k: int) -> int:
    """When bar `k` is known; before the first bar (−1), when it opens."""
    times = times_of(state)
    return int(times[1][k] if k >= 0 else times[0][0])


@kernel
def exposure_of(symbol: int, positions: Any, instruments: Any) -> float:
    """Ledger units that all that is held of `symbol` gains per unit of its mark's coordinate."""
    lots = 0
    for leg in range(symbol, len(positions), len(instruments)):
        lots += positions[leg]["lots"]
    return exposure(lots, instruments[symbol])


@kernel
def equity_now(state: int) -> float:
    """Equity in ledger units at the last known marks, summed afresh."""
    instruments = instruments_of(state)
    positions = positions_of(state)
    worth = float(account_of(state)["cash"])
    for leg in range(len(positions)):
        position = positions[leg]
        if position["lots"] != 0:
            symbol = position["symbol"]
            at = coordinate(positions[symbol]["mark"], instruments[symbol])
            worth += exposure(position["lots"], instruments[symbol]) * at - position["cost"]
    return worth


@kernel
def settle(state: int, upto: int) -> None:
    """Value the account at the closing mark of every row before `upto` that is not valued yet."""
    times = times_of(state)
    prices, marks = prices_of(state), marks_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    equity = equity_of(state)
    money = account_of(state)
    first = money["settled"]
    if first >= upto:
        return
    worth, peak, keep = money["equity"], money["peak"], money["keep"]
    if len(instruments) == 1:  # the same sum with position and price in registers
        only, instrument = positions[0], instruments[0]
        held, mark = exposure_of(0, positions, instruments), only["mark"]
        for k in range(first, upto):
            if held != 0.0:
                worth += held * (coordinate(marks[3][k], instrument) - coordinate(mark, instrument))
                if worth > peak:
                    peak = worth
                elif worth < keep * peak:
                    money["halted"] = 1
            mark = marks[3][k]
            equity[k] = worth
        only["mark"], only["close"] = mark, prices[3][upto - 1]
        money["equity"], money["peak"], money["settled"] = worth, peak, upto
        return
    for k in range(first, upto):
        symbol = times[2][k]
        position, instrument = positions[symbol], instruments[symbol]
        held = exposure_of(symbol, positions, instruments)
        if held != 0.0:
            worth += held * (coordinate(marks[3][k], instrument) - coordinate(position["mark"], instrument))
            if worth > peak:
                peak = worth
            elif worth < keep * peak:
                money["halted"] = 1
        position["mark"], position["close"] = marks[3][k], prices[3][k]
        equity[k] = worth
    money["equity"], money["peak"], money["settled"] = worth, peak, upto
