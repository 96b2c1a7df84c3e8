"""Filters: what a venue demands of an order, symbol by symbol, beyond tick and lot.

They are data of the venue (`venues` reads them), checked by `execution.simulated.filters` in backtest and paper and
by the venue itself live. Zero means that there is no such rule.
"""

from decimal import Decimal

import msgspec
import numpy as np


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one symbol; prices in quote units, quantities in base units or contracts.

    min_price, max_price: of a limit or trigger price.
    bid_up, bid_down, ask_up, ask_down: a buy (bid) or sell (ask) may be priced between these multiples of the
    reference price, which is the mean over `band_minutes` on spot (0: the last price) and the mark price on futures.
    market_lot_size, market_min_quantity, market_max_quantity: the quantity of market orders.
    max_notional: of one order, in quote; min_notional is `Instrument.min_notional`. market_min_notional,
    market_max_notional: whether they hold for market orders too.
    max_orders, max_conditional, max_icebergs: open orders of this symbol; conditional ones wait for a trigger.
    iceberg_parts: slices of one iceberg. max_position: held plus open purchases.
    trailing_above, trailing_below: least and greatest trailing distance in basis points, of orders whose trigger lies
    above the market and below it.
    liquidation_fee: fraction of the liquidated notional. market_take_bound: how far from the mark price, as a fraction,
    a market order may trade. trigger_protect: how far mark and last price may differ, as a fraction, when a
    price-protected stop triggers.
    """

    min_price: Decimal = Decimal(0)
    max_price: Decimal = Decimal(0)
    bid_up: Decimal = Decimal(0)
    bid_down: Decimal = Decimal(0)
    ask_up: Decimal = Decimal(0)
    ask_down: Decimal = Decimal(0)
    band_minutes: int = 0
    market_lot_size: Decimal = Decimal(0)
    market_min_quantity: Decimal = Decimal(0)
    market_max_quantity: Decimal = Decimal(0)
    max_notional: Decimal = Decimal(0)
    market_min_notional: bool = True
    market_max_notional: bool = False
    max_orders: int = 0
    max_conditional: int = 0
    max_icebergs: int = 0
    iceberg_parts: int = 0
    max_position: Decimal = Decimal(0)
    trailing_above: tuple[int, int] = (0, 0)
    trailing_below: tuple[int, int] = (0, 0)
    liquidation_fee: Decimal = Decimal(0)
    market_take_bound: Decimal = Decimal(0)
    trigger_protect: Decimal = Decimal(0)


# One symbol's rules as kernels read them: prices in ticks, quantities in lots, notionals in ledger units; what has no
# upper limit holds the largest int64. The bands are float multiples, because the reference price is no tick.
FILTERS = np.dtype(
    [
        ("min_price", np.int64),
        ("max_price", np.int64),
        ("min_lots", np.int64),
        ("max_lots", np.int64),
        ("market_step", np.int64),
        ("market_min_lots", np.int64),
        ("market_max_lots", np.int64),
        ("min_notional", np.int64),
        ("max_notional", np.int64),
        ("market_min_notional", np.int64),
        ("market_max_notional", np.int64),
        ("max_orders", np.int64),
        ("max_conditional", np.int64),
        ("max_icebergs", np.int64),
        ("iceberg_parts", np.int64),
        ("max_position", np.int64),
        ("min_trailing_above", np.int64),
        ("max_trailing_above", np.int64),
        ("min_trailing_below", np.int64),
        ("max_trailing_below", np.int64),
        ("bid_up", np.float64),
        ("bid_down", np.float64),
        ("ask_up", np.float64),
        ("ask_down", np.float64),
    ],
    align=True,
)
