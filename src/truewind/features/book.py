"""Order book: what is displayed to be bought and sold, and at what prices.

Rows are states of a book, by one set of names: the best prices `bid bid_quantity ask ask_quantity`, as the lake's
quotes have them, and behind them level by level `bid_2 bid_quantity_2 ask_2 ask_quantity_2` … `bid_10 …`, as
`book_levels` makes them of depth messages. A feature of `levels` levels needs the first of them; a level that is
missing counts as nothing displayed. Prices are in the quote currency, quantities in base units.
"""

from math import nan
from typing import Any

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, register, scalars
from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory
from truewind.numerics.rolling import rolling_sum

MAX_LEVELS = 100
TOP = ("bid", "bid_quantity", "ask", "ask_quantity")
PRIOR = 100.0  # rows that the weighted mid counts for in the micro-price


def level_names(level: int, names: tuple[str, ...] = TOP) -> tuple[str, ...]:
    """The columns of one level; the first one bears the names of the best prices."""
    return names if level == 1 else tuple(f"{name}_{level}" for name in names)


def _ladder(names: tuple[str, ...] = TOP) -> Any:
    """Declares inputs: these columns of the first `levels` levels, level by level."""
    return property(lambda self: tuple(name for i in range(self.levels) for name in level_names(i + 1, names)))


# ── best prices ──────────────────────────────────────────────────────────────────────────────────────────────────────


@kernel(inline=True)
def spread(bid: float, ask: float) -> float:
    """Ask less bid."""
    return ask - bid


@register
class Spread(Feature):
    """Best ask less best bid.

    What a round trip of the smallest size costs. Negative where the data are crossed.
    """

    name, family, units = "spread", "book", "price"
    inputs = ("bid", "ask")
    scale, shift = 1, 0
    finite = True
    step = staticmethod(spread)


@kernel(inline=True)
def relative_spread(bid: float, ask: float) -> float:
    """Spread as a fraction of the mid."""
    mid = 0.5 * (bid + ask)
    return (ask - bid) / mid if mid > 0.0 else nan


@register
class RelativeSpread(Feature):
    """Spread as a fraction of the mid price.

    (ask − bid) / ((ask + bid) / 2); times 10,000 in basis points. NaN where the mid is not positive.
    """

    name, family, units = "relative_spread", "book", "fraction"
    inputs = ("bid", "ask")
    scale = 0
    step = staticmethod(relative_spread)


@kernel(inline=True)
def mid_price(bid: float, ask: float) -> float:
    """Halfway between bid and ask."""
    return 0.5 * (bid + ask)


@register
class MidPrice(Feature):
    """Mean of best bid and best ask."""

    name, family, units = "mid_price", "book", "price"
    inputs = ("bid", "ask")
    scale, shift = 1, 1
    finite = True
    step = staticmethod(mid_price)


@kernel(inline=True)
def weighted_mid(bid: float, bid_quantity: float, ask: float, ask_quantity: float) -> float:
    """The mid, moved towards the side on which less is displayed."""
    total = bid_quantity + ask_quantity
    return bid + (ask - bid) * (bid_quantity / total) if total > 0.0 else nan


@register
class WeightedMid(Feature):
    """Mid price weighted by the other side's quantity: nearer to the ask the more there is to be bought at the bid.

    (bid · ask_quantity + ask · bid_quantity) / (bid_quantity + ask_quantity), where the next trade's price would lie if
    each displayed unit were as likely to be hit; also called micro-price (Gatheral and Oomen, Zero-intelligence
    realized variance estimation, Finance and Stochastics 14, 2010). NaN where nothing is displayed.
    """

    name, family, units = "weighted_mid", "book", "price"
    inputs = TOP
    scale, shift = 1, 1
    step = staticmethod(weighted_mid)


@kernel(inline=True)
def micro_price(
    bid: float, bid_quantity: float, ask: float, ask_quantity: float, buckets: int, moves: int,
    previous: float, window: Memory,
) -> tuple[float, float]:  # fmt: skip
    """The mid and its expected next move. `window` is for each bucket of imbalance its rows since the mid last moved,
    then the sum of moves that followed its rows, then the number of those rows."""
    total = bid_quantity + ask_quantity
    if not (total > 0.0 and bid_quantity >= 0.0 and ask_quantity >= 0.0):
        return nan, previous
    mid, share = 0.5 * (bid + ask), bid_quantity / total
    if mid != previous:
        if previous == previous:
            keep = 1.0 - 1.0 / moves
            for bucket in range(buckets):
                rows = window[bucket]
                window[buckets + bucket] = keep * window[buckets + bucket] + rows * (mid - previous)
                window[2 * buckets + bucket] = keep * window[2 * buckets + bucket] + rows
                window[bucket] = 0.0
        previous = mid
    bucket = min(int(share * buckets), buckets - 1)
    mirror = buckets - 1 - bucket
    window[bucket] += 1.0
    moved = window[buckets + bucket] - window[buckets + mirror]
    seen = window[2 * buckets + bucket] + window[2 * buckets + mirror]
    return mid + (moved + PRIOR * ((ask - bid) * (share - 0.5))) / (seen + PRIOR), previous


@register
class MicroPrice(Feature):
    """Micro-price: the mid plus its expected next move, given how unequal the best quantities are.

    The first term of Stoikov's (The micro-price: a high-frequency estimator of future prices, Quantitative Finance 18,
    2018): P = M + g₁(I) with g₁(I) = E[next change of the mid | I], I = bid_quantity / (bid_quantity + ask_quantity) in
    `buckets` equal parts, learned from the rows so far. His further terms (moves after the next one) and the spread as
    a second state are left out. As he does, each row counts for both sides: I with a move m is 1 − I with −m. The past
    fades by the factor 1 − 1/`moves` with each move of the mid, and the weighted mid counts as 100 rows, so that it
    begins there. NaN where nothing is displayed.
    """

    name, family, units = "micro_price", "book", "price"
    inputs = TOP
    scale, shift = 1, 1
    buckets: int = parameter(10, 2, 100)
    moves: int = parameter(1_000, 1, MAX_LENGTH)
    state = scalars(previous=nan)
    step = staticmethod(micro_price)
    settles = None
    memory = derived(lambda self: 3 * self.buckets)


@kernel(inline=True)
def order_flow(
    row: Memory, length: int, level: int, bid: float, bid_quantity: float, ask: float, ask_quantity: float,
    cursor: int, full: int, head: float, window: Memory,
) -> tuple[float, float, float, float, float, int, int, float]:  # fmt: skip
    """What the last changes of one level add to demand less what they add to supply."""
    new_bid, new_bid_quantity, new_ask, new_ask_quantity = row[0], row[1], row[2], row[3]
    if bid != bid:
        return nan, new_bid, new_bid_quantity, new_ask, new_ask_quantity, cursor, full, head
    event = (new_bid_quantity if new_bid >= bid else 0.0) - (bid_quantity if new_bid <= bid else 0.0)
    event -= (new_ask_quantity if new_ask <= ask else 0.0) - (ask_quantity if new_ask >= ask else 0.0)
    total, cursor, full, head = rolling_sum(event, length, cursor, full, head, window)
    return total, new_bid, new_bid_quantity, new_ask, new_ask_quantity, cursor, full, head


@register
class OrderFlow(Feature):
    """Order-flow imbalance of one level over the last `length` rows: what was added to demand less that to supply.

    Σ e_n with e_n = 1{b_n ≥ b_{n−1}} B_n − 1{b_n ≤ b_{n−1}} B_{n−1} − 1{a_n ≤ a_{n−1}} A_n + 1{a_n ≥ a_{n−1}} A_{n−1}
    of bid b with quantity B and ask a with quantity A (Cont, Kukanov, Stoikov, The price impact of order book events,
    Journal of Financial Econometrics 12, 2014): a bid that rises counts with all that is displayed there, one that
    falls with all that was, one that stays with the change. `level` 2 and deeper: the multi-level form of Xu, Gould,
    Howison (Multi-level order-flow imbalance in a limit order book, Market Microstructure and Liquidity 4, 2018). In
    base units; it is no share of anything.
    """

    name, family, units = "ofi", "book", "base units"
    gathered = True
    inputs = property(lambda self: level_names(self.level))
    length: int = parameter(1, 1, MAX_LENGTH)
    level: int = parameter(1, 1, MAX_LEVELS)
    state = scalars(bid=nan, bid_quantity=0.0, ask=0.0, ask_quantity=0.0, cursor=0, full=0, head=0.0)
    finite = True
    step = staticmethod(order_flow)
    warmup = derived(lambda self: self.length)
    memory = derived(lambda self: self.length)


# ── many levels ──────────────────────────────────────────────────────────────────────────────────────────────────────


@kernel(inline=True)
def book_imbalance(row: Memory, levels: int) -> float:
    """Bids less asks by both. row: the quantities of each level, bid and ask."""
    bids = asks = 0.0
    for i in range(levels):
        bids += row[2 * i] if row[2 * i] > 0.0 else 0.0
        asks += row[2 * i + 1] if row[2 * i + 1] > 0.0 else 0.0
    return (bids - asks) / (bids + asks) if bids + asks > 0.0 else nan


@register
class BookImbalance(Feature):
    """How much more is bid than asked over the first `levels` levels, from −1 (only asks) to 1 (only bids).

    (Σ bid_quantity − Σ ask_quantity) / (Σ bid_quantity + Σ ask_quantity), the queue or depth imbalance (Gould and
    Bonart, Queue imbalance as a one-tick-ahead price predictor in a limit order book, Market Microstructure and
    Liquidity 2, 2016). NaN where nothing is displayed.
    """

    name, family, units = "book_imbalance", "book", "fraction"
    gathered, inputs = True, _ladder(("bid_quantity", "ask_quantity"))
    needed = derived(lambda self: 2)
    levels: int = parameter(1, 1, MAX_LEVELS)
    step = staticmethod(book_imbalance)


@kernel(inline=True)
def book_pressure(row: Memory, levels: int) -> float:
    """Imbalance of quantities that count the less the further from the mid they are."""
    mid = 0.5 * (row[0] + row[2])
    bids = asks = 0.0
    for i in range(levels):
        below, above = mid - row[4 * i], row[4 * i + 2] - mid
        bids += row[4 * i + 1] / below if below > 0.0 and row[4 * i + 1] > 0.0 else 0.0
        asks += row[4 * i + 3] / above if above > 0.0 and row[4 * i + 3] > 0.0 else 0.0
    return (bids - asks) / (bids + asks) if bids + asks > 0.0 else nan


@register
class BookPressure(Feature):
    """Which side presses on the price: the imbalance of `levels` levels, each weighted by its nearness to the mid.

    (B − A) / (B + A) with B = Σ bid_quantity / (mid − bid) and A = Σ ask_quantity / (ask − mid). There is no one
    published definition; weights fall with the distance as the chance falls that a level is reached. NaN where nothing
    is displayed beside the mid.
    """

    name, family, units = "book_pressure", "book", "fraction"
    gathered, inputs = True, _ladder()
    needed = derived(lambda self: 4)
    scale, shift = 0, 0
    levels: int = parameter(5, 1, MAX_LEVELS)
    step = staticmethod(book_pressure)


@kernel(inline=True)
def depth_within(row: Memory, bps: float, levels: int) -> tuple[float, float]:
    """Quantity bid and asked no further from the mid than `bps`."""
    mid = 0.5 * (row[0] + row[2])
    if not mid > 0.0:
        return nan, nan
    reach = mid * (bps * 1e-4)
    bids = asks = 0.0
    for i in range(levels):
        bids += row[4 * i + 1] if mid - row[4 * i] <= reach and row[4 * i + 1] > 0.0 else 0.0
        asks += row[4 * i + 3] if row[4 * i + 2] - mid <= reach and row[4 * i + 3] > 0.0 else 0.0
    return bids, asks


@register
class DepthWithin(Feature):
    """Quantities bid and asked within `bps` basis points of the mid.

    Σ quantity over the levels with |price − mid| ≤ bps · 10⁻⁴ · mid, of the first `levels`: where the last of them
    still lies within, there may be more. 0 is an answer: nothing is displayed so near. NaN where the mid is not
    positive.
    """

    name, family, units = "depth_within", "book", "base units"
    gathered, inputs = True, _ladder()
    needed = derived(lambda self: 4)
    outputs = ("bid", "ask")
    scale = 0
    bps: float = parameter(10.0, 1e-3, 10_000.0)
    levels: int = parameter(10, 1, MAX_LEVELS)
    step = staticmethod(depth_within)


@kernel(inline=True)
def book_slope(row: Memory, levels: int) -> tuple[float, float]:
    """Slopes, through the mid, of what is displayed up to a price on the price's distance."""
    mid = 0.5 * (row[0] + row[2])
    if not mid > 0.0:
        return nan, nan
    share = 1.0 / mid
    bids = asks = bid_products = ask_products = bid_squares = ask_squares = 0.0
    for i in range(levels):
        if row[4 * i] == row[4 * i] and row[4 * i + 1] > 0.0:
            away = (mid - row[4 * i]) * share
            bids += row[4 * i + 1]
            bid_products += away * bids
            bid_squares += away * away
        if row[4 * i + 2] == row[4 * i + 2] and row[4 * i + 3] > 0.0:
            away = (row[4 * i + 2] - mid) * share
            asks += row[4 * i + 3]
            ask_products += away * asks
            ask_squares += away * away
    return (
        bid_products / bid_squares if bid_squares > 0.0 else nan,
        ask_products / ask_squares if ask_squares > 0.0 else nan,
    )


@register
class BookSlope(Feature):
    """How fast the book gets deep: quantity displayed for each relative step away from the mid, for bids and asks.

    Least-squares slope through the origin, Σ d_i Q_i / Σ d_i², over the first `levels` levels, with d_i the level's
    distance from the mid as a fraction of it and Q_i all that is displayed up to there; times 10⁻⁴ it is base units a
    basis point. The idea is that of Næs and Skjeltorp (Order book characteristics and the volume–volatility relation,
    Journal of Financial Markets 9, 2006), whose slope takes logarithms of quantities, which have no meaning below one
    unit. NaN for a side without a level beside the mid.
    """

    name, family, units = "book_slope", "book", "base units a fraction"
    gathered, inputs = True, _ladder()
    needed = derived(lambda self: 4)
    outputs = ("bid", "ask")
    scale = 0
    levels: int = parameter(10, 1, MAX_LEVELS)
    step = staticmethod(book_slope)


@kernel(inline=True)
def price_to_trade(row: Memory, size: float, levels: int) -> tuple[float, float]:
    """Mean prices at which `size` is bought from the asks and sold to the bids."""
    paid = got = 0.0
    to_buy = to_sell = size
    for i in range(levels):
        if row[4 * i + 2] == row[4 * i + 2] and row[4 * i + 3] > 0.0:
            taken = min(to_buy, row[4 * i + 3])
            paid += taken * row[4 * i + 2]
            to_buy -= taken
        if row[4 * i] == row[4 * i] and row[4 * i + 1] > 0.0:
            taken = min(to_sell, row[4 * i + 1])
            got += taken * row[4 * i]
            to_sell -= taken
    return paid / size if to_buy <= 0.0 else nan, got / size if to_sell <= 0.0 else nan


@register
class PriceToTrade(Feature):
    """Mean price at which a market order of `size` base units would be bought, and sold, right now.

    It walks the displayed levels, best first: Σ price · quantity taken / size. NaN where the first `levels` levels do
    not suffice. Fees and hidden orders are not in it.
    """

    name, family, units = "price_to_trade", "book", "price"
    gathered, inputs = True, _ladder()
    needed = derived(lambda self: 4)
    outputs = ("buy", "sell")
    scale, shift = 1, 1
    size: float = parameter(1.0, 1e-9, 1e15)
    levels: int = parameter(10, 1, MAX_LEVELS)
    step = staticmethod(price_to_trade)
