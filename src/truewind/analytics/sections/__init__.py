"""Sections: what a report says, a file a section, in the order that a reader meets them.

A section is a function of what the run left. It gives None where there is nothing to say, and is then left out.
"""

from collections.abc import Callable

from truewind.analytics import luck
from truewind.analytics.document import Document, Section
from truewind.analytics.report import Report
from truewind.analytics.sections import (
    attribution,
    costs,
    exposure,
    overfitting,
    performance,
    quality,
    recommendations,
    risk,
    run,
    strategies,
    summary,
    trades,
    validation,
    withheld,
)

SECTIONS: tuple[Callable[[Report], Section | None], ...] = (
    summary.section,
    performance.section,
    risk.section,
    trades.section,
    costs.section,
    exposure.section,
    strategies.section,
    attribution.section,
    overfitting.section,
    validation.section,
    withheld.section,
    quality.section,
    run.section,
    recommendations.section,
)


def build(report: Report) -> Document:
    """The whole report. Equal reports give equal documents: nothing in them depends on clock or chance."""
    sections = [section(report) for section in SECTIONS]
    sentences, passed = verdict(report)
    return Document(
        name=report.name,
        overline="Paper session" if report.info.get("data_snapshot") == "live" else "Backtest report",
        subtitle=summary.subtitle(report),
        verdict=sentences,
        passed=passed,
        warnings=len(report.warnings),
        sections=tuple(section for section in sections if section is not None),
    )


def verdict(report: Report) -> tuple[tuple[str, ...], bool | None]:
    """What came out, how likely it is luck, and what the gate says, in words; and whether that was passed."""
    found = luck.assess(report)
    judgement = luck.judged(report, found)
    return (summary.result(report.summary), *luck.words(found), judgement.sentence), judgement.passed
