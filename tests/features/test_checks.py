"""The shared suite catches every kind of feature that breaks a promise."""

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from truewind.features import Feature, derived, parameter, scalars
from truewind.features.checks import check_feature
from truewind.features.trend import SMA
from truewind.numerics.jit import COMPILED, kernel
from truewind.numerics.loop import Loop, entry_address

pytestmark = pytest.mark.skipif(not COMPILED, reason="offenders are planted in machine code")


@kernel
def difference(x: float, previous: float) -> tuple[float, float]:
    return x - previous, x


class Difference(Feature):
    """An honest feature: the change since the row before."""

    scale, shift = 1, 0
    state = scalars(previous=math.nan)
    warmup = derived(lambda self: 1)
    step = staticmethod(difference)


def planted(name: str, loop: Callable[..., None], address: int | None = None) -> type[Feature]:
    """Difference, but with rows walked by a loop of its own that should have been the generated one."""
    face = FunctionType(loop.__code__, {**globals(), "honest_rows": honest_by_hand})
    walked = Loop(entry_address(loop) if address is None else address, face)
    return type(name, (Difference,), {"loop": classmethod(lambda cls: walked), "__module__": __name__})


def honest_by_hand(rows: Any, inputs: Any, parameters: Any, state: Any, memory: Any, outputs: Any) -> None:
    previous = state[0]
    for row in range(rows):
        x = inputs[0][row]
        value = x - previous
        if abs(x) < 1e100:
            previous = x
        else:
            value = math.nan
        outputs[0][row] = value
    state[0] = previous


def peeking(rows: Any, inputs: Any, parameters: Any, state: Any, memory: Any, outputs: Any) -> None:
    """Looks one bar ahead where there is one."""
    honest_rows(rows, inputs, parameters, state, memory, outputs)
    for row in range(rows - 1):
        outputs[0][row] += 1e-12 * inputs[0][row + 1]


def last_bit(rows: Any, inputs: Any, parameters: Any, state: Any, memory: Any, outputs: Any) -> None:
    """In a batch the values are one rounding away from those of the stream."""
    honest_rows(rows, inputs, parameters, state, memory, outputs)
    if rows > 1:
        for row in range(rows):
            outputs[0][row] *= 1.0 + 2.220446049250313e-16


def unsaved(rows: Any, inputs: Any, parameters: Any, state: Any, memory: Any, outputs: Any) -> None:
    """Forgets to write its state back every hundredth value or so."""
    before = state[0]
    honest_rows(rows, inputs, parameters, state, memory, outputs)
    if abs(state[0]) % 0.1 < 0.01:
        state[0] = before


def poisoned(rows: Any, inputs: Any, parameters: Any, state: Any, memory: Any, outputs: Any) -> None:
    """Lets a NaN into its state."""
    for row in range(rows):
        x = inputs[0][row]
        outputs[0][row] = x - state[0]
        state[0] = x


def infinite(rows: Any, inputs: Any, parameters: Any, state: Any, memory: Any, outputs: Any) -> None:
    """Divides by nothing in a market that stands still."""
    honest_rows(rows, inputs, parameters, state, memory, outputs)
    for row in range(rows):
        if outputs[0][row] == 0.0:
            outputs[0][row] = math.inf


honest_rows = kernel(honest_by_hand)


@kernel
def first_value(x: float) -> float:
    return x


class Early(Feature):
    """Declares a warm-up that it does not have."""

    warmup = derived(lambda self: 5)
    step = staticmethod(first_value)


@kernel
def summed(x: float, total: float) -> tuple[float, float]:
    total += x
    return total, total


class Hoarder(Feature):
    """Counts from its beginning and does not say so."""

    state = scalars(total=0.0)
    step = staticmethod(summed)


class Lawless(SMA):
    """Claims that a higher price level does not move an average of prices."""

    shift = 0
    length: int = parameter(20, 1, 100)


class Squared(SMA):
    """Claims that an average grows with the square of the prices."""

    scale = 2
    length: int = parameter(20, 1, 100)


OFFENDERS = {
    "causal": planted("Peeking", peeking),
    "chunks": planted("LastBit", last_bit),
    "saved": planted("Unsaved", unsaved),
    "missing": planted("Poisoned", poisoned),
    "extremes": planted("Infinite", infinite),
    "python": planted("TwoFaced", honest_by_hand, entry_address(last_bit)),
    "warm-up": Early,
    "settles": Hoarder,
    "shift": Lawless,
    "scale": Squared,
}


@pytest.mark.parametrize("check", OFFENDERS)
def test_the_offender_is_caught(check: str) -> None:
    """Each promise is broken by one feature, and the check of that promise says so."""
    result = check_feature(OFFENDERS[check]())
    assert not result.ok
    assert check in [finding.check for finding in result.findings], result


@pytest.mark.parametrize("honest", [Difference(), planted("ByHand", honest_by_hand)(), SMA(3)])
def test_honest_features_pass(honest: Feature) -> None:
    """Nothing is reported where nothing is wrong, also of a loop written by hand."""
    result = check_feature(honest)
    assert result.ok, result


def test_the_finding_names_the_first_row_that_differs() -> None:
    """On bars that are given: the peeked value differs in the row before the changed one, and nowhere earlier."""
    bars = {"close": np.arange(1.0, 61.0)}
    result = check_feature(OFFENDERS["causal"](), bars)
    finding = next(finding for finding in result.findings if finding.check == "causal")
    assert finding.row == 1  # row 0 has no value yet; row 1 is the first that could show bar 2
    assert finding.column == "peeking"
    assert finding.found != finding.expected
    assert "peeking differs first at row 1" in str(result)
