"""Market structure: swings, the trend and the levels that they make, ranges.

A swing high is a bar whose high is above those of the `left` bars before it and below none of the `right` bars after
it; a swing low likewise, upside down (with 2 and 2 the fractals of Williams, Trading Chaos, 1995). It counts from the
row in which the last of these bars is over, never earlier: nothing here is drawn afterwards.
"""

from math import inf, nan

from truewind.features.base import MAX_LENGTH, Feature, derived, parameter, register, scalars
from truewind.features.windows import Window
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, part
from truewind.numerics.rolling import rolling_max, rolling_min
from truewind.numerics.swings import swing_high

LONGEST = 1_000  # bars on each side of a swing


class Swings(Feature):
    """Of the swings that are confirmed so far."""

    left: int = parameter(2, 1, LONGEST)
    right: int = parameter(2, 1, LONGEST)
    warmup = derived(lambda self: self.left + self.right)
    settles = None
    memory = derived(lambda self: 4 * (self.left + self.right + 1))


@kernel(inline=True)
def swings(
    high: float, low: float, left: int, right: int, cursor: int, count: int, window: Memory
) -> tuple[float, float, int, int]:
    """Swing high and swing low confirmed in this row, NaN where none is. `window` is 4 · (left + right + 1) floats."""
    top, _, _ = swing_high(high, left, right, cursor, count, window)
    bottom, cursor, count = swing_high(-low, left, right, cursor, count, part(window, 2 * (left + right + 1)))
    return top, -bottom, cursor, count


@kernel(inline=True)
def swing(
    high: float,
    low: float,
    left: int,
    right: int,
    cursor: int,
    count: int,
    top: float,
    bottom: float,
    top_age: float,
    bottom_age: float,
    window: Memory,
) -> tuple[float, float, float, float, int, int, float, float, float, float]:
    """The last swings and the rows since."""
    new_top, new_bottom, cursor, count = swings(high, low, left, right, cursor, count, window)
    top_age += 1.0
    bottom_age += 1.0
    if new_top == new_top:
        top, top_age = new_top, float(right)
    if new_bottom == new_bottom:
        bottom, bottom_age = new_bottom, float(right)
    return top, bottom, top_age, bottom_age, cursor, count, top, bottom, top_age, bottom_age


@register
class Swing(Swings):
    """Last confirmed swing high and swing low, and how many rows ago they were.

    high, low: their prices; high_age, low_age: rows since the swing's own bar, at least `right`. A bar is a swing high
    if its high is above those of the `left` bars before it and below none of the `right` bars after it (low likewise).
    """

    name, family, units = "swing", "structure", "of the price, rows"
    inputs = ("high", "low")
    outputs = ("high", "low", "high_age", "low_age")
    scale, shift, finite = (1, 1, 0, 0), (1, 1, 0, 0), True
    awaits = "a confirmed swing"
    state = scalars(cursor=0, count=0, top=nan, bottom=nan, top_age=nan, bottom_age=nan)
    step = staticmethod(swing)


@kernel(inline=True)
def swing_trend(
    high: float,
    low: float,
    left: int,
    right: int,
    cursor: int,
    count: int,
    top: float,
    top_before: float,
    bottom: float,
    bottom_before: float,
    window: Memory,
) -> tuple[float, int, int, float, float, float, float]:
    """Direction in which both the last highs and the last lows moved."""
    new_top, new_bottom, cursor, count = swings(high, low, left, right, cursor, count, window)
    if new_top == new_top:
        top, top_before = new_top, top
    if new_bottom == new_bottom:
        bottom, bottom_before = new_bottom, bottom
    trend = 0.0
    if top_before != top_before or bottom_before != bottom_before:
        trend = nan
    elif top > top_before and bottom > bottom_before:
        trend = 1.0
    elif top < top_before and bottom < bottom_before:
        trend = -1.0
    return trend, cursor, count, top, top_before, bottom, bottom_before


@register
class SwingTrend(Swings):
    """Trend by the last two confirmed swings of each kind.

    1: higher high and higher low; −1: lower high and lower low; 0: neither (Rhea, The Dow Theory, 1932). NaN until two
    swing highs and two swing lows are confirmed.
    """

    name, family, units = "swing_trend", "structure", "-1, 0 or 1"
    inputs = ("high", "low")
    scale, shift, finite = 0, 0, True
    awaits = "two confirmed swings of each kind"
    state = scalars(cursor=0, count=0, top=nan, top_before=nan, bottom=nan, bottom_before=nan)
    step = staticmethod(swing_trend)


@kernel(inline=True)
def structure_break(
    high: float,
    low: float,
    close: float,
    left: int,
    right: int,
    cursor: int,
    count: int,
    top: float,
    bottom: float,
    seen: int,
    direction: float,
    window: Memory,
) -> tuple[float, float, float, float, int, int, float, float, int, float]:
    """Closes beyond the last swings; a swing that was broken is NaN. seen: 1 for a high, 2 for a low, 3 for both."""
    new_top, new_bottom, cursor, count = swings(high, low, left, right, cursor, count, window)
    if new_top == new_top:
        top, seen = new_top, seen | 1
    if new_bottom == new_bottom:
        bottom, seen = new_bottom, seen | 2
    event, change, level = 0.0, 0.0, nan
    if close > top:
        event, level, top = 1.0, top, nan
    elif close < bottom:
        event, level, bottom = -1.0, bottom, nan
    if event != 0.0:
        change = 1.0 if event == -direction else 0.0
        direction = event
    if seen != 3:
        event = change = nan
    return event, change, level, direction, cursor, count, top, bottom, seen, direction


@register
class StructureBreak(Swings):
    """Break of structure: the close passes the last confirmed swing, with or against the direction of the break before.

    event: 1 in the row whose close is the first above the last swing high, −1 in that whose close is the first below
    the last swing low, else 0; a swing is broken once. change: 1 if the event is against the break before it (a change
    of character), else 0. level: the swing that was broken, NaN in rows without event. direction: of the last break,
    NaN until there was one. event and change are NaN until a swing of each kind is confirmed.
    """

    name, family, units = "structure_break", "structure", "-1, 0 or 1; of the price"
    inputs = ("high", "low", "close")
    outputs = ("event", "change", "level", "direction")
    scale, shift, finite = (0, 0, 1, 0), (0, 0, 1, 0), True
    awaits = "a confirmed swing of each kind"
    state = scalars(cursor=0, count=0, top=nan, bottom=nan, seen=0, direction=nan)
    step = staticmethod(structure_break)


@kernel(inline=True)
def touch(price: float, tolerance: float, kept: int, number: int, levels: Memory) -> None:
    """Let the swing `number` at `price` join the nearest level or make a new one, in the place of the one longest
    untouched. `levels` holds `kept` prices, `kept` counts of touches and `kept` numbers of the swing that touched last.
    """
    nearest, distance, oldest = -1, tolerance * abs(price), 0
    for place in range(kept):
        away = abs(levels[place] - price)
        if levels[kept + place] > 0.0 and away <= distance:
            nearest, distance = place, away
        if levels[2 * kept + place] < levels[2 * kept + oldest]:
            oldest = place
    place = nearest
    if nearest < 0:
        place = oldest
        levels[kept + place] = 0.0
        levels[place] = price
    touches = levels[kept + place] + 1.0
    levels[place] += (price - levels[place]) / touches
    levels[kept + place] = touches
    levels[2 * kept + place] = float(number)


@kernel(inline=True)
def support_resistance(
    high: float,
    low: float,
    close: float,
    left: int,
    right: int,
    tolerance: float,
    kept: int,
    cursor: int,
    count: int,
    number: int,
    support: float,
    support_touches: float,
    resistance: float,
    resistance_touches: float,
    window: Memory,
) -> tuple[float, float, float, float, int, int, int, float, float, float, float]:
    """The nearest levels on both sides of the close; `number` counts the swings so far."""
    top, bottom, cursor, count = swings(high, low, left, right, cursor, count, window)
    levels = part(window, 4 * (left + right + 1))
    changed = close < support or close >= resistance
    if top == top:
        number += 1
        touch(top, tolerance, kept, number, levels)
        changed = True
    if bottom == bottom:
        number += 1
        touch(bottom, tolerance, kept, number, levels)
        changed = True
    if changed:
        support = resistance = support_touches = resistance_touches = nan
        for place in range(kept):
            price, touches = levels[place], levels[kept + place]
            if touches > 0.0 and price <= close and not price <= support:
                support, support_touches = price, touches
            if touches > 0.0 and price > close and not price >= resistance:
                resistance, resistance_touches = price, touches
    return (
        *(support, support_touches, resistance, resistance_touches),
        *(cursor, count, number, support, support_touches, resistance, resistance_touches),
    )


@register
class SupportResistance(Feature):
    """Support and resistance: the nearest levels below and above the close at which swings have turned, with touches.

    A confirmed swing, high or low, within `tolerance` (a fraction of its price) of a level touches it: the level
    becomes the mean of its touches. Any other makes a new level. Half a percent suits bars of hours; of minutes it
    joins almost all. The `kept` levels last touched are remembered. support: the highest level at or below the close;
    resistance: the lowest above it; each with its number of touches; NaN where there is none (Edwards and Magee,
    Technical Analysis of Stock Trends, 1948; levels of this kind do turn exchange rates: Osler, Support for Resistance,
    FRBNY Economic Policy Review, 2000).
    """

    name, family, units = "support_resistance", "structure", "of the price, count"
    inputs = ("high", "low", "close")
    outputs = ("support", "support_touches", "resistance", "resistance_touches")
    scale, finite = (1, 0, 1, 0), True
    awaits = "a confirmed swing on that side of the close"
    left: int = parameter(5, 1, LONGEST)
    right: int = parameter(5, 1, LONGEST)
    tolerance: float = parameter(0.005, 0.0, 1.0)
    kept: int = parameter(10, 1, 100)
    state = scalars(
        cursor=0,
        count=0,
        number=0,
        support=nan,
        support_touches=nan,
        resistance=nan,
        resistance_touches=nan,
    )
    step = staticmethod(support_resistance)
    warmup = derived(lambda self: self.left + self.right)
    settles = None
    memory = derived(lambda self: 4 * (self.left + self.right + 1) + 3 * self.kept)


@kernel(inline=True)
def trading_range(
    high: float,
    low: float,
    close: float,
    length: int,
    width: float,
    cursor: int,
    full: int,
    top: float,
    bottom: float,
    rows: float,
    window: Memory,
) -> tuple[float, float, float, float, int, int, float, float, float]:
    """Bounds of the window, the close between them, and for how many rows they have been narrow."""
    highest, _, _, top = rolling_max(high, length, cursor, full, top, window)
    lowest, cursor, full, bottom = rolling_min(low, length, cursor, full, bottom, part(window, length))
    size = highest - lowest
    if size != size:
        return nan, nan, nan, nan, cursor, full, top, bottom, rows
    rows = rows + 1.0 if size <= width * 0.5 * (highest + lowest) else 0.0
    position = (close - lowest) / size if size > LEAST else nan
    return highest, lowest, position, rows, cursor, full, top, bottom, rows


@register
class TradingRange(Window):
    """Trading range: bounds of the last `length` bars, where the close lies in them, how long they have been narrow.

    high, low: highest high and lowest low. position: (close − low) / (high − low), 0 to 1; NaN where they are equal.
    rows: for how many rows running the window has been a range, high − low being at most `width` of their mean; 0 where
    it is none.
    """

    name, family, units = "trading_range", "structure", "of the price, fraction, rows"
    inputs = ("high", "low", "close")
    outputs = ("high", "low", "position", "rows")
    scale, shift = (1, 1, 0, 0), (1, 1, 0, None)
    length: int = parameter(48, 1, MAX_LENGTH)
    width: float = parameter(0.05, 0.0, 1.0)
    state = scalars(cursor=0, full=0, top=-inf, bottom=inf, rows=0.0)
    step = staticmethod(trading_range)
    settles = None
    floats = 2
