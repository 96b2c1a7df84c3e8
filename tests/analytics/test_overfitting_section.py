"""The section on luck: verdict first, all that is known in figures, and what is not known said."""

import datetime as dt

import msgspec
import numpy as np
import polars as pl
import pytest

from truewind.analytics import luck
from truewind.analytics.document import Histogram, Table, Text
from truewind.analytics.luck import Crowd
from truewind.analytics.report import Report
from truewind.analytics.sections import overfitting

START = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
CROWD = Crowd(
    tried=1240, deleted=12, silent=3, different=14, equivalent=92.5, spread=0.03, best=0.1,
    edges=(-0.1, 0.0, 0.1), counts=(700, 537),
)  # fmt: skip


def report(returns: np.ndarray, trials=None, validation=None, drawdown: float | None = 0.1) -> Report:
    equity = 1000.0 * np.cumprod(1.0 + returns)
    ts = [START + dt.timedelta(days=i + 1) for i in range(len(returns))]
    table = pl.DataFrame({"ts": ts, "equity": equity}, schema={"ts": pl.Datetime("us", "UTC"), "equity": pl.Float64})
    summary = {"initial_equity": 1000.0, "days_per_year": 365, "trades": 80, "max_drawdown": drawdown}
    return Report(
        name="run", equity=table, trades=pl.DataFrame(), fills=pl.DataFrame(), candles={}, benchmark=None,
        summary=summary, config_yaml="", info={}, assumptions=[], warnings=[],
        trials=None if trials is None else {"id": "x", "family": "f", **msgspec.to_builtins(trials)},
        validation=validation,
    )  # fmt: skip


def steady(days: int = 700) -> np.ndarray:
    return np.random.default_rng(1).normal(0.002, 0.01, days)


def blocks(made: Report, kind: type):
    return [block for block in overfitting.section(made).blocks if isinstance(block, kind)]


def test_verdict_first_then_words_rules_figures_and_the_histogram():
    made = report(steady(), CROWD)
    verdict, words = blocks(made, Text)
    assert verdict.sentences == (luck.judged(made).sentence,)
    assert "Of 1,240 variants tried (12 of them deleted since), about 14 are different" in words.sentences[0]
    gate, figures = blocks(made, Table)
    assert len(gate.rows) == 10
    assert [row[1] for row in gate.rows] == ["not tested"] * 6 + ["passed"] * 4
    told = {row[0]: row[1] for row in figures.rows}
    assert (told["Daily returns"], told["Variants tried"], told["Different ones"]) == ("700", "1,240", "14")
    (histogram,) = blocks(made, Histogram)
    assert histogram.counts.tolist() == [700, 537]
    assert histogram.edges[-1] == pytest.approx(0.1 * 365**0.5)
    assert [name for name, _ in histogram.marks] == ["this run", "luck alone"]


def test_what_failed_stands_first():
    gate, _ = blocks(report(-steady(), CROWD, drawdown=0.7), Table)
    assert [row[0] for row in gate.rows if row[1] == "FAILED"] == ["luck", "length of the record", "drawdown"]
    assert gate.rows[0][1] == "FAILED"


def test_a_validation_decides():
    evidence = {
        "superior": 0.001, "tested": 1240, "overfit": 0.1, "overfit_loss": 0.02, "efficiency": 0.7, "profitable": 0.9,
        "windows": 8, "stressed_return": 0.2, "stability": None, "leaks": 0, "reasons": {"stability": "no neighbours"},
        "of_another_version": 1,
    }  # fmt: skip
    made = luck.judged(report(steady(), CROWD, {"evidence": evidence}))
    assert made.passed is True
    assert "no neighbours" in made.of("not tested")[0].sentence
    strict = luck.judged(report(steady(), CROWD, {"evidence": evidence, "gate": {"drawdown": 0.05}}))
    assert [rule.name for rule in strict.of("failed")] == ["drawdown"]


@pytest.mark.parametrize(
    ("returns", "trials", "reason"),
    [
        (np.empty(0), CROWD, "no rows"),
        (np.zeros(1), CROWD, "no daily returns"),
        (steady(20), CROWD, "20 daily returns are too few"),
        (np.zeros(400), CROWD, "equity does not vary"),
        (steady(), None, "nobody knows how much was tried"),
        (np.append(steady(), [-1.0, np.nan]), None, "nobody knows"),
    ],
)
def test_what_cannot_be_known_is_said(returns, trials, reason):
    made = report(returns, trials)
    assert reason in blocks(made, Text)[1].sentences[0]
    assert luck.judged(made).passed is not True
    assert reason in blocks(made, Table)[1].note


def test_a_ledger_of_before_is_passed_over():
    made = msgspec.structs.replace(report(steady()), trials={"id": "x", "tried": 3, "deleted": 0})
    assert luck.assess(made).crowd is None
