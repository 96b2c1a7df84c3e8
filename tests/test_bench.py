"""The bench harness: honest references, equal work, peers that are missing said to be missing."""

import importlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

BENCH = Path(__file__).resolve().parents[1] / "bench"
FIELDS = ["work", "ours_per_s", "peer", "peer_version", "peer_per_s", "ratio", "orders_ours", "orders_peer", "rss_mb"]

sys.path.insert(0, str(BENCH))
workload = importlib.import_module("workload")
harness = importlib.import_module("harness")
page = importlib.import_module("all")
sys.path.remove(str(BENCH))


def market(close):
    """Bars of the given closes, each opening at the close before it."""
    close = np.asarray(close, dtype=np.float64)
    return {"open": np.concatenate((close[:1], close[:-1])), "close": close}


def answer(per_s, *, orders=2, changes=2, position=-1, equity=1000.0):
    return workload.answer(
        100, "1.0", [100 / per_s], orders=orders, changes=changes, position=position, equity=equity, rss_mb=10.0
    )


def test_reference_meets_the_hand_calculated_cross():
    """After the rise the fast average leads: long at bar 30. The fall at bar 41 turns it; each fills one bar on."""
    close = [99.0] + [100.0] * 39 + [90.0] * 5
    outcome = workload.reference(market(close))
    bought = -100.0 - 0.1  # one unit at 100, fee 0.1 %
    reversed_ = 2 * 90.0 - 0.18
    assert outcome.changes == 2
    assert outcome.position == -1
    assert outcome.equity == pytest.approx(workload.CASH + bought + reversed_ - 90.0, abs=1e-6)


def test_a_cross_on_the_last_bar_is_not_counted():
    """There is no later bar on which it could fill."""
    before = workload.reference(market([99.0] + [100.0] * 39 + [90.0] * 1))
    after = workload.reference(market([99.0] + [100.0] * 39 + [90.0] * 2))
    assert (before.changes, before.position) == (1, 1)
    assert (after.changes, after.position) == (2, -1)


def test_bars_are_a_market():
    """Minute bars, two decimals, low and high around open and close; a short history is the start of the long one."""
    short, long = workload.bars(500), workload.bars(2_000)
    for name, column in short.items():
        np.testing.assert_array_equal(column, long[name][:500])
    assert set(np.diff(long["ts"])) == {60_000_000}
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(np.round(long[name], 2), long[name], rtol=0)
    assert (long["high"] >= np.maximum(long["open"], long["close"])).all()
    assert (long["low"] <= np.minimum(long["open"], long["close"])).all()
    assert (long["volume"] > 0).all()


@given(st.lists(st.sampled_from([-1, 1]), min_size=1, max_size=40))
def test_one_and_two_orders_a_flip_count_the_same(targets):
    """However an engine turns its position round, the number of signed target changes is that of the targets."""
    reversing, closing, held = [], [], 0
    for target in targets:
        if target != held:
            reversing.append(target - held)
            closing += [-held, target] if held else [target]
            held = target
    flips = 1 + sum(a != b for a, b in itertools.pairwise(targets))
    assert workload.changes_of_target(reversing) == (flips, targets[-1])
    assert workload.changes_of_target(closing) == (flips, targets[-1])


def test_a_row_has_the_promised_fields_and_the_fastest_peer():
    """The ratio is taken against the fastest peer that did the same work, with its own orders."""
    peers = {"slow": answer(10.0), "quick": answer(50.0, orders=3)}
    found = harness.row("work", "bars", answer(100.0), peers, workload.Outcome(2, -1, 1000.0).met_by)
    assert list(found)[: len(FIELDS)] == FIELDS
    assert found["peer"] == "quick"
    assert found["ratio"] == pytest.approx(2.0)
    assert found["orders_peer"] == 3
    assert found["same_work"] is True


@pytest.mark.parametrize("wrong", [{"changes": 3}, {"position": 1}, {"equity": 1001.0}])
def test_a_peer_that_did_other_work_is_never_the_one_compared_with(wrong):
    """Faster at something else is not faster: it stays in the table, marked."""
    peers = {"honest": answer(10.0), "other": answer(5_000.0, **wrong)}
    found = harness.row("work", "bars", answer(100.0), peers, workload.Outcome(2, -1, 1000.0).met_by)
    assert found["peer"] == "honest"
    assert {entry["peer"]: entry["same_work"] for entry in found["peers"]} == {"honest": True, "other": False}
    assert [cells[-1] for cells in page.table_lines(found)] == ["**no**", "yes"]


def test_a_missing_peer_is_reported_as_missing():
    """No figure is made up for it: the fields are empty and the page says why."""
    asked = harness.ask("no_such_peer", "peers/no_such_peer_ema.py", 10, 1)
    assert isinstance(asked, harness.Missing)
    found = harness.row("work", "bars", answer(100.0), {"no_such_peer": asked})
    assert (found["peer"], found["peer_per_s"], found["ratio"]) == (None, None, None)
    assert "no_such_peer" in found["missing"]["no_such_peer"]
    text = page.section(BENCH / "event_lane.py", [found], "")
    assert "Missing: no_such_peer" in text


def test_a_peer_that_cannot_be_installed_is_missing(tmp_path, monkeypatch):
    """pip finds nothing: the reason names the peer and the log, and no half-made environment passes for the peer."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for name in ("PINS", "VENVS", "LOGS"):
        monkeypatch.setattr(harness, name, tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    (tmp_path / "pins" / "gone.txt").write_text("truewind-has-no-such-peer==1.0\n")
    with pytest.raises(harness.Missing, match=r"gone could not be installed .*/install_gone\.log"):
        harness.install_peer("gone")
    with pytest.raises(harness.Missing, match="not installed"):
        harness.peer_python("gone")


def test_pins_are_exact_and_nothing_else():
    """Every line of bench/peers/*.txt is name==version: no ranges, no addresses."""
    files = list((BENCH / "peers").glob("*.txt"))
    assert files
    for path in files:
        for line in path.read_text().splitlines():
            name, _, version = line.partition("==")
            assert name.replace("-", "").replace("_", "").isalnum(), line
            assert version[:1].isdigit(), line


def test_a_runner_is_measured_in_a_process_of_its_own(tmp_path):
    """Its memory does not carry the memory of the process that started it, and its answer comes back whole."""
    script = tmp_path / "runner.py"
    script.write_text("import workload as w\nw.tell(100, '2.0', [0.5, 1.0, 2.0], rss_mb=w.peak_rss_mb())\n")
    ballast = np.ones(50_000_000)  # 400 MB here
    found = harness.run(sys.executable, script)
    assert ballast.nbytes / 1e6 > found["rss_mb"] > 5
    assert (found["n"], found["version"], found["per_s"]) == (100, "2.0", 100.0)


def test_a_runner_that_fails_says_so(tmp_path):
    """The reason is the last line of its error."""
    script = tmp_path / "runner.py"
    script.write_text("raise ValueError('no such venue')\n")
    with pytest.raises(harness.Missing, match="exit code 1: ValueError: no such venue"):
        harness.run(sys.executable, script)


def test_our_event_lane_does_the_work_that_is_measured():
    """The figures are of an engine that sees every bar and trades as the reference does, to the same money."""
    n = 2_000
    ours = harness.run(sys.executable, "ours_ema.py", n, 1)
    reference = workload.reference(workload.bars(n))
    assert reference.changes > 50
    assert reference.met_by(ours)
    assert ours["calls"] == n
    assert ours["orders"] == reference.changes
    assert ours["rss_mb"] > 0


def test_the_page_is_written_whole(tmp_path):
    """It replaces the old one, and no unfinished file stays behind."""
    path = tmp_path / "docs" / "performance.md"
    page.write(path, "old")
    page.write(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]
