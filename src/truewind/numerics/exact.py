"""Exact integer arithmetic for money: products that pass 64 bits, rounded once."""

from truewind.numerics.jit import kernel

# Above this a product of float64s may no longer be told apart from the largest int64.
SAFE_INT64 = 9.0e18


@kernel(inline=True)
def mul_div(a: int, b: int, c: int) -> int:
    """a · b / c rounded half away from zero, exact although a · b may pass 64 bits. c > 0, |result| < 2**62, c < 2**52.

    A float quotient is at most 2**11 off; the remainder a·b − q·c is then small enough to be exact in wrapping
    64-bit arithmetic, and corrects it.
    """
    a, b, c = int(a), int(b), int(c)
    negative = (a < 0) != (b < 0)
    a, b = abs(a), abs(b)
    q = int(float(a) * float(b) / float(c))
    r = a * b - q * c
    shift = r // c
    q += shift
    r -= shift * c
    if 2 * r >= c:
        q += 1
    return -q if negative else q


@kernel(inline=True)
def fits(a: int, b: int, c: int) -> bool:
    """Whether a · b · c certainly fits 64 bits."""
    return abs(float(a) * float(b) * float(c)) < SAFE_INT64


@kernel(inline=True)
def to_ticks(price: float, tick_num: int, tick_den: int, side: int) -> int:
    """Price in ticks; a price between two ticks goes to the one that is worse for `side` (+1 buys: up).

    Within a millionth of a tick it counts as on the tick, because float prices are only near their decimals.
    """
    exact = price * tick_den / tick_num
    nearest = round(exact)
    if abs(exact - nearest) < 1e-6 * max(1.0, abs(exact) * 1e-9):
        return int(nearest)
    below = int(exact // 1.0)
    return below + 1 if side > 0 else below


@kernel(inline=True)
def to_price(ticks: int, tick_num: int, tick_den: int) -> float:
    """The float nearest to the decimal price of `ticks`."""
    return ticks * tick_num / tick_den
