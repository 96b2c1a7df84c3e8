"""Debts: an account in several currencies pays what it owes in one by selling the others."""

from truewind.domain.fill import FillKind
from truewind.numerics.jit import kernel
from truewind.portfolio.collateral import auto_exchange
from truewind.portfolio.conversion import value_collateral
from truewind.portfolio.ledger import book_payment
from truewind.portfolio.state import account_of, assets_of

_EXCHANGE = FillKind.EXCHANGE


@kernel(inline=True)
def settle_debt(state: int, ts: int, row: int) -> None:
    """Sell other currencies for a debt that has come to its limit, and book what they bring."""
    assets, money = assets_of(state), account_of(state)
    if len(assets) == 0 or money["cash"] >= 0:
        return
    assets[0]["balance"] = money["cash"]
    if auto_exchange(assets, False):
        payment = int(assets[0]["balance"]) - int(money["cash"])
        book_payment(state, ts, row, 0, _EXCHANGE, 0, payment, payment)
        value_collateral(state)
