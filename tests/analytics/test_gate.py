"""Gate: what is not tested is never passed; each rule fails on its own side of its threshold."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.analytics.gate import Evidence, GateSettings, judge

GOOD = Evidence(
    tried=1000, luck=0.01, superior=0.02, tested=1000, deflated=0.97, overfit=0.2, overfit_loss=0.05, efficiency=0.6,
    profitable=0.8, windows=8, days=1095, needed_days=300.2, trades=240, drawdown=0.12, stressed_return=0.3,
    stability=0.9, leaks=0,
)  # fmt: skip


def with_(**changed):
    return judge(msgspec.structs.replace(GOOD, **changed))


def test_all_good_passes():
    found = judge(GOOD)
    assert found.passed is True
    assert {rule.state for rule in found.rules} == {"passed"}
    assert "not tested" not in found.sentence


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        ("luck", {"superior": 0.051}),
        ("luck", {"superior": None, "luck": 0.3}),
        ("luck", {"superior": 0.3}),
        ("luck", {"luck": 0.2}),  # Hansen's test saw but a part of what was tried
        ("overfit", {"overfit": 0.6, "overfit_loss": 0.4}),
        ("walk_forward", {"efficiency": 0.09}),
        ("walk_forward", {"efficiency": -1.0}),
        ("windows", {"profitable": 0.49}),
        ("trades", {"trades": 29}),
        ("record", {"days": 179, "needed_days": 100.0}),
        ("record", {"needed_days": 1095.5}),
        ("record", {"needed_days": math.nan}),  # no record would do
        ("drawdown", {"drawdown": 0.21}),
        ("costs", {"stressed_return": -0.01}),
        ("stability", {"stability": 0.4}),
        ("look_ahead", {"leaks": 1}),
    ],
)
def test_each_rule_fails_alone(rule, bad):
    found = with_(**bad)
    assert found.passed is False
    assert [each.name for each in found.of("failed")] == [rule]
    assert next(each for each in found.rules if each.name == rule).title in found.sentence


@pytest.mark.parametrize(
    "fine",
    [
        {"overfit": 0.6, "overfit_loss": 0.1},  # a plateau: which of equals leads is chance, and all of them gained
        {"overfit": 0.5, "overfit_loss": 0.9},
        {"superior": 0.05, "drawdown": 0.2, "stressed_return": 0.0, "trades": 30},  # thresholds belong to the good side
    ],
)
def test_what_is_no_fault(fine):
    assert with_(**fine).passed is True


@pytest.mark.parametrize(
    "field", ["efficiency", "profitable", "days", "trades", "drawdown", "stressed_return", "leaks"]
)
def test_what_must_hold_and_is_not_tested_leaves_it_open(field):
    found = with_(**{field: None})
    assert found.passed is None
    assert len(found.of("not tested")) == 1
    assert found.of("not tested")[0].title in found.sentence


def test_luck_must_be_known():
    assert with_(luck=None, superior=None).passed is None
    assert with_(luck=None).passed is None  # the ledger was off: what else was tried nobody knows
    assert with_(superior=None).passed is True
    assert with_(superior=math.nan).passed is None
    assert with_(luck=math.nan, superior=None).passed is None
    assert with_(luck=math.nan, superior=0.01).passed is None


@pytest.mark.parametrize("changed", [{"overfit": None}, {"overfit": math.nan}, {"stability": None}])
def test_what_need_not_hold_is_named(changed):
    found = with_(**changed)
    assert found.passed is True
    assert f"not tested: {found.of('not tested')[0].title}" in found.sentence


def test_a_failure_decides_whatever_is_missing():
    assert judge(Evidence(trades=3)).passed is False
    assert judge(Evidence()).passed is None
    assert all(rule.state == "not tested" for rule in judge(Evidence()).rules)


def test_reasons_are_told():
    found = judge(Evidence(reasons={"overfit": "1 trial to choose from", "luck": "the ledger was off"}))
    told = {rule.name: rule.sentence for rule in found.rules}
    assert "1 trial to choose from" in told["overfit"]
    assert "the ledger was off" in told["luck"]
    few = with_(windows=3)
    assert few.passed is None
    assert "3 tests are too few" in next(rule.sentence for rule in few.rules if rule.name == "walk_forward")


NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=False, width=32)
COUNTS = st.none() | st.integers(0, 10**6)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_it_never_raises_and_never_passes_by_silence(luck, overfit, other, loss, needed, days, trades, leaks, windows):
    found = judge(
        Evidence(
            luck=luck, superior=other, overfit=overfit, overfit_loss=loss, needed_days=needed, days=days,
            trades=trades, leaks=leaks, windows=windows, efficiency=other, profitable=other, drawdown=overfit,
            stressed_return=needed,
        )
    )  # fmt: skip
    assert all(rule.sentence.endswith(".") for rule in found.rules)
    if found.passed:
        assert all(rule.state == "passed" for rule in found.rules if rule.must)


def test_thresholds_are_settings():
    strict = GateSettings(chance=0.001, drawdown=0.1)
    assert {rule.name for rule in judge(GOOD, strict).of("failed")} == {"luck", "drawdown"}
