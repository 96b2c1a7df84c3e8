"""Fill: an execution that happened. Never edited; ledger, trades and reports are all read off fills."""

import msgspec
import numpy as np


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution as a strategy sees it: price in quote units, quantity in base units (both floats, nearest).

    quantity is positive; side +1 bought, -1 sold. fee in the settlement currency, positive if paid.
    maker: the order rested. position: signed quantity after this fill.
    """

    order_id: int
    symbol: str
    ts_event: int
    side: int
    price: float
    quantity: float
    fee: float
    maker: bool
    position: float
    tag: int


class FillKind:
    """`FILL['kind']`: what moved the money."""

    TRADE = 0
    FUNDING = 1  # lots = 0; `realised` holds the payment, positive if received
    LIQUIDATION = 2
    INSURANCE = 3  # lots = 0; `realised` holds what the insurance fund paid for a loss beyond the margin
    DIVIDEND = 4  # as FUNDING
    BORROW = 5  # as FUNDING: the fee on borrowed shares
    SWAP = 6  # as FUNDING: interest on a currency held overnight
    SPLIT = 7  # lots: by how many the holding changed; `notional` is what was paid out for a fraction of a lot
    SETTLEMENT = 8  # the contract ended, what was held was closed
    FEE = 9  # part of what was just bought, given away as its fee: sold at its price, all proceeds are `fee`
    EXCHANGE = 10  # as FUNDING: other currencies of the account were sold for a debt in its own


# One fill (or payment) as kernels book it. Integers: ticks, lots and ledger units.
# notional: worth of the fill, always ≥ 0. cost_released: cost basis taken out of the position by this fill
# (0 while it grows), signed like the position. realised: profit booked. fee: paid if positive.
# slippage: what the fill cost against the price before slippage, ≥ 0.
# position: lots after the fill. cost: cost basis after it. cash: wallet after it.
# leg: row of the position. owner: the strategy whose order it was, -1 for what concerns all that hold.
# The wide fields come first, and none is padded: a run writes millions of these, and padding holds anything, where
# equal runs must leave equal bytes.
FILL = np.dtype(
    [
        ("ts", np.int64),
        ("order", np.int64),
        ("price", np.int64),
        ("lots", np.int64),
        ("notional", np.int64),
        ("cost_released", np.int64),
        ("realised", np.int64),
        ("fee", np.int64),
        ("slippage", np.int64),
        ("position", np.int64),
        ("cost", np.int64),
        ("cash", np.int64),
        ("tag", np.int64),
        ("owner", np.int64),
        ("row", np.int32),
        ("symbol", np.int32),
        ("leg", np.int32),
        ("kind", np.int16),
        ("side", np.int8),
        ("maker", np.int8),
    ],
    align=True,
)


def read_fill(row: np.void, symbol: str, steps: tuple[int, int, int, int], scale: int) -> Fill:
    """A FILL row as a strategy sees it. steps: tick_num, tick_den, lot_num, lot_den of its instrument; scale: ledger
    units of one of the currency."""
    tick_num, tick_den, lot_num, lot_den = steps
    return Fill(
        order_id=int(row["order"]),
        symbol=symbol,
        ts_event=int(row["ts"]),
        side=int(row["side"]),
        price=int(row["price"]) * tick_num / tick_den,
        quantity=int(row["lots"]) * lot_num / lot_den,
        fee=int(row["fee"]) / scale,
        maker=bool(row["maker"]),
        position=int(row["position"]) * lot_num / lot_den,
        tag=int(row["tag"]),
    )
