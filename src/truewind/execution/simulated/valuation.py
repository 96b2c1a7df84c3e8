"""Valuation: what the account is worth at the latest marks, row by row."""

from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import worth_per_lot
from truewind.portfolio.state import (
    account_of,
    equity_of,
    instruments_of,
    positions_of,
    prices_of,
    times_of,
)


@kernel
def time_at(state: int, k: int) -> int:
    """When bar `k` is known; before the first bar (−1), when it opens."""
    times = times_of(state)
    return int(times[1][k] if k >= 0 else times[0][0])


@kernel
def equity_now(state: int) -> float:
    """Equity in ledger units at the last known prices, summed afresh."""
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    worth = float(account["cash"])
    for symbol in range(len(positions)):
        position = positions[symbol]
        if position["lots"] != 0:
            worth += position["lots"] * worth_per_lot(instruments[symbol]) * position["close"] - position["cost"]
    return worth


@kernel
def settle(state: int, upto: int) -> None:
    """Value the account at the close of every row before `upto` that is not valued yet."""
    times = times_of(state)
    prices = prices_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    equity = equity_of(state)
    money = account_of(state)
    first = money["settled"]
    if first >= upto:
        return
    worth, peak, keep = money["equity"], money["peak"], money["keep"]
    if len(positions) == 1:  # the same sum with position and price in registers
        only = positions[0]
        exposure, close = only["lots"] * worth_per_lot(instruments[0]), only["close"]
        for k in range(first, upto):
            if exposure != 0.0:
                worth += exposure * (prices[3][k] - close)
                if worth > peak:
                    peak = worth
                elif worth < keep * peak:
                    money["halted"] = 1
            close = prices[3][k]
            equity[k] = worth
        only["close"] = close
        money["equity"], money["peak"], money["settled"] = worth, peak, upto
        return
    for k in range(first, upto):
        symbol = times[2][k]
        position = positions[symbol]
        if position["lots"] != 0:
            change = prices[3][k] - position["close"]
            worth += position["lots"] * worth_per_lot(instruments[symbol]) * change
            if worth > peak:
                peak = worth
            elif worth < keep * peak:
                money["halted"] = 1
        position["close"] = prices[3][k]
        equity[k] = worth
    money["equity"], money["peak"], money["settled"] = worth, peak, upto
