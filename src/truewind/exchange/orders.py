"""Orders and trades as an account of the exchange has them, and how the venue writes their figures.

Prices are ticks, quantities lots, times ms: exact. `Figures` turns them into the venue's decimal text.
"""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

import msgspec

from truewind.domain.instrument import Instrument
from truewind.exchange.numbers import Numbers

UNITS = 10**8  # of one coin: the exchange counts every asset to 8 decimals
_MEAN_DECIMALS = 5  # of average prices, at least
OPEN = frozenset({"NEW", "PARTIALLY_FILLED", "PENDING_NEW"})


class Order(msgspec.Struct, kw_only=True):
    """An order. ticks: of the limit, 0 at market. stop: of the trigger, 0 for none. quote: Σ ticks × lots of its fills.

    type: as the venue calls it now, asked: as it was sent (what was triggered is then a plain order). shown: lots of an
    iceberg. spend: the quote quantity of a market order that was sent so, as text. trail: distance of a trailing stop
    in basis points. list_id: its order list, −1 for none; group: its orders that cancel each other. algo_id: the
    conditional order that made it; of such a one, actual: the order that it made, triggered: when. locked: units of the
    wallet that are set aside. desk: its id in the matching, 0 if it is not there.
    """

    id: int
    client_id: str
    symbol: str
    side: int
    type: str
    lots: int
    created: int
    updated: int
    ticks: int = 0
    stop: int = 0
    tif: str = "GTC"
    status: str = "NEW"
    filled: int = 0
    quote: int = 0
    asked: str = ""
    shown: int = 0
    spend: str = ""
    trail: int = 0
    activation: int = 0
    reduce_only: bool = False
    close_position: bool = False
    position_side: str = "BOTH"
    working_type: str = "CONTRACT_PRICE"
    price_protect: bool = False
    price_match: str = "NONE"
    self_trade: str = "EXPIRE_MAKER"
    good_till: int = 0
    list_id: int = -1
    group: int = 0
    algo_id: int = 0
    actual: int = 0
    triggered: int = 0
    working: int = 0
    cancel_id: str = ""
    strategy_id: int | None = None
    strategy_type: int | None = None
    realised: int = 0
    locked: int = 0
    desk: int = 0

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def left(self) -> int:
        return self.lots - self.filled


class Trade(msgspec.Struct, kw_only=True):
    """An execution. commission, realised: units of `asset` and of the settlement currency."""

    id: int
    order: int
    symbol: str
    side: int
    ticks: int
    lots: int
    commission: int
    asset: str
    time: int
    maker: bool
    realised: int = 0
    position_side: str = "BOTH"
    list_id: int = -1


class OrderList(msgspec.Struct, kw_only=True):
    """Orders of spot that depend on each other. pending: those that wait until the first one has filled, as sent."""

    id: int
    kind: str
    client_id: str
    symbol: str
    time: int
    orders: list[int]
    pending: list[int] = []
    status: str = "EXEC_STARTED"
    order_status: str = "EXECUTING"


class Figures:
    """One symbol's figures: as text by its `Numbers`, and as units of its assets."""

    def __init__(self, instrument: Instrument, *, spot: bool) -> None:
        self.instrument = instrument
        tick, lot = Fraction(instrument.tick_size), Fraction(instrument.lot_size)
        numbers = Numbers(instrument, spot=spot)
        self.price, self.quantity = numbers.price, numbers.quantity
        self.price_decimals = numbers.price_decimals
        worth = tick * lot * Fraction(instrument.multiplier) * UNITS
        self._worth = worth.numerator, worth.denominator
        base = lot * UNITS
        self._base = base.numerator, base.denominator

    def quote(self, ticks_lots: int) -> str:
        """Of Σ ticks × lots."""
        return money(self.units(ticks_lots))

    def units(self, ticks_lots: int) -> int:
        """Units of the quote asset that Σ ticks × lots are; what is below a unit is dropped."""
        return ticks_lots * self._worth[0] // self._worth[1]

    def base_units(self, lots: int) -> int:
        """Units of the base asset."""
        return lots * self._base[0] // self._base[1]

    def mean(self, order: Order) -> Decimal:
        """Average price of what has filled; 0 before."""
        if not order.filled:
            return Decimal(0)
        return self.instrument.tick_size * Decimal(order.quote) / Decimal(order.filled)

    def mean_text(self, order: Order) -> str:
        places = max(_MEAN_DECIMALS, self.price_decimals)
        return f"{self.mean(order).quantize(Decimal(1).scaleb(-places)):f}"

    def ticks(self, price: Decimal) -> int | None:
        """Price in ticks; None if it is between two of them."""
        return _whole(price, self.instrument.tick_size)

    def lots(self, quantity: Decimal) -> int | None:
        return _whole(quantity, self.instrument.lot_size)

    def ticks_lots(self, quote: Decimal) -> int:
        """How many ticks × lots `quote` pays for, rounded down."""
        return int(Fraction(quote) * UNITS * self._worth[1] // self._worth[0])


class Orders:
    """All orders of one account in one market, in the order in which they came."""

    def __init__(self) -> None:
        self.all: dict[int, Order] = {}
        self.open: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.lists: dict[int, OrderList] = {}
        self._by_client: dict[tuple[str, str], int] = {}
        self._at_desk: dict[tuple[str, int], int] = {}

    def add(self, order: Order) -> None:
        self.all[order.id] = order
        self._by_client[order.symbol, order.client_id] = order.id
        self.file(order)

    def forget(self, order: Order) -> None:
        """An order that was never taken."""
        self.all.pop(order.id, None)
        self.open.pop(order.id, None)

    def file(self, order: Order) -> None:
        """Keep the indexes true after the order has changed."""
        if order.is_open:
            self.open[order.id] = order
        else:
            self.open.pop(order.id, None)
        if order.desk:
            self._at_desk[order.symbol, order.desk] = order.id

    def at_desk(self, symbol: str, desk: int) -> Order | None:
        found = self._at_desk.get((symbol, desk))
        return None if found is None else self.all[found]

    def leave_desk(self, order: Order) -> None:
        """The matching knows it no more."""
        self._at_desk.pop((order.symbol, order.desk), None)
        order.desk = 0

    def by_client(self, symbol: str, client_id: str) -> Order | None:
        """The latest order of that name."""
        found = self._by_client.get((symbol, client_id))
        return None if found is None else self.all[found]

    def of(self, symbol: str | None) -> Iterator[Order]:
        """Open ones, of one symbol or all."""
        return (order for order in list(self.open.values()) if symbol is None or order.symbol == symbol)


def money(units: int) -> str:
    """Units of an asset as the venue writes them: with 8 decimals."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), UNITS)
    return f"{sign}{whole}.{part:08d}"


def units(amount: Decimal) -> int:
    """An amount in units, what is below one dropped."""
    return int((amount * UNITS).to_integral_value(ROUND_DOWN))


def _whole(value: Decimal, step: Decimal) -> int | None:
    steps = value / step
    return int(steps) if steps == steps.to_integral_value() else None
