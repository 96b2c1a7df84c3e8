"""A feature of one's own: where two exponential averages change sides. Truewind finds it as `crossing:Crossing`."""

from truewind.features import Feature, derived, parameter, scalars
from truewind.numerics.jit import kernel


@kernel(inline=True)
def crossing(
    x: float, fast: int, slow: int, seen: int, quick: float, calm: float, side: int
) -> tuple[float, int, float, float, int]:
    """The new side on the bar on which it changes, else 0; the averages start from the first value."""
    a, b = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    if seen:
        quick = a * x + (1.0 - a) * quick
        calm = b * x + (1.0 - b) * calm
    else:
        quick = calm = x
    seen += 1
    now = 1 if quick >= calm else -1
    if now != side and seen >= slow:
        return float(now), seen, quick, calm, now
    return 0.0, seen, quick, calm, side


class Crossing(Feature):
    """+1 or −1 where the fast average crosses the slow one upwards or downwards, else 0; the first side counts."""

    name, family, units = "crossing", "trend", "sign"
    scale = 0
    fast: int = parameter(10, 1, 500)
    slow: int = parameter(30, 1, 500)
    state = scalars(seen=0, quick=0.0, calm=0.0, side=0)
    step = staticmethod(crossing)
    warmup = derived(lambda self: 0)
