"""What is usual at this time of day: the mean of the last days' values in the same slot of the day."""

from math import nan

from truewind.numerics.civil import DAY, MINUTE
from truewind.numerics.jit import kernel
from truewind.numerics.loop import LEAST
from truewind.numerics.ring import Memory, part
from truewind.numerics.rolling import rolling_sum

HEAD = 4  # floats of a slot before its ring: cursor, full, head, mean


def slots_a_day(minutes: int) -> int:
    """Slots of `minutes`; the last of a day is shorter if they do not divide it."""
    return (DAY // MINUTE - 1) // minutes + 1


def slot_memory(days: int, minutes: int) -> int:
    """Floats that `usual_at` needs."""
    return slots_a_day(minutes) * (HEAD + days)


@kernel(inline=True)
def usual_at(ts: int, x: float, days: int, minutes: int, window: Memory) -> float:
    """The mean of the last `days` values in the slot of `ts`, NaN until there are as many. Then `x` joins them."""
    slot = part(window, (ts % DAY) // (minutes * MINUTE) * (HEAD + days))
    usual = slot[3] if slot[1] > 0.0 else nan
    total, cursor, full, head = rolling_sum(x, days, int(slot[0]), int(slot[1]), slot[2], part(slot, HEAD))
    slot[0], slot[1], slot[2], slot[3] = float(cursor), float(full), head, total / days
    return usual


@kernel(inline=True)
def season_at(
    ts: int, x: float, days: int, minutes: int, today: int, level: float, window: Memory
) -> tuple[float, int, float]:
    """What is usual in the slot of `ts` over what is usual in all slots of the day: (output, today, level).

    level: the mean of the slots' means at the beginning of the day `today`, NaN while no slot has one.
    """
    day = ts // DAY
    if day != today:
        total = 0.0
        known = 0
        for number in range((DAY // MINUTE - 1) // minutes + 1):
            slot = number * (HEAD + days)
            if window[slot + 1] > 0.0:
                total += window[slot + 3]
                known += 1
        today, level = day, total / known if known > 0 else nan
    usual = usual_at(ts, x, days, minutes, window)
    return usual / level if level > LEAST else nan, today, level
