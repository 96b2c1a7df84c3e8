"""Liquidation: how much is taken away, what it costs, and who pays when the margin does not suffice.

Binance ("Futures Liquidation Protocols", FAQ 360033525271): at a margin ratio of 1 all open orders are cancelled; one
immediate-or-cancel order reduces the position as far as is needed; a clearance fee is charged on what was liquidated;
if that does not restore the margin, the insurance fund takes the rest over at the bankruptcy price, and an account
below zero is brought back to zero. Positions that the fund cannot take are closed against other traders, ranked by
profit and leverage (auto-deleveraging, FAQ 360033525471).

Assumed, because the venue does not say how much is needed at one moment: the order takes the position down to the next
lower tier, as Bybit describes it ("Liquidation process", risk limits), or the fewest lots that restore the margin if
they are more; in the lowest tier it takes all. To take the fewest at the very price where the margin is used up would
be to take a lot at every tick further down.
Unknowable to a simulated account: the fund's size and other traders' ranks, hence whether it would be deleveraged.
It never is; `adl_score` says how near the front of the queue it would have stood.
"""

from typing import Any

from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.margin import notional_at
from truewind.portfolio.tiers import maintenance_margin, tier_of


@kernel
def lots_to_liquidate(
    equity: float, others: float, leg: Any, price: float, loss: float, instrument: Any, terms: Any, tiers: Any
) -> int:
    """The fewest lots of `leg` to close at `price` so that equity covers the maintenance margin again.

    equity: margin balance with this leg at `price`. others: maintenance margin of the other legs of the same wallet.
    loss: what closing costs as a fraction of the closed notional (clearance fee and slippage). Returns all lots if no
    part is enough, as for a small position, whose maintenance rate is below the fee; 0 if nothing need be closed.
    """
    held = int(abs(leg["lots"]))
    whole = notional_at(leg, instrument, price)
    first, last = terms["first_tier"], terms["last_tier"]
    if held == 0 or equity >= others + maintenance_margin(tiers, first, last, whole):
        return 0
    for row in range(tier_of(tiers, first, last, whole), first - 1, -1):
        tier = tiers[row]
        rate = tier["rate"] / RATE_SCALE
        if rate <= loss:
            break  # what is closed costs more than it frees, and in lower tiers all the more
        # The most that may be kept: equity − (whole − kept)·loss = others + kept·rate − cum.
        kept = (equity - whole * loss - others + tier["cum"]) / (rate - loss)
        if kept >= tier["floor"]:
            return max(1, held - int(kept / whole * held))
    return held


@kernel
def lots_to_lower_tier(leg: Any, price: float, instrument: Any, terms: Any, tiers: Any) -> int:
    """Lots of `leg` to close at `price` so that its notional lies in the next lower tier; all in the lowest one."""
    held = int(abs(leg["lots"]))
    whole = notional_at(leg, instrument, price)
    row = tier_of(tiers, terms["first_tier"], terms["last_tier"], whole)
    if row == terms["first_tier"]:
        return held
    return held - int(tiers[row]["floor"] / whole * held)


@kernel
def clear(balance: int, fee: int) -> tuple[int, int, int]:
    """Settle an account (or an isolated wallet) after its liquidation: (balance, fee charged, insurance fund's change).

    balance: what is left after the realised loss, before the clearance fee. The fee takes no more than there is, and
    goes to the fund; a negative balance is made good by it. All in ledger units; they sum to the balance before.
    """
    if balance < 0:
        return 0, 0, balance
    charged = min(balance, fee)
    return balance - charged, charged, charged


@kernel
def adl_score(pnl: float, wallet: float, maintenance: float, one: float) -> float:
    """Rank value of a position in the auto-deleveraging queue, higher first: profit share × margin ratio.

    profit share = max(0, unrealised profit) ÷ max(1, wallet balance), margin ratio = maintenance ÷ (wallet + profit),
    0 if that is not positive (Binance FAQ 360033525471). `one` is one currency unit in ledger units.
    """
    balance = wallet + pnl
    if balance <= 0.0:
        return 0.0
    return max(0.0, pnl) / max(one, wallet) * (maintenance / balance)
