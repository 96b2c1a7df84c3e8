"""Shares: what of the account's positions and money belongs to which strategy.

Orders go to the venue one by one, each with its owner, but positions net there: the venue knows one position a symbol,
in hedge mode one a side. A share is kept as if its strategy traded alone, at average cost in exact integers, so that

    Σ (cost − realised) over the shares of a leg = cost − realised of the account's position,

because both are what was paid for it; lots, fees, slippage and funding simply add up. What befalls the net position is
divided among those that hold it in proportion to their lots, by sums rounded once: nothing is lost. Funding and other
payments reach both sides: who is short while the account is long receives what the others pay for them, and the sum is
what the venue charged. A liquidation takes from the shares on the side that is liquidated. A split and the end of a
contract concern every share, even where they net to nothing at the venue.
"""

from typing import Any

from truewind.numerics.exact import mul_div
from truewind.numerics.jit import kernel
from truewind.portfolio.state import account_of, fills_of, instruments_of, positions_of, shares_of
from truewind.portfolio.worth import gains_with_price, worth_of


@kernel(inline=True)
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
def share_payment(state: int, leg: int, payment: int, carry: bool) -> None:
    """Divide a payment on the net position of `leg`: who is on its other side receives what the others pay.

    carry: it is a dividend, a borrow fee or a swap, and no funding.
    """
    if not shared(state):
        return
    shares, legs = shares_of(state), len(positions_of(state))
    net = positions_of(state)[leg]["lots"]
    turn = 1 if net > 0 else -1
    before = after = 0
    for row in range(leg, len(shares), legs):
        after = before + turn * shares[row]["lots"]
        own = part(payment, before, after, turn * net)
        if carry:
            shares[row]["carry"] += own
        else:
            shares[row]["funding"] += own
        before = after


@kernel
def share_split(state: int, leg: int, new: int, old: int, paid: int) -> None:
    """`new` lots for `old` in every share of `leg`; `paid`: what the account got for the fraction that it had left.

    Of the lots up to and including each share whole ones are kept, so that the shares sum up to the account's.
    """
    if not shared(state):
        return
    shares, legs = shares_of(state), len(positions_of(state))
    net = 0
    for row in range(leg, len(shares), legs):
        net += shares[row]["lots"]
    turn = 1 if net >= 0 else -1
    before = after = 0
    for row in range(leg, len(shares), legs):
        share = shares[row]
        after = before + turn * share["lots"]
        share["lots"] = turn * (whole(after * new, old) - whole(before * new, old))
        if net != 0:
            share["realised"] += part(paid, before, after, turn * net)
        if share["lots"] == 0:  # it had less than one: what it cost is gone
            share["realised"] -= share["cost"]
            share["cost"] = 0
            share["opened_ts"] = 0
        before = after


@kernel
def whole(a: int, b: int) -> int:
    """a ÷ b > 0 without its fraction, on either side of zero."""
    return int(a // b if a >= 0 else -(-a // b))


@kernel
def share_settlement(state: int, leg: int, ts: int, price: int, fee: int) -> None:
    """Close every share of `leg` at `price` ticks; those on the side of the net position bear its `fee`."""
    if not shared(state):
        return
    shares, legs = shares_of(state), len(positions_of(state))
    instrument = instruments_of(state)[positions_of(state)[leg]["symbol"]]
    net = 0
    for row in range(leg, len(shares), legs):
        net += shares[row]["lots"]
    turn = 1 if net >= 0 else -1
    total = 0
    for row in range(leg, len(shares), legs):
        total += max(0, turn * shares[row]["lots"])
    before = paid = 0
    for row in range(leg, len(shares), legs):
        share, lots = shares[row], int(shares[row]["lots"])
        if lots == 0:
            continue
        after = before + lots
        # What the lots up to here are worth, less those before: so rounded that the sum is what the venue booked.
        worth = worth_between(price, before, after, instrument)
        own = 0
        if net != 0:
            own = part(fee, paid, paid + max(0, turn * lots), total)
        paid += max(0, turn * lots)
        side = -1 if lots > 0 else 1
        take(share, ts, side, gains_with_price(side, instrument), abs(lots), abs(worth), own, 0)
        before = after


@kernel
def worth_between(price: int, before: int, after: int, instrument: Any) -> int:
    """Signed worth of the lots from `before` to `after` at `price` ticks."""
    upper = worth_of(price, abs(after), instrument)
    lower = worth_of(price, abs(before), instrument)
    return (upper if after >= 0 else -upper) - (lower if before >= 0 else -lower)


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
