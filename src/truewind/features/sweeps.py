"""Where stops lie, and what happens when they are run: pools of equal swings, sweeps, gaps that were left open.

Swings are those of `truewind.features.structure`, and count from the row that confirms them. That stop-loss orders
gather just beyond such prices, and that moves through them cascade, is measured by Osler (Stop-Loss Orders and Price
Cascades in Currency Markets, Journal of International Money and Finance, 2005). All is written for one side; the other
is the same of the negative prices.
"""

from math import nan

from truewind.features.base import Feature, derived, parameter, register, scalars
from truewind.features.structure import LONGEST, swings
from truewind.numerics.jit import kernel
from truewind.numerics.ring import Memory, part

GAPS = 32  # open gaps kept a side
KEPT = 32  # open swings kept a side


@kernel(inline=True)
def pool(high: float, new: float, tolerance: float, level: float, count: float) -> tuple[float, float, float]:
    """Equal highs: (the pool's level or NaN, level, count of swings); `new` is a swing high confirmed in this row."""
    slack = tolerance * abs(level)
    if high > level + slack:
        count = 0.0
    if new == new:
        if count > 0.0 and abs(new - level) <= slack:
            count += 1.0
            level = new if new > level else level
        else:
            count, level = 1.0, new
    return level if count > 1.0 else nan, level, count


@kernel(inline=True)
def equal_swings(
    high: float,
    low: float,
    left: int,
    right: int,
    tolerance: float,
    cursor: int,
    count: int,
    top: float,
    tops: float,
    bottom: float,
    bottoms: float,
    window: Memory,
) -> tuple[float, float, float, float, int, int, float, float, float, float]:
    """Pools on both sides."""
    new_top, new_bottom, cursor, count = swings(high, low, left, right, cursor, count, window)
    above, top, tops = pool(high, new_top, tolerance, top, tops)
    below, bottom, bottoms = pool(-low, -new_bottom, tolerance, bottom, bottoms)
    highs, lows = tops if tops > 1.0 else 0.0, bottoms if bottoms > 1.0 else 0.0
    if count < left + right + 1:
        highs = lows = nan
    return above, highs, -below, lows, cursor, count, top, tops, bottom, bottoms


@register
class EqualSwings(Feature):
    """Equal highs and equal lows: pools of stop orders that have not been taken yet.

    Swing highs in a row, each within `tolerance` (a fraction) of the highest of them, are a pool from the second on.
    high: the highest of them, NaN where there is no pool; high_count: how many they are, 0 where there is none. A swing
    farther away begins a new one; a bar that trades more than the tolerance beyond the pool takes it. low, low_count:
    likewise below the market.
    """

    name, family, units = "equal_swings", "structure", "of the price, count"
    inputs = ("high", "low")
    outputs = ("high", "high_count", "low", "low_count")
    scale, finite = (1, 0, 1, 0), True
    awaits = "equal swings"
    left: int = parameter(2, 1, LONGEST)
    right: int = parameter(2, 1, LONGEST)
    tolerance: float = parameter(0.002, 0.0, 1.0)
    state = scalars(cursor=0, count=0, top=nan, tops=0.0, bottom=nan, bottoms=0.0)
    step = staticmethod(equal_swings)
    warmup = derived(lambda self: self.left + self.right)
    settles = None
    memory = derived(lambda self: 4 * (self.left + self.right + 1))


@kernel(inline=True)
def open_levels(high: float, new: float, count: int, levels: Memory) -> tuple[int, float]:
    """(open swing highs after this row, how many it took); `levels` holds the youngest, which is the lowest, last."""
    taken = 0.0
    while count > 0 and high > levels[count - 1]:
        count -= 1
        taken += 1.0
    if new == new:
        if count == KEPT:
            for place in range(KEPT - 1):
                levels[place] = levels[place + 1]
            count -= 1
        levels[count] = new
        count += 1
    return count, taken


@kernel(inline=True)
def open_swings(
    high: float, low: float, left: int, right: int, cursor: int, count: int, highs: int, lows: int, window: Memory
) -> tuple[float, float, float, float, float, float, float, float, int, int, int, int]:
    """The nearest open swings on both sides, and how many were taken; those of lows are kept as negative prices."""
    new_top, new_bottom, cursor, count = swings(high, low, left, right, cursor, count, window)
    above, below = part(window, 4 * (left + right + 1)), part(window, 4 * (left + right + 1) + KEPT)
    highs, tops_taken = open_levels(high, new_top, highs, above)
    lows, bottoms_taken = open_levels(-low, -new_bottom, lows, below)
    if count < left + right + 1:
        tops_taken = bottoms_taken = nan
    return (
        above[highs - 1] if highs > 0 else nan,
        above[highs - 2] if highs > 1 else nan,
        above[highs - 3] if highs > 2 else nan,
        -below[lows - 1] if lows > 0 else nan,
        -below[lows - 2] if lows > 1 else nan,
        -below[lows - 3] if lows > 2 else nan,
        *(tops_taken, bottoms_taken),
        *(cursor, count, highs, lows),
    )


@register
class OpenSwings(Feature):
    """Open swings: the nearest swing highs above and swing lows below the market that have not been traded through.

    high_1, high_2, high_3: the nearest, the next and the third swing high beyond which no bar has traded since; NaN
    where there are fewer. Orders that wait behind them are still there. low_1, low_2, low_3: likewise below the market.
    What only touches a swing leaves it open. highs_taken, lows_taken: how many this row has traded beyond, more than
    one where equal highs or lows, or what lies as near together, are run at once. The 32 youngest a side are kept.
    """

    name, family, units = "open_swings", "structure", "of the price, count"
    inputs = ("high", "low")
    outputs = ("high_1", "high_2", "high_3", "low_1", "low_2", "low_3", "highs_taken", "lows_taken")
    scale, shift, finite = (1, 1, 1, 1, 1, 1, 0, 0), (1, 1, 1, 1, 1, 1, 0, 0), True
    awaits = "a confirmed swing that stays open"
    left: int = parameter(3, 1, LONGEST)
    right: int = parameter(3, 1, LONGEST)
    state = scalars(cursor=0, count=0, highs=0, lows=0)
    step = staticmethod(open_swings)
    warmup = derived(lambda self: self.left + self.right)
    settles = None
    memory = derived(lambda self: 4 * (self.left + self.right + 1) + 2 * KEPT)


@kernel(inline=True)
def reclaim(
    low: float, close: float, new: float, within: int, level: float, swept: float, extreme: float, rows: int
) -> tuple[float, float, float, float, float, int]:
    """Sweeps of a low: (the level if it is reclaimed in this row, else NaN, lowest low since it was swept; state).

    level: the last swing low that has not been swept. swept: the one being watched, NaN if none is; rows: since then.
    """
    if new == new:
        level = new
    if swept != swept and low < level:
        swept, extreme, rows, level = level, low, 0, nan
    reclaimed = nan
    if swept == swept:
        rows += 1
        extreme = low if low < extreme else extreme
        if close > swept:
            reclaimed, swept = swept, nan
        elif rows >= within:
            swept = nan
    return reclaimed, extreme, level, swept, extreme, rows


@kernel(inline=True)
def sweep(
    high: float,
    low: float,
    close: float,
    left: int,
    right: int,
    within: int,
    cursor: int,
    count: int,
    top: float,
    top_swept: float,
    top_extreme: float,
    top_rows: int,
    bottom: float,
    bottom_swept: float,
    bottom_extreme: float,
    bottom_rows: int,
    window: Memory,
) -> tuple[float, float, float, int, int, float, float, float, int, float, float, float, int]:
    """Levels swept and reclaimed, on both sides."""
    new_top, new_bottom, cursor, count = swings(high, low, left, right, cursor, count, window)
    up, lowest, bottom, bottom_swept, bottom_extreme, bottom_rows = reclaim(
        low, close, new_bottom, within, bottom, bottom_swept, bottom_extreme, bottom_rows
    )
    down, highest, top, top_swept, top_extreme, top_rows = reclaim(
        -high, -close, -new_top, within, top, top_swept, top_extreme, top_rows
    )
    event, level, extreme = 0.0, nan, nan
    if up == up and down != down:
        event, level, extreme = 1.0, up, lowest
    elif down == down and up != up:
        event, level, extreme = -1.0, -down, -highest
    if count < left + right + 1:
        event = nan
    return (
        *(event, level, extreme, cursor, count),
        *(top, top_swept, top_extreme, top_rows, bottom, bottom_swept, bottom_extreme, bottom_rows),
    )


@register
class Sweep(Feature):
    """Sweep and reclaim: price runs the stops beyond the last swing and closes back within a few rows.

    event: 1 in the row that closes above a swing low which it, or one of the `within` − 1 rows before it, has traded
    below; −1 in the row that closes below a swing high traded above likewise; else 0. level: the swing that was swept;
    extreme: the farthest price since, where a stop of one's own would go; both NaN in rows without event. The swing is
    the last one confirmed before it is swept. A level is swept once: if it is not reclaimed in time it was a break. A
    row that reclaims both sides says nothing of direction and is no event. (Spring and upthrust of Wyckoff; the 2B rule
    of Sperandeo, Trader Vic, 1991; Turtle Soup of Connors and Raschke, Street Smarts, 1995.)
    """

    name, family, units = "sweep", "structure", "-1, 0 or 1; of the price"
    inputs = ("high", "low", "close")
    outputs = ("event", "level", "extreme")
    scale, shift, finite = (0, 1, 1), (0, 1, 1), True
    awaits = "a sweep"
    left: int = parameter(3, 1, LONGEST)
    right: int = parameter(3, 1, LONGEST)
    within: int = parameter(1, 1, LONGEST)
    state = scalars(
        cursor=0,
        count=0,
        top=nan,
        top_swept=nan,
        top_extreme=nan,
        top_rows=0,
        bottom=nan,
        bottom_swept=nan,
        bottom_extreme=nan,
        bottom_rows=0,
    )
    step = staticmethod(sweep)
    warmup = derived(lambda self: self.left + self.right)
    settles = None
    memory = derived(lambda self: 4 * (self.left + self.right + 1))


@kernel(inline=True)
def open_gap(
    low: float, high_before: float, least: float, count: int, nearest: float, bottom: float, gaps: Memory
) -> tuple[int, float, float]:
    """Gaps below the market: (how many are open, upper and lower edge of the nearest). `high_before` is two rows ago.

    `gaps` holds the lower and the upper edge of each, the oldest first.
    """
    if low < nearest:  # it trades into the nearest gap, and maybe into more
        kept = 0
        nearest = bottom = nan
        for place in range(count):
            lower, upper = gaps[2 * place], gaps[2 * place + 1]
            if low > lower:
                upper = low if low < upper else upper
                gaps[2 * kept], gaps[2 * kept + 1] = lower, upper
                kept += 1
                if not nearest >= upper:
                    nearest, bottom = upper, lower
        count = kept
    if low > high_before and low - high_before >= least * abs(high_before):
        if count == GAPS:
            for place in range(2 * GAPS - 2):
                gaps[place] = gaps[place + 2]
            count -= 1
        gaps[2 * count], gaps[2 * count + 1] = high_before, low
        count += 1
        nearest, bottom = low, high_before
    return count, nearest, bottom


@kernel(inline=True)
def fair_value_gap(
    high: float,
    low: float,
    least: float,
    high_1: float,
    high_2: float,
    low_1: float,
    low_2: float,
    bulls: int,
    bull_high: float,
    bull_low: float,
    bears: int,
    bear_high: float,
    bear_low: float,
    window: Memory,
) -> tuple[float, float, float, float, float, float, float, float, int, float, float, int, float, float]:
    """Nearest open gaps on both sides; those above the market are kept as negative prices."""
    bulls, bull_high, bull_low = open_gap(low, high_2, least, bulls, bull_high, bull_low, window)
    bears, bear_high, bear_low = open_gap(-high, -low_2, least, bears, bear_high, bear_low, part(window, 2 * GAPS))
    return (
        *(bull_low, bull_high, -bear_high, -bear_low, high, high_1, low, low_1),
        *(bulls, bull_high, bull_low, bears, bear_high, bear_low),
    )


@register
class FairValueGap(Feature):
    """Fair value gaps: prices that a fast move left untraded between the bars around it, and that are still unfilled.

    Of three bars in a row, a bull gap lies between the high of the first and the low of the third if that is higher, by
    at least the fraction `least`; a bear gap between the low of the first and the high of the third if that is lower.
    Later bars fill it from the market's side: what they trade through is taken off, and it is gone when they reach its
    far edge. bull_low, bull_high: what is left of the nearest gap below the market; bear_low, bear_high: above it; NaN
    where there is none. The 32 youngest a side are kept.
    """

    name, family, units = "fair_value_gap", "structure", "of the price"
    inputs = ("high", "low")
    outputs = ("bull_low", "bull_high", "bear_low", "bear_high")
    scale, finite = 1, True
    awaits = "a gap"
    least: float = parameter(0.0, 0.0, 1.0)
    state = scalars(
        high_1=nan,
        high_2=nan,
        low_1=nan,
        low_2=nan,
        bulls=0,
        bull_high=nan,
        bull_low=nan,
        bears=0,
        bear_high=nan,
        bear_low=nan,
    )
    step = staticmethod(fair_value_gap)
    warmup = derived(lambda self: 2)
    settles = None
    memory = derived(lambda self: 4 * GAPS)
