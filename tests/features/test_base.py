"""A feature is declared in one place, and a wrong declaration is refused in words."""

import numpy as np
import pytest

from truewind.errors import FeatureError
from truewind.features import Feature, columns, parameter, register, scalars, stream
from truewind.features.checks import check_feature
from truewind.features.trend import SMA
from truewind.numerics.jit import COMPILED, kernel


@kernel
def band(high: float, low: float, width: float, count: int, total: float) -> tuple[float, float, int, float]:
    count += 1
    total += high - low
    mean = total / count
    return high + width * mean, low - width * mean, count, total


class Band(Feature):
    """Two outputs, two inputs, a parameter with decimals: lines above and below the bar by its mean range."""

    inputs = ("high", "low")
    outputs = ("upper", "lower")
    scale, shift = 1, 1
    width: float = parameter(0.5, 0.0, 10.0)
    state = scalars(count=0, total=0.0)
    step = staticmethod(band)
    settles = None


@kernel
def hour(ts: float) -> float:
    return ts / 3.6e9 % 24.0 // 1.0


class Hour(Feature):
    """Needs no state and no parameter: the hour of the day, UTC."""

    inputs = ("ts",)
    step = staticmethod(hour)


def test_several_outputs_are_columns_named_after_the_spec() -> None:
    """By hand: ranges 2 and 4 have means 2 and 3; a tenth of them is added above and taken below."""
    bars = {"high": np.array([12.0, 16.0]), "low": np.array([10.0, 12.0])}
    found = columns([Band(0.1)], bars)
    assert list(found) == ["band_0.1.upper", "band_0.1.lower"]
    np.testing.assert_allclose(found["band_0.1.upper"], [12.2, 16.3])
    np.testing.assert_allclose(found["band_0.1.lower"], [9.8, 11.7])
    row = stream([Band(1)]).update({"high": 12.0, "low": 10.0})
    assert row.band_1_upper == 14.0
    assert row.band_1_lower == 8.0


def test_a_feature_may_have_no_state_and_no_parameter() -> None:
    """2024-02-29 was a Thursday; 23:59 is in hour 23 and a minute later in hour 0."""
    minutes = np.array(["2024-02-29T23:59", "2024-03-01T00:00"], "datetime64[us]").astype(np.int64)
    assert columns([Hour()], {"ts": minutes})["hour"].tolist() == [23.0, 0.0]
    assert repr(Hour()).endswith(":Hour")


@pytest.mark.parametrize("feature", [Band(), Band(0.25), Hour()])
def test_such_features_pass_the_shared_suite(feature: Feature) -> None:
    result = check_feature(feature)
    assert result.ok, result


def test_a_step_that_does_not_take_what_is_declared_is_refused() -> None:
    class Short(Feature):
        length: int = parameter(3, 1, 5)
        step = staticmethod(hour)

    with pytest.raises(FeatureError, match=r"takes \(ts\) but \(close, length\) are declared"):
        columns([Short()], {"close": np.ones(3)})


def test_a_step_that_is_no_kernel_is_refused() -> None:
    class Plain(Feature):
        step = staticmethod(lambda x: x)

    with pytest.raises(FeatureError, match="is no kernel"):
        columns([Plain()], {"close": np.ones(3)})


@pytest.mark.skipif(not COMPILED, reason="nothing is compiled")
def test_a_step_that_does_not_compile_is_refused_with_the_reason() -> None:
    @kernel
    def impossible(x: float) -> float:
        return x + "text"

    class Impossible(Feature):
        step = staticmethod(impossible)

    with pytest.raises(FeatureError, match="step of impossible does not compile"):
        columns([Impossible()], {"close": np.ones(3)})


def test_a_name_belongs_to_one_feature() -> None:
    with pytest.raises(FeatureError, match="There is a feature 'sma' already"):
        register(type("Other", (SMA,), {"name": "sma"}))
