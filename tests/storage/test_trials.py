"""The trial ledger: what is recorded comes back as it was, counts once, and still counts when it is deleted."""

import math
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import database_0001
from profiles import examples
from truewind.errors import DataError
from truewind.storage.trials import SKETCH, Trial, TrialLedger, open_ledger

DAY = 86_400_000_000


def trial(id_: str, **changed: Any) -> Trial:
    facts: dict[str, Any] = {
        "id": id_, "kind": "backtest", "name": "a test", "family": "ideas.py:Momentum",
        "universe": ("binance_usdm:BTCUSDT",), "timeframe": "1h", "start_us": 0, "end_us": 100 * DAY, "config": "c",
        "data_snapshot": "d", "code_version": "v", "seed": 42, "params": {"fast": 5}, "metrics": {"net_return": 0.1},
        "days": 100, "sharpe": 0.05, "skew": -0.2, "kurtosis": 4.0, "created_us": 7,
    }  # fmt: skip
    return Trial(**facts | changed)


def opened(database: Any) -> TrialLedger:
    ledger = open_ledger(database)
    assert ledger is not None
    return ledger


@pytest.fixture
def ledger(database: str) -> TrialLedger:
    return opened(database)


def plain(one: Trial) -> dict[str, Any]:
    """A trial as values that compare, NaN as None."""
    found = msgspec.structs.asdict(one) | {"sketch": one.sketch.tolist(), "last_us": one.last_us or one.created_us}
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in found.items()}


def ids(ledger: TrialLedger, **asked: Any) -> list[str]:
    return [one.id for one in ledger.list(**asked)]


def test_a_trial_comes_back_as_it_was(ledger: TrialLedger) -> None:
    """Every field, floats to the last bit, text of any language, and what is not defined."""
    sketch = np.random.default_rng(1).normal(size=SKETCH).astype(np.float32)
    one = trial(
        "a1", params={"text": 'ü "quoted" ☃', "list": [1, 2.5, None]}, metrics={"third": 1 / 3, "none": None},
        sharpe=0.1 + 0.2, skew=math.nan, kurtosis=5e-324, sketch=sketch, seed=-(2**63), run_dir="runs/x",
        universe=("binance_usdm:ETHUSDT", "coinbase:BTC-USD"), parent="p", end_us=2**62,
    )  # fmt: skip
    ledger.record([one])
    assert plain(ledger.get("a1")) == plain(one)


def test_the_same_trial_again_is_the_same_row(ledger: TrialLedger) -> None:
    """What it came to is written anew; when it was first tried stays."""
    ledger.record([trial("a1", created_us=7), trial("a1", created_us=8)])
    ledger.record([trial("a1", run_dir="runs/second", created_us=9)])
    assert ids(ledger) == ["a1"]
    again = ledger.get("a1")
    assert (again.run_dir, again.created_us, again.last_us) == ("runs/second", 7, 9)


def test_related_are_those_of_the_family_that_share_an_instrument_and_a_day(ledger: TrialLedger) -> None:
    """Each of these differs from the first in one thing that takes it out, or in one that does not."""
    eth, both = ("binance_usdm:ETHUSDT",), ("binance_usdm:BTCUSDT", "binance_usdm:ETHUSDT")
    outside = [
        trial("family", family="ideas.py:Reversal"), trial("universe", universe=eth),
        trial("earlier", start_us=-9 * DAY, end_us=-1), trial("later", start_us=101 * DAY, end_us=120 * DAY),
        trial("fold", kind="walkforward"), trial("check", kind="validation"), trial("session", kind="paper"),
        trial("whole sweep", kind="sweep"),
    ]  # fmt: skip
    inside = [
        trial("a"), trial("b", universe=both, sharpe=math.nan, days=0), trial("c", start_us=50 * DAY, end_us=200 * DAY),
        trial("d", kind="sweep", parent="whole sweep"), trial("e", kind="model"), trial("f", timeframe="1d"),
    ]  # fmt: skip
    ledger.record([*outside, *inside])
    ledger.delete("c")
    found = ledger.related("ideas.py:Momentum", ["binance_usdm:BTCUSDT"], 0, 100 * DAY)
    assert found.ids == ["a", "b", "c", "d", "e", "f"]
    assert found.deleted == 1
    assert found.days.tolist() == [100, 0, 100, 100, 100, 100]
    assert found.sharpes[0] == 0.05
    assert math.isnan(found.sharpes[1])
    assert found.sketches.shape == (6, SKETCH)
    nobody = ledger.related("nobody", ["binance_usdm:BTCUSDT"], 0, 1)
    assert (nobody.ids, nobody.sketches.shape, nobody.deleted) == ([], (0, SKETCH), 0)


def test_what_counts_goes_on_counting(ledger: TrialLedger) -> None:
    """A point of a sweep that is tried again as part of a test stays the sweep's; the other way round it begins to."""
    point, test = trial("p", kind="sweep", parent="s"), trial("p", kind="walkforward", parent="w")
    for first, second in ((point, test), (test, point)):
        ledger.record([first])
        ledger.record([second])
        assert (ledger.get("p").kind, ledger.get("p").parent) == ("sweep", "s")
        with ledger.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM trials")


def test_a_deleted_sweep_takes_its_points_with_it(ledger: TrialLedger) -> None:
    ledger.record([trial("s", kind="sweep"), *(trial(f"p{i}", kind="sweep", parent="s") for i in range(3)), trial("x")])
    ledger.delete("p1")
    assert list(ledger.delete("s")) == ["p0", "p2", "s"]
    assert ids(ledger) == ["x"]
    assert sorted(ids(ledger, with_deleted=True)) == ["p0", "p1", "p2", "s", "x"]
    assert ledger.count(parent="s", kind="sweep") == 3
    assert ledger.count(parent="s", kind="backtest") == 0


def test_it_is_found_by_what_people_remember(ledger: TrialLedger) -> None:
    ledger.record(
        [
            trial("1", name="BTC Momentum", created_us=1),
            trial("2", family="ideas.py:Other_One", created_us=2),
            trial("3", universe=("coinbase:BTC-USD", "coinbase:XBTCUSDT"), created_us=3),
            trial("4", kind="sweep", parent="1", created_us=4),
        ]
    )
    assert ids(ledger) == ["4", "3", "2", "1"]
    assert ids(ledger, limit=2) == ["4", "3"]
    assert ids(ledger, name="btc mom") == ["1"]
    assert ids(ledger, family="other_one") == ["2"]
    assert ids(ledger, family="%") == []
    assert ids(ledger, symbol="btc-usd") == ["3"]
    assert ids(ledger, symbol="BTCUSDT") == ["4", "2", "1"]
    assert ids(ledger, symbol="binance_usdm:BTCUSDT") == ["4", "2", "1"]
    assert ids(ledger, kind="sweep") == ["4"]
    assert ids(ledger, parent="1") == ["4"]
    assert ids(ledger, parent="", since_us=3) == ["3"]


def test_an_id_may_be_shortened_while_it_is_clear(ledger: TrialLedger) -> None:
    """A whole id is clear, though another begins with it; "latest" is the last that stands alone and is not deleted."""
    ledger.record([trial("ab1"), trial("ab2", created_us=9), trial("ab", created_us=8), trial("p", parent="ab2")])
    assert ledger.get("ab1").id == "ab1"
    assert ledger.get("ab").id == "ab"
    assert ledger.get("latest").id == "ab2"
    ledger.delete("ab2")
    assert ledger.get("latest").id == "ab"
    with pytest.raises(DataError, match="'a' could be any of ab2, ab, ab1"):
        ledger.get("a")
    for wrong in ("zz", "%", "_b1"):
        with pytest.raises(DataError, match="No trial"):
            ledger.get(wrong)


_RECORDER = """
import sys
sys.path.insert(0, {tests!r})
from storage.test_trials import opened, trial
worker = int(sys.argv[1])
for i in range(15):
    opened({database!r}).record([trial(f"own-{{worker}}-{{i}}"), trial(f"shared-{{i}}"), trial(f"shared-{{14 - i}}")])
"""


@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
def test_many_processes_lose_nothing(database: str, older: bool) -> None:
    """Four processes begin at once on a database that is not there yet, or is to be migrated, and write rows of their
    own and common ones.
    """
    if older:
        database_0001.make(database)
    program = _RECORDER.format(tests=str(Path(__file__).resolve().parents[1]), database=database)
    workers = [
        subprocess.Popen([sys.executable, "-c", program, str(worker)], stderr=subprocess.PIPE, text=True)
        for worker in range(4)
    ]
    assert [(worker.communicate()[1], worker.returncode) for worker in workers] == [("", 0)] * 4
    found = [name for name in ids(opened(database), with_deleted=True) if name not in ("first", "second")]
    assert len(found) == 4 * 15 + 15
    assert len(set(found)) == len(found)
    assert opened(database).count() == len(found) + 2 * older


@dataclass
class _Model:
    """What a ledger should say, kept in two sets."""

    known: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)


@examples(40)
@given(st.lists(st.tuples(st.sampled_from(["record", "delete"]), st.sampled_from("abcd")), max_size=12))
def test_whatever_the_order_each_trial_counts_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    """Recorded, recorded again, deleted, deleted again, recorded after that: the counts are those of sets."""
    ledger, model = opened(tmp_path_factory.getbasetemp() / "steps.db"), _Model()
    with ledger.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM trials")
    for step, name in steps:
        if step == "record":
            ledger.record([trial(name)])
            model.known.add(name)
            model.deleted.discard(name)
        elif name in model.known:
            assert list(ledger.delete(name)) == ([] if name in model.deleted else [name])
            model.deleted.add(name)
        else:
            with pytest.raises(DataError):
                ledger.delete(name)
        found = ledger.related("ideas.py:Momentum", ["binance_usdm:BTCUSDT"], 0, DAY)
        assert (set(found.ids), len(found.ids), found.deleted) == (model.known, len(model.known), len(model.deleted))
        assert set(ids(ledger)) == model.known - model.deleted
