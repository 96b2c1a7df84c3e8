"""Volume profile: at which prices the market traded, and where it agreed on value."""

from math import inf, nan

from truewind.features.base import Feature, derived, parameter, reaches, register, scalars
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, in_order, part
from truewind.numerics.rolling import rolling_max, rolling_min, rolling_sum

VALUE_AREA = 0.7  # share of the volume in it: about what lies within one deviation of a normal distribution's mean
TIE = 1.0 + 1e-9  # shares that differ by less are equal but for rounding


@kernel(inline=True)
def spread(low: float, high: float, volume: float, buckets: int, shares: Memory) -> None:
    """Spread a bar's volume evenly over its range, `low` to `high` counted in buckets."""
    first, last = int(low), int(high)
    first = first if first < buckets else buckets - 1
    last = last if last < buckets else buckets - 1
    if first == last:
        shares[first] += volume
        return
    density = volume / (high - low)
    shares[first] += density * (first + 1 - low)
    for bucket in range(first + 1, last):
        shares[bucket] += density
    shares[last] += density * (high - last)


@kernel(inline=True)
def value_area(total: float, buckets: int, shares: Memory) -> tuple[int, int, int]:
    """(bucket of the most volume, first and last bucket of the value area around it)."""
    centre = 0
    for bucket in range(1, buckets):
        if shares[bucket] > shares[centre] * TIE:
            centre = bucket
    first = last = centre
    inside = shares[centre]
    while inside * TIE < VALUE_AREA * total and (first > 0 or last < buckets - 1):
        below = shares[first - 1] if first > 0 else -inf
        above = shares[last + 1] if last < buckets - 1 else -inf
        if above * TIE >= below:
            last += 1
            inside += above
        else:
            first -= 1
            inside += below
    return centre, first, last


@kernel(inline=True)
def volume_profile(
    high: float,
    low: float,
    volume: float,
    length: int,
    buckets: int,
    cursor: int,
    full: int,
    top: float,
    bottom: float,
    traded: float,
    laid: int,
    highest: float,
    lowest: float,
    window: Memory,
) -> tuple[float, float, float, int, int, float, float, float, int, float, float]:
    """Point of control and value area of the window's bars.

    highest, lowest: the range into whose buckets they are laid out. laid: for how many more rows bars that go may be
    taken off again, before all are laid out anew and nothing is left of what that rounds; 0 if nothing is laid out.
    """
    high, low = (high, low) if high > low else (low, high)
    highs, lows, volumes = window, part(window, 2 * length), part(window, 4 * length)
    shares = part(window, 9 * length)
    high_gone, low_gone, volume_gone = highs[cursor], lows[cursor], volumes[cursor]
    in_order(high, length, cursor, highs)
    in_order(low, length, cursor, lows)
    oldest = in_order(volume, length, cursor, volumes)
    upper, _, _, top = rolling_max(high, length, cursor, full, top, part(window, 6 * length))
    lower, _, _, bottom = rolling_min(low, length, cursor, full, bottom, part(window, 7 * length))
    total, cursor, full, traded = rolling_sum(volume, length, cursor, full, traded, part(window, 8 * length))
    size = (upper - lower) / buckets
    if not size > LEAST or not total > LEAST:
        price = lower if total > LEAST else nan
        return price, price, price, cursor, full, top, bottom, traded, 0, highest, lowest
    scale = 1.0 / size
    if laid > 0 and upper == highest and lower == lowest:
        laid -= 1
        spread((low_gone - lower) * scale, (high_gone - lower) * scale, -volume_gone, buckets, shares)
        spread((low - lower) * scale, (high - lower) * scale, volume, buckets, shares)
    else:
        laid, highest, lowest = length, upper, lower
        for bucket in range(buckets):
            shares[bucket] = 0.0
        for slot in range(oldest, oldest + length):
            spread((lows[slot] - lower) * scale, (highs[slot] - lower) * scale, volumes[slot], buckets, shares)
    centre, first, last = value_area(total, buckets, shares)
    poc, bounds = lower + (centre + 0.5) * size, (lower + first * size, lower + (last + 1) * size)
    return poc, *bounds, cursor, full, top, bottom, traded, laid, highest, lowest


@register
class VolumeProfile(Feature):
    """Volume profile of the last `length` bars: the price at which most was traded, and the value area around it.

    The range of the window is cut into `buckets` of equal height, and each bar's volume is spread evenly over the bar's
    own range. poc: the middle of the bucket with the most volume, the lowest of equals (point of control). low, high:
    the value area, which grows from there by the larger of its two neighbours, the upper of equals, until it holds
    70 % of the volume (Steidlmayer and Koy, Markets and Market Logic, 1986). NaN where nothing was traded. Whenever the
    range changes all is laid out anew, so that the cost grows with `length`.
    """

    name, family, units = "volume_profile", "volume", "of the price"
    inputs = ("high", "low", "volume")
    outputs = ("poc", "low", "high")
    scale, shift = 1, 1
    length: int = parameter(100, 1, 10_000)
    buckets: int = parameter(24, 2, 1_000)
    state = scalars(cursor=0, full=0, top=-inf, bottom=inf, traded=0.0, laid=0, highest=nan, lowest=nan)
    steady = reaches(full=1)
    step = staticmethod(volume_profile)
    warmup = derived(lambda self: self.length - 1)
    memory = derived(lambda self: 9 * self.length + self.buckets)
