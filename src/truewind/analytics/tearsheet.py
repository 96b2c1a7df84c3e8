"""Tearsheet: a run on one HTML page: its report (`analytics.sections`), drawn (`analytics.page`)."""

from pathlib import Path

from truewind.analytics.page import page
from truewind.analytics.report import Report, load
from truewind.analytics.sections import build


def render(report: Report) -> str:
    """The page as HTML. Equal reports give equal bytes; nothing in it depends on clock or chance."""
    return page(build(report))


def from_run(run_dir: Path) -> str:
    """The page of a finished run, from its folder. Raises MissingFileError or CorruptError, naming the file."""
    return render(load(run_dir))
