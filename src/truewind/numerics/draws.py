"""Counter-based randomness: a draw is a pure function of (seed, a, b), so it depends on no other draw and on no order.

The mixing is MurmurHash3's 32-bit finalizer (A. Appleby, public domain), applied to each input in turn. Arithmetic
stays below 2⁶⁴ and is masked, so that compiled code and plain Python agree bit for bit.
"""

import math

from truewind.numerics.jit import kernel

_MASK = 0xFFFFFFFF


@kernel
def mix(x: int) -> int:
    """32 bits, each of which depends on all of the low 32 bits of `x`."""
    x = int(x) & _MASK
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & _MASK
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & _MASK
    return x ^ (x >> 16)


@kernel
def bits(seed: int, a: int, b: int, which: int) -> int:
    """32 random bits."""
    x = mix(seed + 0x9E3779B9 * which)
    x = mix(x ^ mix(a + 0x7F4A7C15))
    x = mix(x ^ mix((a >> 32) + 0x1CE4E5B9))
    return mix(x ^ mix(b + 0x133111EB))


@kernel
def uniform(seed: int, a: int, b: int, which: int) -> float:
    """A number in (0, 1), of 53 bits."""
    high, low = bits(seed, a, b, 2 * which), bits(seed, a, b, 2 * which + 1)
    return ((high >> 5) * 67108864.0 + (low >> 6) + 0.5) / 9007199254740992.0


@kernel
def normal(seed: int, a: int, b: int) -> float:
    """A standard normal number (Box and Muller 1958)."""
    radius = math.sqrt(-2.0 * math.log(uniform(seed, a, b, 0)))
    return radius * math.cos(2.0 * math.pi * uniform(seed, a, b, 1))
