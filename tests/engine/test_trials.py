"""A trial's deepest fall, found in blocks of rows, beside the same of the whole column."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.engine.trials import deepest_fall
from truewind.numerics import performance

ROWS = 200  # some blocks of rows that are compared together, and part of one
WORTHS = st.lists(st.floats(-5e11, 5e12, allow_nan=False), min_size=1, max_size=ROWS)
START = 1e12


@examples(200)
@given(WORTHS)
def test_the_deepest_fall_is_the_largest_drawdown(worths):
    """To the last bit, whatever equity does, also where it owes money."""
    equity = np.array(worths)
    assert deepest_fall(equity, START) == performance.max_drawdown(equity, START)


@examples(50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_long_calm_stretches_hide_no_fall(seed, calm):
    """Equity that stands still for longer than a block, and now and then is beyond all that it has been."""
    random = np.random.default_rng(seed)
    equity = np.repeat(START * np.exp(np.cumsum(random.normal(0.0, 0.01, 40))), calm)
    for row in random.integers(0, len(equity), 3):
        equity[row] *= np.exp(random.normal(0.0, 0.1))
    assert deepest_fall(equity, START) == performance.max_drawdown(equity, START)
