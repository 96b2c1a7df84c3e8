"""Derivatives: what a perpetual contract tells besides its price.

Columns, joined to the bars as they were known when each bar was over:

mark, index: the venue's mark price and the index of spot prices that it follows.
funding_rate, funding_ts: the last settled rate, as a fraction of the position, positive if longs pay; and when it was.
next_funding_ts: when the next one is due. Times are microseconds since 1970 UTC.
open_interest: what is open, in units of the base asset. long_short_ratio: accounts that are long for one that is short.
liquidated_long, liquidated_short: quantity of long (sold) and short (bought) positions that were liquidated in the bar.
"""

from math import nan, sqrt

from truewind.domain.timeframe import MINUTE_US
from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, register, scalars
from truewind.features.price import log_returns
from truewind.features.windows import Lag, Window
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, in_order, lag, part
from truewind.numerics.rolling import rolling_sum, rolling_sums


@kernel(inline=True)
def basis(mark: float, index: float) -> float:
    """The mark above the index."""
    return (mark - index) / index if index > LEAST else nan


@register
class Basis(Feature):
    """Basis: the mark price above the index, as a fraction of it.

    (mark − index) / index: what the contract costs more than the asset, and what funding pulls back. NaN where the
    index is not positive.
    """

    name, family, units = "basis", "derivatives", "fraction"
    inputs = ("mark", "index")
    scale, finite = 0, True
    step = staticmethod(basis)


@kernel(inline=True)
def funding(rate: float) -> tuple[float, float]:
    """The rate and its sign."""
    return rate, 1.0 if rate > 0.0 else -1.0 if rate < 0.0 else 0.0


@register
class Funding(Feature):
    """Funding: the last settled rate and who pays.

    rate: as a fraction of the position for one funding period. sign: 1 where longs pay shorts, −1 where shorts pay, 0
    if nobody does.
    """

    name, family, units = "funding", "derivatives", "fraction"
    inputs = ("funding_rate",)
    outputs = ("rate", "sign")
    scale, finite = (1, 0), True
    step = staticmethod(funding)


@kernel(inline=True)
def newest_zscore(length: int, cursor: int, window: Memory) -> float:
    """The newest of `length` values in order from `cursor` on: its distance from their mean in standard deviations.

    Two passes over distances from the newest, so that equal values have no deviation at all.
    """
    newest = window[cursor + length - 1]
    mean = 0.0
    for slot in range(cursor, cursor + length):
        mean += window[slot] - newest
    mean /= length
    squares = 0.0
    for slot in range(cursor, cursor + length):
        deviation = window[slot] - newest - mean
        squares += deviation * deviation
    return -mean / sqrt(squares / length) if squares > LEAST else nan


@kernel(inline=True)
def funding_zscore(
    rate: float,
    settled: float,
    length: int,
    last: float,
    cursor: int,
    count: int,
    value: float,
    window: Memory,
) -> tuple[float, float, int, int, float]:
    """The score changes only when a funding is settled, `last` being the time of the last one."""
    if settled != last:
        cursor = in_order(rate, length, cursor, window)
        if count < length:
            count += 1
        value = newest_zscore(length, cursor, window) if count == length else nan
    return value, settled, cursor, count, value


@register
class FundingZScore(Feature):
    """Funding rate against its own past: distance from the mean of the last `length` settlements, in their deviations.

    (rate − mean) / standard deviation of the last `length` settled rates, the present one included, with `length` as
    the divisor. Fundings are counted, not rows: rows between two settlements repeat the value. NaN until there are
    `length` of them, and while all are equal.
    """

    name, family, units = "funding_zscore", "derivatives", "standard deviations"
    inputs = ("funding_rate", "funding_ts")
    awaits = "as many settlements"
    length: int = parameter(21, 2, 10_000)
    state = scalars(last=nan, cursor=0, count=0, value=nan)
    step = staticmethod(funding_zscore)
    warmup = derived(lambda self: self.length - 1)
    settles = None
    memory = derived(lambda self: 2 * self.length)


@kernel(inline=True)
def time_to_funding(ts: float, due: float) -> float:
    """Minutes until the next funding."""
    return (due - ts) / MINUTE_US if due >= ts else nan


@register
class TimeToFunding(Feature):
    """Minutes from the bar's opening to the next funding.

    (next_funding_ts − ts) in minutes; NaN where the time that is known has passed.
    """

    name, family, units = "time_to_funding", "derivatives", "minutes"
    inputs = ("ts", "next_funding_ts")
    finite = True
    step = staticmethod(time_to_funding)


@kernel(inline=True)
def open_interest_change(
    x: float, length: int, cursor: int, full: int, window: Memory
) -> tuple[float, float, int, int]:
    """Contracts opened since, and in percent."""
    past, cursor, full = lag(x, length, cursor, full, window)
    change = x - past
    return change, 100.0 * change / past if past > LEAST else nan, cursor, full


@register
class OpenInterestChange(Lag):
    """Change of the open interest over `length` rows.

    absolute: open interest less that of `length` rows ago. percent: the same in percent of it; NaN where there was
    none.
    """

    name, family, units = "open_interest_change", "derivatives", "base asset, percent"
    inputs = ("open_interest",)
    outputs = ("absolute", "percent")
    scale, finite = (1, 0), True
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(open_interest_change)


@kernel(inline=True)
def open_interest_quadrant(
    close: float, interest: float, length: int, cursor: int, full: int, window: Memory
) -> tuple[float, int, int]:
    """Number of the quadrant of two directions."""
    price, _, _ = lag(close, length, cursor, full, window)
    past, cursor, full = lag(interest, length, cursor, full, part(window, length))
    quadrant = (1.0 if close > price else 3.0) + (0.0 if interest > past else 1.0)
    quadrant = 0.0 if close == price or interest == past else quadrant
    return quadrant if past == past else nan, cursor, full


@register
class OpenInterestQuadrant(Window):
    """Open interest against price: who has been trading over the last `length` rows.

    1: both rose (new longs). 2: price rose, interest fell (shorts cover). 3: price fell, interest rose (new shorts).
    4: both fell (longs leave). 0 where one of them did not move (Murphy, Technical Analysis of the Financial Markets,
    1999, chapter 7).
    """

    name, family, units = "open_interest_quadrant", "derivatives", "0 to 4"
    inputs = ("close", "open_interest")
    scale, finite = 0, True
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(open_interest_quadrant)
    warmup = derived(lambda self: self.length)
    floats = 2


@kernel(inline=True)
def long_short(ratio: float) -> tuple[float, float]:
    """The ratio and the longs' share."""
    if ratio > 0.0:
        return ratio, ratio / (1.0 + ratio)
    return nan, nan


@register
class LongShort(Feature):
    """Long/short ratio: longs for one short, and their share.

    ratio: longs / shorts. share: ratio / (1 + ratio), of longs among all. NaN where the ratio is not positive.
    """

    name, family, units = "long_short", "derivatives", "ratio, fraction"
    inputs = ("long_short_ratio",)
    outputs = ("ratio", "share")
    scale, finite = (1, None), True
    step = staticmethod(long_short)


@register
class LongShortChange(Lag):
    """Change of the long/short ratio over `length` rows.

    ln(ratio_t / ratio_{t−length}), which is as large for shorts as for longs; NaN where a ratio is not positive.
    """

    name, family, units = "long_short_change", "derivatives", "logarithm"
    inputs = ("long_short_ratio",)
    scale, finite = 0, True
    length: int = parameter(1, 1, MAX_LENGTH)
    step = staticmethod(log_returns)


@kernel(inline=True)
def liquidations(
    longs: float,
    shorts: float,
    length: int,
    quiet: int,
    calm: int,
    cursor: int,
    full: int,
    sold: float,
    bought: float,
    begun: float,
    window: Memory,
) -> tuple[float, float, float, float, int, int, int, float, float, float]:
    """Sums of the window; `calm` counts the rows since the last liquidation, up to `quiet`."""
    first = 0.0
    if longs > 0.0 or shorts > 0.0:
        first = 1.0 if calm >= quiet else 0.0
        calm = 0
    elif calm < quiet:
        calm += 1
    clusters, _, _, begun = rolling_sum(first, length, cursor, full, begun, part(window, 2 * length))
    long, short, cursor, full, sold, bought = rolling_sums(longs, shorts, length, cursor, full, sold, bought, window)
    both = long + short
    imbalance = (long - short) / both if both > LEAST else nan
    return long, short, imbalance, clusters, calm, cursor, full, sold, bought, begun


@register
class Liquidations(Window):
    """Liquidation pressure of the last `length` rows: forced sales of longs, forced purchases of shorts, and clusters.

    long, short: quantities liquidated. imbalance: (long − short) / (long + short), 1 where only longs were; NaN where
    nobody was. clusters: how many began; a cluster begins with a liquidation after at least `quiet` rows without one
    (or at the start of the data).

    A censored sample: venues publish at most one liquidation a symbol and second, the last or the largest, so that
    quantities are floors, and the more so the worse the cascade; what was not published is not estimated.
    """

    name, family, units = "liquidations", "derivatives", "base asset, -1 to 1, count"
    inputs = ("liquidated_long", "liquidated_short")
    outputs = ("long", "short", "imbalance", "clusters")
    awaits = "a liquidation"
    length: int = parameter(60, 1, MAX_LENGTH)
    quiet: int = parameter(5, 1, MAX_LENGTH)
    state = scalars(calm=MAX_LENGTH, cursor=0, full=0, sold=0.0, bought=0.0, begun=0.0)
    step = staticmethod(liquidations)
    settles = derived(lambda self: self.warmup + self.quiet)
    floats = 3
