"""The engine's kernels as the loop of a strategy calls them: by name, so that the loop is compiled without them.

A strategy's loop takes a second to compile instead of five, for all of the engine is behind these four.
"""

from truewind.engine import acting
from truewind.engine.flatten import flatten as flatten_after
from truewind.execution.simulated import matching, valuation
from truewind.numerics.jit import by_name, kernel


@kernel
def _flatten(state: int, k: int) -> int:
    return flatten_after(state, k, 0)


@kernel
def _settle(state: int, upto: int) -> int:
    valuation.settle(state, upto)
    return 0


happen = by_name(matching.happen, 2)
follow = by_name(acting.follow, 3)
flatten = by_name(_flatten, 2)
settle = by_name(_settle, 2)
