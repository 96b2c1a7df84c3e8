"""Sketch: 128 numbers that stand for a series of daily returns, so that correlations can be had without the series.

A series is standardised (mean 0, norm 1) and projected on random directions of ±1, the same for everyone, scaled by
1/√128. The dot product of two sketches is the correlation of the two series with an error of about 1/√128 = 0.09,
whatever their number (Johnson and Lindenstrauss 1984; with signs: Achlioptas, "Database-friendly random projections",
Journal of Computer and System Sciences 66(4), 2003). A sign follows from the calendar day and the direction alone:
series of different spans meet on the days that they share, and a sketch made today compares with one made last year.
"""

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.draws import bits
from truewind.numerics.jit import kernel
from truewind.numerics.performance import NO_VARIATION, Floats, Ints

DIRECTIONS = 128
_SEED = 0x7157  # part of what a sketch means: another seed, and old sketches compare with no new one
_SCALE = DIRECTIONS**0.5
_TOGETHER = 1024  # series that are standardised at a time: memory


def sketch(days: Ints, returns: Floats) -> NDArray[np.float32]:
    """The sketch of one series: see `sketches`."""
    made: NDArray[np.float32] = sketches(days, np.asarray(returns, np.float64)[None, :])[0]
    return made


def sketches(days: Ints, returns: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, 128) from n series of returns (n, days). days: calendar day numbers, each once.

    Days that are NaN are left out of a series. All zeros where nothing is left that varies.
    """
    rows = np.asarray(returns)
    signs = _signs(np.asarray(days, np.int64))
    made = np.zeros((len(rows), DIRECTIONS), np.float32)
    for start in range(0, len(rows), _TOGETHER):
        part = rows[start : start + _TOGETHER].astype(np.float64)
        known = np.isfinite(part)
        count = known.sum(axis=1, keepdims=True)
        part[~known] = 0.0
        part -= part.sum(axis=1, keepdims=True) / np.maximum(count, 1)
        part[~known] = 0.0
        norm = np.sqrt((part * part).sum(axis=1, keepdims=True))
        varies = norm > NO_VARIATION * np.sqrt(np.maximum(count, 1))
        np.divide(part, norm, out=part, where=varies)
        part[~varies[:, 0]] = 0.0
        _project(part, signs, made[start : start + _TOGETHER])
    return made


def _signs(days: Ints) -> Floats:
    signs = np.empty((len(days), DIRECTIONS))
    _draw(days, signs)
    return signs


@kernel
def _project(series: Floats, signs: Floats, made: NDArray[np.float32]) -> None:
    """`series` @ `signs`, scaled; in the order of the days, where a library's product has another on each machine."""
    sums = np.empty(DIRECTIONS)
    for row in range(len(series)):
        sums[:] = 0.0
        for day in range(len(signs)):
            part = series[row, day]
            for i in range(DIRECTIONS):
                sums[i] += part * signs[day, i]
        for i in range(DIRECTIONS):
            made[row, i] = sums[i] / _SCALE


@kernel
def _draw(days: Ints, signs: Floats) -> None:
    for i in range(len(days)):
        for word in range(signs.shape[1] // 32):
            drawn = bits(_SEED, days[i], word, 0)
            for bit in range(32):
                signs[i, 32 * word + bit] = 1.0 if (drawn >> bit) & 1 else -1.0
