"""Luck: what a crowd is, the paper's example through all of it, and what is said where nothing can be known."""

import math

import msgspec
import numpy as np
import pytest

from truewind.analytics import luck
from truewind.analytics.luck import Crowd
from truewind.numerics.significance import Moments
from truewind.numerics.sketch import sketches
from truewind.storage.trials import Related

DAYS = np.arange(19_000, 20_000)


def related(ideas: int, copies: int, deleted: int = 0, silent: int = 0) -> Related:
    draws = np.random.default_rng(5)
    returns = np.repeat(draws.normal(0, 0.01, (ideas, len(DAYS))), copies, axis=0)
    returns = returns + draws.normal(0, 0.0005, returns.shape)
    sharpes = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    rows = np.concatenate((sketches(DAYS, returns), np.zeros((silent, 128), np.float32)))
    count = len(rows)
    return Related(
        [f"{i:04}" for i in range(count)],
        np.concatenate((sharpes, np.full(silent, np.nan))),
        np.full(count, len(DAYS)),
        rows,
        deleted,
    )


def crowd(**changed) -> Crowd:
    told = {"tried": 100, "deleted": 0, "silent": 0, "different": 100, "equivalent": 100.0,
            "spread": math.sqrt(0.5 / 250), "best": 0.16}  # fmt: skip
    return Crowd(**told | changed)


PAPER = Moments(1250, 2.5 / math.sqrt(250), -3.0, 10.0)


def test_a_crowd_is_counted_whole():
    made = related(7, 30, deleted=4, silent=5)
    found = luck.crowd(made)
    assert (found.tried, found.deleted, found.silent, found.different) == (215, 4, 5, 7)
    means = np.nanmean(made.sharpes[:210].reshape(7, 30), axis=1)
    assert found.spread == pytest.approx(means.std(ddof=1))
    assert found.best == np.nanmax(made.sharpes)
    assert sum(found.counts) == 210
    assert len(found.edges) == len(found.counts) + 1


def test_a_crowd_of_one_and_of_none():
    one = luck.crowd(related(1, 1))
    assert (one.tried, one.different, one.equivalent, one.spread) == (1, 1, 1.0, None)
    none = luck.crowd(related(0, 1, silent=3))
    assert (none.tried, none.different, none.equivalent, none.best, none.counts) == (3, 0, 0.0, None, ())
    assert msgspec.convert(msgspec.to_builtins(one), Crowd) == one


def test_the_papers_example_comes_out():
    """Bailey and López de Prado (2014): see tests/answers/test_luck.py."""
    found = luck.luck_of(PAPER, 250, crowd())
    assert found.threshold == pytest.approx(0.1132, abs=5e-5)
    assert found.deflated == pytest.approx(0.9004, abs=5e-5)
    assert luck.words(found) == (
        "Of 100 variants tried, about 100 are different ones; the best of so many would show a Sharpe ratio of 1.8 by "
        "luck alone, and this one shows 2.5.",
        "Chance that this one is better than luck: 90 %.",
    )


def test_clusters_that_are_alike_do_not_make_luck_small():
    found = luck.luck_of(PAPER, 250, crowd(spread=1e-6))
    assert found.threshold == pytest.approx(luck.significance.expected_maximum(1 / 1250, 100))


def test_the_only_try():
    found = luck.luck_of(PAPER, 250, crowd(tried=1, different=1, equivalent=1.0, spread=None))
    assert found.threshold == 0.0
    assert found.deflated == found.probabilistic
    assert found.chance == pytest.approx(1 - found.probabilistic)
    assert luck.words(found)[0].startswith("The only variant")


def test_shades_of_one_are_told_as_such():
    found = luck.luck_of(PAPER, 250, crowd(different=1, equivalent=6.0, deleted=3, spread=None))
    assert "(3 of them deleted since) all are shades of one" in luck.words(found)[0]
    assert found.chance > 1 - found.probabilistic


@pytest.mark.parametrize(
    ("moments", "beside", "reason"),
    [
        (Moments(12, 0.1, 0.0, 3.0), crowd(), "12 daily returns are too few"),
        (Moments(500, math.nan, math.nan, math.nan), crowd(), "equity does not vary"),
        (PAPER, None, "nobody knows how much was tried"),
        (Moments(0, math.nan, math.nan, math.nan), None, "0 daily returns"),
    ],
)
def test_what_cannot_be_known_is_said(moments, beside, reason):
    found = luck.luck_of(moments, 250, beside)
    assert reason in luck.words(found)[0]
    assert math.isnan(found.deflated)
    assert math.isnan(found.chance)


def test_a_sweep_alone_is_evidence():
    draws = np.random.default_rng(6)
    returns = draws.normal(0, 0.01, (30, len(DAYS)))
    returns[11] += 0.0025
    returns[29] = np.nan  # a trial whose settings were refused
    found = luck.among(DAYS, returns.astype(np.float32), 11, 365)
    assert (found.tried, found.tested, found.days) == (30, 30, 1000)
    assert found.superior < 0.02
    assert found.luck < 0.02
    assert found.overfit < 0.05
    assert found.deflated > 0.95
    worst = luck.among(DAYS, returns, int(np.nanargmin(returns[:29].mean(axis=1))), 365)
    assert worst.superior > 0.9
    refused = luck.among(DAYS, returns, 29, 365)
    assert math.isnan(refused.superior)
    assert "daily returns are too few" in refused.reasons["luck"]
