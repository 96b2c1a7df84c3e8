"""Liquidity as bars and trades show it: what trading moves the price by, and what spread it pays."""

from math import inf, log, nan, sqrt, tanh

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, register, scalars
from truewind.features.windows import Changes, Window
from truewind.numerics.comoments import rolling_comoments
from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory
from truewind.numerics.rolling import rolling_mean, rolling_sum

CS = 3.0 - 2.0 * sqrt(2.0)  # Corwin and Schultz's constant


@kernel(inline=True)
def price_impact(
    close: float, volume: float, bought: float, length: int,
    previous: float, cursor: int, full: int, head: float, window: Memory,
) -> tuple[float, float, int, int, float]:  # fmt: skip
    """Mean return in the direction in which takers traded."""
    if not previous > 0.0:
        return nan, close, cursor, full, head
    sold = volume - bought
    moved = (close - previous) / previous * ((bought > sold) - (bought < sold))
    mean, cursor, full, head = rolling_mean(moved, length, cursor, full, head, window)
    return mean, close, cursor, full, head


@register
class PriceImpact(Changes):
    """Mean return of a bar in the direction in which its takers traded, over the last `length` bars.

    ⟨ε_t (c_t − c_{t−1}) / c_{t−1}⟩ with ε_t the sign of 2 taker_buy_volume − volume: the response function at one step
    (Bouchaud, Gefen, Potters, Wyart, Fluctuations and response in financial markets, Quantitative Finance 4, 2004). A
    bar in balance counts as 0; one after a price that is not positive is passed over.
    """

    name, family, units = "price_impact", "trades", "fraction"
    inputs = ("close", "volume", "taker_buy_volume")
    scale = 0
    length: int = parameter(100, 1, MAX_LENGTH)
    step = staticmethod(price_impact)


@kernel(inline=True)
def kyle_lambda(
    close: float, volume: float, bought: float, length: int, previous: float, cursor: int, full: int,
    x_anchor: float, y_anchor: float, x_head: float, y_head: float, squares: float, products: float, window: Memory,
) -> tuple[float, float, int, int, float, float, float, float, float, float]:  # fmt: skip
    """Slope of price changes on signed volume."""
    if previous != previous:
        return nan, close, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products
    spread, together, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products = rolling_comoments(
        bought - (volume - bought), close - previous, length, cursor, full,
        x_anchor, y_anchor, x_head, y_head, squares, products, window,
    )  # fmt: skip
    slope = together / spread if spread > 0.0 else nan
    return slope, close, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products


@register
class KyleLambda(Changes):
    """Kyle's λ: by how much the price moves for each unit that takers buy on balance, over the last `length` bars.

    Least-squares slope, with intercept, of c_t − c_{t−1} on 2 taker_buy_volume − volume (Kyle, Continuous auctions and
    insider trading, Econometrica 53, 1985; estimated as in López de Prado, Advances in Financial Machine Learning,
    2018, ch. 19.4.1, with the venue's own signs). NaN where signed volume did not vary.
    """

    name, family, units = "kyle_lambda", "trades", "price a base unit"
    inputs = ("close", "volume", "taker_buy_volume")
    scale, shift = 1, 0
    length: int = parameter(100, 2, MAX_LENGTH)
    state = scalars(
        previous=nan, cursor=0, full=0, x_anchor=0.0, y_anchor=0.0, x_head=0.0, y_head=0.0, squares=0.0, products=0.0
    )
    step = staticmethod(kyle_lambda)
    floats = 4


@kernel(inline=True)
def amihud(
    close: float, worth: float, length: int, previous: float, cursor: int, full: int, head: float, window: Memory
) -> tuple[float, float, int, int, float]:
    """Mean of |return| by what was traded for it."""
    if not (previous > 0.0 and worth > 0.0):
        return nan, close, cursor, full, head
    ratio = abs(close - previous) / previous / worth
    if not ratio < inf:
        return nan, close, cursor, full, head
    mean, cursor, full, head = rolling_mean(ratio, length, cursor, full, head, window)
    return mean, close, cursor, full, head


@register
class Amihud(Changes):
    """Amihud's illiquidity: the mean of |return| by what was traded for it, over the last `length` bars with trades.

    ⟨|c_t − c_{t−1}| / c_{t−1} / quote_volume_t⟩ (Amihud, Illiquidity and stock returns, Journal of Financial Markets 5,
    2002), the return that one unit of the quote currency goes with. Bars without a trade have no ratio: they give NaN
    and are passed over.
    """

    name, family, units = "amihud", "trades", "fraction a quote unit"
    inputs = ("close", "quote_volume")
    length: int = parameter(20, 1, MAX_LENGTH)
    step = staticmethod(amihud)


@kernel(inline=True)
def roll_spread(
    close: float, length: int, previous: float, change: float, cursor: int, full: int,
    x_anchor: float, y_anchor: float, x_head: float, y_head: float, squares: float, products: float, window: Memory,
) -> tuple[float, float, float, int, int, float, float, float, float, float, float]:  # fmt: skip
    """The spread that price changes of opposite sign point to; `change` is the last one."""
    moved = close - previous
    if change != change:
        return nan, close, moved, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products
    _, together, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products = rolling_comoments(
        change, moved, length, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products, window
    )
    spread = 2.0 * sqrt(-together / (length - 1.0)) if together < 0.0 else nan
    return spread, close, moved, cursor, full, x_anchor, y_anchor, x_head, y_head, squares, products


@register
class RollSpread(Window):
    """Roll's effective spread from prices alone: trades that bounce between bid and ask leave changes of opposite sign.

    2 √(−cov(Δp_t, Δp_{t−1})), the sample covariance of the last `length` pairs (Roll, A simple implicit measure of the
    effective bid-ask spread, Journal of Finance 39, 1984). NaN where the covariance is not negative, for then prices
    do not bounce and the model does not hold. Meant for prices of trades; bars of minutes show a bounce only where the
    spread is wide.
    """

    name, family, units = "roll_spread", "trades", "price"
    scale, shift = 1, 0
    length: int = parameter(60, 2, MAX_LENGTH)
    state = scalars(
        previous=nan, change=nan, cursor=0, full=0,
        x_anchor=0.0, y_anchor=0.0, x_head=0.0, y_head=0.0, squares=0.0, products=0.0,
    )  # fmt: skip
    awaits = "price changes that take each other back"
    step = staticmethod(roll_spread)
    warmup = derived(lambda self: self.length + 1)
    floats = 4


@kernel(inline=True)
def corwin_schultz(
    high: float, low: float, close: float, length: int, last_high: float, last_low: float, last_close: float,
    last_range: float, cursor: int, full: int, head: float, window: Memory,
) -> tuple[float, float, float, float, float, int, int, float]:  # fmt: skip
    """The spread that the ranges of one bar and of two point to; `last_range`: ln(high / low) of the bar before."""
    span = log(high / low) if high > 0.0 and low > 0.0 else nan
    gap = low - last_close if low > last_close else (high - last_close if high < last_close else 0.0)
    top, bottom, moved = high - gap, low - gap, span
    if gap != 0.0:
        moved = log(top / bottom) if top > 0.0 and bottom > 0.0 else nan
    beta = sqrt(last_range * last_range + moved * moved)
    if not beta < inf:  # no bar before, or a price that is not positive
        return nan, high, low, close, span, cursor, full, head
    both = log(max(top, last_high) / min(bottom, last_low))
    alpha = beta * ((sqrt(2.0) - 1.0) / CS) - abs(both) / sqrt(CS)
    spread = 2.0 * tanh(0.5 * alpha) if alpha > 0.0 else 0.0  # 2 (e^α − 1) / (1 + e^α)
    mean, cursor, full, head = rolling_mean(spread, length, cursor, full, head, window)
    return mean, high, low, close, span, cursor, full, head


@register
class CorwinSchultz(Window):
    """Corwin and Schultz's spread from highs and lows, as a fraction of the price: mean of the last `length` pairs.

    A range of two bars has twice the variance of one but the same spread. With β = ln²(H_t/L_t) + ln²(H_{t−1}/L_{t−1})
    and γ = ln² of the range of both: α = (√(2β) − √β) / (3 − 2√2) − √(γ / (3 − 2√2)), S = 2(e^α − 1) / (1 + e^α) (A
    simple way to estimate bid-ask spreads from daily high and low prices, Journal of Finance 67, 2012). As there, a bar
    that lies beyond the last close is moved to it first, and negative estimates of a pair count as 0. NaN, and passed
    over, where a price is not positive.
    """

    name, family, units = "corwin_schultz", "trades", "fraction"
    inputs = ("high", "low", "close")
    scale = 0
    length: int = parameter(21, 1, MAX_LENGTH)
    state = scalars(last_high=nan, last_low=nan, last_close=nan, last_range=nan, cursor=0, full=0, head=0.0)
    step = staticmethod(corwin_schultz)
    warmup = derived(lambda self: self.length)


@kernel(inline=True)
def vpin(
    volume: float, bought: float, buckets: int, size: float,
    cursor: int, full: int, head: float, filled: float, tilt: float, value: float, window: Memory,
) -> tuple[float, int, int, float, float, float, float]:  # fmt: skip
    """Mean imbalance of the last full buckets; filled, tilt: volume, and bought less sold, of the one in the making."""
    if not volume > 0.0:
        return value, cursor, full, head, filled, tilt, value
    share = min(1.0, max(-1.0, (bought - (volume - bought)) / volume))
    room = size - filled
    if volume < room:
        filled += volume
        tilt += share * volume
        return value, cursor, full, head, filled, tilt, value
    total, cursor, full, head = rolling_sum(abs(tilt + share * room), buckets, cursor, full, head, window)
    rest = volume - room
    more = rest / size // 1.0
    for _ in range(int(min(more, float(buckets)))):  # more buckets than that are the same again
        total, cursor, full, head = rolling_sum(abs(share) * size, buckets, cursor, full, head, window)
    filled = rest - more * size
    filled = filled if 0.0 <= filled < size else 0.0  # of a volume so large that a bucket is below its last digit
    value = total / (buckets * size)
    return value, cursor, full, head, filled, share * filled, value


@register
class VPIN(Feature):
    """Volume-synchronised probability of informed trading: how one-sided the last `buckets` equal parts of volume were.

    Σ |V_buy − V_sell| / (buckets · size) over the last full buckets of `size` base units each (Easley, López de Prado,
    O'Hara, Flow toxicity and liquidity in a high-frequency world, Review of Financial Studies 25, 2012; they take a
    fiftieth of a day's volume for a bucket, and 50 of them). They guess who took from the price (bulk volume
    classification); here the venue has told it. A bar that does not fit into a bucket is divided, its buyers and
    sellers in the same proportion, so short bars, volume bars or single trades tell more. Between full buckets the
    value stands; NaN until `buckets` are full.
    """

    name, family, units = "vpin", "trades", "fraction"
    inputs = ("volume", "taker_buy_volume")
    buckets: int = parameter(50, 1, MAX_LENGTH)
    size: float = parameter(50.0, 1e-9, 1e15)
    state = scalars(cursor=0, full=0, head=0.0, filled=0.0, tilt=0.0, value=nan)
    awaits = "full buckets"
    step = staticmethod(vpin)
    settles = None
    memory = derived(lambda self: self.buckets)
