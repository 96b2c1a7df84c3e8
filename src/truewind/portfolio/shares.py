"""Shares: what of the account's positions and money belongs to which strategy.

Orders go to the venue one by one, each with its owner, but positions net there: the venue knows one position a symbol,
in hedge mode one a side. A share is kept as if its strategy traded alone, at average cost in exact integers, so that

    Σ (cost − realised) over the shares of a leg = cost − realised of the account's position,

because both are what was paid for it; lots, fees, slippage and funding simply add up. What befalls the net position is
divided among those that hold it in proportion to their lots, by sums rounded once: nothing is lost. Funding reaches
both sides: who is short while the account is long receives what the others pay for them, and the sum is what the venue
charged. A liquidation takes from the shares on the side that is liquidated.
"""

from typing import Any

from truewind.numerics.exact import mul_div
from truewind.numerics.jit import kernel
from truewind.portfolio.state import account_of, fills_of, instruments_of, positions_of, shares_of
from truewind.portfolio.worth import gains_with_price


@kernel
def shared(state: int) -> bool:
    """Whether the account has more than one strategy; if not, its positions are the only shares."""
    return len(shares_of(state)) > len(positions_of(state))


@kernel
def share_fill(state: int, owner: int) -> None:
    """Give the execution that was booked last to the share of `owner`."""
    fill = fills_of(state)[account_of(state)["fills"] - 1]
    fill["owner"] = owner
    if shared(state):
        legs = len(positions_of(state))
        share = shares_of(state)[owner * legs + fill["leg"]]
        side = int(fill["side"])
        gains = gains_with_price(side, instruments_of(state)[fill["symbol"]])
        take(share, fill["ts"], side, gains, fill["lots"], fill["notional"], fill["fee"], fill["slippage"])


@kernel
def share_liquidation(state: int, booked: int, insurance: int) -> None:
    """Divide the liquidation in row `booked` of the fills, and what was insured, by the lots on its side."""
    if not shared(state):
        return
    fill = fills_of(state)[booked]
    shares, legs = shares_of(state), len(positions_of(state))
    leg, side = fill["leg"], int(fill["side"])
    gains = gains_with_price(side, instruments_of(state)[fill["symbol"]])
    total = 0
    for row in range(leg, len(shares), legs):
        total += max(0, -side * shares[row]["lots"])
    before = after = 0
    for row in range(leg, len(shares), legs):
        after = before + max(0, -side * shares[row]["lots"])
        lots = part(fill["lots"], before, after, total)
        if after > before:
            notional = part(fill["notional"], before, after, total)
            fee, slippage = part(fill["fee"], before, after, total), part(fill["slippage"], before, after, total)
            take(shares[row], fill["ts"], side, gains, lots, notional, fee, slippage)
            shares[row]["realised"] += part(insurance, before, after, total)
        before = after


@kernel
def share_funding(state: int, leg: int, payment: int) -> None:
    """Divide a funding payment on the net position of `leg`: who is on its other side receives what the others pay."""
    if not shared(state):
        return
    shares, legs = shares_of(state), len(positions_of(state))
    net = positions_of(state)[leg]["lots"]
    turn = 1 if net > 0 else -1
    before = after = 0
    for row in range(leg, len(shares), legs):
        after = before + turn * shares[row]["lots"]
        shares[row]["funding"] += part(payment, before, after, turn * net)
        before = after


@kernel
def part(amount: int, before: int, after: int, total: int) -> int:
    """What of `amount` belongs to the stretch from `before` to `after` of `total` > 0; the parts sum up exactly."""
    return mul_div(amount, after, total) - mul_div(amount, before, total)


@kernel
def take(
    share: Any, ts: int, side: int, gains: int, lots: int, notional: int, fee: int, slippage: int
) -> None:  # fmt: skip
    """Change a share by an execution, by the rules of `ledger.book_fill`."""
    held = share["lots"]
    closing = min(lots, abs(held)) if held * side < 0 else 0
    opened = gains * notional
    if closing > 0:
        released = mul_div(share["cost"], closing, abs(held))
        proceeds = notional if closing == lots else mul_div(notional, closing, lots)
        share["realised"] += -gains * proceeds - released
        share["cost"] -= released
        opened = gains * (notional - proceeds)
    after = held + side * lots
    if after != 0 and (held == 0 or (held > 0) != (after > 0)):
        share["opened_ts"] = ts
    elif after == 0:
        share["opened_ts"] = 0
    share["lots"] = after
    share["cost"] += opened
    share["fees"] += fee
    share["slippage"] += slippage
