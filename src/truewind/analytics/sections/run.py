"""The run: what identifies it, what it took for granted, and its config: all that is needed to repeat it."""

from truewind.analytics.document import Section, Text, Tile, Tiles
from truewind.analytics.report import Report


def section(report: Report) -> Section:
    """What identifies the run, as it was given."""
    known = tuple(
        Tile(label=key.replace("_", " ").capitalize(), value=value, kind="text") for key, value in report.info.items()
    )
    return Section(
        id="run",
        title="The run",
        blocks=(
            Tiles(tiles=known, small=True),
            Text(sentences=tuple(report.assumptions), bullets=True, title="Assumptions" if report.assumptions else ""),
            Text(sentences=(report.config_yaml,), code=True, title="Config"),
        ),
    )
