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


@pytest.mark.parametrize(("ahead", "behind", "share"), [(20.0, 80.0, 0.2), (0.25, 0.5, 1 / 3), (0.0, 7.0, 0.0)])
def test_who_is_near_the_front_loses_less(ahead, behind, share):
    """In proportion, at exponent 1, also of parts of a lot."""
    assert share_in_front(POWER, 1.0, ahead, behind) == pytest.approx(share)


@pytest.mark.parametrize("model", [POWER, LOG])
def test_on_an_empty_level_all_that_vanishes_is_in_front(model):
    """With nobody before or behind there is no length to share by; the data then tell of lots that we did not know."""
    assert share_in_front(model, 1.0, 0.0, 0.0) == 1.0


def test_what_was_traded_is_not_shared_again():
    """100 displayed, 15 traded, 45 ahead still, so 40 behind; the update to 65 tells of 20 cancelled: 20 · 45/85."""
    assert after_update(POWER, 1.0, 45.0, 15, 100, 65) == pytest.approx(45.0 - 20.0 * 45 / 85)


def test_single_lots_and_parts_of_them_count():
    """One of 100 cancelled, 60 ahead: 0.6 of it in front. 99.5 ahead and 0.5 behind: 0.995 of it."""
    assert after_update(POWER, 1.0, 60.0, 0, 100, 99) == pytest.approx(59.4)
    assert after_update(POWER, 1.0, 99.5, 0, 100, 99) == pytest.approx(98.505, abs=1e-9)


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
