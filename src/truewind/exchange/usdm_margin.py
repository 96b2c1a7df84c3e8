"""What a futures account is worth, what its positions and orders tie up, and what is free: read from its desks.

The formulas are those of `portfolio.margin`. The positions of one settlement asset share its wallet unless they are
isolated (single-asset mode). Units are those of the asset, times 1e8, as floats: margin is compared, never booked.
"""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np

from truewind.domain.instrument import Instrument
from truewind.domain.position import CROSS
from truewind.exchange.accounts import Account
from truewind.exchange.matching import Desk
from truewind.exchange.orders import Order
from truewind.portfolio.margin import (
    isolated_liquidation_price,
    leg_maintenance,
    liquidation_prices,
    notional_at,
    unrealised,
)
from truewind.portfolio.tiers import notional_allowed
from truewind.portfolio.worth import average_entry

LEVERAGE = 20  # of a new account


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """A position. side: BOTH, LONG or SHORT; lots signed; entry, even, mark, liquidation: prices, 0 without.

    wallet: isolated margin without profit, −1 if it is cross. realised: profit since the account began. initial,
    maintenance: margins. buys, sells: notional of open orders. ordered: initial margin that they tie up beyond the
    position's.
    """

    symbol: str
    side: str
    lots: int
    entry: float
    even: float
    mark: float
    liquidation: float
    leverage: int
    most: int
    wallet: int
    realised: int
    unrealised: float
    notional: float
    initial: float
    maintenance: float
    buys: float
    sells: float
    ordered: float

    @property
    def isolated(self) -> bool:
        return self.wallet != CROSS


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """One asset of an account."""

    asset: str
    wallet: int
    cross_wallet: int
    unrealised: float
    cross_unrealised: float
    initial: float
    ordered: float
    maintenance: float
    cross_initial: float
    cross_maintenance: float

    @property
    def margin(self) -> float:
        return self.wallet + self.unrealised

    @property
    def available(self) -> float:
        """What new orders may tie up."""
        return max(0.0, self.cross_wallet + self.cross_unrealised - self.cross_initial - self.ordered)


def legs_of(account: Account, desk: Desk, orders: Iterable[Order], wallet: float, paid: Mapping[int, int]) -> list[Leg]:
    """The positions of a desk (in hedge mode two). orders: the open ones of the symbol. wallet: units that back its
    cross positions. paid: fees of what is held, by leg."""
    found = []
    orders = list(orders)
    for leg in range(len(desk.positions)):
        side = "BOTH" if len(desk.positions) == 1 else ("LONG", "SHORT")[leg]
        own = [order for order in orders if order.position_side == side]
        found.append(_leg(account, desk, leg, side, own, wallet, paid.get(leg, 0)))
    return found


def _leg(
    account: Account, desk: Desk, leg: int, side: str, orders: list[Order], wallet: float, paid: int
) -> Leg:  # fmt: skip
    instrument, position = desk.arrays["instruments"][0], desk.positions[leg]
    terms, tiers = desk.margins, desk.arrays["tiers"]
    mark, lots = float(position["mark"]), int(position["lots"])
    leverage = int(terms["leverage"])
    notional = float(notional_at(position, instrument, mark)) if lots else 0.0
    buys, sells = _ordered(desk, orders)
    signed = notional if lots > 0 else -notional
    most = max(abs(signed + buys), abs(signed - sells))
    entry = float(average_entry(lots, int(position["cost"]), instrument)) if lots else 0.0
    even = float(average_entry(lots, int(position["cost"]) + paid, instrument)) if lots else 0.0
    first, last = terms["first_tier"], terms["last_tier"]
    return Leg(
        symbol=desk.instrument.symbol,
        side=side,
        lots=lots,
        entry=entry,
        even=even,
        mark=mark if mark == mark else 0.0,
        liquidation=_liquidation(desk, leg, wallet) if lots else 0.0,
        leverage=leverage,
        most=int(notional_allowed(tiers, first, last, float(leverage))),
        wallet=int(position["wallet"]),
        realised=int(position["realised"]),
        unrealised=float(unrealised(position, instrument, mark)) if lots else 0.0,
        notional=notional,
        initial=notional / leverage,
        maintenance=float(leg_maintenance(position, desk.arrays["instruments"], desk.arrays["margins"], tiers)),
        buys=buys,
        sells=sells,
        ordered=max(0.0, most - notional) / leverage,
    )


def _ordered(desk: Desk, orders: list[Order]) -> tuple[float, float]:
    """Notional of what open orders may still add: purchases, sales."""
    instrument = desk.arrays["instruments"][0]
    sums = [0.0, 0.0]
    for order in orders:
        if not order.reduce_only and order.ticks:
            sums[order.side < 0] += order.left * order.ticks * int(instrument["unit_num"]) / int(instrument["unit_den"])
    return sums[0], sums[1]


def _liquidation(desk: Desk, leg: int, wallet: float) -> float:
    arrays, position = desk.arrays, desk.positions[leg]
    table = arrays["instruments"], arrays["margins"], arrays["tiers"]
    if position["wallet"] != CROSS:
        price = float(isolated_liquidation_price(position, *table))
    else:
        below, above = liquidation_prices(wallet, 0, desk.positions, *table)
        price = float(below if position["lots"] > 0 else above)
    return price if price == price else 0.0


def balance_of(account: Account, asset: str, legs: Iterable[Leg]) -> Balance:
    """What the account has of an asset; legs: all that are settled in it."""
    legs = list(legs)
    cross = [leg for leg in legs if not leg.isolated]
    wallet = account.futures.cash.get(asset, 0)
    return Balance(
        asset=asset,
        wallet=wallet,
        cross_wallet=wallet - sum(leg.wallet for leg in legs if leg.isolated),
        unrealised=sum(leg.unrealised for leg in legs),
        cross_unrealised=sum(leg.unrealised for leg in cross),
        initial=sum(leg.initial for leg in legs),
        ordered=sum(leg.ordered for leg in legs),
        maintenance=sum(leg.maintenance for leg in legs),
        cross_initial=sum(leg.initial for leg in cross),
        cross_maintenance=sum(leg.maintenance for leg in cross),
    )


def brackets(desk_tiers: np.ndarray, instrument: Instrument) -> list[dict[str, float | int]]:
    """TIER rows as GET /leverageBracket shows them."""
    scale = 1e8
    return [
        {
            "bracket": i + 1,
            "initialLeverage": int(tier["leverage"]),
            "notionalCap": int(tier["cap"] / scale),
            "notionalFloor": int(tier["floor"] / scale),
            "maintMarginRatio": float(tier["rate"]) / scale,
            "cum": float(tier["cum"]) / scale,
        }
        for i, tier in enumerate(desk_tiers)
    ]
