"""Volume profile: at which prices the market traded, and where it agreed on value."""

from math import inf, nan

from truewind.features.base import Feature, derived, parameter, register, scalars
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, in_order, part

VALUE_AREA = 0.7  # share of the volume in it: about what lies within one deviation of a normal distribution's mean
TIE = 1.0 + 1e-9  # shares that differ by less are equal but for rounding


@kernel(inline=True)
def spread(high: float, low: float, volume: float, bottom: float, size: float, buckets: int, shares: Memory) -> float:
    """Spread a bar's volume evenly over its range, into buckets of `size` from `bottom` on: what was laid down."""
    first = int((low - bottom) / size)
    first = first if first < buckets else buckets - 1
    if not high - low > LEAST:
        shares[first] += volume
        return volume
    density = volume / (high - low)
    laid = 0.0
    for bucket in range(first, buckets):
        edge = bottom + bucket * size
        upper = high if bucket == buckets - 1 or high < edge + size else edge + size
        lower = low if bucket == first or low > edge else edge
        share = density * (upper - lower)
        shares[bucket] += share
        laid += share
        if upper == high:
            break
    return laid


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
    high: float, low: float, volume: float, length: int, buckets: int, cursor: int, count: int, window: Memory
) -> tuple[float, float, float, int, int]:
    """Point of control and value area of the window's bars."""
    highs, lows, volumes = window, part(window, 2 * length), part(window, 4 * length)
    shares = part(window, 6 * length)
    in_order(high if high > low else low, length, cursor, highs)
    in_order(low if low < high else high, length, cursor, lows)
    cursor = in_order(volume, length, cursor, volumes)
    count += count < length
    if count < length:
        return nan, nan, nan, cursor, count
    top, bottom, traded = -inf, inf, 0.0
    for slot in range(cursor, cursor + length):
        top = highs[slot] if highs[slot] > top else top
        bottom = lows[slot] if lows[slot] < bottom else bottom
        traded += volumes[slot]
    if not traded > LEAST:
        return nan, nan, nan, cursor, count
    size = (top - bottom) / buckets
    if not size > LEAST:
        return bottom, bottom, top, cursor, count
    for bucket in range(buckets):
        shares[bucket] = 0.0
    total = 0.0
    for slot in range(cursor, cursor + length):
        total += spread(highs[slot], lows[slot], volumes[slot], bottom, size, buckets, shares)
    centre, first, last = value_area(total, buckets, shares)
    return bottom + (centre + 0.5) * size, bottom + first * size, bottom + (last + 1) * size, cursor, count


@register
class VolumeProfile(Feature):
    """Volume profile of the last `length` bars: the price at which most was traded, and the value area around it.

    The range of the window is cut into `buckets` of equal height, and each bar's volume is spread evenly over the bar's
    own range. poc: the middle of the bucket with the most volume, the lowest of equals (point of control). low, high:
    the value area, which grows from there by the larger of its two neighbours, the upper of equals, until it holds
    70 % of the volume (Steidlmayer and Koy, Markets and Market Logic, 1986). NaN where nothing was traded. All of the
    window is laid out anew in each row, so that nothing is left of what has gone: the cost grows with `length`.
    """

    name, family, units = "volume_profile", "volume", "of the price"
    inputs = ("high", "low", "volume")
    outputs = ("poc", "low", "high")
    scale, shift = 1, 1
    length: int = parameter(100, 1, 10_000)
    buckets: int = parameter(24, 2, 1_000)
    state = scalars(cursor=0, count=0)
    step = staticmethod(volume_profile)
    warmup = derived(lambda self: self.length - 1)
    memory = derived(lambda self: 6 * self.length + self.buckets)
