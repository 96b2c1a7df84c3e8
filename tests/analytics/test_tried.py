"""Trials of the ledger: ranked, and judged by all that was tried in their place."""

import math

import numpy as np
import pytest

from truewind.analytics.luck import facts, in_short
from truewind.analytics.tried import days_a_year, judged, ranked
from truewind.errors import ConfigError
from truewind.numerics.sketch import sketch
from truewind.storage.trials import Trial, open_ledger

DAYS = 500


def trial(name, *, seed=None, **changed):
    """A trial whose daily returns are drawn by `seed`; without one it has none."""
    told = {}
    if seed is not None:
        returns = np.random.default_rng(seed).normal(0.0005, 0.01, DAYS)
        sharpe = float(returns.mean() / returns.std(ddof=1))
        told = {
            "days": DAYS, "sharpe": sharpe, "skew": 0.0, "kurtosis": 3.0, "sketch": sketch(np.arange(DAYS), returns),
            "metrics": {"sharpe": sharpe * math.sqrt(252), "max_drawdown": seed / 100},
        }  # fmt: skip
    facts = {
        "id": name, "kind": "backtest", "name": "", "family": "f", "universe": ("v:A",), "timeframe": "1d",
        "start_us": 0, "end_us": 9, "config": "", "data_snapshot": "", "code_version": "", "seed": 0, "params": {},
        "metrics": {}, "created_us": 1,
    }  # fmt: skip
    return Trial(**facts | told | changed)


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(tmp_path / "trials.db")


def test_the_only_trial_is_judged_as_such(ledger):
    """With nothing else tried, what luck gives is nothing: the deflated Sharpe ratio is the probabilistic one.

    The expected chance is that of a normal distribution: Φ(SR √(n − 1) / √(1 + SR²/2)), here by the error function.
    """
    one = trial("a", seed=1)
    ledger.record([one])
    (found,) = judged(ledger, [one])
    z = one.sharpe * math.sqrt(DAYS - 1) / math.sqrt(1 + one.sharpe**2 / 2)
    assert found.luck.deflated == pytest.approx(0.5 * (1 + math.erf(z / math.sqrt(2))), rel=1e-9)
    assert found.luck.probabilistic == found.luck.deflated
    assert (found.luck.crowd.tried, found.luck.crowd.different, found.luck.year) == (1, 1, 252)


def test_more_that_was_tried_leaves_less_that_is_not_luck(ledger):
    """Twenty that differ lower the chance, twenty copies do not; a deleted one still counts."""
    one = trial("a", seed=1)
    ledger.record([one])
    alone = judged(ledger, [one])[0].luck
    ledger.record([trial(f"copy{i}", seed=1) for i in range(20)])
    among_copies = judged(ledger, [one])[0].luck
    ledger.record([trial(f"other{i}", seed=10 + i) for i in range(20)])
    ledger.delete("other3")
    among_others = judged(ledger, [one])[0].luck
    assert among_copies.crowd.tried == 21
    assert among_copies.deflated == alone.deflated > among_others.deflated
    crowd = among_others.crowd
    assert (crowd.tried, crowd.deleted, crowd.different) == (41, 1, 21)
    assert in_short(among_others) == f"deflated {among_others.deflated * 100:.0f} %; of 41 tried, 21 different"
    told = facts(among_others)
    assert (told["tried"], told["different"], told["deflated"]) == (41, 21, among_others.deflated)


def test_what_is_not_defined_says_why(ledger):
    """A trial without daily returns, and a fold, which counts for nothing and has no crowd."""
    quiet, fold = trial("quiet"), trial("fold", seed=2, kind="walkforward", family="g")
    ledger.record([quiet, fold])
    nothing, alone = (each.luck for each in judged(ledger, [quiet, fold]))
    assert nothing.reason == "the trial has no daily returns"
    assert facts(nothing)["deflated"] is None
    assert in_short(nothing) == ""
    assert alone.crowd is None
    assert math.isnan(alone.deflated)


def test_ranks_go_by_what_one_wants_of_a_figure():
    """Much of a Sharpe ratio, little of a drawdown; those without it are left out; an unknown one is told."""
    trials = [trial("b", seed=5), trial("none"), trial("c", seed=7), trial("void", metrics={"sharpe": None})]
    sharpes = {each.id: each.metrics["sharpe"] for each in trials if each.metrics.get("sharpe") is not None}
    assert [each.id for each in ranked(trials, "sharpe")] == sorted(sharpes, key=sharpes.__getitem__, reverse=True)
    assert [each.id for each in ranked(trials, "max_drawdown")] == ["b", "c"]
    assert ranked([], "anything") == []
    with pytest.raises(ConfigError, match="No trial has a figure 'sharp'") as caught:
        ranked(trials, "sharp")
    assert "sharpe" in caught.value.remedy


def test_days_a_year_are_told_or_follow_from_both_ratios():
    assert days_a_year(trial("a", seed=1)) == 252
    assert days_a_year(trial("a", metrics={"days_per_year": 260})) == 260
    assert days_a_year(trial("a")) == 365
    assert days_a_year(trial("a", metrics={"sharpe": 0.0}, sharpe=0.0)) == 365
