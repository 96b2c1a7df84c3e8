"""Fitted parts: what a file of market states must be, what is told of it, and which state is nearest."""

import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import ConfigError, MissingFileError
from truewind.strategies.fitted import MarketStates, in_training, nearest, read_states

HOUR = 3_600_000_000
FEATURES = {"moved": "log_returns(24)", "wild": "realised(72)"}
STATES = {
    "features": FEATURES, "mean": [1.0, 10.0], "deviation": [0.5, 4.0],
    "states": [
        {"side": 1, "forward": 0.01, "rows": 60, "centre": [2.0, -1.0]},
        {"side": 0, "forward": -0.001, "rows": 40, "centre": [0.0, 0.5]},
    ],
    "horizon": 6, "hurdle": 0.002, "venue": "test", "symbol": "ETHUSDT", "timeframe": "1h",
    "start": "2024-01-01 00:00:00", "end": "2024-01-05 04:00:00", "rows": 100, "data_snapshot": "abc", "seed": 42,
    "code_version": "1",
}  # fmt: skip


@pytest.fixture
def file(tmp_path):
    """A file of two states."""
    path = tmp_path / "states.json"
    path.write_bytes(MarketStates.model_validate(STATES).to_json())
    return path


def test_what_is_written_is_read(file):
    """Every value, and what is told of it."""
    found = read_states(file, FEATURES)
    assert found == MarketStates.model_validate(STATES)
    assert found.centres() == (2.0, 6.0, 1.0, 12.0)  # mean + centre · deviation
    assert found.weights() == (4.0, 1 / 16)
    assert found.hold_us == 6 * HOUR
    part = found.fitted("states.json")
    assert (part.start_us, part.end_us) == (1_704_067_200_000_000, 1_704_427_200_000_000)
    assert part.source == "test ETHUSDT 1h, 2024-01-01 to 2024-01-05, snapshot abc"


def edited(**changes):
    """An edit of the file's mapping, with the hash that it had."""
    return lambda found: found | changes


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (edited(horizon=7), "changed since"),
        (edited(hash="0" * 16), "changed since"),
        (edited(horizont=7), "unknown key 'horizont'"),
        (edited(format="truewind market states 2"), "format"),
        (edited(mean=[1.0]), "as many numbers"),
        (edited(deviation=[0.5, 0.0]), "not above 0"),
        (edited(states=STATES["states"][:1]), "states"),
        (lambda found: {key: value for key, value in found.items() if key != "seed"}, "'seed' is missing"),
        (lambda found: [found], "no market states"),
    ],
)
def test_a_file_that_is_not_as_it_was_fitted_is_refused(file, edit, says):
    """Whatever was done to it, the error names the file."""
    file.write_bytes(orjson.dumps(edit(orjson.loads(file.read_bytes()))))
    with pytest.raises(ConfigError, match=says) as caught:
        read_states(file, FEATURES)
    assert file.name in str(caught.value)


def test_half_a_file_is_refused(file):
    """A copy that was broken off."""
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ConfigError, match=r"states\.json holds no market states.*strategy fit"):
        read_states(file, FEATURES)


def test_a_file_that_is_not_there_is_told(tmp_path):
    """With its path."""
    with pytest.raises(MissingFileError, match=r"nowhere\.json"):
        read_states(tmp_path / "nowhere.json", FEATURES)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ({"moved": "log_returns(12)", "wild": "realised(72)"}, r"moved \(log_returns\(24\) instead of"),
        ({"moved": "log_returns(24)"}, r"wild \(realised\(72\) instead of nothing\)"),
    ],
)  # fmt: skip
def test_states_of_other_features_are_refused(file, features, says):
    """The strategy would measure distances to something else."""
    with pytest.raises(ConfigError, match=says):
        read_states(file, features)


def test_states_of_the_same_features_in_another_order_are_refused(file):
    """A distance goes by position."""
    with pytest.raises(ConfigError, match="in another order"):
        read_states(file, dict(reversed(FEATURES.items())))


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [(-9, 0, False), (-9, 1, True), (0, 100, True), (99, 200, True), (100, 200, False), (-9, 200, True)],
)
def test_a_run_over_the_training_span_is_told(start, end, told):
    """Hours from its beginning; the span is of 100, and its end is exclusive."""
    part = MarketStates.model_validate(STATES).fitted("states.json")
    said = in_training(part, part.start_us + start * HOUR, part.start_us + end * HOUR)
    assert bool(said) == told
    if told:
        assert "in-sample" in said
        assert "states.json" in said


def test_the_time_in_sample_is_that_of_both():
    """From the later of the beginnings to the earlier of the ends."""
    part = MarketStates.model_validate(STATES).fitted("states.json")
    said = in_training(part, part.start_us + 24 * HOUR, part.end_us + 24 * HOUR)
    assert said.startswith("From 2024-01-02 00:00:00 to 2024-01-05 04:00:00")


NUMBERS = st.floats(-50.0, 50.0)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=2, max_size=6), st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_the_nearest_state_is_that_of_numpy(centres, point):
    """By distances in standard deviations of 0.5, 1 and 4."""
    scale = np.array([0.5, 1.0, 4.0])
    distances = np.linalg.norm((np.array(point) - np.array(centres)) / scale, axis=1)
    found = nearest(point, (4.0, 1.0, 1 / 16), tuple(value for centre in centres for value in centre))
    assert distances[found] == pytest.approx(distances.min(), abs=1e-9)


def test_where_a_feature_is_missing_no_state_is_nearest():
    """NaN is no distance."""
    assert nearest((1.0, math.nan), (1.0, 1.0), (0.0, 0.0, 1.0, 1.0)) == -1
