"""Data quality: what a reader must know of the data before he trusts the figures."""

from collections.abc import Mapping
from typing import Any

from truewind.analytics.document import Section, Text
from truewind.analytics.figures import FIGURES
from truewind.analytics.report import Report


def section(report: Report) -> Section:
    """The run's warnings, and the figures that are not defined."""
    return Section(
        id="warnings",
        title="Warnings",
        blocks=(Text(sentences=tuple(warnings(report)) or ("None.",), bullets=bool(warnings(report))),),
    )


def warnings(report: Report) -> list[str]:
    """What the run warned of, and why figures are not defined."""
    return [*report.warnings, *_undefined(report.summary)]


def _undefined(summary: Mapping[str, Any]) -> list[str]:
    """One line a reason, naming the figures that share it."""
    by_reason: dict[str, list[str]] = {}
    for item in summary["not_defined"]:
        by_reason.setdefault(item["reason"], []).append(FIGURES[item["metric"]].label)
    return [f"{', '.join(names)}: not defined, because {reason}" for reason, names in by_reason.items()]
