"""The chain of update ids, case by case from the venue's documentation."""

import pytest

from truewind.market.book.chain import Chain, Verdict


def judge(chain, *updates):
    return [chain.update(*update) for update in updates]


def test_updates_wait_until_there_is_a_snapshot():
    """Without a snapshot nothing can be applied."""
    assert judge(Chain(), (1, 5, None), (6, 9, None)) == [Verdict.WAIT, Verdict.WAIT]


def test_spot_bridges_and_follows_without_holes():
    """Old updates are dropped, the first may overlap the snapshot, each next begins one after the last."""
    chain = Chain()
    chain.snapshot(100)
    found = judge(chain, (90, 100, None), (95, 103, None), (104, 104, None), (105, 110, None))
    assert found == [Verdict.OLD, Verdict.APPLY, Verdict.APPLY, Verdict.APPLY]
    assert chain.last == 110


@pytest.mark.parametrize("first", [111 + 1, 109])
def test_spot_gap_or_overlap_after_the_bridge_breaks_the_chain(first):
    """After the bridge only `last` + 1 follows; then everything waits for the next snapshot."""
    chain = Chain()
    chain.snapshot(100)
    judge(chain, (101, 110, None))
    assert judge(chain, (first, 120, None), (121, 122, None)) == [Verdict.GAP, Verdict.WAIT]


def test_spot_snapshot_older_than_the_stream_is_a_gap():
    """The first update begins beyond the snapshot: what lies between is missing."""
    chain = Chain()
    chain.snapshot(100)
    assert judge(chain, (102, 105, None)) == [Verdict.GAP]


def test_futures_follow_by_the_previous_id():
    """Ids have holes there; `pu` must be the last `u`, and at the bridge must not lie beyond the snapshot."""
    chain = Chain()
    chain.snapshot(100)
    found = judge(chain, (80, 95, 70), (98, 120, 95), (300, 320, 120), (400, 410, 333))
    assert found == [Verdict.OLD, Verdict.APPLY, Verdict.APPLY, Verdict.GAP]
