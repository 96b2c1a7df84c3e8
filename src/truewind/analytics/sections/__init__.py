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
    overfitting,
    performance,
    quality,
    recommendations,
    risk,
    run,
    strategies,
    summary,
    trades,
    withheld,
)

SECTIONS: tuple[Callable[[Report], Section | None], ...] = (
    summary.section,
    performance.section,
    risk.section,
    trades.section,
    costs.section,
    strategies.section,
    attribution.section,
    withheld.section,
    overfitting.section,
    quality.section,
    run.section,
    recommendations.section,
)


def build(report: Report) -> Document:
    """The whole report. Equal reports give equal documents: nothing in them depends on clock or chance."""
    sections = [section(report) for section in SECTIONS]
    found = luck.assess(report)
    judgement = luck.judged(report, found)
    return Document(
        name=report.name,
        overline="Paper session" if report.info.get("data_snapshot") == "live" else "Backtest report",
        subtitle=summary.subtitle(report),
        verdict=(*summary.verdict(report), *luck.words(found), judgement.sentence),
        passed=judgement.passed,
        warnings=len(quality.warnings(report)),
        sections=tuple(section for section in sections if section is not None),
    )
