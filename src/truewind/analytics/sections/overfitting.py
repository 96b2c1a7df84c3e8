"""Overfitting: how much was tried, what luck alone gives, and the gate's verdict, rule by rule."""

import math

import numpy as np

from truewind.analytics import luck
from truewind.analytics.document import Block, Column, Histogram, Section, Table, Text, Tone
from truewind.analytics.gate import Judgement
from truewind.analytics.luck import Crowd, Luck
from truewind.analytics.report import Report

_TONES: dict[bool | None, Tone] = {True: "good", False: "bad", None: "warning"}
_STATES = {"passed": "passed", "failed": "FAILED", "not tested": "not tested"}


def section(report: Report) -> Section | None:
    """Verdict first, then what it follows from."""
    found = luck.assess(report)
    judgement = luck.judged(report, found)
    blocks: list[Block] = [
        Text(sentences=(judgement.sentence,), tone=_TONES[judgement.passed]),
        Text(sentences=luck.words(found)),
        rules(judgement),
        figures(found),
    ]
    if found.crowd is not None and len(found.crowd.counts) and found.crowd.tried > 1:
        blocks.append(histogram(found, found.crowd))
    return Section(id="overfitting", title="Luck and overfitting", blocks=tuple(blocks))


def rules(judgement: Judgement) -> Table:
    """Every rule of the gate, those that failed first."""
    ordered = (*judgement.of("failed"), *judgement.of("not tested"), *judgement.of("passed"))
    rows = [(rule.title, _STATES[rule.state], rule.sentence) for rule in ordered]
    return Table(
        name="gate",
        title="The gate",
        columns=(Column(label="Rule"), Column(label="Verdict"), Column(label="Why")),
        rows=tuple(rows),
        note="What is not tested is never passed: `truewind validate` tests it.",
    )


def figures(found: Luck) -> Table:
    """What the words say, in figures: name, value, meaning."""
    year, beside = math.sqrt(found.year), found.crowd
    own = found.moments
    rows: list[tuple[str, str, str]] = []

    def row(name: str, value: float | None, meaning: str, form: str = "{:.2f}") -> None:
        shown = "–" if value is None or math.isnan(value) else form.format(value)
        rows.append((name, shown, meaning))

    row("Daily returns", own.periods, "Days that all of this follows from", "{:,.0f}")
    row("Sharpe ratio", own.sharpe * year, "Annualised")
    row("Skew", own.skew, "Of daily returns; below 0, losses are rarer and larger than gains")
    row("Kurtosis", own.kurtosis, "Of daily returns; 3 is normal, more are fatter tails", "{:.1f}")
    if beside is not None:
        row("Variants tried", beside.tried, "Same family, a common instrument, overlapping dates", "{:,.0f}")
        row("… deleted since", beside.deleted, "They count: what was tried stays tried", "{:,.0f}")
        row("… without a Sharpe ratio", beside.silent, "Never traded, or ran for too short", "{:,.0f}")
        row("Different ones", beside.different, "Clusters: within, returns share half of their variance", "{:,.0f}")
        row("As lucky as", beside.equivalent, "Independent tries whose best would be as lucky as theirs", "{:,.1f}")
        row("Luck alone gives", found.threshold * year, "Best Sharpe ratio of so many different ones without skill")
    rows += [
        ("Probabilistic Sharpe ratio", _chance(found.probabilistic), "Chance that the true one is above 0, of one try"),
        ("Deflated Sharpe ratio", _chance(found.deflated), "Chance that the true one is above what luck alone gives"),
        ("Chance of luck", _chance(found.chance), "That the best of all tries looks as good by luck (family-wise)"),
    ]
    row("Sharpe ratio after haircut", found.haircut * year, "What would say as much, were it the only try")
    row("Days needed", found.needed_days, "Record for the true one to be above 0 at 95 %", "{:,.0f}")
    return Table(
        name="luck",
        title="In figures",
        columns=(Column(label="Figure"), Column(label="Value"), Column(label="What it is")),
        rows=tuple(rows),
        note=f"Not defined: {found.reason}." if found.reason else "",
    )


def histogram(found: Luck, beside: Crowd) -> Histogram:
    """Sharpe ratios of all that was tried, with this run and what luck gives."""
    year = math.sqrt(found.year)
    marks = [("this run", found.moments.sharpe * year), ("luck alone", found.threshold * year)]
    return Histogram(
        title="Sharpe ratios of all that was tried",
        edges=np.array(beside.edges) * year,
        counts=np.array(beside.counts, np.float64),
        kind="ratio",
        marks=tuple((name, value) for name, value in marks if math.isfinite(value)),
        note="Annualised. The lowest half percent stands in the first bar." if beside.tried > 200 else "Annualised.",
    )


def _chance(value: float) -> str:
    if math.isnan(value):
        return "–"
    if value < 0.001:
        return "under 0.1 %"
    return "over 99.9 %" if value > 0.999 else f"{value * 100.0:.1f} %"
