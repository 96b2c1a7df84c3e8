"""The run: what identifies it, what it took for granted, and its config: all that is needed to repeat it."""

from truewind.analytics.document import Column, Section, Table, Text
from truewind.analytics.report import Report


def section(report: Report) -> Section:
    """What identifies the run, as it was given."""
    known = tuple((key.replace("_", " ").capitalize(), value) for key, value in report.info.items())
    return Section(
        id="run",
        title="The run",
        blocks=(
            Table(name="identity", columns=(Column(label="What"), Column(label="Value")), rows=known),
            Text(sentences=tuple(report.assumptions), bullets=True, title="Assumptions" if report.assumptions else ""),
            Text(sentences=(report.config_yaml,), code=True, title="Config"),
        ),
    )
