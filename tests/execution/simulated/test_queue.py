"""Queue models: cases reckoned by hand, and bounds that no input breaks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.execution.simulated.queue import QueueModel, QueueSettings, after_update, share_in_front

CONSERVATIVE, POWER, LOG = (int(model) for model in QueueModel)


def test_conservative_puts_all_cancellations_behind():
    """60 ahead of 100: 30 cancelled leave 60 ahead; 70 cancelled leave a level of 30, all of it ahead."""
    assert after_update(CONSERVATIVE, 1.0, 60.0, 0, 100, 70) == 60.0
    assert after_update(CONSERVATIVE, 1.0, 60.0, 0, 100, 30) == 30.0


def test_power_shares_cancellations_by_the_lengths():
    """60 ahead, 40 behind, 20 cancelled: at exponent 1, 60 % of them in front; at 2, 3600 / 5200."""
    assert after_update(POWER, 1.0, 60.0, 0, 100, 80) == pytest.approx(48.0)
    assert after_update(POWER, 2.0, 60.0, 0, 100, 80) == pytest.approx(60.0 - 20.0 * 3600 / 5200)


def test_log_shares_cancellations_by_logarithms():
    """log 61 against log 41."""
    share = math.log(61.0) / (math.log(61.0) + math.log(41.0))
    assert share_in_front(LOG, 1.0, 60.0, 40.0) == pytest.approx(share)
    assert after_update(LOG, 1.0, 60.0, 0, 100, 80) == pytest.approx(60.0 - 20.0 * share)


@pytest.mark.parametrize("model", [CONSERVATIVE, POWER, LOG])
def test_a_trade_and_its_update_shrink_the_queue_once(model):
    """15 of 100 were traded (75 → 60 ahead already); the update to 85 tells of those same 15 and changes nothing."""
    assert after_update(model, 1.0, 60.0, 15, 100, 85) == 60.0


@pytest.mark.parametrize("model", [CONSERVATIVE, POWER, LOG])
def test_new_orders_join_behind(model):
    """A level that grows leaves the queue before us as it was."""
    assert after_update(model, 2.0, 60.0, 0, 100, 140) == 60.0


@given(
    st.sampled_from([CONSERVATIVE, POWER, LOG]),
    st.floats(0.1, 10.0),
    st.floats(0.0, 1e6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
)
def test_the_queue_is_never_negative_nor_longer_than_the_level(model, exponent, ahead, traded, before, now):
    """Whatever the data say, 0 ≤ ahead ≤ what is displayed, and it never grows."""
    after = after_update(model, exponent, ahead, traded, before, now)
    assert 0.0 <= after <= now
    assert after <= ahead


def test_settings_name_their_model():
    """The names in a config are those of the models."""
    assert [QueueSettings(model=name).code for name in ("conservative", "power", "log")] == [0, 1, 2]
